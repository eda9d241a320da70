"""The results of all rows, one after the other."""

import sys
from array import array
from collections.abc import Sequence
from numbers import Number
from operator import index
from typing import Any

from microgradlib.core.value import Value
from microgradlib.errors import ShapeError, short
from microgradlib.many.axes import Axes, depth_of, joined, normalized, of_parts
from microgradlib.many.blocks import Rows
from microgradlib.trees import ARRAYS, Kind, Tree, flatten, kind_of


def of_machine(rows: Rows, size: int, axes: Axes, arrays: bool, path: str) -> Any:
    """Return the results of machine code along an axis."""
    if arrays:
        block = sys.modules["numpy"].frombuffer(rows.numbers).reshape(size, -1)
        return _of_block(block, rows.like, axes, path)
    _, build = flatten("vmap", "row", rows.like)
    numbers = iter(rows.numbers)
    return stacked([build(numbers) for _ in range(size)], axes, arrays, path)


def _of_block(block: Any, like: Tree, axes: Axes, path: str) -> Any:
    """Return results along an axis, of which the array ``block`` has the numbers as its rows."""
    kind = kind_of(like)
    nested = isinstance(axes, tuple | list | dict)
    listed = isinstance(like, (list, array))
    if type(like) is list and axes == 0 and {*map(type, like)} == {float}:  # as below, but faster
        return block.tolist()
    if axes is None or listed or (nested and (kind is None or isinstance(like, ARRAYS))):
        _, build = flatten("vmap", "row", like)
        return stacked([build(iter(row)) for row in block.tolist()], axes, True, path)
    if kind is None or isinstance(like, ARRAYS):
        shape = like.shape if kind else ()
        place = normalized(index(axes), 1 + len(shape), path)
        stack = block.reshape(-1, *shape)
        return (sys.modules["numpy"].moveaxis(stack, 0, place) if place else stack).copy()
    given, parts, start = of_parts(axes, kind, like, path), {}, 0
    for key, part in kind.parts(like):
        end = start + len(flatten("vmap", "row", part)[0])
        parts[key] = _of_block(block[:, start:end], part, given[key], path + kind.path(key))
        start = end
    return kind.build(like, parts)


def stacked(results: Sequence[Any], axes: Axes, arrays: bool, path: str) -> Any:
    """Return results one after the other along an axis."""
    first = results[0]
    kind = kind_of(first)
    for x in results:
        if kind_of(x) is not kind or (x is None) is not (first is None):
            raise ShapeError(_differing(path, first, x))
    if axes is None or first is None:
        if not all(_same(x, first) for x in results):
            raise ValueError(f"{path} is not the same for all rows; give it an axis in out_axes")
        return first
    nested = isinstance(axes, tuple | list | dict)
    if kind and (nested or not isinstance(first, (list, array, *ARRAYS))):
        return _grouped(results, kind, axes, arrays, path)
    if nested:
        raise ValueError(
            f"{path} is {short(first)}, without parts for the axes {short(axes)}; give one"
        )
    if not kind and not all(isinstance(x, Number | Value) for x in results):
        other = next(x for x in results if not isinstance(x, Number | Value))
        raise TypeError(f"{path} is {short(other)} for a row; return numbers and Values")
    place = normalized(index(axes), 1 + (depth_of(first) if kind else 0), path)
    if isinstance(first, ARRAYS):
        return sys.modules["numpy"].stack(results, place)
    if kind:
        return _listed(results, place)
    return _as_array(results) if arrays else [*results]


def _grouped(results: Sequence[Any], kind: Kind, axes: Axes, arrays: bool, path: str) -> Any:
    """Return one container with the stacks of the parts of all."""
    first = results[0]
    parts = [dict(kind.parts(x)) for x in results]
    for x, part in zip(results, parts, strict=True):
        if [*part] != [*parts[0]]:
            raise ShapeError(_differing(path, first, x))
    given = of_parts(axes, kind, first, path)
    stacks = {
        key: stacked([part[key] for part in parts], given[key], arrays, path + kind.path(key))
        for key in parts[0]
    }
    return kind.build(first, stacks)


def _differing(path: str, x: Any, y: Any) -> str:
    return f"{path} differs in structure from row to row: {short(x)} and {short(y)}"


def _listed(rows: Sequence[Any], axis: int) -> list[Any]:
    """Return rows as nested lists, one after the other along an axis."""
    if axis == 0:
        return [*rows]
    if len(sizes := {*map(len, rows)}) > 1:
        raise ShapeError(
            f"vmap: results of {joined(sizes)} entries cannot be stacked along axis {axis}; return "
            "equally many"
        )
    return [_listed(column, axis - 1) for column in zip(*rows, strict=True)]


def _as_array(xs: Sequence[Any]) -> Any:
    """Return numbers or Values as an array."""
    numpy = sys.modules["numpy"]
    new = numpy.empty(len(xs), object if any(isinstance(x, Value) for x in xs) else float)
    new[:] = xs
    return new


def _same(x: Any, y: Any) -> bool:
    """Whether results are the same object, or equal numbers."""
    if x is y:
        return True
    kind = kind_of(x)
    if kind is None:
        return type(x) is type(y) and not isinstance(x, Value) and repr(x) == repr(y)
    pairs = [*kind.parts(x)], [*kind.parts(y)] if isinstance(y, kind.type) else []
    return [key for key, _ in pairs[0]] == [key for key, _ in pairs[1]] and all(
        _same(a, b) for (_, a), (_, b) in zip(*pairs, strict=True)
    )
