"""The functions against the plain formulas, and as the classes' other name."""

import inspect

import numpy as np
import pytest

import cecore as ce
from tests import plain

RNG = np.random.default_rng(1)
DTYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
ELEMENTWISE = [
    (ce.sigmoid, plain.sigmoid),
    (ce.log_sigmoid, plain.log_sigmoid),
    (ce.softplus, plain.softplus),
]


@pytest.mark.parametrize(("function", "formula"), ELEMENTWISE)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 100), (2, 3, 4)])
def test_element_functions(function, formula, dtype, shape):
    x = (RNG.normal(size=shape) * 5).astype(dtype) if shape else dtype(1.5)
    np.testing.assert_allclose(function(x), formula(x), rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [1, 2, 3, 17, 1000])
def test_functions_along_an_axis(dtype, classes):
    x = (RNG.normal(size=(5, classes)) * 5).astype(dtype)
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(ce.softmax(x), plain.softmax(x), rtol=tolerance)
    np.testing.assert_allclose(ce.log_softmax(x), plain.log_softmax(x), rtol=tolerance, atol=1e-15)
    np.testing.assert_allclose(ce.logsumexp(x), plain.logsumexp(x), rtol=tolerance)


def test_the_axis_is_positional_as_in_numpy():
    x = RNG.normal(size=(3, 4))
    for function in (ce.softmax, ce.log_softmax, ce.logsumexp):
        np.testing.assert_array_equal(function(x, 0), function(x, axis=0))


@pytest.mark.parametrize(
    ("function", "loss"),
    [
        (ce.softmax_cross_entropy, ce.SoftmaxCrossEntropy()),
        (ce.sigmoid_cross_entropy, ce.SigmoidCrossEntropy()),
    ],
)
def test_cross_entropy_functions_have_the_parameters_of_the_losses(function, loss):
    assert inspect.signature(function) == inspect.signature(loss.loss)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean", "batch_mean"])
def test_cross_entropy_functions_return_the_bits_of_the_losses(reduction):
    x = RNG.normal(size=(9, 4)) * 3
    labels, weights = RNG.integers(0, 4, 9), RNG.random(9)
    options = {"sample_weight": weights, "reduction": reduction}
    np.testing.assert_array_equal(
        ce.softmax_cross_entropy(x, labels, **options),
        ce.SoftmaxCrossEntropy().loss(x, labels, **options),
    )
    hard = RNG.integers(0, 2, x.shape)
    np.testing.assert_array_equal(
        ce.sigmoid_cross_entropy(x, hard, **options),
        ce.SigmoidCrossEntropy().loss(x, hard, **options),
    )
