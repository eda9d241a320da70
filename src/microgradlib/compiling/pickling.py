"""What pickling a compiled function needs: its traces go along as source text and data."""

import hashlib
import inspect
import io
import pickle
import sys
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any

from microgradlib.compiling.arguments import parameters
from microgradlib.compiling.source import Source
from microgradlib.core.value import Value
from microgradlib.errors import CompileError, short


class Absent:
    """Stands for a function that cannot be pickled: it has a name and parameters, but no code."""

    def __init__(self, f: Callable[..., Any], name: str, qualname: str) -> None:
        """Take over how the function is called."""
        self.__name__, self.__qualname__ = name, qualname
        self.__module__, self.__doc__ = f.__module__, f.__doc__
        plain = [inspect.Parameter(p.name, p.kind) for p in parameters(f)]
        self.__signature__ = inspect.Signature(plain)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raise a CompileError."""
        raise CompileError(
            f"compile: {self.__name__} was unpickled without its code, as {self.__qualname__} is "
            "not found by its name, and this call fits none of its traces, or gives no finite "
            "result; define it with def at the top of a module"
        )

    def __deepcopy__(self, memo: object) -> "Absent":
        return self


class _Trial(pickle.Pickler):
    """Pickles for nobody, but finds out whether that works, and which Values are pickled."""

    def __init__(self, opaque: type) -> None:
        super().__init__(io.BytesIO(), pickle.HIGHEST_PROTOCOL)
        self.opaque = opaque
        self.values: set[Value] = set()

    def persistent_id(self, x: object) -> str | None:
        """Note Values, and do not look into compiled functions, which may hold each other."""
        if isinstance(x, Value):
            self.values.add(x)
        return "compiled" if isinstance(x, self.opaque) else None


def pickled_values(x: object, opaque: type) -> set[Value]:
    """Return the Values in the pickle of an object; whatever pickling raises, this raises."""
    trial = _Trial(opaque)
    trial.dump(x)
    return trial.values


def unpicklable(source: Source, opaque: type) -> list[str]:
    """Return what a trace refers to and cannot be pickled."""
    found = []
    for x in [*source.constants.values(), *source.functions.values()]:
        try:
            pickled_values(x, opaque)
        except Exception as error:
            found.append(f"{short(x)} ({short(str(error))})")
    return found


def holds_its_values(source: Source, values: Iterable[Value], opaque: type) -> bool:
    """Whether a function finds the Values that a trace reads where it is unpickled.

    They are then part of the pickle of the function or of its arguments: of those that it finds by
    the names of variables, the trace would hold copies.
    """
    constants = source.constants.values()
    read = {x for x in constants if isinstance(x, Value)}
    others = [x for x in constants if not _are_values(x)]
    return read <= {*values, *pickled_values(others, opaque)}


def _are_values(x: object) -> bool:
    return isinstance(x, Value) or (type(x) is tuple and all(isinstance(y, Value) for y in x))


def by_name(module: str, qualname: str) -> Any:
    """Return what has this name in a module; None if there is nothing."""
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


def imported(module: str, qualname: str) -> Any:
    """Import a module and return what has this name in it."""
    __import__(module)
    found = by_name(module, qualname)
    if found is None:
        raise AttributeError(f"compile: there is no {qualname} in the module {module}")
    return found


def fingerprint(f: object) -> str:
    """Return a text that tells whether the code of a function is the same; "" if it has none."""
    code = getattr(f, "__code__", None)
    return hashlib.sha256(repr(_shown(code)).encode()).hexdigest() if code else ""


def _shown(x: Any) -> Any:
    """Return the parts of a code object, or the text of a constant, alike in each process."""
    if isinstance(x, CodeType):
        return x.co_code, x.co_names, [_shown(part) for part in x.co_consts]
    return sorted(map(repr, x)) if isinstance(x, frozenset) else repr(x)
