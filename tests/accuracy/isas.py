"""One process for each ISA, since an ISA is chosen at import, all over one shared memory.

A batch's inputs are written once; every process reads them, calls the public functions as a user
does, and writes its results beside them.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

import cecore
from tests.outputs import BY_NAME

_ALIGNMENT = 64


class _Place(NamedTuple):
    """An array within the shared memory."""

    offset: int
    shape: tuple[int, ...]
    dtype: str

    def of(self, memory: mmap.mmap) -> np.ndarray:
        count = int(np.prod(self.shape))
        return np.frombuffer(memory, self.dtype, count, self.offset).reshape(self.shape)


class _Arena:
    """Shared memory without a name: pages that nobody has written take no room."""

    def __init__(self, size: int):
        self._descriptor = os.memfd_create("cecore-accuracy")
        os.ftruncate(self._descriptor, size)
        self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"
        self.memory = mmap.mmap(self._descriptor, size)
        self._used = 0

    def clear(self) -> None:
        self._used = 0

    def place(self, shape: tuple[int, ...], dtype: np.dtype) -> _Place:
        place = _Place(self._used, shape, dtype.str)
        self._used += -(-int(np.prod(shape)) * dtype.itemsize // _ALIGNMENT) * _ALIGNMENT
        if self._used > len(self.memory):
            raise ValueError(f"a batch needs more than the {len(self.memory)} bytes of the arena")
        return place

    def put(self, array: np.ndarray) -> _Place:
        place = self.place(array.shape, array.dtype)
        place.of(self.memory)[...] = array
        return place


def _serve(connection, path: str, size: int) -> None:
    """Runs in the child: name the ISA, then compute what is asked for until None comes."""
    with open(path, "r+b") as file:
        memory = mmap.mmap(file.fileno(), size)
    connection.send(cecore.isa())
    while (task := connection.recv()) is not None:
        for name, x, y, out in task:
            labels = None if y is None else y.of(memory)
            out.of(memory)[...] = BY_NAME[name].call(x.of(memory), labels)
        connection.send(True)


@contextmanager
def _environment(**settings: str):
    """Of the processes started within: threads of one do not spin while another computes."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Isas:
    """`compute` on each of these ISAs; a context manager."""

    def __init__(self, names: list[str], size: int = 1 << 32):
        self.names = names
        self._arena = _Arena(size)
        self._started = {name: self._start(name, size) for name in names}

    def _start(self, name: str, size: int):
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        with _environment(CECORE_ISA=name, OMP_WAIT_POLICY="passive"):
            process = context.Process(target=_serve, args=(theirs, self._arena.path, size))
            process.start()
        theirs.close()
        running = ours.recv()
        if running != name:
            raise RuntimeError(f"asked for {name}, got {running}")
        return process, ours

    def compute(self, x, labels: dict, outputs, names=None) -> dict[str, dict[str, np.ndarray]]:
        """{output: {ISA: result}}; the results are overwritten by the next call."""
        arena = self._arena
        arena.clear()
        at = arena.put(x)
        given = {draw: arena.put(y) for draw, y in labels.items()}
        results: dict = {output.name: {} for output in outputs}
        for isa in names or self.names:
            task = []
            for output in outputs:
                shape = x.shape[:1] if output.one_a_row else x.shape
                out = arena.place(shape, x.dtype)
                task.append((output.name, at, given.get(output.labels), out))
                results[output.name][isa] = out.of(arena.memory)
            _, connection = self._started[isa]
            connection.send(task)
            connection.recv()
        return results

    def __enter__(self) -> Isas:
        return self

    def __exit__(self, *exception) -> None:
        for process, connection in self._started.values():
            connection.send(None)
            process.join()
