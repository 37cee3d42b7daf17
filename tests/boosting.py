"""Data sets for the boosting adapters, from 2 to 50 classes, and row weights."""

from typing import NamedTuple

import numpy as np
import pytest

datasets = pytest.importorskip("sklearn.datasets")

from sklearn.model_selection import train_test_split

import cecore as ce


class Split(NamedTuple):
    """A training and a validation set."""

    classes: int
    x: np.ndarray
    y: np.ndarray
    w: np.ndarray | None
    x_valid: np.ndarray
    y_valid: np.ndarray
    w_valid: np.ndarray | None


def _generated(rows, classes):
    return datasets.make_classification(
        rows, 12, n_informative=8, n_classes=classes, n_clusters_per_class=1, flip_y=0.1,
        weights=np.linspace(1, 3, classes) / np.linspace(1, 3, classes).sum(), random_state=0,
    )  # fmt: skip


DATA = {
    "breast cancer, 2": lambda: datasets.load_breast_cancer(return_X_y=True),
    "iris, 3": lambda: datasets.load_iris(return_X_y=True),
    "wine, 3": lambda: datasets.load_wine(return_X_y=True),
    "digits, 10": lambda: datasets.load_digits(return_X_y=True),
    "generated, 2": lambda: _generated(1000, 2),
    "generated, 3": lambda: _generated(1000, 3),
    "generated, 50": lambda: _generated(1500, 50),
}
# The first two in every run of the suite, all with `make boosting`.
QUICK = ("breast cancer, 2", "iris, 3")
CASES = [
    pytest.param(name, weighted, marks=[] if name in QUICK else pytest.mark.boosting)
    for name in DATA
    for weighted in (False, True)
]


def split(name, weighted=False):
    """Return a data set, three quarters of it for training."""
    x, y = DATA[name]()
    w = np.random.default_rng(0).uniform(0.25, 4, len(y)) if weighted else np.ones(len(y))
    x, x_valid, y, y_valid, w, w_valid = train_test_split(
        x.astype(np.float32), y, w.astype(np.float32), random_state=0, stratify=y
    )
    weights = (w, w_valid) if weighted else (None, None)
    return Split(int(y.max()) + 1, x, y, weights[0], x_valid, y_valid, weights[1])


def loss_of(data):
    return ce.SigmoidCrossEntropy() if data.classes == 2 else ce.SoftmaxCrossEntropy()


def soft_labels(data):
    """Shares of the labels that five annotators gave, each wrong in a third of the rows."""
    rng = np.random.default_rng(1)
    wrong = rng.random((len(data.y), 5)) < 1 / 3
    given = np.where(wrong, rng.integers(data.classes, size=wrong.shape), data.y[:, None])
    return np.eye(data.classes)[given].mean(axis=1)


def plain_derivatives(loss, margins, labels, weights=None):
    """Gradient and diagonal Hessian in float64 NumPy, the textbook's way."""
    x = np.asarray(margins, np.float64)
    if isinstance(loss, ce.SigmoidCrossEntropy):
        p, y = 1 / (1 + np.exp(-x)), labels
    else:
        p = np.exp(x - x.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        y = labels if np.ndim(labels) == 2 else np.eye(x.shape[1])[np.asarray(labels, int)]
    w = 1.0 if weights is None else np.reshape(weights, (-1,) + (1,) * (x.ndim - 1))
    return w * (p - y), w * p * (1 - p)
