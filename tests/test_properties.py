"""Properties over random shapes, strides, dtypes and axes, and inputs that are never modified."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cecore as ce
from tests import plain
from tests.layouts import in_memory

examples = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

TOLERANCE = {"f2": 3e-3, "f4": 2e-5, "f8": 1e-11}
SAME_SHAPE = [
    (ce.sigmoid, plain.sigmoid),
    (ce.log_sigmoid, plain.log_sigmoid),
    (ce.softplus, plain.softplus),
]
LABEL_TYPES = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]


@st.composite
def strided(draw, shape, dtype, fill):
    """An array of this shape whose axes lie in any order, with gaps or reversed."""
    order = draw(st.permutations(range(len(shape))))
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 2, -1, -2]), min_size=len(shape),
                          max_size=len(shape)))  # fmt: skip
    values = np.broadcast_to(fill, shape).astype(dtype)
    gap = draw(st.sampled_from([np.nan, 1e4])) if values.dtype.kind == "f" else 100
    view = in_memory(values, order, steps, gap=gap)
    if draw(st.booleans()):
        view.flags.writeable = False
    return view


@st.composite
def logits(draw, min_axes=0, max_axes=5):
    shape = draw(st.lists(st.integers(1, 5), min_size=min_axes, max_size=max_axes))
    dtype = draw(st.sampled_from(["f2", "f4", "f8", ">f4", ">f8"]))
    seed = draw(st.integers(0, 2**16))
    return draw(strided(shape, dtype, np.random.default_rng(seed).normal(size=shape) * 3))


def close(result, expected, x):
    tolerance = TOLERANCE[x.dtype.str[1:]]
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)


@examples
@given(x=logits(), data=st.data())
@pytest.mark.parametrize(("function", "formula"), SAME_SHAPE)
def test_element_functions(function, formula, x, data):
    close(function(x), formula(x), x)
    out = data.draw(strided(x.shape, function(x).dtype, 0))
    if out.flags.writeable:
        assert function(x, out=out) is out
        np.testing.assert_array_equal(out, function(x))


@examples
@given(x=logits(min_axes=1), data=st.data())
def test_functions_along_axes(x, data):
    axes = data.draw(st.lists(st.integers(0, x.ndim - 1), min_size=1, unique=True))
    axis = data.draw(st.sampled_from([tuple(axes), axes[0], axes[0] - x.ndim, None]))
    close(ce.softmax(x, axis), plain.softmax(x, axis), x)
    close(ce.log_softmax(x, axis), plain.log_softmax(x, axis), x)
    close(ce.logsumexp(x, axis), plain.logsumexp(x, axis), x)
    contiguous = np.ascontiguousarray(x)
    np.testing.assert_array_equal(ce.softmax(x, axis), ce.softmax(contiguous, axis))
    np.testing.assert_array_equal(ce.logsumexp(x, axis), ce.logsumexp(contiguous, axis))


@examples
@given(x=logits(min_axes=1), data=st.data())
def test_softmax_cross_entropy(x, data):
    axis = data.draw(st.sampled_from([a for a in range(x.ndim) if x.shape[a] > 1] or [None]))
    if axis is None:
        return
    rows = tuple(n for i, n in enumerate(x.shape) if i != axis)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    if data.draw(st.booleans()):
        classes = rng.integers(0, x.shape[axis], rows)
        labels = data.draw(strided(rows, data.draw(st.sampled_from(LABEL_TYPES)), classes))
    else:
        labels = data.draw(strided(x.shape, "f8", rng.random(x.shape)))
    kept = data.draw(st.integers(min(1, len(rows)), len(rows)))
    weights = data.draw(strided(rows[:kept], "f4", rng.integers(0, 3, rows[:kept])))
    spread = np.broadcast_to(weights.reshape(rows[:kept] + (1,) * (len(rows) - kept)), rows)
    loss, gradient, hessian = plain.softmax_parts(x, labels, axis)
    full = np.expand_dims(spread, axis)
    options = {"axis": axis, "sample_weight": weights}
    our_loss, our_gradient = ce.SoftmaxCrossEntropy().loss_gradient(x, labels, **options)
    close(our_loss, loss * spread, x)
    close(our_gradient, gradient * full, x)
    close(ce.SoftmaxCrossEntropy().gradient_hessian(x, labels, **options)[1], hessian * full, x)
    total = ce.softmax_cross_entropy(x, labels, **options, reduction="sum")
    np.testing.assert_allclose(total, our_loss.sum(dtype=np.float64), rtol=1e-6)


@examples
@given(x=logits(), data=st.data())
def test_sigmoid_cross_entropy(x, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    if data.draw(st.booleans()):
        hard = rng.integers(0, 2, x.shape)
        labels = data.draw(strided(x.shape, data.draw(st.sampled_from(LABEL_TYPES)), hard))
    else:
        labels = data.draw(strided(x.shape, "f4", rng.random(x.shape)))
    kept = data.draw(st.integers(min(1, x.ndim), x.ndim))
    weights = data.draw(strided(x.shape[:kept], "i2", rng.integers(0, 3, x.shape[:kept])))
    spread = weights.reshape(x.shape[:kept] + (1,) * (x.ndim - kept))
    ours = ce.SigmoidCrossEntropy()
    results = (
        *ours.loss_gradient(x, labels, sample_weight=weights),
        ours.gradient_hessian(x, labels, sample_weight=weights)[1],
    )
    for result, part in zip(results, plain.sigmoid_parts(x, labels), strict=True):
        close(result, part * spread, x)


def _calls():
    """Every public function and method of arrays, as a function of logits, labels and weights."""
    for function in (ce.sigmoid, ce.log_sigmoid, ce.softplus, ce.softmax, ce.log_softmax,
                     ce.logsumexp):  # fmt: skip
        yield function.__name__, lambda x, y, w, f=function: f(x)
    for loss in (ce.SoftmaxCrossEntropy(), ce.SigmoidCrossEntropy()):
        for method in ("loss", "gradient", "loss_gradient", "gradient_hessian"):
            call = getattr(loss, method)
            name = f"{type(loss).__name__}.{method}"
            yield name, lambda x, y, w, f=call: f(x, y, sample_weight=w)
        yield f"{type(loss).__name__}.probabilities", lambda x, y, w, f=loss: f.probabilities(x)
    for function in (ce.softmax_cross_entropy, ce.sigmoid_cross_entropy):
        yield function.__name__, lambda x, y, w, f=function: f(x, y, sample_weight=w)


CALLS = dict(_calls())


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "i4"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("frozen", [False, True])
def test_inputs_are_never_modified(name, dtype, order, frozen):
    rng = np.random.default_rng(5)
    x = np.array(rng.normal(size=(20, 6)) * 3, dtype, order=order)
    labels, weights = np.array(rng.random((20, 6)), order=order), rng.random(20)
    given_arrays = (x, labels, weights)
    before = [a.tobytes("A") for a in given_arrays]
    for array in given_arrays:
        array.flags.writeable = not frozen
    result = CALLS[name](*given_arrays)
    assert [a.tobytes("A") for a in given_arrays] == before
    for part in result if isinstance(result, tuple) else (result,):
        assert not any(np.may_share_memory(part, a) for a in given_arrays)


def test_every_public_function_of_arrays_is_in_the_test_above():
    no_arrays = {"DoubleSoftmaxWarning", "SigmoidCrossEntropy", "SoftmaxCrossEntropy",
                 "__version__", "available_isas", "get_num_threads", "isa", "num_threads",
                 "set_num_threads", "show_config"}  # fmt: skip
    assert set(ce.__all__) - no_arrays == {name for name in CALLS if "." not in name}
