"""What calls take of memory: no temporary of the logits' size, and fresh results on huge pages."""

import itertools
import os
import resource
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import cecore as ce
from cecore import _layout
from tests.layouts import in_memory

SOFTMAX, SIGMOID = ce.SoftmaxCrossEntropy(), ce.SigmoidCrossEntropy()
REDUCTIONS = ("none", "sum", "mean")
MIB = 2**20
# Names, strides, the objects of a call; NumPy's and Python's own, too.
SMALL = 64 * 1024

ROWS, COLUMNS, K = 24, 32, 256

# These are copied, a part at a time; a reduction of their losses keeps the losses until its end.
COPIED = ("five axes, Fortran order", "five axes, none joined")

# Logits of shape, axis of the classes, order of the axes in memory and distance of neighbours.
LAYOUTS = {
    "C order": ((ROWS * COLUMNS, K), 1, (0, 1), (1, 1)),
    "Fortran order": ((ROWS * COLUMNS, K), 1, (1, 0), (1, 1)),
    "classes first": ((K, ROWS * COLUMNS), 0, (0, 1), (1, 1)),
    "middle axis": ((ROWS, K, COLUMNS), 1, (0, 1, 2), (1, 1, 1)),
    "middle axis, Fortran order": ((ROWS, K, COLUMNS), 1, (2, 1, 0), (1, 1, 1)),
    "every second row": ((ROWS * COLUMNS, K), 1, (0, 1), (2, 1)),
    "every second class": ((ROWS * COLUMNS, K), 1, (0, 1), (1, 2)),
    "reversed": ((ROWS * COLUMNS, K), 1, (0, 1), (-1, -1)),
    "three axes, mixed": ((ROWS, COLUMNS, K), 2, (1, 2, 0), (2, 1, 2)),
    "images": ((6, K, 8, COLUMNS), 1, (0, 1, 2, 3), (1, 1, 1, 1)),
    "images, channels last": ((6, 8, COLUMNS, K), 3, (0, 1, 2, 3), (1, 1, 1, 1)),
    "images, Fortran order": ((6, K, 8, COLUMNS), 1, (3, 2, 1, 0), (1, 1, 1, 1)),
    "images, every second pixel": ((6, K, 8, COLUMNS), 1, (0, 1, 2, 3), (2, 1, 2, 2)),
    "five axes": ((6, 2, K, 4, COLUMNS), 2, (0, 1, 2, 3, 4), (1, 1, 1, 1, 1)),
    "five axes, Fortran order": ((6, 2, 4, COLUMNS, K), 4, (4, 3, 2, 1, 0), (1, 1, 1, 1, 1)),
    "five axes, none joined": ((6, 2, K, 4, COLUMNS), 2, (0, 1, 2, 3, 4), (2, 2, 2, 2, 2)),
}


def peak(call):
    """Bytes allocated at the highest point of a call above those before it."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        result = call()
        highest = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    return highest, result


def size_of(result):
    return sum(np.asarray(r).nbytes for r in (result if isinstance(result, tuple) else (result,)))


def only_results(function, arguments, options, why="", copies=0):
    highest, result = peak(lambda: function(*arguments, **options))
    limit = size_of(result) + SMALL + copies
    if highest > limit:  # by what a first call imports and caches, perhaps
        highest, _ = peak(lambda: function(*arguments, **options))
    assert highest <= limit, f"{why}: {highest} bytes for {size_of(result)}"


@pytest.fixture(autouse=True)
def smaller_copies(monkeypatch):
    """An eighth of the real ones, so that small arrays will do."""
    monkeypatch.setattr(_layout, "_COPIED", _layout._COPIED // 8)


def copies_of(x, row=1):
    """Of logits, labels, weights (of 8 bytes each) and two results, and one more in passing."""
    return 7 * max(_layout._COPIED, row) * x.itemsize


def logits_in(layout, dtype):
    shape, axis, order, steps = LAYOUTS[layout]
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    x = in_memory(x, order, steps)
    assert x.nbytes > 10 * SMALL
    return x, axis


def test_a_temporary_is_seen():
    x = np.zeros((1000, 1000))
    with pytest.raises(AssertionError):
        only_results(lambda: (x - 1).sum(), (), {})


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_softmax_losses(layout, dtype):
    x, axis = logits_in(layout, dtype)
    rows = tuple(n for a, n in enumerate(x.shape) if a != axis)
    rng = np.random.default_rng(1)
    sparse = rng.integers(0, K, rows)
    dense = in_memory(rng.random(x.shape).astype(dtype), *LAYOUTS[layout][2:])
    weight = rng.random(rows)
    copies = copies_of(x) + sparse.size * x.itemsize if layout in COPIED else 0
    assert copies < 0.8 * x.nbytes
    only_results(ce.logsumexp, (x, axis), {}, "logsumexp", copies)
    only_results(ce.softmax, (x, axis), {}, "softmax", copies)
    cases = ("none", None), ("mean", None), ("sum", weight), ("mean", weight)
    for labels, (reduction, weights) in itertools.product((sparse, dense), cases):
        why = f"{labels.dtype} labels, {reduction}, weights {weights is not None}"
        options = {"axis": axis, "reduction": reduction, "sample_weight": weights}
        for method in (SOFTMAX.loss, SOFTMAX.loss_gradient, SOFTMAX.gradient_hessian):
            only_results(method, (x, labels), options, f"{method}, {why}", copies)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sigmoid_losses(layout, dtype):
    x, _ = logits_in(layout, dtype)
    rng = np.random.default_rng(1)
    labels = in_memory(rng.random(x.shape).astype(dtype), *LAYOUTS[layout][2:])
    for weights, reduction in itertools.product((None, rng.random(x.shape[:1])), REDUCTIONS):
        why = f"{reduction}, weights {np.shape(weights)}"
        options = {"reduction": reduction, "sample_weight": weights}
        copies = copies_of(x) + (reduction != "none") * x.nbytes if layout in COPIED else 0
        for method in (SIGMOID.loss, SIGMOID.gradient_hessian):
            only_results(method, (x, labels), options, f"{method}, {why}", copies)
    only_results(ce.sigmoid, (x,), {}, "sigmoid", copies_of(x) if layout in COPIED else 0)


@pytest.mark.parametrize("axis", [(0, 2), (0, 1), (1, 2)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_several_axes(axis, order, dtype):
    """Those that cannot be walked as one are copied: some rows at a time, at least one."""
    x = np.array(np.random.default_rng(0).normal(size=(48, 64, 64)), dtype, order=order)
    row = x.size // ce.logsumexp(x, axis).size
    only_results(ce.logsumexp, (x, axis), {}, "logsumexp", copies_of(x, row))
    only_results(ce.softmax, (x, axis), {}, "softmax", copies_of(x, row))


def huge_pages():
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return setting.exists() and "[never]" not in setting.read_text()


@pytest.mark.skipif(not huge_pages(), reason="this system gives no huge pages")
@pytest.mark.skipif(
    os.environ.get("NUMPY_MADVISE_HUGEPAGE") == "0", reason="NumPy is told not to ask for them"
)
@pytest.mark.parametrize("mib", [8, 64])
def test_fresh_results_are_on_huge_pages(mib):
    """NumPy asks for them from 4 MiB on; only what lies before the first and past the last whole
    one is on pages of 4 KiB."""
    x = np.ones(mib * MIB // 4, np.float32)
    ce.sigmoid(x[:100_000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    result = ce.sigmoid(x)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert result.nbytes == mib * MIB
    assert faults <= mib // 2 + 2 * 512 + 100
