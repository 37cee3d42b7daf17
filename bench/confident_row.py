"""What each library returns for one confident, correct prediction: logits [20, 0], label 0.

With e = exp(-20) the loss is log(1 + e), the gradient at the label -e / (1 + e) and the Hessian
e / (1 + e)^2: all close to 2e-9, and normal numbers in float32. A library that forms log(sum) - x
or p - 1 subtracts two numbers that are equal in float32, and returns 0.

    python bench/confident_row.py               print the table
    python bench/confident_row.py --markdown    and write it into README.md
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

import cecore as ce
from cecore._bench.machine import versions
from cecore._bench.readme import markdown_table, rewrite_block

LOGITS = np.array([[20, 0]], dtype=np.float32)
LABELS = np.array([0])
HEADER = ("float32 logits [20, 0], label 0", "loss", "gradient", "Hessian")


class Row(NamedTuple):
    """Gradient and Hessian at the label."""

    loss: float
    gradient: float
    hessian: float


def truth() -> Row:
    """In float64, in the form without a subtraction: 16 digits."""
    e = math.exp(-20)
    return Row(math.log1p(e), -e / (1 + e), e / (1 + e) ** 2)


def with_cecore() -> Row:
    softmax_loss = ce.SoftmaxCrossEntropy()
    loss, gradient = softmax_loss.loss_gradient(LOGITS, LABELS)
    _, hessian = softmax_loss.gradient_hessian(LOGITS, LABELS)
    return Row(loss[0], gradient[0, 0], hessian[0, 0])


def with_numpy() -> Row:
    """The textbook: shift by the maximum, exponentiate, normalise."""
    e = np.exp(LOGITS - LOGITS.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return Row(-np.log(p[0, 0]), p[0, 0] - 1, p[0, 0] * (1 - p[0, 0]))


def with_scipy() -> Row:
    from scipy.special import log_softmax, softmax

    p = softmax(LOGITS, axis=1)[0, 0]
    return Row(-log_softmax(LOGITS, axis=1)[0, 0], p - 1, p * (1 - p))


def with_sklearn() -> Row:
    from sklearn._loss.loss import HalfMultinomialLoss

    multinomial = HalfMultinomialLoss(n_classes=2)
    labels = LABELS.astype(np.float32)
    loss, gradient = multinomial.loss_gradient(labels, LOGITS)
    _, hessian = multinomial.gradient_hessian(labels, LOGITS)
    return Row(loss[0], gradient[0, 0], hessian[0, 0])


def with_torch() -> Row:
    import torch

    logits = torch.tensor(LOGITS, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(LABELS))
    (gradient,) = torch.autograd.grad(loss, logits, create_graph=True)
    (hessian,) = torch.autograd.grad(gradient[0, 0], logits)
    return Row(loss.item(), gradient[0, 0].item(), hessian[0, 0].item())


def with_jax() -> Row:
    import jax

    def loss(logits):
        return -jax.nn.log_softmax(logits)[0]

    logits = jax.numpy.asarray(LOGITS[0])
    return Row(
        float(loss(logits)), float(jax.grad(loss)(logits)[0]),
        float(jax.hessian(loss)(logits)[0, 0]),
    )  # fmt: skip


# name, module, package, how
LIBRARIES: tuple[tuple[str, str, str, Callable[[], Row]], ...] = (
    ("NumPy, textbook", "numpy", "numpy", with_numpy),
    ("SciPy", "scipy", "scipy", with_scipy),
    ("scikit-learn", "sklearn", "scikit-learn", with_sklearn),
    ("PyTorch", "torch", "torch", with_torch),
    ("JAX", "jax", "jax", with_jax),
)


def digits(value: float) -> str:
    """The 7 digits that float32 has; a rounded 0 is a plain 0, whatever its sign."""
    return "0" if value == 0 else f"{value:.7g}"


def table(names: tuple[str, ...] = ()) -> list[list[str]]:
    """The libraries that are installed (of `names` only, if given), then ours, then the truth."""
    rows = []
    for name, module, package, compute in LIBRARIES:
        if find_spec(module) and (not names or name in names):
            rows.append((f"{name} ({versions((package,))[package]})", compute()))
    rows += [("cecore", with_cecore()), ("truth", truth())]
    return [[name, *(digits(value) for value in row)] for name, row in rows]


def main() -> None:
    rows = table()
    for cells in (HEADER, *rows):
        print(f"{cells[0]:<32}" + "".join(f"{cell:>17}" for cell in cells[1:]))
    if "--markdown" in sys.argv[1:]:
        command = "python bench/confident_row.py --markdown"
        rewrite_block("confident-row", command, markdown_table(HEADER, rows))


if __name__ == "__main__":
    main()
