"""Regression: the worst inputs found so far, against 400-bit arithmetic."""

import numpy as np
import pytest

from tests import cases
from tests.bounds import BOUNDS
from tests.outputs import BY_NAME, ELEMENTS, ROWS
from tests.truth import MULTI, Elements, Rows
from tests.ulp import ulp_error
from tests.worst_cases import ROWS as WORST_ROWS
from tests.worst_cases import WEIGHTED_ELEMENTS, WEIGHTED_ROWS

LABELLED = 4  # classes that are taken as the label in turn: the first ones are the unlike ones


def _numbers(values, dtype):
    with np.errstate(over="ignore"):
        return np.array([float.fromhex(v) if isinstance(v, str) else v for v in values], dtype)


def _assert_within_bound(output, computed, exact, reason):
    worst = ulp_error(computed, exact).max()
    assert worst <= BOUNDS[output.name].ulp, (output.name, reason, worst)


def _reasons(table):
    return [reason for reason, *_ in table]


@pytest.mark.parametrize(("reason", "row"), WORST_ROWS, ids=_reasons(WORST_ROWS))
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_rows(dtype, reason, row):
    x = _numbers(row, dtype)[None, :]
    truth = Rows(x, MULTI)
    one_hot = np.eye(x.shape[1], dtype=dtype)
    for output in ROWS:
        for label in range(min(LABELLED, x.shape[1])):
            y = np.array([label])
            if output.labels is cases.soft_labels:
                y = one_hot[y]
            _assert_within_bound(output, output.call(x, y), output.truth(truth, y), reason)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_elements(dtype):
    """The logits of every row above, and both signs of them."""
    x = np.concatenate([_numbers(row, dtype) for _, row in WORST_ROWS if len(row) < 10])
    x = np.concatenate([x, -x])
    truth = Elements(x, MULTI)
    for output in ELEMENTS:
        for label in (0.0, 0.25, 1.0):
            y = np.full_like(x, label)
            computed = output.call(x, y)
            _assert_within_bound(output, computed, output.truth(truth, y), label)


@pytest.mark.parametrize(("reason", "x", "y", "weight"), WEIGHTED_ROWS, ids=_reasons(WEIGHTED_ROWS))
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_weighted_rows(dtype, reason, x, y, weight):
    x, y, weight = _numbers(x, dtype)[None], _numbers(y, dtype)[None], _numbers([weight], dtype)
    if not np.isfinite(x).all():
        pytest.skip("a float64 case")
    truth = Rows(x, MULTI)
    for output in ROWS:
        if output.labels is cases.soft_labels:
            exact = output.truth(truth, y).times(MULTI.of(weight))
            computed = output.call(x, y, sample_weight=weight)
            _assert_within_bound(output, computed, exact, reason)


@pytest.mark.parametrize(
    ("reason", "x", "y", "weight"), WEIGHTED_ELEMENTS, ids=_reasons(WEIGHTED_ELEMENTS)
)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_weighted_elements(dtype, reason, x, y, weight):
    x, y, weight = (_numbers([v], dtype) for v in (x, y, weight))
    truth = Elements(x, MULTI)
    for output in ELEMENTS:
        if output.labels is not None:
            exact = output.truth(truth, y).times(MULTI.of(weight))
            computed = output.call(x, y, sample_weight=weight)
            _assert_within_bound(output, computed, exact, reason)


def test_labels_under_the_normal_range():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1, 1000)), rng.random((1, 1000)) * 1e-312
    output = BY_NAME["loss, dense labels"]
    exact = output.truth(Rows(x, MULTI), y)
    _assert_within_bound(output, output.call(x, y), exact, "every product is subnormal")
