"""Small pages for a while, whatever a library asks for (Linux only).

Touching fresh memory costs several times more on 4 KiB pages than on 2 MiB pages. torch asks for
large ones only if THP_MEM_ALLOC_ENABLE=1 is set when it first allocates, and cannot be asked to
stop; this withdraws them again, so that both settings are measured in one process.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_PR_SET_THP_DISABLE = 41  # linux/prctl.h


@contextmanager
def small_pages() -> Iterator[None]:
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_THP_DISABLE, 0, 0, 0, 0)
