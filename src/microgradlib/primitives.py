"""The table of primitives: one row per differentiable operation.

A row says how to compute the operation on floats and what its partial derivatives are. The rule for
the partials is written once, as a function of the output and the inputs, in terms of operators and
other rows. On floats it yields floats; on operands that carry their own hook (``Value``) it yields
whatever that hook returns, so one rule serves backprop, gradients of gradients and code generation.
For that reason a rule never branches on its data: a kink is a row of its own (``above``, ``sign``).
"""

import math
import operator
from collections.abc import Callable, Sequence
from math import inf
from numbers import Complex, Real
from types import FunctionType
from typing import Any, NamedTuple, TypeVar

from microgradlib import activations, piecewise, reductions, special

T = TypeVar("T")

PRIMITIVES: dict[str, "Primitive"] = {}
"""Every row by name, in the order of the table."""


class Interval(NamedTuple):
    """The numbers from ``low`` to ``high`` on which one input of a primitive is defined."""

    low: float
    high: float


REAL = Interval(-inf, inf)
POSITIVE = Interval(0.0, inf)
UNIT = Interval(-1.0, 1.0)

DOMAIN_ERRORS = (ValueError, ZeroDivisionError, OverflowError)
"""What the forward functions raise where they are not defined, as those of ``math`` do."""


class Primitive(str):
    """One row: an operation, its partial derivatives, and where it is defined.

    The string itself is what a drawn graph shows ("+", "tanh").

    >>> multiply(3.0, 4.0)
    12.0
    >>> multiply.partials(12.0, 3.0, 4.0)
    (4.0, 3.0)

    Args:
        name: the name of the row, unique in the table.
        forward: the operation on floats.
        partials: the rule ``(output, *inputs) -> one partial per differentiable input``.
        domain: an interval for each input, or one for all of them.
        symbol: what a graph shows, if not the name.
        arities: the numbers of inputs the tests try.
        static: how many trailing inputs are parameters, which are never differentiated.
        selects: a partial of exactly zero means that the input was not selected: no edge to it.
        near: the points where the operation is delicate: kinks, roots, singularities.
        helper: only the rules of other rows use it.
        needs: what its inputs must be, where that is not any number; "" if its errors tell.
        fused: output and partials in one go, where that is much faster than one after the other.
        listed: whether it belongs to the table, or is a user's own.
        source: the operation in generated code: Python in x, y, z for the inputs, statements before
            the result separated by "; ". By default a call of the forward function. "inline": the
            forward function is plain arithmetic, which is written out. "entry": ``entries`` gives
            the result for each input at once.
        entries: a function of all inputs that gives the results with each of them as the first.
    """

    __slots__ = (
        "arities",
        "domain",
        "entries",
        "flat",
        "forward",
        "helper",
        "name",
        "near",
        "needs",
        "owner",
        "partials",
        "selects",
        "slopes",
        "source",
        "static",
        "value_and_partials",
    )
    name: str
    forward: Callable[..., float]
    partials: Callable[..., tuple[Any, ...]]
    value_and_partials: Callable[..., tuple[float, tuple[float, ...]]]
    domain: tuple[Interval, ...]
    arities: tuple[int, ...]
    static: int
    selects: bool
    near: tuple[float, ...]
    helper: bool
    needs: str
    source: str
    entries: Callable[..., list[float]] | None
    owner: Callable[..., Any] | None  # the function of a user's own primitive
    slopes: Callable[..., tuple[float, ...]]  # and its partials as floats
    flat: bool  # whether the inputs are distinct leaves: the partials are the gradient

    def __new__(
        cls,
        name: str,
        forward: Callable[..., float],
        partials: Callable[..., tuple[Any, ...]],
        *domain: Interval,
        symbol: str | None = None,
        arities: tuple[int, ...] | None = None,
        static: int = 0,
        selects: bool = False,
        near: tuple[float, ...] = (),
        fused: Callable[..., tuple[float, tuple[float, ...]]] | None = None,
        helper: bool = False,
        needs: str = "finite inputs",
        listed: bool = True,
        source: str = "",
        entries: Callable[..., list[float]] | None = None,
    ) -> "Primitive":
        """Make a row, and add it to the table."""
        self = super().__new__(cls, symbol or name)
        self.name = name
        self.forward = forward
        self.partials = partials
        self.domain = domain
        self.arities = arities or (len(domain),)
        self.static = static
        self.selects = selects
        self.near = near
        self.helper = helper
        self.needs = needs
        self.source = source
        self.entries = entries
        self.value_and_partials = fused or _fuse(forward, _on_floats(partials), self.arities)
        self.owner = None
        self.flat = False
        if listed:
            PRIMITIVES[name] = self
        return self

    def __call__(self, *inputs: T) -> T:
        """Compute the operation on floats, or let the operand that knows better do it."""
        for x in inputs:
            if type(x) is not float and (hook := getattr(x, "_apply", None)):
                return hook(self, inputs)  # type: ignore[no-any-return]
        data = [x if type(x) is float else to_float(self, x) for x in inputs]
        return self.evaluate(*data)  # type: ignore[return-value, arg-type]

    def entry(self, xs: Sequence[T], i: int) -> T:
        """Return the entry of xs[i], from a row that gives the entry of its first input."""
        return self(xs[i], *xs[:i], *xs[i + 1 :])

    def evaluate(self, *data: float) -> float:
        """Compute the operation on floats; an error names the operation and its inputs."""
        try:
            return self.forward(*data)
        except DOMAIN_ERRORS as error:
            raise self.explain(error, data) from None

    def explain(self, error: Exception, data: Sequence[float]) -> Exception:
        """Return an exception of the same type that names the operation, its inputs and remedy.

        Of a user's own operation it is the error itself, with a note.
        """
        if self.owner is not None:
            error.add_note(f"in {self.show(*data)}")
            return error
        if isinstance(error, OverflowError):
            reason = "the result is too large for a float; scale the inputs down"
        elif isinstance(error, ZeroDivisionError):
            reason = "division by zero; keep the divisor away from 0"
        else:
            reason = f"not defined there; it needs {self.needs}"
        return type(error)(f"{self.show(*data)}: {reason}")

    def show(self, *inputs: object) -> str:
        """Return the call as a reader would write it: ``exp(2.0)``, ``1.0 / 3.0``."""
        if self != self.name and not self.isidentifier():  # nor is the name of a lambda
            return f"{inputs[0]} {self} {inputs[1]}"
        return f"{self}({', '.join(map(str, inputs))})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name: a row is one of a kind."""
        return (getattr, (self.owner, "primitive")) if self.owner else (_row, (self.name,))

    def __deepcopy__(self, memo: object) -> "Primitive":
        """Return the row itself."""
        return self


def _row(name: str) -> Primitive:
    return PRIMITIVES[name]


def to_float(function: str, x: object, expected: str = "a number or a Value") -> float:
    """Return ``x`` as a float, or raise an error that names ``function``."""
    if hasattr(x, "_apply"):
        remedy = "pass v.data"
    elif isinstance(x, (int, float)) or _converts(x):
        try:
            return float(x)  # type: ignore[arg-type]
        except OverflowError:
            raise OverflowError(f"{function}: an int is too large for a float") from None
        except (TypeError, ValueError):  # of an array, perhaps
            if not hasattr(x, "__iter__"):
                raise
            remedy = "call it on each element"
    elif isinstance(x, str):
        remedy = "convert it with float()"
    else:
        remedy = "call it on each element" if hasattr(x, "__iter__") else "pass a float"
    raise TypeError(f"{function}: expected {expected}, got {x!r}; {remedy}")


def _converts(x: object) -> bool:
    # NumPy's complex numbers have __float__, too: it drops the imaginary part.
    is_complex = isinstance(x, Complex) and not isinstance(x, Real)
    return not is_complex and (hasattr(x, "__float__") or hasattr(x, "__index__"))


_FLOATS: dict[str, Any] = {}
"""The names of this module, with every row replaced by its forward function on floats."""


def _on_floats(rule: Any) -> Callable[..., Any]:
    """Return a rule that calls the forward functions of rows directly: the same floats, sooner."""
    return FunctionType(rule.__code__, _FLOATS)


def _fuse(
    forward: Callable[..., float], rule: Callable[..., Any], arities: tuple[int, ...]
) -> Callable[..., tuple[float, tuple[float, ...]]]:
    """Return the function that computes the output and then, from it, the partials."""

    def unary(x: float) -> tuple[float, tuple[float, ...]]:
        y = forward(x)
        return y, rule(y, x)

    def binary(x: float, y: float) -> tuple[float, tuple[float, ...]]:
        z = forward(x, y)
        return z, rule(z, x, y)

    def nary(*xs: float) -> tuple[float, tuple[float, ...]]:
        y = forward(*xs)
        return y, rule(y, *xs)

    return unary if arities == (1,) else binary if arities == (2,) else nary


# Rules that need more than one expression. The weights of a softmax and the directions of a hypot are
# computed once, not per input.


def _weights(*xs: Any) -> list[Any]:
    if all(type(x) is float for x in xs):
        return reductions.softmax(xs)
    return [softmax.entry(xs, i) for i in range(len(xs))]


def _log_softmax_partials(y: Any, *xs: Any) -> tuple[Any, ...]:
    _, *others = _weights(*xs)
    return (sum_(*others), *[-q for q in others])


def _softmax_partials(p: Any, *xs: Any) -> tuple[Any, ...]:
    diagonal, *others = _log_softmax_partials(p, *xs)
    return (p * diagonal, *[p * q for q in others])


def _modulo_partials(z: Any, x: Any, y: Any) -> tuple[Any, Any]:
    return 1.0, -nearest(ratio(x - z, y))  # z = x - n * y for a whole number n


def _product_partials(y: Any, *xs: Any) -> tuple[Any, ...]:
    before, after = [1.0], [1.0]
    for x in xs[:-1]:
        before.append(before[-1] * x)
    for x in xs[:0:-1]:
        after.append(after[-1] * x)
    return tuple([b * a for b, a in zip(before, reversed(after), strict=True)])


def _dot_partials(y: Any, bias: Any, *factors: Any) -> tuple[Any, ...]:
    n = len(factors) // 2
    return (1.0, *factors[n:], *factors[:n])


def _mse_partials(y: Any, *values: Any) -> tuple[Any, ...]:
    n = len(values) // 2
    scale = 2.0 / n
    slopes = [scale * (o - t) for o, t in zip(values[:n], values[n:], strict=True)]
    return (*slopes, *[-slope for slope in slopes])


def _directions(*xs: Any) -> list[Any]:
    if all(type(x) is float for x in xs):
        return special.directions(xs)
    return [direction.entry(xs, i) for i in range(len(xs))]


def _direction_partials(u: Any, *xs: Any) -> tuple[Any, ...]:
    # Not 1 - u**2, which cancels where the others are small.
    inverse = reciprocal(hypot(*xs))
    _, *others = _directions(*xs)
    rest = sum_(*[v * v for v in others])
    return (rest * inverse, *[-u * v * inverse for v in others])


def _atan2_partials(angle: Any, y: Any, x: Any) -> tuple[Any, Any]:
    scale = norm_scale(hypot(y, x))
    y, x = y * scale, x * scale
    r = hypot(y, x)
    return -quotient_dy(x, r) * scale, quotient_dy(y, r) * scale


def _bce_partials(y: Any, p: Any, t: Any) -> tuple[Any, Any]:
    return (p - t) / clip(p * (1.0 - p), 1e-12, inf), -logit(p)


def _select_partials(y: Any, *xs: Any) -> tuple[Any, ...]:
    return tuple([match(xs[-1], float(i)) for i in range(len(xs) - 1)])


def _gelu_prime_partials(d: Any, x: Any) -> tuple[Any]:
    p = normal_pdf(x)
    return (2.0 * p - x * (x * p),)  # bracketed so that the tails are 0, not inf * 0


def _gelu_tanh_prime_partials(d: Any, x: Any) -> tuple[Any]:
    # gelu_tanh(x) = x * sigmoid(w), w = 2 sqrt(2 / pi) (x + 0.044715 x^3). All is 0 beyond 30.
    x = clip(x, -30.0, 30.0)
    a = 2.0 * math.sqrt(2.0 / math.pi)
    b = 0.044715 * a
    w = x * (a + b * x * x)
    w1 = a + 3.0 * b * x * x
    w2 = 6.0 * b * x
    return (sigmoid_prime(w) * (2.0 * w1 + x * w2 - x * w1 * w1 * tanh(0.5 * w)),)


LN2 = math.log(2.0)
LOG2E = 1.0 / LN2
LOG10E = math.log10(math.e)

# fmt: off
# The table: name, forward on floats, partials as a rule (output, *inputs), domain of each input.
# Arithmetic. A float operand of + - * / gives what IEEE arithmetic gives; only / by zero raises.
add       = Primitive("add",       operator.add,     lambda z, x, y: (1.0, 1.0),                       REAL, REAL, symbol="+", source="x + y")
subtract  = Primitive("subtract",  operator.sub,     lambda z, x, y: (1.0, -1.0),                      REAL, REAL, symbol="-", source="x - y")
multiply  = Primitive("multiply",  operator.mul,     lambda z, x, y: (y, x),                           REAL, REAL, symbol="*", source="x * y")
divide    = Primitive("divide",    operator.truediv, lambda z, x, y: (1.0 / y, quotient_dy(x, y)),     REAL, REAL, symbol="/", near=(0.0,), source="x / y")
modulo    = Primitive("modulo",    operator.mod,     _modulo_partials,                                 REAL, REAL, symbol="%", near=(0.0,), source="x % y")
fmod      = Primitive("fmod",      math.fmod,        _modulo_partials,                                 REAL, REAL, near=(0.0,), needs="a finite x and a divisor other than 0")
remainder = Primitive("remainder", math.remainder,   _modulo_partials,                                 REAL, REAL, near=(0.0,), needs="a finite x and a divisor other than 0")
power     = Primitive("power",     special.power,    lambda z, x, y: (power_dx(x, y), power_dy(x, y)), REAL, REAL, symbol="**", near=(0.0, 1.0), needs="a base >= 0, or a whole number as exponent")
power_c   = Primitive("power_c",   special.power,    lambda z, x, c: (power_c_slope(x, c, 1.0),),      REAL, REAL, symbol="**", static=1, near=(0.0, 1.0), needs="a base >= 0, or a whole number as exponent")
negative  = Primitive("negative",  operator.neg,     lambda y, x: (-1.0,),                             REAL, symbol="neg", source="-x")
abs_      = Primitive("abs",       abs,              lambda y, x: (sign(x),),                          REAL, near=(0.0,), source="abs(x)")

# Exponentials, logarithms, roots.
exp   = Primitive("exp",   math.exp,   lambda y, x: (y,),                   REAL)
exp2  = Primitive("exp2",  math.exp2,  lambda y, x: (y * LN2,),             REAL)
expm1 = Primitive("expm1", math.expm1, lambda y, x: (exp(x),),              REAL, near=(0.0,))
log   = Primitive("log",   math.log,   lambda y, x: (reciprocal(x),),       POSITIVE, near=(0.0, 1.0), needs="x > 0")
log2  = Primitive("log2",  math.log2,  lambda y, x: (LOG2E / x,),           POSITIVE, near=(0.0, 1.0), needs="x > 0")
log10 = Primitive("log10", math.log10, lambda y, x: (LOG10E / x,),          POSITIVE, near=(0.0, 1.0), needs="x > 0")
log1p = Primitive("log1p", math.log1p, lambda y, x: (reciprocal(1.0 + x),), Interval(-1.0, inf), near=(-1.0, 0.0), needs="x > -1")
sqrt  = Primitive("sqrt",  math.sqrt,  lambda y, x: (0.5 * rsqrt(x),),      POSITIVE, near=(0.0,), needs="x >= 0")
cbrt  = Primitive("cbrt",  math.cbrt,  lambda y, x: (cbrt_prime(x),),       REAL, near=(0.0,))

# Trigonometric and hyperbolic functions.
sin              = Primitive("sin",   math.sin,   lambda y, x: (cos(x),),         REAL, near=(0.0, math.pi / 2, math.pi), needs="a finite x")
cos: Primitive   = Primitive("cos",   math.cos,   lambda y, x: (-sin(x),),        REAL, near=(0.0, math.pi / 2, math.pi))
tan              = Primitive("tan",   math.tan,   lambda y, x: (1.0 + y * y,),    REAL, near=(0.0, math.pi / 2, math.pi), needs="a finite x")
asin             = Primitive("asin",  math.asin,  lambda y, x: (asin_prime(x),),  UNIT, near=(-1.0, 0.0, 1.0), needs="-1 <= x <= 1")
acos             = Primitive("acos",  math.acos,  lambda y, x: (-asin_prime(x),), UNIT, near=(-1.0, 0.0, 1.0), needs="-1 <= x <= 1")
atan             = Primitive("atan",  math.atan,  lambda y, x: (atan_prime(x),),  REAL, near=(-1.0, 0.0, 1.0))
atan2            = Primitive("atan2", math.atan2, _atan2_partials,                REAL, REAL, near=(0.0,))
sinh             = Primitive("sinh",  math.sinh,  lambda y, x: (cosh(x),),        REAL, near=(0.0,))
cosh: Primitive  = Primitive("cosh",  math.cosh,  lambda y, x: (sinh(x),),        REAL, near=(0.0,))
tanh             = Primitive("tanh",  math.tanh,  lambda y, x: (tanh_prime(x),),  REAL, near=(0.0,))
asinh            = Primitive("asinh", math.asinh, lambda y, x: (asinh_prime(x),), REAL, near=(0.0,))
acosh            = Primitive("acosh", math.acosh, lambda y, x: (acosh_prime(x),), Interval(1.0, inf), near=(1.0,), needs="x >= 1")
atanh            = Primitive("atanh", math.atanh, lambda y, x: (atanh_prime(x),), UNIT, near=(-1.0, 0.0, 1.0), needs="-1 < x < 1")
hypot: Primitive = Primitive("hypot", math.hypot, lambda r, *xs: tuple(_directions(*xs)), REAL, arities=(1, 2, 3), near=(0.0,))

# Special functions.
erf    = Primitive("erf",    math.erf,    lambda y, x: (erf_prime(x),),   REAL, near=(0.0,))
erfc   = Primitive("erfc",   math.erfc,   lambda y, x: (-erf_prime(x),),  REAL, near=(0.0,))
gamma  = Primitive("gamma",  math.gamma,  lambda y, x: (gamma_prime(x),), REAL, near=(-0.5040830082644554, 0.0, 1.0, 2.0), needs="x other than 0, -1, -2, ...")
lgamma = Primitive("lgamma", math.lgamma, lambda y, x: (digamma(x),),     REAL, near=(-0.5040830082644554, 0.0, 1.0, 2.0), needs="x other than 0, -1, -2, ...")

# Activations.
sigmoid     = Primitive("sigmoid",     activations.sigmoid,     lambda y, x: (sigmoid_prime(x),),          REAL, near=(0.0,), fused=activations.sigmoid_and_partials, source="e = exp(x if x < 0.0 else -x); q = 1.0 + e; p = e / q; 1.0 / q if x >= 0.0 else p")
log_sigmoid = Primitive("log_sigmoid", activations.log_sigmoid, lambda y, x: (sigmoid(-x),),               REAL, near=(0.0,))
softplus    = Primitive("softplus",    activations.softplus,    lambda y, x: (sigmoid(x),),                REAL, near=(0.0,))
relu        = Primitive("relu",        piecewise.relu,          lambda y, x: (above(x, 0.0),),             REAL, selects=True, near=(0.0,), source="0.0 if x <= 0.0 else x")
leaky_relu  = Primitive("leaky_relu",  piecewise.leaky_relu,    lambda y, x, a: (leaky_relu_prime(x, a),), REAL, UNIT, static=1, near=(0.0,))
elu         = Primitive("elu",         activations.elu,         lambda y, x, a: (elu_prime(x, a),),        REAL, UNIT, static=1, near=(0.0,))
gelu        = Primitive("gelu",        activations.gelu,        lambda y, x: (gelu_prime(x),),             REAL, near=(-0.7517915246935645, 0.0))
gelu_tanh   = Primitive("gelu_tanh",   activations.gelu_tanh,   lambda y, x: (gelu_tanh_prime(x),),        REAL, near=(-0.7524614220710162, 0.0))
silu        = Primitive("silu",        activations.silu,        lambda y, x: (silu_prime(x),),             REAL, near=(-1.278464542761074, 0.0))

# Selections: the partial is exactly 0 for an input that was not selected, and no edge is kept to it.
where               = Primitive("where",     lambda x, y, c: x if c else y, lambda z, x, y, c: (c, 1.0 - c),                 REAL, REAL, UNIT, static=1, selects=True, source="x if z else y")
maximum             = Primitive("maximum",   piecewise.maximum,             lambda z, x, y: (greater(x, y), greater(y, x)),  REAL, REAL, selects=True, near=(0.0,), source="x if x >= y or x != x else y")
minimum             = Primitive("minimum",   piecewise.minimum,             lambda z, x, y: (greater(y, x), greater(x, y)),  REAL, REAL, selects=True, near=(0.0,), source="x if x <= y or x != x else y")
maximum_c           = Primitive("maximum_c", piecewise.maximum,             lambda y, x, c: (above(x, c),),                  REAL, REAL, symbol="maximum", static=1, selects=True, near=(0.0,), source="x if x >= y or x != x else y")
minimum_c           = Primitive("minimum_c", piecewise.minimum,             lambda y, x, c: (above(c, x),),                  REAL, REAL, symbol="minimum", static=1, selects=True, near=(0.0,), source="x if x <= y or x != x else y")
clip                = Primitive("clip",      piecewise.clip,                lambda y, x, low, high: (inside(x, low, high),), REAL, REAL, REAL, static=2, selects=True)
copysign: Primitive = Primitive("copysign",  math.copysign,                 lambda z, x, y: (sign(x) * copysign(1.0, y),),   REAL, REAL, static=1, near=(0.0,))

# Many inputs. dot takes (bias, *weights, *inputs), mse (*outputs, *targets); softmax and log_softmax
# give the entry of their first input.
sum_            = Primitive("sum",             reductions.total,                          lambda y, *xs: (1.0,) * len(xs),                              REAL, arities=(1, 2, 5))
mean            = Primitive("mean",            reductions.mean,                           lambda y, *xs: (1.0 / len(xs),) * len(xs),                    REAL, arities=(1, 2, 5))
prod            = Primitive("prod",            reductions.product,                        _product_partials,                                            REAL, arities=(1, 2, 5), source="inline")
dot             = Primitive("dot",             reductions.dot,                            _dot_partials,                                                REAL, arities=(3, 5, 9), source="inline")
mse             = Primitive("mse",             reductions.mse,                            _mse_partials,                                                REAL, symbol="mse_loss", arities=(2, 4, 8), fused=reductions.mse_and_partials, source="inline")
bce             = Primitive("bce",             activations.bce,                           _bce_partials,                                                Interval(0.0, 1.0), Interval(0.0, 1.0), symbol="binary_cross_entropy", needs="a probability and a target, both from 0 to 1")
bce_with_logits = Primitive("bce_with_logits", activations.bce_with_logits,               lambda y, z, t: ((1.0 - t) * sigmoid(z) - t * sigmoid(-z), -z), REAL, Interval(0.0, 1.0), symbol="binary_cross_entropy_with_logits", needs="a target from 0 to 1")
logsumexp       = Primitive("logsumexp",       lambda *xs: reductions.logsumexp(xs),      lambda y, *xs: tuple(_weights(*xs)),                          REAL, arities=(1, 2, 5))
softmax         = Primitive("softmax",         lambda *xs: reductions.softmax(xs)[0],     _softmax_partials,                                            REAL, arities=(1, 2, 5), needs="an input above -inf, and at most one inf", source="entry", entries=lambda *xs: reductions.softmax(xs))
log_softmax     = Primitive("log_softmax",     lambda *xs: reductions.log_softmax(xs)[0], _log_softmax_partials,                                        REAL, arities=(1, 2, 5), needs="an input above -inf, and at most one inf", source="entry", entries=lambda *xs: reductions.log_softmax(xs))

# Derivatives that only rules need: closed forms that stay accurate where composing the rows above
# would cancel or overflow.
quotient_dy: Primitive      = Primitive("quotient_dy",      special.quotient_dy,                       lambda d, x, y: (quotient_dy(1.0, y), -2.0 * d / y),          REAL, REAL, near=(0.0,), helper=True)
power_dx: Primitive         = Primitive("power_dx",         special.power_dx,                          lambda d, x, y: (y * power_dx(x, y - 1.0), power(x, y - 1.0) + y * power_dy(x, y - 1.0)), REAL, REAL, near=(0.0, 1.0), helper=True)
power_dy: Primitive         = Primitive("power_dy",         special.power_dy,                          lambda d, x, y: (power(x, y - 1.0) + y * power_dy(x, y - 1.0), d * power_dy(x, 0.0)), POSITIVE, REAL, near=(0.0, 1.0), helper=True)
power_c_slope: Primitive    = Primitive("power_c_slope",    special.power_c_slope,                     lambda d, x, c, k: (power_c_slope(x, c, k + 1.0),),           REAL, REAL, REAL, static=2, near=(0.0, 1.0), helper=True)
reciprocal: Primitive       = Primitive("reciprocal",       special.reciprocal,                        lambda y, x: (-y * y,),                                       REAL, near=(0.0,), helper=True)
rsqrt: Primitive            = Primitive("rsqrt",            special.rsqrt,                             lambda y, x: (-0.5 * y * y * y,),                             POSITIVE, near=(0.0,), helper=True)
ratio: Primitive            = Primitive("ratio",            special.ratio,                             lambda z, x, y: (reciprocal(y), quotient_dy(x, y)),           REAL, REAL, near=(0.0,), helper=True)
direction: Primitive        = Primitive("direction",        special.direction,                         _direction_partials,                                          REAL, arities=(1, 2, 3), near=(0.0,), helper=True)
cbrt_prime: Primitive       = Primitive("cbrt_prime",       special.cbrt_prime,                        lambda d, x: (-2.0 / 3.0 * d * reciprocal(x),),               REAL, near=(0.0,), helper=True)
asin_prime: Primitive       = Primitive("asin_prime",       special.asin_prime,                        lambda d, x: (x * d * atanh_prime(x),),                       UNIT, near=(-1.0, 0.0, 1.0), helper=True)
atan_prime: Primitive       = Primitive("atan_prime",       special.atan_prime,                        lambda d, x: (-2.0 * (x * d) * d,),                           REAL, near=(-1.0, 0.0, 1.0), helper=True)
tanh_prime: Primitive       = Primitive("tanh_prime",       activations.tanh_prime,                    lambda d, x: (-2.0 * tanh(x) * d,),                           REAL, near=(0.0,), helper=True, source="e = exp(-2.0 * abs(x)); q = 1.0 + e; 4.0 * e / q / q")
asinh_prime: Primitive      = Primitive("asinh_prime",      special.asinh_prime,                       lambda d, x: (-x * d * d * d,),                               REAL, near=(0.0,), helper=True)
acosh_prime: Primitive      = Primitive("acosh_prime",      special.acosh_prime,                       lambda d, x: (-x * d * reciprocal(x - 1.0) * reciprocal(x + 1.0),), Interval(1.0, inf), near=(1.0,), helper=True)
atanh_prime: Primitive      = Primitive("atanh_prime",      special.atanh_prime,                       lambda d, x: (2.0 * x * d * d,),                              UNIT, near=(-1.0, 0.0, 1.0), helper=True)
erf_prime: Primitive        = Primitive("erf_prime",        special.erf_prime,                         lambda d, x: (-2.0 * (x * d),),                               REAL, near=(0.0,), helper=True)
digamma: Primitive          = Primitive("digamma",          special.digamma,                           lambda d, x: (polygamma(x, 1.0),),                            REAL, near=(0.0, 1.4616321449683622), helper=True)
polygamma: Primitive        = Primitive("polygamma",        lambda x, n: special.polygamma(int(n), x), lambda d, x, n: (polygamma(x, n + 1.0),),                     POSITIVE, Interval(1.0, 4.0), static=1, near=(0.0,), helper=True)
gamma_prime: Primitive      = Primitive("gamma_prime",      special.gamma_prime,                       lambda d, x: (gamma(x) * polygamma(x, 1.0) + d * digamma(x),), REAL, near=(0.0, 1.4616321449683622), helper=True)
sigmoid_prime: Primitive    = Primitive("sigmoid_prime",    activations.sigmoid_prime,                 lambda d, x: (-d * tanh(0.5 * x),),                           REAL, near=(0.0,), helper=True, source="e = exp(x if x < 0.0 else -x); q = 1.0 + e; p = e / q; p / q")
leaky_relu_prime: Primitive = Primitive("leaky_relu_prime", piecewise.leaky_relu_prime,                lambda d, x, a: (0.0,),                                       REAL, UNIT, static=1, helper=True)
elu_prime: Primitive        = Primitive("elu_prime",        activations.elu_prime,                     lambda d, x, a: (d * above(0.0, x),),                         REAL, UNIT, static=1, helper=True)
normal_pdf: Primitive       = Primitive("normal_pdf",       activations.normal_pdf,                    lambda d, x: (-(x * d),),                                     REAL, near=(0.0,), helper=True)
gelu_prime: Primitive       = Primitive("gelu_prime",       activations.gelu_prime,                    _gelu_prime_partials,                                         REAL, helper=True)
gelu_tanh_prime: Primitive  = Primitive("gelu_tanh_prime",  activations.gelu_tanh_prime,               _gelu_tanh_prime_partials,                                    REAL, helper=True)
silu_prime: Primitive       = Primitive("silu_prime",       activations.silu_prime,                    lambda d, x: (sigmoid_prime(x) * (2.0 - x * tanh(0.5 * x)),), REAL, helper=True)
logit: Primitive            = Primitive("logit",            activations.logit,                         lambda y, p: (reciprocal(p * (1.0 - p)),),                    Interval(0.0, 1.0), helper=True)

# A choice by a whole number, which may differ from call to call of a compiled function.
select: Primitive           = Primitive("select",           reductions.select,                         _select_partials,                                             REAL, arities=(2, 3, 6), static=1, selects=True, helper=True, needs="a whole number that counts the values from 0, last")

# A new node for the same number: where one derivative ends and the one around it begins.
identity: Primitive   = Primitive("identity",   float,              lambda y, x: (1.0,),            REAL, helper=True)

# Piecewise constant: their own partials are 0.
sign: Primitive       = Primitive("sign",       piecewise.sign,     lambda y, x: (0.0,),            REAL, helper=True, source="1.0 if x > 0.0 else -1.0 if x < 0.0 else 0.0 if x == 0.0 else nan")
above: Primitive      = Primitive("above",      piecewise.above,    lambda z, x, y: (0.0, 0.0),     REAL, REAL, helper=True, source="1.0 if x > y else 0.0 if x <= y else nan")
greater: Primitive    = Primitive("greater",    piecewise.greater,  lambda z, x, y: (0.0, 0.0),     REAL, REAL, helper=True)
inside: Primitive     = Primitive("inside",     piecewise.inside,   lambda y, x, low, high: (0.0,), REAL, REAL, REAL, static=2, helper=True)
gate: Primitive       = Primitive("gate",       piecewise.gate,     lambda z, x, p: (p,),           REAL, REAL, static=1, selects=True, helper=True, source="x * y if y != 0.0 else 0.0")
match: Primitive      = Primitive("match",      piecewise.match,    lambda z, x, y: (0.0, 0.0),     REAL, REAL, helper=True, source="1.0 if x == y else 0.0 if x < y or x > y else nan")
nearest: Primitive    = Primitive("nearest",    piecewise.nearest,  lambda y, x: (0.0,),            REAL, helper=True)
norm_scale: Primitive = Primitive("norm_scale", special.norm_scale, lambda y, h: (0.0,),            REAL, helper=True)
# fmt: on

_FLOATS.update({name: getattr(x, "forward", x) for name, x in globals().items()})
