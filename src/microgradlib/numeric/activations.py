"""Activation functions and their derivatives, on floats.

Both are within 4 ulp of the exact numbers on the whole range of floats, also in the tails and next
to the root of a derivative. NaN in gives NaN out, and an infinite input gives the limit.
"""

import math

from microgradlib.numeric.piecewise import leaky_relu_prime
from microgradlib.numeric.special import pair_product, split, two_product, two_sum

# A constant that needs more than 53 bits is the sum of two floats. All were computed with mpmath.

# The roots of the derivatives of silu, gelu and gelu_tanh.
_SILU_ROOT, _SILU_ROOT_LOW = -1.2784645427610737, -1.0946994183093437e-16
_GELU_ROOT, _GELU_ROOT_LOW = -0.7517915246935645, 1.4956759177009883e-17
_GELU_TANH_ROOT, _GELU_TANH_ROOT_LOW = -0.7524614220710163, 3.635560509207687e-17

# exp(w) at the root, where silu and gelu_tanh are x * sigmoid(w).
_SILU_EXP = 0.2784645427610738
_GELU_TANH_EXP = 0.29195521191476714

# gelu_tanh is x * sigmoid(w), where w = c x + a x**3.
_C, _C_LOW = 1.5957691216057308, -9.96930880911092e-17  # 2 sqrt(2/pi)
_A, _A_LOW = 0.07135481627260025, -6.175149918155315e-19  # 0.044715 c

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
    """Return sigmoid(x) and its derivative, which share the exponential."""
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


LEAST = math.exp(-100.0)
"""The probability at which the logarithm is cut off."""


def bce_scale(p: float) -> float:
    """Return 1 / (p (1 - p)), or PyTorch's 1e12 where a logarithm is cut off."""
    return 1.0 / (p * (1.0 - p)) if LEAST < p < 1.0 else 1e12 if p == p else p


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
# Each derivative has a root r < 0. Its factor g that vanishes there is computed as g(x) - g(r), in
# which x - r comes out as a factor of a sum of terms of like sign.


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
    w, low = _gelu_tanh_exponent(min(x, 30.0))
    return _times_sigmoid(x, w, low)


def gelu_tanh_prime(x: float) -> float:
    """Return d/dx gelu_tanh(x) = sigmoid'(w) * g(x), where g(x) = 1 + x w' + exp(w)."""
    if x > 0.0:
        return 1.0 - gelu_tanh_prime(-x)
    x = max(x, -30.0)
    d, d_low = two_sum(x - _GELU_TANH_ROOT, -_GELU_TANH_ROOT_LOW)
    # x**3 - root**3 = d * s; the same with w, and with x w' = c x + 3 a x**3.
    s, s_low = two_sum(x * x, _GELU_TANH_ROOT * (x + _GELU_TANH_ROOT))
    p, p_low = pair_product(s, s_low, _A, _A_LOW)
    slope, slope_low = two_sum(_C, 3.0 * p)
    v = _GELU_TANH_EXP * math.expm1(d * (_C + p))
    p, p_low = pair_product(d, d_low, slope, slope_low + (3.0 * p_low + _C_LOW))
    g, g_low = two_sum(p, v)
    w, low = _gelu_tanh_exponent(x)
    return _times_sigmoid_prime(g, w, low + (g_low + p_low) / g)


def _gelu_tanh_exponent(x: float) -> tuple[float, float]:
    """Return w = x (c + a x**2) as a sum of two floats, cut off for x < -30."""
    x = max(x, -30.0)
    square, square_low = two_product(x, x)
    p, p_low = pair_product(square, square_low, _A, _A_LOW)
    q, q_low = two_sum(_C, p)
    return pair_product(x, 0.0, q, q_low + (p_low + _C_LOW))


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
    low -= ((1.0 - q) + z) / q  # the rounding error of q
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
    # t - m(t) = (t - r) * (1 + (r - S(u) / (t + 5)) / (1 + t))
    return -_times_bell(d * (_INV_SQRT_TWO_PI + (_MILLS_ROOT - _mills_slope(t)) / (1.0 + t)), t)


def normal_pdf(x: float) -> float:
    """Return exp(-x**2 / 2) / sqrt(2 pi), the density of the normal distribution."""
    return _times_bell(_INV_SQRT_TWO_PI, min(abs(x), 50.0))


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
