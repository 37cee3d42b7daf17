"""Every output for fixed inputs, as named arrays: what must have the same bits everywhere.

python -m tests.all_outputs FILE saves inputs and outputs, for a comparison of processes;
python -m tests.all_outputs against FILE computes from its inputs, and requires its outputs.
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
CLASSES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 200, 1000, 2049, 4095, 4097,
           8193, 40_000)  # fmt: skip

ELEMENTS, INPUT = "elements", ", input "  # of the names of groups and arrays

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


def all_inputs() -> dict[str, dict[str, np.ndarray]]:
    return {
        f"{dtype}, {group}": inputs
        for dtype in DTYPES
        for group, inputs in (
            *((f"K = {k}", row_inputs(dtype, k)) for k in CLASSES),
            (ELEMENTS, element_inputs(dtype)),
        )
    }


def everything(groups: dict[str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The inputs of every group, and their outputs."""
    saved = {"isa": np.array(ce.isa())}
    for group, inputs in groups.items():
        outputs = element_outputs if group.endswith(ELEMENTS) else row_outputs
        saved.update({f"{group}{INPUT}{name}": v for name, v in inputs.items()})
        saved.update({f"{group}, {name}": v for name, v in outputs(inputs).items()})
    return saved


def inputs_in(saved: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """The inputs that `everything` has saved: NumPy's own log and exp differ between CPUs."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for key, values in saved.items():
        group, is_input, name = key.partition(INPUT)
        if is_input:
            groups.setdefault(group, {})[name] = values
    return groups


def assert_same_bits(results, reference, why):
    """Byte by byte, but any NaN equals any other; -0.0 and 0.0 differ."""
    assert results.keys() == reference.keys()
    for name, want in reference.items():
        got = results[name]
        assert (got.dtype, got.shape) == (want.dtype, want.shape), (why, name)
        unsigned = f"u{want.itemsize}"
        same = (got.view(unsigned) == want.view(unsigned)) | (np.isnan(got) & np.isnan(want))
        at = np.unravel_index(same.argmin(), same.shape)
        assert same.all(), f"{why}: {name} {at}: {got[at]!r}, not {want[at]!r}"


def same_bits_as(reference: str) -> str:
    with np.load(reference) as file:
        saved = dict(file)
    results = everything(inputs_in(saved))
    assert results.pop("isa") == saved.pop("isa")
    assert_same_bits(results, saved, f"against {reference}")
    values = sum(array.size for name, array in results.items() if INPUT not in name)
    return f"{values:,} values: the same bits"


if __name__ == "__main__":
    if sys.argv[1] == "against":
        print(same_bits_as(sys.argv[2]))
    else:
        np.savez(sys.argv[1], **everything(all_inputs()))
