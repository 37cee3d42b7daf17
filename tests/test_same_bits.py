"""The same bits: for any number of threads, batch, place in it, layout, method and SIMD ISA.

First by tables of cases, then over random shapes, dtypes, layouts, threads and cuts of the batch.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cecore as ce
from tests import cases
from tests.all_outputs import (
    CLASSES,
    DTYPES,
    assert_same_bits,
    element_inputs,
    element_outputs,
    element_reductions,
    row_inputs,
    row_outputs,
    row_reductions,
)
from tests.halves import HALVES, finite, narrow_inputs, narrow_outputs, rounded, wide_inputs
from tests.layouts import C_ORDER, LAYOUTS, Layout, in_memory

ROOT = Path(__file__).parent.parent
THREADS = (1, 2, 3, 8)


def _rows_of(inputs, index):
    return {name: values[index] for name, values in inputs.items()}


@pytest.mark.parametrize("k", CLASSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_threads(dtype, k):
    """Enough rows for several chunks; and one row alone."""
    inputs = row_inputs(dtype, k)
    repeats = max(1, 400_000 // inputs["x"].size)
    many = {name: np.concatenate([values] * repeats) for name, values in inputs.items()}
    for batch in (many, _rows_of(inputs, slice(1))):
        with ce.num_threads(1):
            reference = row_outputs(batch)
        for threads in THREADS[1:]:
            with ce.num_threads(threads):
                assert_same_bits(row_outputs(batch), reference, f"{threads} threads")


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_on_few_long_rows(dtype, rows):
    """Rows so long, and for two threads so few, that they share each by its blocks."""
    few = row_inputs(dtype, 140_000)
    inputs = {name: np.concatenate([values] * 2)[:rows] for name, values in few.items()}
    assert len(inputs["x"]) == rows
    for outputs in (row_outputs, row_reductions):
        with ce.num_threads(1):
            reference = outputs(inputs)
        for threads in (2, 8):
            with ce.num_threads(threads):
                assert_same_bits(outputs(inputs), reference, f"{threads} threads")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_on_a_row_of_many_blocks(dtype):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(2, 1_000_003)) * 10).astype(dtype)
    results = []
    for threads in THREADS:
        with ce.num_threads(threads):
            results.append({"softmax": ce.softmax(x), "logsumexp": ce.logsumexp(x)})
    for threads, result in zip(THREADS, results, strict=True):
        assert_same_bits(result, results[0], f"{threads} threads")


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_on_elements(dtype):
    inputs = element_inputs(dtype)
    many = {name: np.concatenate([values] * 100) for name, values in inputs.items()}
    with ce.num_threads(1):
        reference = element_outputs(many)
    for threads in THREADS[1:]:
        with ce.num_threads(threads):
            assert_same_bits(element_outputs(many), reference, f"{threads} threads")


@pytest.mark.parametrize("k", CLASSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_alone_or_anywhere_in_a_batch(dtype, k):
    inputs = row_inputs(dtype, k)
    reference = row_outputs(inputs)
    n = len(inputs["x"])
    for start, stop in ((0, 1), (n - 1, n), (1, n), (0, n - 1), (5, 12), (n // 2, n // 2 + 1)):
        part = slice(start, stop)
        want = {name: values[part] for name, values in reference.items()}
        assert_same_bits(row_outputs(_rows_of(inputs, part)), want, f"rows {start} to {stop}")
    shuffled = np.random.default_rng(1).permutation(n)
    want = {name: values[shuffled] for name, values in reference.items()}
    assert_same_bits(row_outputs(_rows_of(inputs, shuffled)), want, "shuffled")


@pytest.mark.parametrize("layout", LAYOUTS[1:], ids=lambda layout: layout.name)
@pytest.mark.parametrize("k", CLASSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts(dtype, k, layout):
    inputs = row_inputs(dtype, k)
    assert_same_bits(row_outputs(inputs, layout), row_outputs(inputs), layout.name)


@pytest.mark.parametrize("layout", LAYOUTS[1:], ids=lambda layout: layout.name)
@pytest.mark.parametrize("dtype", DTYPES)
def test_element_layouts(dtype, layout):
    inputs = element_inputs(dtype)
    assert_same_bits(element_outputs(inputs, layout), element_outputs(inputs), layout.name)


# Each kernel, with and without a rest; rows in the vertical kernel's buffer and beyond; blocks.
HALF_CLASSES = (1, 2, 3, 10, 16, 17, 33, 95, 100, 200, 300, 1000, 4097)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("k", HALF_CLASSES)
@pytest.mark.parametrize("dtype", HALVES)
def test_half_types(dtype, k, layout):
    """They are computed as the float32 that they are, and results of their type rounded once."""
    inputs = narrow_inputs(row_inputs("f4", k), dtype)
    want = narrow_outputs(row_outputs(wide_inputs(inputs)), dtype)
    assert_same_bits(row_outputs(inputs, layout), want, layout.name)


@pytest.mark.parametrize("k", [9000, 262_128, 262_129])
@pytest.mark.parametrize("dtype", HALVES)
def test_long_rows_of_half_types(dtype, k):
    """Rows of several blocks: the e_j of the first two lengths wait in memory, not of the third."""
    rows = narrow_inputs(_rows_of(row_inputs("f4", k), slice(2)), dtype)
    want = narrow_outputs(row_outputs(wide_inputs(rows)), dtype)
    for threads in (1, 2):
        with ce.num_threads(threads):
            assert_same_bits(row_outputs(rows), want, f"{threads} threads")


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("dtype", HALVES)
def test_elements_of_half_types(dtype, layout):
    inputs = narrow_inputs(element_inputs("f4"), dtype)
    want = narrow_outputs(element_outputs(wide_inputs(inputs)), dtype)
    assert_same_bits(element_outputs(inputs, layout), want, layout.name)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("k", [40_000, 600_001])  # the second in blocks beyond the usual size
@pytest.mark.parametrize("dtype", HALVES)
def test_threads_that_share_a_row_of_a_half_type(dtype, k, threads):
    rng = np.random.default_rng(k)
    x = finite(rng.normal(size=(2, k)) * 20, dtype)
    wide = x.astype("f4")
    with ce.num_threads(threads):
        ce.softmax(wide)  # so that the next call is not one after a pause, which is serial
        got = {"logsumexp": ce.logsumexp(x), "softmax": ce.softmax(x),
               "log_softmax": ce.log_softmax(x, out=x)}  # fmt: skip
    want = {f.__name__: f(wide) for f in (ce.logsumexp, ce.softmax, ce.log_softmax)}
    assert_same_bits(got, narrow_outputs(want, dtype), f"{threads} threads")


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("k", HALF_CLASSES[1:])
def test_float32_results_of_float64(k, layout):
    """Computed in float64 and rounded once; each of two results may be of either type."""
    inputs = row_inputs("f8", k)
    rows, axis = inputs["x"], layout.axis
    x, weight = layout.arrange(rows), layout.labels(inputs["weight"], rows)
    loss = ce.SoftmaxCrossEntropy()
    results, want = {}, {}
    for kind in ("sparse", "dense"):
        y = layout.labels(inputs[kind], rows)
        exact = loss.gradient_hessian(x, y, axis=axis, sample_weight=weight)
        for dtypes in (("f8", "f4"), ("f4", "f8")):
            out = tuple(np.empty_like(x, dtype, subok=False) for dtype in dtypes)
            loss.gradient_hessian(x, y, axis=axis, sample_weight=weight, out=out)
            for name, got, truth in zip(("gradient", "hessian"), out, exact):
                results[f"{kind} {name} {dtypes}"] = got
                want[f"{kind} {name} {dtypes}"] = rounded(truth, got.dtype)
    for function in (ce.softmax, ce.log_softmax, ce.sigmoid, ce.softplus):
        where = {"axis": axis} if "softmax" in function.__name__ else {}
        results[function.__name__] = function(x, **where, out=np.empty_like(x, "f4", subok=False))
        want[function.__name__] = rounded(function(x, **where), "f4")
    assert_same_bits(results, want, layout.name)


def _float32_derivatives(loss, x, y, weight, **where):
    """Gradient and Hessian as float32 of float64 logits, without and with weights."""
    results = []
    for weights in (None, weight):
        exact = loss.gradient_hessian(x, y, sample_weight=weights, **where)
        out = tuple(np.empty_like(x, "f4", subok=False) for _ in exact)
        loss.gradient_hessian(x, y, sample_weight=weights, out=out, **where)
        for got, truth in zip(out, exact, strict=True):
            # In plain double: 2^-48 of the larger term is missing where two terms cancel.
            least = 2.0**-48 * np.abs(truth[np.isfinite(truth)]).max()
            np.testing.assert_allclose(got, rounded(truth, "f4"), rtol=2.0**-23, atol=least)
        results += out
    return results


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("k", HALF_CLASSES[1:])
def test_float32_derivatives_of_float64(k, layout):
    inputs, loss = row_inputs("f8", k), ce.SoftmaxCrossEntropy()
    rows = inputs["x"]
    for kind in ("sparse", "dense"):
        got, want = (
            _float32_derivatives(
                loss,
                way.arrange(rows),
                *(way.labels(inputs[name], rows) for name in (kind, "weight")),
                axis=way.axis,
            )
            for way in (layout, C_ORDER)
        )
        got = [layout.rows(part, rows) for part in got]
        assert_same_bits(dict(enumerate(got)), dict(enumerate(want)), f"{layout.name}, {kind}")


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_float32_derivatives_of_float64_elements(layout):
    inputs, loss = element_inputs("f8"), ce.SigmoidCrossEntropy()
    for kind in ("hard", "soft"):
        got, want = (
            _float32_derivatives(loss, *(way.arrange(inputs[n]) for n in ("x", kind, "weight")))
            for way in (layout, C_ORDER)
        )
        got = [layout.rows(part, inputs["x"]) for part in got]
        assert_same_bits(dict(enumerate(got)), dict(enumerate(want)), f"{layout.name}, {kind}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_element_alone_or_anywhere(dtype):
    inputs = element_inputs(dtype)
    reference = element_outputs(inputs)
    for start in range(0, len(inputs["x"]), 37):
        part = slice(start, start + 1 + start % 5)
        want = {name: values[part] for name, values in reference.items()}
        assert_same_bits(element_outputs(_rows_of(inputs, part)), want, f"from {start}")


examples = settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# Other byte orders are computed from a copy.
ANY_DTYPE = st.sampled_from(["f2", HALVES["bf16"], "f4", "f4", "f8", "f8", ">f4", ">f8"])
ANY_THREADS = st.integers(1, 8)
# Enough elements that a call shares them out, and so few that it does not.
LONG, SHORT = 70_000, 100


@st.composite
def _shapes(draw, classes):
    """One to three axes of rows, for a call that uses threads or for one that does not."""
    wanted = max(1, draw(st.sampled_from([LONG, SHORT])) // classes)
    inner = draw(st.lists(st.integers(1, 5), max_size=2))
    return (max(1, wanted // max(1, int(np.prod(inner)))) + draw(st.integers(0, 17)), *inner)


@st.composite
def _layouts(draw, shape, axis):
    """Axes in any order of memory, with gaps, reversed, off their natural address."""
    order = draw(st.permutations(range(len(shape))))
    steps = draw(st.lists(st.sampled_from([1, 1, 2, -1, -2]), min_size=len(shape),
                          max_size=len(shape)))  # fmt: skip
    offset = draw(st.sampled_from([0, 0, 1, 4, 8, 60]))
    moved = np.moveaxis(np.empty(shape), axis, -1).shape

    def arrange(x):
        return in_memory(np.moveaxis(x.reshape(moved), -1, axis), order, steps, offset)

    return Layout(f"{shape}, axis {axis}, order {order}, steps {steps}, {offset}", arrange, axis)


@st.composite
def row_problems(draw):
    """Inputs (n, K), and a layout in which they are the same numbers."""
    k = draw(st.one_of(st.integers(2, 40), st.sampled_from([63, 64, 65, 100, 1000, 4097, 9001])))
    shape = list(draw(_shapes(k)))
    axis = draw(st.integers(0, len(shape)))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    x = rng.normal(size=(int(np.prod(shape)), k)) * 10.0 ** rng.uniform(-2, 2, (1, 1))
    inputs = {"x": x.astype(draw(ANY_DTYPE)), "sparse": cases.labels(rng, x),
              "dense": cases.soft_labels(rng, x), "weight": rng.random(len(x))}  # fmt: skip
    shape.insert(axis, k)
    return inputs, draw(_layouts(tuple(shape), axis))


@st.composite
def element_problems(draw):
    shape = draw(_shapes(1))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    x = rng.normal(size=shape) * 10.0 ** rng.uniform(-2, 2)
    inputs = {"x": x.astype(draw(ANY_DTYPE)), "hard": cases.hard_labels_01(rng, x),
              "soft": cases.soft_labels_01(rng, x), "weight": rng.random(shape)}  # fmt: skip
    return inputs, draw(_layouts(shape, len(shape) - 1))


PROBLEMS = {
    "rows": (row_problems(), row_outputs, row_reductions),
    "elements": (element_problems(), element_outputs, element_reductions),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", PROBLEMS)
@given(data=st.data(), threads=ANY_THREADS)
@examples
def test_any_layout_and_number_of_threads(kind, data, threads):
    """Reductions too: a sum takes the rows in their order, wherever they lie."""
    problems, *outputs = PROBLEMS[kind]
    inputs, layout = data.draw(problems)
    for computed in outputs:
        with ce.num_threads(1):
            reference = computed(inputs)
        with ce.num_threads(threads):
            assert_same_bits(computed(inputs, layout), reference, f"{threads}, {layout.name}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", PROBLEMS)
@given(data=st.data(), threads=ANY_THREADS)
@examples
def test_any_cut_of_the_batch(kind, data, threads):
    problems, outputs, _ = PROBLEMS[kind]
    inputs, _ = data.draw(problems)
    n = len(inputs["x"])
    cuts = sorted([*data.draw(st.lists(st.integers(1, n), max_size=3)), n])
    with ce.num_threads(1):
        reference = outputs(inputs)
    start = 0
    for stop in cuts:
        part = slice(start, stop)
        if start < stop:
            want = {name: values[part] for name, values in reference.items()}
            with ce.num_threads(threads):
                got = outputs(_rows_of(inputs, part))
            assert_same_bits(got, want, f"rows {start} to {stop} of {n}, {threads} threads")
        start = stop


@pytest.mark.slow
@pytest.mark.parametrize("threads", THREADS)
def test_a_total_adds_in_one_order(threads):
    """Rows that threads share by their blocks are added in the order in which one thread adds.

    Losses are 1024 here, and the weights make them 1, half an ULP of 1, and terms so small that
    the bits of the sum tell in which order they were added.
    """
    weights = np.zeros(30)
    weights[:2] = 1, 2.0**-53
    weights[2::8] = 2.0**-107
    x = np.zeros((30, 40_000))
    x[:, 1] = 1024
    labels = np.zeros(30, int)
    with ce.num_threads(1):
        want = ce.softmax_cross_entropy(x, labels, sample_weight=weights / 1024, reduction="sum")
    with ce.num_threads(threads):
        ce.softmax(x)  # so that the next call is not one after a pause, which is serial
        got = ce.softmax_cross_entropy(x, labels, sample_weight=weights / 1024, reduction="sum")
    assert float(got).hex() == float(want).hex()


SAME_METHODS = (
    ("loss", "loss of loss_gradient"),
    ("gradient", "gradient of loss_gradient"),
    ("gradient", "gradient of gradient_hessian"),
)


def _assert_methods_agree(results):
    for name in [name for name in results if name.endswith("hessian") and " of " not in name]:
        labels = name.removesuffix(" hessian")
        for one, other in SAME_METHODS:
            pair = {one: results[f"{labels} {other}"]}, {one: results[f"{labels} {one}"]}
            assert_same_bits(*pair, f"{labels} {other}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_methods(dtype):
    """The loss of `loss` and of `loss_gradient`, the gradient of all three that return one."""
    for k in CLASSES[1:]:
        _assert_methods_agree(row_outputs(row_inputs(dtype, k)))
    _assert_methods_agree(element_outputs(element_inputs(dtype)))


@pytest.mark.parametrize("k", CLASSES[1:])
@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_are_the_methods(dtype, k):
    inputs = row_inputs(dtype, k)
    x = inputs["x"]
    loss = ce.SoftmaxCrossEntropy()
    for y in (inputs["sparse"], inputs["dense"]):
        one, other = ce.softmax_cross_entropy(x, y), loss.loss(x, y)
        assert_same_bits({"loss": one}, {"loss": other}, "function")
    one, other = loss.probabilities(x), ce.softmax(x)
    assert_same_bits({"softmax": one}, {"softmax": other}, "probabilities")


SIMD = [isa for isa in ("portable", "avx2", "avx512") if isa in ce.available_isas()]


@pytest.fixture(scope="module")
def outputs_of_isas(tmp_path_factory):
    folder = tmp_path_factory.mktemp("isas")
    found = {}
    for isa in SIMD:
        path = folder / f"{isa}.npz"
        environment = {**os.environ, "CECORE_ISA": isa}
        command = [sys.executable, "-m", "tests.all_outputs", str(path)]
        subprocess.run(command, env=environment, cwd=ROOT, check=True)
        with np.load(path) as saved:
            found[isa] = dict(saved)
    return found


@pytest.mark.slow
@pytest.mark.skipif(len(SIMD) < 2, reason="fewer than two SIMD ISAs on this machine")
@pytest.mark.parametrize("isa", SIMD[1:])
def test_isas(outputs_of_isas, isa):
    results, reference = dict(outputs_of_isas[isa]), dict(outputs_of_isas[SIMD[0]])
    assert (results.pop("isa"), reference.pop("isa")) == (isa, SIMD[0])
    assert_same_bits(results, reference, f"{isa} against {SIMD[0]}")
