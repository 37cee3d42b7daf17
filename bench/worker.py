"""A process that measures cases: a request on stdin, a line of JSON a result on stdout.

One process has one number of threads, and the CPUs for as many, since not every library can be told
while it runs; the process that starts it sees to that, and goes on after a library that crashes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import cecore as ce
from cecore._bench import peers, probe, shapes
from cecore._bench.cases import WHOLE, Case, from_json
from cecore._bench.results import PROBE, SERIAL, Result, result_to_json
from cecore._bench.timing import after_pause, interleave

_PAUSE_ROUNDS = 5  # times those of other cases: a sample is one call


def _serial(call: Callable[[], object], threads: int) -> Callable[[], object]:
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
    with ce.num_threads(case.threads):
        calls = dict(peers.contenders(problem, libraries if case.beside_peers else libraries[:1]))
        if peers.OURS not in calls:
            return Result(case, {}, failed=f"cecore does not take {case.dtype}")
        peers.check_answers(calls, problem.logits.dtype)
        if case.state == "after a pause":
            ours = calls[peers.OURS]
            pair = {peers.OURS: _serial(ours, case.threads), SERIAL: _serial(ours, 1)}
            return Result(case, after_pause(pair, rounds * _PAUSE_ROUNDS))
        if case.state == "call":
            return Result(case, interleave(calls, rounds, budget))
        times = interleave({PROBE: probe.probe(problem), **calls}, rounds, budget)
        plain = problem.plain and case.dtype in WHOLE
        return Result(case, times, probe.resident(case) if plain else float("nan"))


def _attempt(case: Case, *arguments: Any) -> Result:
    """A case that fails is reported as such; the others are measured all the same."""
    try:
        return measure(case, *arguments)
    except Exception as error:
        return Result(case, {}, failed=f"{type(error).__name__}: {error}".splitlines()[0])


def main() -> None:
    request = json.load(sys.stdin)
    settings = request["rounds"], request["budget"], request["libraries"]
    inputs, arrays = None, None
    for case in map(from_json, request["cases"]):
        if case.inputs != inputs:
            arrays = None  # the old ones go first
            inputs, arrays = case.inputs, shapes.logits_and_labels(*case.inputs)
        print(json.dumps(result_to_json(_attempt(case, arrays, *settings))), flush=True)


if __name__ == "__main__":
    main()
