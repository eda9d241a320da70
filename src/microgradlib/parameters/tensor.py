"""Parameter: the Values of a tensor as nested lists, with what PyTorch's tensor knows of itself."""

import operator
import sys
from collections.abc import Callable, Iterator
from typing import Any, Self

from microgradlib.absent import Absent
from microgradlib.core.value import Value
from microgradlib.errors import ShapeError, short
from microgradlib.numeric.conversion import NoGradient, to_float
from microgradlib.trees import as_list, as_number, numbers_in, set_data, shape_of


class Parameter(list[Any], Absent, absent="Parameter"):
    """A tensor to train: lists of leaf Values or such tensors; of one number it is a Value.

    >>> w = Parameter([[1.0, 2.0], [3.0, 4.0]])
    >>> w.shape, w.numel(), w[1][0].data
    ((2, 2), 4, 3.0)

    Operators work as with NumPy's arrays of Values, once NumPy is imported.

    Args:
        data: a number, or nested lists or an array of numbers; Values give their data.
        requires_grad: whether gradients flow to it.

    Raises:
        ShapeError: if lists beside each other differ in length, or one is empty.
        TypeError: if an entry is not a number.
    """

    __module__ = "microgradlib.nn"  # where it is public
    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __new__(cls, data: Any = (), requires_grad: bool = True) -> Any:
        """Make a Value of a number."""
        data = as_number(data)
        if isinstance(data, Value | float | int):
            return _leaf(data).requires_grad_(requires_grad)
        return super().__new__(cls)

    def __init__(self, data: Any = (), requires_grad: bool = True) -> None:
        """Make a leaf of each number."""
        super().__init__(_each(_leaf, as_list(data), self._of))
        shape_of("Parameter", self)
        self.requires_grad = requires_grad

    @classmethod
    def _of(cls, rows: Any) -> Self:
        """Return a tensor of the same Values."""
        new: Self = list.__new__(cls)
        new.extend(rows)
        return new

    def _values(self) -> list[Any]:
        return numbers_in(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the lists, from the outermost on."""
        return shape_of("Parameter", self)

    @property
    def ndim(self) -> int:
        """How deep the lists are nested."""
        return len(self.shape)

    def dim(self) -> int:
        """Return ``ndim``."""
        return self.ndim

    def size(self, dim: int | None = None) -> Any:
        """Return ``shape``, or one length of it."""
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> int:
        """Return the number of entries."""
        return len(self._values())

    def item(self) -> float:
        """Return the number of a tensor of one entry."""
        if self.numel() != 1:
            raise ValueError(f"Parameter.item: a tensor of {self.numel()} entries is not a number")
        return float(self._values()[0].data)

    @property
    def data(self) -> Any:
        """The numbers, as nested lists; assigning others sets all of them, or none."""
        return _each(lambda v: v.data, self, _Numbers)

    @data.setter
    def data(self, data: Any) -> None:
        new = [*_paired("Parameter.data", self, data)]
        new[0][0].data = new[0][0].data  # raises where that is not allowed
        set_data(*zip(*new, strict=True))

    @property
    def grad(self) -> Any:
        """The gradients, as nested lists; None if no entry has got one."""
        grads = [v.grad for v in self._values()]
        if all(g is None or type(g) is NoGradient for g in grads):
            return None
        return _each(lambda v: v.grad or 0.0, self, _Numbers)

    @grad.setter
    def grad(self, grad: Any) -> None:
        pairs = _paired("Parameter.grad", self, grad) if grad is not None else ()
        for v, g in [*pairs] or [(v, None) for v in self._values()]:
            v.grad = g

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to an entry; assigning sets it of all."""
        return any(v.requires_grad for v in self._values())

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        for v in self._values():
            v.requires_grad = flag

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` of all entries, and return the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def T(self) -> "Parameter":  # noqa: N802 (as everyone calls it)
        """The same Values with rows as columns."""
        if self.ndim > 2:
            raise ShapeError(f"Parameter.T: needs at most 2 dimensions, got {self.ndim}")
        return self if self.ndim < 2 else self._of(map(self._of, zip(*self, strict=True)))

    def detach(self) -> "Parameter":
        """Return a tensor of constants with the same numbers."""
        return _each(lambda v: v.detach(), self, self._of)  # type: ignore[no-any-return]

    def clone(self) -> "Parameter":
        """Return a tensor of new nodes, through which gradients flow to this one."""
        return _each(lambda v: v.clone(), self, self._of)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        """Return the class and the Values."""
        return f"Parameter({_each(lambda v: v, self)})"

    def __copy__(self) -> Self:
        """Return a tensor of the same Values."""
        return self._of(self)


def _leaf(x: Any) -> Value:
    return Value(x.data if isinstance(x, Value) else to_float("Parameter", x, "a number"))


class _Numbers(list[Any]):
    """Numbers that were read: to set one here would not set it in the tensor."""

    def __setitem__(self, index: Any, x: Any) -> None:
        raise TypeError(
            "Parameter: .data and .grad give copies; assign to those of one Value, as in "
            "w[0][1].data = 1.0, or assign all"
        )

    def __copy__(self) -> list[Any]:
        return [*self]


def _each(f: Callable[[Any], Any], x: Any, kind: Callable[[Any], Any] = list) -> Any:
    """Return f of each number, in lists as deep."""
    return kind([_each(f, as_list(y), kind) for y in x]) if isinstance(x, list | tuple) else f(x)


def _paired(name: str, old: Any, new: Any) -> Iterator[tuple[Value, float]]:
    """Yield each Value with the number at its place in lists of the same shape."""
    new = as_list(new)
    if isinstance(old, Value):
        yield old, to_float(name, new, "a number")
    elif not isinstance(new, list | tuple) or len(new) != len(old):
        raise ShapeError(f"{name}: expected a list of length {len(old)}, got {short(new)}")
    else:
        for x, y in zip(old, new, strict=True):
            yield from _paired(name, x, y)


def _operator(name: str, reflected: bool = False) -> Callable[..., Any]:
    apply = getattr(operator, name)

    def compute(self: Parameter, *other: Any) -> Any:
        if (numpy := sys.modules.get("numpy")) is None:
            raise TypeError(
                f"Parameter: {name} of tensors needs NumPy; import numpy, or loop over the entries"
            )
        operands = (numpy.array([*self], object), *map(numpy.asarray, other))
        return apply(*(operands[::-1] if reflected else operands))

    return compute


def _in_place(self: Parameter, other: object) -> Any:
    raise TypeError("Parameter: operators in place would not set its numbers; assign to .data")


# A list would be repeated or joined without a word.
for _name in ("add", "sub", "mul", "truediv", "matmul", "pow"):
    setattr(Parameter, f"__{_name}__", _operator(_name))
    setattr(Parameter, f"__r{_name}__", _operator(_name, reflected=True))
    setattr(Parameter, f"__i{_name}__", _in_place)
setattr(Parameter, "__neg__", _operator("neg"))  # noqa: B010
