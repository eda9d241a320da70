"""Losses of numbers, with PyTorch's names, arguments and numbers.

Inputs and targets are numbers, Values, or nested lists or arrays of them. Plain numbers give plain
numbers. ``reduction`` is "mean", "sum", or "none" for the loss of each entry.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from microgradlib.core import table
from microgradlib.core.value import Operand, Value
from microgradlib.errors import ShapeError, short
from microgradlib.functions.arguments import (
    TOTALS,
    check_reduction,
    mean_of,
    plain_number,
    shape_of,
)
from microgradlib.numeric.conversion import refuse_table
from microgradlib.trees import Tree, as_list, elementwise, numbers_in

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
]


def mse_loss(
    input: Tree, target: Tree, *, reduction: str = "mean", weight: Tree | None = None
) -> Any:
    """Return the mean of (input - target)**2.

    >>> mse_loss([1.0, 2.0], [0.0, 4.0])
    2.5

    Args:
        input: a number or Value, or nested lists or arrays of them.
        target: the same, of equal shape.
        reduction: "mean", "sum" or "none".
        weight: a factor for each loss, of equal shape; their mean is divided by the sum of the
            weights.

    Raises:
        ShapeError: if shapes differ or there is no number.
        ValueError: if the reduction is unknown, or the weights have the sum 0.
    """
    xs, ts = _paired("mse_loss", input, target)
    if reduction == "mean" and weight is None:
        return table.mse(*xs, *ts)
    if reduction == "sum" and weight is None:
        return table.mse(*xs, *ts) * float(len(xs))
    return _of_entries("mse_loss", _squared, (input, target), reduction, weight)


def l1_loss(
    input: Tree, target: Tree, *, reduction: str = "mean", weight: Tree | None = None
) -> Any:
    """Return the mean of abs(input - target); where they are equal its derivative is 0.

    >>> l1_loss([1.0, 2.0], [0.0, 4.0])
    1.5

    Args:
        input: a number or Value, or nested lists or arrays of them.
        target: the same, of equal shape.
        reduction: "mean", "sum" or "none".
        weight: a factor for each loss, of equal shape; their mean is divided by the sum of the
            weights.

    Raises:
        ShapeError: if shapes differ or there is no number.
        ValueError: if the reduction is unknown, or the weights have the sum 0.
    """
    _paired("l1_loss", input, target)
    return _of_entries("l1_loss", _absolute, (input, target), reduction, weight)


def huber_loss(
    input: Tree,
    target: Tree,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tree | None = None,
) -> Any:
    """Return the mean of d**2 / 2 where abs(d) <= delta, else delta * (abs(d) - delta / 2).

    >>> huber_loss([0.5, 3.0], [0.0, 0.0], reduction="none")
    [0.125, 2.5]

    Here d = input - target.

    Args:
        input: a number or Value, or nested lists or arrays of them.
        target: the same, of equal shape.
        reduction: "mean", "sum" or "none".
        delta: a plain number > 0.
        weight: a factor for each loss, of equal shape. As in PyTorch, the mean is over all losses
            here, whatever their weights.

    Raises:
        ShapeError: if shapes differ or there is no number.
        ValueError: if delta <= 0 or the reduction is unknown.

    Source: Huber (1964), Ann. Math. Statist. 35.
    """
    delta = plain_number("huber_loss", "delta", delta)
    if not delta > 0.0:
        raise ValueError(f"huber_loss: delta must be > 0, got {delta}")
    xs, _ = _paired("huber_loss", input, target)
    loss = partial(_bent, delta, 1.0)
    return _of_entries("huber_loss", loss, (input, target), reduction, weight, len(xs))


def smooth_l1_loss(input: Tree, target: Tree, *, reduction: str = "mean", beta: float = 1.0) -> Any:
    """Return the mean of d**2 / (2 * beta) where abs(d) < beta, else abs(d) - beta / 2.

    >>> smooth_l1_loss([0.5, 3.0], [0.0, 0.0], reduction="none", beta=0.5)
    [0.25, 2.75]

    Here d = input - target.

    Args:
        input: a number or Value, or nested lists or arrays of them.
        target: the same, of equal shape.
        reduction: "mean", "sum" or "none".
        beta: a plain number >= 0; with 0 it is ``l1_loss``.

    Raises:
        ShapeError: if shapes differ or there is no number.
        ValueError: if beta < 0 or the reduction is unknown.

    Source: Girshick (2015), arXiv:1504.08083.
    """
    beta = plain_number("smooth_l1_loss", "beta", beta)
    if not beta >= 0.0:
        raise ValueError(f"smooth_l1_loss: beta must be >= 0, got {beta}")
    _paired("smooth_l1_loss", input, target)
    loss = partial(_bent, beta, beta) if beta else _absolute
    return _of_entries("smooth_l1_loss", loss, (input, target), reduction, None)


def binary_cross_entropy(
    input: Tree, target: Tree, weight: Tree | None = None, *, reduction: str = "mean"
) -> Any:
    """Return the mean of -(target * log(input) + (1 - target) * log(1 - input)).

    >>> binary_cross_entropy([0.5], [1.0])
    0.6931471805599453

    Logarithms are cut off at -100, as in PyTorch.

    Args:
        input: probabilities, in [0, 1]: a number or Value, or nested lists or arrays of them.
        target: in [0, 1], of equal shape.
        weight: a factor for each loss: of equal shape, or of one that fits as arrays do. The mean
            is over all losses, whatever their weights.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: if shapes differ or there is no number.
        ValueError: if an input or target lies outside [0, 1], or the reduction is unknown.
    """
    name = "binary_cross_entropy"
    xs, _ = _paired(name, input, target)
    return _of_entries(name, table.bce, (input, target), reduction, weight, len(xs))


def binary_cross_entropy_with_logits(
    input: Tree,
    target: Tree,
    weight: Tree | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tree | None = None,
) -> Any:
    """Return the binary cross-entropy of sigmoid(input), for inputs of any size.

    >>> binary_cross_entropy_with_logits([1000.0], [0.0])
    1000.0

    Args:
        input: any numbers: a number or Value, or nested lists or arrays of them.
        target: in [0, 1], of equal shape.
        weight: a factor for each loss: of equal shape, or of one that fits as arrays do. The mean
            is over all losses, whatever their weights.
        reduction: "mean", "sum" or "none".
        pos_weight: a factor for target * log(sigmoid(input)), likewise.

    Raises:
        ShapeError: if shapes differ or there is no number.
        ValueError: if a target lies outside [0, 1], or the reduction is unknown.
    """
    name = "binary_cross_entropy_with_logits"
    xs, _ = _paired(name, input, target)
    if pos_weight is None:
        return _of_entries(name, table.bce_with_logits, (input, target), reduction, weight, len(xs))
    factors = _expanded(f"{name}: pos_weight", pos_weight, shape_of(name, input))
    trees = input, target, factors
    return _of_entries(name, _weighted_bce, trees, reduction, weight, len(xs))


def kl_div(input: Tree, target: Tree, *, reduction: str = "mean", log_target: bool = False) -> Any:
    """Return the mean of target * (log(target) - input): the terms of a divergence.

    >>> kl_div([0.0, -1.0], [0.0, 1.0], reduction="sum")
    1.0

    Args:
        input: logarithms of probabilities, such as log_softmax gives: a number or Value, or nested
            lists or arrays of them.
        target: probabilities, of equal shape, where 0 * log(0) counts as 0.
        reduction: "mean" over all entries, "batchmean" for the sum divided by the number of rows,
            which is the mean Kullback-Leibler divergence, "sum" or "none".
        log_target: whether the target holds logarithms, too.

    Raises:
        ShapeError: if shapes differ or there is no number, or "batchmean" is asked for a number.
        ValueError: if a probability is below 0, or the reduction is unknown.

    Source: Kullback and Leibler (1951), Ann. Math. Statist. 22.
    """
    _paired("kl_div", input, target)
    loss = _log_divergence if log_target else _divergence
    if reduction != "batchmean":
        return _of_entries("kl_div", loss, (input, target), reduction, None)
    shape = shape_of("kl_div", input)
    if not shape:
        raise ShapeError("kl_div: 'batchmean' needs rows; pass reduction='sum' for one number")
    return _of_entries("kl_div", loss, (input, target), "sum", None) / float(shape[0])


# The loss of one entry.


def _divergence(x: Any, t: Any) -> Any:
    if t == 0.0:
        return table.multiply(t, table.negative(x))
    return table.multiply(t, table.subtract(table.log(t), x))


def _log_divergence(x: Any, t: Any) -> Any:
    return table.multiply(table.exp(t), table.subtract(t, x))


def _squared(x: Any, t: Any) -> Any:
    return table.power_c(table.subtract(x, t), 2.0)


def _absolute(x: Any, t: Any) -> Any:
    return table.abs_(table.subtract(x, t))


def _bent(bound: float, scale: float, x: Any, t: Any) -> Any:
    """Return d**2 / 2 within the bound and its tangent beyond, divided by the scale."""
    d = table.subtract(x, t)
    c = table.clip(d, -bound, bound)
    rest = table.dot(d, -0.5, c)
    return table.multiply(c if scale == 1.0 else table.divide(c, scale), rest)


def _weighted_bce(z: Any, t: Any, factor: Any) -> Any:
    table.bce_with_logits(0.0, t)  # which refuses a target outside [0, 1]
    terms = (factor * t, table.negative(z)), (1.0 - t, z)
    kept = [(q, table.softplus(x)) for q, x in terms if isinstance(q, Value) or q]
    return table.dot(0.0, *[q for q, _ in kept], *[y for _, y in kept])


# Losses of entries.


def _of_entries(
    function: str,
    loss: Callable[..., Any],
    trees: tuple[Tree, ...],
    reduction: str,
    weight: Tree | None,
    count: int | None = None,
) -> Any:
    """Return the loss of each entry, or their sum or mean: over count, or the sum of weights."""
    check_reduction(function, reduction)
    losses = elementwise(function, loss, *trees)
    if weight is None:
        return losses if reduction == "none" else TOTALS[reduction](*numbers_in([losses]))
    weight = _expanded(f"{function}: weight", weight, shape_of(function, trees[0]))
    if reduction == "none":
        return elementwise(function, table.multiply, losses, weight)
    factors = numbers_in([weight])
    total = table.dot(0.0, *factors, *numbers_in([losses]))
    return total if reduction == "sum" else mean_of(function, total, count or table.sum_(*factors))


def _expanded(what: str, weight: Tree, shape: Sequence[int]) -> Tree:
    """Return a weight in a shape, repeated along the axes that it lacks, as PyTorch does."""
    own = shape_of(what, weight)
    if len(own) > len(shape) or any(
        n not in (1, wanted) for n, wanted in zip(own[::-1], shape[::-1], strict=False)
    ):
        raise ShapeError(f"{what}: the shape {own} does not fit that of the input, {(*shape,)}")
    return _repeated(as_list(weight), len(own), shape)


def _repeated(weight: Tree, axes: int, shape: Sequence[int]) -> Tree:
    if not shape:
        return weight
    count, *rest = shape
    if axes < len(shape):
        return [_repeated(weight, axes, rest)] * count
    parts = [_repeated(as_list(x), axes - 1, rest) for x in weight]
    return parts if len(parts) == count else parts * count


def _is_nest(x: object) -> bool:
    return isinstance(as_list(x), list | tuple)


def _paired(
    function: str, input: Tree, target: Tree
) -> tuple[Sequence[Operand], Sequence[Operand]]:
    """Return the scalars of two equally nested lists or arrays, in the same order."""
    refuse_table(function, input, target)
    input, target = as_list(input), as_list(target)
    nests = isinstance(input, list | tuple), isinstance(target, list | tuple)
    if all(nests) and 0 < len(input) == len(target):
        if not _is_nest(input[0]) and not _is_nest(target[0]):
            return input, target
        pairs = [_paired(function, x, y) for x, y in zip(input, target, strict=True)]
        return [x for xs, _ in pairs for x in xs], [y for _, ys in pairs for y in ys]
    if any(nests):
        raise ShapeError(
            f"{function}: input and target must be numbers, or lists or tuples of the same "
            f"shape, and not be empty, got {short(input)} and {short(target)}"
        )
    return (input,), (target,)
