"""The C functions that translated code calls: with the results and the errors of CPython's."""

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from microgradlib.compiling.clibrary import LIST, Signature, names_in

FLOAT, INT, BOOL, NONE = "double", "long long", "int", "void"
"""The types of C for those of Python."""

WHOLE = "whole"
"""An int that was made from a float: a double."""

VALUE, OVERFLOW, ZERO_DIVISION = 1, 2, 4
"""What ``*failed`` becomes where Python raises a ValueError, OverflowError, ZeroDivisionError."""


class Definition(NamedTuple):
    """A function in C: how it is called, its source, and what it uses that is not the prelude's."""

    signature: Signature
    text: str
    functions: dict[str, Callable[..., Any]]
    arrays: dict[str, str]


_CHECKED = {
    **dict.fromkeys(("acos", "acosh", "asin", "atanh", "cos", "sin", "tan"), VALUE),
    **dict.fromkeys(("log", "log2", "log10", "log1p"), VALUE),
    **dict.fromkeys(("exp", "exp2", "expm1", "cosh", "sinh"), OVERFLOW),
}
"""Functions of C with a test of the result, and what an infinite one is."""

_DIRECT = ("asinh", "atan", "cbrt", "copysign", "atan2", "erf", "erfc", "tanh")

BUILTINS: dict[Any, Signature] = {
    **{getattr(math, f): Signature(f, (FLOAT,), FLOAT) for f in _DIRECT},
    math.copysign: Signature("copysign", (FLOAT, FLOAT), FLOAT),
    math.atan2: Signature("atan2", (FLOAT, FLOAT), FLOAT),
    **{
        getattr(math, f): Signature(f"mg_{f}", (FLOAT,), FLOAT, VALUE | kind)
        for f, kind in _CHECKED.items()
    },
    math.sqrt: Signature("mg_sqrt", (FLOAT,), FLOAT, VALUE),
    math.fmod: Signature("mg_fmod", (FLOAT, FLOAT), FLOAT, VALUE),
    math.remainder: Signature("mg_remainder", (FLOAT, FLOAT), FLOAT, VALUE),
    math.pow: Signature("mg_pow", (FLOAT, FLOAT), FLOAT, VALUE | OVERFLOW),
    math.gamma: Signature("mg_gamma", (FLOAT,), FLOAT, VALUE | OVERFLOW),
    math.lgamma: Signature("mg_lgamma", (FLOAT,), FLOAT, VALUE | OVERFLOW),
    math.hypot: Signature("mg_hypot", (LIST,), FLOAT, star=True),
    math.fsum: Signature("mg_fsum", (LIST,), FLOAT, VALUE | OVERFLOW, work=(0, 1)),
    math.ldexp: Signature("mg_ldexp", (FLOAT, INT), FLOAT, OVERFLOW),
    math.fabs: Signature("mg_abs", (FLOAT,), FLOAT),
    math.isfinite: Signature("isfinite", (FLOAT,), BOOL),
    math.isinf: Signature("isinf", (FLOAT,), BOOL),
    math.isnan: Signature("isnan", (FLOAT,), BOOL),
    abs: Signature("mg_abs", (FLOAT,), FLOAT),
    float: Signature("mg_identity", (FLOAT,), FLOAT),
    sum: Signature("mg_sum", (LIST,), FLOAT),
}
"""By the function of Python."""


def c_name(function: Callable[..., Any]) -> str:
    """Return the name in C of a function that is translated."""
    return f"mg_{function.__name__}"


def number_text(x: float) -> str:
    """Return a number in C, exactly."""
    if isinstance(x, int):
        return str(int(x))
    if not math.isfinite(x):
        return "NAN" if x != x else "INFINITY" if x > 0.0 else "-INFINITY"
    return repr(x) if len(repr(x)) <= 6 else x.hex()


@functools.cache
def prelude() -> dict[str, str]:
    """Return the definitions by name; those of one name are for different versions of Python."""
    text = Path(__file__).with_name("prelude.c").read_text("ascii")
    found: dict[str, str] = {}
    for block in text.strip().split("\n\n"):
        name = names_in(block)[0]
        found[name] = f"{found[name]}\n\n{block}" if name in found else block
    for f, kind in _CHECKED.items():
        body = f"    return mg_checked({f}(x), x, {kind}, failed);"
        found[f"mg_{f}"] = f"static inline double mg_{f}(double x, int *failed)\n{{\n{body}\n}}"
    return found
