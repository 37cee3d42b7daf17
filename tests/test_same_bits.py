"""The same bits: for any number of threads, batch, place in it, layout, method and SIMD ISA."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cecore as ce
from tests.all_outputs import (
    CLASSES,
    DTYPES,
    assert_same_bits,
    element_inputs,
    element_outputs,
    row_inputs,
    row_outputs,
)
from tests.layouts import LAYOUTS

ROOT = Path(__file__).parent.parent
THREADS = (1, 2, 3, 8)


def _rows_of(inputs, index):
    return {name: values[index] for name, values in inputs.items()}


@pytest.mark.parametrize("k", CLASSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_threads(dtype, k):
    """Enough rows for several chunks; and one row alone, which threads share by its blocks."""
    inputs = row_inputs(dtype, k)
    repeats = max(1, 400_000 // inputs["x"].size)
    many = {name: np.concatenate([values] * repeats) for name, values in inputs.items()}
    for batch in (many, _rows_of(inputs, slice(1))):
        with ce.num_threads(1):
            reference = row_outputs(batch)
        for threads in THREADS[1:]:
            with ce.num_threads(threads):
                assert_same_bits(row_outputs(batch), reference, f"{threads} threads")


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


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_element_alone_or_anywhere(dtype):
    inputs = element_inputs(dtype)
    reference = element_outputs(inputs)
    for start in range(0, len(inputs["x"]), 37):
        part = slice(start, start + 1 + start % 5)
        want = {name: values[part] for name, values in reference.items()}
        assert_same_bits(element_outputs(_rows_of(inputs, part)), want, f"from {start}")


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
