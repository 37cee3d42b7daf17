"""A search uphill: from the worst inputs found, to neighbours with a larger error.

A neighbour moves some logits by a few ULPs, or by a random factor, or all of a row by one offset,
and soft labels with them. Each step takes the worst of a population if that is no better than the
input it came from, so an error never falls.
"""

from __future__ import annotations

import numpy as np

from tests import cases
from tests.accuracy.isas import Isas
from tests.accuracy.tally import LONGEST, Batch, Found, Tallies, worst
from tests.outputs import BY_NAME, Output

STEPS = 40
STARTS = 2
POPULATION = 256
LARGEST = 1 << 16  # values of a population: that of a long row is smaller
# Soft labels move too, within these; hard labels stay.
_LABEL_RANGE = {cases.soft_labels: (0, np.inf), cases.soft_labels_01: (0, 1)}


def _neighbours(rng: np.random.Generator, x: np.ndarray, count: int) -> np.ndarray:
    shape, column = (count, *x.shape), (count,) + (1,) * x.ndim
    some = rng.random(shape) < rng.uniform(0.05, 1, column)
    ulps = np.spacing(np.abs(x)) * rng.integers(-4, 5, shape)
    factor = rng.normal(size=shape) * 10.0 ** rng.uniform(-7, -1, column)
    offset = rng.normal(size=column) * 10.0 ** rng.uniform(-4, 1, column)
    kind = rng.integers(5, size=column)
    with np.errstate(over="ignore", invalid="ignore"):
        step = np.where(kind < 3, ulps * some, np.where(kind == 3, x * factor * some, offset))
        moved = (x + step).astype(x.dtype)
    return np.where(np.isfinite(moved), moved, x)


def _population(rng: np.random.Generator, start: Found, output: Output, batch: Batch) -> Batch:
    count = max(1, min(POPULATION, LARGEST // start.x.size))
    x = _neighbours(rng, start.x, count)
    if output.labels is None:
        return batch._replace(x=x)
    y = np.stack([start.y] * count)
    if output.labels in _LABEL_RANGE and rng.random() < 0.5:
        y = np.clip(_neighbours(rng, start.y, count), *_LABEL_RANGE[output.labels])
    return batch._replace(x=x, labels={output.labels: y})


def _starts(found: list[Found]) -> list[Found]:
    """The worst that differ in more than their labels, and are neither infinite nor too long."""
    fit = [v for v in found if np.isfinite(v.x).all() and v.x.size <= LONGEST]
    return list({v.x.tobytes(): v for v in reversed(fit)}.values())[::-1][:STARTS]


def _summit(isas: Isas, batch: Batch, who: str, top: Found, steps: int, seed: int) -> Found:
    (output,) = batch.outputs
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        near = _population(rng, top, output, batch)
        got = isas.compute(near.x, near.labels, (output,), [who])[output.name][who]
        best = worst(near, output, got)[0]
        top = best if best.error >= top.error else top
    return top


def climb(isas: Isas, tallies: Tallies, steps: int) -> None:
    """From the worst samples of every tally; where a climb ends is tried on every ISA."""
    climbed = set()
    for key, tally in list(tallies.by_key.items()):
        if key.who not in isas.names:
            continue
        output = BY_NAME[key.output]
        for seed, start in enumerate(_starts(tally.worst)):
            known = (key.output, start.x.tobytes(), start.got.tobytes())
            if known in climbed:
                continue
            climbed.add(known)
            batch = Batch(start.x[None], {}, (output,), key.label)
            top = _summit(isas, batch, key.who, start, steps, seed)
            labels = {} if top.y is None else {output.labels: top.y[None]}
            batch = batch._replace(x=top.x[None], labels=labels)
            for who, got in isas.compute(batch.x, labels, (output,))[output.name].items():
                tallies.of(batch, output, who).keep(worst(batch, output, got))
