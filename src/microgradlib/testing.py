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
from math import isfinite
from typing import Any

from hypothesis import strategies as st

import microgradlib
from microgradlib.primitives import PRIMITIVES, REAL, Interval, Primitive
from microgradlib.value import Value


def floats(
    primitive: str, *, magnitude: float = 1e3, margin: float = 0.01
) -> st.SearchStrategy[Any]:
    """Return a strategy for the inputs of a primitive: tuples of floats from its domain.

    >>> floats("atan2").validate()

    Args:
        primitive: the name of a row of the table, such as "log" or "atan2".
        magnitude: the largest absolute value drawn, > 0.
        margin: how far to stay away from the ends of the domain, >= 0.

    Raises:
        ValueError: if there is no such primitive.
    """
    if primitive not in PRIMITIVES:
        raise ValueError(f"floats: no primitive {primitive!r}; choose from {', '.join(PRIMITIVES)}")
    row = PRIMITIVES[primitive]

    def draw_from(interval: Interval) -> st.SearchStrategy[float]:
        low, high = max(interval.low, -magnitude), min(interval.high, magnitude)
        return st.floats(low + margin * (interval != REAL), high - margin * (interval != REAL))

    return st.sampled_from(row.arities).flatmap(
        lambda n: st.tuples(*map(draw_from, row.domain if len(row.domain) == n else row.domain * n))
    )


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
    """A differentiable function that was drawn; it prints as the Python it is.

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
        """Return f(*xs), for floats or Values."""
        return self.evaluate(microgradlib, *xs)

    def evaluate(self, mg: Any, *xs: Any) -> Any:
        """Return f(*xs) with the functions of another namespace, such as one made of torch's."""
        names: dict[str, Any] = {"mg": mg}
        exec(str(self), names)  # what this module wrote itself
        return names["f"](*xs)

    def __str__(self) -> str:
        """Return the source."""
        arguments = ", ".join(f"x{i}" for i in range(self.inputs))
        lines = [f"    t{i} = {step}" for i, step in enumerate(self.steps)]
        return "\n".join([f"def f({arguments}):", *lines, f"    return t{len(self.steps) - 1}"])

    __repr__ = __str__


@st.composite
def expressions(draw: st.DrawFn, inputs: int = 2, max_steps: int = 12) -> Expression:
    """Draw a differentiable function of ``inputs`` numbers, defined and moderate on all of [-3, 3].

    Every step is an operation on inputs, earlier steps (several times, perhaps) and constants;
    together they cover the primitives. Fewer steps, and earlier operands, are simpler.

    >>> expressions(inputs=1).validate()

    Args:
        draw: given by Hypothesis.
        inputs: the number of arguments, at least 1.
        max_steps: the largest number of operations, at least 1.
    """
    count = draw(st.integers(1, max_steps))
    steps: list[str] = []
    names = [f"x{i}" for i in range(inputs)]
    for i in range(count):
        template = draw(st.sampled_from(TEMPLATES))
        # Later names first: so steps build on each other instead of being left unused.
        operand = st.sampled_from(names[::-1]) | CONSTANTS
        first = draw(st.sampled_from(names[::-1]))
        steps.append(template.format(a=first, b=draw(operand) if "{b}" in template else ""))
        names.append(f"t{i}")
    return Expression(inputs, tuple(steps))


# Two decimals: readable, and far from the kinks that a constant of 1e-200 would hide at 0.
CONSTANTS = st.integers(-300, 300).map(lambda n: f"{n / 100}" if n >= 0 else f"({n / 100})")

# An argument of any size, squeezed into ever narrower ranges.
_SQUEEZES = {
    "{a}": (-1e3, -40.0, -3.0, -1.0, 0.0, 1.0, 3.0, 40.0, 1e3),
    "mg.tanh({a})": (-1.0, -0.5, 0.0, 0.5, 1.0),
    "0.9 * mg.tanh({a})": (-0.9, -0.5, 0.0, 0.5, 0.9),
    "1.5 + mg.tanh({a})": (0.5, 1.0, 1.5, 2.5),
    "2.5 + mg.tanh({a})": (1.5, 2.0, 2.5, 3.5),
}


def _moderate(row: Primitive, x: float) -> bool:
    try:
        y, (slope,) = row.value_and_partials(x)
    except (ValueError, ZeroDivisionError, OverflowError):
        return False
    return abs(y) <= 1e4 and isfinite(slope) and abs(slope) <= 1e2


def _unary_templates() -> list[str]:
    """Return a call for each unary primitive, of an argument squeezed as far as it needs."""
    templates = []
    for name, row in PRIMITIVES.items():
        function: Callable[..., Any] | None = getattr(microgradlib, name, None)
        if row.arities == (1,) and not row.helper and function is not None:
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
]
