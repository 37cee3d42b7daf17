"""Many labels of a sigmoid that are all 0 or 1 are read once: their check leaves a bit of each.

Labels of int8 take the way of all others; whatever the kernels read, the results are the same bits.
"""

import numpy as np
import pytest

import cecore as ce

LOSS = ce.SigmoidCrossEntropy()
N = 600_001  # enough for threads at any time, and for bits; not whole chunks or words
PACKED_AT_MOST = 8 * 2**21 - 32768


@pytest.fixture(autouse=True, params=[1, 2])
def _threads(request):
    with ce.num_threads(request.param):
        yield


def _input(n=N, logits="f4", seed=0):
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(n, dtype=logits) * 4).astype(logits)
    return x, rng.integers(2, size=n, dtype="i1")


def _results(x, y):
    return *LOSS.loss_gradient(x, y), *LOSS.gradient_hessian(x, y)


def _same(a, b):
    for one, other in zip(a, b, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("labels", ["f4", "f8"])
@pytest.mark.parametrize("logits", ["f4", "f8"])
def test_the_bits_of_results(logits, labels):
    x, y = _input(logits=logits)
    _same(_results(x, y.astype(labels)), _results(x, y))
    for reduction in ("sum", "mean"):
        expected = LOSS.loss(x, y, reduction=reduction)
        assert LOSS.loss(x, y.astype(labels), reduction=reduction) == expected
        _same(
            LOSS.gradient_hessian(x, y.astype(labels), reduction=reduction),
            LOSS.gradient_hessian(x, y, reduction=reduction),
        )


@pytest.mark.parametrize("skipped", [1, 3, 5, 13])
def test_results_that_begin_within_a_line(skipped):
    """Runs of a sum end with a line of the gradient: there they begin in the middle of a byte."""
    x, y = _input()
    total, space = np.empty((), "f4"), np.empty(N + skipped, "f4")
    out = total, space[skipped:]
    _same(
        LOSS.loss_gradient(x, y.astype("f4"), reduction="sum", out=out),
        LOSS.loss_gradient(x, y, reduction="sum"),
    )


def test_infinite_and_nan_logits_and_negative_zero():
    x, y = _input()
    x[: 3 * 64] = np.repeat([np.inf, -np.inf, np.nan], 64)
    floats = y.astype("f4")
    floats[floats == 0] = -0.0
    _same(_results(x, floats), _results(x, y))


@pytest.mark.parametrize("at", [0, 40_000, N - 1])
def test_one_soft_label_among_them(at):
    x, y = _input()
    floats = y.astype("f4")
    floats[at] = 0.25
    _same(_results(x, floats), _results(x, floats.astype("f2")))


@pytest.mark.parametrize("at", [0, 40_000, N - 1])
@pytest.mark.parametrize("bad", [-1.0, 2.0, np.nan])
def test_a_bad_label_among_them(bad, at):
    x, y = _input()
    floats, out = y.astype("f4"), np.full(N, 7, "f4")
    floats[[at, N - 1]] = bad
    with pytest.raises(ValueError, match=f"Row {at} has label {bad}"):
        LOSS.gradient(x, floats, out=out)
    assert (out == 7).all()


def test_more_labels_than_bits_are_kept():
    n = PACKED_AT_MOST + 100_003
    y = _input(n, seed=1)[1]
    x = np.resize(_input()[0], n)
    assert LOSS.gradient(x, y.astype("f4")).tobytes() == LOSS.gradient(x, y).tobytes()
    soft = y.astype("f4")
    soft[-1] = 0.5
    assert LOSS.gradient(x, soft)[-1] == LOSS.gradient(x[-1:], soft[-1:])[0]


def test_bits_are_not_left_for_the_next_call():
    x, y = _input()
    first = LOSS.gradient(x, y.astype("f4"))
    assert LOSS.gradient(x, (1 - y).astype("f4")).tobytes() == LOSS.gradient(x, 1 - y).tobytes()
    ce.softmax(np.zeros((4, 200_000), "f2"))
    assert LOSS.gradient(x, y.astype("f4")).tobytes() == first.tobytes()
