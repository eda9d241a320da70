"""The public functions: one for each row of the table, on floats and on Values alike."""

import math
import pkgutil
from collections.abc import Callable
from importlib import import_module
from math import inf, nan
from types import FunctionType
from typing import Any

import pytest
from truths.points import static

import microgradlib as mg
import microgradlib.math as mg_math
from microgradlib import Value, functions
from microgradlib.core import table
from microgradlib.core.primitive import Primitive
from microgradlib.core.table import PRIMITIVES
from microgradlib.testing import arities
from microgradlib.trees import numbers_in

PUBLIC = {name: row for name, row in PRIMITIVES.items() if not row.helper}
UNARY = {name: row for name, row in PUBLIC.items() if arities(row) == (1,)}
# Functions that are not called as their rows are: operators, losses, options and sequences.
OPERATORS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "modulo": lambda x, y: x % y,
    "power": lambda x, y: x**y,
    "power_c": lambda x, c: x**c,
    "negative": lambda x: -x,
    "abs": abs,
}
SEQUENCES = {"sum", "mean", "prod", "logsumexp"}
LISTS = {"softmax", "log_softmax"}
CALLS: dict[str, Callable[..., Any]] = {
    **OPERATORS,
    "dot": lambda bias, w, x: mg.dot([w], [x], bias),
    "clip": lambda x, low, high: mg.clip(x, min(low, high), max(low, high)),
    "where": lambda x, y, c: mg.where(c, x, y),
    "maximum_c": mg.maximum,
    "minimum_c": mg.minimum,
    "gelu_tanh": lambda x: mg.gelu(x, "tanh"),
    "mse": lambda output, target: mg.mse_loss([output], [target]),
    "bce": mg.binary_cross_entropy,
    "bce_with_logits": mg.binary_cross_entropy_with_logits,
}


def public_function(row: Primitive) -> Callable[..., Any]:
    """Return the function of a row as ``f(*inputs)``, with a number as its result."""
    name = row.name
    if name in SEQUENCES:
        return lambda *xs: getattr(mg, name)(xs)
    if name in LISTS:
        return lambda *xs: getattr(mg, name)(xs)[0]
    return CALLS.get(name) or getattr(mg, name, None) or getattr(mg_math, name)


FUNCTIONS = {name: (row, public_function(row)) for name, row in PUBLIC.items()}


def inputs(row: Primitive) -> list[float]:
    """Return an ordinary point of a row's domain, without ties."""
    if row.name == "where":
        return [1.5, 1.25, 1.0]
    count = min(arities(row))
    domain = row.domain if len(row.domain) == count else row.domain * count
    points = zip((1.5, 1.25, 2.5), domain, strict=False)
    return [x if i.low < x < i.high else x - 1.0 for x, i in points]


every_function = pytest.mark.parametrize("name", FUNCTIONS)
every_unary = pytest.mark.parametrize("name", UNARY)


class TestOneFunctionForEachRow:
    def test_every_function_is_exported(self) -> None:
        modules = [
            import_module(f"{functions.__name__}.{module.name}")
            for module in pkgutil.iter_modules(functions.__path__)
        ]
        own = {
            name
            for module in modules
            if not module.__name__.endswith((".arguments", ".layers"))  # of nn.functional
            for name, f in vars(module).items()
            if isinstance(f, FunctionType) and f.__module__ == module.__name__ and name[0] != "_"
        }
        assert own == set(functions.__all__) <= set(mg.__all__)
        assert all(getattr(mg, name) is getattr(functions, name) for name in own)
        losses = {
            name for name in own if getattr(mg, name).__module__.endswith(("losses", "classes"))
        }
        assert len(losses) == 9
        assert own - losses - {"detach"} <= set(PRIMITIVES)

    @every_unary
    def test_function_method_and_math(self, name: str) -> None:
        row, f = FUNCTIONS[name]
        (point,) = inputs(row)
        expected, (derivative,) = row.value_and_partials(point)
        spellings = [f]
        if name not in OPERATORS and name != "gelu_tanh":
            spellings.append(getattr(Value, name))
        if hasattr(math, name):
            spellings.append(getattr(mg_math, name))
        for spelling in spellings:
            x = Value(point)
            y = spelling(x)
            y.backward()
            assert (y.data, x.grad) == (expected, derivative)

    @every_unary
    def test_methods_and_functions_have_one_documentation_each(self, name: str) -> None:
        if name in vars(functions):
            assert f">>> {name}(" in getattr(functions, name).__doc__
            assert name in getattr(Value, name).__doc__


class TestKindOfResult:
    @every_function
    def test_numbers_give_the_float_of_the_row(self, name: str) -> None:
        row, f = FUNCTIONS[name]
        xs = inputs(row)
        y = f(*xs)
        assert type(y) is float
        assert y == row(*xs)

    @pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in OPERATORS])
    def test_ints_give_a_float(self, name: str) -> None:
        row, f = FUNCTIONS[name]
        ints = list(map(int, inputs(row)))
        y = f(*ints)
        assert type(y) is float
        assert y == f(*map(float, ints))

    @every_function
    def test_a_value_in_any_place_gives_a_value(self, name: str) -> None:
        row, f = FUNCTIONS[name]
        xs = inputs(row)
        for i in range(len(xs) - static(row)):
            mixed: list[Any] = list(xs)
            mixed[i] = x = Value(xs[i])
            y = f(*mixed)
            assert isinstance(y, Value)
            assert y.requires_grad
            assert y.data == f(*xs)
            y.backward()
            _, partials = row.value_and_partials(*xs)
            assert x.grad == pytest.approx(partials[i], rel=1e-14, abs=0.0)
            mixed[i] = x.detach()
            y = f(*mixed)
            assert isinstance(y, Value)
            assert (y.requires_grad, y.data) == (False, f(*xs))

    @pytest.mark.torch
    @every_function
    def test_numpy_scalars_are_numbers(self, name: str) -> None:
        numpy = pytest.importorskip("numpy")
        row, f = FUNCTIONS[name]
        xs = inputs(row)
        for kind in (numpy.float64, numpy.float32):
            scalars = [kind(x) for x in xs]
            if name not in OPERATORS:
                assert type(f(*scalars)) is float
                assert f(*scalars) == f(*xs)
            for i in range(len(xs) - static(row)):
                mixed: list[Any] = list(scalars)
                mixed[i] = Value(xs[i])
                y = f(*mixed)
                assert isinstance(y, Value)
                assert type(y.data) is float
                assert y.data == f(*xs)

    @pytest.mark.torch
    @pytest.mark.parametrize("kind", ["float64", "float32", "int64", "int8"])
    def test_numpy_scalars_on_both_sides_of_an_operator(self, kind: str) -> None:
        numpy = pytest.importorskip("numpy")
        two, x = getattr(numpy, kind)(2), Value(3.0)
        number = float(two)
        for name, row in PUBLIC.items():
            if name in OPERATORS and arities(row) == (2,):
                f = OPERATORS[name]
                for y, expected in ((f(x, two), f(3.0, number)), (f(two, x), f(number, 3.0))):
                    assert isinstance(y, Value)
                    assert y.data == expected
        assert (x > two, two < x, x == two, two == x) == (True, True, False, False)


class TestSelections:
    """No gradient flows to what is not selected, not even 0 * inf."""

    def gradient(self, f: Callable[[Value], Any], at: float) -> float | None:
        x = Value(at)
        f(x).backward()
        return x.grad

    def test_where(self) -> None:
        assert self.gradient(lambda x: mg.where(x > 0, mg.sqrt(x), 5.0), 0.0) == 0.0
        assert self.gradient(lambda x: mg.where(x.data == 0, x * 3.0, mg.sqrt(x)), 0.0) == 3.0
        assert self.gradient(lambda x: mg.where("", 1.0, x), 2.0) == 1.0
        assert mg.where(Value(0.0), 1, 2) == 2.0

    @pytest.mark.parametrize(
        "f",
        [
            lambda x: mg.maximum(x.sqrt(), 1.0),
            lambda x: mg.maximum(1.0, x.sqrt()),
            lambda x: mg.maximum(x.sqrt(), Value(1.0)),
            lambda x: mg.minimum(x.sqrt(), -1.0),
            lambda x: mg.minimum(Value(-1.0), x.sqrt()),
            lambda x: mg.clip(x.sqrt(), 1.0, 2.0),
            lambda x: mg.clip(-x.sqrt(), -2.0, -1.0),
            lambda x: mg.relu(-x.sqrt()),
        ],
    )
    def test_an_infinite_derivative_that_is_not_selected(self, f: Callable[[Value], Any]) -> None:
        assert self.gradient(f, 0.0) == 0.0

    def test_where_takes_any_truth_value(self) -> None:
        somethings: tuple[object, ...] = (True, 1, "yes", {0}, Value(2.0), nan)
        for condition in somethings:
            assert mg.where(condition, 1.0, 2.0) == 1.0
        nothings: tuple[object, ...] = (False, 0, "", {}, Value(0.0), None)
        for condition in nothings:
            assert mg.where(condition, 1.0, 2.0) == 2.0

    def test_detach(self) -> None:
        numpy = pytest.importorskip("numpy")
        x = Value(2.0)
        for tree in (x, [x, [x, 3.0]], numpy.array([x, x])):
            y = mg.detach(tree)
            assert type(y) is type(tree)
            values = [v for v in numbers_in([y]) if isinstance(v, Value)]
            assert values
            assert {(v.data, v.requires_grad) for v in values} == {(2.0, False)}
        assert mg.detach([x, 3.0])[1] == mg.detach(3.0) == 3.0
        assert mg.grad(lambda v: v * mg.detach(v))(2.0) == 2.0
        assert mg.compile(mg.grad(lambda v: v * mg.detach([v])[0]))(2.0) == 2.0

    def test_clip(self) -> None:
        assert [mg.clip(x, -1, 2) for x in (-5.0, -1.0, 0.5, 2.0, 9.0)] == [-1, -1, 0.5, 2, 2]
        derivatives = [self.gradient(lambda x: mg.clip(x, -1, 2), x) for x in (-5, -1, 0.5, 2, 9)]
        assert derivatives == [0.0, 0.0, 1.0, 0.0, 0.0]
        assert mg.clip(7.0, 3.0, 3.0) == 3.0
        assert mg.clip(7.0, -inf, inf) == 7.0

    def test_maximum_and_minimum(self) -> None:
        x, y = Value(1.0), Value(2.0)
        for f, selected, other in ((mg.maximum, y, x), (mg.minimum, x, y)):
            for pair in ((x, y), (y, x)):
                selected.grad = other.grad = 0.0
                z = f(*pair)
                z.backward()
                assert (z.data, selected.grad, other.grad) == (selected.data, 1.0, 0.0)
        assert mg.maximum(x, 5).data == 5.0
        for f in (mg.maximum, mg.minimum):  # at a tie
            assert self.gradient(lambda x, f=f: f(x, 1.0), 1.0) == 0.0  # type: ignore[misc]
            assert self.gradient(lambda x, f=f: f(x, Value(1.0)), 1.0) == 0.5  # type: ignore[misc]
        assert not mg.maximum(x.detach(), y.detach()).requires_grad


class TestSequences:
    @pytest.mark.parametrize("name", sorted(SEQUENCES | LISTS))
    def test_any_iterable_of_numbers_and_values(self, name: str) -> None:
        f = getattr(mg, name)
        expected = f([0.5, 2.0, -1.0])
        mixed = [Value(0.5), 2, -1.0]
        for xs in (tuple(mixed), iter(mixed), dict.fromkeys(mixed)):
            result = f(xs)
            results = result if isinstance(result, list) else [result]
            assert all(isinstance(y, Value) for y in results)
            assert [y.data for y in results] == (
                expected if isinstance(expected, list) else [expected]
            )

    def test_softmax(self) -> None:
        for xs in ([0.5, 2.0, -1.0], [800.0, 801.0, -900.0], [3.0]):
            ps, logs = mg.softmax(xs), mg.log_softmax(xs)
            weights = [math.exp(x - max(xs)) for x in xs]
            assert ps == pytest.approx([w / sum(weights) for w in weights], rel=1e-14, abs=0.0)
            assert logs == pytest.approx([x - mg.logsumexp(xs) for x in xs], rel=1e-13)
            values = [Value(x) for x in xs]
            assert [p.data for p in mg.softmax(values)] == ps
            assert [p.data for p in mg.log_softmax(values)] == logs
            total: Any = mg.logsumexp(values)
            assert total.data == mg.logsumexp(xs)

    def test_softmax_gradient_of_each_entry(self) -> None:
        xs = [0.5, 2.0, -1.0]
        ps = mg.softmax(xs)
        for i, p in enumerate(ps):
            values = [Value(x) for x in xs]
            mg.softmax(values)[i].backward()
            expected = [p * ((i == j) - q) for j, q in enumerate(ps)]
            assert [x.grad for x in values] == pytest.approx(expected, rel=1e-14, abs=0.0)
            for x in values:
                x.grad = 0.0
            mg.log_softmax(values)[i].backward()
            expected = [(i == j) - q for j, q in enumerate(ps)]
            assert [x.grad for x in values] == pytest.approx(expected, rel=1e-14, abs=0.0)

    def test_dot(self) -> None:
        w, v, x, bias = map(Value, (1.0, 2.0, 3.0, 5.0))
        y: Any = mg.dot([w, v], [x, 4.0], bias)
        assert y.data == mg.dot([1, 2], [3, 4], 5) == 16.0
        assert type(mg.dot([1, 2], [3, 4], 5)) is float
        y.backward()
        assert [p.grad for p in (w, v, x, bias)] == [3.0, 4.0, 1.0, 1.0]
        assert mg.dot([], []) == 0.0

    def test_nothing_to_add_or_multiply(self) -> None:
        assert (mg.sum([]), mg.prod([])) == (0.0, 1.0)
        assert mg.hypot() == 0.0

    def test_the_same_value_several_times(self) -> None:
        x = Value(3.0)
        product: Any = mg.prod([x, x, 2.0])
        product.backward()
        assert x.grad == 12.0
        x.grad = 0.0
        sum_of_products: Any = mg.dot([x, x], [x, 1.0], x)
        sum_of_products.backward()
        assert x.grad == 8.0


def test_gelu_variants() -> None:
    for approximate, row in (("none", table.gelu), ("tanh", table.gelu_tanh)):
        x = Value(0.7)
        mg.gelu(x, approximate).backward()
        assert (mg.gelu(0.7, approximate), (x.grad,)) == row.value_and_partials(0.7)
    assert mg.gelu(0.7) == mg.gelu(0.7, "none")
    assert mg.gelu(0.7) != mg.gelu(0.7, "tanh")


def test_the_parameters_of_leaky_relu_and_elu() -> None:
    assert (mg.leaky_relu(-2.0), mg.leaky_relu(-2.0, 0.25)) == (-0.02, -0.5)
    assert mg.elu(-1.0, 2) == 2 * mg.elu(-1.0) == pytest.approx(2 * (math.exp(-1.0) - 1.0))


def test_select_counts_from_0_and_takes_a_value_as_index() -> None:
    xs = [Value(2.0), Value(3.0)]
    assert [mg.select(xs, i).data for i in (0, 1)] == [2.0, 3.0]
    index = Value(1.0)
    mg.select(xs, index).backward()
    assert [xs[0].grad, xs[1].grad, index.grad] == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("f", [mg.clip, mg.elu, mg.leaky_relu])
def test_numbers_of_a_trace_are_plain(f: Any) -> None:
    numbers = (-1.0, 0.5, 2.0) if f is mg.clip else (-1.0, 0.5)
    assert mg.compile(f)(*numbers) == f(*numbers)
