"""Comparison of rows in machine code with rows one by one."""

import dataclasses
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

import microgradlib as mg
from microgradlib import vmap


def same(x: Any, y: Any) -> bool:
    """Whether results are of the same classes and have the same numbers."""
    if isinstance(x, np.ndarray):
        kinds = [(z.dtype, z.shape, z.flags.c_contiguous) for z in (x, y)]
        return kinds[0] == kinds[1] and same(x.tolist(), y.tolist())
    if dataclasses.is_dataclass(x):
        return type(x) is type(y) and same(vars(x), vars(y))
    if isinstance(x, list | tuple | deque):
        return type(x) is type(y) and len(x) == len(y) and all(map(same, x, y))
    if isinstance(x, dict):
        return [*x] == [*y] and all(same(x[key], y[key]) for key in x)
    return type(x) is type(y) and (x == y or (x != x and y != y))


def check(f: Callable[..., Any], *args: Any, in_axes: Any = 0, out_axes: Any = 0) -> Any:
    """Compare the results for machine code with those of rows one by one."""
    found = vmap(mg.compile(f, backend="c"), in_axes, out_axes)(*args)
    assert same(found, vmap(mg.compile(f), in_axes, out_axes)(*args))
    return found
