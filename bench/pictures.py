"""The pictures of docs/performance.md: against the number of classes, the probe, and the peers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot as plt

from cecore._bench import shapes
from cecore._bench.cases import Case
from cecore._bench.report import plural
from cecore._bench.results import PROBE, Measured, Result

OPERATIONS = ("logsumexp", "softmax", "loss + gradient")
CLASSES, OF_PROBE, PEERS = "speed_classes.svg", "speed_probe.svg", "speed_peers.svg"
NAMES = (CLASSES, OF_PROBE, PEERS)
_MARKERS = "osD^v<>Pp*"


def _results(found: Measured, operation: str, dtype: str, threads: int) -> list[Result]:
    """In the order of the shapes; those not measured are left out."""
    cases = [Case(operation, shape, dtype, threads) for shape in shapes.SHAPES]
    return [found.result(case) for case in cases if case in found]


def _panels(titles: Sequence[str], height: float) -> tuple[Any, list[Any]]:
    size = (4.2 * len(titles), height)
    figure, axes = plt.subplots(1, len(titles), figsize=size, layout="constrained", squeeze=False)
    for panel, title in zip(axes[0], titles):
        panel.set_title(title)
        panel.grid(alpha=0.3)
    return figure, list(axes[0])


def by_classes(found: Measured, threads: Sequence[int]) -> Any:
    """Elements per nanosecond against K, each with its probe dashed."""
    figure, axes = _panels([f"float32, {plural(n)}" for n in threads], 3.4)
    for panel, n in zip(axes, threads):
        for i, operation in enumerate(OPERATIONS):
            results = _results(found, operation, "float32", n)
            classes = [result.case.shape.classes for result in results]
            speeds = [1 / result.nanoseconds() for result in results]
            probes = [1 / result.nanoseconds(PROBE) for result in results]
            panel.plot(classes, speeds, f"C{i}{_MARKERS[i]}-", label=operation)
            panel.plot(classes, probes, f"C{i}--", linewidth=1)
        panel.set(xscale="log", xlabel="classes K; dashed: the probe", ylim=(0, None))
    axes[0].set_ylabel("elements per ns")
    axes[0].legend()
    return figure


def _shapes_down(panel: Any, *results: Sequence[Result]) -> dict[str, int]:
    """One line a shape, the first on top."""
    measured = {result.case.shape.name for some in results for result in some}
    names = [shape.name for shape in shapes.SHAPES if shape.name in measured]
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    return {name: i for i, name in enumerate(names)}


def of_probe(found: Measured, threads: int) -> Any:
    """Percent of the probe's speed, by shape."""
    dtypes = ("float32", "float64")
    figure, axes = _panels([f"{dtype}, {plural(threads)}" for dtype in dtypes], 3.8)
    for panel, dtype in zip(axes, dtypes):
        results = {op: _results(found, op, dtype, threads) for op in OPERATIONS}
        place = _shapes_down(panel, *results.values())
        for i, (operation, some) in enumerate(results.items()):
            percents = [100 * result.ratio(PROBE) for result in some]
            places = [place[result.case.shape.name] for result in some]
            panel.plot(percents, places, f"C{i}{_MARKERS[i]}", label=operation)
        panel.axvline(100, color="0.4", linewidth=1)
        panel.set(xlabel="percent of the probe's speed", xlim=(0, None))
    axes[0].legend()
    return figure


def against_peers(found: Measured, threads: int) -> Any:
    """How many times as long as ours each peer takes; left of the line it is faster."""
    figure, axes = _panels([f"{op}, float32, {plural(threads)}" for op in OPERATIONS], 4.4)
    colors: dict[str, int] = {}
    for panel, operation in zip(axes, OPERATIONS):
        results = _results(found, operation, "float32", threads)
        place = _shapes_down(panel, results)
        for result in results:
            for name in result.peers():
                i = colors.setdefault(name, len(colors))
                known = f"_{name}" if name in panel.get_legend_handles_labels()[1] else name
                style = f"C{i % 10}{_MARKERS[i % len(_MARKERS)]}"
                panel.plot([result.ratio(name)], [place[result.case.shape.name]], style,
                           label=known)  # fmt: skip
        panel.axvline(1, color="0.4", linewidth=1)
        panel.set(xscale="log", xlabel="times as long as cecore")
    handles = {
        label: handle for panel in axes for handle, label in zip(*panel.get_legend_handles_labels())
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5)
    return figure


def draw(found: Measured, folder: Path) -> None:
    """The same figures give the same files; text stays text."""
    matplotlib.use("svg")
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "cecore", "path.simplify": True})
    threads = sorted({case.threads for case in found.cases})
    figures = by_classes(found, threads), of_probe(found, threads[-1])
    for name, figure in zip(NAMES, (*figures, against_peers(found, threads[-1]))):
        figure.savefig(folder / name, metadata={"Date": None, "Creator": None})
        plt.close(figure)
