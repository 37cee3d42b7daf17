"""The true values are true: against textbook definitions, derivatives, and each other."""

import mpmath
import numpy as np
import pytest

from tests import cases, pair, truth
from tests.bounds import BOUNDS
from tests.outputs import ELEMENTS, ROWS
from tests.ulp import ulp, ulp_error

# The definitions below cancel: at 3000 bits what is left has an absolute error under 2^-2400,
# 1300 binades below the smallest true value that is not 0.
WIDE = mpmath.mp.clone()
WIDE.prec = 3000
FAMILIES = (cases.normal, cases.one_large, cases.equal_but_two, cases.ties, cases.near_ties,
            cases.offset, cases.spread, cases.dominant, cases.tiny)  # fmt: skip
# Relative error of the formulas at 400 bits, against a definition at 3000.
FORMULA = WIDE.ldexp(1, -380)
CANCELLED = WIDE.ldexp(1, -2400)


def _close(value, magnitude, want, tolerance):
    scale = abs(want if magnitude is None else WIDE.mpf(magnitude))
    return abs(WIDE.mpf(value) - want) <= tolerance * scale + CANCELLED


def _textbook_row(x, label, y):
    x, y = [WIDE.mpf(float(v)) for v in x], [WIDE.mpf(float(v)) for v in y]
    e = [WIDE.exp(v) for v in x]
    lse = WIDE.log(sum(e))
    p = [v / sum(e) for v in e]
    hessian = [v * (1 - v) for v in p]
    return {
        "logsumexp": lse,
        "softmax": p,
        "log_softmax": [v - lse for v in x],
        "loss, sparse labels": lse - x[label],
        "gradient, sparse labels": [v - (j == label) for j, v in enumerate(p)],
        "hessian, sparse labels": hessian,
        "loss, dense labels": sum(w * (lse - v) for w, v in zip(y, x)),
        "gradient, dense labels": [sum(y) * v - w for v, w in zip(p, y)],
        "hessian, dense labels": [sum(y) * v for v in hessian],
    }


def _textbook_element(x, y):
    x, y = WIDE.mpf(float(x)), WIDE.mpf(float(y))
    sigma = 1 / (1 + WIDE.exp(-x))
    return {
        "sigmoid": sigma,
        "log_sigmoid": WIDE.log(sigma),
        "softplus": WIDE.log(1 + WIDE.exp(x)),
        "sigmoid loss": -y * WIDE.log(sigma) - (1 - y) * WIDE.log(1 - sigma),
        "sigmoid gradient": sigma - y,
        "sigmoid hessian": sigma * (1 - sigma),
    }


@pytest.mark.parametrize("k", [1, 2, 5])
def test_row_formulas_are_the_textbook_definitions(k):
    rng = np.random.default_rng(k)
    x = cases.rows(rng, 3, k, "f8", FAMILIES)
    labels, y = cases.labels(rng, x), cases.soft_labels(rng, x)
    rows = truth.Rows(x, truth.MULTI)
    for output in ROWS:
        exact = output.truth(rows, labels if "sparse" in output.name else y)
        for i in range(len(x)):
            want = np.atleast_1d(_textbook_row(x[i], labels[i], y[i])[output.name])
            value = np.atleast_1d(exact.value[i])
            size = [None] * len(want)
            if exact.magnitude is not None:
                size = np.atleast_1d(exact.magnitude[i])
            for got, scale, true in zip(value, size, want, strict=True):
                assert _close(got, scale, true, FORMULA), (output.name, x[i])


def test_element_formulas_are_the_textbook_definitions():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-740, 740, 40), rng.normal(size=40), [0.0, -0.0, 1e-300]])
    elements = truth.Elements(x, truth.MULTI)
    for output in ELEMENTS:
        y = output.labels(rng, x) if output.labels else np.zeros_like(x)
        exact = output.truth(elements, y)
        for i in range(len(x)):
            want = _textbook_element(x[i], y[i])[output.name.partition(",")[0]]
            scale = None if exact.magnitude is None else exact.magnitude[i]
            assert _close(exact.value[i], scale, want, FORMULA), (output.name, x[i], y[i])


def _row_loss(x, y):
    return WIDE.log(sum(WIDE.exp(v) for v in x)) * sum(y) - sum(w * v for w, v in zip(y, x))


def _along(loss, x, j):
    return lambda t: loss([*x[:j], t, *x[j + 1 :]])


# Central differences with h = 2^-600 at 3000 bits: h^2 and 2^-3000 / h^2 are both below 2^-1000.
@pytest.mark.parametrize("j", range(4))
def test_gradient_and_hessian_are_derivatives_of_the_loss(j):
    x = np.array([[0.3, -1.7, 2.5, 0.3]])
    y = np.array([[0.25, 0.0, 1.5, 0.5]])
    rows = truth.Rows(x, truth.MULTI)
    point, weights = [WIDE.mpf(v) for v in x[0]], [WIDE.mpf(v) for v in y[0]]
    h = WIDE.ldexp(1, -600)
    f = _along(lambda v: _row_loss(v, weights), point, j)
    low, mid, high = f(point[j] - h), f(point[j]), f(point[j] + h)
    assert _close(rows.dense_gradient(y).value[0, j], 1, (high - low) / (2 * h), FORMULA)
    assert _close(rows.dense_hessian(y).value[0, j], 1, (high - 2 * mid + low) / h**2, FORMULA)


@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("x", [-3.0, 0.0, 2.5, 40.0])
def test_sigmoid_gradient_and_hessian_are_derivatives_of_the_loss(x, y):
    elements = truth.Elements(np.array([x]), truth.MULTI)
    labels = np.array([y])
    h, at, weight = WIDE.ldexp(1, -600), WIDE.mpf(x), WIDE.mpf(y)

    def f(t):
        return WIDE.log(1 + WIDE.exp(t)) - weight * t

    low, mid, high = f(at - h), f(at), f(at + h)
    assert _close(elements.gradient(labels).value[0], 1, (high - low) / (2 * h), FORMULA)
    assert _close(elements.hessian().value[0], 1, (high - 2 * mid + low) / h**2, FORMULA)


# Bulk truth may be off by 2^-40 of a result's ULP: float32 from 64 bits, float64 from 120 bits.
BULK_ULP = 2.0**-36


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("k", [1, 2, 17])
def test_bulk_truth_of_rows(dtype, k):
    rng = np.random.default_rng(7)
    x = cases.rows(rng, 2, k, dtype)
    bulk, multi = truth.Rows(x), truth.Rows(x, truth.MULTI)
    for output in ROWS:
        y = output.labels(rng, x) if output.labels else None
        _assert_same(output.name, output.truth(bulk, y), output.truth(multi, y), dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_bulk_truth_of_elements(dtype):
    rng = np.random.default_rng(7)
    x = cases.elements(rng, 400, dtype)
    bulk, multi = truth.Elements(x), truth.Elements(x, truth.MULTI)
    for output in ELEMENTS:
        y = output.labels(rng, x) if output.labels else None
        _assert_same(output.name, output.truth(bulk, y), output.truth(multi, y), dtype)


def _assert_same(name, bulk, multi, dtype):
    value, reference = pair.Pair.of(bulk.value), pair.Pair.of(multi.value)
    scale = reference if multi.magnitude is None else pair.Pair.of(multi.magnitude)
    infinite = np.isinf(reference.hi)
    assert np.array_equal(value.hi[infinite], reference.hi[infinite]), name
    finite = ~infinite
    difference = (value[finite] - reference[finite]).hi
    worst = np.abs(difference / ulp(scale.hi[finite], dtype)).max()
    assert worst <= BULK_ULP, (name, worst)


# exp and log1p keep 105 of the pair's 120 bits: 2^45 below half an ULP of a float64.
def test_pair_functions_against_mpmath():
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.uniform(0, 11000, 200), 10 ** rng.uniform(-300, 2, 200), [0.0]])
    for function, reference, argument in (
        (pair.exp, pair.MP.exp, -x),
        (pair.log1p, pair.MP.log1p, x),
    ):
        got = function(pair.Pair.of(argument)).to_mpf()
        for value, v in zip(got, argument):
            want = reference(pair.MP.mpf(v))
            assert abs(value - want) <= pair.MP.ldexp(abs(want), -105), (function, v)


@pytest.mark.parametrize(
    ("computed", "exact", "error"),
    [
        (1.0, 1.0, 0.0),
        (1.0, 1.0 + 2.0**-24, 0.5),
        (1.0 + 2.0**-23, 1.0, 1.0),
        (1.0 - 2.0**-24, 1.0, 0.5),  # ulp of the exact value, not of the computed
        (0.0, 2.0**-150, 0.5),  # subnormal spacing 2^-149
        (2.0**-149, 0.0, 1.0),
        (np.inf, 1e39, 0.0),
        (3.4028235e38, 1e39, None),  # rounds to infinity, so the largest number is far off
        (np.inf, 1.0, np.inf),
        (np.nan, 1.0, np.inf),
        (-np.inf, -np.inf, 0.0),
        (np.nan, -np.inf, np.inf),
    ],
)
def test_ulp_error(computed, exact, error):
    got = ulp_error(np.float32([computed]), truth.Exact(np.array([exact], dtype=np.longdouble)))[0]
    assert got > 1e6 if error is None else got == error


def test_every_output_has_a_bound():
    assert {output.name for output in ROWS + ELEMENTS} == set(BOUNDS)
