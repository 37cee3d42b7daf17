"""Calls after a pause and in a series: the time of all threads over that of one, op by op.

    python bench/pause.py                 pauses of 20 ms, 100 of each
    python bench/pause.py --pause 5

A call after a pause must never take longer than 1.1 times what one thread takes; what threads are
worth in a series stands beside it. Calls with one thread and with all of them alternate, and the
medians are compared. The sizes lie around those from which threads are used (src/parallel.c).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np

import cecore as ce
from cecore._bench import machine

LIMIT = 1.1
SHAPES = [(1_000, 100), (5_000, 10), (300, 1_000), (20_000, 10), (100_000, 10), (10_000, 1_000)]


def operations(n: int, k: int) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, k), dtype=np.float32)
    y, values, first, second = (
        rng.integers(k, size=n),
        np.empty(n, "f4"),
        *np.empty((2, n, k), "f4"),
    )
    loss = ce.SoftmaxCrossEntropy()
    return {
        "logsumexp": lambda: ce.logsumexp(x, out=values),
        "softmax": lambda: ce.softmax(x, out=first),
        "sigmoid": lambda: ce.sigmoid(x, out=first),
        "loss_gradient": lambda: loss.loss_gradient(x, y, out=(values, first)),
        "gradient_hessian": lambda: loss.gradient_hessian(x, y, out=(first, second)),
    }


def seconds(call: Callable[[], object], threads: int, pause: float) -> float:
    """The time of a call so long after the last one, which used as many threads."""
    with ce.num_threads(threads):
        call()
        if pause:
            time.sleep(pause)
        begin = time.perf_counter()
        call()
        return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pause", type=float, default=20, help="milliseconds")
    parser.add_argument("--repeats", type=int, default=100)
    options = parser.parse_args()
    threads = ce.get_num_threads()
    for key, value in machine.describe().items():
        print(f"{key}: {value}")
    print(f"{threads} threads over one, medians of {options.repeats} calls")
    worst = 0.0
    for n, k in SHAPES:
        for name, call in operations(n, k).items():
            ratios = []
            for pause in (options.pause / 1000, 0):
                pairs = [
                    (seconds(call, 1, pause), seconds(call, threads, pause))
                    for _ in range(options.repeats)
                ]
                one, all_threads = (median(times) for times in zip(*pairs))
                ratios.append(f"{one * 1e3:8.3f} ms, {all_threads / one:5.2f}x")
                worst = max(worst, all_threads / one if pause else 0)
            print(f"{n:>7} x {k:<5} {name:<17} after a pause {ratios[0]}   in a series {ratios[1]}")
    print(f"after a pause at most {worst:.2f}x: {'PASS' if worst <= LIMIT else 'MISSED'}")


if __name__ == "__main__":
    main()
