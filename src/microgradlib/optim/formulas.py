"""What formulas of updates take, floats or symbols of generated code, and the state they leave."""

from collections.abc import Callable, Iterable
from math import inf, sqrt
from typing import Any, NamedTuple, TypeAlias

from microgradlib.errors import StateDictError, short
from microgradlib.functions.arguments import check_number

Numbers: TypeAlias = list[Any]
State: TypeAlias = dict[str, Any]
"""Lists of numbers, one for each parameter; ``step`` is how many steps it has had.

What a parameter without steps has in the lists means nothing. There are no lists before a step."""


class Functions(NamedTuple):
    """The functions that formulas of optimizers need, for one kind of number."""

    sqrt: Callable[[Any], Any]
    larger: Callable[[Any, Any], Any]


OF_FLOATS = Functions(sqrt, max)


class Inputs(NamedTuple):
    """What the formula of an update takes: floats, or symbols of generated code.

    Attributes:
        decisions: all that depends on whether an option is set.
        o: the options that are numbers, as attributes.
        factors: the numbers that change from step to step.
        data: the parameters.
        grads: their gradients.
        state: the lists of the state; empty before the first step.
        ops: the functions of such numbers.
    """

    decisions: tuple[bool, ...]
    o: Any
    factors: tuple[Any, ...]
    data: Numbers
    grads: Numbers
    state: State
    ops: Functions


def lerp(xs: Numbers, ys: Numbers, weight: Any, near: bool) -> Numbers:
    """Return numbers between those of two lists, by the two formulas of PyTorch's lerp."""
    if near:  # weight < 0.5
        return [x + weight * (y - x) for x, y in zip(xs, ys, strict=True)]
    rest = 1.0 - weight
    return [y - rest * (y - x) for x, y in zip(xs, ys, strict=True)]


def zeros(key: str, count: int) -> list[Any]:
    """Return what the list of a key has for parameters without steps."""
    return [0 if key == "step" else 0.0] * count


def shown_state(state: State, binary: bool) -> State:
    """Return a copy with None where there is nothing yet, and without binary steps, 0 or 1.

    Steps are one number if they are equal.
    """
    if not state:
        return {}
    steps = state["step"]
    shown = {key: [x if n else None for x, n in zip(xs, steps)] for key, xs in state.items()}  # noqa: B905
    shown["step"] = [*steps] if len({*steps}) > 1 else steps[0]
    if binary:
        del shown["step"]
    return shown


def checked_state(
    function: str, shown: Any, needed: Iterable[str], keys: Iterable[str], count: int, binary: bool
) -> State:
    """Return the state of which ``shown_state`` is a copy; all or none of the keys are needed."""
    if not isinstance(shown, dict) or (shown and not {*needed} <= {*shown} <= {*keys}):
        got = [*shown] if isinstance(shown, dict) else shown
        raise StateDictError(
            f"{function}: 'state' must have the keys {[*needed]}, got {short(got)}; load what such "
            "an optimizer gave"
        )
    new, steps = dict(shown), []
    for key, xs in new.items():
        if key == "step" and not isinstance(xs, list):
            if type(xs) is not int or not 0 < xs < 2**63:
                raise StateDictError(f"{function}: 'step' must be a positive int, got {short(xs)}")
            new[key] = [xs] * count
        elif not isinstance(xs, list) or len(xs) != count:
            raise StateDictError(
                f"{function}: {short(key)} must be a list of {count} numbers, got {short(xs)}"
            )
        elif binary:
            steps = [0 if x is None else 1 for x in xs]
    steps = new.pop("step", steps)
    for i, step in enumerate(steps):
        if type(step) is not int or not 0 <= step < 2**63:
            raise StateDictError(f"{function}: step[{i}] must be an int >= 0, got {short(step)}")
    for key, xs in new.items():
        low = 0.0 if "sq" in key else -inf
        new[key] = [
            check_number(function, f"{key}[{i}]", x, low) if step else 0.0
            for i, (x, step) in enumerate(zip(xs, steps, strict=True))
        ]
    return {"step": steps, **new} if any(steps) else {}
