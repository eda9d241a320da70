"""Activation functions."""

from typing import Any, TypeVar

from microgradlib.core import table
from microgradlib.core.value import Operand, Value
from microgradlib.errors import short
from microgradlib.functions.arguments import each, plain_number
from microgradlib.functions.selections import where
from microgradlib.trees import elementwise

T = TypeVar("T", float, Value, Any)


def sigmoid(x: T) -> T:
    """Return 1 / (1 + exp(-x)), for x of any size.

    >>> sigmoid(0.0)
    0.5
    """
    return each(table.sigmoid, x)


def log_sigmoid(x: T) -> T:
    """Return log(sigmoid(x)), for x of any size.

    >>> log_sigmoid(-1000.0)
    -1000.0
    """
    return each(table.log_sigmoid, x)


def softplus(x: T, beta: float = 1.0, threshold: float = 20.0) -> T:
    """Return log(1 + exp(beta * x)) / beta, for x of any size.

    >>> softplus(1000.0)
    1000.0

    Args:
        x: any number.
        beta: a plain number other than 0.
        threshold: a plain number. Where beta * x is above it, the result is x; one of 20 or more
            changes nothing, as the exact function differs from PyTorch's by less than
            2.1e-9 / beta there.

    Raises:
        TypeError: if beta or threshold is not a plain number.
        ValueError: if beta is 0, infinite or NaN, or threshold is NaN.

    Source: Dugas et al., "Incorporating Second-Order Functional Knowledge" (2001).
    """
    beta = plain_number("softplus", "beta", beta)
    threshold = plain_number("softplus", "threshold", threshold)
    if not beta or beta - beta or threshold != threshold:  # inf - inf is NaN
        raise ValueError(
            f"softplus: beta must be finite and not 0, and threshold a number, got beta={beta} and "
            f"threshold={threshold}"
        )
    if threshold >= 20.0:
        return (
            each(table.softplus, x) if beta == 1.0 else elementwise("softplus", _softplus, x, beta)
        )

    def piecewise(y: Operand) -> Any:
        return where(y * beta > threshold, y, _softplus(y, beta))

    return elementwise("softplus", piecewise, x)  # type: ignore[no-any-return]


def _softplus(x: Operand, beta: float) -> Any:
    return table.divide(table.softplus(table.multiply(x, beta)), beta)


def relu(x: T) -> T:
    """Return max(x, 0); its derivative at 0 is 0.

    >>> relu(-2.0)
    0.0
    """
    return each(table.relu, x)


def leaky_relu(x: T, negative_slope: float = 0.01) -> T:
    """Return x where x > 0, else negative_slope * x.

    >>> leaky_relu(-2.0, 0.5)
    -1.0

    Args:
        x: any number; at 0 the derivative is the number nearest to 0 between negative_slope
            and 1.
        negative_slope: a plain number.

    Raises:
        TypeError: if negative_slope is not a plain number.
    """
    negative_slope = plain_number("leaky_relu", "negative_slope", negative_slope)
    return each(table.leaky_relu, x, negative_slope)


def elu(x: T, alpha: float = 1.0) -> T:
    """Return x where x > 0, else alpha * (exp(x) - 1).

    >>> elu(-1000.0, 2.0)
    -2.0

    Args:
        x: any number; at 0 the derivative is the number nearest to 0 between alpha and 1.
        alpha: a plain number.

    Raises:
        TypeError: if alpha is not a plain number.

    Source: Clevert, Unterthiner and Hochreiter (2015), arXiv:1511.07289.
    """
    alpha = plain_number("elu", "alpha", alpha)
    return each(table.elu, x, alpha)


def gelu(x: T, approximate: str = "none") -> T:
    """Return x * Phi(x), with Phi the normal distribution function.

    >>> gelu(0.0)
    0.0

    Args:
        x: any number.
        approximate: "none" for the exact function, "tanh" for
            0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))).

    Raises:
        ValueError: if approximate is neither "none" nor "tanh".

    Source: Hendrycks and Gimpel (2016), arXiv:1606.08415.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {short(approximate)}")
    return each(table.gelu if approximate == "none" else table.gelu_tanh, x)


def silu(x: T) -> T:
    """Return x * sigmoid(x), also called swish.

    >>> silu(0.0)
    0.0

    Source: Elfwing, Uchibe and Doya (2018), arXiv:1702.03118.
    """
    return each(table.silu, x)
