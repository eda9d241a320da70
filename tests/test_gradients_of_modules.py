"""Gradients in the structure of a module: what they depend on, eagerly and compiled."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgradlib as mg
from microgradlib import Value, nn

WAYS = [lambda f: f, mg.compile]
NO_PARAMETERS = (
    r"^compile: (.|\n)* with numbers in it that are not parameters; return them beside it"
)


class Line(nn.Module):
    def __init__(self, w: float, b: float) -> None:
        self.w = Value(w)
        self.b = Value(b)


@pytest.mark.parametrize("way", WAYS)
def test_a_gradient_depends_on_a_cotangent(way: Callable[[Any], Any]) -> None:
    line, c = Line(3.0, 1.0), Value(5.0)
    gradient = way(lambda c: mg.vjp(lambda m: m.w**2 + m.b, line)[1](c)[0])(c)
    assert (gradient.w.data, gradient.b.data) == (30.0, 5.0)
    (gradient.w * gradient.b).backward()  # 6c * c
    assert c.grad == 60.0


@pytest.mark.parametrize("way", WAYS)
def test_a_gradient_depends_on_what_the_function_closes_over(way: Callable[[Any], Any]) -> None:
    line, v = Line(3.0, 1.0), Value(5.0)
    gradient = way(mg.grad(lambda m: m.w * v**2 + m.b))(line)
    gradient.w.backward()
    assert (gradient.w.data, v.grad) == (25.0, 10.0)


def test_arrays_in_a_jacobian_depend_on_it_too() -> None:
    line, v = Line(3.0, 1.0), Value(5.0)
    derivative = mg.jacobian(lambda m: np.array([m.w * v**2, m.b]))
    rows = derivative(line)
    rows.w[0].backward()
    assert (rows.w[0].data, rows.w[1], v.grad) == (25.0, 0.0, 10.0)
    with pytest.raises(mg.CompileError, match=NO_PARAMETERS):
        mg.compile(derivative)(line)


@pytest.mark.parametrize("way", WAYS)
def test_a_gradient_as_tangent(way: Callable[[Any], Any]) -> None:
    line, v = Line(3.0, 1.0), Value(5.0)
    gradient = mg.grad(lambda m: m.w * v**2 + m.b)(line)
    slope = way(lambda: mg.jvp(lambda m: m.w**2 * m.b, (line,), (gradient,))[1])()
    slope.backward()  # 2 w b * v**2 + w**2 * 1
    assert (slope.data, v.grad) == (159.0, 60.0)


def test_the_numbers_in_a_traced_gradient_are_values() -> None:
    line = Line(3.0, 1.0)
    f = mg.compile(lambda: mg.grad(lambda m: m.w**2 * m.b)(line).w.data)
    with pytest.raises(mg.CompileError, match=r"\.data of a traced Value would be frozen"):
        f()


def test_a_compiled_function_returns_the_module_that_it_was_given() -> None:
    line = Line(3.0, 1.0)
    f = mg.compile(lambda m: (m, m.w * 2.0))
    for _ in range(2):
        assert f(line)[0] is line


def test_numbers_that_are_not_parameters_are_refused() -> None:
    line = Line(3.0, 1.0)
    second = mg.hessian(lambda m, x: m.w**2 * x * m.b, (0, 1))
    assert second(line, 2.0)[0].w[1] == 6.0
    with pytest.raises(mg.CompileError, match=NO_PARAMETERS):
        mg.compile(second)(line, 2.0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "f",
    [
        lambda x, w: mg.relu(x * w),
        lambda x, w: mg.maximum(x * w, 5.0),
        lambda x, w: mg.where(x > 0.0, x * w, 0.0),
        lambda x, w: mg.relu(mg.relu(x) * w),
    ],
)
def test_a_derivative_is_a_value_where_a_unit_is_off(f: Any, way: Any) -> None:
    w = Value(2.0)
    off = way(mg.grad(lambda x: f(x, w)))(-1.0)
    assert isinstance(off, Value)
    assert off.data == 0.0
    assert type(mg.grad(lambda x: f(x, 2.0))(-1.0)) is float


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("derivative", [mg.jvp, mg.vjp])
def test_constants_among_derivatives_are_values_too(derivative: Any, way: Any) -> None:
    v = Value(3.0)

    def f(x: Any, y: Any) -> Any:
        return [x * v, y * 2.0]

    if derivative is mg.jvp:
        found = way(lambda x, y, t: mg.jvp(f, (x, y), (1.0, t))[1])(1.0, 2.0, 7.0)
    else:
        found = way(lambda x, y, t: mg.vjp(f, x, y)[1]([1.0, t]))(1.0, 2.0, 7.0)
    assert [type(x) for x in found] == [Value, Value]
    assert [x.data for x in found] == [3.0, 14.0]


def test_a_result_of_ints_alone_and_the_text_of_a_number_of_numpy() -> None:
    f = mg.compile(mg.value_and_grad(lambda x, n: n * n + 1))
    assert f(2.0, np.int64(3)) == f(2.0, 3) == (10.0, 0.0)
    text = mg.compile(lambda x: x * len(f"{x}") + len(str(x)))
    for x in (np.float64(0.5), np.int64(2), 0.25, 3):
        assert text(x) == x * len(f"{x}") + len(str(x))
