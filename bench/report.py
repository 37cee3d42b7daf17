"""The figures of a run as text for the terminal and as Markdown for README.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from peers import OURS, OURS_FRESH
from readme import markdown_table
from timing import Times


class Figure(NamedTuple):
    """The times of all contenders in one case."""

    operation: str
    shape: str
    dtype: str
    threads: int
    times: Mapping[str, Times]

    def ratio(self, peer: str, ours: str = OURS) -> float:
        """How many times as long as ours the peer takes."""
        return self.times[peer].median / self.times[ours].median

    def fastest_peer(self) -> str | None:
        peers = {name: t.median for name, t in self.times.items() if name not in (OURS, OURS_FRESH)}
        return min(peers, key=peers.get, default=None)


class Verdict(NamedTuple):
    target: str
    dtype: str
    threads: int
    figure: float
    passed: bool

    def __str__(self) -> str:
        return f"{self.figure:.1f}x {'PASS' if self.passed else 'MISSED'}"


def plural(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def settings(figures: Sequence[Figure]) -> list[tuple[str, int]]:
    """The pairs of dtype and threads measured, in order."""
    return list(dict.fromkeys((f.dtype, f.threads) for f in figures))


def judge(targets: Sequence[Mapping], figures: Sequence[Figure]) -> Iterator[Verdict]:
    """One verdict for every measured case that a target names."""
    for target in targets:
        name = "{operation}, {shape}: {at_least}x {peer}".format_map(target)
        for figure in figures:
            named = (figure.operation, figure.shape) == (target["operation"], target["shape"])
            if named and target["peer"] in figure.times:
                ratio = figure.ratio(target["peer"])
                passed = ratio >= target["at_least"]
                yield Verdict(name, figure.dtype, figure.threads, ratio, passed)


def text_lines(figure: Figure) -> Iterator[str]:
    yield f"\n{figure.operation}, {figure.shape}, {figure.dtype}, {plural(figure.threads)}"
    for name, t in figure.times.items():
        yield (
            f"  {name:<20}{t.median:9.2f} ms   ({t.minimum:.2f} to {t.maximum:.2f})"
            f"{figure.ratio(name):9.2f}x"
        )


def _cell(figure: Figure) -> str:
    ours = f"{figure.times[OURS].median:.2f} / {figure.times[OURS_FRESH].median:.2f}"
    peer = figure.fastest_peer()
    return f"{ours}, {figure.ratio(peer):.1f}x {peer}" if peer else ours


def markdown(
    figures: Sequence[Figure], verdicts: Sequence[Verdict], machine: Mapping[str, str]
) -> str:
    """Machine, one table of all cases against the fastest peer, one table of the targets."""
    columns = settings(figures)
    header = [f"{dtype}, {plural(threads)}" for dtype, threads in columns]
    cases = list(dict.fromkeys((f.operation, f.shape) for f in figures))
    cells = {(f.operation, f.shape, f.dtype, f.threads): _cell(f) for f in figures}
    rows = [
        [f"{operation}, {shape}", *(cells.get((operation, shape, *c), "") for c in columns)]
        for operation, shape in cases
    ]
    judged = {(v.target, v.dtype, v.threads): str(v) for v in verdicts}
    target_rows = [
        [name, *(judged.get((name, *column), "") for column in columns)]
        for name in dict.fromkeys(v.target for v in verdicts)
    ]
    blocks = [
        "\n".join(f"- {key}: {value}" for key, value in machine.items()),
        markdown_table(["ms with `out=` / fresh", *header], rows),
        markdown_table(["target", *header], target_rows),
    ]
    return "\n" + "\n\n".join(blocks) + "\n"
