"""What a loop repeats, traced as a function of numbers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeGuard

from microgradlib.compiling.graph import Graph
from microgradlib.compiling.loops import Step, steps_of
from microgradlib.compiling.source import deciding, finite_check, namespace_of
from microgradlib.compiling.symbols import Check, Program, Symbol, fill_with, row_of, text_of
from microgradlib.compiling.traced import Number, Tracer
from microgradlib.core.value import Operand, Value, next_serial
from microgradlib.interpreters import current
from microgradlib.modes import recording


class UnlikeError(Exception):
    """Raised if a loop has to be traced step by step."""


class Like(NamedTuple):
    """What stands for a number of a loop while its step is traced.

    Attributes:
        number: its number in the first step.
        kind: its class: that of a plain number, or Value.
        needs: whether it needs a gradient.
        hint: how its name begins in the source.
    """

    number: float
    kind: Any
    needs: bool
    hint: str

    def joined(self, y: Operand) -> "Like":
        """Return what stands for this number and for y, from one step to the next."""
        other = like_of(y, self.hint)
        needs = self.needs or other.needs
        if Value in (self.kind, other.kind):
            return self._replace(kind=Value, needs=needs)
        if other.kind is self.kind:
            return self
        return self._replace(kind=None if None in (self.kind, other.kind) else float)


def like_of(x: Operand, hint: str) -> Like:
    """Return what stands for a number in a step."""
    if not isinstance(x, Value):
        return Like(x, float, False, hint)
    kind = x._kind if isinstance(x, Number) else Value
    return Like(number_of(x), kind, bool(x._requires_grad and recording()), hint)


def linked(xs: Iterable[Operand]) -> list[Value]:
    """Return those that need a gradient."""
    return [x for x in xs if isinstance(x, Value) and x._requires_grad]


def is_node(x: Any) -> TypeGuard[Value]:
    """Whether x is a Value, and does not stand for a plain number, whose hash is a decision."""
    return isinstance(x, Value) and not x._plain


def entry_of(derivatives: Mapping[Value, Any], x: Operand) -> Any:
    """Return the derivative that was found for a number, or 0."""
    return derivatives.get(x, 0.0) if is_node(x) else 0.0


def marks_of(trace: Any) -> tuple[int, int, int]:
    """Return how many decisions, risky symbols and numbers to be finite a trace has noted."""
    return len(trace.guards), len(trace.risky), len(trace.finite)


def forget(trace: Any, marks: tuple[int, int, int]) -> None:
    """Forget those that were noted since."""
    for listed, count in zip((trace.guards, trace.risky, trace.finite), marks, strict=True):
        del listed[count:]


def _taken(
    trace: Any, graph: Graph, marks: tuple[int, int, int]
) -> tuple[list[Check], list[Any], list[Symbol]]:
    """Take the checks, the numbers to be finite and the risky symbols of a step from its trace.

    Raises:
        UnlikeError: if only Python can repeat a check.
    """

    def is_own(x: Any) -> bool:
        symbol = trace.symbol(x)
        return type(symbol) is Symbol and symbol.graph is graph

    since = [x[i:] for x, i in zip((trace.guards, trace.risky, trace.finite), marks, strict=True)]
    guards = [x for x in since[0] if any(map(is_own, x.operands))]
    risky = [x for x in since[1] if x.graph is graph]
    finite = [x for x in since[2] if is_own(x)]
    checks = [guard.comparison(trace.symbol) for guard in guards]
    if None in checks:
        raise UnlikeError
    forget(trace, marks)
    trace.guards += [x for x in since[0] if not any(map(is_own, x.operands))]
    trace.risky += [x for x in since[1] if x.graph is not graph]
    trace.finite += [x for x in since[2] if not is_own(x)]
    return checks, [*dict.fromkeys(map(trace.symbol, finite))], risky


def number_of(x: Any) -> Any:
    """Return the number of an operand, or of a symbol."""
    if isinstance(x, Tracer):
        return x._number
    if isinstance(x, Value):
        return x._data
    if type(x) is not Symbol:
        return x
    if not hasattr(x, "number"):
        names = [f"n{i}" for i in range(len(x.operands))]
        numbers = dict(zip(names, map(number_of, x.operands), strict=True))
        names_in_source = namespace_of(x.graph.functions) | numbers
        x.number = eval(fill_with(x.template, names), names_in_source)
    return x.number


class TracedStep:
    """A function of numbers that a loop calls.

    Attributes:
        start: the serial number of what is older than the step.
        leaves: what stood for its inputs.
        outputs: its results.
        captured: the outer symbols that it reads, which are its last inputs.
        step: the function.
    """

    def __init__(
        self,
        trace: Any,
        name: str,
        likes: Sequence[Like],
        body: Callable[[list[Tracer]], Sequence[Operand]],
    ) -> None:
        """Trace a function.

        Raises:
            UnlikeError: if it takes a decision that source cannot repeat.
        """
        graph: Graph = trace.graph.inner()
        marks = marks_of(trace)
        self.start = next_serial()
        try:
            self.leaves = [trace.leaf(graph.input(""), x.number, x.kind) for x in likes]
            for leaf, like in zip(self.leaves, likes, strict=True):
                leaf._requires_grad = like.needs
            self.outputs = [*body(self.leaves)]
            results = [trace.symbol(y) for y in self.outputs]
            checks, finite, risky = _taken(trace, graph, marks)
            inputs = [leaf._symbol for leaf in self.leaves]
            numbers: dict[str, int] = {}
            for symbol, like in zip(inputs, likes, strict=True):
                symbol.text = graph.numbered(like.hint, numbers)
            lines = graph.lines([*results, *finite], checks, risky)
            self.captured = [*graph.captured]
            inputs += self.captured
            program = Program(
                inputs={graph.number_of(x): x.text for x in inputs},
                paths=[x.text for x in inputs],
                rows=graph.rows,
                outputs=[*map(graph.number_of, results)],
                meanings=["result"] * len(results),
                checks=[x.numbered(graph.number_of) for x in checks],
                others=[],
                finite=[*map(graph.number_of, deciding(finite))],
                owned=[],
            )
            lines += [*finite_check(finite), f"return {row_of([text_of(x)[0] for x in results])}"]
            name = graph.root.unique(graph.root.numbered(name, graph.root.numbers))
            head = f"def {name}({', '.join(program.paths)}):"
            self.step = Step(name, "\n    ".join([head, *lines]), program)
            self._functions = graph.functions
        finally:
            graph.close()

    def function(self) -> Callable[..., tuple[float, ...]]:
        """Return the function in Python."""
        steps = {**steps_of(self.step.program), self.step.name: self.step}
        namespace = namespace_of(self._functions)
        exec("\n\n".join([step.text for step in steps.values()]), namespace)
        found: Callable[..., tuple[float, ...]] = namespace[self.step.name]
        return found


Body: TypeAlias = Callable[[list[Any], list[Any]], tuple[list[Any], list[Any]]]
Carried: TypeAlias = tuple[list[Any], list[list[Any]]]
"""The last carry of a loop, and the results of each row."""


class Steps(NamedTuple):
    """A loop over numbers.

    Attributes:
        body: the step: from the carry and a row to the next carry and the results.
        init: the first carry.
        rows: the rows, at least one.
        reverse: whether the last row is the first.
        stop: the number of a trace that says how many rows the loop takes, the first ones; None for
            all. The results of the others are 0.
        every: how often carries are kept for derivatives: see ``numeric.loops.next_kept``.
        room: how many carries are kept at most; 0 for as many as there are steps.
    """

    body: Body
    init: Sequence[Operand]
    rows: Sequence[Sequence[Operand]]
    reverse: bool = False
    stop: Any = None
    every: int = 1
    room: int = 0

    def run(self) -> Carried:
        """Carry out the loop, at once if that can be."""
        found: Carried | None = current().loop(self)
        return found or self.one_by_one()

    def one_by_one(self) -> Carried:
        """Carry out the loop step by step."""
        count = len(self.rows)
        carry, order = [*self.init], range(count if self.stop is None else self.stop)
        results: list[list[Any]] = [[]] * count
        for i in order[::-1] if self.reverse else order:
            carry, results[i] = self.body(carry, [*self.rows[i]])
        return carry, results
