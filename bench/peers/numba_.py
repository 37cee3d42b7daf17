"""numba: fused loops with fastmath, in parallel over rows or elements unless these are few.

Compiled once, and kept in NUMBA_CACHE_DIR.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numba
import numpy as np
from numba import prange

from cecore._bench.peers import Calls, Problem

_compiled = partial(numba.njit, parallel=True, fastmath=True, cache=True)
_FEW = 1 << 10  # elements


@_compiled()
def _logsumexp(x: Any, out: Any) -> None:
    for i in prange(x.shape[0]):
        peak = x[i, 0]
        for j in range(1, x.shape[1]):
            peak = max(peak, x[i, j])
        total = x.dtype.type(0)
        for j in range(x.shape[1]):
            total += np.exp(x[i, j] - peak)
        out[i] = peak + np.log(total)


@_compiled()
def _softmax(x: Any, out: Any) -> None:
    for i in prange(x.shape[0]):
        peak = x[i, 0]
        for j in range(1, x.shape[1]):
            peak = max(peak, x[i, j])
        total = x.dtype.type(0)
        for j in range(x.shape[1]):
            e = np.exp(x[i, j] - peak)
            out[i, j] = e
            total += e
        scale = x.dtype.type(1) / total
        for j in range(x.shape[1]):
            out[i, j] *= scale


@_compiled()
def _loss_gradient(x: Any, y: Any, out: Any) -> float:
    loss = 0.0
    for i in prange(x.shape[0]):
        peak = x[i, 0]
        for j in range(1, x.shape[1]):
            peak = max(peak, x[i, j])
        total = x.dtype.type(0)
        for j in range(x.shape[1]):
            e = np.exp(x[i, j] - peak)
            out[i, j] = e
            total += e
        scale = x.dtype.type(1) / total
        for j in range(x.shape[1]):
            out[i, j] *= scale
        out[i, y[i]] -= x.dtype.type(1)
        loss += np.log(total) + (peak - x[i, y[i]])
    return loss


@_compiled()
def _sigmoid(x: Any, out: Any) -> None:
    one = x.dtype.type(1)
    for i in prange(x.shape[0]):
        out[i] = one / (one + np.exp(-x[i]))


@_compiled()
def _sigmoid_loss_gradient(x: Any, y: Any, out: Any) -> float:
    loss = 0.0
    one = x.dtype.type(1)
    for i in prange(x.shape[0]):
        p = one / (one + np.exp(-x[i]))
        loss += (one - y[i]) * x[i] - np.log(p)
        out[i] = p - y[i]
    return loss


@_compiled()
def _gradient_hessian(x: Any, y: Any, gradient: Any, hessian: Any) -> None:
    one = x.dtype.type(1)
    for i in prange(x.shape[0]):
        p = one / (one + np.exp(-x[i]))
        gradient[i] = p - y[i]
        hessian[i] = p * (one - p)


def calls(problem: Problem) -> Calls:
    x, y = problem.logits, problem.labels
    if x.dtype.itemsize == 2 or not problem.plain:
        return {}
    numba.set_num_threads(min(problem.threads, numba.config.NUMBA_NUM_THREADS))
    row, out, second = np.empty(len(x), x.dtype), np.empty_like(x), np.empty_like(x)
    kernel, arguments, result = {
        "logsumexp": (_logsumexp, (x, row), row),
        "softmax": (_softmax, (x, out), out),
        "loss + gradient": (_loss_gradient, (x, y, out), None),
        "sigmoid": (_sigmoid, (x, out), out),
        "sigmoid loss + gradient": (_sigmoid_loss_gradient, (x, y, out), None),
        "gradient + Hessian": (_gradient_hessian, (x, y, out, second), (out, second)),
    }.get(problem.operation, (None, (), None))
    if kernel is None:
        return {}
    if x.size <= _FEW:
        kernel = numba.njit(kernel.py_func, fastmath=True)

    def call() -> object:
        value = kernel(*arguments)
        return (value, out) if result is None else result

    return {"numba": call}
