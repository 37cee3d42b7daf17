"""The one implementation behind the cross-entropy functions and classes.

A problem is checked whole - shapes, dtypes, every label and weight - before anything is computed,
so that an error leaves the caller's `out` as it was. With losses l_i, weights w_i and n losses:

    none        l_i w_i            sum         sum_i w_i l_i
    mean        sum_i w_i l_i / sum_i w_i      batch_mean  sum_i w_i l_i / n

A gradient or Hessian is that of the value returned under the same reduction: the kernels divide it
by the same denominator. Where that is 0 (no rows, or no weight at all) the mean is NaN, and the
derivatives are those of the sum, 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from cecore import _core, _layout
from cecore._arrays import (
    AnyArray,
    Shape,
    as_floats,
    check_classes,
    check_overlap,
    class_axis,
    drop_axes,
    kernel_form,
    loss_dtypes,
    output,
    output_pair,
    readable,
    returned,
    same_shape_dtypes,
)
from cecore._labels import Weights, class_labels, sample_weights, unit_labels
from cecore._warnings import warn_caller, warn_if_probabilities
from cecore.threads import get_num_threads

Reduction = Literal["none", "sum", "mean", "batch_mean"]
HessianForm = Literal["exact", "upper_bound"]
TwoArrays = tuple[AnyArray, AnyArray]
Result = TypeVar("Result")

_REDUCTIONS = ("none", "sum", "mean", "batch_mean")


@dataclass(frozen=True, slots=True)
class Problem:
    """Checked logits, labels and weights, with what is asked of them."""

    loss_op: int  # its gradient and its Hessian follow
    logits: AnyArray  # as given: their dtype and layout decide those of the derivatives
    x: AnyArray  # the same in kernel form
    axes: tuple[int, ...]
    labels: AnyArray
    weights: Weights
    rows: Shape
    reduction: Reduction

    @property
    def denominator(self) -> float:
        """What the reduction divides the sum of the weighted losses by."""
        if self.reduction == "mean":
            return self.weights.sum
        return float(math.prod(self.rows)) if self.reduction == "batch_mean" else 1.0

    def at(self, logits: AnyArray, reduction: Reduction) -> Problem:
        """Return the problem at other logits of this shape; labels and weights stay checked."""
        if logits.shape != self.logits.shape:
            raise ValueError(f"logits have shape {logits.shape}, wanted {self.logits.shape}.")
        return replace(self, logits=logits, x=kernel_form(logits), reduction=reduction)

    def loss(self, out: AnyArray | None) -> Any:
        """Return the losses or their reduction."""
        value = self._loss_array(out, "out")
        self._check_outputs((value, "out", out is not None))
        self._warn_if_undefined()
        self._run(0, value)
        return returned(value, out)

    def gradient(self, out: AnyArray | None) -> Any:
        """Return the derivatives with respect to the logits."""
        gradient = self._derivative_array(out, "out")
        self._check_outputs((gradient, "out", out is not None))
        self._run(1, None, gradient)
        return returned(gradient, out)

    def loss_gradient(self, out: TwoArrays | None) -> tuple[Any, Any]:
        """Return both, from one pass."""
        names = ("out[0]", "out[1]")
        outs = output_pair(out, "loss", "gradient")
        value = self._loss_array(outs[0], names[0])
        gradient = self._derivative_array(outs[1], names[1])
        given = out is not None
        self._check_outputs((value, names[0], given), (gradient, names[1], given))
        self._warn_if_undefined()
        self._run(1, value, gradient)
        return returned(value, outs[0]), returned(gradient, outs[1])

    def gradient_hessian(
        self, out: TwoArrays | None, form: HessianForm = "exact", factor: float = 1.0
    ) -> tuple[Any, Any]:
        """Return the gradient and the diagonal of the Hessian, times a factor if by class.

        The upper bound D is the smallest diagonal that Gershgorin's circles prove to be one, D - H
        positive semidefinite: D_j = sum_k |H_jk|. A softmax, whose H_jk is -Y p_j p_k off the
        diagonal, has D_j = 2 Y p_j (1 - p_j); a sigmoid, where H is diagonal, has D = H. (Chen,
        Singh, Taskar and Guestrin, "Efficient Second-Order Gradient Boosting for Conditional
        Random Fields", AISTATS 2015.)
        """
        names = ("out[0]", "out[1]")
        outs = output_pair(out, "gradient", "hessian")
        gradient = self._derivative_array(outs[0], names[0])
        hessian = self._derivative_array(outs[1], names[1])
        given = out is not None
        self._check_outputs((gradient, names[0], given), (hessian, names[1], given))
        bound = 2.0 if form == "upper_bound" and self.axes else 1.0
        self._run(2, None, gradient, hessian, bound * factor)
        return returned(gradient, outs[0]), returned(hessian, outs[1])

    def row_derivatives(self, form: HessianForm = "exact") -> tuple[AnyArray, AnyArray]:
        """Return the gradient and the whole Hessian of a problem of one row, logits of shape (K,).

        Of a softmax w Y (diag(p) - p p^T), of a sigmoid the diagonal; its upper bound is diagonal.
        """
        gradient, diagonal = self.gradient_hessian(None, form)
        if not self.axes or form == "upper_bound":
            return gradient, np.diag(diagonal)
        dense = self.labels.shape == self.x.shape
        scale = float(readable(self.labels).sum()) if dense else 1.0
        if self.weights.array is not None:
            scale *= float(readable(self.weights.array))
        p = np.empty(self.x.shape, loss_dtypes(self.x)[0])
        _layout.run(_layout.Job(_layout.SOFTMAX, self.x, out=p), self.axes)
        hessian = np.outer(p, -scale * p)
        np.fill_diagonal(hessian, diagonal)
        return gradient, hessian

    def _loss_array(self, out: AnyArray | None, name: str) -> AnyArray:
        shape = self.rows if self.reduction == "none" else ()
        return output(out, name, shape, loss_dtypes(self.logits), self.logits)

    def _derivative_array(self, out: AnyArray | None, name: str) -> AnyArray:
        shape, dtypes = self.logits.shape, same_shape_dtypes(self.logits)
        return output(out, name, shape, dtypes, self.logits)

    def _check_outputs(self, *outputs: tuple[AnyArray, str, bool]) -> None:
        """Raise if an output of the caller overlaps what is read, or another output."""
        inputs = [("labels", self.labels), ("sample_weight", self.weights.array)]
        for i, (array, name, given) in enumerate(outputs):
            if given:
                earlier = [(other_name, other) for other, other_name, _ in outputs[:i]]
                check_overlap(array, name, self.x, [*inputs, *earlier])

    def _warn_if_undefined(self) -> None:
        if self.denominator == 0:
            why = "the sample weights are all zero" if math.prod(self.rows) else "there are no rows"
            warn_caller(f"The mean loss is NaN: {why}.", RuntimeWarning)

    def _run(
        self,
        derivatives: int,
        value: AnyArray | None,
        gradient: AnyArray | None = None,
        hessian: AnyArray | None = None,
        factor: float = 1.0,
    ) -> None:
        """Fill the arrays given; a reduced value is 0-d."""
        reduced = value is not None and self.reduction != "none"
        denominator = self.denominator
        total = 0.0
        if self.x.size:
            job = _layout.Job(
                self.loss_op + derivatives,
                self.x,
                self.labels,
                self.weights.array,
                None if reduced else value,
                gradient,
                hessian,
                denominator or 1.0,
                factor,
                reduced,
            )
            total = _layout.run(job, self.axes)
        if reduced and value is not None:
            with np.errstate(all="ignore"):  # rounding to float32 may overflow or underflow
                value[...] = total / denominator if denominator else math.nan


class Wanted(NamedTuple, Generic[Result]):
    """What a call returns: how the kernels are asked for it, and how a problem is."""

    derivatives: int
    value: bool
    out: bool
    hessian: bool
    of: Callable[[Problem, Any], Result]


LOSS = Wanted(0, True, False, False, Problem.loss)
GRADIENT = Wanted(1, False, True, False, Problem.gradient)
LOSS_GRADIENT = Wanted(1, True, True, False, Problem.loss_gradient)
GRADIENT_HESSIAN = Wanted(2, False, True, True, Problem.gradient_hessian)


def of_softmax(
    wanted: Wanted[Result],
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    axis: int,
    sample_weight: npt.ArrayLike | None,
    reduction: Reduction,
    out: Any,
) -> Result:
    """Return what is wanted of a softmax cross-entropy."""
    result = None
    if sample_weight is None:
        result = _run_plain(_layout.SPARSE_LOSS, wanted, logits, axis, labels, reduction, out)
    if result is not None:
        return result
    return wanted.of(softmax_problem(logits, labels, axis, sample_weight, reduction), out)


def of_sigmoid(
    wanted: Wanted[Result],
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None,
    reduction: Reduction,
    out: Any,
) -> Result:
    """Return what is wanted of a sigmoid cross-entropy."""
    result = None
    if sample_weight is None:
        result = _run_plain(_layout.SIGMOID_LOSS, wanted, logits, None, labels, reduction, out)
    if result is not None:
        return result
    return wanted.of(sigmoid_problem(logits, labels, sample_weight, reduction), out)


def _run_plain(
    op: int,
    wanted: Wanted[Result],
    logits: Any,
    axis: Any,
    labels: Any,
    reduction: Reduction,
    out: Any,
) -> Result | None:
    """Return what is wanted if all arrays are plain (_plain.pxi), else None."""
    derivatives, value, gradient, hessian, _ = wanted
    result: Result | None = _core.run_plain(
        op + derivatives, logits, axis, labels, reduction, value, gradient, hessian, out,
        get_num_threads,
    )  # fmt: skip
    return result


def softmax_problem(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    axis: int,
    sample_weight: npt.ArrayLike | None,
    reduction: Reduction,
    examine: bool = True,
) -> Problem:
    """Check what a softmax cross-entropy is given; examine whether logits are probabilities."""
    _check_reduction(reduction)
    given = as_floats(logits, "logits")
    along = class_axis(axis, given.ndim)
    check_classes(given.shape, (along,))
    if given.shape[along] == 1:
        raise ValueError(
            f"logits of shape {given.shape} have one class along axis {along}, for which the loss "
            "is always 0; for one logit a row use sigmoid_cross_entropy."
        )
    targets, dense = class_labels(labels, given.shape, along)
    rows = drop_axes(given.shape, (along,))
    weights = sample_weights(sample_weight, rows)
    if examine:
        warn_if_probabilities(given, along)
    op = _layout.DENSE_LOSS if dense else _layout.SPARSE_LOSS
    x = kernel_form(given)
    return Problem(op, given, x, (along,), targets, weights, rows, reduction)


def sigmoid_problem(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None,
    reduction: Reduction,
) -> Problem:
    """Check what a sigmoid cross-entropy is given."""
    _check_reduction(reduction)
    given = as_floats(logits, "logits")
    targets = unit_labels(labels, given.shape)
    weights = sample_weights(sample_weight, given.shape)
    x = kernel_form(given)
    return Problem(_layout.SIGMOID_LOSS, given, x, (), targets, weights, given.shape, reduction)


def _check_reduction(reduction: str) -> None:
    if reduction not in _REDUCTIONS:
        raise ValueError(
            f"reduction is {reduction!r}, wanted " + ", ".join(map(repr, _REDUCTIONS)) + "."
        )
