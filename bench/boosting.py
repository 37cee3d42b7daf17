"""Training with our objectives beside the builtin ones and NumPy's, interleaved in one process.

    python bench/boosting.py                        everything: about half an hour
    python bench/boosting.py --case "2 classes"     one case
    python bench/boosting.py --markdown             and write the tables into docs/

A contender trains a whole model; data sets are binned once before. Inside an objective two clocks
run: the time of all its calls, the label check of the first one included, over that of training is
its share. Every round of the bench starts with another contender.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import xgboost

import cecore as ce
import cecore.lightgbm
import cecore.xgboost
from cecore._bench import machine
from cecore._bench.readme import markdown_table, rewrite_block
from cecore._bench.targets import TARGETS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "boosting.json"
THREADS, ROUNDS, FEATURES = 2, 50, 20
LIBRARIES = ("xgboost", "lightgbm")
CONTENDERS = ("builtin", "cecore", "NumPy")


class Case(NamedTuple):
    name: str
    rows: int
    classes: int


CASES = {
    case.name: case
    for case in (
        Case("2 classes", 500_000, 2),
        Case("5 classes", 200_000, 5),
        Case("50 classes", 50_000, 50),
    )
}


class Run(NamedTuple):
    """Seconds of training, and within it inside the objective."""

    training: float
    objective: float


class Figure(NamedTuple):
    library: str
    case: str
    runs: Mapping[str, list[Run]]

    def ratio(self, name: str) -> float:
        """Median over the rounds of training time over that of the builtin objective."""
        pairs = zip(self.runs[name], self.runs["builtin"])
        return median(run.training / builtin.training for run, builtin in pairs)

    def share(self, name: str) -> float:
        return median(run.objective / run.training for run in self.runs[name])

    def speedup(self) -> float:
        """How many times as long NumPy's objective takes as ours."""
        return median(
            theirs.objective / ours.objective
            for theirs, ours in zip(self.runs["NumPy"], self.runs["cecore"])
        )

    def seconds(self, name: str) -> float:
        return median(run.training for run in self.runs[name])


def data(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Normal features, and the class of the largest of K noisy linear functions of them."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((case.rows, FEATURES), dtype=np.float32)
    scores = x @ rng.standard_normal((FEATURES, case.classes), dtype=np.float32)
    scores += 3 * rng.standard_normal(scores.shape, dtype=np.float32)
    return x, scores.argmax(axis=1)


def with_clock(call: Callable[..., Any]) -> tuple[Callable[..., Any], list[float]]:
    """Return an objective that notes its seconds; a function, since LightGBM copies objects."""
    seconds: list[float] = []

    def timed(predictions: np.ndarray, data_set: Any) -> Any:
        begin = time.perf_counter()
        result = call(predictions, data_set)
        seconds.append(time.perf_counter() - begin)
        return result

    return timed, seconds


def numpy_objective(y: np.ndarray, factor: float, order: str) -> Callable[..., Any]:
    """The textbook, vectorised: labels ready, results in the library's dtype and order."""

    def binary(x: np.ndarray, _: Any) -> Any:
        p = 1 / (1 + np.exp(-x))
        return (p - y).astype(np.float32), (p * (1 - p)).astype(np.float32)

    def multiclass(x: np.ndarray, _: Any) -> Any:
        e = np.exp(x - x.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        hessian = factor * p * (1 - p)
        p[np.arange(len(y)), y] -= 1
        return tuple(np.asarray(a, np.float32, order=order) for a in (p, hessian))

    return multiclass if factor else binary


def xgboost_trainer(case: Case) -> Callable[[str], Run]:
    x, y = data(case)
    train_set = xgboost.QuantileDMatrix(x, y, nthread=THREADS)
    loss = ce.SigmoidCrossEntropy() if case.classes == 2 else ce.SoftmaxCrossEntropy()
    options: dict[str, Any] = {"objective": "binary:logistic", "nthread": THREADS}
    if case.classes > 2:
        options |= {"objective": "multi:softprob", "num_class": case.classes}
    options["base_score"] = ce.xgboost.base_score(loss, y)
    calls = {
        "cecore": lambda: ce.xgboost.objective(loss),
        "NumPy": lambda: numpy_objective(y, 2.0 if case.classes > 2 else 0.0, "C"),
    }

    def train(name: str) -> Run:
        timed, seconds = with_clock(calls[name]()) if name in calls else (None, [])
        begin = time.perf_counter()
        xgboost.train(options, train_set, ROUNDS, obj=timed)
        return Run(time.perf_counter() - begin, sum(seconds))

    return train


def lightgbm_trainer(case: Case) -> Callable[[str], Run]:
    x, y = data(case)
    loss = ce.SigmoidCrossEntropy() if case.classes == 2 else ce.SoftmaxCrossEntropy()
    options: dict[str, Any] = {"num_threads": THREADS, "verbose": -1, "force_row_wise": True}
    builtin, factor, many = "binary", 0.0, {}
    if case.classes > 2:
        builtin, many = "multiclass", {"num_class": case.classes}
        factor = case.classes / (case.classes - 1)
    plain = lightgbm.Dataset(x, y, free_raw_data=False, params=options).construct()
    start = ce.lightgbm.init_score(loss, y)
    started = lightgbm.Dataset(x, y, init_score=start, free_raw_data=False, params=options)
    started.construct()
    calls = {
        "cecore": lambda: ce.lightgbm.objective(loss),
        "NumPy": lambda: numpy_objective(y, factor, "F"),
    }

    def train(name: str) -> Run:
        timed, seconds = with_clock(calls[name]()) if name in calls else (None, [])
        begin = time.perf_counter()
        chosen = {**options, **many, "objective": timed or builtin}
        lightgbm.train(chosen, started if timed else plain, ROUNDS)
        return Run(time.perf_counter() - begin, sum(seconds))

    return train


def measure(library: str, case: Case, rounds: int) -> Figure:
    train = {"xgboost": xgboost_trainer, "lightgbm": lightgbm_trainer}[library](case)
    runs: dict[str, list[Run]] = {name: [] for name in CONTENDERS}
    train("cecore")  # threads and memory of the process
    for i in range(rounds):
        for name in np.roll(CONTENDERS, i):
            runs[str(name)].append(train(str(name)))
    return Figure(library, case.name, runs)


def verdicts(figure: Figure) -> Iterator[tuple[str, str]]:
    """What was asked, and the figure with PASS or MISSED."""
    total, share, speedup = figure.ratio("cecore"), figure.share("cecore"), figure.speedup()
    wanted = TARGETS["boosting"]
    limits = wanted["training_at_most"], wanted["share_at_most"], wanted["speedup_at_least"]
    passed = total <= limits[0], share < limits[1], speedup >= limits[2]
    texts = (
        (f"training time, at most {limits[0]}x builtin", f"{total:.3f}x"),
        (f"share of the objective, below {limits[1]:.0%}", f"{share:.1%}"),
        (f"objective, at least {limits[2]}x faster than NumPy's", f"{speedup:.1f}x"),
    )
    for (what, value), good in zip(texts, passed):
        yield what, f"{value} {'PASS' if good else 'MISSED'}"


def markdown(figures: list[Figure], about: Mapping[str, str]) -> str:
    def cell(figure: Figure, name: str) -> str:
        text = f"{figure.seconds(name):.2f} s"
        return text if name == "builtin" else f"{text}, {figure.share(name):.1%} in the objective"

    times = [[f.case, *(cell(f, name) for name in CONTENDERS)] for f in figures]
    targets = [[f.case, *(v for _, v in verdicts(f))] for f in figures]
    header = ["", *(what for what, _ in verdicts(figures[0]))]
    blocks = [
        "\n".join(f"- {key}: {value}" for key, value in about.items()),
        markdown_table(["training", *CONTENDERS], times),
        markdown_table(header, targets),
    ]
    return "\n" + "\n\n".join(blocks) + "\n"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", nargs="+", choices=LIBRARIES, default=LIBRARIES)
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--rounds", type=int, default=5, help="models a contender")
    parser.add_argument("--markdown", action="store_true", help="rewrite the blocks in docs/")
    return parser.parse_args()


def main() -> None:
    options = parse()
    libraries = ("cecore", "numpy", "xgboost", "xgboost-cpu", "lightgbm")
    found = ", ".join(f"{name} {v}" for name, v in machine.versions(libraries).items())
    setting = f"{THREADS} threads, {ROUNDS} rounds of boosting, {FEATURES} features; medians of "
    about = {**machine.describe(), "versions": found, "runs": f"{setting}{options.rounds} models"}
    command = shlex.join(["python", "bench/boosting.py", *sys.argv[1:]])
    about["command"] = f"`{command}`"
    for key, value in about.items():
        print(f"{key}: {value}")

    saved = []
    for library in options.library:
        figures = []
        for name in options.case:
            with ce.num_threads(THREADS):
                figure = measure(library, CASES[name], options.rounds)
            figures.append(figure)
            print(f"\n{library}, {name}, {CASES[name].rows} rows")
            for contender in CONTENDERS:
                print(
                    f"  {contender:<10}{figure.seconds(contender):8.2f} s"
                    f"{figure.ratio(contender):8.3f}x{figure.share(contender):8.1%} in objective"
                )
            for what, verdict in verdicts(figure):
                print(f"  {what}: {verdict}", flush=True)
        saved += [figure._asdict() for figure in figures]
        if options.markdown:
            page = ROOT / "docs" / f"{library}.md"
            rewrite_block(f"{library}-speed", command, markdown(figures, about), page)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": about, "seconds": saved}, indent=1) + "\n")
    print(f"\nwritten: {RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
