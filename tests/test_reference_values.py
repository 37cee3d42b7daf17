"""Values that every release must give, and the identities between the functions.

Reference values are printed to a number of digits, and compared to half a unit of the last one.
"""

import numpy as np
import pytest

import cecore as ce
from tests.bounds import BOUNDS
from tests.pair import MP
from tests.truth import Exact
from tests.ulp import ulp_error

EPS = np.finfo(np.float64).eps


def _assert_digits(result, want, digits):
    np.testing.assert_allclose(result, want, rtol=0, atol=0.5 * 10.0**-digits)


SOFTMAX = [
    ([1000, 1000, 100], [0.5, 0.5, 0], 15),
    ([2, 3, 5], [0.04201007, 0.11419520, 0.84379473], 8),
    ([2, 3, 4], [0.09003057, 0.24472847, 0.66524096], 8),
    ([3, 5, 7], [0.01587624, 0.11731043, 0.86681333], 8),
]


@pytest.mark.parametrize(("logits", "want", "digits"), SOFTMAX)
def test_softmax(logits, want, digits):
    _assert_digits(ce.softmax(logits), want, digits)


def test_softmax_keeps_entries_that_float32_cannot_hold():
    logits = [123.0, 456.0, 789.0]
    want = [5.75274406e-290, 2.39848787e-145, 1]
    np.testing.assert_allclose(ce.softmax(logits), want, rtol=0.5e-8)
    np.testing.assert_array_equal(ce.softmax(np.float32(logits)), [0, 0, 1])


def test_softmax_ten_times():
    p = np.array([1.0, 2.0, 3.0])
    for _ in range(10):
        p = ce.softmax(p)
    _assert_digits(p, [0.333321087, 0.333326978, 0.333351936], 9)


def test_log_softmax_is_not_the_log_of_a_softmax():
    """log(softmax + 1e-7) gives -16.118 for three of these."""
    logits = [-10000.0, -1020.0, 100.0, -70220.0]
    np.testing.assert_array_equal(ce.log_softmax(logits), [-10100, -1120, 0, -70320])


def test_sigmoid_into_the_subnormals():
    assert ce.sigmoid(710.0) == 1
    np.testing.assert_allclose(ce.sigmoid(-710.0), 4.4762862256751e-309, rtol=0.5e-13)


def test_dense_and_sparse_labels():
    _assert_digits(ce.softmax_cross_entropy([[5.0, 7.0]], [[0, 1]]), [0.12692801], 8)
    _assert_digits(ce.softmax_cross_entropy([[5.0, 7.0]], [1]), [0.12692801], 8)


def test_sigmoid_cross_entropy():
    loss = ce.sigmoid_cross_entropy([0.2, 0.7], [0, 1])
    _assert_digits(loss, [0.79813887, 0.40318605], 8)


# What every framework rounds to 0: loss = log1p(exp(-20)), gradient and Hessian next to it.
def test_confident_row():
    loss, gradient = ce.SoftmaxCrossEntropy().loss_gradient(np.float32([[20, 0]]), [0])
    np.testing.assert_allclose(loss, [2.06115362e-9], rtol=1e-7)
    np.testing.assert_allclose(gradient, [[-2.06115362e-9, 2.06115362e-9]], rtol=1e-7)
    _, hessian = ce.SoftmaxCrossEntropy().gradient_hessian(np.float32([[20, 0]]), [0])
    np.testing.assert_allclose(hessian, [[2.06115361e-9, 2.06115361e-9]], rtol=1e-7)


def _by_definition(logits):
    """Loss, gradient and Hessian for label 0 by the textbook's formulas, in 400 bits."""
    e = [MP.exp(MP.mpf(float(v))) for v in logits]
    p = [each / sum(e) for each in e]
    gradient = [each - (j == 0) for j, each in enumerate(p)]
    return [-MP.log(p[0])], [gradient], [[each * (1 - each) for each in p]]


@pytest.mark.parametrize("logits", [[20, 0], [40, 0, 0], [100, 0], [16.7, 0], [12, 0, 0]], ids=str)
def test_every_digit_of_a_confident_row(logits):
    """Also the same bits for a label, a one-hot row of floats, and one of integers."""
    x = np.float32([logits])
    truth = [Exact(np.array(part, object)) for part in _by_definition(x[0])]
    ours = ce.SoftmaxCrossEntropy()
    results = []
    for labels in ([0], np.eye(1, x.size, dtype=np.float32), np.eye(1, x.size, dtype=int)):
        loss, gradient = ours.loss_gradient(x, labels)
        _, hessian = ours.gradient_hessian(x, labels)
        got = {"loss": loss, "gradient": gradient, "hessian": hessian}
        for (name, values), exact in zip(got.items(), truth):
            assert values.dtype == np.float32
            assert (values != 0).all()
            errors = ulp_error(values, exact)
            assert errors.max() <= BOUNDS[f"{name}, sparse labels"].ulp, (name, labels)
        results.append([values.tobytes() for values in got.values()])
    assert results[0] == results[1] == results[2]


X = np.concatenate([np.linspace(-800, 800, 801), np.linspace(-3, 3, 101)])
# Two results of 2 ULP each differ by at most 4 ULP: 4 eps relative, or 4 subnormal spacings.
TWICE_THE_BOUND = {"rtol": 4 * EPS, "atol": 4 * np.finfo(np.float64).smallest_subnormal}


def test_sigmoid_is_a_softmax_of_two():
    pairs = np.stack([X, np.zeros_like(X)], axis=1)
    np.testing.assert_allclose(ce.sigmoid(X), ce.softmax(pairs)[:, 0], **TWICE_THE_BOUND)


def test_softplus_and_log_sigmoid_mirror_each_other():
    np.testing.assert_allclose(ce.softplus(-X), -ce.log_sigmoid(X), **TWICE_THE_BOUND)
    pairs = np.stack([X, np.zeros_like(X)], axis=1)
    np.testing.assert_allclose(ce.log_sigmoid(X), ce.log_softmax(pairs)[:, 0], **TWICE_THE_BOUND)


def test_sigmoid_cross_entropy_is_a_softmax_cross_entropy_of_two():
    pairs = np.stack([np.zeros_like(X), X], axis=1)
    for label in (0, 1):
        sigmoid = ce.sigmoid_cross_entropy(X, np.full_like(X, label))
        softmax = ce.softmax_cross_entropy(pairs, np.full(len(X), label))
        np.testing.assert_allclose(sigmoid, softmax, **TWICE_THE_BOUND)


def test_derivative_of_the_sigmoid():
    """sigma' = sigma(x) sigma(-x): two factors of 2 ULP, a product and a result of 2 ULP."""
    _, hessian = ce.SigmoidCrossEntropy().gradient_hessian(X, np.zeros_like(X))
    want = ce.sigmoid(X) * ce.sigmoid(-X)
    tiny = np.finfo(np.float64).smallest_subnormal
    np.testing.assert_allclose(hessian, want, rtol=7 * EPS, atol=7 * tiny)


def test_jacobian_of_the_softmax():
    """dp_i/dx_j = p_i (1 - p_i) on the diagonal, -p_i p_j off it, by central differences.

    With h = 2^-18 the formula's error is h^2 / 6 < 3e-12 and the rounding's 2 ULP / h < 1.2e-10.
    """
    x, h = np.array([0.5, -1.0, 2.0, 0.0]), 2.0**-18
    p = ce.softmax(x)
    steps = h * np.eye(len(x))
    jacobian = (ce.softmax(x + steps) - ce.softmax(x - steps)) / (2 * h)
    np.testing.assert_allclose(jacobian, np.diag(p) - np.outer(p, p), rtol=0, atol=1.3e-10)


def test_cross_entropy_of_a_distribution_with_itself_is_its_entropy():
    """KL(p, p) = CE(p, p) - H(p) = 0, to the rounding of p: at most 4 ULP of H, of K terms each."""
    x = np.random.default_rng(0).normal(size=(100, 7)) * 3
    p = ce.softmax(x)
    entropy = -(p * ce.log_softmax(x)).sum(axis=1)
    np.testing.assert_allclose(ce.softmax_cross_entropy(x, p), entropy, rtol=(4 + 7) * EPS)


def test_entropy_of_a_fair_coin_is_one_bit():
    loss = ce.softmax_cross_entropy([[0.0, 0.0]], [[0.5, 0.5]])
    np.testing.assert_allclose(loss / np.log(2), [1], rtol=2 * EPS)


def test_probabilities_sum_to_one():
    """K roundings of 2 ULP, each of a term at most 1, and as many of the sum."""
    x = np.random.default_rng(1).normal(size=(50, 100)) * 10
    p = ce.SoftmaxCrossEntropy().probabilities(x)
    np.testing.assert_array_equal(p, ce.softmax(x))
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=3 * EPS)


def test_gradients_of_a_row_sum_to_zero():
    x = np.random.default_rng(2).normal(size=(50, 100)) * 10
    gradient = ce.SoftmaxCrossEntropy().gradient(x, np.arange(50))
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=4 * EPS)
