"""Exponentials and logarithms, roots, trigonometric and hyperbolic functions.

They take all numbers but those for which they say that they raise.
"""

from typing import Any, TypeVar, overload

from microgradlib.core import table
from microgradlib.core.value import Value
from microgradlib.functions.arguments import each
from microgradlib.trees import elementwise

T = TypeVar("T", float, Value, Any)


def exp(x: T) -> T:
    """Return e to the power x; raises OverflowError where x > 709.78.

    >>> exp(0.0)
    1.0
    """
    return each(table.exp, x)


def exp2(x: T) -> T:
    """Return 2 to the power x; raises OverflowError where x >= 1024.

    >>> exp2(3.0)
    8.0
    """
    return each(table.exp2, x)


def expm1(x: T) -> T:
    """Return exp(x) - 1, accurately near 0; raises OverflowError where x > 709.78.

    >>> expm1(1e-20)
    1e-20
    """
    return each(table.expm1, x)


def log(x: T) -> T:
    """Return the natural logarithm of x; raises ValueError where x <= 0.

    >>> log(1.0)
    0.0
    """
    return each(table.log, x)


def log2(x: T) -> T:
    """Return the logarithm of x to base 2; raises ValueError where x <= 0.

    >>> log2(8.0)
    3.0
    """
    return each(table.log2, x)


def log10(x: T) -> T:
    """Return the logarithm of x to base 10; raises ValueError where x <= 0.

    >>> log10(1000.0)
    3.0
    """
    return each(table.log10, x)


def log1p(x: T) -> T:
    """Return log(1 + x), accurately near 0; raises ValueError where x <= -1.

    >>> log1p(1e-20)
    1e-20
    """
    return each(table.log1p, x)


def sqrt(x: T) -> T:
    """Return the square root of x; its derivative at 0 is infinite.

    >>> sqrt(9.0)
    3.0

    Raises ValueError where x < 0.
    """
    return each(table.sqrt, x)


def cbrt(x: T) -> T:
    """Return the cube root of x; its derivative at 0 is infinite.

    >>> cbrt(8.0)
    2.0
    """
    return each(table.cbrt, x)


@overload
def hypot(*xs: float) -> float: ...
@overload
def hypot(*xs: Any) -> Any: ...
def hypot(*xs: Any) -> Any:
    """Return the Euclidean length of the vector with the given coordinates.

    >>> hypot(3.0, 4.0)
    5.0

    Args:
        xs: any numbers; at the origin all partials are 0 by convention.
    """
    return elementwise("hypot", table.hypot, *xs) if len(xs) > 1 else table.hypot(*xs)


def sin(x: T) -> T:
    """Return the sine of x radians; raises ValueError where x is infinite.

    >>> sin(0.0)
    0.0
    """
    return each(table.sin, x)


def cos(x: T) -> T:
    """Return the cosine of x radians; raises ValueError where x is infinite.

    >>> cos(0.0)
    1.0
    """
    return each(table.cos, x)


def tan(x: T) -> T:
    """Return the tangent of x radians; raises ValueError where x is infinite.

    >>> tan(0.0)
    0.0
    """
    return each(table.tan, x)


def asin(x: T) -> T:
    """Return the arc sine of x in radians; its derivative at -1 and 1 is infinite.

    >>> asin(0.0)
    0.0

    Raises ValueError where abs(x) > 1.
    """
    return each(table.asin, x)


def acos(x: T) -> T:
    """Return the arc cosine of x in radians; its derivative at -1 and 1 is infinite.

    >>> acos(1.0)
    0.0

    Raises ValueError where abs(x) > 1.
    """
    return each(table.acos, x)


def atan(x: T) -> T:
    """Return the arc tangent of x in radians.

    >>> atan(0.0)
    0.0
    """
    return each(table.atan, x)


@overload
def atan2(y: float, x: float) -> float: ...
@overload
def atan2(y: Any, x: Any) -> Any: ...
def atan2(y: Any, x: Any) -> Any:
    """Return the angle in radians of the point (x, y), between -pi and pi.

    >>> atan2(0.0, 1.0)
    0.0

    Args:
        y: any number.
        x: any number; at the origin both partials are 0 by convention.
    """
    return elementwise("atan2", table.atan2, y, x)


def sinh(x: T) -> T:
    """Return the hyperbolic sine of x; raises OverflowError where abs(x) > 710.47.

    >>> sinh(0.0)
    0.0
    """
    return each(table.sinh, x)


def cosh(x: T) -> T:
    """Return the hyperbolic cosine of x; raises OverflowError where abs(x) > 710.47.

    >>> cosh(0.0)
    1.0
    """
    return each(table.cosh, x)


def tanh(x: T) -> T:
    """Return the hyperbolic tangent of x.

    >>> tanh(0.0)
    0.0
    """
    return each(table.tanh, x)


def asinh(x: T) -> T:
    """Return the inverse hyperbolic sine of x.

    >>> asinh(0.0)
    0.0
    """
    return each(table.asinh, x)


def acosh(x: T) -> T:
    """Return the inverse hyperbolic cosine of x; its derivative at 1 is infinite.

    >>> acosh(1.0)
    0.0

    Raises ValueError where x < 1.
    """
    return each(table.acosh, x)


def atanh(x: T) -> T:
    """Return the inverse hyperbolic tangent of x; raises ValueError where abs(x) >= 1.

    >>> atanh(0.0)
    0.0
    """
    return each(table.atanh, x)
