"""The error function and the gamma function."""

from typing import Any, TypeVar

from microgradlib.core import table
from microgradlib.core.value import Value
from microgradlib.functions.arguments import each

T = TypeVar("T", float, Value, Any)


def erf(x: T) -> T:
    """Return the error function of x.

    >>> erf(0.0)
    0.0
    """
    return each(table.erf, x)


def erfc(x: T) -> T:
    """Return 1 - erf(x), accurately for large x.

    >>> erfc(0.0)
    1.0
    """
    return each(table.erfc, x)


def gamma(x: T) -> T:
    """Return the gamma function of x.

    >>> gamma(5.0)
    24.0

    Raises ValueError where x is 0 or a negative integer, and OverflowError where the result is too
    large for a float: next to 0, and where x > 171.62.

    Source: derivative gamma(x) * digamma(x), Abramowitz and Stegun, 6.3.1.
    """
    return each(table.gamma, x)


def lgamma(x: T) -> T:
    """Return the natural logarithm of abs(gamma(x)).

    >>> lgamma(1.0)
    0.0

    Raises ValueError where x is 0 or a negative integer, and OverflowError where x > 2.55e305.

    Source: derivative digamma(x), Abramowitz and Stegun, 6.3.1.
    """
    return each(table.lgamma, x)
