"""The plots of docs/: held-out log loss by round, on shares of votes and on majority votes.

Run `make docs-plots`; it writes docs/xgboost.svg, docs/lightgbm.svg and docs/catboost.svg.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

import catboost_soft_labels
import lightgbm_soft_labels
import xgboost_soft_labels

DOCS = Path(__file__).resolve().parent.parent / "docs"
EXAMPLES = {
    "XGBoost": xgboost_soft_labels,
    "LightGBM": lightgbm_soft_labels,
    "CatBoost": catboost_soft_labels,
}


def plot(library: str, curves: dict[str, list[float]]) -> None:
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for name, losses in curves.items():
        axes.plot(range(1, len(losses) + 1), losses, label=name)
    axes.set(title=f"{library}: digits, three annotators", xlabel="round")
    axes.set_ylabel("held-out log loss, nats")
    axes.legend()
    # Text stays text, and the same figures give the same file.
    figure.savefig(DOCS / f"{library.lower()}.svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)


def main() -> None:
    matplotlib.use("svg")
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "cecore", "path.simplify": True})
    for library, example in EXAMPLES.items():
        plot(library, example.train()[0])


if __name__ == "__main__":
    main()
