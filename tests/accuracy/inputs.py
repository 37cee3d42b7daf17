"""The inputs that are measured: every float32, and samples drawn to hurt.

A batch is a function of its number alone, so a run is repeated by its command.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tests import cases
from tests.accuracy.tally import Batch
from tests.outputs import ELEMENTS, ROWS

QUICK = 251  # a prime: every 251st float32 has every exponent and all low bits
BATCH = 1 << 20  # values of a batch: what two processes write and read fits in the caches

# Rows of each number of classes: 10^8 in all, so that what has one value a row has 10^8 values.
# 16 is float32's number of lanes, 4096 and 2048 are the classes of a block.
ROWS_OF_CLASSES = {
    2: 40_000_000, 3: 30_000_000, 10: 13_000_000, 15: 6_000_000, 16: 6_000_000, 17: 6_000_000,
    100: 300_000, 1000: 20_000, 4097: 5000, 100_000: 200, 1_000_003: 20,
}  # fmt: skip
ELEMENT_SAMPLES = 100_000_000

_SOFT = tuple(output for output in ELEMENTS if output.labels is cases.soft_labels_01)
_HARD = tuple(output for output in ELEMENTS if output not in _SOFT)
_LABELLED = tuple(output for output in _HARD if output.labels)


def every_float32(stride: int) -> Iterator[Batch]:
    """All 2^32 bit patterns, or those that a stride visits: NaN and infinities among them."""
    for first in range(0, -(-(1 << 32) // stride), BATCH):
        patterns = np.arange(first, first + BATCH, dtype=np.uint64) * stride
        x = patterns[patterns < 1 << 32].astype(np.uint32).view(np.float32)
        for label, outputs in ((0, _HARD), (1, _LABELLED)):
            labels = {cases.hard_labels_01: np.full_like(x, label)}
            yield Batch(x, labels, outputs, f", y = {label}")


def element_samples(dtype: str, count: int) -> Iterator[Batch]:
    """Hard labels of float32 are left to every_float32."""
    outputs = _SOFT if dtype == "f4" else ELEMENTS
    for number in range(-(-count // BATCH)):
        rng = np.random.default_rng((1, number))
        x = cases.elements(rng, BATCH, dtype)
        draws = dict.fromkeys(output.labels for output in outputs if output.labels)
        yield Batch(x, {draw: draw(rng, x) for draw in draws}, outputs)


def row_samples(dtype: str, k: int, count: int) -> Iterator[Batch]:
    """`count` rows or a few more; where a row is long, families take turns from batch to batch."""
    families = len(cases.FAMILIES)
    together = min(families, max(1, BATCH // k))
    each = min(max(1, BATCH // (k * together)), -(-count // together))
    for number in range(-(-count // (each * together))):
        rng = np.random.default_rng((2, k, number))
        turn = [cases.FAMILIES[(number * together + i) % families] for i in range(together)]
        x = cases.rows(rng, each, k, dtype, turn)
        labels = {draw: draw(rng, x) for draw in (cases.labels, cases.soft_labels)}
        yield Batch(x, labels, ROWS)


def samples(thinning: int) -> Iterator[Batch]:
    """All samples, or 1 / `thinning` of them."""
    for dtype in ("f4", "f8"):
        yield from element_samples(dtype, ELEMENT_SAMPLES // thinning)
        for k, count in ROWS_OF_CLASSES.items():
            yield from row_samples(dtype, k, -(-count // thinning))


def ahead(source: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches; the next is drawn while one is measured."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, source, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, source, None)
            yield batch
