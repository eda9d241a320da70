"""Drawings of the graph that a Value was computed by."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from math import isfinite
from operator import itemgetter
from typing import Any, TypeAlias

from microgradlib import rendering
from microgradlib.errors import CompileError
from microgradlib.layout import UNGROUPED
from microgradlib.rendering import Box, Edge, Picture, clean
from microgradlib.serialization import checked_path, write_text
from microgradlib.value import Operand, Value, by_serial

ENGINES = (None, "dot", "builtin")
_LONGEST = 28  # characters of a title
_MOST_BOXES = 60  # of a summary by operation
_RANGES = 8  # of a summary by depth


class Drawing:
    """A drawing of a graph: Jupyter shows it, ``save`` writes it to a file.

    ``draw`` makes it. It holds the numbers as they were then, and not the graph.

    Attributes:
        boxes: what stands for nodes, inputs first: named tuples with a ``title`` and ``lines``.
        edges: named tuples of ``source``, ``target`` (numbers of boxes), ``text`` and ``flows``.
    """

    def __init__(self, picture: Picture, engine: str | None) -> None:
        """Keep what ``draw`` found."""
        self._picture = picture
        self._engine = engine
        self.boxes = picture.boxes
        self.edges = picture.edges

    def __repr__(self) -> str:
        what = self._picture.caption or f"{len(self.boxes)} nodes"
        return f"Drawing({what}, {len(self.edges)} edges)"

    def _repr_svg_(self) -> str:
        """Return what Jupyter shows."""
        return self.to_svg()

    def to_svg(self) -> str:
        """Return the drawing as SVG, arranged by the engine that ``draw`` was told.

        Raises:
            RuntimeError: if that is "dot", and Graphviz is not installed or fails.
        """
        if self._engine != "builtin":
            try:
                return rendering.graphviz(self.to_dot())
            except RuntimeError as error:
                if self._engine == "dot":
                    raise RuntimeError(
                        f'draw: {error}; install Graphviz, or use engine="builtin"'
                    ) from None
        return rendering.svg(self._picture)

    def to_dot(self) -> str:
        """Return the drawing in the language of Graphviz."""
        return rendering.dot(self._picture)

    def to_mermaid(self) -> str:
        """Return the drawing in the language of Mermaid, which many sites show in Markdown.

        Mermaid's own limit is 500 edges, unless the site has set another.

        >>> print(draw(Value(3.0, label="x").exp()).to_mermaid(), end="")
        flowchart LR
          n0(["x<br>data 3<br>grad 0"]):::leaf
          n1["exp#40;x#41;<br>data 20.09<br>grad 0"]:::result
          n0 -->|"20.09"| n1
          classDef leaf fill:#d9ecf8,stroke:#0072b2,color:#111111
          classDef result fill:#d6efe6,stroke:#00775a,color:#111111
        """
        return rendering.mermaid(self._picture)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the drawing to a file; a crash in the middle leaves an old file as it was.

        The suffix tells the format: .svg; .dot or .gv; .mmd or .mermaid.

        Raises:
            TypeError: if ``path`` is not a file name.
            ValueError: if the suffix is none of these.
            OSError: if the file cannot be written.
            RuntimeError: as ``to_svg``.
        """
        path = checked_path("Drawing.save(path)", path)
        if path.suffix.lower() not in _FORMATS:
            raise ValueError(
                f"Drawing.save: no format for the suffix of {os.fspath(path)!r}; use one of "
                f"{', '.join(_FORMATS)}, and convert an SVG to other formats"
            )
        write_text(path, _FORMATS[path.suffix.lower()](self))


_FORMATS: dict[str, Callable[[Drawing], str]] = {
    ".svg": Drawing.to_svg,
    ".dot": Drawing.to_dot,
    ".gv": Drawing.to_dot,
    ".mmd": Drawing.to_mermaid,
    ".mermaid": Drawing.to_mermaid,
}


def draw(
    v: Value | Sequence[Value],
    *,
    model: Any = None,
    max_nodes: int = 300,
    engine: str | None = None,
) -> Drawing:
    """Draw the graph that a Value was computed by; a notebook shows it.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> c = a * b + a
    >>> c.backward()
    >>> drawing = draw(c)
    >>> drawing
    Drawing(4 nodes, 4 edges)
    >>> titles = [box.title for box in drawing.boxes]
    >>> for edge in drawing.edges:
    ...     print(titles[edge.source], "->", titles[edge.target], edge.text)
    a -> a * b -3
    b -> a * b 2
    a * b -> · + a 1
    a -> · + a 1

    A box shows the label, the operation, ``data`` and ``grad`` of a node; an edge shows the
    derivative of a node with respect to an input, and is dashed where the input was not selected,
    as by ``relu`` below 0. ``a + a`` has two edges. A pointer over a box shows its numbers in full.

    A graph of more than ``max_nodes`` nodes is summarised. One box stands for all nodes of the same
    operation, layer and depth (the longest path from a leaf), or for the parameters of one name;
    where these are too many as well, for all nodes of a range of depths.

    Args:
        v: the result, or a list of several.
        model: the module that took part. What it computed from its parameters is drawn in a frame
            for each layer, and parameters without a label have their name in the model.
        max_nodes: how many nodes, and four times as many edges, are drawn one by one; at least 1.
        engine: what arranges an SVG. "dot" is Graphviz's program of that name. "builtin" is part of
            this library, and gives the same drawing everywhere. None takes Graphviz where it is
            installed and works.

    Raises:
        TypeError: if ``v`` is neither a Value nor a list of them, or ``model`` is not a module.
        ValueError: if ``v`` is empty, ``max_nodes`` < 1, or there is no such engine.
        CompileError: in a function that is being compiled.
    """
    roots = _check(v, max_nodes, engine)
    inputs = graph_of(roots)
    names = parameter_names("draw", model)
    parts = {} if model is None else _parts(model, inputs)
    if len(inputs) <= max_nodes and sum(map(len, inputs.values())) <= 4 * max_nodes:
        sets = [("", [node]) for node in inputs]
        caption = ""
    else:
        sets, way = _summary(inputs, names, parts)
        caption = f"{len(inputs):,} nodes, summarised by {way}"
    return Drawing(_picture(inputs, sets, caption, roots, names, parts), engine)


def parameter_names(function: str, model: Any) -> dict[Value, str]:
    """Return the names of the parameters of a module, or none."""
    if model is None:
        return {}
    if isinstance(model, type) or not callable(getattr(model, "named_parameters", None)):
        raise TypeError(f"{function}: model must be a Module, got {model!r}")
    return {p: name for name, p in model.named_parameters()}


def _check(v: Any, max_nodes: Any, engine: Any) -> list[Value]:
    roots = [v] if isinstance(v, Value) else v
    if not isinstance(roots, list | tuple) or not all(isinstance(x, Value) for x in roots):
        raise TypeError(f"draw: expected a Value or a list of Values, got {v!r}; call draw(loss)")
    if not roots:
        raise ValueError("draw: expected a Value or a list of Values, got an empty one")
    if isinstance(max_nodes, bool) or not isinstance(max_nodes, int):
        raise TypeError(f"draw: max_nodes must be an int, got {max_nodes!r}")
    if max_nodes < 1:
        raise ValueError(f"draw: max_nodes must be at least 1, got {max_nodes}")
    if engine not in ENGINES:
        known = ", ".join(map(repr, ENGINES))
        raise ValueError(f"draw: unknown engine {engine!r}; choose one of {known}")
    refuse_traced("draw", roots)
    return list(roots)


def refuse_traced(function: str, roots: Iterable[Value]) -> None:
    """Raise a CompileError if a root belongs to a trace, whose nodes hold no partials."""
    if any(len(x._partials) < len(x._prev) for x in roots):
        raise CompileError(
            f"{function}: a function that is compiled has no numbers yet; {function} what a call "
            "of it returns"
        )


Inputs: TypeAlias = dict[Value, tuple[Value, ...]]
"""For each node, inputs first, its differentiable inputs."""


def graph_of(roots: Iterable[Value]) -> Inputs:
    """Return the nodes that roots were computed from, each with its inputs.

    An input that was not selected, such as that of ``relu`` below 0, is none of ``_prev``. Here it
    is one, for a reader wants to know where the path ends.
    """
    inputs: Inputs = {}
    pending = [*roots]
    while pending:
        node = pending.pop()
        if node not in inputs:
            inputs[node] = node._prev
            if getattr(node._op, "selects", False):
                values = [x for x in node._inputs if isinstance(x, Value)]
                kept = {*node._prev}
                inputs[node] = tuple([x for x in values if x.requires_grad or x in kept])
            pending += [x for x in inputs[node] if x not in inputs]
    return {node: inputs[node] for node in sorted(inputs, key=by_serial)}


def derivatives(node: Value, inputs: tuple[Value, ...]) -> Sequence[float | None]:
    """Return the derivative with respect to each input, None for those that were not selected."""
    if inputs is node._prev:
        return node._partials
    found: list[float | None] = []
    kept = [*zip(node._prev, node._partials, strict=True)]
    for x in inputs:
        found.append(kept.pop(0)[1] if kept and kept[0][0] is x else None)
    return found


_Sets: TypeAlias = list[tuple[str, list[Value]]]
"""What each box stands for: a title, and nodes."""


def _summary(
    inputs: Inputs, names: Mapping[Value, str], parts: Mapping[Value, str]
) -> tuple[_Sets, str]:
    """Return few sets of nodes, inputs first, and a word for how they were formed."""
    depths: dict[Value, int] = {}
    for node, xs in inputs.items():
        depths[node] = 1 + max(map(depths.__getitem__, xs), default=-1)
    depths = dict(sorted(depths.items(), key=itemgetter(1)))  # stable
    sets = _by_operation(depths, names, parts)
    if len(sets) <= _MOST_BOXES:
        return sets, "operation and depth"
    return _by_depth(depths, names), "depth"


def _by_operation(
    depths: Mapping[Value, int], names: Mapping[Value, str], parts: Mapping[Value, str]
) -> _Sets:
    """Put together the nodes of one depth, part of the model, and operation or parameter."""
    sets: dict[Hashable, tuple[str, list[Value]]] = {}
    for node, depth in depths.items():
        title = str(node._op) or re.sub(r"(\.\d+)+$", "", names.get(node, "leaves"))
        sets.setdefault((depth, parts.get(node), title), (title, []))[1].append(node)
    return [*sets.values()]


def _by_depth(depths: Mapping[Value, int], names: Mapping[Value, str]) -> _Sets:
    """Put together the nodes of each range of depths."""
    deepest = max(depths.values())
    sets: dict[str, list[Value]] = {}
    for node, depth in depths.items():
        if depth:
            i = (depth - 1) * _RANGES // deepest
            first, last = (-(-k * deepest // _RANGES) for k in (i, i + 1))
            title = f"depth {first + 1:,} to {last:,}"
        else:
            title = "parameters" if node in names else "leaves"
        sets.setdefault(title, []).append(node)
    return [*sets.items()]


def _picture(
    inputs: Inputs,
    sets: _Sets,
    caption: str,
    roots: Iterable[Value],
    names: Mapping[Value, str],
    parts: Mapping[Value, str],
) -> Picture:
    groups: dict[str, int] = {}
    boxes = []
    for title, nodes in sets:
        shared = {parts.get(node, "") for node in nodes}
        part = shared.pop() if len(shared) == 1 else ""
        group = groups.setdefault(part, len(groups)) if part else UNGROUPED
        if len(nodes) > 1:
            boxes.append(_many(title, nodes, group))
        else:
            boxes.append(_one(nodes[0], roots, names, group))
    return Picture(tuple(boxes), tuple(_edges(inputs, sets)), tuple(groups), caption)


def _edges(inputs: Inputs, sets: _Sets) -> list[Edge]:
    """Return the edges between boxes: one by one between single nodes, others counted."""
    numbers = {node: i for i, (_, nodes) in enumerate(sets) for node in nodes}
    single = [len(nodes) == 1 for _, nodes in sets]
    edges: list[Edge] = []
    counts: Counter[tuple[int, int]] = Counter()
    flowing: set[tuple[int, int]] = set()
    for node, i in numbers.items():
        for x, partial in zip(inputs[node], derivatives(node, inputs[node]), strict=True):
            source, flows = numbers[x], partial is not None
            if single[source] and single[i]:
                edges.append(Edge(source, i, show_number(partial or 0.0), flows))
            elif source != i:
                counts[source, i] += 1
                if flows:
                    flowing.add((source, i))
    for ends, n in counts.items():
        edges.append(Edge(*ends, f"× {n:,}", ends in flowing))
    return edges


def _one(node: Value, roots: Iterable[Value], names: Mapping[Value, str], group: int) -> Box:
    """Return the box of a node."""
    name = node.label or names.get(node, "")
    if node._op:
        kind = "result" if any(node is root for root in roots) else "operation"
        title = expression(node, names)
        if name:
            title = title if len(name) + len(title) < _LONGEST else str(node._op)
            title = f"{clean(name, max(8, _LONGEST - len(title)))} = {title}"
    else:
        kind = "parameter" if node in names else "leaf"
        title = name or ("leaf" if node.requires_grad else "constant")
    grad = node.grad.data if isinstance(node.grad, Value) else node.grad
    lines = f"data {show_number(node.data)}", f"grad {show_number(grad)}"
    note = f"{clean(name)} {node._op}".strip() + f"\ndata {node.data!r}\ngrad {grad!r}"
    return Box(kind, clean(title, _LONGEST + 3), lines, note.lstrip(), group)


def _many(title: str, nodes: Sequence[Value], group: int) -> Box:
    """Return the box of many nodes."""
    lines = []
    if nodes[0]._op and title != nodes[0]._op:  # a range of depths
        counts = Counter(str(node._op) for node in nodes).most_common()
        lines = [f"{clean(op, _LONGEST)} × {n:,}" for op, n in counts[:4]]
        if len(counts) > 4:
            lines.append(f"and {len(counts) - 4} more")
    else:
        title = f"{clean(title, _LONGEST)} × {len(nodes):,}"
    grads = [x.grad.data if isinstance(x.grad, Value) else x.grad or 0.0 for x in nodes]
    for name, numbers in (("data", [x.data for x in nodes]), ("grad", grads)):
        finite = [*filter(isfinite, numbers)]
        if finite:
            lines.append(f"{name} {show_number(min(finite))} to {show_number(max(finite))}")
        if len(finite) < len(numbers):
            lines.append(f"{name} not finite: {len(numbers) - len(finite):,}")
    return Box("summary", title, tuple(lines), "\n".join([title, *lines]), group)


def show_number(x: float | None) -> str:
    """Return a number in four digits, without the sign of a zero."""
    return "none" if x is None else f"{x + 0.0:.4g}"


def expression(node: Value, names: Mapping[Value, str]) -> str:
    """Return the operation, with its operands if they are few and one of them has a name."""
    primitive: Any = node._op
    words = [_word(x, names) for x in node._inputs]
    readable = primitive.isidentifier() or len(words) == 2
    if readable and len(words) <= 3 and set(words) != {"·"}:
        text = primitive.show(*words)
        if len(text) <= _LONGEST:
            return str(text)
    return str(primitive)


def _word(x: Operand, names: Mapping[Value, str]) -> str:
    if not isinstance(x, Value):
        return show_number(x)
    if x.label or x in names:
        return clean(x.label or names[x], _LONGEST)
    return "·" if x.requires_grad else show_number(x.data)


def _parts(model: Any, inputs: Inputs) -> dict[Value, str]:
    """Return the part of the model that nodes belong to.

    A part has parameters, what is computed from them, what its own activation makes of that alone,
    and what lies between two such nodes, as the sums of a neuron may.
    """
    own, activations = _inside(model)
    parts, near = own.copy(), own.copy()
    for node, xs in inputs.items():
        part = next((own[x] for x in xs if x in own), "")
        if part:
            parts[node] = part
        elif xs and len(found := {*map(near.get, xs)}) == 1:
            part = found.pop() or ""
            if part and node._op == activations[part] and xs[0] in parts:
                parts[node] = part
        if part:
            near[node] = part
    between = near.keys() - parts.keys()
    users: dict[Value, set[str]] = {}
    for node in reversed(inputs):
        if users.get(node) == {near.get(node)}:
            parts[node] = near[node]
        for x in between.intersection(inputs[node]):
            users.setdefault(x, set()).add(parts.get(node, ""))
    return parts


def _inside(model: Any) -> tuple[dict[Value, str], dict[str, Any]]:
    """Return the innermost module around each parameter, and the activation of each module."""
    parts: dict[Value, str] = {}
    activations: dict[str, Any] = {}
    seen: set[int] = set()
    pending: list[tuple[str, Any, str]] = [("", model, "")]
    while pending:
        name, x, part = pending.pop()
        if isinstance(x, Value):
            parts.setdefault(x, part)
            continue
        children: Iterable[tuple[Any, Any]] = ()
        if callable(getattr(x, "named_parameters", None)):
            part = ": ".join([text for text in (name, type(x).__name__) if text])
            activations[part] = getattr(x, "activation", None)
            children = vars(x).items()
        elif isinstance(x, dict):
            children = x.items()
        elif isinstance(x, list | tuple):
            children = enumerate(x)
        if id(x) not in seen:
            seen.add(id(x))
            path = f"{name}." if name else ""
            pending += reversed([(f"{path}{key}", child, part) for key, child in children])
    return parts, activations
