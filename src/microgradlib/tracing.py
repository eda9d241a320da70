"""Tracing: what a function computes, recorded with all that its course depends on."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import isfinite
from types import FrameType
from typing import Any, NamedTuple

from microgradlib import primitives
from microgradlib.errors import CompileError, NonFiniteError
from microgradlib.instructions import Code, Symbol
from microgradlib.modes import nonfinite_allowed, recording, setting, trace_context
from microgradlib.primitives import Primitive, to_float
from microgradlib.value import Operand, Value, next_serial


class Traced(Value):
    """A Value of a trace: its data is hidden from the function that is traced."""

    __slots__ = ("hidden", "plain", "symbol")

    hidden: float  # its data, as the slot of that name is behind a property
    plain: bool  # whether it would be a float in eager evaluation
    symbol: Any  # the Symbol, or float, that stands for it in the source

    @property
    def data(self) -> float:
        """The number at the time of tracing, for the library only."""
        if trace_context.get() is None:
            raise _leaked()
        _refuse_user(
            ".data of a traced Value would be frozen at its first number; compute with the Value, "
            "or return it and read .data outside"
        )
        return self.hidden

    @data.setter
    def data(self, data: float) -> None:
        _refuse_user("the data of a traced Value cannot be set; make a new Value")
        self.hidden = data

    @property
    def grad(self) -> Any:
        """No gradient: that of the argument is not known."""
        if trace_context.get() is None:
            raise _leaked()
        _refuse_user(
            ".grad of a traced Value is not known; pass gradients as arguments of their own, or "
            "read them outside"
        )

    @grad.setter
    def grad(self, grad: Any) -> None:
        _refuse_user("the grad of a traced Value cannot be set; make a new Value")

    def __float__(self) -> float:
        raise _error(
            "float() of a traced Value would be frozen at its first number; compute with the "
            "Value, and take functions from microgradlib.math instead of math"
        )

    __int__ = __complex__ = __float__  # type: ignore[assignment]

    def __index__(self) -> int:
        raise _error(
            "a traced number counts or indexes nothing: it would be frozen; use "
            "mg.select(values, i), or make the function once for each count"
        )

    def __floordiv__(self, other: object) -> float:
        raise _error("// is not recorded; use microgradlib.math.floor(x / y), which is checked")

    __rfloordiv__ = __floordiv__

    def __reduce__(self) -> Any:
        raise _error("a copy of a traced Value would be frozen at its first number; use it as is")

    def __repr__(self) -> str:
        return repr(Value(self.hidden, self.label))

    def __format__(self, spec: str) -> str:
        if spec:
            raise _error("the text of a traced Value would be frozen; format the result outside")
        return str(self)


def _error(reason: str) -> CompileError:
    """Return the error that says what cannot be compiled, and in which line."""
    frame = user_frame()
    error = CompileError(f"compile: {reason} ({frame.f_code.co_filename}, line {frame.f_lineno})")
    if trace := trace_context.get():
        trace.note(error)
    return error


def _leaked() -> CompileError:
    return _error(
        "a Value that was traced is used when its trace is over; return what is to be kept, and "
        "keep it outside of the function"
    )


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


class Guard(NamedTuple):
    """A decision taken while tracing: the trace holds where it comes out the same."""

    function: Callable[..., Any]
    operands: tuple[Any, ...]
    outcome: Any


class Trace:
    """What is recorded while a function is traced.

    Attributes:
        code: the instructions that the recorded nodes become.
        start: the serial number from which on Values belong to the trace.
        captured: the Values from outside that were used, and what stands for them.
        guards: the decisions taken on the way.
        risky: what was computed and may raise, whether it is needed or not.
        differentiated: whether derivatives were taken.
        aux: whether any of them returned more than that.
        finite: the Values that eager evaluation would have refused if they were not finite.
        error: the first error that was raised, which the function may have caught.
        nodes: what was recorded. A list is freed from its end, and so no chain of nodes is freed by
            recursion in C.
    """

    def __init__(self, code: Code) -> None:
        """Start with nothing."""
        self.code = code
        self.start = next_serial()
        self.captured: dict[Value, Symbol] = {}
        self.guards: list[Guard] = []
        self.risky: list[Symbol] = []
        self.differentiated = self.aux = False
        self.finite: list[Operand] = []
        self.error: Exception | None = None
        self.nodes: list[Traced] = []

    def note(self, error: Exception) -> Exception:
        """Note an error that is about to be raised, and return it."""
        self.error = self.error or error
        return error

    def argument(self, x: Operand, name: str) -> Traced:
        """Return the Value that stands for a number of the arguments."""
        leaf = Traced(x.data, x.label) if isinstance(x, Value) else Traced(x)
        leaf.requires_grad = isinstance(x, Value) and x.requires_grad
        leaf.plain = not isinstance(x, Value)
        leaf.symbol = self.code.input(name)
        return leaf

    def record(self, primitive: Primitive, inputs: tuple[Operand, ...]) -> Traced:
        """Record a node whatever it depends on, with an edge to all that may need a gradient."""
        data, symbols, plain, start = [], [], True, self.start
        prev: list[Value] = []
        for x in inputs:
            if type(x) is Traced and x._serial > start:
                data.append(x.hidden)
                symbols.append(x.symbol)
                plain = plain and x.plain
                if x.requires_grad:
                    prev.append(x)
            elif isinstance(x, Value):
                data.append(x.data)
                symbols.append(self.symbol(x))
                plain = False
                if x.requires_grad:
                    prev.append(x)
            else:
                number = to_float(primitive, x)
                data.append(number)
                symbols.append(number)
        if not recording():
            prev = []
        elif primitive.static:
            differentiable = inputs[: len(inputs) - primitive.static]
            prev = [x for x in differentiable if isinstance(x, Value) and x.requires_grad]
        try:
            y = primitive.evaluate(*data)
        except Exception as error:
            self.note(error)
            raise
        symbol = self.code.apply(primitive, symbols)
        if type(symbol) is Symbol and symbol.template.risky:
            self.risky.append(symbol)
        edges = inputs if len(prev) == len(inputs) else tuple(prev)  # one tuple less in memory
        return self._node(primitive, inputs, edges, y, symbol, plain)

    def number(self, x: Value) -> Traced:
        """Return a node for x that counts as a plain number."""
        return self._identity(x, plain=True)

    def leaf(self, x: Value) -> Traced:
        """Return a node of its own for x, which needs a gradient."""
        result = self._identity(x, plain=False)
        result.requires_grad = True
        if x.requires_grad and recording():
            result._prev = (x,)
        return result

    def detach(self, x: Value) -> Traced:
        """Return a node for x that needs no gradient."""
        return self._identity(x, plain=type(x) is Traced and x.plain)

    def _identity(self, x: Value, plain: bool) -> Traced:
        return self._node(primitives.identity, (x,), (), x.data, self.symbol(x), plain)

    def _node(
        self,
        primitive: Primitive,
        inputs: tuple[Operand, ...],
        prev: tuple[Any, ...],
        data: float,
        symbol: Any,
        plain: bool,
    ) -> Traced:
        result = object.__new__(Traced)
        result.hidden = data
        result.label, result.requires_grad = "", bool(prev)
        result.symbol, result.plain = symbol, plain
        result._op, result._inputs, result._prev, result._partials = primitive, inputs, prev, ()
        result._serial = next_serial()
        self.nodes.append(result)
        return result

    def symbol(self, x: Operand) -> Any:
        """Return what stands for a number in the source."""
        if type(x) is Traced and x._serial > self.start:
            return x.symbol
        if not isinstance(x, Value):
            return float(x)
        if x._serial > self.start:  # a leaf made by the function itself
            return x.data
        if x not in self.captured:
            self.captured[x] = self.code.input("")
        return self.captured[x]

    def guard(self, function: Callable[..., Any], operands: tuple[Any, ...], outcome: Any) -> None:
        """Note a decision."""
        self.guards.append(Guard(function, operands, outcome))

    def refuse_nonfinite(self, numbers: list[Operand]) -> None:
        """Note numbers that eager evaluation refuses unless they are finite, and refuse them now.

        A function that is traced on with them might never end.
        """
        self.finite += numbers
        now = [x.data if isinstance(x, Value) else x for x in numbers]
        if not (nonfinite_allowed() or all(map(isfinite, now))):
            raise self.note(NonFiniteError())  # f itself says which

    def frozen(self, call: str) -> CompileError:
        """Return the error that refuses what is not recorded."""
        return _error(
            f"{call} of a traced Value would be frozen at its first number; compute it outside and "
            "pass it as an argument"
        )

    def refuse(self, call: str, where: str) -> None:
        """Refuse what would happen only once."""
        raise _error(
            f"{call} in a function that is compiled would run only while it is traced; compile "
            f"value_and_grad(f), or call {call} {where}"
        )

    def check_captured(self) -> None:
        """Refuse a function that left its numbers in Values from outside."""
        for x in self.captured:
            if isinstance(x.data, Traced) or isinstance(x.grad, Traced):
                x.data, x.grad = (
                    y.hidden if isinstance(y, Traced) else y for y in (x.data, x.grad)
                )
                raise CompileError(
                    f"compile: .data or .grad of {x!r} is assigned in the function, which would "
                    "happen only while it is traced; return the number and assign it outside"
                )


def tracing_with(trace: Trace) -> AbstractContextManager[None]:
    """Record into a trace, in the current thread or asyncio task."""
    return setting(trace_context, trace)
