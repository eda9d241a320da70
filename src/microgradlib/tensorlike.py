"""What a Value can be asked for as a tensor of one number in PyTorch."""

from collections.abc import Callable
from typing import Any, Self

from microgradlib.absent import AbsentOperators
from microgradlib.modes import interpreter, recording
from microgradlib.numeric.conversion import NoGradient


def _clamped(x: Any, min: Any = None, max: Any = None) -> Any:
    x = x if min is None or x >= min else min
    return x if max is None or x <= max else max


IN_PLACE: dict[str, Callable[..., Any]] = {
    "add_": lambda x, other, alpha=1.0: x + alpha * other,
    "sub_": lambda x, other, alpha=1.0: x - alpha * other,
    "mul_": lambda x, other: x * other,
    "div_": lambda x, other: x / other,
    "clamp_": _clamped,
    "copy_": lambda x, other: other,
    "fill_": lambda x, value: value,
    "zero_": lambda x: 0.0,
}
"""What PyTorch's methods in place make of the data of a tensor: of each number, here."""


def check_in_place(x: Any, change: str) -> None:
    """Refuse to change a tensor that needs gradients while operations are recorded."""
    if recording() and x.requires_grad:
        raise TypeError(
            f"{type(x).__name__}: {change} would change a tensor that needs gradients; write it "
            "under no_grad(), or assign to .data"
        )


class TensorMethods(AbsentOperators):
    """Methods of PyTorch's tensors that need no primitive."""

    __slots__ = ()

    data: Any
    requires_grad: Any
    _op: Any

    def item(self) -> float:
        """Return the number, as ``data`` is."""
        return self.data  # type: ignore[no-any-return]

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad``, and return the Value."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was made and not computed, or needs no gradient."""
        current = interpreter()
        computed = self._op if current is None else current.read(self, "op")
        return not (computed and self.requires_grad)

    def sum(self) -> Self:
        """Return the Value: the sum of one number."""
        return self

    def abs(self) -> Any:
        """Return ``abs(self)``."""
        return abs(self)  # type: ignore[arg-type]

    def pow(self, exponent: Any) -> Any:
        """Return ``self ** exponent``."""
        return self**exponent

    def square(self) -> Any:
        """Return ``self ** 2``."""
        return self**2.0  # type: ignore[operator]

    def numel(self) -> int:
        """Return 1, the number of numbers in a Value."""
        return 1


def _of_operator(symbol: str) -> Callable[..., Any]:
    def change(self: Any, other: object) -> Any:
        current = interpreter()
        computing = current is not None and not (current.records or current.traces)
        trained = computing and self.requires_grad and self.is_leaf and self.grad is not None
        if trained and type(self.grad) is not NoGradient:
            raise TypeError(
                f"Value: v {symbol} x under no_grad() would make v a constant in place of a "
                f"parameter; write v.data {symbol} x, or v = v {symbol[0]} x"
            )
        return NotImplemented  # so that Python computes self + other

    return change


def _changing(name: str) -> Callable[..., Any]:
    def change(self: Any, *args: Any, **kwargs: Any) -> Any:
        check_in_place(self, name)
        numbers = [x.data if isinstance(x, TensorMethods) else x for x in args]
        self.data = IN_PLACE[name](self.data, *numbers, **kwargs)
        return self

    return change


for _name in IN_PLACE:
    setattr(TensorMethods, _name, _changing(_name))
# Not of +=, which loops add up with and which would take a fifth longer.
for _name, _symbol in ("sub", "-="), ("mul", "*="), ("truediv", "/="):
    setattr(TensorMethods, f"__i{_name}__", _of_operator(_symbol))
