"""Errors about dtypes, axes, reductions and `out=`, by the sentence that the user reads.

Those about labels and weights are in test_labels.py, warnings in test_warnings.py.
"""

import numpy as np
import pytest

import cecore as ce
from tests.messages import changed, says

SOFTMAX, SIGMOID = ce.SoftmaxCrossEntropy(), ce.SigmoidCrossEntropy()
INF = np.inf
X = np.random.default_rng(2).normal(size=(5, 3))
Y = np.array([0, 1, 2, 1, 0])


# dtypes, axes, reductions ----------------------------------------------------------------------

WRONG_DTYPES = [np.complex64, np.complex128, np.longdouble, object, "M8[s]", "S3", "U2"]


@pytest.mark.parametrize("dtype", WRONG_DTYPES)
def test_dtypes_that_are_not_real_numbers(dtype):
    wrong = np.ones((5, 3), "M8[s]" if dtype == "M8[s]" else int).astype(dtype)
    name = str(wrong.dtype)
    for function in (ce.sigmoid, ce.log_sigmoid, ce.softplus, ce.softmax, ce.log_softmax):
        with says(
            TypeError,
            f"The dtype of x is {name}, wanted float16, bfloat16, float32, "
            "float64, integers or booleans.",
        ):
            function(wrong)
    with says(TypeError, f"The dtype of x is {name}"):
        ce.logsumexp(wrong)
    for function in (ce.softmax_cross_entropy, ce.sigmoid_cross_entropy):
        with says(TypeError, f"The dtype of logits is {name}"):
            function(wrong, np.ones((5, 3)))
        with says(TypeError, f"The dtype of labels is {name}"):
            function(X, wrong)
        with says(TypeError, f"The dtype of sample_weight is {name}"):
            function(X, np.ones((5, 3)), sample_weight=wrong[:, 0])


def test_masked_arrays():
    with says(TypeError, "x is a masked array, whose mask would be lost"):
        ce.softmax(np.ma.masked_array([1.0, 2.0], [False, True]))


@pytest.mark.parametrize("function", [ce.softmax, ce.log_softmax, ce.logsumexp])
def test_axes_that_are_not_there(function):
    for axis in (2, -3, (0, 2)):
        with says(np.exceptions.AxisError, "out of bounds for array of dimension 2"):
            function(X, axis)
    with says(np.exceptions.AxisError, "out of bounds for array of dimension 0"):
        function(1.0)
    with says(ValueError, "axis is (0, -2), which names one axis twice"):
        function(X, (0, -2))
    with says(TypeError, "axis is 'rows', wanted an integer, a tuple of integers or None"):
        function(X, "rows")


def test_the_axis_of_a_cross_entropy_is_one_integer():
    with says(np.exceptions.AxisError, "axis 2 is out of bounds"):
        ce.softmax_cross_entropy(X, Y, axis=2)
    for axis in ((1,), None):
        with says(TypeError, f"axis is {axis}, wanted an integer."):
            ce.softmax_cross_entropy(X, Y, axis=axis)


def test_no_classes():
    for function in (ce.softmax, ce.log_softmax, ce.logsumexp):
        with says(ValueError, "There are no classes: shape (3, 0) has none along axis 1."):
            function(np.empty((3, 0)))
        with says(ValueError, "shape (0, 3) has none along axes (0, 1)."):
            function(np.empty((0, 3)), None)
    with says(ValueError, "There are no classes"):
        ce.softmax_cross_entropy(np.empty((3, 0)), [0, 0, 0])


@pytest.mark.parametrize("loss", [SOFTMAX, SIGMOID])
@pytest.mark.parametrize("method", ["loss", "gradient", "loss_gradient", "gradient_hessian"])
def test_unknown_reduction(loss, method):
    with says(ValueError, "reduction is 'average', wanted 'none', 'sum', 'mean', 'batch_mean'."):
        getattr(loss, method)(X, np.ones((5, 3)), reduction="average")


# out= ------------------------------------------------------------------------------------------

SAME_SHAPE = [ce.sigmoid, ce.log_sigmoid, ce.softplus, ce.softmax, ce.log_softmax]


@pytest.mark.parametrize("function", SAME_SHAPE)
def test_out_that_does_not_fit(function):
    x = X.astype(np.float32)
    for dtype in (np.float64, np.float16, np.int64, ">f4"):
        name = str(np.dtype(dtype))
        with says(TypeError, f"out has dtype {name}, wanted float32."):
            function(x, out=np.empty((5, 3), dtype))
    with says(TypeError, "out has dtype float64, wanted float16 or float32."):
        function(X.astype(np.float16), out=np.empty((5, 3)))
    with says(ValueError, "out has shape (3, 5), wanted (5, 3)."):
        function(X, out=np.empty((3, 5)))
    with says(TypeError, "out is a list, wanted a NumPy array."):
        function(X, out=[0.0])
    with says(TypeError, "out is a MaskedArray, wanted a NumPy array."):
        function(X, out=np.ma.zeros((5, 3)))
    frozen = np.zeros((5, 3))
    frozen.flags.writeable = False
    with says(ValueError, "out is read-only"):
        function(X, out=frozen)
    assert not frozen.any()


@pytest.mark.parametrize("function", SAME_SHAPE)
def test_out_that_overlaps_the_input_in_part(function):
    memory = np.arange(20.0)
    before = memory.copy()
    for x, out in (
        (memory[:15], memory[1:16]),
        (memory[:15], memory[14::-1]),
        (memory[:16].reshape(4, 4), memory[:16].reshape(4, 4).T),
        (memory[:10], memory[:20:2]),
    ):
        with says(ValueError, "out overlaps the input without being the same view"):
            function(x, out=out)
    np.testing.assert_array_equal(memory, before)


def test_out_of_logsumexp_that_does_not_fit():
    with says(ValueError, "out has shape (5,), wanted (5, 1)."):
        ce.logsumexp(X, keepdims=True, out=np.empty(5))
    with says(TypeError, "out has dtype float16, wanted float32."):
        ce.logsumexp(X.astype(np.float16), out=np.empty(5, np.float16))
    x = X.copy()
    with says(ValueError, "out overlaps the input"):
        ce.logsumexp(x, out=x[:, 0])


@pytest.mark.parametrize("loss", [SOFTMAX, SIGMOID])
def test_out_of_two_results(loss):
    y = np.ones((5, 3))
    g = np.empty((5, 3))
    for method, names in (("loss_gradient", "(loss, gradient)"),
                          ("gradient_hessian", "(gradient, hessian)")):  # fmt: skip
        call = getattr(loss, method)
        with says(TypeError, f"out is a ndarray, wanted a tuple of two arrays: {names}."):
            call(X, y, out=g)
        with says(TypeError, "out is a tuple of 3, wanted a tuple of two arrays"):
            call(X, y, out=(g, g, g))
        with says(ValueError, "out[1] has shape (3, 5), wanted (5, 3)."):
            first = np.empty_like(loss.loss(X, y)) if method == "loss_gradient" else g
            call(X, y, out=(first, np.empty((3, 5))))
    with says(ValueError, "out[1] overlaps out[0]"):
        loss.gradient_hessian(X, y, out=(g, g))
    with says(ValueError, "out has shape (5, 3), wanted ()."):
        loss.loss(X, y, reduction="mean", out=np.empty((5, 3)))


@pytest.mark.parametrize("loss", [SOFTMAX, SIGMOID])
def test_out_that_overlaps_labels_or_weights(loss):
    y = np.ones((5, 3))
    with says(ValueError, "out overlaps labels; pass separate memory."):
        loss.gradient(X, y, out=y)
    both = np.ones((6, 3))
    with says(ValueError, "out overlaps sample_weight; pass separate memory."):
        loss.gradient(X, y, sample_weight=both[0:5, 0], out=both[1:6])


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": [0, 1, 2, 3, 0]},
        {"labels": changed(np.ones((5, 3)), (4, 2), -1.0)},
        {"labels": Y[:4]},
        {"sample_weight": [1, 1, 1, 1, -1]},
        {"sample_weight": [1, 1, 1, 1, INF]},
        {"reduction": "average"},
        {"axis": 5},
    ],
)
def test_an_error_leaves_out_untouched(wrong):
    arguments = {"labels": Y, **wrong}
    row, first, second = np.full(5, 7.0), np.full((5, 3), 7.0), np.full((5, 3), 7.0)
    calls = {
        "loss": row,
        "gradient": first,
        "loss_gradient": (row, first),
        "gradient_hessian": (first, second),
    }
    for method, out in calls.items():
        with pytest.raises(ValueError):  # noqa: PT011 - the messages have their own tests
            getattr(SOFTMAX, method)(X, **arguments, out=out)
    for out in (row, first, second):
        assert (out == 7).all()


def test_a_bad_second_out_leaves_the_first_untouched():
    row = np.full(5, 7.0)
    with says(ValueError, "out[1] is read-only"):
        frozen = np.empty((5, 3))
        frozen.flags.writeable = False
        SOFTMAX.loss_gradient(X, Y, out=(row, frozen))
    assert (row == 7).all()
