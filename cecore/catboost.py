"""Cross-entropy objectives and metrics for CatBoost.

CatBoost asks for derivatives of minus the loss, weighted: with row weights w and p = sigmoid(x) or
softmax(x), as in its builtin objectives,

    Logloss, MultiCrossEntropy    w (y - p)        -w p (1 - p)
    MultiClass                    w (y_j - p_j)    -w (diag(p) - p p^T), the whole matrix

Two classes are passed in blocks of rows, and the kernels see whole arrays. Several classes or
labels are passed one row a call, Python floats and a K-by-K matrix each: no kernel can make that
fast, and training takes 10 to 100 times as long as with a builtin objective. It is for models that
CatBoost does not have otherwise, on data of moderate size.

>>> import numpy as np, catboost, cecore as ce, cecore.catboost
>>> rng = np.random.default_rng(0)
>>> y = rng.integers(2, size=200)
>>> x = rng.normal(size=(200, 4)) + y[:, None]
>>> loss = ce.SigmoidCrossEntropy()
>>> options = {"iterations": 5, "random_strength": 0, "bootstrap_type": "No", "verbose": False,
...     "leaf_estimation_method": "Newton", "leaf_estimation_iterations": 1, "thread_count": 1,
...     "allow_writing_files": False, "learning_rate": 0.3}
>>> builtin = catboost.CatBoostClassifier(loss_function="Logloss", **options).fit(x, y)
>>> ours = catboost.CatBoostClassifier(
...     loss_function=ce.catboost.objective(loss), eval_metric="Logloss", **options).fit(x, y)
>>> p = ce.catboost.probabilities(loss, ours, x)
>>> bool(np.allclose(p, builtin.predict_proba(x)[:, 1], rtol=1e-12))
True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import catboost
import numpy as np

from cecore._arrays import AnyArray, as_floats
from cecore._boosting import (
    Adapter,
    HessianRule,
    Loss,
    Objective,
    check_version,
    checked_problem,
)

__all__ = [
    "BinaryObjective",
    "ClassObjective",
    "DenseMetric",
    "DenseObjective",
    "Metric",
    "metric",
    "objective",
    "probabilities",
]

# CatBoost tries to compile methods with numba, and warns where it fails, unless an object says
# that this was done. It would also write this attribute, and objectives are immutable.
_NO_NUMBA = True


@dataclass(frozen=True, eq=False)
class BinaryObjective(Objective):
    """An objective of one margin a row; `objective` makes and describes it."""

    _jited: ClassVar[bool] = _NO_NUMBA

    def calc_ders_range(
        self, approxes: Sequence[float], targets: Sequence[float], weights: Any
    ) -> AnyArray:
        """Return first and second derivatives of minus the loss, one row each."""
        margins, labels = np.asarray(approxes, np.float64), np.asarray(targets)
        checked = None if weights is None else np.asarray(weights)
        problem = checked_problem(self.loss, margins, labels, checked)
        result = np.empty((len(margins), 2))
        gradient, hessian = problem.gradient_hessian(None, self.form)
        if self.min_hessian:
            least = self.min_hessian if checked is None else self.min_hessian * checked
            np.maximum(hessian, least, out=hessian)
        np.negative(gradient, out=result[:, 0])
        np.negative(hessian, out=result[:, 1])
        return result


@dataclass(frozen=True, eq=False)
class ClassObjective(Objective):
    """An objective of K margins and one class a row; `objective` makes and describes it."""

    _jited: ClassVar[bool] = _NO_NUMBA

    def calc_ders_multi(
        self, approxes: Sequence[float], target: Any, weight: float
    ) -> tuple[AnyArray, AnyArray]:
        """Return gradient and Hessian matrix of minus the loss in one row."""
        margins, labels = np.asarray(approxes, np.float64), np.asarray(target)
        rows = () if self.loss._by_class else margins.shape
        problem = self.loss._margins(margins, labels, np.full(rows, weight))
        gradient, hessian = problem.row_derivatives(self.form)
        if self.min_hessian:
            diagonal = np.diagonal(hessian)
            np.fill_diagonal(hessian, np.maximum(diagonal, self.min_hessian * weight))
        return -gradient, -hessian


@dataclass(frozen=True, eq=False)
class DenseObjective(ClassObjective, catboost.MultiTargetCustomObjective):  # type: ignore[misc]
    """An objective of K margins and K labels a row; `objective` makes and describes it."""


@dataclass(frozen=True, eq=False)
class Metric(Adapter):
    """The mean loss; `metric` makes and describes it."""

    _jited: ClassVar[bool] = _NO_NUMBA

    def is_max_optimal(self) -> bool:
        """Smaller is better."""
        return False

    def evaluate(self, approxes: Sequence[Any], target: Any, weight: Any) -> tuple[float, float]:
        """Return the weighted sum of the losses and the sum of the weights."""
        labels = np.asarray(target).T  # several labels come as one array each, like the margins
        margins = np.stack([np.asarray(a, np.float64) for a in approxes], axis=-1)
        if labels.ndim == 1 and margins.shape[1] == 1:
            margins = margins[:, 0]
        weights = None if weight is None or not len(weight) else np.asarray(weight)
        problem = checked_problem(self.loss, margins, labels, weights)
        return float(problem.at(margins, "sum").loss(None)), problem.weights.sum

    def get_final_error(self, error: float, weight: float) -> float:
        """Return the mean."""
        return error / weight if weight else 0.0


@dataclass(frozen=True, eq=False)
class DenseMetric(Metric, catboost.MultiTargetCustomMetric):  # type: ignore[misc]
    """The mean loss where a row has K labels; `metric` makes and describes it."""


def objective(
    loss: Loss,
    hessian: HessianRule = "builtin",
    min_hessian: float | None = None,
    *,
    dense_labels: bool = False,
) -> Objective:
    """Return a custom objective for the `loss_function` of CatBoost's models.

    Parameters
    ----------
    loss : SoftmaxCrossEntropy, SigmoidCrossEntropy
        The loss to train on. With a softmax pass `classes_count` too.
    hessian : {"builtin", "exact", "upper_bound"}
        The second derivatives: those of the builtin objective and the Hessian are the same in
        CatBoost, for a softmax the whole matrix diag(p) - p p^T. Its diagonal upper bound is
        2 p (1 - p). They enter where `leaf_estimation_method="Newton"`.
    min_hessian : float, optional
        The least second derivative of a row of weight 1, on the diagonal, at least 0; 0 without.
    dense_labels : bool
        A row has K labels, as in CatBoost's multi-target mode: soft labels of a softmax, or
        several labels of a sigmoid. Of `CatBoostRegressor`, or if all are 0 or 1, of
        `CatBoostClassifier`.

    Returns
    -------
    BinaryObjective, ClassObjective or DenseObjective
        With the methods that CatBoost calls. Picklable.

    Raises
    ------
    TypeError, ValueError
        Here, for a bad option; in training, for labels and weights.

    Warns
    -----
    UserWarning
        The version of CatBoost is not a tested one.

    Examples
    --------
    >>> import cecore as ce, cecore.catboost
    >>> gradient = ce.catboost.objective(ce.SigmoidCrossEntropy())
    >>> gradient
    BinaryObjective(loss=SigmoidCrossEntropy(), hessian='builtin', min_hessian=None)
    >>> gradient.calc_ders_range([0.0, 0.0], [0, 1], None)
    array([[-0.5 , -0.25],
           [ 0.5 , -0.25]])
    """
    check_version("catboost", catboost.__version__)
    if dense_labels:
        return DenseObjective(loss, hessian, min_hessian)
    # A wrong loss has no attribute to ask for; the class says what is wanted.
    kind = ClassObjective if getattr(loss, "_by_class", False) else BinaryObjective
    return kind(loss, hessian, min_hessian)


def metric(loss: Loss, *, dense_labels: bool = False) -> Metric:
    """Return a metric, the weighted mean of the loss, for the `eval_metric` of CatBoost's models.

    Parameters
    ----------
    loss : SoftmaxCrossEntropy, SigmoidCrossEntropy
        The loss to average, in nats. CatBoost passes margins, beside builtin objectives too.
    dense_labels : bool
        As for `objective`.

    Returns
    -------
    Metric or DenseMetric
        With the methods that CatBoost calls. Picklable.

    Raises
    ------
    ValueError
        In training, for labels and weights (the message names the first bad row).

    Examples
    --------
    >>> import numpy as np, cecore as ce, cecore.catboost
    >>> log_loss = ce.catboost.metric(ce.SigmoidCrossEntropy())
    >>> log_loss.evaluate([np.zeros(2)], np.array([0, 1]), None)
    (1.3862943611198906, 2.0)
    """
    check_version("catboost", catboost.__version__)
    return DenseMetric(loss) if dense_labels else Metric(loss)


def probabilities(loss: Loss, model: Any, data: Any, **options: Any) -> AnyArray:
    """Return the probabilities that a model gives to rows.

    Parameters
    ----------
    loss : SoftmaxCrossEntropy, SigmoidCrossEntropy
        The loss that the model was trained on.
    model : CatBoostClassifier, CatBoostRegressor, CatBoost
        Its raw values are taken, which contain the scale and bias of the model.
    data : Pool or array_like
        The rows.
    **options
        For `model.predict`, such as `ntree_end`.

    Returns
    -------
    ndarray of float64
        softmax or sigmoid of the raw values, shape (n,) or (n, K).

    Raises
    ------
    ValueError
        The model has one value a row, and the loss is a softmax.

    Examples
    --------
    >>> import numpy as np, catboost, cecore as ce, cecore.catboost
    >>> loss, x, y = ce.SigmoidCrossEntropy(), np.arange(60.0)[:, None], np.arange(60) % 4 > 0
    >>> model = catboost.CatBoostClassifier(
    ...     loss_function=ce.catboost.objective(loss), eval_metric=ce.catboost.metric(loss),
    ...     iterations=3, verbose=False, allow_writing_files=False)
    >>> ce.catboost.probabilities(loss, model.fit(x, y), x).shape
    (60,)
    """
    raw = as_floats(model.predict(data, prediction_type="RawFormulaVal", **options), "raw values")
    if loss._by_class and raw.ndim == 1:
        raise ValueError(
            f"The model has raw values of shape {raw.shape}, one a row, and {type(loss).__name__} "
            "wants one a class: it was trained on another loss."
        )
    return np.asarray(loss.probabilities(raw))
