"""Builds the C forms of functions of floats, and calls them through ctypes."""

import ctypes
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from compilers import compiler

from microgradlib.compiling.clibrary import (
    INCLUDES,
    LIST,
    Signature,
    blocks,
    expression,
    names_in,
    needed,
    signature,
)
from microgradlib.compiling.templates import statements
from translate.functions import definitions
from translate.functions import signature as translated
from translate.prelude import NONE

FLAGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
FLAGS += ["-O1", "-fno-builtin", "-ffp-contract=off", "-shared", "-fPIC"]
RAISED = (ValueError, OverflowError, ZeroDivisionError)
GUARD = [1.25] * 8  # behind the memory that a function may use
HEAD = "const double *in, int n, double *out, double *work, int *failed"


def signature_of(function: Callable[..., Any]) -> Signature:
    """Return how a function is called: one of the library or of Python, or one of the tests."""
    own = function.__module__.startswith("test")
    return translated(function) if own else signature(function.__name__)


def of_expression(name: str, count: int) -> str:
    """Return C statements for the expression of a primitive."""
    names = list("xyzw"[:count])
    lines = [f"double {x} = in[{i}];" for i, x in enumerate(names)]
    for i, statement in enumerate(statements(name, count)):
        text = expression(statement).format(*[names[i] for i, _ in statement.gaps])
        names.append(f"r{i}")
        lines.append(f"double r{i} = {text};")
    return " ".join([*lines, f"out[0] = {names[-1]}; return 1;"])


def of_call(found: Signature) -> str:
    """Return C statements that call a function."""
    arguments = []
    for i, kind in enumerate(found.parameters):
        behind = len(found.parameters) - i - 1
        both = [f"in + {i}", f"n - {i + behind}"]
        place = f"in[{i}]" if LIST not in found.parameters[:i] else f"in[n - {behind + 1}]"
        arguments += both if kind == LIST else [f"({kind}){place}"]
    text = found.call(arguments, "out")
    if found.result == LIST:
        return f"return {text};"
    return f"{text}; return 0;" if found.result == NONE else f"out[0] = {text}; return 1;"


class Native:
    """The C forms of several functions, in one library."""

    def __init__(
        self, directory: Path, functions: Mapping[str, Callable[..., Any] | tuple[str, int]]
    ) -> None:
        """Build the library of functions, and of expressions with their numbers of operands."""
        self.sizes, bodies = {}, []
        for name, function in functions.items():
            if isinstance(function, tuple):
                body, self.sizes[name] = of_expression(*function), ((1, 0), (0, 0))
            else:
                found = signature_of(function)
                size = found.size if found.result == LIST else (1, 0)
                body, self.sizes[name] = of_call(found), (size, found.work)
            unused = "(void)in; (void)n; (void)out; (void)work; (void)failed;"
            head = f"int call_{name}({HEAD})"
            bodies.append(f"{head};\n{head}\n{{\n    {unused}\n    {body}\n}}")
        own = [f for f in functions.values() if callable(f) and f.__module__.startswith("test")]
        known = needed(names_in("\n".join(bodies)), {**definitions(own), **blocks()})
        text = "\n\n".join([INCLUDES, *known.values(), *bodies])
        (directory / "native.c").write_text(f"{text}\n", "ascii")
        program = [*compiler(), *FLAGS, "native.c", "-o", "native.so", "-lm"]
        done = subprocess.run(program, cwd=directory, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        self.library = ctypes.CDLL(str(directory / "native.so"))

    def __call__(self, name: str, inputs: Sequence[float]) -> list[float] | int:
        """Return the results, or which failure there was."""
        n, failed = len(inputs), ctypes.c_int(0)
        out, work = [
            (ctypes.c_double * (a + b * n + 8))(*[0.0] * (a + b * n), *GUARD)
            for a, b in self.sizes[name]
        ]
        data = (ctypes.c_double * n)(*inputs)
        count = getattr(self.library, f"call_{name}")(data, n, out, work, ctypes.byref(failed))
        assert list(out)[-8:] == list(work)[-8:] == GUARD
        assert list(map(bits, data)) == list(map(bits, inputs))
        return failed.value or out[:count]


def in_python(function: Callable[..., Any], inputs: Sequence[Any]) -> list[float] | int:
    """Return what ``Native`` should, from the function in Python."""
    try:
        return flat(function(*inputs))
    except RAISED as error:
        return 1 << RAISED.index(type(error))


def flat(result: Any) -> list[float]:
    """Return the numbers of a result one after the other."""
    if isinstance(result, tuple | list):
        return [x for part in result for x in flat(part)]
    return [] if result is None else [float(result)]


def bits(x: float) -> object:
    """Return what has to be the same; all NaNs are."""
    return "nan" if x != x else struct.pack("d", x)
