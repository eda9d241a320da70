"""The graph of a trace as instructions, and how they become lines of Python.

``Symbol`` is the third kind of operand of primitives and rules, beside floats and Values. Each
operation on symbols adds an instruction to a ``Graph``.
"""

import builtins
import keyword
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from math import copysign, inf
from typing import Any, NamedTuple, TypeAlias
from unicodedata import normalize

from microgradlib.compiling.forms import ENTRIES, ENTRY, INLINE, OF_TWO, SOURCES
from microgradlib.compiling.templates import (
    ATOM,
    NEGATION,
    NEGATIVE,
    Template,
    call,
    entry,
    statements,
    template,
)
from microgradlib.core import table
from microgradlib.core.operators import Operators
from microgradlib.core.primitive import Primitive
from microgradlib.core.table import PRIMITIVES

Row: TypeAlias = tuple[int, Template, tuple[Any, ...]]
"""An instruction without references to others: its number, and its operands by number."""


class Symbol(Operators):
    """A number that generated code computes: an instruction, or an input."""

    __slots__ = (
        "binding",
        "graph",
        "hint",
        "named",
        "operands",
        "serial",
        "template",
        "text",
        "uses",
    )

    text: str  # its expression or name, and how tightly that binds; set when the source is written
    binding: int
    named: "Sequence[Symbol]"  # the symbols in the text that have a name

    def __init__(
        self, graph: "Graph", template: Template, operands: tuple[Any, ...], hint: str
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
        graph: Graph = next(x.graph for x in inputs if type(x) is Symbol)
        return graph.apply(primitive, inputs)


class Own(NamedTuple):
    """Where a function of a user's own primitive is found."""

    row: Primitive
    attribute: str


class Graph:
    """Instructions in the order of their execution; equal ones are one."""

    def __init__(self, taken: set[str]) -> None:
        """Start with no instructions; the names in ``taken`` have another meaning."""
        self.taken = taken
        self.instructions: list[Symbol] = []
        self.inputs = 0
        self.known: defaultdict[Template, dict[Any, Symbol]] = defaultdict(dict)  # by operands
        self.functions: dict[str, Any] = {}  # the functions that the source calls, by name
        self.names: dict[Any, str] = {}  # the names of the user's functions
        self.rows: list[Row] = []  # the instructions that were written

    def unique(self, name: str) -> str:
        """Return the name, changed if it has another meaning already."""
        name = normalize("NFKC", name) if name.isidentifier() else "f"  # as Python reads it
        while name in self.taken or keyword.iskeyword(name) or hasattr(builtins, name):
            name += "_"
        self.taken.add(name)
        return name

    def apply(self, row: Primitive, inputs: Sequence[Any]) -> Any:
        """Return the result of a primitive: a constant, a known instruction, or a new one."""
        for x in inputs:
            if type(x) is not Symbol:
                return self._apply_to_constants(row, inputs)
        if row is table.add and inputs[1].template is NEGATIVE:  # x + -y is x - y
            return self._apply(table.subtract, [inputs[0], *inputs[1].operands])
        return self._apply(row, inputs)

    def _apply_to_constants(self, row: Primitive, inputs: Sequence[Any]) -> Any:
        """Return the result of a primitive of which some inputs are floats."""
        numbers: list[Any] = [x if type(x) is Symbol else float(x) for x in inputs]
        if Symbol not in map(type, numbers):
            return row.evaluate(*numbers)
        if row is table.multiply:  # a factor or divisor of 1 changes nothing
            x, y = numbers
            if type(y) is float and y == 1.0:
                return x
            if type(x) is float and x == 1.0:
                return y
            if -1.0 in (x, y):
                return self.apply(table.negative, [y if x == -1.0 else x])
        elif row is table.divide and numbers[1] == 1.0:
            return numbers[0]
        elif row is table.power_c and numbers[1] in _WHOLE:  # the same bits, faster
            return self.instruction(template("x ** y", ("x", "y")), numbers)
        elif row is table.power_c_slope and numbers[1:] == [2.0, 1.0]:
            return self.apply(table.multiply, (2.0, numbers[0]))
        return self._apply(row, numbers)

    def _apply(self, row: Primitive, inputs: Sequence[Any]) -> Any:
        if row is table.identity:
            return inputs[0]
        known = self._listed(row) and (len(inputs) == 2 or row.name not in OF_TWO)
        source = SOURCES.get(row.name) if known else None
        if source is None:
            return self.instruction(call(self.function(row), len(inputs)), inputs)
        if source == INLINE:
            return row.forward(*inputs)
        if source == ENTRY:
            return self._entry(row, inputs)
        numbers = list(inputs)
        for statement in statements(row.name, len(inputs)):
            numbers.append(self.instruction(statement, numbers))
        return numbers[-1]

    def _entry(self, row: Primitive, inputs: Sequence[Any]) -> Any:
        """Return the entry of the first input, from one call for all of them."""
        ordered = sorted(inputs, key=lambda x: x.serial if isinstance(x, Symbol) else -inf)
        position = next(i for i, x in enumerate(ordered) if x is inputs[0])
        name = self._numeric(ENTRIES[row.name])
        entries = self.instruction(call(name, len(ordered), listed=True), ordered)
        return self.instruction(entry(position), [entries])

    def partials(self, row: Primitive, output: Any, inputs: list[Any]) -> Sequence[Any]:
        """Return the partials of a primitive; for one of the user's own, call its rule."""
        if row.owner is None:
            return row.rule(output, *inputs)
        name = self._own(row, "slopes", f"{row.name}_partials")
        slopes = self.instruction(call(name, 1 + len(inputs)), [output, *inputs])
        return [self.instruction(entry(i), [slopes]) for i in range(len(inputs))]

    @staticmethod
    def _listed(row: Primitive) -> bool:
        return PRIMITIVES.get(row.name) is row

    def function(self, row: Primitive) -> str:
        """Return the name of the forward function of a primitive in the source."""
        if self._listed(row):
            return self._numeric(row.forward)
        return self._own(row, "forward", row.name)

    def _numeric(self, function: Callable[..., Any]) -> str:
        """Return the name of a function of the library."""
        self.functions[function.__name__] = function
        return function.__name__

    def _own(self, row: Primitive, attribute: str, name: str) -> str:
        """Return the name of a function of a user's own primitive."""
        function = getattr(row, attribute)
        if function not in self.names:
            self.names[function] = self.unique(name)
            self.functions[self.names[function]] = Own(row, attribute)
        return self.names[function]

    def instruction(self, template: Template, numbers: Sequence[Any], hint: str = "t") -> Symbol:
        """Return the instruction; a new one if it is not known."""
        whole = template.plain and len(numbers) == len(template.gaps)
        key = operands = tuple(numbers if whole else [numbers[i] for i, _ in template.gaps])
        for x in operands:
            if type(x) is float and x == 0.0:  # which equals -0.0
                key += (repr(x),)
        known = self.known[template]
        found = known.get(key)
        if found is None:
            known[key] = found = Symbol(self, template, operands, hint)
            self.instructions.append(found)
        return found

    def input(self, name: str) -> Symbol:
        """Return the symbol of an input with the given name."""
        symbol = Symbol(self, Template((name,), (), ATOM), (), name)
        symbol.text, symbol.binding, symbol.named = name, ATOM, ()
        self.inputs += 1
        symbol.serial = -self.inputs
        return symbol

    def lines(
        self, roots: Iterable[Any], checks: Iterable["Check"], risky: Iterable[Symbol] = ()
    ) -> list[str]:
        """Return the source of all that roots and checks need; the text of each is set then.

        Risky symbols are computed even if nothing needs them, as they may raise. The graph is empty
        afterwards, so that nothing is left for the cyclic garbage collector.
        """
        due: dict[int, list[Check]] = {}
        roots = list(roots)
        for check in checks:
            if operands := check.symbols():  # a check of constants needs no repetition
                due.setdefault(max([x.serial for x in operands]), []).append(check)
                roots += operands
        self._count_uses(roots, {*risky})
        numbers: dict[str, int] = {}  # the last number of each hint
        free: list[str] = []  # names that can be used again
        needed = [symbol for symbol in self.instructions if symbol.uses]
        self.rows = [(x.serial, x.template, tuple(map(reference, x.operands))) for x in needed]
        many = len(needed) > _MANY
        longest = 4 * _LONGEST if many else _LONGEST
        result = [check.line() for serial in sorted(due) if serial < 0 for check in due[serial]]
        for symbol in needed:
            text = _fill(symbol.template, symbol.operands)
            named = [x for y in symbol.operands if type(y) is Symbol for x in y.named]
            if symbol.uses == 1 and len(text) <= longest:
                symbol.text, symbol.binding, symbol.named = text, symbol.template.binding, named
            else:
                for x in named:
                    x.uses -= 1
                    if not x.uses:
                        free.append(x.text)
                symbol.text = free.pop() if free and many else self._numbered(symbol.hint, numbers)
                symbol.binding, symbol.named = ATOM, [symbol]
                result.append(f"{symbol.text} = {text}")
            if symbol.serial in due:
                result += [check.line() for check in due[symbol.serial]]
        for symbol in needed:  # break the cycles between symbols and graph
            del symbol.named
        self.known.clear()
        self.instructions.clear()
        return result

    def _count_uses(self, roots: Iterable[Any], risky: Container[Symbol]) -> None:
        """Count how many instructions read each symbol, of those that the roots need.

        A symbol that is read once is inlined. Two uses keep it on a line of its own: a root, and an
        instruction that may raise but would be inlined into a branch, or that nothing reads.
        """
        lazy: set[Symbol] = set()  # symbols that would be inlined into a branch
        for root in roots:
            if isinstance(root, Symbol):
                root.uses += 2
        for symbol in reversed(self.instructions):
            template = symbol.template
            left_out = symbol.uses == 1 and symbol in lazy
            if (left_out and template.risky) or (not symbol.uses and symbol in risky):
                left_out, symbol.uses = False, 2
            if symbol.uses:
                for operand in symbol.operands:
                    if type(operand) is Symbol:
                        operand.uses += 1
                        if left_out or template.lazy:
                            lazy.add(operand)

    def _numbered(self, hint: str, numbers: dict[str, int]) -> str:
        """Return the next free name: t1, t2, ..."""
        number = numbers.get(hint, 0) + 1
        while f"{hint}{number}" in self.taken:
            number += 1
        numbers[hint] = number
        return f"{hint}{number}"


class Check(NamedTuple):
    """A guard in the source: whether a condition has the same outcome as in the trace.

    ``compares`` says whether it does so with numbers that C has, too.
    """

    template: Template
    operands: tuple[Any, ...]
    outcome: bool
    compares: bool

    def numbered(self) -> "Check":
        """Return the check of numbers in place of symbols."""
        return self._replace(operands=tuple(map(reference, self.operands)))

    def symbols(self) -> list[Symbol]:
        """Return the operands that are no constants."""
        return [x for x in self.operands if type(x) is Symbol]

    def condition(self) -> str:
        """Return what is true or false."""
        return _fill(self.template, self.operands)

    def line(self) -> str:
        """Return the statement."""
        return f"if {'not ' * self.outcome}{self.condition()}: raise DecisionError"


_WHOLE = frozenset(map(float, range(1, 10)))  # exponents whose powers never turn complex
_LONGEST = 100  # characters of an expression that is inlined
# From this number of instructions on the source is written for speed, not to be read: expressions
# are longer, and names are used again, which frees numbers.
_MANY = 500


def _fill(template: Template, operands: tuple[Any, ...]) -> str:
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
