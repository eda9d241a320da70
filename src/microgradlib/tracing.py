"""Tracing: what a function computes, recorded with all that its course depends on."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

from microgradlib import primitives
from microgradlib.errors import CompileError
from microgradlib.primitives import Primitive, to_float
from microgradlib.value import Operand, Value, next_serial, recording, trace_context


class Traced(Value):
    """A Value of a trace: its data is hidden from the function that is traced."""

    __slots__ = ()

    @property
    def data(self) -> float:
        """The number at the time of tracing, for the library only."""
        _refuse_user(
            ".data of a traced Value would be frozen at its first number; compute with the Value, "
            "or return it and read .data outside"
        )
        return _get_data(self)

    @data.setter
    def data(self, data: float) -> None:
        _refuse_user("the data of a traced Value cannot be set; make a new Value")
        _set_data(self, data)

    def __float__(self) -> float:
        raise _error(
            "float() of a traced Value would be frozen at its first number; compute with the "
            "Value, and take functions from microgradlib.math instead of math"
        )

    __int__ = __complex__ = __float__  # type: ignore[assignment]

    def __format__(self, spec: str) -> str:
        if spec:
            raise _error("the text of a traced Value would be frozen; format the result outside")
        return str(self)


def _error(reason: str) -> CompileError:
    """Return the error that says what cannot be compiled, and in which line."""
    frame = user_frame()
    return CompileError(f"compile: {reason} ({frame.f_code.co_filename}, line {frame.f_lineno})")


def user_frame() -> FrameType:
    """Return the frame of the user's code that called the library."""
    frame = sys._getframe(1)
    while frame.f_back and _in_library(frame):
        frame = frame.f_back
    return frame


def _in_library(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("microgradlib.")


def _refuse_user(reason: str) -> None:
    """Raise an error if the caller's caller is not part of the library."""
    if not _in_library(sys._getframe(2)):
        raise _error(reason)


_get_data: Callable[[Value], float] = Value.__dict__["data"].__get__
_set_data: Callable[[Value, float], None] = Value.__dict__["data"].__set__


class Guard(NamedTuple):
    """A decision taken while tracing: the trace holds where it comes out the same."""

    function: Callable[..., Any]
    operands: tuple[Any, ...]
    outcome: Any


PLAIN = "<number>"  # the label of what would be a float in eager evaluation


class Trace:
    """What is recorded while a function is traced.

    Attributes:
        start: the serial number from which on Values belong to the trace.
        guards: the decisions taken on the way.
        finite: the Values that eager evaluation would have refused if they were not finite.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.start = next_serial()
        self.guards: list[Guard] = []
        self.finite: list[Operand] = []

    def record(self, primitive: Primitive, inputs: tuple[Operand, ...]) -> Value:
        """Record a node whatever it depends on, with an edge to all that may need a gradient."""
        data = [_get_data(x) if isinstance(x, Value) else to_float(primitive, x) for x in inputs]
        prev: tuple[Any, ...] = ()
        if recording():
            differentiable = inputs[: len(inputs) - primitive.static]
            prev = tuple([x for x in differentiable if isinstance(x, Value) and x.requires_grad])
        return self.node(primitive, inputs, prev, primitive.evaluate(*data), bool(prev))

    def number(self, x: Value) -> Value:
        """Return a node for x that counts as a plain number."""
        result = self.detach(x)
        result.label = PLAIN
        return result

    def leaf(self, x: Value) -> Value:
        """Return a node of its own for x, which needs a gradient."""
        prev = (x,) if x.requires_grad and recording() else ()
        return self.node(primitives.identity, (x,), prev, _get_data(x), True)

    def detach(self, x: Value) -> Value:
        """Return a node for x that needs no gradient."""
        return self.node(primitives.identity, (x,), (), _get_data(x), False)

    def node(
        self,
        primitive: Primitive,
        inputs: tuple[Operand, ...],
        prev: tuple[Any, ...],
        data: float,
        requires_grad: bool,
    ) -> Value:
        """Return a node of the trace."""
        self_ = object.__new__(Traced)
        _set_data(self_, data)
        self_.grad, self_.label, self_.requires_grad = 0.0, "", requires_grad
        self_._op, self_._inputs, self_._prev, self_._partials = primitive, inputs, prev, ()
        self_._serial = next_serial()
        return self_

    def argument(self, data: float, requires_grad: bool, label: str) -> Value:
        """Return the Value that stands for a number of the arguments."""
        leaf = Traced(data, label)
        leaf.requires_grad = requires_grad
        return leaf

    def guard(self, function: Callable[..., Any], operands: tuple[Any, ...], outcome: Any) -> None:
        """Note a decision."""
        self.guards.append(Guard(function, operands, outcome))

    def refuse_backward(self) -> None:
        """Refuse what would happen only once."""
        raise _error(
            "backward() in a function that is compiled would run only while it is traced; compile "
            "value_and_grad(f), or call backward() on the result"
        )


@contextmanager
def tracing_with(trace: Trace) -> Iterator[None]:
    """Record into a trace, in the current thread or asyncio task."""
    token = trace_context.set(trace)
    try:
        yield
    finally:
        trace_context.reset(token)
