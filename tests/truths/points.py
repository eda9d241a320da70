"""Where to try a primitive: points of moderate size in its domain, and the delicate ones."""

import math
import random

from microgradlib.core.primitive import DOMAIN_ERRORS, Interval, Primitive
from microgradlib.testing import arities

_ZERO = (0.0,)
_ZERO_ONE = (0.0, 1.0)
_UNIT = (-1.0, 0.0, 1.0)
_QUARTERS = (0.0, math.pi / 2, math.pi)
_GAMMA = (-0.5040830082644554, 0.0, 1.0, 2.0)
_DIGAMMA = (0.0, 1.4616321449683622)

NEAR = {
    **dict.fromkeys(("divide", "modulo", "fmod", "remainder", "abs", "expm1", "sqrt"), _ZERO),
    **dict.fromkeys(("cbrt", "atan2", "sinh", "cosh", "tanh", "asinh", "hypot", "erf"), _ZERO),
    **dict.fromkeys(("erfc", "sigmoid", "log_sigmoid", "softplus", "relu", "leaky_relu"), _ZERO),
    **dict.fromkeys(("elu", "maximum", "minimum", "maximum_c", "minimum_c", "copysign"), _ZERO),
    **dict.fromkeys(("quotient_dy", "reciprocal", "rsqrt", "ratio", "direction"), _ZERO),
    **dict.fromkeys(("cbrt_prime", "tanh_prime", "asinh_prime", "erf_prime"), _ZERO),
    **dict.fromkeys(("polygamma", "sigmoid_prime", "normal_pdf"), _ZERO),
    **dict.fromkeys(("power", "power_c", "log", "log2", "log10"), _ZERO_ONE),
    **dict.fromkeys(("power_dx", "power_dy", "power_c_slope"), _ZERO_ONE),
    **dict.fromkeys(("asin", "acos", "atan", "atanh"), _UNIT),
    **dict.fromkeys(("asin_prime", "atan_prime", "atanh_prime"), _UNIT),
    **dict.fromkeys(("sin", "cos", "tan"), _QUARTERS),
    **dict.fromkeys(("gamma", "lgamma"), _GAMMA),
    **dict.fromkeys(("digamma", "gamma_prime"), _DIGAMMA),
    **dict.fromkeys(("acosh", "acosh_prime"), (1.0,)),
    "log1p": (-1.0, 0.0),
    "gelu": (-0.7517915246935645, 0.0),
    "gelu_tanh": (-0.7524614220710162, 0.0),
    "silu": (-1.278464542761074, 0.0),
}
"""The points where a primitive is delicate: kinks, roots, singularities."""


def near(row: Primitive) -> tuple[float, ...]:
    """Return the points where a primitive is delicate."""
    return NEAR.get(row.name, ())


def static(row: Primitive) -> int:
    """Return how many trailing inputs are parameters, for which the rule gives None.

    A row that is piecewise constant has None for all its inputs, and no parameters.
    """
    n = max(arities(row))
    try:
        return row.slopes(0.5, *[0.5] * n).count(None) % n
    except DOMAIN_ERRORS:  # not of a row with parameters
        return 0


def drawn_points(row: Primitive, count: int) -> list[tuple[float, ...]]:
    """Return points of moderate size in the domain, a little away from the delicate ones."""
    rng = random.Random(row.name)
    points: list[tuple[float, ...]] = []
    while len(points) < count:
        n = rng.choice(arities(row))
        domain = row.domain if len(row.domain) == n else row.domain * n
        point = [moderate(rng, interval) for interval in domain]
        if row.name.startswith("power"):
            point[0] = abs(point[0])
        if row.name in ("clip", "inside"):
            point[1:] = sorted(point[1:])
        if row.name in ("polygamma", "power_c_slope"):
            point[-1] = float(rng.randrange(1, 4))
        if row.name == "select":
            point[-1] = float(rng.randrange(n - 1))
        if row.name == "where":
            point[2] = float(rng.randrange(2))
        if all(abs(x - c) > 1e-2 for x in point[:1] for c in near(row)):
            points.append(tuple(point))
    return points


def moderate(rng: random.Random, interval: Interval) -> float:
    low, high = max(interval.low, -3.0), min(interval.high, 3.0)
    margin = 1e-2 * (high - low)
    return rng.uniform(low + margin, high - margin)
