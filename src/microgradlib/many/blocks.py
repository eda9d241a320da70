"""The numbers of all rows, as machine code takes them and returns them."""

from array import array
from typing import Any, NamedTuple

from microgradlib.trees import Tree


class Block(NamedTuple):
    """The numbers of all rows of an argument, as doubles one after the other, and their address."""

    data: Any
    address: int
    width: int  # how many a row has


class Rows(NamedTuple):
    """The results of all rows.

    Attributes:
        numbers: those of all results, one after the other.
        like: a result with other numbers.
    """

    numbers: "array[float]"
    like: Tree
