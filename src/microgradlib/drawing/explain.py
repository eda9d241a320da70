"""``explain`` and ``Explanation``: backpropagation step by step."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from microgradlib.core.value import Value
from microgradlib.drawing.graph import Graph, backward_pass, graph_of
from microgradlib.drawing.text import (
    LONGEST_NAME,
    assignment,
    clean,
    parameter_names,
    show_number,
)
from microgradlib.drawing.why import Reasons
from microgradlib.errors import GradientError, short
from microgradlib.interpreters import current

_MOST_STEPS = 60  # of a table


class Received(NamedTuple):
    """What an input received from a node.

    Attributes:
        node: the input.
        partial: the derivative of the node with respect to it.
        amount: the gradient of the node times that.
        total: the gradient of the input so far.
    """

    node: Value
    partial: float
    amount: float
    total: float


class Step(NamedTuple):
    """One step of ``backward()``: a node passes its gradient on to its inputs.

    Attributes:
        node: the node.
        adjoint: the gradient of the result with respect to it.
        received: what each input received, in order.
    """

    node: Value
    adjoint: float
    received: tuple[Received, ...]


class Explanation(tuple[Step, ...]):
    """The steps of ``backward()``, in its order; prints as a table. ``explain`` makes it.

    Attributes:
        root: the result.
        adjoints: the gradient of the result with respect to each node.
    """

    root: Value
    adjoints: Mapping[Value, float]
    _graph: Graph
    _names: Mapping[Value, str]

    def __str__(self) -> str:
        """Return the table."""
        head = ("step", "node", "data", "gradient", "input", "derivative", "product", "so far")
        rows: list[tuple[str, ...]] = [head]
        for i, step in enumerate(self, 1):
            if len(self) <= _MOST_STEPS or not _MOST_STEPS // 2 < i <= len(self) - 10:
                rows += self._rows(i, step)
            elif rows[-1][0] != "...":
                rows.append(("...",) * len(head))
        title = f"backward from {self._names[self.root]}: its gradient is 1, all others start at 0"
        leaves = [x for x in self._graph if x in self.adjoints and not x._op]
        found = [f"{self._names[x]} {show_number(self.adjoints[x])}" for x in leaves]
        last = f"gradients of the leaves: {', '.join(found)}"
        return "\n".join([title, "", *_table(rows, left=(1, 4)), "", last])

    __repr__ = __str__

    def _rows(self, i: int, step: Step) -> Iterator[tuple[str, ...]]:
        """Yield a row for each input of a step, or one that says so; the first tells the node."""
        node = assignment(step.node, self._names)
        first = (str(i), node, show_number(step.node.data), show_number(step.adjoint))
        if not step.received:
            yield (*first, "none is selected", "", "", "")
        for x, *numbers in step.received:
            yield (*first, self._names[x], *map(show_number, numbers))
            first = ("", "", "", "")

    def why(self, x: Value) -> str:
        """Say in a sentence or two where the gradient with respect to x comes from.

        >>> x = Value(-2.0, label="x")
        >>> print(explain(x.relu() * 3.0).why(x))
        The gradient with respect to x is 0: t1 = relu(x) did not select x, which is -2.

        It names the operation that makes the gradient zero, infinite, NaN, vanishing (less than
        1e-6 in size) or exploding (more than 1e6). Otherwise it names the path along which the
        largest part of the gradient comes.

        Args:
            x: a Value that the result was computed from.

        Raises:
            TypeError: if ``x`` is not a Value.
        """
        if not isinstance(x, Value):
            raise TypeError(
                f"why: expected a Value, got {short(x)}; pass one that the result comes from"
            )
        return Reasons(self.root, self._graph, self.adjoints, self._names).why(x)


def _table(rows: Sequence[Sequence[str]], left: Sequence[int]) -> list[str]:
    """Return rows as lines; columns are aligned right, those numbered in ``left`` left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def explain(v: Value, *, model: Any = None) -> Explanation:
    """Return the steps of ``v.backward()``, without doing them: no ``grad`` changes.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> c = a * b + a
    >>> print(explain(c))
    backward from t2: its gradient is 1, all others start at 0
    <BLANKLINE>
    step  node         data  gradient  input  derivative  product  so far
       1  t2 = t1 + a    -4         1  t1              1        1       1
                                       a               1        1       1
       2  t1 = a * b     -6         1  a              -3       -3      -2
                                       b               2        2       2
    <BLANKLINE>
    gradients of the leaves: a -2, b 2
    >>> [step.node.data for step in explain(c)]
    [-4.0, -6.0]
    >>> print(explain(c).why(b))
    The gradient with respect to b is 2, most of it along b -> t1 -> t2: 2 * 1.

    A node passes its gradient on after all nodes that use it have done so: nodes are visited in the
    reverse of the order in which they were computed. Nodes without a label are called t1, t2, ...
    in the order of computation, leaves x1, x2, ...

    Args:
        v: the result.
        model: a module whose parameters are called by their names in it.

    Raises:
        TypeError: if ``v`` is not a Value, or ``model`` not a module.
        GradientError: if ``v`` is a constant.
        CompileError: in a function that is being compiled.
    """
    if not isinstance(v, Value):
        raise TypeError(f"explain: expected a Value, got {short(v)}; call explain(loss)")
    if not v.requires_grad:
        raise GradientError(
            f"explain: {short(v)} is a constant and has no gradient; explain a value computed from "
            "leaf Values"
        )
    current().forbid("explain()", "explain what a call of it returns")
    names = parameter_names("explain", model)
    graph = graph_of([v])
    order, adjoints = backward_pass(v)
    explanation = Explanation(_steps(graph, order, adjoints))
    explanation.root, explanation.adjoints = v, adjoints
    explanation._graph, explanation._names = graph, _complete(names, graph)
    return explanation


def _steps(graph: Graph, order: Sequence[Value], adjoints: Mapping[Value, float]) -> Iterator[Step]:
    totals = dict.fromkeys(graph, 0.0)  # what each node has received so far
    for node in order:
        received = []
        for x, partial in zip(*graph[node], strict=True):
            if partial is not None:
                amount = adjoints[node] * partial
                totals[x] += amount
                received.append(Received(x, partial, amount, totals[x]))
        yield Step(node, adjoints[node], tuple(received))


def _complete(names: Mapping[Value, str], graph: Graph) -> dict[Value, str]:
    """Return a name for each node: its label, or its name in the model, or one of its own."""
    leaves = [x for x in graph if not x._op]
    nodes = [x for x in graph if x._op]
    shown = {
        x: clean(x.label, LONGEST_NAME) or clean(names.get(x, ""), LONGEST_NAME)
        for x in (*leaves, *nodes)
    }
    taken = {*shown.values()}
    for letter, xs in (("x", leaves), ("t", nodes)):
        for i, x in enumerate(xs, 1):
            if not shown[x]:
                shown[x] = next(name for k in count(i) if (name := f"{letter}{k}") not in taken)
                taken.add(shown[x])
    return shown
