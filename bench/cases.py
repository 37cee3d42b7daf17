"""What is measured: everything that a target names, and one factor at a time beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from cecore._bench import shapes
from cecore._bench.shapes import Shape

ROW_OPERATIONS = ("logsumexp", "loss", "softmax", "log_softmax", "loss + gradient")
ELEMENT_OPERATIONS = ("sigmoid", "sigmoid loss + gradient", "gradient + Hessian")
OPERATIONS = ROW_OPERATIONS + ELEMENT_OPERATIONS
WHOLE, HALF = ("float32", "float64"), ("float16", "bfloat16")
DTYPES = WHOLE + HALF
STATES = ("hot", "after a pause", "call")

_TYPICAL = ("logsumexp", "softmax", "loss + gradient")


class Case(NamedTuple):
    """One figure. `state` is "call" where the arrays are too small to matter."""

    operation: str
    shape: Shape
    dtype: str
    threads: int
    order: str = "C"
    labels: str = "sparse"
    state: str = "hot"
    beside_peers: bool = True

    @property
    def inputs(self) -> tuple[Shape, str, str, str]:
        """What the arrays depend on."""
        return self.shape, self.dtype, self.order, self.labels

    def __str__(self) -> str:
        special = [self.order] if self.order != "C" else []
        special += ["dense labels"] if self.labels == "dense" else []
        special += [self.state] if self.state == "after a pause" else []
        many = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return ", ".join([self.operation, self.shape.name, self.dtype, *special, many])


def to_json(case: Case) -> dict[str, Any]:
    return {**case._asdict(), "shape": list(case.shape)}


def from_json(values: dict[str, Any]) -> Case:
    return Case(**{**values, "shape": Shape(*values["shape"])})


def _rows(threads: int) -> Iterator[Case]:
    compared = ("1M x 10", "20k x 1000")  # also losses and log_softmax, of which no target speaks
    for shape, dtype, operation in product(shapes.SHAPES, WHOLE, ROW_OPERATIONS):
        peers = operation in _TYPICAL or shape.name in compared
        yield Case(operation, shape, dtype, threads, beside_peers=peers)


def _elements(threads: int) -> Iterator[Case]:
    compared = {"float32": ("n = 1e3", "n = 1e5", "n = 1e7"), "float64": ("n = 1e7",)}
    for shape, dtype, operation in product(shapes.ELEMENTS, WHOLE, ELEMENT_OPERATIONS):
        yield Case(operation, shape, dtype, threads, beside_peers=shape.name in compared[dtype])


def _halves(threads: int) -> Iterator[Case]:
    large, middle = shapes.BY_NAME["256 x 128256"], shapes.BY_NAME["20k x 1000"]
    for dtype in HALF:
        for shape, operation in product((large, middle), _TYPICAL):
            yield Case(operation, shape, dtype, threads, beside_peers=shape is large)
        yield Case("sigmoid", shapes.BY_NAME["n = 1e7"], dtype, threads)


def _layouts(threads: int) -> Iterator[Case]:
    some = [shapes.BY_NAME[name] for name in ("1M x 3", "1M x 10", "20k x 1000")]
    for order, shape, operation in product(shapes.ORDERS[1:], some, _TYPICAL):
        yield Case(operation, shape, "float32", threads, order)
    for shape, dtype, operation in product(some, WHOLE, ("loss", "loss + gradient")):
        yield Case(operation, shape, dtype, threads, labels="dense")


def _pauses(threads: int) -> Iterator[Case]:
    for shape, operation in product(shapes.PAUSED, ("logsumexp", "softmax")):
        yield Case(operation, shape, "float32", threads, state="after a pause")
    for shape in shapes.ELEMENTS[1:5]:
        yield Case("gradient + Hessian", shape, "float32", threads, state="after a pause")


def _calls(threads: int) -> Iterator[Case]:
    for operation in ("logsumexp", "softmax"):
        yield Case(operation, shapes.TINY, "float32", threads, state="call")


def plan(threads: Sequence[int]) -> list[Case]:
    """All cases by threads, neighbours on the same arrays; layouts and pauses with most threads."""
    cases: list[Case] = []
    for n in threads:
        parts = [_rows, _elements, _halves]
        if n == max(threads):
            parts = [_calls, *parts, _layouts]
            parts += [_pauses] if n > 1 else []
        cases += [case for part in parts for case in part(n)]
    order = {key: i for i, key in enumerate(dict.fromkeys((c.threads, c.inputs) for c in cases))}
    return sorted(cases, key=lambda case: order[case.threads, case.inputs])


def quick(cases: Sequence[Case]) -> list[Case]:
    """A few of them, for a first look."""
    names = ("1 x 10", "1M x 3", "20k x 1000", "10000 x 1000", "n = 1e7")
    operations = ("logsumexp", "softmax", "loss + gradient", "gradient + Hessian")
    return [
        case
        for case in cases
        if case.shape.name in names
        and case.operation in operations
        and case.dtype == "float32"
        and (case.order, case.labels) == ("C", "sparse")
    ]
