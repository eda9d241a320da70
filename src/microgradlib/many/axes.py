"""Axes: where arguments and results have their rows."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from microgradlib.errors import short
from microgradlib.trees import ARRAYS, Kind, Tree

Axes: TypeAlias = Any
"""The axis of an argument or a result, None where it has none, or such axes for its parts."""


def check_axes(name: str, axes: Axes) -> None:
    """Check that axes are ints and None, nested in tuples, lists and dicts."""
    if isinstance(axes, tuple | list):
        parts: Iterable[Any] = axes
    elif isinstance(axes, dict):
        parts = axes.values()
    elif axes is None or (hasattr(axes, "__index__") and not isinstance(axes, bool)):
        return
    else:
        raise TypeError(
            f"vmap: {name} must hold ints and None, got {short(axes)}; give the number of the axis"
        )
    for part in parts:
        check_axes(name, part)


def of_parts(axes: Axes, kind: Kind, x: Tree, path: str) -> dict[Any, Axes]:
    """Return the axes of the parts of a container, by key."""
    keys = [key for key, _ in kind.parts(x)]
    if not isinstance(axes, tuple | list | dict):
        return dict.fromkeys(keys, axes)
    given = axes if isinstance(axes, dict) else dict(enumerate(axes))
    if {*given} != {*keys}:
        raise ValueError(
            f"{path} has the parts {short(keys)}, and its axes are {short(axes)}; give one "
            "for each part"
        )
    return dict(given)


def joined(sizes: Iterable[int]) -> str:
    """Return sizes that should be one, as an error shows them."""
    return " and ".join(map(str, sorted(sizes)))


def depth_of(x: Any) -> int:
    """Return the number of axes."""
    if isinstance(x, ARRAYS):
        return int(x.ndim)
    depth = 1
    while isinstance(x, list) and x and isinstance(x[0], list):
        x, depth = x[0], depth + 1
    return depth


def normalized(axis: int, depth: int, path: str) -> int:
    """Return the axis counted from the first, of so many."""
    if not -depth <= axis < depth:
        raise ValueError(
            f"{path} has {depth} {'axis' if depth == 1 else 'axes'}, got the axis {axis}; "
            f"the last one is {depth - 1}"
        )
    return axis % depth
