"""Draws that select: normal numbers between two bounds, and indices by their weights."""

import sys
from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from math import erf, inf, log, log1p, sqrt
from typing import Any

from microgradlib.core.value import Value
from microgradlib.errors import short
from microgradlib.functions.arguments import positive_number
from microgradlib.random.arguments import Shape, generator_of, is_single, number, rounded_number
from microgradlib.random.blocks import normals
from microgradlib.random.draws import checked_normal, uniforms
from microgradlib.random.generator import Generator, fractions53
from microgradlib.random.rounding import rounded_one
from microgradlib.trees import ARRAYS, as_list

_MOST = 0.3  # of the mass: with more inside of the bounds, normal numbers are drawn
_WIDEST = 1000.0  # standard deviations between the bounds otherwise: one of 400 draws is taken


def trunc_normal(
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    size: Any = None,
    *,
    dtype: Any = "float32",
    generator: Generator | None = None,
) -> Any:
    """Draw normal numbers from [a, b], as ``torch.nn.init.trunc_normal_`` of a tensor.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(0)
    >>> [round(x, 4) for x in trunc_normal(0, 1, -1, 1, 4)]
    [-0.7193, -0.2934, 0.4033, 0.5684]

    All numbers are drawn again and again, and those outside are replaced, until none is left
    (PyTorch 2.10 inverted the distribution function instead). They come from the normal
    distribution if more than 30 % of it are within the bounds; else from the uniform one, of which
    each is taken with a probability that its density gives. There PyTorch compares logarithms in
    float32, whose last bit may differ from the ones here: about one decision in ten million.

    Args:
        mean: the centre of the distribution.
        std: its standard deviation, above 0.
        a: the lower bound.
        b: the upper bound, above ``a``.
        size: None for a number, a length for a list, a tuple of lengths for nested lists.
        dtype: "float32" or "float64".
        generator: the generator to draw from; None for the default one.

    Raises:
        TypeError: if an argument is not a number.
        ValueError: if an argument is out of range, or the bounds are too far apart for what is
            between them.
    """
    source = generator_of("trunc_normal", generator)
    single = is_single("trunc_normal", dtype)
    centre, scale = checked_normal("trunc_normal", mean, std, single)
    low, high = number("trunc_normal", "a", a, single), number("trunc_normal", "b", b, single)
    start, end = (rounded_number("trunc_normal", "", x, single) for x in (low, high))
    if not (scale and start < end):
        raise ValueError(
            "trunc_normal: std must be above 0, and a below b, got "
            f"std={short(std)}, a={short(a)} and b={short(b)}"
        )
    count = (shape := Shape("trunc_normal", size, 4, dtype)).count
    inside = _below((high - centre) / scale) - _below((low - centre) / scale)
    if inside > _MOST:

        def draw() -> list[float]:
            drawn = normals(source, count, centre, scale, single)
            return [x if start <= x <= end else inf for x in drawn]

    elif high - low > _WIDEST * scale:
        raise ValueError(
            f"trunc_normal: b - a must be at most {_WIDEST:g} * std where little of the "
            f"distribution is between them, got std={short(std)}, a={short(a)} and b={short(b)}; "
            "move the far one towards the mean"
        )
    else:
        density = _log_density(centre, scale, max(low, min(centre, high)), single)

        def draw() -> list[float]:
            drawn = uniforms(source, count, start, end, single)
            others = uniforms(source, count, 0.0, 1.0, single)
            logs = [log(u) if u else -inf for u in others]
            logs = [rounded_one(y) for y in logs] if single else logs
            return [x if y <= density(x) else inf for x, y in zip(drawn, logs, strict=True)]

    numbers = draw()
    while inf in numbers:
        numbers = [y if x == inf else x for x, y in zip(numbers, draw(), strict=True)]
    return shape.build(numbers)


def _below(x: float) -> float:
    """Return the distribution function of N(0, 1)."""
    return (1.0 + erf(x / sqrt(2.0))) / 2.0


def _log_density(mean: float, std: float, mode: float, single: bool) -> Callable[[float], float]:
    """Return log(pdf(x) / pdf(mode)) as a function of x, with the roundings of PyTorch."""
    peak = -0.5 * ((mode - mean) / std) ** 2
    if not single:
        return lambda x: ((x - mean) / std) ** 2 * -0.5 - peak
    r = rounded_one
    mean, std, peak = r(mean), r(std), r(peak)

    def density(x: float) -> float:
        y = r(r(x - mean) / std)
        return r(r(y * y) * -0.5 - peak)

    return density


def multinomial(
    weights: Any,
    num_samples: int,
    replacement: bool = False,
    *,
    dtype: Any = "float32",
    generator: Generator | None = None,
) -> Any:
    """Draw indices with probabilities proportional to weights, as ``torch.multinomial``.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(0)
    >>> multinomial([0.1, 0.2, 0.7], 2)
    [2, 1]
    >>> multinomial([0.1, 0.2, 0.7], 5, replacement=True)
    [2, 2, 2, 1, 2]

    With replacement, a number from [0, 1) is looked up in the cumulative weights. Without, each
    weight is divided by a number of the exponential distribution, and the largest quotients are
    taken, the largest first (Efraimidis & Spirakis, Inf. Process. Lett. 97, 2006). The order of two
    that are equal in float32, which happens to one pair in ten million, is PyTorch's secret.

    Args:
        weights: numbers >= 0, not all 0, of any sum; or rows of them, for a row of
            indices each. No gradient flows to Values. An array gives an array.
        num_samples: how many indices to draw, at least 1.
        replacement: whether an index may be drawn again.
        dtype: what the weights are rounded to: "float32" or "float64".
        generator: the generator to draw from; None for the default one.

    Raises:
        TypeError: if a weight is not a number, or num_samples not an int.
        ValueError: if a weight is negative, infinite or NaN, all are 0, or fewer of them than
            num_samples are above 0 and there is no replacement.
    """
    source = generator_of("multinomial", generator)
    single = is_single("multinomial", dtype)
    samples = positive_number("multinomial: num_samples", num_samples)
    rows = as_list(weights)
    if not isinstance(rows, list | tuple) or not rows:
        raise TypeError(
            f"multinomial: weights must be a list of numbers, got {short(weights)}; pass one "
            "weight for each index"
        )
    nested = isinstance(rows[0], list | tuple)
    checked = [_weights(row, single) for row in (rows if nested else [rows])]
    if len({*map(len, checked)}) > 1:
        raise ValueError(
            f"multinomial: rows must have one length, got {[*map(len, checked)]}; fill up with 0"
        )
    again = replacement and samples > 1
    fewest = min(sum(w > 0.0 for w in row) for row in checked)
    if fewest < samples and not again:
        raise ValueError(
            f"multinomial: num_samples must be at most the number of weights above 0, {fewest}, "
            f"got {samples}; draw fewer, or with replacement=True"
        )
    width = samples if again else len(checked[0])
    us = fractions53(source, Shape("multinomial", (len(checked), width), 2).count)
    choose = _looked_up if again else _largest
    drawn = [
        choose(row, us[i * width : (i + 1) * width], single)[:samples]
        for i, row in enumerate(checked)
    ]
    found = drawn if nested else drawn[0]
    return sys.modules["numpy"].array(found) if isinstance(weights, ARRAYS) else found


def _weights(row: Any, single: bool) -> list[float]:
    data = [w.data if isinstance(w, Value) else w for w in as_list(row)]
    weights = [rounded_number("multinomial", "weights", w, single) for w in data]
    total = number("multinomial", "the sum of weights", sum(weights), single)
    if total <= 0.0 or min(weights) < 0.0:
        raise ValueError(
            f"multinomial: weights must be >= 0, with a sum above 0, got {short(row)}; leave out "
            "the sign"
        )
    return weights


def _looked_up(weights: list[float], us: list[float], single: bool) -> list[int]:
    """Return for each u where it is in the cumulative weights."""
    r = rounded_one if single else float
    sums = [*accumulate(weights, lambda x, y: r(x + y))]
    shares = [r(x / sums[-1]) for x in sums]
    return [bisect_left(shares, u) for u in us]


def _largest(weights: list[float], us: list[float], single: bool) -> list[int]:
    """Return the indices by the quotients of weights and exponential numbers, the largest first."""
    r = rounded_one if single else float
    waits = [r(-log1p(-u)) for u in us]
    quotients = [r(w / wait) if wait else w and inf for w, wait in zip(weights, waits, strict=True)]
    return sorted(range(len(weights)), key=quotients.__getitem__, reverse=True)
