"""Warnings, placed on the line of the caller outside this package."""

from __future__ import annotations

import sys
import warnings

import numpy as np

from cecore._arrays import AnyArray, is_half, readable

_ROWS_EXAMINED = 64
# Probabilities sum to 1 up to rounding: far above that of float32 over 1e5 classes, far below
# what real logits, all of them in [0, 1] by chance, would hit in two rows.
_SUM_TOLERANCE = 1e-4
_HALF_SUM_TOLERANCE = 1e-2


class DoubleSoftmaxWarning(UserWarning):
    """The logits given to a softmax cross-entropy look like probabilities.

    A softmax of probabilities is nearly uniform: training then runs, slowly, to a wrong model.
    Up to 64 evenly spaced rows are examined. The warning is given when all of them lie in
    [0, 1] and sum to 1 and at least two of them differ.

    Examples
    --------
    >>> import warnings
    >>> import cecore as ce
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     losses = ce.softmax_cross_entropy([[0.9, 0.1], [0.3, 0.7]], [0, 1])
    >>> caught[0].category.__name__
    'DoubleSoftmaxWarning'
    """


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn at the innermost line of the call stack that is not part of cecore."""
    level = 1
    frame = sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "cecore":
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def warn_if_probabilities(logits: AnyArray, axis: int) -> None:
    """Give a `DoubleSoftmaxWarning` if the logits look like probabilities."""
    examined = rows_like_probabilities(logits, axis)
    if examined:
        warn_caller(
            f"The logits look like probabilities: {examined} of "
            f"{logits.size // logits.shape[axis]} rows were examined, and each lies in [0, 1] and "
            "sums to 1. Pass the values from before the softmax, or the logarithm of the "
            "probabilities.",
            DoubleSoftmaxWarning,
        )


def rows_like_probabilities(logits: AnyArray, axis: int) -> int:
    """Return how many rows were examined if they look like probabilities, else 0."""
    rows = logits.size // logits.shape[axis]
    if rows < 2:
        return 0
    table = logits if axis == logits.ndim - 1 else np.moveaxis(logits, axis, -1)
    count = min(rows, _ROWS_EXAMINED)
    examined = np.unravel_index(np.arange(count) * (rows - 1) // (count - 1), table.shape[:-1])
    # One class of each row refutes nearly all real logits without reading whole rows.
    if not _in_unit_interval(readable(table[..., 0][examined])):
        return 0
    tolerance = _HALF_SUM_TOLERANCE if is_half(logits.dtype) else _SUM_TOLERANCE
    first = None
    differ = False
    for index in zip(*examined, strict=True):
        row = readable(table[index])
        if not _in_unit_interval(row) or abs(row.sum(dtype=np.float64) - 1) > tolerance:
            return 0
        first = row if first is None else first
        differ = differ or not np.array_equal(row, first)
    return count if differ else 0


def _in_unit_interval(values: AnyArray) -> bool:
    return bool(values.min() >= 0 and values.max() <= 1)
