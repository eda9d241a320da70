"""A judge of gradients: random expressions in mpmath, and how far off floats may be.

The judge shares nothing with the library but the text of the expression. It records the expression
in 40 bits on a tape of its own. Then it computes the numbers that the result depends on again in
160 digits, with the values and partials of ``generate.py``, and passes adjoints backward. This is
done once more for each input, with that input moved by 1e-75, which shows how values and adjoints
depend on it. It confirms the gradient, and yields the condition of every step: by how much the
gradient moves if the step is rounded. The 40 bits tell whether rounding may take the other side of
a kink: their errors are 8,000 times those of floats.
"""

from collections.abc import Callable
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
KINKS: dict[str, Callable[..., tuple[mpf, ...]]] = {
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
VALUE_SCALES: dict[str, Callable[..., Any]] = {
    "lgamma": lambda x: 1,
    "dot": lambda b, w, v, x, y: abs(w * x) + abs(v * y),
}
PARTIAL_SCALES = {"bce_with_logits": 1}


class NearKinkError(Exception):
    """Rounding might take the other side of a kink."""


@dataclass(eq=False)
class Number:
    """A node on the tape: an input of the expression, or a row of the table and its operands."""

    tape: list["Number"]
    value: mpf
    name: str = ""
    operands: tuple[Any, ...] = ()  # numbers and constants
    edges: list[tuple[int, "Number"]] = field(default_factory=list)  # differentiable operands
    sides: list[mpf] = field(default_factory=list)  # of kinks: -1, 1, or 0 at a tie
    index: int = 0
    users: int = 0  # how many edges of the graph lead here

    def __post_init__(self) -> None:
        self.index = len(self.tape)
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


def record(tape: list[Number], name: str, *inputs: Any) -> Number:
    """Compute a row on numbers and constants, and put the result onto the tape."""
    operands = tuple([x if isinstance(x, Number) else mpf(x, prec=53) for x in inputs])
    data = [x.value if isinstance(x, Number) else x for x in operands]
    value, partials = TRUTHS[name](*data)
    differentiable = enumerate(operands[: len(partials)])
    edges = [(i, x) for i, x in differentiable if isinstance(x, Number)]
    return Number(tape, value, name, operands, edges, sides_of_kinks(name, data))


def sides_of_kinks(name: str, data: list[mpf]) -> list[mpf]:
    return [mpmath.sign(x) for x in KINKS[name](*data)] if name in KINKS else []


def namespace(tape: list[Number]) -> SimpleNamespace:
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


def graph_of(f: Expression, point: list[mpf]) -> tuple[list[Number], list[Number]]:
    """Return the inputs of f, and the numbers that its result depends on, the result last."""
    tape: list[Number] = []
    inputs = [Number(tape, x) for x in point]
    pending = [f.evaluate(namespace(tape), *inputs)]
    found = set(pending)
    while pending:
        for _, x in pending.pop().edges:
            x.users += 1
            if x not in found:
                found.add(x)
                pending.append(x)
    return inputs, sorted(found, key=lambda number: number.index)


class Sweep:
    """The values and partials of the numbers of a graph, computed forward, and their adjoints.

    Args:
        graph: the numbers in their order, the result last.
        inputs: the data of the inputs.
        base: a sweep at other inputs; what depends on none of those that differ is taken from it.

    Raises:
        NearKinkError: if a kink is on another side than on the tape.
    """

    def __init__(
        self, graph: list[Number], inputs: dict[Number, mpf], base: "Sweep | None" = None
    ) -> None:
        self.values = inputs.copy()
        self.partials: dict[Number, tuple[mpf, ...]] = dict.fromkeys(inputs, ())
        for number in graph:
            if number in inputs:
                continue
            if base and all(self.values[x] is base.values[x] for _, x in number.edges):
                self.values[number] = base.values[number]
                self.partials[number] = base.partials[number]
                continue
            data = [self.values[x] if isinstance(x, Number) else x for x in number.operands]
            if sides_of_kinks(number.name, data) != number.sides:
                raise NearKinkError
            self.values[number], self.partials[number] = TRUTHS[number.name](*data)
        self.adjoints = dict.fromkeys([*inputs, *graph], mpf(0))
        self.adjoints[graph[-1]] = mpf(1)
        for number in reversed(graph):
            for i, x in number.edges:
                self.adjoints[x] += self.adjoints[number] * self.partials[number][i]


@dataclass
class Reference:
    """A reference value, and how far off the float may be."""

    value: mpf
    bound: float

    def admits(self, x: float) -> bool:
        return bool(abs(x - self.value) <= self.bound)


def judge(f: Expression, point: tuple[float, ...]) -> tuple[Reference, list[Reference]]:
    """Return the reference values of f and of its gradient.

    The bounds are of first order: each step rounds its value, each edge its partial, the product
    with the adjoint, and one sum for each user of the operand.

    Raises:
        NearKinkError: if rounding might take the other side of a kink.
    """
    with mpmath.workdps(DIGITS):
        start = list(map(mpf, point))
        with mpmath.workprec(FEW_BITS):
            inputs, graph = graph_of(f, start)
        data = dict(zip(inputs, start, strict=True))
        base = Sweep(graph, data)
        value = base.values[graph[-1]]
        roundings = {x: ROUNDING * scale(x, base) for x in graph if x.name}
        sizes = {number: float(abs(base.adjoints[number])) for number in graph}
        bound = sum(sizes[x] * rounding for x, rounding in roundings.items())
        gradient = []
        for moved_input in inputs:
            moved = Sweep(graph, data | {moved_input: data[moved_input] + STEP}, base)
            # The derivatives of values, and of adjoints, with respect to this input.
            tangents = change(base.values, moved.values)
            paths, gradient_bound = 0.0, SMALLEST
            for number, by in change(base.adjoints, moved.adjoints).items():
                gradient_bound += by * roundings.get(number, 0.0)
            for number in graph:
                for i, x in number.edges:
                    partial = float(abs(base.partials[number][i]))
                    path = sizes[number] * tangents.get(x, 0.0)
                    path *= max(partial, PARTIAL_SCALES.get(number.name, 0.0))
                    gradient_bound += path * (ROUNDING + UNIT * (1 + x.users))
                    paths += path
            adjoint = base.adjoints[moved_input]
            average = (adjoint + moved.adjoints[moved_input]) / 2
            quotient = (moved.values[graph[-1]] - value) / STEP
            if abs(average - quotient) > 1e-15 * paths + STEP:
                raise ArithmeticError(f"the judge contradicts itself at {point}\n{f}")
            gradient.append(Reference(adjoint, gradient_bound))
        return Reference(value, bound), gradient


def scale(number: Number, sweep: Sweep) -> float:
    """Return the size that the rounding error of a value is relative to."""
    size = abs(sweep.values[number])
    if number.name in VALUE_SCALES:
        data = [sweep.values[x] if isinstance(x, Number) else x for x in number.operands]
        size = max(size, VALUE_SCALES[number.name](*data))
    return max(float(size), SMALLEST)


def change(base: dict[Number, mpf], moved: dict[Number, mpf]) -> dict[Number, float]:
    """Return the sizes of the derivatives with respect to the moved input, where not 0."""
    return {x: float(abs(moved[x] - base[x]) / STEP) for x in base if moved[x] is not base[x]}
