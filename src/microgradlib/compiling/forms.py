"""Primitives as Python expressions; those not listed are called as functions of floats."""

from collections.abc import Callable
from typing import Any

from microgradlib.numeric import piecewise, reductions

INLINE = "inline"
"""The function of floats is called with symbols, so that its arithmetic is written out."""

ENTRY = "entry"
"""A function in ``ENTRIES`` takes the list of all inputs and gives the results for all at once."""

_LARGER = "x if x >= y or x != x else y"
_SMALLER = "x if x <= y or x != x else y"
_SIGMOID = "e = exp(x if x < 0.0 else -x); q = 1.0 + e; p = e / q"

SOURCES = {
    "add": "x + y",
    "subtract": "x - y",
    "multiply": "x * y",
    "divide": "x / y",
    "modulo": "x % y",
    "negative": "-x",
    "abs": "abs(x)",
    "sigmoid": f"{_SIGMOID}; 1.0 / q if x >= 0.0 else p",
    "sigmoid_prime": f"{_SIGMOID}; p / q",
    "tanh_prime": "e = exp(-2.0 * abs(x)); q = 1.0 + e; 4.0 * e / q / q",
    "relu": "0.0 if x <= 0.0 else x",
    "where": "x if z else y",
    "maximum": _LARGER,
    "minimum": _SMALLER,
    "maximum_c": _LARGER,
    "minimum_c": _SMALLER,
    "greater": ENTRY,
    "prod": INLINE,
    "dot": INLINE,
    "mse": INLINE,
    "softmax": ENTRY,
    "log_softmax": ENTRY,
    "share": ENTRY,
    "sign": "1.0 if x > 0.0 else -1.0 if x < 0.0 else 0.0 if x == 0.0 else nan",
    "above": "1.0 if x > y else 0.0 if x <= y else nan",
    "jump": "0.0 if x < y or x > y else nan",
    "gate": "x * y if y != 0.0 else 0.0",
    "match": "1.0 if x == y else 0.0 if x < y or x > y else nan",
}
"""By name: Python in x, y, z for the inputs, with statements before the result after "; "."""

OF_TWO = ("maximum", "minimum")
"""The primitives of any number of inputs whose expression in ``SOURCES`` is for two."""

ENTRIES: dict[str, Callable[..., Any]] = {
    "greater": piecewise.leading,
    "softmax": reductions.softmax,
    "log_softmax": reductions.log_softmax,
    "share": reductions.shares,
}
