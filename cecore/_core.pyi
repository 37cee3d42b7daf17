"""The compiled kernels: see _core.pyx and include/cecore.h."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

def run(
    op: int,
    x: npt.NDArray[Any],
    x_type: int,
    labels: npt.NDArray[Any] | None,
    labels_type: int,
    weight: npt.NDArray[Any] | None,
    weight_type: int,
    value: npt.NDArray[Any] | None,
    value_type: int,
    out: npt.NDArray[Any] | None,
    out_type: int,
    hessian: npt.NDArray[Any] | None,
    hessian_type: int,
    denominator: float,
    hessian_factor: float,
    want_total: bool,
    threads: int,
) -> float: ...
def run_plain(
    op: int,
    logits: Any,
    axis: Any,
    labels: Any,
    reduction: str,
    wants_value: bool,
    wants_out: bool,
    wants_hessian: bool,
    out: Any,
    num_threads: Callable[[], int],
) -> Any: ...
def find_bad(check: int, a: npt.NDArray[Any], a_type: int, classes: int, threads: int) -> int: ...
def total_of_values(values: npt.NDArray[Any], width: int) -> float: ...
def total(a: npt.NDArray[Any], a_type: int) -> float: ...
def fresh(
    shape: tuple[int, ...], dtype: np.dtype[Any], like: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]: ...
def kept_memory() -> int: ...
def from_dlpack(value: Any, name: str) -> tuple[Any, bool]: ...
def probe(
    reads: Sequence[npt.NDArray[Any]],
    writes: Sequence[npt.NDArray[Any]],
    rows: int,
    classes: int,
    threads: int,
) -> None: ...
def isa() -> str: ...
def available_isas() -> tuple[str, ...]: ...
def max_threads() -> int: ...
def usable_cpus() -> int: ...
def threading() -> str: ...
