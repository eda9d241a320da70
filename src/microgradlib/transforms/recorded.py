"""A function at one point: the graph from its inputs to its outputs, and derivatives along it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeAlias

from microgradlib.core.backprop import pull, push, topological_order, unselected
from microgradlib.core.value import Operand, Value, constant
from microgradlib.errors import NonFiniteError, short
from microgradlib.functions.arguments import needs_gradient
from microgradlib.interpreters import current
from microgradlib.modes import evaluation, nonfinite_allowed, recording_on
from microgradlib.trees import ARRAYS, PLAIN, Build, Tree, elementwise, flatten, kind_of, rebuild

Function: TypeAlias = Callable[..., Any]
Argnums: TypeAlias = int | Sequence[int]


class Recorded:
    """A function at one point: the graph from its inputs to its outputs.

    Attributes:
        inputs: a Value for each number of the arguments that are differentiated.
        result: the result of f, with Values in it.
        outputs: the numbers of the result.
        build: the function that builds the structure of the result.
        aux: with has_aux, the second part of the result of f.
        linked: whether derivatives stay Values, part of the graph around the call.
        recorded: whether they are computed on Values: for that graph, or for a trace.
    """

    def __init__(
        self,
        name: str,
        f: Function,
        argnums: Argnums,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        has_aux: bool = False,
    ) -> None:
        """Call the function."""
        self.name = name
        self.one = isinstance(argnums, int)
        self.builds: list[Build] = []
        self.inputs: list[Value] = []
        self.aux = None
        arguments = list(args)
        given: list[Operand] = []
        interpreter = current()
        interpreter.differentiating(name)
        for i in positions_of(name, f, argnums, len(args)):
            leaves, build = flatten(name, f"argument {i}", args[i])
            inputs = [interpreter.input(x) for x in leaves.values()]
            arguments[i] = rebuild(build, inputs)
            given += leaves.values()
            self.builds.append(build)
            self.inputs += inputs
        with evaluation(self.inputs):
            self.result = f(*arguments, **kwargs)
            if has_aux:
                self.result, self.aux = _pair(name, f, self.result)
            outputs, self.build = flatten(name, f"the result of {name_of(f)}", self.result)
        for x, y in zip(self.inputs, given, strict=True):  # derivatives depend on no plain number
            x._requires_grad = needs_gradient(y)
        self.outputs = list(outputs.values())
        for y in self.outputs:
            if not (isinstance(y, Value) or isfinite(y) or nonfinite_allowed()):
                raise NonFiniteError(
                    f"{name}: the result of {name_of(f)} is {y}, and depends on no argument; use "
                    "allow_nonfinite() to accept such results"
                )
        # Results stay Values where an argument is one that needs a gradient, or where they depend
        # on anything else that does.
        self.order, beyond = self._order(self.outputs)
        given_linked = any(map(needs_gradient, given))
        self.linked = interpreter.records and (given_linked or beyond)
        self.recorded = self.linked or interpreter.traces
        if has_aux:
            _, beyond = self._order(values_of(self.aux))
            if not (interpreter.records and (given_linked or beyond)):
                self.aux = numbers_of(self.aux)

    def pull(self, cotangents: Sequence[Operand]) -> list[Operand]:
        """Return the derivative of the sum of outputs times cotangents in each input."""
        seeds: dict[Value, Operand] = {}
        for y, c in zip(self.outputs, cotangents, strict=True):
            if isinstance(y, Value) and (isinstance(c, Value) or c):
                seeds[y] = seeds[y] + c if y in seeds else c
        everything = len(seeds) == len(self.outputs)
        order = self.order if everything else topological_order(seeds, self.inputs)
        found: dict[Value, Any] = {**seeds}
        if self.recorded or any(isinstance(c, Value) for c in cotangents):
            pull_values(self.inputs, order, found)
        else:
            pull(order, found)
        derivatives = self._derivatives(self.inputs, found, cotangents)
        current().check_finite(self.name, seeds, self.inputs, derivatives, order, found)
        return derivatives

    def push(self, tangents: Sequence[Operand]) -> list[Operand]:
        """Return the derivative of each output in the direction of tangents."""
        order = self.order
        pairs = zip(self.inputs, tangents, strict=True)
        found: dict[Value, Any] = {x: t for x, t in pairs if isinstance(t, Value) or t}
        with recording_on():
            if self.recorded:
                push(order, found, current().partials)
            else:
                push(order, found)
        values = [y for y in self.outputs if isinstance(y, Value)]
        derivatives = self._derivatives(self.outputs, found, tangents)
        current().check_finite(self.name, values, values, derivatives, order, found)
        return derivatives

    def _derivatives(
        self,
        wanted: Sequence[Operand],
        found: Mapping[Value, Operand],
        directions: Sequence[Operand],
    ) -> list[Operand]:
        """Return the derivatives of those wanted, 0 where nothing flows.

        All are Values where results are linked or a direction needs a gradient, else all are plain
        numbers. An input that was not selected adds 0 or -0 in a trace, and nothing elsewhere:
        + 0.0 makes them alike.
        """
        linked = self.linked or (current().records and any(map(needs_gradient, directions)))
        zero = constant(0.0) if linked else 0.0
        results = [(found.get(x, 0.0) if isinstance(x, Value) else 0.0) + zero for x in wanted]
        return results if linked else numbers_of(results)

    def finish(self, numbers: Sequence[Operand]) -> list[Operand]:
        """Return results for the caller: Values if they are linked, else plain numbers."""
        return list(numbers) if self.linked else numbers_of(list(numbers))

    def arguments(self, numbers: Iterable[Operand]) -> Tree:
        """Return a derivative in the structure of the arguments."""
        new = iter(numbers)
        trees = tuple([build(new) for build in self.builds])
        return trees[0] if self.one else trees

    def _order(self, roots: Iterable[Operand]) -> tuple[list[Value], bool]:
        """Return the nodes between inputs and roots, and whether roots depend on others as well."""
        roots = list(filter(needs_gradient, roots))
        order = topological_order(roots, self.inputs)
        known = {*self.inputs, *order}
        if not known.issuperset(roots):
            return order, True
        for node in order:
            for x, partial in zip(node._inputs, node._partials, strict=True):
                if partial is not None and x not in known and x._requires_grad:
                    return order, True
        selecting = [node for node in order if node._op.selects]
        return order, bool(unselected(selecting, known))  # what could have been selected counts


def pull_values(inputs: Iterable[Value], order: list[Value], found: dict[Value, Any]) -> None:
    """Record the pull, for nodes that depend on the inputs alone."""
    partials = current().partials
    active = {*inputs}
    for node in order:
        if not active.isdisjoint(node._prev):
            active.add(node)

    def active_partials(node: Value) -> list[Any]:
        pairs = zip(node._inputs, partials(node), strict=True)
        return [p if p is not None and x in active else None for x, p in pairs]

    with recording_on():
        pull([node for node in order if node in active], found, active_partials)


def _pair(name: str, f: Function, result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            f"{name}: with has_aux=True, {name_of(f)} must return a pair (result, aux), got "
            f"{short(result)}"
        )
    return result


def numbers_of(x: Any) -> Any:
    """Return nested containers with numbers in place of Values."""
    if type(x) is float:
        return x
    if isinstance(x, Value):
        return current().number(x)
    if isinstance(x, ARRAYS):
        return elementwise("", numbers_of, x) if x.dtype == object else x
    kind = kind_of(x, PLAIN)
    return kind.map(numbers_of, x) if kind else x


def values_of(x: Any) -> list[Value]:
    """Return the Values in nested lists, tuples, dicts and dataclasses."""
    if isinstance(x, Value):
        return [x]
    kind = kind_of(x, PLAIN)
    return [y for _, part in kind.parts(x) for y in values_of(part)] if kind else []


def positions_of(name: str, f: Function, argnums: Argnums, count: int) -> list[int]:
    """Return argnums as positions among ``count`` arguments."""
    wanted = [argnums] if isinstance(argnums, int) else list(argnums)
    if not all(-count <= i < count for i in wanted):
        raise TypeError(
            f"{name}: argnums={short(argnums)} but {name_of(f)} got {count} positional arguments; "
            "pass what is differentiated by position"
        )
    positions = [i % count for i in wanted]
    if len(set(positions)) < len(positions):
        raise ValueError(f"{name}: argnums={argnums} names an argument twice")
    return positions


def name_of(f: Function) -> str:
    """Return the name of a function for errors."""
    return str(getattr(f, "__name__", type(f).__name__))
