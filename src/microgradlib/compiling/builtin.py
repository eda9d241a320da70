"""Machine code as a built-in function of Python, whose C is ``call.c``."""

import ctypes
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microgradlib.compiling.buffers import Update
from microgradlib.compiling.csource import DECIDED, FAILED, UNFINITE, block, c_source, with_library
from microgradlib.compiling.loops import operations
from microgradlib.compiling.native import load
from microgradlib.compiling.source import DecisionError, RetraceError, UnfiniteError
from microgradlib.compiling.symbols import Program
from microgradlib.modes import collector_off
from microgradlib.trees import to_bytes

_API = {
    "PyFloat_AsDouble": "double (*as_double)(object *)",
    "PyFloat_FromDouble": "object *(*from_double)(double)",
    "PyBytes_AsStringAndSize": "int (*as_bytes)(object *, char **, ptrdiff_t *)",
    "PyBytes_FromStringAndSize": "object *(*from_bytes)(const char *, ptrdiff_t)",
    "PyLong_AsVoidPtr": "void *(*as_pointer)(object *)",
    "PyTuple_New": "object *(*new_tuple)(ptrdiff_t)",
    "PyTuple_SetItem": "int (*set_item)(object *, ptrdiff_t, object *)",
    "PyErr_Occurred": "object *(*error)(void)",
    "PyErr_SetNone": "void (*raise)(object *)",
    "PyErr_NoMemory": "object *(*no_memory)(void)",
    "Py_DecRef": "void (*drop)(object *)",
    "PyMem_RawMalloc": "void *(*allocate)(size_t)",
    "PyMem_RawFree": "void (*release)(void *)",
    "PyEval_SaveThread": "void *(*leave)(void)",
    "PyEval_RestoreThread": "void (*enter)(void *)",
}
"""The functions of CPython's stable C API that ``call.c`` uses, and its declarations of them."""

_errors: Any = (ctypes.py_object * (UNFINITE + 1))()
_errors[DECIDED], _errors[FAILED], _errors[UNFINITE] = DecisionError, RetraceError, UnfiniteError

_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.py_object)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)

_ON_STACK = 1_000  # numbers of a call; more of them are allocated
_FREE_FROM = 1_000  # instructions: below, it costs more than it gives to let other threads run
_FASTCALL = 0x80  # METH_FASTCALL


class _MethodDef(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def machine_code(cache: Path | None, program: Program, formats: tuple[str, str]) -> dict[str, Any]:
    """Build the C form of a trace; return what the source that calls it refers to."""
    decided = [x for _, numbers in program.others for x in numbers]
    program = program._replace(
        outputs=[*program.outputs, *decided],
        meanings=[*program.meanings, *["for a decision"] * len(decided)],
    )
    return {"run": builtin(program, formats, cache)[0], "to_bytes": to_bytes}


def builtin(
    program: Program, formats: tuple[str, str], cache: Path | None, update: Update | None = None
) -> tuple[Callable[..., Any], int]:
    """Build the C form of a trace.

    Args:
        program: the trace.
        formats: what the function is called with and what it returns, in the notation of
            ``struct``: ``2d`` are two floats, ``16s`` are bytes that hold two doubles.
        cache: a directory that keeps the machine code for other processes; None keeps nothing.
        update: what follows the trace. The function then works on a buffer that keeps parameters
            and state, whose address is its first argument.

    Returns:
        The function, and how many doubles a buffer has: inputs, what is kept, results and working
        numbers. The function returns a tuple. It raises a DecisionError, a RetraceError or an
        UnfiniteError where its results do not count.
    """
    with collector_off():
        source = c_source(program, "trace")
    first, others = source.files()
    inputs, outputs = len(program.inputs), len(program.outputs)
    runs = ["return trace(buffer, buffer + INPUTS, buffer + INPUTS + OUTPUTS);"]
    if update:
        step = c_source(update.program, "update")
        first += step.main
        inputs += update.ends[-1] * update.state + 1
        outputs += update.ends[-1] * (1 + update.state)
        runs = _step(update, len(program.inputs), step.work)
    taken, given = (_runs(text) for text in formats)
    sizes = {
        "INPUTS": inputs,
        "OUTPUTS": outputs,
        "NUMBERS": inputs + outputs + source.work,
        "ON_STACK": _ON_STACK,
        "KEPT": int(update is not None),
        "TAKEN": _items(taken) + (update is not None),
        "GIVEN": _items(given),
        "FREE": int(operations(program) >= _FREE_FROM),
        "FAILED": FAILED,
    }
    text = [
        with_library(first),
        "#include <stddef.h>",
        "#include <string.h>",
        "typedef struct object object;",
        f"typedef struct {{ {'; '.join(_API.values())}; object **errors; }} api;",
        *[f"#define {name} {size}" for name, size in sizes.items()],
        f"static const int taken[][2] = {_table(taken)}, given[][2] = {_table(given)};",
        f"static int run(double *buffer){block(runs)}",
        (pkgutil.get_data(__package__, "call.c") or b"").decode("ascii"),
    ]
    code = load(["\n".join(text), *others], cache)
    api = [getattr(ctypes.pythonapi, name) for name in _API]
    pointers = [ctypes.cast(x, ctypes.c_void_p).value for x in [*api, _errors]]
    code.bind((ctypes.c_void_p * len(pointers))(*pointers))
    method = _MethodDef(b"trace", ctypes.cast(code.call, ctypes.c_void_p), _FASTCALL, None)
    # The function keeps the objects in its second argument, which it needs.
    function: Callable[..., Any] = _new(ctypes.byref(method), (code, method), None)
    return function, sizes["NUMBERS"]


def _step(update: Update, inputs: int, work: int) -> list[str]:
    """Return the body of the C function that takes a step; it changes nothing if that fails."""
    ends, state = update.ends, update.state
    n, count = ends[-1], len(update.options) // len(ends)
    given = [f"buffer[{place}]" for place in update.factors]
    given += [f"buffer[{update.options.start + k} + group * {count}]" for k in range(count)]
    numbers = ["gradients[i]", *[f"kept[{k * n} + i]" for k in range(1 + state)]]
    return [
        f"double *const kept = buffer + {inputs - n}, *const out = buffer + INPUTS;",
        "const double *const gradients = out + 1;",
        f"double *const made = out + {1 + n};",
        f"double given[{len(given) + 2 + state}], found[{1 + state}], work[{work + 1}];",
        f"static const int ends[] = {{{', '.join(map(str, ends))}}};",
        "int status = trace(buffer, out, out + OUTPUTS);",
        f"for (int group = 0, i = 0; group < {len(ends)}; ++group) {{",
        *[f"    given[{k}] = {x};" for k, x in enumerate(given)],
        "    for (; i < ends[group] && status == 0; ++i) {",
        *[f"        given[{len(given) + k}] = {x};" for k, x in enumerate(numbers)],
        "        status = update(given, found, work);",
        *[f"        made[{k * n} + i] = found[{k}];" for k in range(1 + state)],
        "    }",
        "}",
        "if (status == 0) {",
        f"    memcpy(kept, made, {n * (1 + state)} * sizeof(double));",
        f"    kept[{n * (1 + state)}] += 1.0;",
        "}",
        "return status;",
    ]


def _runs(format_: str) -> list[tuple[bool, int]]:
    """Return what follows each other: some floats, or bytes; and how many doubles that are.

    >>> _runs("d2d16sd")
    [(False, 3), (True, 2), (False, 1)]
    """
    runs = []
    for text in re.findall(r"(?:\d*d)+|\d+s", format_):
        if text[-1] == "s":
            runs.append((True, int(text[:-1]) // 8))
        else:
            runs.append((False, sum([int(x or 1) for x in text.split("d")[:-1]])))
    return runs


def _items(runs: list[tuple[bool, int]]) -> int:
    return sum([1 if is_bytes else count for is_bytes, count in runs])


def _table(runs: list[tuple[bool, int]]) -> str:
    """Return runs in C, and their end."""
    rows = [f"{{{is_bytes:d}, {count}}}" for is_bytes, count in runs]
    return f"{{{', '.join([*rows, '{-1, 0}'])}}}"
