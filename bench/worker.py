"""A process that measures cases: a request on stdin, a line of JSON a result on stdout.

One process has one number of threads, and the CPUs for as many, since not every library can be told
while it runs; the process that starts it sees to that, and goes on after a library that crashes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from math import nan
from typing import Any

import numpy as np

import cecore as ce
from cecore._bench import machine, peers, probe, shapes
from cecore._bench.cases import WHOLE, Case, from_json
from cecore._bench.results import PROBE, SERIAL, Result, result_to_json
from cecore._bench.timing import after_pause, interleave

_PAUSE_ROUNDS = 15  # times those of other cases: a sample is one call, which varies


def _in_turn(calls: Sequence[Callable[[], object]]) -> Callable[[], object]:
    """One call after the other."""
    if len(calls) == 1:
        return calls[0]
    turns = cycle(calls)
    return lambda: next(turns)()


def _touch(all_calls: Sequence[Mapping[str, Callable[[], object]]]) -> None:
    """Call everyone once on every copy: else the first samples would touch the pages of results."""
    for calls in all_calls:
        for call in calls.values():
            call()


def _limited(call: Callable[[], object], threads: int) -> Callable[[], object]:
    """The call with so many threads: both contenders take this way."""

    def limited() -> object:
        with ce.num_threads(threads):
            return call()

    return limited


def measure(
    case: Case,
    arrays: tuple[np.ndarray, np.ndarray],
    rounds: int,
    budget: float,
    libraries: Sequence[str],
) -> Result:
    problem = peers.Problem(case.operation, *arrays, case.threads)
    libraries = libraries if case.beside_peers else libraries[:1]
    problems = [problem]
    if case.state == "hot":
        problems = probe.copies(problem, machine.last_level_cache())
    with ce.num_threads(case.threads):
        found = [peers.contenders(p, libraries) for p in problems]
        if peers.OURS not in found[0]:
            return Result(case, {}, failed=f"cecore does not take {case.dtype}")
        wrong = tuple(peers.disagreeing(found[0], problem.logits.dtype))
        found = [{k: call for k, call in calls.items() if k not in wrong} for calls in found]
        if case.state == "after a pause":
            ours = found[0][peers.OURS]
            pair = {peers.OURS: _limited(ours, case.threads), SERIAL: _limited(ours, 1)}
            return Result(case, after_pause(pair, rounds * _PAUSE_ROUNDS))
        if case.state == "call":
            return Result(case, interleave(found[0], rounds, budget), wrong=wrong)
        all_calls = [{PROBE: probe.probe(p), **calls} for p, calls in zip(problems, found)]
        _touch(all_calls)
        turns = {name: _in_turn([calls[name] for calls in all_calls]) for name in all_calls[0]}
        times = interleave(turns, rounds, budget)
        plain = problem.plain and case.dtype in WHOLE
        return Result(case, times, probe.resident(case) if plain else nan, wrong=wrong)


class Arrays:
    """The arrays of one case at a time: neighbours share them."""

    def __init__(self) -> None:
        self._inputs: tuple[object, ...] = ()
        self._arrays: tuple[np.ndarray, ...] = ()

    def of(self, case: Case) -> tuple[np.ndarray, ...]:
        if case.inputs != self._inputs:
            self._inputs, self._arrays = (), ()  # the old ones go first
            self._arrays = shapes.logits_and_labels(*case.inputs)
            self._inputs = case.inputs
        return self._arrays


def attempt(case: Case, arrays: Arrays, *settings: Any) -> Result:
    """A case that fails is reported as such; the others are measured all the same."""
    try:
        return measure(case, arrays.of(case), *settings)
    except Exception as error:
        return Result(case, {}, failed=f"{type(error).__name__}: {error}".splitlines()[0])


def main() -> None:
    request = json.load(sys.stdin)
    settings = request["rounds"], request["budget"], request["libraries"]
    arrays = Arrays()
    for case in map(from_json, request["cases"]):
        print(json.dumps(result_to_json(attempt(case, arrays, *settings))), flush=True)


if __name__ == "__main__":
    main()
