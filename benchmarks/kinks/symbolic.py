"""Libraries of expressions: CasADi, SymPy, SymEngine."""

import itertools
import math
from importlib import import_module
from typing import Any

from kinks.library import Function, Library, of_module

Numbers = tuple[float, ...]


def settled(slope: Any) -> Any:
    """Return a derivative, or a word for what is none: a longer expression with derivatives."""
    text = str(slope)
    if "nan" in text:
        return math.nan
    return "unevaluated" if "Derivative" in text and len(text) > 20 else slope


def of_lists(sqrt: Function) -> dict[str, Any]:
    """Return functions of lists, written with arithmetic."""

    def var(xs: list[Any]) -> Any:
        mean = sum(xs) / len(xs)
        return sum((x - mean) ** 2 for x in xs) / len(xs)

    return {
        "sum": sum,
        "prod (math.prod)": math.prod,
        "cumprod (accumulate)": lambda xs: itertools.accumulate(xs, lambda x, y: x * y),
        "var (written out)": var,
        "std (written out)": lambda xs: sqrt(var(xs)),
        "norm (written out)": lambda xs: sqrt(sum(x * x for x in xs)),
    }


def casadi() -> Library:
    ca = import_module("casadi")

    def with_symbols(kind: Any) -> Function:
        def differentiate(f: Function, xs: Numbers, order: int) -> list[float]:
            leaves = [kind.sym(f"x{i}") for i in range(len(xs))]
            y = f(*leaves)
            for _ in range(order):
                y = ca.jacobian(y, ca.vertcat(*leaves))
            compute = ca.Function("f", leaves, [y])
            return [float(x) for x in ca.DM(compute(*xs)).full().flat]

        return differentiate

    def stacked(f: Function) -> Function:
        return lambda xs: f(ca.vertcat(*xs))

    names = of_lists(ca.sqrt)
    names |= of_module(ca, "sqrt hypot atan2 sign floor fmod erfinv log1p acos asin tanh")
    names |= {"abs": ca.fabs, "where (if_else)": ca.if_else, "norm": stacked(ca.norm_2)}
    names |= {"maximum (fmax)": ca.fmax, "max (mmax)": stacked(ca.mmax)}
    names["logsumexp"] = stacked(ca.logsumexp)
    names["relu (fmax)"] = lambda x: ca.fmax(x, 0.0)
    names["softplus (log of 1 + exp)"] = lambda x: ca.log(1.0 + ca.exp(x))
    del names["norm (written out)"]
    return Library({"SX": with_symbols(ca.SX), "MX": with_symbols(ca.MX)}, names)


def sympy() -> Library:
    sp = import_module("sympy")

    def with_symbols(**assumed: bool) -> Function:
        def differentiate(f: Function, xs: Numbers, order: int) -> list[Any]:
            leaves = [sp.Symbol(f"x{i}", **assumed) for i in range(len(xs))]
            y = f(*leaves)
            at = dict(zip(leaves, map(exact, xs), strict=True))
            return [settled(sp.diff(y, leaf, order).subs(at)) for leaf in leaves]

        return differentiate

    def exact(x: float) -> Any:
        return sp.Integer(int(x)) if math.isfinite(x) and x == int(x) else sp.sympify(x)

    names = of_lists(sp.sqrt)
    names |= {"abs": sp.Abs, "sqrt": sp.sqrt, "atan2": sp.atan2, "acos": sp.acos, "asin": sp.asin}
    names |= {"maximum (Max)": sp.Max, "max (Max)": lambda xs: sp.Max(*xs), "tanh": sp.tanh}
    names |= {
        "sign": sp.sign,
        "floor": sp.floor,
        "erfinv": sp.erfinv,
        "sinc": sinc(sp),
        "frac": sp.frac,
    }
    names["relu (Max)"] = lambda x: sp.Max(x, 0)
    names["where (Piecewise)"] = lambda c, x, y: sp.Piecewise((x, c), (y, True))
    names["log1p (log of 1 + x)"] = lambda x: sp.log(1 + x)
    names["softplus (log of 1 + exp)"] = lambda x: sp.log(1 + sp.exp(x))
    names["logaddexp (written out)"] = lambda x, y: sp.log(sp.exp(x) + sp.exp(y))
    names["logsumexp (written out)"] = lambda xs: sp.log(sum(map(sp.exp, xs)))
    return Library({"real": with_symbols(real=True), "plain": with_symbols()}, names)


def sinc(sp: Any) -> Function:
    return lambda x: sp.sinc(sp.pi * x)


def symengine() -> Library:
    se = import_module("symengine")

    def differentiate(f: Function, xs: Numbers, order: int) -> list[Any]:
        leaves = [se.Symbol(f"x{i}") for i in range(len(xs))]
        y = f(*leaves)
        at = {leaf: exact(x) for leaf, x in zip(leaves, xs, strict=True)}
        slopes = []
        for leaf in leaves:
            slope = y
            for _ in range(order):
                slope = se.diff(slope, leaf)
            slopes.append(settled(slope.subs(at)))
        return slopes

    def exact(x: float) -> Any:
        if math.isinf(x):
            return se.oo if x > 0.0 else -se.oo
        return int(x) if x == int(x) else x

    names = of_lists(se.sqrt)
    names |= {"abs": se.Abs, "sqrt": se.sqrt, "atan2": se.atan2, "acos": se.acos, "asin": se.asin}
    names |= {"maximum (Max)": se.Max, "max (Max)": lambda xs: se.Max(*xs), "tanh": se.tanh}
    names |= {"sign": se.sign, "floor": se.floor}
    names["relu (Max)"] = lambda x: se.Max(x, 0)
    names["where (Piecewise)"] = lambda c, x, y: se.Piecewise((x, c), (y, True))
    names["log1p (log of 1 + x)"] = lambda x: se.log(1 + x)
    names["softplus (log of 1 + exp)"] = lambda x: se.log(1 + se.exp(x))
    names["logaddexp (written out)"] = lambda x, y: se.log(se.exp(x) + se.exp(y))
    return Library({"": differentiate}, names)
