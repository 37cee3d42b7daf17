"""Inputs with their true values, computed once and shared by the tests of one size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tests import cases
from tests.bounds import BOUNDS, LOST_DIGITS, rounded
from tests.halves import HALVES, every_finite, finite
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
        self.wide = _wide(x)
        self._labels: dict = {}
        self._exact: dict = {}

    def labels(self, output: Output) -> np.ndarray | None:
        draw = output.labels
        if draw is None:
            return None
        if draw not in self._labels:
            y = draw(self._rng, self.wide)
            self._labels[draw] = y if y.dtype.kind == "i" else y.astype(self.x.dtype)
        return self._labels[draw]

    def exact(self, output: Output) -> Exact:
        if output.name not in self._exact:
            y = self.labels(output)
            self._exact[output.name] = output.truth(self._truth, y if y is None else _wide(y))
        return self._exact[output.name]

    def assert_within_bound(
        self, output: Output, computed: np.ndarray, part=slice(None), weight=None
    ) -> None:
        """`computed` is the output for the rows or elements of `part`, times their weight."""
        stays = output.one_a_row or " loss" in f" {output.name}"
        wanted = self.wide.dtype if stays else self.x.dtype
        assert computed.dtype == wanted, (output.name, computed.dtype)
        exact = self.exact(output).part(part)
        if weight is not None:
            exact = exact.times(weight)
        errors = ulp_error(computed, exact)
        at = np.unravel_index(errors.argmax(), errors.shape)
        bound = BOUNDS[output.name].ulp
        if computed.dtype != self.wide.dtype:
            bound = rounded(bound, LOST_DIGITS[self.wide.dtype.str[1:], computed.dtype.name])
        assert errors[at] <= bound, (
            f"{output.name}: {errors[at]:.3f} ULP > {bound} at {at}: got {computed[at]!r}, "
            f"want {exact.nearest(at)!r}, logits {self.x[part][at[0]].tolist()!r:.400}"
        )


def _wide(values: np.ndarray) -> np.ndarray:
    """The same numbers in a type that NumPy knows all of: a half type as float32."""
    return values.astype(np.float32) if values.dtype in HALVES.values() else values


@lru_cache(maxsize=2)
def row_batch(dtype: str, k: int, each: int = 1, seed: int = 0) -> Batch:
    rng = np.random.default_rng((seed, k))
    families = LONG_FAMILIES if k > LONG_ROW else cases.FAMILIES
    if dtype in HALVES:
        x = finite(cases.rows(rng, each, k, "f4", families), dtype)
    else:
        x = cases.rows(rng, each, k, dtype, families)
    return Batch(x, Rows(_wide(x)), rng)


@lru_cache(maxsize=2)
def element_batch(dtype: str, n: int, seed: int = 0) -> Batch:
    """About n elements; of a half type all that are finite."""
    rng = np.random.default_rng((seed, n))
    x = every_finite(dtype) if dtype in HALVES else cases.elements(rng, n, dtype)
    return Batch(x, Elements(_wide(x)), rng)
