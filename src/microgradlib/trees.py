"""Nested arguments and results: taken apart into their numbers, and built again around others.

A tree is a number or a Value, or a container of trees: a list, tuple, dict, deque or dataclass, or
what another part of the library registers, such as a Module; or an array of numbers: of NumPy, of
the module ``array``, or a Series of pandas. What is built again is of the same class. This file
alone knows how each kind of container is walked. It imports neither NumPy nor pandas: an array of
theirs has brought them.
"""

import copy
import dataclasses
import sys
from abc import ABC
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from operator import methodcaller
from typing import Any, NamedTuple, TypeAlias

from microgradlib.core.value import Operand, Value
from microgradlib.errors import ShapeError, short, shorten
from microgradlib.numeric.conversion import to_number

Tree: TypeAlias = Any
Build: TypeAlias = Callable[[Iterator[Any]], Tree]
"""Builds a tree around the next numbers of an iterator."""


class Kind(NamedTuple):
    """A kind of container.

    Attributes:
        type: the class of its containers.
        parts: returns the parts of a container, each with its key.
        path: returns the text that stands for a key in the name of a part.
        build: returns a container like the given one around other parts, by key.
    """

    type: type
    parts: Callable[[Any], Iterable[tuple[Any, Tree]]]
    path: Callable[[Any], str]
    build: Callable[[Any, Mapping[Any, Any]], Tree]

    def map(self, f: Callable[[Tree], Any], tree: Tree) -> Tree:
        """Return a container like the given one, with f of each part."""
        return self.build(tree, {key: f(part) for key, part in self.parts(tree)})


class _Dataclass(ABC):  # noqa: B024 (there is nothing to override)
    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        return dataclasses.is_dataclass(other)


class _Array(ABC):  # noqa: B024
    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        return issubclass(other, getattr(sys.modules.get("numpy"), "ndarray", ()))


class _Series(ABC):  # noqa: B024
    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        return issubclass(other, getattr(sys.modules.get("pandas"), "Series", ()))


def _fields(x: Any) -> list[tuple[str, Any]]:
    """Return the fields of a dataclass that may hold numbers."""
    pairs = [(field.name, getattr(x, field.name)) for field in dataclasses.fields(x)]
    return [(name, y) for name, y in pairs if not isinstance(y, str | bytes | bool | None)]


def _with_items(x: Any, items: Mapping[Any, Any]) -> Any:
    new = copy.copy(x)  # of the same class
    for key, y in items.items():
        new[key] = y
    return new


def _with_fields(x: Any, fields: Mapping[str, Any]) -> Any:
    """Return a copy of a dataclass with other fields, past what its ``__init__`` does to them."""
    new = copy.copy(x)
    for name, y in fields.items():
        object.__setattr__(new, name, y)  # also where it is frozen
    return new


def _tuple_of(x: Any, items: Mapping[int, Any]) -> Any:
    make = getattr(x, "_make", type(x))  # a named tuple takes its fields one by one
    return make(items.values())


NESTS = (
    Kind(list, enumerate, "[{}]".format, _with_items),
    Kind(tuple, enumerate, "[{}]".format, _tuple_of),
    Kind(dict, methodcaller("items"), "[{!r}]".format, _with_items),
)
"""The kinds that only group what they hold: lists, tuples and dicts."""


def _entries(x: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Return the entries of an array by index."""
    return zip(product(*map(range, x.shape)), entries_of(x), strict=True)


def entries_of(x: Any) -> list[Any]:
    """Return the entries of an array, numbers as Python's own."""
    numbers = x.astype(float) if x.dtype.kind in "fiu" else x
    return [*sys.modules["numpy"].ravel(numbers).tolist()]


def _array_like(x: Any, entries: Mapping[Any, Any]) -> Any:
    """Return an array of floats, or of objects, in the shape of x.

    For arrays it is one array that has their axes after its own, and for other containers a
    container of arrays, as JAX has it: both are derivatives of the entries.
    """
    numpy, parts = sys.modules["numpy"], [*entries.values()]
    first = parts[0] if parts else 0.0
    if isinstance(first, ARRAYS):
        return numpy.stack(parts).reshape(x.shape + first.shape)
    if kind := kind_of(first):
        keys = [key for key, _ in kind.parts(first)]
        columns = zip(*[[y for _, y in kind.parts(part)] for part in parts], strict=True)
        arrays = [_array_like(x, dict(zip(entries, ys, strict=True))) for ys in columns]
        return kind.build(first, dict(zip(keys, arrays, strict=True)))
    others = object if x.dtype.kind in "fiuO" else x.dtype  # flags and texts stay what they are
    new = numpy.empty_like(x, float if all(type(y) is float for y in parts) else others)
    new.flat = parts
    return new


def _series_like(x: Any, entries: Mapping[Any, Any]) -> Any:
    new = _array_like(x.to_numpy(), entries)
    simple = isinstance(new, ARRAYS) and new.ndim == 1
    return type(x)(new, index=x.index, name=x.name) if simple else new


class _Entries(list[Any]):
    """The entries of an ``array.array`` while they are Values, which it cannot hold."""

    __slots__ = ()


def _doubles_like(x: Any, entries: Mapping[int, Any]) -> Any:
    parts = [*entries.values()]
    if any(isinstance(y, Value) for y in parts):
        return _Entries(parts)
    return array("d", parts) if {*map(type, parts)} <= {float} else parts


def holds_doubles(x: Any) -> bool:
    """Whether x is an array whose entries are taken as doubles."""
    if type(x) is array:
        return x.typecode in "df"
    return type(x) is getattr(sys.modules.get("numpy"), "ndarray", ()) and x.dtype.kind in "fiu"


def to_bytes(x: Any) -> bytes:
    """Return the entries of an array as doubles in memory; other numbers raise a TypeError."""
    if not holds_doubles(x):
        raise TypeError(f"expected an array of floats, got {short(x)}")
    data: bytes = (array("d", x) if isinstance(x, array) else x.astype(float)).tobytes()
    return data


def from_bytes(like: Any, data: bytes) -> Any:
    """Return an array like another one with these doubles."""
    if isinstance(like, array):
        return array("d", data)
    numpy = sys.modules["numpy"]
    new = numpy.ndarray(like.shape, float, bytearray(data))
    if like.flags.c_contiguous:
        return new
    other = numpy.empty_like(like, float)
    other[...] = new
    return other


def _at(index: tuple[int, ...]) -> str:
    return "".join(map("[{}]".format, index))


ARRAYS: tuple[type[Any], ...] = (_Array, _Series)
"""The classes of arrays, for isinstance."""

PLAIN = (
    Kind(_Entries, enumerate, "[{}]".format, _doubles_like),
    *NESTS,
    Kind(deque, enumerate, "[{}]".format, _with_items),
    Kind(array, enumerate, "[{}]".format, _doubles_like),
    Kind(_Array, _entries, _at, _array_like),
    Kind(_Series, lambda x: _entries(x.to_numpy()), _at, _series_like),
    Kind(_Dataclass, _fields, ".{}".format, _with_fields),
)
"""The kinds of which a copy holds the same."""

_kinds = [*PLAIN]


def register(kind: Kind) -> None:
    """Let containers of another kind be arguments and results; it is tried before the others."""
    _kinds.insert(0, kind)


def kind_of(x: Tree, kinds: Iterable[Kind] = _kinds) -> Kind | None:
    """Return the first kind that fits an object, or None."""
    if isinstance(x, Value):  # whose class is a decision if it is traced
        return None
    for kind in kinds:
        if isinstance(x, kind.type):
            return kind
    return None


def flatten(function: str, where: str, tree: Tree) -> tuple[dict[str, Operand], Build]:
    """Return the numbers of a tree by name, in order, and what builds such a tree around others.

    >>> leaves, build = flatten("f", "x", {"a": [1.0, 2.0], "b": 3.0})
    >>> leaves
    {"x['a'][0]": 1.0, "x['a'][1]": 2.0, "x['b']": 3.0}
    >>> build(iter("123"))
    {'a': ['1', '2'], 'b': '3'}

    Args:
        function: what to call the caller in an error message.
        where: what to call the tree.
        tree: the tree.

    Raises:
        TypeError: if it holds anything but numbers, or two keys of a dict look the same. Texts,
            flags and None in a dataclass stay unchanged, and so do the attributes of a Module that
            are not parameters.
    """
    leaves: dict[str, Operand] = {}
    return leaves, _flatten(function, where, tree, leaves)


def rebuild(build: Build, leaves: Iterable[Any]) -> Tree:
    """Return the tree around the given leaves."""
    return build(iter(leaves))


def _flatten(function: str, where: str, tree: Tree, leaves: dict[str, Operand]) -> Build:
    if where in leaves:
        raise TypeError(f"{function}: two numbers are named {shorten(where)}; use other keys")
    tree = as_number(tree)
    if type(tree) is float or isinstance(tree, Value):
        leaves[where] = tree
        return next
    name = f"{function}: {shorten(where)}"
    if kind := kind_of(tree):
        if kind in PLAIN:
            tree = copy.copy(tree)  # what is built then does not change with the original
        flat, path, build = isinstance(tree, ARRAYS), kind.path, kind.build
        parts = {}
        for key, x in kind.parts(tree):
            if flat and not isinstance(x, _NUMBERS) and kind_of(as_number(x)):
                raise TypeError(
                    f"{name}{path(key)}: expected a number, got {short(x)}; pass a list instead of "
                    "an array"
                )
            parts[key] = _flatten(function, where + path(key), x, leaves)
        return lambda new: build(tree, {key: part(new) for key, part in parts.items()})
    expected = "a number, or a list, tuple or dict of numbers"
    if hasattr(tree, "tolist") or isinstance(tree, range):
        raise TypeError(
            f"{name}: expected {expected}, got {short(tree)}; pass a list of its numbers"
        )
    leaves[where] = to_number(name, tree, expected)
    return next


def structure(tree: Tree) -> Any:
    """Return what is equal for trees that differ in their numbers only.

    >>> structure([1.0, {"a": 2.0}]) == structure([3.0, {"a": 4}])
    True
    """
    if isinstance(tree, Value):  # first, as the class of a traced number is a decision
        return float
    if isinstance(tree, ARRAYS):
        return _Array, tree.shape
    if isinstance(tree, array | _Entries):
        return array, len(tree)
    kind = kind_of(tree)
    if kind is None:
        return None if tree is None else float
    parts = [(key, structure(part)) for key, part in kind.parts(tree)]
    return type(tree), frozenset(parts) if isinstance(tree, dict) else tuple(parts)


def as_number(x: Any) -> Any:
    """Return an array without axes, or a number of an array, as Python's own number."""
    return x.tolist() if not isinstance(x, Value) and getattr(x, "shape", None) == () else x


def elementwise(name: str, f: Callable[..., Any], *xs: Tree) -> Tree:
    """Return f of numbers, or of each number in nested lists, tuples and arrays.

    >>> elementwise("add", lambda x, y: x + y, [1.0, [2.0, 3.0]], 4.0)
    [5.0, [6.0, 7.0]]

    A number goes with each entry of the others; arrays fit together as in NumPy. The result is of
    the class of the first container, or an array if one of them is.

    Raises:
        ShapeError: if lists or arrays do not fit together; errors begin with ``name``.
    """
    for x in xs:
        if not isinstance(x, _NUMBERS):
            break
    else:
        return f(*xs)
    xs = tuple(map(as_number, xs))
    if any(isinstance(x, ARRAYS) for x in xs):
        numpy = sys.modules["numpy"]
        shapes = [*map(numpy.shape, xs)]
        try:
            numpy.broadcast_shapes(*shapes)
        except ValueError:
            raise ShapeError(f"{name}: arrays of shapes {shapes} do not fit together") from None
        return of_floats(numpy.frompyfunc(f, len(xs), 1)(*xs))
    nests = [x for x in xs if isinstance(x, _LISTS)]
    if not nests:
        return f(*xs)
    count = len(nests[0])
    if any(len(x) != count for x in nests):
        raise ShapeError(f"{name}: lists of lengths {[*map(len, nests)]} do not fit together")
    columns = [x if isinstance(x, _LISTS) else [x] * count for x in xs]
    parts = [elementwise(name, f, *row) for row in zip(*columns, strict=True)]
    kind = next(kind for kind in PLAIN if isinstance(nests[0], kind.type))
    return kind.build(nests[0], dict(enumerate(parts)))


def on_rows(f: Callable[[Any], Any], x: Tree) -> Tree:
    """Return f of a row of numbers, or of each row of nested lists or of an array.

    >>> on_rows(max, [[1.0, 2.0], [3.0, 4.0]])
    [2.0, 4.0]
    """
    if isinstance(x, ARRAYS):
        return converted_like(x, on_rows(f, x.tolist()))
    nested = isinstance(x, list | tuple) and x and isinstance(as_number(x[0]), (*_LISTS, *ARRAYS))
    y = [on_rows(f, row) for row in x] if nested else f(x)
    return x._of(y) if hasattr(x, "_of") and isinstance(y, list) else y  # of a Parameter


def converted_like(x: Tree, y: Tree) -> Tree:
    """Return nested lists as an array if x is one; numbers stay numbers."""
    if isinstance(x, ARRAYS) and isinstance(y, list):
        return of_floats(sys.modules["numpy"].array(y, object))
    return y


def numbers_in(xs: Iterable[Any]) -> list[Any]:
    """Return the numbers in nested lists, tuples and arrays, in order.

    >>> numbers_in([1.0, [2.0, (3.0,)]])
    [1.0, 2.0, 3.0]
    """
    numbers = [*as_list(xs)]
    if all(issubclass(kind, _NUMBERS) for kind in {*map(type, numbers)}):
        return numbers
    parts = map(as_list, numbers)
    return [y for x in parts for y in (numbers_in(x) if isinstance(x, _LISTS) else (x,))]


def of_floats(x: Any) -> Any:
    """Return an array of objects as one of floats, if it holds nothing else."""
    return x.astype(float) if all(type(y) is float for y in sys.modules["numpy"].ravel(x)) else x


_NUMBERS = (Value, float, int)
_LISTS = (list, tuple, deque)


def as_list(x: Any) -> Any:
    """Return an array as nested lists, and a number of an array as Python's own."""
    return x.tolist() if hasattr(x, "tolist") else x


def set_data(values: Iterable[Value], data: Iterable[float]) -> None:
    """Assign the data of several Values, all of them or none.

    No Python code runs in between, so that an interrupt (Ctrl-C) comes before or after.
    """
    any(map(_assign_data, values, data))  # any() goes on, as each assignment returns None


_assign_data = Value.__dict__["_data"].__set__
