"""cecore.xgboost: the models of the builtin objectives, soft labels, and mistakes made loud."""

import copy
import json
import pickle

import numpy as np
import pytest

xgboost = pytest.importorskip("xgboost")

import cecore as ce
import cecore.xgboost
from tests.boosting import CASES, loss_of, plain_derivatives, soft_labels, split
from tests.messages import says

SOFTMAX, SIGMOID = ce.SoftmaxCrossEntropy(), ce.SigmoidCrossEntropy()
OLD = tuple(map(int, xgboost.__version__.split(".")[:2])) < (3, 1)  # one base score for all


def matrices(data):
    return (
        xgboost.DMatrix(data.x, data.y, weight=data.w),
        xgboost.DMatrix(data.x_valid, data.y_valid, weight=data.w_valid),
    )


def options(data, **more):
    chosen = {"nthread": 1, "max_depth": 3, "eta": 0.5, **more}
    if data.classes == 2:
        return {"objective": "binary:logistic", "eval_metric": "logloss", **chosen}
    return {
        "objective": "multi:softprob",
        "num_class": data.classes,
        "eval_metric": "mlogloss",
        **chosen,
    }


def train(data, obj=None, rounds=10, loss=None, **more):
    """Train with early stopping; our metric beside our objective."""
    train_set, valid_set = matrices(data)
    loss = loss or loss_of(data)
    start = {"base_score": ce.xgboost.base_score(loss, data.y, data.w)} if obj else {}
    history = {}
    model = xgboost.train(
        {**options(data), **start, **more}, train_set, rounds, obj=obj,
        custom_metric=ce.xgboost.metric(loss, "margin" if obj else "probability"),
        evals=[(valid_set, "valid")], evals_result=history, early_stopping_rounds=2,
        verbose_eval=False,
    )  # fmt: skip
    return model, history["valid"]


def assert_same_margins(ours, builtin, data):
    """XGBoost's exp is float32's; its rounding is what is left: 1e-6 of the largest margin."""
    ours, builtin = (m.predict(data, output_margin=True) for m in (ours, builtin))
    assert abs(ours - builtin).max() <= 1e-6 * max(1, abs(builtin).max())


@pytest.mark.parametrize(("name", "weighted"), CASES)
def test_model_metric_and_early_stopping_are_those_of_the_builtin(name, weighted):
    data = split(name, weighted)
    builtin, builtin_history = train(data)
    ours, history = train(data, ce.xgboost.objective(loss_of(data)))
    assert_same_margins(ours, builtin, matrices(data)[1])
    assert ours.best_iteration == builtin.best_iteration
    for metric, values in builtin_history.items():
        assert history[metric] == pytest.approx(values, abs=2e-6), metric
    own, theirs = history.values()
    assert own == pytest.approx(theirs, abs=2e-6)  # theirs clips probabilities, in float32
    assert ours.predict(matrices(data)[1]) == pytest.approx(
        ce.xgboost.probabilities(loss_of(data), ours, matrices(data)[1]), abs=1e-6
    )


@pytest.mark.parametrize("name", ["breast cancer, 2", "iris, 3"])
def test_classifier_is_that_of_the_builtin(name):
    data = split(name, weighted=True)
    loss = loss_of(data)
    chosen = {"n_estimators": 10, "max_depth": 3, "n_jobs": 1, "early_stopping_rounds": 2}
    evaluate = {"eval_set": [(data.x_valid, data.y_valid)], "verbose": False}
    builtin = xgboost.XGBClassifier(**chosen).fit(data.x, data.y, sample_weight=data.w, **evaluate)
    ours = xgboost.XGBClassifier(
        **chosen, objective=ce.xgboost.objective(loss), eval_metric=ce.xgboost.metric(loss),
        base_score=ce.xgboost.base_score(loss, data.y, data.w),
    ).fit(data.x, data.y, sample_weight=data.w, **evaluate)  # fmt: skip
    probabilities = ours.predict_proba(data.x_valid)
    assert probabilities == pytest.approx(builtin.predict_proba(data.x_valid), abs=2e-6)
    p = ce.xgboost.probabilities(loss, ours, data.x_valid)
    assert p == pytest.approx(probabilities if p.ndim == 2 else probabilities[:, 1], abs=1e-6)
    again = pickle.loads(pickle.dumps(ours))
    assert np.array_equal(again.predict_proba(data.x_valid), probabilities)


def test_several_labels_a_row_are_those_of_the_builtin():
    data = split("digits, 10")
    labels = np.stack([data.y % 2, data.y > 4, data.y == 3], axis=1)
    train_set = xgboost.DMatrix(data.x, labels)
    chosen = {"objective": "binary:logistic", "nthread": 1, "max_depth": 3}
    start = ce.xgboost.base_score(SIGMOID, labels)
    builtin = xgboost.train(chosen, train_set, 5)
    objective = ce.xgboost.objective(SIGMOID)
    ours = xgboost.train({**chosen, "base_score": start}, train_set, 5, obj=objective)
    assert_same_margins(ours, builtin, train_set)


@pytest.mark.filterwarnings("ignore:Training starts:UserWarning" if OLD else "error")
def test_soft_labels_and_their_metric():
    data = split("wine, 3")
    train_set = xgboost.DMatrix(data.x, soft_labels(data))
    start = {} if OLD else {"base_score": ce.xgboost.base_score(SOFTMAX, soft_labels(data))}
    history = {}
    model = xgboost.train(
        {"nthread": 1, "max_depth": 2, "disable_default_eval_metric": 1, **start}, train_set, 20,
        obj=ce.xgboost.objective(SOFTMAX), custom_metric=ce.xgboost.metric(SOFTMAX),
        evals=[(train_set, "train")], evals_result=history, verbose_eval=False,
    )  # fmt: skip
    p = ce.xgboost.probabilities(SOFTMAX, model, train_set)
    assert p.sum(axis=1) == pytest.approx(1, abs=1e-6)
    mean = -np.sum(soft_labels(data) * np.log(p), axis=1).mean()
    assert history["train"]["SoftmaxCrossEntropy"][-1] == pytest.approx(mean, abs=1e-5)
    assert np.mean(p.argmax(axis=1) == data.y) > 0.9


def test_saved_model_predicts_probabilities_by_itself(tmp_path):
    data = split("iris, 3")
    model, _ = train(data, ce.xgboost.objective(SOFTMAX))
    model.save_model(tmp_path / "model.ubj")
    again = xgboost.Booster(model_file=tmp_path / "model.ubj")
    x = xgboost.DMatrix(data.x_valid)
    assert np.array_equal(again.predict(x), model.predict(x))
    assert again.predict(x).sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(
        ce.xgboost.probabilities(SOFTMAX, again, x), ce.xgboost.probabilities(SOFTMAX, model, x)
    )


@pytest.mark.parametrize("loss", [SIGMOID, SOFTMAX], ids=["sigmoid", "softmax"])
@pytest.mark.parametrize("min_hessian", [None, 0, 0.1])
@pytest.mark.parametrize(("hessian", "factor"), [("builtin", 2), ("exact", 1), ("upper_bound", 2)])
def test_derivatives(loss, hessian, factor, min_hessian):
    rng = np.random.default_rng(0)
    shape = (30, 4) if loss is SOFTMAX else (30,)
    margins = rng.normal(scale=4, size=shape).astype(np.float32)
    labels = rng.integers(2, size=30).astype(np.float32)
    weights = rng.uniform(0, 2, 30).astype(np.float32)
    weights[0] = 0
    objective = ce.xgboost.objective(loss, hessian, min_hessian)
    gradient, second = objective(labels, margins, weights)
    for array in (gradient, second):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
    expected, exact = plain_derivatives(loss, margins, labels, weights)
    assert gradient == pytest.approx(expected, rel=1e-5, abs=1e-7)
    floor = (1e-16 if min_hessian is None else min_hessian) * weights.reshape(
        -1, *[1] * (len(shape) - 1)
    )
    scaled = exact * (factor if loss is SOFTMAX else 1)
    assert second == pytest.approx(np.maximum(scaled, floor), rel=1e-5, abs=1e-12)
    assert not gradient[0].any()
    assert not second[0].any()


def test_memory_is_reused_and_labels_are_checked_once(monkeypatch):
    data = split("iris, 3")
    train_set, _ = matrices(data)
    objective = ce.xgboost.objective(SOFTMAX)
    checks = []
    original = ce.SoftmaxCrossEntropy._margins
    monkeypatch.setattr(
        ce.SoftmaxCrossEntropy, "_margins", lambda *a: checks.append(1) or original(*a)
    )
    results = []

    def watch(margins, train_set):
        results.append(objective(margins, train_set))
        return results[-1]

    start = ce.xgboost.base_score(SOFTMAX, data.y)
    checks.clear()
    xgboost.train({**options(data), "base_score": start}, train_set, 5, obj=watch)
    assert len(checks) == 1
    assert all(r[0] is results[0][0] and r[1] is results[0][1] for r in results)
    train_set.set_label((data.y + 1) % 3)  # changed labels of the same DMatrix are seen
    xgboost.train({**options(data), "base_score": start}, train_set, 5, obj=watch)
    assert len(checks) == 2
    builtin = xgboost.train({**options(data), "base_score": start}, train_set, 5)
    ours = xgboost.train({**options(data), "base_score": start}, train_set, 5, obj=objective)
    assert_same_margins(ours, builtin, train_set)


@pytest.mark.parametrize(
    "made",
    [
        ce.xgboost.objective(SOFTMAX, "exact", 0.25),
        ce.xgboost.metric(SIGMOID, "probability"),
    ],
)
def test_adapters_are_small_and_copy(made):
    if isinstance(made, ce.xgboost.Objective):
        labels = np.arange(1000) % 5
        made(labels, np.zeros((1000, 5), np.float32))  # what is kept is not pickled
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert repr(again) == repr(made)
    assert len(pickle.dumps(made)) < 400
    assert repr(made).startswith(("Objective(loss=Softmax", "Metric(loss=Sigmoid"))


def test_builtin_base_score_is_followed():
    for name in ("breast cancer, 2", "wine, 3"):
        data = split(name, weighted=True)
        builtin = xgboost.train(options(data), matrices(data)[0], 1)
        config = json.loads(builtin.save_config())["learner"]["learner_model_param"]
        score = ce.xgboost.base_score(loss_of(data), data.y, data.w)
        assert np.ravel(score) == pytest.approx(
            np.ravel(json.loads(config["base_score"])), abs=2e-6
        )


# What users get wrong, each with its cure.


def fit(loss, labels=None, more=None, weight=None, metric=None, objective=None):
    data = split("iris, 3")
    labels = data.y if labels is None else labels
    train_set = xgboost.DMatrix(data.x, labels)
    if weight is not None:
        train_set.set_weight(weight)
    return xgboost.train(
        {"objective": "multi:softprob", "num_class": 3, "base_score": 0.5, **(more or {})},
        train_set, 2, obj=objective if objective != "ours" else ce.xgboost.objective(loss),
        custom_metric=metric, evals=[(train_set, "train")], verbose_eval=False,
    )  # fmt: skip


def test_a_forgotten_num_class_is_an_error():
    with says(ValueError, "one number a row", "set num_class"):
        fit(SOFTMAX, more={"objective": "reg:squarederror", "num_class": 0}, objective="ours")


def test_a_sigmoid_on_classes_is_an_error():
    with says(ValueError, "for one class a row use SoftmaxCrossEntropy"):
        fit(SIGMOID, objective="ours")


def test_flat_predictions_are_an_error():
    with says(ValueError, "predictions are flat, shape (12,) for 4 rows", "(rows, classes)"):
        ce.xgboost.objective(SOFTMAX)(np.zeros(4), np.zeros(12, np.float32))


def test_a_class_too_many_is_an_error_with_its_row():
    labels = split("iris, 3").y.copy()
    labels[7] = 3
    with says(ValueError, "Row 7 has label 3", "integers from 0 to 2"):
        fit(SOFTMAX, labels, objective="ours")


def test_labels_counted_from_one_are_an_error():
    with says(ValueError, "counted from 1: pass labels - 1"):
        fit(SOFTMAX, split("iris, 3").y + 1, objective="ours")


def test_a_negative_weight_is_an_error_with_its_row():
    margins = np.zeros((4, 3), np.float32)
    with says(ValueError, "Row 2 has sample_weight -1"):
        ce.xgboost.objective(SOFTMAX)(np.zeros(4), margins, [1, 1, -1, 1])


def test_weights_of_other_rows_are_an_error():
    with says(ValueError, "sample_weight has shape (3,), wanted (4,)"):
        ce.xgboost.objective(SIGMOID)(np.zeros(4), np.zeros(4, np.float32), np.ones(3))


def test_probabilities_taken_for_margins_are_an_error():
    with says(ValueError, "look like probabilities", 'input="probability"'):
        fit(SOFTMAX, metric=ce.xgboost.metric(SOFTMAX))


def test_margins_taken_for_probabilities_are_an_error():
    metric = ce.xgboost.metric(SOFTMAX, "probability")
    with says(ValueError, "no probabilities", 'input="margin"'):
        fit(SOFTMAX, metric=metric, objective="ours")


def test_class_numbers_taken_for_predictions_are_an_error():
    with says(ValueError, "class numbers, name multi:softprob"):
        fit(SOFTMAX, more={"objective": "multi:softmax"}, metric=ce.xgboost.metric(SOFTMAX))


def skewed():
    data = split("breast cancer, 2")
    keep = (data.y == 1) | (np.arange(len(data.y)) % 5 == 0)
    return data._replace(x=data.x[keep], y=data.y[keep])


def test_binary_probabilities_taken_for_margins_warn():
    data = skewed()
    metric = ce.xgboost.metric(SIGMOID)
    model, _ = train(data, rounds=10)
    with pytest.warns(UserWarning, match='input="probability"'):
        metric(data.y, model.predict(xgboost.DMatrix(data.x)))
    metric(data.y, model.predict(xgboost.DMatrix(data.x), output_margin=True))  # and here not


@pytest.mark.parametrize(
    "wrong",
    [
        {},  # forgotten
        {"objective": "reg:squarederror", "base_score": 0.9},  # a probability where a margin starts
    ],
)
def test_a_wrong_base_score_warns(wrong):
    data = skewed()
    with pytest.warns(UserWarning, match="Training starts from the margin.*base_score="):
        xgboost.train(
            {**options(data), **wrong}, matrices(data)[0], 1, obj=ce.xgboost.objective(SIGMOID)
        )


def test_the_right_base_score_does_not_warn():
    data = skewed()
    train(data, ce.xgboost.objective(SIGMOID), rounds=1)


def test_two_classes_of_softmax_start_without_a_double_softmax_warning():
    """The first margins of two classes are [0.5, 0.5], which sum to 1."""
    data = split("breast cancer, 2")
    data = data._replace(y=np.arange(len(data.y)) % 2, y_valid=np.arange(len(data.y_valid)) % 2)
    chosen = {"objective": "multi:softprob", "num_class": 2, "max_depth": 2, "nthread": 1}
    train_set = matrices(data)[0]
    builtin = xgboost.train({**chosen, "base_score": 0.5}, train_set, 3)
    ours = xgboost.train(
        {**chosen, "base_score": 0.5}, train_set, 3, obj=ce.xgboost.objective(SOFTMAX)
    )
    assert_same_margins(ours, builtin, train_set)


def test_a_model_of_another_loss_is_an_error():
    model, _ = train(split("breast cancer, 2"), ce.xgboost.objective(SIGMOID), rounds=1)
    with says(ValueError, "trained on another loss"):
        ce.xgboost.probabilities(SOFTMAX, model, xgboost.DMatrix(split("breast cancer, 2").x_valid))
