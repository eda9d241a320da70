"""Activation functions and their slopes, on floats.

Values and slopes are within 4 ulp of the truth on the whole range of floats, also in the tails and
next to the root of a slope. NaN in gives NaN out, and an infinite input gives the limit.
"""

import math

from microgradlib.piecewise import leaky_relu_prime
from microgradlib.special import split

# A constant that needs more than 53 bits is the sum of two floats. All were computed with mpmath.

# The roots of the slopes of silu, gelu and gelu_tanh.
_SILU_ROOT, _SILU_ROOT_LOW = -1.2784645427610737, -1.0946994183093437e-16
_GELU_ROOT, _GELU_ROOT_LOW = -0.7517915246935645, 1.4956759177009883e-17

# exp(w) at the root, where silu and gelu_tanh are x * sigmoid(w).
_SILU_EXP = 0.2784645427610738
_GELU_TANH_EXP = 0.29195521191476714

# Fixed-point numbers with 128 bits: 1, 2 sqrt(2/pi); w and x w' at the root of gelu_tanh's slope.
_ONE = 1 << 128
_TWO_SQRT_TWO_OVER_PI = 543012093759344928650364028703141847807
_GELU_TANH_ROOT_W = -418940294003344331549928080626191226619
_GELU_TANH_ROOT_XW1 = -439629577466199598623303339620312407237

_SQRT_HALF = 0.7071067811865476

# Mills' ratio m(t) = (1 - Phi(t)) / phi(t) of the normal distribution, with r = -_GELU_ROOT:
#     (1 + t) m(t) = r (1 + r) + (t - r) / (t + 5) * S(u), where u = (t - 5) / (t + 5).
# The polynomial S interpolates at the Chebyshev points of 0 <= t <= 39, within 2e-17. After
# Shepherd & Laframboise, Math. Comp. 36 (1981), who expand (1 + 2x) exp(x**2) erfc(x) likewise.
# All these numbers are multiplied by the factor 1 / sqrt(2 pi) of phi.
_INV_SQRT_TWO_PI = 0.3989422804014327
_MILLS_ROOT = 0.2999214252477206  # r
_MILLS_BASE = 0.5253998108229714  # r (1 + r)
_MILLS_SERIES = (
    -0.1503786392411579,
    -0.011905309250200448,
    0.08916241830068539,
    -0.0971751081545405,
    0.0694223307415159,
    -0.03623483688152144,
    0.013349409280509837,
    -0.0027218561956465323,
    -0.0002601506147458637,
    0.0003705676655634912,
    -7.25214663251181e-05,
    -2.8000147027249e-05,
    1.46151704224769e-05,
    1.5403837252662e-06,
    -2.2494568369605e-06,
    -3.59809732843e-08,
    3.456297427752e-07,
    -1.7256921503e-09,
    -5.37713105375e-08,
    -2.0006594878e-09,
    6.8158003091e-09,
    7.908829559e-10,
    -2.957946072e-10,
)


# Sigmoid and tanh.


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x))."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


def sigmoid_prime(x: float) -> float:
    """Return d/dx sigmoid(x) = exp(-|x|) / (1 + exp(-|x|))**2."""
    e = math.exp(-abs(x))
    q = 1.0 + e
    return e / q / q


def sigmoid_and_partials(x: float) -> tuple[float, tuple[float]]:
    """Return sigmoid(x) and its slope, which share the exponential."""
    e = math.exp(-abs(x))
    q = 1.0 + e
    p = e / q
    return (1.0 / q if x >= 0.0 else p), (p / q,)


def logit(p: float) -> float:
    """Return log(p / (1 - p)), the inverse of sigmoid."""
    if not 0.0 < p < 1.0:
        return -math.inf if p == 0.0 else math.inf if p == 1.0 else math.nan
    if p > 0.25:  # near 1/2, log(p / (1 - p)) would cancel
        return math.log1p((2.0 * p - 1.0) / (1.0 - p))
    return math.log(p / (1.0 - p))


def bce(p: float, t: float) -> float:
    """Return -(t log(p) + (1 - t) log(1 - p)), the cross-entropy of p against a target t."""
    if p != p or t != t:
        return math.nan
    if not (0.0 <= p <= 1.0 and 0.0 <= t <= 1.0):
        raise ValueError("not a probability")
    # Logarithms are cut off at -100, as in PyTorch, so that p = 0 and p = 1 have a finite loss.
    log_p = max(math.log(p), -100.0) if p else -100.0
    log_q = math.log1p(-p) if p < 1.0 else -100.0  # at least -37: no p is nearer to 1
    return -(t * log_p + (1.0 - t) * log_q)


def bce_with_logits(z: float, t: float) -> float:
    """Return the cross-entropy of sigmoid(z) against a target t."""
    if not 0.0 <= t <= 1.0 and t == t:
        raise ValueError("not a probability")
    return t * softplus(-z) + (1.0 - t) * softplus(z)


def log_sigmoid(x: float) -> float:
    """Return log(sigmoid(x)) = min(x, 0) - log(1 + exp(-|x|))."""
    return (x if x < 0.0 else 0.0) - math.log1p(math.exp(-abs(x)))


def softplus(x: float) -> float:
    """Return log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))."""
    return (x if x > 0.0 else 0.0) + math.log1p(math.exp(-abs(x)))


def tanh_prime(x: float) -> float:
    """Return d/dx tanh(x) = sech(x)**2 = 4 exp(-2|x|) / (1 + exp(-2|x|))**2."""
    e = math.exp(-2.0 * abs(x))
    q = 1.0 + e
    return 4.0 * e / q / q


def elu(x: float, alpha: float) -> float:
    """Return x for x > 0, else alpha * (exp(x) - 1)."""
    return x if x > 0.0 else alpha * math.expm1(x)


def elu_prime(x: float, alpha: float) -> float:
    """Return d/dx elu(x, alpha) = 1 for x > 0, alpha * exp(x) for x < 0."""
    return 1.0 if x > 0.0 else leaky_relu_prime(0.0, alpha) if x == 0.0 else _times_exp(alpha, x)


# Functions of the form f(x) = x F(x) with F(x) + F(-x) = 1, so f'(x) + f'(-x) = 1.
#
# Each slope has a root r < 0. The factor g that vanishes there is computed as g(x) - g(r): then
# x - r comes out as a factor, and what is left is a sum of terms of like sign.


def silu(x: float) -> float:
    """Return x * sigmoid(x)."""
    return _times_sigmoid(x, x, 0.0)


def silu_prime(x: float) -> float:
    """Return d/dx silu(x) = sigmoid'(x) * g(x), where g(x) = 1 + x + exp(x)."""
    if x > 0.0:
        return 1.0 - silu_prime(-x)
    x = max(x, -1000.0)
    d = (x - _SILU_ROOT) - _SILU_ROOT_LOW
    return _times_sigmoid_prime(d + _SILU_EXP * math.expm1(d), x, 0.0)


def gelu_tanh(x: float) -> float:
    """Return x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x**3))), an approximation of gelu."""
    if x != x:
        return x
    w, low = _to_pair(_cubic(x, 44715))
    return _times_sigmoid(x, w, low)


def gelu_tanh_prime(x: float) -> float:
    """Return d/dx gelu_tanh(x) = sigmoid'(w) * g(x), where g(x) = 1 + x w' + exp(w)."""
    if x > 0.0:
        return 1.0 - gelu_tanh_prime(-x)
    if x != x:
        return x
    w_fixed, xw1_fixed = _cubic(x, 44715), _cubic(x, 3 * 44715)
    w, low = _to_pair(w_fixed)
    v = (w_fixed - _GELU_TANH_ROOT_W) / _ONE
    g = (xw1_fixed - _GELU_TANH_ROOT_XW1) / _ONE + _GELU_TANH_EXP * math.expm1(v)
    return _times_sigmoid_prime(g, w, low)


def _cubic(x: float, millionths: int) -> int:
    """Return 2 sqrt(2/pi) (x + a x**3) in fixed point with 128 bits, cut off for |x| > 30."""
    n = int(max(min(x, 30.0), -30.0) * 2.0**64)
    return _TWO_SQRT_TWO_OVER_PI * n * (_ONE + millionths * n * n // 10**6) >> 192


def _to_pair(n: int) -> tuple[float, float]:
    """Return a fixed-point number as a sum of two floats."""
    high = n / _ONE
    return high, (n - int(high * _ONE)) / _ONE


def _times_sigmoid(x: float, w: float, low: float) -> float:
    """Return x * sigmoid(w + low), where low is small against 1."""
    if w >= 0.0:
        return x / (1.0 + math.exp(-w))
    w = max(w, -1000.0)
    return _times_exp(max(x, -1000.0), w, low) / (1.0 + math.exp(w))


def _times_sigmoid_prime(c: float, w: float, low: float) -> float:
    """Return c * sigmoid'(w + low) for w <= 0, where low is small against 1."""
    e = math.exp(w)
    z = e * (2.0 + e)
    q = 1.0 + z  # (1 + e)**2
    low -= ((1.0 - q) + z) / q  # what the rounding of q lost
    return _times_exp(c, w, low) / q


def _times_exp(c: float, x: float, low: float = 0.0) -> float:
    """Return c * exp(x + low), also where exp(x) alone would lose bits to underflow."""
    c += c * low
    if x > -700.0:
        return c * math.exp(x)
    h = math.exp(0.5 * x)
    return c * h * h


def gelu(x: float) -> float:
    """Return x * Phi(x), where Phi is the normal distribution function."""
    if x > -1.0:
        return x * (0.5 * math.erfc(-_SQRT_HALF * x))
    t = min(-x, 50.0)
    mills = _MILLS_BASE + (t + _GELU_ROOT) * _mills_slope(t)  # (1 + t) m(t) / sqrt(2 pi)
    return -_times_bell(mills - mills / (1.0 + t), t)


def gelu_prime(x: float) -> float:
    """Return d/dx gelu(x) = Phi(x) + x phi(x) = phi(x) (m(-x) + x), with Mills' ratio m."""
    if x > 0.0:
        return 1.0 - gelu_prime(-x)
    t = min(-x, 50.0)
    d = (t + _GELU_ROOT) + _GELU_ROOT_LOW
    # t - m(t) = (t - r) * (1 + (r - slope) / (1 + t))
    return -_times_bell(d * (_INV_SQRT_TWO_PI + (_MILLS_ROOT - _mills_slope(t)) / (1.0 + t)), t)


def normal_pdf(x: float) -> float:
    """Return exp(-x**2 / 2) / sqrt(2 pi), the density of the normal distribution."""
    return _times_bell(_INV_SQRT_TWO_PI, min(abs(x), 50.0)) if x == x else x


def _times_bell(c: float, t: float) -> float:
    """Return c * exp(-t**2 / 2)."""
    high, low = split(t)  # exp magnifies the rounding of t**2, and high**2 is exact
    square = t * t
    square_low = ((high * high - square) + 2.0 * high * low) + low * low
    return _times_exp(c, -0.5 * square, -0.5 * square_low)


def _mills_slope(t: float) -> float:
    """Return S(u) / (t + 5), the slope from (r, r (1 + r)) to (t, (1 + t) m(t))."""
    u = (t - 5.0) / (t + 5.0)
    result = 0.0
    for c in reversed(_MILLS_SERIES):
        result = result * u + c
    return result / (t + 5.0)
