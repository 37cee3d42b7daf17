"""The boosting screens of the demo: models of the builtin objectives, and one that none offers."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import catboost
import lightgbm
import numpy as np
import xgboost
from sklearn import datasets
from sklearn.model_selection import train_test_split

import catboost_soft_labels
import cecore as ce
import cecore.catboost
import cecore.lightgbm
import cecore.xgboost
import lightgbm_soft_labels
import xgboost_soft_labels

ROUNDS = 20
Train = Callable[[Any, np.ndarray, np.ndarray, np.ndarray, bool], np.ndarray]


def with_xgboost(loss: Any, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, ours: bool) -> Any:
    options = {"objective": "binary:logistic", "max_depth": 3, "nthread": 2}
    if loss == ce.SoftmaxCrossEntropy():
        options |= {"objective": "multi:softprob", "num_class": int(y.max()) + 1}
    obj = None
    if ours:
        options["base_score"] = ce.xgboost.base_score(loss, y)
        obj = ce.xgboost.objective(loss)
    model = xgboost.train(options, xgboost.DMatrix(x, y), ROUNDS, obj=obj)
    return model.predict(xgboost.DMatrix(x_test))


def with_lightgbm(loss: Any, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, ours: bool) -> Any:
    options = {"objective": "binary", "max_depth": 3, "num_threads": 2, "verbose": -1}
    options |= {"deterministic": True, "force_row_wise": True}
    if loss == ce.SoftmaxCrossEntropy():
        options |= {"objective": "multiclass", "num_class": int(y.max()) + 1}
    if not ours:
        return lightgbm.train(options, lightgbm.Dataset(x, y), ROUNDS).predict(x_test)
    options["objective"] = ce.lightgbm.objective(loss)
    start = ce.lightgbm.init_score(loss, y)
    model = lightgbm.train(options, lightgbm.Dataset(x, y, init_score=start), ROUNDS)
    return ce.lightgbm.probabilities(loss, model, x_test, init_score=start[0])


def with_catboost(loss: Any, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, ours: bool) -> Any:
    softmax = loss == ce.SoftmaxCrossEntropy()
    name = "MultiClass" if softmax else "Logloss"
    model = catboost.CatBoostClassifier(
        loss_function=ce.catboost.objective(loss) if ours else name, eval_metric=name,
        iterations=ROUNDS, depth=3, learning_rate=0.3, thread_count=2, verbose=False,
        leaf_estimation_method="Newton", leaf_estimation_iterations=1, bootstrap_type="No",
        random_strength=0, allow_writing_files=False,
        **({"classes_count": int(y.max()) + 1} if softmax else {}),
    )  # fmt: skip
    return ce.catboost.probabilities(loss, model.fit(x, y), x_test)


LIBRARIES: dict[str, Train] = {
    "XGBoost": with_xgboost,
    "LightGBM": with_lightgbm,
    "CatBoost": with_catboost,
}
DATA = {
    "breast cancer, 2 classes": (datasets.load_breast_cancer, tuple(LIBRARIES)),
    "wine, 3 classes": (datasets.load_wine, tuple(LIBRARIES)),
    "digits, 10 classes": (datasets.load_digits, ("XGBoost", "LightGBM")),
}


def timed(train: Train, *arguments: Any) -> tuple[np.ndarray, float]:
    begin = time.perf_counter()
    return train(*arguments), time.perf_counter() - begin


def show_parity() -> None:
    print(f"{'':<36}{'held-out log loss':>22}{'largest':>14}{'training, s':>18}")
    print(f"{'':<36}{'builtin':>12}{'cecore':>10}{'difference':>14}{'builtin':>10}{'cecore':>8}")
    for name, (load, libraries) in DATA.items():
        x, y = load(return_X_y=True)
        x, x_test, y, y_test = train_test_split(x, y, random_state=0, stratify=y)
        binary = y.max() == 1
        loss = ce.SigmoidCrossEntropy() if binary else ce.SoftmaxCrossEntropy()
        log_loss = ce.xgboost.metric(loss, input="probability")
        for library in libraries:
            train = LIBRARIES[library]
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                theirs, builtin_time = timed(train, loss, x, y, x_test, False)
                ours, our_time = timed(train, loss, x, y, x_test, True)
            losses = [log_loss(y_test, p) for p in (theirs, ours)]
            print(
                f"{name:<26}{library:<10}{losses[0]:>12.6f}{losses[1]:>10.6f}"
                f"{abs(ours - theirs).max():>14.0e}{builtin_time:>10.2f}{our_time:>8.2f}"
            )
    print(
        f"\n{ROUNDS} rounds; difference of the predicted probabilities. XGBoost computes in\n"
        "float32, with another exp. CatBoost calls an objective of several classes once a row."
    )


def show_soft_labels() -> None:
    print(f"{'':<36}{'held-out log loss':>22}")
    print(f"{'':<30}{'majority vote, builtin':>24}{'shares, cecore':>18}")
    examples = (xgboost_soft_labels, lightgbm_soft_labels, catboost_soft_labels)
    for library, example in zip(LIBRARIES, examples):
        curves, _, _ = example.train()
        builtin, ours = (losses[-1] for losses in curves.values())
        print(f"digits, 3 annotators  {library:<10}{builtin:>22.4f}{ours:>18.4f}")
    print(
        "\nThe annotators err on the same rows (examples/annotators.py). Builtin objectives take\n"
        "one class a row; ours take the shares of the votes. Held-out labels are the true ones."
    )
