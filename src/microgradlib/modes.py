"""Modes: what is switched on in the current thread or asyncio task."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, _GeneratorContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

# Whether results remember how they were computed.
_recording_context: ContextVar[bool] = ContextVar("recording", default=True)
recording = _recording_context.get

# The trace of the function that is being compiled.
trace_context: ContextVar[Any] = ContextVar("trace", default=None)
tracing = trace_context.get

# Whether a function that is being differentiated is being evaluated.
_nested_context: ContextVar[bool] = ContextVar("nested", default=False)
nested = _nested_context.get

# Whether gradients may be infinite or NaN.
_nonfinite_context: ContextVar[bool] = ContextVar("nonfinite_allowed", default=False)
nonfinite_allowed = _nonfinite_context.get

# Whether nodes remember the line that made them.
locating_context: ContextVar[bool] = ContextVar("locating", default=False)
locating = locating_context.get


class Mode(_GeneratorContextManager[None]):
    """A context manager that is a decorator, too: not of functions that run after their call."""

    def __call__(self, f: F) -> F:
        """Decorate a function."""
        kinds = inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction
        if any(is_kind(f) for is_kind in kinds):
            name = self.func.__name__
            raise TypeError(
                f"{name}: {getattr(f, '__qualname__', f)} is a generator or coroutine, which runs "
                f"after its call; use `with {name}():` inside it"
            )
        return super().__call__(f)


def mode(switch: Callable[[], Iterator[None]]) -> Callable[[], Mode]:
    """Do what ``contextmanager`` does, for a ``Mode``."""

    @functools.wraps(switch)
    def switched() -> Mode:
        return Mode(switch, (), {})  # type: ignore[arg-type]  # a generator function

    return switched


@contextmanager
def setting(variable: ContextVar[Any], value: object) -> Iterator[None]:
    """Set a context variable, and set it back."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def set_grad_enabled(on: bool) -> AbstractContextManager[None]:
    """Record, or do not, in the current thread or asyncio task."""
    return setting(_recording_context, on)


@contextmanager
def evaluation() -> Iterator[None]:
    """Evaluate a function that is being differentiated: derivatives within it are nested."""
    token = _nested_context.set(True)
    try:
        with set_grad_enabled(True):
            yield
    finally:
        _nested_context.reset(token)


@contextmanager
def outermost() -> Iterator[None]:
    """Evaluate a function as if nothing else were going on: no trace, no derivative."""
    trace_token, nested_token = trace_context.set(None), _nested_context.set(False)
    try:
        with set_grad_enabled(True):
            yield
    finally:
        trace_context.reset(trace_token)
        _nested_context.reset(nested_token)


@mode
def no_grad() -> Iterator[None]:
    """Compute without recording: results are constants.

    >>> from microgradlib import Value
    >>> x = Value(2.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False

    Also a decorator. It holds for the current thread or asyncio task only.
    """
    with set_grad_enabled(False):
        yield


@mode
def allow_nonfinite() -> Iterator[None]:
    """Let ``backward()`` write infinite and NaN gradients, as IEEE arithmetic gives them.

    >>> from microgradlib import Value
    >>> x = Value(0.0)
    >>> with allow_nonfinite():
    ...     x.sqrt().backward()
    >>> x.grad
    inf

    Also a decorator. It holds for the current thread or asyncio task only.
    """
    with setting(_nonfinite_context, True):
        yield
