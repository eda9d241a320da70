"""The result of a trace: its numbers, and the source that puts them into containers again."""

import enum
import functools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from microgradlib.compiling.arguments import container
from microgradlib.compiling.conditions import Condition
from microgradlib.compiling.source import built, unchanging
from microgradlib.compiling.symbols import row_of
from microgradlib.compiling.traced import Tracer
from microgradlib.core.value import Operand, Value
from microgradlib.errors import CompileError, short
from microgradlib.trees import PLAIN, Kind, from_bytes, holds_doubles, kind_of

Shape: TypeAlias = Callable[[Iterator[str]], str]
"""Writes a result around the texts of its numbers."""

_PLACE = re.compile(r"o\[(\d+)\]")
_LEAST = 4  # numbers that are faster as one slice


class Results:
    """The numbers of a result.

    Attributes:
        outputs: the numbers and Values, in order.
        paths: their names for people, as ``result[0]``.
        arrays: where arrays of numbers begin among the outputs, and where they end.
        whole: the beginnings of those of them whose first text is that of all their bytes.
        alone: whether the text runs without the library: lists take the place of arrays, and dicts
            that of objects.
    """

    def __init__(self, name: str, constant: Callable[[Any], str]) -> None:
        """Start with no numbers; ``constant`` gives an object a name in the source."""
        self.name = name
        self.constant = constant
        self.outputs: list[Operand] = []
        self.paths: list[str] = []
        self.arrays: dict[int, int] = {}
        self.whole: dict[int, int] = {}
        self.alone = False

    def take(self, tree: Any, path: str = "result") -> Shape:
        """Collect the numbers of a result; return a function that writes it around texts."""
        if type(tree) is Condition:
            tree = bool(tree)
        if isinstance(tree, Value) or type(tree) is float:
            self.outputs.append(tree)
            self.paths.append(path)
            return next
        if type(tree) in (list, tuple):
            parts = [self.take(x, f"{path}[{i}]") for i, x in enumerate(tree)]
            brackets = _list if type(tree) is list else _tuple
            return lambda texts: brackets([part(texts) for part in parts])
        if type(tree) is dict:
            keys = [self._literal(key) for key in tree]
            parts = [self.take(x, f"{path}[{key!r}]") for key, x in tree.items()]
            return lambda texts: _dict([key[self.alone] for key in keys], parts, texts)
        if kind := container(tree):
            return self._container(kind, tree, path)
        if (kind := kind_of(tree)) is not None and kind not in PLAIN:
            return self._module(kind, tree, path)
        if isinstance(tree, type(None) | bool | int | float | complex | str | bytes | enum.Enum):
            literal = self._literal(tree)
            return lambda texts: literal[self.alone]
        raise CompileError(
            f"compile: {self.name} returned {short(tree)}; return numbers and Values, nested "
            "in lists, tuples, dicts, dataclasses, arrays or modules"
        )

    def _container(self, kind: Kind, tree: Any, path: str) -> Shape:
        """Take a container of another kind."""
        pairs = [*kind.parts(tree)]
        keys = [key for key, _ in pairs]
        empty = kind.build(tree, dict.fromkeys(keys, 0.0))
        start = len(self.outputs)
        parts = [self.take(x, path + kind.path(key)) for key, x in pairs]
        if isinstance(tree, dict) or str in map(type, keys):
            return self._object(functools.partial(built, kind, empty, keys), keys, parts)
        name = self.constant(functools.partial(built, kind, empty, keys))
        copy = ""
        if parts and holds_doubles(empty) and all(part is next for part in parts):
            self.arrays[start] = len(self.outputs)
            copy = self.constant(functools.partial(from_bytes, empty))
        shape = getattr(tree, "shape", (len(parts),))

        def write(texts: Iterator[str]) -> str:
            found = [part(texts) for part in parts]
            if self.alone:
                return _nested(found, shape)
            if copy and start in self.whole:
                return f"{copy}({found[0]})"
            return f"{name}({_tuple(found)})"

        return write

    def _module(self, kind: Kind, tree: Any, path: str) -> Shape:
        """Take a module: its keys are the names of parameters, and these."""
        traced = [*_traced_in(tree)]
        if not traced:
            name = self.constant(tree)
            return lambda texts: "{}" if self.alone else name
        found = [key for key, _ in kind.parts(tree)]
        if any(x._plain for x in traced) or not {*traced} <= {x for _, x in found}:
            raise CompileError(
                f"compile: {self.name} returned {short(tree)} with numbers in it that are not "
                "parameters; return them beside it"
            )
        empty = kind.build(tree, dict.fromkeys(found, 0.0))
        keys = [key for key, _ in kind.parts(empty)]
        for (_, x), (_, y) in zip(found, keys, strict=True):
            y._requires_grad = x._requires_grad
        parts = [self.take(x, f"{path}.{name}") for name, x in found]
        return self._object(
            functools.partial(built, kind, empty, keys), [name for name, _ in found], parts
        )

    def _object(self, build: Callable[..., Any], names: list[Any], parts: list[Shape]) -> Shape:
        """Return the function that writes an object; where it runs alone, a dict."""
        name, keys = self.constant(build), [*map(repr, names)]
        return lambda texts: (
            _dict(keys, parts, texts)
            if self.alone
            else f"{name}({_tuple([part(texts) for part in parts])})"
        )

    def _literal(self, x: Any) -> tuple[str, str]:
        """Return the source of an object in the result, and that which runs alone."""
        if type(x) in (type(None), bool, int, str):
            return repr(x), repr(x)
        if type(x) is tuple:
            texts, alone = zip(*map(self._literal, x), strict=True) if x else ((), ())
            return row_of(texts), row_of(alone)
        if isinstance(x, Value):
            pass  # a key
        elif isinstance(x, int | float | complex | bytes) or unchanging(x):
            exact = type(x) in (float, complex, bytes) and x == x
            return self.constant(x), repr(x) if exact else repr(str(x))
        raise CompileError(
            f"compile: {self.name} returned a dict with the key {short(x)}; use texts, numbers or "
            "tuples of them"
        )


def _list(texts: list[str]) -> str:
    return f"[{', '.join(_with_slices(texts))}]"


def _tuple(texts: list[str]) -> str:
    found = _with_slices(texts)
    return found[0][1:] if len(found) == 1 and found[0].startswith("*") else row_of(found)


def _dict(keys: Iterable[str], parts: Iterable[Shape], texts: Iterator[str]) -> str:
    items = [f"{key}: {part(texts)}" for key, part in zip(keys, parts, strict=True)]
    return f"{{{', '.join(items)}}}"


def _nested(texts: list[str], shape: tuple[int, ...]) -> str:
    """Return nested lists of this shape."""
    for size in reversed(shape[1:]):
        texts = [_list(texts[i : i + size]) for i in range(0, len(texts), max(size, 1))]
    return _list(texts) if shape else texts[0]


def _with_slices(texts: list[str]) -> list[str]:
    """Return texts with one slice for results of machine code that follow each other."""
    runs: list[tuple[int | None, list[str]]] = []  # where they begin, and their texts
    for text in texts:
        found = _PLACE.fullmatch(text)
        place = int(found[1]) if found else None
        start, run = runs[-1] if runs else (None, [])
        if start is not None and place == start + len(run):
            run.append(text)
        else:
            runs.append((place, [text]))
    return [
        text
        for start, run in runs
        for text in (
            run if start is None or len(run) < _LEAST else [f"*o[{start}:{start + len(run)}]"]
        )
    ]


def _traced_in(x: Any) -> Iterator[Tracer]:
    """Yield the tracers in nested containers and modules."""
    if isinstance(x, Tracer):
        yield x
    elif kind := kind_of(x):
        parts = [part for _, part in kind.parts(x)] if kind in PLAIN else vars(x).values()
        for part in parts:
            yield from _traced_in(part)
