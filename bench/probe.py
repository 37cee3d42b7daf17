"""The two bounds of a call's time: its memory traffic alone, and its arithmetic in the cache.

The probe reads exactly the bytes that the call reads, labels included, and writes exactly those
that it writes, with non-temporal stores, in its chunks and threads: src/probe.c. What depends on
the sum of a row that is longer than the last-level cache must be read twice. Calls that follow one
another take turns on copies of the arrays, for the probe as for everyone, so that a shape that
would fit into that cache is read from memory too.

`resident` is the time an element of the same call takes on one thread when all arrays lie in the
second-level cache: a short batch taken off a longer one, so that the way there does not count; the
fastest sample of each, since a difference of two times has the noise of both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

import cecore as ce
from cecore import _core
from cecore._bench.cases import ELEMENT_OPERATIONS, Case
from cecore._bench.machine import last_level_cache
from cecore._bench.peers import OURS, Problem
from cecore._bench.peers.cecore_ import calls as our_calls
from cecore._bench.peers.cecore_ import value_dtype
from cecore._bench.shapes import Shape, logits_and_labels
from cecore._bench.timing import interleave

# What an operation reads beside the logits, and what it writes: one value a row, or arrays.
READS_LABELS = ("loss", "loss + gradient", "sigmoid loss + gradient", "gradient + Hessian")
ROW_VALUES = ("logsumexp", "loss")
TWO_ARRAYS = ("gradient + Hessian",)
NEEDS_THE_SUM = ("softmax", "log_softmax", "loss + gradient")

SMALL_SHARE, CACHES = 1 / 16, 3  # of the last-level cache

RESIDENT_BYTES = 512 << 10
RESIDENT_CLASS_BYTES = 64 << 10


def _bytes(array: np.ndarray) -> np.ndarray:
    """The bytes of an array without gaps, as they lie in memory."""
    return array.ravel(order="K").view(np.uint8)


def traffic(problem: Problem) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The arrays of bytes that a call reads, and others to write in place of its results."""
    x = problem.logits
    reads = [x, problem.labels] if problem.operation in READS_LABELS else [x]
    if problem.operation in ROW_VALUES:
        sizes = [x.size // x.shape[1] * value_dtype(x.dtype).itemsize]
    else:
        sizes = [x.nbytes] * (2 if problem.operation in TWO_ARRAYS else 1)
    return [_bytes(a) for a in reads], [np.zeros(size, np.uint8) for size in sizes]


def copies(problem: Problem, cache: int) -> list[Problem]:
    """The problem on as many arrays as it takes for a call to find none of its own in the cache.

    Arrays that are small beside the cache are meant to stay there.
    """
    reads, writes = traffic(problem)
    size = sum(a.size for a in (*reads, *writes))
    count = 1 if size < SMALL_SHARE * cache else math.ceil(CACHES * cache / size)
    x, y = problem.logits, problem.labels
    others = (problem._replace(logits=x.copy("K"), labels=y.copy("K")) for _ in range(count - 1))
    return [problem, *others]


def reads_twice(problem: Problem, cache: int) -> bool:
    x = problem.logits
    return problem.operation in NEEDS_THE_SUM and x.shape[1] * x.itemsize > cache


def probe(problem: Problem, cache: int | None = None) -> Callable[[], object]:
    x, threads = problem.logits, problem.threads
    classes = x.shape[1] if x.ndim > 1 else 1
    reads, writes = traffic(problem)
    whole = partial(_core.probe, reads, writes, x.size // classes, classes, threads)
    if not reads_twice(problem, last_level_cache() if cache is None else cache):
        return whole
    first = partial(_core.probe, reads[:1], [], x.size // classes, classes, threads)

    def twice() -> None:
        first()
        whole()

    return twice


def resident(case: Case, rounds: int = 7) -> float:
    """Nanoseconds an element of our call with `out=`, in C order on one thread."""
    itemsize = np.dtype("f8" if case.dtype == "float64" else "f4").itemsize
    classes = min(case.shape.classes, RESIDENT_CLASS_BYTES // itemsize)
    arrays = 3 if case.operation in ELEMENT_OPERATIONS else 2
    most = max(4, RESIDENT_BYTES // (arrays * classes * itemsize))
    batches = [Shape("resident", rows, classes) for rows in (most // 4, most)]
    contenders = {}
    for shape in batches:
        logits, labels = logits_and_labels(shape, case.dtype, labels=case.labels)
        problem = Problem(case.operation, logits, labels, threads=1)
        contenders[str(shape.rows)] = our_calls(problem)[OURS]
    with ce.num_threads(1):
        short, long = (times.minimum for times in interleave(contenders, rounds).values())
    return (long - short) * 1e6 / (batches[1].elements - batches[0].elements)
