"""compile: a recorded graph as straight-line Python source.

A call runs the function once, on Values that stand for its arguments, and records what is computed:
the trace. From then on the source written from it is called instead. ``Trace`` records, ``Code``
turns the graph into instructions (rules are read on ``Symbol``, the third reader of the table), and
``Compiled`` keeps the functions that were made and decides which of them fits a call.
"""

import ast
import builtins
import dataclasses
import functools
import gc
import inspect
import keyword
import math
import operator
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import copysign, inf, isfinite, nan
from types import FrameType
from typing import Any, NamedTuple, TypeVar

from microgradlib import primitives
from microgradlib.errors import CompileError, GradientError
from microgradlib.primitives import PRIMITIVES, Primitive, to_float
from microgradlib.trees import flatten
from microgradlib.value import (
    Operand,
    Value,
    by_serial,
    constant,
    edges,
    next_serial,
    node,
    recording,
    sweep,
    trace_context,
    tracing,
)

F = TypeVar("F", bound=Callable[..., Any])


class RetraceError(Exception):
    """Raised by generated code where a call does not fit the trace it was made from."""


class UnfiniteError(Exception):
    """Raised by generated code where eager evaluation may refuse an infinite or NaN result."""


# Recording.


class Traced(Value):
    """A Value of a trace: its data is hidden from the function that is traced."""

    __slots__ = ()

    @property
    def data(self) -> float:
        """The number at the time of tracing, for the library only."""
        _refuse_user(
            ".data of a traced Value would be frozen at its first number; compute with the Value, "
            "or return it and read .data outside"
        )
        return _get_data(self)

    @data.setter
    def data(self, data: float) -> None:
        _refuse_user("the data of a traced Value cannot be set; make a new Value")
        _set_data(self, data)

    def __float__(self) -> float:
        raise _error(
            "float() of a traced Value would be frozen at its first number; compute with the "
            "Value, and take functions from microgradlib.math instead of math"
        )

    __int__ = __complex__ = __float__  # type: ignore[assignment]

    def __format__(self, spec: str) -> str:
        if spec:
            raise _error("the text of a traced Value would be frozen; format the result outside")
        return str(self)


def _error(reason: str) -> CompileError:
    """Return the error that says what cannot be compiled, and in which line."""
    frame = sys._getframe(1)
    while frame.f_back and _in_library(frame):
        frame = frame.f_back
    return CompileError(f"compile: {reason} ({frame.f_code.co_filename}, line {frame.f_lineno})")


def _in_library(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("microgradlib.")


def _refuse_user(reason: str) -> None:
    """Raise an error if the caller's caller is not part of the library."""
    if not _in_library(sys._getframe(2)):
        raise _error(reason)


_get_data: Callable[[Value], float] = Value.__dict__["data"].__get__
_set_data: Callable[[Value, float], None] = Value.__dict__["data"].__set__


class Guard(NamedTuple):
    """A decision taken while tracing: the trace holds where it comes out the same."""

    function: Callable[..., Any]
    operands: tuple[Any, ...]
    outcome: Any


_PLAIN = "<number>"  # the label of what would be a float in eager evaluation


class Trace:
    """What is recorded while a function is traced.

    Attributes:
        start: the serial number from which on Values belong to the trace.
        guards: the decisions taken on the way.
        finite: the Values that eager evaluation would have refused if they were not finite.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.start = next_serial()
        self.guards: list[Guard] = []
        self.finite: list[Operand] = []

    def record(self, primitive: Primitive, inputs: tuple[Operand, ...]) -> Value:
        """Record a node whatever it depends on, with an edge to all that may need a gradient."""
        data = [_get_data(x) if isinstance(x, Value) else to_float(primitive, x) for x in inputs]
        prev: tuple[Any, ...] = ()
        if recording():
            differentiable = inputs[: len(inputs) - primitive.static]
            prev = tuple([x for x in differentiable if isinstance(x, Value) and x.requires_grad])
        return self.node(primitive, inputs, prev, primitive.evaluate(*data), bool(prev))

    def number(self, x: Value) -> Value:
        """Return a node for x that counts as a plain number."""
        result = self.detach(x)
        result.label = _PLAIN
        return result

    def leaf(self, x: Value) -> Value:
        """Return a node of its own for x, which needs a gradient."""
        prev = (x,) if x.requires_grad and recording() else ()
        return self.node(primitives.identity, (x,), prev, _get_data(x), True)

    def detach(self, x: Value) -> Value:
        """Return a node for x that needs no gradient."""
        return self.node(primitives.identity, (x,), (), _get_data(x), False)

    def node(
        self,
        primitive: Primitive,
        inputs: tuple[Operand, ...],
        prev: tuple[Any, ...],
        data: float,
        requires_grad: bool,
    ) -> Value:
        """Return a node of the trace."""
        self_ = object.__new__(Traced)
        _set_data(self_, data)
        self_.grad, self_.label, self_.requires_grad = 0.0, "", requires_grad
        self_._op, self_._inputs, self_._prev, self_._partials = primitive, inputs, prev, ()
        self_._serial = next_serial()
        return self_

    def argument(self, data: float, requires_grad: bool, label: str) -> Value:
        """Return the Value that stands for a number of the arguments."""
        leaf = Traced(data, label)
        leaf.requires_grad = requires_grad
        return leaf

    def guard(self, function: Callable[..., Any], operands: tuple[Any, ...], outcome: Any) -> None:
        """Note a decision."""
        self.guards.append(Guard(function, operands, outcome))

    def refuse_backward(self) -> None:
        """Refuse what would happen only once."""
        raise _error(
            "backward() in a function that is compiled would run only while it is traced; compile "
            "value_and_grad(f), or call backward() on the result"
        )


@contextmanager
def tracing_with(trace: Trace) -> Iterator[None]:
    """Record into a trace, in the current thread or asyncio task."""
    token = trace_context.set(trace)
    try:
        yield
    finally:
        trace_context.reset(token)


# Instructions.


class Template:
    """A piece of source with gaps for operands: ``{} + {}``. Each is made once, and is its own key.

    Attributes:
        pieces: the text before, between and after the gaps.
        gaps: for each gap the number of the operand, and how tightly what fills it must bind.
        binding: how tightly the whole binds.
    """

    __slots__ = ("binding", "gaps", "pieces", "plain")

    def __init__(
        self, pieces: tuple[str, ...], gaps: tuple[tuple[int, int], ...], binding: int
    ) -> None:
        """Keep the parts."""
        self.pieces = pieces
        self.gaps = gaps
        self.binding = binding
        self.plain = [i for i, _ in gaps] == list(range(len(gaps)))  # one gap for each operand


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
        power = isinstance(expression.op, ast.Pow)
        yield expression.left, _ATOM if power else own
        yield expression.right, _ATOM if power else own + 1
    elif isinstance(expression, ast.Call):
        yield from ((argument, _CONDITIONAL) for argument in expression.args)
    elif isinstance(expression, ast.IfExp):
        yield from ((part, _COMPARISON) for part in (expression.body, expression.test))
        yield expression.orelse, _CONDITIONAL
    else:
        for part in ast.iter_child_nodes(expression):
            if isinstance(part, ast.expr):
                yield part, min(own + 1, _ATOM)


def _template(source: str, names: Sequence[str]) -> Template:
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
        result.append(_template(expression, names))
        names.append(name)
    return result


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

    __slots__ = ("binding", "code", "hint", "operands", "serial", "template", "text", "uses")

    def __init__(
        self, code: "Code", template: Template, operands: tuple[Any, ...], hint: str
    ) -> None:
        """Make what ``Code.instruction`` and ``Code.input`` return."""
        self.code = code
        self.template = template
        self.operands = operands
        self.hint = hint  # for a name, if it gets one
        self.uses = 0
        self.text, self.binding = "", _ATOM
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

    def __init__(self, unique: Callable[[str], str]) -> None:
        """Start with nothing; ``unique`` makes names that are not in use."""
        self.unique = unique
        self.instructions: list[Symbol] = []
        self.inputs: list[Symbol] = []
        self.known: dict[Any, Symbol] = {}
        self.functions: dict[str, Any] = {}  # what the source calls, by name
        self.names: dict[Any, str] = {}  # and its names

    def apply(self, row: Primitive, inputs: tuple[Any, ...]) -> Any:
        """Return the number that a row makes of inputs: folded, found, or as a new instruction."""
        numbers = [x if type(x) is Symbol or type(x) is float else float(x) for x in inputs]
        if Symbol not in map(type, numbers):
            return row.evaluate(*numbers)  # type: ignore[arg-type]
        # A factor or divisor of 1 changes nothing.
        if row is primitives.multiply:
            x, y = numbers
            if type(y) is float and y == 1.0:
                return x
            if type(x) is float and x == 1.0:
                return y
        elif row is primitives.identity or (row is primitives.divide and numbers[1] == 1.0):
            return numbers[0]
        source = row.source
        if not source:
            return self.instruction(_call(self.function(row), len(numbers)), numbers)
        if source == "inline":
            return row.forward(*numbers)
        if source == "entry":
            return self._entry(row, numbers)
        *first, last = _statements(source, len(numbers))
        for template in first:
            numbers.append(self.instruction(template, numbers))
        return self.instruction(last, numbers)

    def _entry(self, row: Primitive, inputs: list[Any]) -> Any:
        """Return the entry of the first input, from one call for all of them."""
        ordered = sorted(inputs, key=lambda x: x.serial if isinstance(x, Symbol) else -inf)
        position = next(i for i, x in enumerate(ordered) if x is inputs[0])
        name = f"{row.name}_entries"
        self.functions[name] = row.entries
        entries = self.instruction(_call(name, len(ordered)), ordered)
        return self.instruction(_entry(position), [entries])

    def function(self, row: Primitive) -> str:
        """Return the name by which the source calls the forward function of a row."""
        name = self.names.get(row.forward)
        if name is None:
            name = row.name if PRIMITIVES.get(row.name) is row else self.unique(row.name)
            self.names[row.forward], self.functions[name] = name, row.forward
        return name

    def instruction(self, template: Template, numbers: Sequence[Any], hint: str = "t") -> Symbol:
        """Return the instruction, a new one if there is none like it."""
        whole = template.plain and len(numbers) == len(template.gaps)
        operands = tuple(numbers if whole else [numbers[i] for i, _ in template.gaps])
        key: tuple[Any, ...] = (template, *operands)
        if 0.0 in operands:  # which equals -0.0
            key += tuple([x.hex() for x in operands if type(x) is float])
        found = self.known.get(key)
        if found is None:
            self.known[key] = found = Symbol(self, template, operands, hint)
            self.instructions.append(found)
        return found

    def input(self, name: str) -> Symbol:
        """Return a number that is there already, under the given name."""
        symbol = Symbol(self, Template((name,), (), _ATOM), (), name)
        symbol.text = name
        symbol.serial = ~len(self.inputs)
        self.inputs.append(symbol)
        return symbol

    def lines(self, roots: Iterable[Any], checks: Iterable["Check"], taken: set[str]) -> list[str]:
        """Return the source of all that roots and checks need; the text of each is set then."""
        due: dict[int, list[Check]] = {}
        for check in checks:
            operands = [x for x in check.operands if isinstance(x, Symbol)]
            due.setdefault(max([x.serial for x in operands], default=-1), []).append(check)
            roots = [*roots, *operands]
        for root in roots:
            if isinstance(root, Symbol):
                root.uses += 2  # not to be inlined
        for symbol in reversed(self.instructions):
            if symbol.uses:
                for operand in symbol.operands:
                    if type(operand) is Symbol:
                        operand.uses += 1
        names: dict[str, int] = {}
        result = [check.line() for serial in sorted(due) if serial < 0 for check in due[serial]]
        for symbol in self.instructions:
            if not symbol.uses:
                continue
            text = _fill(symbol.template, symbol.operands)
            if symbol.uses == 1 and len(text) <= _LONGEST:
                symbol.text, symbol.binding = text, symbol.template.binding
            else:
                number = names.get(symbol.hint, 0) + 1
                while f"{symbol.hint}{number}" in taken:
                    number += 1
                names[symbol.hint] = number
                symbol.text = f"{symbol.hint}{number}"
                result.append(f"{symbol.text} = {text}")
            result += [check.line() for check in due.get(symbol.serial, ())]
        return result


class Check(NamedTuple):
    """A guard in the source: that an expression of symbols and objects comes out as it did."""

    template: Template
    operands: tuple[Any, ...]
    outcome: str  # "" for true, "not " for false, or the name of what it must equal

    def line(self) -> str:
        """Return the statement."""
        text = _fill(self.template, self.operands)
        if self.outcome in ("", "not "):
            return f"if {'not ' if not self.outcome else ''}{text}: raise RetraceError"
        return f"if {text} != {self.outcome}: raise RetraceError"


_LONGEST = 100  # characters of an expression that is written in the place where it is used


def _fill(template: Template, operands: tuple[Any, ...]) -> str:
    """Return the template with each gap filled by its operand."""
    pieces = template.pieces
    parts = [pieces[0]]
    for (_, asked), operand, piece in zip(template.gaps, operands, pieces[1:]):  # noqa: B905 (hot)
        text, binding = _text(operand)
        parts += ("(", text, ")", piece) if binding < asked else (text, piece)
    return "".join(parts)


def _text(operand: Any) -> tuple[str, int]:
    if type(operand) is Symbol:
        return operand.text, operand.binding
    negative = copysign(1.0, operand) < 0.0
    return repr(operand), _NEGATION if negative else _ATOM


# From a trace to a function.


class _Argument(NamedTuple):
    """A number among the arguments: as the function that is traced sees it, and in the source."""

    given: Operand
    traced: Value
    name: str


class _Writer:
    """Writes the source of one trace."""

    def __init__(self, name: str, f: Callable[..., Any]) -> None:
        self.name = name
        self.f = f
        self.trace = Trace()
        self.taken = {*_NAMES, *PRIMITIVES}
        self.parameters: list[str] = []
        self.head: list[str] = []  # what unpacks and checks the arguments
        self.arguments: list[_Argument] = []
        self.constants: dict[str, Any] = {}  # objects that the source refers to
        self.captured: dict[Value, str] = {}
        self.symbols: dict[Value, Any] = {}
        self.plain: set[Value] = set()  # numbers that would be floats in eager evaluation
        self.code = Code(self.unique)

    # The arguments.

    def take(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments with Values in them."""
        try:
            known = list(inspect.signature(self.f).parameters.values())
        except (TypeError, ValueError):
            known = []
        names = [p.name for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        names = [*names, *[f"arg{i}" for i in range(len(names), len(args))]][: len(args)]
        self.parameters = [self.unique(name) for name in [*names, *kwargs]]
        new = [
            self.unpack(x, name, name)
            for x, name in zip([*args, *kwargs.values()], self.parameters, strict=True)
        ]
        return new[: len(args)], dict(zip(kwargs, new[len(args) :], strict=True))

    def unique(self, name: str) -> str:
        """Return the name, changed if it means something else already."""
        name = name if name.isidentifier() else "f"
        while name in self.taken or keyword.iskeyword(name) or hasattr(builtins, name):
            name += "_"
        self.taken.add(name)
        return name

    def unpack(self, tree: Any, source: str, name: str) -> Any:
        """Write what checks an argument and takes it apart; return it with Values in it."""
        if isinstance(tree, Value) or (
            isinstance(tree, int | float) and not isinstance(tree, bool)
        ):
            return self._number(tree, source, name)
        kind = type(tree)
        if kind in (list, tuple, dict):
            self._check(f"type({source}) is not {kind.__name__} or len({source}) != {len(tree)}")
            items = list(tree.items() if kind is dict else enumerate(tree))
            if kind is dict:
                self._check(f"list({source}) != {list(tree)!r}")
                parts = [f"{source}[{key!r}]" for key, _ in items]
            else:
                parts = [self.unique(f"{name}{i}") for i, _ in items]
                if parts:
                    self.head.append(f"{', '.join(parts)}, = {source}")
            names = parts if kind is not dict else [self.unique(f"{name}_{key}") for key in tree]
            new = [
                self.unpack(x, part, n) for (_, x), part, n in zip(items, parts, names, strict=True)
            ]
            return dict(zip(tree, new, strict=True)) if kind is dict else kind(new)
        try:
            hash(tree)
        except TypeError:
            raise CompileError(
                f"compile: {self.name} got {tree!r} for {source}; pass numbers and Values, nested "
                "in lists, tuples and dicts, or what is hashable and does not change (an array: "
                "its tolist())"
            ) from None
        constant = self._constant(tree)
        self._check(f"type({source}) is not {self._constant(kind)} or {source} != {constant}")
        return tree

    def _number(self, x: Any, source: str, name: str) -> Value:
        value = isinstance(x, Value)
        if value:
            self._check(f"not isinstance({source}, Value)")
            self._check(f"{source}.requires_grad is not {x.requires_grad}")
            name = self.unique(f"{name}_")
            self.head.append(f"{name} = {source}.data")
        else:
            target = f"{name} = " if source != name else ""
            if target:
                self.head.append(f"{name} = {source}")
            self.head.append(f"if type({name}) is not float: {name} = number({name})")
        data = x.data if value else float(x)
        leaf = self.trace.argument(data, value and x.requires_grad, x.label if value else "")
        self.symbols[leaf] = self.code.input(name)
        if not value:
            self.plain.add(leaf)
        self.arguments.append(_Argument(x, leaf, source))
        return leaf

    def _check(self, mismatch: str) -> None:
        self.head.append(f"if {mismatch}: raise RetraceError")

    def _constant(self, x: Any) -> str:
        name = self.unique(f"c{len(self.constants)}")
        self.constants[name] = x
        return name

    # The graph.

    def symbol(self, x: Any) -> Any:
        """Return the symbol of a Value whose inputs have theirs, or a float."""
        if not isinstance(x, Value):
            return float(x)
        return self.symbols[x]

    def read(self, roots: list[Value]) -> None:
        """Give every Value that roots are computed from its symbol."""
        seen = set(self.symbols)
        found: list[Value] = []
        stack = list(roots)
        while stack:
            x = stack.pop()
            if x not in seen:
                seen.add(x)
                found.append(x)
                if x._serial > self.trace.start:
                    stack += [y for y in x._inputs if isinstance(y, Value)]
        found.sort(key=by_serial)
        for x in found:
            if x._serial < self.trace.start:
                name = self.unique(x.label or f"p{len(self.captured)}")
                self.captured[x] = name
                self.symbols[x] = self.code.input(name)
            elif not x._op:
                self.symbols[x] = x.data  # a leaf made by the function itself
            else:
                self.symbols[x] = self.code.apply(x._op, [*map(self.symbol, x._inputs)])  # type: ignore[arg-type]
                inputs = [y for y in x._inputs if isinstance(y, Value)]
                if x.label == _PLAIN or (inputs and self.plain.issuperset(inputs)):
                    self.plain.add(x)

    def gradient(self, y: Value) -> dict[Value, Any]:
        """Return the adjoints of the inputs of the trace: those of y's graph, in symbols."""
        order, _ = sweep((y,), [x.traced for x in self.arguments])
        adjoints: dict[Value, Any] = {y: 1.0}
        symbols = self.symbols
        for made in reversed(order):
            if made in adjoints and made._serial > self.trace.start:
                adjoint = adjoints[made]
                row: Any = made._op
                inputs = [symbols[x] if isinstance(x, Value) else float(x) for x in made._inputs]
                partials = row.partials(symbols[made], *inputs)
                for x, i in zip(made._prev, edges(made), strict=True):
                    partial = partials[i]
                    term = primitives.gate(adjoint, partial) if row.selects else adjoint * partial
                    adjoints[x] = total = adjoints[x] + term if x in adjoints else term
                    if type(total) is Symbol and total.hint == "t":
                        total.hint = "d"
        return adjoints

    # The function.

    def write(self, result: Any) -> tuple[Callable[..., Any], str]:
        """Return the function that computes the result of the trace, and its source."""
        outputs: list[Operand] = []
        shape = self._shape(result, outputs)
        values = [y for y in outputs if isinstance(y, Value)]
        decided = [x for guard in self.trace.guards for x in guard.operands if isinstance(x, Value)]
        finite = [x for x in dict.fromkeys(self.trace.finite) if isinstance(x, Value)]
        self.read([*values, *decided, *finite])
        checks = [self._guard(guard) for guard in self.trace.guards]
        inputs = [x for x in self.arguments if x.traced.requires_grad]
        wanted = [x.traced for x in inputs] + [x for x in self.captured if x.requires_grad]
        gradients: dict[Value, dict[Value, Any]] = {}
        for y in values:
            if y.requires_grad and y not in gradients:
                adjoints = self.gradient(y)
                reached = {x: adjoints[x] for x in wanted if x in adjoints}
                if reached:
                    gradients[y] = reached
        roots = [self.symbol(y) for y in outputs] + [self.symbol(x) for x in finite]
        roots += [d for found in gradients.values() for d in found.values()]
        body = self.code.lines(roots, checks, self.taken)

        if finite and any(isinstance(self.symbol(x), Symbol) for x in finite):
            total = " + ".join(dict.fromkeys(_text(self.symbol(x))[0] for x in finite))
            body.append(f"if not isfinite({total}): raise UnfiniteError")
        names: dict[Value, str] = {x.traced: x.name for x in inputs} | {
            x: self.unique(f"{name}_leaf") for x, name in self.captured.items()
        }
        head = self.head
        if self.captured or any(isinstance(x.given, Value) for x in self.arguments):
            head.append(f"if recording() is not {recording()} or tracing(): raise RetraceError")
        flags: dict[bool, list[str]] = {True: [], False: []}
        for leaf, name in self.captured.items():
            self.constants[names[leaf]] = leaf
            head.append(f"{name} = {names[leaf]}.data")
            flags[leaf.requires_grad].append(f"{names[leaf]}.requires_grad")
        if flags[True]:
            head.append(f"if not ({' and '.join(flags[True])}): raise RetraceError")
        if flags[False]:
            head.append(f"if {' or '.join(flags[False])}: raise RetraceError")

        operation = self._constant(_operation(self.name)) if gradients else ""
        texts, plain = [], []
        for output in outputs:
            text = _text(self.symbol(output))[0]
            plain.append(text)
            if isinstance(output, Value) and output in gradients:
                slopes = _row_of(_text(d)[0] for d in gradients[output].values())
                plain[-1] = f"({text}, {slopes})"
                if all(x in self.captured for x in gradients[output]):
                    leaves = self._constant(tuple(gradients[output]))
                else:
                    leaves = _row_of(names[x] for x in gradients[output])
                text = f"node({operation}, {leaves}, {leaves}, {text}, {slopes})"
            elif isinstance(output, Value) and output not in self.plain:
                text = f"constant({text})"
            texts.append(text)

        self.name = self.unique(self.name)
        namespace = _NAMES | self.code.functions | self.constants
        lines = [f"def {self.name}({', '.join(self.parameters)}):", *head, *body]
        source = "\n    ".join([*lines, f"return {shape(iter(texts))}"])
        exec(builtins.compile(source, f"<compiled {self.name}>", "exec"), namespace)
        return namespace[self.name], self._standalone(body, f"return {shape(iter(plain))}")

    def _standalone(self, body: list[str], result: str) -> str:
        """Return the source as a function of all numbers that it reads, to be read and run."""
        lines = [f"def {self.name}({', '.join(x.text for x in self.code.inputs)}):"]
        for line in body:
            condition, _, raised = line.removeprefix("if ").partition(": raise ")
            if raised == "RetraceError":
                lines.append("# traced where " + condition.removeprefix("not "))
            elif not raised:
                lines.append(line)
        text = "\n    ".join([*lines, result])
        used = set(re.findall(r"\b[a-z_]\w*\b", text))
        functions = {n: f for n, f in (_MATH | self.code.functions).items() if n in used}
        plain = sorted(n for n, f in functions.items() if getattr(math, n, None) is f)
        header = [f"from math import {', '.join(plain)}"] if plain else []
        others = [n for n in functions if n not in plain]
        if others:
            header.append("from microgradlib.primitives import PRIMITIVES")
        for n in sorted(others):
            row, entries, _ = n.partition("_entries")
            header.append(f"{n} = PRIMITIVES[{row!r}].{'entries' if entries else 'forward'}")
        return "\n".join([*header, "", "", text, ""] if header else [text, ""])

    def _shape(self, tree: Any, outputs: list[Operand]) -> Callable[[Iterator[str]], str]:
        """Collect the numbers of the result; return what writes it around the texts of them."""
        if isinstance(tree, Value) or type(tree) is float:
            outputs.append(tree)
            return next
        if type(tree) in (list, tuple):
            parts = [self._shape(x, outputs) for x in tree]
            if type(tree) is tuple:
                return lambda texts: _row_of([part(texts) for part in parts])
            return lambda texts: f"[{', '.join([part(texts) for part in parts])}]"
        if type(tree) is dict:
            items = {key: self._shape(x, outputs) for key, x in tree.items()}
            return lambda texts: (
                "{" + ", ".join([f"{key!r}: {part(texts)}" for key, part in items.items()]) + "}"
            )
        if hasattr(tree, "_flatten") or dataclasses.is_dataclass(tree):
            leaves, build = flatten("compile", "the result", tree)
            name = self._constant(build)
            inner = [self._shape(x, outputs) for x in leaves.values()]
            return lambda texts: f"{name}(iter({_row_of([part(texts) for part in inner])}))"
        if isinstance(tree, type(None) | bool | int | str):
            return lambda texts: repr(tree)
        raise CompileError(
            f"compile: {self.name} returned {tree!r}; return numbers and Values, nested in lists, "
            "tuples, dicts, dataclasses or modules"
        )

    def _guard(self, guard: Guard) -> "Check":
        operands, pieces = [], []
        for x in guard.operands:
            if isinstance(x, Value):
                operands.append(self.symbol(x))
                pieces.append("{}")
            else:
                pieces.append(repr(x) if type(x) is float and isfinite(x) else self._constant(x))
        if sign := _COMPARISONS.get(guard.function):
            text = f"{pieces[0]} {sign} {pieces[1]}"
        else:
            text = f"{self._constant(guard.function)}({', '.join(pieces)})"
        if isinstance(guard.outcome, bool):
            outcome = "" if guard.outcome else "not "
        else:
            outcome = repr(guard.outcome)
        gaps = tuple((i, _SUM) for i in range(len(operands)))
        return Check(Template(tuple(text.split("{}")), gaps, _ATOM), tuple(operands), outcome)


_COMPARISONS = {
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.eq: "==",
    operator.ne: "!=",
}
_MATH = {"exp": math.exp, "copysign": math.copysign, "inf": inf, "nan": nan}
_NAMES: dict[str, Any] = {
    "__name__": "microgradlib.compiled",  # which may read the data of Values
    **_MATH,
    "RetraceError": RetraceError,
    "UnfiniteError": UnfiniteError,
    "Value": Value,
    "constant": constant,
    "isfinite": isfinite,
    "node": node,
    "number": None,
    "recording": recording,
    "tracing": tracing,
}


def _number(x: Any) -> float:
    """Return an int, or another kind of float, as a float."""
    if isinstance(x, int | float) and not isinstance(x, bool):
        return float(x)
    raise RetraceError


_NAMES["number"] = _number


def _row_of(texts: Iterable[str]) -> str:
    """Return a tuple in source."""
    listed = list(texts)
    return f"({', '.join(listed)}{',' * (len(listed) == 1)})"


def _operation(name: str) -> Primitive:
    """Return the operation of the nodes that a compiled function returns."""

    def refuse(*inputs: float) -> Any:
        raise GradientError(
            f"create_graph: {name} is compiled and has first derivatives only; compile the "
            f"derivative instead, as in compile(grad({name}))"
        )

    return Primitive(name, refuse, refuse, fused=refuse, listed=False)


# What users call.


# Where generated code raises one of these, another trace may fit; if none does, a new one is made,
# and f itself says what is wrong.
_MISFITS = (RetraceError, UnfiniteError, TypeError, ValueError, ArithmeticError, LookupError)


class CacheInfo(NamedTuple):
    """How many traces a compiled function has made, keeps, and keeps at most."""

    made: int
    kept: int
    maxsize: int


class Compiled:
    """A compiled function: see ``compile``."""

    __name__: str
    __qualname__: str

    def __init__(self, f: Callable[..., Any], maxsize: int) -> None:
        """Keep the function; the first call traces it."""
        functools.update_wrapper(self, f)
        self._f = f
        self._maxsize = maxsize
        self._lock = threading.RLock()
        self.clear_cache()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns."""
        if not kwargs:
            try:
                return self._latest(*args)
            except _MISFITS:
                pass
        return self._choose(args, kwargs)

    @property
    def source(self) -> str:
        """The latest trace as Python: a function of all numbers that it reads."""
        if not self._sources:
            raise CompileError(f"compile: {self.__name__} has no source before its first call")
        return self._sources[self._latest]

    def cache_info(self) -> CacheInfo:
        """Return the number of traces."""
        return CacheInfo(self._made, len(self._sources), self._maxsize)

    def clear_cache(self) -> None:
        """Forget all traces."""
        self._made = 0
        self._latest: Callable[..., Any] = _nothing
        self._sources: dict[Callable[..., Any], str] = {}
        self._traces: dict[Any, list[Callable[..., Any]]] = {}

    def __reduce__(self) -> Any:
        """Pickle the function alone: what was decorated by its name."""
        found: Any = sys.modules.get(self.__module__)
        for part in self.__qualname__.split("."):
            found = getattr(found, part, None)
        return self.__qualname__ if found is self else (Compiled, (self._f, self._maxsize))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Be a method, as functions are."""
        return self if instance is None else functools.partial(self, instance)

    def _choose(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the result of the first trace that fits, or of a new one."""
        if tracing() is not None:  # part of something larger that is compiled
            return self._f(*args, **kwargs)
        key = (len(args), tuple(kwargs))
        for trace in self._traces.get(key, ())[::-1]:
            try:
                result = trace(*args, *kwargs.values())
            except UnfiniteError:
                return self._f(*args, **kwargs)
            except _MISFITS:
                continue
            self._latest = trace
            return result
        return self._trace(key, args, kwargs)

    def _trace(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        writer = _Writer(self.__name__, self._f)
        new_args, new_kwargs = writer.take(args, kwargs)
        try:
            with tracing_with(writer.trace), _collector_off():
                result = self._f(*new_args, **new_kwargs)
                trace, source = writer.write(result)
        except (ValueError, ArithmeticError):
            return self._f(*args, **kwargs)  # to raise what it raises
        with self._lock:
            traces = self._traces.setdefault(key, [])
            traces.append(trace)
            self._sources[trace] = source
            self._made += 1
            while len(self._sources) > self._maxsize:
                oldest = next(iter(self._sources))
                del self._sources[oldest]
                for others in self._traces.values():
                    if oldest in others:
                        others.remove(oldest)
            self._latest = trace
        try:
            return trace(*args, *kwargs.values())
        except _MISFITS:
            return self._f(*args, **kwargs)


@contextmanager
def _collector_off() -> Iterator[None]:
    """Switch the cyclic garbage collector off: it would walk all that is made, again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _nothing(*args: Any) -> Any:
    raise RetraceError


def compile(f: F | None = None, *, maxsize: int = 128) -> Any:
    """Return a function that does what f does, from source written for the arguments it gets.

    >>> import microgradlib as mg
    >>> @compile
    ... def loss(w, x):
    ...     return mg.tanh(w[0] * x + w[1]) ** 2
    >>> loss([0.5, 0.0], 2.0) == math.tanh(1.0) ** 2
    True
    """
    if f is None:
        return functools.partial(compile, maxsize=maxsize)
    if not callable(f):
        raise TypeError(f"compile: f must be a function, got {f!r}; pass f itself, not its result")
    if isinstance(maxsize, bool) or not isinstance(maxsize, int) or maxsize < 1:
        raise ValueError(f"compile: maxsize must be a whole number >= 1, got {maxsize!r}")
    return Compiled(f, maxsize)
