"""Digests of every output for a fixed set of inputs, by which two machines can be compared.

python -m tests.digests writes those of the kernels in use into digests.json: "simd" for AVX2,
AVX-512 and portable, which give the same bits, and "scalar", which has no FMA. `make digests`
writes both.

The inputs are made by integer arithmetic alone, so that no other library decides on their bits:
SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014), its bits
taken as sign, exponent and mantissa.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np

import cecore as ce
from tests.all_outputs import (
    DTYPES,
    element_outputs,
    element_reductions,
    row_outputs,
    row_reductions,
)
from tests.halves import HALVES, narrow_inputs
from tests.ulp import bits

FILE = Path(__file__).parent / "digests.json"
# Narrow, strided and wide kernels with and without a rest, one block, several, and many.
CLASSES = (2, 3, 10, 16, 33, 100, 1000, 5000, 40_000)
ROWS, SPECIAL_ROWS = 19, 3
ELEMENTS = (1001, 7)

Inputs = dict[str, np.ndarray]


def split_mix(n: int, seed: int) -> np.ndarray:
    """The first n numbers of SplitMix64 as uint64."""
    z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def floats(n: int, seed: int, dtype: str) -> np.ndarray:
    """Of either sign, from 2^-6 to beyond the gap at which exp gives 0: 2^7, 2^10 for float64."""
    z = split_mix(n, seed)
    if dtype == "f4":
        unsigned, mantissa, bias, binades = np.uint32, 23, 127, 13
    else:
        unsigned, mantissa, bias, binades = np.uint64, 52, 1023, 16
    exponent = np.uint64(bias - 6) + (z >> np.uint64(53)) % np.uint64(binades)
    sign = (z >> np.uint64(52)) & np.uint64(1)
    bits = (z & np.uint64(2**mantissa - 1)) | (exponent << np.uint64(mantissa))
    bits |= sign << np.uint64(8 * np.dtype(dtype).itemsize - 1)
    return bits.astype(unsigned).view(dtype)


def fractions(n: int, seed: int, dtype: str) -> np.ndarray:
    """Multiples of 2^-24 in [0, 1), exact in both types."""
    return (split_mix(n, seed) >> np.uint64(40)).astype(dtype) * np.dtype(dtype).type(2.0**-24)


def row_inputs(dtype: str, k: int) -> Inputs:
    """The last rows have an infinite logit, a masked class and a NaN."""
    x = floats(ROWS * k, k, dtype).reshape(ROWS, k)
    at = (split_mix(ROWS, k + 1) % np.uint64(k)).astype(np.int64)
    x[range(-SPECIAL_ROWS, 0), at[-SPECIAL_ROWS:]] = np.inf, -np.inf, np.nan
    return {
        "x": x,
        "sparse": at[::-1].copy(),
        "dense": fractions(x.size, k + 2, dtype).reshape(x.shape),
        "weight": fractions(ROWS, k + 3, dtype),
    }


def element_inputs(dtype: str) -> Inputs:
    n = ELEMENTS[0] * ELEMENTS[1]
    x = floats(n, 0, dtype)
    x[-SPECIAL_ROWS:] = np.inf, -np.inf, np.nan
    inputs = {
        "x": x,
        "hard": (split_mix(n, 1) & np.uint64(1)).astype(dtype),
        "soft": fractions(n, 2, dtype),
        "weight": fractions(n, 3, dtype),
    }
    return {name: values.reshape(ELEMENTS) for name, values in inputs.items()}


def _digest(results: Iterable[np.ndarray]) -> str:
    """Of the bytes, least first."""
    digest = sha256()
    for result in results:
        digest.update(bits(result).astype(f"<u{result.itemsize}").tobytes())
    return digest.hexdigest()


def _digests(outputs: Inputs, reductions: Inputs) -> dict[str, str]:
    """One an output, whichever method gives it and with any weights; one of all reductions."""
    groups: dict[str, list[np.ndarray]] = {}
    for name, result in outputs.items():
        output = name.replace(" weighted", "").partition(" of ")[0]
        groups.setdefault(output, []).append(result)
    groups["reductions"] = list(reductions.values())
    return {name: _digest(results) for name, results in groups.items()}


def _in_type(inputs: Callable[..., Inputs], dtype: str, *arguments: int) -> Inputs:
    if dtype in HALVES:
        return narrow_inputs(inputs("f4", *arguments), dtype)
    return inputs(dtype, *arguments)


def digests() -> dict[str, dict[str, str]]:
    """By type and number of classes, and by output."""
    found = {}
    for dtype in (*DTYPES, *HALVES):
        for k in CLASSES:
            inputs = _in_type(row_inputs, dtype, k)
            finite = {name: values[:-SPECIAL_ROWS] for name, values in inputs.items()}
            found[f"{dtype}, K = {k}"] = _digests(row_outputs(inputs), row_reductions(finite))
            if dtype == "f8":
                found[f"f4 of f8, K = {k}"] = {
                    "derivatives": _float32_derivatives(
                        inputs, ce.SoftmaxCrossEntropy(), ("sparse", "dense")
                    )
                }
        inputs = _in_type(element_inputs, dtype)
        finite = {name: values[:-1] for name, values in inputs.items()}
        results = element_outputs(inputs), element_reductions(finite)
        found[f"{dtype}, elements"] = _digests(*results)
        if dtype == "f8":
            found["f4 of f8, elements"] = {
                "derivatives": _float32_derivatives(
                    inputs, ce.SigmoidCrossEntropy(), ("hard", "soft")
                )
            }
    return found


def _float32_derivatives(inputs: Inputs, loss, labels: tuple[str, str]) -> str:
    """Of float64 logits, weighted and not: the kernels compute them apart."""
    results = []
    for name in labels:
        for weight in (None, inputs["weight"]):
            out = tuple(np.empty(inputs["x"].shape, "f4") for _ in range(2))
            loss.gradient_hessian(inputs["x"], inputs[name], sample_weight=weight, out=out)
            results += out
    return _digest(results)


def kind() -> str:
    return "scalar" if ce.isa() == "scalar" else "simd"


if __name__ == "__main__":
    stored = json.loads(FILE.read_text()) if FILE.exists() else {}
    stored[kind()] = digests()
    FILE.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")
