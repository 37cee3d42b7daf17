"""What labels and sample weights may be, and errors that name the first bad row and the cure.

Their shape decides what they mean, never their dtype, and they are not broadcast: (n,) against
(n, 1) is an error, not an n-by-n table.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cecore import _layout
from cecore._arrays import AnyArray, Shape, as_numbers, drop_axes, kernel_form, readable

_IGNORED_ELSEWHERE = -100  # what torch and its descendants store for "no label"


class Weights(NamedTuple):
    """Row weights in kernel form, repeated over the axes they were not given for."""

    array: AnyArray | None
    sum: float


def class_labels(labels: npt.ArrayLike, logits: Shape, axis: int) -> tuple[AnyArray, bool]:
    """Return checked labels of a softmax cross-entropy, and whether they are dense."""
    rows = drop_axes(logits, (axis,))
    array = as_numbers(labels, "labels")
    if array.shape == logits:
        checked = kernel_form(array)
        _check_targets(checked, axis)
        return checked, True
    if array.shape != rows:
        raise ValueError(
            f"labels have shape {array.shape}; logits of shape {logits} with the classes along "
            f"axis {axis} want {rows}, one class a row, or {logits}, one target a class."
            + _reshape_cure("labels", array.shape, (rows, logits))
        )
    checked = kernel_form(array)
    _check_class_labels(checked, logits[axis], logits)
    return checked, False


def unit_labels(labels: npt.ArrayLike, logits: Shape) -> AnyArray:
    """Return checked labels of a sigmoid cross-entropy."""
    array = as_numbers(labels, "labels")
    if array.shape != logits:
        raise ValueError(
            f"labels have shape {array.shape}, wanted {logits}, the shape of the logits."
            + _reshape_cure("labels", array.shape, (logits,))
        )
    checked = kernel_form(array)
    bad = _layout.first_bad(_layout.IS_UNIT, checked)
    if bad is not None:
        shown = readable(checked)
        raise ValueError(
            f"{_place(bad)} has label {shown[bad]}; labels of a sigmoid cross-entropy lie in "
            "[0, 1]." + _unit_hint(shown, bad)
        )
    return checked


def sample_weights(weight: npt.ArrayLike | None, rows: Shape) -> Weights:
    """Return checked weights for losses of shape `rows`; without any, each row counts 1."""
    if weight is None:
        return Weights(None, float(math.prod(rows)))
    array = as_numbers(weight, "sample_weight")
    allowed = [rows[:n] for n in range(1, len(rows) + 1)] or [rows]
    if array.shape not in allowed:
        wanted = " or ".join(str(shape) for shape in allowed)
        raise ValueError(
            f"sample_weight has shape {array.shape}, wanted {wanted}."
            + _reshape_cure("sample_weight", array.shape, allowed)
        )
    checked = kernel_form(array)
    bad = _layout.first_bad(_layout.IS_NON_NEGATIVE, checked)
    total = _layout.total(checked) if bad is None else math.nan
    if bad is None and math.isinf(total) and np.isinf(readable(checked)).any():
        bad = tuple(int(i) for i in np.argwhere(np.isinf(readable(checked)))[0])
    if bad is not None:
        raise ValueError(
            f"{_place(bad)} has sample_weight {readable(checked)[bad]}; weights are finite and "
            "at least 0."
        )
    repeated = rows[checked.ndim :]
    spread = checked.reshape(checked.shape + (1,) * len(repeated))
    return Weights(np.broadcast_to(spread, rows), total * math.prod(repeated))


def _check_class_labels(labels: AnyArray, classes: int, logits: Shape) -> None:
    bad = _layout.first_bad(_layout.IS_CLASS, labels, classes)
    if bad is not None:
        labels = readable(labels)
        raise ValueError(
            f"{_place(bad)} has label {labels[bad]}; with K = {classes} classes labels are "
            f"integers from 0 to {classes - 1}." + _class_hint(labels, bad, classes, logits)
        )


def _check_targets(labels: AnyArray, axis: int) -> None:
    bad = _layout.first_bad(_layout.IS_NON_NEGATIVE, labels)
    if bad is not None:
        raise ValueError(
            f"{_place(drop_axes(bad, (axis,)))} has label {readable(labels)[bad]} for class "
            f"{bad[axis]}; dense labels are not NaN and at least 0."
        )


def _place(index: tuple[int, ...]) -> str:
    """Name a row as its index is written."""
    if not index:
        return "The only row"
    return f"Row {index[0]}" if len(index) == 1 else f"Row {index}"


def _reshape_cure(name: str, came: Shape, allowed: tuple[Shape, ...] | list[Shape]) -> str:
    """Say how to cure shapes that differ by axes of length 1 only."""
    plain = [n for n in came if n != 1]
    for shape in allowed:
        if plain == [n for n in shape if n != 1]:
            return f" Pass np.reshape({name}, {shape})."
    return ""


def _class_hint(labels: AnyArray, bad: tuple[int, ...], classes: int, logits: Shape) -> str:
    value = float(labels[bad])
    if math.isnan(value):
        return " Drop the rows without a label."
    if value == _IGNORED_ELSEWHERE:
        return (
            " -100 marks a row to ignore elsewhere; here, drop those rows of the logits and of "
            "the labels first: keep = labels != -100."
        )
    if math.isfinite(value) and not value.is_integer():
        return f" Soft targets have the shape of the logits, {logits}."
    if _plus_minus_one(labels):
        return " Labels -1 and +1 become classes 0 and 1 by labels > 0."
    if labels.min() >= 1 and labels.max() == classes:
        return " They look counted from 1: pass labels - 1."
    return ""


def _unit_hint(labels: AnyArray, bad: tuple[int, ...]) -> str:
    value = float(labels[bad])
    if math.isnan(value):
        return " Drop what has no label, or give it label 0 and sample_weight 0."
    if value == _IGNORED_ELSEWHERE:
        return (
            " -100 marks what to ignore elsewhere; here, drop it first, or give it label 0 and "
            "sample_weight 0."
        )
    if _plus_minus_one(labels):
        return " Labels -1 and +1 become 0 and 1 by labels > 0."
    if labels.min() == 1 and labels.max() == 2:
        return " They look counted from 1: pass labels - 1."
    return ""


def _plus_minus_one(labels: AnyArray) -> bool:
    return bool(((labels == -1) | (labels == 1)).all())
