"""The numeric functions in C, from ``numeric.c``, and expressions, from ``expressions.json``.

``python tools/translate`` writes both files from the functions and expressions in Python.
"""

import json
import pkgutil
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from microgradlib.compiling.templates import Template

LIST = "list"
"""Two parameters of C, ``const double *xs, int n``; as a result, entries written to ``out``."""

Size = tuple[int, int]
"""A number of doubles, a + b * n, where n is the length of the lists that are passed in."""

INCLUDES = "#include <float.h>\n#include <math.h>"

_OTHER = "/* Until Python 3.11" if sys.version_info >= (3, 12) else "/* From Python 3.12"
"""How the comment of a function begins that is for another version of Python."""


class Signature(NamedTuple):
    """How a C function is called.

    Attributes:
        name: its name in C.
        parameters: their types, each ``double``, ``long long``, ``int`` or ``LIST``.
        result: its type. For ``LIST`` it returns how many entries it has written to ``out``.
        fails: the failures that it may set, their numbers added up.
        work: how many doubles of working memory it needs.
        size: how many entries it writes to ``out`` at most.
        star: whether the Python function takes its last list as ``*xs``.
    """

    name: str
    parameters: tuple[str, ...]
    result: str
    fails: int = 0
    work: Size = (0, 0)
    size: Size = (0, 0)
    star: bool = False

    def call(
        self, arguments: Sequence[str], out: str = "", work: str = "work", failed: str = "failed"
    ) -> str:
        """Return the source of a call; a list among the arguments counts for two."""
        others = (
            [out] * (self.result == LIST) + [work] * any(self.work) + [failed] * bool(self.fails)
        )
        return f"{self.name}({', '.join([*arguments, *others])})"


_COMMENT = re.compile(
    r"/\* (\w+)\((.*)\) -> (.+); fails (\d), work (\d+) \+ (\d+) n, size (\d+) \+ (\d+) n \*/\n?"
)


def names_in(text: str) -> list[str]:
    """Return the names in C source that the library defines."""
    return re.findall(r"\bmg_\w+", text)


def _read(file: str) -> str:
    return (pkgutil.get_data(__package__, file) or b"").decode("ascii")


@cache
def _numeric() -> tuple[dict[str, Signature], dict[str, str]]:
    """Return the signatures by name in Python, and the definitions by name in C."""
    signatures, blocks = {}, {}
    for part in _read("numeric.c").strip().split("\n\n"):
        own = next(re.finditer(r"\bmg_\w+", part), None)
        for function, given, result, fails, *sizes in _COMMENT.findall(part):
            name = own[0] if own else function  # without a definition here, it is one of C
            kinds = tuple(given.replace("*", "").split(", "))
            a, b, c, d = map(int, sizes)
            found = Signature(name, kinds, result, int(fails), (a, b), (c, d), "*" in given)
            signatures[function] = found
        if own and _OTHER not in part:
            blocks[own[0]] = _COMMENT.sub("", part)
    return signatures, blocks


@cache
def blocks() -> dict[str, str]:
    """Return the definitions by name in C, those of ``loops.c`` among them."""
    loops = _read("loops.c").strip().split("\n\n")
    return _numeric()[1] | {names[0]: part for part in loops if (names := names_in(part))}


@cache
def _expressions() -> dict[str, str]:
    """Return the expressions in C by those in Python; gaps are numbered from left to right."""
    found: dict[str, str] = json.loads(_read("expressions.json"))
    return found


def signature(function: str) -> Signature:
    """Return how the C form of a numeric function, or of one of ``math``, is called.

    >>> signature("power_or_inf").call(["x", "2.0"])
    'mg_power_or_inf(x, 2.0)'
    """
    return _numeric()[0][function]


def library(names: Iterable[str]) -> str:
    """Return the C source of the functions with these names in C, and of all that they need.

    >>> print(library(["mg_max"])[:68])
    #include <float.h>
    #include <math.h>
    <BLANKLINE>
    /* Python's max and min of two
    """
    return "\n\n".join([INCLUDES, *needed(names, blocks()).values()]) + "\n"


def needed(names: Iterable[str], blocks: Mapping[str, str]) -> dict[str, str]:
    """Return those definitions that are needed, each after those that it uses itself."""
    found: dict[str, str] = {}

    def add(name: str) -> None:
        for other in names_in(blocks[name]):
            if other != name and other not in found:
                add(other)
        found[name] = blocks[name]

    for name in names:
        if name.startswith("mg_") and name not in found:
            add(name)
    return found


def expression(template: Template) -> str:
    """Return a template in C, with numbered gaps, for numbers that are atoms of expressions.

    >>> from microgradlib.compiling.templates import statements
    >>> expression(statements("divide", 2)[0])
    '{0} / mg_nonzero({1}, failed)'
    """
    return _expressions()["{}".join(template.pieces)]


def comparison(template: Template) -> str:
    """Return a comparison of numbers in C, with gaps."""
    text = "{}".join(template.pieces)
    return re.sub(r"\binf\b", "INFINITY", re.sub(r"\bnan\b", "NAN", text))
