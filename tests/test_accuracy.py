"""The contract: every output within its bound, for every number of classes and every layout."""

import numpy as np
import pytest

import cecore as ce
from tests.batches import element_batch, row_batch
from tests.bounds import BOUNDS, LOST_DIGITS, rounded
from tests.halves import HALVES
from tests.layouts import C_ORDER, LAYOUTS
from tests.outputs import BY_NAME, ELEMENTS, ROWS
from tests.ulp import ulp_error

DTYPES = ("f4", "f8")
# Below and above 16 lanes of float32 or 8 of float64, and blocks of 4096 or 2048 classes.
NARROW = tuple(range(1, 71))
WIDE = (100, 127, 255, 257, 1000, 2047, 2049, 4095, 4096, 4097, 8193)
LONGEST = 128_256  # the vocabulary of a language model
LAYOUT_CLASSES = (2, 3, 8, 16, 17, 33, 100, 1000, 4097)


def _rows_each(k: int) -> int:
    return 4 if k <= 70 else 2 if k <= 300 else 1


def _named(layout_or_output):
    return layout_or_output.name


def _row_outputs(k: int):
    """With one class a cross-entropy is always 0, and an error."""
    return [output for output in ROWS if k > 1 or output.labels is None]


def _check(batch, output, layout=C_ORDER):
    y = batch.labels(output)
    y = None if y is None else layout.labels(y, batch.x)
    result = output.call(layout.arrange(batch.x), y, axis=layout.axis)
    batch.assert_within_bound(output, layout.rows(result, batch.x))


@pytest.mark.parametrize("k", NARROW + WIDE)
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows(dtype, k):
    batch = row_batch(dtype, k, _rows_each(k))
    for output in _row_outputs(k):
        _check(batch, output)


@pytest.mark.parametrize("k", [1, *LAYOUT_CLASSES])
@pytest.mark.parametrize("dtype", HALVES)
def test_rows_of_half_types(dtype, k):
    batch = row_batch(dtype, k, _rows_each(k))
    for output in _row_outputs(k):
        _check(batch, output)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_a_whole_vocabulary(dtype):
    batch = row_batch(dtype, LONGEST)
    for output in ROWS:
        _check(batch, output)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", ROWS, ids=_named)
def test_one_row_of_a_whole_vocabulary(output, dtype):
    """A single row, which threads share by its blocks, is as exact as a row among others."""
    batch = row_batch(dtype, LONGEST)
    y = batch.labels(output)
    alone = [
        output.call(batch.x[i : i + 1], None if y is None else y[i : i + 1])
        for i in range(len(batch.x))
    ]
    batch.assert_within_bound(output, np.concatenate(alone))


@pytest.mark.parametrize("layout", LAYOUTS, ids=_named)
@pytest.mark.parametrize("k", LAYOUT_CLASSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts(dtype, k, layout):
    batch = row_batch(dtype, k, 2)
    for output in ROWS:
        _check(batch, output, layout)


IN_PLACE = [BY_NAME[name] for name in (
    "softmax", "log_softmax", "gradient, sparse labels", "gradient, dense labels",
)]  # fmt: skip


@pytest.mark.parametrize("layout", [v for v in LAYOUTS if v.name != "read-only"], ids=_named)
@pytest.mark.parametrize("k", [3, 17, 100, 4097])
@pytest.mark.parametrize("dtype", [*DTYPES, *HALVES])
def test_out_may_be_the_input(dtype, k, layout):
    batch = row_batch(dtype, k, 2)
    for output in IN_PLACE:
        x = layout.arrange(batch.x.copy())
        y = batch.labels(output)
        y = None if y is None else layout.labels(y, batch.x)
        result = output.call(x, y, axis=layout.axis, out=x)
        assert result is x
        batch.assert_within_bound(output, layout.rows(x, batch.x))


@pytest.mark.parametrize("dtype", [*DTYPES, *HALVES])
@pytest.mark.parametrize("k", [3, 17, 100, 4097])
def test_gradient_hessian_in_place(k, dtype):
    """Either of two outputs may be the input; so the kernel reads a block before it writes it."""
    batch = row_batch(dtype, k, 2)
    gradient, hessian = BY_NAME["gradient, sparse labels"], BY_NAME["hessian, sparse labels"]
    y = batch.labels(gradient)
    for place in (0, 1):
        x = batch.x.copy()
        out = (x, np.empty_like(x)) if place == 0 else (np.empty_like(x), x)
        ce.SoftmaxCrossEntropy().gradient_hessian(x, y, out=out)
        batch.assert_within_bound(gradient, out[0])
        batch.assert_within_bound(hessian, out[1])


@pytest.mark.parametrize("output", ELEMENTS, ids=_named)
@pytest.mark.parametrize(("dtype", "n"), [("f4", 200_000), ("f8", 40_000), ("f2", 0), ("bf16", 0)])
def test_elements(dtype, n, output):
    batch = element_batch(dtype, n)
    batch.assert_within_bound(output, output.call(batch.x, batch.labels(output)))


@pytest.mark.parametrize("layout", LAYOUTS, ids=_named)
@pytest.mark.parametrize("dtype", DTYPES)
def test_element_layouts(dtype, layout):
    batch = element_batch(dtype, 1000)
    shape = (batch.x.size // 14 * 2, 7)
    part = slice(shape[0] * shape[1])
    x = batch.x[part].reshape(shape)
    for output in ELEMENTS:
        y = batch.labels(output)
        y = None if y is None else layout.arrange(y[part].reshape(shape))
        result = output.call(layout.arrange(x), y)
        batch.assert_within_bound(output, layout.rows(result, x).ravel(), part)


@pytest.mark.parametrize("dtype", DTYPES)
def test_elements_of_every_tail_length(dtype):
    batch = element_batch(dtype, 1000)
    for start in range(0, 1000, 71):
        for n in range(1, 71):
            part = slice(start, start + n)
            for output in ELEMENTS:
                y = batch.labels(output)
                result = output.call(batch.x[part], None if y is None else y[part])
                batch.assert_within_bound(output, result, part)


@pytest.mark.parametrize("output", ELEMENTS[:-1], ids=_named)  # the Hessian is one of two results
@pytest.mark.parametrize("dtype", DTYPES)
def test_element_out_may_be_the_input(dtype, output):
    batch = element_batch(dtype, 1000)
    x = batch.x.copy()
    assert output.call(x, batch.labels(output), out=x) is x
    batch.assert_within_bound(output, x)


def _weights(rng, n, dtype):
    return (rng.integers(0, 3, n) * 10.0 ** rng.uniform(-3, 3, n)).astype(dtype)


@pytest.mark.parametrize("k", [2, 3, 16, 17, 100, 1000, 4097])
@pytest.mark.parametrize("dtype", DTYPES)
def test_weighted_rows(dtype, k):
    """The weight is part of the exact result: no second rounding."""
    batch = row_batch(dtype, k, 2)
    finite = np.isfinite(batch.x).all(axis=1)  # 0 * inf: test_special_values
    weight = _weights(np.random.default_rng(k), np.count_nonzero(finite), dtype)
    for output in ROWS:
        if output.labels is None:
            continue
        result = output.call(batch.x[finite], batch.labels(output)[finite], sample_weight=weight)
        column = weight if result.ndim == 1 else weight[:, None]
        batch.assert_within_bound(output, result, finite, column)


@pytest.mark.parametrize("dtype", DTYPES)
def test_weighted_elements(dtype):
    batch = element_batch(dtype, 1000)
    weight = _weights(np.random.default_rng(0), len(batch.x), dtype)
    for output in ELEMENTS:
        if output.labels is not None:
            result = output.call(batch.x, batch.labels(output), sample_weight=weight)
            batch.assert_within_bound(output, result, weight=weight)


def _check_float32(batch, names, results, weight):
    """Derivatives of float64 logits that are wanted as float32: one rounding, and hardly more."""
    for name, result in zip(names, results, strict=True):
        exact = batch.exact(BY_NAME[name])
        exact = exact if weight is None else exact.times(weight)
        bound = rounded(BOUNDS[name].ulp, LOST_DIGITS["f8", "float32"])
        assert result.dtype == np.float32
        assert ulp_error(result, exact).max() <= bound, name


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("k", [2, 3, 5, 16, 33, 100, 127, 128, 200, 300])
@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_float32_derivatives_of_float64_rows(kind, k, order):
    batch = row_batch("f8", k, 2)
    names = f"gradient, {kind} labels", f"hessian, {kind} labels"
    x, y = np.asarray(batch.x, order=order), batch.labels(BY_NAME[names[0]])
    rows = np.random.default_rng(k).uniform(0.1, 10, len(x))
    for weight in (None, rows):
        out = np.empty_like(x, "f4"), np.empty_like(x, "f4")
        ce.SoftmaxCrossEntropy().gradient_hessian(x, y, sample_weight=weight, out=out)
        _check_float32(batch, names, out, None if weight is None else weight[:, None])
        ce.SoftmaxCrossEntropy().gradient(x, y, sample_weight=weight, out=out[1])
        np.testing.assert_array_equal(out[1], out[0])


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_float32_derivatives_of_float64_elements(kind):
    batch = element_batch("f8", 20_000)
    gradient, hessian = BY_NAME[f"sigmoid gradient, {kind} labels"], BY_NAME["sigmoid hessian"]
    x, y = batch.x, batch.labels(gradient)
    each = np.random.default_rng(0).uniform(0.1, 10, len(x))
    for weight in (None, each):
        out = np.empty_like(x, "f4"), np.empty_like(x, "f4")
        ce.SigmoidCrossEntropy().gradient_hessian(x, y, sample_weight=weight, out=out)
        _check_float32(batch, (gradient.name, hessian.name), out, weight)
        ce.SigmoidCrossEntropy().gradient(x, y, sample_weight=weight, out=out[1])
        np.testing.assert_array_equal(out[1], out[0])
