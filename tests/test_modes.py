"""Modes: what they change, and that it ends with them."""

import asyncio
import functools
import gc
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from fractions import Fraction
from math import inf
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value


def records() -> bool:
    return (Value(1.0) * 2.0).requires_grad


def refuses_nonfinite() -> bool:
    try:
        Value(0.0).sqrt().backward()
    except mg.NonFiniteError:
        return True
    return False


def names_lines() -> bool:
    try:
        Value(0.0).sqrt().backward()
    except mg.NonFiniteError as error:
        return __file__ in str(error)
    return False


MODES = {
    "no_grad": (mg.no_grad, records),
    "allow_nonfinite": (mg.allow_nonfinite, refuses_nonfinite),
    "detect_anomaly": (mg.detect_anomaly, names_lines),
}


@pytest.mark.parametrize(("mode", "state"), MODES.values(), ids=MODES)
def test_a_mode_ends(mode: Any, state: Callable[[], bool]) -> None:
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


def test_a_function_that_is_differentiated_is_recorded() -> None:
    def f(x: Any) -> Any:
        assert records()
        with mg.no_grad():
            assert not records()
        return x * x

    with mg.no_grad():
        assert mg.grad(f)(3.0) == 6.0
        assert mg.jvp(f, (3.0,), (1.0,)) == (9.0, 6.0)
        assert not records()


def test_a_primitive_of_ones_own_computes_in_the_ordinary_way() -> None:
    w = Value(2.0)

    @mg.primitive(lambda y, x: (2.0 * x,))
    def square(x: float) -> float:
        assert records()
        assert type(mg.grad(lambda z: w * z)(x)) is Value
        return x * x

    with mg.no_grad():
        assert square(Value(3.0)).data == 9.0
        assert mg.grad(square)(3.0) == mg.compile(mg.grad(square))(3.0) == 6.0
        assert not records()


def test_no_grad() -> None:
    x = Value(3.0)
    with mg.no_grad():
        y = x * x + mg.sin(x)
        with mg.no_grad():
            pass
        assert not (x + 1.0).requires_grad
    assert not y.requires_grad
    assert (x * x).requires_grad


def test_no_grad_takes_numbers_of_other_kinds() -> None:
    x = Value(3.0)
    with mg.no_grad():
        assert [(x * y).data for y in (2, True, Fraction(1, 2))] == [6.0, 3.0, 1.5]
        assert mg.sum([x, 2, 0.5]).data == 5.5
        with pytest.raises(TypeError, match=r"^sum: expected a number or a Value, got '2'"):
            mg.sum([x, "2"])


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
def test_functions_that_run_later_are_not_decorated(mode: Callable[[], Any]) -> None:
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


def within(mode: Any) -> Iterator[None]:
    with mode():
        yield


@pytest.mark.parametrize(("mode", "state"), MODES.values(), ids=MODES)
class TestEnds:
    """A mode ends with its own ``with``, wherever and in whatever order others end."""

    def test_generators_that_end_in_any_order(self, mode: Any, state: Callable[[], bool]) -> None:
        usual = state()
        for order in itertools.permutations(range(3)):
            generators = [within(mode) for _ in order]
            for generator in generators:
                next(generator)
            for i in order:
                assert state() != usual
                generators[i].close()  # type: ignore[attr-defined]
            assert state() == usual
            assert mg.modes.interpreter() is None

    def test_a_generator_that_is_closed_in_another_thread(
        self, mode: Any, state: Callable[[], bool]
    ) -> None:
        usual = state()
        first, second = within(mode), within(mode)
        for closed_first in (first, second), (second, first):
            first, second = closed_first
            first, second = within(mode), within(mode)
            next(first)
            next(second)
            for generator in (first, second):
                assert state() != usual
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(generator.close).result()  # type: ignore[attr-defined]
                    assert pool.submit(state).result() == usual
            assert state() == usual
            with mode():
                assert state() != usual
            assert mg.modes.interpreter() is None

    def test_an_asynchronous_generator_that_is_left_by_break(
        self, mode: Any, state: Callable[[], bool]
    ) -> None:
        usual = state()

        async def numbers() -> AsyncIterator[int]:
            with mode():
                yield 1
                yield 2

        async def main() -> None:
            async for _ in numbers():
                async for _ in numbers():
                    assert state() != usual
                    break
                break
            gc.collect()
            for _ in range(3):
                await asyncio.sleep(0)  # the event loop closes them in tasks of their own
            assert state() == usual

        errors: list[Any] = []
        with asyncio.Runner() as runner:
            runner.get_loop().set_exception_handler(lambda _, context: errors.append(context))
            runner.run(main())
        assert errors == []

    def test_one_object_used_again_and_within_itself(
        self, mode: Any, state: Callable[[], bool]
    ) -> None:
        usual = state()
        again = mode()
        for _ in range(2):
            with again:
                assert state() != usual
                with again, mode, mode():
                    assert state() != usual
                assert state() != usual
            assert state() == usual

    def test_one_object_in_two_threads(self, mode: Any, state: Callable[[], bool]) -> None:
        usual = state()
        again = mode()
        with ThreadPoolExecutor(1) as pool:
            with again:
                pool.submit(again.__enter__).result()
                assert pool.submit(state).result() != usual
            assert state() == usual
            assert pool.submit(state).result() != usual
            with again:
                pool.submit(again.__exit__).result()
                assert pool.submit(state).result() == usual
                assert state() != usual
            assert state() == usual

    def test_without_parentheses(self, mode: Any, state: Callable[[], bool]) -> None:
        usual = state()
        with mode:
            assert state() != usual

        @mode
        def f(x: int, *, y: int = 2) -> tuple[bool, int]:
            """Return the state."""
            return state(), x + y

        @mode()
        def g() -> bool:
            return state()

        assert f(1, y=3) == (not usual, 4)
        assert f.__doc__ == "Return the state."
        assert g() != usual
        assert state() == usual
        assert mode.__doc__
        assert mode().__name__ == mode.__name__

    def test_what_is_no_function(self, mode: Any, state: Callable[[], bool]) -> None:
        usual = state()
        with pytest.raises(TypeError) as caught:
            mode(False)
        assert str(caught.value) == (
            f"{mode.__name__}: expected nothing or a function to decorate, got False"
        )
        assert state() == usual


def test_modes_of_different_kinds_end_in_any_order() -> None:
    for order in itertools.permutations(range(3)):
        generators: Any = [within(mg.detect_anomaly), within(mg.no_grad), within(mg.detect_anomaly)]
        for generator in generators:
            next(generator)
        on = {0, 1, 2}
        for i in order:
            assert records() is (1 not in on)
            generators[i].close()
            on.remove(i)
        assert records()
        assert not names_lines()


def test_a_mode_that_ends_while_a_function_is_differentiated() -> None:
    generator: Any = within(mg.no_grad)
    next(generator)

    def f(x: Any) -> Any:
        generator.close()
        return x * x

    assert mg.grad(f)(3.0) == 6.0
    assert records()
    started: Any = within(mg.no_grad)

    def g(x: Any) -> Any:
        next(started)
        return x * 2.0 if records() else 0.0

    assert mg.grad(g)(3.0) == 0.0
    assert records()
    started.close()
    assert records()
