"""A drop-in for the standard ``math`` module whose functions also take Values.

>>> from microgradlib import Value
>>> import microgradlib.math as math
>>> x = Value(0.5)
>>> y = math.sin(x) ** 2 + math.cos(x) ** 2
>>> y.backward()
>>> round(x.grad, 12)
0.0

For plain numbers every function behaves as in the standard module, with the same exceptions. For
Values, differentiable functions are recorded; predicates (``isnan``) and rounding (``floor``) read
the data; and functions that would silently drop a gradient (``frexp``, ``modf``, ``ulp``) raise a
TypeError.
"""

import math as _math
from collections.abc import Callable, Iterable
from functools import partial as _partial
from functools import update_wrapper as _update_wrapper
from typing import Any, TypeVar

from microgradlib import functions as _f
from microgradlib.core import primitive as _primitive
from microgradlib.core import table as _table
from microgradlib.core.value import Operand as _Operand
from microgradlib.core.value import Value as _Value
from microgradlib.core.value import observe as _observe
from microgradlib.errors import ShapeError as _ShapeError
from microgradlib.errors import short as _short
from microgradlib.interpreters import current as _current

_F = TypeVar("_F", bound=Callable[..., Any])
_newest_math: Any = _math  # for names that are not in every supported Python


# Functions that ``math`` has since Python 3.15, on plain numbers.


def _fmax(x: float, y: float, /) -> float:
    """Return the larger of two numbers; a NaN counts as missing."""
    x, y = _math.ldexp(x, 0), _math.ldexp(y, 0)  # to float, with the errors of math
    return y if y > x or x != x or (x == y and _signbit(x)) else x


def _fmin(x: float, y: float, /) -> float:
    """Return the smaller of two numbers; a NaN counts as missing."""
    return -_fmax(-_math.ldexp(x, 0), -_math.ldexp(y, 0))


def _isnormal(x: float, /) -> bool:
    """Return whether a number is normal: not 0, subnormal, infinite or NaN."""
    return _SMALLEST <= _math.fabs(x) < _math.inf


def _issubnormal(x: float, /) -> bool:
    """Return whether a number is subnormal."""
    return 0.0 < _math.fabs(x) < _SMALLEST


def _signbit(x: float, /) -> bool:
    """Return whether the sign of a number is negative, that of -0.0 included."""
    return _math.copysign(1.0, x) < 0.0


_SMALLEST = 2.0**-1022  # the smallest normal number
_newer = (_fmax, _fmin, _isnormal, _issubnormal, _signbit)
_standard: dict[str, Any] = {f.__name__[1:]: f for f in _newer} | vars(_math)

__all__ = sorted(name for name in _standard if not name.startswith("_"))


def __getattr__(name: str) -> Any:
    """Return a name of the standard module that needs no other version here, such as pi or gcd."""
    if name in __all__:
        return _standard[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


def _lift(on_values: _F, name: str = "") -> _F:
    """Return the standard function, replaced by ``on_values`` if an argument is a Value."""
    name = name or on_values.__name__
    standard = _standard[name]

    def function(*args: Any, **kwargs: Any) -> Any:
        values = _any_value(args) or _any_value(kwargs.values())
        return (on_values if values else standard)(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    return _document(function)  # type: ignore[return-value]


def _document(function: _F) -> _F:
    """Give a function the documentation and signature of the standard function of its name."""
    return _update_wrapper(function, _standard[function.__name__], ("__doc__",))  # type: ignore[return-value]


def _any_value(xs: Iterable[Any]) -> bool:
    for x in xs:  # noqa: SIM110 (faster than any)
        if isinstance(x, _Value):
            return True
    return False


# Those of one number, and hypot and atan2; what needs more than their namesakes follows.
globals().update({name: _lift(getattr(_f, name)) for name in _f.__all__ if name in _standard})

degrees = _lift(lambda x: x * (180.0 / _math.pi), "degrees")
fabs = _lift(abs, "fabs")
fmax = _lift(lambda x, y: _unless_nan(x, y, _f.maximum(x, y)), "fmax")
fmin = _lift(lambda x, y: _unless_nan(x, y, _f.minimum(x, y)), "fmin")
fmod = _lift(_table.fmod, "fmod")
radians = _lift(lambda x: x * (_math.pi / 180.0), "radians")
remainder = _lift(_table.remainder, "remainder")


@_lift
def log(x: Any, base: Any = None) -> Any:
    if base is None:
        return _f.log(x)
    if isinstance(base, int) and base > 0:  # math.log takes ints that are too large for a float
        return _f.log(x) / _math.log(base)
    return _f.log(x) / _f.log(base)


@_lift
def pow(x: _Operand, y: _Operand) -> Any:
    try:
        return x**y
    except ZeroDivisionError as error:
        raise ValueError(*error.args) from None  # as math.pow does


@_lift
def copysign(x: _Operand, y: _Operand) -> Any:
    # The derivative with respect to y is 0.
    return _table.copysign(x, _current().detach(y) if isinstance(y, _Value) else y)


@_lift
def ldexp(x: _Value, i: int) -> Any:
    if not isinstance(i, int):
        _check_traced("ldexp", i)
        raise TypeError(f"ldexp: the exponent must be an int, got {_short(i)}")
    y = _scaled(x, max(-2200, min(i, 2200)))  # beyond these the result is the same
    if isfinite(x) and not isfinite(y):
        raise OverflowError("math range error")
    return y


def _scaled(x: _Value, i: int) -> _Value:
    """Return x times 2**i, in steps within the range of floats."""
    if -1074 <= i <= 1023:
        return x * _math.ldexp(1.0, i)
    if i > 1023:
        return _scaled(x * 2.0**1023, i - 1023)
    return _scaled(x * 2.0**-1000, i + 1000)


def _unless_nan(x: Any, y: Any, z: Any) -> Any:
    """Return z, or the one of x and y that is a number if the other is NaN."""
    return _f.where(isnan(x), y, _f.where(isnan(y), x, z))


# Functions that look at the data.


def _look(name: str) -> Callable[..., Any]:
    return _lift(_partial(_observe, _standard[name]), name)


isfinite = _look("isfinite")
isinf = _look("isinf")
isnan = _look("isnan")
isnormal = _look("isnormal")
issubnormal = _look("issubnormal")
signbit = _look("signbit")


@_lift
def isclose(a: _Operand, b: _Operand, *, rel_tol: float = 1e-9, abs_tol: float = 0.0) -> bool:
    return _observe(_partial(_math.isclose, rel_tol=rel_tol, abs_tol=abs_tol), a, b)


# Functions that would drop the gradient.


def _refuse(name: str) -> Callable[..., Any]:
    def on_values(*args: Any, **kwargs: Any) -> Any:
        _check_traced(name, *args, *kwargs.values())
        shown = ", ".join([*map(_short, args), *[f"{k}={_short(x)}" for k, x in kwargs.items()]])
        raise TypeError(f"{name}({shown}) would drop the gradient; pass v.data")

    return _lift(on_values, name)


def _check_traced(name: str, *xs: Any) -> None:
    """Raise a CompileError if all Values among xs stand for plain numbers of a trace."""
    values = [x for x in xs if isinstance(x, _Value)]
    if values and all(x._plain for x in values):
        _current().forbid(f"{name}()", "compute it outside and pass it as an argument")


frexp = _refuse("frexp")
modf = _refuse("modf")
nextafter = _refuse("nextafter")
ulp = _refuse("ulp")


# Functions of iterables, which may be generators: they are read once.


@_document
def fsum(seq: Iterable[_Operand], /) -> Any:
    xs = list(seq)
    return _f.sum(xs) if _any_value(xs) else _math.fsum(xs)


@_document
def prod(iterable: Iterable[_Operand], /, *, start: _Operand = 1) -> Any:
    xs = list(iterable)
    if _any_value((start, *xs)):
        return _f.prod([start, *xs])
    return _math.prod(xs, start=start)


@_document
def dist(p: Iterable[_Operand], q: Iterable[_Operand], /) -> Any:
    xs, ys = list(p), list(q)
    if not _any_value(xs + ys):
        return _math.dist(xs, ys)
    if len(xs) != len(ys):
        raise _ShapeError(f"dist: needs two points of one dimension, got {len(xs)} and {len(ys)}")
    return _f.hypot(*[x - y for x, y in zip(xs, ys, strict=True)])


if hasattr(_math, "sumprod"):  # since Python 3.12

    @_document
    def sumprod(p: Iterable[_Operand], q: Iterable[_Operand], /) -> Any:
        xs, ys = list(p), list(q)
        if not _any_value(xs + ys):
            return _newest_math.sumprod(xs, ys)
        if len(xs) != len(ys):
            raise _ShapeError(f"sumprod: needs one length, got {len(xs)} and {len(ys)}")
        return _sumprod(*xs, *ys)

    def _sumprod_of(*factors: float) -> float:
        n = len(factors) // 2
        return _newest_math.sumprod(factors[:n], factors[n:])  # type: ignore[no-any-return]

    def _sumprod_partials(y: Any, *factors: Any) -> tuple[Any, ...]:
        n = len(factors) // 2
        return (*factors[n:], *factors[:n])

    _sumprod = _primitive.Primitive(
        "sumprod", _sumprod_of, _sumprod_partials, _table.REAL, listed=False
    )


if hasattr(_math, "fma"):  # since Python 3.13

    @_lift
    def fma(x: _Operand, y: _Operand, z: _Operand) -> Any:
        return _fma(x, y, z)

    _fma = _primitive.Primitive(
        "fma",
        _newest_math.fma,
        lambda w, x, y, z: (y, x, 1.0),
        *[_table.REAL] * 3,
        listed=False,
    )
