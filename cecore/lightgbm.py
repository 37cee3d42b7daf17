"""Cross-entropy objectives, metrics and init scores for LightGBM, as fast as the builtin ones.

LightGBM hands a custom objective float64 margins x, of shape (n,) or (n, K) in Fortran order, and
takes gradient g and second derivatives h of the same shape. With row weights w and p = sigmoid(x)
or softmax(x), its builtin objectives have (versions 4.0 to 4.7)

    binary        g = w (p - y)          h = w p (1 - p)
    multiclass    g_j = w (p_j - y_j)    h_j = w K / (K - 1) p_j (1 - p_j)

The factor K / (K - 1) is that of Friedman, "Greedy Function Approximation: A Gradient Boosting
Machine", Annals of Statistics 29 (2001), section 4.6. LightGBM does not multiply by the weights
what a custom objective returns: ours do. Everything is computed in float64 and rounded once to the
float32 that LightGBM works with, in its order: it neither transposes nor copies.

The builtin objectives start from the log shares of the classes and add them to the model. A custom
objective starts from `init_score`, which is part of the data and not of the model: what is given
in training has to be added again in prediction, which `probabilities` does.

>>> import numpy as np, lightgbm, cecore as ce, cecore.lightgbm
>>> rng = np.random.default_rng(0)
>>> y = rng.integers(3, size=200)
>>> x = rng.normal(size=(200, 4)) + np.eye(3, 4)[y]
>>> loss = ce.SoftmaxCrossEntropy()
>>> start = ce.lightgbm.init_score(loss, y)
>>> data = lightgbm.Dataset(x, y, init_score=start)
>>> options = {"num_class": 3, "verbose": -1, "num_threads": 1}
>>> ours = lightgbm.train({"objective": ce.lightgbm.objective(loss), **options}, data, 5)
>>> p = ce.lightgbm.probabilities(loss, ours, x, init_score=start[0])
>>> data = lightgbm.Dataset(x, y)
>>> builtin = lightgbm.train({"objective": "multiclass", **options}, data, 5)
>>> bool(np.allclose(p, builtin.predict(x), rtol=1e-9))
True
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import lightgbm
import numpy as np
import numpy.typing as npt

from cecore._arrays import AnyArray, as_floats, as_numbers
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
)
from cecore._warnings import warn_caller

__all__ = ["Metric", "Objective", "init_score", "metric", "objective", "probabilities"]

# Parameters that change the derivatives of the builtin objectives, and what leaves them.
_BUILTIN_ONLY = {
    "scale_pos_weight": 1,
    "is_unbalance": False,
    "unbalance": False,
    "unbalanced_sets": False,
}
_EXACT_ROWS = 2**24  # row numbers that float32, in which LightGBM keeps labels, tells apart


@dataclass(frozen=True, eq=False)
class Objective(RoundObjective):
    """A custom objective; `objective` makes and describes it."""

    targets: AnyArray | None = field(default=None, repr=False)

    library_floor: ClassVar[float] = 0.0
    start_cure: ClassVar[str] = (
        "Pass the Dataset init_score=cecore.lightgbm.init_score(loss, labels, weight), or train "
        "the builtin objective with boost_from_average=False as well."
    )

    def __call__(
        self, first: Any, second: Any, weight: npt.ArrayLike | None = None
    ) -> tuple[AnyArray, AnyArray]:
        margins, labels, weights = round_arguments(first, second, weight)
        _check_parameters(getattr(second, "params", None) or {})
        problem, floor = self.problem(margins, labels, weights)
        gradient, hessian = (self._state.array(n, margins, np.float32, "F") for n in ("g", "h"))
        classes = margins.shape[-1]
        builtin = self.hessian == "builtin" and self.loss._by_class
        factor = classes / (classes - 1) if builtin else 1.0
        problem.gradient_hessian((gradient, hessian), self.form, factor)
        self.apply_floor(hessian, floor)
        return gradient, hessian

    def library_start(self, found: AnyArray) -> AnyArray:
        return logits_of(self.loss, found)

    def targets_of(self, labels: AnyArray) -> AnyArray:
        return _looked_up(self.targets, labels)


@dataclass(frozen=True, eq=False)
class Metric(RoundMetric):
    """A custom metric; `metric` makes and describes it."""

    targets: AnyArray | None = field(default=None, repr=False)

    def __call__(
        self, first: Any, second: Any, weight: npt.ArrayLike | None = None
    ) -> tuple[str, float, bool]:
        predictions, labels, weights = round_arguments(first, second, weight)
        train_set = getattr(second, "reference", None)
        if train_set is not None and train_set.init_score is not None and second.init_score is None:
            raise ValueError(
                "The training set has an init_score and this validation set has none, so that its "
                "margins lack it: pass init_score=cecore.lightgbm.init_score(loss, y, rows=...)."
            )
        value = self.value(predictions, _looked_up(self.targets, labels), weights)
        return self.__name__, value, False


def _check_parameters(parameters: dict[str, Any]) -> None:
    for name, neutral in _BUILTIN_ONLY.items():
        if parameters.get(name, neutral) != neutral:
            warn_caller(
                f"{name} acts on builtin objectives only: give the Dataset row weights instead.",
                UserWarning,
            )


def _looked_up(targets: AnyArray | None, labels: AnyArray) -> AnyArray:
    """Return the labels, or the rows of `targets` whose numbers the labels are."""
    if targets is None:
        return labels
    rows, classes = targets.shape
    if labels.ndim != 1 or not labels.size:
        raise ValueError(
            f"labels have shape {labels.shape}, wanted one row number of targets each."
        )
    wrong = ~((labels >= 0) & (labels < rows) & (labels == np.floor(labels)))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"Row {row} has label {labels[row]}; with targets of {rows} rows, labels are the row "
            f"numbers from 0 to {rows - 1}, such as np.arange({rows})."
        )
    numbers = labels.astype(np.intp)
    if len(numbers) > classes and len(np.unique(numbers)) <= classes:
        raise ValueError(
            f"The labels of {len(numbers)} rows take at most {classes} values, as classes do; "
            "with targets they are row numbers of targets, such as np.arange(len(targets))."
        )
    return targets[numbers]


def _table(loss: Loss, targets: npt.ArrayLike | None) -> AnyArray | None:
    """Check targets whole, so that a bad one is named by its own row."""
    if targets is None:
        return None
    table = as_numbers(targets, "targets")
    if table.ndim != 2 or len(table) > _EXACT_ROWS:
        raise ValueError(
            f"targets have shape {table.shape}, wanted (rows, classes) and at most {_EXACT_ROWS} "
            "rows, whose numbers are exact in float32."
        )
    loss._margins(np.broadcast_to(0.0, table.shape), table, None)
    return table


def objective(
    loss: Loss,
    hessian: HessianRule = "builtin",
    min_hessian: float | None = None,
    *,
    targets: npt.ArrayLike | None = None,
) -> Objective:
    """Return a custom objective for `lightgbm.train`, `LGBMClassifier` and `lightgbm.dask`.

    Parameters
    ----------
    loss : SoftmaxCrossEntropy, SigmoidCrossEntropy
        The loss to train on; a softmax needs `num_class`.
    hessian : {"builtin", "exact", "upper_bound"}
        The second derivatives: those of the builtin objective; the diagonal of the Hessian; its
        diagonal upper bound. For a softmax that is K / (K - 1) p (1 - p), p (1 - p) and
        2 p (1 - p), for a sigmoid always p (1 - p).
    min_hessian : float, optional
        The least second derivative of a row of weight 1, at least 0; 0 without it.
    targets : array_like of shape (rows, K), optional
        Soft labels, or for a sigmoid several labels a row. LightGBM keeps one number a row: with
        `targets`, the label of a row is its row number here, `np.arange(rows)` for the whole, and
        the same table serves training and validation sets. `num_class` is K.

    Returns
    -------
    Objective
        Called as `objective(margins, dataset)` or `objective(labels, margins, weight=None)`, it
        returns gradient and second derivatives, float32 in Fortran order, multiplied by the
        weights. Picklable, with its targets. The arrays are kept, one pair a thread, and
        overwritten by the next call.

    Raises
    ------
    TypeError, ValueError
        Here, for a bad option or target; in training, for labels and weights (the message names
        the first bad row) and for shapes that show a parameter missing.

    Warns
    -----
    UserWarning
        The version of LightGBM is not a tested one; training starts from a margin that costs more
        than 0.001 nats a row above the start of the builtin objective; the parameters hold
        `scale_pos_weight` or `is_unbalance`, which custom objectives never see.

    Examples
    --------
    >>> import numpy as np, cecore as ce, cecore.lightgbm
    >>> gradient = ce.lightgbm.objective(ce.SigmoidCrossEntropy())
    >>> gradient
    Objective(loss=SigmoidCrossEntropy(), hessian='builtin', min_hessian=None)
    >>> gradient(np.array([0, 1]), np.zeros(2))
    (array([ 0.5, -0.5], dtype=float32), array([0.25, 0.25], dtype=float32))
    """
    check_version("lightgbm", lightgbm.__version__)
    return replace(Objective(loss, hessian, min_hessian), targets=_table(loss, targets))


def metric(
    loss: Loss, input: MetricInput = "margin", *, targets: npt.ArrayLike | None = None
) -> Metric:
    """Return a metric, the weighted mean of the loss, for `feval` and `eval_metric`.

    Parameters
    ----------
    loss : SoftmaxCrossEntropy, SigmoidCrossEntropy
        The loss to average, in nats.
    input : {"margin", "probability"}
        What LightGBM passes: margins beside a custom objective, the init score of their Dataset
        included; probabilities beside a builtin one.
    targets : array_like of shape (rows, K), optional
        As for `objective`.

    Returns
    -------
    Metric
        Called as `feval(predictions, dataset)` or `eval_metric(labels, predictions, weight=None)`,
        it returns (name, value, False): smaller is better. Picklable.

    Raises
    ------
    ValueError
        In training: margins where probabilities were announced, or three or more probabilities
        a row where margins were; a validation set without the init score that the training set
        has; bad labels or weights.

    Warns
    -----
    UserWarning
        One or two predictions a row, announced as margins, look like probabilities.

    Examples
    --------
    >>> import numpy as np, cecore as ce, cecore.lightgbm
    >>> log_loss = ce.lightgbm.metric(ce.SigmoidCrossEntropy(), input="probability")
    >>> log_loss(np.array([0, 1]), np.array([0.5, 0.5]))
    ('SigmoidCrossEntropy', 0.6931471805599453, False)
    """
    check_version("lightgbm", lightgbm.__version__)
    return replace(Metric(loss, input), targets=_table(loss, targets))


def init_score(
    loss: Loss,
    labels: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    rows: int | None = None,
) -> AnyArray:
    """Return the start of the builtin objective, as the `init_score` of a Dataset.

    Parameters
    ----------
    loss : SoftmaxCrossEntropy, SigmoidCrossEntropy
        The loss to be trained on.
    labels, weight : array_like
        All labels, or all `targets`, and row weights of the training set.
    rows : int, optional
        The rows of the result. A validation set takes the start of the training set, in as many
        rows as it has.

    Returns
    -------
    ndarray of float64
        In each row the logit of the weighted mean of the labels, shape (rows,) or with several
        labels (rows, K); for a softmax the log shares of the classes, (rows, K).

    Raises
    ------
    ValueError
        Bad labels or weights; a class without labels.

    Examples
    --------
    >>> import cecore as ce, cecore.lightgbm
    >>> ce.lightgbm.init_score(ce.SoftmaxCrossEntropy(), [0, 1, 1, 1], rows=1)
    array([[-1.38629436, -0.28768207]])
    """
    check_version("lightgbm", lightgbm.__version__)
    start = logits_of(loss, checked_shares(loss, labels, weight))
    count = np.shape(labels)[0] if rows is None else rows
    return np.full((count, *start.shape), start, order="F")


def probabilities(
    loss: Loss, model: Any, data: Any, *, init_score: npt.ArrayLike, **options: Any
) -> AnyArray:
    """Return the probabilities that a model gives to rows; of LGBMClassifier and Booster alike.

    Trained on a custom objective, both predict raw margins, without the init score.

    Parameters
    ----------
    loss : SoftmaxCrossEntropy, SigmoidCrossEntropy
        The loss that the model was trained on.
    model : Booster, LGBMClassifier, LGBMRegressor
        Its raw scores are taken.
    data : array_like
        The rows.
    init_score : float or array_like
        What training started from: one number, one a class, or one a prediction; for
        `init_score(loss, y)` its first row. 0 if training had none: a model does not keep it.
    **options
        For `model.predict`, such as `num_iteration`.

    Returns
    -------
    ndarray of float64
        softmax or sigmoid of raw score + init score, shape (n,) or (n, K).

    Raises
    ------
    ValueError
        An init score that fits neither a row nor all rows; one margin a row for a softmax.

    Examples
    --------
    >>> import numpy as np, lightgbm, cecore as ce, cecore.lightgbm
    >>> loss, x, y = ce.SigmoidCrossEntropy(), np.arange(60.0)[:, None], np.arange(60) % 4 > 0
    >>> start = ce.lightgbm.init_score(loss, y)
    >>> model = lightgbm.LGBMClassifier(objective=ce.lightgbm.objective(loss), verbose=-1)
    >>> model = model.fit(x, y, init_score=start)
    >>> ce.lightgbm.probabilities(loss, model, x, init_score=start[0]).shape
    (60,)
    """
    raw = as_floats(model.predict(data, raw_score=True, **options), "raw scores")
    if loss._by_class and raw.ndim == 1:
        raise ValueError(
            f"The model has raw scores of shape {raw.shape}, one a row, and {type(loss).__name__} "
            "wants one a class: it was trained on another loss."
        )
    start = as_floats(init_score, "init_score")
    if start.shape not in ((), raw.shape[1:], raw.shape):
        raise ValueError(
            f"init_score has shape {start.shape}, wanted a number, {raw.shape[1:]} or {raw.shape}, "
            "as the raw scores; the first row of cecore.lightgbm.init_score(loss, labels) fits."
        )
    return np.asarray(loss.probabilities(raw + start))
