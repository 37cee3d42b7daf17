"""ONNX Runtime: one node, its input and output bound to arrays, so that nothing is copied."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from cecore._bench.peers import Calls, Problem

_NODES = {
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "logsumexp": "ReduceLogSumExp",
    "sigmoid": "Sigmoid",
}
_OPSET, _IR = 17, 8  # of ONNX 1.12: ReduceLogSumExp still takes its axes as an attribute


def _session(operation: str, kind: int, ndim: int, axis: int, threads: int) -> object:
    options = {
        "logsumexp": {"axes": [axis], "keepdims": 0}, "sigmoid": {},
    }.get(operation, {"axis": axis})  # fmt: skip
    node = helper.make_node(_NODES[operation], ["x"], ["y"], **options)
    result_ndim = ndim - 1 if operation == "logsumexp" else ndim
    values = [
        helper.make_tensor_value_info(name, kind, [None] * n)
        for name, n in (("x", ndim), ("y", result_ndim))
    ]
    graph = helper.make_graph([node], operation, values[:1], values[1:])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR
    )
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )


def calls(problem: Problem) -> Calls:
    x = problem.logits
    kinds = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
    kinds["float16"] = TensorProto.FLOAT16
    if problem.operation not in _NODES or x.dtype.name not in kinds:
        return {}
    columns_first = x.ndim == 2 and not x.flags.c_contiguous
    x = x.T if columns_first else x
    axis = 0 if columns_first or x.ndim == 1 else 1
    rows = tuple(n for i, n in enumerate(x.shape) if i != axis)
    out = np.empty(rows if problem.operation == "logsumexp" else x.shape, x.dtype)
    try:
        kind = kinds[x.dtype.name]
        session = _session(problem.operation, kind, x.ndim, axis, problem.threads)
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        return {}
    binding = session.io_binding()
    binding.bind_input("x", "cpu", 0, x.dtype, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, out.dtype, out.shape, out.ctypes.data)
    result = out.T if columns_first and out.ndim == 2 else out

    def call() -> np.ndarray:
        session.run_with_iobinding(binding)
        return result

    call.arrays = x, out  # bound by address only
    return {"onnxruntime": call}
