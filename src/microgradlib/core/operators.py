"""The operators and methods of an operand that only name a primitive."""

from collections.abc import Callable
from numbers import Real
from typing import Any, TypeVar

from microgradlib.core import table
from microgradlib.core.primitive import Primitive
from microgradlib.numeric.conversion import to_float
from microgradlib.tensorlike import TensorMethods

S = TypeVar("S", bound="Operators")


def _unary(primitive: Primitive) -> Callable[[S], S]:
    def unary(self: S) -> S:
        try:
            apply = self._apply
        except AttributeError:  # a number, as in Value.exp(2.0)
            return primitive(self)
        return apply(primitive, (self,))  # type: ignore[no-any-return]

    unary.__name__, unary.__qualname__ = primitive.name, f"Operators.{primitive.name}"
    unary.__doc__ = f"Return ``{primitive.name}(self)``."
    return unary


def binary(primitive: Primitive, reflected: bool = False) -> Callable[[S, Any], S]:
    """Return the method for an operator, not implemented for operands that are no numbers."""

    def operator(self: S, other: Any) -> S:
        if type(other) is int:
            other = to_float(primitive, other)
        if not isinstance(other, _OPERANDS):
            return NotImplemented  # type: ignore[no-any-return]
        inputs = (other, self) if reflected else (self, other)
        return self._apply(primitive, inputs)  # type: ignore[no-any-return]

    return operator


class Operators(TensorMethods, absent="Value"):
    """What can be done with an operand and is one primitive; a subclass has the hook ``_apply``."""

    __slots__ = ()

    _apply: Callable[[Primitive, tuple[Any, ...]], Any]
    """Carries out a primitive; this is how primitives reach operands, too."""

    __add__, __radd__ = binary(table.add), binary(table.add, reflected=True)
    __sub__, __rsub__ = binary(table.subtract), binary(table.subtract, reflected=True)
    __mul__, __rmul__ = binary(table.multiply), binary(table.multiply, reflected=True)
    __truediv__, __rtruediv__ = binary(table.divide), binary(table.divide, reflected=True)
    __mod__, __rmod__ = binary(table.modulo), binary(table.modulo, reflected=True)
    __rpow__, __neg__ = binary(table.power, reflected=True), _unary(table.negative)
    __abs__, clone = _unary(table.abs_), _unary(table.identity)  # a clone is a node of its own

    # The functions of one number; microgradlib.functions documents each.
    exp = _unary(table.exp)
    exp2 = _unary(table.exp2)
    expm1 = _unary(table.expm1)
    log = _unary(table.log)
    log2 = _unary(table.log2)
    log10 = _unary(table.log10)
    log1p = _unary(table.log1p)
    sqrt = _unary(table.sqrt)
    cbrt = _unary(table.cbrt)
    sin = _unary(table.sin)
    cos = _unary(table.cos)
    tan = _unary(table.tan)
    asin = _unary(table.asin)
    acos = _unary(table.acos)
    atan = _unary(table.atan)
    sinh = _unary(table.sinh)
    cosh = _unary(table.cosh)
    tanh = _unary(table.tanh)
    asinh = _unary(table.asinh)
    acosh = _unary(table.acosh)
    atanh = _unary(table.atanh)
    erf = _unary(table.erf)
    erfc = _unary(table.erfc)
    gamma = _unary(table.gamma)
    lgamma = _unary(table.lgamma)
    sigmoid = _unary(table.sigmoid)
    log_sigmoid = _unary(table.log_sigmoid)
    softplus = _unary(table.softplus)
    relu = _unary(table.relu)
    gelu = _unary(table.gelu)
    silu = _unary(table.silu)


_OPERANDS = (Operators, float, int, Real)
