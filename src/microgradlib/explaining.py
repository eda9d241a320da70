"""Backpropagation step by step, and why a gradient is what it is."""

from collections.abc import Iterator, Mapping
from itertools import count
from math import isfinite, log10
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

from microgradlib import value
from microgradlib.errors import GradientError
from microgradlib.graph import (
    Inputs,
    derivatives,
    expression,
    graph_of,
    parameter_names,
    refuse_traced,
    show_number,
)
from microgradlib.modes import locating, locating_context, mode
from microgradlib.rendering import clean
from microgradlib.tracing import user_frame
from microgradlib.value import Located, Value, origin, pull, sweep

SMALL, LARGE = 1e-6, 1e6  # a gradient beyond them is called vanishing or exploding
_LONGEST = 24  # characters of a name
_MOST_STEPS = 60  # of a text


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


class _Log(dict[Value, float]):
    """Adjoints that remember each number that was assigned."""

    def __init__(self, adjoints: Mapping[Value, float]) -> None:
        super().__init__(adjoints)
        self.totals: list[float] = []

    def __setitem__(self, x: Value, total: float) -> None:
        self.totals.append(total)
        super().__setitem__(x, total)


class _Use(NamedTuple):
    """That a node was computed from an input."""

    node: Value
    input: Value
    partial: float | None
    adjoint: float

    @property
    def amount(self) -> float:
        return 0.0 if self.partial is None else self.adjoint * self.partial


_Uses: TypeAlias = dict[Value, list[_Use]]


class Explanation(tuple[Step, ...]):
    """The steps of ``backward()``, in its order; prints as a table. ``explain`` makes it."""

    root: Value
    adjoints: Mapping[Value, float]
    _inputs: Inputs
    _names: dict[Value, str]

    def __str__(self) -> str:
        """Return the table."""
        head = ("step", "node", "data", "gradient", "input", "derivative", "product", "so far")
        rows: list[tuple[str, ...]] = [head]
        for i, step in enumerate(self, 1):
            if len(self) <= _MOST_STEPS or not _MOST_STEPS // 2 < i <= len(self) - 10:
                rows += self._rows(i, step)
            elif rows[-1][0] != "...":
                rows.append(("...",) * len(head))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        left = (1, 4)  # the columns of names
        table = [
            "  ".join(
                cell.ljust(width) if i in left else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        title = f"backward from {self._names[self.root]}: its gradient is 1, all others start at 0"
        leaves = [x for x in self._inputs if x in self.adjoints and not x._op]
        found = [f"{self._names[x]} {show_number(self.adjoints[x])}" for x in leaves]
        return "\n".join([title, "", *table, "", f"gradients of the leaves: {', '.join(found)}"])

    __repr__ = __str__

    def _rows(self, i: int, step: Step) -> Iterator[tuple[str, ...]]:
        first = (str(i), self._show(step.node), *map(show_number, (step.node.data, step.adjoint)))
        for x, *numbers in step.received:
            yield (*first, self._names[x], *map(show_number, numbers))
            first = ("", "", "", "")

    def _show(self, node: Value) -> str:
        """Return a computed node as an assignment."""
        return f"{self._names[node]} = {expression(node, self._names)}"

    def why(self, x: Value) -> str:
        """Say in a sentence or two where the gradient with respect to x comes from.

        >>> x = Value(-2.0, label="x")
        >>> print(explain(x.relu() * 3.0).why(x))
        The gradient with respect to x is 0: t1 = relu(x) did not select x, which is -2.

        It names the operation that is responsible where the gradient is zero, infinite, NaN,
        vanishing (less than 1e-6 in size) or exploding (more than 1e6), and else the path that the
        largest part of it comes along.

        Args:
            x: a Value that the result was computed from.

        Raises:
            TypeError: if ``x`` is not a Value.
        """
        if not isinstance(x, Value):
            raise TypeError(
                f"why: expected a Value, got {x!r}; pass one that the result comes from"
            )
        uses = self._uses()
        if x is not self.root and x not in uses:
            name = clean(x.label, _LONGEST) or f"the Value {show_number(x.data)}"
            return (
                f"There is no gradient with respect to {name}: {self._names[self.root]} was not "
                "computed from it, or the path is cut: by detach(), no_grad(), .data, float(), or "
                "requires_grad = False."
            )
        gradient = self.adjoints.get(x, 0.0)
        start = f"The gradient with respect to {self._names[x]} is {show_number(gradient)}"
        if x is self.root:
            return f"{start}: that is the result itself."
        if not isfinite(gradient):
            return f"{start}: {self._overflow(x, uses)}."
        if gradient == 0.0:
            return f"{start}: {self._end(x, uses)}."
        return f"{start}{self._main_path(x, uses)}."

    def _uses(self) -> _Uses:
        """Return for each node where it is used."""
        uses: _Uses = {}
        for node, xs in self._inputs.items():
            adjoint = self.adjoints.get(node, 0.0)
            for x, partial in zip(xs, derivatives(node, xs), strict=True):
                uses.setdefault(x, []).append(_Use(node, x, partial, adjoint))
        return uses

    def _derivative(self, use: _Use) -> str:
        made, name = f"{self._show(use.node)}{origin(use.node)}", self._names[use.input]
        if use.partial is None:
            return f"{made} did not select {name}, which is {show_number(use.input.data)}"
        slope = f"has derivative {show_number(use.partial)} with respect to {name}"
        return f"{made} {slope}, which is {show_number(use.input.data)}"

    def _product(self, use: _Use) -> str:
        factors = f"{show_number(use.adjoint)} * {show_number(use.partial)}"
        return f"{factors} at {self._show(use.node)}{origin(use.node)}"

    def _end(self, x: Value, uses: _Uses) -> str:
        """Say where all paths to x end, or that they cancel."""
        reasons: list[str] = []
        pending, seen = [x], {x}
        while pending:
            node = pending.pop()
            amounts = []
            for use in uses[node]:
                if use.amount != 0.0:
                    amounts.append(f"{show_number(use.amount)} from {self._show(use.node)}")
                elif use.adjoint == 0.0:
                    if use.node not in seen:
                        seen.add(use.node)
                        pending.append(use.node)
                elif not use.partial:
                    reasons.append(self._derivative(use))
                else:
                    reasons.append(f"{self._product(use)} is too small for a float")
            if amounts:
                reasons.append(f"what {self._names[node]} receives cancels, {_listed(amounts)}")
        return _listed(reasons)

    def _overflow(self, x: Value, uses: _Uses) -> str:
        """Say where the first number on a path to x that is not finite comes from."""
        bad = [use for use in uses[x] if not isfinite(use.amount)]
        while bad and not isfinite(bad[0].adjoint):
            x = bad[0].node
            bad = [use for use in uses[x] if not isfinite(use.amount)]
        if not bad:
            return f"the sum of what {self._names[x]} receives is too large for a float"
        if isfinite(bad[0].partial or 0.0):
            return f"{self._product(bad[0])} is too large for a float"
        reason = self._derivative(bad[0])
        for first in self._inputs:
            if not isfinite(first.data):
                what = self._show(first) if first._op else self._names[first]
                return f"{reason}; the first value that is not finite is {what}{origin(first)}"
        return reason

    def _main_path(self, x: Value, uses: _Uses) -> str:
        """Say along which path the gradient comes, and which operation makes its size."""
        path: list[_Use] = []
        while not path or path[-1].node is not self.root:
            at = path[-1].node if path else x
            path.append(max(uses[at], key=lambda use: abs(use.amount)))
        gradient = abs(self.adjoints[x])
        sizes = [log10(abs(use.partial or 1.0)) for use in path]
        size = sum(sizes)  # of what comes along it
        names = [self._names[use.input] for use in path] + [self._names[self.root]]
        factors = [show_number(use.partial) for use in path]
        if len(path) > 8:
            names[4:-4] = factors[4:-4] = ["..."]
        along = f"along {' -> '.join(names)}: {' * '.join(factors)}"
        if SMALL <= gradient <= LARGE:
            share = "most of it" if size > log10(gradient / 2.0) else "the largest part of it"
            return f", {share} {along}"
        extreme = min if gradient < SMALL else max
        word = "vanishing" if gradient < SMALL else "exploding"
        if size > log10(gradient) + log10(LARGE):
            return f", {word}: paths cancel, the largest of them {along}"
        totals: dict[str, float] = {}  # by operation, the logarithm of the product of derivatives
        for use, part in zip(path, sizes, strict=True):
            operation = str(use.node._op)
            totals[operation] = totals.get(operation, 0.0) + part
        if log10(gradient) > size + log10(LARGE) / 2:
            return f", {word}: no single path is large, but very many of them add up"
        operation = extreme(totals, key=totals.__getitem__)
        those = [use for use in path if use.node._op == operation]
        return (
            f", {word}: on the path of {len(path)} steps that most of it comes along, {operation} "
            f"({len(those)} times) multiplies it by 10**{totals[operation]:.1f}; "
            f"{self._derivative(extreme(those, key=lambda use: abs(use.partial or 1.0)))}"
        )


def _listed(reasons: list[str]) -> str:
    more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return "; ".join(reasons[:3]) + more


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

    A node passes its gradient on to its inputs when all that use it have been through: nodes are
    visited in the reverse of the order in which they were computed. Those without a label are
    called t1, t2, ... in the order of computation, leaves x1, x2, ...

    Args:
        v: the result.
        model: a module whose parameters are called by their names in it.

    Raises:
        TypeError: if ``v`` is not a Value, or ``model`` not a module.
        GradientError: if ``v`` is a constant.
        CompileError: in a function that is being compiled.
    """
    if not isinstance(v, Value):
        raise TypeError(f"explain: expected a Value, got {v!r}; call explain(loss)")
    if not v.requires_grad:
        raise GradientError(
            f"explain: {v!r} is a constant and has no gradient; explain a value computed from leaf "
            "Values"
        )
    refuse_traced("explain", [v])
    names = parameter_names("explain", model)
    order, adjoints = sweep((v,))
    adjoints[v] = 1.0
    log = _Log(adjoints)
    pull(order, log)
    totals = iter(log.totals)
    explanation = Explanation(
        Step(
            node,
            log[node],
            tuple(
                [
                    Received(x, partial, log[node] * partial, next(totals))
                    for x, partial in zip(node._prev, node._partials, strict=True)
                ]
            ),
        )
        for node in reversed(order)
    )
    explanation.root, explanation.adjoints, explanation._inputs = v, log, graph_of((v,))
    leaves = [x for x in explanation._inputs if not x._op]
    nodes = [x for x in explanation._inputs if x._op]
    shown = {
        x: clean(x.label, _LONGEST) or clean(names.get(x, ""), _LONGEST) for x in (*leaves, *nodes)
    }
    taken = {*shown.values()}
    for letter, xs in (("x", leaves), ("t", nodes)):
        for i, x in enumerate(xs, 1):
            if not shown[x]:
                shown[x] = next(name for k in count(i) if (name := f"{letter}{k}") not in taken)
                taken.add(shown[x])
    explanation._names = shown
    return explanation


# Where nodes are made. While some context is active, the counter of serial numbers is one that
# records the line; the counter is looked up anyway, so that this costs nothing at other times.

_plain_serial = value.next_serial
_lock = Lock()
_active = 0


def _located_serial() -> int:
    if not locating():
        return _plain_serial()
    frame = user_frame()
    serial = Located(_plain_serial())
    serial.place = frame.f_code.co_filename, frame.f_lineno
    return serial


@mode
def detect_anomaly() -> Iterator[None]:
    """Record the line of source that makes each Value, and name it in errors and explanations.

    >>> with detect_anomaly():
    ...     y = Value(0.0, label="x").sqrt()
    >>> try:
    ...     y.backward()
    ... except value.NonFiniteError as error:
    ...     print(str(error).split(" (")[0])
    backward: the derivative of sqrt(x) with respect to x is inf

    The rest of that message is the file, the number of the line and its text. Also a decorator. It
    holds for the current thread or asyncio task only; recording takes several times as long as
    computing does.
    """
    global _active
    token = locating_context.set(True)
    try:
        with _lock:
            _active += 1
            value.next_serial = _located_serial
        yield
    finally:
        with _lock:
            _active -= 1
            if not _active:
                value.next_serial = _plain_serial
        locating_context.reset(token)
