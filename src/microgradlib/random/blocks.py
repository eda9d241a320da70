"""Normal numbers in the two ways of PyTorch: one by one, and in blocks of 16.

Both are the method of Box & Muller (Ann. Math. Stat. 29, 1958): of two uniform numbers, one gives
the radius ``sqrt(-2 log(1 - u))`` and the other the angle ``2 pi u`` of a point, whose coordinates
are two normal numbers. Tensors of fewer than 16 elements have it in float64, with the C library's
functions. Larger tensors of float32 have it in float32, with the polynomials of the Cephes library
(S. L. Moshier, ``logf.c`` and ``sinf.c``), which ATen's ``avx_mathfun.h`` computes with fused
multiply-adds. Here each step is computed in float64 and rounded to float32. That is rounding twice,
but it was compared with the fused operation for each of the 2**24 radii and angles there are.
"""

from array import array
from collections.abc import Sequence
from itertools import chain
from math import cos, frexp, log, log1p, pi, sin, sqrt

from microgradlib.random.generator import Generator, fractions24, fractions53
from microgradlib.random.rounding import fused32, fused64, rounded, rounded_one

BLOCK = 16
_AT_ONCE = 64 * BLOCK  # more numbers no longer make a list comprehension faster
_Floats = Sequence[float]

_LOG = rounded(
    [
        *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
        *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
    ]
)
_LOG_2_HIGH, _LOG_2_LOW = 0.693359375, rounded_one(-2.12194440e-4)
_SQRT_HALF, _TWO_PI, _4_OVER_PI = rounded([sqrt(0.5), 2.0 * pi, 1.27323954473516])
_PI_OVER_4 = rounded([0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8])  # their sum
_COS = rounded([2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2])
_SIN = rounded([-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1])


def normals(generator: Generator, count: int, mean: float, std: float, single: bool) -> list[float]:
    """Draw what ``torch.empty(count).normal_(mean, std)`` has, in float32 if ``single``."""
    if count < BLOCK:
        drawn = in_pairs(generator, count, mean, std)
        return rounded(drawn).tolist() if single else drawn
    rest = count % BLOCK
    # The last 16 are drawn anew if they are no block.
    drawn = (fractions24 if single else fractions53)(generator, count + BLOCK * (rest > 0))
    whole = count - rest
    fill = _filled32 if single else _filled64
    numbers = fill(drawn[:whole], mean, std)
    if rest:
        numbers[count - BLOCK :] = fill(drawn[count:], mean, std)
    return numbers


def in_pairs(generator: Generator, count: int, mean: float, std: float) -> list[float]:
    """Draw normal numbers one by one; the second of a pair waits for the next draw."""
    spares = generator._spares
    try:
        standard = [spares.pop()] if count else []
    except IndexError:
        standard = []
    pairs = (count - len(standard) + 1) // 2
    drawn = fractions53(generator, 2 * pairs)
    for u, v in zip(drawn[::2], drawn[1::2], strict=True):
        radius = sqrt(-2.0 * log1p(-v))
        standard += radius * cos(2.0 * pi * u), radius * sin(2.0 * pi * u)
    spares += standard[count:]
    return [fused64(z, std, mean) for z in standard[:count]]


def _filled64(fractions: _Floats, mean: float, std: float) -> list[float]:
    """Return the normal numbers of whole blocks of fractions: 8 cosines, then 8 sines."""
    numbers = []
    for i in range(0, len(fractions), BLOCK):
        radii = [sqrt(-2.0 * log(1.0 - u)) for u in fractions[i : i + 8]]
        angles = [2.0 * pi * u for u in fractions[i + 8 : i + 16]]
        for f in (cos, sin):
            for radius, angle in zip(radii, angles, strict=True):
                numbers.append(fused64(radius * f(angle), std, mean))
    return numbers


def _filled32(fractions: _Floats, mean: float, std: float) -> list[float]:
    mean, std = rounded([mean, std])
    return [
        x
        for start in range(0, len(fractions), _AT_ONCE)
        for x in _some_filled32(fractions[start : start + _AT_ONCE], mean, std)
    ]


def _some_filled32(fractions: _Floats, mean: float, std: float) -> list[float]:
    starts = range(0, len(fractions), BLOCK)
    radii = _radii([u for i in starts for u in fractions[i : i + 8]])
    turns, sines, cosines = _angles([u for i in starts for u in fractions[i + 8 : i + 16]])
    by_cosine = rounded(
        [
            r * ((s if q & 4 else -s) if q & 2 else (-c if q & 4 else c))
            for r, q, s, c in zip(radii, turns, sines, cosines, strict=True)
        ]
    )
    by_sine = rounded(
        [
            r * ((-c if q & 4 else c) if q & 2 else (-s if q & 4 else s))
            for r, q, s, c in zip(radii, turns, sines, cosines, strict=True)
        ]
    )
    halves = range(0, len(radii), 8)
    blocks = chain.from_iterable((*by_cosine[i : i + 8], *by_sine[i : i + 8]) for i in halves)
    return fused32([x * std for x in blocks], mean)


def _radii(fractions: _Floats) -> "array[float]":
    """Return ``sqrt(-2 log(1 - u))`` of float32 numbers from [0, 1)."""
    parts = [frexp(1.0 - u) for u in fractions]  # m * 2**e, to be 1 + x between sqrt(1/2), sqrt(2)
    xs = [m - 1.0 if m >= _SQRT_HALF else 2.0 * m - 1.0 for m, _ in parts]
    exponents = [e if m >= _SQRT_HALF else e - 1 for m, e in parts]
    squares = rounded([x * x for x in xs])
    ys = _horner(_LOG, xs)
    lows = rounded([e * _LOG_2_LOW for e in exponents])
    ys = rounded([y * z + low for y, z, low in zip(ys, squares, lows, strict=True)])
    ys = rounded([y - 0.5 * z for y, z in zip(ys, squares, strict=True)])
    sums = rounded([x + y for x, y in zip(xs, ys, strict=True)])
    logs = rounded([e * _LOG_2_HIGH + y for e, y in zip(exponents, sums, strict=True)])
    return rounded([sqrt(-2.0 * y) for y in logs])


def _angles(fractions: _Floats) -> tuple[list[int], "array[float]", "array[float]"]:
    """Return of angles ``2 pi u`` the quarter turns, times 2, and sine and cosine of the rest.

    The rest is within an eighth of a turn. Two bits tell the quarter: the one that is worth 2, and
    the one that is worth 4.
    """
    xs = rounded([u * _TWO_PI for u in fractions])
    turns = [(int(t) + 1) & ~1 for t in rounded([x * _4_OVER_PI for x in xs])]
    for part in _PI_OVER_4:
        xs = rounded([x - turn * part for x, turn in zip(xs, turns, strict=True)])
    squares = rounded([x * x for x in xs])
    ys = _horner(_COS, squares)
    ys = rounded([y * z - 0.5 * z for y, z in zip(ys, squares, strict=True)])
    cosines = rounded([y + 1.0 for y in ys])
    sines = rounded([y * x + x for y, x in zip(_horner(_SIN, squares), xs, strict=True)])
    return turns, sines, cosines


def _horner(coefficients: _Floats, xs: _Floats) -> "array[float]":
    """Return a polynomial of each x, without constant term, by Horner's rule."""
    ys: _Floats = [coefficients[0]] * len(xs)
    for coefficient in coefficients[1:]:
        ys = rounded([y * x + coefficient for y, x in zip(ys, xs, strict=True)])
    return rounded([y * x for y, x in zip(ys, xs, strict=True)])
