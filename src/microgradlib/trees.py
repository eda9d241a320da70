"""Nested arguments and results: taken apart into their numbers, and built again around others.

A tree is a number or a Value, or a list, tuple, dict or dataclass of trees, or a Module; any other
sequence of numbers, such as a NumPy array, counts as a list.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from microgradlib.primitives import to_float
from microgradlib.value import Operand, Value

Tree: TypeAlias = Any
Build: TypeAlias = Callable[[Iterator[Any]], Tree]
"""Builds a tree around the next numbers of an iterator."""


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
        TypeError: if it holds something but numbers, or keys of a dict look the same. Texts, flags
            and None as fields of a dataclass go along unchanged, and so does what is no parameter
            of a Module.
    """
    leaves: dict[str, Operand] = {}
    return leaves, _flatten(function, where, tree, leaves)


def rebuild(build: Build, leaves: Iterable[Any]) -> Tree:
    """Return the tree around the given leaves."""
    return build(iter(leaves))


def _flatten(function: str, where: str, tree: Tree, leaves: dict[str, Operand]) -> Build:
    def part(path: str, x: Tree) -> Build:
        return _flatten(function, where + path, x, leaves)

    if where in leaves:
        raise TypeError(f"{function}: two numbers are named {where}; use other keys")
    if isinstance(tree, Value):
        leaves[where] = tree
        return next
    if hasattr(tree, "_flatten"):  # a Module
        return tree._flatten(where, leaves)  # type: ignore[no-any-return]
    if hasattr(tree, "tolist"):  # an array, or a number of its own type
        tree = tree.tolist()
    if isinstance(tree, dict):
        parts = {key: part(f"[{key!r}]", x) for key, x in tree.items()}
        return lambda new: {key: build(new) for key, build in parts.items()}
    if isinstance(tree, Sequence) and not isinstance(tree, str | bytes):
        items = [part(f"[{i}]", x) for i, x in enumerate(tree)]
        kind = type(tree) if isinstance(tree, tuple) else list
        make = getattr(kind, "_make", kind)  # of a named tuple
        return lambda new: make([build(new) for build in items])
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = {
            field.name: part(f".{field.name}", x)
            for field in dataclasses.fields(tree)
            if not isinstance(x := getattr(tree, field.name), str | bytes | bool | None)
        }
        return lambda new: with_fields(tree, {k: build(new) for k, build in fields.items()})
    name = f"{function}: {where}"
    if isinstance(tree, bool):
        raise TypeError(f"{name}: expected a number, got {tree!r}; pass a float")
    leaves[where] = to_float(name, tree, "a number, or a list, tuple or dict of numbers")
    return next


def with_fields(tree: Any, fields: Mapping[str, Any]) -> Any:
    """Return a copy of a dataclass with other fields, past what its ``__init__`` does to them."""
    new = copy.copy(tree)
    for name, x in fields.items():
        object.__setattr__(new, name, x)  # also where it is frozen
    return new
