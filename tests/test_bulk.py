"""Bulk truth and errors, in C, are those of truth.py and ulp.py."""

import os
import shutil

import numpy as np
import pytest

from tests import bulk, cases, pair, truth
from tests.outputs import ELEMENTS, ROWS
from tests.ulp import ulp, ulp_error

# What truth.h states: 2^-24 ULP of a float32 result, 2^-6 ULP of a float64 result.
BULK_ULP = {"f4": 2.0**-24, "f8": 2.0**-6}
DTYPES = ("f4", "f8")

pytestmark = pytest.mark.skipif(
    not shutil.which(os.environ.get("CC", "cc").split()[0]), reason="no C compiler"
)


def _assert_same(name, got, exact, dtype):
    value, want = pair.Pair.of(got.value), pair.Pair.of(exact.value)
    size = want if exact.magnitude is None else pair.Pair.of(exact.magnitude)
    finite = np.isfinite(want.hi)
    assert np.array_equal(value.hi[~finite], want.hi[~finite]), name
    worst = np.abs((value[finite] - want[finite]).hi / ulp(size.hi[finite], dtype)).max()
    assert worst <= BULK_ULP[dtype], (name, worst)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 2, 17])
def test_rows(dtype, k):
    rng = np.random.default_rng(8)
    x = cases.rows(rng, 3, k, dtype)
    got, exact = bulk.Rows(x), truth.Rows(x, truth.MULTI)
    for output in ROWS:
        y = output.labels(rng, x) if output.labels else None
        _assert_same(output.name, output.truth(got, y), output.truth(exact, y), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_long_rows(dtype):
    """A sum is as exact as its terms, whatever K."""
    rng = np.random.default_rng(8)
    x = cases.rows(rng, 1, 100_000, dtype, (cases.normal, cases.equal))
    got, exact = bulk.Rows(x), truth.Rows(x)
    for output in ROWS:
        y = output.labels(rng, x) if output.labels else None
        _assert_same(output.name, output.truth(got, y), output.truth(exact, y), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_elements(dtype):
    rng = np.random.default_rng(8)
    x = cases.elements(rng, 1000, dtype)
    got, exact = bulk.Elements(x), truth.Elements(x, truth.MULTI)
    for output in ELEMENTS:
        y = output.labels(rng, x) if output.labels else None
        _assert_same(output.name, output.truth(got, y), output.truth(exact, y), dtype)


INFINITIES = (
    # logit, label, loss, gradient
    (np.inf, 0, np.inf, 1),
    (np.inf, 1, 0, 0),
    (-np.inf, 0, 0, 0),
    (-np.inf, 1, np.inf, -1),
    (np.nan, 1, np.nan, np.nan),
)


@pytest.mark.parametrize(("x", "y", "loss", "gradient"), INFINITIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_special_elements(dtype, x, y, loss, gradient):
    exact, labels = bulk.Elements(np.array([x], dtype)), np.array([y], dtype)
    assert np.array_equal(exact.loss(labels).value, [loss], equal_nan=True)
    assert np.array_equal(exact.gradient(labels).value, [gradient], equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_errors_are_those_of_ulp_error(dtype):
    """Results that are wrong in every way: by a few ULPs, a factor, in sign, infinite, NaN, 0."""
    rng = np.random.default_rng(8)
    x = cases.rows(rng, 40, 7, dtype)
    rows, y = bulk.Rows(x), cases.soft_labels(rng, x)
    for exact in (rows.log_softmax(), rows.softmax(), rows.dense_gradient(y)):
        right = exact.value.astype(dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            near = right + np.spacing(np.abs(right)) * rng.integers(-9, 10, x.shape)
            kinds = [near, right * 3, -right, np.full_like(right, np.inf),
                     np.full_like(right, np.nan), np.zeros_like(right)]  # fmt: skip
        wrong = np.choose(rng.integers(len(kinds), size=x.shape), kinds).astype(dtype)
        want = ulp_error(wrong, exact)
        worst, total = bulk.errors(wrong, exact)
        capped = np.minimum(want, bulk.ALL_DIGITS[np.dtype(dtype)])
        assert np.allclose(worst, want.max(axis=1), rtol=1e-6)
        assert np.isclose(total, capped.sum(), rtol=1e-9)


def test_nan_is_right_where_the_truth_is_nan():
    exact = bulk.Elements(np.float32([np.nan, 1])).sigmoid()
    worst, _ = bulk.errors(np.float32([np.nan, np.nan]), exact)
    assert worst.tolist() == [0, np.inf]
