"""Pairs of x87 long doubles: a value is the unevaluated sum hi + lo, about 120 bits.

Float64 results are judged against these in bulk: the exponent range of the long double keeps
exp(-750) normal, where a pair of doubles would lose its low half to the subnormals.

    two_sum     a + b = s + t exactly                       Knuth, TAOCP vol. 2, 4.2.2
    two_product a * b = p + t exactly, by splitting at 2^32  Dekker, Numer. Math. 18 (1971)
    exp(x)      x = n ln2 + k/64 + t, |t| <= 1/128; 2^n * table[k] * exp(t)
    log1p(x)    y0 = log1p(hi); one Newton step y0 + (x - expm1(y0)) / exp(y0)

Infinities and NaN are outside the domain.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np

LONG = np.longdouble
MP = mpmath.mp.clone()
MP.prec = 400
_SPLITTER = LONG(2**32 + 1)
_TABLE_STEP = 64
_TABLE_REACH = 24  # |r| <= ln2 / 2 + rounding is at most 22.2 steps of 1/64
_TAYLOR_PAIR = 6  # below this degree a 64-bit coefficient would show above 2^-110
_TAYLOR_DEGREE = 13  # (1/128)^14 / 14! < 2^-134


def long_from_mpf(value) -> np.longdouble:
    """The 64 leading bits of an mpf, cut; so hi + lo of a pair holds 128."""
    sign, mantissa, exponent, bits = value._mpf_
    if not mantissa:
        return LONG(float(value))
    shift = max(int(bits) - 64, 0)
    head = np.ldexp(LONG(np.uint64(int(mantissa) >> shift)), int(max(exponent + shift, -20000)))
    return -head if sign else head


def mpf_from_long(value):
    """Every long double is an mpf: mantissa as an integer, exactly."""
    if not np.isfinite(value):
        return MP.mpf(float(value))
    mantissa, exponent = np.frexp(LONG(value))
    return MP.ldexp(MP.mpf(int(np.ldexp(mantissa, 64))), int(exponent) - 64)


def two_sum(a, b):
    s = a + b
    v = s - a
    return s, (a - (s - v)) + (b - v)


def fast_two_sum(a, b):
    s = a + b
    return s, b - (s - a)


def _split(a):
    t = _SPLITTER * a
    high = t - (t - a)
    return high, a - high


def two_product(a, b):
    p = a * b
    a1, a2 = _split(a)
    b1, b2 = _split(b)
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


class Pair:
    __slots__ = ("hi", "lo")
    __array_ufunc__ = None  # so that ndarray + Pair comes to __radd__

    def __init__(self, hi, lo):
        self.hi, self.lo = hi, lo

    @classmethod
    def of(cls, x) -> Pair:
        if isinstance(x, Pair):
            return x
        x = np.asarray(x)
        if x.dtype == object:
            hi = np.vectorize(long_from_mpf, otypes=[LONG])(x)
            rest = x - np.vectorize(mpf_from_long, otypes=[object])(hi)
            return cls(hi, np.vectorize(long_from_mpf, otypes=[LONG])(rest))
        hi = x.astype(LONG)
        return cls(hi, np.zeros_like(hi))

    def to_mpf(self) -> np.ndarray:
        lift = np.vectorize(mpf_from_long, otypes=[object])
        return lift(self.hi) + lift(self.lo)

    def __getitem__(self, index) -> Pair:
        return Pair(self.hi[index], self.lo[index])

    def __neg__(self) -> Pair:
        return Pair(-self.hi, -self.lo)

    def __abs__(self) -> Pair:
        sign = np.where(self.hi < 0, LONG(-1), LONG(1))
        return Pair(sign * self.hi, sign * self.lo)

    def __add__(self, other) -> Pair:
        other = Pair.of(other)
        s, t = two_sum(self.hi, other.hi)
        u, v = two_sum(self.lo, other.lo)
        s, t = fast_two_sum(s, t + u)
        return Pair(*fast_two_sum(s, t + v))

    def __sub__(self, other) -> Pair:
        return self + -Pair.of(other)

    def __mul__(self, other) -> Pair:
        other = Pair.of(other)
        p, t = two_product(self.hi, other.hi)
        return Pair(*fast_two_sum(p, t + (self.hi * other.lo + self.lo * other.hi)))

    def __truediv__(self, other) -> Pair:
        other = Pair.of(other)
        q = self.hi / other.hi
        rest = self - Pair(q, np.zeros_like(q)) * other
        return Pair(*fast_two_sum(q, rest.hi / other.hi))

    def __gt__(self, other) -> np.ndarray:
        return (self - other).hi > 0

    def __radd__(self, other) -> Pair:
        return self + other

    def __rsub__(self, other) -> Pair:
        return Pair.of(other) - self

    __rmul__ = __mul__


def where(condition, a, b) -> Pair:
    a, b = Pair.of(a), Pair.of(b)
    return Pair(np.where(condition, a.hi, b.hi), np.where(condition, a.lo, b.lo))


def total(x: Pair) -> Pair:
    """Sum over the last axis, which stays as length 1, by folding halves."""
    while x.hi.shape[-1] > 1:
        half, odd = divmod(x.hi.shape[-1], 2)
        folded = x[..., :half] + x[..., half : 2 * half]
        if odd:
            last = folded[..., -1:] + x[..., -1:]
            folded.hi[..., -1:], folded.lo[..., -1:] = last.hi, last.lo
        x = folded
    return x


def _constant(value, leading_bits: int = 64) -> tuple[np.longdouble, np.longdouble]:
    _, exponent = MP.frexp(value)
    scale = leading_bits - int(exponent)
    hi = MP.ldexp(MP.nint(MP.ldexp(value, scale)), -scale)
    return long_from_mpf(hi), long_from_mpf(value - hi)


# 48 leading bits: n * _LN2[0] is exact for |n| < 2^16
_LN2 = _constant(MP.log(2), leading_bits=48)
_LN2_REST = long_from_mpf(MP.log(2) - mpf_from_long(_LN2[0]) - mpf_from_long(_LN2[1]))
_STEPS = range(-_TABLE_REACH, _TABLE_REACH + 1)
_EXP_TABLE = np.array([_constant(MP.exp(MP.mpf(k) / _TABLE_STEP)) for k in _STEPS])
_INVERSE_FACTORIAL = [_constant(1 / MP.factorial(i)) for i in range(_TAYLOR_DEGREE + 1)]


def _expm1_taylor(t: Pair) -> Pair:
    """expm1(t) for |t| <= 1/128, with relative accuracy: t * (1 + t/2! + t^2/3! + ...)."""
    tail = np.zeros_like(t.hi)
    for degree in range(_TAYLOR_DEGREE, _TAYLOR_PAIR - 1, -1):
        tail = tail * t.hi + _INVERSE_FACTORIAL[degree][0]
    series = Pair(tail, np.zeros_like(tail))
    for degree in range(_TAYLOR_PAIR - 1, 0, -1):
        series = series * t + Pair(*(LONG(c) for c in _INVERSE_FACTORIAL[degree]))
    return series * t


def exp(x: Pair) -> Pair:
    """Below -11300 the result is 0: nothing that a float64 can tell from it."""
    deep = x.hi < -11300
    x = where(deep, LONG(0), x)
    n = np.rint(x.hi / LONG(math.log(2)))
    zero = np.zeros_like(n)
    r = (x - Pair(n * _LN2[0], zero)) - (Pair(n, zero) * _LN2[1] + n * _LN2_REST)
    k = np.rint(r.hi * _TABLE_STEP)
    entry = _EXP_TABLE[k.astype(np.intp) + _TABLE_REACH]
    factor = Pair(entry[..., 0], entry[..., 1])
    y = factor + factor * _expm1_taylor(r - Pair(k / _TABLE_STEP, zero))
    n = n.astype(np.int32)
    return where(deep, LONG(0), Pair(np.ldexp(y.hi, n), np.ldexp(y.lo, n)))


def log1p(x: Pair) -> Pair:
    """For x >= 0."""
    y = Pair.of(np.log1p(x.hi))
    grown = exp(y)
    small = y.hi < LONG(1) / 128
    expm1 = where(small, _expm1_taylor(where(small, y, LONG(0))), grown - 1)
    return y + (x - expm1) / grown
