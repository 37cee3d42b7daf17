"""What a run found: a line of JSON a case as it goes, so that a run can be continued."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from cecore._bench.cases import Case, from_json, to_json
from cecore._bench.peers import OURS
from cecore._bench.timing import Times

PROBE, SERIAL = "probe", "cecore, serial"


class Result(NamedTuple):
    """The times of all contenders in one case, or why there are none.

    `resident` is in nanoseconds an element, NaN where it is not asked for. Peers that are `wrong`
    gave another answer, and are not timed.
    """

    case: Case
    times: Mapping[str, Times]
    resident: float = nan
    failed: str = ""
    wrong: tuple[str, ...] = ()

    def ratio(self, other: str, ours: str = OURS) -> float:
        """How many times as long as ours the other takes."""
        return self.times[other].median / self.times[ours].median

    def peers(self) -> list[str]:
        """Those whose times compare with our `out=`: not the ones with a fresh result."""
        own = PROBE, SERIAL
        return [
            name
            for name in self.times
            if name not in own and not name.startswith(OURS) and "fresh" not in name
        ]

    def fastest_peer(self, among: Sequence[str] = ()) -> str | None:
        """Of all peers, or of these names, which may be of our own calls too."""
        names = [name for name in among if name in self.times] if among else self.peers()
        return min(names, key=lambda name: self.times[name].median, default=None)

    def nanoseconds(self, name: str = OURS) -> float:
        """An element."""
        return self.times[name].median * 1e6 / self.case.shape.elements

    def over_bounds(self) -> float:
        """Our time over the larger of the probe's and that of the arithmetic in the cache."""
        arithmetic = self.resident / self.case.threads
        bounds = self.nanoseconds(PROBE), arithmetic
        return nan if isnan(arithmetic) else self.nanoseconds() / max(bounds)

    def __str__(self) -> str:
        if self.failed:
            return self.failed
        text = duration(self.times[OURS].median)
        if PROBE in self.times:
            text += f", {self.ratio(PROBE):.0%} of the probe"
        if SERIAL in self.times:
            text += f", {1 / self.ratio(SERIAL):.2f}x the serial call"
        peer = self.fastest_peer()
        text += f", {self.ratio(peer):.1f}x {peer}" if peer else ""
        return text + (f"; another answer: {', '.join(self.wrong)}" if self.wrong else "")


def duration(milliseconds: float) -> str:
    return f"{milliseconds:.2f} ms" if milliseconds >= 0.1 else f"{milliseconds * 1e3:.2f} us"


def result_to_json(result: Result) -> dict[str, Any]:
    times = {name: list(t) for name, t in result.times.items()}
    resident = None if isnan(result.resident) else result.resident
    case = to_json(result.case)
    return {**result._asdict(), "case": case, "times": times, "resident": resident}


def result_from_json(values: dict[str, Any]) -> Result:
    times = {name: Times(*t) for name, t in values["times"].items()}
    resident = nan if values["resident"] is None else values["resident"]
    case = from_json(values["case"])
    return Result(case, times, resident, values["failed"], tuple(values["wrong"]))


_OF_A_START = {"command": "", "load before": ""}


class Store:
    """The file of one process: what it depends on, then a line a case.

    What was measured before is kept, if it was of the same machine and settings; failures are not.
    """

    def __init__(self, path: Path, about: Mapping[str, str], keep: bool) -> None:
        self._path = path
        self.results: list[Result] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        if keep and path.exists():
            known, found = load(path)
            if {**known, **_OF_A_START} != {**about, **_OF_A_START}:
                raise SystemExit(
                    f"{path} is of another machine or other settings: start without --continue."
                )
            self.results = [result for result in found if not result.failed]
        lines = [json.dumps(about), *map(_line, self.results)]
        whole = path.with_suffix(".new")
        whole.write_text("\n".join(lines) + "\n")
        whole.replace(path)

    def add(self, result: Result) -> None:
        self.results.append(result)
        with self._path.open("a") as file:
            file.write(_line(result) + "\n")


def _line(result: Result) -> str:
    return json.dumps(result_to_json(result))


def load(path: Path) -> tuple[dict[str, str], list[Result]]:
    """What a file says of its machine, and its results; a line cut off by a kill is dropped."""
    first, *lines = path.read_text().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    return json.loads(first), [result_from_json(json.loads(line)) for line in whole]


class Measured:
    """The results of one or more processes; a figure is the median over the processes."""

    def __init__(self, processes: Iterable[Iterable[Result]]) -> None:
        self._of: dict[Case, list[Result]] = {}
        for results in processes:
            for result in results:
                if not result.failed:
                    self._of.setdefault(_key(result.case), []).append(result)

    def __contains__(self, case: Case) -> bool:
        return _key(case) in self._of

    @property
    def cases(self) -> list[Case]:
        return list(self._of)

    def figure(self, case: Case, of: Any) -> float:
        return median(of(result) for result in self._of[_key(case)])

    def result(self, case: Case) -> Result:
        """One result that stands for all: medians of medians, extremes of extremes."""
        found = self._of[_key(case)]
        names = [name for name in found[0].times if all(name in r.times for r in found)]
        times = {}
        for name in names:
            medians, minima, maxima = zip(*(r.times[name] for r in found))
            times[name] = Times(median(medians), min(minima), max(maxima))
        wrong = tuple(dict.fromkeys(name for r in found for name in r.wrong))
        return Result(case, times, median(r.resident for r in found), wrong=wrong)


def _key(case: Case) -> Case:
    return case._replace(beside_peers=True)
