"""What arrays, axes and `out=` may be, and the errors that say so in one sentence."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]
Dtypes = tuple[np.dtype[Any], ...]
Shape = tuple[int, ...]

FLOAT16 = np.dtype(np.float16)
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)

# Whether two views share an element is NP-hard in the number of axes; beyond this many steps of
# the search the answer is taken to be yes.
_OVERLAP_WORK = 10_000


def as_array(value: Any, name: str) -> AnyArray:
    """View `value` as a plain array; only what NumPy cannot view is copied."""
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, whose mask would be lost; "
            f"pass {name}.filled(value), or {name}.data if nothing is masked."
        )
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    return np.asarray(value)


def as_numbers(value: npt.ArrayLike, name: str) -> AnyArray:
    """View `value` as an array of booleans, integers or floats of at most 64 bits."""
    array = as_array(value, name)
    if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8:
        return array
    raise TypeError(
        f"The dtype of {name} is {array.dtype}, wanted float16, float32, float64, integers or "
        "booleans."
    )


def as_floats(value: npt.ArrayLike, name: str) -> AnyArray:
    """View `value` as float16, float32 or float64; integers and booleans become float64."""
    array = as_numbers(value, name)
    return array if array.dtype.kind == "f" else array.astype(FLOAT64)


def kernel_form(array: AnyArray) -> AnyArray:
    """Return `array` as the kernels read it: native, aligned, float16 widened to float32."""
    if array.dtype.type is np.float16:
        return array.astype(FLOAT32)
    if array.dtype.isnative and array.flags.aligned:
        return array
    return array.astype(array.dtype.newbyteorder("="))


def loss_dtypes(floats: AnyArray) -> Dtypes:
    """Return what a loss or log-sum-exp of `floats` may be stored as, the default first."""
    return (FLOAT64,) if floats.dtype.itemsize == 8 else (FLOAT32,)


def same_shape_dtypes(floats: AnyArray) -> Dtypes:
    """Return what a result of the shape of `floats` may be stored as, the default first."""
    half = floats.dtype.type is np.float16
    return (FLOAT16, FLOAT32) if half else loss_dtypes(floats)


def class_axes(axis: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """Return the axes that hold the classes, counted from 0, in ascending order."""
    if axis is None:
        return tuple(range(ndim))
    try:
        given = [operator.index(a) for a in (axis if isinstance(axis, tuple) else (axis,))]
    except TypeError:
        raise TypeError(
            f"axis is {axis!r}, wanted an integer, a tuple of integers or None."
        ) from None
    for a in given:
        if not -ndim <= a < ndim:
            raise np.exceptions.AxisError(a, ndim)
    found = sorted(a % ndim for a in given)
    if len(set(found)) < len(found):
        raise ValueError(f"axis is {axis}, which names one axis twice.")
    return tuple(found)


def class_axis(axis: int, ndim: int) -> int:
    """Return the one axis that holds the classes, counted from 0."""
    if axis is None or isinstance(axis, tuple):
        raise TypeError(f"axis is {axis!r}, wanted an integer.")
    return class_axes(axis, ndim)[0]


def drop_axes(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """Return `shape` without `axes`."""
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def check_classes(shape: Shape, axes: tuple[int, ...]) -> None:
    """Raise unless the class axes hold at least one class."""
    if any(shape[a] == 0 for a in axes):
        where = f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"
        raise ValueError(f"There are no classes: shape {shape} has none along {where}.")


def checked_out(out: Any, name: str, shape: Shape, dtypes: Dtypes) -> AnyArray:
    """Return the caller's `out` as a plain array after checking it; nothing is written yet."""
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"{name} is a {type(out).__name__}, wanted a NumPy array.")
    if out.dtype not in dtypes:
        wanted = " or ".join(str(d) for d in dtypes)
        raise TypeError(f"{name} has dtype {out.dtype}, wanted {wanted}.")
    if out.shape != shape:
        raise ValueError(f"{name} has shape {out.shape}, wanted {shape}.")
    if not out.flags.writeable:
        raise ValueError(f"{name} is read-only, wanted a writeable array.")
    return out if type(out) is np.ndarray else np.asarray(out)


def output(out: Any, name: str, shape: Shape, dtypes: Dtypes, like: AnyArray) -> AnyArray:
    """Return the checked `out`, or a fresh array, which takes the layout of one of its shape."""
    if out is not None:
        return checked_out(out, name, shape, dtypes)
    if shape == like.shape:
        return np.empty_like(like, dtypes[0], subok=False)
    return np.empty(shape, dtypes[0])


def returned(result: AnyArray, out: AnyArray | None) -> Any:
    """Return the caller's own array, or a fresh one; of no axes, a NumPy scalar."""
    if out is not None:
        return out
    return result if result.ndim else result[()]


def output_pair(out: Any, first: str, second: str) -> tuple[Any, Any]:
    """Split the `out` of a method that returns two arrays."""
    if out is None:
        return None, None
    if not isinstance(out, tuple) or len(out) != 2:
        came = f"a tuple of {len(out)}" if isinstance(out, tuple) else f"a {type(out).__name__}"
        raise TypeError(f"out is {came}, wanted a tuple of two arrays: ({first}, {second}).")
    return out


def check_overlap(
    out: AnyArray, name: str, logits: AnyArray, others: Iterable[tuple[str, AnyArray | None]]
) -> None:
    """Raise if `out` shares memory with an array, unless it is exactly the logits."""
    if _overlap(out, logits) and not _same_elements(out, logits):
        raise ValueError(
            f"{name} overlaps the input without being the same view of it; "
            "pass the input itself or separate memory."
        )
    for other_name, other in others:
        if other is not None and _overlap(out, other):
            raise ValueError(f"{name} overlaps {other_name}; pass separate memory.")


def _overlap(a: AnyArray, b: AnyArray) -> bool:
    if not np.may_share_memory(a, b):
        return False
    try:
        # NumPy takes any bound; its type stub knows the two named ones only.
        return np.shares_memory(a, b, max_work=_OVERLAP_WORK)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def _same_elements(a: AnyArray, b: AnyArray) -> bool:
    """Tell whether two arrays are one view of the same memory, element for element."""
    address_a, address_b = (v.__array_interface__["data"][0] for v in (a, b))
    if (a.dtype, a.shape, address_a) != (b.dtype, b.shape, address_b):
        return False
    steps = zip(a.shape, a.strides, b.strides, strict=True)
    return all(step_a == step_b for n, step_a, step_b in steps if n > 1)
