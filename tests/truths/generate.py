"""Compute the stored truths of the primitives with mpmath: ``python tests/truths/generate.py``.

For every row of the table, at random points of its domain and at hard points, the value and, for
the rows that users reach, each partial are computed to 60 digits and more and written to
``truths.json`` as pairs (high, low) of floats, whose sum is the truth to about 32 digits. Floats
are stored as hexadecimal strings. ``higher.json`` has derivatives of orders 1 to 4 of every row in
the same form, at points of moderate size and, for the second derivative of rows with one input, at
some far from that. Tests read the files; only those on random expressions call mpmath themselves.
"""

import json
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import islice
from math import inf, isfinite, isinf, nextafter
from pathlib import Path
from typing import Any

import mpmath
from mpmath import mp, mpf

from microgradlib.core.primitive import Interval, Primitive
from microgradlib.core.table import PRIMITIVES
from microgradlib.testing import arities

sys.path.insert(0, str(Path(__file__).parent.parent))
from truths.points import drawn_points, near, static

FILE = Path(__file__).with_name("truths.json")
HIGHER = Path(__file__).with_name("higher.json")
POINTS = 60  # random points for each row, beside the hard ones
HIGHER_POINTS = 10
Truth = Callable[..., tuple[mpf, tuple[mpf, ...]]]
LARGEST = float.fromhex("0x1.fffffffffffffp+1023")
HARD: tuple[float, ...] = (0.0, 5e-324, 2.2250738585072014e-308, 1e-300, 1e-160, 1e-20, 1e-8)
HARD += (0.1, 0.5, 1.0, 2.0, 3.0, 10.0, 19.0, 36.5, 100.0, 300.0, 700.0, 740.0)
HARD += (1e8, 1e16, 1e150, 1e300, LARGEST)
# Where second derivatives are delicate.
FAR: tuple[float, ...] = (1e-160, 1e-20, 1e-8, 0.96875, 19.0, 35.17, 36.5, 100.0, 300.0)
FAR += (1e8, 1e16, 1e150, 1e300, LARGEST)
# For the rows that only rules use, whose inputs may be extreme where the public row's are not.
EXTREME = (1e-310, 1e-295, 1e-200, 1e-155, 1e-100, 1e-17, 1e10, 1e100, 1e155, 1e200, 1e295)
ORDER_LAST = ("power_c_slope", "polygamma")  # their last input is the order of a derivative
# Points that only some formula finds hard.
MORE: dict[str, list[tuple[float, ...]]] = {
    "power_dx": [(1.0 + 333.0 * 2.0**-52, 2.0**53 + 2.0)],  # where the rounding of y - 1 is seen
    "digamma": [(x,) for x in (1.34, 1.58, -20.3, -20.6, -33.4999, -37.25)],
    "gelu_tanh_prime": [(-4.972429554115568,), (-0.3421140135811811,)],
    "silu_prime": [(-0.8646442061107447,), (-0.5241961578307226,)],
}


def exactly(x: mpf) -> Fraction:
    sign, mantissa, exponent, _ = mpf(x)._mpf_
    value = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return -value if sign else value


def modulo(whole: Callable[[Fraction], int]) -> Truth:
    def truth(x: mpf, y: mpf) -> tuple[mpf, tuple[mpf, ...]]:
        n = whole(exactly(x) / exactly(y))
        rest = exactly(x) - n * exactly(y)
        return mpf(rest.numerator) / rest.denominator, (mpf(1), -mpf(n))

    return truth


def sech2(x: mpf) -> mpf:
    return mp.sech(x) ** 2


def logistic(x: mpf) -> mpf:
    return 1 / (1 + mp.exp(-x)) if x >= 0 else mp.exp(x) / (1 + mp.exp(x))


def logistic_prime(x: mpf) -> mpf:
    return logistic(x) * logistic(-x)


def erfc(x: mpf) -> mpf:
    return mp.erfc(x) if abs(x) < 1e4 else mpf(0 if x > 0 else 2)


def normal_cdf(x: mpf) -> mpf:
    return erfc(-x / mp.sqrt(2)) / 2


def normal_pdf(x: mpf) -> mpf:
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def gelu_tanh(x: mpf) -> tuple[mpf, tuple[mpf, ...]]:
    a, c = mpf(44715) / 1000000, mp.sqrt(2 / mp.pi)
    w = 2 * c * (x + a * x**3)
    return x * logistic(w), (logistic(w) + x * 2 * c * (1 + 3 * a * x * x) * logistic_prime(w),)


def hypot(*xs: mpf) -> tuple[mpf, tuple[mpf, ...]]:
    r = mp.sqrt(sum(x * x for x in xs))
    return r, tuple(x / r if r else mpf(0) for x in xs)


def atan2(y: mpf, x: mpf) -> tuple[mpf, tuple[mpf, ...]]:
    s = x * x + y * y
    return mp.atan2(y, x), (x / s, -y / s) if s else (mpf(0), mpf(0))


def power(x: mpf, y: mpf) -> tuple[mpf, tuple[mpf, ...]]:
    if x == 0:
        slope = mpf(0) if y == 0 or y > 1 else mpf(1) if y == 1 else mpf(inf)
        return mpf(y == 0), (slope, mpf(0))
    value = mp.power(abs(x), y) * (-1 if x < 0 and int(y) % 2 else 1)
    return value, (y * value / x, value * mp.log(x) if x > 0 else mpf("nan"))


def prod(*xs: mpf) -> tuple[mpf, tuple[mpf, ...]]:
    others = [mp.fprod(xs[:i] + xs[i + 1 :]) for i in range(len(xs))]
    return mp.fprod(xs), tuple(others)


def dot(bias: mpf, *factors: mpf) -> tuple[mpf, tuple[mpf, ...]]:
    ws, xs = factors[: len(factors) // 2], factors[len(factors) // 2 :]
    return bias + mp.fdot(ws, xs), (mpf(1), *xs, *ws)


def mse(*values: mpf) -> tuple[mpf, tuple[mpf, ...]]:
    n = len(values) // 2
    differences = [o - t for o, t in zip(values[:n], values[n:], strict=True)]
    slopes = [2 * d / n for d in differences]
    return sum(d * d for d in differences) / n, (*slopes, *[-s for s in slopes])


def bce(p: mpf, t: mpf) -> tuple[mpf, tuple[mpf, ...]]:
    log_p = max(mp.log(p), mpf(-100)) if p else mpf(-100)
    log_q = max(mp.log1p(-p), mpf(-100)) if p < 1 else mpf(-100)
    return -(t * log_p + (1 - t) * log_q), ((p - t) * bce_scale(p), log_q - log_p)


def bce_scale(p: mpf) -> mpf:
    return 1 / (p * (1 - p)) if mp.exp(-100) < p < 1 else mpf(10) ** 12


def bce_with_logits(z: mpf, t: mpf) -> tuple[mpf, tuple[mpf, ...]]:
    value = t * mp.log1p(mp.exp(-z)) + (1 - t) * mp.log1p(mp.exp(z))
    return value, ((1 - t) * logistic(z) - t * logistic(-z), -z)


def weights(xs: tuple[mpf, ...]) -> list[mpf]:
    top = max(xs)
    exps = [mp.exp(x - top) for x in xs]
    return [e / mp.fsum(exps) for e in exps]


def logsumexp(*xs: mpf) -> tuple[mpf, tuple[mpf, ...]]:
    top = max(xs)
    return top + mp.log(mp.fsum(mp.exp(x - top) for x in xs)), tuple(weights(xs))


def log_softmax(*xs: mpf) -> tuple[mpf, tuple[mpf, ...]]:
    _, *others = weights(xs)
    value = -mp.log1p(mp.fsum(mp.exp(x - xs[0]) for x in xs[1:]))
    return value, (mp.fsum(others), *[-q for q in others])


def softmax(*xs: mpf) -> tuple[mpf, tuple[mpf, ...]]:
    p, *others = weights(xs)
    return p, (p * mp.fsum(others), *[-p * q for q in others])


def unary(value: Callable[[mpf], mpf], slope: Callable[[mpf], mpf]) -> Truth:
    return lambda x: (value(x), (slope(x),))


def inverse(x: mpf) -> mpf:
    return 1 / x if x else mpf(inf)


def power_c_slope(x: mpf, c: mpf, k: mpf) -> mpf:
    factor = mp.fprod(c - i for i in range(int(k)))
    if factor == 0 or x == 0:
        return factor if c == k else mpf(0) if factor == 0 or c > k else mpf(inf)
    return factor * power(x, c - k)[0]


def number(value: Callable[..., mpf]) -> Truth:
    """For a row that only rules use: its partials are not promised to the last bit."""
    return lambda *xs: (value(*xs), ())


def slope(name: str) -> Truth:
    """For a row that is the first partial of another."""
    return lambda *xs: (TRUTHS[name](*xs)[1][0], ())


TRUTHS: dict[str, Truth] = {
    "add": lambda x, y: (x + y, (mpf(1), mpf(1))),
    "subtract": lambda x, y: (x - y, (mpf(1), mpf(-1))),
    "multiply": lambda x, y: (x * y, (y, x)),
    "divide": lambda x, y: (x / y, (1 / y, -x / y**2)),
    "modulo": modulo(lambda q: q.__floor__()),
    "fmod": modulo(lambda q: q.__trunc__()),
    "remainder": modulo(round),
    "power": power,
    "power_c": lambda x, c: (power(x, c)[0], power(x, c)[1][:1]),
    "negative": unary(lambda x: -x, lambda x: mpf(-1)),
    "abs": unary(abs, mp.sign),
    "exp": unary(mp.exp, mp.exp),
    "exp2": unary(lambda x: mp.power(2, x), lambda x: mp.power(2, x) * mp.ln2),
    "expm1": unary(mp.expm1, mp.exp),
    "log": unary(mp.log, inverse),
    "log2": unary(lambda x: mp.log(x) / mp.ln2, lambda x: 1 / (x * mp.ln2)),
    "log10": unary(lambda x: mp.log(x) / mp.ln10, lambda x: 1 / (x * mp.ln10)),
    "log1p": unary(mp.log1p, lambda x: 1 / (1 + x)),
    "sqrt": unary(mp.sqrt, lambda x: inverse(2 * mp.sqrt(x))),
    "cbrt": unary(
        lambda x: mp.sign(x) * mp.cbrt(abs(x)), lambda x: inverse(3 * mp.cbrt(abs(x)) ** 2)
    ),
    "sin": unary(mp.sin, mp.cos),
    "cos": unary(mp.cos, lambda x: -mp.sin(x)),
    "tan": unary(mp.tan, lambda x: 1 / mp.cos(x) ** 2),
    "asin": unary(mp.asin, lambda x: inverse(mp.sqrt((1 - x) * (1 + x)))),
    "acos": unary(mp.acos, lambda x: -inverse(mp.sqrt((1 - x) * (1 + x)))),
    "atan": unary(mp.atan, lambda x: 1 / (1 + x * x)),
    "atan2": atan2,
    "sinh": unary(mp.sinh, mp.cosh),
    "cosh": unary(mp.cosh, mp.sinh),
    "tanh": unary(mp.tanh, sech2),
    "asinh": unary(mp.asinh, lambda x: 1 / mp.sqrt(1 + x * x)),
    "acosh": unary(mp.acosh, lambda x: inverse(mp.sqrt((x - 1) * (x + 1)))),
    "atanh": unary(mp.atanh, lambda x: 1 / ((1 - x) * (1 + x))),
    "hypot": hypot,
    "erf": unary(
        lambda x: mp.erf(x) if abs(x) < 1 else mp.sign(x) * (1 - erfc(abs(x))),
        lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x),
    ),
    "erfc": unary(erfc, lambda x: -2 / mp.sqrt(mp.pi) * mp.exp(-x * x)),
    "gamma": unary(mp.gamma, lambda x: mp.gamma(x) * mp.digamma(x)),
    "lgamma": unary(lambda x: mp.log(abs(mp.gamma(x))) if x < 0 else mp.loggamma(x), mp.digamma),
    "sigmoid": unary(logistic, logistic_prime),
    "log_sigmoid": unary(
        lambda x: -mp.log1p(mp.exp(-x)) if x >= 0 else x - mp.log1p(mp.exp(x)),
        lambda x: logistic(-x),
    ),
    "softplus": unary(
        lambda x: x + mp.log1p(mp.exp(-x)) if x >= 0 else mp.log1p(mp.exp(x)), logistic
    ),
    "relu": unary(lambda x: max(x, mpf(0)), lambda x: mpf(x > 0)),
    "leaky_relu": lambda x, a: (
        x if x > 0 else a * x,
        (mpf(1) if x > 0 else a if x < 0 else min(max(a, mpf(0)), mpf(1)),),
    ),
    "elu": lambda x, a: (
        x if x > 0 else a * mp.expm1(x),
        (mpf(1) if x > 0 else a * mp.exp(x) if x < 0 else min(max(a, mpf(0)), mpf(1)),),
    ),
    "gelu": unary(lambda x: x * normal_cdf(x), lambda x: normal_cdf(x) + x * normal_pdf(x)),
    "gelu_tanh": gelu_tanh,
    "silu": unary(lambda x: x * logistic(x), lambda x: logistic(x) + x * logistic_prime(x)),
    "maximum": lambda x, y: (max(x, y), ((mp.sign(x - y) + 1) / 2, (mp.sign(y - x) + 1) / 2)),
    "minimum": lambda x, y: (min(x, y), ((mp.sign(y - x) + 1) / 2, (mp.sign(x - y) + 1) / 2)),
    "maximum_c": lambda x, c: (max(x, c), (mpf(x > c),)),
    "minimum_c": lambda x, c: (min(x, c), (mpf(x < c),)),
    "clip": lambda x, low, high: (min(max(x, low), high), (mpf(low < x < high),)),
    "where": lambda x, y, c: (x if c else y, (c, 1 - c)),
    "copysign": lambda x, y: (
        abs(x) if y >= 0 else -abs(x),
        (mp.sign(x) if y >= 0 else -mp.sign(x),),
    ),
    "sum": lambda *xs: (mp.fsum(xs), (mpf(1),) * len(xs)),
    "mean": lambda *xs: (mp.fsum(xs) / len(xs), (mpf(1) / len(xs),) * len(xs)),
    "prod": prod,
    "dot": dot,
    "mse": mse,
    "bce": bce,
    "bce_with_logits": bce_with_logits,
    "logsumexp": logsumexp,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "quotient_dy": number(lambda x, y: -x / y**2 if x or y else mpf(0)),
    "power_dx": slope("power"),
    "power_dy": number(lambda x, y: power(x, y)[1][1]),
    "power_or_inf": number(lambda x, y: power(x, y)[0]),
    "power_c_slope": number(power_c_slope),
    "reciprocal": number(inverse),
    "rsqrt": number(lambda x: inverse(mp.sqrt(x))),
    "ratio": number(lambda x, y: x / y if x or y else mpf(0)),
    "direction": number(
        lambda *xs: xs[0] / mp.sqrt(mp.fsum(x * x for x in xs)) if any(xs) else mpf(0)
    ),
    "cbrt_prime": slope("cbrt"),
    "asin_prime": slope("asin"),
    "atan_prime": slope("atan"),
    "tanh_prime": slope("tanh"),
    "asinh_prime": slope("asinh"),
    "acosh_prime": slope("acosh"),
    "atanh_prime": slope("atanh"),
    "erf_prime": slope("erf"),
    "digamma": slope("lgamma"),
    "polygamma": number(lambda x, n: mp.polygamma(int(n), x)),
    "gamma_prime": slope("gamma"),
    "sigmoid_prime": slope("sigmoid"),
    "leaky_relu_prime": slope("leaky_relu"),
    "elu_prime": slope("elu"),
    "normal_pdf": number(mp.npdf),
    "gelu_prime": slope("gelu"),
    "gelu_tanh_prime": slope("gelu_tanh"),
    "silu_prime": slope("silu"),
    "complement": number(lambda p, *qs: 1 - p if p <= 0.5 else mp.fsum(qs)),
    "share": number(lambda *xs: softmax(*xs)[0]),
    "bce_scale": number(bce_scale),
    "logit": number(lambda p: mp.log(p / (1 - p))),
    "select": number(lambda *xs: xs[int(xs[-1])]),
    "identity": number(lambda x: x),
    "sign": number(mp.sign),
    "above": number(lambda x, y: mpf(x > y)),
    "greater": number(lambda x, y: (mp.sign(x - y) + 1) / 2),
    "jump": number(lambda x, y: mpf(0) if x != y else mpf("nan")),
    "inside": number(lambda x, low, high: mpf(low < x < high)),
    "gate": number(lambda x, p: p * x),
    "match": number(lambda x, y: mpf(x == y)),
    "nearest": number(lambda x: mpf(round(exactly(x)))),
    "norm_scale": number(lambda h: mpf(1)),  # of moderate lengths
}


def truth(name: str, inputs: tuple[float, ...]) -> tuple[mpf, ...]:
    """Return the value and the partials, at a precision that no longer changes them."""
    last: tuple[mpf, ...] = ()
    for digits in (60, 120, 240, 480, 960, 1920):
        with mpmath.workdps(digits):
            value, partials = TRUTHS[name](*map(mpf, inputs))
            new = (value, *partials)
            if last and all(map(agree, last, new)):
                return new
            last = new
    raise ArithmeticError(f"no agreement on {name}{inputs}: {last}")


def agree(a: mpf, b: mpf) -> bool:
    """Whether a and b are equal as far as a pair of floats can tell."""
    underflow = max(abs(a), abs(b)) < mpf(10) ** -400
    return a == b or underflow or bool(abs(a - b) <= abs(b) * mpf(10) ** -40 or mp.isnan(a + b))


def pair(x: mpf) -> tuple[float, float]:
    """Return x as two floats, the nearest and the nearest rest."""
    high = float(x)
    with mpmath.workdps(2000):
        low = float(x - mpf(high)) if isfinite(high) else 0.0
    return high, low


def draw(rng: random.Random, interval: Interval) -> float:
    """Draw from an interval: evenly near 0, or of any magnitude, or close to an end."""
    low, high = interval
    kind = rng.randrange(4)
    if kind == 0 and isfinite(low) and isfinite(high):
        return rng.uniform(low, high)
    if kind == 1:
        x = rng.uniform(-40.0, 40.0)
    elif kind == 2:
        x = rng.choice((-1, 1)) * 10.0 ** rng.uniform(-320.0, 308.0)
    else:
        x = rng.uniform(-3.0, 3.0)
    if low <= x <= high:
        return x
    if low <= -x <= high:
        return -x
    return min(max(low, 0.0), high) + rng.random() * min(high - low, 1.0)


def hard_numbers(row: Primitive) -> Iterator[float]:
    for x in HARD:
        yield x
        yield -x
    for center in near(row):
        for k in range(1, 54, 4):
            yield center + 2.0**-k
            yield center - 2.0**-k
        yield center
        yield nextafter(center, inf)
        yield nextafter(center, -inf)


def random_points(row: Primitive, rng: random.Random) -> Iterator[tuple[float, ...]]:
    """Yield points without end; not all of them are in the domain."""
    while True:
        yield one_point(row, rng)


def distinct(points: Iterable[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """Return each point once, where 0 and -0 are two."""
    return list({tuple(map(float.hex, point)): point for point in points}.values())


def hard_points(row: Primitive, rng: random.Random) -> Iterator[tuple[float, ...]]:
    """Yield points with a hard number in one place and in all; not all are in the domain."""
    for x in hard_numbers(row):
        point = one_point(row, rng)
        i = 0 if row.name in ORDER_LAST else rng.randrange(len(point))
        yield (*point[:i], x, *point[i + 1 :])
        yield (x,) * len(point)
    if row.helper:
        extreme = [sign * x for x in EXTREME for sign in (1.0, -1.0)]
        for x in extreme:
            yield (x, *one_point(row, rng)[1:])
        for first in extreme:
            for second in (*extreme, 0.0, 1.0, -1.5) if len(row.domain) == 2 else ():
                yield first, second
    yield from MORE.get(row.name, ())


def one_point(row: Primitive, rng: random.Random) -> tuple[float, ...]:
    n = rng.choice(arities(row))
    domains = row.domain if len(row.domain) == n else row.domain * n
    point = [draw(rng, interval) for interval in domains]
    if row.name.startswith("power"):
        point[1] = rng.choice((point[1], rng.uniform(-5, 5), float(rng.randrange(-5, 6)), 0.5))
        point[0] = point[0] if point[1] == round(point[1]) else abs(point[0])
    if row.name == "where":
        point[2] = float(rng.randrange(2))
    if row.name == "select":
        point[-1] = float(rng.randrange(n - 1))
    if row.name in ("clip", "inside"):
        point[1:] = sorted(point[1:])
    if row.name in ORDER_LAST:
        point[-1] = float(rng.randrange(1, 5))
    return tuple(point)


def in_domain(row: Primitive, point: tuple[float, ...]) -> bool:
    """Whether the formula of the truth holds there; at a pole it raises or gives infinity."""
    domains = row.domain if len(row.domain) == len(point) else row.domain * len(point)
    if not all(i.low <= x <= i.high and not isinf(x) for i, x in zip(domains, point, strict=True)):
        return False
    if row.name == "copysign" and point[1] == 0.0:
        return False  # mpmath has no -0
    if row.name == "atan2" and point == (0.0, 0.0) and "-" in str(point):
        return False  # likewise
    if row.name == "prod" and not all(1e-50 < abs(x) < 1e50 for x in point if x):
        return False  # the promise holds while no product of some of them leaves the normal range
    if row.name == "where" and point[2] not in (0.0, 1.0):
        return False
    if row.name == "select" and point[-1] not in range(len(point) - 1):
        return False
    if row.name == "clip" and point[1] > point[2]:
        return False
    if row.name in ORDER_LAST and point[-1] not in (1.0, 2.0, 3.0, 4.0):
        return False
    if row.name in ("power", "power_c", "power_or_inf"):
        x, y = point
        return y == round(y) if x < 0.0 else y >= 0.0 if x == 0.0 else True
    return True


def has_value(row: Primitive, point: tuple[float, ...]) -> bool:
    """Whether the row computes a finite float there."""
    try:
        return isfinite(row.evaluate(*point))
    except (ValueError, ZeroDivisionError, OverflowError):
        return False


def orders(n: int) -> list[str]:
    """Return what to differentiate in, in turn, as the positions of n inputs: "0", "01", "000"."""
    inputs = "0123456789"[:n]
    pairs = [a + b for a in inputs for b in inputs if a <= b]
    pure = [a * k for k in (3, 4) for a in inputs]
    mixed = ["001", "011", "0001", "0011", "0111"] if n > 1 else []
    mixed += ["012", "0012", "0122"] if n > 2 else []
    return [*inputs, *pairs, *pure, *mixed]


def derivative(row: Primitive, point: tuple[float, ...], order: str) -> mpf:
    """Return a derivative of a row, at a precision that no longer changes it."""
    n = len(point) - static(row)
    fixed = tuple(map(mpf, point[n:]))
    counts = [order.count(str(i)) for i in range(n)]

    def value(*xs: mpf) -> mpf:
        if row.helper:
            return TRUTHS[row.name](*xs, *fixed)[0]
        # One order less is left to differences where the formula of a slope is known.
        return TRUTHS[row.name](*xs, *fixed)[1][first]

    first = int(order[0])
    if not row.helper:
        counts[first] -= 1
    last: mpf | None = None
    for digits in (60, 120, 240, 480, 960, 1920):
        with mpmath.workdps(digits):
            at = tuple(map(mpf, point[:n]))
            smallest = min(map(abs, at))
            step = mp.ldexp(smallest, -mp.prec - 10)
            mp.prec += max(0, -mp.mag(smallest))  # so that a step changes what is added to 1
            new = mp.diff(value, at if n > 1 else at[0], counts if n > 1 else counts[0], h=step)
            # A difference of zero may be one that the digits do not reach.
            if last is not None and agree(last, new) and (new or digits >= 480):
                return new
            last = new
    raise ArithmeticError(f"no agreement on {row.name}{point}, {order}: {last}")


def higher_cases(row: Primitive) -> Iterator[tuple[tuple[float, ...], list[str]]]:
    """Yield points of a row with the orders that are wanted there."""
    points = [point for point in drawn_points(row, 100) if len(point) <= 5]
    for point in points[:HIGHER_POINTS]:
        yield point, orders(len(point) - static(row))
    if arities(row) == (1,) and not row.helper:
        for x in FAR:
            for point in ((x,), (-x,)):
                if in_domain(row, point) and has_value(row, point):
                    yield point, ["00"]


def write(file: Path, stored: dict[str, list[Any]]) -> None:
    """Write a file with one line for each case."""
    lines = [
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(case) for case in cases) + "]"
        for name, cases in stored.items()
    ]
    file.write_text("{" + ",\n".join(lines) + "}\n", encoding="ascii")


def main() -> None:
    stored: dict[str, list[Any]] = {}
    for name, row in PRIMITIVES.items():
        if name == "norm_scale":  # any power of two that serves
            continue
        cases = []
        rng = random.Random(name)
        points = [*islice(random_points(row, rng), POINTS), *hard_points(row, rng)]
        for point in distinct(points):
            if in_domain(row, point) and has_value(row, point):
                floats = (point, *map(pair, truth(name, point)))
                cases.append([[x.hex() for x in numbers] for numbers in floats])
        stored[name] = cases
        print(f"{name:12} {len(cases)}", flush=True)
    write(FILE, stored)
    higher: dict[str, list[Any]] = {}
    for name, row in PRIMITIVES.items():
        higher[name] = []
        for point, wanted in higher_cases(row):
            truths = {order: pair(derivative(row, point, order)) for order in wanted}
            higher[name].append(
                [
                    [x.hex() for x in point],
                    {order: [x.hex() for x in floats] for order, floats in truths.items()},
                ]
            )
        print(f"{name:18} {len(higher[name])} of higher order", flush=True)
    write(HIGHER, higher)


if __name__ == "__main__":
    main()
