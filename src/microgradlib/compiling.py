"""compile: a recorded graph as straight-line Python source.

A call runs the function once, on Values that stand for its arguments, and records what is computed:
the trace. From then on the source written from it is called instead. ``_Writer`` writes the
source of one trace, ``Compiled`` keeps the functions that were made and finds the one that fits.
"""

import builtins
import dataclasses
import enum
import functools
import gc
import inspect
import math
import operator
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import inf, isfinite, nan
from types import BuiltinFunctionType, MethodType
from typing import Any, NamedTuple, TypeAlias, overload

from microgradlib import primitives
from microgradlib.errors import CompileError, GradientError
from microgradlib.instructions import (
    Check,
    Code,
    Symbol,
    Template,
    row_of,
    template,
    text_of,
)
from microgradlib.modes import nested, recording, tracing
from microgradlib.primitives import PRIMITIVES, Primitive
from microgradlib.tracing import Guard, Trace, Traced, tracing_with
from microgradlib.trees import flatten
from microgradlib.value import Operand, Value, by_serial, constant, edges, node, sweep


class RetraceError(Exception):
    """Raised by generated code where a call does not fit the trace it was made from."""


class UnfiniteError(Exception):
    """Raised by generated code where eager evaluation may refuse an infinite or NaN result."""


# From a trace to a function.


class _Argument(NamedTuple):
    """A number among the arguments: as the function that is traced sees it, and in the source."""

    given: Operand
    traced: Traced
    source: str


_Trace: TypeAlias = Callable[[Callable[..., Any] | None], Callable[..., Any]]
"""Returns a function that leaves to another one what does not fit, or raises an exception then."""


class _Source(NamedTuple):
    """The source of one trace: to be run in a namespace, and to be read."""

    text: str
    namespace: dict[str, Any]
    standalone: Callable[[], str]

    def trace(self) -> _Trace:
        """Return what the source defines."""
        exec(builtins.compile(self.text, "<compiled>", "exec"), self.namespace)
        return self.namespace.pop("trace")  # type: ignore[no-any-return]


class _Writer:
    """Writes the source of one trace."""

    def __init__(self, name: str, f: Callable[..., Any]) -> None:
        self.name = name
        self.f = f
        self.code = Code({*_NAMES, *PRIMITIVES})
        self.unique = self.code.unique
        self.trace = Trace(self.code)
        self.parameters: list[str] = []
        self.head: list[str] = []  # what unpacks and checks the arguments
        self.unchecked: list[str] = []  # numbers that may not be floats
        self.arguments: list[_Argument] = []
        self.constants: dict[str, Any] = {}  # objects that the source refers to
        self.selects = False  # whether derivatives lead through what may not have been selected

    # The arguments.

    def take(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments with Values in them."""
        try:
            known = list(inspect.signature(self.f).parameters.values())
        except (TypeError, ValueError):
            known = []
        names = [p.name for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        names = [*names, *[f"arg{i}" for i in range(len(names), len(args))]][: len(args)]
        self.parameters = [self.unique(name) for name in [*names, *kwargs]]
        new = [
            self.unpack(x, name, name)
            for x, name in zip([*args, *kwargs.values()], self.parameters, strict=True)
        ]
        self._check_floats()
        return new[: len(args)], dict(zip(kwargs, new[len(args) :], strict=True))

    def unpack(self, tree: Any, source: str, name: str) -> Any:
        """Write what checks an argument and takes it apart; return it with Values in it."""
        if isinstance(tree, Value) or (
            isinstance(tree, int | float) and not isinstance(tree, bool | enum.Enum)
        ):
            return self._number(tree, source, name)
        kind = type(tree)
        if kind in (list, tuple, dict):
            self._check(f"{source}.__class__ is not {kind.__name__}")  # sooner than type()
            unpack = self._unpack_dict if kind is dict else self._unpack_list
            new = unpack(tree, source, name)
            self._check_floats()
            return kind(new)
        if not _unchanging(tree):
            raise CompileError(
                f"compile: {self.name} got {tree!r} for {source}; pass numbers and Values, nested "
                "in lists, tuples and dicts, or texts, flags, functions and modules (of an array "
                "its tolist(), of an iterator its next(), of another object its fields)"
            )
        constant = self._constant(tree)
        self._check(f"type({source}) is not {self._constant(kind)} or {source} != {constant}")
        return tree

    def _unpack_list(self, tree: Sequence[Any], source: str, name: str) -> list[Any]:
        names = [self.unique(f"{name}{i}") for i in range(len(tree))]
        if names:
            self.head.append(f"{', '.join(names)}, = {source}")  # ValueError for another length
        else:
            self._check(source)
        return [self.unpack(x, n, n) for x, n in zip(tree, names, strict=True)]

    def _unpack_dict(self, tree: dict[Any, Any], source: str, name: str) -> dict[Any, Any]:
        keys = self._constant(list(tree))
        self._check(f"list({source}) != {keys}")
        plain = all(type(key) in (str, int) for key in tree)
        sources = [
            f"{source}[{key!r}]" if plain else f"{source}[{keys}[{i}]]"
            for i, key in enumerate(tree)
        ]
        names = [self.unique(f"{name}_{key}") for key in tree]
        items = zip(tree.values(), sources, names, strict=True)
        return dict(zip(tree, [self.unpack(*item) for item in items], strict=True))

    def _number(self, x: Any, source: str, name: str) -> Value:
        value = isinstance(x, Value)
        if value:
            self._check(f"not isinstance({source}, Value)")
            self._check(f"{'not ' * bool(x.requires_grad)}{source}.requires_grad")
            name = self.unique(f"{name}_")
            self.head.append(f"{name} = {source}.data")
        else:
            if source != name:
                self.head.append(f"{name} = {source}")
            self.unchecked.append(name)
        leaf = self.trace.argument(x, name)
        self.arguments.append(_Argument(x, leaf, source))
        return leaf

    def _check_floats(self) -> None:
        """Write what makes floats of the numbers that are not."""
        if self.unchecked:
            names = ", ".join(self.unchecked)
            # The class is read sooner than type() is called.
            classes = [f"{name}.__class__" for name in self.unchecked]
            if len(classes) <= _LONGEST_CHAIN:
                fit = f"{' is '.join(classes)} is float"
            else:
                fit = f"[{', '.join(classes)}] == {self._constant([float] * len(classes))}"
            keep = ""
            if self.unchecked[0] in self.parameters:
                keep = f"given = given or {row_of(self.parameters)}; "
            self.head.append(f"if not ({fit}): {keep}{names}, = floats({names})")
            self.unchecked = []

    def _check(self, mismatch: str) -> None:
        self.head.append(f"if {mismatch}: raise RetraceError")

    def _constant(self, x: Any, name: str = "") -> str:
        name = self.unique(name or f"c{len(self.constants)}")
        self.constants[name] = x
        return name

    # The graph.

    def adjoints(self, y: Value) -> dict[Value, Any]:
        """Return the derivatives of y by all that it was computed from, in symbols."""
        order, _ = sweep((y,), [x.traced for x in self.arguments])
        adjoints: dict[Value, Any] = {y: 1.0}
        symbol = self.trace.symbol
        for made in reversed(order):
            if made._serial > self.trace.start:
                adjoint = adjoints[made]
                row: Any = made._op
                partials = self.code.partials(row, symbol(made), [*map(symbol, made._inputs)])
                for x, i in zip(made._prev, edges(made), strict=True):
                    partial = partials[i]
                    self.selects = self.selects or row.selects
                    term = primitives.gate(adjoint, partial) if row.selects else adjoint * partial
                    adjoints[x] = total = adjoints[x] + term if x in adjoints else term
                    if type(total) is Symbol and total.hint == "t":
                        total.hint = "d"
        return adjoints

    # The function.

    def write(self, result: Any) -> _Source:
        """Return the source of the function that computes the result of the trace."""
        outputs: list[Operand] = []
        shape = self._shape(result, outputs)
        symbol = self.trace.symbol
        numbers = [symbol(y) for y in outputs]
        finite = [symbol(x) for x in dict.fromkeys(self.trace.finite) if isinstance(x, Value)]
        checks = [self._guard(guard) for guard in self.trace.guards]
        captured = {x: self.trace.captured[x] for x in sorted(self.trace.captured, key=by_serial)}
        gradients = self._gradients(outputs, captured)
        slopes = [d for found in gradients.values() for d in found.values()]
        if self.selects:  # 0 for what was not selected becomes NaN where a slope below is infinite
            finite += slopes
        for i, (x, number) in enumerate(captured.items()):
            number.text = self.unique(x.label or f"p{i}")
        body = self.code.lines([*numbers, *finite, *slopes], checks, self.trace.risky)
        body += _finite_check(finite)
        captured = {x: number for x, number in captured.items() if number.uses}
        leaves = self._read(captured)
        texts, plain = self._texts(outputs, gradients, leaves)

        self.name = self.unique(self.name)
        namespace = _NAMES | self.code.functions | self.constants
        text = self._define([*self.head, *body, f"return {shape(iter(texts))}"])
        inputs = [x.traced.symbol.text for x in self.arguments]
        inputs += [number.text for number in captured.values()]
        returned = f"return {shape(iter(plain))}"
        standalone = functools.partial(
            _standalone, self.name, inputs, self.code.functions, body, returned
        )
        return _Source(text, namespace, standalone)

    def _define(self, lines: list[str]) -> str:
        """Return the source of the trace with these lines in its function."""
        parameters = [*[f"{name}=missing" for name in self.parameters], "/"] * bool(self.parameters)
        before = [
            "def trace(otherwise):",
            f"    def {self.name}({', '.join([*parameters, '*others', '**named'])}):",
            "        given = ()",
            "        try:",
            "            if others or named: raise RetraceError",
        ]
        after = [
            "        except Exception:",
            "            if otherwise is None: raise",
            f"        return otherwise(given or {row_of([*self.parameters, '*others'])}, named)",
            f"    return {self.name}",
        ]
        return "\n".join([*before, "            " + "\n            ".join(lines), *after])

    def _gradients(
        self, outputs: list[Operand], captured: Iterable[Value]
    ) -> dict[Value, dict[Value, Any]]:
        """Return the gradient of each output that has one, by the arguments and captured Values."""
        wanted: list[Value] = [x.traced for x in self.arguments if x.traced.requires_grad]
        wanted += [x for x in captured if x.requires_grad]
        gradients: dict[Value, dict[Value, Any]] = {}
        for y in outputs:
            if isinstance(y, Value) and y.requires_grad and y not in gradients:
                adjoints = self.adjoints(y)
                found = {x: adjoints[x] for x in wanted if x in adjoints}
                if found:
                    gradients[y] = found
        return gradients

    def _read(self, captured: dict[Value, Symbol]) -> dict[Value, str]:
        """Write what reads the captured Values, each call anew; return the names of the Values."""
        linked = bool(captured) or any(isinstance(x.given, Value) for x in self.arguments)
        if linked:
            self._check(f"recording() is not {recording()} or tracing()")
        if self.trace.aux or (linked and self.trace.differentiated):
            self._check(f"nested() is not {nested()}")
        names: dict[Value, str] = {}
        flags: dict[bool, list[str]] = {True: [], False: []}
        for leaf, number in captured.items():
            names[leaf] = name = self._constant(leaf, f"{number.text}_leaf")
            self.head.append(f"{number.text} = {name}.data")
            flags[bool(leaf.requires_grad)].append(f"{name}.requires_grad")
        if flags[True]:
            self._check(f"not ({' and '.join(flags[True])})")
        if flags[False]:
            self._check(" or ".join(flags[False]))
        return names

    def _texts(
        self,
        outputs: list[Operand],
        gradients: dict[Value, dict[Value, Any]],
        leaves: dict[Value, str],
    ) -> tuple[list[str], list[str]]:
        """Return the source of each output twice: what a call returns, and as numbers alone."""
        names = leaves | {x.traced: x.source for x in self.arguments}
        reached = {x for found in gradients.values() for x in found}
        leaves_only = all(x in leaves and not x._op for x in reached)
        operation = self._constant(_operation(self.name, leaves_only)) if gradients else ""
        texts, plain = [], []
        for y in outputs:
            text = text_of(self.trace.symbol(y))[0]
            if isinstance(y, Value) and y in gradients:
                found = gradients[y]
                slopes = row_of(text_of(d)[0] for d in found.values())
                if all(x in leaves for x in found):
                    inputs = self._constant(tuple(found))
                else:
                    inputs = row_of(names[x] for x in found)
                texts.append(f"node({operation}, {inputs}, {inputs}, {text}, {slopes})")
                plain.append(f"({text}, {slopes})")
            else:
                is_number = not isinstance(y, Value) or (type(y) is Traced and y.plain)
                texts.append(text if is_number else f"constant({text})")
                plain.append(text)
        return texts, plain

    def _shape(self, tree: Any, outputs: list[Operand]) -> Callable[[Iterator[str]], str]:
        """Collect the numbers of the result; return what writes it around the texts of them."""
        if isinstance(tree, Value) or type(tree) is float:
            outputs.append(tree)
            return next
        if type(tree) in (list, tuple):
            parts = [self._shape(x, outputs) for x in tree]
            if type(tree) is tuple:
                return lambda texts: row_of([part(texts) for part in parts])
            return lambda texts: f"[{', '.join([part(texts) for part in parts])}]"
        if type(tree) is dict:
            items = {self._literal(key): self._shape(x, outputs) for key, x in tree.items()}
            return lambda texts: (
                "{" + ", ".join([f"{key}: {part(texts)}" for key, part in items.items()]) + "}"
            )
        if hasattr(tree, "_flatten") or dataclasses.is_dataclass(tree):
            leaves, build = flatten("compile", "the result", tree)
            name = self._constant(build)
            inner = [self._shape(x, outputs) for x in leaves.values()]
            return lambda texts: f"{name}(iter({row_of([part(texts) for part in inner])}))"
        if isinstance(tree, type(None) | bool | int | str | enum.Enum):
            text = self._literal(tree)
            return lambda texts: text
        raise CompileError(
            f"compile: {self.name} returned {tree!r}; return numbers and Values, nested in lists, "
            "tuples, dicts, dataclasses or modules"
        )

    def _literal(self, x: Any) -> str:
        """Return an object in the source of a result."""
        if type(x) in (type(None), bool, int, str):
            return repr(x)
        if type(x) is tuple:
            return row_of(map(self._literal, x))
        if isinstance(x, int | float) or _unchanging(x):
            return self._constant(x)
        raise CompileError(
            f"compile: {self.name} returned a dict with the key {x!r}; use texts, numbers or "
            "tuples of them"
        )

    def _guard(self, guard: Guard) -> Check:
        operands, pieces = [], []
        for x in guard.operands:
            if isinstance(x, Value):
                operands.append(self.trace.symbol(x))
                pieces.append("{}")
            else:
                pieces.append(repr(x) if type(x) in (int, float) else self._constant(x))
        if sign := _COMPARISONS.get(guard.function):
            text = f"{pieces[0]} {sign} {pieces[1]}"
            outcome = bool(guard.outcome)  # which a NumPy scalar has made a flag of its own kind
        else:
            name = getattr(guard.function, "__name__", "").strip("_")
            text = f"{self._constant(guard.function, name)}({', '.join(pieces)})"
            outcome = guard.outcome
        if outcome != outcome or (type(outcome) is float and not outcome):  # NaN, 0 or -0
            text, outcome = f"repr({text}) == {repr(outcome)!r}", True
        elif not isinstance(outcome, bool):
            text, outcome = f"{text} == {outcome!r}", True
        gaps = tuple((i, 2) for i in range(len(operands)))
        return Check(Template(tuple(text.split("{}")), gaps, 0), tuple(operands), outcome)


def _unchanging(x: object) -> bool:
    """Whether x is a text or flag, say, or known by its identity, such as a function."""
    if isinstance(x, Iterator):  # which is another one after each item
        return False
    by_identity = getattr(type(x), "__eq__") is object.__eq__  # noqa: B009 (mypy knows better)
    return by_identity or isinstance(x, str | bytes | bool | None | enum.Enum | BuiltinFunctionType)


def _floats(*numbers: Any) -> list[float]:
    """Return ints, and other kinds of float, as floats."""
    if all(isinstance(x, int | float) and not isinstance(x, bool) for x in numbers):
        return [float(x) for x in numbers]
    raise RetraceError


def _finite_check(symbols: Iterable[Any]) -> list[str]:
    """Return the statement that leaves a call to f, which says what is not finite; or none."""
    unsure = [s for s in symbols if isinstance(s, Symbol) or not isfinite(s)]
    if not unsure:
        return []
    numbers = [text_of(s)[0] for s in _deciding(unsure)]
    total = " + ".join(numbers)
    if len(numbers) > _LONGEST_SUM:
        total = f"added([{', '.join(numbers)}])"  # a long list is made sooner than a tuple
    return [f"if not isfinite({total}): raise UnfiniteError"]


def _deciding(numbers: Iterable[Any]) -> list[Any]:
    """Return the numbers without those that are finite if the others are."""
    by_term: dict[Any, Any] = {}  # x and x + 0.0 are finite alike
    for x in numbers:
        plus_zero = isinstance(x, Symbol) and x.template is _SUM and x.operands[1] == 0.0
        by_term[x.operands[0] if plus_zero else x] = x
    passing = [x for x in by_term if isinstance(x, Symbol) and x.template in _PASSING_ON]
    implied = {operand for x in passing for operand in x.operands}
    return [x for term, x in by_term.items() if term not in implied]


_SUM, *_ = _PASSING_ON = [  # what is infinite or NaN if an operand is
    template(row.source, ("x", "y"))
    for row in (primitives.add, primitives.subtract, primitives.multiply)
]
_LONGEST_CHAIN = 7  # of comparisons: more are compared sooner as a list
_LONGEST_SUM = 50  # written with +, which is faster for few, and nests too deep for many
_COMPARISONS = {
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.eq: "==",
    operator.ne: "!=",
}
_MISSING = object()
_MATH = {"exp": math.exp, "inf": inf, "nan": nan}
_NAMES: dict[str, Any] = {
    "__name__": "microgradlib.compiled",  # which may read the data of Values
    **_MATH,
    "RetraceError": RetraceError,
    "UnfiniteError": UnfiniteError,
    "Value": Value,
    "added": sum,  # "sum" is a row of the table
    "constant": constant,
    "floats": _floats,
    "isfinite": isfinite,
    "missing": _MISSING,
    "nested": nested,
    "node": node,
    "recording": recording,
    "tracing": tracing,
    **dict.fromkeys(("given", "named", "others", "otherwise", "trace")),  # mean something else
}


def _standalone(
    name: str, inputs: list[str], functions: dict[str, Any], body: list[str], result: str
) -> str:
    """Return the source as a function of all numbers that it reads, to be read and run."""
    lines = [f"def {name}({', '.join(inputs)}):"]
    for line in body:
        condition, _, raised = line.removeprefix("if ").partition(": raise ")
        if raised == "RetraceError":
            holds = condition.removeprefix("not ")
            lines.append(f"# traced where {holds if holds != condition else f'not {condition}'}")
        elif not raised:
            lines.append(line)
    text = "\n    ".join([*lines, result])
    used = set(re.findall(r"\b[a-z_]\w*\b", text))
    functions = {n: f for n, f in (_MATH | functions).items() if n in used}
    plain = sorted(n for n, f in functions.items() if getattr(math, n, None) is f)
    header = [f"from math import {', '.join(plain)}"] if plain else []
    others = sorted({*functions} - {*plain})
    listed = [n for n in others if n.removesuffix("_entries") in PRIMITIVES]
    if listed:
        header.append("from microgradlib.primitives import PRIMITIVES")
    for n in listed:
        row, entries, _ = n.partition("_entries")
        header.append(f"{n} = PRIMITIVES[{row!r}].{'entries' if entries else 'forward'}")
    header += [f"# {n}: of a primitive of your own" for n in others if n not in listed]
    return "\n".join([*header, "", "", text, ""] if header else [text, ""])


def _operation(name: str, flat: bool) -> Primitive:
    """Return the operation of the nodes that a compiled function returns."""

    def refuse(*inputs: float) -> Any:
        raise GradientError(
            f"create_graph: {name} is compiled and has first derivatives only; compile the "
            f"derivative instead, as in compile(grad({name}))"
        )

    operation = Primitive(name, refuse, refuse, fused=refuse, listed=False)
    operation.flat = flat
    return operation


# What users call.


class CacheInfo(NamedTuple):
    """How many traces a compiled function has made, keeps, and keeps at most."""

    made: int
    kept: int
    maxsize: int


class Compiled:
    """A compiled function: see ``compile``."""

    __slots__ = ("__call__", "__dict__", "__weakref__")

    __call__: Callable[..., Any]  # the function of the latest trace, which costs no further call
    __name__: str
    __qualname__: str

    def __init__(self, f: Callable[..., Any], maxsize: int) -> None:
        """Keep the function; the first call traces it."""
        self.__name__ = self.__qualname__ = type(f).__name__  # of a partial function or a module
        functools.update_wrapper(self, f)
        self._f = f
        self._maxsize = maxsize
        self._lock = threading.RLock()
        self.clear_cache()

    @property
    def source(self) -> str:
        """The latest trace as Python, a function of all numbers that it reads."""
        if self._latest is None:
            raise CompileError(f"compile: {self.__name__} has no source before its first call")
        return self._sources[self._latest]()

    def cache_info(self) -> CacheInfo:
        """Return the number of traces."""
        return CacheInfo(self._made, len(self._sources), self._maxsize)

    def clear_cache(self) -> None:
        """Forget all traces."""
        self._made = 0
        self._latest: _Trace | None = None
        self.__call__ = self._call
        self._sources: dict[_Trace, Callable[[], str]] = {}
        self._traces: dict[Any, list[_Trace]] = {}

    def __reduce__(self) -> Any:
        """Pickle the function alone: what was decorated by its name."""
        found: Any = sys.modules.get(self.__module__)
        for part in self.__qualname__.split("."):
            found = getattr(found, part, None)
        return self.__qualname__ if found is self else (Compiled, (self._f, self._maxsize))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Be a method, as functions are."""
        return self if instance is None else MethodType(self, instance)

    def _call(self, /, *args: Any, **kwargs: Any) -> Any:
        """Be called where there is no trace that can be tried at once."""
        return self._choose(args, kwargs)

    def _choose(self, given: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the result of the first trace that fits, or of a new one."""
        args = tuple([x for x in given if x is not _MISSING])
        if tracing() is not None:  # part of something larger that is compiled
            return self._f(*args, **kwargs)
        key = (len(args), tuple(kwargs))
        for trace in self._traces.get(key, ())[::-1]:
            try:
                result = trace(None)(*args, *kwargs.values())
            except UnfiniteError:
                return self._f(*args, **kwargs)
            except Exception:
                continue
            self._note(trace, kwargs)
            return result
        return self._trace(key, args, kwargs)

    def _note(self, trace: _Trace, kwargs: dict[str, Any]) -> None:
        """Note the latest trace; it is tried first unless some of its arguments had keywords."""
        self._latest = trace
        self.__call__ = self._call if kwargs else trace(self._choose)

    def _trace(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        writer = _Writer(self.__name__, self._f)
        new_args, new_kwargs = writer.take(args, kwargs)
        try:
            with _collector_off(), tracing_with(writer.trace):
                result = self._f(*new_args, **new_kwargs)
                writer.trace.check_captured()
                if error := writer.trace.error:  # which the function caught
                    raise error if isinstance(error, CompileError) else RetraceError
                source = writer.write(result)
                del result, writer, new_args, new_kwargs  # the collector would walk the graph
            trace = source.trace()  # which can use the memory of the graph again
        except (ValueError, ArithmeticError, RetraceError):
            return self._f(*args, **kwargs)  # to do with the error what it does
        with self._lock:
            traces = self._traces.setdefault(key, [])
            traces.append(trace)
            self._sources[trace] = source.standalone
            self._made += 1
            while len(self._sources) > self._maxsize:
                oldest = next(iter(self._sources))
                del self._sources[oldest]
                for others in self._traces.values():
                    if oldest in others:
                        others.remove(oldest)
            self._note(trace, kwargs)
        try:
            return trace(None)(*args, *kwargs.values())
        except (RetraceError, UnfiniteError):
            return self._f(*args, **kwargs)
        except Exception as error:
            result = self._f(*args, **kwargs)  # which should raise the same
            warnings.warn(
                f"compile: the source of {self.__name__} fails where the function does not, so "
                f"that every call will trace it anew; please report this ({error!r})",
                RuntimeWarning,
                stacklevel=4,
            )
            return result


@contextmanager
def _collector_off() -> Iterator[None]:
    """Switch the cyclic garbage collector off: it would walk all that is made, again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@overload
def compile(f: Callable[..., Any], *, maxsize: int = 128) -> Compiled: ...
@overload
def compile(f: None = None, *, maxsize: int = 128) -> Callable[[Callable[..., Any]], Compiled]: ...
def compile(
    f: Callable[..., Any] | None = None, *, maxsize: int = 128
) -> Compiled | Callable[[Callable[..., Any]], Compiled]:
    """Return a function that does what f does, from source written for the arguments it gets.

    >>> import microgradlib as mg
    >>> @compile
    ... def loss(w, x):
    ...     return mg.tanh(w[0] * x + w[1]) ** 2
    >>> loss([0.5, 0.0], 2.0) == math.tanh(1.0) ** 2
    True

    Args:
        f: the function. Without it the result is a decorator: ``@compile(maxsize=8)``.
        maxsize: how many traces to keep, >= 1; beyond that the oldest goes.

    Raises:
        TypeError: if ``f`` is not a function.
        ValueError: if ``maxsize`` is not a whole number >= 1.
        CompileError: at a call, if f does what would freeze a number, or takes an argument that
            cannot be part of a trace.
    """
    if f is None:
        return functools.partial(compile, maxsize=maxsize)
    if not callable(f):
        raise TypeError(f"compile: f must be a function, got {f!r}; pass f itself, not its result")
    if isinstance(maxsize, bool) or not isinstance(maxsize, int) or maxsize < 1:
        raise ValueError(f"compile: maxsize must be a whole number >= 1, got {maxsize!r}")
    return Compiled(f, maxsize)
