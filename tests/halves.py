"""float16 and bfloat16 for the tests: numbers of theirs, and what float32 results round to."""

from __future__ import annotations

import ml_dtypes
import numpy as np

# How the names of outputs end that are float32 for half types.
_FLOAT32 = ("logsumexp", " loss", "loss of loss_gradient")

HALVES = {"f2": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}


def finite(x: np.ndarray, dtype: str) -> np.ndarray:
    """`x` rounded to a half type; what is finite stays so."""
    largest = float(ml_dtypes.finfo(HALVES[dtype]).max)
    bounded = np.where(np.isinf(x), x, np.clip(x, -largest, largest))
    return bounded.astype(HALVES[dtype])


def rounded(x: np.ndarray, dtype: str) -> np.ndarray:
    """`x` rounded to a narrower type, overflow to infinity included."""
    with np.errstate(all="ignore"):
        return x.astype(HALVES.get(dtype, dtype))


def narrow_inputs(inputs: dict[str, np.ndarray], dtype: str) -> dict[str, np.ndarray]:
    """The float32 inputs of all_outputs in a half type; class numbers stay integers."""
    return {n: v if v.dtype.kind == "i" else finite(v, dtype) for n, v in inputs.items()}


def wide_inputs(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same numbers as float32."""
    return {n: v if v.dtype.kind == "i" else v.astype(np.float32) for n, v in inputs.items()}


def narrow_outputs(outputs: dict[str, np.ndarray], dtype: str) -> dict[str, np.ndarray]:
    """Float32 outputs as a half type's are: losses as they are, all else rounded."""
    return {
        name: v if name.endswith(_FLOAT32) or v.ndim == 1 else rounded(v, dtype)
        for name, v in outputs.items()
    }


def every_finite(dtype: str) -> np.ndarray:
    """All finite numbers of a half type."""
    x = np.arange(2**16, dtype=np.uint16).view(HALVES[dtype])
    with np.errstate(invalid="ignore"):  # signalling NaN are among them
        return x[np.isfinite(x)]
