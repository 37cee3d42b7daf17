"""The contract's error bounds: the one place where they stand, read by the tests and the ULP tool.

A bound holds for float32 and float64, every ISA, every K, every finite input and every layout, and
on what the user receives. ULP is fractional: |computed - exact| / ulp(exact), see ulp.py.
"""

from __future__ import annotations

from typing import NamedTuple


class Bound(NamedTuple):
    ulp: float
    of: str
    reason: str


ITSELF = "the exact result"
_TERMS = "the larger of its two terms"

BOUNDS = {
    "sigmoid": Bound(2, ITSELF, "also where the result is subnormal"),
    "log_sigmoid": Bound(2, ITSELF, "a sum of two terms <= 0"),
    "softplus": Bound(2, ITSELF, "a sum of two terms >= 0"),
    "sigmoid loss, hard labels": Bound(2, ITSELF, "a sum of two terms >= 0"),
    "sigmoid loss, soft labels": Bound(2, ITSELF, "a sum of two terms >= 0"),
    "sigmoid gradient, hard labels": Bound(2, ITSELF, "sigma(x) or -sigma(-x)"),
    "sigmoid gradient, soft labels": Bound(2, _TERMS, "a true zero at sigma(x) = y"),
    "sigmoid hessian": Bound(2, ITSELF, "e / (1 + e)^2"),
    "logsumexp": Bound(2, "max(|m|, log1p(s))", "ill-conditioned near 0: m = -log1p(s)"),
    "softmax": Bound(2, ITSELF, "also far below the maximum, into the subnormals"),
    "log_softmax": Bound(2, ITSELF, "a sum of two terms <= 0"),
    "loss, sparse labels": Bound(2, ITSELF, "also when it is 1e-30"),
    "loss, dense labels": Bound(2, ITSELF, "also when it is 1e-30"),
    "gradient, sparse labels": Bound(2, ITSELF, "p, at the label -(1 - p)"),
    "gradient, dense labels": Bound(2, _TERMS, "a true zero at Y p = y"),
    "hessian, sparse labels": Bound(2, ITSELF, "p (1 - p)"),
    "hessian, dense labels": Bound(2, ITSELF, "Y p (1 - p)"),
}

# Results of a type of so many binary digits fewer than the one they are computed in, and within a
# bound there, are rounded once more. float32 derivatives of float64 logits are computed in plain
# double: each of fewer than 128 additions may round by 2^-53, which takes 7 of 29 digits.
LOST_DIGITS = {("f4", "float16"): 13, ("f4", "bfloat16"): 16, ("f8", "float32"): 22}


def rounded(bound: float, lost_digits: int) -> float:
    return 0.5 + bound * 2.0**-lost_digits


# Reductions, against the exact mean or sum of the values that reduction="none" returns:
# one rounding of a float64 sum to float32; n roundings of a float64 tree with float64 partials.
REDUCTION_ULP_FLOAT32 = 1
REDUCTION_RELATIVE_FLOAT64 = 1e-15
