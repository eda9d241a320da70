"""Parameters: how a module finds, names, guards and replaces them."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from inspect import unwrap
from numbers import Number
from types import MethodType, SimpleNamespace
from typing import Any, NamedTuple, Self, TypeAlias

from microgradlib.core import table
from microgradlib.core.value import Operand, Value, apply, constant
from microgradlib.errors import StateDictError, short
from microgradlib.interpreters import current
from microgradlib.modes import nested
from microgradlib.parameters.leaves import (
    forget_gradients,
    leaves_in,
    note_tensor,
    requires_grad_of,
)
from microgradlib.parameters.tensor import Parameter
from microgradlib.trees import ARRAYS, NESTS, PLAIN, Kind, Tree, kind_of, register

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
        if isinstance(new, Parameter) or _is_trained(new):
            vars(self).get(BUFFERS, {}).pop(name, None)  # it is a parameter from now on

    def __delattr__(self, name: str) -> None:
        """Delete an attribute, which is no buffer any more."""
        super().__delattr__(name)
        vars(self).get(BUFFERS, {}).pop(name, None)

    def parameters(self) -> list[Value]:
        """Return the parameters, each once, in the order of ``named_parameters``.

        >>> from microgradlib.nn import Layer
        >>> len(Layer(2, 3).parameters())
        9

        Raises:
            TypeError: if parameters are where no one searches, as in a set, or have been replaced.
        """
        found = [p for _, _, new in self._new_values() for p in new]
        known = {*found}

        def searched(part: Tree) -> bool:
            leaves = leaves_in(part)
            return leaves is not None and known.issuperset(leaves)

        for name, x in find(lambda part: not _hidden(part) <= known, self, skipped=searched):
            remedy = "; make nn.Parameter(array) of it" if isinstance(x, ARRAYS) else ""
            raise TypeError(
                f"{type(self).__name__}.parameters: {name} is a {type(x).__name__} with "
                f"parameters, which are searched in lists, tuples, dicts and Modules only{remedy}"
            )
        return found

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Yield each tensor with its name in ``state_dict``: a Value, or else a Parameter.

        >>> from microgradlib.nn import Layer
        >>> [(name, p.shape) for name, p in Layer(2, 1).named_parameters()]
        [('weight', (1, 2)), ('bias', (1,))]

        Those of a module come before those of its parts, and a shared one only once, under its
        first name.
        """
        for name, entry, new in self._new_values():
            if new:
                plain = isinstance(entry, Value | Parameter)
                yield name, entry if plain else Parameter._of(entry)

    def _new_values(self) -> Iterator[tuple[str, Entry, list[Value]]]:
        """Yield each tensor, and the parameters that are in no earlier one."""
        seen: set[Value] = set()
        for name, entry in _entries(self):
            members = leaves_in(entry) or [p for _, p in _members(name, entry)]
            new = [p for p in dict.fromkeys(members) if p not in seen]
            tensor = int(members[0]._serial)
            for p in new:
                if getattr(p._serial, "tensor", None) != tensor:
                    note_tensor(p, tensor)
            seen.update(new)
            yield name, entry, new

    def _named_values(self) -> Iterator[tuple[str, Value]]:
        """Yield each single parameter with its name, once."""
        for name, entry, new in self._new_values():
            paths: dict[Value, str] = {}
            for path, p in _members(name, entry):
                paths.setdefault(p, path)
            yield from [(paths[p], p) for p in new]

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze all parameters, or let gradients flow to them; return the module."""
        for p in self.parameters():
            p.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient of every parameter, as ``Optimizer.zero_grad`` does.

        Args:
            set_to_none: whether to set it to None, or to 0.0, which counts as a gradient.
        """
        forget_gradients(self.parameters(), set_to_none)


def children(x: Tree) -> Iterable[tuple[object, Tree]]:
    """Return the parts of a list, tuple, dict or module, each with its key; else nothing."""
    if kind := kind_of(x, NESTS):
        return kind.parts(x)
    if not isinstance(x, HasParameters):
        return ()
    buffers = vars(x).get(BUFFERS, ())
    return [(name, part) for name, part in vars(x).items() if name not in buffers]


def find(
    wanted: Callable[[Tree], bool],
    x: Tree,
    path: str = "",
    above: tuple[Tree, ...] = (),
    skipped: Callable[[Tree], object] = lambda part: False,
) -> Iterator[tuple[str, Any]]:
    """Yield the outermost wanted parts of a tree, each with its name, which starts with ``path``.

    A module may be part of one of its parts: it is not walked again below itself. Nor is what is
    ``skipped``.
    """
    above = (*above, x)
    for key, part in children(x):
        if skipped(part):
            continue
        if wanted(part):
            yield f"{path}{key}", part
        elif not any(part is tree for tree in above):
            yield from find(wanted, part, f"{path}{key}.", above, skipped)


def modules_of(module: HasParameters) -> Iterator[tuple[str, HasParameters]]:
    """Yield a module and all that are in it, each once, with its name; that of the first is ""."""
    seen: set[int] = set()
    pending = [("", module)]
    while pending:
        name, module = pending.pop()
        if id(module) not in seen:
            seen.add(id(module))
            yield name, module
            inner = find(
                lambda x: isinstance(x, HasParameters),
                module,
                f"{name}." if name else "",
                (),
                leaves_in,
            )
            pending += reversed([*inner])


def unique_entries(module: HasParameters) -> dict[str, Entry]:
    """Return the tensors of the state by name: parameters and, as ``Buffer``, buffers.

    Raises:
        StateDictError: if two have the same name.
    """
    entries: dict[str, Entry] = {}
    taken: set[str] = set()
    for name, entry in _entries(module, buffers=True):
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
    return [] if isinstance(entry, Buffer) else [*find(_is_parameter, entry, f"{name}.")]


# Keys among the attributes: of the number of parameters by attribute, and of the names of buffers,
# each with whether it is part of the state.
_TRAINED, BUFFERS = "trained parameters", "registered buffers"


class Buffer(NamedTuple):
    """Where the numbers of a buffer are."""

    owner: HasParameters
    name: str


def _entries(module: HasParameters, buffers: bool = False) -> Iterator[tuple[str, Entry]]:
    """Yield the tensors of a module, each with its name; refuse replaced parameters."""
    for _, part in [*modules_of(module)]:
        trained = vars(part).setdefault(_TRAINED, {})
        for name, x in vars(part).items():
            if leaves := leaves_in(x):
                trained[name] = sum(map(requires_grad_of, leaves))
                continue
            held = _held(name, x)
            if found := _replacement(held, trained.get(name, 0)):
                path = re.sub(r"\.(\d+)", r"[\1]", found[0])
                raise TypeError(
                    f"{type(part).__name__}: {path} held a parameter, and {short(found[1])} in its "
                    f"place is not one; put a new Value there, and assign to {path}.data"
                )
            trained[name] = _trained(held)
    return _in_order(module, buffers)


def _in_order(
    module: HasParameters, buffers: bool, path: str = "", above: tuple[Any, ...] = ()
) -> Iterator[tuple[str, Entry]]:
    """Yield the tensors of a module itself, its buffers, and what is in its parts, as PyTorch."""
    found = [*find(lambda x: isinstance(x, HasParameters) or is_entry(x), module, path)]
    yield from [pair for pair in found if not isinstance(pair[1], HasParameters)]
    for name, kept in vars(module).get(BUFFERS, {}).items() if buffers else ():
        if kept and vars(module).get(name) is not None:
            yield f"{path}{name}", Buffer(module, name)
    above = (*above, module)
    for name, part in found:
        if isinstance(part, HasParameters) and not any(part is module for module in above):
            yield from _in_order(part, buffers, f"{name}.", above)


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


def is_entry(x: Tree) -> bool:
    """Whether x is a parameter, or nested lists of parameters."""
    if leaves_in(x):
        return True
    if isinstance(x, list | tuple):
        return bool(x) and all(map(is_entry, x))
    return _is_parameter(x)


def _is_parameter(x: Tree) -> bool:
    # In a copy that ``_with_parameters`` builds, an identity node stands for a parameter.
    return isinstance(x, Value) and (not x._op or x._op is table.identity)


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
    unique_entries(module)
    for name, p in module._named_values():
        yield (name, p), p if nested() or (p._op and p._requires_grad) else current().number(p)


def _with_parameters(module: HasParameters, new: Mapping[tuple[str, Value], Any]) -> Any:
    """Return a copy of a module with other parameters; frozen ones stay constant."""
    values = {p: _new_parameter(x, p._requires_grad) for (_, p), x in new.items()}
    return _replace(module, values, {})


# As an argument of ``grad``, a module holds its parameters; a key is a name and the parameter.
register(Kind(HasParameters, _numbers_of, ".{0[0]}".format, _with_parameters))
