"""The targets of targets.toml against the figures of a run: PASS or MISSED, the worst case named.

A target names operations, and if it likes dtypes, shapes, classes (from, to) and threads ("one" or
"all"). Every operation, dtype and number of threads gets a verdict of its own, by its worst case.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cecore._bench.cases import Case
from cecore._bench.peers import OURS
from cecore._bench.report import plural
from cecore._bench.results import PROBE, SERIAL, Measured, Result

TARGETS = tomllib.loads(Path(__file__).with_name("targets.toml").read_text())
KINDS = ("probe", "bounds", "peer", "call", "pause", "flat")
_STATES = {"call": "call", "pause": "after a pause"}

Target = Mapping[str, Any]


class Verdict(NamedTuple):
    case: str
    wanted: str
    figure: str
    passed: bool | None  # None: not measured

    def __str__(self) -> str:
        return self.figure + {True: " PASS", False: " MISSED", None: ""}[self.passed]


def reached(judged: Sequence[Verdict]) -> str:
    """How many targets are."""
    unmeasured = sum(v.passed is None for v in judged)
    text = f"{sum(v.passed is True for v in judged)} of {len(judged)} targets are reached"
    return text + (f", {unmeasured} not measured" if unmeasured else "") + "."


def _matches(kind: str, target: Target, case: Case, most: int) -> bool:
    least, largest = target.get("classes", (0, math.inf))
    wanted_threads = {"one": 1, "all": most}.get(target.get("threads"), case.threads)
    return (
        case.operation in target["operations"]
        and case.dtype in target.get("dtypes", ("float32", "float64"))
        and case.shape.name in target.get("shapes", (case.shape.name,))
        and target.get("elements", 0) <= case.shape.elements
        and least <= case.shape.classes <= largest
        and case.threads == wanted_threads
        and (case.order, case.labels) == ("C", "sparse")
        and case.state == _STATES.get(kind, "hot")
    )


def named(cases: Sequence[Case]) -> list[Case]:
    """The cases that any target is about; those of no peer target are measured without peers."""
    most = max((case.threads for case in cases), default=1)
    found = []
    for case in cases:
        kinds = {
            kind for kind in KINDS for target in TARGETS[kind] if _matches(kind, target, case, most)
        }
        if kinds:
            found.append(case._replace(beside_peers=case.beside_peers and "peer" in kinds))
    return found


def _against_peers(target: Target) -> Callable[[Result], float]:
    def figure(result: Result) -> float:
        peer = result.fastest_peer(target.get("peers", ()))
        return result.ratio(peer, target.get("ours", OURS)) if peer else math.nan

    return figure


def _percent(target: Target, threads: int) -> float:
    return target["percent"][min(threads, 2) - 1]


class _Rule(NamedTuple):
    """The figure of a case, its limit, and how both are written."""

    figure: Callable[[Result], float]
    limit: float
    more_is_better: bool
    wanted: str
    form: str


def _rule(kind: str, target: Target, threads: int) -> _Rule:
    if kind == "probe":
        limit = _percent(target, threads)
        wanted = f"at least {limit} % of the probe"
        return _Rule(lambda r: 100 * r.ratio(PROBE), limit, True, wanted, "{:.0f} %")
    if kind == "peer":
        limit = target["at_least"]
        who = " and ".join(target.get("peers", ("every peer",)))
        wanted = ("fresh: " if "ours" in target else "") + f"at least {limit}x {who}"
        return _Rule(_against_peers(target), limit, True, wanted, "{:.1f}x")
    limit = target["at_most"]
    if kind == "bounds":
        wanted = f"at most {limit}x max(probe, in the cache)"
        return _Rule(Result.over_bounds, limit, False, wanted, "{:.2f}x")
    if kind == "call":
        name = target["ours"]
        wanted = f"{'with out=' if name == OURS else 'fresh'}, at most {limit} us"
        return _Rule(lambda r: 1e3 * r.times[name].median, limit, False, wanted, "{:.2f} us")
    if kind == "pause":
        wanted = f"at most {limit}x the serial call"
        return _Rule(lambda r: 1 / r.ratio(SERIAL), limit, False, wanted, "{:.2f}x")
    wanted = f"time an element flat within {limit}x"
    return _Rule(Result.nanoseconds, limit, False, wanted, "{:.2f}x")


def _verdict(kind: str, target: Target, cases: Sequence[Case], found: Measured) -> Verdict:
    """Of cases that share operation, dtype and threads."""
    operation, dtype, threads = cases[0].operation, cases[0].dtype, cases[0].threads
    rule = _rule(kind, target, threads)
    name = f"{operation}, {_span(target, cases)}, {dtype}, {plural(threads)}"
    figures = {case: found.figure(case, rule.figure) for case in cases if case in found}
    measured = [case for case, figure in figures.items() if not math.isnan(figure)]
    if not measured:
        return Verdict(name, rule.wanted, "not measured", None)
    least, most = (pick(measured, key=lambda case: figures[case]) for pick in (min, max))
    if kind == "flat":
        worst, where = figures[most] / figures[least], f"{most.shape.name} : {least.shape.name}"
    else:
        worst_case = least if rule.more_is_better else most
        worst, where = figures[worst_case], worst_case.shape.name
    passed = worst >= rule.limit if rule.more_is_better else worst <= rule.limit
    text = rule.form.format(worst) + (f" ({where})" if len(cases) > 1 else "")
    return Verdict(name, rule.wanted, text, passed)


def _span(target: Target, cases: Sequence[Case]) -> str:
    if len(cases) == 1:
        return cases[0].shape.name
    if "classes" in target:
        least, largest = target["classes"]
        return f"K = {least} to {largest}" if largest < 1_000_000 else f"K >= {least}"
    return f"{cases[0].shape.name} to {cases[-1].shape.name}"


def verdicts(cases: Sequence[Case], found: Measured) -> Iterator[Verdict]:
    """Of all targets that name a case among these, measured or not."""
    most = max((case.threads for case in cases), default=1)
    for kind in KINDS:
        for target in TARGETS[kind]:
            groups: dict[tuple[str, str, int], list[Case]] = {}
            for case in cases:
                if _matches(kind, target, case, most):
                    group = case.operation, case.dtype, case.threads
                    groups.setdefault(group, []).append(case)
            for group in groups.values():
                if kind != "flat" or len(group) > 1:
                    yield _verdict(kind, target, group, found)
