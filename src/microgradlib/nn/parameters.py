"""Parameters: how a module finds, names, saves, loads and replaces them."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from inspect import unwrap
from numbers import Number
from types import MethodType, SimpleNamespace
from typing import Any, TypeAlias

from microgradlib.core import table
from microgradlib.core.value import Operand, Value, apply, constant
from microgradlib.errors import StateDictError, short
from microgradlib.interpreters import Located, current
from microgradlib.modes import forbid, nested
from microgradlib.numeric.conversion import NoGradient, to_float
from microgradlib.trees import NESTS, PLAIN, Kind, Tree, as_list, kind_of, register, set_data

Entry: TypeAlias = Any
"""An entry of a state dict: a parameter, or nested lists of parameters."""


class HasParameters:
    """The part of a module that deals with its parameters."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse slots, in which parameters would not be found."""
        super().__init_subclass__(**kwargs)
        if any(base.__dict__.get("__slots__") for base in cls.__mro__):
            raise TypeError(
                f"{cls.__name__}: parameters in __slots__ would not be found; leave out __slots__, "
                "or slots=True of a dataclass"
            )

    def __setattr__(self, name: str, new: Any) -> None:
        """Set an attribute, but not to numbers or computed Values in the place of parameters."""
        held, old = _held(name, new), vars(self).get(name)
        if found := _replacement(held, _trained(_held(name, old))):
            path = f"{name}.data" if isinstance(old, Value) else f"the data of each in {name}"
            raise TypeError(
                f"{type(self).__name__}: {name} holds parameters, and {short(found[1])} in "
                f"their place would not be one; assign to {path}, or delete {name} first"
            )
        super().__setattr__(name, new)
        vars(self).setdefault(_TRAINED, {})[name] = _trained(held)

    def parameters(self) -> list[Value]:
        """Return the parameters, each once, in the order of ``named_parameters``.

        >>> from microgradlib.nn import Layer
        >>> len(Layer(2, 3).parameters())
        9

        Raises:
            TypeError: if parameters are where no one searches, as in a set, or have been replaced.
        """
        found = [p for _, p in self.named_parameters()]
        known = {*found}
        for name, x in find(lambda part: not _hidden(part) <= known, self):
            raise TypeError(
                f"{type(self).__name__}.parameters: {name} is a {type(x).__name__} with "
                "parameters, which are searched in lists, tuples, dicts and Modules only"
            )
        return found

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Yield each parameter with its name; a shared one only once, under its first name.

        >>> from microgradlib.nn import Layer
        >>> [name for name, _ in Layer(2, 1).named_parameters()]
        ['weight.0.0', 'weight.0.1', 'bias.0']
        """
        seen: set[Value] = set()
        for name, entry in _entries(self):
            members = _members(name, entry)
            tensor = int(members[0][1]._serial)
            for path, p in members:
                if p not in seen:
                    seen.add(p)
                    _note_tensor(p, tensor)
                    yield path, p

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient of every parameter, as ``Optimizer.zero_grad`` does.

        Args:
            set_to_none: whether to set it to None, or to 0.0, which counts as a gradient.
        """
        forget_gradients(self.parameters(), set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the data of the parameters by name, as nested lists like PyTorch's tensors.

        >>> from microgradlib.nn import MLP
        >>> list(MLP(2, [2, 1]).state_dict())
        ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']

        Raises:
            TypeError: if there are parameters where they are not searched, such as in a set.
        """
        self.parameters()  # which raises that
        return {name: _data_of(entry) for name, entry in _unique_entries(self).items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the data of the parameters: all of them, or none if anything does not fit.

        >>> from microgradlib.nn import Layer
        >>> layer = Layer(2, 1)
        >>> layer.load_state_dict({"weight": [[1.0, 2.0]], "bias": [3.0]})
        >>> layer([1.0, 1.0])[0].data
        6.0

        Args:
            state: a result of ``state_dict()``. Its entries may be PyTorch tensors or NumPy arrays.

        Raises:
            StateDictError: if a name is missing or unknown, an entry has the wrong shape, or one
                parameter gets two numbers under two names.
            TypeError: if ``state`` is not a dict, or an entry holds anything but numbers.
        """
        name = f"{type(self).__name__}.load_state_dict"
        current().forbid("load_state_dict()", "call it outside")
        if not isinstance(state, dict):
            raise TypeError(
                f"{name}: expected a dict such as state_dict() returns, got {short(state)}"
            )
        entries = _unique_entries(self)
        missing = [key for key in entries if key not in state]
        unexpected = [key for key in state if key not in entries]
        if missing or unexpected:
            raise StateDictError(
                f"{name}: missing keys {short(missing)}, unexpected keys {short(unexpected)}; "
                "nothing was loaded"
            )
        new: dict[Value, tuple[str, float]] = {}
        for key, entry in entries.items():
            for path, p, data in _assignments(key, entry, state[key], name):
                first, there = new.setdefault(p, (path, data))
                if repr(there) != repr(data):  # NaN is NaN, and 0 is not -0
                    raise StateDictError(
                        f"{name}: {first} and {path} are one parameter, but {there} and {data} in "
                        "the state; nothing was loaded"
                    )
        set_data(new, [data for _, data in new.values()])


def forget_gradients(parameters: Iterable[Value], set_to_none: bool) -> None:
    """Set gradients to None or, those that there are, to 0."""
    forbid("zero_grad()", "call it outside")
    for p in parameters:
        if set_to_none:
            p._grad = None
        elif has_gradient(p._grad):
            p._grad = 0.0


def has_gradient(grad: object) -> bool:
    """Return whether ``grad`` of a leaf is a gradient, of which 0 is one, too."""
    return grad is not None and type(grad) is not NoGradient


def tensor_of(p: Value) -> object:
    """Return what the parameters of one tensor have in common, which a module found together."""
    return getattr(p._serial, "tensor", p)


def _note_tensor(p: Value, tensor: int) -> None:
    if not p._op:
        if type(p._serial) is int:
            p._serial = Located(p._serial)
        p._serial.tensor = tensor  # type: ignore[attr-defined]


def children(x: Tree) -> Iterable[tuple[object, Tree]]:
    """Return the parts of a list, tuple, dict or module, each with its key; else nothing."""
    if kind := kind_of(x, NESTS):
        return kind.parts(x)
    return vars(x).items() if isinstance(x, HasParameters) else ()


def find(
    wanted: Callable[[Tree], bool], x: Tree, path: str = "", above: tuple[Tree, ...] = ()
) -> Iterator[tuple[str, Any]]:
    """Yield the outermost wanted parts of a tree, each with its name, which starts with ``path``.

    A module may be part of one of its parts: it is not walked again below itself.
    """
    above = (*above, x)
    for key, part in children(x):
        if wanted(part):
            yield f"{path}{key}", part
        elif not any(part is tree for tree in above):
            yield from find(wanted, part, f"{path}{key}.", above)


def modules_of(module: HasParameters) -> Iterator[tuple[str, HasParameters]]:
    """Yield a module and all that are in it, each once, with its name; that of the first is ""."""
    seen: set[int] = set()
    pending = [("", module)]
    while pending:
        name, module = pending.pop()
        if id(module) not in seen:
            seen.add(id(module))
            yield name, module
            inner = find(lambda x: isinstance(x, HasParameters), module, f"{name}." if name else "")
            pending += reversed([*inner])


def _unique_entries(module: HasParameters) -> dict[str, Entry]:
    """Return the entries by name.

    Raises:
        StateDictError: if two parameters have the same name.
    """
    entries: dict[str, Entry] = {}
    taken: set[str] = set()
    for name, entry in _entries(module):
        names = {name, *[path for path, _ in _members(name, entry)]}
        if twice := names & taken:
            raise StateDictError(
                f"{type(module).__name__}: two parameters are named {short(min(twice))}; use other "
                "keys in its dicts"
            )
        taken |= names
        entries[name] = entry
    return entries


def _members(name: str, entry: Entry) -> list[tuple[str, Value]]:
    """Return the parameters of an entry, each with its name."""
    if isinstance(entry, Value):
        return [(name, entry)]
    return [*find(_is_parameter, entry, f"{name}.")]


_TRAINED = "trained parameters"  # the key of their number by attribute, among the attributes


def _entries(module: HasParameters) -> Iterator[tuple[str, Entry]]:
    """Yield the entries of a module, each with its name; refuse replaced parameters."""
    for _, part in [*modules_of(module)]:
        trained = vars(part).setdefault(_TRAINED, {})
        for name, x in vars(part).items():
            held = _held(name, x)
            if found := _replacement(held, trained.get(name, 0)):
                path = re.sub(r"\.(\d+)", r"[\1]", found[0])
                raise TypeError(
                    f"{type(part).__name__}: {path} held a parameter, and {short(found[1])} in its "
                    f"place is not one; put a new Value there, and assign to {path}.data"
                )
            trained[name] = _trained(held)
    return find(_is_entry, module)


def _held(name: str, x: Tree) -> list[tuple[str, Any]]:
    """Return the numbers, Values and modules of an attribute, each with its name."""
    return [*find(lambda part: isinstance(part, Value | Number | HasParameters), {name: x})]


def _replacement(held: list[tuple[str, Any]], trained: int) -> tuple[str, Any] | None:
    """Return the first in an attribute that is no parameter, if it had more of them before."""
    others = [pair for pair in held if not _is_parameter(pair[1])]
    numbers = [pair for pair in others if not isinstance(pair[1], HasParameters)]
    return numbers[0] if numbers and len(held) - len(others) < trained else None


def _trained(held: list[tuple[str, Any]]) -> int:
    return sum(_is_trained(x) for _, x in held)


def _is_trained(x: object) -> bool:
    return isinstance(x, Value) and not x._op and x._requires_grad


def _hidden(x: Tree) -> set[Value]:
    """Return the Values that are trained in what is not searched for parameters, however deep."""
    pending = [] if isinstance(x, HasParameters) or kind_of(x, NESTS) else [x]
    seen, found = set(), set()
    while pending:
        x = pending.pop()
        if _is_trained(x):
            found.add(x)
        elif id(x) not in seen:
            seen.add(id(x))
            pending += _contents(x)
    return found


def _contents(x: Any) -> Iterable[Any]:
    """Return what an object holds that may be or have parameters."""
    if isinstance(x, SimpleNamespace | HasParameters):
        return vars(x).values()
    if isinstance(x, Mapping):
        return x.values()
    if str(getattr(x, "dtype", "object")) != "object":  # an array of numbers
        return ()
    if kind := kind_of(x, PLAIN):
        return [part for _, part in kind.parts(x)]
    return x if isinstance(x, Collection) and not isinstance(x, str | bytes | type) else ()


def _is_entry(x: Tree) -> bool:
    if isinstance(x, list | tuple):
        return bool(x) and all(map(_is_entry, x))
    return _is_parameter(x)


def _is_parameter(x: Tree) -> bool:
    # In a copy that ``_with_parameters`` builds, an identity node stands for a parameter.
    return isinstance(x, Value) and (not x._op or x._op is table.identity)


def _data_of(entry: Entry) -> Any:
    return entry.data if isinstance(entry, Value) else [_data_of(x) for x in entry]


def _assignments(
    path: str, entry: Entry, data: Any, function: str
) -> Iterator[tuple[str, Value, float]]:
    """Pair each parameter of an entry, with its name, and the number at its place in ``data``."""
    data, name = as_list(data), f"{function}: {path}"
    if isinstance(entry, Value):
        if isinstance(data, list | tuple):
            raise StateDictError(f"{name}: expected a number, got {short(data)}")
        yield path, entry, to_float(name, data, "a number")
    elif not isinstance(data, list | tuple) or len(data) != len(entry):
        raise StateDictError(f"{name}: expected a list of length {len(entry)}, got {short(data)}")
    else:
        for i, (x, y) in enumerate(zip(entry, data, strict=True)):
            yield from _assignments(f"{path}[{i}]", x, y, function)


def _new_parameter(x: Any, requires_grad: bool) -> Any:
    """Return the parameter of a copy for ``x``.

    For a float it is a constant. For a Value it is a node of its own, so that parameters stay
    distinct, or a constant if the parameter is frozen. A result of ``jacobian`` is kept as it is.
    """
    if not isinstance(x, Value):
        return constant(x) if isinstance(x, float) else x
    if x._plain:  # of a trace
        x = x + constant(0.0)
    return apply(table.identity, (x,)) if requires_grad else current().detach(x)


def _replace(x: Any, values: dict[Value, Value], copies: dict[int, Any]) -> Any:
    """Return a copy of a tree with other parameters; ``copies`` holds those of modules, by id."""

    def again(part: Any) -> Any:
        return _replace(part, values, copies)

    if isinstance(x, Value):
        return values.get(x, x)
    if kind := kind_of(x, NESTS):
        return kind.map(again, x)
    if isinstance(x, MethodType) and isinstance(x.__self__, HasParameters):
        return MethodType(x.__func__, again(x.__self__))
    if isinstance(x, partial):
        f, *args = map(again, (x.func, *x.args))
        return type(x)(f, *args, **again(x.keywords))
    if not isinstance(x, HasParameters):
        _refuse_wrapped_method(x)
        return x
    if id(x) not in copies:
        copies[id(x)] = new = object.__new__(type(x))
        vars(new).update(again(vars(x)))
    return copies[id(x)]


def _refuse_wrapped_method(x: Any) -> None:
    """Refuse a function that wraps a method, as ``grad`` does: it would use the old parameters."""
    method = unwrap(x)
    if isinstance(method, MethodType) and isinstance(method.__self__, HasParameters):
        name = f"{type(method.__self__).__name__}.{method.__name__}"
        raise TypeError(
            f"an attribute of a module wraps the method {name} and would use the module's old "
            "parameters; wrap it in forward, where it is called"
        )


def _numbers_of(module: HasParameters) -> Iterator[tuple[tuple[str, Value], Operand]]:
    """Yield the parameters: plain numbers, unless the derivative is nested in another one.

    Those of a gradient that depends on other Values stay Values.
    """
    _unique_entries(module)
    for name, p in module.named_parameters():
        yield (name, p), p if nested() or (p._op and p._requires_grad) else current().number(p)


def _with_parameters(module: HasParameters, new: Mapping[tuple[str, Value], Any]) -> Any:
    """Return a copy of a module with other parameters; frozen ones stay constant."""
    values = {p: _new_parameter(x, p._requires_grad) for (_, p), x in new.items()}
    return _replace(module, values, {})


# As an argument of ``grad``, a module holds its parameters; a key is a name and the parameter.
register(Kind(HasParameters, _numbers_of, ".{0[0]}".format, _with_parameters))
