"""Functions of many numbers, on floats.

NaN in gives NaN out. Sums of products run from left to right, as written out; ``total`` and what
builds on softmax add without rounding in between.
"""

import functools
import math
import operator
from collections.abc import Sequence


def total(*xs: float) -> float:
    """Return the sum, rounded once."""
    try:
        return math.fsum(xs)
    except (OverflowError, ValueError):  # on the way, or from inf and nan
        return _exact_mean(xs, 1) if _finite(xs) else sum([x for x in xs if not math.isfinite(x)])


def mean(*xs: float) -> float:
    """Return the arithmetic mean."""
    n = len(xs)
    result = total(*xs) / n
    return _exact_mean(xs, n) if math.isinf(result) and _finite(xs) else result


def _finite(xs: Sequence[float]) -> bool:
    """Return whether all numbers are finite."""
    return all(map(math.isfinite, xs))


def _exact_mean(xs: Sequence[float], n: int) -> float:
    """Return the sum of finite numbers, divided by n, rounded once."""
    one = 2**1074  # times this, every float is an integer
    integer = sum([p * (one // q) for p, q in map(float.as_integer_ratio, xs)])
    try:
        return integer / (n * one)
    except OverflowError:
        return math.inf if integer > 0 else -math.inf


def dot(bias: float, *factors: float) -> float:
    """Return the bias plus the products of the first half of the factors and the second.

    Added from left to right, as a layer does it: bias + ws[0] * xs[0] + ws[1] * xs[1] + ...
    """
    n = len(factors) // 2
    for w, x in zip(factors[:n], factors[n:], strict=True):
        bias += w * x
    return bias


def product(*xs: float) -> float:
    """Return the product, multiplied from left to right."""
    return functools.reduce(operator.mul, xs)


def select(*values: float) -> float:
    """Return the entry of the others that the last number counts, from 0."""
    *entries, index = values
    if index not in range(len(entries)):
        raise ValueError  # the row says what it needs
    return entries[int(index)]


def mse(*values: float) -> float:
    """Return the mean squared difference of the first half of the values and the second."""
    return mse_and_partials(*values)[0]


def mse_and_partials(*values: float) -> tuple[float, tuple[float, ...]]:
    """Return ``mse`` and its partials."""
    n = len(values) // 2
    total, scale = 0.0, 2.0 / n
    slopes = [*values]
    for i in range(n):
        difference = values[i] - values[n + i]
        total += difference * difference
        slopes[i] = slope = scale * difference
        slopes[n + i] = -slope
    return total / n, (*slopes,)


# With weights exp(x - max(xs)) none of these overflows.


def logsumexp(xs: Sequence[float]) -> float:
    """Return log(sum of exp(x)) = max(xs) + log1p(sum of the other weights)."""
    top = max(xs)
    log_rest = math.log1p(math.fsum([-1.0, *_weights(xs, top)]))
    result = top + log_rest
    if abs(result) < 0.5 * log_rest:  # cancellation
        return _log_of_sum(xs, top)
    return result


def softmax(xs: Sequence[float]) -> list[float]:
    """Return exp(x) / (sum of exp(x)) for each x."""
    _, weights, total = _shares(xs)
    lost = math.fsum([-total, *weights]) / total  # by the rounding of total
    result = []
    for w in weights:
        p = w / total
        result.append(p - p * lost)
    return result


def log_softmax(xs: Sequence[float]) -> list[float]:
    """Return log(softmax(xs)) = x - logsumexp(xs) for each x."""
    top, weights, _ = _shares(xs)
    log_total = math.log1p(math.fsum([-1.0, *weights]))
    return [(0.0 if x == top else x - top) - log_total for x in xs]


def _shares(xs: Sequence[float]) -> tuple[float, list[float], float]:
    """Return max(xs), exp(x - max(xs)) for each x, and the sum of those."""
    top = max(xs)
    weights = _weights(xs, top)
    total = math.fsum(weights)
    if math.isinf(top) and total > (1.0 if top > 0.0 else 0.0):
        raise ValueError("softmax is undefined when every input is -inf, or two are inf")
    return top, weights, total


def _weights(xs: Sequence[float], top: float) -> list[float]:
    """Return exp(x - top) for each x, none of which is above top."""
    weights = []
    for x in xs:  # in a loop, not a function of x: it takes three quarters of the time
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


def _log_of_sum(xs: Sequence[float], top: float) -> float:
    """Return log(sum of exp(x)) for a sum near 1, in fixed point: all the bits that may cancel."""
    bits = 160 - math.frexp(top)[1]
    one = 1 << bits
    total = 0
    for x in xs:
        if x > -800.0:
            n, d = x.as_integer_ratio()
            z = (n << bits) // d >> 10
            power, term, k = one, one, 0
            while term:
                k += 1
                term = (term * z >> bits) // k
                power += term
            for _ in range(10):
                power = power * power >> bits
            total += power
    return math.log1p((total - one) / one)
