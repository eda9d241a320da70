"""The nodes of a loop in a trace, and what derivatives are on the way through it.

A loop is one node, with an edge to each number that it reads, and a node for each number that it
makes. The chain rule, adjoint * partial, goes through them as through all others: the partial of a
number that the loop makes puts its adjoint into a bundle, bundles add up, and times the partial of
a number that the loop reads a bundle gives an entry of what the loop makes of the whole. For
tangents it is the same in the other direction.
"""

from collections.abc import Sequence
from math import nan
from typing import Any

from microgradlib.compiling.stepping import Like
from microgradlib.compiling.symbols import Symbol
from microgradlib.compiling.templates import entry, place_of
from microgradlib.compiling.traced import Tracer
from microgradlib.core.primitive import Primitive
from microgradlib.core.value import Operand, Value


class Bundle:
    """Adjoints of what a loop makes, or tangents of what it reads, by place."""

    __slots__ = ("found", "terms")

    def __init__(self, place: int, term: Any) -> None:
        """Begin with one term."""
        self.terms = {place: term}
        self.found: Sequence[Any] | None = None  # what the loop makes of them

    def __add__(self, other: "Bundle") -> "Bundle":
        """Take up the terms of another one."""
        for place, term in other.terms.items():
            known = self.terms.get(place)
            self.terms[place] = term if known is None else known + term
        return self

    def __mul__(self, partial: "Unit | Part") -> Any:
        if self.found is None:
            self.found = partial.of(self.terms)
        return self.found[partial.place]


class Unit:
    """The partial of a number that a loop makes: its place there."""

    def __init__(self, place: int, loop: Any) -> None:
        """Keep the place, and the loop, if tangents may be asked for."""
        self.place, self.loop = place, loop

    def __rmul__(self, adjoint: Any) -> Bundle:
        return Bundle(self.place, adjoint)

    def of(self, tangents: dict[int, Any]) -> Sequence[Any]:
        """Return the tangents of all that the loop makes."""
        found: Sequence[Any] = self.loop.pushed(tangents)
        return found


class Part:
    """The partial in a number that a loop reads: its place there."""

    def __init__(self, place: int, loop: Any, symbolic: bool) -> None:
        """Keep the place and the loop; ``symbolic``: adjoints are symbols, and not Values."""
        self.place, self.loop, self.symbolic = place, loop, symbolic

    def __rmul__(self, tangent: Any) -> Bundle:
        return Bundle(self.place, tangent)

    def of(self, adjoints: dict[int, Any]) -> Sequence[Any]:
        """Return the adjoints of all that the loop reads."""
        found: Sequence[Any] = self.loop.pulled(adjoints, self.symbolic)
        return found


class Looped(Primitive):
    """The primitive of the node of a loop."""

    __slots__ = ("loop",)
    loop: Any


def looped(loop: Any) -> Looped:
    """Return the primitive of a loop."""

    def rule(output: Any, *inputs: Any) -> tuple[Part, ...]:
        symbolic = type(output) is Symbol
        return tuple([Part(i, loop, symbolic) for i in range(len(inputs))])

    found = Looped("scan", _refuse, rule, slopes=_refuse, listed=False)
    found.loop = loop
    return found


def _refuse(*inputs: float) -> Any:
    raise NotImplementedError


def _entry_rule(output: Any, node: Any) -> tuple[Unit]:
    symbol = output if type(output) is Symbol else output._symbol
    loop = None if type(node) is Symbol else node._op.loop
    return (Unit(place_of(symbol.template), loop),)


ENTRY = Primitive("entry", _refuse, _entry_rule, slopes=_refuse, listed=False)
"""The primitive of one number that a loop makes."""


def nodes_of(
    trace: Any, loop: Any, inputs: Sequence[Operand], symbol: Symbol, made: Sequence[Like]
) -> list[Tracer]:
    """Return the nodes of all numbers that a loop makes, which are as ``made`` says."""
    edges = [isinstance(x, Value) and x._requires_grad and trace.records for x in inputs]
    partials = tuple([nan if edge else None for edge in edges])
    node = trace.node(looped(loop), tuple(inputs), partials, nan, symbol)
    results = []
    for i, (number, kind, needs, _) in enumerate(made):
        found = trace.graph.instruction(entry(i), [symbol])
        found.number = number
        partial = nan if needs and node._requires_grad else None
        results.append(trace.node(ENTRY, (node,), (partial,), number, found, kind))
    return results
