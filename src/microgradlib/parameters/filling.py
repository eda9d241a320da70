"""Setting much at once, such as all numbers of a tensor, and the norm of gradients."""

import math
from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any, TypeVar

from microgradlib.core.value import Value
from microgradlib.errors import short
from microgradlib.functions.arguments import shape_of
from microgradlib.modes import forbid
from microgradlib.parameters.leaves import tensor_of
from microgradlib.trees import numbers_in, set_data

T = TypeVar("T")


def fill(function: str, tensor: T, draw: Callable[[Any], Any], whole: bool = False) -> T:
    """Set the data of a tensor to what is drawn for its shape; ``whole`` if parts draw others."""
    forbid(f"{function}()", "call it outside")
    shape = shape_of(function, tensor)
    values = numbers_in([tensor])
    for x in values:
        if not isinstance(x, Value) or x._op:
            raise TypeError(f"{function}: expected parameters, got {short(x)}; pass leaf Values")
        if whole and not shape and tensor_of(x) not in (x, x._serial):
            raise ValueError(
                f"{function}: the Value is part of a larger tensor, of which PyTorch draws all "
                "numbers at once; pass the tensors of named_parameters()"
            )
    if values:
        set_data(values, numbers_in([draw(shape or None)]))
    return tensor


def assign_all(owners: Iterable[Any], names: Iterable[str], values: Iterable[Any]) -> None:
    """Set an attribute of each owner in one call of C code: Ctrl-C comes before or after it."""
    any(map(setattr, owners, names, values))  # setattr returns None: any() goes on to the end


def fans(function: str, tensor: Any) -> tuple[int, int]:
    """Return the numbers of inputs and outputs: (1, 1) if there is nothing to draw."""
    shape = shape_of(function, tensor)
    if len(shape) < 2:
        raise ValueError(
            f"{function}: needs a tensor with two axes, got one of shape {shape}; use normal_"
        )
    field = prod(shape[2:])
    return (shape[1] * field, shape[0] * field) if 0 not in shape else (1, 1)


def norm_of(p: float, xs: Sequence[float]) -> float:
    """Return the p-norm, p > 0, of numbers of any size; that of none is 0."""
    if any(x != x for x in xs):
        return math.nan
    if p == 2.0:
        return math.hypot(*xs)
    top = max(map(abs, xs), default=0.0)
    if p == math.inf or not top or math.isinf(top):
        return top
    return top * float(math.fsum([(abs(x) / top) ** p for x in xs]) ** (1.0 / p))
