"""Instructions: what the graph of a trace becomes, and how it is written as Python source.

Rules of the table of primitives are read on ``Symbol``, the third kind of operand beside floats and
Values: each operation on symbols adds an instruction.
"""

import ast
import builtins
import functools
import keyword
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from math import copysign, inf
from typing import Any, NamedTuple
from unicodedata import normalize

from microgradlib import primitives
from microgradlib.primitives import PRIMITIVES, Primitive


class Template:
    """A piece of source with gaps for operands: ``{} + {}``. Each is made once, and is its own key.

    Attributes:
        pieces: the text before, between and after the gaps.
        gaps: for each gap the number of the operand, and how tightly what fills it must bind.
        binding: how tightly the whole binds.
        risky: whether it may raise.
        lazy: whether it may leave operands out.
    """

    __slots__ = ("binding", "gaps", "lazy", "pieces", "plain", "risky")

    def __init__(
        self, pieces: tuple[str, ...], gaps: tuple[tuple[int, int], ...], binding: int
    ) -> None:
        """Keep the parts."""
        self.pieces = pieces
        self.gaps = gaps
        self.binding = binding
        self.plain = [i for i, _ in gaps] == list(range(len(gaps)))  # one gap for each operand
        text = " ".join(pieces)
        self.risky = any(sign in text for sign in ("(", "[", "/", "%", "**"))
        self.lazy = " if " in text


# How tightly expressions bind: those that bind less than their place asks for need parentheses.
_ATOM, _POWER, _NEGATION, _PRODUCT, _SUM, _COMPARISON, _CONDITIONAL = 6, 5, 4, 3, 2, 1, 0
_BINDINGS: dict[type[ast.AST], int] = {
    ast.Add: _SUM,
    ast.Sub: _SUM,
    ast.Mult: _PRODUCT,
    ast.Div: _PRODUCT,
    ast.Mod: _PRODUCT,
    ast.Pow: _POWER,
}


def _binding(expression: ast.expr) -> int:
    if isinstance(expression, ast.BinOp):
        return _BINDINGS[type(expression.op)]
    if isinstance(expression, ast.UnaryOp):
        return _NEGATION
    if isinstance(expression, ast.Compare | ast.BoolOp):
        return _COMPARISON
    return _CONDITIONAL if isinstance(expression, ast.IfExp) else _ATOM


def _asked(expression: ast.expr) -> Iterator[tuple[ast.expr, int]]:
    """Yield the parts of an expression, and how tightly each has to bind."""
    own = _binding(expression)
    if isinstance(expression, ast.BinOp):
        yield expression.left, _ATOM if isinstance(expression.op, ast.Pow) else own
        yield expression.right, own + 1
    elif isinstance(expression, ast.Call):
        yield from ((argument, _CONDITIONAL) for argument in expression.args)
    elif isinstance(expression, ast.IfExp):
        yield from ((part, _COMPARISON) for part in (expression.body, expression.test))
        yield expression.orelse, _CONDITIONAL
    else:
        for part in ast.iter_child_nodes(expression):
            if isinstance(part, ast.expr):
                yield part, min(own + 1, _ATOM)


@functools.cache  # so that the same source is the same instruction, whatever row it is from
def template(source: str, names: tuple[str, ...]) -> Template:
    """Return the template of an expression in the given names."""
    root = ast.parse(source, mode="eval").body
    gaps = []
    parts = [(root, _CONDITIONAL)]
    for part, asked in parts:  # which grows on the way
        if isinstance(part, ast.Name) and part.id in names:
            gaps.append((part.col_offset, names.index(part.id), asked))
        else:
            parts += _asked(part)
    pieces, end = [], 0
    for start, i, _ in sorted(gaps):
        pieces.append(source[end:start])
        end = start + len(names[i])
    operands = tuple([(i, asked) for _, i, asked in sorted(gaps)])
    return Template((*pieces, source[end:]), operands, _binding(root))


@functools.cache
def _statements(source: str, count: int) -> list[Template]:
    """Return the statements of a row's source; operands are its inputs, then earlier results."""
    names = list("xyzw"[:count])
    result = []
    for statement in source.split("; "):
        name, _, expression = statement.rpartition(" = ")
        result.append(template(expression, tuple(names)))
        names.append(name)
    return result


_NEGATIVE = template("-x", ("x",))


@functools.cache
def _call(function: str, count: int) -> Template:
    """Return the template of a call with any number of operands."""
    between = (", ",) * (count - 1)
    return Template((f"{function}(", *between, ")"), tuple((i, 0) for i in range(count)), _ATOM)


@functools.cache
def _entry(position: int) -> Template:
    """Return the template of an entry of a list."""
    return Template(("", f"[{position}]"), ((0, _ATOM),), _ATOM)


class Symbol:
    """A number that generated code computes: an instruction, or an input."""

    __slots__ = (
        "binding",
        "code",
        "hint",
        "named",
        "operands",
        "serial",
        "template",
        "text",
        "uses",
    )

    text: str  # in the source, and how tightly that binds; set when the source is written
    binding: int
    named: "Sequence[Symbol]"  # those that the text reads, and that have a name

    def __init__(
        self, code: "Code", template: Template, operands: tuple[Any, ...], hint: str
    ) -> None:
        """Make what ``Code.instruction`` and ``Code.input`` return."""
        self.code = code
        self.template = template
        self.operands = operands
        self.hint = hint  # for a name, if it gets one
        self.uses = 0
        self.serial = len(code.instructions)

    @staticmethod
    def _apply(row: Primitive, inputs: tuple[Any, ...]) -> Any:
        code: Code = next(x.code for x in inputs if isinstance(x, Symbol))
        return code.apply(row, inputs)

    def __add__(self, other: Any) -> Any:
        return self.code.apply(primitives.add, (self, other))

    def __radd__(self, other: Any) -> Any:
        return self.code.apply(primitives.add, (other, self))

    def __sub__(self, other: Any) -> Any:
        return self.code.apply(primitives.subtract, (self, other))

    def __rsub__(self, other: Any) -> Any:
        return self.code.apply(primitives.subtract, (other, self))

    def __mul__(self, other: Any) -> Any:
        return self.code.apply(primitives.multiply, (self, other))

    def __rmul__(self, other: Any) -> Any:
        return self.code.apply(primitives.multiply, (other, self))

    def __truediv__(self, other: Any) -> Any:
        return self.code.apply(primitives.divide, (self, other))

    def __rtruediv__(self, other: Any) -> Any:
        return self.code.apply(primitives.divide, (other, self))

    def __neg__(self) -> Any:
        return self.code.apply(primitives.negative, (self,))


class Code:
    """Instructions in the order in which they are to be executed, each of them once."""

    def __init__(self, taken: set[str]) -> None:
        """Start with nothing but names that mean something else already."""
        self.taken = taken
        self.instructions: list[Symbol] = []
        self.inputs = 0
        self.known: defaultdict[Template, dict[Any, Symbol]] = defaultdict(dict)  # by operands
        self.functions: dict[str, Any] = {}  # what the source calls, by name
        self.names: dict[Any, str] = {}  # and its names

    def unique(self, name: str) -> str:
        """Return the name, changed if it means something else already."""
        name = normalize("NFKC", name) if name.isidentifier() else "f"  # as Python reads it
        while name in self.taken or keyword.iskeyword(name) or hasattr(builtins, name):
            name += "_"
        self.taken.add(name)
        return name

    def apply(self, row: Primitive, inputs: Sequence[Any]) -> Any:
        """Return the number that a row makes of inputs: folded, found, or as a new instruction."""
        for x in inputs:
            if type(x) is not Symbol:
                return self._apply_to_constants(row, inputs)
        if row is primitives.add and inputs[1].template is _NEGATIVE:  # x + -y is x - y
            return self._apply(primitives.subtract, [inputs[0], *inputs[1].operands])
        return self._apply(row, inputs)

    def _apply_to_constants(self, row: Primitive, inputs: Sequence[Any]) -> Any:
        """Do what ``apply`` does, where some inputs are numbers."""
        numbers: list[Any] = [x if type(x) is Symbol else float(x) for x in inputs]
        if Symbol not in map(type, numbers):
            return row.evaluate(*numbers)
        if row is primitives.multiply:  # a factor or divisor of 1 changes nothing
            x, y = numbers
            if type(y) is float and y == 1.0:
                return x
            if type(x) is float and x == 1.0:
                return y
            if -1.0 in (x, y):
                return self.apply(primitives.negative, [y if x == -1.0 else x])
        elif row is primitives.divide and numbers[1] == 1.0:
            return numbers[0]
        elif row is primitives.power_c and numbers[1] in _WHOLE:  # the same bits, sooner
            return self.instruction(template("x ** y", ("x", "y")), numbers)
        elif row is primitives.power_c_slope and numbers[1:] == [2.0, 1.0]:
            return self.apply(primitives.multiply, (2.0, numbers[0]))
        return self._apply(row, numbers)

    def _apply(self, row: Primitive, inputs: Sequence[Any]) -> Any:
        if row is primitives.identity:
            return inputs[0]
        source = row.source
        if not source:
            return self.instruction(_call(self.function(row), len(inputs)), inputs)
        if source == "inline":
            return row.forward(*inputs)
        if source == "entry":
            return self._entry(row, inputs)
        numbers = list(inputs)
        for template in _statements(source, len(inputs)):
            numbers.append(self.instruction(template, numbers))
        return numbers[-1]

    def _entry(self, row: Primitive, inputs: Sequence[Any]) -> Any:
        """Return the entry of the first input, from one call for all of them."""
        ordered = sorted(inputs, key=lambda x: x.serial if isinstance(x, Symbol) else -inf)
        position = next(i for i, x in enumerate(ordered) if x is inputs[0])
        name = f"{row.name}_entries"
        self.functions[name] = row.entries
        entries = self.instruction(_call(name, len(ordered)), ordered)
        return self.instruction(_entry(position), [entries])

    def partials(self, row: Primitive, output: Any, inputs: list[Any]) -> Sequence[Any]:
        """Return the partials of a row; of a user's own from a call, whatever its rule does."""
        if row.owner is None:
            return row.partials(output, *inputs)
        name = self._name(row.slopes, f"{row.name}_partials")
        slopes = self.instruction(_call(name, 1 + len(inputs)), [output, *inputs])
        return [self.instruction(_entry(i), [slopes]) for i in range(len(inputs))]

    def function(self, row: Primitive) -> str:
        """Return the name by which the source calls the forward function of a row."""
        if PRIMITIVES.get(row.name) is row:
            self.functions[row.name] = row.forward
            return row.name
        return self._name(row.forward, row.name)

    def _name(self, function: Callable[..., Any], name: str) -> str:
        """Return the name of a function of the user's own."""
        if function not in self.names:
            self.names[function] = self.unique(name)
            self.functions[self.names[function]] = function
        return self.names[function]

    def instruction(self, template: Template, numbers: Sequence[Any], hint: str = "t") -> Symbol:
        """Return the instruction, a new one if there is none like it."""
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
        """Return a number that is there already, under the given name."""
        symbol = Symbol(self, Template((name,), (), _ATOM), (), name)
        symbol.text, symbol.binding, symbol.named = name, _ATOM, ()
        self.inputs += 1
        symbol.serial = -self.inputs
        return symbol

    def lines(
        self, roots: Iterable[Any], checks: Iterable["Check"], risky: Iterable[Symbol] = ()
    ) -> list[str]:
        """Return the source of all that roots and checks need; the text of each is set then.

        What is risky is computed even if nothing needs it, as it may raise. The code is used up
        then: nothing is left that waits for the cyclic garbage collector.
        """
        due: dict[int, list[Check]] = {}
        roots = list(roots)
        for check in checks:
            operands = [x for x in check.operands if isinstance(x, Symbol)]
            if operands:  # what depends on nothing comes out as it did
                due.setdefault(max([x.serial for x in operands]), []).append(check)
                roots += operands
        self._count_uses(roots, {*risky})
        numbers: dict[str, int] = {}  # the last one of each hint
        free: list[str] = []  # names of what is used no more
        needed = [symbol for symbol in self.instructions if symbol.uses]
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
                symbol.binding, symbol.named = _ATOM, [symbol]
                result.append(f"{symbol.text} = {text}")
            if symbol.serial in due:
                result += [check.line() for check in due[symbol.serial]]
        for symbol in needed:  # which refer to one another, and to the code
            del symbol.named
        self.known.clear()
        self.instructions.clear()
        return result

    def _count_uses(self, roots: Iterable[Any], risky: Container[Symbol]) -> None:
        """Count by how many instructions that roots need each number is read.

        Only what is read once is inlined, so that 2 keeps a number on a line of its own: what may
        raise, where it would be inlined into a branch or left out.
        """
        lazy: set[Symbol] = set()  # what would be left out at times, if it were inlined
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
        """Return the next free name of a kind: t1, t2, ..."""
        number = numbers.get(hint, 0) + 1
        while f"{hint}{number}" in self.taken:
            number += 1
        numbers[hint] = number
        return f"{hint}{number}"


class Check(NamedTuple):
    """A guard in the source: that a condition on symbols and objects is true or false as it was."""

    template: Template
    operands: tuple[Any, ...]
    outcome: bool

    def line(self) -> str:
        """Return the statement."""
        text = _fill(self.template, self.operands)
        return f"if {'not ' * self.outcome}{text}: raise RetraceError"


_WHOLE = frozenset(map(float, range(1, 10)))  # exponents whose powers never turn complex
_LONGEST = 100  # characters of an expression that is written in the place where it is used
_MANY = 500  # instructions that nobody reads: longer expressions, names are used again (numbers are
# freed and memory is reused), which is faster


def _fill(template: Template, operands: tuple[Any, ...]) -> str:
    """Return the template with each gap filled by its operand."""
    pieces = template.pieces
    parts = [pieces[0]]
    for (_, asked), operand, piece in zip(template.gaps, operands, pieces[1:]):  # noqa: B905 (hot)
        text, binding = text_of(operand)
        parts += ("(", text, ")", piece) if binding < asked else (text, piece)
    return "".join(parts)


def text_of(operand: Any) -> tuple[str, int]:
    """Return a symbol or number in source, and how tightly that binds."""
    if type(operand) is Symbol:
        return operand.text, operand.binding
    negative = copysign(1.0, operand) < 0.0
    return repr(operand), _NEGATION if negative else _ATOM


def row_of(texts: Iterable[str]) -> str:
    """Return a tuple in source."""
    listed = list(texts)
    return f"({', '.join(listed)}{',' * (len(listed) == 1)})"
