"""The generated parts of docs/performance.md and README.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cecore._bench import report
from cecore._bench.readme import rewrite_block
from cecore._bench.results import Measured
from cecore._bench.targets import Verdict, reached

ROOT = Path(__file__).resolve().parent.parent


def _titled(tables: Sequence[tuple[str, str]]) -> str:
    return "\n" + "\n\n".join(f"{title}\n\n{table}" for title, table in tables) + "\n"


def blocks(
    found: Measured, verdicts: Sequence[Verdict], about: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The blocks of docs/performance.md, by name."""
    settings = report.settings(found)
    titles = {pair: f"### {pair[0]}, {report.plural(pair[1])}" for pair in settings}
    yield "machine", report.bullets(about)
    yield "targets", report.target_table(verdicts)
    yield "cases", _titled([(titles[s], report.case_table(found, *s)) for s in settings])
    yield "peers", _titled([(titles[s], report.peer_table(found, *s)) for s in settings])
    yield "layouts", report.other_table(found)
    yield "pauses", report.pause_table(found)
    yield "calls", report.call_table(found)


def write(
    found: Measured, verdicts: Sequence[Verdict], about: Mapping[str, str], root: Path = ROOT
) -> None:
    """Rewrite page, pictures and the block of README.md in a clone."""
    page, readme = root / "docs" / "performance.md", root / "README.md"
    if not page.exists():
        raise SystemExit(f"--docs needs a clone: there is no {page}.")
    from cecore._bench import pictures  # needs matplotlib, which only this does

    command = about["command"]
    for name, body in blocks(found, verdicts, about):
        rewrite_block(name, command, body, page)
    pictures.draw(found, page.parent)
    most = max(case.threads for case in found.cases)
    kept = "CPU", "versions", "load before", "command"
    lines = [f"{key}: {about[key]}" for key in kept] + [report.plural(most)]
    table = report.key_table(found, most)
    parts = table, "; ".join(lines) + ".", reached(verdicts)
    rewrite_block("speed", command, "\n\n".join(parts), readme)
