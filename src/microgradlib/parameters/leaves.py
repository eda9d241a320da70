"""Leaf Values: those of a tensor, and their gradients."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from microgradlib.core.value import Value
from microgradlib.interpreters import Located
from microgradlib.modes import forbid
from microgradlib.numeric.conversion import NoGradient

_op_of, requires_grad_of = attrgetter("_op"), attrgetter("_requires_grad")


def leaves_in(x: Any) -> list[Value] | None:
    """Return the Values of a tensor, in order, if it holds nothing but leaves: a short way."""
    values = _values_in(x)
    return None if values is None or any(map(_op_of, values)) else values


def _values_in(x: Any) -> list[Value] | None:
    if type(x) is Value:
        return [x]
    if not isinstance(x, list | tuple) or not x:
        return None
    if {*map(type, x)} == {Value}:
        return [*x]
    values: list[Value] = []
    for part in x:
        found = _values_in(part)
        if found is None:
            return None
        values += found
    return values


def forget_gradients(parameters: Iterable[Value], set_to_none: bool) -> None:
    """Set gradients to None or, those that there are, to 0."""
    forbid("zero_grad()", "call it outside")
    for p in parameters:
        if set_to_none:
            p._grad = None
        elif has_gradient(p._grad):
            p._grad = 0.0


def has_gradient(grad: object) -> bool:
    """Return whether ``grad`` of a leaf is a gradient, of which 0 is one, too."""
    return grad is not None and type(grad) is not NoGradient


def tensor_of(p: Value) -> object:
    """Return what the parameters of one tensor have in common, which a module found together."""
    return getattr(p._serial, "tensor", p)


def note_tensor(p: Value, tensor: int) -> None:
    """Let a parameter know of which tensor it is: the serial number of the first in it."""
    if not p._op:
        if type(p._serial) is int:
            p._serial = Located(p._serial)
        p._serial.tensor = tensor  # type: ignore[attr-defined]
