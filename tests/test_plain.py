"""The short way of plain arrays (cecore/_plain.pxi) beside the general path: the same in all.

Every call is made twice, with and without the short way, on inputs made anew: results, their bits,
types and memory, what happens to `out`, errors and warnings must be the same.
"""

import itertools
import warnings

import numpy as np
import pytest

import cecore as ce
from cecore import _core

SOFTMAX, SIGMOID = ce.SoftmaxCrossEntropy(), ce.SigmoidCrossEntropy()
ELEMENTWISE = {"sigmoid": ce.sigmoid, "log_sigmoid": ce.log_sigmoid, "softplus": ce.softplus}
ROWWISE = {"logsumexp": ce.logsumexp, "softmax": ce.softmax, "log_softmax": ce.log_softmax}
LOSSES = {
    "softmax_cross_entropy": ce.softmax_cross_entropy,
    "softmax gradient": SOFTMAX.gradient,
    "softmax loss_gradient": SOFTMAX.loss_gradient,
    "softmax gradient_hessian": SOFTMAX.gradient_hessian,
    "sigmoid_cross_entropy": ce.sigmoid_cross_entropy,
    "sigmoid gradient": SIGMOID.gradient,
    "sigmoid loss_gradient": SIGMOID.loss_gradient,
    "sigmoid gradient_hessian": SIGMOID.gradient_hessian,
}
REDUCTIONS = ("none", "sum", "mean", "batch_mean")
TWO_RESULTS = {name for name in LOSSES if name.endswith(("loss_gradient", "gradient_hessian"))}


class Subclass(np.ndarray):
    pass


def logits(shape, dtype="f4", seed=0):
    return (np.random.default_rng(seed).normal(size=shape) * 5).astype(dtype)


def labels_for(name, x, dense=False):
    rng = np.random.default_rng(1)
    if name.startswith("sigmoid"):
        return rng.integers(0, 2, x.shape)
    if dense:
        return rng.random(x.shape).astype(x.dtype)
    return rng.integers(0, x.shape[-1], x.shape[:-1])


def described(value):
    """All that can be seen of a result."""
    if isinstance(value, tuple):
        return tuple(described(v) for v in value)
    if isinstance(value, np.ndarray):
        memory = (value.strides, value.flags.owndata, value.flags.writeable)
        return type(value), value.dtype.str, value.shape, memory, value.tobytes()
    return type(value), np.asarray(value).tobytes()


def outcome(call):
    """What a call returns, raises and warns of, and the inputs after it.

    `call` returns a function and its arguments, made anew.
    """
    function, arguments, keywords = call()
    given = [v for v in (*arguments, *keywords.values()) if isinstance(v, (np.ndarray, tuple))]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(*arguments, **keywords)
        except Exception as error:
            seen = type(error), str(error)
        else:
            out = keywords.get("out")
            outs = out if isinstance(out, tuple) else (out,)
            results = result if isinstance(result, tuple) else (result,)
            same = tuple(any(r is o for o in outs) for r in results)
            seen = described(result), same
    texts = [(w.category, str(w.message), w.filename) for w in caught]
    return seen, texts, [described(v) for v in given]


def check(call, monkeypatch):
    short = outcome(call)
    with monkeypatch.context() as patch:
        patch.setattr(_core, "run_plain", lambda *_: None)
        general = outcome(call)
    assert short == general


SHAPES = [
    (10,), (1, 10), (4, 7), (3, 2), (2, 3, 5), (5, 1), (1,), (70, 3), (2, 4500), (), (0, 3), (3, 0)
]  # fmt: skip
AXES = [-1, 0, 1, 2, -2, None, (0,), (-1,), np.int64(-1), True, 1.5, "x", 2**70, -(2**70)]


@pytest.mark.parametrize("name", [*ELEMENTWISE, *ROWWISE])
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "f2", "i4", "?", "c8", "S9"])
def test_functions_of_one_array(name, dtype, monkeypatch):
    function = (ELEMENTWISE | ROWWISE)[name]
    for shape in SHAPES:
        check(lambda shape=shape: (function, (logits(shape).astype(dtype),), {}), monkeypatch)
    for axis in AXES if name in ROWWISE else ():
        check(lambda axis=axis: (function, (logits((4, 7), dtype="f8"), axis), {}), monkeypatch)
    check(lambda: (function, (logits((4, 7)).astype(dtype).view(Subclass),), {}), monkeypatch)
    check(lambda: (function, (logits((4, 7)).astype(dtype).tolist(),), {}), monkeypatch)
    check(lambda: (function, (np.ma.masked_array(logits(3)),), {}), monkeypatch)


LABEL_DTYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "l", "L", "q", "Q",
                "f4", "f8", "f2", "?", ">i4", "c8"]  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", [*REDUCTIONS, "".join(["su", "m"]), "none ", None, 3])
def test_losses(name, reduction, monkeypatch):
    function = LOSSES[name]
    for shape, dtype, dense in itertools.product(SHAPES, ("f4", "f8", "f2"), (False, True)):
        if shape:

            def call(shape=shape, dtype=dtype, dense=dense):
                x = logits(shape, dtype)
                y = np.zeros(shape) if 0 in shape else labels_for(name, x, dense)
                return function, (x, y), {"reduction": reduction}

            check(call, monkeypatch)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", LABEL_DTYPES)
@pytest.mark.parametrize("dense", [False, True])
def test_types_of_labels(name, dtype, dense, monkeypatch):
    def call():
        x = logits((5, 4), "f8")
        return LOSSES[name], (x, labels_for(name, x, dense).astype(dtype)), {"reduction": "mean"}

    check(call, monkeypatch)


BAD_LABELS = [
    [0, 1, 4], [0, -1, 2], [0, 0.5, 1], [0, np.nan, 1], [0, -100, 1], [1, 2, 4], [[0], [1], [2]],
    [0, 1], None, 1, "x", [0, 2.0, 1], np.uint64(2**63), [np.inf] * 3, [[0, 0, 0, -1]] * 3,
    [[0, 0, 0, np.nan]] * 3, [[0, 0, 0, np.inf]] * 3, [[0, 2, 0, 1]] * 3,
]  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("labels", BAD_LABELS, ids=str)
def test_wrong_labels(name, labels, monkeypatch):
    """They are refused before a caller's `out` is written."""
    for kind, with_out in itertools.product((np.asarray, lambda v: v), (False, True)):

        def call(kind=kind, with_out=with_out):
            x = logits((3, 4))
            out = np.full((3, 4), 7, "f4")
            outs = (out, out.copy()) if name in TWO_RESULTS else out
            return LOSSES[name], (x, kind(labels)), {"out": outs} if with_out else {}

        check(call, monkeypatch)


def outs_of(x, shape):
    """Arrays offered for a result of this shape, fit and unfit, beside and on top of x."""
    plain = np.full(shape, 7, x.dtype)
    yield plain
    yield np.full(shape, 7, "f8" if x.dtype == "f4" else "f4")
    yield plain.astype(x.dtype.newbyteorder())
    yield np.asfortranarray(plain)
    yield np.full((2, *shape), 7, x.dtype)[:, ...][1]
    yield np.full((*shape, 2), 7, x.dtype)[..., 0]
    yield np.full((*shape, 1), 7, x.dtype)
    yield plain.view(Subclass)
    yield np.full(plain.nbytes + 1, 7, "u1")[1:].view(x.dtype).reshape(shape)
    frozen = plain.copy()
    frozen.flags.writeable = False
    yield frozen
    yield plain.tolist()
    yield np.lib.stride_tricks.as_strided(x, shape, plain.strides)
    if shape == x.shape:
        yield x
        yield x[...]
        yield x[::-1]
    wide = np.full(x.size + 8, 7, x.dtype)
    yield wide[: plain.size].reshape(shape)


@pytest.mark.parametrize("name", [*ELEMENTWISE, *ROWWISE, *LOSSES])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_out(name, dtype, reduction, monkeypatch):
    x = logits((6, 4), dtype)
    kinds = len(list(outs_of(x, x.shape)))
    has_value = name == "logsumexp" or name.endswith(("entropy", "loss_gradient"))
    rows = (6,) if name == "logsumexp" or name.startswith("softmax") else (6, 4)
    value = () if reduction == "sum" and name in LOSSES else rows

    def call(i, j):
        x = logits((6, 4), dtype)
        first = list(outs_of(x, value if has_value else x.shape))
        out = first[i % len(first)]
        if name in TWO_RESULTS:
            out = out, [None, *outs_of(x, x.shape)][j]
        if name not in LOSSES:
            return (ELEMENTWISE | ROWWISE)[name], (x,), {"out": out}
        y = labels_for(name, x)
        return LOSSES[name], (x, y), {"out": out, "reduction": reduction}

    for i, j in itertools.product(range(kinds), range(kinds) if name in TWO_RESULTS else (0,)):
        check(lambda i=i, j=j: call(i, j), monkeypatch)


@pytest.mark.parametrize("out", [(), (None,), (None, None), (None, None, None), [None, None]])
@pytest.mark.parametrize("name", sorted(TWO_RESULTS))
def test_tuples_for_two_results(name, out, monkeypatch):
    def call():
        x = logits((3, 4))
        return LOSSES[name], (x, labels_for(name, x)), {"out": out}

    check(call, monkeypatch)


@pytest.mark.parametrize("name", LOSSES)
def test_results_on_top_of_labels_and_of_each_other(name, monkeypatch):
    def call(dense, twice):
        x = logits((3, 4), "f8")
        y = labels_for(name, x, dense).astype("f8")
        out = np.full(x.shape, 7.0) if twice else y
        both = (out, out) if name in TWO_RESULTS else out
        return LOSSES[name], (x, y), {"out": both}

    for dense, twice in itertools.product((False, True), repeat=2):
        check(lambda dense=dense, twice=twice: call(dense, twice), monkeypatch)


@pytest.mark.parametrize("change", [None, "one above 1", "one NaN", "sum", "equal", "last"])
@pytest.mark.parametrize("rows", [1, 2, 3, 64, 65, 1000])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_logits_that_look_like_probabilities(change, rows, dtype, monkeypatch):
    def call():
        p = ce.softmax(logits((rows, 5), dtype))
        if change == "one above 1":
            p[rows // 2, 4] += 1
        elif change == "one NaN":
            p[-1, 2] = np.nan
        elif change == "sum":
            p *= 1 + 1.5e-4
        elif change == "equal":
            p[:] = p[0]
        elif change == "last":
            p[-1] *= 1 + 1e-3
        return SOFTMAX.loss_gradient, (p, np.zeros(rows, int)), {}

    check(call, monkeypatch)


@pytest.mark.parametrize("shape", [(170, 400), (70_000,), (2, 40_000), (65_536, 1)])
@pytest.mark.parametrize("threads", [1, 2])
def test_large_calls(shape, threads, monkeypatch):
    with ce.num_threads(threads):
        for function in (ELEMENTWISE | ROWWISE).values():
            check(lambda f=function: (f, (logits(shape),), {}), monkeypatch)
        for name, function in LOSSES.items():
            for reduction in REDUCTIONS:

                def call(name=name, function=function, reduction=reduction):
                    x = logits(shape)
                    return function, (x, labels_for(name, x)), {"reduction": reduction}

                check(call, monkeypatch)


def test_weights_take_the_general_path(monkeypatch):
    for name, weight in itertools.product(LOSSES, ([1, 2, 0], np.ones(3), [1, -1, 1])):

        def call(name=name, weight=weight):
            x = logits((3, 4))
            return LOSSES[name], (x, labels_for(name, x)), {"sample_weight": weight}

        check(call, monkeypatch)


def _never(*_):
    raise AssertionError("the general path was taken")


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(10,), (1, 10), (4, 7), (2, 3, 5)])
def test_common_calls_are_short(dtype, shape, monkeypatch):
    monkeypatch.setattr(_core, "run", _never)
    x = logits(shape, dtype)
    for function in (ELEMENTWISE | ROWWISE).values():
        function(x)
    for function in (*ELEMENTWISE.values(), ce.softmax, ce.log_softmax):
        function(x, out=np.empty_like(x))
        function(x.copy(), out=x)
    ce.softmax(x, len(shape) - 1)
    for name, function in LOSSES.items():
        for dense, reduction in itertools.product((False, True), REDUCTIONS):
            x = logits(shape, dtype)
            y = np.asarray(labels_for(name, x, dense))
            function(x, y, reduction=reduction)


def test_large_calls_ask_for_the_number_of_threads():
    asked = []

    def number():
        asked.append(True)
        return 1

    small, large = np.zeros(10), np.zeros(1_000_000)
    for x, times in ((small, 0), (large, 1)):
        asked.clear()
        result = _core.run_plain(0, x, -1, None, "none", True, False, False, None, number)
        assert result == ce.logsumexp(x)
        assert len(asked) == times
