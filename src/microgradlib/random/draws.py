"""Uniform and normal numbers, whole numbers and permutations."""

import sys
from typing import Any

from microgradlib.errors import short
from microgradlib.functions.arguments import shape_of, whole_number
from microgradlib.random.arguments import (
    Shape,
    check_integers,
    generator_of,
    is_single,
    largest_of,
    number,
    rounded_number,
)
from microgradlib.random.blocks import normals
from microgradlib.random.generator import (
    FARTHEST,
    LONGEST,
    Generator,
    fractions24,
    fractions53,
    words,
    words64,
)
from microgradlib.random.rounding import fused32, fused64, rounded_one
from microgradlib.trees import ARRAYS

_FEW = 2**28  # up to here one word decides about a whole number


def uniform(
    low: float,
    high: float,
    size: Any = None,
    *,
    dtype: Any = "float32",
    generator: Generator | None = None,
) -> Any:
    """Draw from U[low, high), as ``torch.empty(size).uniform_(low, high)``.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(0)
    >>> uniform(0, 1), uniform(-1, 1)
    (0.49625658988952637, 0.5364435911178589)
    >>> uniform(0, 1, 2)
    [0.08847743272781372, 0.13203048706054688]

    In float32, a draw is ``(32 random bits & 0xFFFFFF) * 2**-24 * (high - low) + low``, where the
    last product and sum are rounded together, by a fused multiply-add; a result that rounds up to
    ``high`` becomes ``low`` (PyTorch 2.13, ATen ``TransformationHelper.h``, ``uniform_real``, and
    ``DistributionTemplates.h``). In float64 it is the last 53 of 64 bits, times 2**-53.

    ``nn.Linear(nin, nout)`` draws its nout x nin weights, row by row, and then its nout biases,
    all with ``bound = 1 / sqrt(nin)`` and ``uniform(-bound, bound)``.

    Args:
        low: the lower end, a finite number in the range of the dtype.
        high: the upper end, likewise; above ``low`` once both are rounded to the dtype.
        size: None for a number, a length for a list, a tuple of lengths for nested lists.
        dtype: "float32" or "float64".
        generator: the generator to draw from; None for the default one.

    Raises:
        TypeError: if an end is not an int or float, or a length no int.
        ValueError: if an end is not finite or too large, if ``low >= high``, or if ``high - low``
            is too large for the dtype; if a length is negative.
    """
    source = generator_of("uniform", generator)
    single = is_single("uniform", dtype)
    start = rounded_number("uniform", "low", low, single)
    end = rounded_number("uniform", "high", high, single)
    name = "float32" if single else "float64"
    if start >= end:
        raise ValueError(
            f"uniform: low must be below high in {name}, got low={low!r} and high={high!r}; "
            "swap them or widen the range"
        )
    if end - start > largest_of(single):
        raise ValueError(
            f"uniform: high - low must fit in a {name}, got low={low!r} and high={high!r}; "
            "narrow the range"
        )
    shape = Shape("uniform", size, 1 if single else 2, dtype)
    return shape.build(uniforms(source, shape.count, start, end, single))


def uniforms(source: Generator, count: int, start: float, end: float, single: bool) -> list[float]:
    """Draw numbers between two ends that are of the dtype."""
    if single:
        width = rounded_one(end - start)
        # 24 by 24 bits: each product is exact.
        drawn = fused32([u * width for u in fractions24(source, count)], start)
    else:
        drawn = [fused64(u, end - start, start) for u in fractions53(source, count)]
    return [start if x == end else x for x in drawn] if end in drawn else drawn


def normal(
    mean: float,
    std: float,
    size: Any = None,
    *,
    dtype: Any = "float32",
    generator: Generator | None = None,
) -> Any:
    """Draw from N(mean, std**2), as ``torch.empty(size).normal_(mean, std)``.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(42)
    >>> [round(x, 4) for x in normal(0, 1, 3)]  # torch.manual_seed(42); torch.randn(3)
    [0.3367, 0.1288, 0.2345]
    >>> round(sum(normal(0, 1, 10_000)) / 10_000, 2)
    0.0

    Fewer than 16 numbers are drawn in pairs, of which the second waits for the next draw if it is
    left; more come in blocks of 16. So ``normal(0, 1, 16)`` is not what 16 single draws give: in
    PyTorch neither.

    Args:
        mean: the centre, a finite number.
        std: the standard deviation, finite and >= 0. Both must be small enough for
            ``mean +- 8.6 * std`` to lie in the range of the dtype.
        size: None for a number, a length for a list, a tuple of lengths for nested lists.
        dtype: "float32" or "float64".
        generator: the generator to draw from; None for the default one.

    Raises:
        TypeError: if an argument is not an int or float, or a length no int.
        ValueError: if an argument is out of range.
    """
    source = generator_of("normal", generator)
    single = is_single("normal", dtype)
    centre, scale = checked_normal("normal", mean, std, single)
    shape = Shape("normal", size, 4, dtype)
    return shape.build(normals(source, shape.count, centre, scale, single))


def checked_normal(function: str, mean: Any, std: Any, single: bool) -> tuple[float, float]:
    """Return mean and std as floats, if all draws fit in the dtype."""
    centre = number(function, "mean", mean, single)
    scale = number(function, "std", std, single)
    if scale < 0.0:
        raise ValueError(f"{function}: std must be >= 0, got {short(std)}; pass abs(std)")
    if abs(centre) + FARTHEST * scale > largest_of(single):
        raise ValueError(
            f"{function}: draws must fit in a {'float32' if single else 'float64'}, got "
            f"mean={mean!r} and std={std!r}; scale them down"
        )
    return centre, scale


def rand(*size: Any, dtype: Any = "float32", generator: Generator | None = None) -> Any:
    """Draw from U[0, 1), as ``torch.rand``.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(0)
    >>> [[round(x, 4) for x in row] for row in rand(2, 2)]
    [[0.4963, 0.7682], [0.0885, 0.132]]

    Args:
        *size: lengths, or one tuple or list of them; nothing for one number.
        dtype: "float32" or "float64".
        generator: the generator to draw from; None for the default one.

    Raises:
        TypeError: if a length is not an int.
        ValueError: if a length is negative.
    """
    source = generator_of("rand", generator)
    single = is_single("rand", dtype)
    shape = Shape("rand", _sizes(size), 1 if single else 2, dtype)
    return shape.build((fractions24 if single else fractions53)(source, shape.count))


def randn(*size: Any, dtype: Any = "float32", generator: Generator | None = None) -> Any:
    """Draw from N(0, 1), as ``torch.randn``.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(42)
    >>> [round(x, 4) for x in randn(3)]
    [0.3367, 0.1288, 0.2345]

    Args:
        *size: lengths, or one tuple or list of them; nothing for one number.
        dtype: "float32" or "float64".
        generator: the generator to draw from; None for the default one.

    Raises:
        TypeError: if a length is not an int.
        ValueError: if a length is negative.
    """
    source = generator_of("randn", generator)
    single = is_single("randn", dtype)
    shape = Shape("randn", _sizes(size), 4, dtype)
    return shape.build(normals(source, shape.count, 0.0, 1.0, single))


def _sizes(size: tuple[Any, ...]) -> Any:
    return size[0] if len(size) == 1 and isinstance(size[0], tuple | list) else size


def rand_like(input: Any, *, dtype: Any = None, generator: Generator | None = None) -> Any:
    """Draw from U[0, 1) for each number of a tensor, as ``torch.rand_like``.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(0)
    >>> [round(x, 4) for x in rand_like([1.0, 2.0])]
    [0.9701, 0.7078]

    Args:
        input: a number or Value, or nested lists or an array of them, of which the result is one.
        dtype: "float32" or "float64"; None for that of an array of floats, else "float64".
        generator: the generator to draw from; None for the default one.

    Raises:
        ShapeError: if lists beside each other differ in length.
    """
    return rand(shape_of("rand_like", input), dtype=_like(input, dtype), generator=generator)


def randn_like(input: Any, *, dtype: Any = None, generator: Generator | None = None) -> Any:
    """Draw from N(0, 1) for each number of a tensor, as ``torch.randn_like``.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(0)
    >>> [round(x, 4) for x in randn_like([1.0, 2.0])]
    [1.541, -0.2934]

    Args:
        input: a number or Value, or nested lists or an array of them, of which the result is one.
        dtype: "float32" or "float64"; None for that of an array of floats, else "float64".
        generator: the generator to draw from; None for the default one.

    Raises:
        ShapeError: if lists beside each other differ in length.
    """
    return randn(shape_of("randn_like", input), dtype=_like(input, dtype), generator=generator)


def _like(x: Any, dtype: Any) -> Any:
    """Return the dtype for a result like x."""
    if not isinstance(x, ARRAYS):
        return "float64" if dtype is None else dtype
    numpy = sys.modules["numpy"]
    if dtype is None:
        return x.dtype if x.dtype.kind == "f" else numpy.float64
    return numpy.float32 if is_single("dtype", dtype) else numpy.float64


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    dtype: Any = None,
    generator: Generator | None = None,
) -> Any:
    """Draw whole numbers from low, ..., high - 1, as ``torch.randint``.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(0)
    >>> randint(10, (5,)), randint(-2, 3, (2, 2))
    ([4, 9, 3, 0, 3], [[2, 0], [1, 0]])

    A draw is a word of the generator modulo ``high - low``; from 2**28 on, it is two words.

    Args:
        low: the least number; may be left out, and is 0 then.
        high: the end, above ``low``. Both are in [-2**63, 2**63).
        size: None for a number, a length for a list, a tuple of lengths for nested lists.
        dtype: None for lists, or an integer type of NumPy for an array.
        generator: the generator to draw from; None for the default one.

    Raises:
        TypeError: if an end or a length is not an int.
        ValueError: if an end is out of range, or a length is negative.
    """
    source = generator_of("randint", generator)
    check_integers("randint", dtype)
    if isinstance(high, tuple | list):
        if size is not None:
            raise TypeError(
                f"randint: high must be an int, got {short(high)}; call randint(low, high, size)"
            )
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    start, end = whole_number("randint: low", low), whole_number("randint: high", high)
    if not -(2**63) <= start < end < 2**63:
        raise ValueError(
            f"randint: low must be below high, both in [-2**63, 2**63), got low={short(low)} and "
            f"high={short(high)}; swap them or widen the range"
        )
    span = end - start
    shape = Shape("randint", size, 1 if span < _FEW else 2, dtype)
    drawn = (words if span < _FEW else words64)(source, shape.count)
    return shape.build([start + word % span for word in drawn])


def randperm(n: int, *, dtype: Any = None, generator: Generator | None = None) -> Any:
    """Shuffle 0, 1, ..., n-1 as ``torch.randperm(n)`` does.

    >>> from microgradlib.random import manual_seed
    >>> manual_seed(0)
    >>> randperm(5)
    [4, 0, 1, 3, 2]

    Position i is swapped with position i + (32 random bits) % (n - i), for i = 0 ... n-2: the
    shuffle of Fisher & Yates (Durstenfeld, CACM 7, 1964), from the front.

    Args:
        n: how many, 0 <= n <= 2**26, so that one atomic draw suffices.
        dtype: None for a list, or an integer type of NumPy for an array.
        generator: the generator to draw from; None for the default one.

    Raises:
        TypeError: if ``n`` is not an int.
        ValueError: if ``n`` is out of range.
    """
    source = generator_of("randperm", generator)
    check_integers("randperm", dtype)
    n = whole_number("randperm: n", n)
    if not 0 <= n <= LONGEST:
        raise ValueError(
            f"randperm: n must be in [0, 2**26], got {short(n)}; pass the length of a shorter list"
        )
    order = list(range(n))
    for i, word in enumerate(words(source, max(n - 1, 0))):
        j = i + word % (n - i)
        order[i], order[j] = order[j], order[i]
    return Shape("randperm", n, 1, dtype).build(order)


def random63(source: Generator) -> int:
    """Draw what ``torch.empty((), dtype=torch.int64).random_()`` has."""
    return words64(source, 1)[0] & (2**63 - 1)
