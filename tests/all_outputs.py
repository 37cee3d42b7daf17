"""Every output for fixed inputs, as named arrays: what must have the same bits everywhere.

python -m tests.all_outputs FILE saves them, for a comparison of processes with different ISAs.
"""

from __future__ import annotations

import sys
from functools import lru_cache

import numpy as np

import cecore as ce
from tests import cases
from tests.layouts import C_ORDER, Layout

DTYPES = ("f4", "f8")
# Around 16 and 8 lanes, the narrow kernels' end, blocks of 4096 and 2048, and many blocks.
CLASSES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 1000, 2049, 4095, 4097,
           8193, 40_000)  # fmt: skip

_softmax = ce.SoftmaxCrossEntropy()
_sigmoid = ce.SigmoidCrossEntropy()


@lru_cache(maxsize=4)
def row_inputs(dtype: str, k: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(k)
    x = cases.rows(rng, 1 if k > 100 else 6, k, dtype)
    infinite = x[:2].copy()
    infinite[0, rng.integers(k)], infinite[1, rng.integers(k)] = np.inf, np.nan
    x = np.concatenate([x, infinite])
    x = x[len(x) % 2 :]  # a layout may halve them
    finite = np.where(np.isnan(x), 0, x)
    return {
        "x": x,
        "sparse": cases.labels(rng, finite),
        "dense": cases.soft_labels(rng, finite),
        "weight": rng.random(len(x)).astype(dtype),
    }


def row_outputs(inputs: dict[str, np.ndarray], layout: Layout = C_ORDER) -> dict[str, np.ndarray]:
    """The outputs as rows (n, K) or (n,), whatever the layout they were computed in."""
    rows = inputs["x"]
    x, axis = layout.arrange(rows), layout.axis
    results = {
        "logsumexp": ce.logsumexp(x, axis),
        "softmax": ce.softmax(x, axis),
        "log_softmax": ce.log_softmax(x, axis),
    }
    for kind in ("sparse", "dense") if rows.shape[1] > 1 else ():
        y = layout.labels(inputs[kind], rows)
        for weighted in (False, True):
            where = {"axis": axis}
            if weighted:
                where["sample_weight"] = layout.labels(inputs["weight"], rows)
            name = f"{kind}{' weighted' if weighted else ''}"
            results.update(_four(_softmax, name, x, y, where))
    return {name: layout.rows(result, rows) for name, result in results.items()}


def _four(loss, name, x, y, where) -> dict[str, np.ndarray]:
    both, curved = loss.loss_gradient(x, y, **where), loss.gradient_hessian(x, y, **where)
    return {
        f"{name} loss": loss.loss(x, y, **where),
        f"{name} gradient": loss.gradient(x, y, **where),
        f"{name} loss of loss_gradient": both[0],
        f"{name} gradient of loss_gradient": both[1],
        f"{name} gradient of gradient_hessian": curved[0],
        f"{name} hessian": curved[1],
    }


def row_reductions(inputs, layout: Layout = C_ORDER) -> dict[str, np.ndarray]:
    """Every reduction of the rows, with and without weights; their gradients as rows."""
    rows = inputs["x"]
    x, where = layout.arrange(rows), {"axis": layout.axis}
    weight = layout.labels(inputs["weight"], rows)
    results = {}
    for kind in ("sparse", "dense"):
        y = layout.labels(inputs[kind], rows)
        results.update(_reductions(_softmax, kind, x, y, weight, where))
    return _as_rows(results, layout, rows)


def element_reductions(inputs, layout: Layout = C_ORDER) -> dict[str, np.ndarray]:
    x, weight = layout.arrange(inputs["x"]), layout.arrange(inputs["weight"])
    results = {}
    for kind in ("hard", "soft"):
        y = layout.arrange(inputs[kind])
        results.update(_reductions(_sigmoid, kind, x, y, weight, {}))
    return _as_rows(results, layout, inputs["x"])


def _reductions(loss, kind, x, y, weight, where) -> dict[str, np.ndarray]:
    results = {}
    for reduction in ("sum", "mean", "batch_mean"):
        for weighted, weights in (("", {}), (" weighted", {"sample_weight": weight})):
            name = f"{kind}{weighted} {reduction}"
            options = {**where, **weights, "reduction": reduction}
            value, gradient = loss.loss_gradient(x, y, **options)
            results[name] = np.asarray(value)
            results[f"{name} alone"] = np.asarray(loss.loss(x, y, **options))
            results[f"{name} gradient"] = gradient
    return results


def _as_rows(results, layout, rows) -> dict[str, np.ndarray]:
    return {name: layout.rows(r, rows) if r.ndim else r for name, r in results.items()}


@lru_cache(maxsize=2)
def element_inputs(dtype: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    x = np.concatenate([cases.elements(rng, 5000, dtype), [np.inf, -np.inf, np.nan]]).astype(dtype)
    x = x[: x.size // 14 * 14].reshape(-1, 7)
    return {
        "x": x,
        "hard": cases.hard_labels_01(rng, x),
        "soft": cases.soft_labels_01(rng, x),
        "weight": rng.random(x.shape).astype(dtype),
    }


def element_outputs(inputs, layout: Layout = C_ORDER) -> dict[str, np.ndarray]:
    x = layout.arrange(inputs["x"])
    results = {f.__name__: f(x) for f in (ce.sigmoid, ce.log_sigmoid, ce.softplus)}
    for kind in ("hard", "soft"):
        y = layout.arrange(inputs[kind])
        results.update(_four(_sigmoid, kind, x, y, {}))
        weight = {"sample_weight": layout.arrange(inputs["weight"])}
        results.update(_four(_sigmoid, f"{kind} weighted", x, y, weight))
    return _as_rows(results, layout, inputs["x"])


def everything() -> dict[str, np.ndarray]:
    saved = {"isa": np.array(ce.isa())}
    for dtype in DTYPES:
        groups = {f"K = {k}": row_outputs(row_inputs(dtype, k)) for k in CLASSES}
        groups["elements"] = element_outputs(element_inputs(dtype))
        for group, results in groups.items():
            saved.update({f"{dtype}, {group}, {name}": v for name, v in results.items()})
    return saved


if __name__ == "__main__":
    np.savez(sys.argv[1], **everything())
