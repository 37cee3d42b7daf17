"""True values: the formulas of the contract, once, in a choice of three arithmetics.

    MULTI     mpmath numbers of 400 bits in object arrays: the definition of "exact"
    PAIRS     pairs of long doubles, 120 bits: float64 results in bulk
    EXTENDED  long double, 64 bits: float32 results in bulk, 2^-40 of their ULP

With m a maximum of the row, gap_j = m - x_j, e_j = exp(-gap_j), s = sum of e_j over every j but
one maximum, S = 1 + s and Y = sum y_j, every output is a sum of terms of one sign:

    logsumexp    m + log1p(s)                      softmax      e_j / S
    log_softmax  -(gap_j + log1p(s))               loss         gap_label + log1p(s)
    gradient     -(1 - p_label), elsewhere p_j     Hessian      p_j (1 - p_j)
    1 - p_j      s / S at the maximum, elsewhere (S - e_j) / S, where S >= 1 + e_j

Two have a true zero, and are judged by the larger of their two terms: logsumexp, and the gradient
with soft labels. That these formulas are right is not assumed: test_truth compares them with the
textbook definitions and with derivatives of the loss.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from tests import pair
from tests.pair import MP


def _each(function):
    return np.frompyfunc(function, 1, 1)


MULTI = SimpleNamespace(
    of=lambda x: _each(lambda v: v if isinstance(v, MP.mpf) else MP.mpf(v))(
        np.asarray(x, dtype=object)
    ),
    exp=_each(MP.exp),
    log1p=_each(MP.log1p),
    total=lambda x: x.sum(axis=-1, keepdims=True),
    where=np.where,
)
PAIRS = SimpleNamespace(
    of=pair.Pair.of, exp=pair.exp, log1p=pair.log1p, total=pair.total, where=pair.where
)
EXTENDED = SimpleNamespace(
    of=lambda x: np.asarray(x, dtype=np.longdouble),
    exp=np.exp,
    log1p=np.log1p,
    total=lambda x: x.sum(axis=-1, keepdims=True),
    where=np.where,
)


def bulk(dtype) -> SimpleNamespace:
    """The arithmetic that is exact enough for results of this dtype, and no slower."""
    return EXTENDED if np.dtype(dtype) == np.float32 else PAIRS


class Exact(NamedTuple):
    """A true value, and the magnitude whose ULP measures the error (None: its own)."""

    value: Any
    magnitude: Any = None

    def part(self, index) -> Exact:
        return self._both(lambda v: v[index])

    def times(self, weight: np.ndarray) -> Exact:
        """Scaled by a weight >= 0 an element, without a rounding that would show."""
        return self._both(lambda v: v * weight)

    def nearest(self, at) -> float:
        value = self.value[at]
        return float(getattr(value, "hi", value))

    def _both(self, function) -> Exact:
        magnitude = None if self.magnitude is None else function(self.magnitude)
        return Exact(function(self.value), magnitude)


class Rows:
    """Rows (n, K) of logits, finite or -inf, each with a finite maximum."""

    def __init__(self, x: np.ndarray, arithmetic: SimpleNamespace | None = None):
        self.a = a = arithmetic or bulk(x.dtype)
        top = x.argmax(axis=-1)[:, None]
        peak = np.take_along_axis(x, top, axis=-1)
        self.live = np.isfinite(x)
        self.top = np.arange(x.shape[-1]) == top
        self.tied = np.sum(x == peak, axis=-1, keepdims=True) > 1
        self.m = a.of(peak)
        self.gap = self.m - a.of(np.where(self.live, x, peak))
        self.e = a.where(self.live, a.exp(-self.gap), a.of(0))
        self.s = a.total(a.where(self.top, a.of(0), self.e))
        self.S = self.s + 1
        self.log_S = a.log1p(self.s)
        self.p = self.e / self.S
        self.q = a.where(self.top, self.s, self.S - self.e) / self.S

    def logsumexp(self) -> Exact:
        size = abs(self.m)
        magnitude = self.a.where(size > self.log_S, size, self.log_S)
        return Exact((self.m + self.log_S)[:, 0], magnitude[:, 0])

    def softmax(self) -> Exact:
        return Exact(self.p)

    def log_softmax(self) -> Exact:
        return Exact(self.a.where(self.live, -(self.gap + self.log_S), self.a.of(-np.inf)))

    def _at(self, labels: np.ndarray) -> np.ndarray:
        return np.arange(self.live.shape[-1]) == labels[:, None]

    def loss(self, labels: np.ndarray) -> Exact:
        gap = self.a.total(self.a.where(self._at(labels), self.gap, self.a.of(0)))
        masked = ~np.take_along_axis(self.live, labels[:, None], axis=-1)
        return Exact(self.a.where(masked, self.a.of(np.inf), gap + self.log_S)[:, 0])

    def gradient(self, labels: np.ndarray) -> Exact:
        return Exact(self.a.where(self._at(labels), -self.q, self.p))

    def hessian(self) -> Exact:
        return Exact(self.p * self.q)

    def dense_loss(self, y: np.ndarray) -> Exact:
        a, weights = self.a, self.a.of(y)
        loss = a.total(weights * self.gap) + a.total(weights) * self.log_S
        masked = np.any(~self.live & (y != 0), axis=-1, keepdims=True)
        return Exact(a.where(masked, a.of(np.inf), loss)[:, 0])

    def dense_gradient(self, y: np.ndarray) -> Exact:
        """The terms are Y p_j and y_j, at a maximum without ties Y - y_m and Y s/S."""
        a, weights = self.a, self.a.of(y)
        mass = a.total(weights)
        single = self.top & ~self.tied
        plus = a.where(single, a.total(a.where(self.top, a.of(0), weights)), mass * self.p)
        minus = a.where(single, mass * self.q, weights)
        return Exact(plus - minus, a.where(plus > minus, plus, minus))

    def dense_hessian(self, y: np.ndarray) -> Exact:
        return Exact(self.a.total(self.a.of(y)) * self.p * self.q)


class Elements:
    """Finite logits of any shape, by e = exp(-|x|): sigma(|x|) = 1/(1+e), sigma(-|x|) = e/(1+e)."""

    def __init__(self, x: np.ndarray, arithmetic: SimpleNamespace | None = None):
        self.a = a = arithmetic or bulk(x.dtype)
        self.positive = x > 0
        self.x = a.of(x)
        self.size = abs(self.x)
        self.e = a.exp(-self.size)
        self.small = self.e / (self.e + 1)
        self.sigma = a.where(self.positive, a.of(1) / (self.e + 1), self.small)
        self.log1p_e = a.log1p(self.e)

    def sigmoid(self) -> Exact:
        return Exact(self.sigma)

    def log_sigmoid(self) -> Exact:
        return Exact(-(self.a.where(self.positive, self.a.of(0), self.size) + self.log1p_e))

    def softplus(self) -> Exact:
        return Exact(self.a.where(self.positive, self.size, self.a.of(0)) + self.log1p_e)

    def loss(self, y: np.ndarray) -> Exact:
        labels = self.a.of(y)
        return Exact(self.size * self.a.where(self.positive, 1 - labels, labels) + self.log1p_e)

    def gradient(self, y: np.ndarray) -> Exact:
        """A hard label leaves one sign, and is judged by the gradient's own ULP."""
        a, labels = self.a, self.a.of(y)
        plus = a.where(self.positive, 1 - labels, self.small)
        minus = a.where(self.positive, self.small, labels)
        value = plus - minus
        hard = (y == 0) | (y == 1)
        larger = a.where(plus > minus, plus, minus)
        return Exact(value, a.where(hard, abs(value), larger))

    def hessian(self) -> Exact:
        return Exact(self.small / (self.e + 1))
