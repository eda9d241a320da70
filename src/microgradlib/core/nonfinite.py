"""Find and name the first infinite or NaN number of a backward pass."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import isfinite
from typing import Any, TypeAlias

from microgradlib.errors import NonFiniteError, short, shorten
from microgradlib.modes import nonfinite_allowed
from microgradlib.notes import lr_hint

Node: TypeAlias = Any


def origin(node: Node) -> str:
    """Return the line of source that made a node, if ``detect_anomaly()`` was on."""
    return getattr(node._serial, "origin", "")


def describe(node: Node) -> str:
    """Return the label and the operation of a node, or its number if it is a leaf."""
    name = f"{short(node._label)} = " if node._label else ""
    if not node._op:
        return f"{name}{node.data}"
    operands = [x if type(x) is float else shorten(x._label or x.data, 40) for x in node._inputs]
    return f"{name}{node._op.show(*operands)}"


def refuse_nonfinite(
    function: str,
    roots: Iterable[Node],
    wanted: Iterable[Node],
    order: Sequence[Node],
    adjoints: Mapping[Node, float],
) -> None:
    """Name the first bad number, unless the roots and the adjoints of those wanted are finite."""
    numbers = [*[y.data for y in roots], *[adjoints.get(x, 0.0) for x in wanted]]
    if nonfinite_allowed() or all(map(isfinite, numbers)):
        return
    reason = next(_nonfinite(order, adjoints))
    raise NonFiniteError(f"{function}: {reason}; use allow_nonfinite() to accept such results")


def _nonfinite(order: Sequence[Node], adjoints: Mapping[Node, float]) -> Iterator[str]:
    known = {*order}
    nodes = [*[x for x in adjoints if x not in known], *order]
    for node in nodes:  # values and partials in the order of the forward pass
        if not isfinite(node.data):
            leaf = f"the leaf {short(node._label)}" if node._label else "a leaf"
            which = f"{describe(node) if node._op else leaf} is {node.data}"
            hint = lr_hint([getattr(x, "data", x) for x in node._inputs])
            yield f"the value of {which}{origin(node)}{hint}"
        for x, partial in zip(node._inputs, node._partials, strict=True):
            if partial is not None and not isfinite(partial):
                which = f"{describe(node)} with respect to {shorten(x._label or x.data)}"
                yield f"the derivative of {which} is {partial}{origin(node)}"
    for node in reversed(nodes):  # then adjoints in the order of the backward pass
        if not isfinite(adjoints.get(node, 0.0)):
            which = f"{describe(node)} is {adjoints[node]}"
            yield f"the gradient with respect to {which}{origin(node)}"


def check_sums(pairs: Sequence[tuple[Node, Any]]) -> None:
    """Raise unless new gradients of leaves can be added to those that are there."""
    with suppress(TypeError, ValueError, OverflowError):  # of Values, too
        if isfinite(sum([x._grad + gradient for x, gradient in pairs], 0.0)):
            return
    for leaf, gradient in pairs:
        there = leaf._grad
        try:
            total, old, new = [getattr(g, "data", g) for g in (there + gradient, there, gradient)]
            finite = isfinite(total)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(
                f"backward: the gradient with respect to {describe(leaf)} was set to "
                f"{short(there)}, to which no number can be added; set it to 0.0 or None"
            ) from None
        if not (finite or nonfinite_allowed()):
            raise NonFiniteError(
                f"backward: the gradient with respect to {describe(leaf)} is {new} and would add "
                f"up to {total} with the {old} that is there; set that to 0.0 first, or use "
                "allow_nonfinite() to accept such results"
            )
