"""What labels and weights may be: the first bad row, its value and the cure are in the message."""

import numpy as np
import pytest

import cecore as ce
from tests.halves import HALVES
from tests.messages import changed, says

SOFTMAX = ce.SoftmaxCrossEntropy()
NAN, INF = np.nan, np.inf
X = np.random.default_rng(2).normal(size=(5, 3))
Y = np.array([0, 1, 2, 1, 0])


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
    "dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", HALVES["bf16"], "f4", "f8"]
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
