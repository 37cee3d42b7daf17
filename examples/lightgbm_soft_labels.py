"""LightGBM on soft labels, which no builtin objective takes, beside the builtin on majority votes.

Run `python examples/lightgbm_soft_labels.py`, with lightgbm and scikit-learn installed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import lightgbm
import numpy as np

import cecore as ce
import cecore.lightgbm
from annotators import CLASSES, noisy_digits

LOSS = ce.SoftmaxCrossEntropy()
OPTIONS = {
    "num_class": CLASSES, "max_depth": 3, "learning_rate": 0.2, "num_threads": 2, "verbose": -1,
}  # fmt: skip


def train(rounds: int = 40) -> tuple[dict[str, list[float]], lightgbm.Booster, np.ndarray]:
    """Return the held-out log loss by round of both models; ours, and its probabilities."""
    digits = noisy_digits()
    builtin: dict = {}
    train_set = lightgbm.Dataset(digits.x, digits.majority)
    lightgbm.train(
        {**OPTIONS, "objective": "multiclass"}, train_set, rounds,
        valid_sets=[train_set.create_valid(digits.x_test, digits.y_test)],
        callbacks=[lightgbm.record_evaluation(builtin)],
    )  # fmt: skip

    # A Dataset keeps one label a row: here its number in a table of the labels of all rows.
    table = np.concatenate([digits.shares, np.eye(CLASSES)[digits.y_test]])
    numbers, held_out = np.split(np.arange(len(table)), [len(digits.x)])
    start = ce.lightgbm.init_score(LOSS, digits.shares)
    train_set = lightgbm.Dataset(digits.x, numbers, init_score=start)
    valid_start = ce.lightgbm.init_score(LOSS, digits.shares, rows=len(held_out))
    ours: dict = {}
    model = lightgbm.train(
        {**OPTIONS, "objective": ce.lightgbm.objective(LOSS, targets=table), "metric": "None"},
        train_set, rounds, feval=ce.lightgbm.metric(LOSS, targets=table),
        valid_sets=[train_set.create_valid(digits.x_test, held_out, init_score=valid_start)],
        callbacks=[lightgbm.record_evaluation(ours)],
    )  # fmt: skip
    curves = {
        "builtin, majority vote": builtin["valid_0"]["multi_logloss"],
        "cecore, shares": ours["valid_0"]["SoftmaxCrossEntropy"],
    }
    p = ce.lightgbm.probabilities(LOSS, model, digits.x_test, init_score=start[0])
    return curves, model, p


def main() -> None:
    curves, model, probabilities = train()
    for name, losses in curves.items():
        print(f"{name:<24} held-out log loss {losses[-1]:.4f}, at best {min(losses):.4f}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.txt")
        model.save_model(path)
        again = lightgbm.Booster(model_file=path)
    digits = noisy_digits()
    start = ce.lightgbm.init_score(LOSS, digits.shares)[0]  # the model does not keep it
    p = ce.lightgbm.probabilities(LOSS, again, digits.x_test, init_score=start)
    same = np.array_equal(p, probabilities)
    print(f"saved and read again: {'the same' if same else 'other'} probabilities")


if __name__ == "__main__":
    main()
