"""Which nodes of a graph one box stands for."""

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from math import isfinite
from operator import itemgetter
from typing import NamedTuple

from microgradlib.core.value import Value
from microgradlib.drawing.graph import Graph
from microgradlib.drawing.layers import depths, lines_of, paths_of, users_of
from microgradlib.drawing.text import LONGEST, clean, show_number


class Partition(NamedTuple):
    """Which nodes each box stands for.

    Attributes:
        sets: for each box its text, which a box of one node may lack, and the nodes; inputs first.
        caption: what kind of summary it is, or "".
        layers: whether boxes stand for layers, which need no frames.
    """

    sets: list[tuple[list[str], list[Value]]]
    caption: str = ""
    layers: bool = False


_MOST_BOXES = 40  # of a summary by operation or by layer
_MOST_OPERATIONS = 16  # of a summary by operation, if one by layer can be made
_RANGES = 8  # of a summary by depth


def partition(
    graph: Graph, max_nodes: int, names: Mapping[Value, str], parts: Mapping[Value, str]
) -> Partition:
    """Return what each box stands for; up to ``max_nodes`` nodes are shown one by one."""
    if (
        len(graph) <= max_nodes
        and sum(len(edges.inputs) for edges in graph.values()) <= 4 * max_nodes
    ):
        return Partition([([], [node]) for node in graph])
    titles = {node: str(node._op) or _name(node.label or names.get(node, "")) for node in graph}
    caption = f"{len(graph):,} nodes, summarised by"
    keys: dict[Value, Hashable] = {node: (parts.get(node), titles[node]) for node in graph}
    sets = _sets(keys, _ranks(graph, keys))
    if len(sets) > (_MOST_OPERATIONS if parts else _MOST_BOXES):
        if parts and (layers := _by_layer(graph, names, parts, titles)):
            return Partition(layers, f"{caption} layer", layers=True)
        if len(sets) > _MOST_BOXES:
            caption = f"{caption} depth"
            sets = _by_depth(_ranks(graph, {node: i for i, node in enumerate(graph)}))
            return Partition(_with_extents(sets, titles), caption)
    return Partition(_with_extents(sets, titles), f"{caption} operation")


def _sets(
    keys: Mapping[Value, Hashable], ranks: Mapping[Value, int]
) -> dict[Hashable, list[Value]]:
    """Put together nodes of the same rank and key, the lowest rank first."""
    sets: dict[Hashable, list[Value]] = {}
    for node, rank in sorted(ranks.items(), key=itemgetter(1)):
        sets.setdefault((rank, keys[node]), []).append(node)
    return sets


def _by_layer(
    graph: Graph,
    names: Mapping[Value, str],
    parts: Mapping[Value, str],
    titles: Mapping[Value, str],
) -> list[tuple[list[str], list[Value]]]:
    """Return a box for each layer, or for layers whose paths begin alike; none if too many."""
    paths = paths_of(graph, parts)
    users = users_of(graph)
    results = [node for node in graph if node not in users]
    for depth in depths(paths.values()):
        keys: dict[Value, Hashable] = {
            node: (paths[node][:depth], node not in parts and len(paths[node]) < depth)
            if node in paths
            else titles[node]
            for node in graph
        }
        if len(results) == 1:
            keys[results[0]] = None
        ranks = _ranks(graph, keys)
        leaves: dict[Hashable, list[Value]] = {}
        for x in users:
            if not x._op:
                leaves.setdefault(keys[x], []).append(x)
        for key, xs in leaves.items():  # parameters go to their layer, unless others use them
            found = {node for x in xs for node in users[x]}
            if all(keys[node] == key for node in found):
                ranks |= dict.fromkeys(xs, min(ranks[node] for node in found))
        sets = _sets(keys, ranks)
        if len(sets) <= _MOST_BOXES:
            return [
                (
                    lines_of(paths[nodes[0]][:depth], nodes, names, parts)
                    if nodes[0] in paths
                    else _lines(None, nodes, titles),
                    nodes,
                )
                for nodes in sets.values()
            ]
    return []


def _name(label: str) -> str:
    """Return what labels that differ in their numbers have in common, as w1 and w2 have w."""
    return re.sub(r"[\W_]*\d[\W\d_]*$", "", label) or "leaves"


def _ranks(graph: Graph, keys: Mapping[Value, Hashable]) -> dict[Value, int]:
    """Return how often the key changes on the way to each node, at most.

    So an edge leads to a higher rank, or to a node of the same rank and key.
    """
    ranks: dict[Value, int] = {}
    for node, edges in graph.items():
        ranks[node] = max([ranks[x] + (keys[x] != keys[node]) for x in edges.inputs], default=0)
    return ranks


def _by_depth(ranks: Mapping[Value, int]) -> dict[Hashable, list[Value]]:
    """Put together the leaves, and the nodes of each range of depths."""
    deepest = max(ranks.values())
    sets: dict[Hashable, list[Value]] = {}
    for node, depth in sorted(ranks.items(), key=itemgetter(1)):
        i = (depth - 1) * _RANGES // deepest
        first, last = (-(-k * deepest // _RANGES) for k in (i, i + 1))
        key = f"depth {first + 1:,} to {last:,}" if depth else None
        sets.setdefault(key, []).append(node)
    return sets


def _with_extents(
    sets: Mapping[Hashable, list[Value]], titles: Mapping[Value, str]
) -> list[tuple[list[str], list[Value]]]:
    return [(_lines(key, nodes, titles), nodes) for key, nodes in sets.items()]


def _lines(key: Hashable, nodes: Sequence[Value], titles: Mapping[Value, str]) -> list[str]:
    """Return how many nodes there are of each operation or name, and the range of their numbers."""
    counts = Counter(titles[node] for node in nodes).most_common()
    lines = [f"{clean(title, LONGEST)} × {n:,}" for title, n in counts[:4]]
    if len(counts) > 4:
        lines.append(f"and {len(counts) - 4} more")
    if isinstance(key, str):
        lines.insert(0, key)
    elif len(counts) > 1:
        lines.insert(0, f"{len(nodes):,} nodes")
    grads = [x.grad.data if isinstance(x.grad, Value) else x.grad or 0.0 for x in nodes]
    for name, numbers in (("data", [x.data for x in nodes]), ("grad", grads)):
        bad = len(numbers) - sum(map(isfinite, numbers))
        extent = f"{show_number(min(numbers))} to {show_number(max(numbers))}"
        lines.append(f"{name} not finite: {bad:,}" if bad else f"{name} {extent}")
    return lines
