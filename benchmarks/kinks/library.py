"""What a library is to the benchmark, and its answers at a point."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from types import CodeType
from typing import Any, NamedTuple

from kinks.page import ABSENT, Answers, Point, shown

Function = Callable[..., Any]
# Takes a function, the numbers that go in, and an order; returns the partial derivatives.
Differentiate = Callable[[Any, tuple[float, ...], int], Iterable[Any]]


class NoDerivativeError(Exception):
    """An answer that is no derivative: the library has none, or its result is a plain number."""


class Library(NamedTuple):
    """How one library differentiates, and what it calls its functions.

    A key of ``names`` is a name in the expressions of the page, or a whole expression. A remark in
    parentheses is shown with the answer, as in "maximum (max)", and a name may come with several.
    """

    modes: dict[str, Differentiate]
    names: dict[str, Any]


def of_module(module: Any, names: str, **others: str) -> dict[str, Any]:
    """Return the functions that a module has, of these; ``others`` are those it names otherwise."""
    wanted = {name: name for name in names.split()} | others
    return {name: getattr(module, own) for name, own in wanted.items() if hasattr(module, own)}


def answers(library: Library, where: Point) -> Answers:
    """Return the answers of a library at a point, by remark.

    The mode is in the remark only where the answer depends on it, and so is a spelling beside one
    that needs no remark.
    """
    found = {}
    for remark, f in spellings(library, where):
        of_modes = {m: answer(d, f, where) for m, d in library.modes.items()}
        if len(set(of_modes.values())) == 1:
            found[remark] = next(iter(of_modes.values()))
        else:
            found |= {", ".join(filter(None, (remark, m))): text for m, text in of_modes.items()}
    known = {remark: text for remark, text in found.items() if text != ABSENT}
    plain = known.get("")
    return {r: text for r, text in known.items() if r == "" or text != plain} or {"": ABSENT}


def differences(found: Answers, told: Answers) -> Iterator[tuple[str, str, str]]:
    """Yield the answers that the page tells otherwise: the remark, the answer, and what it tells.

    Where the two do not have the same remarks, one answer is compared with all that it stands for.
    """
    for remark, text in found.items():
        parts = set(filter(None, remark.split(", ")))
        for other, expected in told.items():
            others = set(filter(None, other.split(", ")))
            near = parts <= others or others <= parts
            if text != expected and (remark == other or (remark not in told and near)):
                yield remark or other, text, expected


def answer(differentiate: Differentiate, f: Any, where: Point) -> str:
    numbers = tuple(number for _, number in where.at)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return shown(differentiate(f, numbers, where.order))
    except NoDerivativeError as error:
        return str(error)
    except Exception as error:
        return type(error).__name__


def spellings(library: Library, where: Point) -> Iterator[tuple[str, Any]]:
    """Yield each way to write the expression in a library: a remark and a function."""
    known: dict[str, list[tuple[str, Any]]] = {}
    for key, value in library.names.items():
        name, _, remark = key.partition(" (") if " (" in key else (key, "", "")
        known.setdefault(name, []).append((remark.removesuffix(")"), value))
    whole = [key for key in library.names if key.partition(" [")[0] == where.expression]
    for key in whole:
        yield key.partition(" [")[2].removesuffix("]"), library.names[key]
    if whole:
        return
    source = f"lambda {', '.join(name for name, _ in where.at)}: {where.expression}"
    code = compile(source, "<point>", "eval")
    needed = sorted(globals_of(code))
    for chosen in product(*[known.get(name, []) for name in needed]):
        namespace = {name: value for name, (_, value) in zip(needed, chosen, strict=True)}
        yield ", ".join(r for r, _ in chosen if r), eval(code, namespace)


def globals_of(code: CodeType) -> set[str]:
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return set(code.co_names).union(*map(globals_of, inner))
