"""Inputs with their true values, computed once and shared by the tests of one size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tests import cases
from tests.bounds import BOUNDS
from tests.outputs import Output
from tests.truth import Elements, Exact, Rows
from tests.ulp import ulp_error

# Where a row is so long that one of each family would take minutes of exact arithmetic.
LONG_ROW = 10_000
LONG_FAMILIES = (
    cases.normal, cases.one_large, cases.equal_but_two, cases.offset, cases.spread,
)  # fmt: skip


class Batch:
    def __init__(self, x: np.ndarray, truth: Rows | Elements, rng: np.random.Generator):
        self.x, self._truth, self._rng = x, truth, rng
        self._labels: dict = {}
        self._exact: dict = {}

    def labels(self, output: Output) -> np.ndarray | None:
        draw = output.labels
        if draw is None:
            return None
        if draw not in self._labels:
            self._labels[draw] = draw(self._rng, self.x)
        return self._labels[draw]

    def exact(self, output: Output) -> Exact:
        if output.name not in self._exact:
            self._exact[output.name] = output.truth(self._truth, self.labels(output))
        return self._exact[output.name]

    def assert_within_bound(
        self, output: Output, computed: np.ndarray, part=slice(None), weight=None
    ) -> None:
        """`computed` is the output for the rows or elements of `part`, times their weight."""
        assert computed.dtype == self.x.dtype, (output.name, computed.dtype)
        exact = self.exact(output).part(part)
        if weight is not None:
            exact = exact.times(weight)
        errors = ulp_error(computed, exact)
        at = np.unravel_index(errors.argmax(), errors.shape)
        bound = BOUNDS[output.name].ulp
        assert errors[at] <= bound, (
            f"{output.name}: {errors[at]:.3f} ULP > {bound} at {at}: got {computed[at]!r}, "
            f"want {exact.nearest(at)!r}, logits {self.x[part][at[0]].tolist()!r:.400}"
        )


@lru_cache(maxsize=2)
def row_batch(dtype: str, k: int, each: int = 1, seed: int = 0) -> Batch:
    rng = np.random.default_rng((seed, k))
    families = LONG_FAMILIES if k > LONG_ROW else cases.FAMILIES
    x = cases.rows(rng, each, k, dtype, families)
    return Batch(x, Rows(x), rng)


@lru_cache(maxsize=2)
def element_batch(dtype: str, n: int, seed: int = 0) -> Batch:
    rng = np.random.default_rng((seed, n))
    x = cases.elements(rng, n, dtype)
    return Batch(x, Elements(x), rng)
