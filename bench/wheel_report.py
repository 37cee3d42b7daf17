"""What `make wheel-test`, or parts of it, found since `make wheel`; --markdown: in the docs."""

from __future__ import annotations

import argparse
from pathlib import Path

from cecore._bench.readme import markdown_table, rewrite_block

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / "build" / "wheel"
TABLES = {
    "pythons.tsv": ("Python", "NumPy", "fast suite"),
    "sdists.tsv": ("Python", "sdist built with", "result"),
    "cpus.tsv": ("emulated CPU", "executes", "kernels", "known values", "bits of every output"),
}


def rows(name: str) -> list[list[str]]:
    """The last line of each kind, in the order in which the kinds came."""
    columns = 1 if name == "cpus.tsv" else 2
    lines = [line.split("\t") for line in (FOUND / name).read_text().splitlines()]
    return list({tuple(line[:columns]): [cell.strip() for cell in line] for line in lines}.values())


def report() -> str:
    [wheel] = FOUND.glob("cecore-*.whl")
    tables = [markdown_table(header, rows(name)) for name, header in TABLES.items()]
    return "\n\n".join([f"`{wheel.name}`, {wheel.stat().st_size / 1e6:.1f} MB:", *tables])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="rewrite the block in the docs")
    if parser.parse_args().markdown:
        command = "python bench/wheel_report.py --markdown"
        rewrite_block("wheel-test", command, report(), ROOT / "docs" / "installing.md")
    else:
        print(report())
