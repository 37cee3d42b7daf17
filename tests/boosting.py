"""Data sets for the boosting adapters, from 2 to 50 classes, and row weights."""

from typing import NamedTuple

import numpy as np
import pytest

datasets = pytest.importorskip("sklearn.datasets")

from sklearn.model_selection import train_test_split


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
    "generated, 50": lambda: _generated(3000, 50),
}
NAMES = list(DATA)


def split(name, weighted=False):
    """Return a data set, three quarters of it for training."""
    x, y = DATA[name]()
    w = np.random.default_rng(0).uniform(0.25, 4, len(y)) if weighted else np.ones(len(y))
    x, x_valid, y, y_valid, w, w_valid = train_test_split(
        x.astype(np.float32), y, w.astype(np.float32), random_state=0, stratify=y
    )
    weights = (w, w_valid) if weighted else (None, None)
    return Split(int(y.max()) + 1, x, y, weights[0], x_valid, y_valid, weights[1])
