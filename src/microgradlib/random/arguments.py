"""Checks of what the functions that draw are called with, and the shape of what they return."""

import sys
from math import prod
from typing import Any

from microgradlib.errors import short
from microgradlib.functions.arguments import nested, whole_number
from microgradlib.modes import forbid
from microgradlib.random.generator import LONGEST, REMEDY, Generator, default_generator
from microgradlib.random.rounding import LARGEST32, rounded_one

_LARGEST64 = (2.0 - 2.0**-52) * 2.0**1023
_SINGLE = {"float32": True, "float": True, "float64": False, "double": False}


def generator_of(function: str, generator: Generator | None) -> Generator:
    """Return the generator to draw from, unless the call would be lost."""
    forbid(f"{function}()", REMEDY)
    if generator is None:
        return default_generator
    if isinstance(generator, Generator):
        return generator
    raise TypeError(
        f"{function}: generator must be a Generator or None, got {short(generator)}; pass "
        "microgradlib.random.Generator()"
    )


def is_single(function: str, dtype: Any) -> bool:
    """Return whether a dtype is float32; it is float64 otherwise."""
    if dtype is float:  # which is a double, as in torch
        return False
    # An object of torch, or an object or a class of NumPy, has the name in its text.
    name = str(getattr(dtype, "__name__", dtype)).removeprefix("torch.")
    try:
        return _SINGLE[name]
    except KeyError:
        raise ValueError(
            f'{function}: dtype must be "float32" or "float64", got {short(dtype)}; draw one of '
            "these and round it"
        ) from None


def _numpy_type(dtype: Any) -> Any:
    """Return a type of NumPy, or None for any other."""
    if (numpy := sys.modules.get("numpy")) is None:
        return None
    known = isinstance(dtype, numpy.dtype)
    known = known or (isinstance(dtype, type) and issubclass(dtype, numpy.generic))
    return numpy.dtype(dtype) if known else None


def check_integers(function: str, dtype: Any) -> None:
    """Refuse a dtype that is neither None nor of NumPy's integers."""
    found = _numpy_type(dtype)
    if dtype is not None and (found is None or found.kind not in "iu"):
        raise ValueError(
            f"{function}: dtype must be an integer type of NumPy, or None for lists, got "
            f"{short(dtype)}; pass numpy.int64"
        )


class Shape:
    """The shape of what is drawn.

    Attributes:
        count: how many numbers there are.
    """

    def __init__(self, function: str, size: Any, words: int = 1, dtype: Any = None) -> None:
        """Check a size; ``words`` is how many words of the generator a number takes."""
        self._sizes: tuple[int, ...] = ()
        self._dtype = _numpy_type(dtype)
        self.count = 1
        if size is None:
            return
        sizes = size if isinstance(size, tuple | list) else (size,)
        self._sizes = tuple([whole_number(f"{function}: size", n) for n in sizes])
        if any(n < 0 for n in self._sizes):
            raise ValueError(
                f"{function}: size must not be negative, got {short(size)}; pass a length, or a "
                "tuple of lengths"
            )
        self.count = prod(self._sizes)
        if self.count * words > LONGEST:
            raise ValueError(
                f"{function}: size must be at most {LONGEST // words:,} numbers at once, got "
                f"{short(size)}; draw them in parts"
            )

    def build(self, numbers: list[Any]) -> Any:
        """Return the number if there are no axes, else an array for a dtype of NumPy, or lists."""
        if not self._sizes:
            return numbers[0]
        if self._dtype is not None:
            return sys.modules["numpy"].array(numbers, self._dtype).reshape(self._sizes)
        return numbers if len(self._sizes) == 1 else nested(iter(numbers), self._sizes)


def number(function: str, name: str, x: Any, single: bool = False) -> float:
    """Return a finite number as a float, in the range of the dtype; ``single`` if it is float32."""
    if isinstance(x, bool) or not isinstance(x, int | float):
        raise TypeError(
            f"{function}: {name} must be a number, got {short(x)}; convert it with float()"
        )
    largest = largest_of(single)
    if not -largest <= x <= largest:  # true of NaN too
        dtype, end = ("float32", "3.4e38") if single else ("float64", "1.7e308")
        raise ValueError(
            f"{function}: {name} must be a finite {dtype}, got {short(x)}; pass a number between "
            f"-{end} and {end}"
        )
    return float(x)


def rounded_number(function: str, name: str, x: Any, single: bool) -> float:
    """Return a finite number as the dtype has it."""
    checked = number(function, name, x, single)
    return rounded_one(checked) if single else checked


def largest_of(single: bool) -> float:
    """Return the largest number of a dtype."""
    return LARGEST32 if single else _LARGEST64
