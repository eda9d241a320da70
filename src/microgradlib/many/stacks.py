"""The results of all rows, one after the other."""

import sys
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from numbers import Number
from operator import index
from typing import Any

from microgradlib.core.value import Value
from microgradlib.errors import ShapeError, short
from microgradlib.many.axes import Axes, depth_of, joined, normalized, of_parts
from microgradlib.many.blocks import Rows, group_of, parts_of
from microgradlib.trees import ARRAYS, Kind, Tree, flatten, kind_of


def of_machine(rows: Rows, size: int, axes: Axes, arrays: bool, path: str) -> Any:
    """Return the results of machine code along an axis."""
    return _of_data(iter(rows.data), rows.like, size, axes, arrays, path)


def _of_data(
    data: Iterator[Any], like: Tree, size: int, axes: Axes, arrays: bool, path: str
) -> Any:
    """Return results along an axis, whose numbers the next of ``data`` hold, one for each part."""
    kind = group_of(like)
    if kind and axes is not None:
        given, new = of_parts(axes, kind, like, path), {}
        for key, part in kind.parts(like):
            path_ = path + kind.path(key)
            new[key] = _of_data(data, part, size, given[key], arrays, path_)
        return kind.build(like, new)
    if axes is None or isinstance(axes, (tuple, list, dict)) or isinstance(like, (list, array)):
        parts = parts_of(like)
        numbers = [_rows_of(next(data), part.width, size) for part in parts]
        if len(parts) == 1 and axes == 0 and {*map(type, like)} == {float} and type(like) is list:
            return numbers[0]
        _, build = flatten("vmap", "row", like)
        results = [build(chain(*row)) for row in zip(*numbers, strict=True)]
        return stacked(results or [like] * size, axes, arrays, path)
    block = next(data)
    listed = type(block) is array  # of numbers
    place = normalized(index(axes), 1 if listed else block.ndim, path)
    if listed:
        return block.tolist()
    return sys.modules["numpy"].moveaxis(block, 0, place).copy() if place else block


def _rows_of(data: Any, width: int, size: int) -> list[list[float]]:
    """Return the numbers of each row."""
    numbers = data.reshape(-1).tolist() if isinstance(data, ARRAYS) else data.tolist()
    return [numbers[i * width : (i + 1) * width] for i in range(size)]


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
    if not kind and not all(isinstance(x, Value | Number) for x in results):
        other = next(x for x in results if not isinstance(x, Value | Number))
        raise TypeError(f"{path} is {short(other)} for a row; return numbers and Values")
    place = normalized(index(axes), 1 + (depth_of(first) if kind else 0), path)
    if not kind:
        return _as_array(results) if arrays else [*results]
    if isinstance(first, ARRAYS):
        return sys.modules["numpy"].stack(results, place)
    return _listed(results, place)


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
