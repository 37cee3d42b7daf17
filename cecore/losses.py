"""Cross-entropy losses with their derivatives, for solvers and boosting libraries.

With x the logits of a row, p = softmax(x), y its labels (one-hot for a class) and Y = sum y,

    loss        sum_j y_j (logsumexp(x) - x_j)
    gradient    Y p_j - y_j
    Hessian     Y p_j (1 - p_j)        (its diagonal)

and for a sigmoid, with p = sigmoid(x) and one label y an element,

    loss        -y log(p) - (1 - y) log(1 - p) = log(1 + exp(x)) - x y
    gradient    p - y
    Hessian     p (1 - p)

(Bishop, "Pattern Recognition and Machine Learning", Springer (2006), sections 4.3.2 to 4.3.4).
None of them is computed in the form shown: 1 - p and log(p) lose all digits where the prediction
is confident. Each is arranged as a sum of terms of one sign, so that loss, Hessian and the gradient
of hard labels are within 2 ULP of the true value also where they are tiny; the gradient of soft
labels, which has a true zero, is within 2 ULP of the larger of its two terms. Methods that return
two results compute them in one pass. Losses are in nats.

Common to all methods
---------------------
logits : array_like of real numbers
    Any shape and layout; never modified. float32 and float64 are computed as they are, integers
    and booleans as float64, float16 and bfloat16 in float32. Losses of half types are float32,
    derivatives are rounded once to their dtype; the module `cecore.functional` says more.
sample_weight : array_like of real numbers, optional
    Finite and at least 0; one a row, or fewer leading axes of the rows' shape. Multiplies loss,
    gradient and Hessian; a weight of 0 gives exactly 0 whatever the logits.
reduction : {"none", "sum", "mean", "batch_mean"}
    Of the losses l with weights w: w l, sum w l, sum w l / sum w, sum w l / number of losses. A
    derivative is that of the value returned under the same reduction. If there are no losses, or
    only weights of 0, the mean is NaN, with a RuntimeWarning, and its derivatives are 0.
out : ndarray, or a tuple of two for two results, optional
    Where the results go: of their shape and dtype; derivatives may be float32 for logits of any
    dtype, rounded once. One may be `logits` itself. Labels and weights are checked before it is
    touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy.typing as npt

from cecore._arrays import AnyArray
from cecore._cross_entropy import (
    GRADIENT,
    GRADIENT_HESSIAN,
    LOSS,
    LOSS_GRADIENT,
    Problem,
    Reduction,
    TwoArrays,
    of_sigmoid,
    of_softmax,
    sigmoid_problem,
    softmax_problem,
)
from cecore.functional import sigmoid, softmax

__all__ = ["SigmoidCrossEntropy", "SoftmaxCrossEntropy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxCrossEntropy:
    """Cross-entropy of class labels, or of distributions, against softmax(logits).

    Immutable, hashable and picklable. The methods share their parameters; the module's
    documentation has the formulas and what all losses have in common.

    Examples
    --------
    >>> import cecore as ce
    >>> loss = ce.SoftmaxCrossEntropy()
    >>> loss
    SoftmaxCrossEntropy()
    >>> value, gradient = loss.loss_gradient([[40.0, 0.0], [1.0, 3.0]], [0, 0], reduction="mean")
    >>> gradient
    array([[-2.12417713e-18,  2.12417713e-18],
           [-4.40398539e-01,  4.40398539e-01]])
    """

    _by_class: ClassVar[bool] = True

    def _margins(
        self, logits: AnyArray, labels: AnyArray, sample_weight: AnyArray | None
    ) -> Problem:
        """Check what a boosting library passes: any margins, also such as look like shares."""
        return softmax_problem(logits, labels, -1, sample_weight, "none", examine=False)

    def loss(
        self,
        logits: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        axis: int = -1,
        reduction: Reduction = "none",
        out: AnyArray | None = None,
    ) -> Any:
        """Return logsumexp(x) - x_y, or with dense labels sum_j y_j (logsumexp(x) - x_j).

        Parameters
        ----------
        logits : array_like of real numbers
            At least two classes along `axis`.
        labels : array_like of real numbers
            Sparse: the shape of `logits` without `axis`, integers from 0 to K - 1, in any dtype.
            Dense: the shape of `logits`, one target a class, at least 0; a sum other than 1 is
            legal.
        sample_weight : array_like of real numbers, optional
            One a row, or fewer leading axes of the shape of the rows.
        axis : int
            The axis of the K classes.
        reduction : {"none", "sum", "mean", "batch_mean"}
            One loss a row; sum w l; sum w l / sum w; sum w l / rows.
        out : ndarray, optional
            The shape and dtype of the result; for a reduction, an array of no axes.

        Returns
        -------
        ndarray or scalar
            In nats, of the dtype of the logits (float32 for half types); the shape of `logits`
            without `axis`, or a scalar. Within 2 ULP. +inf where a class of logit -inf has a
            positive label; NaN where a logit is NaN.

        Raises
        ------
        TypeError
            A dtype that is not real; an `out` of another dtype.
        ValueError
            A label that is not a class, a negative or NaN target, a negative, infinite or NaN
            weight (the message names the first such row); one class or none; shapes, axis,
            reduction or `out` that do not fit; an `out` that partly overlaps an input.

        Warns
        -----
        DoubleSoftmaxWarning
            The logits look like probabilities.
        RuntimeWarning
            The mean is NaN: there are no rows, or all weights are 0.

        Examples
        --------
        >>> import cecore as ce
        >>> x = [[40.0, 0.0], [1.0, 3.0]]
        >>> ce.SoftmaxCrossEntropy().loss(x, [0, 0], sample_weight=[1, 2])
        array([4.24835426e-18, 4.25385602e+00])
        """
        return of_softmax(LOSS, logits, labels, axis, sample_weight, reduction, out)

    def gradient(
        self,
        logits: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        axis: int = -1,
        reduction: Reduction = "none",
        out: AnyArray | None = None,
    ) -> Any:
        """Return the derivatives Y p_j - y_j of the loss with respect to the logits.

        Parameters, errors and warnings are those of `loss`; `out` has the shape of `logits` and
        may be `logits` itself.

        Returns
        -------
        ndarray
            The shape and dtype of the logits. With sparse labels within 2 ULP, with dense labels
            within 2 ULP of the larger term.

        Examples
        --------
        >>> import cecore as ce
        >>> ce.SoftmaxCrossEntropy().gradient([[2.0, 3.0, 5.0]], [2])
        array([[ 0.04201007,  0.1141952 , -0.15620527]])
        """
        return of_softmax(GRADIENT, logits, labels, axis, sample_weight, reduction, out)

    def loss_gradient(
        self,
        logits: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        axis: int = -1,
        reduction: Reduction = "none",
        out: TwoArrays | None = None,
    ) -> tuple[Any, Any]:
        """Return `loss` and `gradient` from one pass over the logits.

        Parameters, errors and warnings are those of `loss`; `out` is a tuple (loss, gradient).

        Returns
        -------
        (ndarray or scalar, ndarray)
            The bits that `loss` and `gradient` return.

        Examples
        --------
        >>> import cecore as ce
        >>> loss = ce.SoftmaxCrossEntropy()
        >>> value, gradient = loss.loss_gradient([[0.0, 0.0]], [[0.25, 0.75]])
        >>> value, gradient
        (array([0.69314718]), array([[ 0.25, -0.25]]))
        """
        return of_softmax(LOSS_GRADIENT, logits, labels, axis, sample_weight, reduction, out)

    def gradient_hessian(
        self,
        logits: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        axis: int = -1,
        reduction: Reduction = "none",
        out: TwoArrays | None = None,
    ) -> tuple[Any, Any]:
        """Return `gradient` and the diagonal Y p_j (1 - p_j) of the Hessian from one pass.

        Parameters, errors and warnings are those of `loss`; `out` is a tuple (gradient, hessian).

        Returns
        -------
        (ndarray, ndarray)
            Both of the shape and dtype of the logits. The Hessian is within 2 ULP.

        Examples
        --------
        >>> import cecore as ce
        >>> gradient, hessian = ce.SoftmaxCrossEntropy().gradient_hessian([40.0, 0.0], 0)
        >>> hessian
        array([4.24835426e-18, 4.24835426e-18])
        """
        return of_softmax(GRADIENT_HESSIAN, logits, labels, axis, sample_weight, reduction, out)

    def probabilities(
        self, logits: npt.ArrayLike, *, axis: int = -1, out: AnyArray | None = None
    ) -> Any:
        """Return softmax(logits), the probabilities that this loss judges.

        Parameters, result, error bound and errors are those of `cecore.softmax`.

        Examples
        --------
        >>> import cecore as ce
        >>> ce.SoftmaxCrossEntropy().probabilities([2.0, 3.0, 5.0])
        array([0.04201007, 0.1141952 , 0.84379473])
        """
        return softmax(logits, axis, out=out)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigmoidCrossEntropy:
    """Cross-entropy of labels in [0, 1] against sigmoid(logits), element by element.

    For binary and multi-label problems. Immutable, hashable and picklable. The methods share
    their parameters; the module's documentation has the formulas and what all losses have in
    common.

    Examples
    --------
    >>> import cecore as ce
    >>> loss = ce.SigmoidCrossEntropy()
    >>> loss
    SigmoidCrossEntropy()
    >>> gradient, hessian = loss.gradient_hessian([-40.0, 0.0], [0, 1])
    >>> gradient
    array([ 4.24835426e-18, -5.00000000e-01])
    >>> hessian
    array([4.24835426e-18, 2.50000000e-01])
    """

    _by_class: ClassVar[bool] = False

    def _margins(
        self, logits: AnyArray, labels: AnyArray, sample_weight: AnyArray | None
    ) -> Problem:
        """Check what a boosting library passes."""
        return sigmoid_problem(logits, labels, sample_weight, "none")

    def loss(
        self,
        logits: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        reduction: Reduction = "none",
        out: AnyArray | None = None,
    ) -> Any:
        """Return -y log(p) - (1 - y) log(1 - p) with p = sigmoid(x).

        Parameters
        ----------
        logits : array_like of real numbers
            Any shape.
        labels : array_like of real numbers
            The shape of `logits`; booleans, 0 and 1, or soft labels in [0, 1].
        sample_weight : array_like of real numbers, optional
            The shape of `logits`, or fewer of its leading axes.
        reduction : {"none", "sum", "mean", "batch_mean"}
            One loss an element; sum w l; sum w l / sum w; sum w l / elements.
        out : ndarray, optional
            The shape and dtype of the result; for a reduction, an array of no axes.

        Returns
        -------
        ndarray or scalar
            In nats, of the dtype of the logits (float32 for half types); the shape of `logits`, or
            a scalar. Within 2 ULP. 0 or +inf at infinite logits; NaN where the logit is NaN.

        Raises
        ------
        TypeError
            A dtype that is not real; an `out` of another dtype.
        ValueError
            A label outside [0, 1] or NaN, a negative, infinite or NaN weight (the message names
            the first such row); shapes, reduction or `out` that do not fit.

        Warns
        -----
        RuntimeWarning
            The mean is NaN: there are no elements, or all weights are 0.

        Examples
        --------
        >>> import cecore as ce
        >>> ce.SigmoidCrossEntropy().loss([-40.0, 0.2, 0.7], [0, 0, 1])
        array([4.24835426e-18, 7.98138869e-01, 4.03186049e-01])
        """
        return of_sigmoid(LOSS, logits, labels, sample_weight, reduction, out)

    def gradient(
        self,
        logits: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        reduction: Reduction = "none",
        out: AnyArray | None = None,
    ) -> Any:
        """Return the derivatives p - y of the loss with respect to the logits.

        Parameters, errors and warnings are those of `loss`; `out` has the shape of `logits` and
        may be `logits` itself.

        Returns
        -------
        ndarray or scalar
            The shape and dtype of the logits. With labels 0 and 1 within 2 ULP, with soft labels
            within 2 ULP of the larger term.

        Examples
        --------
        >>> import cecore as ce
        >>> ce.SigmoidCrossEntropy().gradient([-40.0, 0.0], [0, 1])
        array([ 4.24835426e-18, -5.00000000e-01])
        """
        return of_sigmoid(GRADIENT, logits, labels, sample_weight, reduction, out)

    def loss_gradient(
        self,
        logits: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        reduction: Reduction = "none",
        out: TwoArrays | None = None,
    ) -> tuple[Any, Any]:
        """Return `loss` and `gradient` from one pass over the logits.

        Parameters, errors and warnings are those of `loss`; `out` is a tuple (loss, gradient).

        Returns
        -------
        (ndarray or scalar, ndarray or scalar)
            The bits that `loss` and `gradient` return.

        Examples
        --------
        >>> import cecore as ce
        >>> ce.SigmoidCrossEntropy().loss_gradient([0.0, 0.0], [1, 0.5])
        (array([0.69314718, 0.69314718]), array([-0.5,  0. ]))
        """
        return of_sigmoid(LOSS_GRADIENT, logits, labels, sample_weight, reduction, out)

    def gradient_hessian(
        self,
        logits: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        reduction: Reduction = "none",
        out: TwoArrays | None = None,
    ) -> tuple[Any, Any]:
        """Return `gradient` and the second derivatives p (1 - p) from one pass.

        Parameters, errors and warnings are those of `loss`; `out` is a tuple (gradient, hessian).

        Returns
        -------
        (ndarray or scalar, ndarray or scalar)
            Both of the shape and dtype of the logits. The Hessian is within 2 ULP.

        Examples
        --------
        >>> import cecore as ce
        >>> ce.SigmoidCrossEntropy().gradient_hessian([0.0], [1])
        (array([-0.5]), array([0.25]))
        """
        return of_sigmoid(GRADIENT_HESSIAN, logits, labels, sample_weight, reduction, out)

    def probabilities(self, logits: npt.ArrayLike, *, out: AnyArray | None = None) -> Any:
        """Return sigmoid(logits), the probabilities that this loss judges.

        Parameters, result, error bound and errors are those of `cecore.sigmoid`.

        Examples
        --------
        >>> import cecore as ce
        >>> ce.SigmoidCrossEntropy().probabilities([0.0, 710.0])
        array([0.5, 1. ])
        """
        return sigmoid(logits, out=out)
