"""The textbook formulas in float64 NumPy, for tests of shapes, weights and layouts.

They lose digits where the prediction is confident; accuracy is tested against tests/truth.py.
"""

from __future__ import annotations

import numpy as np


def logsumexp(x, axis=-1, keepdims=False):
    x = np.asarray(x, np.float64)
    m = x.max(axis=axis, keepdims=True)
    result = m + np.log(np.exp(x - m).sum(axis=axis, keepdims=True))
    return result if keepdims else result.reshape(np.sum(x, axis=axis).shape)


def softmax(x, axis=-1):
    return np.exp(log_softmax(x, axis))


def log_softmax(x, axis=-1):
    return np.asarray(x, np.float64) - logsumexp(x, axis, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def softplus(x):
    return np.logaddexp(0, np.asarray(x, np.float64))


def log_sigmoid(x):
    return -softplus(-np.asarray(x, np.float64))


def dense(labels, logits_shape, axis=-1):
    """Labels in the shape of the logits: one-hot if they were class numbers."""
    labels = np.asarray(labels)
    if labels.shape == tuple(logits_shape):
        return labels.astype(np.float64)
    return np.moveaxis(np.eye(logits_shape[axis])[labels.astype(int)], -1, axis)


def softmax_parts(x, labels, axis=-1):
    """Loss, gradient and Hessian of every row."""
    y = dense(labels, np.shape(x), axis)
    p = softmax(x, axis)
    total = y.sum(axis=axis, keepdims=True)
    return (-(y * log_softmax(x, axis)).sum(axis=axis), total * p - y, total * p * (1 - p))


def sigmoid_parts(x, labels):
    """Loss, gradient and Hessian of every element."""
    y = np.asarray(labels, np.float64)
    p = sigmoid(x)
    return (softplus(x) - np.asarray(x, np.float64) * y, p - y, p * (1 - p))


def divisor(reduction, weights):
    """What a reduction divides the sum of the weighted losses by."""
    return {"sum": 1.0, "mean": weights.sum(), "batch_mean": float(weights.size)}[reduction]
