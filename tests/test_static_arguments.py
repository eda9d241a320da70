"""Static arguments of compiled functions: not traced, and told apart by equality and type."""

import dataclasses
import functools
import warnings
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value

Point = namedtuple("Point", "x")


@dataclasses.dataclass(frozen=True)
class Options:
    weight: Any = 1.0


def powers(x: Any, n: int, mode: str = "sum") -> Any:
    terms = [x**k for k in range(n)]
    return mg.sum(terms) if mode == "sum" else mg.mean(terms)


@pytest.mark.parametrize(
    "names", [("n", "mode"), ["n", "mode"], iter(["n", "mode"]), {"n": 0, "mode": 1}]
)
def test_by_position_and_by_name(names: Any) -> None:
    f = mg.compile(powers, static_argnames=names)
    for x in (2.0, 3.0):
        assert f(x, 3) == f(x, n=3) == f(n=3, x=x) == powers(x, 3)
        assert f(x, 3, "mean") == f(x, mode="mean", n=3) == powers(x, 3, "mean")
        assert f(x, 2, "mean") == powers(x, 2, "mean")
    assert f.cache_info().made == 6  # one for each way to pass them, and one for n = 2


def test_one_name_in_a_decorator_and_a_method() -> None:
    class Model:
        scale = 2.0

        @mg.compile(static_argnames="n", maxsize=3)
        def __call__(self, x: Any, n: int) -> Any:
            return self.scale * x**n if isinstance(n, int) else None

    model = Model()
    assert (model(3.0, 2), model(3.0, n=3), model(4.0, 2)) == (18.0, 54.0, 32.0)
    assert Model.__call__.cache_info() == (2, 2, 3)


def test_of_a_derivative() -> None:
    f = mg.compile(mg.value_and_grad(powers), static_argnames="n")
    assert f(2.0, 3) == f(2.0, n=3) == (7.0, 5.0)
    assert f(2.0, 2) == (3.0, 1.0)


def test_an_argument_of_any_name() -> None:
    f = mg.compile(lambda x, **options: powers(x, options["n"]), static_argnames="n")
    assert (f(2.0, n=2), f(2.0, n=3)) == (3.0, 7.0)


def test_a_function_that_does_not_tell_its_parameters() -> None:
    f = mg.compile(max, static_argnames="key")
    for _ in range(2):
        assert f([1.0, -2.0], key=abs) == -2.0
        assert f([1.0, -2.0], key=None) == 1.0
    assert f.cache_info().made == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (1, 2),
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        ("a", "b"),
        (None, False),
        ((1, 2), (1, 2.0)),
        ((1, (2,)), (1, (3,))),
        (Point(1), Point(1.0)),
        (Point(1), (1,)),
        (frozenset([1]), frozenset([1.0])),
        (Options(1.0), Options(2.0)),
        (Value(1.0), Value(1.0)),
        ((Value(1.0),), (Value(1.0),)),
        (Options(Value(1.0)), Options(Value(1.0))),
        (len, abs),
        (int, float),
    ],
    ids=repr,
)
def test_told_by_equality_and_type(first: Any, second: Any) -> None:
    ran: list[Any] = []

    @mg.compile(static_argnames="option")
    def f(x: Any, option: Any) -> Any:
        ran.append(option)
        return x * 2.0

    for _ in range(2):
        for option in (first, first, second, second):
            assert f(3.0, option) == 6.0
    assert len(ran) == 2
    assert ran[0] is first
    assert ran[1] is second


def test_equal_ones_share_a_trace() -> None:
    for make in (lambda: (1, "a", 2.5), lambda: Options((1.0, 2.0)), lambda: frozenset("ab")):
        f = mg.compile(lambda x, option: x, static_argnames="option")
        assert f(1.0, make()) == f(1.0, make()) == 1.0
        assert f.cache_info().made == 1


def test_no_decisions() -> None:
    f = mg.compile(powers, static_argnames="n", maxsize=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(1, 30):
            assert f(2.0, n) == 2.0**n - 1.0
    assert f.cache_info() == (29, 4, 4)


def test_dropped_traces_leave_nothing() -> None:
    class Mode:
        alive = 0

        def __init__(self) -> None:
            Mode.alive += 1

        def __del__(self) -> None:
            Mode.alive -= 1

    f = mg.compile(lambda x, mode: x, static_argnames="mode", maxsize=2)
    for _ in range(10):
        assert f(1.0, Mode()) == 1.0
    assert Mode.alive <= 3


@pytest.mark.parametrize("call", [lambda f: f(2.0, [3]), lambda f: f(2.0, n=[3])])
def test_unhashable(call: Callable[[Any], Any]) -> None:
    f = mg.compile(powers, static_argnames="n")
    message = (
        r"^compile: the static argument n of powers must be hashable, got \[3\]; pass a tuple in "
        r"place of a list, or take n out of static_argnames$"
    )
    for _ in range(2):  # before and after another call
        with pytest.raises(TypeError, match=message):
            call(f)
        assert f(2.0, 3) == 7.0


@pytest.mark.parametrize(
    ("names", "f", "error", "message"),
    [
        ("m", powers, ValueError, "'m', which is no argument of powers; its arguments are: x, n,"),
        (("x", "y"), lambda *x: x, ValueError, "'x', which is no argument of <lambda>.*: none$"),
        (("n", 3), powers, TypeError, r"must be a name, or a tuple of names, got \('n', 3\)$"),
        (3, powers, TypeError, "must be a name, or a tuple of names, got 3$"),
        ("m", functools.partial(powers, n=2), ValueError, "'m', which is no argument of functools"),
    ],
)
def test_wrong_names(names: Any, f: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        mg.compile(f, static_argnames=names)


def test_a_function_that_is_traced_by_another() -> None:
    f = mg.compile(powers, static_argnames="n")
    assert mg.compile(lambda x: f(x, 3))(2.0) == 7.0
