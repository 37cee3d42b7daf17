"""The shapes of the benchmark, from boosting to language models, and the arrays that fill them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Shape(NamedTuple):
    """Rows of classes, or that many elements: classes 1."""

    name: str
    rows: int
    classes: int

    @property
    def elements(self) -> int:
        return self.rows * self.classes


TINY = Shape("1 x 10", 1, 10)
SHAPES = (
    Shape("1M x 2", 1_000_000, 2),
    Shape("1M x 3", 1_000_000, 3),
    Shape("1M x 10", 1_000_000, 10),
    Shape("1M x 16", 1_000_000, 16),
    Shape("200k x 100", 200_000, 100),
    Shape("20k x 1000", 20_000, 1_000),
    Shape("512 x 32000", 512, 32_000),
    Shape("256 x 128256", 256, 128_256),
    Shape("4 x 1M", 4, 1_000_000),
    Shape("1 x 8M", 1, 8_000_000),
)
ELEMENTS = tuple(Shape(f"n = 1e{i}", 10**i, 1) for i in range(3, 9))
PAUSED = tuple(Shape(f"{rows} x 1000", rows, 1_000) for rows in (10, 100, 1_000, 10_000))
BY_NAME = {shape.name: shape for shape in (TINY, *SHAPES, *ELEMENTS, *PAUSED)}

ORDERS = ("C", "Fortran", "middle axis")


def dtype_of(name: str) -> np.dtype:
    """The NumPy dtype of that name; bfloat16 is that of ml_dtypes, if it is installed."""
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Of standard deviation 3."""
    drawn = "float64" if dtype == "float64" else "float32"
    logits = rng.standard_normal(shape, dtype=np.dtype(drawn).type)
    logits *= 3
    return logits.astype(dtype_of(dtype), copy=False)


def logits_and_labels(
    shape: Shape, dtype: str, order: str = "C", labels: str = "sparse"
) -> tuple[np.ndarray, np.ndarray]:
    """Normal logits, and uniform int64 labels or soft ones, the same in every run.

    Classes lie along axis 1, also in "middle axis", whose third axis has a hundredth of the rows.
    Soft labels have the dtype of the logits and sum to 1.
    """
    rng = np.random.default_rng(0)
    rows, classes = shape.rows, shape.classes
    if classes == 1:
        logits = _normal(rng, (rows,), dtype)
        return logits, rng.integers(2, size=rows, dtype=np.int8).astype(logits.dtype)
    if order == "Fortran":
        logits = _normal(rng, (classes, rows), dtype).T
    elif order == "middle axis":
        outer = np.gcd(rows, 100)
        logits = _normal(rng, (outer, classes, rows // outer), dtype)
    else:
        logits = _normal(rng, (rows, classes), dtype)
    if labels == "sparse":
        return logits, rng.integers(classes, size=logits.shape[:1] + logits.shape[2:])
    soft = np.empty_like(logits)  # of the same layout
    soft[...] = rng.random(logits.shape, dtype=np.float32)
    soft /= soft.sum(axis=1, keepdims=True)
    return logits, soft
