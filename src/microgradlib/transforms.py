"""Derivatives of ordinary functions of numbers, of any order: grad, jacobian, hessian, jvp, vjp.

Each records the function once, on Values of its own, and then goes through the graph backward (with
cotangents) or forward (with tangents). Plain numbers in give plain numbers out. Where an argument
is itself a Value, or the function is called within another one that is being differentiated, the
derivative is recorded as well: that is how derivatives nest.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from microgradlib import primitives
from microgradlib.errors import GradientError, ShapeError
from microgradlib.modes import evaluation, nested, recording, set_grad_enabled, tracing
from microgradlib.trees import Build, Tree, flatten, rebuild, with_fields
from microgradlib.value import (
    Operand,
    Value,
    partial_values,
    pull,
    pull_values,
    push,
    record,
    refuse_nonfinite,
    sweep,
)

Function: TypeAlias = Callable[..., Any]
Argnums: TypeAlias = int | Sequence[int]


def grad(f: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """Return the function that computes the gradient of f.

    >>> def f(x, y):
    ...     return x**2 * y
    >>> grad(f)(3.0, 2.0)
    12.0
    >>> grad(f, argnums=(0, 1))(3.0, 2.0)
    (12.0, 9.0)
    >>> grad(grad(f))(3.0, 2.0)
    4.0
    >>> grad(lambda p: p["a"] * p["b"][0])({"a": 2.0, "b": [5.0]})
    {'a': 5.0, 'b': [2.0]}

    Args:
        f: a function that returns a number, built of operators and functions that take Values.
        argnums: the position of the argument to differentiate in, or several of them. It may be a
            number, nested lists, tuples, dicts or dataclasses of numbers, a Module, or an array.
            Other arguments and keywords go to f as they are.
        has_aux: whether f returns a pair, of which only the first is differentiated.

    Returns:
        A function of the same arguments. It returns the gradient in the structure of the argument
        (for a Module: another Module), or a tuple of those where argnums is a sequence; with
        has_aux, the pair of that and the second result. Numbers in it are floats, unless an
        argument that is differentiated is a Value that needs a gradient, or it is called inside a
        function that is being differentiated.

    Raises:
        TypeError: by the function, if an argument holds something but numbers, or f returns
            something but a number.
        GradientError: by the function, if f calls ``backward()`` on what was computed from its
            arguments, without ``create_graph``.
        NonFiniteError: by the function, if the result or a derivative is infinite or NaN.
    """
    _check("grad", f, argnums)
    return _derived("grad", f)(_gradient("grad", f, argnums, has_aux))


def _gradient(name: str, f: Function, argnums: Argnums, has_aux: bool = False) -> Function:
    """Return what ``grad`` returns; errors begin with ``name``."""

    def derived(*args: Any, **kwargs: Any) -> Any:
        value, gradient = _differentiate(name, f, argnums, has_aux, args, kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return derived


def value_and_grad(f: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """Return the function that computes f and its gradient, at once.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (9.0, 6.0)

    Args:
        f: as for ``grad``.
        argnums: as for ``grad``.
        has_aux: as for ``grad``; the value is then the pair that f returned.

    Returns:
        A function of the same arguments that returns the pair of value and gradient.

    Raises:
        TypeError: as for ``grad``.
        NonFiniteError: as for ``grad``.
    """
    _check("value_and_grad", f, argnums)

    @_derived("value_and_grad", f)
    def derived(*args: Any, **kwargs: Any) -> Any:
        return _differentiate("value_and_grad", f, argnums, has_aux, args, kwargs)

    return derived


def _differentiate(
    name: str, f: Function, argnums: Argnums, has_aux: bool, args: Any, kwargs: Any
) -> tuple[Any, Tree]:
    """Return what ``value_and_grad`` is to return; errors begin with ``name``."""
    recorded = _Recorded(name, f, argnums, args, kwargs, has_aux)
    if recorded.build is not next:
        raise TypeError(
            f"{name}: {_name(f)} must return a number or a Value, got {recorded.result!r}; use "
            "jacobian for several outputs"
        )
    (value,) = recorded.finish(recorded.outputs)
    gradient = recorded.arguments(recorded.pull([1.0]))
    return ((value, recorded.aux) if has_aux else value), gradient


def jacobian(f: Function, argnums: Argnums = 0) -> Function:
    """Return the function that computes all derivatives of all outputs of f.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1], 7.0])([2.0, 3.0])
    [[3.0, 2.0], [1.0, 1.0], [0.0, 0.0]]

    The graph is recorded once. Where f has more outputs than inputs, derivatives are carried
    forward from each input, else backward from each output.

    Args:
        f: a function that returns a number, or nested lists, tuples or dicts of numbers.
        argnums: as for ``grad``.

    Returns:
        A function of the same arguments. It returns the structure of the outputs, with each number
        replaced by its gradient in the structure of the argument.

    Raises:
        TypeError: by the function, if an argument or the result holds something but numbers.
        NonFiniteError: by the function, if an output or a derivative is infinite or NaN.
    """
    _check("jacobian", f, argnums)
    return _derived("jacobian", f)(_jacobian("jacobian", f, argnums))


def _jacobian(name: str, f: Function, argnums: Argnums) -> Function:
    """Return what ``jacobian`` returns; errors begin with ``name``."""

    def derived(*args: Any, **kwargs: Any) -> Any:
        recorded = _Recorded(name, f, argnums, args, kwargs)
        m, n = len(recorded.outputs), len(recorded.inputs)
        rows: list[Any]
        if m > n:
            columns = list(map(recorded.push, _unit_vectors(n)))
            rows = [[column[i] for column in columns] for i in range(m)]
        else:
            rows = list(map(recorded.pull, _unit_vectors(m)))
        return rebuild(recorded.build, map(recorded.arguments, rows))

    return derived


def hessian(f: Function, argnums: Argnums = 0) -> Function:
    """Return the function that computes all second derivatives of f.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 2.0])
    [[4.0, 6.0], [6.0, 0.0]]

    Args:
        f: as for ``grad``.
        argnums: as for ``grad``.

    Returns:
        A function of the same arguments. It returns the structure of the argument, with each number
        replaced by the structure of the argument.

    Raises:
        TypeError: as for ``grad``.
        NonFiniteError: as for ``grad``.
    """
    _check("hessian", f, argnums)
    gradient = _gradient("hessian", f, argnums)
    gradient.__name__ = _name(f)
    return _derived("hessian", f)(_jacobian("hessian", gradient, argnums))


def jvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree]) -> tuple[Tree, Tree]:
    """Return f at primals, and its derivative in the direction of tangents (forward mode).

    >>> jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 10.0))
    (6.0, 23.0)

    Args:
        f: a function that returns a number, or nested lists, tuples or dicts of numbers.
        primals: a tuple of the arguments of f.
        tangents: a tuple of directions, each in the structure of its argument.

    Raises:
        ShapeError: if tangents and primals differ in structure.
        TypeError: if primals, tangents or the result hold something but numbers.
        NonFiniteError: if the result or a derivative is infinite or NaN.

    Source: Griewank and Walther, "Evaluating Derivatives" (2008), section 3.1.
    """
    _check("jvp", f)
    primals, tangents = _tuple("jvp", "primals", primals), _tuple("jvp", "tangents", tangents)
    return _jvp("jvp", f, primals, tangents)


def _jvp(
    name: str, f: Function, primals: tuple[Tree, ...], tangents: tuple[Tree, ...]
) -> tuple[Tree, Tree]:
    """Do what ``jvp`` does; errors begin with ``name``."""
    directions = _match(name, "tangents", tangents, "primals", primals)
    recorded = _Recorded(name, f, range(len(primals)), primals, {})
    derivatives = recorded.push(directions)
    outputs = recorded.finish(recorded.outputs)
    return rebuild(recorded.build, outputs), rebuild(recorded.build, derivatives)


def vjp(f: Function, *primals: Tree) -> tuple[Tree, Function]:
    """Return f at primals, and the function that pulls cotangents of its outputs back to primals.

    >>> outputs, pullback = vjp(lambda x, y: [x * y, x + y], 2.0, 3.0)
    >>> outputs
    [6.0, 5.0]
    >>> pullback([1.0, 10.0])
    (13.0, 12.0)

    Args:
        f: a function that returns a number, or nested lists, tuples or dicts of numbers.
        primals: the arguments of f.

    Returns:
        The outputs, and a function that may be called any number of times. It takes cotangents in
        the structure of the outputs, and returns a tuple with one structure for each primal.

    Raises:
        ShapeError: by the function, if cotangents and outputs differ in structure.
        TypeError: if primals, cotangents or the result hold something but numbers.
        NonFiniteError: by the function, if a derivative is infinite or NaN.
    """
    _check("vjp", f)
    recorded = _Recorded("vjp", f, range(len(primals)), primals, {})

    def pullback(cotangents: Tree) -> tuple[Tree, ...]:
        weights = _match("vjp", "cotangents", cotangents, "outputs", recorded.result)
        return recorded.arguments(recorded.pull(weights))  # type: ignore[no-any-return]

    return rebuild(recorded.build, recorded.finish(recorded.outputs)), pullback


def hvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree]) -> tuple[Tree, ...]:
    """Return the product of the Hessian of f at primals with tangents, without the Hessian.

    >>> hvp(lambda x: x[0] ** 2 * x[1], ([3.0, 2.0],), ([1.0, 10.0],))
    ([64.0, 6.0],)

    It costs a few times as much as f, whatever the number of inputs.

    Args:
        f: a function that returns a number.
        primals: a tuple of the arguments of f.
        tangents: a tuple of vectors, each in the structure of its argument.

    Returns:
        A tuple with one structure for each primal.

    Raises:
        ShapeError: as for ``jvp``.
        TypeError: as for ``jvp``.
        NonFiniteError: as for ``jvp``.

    Source: Pearlmutter, "Fast exact multiplication by the Hessian" (1994), Neural Computation 6.
    """
    _check("hvp", f)
    primals, tangents = _tuple("hvp", "primals", primals), _tuple("hvp", "tangents", tangents)
    _, product = _jvp("hvp", _gradient("hvp", f, range(len(primals))), primals, tangents)
    return product  # type: ignore[no-any-return]


class _Recorded:
    """A function at one point: the graph from its inputs to its outputs.

    Attributes:
        inputs: a Value for each number of the arguments that are differentiated.
        result: what f returned, with Values in it.
        outputs: the numbers of the result.
        build: what builds the structure of the result.
        aux: the second part of what f returned, if that is wanted.
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
        self.name = name
        self.one = isinstance(argnums, int)
        self.builds: list[Build] = []
        self.inputs: list[Value] = []
        self.aux = None
        arguments = list(args)
        given: list[Operand] = []
        inside, linkable = nested(), recording()
        if trace := tracing():  # what comes out depends on nested()
            trace.differentiated, trace.aux = True, trace.aux or has_aux
        for i in _indices(name, f, argnums, len(args)):
            leaves, build = flatten(name, f"argument {i}", args[i])
            inputs = [_input(x, linkable) for x in leaves.values()]
            arguments[i] = rebuild(build, inputs)
            given += leaves.values()
            self.builds.append(build)
            self.inputs += inputs
        with evaluation():
            self.result = f(*arguments, **kwargs)
            if has_aux:
                self.result, self.aux = _pair(name, f, self.result)
            outputs, self.build = flatten(name, f"the result of {_name(f)}", self.result)
        if any(x.grad and not isinstance(x.grad, Value) for x in self.inputs):
            raise GradientError(
                f"{name}: {_name(f)} calls backward() on what was computed from its arguments, and "
                "the gradients would count as constants; use create_graph=True, or grad"
            )
        self.outputs = list(outputs.values())
        # Results stay Values where arguments are, or where, within the evaluation of a function
        # that is being differentiated, they depend on anything but the arguments.
        self.linked = linkable and (
            any(isinstance(x, Value) and x.requires_grad for x in given)
            or (inside and self._reaches_beyond())
        )
        self.recorded = self.linked or tracing() is not None
        if not (self.linked or (inside and linkable)):
            self.aux = _cut(self.aux)

    def pull(self, cotangents: Sequence[Operand]) -> list[Operand]:
        """Return the derivative of the sum of outputs times cotangents in each input."""
        seeds: dict[Value, Operand] = {}
        for y, c in zip(self.outputs, cotangents, strict=True):
            if isinstance(y, Value) and (isinstance(c, Value) or c):
                seeds[y] = seeds[y] + c if y in seeds else c
        order, adjoints = sweep(seeds, self.inputs)
        found: dict[Value, Any] = adjoints | seeds
        if self.recorded or any(isinstance(c, Value) for c in cotangents):
            found = pull_values(order, seeds, _active(order, self.inputs))
        else:
            pull(order, found)
        slopes = self._slopes([found.get(x, 0.0) for x in self.inputs])
        self._refuse_nonfinite(list(seeds), self.inputs, slopes, order, adjoints | found)
        return slopes

    def push(self, tangents: Sequence[Operand]) -> list[Operand]:
        """Return the derivative of each output in the direction of tangents."""
        order, zeros = self._graph
        pairs = zip(self.inputs, tangents, strict=True)
        found: dict[Value, Any] = {x: t for x, t in pairs if isinstance(t, Value) or t}
        with set_grad_enabled(True):
            if self.recorded:
                push(order, found, partial_values)
            else:
                push(order, found)
        values = [y for y in self.outputs if isinstance(y, Value)]
        slopes = self._slopes(
            [found.get(y, 0.0) if isinstance(y, Value) else 0.0 for y in self.outputs]
        )
        self._refuse_nonfinite(values, values, slopes, order, zeros | found)
        return slopes

    def _slopes(self, numbers: list[Operand]) -> list[Operand]:
        """Return derivatives, cut off if they were recorded for the sake of a trace only.

        What was not selected adds 0 or -0 in a trace and nothing elsewhere, so none is left as -0.
        """
        numbers = [x + 0.0 for x in numbers]
        return numbers if self.linked or tracing() is None else list(map(_cut, numbers))

    def _refuse_nonfinite(
        self,
        roots: list[Value],
        wanted: list[Value],
        slopes: list[Operand],
        order: list[Value],
        found: dict[Value, Any],
    ) -> None:
        """Refuse infinite or NaN derivatives, now or when the trace is called."""
        if tracing() is not None:
            tracing().refuse_nonfinite([*roots, *slopes])
        else:
            numbers = {x: y.data if isinstance(y, Value) else y for x, y in found.items()}
            refuse_nonfinite(self.name, roots, wanted, order, numbers)

    def finish(self, numbers: Sequence[Operand]) -> list[Operand]:
        """Return numbers as the caller gets them: cut off, where nothing is to depend on them."""
        return list(numbers) if self.linked else _cut(list(numbers))

    def arguments(self, numbers: Iterable[Operand]) -> Tree:
        """Return a derivative in the structure of the arguments."""
        new = iter(numbers)
        trees = tuple([build(new) for build in self.builds])
        return trees[0] if self.one else trees

    @functools.cached_property
    def _graph(self) -> tuple[list[Value], dict[Value, float]]:
        return sweep([y for y in self.outputs if isinstance(y, Value)], self.inputs)

    def _reaches_beyond(self) -> bool:
        order, adjoints = self._graph
        known = {*self.inputs, *order}
        return any(x.requires_grad and x not in known for x in adjoints)


def _pair(name: str, f: Function, result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            f"{name}: with has_aux=True, {_name(f)} must return a pair (result, aux), got "
            f"{result!r}"
        )
    return result


def _input(x: Operand, linkable: bool) -> Value:
    """Return a node of its own for a number: so that only the ways through it are counted."""
    if isinstance(x, Value) and tracing() is not None:
        return tracing().leaf(x)  # type: ignore[no-any-return]
    if isinstance(x, Value) and x.requires_grad and linkable:
        return record(primitives.identity, (x,))
    return Value(x.data, x.label) if isinstance(x, Value) else Value(x)


def _active(order: list[Value], inputs: list[Value]) -> set[Value]:
    """Return inputs and the nodes that depend on them."""
    active = set(inputs)
    for node in order:
        if not active.isdisjoint(node._prev):
            active.add(node)
    return active


def _cut(x: Any) -> Any:
    """Return nested lists, tuples, dicts and dataclasses with numbers in place of Values."""
    if isinstance(x, Value):
        return x.data if tracing() is None else tracing().number(x)
    if isinstance(x, list | tuple):
        return getattr(x, "_make", type(x))([_cut(child) for child in x])
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        return with_fields(x, {f.name: _cut(getattr(x, f.name)) for f in dataclasses.fields(x)})
    return {key: _cut(child) for key, child in x.items()} if isinstance(x, dict) else x


def _unit_vectors(n: int) -> Iterator[list[float]]:
    return ([0.0] * i + [1.0] + [0.0] * (n - 1 - i) for i in range(n))


def _match(name: str, what: str, tree: Tree, of: str, like: Tree) -> list[Operand]:
    """Return the numbers of a tree that must have the structure of another."""
    leaves, _ = flatten(name, what, tree)
    expected, _ = flatten(name, of, like)
    if [path.removeprefix(what) for path in leaves] != [path.removeprefix(of) for path in expected]:
        raise ShapeError(
            f"{name}: {what} must have the structure of {of}, got {tree!r} for {like!r}"
        )
    return list(leaves.values())


def _tuple(name: str, what: str, trees: Sequence[Tree]) -> tuple[Tree, ...]:
    if not isinstance(trees, tuple | list):
        raise TypeError(
            f"{name}: {what} must be a tuple, one entry for each argument, got {trees!r}"
        )
    return tuple(trees)


def _check(name: str, f: object, argnums: object = 0) -> None:
    if not callable(f):
        raise TypeError(f"{name}: f must be a function, got {f!r}; pass f itself, not its result")
    for i in argnums if isinstance(argnums, Sequence) else [argnums]:
        if isinstance(i, bool) or not isinstance(i, int):
            raise TypeError(f"{name}: argnums must be an int or a tuple of ints, got {argnums!r}")


def _indices(name: str, f: Function, argnums: Argnums, count: int) -> list[int]:
    """Return argnums as positions among ``count`` arguments."""
    wanted = [argnums] if isinstance(argnums, int) else list(argnums)
    if not all(-count <= i < count for i in wanted):
        raise TypeError(
            f"{name}: argnums={argnums} but {_name(f)} got {count} positional arguments; pass what "
            "is differentiated by position"
        )
    positions = [i % count for i in wanted]
    if len(set(positions)) < len(positions):
        raise ValueError(f"{name}: argnums={argnums} names an argument twice")
    return positions


def _name(f: Function) -> str:
    return str(getattr(f, "__name__", type(f).__name__))


def _derived(kind: str, f: Function) -> Callable[[Function], Function]:
    """Return a decorator that names a derived function after f."""

    def decorate(derived: Function) -> Function:
        derived.__name__ = derived.__qualname__ = f"{kind}_of_{_name(f)}"
        functools.update_wrapper(derived, f, (), ())  # for its signature
        derived.__module__ = getattr(f, "__module__", __name__)
        own = inspect.getdoc(f) if getattr(f, "__name__", "") else ""
        derived.__doc__ = f"The {kind} of {_name(f)}." + (f"\n\n{own}" if own else "")
        return derived

    return decorate
