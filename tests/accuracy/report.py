"""What a run found, as plain values for JSON, and as lines for a terminal."""

from __future__ import annotations

import shlex
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from tests.accuracy import peers
from tests.accuracy.tally import LONGEST, Tallies, settle
from tests.bounds import BOUNDS
from tests.outputs import BY_NAME

sys.path.append(str(Path(__file__).parents[2] / "bench"))

import machine

SHOWN = 3  # values of a row


def _hex(values) -> list[str] | None:
    """Every value, or nothing of a row that is too long to read."""
    flat = np.ravel(values)
    return [float(v).hex() for v in flat] if flat.size <= LONGEST else None


def cells(tallies: Tallies) -> list[dict]:
    """One for each output, label, dtype and library, with its worst input settled."""
    grouped = defaultdict(list)
    for key, tally in tallies.by_key.items():
        grouped[key[:-1]].append(tally)
    found = []
    for (name, label, dtype, who), group in grouped.items():
        top = max((tally.worst[0] for tally in group), key=lambda v: v.error)
        settled = settle(BY_NAME[name], top)
        count = sum(tally.count for tally in group)
        found.append({
            "output": name, "label": label, "dtype": dtype, "who": who, "count": count,
            "mean": sum(tally.sum for tally in group) / count, "worst": settled.error,
            "index": settled.index, "got": settled.got.hex(), "want": settled.want.hex(),
            "classes": int(np.size(top.x)), "x": _hex(top.x),
            "y": None if top.y is None else _hex(top.y),
        })  # fmt: skip
    return found


def missed(cell: dict) -> bool:
    return not cell["worst"] <= BOUNDS[cell["output"]].ulp


def missed_of(measured: dict) -> list[dict]:
    return [cell for cell in measured["cells"] if cell["who"] in measured["isas"] and missed(cell)]


def about() -> dict[str, str]:
    """What the figures depend on."""
    described = machine.describe()
    packages = ("cecore", *(p for _, names, _ in peers.LIBRARIES.values() for p in names))
    versions = machine.versions(packages)
    return {
        "command": shlex.join(["python", "-m", "tests.accuracy", *sys.argv[1:]]),
        "CPU": described["CPU"],
        "Python": described["Python"],
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


def numbers(values: list[str]) -> str:
    shown = ", ".join(f"{float.fromhex(v)!r}" for v in values[:SHOWN])
    return f"[{shown}{f', ... {len(values)} in all' if len(values) > SHOWN else ''}]"


def input_of(cell: dict) -> str:
    if cell["x"] is None:
        return f"a row of {cell['classes']}"
    y = "" if cell["y"] is None else f" label {numbers(cell['y'])}"
    return f"{numbers(cell['x'])}{y}"


def table(measured: dict) -> str:
    """Ours, in the order of bounds.py."""
    rows = [f"{'output':38}{'type':5}{'isa':9}{'values':>11}{'worst':>9}{'mean':>7}{'bound':>6}"
            "         got, want, input"]  # fmt: skip
    order = list(BOUNDS)
    for cell in sorted(
        measured["cells"], key=lambda c: (order.index(c["output"]), c["label"], c["dtype"])
    ):
        if cell["who"] in measured["isas"]:
            got, want = (repr(float.fromhex(cell[name])) for name in ("got", "want"))
            verdict = "MISSED" if missed(cell) else "OK"
            rows.append(
                f"{cell['output'] + cell['label']:38}{cell['dtype']:5}{cell['who']:9}"
                f"{cell['count']:11}{cell['worst']:9.4g}{cell['mean']:7.3f}"
                f"{BOUNDS[cell['output']].ulp:6g} {verdict:6} {got} {want} {input_of(cell)}"
            )
    return "\n".join(rows)
