"""PyTorch's names of the functions of networks, also as ``import microgradlib.nn.functional as F``.

>>> cross_entropy([0.0, 0.0], 1) == -logsigmoid(0.0)
True
"""

from typing import Any

from microgradlib import functions, random
from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.errors import short
from microgradlib.functions.activations import elu, gelu, leaky_relu, relu, sigmoid, silu, softplus
from microgradlib.functions.activations import log_sigmoid as logsigmoid
from microgradlib.functions.classes import *  # noqa: F403
from microgradlib.functions.elementary import tanh
from microgradlib.functions.layers import embedding, flatten, layer_norm, linear, rms_norm
from microgradlib.functions.losses import *  # noqa: F403
from microgradlib.functions.reductions import log_softmax, softmax
from microgradlib.modes import forbid
from microgradlib.trees import flatten as taken_apart
from microgradlib.trees import rebuild

_say_what_to_use(__name__)

__all__ = ["dropout", "elu", "embedding", "flatten", "gelu", "layer_norm", "leaky_relu", "linear"]
__all__ += ["log_softmax", "logsigmoid", "relu", "rms_norm", "sigmoid", "silu", "softmax"]
__all__ += ["softplus", "tanh"]
__all__ += functions.classes.__all__ + functions.losses.__all__


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Return the input with numbers put to 0 at random, and the others divided by 1 - p.

    >>> dropout([1.0, 2.0], p=0.5, training=False)
    [1.0, 2.0]

    Args:
        input: numbers or Values: one, nested lists or an array of them.
        p: the probability of 0, in [0, 1].
        training: whether to do anything.
        inplace: accepted for PyTorch's sake; the input never changes.

    Raises:
        ValueError: if p is not in [0, 1].
        CompileError: in training, in a function that is compiled.
    """
    check_probability("dropout", p)
    if not training or p == 0.0:
        return input
    forbid("dropout() in training", "call eval() of the module, or multiply by an argument")
    xs, build = taken_apart("dropout", "input", input)
    mask = random.bernoulli(1.0 - p, len(xs)) if p < 1.0 else [0.0] * len(xs)
    scale = 1.0 / (1.0 - p) if p < 1.0 else 1.0
    return rebuild(build, [x * (m * scale) for x, m in zip(xs.values(), mask, strict=True)])


def check_probability(function: str, p: Any) -> float:
    """Return p if it is a probability."""
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0.0 <= p <= 1.0:
        raise ValueError(f"{function}: p must be a number in [0, 1], got {short(p)}")
    return p
