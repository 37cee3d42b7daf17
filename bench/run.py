"""`cecore bench`: cecore, its peers and the memory's own speed, interleaved; about 25 minutes.

    cecore bench --quick                   a first look, under two minutes
    cecore bench --operation softmax --shape "1M x 3" --peers torch
    cecore bench --continue                what an interrupted run left to do
    cecore bench --check                   the targets, as medians of 5 processes
    cecore bench --report --docs           the stored figures again; into a clone's docs/

Peers are measured where they are installed: pip install 'cecore[bench]'. Every result is stored as
soon as it is there, in the folder of --into.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cecore as ce
from cecore._bench import cases, machine, report, shapes
from cecore._bench.cases import Case
from cecore._bench.peers import PEERS
from cecore._bench.results import Measured, Result, Store, load, result_from_json, result_to_json
from cecore._bench.targets import named, reached, verdicts

# Rounds, and the seconds after which a contender takes no more samples.
_EFFORT = {"full": (7, 0.3), "check": (5, 0.2), "quick": (3, 0.2)}
_CHECK_PROCESSES = 5

_CHOICES = {
    "operation": cases.OPERATIONS,
    "shape": tuple(shapes.BY_NAME),
    "dtype": cases.DTYPES,
    "order": shapes.ORDERS,
    "labels": ("sparse", "dense"),
    "state": cases.STATES,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `cecore bench`."""
    parser.description = __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="a few cases, a few samples")
    parser.add_argument("--check", action="store_true", help="what the targets name")
    for option, choices in _CHOICES.items():
        parser.add_argument(
            f"--{option}", nargs="+", choices=choices, metavar=option.upper(),
            help="; ".join(choices),
        )  # fmt: skip
    parser.add_argument("--threads", nargs="+", type=int, help="default: 1, and all")
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, metavar="PEER",
        help=f"default: all that are installed of {', '.join(PEERS)}",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, help="samples a contender")
    parser.add_argument("--processes", type=int, help="figures are medians over them")
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER",
        help="default: build/bench; build/bench-check, build/bench-quick with these options",
    )  # fmt: skip
    parser.add_argument("--continue", dest="keep", action="store_true", help="a run cut short")
    parser.add_argument("--report", action="store_true", help="measure nothing: stored figures")
    parser.add_argument("--docs", action="store_true", help="write docs/ and README.md of a clone")
    parser.add_argument("--list", action="store_true", help="only name the cases")


def selected(options: argparse.Namespace) -> list[Case]:
    threads = options.threads or sorted({1, ce.get_num_threads()})
    chosen = cases.plan(threads)
    if options.quick:
        chosen = cases.quick(chosen)
    if options.check:
        chosen = named(chosen)
    return [case for case in chosen if all(_is_wanted(case, name, options) for name in _CHOICES)]


def _is_wanted(case: Case, name: str, options: argparse.Namespace) -> bool:
    values = getattr(options, name)
    value = case.shape.name if name == "shape" else getattr(case, name)
    return not values or value in values


def _effort(options: argparse.Namespace) -> tuple[int, float]:
    rounds, budget = _EFFORT["quick" if options.quick else "check" if options.check else "full"]
    return options.rounds or rounds, budget


@contextmanager
def _fewer_cpus(threads: int) -> Iterator[None]:
    """As many CPUs as there are to be threads, for the processes that are started meanwhile."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cpus)[-threads:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)


def _worker(request: dict[str, Any], threads: int, into: Path) -> Iterator[Result]:
    """The results of a process, as they come."""
    environment = {"NUMBA_CACHE_DIR": str(into / "numba"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with _fewer_cpus(threads):
        process = subprocess.Popen(
            [sys.executable, "-m", "cecore._bench.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **environment},
        )  # fmt: skip
    with process:
        try:
            process.stdin.write(json.dumps(request))
            process.stdin.close()
            for line in process.stdout:
                if line.startswith('{"case"'):
                    yield result_from_json(json.loads(line))
        finally:
            process.kill()


def _measured(
    wanted: Sequence[Case], settings: dict[str, Any], into: Path, worker: Callable[..., Any]
) -> Iterator[Result]:
    """A result for every case; where the process dies, for that case too, and another goes on."""
    left = list(wanted)
    while left:
        threads = left[0].threads
        group = [case for case in left if case.threads == threads]
        request = {**settings, "cases": [cases.to_json(case) for case in group]}
        done = 0
        for result in worker(request, threads, into):
            done += 1
            yield result
        if done < len(group):
            yield Result(group[done], {}, failed="the process died")
            done += 1
        left = [case for case in left if case not in group[:done]]


def measure(options: argparse.Namespace, about: dict[str, str]) -> list[list[Result]]:
    """The results of each process, with a line of progress a case."""
    wanted = selected(options)
    processes = options.processes or (_CHECK_PROCESSES if options.check else 1)
    rounds, budget = _effort(options)
    libraries = ["cecore", *(PEERS if options.peers is None else options.peers)]
    settings = {"rounds": rounds, "budget": budget, "libraries": libraries}
    begin = time.monotonic()
    found = []
    for path in () if options.keep else options.into.glob("run-*.jsonl"):
        path.unlink()
    for k in range(processes):
        store = Store(options.into / f"run-{k + 1}.jsonl", about, options.keep)
        known = {result.case for result in store.results}
        left = [case for case in wanted if case not in known]
        for i, result in enumerate(_measured(left, settings, options.into, _worker)):
            store.add(result)
            minutes, seconds = divmod(int(time.monotonic() - begin), 60)
            where = f"{minutes:2}:{seconds:02} process {k + 1}/{processes}"
            print(f"{where} {len(known) + i + 1}/{len(wanted)}  {result.case}: {result}",
                  flush=True)  # fmt: skip
        of_wanted = [result for result in store.results if result.case in wanted]
        found.append(sorted(of_wanted, key=lambda result: wanted.index(result.case)))
    return found


def _stored(into: Path) -> tuple[dict[str, str], list[list[Result]]]:
    paths = sorted(into.glob("run-*.jsonl"))
    if not paths:
        raise SystemExit(f"There are no figures in {into}: run `cecore bench` first.")
    loaded = [load(path) for path in paths]
    return loaded[0][0], [results for _, results in loaded]


def main(options: argparse.Namespace) -> None:
    if options.list:
        print(*selected(options), sep="\n")
        return
    kinds = ["bench", *(name for name in ("check", "quick") if getattr(options, name))]
    options.into = options.into or Path("build", "-".join(kinds))
    if options.report:
        about, runs = _stored(options.into)
    else:
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # huge pages for torch
        about = machine.describe()
        about["medians of"] = f"{_effort(options)[0]} rounds"
        about["load before"] = machine.load()
        about["command"] = f"cecore {shlex.join(sys.argv[1:])}"
        print(report.bullets(about), flush=True)
        try:
            runs = measure(options, about)
        except KeyboardInterrupt:
            raise SystemExit("\nStopped. The rest: the same command with --continue.") from None
        stored = [[result_to_json(result) for result in results] for results in runs]
        path = options.into / "results.json"
        path.write_text(json.dumps({"machine": about, "processes": stored}, indent=1) + "\n")
        print(f"written: {path}")
    found = Measured(runs)
    about |= report.roofline(found)
    if not options.check:
        print(*(line for case in found.cases for line in report.text_lines(found.result(case))),
              sep="\n")  # fmt: skip
    among = list(dict.fromkeys(result.case for results in runs for result in results))
    judged = list(verdicts(among, found))
    print("\nTargets", *report.verdict_lines(judged), reached(judged), sep="\n")
    if options.docs:
        from cecore._bench import page

        page.write(found, judged, about)
