"""Files that hold a trace: C with its header, or Python. Neither needs the library."""

import keyword
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from microgradlib.compiling.csource import c_source
from microgradlib.compiling.ranges import named_ranges
from microgradlib.compiling.source import Source
from microgradlib.errors import CompileError, short

_C_KEYWORDS = """
    auto break case char const continue default do double else enum extern float for goto if inline
    int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while main"""
_C_FUNCTIONS = """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs
    fdim floor fma fmax fmin fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p log2
    logb lrint lround modf nan nearbyint nextafter nexttoward pow remainder remquo rint round
    scalbln scalbn sin sinh sqrt tan tanh tgamma trunc"""
_C_MACROS = """
    fpclassify isfinite isinf isnan isnormal signbit isgreater isgreaterequal isless islessequal
    islessgreater isunordered float_t double_t NAN INFINITY HUGE_VAL HUGE_VALF HUGE_VALL"""
_RESERVED = {
    *f"{_C_KEYWORDS} {_C_MACROS}".split(),
    *[f"{name}{suffix}" for name in _C_FUNCTIONS.split() for suffix in ("", "f", "l")],
}
"""Names that mean something in the files written here: of the language, math.h and float.h."""


def export(source: Source, file: str | os.PathLike[str], name: str | None) -> None:
    """Write a trace to a file: see ``Compiled.export``."""
    path = Path(file)
    if path.suffix not in (".c", ".py"):
        raise ValueError(f"export: the file must end in .c or .py, got {short(str(path))}")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"export: there is no directory {short(str(path.parent))}; make it first"
        )
    _check(source)
    texts = _c_files(source, path, name) if path.suffix == ".c" else _python(source, path, name)
    _write(texts)


def _check(source: Source) -> None:
    """Refuse what only this process can compute."""
    program = source.program
    if program.owned:
        raise CompileError(
            f"export: {program.owned[0]} is a primitive of your own, which no file can hold; "
            "compose it of functions of the library"
        )
    if program.others:
        text, _ = program.others[0]
        raise CompileError(
            f"export: {source.name} decides by {short(text)}, which no file can hold; compare "
            "numbers with < <= > >= == != instead, or use mg.where, mg.maximum, mg.select"
        )


def _c_files(source: Source, path: Path, name: str | None) -> dict[Path, str]:
    name = path.stem if name is None else name
    reserved = name in _RESERVED or name.startswith(("_", "mg_"))
    if reserved or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        reason = "is reserved" if reserved else "is no name in C"
        raise ValueError(f"export: {short(name)} {reason}; pass another, as in name='model'")
    found = c_source(source.program, name)
    return {path: found.text, path.with_suffix(".h"): found.header}


def _python(source: Source, path: Path, name: str | None) -> dict[Path, str]:
    text, program = source.standalone(source.name, checks=True), source.program
    if name is not None:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(f"export: {short(name)} is no name in Python; pass another")
        if name != source.name and re.search(rf"\b{name}\b", text):
            raise ValueError(f"export: {short(name)} has a meaning in the file; pass another name")
        text = source.standalone(name, checks=True)
    inputs, meanings = [*program.inputs.values()], program.meanings
    lines = [
        f"{name or source.name}: a function of numbers, written by microgradlib.",
        "",
        "Arguments:",
        *[f"    {x}" for x in named_ranges(inputs, program.paths)],
        "",
        "Result:",
        *[f"    {x}" for x in named_ranges(meanings, meanings)],
        "",
        "It raises a ValueError where it takes a decision that it was not traced for.",
    ]
    about = "\n".join([ascii(line)[1:-1].replace('"', '\\"') for line in lines])
    return {path: f'"""{about}\n"""\n\n{text}'}


def _write(texts: Mapping[Path, str]) -> None:
    """Write all of the files, or none."""
    (directory,) = {path.parent for path in texts}
    with tempfile.TemporaryDirectory(prefix=".export", dir=directory) as made:
        new = {path: Path(made, f"new{path.suffix}") for path in texts}
        old = {path: Path(made, f"old{path.suffix}") for path in texts}
        for path, text in texts.items():
            new[path].write_text(text, "utf-8", newline="\n")
            if path.exists():
                shutil.copy2(path, old[path])
        try:
            for path in texts:
                os.replace(new[path], path)
        except BaseException:
            for path in texts:
                if not new[path].exists():  # it has taken the place of the old one
                    shutil.move(old[path], path) if old[path].exists() else path.unlink()
            raise
