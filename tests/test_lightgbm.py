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


@pytest.mark.parametrize(("name", "weighted"), CASES)
def test_model_is_that_of_the_builtin_bit_for_bit(name, weighted):
    data = split(name, weighted)
    builtin, _ = train(data, start=False)
    with pytest.warns() as caught:
        ours, _ = train(data, ce.lightgbm.objective(loss_of(data)), start=False)
        warnings = [w for w in caught if "Training starts" not in str(w.message)]
        assert not warnings
        # At least one, so that the context is content where the labels are balanced.
        lightgbm.basic._log_warning("balanced")
    raw = builtin.predict(data.x_valid, raw_score=True)
    assert np.array_equal(ours.predict(data.x_valid, raw_score=True), raw)
    p = ce.lightgbm.probabilities(loss_of(data), ours, data.x_valid, init_score=0)
    assert p == pytest.approx(builtin.predict(data.x_valid), rel=1e-12)
