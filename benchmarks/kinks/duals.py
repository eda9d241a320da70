"""Libraries of numbers that carry derivatives: ad, algopy, hyperjet, num_dual, uncertainties.

They have few functions of lists. What is written out with arithmetic, or is one of Python's builtin
functions, is called so in the answers.
"""

import itertools
import math
from importlib import import_module
from typing import Any

from kinks.library import Function, Library, NoDerivativeError, of_module
from kinks.page import ABSENT, PLAIN

Numbers = tuple[float, ...]


def by_python(sqrt: Function) -> dict[str, Any]:
    """Return what Python itself does with such numbers, and what its users write."""

    def var(xs: list[Any]) -> Any:
        mean = sum(xs) / len(xs)
        return sum((x - mean) ** 2 for x in xs) / len(xs)

    return {
        "abs": abs,
        "sum": sum,
        "maximum (max)": lambda x, y: max(x, y + 0 * x),
        "max (max)": max,
        "sort (sorted)": sorted,
        "median (sorted)": lambda xs: sorted(xs)[len(xs) // 2],
        "prod (math.prod)": math.prod,
        "cumprod (accumulate)": lambda xs: itertools.accumulate(xs, lambda x, y: x * y),
        "var (written out)": var,
        "std (written out)": lambda xs: sqrt(var(xs)),
        "norm (written out)": lambda xs: sqrt(sum(x * x for x in xs)),
        "where(x > 0, sqrt(x), 0) [if]": lambda x: sqrt(x) if x > 0.0 else 0.0 * x,
    }


def softplus(exp: Function, log: Function) -> dict[str, Any]:
    return {"softplus (log of 1 + exp)": lambda x: log(1.0 + exp(x))}


def ad() -> Library:
    library, admath = import_module("ad"), import_module("ad.admath")

    def differentiate(f: Function, xs: Numbers, order: int) -> list[Any]:
        if order > 2:
            raise NoDerivativeError(ABSENT)
        leaves = [library.adnumber(x) for x in xs]
        y = f(*leaves)
        if not isinstance(y, library.ADF):
            raise NoDerivativeError(PLAIN)
        return [y.d2(leaf) if order == 2 else y.d(leaf) for leaf in leaves]

    names = by_python(admath.sqrt) | softplus(admath.exp, admath.log)
    names |= of_module(admath, "sqrt hypot atan2 floor trunc log1p acos asin tanh")
    return Library({"": differentiate}, names | {"round": round})


def algopy() -> Library:
    library, np = import_module("algopy"), import_module("numpy")
    utpm = library.UTPM

    def differentiate(f: Function, xs: Numbers, order: int) -> list[Any]:
        if order == 1:
            leaves = utpm.init_jacobian(np.array(xs))
            y = f(*(leaves[i] for i in range(len(xs))))
            if not isinstance(y, utpm):
                raise NoDerivativeError(PLAIN)
            return list(np.ravel(utpm.extract_jacobian(y)))
        series = np.zeros((order + 1, 1))
        series[0], series[1] = xs[0], 1.0
        return [f(utpm(series)).data[order, 0] * math.factorial(order)]

    names = by_python(library.sqrt) | softplus(library.exp, library.log)
    names |= of_module(library, "sqrt sign log1p tanh", acos="arccos", asin="arcsin")
    names["abs (absolute)"] = library.absolute
    return Library({"": differentiate}, names)


def hyperjet() -> Library:
    library = import_module("hyperjet")

    def differentiate(f: Function, xs: Numbers, order: int) -> list[Any]:
        if order > 2:
            raise NoDerivativeError(ABSENT)
        y = f(*library.DDScalar.variables(list(xs)))
        if not isinstance(y, library.DDScalar):
            raise NoDerivativeError(PLAIN)
        return [y.hm()[0, 0]] if order == 2 else list(y.g)

    def method(name: str) -> Function:
        return lambda x, *others: getattr(x, name)(*others)

    names = by_python(method("sqrt")) | softplus(method("exp"), method("log"))
    own = {"sqrt": "sqrt", "acos": "arccos", "asin": "arcsin", "tanh": "tanh", "atan2": "arctan2"}
    names |= {name: method(own_name) for name, own_name in own.items()}
    names["hypot"] = method("hypot")
    names["log1p (log of 1 + x)"] = lambda x: (1.0 + x).log()
    return Library({"": differentiate}, names)


def num_dual() -> Library:
    library = import_module("num_dual")

    def differentiate(f: Function, xs: Numbers, order: int) -> list[Any]:
        if order == 1:
            return list(library.gradient(lambda v: f(*v), list(xs))[1])
        derive = library.second_derivative if order == 2 else library.third_derivative
        return [derive(f, xs[0])[order]]

    def method(name: str) -> Function:
        return lambda x: getattr(x, name)()

    names = by_python(method("sqrt")) | softplus(method("exp"), method("log"))
    own = {"sqrt": "sqrt", "acos": "arccos", "asin": "arcsin", "tanh": "tanh", "log1p": "log1p"}
    names |= {name: method(own_name) for name, own_name in own.items()}
    names["sinc (sph_j0)"] = method("sph_j0")
    del names["abs"]
    return Library({"": differentiate}, names)


def uncertainties() -> Library:
    library, umath = import_module("uncertainties"), import_module("uncertainties.umath")

    def differentiate(f: Function, xs: Numbers, order: int) -> list[Any]:
        if order > 1:
            raise NoDerivativeError(ABSENT)
        leaves = [library.ufloat(x, 1.0) for x in xs]
        y = f(*leaves)
        if not hasattr(y, "derivatives"):
            raise NoDerivativeError(PLAIN)
        return [y.derivatives.get(leaf, 0.0) for leaf in leaves]

    names = by_python(umath.sqrt)
    names |= of_module(umath, "sqrt hypot atan2 floor trunc fmod log1p acos asin tanh")
    return Library({"": differentiate}, names | {"round": round})
