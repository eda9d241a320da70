"""Value: a number that remembers how it was computed, so that its gradient can be asked for."""

from __future__ import annotations

import functools
import linecache
import operator
import sys
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from itertools import compress, count, cycle
from math import isfinite
from numbers import Real
from operator import attrgetter
from random import Random
from typing import Any, NamedTuple, TypeAlias, TypeVar

from microgradlib import primitives
from microgradlib.errors import GradientError, NonFiniteError
from microgradlib.modes import nonfinite_allowed, recording, set_grad_enabled, tracing
from microgradlib.primitives import DOMAIN_ERRORS, Primitive, to_float

next_serial = count().__next__


class Value:
    """A node of the computation graph: a float, its gradient, and where it came from.

    >>> x = Value(2.0, label="x")
    >>> y = (x * x + 1.0).log()
    >>> y.backward()
    >>> y.data, x.grad
    (1.6094379124341003, 0.8)

    Attributes:
        data: the number. Editing it later does not change gradients of what was computed before.
        grad: what ``backward()`` wrote. Leaves accumulate, other nodes are set; ``None`` counts
            as zero.
        label: a name for drawings and error messages.
        requires_grad: whether gradients flow to or through this value. Set it to False on a leaf
            to freeze it.

    Raises:
        TypeError: if ``data`` is not a real number (a string, bool, complex or None).
    """

    # _op is the primitive, or "" for a leaf; _inputs its operands as given, Values or floats; _prev
    # those that need a gradient, in order and with repetitions; _partials d(self)/d(input) for each
    # of _prev, computed when the node was made. No node refers to its users, so a graph has no
    # cycles and reference counting alone frees it. _serial counts all Values in the order of their
    # making: inputs before outputs.
    __slots__ = (
        "_inputs",
        "_op",
        "_partials",
        "_prev",
        "_serial",
        "data",
        "grad",
        "label",
        "requires_grad",
    )
    __hash__ = object.__hash__
    __array_ufunc__ = None  # NumPy scalars then leave an operation with a Value to the Value

    data: float
    grad: Any  # a float, or None, or a Value after backward(create_graph=True)
    label: str
    requires_grad: bool
    _op: str
    _inputs: tuple[Value | float, ...]
    _prev: tuple[Value, ...]
    _partials: tuple[float, ...]
    _serial: float  # an int, but within a fused node

    def __init__(self, data: float, label: str = "") -> None:
        """Make a leaf."""
        if type(data) is not float:
            if isinstance(data, bool):
                raise TypeError(f"Value: expected a number, got {data!r}; pass a float")
            data = to_float("Value", data, "a number")
        if not isinstance(label, str):
            raise TypeError(f"Value: label must be a str, got {label!r}")
        self.data = data
        self.grad = 0.0
        self.label = label
        self.requires_grad = True
        self._op = ""
        self._inputs = self._prev = self._partials = ()
        self._serial = next_serial()

    def detach(self) -> Value:
        """Return a constant with the same data, cut off from the graph.

        >>> x = Value(3.0)
        >>> y = x * x.detach()
        >>> y.backward()
        >>> x.grad
        3.0
        """
        return constant(self.data) if tracing() is None else tracing().detach(self)

    def backward(self, *, create_graph: bool = False) -> None:
        """Write d(self)/d(node) into the ``grad`` of every node that self was computed from.

        >>> a, b = Value(2.0), Value(3.0)
        >>> c = a * b + a
        >>> c.backward()
        >>> a.grad, b.grad, c.grad
        (4.0, 2.0, 1.0)

        Leaves accumulate over several calls, until their ``grad`` is set back to 0; the other
        nodes are set. Reverse-mode accumulation as in Griewank and Walther, "Evaluating
        Derivatives" (2008), section 3.2.

        With ``create_graph=True`` gradients are Values that can be differentiated again:

        >>> x = Value(3.0)
        >>> (x**3).backward(create_graph=True)
        >>> slope, x.grad = x.grad, 0.0
        >>> slope.backward()
        >>> slope.data, x.grad
        (27.0, 18.0)

        Such a gradient refers to the graph and the graph to it, so that only the cyclic garbage
        collector frees them; ``grad`` of a function leaves nothing behind.

        Args:
            create_graph: whether to record the computation of the gradients.

        Raises:
            GradientError: if self is a constant: detached, or computed under ``no_grad()``; with
                ``create_graph``, if data was edited since the forward pass, or if a primitive has
                no rule for Values.
            NonFiniteError: if self or the gradient of a leaf is infinite or NaN, or what it adds up
                to; nothing is written then. ``allow_nonfinite()`` switches this check off.
            TypeError: if the ``grad`` of a leaf was set to something but a number.
        """
        if tracing() is not None:
            tracing().refuse("backward()", "on the result")
        if not self.requires_grad:
            raise GradientError(
                f"backward: {self!r} is a constant (detached, computed under no_grad(), or from "
                "constants only); call it on a value computed from leaf Values"
            )
        op: Any = self._op
        flat = op and op.flat and not create_graph  # of a compiled function
        if flat and isfinite(sum(self._partials, self.data)):
            for x in self._prev:
                if x.grad:  # of before
                    _check_sums(self._prev, self._partials)
                    break
            self.grad = 1.0
            for x, slope in zip(self._prev, self._partials):  # noqa: B905 (this loop is hot)
                if x.requires_grad:
                    x.grad = (0.0 if x.grad is None else x.grad) + slope
            return
        order, adjoints = sweep((self,), folded=not create_graph)
        gradients: dict[Value, Any] = adjoints
        if create_graph:
            found = pull_values(order, {self: 1.0}, adjoints)
            gradients = {x: as_value(found[x]) for x in adjoints}
            adjoints = {x: gradient.data for x, gradient in gradients.items()}
        else:
            adjoints[self] = 1.0
            pull(order, adjoints)
        # A finite sum means that every term is finite; the rare other case is looked at closely.
        if not isfinite(sum(adjoints.values(), self.data)):
            if folded := [x for x in order if x.__class__ is Fused and not x._made]:
                for x in folded:
                    x._expand()
                self.backward()  # through all operations
                return
            leaves = [x for x in adjoints if not x._op and x.requires_grad]
            refuse_nonfinite("backward", (self,), leaves, order, adjoints)
        for x in gradients:
            if x.grad:  # of before
                _check_sums(gradients, gradients.values())
                break
        if create_graph:
            with set_grad_enabled(True):
                _write(gradients)
        else:
            _write(gradients)

    def _backward(self) -> None:
        """Pass the gradient on to the inputs: the step of that name in Karpathy's lecture."""
        for x, partial in zip(self._prev, self._partials, strict=True):
            x.grad = (x.grad or 0.0) + (self.grad or 0.0) * partial

    _apply: Callable[[Primitive, tuple[Operand, ...]], Value]
    """The hook through which rows of the table reach Values: ``record``."""

    # Python's operators.

    def __add__(self, other: Operand) -> Value:
        return binary(primitives.add, self, other)

    def __radd__(self, other: float) -> Value:
        return binary(primitives.add, other, self)

    def __sub__(self, other: Operand) -> Value:
        return binary(primitives.subtract, self, other)

    def __rsub__(self, other: float) -> Value:
        return binary(primitives.subtract, other, self)

    def __mul__(self, other: Operand) -> Value:
        return binary(primitives.multiply, self, other)

    def __rmul__(self, other: float) -> Value:
        return binary(primitives.multiply, other, self)

    def __truediv__(self, other: Operand) -> Value:
        return binary(primitives.divide, self, other)

    def __rtruediv__(self, other: float) -> Value:
        return binary(primitives.divide, other, self)

    def __mod__(self, other: Operand) -> Value:
        return binary(primitives.modulo, self, other)

    def __rmod__(self, other: float) -> Value:
        return binary(primitives.modulo, other, self)

    def __pow__(self, other: Operand) -> Value:
        varies = isinstance(other, Value) and other.requires_grad
        return binary(primitives.power if varies else primitives.power_c, self, other)

    def __rpow__(self, other: float) -> Value:
        return binary(primitives.power, other, self)

    def __neg__(self) -> Value:
        return unary(primitives.negative, self)

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return unary(primitives.abs_, self)

    # Comparisons look at the data; the hash is the identity.

    def __eq__(self, other: object) -> bool:
        return _decide(operator.eq, self, other)

    def __lt__(self, other: Operand) -> bool:
        return _decide(operator.lt, self, other)

    def __le__(self, other: Operand) -> bool:
        return _decide(operator.le, self, other)

    def __gt__(self, other: Operand) -> bool:
        return _decide(operator.gt, self, other)

    def __ge__(self, other: Operand) -> bool:
        return _decide(operator.ge, self, other)

    def __bool__(self) -> bool:
        return _decide(operator.ne, self, 0.0)

    # Conversions. Rounding has zero slope, so it may leave the graph; float() may not.

    def __floor__(self) -> int:
        return look(float.__floor__, self)

    def __ceil__(self) -> int:
        return look(float.__ceil__, self)

    def __trunc__(self) -> int:
        return look(float.__trunc__, self)

    def __round__(self, ndigits: int | None = None) -> float:
        return look(float.__round__, self, None if ndigits is None else operator.index(ndigits))

    def __float__(self) -> float:
        raise TypeError(
            f"float({self!r}) would drop the gradient; use .data for the number, or "
            "microgradlib.math instead of math to stay differentiable"
        )

    def __int__(self) -> int:
        raise TypeError(f"int({self!r}) would drop the gradient; use int(v.data)")

    def __complex__(self) -> complex:
        raise TypeError(f"complex({self!r}) would drop the gradient; use complex(v.data)")

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data!r}, grad={self.grad!r}{label})"

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy or pickle a leaf; a computed node would drag its whole graph along."""
        if self._op:
            raise TypeError(
                f"copy/pickle: {self!r} was computed ({self._op}) and belongs to a graph; copy "
                "leaf Values, or v.detach()"
            )
        return _restore, (self.data, self.grad, self.label, self.requires_grad)

    # The unary functions, as methods; microgradlib.functions documents each.

    def exp(self) -> Value:
        """Return ``exp(self)``."""
        return unary(primitives.exp, self)

    def exp2(self) -> Value:
        """Return ``exp2(self)``."""
        return unary(primitives.exp2, self)

    def expm1(self) -> Value:
        """Return ``expm1(self)``."""
        return unary(primitives.expm1, self)

    def log(self) -> Value:
        """Return ``log(self)``."""
        return unary(primitives.log, self)

    def log2(self) -> Value:
        """Return ``log2(self)``."""
        return unary(primitives.log2, self)

    def log10(self) -> Value:
        """Return ``log10(self)``."""
        return unary(primitives.log10, self)

    def log1p(self) -> Value:
        """Return ``log1p(self)``."""
        return unary(primitives.log1p, self)

    def sqrt(self) -> Value:
        """Return ``sqrt(self)``."""
        return unary(primitives.sqrt, self)

    def cbrt(self) -> Value:
        """Return ``cbrt(self)``."""
        return unary(primitives.cbrt, self)

    def sin(self) -> Value:
        """Return ``sin(self)``."""
        return unary(primitives.sin, self)

    def cos(self) -> Value:
        """Return ``cos(self)``."""
        return unary(primitives.cos, self)

    def tan(self) -> Value:
        """Return ``tan(self)``."""
        return unary(primitives.tan, self)

    def asin(self) -> Value:
        """Return ``asin(self)``."""
        return unary(primitives.asin, self)

    def acos(self) -> Value:
        """Return ``acos(self)``."""
        return unary(primitives.acos, self)

    def atan(self) -> Value:
        """Return ``atan(self)``."""
        return unary(primitives.atan, self)

    def sinh(self) -> Value:
        """Return ``sinh(self)``."""
        return unary(primitives.sinh, self)

    def cosh(self) -> Value:
        """Return ``cosh(self)``."""
        return unary(primitives.cosh, self)

    def tanh(self) -> Value:
        """Return ``tanh(self)``."""
        return unary(primitives.tanh, self)

    def asinh(self) -> Value:
        """Return ``asinh(self)``."""
        return unary(primitives.asinh, self)

    def acosh(self) -> Value:
        """Return ``acosh(self)``."""
        return unary(primitives.acosh, self)

    def atanh(self) -> Value:
        """Return ``atanh(self)``."""
        return unary(primitives.atanh, self)

    def erf(self) -> Value:
        """Return ``erf(self)``."""
        return unary(primitives.erf, self)

    def erfc(self) -> Value:
        """Return ``erfc(self)``."""
        return unary(primitives.erfc, self)

    def gamma(self) -> Value:
        """Return ``gamma(self)``."""
        return unary(primitives.gamma, self)

    def lgamma(self) -> Value:
        """Return ``lgamma(self)``."""
        return unary(primitives.lgamma, self)

    def sigmoid(self) -> Value:
        """Return ``sigmoid(self)``."""
        return unary(primitives.sigmoid, self)

    def log_sigmoid(self) -> Value:
        """Return ``log_sigmoid(self)``."""
        return unary(primitives.log_sigmoid, self)

    def softplus(self) -> Value:
        """Return ``softplus(self)``."""
        return unary(primitives.softplus, self)

    def relu(self) -> Value:
        """Return ``relu(self)``."""
        return unary(primitives.relu, self)

    def gelu(self) -> Value:
        """Return ``gelu(self)``."""
        return unary(primitives.gelu, self)

    def silu(self) -> Value:
        """Return ``silu(self)``."""
        return unary(primitives.silu, self)


Operand: TypeAlias = Value | float
T = TypeVar("T")

_OPERANDS = (Value, float, int, Real)
_blank: Callable[[], Value] = functools.partial(object.__new__, Value)
_BOTH, _FIRST, _SECOND = slice(None), slice(0, 1), slice(1, 2)


def record(primitive: Primitive, inputs: tuple[Operand, ...]) -> Value:
    """Compute a primitive of any number of Values and numbers, and record it as a node."""
    if (trace := tracing()) is not None:
        return trace.record(primitive, inputs)  # type: ignore[no-any-return]
    data, needed = look_at(primitive, inputs)
    if True not in needed or not recording():
        return constant(primitive.evaluate(*data))
    try:
        y, partials = primitive.value_and_partials(*data)
    except DOMAIN_ERRORS as error:
        raise primitive.explain(error, data) from None
    if primitive.selects:  # no edge to what was not selected: no gradient there, not even 0 * inf
        needed = [need and p != 0.0 for need, p in zip(needed, partials, strict=False)]
    prev: Any = inputs
    if primitive.static or False in needed:
        n = needed.count(True)
        if True in needed[n:]:  # not the first n
            prev, partials = tuple(compress(inputs, needed)), tuple(compress(partials, needed))
        else:
            prev, partials = inputs[:n], partials[:n]
    return node(primitive, inputs, prev, y, partials)


Value._apply = staticmethod(record)


def look_at(function: str, inputs: Iterable[Operand]) -> tuple[list[float], list[bool]]:
    """Return the data of each input, and whether it needs a gradient."""
    data, needed = [], []
    for x in inputs:
        if isinstance(x, Value):
            data.append(x.data)
            needed.append(x.requires_grad)
        else:
            data.append(x if type(x) is float else to_float(function, x))
            needed.append(False)
    return data, needed


def stands_for_number(x: object) -> bool:
    """Whether x stands for a plain number, in a trace."""
    return getattr(x, "plain", False)


def look(function: Callable[..., T], *operands: Any) -> T:
    """Return a function of the data of its operands, which has no derivative."""
    trace = tracing()
    try:
        outcome = function(*[x.data if isinstance(x, Value) else x for x in operands])
    except Exception as error:
        if trace is not None:
            trace.note(error)
        raise
    if trace is not None:
        trace.guard(function, operands, outcome)
    return outcome


def _decide(comparison: Callable[[Any, Any], bool], x: Value, other: object) -> bool:
    """Compare the data: ``look``, sooner."""
    outcome = comparison(x.data, other.data if isinstance(other, Value) else other)
    if tracing() is not None:
        tracing().guard(comparison, (x, other), outcome)
    return outcome


def unary(primitive: Primitive, x: Value) -> Value:
    """Do what ``record`` does, for one Value, sooner."""
    inputs = (x,)
    if not isinstance(x, Value) or tracing() is not None:
        return record(primitive, inputs)
    if not (x.requires_grad and recording()):
        return constant(primitive.evaluate(x.data))
    try:
        y, partials = primitive.value_and_partials(x.data)
    except DOMAIN_ERRORS as error:
        raise primitive.explain(error, (x.data,)) from None
    if primitive.selects and partials[0] == 0.0:
        return node(primitive, inputs, (), y, ())
    return node(primitive, inputs, inputs, y, partials)


def binary(primitive: Primitive, x: Operand, y: Operand) -> Value:
    """Do what ``record`` does, for two operands, sooner in the usual cases.

    As operators have it, the result is NotImplemented if one of them is no number.
    """
    prev: tuple[Value, ...]
    if type(y) is float and isinstance(x, Value) and x.requires_grad:
        a, b, prev, kept = x.data, y, (x,), _FIRST
    elif type(x) is float and isinstance(y, Value) and y.requires_grad:
        a, b, prev, kept = x, y.data, (y,), _SECOND
    elif isinstance(x, Value) and isinstance(y, Value) and x.requires_grad and y.requires_grad:
        a, b, prev, kept = x.data, y.data, (x, y), _BOTH
    elif type(y) is int and isinstance(x, Value) and x.requires_grad:
        a, b, prev, kept = x.data, to_float(primitive, y), (x,), _FIRST
    elif type(x) is int and isinstance(y, Value) and y.requires_grad:
        a, b, prev, kept = to_float(primitive, x), y.data, (y,), _SECOND
    elif isinstance(x, _OPERANDS) and isinstance(y, _OPERANDS):
        return record(primitive, (x, y))
    else:
        return NotImplemented
    if tracing() is not None:
        return record(primitive, (x, y))
    if not recording():
        return constant(primitive.evaluate(a, b))
    try:
        z, partials = primitive.value_and_partials(a, b)
    except DOMAIN_ERRORS as error:
        raise primitive.explain(error, (a, b)) from None
    return node(primitive, prev if kept is _BOTH else (x, y), prev, z, partials[kept])


def node(
    primitive: Primitive,
    inputs: tuple[Operand, ...],
    prev: tuple[Value, ...],
    data: float,
    partials: tuple[float, ...],
) -> Value:
    """Return a computed node: every one is made here."""
    self = _blank()
    self.data = data
    self.grad = 0.0
    self.label = ""
    self.requires_grad = True
    self._op = primitive
    self._inputs = inputs
    self._prev = prev
    self._partials = partials
    self._serial = next_serial()
    return self


if sys.version_info[:2] == (3, 13):
    # CPython 3.13 frees a chain of objects by recursion in C, too deep for a thread with a small
    # stack. So one node in 256, at random places, takes the graph below it apart step by step. Not
    # every node, because an interrupt (Ctrl-C) that lands in a __del__ is lost.

    class _Breaker(Value):
        __slots__ = ()

        def __del__(self) -> None:
            pending = [*getattr(self, "_inputs", ())]  # none if Ctrl-C came while it was made
            self._inputs = self._prev = ()
            while pending:
                x = pending.pop()
                if type(x) is Fused:  # which refers to few others
                    continue
                if isinstance(x, Value) and sys.getrefcount(x) == 2:  # here and in the call
                    pending += x._inputs
                    x._inputs = x._prev = ()

    _places = Random(0).choices((Value, _Breaker), cum_weights=(255, 256), k=4_099)
    _next_class = cycle(_places).__next__

    def _blank() -> Value:
        return object.__new__(_next_class())


Steps: TypeAlias = Sequence[tuple[Primitive, tuple[int, ...]]]
"""Operations, each with the places of its inputs among leaves, constants, and results so far.

Of the inputs of one operation, Values come before constants.
"""


class Fusion(NamedTuple):
    """Operations that are recorded as one node.

    Attributes:
        steps: the operations, at least two.
        inputs: the number of leaves and constants.
        vjp: returns the adjoints of the leaves for that of the node and what the node saved.
    """

    steps: Steps
    inputs: int
    vjp: Callable[[float, tuple[float, ...]], tuple[float, ...]]


def _inside(part: int) -> Any:
    """Return an attribute of a fused node that is made when somebody looks."""

    def look_inside(self: Fused) -> Any:
        self._expand()
        return self._made[0][part]

    return property(look_inside)


class Fused(Value):
    """A node that stands for several operations, until somebody looks inside.

    Then the nodes of the operations are made, from what was saved. It stands for the last of them.
    """

    __slots__ = ("_adjoint", "_fusion", "_leaves", "_made", "_saved")

    _fusion: Fusion
    _leaves: tuple[Value, ...]
    _saved: tuple[float, ...]  # the data of leaves and constants, and what else the vjp reads
    _adjoint: float | None  # what backward() wrote last, without create_graph
    _made: list[tuple[Any, Any, Any]]  # what those of the last operation are, once they are made
    _inputs = _inside(0)
    _prev = _inside(1)
    _partials = _inside(2)

    def _expand(self) -> None:
        """Make the nodes of the operations, unless they are there."""
        if self._made:
            return
        steps, count, _ = self._fusion
        data = [*self._saved[:count]]
        values: list[Any] = [*self._leaves, *data[len(self._leaves) :]]
        for i, (row, places) in enumerate(steps, 1):
            y, partials = row.value_and_partials(*[data[j] for j in places])
            inputs = tuple([values[j] for j in places])
            prev = tuple([x for x in inputs if isinstance(x, Value)])
            last = node(row, inputs, prev, y, partials[: len(prev)])
            last._serial = self._serial - 1 + i / len(steps)  # after all that was made before self
            data.append(y)
            values.append(last)
        adjoint = self._adjoint
        if adjoint is not None:
            _write_below(last, adjoint)
        # Where two threads look at once, the first to get here counts, as nothing is ever replaced.
        self._made.append((last._inputs, last._prev, last._partials))
        if self._adjoint is not adjoint and self._adjoint is not None:
            _write_below(self, self._adjoint)  # of a thread that came before there was an inside


def fused_node(
    fusion: Fusion, data: float, leaves: tuple[Value, ...], saved: tuple[float, ...]
) -> Fused:
    """Return a node that stands for several operations: every one is made here."""
    self = _blank_fused()
    self.data = data
    self.grad = 0.0
    self.label = ""
    self.requires_grad = True
    self._op = fusion.steps[-1][0]
    self._serial = next_serial()
    self._fusion = fusion
    self._leaves = leaves
    self._saved = saved
    self._adjoint = None
    self._made = []
    return self


_blank_fused: Callable[[], Fused] = functools.partial(object.__new__, Fused)


def constant(data: float) -> Value:
    """Return a Value that needs no gradient."""
    self = Value(data)
    self.requires_grad = False
    return self


def as_value(x: Operand) -> Value:
    """Return x if it is a Value, else a constant."""
    return x if isinstance(x, Value) else constant(x)


def set_data(values: Iterable[Value], data: Iterable[float]) -> None:
    """Assign the data of several Values, all of them or none.

    No Python code runs in between, so that an interrupt (Ctrl-C) comes before or after.
    """
    any(map(_assign_data, values, data))  # assigning returns None


_assign_data = Value.__dict__["data"].__set__


def _restore(data: float, grad: float, label: str, requires_grad: bool) -> Value:
    node = Value(data, label)
    node.grad = grad
    node.requires_grad = requires_grad
    return node


def topological_order(root: Value) -> list[Value]:
    """Return all nodes that root was computed from, inputs before outputs, root last.

    >>> x = Value(3.0)
    >>> y = x * x
    >>> topological_order(y) == [x, y]
    True
    """
    order, adjoints = sweep((root,))
    return [node for node in adjoints if not node._op] + order


def sweep(
    roots: Iterable[Value], inputs: Iterable[Value] = (), *, folded: bool = False
) -> tuple[list[Value], dict[Value, float]]:
    """Return the computed nodes from roots down, inputs first, and a zero adjoint for each node.

    The sweep stops at ``inputs``, and at what is older and so cannot depend on them. Inside of
    fused nodes it finds those of all operations, unless they are to stay ``folded``.
    """
    adjoints: dict[Value, float] = dict.fromkeys(inputs, 0.0)
    oldest = min([x._serial for x in adjoints]) if adjoints else 0
    order: list[Value] = []
    found = [*roots]
    for x in found:  # which grows on the way
        if not x._op:
            adjoints[x] = 0.0
        elif x not in adjoints:
            adjoints[x] = 0.0
            if x._serial >= oldest:
                order.append(x)
                if not (folded and x.__class__ is Fused and not x._made):
                    found += x._prev
    if len(order) != 2:
        order.sort(key=by_serial)
    elif order[0]._serial > order[1]._serial:  # of a small model and its loss, say: sooner
        order.reverse()
    return order, adjoints


by_serial = attrgetter("_serial")


def pull(order: list[Value], adjoints: dict[Value, float]) -> None:
    """Complete the adjoints of a sweep, some of which have been set, by the chain rule."""
    for node in reversed(order):
        adjoint = adjoints[node]
        # The last input of a fused node is another of its operations. If a thread has made them
        # since the sweep, the sweep did not find them.
        if node.__class__ is Fused and not (node._made and node._prev[-1] in adjoints):
            for x, slope in zip(node._leaves, node._fusion.vjp(adjoint, node._saved)):  # noqa: B905
                adjoints[x] = adjoints.get(x, 0.0) + slope
        else:
            for x, partial in zip(node._prev, node._partials):  # noqa: B905 (these loops are hot)
                adjoints[x] += adjoint * partial


def _check_sums(nodes: Collection[Value], gradients: Collection[Any]) -> None:
    """Refuse gradients of leaves that do not add up to finite numbers with those of before."""
    try:
        pairs = zip(nodes, gradients)  # noqa: B905 (this is hot)
        sums = [x.grad + g for x, g in pairs if x.grad and not x._op and x.requires_grad]
        if isfinite(sum(sums, 0.0)):  # so they are floats, and each of them is finite
            return
    except (TypeError, ValueError, OverflowError):
        pass
    for x, gradient in zip(nodes, gradients, strict=True):
        if not x._op and x.requires_grad and x.grad is not None:
            _check_sum(x, gradient)


def _check_sum(leaf: Value, gradient: Operand) -> None:
    before = leaf.grad
    try:
        total = as_value(before + gradient).data
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            f"backward: the gradient with respect to {_describe(leaf)} was set to {before!r}, to "
            "which no number can be added; set it to 0.0 or None"
        ) from None
    if not (isfinite(total) or nonfinite_allowed()):
        old, new = as_value(before).data, as_value(gradient).data
        raise NonFiniteError(
            f"backward: the gradient with respect to {_describe(leaf)} is {new} and would add up "
            f"to {total} with the {old} of before; set that to 0.0 first, or use "
            "allow_nonfinite() to accept such results"
        )


def _write(gradients: Mapping[Value, Any]) -> None:
    """Set the ``grad`` of computed nodes, and add to that of leaves.

    That of nodes inside of a fused one is set as soon as they are made.
    """
    for x, gradient in gradients.items():
        if x._op:
            x.grad = gradient
            if x.__class__ is Fused and not isinstance(gradient, Value):
                x._adjoint = gradient
                if x._made and x._prev[-1] not in gradients:
                    _write_below(x, gradient)
        elif x.requires_grad:  # in one statement, so that no thread gets in between
            x.grad = gradient if x.grad is None else x.grad + gradient


def _write_below(root: Value, adjoint: float) -> None:
    """Set the ``grad`` of computed nodes from that of root down."""
    order, adjoints = sweep((root,))
    adjoints[root] = adjoint
    pull(order, adjoints)
    for x in order[:-1]:
        x.grad = adjoints[x]


def pull_values(
    order: list[Value], seeds: Mapping[Value, Operand], wanted: Container[Value]
) -> dict[Value, Operand]:
    """Do what ``pull`` does and record it, for the nodes in ``wanted`` that seeds reach.

    Each edge makes one node, even for a factor of 1, so that further derivatives add up in the same
    order when they are compiled.
    """
    adjoints = dict(seeds)
    with set_grad_enabled(True):
        for node in reversed(order):
            if node in adjoints:
                adjoint = adjoints[node]
                row: Any = node._op
                product = primitives.gate if row.selects else operator.mul
                for x, partial in zip(node._prev, partial_values(node), strict=True):
                    if x in wanted:
                        term = product(adjoint, partial)
                        adjoints[x] = adjoints[x] + term if x in adjoints else term
    return adjoints


def push(
    order: list[Value],
    tangents: dict[Value, Any],
    partials: Callable[[Value], Sequence[Operand]] = attrgetter("_partials"),
) -> None:
    """Complete the tangents of the nodes that some of the inputs lead to, by the chain rule."""
    for node in order:
        if any(x in tangents for x in node._prev):
            pairs = zip(node._prev, partials(node), strict=True)
            terms = [partial * tangents[x] for x, partial in pairs if x in tangents]
            tangents[node] = functools.reduce(operator.add, terms)


def edges(node: Value, partials: Sequence[float] = ()) -> Sequence[int]:
    """Return the positions among a node's inputs of those that it has an edge to.

    The same input at two places may have been selected at one of them: ``partials`` tell which.
    """
    if len(node._prev) == len(node._inputs):
        return range(len(node._prev))
    primitive: Any = node._op
    kept: list[int] = []
    for i, x in enumerate(node._inputs[: len(node._inputs) - primitive.static]):
        selected = not (primitive.selects and partials) or partials[i] != 0.0
        if len(kept) < len(node._prev) and x is node._prev[len(kept)] and selected:
            kept.append(i)
    return kept


def partial_values(node: Value) -> list[Operand]:
    """Return the partials of a node as functions of its inputs: its rule, read on Values.

    Raises:
        GradientError: if data was edited since the node was made, or the rule cannot be read so.
    """
    primitive: Any = node._op
    inputs = [x if isinstance(x, Value) else float(x) for x in node._inputs]
    trace = tracing()
    kept = _edges_as_made(node, inputs) if trace is None else edges(node)
    risky = len(trace.risky) if trace else 0
    try:
        partials = primitive.partials(node, *inputs)
    except TypeError as error:
        raise GradientError(
            f"create_graph: the rule for the partials of {primitive} does not take Values "
            f"({error}); write it with operators and functions of microgradlib"
        ) from error
    if trace:
        del trace.risky[risky:]  # partials that nothing needs are left out
    return [partials[i] for i in kept]


def _edges_as_made(node: Value, inputs: Iterable[Operand]) -> Sequence[int]:
    """Return the ``edges`` of a node, if it would come out now as it did when it was made."""
    primitive: Any = node._op
    data, _ = look_at(primitive, inputs)
    y, partials = primitive.value_and_partials(*data)
    kept = edges(node, partials)
    now = (y, *[partials[i] for i in kept])
    if [*map(repr, now)] != [*map(repr, (node.data, *node._partials))]:  # NaN is NaN, 0 is not -0
        raise GradientError(
            f"create_graph: data was edited since {_describe(node)} = {node.data} was computed, or "
            "it comes out different each time; compute it again, and edit data only after "
            "differentiating"
        )
    return kept


def refuse_nonfinite(
    function: str,
    roots: Iterable[Value],
    inputs: Iterable[Value],
    order: list[Value],
    adjoints: Mapping[Value, float],
) -> None:
    """Raise a NonFiniteError that names the first bad node, unless roots and inputs are finite."""
    numbers = [*[y.data for y in roots], *[adjoints[x] for x in inputs]]
    if nonfinite_allowed() or all(map(isfinite, numbers)):
        return
    reason = next(_nonfinite(order, adjoints))
    raise NonFiniteError(f"{function}: {reason}; use allow_nonfinite() to accept such results")


def _nonfinite(order: list[Value], adjoints: Mapping[Value, float]) -> Iterator[str]:
    inner = {*order}
    leaves = [x for x in adjoints if x not in inner]
    for node in [*leaves, *order]:  # values and partials in the order of their making
        if not isfinite(node.data):
            leaf = f"the leaf {node.label!r}" if node.label else "a leaf"
            which = f"{_describe(node) if node._op else leaf} is {node.data}"
            yield f"the value of {which}{origin(node)}"
        for x, partial in zip(node._prev, node._partials, strict=False):
            if not isfinite(partial):
                by = x.label or x.data
                which = f"{_describe(node)} with respect to {by}"
                yield f"the derivative of {which} is {partial}{origin(node)}"
    for node in [*reversed(order), *leaves]:  # then adjoints, in the order of the backward pass
        if not isfinite(adjoints[node]):
            which = f"{_describe(node)} is {adjoints[node]}"
            yield f"the gradient with respect to {which}{origin(node)}"


def origin(node: Value) -> str:
    """Return the line of source that made a node, if ``detect_anomaly()`` was on."""
    if not isinstance(node._serial, Located):
        return ""
    file, line = node._serial.place
    code = linecache.getline(file, line).strip()
    return f" ({file}, line {line}{': ' if code else ''}{code})"


class Located(int):
    """The serial number of a Value that was made under ``detect_anomaly()``."""

    place: tuple[str, int]


def _describe(node: Value) -> str:
    name = f"{node.label!r} = " if node.label else ""
    if not isinstance(node._op, Primitive):
        return f"{name}{node.data}"
    return name + node._op.show(
        *[x.label or x.data if isinstance(x, Value) else x for x in node._inputs]
    )
