"""Sums of floats without rounding in between: the order does not matter, nor what is added first.

Every float is a whole multiple of the smallest one, 2**-1074, and so is every sum of floats.
"""

import math
import sys
from collections.abc import Sequence

_UNITS = 1 << 1074  # in 1.0
_LARGEST = sys.float_info.max


def partials(xs: Sequence[float]) -> list[float]:
    """Return a few floats with exactly the sum of many finite ones, the largest first.

    >>> partials([1e16, 1.0, 1.0, 2.0**-60])
    [1.0000000000000002e+16, 8.673617379884035e-19]

    Each is the rest of the sum, rounded to the nearest float; the next one is what that left out.
    So a rest is at most 2**-53 times the one before, and not many remain: one or two where all
    numbers are of a similar size. Sums of several lists are added by joining their partials.

    Raises:
        ValueError: if a number is infinite or NaN.

    Source: J. R. Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric
    predicates" (1997), sections 2.3 and 2.8. ``math.fsum`` keeps such partials, too, and rounds
    them at its end, to the nearest float.
    """
    found: list[float] = []
    try:
        while rest := math.fsum([*xs, *[-x for x in found]]):
            if not math.isfinite(rest):
                raise ValueError(f"partials: expected finite numbers, got a sum of {rest}")
            found.append(rest)
    except OverflowError:  # of the sum, or on the way to it
        return _from_units(sum(map(_in_units, xs)))
    return found


def exact_sum(xs: Sequence[float]) -> float:
    """Return the sum of finite numbers, rounded once.

    >>> exact_sum([1e308, 1e308, -1e308])
    1e+308

    It is ``math.fsum``, but does not fail where numbers overflow only on the way to their sum.

    Raises:
        OverflowError: if the sum is beyond the largest float.
    """
    try:
        return math.fsum(xs)
    except OverflowError:
        return sum(map(_in_units, xs)) / _UNITS  # Python rounds quotients of ints correctly


def _in_units(x: float) -> int:
    numerator, denominator = x.as_integer_ratio()
    return numerator * (_UNITS // denominator)


def _from_units(n: int) -> list[float]:
    """Return floats with a sum, which itself may be beyond the largest one."""
    found = []
    while n:
        most = _LARGEST if n > 0 else -_LARGEST
        x = n / _UNITS if abs(n) < abs(_in_units(most)) else most
        found.append(x)
        n -= _in_units(x)
    return found
