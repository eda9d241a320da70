"""Compiled functions that are pickled: with their traces, and what runs in another process."""

import copy
import dataclasses
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from compilers import compiler

import microgradlib as mg
from microgradlib import Value, nn

BACKENDS = ["python"] + ["c"] * bool(compiler())
ran: list[Any] = []


def again(x: Any) -> Any:
    """Return what another process gets."""
    return pickle.loads(pickle.dumps(x))


def square(x: Any) -> Any:
    ran.append(x)
    return x * x


@mg.compile(static_argnames="n")
def power(x: Any, n: int) -> Any:
    ran.append(x)
    return x**n


@mg.primitive(lambda y, x: (3.0 * x * x,))
def cube(x: float) -> float:
    return x**3


@mg.primitive(lambda ys, a, b: ((b, a), (1.0, 1.0)), outputs=2)
def product_and_sum(a: float, b: float) -> Any:
    return a * b, a + b


weight = Value(2.0, label="weight")


def weighted(x: Any) -> Any:
    ran.append(x)
    return x * weight


@dataclasses.dataclass
class Pair:
    first: Any
    second: Any


class Regression:
    def __init__(self) -> None:
        self.w = Value(3.0)
        self.loss = mg.compile(self._loss)

    def _loss(self, x: Any) -> Any:
        ran.append(x)
        return (self.w * x) ** 2


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


# In the process itself.


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_lambda_runs_from_its_traces(backend: Any) -> None:
    factor = 3.0
    f = mg.compile(lambda x: x * factor if x > 0.0 else -x, backend=backend, maxsize=5)
    assert (f(2.0), f(-2.0)) == (6.0, 2.0)
    for g in (again(f), again(again(f))):
        assert g.cache_info() == (2, 2, 5)
        assert (g.__name__, g.source) == ("<lambda>", f.source)
        assert (g(5.0), g(-5.0)) == (15.0, 5.0)
        assert g.cache_info() == (2, 2, 5)


@pytest.mark.parametrize("call", [lambda g: g(1.0, 2), lambda g: g("a", 3), lambda g: g(1e200, 3)])
def test_a_lambda_without_a_trace_that_fits(call: Callable[[Any], Any]) -> None:
    f = mg.compile(lambda x, n: mg.grad(lambda y: y**n)(x), static_argnames="n")
    assert f(2.0, 3) == 12.0
    g = again(f)
    assert (g(3.0, 3), g(2.0, 3)) == (27.0, 12.0)
    message = (
        r"^compile: <lambda> was unpickled without its code, as test_a_lambda_without.* is not "
    )
    with pytest.raises(mg.CompileError, match=message + "found .*; define it with def at the top"):
        call(g)
    with pytest.raises(mg.CompileError, match="unpickled without its code"):
        mg.compile(lambda x: g(x, 3))(4.0)
    assert g(2.0, 3) == 12.0


def test_a_function_that_is_found_by_its_name() -> None:
    f = mg.compile(square, maxsize=3)
    assert f(2.0) == 4.0
    g = again(f)
    assert (g(3.0), g.cache_info(), len(ran)) == (9.0, (1, 1, 3), 1)
    assert (g(4), len(ran)) == (16.0, 1)
    with pytest.raises(TypeError):
        g([1.0])
    g.clear_cache()
    assert (g(3.0), len(ran)) == (9.0, 3)


def test_a_decorated_function_is_itself_and_keeps_its_traces() -> None:
    power.clear_cache()
    data = pickle.dumps(power)
    assert power(2.0, 3) == 8.0
    assert pickle.loads(data) is power
    data = pickle.dumps(power)
    for _ in range(2):
        assert pickle.loads(data) is power
        assert power.cache_info()[:2] == (1, 1)
    power.clear_cache()
    assert pickle.loads(data) is power
    assert (power(3.0, 3), len(ran), power.cache_info()[:2]) == (27.0, 1, (1, 1))
    assert (power(3.0, 2), len(ran)) == (9.0, 2)


def test_a_name_that_means_another_function(monkeypatch: pytest.MonkeyPatch) -> None:
    f = mg.compile(square)
    assert f(2.0) == 4.0
    data, own = pickle.dumps(f), pickle.dumps(power)

    def other(x: Any) -> Any:
        return x * x + (1.0 if x in {1.0, 2.0} else [lambda: 2.0][0]())

    other.__qualname__, other.__name__ = "square", "square"
    monkeypatch.setitem(globals(), "square", other)
    assert pickle.loads(data)(3.0) == 11.0
    monkeypatch.setitem(globals(), "power", other)
    assert pickle.loads(own) is other
    monkeypatch.delitem(globals(), "power")
    with pytest.raises(
        AttributeError, match=r"^compile: there is no power in the module test_comp"
    ):
        pickle.loads(own)


# Values that the function reads.


def test_a_model_and_its_function() -> None:
    model = nn.MLP(2, [2, 1])
    loss = mg.compile(lambda x: mg.sum(model(x)))
    expected = loss([1.0, 2.0])
    other, twin = again((model, loss))
    found = twin([1.0, 2.0])
    assert found.data == expected.data
    found.backward()
    expected.backward()
    assert [p.grad for p in other.parameters()] == [p.grad for p in model.parameters()]
    for p in other.parameters():
        p.data = 0.0
    assert twin([1.0, 2.0]).data != expected.data == loss([1.0, 2.0]).data


def test_the_gradient_of_a_model_that_is_passed() -> None:
    model = nn.MLP(2, [1])
    step = mg.compile(mg.value_and_grad(lambda m, x: mg.sum(m(x))))
    value, gradient = step(model, [1.0, 2.0])
    other, twin = again((model, step))
    found, slopes = twin(other, [1.0, 2.0])
    assert (found, type(slopes)) == (value, nn.MLP)
    assert slopes.state_dict() == gradient.state_dict()
    assert twin.cache_info().made == 1


def test_parameters_of_a_module_that_is_returned_keep_their_gradient() -> None:
    model, scale = nn.MLP(1, [1]), Value(2.0)
    model.parameters()[0].requires_grad = False
    f = mg.grad(lambda m, s: mg.sum(m([3.0])) * s)

    def slope(f: Any, model: Any, scale: Any) -> Any:
        scale.grad = 0.0
        parameters = f(model, scale).parameters()
        mg.sum(parameters).backward()
        return scale.grad, [(p.data, p.requires_grad) for p in parameters]

    expected = slope(f, model, scale)
    assert [flag for _, flag in expected[1]] == [False, True]
    compiled = mg.compile(f)
    for _ in range(2):
        assert slope(compiled, model, scale) == expected
    other, twin = again((model, compiled))
    assert slope(twin, other, Value(2.0)) == expected


def test_a_method_of_an_object() -> None:
    model = Regression()
    assert model.loss(2.0).data == 36.0
    other = again(model)
    assert (other.loss(2.0).data, len(ran)) == (36.0, 1)
    other.w.data = 1.0
    other.loss(2.0).backward()
    assert (other.w.grad, len(ran), model.w.grad) == (8.0, 1, 0.0)
    alone = again(model.loss)
    assert (alone(2.0).data, alone.__wrapped__.__self__.loss is alone, len(ran)) == (36.0, True, 1)


def test_an_argument_that_holds_the_function() -> None:
    model = nn.MLP(2, [1])
    model.loss = mg.compile(lambda m, x: mg.sum(m(x)))
    expected = model.loss(model, [1.0, 2.0])
    other = again(model)
    assert other.loss(other, [1.0, 2.0]).data == expected.data
    alone = again(model.loss)
    assert alone.cache_info().made == 1


def test_values_of_global_variables_are_read_there() -> None:
    f = mg.compile(weighted)
    assert f(3.0).data == 6.0
    g = again(f)
    assert g.cache_info().kept == 0
    with pytest.raises(mg.CompileError, match="has no source before its first call"):
        _ = g.source
    y = g(3.0)
    y.backward()
    assert (len(ran), weight.grad) == (2, 3.0)
    weight.grad = 0.0


def test_values_of_arguments() -> None:
    def loss(model: Any, x: Any) -> Any:
        return mg.sum(model(x))

    module = ModuleType("loss_module")
    module.loss = loss  # type: ignore[attr-defined]
    loss.__module__, loss.__qualname__ = "loss_module", "loss"
    sys.modules["loss_module"] = module
    try:
        model = nn.MLP(2, [1])
        f = mg.compile(loss)
        expected = f(model, [1.0, 2.0])
        other, g = again((model, f))
        assert g(other, [1.0, 2.0]).data == expected.data
        assert g.cache_info().made == 1
        assert again(f)(model, [1.0, 2.0]).data == expected.data
    finally:
        del sys.modules["loss_module"]


# What a trace refers to.


def test_containers_decisions_and_primitives() -> None:
    def f(x: Any, pair: Pair, options: dict[str, Any]) -> Any:
        a, b = product_and_sum(x, pair.first)
        y = cube(a) + b + options["scale"] * pair.second
        return {"y": y, "text": f"{x:.1f}", "pair": Pair(a, [b])}, hash(x), {Pair: 1.0}[Pair]

    compiled = mg.compile(f)
    arguments = 2.0, Pair(3.0, 0.5), {"scale": 4.0}
    expected = compiled(*arguments)
    g = again(compiled)
    assert g(*arguments) == expected
    assert g.cache_info().made == 1
    slope = mg.compile(mg.grad(lambda x: cube(x) * product_and_sum(x, 2.0)[0]))
    assert again((slope(2.0), slope))[1](2.0) == slope(2.0) == 64.0


def test_an_array() -> None:
    numpy = pytest.importorskip("numpy")
    f = mg.compile(mg.grad(lambda xs: mg.sum([x * x for x in xs])))
    array = numpy.array([1.0, 2.0])
    expected, g = f(array), again(f)
    assert (g(array) == expected).all()
    assert g.cache_info().made == 1


def test_constants_that_cannot_be_pickled() -> None:
    def double(x: Any) -> Any:
        return 2.0 * x

    f = mg.compile(lambda x, g: g(x))
    assert f(1.0, double) == 2.0
    message = (
        r"^compile: a trace of .*<lambda> refers to <function .* \(.*double.*; define that at "
    )
    with pytest.raises(pickle.PicklingError, match=message):
        pickle.dumps(f)
    h = mg.compile(call)  # this can be traced again
    assert (h(1.0, double), h(3.0, square)) == (2.0, 9.0)
    assert again(h).cache_info() == (2, 1, 128)
    assert again(h)(1.0, double) == 2.0


def call(x: Any, g: Callable[[Any], Any]) -> Any:
    return g(x)


def test_without_traces() -> None:
    with pytest.raises(pickle.PicklingError, match="and has no traces; define it with def at the"):
        pickle.dumps(mg.compile(lambda x: x))


def test_copies() -> None:
    f = mg.compile(lambda x: x + 1.0)
    assert copy.copy(f) is f is copy.deepcopy(f)
    assert copy.deepcopy(power) is power
    model = Regression()
    assert model.loss(1.0).data == 9.0
    other = copy.deepcopy(model)
    other.w.data = 1.0
    assert (other.loss(1.0).data, model.loss(1.0).data) == (1.0, 9.0)
    twin = again(f) if f(1.0) == 2.0 else None
    assert copy.deepcopy(twin) is twin


def test_unpickled_in_many_threads() -> None:
    f = mg.compile(lambda x: x * 2.0 if x > 0.0 else x)
    assert (f(1.0), f(-1.0)) == (2.0, -1.0)
    g, found = again(f), []
    threads = [threading.Thread(target=lambda: found.append((g(2.0), g(-2.0)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(4.0, -2.0)] * 8
    assert g.cache_info()[:2] == (2, 2)


# In another process.


@pytest.mark.parametrize("backend", BACKENDS)
def test_in_another_process(backend: Any, tmp_path: Path) -> None:
    scale = 0.5
    model = nn.MLP(2, [3, 1])
    f = mg.compile(lambda x: mg.tanh(mg.sum(model(x))) * scale, backend=backend)
    step = mg.compile(mg.value_and_grad(lambda x, mode: x**2 + mg.sin(x)), static_argnames="mode")
    expected = f([0.5, -1.0]).data, step(2.0, ("a", 1))
    (tmp_path / "pickled").write_bytes(pickle.dumps((f, step)))
    code = (
        "import pickle, sys; f, step = pickle.load(open(sys.argv[1], 'rb'));"
        "print(f.cache_info().made, step.cache_info().made);"
        "print(repr((f([0.5, -1.0]).data, step(2.0, ('a', 1)))));"
        "print(f.cache_info().made, step.cache_info().made)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "pickled")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.stdout.splitlines()) == ("", ["1 1", repr(expected), "1 1"])
