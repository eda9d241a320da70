"""The differentiable functions, on floats and Values alike: a float in gives a float out."""

from collections.abc import Sequence
from typing import Any, TypeVar, overload

from microgradlib import primitives
from microgradlib.errors import ShapeError
from microgradlib.primitives import Primitive, to_float
from microgradlib.value import Operand, Value, stands_for_number

T = TypeVar("T", float, Value)


def exp(x: T) -> T:
    """Return e to the power x.

    >>> exp(0.0)
    1.0

    Args:
        x: any number below 709.78.

    Raises:
        OverflowError: if the result is too large for a float.
    """
    return primitives.exp(x)


def exp2(x: T) -> T:
    """Return 2 to the power x.

    >>> exp2(3.0)
    8.0

    Args:
        x: any number below 1024.

    Raises:
        OverflowError: if the result is too large for a float.
    """
    return primitives.exp2(x)


def expm1(x: T) -> T:
    """Return exp(x) - 1, accurately near 0.

    >>> expm1(1e-20)
    1e-20

    Args:
        x: any number below 709.78.

    Raises:
        OverflowError: if the result is too large for a float.
    """
    return primitives.expm1(x)


def log(x: T) -> T:
    """Return the natural logarithm of x.

    >>> log(1.0)
    0.0

    Args:
        x: a positive number.

    Raises:
        ValueError: if x <= 0.
    """
    return primitives.log(x)


def log2(x: T) -> T:
    """Return the logarithm of x to base 2.

    >>> log2(8.0)
    3.0

    Args:
        x: a positive number.

    Raises:
        ValueError: if x <= 0.
    """
    return primitives.log2(x)


def log10(x: T) -> T:
    """Return the logarithm of x to base 10.

    >>> log10(1000.0)
    3.0

    Args:
        x: a positive number.

    Raises:
        ValueError: if x <= 0.
    """
    return primitives.log10(x)


def log1p(x: T) -> T:
    """Return log(1 + x), accurately near 0.

    >>> log1p(1e-20)
    1e-20

    Args:
        x: a number above -1.

    Raises:
        ValueError: if x <= -1.
    """
    return primitives.log1p(x)


def sqrt(x: T) -> T:
    """Return the square root of x; its slope at 0 is infinite.

    >>> sqrt(9.0)
    3.0

    Args:
        x: a number >= 0.

    Raises:
        ValueError: if x < 0.
    """
    return primitives.sqrt(x)


def cbrt(x: T) -> T:
    """Return the cube root of x; its slope at 0 is infinite.

    >>> cbrt(8.0)
    2.0

    Args:
        x: any number.
    """
    return primitives.cbrt(x)


def sin(x: T) -> T:
    """Return the sine of x.

    >>> sin(0.0)
    0.0

    Args:
        x: an angle in radians, finite.

    Raises:
        ValueError: if x is infinite.
    """
    return primitives.sin(x)


def cos(x: T) -> T:
    """Return the cosine of x.

    >>> cos(0.0)
    1.0

    Args:
        x: an angle in radians, finite.

    Raises:
        ValueError: if x is infinite.
    """
    return primitives.cos(x)


def tan(x: T) -> T:
    """Return the tangent of x.

    >>> tan(0.0)
    0.0

    Args:
        x: an angle in radians, finite.

    Raises:
        ValueError: if x is infinite.
    """
    return primitives.tan(x)


def asin(x: T) -> T:
    """Return the arc sine of x in radians; its slope at -1 and 1 is infinite.

    >>> asin(0.0)
    0.0

    Args:
        x: between -1 and 1.

    Raises:
        ValueError: if x lies outside [-1, 1].
    """
    return primitives.asin(x)


def acos(x: T) -> T:
    """Return the arc cosine of x in radians; its slope at -1 and 1 is infinite.

    >>> acos(1.0)
    0.0

    Args:
        x: between -1 and 1.

    Raises:
        ValueError: if x lies outside [-1, 1].
    """
    return primitives.acos(x)


def atan(x: T) -> T:
    """Return the arc tangent of x in radians.

    >>> atan(0.0)
    0.0

    Args:
        x: any number.
    """
    return primitives.atan(x)


def sinh(x: T) -> T:
    """Return the hyperbolic sine of x.

    >>> sinh(0.0)
    0.0

    Args:
        x: any number between -710.47 and 710.47.

    Raises:
        OverflowError: if the result is too large for a float.
    """
    return primitives.sinh(x)


def cosh(x: T) -> T:
    """Return the hyperbolic cosine of x.

    >>> cosh(0.0)
    1.0

    Args:
        x: any number between -710.47 and 710.47.

    Raises:
        OverflowError: if the result is too large for a float.
    """
    return primitives.cosh(x)


def tanh(x: T) -> T:
    """Return the hyperbolic tangent of x.

    >>> tanh(0.0)
    0.0

    Args:
        x: any number.
    """
    return primitives.tanh(x)


def asinh(x: T) -> T:
    """Return the inverse hyperbolic sine of x.

    >>> asinh(0.0)
    0.0

    Args:
        x: any number.
    """
    return primitives.asinh(x)


def acosh(x: T) -> T:
    """Return the inverse hyperbolic cosine of x; its slope at 1 is infinite.

    >>> acosh(1.0)
    0.0

    Args:
        x: a number >= 1.

    Raises:
        ValueError: if x < 1.
    """
    return primitives.acosh(x)


def atanh(x: T) -> T:
    """Return the inverse hyperbolic tangent of x.

    >>> atanh(0.0)
    0.0

    Args:
        x: between -1 and 1, ends excluded.

    Raises:
        ValueError: if abs(x) >= 1.
    """
    return primitives.atanh(x)


def erf(x: T) -> T:
    """Return the error function of x.

    >>> erf(0.0)
    0.0

    Args:
        x: any number.
    """
    return primitives.erf(x)


def erfc(x: T) -> T:
    """Return 1 - erf(x), accurately for large x.

    >>> erfc(0.0)
    1.0

    Args:
        x: any number.
    """
    return primitives.erfc(x)


def gamma(x: T) -> T:
    """Return the gamma function of x.

    >>> gamma(5.0)
    24.0

    Args:
        x: any number but 0 and the negative integers, up to 171.62.

    Raises:
        ValueError: if x is 0 or a negative integer.
        OverflowError: if the result is too large for a float.

    Source: derivative gamma(x) * digamma(x), Abramowitz and Stegun, 6.3.1.
    """
    return primitives.gamma(x)


def lgamma(x: T) -> T:
    """Return the natural logarithm of abs(gamma(x)).

    >>> lgamma(1.0)
    0.0

    Args:
        x: any number but 0 and the negative integers.

    Raises:
        ValueError: if x is 0 or a negative integer.
        OverflowError: if the result is too large for a float.

    Source: derivative digamma(x), Abramowitz and Stegun, 6.3.1.
    """
    return primitives.lgamma(x)


def sigmoid(x: T) -> T:
    """Return 1 / (1 + exp(-x)), for x of any size.

    >>> sigmoid(0.0)
    0.5

    Args:
        x: any number.
    """
    return primitives.sigmoid(x)


def log_sigmoid(x: T) -> T:
    """Return log(sigmoid(x)), for x of any size.

    >>> log_sigmoid(-1000.0)
    -1000.0

    Args:
        x: any number.
    """
    return primitives.log_sigmoid(x)


def softplus(x: T) -> T:
    """Return log(1 + exp(x)), for x of any size.

    >>> softplus(1000.0)
    1000.0

    Args:
        x: any number.

    Source: Dugas et al., "Incorporating Second-Order Functional Knowledge" (2001).
    """
    return primitives.softplus(x)


def relu(x: T) -> T:
    """Return max(x, 0); its slope at 0 is 0.

    >>> relu(-2.0)
    0.0

    Args:
        x: any number.
    """
    return primitives.relu(x)


def silu(x: T) -> T:
    """Return x * sigmoid(x), also called swish.

    >>> silu(0.0)
    0.0

    Args:
        x: any number.

    Source: Elfwing, Uchibe and Doya (2018), arXiv:1702.03118.
    """
    return primitives.silu(x)


@overload
def atan2(y: float, x: float) -> float: ...
@overload
def atan2(y: Value, x: Operand) -> Value: ...
@overload
def atan2(y: Operand, x: Value) -> Value: ...
def atan2(y: Operand, x: Operand) -> Operand:
    """Return the angle in radians of the point (x, y), between -pi and pi.

    >>> atan2(0.0, 1.0)
    0.0

    Args:
        y: any number.
        x: any number; at the origin both partials are 0 by decree.
    """
    return primitives.atan2(y, x)


@overload
def hypot(*xs: float) -> float: ...
@overload
def hypot(*xs: Operand) -> Operand: ...
def hypot(*xs: Operand) -> Operand:
    """Return the Euclidean length of the vector with the given coordinates.

    >>> hypot(3.0, 4.0)
    5.0

    Args:
        xs: any numbers; at the origin all partials are 0.
    """
    return primitives.hypot(*xs)


@overload
def maximum(x: float, y: float) -> float: ...
@overload
def maximum(x: Value, y: Operand) -> Value: ...
@overload
def maximum(x: Operand, y: Value) -> Value: ...
def maximum(x: Operand, y: Operand) -> Operand:
    """Return the larger of x and y; NaN if either is.

    >>> maximum(1.0, 2.0)
    2.0

    Args:
        x: any number.
        y: any number. At a tie each of two Values has slope 1/2; against a constant it is 0, so
            that ``maximum(x, 0.0)`` agrees with ``relu(x)``.
    """
    if not _needs_grad(x):
        x, y = y, x
    if not _needs_grad(y):
        return primitives.maximum_c(x, y)
    return primitives.maximum(x, y)


@overload
def minimum(x: float, y: float) -> float: ...
@overload
def minimum(x: Value, y: Operand) -> Value: ...
@overload
def minimum(x: Operand, y: Value) -> Value: ...
def minimum(x: Operand, y: Operand) -> Operand:
    """Return the smaller of x and y; NaN if either is.

    >>> minimum(1.0, 2.0)
    1.0

    Args:
        x: any number.
        y: any number. At a tie each of two Values has slope 1/2; against a constant it is 0.
    """
    if not _needs_grad(x):
        x, y = y, x
    if not _needs_grad(y):
        return primitives.minimum_c(x, y)
    return primitives.minimum(x, y)


def clip(x: T, low: float, high: float) -> T:
    """Return x, or the nearer edge where x lies outside [low, high].

    >>> clip(7.0, 0.0, 5.0)
    5.0

    Args:
        x: any number. The slope is 1 strictly inside and 0 at the edges and outside.
        low: a plain number.
        high: a plain number, at least low.

    Raises:
        ValueError: if low > high, or either is NaN.
        TypeError: if low or high is a Value; use maximum and minimum for edges with a gradient.
    """
    low, high = _plain("clip", "low", low), _plain("clip", "high", high)
    if not low <= high:
        raise ValueError(f"clip: low must be <= high, got low={low} and high={high}")
    return primitives.clip(x, low, high)  # type: ignore[return-value]


@overload
def where(condition: object, x: float, y: float) -> float: ...
@overload
def where(condition: object, x: Operand, y: Operand) -> Operand: ...
def where(condition: object, x: Operand, y: Operand) -> Operand:
    """Return x if the condition is true, else y; gradients flow to the one that was selected.

    >>> where(2.0 > 1.0, 10.0, 20.0)
    10.0

    Args:
        condition: anything with a truth value.
        x: any number.
        y: any number. If one of x and y is a Value, the result is a Value.
    """
    return primitives.where(x, y, 1.0 if condition else 0.0)


def leaky_relu(x: T, negative_slope: float = 0.01) -> T:
    """Return x where x > 0, else negative_slope * x.

    >>> leaky_relu(-2.0, 0.5)
    -1.0

    Args:
        x: any number; at 0 the slope is the one nearest to 0 between negative_slope and 1.
        negative_slope: a plain number.

    Raises:
        TypeError: if negative_slope is not a plain number.
    """
    slope = _plain("leaky_relu", "negative_slope", negative_slope)
    return primitives.leaky_relu(x, slope)  # type: ignore[return-value]


def elu(x: T, alpha: float = 1.0) -> T:
    """Return x where x > 0, else alpha * (exp(x) - 1).

    >>> elu(-1000.0, 2.0)
    -2.0

    Args:
        x: any number; at 0 the slope is the one nearest to 0 between alpha and 1.
        alpha: a plain number.

    Raises:
        TypeError: if alpha is not a plain number.

    Source: Clevert, Unterthiner and Hochreiter (2015), arXiv:1511.07289.
    """
    alpha = _plain("elu", "alpha", alpha)
    return primitives.elu(x, alpha)  # type: ignore[return-value]


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
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    row = primitives.gelu if approximate == "none" else primitives.gelu_tanh
    return row(x)


@overload
def sum(xs: Sequence[float]) -> float: ...
@overload
def sum(xs: Sequence[Operand]) -> Operand: ...
def sum(xs: Sequence[Operand]) -> Operand:
    """Return the sum of xs, rounded once.

    >>> sum([0.1] * 10)
    1.0

    Args:
        xs: any numbers; none of them sum to 0.

    Source: Shewchuk (1997), through ``math.fsum``.
    """
    return primitives.sum_(*_sequence("sum", xs))


@overload
def mean(xs: Sequence[float]) -> float: ...
@overload
def mean(xs: Sequence[Operand]) -> Operand: ...
def mean(xs: Sequence[Operand]) -> Operand:
    """Return the arithmetic mean of xs.

    >>> mean([1.0, 2.0, 6.0])
    3.0

    Args:
        xs: at least one number.

    Raises:
        ValueError: if xs is empty.
    """
    return primitives.mean(*_at_least_one("mean", xs))


@overload
def prod(xs: Sequence[float]) -> float: ...
@overload
def prod(xs: Sequence[Operand]) -> Operand: ...
def prod(xs: Sequence[Operand]) -> Operand:
    """Return the product of xs; its gradient is right also where some of them are 0.

    Accurate unless the product of some of xs leaves the range of floats.

    >>> prod([2.0, 3.0, 4.0])
    24.0

    Args:
        xs: any numbers; none of them multiply to 1.
    """
    xs = _sequence("prod", xs)
    return primitives.prod(*xs) if xs else 1.0


@overload
def dot(ws: Sequence[float], xs: Sequence[float], bias: float = 0.0) -> float: ...
@overload
def dot(ws: Sequence[Operand], xs: Sequence[Operand], bias: Operand = 0.0) -> Operand: ...
def dot(ws: Sequence[Operand], xs: Sequence[Operand], bias: Operand = 0.0) -> Operand:
    """Return bias + ws[0] * xs[0] + ws[1] * xs[1] + ..., added from left to right, as one node.

    >>> dot([1.0, 2.0], [3.0, 4.0])
    11.0

    Args:
        ws: any numbers.
        xs: as many numbers as ws.
        bias: any number.

    Raises:
        ShapeError: if ws and xs differ in length.
    """
    ws, xs = _sequence("dot", ws), _sequence("dot", xs)
    if len(ws) != len(xs):
        raise ShapeError(f"dot: needs two sequences of one length, got {len(ws)} and {len(xs)}")
    return primitives.dot(bias, *ws, *xs)


@overload
def logsumexp(xs: Sequence[float]) -> float: ...
@overload
def logsumexp(xs: Sequence[Operand]) -> Operand: ...
def logsumexp(xs: Sequence[Operand]) -> Operand:
    """Return log(exp(xs[0]) + exp(xs[1]) + ...), for numbers of any size.

    >>> logsumexp([1000.0])
    1000.0

    Args:
        xs: at least one number.

    Raises:
        ValueError: if xs is empty.

    Source: Blanchard, Higham and Higham (2021), IMA J. Numer. Anal. 41.
    """
    return primitives.logsumexp(*_at_least_one("logsumexp", xs))


@overload
def softmax(xs: Sequence[float]) -> list[float]: ...
@overload
def softmax(xs: Sequence[Operand]) -> list[Any]: ...
def softmax(xs: Sequence[Operand]) -> list[Any]:
    """Return exp(x) / (exp(xs[0]) + exp(xs[1]) + ...) for each x, for numbers of any size.

    >>> softmax([0.0, 0.0])
    [0.5, 0.5]

    Args:
        xs: at least one number.

    Raises:
        ValueError: if xs is empty, none of them is above -inf, or several are inf.

    Source: Blanchard, Higham and Higham (2021), IMA J. Numer. Anal. 41.
    """
    return _entries(primitives.softmax, xs)


@overload
def log_softmax(xs: Sequence[float]) -> list[float]: ...
@overload
def log_softmax(xs: Sequence[Operand]) -> list[Any]: ...
def log_softmax(xs: Sequence[Operand]) -> list[Any]:
    """Return log(softmax(xs)), accurately also where softmax is near 0 or 1.

    >>> log_softmax([0.0, -1000.0])
    [0.0, -1000.0]

    Args:
        xs: at least one number.

    Raises:
        ValueError: if xs is empty, none of them is above -inf, or several are inf.

    Source: Blanchard, Higham and Higham (2021), IMA J. Numer. Anal. 41.
    """
    return _entries(primitives.log_softmax, xs)


def select(values: Sequence[Operand], index: int | Value) -> Any:
    """Return values[index], where index may be an argument of a compiled function.

    >>> select([1.0, 2.0, 4.0], 2)
    4.0

    A list that is indexed in the usual way is better served by ``values[index]``; but a function
    that is compiled sees its whole numbers as Values, which cannot index a list.

    Args:
        values: any numbers.
        index: a whole number from 0 to len(values) - 1. The gradient flows to that entry.

    Raises:
        TypeError: if index is not a whole number.
        ValueError: if it is out of range.
    """
    values = _sequence("select", values)
    if isinstance(index, bool) or not isinstance(index, int | Value):
        raise TypeError(f"select: index must be an int, got {index!r}; pass int(index)")
    if isinstance(index, int) and not 0 <= index < len(values):
        raise ValueError(f"select: index must lie in [0, {len(values)}), got {index}")
    return primitives.select(*values, index.detach() if isinstance(index, Value) else float(index))


def _needs_grad(x: Operand) -> bool:
    return isinstance(x, Value) and x.requires_grad


def _plain(function: str, argument: str, x: float) -> float:
    if stands_for_number(x):
        return x
    if isinstance(x, Value):
        raise TypeError(
            f"{function}: {argument} must be a plain number, got {x!r}; pass v.data if it needs "
            "no gradient"
        )
    return to_float(f"{function}: {argument}", x, "a plain number")


def _sequence(function: str, xs: Sequence[Operand]) -> list[Operand]:
    try:
        return list(xs)
    except TypeError:
        raise TypeError(
            f"{function}: expected a sequence of numbers or Values, got {xs!r}; wrap it in a list"
        ) from None


def _at_least_one(function: str, xs: Sequence[Operand]) -> list[Operand]:
    xs = _sequence(function, xs)
    if not xs:
        raise ValueError(f"{function}: needs at least one number, got an empty sequence")
    return xs


def _entries(primitive: Primitive, xs: Sequence[Operand]) -> list[Any]:
    xs = _at_least_one(primitive.name, xs)
    return [primitive.entry(xs, i) for i in range(len(xs))]
