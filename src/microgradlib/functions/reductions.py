"""Functions of sequences: sums, products, means, and those built on softmax."""

from collections.abc import Sequence
from typing import Any, overload

from microgradlib.core import table
from microgradlib.core.primitive import Primitive
from microgradlib.core.value import Operand
from microgradlib.errors import ShapeError
from microgradlib.functions.arguments import (
    at_least_one,
    classes_last,
    numbers_of,
    sequence,
    shape_of,
    whole_number,
)
from microgradlib.trees import as_list, converted_like, on_rows


@overload
def sum(xs: Sequence[float]) -> float: ...
@overload
def sum(xs: Any) -> Any: ...
def sum(xs: Any) -> Any:
    """Return the sum of xs, rounded once.

    >>> sum([0.1] * 10)
    1.0

    Args:
        xs: any numbers, also in nested lists and arrays; the sum of none is 0.

    Source: Shewchuk (1997), through ``math.fsum``.
    """
    return table.sum_(*numbers_of("sum", xs))


@overload
def mean(xs: Sequence[float]) -> float: ...
@overload
def mean(xs: Any) -> Any: ...
def mean(xs: Any) -> Any:
    """Return the arithmetic mean of xs.

    >>> mean([1.0, 2.0, 6.0])
    3.0

    Args:
        xs: at least one number, also in nested lists and arrays.

    Raises:
        ValueError: if xs is empty.
    """
    return table.mean(*at_least_one("mean", xs))


@overload
def prod(xs: Sequence[float]) -> float: ...
@overload
def prod(xs: Any) -> Any: ...
def prod(xs: Any) -> Any:
    """Return the product of xs; its gradient is right also where some of them are 0.

    >>> prod([2.0, 3.0, 4.0])
    24.0

    Both are accurate unless the product of some of xs leaves the range of floats.

    Args:
        xs: any numbers, also in nested lists and arrays; the product of none is 1.
    """
    xs = numbers_of("prod", xs)
    return table.prod(*xs) if xs else 1.0


@overload
def dot(ws: Sequence[float], xs: Sequence[float], bias: float = 0.0) -> float: ...
@overload
def dot(ws: Any, xs: Any, bias: Any = 0.0) -> Any: ...
def dot(ws: Any, xs: Any, bias: Any = 0.0) -> Any:
    """Return bias + ws[0] * xs[0] + ws[1] * xs[1] + ..., added from left to right, as one node.

    >>> dot([1.0, 2.0], [3.0, 4.0])
    11.0

    Args:
        ws: any numbers.
        xs: as many numbers as ws.
        bias: any number.

    Raises:
        ShapeError: if ws and xs differ in length.
    """
    ws, xs = sequence("dot", ws), sequence("dot", xs)
    if len(ws) != len(xs):
        raise ShapeError(f"dot: needs two sequences of one length, got {len(ws)} and {len(xs)}")
    return table.dot(bias, *ws, *xs)


@overload
def logsumexp(xs: Sequence[float]) -> float: ...
@overload
def logsumexp(xs: Any) -> Any: ...
def logsumexp(xs: Any) -> Any:
    """Return log(exp(xs[0]) + exp(xs[1]) + ...), for numbers of any size.

    >>> logsumexp([1000.0])
    1000.0

    Args:
        xs: at least one number, also in nested lists and arrays; that of several -inf is -inf, and
            has equal partials.

    Raises:
        ValueError: if xs is empty.

    Source: Blanchard, Higham and Higham (2021), IMA J. Numer. Anal. 41.
    """
    return table.logsumexp(*at_least_one("logsumexp", xs))


@overload
def softmax(xs: Sequence[float], dim: int | None = -1) -> list[float]: ...
@overload
def softmax(xs: Any, dim: int | None = -1) -> Any: ...
def softmax(xs: Any, dim: int | None = -1) -> Any:
    """Return exp(x) / (exp(xs[0]) + exp(xs[1]) + ...) for each x, for numbers of any size.

    >>> softmax([0.0, 0.0])
    [0.5, 0.5]

    Args:
        xs: at least one number, or nested lists or an array of them.
        dim: the axis along which the numbers belong together, from 0, or from -1 for the last. None
            is the last one, too, of at most two.

    Raises:
        ValueError: if xs is empty, none of them is above -inf, or several are inf; if dim is None
            and there are more than two axes.
        IndexError: if there is no such axis.
        ShapeError: if dim is not the last axis and rows differ in length.

    Source: Blanchard, Higham and Higham (2021), IMA J. Numer. Anal. 41.
    """
    return _for_each(table.softmax, xs, dim)


@overload
def log_softmax(xs: Sequence[float], dim: int | None = -1) -> list[float]: ...
@overload
def log_softmax(xs: Any, dim: int | None = -1) -> Any: ...
def log_softmax(xs: Any, dim: int | None = -1) -> Any:
    """Return log(softmax(xs)), accurately also where softmax is near 0 or 1.

    >>> log_softmax([0.0, -1000.0])
    [0.0, -1000.0]

    Args:
        xs: at least one number, or nested lists or an array of them.
        dim: the axis along which the numbers belong together, from 0, or from -1 for the last. None
            is the last one, too, of at most two.

    Raises:
        ValueError: if xs is empty, none of them is above -inf, or several are inf; if dim is None
            and there are more than two axes.
        IndexError: if there is no such axis.
        ShapeError: if dim is not the last axis and rows differ in length.

    Source: Blanchard, Higham and Higham (2021), IMA J. Numer. Anal. 41.
    """
    return _for_each(table.log_softmax, xs, dim)


def _for_each(primitive: Primitive, xs: Any, dim: int | None) -> Any:
    """Return the result of a primitive for each number of a row among the others."""

    def entries(row: Sequence[Operand]) -> list[Any]:
        numbers = at_least_one(primitive.name, row)
        return [primitive.entry(numbers, i) for i in range(len(numbers))]

    def along(x: Any, axis: int) -> Any:
        if axis:
            return [along(part, axis - 1) for part in as_list(x)]
        return _classes_first(on_rows(entries, classes_last(x)))

    if dim == -1:
        return on_rows(entries, xs)
    axes = len(shape_of(primitive.name, xs))
    if dim is None:
        if axes > 2:
            raise ValueError(f"{primitive.name}: pass dim, the axis to go along, of {axes} axes")
        return on_rows(entries, xs)
    dim = whole_number(f"{primitive.name}: dim", dim)
    if not -axes <= dim < axes:
        raise IndexError(f"{primitive.name}: dim must lie in [{-axes}, {axes - 1}], got {dim}")
    return converted_like(xs, along(xs, dim % axes))


def _classes_first(x: Any) -> Any:
    """Return nested lists with their last axis as the first one."""
    if not isinstance(x[0], list):
        return x
    return [[*row] for row in zip(*map(_classes_first, x), strict=True)]
