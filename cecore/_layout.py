"""Brings arrays of any shape and strides to the four axes that the kernels take.

A row operation is given as (row, row, row, class), an element operation as four equal axes.
Neighbouring axes are joined wherever every array of the job walks them as one, so that a
C- or Fortran-ordered batch becomes one run. Row axes that cannot be joined to three (four for
elements), and class axes that cannot be joined to one, are read through a copy, array by array, and
results are copied back. Such a job is cut along a row axis, so that the copies stay small, though
none is smaller than a row; its values are kept until all of them can be added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cecore import _core
from cecore._arrays import AnyArray, Shape, is_bfloat16, loss_dtypes
from cecore.threads import get_num_threads

# The order of ce_op in include/cecore.h; a loss is followed by its gradient and its Hessian.
LOGSUMEXP, SOFTMAX, LOG_SOFTMAX = 0, 1, 2
SPARSE_LOSS, DENSE_LOSS = 3, 6
SIGMOID, LOG_SIGMOID, SOFTPLUS = 9, 10, 11
SIGMOID_LOSS = 12

# The order of ce_check.
IS_CLASS, IS_UNIT, IS_NON_NEGATIVE = 0, 1, 2

# The order of ce_type; a boolean is a byte of 0 or 1.
_TYPE_NAMES = ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2")
_BFLOAT16 = 11
_TYPES = {np.dtype(name): code for code, name in enumerate(_TYPE_NAMES)}
_TYPES[np.dtype(bool)] = _TYPES[np.dtype("u1")]

_AXES = 4

# Elements of a job whose arrays are copied, unless one row has more: few enough for the caches, and
# so many that the calls of its parts do not count.
_COPIED = 1 << 16


@dataclass(slots=True)
class Job:
    """One call of the kernels; arrays in kernel form, none of them empty.

    The kernels compute in float64 if `x` is of that type, else in float32. `value` is of the type
    computed in; `out` and `hessian` may also be of that of `x`, or float32.

    `labels`, `out` and `hessian` have the shape of `x`; `weight`, `value` and sparse labels
    that shape without the class axes. An element operation has no class axes.
    """

    op: int
    x: AnyArray
    labels: AnyArray | None = None
    weight: AnyArray | None = None
    value: AnyArray | None = None
    out: AnyArray | None = None
    hessian: AnyArray | None = None
    denominator: float = 1.0
    hessian_factor: float = 1.0
    want_total: bool = False


def run(job: Job, axes: tuple[int, ...]) -> float:
    """Compute a job whose classes lie along `axes`; return the total if it was asked for."""
    four = _FourAxes(job, axes)
    if four.copies and job.x.size > _COPIED:
        row_axes = [a for a in range(job.x.ndim) if a not in axes and job.x.shape[a] > 1]
        if row_axes:
            return _run_parts(job, axes, max(row_axes, key=lambda a: job.x.shape[a]))
    # The kernels may overwrite the logits with `out`, and with no other result.
    results = (job.value, job.hessian)
    overwritten = any(r is not None and np.may_share_memory(r, job.x) for r in results)
    x = four.view(job.x.copy() if overwritten else job.x)
    total = _core.run(
        job.op, *_as_bytes(x), *four.bytes(job.labels), *four.bytes(job.weight),
        *four.target(job.value), *four.target(job.out), *four.target(job.hessian),
        job.denominator, job.hessian_factor, job.want_total, get_num_threads(),
    )  # fmt: skip
    four.store()
    return total


def _run_parts(job: Job, axes: tuple[int, ...], axis: int) -> float:
    """Compute a job by parts along a row axis; their values are kept until all can be added."""
    x = job.x
    if job.want_total:
        rows = tuple(n for a, n in enumerate(x.shape) if a not in axes)
        values = _core.fresh(rows, loss_dtypes(x)[0])
        _run_parts(replace(job, value=values, want_total=False), axes, axis)
        width = math.prod(x.shape[a] for a in axes)
        return _core.total_of_values(values.reshape(-1), width)
    step = max(1, _COPIED * x.shape[axis] // x.size)
    row_axis = axis - sum(a < axis for a in axes)
    for start in range(0, x.shape[axis], step):
        part: dict[str, Any] = {}
        for name in ("x", "labels", "weight", "value", "out", "hessian"):
            array = getattr(job, name)
            if array is not None:
                before = axis if array.ndim == x.ndim else row_axis
                part[name] = array[(slice(None),) * before + (slice(start, start + step),)]
        run(replace(job, **part), axes)
    return 0.0


def first_bad(check: int, array: AnyArray, classes: int = 0) -> tuple[int, ...] | None:
    """Return the index of the first element, in C order, that fails a check."""
    if array.size == 0:
        return None
    if len(_joined(array.shape, [array.strides])) > _AXES:
        parts = (first_bad(check, part, classes) for part in array)
        return next(((i, *bad) for i, bad in enumerate(parts) if bad is not None), None)
    found = _core.find_bad(check, *_lone_bytes(array), classes, get_num_threads())
    if found < 0:
        return None
    return tuple(int(i) for i in np.unravel_index(found, array.shape))


def total(array: AnyArray) -> float:
    """Return the sum of all elements, as if added exactly and rounded once."""
    return _core.total(*_lone_bytes(array)) if array.size else 0.0


class _FourAxes:
    """The common four axes of the arrays of one job, and the results still to be copied back."""

    def __init__(self, job: Job, axes: tuple[int, ...]) -> None:
        x = job.x
        self._ndim = x.ndim
        row_axes = [a for a in range(x.ndim) if a not in axes]
        rank = {a: i for i, a in enumerate(row_axes)}
        if not job.want_total:
            # Largest stride first joins the most axes. A total keeps the order of the rows,
            # on which its last bit depends.
            row_axes.sort(key=lambda a: -abs(x.strides[a]))
        self._full_order = (*row_axes, *axes)
        self._row_order = tuple(rank[a] for a in row_axes)
        arrays = (x, job.labels, job.weight, job.value, job.out, job.hessian)
        strides = [self._moved(a).strides for a in arrays if a is not None]
        sizes = _joined([x.shape[a] for a in row_axes], strides)
        elements = job.op >= SIGMOID
        room = _AXES if elements else _AXES - 1
        full = [a.strides for a in arrays if a is not None and a.ndim == x.ndim]
        class_strides = [tuple(s[a] for a in axes) for s in full]
        class_sizes = _joined([x.shape[a] for a in axes], class_strides)
        self.copies = len(sizes) > room or len(class_sizes) > 1
        if len(sizes) > room:
            sizes = [math.prod(sizes)]
        self._head = (1,) * (room - len(sizes)) + tuple(sizes)
        self._full_tail = () if elements else (math.prod(x.shape[a] for a in axes),)
        self._row_tail = () if elements else (1,)
        self._pending: list[tuple[AnyArray, AnyArray]] = []

    def view(self, array: AnyArray) -> AnyArray:
        """Return the four axes of an array, copied if it cannot be walked that way."""
        return self._moved(array).reshape(self._shape(array))

    def bytes(self, array: AnyArray | None) -> tuple[AnyArray | None, int]:
        """Return the four axes of an array with the bytes of an element as a fifth; its type."""
        return (None, 0) if array is None else _as_bytes(self.view(array))

    def target(self, array: AnyArray | None) -> tuple[AnyArray | None, int]:
        """Return where a result is written: itself, or memory to copy back from; its type."""
        if array is None:
            return None, 0
        if array.flags.aligned:
            view = self.view(array)
            if np.may_share_memory(view, array):
                return _as_bytes(view)
        fresh = _core.fresh(self._shape(array), array.dtype)
        self._pending.append((self._moved(array), fresh))
        return _as_bytes(fresh)

    def store(self) -> None:
        """Copy back the results that were not written in place."""
        for result, fresh in self._pending:
            result[...] = fresh.reshape(result.shape)

    def _moved(self, array: AnyArray) -> AnyArray:
        full = array.ndim == self._ndim
        return array.transpose(self._full_order if full else self._row_order)

    def _shape(self, array: AnyArray) -> Shape:
        full = array.ndim == self._ndim
        return self._head + (self._full_tail if full else self._row_tail)


def _joined(shape: Sequence[int], strides: Sequence[Shape]) -> list[int]:
    """Return the sizes of the axes after joining neighbours that every array walks as one."""
    sizes: list[int] = []
    last = 0
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if sizes and all(s[last] == size * s[axis] for s in strides):
            sizes[-1] *= size
        else:
            sizes.append(size)
        last = axis
    return sizes


def _lone_bytes(array: AnyArray) -> tuple[AnyArray, int]:
    """Return an array with its own axes joined to four and a fifth of bytes; its type."""
    sizes = _joined(array.shape, [array.strides])
    if len(sizes) > _AXES:
        sizes = [array.size]
    return _as_bytes(array.reshape((1,) * (_AXES - len(sizes)) + tuple(sizes)))


def _as_bytes(array: AnyArray) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], int]:
    code = _TYPES.get(array.dtype)
    if code is None and is_bfloat16(array.dtype):
        code = _BFLOAT16
    return array[..., None].view(np.uint8), _TYPES[array.dtype] if code is None else code
