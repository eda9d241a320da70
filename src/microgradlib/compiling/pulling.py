"""The way back through a loop of a trace: a loop from the last step to the first."""

from collections.abc import Iterable, Sequence
from itertools import islice
from math import nan
from typing import Any

from microgradlib.compiling.bundles import nodes_of
from microgradlib.compiling.loops import LoopTemplate, Pull
from microgradlib.compiling.source import RetraceError
from microgradlib.compiling.stepping import (
    Like,
    TracedStep,
    UnlikeError,
    entry_of,
    is_node,
    linked,
    number_of,
)
from microgradlib.compiling.symbols import Symbol
from microgradlib.compiling.templates import entry
from microgradlib.compiling.traced import Tracer
from microgradlib.core.backprop import pull, push, topological_order
from microgradlib.core.value import Operand, Value
from microgradlib.functions.arguments import needs_gradient
from microgradlib.interpreters import current
from microgradlib.modes import recording_on
from microgradlib.numeric import loops


class WayBack:
    """The way back through a loop from its last carry and some of its results.

    ``scanned`` is the loop, and ``columns`` are the places of these results in those of a step.
    """

    def __init__(self, scanned: Any, columns: tuple[int, ...]) -> None:
        """Trace the way back through one step."""
        self.scanned, self.columns = scanned, columns
        scan, linked = scanned.scan, scanned.linked
        # A number of the next carry that is a result, too, is one node. The adjoint of the result
        # comes first there, as it does where the loop is recorded step by step.
        first: dict[int, int] = {}  # the first result that each number of the carry is
        for k, column in enumerate(columns):
            y = scanned.results[column]
            same = [i for i, j in enumerate(linked) if isinstance(y, Value) and scanned.new[j] is y]
            if same:
                first.setdefault(same[0], k)
        self.echoes = [*first.items()]
        sums = [Like(0.0, Value, False, "s")] * len(scanned.captured)
        seeds = [Like(0.0, Value, False, "b")] * len(self.echoes)
        adjoints = [Like(1.0, Value, False, "a")] * len(linked)
        ys = [Like(1.0, Value, False, "y")] * len(columns)
        groups = scanned.carry, scanned.row, sums, seeds, adjoints, ys
        self._sizes = [*map(len, groups)]
        likes = [like for group in groups for like in group]
        try:
            with recording_on():
                self.traced = TracedStep(scanned.trace, "back", likes, self._fused)
        except UnlikeError:  # a rule of the user's own decides
            error = RetraceError()
            scanned.trace.errors.append(error)
            raise error from None
        self.scan = scan._replace(every=scanned.steps.every, room=scanned.steps.room or scan.length)
        self.pull = Pull(
            self.scan,
            self.traced.step,
            len(linked),
            len(sums),
            len(columns),
            len(scanned.of_row),
            len(self.traced.captured),
            tuple(self.echoes),
        )

    def _fused(self, leaves: list[Tracer]) -> list[Operand]:
        """Return the adjoints of a carry and of a row, and the sums."""
        rest = iter(leaves)
        carry, row, sums, seeds, adjoints, ys = [[*islice(rest, size)] for size in self._sizes]
        known = {linked: seed for (linked, _), seed in zip(self.echoes, seeds, strict=True)}
        echoed = {k for _, k in self.echoes}
        of_results = {k: y for k, y in enumerate(ys) if k not in echoed}
        return self.step(carry, row, sums, known, adjoints, of_results)

    def step(
        self,
        carry: list[Any],
        row: list[Any],
        sums: Sequence[Any],
        seeds: dict[int, Any],
        adjoints: Sequence[Any],
        of_results: dict[int, Any],
    ) -> list[Any]:
        """Return the adjoints of a carry, of a row, and of captured nodes.

        Args:
            carry: the carry before the step.
            row: the row.
            sums: the adjoints of the captured nodes so far.
            seeds: what adjoints of the carry begin with.
            adjoints: those of the next carry.
            of_results: those of results, by their places in ``columns``.
        """
        scanned = self.scanned
        opened = scanned.opened(carry, row)
        found = dict(zip(scanned.captured, sums, strict=True))
        found |= {opened.inputs[i]: seed for i, seed in seeds.items()}
        made = [opened.new[i] for i in scanned.linked]
        made += [opened.results[self.columns[k]] for k in of_results]
        inputs = [*opened.inputs, *scanned.captured]
        _add(found, inputs, zip(made, [*adjoints, *of_results.values()], strict=True))
        order = topological_order(found, inputs)
        with recording_on():
            pull(order, found, current().partials)
        return [found.get(x, -0.0) for x in inputs]

    def adjoints(self, last: list[Any], of_results: list[Any], symbolic: bool) -> list[Any]:
        """Return the adjoints of the first carry, of the captured nodes, and of the rows.

        Args:
            last: those of the last carry.
            of_results: those of the results, row by row.
            symbolic: whether they are symbols, and not Values.
        """
        scanned = self.scanned
        trace = scanned.trace
        given = [*last, *of_results]
        operands = given if symbolic else [*map(trace.symbol, given)]
        symbol = self._instruction(operands)
        graph = trace.graph
        if symbolic:
            return [graph.instruction(entry(i), [symbol]) for i in range(self.pull.made)]
        inputs = [*scanned.read, *scanned.captured, *given]
        made = [Like(x, Value, True, "") for x in self._numbers(given)]
        return nodes_of(current(), Pulled(self, inputs), inputs, symbol, made)

    def _instruction(self, given: list[Any]) -> Symbol:
        """Return the instruction; the loop forward then keeps carries for it."""
        scanned = self.scanned
        scanned.symbol.template = LoopTemplate(self.scan, len(scanned.symbols))
        read = scanned.without_carry(scanned.symbols)
        operands = [scanned.symbol, *read, *given, *self.traced.captured]
        if not hasattr(self, "_template"):
            self._template = LoopTemplate(self.pull, len(operands))
        found: Symbol = scanned.trace.graph.instruction(self._template, operands)
        return found

    def _numbers(self, given: list[Operand]) -> list[float]:
        """Return the numbers of the adjoints; NaN if the loop is not run."""
        scanned, back = self.scanned, self.pull
        if not scanned.trace.known:
            return [nan] * back.made
        read = [*given, *self.traced.captured]
        numbers = [*scanned.without_carry(scanned.inputs), *map(number_of, read)]
        result, step = scanned.run(self.scan), self.traced.function()
        return loops.scan_pull(scanned.function, step, result, numbers, **back.sizes())


def _add(
    found: dict[Value, Any], inputs: Iterable[Value], adjoints: Iterable[tuple[Any, Any]]
) -> None:
    """Add adjoints of results to those that were found, where gradients flow.

    That is so for inputs, too, whatever they need.
    """
    known = {*inputs}
    for y, adjoint in adjoints:
        if needs_gradient(y) or (is_node(y) and y in known):
            found[y] = found[y] + adjoint if y in found else adjoint


class Pulled:
    """The way back through a loop at certain adjoints, and its own derivatives.

    They are those of two loops, of which the first one returns all carries as results.
    """

    def __init__(self, way: WayBack, inputs: list[Operand]) -> None:
        """Keep what it reads: carry, rows, captured nodes and adjoints."""
        self.way, self.inputs = way, inputs

    def pulled(self, adjoints: dict[int, Any], symbolic: bool) -> list[Any]:
        """Return the adjoints of all that is read from those of what is made."""
        nodes, made = self._opened()
        found: dict[Value, Any] = {}
        _add(found, nodes, [(made[place], adjoint) for place, adjoint in adjoints.items()])
        order = topological_order(found, nodes)
        trace = self.way.scanned.trace
        with recording_on():
            pull(order, found, trace.symbolic_partials if symbolic else current().partials)
        return [found.get(x, -0.0) for x in nodes]

    def pushed(self, tangents: dict[int, Any]) -> list[Any]:
        """Return the tangents of all that is made from those of what is read."""
        nodes, made = self._opened()
        found: dict[Value, Any] = {nodes[place]: tangent for place, tangent in tangents.items()}
        with recording_on():
            push(topological_order(linked(made), nodes), found, current().partials)
        return [entry_of(found, y) for y in made]

    def _opened(self) -> tuple[list[Any], list[Any]]:
        """Return nodes that stand for what is read, and what is made of them."""
        scanned = self.way.scanned
        start = len(scanned.read)
        end = start + len(scanned.captured)
        nodes = [x if start <= i < end else current().input(x) for i, x in enumerate(self.inputs)]
        with scanned.linking(), recording_on():
            made = self._in_two_loops([*nodes[:start], *nodes[end:]])
        return nodes, made

    def _in_two_loops(self, numbers: list[Any]) -> list[Any]:
        """Return what is made of carry, rows and adjoints."""
        way, scanned = self.way, self.way.scanned
        steps = scanned.steps
        rest = iter(numbers)
        init = [*islice(rest, len(steps.init))]
        rows = [[*islice(rest, len(scanned.row))] for _ in steps.rows]
        last = [*islice(rest, len(scanned.linked))]
        of_results = [[*islice(rest, len(way.columns))] for _ in steps.rows]
        n, m, end = len(init), len(scanned.row), len(last)

        def keeping(carry: list[Any], row: list[Any]) -> tuple[list[Any], list[Any]]:
            new, _ = steps.body([*carry], row)
            return new, carry

        def back(carry: list[Any], row: list[Any]) -> tuple[list[Any], list[Any]]:
            ys = dict(enumerate(row[n + m :]))
            found = way.step(row[:n], row[n : n + m], carry[end:], {}, carry[:end], ys)
            sums = len(found) - len(scanned.captured)
            return [*found[:end], *found[sums:]], found[end:sums]

        _, carries = steps._replace(body=keeping, init=init, rows=rows).run()
        made, of_rows = steps._replace(
            body=back,
            init=[*last, *[-0.0] * len(scanned.captured)],
            rows=[
                [*carry, *row, *ys]
                for carry, row, ys in zip(carries, rows, of_results, strict=True)
            ],
            reverse=not steps.reverse,
        ).run()
        return [*made, *[x for row in of_rows for x in row]]
