"""The special-value tables, row by row: infinities, NaN, overflow, weight 0.

Each case is three classes and what fills the rest of the row. They stand first, last and in the
middle of rows of one length for each kernel, in C and Fortran order, among ordinary rows, which
they must not disturb.
"""

import numpy as np
import pytest

import cecore as ce
from tests.all_outputs import assert_same_bits
from tests.halves import HALVES, finite, narrow_outputs
from tests.layouts import LAYOUTS

INF, NAN = np.inf, np.nan
DTYPES = ("f4", "f8")
WIDTHS = (3, 16, 17, 70, 1000, 4097)
ORDERS = [layout for layout in LAYOUTS if layout.name in ("C order", "Fortran order")]
ORDINARY = 20  # rows around the special one, so that it shares its vectors with others

softmax_loss = ce.SoftmaxCrossEntropy()
sigmoid_loss = ce.SigmoidCrossEntropy()


def _named(layout):
    return layout.name


def _spread(head, k, fill, dtype, at):
    """`head` at positions `at` of a row of `fill`."""
    row = np.full(k, fill, dtype)
    row[at] = head
    return row


def _positions(k):
    """Where three classes may stand: first, last, in the middle, in either order."""
    return ([0, 1, 2], [k - 1, k // 2, 0], [k // 2, 0, k - 1])


def _among_others(row):
    """The row between ordinary rows, at an odd place; (batch, its index)."""
    rng = np.random.default_rng(len(row))
    x = rng.normal(size=(ORDINARY + 1, len(row))).astype(row.dtype)
    x[5] = row
    return x, 5


def _assert_equal(result, want):
    """Equal, infinities and NaN included; log 2 and the like within the contract's 2 ULP."""
    np.testing.assert_allclose(result, want, rtol=2 * np.finfo(result.dtype).eps, atol=0)


def _assert_others_finite(result, at):
    assert np.isfinite(np.delete(result, at, axis=0)).all()


# logits of three classes, the rest, softmax, log_softmax (each with the rest's), logsumexp
ROWS = {
    "all -inf": ((-INF,) * 3, -INF, (NAN,) * 4, (NAN,) * 4, -INF),
    "some -inf": ((0, -INF, 0), -INF, (0.5, 0, 0.5, 0), "log", np.log(2)),
    "all but one -inf": ((-INF, 7, -INF), -INF, (0, 1, 0, 0), (-INF, 0, -INF, -INF), 7),
    "one +inf": ((INF, 1, 2), 0, (NAN,) * 4, (NAN, -INF, -INF, -INF), INF),
    "two +inf": ((INF, 1, INF), 0, (NAN,) * 4, (NAN, -INF, NAN, -INF), INF),
    "all +inf": ((INF,) * 3, INF, (NAN,) * 4, (NAN,) * 4, INF),
    "+inf and -inf": ((INF, -INF, 2), 0, (NAN,) * 4, (NAN, -INF, -INF, -INF), INF),
    "+inf, the rest -inf": ((INF, -INF, -INF), -INF, (NAN,) * 4, (NAN, -INF, -INF, -INF), INF),
    "NaN": ((NAN, 1, 2), 0, (NAN,) * 4, (NAN,) * 4, NAN),
    "all NaN": ((NAN,) * 3, NAN, (NAN,) * 4, (NAN,) * 4, NAN),
    "NaN and +inf": ((NAN, INF, 2), 0, (NAN,) * 4, (NAN,) * 4, NAN),
    "NaN and -inf": ((NAN, -INF, -INF), -INF, (NAN,) * 4, (NAN,) * 4, NAN),
    "overflow of x - m": (("max", "-max", "-max"), -INF, (1, 0, 0, 0), (0, -INF, -INF, -INF),
                          "max"),
}  # fmt: skip


def _number(value, dtype):
    largest = np.finfo(dtype).max
    return {"max": largest, "-max": -largest}.get(value, value)


def _row_case(name, k, at, dtype):
    head, fill, softmax, log_softmax, lse = ROWS[name]
    x = _spread([_number(v, dtype) for v in head], k, fill, dtype, at)
    p = _spread(softmax[:3], k, softmax[3], dtype, at)
    if log_softmax == "log":
        with np.errstate(divide="ignore"):
            log_p = np.log(p)
    else:
        log_p = _spread(log_softmax[:3], k, log_softmax[3], dtype, at)
    return x, p, log_p, np.array(_number(lse, dtype), dtype)


@pytest.mark.parametrize("order", ORDERS, ids=_named)
@pytest.mark.parametrize("k", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_rows(name, dtype, k, order):
    for at in _positions(k):
        row, softmax, log_softmax, lse = _row_case(name, k, at, dtype)
        x, i = _among_others(row)
        x = order.arrange(x)
        for function, want in (
            (ce.softmax, softmax), (ce.log_softmax, log_softmax), (ce.logsumexp, lse),
        ):  # fmt: skip
            result = function(x)
            _assert_equal(result[i], want)
            _assert_others_finite(result, i)


@pytest.mark.parametrize("order", ORDERS, ids=_named)
@pytest.mark.parametrize("k", WIDTHS)
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ROWS)
def test_rows_of_half_types(name, dtype, k, order):
    """What float32 gives for the same numbers, of which the largest are those of the half type."""
    for at in _positions(k):
        x, i = _among_others(_row_case(name, k, at, "f4")[0])
        narrow = order.arrange(finite(x, dtype))
        sparse, dense = np.resize(at, len(x)), np.full(x.shape, 1 / k, "f4")
        results, want = (
            {
                "softmax": ce.softmax(logits),
                "log_softmax": ce.log_softmax(logits),
                "logsumexp": ce.logsumexp(logits),
                "sparse loss": softmax_loss.loss(logits, sparse),
                "sparse hessian": softmax_loss.gradient_hessian(logits, sparse)[1],
                "dense gradient": softmax_loss.gradient(logits, dense),
            }
            for logits in (narrow, narrow.astype("f4"))
        )
        assert_same_bits(results, narrow_outputs(want, dtype), at)
        assert np.isfinite(np.delete(results["softmax"].astype("f4"), i, axis=0)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("x", [0.0, -3.5, 1e30, -1e30, 1e-40])
def test_one_class(x, dtype):
    column = np.full((37, 1), x, dtype)
    np.testing.assert_array_equal(ce.softmax(column), np.ones_like(column))
    np.testing.assert_array_equal(ce.log_softmax(column), np.zeros_like(column))
    np.testing.assert_array_equal(ce.logsumexp(column), column[:, 0])


# case, label (an index into the three classes), loss, gradient and Hessian there, elsewhere
_ALL_NAN = (NAN, NAN, NAN, NAN)
LOSSES = {
    "label on -inf": ("some -inf", 1, INF, (-1, 0, None, None)),
    "label on a finite class among -inf": ("all but one -inf", 1, 0, (0, 0, 0, 0)),
    "label on +inf": ("one +inf", 0, NAN, _ALL_NAN),
    "label beside +inf": ("one +inf", 1, INF, _ALL_NAN),
    "label on -inf beside +inf": ("+inf and -inf", 1, INF, _ALL_NAN),
    "label on one of two +inf": ("two +inf", 2, NAN, _ALL_NAN),
    "all -inf": ("all -inf", 1, NAN, _ALL_NAN),
    "label on NaN": ("NaN", 0, NAN, _ALL_NAN),
    "label beside NaN": ("NaN", 1, NAN, _ALL_NAN),
    "label at the maximum, x - m overflows": ("overflow of x - m", 0, 0, (0, 0, 0, 0)),
    "label where x - m overflows": ("overflow of x - m", 1, INF, (-1, 0, None, None)),
}


@pytest.mark.parametrize("order", ORDERS, ids=_named)
@pytest.mark.parametrize("k", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_sparse_losses(name, dtype, k, order):
    row_name, label, loss, (gradient, hessian, *elsewhere) = LOSSES[name]
    for at in _positions(k):
        row, p, _, _ = _row_case(row_name, k, at, dtype)
        x, i = _among_others(row)
        labels = np.zeros(len(x), np.intp)
        labels[i] = at[label]
        want_gradient = p if elsewhere[0] is None else np.full_like(row, elsewhere[0])
        want_hessian = p * (1 - p) if elsewhere[1] is None else np.full_like(row, elsewhere[1])
        want_gradient[at[label]], want_hessian[at[label]] = gradient, hessian
        _assert_all_four(softmax_loss, order.arrange(x), labels, i,
                         (loss, want_gradient, want_hessian))  # fmt: skip


def _assert_all_four(loss, x, labels, i, want, **options):
    """The special row's loss, gradient and Hessian from each method; finite numbers elsewhere."""
    value, gradient, hessian = want
    results = [
        (loss.loss(x, labels, **options), value),
        *zip(loss.loss_gradient(x, labels, **options), (value, gradient), strict=True),
        (loss.gradient(x, labels, **options), gradient),
        *zip(loss.gradient_hessian(x, labels, **options), (gradient, hessian), strict=True),
    ]
    for result, expected in results:
        _assert_equal(result[i], expected)
        _assert_others_finite(result, i)


@pytest.mark.parametrize("order", ORDERS, ids=_named)
@pytest.mark.parametrize("k", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("row_name", "y", "loss", "gradient"),
    [
        # 0 * -inf = 0: a masked class without weight contributes nothing; 2 classes tie
        ("some -inf", (0.5, 0, 0.5), np.log(2), (0, 0, 0)),
        ("some -inf", (0, 0, 1), np.log(2), (0.5, 0, -0.5)),
        ("some -inf", (0.5, 0.5, 0), INF, (0, -0.5, 0.5)),
        ("all but one -inf", (0, 1, 0), 0, (0, 0, 0)),
        ("all -inf", (0, 1, 0), NAN, (NAN, NAN, NAN)),
        ("one +inf", (1, 0, 0), NAN, (NAN, NAN, NAN)),
        ("one +inf", (0, 0, 1), INF, (NAN, NAN, NAN)),
        ("NaN", (1, 0, 0), NAN, (NAN, NAN, NAN)),
        ("NaN", (0, 0, 1), NAN, (NAN, NAN, NAN)),
        ("overflow of x - m", (1, 0, 0), 0, (0, 0, 0)),
        ("overflow of x - m", (0, 1, 0), INF, (1, -1, 0)),
    ],
)
def test_dense_losses(row_name, y, loss, gradient, dtype, k, order):
    for at in _positions(k):
        row, p, _, _ = _row_case(row_name, k, at, dtype)
        x, i = _among_others(row)
        labels = np.full_like(x, 1 / k)
        labels[i] = _spread(y, k, 0, dtype, at)
        want_gradient = _spread(gradient, k, 0 if np.isfinite(p).all() else NAN, dtype, at)
        want = (loss, want_gradient, p * (1 - p))
        _assert_all_four(softmax_loss, order.arrange(x), order.arrange(labels), i, want)


# x, sigmoid, log_sigmoid, softplus
ELEMENTS = [
    (INF, 1, 0, INF),
    (-INF, 0, -INF, 0),
    (NAN, NAN, NAN, NAN),
    (0.0, 0.5, -np.log(2), np.log(2)),
    (-0.0, 0.5, -np.log(2), np.log(2)),
]

# x, y, loss, gradient, Hessian
SIGMOID_LOSSES = [
    (INF, 1, 0, 0, 0),
    (-INF, 0, 0, 0, 0),
    (INF, 0, INF, 1, 0),
    (-INF, 1, INF, -1, 0),
    (INF, 0.25, INF, 0.75, 0),
    (-INF, 0.25, INF, -0.25, 0),
    (NAN, 0, NAN, NAN, NAN),
    (NAN, 0.5, NAN, NAN, NAN),
    (NAN, 1, NAN, NAN, NAN),
    ("max", 1, 0, 0, 0),
    ("max", 0, "max", 1, 0),
    ("-max", 0, 0, 0, 0),
    ("-max", 1, "max", -1, 0),
]

# Each lane of a vector, its tail and the scalar remainder.
LENGTHS = (1, 7, 16, 17, 33, 100)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("x", "sigmoid", "log_sigmoid", "softplus"), ELEMENTS)
def test_elements(x, sigmoid, log_sigmoid, softplus, dtype):
    for n in LENGTHS:
        for at in range(n):
            logits = np.ones(n, dtype)
            logits[at] = x
            for function, want in (
                (ce.sigmoid, sigmoid), (ce.log_sigmoid, log_sigmoid), (ce.softplus, softplus),
            ):  # fmt: skip
                result = function(logits)
                _assert_equal(result[at], want)
                _assert_others_finite(result, at)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("x", "y", "loss", "gradient", "hessian"), SIGMOID_LOSSES)
def test_sigmoid_losses(x, y, loss, gradient, hessian, dtype):
    want = (_number(loss, dtype), gradient, hessian)
    for n in LENGTHS:
        for at in range(n):
            logits, labels = np.ones(n, dtype), np.full(n, 0.5, dtype)
            logits[at], labels[at] = _number(x, dtype), y
            _assert_all_four(sigmoid_loss, logits, labels, at, want)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", WIDTHS)
@pytest.mark.parametrize("row_name", ROWS)
def test_weight_zero_gives_zero(row_name, k, dtype):
    """0 * inf = 0 and 0 * NaN = 0: a row that weighs nothing cannot spoil a batch."""
    row, _, _, _ = _row_case(row_name, k, [0, 1, 2], dtype)
    x, i = _among_others(row)
    weight = np.ones(len(x), dtype)
    weight[i] = 0
    zeros = np.zeros_like(row)
    sparse = np.full(len(x), 1)
    for labels in (sparse, np.full_like(x, 1 / k)):
        _assert_all_four(softmax_loss, x, labels, i, (0, zeros, zeros), sample_weight=weight)
        for reduction in ("sum", "mean", "batch_mean"):
            value = softmax_loss.loss(x, labels, sample_weight=weight, reduction=reduction)
            assert np.isfinite(value)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("x", [INF, -INF, NAN])
def test_weight_zero_gives_zero_for_elements(x, dtype):
    logits, labels, weight = np.ones(37, dtype), np.full(37, 0.5, dtype), np.ones(37, dtype)
    logits[20], weight[20] = x, 0
    _assert_all_four(sigmoid_loss, logits, labels, 20, (0, 0, 0), sample_weight=weight)


def test_classes_of_a_row_that_threads_share():
    """One row longer than any block, special values in different blocks of it."""
    k = 200_000
    for position in (0, 5000, 100_003, k - 1):
        x = np.zeros((1, k), np.float32)
        x[0, position] = NAN
        assert np.isnan(ce.softmax(x)).all()
        x[0, position] = INF
        assert np.isnan(ce.softmax(x)).all()
        assert ce.logsumexp(x)[0] == INF
        x[:] = -INF
        x[0, position] = 3
        assert ce.logsumexp(x)[0] == 3
        assert ce.softmax(x)[0, position] == 1
        assert np.count_nonzero(ce.softmax(x)) == 1


SPECIAL = (NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 600.0, "max", "-max")
PADDED = 40  # classes, which no kernel of few takes


def _outputs(x, labels):
    """All that few classes give: with integer labels, with the same as one-hot ones, and soft."""
    k = x.shape[1]
    soft = np.zeros(x.shape, x.dtype)
    soft[:, 0], soft[:, 1] = 0.75, 0.25
    results = [ce.logsumexp(x), ce.softmax(x), ce.log_softmax(x)]
    for y in (labels, np.eye(k, dtype=x.dtype)[labels], soft):
        results += softmax_loss.loss_gradient(x, y)
        results += softmax_loss.gradient_hessian(x, y, sample_weight=np.full(len(x), 0.5, x.dtype))
    return results


@pytest.mark.filterwarnings("ignore:.*probabilities")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [2, 3, 4, 10])
def test_few_classes_are_those_of_rows_filled_with_minus_infinity(dtype, k):
    """A masked class contributes nothing: kernels of few classes against those of many."""
    values = np.array([_number(v, dtype) for v in SPECIAL], dtype)
    if k <= 3:
        x = np.stack([axis.ravel() for axis in np.meshgrid(*[values] * k)], axis=1)
    else:
        x = np.random.default_rng(k).choice(values, size=(3000, k))
    filled = np.full((len(x), PADDED), -INF, dtype)
    filled[:, :k] = x
    for label in range(min(k, 3)):
        labels = np.full(len(x), label)
        eps = np.finfo(dtype).eps
        for few, many in zip(_outputs(x, labels), _outputs(filled, labels), strict=True):
            many = many if many.ndim == 1 else many[:, :k]
            np.testing.assert_allclose(few, many, rtol=4 * eps, atol=np.finfo(dtype).tiny * eps)
