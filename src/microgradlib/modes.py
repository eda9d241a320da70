"""Modes: what is switched on in the current thread or asyncio task.

One context variable holds the interpreter, which carries out operations. None stands for ordinary
recording, so that an operation makes one test before it records; ``interpreters`` has the others.
Three more variables hold settings.
"""

import copy
import functools
import gc
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, overload

from microgradlib.errors import short

F = TypeVar("F", bound=Callable[..., Any])

_interpreter_context: ContextVar[Any] = ContextVar("interpreter", default=None)
interpreter = _interpreter_context.get

# Whether a function that is being differentiated is being evaluated, and the inputs of all those.
_nested_context: ContextVar[bool] = ContextVar("nested", default=False)
nested = _nested_context.get
_active_context: ContextVar[frozenset[Any]] = ContextVar("active_inputs", default=frozenset())
active_inputs = _active_context.get

_nonfinite_context: ContextVar[Any] = ContextVar("nonfinite", default=None)


class Allowed:
    """What a setting is while something is allowed; otherwise it is None."""


def nonfinite_allowed() -> bool:
    """Return whether gradients may be infinite or NaN."""
    return _lasting(_nonfinite_context.get()) is not None


class Ended:
    """What the value of a mode becomes if it ends where it cannot be replaced.

    It acts like the value of before. The asyncio task or thread in which the mode began still has
    it, or a mode that began within this one and ends later.
    """

    before: Any
    ordinary: Any = None  # what an interpreter of None stands for; ``interpreters`` sets it

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ordinary if self.before is None else self.before, name)


def _lasting(x: Any) -> Any:
    """Return x, or what it acts like if it has ended."""
    while type(x) is Ended:
        x = x.before
    return x


class Mode:
    """A context manager and a decorator that sets a context variable.

    It may be used before it is called and after, any number of times. Each use ends for itself:
    it does not matter which of two ends first, nor in which thread or task.
    """

    def __init__(
        self, variable: ContextVar[Any], change: Callable[[Any], Any], like: Callable[[], object]
    ) -> None:
        """Keep what makes the new value of the old one, and whose name and docstring it has."""
        self._variable = variable
        self._change = change
        self._entered: dict[Any, Any] = {}  # by value that was set: the value it replaced, a token
        functools.update_wrapper(self, like)

    def __enter__(self) -> None:
        before = _lasting(self._variable.get())
        value = copy.copy(self._change(before))  # one of its own, which can end
        self._entered[value] = before, self._variable.set(value)

    def __exit__(self, *error: object) -> None:
        now = self._variable.get()
        value = now if now in self._entered else next(reversed(self._entered))
        before, token = self._entered.pop(value)
        try:
            self._variable.reset(token)
            replaced = now is value  # a task that began meanwhile keeps the value
        except ValueError:  # it began in another context, which still has the value
            replaced = False
        if not replaced:
            value.__class__, value.__dict__ = Ended, {"before": before}
        self._variable.set(_lasting(before if replaced else now))

    @overload
    def __call__(self, f: None = None) -> "Mode": ...

    @overload
    def __call__(self, f: F) -> F: ...

    def __call__(self, f: F | None = None) -> "Mode | F":
        """Return a context manager or, of a function, a function to which the mode applies."""
        if f is None:
            return Mode(self._variable, self._change, self)
        name = self.__name__  # type: ignore[attr-defined]
        if not callable(f):
            raise TypeError(f"{name}: expected nothing or a function to decorate, got {short(f)}")
        kinds = inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction
        if any(is_kind(f) for is_kind in kinds):
            raise TypeError(
                f"{name}: {getattr(f, '__qualname__', f)} is a generator or coroutine, which runs "
                f"after its call; use `with {name}():` inside it"
            )

        @functools.wraps(f)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self:
                return f(*args, **kwargs)

        return decorated  # type: ignore[return-value]


def mode(
    change: Callable[[Any], Any], variable: ContextVar[Any] = _interpreter_context
) -> Callable[[Callable[[], object]], Mode]:
    """Make a ``Mode``, of another interpreter if of nothing else, with the name of a function."""
    return functools.partial(Mode, variable, change)


@contextmanager
def setting(variable: ContextVar[Any], value: object) -> Iterator[None]:
    """Set a context variable, and reset it at the end."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def interpreting(new: Any) -> AbstractContextManager[None]:
    """Let an interpreter carry out operations; None records them."""
    return setting(_interpreter_context, new)


def forbid(call: str, remedy: str) -> None:
    """Raise an error if a call would not become part of what is computed."""
    if (current := interpreter()) is not None:
        current.forbid(call, remedy)


def recording() -> bool:
    """Return whether results remember how they were computed."""
    current = interpreter()
    return current is None or bool(current.records)


def recording_on() -> AbstractContextManager[None]:
    """Record, and keep the interpreter that is on."""
    current = interpreter()
    return interpreting(None if current is None else current.recording(True))


@contextmanager
def evaluation(inputs: Iterable[Any]) -> Iterator[None]:
    """Evaluate a function that is being differentiated: derivatives within it are nested."""
    active = active_inputs().union(inputs)
    with setting(_nested_context, True), setting(_active_context, active), recording_on():
        yield


@contextmanager
def outermost() -> Iterator[None]:
    """Record in the ordinary way, outside of all derivatives and traces."""
    active: frozenset[Any] = frozenset()
    with setting(_nested_context, False), setting(_active_context, active), interpreting(None):
        yield


@contextmanager
def collector_off() -> Iterator[None]:
    """Switch the cyclic garbage collector off, which would look at all nodes again and again.

    Only who has found it on switches it, off and on again: however threads take turns, it is on
    after the last of them.
    """
    enabled = gc.isenabled()
    try:
        if enabled:
            gc.disable()
        yield
    finally:
        if enabled:
            gc.enable()


@mode(lambda before: Allowed(), _nonfinite_context)
def allow_nonfinite() -> None:
    """Let ``backward()`` write infinite and NaN gradients, as IEEE arithmetic gives them.

    >>> from microgradlib import Value
    >>> x = Value(0.0)
    >>> with allow_nonfinite():
    ...     x.sqrt().backward()
    >>> x.grad
    inf

    Also a decorator. It holds for the current thread or asyncio task only.
    """
