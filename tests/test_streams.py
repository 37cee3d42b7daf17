"""Results too large for the caches, which kernels/stream.h writes past them: bits and borders."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import cecore as ce

LARGE = 16 * 2**20  # bytes: all results of 15 MiB and more are streamed
PARTS = 6  # none of which is
pytestmark = pytest.mark.skipif(
    ce.isa() not in ("avx2", "avx512"), reason="plain C stores every result in the caches"
)

GUARD = 64  # elements on either side of a result that stay as they are
UNTOUCHED = -77.0

SOFTMAX, SIGMOID = ce.SoftmaxCrossEntropy(), ce.SigmoidCrossEntropy()
OPTIONS = {"reduction": "sum"}

ROWS = {
    "softmax": (lambda x, y, out: ce.softmax(x, out=out[0]), None, 1),
    "log_softmax": (lambda x, y, out: ce.log_softmax(x, out=out[0]), None, 1),
    "gradient": (lambda x, y, out: SOFTMAX.gradient(x, y, out=out[0], **OPTIONS), "sparse", 1),
    "dense gradient": (lambda x, y, out: SOFTMAX.gradient(x, y, out=out[0], **OPTIONS), "dense", 1),
    "gradient and Hessian": (
        lambda x, y, out: SOFTMAX.gradient_hessian(x, y, out=out, **OPTIONS), "sparse", 2,
    ),
    "dense gradient and Hessian": (
        lambda x, y, out: SOFTMAX.gradient_hessian(x, y, out=out, **OPTIONS), "dense", 2,
    ),
}  # fmt: skip

ELEMENTS = {
    "sigmoid": (lambda x, y, out: ce.sigmoid(x, out=out[0]), None, 1),
    "softplus": (lambda x, y, out: ce.softplus(x, out=out[0]), None, 1),
    "gradient": (lambda x, y, out: SIGMOID.gradient(x, y, out=out[0], **OPTIONS), "binary", 1),
    "gradient and Hessian": (
        lambda x, y, out: SIGMOID.gradient_hessian(x, y, out=out, **OPTIONS), "binary", 2,
    ),
}  # fmt: skip


@functools.lru_cache(maxsize=1)
def logits_and_labels(dtype, classes):
    """More than LARGE of logits, a few of them infinite, and their labels."""
    rng = np.random.default_rng(classes)
    rows = LARGE // (np.dtype(dtype).itemsize * classes) + 3
    x = rng.standard_normal((rows, classes), dtype) * 8
    sparse = rng.integers(0, classes, rows)
    x[0, 1:] = -np.inf
    sparse[0] = 0
    return x, {
        "sparse": sparse,
        "dense": rng.random(x.shape, dtype),
        "binary": rng.integers(0, 2, x.shape),
        None: sparse,
    }


def guarded(shape, dtype, offset, count):
    """Results that begin `offset` elements after a cache line, and the memory around them."""
    size = int(np.prod(shape))
    around = []
    for _ in range(count):
        memory = np.full(size + 2 * GUARD + 64, UNTOUCHED, dtype)
        start = -memory.ctypes.data // memory.itemsize % (64 // memory.itemsize)
        around.append(memory[start : start + size + 2 * GUARD])
    first = GUARD + offset
    return [a[first : first + size].reshape(shape) for a in around], around


def parts_of(call, x, y, count):
    results = [np.empty_like(x) for _ in range(count)]
    for rows in np.array_split(np.arange(len(x)), PARTS):
        part = slice(rows[0], rows[-1] + 1)
        call(x[part], y[part], tuple(r[part] for r in results))
    return results


def check(calls, name, dtype, classes):
    call, kind, count = calls[name]
    x, labels = logits_and_labels(dtype, classes)
    y = labels[kind]
    assert x.nbytes > LARGE > x.nbytes / PARTS * 1.5
    expected = parts_of(call, x, y, count)
    for offset, threads in ((0, 1), (3, 1), (4, 2), (13, 3)):
        results, around = guarded(x.shape, dtype, offset, count)
        with ce.num_threads(threads):
            call(x, y, tuple(results))
        for result, want, memory in zip(results, expected, around):
            bits = f"u{result.itemsize}"
            np.testing.assert_array_equal(result.view(bits), want.view(bits))
            assert np.all(memory[: GUARD + offset] == UNTOUCHED)
            assert np.all(memory[GUARD + offset + x.size :] == UNTOUCHED)


# Few classes; each kernel, with rows that end within a line; of several blocks; too long to wait.
@pytest.mark.parametrize("classes", [2, 37, 100, 200, 1000, 4097, 70_001, 300_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ROWS)
def test_rows_of_large_results(name, dtype, classes):
    check(ROWS, name, dtype, classes)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ROWS)
def test_rows_that_threads_share(name, dtype):
    """Against results in place of the logits, which are not streamed."""
    call, kind, count = ROWS[name]
    x, labels = logits_and_labels(dtype, LARGE // np.dtype(dtype).itemsize + 7)
    expected = [x[-1:].copy(), np.empty_like(x[-1:])][:count]
    call(expected[0], labels[kind][-1:], tuple(expected))
    for offset, threads in ((0, 1), (3, 2), (4, 3)):
        results, around = guarded(expected[0].shape, dtype, offset, count)
        with ce.num_threads(threads):
            call(x[-1:], labels[kind][-1:], tuple(results))
        for result, want, memory in zip(results, expected, around):
            np.testing.assert_array_equal(result, want)
            assert np.all(memory[: GUARD + offset] == UNTOUCHED)
            assert np.all(memory[GUARD + offset + x.shape[1] :] == UNTOUCHED)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ELEMENTS)
def test_elements_of_large_results(name, dtype):
    check(ELEMENTS, name, dtype, 1001)


@pytest.mark.parametrize("classes", [3, 100, 1000])
def test_large_results_in_place(classes):
    x, _ = logits_and_labels(np.float32, classes)
    expected = ce.softmax(x)
    logits = x.copy()
    assert ce.softmax(logits, out=logits) is logits
    np.testing.assert_array_equal(logits, expected)


def test_large_results_whose_lines_differ():
    """Gradient and Hessian that begin elsewhere in a cache line."""
    call, kind, count = ELEMENTS["gradient and Hessian"]
    x, labels = logits_and_labels(np.float32, 1001)
    expected = parts_of(call, x, labels[kind], count)
    results = [guarded(x.shape, np.float32, offset, 1)[0][0] for offset in (2, 5)]
    call(x, labels[kind], tuple(results))
    for result, want in zip(results, expected):
        np.testing.assert_array_equal(result, want)
