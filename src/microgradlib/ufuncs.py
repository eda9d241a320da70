"""The method names that NumPy looks up on the entries of an array of objects.

``numpy.arcsin(array)`` calls ``entry.arcsin()`` of each entry; exp, sin and others have the names
of ``Operators``.

>>> round(Value(1.0).arcsin().data, 12)
1.570796326795
"""

from collections.abc import Callable
from typing import Any

from microgradlib import math
from microgradlib.core.value import Value


def _rounded(x: Value) -> float:
    return round(x, 0)


METHODS: dict[str, Callable[..., Any]] = {
    "arccos": math.acos,
    "arccosh": math.acosh,
    "arcsin": math.asin,
    "arcsinh": math.asinh,
    "arctan": math.atan,
    "arctan2": math.atan2,
    "arctanh": math.atanh,
    "conjugate": Value.__pos__,
    "deg2rad": math.radians,
    "degrees": math.degrees,
    "fabs": math.fabs,
    "fmod": math.fmod,
    "hypot": math.hypot,
    "rad2deg": math.degrees,
    "radians": math.radians,
    "rint": _rounded,
}
"""What each name does."""

for _name, _method in METHODS.items():
    setattr(Value, _name, _method)
