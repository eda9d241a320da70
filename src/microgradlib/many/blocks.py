"""The numbers of all rows, as machine code takes them and returns them."""

import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from microgradlib.trees import ARRAYS, Kind, Tree, flatten, kind_of

_EXACT = 2**53  # up to here every int is a double


class Block(NamedTuple):
    """The numbers of all rows of an argument, or of a part of one: doubles one after the other.

    Attributes:
        data: the object that holds them.
        width: how many a row has.
        mixed: whether some are ints and others floats.
        path: which part of a row they are, as ``['a'][0]``.
    """

    data: Any
    width: int
    mixed: bool = False
    path: str = ""


Blocks = list[Block] | None
"""None: there are no such numbers, and the rows go one by one."""


def no_blocks() -> Blocks:
    """Return None."""
    return None


def blocks_of_array(x: Any) -> Blocks:
    """Return the numbers of the rows of a NumPy array."""
    if x.dtype.kind not in "fiu" or x.dtype.itemsize > 8 or not x.size:
        return None
    if x.dtype.kind != "f" and not _are_exact([int(x.min()), int(x.max())]):
        return None
    x = sys.modules["numpy"].ascontiguousarray(x, float)
    return [Block(x, x.size // len(x))]


def blocks_of_list(x: Any) -> Blocks:
    """Return the numbers of the rows of a list or an ``array.array``."""
    if type(x) is array:
        if x.typecode == "d":
            return [Block(memoryview(x), 1)]  # while it is there, the array keeps its length
        if x.typecode != "f" and not _are_exact(x):
            return None
        return [Block(array("d", x), 1)]
    width, numbers = 1, x
    while (kinds := {*map(type, numbers)}) in ({list}, {tuple}):
        count = len(numbers[0])
        if {*map(len, numbers)} != {count}:
            return None
        width, numbers = width * count, [*chain.from_iterable(numbers)]
    if not kinds or not kinds <= {float, int}:
        return None
    if int in kinds and not _are_exact([y for y in numbers if type(y) is int]):
        return None
    return [Block(array("d", numbers), width, len(kinds) > 1)]


def blocks_of_parts(parts: Mapping[str, Callable[[], Blocks]]) -> Blocks:
    """Return the numbers of the rows of a container, from those of its parts by path."""
    found: list[Block] = []
    for path, blocks in parts.items():
        part = blocks()
        if part is None:
            return None
        found += [x._replace(path=path + x.path) for x in part]
    return found


def _are_exact(ints: Sequence[Any]) -> bool:
    """Whether doubles hold these ints; an array may hold texts in their place."""
    return type(ints[0]) is int and max(map(abs, ints)) <= _EXACT


class Part(NamedTuple):
    """A part of the results that has an axis: a number, list or array.

    Attributes:
        like: such a part, with other numbers.
        width: how many it has.
    """

    like: Tree
    width: int

    def new(self, size: int, arrays: bool) -> Any:
        """Return what will hold the numbers of all rows.

        Args:
            size: how many rows there are.
            arrays: whether numbers become an array of NumPy.
        """
        number = type(self.like) is float
        if arrays if number else isinstance(self.like, ARRAYS):
            shape = (size,) if number else (size, *self.like.shape)
            return sys.modules["numpy"].empty(shape)
        return array("d", (0.0,)) * (size * self.width)


class Rows(NamedTuple):
    """The results of all rows.

    Attributes:
        data: the numbers of all rows, for each part of the result.
        like: a result with other numbers.
    """

    data: list[Any]
    like: Tree


def group_of(x: Tree) -> Kind | None:
    """Return the kind of a result that only groups what has axes; None if it is no such result."""
    return None if isinstance(x, (float, list, array, *ARRAYS)) else kind_of(x)


def parts_of(like: Tree) -> list[Part]:
    """Return the parts of a result, of which all numbers are floats."""
    kind = group_of(like)
    if kind is None:
        return [Part(like, len(flatten("vmap", "row", like)[0]))]
    return [part for _, x in kind.parts(like) for part in parts_of(x)]
