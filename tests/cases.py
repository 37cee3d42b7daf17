"""Inputs on which softmax and sigmoid codes go wrong, as families of rows and of elements.

The maximum and the other logits are drawn independently: rows of one distribution alone never
show an error that depends on the gap between them. Logits are finite or -inf (a masked class), with
at least one finite logit a row; what infinities and NaN give is in test_special_values.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Gaps below the maximum at which exp(-gap) is subnormal, and the first that gives 0.
SUBNORMAL_GAP = {np.dtype("f4"): (80.0, 110.0), np.dtype("f8"): (700.0, 750.0)}
# Offsets up to where neighbouring numbers are 8 (float32) and 2 (float64) apart.
LARGEST_OFFSET = {np.dtype("f4"): 1e8, np.dtype("f8"): 1e16}
# One confident, correct prediction each; every framework gives loss 0 for the first in float32.
CONFIDENT = (20.0, 40.0, 100.0, 16.7, 12.0)


def _with_peak(rng, rest: np.ndarray, peak: np.ndarray) -> np.ndarray:
    rest[np.arange(len(rest)), rng.integers(rest.shape[1], size=len(rest))] = peak
    return rest


def _signs(rng, size):
    return rng.choice((-1.0, 1.0), size=size)


def _log_uniform(rng, low: float, high: float, size) -> np.ndarray:
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def normal(rng, n, k, dtype):
    return rng.normal(size=(n, k)) * _log_uniform(rng, 1e-3, 100, (n, 1))


def one_large(rng, n, k, dtype):
    gap = _log_uniform(rng, 1e-3, SUBNORMAL_GAP[dtype][1], n)
    rest = rng.normal(size=(n, k)) * _log_uniform(rng, 1e-3, 3, (n, 1))
    return _with_peak(rng, rest, rest.max(axis=1) + gap)


def equal(rng, n, k, dtype):
    return np.repeat(rng.normal(size=(n, 1)) * _log_uniform(rng, 1e-3, 1e3, (n, 1)), k, axis=1)


def equal_but_two(rng, n, k, dtype):
    """[max, b, ..., b, a]: the equal terms correlate the rounding errors of the sum."""
    base = rng.normal(size=n)
    x = np.repeat(base[:, None], k, axis=1)
    x = _with_peak(rng, x, base - _log_uniform(rng, 1e-3, 100, n))
    return _with_peak(rng, x, base + _log_uniform(rng, 1e-3, SUBNORMAL_GAP[dtype][1], n))


def ties(rng, n, k, dtype):
    x = rng.normal(size=(n, k)) * 5
    tied = rng.random((n, k)) < rng.random((n, 1))
    return np.where(tied, x.max(axis=1, keepdims=True), x)


def near_ties(rng, n, k, dtype):
    """A peak and neighbours 1, 2 or 3 ULP below it."""
    peak = (rng.normal(size=(n, 1)) * _log_uniform(rng, 1e-3, 1e3, (n, 1))).astype(dtype)
    return peak - np.spacing(np.abs(peak)) * rng.integers(0, 4, size=(n, k)).astype(dtype)


def offset(rng, n, k, dtype):
    shift = _signs(rng, (n, 1)) * _log_uniform(rng, 1, LARGEST_OFFSET[dtype], (n, 1))
    return rng.normal(size=(n, k)) * _log_uniform(rng, 1, 30, (n, 1)) + shift


def masked(rng, n, k, dtype):
    x = rng.normal(size=(n, k)) * 5
    x[rng.random((n, k)) < rng.random((n, 1))] = -np.inf
    return _with_peak(rng, x, rng.normal(size=n) * 10)


def subnormal(rng, n, k, dtype):
    """Over the whole range of subnormal results, or by turns close to the smallest normal."""
    smallest_normal = -np.finfo(dtype).minexp * np.log(2)
    gap = np.where(rng.random((n, 1)) < 0.5, rng.uniform(*SUBNORMAL_GAP[dtype], (n, k)),
                   smallest_normal + rng.uniform(-3, 3, (n, k)))  # fmt: skip
    peak = rng.normal(size=(n, 1)) * 10
    return _with_peak(rng, peak - gap, peak[:, 0])


def spread(rng, n, k, dtype):
    return rng.uniform(-1, 0, (n, k)) * _log_uniform(rng, 1, SUBNORMAL_GAP[dtype][1], (n, 1))


def dominant(rng, n, k, dtype):
    """Every other class at one gap, give or take a tenth: 1 - p down to the subnormals."""
    gap = _log_uniform(rng, 1e-3, SUBNORMAL_GAP[dtype][1], (n, 1))
    peak = rng.normal(size=(n, 1)) * 10
    return _with_peak(rng, peak - gap * rng.uniform(0.9, 1, (n, k)), peak[:, 0])


def confident(rng, n, k, dtype):
    return _with_peak(rng, np.zeros((n, k)), np.resize(CONFIDENT, n))


def huge(rng, n, k, dtype):
    info = np.finfo(dtype)
    return _signs(rng, (n, k)) * _log_uniform(rng, 1, float(info.max) * 0.999, (n, k))


def tiny(rng, n, k, dtype):
    return _signs(rng, (n, k)) * _log_uniform(rng, np.finfo(dtype).tiny * 2.0**-20, 1, (n, k))


def balanced(rng, n, k, dtype):
    """Shifted so that logsumexp is a rounding away from 0."""
    x = rng.normal(size=(n, k)) * _log_uniform(rng, 1e-3, 30, (n, 1))
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


FAMILIES: tuple[Callable, ...] = (
    normal, one_large, equal, equal_but_two, ties, near_ties, offset, masked, subnormal, spread,
    dominant, confident, huge, tiny, balanced,
)  # fmt: skip


def rows(rng, each: int, k: int, dtype, families=FAMILIES) -> np.ndarray:
    """`each` rows of every family, below one another."""
    dtype = np.dtype(dtype)
    return np.concatenate([f(rng, each, k, dtype).astype(dtype) for f in families])


def labels(rng, x: np.ndarray) -> np.ndarray:
    """By turns at the maximum, next to it, at the smallest logit, anywhere."""
    n, k = x.shape
    order = np.argsort(-x, axis=1, kind="stable")
    rank = np.stack([np.zeros(n, int), np.full(n, min(1, k - 1)), np.full(n, k - 1)], axis=1)
    ranks = np.concatenate([rank, rng.integers(k, size=(n, 1))], axis=1)
    turn = rng.integers(4, size=n)
    return order[np.arange(n), ranks[np.arange(n), turn]]


def soft_labels(rng, x: np.ndarray) -> np.ndarray:
    """By turns one-hot, near one-hot, near uniform, random, unnormalised, mostly zero, and the
    prediction itself, where the gradient has its zero."""
    n, k = x.shape
    with np.errstate(over="ignore", invalid="ignore"):  # x - max may be -inf, and inf - inf
        prediction = np.exp(x.astype(float) - x.max(axis=1, keepdims=True))
    prediction = np.where(np.isnan(prediction), 1, prediction)
    prediction /= prediction.sum(axis=1, keepdims=True)
    hot = np.zeros((n, k))
    hot[np.arange(n), labels(rng, x)] = 1
    noise = rng.exponential(size=(n, k))
    noise /= noise.sum(axis=1, keepdims=True)
    blend = _log_uniform(rng, 1e-12, 0.5, (n, 1))
    kinds = np.stack([
        hot,
        hot * (1 - blend) + noise * blend,
        (1 - blend) / k + noise * blend,
        noise,
        noise * _log_uniform(rng, 1e-3, 1e3, (n, 1)),
        np.where(rng.random((n, k)) < 0.1, noise, 0),
        prediction,
    ])  # fmt: skip
    y = kinds[rng.integers(len(kinds), size=n), np.arange(n)]
    return np.where(np.isfinite(x), y, 0).astype(x.dtype)


def elements(rng, n: int, dtype) -> np.ndarray:
    """About n finite logits: the range of exp, every magnitude, and both sides of each cliff."""
    dtype = np.dtype(dtype)
    info = np.finfo(dtype)
    last = SUBNORMAL_GAP[dtype][1]
    # where exp(-x) passes 2^-24, 2^-53, the smallest normal and the smallest subnormal
    cliffs = np.log(2) * np.array([1, 24, 25, 53, 54, -info.minexp, info.nmant - info.minexp])
    cliffs = np.concatenate([[0, 17, 20, 36, 37, info.max, info.tiny], cliffs]).astype(dtype)
    around = np.concatenate([cliffs, np.nextafter(cliffs, 0), np.nextafter(cliffs, info.max)])
    drawn = (
        rng.uniform(-last, last, n // 2),
        rng.normal(size=n // 4),
        _signs(rng, n // 4) * _log_uniform(rng, float(info.tiny), float(info.max) * 0.999, n // 4),
    )
    return np.concatenate([around, -around, *drawn]).astype(dtype)


def hard_labels_01(rng, x: np.ndarray) -> np.ndarray:
    return rng.integers(2, size=x.shape).astype(x.dtype)


def soft_labels_01(rng, x: np.ndarray) -> np.ndarray:
    """In [0, 1]: anywhere, near 0, near 1, hard labels, and the prediction, the gradient's zero."""
    edge = _log_uniform(rng, 1e-12, 0.5, x.shape)
    prediction = 1 / (1 + np.exp(-np.clip(x.astype(float), -700, None)))
    hard = rng.integers(2, size=x.shape)
    kinds = np.stack([rng.random(x.shape), edge, 1 - edge, hard, prediction])
    turn = rng.integers(len(kinds), size=x.shape)
    return np.choose(turn, kinds).astype(x.dtype)
