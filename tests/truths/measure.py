"""How far derivatives are from their truths and how far they may be, for tests and benchmarks."""

from fractions import Fraction
from math import inf, isfinite, isnan, pi, remainder, tan, ulp

from microgradlib.core import table
from microgradlib.core.primitive import Primitive

Truth = tuple[float, float]  # the sum of a high and a low part


def promised_ulps(row: Primitive) -> float:
    """Return how many ulp a first derivative may be off."""
    return 5.0 if row is table.gamma else 4.0


def ulps(x: float, truth: Truth, scale: float = 0.0) -> float:
    """Return how far x is from the truth, in ulp of the truth or of the scale if that is larger."""
    high, low = truth
    if not (isfinite(high) and isfinite(x)):
        return 0.0 if x == high or (isnan(x) and isnan(high)) else inf
    error = abs(Fraction(x) - Fraction(high) - Fraction(low))
    try:
        return float(error / Fraction(ulp(max(abs(high), scale))))
    except OverflowError:
        return inf


def derivative_scale(row: Primitive, inputs: tuple[float, ...]) -> float:
    """Return the larger of two terms, where a derivative is their difference and they may cancel.

    The derivative is promised in ulp of that term, if it is larger than the derivative itself.
    """
    if row is table.bce_with_logits:  # d/dz = (1 - t) * sigmoid(z) - t * sigmoid(-z)
        z, t = inputs
        return max((1.0 - t) * table.sigmoid(z), t * table.sigmoid(-z))
    if row in (table.gamma, table.lgamma) and inputs[0] < 0.0:
        # digamma(x) = digamma(1 - x) - pi * cot(pi * x)
        (x,) = inputs
        term = max(table.digamma(1.0 - x), abs(pi / tan(pi * remainder(x, 1.0))))
        return term * abs(row(x)) if row is table.gamma else term
    return 0.0
