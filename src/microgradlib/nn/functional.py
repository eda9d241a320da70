"""PyTorch's names of the functions of networks, also as ``import microgradlib.nn.functional as F``.

>>> import microgradlib.nn.functional as F
>>> F.cross_entropy([0.0, 0.0], 1) == -F.logsigmoid(0.0)
True
"""

from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.functions import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    elu,
    gelu,
    huber_loss,
    l1_loss,
    leaky_relu,
    log_softmax,
    mse_loss,
    nll_loss,
    relu,
    sigmoid,
    silu,
    smooth_l1_loss,
    softmax,
    softplus,
    tanh,
)
from microgradlib.functions import log_sigmoid as logsigmoid

_say_what_to_use(__name__)

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "elu",
    "gelu",
    "huber_loss",
    "l1_loss",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mse_loss",
    "nll_loss",
    "relu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
]
