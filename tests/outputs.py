"""Every output of the contract: how to compute it, and how its true value is found.

`call(x, y, **where)` is what a user writes, `truth(t, y)` a method of truth.Rows or truth.Elements;
y comes from `labels(rng, x)`, None for outputs without labels. A name is a key of bounds.BOUNDS.
An output of a row operation has one value a class, or one a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cecore as ce
from tests import cases

_softmax = ce.SoftmaxCrossEntropy()
_sigmoid = ce.SigmoidCrossEntropy()


class Output(NamedTuple):
    name: str
    call: Callable
    truth: Callable
    labels: Callable | None = None
    one_a_row: bool = False


ROWS = (
    Output(
        "logsumexp",
        lambda x, y, **k: ce.logsumexp(x, **k),
        lambda t, y: t.logsumexp(),
        one_a_row=True,
    ),
    Output("softmax", lambda x, y, **k: ce.softmax(x, **k), lambda t, y: t.softmax()),
    Output("log_softmax", lambda x, y, **k: ce.log_softmax(x, **k), lambda t, y: t.log_softmax()),
    Output("loss, sparse labels", _softmax.loss, lambda t, y: t.loss(y), cases.labels, True),
    Output("gradient, sparse labels", _softmax.gradient, lambda t, y: t.gradient(y), cases.labels),
    Output(
        "hessian, sparse labels",
        lambda x, y, **k: _softmax.gradient_hessian(x, y, **k)[1],
        lambda t, y: t.hessian(),
        cases.labels,
    ),
    Output(
        "loss, dense labels", _softmax.loss, lambda t, y: t.dense_loss(y), cases.soft_labels, True
    ),
    Output(
        "gradient, dense labels",
        _softmax.gradient,
        lambda t, y: t.dense_gradient(y),
        cases.soft_labels,
    ),
    Output(
        "hessian, dense labels",
        lambda x, y, **k: _softmax.gradient_hessian(x, y, **k)[1],
        lambda t, y: t.dense_hessian(y),
        cases.soft_labels,
    ),
)

ELEMENTS = (
    Output("sigmoid", lambda x, y, **k: ce.sigmoid(x, **k), lambda t, y: t.sigmoid()),
    Output("log_sigmoid", lambda x, y, **k: ce.log_sigmoid(x, **k), lambda t, y: t.log_sigmoid()),
    Output("softplus", lambda x, y, **k: ce.softplus(x, **k), lambda t, y: t.softplus()),
    Output(
        "sigmoid loss, hard labels",
        _sigmoid.loss,
        lambda t, y: t.loss(y),
        cases.hard_labels_01,
    ),
    Output(
        "sigmoid loss, soft labels",
        _sigmoid.loss,
        lambda t, y: t.loss(y),
        cases.soft_labels_01,
    ),
    Output(
        "sigmoid gradient, hard labels",
        _sigmoid.gradient,
        lambda t, y: t.gradient(y),
        cases.hard_labels_01,
    ),
    Output(
        "sigmoid gradient, soft labels",
        _sigmoid.gradient,
        lambda t, y: t.gradient(y),
        cases.soft_labels_01,
    ),
    Output(
        "sigmoid hessian",
        lambda x, y, **k: _sigmoid.gradient_hessian(x, y, **k)[1],
        lambda t, y: t.hessian(),
        cases.hard_labels_01,
    ),
)

BY_NAME = {output.name: output for output in ROWS + ELEMENTS}
