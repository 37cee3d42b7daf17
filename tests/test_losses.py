"""The losses as objects, and loss, gradient and Hessian with weights and reductions."""

import copy
import inspect
import pickle

import numpy as np
import pytest

import cecore as ce
from tests import plain
from tests.halves import HALVES

RNG = np.random.default_rng(4)
LOSSES = [ce.SoftmaxCrossEntropy(), ce.SigmoidCrossEntropy()]
SOFTMAX, SIGMOID = LOSSES
METHODS = ["loss", "gradient", "loss_gradient", "gradient_hessian"]
REDUCTIONS = ["none", "sum", "mean", "batch_mean"]
DTYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-11}


@pytest.mark.parametrize("loss", LOSSES)
def test_values_of_the_class(loss):
    assert repr(loss) == f"{type(loss).__name__}()"
    assert loss == type(loss)()
    assert hash(loss) == hash(type(loss)())
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert copy.deepcopy(loss) == loss
    assert len({loss, type(loss)()}) == 1


def test_different_losses_are_not_equal():
    assert SOFTMAX != SIGMOID


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_immutable_and_take_keywords_only(loss):
    with pytest.raises((AttributeError, TypeError)):
        loss.temperature = 2.0
    with pytest.raises(TypeError, match="positional argument"):
        type(loss)(None)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_methods_share_their_parameters(loss):
    expected = inspect.signature(loss.loss).parameters
    for method in METHODS:
        parameters = inspect.signature(getattr(loss, method)).parameters
        assert list(parameters) == list(expected)
        for name in expected:
            assert parameters[name].kind == expected[name].kind
            assert parameters[name].default == expected[name].default


SOFTMAX_SHAPES = [((7, 3), -1), ((1, 2), 1), ((4,), 0), ((3, 5, 2), 1), ((6, 2, 3), 0)]


def _softmax_case(shape, axis, dtype, kind):
    x = (RNG.normal(size=shape) * 3).astype(dtype)
    rows = np.delete(shape, axis)
    if kind == "sparse":
        return x, RNG.integers(0, shape[axis], rows)
    return x, RNG.random(shape).astype(dtype)


def _check(results, parts, names, weights, reduction, dtype):
    """Compare what a method returned with the weighted, reduced parts."""
    scale = 1.0 if reduction == "none" else 1 / plain.divisor(reduction, weights)
    for result, name in zip(results, names, strict=True):
        part = parts[name]
        if name != "loss":
            expected = part * parts["weights"] * scale
        elif reduction == "none":
            expected = part * weights
        else:
            expected = (part * weights).sum() * scale
            assert isinstance(result, dtype)
        assert result.dtype == dtype
        assert np.shape(result) == np.shape(expected)
        tolerance = TOLERANCE[dtype]
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance / 10)


def _call_all(loss, x, labels, **options):
    """Yield the results of every method with their names."""
    yield (loss.loss(x, labels, **options),), ("loss",)
    yield (loss.gradient(x, labels, **options),), ("gradient",)
    yield loss.loss_gradient(x, labels, **options), ("loss", "gradient")
    yield loss.gradient_hessian(x, labels, **options), ("gradient", "hessian")


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["sparse", "dense"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), SOFTMAX_SHAPES)
def test_softmax_against_plain_formulas(shape, axis, dtype, kind, weighted, reduction):
    x, labels = _softmax_case(shape, axis, dtype, kind)
    rows = tuple(int(n) for n in np.delete(shape, axis))
    weights = RNG.random(rows) + 0.1 if weighted else np.ones(rows)
    values = plain.softmax_parts(x, labels, axis)
    parts = dict(zip(("loss", "gradient", "hessian"), values, strict=True))
    parts["weights"] = np.expand_dims(weights, axis)
    options = {"axis": axis, "reduction": reduction}
    if weighted:
        options["sample_weight"] = weights
    for results, names in _call_all(SOFTMAX, x, labels, **options):
        _check(results, parts, names, weights, reduction, dtype)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight_axes", [None, 1, 2])
@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_sigmoid_against_plain_formulas(order, dtype, kind, weight_axes, reduction):
    shape = (9, 4)
    x = np.array(RNG.normal(size=shape) * 3, dtype, order=order)
    labels = RNG.integers(0, 2, shape) if kind == "hard" else RNG.random(shape).astype(dtype)
    given = None if weight_axes is None else RNG.random(shape[:weight_axes]) + 0.1
    weights = np.ones(shape)
    if given is not None:
        weights = np.broadcast_to(given.reshape(given.shape + (1,) * (2 - given.ndim)), shape)
    values = plain.sigmoid_parts(x, labels)
    parts = dict(zip(("loss", "gradient", "hessian"), values, strict=True), weights=weights)
    options = {"reduction": reduction, "sample_weight": given}
    for results, names in _call_all(SIGMOID, x, labels, **options):
        _check(results, parts, names, weights, reduction, dtype)


@pytest.mark.parametrize(
    "dtype", ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", HALVES["bf16"], "f4", "f8"]
)
def test_labels_and_weights_of_any_type(dtype):
    x = RNG.normal(size=(6, 2))
    values = np.array([0, 1, 1, 0, 1, 0])
    typed = values.astype(dtype)
    expected = SOFTMAX.loss(x, values, sample_weight=values)
    swapped = typed if typed.dtype.kind == "V" else typed.astype(typed.dtype.newbyteorder())
    for given in (typed, swapped, np.repeat(typed, 3)[::3]):
        np.testing.assert_array_equal(SOFTMAX.loss(x, given, sample_weight=given), expected)
    hard = np.stack([values, 1 - values], 1)
    np.testing.assert_array_equal(
        SIGMOID.loss(x, hard.astype(dtype), sample_weight=typed),
        SIGMOID.loss(x, hard, sample_weight=values),
    )
    np.testing.assert_array_equal(SOFTMAX.loss(x, hard.astype(dtype)), SOFTMAX.loss(x, hard))


def test_one_hot_labels_equal_class_numbers():
    x = RNG.normal(size=(8, 5)) * 10
    labels = RNG.integers(0, 5, 8)
    for one_hot in (np.eye(5)[labels], np.eye(5, dtype=bool)[labels]):
        np.testing.assert_allclose(SOFTMAX.loss(x, one_hot), SOFTMAX.loss(x, labels), rtol=1e-15)


def test_weights_over_leading_axes_of_the_rows():
    x = RNG.normal(size=(3, 4, 5))
    labels = RNG.integers(0, 5, (3, 4))
    weights = RNG.random(3)
    repeated = np.repeat(weights[:, None], 4, 1)
    for reduction in REDUCTIONS:
        np.testing.assert_allclose(
            SOFTMAX.loss(x, labels, sample_weight=weights, reduction=reduction),
            SOFTMAX.loss(x, labels, sample_weight=repeated, reduction=reduction),
            rtol=1e-15,
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("loss", LOSSES)
def test_weight_0_is_exactly_0_whatever_the_logits(loss, bad):
    x = RNG.normal(size=(4, 3))
    x[1] = bad
    labels, weights = np.ones((4, 3)), np.array([1.0, 0.0, 2.0, 0.5])
    kept = [0, 2, 3]
    for reduction in REDUCTIONS:
        options = {"sample_weight": weights, "reduction": reduction}
        value, gradient = loss.loss_gradient(x, labels, **options)
        _, hessian = loss.gradient_hessian(x, labels, **options)
        assert not gradient[1].any()
        assert not hessian[1].any()
        if reduction == "none":
            assert not value[1].any()
        if reduction in ("sum", "mean"):
            others = loss.loss(
                x[kept], labels[kept], sample_weight=weights[kept], reduction=reduction
            )
            np.testing.assert_allclose(value, others, rtol=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
def test_reductions_agree_with_each_other(loss):
    x, labels, weights = RNG.normal(size=(6, 3)), np.ones((6, 3)), RNG.random(6)
    each = loss.loss(x, labels, sample_weight=weights)
    total = loss.loss(x, labels, sample_weight=weights, reduction="sum")
    np.testing.assert_allclose(total, each.sum(), rtol=1e-14)
    by_count = loss.loss(x, labels, sample_weight=weights, reduction="batch_mean")
    np.testing.assert_allclose(by_count, each.mean(), rtol=1e-14)
    counted = each.size // 6 * weights.sum()
    by_weight = loss.loss(x, labels, sample_weight=weights, reduction="mean")
    np.testing.assert_allclose(by_weight, each.sum() / counted, rtol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_methods_return_the_same_bits(loss, reduction):
    x, labels = RNG.normal(size=(6, 3)) * 5, np.eye(3)[[0, 1, 2, 0, 1, 2]]
    value, gradient = loss.loss_gradient(x, labels, reduction=reduction)
    np.testing.assert_array_equal(value, loss.loss(x, labels, reduction=reduction))
    np.testing.assert_array_equal(gradient, loss.gradient(x, labels, reduction=reduction))
    again, _ = loss.gradient_hessian(x, labels, reduction=reduction)
    np.testing.assert_array_equal(gradient, again)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_out_is_filled_and_returned(loss, reduction, dtype):
    x, labels = RNG.normal(size=(6, 3)).astype(dtype), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    for method in METHODS:
        expected = getattr(loss, method)(x, labels, reduction=reduction)
        parts = expected if isinstance(expected, tuple) else (expected,)
        outs = tuple(np.full(np.shape(p), 7, dtype) for p in parts)
        given = outs if isinstance(expected, tuple) else outs[0]
        got = getattr(loss, method)(x, labels, reduction=reduction, out=given)
        for result, out, part in zip(
            got if isinstance(expected, tuple) else (got,), outs, parts, strict=True
        ):
            assert result is out
            np.testing.assert_array_equal(out, part)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_result_may_overwrite_the_logits(loss, dtype, order):
    x = np.array(RNG.normal(size=(6, 3)), dtype, order=order)
    labels = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    gradient, hessian = loss.gradient_hessian(x, labels)
    for method, place in (("gradient", None), ("gradient_hessian", 0), ("gradient_hessian", 1)):
        logits = x.copy(order="K")
        outs = [np.empty_like(x), np.empty_like(x)]
        if place is None:
            assert loss.gradient(logits, labels, out=logits) is logits
            np.testing.assert_array_equal(logits, gradient)
            continue
        outs[place] = logits
        getattr(loss, method)(logits, labels, out=tuple(outs))
        np.testing.assert_array_equal(outs[0], gradient)
        np.testing.assert_array_equal(outs[1], hessian)


def test_sigmoid_losses_may_overwrite_the_logits():
    x, labels = RNG.normal(size=(6, 3)), RNG.integers(0, 2, (6, 3))
    value, gradient = SIGMOID.loss_gradient(x, labels)
    logits, other = x.copy(), np.empty_like(x)
    SIGMOID.loss_gradient(logits, labels, out=(logits, other))
    np.testing.assert_array_equal(logits, value)
    np.testing.assert_array_equal(other, gradient)


@pytest.mark.parametrize("half", HALVES.values(), ids=str)
def test_logits_of_half_types(half):
    x = RNG.normal(size=(6, 3)).astype(half)
    labels = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    for loss in LOSSES:
        wide = loss.gradient_hessian(x.astype(np.float32), labels, reduction="mean")
        value, gradient = loss.loss_gradient(x, labels, reduction="mean")
        assert (value.dtype, gradient.dtype) == (np.float32, half)
        assert loss.loss(x, labels).dtype == np.float32
        np.testing.assert_array_equal(gradient, wide[0].astype(half))
        outs = (np.empty((6, 3), half), np.empty((6, 3), np.float32))
        loss.gradient_hessian(x, labels, reduction="mean", out=outs)
        np.testing.assert_array_equal(outs[0], wide[0].astype(half))
        np.testing.assert_array_equal(outs[1], wide[1])


LABEL_TYPES = ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", *HALVES.values(), "f4", "f8")


@pytest.mark.parametrize("x_type", [*HALVES.values(), "f4", "f8"], ids=str)
@pytest.mark.parametrize("y_type", LABEL_TYPES, ids=str)
@pytest.mark.parametrize("k", [3, 20, 100, 300])
def test_dense_labels_of_any_type(k, y_type, x_type):
    """Rows across the lanes, along them and in wide kernels; every type gives the same numbers."""
    x, y = RNG.normal(size=(37, k)).astype(x_type), RNG.integers(0, 2, (37, k))
    for loss in LOSSES:
        for order in "CF":
            logits, labels = np.asarray(x, order=order), np.asarray(y.astype(y_type), order=order)
            np.testing.assert_array_equal(loss.loss(logits, labels), loss.loss(x, y))
            for got, want in zip(
                loss.gradient_hessian(logits, labels), loss.gradient_hessian(x, y), strict=True
            ):
                np.testing.assert_array_equal(got, want)


def test_sum_beyond_float32_is_infinite_as_in_numpy():
    x = np.array([[3e38, -3e38]] * 4, np.float32)
    with np.errstate(all="raise"):
        assert SOFTMAX.loss(x, [1, 1, 1, 1], reduction="sum") == np.inf


@pytest.mark.parametrize("loss", LOSSES)
def test_probabilities(loss):
    x = RNG.normal(size=(6, 3))
    function = ce.softmax if loss == SOFTMAX else ce.sigmoid
    np.testing.assert_array_equal(loss.probabilities(x), function(x))
    assert loss.probabilities(x, out=x) is x


def test_probabilities_along_another_axis():
    x = RNG.normal(size=(6, 3))
    np.testing.assert_array_equal(SOFTMAX.probabilities(x, axis=0), ce.softmax(x, 0))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_totals_do_not_depend_on_the_layout(order, reduction):
    """The last bit of a sum depends on the order of its terms, so all layouts share one."""
    x = RNG.normal(size=(40, 50, 3)) * 4
    labels, hard = RNG.integers(0, 3, (40, 50)), RNG.integers(0, 2, x.shape)
    arranged = np.array(x, order=order)
    backwards = np.ascontiguousarray(x[::-1, ::-1, ::-1])[::-1, ::-1, ::-1]
    for logits in (arranged, backwards, np.repeat(x, 2, 1)[:, ::2]):
        for loss, y in ((SOFTMAX, labels), (SIGMOID, hard)):
            expected = loss.loss(x, y, reduction=reduction)
            assert loss.loss(logits, y, reduction=reduction) == expected
            assert loss.loss_gradient(logits, y, reduction=reduction)[0] == expected
