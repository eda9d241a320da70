"""Hypothesis strategies for property tests of gradients; needs ``hypothesis``.

>>> from hypothesis import given, strategies as st
>>> import microgradlib as mg
>>> from microgradlib.testing import expressions
>>> @given(expressions(inputs=2), st.floats(-1, 1), st.floats(-1, 1))
... def test_gradients_agree_with_differences(f, x, y):
...     assert mg.gradcheck(f, (x, y))

Once Hypothesis and this library are both installed, ``st.from_type(mg.Value)`` works as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import CodeType
from typing import Any

from hypothesis import strategies as st

import microgradlib
import microgradlib.math  # so that expressions can say mg.math
from microgradlib.core.primitive import DOMAIN_ERRORS, Interval, Primitive
from microgradlib.core.table import PRIMITIVES, REAL
from microgradlib.core.value import Value
from microgradlib.errors import short

__all__ = ["Expression", "arities", "expressions", "floats", "values"]


def floats(
    primitive: str, *, magnitude: float = 1e3, margin: float = 0.01
) -> st.SearchStrategy[Any]:
    """Return a strategy for the inputs of a primitive: tuples of floats from its domain.

    Points where it raises are left out: a divisor 0, a pole of gamma, an exp that overflows.

    >>> floats("atan2").validate()

    Args:
        primitive: the name of a row of the table, such as "log" or "atan2".
        magnitude: the largest absolute value drawn, > 0.
        margin: how far to stay away from the ends of the domain, >= 0.

    Raises:
        ValueError: if there is no such primitive, or magnitude or margin is out of range.
    """
    if primitive not in PRIMITIVES:
        raise ValueError(
            f"floats: no primitive {short(primitive)}; choose from {', '.join(PRIMITIVES)}"
        )
    if not (magnitude > 0.0 and margin >= 0.0):
        raise ValueError(
            f"floats: needs magnitude > 0 and margin >= 0, got {magnitude=} and {margin=}"
        )
    row = PRIMITIVES[primitive]

    def draw_from(interval: Interval) -> st.SearchStrategy[float]:
        low, high = max(interval.low, -magnitude), min(interval.high, magnitude)
        return st.floats(low + margin * (interval != REAL), high - margin * (interval != REAL))

    def evaluates(point: tuple[float, ...]) -> bool:
        try:
            row.forward(*point)
        except DOMAIN_ERRORS:
            return False
        return True

    return (
        st.sampled_from(arities(row))
        .flatmap(
            lambda n: st.tuples(
                *map(draw_from, row.domain if len(row.domain) == n else row.domain * n)
            )
        )
        .filter(evaluates)
    )


ARITIES = {
    **dict.fromkeys(("sum", "mean", "prod", "logsumexp"), (1, 2, 5)),
    **dict.fromkeys(("softmax", "log_softmax", "share", "complement"), (1, 2, 5)),
    **dict.fromkeys(("hypot", "direction"), (1, 2, 3)),
    **dict.fromkeys(("maximum", "minimum", "greater"), (2,)),
    "dot": (3, 5, 9),
    "mse": (2, 4, 8),
    "select": (2, 3, 6),
}
"""Numbers of inputs to try, for the primitives that take any number of them."""


def arities(primitive: Primitive) -> tuple[int, ...]:
    """Return the numbers of inputs to try.

    >>> arities(PRIMITIVES["atan2"])
    (2,)
    """
    return ARITIES.get(primitive.name, (len(primitive.domain),))


def values(
    data: st.SearchStrategy[float] | None = None, label: st.SearchStrategy[str] | None = None
) -> st.SearchStrategy[Value]:
    """Return a strategy for leaf Values.

    >>> values(st.floats(0, 1)).validate()

    Args:
        data: a strategy for the data; by default finite floats up to 1000 in size.
        label: a strategy for the label; by default none.
    """
    data = st.floats(-1e3, 1e3) if data is None else data
    return st.builds(Value, data, st.just("") if label is None else label)


@dataclass(frozen=True)
class Expression:
    """A differentiable function that was drawn; it prints as its source.

    >>> f = Expression(2, ("mg.sin(x0)", "t0 * x1"))
    >>> f
    def f(x0, x1):
        t0 = mg.sin(x0)
        t1 = t0 * x1
        return t1
    >>> f(0.0, 3.0)
    0.0

    Attributes:
        inputs: the number of arguments.
        steps: the right-hand sides of the assignments to t0, t1, ...
    """

    inputs: int
    steps: tuple[str, ...]

    def __call__(self, *xs: Any) -> Any:
        """Return ``f(*xs)``, for floats or Values."""
        return self.evaluate(microgradlib, *xs)

    def evaluate(self, mg: Any, *xs: Any) -> Any:
        """Return ``f(*xs)`` with functions of another namespace, such as one made of torch's."""
        names: dict[str, Any] = {"mg": mg}
        exec(self._code, names)  # source that this module wrote
        return names["f"](*xs)

    def __reduce__(self) -> Any:
        """Pickle the source, without its code object."""
        return Expression, (self.inputs, self.steps)

    @cached_property
    def _code(self) -> CodeType:
        return compile(str(self), "<expression>", "exec")

    def __str__(self) -> str:
        """Return the source."""
        arguments = ", ".join(f"x{i}" for i in range(self.inputs))
        lines = [f"    t{i} = {step}" for i, step in enumerate(self.steps)]
        return "\n".join([f"def f({arguments}):", *lines, f"    return t{len(self.steps) - 1}"])

    __repr__ = __str__


SHAPES = ("free", "deep", "shared", "wide")


def expressions(
    inputs: int = 2, max_steps: int = 12, *, min_steps: int = 1, shape: str = "free"
) -> st.SearchStrategy[Expression]:
    """Draw a differentiable function of ``inputs`` numbers, defined and moderate on all of [-3, 3].

    Every step is an operation on inputs, earlier steps and constants; a step may be used several
    times. Together they cover the primitives. Hypothesis shrinks to fewer steps and later operands.

    >>> expressions(inputs=1).validate()
    >>> expressions(max_steps=200, min_steps=100, shape="deep").validate()

    Args:
        inputs: the number of arguments, at least 1.
        max_steps: the largest number of operations, at least 1.
        min_steps: the smallest number of operations, at least 1.
        shape: the operands of a step. "free": any inputs and earlier steps. "deep": the step
            before, so that paths are as long as the function. "shared": the three latest, so that
            the number of paths grows exponentially. In both, half of the result is added to the
            operand, so that gradients do not vanish. "wide": inputs only, and the function is the
            sum of all steps, so that every input has many users and the sum many inputs.

    Raises:
        ValueError: if there is no such shape, or ``inputs`` or a number of steps is out of range.
    """
    if shape not in SHAPES:
        raise ValueError(f"expressions: no shape {short(shape)}; choose from {', '.join(SHAPES)}")
    if inputs < 1 or not 1 <= min_steps <= max_steps:
        raise ValueError(
            "expressions: needs inputs >= 1 and 1 <= min_steps <= max_steps, got "
            f"inputs={inputs}, min_steps={min_steps} and max_steps={max_steps}"
        )
    return _expressions(inputs, min_steps, max_steps, shape)


@st.composite
def _expressions(
    draw: st.DrawFn, inputs: int, min_steps: int, max_steps: int, shape: str
) -> Expression:
    steps: list[str] = []
    names = [f"x{i}" for i in range(inputs)]
    growth = dict.fromkeys(names, 0)  # how many steps may have enlarged a number

    def operand() -> str:
        near = {"shared": names[-3:], "wide": names[:inputs]}.get(shape, names)
        # The last name is the simplest, so that steps build on each other.
        return near[-1 - draw(st.integers(0, len(near) - 1))]

    for i in range(draw(st.integers(min_steps, max_steps))):
        a = names[-1] if shape == "deep" else operand()
        template = draw(_ANY_TEMPLATE)
        b = ""
        if "{b}" in template:
            b = draw(CONSTANTS) if draw(st.booleans()) else operand()
        step = template.format(a=a, b=b)
        if shape in ("deep", "shared"):
            step = f"{a} + 0.5 * ({step})"
        t = f"t{i}"
        growth[t] = 1 + max(growth[a], growth.get(b, 0))
        if growth[t] > 12:  # squeeze the number while it is still moderate
            step, growth[t] = f"mg.asinh({step})", 0
        steps.append(step)
        names.append(t)
    if shape == "wide":
        steps.append(f"mg.sum([{', '.join(names[inputs:])}])")
    return Expression(inputs, tuple(steps))


# Two decimals are easy to read, and a constant of 1e-200 would put a kink too close to 0.
CONSTANTS = st.integers(-300, 300).map(lambda n: f"{n / 100}" if n >= 0 else f"({n / 100})")

# An argument of any size, squeezed into ever narrower ranges.
_SQUEEZES = {
    "{a}": (-1e3, 0.0, 1.57, 1e3),
    "mg.tanh({a})": (-1.0, 0.0, 1.0),
    "0.9 * mg.tanh({a})": (-0.9, 0.0, 0.9),
    "1.5 + mg.tanh({a})": (0.5, 2.5),
    "2.5 + mg.tanh({a})": (1.5, 3.5),
}


def _moderate(row: Primitive, x: float) -> bool:
    try:
        y, (derivative,) = row.value_and_partials(x)
    except DOMAIN_ERRORS:
        return False
    return abs(y) <= 1e4 and abs(derivative or 0.0) <= 1e2


def _unary_templates() -> list[str]:
    """Return a call of each unary primitive, with an argument squeezed into its domain."""
    templates = []
    for name, row in PRIMITIVES.items():
        function: Callable[..., Any] | None = getattr(microgradlib, name, None)
        if arities(row) == (1,) and not row.helper and function is not None:
            fits = (s for s, probes in _SQUEEZES.items() if all(_moderate(row, x) for x in probes))
            templates.append(f"mg.{name}({next(fits)})")
    return templates


TEMPLATES = [
    "{a} + {b}",
    "{a} - {b}",
    "mg.tanh({a}) * {b}",
    "{a} / (1.5 + mg.tanh({b}))",
    "(1.5 + mg.tanh({a})) ** mg.tanh({b})",
    "mg.tanh({a}) ** 2",
    "2.0 ** mg.tanh({a})",
    "abs({a})",
    "-{a}",
    *_unary_templates(),
    "mg.atan2({a}, 1.5 + mg.tanh({b}))",
    "mg.hypot({a}, {b}, 1.0)",
    "mg.maximum({a}, {b})",
    "mg.minimum({a}, {b})",
    "mg.clip({a}, -1.0, 1.0)",
    "mg.where({a} > {b}, {a}, {b})",
    "mg.leaky_relu({a}, 0.1)",
    "mg.elu({a})",
    "mg.gelu({a}, 'tanh')",
    "mg.sum([{a}, {b}, {a}])",
    "mg.mean([{a}, {b}])",
    "mg.prod([mg.tanh({a}), mg.cos({b}), {a}])",
    "mg.dot([{a}, mg.sin({b})], [mg.cos({a}), {b}])",
    "mg.logsumexp([{a}, {b}])",
    "mg.softmax([{a}, {b}, 0.5])[1]",
    "mg.log_softmax([{a}, {b}])[0]",
    "mg.mse_loss([{a}], [mg.sin({b})]) / (1.0 + abs({a}))",
    "mg.cross_entropy([{a}, {b}, 0.5], 1)",
    "mg.binary_cross_entropy(mg.sigmoid(mg.tanh({a})), 0.5 + 0.4 * mg.tanh({b}))",
    "mg.binary_cross_entropy_with_logits({a}, 0.5 + 0.4 * mg.tanh({b}))",
    "mg.math.copysign({a}, -1.0)",
    # Away from the jumps: 1.75 to 2.05 divided by 0.7 to 0.8; in the last one 1.55 to 1.65.
    "(1.9 + 0.15 * mg.tanh({a})) % (0.75 + 0.05 * mg.tanh({b}))",
    "mg.math.fmod(-1.9 - 0.15 * mg.tanh({a}), 0.75 + 0.05 * mg.tanh({b}))",
    "mg.math.remainder(1.6 + 0.05 * mg.tanh({a}), 0.75 + 0.05 * mg.tanh({b}))",
]
_ANY_TEMPLATE = st.sampled_from(TEMPLATES)
