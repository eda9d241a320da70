"""Functions of many numbers, on floats.

NaN in gives NaN out. Sums of products run from left to right, as written out; ``total`` and what
builds on softmax add without rounding in between.
"""

import math
from collections.abc import Sequence

from microgradlib.numeric.special import two_product


def total(*xs: float) -> float:
    """Return the sum, rounded once."""
    try:
        return math.fsum(xs)
    except (OverflowError, ValueError):  # on the way, or from inf and nan
        return _scaled_total(xs) if _finite(xs) else sum([x for x in xs if not math.isfinite(x)])


def mean(*xs: float) -> float:
    """Return the arithmetic mean."""
    n = len(xs)
    result = total(*xs) / n
    if math.isinf(result) and _finite(xs):
        return math.fsum([x * 2.0**-64 for x in xs]) / n * 2.0**64
    return result


def _finite(xs: Sequence[float]) -> bool:
    """Return whether all numbers are finite."""
    return all(math.isfinite(x) for x in xs)


def _scaled_total(xs: Sequence[float]) -> float:
    """Return the sum of finite numbers, rounded once, from numbers so small that none overflows."""
    scaled = [x * 2.0**-64 for x in xs]
    lost = [x - y * 2.0**64 for x, y in zip(xs, scaled, strict=True)]  # bits of tiny numbers
    return math.fsum([p * 2.0**64 for p in _three(scaled)] + lost)


def _three(terms: list[float]) -> list[float]:
    """Return three floats whose sum is that of the terms, to 159 bits."""
    a = math.fsum(terms)
    b = math.fsum([-a, *terms])
    return [a, b, math.fsum([-a, -b, *terms])]


def dot(bias: float, *factors: float) -> float:
    """Return the bias plus the products of the first half of the factors and the second.

    Added from left to right: bias + ws[0] * xs[0] + ws[1] * xs[1] + ...
    """
    for w, x in zip(factors, factors[len(factors) // 2 :]):  # noqa: B905 (the first half)
        bias += w * x
    return bias


def dot_and_partials(bias: float, *factors: float) -> tuple[float, tuple[float, ...]]:
    """Return ``dot`` and its partials."""
    n = len(factors) // 2
    xs = factors[n:]
    for w, x in zip(factors, xs):  # noqa: B905 (the first half)
        bias += w * x
    return bias, (1.0, *xs, *factors[:n])


def product(*xs: float) -> float:
    """Return the product, multiplied from left to right."""
    result = 1.0
    for x in xs:
        result *= x
    return result


def select(*values: float) -> float:
    """Return values[index], where the index is the last of the arguments."""
    index = values[-1]
    if not 0.0 <= index < len(values) - 1 or index % 1.0:
        raise ValueError("index out of range")
    return values[int(index)]


def mse(*values: float) -> float:
    """Return the mean squared difference of the first half of the values and the second."""
    return mse_and_partials(*values)[0]


def mse_and_partials(*values: float) -> tuple[float, tuple[float, ...]]:
    """Return ``mse`` and its partials."""
    n = len(values) // 2
    total, scale = 0.0, 2.0 / n
    partials = [*values]
    for i in range(n):
        difference = values[i] - values[n + i]
        total += difference * difference
        partials[i] = partial = scale * difference
        partials[n + i] = -partial
    return total / n, (*partials,)


# With weights exp(x - max(xs)) none of these overflows.


def logsumexp(xs: Sequence[float]) -> float:
    """Return log(sum of exp(x)) = max(xs) + log1p(sum of the other weights)."""
    top = max(xs)
    log_rest = math.log1p(math.fsum([-1.0, *_weights(xs, top)]))
    result = top + log_rest
    if abs(result) < 0.5 * log_rest:  # cancellation
        return _log_of_sum(xs)
    return result


def softmax(xs: Sequence[float]) -> list[float]:
    """Return exp(x) / (sum of exp(x)) for each x."""
    _check_limit(xs)
    return shares(xs)


def shares(xs: Sequence[float]) -> list[float]:
    """Return ``softmax``, and equal shares of several largest that are infinite."""
    weights = _weights(xs, max(xs))
    total = math.fsum(weights)
    lost = math.fsum([-total, *weights]) / total  # the relative rounding error of total
    result = []
    for w in weights:
        p = w / total
        result.append(p - p * lost)
    return result


def log_softmax(xs: Sequence[float]) -> list[float]:
    """Return log(softmax(xs)) = x - logsumexp(xs) for each x."""
    _check_limit(xs)
    top = max(xs)
    log_total = math.log1p(math.fsum([-1.0, *_weights(xs, top)]))
    return [(0.0 if x == top else x - top) - log_total for x in xs]


def logsumexp_of(*xs: float) -> float:
    """Return ``logsumexp(xs)``."""
    return logsumexp(xs)


def first_of_softmax(*xs: float) -> float:
    """Return the first entry of ``softmax(xs)``."""
    return softmax(xs)[0]


def first_of_shares(*xs: float) -> float:
    """Return the first entry of ``shares(xs)``."""
    return shares(xs)[0]


def first_of_log_softmax(*xs: float) -> float:
    """Return the first entry of ``log_softmax(xs)``."""
    return log_softmax(xs)[0]


def complement(*ps: float) -> float:
    """Return 1 - ps[0], for probabilities of which the others add up to that.

    Their sum keeps the digits that the difference loses where the first is above 0.5.
    """
    return total(*ps[1:]) if ps[0] > 0.5 else 1.0 - ps[0]


def _check_limit(xs: Sequence[float]) -> None:
    """Raise a ValueError where softmax has no limit."""
    top = max(xs)
    if math.isinf(top) and sum([x == top for x in xs]) > (top > 0.0) and all(x == x for x in xs):
        raise ValueError("softmax is undefined when every input is -inf, or two are inf")


def _weights(xs: Sequence[float], top: float) -> list[float]:
    """Return exp(x - top) for each x, none of which is above top."""
    weights = []
    for x in xs:
        d = x - top
        if x == top:
            weights.append(1.0)  # also for inf
        elif d < -800.0:
            weights.append(0.0)
        else:
            b = d - x
            low = (x - (d - b)) - (top + b)  # what the rounding of d lost (Knuth's TwoSum)
            e = math.exp(d)
            weights.append(e + e * low)
    return weights


def _log_of_sum(xs: Sequence[float]) -> float:
    """Return log(sum of exp(x)) for a sum near 1, most of whose bits cancel."""
    terms = [-(2.0**900)]
    for x in xs:
        if x > -800.0:
            terms += _scaled_exp(x)
    return math.log1p(math.fsum(terms) * 2.0**-900)


def _scaled_exp(x: float) -> list[float]:
    """Return 2**900 exp(x), -800 < x < 0, as a sum of floats, so that exp(x) - 1 has 140 bits."""
    halvings = max(math.frexp(x)[1] + 6, 0)
    z = math.ldexp(x, -halvings)  # below 1/64
    # exp(z) - 1 = z (1 + z/2 + ...): Taylor's polynomial times 18!, which is a float.
    tail, c = 1.0, 1.0
    for k in range(18, 13, -1):
        c *= k
        tail = tail * z + c
    result = [tail, 0.0, 0.0]
    for k in range(13, 1, -1):
        c *= k
        result = _times(result, [z, 0.0, 0.0], c)
    result = _times(_times(result, _INVERSE_FACTORIAL), [z, 0.0, 0.0])
    if halvings == 0:
        return [2.0**900, *[r * 2.0**900 for r in result]]
    result = _three([1.0, *result])
    for _ in range(halvings - 1):
        result = _times(result, result)
    result = [r * 2.0**450 for r in result]  # lest the low parts underflow
    return _times(result, result)


def _times(xs: list[float], ys: list[float], plus: float = 0.0) -> list[float]:
    """Return the product of two sums of three floats, plus a number, as such a sum."""
    p, p_low = two_product(xs[0], ys[0])
    q, q_low = two_product(xs[0], ys[1])
    r, r_low = two_product(xs[1], ys[0])
    rest = xs[0] * ys[2] + xs[1] * ys[1] + xs[2] * ys[0]
    return _three([plus, p, p_low, q, q_low, r, r_low, rest])


# 1 / 18!
_INVERSE_FACTORIAL = [1.5619206968586225e-16, 1.1910679660273754e-32, -4.577506059629983e-49]
