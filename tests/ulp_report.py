"""The measured errors: python -m tests.ulp_report [--samples N] [--climb N] [--isa NAME ...].

One line for every output, dtype and ISA: worst and mean ULP, the bound, and the worst input with
what came and what is true. Each ISA runs in a process of its own, since one is chosen at import.
--climb starts from the worst inputs and moves them by ULPs and by random steps, keeping what is
worse. Exits with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tests.bounds import BOUNDS

CLASSES = (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 70, 100, 257, 1000, 4097, 8193)
DTYPES = ("f4", "f8")
KEPT = 8  # inputs an output and dtype that climbing starts from


class Tally:
    """Errors of one output and dtype: their mean, and the inputs with the worst."""

    def __init__(self):
        self.count, self.sum, self.worst = 0, 0.0, []

    def add(self, errors, x, y, computed, exact):
        self.count += errors.size
        self.sum += float(errors.sum())
        per_row = errors.reshape(len(x), -1).max(axis=1)
        for i in np.argsort(-per_row)[:KEPT]:
            at = (i, *np.unravel_index(errors[i].argmax(), errors[i].shape))
            row = (float(errors[at]), x[i], None if y is None else y[i],
                   float(computed[at]), exact.nearest(at))  # fmt: skip
            self.worst.append(row)
        self.worst = sorted(self.worst, key=lambda row: -row[0])[:KEPT]


def _measure(output, truth_class, x, y, tally):
    from tests.ulp import ulp_error

    computed = output.call(x, y)
    exact = output.truth(truth_class(x), y)
    errors = ulp_error(computed, exact)
    tally.add(errors, x, y, computed, exact)


def _batches(samples: int, dtype: str):
    """(outputs, class of truth, inputs), at most `samples` numbers a batch."""
    from tests import cases
    from tests.outputs import ELEMENTS, ROWS
    from tests.truth import Elements, Rows

    rng = np.random.default_rng(2)
    for k in CLASSES:
        each = max(1, samples // (4 * k * len(cases.FAMILIES)))
        outputs = [output for output in ROWS if k > 1 or output.labels is None]
        yield rng, outputs, Rows, cases.rows(rng, each, k, dtype)
    yield rng, ELEMENTS, Elements, cases.elements(rng, samples, dtype)


def _step(rng, x):
    """Neighbours of an input: all of it moved by ULPs, or some of it by a random factor."""
    ulps = np.spacing(np.abs(x)) * rng.integers(-3, 4, x.shape)
    factor = 1 + rng.normal(size=x.shape) * 10.0 ** rng.uniform(-6, -1)
    some = rng.random(x.shape) < rng.random()
    with np.errstate(invalid="ignore", over="ignore"):
        moved = np.where(rng.random() < 0.5, x + ulps, np.where(some, x * factor, x))
    return np.where(np.isfinite(moved), moved, x).astype(x.dtype)


def _climb(rng, output, truth_class, tally, steps, population=64):
    for _ in range(steps):
        for _, x, y, _, _ in list(tally.worst[:2]):
            near = np.stack([_step(rng, x) for _ in range(population)])
            labels = None if y is None else np.stack([y] * population)
            _measure(output, truth_class, near, labels, tally)


def measure(samples: int, climb: int) -> list[dict]:
    """Every output in this process's ISA."""
    import cecore

    lines = []
    for dtype in DTYPES:
        tallies: dict = {}
        for rng, outputs, truth_class, x in _batches(samples, dtype):
            exact = truth_class(x)
            for output in outputs:
                y = None if output.labels is None else output.labels(rng, x)
                _, tally = tallies.setdefault(output, (truth_class, Tally()))
                _measure(output, lambda _, t=exact: t, x, y, tally)
        for output, (truth_class, tally) in tallies.items():
            _climb(np.random.default_rng(3), output, truth_class, tally, climb)
            lines.append(_line(output.name, dtype, cecore.isa(), tally))
    return lines


def _shown(x) -> str:
    values = np.ravel(x)
    head = ", ".join(repr(float(v)) for v in values[:3])
    return f"[{head}{f', ... {values.size} in all' if values.size > 3 else ''}]"


def _line(name: str, dtype: str, isa: str, tally: Tally) -> dict:
    error, x, y, got, want = tally.worst[0]
    where = _shown(x) if y is None else f"{_shown(x)} label {_shown(y)}"
    return {
        "output": name, "dtype": dtype, "isa": isa, "worst": error,
        "mean": tally.sum / tally.count, "input": where, "got": got, "want": want,
    }  # fmt: skip


def _run_isa(isa: str, arguments) -> list[dict]:
    command = [sys.executable, "-m", "tests.ulp_report", "--here",
               "--samples", str(arguments.samples), "--climb", str(arguments.climb)]  # fmt: skip
    environment = {**os.environ, "CECORE_ISA": isa}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"CECORE_ISA={isa} failed:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _table(lines: list[dict]) -> int:
    """Print; the number of bounds missed."""
    missed = 0
    heads = f"{'output':31}{'type':5}{'isa':9}{'worst':>9}{'mean':>7}{'bound':>6}"
    print(f"{heads}        got, want, input")
    for line in sorted(lines, key=lambda v: (list(BOUNDS).index(v["output"]), v["dtype"])):
        bound = BOUNDS[line["output"]].ulp
        verdict = "OK" if line["worst"] <= bound else "MISSED"
        missed += verdict == "MISSED"
        print(
            f"{line['output']:31}{line['dtype']:5}{line['isa']:9}{line['worst']:9.4g}"
            f"{line['mean']:7.3f}{bound:6g} {verdict:6} {line['got']!r} {line['want']!r}"
            f" {line['input']}"
        )
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.ulp_report", description=__doc__)
    parser.add_argument("--samples", type=int, default=300_000, help="numbers a batch")
    parser.add_argument("--climb", type=int, default=3, help="steps uphill from the worst inputs")
    parser.add_argument("--isa", nargs="*", help="by default every one that this machine has")
    parser.add_argument("--here", action="store_true", help="this process's ISA, one JSON a line")
    arguments = parser.parse_args()
    if arguments.here:
        for line in measure(arguments.samples, arguments.climb):
            print(json.dumps(line))
        return 0
    import cecore

    isas = arguments.isa or cecore.available_isas()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        reports = list(pool.map(lambda isa: _run_isa(isa, arguments), isas))
    missed = _table([line for report in reports for line in report])
    print(f"{missed} bounds missed" if missed else "every bound holds")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
