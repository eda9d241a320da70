"""Derivatives of ordinary functions of numbers, of any order: grad, jacobian, hessian, jvp, vjp.

Each records the function once, on Values of its own, and then goes through the graph backward (with
cotangents) or forward (with tangents). For plain numbers the results are plain numbers. Where an
argument is itself a Value, or the function is called within another one that is being
differentiated, the derivative is recorded as well: that is how derivatives nest.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from microgradlib.core.value import Operand
from microgradlib.errors import ShapeError, short
from microgradlib.modes import collector_off
from microgradlib.transforms.recorded import Argnums, Function, Recorded, name_of
from microgradlib.trees import Tree, flatten, rebuild


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
        argnums: the position of the argument to differentiate in, or a tuple of positions. The
            argument may be a number, nested lists, tuples, dicts or dataclasses of numbers, a
            Module, or an array. Other arguments and keywords are passed to f unchanged.
        has_aux: whether f returns a pair, of which only the first is differentiated.

    Returns:
        A function of the same arguments. It returns the gradient in the structure of the argument
        (for a Module: another Module), or a tuple of those where argnums is a sequence; with
        has_aux, the pair of that and the second result. Numbers in it are floats, unless an
        argument that is differentiated is a Value that needs a gradient, or it is called inside a
        function that is being differentiated.

    Raises:
        TypeError: by the function, if an argument holds anything but numbers, or f returns
            anything but a number.
        GradientError: by the function, if f calls ``backward()`` on what was computed from its
            arguments, without ``create_graph``.
        NonFiniteError: by the function, if the result or a derivative is infinite or NaN.
    """
    return _derived("grad", f, argnums)(_gradient("grad", f, argnums, has_aux))


def _gradient(name: str, f: Function, argnums: Argnums, has_aux: bool = False) -> Function:
    """Return the result of ``grad``; errors begin with ``name``."""

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

    It raises what that of ``grad`` raises.
    """

    @_derived("value_and_grad", f, argnums)
    def derived(*args: Any, **kwargs: Any) -> Any:
        return _differentiate("value_and_grad", f, argnums, has_aux, args, kwargs)

    return derived


@collector_off()
def _differentiate(
    name: str, f: Function, argnums: Argnums, has_aux: bool, args: Any, kwargs: Any
) -> tuple[Any, Tree]:
    """Return the result of ``value_and_grad``; errors begin with ``name``."""
    recorded = Recorded(name, f, argnums, args, kwargs, has_aux)
    if recorded.build is not next:
        raise TypeError(
            f"{name}: {name_of(f)} must return a number or a Value, got {short(recorded.result)}; "
            "use jacobian for several outputs"
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
        f: a function that returns a number, or nested lists, tuples, dicts or arrays of numbers.
        argnums: as for ``grad``.

    Returns:
        A function of the same arguments. It returns the structure of the outputs, with each number
        replaced by its gradient in the structure of the argument. For arrays that is an array with
        the axes of the outputs, then those of the argument.

    Raises:
        TypeError: by the function, if an argument or the result holds anything but numbers.
        NonFiniteError: by the function, if an output or a derivative is infinite or NaN.
    """
    return _derived("jacobian", f, argnums)(_jacobian("jacobian", f, argnums))


def _jacobian(name: str, f: Function, argnums: Argnums) -> Function:
    """Return the result of ``jacobian``; errors begin with ``name``."""

    @collector_off()
    def derived(*args: Any, **kwargs: Any) -> Any:
        recorded = Recorded(name, f, argnums, args, kwargs)
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
        replaced by the structure of the argument: for a vector of NumPy, a matrix.

    It raises what that of ``grad`` raises.
    """
    gradient = _gradient("hessian", f, argnums)
    gradient.__name__ = name_of(f)
    return _derived("hessian", f, argnums)(_jacobian("hessian", gradient, argnums))


def jvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree]) -> tuple[Tree, Tree]:
    """Return f at primals, and its derivative in the direction of tangents (forward mode).

    >>> jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 10.0))
    (6.0, 23.0)

    Args:
        f: a function that returns a number, or nested lists, tuples, dicts or arrays of numbers.
        primals: a tuple of the arguments of f.
        tangents: a tuple of directions, each in the structure of its argument.

    Raises:
        ShapeError: if tangents and primals differ in structure.
        TypeError: if primals, tangents or the result hold anything but numbers.
        NonFiniteError: if the result or a derivative is infinite or NaN.

    Source: Griewank and Walther, "Evaluating Derivatives" (2008), section 3.1.
    """
    _check("jvp", f)
    primals, tangents = _tuple("jvp", "primals", primals), _tuple("jvp", "tangents", tangents)
    return _jvp("jvp", f, primals, tangents)


@collector_off()
def _jvp(
    name: str, f: Function, primals: tuple[Tree, ...], tangents: tuple[Tree, ...]
) -> tuple[Tree, Tree]:
    """Return the result of ``jvp``; errors begin with ``name``."""
    directions = _match(name, "tangents", tangents, "primals", primals)
    recorded = Recorded(name, f, range(len(primals)), primals, {})
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
        f: a function that returns a number, or nested lists, tuples, dicts or arrays of numbers.
        primals: the arguments of f.

    Returns:
        The outputs, and a function that may be called any number of times. It takes cotangents in
        the structure of the outputs, and returns a tuple with one structure for each primal.

    Raises:
        ShapeError: by the function, if cotangents and outputs differ in structure.
        TypeError: if primals, cotangents or the result hold anything but numbers.
        NonFiniteError: by the function, if a derivative is infinite or NaN.
    """
    _check("vjp", f)
    with collector_off():
        recorded = Recorded("vjp", f, range(len(primals)), primals, {})

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

    It raises what ``jvp`` raises.

    Source: Pearlmutter, "Fast exact multiplication by the Hessian" (1994), Neural Computation 6.
    """
    _check("hvp", f)
    primals, tangents = _tuple("hvp", "primals", primals), _tuple("hvp", "tangents", tangents)
    _, product = _jvp("hvp", _gradient("hvp", f, range(len(primals))), primals, tangents)
    return product  # type: ignore[no-any-return]


def _unit_vectors(n: int) -> Iterator[list[float]]:
    return ([0.0] * i + [1.0] + [0.0] * (n - 1 - i) for i in range(n))


def _match(name: str, what: str, tree: Tree, of: str, like: Tree) -> list[Operand]:
    """Return the numbers of a tree that must have the structure of another."""
    leaves, _ = flatten(name, what, tree)
    expected, _ = flatten(name, of, like)
    if [path.removeprefix(what) for path in leaves] != [path.removeprefix(of) for path in expected]:
        raise ShapeError(
            f"{name}: {what} must have the structure of {of}, got {short(tree)} for {short(like)}"
        )
    return list(leaves.values())


def _tuple(name: str, what: str, trees: Sequence[Tree]) -> tuple[Tree, ...]:
    if not isinstance(trees, tuple | list):
        raise TypeError(
            f"{name}: {what} must be a tuple, one entry for each argument, got {short(trees)}"
        )
    return tuple(trees)


def _check(name: str, f: object, argnums: object = 0) -> None:
    if not callable(f):
        raise TypeError(
            f"{name}: f must be a function, got {short(f)}; pass f itself, not its result"
        )
    for i in argnums if isinstance(argnums, Sequence) else [argnums]:
        if isinstance(i, bool) or not isinstance(i, int):
            raise TypeError(
                f"{name}: argnums must be an int or a tuple of ints, got {short(argnums)}"
            )


def _derived(kind: str, f: Function, argnums: Argnums) -> Callable[[Function], Function]:
    """Check the arguments, and return a decorator that names a derived function after f."""
    _check(kind, f, argnums)

    def decorate(derived: Function) -> Function:
        derived.__name__ = derived.__qualname__ = f"{kind}_of_{name_of(f)}"
        functools.update_wrapper(derived, f, (), ())  # for its signature
        derived.__module__ = getattr(f, "__module__", __package__)
        own = inspect.getdoc(f) if getattr(f, "__name__", "") else ""
        derived.__doc__ = f"The {kind} of {name_of(f)}." + (f"\n\n{own}" if own else "")
        return derived

    return decorate
