"""What a function gets in place of its arguments while it is traced: Tracers and Numbers.

A Tracer stands for a Value, a Number for a plain number. What either can do without its number, it
does. What needs the number is refused, or becomes a decision that is checked at each call.
"""

import operator
from collections.abc import Callable, Sequence
from numbers import Complex, Integral
from typing import Any

from microgradlib.compiling.conditions import Condition
from microgradlib.compiling.source import is_number
from microgradlib.core.value import Operand, Value, observe
from microgradlib.errors import CompileError
from microgradlib.interpreters import current


class Tracer(Value):
    """A Value of a trace. The function that is traced cannot read its data."""

    __slots__ = ("_errors", "_given", "_number", "_symbol")

    _number: float  # its data while tracing
    _symbol: Any  # the Symbol, or float, that stands for it in the source
    _given: Operand | None  # the argument that it stands for; None if it was computed
    _errors: list[Exception]  # those of its trace

    @property
    def _data(self) -> float:  # type: ignore[override]
        """Raise a CompileError: the number would be frozen."""
        raise self._refusal(
            ".data of a traced Value would be frozen at its first number; compute with the Value, "
            "or return it and read .data outside"
        )

    @property
    def _grad(self) -> Any:
        """Raise a CompileError: the gradient of an argument is not known."""
        raise self._refusal(
            ".grad of a traced Value is not known; pass gradients as arguments of their own, or "
            "read them outside"
        )

    def __float__(self) -> float:
        raise self._refusal(
            "float() of a traced Value would be frozen at its first number; compute with the "
            "Value, and take functions from microgradlib.math instead of math"
        )

    __int__ = __complex__ = __float__  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        raise self._refusal(
            "a copy of a traced Value would be frozen at its first number; use it as is"
        )

    def __repr__(self) -> str:
        return current().text(self) if current().traces else repr(Value(self._number, self._label))

    def __format__(self, spec: str) -> str:
        return observe(float.__format__, self, spec) if spec else str(self)

    def _refusal(self, reason: str) -> CompileError:
        """Return the error, and note it: the function may catch it."""
        error = CompileError(f"compile: {reason if current().traces else LEAKED}")
        self._errors.append(error)
        return error


_LAST_INT = 2.0**53  # up to this number floats are exact
LEAKED = (
    "a Value that was traced is used when its trace is over, or in another thread; return what is "
    "to be kept, keep it outside of the function, and compute in one thread"
)


class Number(Tracer):
    """A number of a trace: a float, or another number that is an argument.

    Whatever depends on the number itself, such as its text or hash, is a decision.
    """

    __slots__ = ("_kind",)
    _plain = True

    _kind: type | None  # its class in eager evaluation; None if that may be int or another one

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class in eager evaluation, for ``isinstance``."""
        if current().traces:
            current().typed.append(self)
        if self._kind is None:
            raise self._refusal(
                "whether a number computed from ints is an int is not traced; pass floats"
            )
        return self._kind

    def _exact(self) -> Any:
        """Return the number; the trace is then one for this number alone."""
        kind = self.__class__
        observe(repr, self)
        if issubclass(kind, Integral) and abs(self._number) > _LAST_INT:
            raise self._refusal("an int beyond 2**53 is a float in a trace; pass floats")
        return kind(self._number) if self._given is None else self._given

    def __getattr__(self, name: str) -> Any:
        kind = self.__class__
        if callable(getattr(kind, name, None)):
            return lambda *args, **kwargs: getattr(self._exact(), name)(*args, **kwargs)
        if hasattr(kind, name):
            return getattr(self._exact(), name)
        hint = "; ask isinstance(x, float), as isinstance(x, Value) holds for traced numbers, too"
        hint *= hasattr(Value, name)
        raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}{hint}")

    def __hash__(self) -> int:
        if current().traces and not current().over:
            return observe(hash, self)
        return object.__hash__(self)

    def __repr__(self) -> str:
        return repr(self._exact()) if current().traces else repr(self._number)

    def __str__(self) -> str:
        return str(self._exact()) if current().traces else repr(self)

    def __format__(self, spec: str) -> str:
        return format(self._exact(), spec)

    def __neg__(self) -> Any:
        return self._like(super().__neg__())

    def __abs__(self) -> Any:
        return self._like(super().__abs__())

    def _like(self, y: Any) -> Any:
        y._kind = self._kind
        return y

    def __copy__(self) -> "Number":
        return self

    def __deepcopy__(self, memo: object) -> "Number":
        return self

    def __index__(self) -> int:
        raise self._refusal(
            "a traced number counts or indexes nothing: it would be frozen; use "
            "mg.select(values, i), or mg.scan(..., stop=n) for a loop"
        )

    def __floordiv__(self, other: object) -> Any:
        raise self._refusal(
            "// is not recorded; use microgradlib.math.floor(x / y), which is checked"
        )

    __rfloordiv__ = __divmod__ = __rdivmod__ = __floordiv__

    def __and__(self, other: object) -> Any:
        if self.__class__ is float:
            return NotImplemented
        raise self._refusal("operations on the bits of an int are not recorded; do them outside")

    __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __and__
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __and__

    def __invert__(self) -> Any:
        if self.__and__(0) is NotImplemented:
            raise TypeError("bad operand type for unary ~: 'float'")


def _absent(name: str) -> property:
    def read(self: Number) -> Any:
        raise AttributeError  # so that __getattr__ is asked

    def write(self: Number, x: object) -> None:
        self.__getattr__(name)

    return property(read, write)


for _name in dir(Value):  # a float has none of these
    if not _name.startswith("_"):
        setattr(Number, _name, _absent(_name))


def _arithmetic(name: str, operation: Callable[[Any, Any], Any], reflected: bool) -> Any:
    """Return the method for an operator, which also tells the class of the result."""
    method = getattr(Tracer, name)

    def arithmetic(self: Number, other: Any) -> Any:
        if reflected and isinstance(other, Value):
            return NotImplemented  # Python asks a subclass first: leave it to the left operand
        if type(other) is Condition:
            other = bool(other)
        y = method(self, other)
        if type(y) is Number:
            kinds = self._kind, other._kind if type(other) is Number else type(other)
            kinds = kinds[::-1] if reflected else kinds
            y._kind = _kind_of(operation, kinds, self if reflected else other)
            if y._kind is not None and not is_number(y._kind()):
                y = NotImplemented
        if y is NotImplemented and isinstance(other, Complex):
            raise self._refusal(
                f"arithmetic with {type(other).__name__} is not recorded; do it outside"
            )
        return y

    return arithmetic


def _kind_of(operation: Any, kinds: Sequence[Any], second: Any) -> type | None:
    """Return the class of a result from those of its operands, if it depends on nothing else."""
    if None in kinds:
        return None
    if operation is operator.pow and all(issubclass(kind, Integral) for kind in kinds):
        return int if type(second) is int and second >= 0 and kinds[0] is int else None
    return type(operation(kinds[0](1), kinds[1](1)))


for _name in ("add", "sub", "mul", "truediv", "mod", "pow"):
    for _place in ("", "r"):
        _method = f"__{_place}{_name}__"
        _operation = getattr(operator, _name)
        setattr(Number, _method, _arithmetic(_method, _operation, reflected=_place == "r"))
