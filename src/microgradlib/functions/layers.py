"""What layers compute, as functions of their parameters."""

from collections.abc import Callable
from itertools import cycle
from math import prod
from typing import Any

from microgradlib.core import table
from microgradlib.core.value import Value
from microgradlib.errors import ShapeError
from microgradlib.functions.arguments import positive_number, shape_of, whole_number
from microgradlib.functions.reductions import dot, mean
from microgradlib.functions.selections import select
from microgradlib.trees import ARRAYS, as_list, numbers_in, on_rows, rebuild
from microgradlib.trees import flatten as taken_apart


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """Return ``weight @ x + bias`` of a list x of numbers, or of each row of them.

    >>> linear([1.0, 2.0], [[3.0, 4.0]], [5.0])
    [16.0]

    Args:
        input: numbers or Values: a list, nested lists or an array of them.
        weight: a list of as many numbers for each output.
        bias: a number for each output; or None.

    Raises:
        ShapeError: if the sizes do not fit together.
    """
    rows = as_list(weight)
    biases = [0.0] * len(rows) if bias is None else as_list(bias)
    if len(rows) != len(biases):
        raise ShapeError(f"linear: got {len(biases)} biases for {len(rows)} rows of weights")
    return on_rows(lambda x: [dot(w, x, b) for w, b in zip(rows, biases, strict=True)], input)


def embedding(input: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """Return the row of ``weight`` for an index, or for each index in nested lists or an array.

    >>> embedding([1, 0], [[1.0, 2.0], [3.0, 4.0]])
    [[3.0, 4.0], [1.0, 2.0]]

    Args:
        input: ints from 0; in a function that is compiled they may be arguments.
        weight: the rows.
        padding_idx: the index of a row that gets no gradient; or None.

    Raises:
        IndexError: if there is no row of an index.
        TypeError: if an index is not an int.
    """
    rows = as_list(weight)

    def detached(i: int) -> list[Any]:
        return [x.detach() if isinstance(x, Value) else x for x in rows[i]]

    def row(index: Any) -> list[Any]:
        if isinstance(index, Value):  # an argument of a compiled function
            used = [detached(i) if i == padding_idx else row for i, row in enumerate(rows)]
            return [select(column, index) for column in zip(*used, strict=True)]
        i = whole_number("embedding: an index", index)
        if not 0 <= i < len(rows):
            raise IndexError(f"embedding: index {i} is not in [0, {len(rows)}), as there are rows")
        return detached(i) if i == padding_idx else [*rows[i]]

    def each(x: Any) -> Any:
        return [*map(row, x)] if isinstance(x, list | tuple) else row(x)

    return on_rows(each, input)


def layer_norm(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Return the numbers with mean 0 and variance 1, times ``weight``, plus ``bias``.

    >>> [round(x, 4) for x in layer_norm([1.0, 3.0], 2)]
    [-1.0, 1.0]

    Args:
        input: numbers or Values: a list, nested lists or an array, of which each part of
            ``normalized_shape`` is a sample of its own.
        normalized_shape: the lengths of the innermost dimensions: an int or several.
        weight: a number for each of a sample, in that shape; None stands for ones.
        bias: likewise; None stands for zeros.
        eps: what is added to the variance, which is that of all, not corrected.

    Raises:
        ShapeError: if the shapes do not fit together.

    Source: Ba, Kiros and Hinton (2016), Layer normalization.
    """

    def normalized(xs: list[Any]) -> list[Any]:
        centre = mean(xs)
        scale = table.rsqrt(table.mse(*xs, *[centre] * len(xs)) + eps)
        return [(x - centre) * scale for x in xs]

    return _samples("layer_norm", normalized, input, normalized_shape, weight, bias)


def rms_norm(
    input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None
) -> Any:
    """Return the numbers divided by the root of the mean of their squares, times ``weight``.

    >>> rms_norm([3.0, 3.0], 2, weight=[1.0, 2.0], eps=0.0)
    [1.0, 2.0]

    Args:
        input: as for ``layer_norm``.
        normalized_shape: as for ``layer_norm``.
        weight: as for ``layer_norm``.
        eps: what is added to the mean; None stands for 2**-52.

    Raises:
        ShapeError: if the shapes do not fit together.

    Source: Zhang and Sennrich (2019), Root mean square layer normalization.
    """

    def normalized(xs: list[Any]) -> list[Any]:
        scale = table.rsqrt(table.mse(*xs, *[0.0] * len(xs)) + (2.0**-52 if eps is None else eps))
        return [x * scale for x in xs]

    return _samples("rms_norm", normalized, input, normalized_shape, weight, None)


def sizes_of(function: str, shape: Any) -> tuple[int, ...]:
    """Return a shape, of which one dimension may be an int, as a tuple."""
    sizes = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
    return tuple([positive_number(f"{function}: normalized_shape", n) for n in sizes])


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Return the numbers with some dimensions, which follow each other, made into one.

    >>> flatten([[1.0, 2.0], [3.0, 4.0]])
    [1.0, 2.0, 3.0, 4.0]

    Args:
        input: numbers or Values: nested lists or an array of them.
        start_dim: the first of these dimensions, from the end if negative.
        end_dim: the last one, likewise.

    Raises:
        IndexError: if there is no such dimension.
        ShapeError: if lists beside each other differ in length.
    """
    shape = shape_of("flatten", input, filled=True)
    first, last = [range(len(shape))[dim] for dim in (start_dim, end_dim)]

    def merged(x: Any, depth: int) -> list[Any]:
        parts = [*map(as_list, x)]
        if depth < last:
            parts = [merged(y, depth + 1) for y in parts]
        return [z for y in parts for z in y] if first <= depth < last else parts

    if isinstance(input, ARRAYS):
        return input.reshape(*shape[:first], -1, *shape[last + 1 :])
    return merged(input, 0)


def _samples(
    function: str,
    normalized: Callable[[list[Any]], list[Any]],
    input: Any,
    normalized_shape: Any,
    weight: Any,
    bias: Any,
) -> Any:
    """Return ``normalized`` of each sample, with weights and biases."""
    sizes, parameters = sizes_of(function, normalized_shape), []
    count = prod(sizes)
    for name, xs, default in (("weights", weight, 1.0), ("biases", bias, 0.0)):
        parameters.append([default] * count if xs is None else numbers_in(as_list(xs)))
        if len(parameters[-1]) != count:
            raise ShapeError(f"{function}: got {len(parameters[-1])} {name} for {count} numbers")
    shape = shape_of(function, input, filled=True)
    if shape[-len(sizes) :] != sizes:
        raise ShapeError(f"{function}: expected samples of shape {sizes}, got {shape}")
    leaves, build = taken_apart(function, "input", input)
    xs, ys = [*leaves.values()], []
    for start in range(0, len(xs), count):
        ys += normalized(xs[start : start + count])
    if weight is not None or bias is not None:
        triples = zip(cycle(parameters[1]), cycle(parameters[0]), ys, strict=False)
        ys = [table.dot(b, w, y) for b, w, y in triples]
    return rebuild(build, ys)
