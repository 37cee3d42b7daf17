"""Logistic regression in one function: scipy.optimize minimises what cecore differentiates.

    mean loss of (x W + b, y) + |W|^2 / (2 C n)

is what scikit-learn's LogisticRegression minimises, with the same C; the intercept b is free.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

import cecore as ce


def fit(
    loss: ce.SoftmaxCrossEntropy | ce.SigmoidCrossEntropy,
    x: np.ndarray,
    y: np.ndarray,
    outputs: int,
    C: float = 1.0,
    tol: float = 1e-4,
) -> tuple[np.ndarray, np.ndarray]:
    """Return W (features, outputs) and b (outputs,) for labels as `loss` takes them."""
    n, features = x.shape
    decay = 1 / (C * n)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = flat.reshape(features + 1, outputs)
        weights, intercept = parameters[:-1], parameters[-1]
        logits = x @ weights + intercept
        value, gradient = loss.loss_gradient(logits, y, reduction="mean")
        value += decay / 2 * np.vdot(weights, weights)
        slope = np.vstack([x.T @ gradient + decay * weights, gradient.sum(axis=0)])
        return value, slope.ravel()

    start = np.zeros((features + 1) * outputs)
    options = {"gtol": tol, "ftol": 64 * np.finfo(float).eps, "maxiter": 1000, "maxls": 50}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    parameters = found.x.reshape(features + 1, outputs)
    return parameters[:-1], parameters[-1]


def main() -> None:
    rng = np.random.default_rng(0)
    centers = np.array([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])
    y = rng.integers(3, size=900)
    x = centers[y] + rng.standard_normal((900, 2))
    weights, intercept = fit(ce.SoftmaxCrossEntropy(), x, y, outputs=3)
    logits = x @ weights + intercept
    print(f"accuracy {(logits.argmax(axis=1) == y).mean():.3f}")
    print(f"log loss {ce.softmax_cross_entropy(logits, y, reduction='mean'):.4f} nats")


if __name__ == "__main__":
    main()
