"""The rows of arguments."""

import functools
import sys
from array import array
from collections.abc import Callable, Iterable
from operator import index
from typing import Any, NamedTuple

from microgradlib.core.value import Value
from microgradlib.errors import ShapeError, short
from microgradlib.many.axes import Axes, depth_of, joined, normalized, of_parts
from microgradlib.many.blocks import (
    Blocks,
    blocks_of_array,
    blocks_of_list,
    blocks_of_parts,
    no_blocks,
)
from microgradlib.trees import ARRAYS, Kind, Tree, kind_of


class Column(NamedTuple):
    """The rows of an argument.

    Attributes:
        size: how many there are; None if the argument is the same for all.
        row: gives one of them.
        blocks: gives their numbers, where machine code can take them.
    """

    size: int | None
    row: Callable[[int], Any]
    blocks: Callable[[], Blocks]


def one_size(columns: Iterable[Column], owners: str, remedy: str) -> int | None:
    """Return how many rows all have that have any."""
    sizes = {x.size for x in columns if x.size is not None}
    if len(sizes) > 1:
        raise ShapeError(f"{owners} have {joined(sizes)} rows; pass equally many{remedy}")
    return sizes.pop() if sizes else None


def column_of(x: Tree, axis: Axes, path: str, remedy: str = "") -> Column:
    """Return the rows of an argument along an axis; ``remedy`` ends errors."""
    if axis is None or x is None:
        return Column(None, lambda i: x, list)
    arrays = isinstance(x, ARRAYS)
    flat = arrays or isinstance(x, array)
    kind = None if flat else kind_of(x)
    nested = isinstance(axis, (tuple, list, dict))
    if nested if flat else kind is None:
        raise ShapeError(f"{path} is {short(x)} and has no axis {short(axis)}; pass rows{remedy}")
    if kind and (nested or not isinstance(x, list)):
        return _parts(x, kind, axis, path, remedy)
    place = normalized(index(axis), x.ndim if arrays else depth_of(x), path)
    if arrays:
        numpy = sys.modules["numpy"]
        x = numpy.asarray(x)
        x = numpy.moveaxis(x, place, 0) if place else x
        row = x.item if x.ndim == 1 else x.__getitem__
        return Column(len(x), row, functools.partial(blocks_of_array, x))
    blocks = functools.partial(blocks_of_list, x) if place == 0 else no_blocks
    return Column(_length(x, place, path), functools.partial(_entry, x, place), blocks)


def _parts(x: Tree, kind: Kind, axes: Axes, path: str, remedy: str) -> Column:
    """Return the rows of a container, each of which holds the rows of its parts."""
    parts = dict(kind.parts(x))
    given = of_parts(axes, kind, x, path)
    columns = {
        key: column_of(part, given[key], path + kind.path(key), remedy)
        for key, part in parts.items()
    }
    return Column(
        one_size(columns.values(), f"{path}: its parts", remedy),
        lambda i: kind.build(x, {key: column.row(i) for key, column in columns.items()}),
        functools.partial(
            blocks_of_parts, {kind.path(key): column.blocks for key, column in columns.items()}
        ),
    )


def _length(x: Any, axis: int, path: str) -> int:
    """Return the number of entries of nested lists along an axis."""
    for _ in range(axis):
        sizes = {*map(len, x)}
        if len(sizes) > 1:
            raise ShapeError(
                f"{path} has lists of {joined(sizes)} entries, and no axis {axis}; pass lists of "
                "equal length"
            )
        x = x[0]
    return len(x)


def _entry(x: Any, axis: int, i: int) -> Any:
    """Return one entry of nested lists along an axis."""
    return x[i] if axis == 0 else [_entry(part, axis - 1, i) for part in x]


def has_array(x: Tree) -> bool:
    """Whether there is an array among the parts of a container."""
    if isinstance(x, Value):  # whose class is a decision if it is traced
        return False
    if isinstance(x, ARRAYS):
        return True
    if isinstance(x, list):
        return bool(x) and has_array(x[0])
    kind = kind_of(x)
    return kind is not None and any(has_array(part) for _, part in kind.parts(x))
