"""The decisions that a function takes while it is traced."""

import itertools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from microgradlib.compiling.symbols import Check
from microgradlib.compiling.templates import Template
from microgradlib.core.value import Operand, Value
from microgradlib.interpreters import shown_place


class Guard(NamedTuple):
    """A decision taken while tracing: the trace holds where it comes out the same."""

    function: Callable[..., Any]
    operands: tuple[Any, ...]
    outcome: Any

    def comparison(self, symbol: Callable[[Operand], Any]) -> Check | None:
        """Return the check of a comparison of numbers, as C has it, too; None for another one."""
        sign = COMPARISONS.get(self.function)
        if sign is None or not all(map(is_compared, self.operands)):
            return None
        pieces = ["{}" if isinstance(x, Value) else repr(x) for x in self.operands]
        operands = tuple([symbol(x) for x in self.operands if isinstance(x, Value)])
        text = f"{pieces[0]} {sign} {pieces[1]}".split("{}")
        gaps = tuple((i, 2) for i in range(len(operands)))
        return Check(Template(tuple(text), gaps, 0), operands, bool(self.outcome), True)


COMPARISONS = {
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.eq: "==",
    operator.ne: "!=",
}


def is_compared(x: object) -> bool:
    """Whether x is compared as a double."""
    return isinstance(x, Value) or type(x) is float or (type(x) is int and abs(x) <= 2**53)


class Decision(NamedTuple):
    """The text of what a decision came out as, and the file and line where it was taken."""

    outcome: str
    place: tuple[str, int]


def difference(before: list[Decision], now: list[Decision]) -> str:
    """Return where two traces part, as the warning says it; nothing if they do not."""
    for old, new in itertools.zip_longest(before, now):
        if old != new:
            return f", lately in {shown_place((new or old).place)}"
    return ""
