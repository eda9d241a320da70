"""compile: a function that runs as the source written from its trace.

The first call runs the function on tracers and records the trace. Later calls run the source that
is written from it. ``Compiled`` keeps the traces and finds the one that fits.
"""

import copy
import functools
import os
import threading
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from pickle import PicklingError
from types import MethodType
from typing import Any, Literal, NamedTuple, overload

from microgradlib.compiling.arguments import places, static_names
from microgradlib.compiling.decisions import Decision, difference
from microgradlib.compiling.loops import steps_of
from microgradlib.compiling.pickling import (
    Absent,
    by_name,
    fingerprint,
    holds_its_values,
    imported,
    pickled_values,
    unpicklable,
)
from microgradlib.compiling.source import (
    MISSING,
    DecisionError,
    MachineCode,
    RetraceError,
    Source,
    Traced,
    UnfiniteError,
    UnknownError,
    exact,
)
from microgradlib.compiling.writer import Writer
from microgradlib.core.value import Value
from microgradlib.errors import CompileError, short
from microgradlib.interpreters import current
from microgradlib.modes import collector_off

_MANY_DECISIONS = 8  # more traces than this, one after the other, deserve a warning


class CacheInfo(NamedTuple):
    """How many traces a compiled function has made, keeps, and keeps at most."""

    made: int
    kept: int
    maxsize: int


class Compiled:
    """A compiled function: see ``compile``."""

    __slots__ = ("__call__", "__dict__", "__weakref__")

    __call__: Callable[..., Any]  # the function of the latest trace itself, which is fastest
    __name__: str
    __qualname__: str

    def __init__(
        self,
        f: Callable[..., Any],
        maxsize: int,
        backend: str,
        cache: Path | None,
        static: tuple[str, ...],
    ) -> None:
        """Keep the function; the first call traces it."""
        self.__name__ = self.__qualname__ = type(f).__name__  # if f has no name, as a partial
        functools.update_wrapper(self, f)
        self._f = f
        self._options = maxsize, backend, cache, static
        self._places = places(f, static)
        self._lock = threading.RLock()
        self.clear_cache()

    @property
    def backend(self) -> str:
        """What the traces become: "python" or "c"."""
        return self._options[1]

    @property
    def source(self) -> str:
        """The latest trace as Python: a function of all numbers that it reads."""
        latest = self._latest_source()
        return latest.standalone(latest.name)

    def export(self, file: str | os.PathLike[str], name: str | None = None) -> None:
        """Write the latest trace to a file that needs neither this library nor NumPy.

        >>> import pathlib, tempfile
        >>> area = compile(lambda r: 3.0 * r**2)
        >>> area(2.0)
        12.0
        >>> with tempfile.TemporaryDirectory() as made:
        ...     area.export(pathlib.Path(made, "area.c"))
        ...     sorted(os.listdir(made))
        ['area.c', 'area.h']

        Args:
            file: for C99 it ends in ``.c``, and a header is written beside it; for Python, which
                then uses the standard library only, in ``.py``.
            name: the name of the function. Without it a file in C names it after itself, and a file
                in Python as it is.

        Raises:
            ValueError: if ``file`` ends otherwise, or ``name`` is no name or has another meaning.
            CompileError: before the first call, and if the trace calls a primitive of your own or
                takes a decision that is no comparison of numbers.
            OSError: if a file cannot be written; then none is.
        """
        from microgradlib.compiling.export import export  # takes long to import

        export(self._latest_source(), file, name)

    def _latest_source(self) -> Source:
        if self._latest is None:
            raise CompileError(f"compile: {self.__name__} has no source before its first call")
        return self._latest

    def cache_info(self) -> CacheInfo:
        """Return the number of traces."""
        return CacheInfo(self._made, len(self._sources) + len(self._unbuilt), self._options[0])

    def clear_cache(self) -> None:
        """Forget all traces."""
        self._made = 0
        self._decided = 0  # how many traces were made because a decision came out differently
        self._decisions: list[Decision] = []  # of the latest such trace, once the warning is near
        self._latest: Source | None = None
        self.__call__ = self._call
        self._sources: dict[Traced, Source] = {}
        self._traces: dict[Any, list[Traced]] = {}
        self._unbuilt: list[tuple[Any, Source]] = []  # unpickled traces, with their keys

    def __reduce__(self) -> Any:
        """Pickle the function, if that can be, and the traces as source text and data."""
        f, values = self._f, set[Value]()
        make: tuple[Any, ...] = Compiled, (f, *self._options)
        if by_name(self.__module__, self.__qualname__) is self:
            make = imported, (self.__module__, self.__qualname__)
        else:
            try:
                values = pickled_values(f, Compiled)
            except Exception:
                f = Absent(f, self.__name__, self.__qualname__)
                make = Compiled, (f, *self._options)
        with self._lock:
            keys = {trace: key for key, traces in self._traces.items() for trace in traces}
            built = [(keys[trace], source) for trace, source in self._sources.items()]
            traces, latest = [*built, *self._unbuilt], self._latest
        if not isinstance(f, Absent):  # which can be traced again
            traces = [
                (key, source)
                for key, source in traces
                if not unpicklable(source, Compiled) and holds_its_values(source, values, Compiled)
            ]
        elif not traces:
            raise PicklingError(
                f"compile: {self.__qualname__} is not found by its name when it is unpickled, and "
                "has no traces; define it with def at the top of a module, or call it before"
            )
        elif missing := [x for _, source in traces for x in unpicklable(source, Compiled)]:
            raise PicklingError(
                f"compile: a trace of {self.__qualname__} refers to {', '.join(missing[:2])}; "
                "define that at the top of a module"
            )
        if all(source is not latest for _, source in traces):
            latest = None
        state = fingerprint(f), traces, latest, self._made, self._decided
        return *make, state, None, None, restore

    def __copy__(self) -> "Compiled":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Compiled":
        f = copy.deepcopy(self._f, memo)
        return self if f is self._f else Compiled(f, *self._options)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind to an instance, as functions do."""
        return self if instance is None else MethodType(self, instance)

    def _call(self, /, *args: Any, **kwargs: Any) -> Any:
        """Find the trace for a call; where one was used before, that is called first."""
        return self._choose(args, kwargs)

    def _choose(self, given: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the result of the first trace that fits, or of a new one."""
        args = tuple([x for x in given if x is not MISSING])
        if current().traces:  # the call is part of another trace
            return self._f(*args, **kwargs)
        if self._unbuilt:
            self._build()
        key = (len(args), tuple(kwargs), *[exact(x) for x in self._static(args, kwargs).values()])
        decided = False
        for trace in self._traces.get(key, ())[::-1]:
            try:
                result = trace(None)(*args, *kwargs.values())
            except UnfiniteError:
                return self._f(*args, **kwargs)
            except Exception as error:
                decided = decided or isinstance(error, DecisionError)
                continue
            self._note(trace, kwargs)
            return result
        return self._trace(key, args, kwargs, decided)

    def _static(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the static arguments of a call by name; they must be hashable."""
        found = {name: args[int(i)] for name, i in self._places.items() if i < len(args)}
        found |= {name: kwargs[name] for name in self._places if name in kwargs}
        for name, x in found.items():
            try:
                hash(x)
            except TypeError:
                raise TypeError(
                    f"compile: the static argument {name} of {self.__name__} must be hashable, got "
                    f"{short(x)}; pass a tuple in place of a list, or take {name} out of "
                    "static_argnames"
                ) from None
        return found

    def _note(self, trace: Traced, kwargs: dict[str, Any]) -> None:
        """Note the latest trace; it is tried first, unless the call had keywords."""
        self._latest = self._sources.get(trace, self._latest)  # another thread may have dropped it
        self.__call__ = self._call if kwargs else trace(self._choose)

    def _machine_code(self) -> MachineCode | None:
        _, backend, cache, _ = self._options
        if backend == "python":
            return None
        from microgradlib.compiling.builtin import machine_code  # takes long to import

        return functools.partial(machine_code, cache)

    def _build(self) -> None:
        """Build the traces that were unpickled."""
        with self._lock:
            while self._unbuilt:
                key, source = self._unbuilt[0]
                trace = source.trace(self._machine_code())
                self._traces.setdefault(key, []).append(trace)
                self._sources[trace] = source
                self._unbuilt = self._unbuilt[1:]  # the last one is built before the list is empty

    def _write(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], decisions: list[Decision], known: bool
    ) -> Source:
        """Trace the function; its decisions are noted if the warning about them is near."""
        writer = Writer(self.__name__, self._options[1] == "c", known)
        if _MANY_DECISIONS - 2 <= self._decided < _MANY_DECISIONS:
            writer.trace.places = decisions
        return writer.traced(self._f, args, kwargs, self._static(args, kwargs), writer.write)

    def _new(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], known: bool
    ) -> tuple[Source, Traced, list[Decision]]:
        """Return the source of a new trace, the trace, and its decisions if they are noted.

        Raises:
            UnknownError: if something is decided by what a loop comes to, which is not known.
            DecisionError: if a step of such a loop decides otherwise than the first one.
        """
        decisions: list[Decision] = []
        with collector_off():  # until all that belongs to the trace is freed
            source = self._write(args, kwargs, decisions, known)
        trace = source.trace(self._machine_code())
        if not known and steps_of(source.program):
            with suppress(UnfiniteError):
                trace(None)(*args, *kwargs.values())
        return source, trace, decisions

    def _trace(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any], decided: bool) -> Any:
        try:
            try:
                source, trace, decisions = self._new(args, kwargs, known=False)
            except (UnknownError, DecisionError):  # run the loops while they are traced
                source, trace, decisions = self._new(args, kwargs, known=True)
        except (ValueError, ArithmeticError, RetraceError):
            return self._f(*args, **kwargs)  # raises the error, or catches it
        with self._lock:
            traces = self._traces.setdefault(key, [])
            traces.append(trace)
            self._sources[trace] = source
            self._made += 1
            self._decided += decided
            if decided and self._decided == _MANY_DECISIONS:
                warnings.warn(
                    f"compile: {self.__name__} has been traced {self._made} times, as decisions on "
                    "its numbers (if, max, sorted, a text, a key) keep coming out differently"
                    f"{difference(self._decisions, decisions)}; each trace costs time. Compute "
                    "without them: mg.where, mg.maximum, mg.select",
                    RuntimeWarning,
                    stacklevel=4,
                )
            if decided:
                self._decisions = decisions
            while len(self._sources) > self._options[0]:
                oldest = next(iter(self._sources))
                del self._sources[oldest]
                kept = {k: [x for x in xs if x is not oldest] for k, xs in self._traces.items()}
                self._traces = {k: xs for k, xs in kept.items() if xs}
            self._note(trace, kwargs)
        try:
            return trace(None)(*args, *kwargs.values())
        except (RetraceError, UnfiniteError):
            return self._f(*args, **kwargs)
        except Exception as error:
            result = self._f(*args, **kwargs)  # should raise the same error
            warnings.warn(
                f"compile: the source of {self.__name__} fails where the function does not, so "
                f"that every call will trace it anew; please report this ({short(error)})",
                RuntimeWarning,
                stacklevel=4,
            )
            return result


def restore(compiled: Any, state: tuple[Any, ...]) -> None:
    """Give a function that is unpickled its traces, if it has none and its code is the same."""
    code, traces, latest, made, decided = state
    if isinstance(compiled, Compiled) and not compiled._made and code == fingerprint(compiled._f):
        compiled._latest, compiled._made, compiled._decided = latest, made, decided
        compiled._unbuilt = traces


@overload
def compile(
    f: Callable[..., Any],
    *,
    static_argnames: str | Iterable[str] = (),
    maxsize: int = 128,
    backend: Literal["python", "c"] = "python",
    cache: str | os.PathLike[str] | None = None,
) -> Compiled: ...
@overload
def compile(
    f: None = None,
    *,
    static_argnames: str | Iterable[str] = (),
    maxsize: int = 128,
    backend: Literal["python", "c"] = "python",
    cache: str | os.PathLike[str] | None = None,
) -> Callable[[Callable[..., Any]], Compiled]: ...
def compile(
    f: Callable[..., Any] | None = None,
    *,
    static_argnames: str | Iterable[str] = (),
    maxsize: int = 128,
    backend: Literal["python", "c"] = "python",
    cache: str | os.PathLike[str] | None = None,
) -> Compiled | Callable[[Callable[..., Any]], Compiled]:
    """Return a function with the results of f, which runs as source written for its arguments.

    >>> import math
    >>> import microgradlib as mg
    >>> @compile
    ... def loss(w, x):
    ...     return mg.tanh(w[0] * x + w[1]) ** 2
    >>> loss([0.5, 0.0], 2.0) == math.tanh(1.0) ** 2
    True

    Args:
        f: the function. Without it the result is a decorator: ``@compile(maxsize=8)``.
        static_argnames: the names of arguments that reach f as they are, such as a count or a
            mode: any hashable objects. Each value, told by equality and type, has its own traces.
        maxsize: how many traces to keep, >= 1; beyond that the oldest is dropped.
        backend: "python", or "c" for machine code, which a C compiler builds at the first call.
        cache: a directory that keeps the machine code for other processes; it must be yours alone.

    Raises:
        TypeError: if ``f`` is not a function, or at a call a static argument is not hashable.
        ValueError: if ``maxsize`` is not a whole number >= 1, or f has no argument of a name in
            ``static_argnames``.
        CompileError: at a call, if f would freeze a number, or an argument cannot be part of a
            trace.
    """
    if f is None:
        options = {"maxsize": maxsize, "backend": backend, "cache": cache}
        return functools.partial(compile, static_argnames=static_argnames, **options)
    if not callable(f):
        raise TypeError(
            f"compile: f must be a function, got {short(f)}; pass f itself, not its result"
        )
    if isinstance(maxsize, bool) or not isinstance(maxsize, int) or maxsize < 1:
        raise ValueError(f"compile: maxsize must be a whole number >= 1, got {short(maxsize)}")
    if backend not in ("python", "c"):
        raise ValueError(f"compile: backend must be 'python' or 'c', got {short(backend)}")
    static = static_names(static_argnames)
    return Compiled(f, maxsize, backend, None if cache is None else Path(cache), static)
