"""Options of optimizers: attributes that are checked when they are set."""

from collections.abc import Callable
from typing import Any, TypeAlias

from microgradlib.errors import short
from microgradlib.functions.arguments import check_number

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
