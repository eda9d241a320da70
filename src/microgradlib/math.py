"""A drop-in for the standard ``math`` module whose functions also take Values.

>>> from microgradlib import Value
>>> import microgradlib.math as math
>>> x = Value(0.5)
>>> y = math.sin(x) ** 2 + math.cos(x) ** 2
>>> y.backward()
>>> round(x.grad, 12)
0.0

On plain numbers every name does what the standard module does, its exceptions included. On Values
the differentiable functions record themselves, predicates (``isnan``) and rounding (``floor``) look
at the data, and what would silently drop a gradient (``frexp``, ``modf``, ``ulp``) raises a
TypeError.
"""

import math as _math
from collections.abc import Callable, Iterable
from functools import partial as _partial
from typing import Any, TypeVar

from microgradlib import functions as _f
from microgradlib import primitives as _primitives
from microgradlib.errors import ShapeError as _ShapeError
from microgradlib.modes import tracing as _tracing
from microgradlib.value import Operand as _Operand
from microgradlib.value import Value as _Value
from microgradlib.value import look as _look
from microgradlib.value import stands_for_number as _stands_for_number

__all__ = [name for name in dir(_math) if not name.startswith("_")]

_F = TypeVar("_F", bound=Callable[..., Any])


def __getattr__(name: str) -> Any:
    """Pass through what has no gradient: pi, floor, gcd, ..."""
    if name in __all__:
        return getattr(_math, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


def _lift(on_values: _F) -> _F:
    """Return the standard function, replaced by ``on_values`` where it meets a Value."""
    name = on_values.__name__
    standard = getattr(_math, name)

    def function(*args: Any, **kwargs: Any) -> Any:
        values = _any_value((*args, *kwargs.values()))
        return (on_values if values else standard)(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = standard.__doc__
    function.__wrapped__ = standard  # type: ignore[attr-defined]  # for its signature
    return function  # type: ignore[return-value]


def _is_value(x: object) -> bool:
    return isinstance(x, _Value)


def _any_value(xs: Iterable[Any]) -> bool:
    return any(map(_is_value, xs))


acos = _lift(_f.acos)
acosh = _lift(_f.acosh)
asin = _lift(_f.asin)
asinh = _lift(_f.asinh)
atan = _lift(_f.atan)
atan2 = _lift(_f.atan2)
atanh = _lift(_f.atanh)
cbrt = _lift(_f.cbrt)
cos = _lift(_f.cos)
cosh = _lift(_f.cosh)
erf = _lift(_f.erf)
erfc = _lift(_f.erfc)
exp = _lift(_f.exp)
exp2 = _lift(_f.exp2)
expm1 = _lift(_f.expm1)
gamma = _lift(_f.gamma)
hypot = _lift(_f.hypot)
lgamma = _lift(_f.lgamma)
log10 = _lift(_f.log10)
log1p = _lift(_f.log1p)
log2 = _lift(_f.log2)
sin = _lift(_f.sin)
sinh = _lift(_f.sinh)
sqrt = _lift(_f.sqrt)
tan = _lift(_f.tan)
tanh = _lift(_f.tanh)


@_lift
def log(x: Any, base: Any = None) -> Any:
    if base is None:
        return _f.log(x)
    whole = isinstance(base, int) and base > 0  # and perhaps too large for a float
    return _f.log(x) / (_math.log(base) if whole else _f.log(base))


@_lift
def pow(x: _Operand, y: _Operand) -> Any:
    try:
        return x**y
    except ZeroDivisionError as error:  # the standard function's type
        raise ValueError(*error.args) from None


@_lift
def fabs(x: _Operand) -> Any:
    return abs(x)


@_lift
def fmod(x: _Operand, y: _Operand) -> Any:
    return _primitives.fmod(x, y)


@_lift
def remainder(x: _Operand, y: _Operand) -> Any:
    return _primitives.remainder(x, y)


@_lift
def copysign(x: _Operand, y: _Operand) -> Any:
    # Only the sign of y matters, and that has no slope.
    return _primitives.copysign(x, y.detach() if isinstance(y, _Value) else y)


@_lift
def ldexp(x: _Operand, i: int) -> Any:
    if not (isinstance(x, _Value) and isinstance(i, int)):
        if _stands_for_number(i):
            raise _tracing().frozen("ldexp()")
        raise TypeError(f"ldexp: the exponent must be an int, got {i!r}")
    y = _scaled(x, max(-2200, min(i, 2200)))  # further out nothing changes
    if isfinite(x) and not isfinite(y):
        raise OverflowError("math range error")
    return y


def _scaled(x: _Value, i: int) -> _Value:
    """Return x times 2**i, in steps within the range of floats."""
    if -1074 <= i <= 1023:
        return x * _math.ldexp(1.0, i)
    if i > 1023:  # the largest first
        return _scaled(x * 2.0**1023, i - 1023)
    return _scaled(x * 2.0**-1000, i + 1000)


@_lift
def degrees(x: _Operand) -> Any:
    return x * (180.0 / _math.pi)


@_lift
def radians(x: _Operand) -> Any:
    return x * (_math.pi / 180.0)


# What would drop the gradient.


def _refuse(name: str) -> Callable[..., Any]:
    def on_values(*args: Any, **kwargs: Any) -> Any:
        if all(map(_stands_for_number, filter(_is_value, (*args, *kwargs.values())))):
            raise _tracing().frozen(f"{name}()")
        shown = ", ".join([*map(repr, args), *[f"{k}={x!r}" for k, x in kwargs.items()]])
        raise TypeError(f"{name}({shown}) would drop the gradient; pass v.data")

    on_values.__name__ = name
    return _lift(on_values)


frexp = _refuse("frexp")
modf = _refuse("modf")
nextafter = _refuse("nextafter")
ulp = _refuse("ulp")


@_lift
def isnan(x: _Value) -> bool:
    return _look(_math.isnan, x)


@_lift
def isinf(x: _Value) -> bool:
    return _look(_math.isinf, x)


@_lift
def isfinite(x: _Value) -> bool:
    return _look(_math.isfinite, x)


@_lift
def isclose(a: _Operand, b: _Operand, *, rel_tol: float = 1e-9, abs_tol: float = 0.0) -> bool:
    return _look(_partial(_math.isclose, rel_tol=rel_tol, abs_tol=abs_tol), a, b)


# These take iterables, which may be generators: look into them once.


def fsum(seq: Iterable[_Operand], /) -> Any:
    xs = list(seq)
    return _f.sum(xs) if _any_value(xs) else _math.fsum(xs)


def prod(iterable: Iterable[_Operand], /, *, start: _Operand = 1) -> Any:
    xs = list(iterable)
    if _any_value((start, *xs)):
        return _f.prod([start, *xs])
    return _math.prod(xs, start=start)


def dist(p: Iterable[_Operand], q: Iterable[_Operand], /) -> Any:
    xs, ys = list(p), list(q)
    if not _any_value(xs + ys):
        return _math.dist(xs, ys)
    if len(xs) != len(ys):
        raise _ShapeError(f"dist: needs two points of one dimension, got {len(xs)} and {len(ys)}")
    return _f.hypot(*[x - y for x, y in zip(xs, ys, strict=True)])


fsum.__doc__ = _math.fsum.__doc__
prod.__doc__ = _math.prod.__doc__
dist.__doc__ = _math.dist.__doc__


if hasattr(_math, "sumprod"):  # since Python 3.12

    def sumprod(p: Iterable[_Operand], q: Iterable[_Operand], /) -> Any:
        xs, ys = list(p), list(q)
        if not _any_value(xs + ys):
            return getattr(_math, "sumprod")(xs, ys)  # noqa: B009 (unknown to older type stubs)
        if len(xs) != len(ys):
            raise _ShapeError(f"sumprod: needs one length, got {len(xs)} and {len(ys)}")
        return _sumprod(*xs, *ys)

    def _sumprod_of(*factors: float) -> float:
        n = len(factors) // 2
        return getattr(_math, "sumprod")(factors[:n], factors[n:])  # type: ignore[no-any-return]  # noqa: B009

    def _sumprod_partials(y: Any, *factors: Any) -> tuple[Any, ...]:
        n = len(factors) // 2
        return (*factors[n:], *factors[:n])

    _sumprod = _primitives.Primitive(
        "sumprod", _sumprod_of, _sumprod_partials, _primitives.REAL, arities=(2, 4, 8), listed=False
    )

    sumprod.__doc__ = getattr(_math, "sumprod").__doc__  # noqa: B009


if hasattr(_math, "fma"):  # since Python 3.13
    _fma = _primitives.Primitive(
        "fma",
        getattr(_math, "fma"),  # noqa: B009
        lambda w, x, y, z: (y, x, 1.0),
        *[_primitives.REAL] * 3,
        listed=False,
    )

    @_lift
    def fma(x: _Operand, y: _Operand, z: _Operand) -> Any:
        return _fma(x, y, z)
