"""Float32 from float64, for whole lists: each result is rounded once, as PyTorch's are."""

from array import array
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import copysign, fsum, inf, nextafter

from microgradlib.numeric.special import two_product

LARGEST32 = (2.0 - 2.0**-23) * 2.0**127
"""The largest float32."""


def rounded(xs: Sequence[float]) -> "array[float]":
    """Return the nearest float32 of each number."""
    return array("f", xs)


def rounded_one(x: float) -> float:
    """Return the nearest float32 of one number."""
    return array("f", (x,))[0]


def fused32(products: Iterable[float], addend: float) -> list[float]:
    """Return the nearest float32 of each exact product plus the addend, rounded only once."""
    products = [*products]
    sums = [p + addend for p in products]
    if addend:
        # A sum is rounded twice, first to float64. That matters only if the first result is halfway
        # between two float32, so that its last 28 bits are 0.
        for i, bits in enumerate(memoryview(array("d", sums)).cast("B").cast("Q")):
            if not bits & 0xFFF_FFFF:
                sums[i] = _off_tie(products[i], addend)
    return rounded(sums).tolist()


def _off_tie(x: float, y: float) -> float:
    """Return x + y or, if that is not exact, its neighbour in the direction of the exact sum.

    No tie is left then for the second rounding, which gives what one would have.
    """
    total = x + y
    if total - x == y and total - y == x:
        return total
    return nextafter(total, copysign(inf, fsum((x, y, -total))))


def fused64(x: float, factor: float, addend: float) -> float:
    """Return x * factor + addend, rounded once, to float64."""
    product = x * factor
    if not addend:
        return product + addend
    if abs(product) > 1e-250 and abs(factor) < 1e290:
        return fsum((*two_product(x, factor), addend))
    return float(Fraction(x) * Fraction(factor) + Fraction(addend))
