"""primitive: operations of one's own, with their own derivative."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from microgradlib.checking import gradcheck
from microgradlib.modes import nested, outermost, recording, tracing
from microgradlib.primitives import Primitive, to_float
from microgradlib.value import Value

F = TypeVar("F", bound=Callable[..., Any])


def on_floats(function: Callable[..., Any], *xs: float) -> Any:
    """Call a function of the user's, as if nothing else were going on."""
    if tracing() is None and recording() and not nested():
        return function(*xs)
    with outermost():
        return function(*xs)


def primitive(
    partials: Callable[..., tuple[Any, ...]], *, check: Iterable[Any] = (), order: int = 2
) -> Callable[[F], F]:
    """Make a function of floats an operation with a derivative of your own.

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

    The function itself is only ever called with floats: it may use loops, tables, or another
    library. For a y that is defined by F(y, x) = 0 the partial is -F_x / F_y.

    Args:
        partials: the rule ``(output, *inputs) -> tuple with one partial for each input``. Written
            with operators and functions of this library, it serves derivatives of any order; with
            those of ``math``, only the first.
        check: points at which ``gradcheck`` compares the rule with finite differences, right now:
            numbers, or tuples of them.
        order: the order up to which they are checked, 1 or 2.

    Returns:
        A decorator. The decorated function takes floats and Values, as those of the library do.

    Raises:
        GradcheckError: if the rule is wrong at one of the points.
        TypeError: if ``partials``, or what is decorated, is not a function; by the decorated
            function, if it returns no number or the rule not a number for each input.
    """
    if not callable(partials):
        raise TypeError(
            f"primitive: partials must be a function (output, *inputs), got {partials!r}; write "
            "@primitive(lambda y, x: (...,))"
        )

    def decorate(f: F) -> F:
        if not callable(f):
            raise TypeError(
                f"primitive: expected the function to decorate, got {f!r}; write "
                "@primitive(partials) above its def"
            )
        name = getattr(f, "__name__", type(f).__name__)

        def forward(*xs: float) -> float:
            return to_float(f"{name}: the result", on_floats(f, *xs), "a number")

        def rule(y: Any, *xs: Any) -> tuple[Any, ...]:
            found = partials(y, *xs)
            if not isinstance(found, tuple | list) or len(found) != len(xs):
                raise TypeError(
                    f"{name}: partials must return a tuple of {len(xs)}, one for each input, got "
                    f"{found!r}"
                )
            return tuple([p if isinstance(p, Value) else number(p) for p in found])

        def number(partial: Any) -> float:
            return to_float(f"{name}: a partial", partial, "a number")

        def slopes(y: float, *xs: float) -> tuple[float, ...]:
            return tuple(map(number, on_floats(rule, y, *xs)))

        def value_and_partials(*xs: float) -> tuple[float, tuple[float, ...]]:
            y = forward(*xs)
            return y, slopes(y, *xs)

        row = Primitive(name, forward, rule, fused=value_and_partials, listed=False)

        @functools.wraps(f)
        def function(*xs: Any) -> Any:
            return row(*xs)

        function.primitive = row  # type: ignore[attr-defined]
        row.owner, row.slopes = function, slopes
        for point in check:
            gradcheck(function, point, order=order)
        return function  # type: ignore[return-value]

    return decorate
