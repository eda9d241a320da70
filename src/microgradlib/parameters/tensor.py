"""Parameter: the Values of a tensor as nested lists, with what PyTorch's tensor knows of itself."""

import operator
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self

from microgradlib import random
from microgradlib.absent import Absent
from microgradlib.core.value import Value
from microgradlib.errors import ShapeError, short
from microgradlib.functions.arguments import shape_of
from microgradlib.numeric.conversion import NoGradient, to_float
from microgradlib.tensorlike import IN_PLACE, check_in_place
from microgradlib.trees import as_list, as_number, elementwise, numbers_in, set_data


class ArrayLike(list[Any]):
    """Nested lists that act as an array of NumPy where lists would not act as a tensor does.

    A list would be joined or repeated by operators. Indices are those of a list and those of an
    array; the methods are in ``_METHODS``.
    """

    __slots__ = ()

    def _array(self, what: str) -> Any:
        if (numpy := sys.modules.get("numpy")) is None:
            raise TypeError(
                f"Parameter: {what} of tensors needs NumPy; import numpy, or loop over the entries"
            )
        return numpy.array([*self], self._dtype)

    _dtype: Any = object

    def _part(self, rows: slice) -> Any:
        """Return some of the rows."""
        raise NotImplementedError

    def __getitem__(self, index: Any) -> Any:
        """Return an entry or a row, some of the rows, or what an array has at an index."""
        if isinstance(index, slice):
            return self._part(index)
        if isinstance(index, tuple | list) or hasattr(index, "ndim") or index in (None, ...):
            return self._array("such an index")[index]
        return super().__getitem__(index)


class Parameter(ArrayLike, Absent, absent="Parameter"):
    """A tensor to train: lists of leaf Values or such tensors; of one number it is a Value.

    >>> w = Parameter([[1.0, 2.0], [3.0, 4.0]])
    >>> w.shape, w.numel(), w[1][0].data
    ((2, 2), 4, 3.0)

    Operators, indices and methods such as ``sum`` and ``reshape`` are those of NumPy's arrays, of
    Values here, once NumPy is imported. Under ``no_grad()``, operators in place such as ``-=`` and
    PyTorch's methods such as ``add_`` and ``fill_`` change the numbers.

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
        shape_of("Parameter", self, filled=True)
        self.requires_grad = requires_grad

    @classmethod
    def _of(cls, rows: Any) -> Self:
        """Return a tensor of the same Values."""
        new: Self = list.__new__(cls)
        new.extend(rows)
        return new

    def _part(self, rows: slice) -> Any:
        return self._of(list.__getitem__(self, rows))

    def _change(self, name: str, new: Callable[..., Any]) -> Self:
        check_in_place(self, name)
        self.data = new(self.data, self.shape)
        return self

    def _values(self) -> list[Any]:
        return numbers_in(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the lists, from the outermost on."""
        return shape_of("Parameter", self, filled=True)

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
        """The numbers, as nested lists; assigning others sets all of them, or none.

        To assign to one in the lists sets it in the tensor, and so do operators and methods in
        place.
        """
        return _Numbers(self, "data")

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
        return _Numbers(self, "grad")

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


class _Numbers(ArrayLike, Absent, absent="Parameter"):
    """The data or gradients of a tensor: what is assigned here is assigned there, too."""

    __slots__ = ("_name", "_tensor")
    _dtype = float

    def __init__(self, tensor: Any, name: str) -> None:
        """Read the numbers."""
        self._tensor, self._name = tensor, name
        super().__init__(
            _Numbers(x, name) if isinstance(x, list | tuple) else _read(x, name) for x in tensor
        )

    def _part(self, rows: slice) -> Any:
        return _Numbers(self._tensor[rows], self._name)

    def _change(self, name: str, new: Callable[..., Any]) -> Self:
        tensor = Parameter._of(self._tensor)
        setattr(tensor, self._name, new(_Numbers(tensor, self._name), tensor.shape))
        list.__init__(self, _Numbers(tensor, self._name))
        return self

    def __setitem__(self, index: Any, x: Any) -> None:
        def replaced(numbers: Any, _: Any) -> Any:
            array = numbers._array("to assign to a part")
            array[index] = numbers_of(x)
            return array

        self._change("__setitem__", replaced)

    @property
    def data(self) -> Self:
        """The numbers themselves."""
        return self

    def clone(self) -> Any:
        """Return an array of the same numbers."""
        return self._array("a clone")

    detach = clone

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Copy and pickle the numbers alone."""
        return list, ([*self],)

    def __copy__(self) -> list[Any]:
        return [*self]


def _read(x: Value, name: str) -> Any:
    number = getattr(x, name)
    return 0.0 if number is None else number


def numbers_of(x: Any) -> Any:
    """Return the data of Values in nested lists or an array."""
    return elementwise("Parameter", lambda y: y.data if isinstance(y, Value) else y, x)


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

    def compute(self: ArrayLike, *other: Any) -> Any:
        operands = (self._array(name), *map(sys.modules["numpy"].asarray, other))
        return apply(*(operands[::-1] if reflected else operands))

    return compute


def _in_place(name: str, f: Callable[..., Any]) -> Callable[..., Any]:
    def change(self: Any, *args: Any, **kwargs: Any) -> Any:
        def new(numbers: Any, _: Any) -> Any:
            operands = [numbers_of(x) for x in args]
            if any(isinstance(x, list | tuple) for x in operands):
                numbers = numbers._array(name)  # which repeats along the same axes as PyTorch
            return elementwise(f"Parameter: {name}", partial(f, **kwargs), numbers, *operands)

        return self._change(name, new)

    return change


def _drawn(name: str, draw: Callable[..., Any], *defaults: float) -> Callable[..., Any]:
    def change(self: Any, *args: float) -> Any:
        args = (*args, *defaults[len(args) :])
        return self._change(name, lambda _, shape: draw(*args, shape))

    return change


def _of_array(name: str) -> Callable[..., Any]:
    def call(self: ArrayLike, *args: Any, **kwargs: Any) -> Any:
        renamed = {_RENAMED.get(key, key): x for key, x in kwargs.items()}
        return getattr(self._array(name), name)(*args, **renamed)

    return call


_METHODS = "all any argmax argmin cumsum dot flatten max mean min prod ravel reshape squeeze sum"
"""The methods of arrays that a tensor has, too."""

_RENAMED = {"dim": "axis", "keepdim": "keepdims"}

for _name, _sign in (
    *(("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/"), ("pow", "**")),
    ("matmul", "@"),
):
    setattr(ArrayLike, f"__{_name}__", _operator(_name))
    setattr(ArrayLike, f"__r{_name}__", _operator(_name, reflected=True))
    setattr(ArrayLike, f"__i{_name}__", _in_place(f"{_sign}=", getattr(operator, _name)))
for _name in ("neg", "abs", "lt", "le", "gt", "ge"):
    setattr(ArrayLike, f"__{_name}__", _operator(_name))
for _name, _method in {
    **{_name: _of_array(_name) for _name in (*_METHODS.split(), "swapaxes")},
    **{_name: _in_place(_name, _f) for _name, _f in IN_PLACE.items()},
    "uniform_": _drawn("uniform_", random.uniform, 0.0, 1.0),
    "normal_": _drawn("normal_", random.normal, 0.0, 1.0),
    **{_name: _operator(_name) for _name in ("abs", "pow")},
}.items():
    setattr(ArrayLike, _name, _method)
