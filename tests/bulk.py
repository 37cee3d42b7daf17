"""True values and errors in bulk: the classes of truth.py in C, for billions of values.

Float32 results are judged by doubles and float64 results by long doubles; tests/c/truth.h has the
formulas and the error of the truth itself, test_truth compares it with 400-bit arithmetic. Calls
release the interpreter's lock, so blocks can be judged in threads.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from tests.truth import Exact

_SOURCE = Path(__file__).parent / "c" / "truth.c"
_FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno",
          "-shared", "-fPIC")  # fmt: skip
REAL = {np.dtype("f4"): np.dtype("f8"), np.dtype("f8"): np.dtype(np.longdouble)}
# From here on an error is a wrong answer: 2^24 (2^53) ULP of a number is the number itself.
ALL_DIGITS = {np.dtype("f4"): 2.0**24, np.dtype("f8"): 2.0**53}


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "truth.so")
        compiler = os.environ.get("CC", "cc").split()
        subprocess.run([*compiler, *_FLAGS, str(_SOURCE), "-o", str(path), "-lm"], check=True)
        library = ctypes.CDLL(str(path))
    for suffix in ("f32", "f64"):
        errors = getattr(library, f"errors_{suffix}")
        errors.restype = ctypes.c_double
        errors.argtypes = [*[ctypes.c_ssize_t] * 2, *[ctypes.c_void_p] * 3, ctypes.c_double,
                           ctypes.c_void_p]  # fmt: skip
    return library


def _function(name: str, dtype: np.dtype):
    return getattr(_library(), f"{name}_f{8 * dtype.itemsize}")


def _pointer(array: np.ndarray | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if array is None else array.ctypes.data)


class _State(ctypes.Structure):
    """What the C functions of one kind share; `arrays` keeps its memory alive."""

    def __init__(self, *counts_and_arrays):
        self.arrays = [v for v in counts_and_arrays if isinstance(v, np.ndarray)]
        super().__init__(*(v if isinstance(v, int) else v.ctypes.data for v in counts_and_arrays))


class _RowState(_State):
    _fields_ = [(name, ctypes.c_ssize_t) for name in ("n", "k")] + [
        (name, ctypes.c_void_p) for name in ("x", "gap", "e", "m", "s", "log_S", "top", "single")
    ]


class _ElementState(_State):
    _fields_ = [("n", ctypes.c_ssize_t)] + [(v, ctypes.c_void_p) for v in ("x", "e", "log1p_e")]


class _Truth:
    """The arrays of a truth, and calls of its C functions."""

    state: _State
    dtype: np.dtype

    def _exact(self, name: str, shape, labels=None, has_size=False) -> Exact:
        value = np.empty(shape, REAL[self.dtype])
        size = np.empty(shape, REAL[self.dtype]) if has_size else None
        given = [labels] if labels is not None else []
        results = [value, size] if has_size else [value]
        _function(name, self.dtype)(
            ctypes.byref(self.state), *(_pointer(v) for v in given + results)
        )
        return Exact(value, size)


class Rows(_Truth):
    """truth.Rows."""

    def __init__(self, x: np.ndarray):
        x = np.ascontiguousarray(x)
        (n, k), real = x.shape, REAL[x.dtype]
        self.shape, self.dtype = x.shape, x.dtype
        gap, e = np.empty((2, n, k), real)
        m, s, log_S = np.empty((3, n), real)
        self.state = _RowState(n, k, x, gap, e, m, s, log_S, np.empty(n, np.intp),
                               np.empty(n, np.uint8))  # fmt: skip
        _function("prepare_rows", x.dtype)(ctypes.byref(self.state))

    def logsumexp(self) -> Exact:
        return self._exact("logsumexp", self.shape[0], has_size=True)

    def softmax(self) -> Exact:
        return self._exact("softmax", self.shape)

    def log_softmax(self) -> Exact:
        return self._exact("log_softmax", self.shape)

    def loss(self, labels: np.ndarray) -> Exact:
        return self._exact("loss", self.shape[0], np.ascontiguousarray(labels, np.int64))

    def gradient(self, labels: np.ndarray) -> Exact:
        return self._exact("gradient", self.shape, np.ascontiguousarray(labels, np.int64))

    def hessian(self) -> Exact:
        return self._exact("hessian", self.shape)

    def dense_loss(self, y: np.ndarray) -> Exact:
        return self._exact("dense_loss", self.shape[0], np.ascontiguousarray(y, self.dtype))

    def dense_gradient(self, y: np.ndarray) -> Exact:
        y = np.ascontiguousarray(y, self.dtype)
        return self._exact("dense_gradient", self.shape, y, has_size=True)

    def dense_hessian(self, y: np.ndarray) -> Exact:
        return self._exact("dense_hessian", self.shape, np.ascontiguousarray(y, self.dtype))


class Elements(_Truth):
    """truth.Elements, for infinities and NaN too."""

    def __init__(self, x: np.ndarray):
        x = np.ascontiguousarray(x)
        self.shape, self.dtype = x.shape, x.dtype
        e, log1p_e = np.empty((2, *x.shape), REAL[x.dtype])
        self.state = _ElementState(x.size, x, e, log1p_e)
        _function("prepare_elements", x.dtype)(ctypes.byref(self.state))

    def sigmoid(self) -> Exact:
        return self._exact("sigmoid", self.shape)

    def log_sigmoid(self) -> Exact:
        return self._exact("log_sigmoid", self.shape)

    def softplus(self) -> Exact:
        return self._exact("softplus", self.shape)

    def loss(self, y: np.ndarray) -> Exact:
        return self._exact("sigmoid_loss", self.shape, np.ascontiguousarray(y, self.dtype))

    def gradient(self, y: np.ndarray) -> Exact:
        y = np.ascontiguousarray(y, self.dtype)
        return self._exact("sigmoid_gradient", self.shape, y, has_size=True)

    def hessian(self) -> Exact:
        return self._exact("sigmoid_hessian", self.shape)


def errors(computed: np.ndarray, exact: Exact) -> tuple[np.ndarray, float]:
    """The largest error of every row or element, and the sum of all of at most ALL_DIGITS each.

    The error is that of ulp.ulp_error; what is largest comes as float32.
    """
    computed = np.ascontiguousarray(computed)
    if computed.shape != exact.value.shape or REAL[computed.dtype] != exact.value.dtype:
        raise ValueError(f"computed {computed.dtype} {computed.shape}, "
                         f"exact {exact.value.dtype} {exact.value.shape}")  # fmt: skip
    worst = np.empty(len(computed), np.float32)
    total = _function("errors", computed.dtype)(
        len(computed), computed.size // len(computed), _pointer(computed), _pointer(exact.value),
        _pointer(exact.magnitude), ALL_DIGITS[computed.dtype], _pointer(worst),
    )  # fmt: skip
    return worst, total
