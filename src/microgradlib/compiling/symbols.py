"""Symbols, which stand for the numbers of generated code, and what refers to them.

``Symbol`` is the third kind of operand of primitives and rules, beside floats and Values. Each
operation on symbols adds an instruction to a ``Graph``.
"""

from collections.abc import Callable, Iterable, Sequence
from math import copysign
from typing import Any, NamedTuple, TypeAlias

from microgradlib.compiling.templates import ATOM, NEGATION, Template
from microgradlib.core.operators import Operators
from microgradlib.core.primitive import Primitive

Row: TypeAlias = tuple[int, Template, tuple[Any, ...]]
"""An instruction without references to others: its number, and its operands by number."""


class Symbol(Operators):
    """A number that generated code computes: an instruction, or an input."""

    __slots__ = (
        "binding",
        "graph",
        "hint",
        "named",
        "number",
        "operands",
        "serial",
        "template",
        "text",
        "uses",
    )

    text: str  # its expression or name, and how tightly that binds; set when the source is written
    binding: int
    number: float  # what it is in the trace, if an operand of the function stands for it
    named: "Sequence[Symbol]"  # the symbols in the text that have a name

    def __init__(
        self, graph: Any, template: Template, operands: tuple[Any, ...], hint: str
    ) -> None:
        """Make a symbol; ``Graph.instruction`` and ``Graph.input`` do so."""
        self.graph = graph
        self.template = template
        self.operands = operands
        self.hint = hint  # for a name, if it gets one
        self.uses = 0
        self.serial = len(graph.instructions)

    @staticmethod
    def _apply(primitive: Primitive, inputs: tuple[Any, ...]) -> Any:
        graph = next(x.graph for x in inputs if type(x) is Symbol)
        return graph.apply(primitive, inputs)


class Own(NamedTuple):
    """Where a function of a user's own primitive is found."""

    row: Primitive
    attribute: str


class Check(NamedTuple):
    """A guard in the source: whether a condition has the same outcome as in the trace.

    ``compares`` says whether it does so with numbers that C has, too.
    """

    template: Template
    operands: tuple[Any, ...]
    outcome: bool
    compares: bool

    def numbered(self, number_of: Callable[[Any], Any]) -> "Check":
        """Return the check of numbers in place of symbols."""
        return self._replace(operands=tuple(map(number_of, self.operands)))

    def symbols(self) -> list[Symbol]:
        """Return the operands that are no constants."""
        return [x for x in self.operands if type(x) is Symbol]

    def condition(self) -> str:
        """Return what is true or false."""
        return fill(self.template, self.operands)

    def line(self) -> str:
        """Return the statement."""
        return f"if {'not ' * self.outcome}{self.condition()}: raise DecisionError"


def fill(template: Template, operands: tuple[Any, ...]) -> str:
    """Return the template with its operands filled in."""
    pieces = template.pieces
    parts = [pieces[0]]
    for (_, asked), operand, piece in zip(template.gaps, operands, pieces[1:]):  # noqa: B905 (hot)
        text, binding = text_of(operand)
        parts += ("(", text, ")", piece) if binding < asked else (text, piece)
    return "".join(parts)


def reference(operand: Any) -> Any:
    """Return the number of a symbol, a negative one for an input; a float is itself."""
    return operand.serial if type(operand) is Symbol else operand


class Program(NamedTuple):
    """A trace as numbered instructions, from which other sources are written.

    A number >= 0 is that of an instruction, a number < 0 that of an input; a float is itself.

    Attributes:
        inputs: the names of the inputs, by number.
        paths: what they are among the arguments, as ``w[0][1]``.
        rows: the instructions in order: number, template, operands.
        outputs: the results.
        meanings: what each of them is.
        checks: the conditions that hold, with numbers as operands, of those that C has.
        others: the other conditions, as text, and the numbers they depend on.
        finite: the results that must not be infinite or NaN.
        owned: the functions of the user's own that the instructions call.
    """

    inputs: dict[int, str]
    paths: list[str]
    rows: list[Row]
    outputs: list[Any]
    meanings: list[str]
    checks: list["Check"]
    others: list[tuple[str, list[int]]]
    finite: list[Any]
    owned: list[str]


def fill_with(template: Template, texts: Sequence[str]) -> str:
    """Return the template with names filled in, one for each gap."""
    pieces = zip(template.pieces[1:], texts, strict=True)
    return template.pieces[0] + "".join([text + piece for piece, text in pieces])


def text_of(operand: Any) -> tuple[str, int]:
    """Return a symbol or number in source, and how tightly that binds."""
    if type(operand) is Symbol:
        return operand.text, operand.binding
    negative = copysign(1.0, operand) < 0.0
    return repr(operand), NEGATION if negative else ATOM


def row_of(texts: Iterable[str]) -> str:
    """Return a tuple in source."""
    listed = list(texts)
    return f"({', '.join(listed)}{',' * (len(listed) == 1)})"
