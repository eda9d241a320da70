"""The graph of a trace as instructions, and how they become lines of Python."""

import builtins
import keyword
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import chain
from math import inf
from typing import Any
from unicodedata import normalize

from microgradlib.compiling.forms import ENTRIES, ENTRY, INLINE, OF_TWO, SOURCES
from microgradlib.compiling.symbols import Check, Own, Row, Symbol, fill
from microgradlib.compiling.templates import (
    ATOM,
    NEGATIVE,
    Template,
    call,
    entry,
    statements,
    template,
)
from microgradlib.core import table
from microgradlib.core.primitive import Primitive
from microgradlib.core.table import PRIMITIVES


class Graph:
    """Instructions in the order of their execution; equal ones are one.

    The step of a loop has a graph of its own within that around the loop. An instruction belongs to
    the innermost graph of its operands: what a step computes of outer numbers alone is computed
    once, before the loop.
    """

    def __init__(self, taken: set[str], outer: "Graph | None" = None) -> None:
        """Start with no instructions; the names in ``taken`` have another meaning."""
        self.taken = taken
        self.outer = outer
        self.depth: int = 1 + outer.depth if outer else 0
        self.open: list[Graph] = outer.open if outer else []  # of the steps that are being traced
        self.closed = False
        self.unknown = False  # of the root: whether a loop was not run
        self.instructions: list[Symbol] = []
        self.inputs = 0
        self.captured: dict[Symbol, int] = {}  # the outer symbols that it reads, and their numbers
        self.renamed: list[tuple[Symbol, str]] = []  # inputs among these, and their own names
        self.known: defaultdict[Template, dict[Any, Symbol]] = defaultdict(dict)  # by operands
        # The functions that the source calls, by name, and the names of the user's functions.
        self.functions: dict[str, Any] = outer.functions if outer else {}
        self.names: dict[Any, str] = outer.names if outer else {}
        self.rows: list[Row] = []  # the instructions that were written
        self.numbers: dict[str, int] = {}  # the last number in the names of steps

    @property
    def root(self) -> "Graph":
        """The graph around all loops."""
        return self.outer.root if self.outer else self

    def inner(self) -> "Graph":
        """Return the graph of a step, within the innermost one that is open."""
        graph = Graph(self.taken, self.open[-1] if self.open else self.root)
        self.open.append(graph)
        return graph

    def close(self) -> None:
        """End the graph of a step: its numbers cannot be used any more."""
        self.closed = True
        self.open.remove(self)
        for x, text in self.renamed:
            x.text = text
        for symbol in self.instructions:  # a chain of them would be freed by recursion in C
            symbol.operands = ()
        self.clear()

    def clear(self) -> None:
        """Forget all instructions, so that nothing is left for the cyclic garbage collector."""
        self.known.clear()
        self.instructions.clear()

    def number_of(self, x: Any) -> Any:
        """Return the number of a symbol, a negative one for an input or outer symbol."""
        if type(x) is not Symbol:
            return x
        return x.serial if x.graph is self else self.captured[x]

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
        ordered = sorted(inputs, key=_place)
        position = next(i for i, x in enumerate(ordered) if x is inputs[0])
        name = self.numeric(ENTRIES[row.name])
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
            return self.numeric(row.forward)
        return self._own(row, "forward", row.name)

    def numeric(self, function: Callable[..., Any]) -> str:
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
        graph = self.root if self.outer else self
        for x in operands:
            if type(x) is float:
                if x == 0.0:  # which equals -0.0
                    key += (repr(x),)
            elif x.graph is not graph and x.graph.depth > graph.depth:
                graph = x.graph
        known = graph.known[template]
        found = known.get(key)
        if found is None:
            known[key] = found = Symbol(graph, template, operands, hint)
            graph.instructions.append(found)
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
        afterwards.
        """
        due: dict[int, list[Check]] = {}
        roots = list(roots)
        for check in checks:
            if operands := check.symbols():  # a check of constants needs no repetition
                known = max([x.serial if x.graph is self else -1 for x in operands])
                due.setdefault(known, []).append(check)
                roots += operands
        self._count_uses(roots, {*risky})
        numbers: dict[str, int] = {}  # the last number of each hint
        free: list[str] = []  # names that can be used again
        needed = [symbol for symbol in self.instructions if symbol.uses]
        self._capture(roots, needed, numbers)
        self.rows = [(x.serial, x.template, tuple(map(self.number_of, x.operands))) for x in needed]
        many = len(needed) > _MANY
        longest = 4 * _LONGEST if many else _LONGEST
        result = [check.line() for serial in sorted(due) if serial < 0 for check in due[serial]]
        for symbol in needed:
            text = fill(symbol.template, symbol.operands)
            named = [x for y in symbol.operands if type(y) is Symbol for x in y.named]
            if symbol.uses == 1 and len(text) <= longest:
                symbol.text, symbol.binding, symbol.named = text, symbol.template.binding, named
            else:
                for x in named:
                    x.uses -= 1
                    if not x.uses:
                        free.append(x.text)
                symbol.text = free.pop() if free and many else self.numbered(symbol.hint, numbers)
                symbol.binding, symbol.named = ATOM, [symbol]
                result.append(f"{symbol.text} = {text}")
            if symbol.serial in due:
                result += [check.line() for check in due[symbol.serial]]
        for symbol in needed:  # break the cycles between symbols and graph
            del symbol.named
        self.clear()
        return result

    def _capture(
        self, roots: Iterable[Any], needed: Iterable[Symbol], numbers: dict[str, int]
    ) -> None:
        """Name the outer symbols that are read, as parameters of the step."""
        for x in chain(roots, *[symbol.operands for symbol in needed]):
            if type(x) is Symbol and x.graph is not self and x not in self.captured:
                self.inputs += 1
                self.captured[x] = -self.inputs
                if x.serial < 0:
                    self.renamed.append((x, x.text))
                x.text, x.binding, x.named = self.numbered("p", numbers), ATOM, ()
                x.uses = 0

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

    def numbered(self, hint: str, numbers: dict[str, int]) -> str:
        """Return the next free name: t1, t2, ..."""
        number = numbers.get(hint, 0) + 1
        while f"{hint}{number}" in self.taken:
            number += 1
        numbers[hint] = number
        return f"{hint}{number}"


_WHOLE = frozenset(map(float, range(1, 10)))  # exponents whose powers never turn complex
_LONGEST = 100  # characters of an expression that is inlined
# From this number of instructions on the source is written for speed, not to be read: expressions
# are longer, and names are used again, which frees numbers.
_MANY = 500


def _place(x: Any) -> tuple[float, float]:
    """Return where a symbol stands among others; floats come first."""
    return (x.graph.depth, x.serial) if type(x) is Symbol else (-1, -inf)
