"""Primitives of one's own: in eager use, at higher orders, pickled, and misused."""

import copy
import math
import pickle
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value
from microgradlib.core.table import PRIMITIVES
from microgradlib.trees import flatten


@mg.primitive(lambda w, x: (w / (x * (1.0 + w)),), check=[0.5, 3.0])
def lambertw(x: float) -> float:
    """Return w such that w * exp(w) = x, for x > 0."""
    if x <= 0.0:
        raise ValueError("lambertw needs x > 0")
    w = math.log1p(x)
    for _ in range(30):
        w -= (w - x * math.exp(-w)) / (1.0 + w)
    return w


def kepler(e: Any, m: Any, anomaly: Any) -> Any:
    """The equation that defines Kepler's eccentric anomaly."""
    return anomaly - e * mg.sin(anomaly) - m


def implicit(anomaly: Any, e: Any, m: Any) -> tuple[Any, ...]:
    by_e, by_m, by_anomaly = mg.grad(kepler, (0, 1, 2))(e, m, anomaly)
    return -by_e / by_anomaly, -by_m / by_anomaly


@mg.primitive(implicit, check=[(0.3, 1.0), (0.8, 2.0)])
def anomaly(e: float, m: float) -> float:
    x = m
    for _ in range(50):
        x -= kepler(e, m, x) / (1.0 - e * math.cos(x))
    return x


def test_floats_and_values() -> None:
    w = lambertw(1.0)
    assert type(w) is float
    assert w * math.exp(w) == pytest.approx(1.0)
    y = lambertw(Value(1.0))  # type: ignore[arg-type]
    assert isinstance(y, Value)
    assert y.data == w
    assert str(y._op) == "lambertw"
    assert lambertw.__name__ == "lambertw"
    assert (lambertw.__doc__ or "").startswith("Return w")


def test_derivatives_to_third_order() -> None:
    x, w = 2.0, lambertw(2.0)
    e = math.exp(-w)
    first = e / (1.0 + w)
    second = -(e**2) * (2.0 + w) / (1.0 + w) ** 3
    third = e**3 * (9.0 + 8.0 * w + 2.0 * w**2) / (1.0 + w) ** 5
    f: Callable[[float], float] = lambertw
    for expected in (first, second, third):
        f = mg.grad(f)
        assert f(x) == pytest.approx(expected, rel=1e-12)


def test_an_implicit_function() -> None:
    assert kepler(0.3, 1.0, anomaly(0.3, 1.0)) == pytest.approx(0.0, abs=1e-15)
    assert mg.gradcheck(anomaly, (0.3, 1.0), order=2)
    hessian = mg.hessian(anomaly, (0, 1))(0.3, 1.0)
    assert hessian[0][1] == pytest.approx(hessian[1][0], rel=1e-12)


def test_an_object_has_the_name_of_its_class() -> None:
    positive = mg.primitive(lambda y, x: (float(x > 0.0),), check=[1.0])(partial(max, 0.0))
    y = positive(Value(2.0))
    assert (y.data, str(y._op)) == (2.0, "partial")


def test_it_does_not_enter_the_table() -> None:
    assert "lambertw" not in PRIMITIVES


def test_pickle_and_copy() -> None:
    row = lambertw(Value(1.0))._op  # type: ignore[arg-type, attr-defined]
    assert pickle.loads(pickle.dumps(row)) is row
    assert copy.deepcopy(row) is row


def test_a_rule_for_floats_serves_first_derivatives_only() -> None:
    @mg.primitive(lambda y, x: (math.cos(x),), check=[0.5], order=1)
    def sin(x: float) -> float:
        return math.sin(x)

    assert mg.grad(sin)(0.5) == math.cos(0.5)
    with pytest.raises(mg.GradientError, match="the rule for the partials of sin does not take"):
        mg.grad(mg.grad(sin))(0.5)


def test_a_function_that_closes_over_a_value() -> None:
    w = Value(3.0)

    @mg.primitive(lambda y, x: (6.0,))
    def slope(x: float) -> float:
        return mg.grad(lambda z: w * z * z)(x).data  # type: ignore[no-any-return]

    assert slope(2.0) == 12.0
    with pytest.raises(TypeError, match="the result: expected a number, got Value"):
        mg.primitive(lambda y, x: (2.0,))(lambda x: 2.0 * w * x)(1.0)
    assert mg.value_and_grad(slope)(2.0) == (12.0, 6.0)
    assert mg.jvp(slope, (2.0,), (1.0,)) == (12.0, 6.0)


def test_a_rule_that_returns_no_number_for_values() -> None:
    @mg.primitive(lambda y, x: (2.0 * x if isinstance(x, float) else "2",))
    def square(x: float) -> float:
        return x * x

    assert mg.grad(square)(3.0) == 6.0
    with pytest.raises(mg.GradientError, match="square: a partial: expected a number, got '2'"):
        mg.grad(mg.grad(square))(3.0)


def test_its_own_errors_are_kept() -> None:
    class DivergenceError(ValueError):
        def __init__(self, steps: int, at: float) -> None:
            super().__init__(f"diverges after {steps} steps at {at}")
            self.steps = steps

    @mg.primitive(lambda y, x: (1.0,))
    def f(x: float) -> float:
        raise DivergenceError(3, x)

    for call in (f, mg.compile(f)):
        for x in (-1.0, Value(-1.0)):
            with pytest.raises(DivergenceError) as caught:
                call(x)
            assert str(caught.value) == "diverges after 3 steps at -1.0"
            assert caught.value.steps == 3
            assert caught.value.__notes__[0] == "in f(-1.0)"
            assert "raise DivergenceError" in "".join(traceback.format_exception(caught.value))


def test_a_function_that_uses_the_library_itself() -> None:
    def equation(x: Any, m: Any) -> Any:
        return x - 0.5 * mg.sin(x) - m

    @mg.primitive(lambda x, m: (1.0 / (1.0 - 0.5 * mg.cos(x)),))
    def kepler(m: float) -> float:
        x = Value(m)
        for _ in range(20):  # Newton's method
            residual = equation(x, m)
            residual.backward()
            assert x.grad == mg.grad(equation)(x.data, m)
            x = Value(x.data - residual.data / x.grad)
        return x.data

    expected = 1.0 / (1.0 - 0.5 * math.cos(kepler(1.0)))
    assert mg.grad(kepler)(1.0) == expected
    assert mg.compile(kepler)(1.0) == kepler(1.0)
    assert mg.compile(mg.value_and_grad(kepler))(1.0) == (kepler(1.0), expected)
    with mg.no_grad():
        assert kepler(Value(1.0)).data == kepler(1.0)  # type: ignore[arg-type, attr-defined]
    assert mg.gradcheck(kepler, 1.0, order=2)


def test_a_wrong_rule_is_refused_on_registration() -> None:
    with pytest.raises(mg.GradcheckError, match="wrong"):

        @mg.primitive(lambda y, x: (2.0 * x,), check=[1.0])
        def cube(x: float) -> float:
            return x * x * x


def test_a_wrong_second_order_is_refused_on_registration() -> None:
    def rule(y: Any, x: Any) -> tuple[Any]:
        return (3.0 * (x.data**2 if isinstance(x, Value) else x**2),)

    mg.primitive(rule, check=[1.0], order=1)(lambda x: x**3)
    with pytest.raises(mg.GradcheckError, match="wrong"):
        mg.primitive(rule, check=[1.0])(lambda x: x**3)


@pytest.mark.parametrize(
    ("rule", "forward", "message"),
    [
        (
            lambda y, x: 1.0,
            lambda x: x,
            "f: partials must return a tuple of 1, one for each input, got 1.0",
        ),
        (
            lambda y, x: (1.0, 2.0),
            lambda x: x,
            "f: partials must return a tuple of 1, one for each input, got (1.0, 2.0)",
        ),
        (
            lambda y, x: ("1",),
            lambda x: x,
            "f: a partial: expected a number, got '1'; convert it with float()",
        ),
        (
            lambda y, x: (1.0,),
            lambda x: "1",
            "f: the result: expected a number, got '1'; convert it with float()",
        ),
    ],
)
def test_misuse(rule: Any, forward: Any, message: str) -> None:
    forward.__name__ = "f"
    with pytest.raises(TypeError) as caught:
        mg.primitive(rule)(forward)(Value(1.0))
    assert str(caught.value) == message


def test_partials_must_be_a_function() -> None:
    with pytest.raises(TypeError) as caught:
        mg.primitive(3)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "primitive: partials must be a function (output, *inputs), got 3; write "
        "@primitive(lambda y, x: (...,))"
    )


def test_what_is_decorated_must_be_a_function() -> None:
    @mg.primitive  # type: ignore[arg-type]
    def square(x: float) -> float:
        return x * x

    with pytest.raises(TypeError) as caught:
        square(3.0)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "primitive: expected the function to decorate, got 3.0; write @primitive(partials) above "
        "its def"
    )


def test_a_rule_on_floats_may_do_anything() -> None:
    def slope(x: float) -> float:
        w = Value(x)
        (w**3).backward()
        return w.grad  # type: ignore[no-any-return]

    cube = mg.primitive(lambda y, x: (slope(x),))(lambda x: x**3)
    assert mg.grad(cube)(2.0) == 12.0
    assert mg.jvp(cube, (2.0,), (1.0,)) == (8.0, 12.0)


# Several outputs.


def polar_rule(polar: Any, x: Any, y: Any) -> Any:
    r, _ = polar
    return (x / r, y / r), (-y / r**2, x / r**2)


def polar_twin(calls: list[tuple[float, float]]) -> Any:
    @mg.primitive(polar_rule, outputs=2)
    def polar(x: float, y: float) -> tuple[float, float]:
        assert type(x) is type(y) is float
        calls.append((x, y))
        return math.hypot(x, y), math.atan2(y, x)

    return polar


def of_polar(polar: Any) -> Any:
    def f(x: Any, y: Any) -> Any:
        r, angle = polar(x, y)
        return r**2 * mg.sin(angle)

    return f


def test_several_outputs() -> None:
    calls: list[tuple[float, float]] = []
    polar = polar_twin(calls)
    assert polar(3.0, 4.0) == (5.0, math.atan2(4.0, 3.0))
    assert mg.gradcheck(polar, (3.0, 4.0), order=2)
    f = of_polar(polar)
    plain = of_polar(lambda x, y: (mg.hypot(x, y), mg.atan2(y, x)))
    for derivative in (mg.value_and_grad, mg.hessian):
        found = derivative(f, (0, 1))(3.0, -4.0)
        assert mg.compile(derivative(f, (0, 1)))(3.0, -4.0) == found
        expected = derivative(plain, (0, 1))(3.0, -4.0)
        flat, expected_flat = (list(flatten("", "", x)[0].values()) for x in (found, expected))
        assert flat == pytest.approx(expected_flat, rel=1e-14)


def test_several_outputs_are_computed_once() -> None:
    calls: list[tuple[float, float]] = []
    f = of_polar(polar_twin(calls))
    compiled = mg.compile(mg.value_and_grad(f, (0, 1)))
    compiled(3.0, 4.0)
    for call in (f, mg.grad(f, (0, 1)), compiled):
        calls.clear()
        call(1.0, 2.0)
        assert calls == [(1.0, 2.0)] or (call is compiled and not calls)
    for x in (0.0, -0.0):  # equal numbers that are not the same
        calls.clear()
        compiled(x, 2.0)
        assert str(calls) == str([(x, 2.0)])


def test_a_function_with_several_outputs_may_depend_on_what_changes_between_calls() -> None:
    scale = 1.0
    pair = mg.primitive(lambda y, x: ((scale,), (scale,)), outputs=2)(lambda x: (scale * x, scale))
    x = Value(3.0)
    assert [y.data for y in pair(x)] == [3.0, 1.0]
    scale = 2.0
    y, z = pair(x)
    (y + z).backward()
    assert (y.data, z.data, x.grad) == (6.0, 2.0, 4.0)


@pytest.mark.parametrize(
    ("f", "rule", "message"),
    [
        (lambda x: x, None, "f: the result: expected a tuple of 2, one for each output, got 1.0"),
        (
            lambda x: (x, x, x),
            None,
            "f: the result: expected a tuple of 2, one for each output, got (1.0, 1.0, 1.0)",
        ),
        (
            lambda x: (x, "1"),
            None,
            "f_1: the result: expected a number, got '1'; convert it with float()",
        ),
        (
            lambda x: (x, x),
            lambda y, x: (1.0, 1.0),
            "f_0: partials must return a tuple of 1, one for each input, got 1.0",
        ),
        (
            lambda x: (x, x),
            lambda y, x: ((1.0,),),
            "f: partials: expected a tuple of 2, one for each output, got ((1.0,),)",
        ),
    ],
)
def test_outputs_that_are_not_as_many(f: Any, rule: Any, message: str) -> None:
    f.__name__ = "f"
    two = mg.primitive(rule or (lambda y, x: ((1.0,), (1.0,))), outputs=2)(f)
    with pytest.raises(TypeError) as caught:
        mg.jacobian(lambda x: two(x))(1.0)
    assert str(caught.value) == message


@pytest.mark.parametrize("outputs", [True, 2.0, "2"])
def test_the_number_of_outputs_is_an_int(outputs: Any) -> None:
    with pytest.raises(TypeError, match=r"^primitive: outputs must be an int, got"):
        mg.primitive(lambda y, x: ((1.0,),), outputs=outputs)
    with pytest.raises(ValueError, match=r"^primitive: outputs must be at least 1, got 0"):
        mg.primitive(lambda y, x: ((1.0,),), outputs=0)
