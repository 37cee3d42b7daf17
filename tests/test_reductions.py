"""Reductions over rows, against the exact sum of what reduction="none" returns.

sum = sum w l, mean = sum w l / sum w, batch_mean = sum w l / rows; the gradient is that of the
value returned. The exact sums are fractions: no rounding at all.
"""

from fractions import Fraction

import numpy as np
import pytest

import cecore as ce
from tests.bounds import BOUNDS, REDUCTION_RELATIVE_FLOAT64, REDUCTION_ULP_FLOAT32
from tests.pair import Pair
from tests.truth import Elements, Rows
from tests.ulp import ulp_error

DTYPES = ("f4", "f8")
REDUCTIONS = ("sum", "mean", "batch_mean")
SIZES = (1, 2, 3, 17, 1000, 100_003)
softmax_loss = ce.SoftmaxCrossEntropy()
sigmoid_loss = ce.SigmoidCrossEntropy()


def _softmax_case(n, dtype, rng):
    """Confident and wrong rows: the losses span 30 binades."""
    x = rng.normal(size=(n, 3)) * 10.0 ** rng.uniform(-1, 1.3, (n, 1))
    return softmax_loss, x.astype(dtype), rng.integers(3, size=n)


def _sigmoid_case(n, dtype, rng):
    x = rng.normal(size=n) * 10.0 ** rng.uniform(-1, 1.3, n)
    return sigmoid_loss, x.astype(dtype), rng.integers(2, size=n).astype(dtype)


CASES = {"softmax": _softmax_case, "sigmoid": _sigmoid_case}


def _exact_sum(values) -> Fraction:
    """In units of 2^-1127 every double is 53 bits shifted left, and integers add exactly.

    The halves of the 53 bits add up in 64 bits, for each exponent apart.
    """
    mantissa, exponent = np.frexp(np.asarray(values, np.float64))
    mantissa = np.ldexp(mantissa, 53).astype(np.int64)
    high, low = np.zeros((2, 2200), np.int64)
    np.add.at(high, exponent + 1074, mantissa >> 27)
    np.add.at(low, exponent + 1074, mantissa & (2**27 - 1))
    at = np.flatnonzero(high | low)
    total = sum((int(h) * 2**27 + int(w)) << int(e) for h, w, e in zip(high[at], low[at], at))
    return Fraction(total, 1 << (1074 + 53))


def _assert_close(value, exact: Fraction, dtype):
    error = abs(Fraction(float(value)) - exact)
    if dtype == "f4":
        spacing = Fraction(float(np.spacing(np.abs(np.float32(float(exact))))))
        assert error <= REDUCTION_ULP_FLOAT32 * spacing, float(error / spacing)
    else:
        assert error <= REDUCTION_RELATIVE_FLOAT64 * abs(exact), float(error / exact)


def _divisor(reduction, losses, weight) -> Fraction:
    if reduction == "sum":
        return Fraction(1)
    return Fraction(losses.size) if reduction == "batch_mean" else _exact_sum(weight)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_without_weights(case, dtype, n, reduction):
    loss, x, y = CASES[case](n, dtype, np.random.default_rng(n))
    losses = loss.loss(x, y)
    exact = _exact_sum(losses) / _divisor(reduction, losses, np.ones(n))
    for value in (
        loss.loss(x, y, reduction=reduction),
        loss.loss_gradient(x, y, reduction=reduction)[0],
    ):
        assert np.ndim(value) == 0
        assert np.asarray(value).dtype == x.dtype
        _assert_close(value, exact, dtype)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_with_weights(case, dtype, n, reduction):
    rng = np.random.default_rng(n)
    loss, x, y = CASES[case](n, dtype, rng)
    weight = (rng.integers(0, 4, n) + 0.25).astype(dtype)
    losses = loss.loss(x, y, sample_weight=weight)
    exact = _exact_sum(losses) / _divisor(reduction, losses, weight)
    value = loss.loss(x, y, sample_weight=weight, reduction=reduction)
    _assert_close(value, exact, dtype)


# The divisor is a float64 too: rounded once, which is up to 1 ULP of a float64 result.
GRADIENT_ULP = {"f4": BOUNDS["gradient, sparse labels"].ulp}
GRADIENT_ULP["f8"] = GRADIENT_ULP["f4"] + 1


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_gradient_and_hessian_are_those_of_the_reduced_loss(case, dtype, reduction):
    n = 1000
    rng = np.random.default_rng(n)
    loss, x, y = CASES[case](n, dtype, rng)
    weight = (rng.integers(0, 4, n) + 0.25).astype(dtype)
    weights = Pair.of(weight.reshape((n,) + (1,) * (x.ndim - 1)))
    divisor = {"sum": 1, "mean": weight.sum(dtype=np.longdouble), "batch_mean": n}[reduction]
    exact = Rows(x) if case == "softmax" else Elements(x)
    reduced = loss.gradient_hessian(x, y, sample_weight=weight, reduction=reduction)
    for got, each in zip(reduced, (exact.gradient(y), exact.hessian()), strict=True):
        errors = ulp_error(got, each.times(weights / divisor))
        assert errors.max() <= GRADIENT_ULP[dtype]


@pytest.mark.slow
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_bits_do_not_depend_on_threads(case, dtype, reduction):
    loss, x, y = CASES[case](300_007, dtype, np.random.default_rng(5))
    weight = np.random.default_rng(6).random(len(x)).astype(dtype)
    values = set()
    for threads in (1, 2, 3, 8):
        with ce.num_threads(threads):
            value = loss.loss(x, y, sample_weight=weight, reduction=reduction)
            values.add(np.asarray(value).tobytes())
    assert len(values) == 1


@pytest.mark.slow
def test_a_mean_is_exact_where_a_running_sum_is_not():
    """2^24 + 1 losses: in a float32 running sum the last ones would no longer count."""
    n = 2**24 + 1
    loss = ce.sigmoid_cross_entropy(np.zeros(n, np.float32), np.ones(n, np.float32),
                                    reduction="sum")  # fmt: skip
    each = ce.sigmoid_cross_entropy(np.zeros(1, np.float32), np.ones(1, np.float32))[0]
    _assert_close(loss, Fraction(float(each)) * n, "f4")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "dtype"), [("softmax", "f4"), ("sigmoid", "f4"), ("sigmoid", "f8")]
)
def test_ten_million_losses(case, dtype):
    n = 10_000_000
    rng = np.random.default_rng(7)
    loss = {"softmax": softmax_loss, "sigmoid": sigmoid_loss}[case]
    shape = (n, 2) if case == "softmax" else n
    x = rng.standard_normal(shape, np.float32).astype(dtype) * 8
    y = rng.integers(2, size=n, dtype=np.int8)
    weight = rng.random(n, np.float32).astype(dtype)
    for options, weights in (({}, Fraction(n)), ({"sample_weight": weight}, _exact_sum(weight))):
        total = _exact_sum(loss.loss(x, y, **options))
        for threads in (1, 4):
            with ce.num_threads(threads):
                for reduction, divisor in (("sum", 1), ("mean", weights), ("batch_mean", n)):
                    value = loss.loss(x, y, reduction=reduction, **options)
                    _assert_close(value, total / divisor, dtype)
