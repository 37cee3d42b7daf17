"""The generated blocks of README.md: each program rewrites its own, between two markers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def rewrite_block(name: str, command: str, body: str, path: Path = README) -> None:
    begin, end = f"<!-- begin {name}", f"<!-- end {name} -->"
    text = path.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"{path.name} needs one '{begin}' and one '{end}'.")
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    block = f"{begin}: written by `{command}` -->\n{body}\n{end}"
    path.write_text(before + block + after, encoding="utf-8")
