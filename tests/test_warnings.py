"""Warnings: logits that look like probabilities, means of nothing; and what gives none."""

import warnings

import numpy as np
import pytest

import cecore as ce
from tests.messages import changed

SOFTMAX, SIGMOID = ce.SoftmaxCrossEntropy(), ce.SigmoidCrossEntropy()
NAN, INF = np.nan, np.inf
X = np.random.default_rng(2).normal(size=(5, 3))
Y = np.array([0, 1, 2, 1, 0])


P = ce.softmax(np.random.default_rng(3).normal(size=(200, 4)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("method", ["loss", "gradient", "loss_gradient", "gradient_hessian"])
def test_logits_that_look_like_probabilities(dtype, axis, method):
    logits = np.moveaxis(P, 1, axis).astype(dtype)
    with pytest.warns(ce.DoubleSoftmaxWarning, match="64 of 200 rows.*sums to 1") as caught:
        getattr(SOFTMAX, method)(logits, np.zeros(200, int), axis=axis)
    assert caught[0].filename == __file__


def test_the_warning_points_at_the_caller_of_the_function():
    with pytest.warns(ce.DoubleSoftmaxWarning) as caught:
        ce.softmax_cross_entropy(P, np.zeros(200, int))
    assert caught[0].filename == __file__


def test_a_caller_without_a_module_name():
    code = compile("loss(logits, labels)", "snippet", "exec")
    names = {"loss": SOFTMAX.loss, "logits": P, "labels": np.zeros(200, int)}
    with pytest.warns(ce.DoubleSoftmaxWarning) as caught:
        exec(code, names)
    assert caught[0].filename == "snippet"


@pytest.mark.parametrize(
    "logits",
    [
        P[:1],  # one row proves nothing
        np.repeat(P[:1], 50, 0),  # nor do equal rows
        np.full((50, 4), 0.25),
        P * 2,
        P - 0.01,
        np.where(np.arange(200)[:, None] == 199, -P, P),
        np.where(np.arange(200)[:, None] == 0, NAN, P),
    ],
    ids=["one row", "equal rows", "uniform", "sum 2", "negative", "last row", "NaN"],
)
def test_logits_that_do_not_look_like_probabilities(logits):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ce.softmax_cross_entropy(logits, np.zeros(len(logits), int))


def test_no_such_warning_from_the_sigmoid_or_the_functions():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ce.sigmoid_cross_entropy(P, np.ones_like(P))
        ce.softmax(P)
        SOFTMAX.probabilities(P)


def test_as_an_error_the_warning_leaves_out_untouched():
    out = np.full(200, 7.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ce.DoubleSoftmaxWarning):
            ce.softmax_cross_entropy(P, np.zeros(200, int), out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("labels", [np.empty(0, int), np.empty((0, 3))])
def test_zero_rows(labels):
    x = np.empty((0, 3), np.float32)
    assert SOFTMAX.loss(x, labels).shape == (0,)
    assert SOFTMAX.loss(x, labels).dtype == np.float32
    assert SOFTMAX.loss(x, labels, reduction="sum") == 0
    assert SOFTMAX.gradient(x, labels, reduction="mean").shape == (0, 3)
    assert [a.shape for a in SOFTMAX.gradient_hessian(x, labels)] == [(0, 3), (0, 3)]
    for reduction in ("mean", "batch_mean"):
        with pytest.warns(RuntimeWarning, match="mean loss is NaN: there are no rows") as caught:
            assert np.isnan(SOFTMAX.loss(x, labels, reduction=reduction))
        assert caught[0].filename == __file__


def test_zero_elements():
    x = np.empty((3, 0))
    assert SIGMOID.loss(x, x).shape == (3, 0)
    assert SIGMOID.loss(x, x, reduction="sum") == 0
    with pytest.warns(RuntimeWarning, match="mean loss is NaN: there are no rows"):
        assert np.isnan(SIGMOID.loss(x, x, reduction="mean"))


@pytest.mark.parametrize("loss", [SOFTMAX, SIGMOID])
def test_weights_that_are_all_zero(loss):
    weights, labels = np.zeros(5), np.ones((5, 3))
    with pytest.warns(RuntimeWarning, match="sample weights are all zero"):
        assert np.isnan(loss.loss(X, labels, sample_weight=weights, reduction="mean"))
    assert loss.loss(X, labels, sample_weight=weights, reduction="batch_mean") == 0
    assert loss.loss(X, labels, sample_weight=weights, reduction="sum") == 0
    gradient = loss.gradient(X, labels, sample_weight=weights, reduction="mean")
    np.testing.assert_array_equal(gradient, np.zeros((5, 3)))


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_logits_that_are_not_finite_are_no_error(bad):
    x = changed(X, (1, 1), bad)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function in (ce.sigmoid, ce.log_sigmoid, ce.softplus, ce.softmax, ce.log_softmax,
                         ce.logsumexp):  # fmt: skip
            function(x)
        SOFTMAX.gradient_hessian(x, Y)
        SIGMOID.gradient_hessian(x, np.ones((5, 3)))
