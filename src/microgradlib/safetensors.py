"""State dicts in the format of safetensors, with the names of ``safetensors.torch``.

>>> save({"weight": [[1.0, 2.0]]})[8:64]
b'{"weight":{"dtype":"F64","shape":[1,2],"data_offsets":[0'
>>> load(save({"weight": [[1.0, 2.0]], "scale": 3.0}))
{'scale': 3.0, 'weight': [[1.0, 2.0]]}

It needs the packages ``safetensors`` and NumPy: ``pip install "microgradlib[safetensors]"``. A file
has nothing that could be run when it is read, unlike a pickle.
"""

import os
from collections.abc import Mapping
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.core.value import Value
from microgradlib.errors import short
from microgradlib.functions.arguments import shape_of
from microgradlib.interpreters import current
from microgradlib.serialization import checked_path, write_bytes
from microgradlib.trees import numbers_in

_say_what_to_use(__name__)

__all__ = ["load", "load_file", "save", "save_file"]


def save_file(
    tensors: Mapping[str, Any],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a state dict to a file; a crash in the middle leaves the old file as it was.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/model.safetensors"
    >>> save_file({"weight": [[0.1, 0.2]]}, path)
    >>> load_file(path)
    {'weight': [[0.1, 0.2]]}

    Args:
        tensors: what ``state_dict()`` of a module returned: numbers and nested lists of them, by
            name; or arrays. Floats are written as F64, lists of ints as I64, of flags as BOOL, and
            an array as its own type.
        filename: the file to write or replace.
        metadata: texts by name, which ``safetensors.safe_open`` reads.

    Raises:
        ImportError: if a package is missing.
        OSError: if the file cannot be written.
        ShapeError: if lists beside each other differ in length.
        TypeError: if there is anything but numbers.
        OverflowError: if an int needs more than 64 bits.
    """
    current().forbid("save_file()", "call it outside")
    path = checked_path("save_file(tensors, filename)", filename)
    write_bytes(path, save(tensors, metadata))


def save(tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return what ``save_file`` writes."""
    current().forbid("save()", "call it outside")
    packages = _packages("save")
    if not isinstance(tensors, Mapping):
        raise TypeError(f"save: expected a dict of tensors by name, got {short(tensors)}")
    for text in (*tensors, *(metadata or ()), *(metadata or {}).values()):
        if not isinstance(text, str):
            raise TypeError(f"save: names and metadata must be texts, got {short(text)}")
    arrays = {name: _array(packages.numpy, name, x) for name, x in tensors.items()}
    data: bytes = packages.numpy_format.save(arrays, dict(metadata) if metadata else None)
    return data


def load_file(filename: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the tensors of a file, numbers and nested lists of them, in the order of their names.

    Args:
        filename: the file to read. Floats of 16 and 32 bits, bfloat16 too, are converted exactly.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if a package is missing.
        ValueError: if it is not a file of safetensors, or a tensor is of another type.
    """
    current().forbid("load_file()", "call it outside, and pass what it returns")
    with open(checked_path("load_file(filename)", filename), "rb") as file:
        return _loaded(f"load_file: {short(os.fspath(filename))}", file.read())


def load(data: bytes) -> dict[str, Any]:
    """Return the tensors that ``save`` put into bytes, as ``load_file`` does."""
    current().forbid("load()", "call it outside, and pass what it returns")
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"load: expected bytes, got {short(data)}; call load_file for a file")
    return _loaded("load: the data", bytes(data))


_TYPES = {
    **{f"F{8 * n}": f"<f{n}" for n in (2, 4, 8)},
    **{f"I{8 * n}": f"<i{n}" for n in (1, 2, 4, 8)},
    **{f"U{8 * n}": f"<u{n}" for n in (1, 2, 4, 8)},
    "BOOL": "?",
    "BF16": "<u2",  # the upper half of a float of 32 bits
}
"""NumPy's types by their names in a file."""


def _packages(function: str) -> SimpleNamespace:
    try:
        import numpy
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            f"{function}: needs the packages safetensors and numpy ({error}); "
            'run pip install "microgradlib[safetensors]"'
        ) from None
    return SimpleNamespace(
        numpy=numpy,
        numpy_format=safetensors.numpy,
        deserialize=safetensors.deserialize,
        error=safetensors.SafetensorError,
    )


def _array(numpy: Any, name: str, x: Any) -> Any:
    """Return a tensor as an array whose memory is in the order of its entries."""
    where = f"save: {short(name)}"
    if isinstance(x, numpy.ndarray | numpy.generic) and x.dtype.kind in "fiub":
        kind = f"<{x.dtype.kind}{x.dtype.itemsize}".replace("<b1", "?")
        if kind not in _TYPES.values():
            raise TypeError(f"{where}: {x.dtype} is no type of the format; convert it to float64")
        return numpy.array(x, x.dtype.newbyteorder("="), order="C")
    shape, numbers = shape_of(where, x), numbers_in([x])
    kinds = {*map(type, numbers)} or {float}
    for y in numbers:
        if isinstance(y, Value) or not isinstance(y, float | int):
            raise TypeError(
                f"{where}: expected numbers, got {short(y)}; pass state_dict(), which holds them"
            )
    kind = "bool" if kinds == {bool} else "float64" if kinds - {int} else "int64"
    try:
        return numpy.array(numbers, kind).reshape(shape)
    except OverflowError:
        raise OverflowError(f"{where}: an int needs more than 64 bits; convert it") from None


def _loaded(what: str, data: bytes) -> dict[str, Any]:
    packages = _packages(what.split(":")[0])
    numpy, tensors = packages.numpy, {}
    try:
        parts = packages.deserialize(data)
    except packages.error as error:
        raise ValueError(f"{what} is not in the format of safetensors: {error}") from None
    for name, part in sorted(parts, key=itemgetter(0)):  # they come in another order each time
        kind = part["dtype"]
        if kind not in _TYPES:
            raise ValueError(f"{what}: {short(name)} is of the type {kind}; read it with PyTorch")
        array = numpy.frombuffer(part["data"], _TYPES[kind])
        if kind == "BF16":
            array = (array.astype("<u4") << 16).view("<f4")
        tensors[name] = array.reshape(part["shape"]).tolist()
    return tensors
