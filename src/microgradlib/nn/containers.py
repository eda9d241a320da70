"""Containers of modules and parameters, which name them as PyTorch does."""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from itertools import groupby
from typing import Any, Self

from microgradlib.core.value import Value
from microgradlib.errors import short
from microgradlib.nn.modules import Module, shown
from microgradlib.parameters.finding import HasParameters
from microgradlib.parameters.tensor import Parameter


class _List(Module, MutableSequence[Any]):
    """A sequence of what are attributes with the names "0", "1", ..."""

    __eq__, __hash__ = object.__eq__, object.__hash__

    def _items(self) -> dict[str, Any]:
        return {name: x for name, x in vars(self).items() if isinstance(x, HasParameters)}

    def _put(self, items: Iterable[Any]) -> Self:
        """Hold these items."""
        items = [*map(self._checked, items)]
        for name in self._items():
            delattr(self, name)
        for i, x in enumerate(items):
            setattr(self, str(i), x)
        return self

    def _checked(self, x: Any) -> Any:
        if not isinstance(x, HasParameters):
            remedy = "; write Sequential(*modules)" if isinstance(x, list) else ""
            raise TypeError(f"{type(self).__name__}: expected a Module, got {short(x)}{remedy}")
        return x

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items().values())

    def __getitem__(self, index: Any) -> Any:
        """Return an item, or those of a slice as another container."""
        if isinstance(index, slice):
            return type(self)()._put([*self][index])
        return [*self][index]

    def __setitem__(self, index: Any, x: Any) -> None:
        """Put another item in the place of one."""
        setattr(self, [*self._items()][index], self._checked(x))

    def __delitem__(self, index: Any) -> None:
        """Take out an item, or those of a slice; the others are named anew."""
        items = [*self]
        del items[index]
        self._put(items)

    def insert(self, index: int, x: Any) -> None:
        """Put an item before another one."""
        items = [*self]
        items.insert(index, x)
        self._put(items)

    def append(self, x: Any) -> Self:  # type: ignore[override]
        """Add an item at the end, and return the container."""
        setattr(self, str(len(self)), self._checked(x))
        return self

    def extend(self, xs: Iterable[Any]) -> Self:  # type: ignore[override]
        """Add items at the end, and return the container."""
        for x in [*map(self._checked, xs)]:
            self.append(x)
        return self

    def __add__(self, xs: Iterable[Any]) -> Self:
        """Return a container of the items of both."""
        return type(self)()._put([*self, *xs])


class Sequential(_List):
    """Modules that are called one after the other, each with what the last one returned.

    >>> from microgradlib.nn import Linear, ReLU
    >>> Sequential(Linear(2, 3), ReLU())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )

    Args:
        modules: the modules, or one dict of them, whose keys become their names.

    Raises:
        TypeError: if one is not a Module.
    """

    def __init__(self, *modules: Any) -> None:
        """Name the modules."""
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.add_module(name, self._checked(module))
        else:
            self._put(modules)

    def __getitem__(self, index: Any) -> Any:
        """Return a module, or those of a slice, which keep their names."""
        if isinstance(index, slice):
            return type(self)(dict([*self._items().items()][index]))
        return super().__getitem__(index)

    def forward(self, input: Any) -> Any:
        """Return what the last module returns."""
        for module in self:
            input = module(input)
        return input


class ModuleList(_List):
    """A list of modules.

    >>> from microgradlib.nn import Linear, ReLU
    >>> ModuleList([ReLU(), ReLU(), Linear(1, 1)])
    ModuleList(
      (0-1): 2 x ReLU()
      (2): Linear(in_features=1, out_features=1, bias=True)
    )

    Raises:
        TypeError: if one is not a Module.
    """

    def __init__(self, modules: Iterable[Any] = ()) -> None:
        """Name the modules."""
        self._put(modules)

    def __repr__(self) -> str:
        """Return the representation, with equal neighbours together."""
        parts, first = [], 0
        for text, same in groupby(map(repr, self)):
            last = first + len([*same]) - 1
            many = first < last
            name = f"{first}-{last}" if many else f"{first}"
            parts.append((name, f"{last - first + 1} x {text}" if many else text))
            first = last + 1
        return shown(self, parts)


class ParameterList(_List):
    """A list of parameters; of anything else than a Value or Parameter it makes a Parameter.

    >>> weights = ParameterList([[1.0, 2.0], 3.0])
    >>> weights
    ParameterList(
        (0): Parameter containing: [float64 of size 2]
        (1): Parameter containing: [float64 of size ]
    )
    >>> weights.state_dict()
    {'0': [1.0, 2.0], '1': 3.0}
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        """Name the parameters."""
        self._put(values)

    def _items(self) -> dict[str, Any]:
        return {name: x for name, x in vars(self).items() if name.isdigit()}

    def _checked(self, x: Any) -> Any:
        return x if isinstance(x, Value | Parameter) else Parameter(x)

    def extra_repr(self) -> str:
        """Return a line for each parameter."""
        sizes = ["x".join(map(str, getattr(x, "shape", ()))) for x in self]
        lines = [f"({i}): Parameter containing: [float64 of size {x}]" for i, x in enumerate(sizes)]
        return "\n".join([f"  {line}" for line in lines])


class ModuleDict(Module, MutableMapping[str, Any]):
    """A dict of modules.

    >>> from microgradlib.nn import Linear, ReLU
    >>> ModuleDict({"act": ReLU()})["act"]
    ReLU()

    Args:
        modules: a dict, or pairs of names and modules.

    Raises:
        KeyError: if a name is not a str without dots, or that of another attribute.
        TypeError: if one is not a Module.
    """

    __eq__, __hash__ = object.__eq__, object.__hash__

    def __init__(self, modules: Any = ()) -> None:
        """Add the modules."""
        self.update(modules)

    def __getitem__(self, name: str) -> Any:
        """Return the module of a name."""
        if not isinstance(part := vars(self).get(name), HasParameters):
            raise KeyError(f"ModuleDict: there is no module {short(name)}")
        return part

    def __setitem__(self, name: str, module: Any) -> None:
        """Add a module, or put it in the place of another."""
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        """Take out a module."""
        self[name]  # raises if there is none
        delattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, x in vars(self).items() if isinstance(x, HasParameters)])

    def __len__(self) -> int:
        return sum(1 for _ in self)
