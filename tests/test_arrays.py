"""What arrays may be: kinds of input, layouts, axes and `out=`."""

import sys
import tracemalloc

import numpy as np
import pytest

import cecore as ce
from cecore import _arrays, _core, _layout
from tests import dlpack, plain
from tests.halves import HALVES
from tests.messages import says

RNG = np.random.default_rng(0)
ELEMENTWISE = {
    ce.sigmoid: plain.sigmoid,
    ce.log_sigmoid: plain.log_sigmoid,
    ce.softplus: plain.softplus,
}
ALONG = {ce.softmax: plain.softmax, ce.log_softmax: plain.log_softmax}
SAME_SHAPE = {**ELEMENTWISE, **ALONG}


def close(a, b, rtol=1e-12):
    np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-300)


def unaligned(x):
    view = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    assert not view.flags.aligned
    return view


def memory_map(x, directory):
    path = directory / "x.npy"
    np.save(path, x)
    return np.load(path, mmap_mode="r")


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


class ArrayInterface:
    """A container that NumPy can view, like a data frame's column."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


class DLPack:
    """A container that offers DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **keywords):
        return self.array.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


X = RNG.normal(size=(6, 5)) * 4
KINDS = {
    "list": lambda x, _: x.tolist(),
    "Fortran order": lambda x, _: np.asfortranarray(x),
    "strided": lambda x, _: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3],
    "reversed": lambda x, _: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "other byte order": lambda x, _: x.astype(x.dtype.newbyteorder()),
    "unaligned": lambda x, _: unaligned(x),
    "read-only": lambda x, _: read_only(x),
    "memory map": memory_map,
    "matrix": lambda x, _: np.asmatrix(x),
    "__array__": lambda x, _: ArrayInterface(x),
    "DLPack": lambda x, _: DLPack(x),
}


@pytest.mark.parametrize("function", [*SAME_SHAPE, ce.logsumexp])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_kinds_of_input_give_the_same_bits(function, kind, tmp_path):
    result = function(KINDS[kind](X, tmp_path))
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, function(X))


def test_pandas_columns_and_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X)
    labels = pandas.Series(np.arange(6) % 5)
    np.testing.assert_array_equal(ce.softmax(frame), ce.softmax(X))
    np.testing.assert_array_equal(
        ce.softmax_cross_entropy(frame, labels), ce.softmax_cross_entropy(X, np.arange(6) % 5)
    )
    np.testing.assert_array_equal(ce.sigmoid(frame[0]), ce.sigmoid(X[:, 0]))


def test_a_broadcast_input_is_read_as_it_is():
    x = np.broadcast_to(X[0], (4, 5))
    np.testing.assert_array_equal(ce.softmax(x), ce.softmax(x.copy()))
    np.testing.assert_array_equal(ce.sigmoid(x), ce.sigmoid(x.copy()))


# Other libraries' memory, by DLPack ---------------------------------------------------------------

BF16 = HALVES["bf16"]
DLPACK_TYPES = {
    BF16: dlpack.BFLOAT,
    **dict.fromkeys(("f2", "f4", "f8"), dlpack.FLOAT),
    **dict.fromkeys(("i1", "i2", "i4", "i8"), dlpack.INT),
    **dict.fromkeys(("u1", "u2", "u4", "u8"), dlpack.UINT),
    "?": dlpack.BOOL,
}


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize("dtype", DLPACK_TYPES, ids=str)
def test_dlpack_of_every_type(dtype, versioned):
    x = np.abs(X).astype(dtype)
    for array in (x, x[::-1, ::2], x[:, :0]):
        exporter = dlpack.Exporter(array, DLPACK_TYPES[dtype], versioned=versioned)
        result = ce.softplus(exporter)
        assert result.dtype == ce.softplus(array).dtype
        np.testing.assert_array_equal(result, ce.softplus(array))
        assert exporter.freed == 1
    bare = dlpack.Exporter(x, DLPACK_TYPES[dtype], versioned=versioned, strides=False)
    np.testing.assert_array_equal(ce.softmax(bare), ce.softmax(x))


def test_dlpack_labels_and_weights():
    labels = np.arange(6) % 5
    exporters = [
        dlpack.Exporter(X.astype(BF16), dlpack.BFLOAT),
        dlpack.Exporter(labels, dlpack.INT),
        dlpack.Exporter(np.ones(6, BF16), dlpack.BFLOAT),
    ]
    got = ce.softmax_cross_entropy(*exporters[:2], sample_weight=exporters[2])
    np.testing.assert_array_equal(got, ce.softmax_cross_entropy(X.astype(BF16), labels))
    assert [e.freed for e in exporters] == [1, 1, 1]


@pytest.mark.parametrize(
    ("exporter", "message"),
    [
        (
            {"device": dlpack.CUDA},
            "x lies on the DLPack device (2, 0), wanted the memory",
        ),
        ({"lanes": 4}, "x has DLPack type code 2 with 64 bits and 4 lanes, wanted float16"),
        ({"code": dlpack.COMPLEX}, "x has DLPack type code 5 with 64 bits and 1 lanes, wanted"),
        ({"major": 2}, "x has DLPack version 2, wanted 1."),
    ],
)
def test_dlpack_that_cannot_be_read(exporter, message):
    given = dlpack.Exporter(X, **{"code": dlpack.FLOAT, **exporter})
    with says(TypeError, message):
        ce.softmax(given)
    assert given.freed == (0 if "device" in exporter else 1)


def test_bfloat16_without_ml_dtypes(monkeypatch):
    """DLPack then gives float32, where there is no bfloat16 to give."""
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    _arrays._bfloat16.cache_clear()
    try:
        x = X.astype(BF16)
        result = ce.softmax(dlpack.Exporter(x, dlpack.BFLOAT))
        np.testing.assert_array_equal(result, ce.softmax(x.astype(np.float32)))
        assert result.dtype == np.float32
        labels = dlpack.Exporter(np.array([0, 1, 2, 3, 4, 7], BF16), dlpack.BFLOAT)
        with says(ValueError, "Row 5 has label 7.0; with K = 5 classes"):
            ce.softmax_cross_entropy(x, labels)
        weight = dlpack.Exporter(np.array([0, 1, 2, 3, 4, np.nan], BF16), dlpack.BFLOAT)
        with says(ValueError, "Row 5 has sample_weight nan;"):
            ce.softmax_cross_entropy(x, [0] * 6, sample_weight=weight)
    finally:
        _arrays._bfloat16.cache_clear()


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    for dtype in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
        x = torch.as_tensor(X).to(dtype)
        numbers = x.to(torch.float64).numpy()
        wanted = ce.softmax(numbers.astype({torch.bfloat16: BF16}.get(dtype, str(dtype)[6:])))
        for tensor in (x, x.T.contiguous().T):
            result = ce.softmax(tensor)
            assert result.dtype == wanted.dtype
            np.testing.assert_array_equal(result, wanted)
    with pytest.raises((RuntimeError, BufferError), match="grad"):
        ce.softmax(x.to(torch.bfloat16).requires_grad_())


# ---------------------------------------------------------------------------------------------


NARROW = [*HALVES.values(), np.dtype("f4")]


@pytest.mark.parametrize("k", [3, 1000, 40_000])
@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_no_temporary_of_the_logits_size(dtype, k):
    """Also of half types, and of labels in another type than the logits."""
    x = np.zeros((400_000 // k, k), dtype)
    sparse, dense = np.zeros(len(x), np.int32), np.zeros(x.shape, bool)
    out, loss = np.empty_like(x), ce.SoftmaxCrossEntropy()
    double, pair = np.zeros(x.shape), (np.empty(x.shape, "f4"), np.empty(x.shape, "f4"))
    calls = {
        "logsumexp": lambda: ce.logsumexp(x),
        "sparse": lambda: loss.loss(x, sparse, reduction="sum"),
        "dense": lambda: loss.gradient(x, dense, out=out),
        "softmax": lambda: ce.softmax(x, out=out),
        "float32 of float64": lambda: loss.gradient_hessian(double, sparse, out=pair),
    }
    for name, call in calls.items():
        call()
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < x.size + 20 * len(x), name


@pytest.mark.parametrize("dtype", ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
def test_integers_and_booleans_become_float64(dtype):
    x = np.array([[0, 1, 3], [2, 0, 1]]).astype(dtype)
    for function, formula in SAME_SHAPE.items():
        result = function(x)
        assert result.dtype == np.float64
        close(result, formula(x.astype(float)))
    assert ce.logsumexp(x).dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["=", "S"])
def test_floats_keep_their_type_in_native_byte_order(dtype, order):
    x = X.astype(np.dtype(dtype).newbyteorder(order))
    for function in [*SAME_SHAPE, ce.logsumexp]:
        assert function(x).dtype == np.dtype(dtype)


def test_float16_is_computed_in_float32():
    x = X.astype(np.float16)
    wide = x.astype(np.float32)
    for function in SAME_SHAPE:
        assert function(x).dtype == np.float16
        np.testing.assert_array_equal(function(x), function(wide).astype(np.float16))
        out = np.empty(x.shape, np.float32)
        np.testing.assert_array_equal(function(x, out=out), function(wide))
    assert ce.logsumexp(x).dtype == np.float32
    np.testing.assert_array_equal(ce.logsumexp(x), ce.logsumexp(wide))


def test_rounding_to_float16_raises_no_floating_point_error():
    x = np.array([60000, -60000], np.float16)
    with np.errstate(all="raise"):
        assert ce.log_softmax(x)[1] == -np.inf
        assert ce.sigmoid(x)[1] == 0


@pytest.mark.parametrize(
    "axis", [0, 1, 2, -1, -2, -3, (0, 2), (2, 1), (-1, 0), (0, 1, 2), (), None]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_axis(axis, order):
    x = np.array(RNG.normal(size=(3, 4, 5)), order=order)
    for function, formula in ALONG.items():
        close(function(x, axis), formula(x, axis))
    for keepdims in (False, True):
        result = ce.logsumexp(x, axis, keepdims=keepdims)
        expected = plain.logsumexp(x, axis, keepdims)
        assert result.shape == expected.shape
        close(result, expected)


@pytest.mark.parametrize("axis", range(6))
@pytest.mark.parametrize(
    "permutation", [(0, 1, 2, 3, 4, 5), (3, 1, 5, 0, 4, 2), (5, 4, 3, 2, 1, 0)]
)
def test_more_row_axes_than_the_kernels_have(axis, permutation):
    """Every second element along each axis: no two axes can be joined."""
    x = RNG.normal(size=(4, 6, 4, 6, 4, 6))[::2, ::2, ::2, ::2, ::2, ::2].transpose(permutation)
    for function, formula in ALONG.items():
        close(function(x, axis), formula(x, axis), 1e-11)
    for function, formula in ELEMENTWISE.items():
        close(function(x), formula(x))
    out = np.empty(tuple(2 * n for n in x.shape))[::2, ::2, ::2, ::2, ::2, ::2]
    assert ce.softmax(x, axis, out=out) is out
    np.testing.assert_array_equal(out, ce.softmax(x, axis))
    close(ce.logsumexp(x, axis), plain.logsumexp(x, axis))
    labels = RNG.integers(0, x.shape[axis], np.delete(x.shape, axis))
    loss, gradient = ce.SoftmaxCrossEntropy().loss_gradient(x, labels, axis=axis)
    expected = plain.softmax_parts(x, labels, axis)
    close(loss, expected[0], 1e-10)
    np.testing.assert_allclose(gradient, expected[1], atol=1e-14)


@pytest.mark.parametrize("elements", [1, 100, 700])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_jobs_cut_to_keep_copies_small_give_the_same_bits(elements, dtype, monkeypatch):
    """Whole rows at a time; a total is added as if the job had not been cut."""
    monkeypatch.setattr(_layout, "_COPIED", elements)
    softmax, sigmoid = ce.SoftmaxCrossEntropy(), ce.SigmoidCrossEntropy()
    gaps = RNG.normal(size=(10, 8, 6, 22, 14)).astype(dtype)
    x = gaps[::2, ::2, ::2, ::2, ::2]
    plain = x.copy()
    for axes in (3, (0, 2), (1, 3), (0, 2, 4), None):
        for function in (ce.logsumexp, *ALONG):
            np.testing.assert_array_equal(function(x, axes), function(plain, axes))
    out = np.zeros_like(gaps)[::2, ::2, ::2, ::2, ::2]
    assert ce.sigmoid(x, out=out) is out
    np.testing.assert_array_equal(out, ce.sigmoid(plain))
    for dense in (False, True):
        y = RNG.random(x.shape) if dense else RNG.integers(0, 11, np.delete(x.shape, 3))
        weight = RNG.random(np.delete(x.shape, 3))
        for reduction in ("none", "sum", "mean"):
            options = {"axis": 3, "reduction": reduction, "sample_weight": weight}
            for method in (softmax.loss_gradient, softmax.gradient_hessian):
                for a, b in zip(method(x, y, **options), method(plain, y, **options)):
                    np.testing.assert_array_equal(a, b)
            assert np.array_equal(softmax.loss(x, y, **options), softmax.loss(plain, y, **options))
    y, weight = RNG.random(x.shape), RNG.random(x.shape)
    for reduction in ("none", "sum", "mean"):
        options = {"reduction": reduction, "sample_weight": weight}
        for a, b in zip(
            sigmoid.loss_gradient(x, y, **options), sigmoid.loss_gradient(plain, y, **options)
        ):
            np.testing.assert_array_equal(a, b)


def test_the_first_wrong_label_of_many_axes_is_found():
    x = RNG.normal(size=(4, 6, 8, 6, 4, 6))[::2, ::2, ::2, ::2, ::2, ::2]
    labels = np.zeros((4, 6, 8, 6, 4), int)[::2, ::2, ::2, ::2, ::2]
    labels[1, 0, 2, 1, 0] = labels[0, 2, 3, 2, 1] = 3
    with pytest.raises(ValueError, match=r"Row \(0, 2, 3, 2, 1\) has label 3"):
        ce.softmax_cross_entropy(x, labels)


@pytest.mark.parametrize("function", SAME_SHAPE)
def test_fresh_results_keep_the_layout_of_the_input(function):
    x = RNG.normal(size=(2, 3, 4)).transpose(2, 0, 1)
    assert function(x).strides == x.strides


def test_numpy_scalars_for_results_without_axes():
    for function in ELEMENTWISE:
        assert type(function(0.5)) is np.float64
        assert type(function(np.float32(0.5))) is np.float32
        assert type(function(np.array(0.5))) is np.float64
    assert type(ce.logsumexp([1.0, 2.0])) is np.float64
    assert type(ce.logsumexp(3.0, axis=None)) is np.float64
    assert type(ce.softmax_cross_entropy([1.0, 2.0], 0)) is np.float64
    assert type(ce.sigmoid_cross_entropy(np.float32(1), 1)) is np.float32


def test_empty_arrays():
    for function in ELEMENTWISE:
        assert function(np.empty((3, 0, 2), np.float32)).shape == (3, 0, 2)
    for function in ALONG:
        assert function(np.empty((0, 3))).shape == (0, 3)
    assert ce.logsumexp(np.empty((0, 3))).shape == (0,)
    assert ce.logsumexp(np.empty((0, 3)), keepdims=True).shape == (0, 1)


@pytest.mark.parametrize("function", SAME_SHAPE)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("step", [(1, 1), (2, 1), (1, 2), (-1, -1)])
def test_out_may_be_the_input_itself(function, dtype, step):
    x = RNG.normal(size=(8, 10)).astype(dtype)[:: step[0], :: step[1]]
    expected = function(x)
    assert function(x, out=x) is x
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("function", SAME_SHAPE)
def test_out_may_be_another_view_of_exactly_the_input(function):
    x = RNG.normal(size=(1, 5))
    expected = function(x)
    same = np.lib.stride_tricks.as_strided(x, x.shape, (1_000, 8))
    function(x, out=same)
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("function", SAME_SHAPE)
@pytest.mark.parametrize("order", ["C", "F"])
def test_out_in_any_layout(function, order):
    x = RNG.normal(size=(4, 5, 6))
    for out in (
        np.empty(x.shape, order=order),
        np.empty((8, 5, 12), order=order)[::2, :, ::2],
        np.empty((6, 5, 4), order=order).T,
        unaligned(np.zeros(x.shape)),
    ):
        assert function(x, out=out) is out
        np.testing.assert_array_equal(out, function(x))


@pytest.mark.parametrize("keepdims", [False, True])
def test_out_of_logsumexp(keepdims):
    x = RNG.normal(size=(4, 5, 6))
    expected = ce.logsumexp(x, 1, keepdims=keepdims)
    out = np.full((expected.shape[0] * 2, *expected.shape[1:]), np.nan)[::2]
    assert ce.logsumexp(x, 1, keepdims=keepdims, out=out) is out
    np.testing.assert_array_equal(out, expected)


def test_interleaved_memory_is_not_an_overlap():
    table = RNG.normal(size=(4, 6))
    expected = ce.softmax(table[:, ::2])
    ce.softmax(table[:, ::2], out=table[:, 1::2])
    np.testing.assert_array_equal(table[:, 1::2], expected)


def test_out_subclass_is_filled_and_returned():
    out = np.empty((6, 5)).view(np.recarray)
    assert ce.softmax(X, out=out) is out
    np.testing.assert_array_equal(np.asarray(out), ce.softmax(X))


@pytest.fixture
def shapes(monkeypatch):
    """The four-axis shapes of the logits that the kernels are given, call by call."""
    seen = []
    run = _core.run

    def recorded(op, x, *rest):
        seen.append(x.shape[:4])
        return run(op, x, *rest)

    monkeypatch.setattr(_core, "run", recorded)
    monkeypatch.setattr(_core, "run_plain", lambda *_: None)
    return seen


@pytest.mark.parametrize(
    ("x", "axis", "expected"),
    [
        (np.empty((7, 3)), -1, (1, 1, 7, 3)),
        (np.empty((2, 7, 3)), -1, (1, 1, 14, 3)),
        (np.empty((2, 3, 4, 5)), 1, (1, 2, 20, 3)),
        (np.empty((7, 3), order="F"), -1, (1, 1, 7, 3)),
        (np.empty((2, 7, 3), order="F"), -1, (1, 1, 14, 3)),
        (np.empty((4, 6, 8, 3))[::2, ::2, ::2], -1, (2, 3, 4, 3)),
        (np.empty((3,)), -1, (1, 1, 1, 3)),
    ],
)
def test_rows_are_joined_as_far_as_they_can_be(shapes, x, axis, expected):
    x[...] = 0
    ce.softmax(x, axis)
    assert shapes == [expected]


@pytest.mark.parametrize("order", ["C", "F"])
def test_elements_become_one_run(shapes, order):
    ce.sigmoid(np.zeros((3, 4, 5), order=order))
    ce.SigmoidCrossEntropy().gradient_hessian(
        np.zeros((3, 4, 5), order=order), np.ones((3, 4, 5), order=order)
    )
    assert shapes == [(1, 1, 1, 60)] * 2
