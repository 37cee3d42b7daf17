"""cecore.catboost: the models of the builtin objectives, soft labels, and mistakes made loud."""

import copy
import pickle

import numpy as np
import pytest

catboost = pytest.importorskip("catboost")

import cecore as ce
import cecore.catboost
from tests.boosting import CASES, loss_of, plain_derivatives, soft_labels, split
from tests.messages import says

SOFTMAX, SIGMOID = ce.SoftmaxCrossEntropy(), ce.SigmoidCrossEntropy()
OPTIONS = {
    "iterations": 8,
    "depth": 3,
    "learning_rate": 0.3,
    "bootstrap_type": "No",
    "random_strength": 0,
    "leaf_estimation_method": "Newton",
    "leaf_estimation_iterations": 1,
    "thread_count": 1,
    "verbose": False,
    "allow_writing_files": False,
}


def model(loss_function, kind=catboost.CatBoostClassifier, **more):
    return kind(loss_function=loss_function, **{**OPTIONS, **more})


def raw(fitted, x):
    return fitted.predict(x, prediction_type="RawFormulaVal")


@pytest.mark.parametrize(("name", "weighted"), CASES)
def test_model_metric_and_early_stopping_are_those_of_the_builtin(name, weighted):
    data = split(name, weighted)
    loss = loss_of(data)
    name = "Logloss" if data.classes == 2 else "MultiClass"
    train_set = catboost.Pool(data.x, data.y, weight=data.w)
    valid_set = catboost.Pool(data.x_valid, data.y_valid, weight=data.w_valid)
    chosen = {} if data.classes == 2 else {"classes_count": data.classes}
    if data.classes == 50:
        chosen["iterations"] = 2  # a matrix of 50 by 50 a row
    builtin = model(name, early_stopping_rounds=2, **chosen).fit(train_set, eval_set=valid_set)
    ours = model(
        ce.catboost.objective(loss), eval_metric=ce.catboost.metric(loss),
        early_stopping_rounds=2, **chosen,
    ).fit(train_set, eval_set=valid_set)  # fmt: skip
    expected = raw(builtin, valid_set)
    assert raw(ours, valid_set) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert ours.best_iteration_ == builtin.best_iteration_
    history, theirs = (
        next(iter(m.get_evals_result()["validation"].values())) for m in (ours, builtin)
    )
    assert history == pytest.approx(theirs, rel=1e-7)
    p = ce.catboost.probabilities(loss, ours, valid_set)
    theirs = builtin.predict_proba(valid_set)
    assert p == pytest.approx(theirs if p.ndim == 2 else theirs[:, 1], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_several_labels_a_row_are_those_of_the_builtin(weighted):
    data = split("wine, 3", weighted)
    labels = np.stack([data.y == 0, data.y > 0, data.y == 1], axis=1).astype(int)
    train_set = catboost.Pool(data.x, labels, weight=data.w)
    builtin = model("MultiLogloss").fit(train_set)
    ours = model(
        ce.catboost.objective(SIGMOID, dense_labels=True),
        eval_metric=ce.catboost.metric(SIGMOID, dense_labels=True),
    ).fit(train_set)
    assert raw(ours, train_set) == pytest.approx(raw(builtin, train_set), rel=1e-12, abs=1e-12)
    # CatBoost's own MultiLogloss is another number where rows have weights.
    w = None if data.w is None else np.repeat(data.w[:, None], 3, axis=1)
    mean = SIGMOID.loss(raw(ours, train_set), labels, sample_weight=w, reduction="mean")
    assert next(iter(ours.get_best_score()["learn"].values())) == pytest.approx(mean)


def test_soft_labels():
    data = split("iris, 3")
    labels = soft_labels(data)
    train_set = catboost.Pool(data.x, labels)
    ours = model(
        ce.catboost.objective(SOFTMAX, dense_labels=True), catboost.CatBoostRegressor,
        eval_metric=ce.catboost.metric(SOFTMAX, dense_labels=True), iterations=15,
    ).fit(train_set)  # fmt: skip
    mean = SOFTMAX.loss(raw(ours, train_set), labels, reduction="mean")
    assert next(iter(ours.get_best_score()["learn"].values())) == pytest.approx(mean)
    p = ce.catboost.probabilities(SOFTMAX, ours, train_set)
    assert np.mean(p.argmax(axis=1) == data.y) > 0.9


def test_one_hot_labels_give_the_model_of_class_labels():
    data = split("iris, 3")
    classes = model(ce.catboost.objective(SOFTMAX), eval_metric="MultiClass", classes_count=3)
    hot = model(
        ce.catboost.objective(SOFTMAX, dense_labels=True), catboost.CatBoostRegressor,
        eval_metric="MultiRMSE",
    )  # fmt: skip
    classes, hot = classes.fit(data.x, data.y), hot.fit(data.x, np.eye(3)[data.y])
    assert raw(hot, data.x) == pytest.approx(raw(classes, data.x), rel=1e-12, abs=1e-12)


def test_saved_model(tmp_path):
    data = split("iris, 3")
    ours = model(ce.catboost.objective(SOFTMAX), eval_metric="MultiClass", classes_count=3)
    ours.fit(data.x, data.y).save_model(tmp_path / "model.cbm")
    again = catboost.CatBoostClassifier().load_model(tmp_path / "model.cbm")
    p, p_again = (ce.catboost.probabilities(SOFTMAX, m, data.x_valid) for m in (ours, again))
    assert np.array_equal(p, p_again)


@pytest.mark.parametrize("min_hessian", [None, 0.1])
@pytest.mark.parametrize("hessian", ["builtin", "exact", "upper_bound"])
def test_derivatives(hessian, min_hessian):
    rng = np.random.default_rng(0)
    margins, weights = rng.normal(scale=3, size=(20, 4)), rng.uniform(0, 2, 20)
    binary, classes = rng.integers(2, size=20), rng.integers(4, size=20)
    floor = min_hessian or 0

    ranges = ce.catboost.objective(SIGMOID, hessian, min_hessian)
    for w in (None, weights):
        first, second = ranges.calc_ders_range(margins[:, 0], binary, w).T
        gradient, diagonal = plain_derivatives(SIGMOID, margins[:, 0], binary, w)
        assert first == pytest.approx(-gradient, rel=1e-12)
        least = floor * (1 if w is None else w)
        assert second == pytest.approx(-np.maximum(diagonal, least), rel=1e-12)

    rows = ce.catboost.objective(SOFTMAX, hessian, min_hessian)
    gradients, diagonals = plain_derivatives(SOFTMAX, margins, classes, weights)
    for i, (x, y, w) in enumerate(zip(margins, classes, weights)):
        first, second = rows.calc_ders_multi(x, float(y), w)
        assert first == pytest.approx(-gradients[i], rel=1e-12, abs=1e-15)
        p = np.exp(x) / np.exp(x).sum()
        matrix = w * np.outer(p, p) if hessian != "upper_bound" else np.zeros((4, 4))
        scale = 2 if hessian == "upper_bound" else 1
        np.fill_diagonal(matrix, -np.maximum(scale * diagonals[i], floor * w))
        assert second == pytest.approx(matrix, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    "made",
    [
        ce.catboost.objective(SIGMOID, "exact", 0.25),
        ce.catboost.objective(SOFTMAX, dense_labels=True),
        ce.catboost.metric(SOFTMAX, dense_labels=True),
    ],
)
def test_adapters_are_small_and_copy(made):
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert type(again) is type(made)
        assert repr(again) == repr(made)


# What users get wrong, each with its cure.


def test_labels_outside_the_unit_interval_are_an_error():
    """CatBoost wraps what an objective raises in training; the message stays."""
    data = split("iris, 3")
    ours = model(ce.catboost.objective(SIGMOID), catboost.CatBoostRegressor, eval_metric="RMSE")
    with says(catboost.CatBoostError, "has label 2", "lie in [0, 1]"):
        ours.fit(data.x, data.y)
    with says(ValueError, "Row 1 has label 2"):
        ce.catboost.objective(SIGMOID).calc_ders_range([0.0, 0.0], [0.0, 2.0], None)


def test_a_class_too_many_is_an_error():
    with says(ValueError, "label 7", "integers from 0 to 2"):
        ce.catboost.objective(SOFTMAX).calc_ders_multi(np.zeros(3), 7.0, 1.0)


def test_a_softmax_on_one_margin_is_an_error():
    data = split("breast cancer, 2")
    fitted = model(ce.catboost.objective(SIGMOID), eval_metric="Logloss").fit(data.x, data.y)
    with says(ValueError, "one a row", "trained on another loss"):
        ce.catboost.probabilities(SOFTMAX, fitted, data.x)
    with says(ValueError, "one number a row", "use SigmoidCrossEntropy"):
        ce.catboost.metric(SOFTMAX).evaluate([np.zeros(3)], np.zeros(3), None)


def test_a_negative_weight_is_an_error_with_its_row():
    with says(ValueError, "Row 1 has sample_weight -2"):
        ce.catboost.objective(SIGMOID).calc_ders_range([0.0, 0.0], [0.0, 1.0], [1.0, -2.0])
