"""XGBoost on soft labels, which no builtin objective takes, beside the builtin on majority votes.

Run `python examples/xgboost_soft_labels.py`, with xgboost and scikit-learn installed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import xgboost

import cecore as ce
import cecore.xgboost
from annotators import CLASSES, noisy_digits

LOSS = ce.SoftmaxCrossEntropy()
OPTIONS = {"max_depth": 3, "eta": 0.2, "nthread": 2}


def train(rounds: int = 40) -> tuple[dict[str, list[float]], xgboost.Booster, np.ndarray]:
    """Return the held-out log loss by round of both models; ours, and its probabilities."""
    digits = noisy_digits()
    held_out = xgboost.DMatrix(digits.x_test, digits.y_test)
    builtin: dict = {}
    xgboost.train(
        {**OPTIONS, "objective": "multi:softprob", "num_class": CLASSES, "eval_metric": "mlogloss"},
        xgboost.DMatrix(digits.x, digits.majority), rounds,
        evals=[(held_out, "held_out")], evals_result=builtin, verbose_eval=False,
    )  # fmt: skip

    # A label matrix makes XGBoost grow a tree a column, as num_class does; no objective's name.
    hot = xgboost.DMatrix(digits.x_test, np.eye(CLASSES)[digits.y_test])
    score = ce.xgboost.base_score(LOSS, digits.shares)
    ours: dict = {}
    model = xgboost.train(
        {**OPTIONS, "base_score": score, "disable_default_eval_metric": 1},
        xgboost.DMatrix(digits.x, digits.shares), rounds,
        obj=ce.xgboost.objective(LOSS), custom_metric=ce.xgboost.metric(LOSS),
        evals=[(hot, "held_out")], evals_result=ours, verbose_eval=False,
    )  # fmt: skip
    curves = {
        "builtin, majority vote": builtin["held_out"]["mlogloss"],
        "cecore, shares": ours["held_out"]["SoftmaxCrossEntropy"],
    }
    return curves, model, ce.xgboost.probabilities(LOSS, model, held_out)


def main() -> None:
    curves, model, probabilities = train()
    for name, losses in curves.items():
        print(f"{name:<24} held-out log loss {losses[-1]:.4f}, at best {min(losses):.4f}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.ubj")
        model.save_model(path)
        again = xgboost.Booster(model_file=path)
    held_out = xgboost.DMatrix(noisy_digits().x_test)
    same = np.array_equal(ce.xgboost.probabilities(LOSS, again, held_out), probabilities)
    print(f"saved and read again: {'the same' if same else 'other'} probabilities")


if __name__ == "__main__":
    main()
