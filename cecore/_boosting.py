"""What the adapters of the boosting libraries share: versions, labels, starts, objectives, metrics.

An objective is called once a round with margins, labels and row weights w. Labels and weights are
checked in the first round and only compared with the checked ones afterwards; the memory of the
results is kept. The library takes the diagonal of the Hessian H, weighted, with a floor m:

    exact          max(w H, w m)
    upper_bound    max(w D, w m)      D_j = sum_k |H_jk|: 2 H of a softmax, H of a sigmoid
    builtin        max(w f H, w m)    f H as in the library's own objective
"""

from __future__ import annotations

import functools
import math
import re
import sys
import threading
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self, get_args

import numpy as np
import numpy.typing as npt

from cecore._arrays import AnyArray, Shape, as_floats, as_numbers
from cecore._cross_entropy import HessianForm, Problem
from cecore._warnings import rows_like_probabilities, warn_caller

HessianRule = Literal["builtin", "exact", "upper_bound"]
MetricInput = Literal["margin", "probability"]

# The oldest release supported, and the newest minor release tested.
VERSIONS = {
    "xgboost": ("2.1.1", "3.2"),
    "lightgbm": ("4.0.0", "4.7"),
    "catboost": ("1.2", "1.2"),
}

# In nats a row. Shares rounded to float32 cost 1e-7; starting 60 : 40 labels at 50 : 50, 0.02.
_START_TOLERANCE = 1e-3
_SUM_TOLERANCE = 1e-4  # of probabilities in float32
_MEAN_TOLERANCE = 0.02  # of the mean prediction of a fitted model, which is that of the labels

_PROBABILITIES = (
    "The predictions look like probabilities, and margins are wanted: beside a builtin objective "
    'XGBoost gives a metric probabilities, so pass input="probability".'
)


class Loss(Protocol):
    """What an adapter asks of a loss."""

    _by_class: ClassVar[bool]  # a softmax over the margins of a row, or a sigmoid of each

    def _margins(
        self, logits: AnyArray, labels: AnyArray, sample_weight: AnyArray | None
    ) -> Problem: ...

    def probabilities(self, logits: npt.ArrayLike) -> Any: ...


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: (3, 2, 0) of "3.2.0rc1"."""
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


@functools.cache
def check_version(library: str, version: str) -> None:
    """Warn, once in a process, of a version outside the tested ones."""
    oldest, newest = VERSIONS[library]
    came = version_numbers(version)
    if came < version_numbers(oldest) or came[:2] > version_numbers(newest):
        warn_caller(
            f"cecore is tested with {library} {oldest} to {newest}, and this is {version}, whose "
            "calls and builtin Hessian may differ: compare a model with the builtin objective.",
            UserWarning,
        )


def checked_problem(
    loss: Loss, margins: AnyArray, labels: AnyArray, weights: AnyArray | None
) -> Problem:
    """Check labels and weights, and shapes that show a call set up wrongly; name the cure."""
    name = type(loss).__name__
    if loss._by_class and margins.ndim == 1:
        if margins.size > len(labels):
            raise ValueError(
                f"predictions are flat, shape {margins.shape} for {len(labels)} rows, which some "
                "libraries order by row and some by class: pass an array (rows, classes)."
            )
        raise ValueError(
            f"predictions have shape {margins.shape}, one number a row, and {name} wants one a "
            "class: set num_class to the number of classes; where a metric stands beside the "
            "builtin multi:softmax, which hands out class numbers, name multi:softprob; for two "
            "classes with one margin a row use SigmoidCrossEntropy."
        )
    if not loss._by_class and margins.ndim == 2 and labels.ndim == 1:
        raise ValueError(
            f"predictions have shape {margins.shape} and labels {labels.shape}, and {name} wants a "
            "label for each prediction: for one class a row use SoftmaxCrossEntropy; for several "
            "labels a row pass labels of the shape of the predictions."
        )
    return loss._margins(margins, labels, weights)


def round_arguments(
    first: Any, second: Any, weights: Any
) -> tuple[AnyArray, AnyArray, AnyArray | None]:
    """Return margins, labels and weights of both conventions of a round's call.

    Native interfaces pass (predictions, data set), those like scikit-learn's (labels, predictions,
    weights).
    """
    native = hasattr(second, "get_label")
    if native:
        predictions, labels, weights = first, second.get_label(), second.get_weight()
    else:
        predictions, labels = second, first
    margins = as_floats(predictions, "predictions")
    if weights is not None:
        weights = as_numbers(weights, "sample_weight")
        weights = weights if weights.size else None  # how XGBoost says that there are none
    return margins, as_numbers(labels, "labels"), weights


def shares(loss: Loss, labels: AnyArray, weights: AnyArray | None, classes: int) -> AnyArray:
    """Return the weighted share of each class, or the mean of each label; all of them checked."""
    if loss._by_class and labels.ndim == 1:
        total = np.bincount(labels.astype(np.intp), weights, minlength=classes)
        return np.asarray(total / total.sum())
    mean = np.average(labels, axis=0, weights=weights)
    return np.asarray(mean / mean.sum() if loss._by_class else mean, np.float64)


def checked_shares(loss: Loss, labels: npt.ArrayLike, weight: npt.ArrayLike | None) -> AnyArray:
    """Check labels and weights of a whole training set and return their shares, none of them 0."""
    targets = as_numbers(labels, "labels")
    weights = None if weight is None else as_numbers(weight, "weight")
    shape = targets.shape
    if loss._by_class and targets.ndim == 1:
        top = targets.max(initial=0)
        shape = (*shape, max(2, int(top) + 1 if math.isfinite(top) else 2))
    problem = checked_problem(loss, np.broadcast_to(0.0, shape), targets, weights)
    if problem.weights.sum == 0:
        raise ValueError("There are no labels with a weight above 0, and so no shares of classes.")
    found = shares(loss, targets, weights, shape[-1])
    without = found == 0 if loss._by_class else (found == 0) | (found == 1)
    if without.any():
        which = int(np.argmax(without))
        raise ValueError(
            f"Class {which} has no labels with a weight above 0, and the logarithm of its share "
            "is -inf: count classes from 0 without a gap."
            if loss._by_class
            else f"All labels{f' of column {which}' if found.ndim else ''} are the same, and the "
            "logit of their mean is infinite: there is nothing to learn."
        )
    return found


def logits_of(loss: Loss, probabilities: AnyArray) -> AnyArray:
    """Return margins with these probabilities; -inf and +inf where they are 0 and 1."""
    with np.errstate(divide="ignore"):
        if loss._by_class:
            return np.log(probabilities)
        return np.log(probabilities) - np.log1p(-probabilities)


@dataclass(frozen=True, eq=False)
class Adapter:
    """A small immutable object that is pickled as its options alone."""

    loss: Loss

    def __post_init__(self) -> None:
        if isinstance(self.loss, type) or not hasattr(self.loss, "_margins"):
            raise TypeError(
                f"loss is {self.loss!r}, wanted a loss such as cecore.SoftmaxCrossEntropy()."
            )

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # as of all that is immutable; scikit-learn clones CatBoost's models by it

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, f.name) for f in fields(self) if f.init)


@dataclass(frozen=True, eq=False)
class Objective(Adapter):
    """The options of an objective."""

    hessian: HessianRule = "builtin"
    min_hessian: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hessian not in get_args(HessianRule):
            wanted = ", ".join(map(repr, get_args(HessianRule)))
            raise ValueError(f"hessian is {self.hessian!r}, wanted {wanted}.")
        if self.min_hessian is not None and not 0 <= self.min_hessian < math.inf:
            raise ValueError(f"min_hessian is {self.min_hessian!r}, wanted a number of at least 0.")

    @property
    def form(self) -> HessianForm:
        """What the kernels are asked for."""
        return "upper_bound" if self.hessian == "upper_bound" else "exact"


class _Checked(NamedTuple):
    """A data set as it was checked; copies, so that a change made in place is noticed."""

    labels: AnyArray
    weights: AnyArray | None
    problem: Problem
    floor: AnyArray | float

    def holds(self, shape: Shape, labels: AnyArray, weights: AnyArray | None) -> bool:
        if self.problem.logits.shape != shape or not np.array_equal(self.labels, labels):
            return False
        if self.weights is None or weights is None:
            return self.weights is weights
        return np.array_equal(self.weights, weights)


class _State(threading.local):
    """What a thread keeps between rounds; threads may train with one objective side by side."""

    def __init__(self) -> None:
        self.checked: _Checked | None = None
        self.arrays: dict[tuple[str, str], AnyArray] = {}

    def array(self, name: str, like: AnyArray, dtype: Any, order: Literal["C", "F"]) -> AnyArray:
        """Return the memory kept under a name, made anew for another shape."""
        key = name, np.dtype(dtype).str
        if key not in self.arrays or self.arrays[key].shape != like.shape:
            self.arrays[key] = np.empty(like.shape, dtype, order)
        return self.arrays[key]


@dataclass(frozen=True, eq=False)
class RoundObjective(Objective):
    """An objective that is called with all rows, once a round."""

    _state: _State = field(default_factory=_State, init=False, repr=False)

    library_floor: ClassVar[float]  # what min_hessian=None stands for
    start_cure: ClassVar[str]

    def library_start(self, found: AnyArray) -> AnyArray:
        """Return the margins that the builtin objective starts from, of shares of labels."""
        raise NotImplementedError

    def targets_of(self, labels: AnyArray) -> AnyArray:
        """Return the labels that the loss is given."""
        return labels

    def problem(
        self, margins: AnyArray, labels: AnyArray, weights: AnyArray | None
    ) -> tuple[Problem, AnyArray | float]:
        """Return the problem of a round and the floor of its second derivatives."""
        kept = self._state.checked
        if kept is None or not kept.holds(margins.shape, labels, weights):
            kept = self._check(margins, labels.copy(), None if weights is None else weights.copy())
            self._state.checked = kept
        if _is_constant(margins) and not _in_dask_worker():
            self._check_start(kept, margins)
        return kept.problem.at(margins, "none"), kept.floor

    @staticmethod
    def apply_floor(hessian: AnyArray, floor: AnyArray | float) -> None:
        """Raise second derivatives to the floor, in place."""
        top = np.max(floor)
        # The minimum, NaN included, costs an eighth of the maximum and nearly always settles it.
        if top and not hessian.min(initial=np.inf) >= top:
            np.maximum(hessian, floor, out=hessian, casting="same_kind")

    def _check(self, margins: AnyArray, labels: AnyArray, weights: AnyArray | None) -> _Checked:
        problem = checked_problem(self.loss, margins, self.targets_of(labels), weights)
        floor: AnyArray | float = (
            self.library_floor if self.min_hessian is None else self.min_hessian
        )
        if weights is not None and floor:
            floor = floor * weights.reshape(weights.shape + (1,) * (margins.ndim - weights.ndim))
        nowhere = np.broadcast_to(margins.dtype.type(0), margins.shape)
        return _Checked(labels, weights, problem.at(nowhere, "none"), floor)

    def _check_start(self, kept: _Checked, margins: AnyArray) -> None:
        """Warn if training starts much worse than with the builtin objective.

        Not in a worker, which sees its own part of the labels only.
        """
        if not kept.problem.weights.sum:
            return
        with np.errstate(divide="ignore", invalid="ignore"):
            found = shares(self.loss, kept.problem.labels, kept.weights, margins.shape[-1])
            start = self.library_start(found).astype(margins.dtype)
        if not np.isfinite(start).all():
            return
        there = np.broadcast_to(start, margins.shape)
        loss, best = (float(kept.problem.at(m, "mean").loss(None)) for m in (margins, there))
        if loss > best + _START_TOLERANCE:
            warn_caller(
                f"Training starts from the margin {margins[0]} in every row, a loss of {loss:.4g} "
                f"nats a row; the builtin objective starts from {start.round(4)}, {best:.4g} nats. "
                + self.start_cure,
                UserWarning,
            )


def _is_constant(margins: AnyArray) -> bool:
    # The last row settles nearly all rounds but the first.
    return bool(len(margins) > 1 and (margins[0] == margins[-1]).all()) and bool(
        (margins == margins[0]).all()
    )


def _in_dask_worker() -> bool:
    worker = sys.modules.get("distributed.worker")
    if worker is None:
        return False
    try:
        worker.get_worker()
    except ValueError:
        return False
    return True


@dataclass(frozen=True, eq=False)
class RoundMetric(Adapter):
    """The mean loss of a data set, from margins or probabilities."""

    input: MetricInput = "margin"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.input not in get_args(MetricInput):
            wanted = " or ".join(map(repr, get_args(MetricInput)))
            raise ValueError(f"input is {self.input!r}, wanted {wanted}.")

    @property
    def __name__(self) -> str:
        """What libraries with an interface like scikit-learn's print."""
        return type(self.loss).__name__

    def value(self, predictions: AnyArray, labels: AnyArray, weights: AnyArray | None) -> float:
        problem = checked_problem(self.loss, predictions, labels, weights)
        if self.input == "margin":
            self._check_margins(problem)
            margins = predictions
        else:
            self._check_probabilities(predictions)
            margins = logits_of(self.loss, predictions)
        return float(problem.at(margins, "mean").loss(None))

    def _check_probabilities(self, predictions: AnyArray) -> None:
        outside = ~((predictions >= 0) & (predictions <= 1)) & ~np.isnan(predictions)
        if self.loss._by_class:
            off = abs(predictions.sum(axis=-1) - 1) > _SUM_TOLERANCE
            outside = outside.any(axis=-1) | off
        if outside.any():
            row = int(np.argwhere(outside)[0][0])
            raise ValueError(
                f"Row {row} has predictions {predictions[row]}, which are no probabilities: beside "
                'a custom objective a metric gets margins, so pass input="margin".'
            )

    def _check_margins(self, problem: Problem) -> None:
        """Find probabilities among margins.

        Three or more that sum to 1 in every row are certain. One a row, or two, which the symmetry
        of two classes ties together, are told by their mean: that of the labels, if they are
        probabilities, and far from it after a sigmoid.
        """
        x = problem.logits
        if self.loss._by_class:
            if not rows_like_probabilities(x, x.ndim - 1):
                return
            if x.shape[-1] > 2:
                raise ValueError(_PROBABILITIES)
        if not x.size or x.min() < 0 or x.max() > 1 or not problem.weights.sum:
            return
        far, near = (
            abs(problem.at(m, "mean").gradient(None).sum(axis=0)).max()
            for m in (x, logits_of(self.loss, x))
        )
        if far > _MEAN_TOLERANCE and near < far / 4:
            warn_caller(_PROBABILITIES, UserWarning)
