"""primitive: primitives of your own, with your own derivatives."""

import functools
import struct
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from microgradlib.checking import gradcheck
from microgradlib.core.primitive import Primitive
from microgradlib.core.value import Value
from microgradlib.errors import short
from microgradlib.functions.arguments import positive_number
from microgradlib.modes import interpreter, nested, outermost
from microgradlib.numeric.conversion import to_float
from microgradlib.transforms.recorded import name_of

F = TypeVar("F", bound=Callable[..., Any])


def on_floats(function: Callable[..., Any], *xs: float) -> Any:
    """Call a function of the user outside of all derivatives and traces."""
    if interpreter() is None and not nested():
        return function(*xs)
    with outermost():
        return function(*xs)


def primitive(
    partials: Callable[..., tuple[Any, ...]],
    *,
    check: Iterable[Any] = (),
    order: int = 2,
    outputs: int | None = None,
) -> Callable[[F], F]:
    """Make a function of floats a primitive with your own derivatives.

    >>> import microgradlib as mg
    >>> @primitive(lambda w, x: (w / (x * (1.0 + w)),), check=[0.5, 3.0])
    ... def lambertw(x):
    ...     "Return w such that w * exp(w) = x, for x > 0 (Corless et al. 1996)."
    ...     w = mg.log1p(x)
    ...     for _ in range(20):  # Newton's method
    ...         w -= (w - x * mg.exp(-w)) / (1.0 + w)
    ...     return w
    >>> x = mg.Value(1.0)
    >>> lambertw(x).backward()
    >>> round(x.grad, 12)
    0.361896256635
    >>> round(mg.grad(mg.grad(lambertw))(1.0), 12)
    -0.214540646282

    The function itself is called with floats only: it may use loops, tables, or another library.
    For a y that is defined by F(y, x) = 0 the partial is -F_x / F_y.

    With several outputs, the function returns a tuple, and the rule one row of partials for each.
    The function is called once for all of them:

    >>> @primitive(lambda r, x, y: ((x / r[0], y / r[0]), (-y / r[0]**2, x / r[0]**2)), outputs=2)
    ... def polar(x, y):
    ...     return mg.hypot(x, y), mg.atan2(y, x)
    >>> mg.jacobian(lambda p: polar(*p))([3.0, 4.0])
    ([0.6, 0.8], [-0.16, 0.12])

    Args:
        partials: the rule ``(output, *inputs) -> tuple with one partial for each input``. Written
            with operators and functions of this library, it serves derivatives of any order; with
            those of ``math``, only the first.
        check: points at which ``gradcheck`` compares the rule with finite differences at once:
            numbers, or tuples of them.
        order: the order up to which they are checked, 1 or 2.
        outputs: the number of outputs, at least 1, if the function returns a tuple. Its results
            must then depend on its arguments alone.

    Returns:
        A decorator. The decorated function takes floats and Values, as those of the library do.

    Raises:
        GradcheckError: if the rule is wrong at one of the points.
        TypeError: if ``partials`` or the decorated object is not a function, or ``outputs`` is no
            int; by the decorated function, if its result is not a number, or a tuple of as many,
            or the rule does not return one for each input.
        ValueError: if ``outputs`` is less than 1.
    """
    if not callable(partials):
        raise TypeError(
            f"primitive: partials must be a function (output, *inputs), got {short(partials)}; "
            "write @primitive(lambda y, x: (...,))"
        )
    if outputs is not None:
        outputs = positive_number("primitive: outputs", outputs)

    def decorate(f: F) -> F:
        if not callable(f):
            raise TypeError(
                f"primitive: expected the function to decorate, got {short(f)}; write "
                "@primitive(partials) above its def"
            )
        function: Any
        if outputs is None:
            row = _primitive(name_of(f), f, partials)

            @functools.wraps(f)
            def function(*xs: Any) -> Any:
                return row(*xs)

            vars(function).update({"primitive": row, row.name: row})
            row.owner = function
        else:
            function = _system(f, partials, outputs)
        for point in check:
            gradcheck(function, point, order=order)
        return function  # type: ignore[no-any-return]

    return decorate


def _primitive(name: str, f: Callable[..., Any], partials: Callable[..., Any]) -> Primitive:
    """Return the primitive of a function with one output."""

    def forward(*xs: float) -> float:
        return to_float(f"{name}: the result", on_floats(f, *xs), "a number")

    def rule(y: Any, *xs: Any) -> tuple[Any, ...]:
        found = partials(y, *xs)
        if not isinstance(found, tuple | list) or len(found) != len(xs):
            raise TypeError(
                f"{name}: partials must return a tuple of {len(xs)}, one for each input, got "
                f"{short(found)}"
            )
        return tuple([p if isinstance(p, Value) else number(p) for p in found])

    def number(partial: Any) -> float:
        return to_float(f"{name}: a partial", partial, "a number")

    def slopes(y: float, *xs: float) -> tuple[float, ...]:
        return tuple(map(number, on_floats(rule, y, *xs)))

    return Primitive(name, forward, rule, slopes=slopes, listed=False)


def _system(f: Callable[..., Any], partials: Callable[..., Any], count: int) -> Any:
    """Return a function with several outputs, each of which is a primitive."""
    name = name_of(f)

    def results(*xs: float) -> tuple[float, ...]:
        return _tuple_of(f"{name}: the result", f(*xs), count)

    solve = _Latest(results)
    rows = _Latest(lambda *xs: _tuple_of(f"{name}: partials", partials(solve(*xs), *xs), count))
    members: list[Primitive] = []

    def member(i: int) -> Primitive:
        def rule(y: Any, *xs: Any) -> Any:
            if all(type(x) is float for x in xs):
                return rows(*xs)[i]
            ys = [y if j == i else other(*xs) for j, other in enumerate(members)]
            return _tuple_of(f"{name}: partials", partials(tuple(ys), *xs), count)[i]

        return _primitive(f"{name}_{i}", lambda *xs: solve(*xs)[i], rule)

    members += map(member, range(count))

    @functools.wraps(f)
    def function(*xs: Any) -> tuple[Any, ...]:
        solve.forget()
        rows.forget()
        return tuple([one(*xs) for one in members])

    for one in members:
        one.owner = function
        vars(function)[one.name] = one
    return function


class _Latest:
    """A function of floats that keeps its latest result."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f
        self.forget()

    def forget(self) -> None:
        self.latest: tuple[bytes | None, Any] = None, None

    def __call__(self, *xs: float) -> Any:
        inputs = struct.pack(f"{len(xs)}d", *xs)  # equal bits: -0.0 is not 0.0
        known, result = self.latest
        if known != inputs:
            result = self.f(*xs)
            self.latest = inputs, result
        return result


def _tuple_of(what: str, found: Any, count: int) -> tuple[Any, ...]:
    if not isinstance(found, tuple | list) or len(found) != count:
        raise TypeError(
            f"{what}: expected a tuple of {count}, one for each output, got {short(found)}"
        )
    return tuple(found)
