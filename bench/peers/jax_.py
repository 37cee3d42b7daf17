"""jax, jit-compiled, on arrays that lie on its device; results are waited for.

It has no setting for its number of threads but the CPUs that the process may use when it starts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax import nn
from jax import numpy as jnp

from cecore._bench.peers import Calls, Problem

jax.config.update("jax_enable_x64", True)


def _softmax_loss(x: Any, y: Any, axis: int) -> Any:
    """One a row."""
    if y.ndim == x.ndim:
        return jnp.sum(y, axis) * nn.logsumexp(x, axis) - jnp.sum(x * y, axis)
    label = jnp.expand_dims(y, axis)
    return nn.logsumexp(x, axis) - jnp.squeeze(jnp.take_along_axis(x, label, axis), axis)


def _sigmoid_loss(x: Any, y: Any) -> Any:
    return jnp.sum(nn.softplus(x) - x * y)


def _gradient_hessian(x: Any, y: Any) -> Any:
    p = nn.sigmoid(x)
    return p - y, p * (1 - p)


@lru_cache
def _function(operation: str, axis: int) -> Any:
    return jax.jit(
        {
            "logsumexp": lambda x, y: nn.logsumexp(x, axis),
            "softmax": lambda x, y: nn.softmax(x, axis),
            "log_softmax": lambda x, y: nn.log_softmax(x, axis),
            "loss": lambda x, y: _softmax_loss(x, y, axis),
            "loss + gradient": jax.value_and_grad(lambda x, y: jnp.sum(_softmax_loss(x, y, axis))),
            "sigmoid": lambda x, y: nn.sigmoid(x),
            "sigmoid loss + gradient": jax.value_and_grad(_sigmoid_loss),
            "gradient + Hessian": _gradient_hessian,
        }[operation]
    )


def calls(problem: Problem) -> Calls:
    x, y = problem.logits, problem.labels
    columns_first = x.ndim == 2 and not x.flags.c_contiguous
    if columns_first:  # jax would copy; the transpose is the same work
        x, y = x.T, y.T
    function = _function(problem.operation, 0 if columns_first else 1)
    device_x, device_y = jnp.asarray(x), jnp.asarray(y)

    def call() -> object:
        results = jax.block_until_ready(function(device_x, device_y))
        arrays = results if isinstance(results, tuple) else (results,)
        arrays = [np.asarray(a) for a in arrays]
        arrays = tuple(a.T if columns_first and a.ndim == 2 else a for a in arrays)
        return arrays if len(arrays) > 1 else arrays[0]

    return {"jax": call}
