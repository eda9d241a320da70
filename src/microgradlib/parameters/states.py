"""What a module saves and loads: the numbers of its parameters and buffers, by name."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from microgradlib.core.value import Value
from microgradlib.errors import StateDictError, short
from microgradlib.modes import forbid
from microgradlib.numeric.conversion import to_float
from microgradlib.parameters.finding import (
    BUFFERS,
    Buffer,
    Entry,
    HasParameters,
    modules_of,
    unique_entries,
)
from microgradlib.trees import ARRAYS, as_list, set_data


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class IncompatibleKeys(_Keys):
    """What ``load_state_dict`` did not load: of the module, and of the state."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return PyTorch's text."""
        return super().__repr__() if any(self) else "<All keys matched successfully>"


class HasState(HasParameters):
    """The part of a module that deals with its state."""

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add numbers that are no parameters to the state.

        >>> from microgradlib.nn import Module
        >>> model = Module()
        >>> model.register_buffer("mean", [0.0, 0.0])
        >>> model.mean, model.state_dict()
        ([0.0, 0.0], {'mean': [0.0, 0.0]})

        Args:
            name: the attribute that holds them; assigning to it changes them.
            tensor: a number, nested lists or an array, or None.
            persistent: whether they are part of ``state_dict``.
        """
        self._check_new(name, "register_buffer", name in vars(self).get(BUFFERS, ()))
        vars(self).setdefault(BUFFERS, {})[name] = persistent
        setattr(self, name, tensor)

    def _check_new(self, name: str, method: str, known: bool) -> None:
        """Refuse a name with dots, and one that the module has in use; ``known``: for the same."""
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"{method}: name must be a str without dots, got {short(name)}")
        if hasattr(self, name) and not known:
            raise KeyError(f"{method}: attribute {name!r} exists already; take another name")

    def named_buffers(self) -> Iterator[tuple[str, Any]]:
        """Yield each buffer with its name."""
        for path, part in modules_of(self):
            for name in vars(part).get(BUFFERS, ()):
                if (x := vars(part).get(name)) is not None:
                    yield f"{path}.{name}" if path else name, x

    def buffers(self) -> Iterator[Any]:
        """Yield each buffer."""
        return (x for _, x in self.named_buffers())

    def state_dict(self) -> dict[str, Any]:
        """Return the data of parameters and buffers by name, as nested lists like tensors.

        >>> from microgradlib.nn import MLP
        >>> list(MLP(2, [2, 1]).state_dict())
        ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']

        Raises:
            TypeError: if there are parameters where they are not searched, such as in a set.
        """
        self.parameters()  # which raises that
        return {name: _data_of(entry) for name, entry in unique_entries(self).items()}

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Set the data of parameters and buffers: all of them, or none if anything does not fit.

        >>> from microgradlib.nn import Layer
        >>> layer = Layer(2, 1)
        >>> layer.load_state_dict({"weight": [[1.0, 2.0]], "bias": [3.0]})
        <All keys matched successfully>
        >>> layer([1.0, 1.0])[0].data
        6.0

        Args:
            state: a result of ``state_dict()``. Its entries may be PyTorch tensors or NumPy arrays.
            strict: whether it must have all names, and no others.

        Returns:
            The names that are missing in the state, and those that the module does not have.

        Raises:
            StateDictError: if a name is missing or unknown, an entry has the wrong shape, or one
                parameter gets two numbers under two names.
            TypeError: if ``state`` is not a dict, or an entry holds anything but numbers.
        """
        name = f"{type(self).__name__}.load_state_dict"
        forbid("load_state_dict()", "call it outside")
        if not isinstance(state, dict):
            raise TypeError(
                f"{name}: expected a dict such as state_dict() returns, got {short(state)}"
            )
        entries = unique_entries(self)
        missing = [key for key in entries if key not in state]
        unexpected = [key for key in state if key not in entries]
        if strict and (missing or unexpected):
            raise StateDictError(
                f"{name}: missing keys {short(missing)}, unexpected keys {short(unexpected)}; "
                "nothing was loaded"
            )
        new: dict[Value, tuple[str, float]] = {}
        buffers: list[tuple[Buffer, Any]] = []
        for key in [key for key in entries if key in state]:
            entry = entries[key]
            if isinstance(entry, Buffer):
                buffers.append((entry, _buffer(name, key, entry, state[key])))
                continue
            for path, p, data in _assignments(key, entry, state[key], name):
                first, there = new.setdefault(p, (path, data))
                if repr(there) != repr(data):  # NaN is NaN, and 0 is not -0
                    raise StateDictError(
                        f"{name}: {first} and {path} are one parameter, but {there} and {data} in "
                        "the state; nothing was loaded"
                    )
        set_data(new, [data for _, data in new.values()])
        for (owner, attribute), x in buffers:
            vars(owner)[attribute] = x
        return IncompatibleKeys(missing, unexpected)


def _data_of(entry: Entry) -> Any:
    if isinstance(entry, Buffer):
        entry = vars(entry.owner)[entry.name]
    entry = entry.data if isinstance(entry, Value) else as_list(entry)
    return [_data_of(x) for x in entry] if isinstance(entry, list | tuple) else entry


def _assignments(
    path: str, entry: Entry, data: Any, function: str
) -> Iterator[tuple[str, Any, float]]:
    """Pair each number of an entry, with its name, and the number at its place in ``data``."""
    data, name = as_list(data), f"{function}: {path}"
    if not isinstance(entry, list | tuple):
        if isinstance(data, list | tuple):
            raise StateDictError(f"{name}: expected a number, got {short(data)}")
        yield path, entry, to_float(name, data, "a number")
    elif not isinstance(data, list | tuple) or len(data) != len(entry):
        raise StateDictError(f"{name}: expected a list of length {len(entry)}, got {short(data)}")
    else:
        for i, (x, y) in enumerate(zip(entry, data, strict=True)):
            yield from _assignments(f"{path}[{i}]", x, y, function)


def _buffer(function: str, path: str, buffer: Buffer, data: Any) -> Any:
    """Return a buffer's new numbers, in a container like that of the old ones."""
    old = vars(buffer.owner)[buffer.name]
    numbers = [x for _, _, x in _assignments(path, as_list(old), data, function)]
    if isinstance(old, ARRAYS):
        new = old.copy()
        new.flat = numbers
        return new
    return _around(iter(numbers), old)


def _around(numbers: Iterator[float], old: Any) -> Any:
    return [_around(numbers, x) for x in old] if isinstance(old, list | tuple) else next(numbers)
