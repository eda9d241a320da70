"""What a comparison gives in a trace: a decision only if its truth is asked for."""

import math
import operator
from collections.abc import Callable
from typing import Any

from microgradlib.compiling.decisions import COMPARISONS, Guard
from microgradlib.compiling.templates import template


class Condition:
    """The outcome of a comparison of traced numbers.

    ``where`` takes it as a number of the trace. Whatever else is done with it is done with the
    bool, and is a decision then.
    """

    __slots__ = ("_decide", "guard")

    def __init__(self, guard: Guard, decide: Callable[[Guard], bool]) -> None:
        """Keep the comparison, and what notes it as a decision and returns its outcome."""
        self.guard = guard
        self._decide = decide

    def symbol(self, graph: Any, symbol: Callable[[Any], Any]) -> Any:
        """Return 1.0 or 0.0 as an instruction."""
        sign = COMPARISONS[self.guard.function]
        operands = [float(x) if type(x) is int else symbol(x) for x in self.guard.operands]
        return graph.instruction(template(f"1.0 if x {sign} y else 0.0", ("x", "y")), operands)

    def __bool__(self) -> bool:
        return self._decide(self.guard)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class in eager evaluation, for ``isinstance``."""
        return bool

    def __hash__(self) -> int:
        return hash(bool(self))

    def __format__(self, spec: str) -> str:
        return format(bool(self), spec)

    def __reduce__(self) -> Any:
        return bool, (bool(self),)


_UNARY: list[Any] = [operator.neg, operator.pos, operator.abs, operator.invert, operator.index]
_UNARY += [round, math.trunc, math.floor, math.ceil, int, float, complex, repr, str]
_BINARY = """
add sub mul truediv floordiv mod pow lshift rshift and_ or_ xor eq ne lt le gt ge"""


def _as_bool(operation: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *others: operation(bool(self), *map(_plain, others))


def _reflected(operation: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: operation(_plain(other), bool(self))


def _plain(x: Any) -> Any:
    return bool(x) if type(x) is Condition else x


for _operation in [*_UNARY, divmod, *[getattr(operator, name) for name in _BINARY.split()]]:
    _name = _operation.__name__.removesuffix("_")
    setattr(Condition, f"__{_name}__", _as_bool(_operation))
    if _operation not in _UNARY and _operation not in COMPARISONS:
        setattr(Condition, f"__r{_name}__", _reflected(_operation))
