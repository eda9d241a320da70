"""``explain`` and ``Explanation``: backpropagation step by step."""

import os
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import count
from typing import Any, NamedTuple

from microgradlib.core.value import Value
from microgradlib.drawing.files import save_as
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
_HEAD = ("step", "node", "data", "gradient", "input", "derivative", "product", "so far")
_LEFT = (1, 4)  # columns of names
_STYLE = (
    "body{font-family:sans-serif} th,td{padding:2px 8px} tr:nth-child(even){background:#f2f2f2}"
)


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
        first, last = self._ends()
        return "\n".join([first, "", *_table([_HEAD, *self._shown()]), "", last])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the table for Jupyter."""
        first, last = (f"<p>{escape(text)}</p>" for text in self._ends())
        rows = [_html_row("td", row) for row in self._shown()]
        head, body = f"<thead>{_html_row('th', _HEAD)}</thead>", "\n".join(rows)
        return f"{first}\n<table>{head}<tbody>\n{body}\n</tbody></table>\n{last}\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table to a file; a crash in the middle leaves an old file unchanged.

        The suffix tells the format: .txt; .html or .htm.

        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     explain(Value(2.0, label="x") * 3.0).save(Path(folder, "steps.txt"))
        ...     print(Path(folder, "steps.txt").read_text().splitlines()[0])
        backward from t1: its gradient is 1, all others start at 0

        Args:
            path: the name of the file.

        Raises:
            TypeError: if ``path`` is not a file name.
            ValueError: if the suffix is none of these.
            OSError: if the file cannot be written.
        """
        formats = {".txt": self._text, ".html": self._page, ".htm": self._page}
        save_as("Explanation.save", path, formats)

    def _text(self) -> str:
        return f"{self}\n"

    def _page(self) -> str:
        title = escape(f"backward from {self._names[self.root]}")
        head = f'<meta charset="utf-8">\n<title>{title}</title>\n<style>{_STYLE}</style>'
        return f"<!DOCTYPE html>\n{head}\n{self._repr_html_()}"

    def _ends(self) -> tuple[str, str]:
        """Return what is said above and below the table."""
        leaves = [x for x in self._graph if x in self.adjoints and not x._op]
        found = [f"{self._names[x]} {show_number(self.adjoints[x])}" for x in leaves]
        first = f"backward from {self._names[self.root]}: its gradient is 1, all others start at 0"
        return first, f"gradients of the leaves: {', '.join(found)}"

    def _shown(self) -> Iterator[tuple[str, ...]]:
        """Yield the rows of the table, without those in the middle of a long one."""
        for i, step in enumerate(self, 1):
            if len(self) <= _MOST_STEPS or not _MOST_STEPS // 2 < i <= len(self) - 10:
                yield from self._rows(i, step)
            elif i == _MOST_STEPS // 2 + 1:
                yield ("...",) * len(_HEAD)

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


def _html_row(tag: str, row: Sequence[str]) -> str:
    """Return a row of a table in HTML, aligned as in the text."""
    cells = [
        f'<{tag} style="text-align:{"left" if i in _LEFT else "right"}">{escape(cell)}</{tag}>'
        for i, cell in enumerate(row)
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines; columns of names are aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i in _LEFT else cell.rjust(width)
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
    order, adjoints = backward_pass([v])
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
