"""Processes that have run threaded calls: their children and their threads compute the same bits.

python -m tests.processes SCENARIO COUNT repeats a scenario and fails if a result has other bits
or a child does not end; without arguments it prints the names of the scenarios. `make soak` runs
each 100 times.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np

import cecore as ce
from cecore import _core

THREADS = 4
CROWD = 32  # Python threads at once
CHILD_SECONDS = 60  # a child takes a tenth of one


def inputs() -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of which each operation is long enough for threads, after a pause too."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(520, 1000)).astype(np.float32) * 5, rng.integers(0, 1000, 520)


def results(x: np.ndarray, y: np.ndarray, threads: int) -> bytes:
    """Rows shared out, elements, a reduction, and one row shared by its blocks, as bytes."""
    with ce.num_threads(threads):
        parts = (
            ce.softmax(x),
            ce.sigmoid(x),
            *ce.SoftmaxCrossEntropy().loss_gradient(x, y, reduction="mean"),
            ce.log_softmax(x.reshape(1, -1)),
        )
    return b"".join(np.asarray(part).tobytes() for part in parts)


def native_threads() -> int:
    """The threads that the kernel counts in this process, workers included."""
    return len(os.listdir("/proc/self/task"))


def run_threaded(x, y, expected: bytes) -> None:
    """Calls in a process that must have its workers afterwards, so that they can be lost."""
    assert results(x, y, THREADS) == expected
    if _core.threading() == "openmp":
        assert native_threads() >= THREADS, "no call has used threads"


def in_child(expected: bytes) -> None:
    """What every child does; SIGALRM ends one that hangs."""
    signal.alarm(CHILD_SECONDS)
    assert results(*inputs(), THREADS) == expected


def fork_once(expected: bytes) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            in_child(expected)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0, f"wait status {status} of a forked child"


def os_fork(count: int) -> None:
    x, y = inputs()
    expected = results(x, y, 1)
    for _ in range(count):
        run_threaded(x, y, expected)
        fork_once(expected)


@contextmanager
def computing(threads: int, x, y) -> Iterator[None]:
    """Other Python threads in the middle of threaded calls, all the time."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            results(x, y, THREADS)

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work) for _ in range(threads)]
        try:
            yield
        finally:
            stop.set()
        for future in futures:
            future.result()


def os_fork_while_busy(count: int) -> None:
    """Each fork by a thread that has had workers of its own, while others compute."""
    x, y = inputs()
    expected = results(x, y, 1)

    def run_and_fork() -> None:
        run_threaded(x, y, expected)
        fork_once(expected)

    for _ in range(count):
        with computing(2, x, y), ThreadPoolExecutor(1) as pool:
            pool.submit(run_and_fork).result()


def multiprocess(method: str, count: int) -> None:
    context = multiprocessing.get_context(method)
    x, y = inputs()
    expected = results(x, y, 1)
    for _ in range(count):
        run_threaded(x, y, expected)
        child = context.Process(target=in_child, args=(expected,))
        child.start()
        child.join()
        assert child.exitcode == 0, f"exit code {child.exitcode} of a {method} child"


def crowd(count: int) -> None:
    """CROWD Python threads at once, with limits of their own, who share the workers of one."""
    x, y = inputs()
    expected = results(x, y, 1)
    before = native_threads()
    limits = [1 + i % THREADS for i in range(CROWD)]
    together = threading.Barrier(CROWD)
    most = []

    def work(limit: int) -> None:
        with ce.num_threads(limit):
            for _ in range(count):
                together.wait()
                assert results(x, y, limit) == expected
                assert ce.get_num_threads() == limit
                most.append(native_threads())

    with ThreadPoolExecutor(CROWD) as pool:
        for future in [pool.submit(work, limit) for limit in limits]:
            future.result()
    print(f"native threads: {before} before, at most {max(most)}")
    assert max(most) <= before + CROWD + THREADS - 1


SCENARIOS: dict[str, Callable[[int], None]] = {
    "os.fork": os_fork,
    "os.fork-while-busy": os_fork_while_busy,
    "fork": partial(multiprocess, "fork"),
    "forkserver": partial(multiprocess, "forkserver"),
    "spawn": partial(multiprocess, "spawn"),
    "crowd": crowd,
}


if __name__ == "__main__":
    # Python 3.12 warns of every fork of a process with threads: that is what is tested here.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    if len(sys.argv) == 1:
        print(*SCENARIOS)
    else:
        SCENARIOS[sys.argv[1]](int(sys.argv[2]))
