"""Parts: how a module finds the modules in it, and does something with all of them."""

from collections.abc import Callable, Iterator
from typing import Any, Self

from microgradlib.core.value import Value
from microgradlib.errors import short
from microgradlib.parameters.finding import HasParameters, children, find, is_entry, modules_of
from microgradlib.parameters.states import HasState

_MODE = "mode of training"  # the key of a _Mode among the attributes


class _Mode:
    """Whether a module is in training.

    It is a Value: a compiled function that asks for it has taken a decision, which is checked.
    """

    def __init__(self) -> None:
        """Begin in training."""
        self.value = Value(1.0).requires_grad_(False)


class HasParts(HasState):
    """The part of a module that deals with its parts, and with the mode that they are in."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a module in training."""
        new = super().__new__(cls)
        vars(new)[_MODE] = _Mode()
        return new

    @property
    def training(self) -> bool:
        """Whether parts such as Dropout do what they do in training only."""
        return bool(vars(self)[_MODE].value)

    @training.setter
    def training(self, mode: bool) -> None:
        vars(self)[_MODE].value.data = float(mode)

    def train(self, mode: bool = True) -> Self:
        """Set ``training`` of the module and all of its parts; return the module.

        >>> from microgradlib.nn import Dropout
        >>> Dropout(0.5).eval()([1.0, 2.0])
        [1.0, 2.0]
        """
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode must be True or False, got {short(mode)}")
        return self._train(mode, ())

    def _train(self, mode: bool, above: tuple[Any, ...]) -> Self:
        self.training, above = mode, (*above, self)
        for part in self.children():
            if type(part).train is not HasParts.train:  # which may keep some in their mode
                part.train(mode)
            elif not any(part is module for module in above):
                part._train(mode, above)
        return self

    def eval(self) -> Self:
        """Return the module after ``train(False)``."""
        return self.train(False)

    def named_modules(self) -> Iterator[tuple[str, Any]]:
        """Yield the module, named "", and all that are in it, each once, with its name."""
        return modules_of(self)

    def modules(self) -> Iterator[Any]:
        """Yield the module and all that are in it, each once."""
        return (part for _, part in modules_of(self))

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """Yield the modules right below this one, each once, with its name."""
        seen = set()
        for name, part in find(lambda x: isinstance(x, HasParameters), self):
            if id(part) not in seen:
                seen.add(id(part))
                yield name, part

    def children(self) -> Iterator[Any]:
        """Yield the modules right below this one, each once."""
        return (part for _, part in self.named_children())

    def apply(self, fn: Callable[[Any], object]) -> Self:
        """Call fn of each part, as ``children`` gives them, then of the module; return the module.

        >>> from microgradlib.nn import MLP
        >>> _ = MLP(2, [3, 1]).apply(lambda module: print(type(module).__name__))
        Layer
        Layer
        MLP
        """

        def visit(module: Any, above: tuple[Any, ...]) -> None:
            for part in module.children():
                if not any(part is other for other in above):
                    visit(part, (*above, part))
            fn(module)

        visit(self, (self,))
        return self

    def get_submodule(self, target: str) -> Any:
        """Return the part of a name that ``named_modules`` gives."""
        part: Any = self
        for name in target.split(".") if target else ():
            found = [x for key, x in children(part) if str(key) == name]
            if not found:
                raise AttributeError(
                    f"{type(self).__name__}.get_submodule: no part {short(target)}"
                )
            (part,) = found
        return part

    def add_module(self, name: str, module: Any) -> None:
        """Make a module, or None, the attribute of a name."""
        known = isinstance(vars(self).get(name, 0), HasParts | None)
        self._check_new(name, "add_module", known)
        if not isinstance(module, HasParts | None):
            raise TypeError(f"add_module: {short(name)} must be a Module, got {short(module)}")
        setattr(self, name, module)

    def register_parameter(self, name: str, param: Any) -> None:
        """Make a parameter, or None, the attribute of a name."""
        old = vars(self).get(name, 0)
        self._check_new(name, "register_parameter", old is None or is_entry(old))
        if param is not None and not is_entry(param):
            raise TypeError(
                f"register_parameter: {short(name)} must be a leaf Value or an nn.Parameter, got "
                f"{short(param)}"
            )
        setattr(self, name, param)

    def double(self) -> Self:
        """Return the module: its numbers are 64-bit floats as they are."""
        return self
