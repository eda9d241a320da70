"""The source of a trace: its names and checks, and how it is run and shown."""

import builtins
import enum
import itertools
import linecache
import math
import re
import weakref
from collections.abc import Callable, Iterable, Iterator
from math import inf, isfinite, nan
from numbers import Integral
from types import BuiltinFunctionType
from typing import Any, NamedTuple, TypeAlias, cast

from microgradlib.compiling.definitions import definitions, is_numeric
from microgradlib.compiling.forms import SOURCES
from microgradlib.compiling.loops import steps_of
from microgradlib.compiling.symbols import Own, Program, Symbol, text_of
from microgradlib.compiling.templates import template
from microgradlib.core.nonfinite import check_sums
from microgradlib.core.primitive import Primitive
from microgradlib.core.value import Value, constant, node
from microgradlib.errors import GradientError
from microgradlib.interpreters import GENERATED
from microgradlib.modes import interpreter, nested
from microgradlib.trees import Kind


class RetraceError(Exception):
    """Raised by generated code if a call does not fit the trace."""


class DecisionError(RetraceError):
    """Raised where a decision of the function comes out differently."""


class UnfiniteError(Exception):
    """Raised by generated code if eager evaluation may raise for an infinite or NaN result."""


class UnknownError(Exception):
    """Raised in a trace that does not know the numbers of loops, where one of them is needed."""


Traced: TypeAlias = Callable[[Callable[..., Any] | None], Callable[..., Any]]
"""Takes the function to call where the trace does not fit, or None to raise an error there."""

MachineCode: TypeAlias = Callable[[Program, tuple[str, str]], dict[str, Any]]
"""Builds a program; returns what the names of ``NATIVE_NAMES`` mean in source that calls it."""

_numbers = itertools.count(1)


class Source(NamedTuple):
    """The source of one trace, and what it refers to: text and data, which can be pickled.

    Attributes:
        name: the name of its function.
        text: the source that is run.
        constants: the objects that it refers to, by name.
        functions: the functions that it calls, by name.
        lines: the lines of computation alone, to be read.
        program: the same for other writers.
        node: the arguments of ``operation`` for the nodes that it makes.
        formats: what machine code takes and gives, in the notation of ``struct``.
    """

    name: str
    text: str
    constants: dict[str, Any]
    functions: dict[str, Any]
    lines: list[str]
    program: Program
    node: tuple[str, bool]
    formats: tuple[str, str]

    def trace(self, machine_code: MachineCode | None) -> Traced:
        """Run the source and return its function; debuggers find its lines in ``linecache``.

        Args:
            machine_code: gives the names of ``NATIVE_NAMES`` a meaning, if the source needs them.
        """
        namespace = namespace_of(self.functions)
        namespace |= self.constants | {"operation": operation(*self.node)}
        if machine_code is not None:
            namespace |= machine_code(self.program, self.formats)
        file = f"{GENERATED}{self.name} {next(_numbers)}>"
        exec(builtins.compile(self.text, file, "exec"), namespace)
        trace: Traced = namespace.pop("trace")
        lines = self.text.splitlines(keepends=True)
        linecache.cache[file] = (len(self.text), None, lines, file)
        weakref.finalize(trace, linecache.cache.pop, file, None)
        return trace

    def standalone(self, name: str = "", checks: bool = False) -> str:
        """Return the source as a function of all numbers that it reads, to be read and run.

        Where a decision comes out differently it raises a ValueError, if ``checks``.
        """
        name, functions = name or self.name, self.functions
        head = f"def {name}({', '.join(self.program.inputs.values())}):"
        texts = [step.text for step in steps_of(self.program).values()]
        texts.append("\n    ".join([head, *self.lines]))
        text = "\n\n\n".join([alone(text, name, checks) for text in texts])
        used = {*re.findall(r"\b[a-z_]\w*\b", text)} & {*functions, *_MATH}
        own = sorted({x for x in used if x in functions and not is_numeric(x, functions[x])})
        header = "".join([f"# {x}: of a primitive of your own\n" for x in own])
        return "\n\n".join([x for x in (header + definitions(used - {*own}), text + "\n") if x])


def alone(text: str, name: str, checks: bool) -> str:
    """Return the source of a function without checks, or with those of decisions."""
    lines = []
    for line in text.split("\n"):
        condition, _, raised = line.strip().removeprefix("if ").partition(": raise ")
        if raised == "DecisionError":
            bare = condition.removeprefix("not ")
            holds = bare if bare != condition else f"not {condition}"
            error = f"ValueError({f'{name}: computes only where {holds}'!r})"
            check = f"if {condition}: raise {error}"
            lines.append(f"    {check if checks else f'# traced where {holds}'}")
        elif raised != "UnfiniteError":
            lines.append(line)
    return "\n".join(lines)


def namespace_of(functions: dict[str, Any]) -> dict[str, Any]:
    """Return what the names in source mean that calls these functions."""
    return NAMES | {x: getattr(*f) if type(f) is Own else f for x, f in functions.items()}


def differs(current: Any, records: bool) -> bool:
    """Return whether an interpreter carries out operations in another way than the trace."""
    if current is None:
        return not records
    return bool(current.traces or current.records != records)


def located_node(*args: Any) -> Value:
    """Return a node, and give ``detect_anomaly()`` its line."""
    result = node(*args)
    interpreter().created(result)
    return result


def labelled(x: Value, label: str) -> Value:
    """Return a Value with a label."""
    x._label = label
    return x


def by_identity(x: object) -> bool:
    """Whether x is equal to nothing but itself."""
    return getattr(type(x), "__eq__") is object.__eq__  # noqa: B009 (mypy knows better)


def unchanging(x: object) -> bool:
    """Whether x is a text or flag, or compares by its identity, such as a function."""
    if isinstance(x, Iterator):  # it changes with each item
        return False
    kinds = str | bytes | bool | None | enum.Enum | BuiltinFunctionType
    return by_identity(x) or isinstance(x, kinds)


def is_number(x: object) -> bool:
    """Whether x is a float, an int, or a number of NumPy with the arithmetic of one of them."""
    kind = type(x)
    by_numpy = kind.__module__ == "numpy" and isinstance(x, float | Integral)
    return kind is float or kind is int or by_numpy


def floats(*numbers: Any) -> list[float]:
    """Return ints, and other kinds of float, as floats; an int that no float holds is refused."""
    found = [float(x) for x in numbers if is_number(x)]
    if len(found) < len(numbers) or any(x != y == y for x, y in zip(numbers, found, strict=True)):
        raise RetraceError
    return found


def exact(x: Any) -> Any:
    """Return what is equal only for objects that are equal and of the same types."""
    if isinstance(x, list | tuple | frozenset):
        return type(x), (frozenset if isinstance(x, frozenset) else tuple)(map(exact, x))
    return type(x), repr(x) if isinstance(x, float | complex) else x


def same(x: Any, y: Any) -> bool:
    """Whether an attribute of a Value is what it was."""
    if isinstance(x, Value) or isinstance(y, Value):
        return x is y
    return bool(exact(x) == exact(y))


def parts_of(kind: Kind, keys: Any, x: Any) -> list[Any]:
    """Return the parts of a container, if it has these keys."""
    pairs = list(kind.parts(x))
    if exact([key for key, _ in pairs]) != keys:
        raise RetraceError
    return [part for _, part in pairs]


def built(kind: Kind, like: Any, keys: list[Any], parts: Iterable[Any]) -> Any:
    """Return a container like another one around other parts."""
    return kind.build(like, dict(zip(keys, parts, strict=True)))


def finite_check(symbols: Iterable[Any]) -> list[str]:
    """Return the statement that raises UnfiniteError; none if all symbols are finite constants."""
    unsure = [s for s in symbols if isinstance(s, Symbol) or not isfinite(s)]
    if not unsure:
        return []
    numbers = [text_of(s)[0] for s in deciding(unsure)]
    total = " + ".join(numbers)
    if len(numbers) > _LONGEST_SUM:
        total = f"added([{', '.join(numbers)}])"  # a long list is made faster than a tuple
    return [f"if not isfinite({total}): raise UnfiniteError"]


def deciding(numbers: Iterable[Any]) -> list[Any]:
    """Return the numbers without those that are finite if the others are."""
    by_term: dict[Any, Any] = {}  # x + 0.0 is finite if x is
    for x in numbers:
        plus_zero = isinstance(x, Symbol) and x.template is _SUM and x.operands[1] == 0.0
        by_term[x.operands[0] if plus_zero else x] = x
    passing = [x for x in by_term if isinstance(x, Symbol) and x.template in _PASSING_ON]
    implied = {operand for x in passing for operand in x.operands}
    return [x for term, x in by_term.items() if term not in implied]


_SUM, *_ = _PASSING_ON = [  # operations that are infinite or NaN if an operand is
    template(SOURCES[name], ("x", "y")) for name in ("add", "subtract", "multiply")
]
_LONGEST_SUM = 50  # terms written with +, which is faster for few and nests too deep for many


MISSING = object()
_MATH = {"exp": math.exp, "inf": inf, "nan": nan}
NAMES: dict[str, Any] = {
    **_MATH,
    "DecisionError": DecisionError,
    "RetraceError": RetraceError,
    "UnfiniteError": UnfiniteError,
    "Value": Value,
    "added": sum,  # "sum" is a row of the table
    "constant": constant,
    "differs": differs,
    "floats": floats,
    "interpreter": interpreter,
    "isfinite": isfinite,
    "labelled": labelled,
    "located_node": located_node,
    "missing": MISSING,
    "nested": nested,
    "node": node,
    "operation": None,
    "same": same,
    **dict.fromkeys(("current", "given", "named", "others", "otherwise", "trace")),  # its variables
}


NATIVE_NAMES = (
    *("address", "buffer", "buffers", "factors", "numbers", "o", "optimizer", "renew", "run"),
    *("seen", "to_bytes"),
)
"""The names in source that calls machine code."""


def write_partials(node: Value) -> bool:
    """Write the gradient of a node whose inputs are distinct leaves: its partials.

    Returns:
        Whether it did so: where a number is not finite, backpropagation names it.
    """
    inputs, partials = node._inputs, cast(tuple[float, ...], node._partials)
    if not isfinite(sum(partials, node._data)):
        return False
    for x in inputs:
        if x._grad:
            pairs = zip(inputs, partials, strict=True)
            check_sums([(x, partial) for x, partial in pairs if x._grad and x._requires_grad])
            break
    node._grad = 1.0
    for x, partial in zip(inputs, partials):  # noqa: B905 (this is hot)
        if x._requires_grad:
            x._grad = (0.0 if x._grad is None else x._grad) + partial
    return True


def operation(name: str, leaves: bool) -> Primitive:
    """Return the primitive of the nodes that a compiled function returns.

    Its inputs are distinct; ``leaves`` says whether none of them can be a computed Value.
    """

    def refuse(*inputs: float) -> Any:
        raise GradientError(
            f"create_graph: {name} is compiled and has first derivatives only; compile the "
            f"derivative instead, as in compile(grad({name}))"
        )

    primitive = Primitive(name, refuse, refuse, slopes=refuse, listed=False)
    primitive.backward = write_partials if leaves else None
    return primitive
