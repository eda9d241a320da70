"""Value: a number that remembers how it was computed, so that its gradient can be asked for."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from itertools import count
from typing import Any, Never, TypeAlias, TypeVar

from microgradlib.absent import NEW_OPERATION, Fixed
from microgradlib.core import table
from microgradlib.core.backprop import accumulate, partial_values
from microgradlib.core.operators import Operators, binary
from microgradlib.core.primitive import DOMAIN_ERRORS, Primitive
from microgradlib.errors import GradientError, short
from microgradlib.modes import active_inputs, forbid, interpreter, recording_on
from microgradlib.numeric.conversion import NO_GRADIENT, to_float, to_number

T = TypeVar("T")

next_serial = count().__next__
_ADD, _MULTIPLY, _BOTH, _FIRST = table.add, table.multiply, (1.0, 1.0), (1.0, None)
_add, _multiply = Operators.__add__, Operators.__mul__
_power, _power_c = binary(table.power), binary(table.power_c)


def _compared(comparison: Callable[[Any, Any], bool]) -> Callable[[Value, Any], bool]:
    return lambda self, other: observe(comparison, self, other)


def _rounded(rounding: Callable[[float], int]) -> Callable[[Value], int]:
    return lambda self: observe(rounding, self)


class Value(Operators):
    """A node of the computation graph: a float, its gradient, and where it came from.

    >>> x = Value(2.0, label="x")
    >>> y = (x * x + 1.0).log()
    >>> y.backward()
    >>> y.data, x.grad
    (1.6094379124341003, 0.8)

    Attributes:
        data: the number. Editing it later does not change gradients of what was computed before.
        grad: what ``backward()`` wrote; leaves accumulate, other nodes are set.
        label: a name for drawings and error messages.
        requires_grad: whether gradients flow here. Set it to False on a leaf to freeze it.

    Raises:
        TypeError: if ``data`` is not a real number (a string, bool, complex or None).
    """

    # _op is the primitive, or "" for a leaf. _inputs are its operands, Values and floats, and
    # _partials the derivative with respect to each of them, None where there is no edge: to a
    # number, to a Value that needs no gradient, to an input that was not selected. _serial counts
    # Values as they are made: inputs before outputs. No node refers to those that use it, so a
    # graph has no cycles and reference counting alone frees it. The library itself uses _data,
    # _grad, _label and _requires_grad; the properties of those names ask the interpreter first.
    __slots__ = (
        *("_data", "_grad", "_inputs", "_label", "_op", "_partials", "_requires_grad", "_serial"),
    )
    __hash__ = object.__hash__
    __array_priority__ = -1.0  # NumPy's scalars leave an operation to a Value; its arrays do not

    data: float
    grad: Any  # a float, or None, or a Value after backward(create_graph=True)
    label: str
    requires_grad: bool
    _data: float
    _grad: Any
    _label: str
    _requires_grad: bool
    _op: Any
    _inputs: tuple[Any, ...]
    _partials: tuple[float | None, ...]
    _serial: int
    _plain = False  # whether it stands for a plain number, as those of a trace may

    def __init__(self, data: float, label: str = "", *lecture: Never) -> None:
        """Make a leaf."""
        if lecture or not isinstance(label, str):
            if isinstance(label, tuple):
                raise TypeError(f"Value: a leaf has no inputs, got {short(label)}; {NEW_OPERATION}")
            raise TypeError(f"Value: label must be a str, got {short(label)}")
        self._data = data if type(data) is float else to_number("Value", data)
        self._grad = NO_GRADIENT
        self._label = label
        self._requires_grad = True
        self._op = ""
        self._inputs = self._partials = ()
        self._serial = next_serial()
        if (current := interpreter()) is not None:
            current.created(self)

    @property
    def _prev(self) -> tuple[Value, ...]:
        """The inputs that a gradient flows to, in order and with repetitions."""
        pairs = zip(self._inputs, self._partials, strict=True)
        return tuple([x for x, partial in pairs if partial is not None])

    def detach(self) -> Value:
        """Return a constant with the same data, cut off from the graph.

        >>> x = Value(3.0)
        >>> y = x * x.detach()
        >>> y.backward()
        >>> x.grad
        3.0
        """
        current = interpreter()
        return constant(self._data) if current is None else current.detach(self)

    def backward(self, *, retain_graph: object = None, create_graph: bool = False) -> None:
        """Write d(self)/d(node) into the ``grad`` of every node that self was computed from.

        >>> a, b = Value(2.0), Value(3.0)
        >>> c = a * b + a
        >>> c.backward()
        >>> a.grad, b.grad, c.grad
        (4.0, 2.0, 1.0)

        Leaves accumulate over several calls until ``grad`` is set back; other nodes are set.

        With ``create_graph=True`` gradients are Values that can be differentiated again:

        >>> x = Value(3.0)
        >>> (x**3).backward(create_graph=True)
        >>> derivative, x.grad = x.grad, 0.0
        >>> derivative.backward()
        >>> derivative.data, x.grad
        (27.0, 18.0)

        Such a gradient refers to the graph and the graph to it, so that only the cyclic garbage
        collector frees them; ``grad`` of a function leaves nothing behind.

        Args:
            retain_graph: accepted for PyTorch's sake; a graph can always be gone through again.
            create_graph: whether to record the computation of the gradients.

        Raises:
            GradientError: if self is a constant; if it depends on an argument of a function that is
                being differentiated, unless with ``create_graph``; with that, if data was edited
                since the forward pass, or if a primitive has no rule for Values.
            NonFiniteError: if self or the gradient of a leaf is infinite or NaN, or what it adds up
                to; nothing is written then. ``allow_nonfinite()`` switches this check off.
            TypeError: if the ``grad`` of a leaf was set to something but a number.
        """
        if interpreter() is not None:
            forbid("backward()", "compile value_and_grad(f), or call backward() on the result")
        if not self._requires_grad:
            raise GradientError(
                f"backward: {short(self)} is a constant (detached, computed under no_grad(), or "
                "from constants only); call it on a value computed from leaf Values"
            )
        if create_graph:
            with recording_on():
                accumulate(self, constant(1.0), partial_values)
        elif active_inputs() or not (self._op and self._op.backward and self._op.backward(self)):
            accumulate(self, 1.0)

    @Fixed
    def _backward(self) -> None:
        """Pass the gradient on to the inputs: the step of that name in Karpathy's lecture."""
        for x, partial in zip(self._inputs, self._partials, strict=True):
            if partial is not None:
                x.grad = (x.grad or 0.0) + (self.grad or 0.0) * partial

    # Sums and products are most of a program, so they record the usual operands without a call.

    def __add__(self, other: Any) -> Value:
        if self._requires_grad and interpreter() is None:
            if type(other) is Value:
                if other._requires_grad:
                    return node(_ADD, (self, other), self._data + other._data, _BOTH)
            elif type(other) is float:
                return node(_ADD, (self, other), self._data + other, _FIRST)
        return _add(self, other)

    def __mul__(self, other: Any) -> Value:
        if self._requires_grad and interpreter() is None:
            if type(other) is Value:
                if other._requires_grad:
                    x, y = self._data, other._data
                    return node(_MULTIPLY, (self, other), x * y, (y, x))
            elif type(other) is float:
                return node(_MULTIPLY, (self, other), self._data * other, (other, None))
        return _multiply(self, other)

    def __pow__(self, other: Any) -> Value:
        varies = isinstance(other, Value) and other._requires_grad
        return _power(self, other) if varies else _power_c(self, other)

    def __pos__(self) -> Value:
        return self

    # Comparisons look at the data; the hash is the identity.

    __eq__, __ne__ = _compared(operator.eq), _compared(operator.ne)
    __lt__, __le__ = _compared(operator.lt), _compared(operator.le)
    __gt__, __ge__ = _compared(operator.gt), _compared(operator.ge)

    def __bool__(self) -> bool:
        return bool(self != 0.0)

    # Conversions. The derivative of rounding is zero, so it may leave the graph; float() may not.

    __floor__, __ceil__ = _rounded(float.__floor__), _rounded(float.__ceil__)
    __trunc__ = _rounded(float.__trunc__)

    def __round__(self, ndigits: int | None = None) -> float:
        return observe(float.__round__, self, None if ndigits is None else operator.index(ndigits))

    def __float__(self) -> float:
        raise TypeError(
            f"float({short(self)}) would drop the gradient; use .data for the number, or "
            "microgradlib.math instead of math to stay differentiable"
        )

    def __int__(self) -> int:
        raise TypeError(f"int({short(self)}) would drop the gradient; use int(v.data)")

    def __complex__(self) -> complex:
        raise TypeError(f"complex({short(self)}) would drop the gradient; use complex(v.data)")

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data!r}, grad={self.grad!r}{label})"

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy or pickle a leaf; a computed node would drag its whole graph along."""
        if self._op:
            raise TypeError(
                f"copy/pickle: {short(self)} was computed ({self._op}) and belongs to a graph; "
                "copy leaf Values, or v.detach()"
            )
        state = {"grad": self.grad, "requires_grad": self.requires_grad}
        return Value, (self.data, self.label), (None, state)


Operand: TypeAlias = Value | float

blank: Callable[[], Value] = functools.partial(object.__new__, Value)  # ``teardown`` may replace it


def apply(primitive: Primitive, inputs: tuple[Any, ...]) -> Value:
    """Compute a primitive of Values and numbers, and record it unless the interpreter differs."""
    if (current := interpreter()) is not None:
        return current.apply(primitive, inputs)  # type: ignore[no-any-return]
    data: list[float] = []
    constants: list[int] = []  # the places of inputs that need no gradient
    for x in inputs:
        kind = type(x)
        if kind is Value or (kind is not float and isinstance(x, Value)):
            if not x._requires_grad:
                constants.append(len(data))
            data.append(x._data)
        elif kind is float:
            constants.append(len(data))
            data.append(x)
        else:
            operands = [x if isinstance(x, Value) else to_float(primitive, x) for x in inputs]
            return apply(primitive, tuple(operands))
    if len(constants) == len(data):
        return constant(primitive.evaluate(*data))
    try:
        if primitive.both is None:
            y = primitive.forward(*data)
            partials = primitive.slopes(y, *data)
        else:
            y, partials = primitive.both(*data)
    except DOMAIN_ERRORS as error:
        raise primitive.explain(error, data) from None
    if n := primitive.selects:  # no edge to what was not selected: no gradient, not even 0 * inf
        partials = (*[p or None for p in partials[:n]], *partials[n:])
    if constants:
        kept: list[float | None] = [*partials]
        for i in constants:
            kept[i] = None
        partials = tuple(kept)
    return node(primitive, inputs, y, partials)


Value._apply = staticmethod(apply)


def node(
    primitive: Any,
    inputs: tuple[Any, ...],
    data: float,
    partials: tuple[Any, ...],
    requires_grad: bool = True,
) -> Value:
    """Return a computed node: every one is made here."""
    self = blank()
    self._data = data
    self._grad = NO_GRADIENT
    self._label = ""
    self._requires_grad = requires_grad
    self._op = primitive
    self._inputs = inputs
    self._partials = partials
    self._serial = next_serial()
    return self


def constant(data: float) -> Value:
    """Return a Value that needs no gradient."""
    return node("", (), data, (), False)


def observe(function: Callable[..., T], *operands: Any) -> T:
    """Return a function of the data of its operands, which has no derivative."""
    current = interpreter()
    if current is None:
        return function(*[x._data if isinstance(x, Value) else x for x in operands])
    return current.observe(function, operands)  # type: ignore[no-any-return]
