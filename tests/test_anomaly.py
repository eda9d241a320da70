"""Under detect_anomaly(), errors and explanations name the line that made a Value."""

import asyncio
import gc
import re
import sys
import threading
from collections.abc import Iterator
from math import inf
from typing import Any

import pytest

import microgradlib as mg
import microgradlib.math
from microgradlib import Value, detect_anomaly, explain, nn
from microgradlib.errors import NonFiniteError

HERE = __file__


def leaf(data: float = 1.0) -> Value:
    return Value(data, label="x")


def line_of(text: str) -> int:
    """Return the number of the first line of this file with a text."""
    with open(HERE, encoding="utf-8") as file:
        return next(i for i, line in enumerate(file, 1) if text in line and "line_of" not in line)


def origin(x: Value) -> str:
    """Return where x was made, as an error says it, or "". It makes x infinite."""
    x.data, x.requires_grad = inf, True
    with pytest.raises(NonFiniteError) as caught:
        (x * 1.0).backward()
    found = re.search(
        r"the value of .* is inf(?: \((.*)\))?; use allow_nonfinite", str(caught.value)
    )
    assert found
    return found[1] or ""


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert not origin(Value(1.0) * 2.0)


def test_backward_names_the_line() -> None:
    x = leaf(0.0)
    with detect_anomaly():
        y = x.sqrt()  # the culprit
    for z in (y, y * 2.0):
        with pytest.raises(NonFiniteError) as caught:
            z.backward()
        place = f"({HERE}, line {line_of('# the culprit')}: y = x.sqrt()  # the culprit)"
        assert str(caught.value) == (
            f"backward: the derivative of sqrt(x) with respect to x is inf {place}; "
            "use allow_nonfinite() to accept such results"
        )


def test_values_and_gradients_that_are_not_finite() -> None:
    with detect_anomaly():
        x = leaf(1e300)
        y = x * 1e300
        z = leaf(1.0) * 1e200 * 1e200 * 0.0
    with pytest.raises(NonFiniteError, match=r"the value of x \* 1e\+300 is inf \(.*, line \d+"):
        y.backward()
    with pytest.raises(NonFiniteError, match=r"the value of .* is inf \(.*: z = leaf"):
        z.backward()
    with detect_anomaly():
        big = (leaf(0.0) * 1e200) * 1e200  # overflows on the way back
    with pytest.raises(NonFiniteError, match=r"the gradient with respect to x? ?.*is inf \("):
        big.backward()


def test_everything_that_makes_nodes() -> None:
    with detect_anomaly():
        model = nn.MLP(2, [2, 1], "tanh")
        f = mg.compile(lambda x, y: x * y)
        results = [
            model([1.0, 2.0])[0],
            f(leaf(), leaf()),
            mg.sum([leaf(), 2.0]),
            mg.mse_loss(model([Value(1.0), 2.0]), [1.0]),
            mg.math.exp(leaf()),
            leaf().detach(),
            -leaf(),
        ]
    results[3].backward()
    numbers = [int(origin(y).split(", line ")[1].split(":")[0]) for y in results]
    first = line_of("        results = [") + 1
    assert numbers == [*range(first, first + 7)]
    assert all(f"{HERE}, line" in origin(p) for p in model.parameters())


def test_nodes_stay_in_order() -> None:
    x = leaf()
    with detect_anomaly():
        y = x * 2.0
    z = y * 3.0
    assert [box.title for box in mg.draw(z).boxes] == ["x", "x * 2", "· * 3"]
    z.backward()
    assert x.grad == 6.0
    assert mg.grad(lambda x: x * y.data)(1.0) == 2.0


def test_nested_and_with_errors() -> None:
    with detect_anomaly():
        with pytest.raises(ZeroDivisionError), detect_anomaly():
            leaf() / 0.0
        assert origin(leaf())
        with detect_anomaly():
            pass
        assert origin(leaf())


def test_as_a_decorator() -> None:
    @detect_anomaly()
    def f(x: Value) -> Value:
        return x * 2.0

    assert "return x * 2.0" in origin(f(leaf()))
    assert "return x * 2.0" in origin(f(leaf()))


def test_source_that_is_gone() -> None:
    names: dict[str, Any] = {"x": leaf(0.0)}
    with detect_anomaly():
        exec(compile("y = x.sqrt()", "<gone>", "exec"), names)
    assert origin(names["y"]) == "<gone>, line 1"


def test_this_thread_only() -> None:
    inside, outside = threading.Event(), threading.Event()
    found: list[str] = []

    def other() -> None:
        inside.wait(timeout=10.0)
        found.append(origin(leaf() * 2.0))
        with detect_anomaly():
            outside.set()
            found.append(origin(leaf() * 2.0))

    thread = threading.Thread(target=other)
    thread.start()
    with detect_anomaly():
        inside.set()
        outside.wait(timeout=10.0)
        found.append(origin(leaf() * 2.0))
    thread.join()
    assert found[0] == ""
    assert all(HERE in line for line in found[1:])


def test_this_task_only() -> None:
    async def located(wait: bool) -> str:
        if wait:
            await asyncio.sleep(0)
            return origin(leaf())
        with detect_anomaly():
            await asyncio.sleep(0)
            return origin(leaf())

    async def both() -> list[str]:
        return list(await asyncio.gather(located(False), located(True)))

    first, second = asyncio.run(both())
    assert HERE in first
    assert second == ""


def test_many_threads_at_once() -> None:
    def work() -> None:
        for _ in range(200):
            with detect_anomaly():
                assert origin(leaf() * 2.0)
            assert not origin(leaf() * 2.0)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    failures: list[object] = []
    hook, threading.excepthook = threading.excepthook, failures.append
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
        threading.excepthook = hook
    assert not failures


def test_deep_graphs_are_freed() -> None:
    def make() -> None:
        with detect_anomaly():
            y = x = leaf(0.5)
            for _ in range(30_000):
                y = y * 0.5 + x
        y.backward()
        before = len(gc.get_objects())
        del y
        assert before - len(gc.get_objects()) > 45_000

    gc.collect()
    gc.disable()
    old = threading.stack_size(256 * 1024)
    failures: list[object] = []
    hook, threading.excepthook = threading.excepthook, failures.append
    try:
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
    finally:
        threading.excepthook = hook
        threading.stack_size(old)
        gc.enable()
    assert not failures


def test_the_line_is_named_if_it_was_recorded() -> None:
    x = leaf(0.0)
    with detect_anomaly():
        y = x.sqrt() + x * 0.0
    assert f"{HERE}, line {line_of('y = x.sqrt() + x')}: y = x.sqrt()" in explain(y).why(x)


def test_constants_have_lines_too() -> None:
    with detect_anomaly(), mg.no_grad():
        y = leaf(4.0).sqrt()
    assert not y.requires_grad
    assert f"{HERE}, line {line_of('y = leaf(4.0).sqrt()')}" in origin(y)


def test_a_function_that_is_compiled_may_switch_it_on() -> None:
    def f(x: Any) -> Any:
        with detect_anomaly():
            return mg.sqrt(x) * x

    compiled = mg.compile(f)
    assert [compiled(x) for x in (4.0, 9.0)] == [8.0, 27.0]
    assert compiled.cache_info().made == 1
