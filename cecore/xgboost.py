"""Cross-entropy objectives, metrics and base scores for XGBoost, as fast as the builtin ones.

XGBoost hands a custom objective float32 margins x, of shape (n,) or (n, K) in C order, and takes
gradient g and second derivatives h of the same shape. With row weights w and p = sigmoid(x) or
softmax(x), its builtin objectives have (versions 2.1 to 3.2)

    binary:logistic    g = w (p - y)         h = w max(p (1 - p), 1e-16)
    multi:softprob     g_j = w (p_j - y_j)   h_j = max(2 w p_j (1 - p_j), 1e-16)

The 2 p (1 - p) is the upper bound of the whole Hessian by Gershgorin's circles (Chen, Singh, Taskar
and Guestrin, "Efficient Second-Order Gradient Boosting for Conditional Random Fields", AISTATS
2015). XGBoost does not multiply by the weights what a custom objective returns: ours do.

Keep the name of the builtin objective beside `obj=`. Then XGBoost's own `predict` turns margins
into probabilities, also of a model that was saved and read again:

>>> import numpy as np, xgboost, cecore as ce, cecore.xgboost
>>> rng = np.random.default_rng(0)
>>> y = rng.integers(3, size=200)
>>> data = xgboost.DMatrix(rng.normal(size=(200, 4)) + np.eye(3, 4)[y], y)
>>> loss = ce.SoftmaxCrossEntropy()
>>> options = {"objective": "multi:softprob", "num_class": 3, "nthread": 1}
>>> builtin = xgboost.train(options, data, 5)
>>> options["base_score"] = ce.xgboost.base_score(loss, y)
>>> ours = xgboost.train(options, data, 5, obj=ce.xgboost.objective(loss))
>>> bool(np.allclose(ours.predict(data), builtin.predict(data), atol=1e-5))
True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import xgboost

from cecore._arrays import AnyArray
from cecore._boosting import (
    HessianRule,
    Loss,
    MetricInput,
    RoundMetric,
    RoundObjective,
    check_version,
    checked_shares,
    logits_of,
    round_arguments,
    version_numbers,
)

__all__ = ["Metric", "Objective", "base_score", "metric", "objective", "probabilities"]

_SHARE_OFFSET = 1e-6  # which XGBoost adds, so that a class without labels has a logarithm


@dataclass(frozen=True, eq=False)
class Objective(RoundObjective):
    """A custom objective; `objective` makes and describes it."""

    library_floor: ClassVar[float] = 1e-16
    start_cure: ClassVar[str] = (
        "Pass base_score=cecore.xgboost.base_score(loss, labels, weight), and beside a sigmoid "
        'loss objective="binary:logistic", without which XGBoost reads the mean as a margin.'
    )

    def __call__(
        self, first: Any, second: Any, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[AnyArray, AnyArray]:
        margins, labels, weights = _arguments(first, second, sample_weight)
        problem, floor = self.problem(margins, labels, weights)
        gradient = self._state.array("gradient", margins, margins.dtype, "C")
        hessian = self._state.array("hessian", margins, margins.dtype, "C")
        # XGBoost's own softmax has the upper bound; for a sigmoid the two forms are one.
        form = "upper_bound" if self.hessian == "builtin" else self.form
        problem.gradient_hessian((gradient, hessian), form)
        self.apply_floor(hessian, floor)
        return gradient, hessian

    def library_start(self, found: AnyArray) -> AnyArray:
        score = _builtin_score(self.loss, found)
        return score if self.loss._by_class else logits_of(self.loss, score)


@dataclass(frozen=True, eq=False)
class Metric(RoundMetric):
    """A custom metric; `metric` makes and describes it."""

    def __call__(
        self, first: Any, second: Any, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[str, float] | float:
        value = self.value(*_arguments(first, second, sample_weight))
        return (self.__name__, value) if hasattr(second, "get_label") else value


def _arguments(
    first: Any, second: Any, weight: npt.ArrayLike | None
) -> tuple[AnyArray, AnyArray, AnyArray | None]:
    margins, labels, weights = round_arguments(first, second, weight)
    if labels.ndim == 1 and margins.ndim == 2 and labels.size == margins.size:
        labels = labels.reshape(margins.shape)  # 2.1 flattens labels of several targets by row
    return margins, labels, weights


def _builtin_score(loss: Loss, found: AnyArray) -> AnyArray:
    """Return what the installed version starts from, of shares of classes or means of labels."""
    version = version_numbers(xgboost.__version__)
    if loss._by_class:
        if version >= (3, 2):
            log_shares = np.log(found + _SHARE_OFFSET)
            return np.asarray(log_shares - log_shares.mean())
        return found if version >= (3, 1) else np.full(found.shape, 0.5)
    if version >= (3, 1):
        return found
    mean = found.mean()  # one number for all targets
    # 2.1 takes one Newton step from 1/2 instead of the mean itself.
    return np.asarray(mean if version >= (3, 0) else 1 / (1 + np.exp(-(mean - 0.5) / 0.25)))


def objective(
    loss: Loss, hessian: HessianRule = "builtin", min_hessian: float | None = None
) -> Objective:
    """Return a custom objective for `xgboost.train`, `XGBClassifier` and `xgboost.dask`.

    Parameters
    ----------
    loss : SoftmaxCrossEntropy, SigmoidCrossEntropy
        The loss to train on. A softmax takes labels of shape (n,), or soft labels (n, K); a
        sigmoid the shape of the margins, (n,) or for several labels a row (n, K).
    hessian : {"builtin", "exact", "upper_bound"}
        The second derivatives: those of the builtin objective; the diagonal of the Hessian; its
        diagonal upper bound. For a softmax that is 2 p (1 - p), p (1 - p) and 2 p (1 - p), for a
        sigmoid always p (1 - p).
    min_hessian : float, optional
        The least second derivative of a row of weight 1, at least 0; 1e-16 without it.

    Returns
    -------
    Objective
        Called as `obj(margins, dtrain)` or `objective(labels, margins, sample_weight=None)`, it
        returns gradient and second derivatives, float32 in C order, multiplied by the weights.
        Picklable. The arrays are kept, one pair a thread, and overwritten by the next call.

    Raises
    ------
    TypeError, ValueError
        Here, for a bad option; in training, for labels and weights (the message names the first
        bad row) and for shapes that show a parameter missing.

    Warns
    -----
    UserWarning
        The version of XGBoost is not a tested one; training starts from a margin that costs more
        than 0.001 nats a row above the start of the builtin objective.

    Examples
    --------
    >>> import numpy as np, cecore as ce, cecore.xgboost
    >>> gradient = ce.xgboost.objective(ce.SigmoidCrossEntropy())
    >>> gradient
    Objective(loss=SigmoidCrossEntropy(), hessian='builtin', min_hessian=None)
    >>> gradient(np.float32([0, 1]), np.zeros(2, np.float32))
    (array([ 0.5, -0.5], dtype=float32), array([0.25, 0.25], dtype=float32))
    """
    check_version("xgboost", xgboost.__version__)
    return Objective(loss, hessian, min_hessian)


def metric(loss: Loss, input: MetricInput = "margin") -> Metric:
    """Return a metric, the weighted mean of the loss, for `custom_metric` and `eval_metric`.

    Parameters
    ----------
    loss : SoftmaxCrossEntropy, SigmoidCrossEntropy
        The loss to average, in nats.
    input : {"margin", "probability"}
        What XGBoost passes: margins beside a custom objective, probabilities beside a builtin
        one. Beside `multi:softmax` it passes class numbers, which is an error.

    Returns
    -------
    Metric
        Called as `custom_metric(predictions, dmatrix)` it returns (name, value), called as
        `eval_metric(labels, predictions, sample_weight=None)` the value. Picklable. Smaller is
        better, as XGBoost takes for granted.

    Raises
    ------
    ValueError
        In training: margins where probabilities were announced, or three or more probabilities
        a row where margins were; class numbers; bad labels or weights.

    Warns
    -----
    UserWarning
        One or two predictions a row, announced as margins, look like probabilities.

    Examples
    --------
    >>> import numpy as np, cecore as ce, cecore.xgboost
    >>> log_loss = ce.xgboost.metric(ce.SigmoidCrossEntropy(), input="probability")
    >>> round(log_loss(np.array([0.0, 1.0]), np.array([0.25, 0.5])), 6)
    0.490415
    """
    check_version("xgboost", xgboost.__version__)
    return Metric(loss, input)


def base_score(
    loss: Loss, labels: npt.ArrayLike, weight: npt.ArrayLike | None = None
) -> float | list[float]:
    """Return the `base_score` that XGBoost gives its builtin objective; ours does not get it.

    Parameters
    ----------
    loss : SoftmaxCrossEntropy, SigmoidCrossEntropy
        The loss to be trained on.
    labels, weight : array_like
        All labels and row weights of the training set.

    Returns
    -------
    float or list of float
        In XGBoost 3.2, for a sigmoid the weighted mean of the labels, a probability, which
        belongs beside `objective="binary:logistic"` (one a column of labels); for a softmax the
        margins log(share of class k + 1e-6) minus their mean, which belong beside
        `objective="multi:softprob"`, or beside no name where the labels are soft. Earlier
        versions start elsewhere, and this follows them: 3.1 from the shares themselves; before
        that one number is all they take, 0.5 for a softmax.

    Raises
    ------
    ValueError
        Bad labels or weights; a class without labels.

    Examples
    --------
    >>> import cecore as ce, cecore.xgboost
    >>> score = ce.xgboost.base_score(ce.SigmoidCrossEntropy(), [0, 1, 1, 1])
    """
    check_version("xgboost", xgboost.__version__)
    score = _builtin_score(loss, checked_shares(loss, labels, weight))
    if version_numbers(xgboost.__version__) < (3, 1):
        return float(score.flat[0])
    scores: float | list[float] = score.tolist()
    return scores


def probabilities(loss: Loss, model: Any, data: Any, **options: Any) -> AnyArray:
    """Return the probabilities that a model gives to rows, whatever objective it was saved with.

    A model trained without an objective's name, on soft labels for example, predicts margins.

    Parameters
    ----------
    loss : SoftmaxCrossEntropy, SigmoidCrossEntropy
        The loss that the model was trained on.
    model : Booster, XGBClassifier, XGBRegressor
        Its margins contain the base score. A `base_margin` they contain only if it is given
        again, in the DMatrix or as an option.
    data : DMatrix for a Booster, else array_like
        The rows.
    **options
        For `model.predict`, such as `iteration_range`.

    Returns
    -------
    ndarray of float32
        softmax or sigmoid of the margins, in their shape.

    Raises
    ------
    ValueError
        The model has one margin a row, and the loss is a softmax.

    Examples
    --------
    >>> import numpy as np, xgboost, cecore as ce, cecore.xgboost
    >>> loss = ce.SoftmaxCrossEntropy()
    >>> soft = np.tile([[0.25, 0.75], [0.75, 0.25]], (20, 1))
    >>> data = xgboost.DMatrix(np.tile([[0.0], [1.0]], (20, 1)), soft)
    >>> options = {"base_score": 0, "lambda": 0, "nthread": 1}
    >>> model = xgboost.train(options, data, 30, obj=ce.xgboost.objective(loss))
    >>> ce.xgboost.probabilities(loss, model, data)[:2].round(2)
    array([[0.25, 0.75],
           [0.75, 0.25]], dtype=float32)
    """
    margins = model.predict(data, output_margin=True, **options)
    if loss._by_class and margins.ndim == 1:
        raise ValueError(
            f"The model has margins of shape {margins.shape}, one a row, and "
            f"{type(loss).__name__} wants one a class: it was trained on another loss."
        )
    return np.asarray(loss.probabilities(margins))
