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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from microgradlib.errors import CompileError, short

# -fno-builtin and -ffp-contract=off keep the bits of the interpreter: without them compilers turn
# pow(x, 2.0) into x * x, compute functions of constants themselves, and fuse products with sums.
FLAGS = ("-std=c99", "-O1", "-fno-builtin", "-ffp-contract=off", "-fPIC")

# For large programs, which gcc builds in two thirds of the time then; their code is as fast. Other
# compilers refuse these flags.
_QUICK = (
    *("-fno-expensive-optimizations", "-fno-tree-dominator-opts", "-fno-tree-dse"),
    *("-fno-tree-fre", "-fno-tree-pta"),
)

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


def load(texts: Sequence[str], cache: Path | None) -> ctypes.CDLL:
    """Build C files as a shared library and load it.

    Args:
        texts: the C files.
        cache: a directory that keeps the library for other processes; None keeps nothing.

    Raises:
        CompileError: if there is no compiler, if it fails, or if others can write to the cache.
    """
    command = compiler()
    if cache is None:
        # The file can go once the library is loaded; Windows does not allow that.
        with tempfile.TemporaryDirectory("microgradlib", ignore_cleanup_errors=True) as directory:
            return ctypes.CDLL(str(_build(command, texts, Path(directory))))
    _check_owner(cache)
    kept = cache / f"{_key(command, texts)}.so"
    if not kept.exists():
        with tempfile.TemporaryDirectory("build", dir=cache) as directory:
            os.replace(_build(command, texts, Path(directory)), kept)  # at once, or not at all
    return ctypes.CDLL(str(kept))


def _build(command: list[str], texts: Sequence[str], directory: Path) -> Path:
    """Build a library in a directory of its own, several files at a time; return its path."""
    sources = [directory / f"f{i}.c" for i in range(len(texts))]
    for source, text in zip(sources, texts, strict=True):
        source.write_text(text, "utf-8")
    if len(sources) > 1:
        objects = [source.with_suffix(".o") for source in sources]
        quick = [*command, *_QUICK] if _is_gcc(command) else command
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(partial(_run, quick), sources, objects):
                pass
        sources = objects
    library = directory / "f.so"
    _run(command, *sources, library)
    return library


def _is_gcc(command: list[str]) -> bool:
    """Whether the compiler is gcc itself, by the macros that it defines."""
    show = [*command, "-dM", "-E", "-x", "c", os.devnull]
    macros = subprocess.run(show, capture_output=True, check=False).stdout
    return b"__GNUC__" in macros and b"__clang__" not in macros


def _run(command: list[str], *files: Path) -> None:
    """Call the compiler, which makes the last file of the others."""
    *sources, made = files
    kind = ["-c"] if made.suffix == ".o" else ["-shared", "-lm"]
    done = subprocess.run(
        [*command, *FLAGS, "-o", made, *sources, *kind],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode or not made.exists():
        raise CompileError(
            f"compile: {shlex.join(command)} failed with code {done.returncode}: "
            f"{short(done.stderr.strip() or done.stdout.strip())}"
        )


def _key(command: list[str], texts: Sequence[str]) -> str:
    """Return the hash of all that a library depends on."""
    version = subprocess.run([*command, "--version"], capture_output=True, check=False).stdout
    parts: list[Any] = [command, FLAGS, platform.machine(), version, *texts]
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
