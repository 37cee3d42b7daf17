"""torch, twice: on huge pages, if THP_MEM_ALLOC_ENABLE=1 was set first; and as it is by default.

The pages matter where a call allocates. Of the softmax, which writes into `out=`, the second call
is one with a fresh result.
"""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
import torch
from torch.nn import functional

from cecore._bench.pages import small_pages
from cecore._bench.peers import TORCH, TORCH_FRESH_SMALL, TORCH_SMALL, Calls, Problem

_FEW = 1 << 10  # elements, which need no page of their own
_WITHOUT_MEMORY = ("log_softmax", "sigmoid", "gradient + Hessian")  # all in `out=`


def _tensor(array: np.ndarray) -> torch.Tensor:
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def calls(problem: Problem) -> Calls:
    torch.set_num_threads(problem.threads)
    x, y = _tensor(problem.logits), _tensor(problem.labels)
    call = _elements(problem, x, y) if x.ndim == 1 else _rows(problem, x, y)
    found = {TORCH: call}
    if sys.platform != "linux" or x.numel() <= _FEW:
        return found
    if problem.operation == "softmax":
        found[TORCH_FRESH_SMALL] = partial(_on_small_pages, partial(_fresh_softmax, x))
    elif problem.operation not in _WITHOUT_MEMORY:
        found[TORCH_SMALL] = partial(_on_small_pages, call)
    return found


def _on_small_pages(call: object) -> object:
    with small_pages():
        return call()


def _fresh_softmax(x: torch.Tensor) -> np.ndarray:
    return _array(torch.softmax(x, 1))


def _backward(leaf: torch.Tensor, loss: torch.Tensor) -> tuple[float, np.ndarray]:
    loss.backward()
    return loss.item(), _array(leaf.grad)


def _rows(problem: Problem, x: torch.Tensor, y: torch.Tensor) -> object:
    row, out = torch.empty(y.shape[:1] + x.shape[2:], dtype=x.dtype), torch.empty_like(x)
    leaf = x.detach().requires_grad_(True)

    def loss_gradient() -> object:
        leaf.grad = None
        return _backward(leaf, functional.cross_entropy(leaf, y, reduction="sum"))

    return {
        "logsumexp": lambda: _array(torch.logsumexp(x, 1, out=row)),
        "softmax": lambda: _array(torch.softmax(x, 1, out=out)),
        "log_softmax": lambda: _array(torch.log_softmax(x, 1, out=out)),
        "loss": lambda: _array(functional.cross_entropy(x, y, reduction="none")),
        "loss + gradient": loss_gradient,
    }[problem.operation]


def _elements(problem: Problem, x: torch.Tensor, y: torch.Tensor) -> object:
    p, hessian = torch.empty_like(x), torch.empty_like(x)
    leaf = x.detach().requires_grad_(True)

    def loss_gradient() -> object:
        leaf.grad = None
        loss = functional.binary_cross_entropy_with_logits(leaf, y, reduction="sum")
        return _backward(leaf, loss)

    def gradient_hessian() -> object:
        torch.sigmoid(x, out=p)
        torch.addcmul(p, p, p, value=-1, out=hessian)
        return _array(torch.sub(p, y, out=p)), _array(hessian)

    return {
        "sigmoid": lambda: _array(torch.sigmoid(x, out=p)),
        "sigmoid loss + gradient": loss_gradient,
        "gradient + Hessian": gradient_hessian,
    }[problem.operation]
