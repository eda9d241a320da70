"""grad, value_and_grad, jacobian, hessian, jvp, vjp, hvp: structures, nesting, misuse, memory."""

import asyncio
import gc
import inspect
import math as standard_math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import inf, isfinite
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import microgradlib as mg
from microgradlib import Value, nn, optim
from microgradlib.errors import ShapeError
from microgradlib.testing import Expression, expressions

point = st.integers(-3000, 3000).map(lambda n: n / 1000)
many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclass(frozen=True)
class Plan:
    rate: float
    name: str = "plan"
    careful: bool = True
    note: str | None = None


def square_sum(xs: Any) -> Any:
    return mg.sum([x * x for x in xs])


def rosenbrock(x: Any) -> Any:
    return mg.sum([100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in pairwise(x)])


def types(x: Any) -> set[type]:
    """Return the types of the numbers in nested lists, tuples and dicts."""
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, list | tuple):
        return set().union(*map(types, x))
    return {Value if isinstance(x, Value) else type(x)}  # on CPython 3.13 some are of a subclass


class TestArguments:
    @pytest.mark.parametrize(
        ("f", "argument", "expected"),
        [
            (lambda x: x**3, 2.0, 12.0),
            (lambda x: x**3, 2, 12.0),
            (square_sum, [1.0, 2], [2.0, 4.0]),
            (square_sum, (1.0, 2.0), (2.0, 4.0)),
            (square_sum, deque([1.0, 2]), deque([2.0, 4.0])),
            (lambda p: p.first * p.second[0], Pair(2.0, [3.0]), Pair(3.0, [2.0])),
            (lambda d: d["a"] * d[1][0], {"a": 2.0, 1: (3.0,)}, {"a": 3.0, 1: (2.0,)}),
            (lambda x: x[0][0] * x[0][1] * x[1], [[2.0, 3.0], 5.0], [[15.0, 10.0], 6.0]),
            (lambda p: p.rate**2, Plan(3.0, "fast"), Plan(6.0, "fast")),
            (lambda x: 1.0, [2.0, {"a": ()}], [0.0, {"a": ()}]),
            (lambda x: 1.0, [], []),
        ],
    )
    def test_the_gradient_has_the_structure_of_the_argument(
        self, f: Any, argument: Any, expected: Any
    ) -> None:
        gradient = mg.grad(f)(argument)
        assert gradient == expected
        assert type(gradient) is type(expected)

    def test_text_and_flags_of_a_dataclass_reach_the_function(self) -> None:
        def f(plan: Plan) -> Any:
            assert (plan.name, plan.careful, plan.note) == ("fast", True, None)
            return plan.rate * 2.0

        assert mg.grad(f)(Plan(3.0, "fast")) == Plan(2.0, "fast")

    def test_argnums(self) -> None:
        def f(x: Any, y: Any, z: Any) -> Any:
            return x * y**2 * z**3

        point = 5.0, 3.0, 2.0
        assert mg.grad(f)(*point) == 72.0
        assert mg.grad(f, 1)(*point) == 240.0
        assert mg.grad(f, -1)(*point) == 540.0
        assert mg.grad(f, (2, 0))(*point) == (540.0, 72.0)
        assert mg.grad(f, [-3, 1])(*point) == (72.0, 240.0)
        assert mg.grad(f, range(3))(*point) == (72.0, 240.0, 540.0)
        assert mg.grad(f, ())(*point) == ()
        assert mg.hessian(f, (0, 1))(*point) == ((0.0, 48.0), (48.0, 80.0))
        assert mg.jacobian(lambda x, y: [x, x * y], argnums=(0, 1))(2.0, 3.0) == [
            (1.0, 0.0),
            (3.0, 2.0),
        ]

    def test_other_arguments_and_keywords_go_along_as_they_are(self) -> None:
        tag = object()

        def f(x: Any, how: object, *, power: int, of: object) -> Any:
            assert how is of is tag
            return x**power

        for derivative in (mg.grad(f), mg.jacobian(f)):
            assert derivative(2.0, tag, power=3, of=tag) == 12.0
        assert mg.value_and_grad(f)(2.0, tag, power=3, of=tag) == (8.0, 12.0)
        assert mg.hessian(f)(2.0, tag, power=3, of=tag) == 12.0

    def test_no_numbers_to_differentiate_in(self) -> None:
        assert mg.jacobian(lambda xs: [mg.sum(xs) + 1.0, 2.0])([]) == [[], []]
        assert mg.grad(mg.sum)([]) == []

    def test_what_aux_depends_on(self) -> None:
        def f(a: Any) -> Any:
            _, aux = mg.grad(lambda x: (x * x, {"ax": a * x, "xx": x * x}), has_aux=True)(5.0)
            return aux["ax"] + aux["xx"]

        assert mg.value_and_grad(f)(3.0) == (40.0, 5.0)
        assert mg.compile(mg.value_and_grad(f))(3.0) == (40.0, 5.0)
        plan = mg.grad(lambda x: (x, Plan(3.0 * x)), has_aux=True)(2.0)[1]
        assert plan == Plan(6.0)
        assert type(plan.rate) is float
        model = nn.Neuron(1)
        assert mg.grad(lambda x: (x, [model]), has_aux=True)(2.0)[1][0] is model

    def test_has_aux(self) -> None:
        def f(x: Any) -> Any:
            return x * x, {"half": x / 2, "all": [x, "text", Pair(x, 1)], "n": 3}

        aux = {"half": 1.5, "all": [3.0, "text", Pair(3.0, 1)], "n": 3}
        assert mg.grad(f, has_aux=True)(3.0) == (6.0, aux)
        value, gradient = mg.value_and_grad(f, has_aux=True)(3.0)
        assert (value, gradient) == ((9.0, aux), 6.0)
        assert types(value[1]["half"]) == {float}
        _, linked = mg.grad(f, has_aux=True)(Value(3.0))
        assert isinstance(linked["half"], Value)

    def test_names_and_docstrings(self) -> None:
        def energy(x: Any) -> Any:
            """Return the energy.

            In joules.
            """
            return x * x

        vars(energy)["unit"] = "joule"  # not that of the derivative
        for kind in ("grad", "value_and_grad", "jacobian", "hessian"):
            derivative = getattr(mg, kind)(energy)
            assert not hasattr(derivative, "unit")
            assert derivative.__name__ == derivative.__qualname__ == f"{kind}_of_energy"
            assert derivative.__module__ == __name__
            assert inspect.signature(derivative) == inspect.signature(energy)
            assert derivative.__doc__ == (
                f"The {kind} of energy.\n\nReturn the energy.\n\nIn joules."
            )
        assert mg.grad(mg.grad(energy)).__name__ == "grad_of_grad_of_energy"
        nameless = mg.grad(nn.Neuron(2))
        assert nameless.__name__ == "grad_of_Neuron"
        assert nameless.__doc__ == "The grad of Neuron."
        assert mg.grad(lambda x: x).__doc__ == "The grad of <lambda>."
        assert mg.grad(float.__abs__).__module__ == "microgradlib.transforms"  # it tells none


def test_an_input_of_infinite_gradient() -> None:
    def f(x: Any) -> Any:
        return 1e308 * x + 1e308 * x

    for call in (lambda: mg.grad(f)(Value(0.5)), lambda: mg.grad(mg.grad(f))(0.5)):
        with pytest.raises(mg.NonFiniteError, match=r"^grad: the gradient with .* is inf"):
            call()


class TestModules:
    def test_the_gradient_is_a_module(self) -> None:
        model = nn.MLP(2, [3, 1], "tanh")

        def loss(model: Any) -> Any:
            return mg.mse_loss(model([0.5, -1.0]), [0.25])

        before = model.state_dict()
        value, gradient = mg.value_and_grad(loss)(model)
        assert type(gradient) is nn.MLP
        expected = loss(model)
        expected.backward()
        assert value == expected.data
        assert [p.data for p in gradient.parameters()] == [p.grad for p in model.parameters()]
        assert model.state_dict() == before
        assert not any(p.requires_grad for p in gradient.parameters())

    def test_methods_among_the_attributes(self) -> None:
        class Steps(nn.Module):
            def __init__(self) -> None:
                self.k = Value(3.0)
                self.steps = [self.scale, {"again": self.scale}]

            def scale(self, x: Any) -> Any:
                return self.k * x

            def forward(self, x: Any) -> Any:
                first, others = self.steps
                return first(others["again"](x))  # type: ignore[operator, index]

        assert mg.grad(lambda m: m(2.0))(Steps()).state_dict() == {"k": 12.0}

    def test_partial_and_compiled_methods_among_the_attributes(self) -> None:
        class Scaled(nn.Module):
            def __init__(self) -> None:
                self.k = Value(2.0)
                self.run: list[Any] = [
                    partial(self.scale, by=5.0),
                    partial(Scaled.scale, self),
                    partial(mg.sum, [self.k, 1.0]),
                    self.doubled,
                    partial(Scaled.scale, self=self, by=self.k),
                ]

            def scale(self, x: Any, by: float = 1.0) -> Any:
                return self.k * x * by

            @mg.compile
            def doubled(self, x: Any) -> Any:
                return self.k * x * 2.0

        def f(m: Any) -> Any:
            return m.run[0](3.0) + m.run[1](1.0) + m.run[2]() + m.run[3](3.0) + m.run[4](x=1.0)

        assert mg.grad(f)(Scaled()).state_dict() == {"k": 15.0 + 1.0 + 1.0 + 6.0 + 4.0}

    def test_lists_and_dicts_of_other_classes(self) -> None:
        class Scaled(list[Value]):
            def __init__(self, *values: Value) -> None:
                super().__init__(values)
                self.scale = 5.0

        class Nest(nn.Module):
            def __init__(self) -> None:
                self.w = Scaled(Value(2.0), Value(3.0))
                self.d = defaultdict(lambda: 7.0, {"a": Value(1.0)})
                self.t = (Value(1.0), 2.0, nn.MSELoss())

            def forward(self) -> Any:
                t = self.t[0] * self.t[1]
                return self.w.scale * (self.w[0] + self.w[1] * self.d["b"]) * self.d["a"] + t

        model = Nest()
        assert mg.grad(lambda m: m())(model).state_dict() == {
            "w": [5.0, 35.0],
            "d.a": 115.0,
            "t.0": 2.0,
        }
        assert list(model.d) == ["a"]

    def test_a_method_of_a_part_before_the_part(self) -> None:
        class Run(nn.Module):
            def __init__(self) -> None:
                part = nn.Neuron(1)
                self.run, self.part = part.forward, part

        model = Run()
        gradient = mg.grad(lambda m: m.run([2.0]))(model)
        assert gradient.state_dict() == {"part.w": [2.0], "part.b": 1.0}

    @pytest.mark.parametrize("wrap", [mg.grad, mg.compile, lambda f: mg.compile(mg.grad(f))])
    def test_a_wrapped_method_among_the_attributes(self, wrap: Any) -> None:
        class Field(nn.Module):
            def __init__(self) -> None:
                self.k = Value(3.0)
                self.activation = mg.tanh
                self.field = wrap(self.energy)

            def energy(self, x: Any) -> Any:
                return self.k * x * x

            def forward(self, x: Any) -> Any:
                return self.field(x)

        with pytest.raises(TypeError) as caught:
            mg.grad(lambda m: m(2.0))(Field())
        assert str(caught.value) == (
            "an attribute of a module wraps the method Field.energy and would use the module's old "
            "parameters; wrap it in forward, where it is called"
        )

    def test_a_wrapped_function_among_the_attributes(self) -> None:
        class Activated(nn.Module):
            def __init__(self) -> None:
                self.k = Value(3.0)
                self.slope = mg.grad(mg.tanh)

            def forward(self, x: Any) -> Any:
                return self.k * self.slope(x)

        assert mg.grad(lambda m: m(0.0))(Activated()).state_dict() == {"k": 1.0}

    def test_two_parameters_of_one_name(self) -> None:
        class Twins(nn.Module):
            def __init__(self) -> None:
                self.d = {0: Value(2.0), "0": Value(3.0)}

        with pytest.raises(mg.StateDictError, match=r"two parameters are named 'd\.0'"):
            mg.grad(lambda m: m.d[0] * m.d["0"])(Twins())
        with pytest.raises(mg.StateDictError, match=r"two parameters are named 'd\.0'"):
            mg.gradcheck_module(Twins(), lambda m: m.d[0] * m.d["0"])  # type: ignore[attr-defined]

    def test_slopes_that_are_the_same_leaf(self) -> None:
        class Pair(nn.Module):
            def __init__(self) -> None:
                self.a, self.b = Value(1.0), Value(5.0)

        def f(c: Any) -> Any:
            gradient = mg.grad(lambda m: m.a * c + m.b * c)(Pair())
            return mg.sum([p * p for p in gradient.parameters()])

        assert mg.value_and_grad(f)(2.0) == (8.0, 8.0)

    def test_shared_frozen_and_nested_parameters(self) -> None:
        class Tied(nn.Module):
            def __init__(self) -> None:
                self.a = Value(2.0)
                neuron = nn.Neuron(1)
                self.layers = [neuron, {"again": self.a, "neuron": neuron}]
                self.pair = Pair(self.a, Value(5.0))
                self.pair.second.requires_grad = False
                self.text = "text"

            def forward(self, x: Any) -> Any:
                return self.a * self.layers[1]["again"] * self.pair.second * x  # type: ignore[index]

        model = Tied()
        gradient = mg.grad(lambda m: m(1.0))(model)
        assert gradient.a is gradient.pair.first is gradient.layers[1]["again"]
        assert gradient.a.data == 20.0
        assert gradient.pair.second.data == 0.0
        assert gradient.text == "text"
        assert gradient.layers[0] is gradient.layers[1]["neuron"]
        assert [p.data for p in gradient.layers[0].w] == [0.0]
        assert (model.a.data, model.a.grad) == (2.0, 0.0)

    def test_a_module_within_a_list_and_beside_a_number(self) -> None:
        neuron = nn.Neuron(1)
        neuron.load_state_dict({"w": [3.0], "b": 1.0})
        (gradient, number), slope = mg.grad(lambda ms, x: ms[0]([x]) * ms[1], (0, 1))(
            [neuron, 2.0], 5.0
        )
        assert ([w.data for w in gradient.w], gradient.b.data) == ([10.0], 2.0)
        assert (number, slope) == (16.0, 6.0)

    def test_the_hessian_of_a_neuron(self) -> None:
        neuron = nn.Neuron(2)
        neuron.load_state_dict({"w": [0.5, -1.0], "b": 0.25})
        hessian = mg.hessian(lambda m: m([2.0, 3.0]) ** 2)(neuron)
        inputs = [2.0, 3.0, 1.0]
        rows = [*hessian.w, hessian.b]
        for row, a in zip(rows, inputs, strict=True):
            assert type(row) is nn.Neuron
            assert [p.data for p in row.parameters()] == [2.0 * a * b for b in inputs]
        (product,) = mg.hvp(lambda m: m([2.0, 3.0]) ** 2, (neuron,), (neuron,))
        total = 0.5 * 2.0 - 1.0 * 3.0 + 0.25
        assert [p.data for p in product.parameters()] == [2.0 * a * total for a in inputs]

    def test_parameters_are_found_at_every_level(self) -> None:
        def cubes(m: Any) -> Any:
            assert len(m.parameters()) == 3
            return mg.sum([p**3 for p in m.parameters()])

        def penalty(m: Any) -> Any:
            return mg.sum([g**2 for g in mg.grad(cubes)(m).parameters()])

        neuron = nn.Neuron(2)
        neuron.load_state_dict({"w": [0.5, -1.0], "b": 0.25})
        neuron.b.requires_grad = False
        # 3 p^2, and then 36 p^3; nothing in what is frozen
        assert mg.grad(cubes)(neuron).state_dict() == {"w": [0.75, 3.0], "b": 0.0}
        assert mg.grad(penalty)(neuron).state_dict() == {"w": [4.5, -36.0], "b": 0.0}
        row = mg.hessian(cubes)(neuron).w[0]
        assert row.state_dict() == {"w": [3.0, 0.0], "b": 0.0}
        # Beside an argument that is a Value the gradient is computed, too.
        beside = mg.grad(lambda m, x: cubes(m) * x, (0, 1))(neuron, Value(2.0))
        assert beside[0].state_dict() == {"w": [1.5, 6.0], "b": 0.0}

    def test_training_by_a_penalty_on_the_slope(self) -> None:
        """The gradient of a model in its input, trained in its parameters by backward()."""
        mg.manual_seed(1)
        model = nn.MLP(1, [4, 1], "tanh", "linear")
        optimizer = optim.Adam(model.parameters(), lr=0.05)

        def slope(x: float) -> Any:
            return mg.grad(lambda x: model([x])[0])(x)

        def penalty() -> Any:
            return mg.mse_loss([slope(x) for x in (-1.0, 0.0, 1.0)], [-1.0, 0.5, 1.0])

        # The slope depends on the parameters; without gradients it is a number.
        assert type(slope(0.5)) is Value
        with mg.no_grad():
            assert type(slope(0.5)) is float

        def objective(model: Any) -> Any:
            slopes = [mg.grad(lambda x: model([x])[0])(x) for x in (-1.0, 0.0, 1.0)]
            return mg.mse_loss(slopes, [-1.0, 0.5, 1.0])

        before = objective(model)
        for _ in range(300):
            gradient = mg.grad(objective)(model)
            optimizer.zero_grad()
            penalty().backward()
            for p, g in zip(model.parameters(), gradient.parameters(), strict=True):
                assert (p.grad or 0.0) == g.data
            optimizer.step()
        assert objective(model) < 1e-3 * before
        assert penalty() == objective(model)

    def test_a_gradient_penalty_by_backward(self) -> None:
        mg.manual_seed(1)
        model = nn.MLP(2, [3, 1], "tanh", "linear")

        def penalty() -> Value:
            x = [Value(0.5), Value(-1.0)]  # where an argument is a Value, so is the gradient
            slopes = mg.grad(lambda x: model(x)[0])(x)
            return mg.sum([s * s for s in slopes])  # type: ignore[return-value]

        penalty().backward()
        gradient = [p.grad for p in model.parameters()]
        for p, expected in zip(model.parameters(), gradient, strict=True):
            h, old = 1e-5, p.data
            p.data = old + h
            high = penalty().data
            p.data = old - h
            low = penalty().data
            p.data = old
            assert expected == pytest.approx((high - low) / (2.0 * h), rel=1e-6, abs=1e-8)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        before = penalty().data
        for _ in range(50):
            optimizer.zero_grad()
            penalty().backward()
            optimizer.step()
        assert penalty().data < 0.2 * before


class TestResults:
    def test_plain_floats_at_the_outermost_level(self) -> None:
        x = [2.0, 3.0]
        for result in (
            mg.grad(rosenbrock)(x),
            mg.value_and_grad(rosenbrock)(x),
            mg.jacobian(lambda x: [x[0] * x[1], x[0], 1])(x),
            mg.hessian(rosenbrock)(x),
            mg.jvp(rosenbrock, (x,), ([1.0, 0.0],)),
            mg.hvp(rosenbrock, (x,), ([1.0, 0.0],)),
            mg.vjp(rosenbrock, x)[0],
            mg.vjp(rosenbrock, x)[1](1.0),
        ):
            assert types(result) == {float}

    def test_values_where_an_argument_is_one(self) -> None:
        x = Value(3.0)
        slope = mg.grad(lambda x: x**3)(x)
        slope.backward()
        assert (slope.data, x.grad) == (27.0, 18.0)
        both = mg.grad(lambda x, y: x * y, (0, 1))(x, 2.0)
        assert types(both) == {Value}
        # One that needs no gradient counts as a number.
        curve = mg.grad(lambda x: x**3)(x.detach())
        assert type(curve) is float
        assert curve == 27.0
        # So does another argument, and a derivative that is constant.
        assert type(mg.grad(lambda x, y: x * y)(2.0, x)) is Value
        assert type(mg.grad(lambda x: 3.0 * x)(x)) is Value
        with mg.no_grad():
            assert type(mg.grad(lambda x: x**3)(x)) is float

    def test_values_among_tangents_and_cotangents(self) -> None:
        t = Value(2.0)
        _, derivative = mg.jvp(lambda x: x**2, (3.0,), (t,))
        derivative.backward()
        assert (derivative.data, t.grad) == (12.0, 6.0)
        _, pullback = mg.vjp(lambda x: [x**2, x], 3.0)
        c = Value(5.0)
        (result,) = pullback([c, 1.0])
        result.backward()
        assert (result.data, c.grad) == (31.0, 6.0)

    def test_leaves_of_the_caller_are_not_touched(self) -> None:
        x, w = Value(3.0), Value(2.0)
        x.grad, w.grad = 7.0, 8.0
        mg.grad(lambda x: x * w)(x)
        mg.hessian(lambda x: x * w * x)(3.0)
        mg.jvp(lambda x: x * w, (x,), (1.0,))
        assert (x.grad, w.grad) == (7.0, 8.0)

    def test_labels_show_in_errors(self) -> None:
        speed = Value(0.0, label="speed")
        with mg.no_grad(), pytest.raises(mg.NonFiniteError, match=r"sqrt\(speed\)"):
            mg.grad(mg.sqrt)(speed)

    def test_outputs_that_are_inputs_constants_or_repeated(self) -> None:
        def f(x: Any) -> Any:
            y = x * x
            return [x, y, y, 5.0, Value(2.0).detach()]

        column = [1.0, 6.0, 6.0, 0.0, 0.0]
        assert mg.jacobian(f)(3.0) == column  # forward
        assert mg.jvp(f, (3.0,), (1.0,)) == ([3.0, 9.0, 9.0, 5.0, 2.0], column)
        _, pullback = mg.vjp(f, 3.0)
        assert pullback([1.0, 1.0, 1.0, 1.0, 1.0]) == (13.0,)
        assert pullback([0.0, 0.0, 2.0, 1.0, 1.0]) == (12.0,)
        assert mg.jacobian(lambda x: x[0])([3.0, 4.0]) == [1.0, 0.0]  # reverse
        assert mg.jacobian(lambda x: {"a": x, "b": (x,)})(3.0) == {"a": 1.0, "b": (1.0,)}

    def test_a_number_is_not_taken_for_a_value_of_the_same_hash(self) -> None:
        def f(x: Any) -> Any:
            y = x * 1.0
            y.data = float(hash(y))
            return [y, y.data]

        assert mg.jvp(f, (3.0,), (1.0,))[1] == [1.0, 0.0]

    def test_a_pullback_may_be_called_several_times(self) -> None:
        outputs, pullback = mg.vjp(lambda x, y: [x * y, x + y], 2.0, 3.0)
        assert outputs == [6.0, 5.0]
        for _ in range(3):
            assert pullback([1.0, 0.0]) == (3.0, 2.0)
            assert pullback([0.0, 1.0]) == (1.0, 1.0)
        assert pullback([0.0, 0.0]) == (0.0, 0.0)

    @pytest.mark.parametrize(("m", "n"), [(2, 5), (5, 2), (3, 3)])
    def test_the_jacobian_is_the_same_both_ways(self, m: int, n: int) -> None:
        def f(x: Any) -> Any:
            return [mg.sin((i + 1) * x[i % n]) * x[(i + 1) % n] for i in range(m)]

        x = [0.3 * i - 0.5 for i in range(n)]
        jacobian = mg.jacobian(f)(x)
        units = [[float(i == j) for j in range(n)] for i in range(n)]
        columns = [mg.jvp(f, (x,), (unit,))[1] for unit in units]
        _, pullback = mg.vjp(f, x)
        rows = [pullback([float(i == j) for j in range(m)])[0] for i in range(m)]
        for i in range(m):
            assert jacobian[i] == pytest.approx(rows[i], rel=1e-14)
            assert jacobian[i] == pytest.approx([column[i] for column in columns], rel=1e-14)

    def test_a_square_jacobian_is_computed_backward(self) -> None:
        def f(x: Any) -> Any:
            return x * 0.1 * 0.2 * 0.3  # backward and forward round differently

        assert mg.jacobian(f)(1.0) == mg.grad(f)(1.0) != mg.jvp(f, (1.0,), (1.0,))[1]

    def test_a_derivative_that_depends_on_leaves_is_a_value(self) -> None:
        w = Value(2.0)
        for derivative in (mg.grad(lambda x: x * w), lambda x: mg.jvp(lambda x: x * w, (x,), (1,))):
            assert types(mg.compile(derivative)(3.0)) == types(derivative(3.0)) == {Value}

    def test_a_zero_has_the_same_sign_in_a_compiled_function(self) -> None:
        derivative = mg.grad(lambda x: x * -0.0)
        assert repr(mg.compile(derivative)(1.0)) == repr(derivative(1.0))


def one(x: Any) -> Any:
    return mg.grad(lambda y: x * y)(x)


class TestNesting:
    """Perturbation confusion and other traps: Siskind and Pearlmutter (2005)."""

    @pytest.mark.parametrize(
        ("f", "x", "expected"),
        [
            (lambda x: x * mg.grad(lambda y: x + y)(1.0), 3.0, 1.0),
            (lambda x: x * mg.grad(lambda y: x * y)(2.0), 3.0, 6.0),
            (lambda x: mg.grad(lambda y: x * y)(x), 3.0, 1.0),
            (lambda x: x * mg.grad(lambda y: x * y**2)(x), 3.0, 54.0),  # x * 2x^2
            (lambda x: mg.jvp(lambda y: x * y, (x,), (1.0,))[1], 3.0, 1.0),
            (lambda x: mg.jvp(lambda y: x * y, (2.0,), (x,))[1], 3.0, 6.0),
            (lambda x: mg.vjp(lambda y: x * y, x)[1](x)[0], 3.0, 6.0),
            (lambda x: x * mg.jvp(lambda y: x + y, (1.0,), (1.0,))[1], 3.0, 1.0),
            (lambda x: mg.hessian(lambda y: x * y**2)(x), 3.0, 2.0),
            (lambda x: mg.hvp(lambda y: x * y**3, (x,), (1.0,))[0], 3.0, 36.0),  # 6x^2
            (lambda x: mg.jacobian(lambda y: [y * x, y**2])(x)[0], 3.0, 1.0),
            (lambda x: mg.jacobian(lambda y: [y[0] * x * y[1]])([x, x])[0][0], 3.0, 6.0),
            (lambda x: mg.value_and_grad(lambda y: x * y)(x)[0], 3.0, 6.0),
            (mg.grad(mg.grad(lambda x: x**4)), 3.0, 72.0),
        ],
    )
    def test_inner_and_outer_derivatives_do_not_mix(
        self, f: Callable[..., Any], x: float, expected: float
    ) -> None:
        assert mg.grad(f)(x) == expected
        assert mg.jvp(f, (x,), (1.0,))[1] == expected
        assert mg.vjp(f, x)[1](1.0) == (expected,)
        assert mg.jacobian(f)(x) == expected

    def test_three_levels(self) -> None:
        def f(x: Any) -> Any:
            return mg.grad(lambda y: mg.grad(lambda z: x * y * z * z)(y))(x)

        # d/dy of 2 x y^2 at y = x is 4 x^2
        assert f(3.0) == 36.0
        assert mg.grad(f)(3.0) == 24.0
        assert mg.grad(mg.grad(f))(3.0) == 8.0

    def test_an_inner_derivative_that_depends_on_nothing_outside_is_a_float(self) -> None:
        seen = []

        def f(x: Any) -> Any:
            inner = mg.grad(lambda y: y * y)(2.0)
            seen.append(type(inner))
            return x * inner

        assert mg.grad(f)(3.0) == 4.0
        assert seen == [float]

    def test_an_outer_variable_at_the_outermost_level(self) -> None:
        w = Value(2.0)
        assert mg.grad(lambda x: w * x**2)(3.0) == 12.0
        assert w.grad == 0.0

    def test_in_a_loop_and_a_branch(self) -> None:
        def f(x: Any) -> Any:
            for _ in range(3):
                if x > 1.0:
                    x = x - mg.grad(lambda y: 0.125 * y**2)(x)  # x * 3/4
                else:
                    x = x * mg.hessian(lambda y: y**3)(x)  # 6 x^2
            return x

        assert f(4.0) == 4.0 * 0.75**3
        assert mg.grad(f)(4.0) == 0.75**3
        # 1.2 -> 0.9 -> 4.86 -> 3.645: x * 3/4, then 6 x^2, then x * 3/4
        assert mg.grad(f)(1.2) == pytest.approx(0.75 * 12.0 * 0.9 * 0.75)

    @pytest.mark.parametrize("x", [0.0, -0.0, 2.0, -3.0])
    def test_orders_beyond_the_degree_are_zero(self, x: float) -> None:
        for f in (lambda x: x**2, lambda x: x * x, lambda x: x**2.0, lambda x: mg.mse_loss(x, 0.0)):
            d1 = mg.grad(f)
            d2 = mg.grad(d1)
            d3 = mg.grad(d2)
            assert (d1(x), d2(x), d3(x), mg.grad(d3)(x)) == (2.0 * x, 2.0, 0.0, 0.0)

    def test_powers_of_a_variable_exponent(self) -> None:
        d = mg.grad(mg.grad(lambda n: 2.0**n))
        assert d(3.0) == pytest.approx(8.0 * standard_math.log(2.0) ** 2, rel=1e-15)

    def test_under_no_grad_and_in_a_no_grad_function(self) -> None:
        with mg.no_grad():
            assert mg.grad(mg.grad(lambda x: x**3))(2.0) == 12.0
            assert mg.hessian(rosenbrock)([1.0, 2.0]) == mg.hessian(rosenbrock)([1.0, 2.0])
            assert mg.jvp(mg.sin, (0.0,), (2.0,)) == (0.0, 2.0)
            assert mg.grad(one)(3.0) == 1.0
            assert not mg.modes.recording()

        @mg.no_grad()
        def constant(x: Any) -> Any:
            return x * x

        assert mg.grad(lambda x: x * constant(x))(3.0) == 9.0

    def test_threads(self) -> None:
        def work(n: int) -> Any:
            for _ in range(20):
                result = mg.grad(lambda x: x * mg.grad(lambda y: x**n * y**n)(x))(1.5)
            return result

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(work, range(2, 10)))
        assert results == [work(n) for n in range(2, 10)]
        # x * n x^(2n - 1) has the slope 2 n^2 x^(2n - 1)
        assert results == pytest.approx([2 * n**2 * 1.5 ** (2 * n - 1) for n in range(2, 10)])

    def test_tasks(self) -> None:
        async def inner(x: Any, pause: float) -> Any:
            await asyncio.sleep(pause)
            result = mg.grad(lambda y: x * y**2)(x)
            await asyncio.sleep(pause)
            return result

        async def outer() -> list[Any]:
            with mg.no_grad():
                blocked = asyncio.create_task(inner(Value(2.0), 0.002))
            tasks = [asyncio.create_task(inner(Value(float(n)), 0.001 * n)) for n in range(4)]
            return [await task for task in (blocked, *tasks)]

        blocked, *free = asyncio.run(outer())
        assert (type(blocked), blocked) == (float, 8.0)
        assert all(isinstance(x, Value) for x in free)
        assert [x.data for x in free] == [2.0 * n * n for n in range(4)]


def test_a_backward_pass_within_must_be_recorded() -> None:
    def f(x: Value, **how: Any) -> Any:
        (x**3).backward(**how)
        return x.grad

    with pytest.raises(mg.GradientError) as caught:
        mg.grad(f)(2.0)
    assert str(caught.value) == (
        "backward: the result depends on an argument of a function that is being differentiated, "
        "and its gradients would count as constants; use create_graph=True, or grad"
    )
    assert mg.grad(f)(2.0, create_graph=True) == 12.0
    with pytest.raises(mg.GradientError, match=r"^backward: the result depends"):
        mg.jvp(f, (2.0,), (1.0,))

    def solve(x: Value) -> Value:
        w = Value(0.0)
        for _ in range(100):  # for w = x, and no longer
            ((w - x.data) ** 2).backward()
            w.data, w.grad = w.data - 0.25 * w.grad, 0.0
        return w.data * x

    assert mg.grad(solve)(2.0) == 2.0


def test_names_of_functions_may_be_anything() -> None:
    class Cube:
        __name__ = 3

        def __call__(self, x: Any) -> Any:
            return x**3

    assert mg.grad(Cube())(2.0) == mg.hessian(Cube())(2.0) == 12.0
    with pytest.raises(TypeError, match=r"^hessian: argnums=0 but 3 got 0 "):
        mg.hessian(Cube())()


class TestNonFinite:
    @pytest.mark.parametrize(
        ("name", "call"),
        [
            ("grad", lambda: mg.grad(mg.sqrt)(0.0)),
            ("value_and_grad", lambda: mg.value_and_grad(mg.sqrt)(0.0)),
            ("jacobian", lambda: mg.jacobian(lambda x: [mg.sqrt(x), x])(0.0)),
            ("jacobian", lambda: mg.jacobian(lambda x: mg.sqrt(x[0]) + x[1])([0.0, 1.0])),
            ("jvp", lambda: mg.jvp(mg.sqrt, (0.0,), (1.0,))),
            ("vjp", lambda: mg.vjp(mg.sqrt, 0.0)[1](1.0)),
            ("grad", lambda: mg.grad(lambda x: x * 1e308 * 10.0)(1.0)),
            ("jvp", lambda: mg.jvp(lambda x: x * 1e308 * 10.0, (1.0,), (1.0,))),
            ("hessian", lambda: mg.hessian(mg.sqrt)(0.0)),
            ("hvp", lambda: mg.hvp(lambda x: x**1.5, (0.0,), (1.0,))),
            ("grad", lambda: mg.grad(mg.grad(lambda x: x**1.5))(0.0)),
        ],
    )
    def test_refused_or_allowed(self, name: str, call: Callable[[], Any]) -> None:
        with pytest.raises(FloatingPointError, match=f"^{name}: .*use allow_nonfinite"):
            call()
        with mg.allow_nonfinite():
            result = call()
        flat = [result]
        while any(isinstance(x, list | tuple) for x in flat):
            flat = [y for x in flat for y in (x if isinstance(x, list | tuple) else [x])]
        assert not all(map(isfinite, flat))

    def test_a_direction_that_avoids_the_singularity(self) -> None:
        assert mg.jvp(lambda x, y: mg.sqrt(x) + y, (0.0, 1.0), (0.0, 2.0)) == (1.0, 2.0)
        assert mg.vjp(lambda x, y: [mg.sqrt(x), y], 0.0, 1.0)[1]([0.0, 3.0]) == (0.0, 3.0)

    def test_what_was_computed_before_is_not_blamed(self) -> None:
        x = mg.sqrt(Value(0.0))  # its derivative is infinite
        with pytest.raises(mg.NonFiniteError, match=r"^jvp: the value of 1e\+308 \* 10.0 is inf "):
            mg.jvp(lambda x: (x + 1.0) * 1e308 * 10.0, (x,), (1.0,))

    def test_every_derivative_within_a_compiled_function_is_looked_at(self) -> None:
        def f(x: Any) -> Any:
            return mg.minimum(mg.grad(mg.sqrt)(x), 1.0) + mg.grad(lambda x: 3.0 * x)(x)

        for g in (f, mg.compile(f)):
            assert g(4.0) == 3.25
            with pytest.raises(mg.NonFiniteError, match=r"derivative of sqrt\(0.0\)"):
                g(0.0)

    def test_the_second_derivative_of_a_norm_at_its_kink_is_refused(self) -> None:
        assert mg.grad(lambda x: mg.hypot(*x))([0.0, 0.0]) == [0.0, 0.0]
        with pytest.raises(mg.NonFiniteError):
            mg.hessian(lambda x: mg.hypot(*x))([0.0, 0.0])


def f(x: Any) -> Any:
    return x * x


NUMBERS = "a number, or a list, tuple or dict of numbers"
anything: Any = mg
MISUSE: list[tuple[Callable[[], object], type[Exception], str]] = [
    (
        lambda: mg.grad(f)("3"),
        TypeError,
        f"grad: argument 0: expected {NUMBERS}, got '3'; convert it with float()",
    ),
    (
        lambda: mg.grad(f)([1.0, True]),
        TypeError,
        "grad: argument 0[1]: expected a number, got True; pass a float",
    ),
    (
        lambda: mg.jacobian(f)({"a": None}),
        TypeError,
        f"jacobian: argument 0['a']: expected {NUMBERS}, got None; pass a float",
    ),
    (
        lambda: mg.grad(f)(b"3"),
        TypeError,
        f"grad: argument 0: expected {NUMBERS}, got b'3'; call it on each element",
    ),
    (
        lambda: mg.grad(f)({1.0}),
        TypeError,
        f"grad: argument 0: expected {NUMBERS}, got {{1.0}}; call it on each element",
    ),
    (
        lambda: mg.grad(f)(10**400),
        OverflowError,
        "grad: argument 0: an int is too large for a float",
    ),
    (
        lambda: anything.grad(f, "0"),
        TypeError,
        "grad: argnums must be an int or a tuple of ints, got '0'",
    ),
    (
        lambda: anything.grad(f, 0.0),
        TypeError,
        "grad: argnums must be an int or a tuple of ints, got 0.0",
    ),
    (
        lambda: anything.jacobian(f, "0"),
        TypeError,
        "jacobian: argnums must be an int or a tuple of ints, got '0'",
    ),
    (
        lambda: anything.hessian(f, (0, True)),
        TypeError,
        "hessian: argnums must be an int or a tuple of ints, got (0, True)",
    ),
    (
        lambda: anything.value_and_grad(f, None),
        TypeError,
        "value_and_grad: argnums must be an int or a tuple of ints, got None",
    ),
    (
        lambda: mg.grad(f, 1)(2.0),
        TypeError,
        "grad: argnums=1 but f got 1 positional arguments; pass what is differentiated by position",
    ),
    (
        lambda: mg.grad(f)(x=2.0),
        TypeError,
        "grad: argnums=0 but f got 0 positional arguments; pass what is differentiated by position",
    ),
    (
        lambda: mg.jacobian(f, (0, -2))(2.0),
        TypeError,
        (
            "jacobian: argnums=(0, -2) but f got 1 positional arguments; pass what is "
            "differentiated by position"
        ),
    ),
    (
        lambda: mg.grad(f, (0, -1))(2.0),
        ValueError,
        "grad: argnums=(0, -1) names an argument twice",
    ),
    *[
        (
            lambda kind=kind: getattr(mg, kind)(4.0),  # type: ignore[misc]
            TypeError,
            f"{kind}: f must be a function, got 4.0; pass f itself, not its result",
        )
        for kind in ("grad", "value_and_grad", "jacobian", "hessian", "vjp")
    ],
    *[
        (
            lambda kind=kind: getattr(mg, kind)(None, (), ()),  # type: ignore[misc]
            TypeError,
            f"{kind}: f must be a function, got None; pass f itself, not its result",
        )
        for kind in ("jvp", "hvp")
    ],
    (
        lambda: mg.grad(lambda x: [x, x])(2.0),
        TypeError,
        (
            "grad: <lambda> must return a number or a Value, got [Value(data=2.0, grad=0.0), "
            "Value(data=2.0, grad=0.0)]; use jacobian for several outputs"
        ),
    ),
    (
        lambda: mg.value_and_grad(lambda x: (x,))(2.0),
        TypeError,
        (
            "value_and_grad: <lambda> must return a number or a Value, got "
            "(Value(data=2.0, grad=0.0),); use jacobian for several outputs"
        ),
    ),
    (
        lambda: mg.hessian(f)("1"),
        TypeError,
        f"hessian: argument 0: expected {NUMBERS}, got '1'; convert it with float()",
    ),
    (
        lambda: mg.hessian(f)(),
        TypeError,
        (
            "hessian: argnums=0 but f got 0 positional arguments; pass what is differentiated by "
            "position"
        ),
    ),
    *[
        (
            call,
            TypeError,
            (
                f"{kind}: <lambda> must return a number or a Value, got [Value(data=2.0, grad=0.0)]"
                "; use jacobian for several outputs"
            ),
        )
        for kind, call in (
            ("hessian", lambda: mg.hessian(lambda x: [x])(2.0)),
            ("hvp", lambda: mg.hvp(lambda x: [x], (2.0,), (1.0,))),
        )
    ],
    (
        lambda: mg.grad(lambda x: "text")(2.0),
        TypeError,
        f"grad: the result of <lambda>: expected {NUMBERS}, got 'text'; convert it with float()",
    ),
    (
        lambda: mg.grad(lambda x: None)(2.0),
        TypeError,
        f"grad: the result of <lambda>: expected {NUMBERS}, got None; pass a float",
    ),
    (
        lambda: mg.jvp(lambda x: [x, None], (2.0,), (1.0,)),
        TypeError,
        f"jvp: the result of <lambda>[1]: expected {NUMBERS}, got None; pass a float",
    ),
    (
        lambda: mg.grad(f, has_aux=True)(2.0),
        TypeError,
        (
            "grad: with has_aux=True, f must return a pair (result, aux), got "
            "Value(data=4.0, grad=0.0)"
        ),
    ),
    (
        lambda: mg.grad(lambda x: (x, 1, 2), has_aux=True)(2.0),
        TypeError,
        (
            "grad: with has_aux=True, <lambda> must return a pair (result, aux), got "
            "(Value(data=2.0, grad=0.0), 1, 2)"
        ),
    ),
    (
        lambda: mg.jvp(f, ([1.0, 2.0],), ([1.0],)),
        ShapeError,
        "jvp: tangents must have the structure of primals, got ([1.0],) for ([1.0, 2.0],)",
    ),
    (
        lambda: mg.hvp(f, (1.0,), ()),
        ShapeError,
        "hvp: tangents must have the structure of primals, got () for (1.0,)",
    ),
    (
        lambda: mg.hvp(f, ({"a": 1.0},), ({"b": 1.0},)),
        ShapeError,
        "hvp: tangents must have the structure of primals, got ({'b': 1.0},) for ({'a': 1.0},)",
    ),
    (
        lambda: mg.vjp(lambda x: [x, 7.0], 1.0)[1]([1.0]),
        ShapeError,
        (
            "vjp: cotangents must have the structure of outputs, got [1.0] for "
            "[Value(data=1.0, grad=0.0), 7.0]"
        ),
    ),
    *[
        (
            lambda kind=kind: getattr(mg, kind)(f, 1.0, (1.0,)),  # type: ignore[misc]
            TypeError,
            f"{kind}: primals must be a tuple, one entry for each argument, got 1.0",
        )
        for kind in ("jvp", "hvp")
    ],
    *[
        (
            lambda kind=kind: getattr(mg, kind)(f, (1.0,), 1.0),  # type: ignore[misc]
            TypeError,
            f"{kind}: tangents must be a tuple, one entry for each argument, got 1.0",
        )
        for kind in ("jvp", "hvp")
    ],
    (
        lambda: mg.jvp(f, ("1",), (1.0,)),
        TypeError,
        f"jvp: primals[0]: expected {NUMBERS}, got '1'; convert it with float()",
    ),
    (
        lambda: mg.jvp(f, (1.0,), ("1",)),
        TypeError,
        f"jvp: tangents[0]: expected {NUMBERS}, got '1'; convert it with float()",
    ),
    (
        lambda: mg.vjp(f, 1.0)[1]("1"),
        TypeError,
        f"vjp: cotangents: expected {NUMBERS}, got '1'; convert it with float()",
    ),
    (
        lambda: mg.vjp(f, "1"),
        TypeError,
        f"vjp: argument 0: expected {NUMBERS}, got '1'; convert it with float()",
    ),
    (
        lambda: mg.grad(mg.sqrt)(0.0),
        mg.NonFiniteError,
        (
            "grad: the derivative of sqrt(0.0) with respect to 0.0 is inf; use allow_nonfinite() "
            "to accept such results"
        ),
    ),
]


@pytest.mark.parametrize(("mistake", "kind", "message"), MISUSE, ids=[row[2] for row in MISUSE])
def test_misuse(mistake: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        mistake()
    assert type(caught.value) is kind
    assert str(caught.value) == message
    assert mg.modes.recording()
    assert not mg.modes.nested()


def test_an_exception_of_the_function_passes_through() -> None:
    def fails(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        mg.grad(fails)(1.0)
    assert not mg.modes.nested()
    with mg.no_grad():
        with pytest.raises(KeyError):
            mg.grad(fails)(1.0)
        assert not mg.modes.recording()


# Memory.


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def count_values() -> int:
    return sum(issubclass(type(x), Value) for x in gc.get_objects())


@pytest.mark.usefixtures("collector_off")
@pytest.mark.parametrize(
    "call",
    [
        lambda: mg.grad(rosenbrock)([1.0, 2.0, 3.0]),
        lambda: mg.value_and_grad(rosenbrock)([1.0, 2.0, 3.0]),
        lambda: mg.jacobian(lambda x: [x[0] * x[1], x[0], x[1], 1.0])([1.0, 2.0]),
        lambda: mg.hessian(rosenbrock)([1.0, 2.0, 3.0]),
        lambda: mg.hvp(rosenbrock, ([1.0, 2.0, 3.0],), ([1.0, 0.0, 0.0],)),
        lambda: mg.jvp(rosenbrock, ([1.0, 2.0, 3.0],), ([1.0, 0.0, 0.0],)),
        lambda: mg.vjp(rosenbrock, [1.0, 2.0, 3.0])[1](1.0),
        lambda: mg.grad(one)(3.0),
        lambda: mg.grad(lambda m: m([1.0])[0])(nn.Layer(1, 1)),
    ],
)
def test_nothing_is_left_behind(call: Callable[[], Any]) -> None:
    call()
    gc.collect()
    before = count_values()
    for _ in range(200):
        call()
    assert count_values() == before
    assert gc.collect() == 0


# Properties, on random expressions.


def smooth(f: Expression) -> bool:
    """Whether f has no kink or jump that its second derivatives would miss."""
    steps = str(f)
    kinks = ("abs(", "relu(", "maximum(", "minimum(", "clip(", "where(", "elu(", "hypot(")
    kinks += ("copysign(", "fmod(", "remainder(", " % ")
    return not any(kink in steps for kink in kinks)


@many
@given(expressions(inputs=2), point, point)
def test_grad_is_backward_bit_for_bit(f: Expression, x: float, y: float) -> None:
    xs = Value(x), Value(y)
    with mg.allow_nonfinite():
        result = f(*xs)
        if isinstance(result, Value):
            result.backward()
        value, gradient = mg.value_and_grad(f, (0, 1))(x, y)
    assert value == (result.data if isinstance(result, Value) else result)
    assert list(map(repr, gradient)) == [repr(v.grad) for v in xs]


@many
@given(expressions(inputs=2), expressions(inputs=2), *[point] * 2, *[st.floats(-3.0, 3.0)] * 4)
def test_forward_and_reverse_mode_agree(
    f: Expression, g: Expression, x: float, y: float, a: float, b: float, c: float, d: float
) -> None:
    def both(x: Any, y: Any) -> Any:
        return [f(x, y), g(x, y)]

    outputs, (u, v) = mg.jvp(both, (x, y), (a, b))
    same, pullback = mg.vjp(both, x, y)
    s, t = pullback([c, d])
    assert outputs == same == both(x, y)
    scale = abs(c * u) + abs(d * v) + abs(s * a) + abs(t * b) + 1.0
    rows = mg.jacobian(both, (0, 1))(x, y)
    scale += sum(abs(entry) for row in rows for entry in row) * 10.0
    assert abs((c * u + d * v) - (s * a + t * b)) <= 1e-12 * scale


@many
@given(expressions(inputs=2), point, point)
def test_the_hessian_is_symmetric_and_hvp_is_its_product(f: Expression, x: float, y: float) -> None:
    with mg.allow_nonfinite():
        (xx, xy), (yx, yy) = mg.hessian(f, (0, 1))(x, y)
        products = mg.hvp(f, (x, y), (2.0, -3.0))
    assume(all(map(isfinite, (xx, xy, yx, yy))))
    scale = 1.0 + abs(xx) + abs(xy) + abs(yy)
    assert xy == pytest.approx(yx, abs=1e-10 * scale)
    assert products == pytest.approx((2.0 * xx - 3.0 * xy, 2.0 * yx - 3.0 * yy), abs=1e-10 * scale)


@many
@given(expressions(inputs=2), point, point)
def test_the_hessian_against_differences_of_the_gradient(f: Expression, x: float, y: float) -> None:
    assume(smooth(f))
    with mg.allow_nonfinite():
        (xx, _), (yx, _) = mg.hessian(f, (0, 1))(x, y)
        assume(isfinite(xx) and isfinite(yx))
        g = mg.grad(f, (0, 1))
        ladders = []
        for h in (1e-3, 5e-4, 2.5e-4):
            high, low = g(x + h, y), g(x - h, y)
            ladders.append([(p - q) / (2.0 * h) for p, q in zip(high, low, strict=True)])
    for i, exact in enumerate((xx, yx)):
        coarse, middle, fine = (row[i] for row in ladders)
        first, second = (4.0 * middle - coarse) / 3.0, (4.0 * fine - middle) / 3.0
        error = abs(second - first)
        assume(error <= 1e-6 * (1.0 + abs(second)))  # else the steps are too coarse
        assert exact == pytest.approx(second, rel=1e-5, abs=1e-6 + 10.0 * error), f"{f}"


def test_infinite_inputs_pass_where_the_result_is_finite() -> None:
    assert mg.grad(mg.tanh)(inf) == 0.0
    assert mg.hessian(mg.sigmoid)(inf) == 0.0


def test_a_module_that_is_part_of_another_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            self.first = nn.Neuron(1)
            self.second = self.first

        def forward(self, x: Any) -> Any:
            return self.second([self.first([x])])

    model = Twice()
    w, b = model.first.w[0].data, model.first.b.data
    gradient = mg.grad(lambda m: m(3.0))(model)
    assert gradient.second is gradient.first
    assert gradient.first.w[0].data == pytest.approx(2.0 * w * 3.0 + b)


# The right values of programs that other libraries, or earlier versions of this one, get wrong.


def test_a_loss_keeps_the_derivatives_of_what_it_closes_over() -> None:
    w = Value(3.0)
    residual = mg.grad(lambda x: w * x**2)(2.0) - 10.0
    (residual**2 + 0.5 * w**2).backward()
    assert w.grad == 19.0


def test_the_loss_of_a_differential_equation() -> None:
    mg.manual_seed(0)
    model = nn.MLP(1, [6, 1], "tanh", "linear")
    points = [0.0, 0.5, 1.0, 1.5]

    def loss(model: Any) -> Any:
        def u(x: Any) -> Any:
            return model([x])[0]

        residuals = [mg.grad(mg.grad(u))(x) + u(x) for x in points]
        start = [u(0.0), mg.grad(u)(0.0)]
        return mg.mse_loss(residuals, [0.0] * 4) + mg.mse_loss(start, [0.0, 1.0])

    mg.gradcheck_module(model, loss)
    compiled = mg.compile(lambda: loss(model))
    assert compiled() == loss(model)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(1000):
        optimizer.zero_grad()
        compiled().backward()
        optimizer.step()
    assert loss(model) < 1e-3


def squared_tangent(v: Any) -> Any:
    return mg.jvp(lambda a: a**2, (3.0,), (v,))[1]


def pulled_back(c: Any) -> Any:
    return mg.vjp(lambda x: x**3, 2.0)[1](c)[0] * c


def product(v: Any) -> Any:
    return mg.sum(mg.hvp(lambda x: x[0] ** 2 * x[1], ([3.0, 2.0],), (v,))[0])


@pytest.mark.parametrize(
    ("f", "at", "right"),
    [
        (squared_tangent, 2.0, 6.0),
        (pulled_back, 2.0, 48.0),
        (product, [1.0, 2.0], [10.0, 6.0]),
        (lambda a: mg.grad(lambda a: 0.0**a)(a), 0.5, 0.0),
        (lambda p: mg.grad(lambda p: p[0] * 0.0 ** p[1])(p)[1], [2.0, 0.5], [0.0, 0.0]),
    ],
)
def test_gradients_through_tangents_and_powers_of_zero(f: Any, at: Any, right: Any) -> None:
    assert mg.grad(f)(at) == right
    assert mg.compile(mg.grad(f))(at) == right
    assert types(mg.compile(mg.grad(f))(at)) == {float}


def reset(x: Value, **how: Any) -> Any:
    y = x**3
    y.backward(**how)
    gradient, x.grad = x.grad, 0.0
    return gradient * x


def at_rest(x: Value) -> Any:
    (x * 0.0).backward()
    return x * x


def trained(x: Value) -> Any:
    w = Value(1.0)
    ((w - x) ** 2).backward()
    optim.SGD([w], lr=0.5).step()
    return w * x


@pytest.mark.parametrize("f", [reset, at_rest, trained])
def test_gradients_that_backward_would_write_are_refused(f: Any) -> None:
    for derivative in (mg.grad(f), mg.grad(mg.grad(f)), lambda x: mg.jvp(f, (x,), (1.0,))):
        with pytest.raises(mg.GradientError, match=r"^backward: the result"):
            derivative(2.0)
        with pytest.raises(mg.GradientError, match=r"^backward: the result"):
            derivative(Value(2.0))
    assert mg.grad(reset)(2.0, create_graph=True) == 36.0


@pytest.mark.parametrize(
    "f", [lambda x: abs(x) ** 2, lambda x: mg.maximum(x, -x) ** 2, lambda x: mg.hypot(x, 0.0) ** 2]
)
def test_second_derivatives_at_a_kink_are_refused(f: Any) -> None:
    assert mg.grad(f)(0.0) == 0.0
    assert mg.grad(mg.grad(f))(0.5) == 2.0
    for second in (mg.grad(mg.grad(f)), mg.compile(mg.grad(mg.grad(f))), mg.hessian(f)):
        with pytest.raises(mg.NonFiniteError, match="is nan"):
            second(0.0)


def test_the_second_derivative_of_a_branch_that_is_chosen() -> None:
    def root(x: Any) -> Any:
        return mg.where(x > 0.0, mg.sqrt(x), 0.0)

    square = mg.grad(mg.grad(lambda x: mg.maximum(x, 2.0 * x + 1.0) ** 2))
    assert (square(0.0), mg.compile(square)(0.0)) == (8.0, 8.0)
    for f in (mg.relu, lambda x: mg.maximum(x, 0.0), lambda x: mg.clip(x, 0.0, 1.0), root):
        second = mg.grad(mg.grad(lambda x, f=f: f(x) ** 2))
        assert (second(0.0), mg.compile(second)(0.0)) == (0.0, 0.0)


@pytest.mark.parametrize("number", [inf, -inf, float("nan")])
def test_a_plain_result_that_is_not_finite_is_refused(number: float) -> None:
    for f in (lambda x: number, lambda x: [x, number]):
        for derivative in (mg.jacobian(f), lambda x, f=f: mg.jvp(f, (x,), (1.0,))):
            for way in (derivative, mg.compile(derivative)):
                with pytest.raises(mg.NonFiniteError, match=r"the result of .* is .*; use allow_n"):
                    way(1.0)
    with mg.allow_nonfinite():
        assert repr(mg.value_and_grad(lambda x: number)(1.0)) == repr((number, 0.0))
