"""Errors of a batch, and what is kept of them: counts, means and the worst inputs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from tests import bulk, truth
from tests.outputs import ELEMENTS, Output
from tests.ulp import bits, ulp_error

BLOCK = 1 << 16  # values that a thread judges at once: their truth stays in its caches
# Of rows with up to LONGEST classes the KEPT worst are kept; a climb starts from them, and 400 bits
# settle the worst. Of longer rows one is kept, and settled with 120 bits (float32: 64).
KEPT, LONGEST = 4, 5000


class Batch(NamedTuple):
    """Inputs, rows (n, K) or elements (n,), the labels by who draws them, and what to compute."""

    x: np.ndarray
    labels: dict[Any, np.ndarray]
    outputs: tuple[Output, ...]
    label: str = ""  # the one label of all, where that tells tallies apart

    @property
    def classes(self) -> int:
        """Of a row; 0 for elements."""
        return self.x.shape[1] if self.x.ndim == 2 else 0

    @property
    def title(self) -> str:
        return f"{self.x.dtype}, K = {self.classes}" if self.classes else f"{self.x.dtype}"

    def rows(self, index) -> Batch:
        labels = {draw: y[index] for draw, y in self.labels.items()}
        return self._replace(x=self.x[index], labels=labels)


class Found(NamedTuple):
    """An input and what came."""

    error: float
    x: np.ndarray
    y: np.ndarray | None
    got: np.ndarray


class Settled(NamedTuple):
    """The worst value of a found input, against more digits than bulk truth has."""

    error: float
    index: tuple[int, ...]
    got: float
    want: float


class Key(NamedTuple):
    """What a tally is of. Each number of classes has its own, so that a climb starts from each."""

    output: str
    label: str
    dtype: str
    who: str  # an ISA or another library
    classes: int


class Tally:
    """Counts, and the worst inputs."""

    def __init__(self, kept: int):
        self.count, self.sum, self.worst = 0, 0.0, []
        self._kept = kept

    @property
    def floor(self) -> float:
        """What an error must exceed to be kept."""
        return self.worst[-1].error if len(self.worst) == self._kept else -1.0

    def add(self, count: int, total: float, found: list[Found]) -> None:
        self.count += count
        self.sum += total
        self.keep(found)

    def keep(self, found: list[Found]) -> None:
        """Inputs that are not counted: the worst of them and of those known."""
        self.worst = sorted(self.worst + found, key=lambda v: -v.error)[: self._kept]


def _found(batch: Batch, output: Output, got, errors: np.ndarray, floor: float) -> list[Found]:
    """The worst inputs above an error, `errors` being the largest of each row.

    A batch of one row is not copied: the row may have a million classes, and many who keep it.
    """
    own = np.asarray if len(batch.x) == 1 else np.array
    y = batch.labels.get(output.labels)
    above = np.flatnonzero(errors > floor)
    return [
        Found(float(errors[i]), own(batch.x[i]), None if y is None else own(y[i]), np.array(got[i]))
        for i in above[np.argsort(-errors[above], kind="stable")[:KEPT]]
    ]


class Tallies:
    """Tallies by key, filled batch by batch."""

    def __init__(self, threads: int):
        self.by_key: dict[Key, Tally] = {}
        self.compared: dict[str, int] = {}  # values of which two SIMD ISAs gave the bits
        self.differing: dict[str, int] = {}
        self._pool = ThreadPoolExecutor(threads)

    def of(self, batch: Batch, output: Output, who: str) -> Tally:
        label = batch.label if output.labels else ""
        key = Key(output.name, label, batch.x.dtype.str[1:], who, batch.classes)
        return self.by_key.setdefault(key, Tally(KEPT if batch.classes <= LONGEST else 1))

    def add(self, batch: Batch, results: dict[str, dict[str, np.ndarray]]) -> None:
        """`results` is {output: {library: result}}. Equal bits are judged once."""
        distinct = {name: list(_distinct(whose)) for name, whose in results.items()}
        step = max(1, BLOCK * len(batch.x) // batch.x.size)
        parts = [slice(i, i + step) for i in range(0, len(batch.x), step)]
        judged = self._pool.map(lambda part: _judge(batch.rows(part), distinct, part), parts)
        for part, errors in zip(parts, judged):
            for output in batch.outputs:
                results_and_errors = zip(distinct[output.name], errors[output.name])
                for (owners, got), (error, total) in results_and_errors:
                    tallies = [self.of(batch, output, who) for who in owners]
                    floor = min(tally.floor for tally in tallies)
                    found = _found(batch.rows(part), output, got[part], error, floor)
                    for tally in tallies:
                        tally.add(got[part].size, total, found)

    def compare_bits(self, results: dict[str, dict[str, np.ndarray]], isas: list[str]) -> None:
        """Count the values in which the first of these ISAs and each other differ."""
        for whose in results.values():
            first, *others = [bits(whose[isa]) for isa in isas]
            for isa, other in zip(isas[1:], others):
                pair = f"{isas[0]}, {isa}"
                self.compared[pair] = self.compared.get(pair, 0) + first.size
                differing = np.count_nonzero(first != other)
                self.differing[pair] = self.differing.get(pair, 0) + int(differing)


def _distinct(whose: dict[str, np.ndarray]) -> Iterator[tuple[list[str], np.ndarray]]:
    """(libraries that gave these bits, result) for each different result."""
    rest = dict(whose)
    while rest:
        got = next(iter(rest.values()))
        owners = [who for who, other in rest.items() if np.array_equal(bits(got), bits(other))]
        yield owners, got
        rest = {who: other for who, other in rest.items() if who not in owners}


def _exact(batch: Batch) -> bulk.Rows | bulk.Elements:
    return (bulk.Rows if batch.x.ndim == 2 else bulk.Elements)(batch.x)


def _judge(batch: Batch, distinct: dict, part: slice) -> dict[str, list[tuple[np.ndarray, float]]]:
    exact = _exact(batch)
    errors = {}
    for output in batch.outputs:
        want = output.truth(exact, batch.labels.get(output.labels))
        errors[output.name] = [bulk.errors(got[part], want) for _, got in distinct[output.name]]
    return errors


def worst(batch: Batch, output: Output, got: np.ndarray) -> list[Found]:
    """The worst inputs of a batch for one output."""
    want = output.truth(_exact(batch), batch.labels.get(output.labels))
    errors, _ = bulk.errors(got, want)
    return _found(batch, output, got, errors, -1.0)


def settle(output: Output, found: Found) -> Settled:
    """Which value of the input is worst, and by how much."""
    x = found.x[None]
    y = None if found.y is None else found.y[None]
    if output in ELEMENTS:
        exact = truth.Elements(x, truth.MULTI) if np.isfinite(x) else bulk.Elements(x)
    else:
        exact = truth.Rows(x, truth.MULTI if x.size <= LONGEST else None)
    want = output.truth(exact, y)
    got = found.got[None]
    error = ulp_error(got, want)
    at = np.unravel_index(error.argmax(), error.shape)
    index = tuple(int(i) for i in at[1:])
    return Settled(float(error[at]), index, float(got[at]), want.nearest(at))
