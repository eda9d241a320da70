"""The boxes and edges of a drawing, from the nodes that they stand for."""

from collections.abc import Collection, Mapping, Sequence
from math import hypot

from microgradlib.core.value import Value
from microgradlib.drawing.graph import Graph
from microgradlib.drawing.layering import UNGROUPED
from microgradlib.drawing.rendering import Box, Edge, Picture
from microgradlib.drawing.summary import Partition
from microgradlib.drawing.text import LONGEST, clean, expression, show_number


def picture_of(
    graph: Graph,
    found: Partition,
    roots: Collection[Value],
    names: Mapping[Value, str],
    parts: Mapping[Value, str],
    adjoints: Mapping[Value, float] | None,
) -> Picture:
    """Return the picture of a graph: a box for each set of nodes, grouped by modules.

    A picture of layers goes down.

    ``names`` are those of parameters; ``parts`` tells which module a node belongs to. With the
    gradients of nodes, ``adjoints``, edges show what flows back.
    """
    groups: dict[str, int] = {}
    boxes = []
    for lines, nodes in found.sets:
        shared = {"" if found.layers else parts.get(node, "") for node in nodes}
        part = shared.pop() if len(shared) == 1 else ""
        group = groups.setdefault(part, len(groups)) if part else UNGROUPED
        if len(nodes) > 1:
            boxes.append(Box("summary", lines[0], tuple(lines[1:]), "\n".join(lines), group))
        else:
            boxes.append(_box_of_one(nodes[0], roots, names, group))
    edges = tuple(_edges(graph, [nodes for _, nodes in found.sets], adjoints))
    direction = "down" if found.layers else None
    return Picture(tuple(boxes), edges, tuple(groups), found.caption, direction)


def _edges(
    graph: Graph, sets: Sequence[Sequence[Value]], adjoints: Mapping[Value, float] | None
) -> list[Edge]:
    """Return the edges between boxes: one by one between single nodes, others counted."""
    numbers = {node: i for i, nodes in enumerate(sets) for node in nodes}
    single = [len(nodes) == 1 for nodes in sets]
    edges: list[Edge] = []
    amounts: dict[tuple[int, int], list[float]] = {}
    flowing: set[tuple[int, int]] = set()
    for node, i in numbers.items():
        for x, partial in zip(*graph[node], strict=True):
            source, flows = numbers[x], partial is not None
            amount = (partial or 0.0) * (adjoints.get(node, 0.0) if adjoints and partial else 1.0)
            if single[source] and single[i]:
                text = show_number(amount)
                edges.append(Edge(source, i, text if adjoints is None else f"← {text}", flows))
            elif source != i:
                amounts.setdefault((source, i), []).append(amount)
                if flows:
                    flowing.add((source, i))
    for ends, found in amounts.items():
        text = f"× {len(found):,}"
        if adjoints is not None:
            text += f" ← {show_number(hypot(*found))}"
        edges.append(Edge(*ends, text, ends in flowing))
    return edges


def _box_of_one(
    node: Value, roots: Collection[Value], names: Mapping[Value, str], group: int
) -> Box:
    name = node.label or names.get(node, "")
    if node._op:
        kind = "result" if any(node is root for root in roots) else "operation"
        title = expression(node, names)
        if name:
            title = title if len(name) + len(title) < LONGEST else str(node._op)
            title = f"{clean(name, max(8, LONGEST - len(title)))} = {title}"
    else:
        kind = "parameter" if node in names else "leaf"
        title = name or ("leaf" if node.requires_grad else "constant")
    grad = node.grad.data if isinstance(node.grad, Value) else node.grad
    lines = f"data {show_number(node.data)}", f"grad {show_number(grad)}"
    note = f"{clean(name)} {node._op}".strip() + f"\ndata {node.data!r}\ngrad {grad!r}"
    return Box(kind, clean(title, LONGEST + 3), lines, note.lstrip(), group)
