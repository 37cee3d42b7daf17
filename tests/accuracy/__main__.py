"""Measure the error of every output on every ISA, and of its peers, in units in the last place.

    python -m tests.accuracy exhaustive         every float32, where there is but one
    python -m tests.accuracy samples            10^8 values of every other output, and a climb
    python -m tests.accuracy samples --quick    a few of them

Prints a line for each output, dtype and ISA, and saves all for `python -m tests.accuracy.page`: in
build/accuracy_PART.json, or build/accuracy_PART_quick.json. Exits with 1 if a bound is missed, or
if SIMD instruction sets differ in a bit.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import cecore
from tests.accuracy import inputs, peers, report
from tests.accuracy.climb import STEPS, climb
from tests.accuracy.isas import Isas
from tests.accuracy.tally import Tallies

PARTS = {"exhaustive": inputs.every_float32, "samples": inputs.samples}
SCALAR, TEST_ONLY = "scalar", "portable"  # has bits of its own; is in no wheel
BEGIN = time.monotonic()


def _say(what: str) -> None:
    print(f"{time.monotonic() - BEGIN:6.0f} s  {what}", file=sys.stderr, flush=True)


def _told(batches: Iterator[inputs.Batch]) -> Iterator[inputs.Batch]:
    """The same batches; says where it is, at least once a minute."""
    for title, group in groupby(batches, lambda batch: batch.title):
        said = -math.inf
        for number, batch in enumerate(group):
            if time.monotonic() - said > 60:
                said = time.monotonic()
                _say(f"{title}, batch {number}")
            yield batch


def measure(options: argparse.Namespace) -> Tallies:
    tallies, share = Tallies(os.cpu_count() or 1), peers.Share()
    simd = [isa for isa in options.isa if isa != SCALAR]
    with Isas(options.isa) as isas:
        batches = PARTS[options.part](inputs.QUICK if options.quick else 1)
        for batch in _told(inputs.ahead(batches)):
            results = isas.compute(batch.x, batch.labels, batch.outputs)
            if simd:
                tallies.compare_bits(results, simd)
            tallies.add(batch, results)
            if len((part := share.of(batch)).x):
                tallies.add(part, peers.compute(part))
        if options.part == "samples":
            _say("climb")
            climb(isas, tallies, STEPS // 4 if options.quick else STEPS)
    _say("settle")
    return tallies


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    isas = [isa for isa in cecore.available_isas() if isa != TEST_ONLY]
    parser.add_argument("part", choices=list(PARTS))
    parser.add_argument("--quick", action="store_true", help=f"1 / {inputs.QUICK} of the inputs")
    parser.add_argument("--isa", nargs="+", default=isas, help=f"default: {' '.join(isas)}")
    parser.add_argument("--save", type=Path, help="the JSON file")
    options = parser.parse_args()
    quick = "_quick" if options.quick else ""
    options.save = options.save or Path("build", f"accuracy_{options.part}{quick}.json")
    return options


def main() -> int:
    options = parse()
    tallies = measure(options)
    measured = {
        "part": options.part, "about": report.about(), "isas": options.isa,
        "cells": report.cells(tallies),
        "bits": [[pair, n, tallies.differing[pair]] for pair, n in tallies.compared.items()],
    }  # fmt: skip
    measured["about"]["time"] = f"{(time.monotonic() - BEGIN) / 60:.0f} minutes"
    options.save.parent.mkdir(exist_ok=True)
    options.save.write_text(json.dumps(measured, indent=1) + "\n")
    print(report.table(measured))
    missed = report.missed_of(measured)
    print(f"{len(missed)} bounds missed" if missed else "every bound holds")
    for pair, count, differing in measured["bits"]:
        print(f"{pair}: {differing} of {count} values differ in a bit")
    return 1 if missed or any(tallies.differing.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
