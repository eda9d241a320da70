"""Gradient clipping, as PyTorch does it.

``parameters`` is a Value, nested lists or arrays of Values such as a Parameter, or any iterable of
these, each of which counts once. What has no gradient, or is frozen, is left out. A gradient that
can be differentiated again becomes a plain number.
"""

from itertools import repeat
from math import isfinite
from typing import Any

from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.core.value import Value, constant
from microgradlib.errors import NonFiniteError, short
from microgradlib.modes import forbid, nonfinite_allowed
from microgradlib.numeric.conversion import to_number
from microgradlib.numeric.piecewise import clip
from microgradlib.parameters.filling import assign_all, norm_of
from microgradlib.parameters.leaves import has_gradient
from microgradlib.trees import numbers_in

_say_what_to_use(__name__)


def clip_grad_norm_(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Value:
    """Scale gradients down so that their norm is about ``max_norm``, if it is larger.

    >>> x, y = Value(1.0), Value(1.0)
    >>> (3.0 * x + 4.0 * y).backward()
    >>> clip_grad_norm_([x, y], max_norm=1.0).item()
    5.0
    >>> f"{x.grad:.6f} {y.grad:.6f}"
    '0.600000 0.800000'

    As in PyTorch gradients are multiplied by max_norm / (norm + 1e-6), or by 1 if that is more.

    Args:
        parameters: what has the gradients.
        max_norm: a plain number.
        norm_type: p of the p-norm, > 0; ``math.inf`` for the largest absolute value.
        error_if_nonfinite: whether to raise under ``allow_nonfinite()``, too, where PyTorch sets
            gradients to 0 and NaN otherwise.

    Returns:
        The norm of all gradients before, as a constant.

    Raises:
        NonFiniteError: if the norm is infinite or NaN; no gradient is changed then.
        TypeError: if there is anything but Values.
        ValueError: if norm_type <= 0.
    """
    found, grads = _with_gradients("clip_grad_norm_", parameters)
    limit = to_number("clip_grad_norm_: max_norm", max_norm)
    p = to_number("clip_grad_norm_: norm_type", norm_type)
    if not p > 0.0:
        raise ValueError(f"clip_grad_norm_: norm_type must be > 0, got {norm_type}")
    norm = norm_of(p, grads)
    if not isfinite(norm) and (error_if_nonfinite or not nonfinite_allowed()):
        raise NonFiniteError(
            f"clip_grad_norm_: the norm of the gradients is {norm}; nothing was clipped: lower the "
            "learning rate, or clip each by clip_grad_value_"
        )
    factor = min(limit / (norm + 1e-6), 1.0) if norm == norm else norm
    assign_all(found, repeat("_grad"), [g * factor for g in grads])
    return constant(norm)


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Replace each gradient by the nearest number in [-clip_value, clip_value].

    >>> x = Value(1.0)
    >>> (-3.0 * x).backward()
    >>> clip_grad_value_(x, 0.5)
    >>> x.grad
    -0.5

    Raises a NonFiniteError if a gradient is NaN, unless ``allow_nonfinite()`` is on, a TypeError if
    there is anything but Values, and a ValueError if clip_value < 0; no gradient is changed then.
    """
    found, grads = _with_gradients("clip_grad_value_", parameters)
    bound = to_number("clip_grad_value_: clip_value", clip_value)
    if not bound >= 0.0:
        raise ValueError(f"clip_grad_value_: clip_value must be >= 0, got {clip_value}")
    if not nonfinite_allowed() and any(g != g for g in grads):
        raise NonFiniteError("clip_grad_value_: a gradient is NaN; nothing was clipped")
    assign_all(found, repeat("_grad"), [clip(g, -bound, bound) for g in grads])


def _with_gradients(function: str, parameters: Any) -> tuple[list[Value], list[float]]:
    forbid(f"{function}()", "call it outside")
    values = numbers_in([parameters] if isinstance(parameters, Value) else parameters)
    for x in values:
        if not isinstance(x, Value):
            raise TypeError(f"{function}: expected parameters, got {short(x)}; pass Values")
    found = [x for x in dict.fromkeys(values) if x._requires_grad and has_gradient(x._grad)]
    grads = [x._grad._data if isinstance(x._grad, Value) else x._grad for x in found]
    return found, [to_number(f"{function}: a gradient", g) for g in grads]
