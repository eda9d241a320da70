"""Functions with kinks, on floats, and their derivatives: at a kink the subgradient of least norm.

NaN in gives NaN out, unlike Python's own ``max`` and ``min``.
"""

from math import isfinite, nan, remainder


def sign(x: float) -> float:
    """Return -1, 0 or 1 with the sign of x: the derivative of abs, 0 at its kink."""
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else 0.0 if x == 0.0 else nan


def above(x: float, y: float) -> float:
    """Return 1 where x > y, else 0: d/dx max(x, y) for a constant y, 0 at a tie."""
    return 1.0 if x > y else 0.0 if x <= y else nan


def greater(x: float, *others: float) -> float:
    """Return 1/k where x is the largest with k equal ones, else 0: d/dx max(x, *others)."""
    return leading([x, *others])[0]


def leading(xs: list[float]) -> list[float]:
    """Return 1/k for each of the k largest, 0 for the others: the gradient of ``maximum``."""
    top = maximum(*xs)
    count = 0.0
    for x in xs:
        if x == top:
            count += 1.0
    return [1.0 / count if x == top else 0.0 if x < top else nan for x in xs]


def jump(x: float, y: float) -> float:
    """Return the derivative of a step at y, 0 and NaN at y: that of ``sign`` and ``greater``."""
    return 0.0 if x < y or x > y else nan


def match(x: float, y: float) -> float:
    """Return 1 where x = y, else 0: the derivative of a choice."""
    return 1.0 if x == y else 0.0 if x < y or x > y else nan


def gate(x: float, p: float) -> float:
    """Return x * p, and 0 for p = 0 whatever x is: what a selection lets through."""
    return x * p if p != 0.0 else 0.0


def inside(x: float, low: float, high: float) -> float:
    """Return 1 where low < x < high, else 0: the derivative of clip, 0 at its edges."""
    return 1.0 if low < x < high else 0.0 if x == x else nan


def maximum(*xs: float) -> float:
    """Return the largest of xs, of equal ones the first."""
    top = xs[0]
    for x in xs:
        if x > top or x != x:
            top = x
    return top


def minimum(*xs: float) -> float:
    """Return the smallest of xs, of equal ones the first."""
    least = xs[0]
    for x in xs:
        if x < least or x != x:
            least = x
    return least


def where(x: float, y: float, c: float) -> float:
    """Return x unless c is 0, else y."""
    return x if c else y


def clip(x: float, low: float, high: float) -> float:
    """Return x, or the nearer edge where x lies outside [low, high], low <= high."""
    return low if x < low else high if x > high else x


def relu(x: float) -> float:
    """Return max(x, 0)."""
    return x if x > 0.0 or x != x else 0.0


def leaky_relu(x: float, negative_slope: float) -> float:
    """Return x where x > 0, else negative_slope * x."""
    if x > 0.0 or x != x:
        return x
    return negative_slope * x if negative_slope else 0.0  # 0 * inf would be NaN


def leaky_relu_prime(x: float, negative_slope: float) -> float:
    """Return d/dx leaky_relu(x); at 0 the number nearest to 0 between negative_slope and 1."""
    if x == 0.0:
        return min(max(negative_slope, 0.0), 1.0)
    return 1.0 if x > 0.0 else negative_slope if x < 0.0 else nan


def nearest(x: float) -> float:
    """Return the whole number nearest to x; infinities and NaN stay."""
    return x - remainder(x, 1.0) if isfinite(x) else x
