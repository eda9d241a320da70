"""Writes the source of a function from the trace of one call."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from microgradlib.compiling.arguments import Arguments, Field
from microgradlib.compiling.buffers import machine_call
from microgradlib.compiling.bundles import Looped
from microgradlib.compiling.decisions import COMPARISONS, Guard
from microgradlib.compiling.definitions import GLOBALS
from microgradlib.compiling.graph import Graph
from microgradlib.compiling.loops import Step, steps_of
from microgradlib.compiling.results import Results
from microgradlib.compiling.source import (
    NAMES,
    NATIVE_NAMES,
    Source,
    deciding,
    finite_check,
)
from microgradlib.compiling.symbols import Check, Program, Symbol, reference, row_of, text_of
from microgradlib.compiling.templates import Template
from microgradlib.compiling.traced import Tracer
from microgradlib.compiling.tracer import Trace
from microgradlib.core.backprop import by_serial, pull, topological_order
from microgradlib.core.table import PRIMITIVES
from microgradlib.core.value import Operand, Value
from microgradlib.modes import interpreting, nested, recording

T = TypeVar("T")

_TAKEN = {*NAMES, *GLOBALS, *[row.forward.__name__ for row in PRIMITIVES.values()]}
"""Names that have a meaning in the source."""


_MANY_SLOPES = 500_000  # derivatives of the results of one function


class Result(NamedTuple):
    """A number that the function returns, and its derivatives by leaves of the trace."""

    number: Any
    slopes: dict[Value, Any]

    def texts(self) -> tuple[str, str]:
        """Return both in the source."""
        slopes = [text_of(x)[0] for x in self.slopes.values()]
        return text_of(self.number)[0], row_of(slopes) if slopes else ""


class Writer:
    """Writes the source of one trace."""

    def __init__(self, name: str, native: bool, known: bool = True) -> None:
        """Start with an empty trace.

        Args:
            name: the name of the function.
            native: whether its source calls machine code.
            known: see ``Trace``.
        """
        self.name = name
        self.native = native
        self.graph = Graph({*_TAKEN, *(NATIVE_NAMES if native else ())})
        self.unique = self.graph.unique
        self.trace = Trace(self.graph, known)
        self.arguments = Arguments(name, self.graph, self.trace, native)
        self.results = Results(name, self.arguments.constant)
        self.sources: dict[Value, str] = {}  # the Values among the arguments, as expressions
        self.made: list[str] = []  # lines that make Values which the result refers to
        self.node = "", False  # what ``operation`` takes
        self.selects = False  # whether derivatives go through a selection

    def traced(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        static: Iterable[str],
        write: Callable[[Any], T],
    ) -> T:
        """Call a function on tracers; return what ``write`` makes of its result, as a trace still.

        Raises:
            RetraceError: if the function, or an argument, has no trace.
        """
        new_args, new_kwargs = self.arguments.take(f, args, kwargs, static)
        try:
            with interpreting(self.trace):
                try:
                    result = f(*new_args, **new_kwargs)
                finally:
                    self.trace.check_errors()
                return write(result)
        finally:
            for node in self.trace.nodes:  # a chain of them would be freed by recursion in C
                node._inputs = node._partials = ()
                node._op = ""
            self.trace.ways.clear()

    # The graph.

    def adjoints(self, y: Value) -> dict[Value, Any]:
        """Return the adjoints of all nodes that y was computed from, in symbols."""
        order = topological_order((y,), [*self.sources], self.trace.start)
        adjoints: dict[Value, Any] = {y: 1.0}
        pull(order, adjoints, self._partials)
        for total in adjoints.values():
            if type(total) is Symbol and total.hint == "t":
                total.hint = "d"
        return adjoints

    def _partials(self, node: Value) -> list[Any]:
        """Return the partials of a node in symbols."""
        self.selects = self.selects or node._op.selects or isinstance(node._op, Looped)
        return self.trace.symbolic_partials(node)

    # The function.

    def write(self, result: Any) -> Source:
        """Return the source of the function that computes the result of the trace."""
        self.trace.over = True
        found = [x for x in self.arguments.leaves if isinstance(x.given, Value)]
        self.sources = {x.traced: x.source for x in found}
        outputs, shape = self.results.outputs, self.results.take(result)
        self.arguments.finish()
        symbol = self.trace.symbol
        numbers = [symbol(y) for y in outputs]
        finite = self._finite()
        checks = [self._guard(guard) for guard in self.trace.guards]
        captured = self._captured()
        gradients = self._gradients(outputs, captured)
        slopes = [d for found in gradients.values() for d in found.values()]
        if self.selects:  # the 0 of a selection becomes NaN if it meets an infinite derivative
            finite += slopes
        self._name(captured.items())
        instructions = [*self.graph.instructions]
        body = self.graph.lines([*numbers, *finite, *slopes], checks, self.trace.risky)
        captured = {x: number for x, number in captured.items() if number.uses}
        symbols = [*[x.traced._symbol for x in self.arguments.leaves], *captured.values()]
        labels = [x._label or f"unlabelled Value [{i}]" for i, x in enumerate(captured)]
        inputs = dict(zip(symbols, [*self.arguments.paths, *labels], strict=True))
        results = [
            Result(number, gradients.get(y, {}) if isinstance(y, Value) else {})
            for y, number in zip(outputs, numbers, strict=True)
        ]
        program = self._program(inputs, results, checks, finite)
        pairs = [result.texts() for result in results]
        self.results.alone = True
        plain = shape(iter([f"({y}, {slopes})" if slopes else y for y, slopes in pairs]))
        self.results.alone = False
        shown = body
        formats = ("", "")
        if self.native:
            fields = [*self.arguments.fields, *[Field("d", x.text) for x in captured.values()]]
            self.results.whole = self._whole(gradients)
            slopes = [len(result.slopes) for result in results]
            others = [x for x in checks if not x.compares and x.symbols()]
            body, pairs, formats = machine_call(fields, slopes, self.results.whole, others)
        else:
            body = [*body, *finite_check(finite)]
        for instruction in instructions:  # a chain of them would be freed by recursion in C
            instruction.operands = ()
        leaves = self._read(captured)
        texts = self._texts(outputs, pairs, gradients, leaves)

        self.name = self.unique(self.name)
        lines = [*self.arguments.head, *body, *self.made, f"return {shape(iter(texts))}"]
        return Source(
            self.name,
            self._define(lines, () if self.native else steps_of(program).values()),
            self.arguments.constants,
            self.graph.functions,
            [*shown, f"return {plain}"],
            program,
            self.node,
            formats,
        )

    def _captured(self) -> dict[Value, Symbol]:
        """Return the Values from outside that the trace reads, and their symbols."""
        return {x: self.trace.captured[x] for x in sorted(self.trace.captured, key=by_serial)}

    def _finite(self) -> list[Any]:
        """Return the numbers of the trace that must not be infinite or NaN, each once."""
        values = [x for x in self.trace.finite if isinstance(x, Value)]
        return [*dict.fromkeys(map(self.trace.symbol, values))]

    def _name(self, inputs: Iterable[tuple[Value, Symbol]]) -> None:
        """Name inputs after the labels of the Values that they are the numbers of."""
        for i, (x, number) in enumerate(inputs):
            number.text = self.unique(x._label or f"p{i}")

    def _caller(self, lines: list[str], program: Program, formats: tuple[str, str]) -> Source:
        """Return the source of a function that only serves machine code, and computes nothing."""
        self.name = self.unique(self.name)
        text, constants = self._define(lines), self.arguments.constants
        return Source(self.name, text, constants, {}, [], program, self.node, formats)

    def _program(
        self,
        inputs: dict[Symbol, str],
        results: list[Result],
        checks: list[Check],
        finite: list[Any],
    ) -> Program:
        """Return the trace for other writers: each result is followed by its gradient."""
        symbol = self.trace.symbol
        numbers, meanings = [], []
        for (y, slopes), path in zip(results, self.results.paths, strict=True):
            numbers += [y, *slopes.values()]
            leaves = [inputs.get(symbol(x), x._label or "a Value made inside") for x in slopes]
            meanings += [path, *[f"slope of {path} in {leaf}" for leaf in leaves]]
        checks = [x for x in checks if x.symbols()]
        return Program(
            {x.serial: x.text for x in inputs},
            [*inputs.values()],
            self.graph.rows,
            [*map(reference, numbers)],
            meanings,
            [x.numbered(reference) for x in checks if x.compares],
            [(x.condition(), [*map(reference, x.symbols())]) for x in checks if not x.compares],
            [*map(reference, deciding(finite))],
            [*self.graph.names.values()],
        )

    def _whole(self, gradients: dict[Value, dict[Value, Any]]) -> dict[int, int]:
        """Return the beginnings and ends of arrays of numbers that machine code computes."""
        plain = [
            y not in gradients and y._plain if isinstance(y, Value) else True
            for y in self.results.outputs
        ]
        return {i: end for i, end in self.results.arrays.items() if all(plain[i:end])}

    def _define(self, lines: list[str], steps: Iterable[Step] = ()) -> str:
        """Return the source of the trace with these lines in its function, after its steps."""
        parameters = [*[f"{name}=missing" for name in self.arguments.parameters], "/"] * bool(
            self.arguments.parameters
        )
        everything = row_of([*self.arguments.parameters, "*others"])
        before = [
            "def trace(otherwise):",
            f"    def {self.name}({', '.join([*parameters, '*others', '**named'])}):",
            "        given = ()",
            "        try:",
            "            if others or named: raise RetraceError",
        ]
        after = [
            "        except Exception:",
            "            if otherwise is None: raise",
            f"        return otherwise(given or {everything}, named)",
            f"    return {self.name}",
        ]
        text = "\n".join([*before, "            " + "\n            ".join(lines), *after])
        return "\n\n".join([*[step.text for step in steps], text])

    def _gradients(
        self, outputs: list[Operand], captured: Iterable[Value]
    ) -> dict[Value, dict[Value, Any]]:
        """Return the gradient of each computed output that has one, by leaves of the trace."""
        wanted: list[Value] = [x for x in self.sources if x._requires_grad]
        wanted += [x for x in captured if x._requires_grad]
        computed = {
            y: None for y in outputs if isinstance(y, Tracer) and y._requires_grad and y._op
        }
        if len(computed) * len(wanted) > _MANY_SLOPES:
            warnings.warn(
                f"compile: {self.name} returns {len(computed):,} numbers that need gradients, "
                f"and reads {len(wanted):,} Values: all derivatives are written, which may take "
                "minutes and gigabytes. Call it under no_grad(), or return one loss",
                RuntimeWarning,
                stacklevel=2,
            )
        gradients: dict[Value, dict[Value, Any]] = {}
        for y in computed:
            adjoints = self.adjoints(y)
            found = {x: adjoints[x] for x in wanted if x in adjoints}
            found |= {x: d for x, d in adjoints.items() if type(x) is Value and x not in found}
            if found:
                gradients[y] = found
        return gradients

    def _read(self, captured: dict[Value, Symbol]) -> dict[Value, str]:
        """Write lines that read the captured Values at each call; return the Values' names."""
        linked = bool(captured) or bool(self.sources)
        if linked:
            unlike = f"{'current is not None and ' * recording()}differs(current, {recording()})"
            first = ["current = interpreter()", f"if {unlike}: raise RetraceError"]
            self.arguments.head[:0] = (
                first  # before lines that read data, which raises within a trace
            )
        if linked and self.trace.derivatives:
            self.arguments.check(f"nested() is not {nested()}")
        names: dict[Value, str] = {}
        flags: dict[bool, list[str]] = {True: [], False: []}
        for leaf, number in captured.items():
            names[leaf] = name = self.arguments.constant(leaf, f"{number.text}_leaf")
            self.arguments.head.append(f"{number.text} = {name}._data")
            flags[bool(leaf._requires_grad)].append(f"{name}._requires_grad")
        sources = self.sources
        for (x, attribute), found in self.trace.facts.items():
            name = sources[x] if x in sources else names.get(x) or self.arguments.constant(x)
            known = self.arguments.constant(found)
            self.arguments.head.append(
                f"if not same({name}._{attribute}, {known}): raise DecisionError"
            )
        if flags[True]:
            self.arguments.check(f"not ({' and '.join(flags[True])})")
        if flags[False]:
            self.arguments.check(" or ".join(flags[False]))
        return names

    def _texts(
        self,
        outputs: list[Operand],
        pairs: list[tuple[str, str]],
        gradients: dict[Value, dict[Value, Any]],
        leaves: dict[Value, str],
    ) -> list[str]:
        """Return the source of each output, whose number and slopes have these texts."""
        names = leaves | self.sources
        reached = {x: None for found in gradients.values() for x in found}
        own = [y for y in outputs if type(y) is Value] + [*reached]
        for x in dict.fromkeys(own):
            if x not in names:  # the function makes this leaf
                names[x] = self._make(x._label or "leaf", f"Value({x._data!r}, {x._label!r})")
        only_leaves = not any(x in self.sources or x._op for x in reached)
        self.node = self.name, only_leaves
        texts = []
        again = Counter(map(id, outputs))
        for y, (text, slopes) in zip(outputs, pairs, strict=True):
            if isinstance(y, Value) and y in names:  # the Value itself
                texts.append(names[y])
            elif isinstance(y, Value) and y in gradients:
                found = gradients[y]
                if all(x in leaves for x in found):
                    inputs = self.arguments.constant(tuple(found))
                else:
                    inputs = row_of(names[x] for x in found)
                made = "(node if current is None else located_node)"
                texts.append(f"{made}(operation, {inputs}, {text}, {slopes})")
            else:
                is_number = not isinstance(y, Value) or y._plain
                texts.append(text if is_number else f"constant({text})")
            if isinstance(y, Value) and not y._plain:
                if y._label and y not in names:
                    texts[-1] = f"labelled({texts[-1]}, {y._label!r})"
                if again[id(y)] > 1:
                    texts[-1] = names[y] = self._make("y", texts[-1])
        return texts

    def _make(self, name: str, text: str) -> str:
        """Write a line that makes a Value; return its name."""
        name = self.unique(name)
        self.made.append(f"{name} = {text}")
        return name

    def _guard(self, guard: Guard) -> Check:
        if found := guard.comparison(self.trace.symbol):
            return found
        operands, pieces = [], []
        for x in guard.operands:
            if isinstance(x, Value):
                operands.append(self.trace.symbol(x))
                pieces.append("{}")
            else:
                pieces.append(repr(x) if type(x) in (int, float) else self.arguments.constant(x))
        if sign := COMPARISONS.get(guard.function):
            text = f"{pieces[0]} {sign} {pieces[1]}"
            outcome = bool(guard.outcome)  # with a NumPy scalar it is a numpy.bool
        else:
            name = getattr(guard.function, "__name__", "").strip("_")
            text = f"{self.arguments.constant(guard.function, name)}({', '.join(pieces)})"
            outcome = guard.outcome
        if outcome != outcome or (type(outcome) is float and not outcome):  # NaN, 0 or -0
            text, outcome = f"repr({text}) == {repr(outcome)!r}", True
        elif not isinstance(outcome, bool):
            known = repr(outcome) if type(outcome) is int else self.arguments.constant(outcome)
            text, outcome = f"{text} == {known}", True
        gaps = tuple((i, 2) for i in range(len(operands)))
        return Check(Template(tuple(text.split("{}")), gaps, 0), tuple(operands), outcome, False)
