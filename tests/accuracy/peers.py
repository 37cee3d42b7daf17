"""The same outputs by other libraries, each as its documentation suggests.

A library gives functions (x, y) by the names of tests.outputs; x and y are NumPy arrays, and so are
results. Where it has no function of its own for a gradient or a Hessian, the textbook's p - y and
p (1 - p) are formed from its probabilities; torch and JAX differentiate. One that is not installed
is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.util import find_spec

import numpy as np

from tests.accuracy.tally import Batch

SHARE = 32  # a peer computes one input in 32

Functions = Mapping[str, Callable]


def _one_hot(y: np.ndarray, like: np.ndarray) -> np.ndarray:
    hot = np.zeros_like(like)
    hot[np.arange(len(y)), y] = 1
    return hot


def _at(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x[np.arange(len(y)), y]


def _mass(y: np.ndarray) -> np.ndarray:
    return y.sum(axis=1, keepdims=True)


def _from_softmax(softmax: Callable, log_softmax: Callable) -> Functions:
    """The textbook's losses, gradients and Hessians."""

    def hessian(x, y):
        p = softmax(x)
        return p * (1 - p)

    return {
        "softmax": lambda x, y: softmax(x),
        "log_softmax": lambda x, y: log_softmax(x),
        "loss, sparse labels": lambda x, y: -_at(log_softmax(x), y),
        "gradient, sparse labels": lambda x, y: softmax(x) - _one_hot(y, x),
        "hessian, sparse labels": hessian,
        "loss, dense labels": lambda x, y: -(y * log_softmax(x)).sum(axis=1),
        "gradient, dense labels": lambda x, y: _mass(y) * softmax(x) - y,
        "hessian, dense labels": lambda x, y: _mass(y) * hessian(x, y),
    }


def _hard_and_soft(loss: Callable, gradient: Callable) -> Functions:
    kinds = ("hard", "soft")
    losses = {f"sigmoid loss, {kind} labels": loss for kind in kinds}
    return losses | {f"sigmoid gradient, {kind} labels": gradient for kind in kinds}


def _numpy() -> Functions:
    def exponentials(x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e, e.sum(axis=1, keepdims=True)

    def softmax(x):
        e, total = exponentials(x)
        return e / total

    def logsumexp(x):
        return x.max(axis=1, keepdims=True) + np.log(exponentials(x)[1])

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def loss(x, y):
        return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))

    return {
        "logsumexp": lambda x, y: logsumexp(x)[:, 0],
        **_from_softmax(softmax, lambda x: x - logsumexp(x)),
        "sigmoid": lambda x, y: sigmoid(x),
        "log_sigmoid": lambda x, y: np.log(sigmoid(x)),
        "softplus": lambda x, y: np.log(1 + np.exp(x)),
        **_hard_and_soft(loss, lambda x, y: sigmoid(x) - y),
        "sigmoid hessian": lambda x, y: sigmoid(x) * (1 - sigmoid(x)),
    }


def _scipy() -> Functions:
    from scipy import special

    def loss(x, y):
        return -(y * special.log_expit(x) + (1 - y) * special.log_expit(-x))

    functions = {
        "logsumexp": lambda x, y: special.logsumexp(x, axis=1),
        **_from_softmax(
            lambda x: special.softmax(x, axis=1), lambda x: special.log_softmax(x, axis=1)
        ),
        "sigmoid": lambda x, y: special.expit(x),
        "log_sigmoid": lambda x, y: special.log_expit(x),
        **_hard_and_soft(loss, lambda x, y: special.expit(x) - y),
        "sigmoid hessian": lambda x, y: special.expit(x) * (1 - special.expit(x)),
    }
    if hasattr(special, "softplus"):  # since SciPy 1.17
        functions["softplus"] = lambda x, y: special.softplus(x)
    return functions


def _sklearn() -> Functions:
    from sklearn._loss.loss import HalfBinomialLoss, HalfMultinomialLoss

    binomial = HalfBinomialLoss()

    def multinomial(name):
        def call(x, y):
            loss = HalfMultinomialLoss(n_classes=x.shape[1])
            return getattr(loss, name)(y.astype(x.dtype), x)

        return call

    return {
        "softmax": lambda x, y: HalfMultinomialLoss(n_classes=x.shape[1]).predict_proba(x),
        "loss, sparse labels": multinomial("loss"),
        "gradient, sparse labels": multinomial("gradient"),
        "hessian, sparse labels": lambda x, y: multinomial("gradient_hessian")(x, y)[1],
        "sigmoid": lambda x, y: binomial.link.inverse(x),
        **_hard_and_soft(lambda x, y: binomial.loss(y, x), lambda x, y: binomial.gradient(y, x)),
        "sigmoid hessian": lambda x, y: binomial.gradient_hessian(y, x)[1],
    }


def _torch() -> Functions:
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)  # its calls are small; beside other threads it would wait for them

    def lifted(function):
        def call(x, y):
            labels = None if y is None else torch.from_numpy(y)
            return function(torch.from_numpy(x), labels).detach().numpy()

        return call

    def cross_entropy(x, y):
        return functional.cross_entropy(x, y, reduction="none")

    def with_logits(x, y):
        return functional.binary_cross_entropy_with_logits(x, y, reduction="none")

    def gradient_of(loss):
        def gradient(x, y):
            leaf = x.clone().requires_grad_(True)
            loss(leaf, y).sum().backward()
            return leaf.grad

        return gradient

    def curved(p):
        return p * (1 - p)

    functions = {
        "logsumexp": lambda x, y: torch.logsumexp(x, 1),
        "softmax": lambda x, y: torch.softmax(x, 1),
        "log_softmax": lambda x, y: torch.log_softmax(x, 1),
        "hessian, sparse labels": lambda x, y: curved(torch.softmax(x, 1)),
        "hessian, dense labels": lambda x, y: y.sum(1, True) * curved(torch.softmax(x, 1)),
        "sigmoid": lambda x, y: torch.sigmoid(x),
        "log_sigmoid": lambda x, y: functional.logsigmoid(x),
        "softplus": lambda x, y: functional.softplus(x),
        **_hard_and_soft(with_logits, gradient_of(with_logits)),
        "sigmoid hessian": lambda x, y: curved(torch.sigmoid(x)),
    }
    for kind in ("sparse", "dense"):
        functions[f"loss, {kind} labels"] = cross_entropy
        functions[f"gradient, {kind} labels"] = gradient_of(cross_entropy)
    return {name: lifted(function) for name, function in functions.items()}


def _jax() -> Functions:
    import jax

    jax.config.update("jax_enable_x64", True)
    import optax
    from jax import nn

    sparse, dense = optax.softmax_cross_entropy_with_integer_labels, optax.softmax_cross_entropy
    binary = optax.sigmoid_binary_cross_entropy

    def gradient_of(loss):
        return jax.grad(lambda x, y: loss(x, y).sum())

    def curved(p):
        return p * (1 - p)

    functions = {
        "logsumexp": lambda x, y: nn.logsumexp(x, axis=1),
        "softmax": lambda x, y: nn.softmax(x, axis=1),
        "log_softmax": lambda x, y: nn.log_softmax(x, axis=1),
        "loss, sparse labels": sparse,
        "gradient, sparse labels": gradient_of(sparse),
        "hessian, sparse labels": lambda x, y: curved(nn.softmax(x, axis=1)),
        "loss, dense labels": dense,
        "gradient, dense labels": gradient_of(dense),
        "hessian, dense labels": lambda x, y: (
            y.sum(axis=1, keepdims=True) * curved(nn.softmax(x, axis=1))
        ),
        "sigmoid": lambda x, y: nn.sigmoid(x),
        "log_sigmoid": lambda x, y: nn.log_sigmoid(x),
        "softplus": lambda x, y: nn.softplus(x),
        **_hard_and_soft(binary, gradient_of(binary)),
        "sigmoid hessian": lambda x, y: curved(nn.sigmoid(x)),
    }

    def lifted(function):
        compiled = jax.jit(function)

        def call(x, y):
            labels = None if y is None else jax.numpy.asarray(y)
            return np.asarray(compiled(jax.numpy.asarray(x), labels))

        return call

    return {name: lifted(function) for name, function in functions.items()}


# name: the modules it needs, the packages whose versions are shown, its functions
LIBRARIES = {
    "NumPy": (("numpy",), ("numpy",), _numpy),
    "SciPy": (("scipy",), ("scipy",), _scipy),
    "scikit-learn": (("sklearn",), ("scikit-learn",), _sklearn),
    "torch": (("torch",), ("torch",), _torch),
    "JAX, optax": (("jax", "optax"), ("jax", "optax"), _jax),
}


@lru_cache(maxsize=1)
def installed() -> dict[str, Functions]:
    return {
        name: functions()
        for name, (modules, _, functions) in LIBRARIES.items()
        if all(find_spec(module) for module in modules)
    }


class Share:
    """One finite input in SHARE, counted through all batches of a kind: the mix stays the same."""

    def __init__(self):
        self._seen: Counter[str] = Counter()

    def of(self, batch: Batch) -> Batch:
        finite = np.flatnonzero(np.isfinite(batch.x.reshape(len(batch.x), -1)).all(axis=1))
        first = (SHARE // 2 - self._seen[batch.title]) % SHARE
        self._seen[batch.title] += len(finite)
        return batch.rows(finite[first::SHARE])


def compute(batch: Batch) -> dict[str, dict[str, np.ndarray]]:
    """{output: {library: result}}, for the libraries that have the output."""
    results: dict = {output.name: {} for output in batch.outputs}
    with np.errstate(all="ignore"):
        for name, functions in installed().items():
            for output in batch.outputs:
                if output.name in functions:
                    y = batch.labels.get(output.labels)
                    got = functions[output.name](batch.x, y)
                    results[output.name][name] = np.ascontiguousarray(got, dtype=batch.x.dtype)
    return results
