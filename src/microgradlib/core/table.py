"""The table of primitives: every differentiable operation, one row each.

A row gives the name, the operation on floats, the rule (output, *inputs) for its partial
derivatives, and the domain of each input, or of all. ``primitive.py`` says what becomes of it.
"""

import functools
import math
import operator
import sys
from math import inf
from typing import Any, TypeAlias

from microgradlib.core.primitive import FLOAT_NAMES, PRIMITIVES, Interval, Primitive
from microgradlib.numeric import activations, piecewise, reductions, special

__all__ = ["PRIMITIVES"]

Partials: TypeAlias = tuple[Any, ...]

REAL, POSITIVE = Interval(-inf, inf), Interval(0.0, inf)
UNIT, PROBABILITY = Interval(-1.0, 1.0), Interval(0.0, 1.0)

Selection = functools.partial(Primitive, selects=sys.maxsize)
Helper = functools.partial(Primitive, helper=True)

LN2, LOG2E, LOG10E = math.log(2.0), 1.0 / math.log(2.0), math.log10(math.e)

# Rules that are too long for a row.


def _entries(row: Primitive, at_once: Any, xs: Partials) -> Partials:
    plain = all(type(x) is float for x in xs)
    return tuple(at_once(xs) if plain else [row.entry(xs, i) for i in range(len(xs))])


def _log_share_rule(row: Primitive, xs: Partials) -> Partials:
    shares = _entries(row, reductions.shares, xs)
    return (complement(*shares), *[-q for q in shares[1:]])


def _share_rule(row: Primitive, p: Any, xs: Partials) -> Partials:
    return tuple([p * slope for slope in _log_share_rule(row, xs)])


def _modulo_rule(z: Any, x: Any, y: Any) -> Partials:
    return 1.0, -nearest(ratio(x - z, y))  # z = x - n * y for a whole number n


def _power_mixed(x: Any, y: Any) -> Any:
    return power_or_inf(x, y - 1.0) + y * power_dy(x, y - 1.0)


def _product_rule(y: Any, *xs: Any) -> Partials:
    before, after = [1.0], [1.0]
    for x in xs[:-1]:
        before.append(before[-1] * x)
    for x in xs[:0:-1]:
        after.append(after[-1] * x)
    return tuple([b * a for b, a in zip(before, reversed(after), strict=True)])


def _dot_rule(y: Any, bias: Any, *factors: Any) -> Partials:
    n = len(factors) // 2
    return (1.0, *factors[n:], *factors[:n])


def _mse_rule(y: Any, *values: Any) -> Partials:
    n = len(values) // 2
    scale = 2.0 / n
    slopes = [scale * (o - t) for o, t in zip(values[:n], values[n:], strict=True)]
    return (*slopes, *[-slope for slope in slopes])


def _greater_rule(z: Any, x: Any, *others: Any) -> Partials:
    step = jump(x, maximum(*others)) if others else 0.0
    return (step, *[gate(step, match(x, y)) for y in others])


def _direction_rule(u: Any, *xs: Any) -> Partials:
    # Not 1 - u**2, which cancels where the others are small.
    inverse = reciprocal(hypot(*xs))
    _, *others = _entries(direction, special.directions, xs)
    rest = sum_(*[v * v for v in others])
    return (rest * inverse, *[-u * v * inverse for v in others])


def _atan2_rule(angle: Any, y: Any, x: Any) -> Partials:
    scale = norm_scale(hypot(y, x))
    y, x = y * scale, x * scale
    r = hypot(y, x)
    return -quotient_dy(x, r) * scale, quotient_dy(y, r) * scale


def _gelu_prime_rule(d: Any, x: Any) -> Partials:
    p = normal_pdf(x)
    return (2.0 * p - x * (x * p),)  # bracketed so that the tails are 0, not inf * 0


def _gelu_tanh_rule(d: Any, x: Any) -> Partials:
    # gelu_tanh(x) = x * sigmoid(w), w = 2 sqrt(2 / pi) (x + 0.044715 x^3). All is 0 beyond 30.
    x = clip(x, -30.0, 30.0)
    a = 2.0 * math.sqrt(2.0 / math.pi)
    b = 0.044715 * a
    w = x * (a + b * x * x)
    w1 = a + 3.0 * b * x * x
    w2 = 6.0 * b * x
    return (sigmoid_prime(w) * (2.0 * w1 + x * w2 - x * w1 * w1 * tanh(0.5 * w)),)


# fmt: off
# Arithmetic. A float operand of + - * / gives what IEEE arithmetic gives; only / by zero raises.
add       = Primitive("add", operator.add, lambda z, x, y: (1.0, 1.0), REAL, REAL)
subtract  = Primitive("subtract", operator.sub, lambda z, x, y: (1.0, -1.0), REAL, REAL)
multiply  = Primitive("multiply", operator.mul, lambda z, x, y: (y, x), REAL, REAL)
divide    = Primitive("divide", operator.truediv, lambda z, x, y: (1.0 / y, quotient_dy(x, y)), REAL, REAL)
modulo    = Primitive("modulo", operator.mod, _modulo_rule, REAL, REAL)
fmod      = Primitive("fmod", math.fmod, _modulo_rule, REAL, REAL)
remainder = Primitive("remainder", math.remainder, _modulo_rule, REAL, REAL)
power     = Primitive("power", special.power, lambda z, x, y: (power_dx(x, y), power_dy(x, y)), REAL, REAL)
power_c   = Primitive("power_c", special.power, lambda z, x, c: (power_c_slope(x, c, 1.0), None), REAL, REAL)
negative  = Primitive("negative", operator.neg, lambda y, x: (-1.0,), REAL)
abs_      = Primitive("abs", abs, lambda y, x: (sign(x),), REAL)

# Exponentials, logarithms, roots.
exp   = Primitive("exp",   math.exp,   lambda y, x: (y,),                   REAL)
exp2  = Primitive("exp2",  math.exp2,  lambda y, x: (y * LN2,),             REAL)
expm1 = Primitive("expm1", math.expm1, lambda y, x: (exp(x),),              REAL)
log   = Primitive("log",   math.log,   lambda y, x: (reciprocal(x),),       POSITIVE)
log2  = Primitive("log2",  math.log2,  lambda y, x: (LOG2E / x,),           POSITIVE)
log10 = Primitive("log10", math.log10, lambda y, x: (LOG10E / x,),          POSITIVE)
log1p = Primitive("log1p", math.log1p, lambda y, x: (reciprocal(1.0 + x),), Interval(-1.0, inf))
sqrt  = Primitive("sqrt",  math.sqrt,  lambda y, x: (0.5 * rsqrt(x),),      POSITIVE)
cbrt  = Primitive("cbrt",  math.cbrt,  lambda y, x: (cbrt_prime(x),),       REAL)

# Trigonometric and hyperbolic functions.
sin              = Primitive("sin",   math.sin,   lambda y, x: (cos(x),),          REAL)
cos: Primitive   = Primitive("cos",   math.cos,   lambda y, x: (-sin(x),),         REAL)
tan              = Primitive("tan",   math.tan,   lambda y, x: (1.0 + y * y,),     REAL)
asin             = Primitive("asin",  math.asin,  lambda y, x: (asin_prime(x),),   UNIT)
acos             = Primitive("acos",  math.acos,  lambda y, x: (-asin_prime(x),),  UNIT)
atan             = Primitive("atan",  math.atan,  lambda y, x: (atan_prime(x),),   REAL)
atan2            = Primitive("atan2", math.atan2, _atan2_rule,                     REAL, REAL)
sinh             = Primitive("sinh",  math.sinh,  lambda y, x: (cosh(x),),         REAL)
cosh: Primitive  = Primitive("cosh",  math.cosh,  lambda y, x: (sinh(x),),         REAL)
tanh             = Primitive("tanh",  math.tanh,  lambda y, x: (tanh_prime(x),),   REAL)
asinh            = Primitive("asinh", math.asinh, lambda y, x: (asinh_prime(x),),  REAL)
acosh            = Primitive("acosh", math.acosh, lambda y, x: (acosh_prime(x),),  Interval(1.0, inf))
atanh            = Primitive("atanh", math.atanh, lambda y, x: (atanh_prime(x),),  UNIT)
hypot: Primitive = Primitive("hypot", math.hypot, lambda r, *xs: _entries(direction, special.directions, xs), REAL)

# Special functions.
erf    = Primitive("erf",    math.erf,    lambda y, x: (erf_prime(x),),   REAL)
erfc   = Primitive("erfc",   math.erfc,   lambda y, x: (-erf_prime(x),),  REAL)
gamma  = Primitive("gamma",  math.gamma,  lambda y, x: (gamma_prime(x),), REAL)
lgamma = Primitive("lgamma", math.lgamma, lambda y, x: (digamma(x),),     REAL)

# Activations.
sigmoid     = Primitive("sigmoid",     activations.sigmoid,
    lambda y, x: (sigmoid_prime(x),), REAL, both=activations.sigmoid_and_partials)
log_sigmoid = Primitive("log_sigmoid", activations.log_sigmoid, lambda y, x: (sigmoid(-x),), REAL)
softplus    = Primitive("softplus",    activations.softplus, lambda y, x: (sigmoid(x),), REAL)
relu        = Selection("relu",        piecewise.relu, lambda y, x: (above(x, 0.0),), REAL)
leaky_relu  = Primitive("leaky_relu",  piecewise.leaky_relu,
    lambda y, x, a: (leaky_relu_prime(x, a), None), REAL, UNIT)
elu         = Primitive("elu",         activations.elu, lambda y, x, a: (elu_prime(x, a), None), REAL, UNIT)
gelu        = Primitive("gelu",        activations.gelu, lambda y, x: (gelu_prime(x),), REAL)
gelu_tanh   = Primitive("gelu_tanh",   activations.gelu_tanh, lambda y, x: (gelu_tanh_prime(x),), REAL)
silu        = Primitive("silu",        activations.silu, lambda y, x: (silu_prime(x),), REAL)

# Selections: the partial is exactly 0 for an input that was not selected, and no edge is kept to it.
where = Selection("where", piecewise.where, lambda z, x, y, c: (c, 1.0 - c, None), REAL, REAL, UNIT)
maximum: Primitive = Selection("maximum", piecewise.maximum,
    lambda z, *xs: _entries(greater, piecewise.leading, xs), REAL)
minimum = Selection("minimum", piecewise.minimum,
    lambda z, *xs: _entries(greater, piecewise.leading, tuple([-x for x in xs])), REAL)
maximum_c = Selection("maximum_c", piecewise.maximum, lambda y, x, c: (above(x, c), None), REAL, REAL)
minimum_c = Selection("minimum_c", piecewise.minimum, lambda y, x, c: (above(c, x), None), REAL, REAL)
clip = Selection("clip", piecewise.clip,
    lambda y, x, low, high: (inside(x, low, high), None, None), REAL, REAL, REAL)
copysign: Primitive = Primitive("copysign", math.copysign,
    lambda z, x, y: (sign(x) * copysign(1.0, y), None), REAL, REAL)

# Many inputs. dot takes (bias, *weights, *inputs), mse (*outputs, *targets); softmax and log_softmax
# give the entry of their first input.
sum_ = Primitive("sum", reductions.total, lambda y, *xs: (1.0,) * len(xs), REAL)
mean = Primitive("mean", reductions.mean, lambda y, *xs: (1.0 / len(xs),) * len(xs), REAL)
prod = Primitive("prod", reductions.product, _product_rule, REAL)
dot = Primitive("dot", reductions.dot, _dot_rule, REAL, both=reductions.dot_and_partials)
mse = Primitive("mse", reductions.mse, _mse_rule, REAL, both=reductions.mse_and_partials)
bce = Primitive("bce", activations.bce,
    lambda y, p, t: ((p - t) * bce_scale(p), -clip(logit(p), -100.0, 100.0)), PROBABILITY, PROBABILITY)
bce_with_logits = Primitive("bce_with_logits", activations.bce_with_logits,
    lambda y, z, t: ((1.0 - t) * sigmoid(z) - t * sigmoid(-z), -z), REAL, PROBABILITY)
logsumexp: Primitive = Primitive("logsumexp", reductions.logsumexp_of, lambda y, *xs: _entries(share, reductions.shares, xs), REAL)
softmax: Primitive = Primitive("softmax", reductions.first_of_softmax,
    lambda p, *xs: _share_rule(softmax, p, xs), REAL)
log_softmax = Primitive("log_softmax", reductions.first_of_log_softmax,
    lambda y, *xs: _log_share_rule(softmax, xs), REAL)

# Derivatives that only rules need: closed forms that stay accurate where composing the rows above
# would cancel or overflow.
quotient_dy: Primitive = Helper("quotient_dy", special.quotient_dy,
    lambda d, x, y: (quotient_dy(1.0, y), -2.0 * d / y), REAL, REAL)
power_dx: Primitive = Helper("power_dx", special.power_dx,
    lambda d, x, y: (y * power_dx(x, y - 1.0), _power_mixed(x, y)), REAL, REAL)
power_dy: Primitive = Helper("power_dy", special.power_dy,
    lambda d, x, y: (_power_mixed(x, y), d * power_dy(x, 0.0)), POSITIVE, REAL)
power_or_inf: Primitive = Helper("power_or_inf", special.power_or_inf,
    lambda z, x, y: (power_dx(x, y), power_dy(x, y)), REAL, REAL)
power_c_slope: Primitive = Helper("power_c_slope", special.power_c_slope,
    lambda d, x, c, k: (power_c_slope(x, c, k + 1.0), None, None), REAL, REAL, REAL)
reciprocal: Primitive = Helper("reciprocal", special.reciprocal, lambda y, x: (-y * y,), REAL)
rsqrt: Primitive = Helper("rsqrt", special.rsqrt, lambda y, x: (-0.5 * y * y * y,), POSITIVE)
ratio: Primitive = Helper("ratio", special.ratio,
    lambda z, x, y: (reciprocal(y), quotient_dy(x, y)), REAL, REAL)
direction: Primitive = Helper("direction", special.direction, _direction_rule, REAL)
cbrt_prime: Primitive = Helper("cbrt_prime", special.cbrt_prime,
    lambda d, x: (-2.0 / 3.0 * d * reciprocal(x),), REAL)
asin_prime: Primitive = Helper("asin_prime", special.asin_prime, lambda d, x: (x * d * atanh_prime(x),), UNIT)
atan_prime: Primitive = Helper("atan_prime", special.atan_prime, lambda d, x: (-2.0 * (x * d) * d,), REAL)
tanh_prime: Primitive = Helper("tanh_prime", activations.tanh_prime, lambda d, x: (-2.0 * tanh(x) * d,), REAL)
asinh_prime: Primitive = Helper("asinh_prime", special.asinh_prime, lambda d, x: (-x * d * d * d,), REAL)
acosh_prime: Primitive = Helper("acosh_prime", special.acosh_prime,
    lambda d, x: (-x * d * reciprocal(x - 1.0) * reciprocal(x + 1.0),), Interval(1.0, inf))
atanh_prime: Primitive = Helper("atanh_prime", special.atanh_prime, lambda d, x: (2.0 * x * d * d,), UNIT)
erf_prime: Primitive = Helper("erf_prime", special.erf_prime, lambda d, x: (-2.0 * (x * d),), REAL)
digamma: Primitive = Helper("digamma", special.digamma, lambda d, x: (polygamma(x, 1.0),), REAL)
polygamma: Primitive = Helper("polygamma", special.polygamma,
    lambda d, x, n: (polygamma(x, n + 1.0), None), POSITIVE, Interval(1.0, 4.0))
gamma_prime: Primitive = Helper("gamma_prime", special.gamma_prime,
    lambda d, x: (gamma(x) * polygamma(x, 1.0) + d * digamma(x),), REAL)
sigmoid_prime: Primitive = Helper("sigmoid_prime", activations.sigmoid_prime,
    lambda d, x: (-d * tanh(0.5 * x),), REAL)
leaky_relu_prime: Primitive = Helper("leaky_relu_prime", piecewise.leaky_relu_prime,
    lambda d, x, a: (0.0, None), REAL, UNIT)
elu_prime: Primitive = Helper("elu_prime", activations.elu_prime,
    lambda d, x, a: (d * above(0.0, x), None), REAL, UNIT)
normal_pdf: Primitive = Helper("normal_pdf", activations.normal_pdf, lambda d, x: (-(x * d),), REAL)
gelu_prime: Primitive = Helper("gelu_prime", activations.gelu_prime, _gelu_prime_rule, REAL)
gelu_tanh_prime: Primitive = Helper("gelu_tanh_prime", activations.gelu_tanh_prime, _gelu_tanh_rule, REAL)
silu_prime: Primitive = Helper("silu_prime", activations.silu_prime,
    lambda d, x: (sigmoid_prime(x) * (2.0 - x * tanh(0.5 * x)),), REAL)
complement: Primitive = Helper("complement", reductions.complement, lambda z, p, *qs: (above(p, 0.5) - 1.0, *(above(p, 0.5),) * len(qs)), PROBABILITY, selects=sys.maxsize)
share: Primitive = Helper("share", reductions.first_of_shares, lambda p, *xs: _share_rule(share, p, xs), REAL)
logit: Primitive = Helper("logit", activations.logit, lambda y, p: (reciprocal(p * (1.0 - p)),), PROBABILITY)
bce_scale: Primitive = Helper("bce_scale", activations.bce_scale,
    lambda d, p: (inside(p, activations.LEAST, 1.0) * ((2.0 * p - 1.0) * d * d),), PROBABILITY)

# A choice by a whole number, which may differ from call to call of a compiled function.
select: Primitive = Helper("select", reductions.select,
    lambda y, *xs: (*[match(xs[-1], float(i)) for i in range(len(xs) - 1)], None), REAL, selects=sys.maxsize)

# A new node for the same number: where one derivative ends and the one around it begins.
identity: Primitive = Helper("identity", float, lambda y, x: (1.0,), REAL)

# Piecewise constant: no derivative flows, but NaN where two branches meet that both count.
sign: Primitive       = Helper("sign", piecewise.sign, lambda y, x: (jump(x, 0.0),), REAL)
above: Primitive      = Helper("above", piecewise.above, lambda z, x, y: (None, None), REAL, REAL)
greater: Primitive    = Helper("greater", piecewise.greater, _greater_rule, REAL)
jump: Primitive       = Helper("jump", piecewise.jump, lambda z, x, y: (z, z), REAL, REAL)
inside: Primitive     = Helper("inside", piecewise.inside,
    lambda y, x, low, high: (None, None, None), REAL, REAL, REAL)
gate: Primitive       = Helper("gate", piecewise.gate,
    lambda z, x, p: (p, where(x, 0.0, p)), REAL, REAL, selects=1)
match: Primitive      = Helper("match", piecewise.match, lambda z, x, y: (None, None), REAL, REAL)
nearest: Primitive    = Helper("nearest", piecewise.nearest, lambda y, x: (None,), REAL)
norm_scale: Primitive = Helper("norm_scale", special.norm_scale, lambda y, h: (None,), REAL)
# fmt: on


FLOAT_NAMES.update({name: getattr(x, "forward", x) for name, x in globals().items()})
