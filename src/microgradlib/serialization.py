"""Checkpoints: saving and loading of state dicts, as JSON, and putting them back."""

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from errno import EACCES, EINVAL, ENOTSUP
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from stat import S_IMODE
from typing import Any

from microgradlib.errors import StateDictError, short
from microgradlib.interpreters import current
from microgradlib.trees import NESTS, kind_of

_fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None  # Windows has none

_TEMPORARY = ".microgradlib-"  # how the names of temporary files begin


def save(state: Any, path: str | os.PathLike[str]) -> None:
    """Write a state dict to a JSON file; a crash in the middle leaves the old file as it was.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "model.json"
    >>> save({"weight": [0.1, 0.2]}, path)
    >>> load(path)
    {'weight': [0.1, 0.2]}

    The text is written to a file of its own beside ``path``, flushed to the disk, and renamed; then
    the directory is flushed. What a killed process leaves there, ``.microgradlib-*``, the next
    ``save`` into that directory removes, where the system has file locks to tell by that no process
    is still writing it; Windows has not.

    Args:
        state: what ``state_dict()`` of a module or optimizer returned, or any nest of dicts with
            string keys, lists, tuples, numbers, strings, bytes and None. Floats come back bit for
            bit; infinite ones and NaN are written as Infinity and NaN, which other readers may
            refuse. A tuple is written as ``{"__tuple__": [...]}`` and bytes as
            ``{"__bytes__": "..."}``, in base64.
        path: the file to write or replace.

    Raises:
        TypeError: if ``state`` holds anything else; the old file is then untouched.
        OSError: if the file cannot be written, or the old one is read-only.
    """
    current().forbid("save()", "call it outside")
    path = checked_path("save(state, path)", path)
    try:
        text = json.dumps(_to_json("state", state), indent=1)
    except RecursionError:
        raise TypeError("save: state is nested too deeply; pass state_dict()") from None
    write_text(path, text + "\n")


def load(path: str | os.PathLike[str]) -> Any:
    """Return what ``save`` wrote.

    Args:
        path: the file to read.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file does not hold JSON, or only the beginning of what was saved.
    """
    current().forbid("load()", "call it outside, and pass what it returns")
    path = checked_path("load(path)", path)
    with open(path, encoding="utf-8") as file:
        try:
            text = file.read()
            state = json.loads(text, object_pairs_hook=_from_json)
            # Of a number, the beginning is a number, too.
            if isinstance(state, int | float) and not text.endswith("\n"):
                raise ValueError("the end of the line is missing")
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"load: {short(os.fspath(path))} is not a file that save wrote: {error}"
            ) from None
    return state


def restore(state: Mapping[str, Any], /, **parts: Any) -> None:
    """Put the entries of a loaded checkpoint back: all of them or, if one does not fit, none.

    >>> from microgradlib import nn, optim, random
    >>> model = nn.Layer(2, 1)
    >>> optimizer = optim.Adam(model.parameters())
    >>> state = {
    ...     "model": model.state_dict(),
    ...     "optimizer": optimizer.state_dict(),
    ...     "random": random.get_state(),
    ...     "epoch": 3,
    ... }
    >>> restore(state, model=model, optimizer=optimizer, random=random)

    Args:
        state: a dict, such as ``load`` returns.
        **parts: by key of ``state``, what to load the entry into: a module, an optimizer, or
            anything else with ``state_dict`` and ``load_state_dict``; ``microgradlib.random``, by
            ``get_state`` and ``set_state``; Python's ``random``, by ``getstate`` and ``setstate``.
            Other entries of ``state`` are left to the caller.

    Raises:
        StateDictError: if ``state`` is not a dict, or lacks an entry.
        TypeError: if a part has no such methods, or there is none.

    What a part raises about its entry is raised, too, after the others have got their old state
    back; so is an interrupt.
    """
    current().forbid("restore()", "call it outside")
    if not parts:
        raise TypeError("restore: no parts; call restore(state, model=model, optimizer=optimizer)")
    if not isinstance(state, Mapping):
        raise StateDictError(
            f"restore: state must be a dict, got {short(state)}; pass what load(path) returned"
        )
    if missing := [key for key in parts if key not in state]:
        raise StateDictError(
            f"restore: state has no {short(missing[0])}, only {short(list(state))}; save it with "
            "that entry, or leave out the part"
        )
    pairs = [_methods(key, part) for key, part in parts.items()]
    old = [get() for get, _ in pairs]
    try:
        for key, (_, put) in zip(parts, pairs, strict=True):
            put(state[key])
    except BaseException:
        for (_, put), x in zip(pairs, old, strict=True):
            put(x)
        raise


_METHODS = (("state_dict", "load_state_dict"), ("get_state", "set_state"), ("getstate", "setstate"))


def _methods(key: str, part: Any) -> tuple[Callable[[], Any], Callable[[Any], object]]:
    """Return the methods that get and set the state of a part."""
    for get, put in _METHODS:
        if hasattr(part, get) and hasattr(part, put):
            return getattr(part, get), getattr(part, put)
    raise TypeError(
        f"restore: {key} has no load_state_dict or set_state, got {short(part)}; pass a module, an "
        "optimizer or microgradlib.random"
    )


def write_text(path: Path, text: str) -> None:
    """Write a text file, or leave the old one as it was."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, or leave the old one as it was."""
    target = Path(os.path.realpath(path))  # a link stays a link
    try:
        if target.exists() and not (target.is_file() or target.is_dir()):
            raise OSError(EINVAL, "Not a regular file; choose another name")
        if target.is_file() and not os.access(target, os.W_OK):  # which a rename does not ask
            raise PermissionError(EACCES, "The file is read-only; choose another name")
        _remove_left(target.parent)
        while not _replaced(target, data):
            pass
        _flush_directory(target.parent)
    except OSError as error:  # name the file that the caller knows
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None


def _replaced(target: Path, data: bytes) -> bool:
    """Replace a file, or return False if another process has removed the temporary file."""
    # Write next to the file: a rename within one file system is atomic.
    temporary = target.with_name(f"{_TEMPORARY}{os.urandom(16).hex()}")
    with ExitStack() as stack:
        stack.callback(temporary.unlink, missing_ok=True)
        with open(temporary, "xb") as file:
            try:
                _lock(file.fileno())
                # The copy keeps the lock when the file is closed, as it has to be on Windows.
                stack.callback(os.close, os.dup(file.fileno()))
            except BlockingIOError:  # it was new, and looked like one that is left
                return False
            except OSError:  # some file systems have no locks
                pass
            if not temporary.exists():
                return False
            if target.exists():
                with suppress(PermissionError):  # some file systems have no permissions
                    temporary.chmod(S_IMODE(target.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    return True


def _remove_left(directory: Path) -> None:
    """Remove the temporary files of processes that were killed: those that no process has locked.

    The system releases the locks of a process when it ends, however it ends.
    """
    if not _fcntl:
        return
    with suppress(OSError):  # the directory need not be readable
        for name in os.listdir(directory):
            if name.startswith(_TEMPORARY):
                with suppress(OSError), ExitStack() as stack:
                    # A named pipe would have it wait, if it did not say not to.
                    descriptor = os.open(directory / name, os.O_RDONLY | os.O_NONBLOCK)
                    stack.callback(os.close, descriptor)
                    _lock(descriptor)
                    os.unlink(directory / name)


def _lock(descriptor: int) -> None:
    """Lock a file, or raise an OSError: a BlockingIOError if another process has it locked."""
    if not _fcntl:
        raise OSError
    _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)


def _flush_directory(directory: Path) -> None:
    """Write the names in a directory to the disk; until then, a power loss brings back the old."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except PermissionError:  # Windows opens no directories, others only those that are readable
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (EINVAL, ENOTSUP):  # some file systems do it by themselves
            raise
    finally:
        os.close(descriptor)


def checked_path(call: str, path: object) -> Path:
    """Return a path, or raise an error that shows the right call, such as ``load(path)``."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        function = call[: call.index("(")]
        raise TypeError(f"{function}: path must be a file name, got {short(path)}; call {call}")
    return Path(path)


def _to_json(where: str, x: Any) -> Any:
    """Return what stands for x in the file; raise a TypeError if that would drop or change a part.

    A tuple or bytes are a dict with one key, which no other dict may have.
    """
    if type(x) is bytes:
        return {_BYTES: b64encode(x).decode()}
    if type(x) is tuple:
        return {_TUPLE: _to_json(where, [*x])}
    kind = None if isinstance(x, tuple) else kind_of(x, NESTS)  # a named tuple would lose its names
    if kind:
        new = [(key, _to_json(where + kind.path(key), part)) for key, part in kind.parts(x)]
        if not isinstance(x, dict):
            return [part for _, part in new]
        for key in x:
            if not isinstance(key, str):
                raise TypeError(f"save: {where} has the key {short(key)}; use strings as keys")
            if key in (_BYTES, _TUPLE):
                raise TypeError(f"save: {where} has the key {key!r}, which save uses; use another")
        return dict(new)
    if x is not None and not isinstance(x, bool | int | float | str):
        raise TypeError(f"save: {where} is {short(x)}; pass state_dict(), which holds only numbers")
    return x


_BYTES, _TUPLE = "__bytes__", "__tuple__"


def _from_json(pairs: list[tuple[str, Any]]) -> Any:
    """Return what a dict in the file stands for."""
    keys = [key for key, _ in pairs]
    if len({*keys}) < len(keys):
        raise ValueError(f"two entries have the same key, of {short(keys)}")
    if keys == [_TUPLE]:
        if not isinstance(pairs[0][1], list):
            raise ValueError(f"{_TUPLE} stands for {short(pairs[0][1])}, not a list")
        return tuple(pairs[0][1])
    if keys == [_BYTES]:
        if not isinstance(pairs[0][1], str):
            raise ValueError(f"{_BYTES} stands for {short(pairs[0][1])}, not a text")
        return b64decode(pairs[0][1], validate=True)
    return dict(pairs)
