"""Numerically exact, fused softmax and sigmoid cross-entropy for NumPy."""

__version__ = "0.1.0"

from cecore._warnings import DoubleSoftmaxWarning
from cecore.config import available_isas, isa, show_config
from cecore.functional import (
    log_sigmoid,
    log_softmax,
    logsumexp,
    sigmoid,
    sigmoid_cross_entropy,
    softmax,
    softmax_cross_entropy,
    softplus,
)
from cecore.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy
from cecore.threads import get_num_threads, num_threads, set_num_threads

__all__ = [
    "DoubleSoftmaxWarning",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
    "__version__",
    "available_isas",
    "get_num_threads",
    "isa",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "num_threads",
    "set_num_threads",
    "show_config",
    "sigmoid",
    "sigmoid_cross_entropy",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
]
