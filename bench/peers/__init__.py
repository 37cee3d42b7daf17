"""The same work by every library, each with its best call.

A module of this package is a library: `calls` takes a problem and returns what the library can do
about it, {name: call}. A call takes nothing and returns what the operation returns:

    "logsumexp", "loss"                     one value a row
    "softmax", "log_softmax", "sigmoid"     an array like the logits
    "loss + gradient",                      (sum of the losses, gradient of that sum)
    "sigmoid loss + gradient"
    "gradient + Hessian"                    two arrays like the logits

Buffers for `out=` are made before, outside the timed calls. A library that is not installed makes
no calls, and nor does one that lacks the operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

OURS, OURS_FRESH, OURS_TENSOR = "cecore", "cecore, fresh", "cecore, torch tensor"
OURS_FLOAT32 = "cecore, float32"
TORCH, TORCH_SMALL = "torch", "torch (4 KiB pages)"
TORCH_FRESH_SMALL = "torch, fresh (4 KiB pages)"

# A library's module here, and what must be installed for it.
LIBRARIES = {
    "cecore": ("cecore_", ()),
    "NumPy": ("numpy_", ()),
    "SciPy": ("scipy_", ("scipy",)),
    "scikit-learn": ("sklearn_", ("sklearn",)),
    "torch": ("torch_", ("torch",)),
    "jax": ("jax_", ("jax",)),
    "onnxruntime": ("onnx_", ("onnx", "onnxruntime")),
    "numba": ("numba_", ("numba",)),
}
PEERS = tuple(LIBRARIES)[1:]

# Wrong work gives wrong digits long before these; right work stays far below: the largest
# difference allowed, relative for the values of a row, absolute for entries of at most 1.
TOLERANCE = {"float16": 1e-2, "bfloat16": 5e-2, "float32": 1e-4, "float64": 1e-10}
_BLOCK = 1 << 16  # elements compared at a time

Calls = Mapping[str, Callable[[], object]]


class Problem(NamedTuple):
    """What is asked of everyone; classes lie along axis 1, and logits of no classes have one axis.

    Labels have the logits' shape or lack its axis 1.
    """

    operation: str
    logits: np.ndarray
    labels: np.ndarray
    threads: int = 1

    @property
    def plain(self) -> bool:
        """Rows side by side with integer labels, or elements: what every library takes."""
        return self.logits.flags.c_contiguous and self.logits.ndim <= 2 and not self.dense

    @property
    def dense(self) -> bool:
        return self.logits.ndim > 1 and self.labels.shape == self.logits.shape


def contenders(problem: Problem, libraries: Sequence[str] = tuple(LIBRARIES)) -> Calls:
    """The calls of these libraries, as far as they are installed; half types as far as they go."""
    found: dict[str, Callable[[], object]] = {}
    for library in libraries:
        module, needs = LIBRARIES[library]
        if all(find_spec(name) for name in needs):
            found |= import_module(f"{__name__}.{module}").calls(problem)
    if problem.logits.dtype.itemsize > 2:
        return found
    return {name: call for name, call in found.items() if _supported(call)}


def _supported(call: Callable[[], object]) -> bool:
    """Whether a call takes the half type; each library has an error of its own to say so."""
    try:
        call()
    except Exception:
        return False
    return True


def parts(answer: object) -> list[np.ndarray]:
    return [np.asarray(part) for part in (answer if isinstance(answer, tuple) else (answer,))]


def _agree(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    """Whether |a - b| <= tolerance (1 + |b|) everywhere, in blocks, so that nothing leaves L2."""
    if a.shape != b.shape:
        return False
    columns_first = b.flags.f_contiguous and not b.flags.c_contiguous
    a, b = (v.ravel(order="F" if columns_first else "C") for v in (a, b))
    for first in range(0, b.size, _BLOCK):
        x, y = (v[first : first + _BLOCK].astype(np.float64) for v in (a, b))
        if not (np.abs(x - y) <= tolerance * (1 + np.abs(y))).all():
            return False
    return True


def disagreeing(calls: Calls, dtype: np.dtype) -> list[str]:
    """Whose answers are not ours, but for rounding."""
    tolerance = TOLERANCE[np.dtype(dtype).name]
    ours = [part.copy(order="K") for part in parts(calls[OURS]())]
    return [
        name
        for name, call in calls.items()
        if not all(_agree(a, b, tolerance) for a, b in zip(parts(call()), ours, strict=True))
    ]


def check_answers(calls: Calls, dtype: np.dtype) -> None:
    """Raise unless every call's answer is ours, but for rounding."""
    for name in disagreeing(calls, dtype):
        raise AssertionError(f"{name} and {OURS} disagree, so their times cannot be compared.")
