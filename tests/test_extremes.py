"""The largest and smallest of any number of values: results, ties, second derivatives, traces."""

import itertools
import random
import struct
from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest
from compilers import compiler

import microgradlib as mg
from microgradlib import Value
from microgradlib.core import table

BACKENDS = ["python"] + ["c"] * bool(compiler())
SIGNS = [(mg.maximum, 1.0), (mg.minimum, -1.0)]
both = pytest.mark.parametrize(("f", "sign"), SIGNS, ids=["maximum", "minimum"])


@both
def test_of_many_numbers_and_of_a_list(f: Callable[..., Any], sign: float) -> None:
    draw = random.Random(1)
    for n in (1, 2, 3, 10):
        xs = [draw.uniform(-1.0, 1.0) for _ in range(n)]
        expected = sign * max(sign * x for x in xs)
        assert f(xs) == f(tuple(xs)) == f(iter(xs)) == f([xs[:1], xs[1:]]) == expected
        assert n == 1 or f(*xs) == expected
    assert f([1, 2, 3]) == f(1, 2, 3) == (3.0 if sign > 0.0 else 1.0)
    assert type(f(1, 2, 3)) is float


@both
def test_one_node(f: Callable[..., Any], sign: float) -> None:
    xs = [Value(sign * x) for x in (1.0, 4.0, 2.0)]
    for y in (f(*xs), f(xs)):
        assert (y.data, y._op, len(y._inputs)) == (sign * 4.0, f.__name__, 3)
        assert [*y._prev] == [xs[1]]
        for x in xs:
            x.grad = 0.0
        y.backward()
        assert [x.grad for x in xs] == [0.0, 1.0, 0.0]


@both
@pytest.mark.parametrize(
    ("xs", "slopes"),
    [
        ([3.0, 3.0, 1.0], [0.5, 0.5, 0.0]),
        ([3.0, 1.0, 3.0, 3.0], [1 / 3, 0.0, 1 / 3, 1 / 3]),
        ([1.0, 1.0, 3.0], [0.0, 0.0, 1.0]),
        ([0.0, -0.0], [0.5, 0.5]),
        ([inf, 1.0, inf], [0.5, 0.0, 0.5]),
        ([2.0], [1.0]),
        ([2.0] * 50, [1 / 50] * 50),
    ],
)
def test_ties_share_equally(
    f: Callable[..., Any], sign: float, xs: list[float], slopes: list[float]
) -> None:
    with mg.allow_nonfinite():
        for order in itertools.islice(itertools.permutations(range(len(xs))), 24):
            args = [sign * xs[i] for i in order]
            value, found = mg.value_and_grad(f)(args)
            assert (value, found) == (sign * max(xs), [slopes[i] for i in order])
            by_position = mg.grad(lambda *ys: f(*ys), argnums=range(len(xs)))
            assert len(xs) == 1 or by_position(*args) == tuple(found)
            again = mg.compile(mg.value_and_grad(f))
            assert (again(args), again(args)) == ((value, found),) * 2


def test_of_equal_ones_the_first() -> None:
    for f in (mg.maximum, mg.minimum):
        assert repr((f(0.0, -0.0, 0.0), f([-0.0, 0.0]))) == "(0.0, -0.0)"


@both
def test_nan(f: Callable[..., Any], sign: float) -> None:
    for xs in itertools.permutations([1.0, nan, 2.0]):
        assert f(*xs) != f(*xs)
        with mg.allow_nonfinite():
            assert all(d != d for d in mg.grad(f)([*xs]))
        with pytest.raises(mg.NonFiniteError):
            mg.grad(f)([*xs])


@both
@pytest.mark.parametrize("constants", [[1.0], [1.0, 1.0], [1.0, -5.0], [Value(1.0).detach()]])
def test_a_constant_that_ties_is_taken(
    f: Callable[..., Any], sign: float, constants: list[Any]
) -> None:
    numbers = [sign * c for c in constants]

    def extreme(*xs: Any) -> Any:
        return f([*xs, *numbers])

    assert mg.grad(extreme)(sign) == 0.0
    assert mg.grad(extreme, argnums=(0, 1))(sign, sign) == (0.0, 0.0)
    assert mg.grad(extreme, argnums=(0, 1))(sign * 2.0, sign * 2.0) == (0.5, 0.5)
    assert mg.grad(extreme, argnums=(0, 1))(sign * 0.5, sign * 2.0) == (0.0, 1.0)
    assert mg.grad(mg.grad(lambda x: extreme(x, x) ** 2))(sign) == 0.0


@both
def test_second_derivatives(f: Callable[..., Any], sign: float) -> None:
    square = mg.hessian(lambda xs: f(xs) ** 2)
    for g in (square, mg.compile(square)):
        for _ in range(2):
            xs = [sign * 1.0, sign * 3.0, sign * 1.0]  # those that tie do not count
            assert g(xs) == [[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]
    for xs in ([sign * 3.0, sign * 3.0, sign * 1.0], [sign * 2.0] * 3):
        for g in (square, mg.compile(square)):
            with pytest.raises(mg.NonFiniteError):
                g(xs)


def test_the_slope_of_a_slope_in_what_does_not_count() -> None:
    rule = table.greater.rule(0.5, 3.0, 3.0, 1.0)
    assert [d == 0.0 for d in rule] == [False, False, True]
    assert table.greater.rule(1.0, 3.0) == (0.0,)


@both
def test_lists_and_arrays_go_entry_by_entry(f: Callable[..., Any], sign: float) -> None:
    numpy = pytest.importorskip("numpy")
    a, b = sign * numpy.array([1.0, 5.0]), sign * numpy.array([4.0, 2.0])
    assert f(a, b, sign * 3.0).tolist() == [sign * 4.0, sign * 5.0]
    assert f(a.tolist(), b.tolist(), sign * 3.0) == [sign * 4.0, sign * 5.0]
    assert f(numpy.array([a, b])) == sign * 5.0
    x = Value(sign * 9.0)
    assert f([a, [x, 1.0]]).data == sign * 9.0
    assert mg.grad(f)(a).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_decision_in_a_compiled_function(backend: Any) -> None:
    draw, sizes = random.Random(2), (1, 2, 3, 8)
    for f in (mg.maximum, mg.minimum):
        g = mg.compile(mg.value_and_grad(lambda xs, f=f: f(xs) * f([*xs, 0.5])), backend=backend)
        eager = mg.value_and_grad(lambda xs, f=f: f(xs) * f([*xs, 0.5]))
        for n in sizes:
            for _ in range(20):
                xs = [draw.choice([0.5, draw.uniform(-1.0, 2.0), 1.0]) for _ in range(n)]
                value, slopes = eager(xs)
                found, others = g(xs)
                assert struct.pack(f"{n + 1}d", found, *others) == struct.pack(
                    f"{n + 1}d", value, *slopes
                )
        assert g.cache_info().made == len(sizes)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.maximum([]), ValueError, "^maximum: needs at least one number, got an empty"),
        (lambda: mg.minimum([]), ValueError, "^minimum: needs at least one number, got an empty"),
        (lambda: mg.maximum(3.0), TypeError, "^maximum: expected a sequence of numbers or Values"),
        (lambda: mg.maximum(Value(3.0)), TypeError, "^maximum: expected a sequence of numbers"),
        (lambda: mg.maximum(1.0, "2", 3.0), TypeError, "^maximum: expected a number or a Value"),
        (lambda: mg.minimum([1.0, None]), TypeError, "^minimum: expected a number or a Value"),
        (lambda: mg.maximum([1.0], [1.0, 2.0], 3.0), mg.ShapeError, "^maximum: lists of lengths"),
    ],
)
def test_misuse(call: Callable[[], Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
