"""Distributions of events, waiting times and positive numbers."""

import sys
from collections.abc import Callable
from math import ceil, exp, inf, log, log1p
from typing import Any

from microgradlib.core.value import Value
from microgradlib.errors import short
from microgradlib.random.arguments import Shape, generator_of, is_single, largest_of, number
from microgradlib.random.blocks import in_pairs
from microgradlib.random.draws import checked_normal
from microgradlib.random.generator import FARTHEST, Generator, fractions24, fractions53
from microgradlib.random.rounding import rounded
from microgradlib.trees import ARRAYS, as_list, as_number, elementwise


def bernoulli(
    p: Any, size: Any = None, *, dtype: Any = "float32", generator: Generator | None = None
) -> Any:
    """Draw 1.0 with probability p and 0.0 otherwise.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(0)
    >>> bernoulli(0.5, 4)  # torch.empty(4).bernoulli_(0.5)
    [0.0, 0.0, 1.0, 0.0]
    >>> bernoulli([0.9, 0.1])  # torch.bernoulli(torch.tensor([0.9, 0.1]))
    [1.0, 0.0]

    Dropout with probability p keeps the numbers of ``bernoulli(1 - p, size)`` and divides them by
    ``1 - p``, in that order.

    Args:
        p: a probability, or nested lists or an array of them: then one draw each, and the dtype
            is that of these numbers. No gradient flows to Values.
        size: with a number p, None for a number, a length for a list, a tuple for nested lists.
        dtype: "float32" or "float64".
        generator: the generator to draw from; None for the default one.

    Raises:
        TypeError: if a probability is not a number, or there is a size although p has one.
        ValueError: if a probability is not in [0, 1].
    """
    source = generator_of("bernoulli", generator)
    single = is_single("bernoulli", dtype)
    p = as_number(p)
    if not isinstance(p, (list, tuple, *ARRAYS)):
        bound = _probability(p)
        shape = Shape("bernoulli", size, 2, dtype)
        return shape.build([float(u < bound) for u in fractions53(source, shape.count)])
    if size is not None:
        raise TypeError(
            f"bernoulli: size must be None where p is no number, got {short(size)}; leave it out"
        )
    bounds: list[float] = []
    elementwise("bernoulli", lambda x: bounds.append(_probability(x)), as_list(p))
    if single:
        fractions, bounds = fractions24(source, len(bounds)), rounded(bounds).tolist()
    else:
        fractions = fractions53(source, len(bounds))
    drawn = iter([float(u < bound) for u, bound in zip(fractions, bounds, strict=True)])
    built = elementwise("bernoulli", lambda _: next(drawn), as_list(p))
    return sys.modules["numpy"].array(built) if isinstance(p, ARRAYS) else built


def _probability(p: Any) -> float:
    checked = number("bernoulli", "p", p.data if isinstance(p, Value) else p)
    if not 0.0 <= checked <= 1.0:
        raise ValueError(f"bernoulli: p must be in [0, 1], got {short(p)}; pass a probability")
    return checked


def exponential(
    lambd: float = 1.0,
    size: Any = None,
    *,
    dtype: Any = "float32",
    generator: Generator | None = None,
) -> Any:
    """Draw waiting times of mean 1 / lambd, as ``torch.empty(size).exponential_(lambd)``.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(0)
    >>> [round(x, 4) for x in exponential(2.0, 3)]
    [1.7542, 0.6152, 0.3075]

    Args:
        lambd: the rate, above 0 and finite.
        size: None for a number, a length for a list, a tuple of lengths for nested lists.
        dtype: "float32" or "float64".
        generator: the generator to draw from; None for the default one.

    Raises:
        TypeError: if the rate is not a number.
        ValueError: if it is out of range, or draws would not fit in the dtype.
    """
    source = generator_of("exponential", generator)
    single = is_single("exponential", dtype)
    rate = number("exponential", "lambd", lambd)
    if rate <= 0.0 or 40.0 / largest_of(single) > rate:
        raise ValueError(
            f"exponential: lambd must be above 0, and draws of about 1 / lambd must fit in the "
            f"dtype, got {short(lambd)}; pass the rate, 1 / mean"
        )
    scale = -1.0 / rate
    return _draw("exponential", lambda u: scale * log1p(-u), size, source, dtype)


def geometric(
    p: float, size: Any = None, *, dtype: Any = "float32", generator: Generator | None = None
) -> Any:
    """Draw how many trials it takes to the first success, as ``torch.empty(size).geometric_(p)``.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(0)
    >>> geometric(0.25, 6)
    [1.0, 2.0, 3.0, 1.0, 2.0, 1.0]

    Args:
        p: the probability of success, in (0, 1).
        size: None for a number, a length for a list, a tuple of lengths for nested lists.
        dtype: "float32" or "float64".
        generator: the generator to draw from; None for the default one.

    Raises:
        TypeError: if p is not a number.
        ValueError: if it is out of range.
    """
    source = generator_of("geometric", generator)
    is_single("geometric", dtype)  # before anything is drawn
    chance = number("geometric", "p", p)
    if not 1e-30 < chance < 1.0:
        raise ValueError(f"geometric: p must be in (1e-30, 1), got {short(p)}; pass a probability")
    scale = log1p(-chance)

    def trials(u: float) -> float:
        return float(ceil(log(u) / scale)) if u else inf

    return _draw("geometric", trials, size, source, dtype)


def _draw(
    function: str, f: Callable[[float], float], size: Any, source: Generator, dtype: Any
) -> Any:
    """Draw f of a float64 number from [0, 1)."""
    shape = Shape(function, size, 2, dtype)
    drawn = [f(u) for u in fractions53(source, shape.count)]
    return shape.build(rounded(drawn).tolist() if is_single(function, dtype) else drawn)


def log_normal(
    mean: float = 1.0,
    std: float = 2.0,
    size: Any = None,
    *,
    dtype: Any = "float32",
    generator: Generator | None = None,
) -> Any:
    """Draw numbers whose logarithms are normal, as ``torch.empty(size).log_normal_(mean, std)``.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(0)
    >>> [round(x, 4) for x in log_normal(0, 1, 3)]
    [4.6692, 0.7457, 0.1132]

    Args:
        mean: the centre of the logarithms.
        std: their standard deviation, above 0.
        size: None for a number, a length for a list, a tuple of lengths for nested lists.
        dtype: "float32" or "float64".
        generator: the generator to draw from; None for the default one.

    Raises:
        TypeError: if mean or std is not a number.
        ValueError: if std is not above 0, or draws would not fit in the dtype.
    """
    source = generator_of("log_normal", generator)
    single = is_single("log_normal", dtype)
    centre, scale = checked_normal("log_normal", mean, std, single)
    if not scale or centre + FARTHEST * scale > log(largest_of(single)):
        raise ValueError(
            f"log_normal: std must be above 0, and exp(mean + {FARTHEST} * std) finite, got "
            f"mean={short(mean)} and std={short(std)}; they are those of the logarithm"
        )
    shape = Shape("log_normal", size, 4, dtype)
    drawn = [exp(x) for x in in_pairs(source, shape.count, centre, scale)]
    return shape.build(rounded(drawn).tolist() if single else drawn)
