"""scikit-learn: the losses behind its histogram boosting and its linear models."""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn._loss.loss import HalfBinomialLoss, HalfMultinomialLoss

from cecore._bench.peers import Calls, Problem


def calls(problem: Problem) -> Calls:
    x = problem.logits
    if x.dtype.itemsize == 2 or not problem.plain:
        return {}
    y = problem.labels.astype(x.dtype)
    binary = x.ndim == 1
    half = HalfBinomialLoss() if binary else HalfMultinomialLoss(n_classes=x.shape[1])
    if problem.operation == "loss":
        row = np.empty(len(x), x.dtype)
        return {"scikit-learn": partial(half.loss, y, x, loss_out=row, n_threads=problem.threads)}
    if problem.operation == "gradient + Hessian":
        out = {"gradient_out": np.empty_like(x), "hessian_out": np.empty_like(x)}
        call = partial(half.gradient_hessian, y, x, **out, n_threads=problem.threads)
        return {"scikit-learn": call}
    if not problem.operation.endswith("loss + gradient"):
        return {}
    out = {"loss_out": np.empty(len(x), x.dtype), "gradient_out": np.empty_like(x)}

    def loss_gradient() -> object:
        loss, gradient = half.loss_gradient(y, x, **out, n_threads=problem.threads)
        return loss.sum(dtype=np.float64), gradient

    return {"scikit-learn": loss_gradient}
