"""Float32 from float64, for whole lists: each result is rounded once, as PyTorch's are."""

from array import array
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import copysign, fsum, inf, nextafter
from struct import pack

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
        # A sum is rounded twice, first to float64. That matters where the first result is halfway
        # between two float32 and not exact: its last 28 bits are 0.
        for i, bits in enumerate(memoryview(array("d", sums)).cast("B").cast("Q")):
            if not bits & 0xFFF_FFFF:
                sums[i] = _add_to_odd(products[i], addend)
    return rounded(sums).tolist()


def _add_to_odd(x: float, y: float) -> float:
    """Return x + y, an inexact sum rounded to the neighbour whose last bit is 1.

    Rounding the usual float64 sum to float32 would round twice, and break ties the wrong way; after
    this sum the second rounding gives what one would have (Boldo & Melquiond, IEEE Trans. Comput.
    57, 2008).
    """
    total = x + y
    if total - x == y and total - y == x:  # it is exact
        return total
    error = fsum((x, y, -total))
    if pack("<d", total)[0] % 2 == 0:
        total = nextafter(total, copysign(inf, error))
    return total


def fused64(x: float, factor: float, addend: float) -> float:
    """Return x * factor + addend, rounded once, to float64."""
    product = x * factor
    if not addend:
        return product + addend
    if abs(product) > 1e-250 and abs(factor) < 1e290:
        return fsum((*two_product(x, factor), addend))
    return float(Fraction(x) * Fraction(factor) + Fraction(addend))
