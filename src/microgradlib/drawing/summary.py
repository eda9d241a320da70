"""Which nodes of a graph one box stands for."""

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from operator import itemgetter
from typing import TypeAlias

from microgradlib.core.value import Value
from microgradlib.drawing.graph import Graph
from microgradlib.drawing.text import LONGEST, clean

Sets: TypeAlias = list[tuple[list[str], list[Value]]]
"""For each box the first lines of its text, and the nodes it stands for."""

_MOST_BOXES = 40  # of a summary by operation or by layer
_RANGES = 8  # of a summary by depth


def partition(
    graph: Graph, max_nodes: int, names: Mapping[Value, str], parts: Mapping[Value, str]
) -> tuple[Sets, str]:
    """Return what each box stands for, inputs first, and a caption if it is a summary.

    Up to ``max_nodes`` nodes and four times as many edges are shown one by one.
    """
    if (
        len(graph) <= max_nodes
        and sum(len(edges.inputs) for edges in graph.values()) <= 4 * max_nodes
    ):
        return [([], [node]) for node in graph], ""
    titles = {node: str(node._op) or _name(node.label or names.get(node, "")) for node in graph}
    ways: dict[str, Mapping[Value, Hashable]] = {
        "operation": {node: (parts.get(node), titles[node]) for node in graph}
    }
    if parts:
        other = {node: None if node._op else (titles[node],) for node in graph}
        ways["layer"] = other | {node: (part,) for node, part in parts.items()}
    for way, keys in ways.items():  # noqa: B007
        sets: dict[Hashable, list[Value]] = {}
        for node, rank in _ranks(graph, keys).items():
            sets.setdefault((rank, keys[node]), []).append(node)
        if len(sets) <= _MOST_BOXES:
            break
    else:
        way, sets = "depth", _by_depth(_ranks(graph, {node: i for i, node in enumerate(graph)}))
    return (
        [(_lines(key, [titles[node] for node in nodes]), nodes) for key, nodes in sets.items()],
        f"{len(graph):,} nodes, summarised by {way}",
    )


def _name(label: str) -> str:
    """Return what labels that differ in their numbers have in common, as w1 and w2 have w."""
    return re.sub(r"[\W_]*\d[\W\d_]*$", "", label) or "leaves"


def _ranks(graph: Graph, keys: Mapping[Value, Hashable]) -> dict[Value, int]:
    """Return how often the key changes on the way to each node, at most; the lowest come first.

    So an edge leads to a higher rank, or to a node of the same rank and key.
    """
    ranks: dict[Value, int] = {}
    for node, edges in graph.items():
        ranks[node] = max([ranks[x] + (keys[x] != keys[node]) for x in edges.inputs], default=0)
    return dict(sorted(ranks.items(), key=itemgetter(1)))


def _by_depth(depths: Mapping[Value, int]) -> dict[Hashable, list[Value]]:
    """Put together the leaves, and the nodes of each range of depths."""
    deepest = max(depths.values())
    sets: dict[Hashable, list[Value]] = {}
    for node, depth in depths.items():
        i = (depth - 1) * _RANGES // deepest
        first, last = (-(-k * deepest // _RANGES) for k in (i, i + 1))
        key = f"depth {first + 1:,} to {last:,}" if depth else None
        sets.setdefault(key, []).append(node)
    return sets


def _lines(key: Hashable, titles: Sequence[str]) -> list[str]:
    """Return how many nodes there are of each operation or name, below what they all are."""
    counts = Counter(titles).most_common()
    lines = [f"{clean(title, LONGEST)} × {n:,}" for title, n in counts[:4]]
    if len(counts) > 4:
        lines.append(f"and {len(counts) - 4} more")
    if isinstance(key, str):
        return [key, *lines]
    return [f"{len(titles):,} nodes", *lines] if len(counts) > 1 else lines
