"""Error in units in the last place, fractional: |computed - exact| / ulp(exact).

ulp(v) of a format with p bits is 2^(floor(log2 |v|) - p + 1), and under the normal range the
subnormal spacing. A result that overflows to infinity where the true value rounds to infinity has
error 0; NaN, and an infinity where the true value rounds to a finite number, have error inf.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np

from tests.pair import LONG, Pair
from tests.truth import Exact


def ulp(value: np.ndarray, dtype) -> np.ndarray:
    """The spacing of `dtype` at a long double value, unbounded above, subnormal below."""
    info = ml_dtypes.finfo(dtype)  # NumPy's own, and that of bfloat16
    _, exponent = np.frexp(np.where(np.isfinite(value), value, LONG(1)))
    exponent = np.maximum(exponent - 1, info.minexp)
    exponent = np.where(value == 0, info.minexp, exponent)
    return np.ldexp(LONG(1), exponent - info.nmant)


def ulp_error(computed: np.ndarray, exact: Exact) -> np.ndarray:
    """Errors as float64, elementwise, in ULPs of the exact value or of `exact.magnitude`."""
    computed = np.asarray(computed)
    value = Pair.of(exact.value)
    magnitude = value if exact.magnitude is None else Pair.of(exact.magnitude)
    if computed.shape != value.hi.shape:
        raise ValueError(f"computed {computed.shape}, exact {value.hi.shape}")
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs((computed.astype(LONG) - value.hi) - value.lo)
        error = (distance / ulp(magnitude.hi, computed.dtype)).astype(np.float64)
        rounded = value.hi.astype(computed.dtype)
    right = np.isinf(rounded) & (computed == rounded)
    wrong = np.isnan(error) | (np.isinf(computed) & ~right)
    return np.where(right, 0.0, np.where(wrong, np.inf, error))


def bits(a: np.ndarray) -> np.ndarray:
    """As unsigned integers; all NaN alike, as IEEE 754 leaves their sign and payload open."""
    one_nan = a.copy()
    one_nan[np.isnan(a)] = np.nan
    return one_nan.view(f"u{a.itemsize}")
