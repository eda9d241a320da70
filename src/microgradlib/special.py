"""Functions on floats that the table of primitives needs and the standard ``math`` lacks.

Most are derivatives in a form whose error is a few ulp on the whole range of floats, also where the
textbook form overflows, underflows or cancels. NaN in gives NaN out.
"""

import math
from collections.abc import Sequence
from math import inf, nan

_TWO_OVER_SQRT_PI = 1.1283791670955126
_SQRT_TWO_PI = 2.5066282746310007

# Constants that need more than 53 bits, as an unevaluated sum of two floats.
_LOG10, _LOG10_LOW = 2.302585092994046, -2.1707562233822494e-16
_DIGAMMA_ROOT, _DIGAMMA_ROOT_LOW = 1.4616321449683622, 9.549995429965697e-17

# The Bernoulli numbers B2, B4, ..., B18 (Abramowitz & Stegun 23.2), for the asymptotic series.
_BERNOULLI = (
    1 / 6,
    -1 / 30,
    1 / 42,
    -1 / 30,
    5 / 66,
    -691 / 2730,
    7 / 6,
    -3617 / 510,
    43867 / 798,
)


# Exact arithmetic on pairs of floats.


def two_sum(a: float, b: float) -> tuple[float, float]:
    """Return a + b rounded, and what the rounding lost (Knuth, TAOCP 4.2.2)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def split(a: float) -> tuple[float, float]:
    """Return the upper and lower half of the bits of a, |a| < 1e300 (Veltkamp; Dekker 1971)."""
    t = 134217729.0 * a  # 2**27 + 1
    high = t - (t - a)
    return high, a - high


# Quotients and norms.


def ratio(x: float, y: float) -> float:
    """Return x / y, where x / 0 is infinite and 0 / 0 is 0 by decree: the slope of a norm at 0."""
    if y == 0.0:
        return x * math.copysign(inf, y) if x else 0.0
    return x / y


def reciprocal(x: float) -> float:
    """Return 1 / x, infinite at 0."""
    return 1.0 / x if x else math.copysign(inf, x)


def rsqrt(x: float) -> float:
    """Return 1 / sqrt(x), infinite at 0."""
    return 1.0 / math.sqrt(x) if x else inf


def quotient_dy(x: float, y: float) -> float:
    """Return d/dy x/y = -x/y**2; 0 / 0 is 0 by decree."""
    q = ratio(x, y)
    if abs(q) < 1e-290 and abs(y) < 1.0:  # q has lost bits that the second division would reveal
        return -ratio(ratio(x * 2.0**600, y), y) * 2.0**-600
    return -ratio(q, y)


def norm_scale(h: float) -> float:
    """Return the power of two that brings vectors of length h to where their squares are safe."""
    if h < 1e-290:
        return 2.0**600
    if h > 1e300:
        return 2.0**-600
    return 1.0 if h == h else nan


def directions(xs: Sequence[float]) -> list[float]:
    """Return each x / hypot(*xs), the slopes of a norm: 0 by decree at the origin."""
    scale = norm_scale(math.hypot(*xs))
    xs = [x * scale for x in xs]
    r = math.hypot(*xs)
    return [ratio(x, r) for x in xs]


def direction(*xs: float) -> float:
    """Return the first of the ``directions``."""
    return directions(xs)[0]


# Powers and roots.


def power(x: float, y: float) -> float:
    """Return x**y as floats do, but raise a ValueError where Python would turn complex."""
    if x < 0.0:
        return math.pow(x, y)
    result: float = x**y
    return result


def power_dx(x: float, y: float) -> float:
    """Return d/dx x**y = y * x**(y - 1), and 0 where y = 0."""
    if x != x or y != y:
        return nan
    if y == 0.0:
        return 0.0
    if y == 1.0:
        return 1.0
    if y == 2.0:
        return 2.0 * x
    try:
        p = abs(power(x, y))
    except (OverflowError, ZeroDivisionError):
        p = inf
    # x**(y - 1) is odd where y is even.
    sign = -1.0 if math.copysign(1.0, x) < 0.0 and y % 2.0 == 0.0 else 1.0
    x = abs(x)
    if 1e-290 < p < 1e289:
        return sign * y * p / x
    # y - 1 = t + c exactly. Halves of t keep the power in range wherever its product with y is.
    t, c = two_sum(y, -1.0)
    h = _power_or_inf(x, 0.5 * t)
    if h == 0.0 or h == inf:
        return math.copysign(h, sign * y)
    return sign * y * (1.0 + c * math.log(x)) * h * h


def power_dy(x: float, y: float) -> float:
    """Return d/dy x**y = x**y * log(x): 0 at x = 0 <= y, and NaN for x < 0."""
    if x != x or y != y or x < 0.0:
        return nan
    if x == 0.0:
        return 0.0 if y >= 0.0 else -inf
    p = _power_or_inf(x, y)
    if 1e-290 < p < 1e289:
        return p * math.log(x)
    h = _power_or_inf(x, 0.5 * y)
    return h * math.log(x) * h if h else 0.0


def power_c_slope(x: float, c: float, k: float) -> float:
    """Return the k-th derivative of x**c, c (c - 1) ... (c - k + 1) x**(c - k): 0 where c < k."""
    y, lost = two_sum(c, 1.0 - k)
    slope = power_dx(x, y)
    if lost and slope and math.isfinite(slope):
        slope *= 1.0 + lost * math.log(abs(x))
    for i in range(int(k) - 1):
        slope = slope * (c - i) if c != i else 0.0
    return slope


def _power_or_inf(x: float, y: float) -> float:
    """Return x**y for x >= 0, infinite where Python raises: at a pole and on overflow."""
    try:
        return math.pow(x, y)
    except (ValueError, OverflowError):
        return inf


def cbrt_prime(x: float) -> float:
    """Return d/dx cbrt(x) = cbrt(x) / (3 x), infinite at 0."""
    if x == 0.0:
        return inf
    if math.isinf(x):
        return 0.0
    if abs(x) < 1e-200:
        return cbrt_prime(x * 2.0**600) * 2.0**400
    if abs(x) > 1e300:
        return cbrt_prime(x * 2.0**-600) * 2.0**-400
    # A C library's cbrt may be 4 ulp off: one step of Newton's method.
    c = math.cbrt(x)
    return (c + c * ((x - c * c * c) / (3.0 * x))) / x / 3.0


# Derivatives of inverse functions, and others that are bell-shaped.


def asin_prime(x: float) -> float:
    """Return d/dx asin(x) = 1 / sqrt(1 - x**2), infinite at -1 and 1."""
    return rsqrt((1.0 - x) * (1.0 + x))


def asinh_prime(x: float) -> float:
    """Return d/dx asinh(x) = 1 / sqrt(1 + x**2)."""
    return 1.0 / math.hypot(1.0, x)


def acosh_prime(x: float) -> float:
    """Return d/dx acosh(x) = 1 / sqrt(x**2 - 1), infinite at 1."""
    return reciprocal(math.sqrt(x - 1.0) * math.sqrt(x + 1.0))


def atanh_prime(x: float) -> float:
    """Return d/dx atanh(x) = 1 / (1 - x**2), infinite at -1 and 1."""
    return reciprocal((1.0 - x) * (1.0 + x))


def atan_prime(x: float) -> float:
    """Return d/dx atan(x) = 1 / (1 + x**2)."""
    return 1.0 / (1.0 + x * x) if abs(x) < 1e150 else 1.0 / x / x


def erf_prime(x: float) -> float:
    """Return d/dx erf(x) = 2/sqrt(pi) * exp(-x**2)."""
    if abs(x) > 28.0:
        return 0.0
    # exp magnifies the rounding of x**2. With x = h + l, h**2 is exact and x**2 - h**2 is small.
    h, l = split(x)  # noqa: E741
    return _TWO_OVER_SQRT_PI * math.exp(-l * (x + h)) * math.exp(-h * h)


# The gamma function and its logarithmic derivatives.


def digamma(x: float) -> float:
    """Return d/dx lgamma(x) = gamma'(x) / gamma(x) (Abramowitz & Stegun 6.3)."""
    _refuse_pole(x)
    if x != x or x == -inf:
        return nan
    if x >= 10.0:
        return math.log(x) - _log_minus_digamma(x)
    if x <= -20.0:  # reflection
        return digamma(1.0 - x) - math.pi * _cot_pi(x)
    if abs(x) < 1e-17:
        return -1.0 / x
    if abs(x - _DIGAMMA_ROOT) < 0.125:
        d = (x - _DIGAMMA_ROOT) - _DIGAMMA_ROOT_LOW
        result = 0.0
        for c in reversed(_DIGAMMA_TAYLOR):
            result = result * d + c
        return result * d
    # digamma(x) = digamma(10 + f) - s, where s is the sum of 1 / (x + k). What cancels is
    # log(10) - s, hence in integers: one rounding.
    f = x - math.floor(x)
    product, derivative, d0 = _rising(x, 10 - math.floor(x))
    n1, d1 = _LOG10.as_integer_ratio()
    log10_minus_s = (n1 * product - d1 * d0 * derivative) / (d1 * product)
    tail = -_log_minus_digamma(10.0 + f)
    return math.fsum((log10_minus_s, _LOG10_LOW, math.log1p(f / 10.0), tail))


def polygamma(n: int, x: float) -> float:
    """Return the n-th derivative of digamma, n >= 1 (Abramowitz & Stegun 6.4.10).

    It is (-1)**(n + 1) * n! * zeta(n + 1, x).
    """
    _refuse_pole(x)
    if x != x or x == -inf:
        return nan
    sign = 1.0 if n % 2 else -1.0
    if x > 0.0:
        return sign * _zeta(n + 1, x, math.factorial(n))
    # Reflection (A&S 6.4.7), with d/dx cot(pi x) = -pi (1 + cot(pi x)**2): the n-th derivative is
    # pi**n times a polynomial in cot(pi x).
    polynomial = [0.0, 1.0]  # coefficients of 1, cot, cot**2, ...
    for _ in range(n):
        slope = [k * c for k, c in enumerate(polynomial)][1:]
        shifted = [0.0, 0.0, *slope]
        polynomial = [-a - b for a, b in zip([*slope, 0.0, 0.0], shifted, strict=True)]
    cot = _cot_pi(x)
    result = polynomial.pop()
    for c in reversed(polynomial):
        result = result * cot + c
    return -sign * polygamma(n, 1.0 - x) - math.pi ** (n + 1) * result


def gamma_prime(x: float) -> float:
    """Return d/dx gamma(x) = gamma(x) * digamma(x)."""
    _refuse_pole(x)
    if x != x or x == -inf:
        return nan
    if x > 200.0:
        return inf
    if x < -200.0:
        return 0.0
    if abs(x) < 1e-9:
        return -1.0 / x / x
    # math.gamma may be 10 ulp off. Better: Stirling's series for gamma(big + low), big >= 10, and
    # gamma(x) = gamma(x + n) / (x (x + 1) ... (x + n - 1)), multiplied as integers: one rounding.
    n = max(0, 10 - math.floor(x))
    big, low = two_sum(10.0, x - math.floor(x)) if n else (x, 0.0)
    half = math.pow(big, 0.5 * big - 0.25)  # big ** (big - 0.5) overflows before gamma(big)
    p, q = (math.expm1(_stirling(big)) + low * math.log(big)).as_integer_ratio()
    product, _, d = _rising(x, n)
    numerator: int = (p + q) * d**n
    denominator = q * product
    for factor in (_SQRT_TWO_PI, half, half, math.exp(-big), digamma(x)):
        p, q = factor.as_integer_ratio()
        numerator, denominator = numerator * p, denominator * q
    try:
        return numerator / denominator
    except OverflowError:
        return inf


def _refuse_pole(x: float) -> None:
    if x <= 0.0 and x % 1.0 == 0.0:
        raise ValueError("a pole")


def _cot_pi(x: float) -> float:
    """Return cot(pi x), from the distance to the nearest pole or root."""
    r = math.remainder(x, 1.0)
    if abs(r) <= 0.25:
        return 1.0 / math.tan(math.pi * r)
    return math.copysign(math.tan(math.pi * (0.5 - abs(r))), r)


def _rising(x: float, n: int) -> tuple[int, int, int]:
    """Return integers (p, q, d): x (x + 1) ... (x + n - 1) = p / d**n, its slope q / d**(n - 1)."""
    x_times_d, d = x.as_integer_ratio()
    p, q = 1, 0
    for k in range(n):
        factor = x_times_d + k * d
        p, q = p * factor, q * factor + p
    return p, q, d


def _log_minus_digamma(x: float) -> float:
    """Return log(x) - digamma(x) = 1/(2x) + sum of B2k / (2k x**2k), x >= 10 (A&S 6.3.18)."""
    z = 1.0 / x
    result = 0.0
    for k in range(len(_BERNOULLI), 0, -1):
        result = (result + _BERNOULLI[k - 1] / (2 * k)) * z * z
    return 0.5 * z + result


def _stirling(x: float) -> float:
    """Return the sum of B2k / (2k (2k - 1) x**(2k - 1)), x >= 10 (A&S 6.1.40)."""
    z = 1.0 / x
    result = 0.0
    for k in range(len(_BERNOULLI), 0, -1):
        result = result * z * z + _BERNOULLI[k - 1] / (2 * k * (2 * k - 1))
    return result * z


def _zeta(s: int, x: float, factor: float) -> float:
    """Return factor times the sum of (x + k)**-s over k >= 0: Euler-Maclaurin (DLMF 25.11.28)."""
    terms = []
    while x < 10.0 + s:
        terms.append(factor * _power_or_inf(x, -s))
        x += 1.0
    z = 1.0 / x
    weight = 0.5 * s * z * z
    series = 0.0
    for k, b in enumerate(_BERNOULLI, 1):
        series += b * weight
        weight *= (s + 2 * k - 1) * (s + 2 * k) * z * z / ((2 * k + 1) * (2 * k + 2))
    h = math.pow(x, 0.5 * (1 - s))  # halves: the power alone underflows before its multiple
    terms.append(factor * (1.0 / (s - 1) + (0.5 * z + series)) * h * h)
    return math.fsum(terms)


# digamma(root + d) = c1 d + c2 d**2 + ..., used for |d| < 1/8.
_DIGAMMA_TAYLOR = [_zeta(k, _DIGAMMA_ROOT, (-1.0) ** k) for k in range(2, 18)]
