"""The arguments of a trace: what stands for them, and the source that takes them apart."""

import dataclasses
import functools
import inspect
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable
from inspect import Parameter
from math import inf
from typing import Any, NamedTuple

from microgradlib.compiling.graph import Graph
from microgradlib.compiling.source import (
    by_identity,
    exact,
    floats,
    is_number,
    parts_of,
    unchanging,
)
from microgradlib.compiling.symbols import row_of
from microgradlib.compiling.traced import Tracer
from microgradlib.compiling.tracer import Trace
from microgradlib.core.value import Operand, Value
from microgradlib.errors import CompileError, short
from microgradlib.trees import ARRAYS, PLAIN, Kind, entries_of, holds_doubles, kind_of

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_ROWS = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_LONGEST_CHAIN = 7  # comparisons; for more of them, comparing two lists is faster
_LEAST = 64  # numbers in a list; for fewer of them, unpacking into names is faster


class Argument(NamedTuple):
    """A number among the arguments, its tracer, and its expression in the source."""

    given: Operand
    traced: Tracer
    source: str


class Field(NamedTuple):
    """What is packed into a buffer at once: its format for ``struct``, and its source."""

    format: str
    source: str


class Container(NamedTuple):
    """A container among the arguments, as the function gets it."""

    traced: Any
    kind: Kind
    parts: list[Any]
    source: str


class Arguments:
    """The arguments of one trace.

    Attributes:
        head: lines of source that unpack and check the arguments.
        parameters: the names of the parameters in the source.
        leaves: the numbers among the arguments.
        paths: their names for people, as ``w[0][1]``.
        fields: what is packed into a buffer for machine code.
        constants: objects that the source refers to.
    """

    def __init__(self, name: str, graph: Graph, trace: Trace, native: bool) -> None:
        """Start with no arguments; ``native``: they go to machine code."""
        self.name = name
        self.native = native
        self.unique = graph.unique
        self.trace = trace
        self.head: list[str] = []
        self.parameters: list[str] = []
        self.leaves: list[Argument] = []
        self.paths: list[str] = []
        self.fields: list[Field] = []
        self.constants: dict[str, Any] = {}
        self._unchecked: list[tuple[str, type]] = []  # numbers that may not be floats
        self._classes: list[tuple[int, str, list[type]]] = []  # where these could be checked
        self._containers: list[Container] = []
        self._known: dict[int, tuple[str, Any]] = {}  # containers and Values, by id

    def take(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        static: Iterable[str],
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments with tracers in place of numbers, but in static ones."""
        names = [p.name for p in parameters(f) if p.kind in _POSITIONAL]
        names = [*names, *[f"arg{i}" for i in range(len(names), len(args))]][: len(args)]
        names += kwargs
        self.parameters = [*map(self.unique, names)]
        rows = zip([*args, *kwargs.values()], self.parameters, names, strict=True)
        new = [
            self._frozen(x, own) if name in static else self._unpack(x, own, own, own)
            for x, own, name in rows
        ]
        self._check_floats()
        self._check_distinct([f"id({x.source})" for x in self._containers])
        self._check_distinct([x.source for x in self.leaves if isinstance(x.given, Value)])
        return new[: len(args)], dict(zip(kwargs, new[len(args) :], strict=True))

    def finish(self) -> None:
        """Check what the function did to its arguments, and write what depends on that."""
        for x in self._containers:
            if [*map(id, _parts(x.kind, x.traced))] != [*map(id, x.parts)]:
                raise CompileError(
                    f"compile: {self.name} changes its argument {x.source}, which would happen "
                    "only while it is traced; change a copy of it, and return that"
                )
        for place, classes, given in self._classes if self.trace.typed else ():
            self.head[place] = f"if {classes} != {self.constant(given)}: raise RetraceError"
        self.head = [line for line in self.head if line]

    def check(self, mismatch: str) -> None:
        """Write a check."""
        self.head.append(f"if {mismatch}: raise RetraceError")

    def constant(self, x: Any, name: str = "") -> str:
        """Return the name of an object in the source."""
        name = self.unique(name or f"c{len(self.constants)}")
        self.constants[name] = x
        return name

    def _unpack(self, tree: Any, source: str, name: str, path: str) -> Any:
        """Write lines that check and unpack an argument; return it with tracers in it."""
        if is_number(tree):
            floats(tree)  # an int that no float holds is not traced
            return self._number(tree, source, name, path)
        if id(tree) in self._known:
            first, new = self._known[id(tree)]
            self.check(f"{source} is not {first}")
            return new
        if isinstance(tree, Value):
            new = self._value(tree, source, name, path)
        elif kind := container(tree):
            new = self._container(kind, tree, source, name, path)
        else:
            if not unchanging(tree):
                raise CompileError(
                    f"compile: {self.name} got {short(tree)} for {source}; pass numbers and "
                    "Values, nested in lists, tuples, dicts, dataclasses and arrays, or texts, "
                    "flags, functions and modules (of an iterator its next(), of another number "
                    "its float(), of a Series or DataFrame its to_numpy())"
                )
            return self._frozen(tree, source)
        self._known[id(tree)] = source, new
        return new

    def _frozen(self, x: Any, source: str) -> Any:
        """Write the check that an argument is the object that it was in the trace, or equal."""
        known = self.constant(x)
        if by_identity(x):
            self.check(f"{source} is not {known}")
        elif isinstance(x, str | bytes | int):
            self.check(f"type({source}) is not {self.constant(type(x))} or {source} != {known}")
        else:
            self.check(f"hash({source}) != hash({known}) or not same({source}, {known})")
        return x

    def _container(self, kind: Kind, tree: Any, source: str, name: str, path: str) -> Any:
        self.check(f"{source}.__class__ is not {self._class(type(tree))}")
        pairs = list(kind.parts(tree))
        if self.native and _goes_as_one(tree, [part for _, part in pairs]):
            new = self._block(kind, tree, source, name, path)
        else:
            new = self._items(kind, tree, source, name, path)
        self._containers.append(Container(new, kind, _parts(kind, new), source))
        return new

    def _block(self, kind: Kind, tree: Any, source: str, name: str, path: str) -> Any:
        """Write lines that check numbers as a whole, and pack them at once."""
        pairs = list(kind.parts(tree))
        count, whole = len(pairs), self.unique(f"{name}_")
        if holds_doubles(tree):
            if type(tree) is array:
                self.check(f"len({source}) != {count}")
                double = f"{source}.typecode == 'd'"
            else:
                self.check(f"{source}.shape != {tree.shape}")
                double = f"{source}.dtype is {self.constant(tree.astype(float).dtype)}"
            self.head.append(f"{whole} = {source}.tobytes() if {double} else to_bytes({source})")
            self.fields.append(Field(f"{8 * count}s", whole))
        else:
            self.check(f"len({source}) != {count}")
            classes = f"[*map(type, {source})]"
            self._note_classes(classes, [type(x) for _, x in pairs])
            fit = f"{classes} == {self.constant([float] * count)}"
            self.head.append(f"{whole} = {source} if {fit} else floats(*{source})")
            self.fields.append(Field(f"{count}d", f"*{whole}"))
        leaves = {}
        for i, (key, x) in enumerate(pairs):
            floats(x)
            name_ = self.unique(f"{name}{i}")
            leaves[key] = self._leaf(x, name_, name_, path + kind.path(key))
        return kind.build(tree, leaves)

    def _items(self, kind: Kind, tree: Any, source: str, name: str, path: str) -> Any:
        """Write lines that check and unpack each part of a container."""
        pairs = list(kind.parts(tree))
        keys = [key for key, _ in pairs]
        if type(tree) is dict and {*map(type, keys)} <= {str, int}:
            known = self.constant(keys), self.constant([*map(type, keys)])
            self.check(f"list({source}) != {known[0]} or [*map(type, {source})] != {known[1]}")
            sources = [f"{source}[{key!r}]" for key in keys]
            names = [self.unique(f"{name}_{key}") for key in keys]
        else:
            sources = names = [self.unique(f"{name}{i}") for i in range(len(keys))]
            if type(tree) in (list, tuple):
                parts = source  # ValueError for another length
            elif kind.type is ARRAYS[0]:  # whose keys are those of its shape
                self.check(f"{source}.shape != {tree.shape}")
                parts = f"{self.constant(entries_of)}({source})"
            else:
                parts = f"{self.constant(functools.partial(parts_of, kind, exact(keys)))}({source})"
            if names:
                self.head.append(f"{', '.join(names)}, = {parts}")
            else:
                self.check(parts)
        if isinstance(tree, defaultdict):
            factory = self.constant(tree.default_factory)
            self.check(f"{source}.default_factory is not {factory}")
        paths = [path + kind.path(key) for key in keys]
        rows = zip(pairs, sources, names, paths, strict=True)
        new = kind.build(tree, {key: self._unpack(part, *texts) for (key, part), *texts in rows})
        self._check_floats()
        return new

    def _class(self, kind: type) -> str:
        return kind.__name__ if kind in (list, tuple, dict) else self.constant(kind)

    def _value(self, x: Value, source: str, name: str, path: str) -> Tracer:
        self.check(f"not isinstance({source}, Value)")
        self.check(f"{'not ' * bool(x._requires_grad)}{source}._requires_grad")
        name = self.unique(f"{name}_")
        self.head.append(f"{name} = {source}._data")
        self.fields.append(Field("d", name))
        return self._leaf(x, source, name, path)

    def _number(self, x: Any, source: str, name: str, path: str) -> Tracer:
        if source != name:
            self.head.append(f"{name} = {source}")
        self._unchecked.append((name, type(x)))
        self.fields.append(Field("d", name))
        return self._leaf(x, source, name, path)

    def _leaf(self, x: Operand, source: str, name: str, path: str) -> Tracer:
        self.paths.append(path)
        leaf = self.trace.argument(x, name)
        self.leaves.append(Argument(x, leaf, source))
        return leaf

    def _check_floats(self) -> None:
        """Write the line that converts ints to floats."""
        if not self._unchecked:
            return
        names = [name for name, _ in self._unchecked]
        classes = [f"type({name})" for name in names]  # not __class__, which is float for a Number
        self._note_classes(f"[{', '.join(classes)}]", [given for _, given in self._unchecked])
        if len(classes) <= _LONGEST_CHAIN:
            fit = f"{' is '.join(classes)} is float"
        else:
            fit = f"[{', '.join(classes)}] == {self.constant([float] * len(classes))}"
        keep = ""
        if names[0] in self.parameters:
            keep = f"given = given or {row_of(self.parameters)}; "
        joined = ", ".join(names)
        self.head.append(f"if not ({fit}): {keep}{joined}, = floats({joined})")
        self._unchecked = []

    def _note_classes(self, source: str, given: list[type]) -> None:
        """Note where the classes of numbers are checked, if the trace depends on them."""
        self._classes.append((len(self.head), source, given))
        self.head.append("")

    def _check_distinct(self, sources: Iterable[str]) -> None:
        """Write the check that what was passed once in the trace is not passed twice."""
        listed = list(sources)
        if len(listed) > 1:
            self.check(f"len({{{', '.join(listed)}}}) != {len(listed)}")


def parameters(f: Callable[..., Any]) -> list[Parameter]:
    """Return the parameters of a function: any at all, if it does not tell them."""
    try:
        return [*inspect.signature(f).parameters.values()]
    except (TypeError, ValueError):
        return [Parameter("args", _ROWS[0]), Parameter("kwargs", _ROWS[1])]


def static_names(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names of static arguments, each once."""
    listed = (names,) if isinstance(names, str) else names
    if isinstance(listed, Iterable):
        listed = tuple(dict.fromkeys(listed))
        if all(isinstance(name, str) for name in listed):
            return listed
    raise TypeError(
        f"compile: static_argnames must be a name, or a tuple of names, got {short(names)}"
    )


def places(f: Callable[..., Any], static: Iterable[str]) -> dict[str, float]:
    """Return the positions of static arguments; infinity for those that are passed by name only.

    Raises:
        ValueError: if the function has no argument of that name.
    """
    known = parameters(f)
    names = [p.name for p in known if p.kind not in _ROWS]
    found: dict[str, float] = dict.fromkeys(static, inf)
    unknown = [name for name in found if name not in names]
    if unknown and all(p.kind is not p.VAR_KEYWORD for p in known):
        raise ValueError(
            f"compile: static_argnames names {short(unknown[0])}, which is no argument of "
            f"{getattr(f, '__name__', short(f))}; its arguments are: {', '.join(names) or 'none'}"
        )
    positions = {p.name: i for i, p in enumerate(known) if p.kind in _POSITIONAL}
    return {name: positions.get(name, inf) for name in found}


def container(x: Any) -> Kind | None:
    """Return the kind of a container that is taken apart and built again, or None."""
    kind = kind_of(x)
    if kind is None or (kind not in PLAIN and unchanging(x)):
        return None  # a module is known by its identity
    if dataclasses.is_dataclass(x):
        return Kind(type(x), _attributes, kind.path, kind.build)
    return None if getattr(x, "__dict__", None) else kind


def _goes_as_one(tree: Any, parts: list[Any]) -> bool:
    """Whether the numbers of a container are checked and packed as a whole."""
    if holds_doubles(tree):
        return bool(parts)
    return type(tree) in (list, tuple) and len(parts) >= _LEAST and all(map(is_number, parts))


def _parts(kind: Kind, x: Any) -> list[Any]:
    return [part for _, part in kind.parts(x)]


def _attributes(x: Any) -> list[tuple[str, Any]]:
    """Return the fields of a dataclass and its other attributes."""
    names = [field.name for field in dataclasses.fields(x)]
    own = {name: getattr(x, name) for name in names if hasattr(x, name)}
    return list((own | getattr(x, "__dict__", {})).items())
