"""Writes the files that the library reads, from the functions and expressions in Python."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import microgradlib
from microgradlib.compiling.clibrary import INCLUDES, Signature
from microgradlib.compiling.decisions import COMPARISONS
from microgradlib.compiling.forms import ENTRY, INLINE, OF_TWO, SOURCES
from microgradlib.compiling.templates import Template, statements, template
from microgradlib.core.table import PRIMITIVES
from microgradlib.numeric import activations, piecewise, reductions, special
from translate.functions import define, definitions, expression
from translate.prelude import BUILTINS, prelude

PLACE = Path(microgradlib.__file__).parent / "compiling"

_USAGE = """Usage: python tools/translate [--check]

Writes the C forms of the numeric functions into the package; with --check, only says whether they
are what is there already."""

_HEAD = """\
/* The numeric functions in C99, written by "python tools/translate": change them in Python.

   The comment before a function gives its name and parameters in Python, its result, the sum of the
   failures that it may set, the numbers that it works with, and those that it gives at most, for
   lists of n in all. Where two functions have one name, each is for other versions of Python. */"""


def main(arguments: Sequence[str]) -> int:
    """Write the files, or compare them; return 0, or 1 where they differ."""
    if arguments not in ([], ["--check"]):
        print(_USAGE)
        return 2
    differing = [name for name, text in files().items() if not _holds(PLACE / name, text)]
    for name in differing:
        if arguments:
            print(f"{name} is not what the functions in Python give: run python tools/translate")
        else:
            (PLACE / name).write_text(files()[name], "ascii", newline="\n")
            print(f"{name} has changed")
    return int(bool(arguments and differing))


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_bytes() == text.encode("ascii")


def files() -> dict[str, str]:
    """Return the text of each file by its name."""
    return {"numeric.c": numeric_c(), "expressions.json": expressions_json()}


def numeric_functions() -> list[FunctionType]:
    """Return the functions of the modules of numeric functions, in the order of the source."""
    return [
        f
        for module in (piecewise, special, activations, reductions)
        for f in vars(module).values()
        if isinstance(f, FunctionType) and f.__module__ == module.__name__
    ]


def numeric_c() -> str:
    r"""Return the C source of the numeric functions, and of what they call.

    >>> print(next(block for block in numeric_c().split("\n\n") if "mg_relu(" in block))
    /* relu(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
    static double mg_relu(double x)
    {
        return (x > 0.0 || x != x) ? x : 0.0;
    }
    """
    found: dict[str, list[str]] = {}  # comments by the name in C
    signatures: dict[Any, Signature] = {
        **BUILTINS,
        **{f: define(f).signature for f in numeric_functions()},
    }
    for function, signature in signatures.items():
        found.setdefault(signature.name, []).append(_comment(function.__name__, signature))
    texts = {**prelude(), **definitions(numeric_functions())}
    direct = [line for name, lines in found.items() if name not in texts for line in lines]
    blocks = [
        "".join([f"{line}\n" for line in found.get(name, [])]) + block
        for name, text in texts.items()
        for block in text.split("\n\n")
    ]
    return "\n\n".join([_HEAD, INCLUDES, "\n".join(direct), *blocks]) + "\n"


def _comment(function: str, signature: Signature) -> str:
    """Return the comment that ``microgradlib.compiling.clibrary`` reads."""
    *parameters, last = signature.parameters
    given = ", ".join([*parameters, f"*{last}" if signature.star else last])
    (a, b), (c, d) = signature.work, signature.size
    numbers = f"fails {signature.fails}, work {a} + {b} n, size {c} + {d} n"
    return f"/* {function}({given}) -> {signature.result}; {numbers} */"


def expressions_json() -> str:
    """Return the expressions of instructions in C by those in Python.

    >>> print(expressions_json().splitlines()[4])
      "{} / {}": "{0} / mg_nonzero({1}, failed)",
    """
    found = {}
    for x in instructions():
        names = [f"x{i}_" for i in range(len(x.gaps))]
        source = "{}".join(x.pieces)
        result = expression(source.format(*names), tuple(names))
        gaps = [f"{{{i}}}" for i, _ in result.gaps]
        found[source] = "".join([a + b for a, b in zip(result.pieces, [*gaps, ""], strict=True)])
    return json.dumps(found, indent=2) + "\n"


def instructions() -> Iterator[Template]:
    """Yield the templates of all instructions that are expressions."""
    for name, source in SOURCES.items():
        if source not in (INLINE, ENTRY):
            yield from statements(name, 2 if name in OF_TWO else len(PRIMITIVES[name].domain))
    yield template("x ** y", ("x", "y"))
    for sign in COMPARISONS.values():
        yield template(f"1.0 if x {sign} y else 0.0", ("x", "y"))
