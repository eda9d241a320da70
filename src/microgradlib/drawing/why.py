"""Explanations of a gradient: which operation makes it zero, infinite, tiny or large."""

from collections.abc import Callable, Mapping
from math import isfinite, log10
from typing import Any, NamedTuple

from microgradlib.core.nonfinite import origin
from microgradlib.core.value import Value
from microgradlib.drawing.graph import Graph
from microgradlib.drawing.text import LONGEST_NAME, assignment, clean, show_number

SMALL, LARGE = 1e-6, 1e6  # a gradient beyond them is called vanishing or exploding


class _Use(NamedTuple):
    """An edge of the graph, seen from the input.

    Attributes:
        node: the node that was computed from the input.
        input: the input.
        partial: the derivative of the node with respect to it, None if it was not selected.
        adjoint: the gradient of the result with respect to the node.
    """

    node: Value
    input: Value
    partial: float | None
    adjoint: float

    @property
    def amount(self) -> float:
        """What the input receives."""
        return 0.0 if self.partial is None else self.adjoint * self.partial

    @property
    def size(self) -> float:
        """The absolute value of a derivative that is not 0."""
        return abs(self.partial or 1.0)


class Reasons:
    """The gradients of one result, and where each of them comes from."""

    def __init__(
        self, root: Value, graph: Graph, adjoints: Mapping[Value, float], names: Mapping[Value, str]
    ) -> None:
        """Find the uses of each node; the gradient is 0 where adjoints has none."""
        self.root = root
        self.graph = graph
        self.adjoints = adjoints
        self.names = names
        self.uses: dict[Value, list[_Use]] = {}
        for node, edges in graph.items():
            adjoint = adjoints.get(node, 0.0)
            for x, partial in zip(*edges, strict=True):
                self.uses.setdefault(x, []).append(_Use(node, x, partial, adjoint))

    def why(self, x: Value) -> str:
        """Return a sentence or two about the gradient with respect to x."""
        if x not in self.graph:
            name = clean(x.label, LONGEST_NAME) or f"the Value {show_number(x.data)}"
            start = f"There is no gradient with respect to {name}: {self.names[self.root]} was not "
            if decision := getattr(x._serial, "decision", ""):
                return (
                    f"{start}computed from it, but a decision looked at it{decision}. Comparisons, "
                    "if, and, or, max take Values or leave them out, and have no derivative; "
                    "compute with functions in their place, such as maximum and sigmoid."
                )
            return (
                f"{start}computed from it, or the path is cut: by detach(), no_grad(), .data, "
                "float(), requires_grad = False, or by if, and, or, max, which leave a Value out."
                " With the forward pass under detect_anomaly(), why names the line of such an if."
            )
        gradient = self.adjoints.get(x, 0.0)
        start = f"The gradient with respect to {self.names[x]} is {show_number(gradient)}"
        if x is self.root:
            return f"{start}: that is the result itself."
        if not isfinite(gradient):
            return f"{start}: {self._nonfinite(x)}."
        if gradient == 0.0:
            return f"{start}: {self._zero(x)}."
        return f"{start}, {self._nonzero(x)}."

    def _zero(self, x: Value) -> str:
        """Say where all paths from x end, or that they cancel."""
        reasons: list[str] = []
        off: list[_Use] = []  # of a relu that is not on
        pending, seen = [x], {x}
        while pending:
            node = pending.pop()
            amounts = []
            for use in self.uses[node]:
                if use.amount != 0.0:
                    amounts.append(f"{show_number(use.amount)} from {self._show(use.node)}")
                elif use.adjoint == 0.0:
                    if use.node not in seen:
                        seen.add(use.node)
                        pending.append(use.node)
                elif not use.partial:
                    reasons.append(self._derivative(use))
                    if use.partial is None and use.node._op == "relu":
                        off.append(use)
                else:
                    reasons.append(f"{self._product(use)} is too small for a float")
            if amounts:
                reasons.append(f"what {self.names[node]} receives cancels, {_listed(amounts)}")
        if len(off) == len(reasons) > 1:
            inputs = [use.input.data for use in off]
            extent = f"{show_number(min(inputs))} to {show_number(max(inputs))}"
            one = f"one is {self._show(off[0].node)}{origin(off[0].node)}"
            return f"a dead relu, off all {len(off)} times, for inputs from {extent}; {one}"
        return _listed(reasons)

    def _nonfinite(self, x: Value) -> str:
        """Say where the first gradient on a path to x that is not finite comes from."""
        bad = self._nonfinite_uses(x)
        while bad and not isfinite(bad[0].adjoint):
            x = bad[0].node
            bad = self._nonfinite_uses(x)
        if not bad:
            return f"the sum of what {self.names[x]} receives is too large for a float"
        if isfinite(bad[0].partial or 0.0):
            return f"{self._product(bad[0])} is too large for a float"
        reason = self._derivative(bad[0])
        for node in self.graph:
            if not isfinite(node.data):
                what = self._show(node) if node._op else self.names[node]
                return f"{reason}; the first value that is not finite is {what}{origin(node)}"
        return reason

    def _nonfinite_uses(self, x: Value) -> list[_Use]:
        return [use for use in self.uses[x] if not isfinite(use.amount)]

    def _nonzero(self, x: Value) -> str:
        """Say along which path the gradient comes, and what makes it tiny or large."""
        gradient = abs(self.adjoints[x])
        path = self._main_path(x)
        if gradient < SMALL:
            return f"vanishing: {self._extreme(gradient, path, min)}"
        if gradient > LARGE:
            return f"exploding: {self._extreme(gradient, path, max)}"
        most = _magnitude(path) > log10(gradient / 2.0)
        return f"{'most' if most else 'the largest part'} of it {self._along(path)}"

    def _main_path(self, x: Value) -> list[_Use]:
        """Return the path from x to the result that takes the largest amount at each node."""
        path: list[_Use] = []
        while x is not self.root:
            path.append(max(self.uses[x], key=lambda use: abs(use.amount)))
            x = path[-1].node
        return path

    def _extreme(self, gradient: float, path: list[_Use], extreme: Callable[..., Any]) -> str:
        """Say which operation makes a gradient vanish, by ``min``, or explode, by ``max``."""
        size = _magnitude(path)
        if size > log10(gradient) + log10(LARGE):
            return f"paths cancel, the largest of them {self._along(path)}"
        if log10(gradient) > size + log10(LARGE) / 2:
            return "no single path is large, but very many of them add up"
        by_operation: dict[str, list[_Use]] = {}
        for use in path:
            by_operation.setdefault(str(use.node._op), []).append(use)
        magnitudes = {operation: _magnitude(uses) for operation, uses in by_operation.items()}
        operation = extreme(magnitudes, key=magnitudes.__getitem__)
        uses = by_operation[operation]
        return (
            f"on the path of {len(path)} steps that most of it comes along, {operation} "
            f"({len(uses)} times) multiplies it by 10**{magnitudes[operation]:.1f}; "
            f"{self._derivative(extreme(uses, key=lambda use: use.size))}"
        )

    def _along(self, path: list[_Use]) -> str:
        """Return the nodes of a path and the derivatives between them."""
        names = [self.names[use.input] for use in path] + [self.names[self.root]]
        factors = [show_number(use.partial) for use in path]
        if len(path) > 8:
            names[4:-4] = factors[4:-4] = ["..."]
        return f"along {' -> '.join(names)}: {' * '.join(factors)}"

    def _show(self, node: Value) -> str:
        return assignment(node, self.names)

    def _derivative(self, use: _Use) -> str:
        made, name = f"{self._show(use.node)}{origin(use.node)}", self.names[use.input]
        if use.partial is None:
            return f"{made} did not select {name}, which is {show_number(use.input.data)}"
        derivative = f"derivative {show_number(use.partial)} with respect to {name}"
        return f"{made} has {derivative}, which is {show_number(use.input.data)}"

    def _product(self, use: _Use) -> str:
        factors = f"{show_number(use.adjoint)} * {show_number(use.partial)}"
        return f"{factors} at {self._show(use.node)}{origin(use.node)}"


def _magnitude(path: list[_Use]) -> float:
    """Return the decimal logarithm of the size of the product of the derivatives."""
    return sum(log10(use.size) for use in path)


def _listed(reasons: list[str]) -> str:
    """Return the first three reasons, and how many more there are."""
    more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return "; ".join(reasons[:3]) + more
