"""cecore.lightgbm: the models of the builtin objectives, soft labels, and mistakes made loud."""

import copy
import pickle

import numpy as np
import pytest

lightgbm = pytest.importorskip("lightgbm")

import cecore as ce
import cecore.lightgbm
from tests.boosting import CASES, loss_of, plain_derivatives, soft_labels, split
from tests.messages import says

SOFTMAX, SIGMOID = ce.SoftmaxCrossEntropy(), ce.SigmoidCrossEntropy()
OPTIONS = {
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "max_depth": 3,
    "verbose": -1,
}


def options(data, objective=None, **more):
    many = {} if data.classes == 2 else {"num_class": data.classes}
    builtin = "multiclass" if many else "binary"
    return {**OPTIONS, **many, "objective": objective or builtin, **more}


def train(data, objective=None, start=True, rounds=10):
    """Train with early stopping on the loss itself; `start` is that of the shares of labels."""
    loss = loss_of(data)
    scores = (None, None)
    if objective and start:
        valid = ce.lightgbm.init_score(loss, data.y, data.w, rows=len(data.y_valid))
        scores = (ce.lightgbm.init_score(loss, data.y, data.w), valid)
    train_set = lightgbm.Dataset(data.x, data.y, weight=data.w, init_score=scores[0])
    valid_set = lightgbm.Dataset(
        data.x_valid, data.y_valid, weight=data.w_valid, init_score=scores[1], reference=train_set
    )
    history = {}
    model = lightgbm.train(
        options(data, objective, metric="None", boost_from_average=start), train_set, rounds,
        valid_sets=[valid_set],
        feval=ce.lightgbm.metric(loss, "margin" if objective else "probability"),
        callbacks=[
            lightgbm.early_stopping(2, verbose=False), lightgbm.record_evaluation(history),
        ],
    )  # fmt: skip
    return model, history["valid_0"][type(loss).__name__]


@pytest.mark.filterwarnings("ignore:Training starts:UserWarning")
@pytest.mark.parametrize(("name", "weighted"), CASES)
def test_model_is_that_of_the_builtin_bit_for_bit(name, weighted):
    data = split(name, weighted)
    builtin, builtin_history = train(data, start=False)
    ours, history = train(data, ce.lightgbm.objective(loss_of(data)), start=False)
    raw = builtin.predict(data.x_valid, raw_score=True)
    assert np.array_equal(ours.predict(data.x_valid, raw_score=True), raw)
    assert ours.best_iteration == builtin.best_iteration
    assert history == pytest.approx(builtin_history, rel=1e-12)
    p = ce.lightgbm.probabilities(loss_of(data), ours, data.x_valid, init_score=0)
    assert p == pytest.approx(builtin.predict(data.x_valid), rel=1e-12)


@pytest.mark.parametrize(("name", "weighted"), CASES)
def test_init_score_is_the_start_of_the_builtin(name, weighted):
    """Added to the trees before or after, it rounds differently: the last bits of float64."""
    data = split(name, weighted)
    builtin, builtin_history = train(data)
    ours, history = train(data, ce.lightgbm.objective(loss_of(data)))
    assert ours.best_iteration == builtin.best_iteration
    assert history == pytest.approx(builtin_history, rel=1e-7)
    start = ce.lightgbm.init_score(loss_of(data), data.y, data.w)
    p = ce.lightgbm.probabilities(loss_of(data), ours, data.x_valid, init_score=start[0])
    assert p == pytest.approx(builtin.predict(data.x_valid), rel=1e-7)


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")  # 4.0 knows no other
@pytest.mark.parametrize("name", ["breast cancer, 2", "iris, 3"])
def test_classifier(name):
    data = split(name, weighted=True)
    loss = loss_of(data)
    start = ce.lightgbm.init_score(loss, data.y, data.w)
    valid = ce.lightgbm.init_score(loss, data.y, data.w, rows=len(data.y_valid))
    chosen = {**OPTIONS, "n_estimators": 10}
    builtin = lightgbm.LGBMClassifier(**chosen).fit(data.x, data.y, sample_weight=data.w)
    ours = lightgbm.LGBMClassifier(**chosen, objective=ce.lightgbm.objective(loss))
    ours.fit(
        data.x, data.y, sample_weight=data.w, init_score=start,
        eval_metric=ce.lightgbm.metric(loss),
        eval_set=[(data.x_valid, data.y_valid)], eval_init_score=[valid],
    )  # fmt: skip
    p = ce.lightgbm.probabilities(loss, ours, data.x_valid, init_score=start[0])
    theirs = builtin.predict_proba(data.x_valid)
    assert p == pytest.approx(theirs if p.ndim == 2 else theirs[:, 1], rel=1e-7)
    history = ours.evals_result_["valid_0"][type(loss).__name__]
    assert history[-1] == pytest.approx(loss.loss(
        ours.predict(data.x_valid, raw_score=True) + start[0], data.y_valid, reduction="mean"
    ))  # fmt: skip
    again = pickle.loads(pickle.dumps(ours))
    p_again = ce.lightgbm.probabilities(loss, again, data.x_valid, init_score=start[0])
    assert np.array_equal(p, p_again)


@pytest.mark.parametrize("loss", [SOFTMAX, SIGMOID], ids=["soft labels", "several labels"])
def test_targets(loss):
    """One table serves training and validation; a row's label is its number in it."""
    data = split("wine, 3")
    targets = soft_labels(data)
    rows = np.arange(len(data.y))
    train_rows, valid_rows = rows[rows % 4 > 0], rows[rows % 4 == 0]
    start = ce.lightgbm.init_score(loss, targets[train_rows])
    valid_start = ce.lightgbm.init_score(loss, targets[train_rows], rows=len(valid_rows))
    train_set = lightgbm.Dataset(data.x[train_rows], train_rows, init_score=start)
    valid_set = lightgbm.Dataset(
        data.x[valid_rows], valid_rows, init_score=valid_start, reference=train_set
    )
    history = {}
    model = lightgbm.train(
        options(data, ce.lightgbm.objective(loss, targets=targets)), train_set, 15,
        valid_sets=[valid_set], feval=ce.lightgbm.metric(loss, targets=targets),
        callbacks=[lightgbm.record_evaluation(history)],
    )  # fmt: skip
    x, y = data.x[valid_rows], targets[valid_rows]
    raw = model.predict(x, raw_score=True) + start[0]
    values = history["valid_0"][type(loss).__name__]
    assert values[-1] == pytest.approx(loss.loss(raw, y, reduction="mean"))
    assert values[-1] < loss.loss(valid_start, y, reduction="mean") - 0.05


def test_one_hot_targets_give_the_model_of_class_labels():
    data = split("iris, 3")
    models = [
        lightgbm.train(
            options(data, ce.lightgbm.objective(SOFTMAX, targets=targets)),
            lightgbm.Dataset(data.x, labels), 5,
        )
        for targets, labels in ((None, data.y), (np.eye(3)[data.y], np.arange(len(data.y))))
    ]  # fmt: skip
    assert np.array_equal(models[0].predict(data.x), models[1].predict(data.x))


def test_saved_model(tmp_path):
    data = split("iris, 3")
    model, _ = train(data, ce.lightgbm.objective(SOFTMAX))
    start = ce.lightgbm.init_score(SOFTMAX, data.y)[0]
    model.save_model(tmp_path / "model.txt")
    again = lightgbm.Booster(model_file=tmp_path / "model.txt")
    p, p_again = (
        ce.lightgbm.probabilities(SOFTMAX, m, data.x_valid, init_score=start)
        for m in (model, again)
    )
    assert np.array_equal(p, p_again)


@pytest.mark.parametrize("loss", [SIGMOID, SOFTMAX], ids=["sigmoid", "softmax"])
@pytest.mark.parametrize("min_hessian", [None, 0.1])
@pytest.mark.parametrize(
    ("hessian", "factor"), [("builtin", 4 / 3), ("exact", 1), ("upper_bound", 2)]
)
def test_derivatives(loss, hessian, factor, min_hessian):
    rng = np.random.default_rng(0)
    shape = (30, 4) if loss is SOFTMAX else (30,)
    margins = np.asfortranarray(rng.normal(scale=4, size=shape))
    labels = rng.integers(2, size=30).astype(np.float32)
    weights = rng.uniform(0, 2, 30).astype(np.float32)
    weights[0] = 0
    objective = ce.lightgbm.objective(loss, hessian, min_hessian)
    gradient, second = objective(labels, margins, weights)
    for array in (gradient, second):
        assert array.dtype == np.float32
        assert array.flags.f_contiguous
    expected, exact = plain_derivatives(loss, margins, labels, weights)
    assert gradient == pytest.approx(expected, rel=1e-6, abs=1e-12)
    floor = (min_hessian or 0) * weights.reshape(-1, *[1] * (len(shape) - 1))
    scaled = exact * (factor if loss is SOFTMAX else 1)
    assert second == pytest.approx(np.maximum(scaled, floor), rel=1e-6, abs=1e-12)
    assert not gradient[0].any()
    assert not second[0].any()
    again, _ = objective(labels, np.ascontiguousarray(margins), weights)
    assert again is gradient  # memory is reused
    assert again == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    "made",
    [
        ce.lightgbm.objective(SOFTMAX, "exact", 0.25, targets=[[0.5, 0.5]]),
        ce.lightgbm.metric(SIGMOID, "probability", targets=[[0, 1]]),
    ],
)
def test_adapters_pickle_with_their_targets(made):
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert repr(again) == repr(made)
        assert np.array_equal(again.targets, made.targets)


# What users get wrong, each with its cure.


def fit(objective, labels=None, metric=None, **more):
    data = split("iris, 3")
    train_set = lightgbm.Dataset(data.x, data.y if labels is None else labels)
    return lightgbm.train(
        {**options(data, objective), **more}, train_set, 2, valid_sets=[train_set], feval=metric
    )


def test_a_forgotten_num_class_is_an_error():
    with says(ValueError, "one number a row", "set num_class"):
        fit(ce.lightgbm.objective(SOFTMAX), num_class=1)


def test_a_sigmoid_on_classes_is_an_error():
    with says(ValueError, "for one class a row use SoftmaxCrossEntropy"):
        fit(ce.lightgbm.objective(SIGMOID))


def test_flat_predictions_are_an_error():
    with says(ValueError, "predictions are flat, shape (12,) for 4 rows", "(rows, classes)"):
        ce.lightgbm.objective(SOFTMAX)(np.zeros(4), np.zeros(12))


def test_a_bad_label_or_weight_is_an_error_with_its_row():
    labels = split("iris, 3").y.copy()
    labels[7] = 3
    with says(ValueError, "Row 7 has label 3", "integers from 0 to 2"):
        fit(ce.lightgbm.objective(SOFTMAX), labels)
    with says(ValueError, "Row 2 has sample_weight -1"):
        ce.lightgbm.objective(SIGMOID)(np.zeros(4), np.zeros(4), [1, 1, -1, 1])


def test_class_labels_where_row_numbers_are_meant_are_an_error():
    targets = soft_labels(split("iris, 3"))
    with says(ValueError, "take at most 3 values, as classes do", "np.arange(len(targets))"):
        fit(ce.lightgbm.objective(SOFTMAX, targets=targets))


def test_row_numbers_outside_the_table_are_an_error():
    labels = np.arange(len(split("iris, 3").y)) + 1
    targets = soft_labels(split("iris, 3"))
    with says(ValueError, "has label 112", "row numbers from 0 to 111"):
        fit(ce.lightgbm.objective(SOFTMAX, targets=targets), labels)


def test_bad_targets_are_an_error_with_their_row():
    with says(ValueError, "Row 1 has label -1"):
        ce.lightgbm.objective(SOFTMAX, targets=[[0.5, 0.5], [2, -1]])
    with says(ValueError, "targets have shape (2,), wanted (rows, classes)"):
        ce.lightgbm.objective(SOFTMAX, targets=[0.5, 0.5])


def test_probabilities_and_margins_confused_are_an_error():
    with says(ValueError, "look like probabilities", 'input="probability"'):
        fit("multiclass", metric=ce.lightgbm.metric(SOFTMAX))
    with says(ValueError, "no probabilities", 'input="margin"'):
        objective = ce.lightgbm.objective(SOFTMAX)
        fit(objective, metric=ce.lightgbm.metric(SOFTMAX, "probability"))


def test_a_forgotten_init_score_warns():
    data = split("breast cancer, 2")
    with pytest.warns(UserWarning, match="Training starts from the margin.*init_score="):
        train(data, ce.lightgbm.objective(SIGMOID), start=False, rounds=1)


def test_a_validation_set_without_the_start_of_training_is_an_error():
    data = split("iris, 3")
    start = ce.lightgbm.init_score(SOFTMAX, data.y)
    train_set = lightgbm.Dataset(data.x, data.y, init_score=start)
    with says(ValueError, "this validation set has none", "init_score(loss, y, rows=...)"):
        lightgbm.train(
            options(data, ce.lightgbm.objective(SOFTMAX)), train_set, 2,
            valid_sets=[train_set.create_valid(data.x_valid, data.y_valid)],
            feval=ce.lightgbm.metric(SOFTMAX),
        )  # fmt: skip


@pytest.mark.parametrize("wrong", [{"scale_pos_weight": 3.0}, {"is_unbalance": True}])
def test_parameters_that_a_custom_objective_never_sees_warn(wrong):
    data = split("generated, 2")
    train_set = lightgbm.Dataset(data.x, data.y, init_score=ce.lightgbm.init_score(SIGMOID, data.y))
    with pytest.warns(UserWarning, match=f"{next(iter(wrong))} acts on builtin objectives only"):
        lightgbm.train(options(data, ce.lightgbm.objective(SIGMOID), **wrong), train_set, 1)


def test_init_score_at_prediction_is_asked_for_and_checked():
    data = split("iris, 3")
    model, _ = train(data, ce.lightgbm.objective(SOFTMAX))
    with says(TypeError, "init_score"):
        ce.lightgbm.probabilities(SOFTMAX, model, data.x_valid)
    with says(ValueError, "init_score has shape (112, 3), wanted a number, (3,) or (38, 3)"):
        start = ce.lightgbm.init_score(SOFTMAX, data.y)
        ce.lightgbm.probabilities(SOFTMAX, model, data.x_valid, init_score=start)
