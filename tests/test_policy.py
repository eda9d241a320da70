"""What happens at singular points, kinks, ties, infinities and NaN: exact values and gradients.

The rules are: domain errors and true overflow raise in the forward pass; a kink has the subgradient
of least norm over the differentiable inputs; the derivative at a vertical tangent is infinite; NaN
in, NaN out; no gradient flows to what was not selected.
"""

from collections.abc import Callable
from math import inf, isnan, nan, pi
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value
from microgradlib.core import table

Function = Callable[..., Any]


def power(x: Any, y: Any) -> Any:
    return x**y


def modulo(x: Any, y: Any) -> Any:
    return x % y


def divide(x: Any, y: Any) -> Any:
    return x / y


def entry_0(f: Function) -> Function:
    return lambda *xs: f(xs)[0]


softmax, log_softmax = entry_0(mg.softmax), entry_0(mg.log_softmax)


def listed(f: Function) -> Function:
    return lambda *xs: f(xs)


total, mean, prod, logsumexp = map(listed, (mg.sum, mg.mean, mg.prod, mg.logsumexp))


def relu_by_max(x: Any) -> Any:
    return mg.maximum(x, 0.0)


def relu_by_where(x: Any) -> Any:
    return mg.where(x > 0.0, x, 0.0)


def relu_by_clip(x: Any) -> Any:
    return mg.clip(x, 0.0, inf)


def relu_by_if(x: Any) -> Any:
    return x if x > 0 else x * 0.0


def leaky(negative_slope: float) -> Function:
    return lambda x: mg.leaky_relu(x, negative_slope)


def elu(alpha: float) -> Function:
    return lambda x: mg.elu(x, alpha)


def clip01(x: Any) -> Any:
    return mg.clip(x, 0.0, 1.0)


def gelu_tanh(x: Any) -> Any:
    return mg.gelu(x, "tanh")


# function, inputs, value, gradient with respect to each input
CASES: list[tuple[Function, tuple[float, ...], float, tuple[float, ...]]] = [
    # Kinks.
    (abs, (0.0,), 0.0, (0.0,)),
    (abs, (-0.0,), 0.0, (0.0,)),
    (abs, (-2.0,), 2.0, (-1.0,)),
    (mg.relu, (0.0,), 0.0, (0.0,)),
    (mg.relu, (-0.0,), 0.0, (0.0,)),
    (mg.relu, (-1.0,), 0.0, (0.0,)),
    (mg.relu, (5e-324,), 5e-324, (1.0,)),
    (relu_by_max, (0.0,), 0.0, (0.0,)),
    (relu_by_max, (-1.0,), 0.0, (0.0,)),
    (relu_by_max, (2.0,), 2.0, (1.0,)),
    (relu_by_where, (0.0,), 0.0, (0.0,)),
    (relu_by_where, (2.0,), 2.0, (1.0,)),
    (relu_by_clip, (0.0,), 0.0, (0.0,)),
    (relu_by_clip, (2.0,), 2.0, (1.0,)),
    (relu_by_if, (0.0,), 0.0, (0.0,)),
    (leaky(0.01), (0.0,), 0.0, (0.01,)),
    (leaky(-0.5), (0.0,), 0.0, (0.0,)),
    (leaky(2.0), (0.0,), 0.0, (1.0,)),
    (leaky(0.01), (-inf,), -inf, (0.01,)),
    (leaky(0.0), (-inf,), 0.0, (0.0,)),
    (elu(1.0), (0.0,), 0.0, (1.0,)),
    (elu(0.5), (0.0,), 0.0, (0.5,)),
    (elu(2.0), (0.0,), 0.0, (1.0,)),
    (elu(1.0), (-inf,), -1.0, (0.0,)),
    (clip01, (0.0,), 0.0, (0.0,)),
    (clip01, (1.0,), 1.0, (0.0,)),
    (clip01, (0.5,), 0.5, (1.0,)),
    (clip01, (-3.0,), 0.0, (0.0,)),
    (clip01, (inf,), 1.0, (0.0,)),
    # Ties.
    (mg.maximum, (1.0, 1.0), 1.0, (0.5, 0.5)),
    (mg.maximum, (0.0, -0.0), 0.0, (0.5, 0.5)),
    (mg.maximum, (inf, inf), inf, (0.5, 0.5)),
    (mg.maximum, (2.0, 1.0), 2.0, (1.0, 0.0)),
    (mg.maximum, (1.0, 2.0), 2.0, (0.0, 1.0)),
    (mg.minimum, (1.0, 1.0), 1.0, (0.5, 0.5)),
    (mg.minimum, (-inf, -inf), -inf, (0.5, 0.5)),
    (mg.minimum, (2.0, 1.0), 1.0, (0.0, 1.0)),
    (lambda x: mg.maximum(x, 1.0), (1.0,), 1.0, (0.0,)),
    (lambda x: mg.maximum(1.0, x), (1.0,), 1.0, (0.0,)),
    (lambda x: mg.minimum(x, 1.0), (1.0,), 1.0, (0.0,)),
    (lambda x: mg.minimum(1.0, x), (0.5,), 0.5, (1.0,)),
    (lambda x: mg.maximum(x, x.detach()), (1.0,), 1.0, (0.0,)),
    (lambda x: mg.maximum(x, x), (1.0,), 1.0, (1.0,)),
    (max, (1.0, 1.0), 1.0, (1.0, 0.0)),
    (max, (1.0, 2.0), 2.0, (0.0, 1.0)),
    # Origins.
    (mg.hypot, (0.0, 0.0), 0.0, (0.0, 0.0)),
    (mg.hypot, (5e-324, 0.0), 5e-324, (1.0, 0.0)),
    (mg.hypot, (-3.0, 0.0), 3.0, (-1.0, 0.0)),
    (mg.hypot, (1e308, 0.0), 1e308, (1.0, 0.0)),
    (mg.atan2, (0.0, 0.0), 0.0, (0.0, 0.0)),
    (mg.atan2, (0.0, -1.0), pi, (-1.0, -0.0)),
    (mg.atan2, (0.0, 5e-324), 0.0, (inf, -0.0)),
    # Vertical tangents.
    (mg.sqrt, (0.0,), 0.0, (inf,)),
    (mg.cbrt, (0.0,), 0.0, (inf,)),
    (mg.asin, (1.0,), pi / 2, (inf,)),
    (mg.asin, (-1.0,), -pi / 2, (inf,)),
    (mg.acos, (1.0,), 0.0, (-inf,)),
    (mg.acos, (-1.0,), pi, (-inf,)),
    (mg.acosh, (1.0,), 0.0, (inf,)),
    (lambda x: x**0.5, (0.0,), 0.0, (inf,)),
    (lambda x: mg.sqrt(x) ** 2, (0.0,), 0.0, (nan,)),  # 0 * inf
    # Powers.
    (power, (0.0, 0.0), 1.0, (0.0, 0.0)),
    (power, (0.0, 1.0), 0.0, (1.0, 0.0)),
    (power, (0.0, 2.0), 0.0, (0.0, 0.0)),
    (power, (0.0, 0.5), 0.0, (inf, 0.0)),
    (power, (1.0, 1e300), 1.0, (1e300, 0.0)),
    (power, (2.0, 0.0), 1.0, (0.0, 0.6931471805599453)),
    (power, (-2.0, 3.0), -8.0, (12.0, nan)),
    (lambda x: x**-inf, (0.0,), inf, (-inf,)),
    (lambda x: x**-inf, (-0.0,), inf, (-inf,)),
    (lambda x: x**inf, (2.0,), inf, (inf,)),
    (lambda x: x**inf, (0.5,), 0.0, (0.0,)),
    (lambda x: x**nan, (0.0,), nan, (nan,)),
    (lambda x: x**3, (-2.0,), -8.0, (12.0,)),
    (lambda x: x**2, (0.0,), 0.0, (0.0,)),
    (lambda x: x**1, (0.0,), 0.0, (1.0,)),
    (lambda x: x**0, (0.0,), 1.0, (0.0,)),
    (lambda x: x**-1, (-2.0,), -0.5, (-0.25,)),
    (lambda x: 2**x, (0.0,), 1.0, (0.6931471805599453,)),
    (lambda x: 0.0**x, (2.0,), 0.0, (0.0,)),
    (lambda x: (-2) ** x, (3.0,), -8.0, (nan,)),
    # Remainders.
    (modulo, (-7.0, 3.0), 2.0, (1.0, 3.0)),
    (modulo, (7.0, -3.0), -2.0, (1.0, 3.0)),
    (modulo, (6.0, 3.0), 0.0, (1.0, -2.0)),
    (modulo, (5.0, inf), 5.0, (1.0, 0.0)),
    # Large inputs that must not overflow.
    (mg.tanh, (1e308,), 1.0, (0.0,)),
    (mg.tanh, (-inf,), -1.0, (0.0,)),
    (mg.sigmoid, (1e308,), 1.0, (0.0,)),
    (mg.sigmoid, (-1e308,), 0.0, (0.0,)),
    (mg.sigmoid, (-inf,), 0.0, (0.0,)),
    (mg.log_sigmoid, (-1e308,), -1e308, (1.0,)),
    (mg.log_sigmoid, (inf,), 0.0, (0.0,)),
    (mg.softplus, (1e308,), 1e308, (1.0,)),
    (mg.softplus, (-inf,), 0.0, (0.0,)),
    (mg.silu, (-1e308,), 0.0, (0.0,)),
    (mg.silu, (inf,), inf, (1.0,)),
    (mg.gelu, (-inf,), 0.0, (0.0,)),
    (mg.gelu, (1e308,), 1e308, (1.0,)),
    (gelu_tanh, (-1e308,), 0.0, (0.0,)),
    (mg.erf, (inf,), 1.0, (0.0,)),
    (mg.erfc, (-inf,), 2.0, (0.0,)),
    (mg.atan, (inf,), pi / 2, (0.0,)),
    (mg.atan, (-1e200,), -pi / 2, (0.0,)),
    (mg.asinh, (inf,), inf, (0.0,)),
    (mg.exp, (-inf,), 0.0, (0.0,)),
    (mg.exp, (inf,), inf, (inf,)),
    (mg.log, (inf,), inf, (0.0,)),
    (mg.sqrt, (inf,), inf, (0.0,)),
    (softmax, (1e308, -1e308), 1.0, (0.0, 0.0)),
    (softmax, (-inf, 0.0), 0.0, (0.0, 0.0)),
    (softmax, (5.0,), 1.0, (0.0,)),
    (softmax, (3.0, 3.0), 0.5, (0.25, -0.25)),
    (log_softmax, (0.0, 1e308), -1e308, (1.0, -1.0)),
    (logsumexp, (1e308, 1e308), 1e308, (0.5, 0.5)),
    (logsumexp, (-inf, 7.0), 7.0, (0.0, 1.0)),
    (logsumexp, (-1e308,), -1e308, (1.0,)),
    (logsumexp, (-inf,), -inf, (1.0,)),
    (logsumexp, (-inf, -inf), -inf, (0.5, 0.5)),
    (logsumexp, (inf, 0.0, inf), inf, (0.5, 0.0, 0.5)),
    (lambda x: mg.logsumexp([-inf, x]), (-inf,), -inf, (0.5,)),
    (lambda x: mg.logsumexp([mg.logsumexp([-inf, x]), 1.0]), (-inf,), 1.0, (0.0,)),
    (logsumexp, (-1e-300, -1000.0), -1e-300, (1.0, 0.0)),
    # IEEE arithmetic.
    (lambda x, y: x + y, (1e308, 1e308), inf, (1.0, 1.0)),
    (lambda x, y: x * y, (1e308, 10.0), inf, (10.0, 1e308)),
    (lambda x, y: x - y, (inf, inf), nan, (1.0, -1.0)),
    (divide, (1.0, inf), 0.0, (0.0, 0.0)),
    (divide, (0.0, 5.0), 0.0, (0.2, 0.0)),
    (total, (inf, -inf), nan, (1.0, 1.0)),
    (total, (1e308, 1e308, -1e308), 1e308, (1.0, 1.0, 1.0)),
    (mean, (1.5e308, 1.5e308), 1.5e308, (0.5, 0.5)),
    (total, (1e16, 1.0, -1e16), 1.0, (1.0, 1.0, 1.0)),
    (mean, (1.0, 2.0), 1.5, (0.5, 0.5)),
    # Products with zeros.
    (prod, (0.0, 3.0, 4.0), 0.0, (12.0, 0.0, 0.0)),
    (prod, (0.0, 0.0, 4.0), 0.0, (0.0, 0.0, 0.0)),
    # Selections.
    (lambda x: mg.where(False, x, 3.0) + x * 0.0, (2.0,), 3.0, (0.0,)),
    (lambda x: mg.where(x > 0.0, mg.sqrt(x), x), (0.0,), 0.0, (1.0,)),
    (lambda x: mg.maximum(mg.sqrt(x) - 1.0, x), (0.0,), 0.0, (1.0,)),
    (lambda x: mg.relu(mg.sqrt(x) - 1.0) + x, (0.0,), 0.0, (1.0,)),
    (lambda x: mg.select([mg.sqrt(x), x], 1), (0.0,), 0.0, (1.0,)),
    (lambda x: table.gate(x, 0.0), (inf,), 0.0, (0.0,)),
    # NaN.
    (mg.relu, (nan,), nan, (nan,)),
    (abs, (nan,), nan, (nan,)),
    (mg.maximum, (nan, 1.0), nan, (nan, nan)),
    (mg.maximum, (1.0, nan), nan, (nan, nan)),
    (mg.minimum, (1.0, nan), nan, (nan, nan)),
    (lambda x: mg.maximum(x, nan), (1.0,), nan, (nan,)),
    (clip01, (nan,), nan, (nan,)),
    (leaky(0.1), (nan,), nan, (nan,)),
    (mg.sigmoid, (nan,), nan, (nan,)),
    (mg.softplus, (nan,), nan, (nan,)),
    (mg.silu, (nan,), nan, (nan,)),
    (mg.gelu, (nan,), nan, (nan,)),
    (gelu_tanh, (nan,), nan, (nan,)),
    (softmax, (nan, 1.0), nan, (nan, nan)),
    (softmax, (inf, inf, nan), nan, (nan, nan, nan)),
    (logsumexp, (nan, 1.0), nan, (nan, nan)),
    (mg.hypot, (nan, 1.0), nan, (nan, nan)),
]


@pytest.mark.parametrize(("f", "inputs", "value", "gradient"), CASES)
def test_value_and_gradient(
    f: Function, inputs: tuple[float, ...], value: float, gradient: tuple[float, ...]
) -> None:
    xs = [Value(x) for x in inputs]
    y = f(*xs)
    with mg.allow_nonfinite():
        y.backward()
    assert same(y.data, value)
    got = [x.grad for x in xs]
    assert all(map(same, got, gradient)), f"gradient {got}, expected {gradient}"


def same(a: float, b: float) -> bool:
    return a == b or (isnan(a) and isnan(b))


RAISES: list[tuple[Function, tuple[float, ...], type[Exception]]] = [
    (divide, (1.0, 0.0), ZeroDivisionError),
    (divide, (0.0, -0.0), ZeroDivisionError),
    (modulo, (1.0, 0.0), ZeroDivisionError),
    (power, (0.0, -1.0), ZeroDivisionError),
    (power, (-8.0, 1 / 3), ValueError),
    (lambda x: x ** (1 / 3), (-8.0,), ValueError),
    (power, (10.0, 400.0), OverflowError),
    (softmax, (-inf, -inf), ValueError),
    (softmax, (inf, inf), ValueError),
    (log_softmax, (-inf, -inf), ValueError),
    (mg.log, (0.0,), ValueError),
    (mg.log, (-1.0,), ValueError),
    (mg.log2, (0.0,), ValueError),
    (mg.log10, (-5e-324,), ValueError),
    (mg.log1p, (-1.0,), ValueError),
    (mg.sqrt, (-5e-324,), ValueError),
    (mg.asin, (1.0000000000000002,), ValueError),
    (mg.acos, (-1.5,), ValueError),
    (mg.acosh, (0.9999999999999999,), ValueError),
    (mg.atanh, (1.0,), ValueError),
    (mg.atanh, (-1.0,), ValueError),
    (mg.sin, (inf,), ValueError),
    (mg.cos, (-inf,), ValueError),
    (mg.tan, (inf,), ValueError),
    (mg.gamma, (0.0,), ValueError),
    (mg.gamma, (-3.0,), ValueError),
    (mg.lgamma, (-2.0,), ValueError),
    (mg.exp, (709.79,), OverflowError),
    (mg.exp2, (1024.0,), OverflowError),
    (mg.expm1, (709.79,), OverflowError),
    (mg.sinh, (711.0,), OverflowError),
    (mg.cosh, (-711.0,), OverflowError),
    (mg.gamma, (172.0,), OverflowError),
    (mg.lgamma, (1e306,), OverflowError),
]


@pytest.mark.parametrize(("f", "inputs", "error"), RAISES)
def test_raises_in_forward(f: Function, inputs: tuple[float, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        f(*[Value(x) for x in inputs])


@pytest.mark.parametrize(
    ("f", "inputs", "zero"),
    [
        (table.maximum, (0.0, -0.0), "0.0"),
        (table.maximum, (-0.0, 0.0), "-0.0"),
        (table.minimum, (0.0, -0.0), "0.0"),
        (table.minimum, (-0.0, 0.0), "-0.0"),
        (mg.clip, (-0.0, 0.0, 1.0), "-0.0"),
        (mg.clip, (-0.0, -1.0, 0.0), "-0.0"),
        (mg.relu, (-0.0,), "0.0"),
        (leaky(0.1), (-0.0,), "-0.0"),
        (leaky(-0.1), (0.0,), "-0.0"),
        (elu(-0.1), (0.0,), "-0.0"),
    ],
)
def test_the_sign_of_zero(f: Function, inputs: tuple[float, ...], zero: str) -> None:
    """At a tie the first input is taken, as max and min do."""
    assert repr(f(*inputs)) == zero


def test_the_table_is_large() -> None:
    assert len(CASES) + len(RAISES) >= 100


def test_logsumexp_of_nothing_but_minus_infinities_can_be_differentiated_twice() -> None:
    """As in recursions in log space, where some states cannot be reached."""

    def total(x: Any) -> Any:
        reached = mg.logsumexp([x * x, 0.0])
        return mg.logsumexp([mg.logsumexp([mg.where(x < 0.0, x, -inf), -inf]), reached])

    for derive in (mg.grad(total), mg.grad(mg.grad(total))):
        assert mg.compile(derive)(0.5) == pytest.approx(derive(0.5), rel=1e-15)
    with mg.allow_nonfinite():
        assert mg.hessian(mg.logsumexp)([-inf, -inf]) == [[0.25, -0.25], [-0.25, 0.25]]
