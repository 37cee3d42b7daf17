"""First speed figures: cecore and its peers on the same arrays, interleaved in one process.

    python bench/first_figures.py                          everything: about 10 minutes
    python bench/first_figures.py --shape "20k x 1000"     one shape
    python bench/first_figures.py --markdown               and write the table into README.md

Peers that are not installed are left out: pip install scipy scikit-learn torch==2.13.0
"""

from __future__ import annotations

import os

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # huge pages for torch, read at its first use

import argparse
import json
import shlex
import sys
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import cecore as ce
import machine
import peers
import report
import shapes
from readme import rewrite_block
from timing import interleave

ROOT = Path(__file__).resolve().parent.parent
TARGETS = tomllib.loads((ROOT / "bench" / "targets.toml").read_text())["target"]
RESULTS = ROOT / "build" / "first_figures.json"
DTYPES = ("float32", "float64")
THREADS = (1, 2)


def measure(options: argparse.Namespace) -> Iterator[report.Figure]:
    for shape, dtype in product(options.shape, options.dtype):
        logits, labels = shapes.logits_and_labels(shapes.BY_NAME[shape], dtype)
        for threads, operation in product(options.threads, peers.OPERATIONS):
            case = peers.Case(operation, logits, labels, threads)
            with ce.num_threads(threads):
                calls = peers.contenders(case)
                peers.check_answers(calls, dtype)
                times = interleave(calls, options.rounds)
            yield report.Figure(operation, shape, dtype, threads, times)


def save(figures: list[report.Figure], about: dict[str, str]) -> None:
    rows = [
        {**figure._asdict(), "times": {name: t._asdict() for name, t in figure.times.items()}}
        for figure in figures
    ]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": about, "milliseconds": rows}, indent=1) + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(shapes.BY_NAME)
    parser.add_argument("--shape", nargs="+", choices=names, default=names)
    parser.add_argument("--dtype", nargs="+", choices=DTYPES, default=DTYPES)
    parser.add_argument("--threads", nargs="+", type=int, default=THREADS)
    parser.add_argument("--rounds", type=int, default=7, help="samples a contender")
    parser.add_argument("--markdown", action="store_true", help="rewrite the block in README.md")
    return parser.parse_args()


def main() -> None:
    options = parse()
    about = {**machine.describe(), "medians of": f"{options.rounds} rounds"}
    for key, value in about.items():
        print(f"{key}: {value}")
    print(f"median, minimum and maximum, and the ratio to {peers.OURS}")

    figures = []
    for figure in measure(options):
        print(*report.text_lines(figure), sep="\n", flush=True)
        figures.append(figure)

    verdicts = list(report.judge(TARGETS, figures))
    print("\nTargets (with `out=`)" if verdicts else "\nNo target among these cases")
    for verdict in verdicts:
        print(f"  {verdict.target}, {verdict.dtype}, {report.plural(verdict.threads)}: {verdict}")
    save(figures, about)
    print(f"\nwritten: {RESULTS.relative_to(ROOT)}")
    if options.markdown:
        command = shlex.join(["python", "bench/first_figures.py", *sys.argv[1:]])
        about["command"] = f"`{command}`"
        rewrite_block("first-figures", command, report.markdown(figures, verdicts, about))


if __name__ == "__main__":
    main()
