"""cecore: with `out=`, and with fresh results where these are large or the call is tiny."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np

import cecore as ce
from cecore._bench.peers import OURS, OURS_FLOAT32, OURS_FRESH, OURS_TENSOR, Calls, Problem

_FUNCTIONS = {
    "logsumexp": ce.logsumexp,
    "softmax": ce.softmax,
    "log_softmax": ce.log_softmax,
    "sigmoid": ce.sigmoid,
}
SMALL = 1 << 10  # elements


def value_dtype(dtype: np.dtype) -> np.dtype:
    """What a loss or log-sum-exp of logits of this dtype is."""
    return np.dtype("f8" if dtype.itemsize == 8 else "f4")


def _function(problem: Problem, logits: object) -> Callable[..., object]:
    along = {"axis": 1} if problem.logits.ndim > 2 else {}
    if problem.operation in _FUNCTIONS:
        return partial(_FUNCTIONS[problem.operation], logits, **along)
    loss = ce.SoftmaxCrossEntropy() if problem.logits.ndim > 1 else ce.SigmoidCrossEntropy()
    if problem.operation == "loss":
        return partial(loss.loss, logits, problem.labels, **along)
    if problem.operation == "gradient + Hessian":
        return partial(loss.gradient_hessian, logits, problem.labels, **along)
    return partial(loss.loss_gradient, logits, problem.labels, reduction="sum", **along)


def _out(problem: Problem) -> object:
    x, operation = problem.logits, problem.operation
    if operation in ("logsumexp", "loss"):
        return np.empty(x.shape[:1] + x.shape[2:], value_dtype(x.dtype))
    if operation == "gradient + Hessian":
        return np.empty_like(x), np.empty_like(x)
    if operation.endswith("loss + gradient"):
        return np.empty((), value_dtype(x.dtype)), np.empty_like(x)
    return np.empty_like(x)


def _as_tensor(logits: np.ndarray) -> object:
    import torch

    kind = {"float16": torch.float16, "bfloat16": torch.bfloat16}[logits.dtype.name]
    return torch.from_numpy(logits.view(np.int16)).view(kind)


def _with_out(problem: Problem, logits: object) -> Callable[..., object]:
    out = _out(problem)
    if problem.operation in _FUNCTIONS and problem.logits.ndim <= 2:
        function = _FUNCTIONS[problem.operation]
        return lambda: function(logits, out=out)  # a partial with a keyword takes 60 ns more
    return partial(_function(problem, logits), out=out)


def calls(problem: Problem) -> Calls:
    found = {OURS: _with_out(problem, problem.logits)}
    if problem.logits.size <= SMALL or problem.operation not in ("logsumexp", "loss"):
        found[OURS_FRESH] = _function(problem, problem.logits)
    if problem.logits.dtype.itemsize == 2:
        if find_spec("torch"):
            found[OURS_TENSOR] = _function(problem, _as_tensor(problem.logits))
        whole = problem._replace(logits=problem.logits.astype(np.float32))
        found[OURS_FLOAT32] = _with_out(whole, whole.logits)
    return found
