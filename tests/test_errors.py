"""Every row of the error table, by the sentence that the user reads."""

import re
import warnings

import numpy as np
import pytest

import cecore as ce

SOFTMAX, SIGMOID = ce.SoftmaxCrossEntropy(), ce.SigmoidCrossEntropy()
NAN, INF = np.nan, np.inf
X = np.random.default_rng(2).normal(size=(5, 3))
Y = np.array([0, 1, 2, 1, 0])


def says(error, *parts):
    """Expect an error whose message holds these parts, in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(re.escape(p) for p in parts))


def changed(values, index, value):
    values = np.array(values, np.result_type(values, type(value)))
    values[index] = value
    return values


# Labels of a softmax cross-entropy -------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "parts"),
    [
        ([0, 1, 3, 7, 0], ("Row 2 has label 3", "K = 3", "integers from 0 to 2.")),
        ([0, 1, -1, 1, 0], ("Row 2 has label -1", "K = 3")),
        ([0.0, 1.0, NAN, 1.0, 0.0], ("Row 2 has label nan", "Drop the rows without a label")),
        ([0.0, 0.5, 2.0, 1.0, 0.0], ("Row 1 has label 0.5", "Soft targets", "(5, 3)")),
        ([0.0, 1.0, INF, 1.0, 0.0], ("Row 2 has label inf",)),
        ([1, 2, 3, 1, 2], ("Row 2 has label 3", "counted from 1", "labels - 1")),
        ([1, -1, 1, -1, -1], ("Row 1 has label -1", "-1 and +1", "labels > 0")),
        ([0, 1, 2, -100, 0], ("Row 3 has label -100", "drop those rows", "labels != -100")),
    ],
)
def test_a_label_that_is_not_a_class(labels, parts):
    with says(ValueError, *parts):
        ce.softmax_cross_entropy(X, labels)


@pytest.mark.parametrize(
    "dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
)
def test_a_bad_label_of_any_type(dtype):
    with says(ValueError, "Row 4 has label 3"):
        ce.softmax_cross_entropy(X, np.array([0, 1, 2, 0, 3], dtype))


def test_labels_that_would_wrap_in_a_narrower_integer():
    for bad in (2**32, 2**33 + 1):
        with says(ValueError, f"Row 0 has label {bad}"):
            ce.softmax_cross_entropy(X, [bad, 0, 0, 0, 0])
    with says(ValueError, "Row 0 has label 18446744073709551615"):
        ce.softmax_cross_entropy(X, np.array([2**64 - 1, 0, 0, 0, 0], np.uint64))


def test_hints_only_where_they_fit():
    with pytest.raises(ValueError, match="Row 3 has label 3") as caught:
        ce.softmax_cross_entropy(X, [0, 1, 2, 3, 0])
    assert str(caught.value).endswith("integers from 0 to 2.")


def test_rows_of_more_axes_are_named_by_their_index():
    with says(ValueError, "Row (1, 0) has label 9"):
        ce.softmax_cross_entropy(X[:4].reshape(2, 2, 3), [[0, 1], [9, 9]])
    with says(ValueError, "The only row has label 3"):
        ce.softmax_cross_entropy(X[0], 3)


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_first_row_in_reading_order_is_named(order):
    labels = np.zeros((3, 4), int, order=order)
    labels[2, 0] = labels[1, 3] = labels[2, 3] = 5
    with says(ValueError, "Row (1, 3) has label 5"):
        ce.softmax_cross_entropy(np.zeros((3, 4, 2)), labels)


@pytest.mark.parametrize(("value", "name"), [(-0.25, "-0.25"), (NAN, "nan")])
def test_a_dense_label_that_is_negative_or_nan(value, name):
    parts = (f"Row 3 has label {name} for class 2", "at least 0")
    with says(ValueError, *parts):
        ce.softmax_cross_entropy(X, changed(np.full((5, 3), 1 / 3), (3, 2), value))
    with says(ValueError, *parts):
        ce.softmax_cross_entropy(X.T, changed(np.full((5, 3), 1 / 3), (3, 2), value).T, axis=0)


def test_a_dense_sum_other_than_1_is_legal():
    targets = np.array([[0.0, 2.0, 1.0]])
    p = ce.softmax(X[:1])
    np.testing.assert_allclose(SOFTMAX.gradient(X[:1], targets), 3 * p - targets, atol=1e-15)


@pytest.mark.parametrize(
    ("shape", "parts"),
    [
        ((5, 1), ("(5, 1)", "(5, 3)", "want (5,)", "np.reshape(labels, (5,))")),
        ((1, 5), ("(1, 5)", "np.reshape(labels, (5,))")),
        ((4,), ("(4,)", "want (5,), one class a row, or (5, 3), one target a class.")),
        ((3, 5), ("(3, 5)", "axis 1")),
        ((), ("()", "want (5,)")),
        ((1, 5, 3), ("(1, 5, 3)", "np.reshape(labels, (5, 3))")),
    ],
)
def test_labels_of_another_shape(shape, parts):
    with says(ValueError, *parts):
        ce.softmax_cross_entropy(X, np.zeros(shape, int))


def test_one_class_points_to_the_sigmoid():
    for shape, labels in (((5, 1), Y), ((5, 1), np.zeros((5, 1))), ((1,), 0)):
        with says(ValueError, "one class", "always 0", "sigmoid_cross_entropy"):
            ce.softmax_cross_entropy(np.zeros(shape), labels)


# Labels of a sigmoid cross-entropy -------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "parts"),
    [
        ([0, 1, 2, 3, 0], ("Row 2 has label 2", "[0, 1]")),
        ([0.0, 1.0, 1.5, 1.0, 0.0], ("Row 2 has label 1.5", "[0, 1]")),
        ([0.0, 1.0, NAN, 1.0, 0.0], ("Row 2 has label nan", "sample_weight 0")),
        ([1, 1, -1, 1, -1], ("Row 2 has label -1", "-1 and +1", "labels > 0")),
        ([1, 2, 2, 1, 2], ("Row 1 has label 2", "counted from 1", "labels - 1")),
        ([0, 1, -100, 1, 0], ("Row 2 has label -100", "label 0 and sample_weight 0")),
    ],
)
def test_a_label_outside_the_unit_interval(labels, parts):
    with says(ValueError, *parts):
        ce.sigmoid_cross_entropy(X[:, 0], labels)


def test_the_cure_for_a_missing_label_works():
    x, labels = np.array([1.0, 2.0, 3.0]), np.array([0, -100, 1])
    kept = labels != -100
    loss = ce.sigmoid_cross_entropy(
        x, np.where(kept, labels, 0), sample_weight=kept, reduction="mean"
    )
    assert loss == ce.sigmoid_cross_entropy(x[kept], labels[kept], reduction="mean")


def test_elements_of_more_axes_are_named_by_their_index():
    with says(ValueError, "Row (3, 1) has label 2"):
        ce.sigmoid_cross_entropy(X, changed(np.zeros((5, 3)), (3, 1), 2.0))


@pytest.mark.parametrize(
    ("logits", "labels", "cure"),
    [((5,), (5, 1), (5,)), ((5, 1), (5,), (5, 1)), ((5, 3), (5,), None), ((5, 3), (3, 5), None)],
)
def test_sigmoid_labels_never_broadcast(logits, labels, cure):
    with says(ValueError, f"labels have shape {labels}, wanted {logits}") as caught:
        ce.sigmoid_cross_entropy(np.zeros(logits), np.zeros(labels))
    hint = "" if cure is None else f"np.reshape(labels, {cure})"
    assert hint in str(caught.value)
    assert (cure is None) == ("reshape" not in str(caught.value))


# Weights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "name"), [(-1.0, "-1.0"), (NAN, "nan"), (INF, "inf")])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_weight_that_is_negative_nan_or_infinite(value, name, dtype):
    weights = changed(np.ones(5, dtype), 3, value)
    for call in (
        lambda: ce.softmax_cross_entropy(X, Y, sample_weight=weights),
        lambda: ce.sigmoid_cross_entropy(X[:, 0], Y > 0, sample_weight=weights),
    ):
        with says(ValueError, f"Row 3 has sample_weight {name}", "finite and at least 0"):
            call()


@pytest.mark.parametrize(
    ("shape", "parts"),
    [
        ((5, 1), ("(5, 1), wanted (5,)", "np.reshape(sample_weight, (5,))")),
        ((3,), ("(3,), wanted (5,).",)),
        ((5, 3), ("(5, 3), wanted (5,).",)),
        ((), ("(), wanted (5,).",)),
    ],
)
def test_softmax_weights_of_another_shape(shape, parts):
    with says(ValueError, "sample_weight has shape ", *parts):
        ce.softmax_cross_entropy(X, Y, sample_weight=np.ones(shape))


def test_sigmoid_weights_of_another_shape():
    for shape in ((5, 1), (3,), (3, 5), ()):
        with says(ValueError, f"sample_weight has shape {shape}, wanted (5,) or (5, 3)"):
            ce.sigmoid_cross_entropy(X, np.zeros((5, 3)), sample_weight=np.ones(shape))


# dtypes, axes, reductions ----------------------------------------------------------------------

WRONG_DTYPES = [np.complex64, np.complex128, np.longdouble, object, "M8[s]", "S3", "U2"]


@pytest.mark.parametrize("dtype", WRONG_DTYPES)
def test_dtypes_that_are_not_real_numbers(dtype):
    wrong = np.ones((5, 3), "M8[s]" if dtype == "M8[s]" else int).astype(dtype)
    name = str(wrong.dtype)
    for function in (ce.sigmoid, ce.log_sigmoid, ce.softplus, ce.softmax, ce.log_softmax):
        with says(TypeError, f"x has dtype {name}, wanted float16, float32, float64"):
            function(wrong)
    with says(TypeError, f"x has dtype {name}"):
        ce.logsumexp(wrong)
    for function in (ce.softmax_cross_entropy, ce.sigmoid_cross_entropy):
        with says(TypeError, f"logits has dtype {name}"):
            function(wrong, np.ones((5, 3)))
        with says(TypeError, f"labels has dtype {name}"):
            function(X, wrong)
        with says(TypeError, f"sample_weight has dtype {name}"):
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


# Warnings --------------------------------------------------------------------------------------

P = ce.softmax(np.random.default_rng(3).normal(size=(200, 4)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("method", ["loss", "gradient", "loss_gradient", "gradient_hessian"])
def test_logits_that_look_like_probabilities(dtype, axis, method):
    logits = np.moveaxis(P, 1, axis).astype(dtype)
    with pytest.warns(ce.DoubleSoftmaxWarning, match="64 of 200 rows.*sums to 1") as caught:
        getattr(SOFTMAX, method)(logits, np.zeros(200, int), axis=axis)
    assert caught[0].filename == __file__


def test_the_warning_points_at_the_caller_of_the_function():
    with pytest.warns(ce.DoubleSoftmaxWarning) as caught:
        ce.softmax_cross_entropy(P, np.zeros(200, int))
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "logits",
    [
        P[:1],  # one row proves nothing
        np.repeat(P[:1], 50, 0),  # nor do equal rows
        np.full((50, 4), 0.25),
        P * 2,
        P - 0.01,
        np.where(np.arange(200)[:, None] == 199, -P, P),
        np.where(np.arange(200)[:, None] == 0, NAN, P),
    ],
    ids=["one row", "equal rows", "uniform", "sum 2", "negative", "last row", "NaN"],
)
def test_logits_that_do_not_look_like_probabilities(logits):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ce.softmax_cross_entropy(logits, np.zeros(len(logits), int))


def test_no_such_warning_from_the_sigmoid_or_the_functions():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ce.sigmoid_cross_entropy(P, np.ones_like(P))
        ce.softmax(P)
        SOFTMAX.probabilities(P)


def test_as_an_error_the_warning_leaves_out_untouched():
    out = np.full(200, 7.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ce.DoubleSoftmaxWarning):
            ce.softmax_cross_entropy(P, np.zeros(200, int), out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("labels", [np.empty(0, int), np.empty((0, 3))])
def test_zero_rows(labels):
    x = np.empty((0, 3), np.float32)
    assert SOFTMAX.loss(x, labels).shape == (0,)
    assert SOFTMAX.loss(x, labels).dtype == np.float32
    assert SOFTMAX.loss(x, labels, reduction="sum") == 0
    assert SOFTMAX.gradient(x, labels, reduction="mean").shape == (0, 3)
    assert [a.shape for a in SOFTMAX.gradient_hessian(x, labels)] == [(0, 3), (0, 3)]
    for reduction in ("mean", "batch_mean"):
        with pytest.warns(RuntimeWarning, match="mean loss is NaN: there are no rows") as caught:
            assert np.isnan(SOFTMAX.loss(x, labels, reduction=reduction))
        assert caught[0].filename == __file__


def test_zero_elements():
    x = np.empty((3, 0))
    assert SIGMOID.loss(x, x).shape == (3, 0)
    assert SIGMOID.loss(x, x, reduction="sum") == 0
    with pytest.warns(RuntimeWarning, match="mean loss is NaN: there are no rows"):
        assert np.isnan(SIGMOID.loss(x, x, reduction="mean"))


@pytest.mark.parametrize("loss", [SOFTMAX, SIGMOID])
def test_weights_that_are_all_zero(loss):
    weights, labels = np.zeros(5), np.ones((5, 3))
    with pytest.warns(RuntimeWarning, match="sample weights are all zero"):
        assert np.isnan(loss.loss(X, labels, sample_weight=weights, reduction="mean"))
    assert loss.loss(X, labels, sample_weight=weights, reduction="batch_mean") == 0
    assert loss.loss(X, labels, sample_weight=weights, reduction="sum") == 0
    gradient = loss.gradient(X, labels, sample_weight=weights, reduction="mean")
    np.testing.assert_array_equal(gradient, np.zeros((5, 3)))


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_logits_that_are_not_finite_are_no_error(bad):
    x = changed(X, (1, 1), bad)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function in [*SAME_SHAPE, ce.logsumexp]:
            function(x)
        SOFTMAX.gradient_hessian(x, Y)
        SIGMOID.gradient_hessian(x, np.ones((5, 3)))
