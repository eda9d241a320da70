"""A judge of gradients: random expressions in mpmath, and how far off floats may be.

The judge shares nothing with the library but the text of the expression. It keeps a tape of its own
in 160 digits, with the values and partials of ``generate.py``, and sweeps it backwards. A sweep
more for each input, with that input moved by 1e-75, shows how values and adjoints depend on it.
They confirm the gradient, and they yield the condition of every step: by how much the gradient
moves if the step is rounded. A sweep in 40 bits tells whether rounding may take the other side of a
kink: its errors are 8,000 times those of floats.
"""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import mpmath
from mpmath import mpf
from truths.generate import TRUTHS

from microgradlib.testing import Expression

DIGITS = 160
STEP = mpf(10) ** -75
FEW_BITS = 40
UNIT = 2.0**-52
ROUNDING = 6 * UNIT  # the largest error of a value or partial, relative to its size
SMALLEST = 1e-290  # below this, floats lose relative precision

# Where a row has a kink: what has to be far from 0.
KINKS = {
    "abs": lambda x: (x,),
    "relu": lambda x: (x,),
    "leaky_relu": lambda x, a: (x,),
    "elu": lambda x, a: (x,),
    "copysign": lambda x, y: (x,),
    "maximum": lambda x, y: (x - y,),
    "minimum": lambda x, y: (x - y,),
    "clip": lambda x, low, high: (x - low, x - high),
    "where": lambda x, y, c: (x - y,),  # the condition is x > y
}
# The size that errors are relative to, where it is not that of the result.
VALUE_SCALES = {"lgamma": lambda x: 1, "dot": lambda b, w, v, x, y: abs(w * x) + abs(v * y)}
PARTIAL_SCALES = {"bce_with_logits": 1}


class NearKinkError(Exception):
    """Rounding might take the other side of a kink."""


class Tape(list["Number"]):
    """The numbers in the order of their making, and on which side of each kink they were."""

    def __init__(self) -> None:
        self.sides: list[mpf] = []  # -1, 1, or 0 at a tie


@dataclass(eq=False)
class Number:
    """A node on the tape."""

    tape: Tape
    value: mpf
    name: str = ""
    inputs: tuple[Any, ...] = ()
    partials: tuple[mpf, ...] = ()
    scale: mpf = field(default_factory=mpf)
    users: int = 0

    def __post_init__(self) -> None:
        self.tape.append(self)

    def __add__(self, other: Any) -> "Number":
        return record(self.tape, "add", self, other)

    def __radd__(self, other: Any) -> "Number":
        return record(self.tape, "add", other, self)

    def __sub__(self, other: Any) -> "Number":
        return record(self.tape, "subtract", self, other)

    def __rsub__(self, other: Any) -> "Number":
        return record(self.tape, "subtract", other, self)

    def __mul__(self, other: Any) -> "Number":
        return record(self.tape, "multiply", self, other)

    def __rmul__(self, other: Any) -> "Number":
        return record(self.tape, "multiply", other, self)

    def __truediv__(self, other: Any) -> "Number":
        return record(self.tape, "divide", self, other)

    def __mod__(self, other: Any) -> "Number":
        return record(self.tape, "modulo", self, other)

    def __pow__(self, other: Any) -> "Number":
        return record(self.tape, "power", self, other)

    def __rpow__(self, other: Any) -> "Number":
        return record(self.tape, "power", other, self)

    def __neg__(self) -> "Number":
        return record(self.tape, "negative", self)

    def __abs__(self) -> "Number":
        return record(self.tape, "abs", self)

    def __gt__(self, other: Any) -> bool:
        return bool(self.value > (other.value if isinstance(other, Number) else other))


def record(tape: Tape, name: str, *inputs: Any) -> Number:
    """Compute a row on numbers and constants, and put the result onto the tape."""
    values = [x.value if isinstance(x, Number) else mpf(x) for x in inputs]
    tape.sides += map(mpmath.sign, KINKS.get(name, lambda *_: ())(*values))
    value, partials = TRUTHS[name](*values)
    scale = max(abs(value), VALUE_SCALES.get(name, lambda *_: 0)(*values), SMALLEST)
    for x in inputs[: len(partials)]:
        if isinstance(x, Number):
            x.users += 1
    return Number(tape, value, name, inputs, partials, scale)


def namespace(tape: Tape) -> SimpleNamespace:
    """Return the functions that expressions use, on numbers of the judge."""

    def function(name: str) -> Any:
        return lambda *xs: record(tape, name, *xs)

    def listed(name: str) -> Any:
        return lambda xs: record(tape, name, *xs)

    def entries(name: str) -> Any:
        return lambda xs: [record(tape, name, x, *xs[:i], *xs[i + 1 :]) for i, x in enumerate(xs)]

    functions = {name: function(name) for name in TRUTHS}
    functions |= {name: listed(name) for name in ("sum", "mean", "prod", "logsumexp")}
    functions |= {name: entries(name) for name in ("softmax", "log_softmax")}
    functions |= {
        "elu": lambda x: record(tape, "elu", x, 1.0),
        "gelu": lambda x, tanh="": record(tape, "gelu_tanh" if tanh else "gelu", x),
        "where": lambda c, x, y: record(tape, "where", x, y, float(c)),
        "dot": lambda ws, xs: record(tape, "dot", 0.0, *ws, *xs),
        "mse_loss": lambda xs, ys: record(tape, "mse", *xs, *ys),
        "binary_cross_entropy": function("bce"),
        "binary_cross_entropy_with_logits": function("bce_with_logits"),
        "cross_entropy": lambda xs, i: -functions["log_softmax"](xs)[i],
    }
    return SimpleNamespace(**functions, math=SimpleNamespace(**functions))


def sweep(f: Expression, point: list[mpf]) -> tuple[Tape, list[mpf]]:
    """Return the tape of an expression up to its result, and the adjoint of each number on it."""
    tape = Tape()
    xs = [Number(tape, x) for x in point]
    result = f.evaluate(namespace(tape), *xs)
    del tape[tape.index(result) + 1 :]  # such as the other entries of a softmax
    adjoints = dict.fromkeys(tape, mpf(0))
    adjoints[result] = mpf(1)
    for x in reversed(tape):
        for operand, partial in zip(x.inputs, x.partials, strict=False):
            if isinstance(operand, Number):
                adjoints[operand] += adjoints[x] * partial
    return tape, list(adjoints.values())


@dataclass
class Truth:
    """A number, and how far off the float may be."""

    value: mpf
    bound: mpf

    def admits(self, x: float) -> bool:
        return bool(abs(x - self.value) <= self.bound)


def judge(f: Expression, point: tuple[float, ...]) -> tuple[Truth, list[Truth]]:
    """Return the truths of the value and the gradient of f.

    The bounds are of first order: each step rounds its value, each edge its partial, the product
    with the adjoint, and one sum for each user of the operand.

    Raises:
        NearKinkError: if rounding might take the other side of a kink.
    """
    with mpmath.workdps(DIGITS):
        start = list(map(mpf, point))
        tape, adjoints = sweep(f, start)
        with mpmath.workprec(FEW_BITS):
            rough_tape, _ = sweep(f, start)
        if tape.sides != rough_tape.sides:
            raise NearKinkError
        value_bound = sum(
            abs(adjoint) * ROUNDING * x.scale for x, adjoint in zip(tape, adjoints, strict=True)
        )
        gradient = []
        for i in range(len(start)):
            moved_tape, moved_adjoints = sweep(f, [*start[:i], start[i] + STEP, *start[i + 1 :]])
            if tape.sides != moved_tape.sides:
                raise NearKinkError
            slopes = {x: (y.value - x.value) / STEP for x, y in zip(tape, moved_tape, strict=True)}
            paths, bound = mpf(0), mpf(SMALLEST)
            for x, adjoint, moved in zip(tape, adjoints, moved_adjoints, strict=True):
                bound += abs((moved - adjoint) / STEP) * ROUNDING * x.scale
                for operand, partial in zip(x.inputs, x.partials, strict=False):
                    if isinstance(operand, Number):
                        edge = abs(adjoint * slopes[operand])
                        size = max(abs(partial), PARTIAL_SCALES.get(x.name, 0))
                        bound += edge * size * (ROUNDING + UNIT * (1 + operand.users))
                        paths += edge * size
            average = (adjoints[i] + moved_adjoints[i]) / 2
            if abs(average - slopes[tape[-1]]) > 1e-15 * paths + STEP:
                raise ArithmeticError(f"the judge contradicts itself at {point}\n{f}")
            gradient.append(Truth(adjoints[i], bound))
        return Truth(tape[-1].value, value_bound), gradient
