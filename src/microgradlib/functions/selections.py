"""Functions that return one of their arguments; no gradient flows to the others."""

from collections.abc import Sequence
from typing import Any, TypeVar, overload

from microgradlib.core import table
from microgradlib.core.primitive import Primitive
from microgradlib.core.value import Operand, Value
from microgradlib.functions.arguments import (
    at_least_one,
    each,
    needs_gradient,
    plain_number,
    sequence,
    whole_number,
)
from microgradlib.interpreters import current
from microgradlib.trees import elementwise

T = TypeVar("T", float, Value, Any)


@overload
def maximum(x: float, y: float, /, *more: float) -> float: ...
@overload
def maximum(x: Sequence[float], /) -> float: ...
@overload
def maximum(x: Any, /, *others: Any) -> Any: ...
def maximum(x: Any, /, *others: Any) -> Any:
    """Return the largest of several numbers, or of those in a list; NaN if one is NaN.

    >>> maximum(1.0, 2.0), maximum([1.0, 3.0, 2.0])
    (2.0, 3.0)

    Several lists or arrays go entry by entry. In a compiled function it takes the place of ``max``,
    and takes no decision.

    Args:
        x: any number; or alone, at least one number, also in nested lists and arrays.
        others: any numbers. Where k Values are the largest, the derivative in each is 1/k; where a
            constant is so, too, it is 0, so that ``maximum(x, 0.0)`` agrees with ``relu(x)``.

    Raises:
        ValueError: if the only argument holds no number.
    """
    return _extreme(table.maximum, table.maximum_c, x, others)


@overload
def minimum(x: float, y: float, /, *more: float) -> float: ...
@overload
def minimum(x: Sequence[float], /) -> float: ...
@overload
def minimum(x: Any, /, *others: Any) -> Any: ...
def minimum(x: Any, /, *others: Any) -> Any:
    """Return the smallest of several numbers, or of those in a list; NaN if one is NaN.

    >>> minimum(1.0, 2.0), minimum([3.0, 1.0, 2.0])
    (1.0, 1.0)

    Several lists or arrays go entry by entry.

    Args:
        x: any number; or alone, at least one number, also in nested lists and arrays.
        others: any numbers. Where k Values are the smallest, the derivative in each is 1/k; where
            a constant is so, too, it is 0.

    Raises:
        ValueError: if the only argument holds no number.
    """
    return _extreme(table.minimum, table.minimum_c, x, others)


def clip(x: T, low: float, high: float) -> T:
    """Return x, or the nearer edge where x lies outside [low, high].

    >>> clip(7.0, 0.0, 5.0)
    5.0

    Args:
        x: any number. The derivative is 1 strictly inside, and 0 at the edges and outside.
        low: a plain number.
        high: a plain number, at least low.

    Raises:
        ValueError: if low > high, or either is NaN.
        TypeError: if low or high is a Value; use maximum and minimum for edges with a gradient.
    """
    low, high = plain_number("clip", "low", low), plain_number("clip", "high", high)
    if not low <= high:
        raise ValueError(f"clip: low must be <= high, got low={low} and high={high}")
    return each(table.clip, x, low, high)


@overload
def where(condition: object, x: float, y: float) -> float: ...
@overload
def where(condition: object, x: Any, y: Any) -> Any: ...
def where(condition: object, x: Any, y: Any) -> Any:
    """Return x if the condition is true, else y; gradients flow to the one that was selected.

    >>> where(2.0 > 1.0, 10.0, 20.0)
    10.0

    Both x and y are computed before. In a compiled function a comparison of two numbers as the
    condition takes no decision.

    Args:
        condition: anything with a truth value.
        x: any number.
        y: any number. If one of x and y is a Value, the result is a Value.
    """
    return elementwise("where", _where, condition, x, y)


def select(values: Sequence[Operand], index: int | Value) -> Any:
    """Return values[index], where index may be an argument of a compiled function.

    >>> select([1.0, 2.0, 4.0], 2)
    4.0

    In a compiled function whole numbers, too, are Values, which cannot index a list. Elsewhere
    ``values[index]`` does.

    Args:
        values: any numbers.
        index: a whole number from 0 to len(values) - 1. The gradient flows to that value.

    Raises:
        TypeError: if index is not a whole number.
        ValueError: if it is out of range.
    """
    values = sequence("select", values)
    if isinstance(index, Value):
        return table.select(*values, current().detach(index))
    index = whole_number("select: index", index)
    if not 0 <= index < len(values):
        raise ValueError(f"select: index must lie in [0, {len(values)}), got {index}")
    return table.select(*values, float(index))


def _extreme(of_all: Primitive, with_constant: Primitive, x: Any, others: Sequence[Any]) -> Any:
    """Return the largest or smallest of several numbers, or of those in one list."""

    def extreme(*xs: Operand) -> Any:
        variables = [x for x in xs if needs_gradient(x)]
        constants = [x for x in xs if not needs_gradient(x)]
        if not (variables and constants):
            return of_all(*xs)
        first, *more = variables
        c, *rest = constants
        return with_constant(
            of_all(first, *more) if more else first, of_all(c, *rest) if rest else c
        )

    if others:
        return elementwise(of_all.name, extreme, x, *others)
    return extreme(*at_least_one(of_all.name, x))


def _where(condition: object, x: Operand, y: Operand) -> Any:
    return table.where(x, y, current().truth(condition))


def detach(x: T) -> T:
    """Return constants with the same data, cut off from the graph: of a tensor, ``v.detach()``.

    >>> [y.requires_grad for y in detach([Value(1.0), Value(2.0)])]
    [False, False]

    Args:
        x: a number or Value, or nested lists or an array of them; plain numbers stay what they are.
    """
    return elementwise("detach", lambda y: y.detach() if isinstance(y, Value) else y, x)  # type: ignore[no-any-return]
