"""Functions on floats that the table of primitives needs and the standard ``math`` lacks.

Most are derivatives in a form whose error is a few ulp on the whole range of floats, also where the
textbook form overflows, underflows or cancels. NaN in gives NaN out.
"""

import math
from collections.abc import Sequence
from math import inf, nan

_TWO_OVER_SQRT_PI = 1.1283791670955126

# Constants that need more than 53 bits, as an unevaluated sum of two floats.
_SQRT_TWO_PI, _SQRT_TWO_PI_LOW = 2.5066282746310007, -1.8328579980459167e-16
_LOG10, _LOG10_LOW = 2.302585092994046, -2.1707562233822494e-16
_DIGAMMA_ROOT, _DIGAMMA_ROOT_LOW = 1.4616321449683622, 9.549995429965697e-17

# The Bernoulli numbers B2, B4, ..., B18 (Abramowitz & Stegun 23.2), for the asymptotic series.
BERNOULLI = (
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
    """Return a + b rounded, and the rounding error (Knuth, TAOCP 4.2.2)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def split(a: float) -> tuple[float, float]:
    """Return the upper and lower half of the bits of a, |a| < 1e300 (Veltkamp; Dekker 1971)."""
    t = 134217729.0 * a  # 2**27 + 1
    high = t - (t - a)
    return high, a - high


def two_product(a: float, b: float) -> tuple[float, float]:
    """Return a * b rounded, and the rounding error, unless it underflows (Dekker 1971)."""
    p = a * b
    a_high, a_low = split(a)
    b_high, b_low = split(b)
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


def pair_product(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    """Return (a + a_low) * (b + b_low) as such a pair, where the low parts are small."""
    p, low = two_product(a, b)
    return p, low + (a_low * b + a * b_low)


# Quotients and norms.


def ratio(x: float, y: float) -> float:
    """Return x / y, where x / 0 is infinite and 0 / 0 is 0, the derivative of a norm at 0."""
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
    """Return d/dy x/y = -x/y**2; 0 / 0 is 0 as in ``ratio``."""
    q = ratio(x, y)
    if abs(q) < 1e-290 and abs(y) < 1.0:  # q has lost bits
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
    """Return each x / hypot(*xs), the derivatives of a norm; 0 at the origin."""
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
    h = power_or_inf(x, 0.5 * t)
    if h == 0.0 or h == inf:
        return math.copysign(h, sign * y)
    return sign * y * (1.0 + c * math.log(x)) * h * h


def power_dy(x: float, y: float) -> float:
    """Return d/dy x**y = x**y * log(x): 0 at x = 0 <= y, and NaN for x < 0."""
    if x != x or y != y or x < 0.0:
        return nan
    if x == 0.0:
        return 0.0 if y >= 0.0 else -inf
    p = power_or_inf(x, y)
    if 1e-290 < p < 1e289:
        return p * math.log(x)
    h = power_or_inf(x, 0.5 * y)
    return h * math.log(x) * h if h else 0.0


def power_c_slope(x: float, c: float, k: float) -> float:
    """Return the k-th derivative of x**c, c (c - 1) ... (c - k + 1) x**(c - k): 0 where c < k."""
    y, lost = two_sum(c, 1.0 - k)
    result = power_dx(x, y)
    if lost and result and math.isfinite(result):
        result *= 1.0 + lost * math.log(abs(x))
    for i in range(int(k) - 1):
        result = result * (c - i) if c != i else 0.0
    return result


def power_or_inf(x: float, y: float) -> float:
    """Return x**y where it is real, infinite where Python raises: at a pole and on overflow."""
    if x != x or y != y:
        return nan
    try:
        return math.pow(x, y)
    except (ValueError, OverflowError):
        return math.copysign(inf, x) if y % 2.0 == 1.0 else inf


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
    _check_pole(x)
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
    # log(10) - s, hence each quotient q comes with its remainder. Of half the bits, q * h is exact.
    f = x - math.floor(x)
    terms = [_LOG10, math.log1p(f / 10.0), -_log_minus_digamma(10.0 + f)]
    rest = _LOG10_LOW
    for k in range(10 - math.floor(x)):
        h, _ = split(x + k)
        q, _ = split(1.0 / h)
        terms.append(-q)
        rest -= ((1.0 - q * h) - q * (x - (h - k))) / (x + k)
    terms.append(rest)
    return math.fsum(terms)


def polygamma(x: float, order: float) -> float:
    """Return the n-th derivative of digamma, for the order n >= 1 (Abramowitz & Stegun 6.4.10).

    It is (-1)**(n + 1) * n! * zeta(n + 1, x).
    """
    n = int(order)
    _check_pole(x)
    if x != x or x == -inf:
        return nan
    sign = 1.0 if n % 2 else -1.0
    if x > 0.0:
        return sign * _zeta(n + 1, x, math.gamma(n + 1.0))
    # Reflection (A&S 6.4.7), with d/dx cot(pi x) = -pi (1 + cot(pi x)**2): the n-th derivative is
    # pi**n times a polynomial in cot(pi x).
    polynomial = [0.0, 1.0]  # coefficients of 1, cot, cot**2, ...
    for _ in range(n):
        slope = [k * c for k, c in enumerate(polynomial)][1:]
        padded = [*slope, 0.0, 0.0]
        polynomial = [-a - b for a, b in zip(padded, [0.0, 0.0, *slope], strict=True)]
    cot = _cot_pi(x)
    *others, result = polynomial
    for c in reversed(others):
        result = result * cot + c
    return -sign * polygamma(1.0 - x, n) - math.pi ** (n + 1) * result


def gamma_prime(x: float) -> float:
    """Return d/dx gamma(x) = gamma(x) * digamma(x)."""
    _check_pole(x)
    if x != x or x == -inf:
        return nan
    if x > 200.0:
        return inf
    if x < -200.0:
        return 0.0
    if abs(x) < 1e-9:
        return -1.0 / x / x
    # math.gamma may be 10 ulp off. Better: Stirling's series for gamma(big + low), big >= 10, and
    # gamma(x) = gamma(x + n) / (x (x + 1) ... (x + n - 1)). Both are scaled by 2**-600.
    whole = math.floor(x)
    big, low = two_sum(max(whole, 10.0), x - whole)
    half = math.pow(big, 0.5 * big - 0.25) * 2.0**-300
    a, a_low = two_product(half, half)
    a, a_low = pair_product(a, a_low, math.exp(-big), 0.0)
    a, a_low = pair_product(a, a_low, _SQRT_TWO_PI, _SQRT_TWO_PI_LOW)
    a, a_low = pair_product(a, a_low, digamma(x), 0.0)
    a_low += a * math.expm1(_stirling(big) + low * math.log(big))
    if x >= 10.0:
        return (a + a_low) * 2.0**600
    b, b_low = 2.0**-600, 0.0
    for k in range(10 - whole):
        h, h_low = two_sum(x, k)
        b, b_low = pair_product(b, b_low, h, h_low)
    q = a / b
    p, low = two_product(q, b)
    return q + ((a - p) - low + a_low - q * b_low) / b


def _check_pole(x: float) -> None:
    """Raise a ValueError at a pole of the gamma function."""
    if x <= 0.0 and x % 1.0 == 0.0:
        raise ValueError("a pole")


def _cot_pi(x: float) -> float:
    """Return cot(pi x), from the distance to the nearest pole or root."""
    r = math.remainder(x, 1.0)
    if abs(r) <= 0.25:
        return 1.0 / math.tan(math.pi * r)
    return math.copysign(math.tan(math.pi * (0.5 - abs(r))), r)


def _log_minus_digamma(x: float) -> float:
    """Return log(x) - digamma(x) = 1/(2x) + sum of B2k / (2k x**2k), x >= 10 (A&S 6.3.18)."""
    z = 1.0 / x
    result = 0.0
    for k in range(len(BERNOULLI), 0, -1):
        result = (result + BERNOULLI[k - 1] / (2 * k)) * z * z
    return 0.5 * z + result


def _stirling(x: float) -> float:
    """Return the sum of B2k / (2k (2k - 1) x**(2k - 1)), x >= 10 (A&S 6.1.40)."""
    z = 1.0 / x
    result = 0.0
    for k in range(len(BERNOULLI), 0, -1):
        result = result * z * z + BERNOULLI[k - 1] / (2 * k * (2 * k - 1))
    return result * z


def _zeta(s: int, x: float, factor: float) -> float:
    """Return factor times the sum of (x + k)**-s over k >= 0: Euler-Maclaurin (DLMF 25.11.28)."""
    terms = []
    while x < 10.0 + s:
        terms.append(factor * power_or_inf(x, -s))
        x += 1.0
    z = 1.0 / x
    weight = 0.5 * s * z * z
    series = 0.0
    for k, b in enumerate(BERNOULLI, 1):
        series += b * weight
        weight *= (s + 2 * k - 1) * (s + 2 * k) * z * z / ((2 * k + 1) * (2 * k + 2))
    h = math.pow(x, 0.5 * (1 - s))  # halves: the power alone underflows before its multiple
    terms.append(factor * (1.0 / (s - 1) + (0.5 * z + series)) * h * h)
    return math.fsum(terms)


# digamma(root + d) = c1 d + c2 d**2 + ..., used for |d| < 1/8.
_DIGAMMA_TAYLOR = [_zeta(k, _DIGAMMA_ROOT, (-1.0) ** k) for k in range(2, 18)]
