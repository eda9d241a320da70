"""Options of optimizers, and the groups of parameters that have them."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from types import SimpleNamespace
from typing import Any, TypeAlias

from microgradlib.core.value import Value
from microgradlib.errors import StateDictError, short
from microgradlib.functions.arguments import check_number
from microgradlib.parameters.leaves import tensor_of
from microgradlib.trees import numbers_in

Check: TypeAlias = Callable[[str, str, Any], Any]
"""Takes the names of function and argument, for errors, and a value; returns the checked value."""


def check_betas(function: str, argument: str, x: object) -> tuple[float, ...]:
    """Return ``x`` as a pair of floats, each of which must be >= 0 and < 1."""
    if not isinstance(x, tuple | list) or len(x) != 2:
        raise TypeError(f"{function}: {argument} must be a pair of numbers, got {short(x)}")
    return tuple([check_number(function, f"{argument}[{i}]", b, 0.0, 1.0) for i, b in enumerate(x)])


SCHEDULED = ("initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum")
"""What schedulers keep in a group beside its options; numbers, too."""


class Option:
    """An option of an optimizer, which is kept in its groups.

    As an attribute it is that of all groups: reading raises a ValueError where they differ.
    """

    def __init__(self, check: Check) -> None:
        """Keep the check."""
        self.check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Any, owner: type) -> Any:
        if optimizer is None:
            return self
        first, *others = [group[self.name] for group in optimizer.param_groups]
        if any(x != first for x in others):
            raise ValueError(
                f"{owner.__name__}: {self.name} is not the same in all groups, "
                f"{short([first, *others])}; read param_groups[i][{self.name!r}]"
            )
        return first

    def __set__(self, optimizer: Any, x: Any) -> None:
        x = self.check(type(optimizer).__name__, self.name, x)
        for group in optimizer.param_groups:
            group[self.name] = x


option: Any = Option  # as a type checker accepts it for an attribute of any type


class Group(MutableMapping[str, Any]):
    """Some parameters of an optimizer with their options: a dict that checks what is set.

    Attributes:
        kind: the class of the optimizer.
        places: where the numbers of its tensors are among the parameters of the optimizer.
        options: what the dict holds, as attributes, to be read only.
    """

    def __init__(
        self,
        kind: type,
        params: Iterable[Any],
        places: range,
        options: Mapping[str, Any],
        counter: SimpleNamespace,
    ) -> None:
        """Check the options."""
        self.kind, self.places, self._counter = kind, places, counter
        new = {key: self._checked(kind.__name__, key, x) for key, x in options.items()}
        self.options = SimpleNamespace(params=tuple(params), **new)

    def __getitem__(self, key: str) -> Any:
        return vars(self.options)[key]

    def __setitem__(self, key: str, x: Any) -> None:
        if key == "params":
            raise TypeError(
                f"{self.kind.__name__}: the params of a group stay; call add_param_group for others"
            )
        vars(self.options)[key] = self._checked(self.kind.__name__, key, x)
        self._counter.changes += 1

    def __delitem__(self, key: str) -> None:
        if key == "params" or self._option(key):
            raise TypeError(f"{self.kind.__name__}: {key} is needed; set it to another value")
        del vars(self.options)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(vars(self.options))

    def __len__(self) -> int:
        return len(vars(self.options))

    def __repr__(self) -> str:
        """Return it as a dict."""
        return repr(vars(self.options))

    def _option(self, key: str) -> Option | None:
        found = getattr(self.kind, key, None)
        return found if isinstance(found, Option) else None

    def _checked(self, function: str, key: str, x: Any) -> Any:
        if found := self._option(key):
            return found.check(function, key, x)
        return check_number(function, key, x) if key in SCHEDULED else x

    def state_dict(self) -> dict[str, Any]:
        """Return the options, and the places instead of the parameters."""
        state = copy.deepcopy({key: x for key, x in self.items() if key != "params"})
        return {**state, "params": [*self.places]}

    def loaded(self, function: str, state: Any) -> SimpleNamespace:
        """Return the checked options of a result of ``state_dict()``."""
        if not isinstance(state, Mapping) or state.get("params") != [*self.places]:
            raise StateDictError(
                f"{function} must be a dict with the params {short([*self.places])}, got "
                f"{short(state)}; make the optimizer with the same groups"
            )
        if missing := [key for key in self if self._option(key) and key not in state]:
            raise StateDictError(f"{function} has no {missing[0]!r}, got {short(state)}")
        own = {key: x for key, x in self.items() if key in ("params", "param_names")}
        new = {key: self._checked(function, key, x) for key, x in state.items()}
        return SimpleNamespace(**copy.deepcopy({**new, "params": None}) | own)


def is_tensor(x: object) -> bool:
    """Return whether ``x`` is a parameter: a Value, or lists of Values that stand for a tensor."""
    return hasattr(x, "requires_grad")


def entries_in(function: str, path: str, params: Any) -> list[Any]:
    """Return the tensors, or groups, in an iterable."""
    if is_tensor(params) or not isinstance(params, Iterable):
        raise TypeError(
            f"{function}: {path} must be an iterable of Values, got {short(params)}; pass "
            "model.parameters()"
        )
    if isinstance(params, set | frozenset):
        raise TypeError(
            f"{function}: {path} is a set, the order of which differs from run to run; pass a list "
            "such as model.parameters()"
        )
    return [*params]


def without_names(function: str, path: str, entries: list[Any]) -> tuple[list[Any], list[str]]:
    """Return tensors, and the names of those that are pairs of a name and a tensor."""
    pairs = [x for x in entries if isinstance(x, tuple) and len(x) == 2 and isinstance(x[0], str)]
    if pairs and len(pairs) != len(entries):
        raise ValueError(f"{function}: {path} has names for some tensors only; name all or none")
    return [x for _, x in pairs] or entries, [name for name, _ in pairs]


def values_in(
    function: str, path: str, entries: list[Any], known: Iterable[Value]
) -> dict[Value, object]:
    """Return the Values of tensors, each with what stands for its tensor."""
    found: dict[Value, object] = {}
    for i, entry in enumerate(entries):
        values = numbers_in([entry])
        for p in values:
            if not isinstance(p, Value):
                raise TypeError(
                    f"{function}: {path}[{i}] {'is' if p is entry else 'holds'} {short(p)}; every "
                    "parameter must be a Value; pass model.parameters()"
                )
            if p._op:
                raise ValueError(
                    f"{function}: {path}[{i}] was computed ({p._op}); pass leaf Values"
                )
            if p in found or p in known:
                raise ValueError(f"{function}: {path}[{i}] is listed twice; pass each Value once")
            tensor = tensor_of(p)
            found[p] = values[0] if tensor is p else tensor
    return found
