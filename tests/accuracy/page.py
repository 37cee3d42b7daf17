"""Write docs/accuracy.md from the files of one or more runs.

python -m tests.accuracy.page build/accuracy_exhaustive.json build/accuracy_samples.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.accuracy import inputs, peers, report
from tests.accuracy.climb import STARTS, STEPS
from tests.accuracy.tally import LONGEST
from tests.bounds import BOUNDS, ITSELF

PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"
DTYPES = {"f4": "float32", "f8": "float64"}
ISAS = {"scalar": "scalar", "avx2": "AVX2", "avx512": "AVX-512", "portable": "portable"}
SHORT = 3  # classes of a row that is printed whole

OPENING = """\
# Accuracy

Measured errors of every output on every instruction set, and of other libraries on the same
inputs. This page is written by `make accuracy`; [numerics.md](numerics.md) has the contract, the
formulas, and what ULP means.

{verdict}
"""

OVERVIEW = """\
## Worst and mean error

In ULP, as "worst / mean". For cecore the worst is that of all instruction sets, and must not
exceed the bound. Errors of an output marked * are relative to the larger of its two terms, for all
libraries. An error of 2^23 ULP or more (float64: 2^52) is shown as "all digits": none is right, as
where 0 stands for 2e-9, or NaN for a number. In a mean it counts at most twice that. An empty cell:
the library has no such function. NumPy is its textbook form; gradients and Hessians of NumPy and
SciPy are p - y and p (1 - p) of their probabilities, and so are the Hessians of torch and JAX,
which differentiate their losses for the gradient.
"""

DETAILS = """\
## Each instruction set, and its worst input

Numbers are in decimal, then in hex. Of a row with more than {short} classes only the logit with the
worst result is shown (if the row has not one result for all) and the largest logit.
"""

PEER_DETAILS = """\
## Worst inputs of other libraries
"""

METHOD = """\
Every value comes from the public functions, computed in a process of its own for each instruction
set, and is compared with a true value from doubles (for float32; their own error is below 2^-24
ULP) or x87 long doubles (for float64; below 2^-6 ULP). The worst input of every line is computed
again with 400 bits, or, where a row has more than {longest} classes, 120 bits (float32: 64).

What has one float32 and no soft label is measured for all 2^32 inputs, infinities and NaN included.
All else is sampled by `tests/cases.py`: K in {{{classes}}};
all exponents, ties and near ties, offsets to 1e8 and beyond, one dominant logit, results near
cancellation, underflow and overflow; labels at, next to and far from the maximum; soft labels near
one-hot, near uniform, and at the prediction itself. From the {starts} worst samples of every
output, instruction set and number of classes up to {longest} a search climbs for {steps} steps. A
run with `--quick` takes one input in {quick} and a quarter of the steps. Other libraries compute
one finite input in {share}, and are not climbed for.
"""


def _load(paths: list[Path]) -> tuple[list[dict], list[dict]]:
    """The runs; and their cells, each knowing whether it is ours."""
    runs = [json.loads(path.read_text()) for path in paths]
    cells = []
    for run in runs:
        cells += [{**cell, "ours": cell["who"] in run["isas"]} for cell in run["cells"]]
    order = list(BOUNDS)
    return runs, sorted(cells, key=lambda c: (order.index(c["output"]), c["label"], c["dtype"]))


def _ulp(value: float, dtype: str) -> str:
    digits = np.finfo(dtype).nmant
    if not value < 2.0**digits:
        return "all digits"
    return f"{value:.3g}" if value < 1000 else f"{value:.1e}"


def _judged(cells: list[dict], dtype: str) -> str:
    """Worst / mean of the cells that share a column; "" without one."""
    if not cells:
        return ""
    worst = _ulp(max(cell["worst"] for cell in cells), dtype)
    count = sum(cell["count"] for cell in cells)
    mean = _ulp(sum(cell["mean"] * cell["count"] for cell in cells) / count, dtype)
    missed = " MISSED" if any(cell["ours"] and report.missed(cell) for cell in cells) else ""
    return f"{worst} / {mean}{missed}"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _overview(cells: list[dict]) -> Iterator[str]:
    for dtype, title in DTYPES.items():
        grouped = defaultdict(list)
        for cell in cells:
            if cell["dtype"] == dtype:
                grouped[cell["output"], "" if cell["ours"] else cell["who"]].append(cell)
        rows = []
        for output, bound in BOUNDS.items():
            named = output if bound.of == ITSELF else f"{output} *"
            ours = _judged(grouped[output, ""], dtype)
            theirs = [_judged(grouped[output, who], dtype) for who in peers.LIBRARIES]
            rows.append([named, f"{bound.ulp:g}", ours, *theirs])
        header = [f"{title}", "bound", "cecore", *(f"{who}" for who in peers.LIBRARIES)]
        measured = {cell["who"] for cell in cells}
        yield _table([h + (" (not measured)" if h in peers.LIBRARIES and h not in measured else "")
                      for h in header], rows)  # fmt: skip


def _number(text: str, dtype: str) -> str:
    """Decimal with the digits that tell numbers of this dtype apart, and hex."""
    value = float.fromhex(text)
    decimal = str(np.dtype(dtype).type(value)) if dtype == "f4" else repr(value)
    return f"{decimal}, `{text}`" if np.isfinite(value) else decimal


def _input(cell: dict) -> str:
    dtype, x, y = cell["dtype"], cell["x"], cell["y"]
    if x is None:
        return f"K = {cell['classes']}"
    if len(x) <= SHORT:
        shown = "; ".join(_number(v, dtype) for v in x)
    else:
        values = [float.fromhex(v) for v in x]
        own = [f"x_j = {_number(x[j], dtype)}" for j in cell["index"]]
        largest = f"largest {_number(x[int(np.argmax(values))], dtype)}"
        shown = "; ".join([f"K = {len(x)}", *own, largest])
    if y is None:
        return shown
    if len(y) == 1:
        return f"{shown}; label {_number(y[0], dtype) if len(x) == 1 else int(float.fromhex(y[0]))}"
    own = [f"y_j = {_number(y[j], dtype)}" for j in cell["index"]]
    return "; ".join([shown, *own])


def _details(cells: list[dict]) -> str:
    rows = []
    for cell in cells:
        dtype, bound = cell["dtype"], BOUNDS[cell["output"]].ulp
        missed = " MISSED" if cell["ours"] and not cell["worst"] <= bound else ""
        rows.append([
            cell["output"] + cell["label"], DTYPES[dtype], ISAS.get(cell["who"], cell["who"]),
            f"{cell['count']:,}", _ulp(cell["worst"], dtype) + missed, _ulp(cell["mean"], dtype),
            _input(cell), _number(cell["got"], dtype),
            _number(_nearest(cell["want"], dtype), dtype),
        ])  # fmt: skip
    header = ["output", "dtype", "by", "values", "worst", "mean", "input", "got", "want"]
    return _table(header, rows)


def _nearest(text: str, dtype: str) -> str:
    """The true value rounded to the dtype."""
    with np.errstate(over="ignore"):
        return float(np.dtype(dtype).type(float.fromhex(text))).hex()


def _verdict(cells: list[dict]) -> str:
    ours = [cell for cell in cells if cell["ours"]]
    missed = [cell for cell in ours if report.missed(cell)]
    if not missed:
        return f"The contract holds in each of the {len(ours)} cells of cecore below."
    names = sorted({f"{c['output']}, {DTYPES[c['dtype']]}, {ISAS[c['who']]}" for c in missed})
    return f"{len(missed)} of {len(ours)} bounds are MISSED: {'; '.join(names)}."


def _method(runs: list[dict]) -> Iterator[str]:
    yield "## How it was measured\n"
    for run in runs:
        yield "\n".join(f"- {key}: {value}" for key, value in run["about"].items())
        for pair, count, differing in run["bits"]:
            names = " and ".join(ISAS[isa] for isa in pair.split(", "))
            yield f"- {names}: {differing:,} of {count:,} values differ in a bit\n"
    yield METHOD.format(
        classes=", ".join(str(k) for k in inputs.ROWS_OF_CLASSES),
        starts=STARTS,
        longest=LONGEST,
        steps=STEPS,
        quick=inputs.QUICK,
        share=peers.SHARE,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy.page", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="JSON files of tests.accuracy")
    runs, cells = _load(parser.parse_args().runs)
    page = [
        OPENING.format(verdict=_verdict(cells)),
        OVERVIEW,
        *_overview(cells),
        DETAILS.format(short=SHORT),
        _details([cell for cell in cells if cell["ours"]]),
        PEER_DETAILS,
        _details([cell for cell in cells if not cell["ours"]]),
        *_method(runs),
    ]
    PAGE.write_text("\n".join(page), encoding="utf-8")
    differing = any(count for run in runs for *_, count in run["bits"])
    return 1 if differing or any(report.missed_of(run) for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
