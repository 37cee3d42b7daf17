"""The same rows (n, K) in every layout that a user may have them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Layout(NamedTuple):
    name: str
    arrange: Callable[[np.ndarray], np.ndarray]
    axis: int = -1

    def rows(self, result: np.ndarray, x: np.ndarray) -> np.ndarray:
        """A result for arrange(x), full-sized or one number a row, back as (n, K) or (n,)."""
        if result.size == x.size and result.ndim == self.arrange(x).ndim:
            return np.moveaxis(result, self.axis, -1).reshape(x.shape)
        return result.reshape(len(x))

    def labels(self, labels: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Labels for arrange(x): dense ones arranged alike, sparse ones in its leading shape."""
        if labels.shape == x.shape:
            return self.arrange(labels)
        return labels.reshape(np.moveaxis(self.arrange(x), self.axis, -1).shape[:-1])


def _halves(x: np.ndarray) -> np.ndarray:
    return x.reshape(2, len(x) // 2, x.shape[1])


def _every_second(x: np.ndarray, axis: int) -> np.ndarray:
    gaps = np.full_like(np.repeat(x, 2, axis=axis), np.nan)
    view = gaps[::2] if axis == 0 else gaps[:, ::2]
    view[...] = x
    return view


def _at_byte(x: np.ndarray, offset: int) -> np.ndarray:
    buffer = np.empty(x.nbytes + offset, np.uint8)
    view = buffer[offset:].view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


def in_memory(x: np.ndarray, order, steps, offset: int = 0, gap: float = 100) -> np.ndarray:
    """The same values, with the axes of `x` in this order of memory, outermost first.

    Element i of axis a is `steps[a]` places from element i - 1, with `gap` between them; the
    memory starts `offset` bytes past an aligned address.
    """
    lengths = [x.shape[a] * abs(steps[a]) for a in order]
    memory = _at_byte(np.full(lengths, gap, x.dtype), offset)
    view = memory.transpose(np.argsort(order))[(..., *(slice(None, None, s) for s in steps))]
    view[...] = x
    return view


def _read_only(x: np.ndarray) -> np.ndarray:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


C_ORDER = Layout("C order", np.ascontiguousarray)

LAYOUTS = (
    C_ORDER,
    Layout("Fortran order", np.asfortranarray),
    Layout("classes first", lambda x: np.ascontiguousarray(x.T), axis=0),
    Layout("classes first, Fortran order", lambda x: np.asfortranarray(x.T), axis=0),
    Layout("middle axis", lambda x: np.ascontiguousarray(_halves(x).transpose(0, 2, 1)), axis=1),
    Layout("leading axes", lambda x: np.ascontiguousarray(_halves(x))),
    Layout("leading axes, Fortran order", lambda x: np.asfortranarray(_halves(x))),
    Layout("every second row", lambda x: _every_second(x, 0)),
    Layout("every second class", lambda x: _every_second(x, 1)),
    Layout("reversed classes", lambda x: np.ascontiguousarray(x[:, ::-1])[:, ::-1]),
    Layout("reversed rows", lambda x: np.ascontiguousarray(x[::-1])[::-1]),
    Layout("one element off", lambda x: _at_byte(x, x.itemsize)),
    Layout("one byte off", lambda x: _at_byte(x, 1)),
    Layout("read-only", _read_only),
)
