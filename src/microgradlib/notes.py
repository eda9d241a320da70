"""Texts about primitives for drawings and errors, which readers of the table do not need."""

from collections.abc import Iterable, Sequence
from math import isinf
from typing import Any

SYMBOLS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "modulo": "%",
    "power": "**",
    "power_c": "**",
    "negative": "neg",
    "maximum_c": "maximum",
    "minimum_c": "minimum",
    "mse": "mse_loss",
    "bce": "binary_cross_entropy",
    "bce_with_logits": "binary_cross_entropy_with_logits",
    # Those that only rules need, as the derivative of what a user wrote.
    **dict.fromkeys(("power_dx", "power_dy", "power_c_slope"), "**'"),
    "quotient_dy": "/'",
    "ratio": "/",
    "gate": "*",
    "direction": "hypot'",
    **dict.fromkeys(("above", "greater"), "maximum'"),
    "inside": "clip'",
    "match": "select'",
    "nearest": "round",
    "sign": "abs'",
    "jump": "abs''",
    "power_or_inf": "**",
    "bce_scale": "binary_cross_entropy'",
    "complement": "softmax'",
    "share": "softmax",
}
"""The sign of a primitive in a graph, if that is not its name."""


def sign_of(name: str) -> str:
    """Return what a graph shows for a primitive of the table: ``+``, ``tanh``, ``tanh'``."""
    return SYMBOLS.get(name) or name.replace("_prime", "'")


def called(name: str, inputs: Sequence[object]) -> str:
    """Return a call: of many inputs the first three and the last."""
    words = [*map(str, inputs)]
    if len(words) > 9:
        words[3:-1] = ["..."]
    return f"{name}({', '.join(words)})"


def written(sign: str, inputs: Sequence[Any]) -> str:
    """Return an operation as a reader would write it, or the derivative of one.

    >>> written("+", (1.0, 2.0)), written("**", (-8.0, 0.5)), written("tanh'", (1.0,))
    ('1.0 + 2.0', '(-8.0) ** 0.5', "tanh'(1.0)")

    A third input of the derivative of a power is its order:

    >>> written("**'", ("x", 3.0, 2.0))
    "(x ** 3.0)''"
    """
    if sign[0].isalpha():
        return called(sign, inputs)
    operator = sign.rstrip("'")
    left = str(inputs[0])
    left = f"({left})" if operator == "**" and left.startswith("-") else left
    text = f"{left} {operator} {inputs[1]}"
    order = int(float(inputs[2])) if len(inputs) > 2 else len(sign) - len(operator)
    return f"({text})" + "'" * order if order else text


NEEDS = {
    **dict.fromkeys(("fmod", "remainder"), "a finite x and a divisor other than 0"),
    **dict.fromkeys(("power", "power_c"), "a base >= 0, or a whole number as exponent"),
    **dict.fromkeys(("log", "log2", "log10"), "x > 0"),
    "log1p": "x > -1",
    "sqrt": "x >= 0",
    **dict.fromkeys(("sin", "tan"), "a finite x"),
    **dict.fromkeys(("asin", "acos"), "-1 <= x <= 1"),
    "acosh": "x >= 1",
    "atanh": "-1 < x < 1",
    **dict.fromkeys(("gamma", "lgamma"), "x other than 0, -1, -2, ..."),
    "bce": "a probability and a target, both from 0 to 1",
    "bce_with_logits": "a target from 0 to 1",
    **dict.fromkeys(("softmax", "log_softmax"), "an input above -inf, and at most one inf"),
    "select": "a whole number that counts the values from 0, last",
}
"""The inputs that a primitive needs, for the error outside of its domain."""

_DIVERGED = 1e30  # parameters get that large where the steps of a training are too long


def lr_hint(numbers: Iterable[float]) -> str:
    """Return what an error adds that some numbers led to, if they look like a divergence."""
    if any(abs(x) > _DIVERGED and not isinf(x) for x in numbers):
        return " (lower the learning rate, if this is a training)"
    return ""
