"""Losses of classes, with PyTorch's names, arguments and numbers."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from operator import itemgetter
from typing import Any, NamedTuple

from microgradlib.core import table
from microgradlib.core.value import Value
from microgradlib.errors import ShapeError, short
from microgradlib.functions.arguments import (
    TOTALS,
    check_reduction,
    classes_last,
    mean_of,
    nested,
    plain_number,
    shape_of,
    whole_number,
)
from microgradlib.functions.reductions import log_softmax
from microgradlib.functions.selections import select, where
from microgradlib.numeric.conversion import refuse_table
from microgradlib.trees import Tree, as_list, converted_like, numbers_in

__all__ = ["cross_entropy", "nll_loss"]


def nll_loss(
    input: Tree,
    target: Tree,
    weight: Tree | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Any:
    """Return the mean of -input[target], for logarithms of probabilities such as log_softmax gives.

    >>> nll_loss([-0.5, -0.25], 1)
    0.25

    Args:
        input: a list of numbers or Values, one per class; or a batch of such lists. If it has more
            than two axes, the second is that of the classes.
        target: the index of the right class, from 0; or as many, in the shape of the input without
            its classes. In a function that is compiled they may be arguments.
        weight: a factor for each class; the mean is divided by the sum of those of the targets.
        ignore_index: a target that stands for none: its loss is 0, and not counted in the mean.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: if shapes do not fit.
        TypeError: if a target is not an int.
        ValueError: if a target is not the index of a class, the reduction is unknown, or there is
            nothing to average, where PyTorch returns NaN.
    """
    return _of_classes("nll_loss", input, target, weight, ignore_index, reduction, 0.0)


def cross_entropy(
    input: Tree,
    target: Tree,
    weight: Tree | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Return the mean of -log_softmax(input)[target].

    >>> cross_entropy([0.0, 0.0], 1)
    0.6931471805599453
    >>> cross_entropy([[0.0, 0.0], [9.0, 9.0]], [1, 0])
    0.6931471805599453
    >>> cross_entropy([0.0, 0.0], [0.5, 0.5])
    0.6931471805599453

    Args:
        input: a list of numbers or Values, one per class; or a batch of such lists. If it has more
            than two axes, the second is that of the classes.
        target: the index of the right class, from 0; or as many, in the shape of the input without
            its classes. In a function that is compiled they may be arguments. Or probabilities of
            the classes, in the shape of the input; a 0.0 leaves its class out.
        weight: a factor for each class; the mean is divided by the sum of those of the targets, and
            for probabilities by the number of lists.
        ignore_index: a target that stands for none: its loss is 0, and not counted in the mean.
        reduction: "mean", "sum" or "none".
        label_smoothing: which part of each target is spread over all classes, in [0, 1].

    Raises:
        ShapeError: if shapes do not fit.
        TypeError: if a target is not an int.
        ValueError: if a target is not the index of a class, label_smoothing lies outside [0, 1],
            the reduction is unknown, or there is nothing to average, where PyTorch returns NaN.

    Source: Szegedy et al. (2015), arXiv:1512.00567, for the smoothing.
    """
    smoothing = plain_number("cross_entropy", "label_smoothing", label_smoothing)
    if not 0.0 <= smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing must lie in [0, 1], got {smoothing}")
    return _of_classes("cross_entropy", input, target, weight, ignore_index, reduction, smoothing)


class _Row(NamedTuple):
    """The loss of one row of classes is -factor * log.

    Attributes:
        log: the logarithm of a probability, or a weighted sum of several.
        factor: the weight of its class, if that is not in the sum.
        size: what it counts in the mean; None if it is ignored.
    """

    log: Any
    factor: Any = 1.0
    size: Any = 1.0


def _of_classes(
    function: str,
    input: Tree,
    target: Tree,
    weight: Tree | None,
    ignored: int,
    reduction: str,
    smoothing: float,
) -> Any:
    """Return ``cross_entropy``, or ``nll_loss``, which takes the input for log_softmax."""
    check_reduction(function, reduction)
    refuse_table(function, input, target)
    ignored = whole_number(f"{function}: ignore_index", ignored)
    shape, given = shape_of(function, input), shape_of(function, target)
    places = (*shape[: len(shape) > 1], *shape[2:])  # without the axis of the classes
    soft = function == "cross_entropy" and shape == given and _probabilities(target)
    if not shape or 0 in shape or (given != places and not soft):
        raise ShapeError(
            f"{function}: needs a list of logits for each target, got {short(input)} for "
            f"{short(target)}"
        )
    inputs = _rows(input, len(shape))
    weights = _weights_of(function, weight, shape[len(shape) > 1])
    if soft:
        mixed = partial(_of_probabilities, weights, smoothing)
        rows = [*map(mixed, inputs, _rows(target, len(shape)))]
    else:
        indexed = partial(_of_index, function, weights, ignored, smoothing)
        rows = [*map(indexed, inputs, numbers_in([target]))]
    if reduction == "none":
        losses = iter([0.0 - row.factor * row.log for row in rows])
        return converted_like(input, nested(losses, places))
    return 0.0 - _total(function, rows, reduction)


def _total(function: str, rows: list[_Row], reduction: str) -> Any:
    """Return the sum or the mean of factor * log."""
    kept = [row for row in rows if row.size is not None]
    if not kept and reduction == "sum":
        kept = [row._replace(size=1.0) for row in rows]
    logs, factors, sizes = zip(*kept, strict=True) if kept else ((), (), ())
    equal = all(type(x) is float and x == 1.0 for x in factors)
    if kept and equal and all(type(x) is float and x == 1.0 for x in sizes):
        return TOTALS[reduction](*logs)
    total = table.sum_(*logs) if equal else table.dot(0.0, *factors, *logs)
    return total if reduction == "sum" else mean_of(function, total, table.sum_(*sizes))


def _weights_of(function: str, weight: Tree | None, classes: int) -> list[Any] | None:
    if weight is None:
        return None
    if shape_of(f"{function}: weight", weight) != (classes,):
        raise ShapeError(
            f"{function}: weight must be a list of {classes} numbers, one for each class, got "
            f"{short(weight)}"
        )
    return [*as_list(weight)]


def _of_index(
    function: str,
    weights: list[Any] | None,
    ignored: int,
    smoothing: float,
    xs: Sequence[Any],
    target: Any,
) -> _Row:
    """Return the row of a class given by its index."""
    n, normed = len(xs), function == "cross_entropy"
    of_class = partial(_of_class, weights, smoothing, normed, xs)
    if isinstance(target, Value):  # an argument of a compiled function
        index = where(target == ignored, 0.0, target)
        others = [where(index > k, x, y) for k, (x, y) in enumerate(pairwise(xs))]
        row = of_class(partial(select, index=index), others)
        return row._replace(
            log=where(target == ignored, 0.0, row.log),
            size=where(target == ignored, 0.0, row.size),
        )
    index = whole_number(f"{function}: a target", target)
    if index == ignored:
        return _Row(_nothing(xs), 1.0, None)
    if not 0 <= index < n:
        raise ValueError(
            f"{function}: target {index} is not the index of one of the logits {short(xs)}"
        )
    return of_class(itemgetter(index), [*xs[:index], *xs[index + 1 :]])


def _of_class(
    weights: list[Any] | None,
    smoothing: float,
    normed: bool,
    xs: Sequence[Any],
    at: Callable[[Sequence[Any]], Any],
    others: Sequence[Any],
) -> _Row:
    """Return the row of a class, whose entry of a list ``at`` returns, apart from ``others``."""
    size = at(weights) if weights else 1.0
    if normed and not smoothing:
        return _Row(table.log_softmax(at(xs), *others), size, size)
    logs = log_softmax(xs) if normed else xs
    if not smoothing:
        return _Row(at(logs), size, size)
    spread = table.mean(*logs) if weights is None else table.dot(0.0, *weights, *logs) / len(xs)
    return _Row(table.dot(0.0, (1.0 - smoothing) * size, smoothing, at(logs), spread), 1.0, size)


def _of_probabilities(
    weights: list[Any] | None, smoothing: float, xs: Sequence[Any], targets: Sequence[Any]
) -> _Row:
    """Return the row of classes given by their probabilities."""
    factors = [*targets]
    if smoothing:
        factors = [(1.0 - smoothing) * t + smoothing / len(xs) for t in factors]
    if weights:
        factors = [w * t for w, t in zip(weights, factors, strict=True)]
    kept = [i for i, q in enumerate(factors) if isinstance(q, Value) or q]
    if not kept:
        return _Row(_nothing(xs))
    logs = [table.log_softmax.entry(xs, i) for i in kept]
    return _Row(table.dot(0.0, *[factors[i] for i in kept], *logs))


def _nothing(xs: Sequence[Any]) -> Any:
    """Return 0: a Value that depends on none of the numbers, if one of them is a Value."""
    return table.where(0.0, next((x for x in xs if isinstance(x, Value)), 0.0), 1.0)


def _probabilities(target: Tree) -> bool:
    """Return whether targets are probabilities: not all of them are whole numbers of Python."""
    return not all(hasattr(t, "__index__") for t in numbers_in([target]))


def _rows(x: Tree, axes: int) -> Iterator[Sequence[Any]]:
    """Yield the rows along the axis of the classes: the second, or the only one."""
    if axes == 1:
        yield as_list(x)
    else:
        for sample in as_list(x):
            yield from _last_rows(classes_last(sample), axes - 2)


def _last_rows(x: Tree, axes: int) -> Iterator[Sequence[Any]]:
    if not axes:
        yield x
    else:
        for part in x:
            yield from _last_rows(part, axes - 1)
