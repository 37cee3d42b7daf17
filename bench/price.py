"""The price of exactness: cecore beside a careless kernel on the same arrays, interleaved.

    python bench/price.py                  about half a minute; needs gcc and a CPU with AVX-512
    python bench/price.py --markdown       and write the table into README.md

careless.c is the control: what any exp and sum costs when nobody counts the last digits. "L2" is
an array that stays in the second-level cache, on one thread; "DRAM" one far beyond all caches.
The time of a call on a single row of 64 classes is taken off: it is the way there, not the work.
"""

from __future__ import annotations

import argparse
import ctypes
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

import cecore as ce
from cecore._bench import machine
from cecore._bench.readme import markdown_table, rewrite_block
from cecore._bench.report import plural
from cecore._bench.targets import TARGETS

HERE = Path(__file__).resolve().parent
CLASSES = 1024
SETTINGS = {"L2": (64, 1), "DRAM": (20_000, 2)}  # rows, threads
OURS, CARELESS = "cecore", "careless"


def careless() -> ctypes.CDLL:
    """The control, compiled for this run."""
    with tempfile.TemporaryDirectory() as folder:
        library = str(Path(folder) / "careless.so")
        flags = ["-O3", "-mavx512f", "-fopenmp", "-shared", "-fPIC"]
        subprocess.run(["gcc", *flags, "-o", library, str(HERE / "careless.c"), "-lm"], check=True)
        return ctypes.CDLL(library)


def contenders(
    control: ctypes.CDLL, operation: str, logits: np.ndarray, threads: int
) -> dict[str, Callable[[], object]]:
    shape = logits.shape[:1] if operation == "logsumexp" else logits.shape
    results = {name: np.empty(shape, np.float32) for name in (OURS, CARELESS)}
    ours, theirs = getattr(ce, operation), getattr(control, f"careless_{operation}")
    sizes = [ctypes.c_ssize_t(n) for n in logits.shape]
    x, out = (ctypes.c_void_p(a.ctypes.data) for a in (logits, results[CARELESS]))
    calls = {
        OURS: lambda: ours(logits, out=results[OURS]),
        CARELESS: lambda: theirs(x, *sizes, out, threads),
    }
    for call in calls.values():
        call()
    np.testing.assert_allclose(*results.values(), rtol=1e-4, atol=1e-30)
    return calls


def _sample(call: Callable[[], object]) -> float:
    """Seconds of the best of a burst of calls: about a millisecond, or three of the longer ones."""
    best, calls, begin = float("inf"), 0, perf_counter()
    while calls < 3 or perf_counter() - begin < 1e-3:
        start = perf_counter()
        call()
        best, calls = min(best, perf_counter() - start), calls + 1
    return best


def seconds(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            samples[name].append(_sample(call))
    return {name: median(s) for name, s in samples.items()}


def measure(rounds: int) -> Iterator[tuple[str, str, str, str, str]]:
    """Rows of the table: the call, speed of both, the price, the target."""
    control = careless()
    tiny = np.zeros((1, 64), np.float32)
    for target in TARGETS["price"]:
        rows, threads = SETTINGS[target["where"]]
        logits = 3 * np.random.default_rng(0).standard_normal((rows, CLASSES), dtype=np.float32)
        logits[:, ::7] = -np.inf  # masked classes, which no kernel may get wrong
        with ce.num_threads(threads):
            times, way = (
                seconds(contenders(control, target["operation"], x, threads), rounds)
                for x in (logits, tiny)
            )
        speed = {name: logits.size / (times[name] - way[name]) * 1e-9 for name in times}
        price = speed[CARELESS] / speed[OURS]
        yield (
            f"{target['operation']}, {target['where']}, {rows} x {CLASSES}, {plural(threads)}",
            f"{speed[OURS]:.2f}",
            f"{speed[CARELESS]:.2f}",
            f"{price:.2f}x",
            f"{target['at_most']}x {'PASS' if price <= target['at_most'] else 'MISSED'}",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=101, help="samples a contender")
    parser.add_argument("--markdown", action="store_true", help="rewrite the block in README.md")
    options = parser.parse_args()
    if ce.isa() != "avx512":
        raise SystemExit(f"The control needs AVX-512; cecore runs {ce.isa()} here.")
    header = ["float32, elements per ns", OURS, CARELESS, "price", "at most"]
    table = markdown_table(header, list(measure(options.rounds)))
    print(*(f"{key}: {value}" for key, value in machine.describe().items()), table, sep="\n")
    if options.markdown:
        rewrite_block("price", shlex.join(["python", "bench/price.py", *sys.argv[1:]]), table)


if __name__ == "__main__":
    main()
