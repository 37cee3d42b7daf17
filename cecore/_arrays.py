"""What arrays, axes and `out=` may be, and the errors that say so in one sentence."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from cecore import _core

AnyArray = npt.NDArray[Any]
Dtypes = tuple[np.dtype[Any], ...]
Shape = tuple[int, ...]

FLOAT16 = np.dtype(np.float16)
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
# What stands for bfloat16 where ml_dtypes, which gives NumPy that type, is not installed.
BFLOAT16_BITS = np.dtype([("bfloat16", np.uint16)], align=True)

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
    # NumPy reads no bfloat16 from other libraries.
    no_numpy = not hasattr(value, "__array__") or "bfloat16" in str(getattr(value, "dtype", ""))
    if hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray) and no_numpy:
        return _from_dlpack(value, name)
    return np.asarray(value)


def _from_dlpack(value: Any, name: str) -> AnyArray:
    memory, bfloat16 = _core.from_dlpack(value, name)
    array = np.asarray(memory)
    return array.view(_bfloat16()) if bfloat16 else array


@functools.cache
def _bfloat16() -> np.dtype[Any]:
    try:
        import ml_dtypes
    except ImportError:
        return BFLOAT16_BITS
    found: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return found


def is_bfloat16(dtype: np.dtype[Any]) -> bool:
    """Tell whether a dtype is bfloat16: that of ml_dtypes, or what stands for it."""
    return dtype.kind == "V" and (dtype.name == "bfloat16" or dtype == BFLOAT16_BITS)


def is_half(dtype: np.dtype[Any]) -> bool:
    """Tell whether a dtype is float16 or bfloat16."""
    return dtype.type is np.float16 or is_bfloat16(dtype)


def readable(array: AnyArray) -> AnyArray:
    """Return an array that NumPy can compute with: a copy in float32 of bfloat16, else itself."""
    if not is_bfloat16(array.dtype):
        return array
    bits: AnyArray = np.left_shift(array.view(np.uint16), 16, dtype=np.uint32)
    return np.asarray(bits).view(np.float32)


def as_numbers(value: npt.ArrayLike, name: str) -> AnyArray:
    """View `value` as an array of booleans, integers or floats of at most 64 bits."""
    array = as_array(value, name)
    narrow = array.dtype.kind in "biuf" and array.dtype.itemsize <= 8
    if narrow or is_bfloat16(array.dtype):
        return array
    raise TypeError(
        f"The dtype of {name} is {array.dtype}, wanted float16, bfloat16, float32, float64, "
        "integers or booleans."
    )


def as_floats(value: npt.ArrayLike, name: str) -> AnyArray:
    """View `value` as floats of any width; integers and booleans become float64."""
    array = as_numbers(value, name)
    return array.astype(FLOAT64) if array.dtype.kind in "biu" else array


def kernel_form(array: AnyArray) -> AnyArray:
    """Return `array` as the kernels read it: native and aligned."""
    if array.dtype.isnative and array.flags.aligned:
        return array
    return array.copy() if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def loss_dtypes(floats: AnyArray) -> Dtypes:
    """Return what a loss or log-sum-exp of `floats` may be stored as, the default first."""
    return (FLOAT64,) if floats.dtype.itemsize == 8 else (FLOAT32,)


def same_shape_dtypes(floats: AnyArray) -> Dtypes:
    """Return what a result of the shape of `floats` may be stored as, the default first."""
    dtype = floats.dtype.newbyteorder("=")
    return (FLOAT32,) if dtype in (FLOAT32, BFLOAT16_BITS) else (dtype, FLOAT32)


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
    return _core.fresh(shape, dtypes[0], like if shape == like.shape else None)


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
