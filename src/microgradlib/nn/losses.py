"""Losses, each the average over all outputs.

Outputs and targets are numbers, Values, or nested lists or arrays of them of equal shape. Plain
numbers give a plain number.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from microgradlib import functions
from microgradlib.core import table
from microgradlib.core.value import Operand, Value
from microgradlib.errors import ShapeError, short
from microgradlib.functions.arguments import whole_number
from microgradlib.nn.modules import Module
from microgradlib.numeric.conversion import refuse_table
from microgradlib.trees import as_list

Tree: TypeAlias = Any
"""A number or Value, or nested lists, tuples or arrays of them."""


def mse_loss(outputs: Tree, targets: Tree) -> Any:
    """Return the mean of (output - target)**2.

    >>> mse_loss([1.0, 2.0], [0.0, 4.0])
    2.5

    Args:
        outputs: a number or Value, or nested lists or arrays of them.
        targets: the same, of equal shape.

    Raises:
        ShapeError: if the shapes differ or there is nothing to average.
    """
    outputs, targets = _paired("mse_loss", outputs, targets)
    return table.mse(*outputs, *targets)


def binary_cross_entropy(outputs: Tree, targets: Tree) -> Any:
    """Return the mean of -(target * log(output) + (1 - target) * log(1 - output)).

    >>> binary_cross_entropy([0.5], [1.0])
    0.6931471805599453

    Logarithms are cut off at -100, as in PyTorch.

    Args:
        outputs: probabilities, in [0, 1]: a number or Value, or nested lists or arrays of them.
        targets: in [0, 1], of equal shape.

    Raises:
        ShapeError: if the shapes differ or there is nothing to average.
        ValueError: if an output or target lies outside [0, 1].
    """
    outputs, targets = _paired("binary_cross_entropy", outputs, targets)
    return functions.mean([table.bce(p, t) for p, t in zip(outputs, targets, strict=True)])


def binary_cross_entropy_with_logits(outputs: Tree, targets: Tree) -> Any:
    """Return the binary cross-entropy of sigmoid(output), for outputs of any size.

    >>> binary_cross_entropy_with_logits([1000.0], [0.0])
    1000.0

    Args:
        outputs: any numbers: a number or Value, or nested lists or arrays of them.
        targets: in [0, 1], of equal shape.

    Raises:
        ShapeError: if the shapes differ or there is nothing to average.
        ValueError: if a target lies outside [0, 1].
    """
    outputs, targets = _paired("binary_cross_entropy_with_logits", outputs, targets)
    return functions.mean(
        [table.bce_with_logits(z, t) for z, t in zip(outputs, targets, strict=True)]
    )


def cross_entropy(logits: Tree, targets: Tree) -> Any:
    """Return the mean of -log_softmax(logits)[target].

    >>> cross_entropy([0.0, 0.0], 1)
    0.6931471805599453
    >>> cross_entropy([[0.0, 0.0], [9.0, 9.0]], [1, 0])
    0.6931471805599453

    Args:
        logits: a list of numbers or Values, one per class; or a list of such lists.
        targets: the index of the right class, from 0; or a list of as many. In a function that is
            compiled they may be arguments.

    Raises:
        ShapeError: if there are not as many targets as lists of logits.
        TypeError: if a target is not an int.
        ValueError: if a target is not the index of a class.
    """
    refuse_table("cross_entropy", logits, targets)
    logits, targets = as_list(logits), as_list(targets)
    if isinstance(targets, Value) or not isinstance(targets, list | tuple):
        logits, targets = [logits], [targets]
    paired = isinstance(logits, list | tuple) and 0 < len(logits) == len(targets)
    if not paired or not all(map(_is_flat, logits)):
        raise ShapeError(
            f"cross_entropy: needs a list of logits for each target, got {short(logits)} for "
            f"{short(targets)}"
        )
    losses = []
    for xs, target in zip(logits, targets, strict=True):
        if isinstance(target, Value):  # an argument of a compiled function
            losses.append(-functions.select(functions.log_softmax(xs), target))
            continue
        index = whole_number("cross_entropy: a target", target)
        if not 0 <= index < len(xs):
            raise ValueError(
                f"cross_entropy: target {index} is not the index of one of the logits {short(xs)}"
            )
        losses.append(-table.log_softmax.entry(xs, index))
    return functions.mean(losses)


def _is_flat(xs: object) -> bool:
    xs = as_list(xs)
    return isinstance(xs, list | tuple) and not any(_is_nest(x) for x in xs)


def _is_nest(x: object) -> bool:
    return isinstance(as_list(x), list | tuple)


def _paired(
    function: str, outputs: Tree, targets: Tree
) -> tuple[Sequence[Operand], Sequence[Operand]]:
    """Return the scalars of two equally nested lists or arrays, in the same order."""
    refuse_table(function, outputs, targets)
    outputs, targets = as_list(outputs), as_list(targets)
    nests = isinstance(outputs, list | tuple), isinstance(targets, list | tuple)
    if all(nests) and 0 < len(outputs) == len(targets):
        if not _is_nest(outputs[0]) and not _is_nest(targets[0]):
            return outputs, targets
        pairs = [_paired(function, x, y) for x, y in zip(outputs, targets, strict=True)]
        return [x for xs, _ in pairs for x in xs], [y for _, ys in pairs for y in ys]
    if any(nests):
        raise ShapeError(
            f"{function}: outputs and targets must be numbers, or lists or tuples of the same "
            f"shape, and not be empty, got {short(outputs)} and {short(targets)}"
        )
    return (outputs,), (targets,)


class MSELoss(Module):
    """``mse_loss`` as a module.

    >>> MSELoss()([1.0, 2.0], [0.0, 4.0])
    2.5
    """

    forward = staticmethod(mse_loss)


class BCELoss(Module):
    """``binary_cross_entropy`` as a module.

    >>> BCELoss()([0.5], [1.0])
    0.6931471805599453
    """

    forward = staticmethod(binary_cross_entropy)


class BCEWithLogitsLoss(Module):
    """``binary_cross_entropy_with_logits`` as a module.

    >>> BCEWithLogitsLoss()([1000.0], [0.0])
    1000.0
    """

    forward = staticmethod(binary_cross_entropy_with_logits)


class CrossEntropyLoss(Module):
    """``cross_entropy`` as a module.

    >>> CrossEntropyLoss()([0.0, 0.0], 1)
    0.6931471805599453
    """

    forward = staticmethod(cross_entropy)
