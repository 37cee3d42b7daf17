"""Interleaved timing: every contender is timed once a round, so drift and noise meet all alike.

A sample is one call, or the mean of a series of short ones, timed hot: right before it the
contender runs untimed for WARM_SECONDS, which wakes its own threads. Before that those of the
contender before it are given time to go to sleep: threads of a pool that spin take a core from
the next one, for up to 0.2 s after a call. Only calls of more than LONG_SECONDS are not run twice.
`after_pause` times single calls that follow a sleep instead.

pyperf, the well-kept library for this, times one function a process and warms it up there; that
contenders alternate in one process, which is what makes their ratio hold on a shared machine, is
what it does not do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import repeat
from statistics import median
from typing import NamedTuple

WARM_SECONDS = 0.01
SLICE_SECONDS, SLICES = 0.005, 80  # of waiting until no thread runs
IDLE_SHARE = 0.1
SERIES_SECONDS = 0.0005
LONG_SECONDS = 0.04
PAUSE_SECONDS = 0.02
LEAST = 3  # samples of a contender, however slow

Call = Callable[[], object]


class Times(NamedTuple):
    """Milliseconds a call."""

    median: float
    minimum: float
    maximum: float


def _seconds(call: Call, calls: int = 1) -> float:
    start = time.perf_counter()
    for _ in repeat(None, calls):
        call()
    return (time.perf_counter() - start) / calls


def _settle() -> None:
    """Return when the threads of this process are idle, or after a time."""
    for _ in range(SLICES):
        start = time.process_time()
        time.sleep(SLICE_SECONDS)
        if time.process_time() - start < IDLE_SHARE * SLICE_SECONDS:
            return


def _warm(call: Call) -> float:
    """Run for WARM_SECONDS, and once at least; return the seconds of a call."""
    start = time.perf_counter()
    calls = 0
    while not calls or time.perf_counter() < start + WARM_SECONDS:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls


def _hot_sample(call: Call, last: float) -> float:
    """`last` is the sample before this one, 0 for the first."""
    _settle()
    if last > LONG_SECONDS:
        return _seconds(call)
    return _seconds(call, max(1, int(SERIES_SECONDS / _warm(call))))


def _paused_sample(call: Call, _: float) -> float:
    time.sleep(PAUSE_SECONDS)
    return _seconds(call)


def _interleave(
    contenders: Mapping[str, Call],
    rounds: int,
    budget: float,
    sample: Callable[[Call, float], float],
) -> dict[str, Times]:
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    spent = dict.fromkeys(contenders, 0.0)
    for _ in range(rounds):
        for name, call in contenders.items():
            taken = samples[name]
            if len(taken) >= LEAST and spent[name] > budget:
                continue
            start = time.perf_counter()
            taken.append(sample(call, taken[-1] if taken else 0.0))
            spent[name] += time.perf_counter() - start
    return {
        name: Times(*(1e3 * s for s in (median(taken), min(taken), max(taken))))
        for name, taken in samples.items()
    }


def interleave(
    contenders: Mapping[str, Call], rounds: int, budget: float = float("inf")
) -> dict[str, Times]:
    """Time hot calls; who has spent `budget` seconds and has LEAST samples takes no more."""
    return _interleave(contenders, rounds, budget, _hot_sample)


def after_pause(contenders: Mapping[str, Call], rounds: int) -> dict[str, Times]:
    """Time calls that come PAUSE_SECONDS after the last one."""
    return _interleave(contenders, rounds, float("inf"), _paused_sample)
