"""Which module of a model computed a node."""

from collections.abc import Mapping
from typing import Any

from microgradlib.core.value import Value
from microgradlib.drawing.graph import Graph
from microgradlib.nn.layers import LayerNorm, RMSNorm
from microgradlib.parameters.finding import HasParameters, find, modules_of

_NORMS = tuple(norm.__name__ for norm in (LayerNorm, RMSNorm))
_MEANS = ("mean", "mse_loss")  # the operations with which they begin


def parts_of(model: Any, graph: Graph) -> dict[Value, str]:
    """Return the title of the module that each node belongs to, such as "fc1: Layer".

    These belong to a module: its parameters; nodes with one of them as an input; its activation of
    such nodes alone; what a norm does before its weights; and what lies between, computed from
    nodes of the module alone and used by no others, such as the sums in a neuron.
    """
    modules, activations = _modules(model)
    parts = modules.copy()
    candidates = modules.copy()  # also of nodes computed from nodes of one module alone
    for node, (inputs, _) in graph.items():
        part = next((modules[x] for x in inputs if x in modules), None)
        if part:
            parts[node] = candidates[node] = part
        elif inputs and len(found := {*map(candidates.get, inputs)}) == 1:
            part = found.pop()
            if part:
                candidates[node] = part
                if node._op == activations[part] and inputs[0] in parts:
                    parts[node] = part
    users: dict[Value, set[str | None]] = {}  # the modules that use a node in between
    between = candidates.keys() - parts.keys()
    for node in reversed(graph):
        if users.get(node) == {candidates.get(node)}:
            parts[node] = candidates[node]
        for x in between.intersection(graph[node].inputs):
            users.setdefault(x, set()).add(parts.get(node))
    return parts | _normalizing(graph, parts)


def _normalizing(graph: Graph, parts: Mapping[Value, str]) -> dict[Value, str]:
    """Return the nodes before the weights of a norm, from the mean on, that no one else uses."""
    users: dict[Value, set[str]] = {}
    for node in reversed(graph):
        only = users.get(node, set())
        user = parts.get(node) or (next(iter(only)) if len(only) == 1 else "")
        for x in graph[node].inputs:
            users.setdefault(x, set()).add(user)
    found: dict[Value, str] = {}
    for node, (inputs, _) in graph.items():
        if node not in parts and len(users.get(node, ())) == 1:
            (part,) = users[node]
            if part.endswith(_NORMS) and (
                node._op in _MEANS or any(found.get(x) == part for x in inputs)
            ):
                found[node] = part
    return found


def _modules(model: Any) -> tuple[dict[Value, str], dict[str, Any]]:
    """Return the innermost module around each parameter, and the activation of each module."""
    modules: dict[Value, str] = {}
    activations: dict[str, Any] = {}
    for name, module in modules_of(model):
        part = ": ".join([text for text in (name, type(module).__name__) if text])
        activations[part] = getattr(module, "activation", None)
        for _, x in find(lambda x: isinstance(x, Value | HasParameters), module):
            if isinstance(x, Value):
                modules.setdefault(x, part)
    return modules, activations
