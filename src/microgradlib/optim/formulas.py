"""What the formulas of updates take: floats, or symbols of generated code."""

from collections.abc import Callable
from math import sqrt
from typing import Any, NamedTuple, TypeAlias

from microgradlib.optim.states import State

Numbers: TypeAlias = list[Any]


class Functions(NamedTuple):
    """The functions that formulas of optimizers need, for one kind of number."""

    sqrt: Callable[[Any], Any]
    larger: Callable[[Any, Any], Any]


OF_FLOATS = Functions(sqrt, max)


class Inputs(NamedTuple):
    """What the formula of an update takes: floats, or symbols of generated code.

    Attributes:
        decisions: all that depends on whether an option is set.
        o: the options that are numbers, as attributes.
        factors: the numbers that change from step to step.
        data: the parameters.
        grads: their gradients.
        state: the lists of the state; empty before the first step.
        ops: the functions of such numbers.
    """

    decisions: tuple[bool, ...]
    o: Any
    factors: tuple[Any, ...]
    data: Numbers
    grads: Numbers
    state: State
    ops: Functions


def lerp(xs: Numbers, ys: Numbers, weight: Any, near: bool) -> Numbers:
    """Return numbers between those of two lists, by the two formulas of PyTorch's lerp."""
    if near:  # weight < 0.5
        return [x + weight * (y - x) for x, y in zip(xs, ys, strict=True)]
    rest = 1.0 - weight
    return [y - rest * (y - x) for x, y in zip(xs, ys, strict=True)]
