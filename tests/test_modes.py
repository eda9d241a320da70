"""Modes: what they change, and that it ends with them."""

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from math import inf
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value, modes

MODES = {
    "no_grad": (mg.no_grad, "recording"),
    "allow_nonfinite": (mg.allow_nonfinite, "nonfinite_allowed"),
    "detect_anomaly": (mg.detect_anomaly, "locating"),
    "evaluation": (modes.evaluation, "nested"),
}


@pytest.mark.parametrize(("mode", "name"), MODES.values(), ids=MODES)
def test_a_mode_ends(mode: Any, name: str) -> None:
    state = getattr(modes, name)
    usual = state()

    def switched() -> Iterator[AbstractContextManager[None]]:
        yield mode()
        with mode():
            yield mode()  # within itself
        assert state() == usual

    for context in switched():
        before = state()
        with pytest.raises(KeyError), context:  # noqa: PT012
            assert state() != usual
            raise KeyError
        assert state() == before


def test_an_evaluation_is_recorded_and_one_from_outside_is_the_outermost() -> None:
    with mg.no_grad(), modes.evaluation():
        assert (modes.recording(), modes.nested()) == (True, True)
        with mg.no_grad(), modes.outermost():
            assert (modes.recording(), modes.nested(), modes.tracing()) == (True, False, None)
        assert (modes.recording(), modes.nested()) == (True, True)


def test_no_grad() -> None:
    x = Value(3.0)
    with mg.no_grad():
        y = x * x + mg.sin(x)
        with mg.no_grad():
            pass
        assert not (x + 1.0).requires_grad
    assert not y.requires_grad
    assert (x * x).requires_grad


def test_no_grad_as_a_decorator_and_after_an_exception() -> None:
    @mg.no_grad()
    def f(x: Value) -> Value:
        if x.data < 0:
            raise KeyError
        return x * x

    assert not f(Value(1.0)).requires_grad
    with pytest.raises(KeyError):
        f(Value(-1.0))
    assert (Value(1.0) * 2.0).requires_grad


def test_allow_nonfinite_as_a_decorator() -> None:
    x = Value(0.0)
    mg.allow_nonfinite()(x.sqrt().backward)()
    assert x.grad == inf
    with pytest.raises(mg.NonFiniteError):
        x.sqrt().backward()


@pytest.mark.parametrize("f", [lambda x: f_of(x), lambda x: f_of(x, 2.0)], ids=["one", "two"])
def test_partials_are_computed_only_where_they_are_recorded(f: Any) -> None:
    with mg.no_grad():
        assert f(Value(3.0)).data == 9.0
    assert f(Value(3.0).detach()).data == 9.0
    with pytest.raises(ZeroDivisionError):
        f(Value(3.0))


@mg.primitive(lambda y, *xs: (1.0 / 0.0,))
def f_of(x: float, power: float = 2.0) -> float:
    return x**power


PUBLIC = [mg.no_grad, mg.allow_nonfinite, mg.detect_anomaly]


@pytest.mark.parametrize("mode", PUBLIC, ids=lambda mode: mode.__name__)
def test_functions_that_run_later_are_not_decorated(mode: Callable[[], modes.Mode]) -> None:
    def generator() -> Iterator[int]:
        yield 1

    async def coroutine() -> None: ...

    async def asynchronous() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"functools.partial\(.*\) is a generator or"):
        mode()(functools.partial(generator))
    for f in (generator, coroutine, asynchronous):
        with pytest.raises(TypeError) as error:
            mode()(f)
        assert str(error.value) == (
            f"{mode.__name__}: {f.__qualname__} is a generator or coroutine, which runs after its "
            f"call; use `with {mode.__name__}():` inside it"
        )
    assert mode()(abs)(-1.0) == 1.0
