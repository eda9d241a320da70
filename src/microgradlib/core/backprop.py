"""Backpropagation: the order of nodes, and the chain rule.

A node has ``_inputs``, the operands it was computed from, and ``_partials``: for each of them the
partial derivative, or None where no gradient flows.
"""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from microgradlib.core import table
from microgradlib.core.nonfinite import Node, check_sums, describe, refuse_nonfinite
from microgradlib.errors import GradientError
from microgradlib.modes import active_inputs

Partials: TypeAlias = Callable[[Node], Sequence[Any]]
"""What gives the partials of a node: floats, Values or symbols, and None."""

by_serial = attrgetter("_serial")
float_partials: Partials = attrgetter("_partials")


def topological_order(
    roots: Iterable[Node], inputs: Iterable[Node] = (), since: int = 0
) -> list[Node]:
    """Return the computed nodes that roots depend on, and the roots, inputs before outputs.

    The search stops at ``inputs`` and at what is older, or older than the serial number ``since``:
    it cannot depend on them.
    """
    seen = {*inputs}
    oldest = min(map(by_serial, seen)) if seen else since
    pending = []
    for root in roots:
        if root._op and root not in seen:
            seen.add(root)
            pending.append(root)
    order = []
    while pending:
        node = pending.pop()
        if node._serial >= oldest:
            order.append(node)
            partials = node._partials
            i = 0
            for x in node._inputs:
                if partials[i] is not None and x not in seen:
                    seen.add(x)
                    if x._op:
                        pending.append(x)
                i += 1  # noqa: SIM113 (faster than enumerate and zip)
    order.sort(key=by_serial)
    return order


def pull(
    order: Sequence[Node], adjoints: dict[Node, Any], partials: Partials = float_partials
) -> None:
    """Complete the adjoints of some nodes, by the chain rule, to those of all they depend on.

    Reverse-mode accumulation as in Griewank and Walther, "Evaluating Derivatives" (2008), section
    3.2. Adjoints are floats, or whatever the partials are.
    """
    for node in reversed(order):
        adjoint = adjoints[node]
        found = partials(node)
        i = 0
        for x in node._inputs:
            partial = found[i]
            if partial is not None:
                if x in adjoints:
                    adjoints[x] += adjoint * partial
                else:
                    adjoints[x] = adjoint * partial
            i += 1  # noqa: SIM113 (likewise)


def push(
    order: Sequence[Node], tangents: dict[Node, Any], partials: Partials = float_partials
) -> None:
    """Complete the tangents of some nodes to those of all that depend on them: the mirror image."""
    for node in order:
        edges = zip(node._inputs, node._partials, strict=True)
        reached = [partial is not None and x in tangents for x, partial in edges]
        if True in reached:
            for x, partial, known in zip(node._inputs, partials(node), reached, strict=True):
                if partial is not None and known:
                    term = tangents[x] * partial
                    tangents[node] = tangents[node] + term if node in tangents else term


def accumulate(root: Node, seed: Any, partials: Partials = float_partials) -> None:
    """Write the adjoints of all that root depends on into ``grad``: all of them or none.

    The seed is 1, the adjoint of root: a float, or a Value where adjoints are to be recorded.
    """
    order = topological_order((root,))
    adjoints = {root: seed}
    pull(order, adjoints, partials)
    if type(seed) is float and (active := active_inputs()) and not active.isdisjoint(adjoints):
        raise GradientError(
            "backward: the result depends on an argument of a function that is being "
            "differentiated, and its gradients would count as constants; use create_graph=True, "
            "or grad"
        )
    computed = [*map(adjoints.pop, order)]  # what is left are the adjoints of leaves
    numbers = adjoints if type(seed) is float else {x: a._data for x, a in adjoints.items()}
    # A finite sum means that each term is finite; the rare other case is looked at closely.
    if not isfinite(sum(numbers.values(), root._data)):
        wanted = [x for x in numbers if x._requires_grad]
        inner = zip(order, [getattr(a, "data", a) for a in computed], strict=True)
        refuse_nonfinite("backward", (root,), wanted, order, {**dict(inner), **numbers})
    for x in adjoints:
        if x._grad:
            check_sums([(x, a) for x, a in adjoints.items() if x._grad and x._requires_grad])
            break
    for node, adjoint in zip(order, computed):  # noqa: B905 (this is hot)
        node._grad = adjoint
    if selecting := [node for node in order if node._op.selects]:
        adjoints = dict.fromkeys(unselected(selecting, {*order}), 0.0) | adjoints
    for x, adjoint in adjoints.items():
        if x._requires_grad:  # in one statement, so that no thread gets in between
            x._grad = (0.0 if x._grad is None else x._grad) + adjoint


def unselected(pending: list[Node], known: set[Node]) -> list[Node]:
    """Return the leaves behind inputs that were not selected, as from there they get a 0."""
    leaves: list[Node] = []
    while pending:
        for x in pending.pop()._inputs:
            if type(x) is not float and x._requires_grad and x not in known:
                known.add(x)
                (pending if x._op else leaves).append(x)
    return leaves


class Gated(NamedTuple):
    """A partial of a selection: 0 times anything is 0, as nothing flows."""

    partial: Any

    def __rmul__(self, adjoint: Any) -> Any:
        return table.gate(adjoint, self.partial)


def partials_with_edges(node: Node, found: Sequence[Any]) -> list[Any]:
    """Return what the rule of a node gave, as partials of its edges alone."""
    kept = [p if q is not None else None for p, q in zip(found, node._partials, strict=True)]
    n = node._op.selects
    return [None if p is None else Gated(p) for p in kept[:n]] + kept[n:]


def partial_values(node: Node) -> Sequence[Any]:
    """Return the partials of a node as functions of its inputs: its rule, read on Values."""
    primitive, inputs = node._op, node._inputs
    y, now = primitive.value_and_partials(*[x if type(x) is float else x._data for x in inputs])
    now = [p if kept is not None else None for p, kept in zip(now, node._partials, strict=True)]
    if repr((y, *now)) != repr((node._data, *node._partials)):  # NaN is NaN, and 0 is not -0
        raise GradientError(
            f"create_graph: data was edited since {describe(node)} = {node._data} was computed, or "
            "it comes out different each time; compute it again, and edit data only after "
            "differentiating"
        )
    try:
        return partials_with_edges(node, primitive.rule(node, *inputs))
    except TypeError as error:
        raise GradientError(
            f"create_graph: the rule for the partials of {primitive} does not take Values "
            f"({error}); write it with operators and functions of microgradlib"
        ) from error
