"""What workers do: value and gradient of each item, added without rounding."""

import functools
import pickle
from array import array
from collections.abc import Callable, Sequence
from itertools import zip_longest
from math import isfinite
from typing import Any, TypeAlias

from microgradlib.errors import NonFiniteError, ShapeError, short, shorten
from microgradlib.numeric.exact import partials
from microgradlib.parallel.tasks import NAME, Received, Task
from microgradlib.transforms.derivatives import value_and_grad
from microgradlib.transforms.recorded import Function, name_of, numbers_of
from microgradlib.trees import Tree, flatten, holds_doubles, rebuild, to_bytes

Row: TypeAlias = "array[float]"
"""A value and the numbers of its gradient; several rows stand for their sum."""

_BLOCK = 64  # rows that are collected before they are added: memory against time


class Sums:
    """Rows with the sum of all that were added."""

    def __init__(self) -> None:
        """Begin without rows."""
        self.rows: list[Row] = []
        self.limit = _BLOCK

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows; from time to time few are made of many."""
        self.rows += rows
        if len(self.rows) >= self.limit:
            self.condense()
            self.limit = 2 * len(self.rows) + _BLOCK

    def condense(self) -> None:
        """Make few rows of many, with the same sum to the last bit."""
        columns = map(partials, zip(*self.rows, strict=True))
        self.rows = [array("d", row) for row in zip_longest(*columns, fillvalue=0.0)]


def component(i: int, names: Sequence[str]) -> str:
    """Return what errors call an entry of a row."""
    return f"the derivative with respect to {names[i - 1]}" if i else "the value"


def add_up(task: Task) -> tuple[str, int, int, list[Row]]:
    """Return what names a task, the number of its items, and rows with their sum."""
    f, params, items = task.f.get(), task.params.get(), task.items.get()
    leaves, build = flatten(NAME, "params", params)
    names = [*leaves]
    if task.has_grad:
        flat = type(params) is list and {*map(type, params)} == {float}
        row_of: Callable[[Any], Row] = functools.partial(_given_row, f, params, names, flat)
    else:
        row_of = _differentiated(f, build, [*numbers_of([*leaves.values()])])
    sums, count = Sums(), 0
    for i, item in enumerate(items, task.first):
        try:
            row = row_of(item)
            if not all(map(isfinite, row)):
                j = next(j for j, x in enumerate(row) if not isfinite(x))
                raise NonFiniteError(
                    f"{NAME}: {component(j, names)} is {row[j]} at item {i}; leave the item out, "
                    "or change f where it overflows"
                )
        except Exception as error:
            error.add_note(f"{NAME}: {name_of(f)} raised this at item {i}")
            if isinstance(task.f, Received) and not _portable(error):
                raise _replaced(error) from None
            raise
        sums.add([row])
        count += 1
    sums.condense()
    return task.call, task.index, count, sums.rows


def _differentiated(f: Function, build: Any, numbers: list[float]) -> Callable[[Any], Row]:
    """Return the function that computes the row of an item, in a flat list of the parameters."""

    def flat(numbers: list[Any], item: Any) -> Any:
        return f(rebuild(build, numbers), item)

    flat.__name__ = name_of(f)
    derive = value_and_grad(flat)

    def row_of(item: Any) -> Row:
        value, gradient = derive(numbers, item)
        return array("d", numbers_of([value, *gradient]))

    return row_of


def _given_row(f: Function, params: Tree, names: list[str], flat: bool, item: Any) -> Row:
    """Return the row of an item from a function that returns value and gradient."""
    result = f(params, item)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise TypeError(
            f"{NAME}: with has_grad=True, {name_of(f)} must return a pair (value, gradient), got "
            f"{short(result)}"
        )
    value, gradient = result
    row = array("d", [value] if type(value) is float else _number(value))
    if flat and type(gradient) is list and len(gradient) == len(params):
        if {*map(type, gradient)} == {float}:  # the usual case, many times faster
            return row + array("d", gradient)
    elif holds_doubles(params) and holds_doubles(gradient) and _shape(gradient) == _shape(params):
        row.frombytes(to_bytes(gradient))
        return row
    leaves, _ = flatten(NAME, "gradient", gradient)
    if [x.removeprefix("gradient") for x in leaves] != [x.removeprefix("params") for x in names]:
        raise ShapeError(
            f"{NAME}: the gradient of {name_of(f)} must have the structure of params, got "
            f"{short(gradient)} for {short(params)}"
        )
    return row + array("d", numbers_of([*leaves.values()]))


def _number(value: Any) -> list[Any]:
    """Return a number, alone in a list."""
    leaves, build = flatten(NAME, "value", value)
    if build is not next:
        raise TypeError(f"{NAME}: the value of f must be a number, got {short(value)}")
    return [*numbers_of([*leaves.values()])]


def _shape(x: Any) -> Any:
    return x.shape if hasattr(x, "shape") else len(x)


def _portable(error: Exception) -> bool:
    """Return whether an error can be pickled; an error that cannot would break the whole pool."""
    try:
        again = pickle.loads(pickle.dumps(error))
    except Exception:  # whatever the methods of its class raise
        return False
    return type(again) is type(error) and again.__notes__ == error.__notes__


def _replaced(error: Exception) -> Exception:
    """Return an error with the text and the notes of another one."""
    new = RuntimeError(f"{type(error).__name__}: {shorten(error, 160)}")
    for note in error.__notes__:
        new.add_note(note)
    return new
