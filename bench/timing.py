"""Interleaved timing: every contender is timed once a round, so drift and noise meet all alike.

A sample is one call, timed hot: right before it the contender runs untimed for WARM_SECONDS.
That wakes its own threads and lets those of the contender before it go to sleep; without it an
OpenMP runtime that still spins takes a core from the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple

WARM_SECONDS = 0.01


class Times(NamedTuple):
    """Milliseconds."""

    median: float
    minimum: float
    maximum: float


def _sample(call: Callable[[], object]) -> float:
    warm_until = time.perf_counter() + WARM_SECONDS
    call()
    while time.perf_counter() < warm_until:
        call()
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def interleave(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            samples[name].append(_sample(call))
    return {name: Times(median(ms), min(ms), max(ms)) for name, ms in samples.items()}
