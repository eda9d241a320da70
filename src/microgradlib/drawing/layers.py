"""Summaries by layer: a box for each module of a model, from its path, such as "encoder.fc1"."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from math import hypot
from typing import TypeAlias

from microgradlib.core.value import Value
from microgradlib.drawing.graph import Graph
from microgradlib.drawing.text import LONGEST, clean, show_number

Path: TypeAlias = tuple[str, ...]
"""The names that lead to a module, from the outermost on."""


def path_of(part: str) -> Path:
    """Return the path of a module from its title.

    >>> path_of("encoder.fc1: Linear"), path_of("MLP")
    (('encoder', 'fc1'), ())
    """
    return tuple(part.rpartition(": ")[0].split(".")) if ": " in part else ()


def users_of(graph: Graph) -> dict[Value, list[Value]]:
    """Return the nodes that each node is an input of, once for each time; results are left out."""
    users: dict[Value, list[Value]] = {}
    for node, edges in graph.items():
        for x in edges.inputs:
            users.setdefault(x, []).append(node)
    return users


def paths_of(graph: Graph, parts: Mapping[Value, str]) -> dict[Value, Path]:
    """Return the path of the module that each computed node, and each parameter, belongs to.

    A node that belongs to none lies between modules: it gets what the paths around those that it
    comes from, and those that it leads to, have in common.
    """
    between = [node for node in graph if node._op and node not in parts]
    users = users_of(graph)
    found: dict[Value, set[str]] = {node: set() for node in between}
    for nodes, near in (
        (between, {node: graph[node].inputs for node in between}),
        (between[::-1], {node: users.get(node, ()) for node in between}),
    ):
        side: dict[Value, set[str]] = {}
        for node in nodes:
            modules = {parts[x] for x in near[node] if x in parts}
            side[node] = modules or set().union(*[side.get(x, ()) for x in near[node]])
            found[node] |= side[node]
    paths = {node: path_of(part) for node, part in parts.items()}
    common = {
        modules: _common([path_of(part)[:-1] for part in modules])
        for modules in {*map(frozenset, found.values())}
    }
    return paths | {node: common[frozenset(modules)] for node, modules in found.items()}


def _common(paths: Sequence[Path]) -> Path:
    """Return the names with which all paths begin."""
    same = takewhile(lambda names: len({*names}) == 1, zip(*paths, strict=False))
    return tuple(names[0] for names in same)


def depths(paths: Iterable[Path]) -> Iterator[int]:
    """Yield how many names of a path may tell boxes apart: all of them, then fewer."""
    return iter(range(max(map(len, paths), default=0), 0, -1))


def lines_of(
    path: Path, nodes: Sequence[Value], names: Mapping[Value, str], parts: Mapping[Value, str]
) -> list[str]:
    """Return the text of a box: the path, the numbers of parameters and nodes, and their norms."""
    own = [parts[x] for x in nodes if x in parts]
    lines = [".".join(path) or (own[0] if own else "outside of layers")]
    parameters = [x for x in nodes if x in names]
    computed = [x for x in nodes if x not in names]
    if parameters:
        modules = {parts[x] for x in parameters if x in parts}
        kind = clean(modules.pop().rpartition(": ")[2], LONGEST) if len(modules) == 1 else ""
        what = f"{kind}, " if kind else f"{len(modules)} layers, " if modules else ""
        lines += [f"{what}{len(parameters):,} parameters", _norms(parameters)]
    if computed:
        counts = [name for name, _ in Counter(str(x._op) or "leaf" for x in computed).most_common()]
        shown = clean(", ".join(counts), LONGEST - 8)
        lines += [f"{len(computed):,} nodes: {shown}", _norms(computed)]
    return lines


def _norms(nodes: Sequence[Value]) -> str:
    """Return the Euclidean norms of data and gradients: one line, whatever the numbers are."""
    grads = [x.grad.data if isinstance(x.grad, Value) else x.grad or 0.0 for x in nodes]
    data = hypot(*[x.data for x in nodes])
    return f"  |data| {show_number(data)}  |grad| {show_number(hypot(*grads))}"
