"""Building C text into functions that this process calls."""

import ctypes
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microgradlib.compiling.csource import DECIDED, UNFINITE, c_source
from microgradlib.compiling.graph import Program
from microgradlib.compiling.source import DecisionError, RetraceError, UnfiniteError
from microgradlib.errors import CompileError, short
from microgradlib.trees import to_bytes

# -fno-builtin and -ffp-contract=off keep the bits of the interpreter: without them compilers turn
# pow(x, 2.0) into x * x, compute functions of constants themselves, and fuse products with sums.
FLAGS = ("-std=c99", "-O1", "-fno-builtin", "-ffp-contract=off", "-fPIC", "-shared")

_NO_COMPILER = (
    "compile: backend='c' needs a C compiler, and none of $CC, cc, gcc, clang and the ziglang "
    "package is there; install one (pip install 'microgradlib[native]' brings ziglang), or use "
    "backend='python'"
)


def compiler() -> list[str]:
    """Return the command of the C compiler.

    It is the first of: ``$CC``, cc, gcc, clang on the PATH, and the package ziglang.

    Raises:
        CompileError: if there is none.
    """
    if command := shlex.split(os.environ.get("CC", "")):
        if shutil.which(command[0]):
            return command
        raise CompileError(f"compile: $CC is {short(command[0])}, which is not found; set another")
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return [found]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise CompileError(_NO_COMPILER)


def machine_code(cache: Path | None, program: Program) -> dict[str, Any]:
    """Build the C form of a trace; return what the source that calls it refers to."""
    decided = [x for _, numbers in program.others for x in numbers]
    program = program._replace(
        outputs=[*program.outputs, *decided],
        meanings=[*program.meanings, *["for a decision"] * len(decided)],
    )
    run, new_buffer = kernel(program, cache)
    buffers: list[Any] = []  # those that no thread uses at present
    names = {"buffers": buffers, "fail": fail, "new_buffer": new_buffer, "run": run}
    return {**names, "to_bytes": to_bytes}


_CALL = """
int call(double *buffer)
{{
    double *in = buffer, *out = buffer + {inputs};
    const int status = trace(in, out, out + {outputs});{keep}
    return status;
}}
"""
_KEEP = """
    if (status == 0)
        for (int i = 1; i <= {count}; ++i) in[{inputs} - i] = out[{outputs} - i];"""


def kernel(
    program: Program, cache: Path | None, kept: int = 0
) -> tuple[Callable[..., int], Callable[[], tuple[Any, Any]]]:
    """Build the C form of a trace.

    Args:
        program: the trace.
        cache: a directory that keeps it for other processes; None keeps nothing.
        kept: how many of the last results take the place of the last inputs, if it succeeds.

    Returns:
        A function of a pointer to a buffer, which returns a status, and one that makes a buffer and
        a pointer to it. A buffer holds inputs, results and working numbers one after the other.
    """
    source = c_source(program, "trace")
    sizes = {"inputs": len(program.inputs), "outputs": len(program.outputs)}
    keep = _KEEP.format(count=kept, **sizes) if kept else ""
    run = load(source.text + _CALL.format(keep=keep, **sizes), cache).call
    numbers = ctypes.c_double * (sum(sizes.values()) + source.work)

    def new_buffer() -> tuple[Any, Any]:
        buffer = numbers()
        return buffer, ctypes.byref(buffer)

    return run, new_buffer


def fail(status: int) -> None:
    """Raise the error for a result of the C function."""
    if status == DECIDED:
        raise DecisionError
    raise UnfiniteError if status == UNFINITE else RetraceError


def load(text: str, cache: Path | None) -> ctypes.CDLL:
    """Build C text as a shared library and load it.

    Args:
        text: the C source.
        cache: a directory that keeps the library for other processes; None keeps nothing.

    Raises:
        CompileError: if there is no compiler, if it fails, or if others can write to the cache.
    """
    command = compiler()
    if cache is None:
        # The file can go once the library is loaded; Windows does not allow that.
        with tempfile.TemporaryDirectory("microgradlib", ignore_cleanup_errors=True) as directory:
            return ctypes.CDLL(str(_build(command, text, Path(directory))))
    _check_owner(cache)
    kept = cache / f"{_key(command, text)}.so"
    if not kept.exists():
        with tempfile.TemporaryDirectory("build", dir=cache) as directory:
            os.replace(_build(command, text, Path(directory)), kept)  # at once, or not at all
    return ctypes.CDLL(str(kept))


def _build(command: list[str], text: str, directory: Path) -> Path:
    """Build a library in a directory of its own; return its path."""
    source, library = directory / "f.c", directory / "f.so"
    source.write_text(text, "utf-8")
    done = subprocess.run(
        [*command, *FLAGS, "-o", str(library), str(source), "-lm"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode or not library.exists():
        raise CompileError(
            f"compile: {shlex.join(command)} failed with code {done.returncode}: "
            f"{short(done.stderr.strip() or done.stdout.strip())}"
        )
    return library


def _key(command: list[str], text: str) -> str:
    """Return the hash of all that a library depends on."""
    version = subprocess.run([*command, "--version"], capture_output=True, check=False).stdout
    parts: list[Any] = [command, FLAGS, platform.machine(), version, text]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _check_owner(cache: Path) -> None:
    """Make the cache directory if it is missing; refuse one to which others can write."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = cache.stat()
    if hasattr(os, "getuid") and (
        found.st_uid != os.getuid() or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ):
        raise CompileError(
            f"compile: the cache {short(str(cache))} must be yours alone, as its libraries are "
            "run; chmod 700 it, or choose another directory"
        )
