"""Functions with kinks, on floats; their slopes take the minimum-norm subgradient at a kink.

NaN in gives NaN out, unlike Python's own ``max`` and ``min``.
"""

from math import isfinite, nan


def sign(x: float) -> float:
    """Return -1, 0 or 1 with the sign of x: the slope of abs, 0 at its kink."""
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else 0.0 if x == 0.0 else nan


def above(x: float, y: float) -> float:
    """Return 1 where x > y, else 0: the slope of max(x, y) in x for a constant y, 0 at a tie."""
    return 1.0 if x > y else 0.0 if x <= y else nan


def greater(x: float, y: float) -> float:
    """Return 1 where x > y, 1/2 at a tie, else 0: the slope of max(x, y) in x."""
    return 1.0 if x > y else 0.0 if x < y else 0.5 if x == y else nan


def match(x: float, y: float) -> float:
    """Return 1 where x = y, else 0: the slope of a choice."""
    return 1.0 if x == y else 0.0 if x < y or x > y else nan


def gate(x: float, p: float) -> float:
    """Return x * p, and 0 for p = 0 whatever x is: what a selection lets through."""
    return x * p if p != 0.0 else 0.0


def inside(x: float, low: float, high: float) -> float:
    """Return 1 where low < x < high, else 0: the slope of clip, 0 at its edges."""
    return 1.0 if low < x < high else 0.0 if x == x else nan


def maximum(x: float, y: float) -> float:
    """Return the larger of x and y."""
    return x if x >= y or x != x else y


def minimum(x: float, y: float) -> float:
    """Return the smaller of x and y."""
    return x if x <= y or x != x else y


def clip(x: float, low: float, high: float) -> float:
    """Return x, or the nearer edge where x lies outside [low, high], low <= high."""
    return low if x < low else high if x > high else x


def relu(x: float) -> float:
    """Return max(x, 0)."""
    return x if x > 0.0 or x != x else 0.0


def leaky_relu(x: float, slope: float) -> float:
    """Return x where x > 0, else slope * x."""
    if x > 0.0 or x != x:
        return x
    return slope * x if slope else 0.0  # 0 * inf would be NaN


def leaky_relu_prime(x: float, slope: float) -> float:
    """Return the slope of leaky_relu; at 0 the number nearest to 0 between slope and 1."""
    if x != x:
        return nan
    return 1.0 if x > 0.0 else slope if x < 0.0 else min(max(slope, 0.0), 1.0)


def nearest(x: float) -> float:
    """Return the whole number nearest to x; infinities and NaN stay."""
    return float(round(x)) if isfinite(x) else x
