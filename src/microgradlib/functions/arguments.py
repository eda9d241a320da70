"""Checks of arguments, with errors that name the function and the remedy."""

import operator
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from math import inf, isfinite
from numbers import Real
from typing import Any, TypeVar

from microgradlib.core import table
from microgradlib.core.primitive import Primitive
from microgradlib.core.value import Operand, Value, apply
from microgradlib.errors import ShapeError, short
from microgradlib.numeric.conversion import refuse_table, to_float
from microgradlib.trees import as_list, elementwise, numbers_in

T = TypeVar("T")


def each(primitive: Primitive, x: T, *parameters: float) -> T:
    """Return a primitive of a number, or of each number in nested lists, tuples and arrays."""
    if isinstance(x, Value):
        return apply(primitive, (x, *parameters))  # type: ignore[return-value]
    if type(x) is float:
        return primitive.evaluate(x, *parameters)  # type: ignore[return-value, arg-type]
    return elementwise(primitive.name, lambda y: primitive(y, *parameters), x)  # type: ignore[no-any-return]


def plain_number(function: str, argument: str, x: float) -> float:
    """Return a number that is not differentiated, as a float."""
    if isinstance(x, Value):
        if x._plain:
            return x
        raise TypeError(
            f"{function}: {argument} must be a plain number, got {short(x)}; pass v.data if it "
            "needs no gradient"
        )
    return to_float(f"{function}: {argument}", x, "a plain number")


def whole_number(what: str, n: object) -> int:
    """Return anything that is a whole number for Python as an int; ``what`` names it in errors."""
    try:
        if not isinstance(n, bool):
            return operator.index(n)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise TypeError(f"{what} must be an int, got {short(n)}; convert it with int()")


def positive_number(what: str, n: object) -> int:
    """Return a whole number of at least 1 as an int; ``what`` names it in errors."""
    number = whole_number(what, n)
    if number < 1:
        raise ValueError(f"{what} must be at least 1, got {number}")
    return number


def check_flag(function: str, argument: str, x: object) -> bool:
    """Return ``x``, which must be True or False."""
    if not isinstance(x, bool):
        raise TypeError(f"{function}: {argument} must be True or False, got {short(x)}")
    return x


def check_number(
    function: str, argument: str, x: object, low: float = 0.0, below: float = inf, high: float = inf
) -> float:
    """Return ``x`` as a float, which must be finite, >= low, < below and <= high."""
    if isinstance(x, bool) or not isinstance(x, Real):
        raise TypeError(f"{function}: {argument} must be a number, got {short(x)}; pass a float")
    try:
        converted = float(x)
    except OverflowError:  # of a large int or fraction
        converted = inf
    if not (low <= converted < below and isfinite(converted)):
        bounds = f", >= {low:g}" * (low > -inf) + f" and < {below:g}" * (below < inf)
        raise ValueError(f"{function}: {argument} must be finite{bounds}, got {short(x)}")
    if converted > high:
        raise ValueError(f"{function}: {argument} must be <= {high:g}, got {short(x)}")
    return converted


def needs_gradient(x: object) -> bool:
    """Return whether x is a Value that needs a gradient."""
    return isinstance(x, Value) and x._requires_grad


def sequence(
    function: str, xs: Iterable[Operand], of: Callable[[Any], Iterable[Any]] = as_list
) -> list[Operand]:
    """Return an iterable of numbers as a list."""
    if type(xs) is not list:
        refuse_table(function, xs)
    try:
        return list(of(xs))
    except TypeError:
        raise TypeError(
            f"{function}: expected a sequence of numbers or Values, got {short(xs)}; wrap it in a "
            "list"
        ) from None


def numbers_of(function: str, xs: Iterable[Operand]) -> list[Operand]:
    """Return the numbers in nested lists and arrays as one list."""
    return sequence(function, xs, numbers_in)


def at_least_one(function: str, xs: Iterable[Operand]) -> list[Operand]:
    """Return the numbers in nested lists and arrays as one list; there must be one."""
    numbers = numbers_of(function, xs)
    if not numbers:
        raise ValueError(f"{function}: needs at least one number, got an empty sequence")
    return numbers


def shape_of(function: str, x: Any, filled: bool = False) -> tuple[int, ...]:
    """Return the lengths of nested lists or of an array along their axes.

    >>> shape_of("f", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    (2, 3)

    Raises:
        ShapeError: if rows differ in length, or one is empty although all must be ``filled``; it
            begins with ``function``.
    """
    x = x if isinstance(x, Value) else as_list(x)
    if isinstance(x, Value) or not isinstance(x, list | tuple | deque):
        return ()
    shapes = {shape_of(function, y, filled) for y in x}
    if len(shapes) > 1:
        raise ShapeError(
            f"{function}: rows must have one length, and {short([*x])} is not a tensor; make the "
            "lists in it equally long"
        )
    if filled and not shapes:
        raise ShapeError(f"{function}: {short([*x])} is not a tensor; give it an entry")
    return (len(x), *shapes.pop()) if shapes else (0,)


def nested(numbers: Iterator[Any], shape: Sequence[int]) -> Any:
    """Return nested lists in a shape of the next numbers.

    >>> nested(iter([1.0, 2.0, 3.0, 4.0]), (2, 2))
    [[1.0, 2.0], [3.0, 4.0]]
    """
    if len(shape) == 1:
        return [*islice(numbers, shape[0])]
    return [nested(numbers, shape[1:]) for _ in range(shape[0])] if shape else next(numbers)


def classes_last(x: Any) -> Sequence[Any]:
    """Return nested lists with their first axis as the last one.

    >>> classes_last([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]
    """
    rows = [*map(as_list, as_list(x))]
    if not rows or not isinstance(rows[0], list | tuple):
        return rows
    return [*map(classes_last, zip(*rows, strict=True))]


def check_reduction(function: str, reduction: object) -> None:
    """Refuse an unknown reduction."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(
            f"{function}: reduction must be 'none', 'mean' or 'sum', got {short(reduction)}"
        )


TOTALS = {"mean": table.mean, "sum": table.sum_}
"""What puts losses together, by reduction."""


def mean_of(function: str, total: Any, size: Any) -> Any:
    """Return a total divided by the sum of weights, or their number, which must not be 0."""
    if not isinstance(size, Value) and not size:
        raise ValueError(
            f"{function}: there is nothing to average: every target is ignored, or weights have "
            "the sum 0; leave the batch out, or pass reduction='sum'"
        )
    return table.divide(total, size)
