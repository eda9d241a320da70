"""Normal numbers in the two ways of PyTorch: one by one, and in blocks of 16.

Both are the method of Box & Muller (Ann. Math. Stat. 29, 1958): of two uniform numbers, one gives
the radius ``sqrt(-2 log(1 - u))`` and the other the angle ``2 pi u`` of a point, whose coordinates
are two normal numbers. Tensors of fewer than 16 elements have it in float64, with the C library's
functions. Larger tensors of float32 have it in float32, with the polynomials of the Cephes library
(S. L. Moshier, ``logf.c`` and ``sinf.c``), which ATen's ``avx_mathfun.h`` computes with fused
multiply-adds. Here each step is computed in float64 and rounded to float32. That is rounding twice,
but the results are the same for each of the 2**24 radii and angles that there are.
"""

from collections.abc import Sequence
from math import cos, frexp, log, log1p, pi, sin, sqrt

from microgradlib.random.generator import Generator, fractions24, fractions53
from microgradlib.random.rounding import fused32, fused64, rounded, rounded_one

BLOCK = 16
_Floats = Sequence[float]

_LOG_FIRST, *_LOG = rounded(
    [
        *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
        *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
    ]
)
_LOG_2_HIGH, _LOG_2_LOW = 0.693359375, rounded_one(-2.12194440e-4)
_SQRT_HALF, _TWO_PI, _4_OVER_PI = rounded([sqrt(0.5), 2.0 * pi, 1.27323954473516])
_PI_OVER_4 = tuple(
    rounded([0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8])
)  # the sum
_COS_3, _COS_2, _COS_1 = rounded(
    [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]
)
_SIN_3, _SIN_2, _SIN_1 = rounded([-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1])


def normals(generator: Generator, count: int, mean: float, std: float, single: bool) -> list[float]:
    """Draw what ``torch.empty(count).normal_(mean, std)`` has, in float32 if ``single``."""
    if count < BLOCK:
        drawn = in_pairs(generator, count, mean, std)
        return rounded(drawn).tolist() if single else drawn
    rest = count % BLOCK
    # The last 16 are drawn anew if they are no block.
    drawn = (fractions24 if single else fractions53)(generator, count + BLOCK * (rest > 0))
    del drawn[count - rest : count]
    numbers = (_filled32 if single else _filled64)(drawn, mean, std)
    if rest:
        del numbers[count - BLOCK : -BLOCK]
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
    """The same in float32."""
    mean, std = rounded([mean, std])
    products: list[float] = []
    for i in range(0, len(fractions), BLOCK):
        radii = [_radius(u) for u in fractions[i : i + 8]]
        points = [_sine_and_cosine(u) for u in fractions[i + 8 : i + 16]]
        products += [radius * c for radius, (_, c) in zip(radii, points, strict=True)]
        products += [radius * s for radius, (s, _) in zip(radii, points, strict=True)]
    return fused32([x * std for x in rounded(products)], mean)


# In the two functions below (t := v * (y := x)) - (t - y) is x rounded to float32: the upper 24 of
# its 53 bits (Veltkamp; Dekker, Numer. Math. 18, 1971), which no function of Python gives as fast.
_SPLITTER = 2.0**29 + 1.0


def _radius(u: float, v: float = _SPLITTER) -> float:
    """Return ``sqrt(-2 log(1 - u))`` of a float32 number from [0, 1)."""
    m, e = frexp(1.0 - u)  # m * 2**e, which is to be (1 + x) * 2**e with 1 + x >= sqrt(1/2)
    x = m - 1.0
    if m < _SQRT_HALF:
        x, e = m + x, e - 1
    z = (t := v * (y := x * x)) - (t - y)
    y = _LOG_FIRST
    for coefficient in _LOG:
        y = (t := v * (y := y * x + coefficient)) - (t - y)
    y = (t := v * (y := y * x)) - (t - y)
    low = (t := v * (low := e * _LOG_2_LOW)) - (t - low)
    y = (t := v * (y := y * z + low)) - (t - y)
    y = (t := v * (y := y - 0.5 * z)) - (t - y)
    y = (t := v * (y := x + y)) - (t - y)
    y = (t := v * (y := e * _LOG_2_HIGH + y)) - (t - y)
    return (t := v * (y := sqrt(-2.0 * y))) - (t - y)


def _sine_and_cosine(u: float, v: float = _SPLITTER) -> tuple[float, float]:
    """Return sine and cosine of the angle ``2 pi u``."""
    x = (t := v * (y := u * _TWO_PI)) - (t - y)
    j = (int((t := v * (y := x * _4_OVER_PI)) - (t - y)) + 1) & ~1  # the next even eighth of a turn
    for part in _PI_OVER_4:
        x = (t := v * (y := x - j * part)) - (t - y)
    z = (t := v * (y := x * x)) - (t - y)
    y = (t := v * (y := _COS_3 * z + _COS_2)) - (t - y)
    y = (t := v * (y := y * z + _COS_1)) - (t - y)
    y = (t := v * (y := y * z)) - (t - y)
    y = (t := v * (y := y * z - 0.5 * z)) - (t - y)
    c = (t := v * (y := y + 1.0)) - (t - y)
    y = (t := v * (y := _SIN_3 * z + _SIN_2)) - (t - y)
    y = (t := v * (y := y * z + _SIN_1)) - (t - y)
    y = (t := v * (y := y * z)) - (t - y)
    s = (t := v * (y := y * x + x)) - (t - y)
    return ((s, c), (c, -s), (-s, -c), (-c, s))[j >> 1 & 3]
