"""The figures of a run as text for the terminal and as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING

from cecore._bench.cases import DTYPES, ELEMENT_OPERATIONS, ROW_OPERATIONS, WHOLE, Case
from cecore._bench.peers import OURS, OURS_FRESH
from cecore._bench.readme import markdown_table
from cecore._bench.results import PROBE, SERIAL, Measured, Result, duration

if TYPE_CHECKING:
    from cecore._bench.targets import Verdict


def plural(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def text_lines(result: Result) -> Iterator[str]:
    """A case on the terminal: median, minimum and maximum, and the ratio to ours."""
    yield f"\n{result.case}"
    if result.failed:
        yield f"  not measured: {result.failed}"
    for name, t in result.times.items():
        span = f"({duration(t.minimum)} to {duration(t.maximum)})"
        yield f"  {name:<28}{duration(t.median):>12}   {span:<26}{result.ratio(name):8.2f}x"
    for name in result.wrong:
        yield f"  {name:<28}another answer: not timed"
    if not isnan(result.resident):
        yield f"  {'in the cache, 1 thread':<28}{result.resident:9.3f} ns an element"


def verdict_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for v in verdicts:
        yield f"  {v.case:<58} {v.wanted:<52} {v}"


def bullets(about: Mapping[str, str]) -> str:
    return "\n".join(f"- {key}: {value}" for key, value in about.items())


def target_table(verdicts: Sequence[Verdict]) -> str:
    rows = [[v.case, v.wanted, str(v)] for v in verdicts]
    return markdown_table(["call", "target", "figure"], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_table(header, rows) if rows else "Not measured."


def _plain(case: Case, dtype: str, threads: int) -> bool:
    return (case.dtype, case.threads, case.order, case.labels, case.state) == (
        dtype, threads, "C", "sparse", "hot",
    )  # fmt: skip


def settings(found: Measured) -> list[tuple[str, int]]:
    """The pairs of dtype and threads that were measured."""
    pairs = {(c.dtype, c.threads) for c in found.cases if c.state == "hot"}
    return sorted(pairs, key=lambda pair: (DTYPES.index(pair[0]), pair[1]))


def _against_best(result: Result) -> str:
    peer = result.fastest_peer()
    return f"{result.ratio(peer):.1f}x {peer}" if peer else ""


def roofline(found: Measured) -> dict[str, str]:
    """The bandwidth that the probe reached on the most bytes that were read, and copied."""
    lines = {}
    for operation, ways in (("logsumexp", "read"), ("softmax", "read and write")):
        for threads in sorted({case.threads for case in found.cases}):
            cases = [c for c in found.cases if c.operation == operation and c.shape.classes > 99
                     and _plain(c, c.dtype, threads) and c.dtype in WHOLE]  # fmt: skip
            if cases:
                largest = max(cases, key=_bytes)
                seconds = found.result(largest).times[PROBE].median * 1e-3
                bandwidth = _bytes(largest) * len(ways.split(" and ")) / seconds * 1e-9
                lines[f"probe, {ways}, {plural(threads)}"] = (
                    f"{bandwidth:.1f} GB/s ({largest.shape.name}, {largest.dtype})"
                )
    return lines


def _bytes(case: Case) -> int:
    return case.shape.elements * (8 if case.dtype == "float64" else 4)


_HEADER = (
    "", "`out=`", "fresh", "elements per ns", "of the probe", "over both bounds",
    "fastest peer takes",
)  # fmt: skip


def _cells(result: Result) -> list[str]:
    fresh = duration(result.times[OURS_FRESH].median) if OURS_FRESH in result.times else ""
    return [
        duration(result.times[OURS].median),
        fresh,
        f"{1 / result.nanoseconds():.2f}",
        f"{result.ratio(PROBE):.0%}",
        f"{result.over_bounds():.2f}x" if not isnan(result.resident) else "",
        _against_best(result),
    ]


def case_table(found: Measured, dtype: str, threads: int) -> str:
    """Every plain case of a dtype and number of threads."""
    operations = ROW_OPERATIONS + ELEMENT_OPERATIONS
    cases = [case for case in found.cases if _plain(case, dtype, threads)]
    cases.sort(key=lambda case: operations.index(case.operation))
    rows = [[f"{c.operation}, {c.shape.name}", *_cells(found.result(c))] for c in cases]
    return _table(_HEADER, rows)


def peer_table(found: Measured, dtype: str, threads: int) -> str:
    """Milliseconds of everyone in every plain case that has peers."""
    cases = [case for case in found.cases if _plain(case, dtype, threads)]
    results = [found.result(case) for case in cases]
    results = [result for result in results if result.fastest_peer()]
    names = list(dict.fromkeys(name for result in results for name in result.times))
    rows = []
    for result in results:
        cells = [_milliseconds(result, name) for name in names]
        rows.append([f"{result.case.operation}, {result.case.shape.name}", *cells])
    return _table(["ms", *names], rows)


def _milliseconds(result: Result, name: str) -> str:
    if name in result.wrong:
        return "another answer"
    return f"{result.times[name].median:.3g}" if name in result.times else ""


def other_table(found: Measured) -> str:
    """Other layouts and dense labels, beside the plain case."""
    rows = []
    for case in found.cases:
        if case.state == "hot" and (case.order, case.labels) != ("C", "sparse"):
            rows.append([str(case), *_cells(found.result(case))])
    return _table(_HEADER, rows)


def pause_table(found: Measured) -> str:
    rows = []
    for case in found.cases:
        if case.state == "after a pause":
            result = found.result(case)
            times = [duration(result.times[name].median) for name in (OURS, SERIAL)]
            rows.append([f"{case.operation}, {case.shape.name}", *times])
            rows[-1].append(f"{1 / result.ratio(SERIAL):.2f}x")
    return _table(["20 ms after the last call", "all threads", "1 thread", "ratio"], rows)


def call_table(found: Measured) -> str:
    results = [found.result(case) for case in found.cases if case.state == "call"]
    names = list(dict.fromkeys(name for result in results for name in result.times))
    rows = [
        [result.case.operation]
        + [f"{1e3 * result.times[n].median:.2f}" if n in result.times else "" for n in names]
        for result in results
    ]
    return _table(["us, 1 x 10, float32", *names], rows)


KEY_SHAPES = ("1M x 3", "1M x 10", "20k x 1000", "256 x 128256", "n = 1e7")
KEY_OPERATIONS = ("logsumexp", "softmax", "loss + gradient", "gradient + Hessian")


def key_table(found: Measured, threads: int) -> str:
    """The table of README.md: a few plain cases, both whole types."""
    rows = []
    dtypes = ("float32", "float64")
    plain = {(c.operation, c.shape.name, c.dtype): c for c in found.cases
             if c.dtype in dtypes and _plain(c, c.dtype, threads)}  # fmt: skip
    for operation in KEY_OPERATIONS:
        for shape in KEY_SHAPES:
            cells = []
            for dtype in dtypes:
                case = plain.get((operation, shape, dtype))
                cells.append(_key_cell(found.result(case)) if case else "")
            if any(cells):
                rows.append([f"{operation}, {shape}", *cells])
    return _table(["", *dtypes], rows)


def _key_cell(result: Result) -> str:
    ours = duration(result.times[OURS].median)
    return ", ".join(filter(None, (ours, f"{result.ratio(PROBE):.0%}", _against_best(result))))
