"""CatBoost on soft labels, which no builtin objective takes, beside the builtin on majority votes.

Run `python examples/catboost_soft_labels.py`, with catboost and scikit-learn installed. CatBoost
calls the objective once a row, so ours is the slower one by far.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import catboost
import numpy as np

import cecore as ce
import cecore.catboost
from annotators import noisy_digits

LOSS = ce.SoftmaxCrossEntropy()
OPTIONS = {
    "depth": 3, "learning_rate": 0.3, "thread_count": 2, "random_seed": 0, "verbose": False,
    "allow_writing_files": False, "leaf_estimation_iterations": 1,
}  # fmt: skip


def train(rounds: int = 20) -> tuple[dict[str, list[float]], catboost.CatBoost, np.ndarray]:
    """Return the held-out log loss by round of both models; ours, and its probabilities."""
    digits = noisy_digits()

    def losses(model: catboost.CatBoost) -> list[float]:
        stages = model.staged_predict(digits.x_test, prediction_type="RawFormulaVal")
        return [float(LOSS.loss(raw, digits.y_test, reduction="mean")) for raw in stages]

    builtin = catboost.CatBoostClassifier(loss_function="MultiClass", iterations=rounds, **OPTIONS)
    builtin.fit(digits.x, digits.majority)

    # Several labels a row are CatBoost's multi-target mode, which its regressor has.
    ours = catboost.CatBoostRegressor(
        loss_function=ce.catboost.objective(LOSS, dense_labels=True),
        eval_metric=ce.catboost.metric(LOSS, dense_labels=True), iterations=rounds, **OPTIONS,
    )  # fmt: skip
    ours.fit(digits.x, digits.shares)
    curves = {"builtin, majority vote": losses(builtin), "cecore, shares": losses(ours)}
    return curves, ours, ce.catboost.probabilities(LOSS, ours, digits.x_test)


def main() -> None:
    curves, model, probabilities = train()
    for name, losses in curves.items():
        print(f"{name:<24} held-out log loss {losses[-1]:.4f}, at best {min(losses):.4f}")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model.cbm"))
        model.save_model(path)
        again = catboost.CatBoost().load_model(path)
    p = ce.catboost.probabilities(LOSS, again, noisy_digits().x_test)
    same = np.array_equal(p, probabilities)
    print(f"saved and read again: {'the same' if same else 'other'} probabilities")


if __name__ == "__main__":
    main()
