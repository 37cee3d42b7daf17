"""The same work by every library, each with its best call.

A peer is a function from a case to the calls that it can make: {name: call}. A call takes nothing
and returns what the operation returns:

    "loss + gradient"   (sum of the losses, gradient of that sum); labels are integers
    "logsumexp"         one value a row
    "softmax"           an array like the logits

Buffers for `out=` are made here, outside the timed calls. A library that is not installed makes no
calls, and nor does one that lacks the operation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

import cecore as ce
from pages import small_pages

OPERATIONS = ("loss + gradient", "logsumexp", "softmax")
OURS, OURS_FRESH = "cecore", "cecore, fresh"
TORCH, TORCH_SMALL = "torch", "torch (4 KiB pages)"

# Wrong work gives wrong digits long before these; right work stays far below: the largest
# difference allowed, relative for the values of a row, absolute for entries of at most 1.
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}

Calls = Mapping[str, Callable[[], object]]


class Case(NamedTuple):
    operation: str
    logits: np.ndarray
    labels: np.ndarray
    threads: int


def cecore_calls(case: Case) -> Calls:
    x, y = case.logits, case.labels
    total, row, out = np.empty((), x.dtype), np.empty(len(x), x.dtype), np.empty_like(x)
    loss_gradient = partial(ce.SoftmaxCrossEntropy().loss_gradient, x, y, reduction="sum")
    into, fresh = {
        "loss + gradient": (partial(loss_gradient, out=(total, out)), loss_gradient),
        "logsumexp": (partial(ce.logsumexp, x, out=row), partial(ce.logsumexp, x)),
        "softmax": (partial(ce.softmax, x, out=out), partial(ce.softmax, x)),
    }[case.operation]
    return {OURS: into, OURS_FRESH: fresh}


def numpy_calls(case: Case) -> Calls:
    x, y = case.logits, case.labels
    out = np.empty_like(x)
    rows = np.arange(len(x))

    def exponentials() -> tuple[np.ndarray, np.ndarray]:
        peak = x.max(axis=1, keepdims=True)
        np.subtract(x, peak, out=out)
        np.exp(out, out=out)
        return peak, out.sum(axis=1, keepdims=True)

    def loss_gradient() -> object:
        peak, total = exponentials()
        loss = np.log(total[:, 0]) + (peak[:, 0] - x[rows, y])
        np.divide(out, total, out=out)
        out[rows, y] -= 1
        return loss.sum(), out

    def logsumexp() -> object:
        peak, total = exponentials()
        return peak[:, 0] + np.log(total[:, 0])

    def softmax() -> object:
        _, total = exponentials()
        return np.divide(out, total, out=out)

    calls = {"loss + gradient": loss_gradient, "logsumexp": logsumexp, "softmax": softmax}
    return {"NumPy": calls[case.operation]}


def scipy_calls(case: Case) -> Calls:
    if case.operation == "loss + gradient" or not find_spec("scipy"):
        return {}
    from scipy import special

    return {"SciPy": partial(getattr(special, case.operation), case.logits, axis=1)}


def sklearn_calls(case: Case) -> Calls:
    if case.operation != "loss + gradient" or not find_spec("sklearn"):
        return {}
    from sklearn._loss.loss import HalfMultinomialLoss

    x, y = case.logits, case.labels.astype(case.logits.dtype)
    loss, gradient = np.empty(len(x), x.dtype), np.empty_like(x)
    multinomial = HalfMultinomialLoss(n_classes=x.shape[1])

    def loss_gradient() -> object:
        multinomial.loss_gradient(
            y, x, loss_out=loss, gradient_out=gradient, n_threads=case.threads
        )
        return loss.sum(), gradient

    return {"scikit-learn": loss_gradient}


def torch_calls(case: Case) -> Calls:
    """Twice: on huge pages, if THP_MEM_ALLOC_ENABLE=1 was set first; and as it is by default."""
    if not find_spec("torch"):
        return {}
    import torch

    torch.set_num_threads(case.threads)
    x, y = torch.from_numpy(case.logits), torch.from_numpy(case.labels)
    row, out = torch.empty(len(x), dtype=x.dtype), torch.empty_like(x)
    leaf = x.detach().requires_grad_(True)

    def loss_gradient() -> object:
        leaf.grad = None
        loss = torch.nn.functional.cross_entropy(leaf, y, reduction="sum")
        loss.backward()
        return loss.item(), leaf.grad.numpy()

    call = {
        "loss + gradient": loss_gradient,
        "logsumexp": lambda: torch.logsumexp(x, 1, out=row).numpy(),
        "softmax": lambda: torch.softmax(x, 1, out=out).numpy(),
    }[case.operation]

    def on_small_pages() -> object:
        with small_pages():
            return call()

    return {TORCH: call} | ({TORCH_SMALL: on_small_pages} if sys.platform == "linux" else {})


ALL = (cecore_calls, numpy_calls, scipy_calls, sklearn_calls, torch_calls)


def contenders(case: Case, peers: tuple = ALL) -> Calls:
    return {name: call for peer in peers for name, call in peer(case).items()}


def _arrays(answer: object) -> list[np.ndarray]:
    return [np.asarray(part) for part in (answer if isinstance(answer, tuple) else (answer,))]


def check_answers(calls: Calls, dtype: np.dtype) -> None:
    """Raise unless every call's answer is ours, but for rounding."""
    tolerance = TOLERANCE[np.dtype(dtype).name]
    ours = [part.copy() for part in _arrays(calls[OURS]())]
    for name, call in calls.items():
        for part, expected in zip(_arrays(call()), ours, strict=True):
            np.testing.assert_allclose(
                part, expected, rtol=tolerance, atol=tolerance,
                err_msg=f"{name} and {OURS} disagree, so their times cannot be compared",
            )  # fmt: skip
