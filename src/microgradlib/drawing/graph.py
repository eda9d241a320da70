"""The graph behind a Value, as drawings and explanations read it.

Other modules of this room read only ``_op`` and ``_inputs`` of a node.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from microgradlib.core.backprop import by_serial, pull, topological_order
from microgradlib.core.value import Value


class Edges(NamedTuple):
    """The edges of a node, as a tuple of inputs and one of derivatives: ``zip(*edges)`` pairs them.

    Attributes:
        inputs: the differentiable operands.
        partials: the derivative of the node with respect to each, None for one that it did not
            select, as ``relu`` below 0.
    """

    inputs: tuple[Value, ...]
    partials: tuple[float | None, ...]


Graph: TypeAlias = dict[Value, Edges]
"""Nodes, inputs first, with their edges."""


def edges_of(node: Value) -> Edges:
    """Return the edges of a node.

    Backpropagation has no edge to an input that was not selected. Here it has one, so that a reader
    sees where the path ends.

    >>> x, y = Value(1.0), Value(2.0)
    >>> edges_of(x * y) == ((x, y), (2.0, 1.0))
    True
    >>> edges_of((-x).relu()).partials
    (None,)
    """
    found = [
        (x, partial)
        for x, partial in zip(node._inputs, node._partials, strict=True)
        if partial is not None or (node._op.selects and isinstance(x, Value) and x.requires_grad)
    ]
    return Edges(tuple([x for x, _ in found]), tuple([partial for _, partial in found]))


def graph_of(roots: Iterable[Value]) -> Graph:
    """Return all nodes that the roots were computed from, and the roots."""
    graph: Graph = {}
    pending = [*roots]
    while pending:
        node = pending.pop()
        if node not in graph:
            graph[node] = edges_of(node)
            pending += [x for x in graph[node].inputs if x not in graph]
    return {node: graph[node] for node in sorted(graph, key=by_serial)}


def backward_pass(roots: Sequence[Value]) -> tuple[list[Value], dict[Value, float]]:
    """Return what ``backward()`` of the sum of the roots computes, without writing any ``grad``.

    Returns:
        The computed nodes in the order in which they pass their gradients on, and the gradient of
        the sum with respect to every node.
    """
    order = topological_order(roots)
    adjoints = dict.fromkeys(roots, 1.0)
    pull(order, adjoints)
    return order[::-1], adjoints
