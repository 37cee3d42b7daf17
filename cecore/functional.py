"""Sigmoid, log-sum-exp, softmax and the cross-entropies of logits, as functions.

Nothing that could cancel is ever subtracted: with m the maximum of a row and
s = sum exp(x_j - m) over all classes but one at the maximum,

    logsumexp = m + log1p(s)        softmax_j = exp(x_j - m) / (1 + s)
    log_softmax_j = (x_j - m) - log1p(s)        loss = (m - x_y) + log1p(s)

are sums of terms of one sign, so small results keep all their digits. Every function takes what
NumPy can view as an array of any shape and layout, never modifies it, and releases the GIL; arrays
of other libraries too, by DLPack, without a copy.

float32 and float64 results have the dtype of the input; integers and booleans are computed as
float64. float16 and bfloat16 (the dtype of ml_dtypes, and `torch.bfloat16` tensors) are read as
they are and computed in float32: a log-sum-exp or loss is float32, and results of the input's
shape are rounded once to its dtype, or with `out` of float32 not at all. A bfloat16 tensor gives
arrays of the dtype of ml_dtypes, where that is not installed float32. `out` of float32 also takes
results of float64 input, rounded once. ULP below is the distance of two neighbouring numbers of
the dtype computed in, also among subnormals; rounding to a narrower one adds half of its ULP. NaN
stays NaN. Logarithms are natural.

References
----------
Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions",
IMA J. Numer. Anal. 41 (2021). Maechler, "Accurately computing log(1 - exp(-|a|))" (2012).
Bishop, "Pattern Recognition and Machine Learning", Springer (2006), sections 4.3.2 and 4.3.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cecore import _core, _layout
from cecore._arrays import (
    AnyArray,
    as_floats,
    check_classes,
    check_overlap,
    class_axes,
    drop_axes,
    kernel_form,
    loss_dtypes,
    output,
    returned,
    same_shape_dtypes,
)
from cecore._cross_entropy import LOSS, Reduction, of_sigmoid, of_softmax
from cecore.threads import get_num_threads

__all__ = [
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "sigmoid",
    "sigmoid_cross_entropy",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
]


def sigmoid(x: npt.ArrayLike, *, out: AnyArray | None = None) -> Any:
    """Return 1 / (1 + exp(-x)), element by element.

    With e = exp(-abs(x)), 1 / (1 + e) for x >= 0, else e / (1 + e): the softmax of (x, 0).

    Parameters
    ----------
    x : array_like of real numbers
        Any shape.
    out : ndarray, optional
        The shape and dtype of the result, or float32; may be `x` itself.

    Returns
    -------
    ndarray or scalar
        In [0, 1], with the shape of `x`; `out` if it was given. Within 2 ULP.

    Raises
    ------
    TypeError, ValueError
        A dtype that is not real, or `out` of another dtype; `out` read-only, of another shape or
        partly overlapping `x`.

    Examples
    --------
    >>> import cecore as ce
    >>> ce.sigmoid([-710.0, 0.0, 710.0])
    array([4.47628623e-309, 5.00000000e-001, 1.00000000e+000])
    """
    return _same_shape(_layout.SIGMOID, x, (), out)


def log_sigmoid(x: npt.ArrayLike, *, out: AnyArray | None = None) -> Any:
    """Return log(1 / (1 + exp(-x))) = -log1p(exp(-x)), element by element.

    Computed as min(x, 0) - log1p(exp(-abs(x))), two terms of one sign (Maechler).

    Parameters
    ----------
    x : array_like of real numbers
        Any shape.
    out : ndarray, optional
        The shape and dtype of the result, or float32; may be `x` itself.

    Returns
    -------
    ndarray or scalar
        In nats, at most 0, with the shape of `x`; `out` if it was given. Within 2 ULP.

    Raises
    ------
    TypeError, ValueError
        A dtype that is not real, or `out` of another dtype; `out` read-only, of another shape or
        partly overlapping `x`.

    Examples
    --------
    >>> import cecore as ce
    >>> ce.log_sigmoid([-1000.0, 0.0, 40.0])
    array([-1.00000000e+03, -6.93147181e-01, -4.24835426e-18])
    """
    return _same_shape(_layout.LOG_SIGMOID, x, (), out)


def softplus(x: npt.ArrayLike, *, out: AnyArray | None = None) -> Any:
    """Return log(1 + exp(x)), element by element.

    Computed as max(x, 0) + log1p(exp(-abs(x))), two terms of one sign (Maechler); nowhere is it
    replaced by `x`.

    Parameters
    ----------
    x : array_like of real numbers
        Any shape.
    out : ndarray, optional
        The shape and dtype of the result, or float32; may be `x` itself.

    Returns
    -------
    ndarray or scalar
        In nats, at least 0, with the shape of `x`; `out` if it was given. Within 2 ULP.

    Raises
    ------
    TypeError, ValueError
        A dtype that is not real, or `out` of another dtype; `out` read-only, of another shape or
        partly overlapping `x`.

    Examples
    --------
    >>> import cecore as ce
    >>> ce.softplus([-40.0, 0.0, 1000.0])
    array([4.24835426e-18, 6.93147181e-01, 1.00000000e+03])
    """
    return _same_shape(_layout.SOFTPLUS, x, (), out)


def logsumexp(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    keepdims: bool = False,
    out: AnyArray | None = None,
) -> Any:
    """Return log(sum(exp(x))) along one axis, several, or all (Blanchard et al.).

    Computed as m + log1p(s), with m the maximum and s the sum of exp(x - m) over the rest.

    Parameters
    ----------
    x : array_like of real numbers
        Any shape with at least one element along `axis`.
    axis : int, tuple of ints or None
        The axes to sum along; None for all.
    keepdims : bool
        Keep these axes, with length 1.
    out : ndarray, optional
        The shape and dtype of the result.

    Returns
    -------
    ndarray or scalar
        In nats, with the shape of `x` without `axis`; `out` if it was given. float32 for half
        types. Within 2 ULP of max(abs(m), log1p(s)), whose cancelling is ill-conditioned. -inf if
        all elements are -inf, +inf if one is +inf.

    Raises
    ------
    TypeError, ValueError
        As for `sigmoid`; an `axis` that `x` does not have or that is empty.

    Examples
    --------
    >>> import cecore as ce
    >>> ce.logsumexp([[1000.0, 1000.0], [-1000.0, 0.0]])
    array([1000.69314718,    0.        ])
    >>> ce.logsumexp([[1, 2], [3, 4]], axis=None, keepdims=True)
    array([[4.4401897]])
    """
    if not keepdims:
        result = _core.run_plain(
            _layout.LOGSUMEXP, x, axis, None, "none", True, False, False, out, get_num_threads
        )
        if result is not None:
            return result
    given = as_floats(x, "x")
    axes = class_axes(axis, given.ndim)
    check_classes(given.shape, axes)
    rows = drop_axes(given.shape, axes)
    shape = tuple(1 if i in axes else n for i, n in enumerate(given.shape)) if keepdims else rows
    logits = kernel_form(given)
    result = output(out, "out", shape, loss_dtypes(given), given)
    if out is not None:
        check_overlap(result, "out", logits, ())
    if logits.size:
        value = np.squeeze(result, axes) if keepdims else result
        _layout.run(_layout.Job(_layout.LOGSUMEXP, logits, value=value), axes)
    return returned(result, out)


def softmax(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    out: AnyArray | None = None,
) -> Any:
    """Return exp(x) / sum(exp(x)) along one axis, several, or all.

    Parameters
    ----------
    x : array_like of real numbers
        Any shape with at least one element along `axis`.
    axis : int, tuple of ints or None
        The axes that sum to 1; None for all.
    out : ndarray, optional
        The shape and dtype of the result, or float32; may be `x` itself.

    Returns
    -------
    ndarray or scalar
        In [0, 1], with the shape of `x`; `out` if it was given. Each entry within 2 ULP, however
        far below the maximum. 0 at -inf; NaN along `axis` if there is a NaN or +inf, or only -inf.

    Raises
    ------
    TypeError, ValueError
        As for `sigmoid`; an `axis` that `x` does not have or that is empty.

    Examples
    --------
    >>> import cecore as ce
    >>> ce.softmax([2.0, 3.0, 5.0])
    array([0.04201007, 0.1141952 , 0.84379473])
    >>> ce.softmax([1000, 1000, 100])
    array([0.5, 0.5, 0. ])
    """
    return _same_shape(_layout.SOFTMAX, x, axis, out)


def log_softmax(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
    *,
    out: AnyArray | None = None,
) -> Any:
    """Return log(softmax(x)) = x - logsumexp(x) along one axis, several, or all.

    Computed as (x - max(x)) - log1p(s), two terms of one sign (Blanchard et al.).

    Parameters
    ----------
    x : array_like of real numbers
        Any shape with at least one element along `axis`.
    axis : int, tuple of ints or None
        The axes over which exp of the result sums to 1; None for all.
    out : ndarray, optional
        The shape and dtype of the result, or float32; may be `x` itself.

    Returns
    -------
    ndarray or scalar
        In nats, at most 0, with the shape of `x`; `out` if it was given. Each entry within 2 ULP,
        also where it is tiny. -inf at -inf; NaN along `axis` if there is a NaN or only -inf; with
        +inf, NaN there and -inf elsewhere.

    Raises
    ------
    TypeError, ValueError
        As for `sigmoid`; an `axis` that `x` does not have or that is empty.

    Examples
    --------
    >>> import cecore as ce
    >>> ce.log_softmax([40.0, 0.0])
    array([-4.24835426e-18, -4.00000000e+01])
    """
    return _same_shape(_layout.LOG_SOFTMAX, x, axis, out)


def softmax_cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    axis: int = -1,
    sample_weight: npt.ArrayLike | None = None,
    reduction: Reduction = "none",
    out: AnyArray | None = None,
) -> Any:
    """Return the cross-entropy of labels against softmax(logits): `SoftmaxCrossEntropy().loss`.

    The loss of a row with class y is -log(softmax(x)_y) = logsumexp(x) - x_y; with dense labels
    it is sum_j y_j (logsumexp(x) - x_j) (Bishop, section 4.3.4).

    Parameters
    ----------
    logits : array_like of real numbers
        At least two classes along `axis`.
    labels : array_like of real numbers
        The shape of `logits` without `axis` (integers from 0 to K - 1, in any dtype), or the
        shape of `logits` (one target a class, at least 0).
    axis : int
        The axis of the classes.
    sample_weight : array_like of real numbers, optional
        One a row: the leading axes of the rows' shape. Finite, at least 0.
    reduction : {"none", "sum", "mean", "batch_mean"}
        One loss a row; sum w l; sum w l / sum w; sum w l / rows.
    out : ndarray, optional
        The shape and dtype of the result.

    Returns
    -------
    ndarray or scalar
        Losses in nats, within 2 ULP, also where they are tiny; float32 for half types.

    Raises
    ------
    TypeError, ValueError
        See `SoftmaxCrossEntropy.loss`, which also lists the warnings.

    Examples
    --------
    >>> import cecore as ce
    >>> ce.softmax_cross_entropy([[40.0, 0.0], [1.0, 3.0]], [0, 0])
    array([4.24835426e-18, 2.12692801e+00])
    >>> ce.softmax_cross_entropy([[5.0, 7.0]], [[0, 1]])
    array([0.12692801])
    """
    return of_softmax(LOSS, logits, labels, axis, sample_weight, reduction, out)


def sigmoid_cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    sample_weight: npt.ArrayLike | None = None,
    reduction: Reduction = "none",
    out: AnyArray | None = None,
) -> Any:
    """Return the cross-entropy of labels against sigmoid(logits): `SigmoidCrossEntropy().loss`.

    The loss of an element is -y log(p) - (1 - y) log(1 - p) with p = sigmoid(x)
    (Bishop, section 4.3.2).

    Parameters
    ----------
    logits : array_like of real numbers
        Any shape.
    labels : array_like of real numbers
        The shape of `logits`; booleans, integers or soft labels in [0, 1].
    sample_weight : array_like of real numbers, optional
        The leading axes of the shape of `logits`, or all of it. Finite, at least 0.
    reduction : {"none", "sum", "mean", "batch_mean"}
        One loss an element; sum w l; sum w l / sum w; sum w l / elements.
    out : ndarray, optional
        The shape and dtype of the result.

    Returns
    -------
    ndarray or scalar
        Losses in nats, within 2 ULP, also where they are tiny; float32 for half types.

    Raises
    ------
    TypeError, ValueError
        See `SigmoidCrossEntropy.loss`, which also lists the warnings.

    Examples
    --------
    >>> import cecore as ce
    >>> ce.sigmoid_cross_entropy([0.2, 0.7], [0, 1])
    array([0.79813887, 0.40318605])
    """
    return of_sigmoid(LOSS, logits, labels, sample_weight, reduction, out)


def _same_shape(
    op: int, x: npt.ArrayLike, axis: int | tuple[int, ...] | None, out: AnyArray | None
) -> Any:
    """Compute an operation whose result has the shape of its input."""
    result = _core.run_plain(op, x, axis, None, "none", False, True, False, out, get_num_threads)
    if result is not None:
        return result
    given = as_floats(x, "x")
    axes = class_axes(axis, given.ndim)
    check_classes(given.shape, axes)
    logits = kernel_form(given)
    result = output(out, "out", given.shape, same_shape_dtypes(given), given)
    if out is not None:
        check_overlap(result, "out", logits, ())
    if logits.size:
        _layout.run(_layout.Job(op, logits, out=result), axes)
    return returned(result, out)
