"""Loops in a trace: a step is traced once."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from math import nan
from typing import Any, NamedTuple

from microgradlib.compiling.bundles import nodes_of
from microgradlib.compiling.loops import LoopTemplate, Scan
from microgradlib.compiling.pulling import WayBack
from microgradlib.compiling.source import DecisionError, RetraceError, UnfiniteError
from microgradlib.compiling.stepping import (
    Carried,
    Like,
    Steps,
    TracedStep,
    UnlikeError,
    entry_of,
    forget,
    like_of,
    linked,
    marks_of,
    number_of,
)
from microgradlib.compiling.traced import Tracer
from microgradlib.core.backprop import push, topological_order
from microgradlib.core.value import Operand, Value
from microgradlib.functions.arguments import needs_gradient
from microgradlib.interpreters import current
from microgradlib.modes import evaluation, recording_on
from microgradlib.numeric import loops


def traced_loop(trace: Any, steps: Steps) -> Carried | None:
    """Record a loop; return None if it decides otherwise in one step than in the first."""
    marks = marks_of(trace)
    try:
        return Scanned(trace, steps).carried
    except (UnlikeError, DecisionError):
        forget(trace, marks)
        return None


class Opened(NamedTuple):
    """A step at nodes of its own: those that stand for linked numbers, and its results."""

    inputs: list[Value]
    new: list[Any]
    results: list[Any]


def _alike(new: list[Like], old: list[Like]) -> bool:
    """Whether the same stands for numbers, whatever they are in the first step."""
    return [x[1:] for x in new] == [x[1:] for x in old]


class Scanned:
    """A loop in a trace, and its derivatives.

    Attributes:
        carry: what stands for the numbers of the carry.
        row: what stands for those of a row.
        linked: the places of those of the carry that need a gradient.
        of_row: the places of those of a row that do.
        captured: the nodes from outside that the step depends on.
        traced: the step.
        symbol: the instruction.
        carried: the last carry and the results.
    """

    def __init__(self, trace: Any, steps: Steps) -> None:
        """Trace the step, and run the loop if its numbers have to be known."""
        self.trace, self.steps = trace, steps
        self.traced = self._trace()
        n, self.length = len(steps.init), len(steps.rows)
        outputs = self.traced.outputs
        self.new, self.results = outputs[:n], outputs[n:]
        self.linked = [i for i, like in enumerate(self.carry) if like.needs]
        self.of_row = [i for i, like in enumerate(self.row) if like.needs]
        self.of_results = [i for i, y in enumerate(self.results) if needs_gradient(y)]
        self.captured = self._captured()
        self.read = [*steps.init, *[x for row in steps.rows for x in row]]
        self.first = [] if steps.stop is None else [steps.stop]  # of what the instruction reads
        symbols = [*map(trace.symbol, [*self.first, *self.read]), *self.traced.captured]
        self.scan = Scan(
            self.traced.step,
            self.length,
            n,
            len(self.row),
            len(self.results),
            len(self.traced.captured),
            steps.reverse,
            bool(self.first),
        )
        numbers = self.run(self.scan)
        self.symbols = symbols
        self.symbol = trace.graph.instruction(LoopTemplate(self.scan, len(symbols)), symbols)
        for function in (loops.scan, loops.scan_pull):
            trace.graph.numeric(function)
        trace.risky.append(self.symbol)
        made = [*self.carry, *[like_of(y, "") for y in self.results] * self.length]
        pairs = zip(numbers, made, strict=False)  # the carries that are kept are no nodes
        made = [like._replace(number=x) for x, like in pairs]
        nodes = nodes_of(trace, self, [*self.read, *self.captured], self.symbol, made)
        width = len(self.results)
        ends = range(n + width, len(nodes) + 1, width or 1)
        rows = [nodes[end - width : end] for end in ends] if width else [[]] * self.length
        self.carried: Carried = nodes[:n], rows

    def _trace(self) -> TracedStep:
        """Trace the step until what stands for the carry stands for its results, too."""
        trace, steps = self.trace, self.steps
        n = len(steps.init)
        self.carry = [like_of(x, "c") for x in steps.init]
        first = steps.rows[-1 if steps.reverse else 0]
        self.row = [like_of(x, "x") for x in first]
        for row in steps.rows:
            self.row = [like.joined(x) for like, x in zip(self.row, row, strict=True)]

        def body(leaves: list[Tracer]) -> list[Operand]:
            new, results = steps.body([*leaves[:n]], [*leaves[n:]])
            return [*new, *results]

        marks = marks_of(trace)
        while True:
            traced = TracedStep(trace, "step", [*self.carry, *self.row], body)
            pairs = zip(self.carry, traced.outputs[:n], strict=True)
            joined = [like.joined(y) for like, y in pairs]
            if _alike(joined, self.carry):
                return traced
            self.carry = joined
            forget(trace, marks)

    def _captured(self) -> list[Value]:
        """Return the nodes from outside that the results depend on."""
        traced, found = self.traced, dict[Value, None]()
        roots = linked(traced.outputs)
        for node in topological_order(roots, linked(traced.leaves), traced.start):
            for x, partial in zip(node._inputs, node._partials, strict=True):
                if partial is not None and x._serial < traced.start:
                    found[x] = None
        found |= dict.fromkeys([y for y in roots if y._serial < traced.start])
        return [*found]

    @cached_property
    def function(self) -> Any:
        """The step in Python."""
        return self.traced.function()

    @cached_property
    def inputs(self) -> list[float]:
        """The numbers of the first carry, of the rows, and of what all steps read."""
        return [*map(number_of, [*self.first, *self.read, *self.traced.captured])]

    def without_carry(self, xs: list[Any]) -> list[Any]:
        """Return what the instruction reads, or its numbers, without the first carry."""
        start = len(self.first)
        return [*xs[:start], *xs[start + len(self.carry) :]]

    def run(self, scan: Scan) -> list[Any]:
        """Return the numbers of the loop.

        Raises:
            DecisionError: if a step decides otherwise than the first.
        """
        if not self.trace.known:
            self.trace.graph.unknown = True
            return [nan] * scan.made
        try:
            return loops.scan(self.function, self.inputs, **scan.sizes())
        except UnfiniteError:
            raise RetraceError from None
        except (ValueError, ArithmeticError) as error:
            self.trace.errors.append(error)
            raise

    # Derivatives.

    def pulled(self, adjoints: dict[int, Any], symbolic: bool) -> list[Any]:
        """Return the adjoints of all that the loop reads from those of what it makes."""
        n, width = len(self.carry), len(self.results)
        columns = tuple(sorted({(place - n) % width for place in adjoints if place >= n}))
        ways = self.trace.ways
        if (self, columns) not in ways:
            ways[self, columns] = WayBack(self, columns)
        rows = range(self.length)
        last = [adjoints.get(i, -0.0) for i in self.linked]
        of_results = [adjoints.get(n + i * width + k, -0.0) for i in rows for k in columns]
        found = iter(ways[self, columns].adjoints(last, of_results, symbolic))
        of_carry = dict(zip(self.linked, found, strict=False))
        of_captured = [next(found) for _ in self.captured]
        of_read = [of_carry.get(i) for i in range(n)]
        for _ in rows if self.row else ():
            of_row = dict(zip(self.of_row, found, strict=False))
            of_read += [of_row.get(i) for i in range(len(self.row))]
        return [*of_read, *of_captured]

    def pushed(self, tangents: dict[int, Any]) -> list[Any]:
        """Return the tangents of all that the loop makes from those of what it reads."""
        n, m, length = len(self.carry), len(self.row), self.length
        columns = self.of_results
        of_captured = {
            x: tangents[place]
            for place, x in enumerate(self.captured, n + length * m)
            if place in tangents
        }

        def body(carry: list[Any], row: list[Any]) -> tuple[list[Any], list[Any]]:
            step = self.opened(carry[:n], row[:m])
            found = dict(zip(step.inputs, [*carry[n:], *row[m:]], strict=True)) | of_captured
            made = [*[step.new[i] for i in self.linked], *[step.results[k] for k in columns]]
            order = topological_order(linked(made), [*step.inputs, *self.captured])
            with recording_on():
                push(order, found, current().partials)
            of_made = [entry_of(found, y) for y in made]
            end = len(self.linked)
            return [*step.new, *of_made[:end]], [*step.results, *of_made[end:]]

        steps = self.steps._replace(
            body=body,
            init=[*self.steps.init, *[tangents.get(i, 0.0) for i in self.linked]],
            rows=[
                [*row, *[tangents.get(n + i * m + k, 0.0) for k in self.of_row]]
                for i, row in enumerate(self.steps.rows)
            ],
        )
        last, rows = steps.run()
        of_carry = dict(zip(self.linked, last[n:], strict=True))
        found = [of_carry.get(i, 0.0) for i in range(n)]
        for results in rows:
            of_results = dict(zip(columns, results[len(self.results) :], strict=True))
            found += [of_results.get(k, 0.0) for k in range(len(self.results))]
        return found

    @contextmanager
    def linking(self) -> Iterator[None]:
        """Let gradients flow to the captured nodes, as when the step was traced."""
        flags = [x._requires_grad for x in self.captured]
        try:
            for x in self.captured:
                x._requires_grad = True
            yield
        finally:
            for x, flag in zip(self.captured, flags, strict=True):
                x._requires_grad = flag

    def opened(self, carry: list[Any], row: list[Any]) -> Opened:
        """Call the step on nodes of its own, for derivatives in them."""
        wanted = [*[carry[i] for i in self.linked], *[row[k] for k in self.of_row]]
        inputs = [*map(current().input, wanted)]
        nodes = iter(inputs)
        for numbers, places in ((carry, self.linked), (row, self.of_row)):
            for i in places:
                numbers[i] = next(nodes)
        with self.linking(), evaluation(inputs):
            new, results = self.steps.body(carry, row)
        for x, y in zip(inputs, wanted, strict=True):  # derivatives depend on no plain number
            x._requires_grad = needs_gradient(y)
        return Opened(inputs, new, results)
