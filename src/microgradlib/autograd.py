"""Gradients of what has been computed already, as ``torch.autograd`` has them.

For a function, ``microgradlib.grad`` gives the same and needs no graph to be kept.
"""

from collections.abc import Iterator
from typing import Any

from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.core.backprop import pull, topological_order
from microgradlib.core.value import Operand, Value, constant
from microgradlib.errors import GradientError, ShapeError, short
from microgradlib.interpreters import current
from microgradlib.modes import active_inputs, forbid
from microgradlib.transforms.recorded import pull_values
from microgradlib.trees import Build, flatten, rebuild

_say_what_to_use(__name__)

__all__ = ["grad"]


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: object = None,
    create_graph: bool = False,
    *,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """Return the gradient of outputs with respect to each input, and leave every ``grad`` alone.

    >>> x = Value(3.0)
    >>> (slope,) = grad(x**3, x, create_graph=True)
    >>> (second,) = grad(slope, x)
    >>> slope.data, second
    (27.0, 18.0)

    Args:
        outputs: a tensor, or a tuple of tensors: a Value, or nested lists or an array of them.
        inputs: what they were computed from: a tensor, or a tuple or plain list of tensors.
        grad_outputs: a factor for each number of the outputs, in equal structure; may be left out
            where an output is one number.
        retain_graph: accepted for PyTorch's sake; a graph can always be gone through again.
        create_graph: whether gradients are Values that can be differentiated again.
        allow_unused: whether the gradient with respect to an input may be None, as no output
            depends on it.

    Returns:
        A tuple with a tensor for each input, in the structure of the input.

    Raises:
        GradientError: if no output needs a gradient, or an input is not used; if an output depends
            on an argument of a function that is being differentiated, unless with ``create_graph``.
        NonFiniteError: if an output or a gradient is infinite or NaN.
        ShapeError: if ``grad_outputs`` does not fit, or is missing.
        TypeError: if there is anything but numbers, or an input is a plain number.
    """
    forbid("autograd.grad()", "use microgradlib.grad of a function")
    wanted = [_values(i, x) for i, x in enumerate(_tensors(inputs, (tuple, list)))]
    xs = [x for values, _ in wanted for x in values]
    seeds: dict[Value, Any] = {}
    for y, factor in _seeds(outputs, grad_outputs):
        if isinstance(y, Value) and y._requires_grad:
            seeds[y] = seeds[y] + factor if y in seeds else factor
    if not seeds:
        raise GradientError(
            "autograd.grad: the outputs are constants (detached, computed under no_grad(), or from "
            "constants only); pass what was computed from leaf Values"
        )
    order = topological_order(seeds, (), min([x._serial for x in xs], default=0))
    if not create_graph and not active_inputs().isdisjoint([*seeds, *_ends(order)]):
        raise GradientError(
            "autograd.grad: an output depends on an argument of a function that is being "
            "differentiated, and its gradient would count as a constant; use create_graph=True"
        )
    found: dict[Value, Any] = {}
    for y, c in seeds.items():
        if create_graph:
            found[y] = c if isinstance(c, Value) else constant(c)
        else:
            found[y] = c._data if isinstance(c, Value) else c
    if create_graph:
        pull_values(xs, order, found)
    else:
        pull(order, found)
    derivatives = [found.get(x) for x in xs]
    known = [d for d in derivatives if d is not None]
    current().check_finite("autograd.grad", seeds, xs, known, order, found)
    given = iter(derivatives)
    return tuple(
        _result(i, [next(given) for _ in values], build, create_graph, allow_unused)
        for i, (values, build) in enumerate(wanted)
    )


def _tensors(x: Any, kinds: tuple[type, ...]) -> list[Any]:
    return [*x] if type(x) in kinds else [x]


def _values(i: int, x: Any) -> tuple[list[Value], Build]:
    leaves, build = flatten("autograd.grad", f"inputs[{i}]", x)
    for name, v in leaves.items():
        if not (isinstance(v, Value) and v._requires_grad):
            raise TypeError(
                f"autograd.grad: {name} must be a Value that needs a gradient, got {short(v)}; "
                "make nn.Parameter of it before the computation"
            )
    return [*leaves.values()], build  # type: ignore[list-item]


def _seeds(outputs: Any, factors: Any) -> Iterator[tuple[Operand, Operand]]:
    """Yield each number of the outputs with its factor."""
    ys = _tensors(outputs, (tuple,))
    given = [None] * len(ys) if factors is None else _tensors(factors, (tuple,))
    if len(ys) != len(given):
        raise ShapeError(
            f"autograd.grad: grad_outputs must have {len(ys)} tensors, got {len(given)}"
        )
    for i, (y, factor) in enumerate(zip(ys, given, strict=True)):
        leaves, _ = flatten("autograd.grad", f"outputs[{i}]", y)
        if factor is None:
            if len(leaves) > 1:
                raise ShapeError(
                    f"autograd.grad: outputs[{i}] has {len(leaves)} numbers; pass grad_outputs, "
                    "or sum them up"
                )
            factors_of: list[Operand] = [1.0]
        else:
            factors_of = [*flatten("autograd.grad", f"grad_outputs[{i}]", factor)[0].values()]
        if len(factors_of) != len(leaves):
            raise ShapeError(
                f"autograd.grad: grad_outputs[{i}] must have {len(leaves)} numbers, got "
                f"{len(factors_of)}"
            )
        yield from zip(leaves.values(), factors_of, strict=True)


def _ends(order: list[Value]) -> set[Any]:
    return {x for node in order for x in node._prev}


def _result(
    i: int, derivatives: list[Any], build: Build, create_graph: bool, allow_unused: bool
) -> Any:
    if all(d is None for d in derivatives):
        if allow_unused:
            return None
        raise GradientError(
            f"autograd.grad: no output depends on inputs[{i}]; leave it out, or pass "
            "allow_unused=True"
        )
    zero = constant(0.0) if create_graph else 0.0
    return rebuild(build, [zero if d is None else d for d in derivatives])
