"""How many threads a call may use: for the process, for the calling thread or task, by default.

The default is OpenMP's own number, which follows `OMP_NUM_THREADS` and threadpoolctl. Without
`OMP_NUM_THREADS` it is at most the number of CPUs that the caller may use: the smaller of its CPU
affinity, as it is at the call, and its container's quota, as it was at the first call. The results
are the same bits for any number of threads.

The threads are a process's own, made when a call first wants them, and shared by all who call at
once: c threads of Python occupy at most c more than one does. A call takes its work back from
workers that do not come, because they sleep or other threads have the CPUs. A child of fork has no
workers and computes alone, which it knows only if cecore was imported before the fork.
"""

from __future__ import annotations

import contextlib
import operator
import os
from collections.abc import Iterator
from contextvars import ContextVar

from cecore import _core
from cecore._cpus import whole_quota

__all__ = ["get_num_threads", "num_threads", "set_num_threads"]

# Where so many threads cannot be had, a call makes do with fewer.
_MOST = 1024

_scoped: ContextVar[int | None] = ContextVar("cecore.num_threads", default=None)
_process_wide: int | None = None


def get_num_threads() -> int:
    """Return the largest number of threads that a call made here may use.

    Short calls use fewer, down to one.

    Returns
    -------
    int
        The number of the innermost `num_threads` block, else that of `set_num_threads`, else the
        default.

    Examples
    --------
    >>> import cecore as ce
    >>> with ce.num_threads(3):
    ...     ce.get_num_threads()
    3
    """
    scoped = _scoped.get()
    if scoped is not None:
        return scoped
    return _default() if _process_wide is None else _process_wide


def set_num_threads(n: int) -> None:
    """Set the largest number of threads of a call, for the whole process.

    A `num_threads` block takes precedence.

    Parameters
    ----------
    n : int
        From 1 to 1024; more than the machine has CPUs is allowed.

    Raises
    ------
    TypeError
        `n` is not an integer.
    ValueError
        `n` is less than 1 or more than 1024.

    Examples
    --------
    >>> import cecore as ce
    >>> before = ce.get_num_threads()
    >>> ce.set_num_threads(1)
    >>> ce.get_num_threads()
    1
    >>> ce.set_num_threads(before)
    """
    global _process_wide
    _process_wide = _checked(n)


@contextlib.contextmanager
def num_threads(n: int) -> Iterator[None]:
    """Limit the threads of the calls inside a `with` block.

    The limit is a context variable: it holds for the calling thread or asyncio task and for no
    other.

    Parameters
    ----------
    n : int
        From 1 to 1024; more than the machine has CPUs is allowed.

    Raises
    ------
    TypeError
        `n` is not an integer.
    ValueError
        `n` is less than 1 or more than 1024.

    Examples
    --------
    >>> import cecore as ce
    >>> with ce.num_threads(1):
    ...     p = ce.softmax([1.0, 2.0, 3.0])
    """
    token = _scoped.set(_checked(n))
    try:
        yield
    finally:
        _scoped.reset(token)


def _checked(n: int) -> int:
    try:
        count = operator.index(n)
    except TypeError:
        raise TypeError(f"n is {n!r}, wanted an integer.") from None
    if count < 1:
        raise ValueError(f"n is {count}, wanted at least 1.")
    if count > _MOST:
        raise ValueError(f"n is {count}, wanted at most {_MOST}.")
    return count


def _default() -> int:
    own = _core.max_threads()
    if own == 1 or _OPENMP_WAS_TOLD:
        return own
    return int(min(own, _core.usable_cpus(), whole_quota()))


def _holds_a_number(variable: str) -> bool:
    """Tell whether OpenMP obeys this value of OMP_NUM_THREADS: a number, or a list of them."""
    first = variable.partition(",")[0].strip()
    return first.isdigit() and int(first) > 0


# OpenMP, too, reads the variable once.
_OPENMP_WAS_TOLD = _holds_a_number(os.environ.get("OMP_NUM_THREADS", ""))
