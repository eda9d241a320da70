"""Initial numbers of parameters: what ``torch.nn.init`` draws, bit for bit, and in its order.

>>> from microgradlib import Value, manual_seed
>>> manual_seed(0)
>>> weight = [[Value(0.0), Value(0.0)], [Value(0.0), Value(0.0)]]
>>> [[round(w.data, 4) for w in row] for row in xavier_uniform_(weight)]
[[-0.0092, 0.657], [-1.008, -0.9013]]

A tensor is a Value, nested lists or an array of Values, or a Parameter. Each function sets the data
of all its numbers or, if there is a mistake, of none, and returns the tensor. Numbers are drawn and
rounded in float32, PyTorch's default. What is drawn by fans needs two axes, or raises a ValueError.
``generator`` is a ``microgradlib.random.Generator``, or None for the default one.
"""

from collections.abc import Callable
from math import prod, sqrt
from typing import Any, TypeVar

from microgradlib import random
from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.errors import short
from microgradlib.functions.arguments import shape_of
from microgradlib.numeric.conversion import to_number
from microgradlib.parameters.filling import fans, fill
from microgradlib.random.rounding import rounded_one

T = TypeVar("T")
Generator = random.Generator | None

_say_what_to_use(__name__)


def _draw(
    function: str, tensor: T, draw: Callable[..., Any], *options: float, generator: Generator
) -> T:
    # One by one, only uniform numbers are those of the whole tensor.
    whole = draw is not random.uniform
    return fill(function, tensor, lambda n: draw(*options, n, generator=generator), whole)


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> T:
    """Draw from U[a, b)."""
    return _draw("uniform_", tensor, random.uniform, a, b, generator=generator)


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Generator = None) -> T:
    """Draw from N(mean, std**2); a Value that is part of a larger tensor raises a ValueError."""
    return _draw("normal_", tensor, random.normal, mean, std, generator=generator)


def trunc_normal_(
    tensor: T,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator = None,
) -> T:
    """Draw from N(mean, std**2) within [a, b], as ``random.trunc_normal`` does."""
    options = mean, std, a, b
    return _draw("trunc_normal_", tensor, random.trunc_normal, *options, generator=generator)


def constant_(tensor: T, val: float) -> T:
    """Set all numbers to the float32 nearest to ``val``, as PyTorch's tensors hold it.

    >>> from microgradlib import Value
    >>> constant_(Value(0.0), 0.1).data
    0.10000000149011612
    """
    number = rounded_one(to_number("constant_: val", val))
    return fill("constant_", tensor, lambda n: [number] * prod(n or ()))


def zeros_(tensor: T) -> T:
    """Set all numbers to 0."""
    return fill("zeros_", tensor, lambda n: [0.0] * prod(n or ()))


def ones_(tensor: T) -> T:
    """Set all numbers to 1."""
    return fill("ones_", tensor, lambda n: [1.0] * prod(n or ()))


def eye_(tensor: T) -> T:
    """Set a tensor with two axes to the identity matrix."""
    if len(shape := shape_of("eye_", tensor)) != 2:
        raise ValueError(f"eye_: needs a tensor with two axes, got one of shape {shape}")
    rows, columns = map(range, shape)
    return fill("eye_", tensor, lambda n: [[float(i == j) for j in columns] for i in rows])


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Generator = None) -> T:
    """Draw from U[-a, a) with a = gain * sqrt(6 / (fan_in + fan_out)): Glorot and Bengio (2010)."""
    a = sqrt(3.0) * _xavier("xavier_uniform_", tensor, gain)
    return _draw("xavier_uniform_", tensor, random.uniform, -a, a, generator=generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: Generator = None) -> T:
    """Draw from N(0, std**2) with std = gain * sqrt(2 / (fan_in + fan_out))."""
    std = _xavier("xavier_normal_", tensor, gain)
    return _draw("xavier_normal_", tensor, random.normal, 0.0, std, generator=generator)


def kaiming_uniform_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> T:
    """Draw from U[-bound, bound) with bound = calculate_gain(nonlinearity, a) * sqrt(3 / fan).

    ``mode`` is "fan_in" or "fan_out". Source: He, Zhang, Ren and Sun (2015), arXiv:1502.01852.
    """
    bound = sqrt(3.0) * _kaiming("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return _draw("kaiming_uniform_", tensor, random.uniform, -bound, bound, generator=generator)


def kaiming_normal_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> T:
    """Draw from N(0, std**2) with std = gain / sqrt(fan), as in ``kaiming_uniform_``."""
    std = _kaiming("kaiming_normal_", tensor, a, mode, nonlinearity)
    return _draw("kaiming_normal_", tensor, random.normal, 0.0, std, generator=generator)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the gain for an activation; ``param`` is the slope of "leaky_relu", None for 0.01.

    >>> calculate_gain("tanh")
    1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else to_number("calculate_gain: param", param)
        return sqrt(2.0 / (1.0 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(
            f"calculate_gain: unknown nonlinearity {short(nonlinearity)}; choose one of "
            f"{', '.join(map(repr, _GAINS))}, 'leaky_relu'"
        )
    return _GAINS[nonlinearity]


_CONVOLUTIONS = [f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)]
_GAINS = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": sqrt(2.0),
    "selu": 0.75,
    **dict.fromkeys(_CONVOLUTIONS, 1.0),
}


def _xavier(function: str, tensor: Any, gain: float) -> float:
    return to_number(f"{function}: gain", gain) * sqrt(2.0 / float(sum(fans(function, tensor))))


def _kaiming(function: str, tensor: Any, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{function}: mode must be 'fan_in' or 'fan_out', got {short(mode)}")
    fan = fans(function, tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / sqrt(fan)
