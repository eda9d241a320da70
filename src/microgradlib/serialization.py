"""Saving and loading of state dicts, as JSON."""

import json
import os
from contextlib import suppress
from errno import EINVAL
from pathlib import Path
from stat import S_IMODE
from typing import Any
from uuid import uuid4

from microgradlib.errors import short
from microgradlib.interpreters import current
from microgradlib.trees import NESTS, kind_of


def save(state: Any, path: str | os.PathLike[str]) -> None:
    """Write a state dict to a JSON file; a crash in the middle leaves the old file as it was.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "model.json"
    >>> save({"weight": [0.1, 0.2]}, path)
    >>> load(path)
    {'weight': [0.1, 0.2]}

    Args:
        state: what ``state_dict()`` of a module or optimizer returned, or any nest of dicts with
            string keys, lists, numbers and strings. Floats come back bit for bit; infinite ones
            and NaN are written as Infinity and NaN, which other readers may refuse.
        path: the file to write or replace.

    Raises:
        TypeError: if ``state`` holds anything else; the old file is then untouched.
        OSError: if the file cannot be written.
    """
    current().forbid("save()", "call it outside")
    path = checked_path("save(state, path)", path)
    try:
        _check_json("state", state)
    except RecursionError:
        raise TypeError("save: state is nested too deeply; pass state_dict()") from None
    write_text(path, json.dumps(state, indent=1) + "\n")


def load(path: str | os.PathLike[str]) -> Any:
    """Return what ``save`` wrote.

    Args:
        path: the file to read.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file does not hold JSON.
    """
    current().forbid("load()", "call it outside, and pass what it returns")
    path = checked_path("load(path)", path)
    with open(path, encoding="utf-8") as file:
        try:
            return json.load(file)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"load: {short(os.fspath(path))} is not a file that save wrote: {error}"
            ) from None


def write_text(path: Path, text: str) -> None:
    """Write a file, or leave the old one as it was."""
    # Write next to the file: a rename within one file system is atomic.
    target = Path(os.path.realpath(path))  # a link stays a link
    temporary = target.with_name(f".{uuid4().hex}")
    try:
        if target.exists() and not (target.is_file() or target.is_dir()):
            raise OSError(EINVAL, "Not a regular file; choose another name")
        with open(temporary, "x", encoding="utf-8") as file:
            if target.exists():
                with suppress(PermissionError):  # some file systems have no permissions
                    temporary.chmod(S_IMODE(target.stat().st_mode))
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:  # name the file that the caller knows
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        temporary.unlink(missing_ok=True)


def checked_path(call: str, path: object) -> Path:
    """Return a path, or raise an error that shows the right call, such as ``load(path)``."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        function = call[: call.index("(")]
        raise TypeError(f"{function}: path must be a file name, got {short(path)}; call {call}")
    return Path(path)


def _check_json(where: str, x: Any) -> None:
    """Raise a TypeError if JSON would silently drop or change a part of x."""
    kind = None if isinstance(x, tuple) else kind_of(x, NESTS)  # JSON would make lists of tuples
    if kind:
        for key, child in kind.parts(x):
            if isinstance(x, dict) and not isinstance(key, str):
                raise TypeError(f"save: {where} has the key {short(key)}; use strings as keys")
            _check_json(where + kind.path(key), child)
    elif x is not None and not isinstance(x, bool | int | float | str):
        raise TypeError(f"save: {where} is {short(x)}; pass state_dict(), which holds only numbers")
