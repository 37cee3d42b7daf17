"""NumPy: the textbook, vectorised, in buffers that are reused."""

from __future__ import annotations

import numpy as np

from cecore._bench.peers import Calls, Problem


def calls(problem: Problem) -> Calls:
    if problem.logits.dtype.itemsize == 2:
        return {}
    found = _elements(problem) if problem.logits.ndim == 1 else _rows(problem)
    return {"NumPy": found[problem.operation]}


def _rows(problem: Problem) -> Calls:
    x, y = problem.logits, problem.labels
    out = np.empty_like(x)
    at_label = np.expand_dims(y, 1) if not problem.dense else None

    def exponentials() -> tuple[np.ndarray, np.ndarray]:
        peak = x.max(axis=1, keepdims=True)
        np.subtract(x, peak, out=out)
        np.exp(out, out=out)
        return peak, out.sum(axis=1, keepdims=True)

    def logsumexp() -> np.ndarray:
        peak, total = exponentials()
        return (peak + np.log(total))[:, 0]

    def softmax() -> np.ndarray:
        _, total = exponentials()
        return np.divide(out, total, out=out)

    def log_softmax() -> np.ndarray:
        peak, total = exponentials()
        return np.subtract(x, peak + np.log(total), out=out)

    def losses(peak: np.ndarray, total: np.ndarray) -> np.ndarray:
        value = peak + np.log(total)
        if at_label is None:
            return value[:, 0] * y.sum(axis=1) - np.einsum("ij,ij->i", x, y)
        return (value - np.take_along_axis(x, at_label, 1))[:, 0]

    def loss() -> np.ndarray:
        return losses(*exponentials())

    def loss_gradient() -> tuple[object, np.ndarray]:
        peak, total = exponentials()
        value = losses(peak, total).sum(dtype=np.float64)
        np.divide(out, total, out=out)
        if at_label is None:
            np.subtract(out, y, out=out)
        else:
            label = np.take_along_axis(out, at_label, 1)
            np.put_along_axis(out, at_label, label - 1, 1)
        return value, out

    return {
        "logsumexp": logsumexp, "softmax": softmax, "log_softmax": log_softmax, "loss": loss,
        "loss + gradient": loss_gradient,
    }  # fmt: skip


def _elements(problem: Problem) -> Calls:
    x, y = problem.logits, problem.labels
    p, other = np.empty_like(x), np.empty_like(x)

    def sigmoid() -> np.ndarray:
        np.negative(x, out=p)
        np.exp(p, out=p)
        np.add(p, 1, out=p)
        return np.reciprocal(p, out=p)

    def loss_gradient() -> tuple[object, np.ndarray]:
        """loss = (1 - y) x - log(p)"""
        sigmoid()
        np.log(p, out=other)
        total = x.sum(dtype=np.float64) - np.dot(x, y) - other.sum(dtype=np.float64)
        return total, np.subtract(p, y, out=p)

    def gradient_hessian() -> tuple[np.ndarray, np.ndarray]:
        sigmoid()
        np.subtract(1, p, out=other)
        np.multiply(other, p, out=other)
        return np.subtract(p, y, out=p), other

    return {
        "sigmoid": sigmoid, "sigmoid loss + gradient": loss_gradient,
        "gradient + Hessian": gradient_hessian,
    }  # fmt: skip
