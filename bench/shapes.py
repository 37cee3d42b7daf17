"""The shapes of the benchmark, from boosting to language models, and the logits that fill them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Shape(NamedTuple):
    name: str
    rows: int
    classes: int


SHAPES = (
    Shape("1M x 3", 1_000_000, 3),
    Shape("1M x 10", 1_000_000, 10),
    Shape("200k x 100", 200_000, 100),
    Shape("20k x 1000", 20_000, 1_000),
    Shape("512 x 32000", 512, 32_000),
    Shape("256 x 128256", 256, 128_256),
)
BY_NAME = {shape.name: shape for shape in SHAPES}


def logits_and_labels(shape: Shape, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Normal logits of standard deviation 3 and uniform int64 labels, the same in every run."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((shape.rows, shape.classes), dtype=np.dtype(dtype).type)
    logits *= 3
    return logits, rng.integers(shape.classes, size=shape.rows)
