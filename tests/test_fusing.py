"""Fused nodes: the same numbers as operation by operation, and the same graph to who looks."""

import copy
import pickle
from collections.abc import Callable, Iterator
from enum import StrEnum
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value, optim, value
from microgradlib.nn import ACTIVATIONS, MLP, Layer, _network
from microgradlib.value import Fused, origin, pull, sweep, topological_order

X = [0.5, -1.25]
SHAPES = {
    "2-2-1 sigmoid": lambda: MLP(2, [2, 1]),
    "2-3-4-1 tanh": lambda: MLP(2, [3, 4, 1], "tanh"),
    "2-3-1 linear": lambda: MLP(2, [3, 1], "sigmoid", "linear"),
    "2-1-2-1 mixed": lambda: MLP(2, [1, 2, 1], "linear", "tanh"),
    "2-1": lambda: MLP(2, [1]),
}
every_shape = pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES)


pytestmark = pytest.mark.usefixtures("stream")


def unfused(model: MLP, x: Any) -> Any:
    """Return the outputs of a model, operation by operation."""
    for layer in model.layers:
        x = layer(x)
    return x


def is_fused(y: Value) -> bool:
    return type(y) is Fused and not y._made


def gradient(model: MLP) -> list[str]:
    """Return all gradients, of which 0.0 is not -0.0."""
    return [repr(p.grad) for p in model.parameters()]


def trained(forward: Callable[[MLP, Any], Any], model: MLP) -> list[Any]:
    """Return the losses and weights of a few steps with several patterns each."""
    patterns = [X, [0.0, -0.0], (1e-300, 3.0), [800.0, -700.0]]
    optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    history: list[Any] = []
    for i in range(6):
        loss = mg.mse_loss([forward(model, x)[0] for x in patterns], [0.0, 1.0, -1.0, 0.25])
        if i % 2:  # the gradients of two steps accumulate
            optimizer.zero_grad()
        loss.backward()
        history += [repr(loss.data), gradient(model)]
        optimizer.step()
    return [*history, model.state_dict()]


class TestNumbers:
    @every_shape
    def test_training(self, make: Callable[[], MLP]) -> None:
        model = make()
        assert is_fused(model(X)[0])
        other = copy.deepcopy(model)
        assert trained(MLP.__call__, model) == trained(unfused, other)

    @every_shape
    def test_gradients_of_none(self, make: Callable[[], MLP]) -> None:
        model = make()
        found = []
        for forward in (MLP.__call__, unfused):
            for p in model.parameters():
                p.grad = None
            (forward(model, [0.0, -0.0])[0] * -1.0).backward()
            found.append(gradient(model))
        assert found[0] == found[1]

    def test_tied_parameters(self) -> None:
        model = MLP(2, [2, 2, 1], "tanh")
        model.fc2.weight[0] = model.fc1.weight[1]
        model.fc2.weight[1][0] = model.fc2.bias[0] = model.fc3.bias[0]
        other = copy.deepcopy(model)
        assert is_fused(model(X)[0])
        assert trained(MLP.__call__, model) == trained(unfused, other)

    def test_compiled(self) -> None:
        model = MLP(2, [3, 1], "tanh")
        loss = model(X)[0] ** 2
        loss.backward()
        eager = gradient(model)
        model.zero_grad()
        compiled = mg.compile(lambda x: model(x)[0] ** 2)(X)
        compiled.backward()
        assert (compiled.data, gradient(model)) == (loss.data, eager)

    def test_a_backward_pass_twice(self) -> None:
        model = MLP(2, [2, 1])
        (y,) = model(X)
        y.backward()
        once = [p.grad for p in model.parameters()]
        for p in model.parameters():
            p.data += 1.0  # what was computed stays
        y.backward()
        assert [p.grad for p in model.parameters()] == [2.0 * g for g in once]
        assert is_fused(y)

    def test_frozen_after_the_forward_pass(self) -> None:
        model = MLP(2, [2, 1])
        (y,) = model(X)
        p = model.fc1.bias[1]
        p.requires_grad = False
        y.backward()
        assert p.grad == 0.0
        assert model.fc1.bias[0].grad != 0.0


def described(root: Value) -> list[Any]:
    """Return all that a graph holds, by the places of nodes in the topological order."""
    order = topological_order(root)
    places = {x: i for i, x in enumerate(sorted(order, key=lambda x: x._serial))}
    return [
        (
            str(x._op),
            x.data,
            x.grad,
            [places[p] for p in x._prev],
            [places[p] if isinstance(p, Value) else p for p in x._inputs],
            x._partials,
        )
        for x in places
    ]


class TestLookingInside:
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @every_shape
    def test_the_graph(self, make: Callable[[], MLP], after: bool) -> None:
        model = make()
        graphs = []
        for forward in (MLP.__call__, unfused):
            model.zero_grad()
            loss = mg.mse_loss(forward(model, X), [0.25]) + forward(model, [1.0, 2.0])[0]
            if after:
                loss.backward()
            graphs.append(described(loss))
        assert graphs[0] == graphs[1]

    @pytest.mark.parametrize("name", ["_inputs", "_prev", "_partials"])
    def test_each_attribute(self, name: str) -> None:
        model = MLP(2, [2, 1], "tanh")
        (y,), (other,) = model(X), unfused(model, X)
        assert is_fused(y)
        seen = getattr(y, name)
        assert not is_fused(y)
        assert repr(seen) == repr(getattr(other, name))
        assert getattr(y, name) is seen
        assert str(y._op) == "tanh"

    def test_the_drawing(self) -> None:
        model = MLP(2, [2, 1])
        drawings = []
        for forward in (MLP.__call__, unfused):
            (y,) = forward(model, X)
            y.backward()
            drawings.append(mg.draw(y).to_dot())
            model.zero_grad()
        assert drawings[0] == drawings[1]
        assert "sigmoid" in drawings[0]

    def test_the_numbers_are_those_of_the_forward_pass(self) -> None:
        model = MLP(2, [2, 1])
        (y,), (other,) = model(X), unfused(model, X)
        for p in model.parameters():
            p.data = 9.0
        (hidden, *_), *_ = [x._prev for x in y._prev[0]._prev if x._op]
        (expected, *_), *_ = [x._prev for x in other._prev[0]._prev if x._op]
        assert (hidden.data, hidden._partials) == (expected.data, expected._partials)

    def test_inner_nodes_get_gradients_from_then_on(self) -> None:
        model = MLP(2, [2, 1])
        (y,) = model(X)
        hidden = [x for x in y._prev[0]._prev if x._op]
        assert [x.grad for x in hidden] == [0.0, 0.0]
        y.backward()
        expected = [y._partials[0] * w.data for w in model.fc2.weight[0]]
        assert [x.grad for x in hidden] == expected
        assert model.fc2.bias[0].grad == y._partials[0]

    def test_gradients_are_those_of_the_backward_pass(self) -> None:
        for by_hand in (2.0, None, 0.0):
            (y,) = MLP(2, [2, 1])(X)
            y.grad = by_hand
            assert y._prev[0].grad == 0.0
            (y,) = MLP(2, [2, 1])(X)
            (y * 3.0).backward()
            y.grad = by_hand  # as one does to start again
            assert y._prev[0].grad == 3.0 * y._partials[0]
            assert y.grad is by_hand

    @every_shape
    def test_between_the_halves_of_a_backward_pass(self, make: Callable[[], MLP]) -> None:
        # As another thread might do it.
        model = make()

        def loss() -> tuple[Value, Value]:
            (y,) = model(X)
            return y, y + model.parameters()[-1] * 2.0

        loss()[1].backward()
        expected = [p.grad for p in model.parameters()]
        y, root = loss()
        order, adjoints = sweep((root,), folded=True)
        y._expand()  # type: ignore[attr-defined]
        adjoints[root] = 1.0
        pull(order, adjoints)
        assert [adjoints[p] for p in model.parameters()] == expected

    def test_two_threads_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        (y,) = MLP(2, [2, 1])(X)
        found: list[Any] = []
        node = value.node

        def node_after_the_other(*args: Any) -> Value:
            if not found:
                found.append(None)
                found[0] = y._inputs, y._prev, y._partials  # as another thread would look
            return node(*args)

        monkeypatch.setattr(value, "node", node_after_the_other)
        y._expand()
        for mine, others in zip((y._inputs, y._prev, y._partials), *found, strict=True):
            assert mine is others

    @pytest.mark.parametrize("where", ["pull", "_write", "_write_below"])
    def test_gradients_where_another_thread_comes_in_between(
        self, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        model = MLP(2, [2, 1])
        (y,) = unfused(model, X)
        (y * 3.0).backward()
        expected = described(y)
        model.zero_grad()
        fused: Any = model(X)[0]
        fused.backward()
        model.zero_grad()
        root = fused * 3.0
        one, other = root.backward, fused._expand
        if where == "_write_below":
            one, other = other, one
        function = getattr(value, where)

        def function_after_the_other(*args: Any) -> Any:
            monkeypatch.undo()
            other()
            return function(*args)

        monkeypatch.setattr(value, where, function_after_the_other)
        one()
        assert getattr(value, where) is function  # so the other was there
        assert described(fused) == expected

    def test_gradients_of_the_last_of_two_passes_while_another_thread_looks(self) -> None:
        fused: Any = MLP(2, [2, 1])(X)[0]
        order, adjoints = sweep((fused,), folded=True)

        class Made(list[Any]):
            def append(self, made: Any) -> None:
                super().append(made)
                adjoints[fused] = 1.0
                pull(order, adjoints)
                value._write(adjoints)  # one pass that began before the look, and another
                (fused * -2.0).backward()

        fused._made = Made()
        assert fused._prev[0].grad == -2.0 * fused._partials[0]

    def test_nobody_looks_where_graphs_are_freed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        looks: list[Fused] = []
        monkeypatch.setattr(Fused, "_expand", lambda self: looks.append(self))
        model = MLP(2, [2, 1])
        for _ in range(2_000):  # one node in 256 looks at what it frees on CPython 3.13
            mg.mse_loss(model(X), [0.0])
        assert looks == []

    def test_a_look_costs_no_gradient(self) -> None:
        # A sweep looks inside unless it is told not to; so do explain() and create_graph.
        model = MLP(2, [2, 1], "tanh")
        assert str(mg.explain(model(X)[0])) == str(mg.explain(unfused(model, X)[0]))
        slopes = []
        for forward in (MLP.__call__, unfused):
            (y,) = forward(model, X)
            y.backward(create_graph=True)
            p = model.fc1.weight[0][0]
            slope, p.grad = p.grad, 0.0
            model.zero_grad()
            slope.backward()
            slopes.append(gradient(model))
            model.zero_grad()
        assert slopes[0] == slopes[1]

    def test_edited_data_is_noticed(self) -> None:
        model = MLP(2, [2, 1])
        (y,) = model(X)
        model.fc1.bias[0].data += 1.0
        with pytest.raises(mg.GradientError, match="data was edited since"):
            y.backward(create_graph=True)

    def test_copies_are_refused(self) -> None:
        (y,) = MLP(2, [2, 1])(X)
        for function in (copy.deepcopy, pickle.dumps, copy.copy):
            with pytest.raises(TypeError, match=r"was computed \(sigmoid\)"):
                function(y)


def overflowing(weight: float) -> Iterator[MLP]:
    """Yield networks of which leaves, inner nodes, or the output are infinite or NaN."""
    for layer in ("fc1", "fc2"):
        for activation in ("linear", "tanh"):
            model = MLP(2, [2, 1], activation, "linear")
            for p in model.parameters():
                p.data = 0.5
            getattr(model, layer).weight[0][1].data = weight
            yield model


@pytest.mark.parametrize("weight", [inf, -inf, nan, 1e308])
class TestNonFinite:
    def test_errors_name_the_operation(self, weight: float) -> None:
        messages = []
        for model in overflowing(weight):
            for forward in (MLP.__call__, unfused):
                y = forward(model, [0.0, 3.0])[0] * 10.0
                try:
                    y.backward()
                except mg.NonFiniteError as error:
                    messages.append(str(error))
                    assert gradient(model) == ["0.0"] * 9
                else:
                    messages.append("none")
                model.zero_grad()
        assert messages[::2] == messages[1::2]
        if weight == 1e308:
            inner = "backward: the value of dot(0.5, 0.5, 1e+308, 0.0, 3.0) is inf; use "
            assert messages[0].startswith(inner)

    def test_allowed(self, weight: float) -> None:
        for model in overflowing(weight):
            found = []
            for forward in (MLP.__call__, unfused):
                y = forward(model, [0.0, 3.0])[0] * 10.0
                with mg.allow_nonfinite():
                    y.backward()
                found.append(gradient(model))
                model.zero_grad()
            assert found[0] == found[1]


class TestWhereItDoesNotApply:
    @pytest.fixture
    def model(self) -> MLP:
        model = MLP(2, [2, 1])
        assert is_fused(model(X)[0])
        return model

    def test_larger_networks_and_others(self) -> None:
        for other in (
            MLP(2, [2, 2]),
            MLP(2, [2, 1], "relu"),
            MLP(2, [2, 1], "tanh", "gelu"),
            MLP(2, [125, 1]),
            MLP(2, [1], "linear"),  # which is one node anyhow
        ):
            assert type(other([1.0, 2.0])[0]) is not Fused
        for nin in (499, 500):
            assert is_fused(MLP(nin, [1])([1.0] * nin)[0]) == (nin < 500)

    def test_where_nothing_is_recorded(self, model: MLP) -> None:
        with mg.no_grad():
            assert not model(X)[0].requires_grad
        asked = _network.cache_info()
        for context in (mg.no_grad, mg.detect_anomaly):
            with context():
                model(X)
        mg.grad(lambda x: model([x, 1.0])[0])(2.0)
        mg.compile(lambda x: model([x, 1.0])[0])(2.0)
        assert _network.cache_info() == asked  # neither made nor found
        model(X)
        assert _network.cache_info() != asked

    def test_inputs(self, model: MLP) -> None:
        y = model(X)[0].data
        x = Value(X[0])
        assert model([x, X[1]])[0].data == y
        for inputs in (iter(X), [x, X[1]]):
            assert (found := model(inputs)[0]).data == y
            assert type(found) is not Fused
        assert type(model([1, 2])[0]) is not Fused
        assert model([1, 2])[0].data == model([1.0, 2.0])[0].data
        assert is_fused(model((1.0, 2.0))[0])
        model([x, X[1]])[0].backward()
        assert x.grad != 0.0

    @pytest.mark.parametrize(
        "x", [[1.0], [1.0, 2.0, 3.0], [], 1.0, ["a", "b"], None, {1.0, 2.0}, {1.0: 2, 2.0: 1}]
    )
    def test_errors_are_the_layers(self, model: MLP, x: Any) -> None:
        with pytest.raises((TypeError, ValueError)) as expected:
            model.fc1(x)
        with pytest.raises(expected.type) as error:
            model(x)
        assert str(error.value) == str(expected.value)
        assert repr(error.value.__context__) == repr(expected.value.__context__)

    def test_frozen_parameters(self, model: MLP) -> None:
        for p in model.parameters():
            p.requires_grad = False
            (y,) = model(X)
            assert type(y) is not Fused
            p.requires_grad = True
            if y.requires_grad:
                assert p not in topological_order(y)

    def test_computed_parameters(self, model: MLP) -> None:
        p = Value(0.5)
        model.fc1.weight[0][1] = p * 2.0
        (y,) = model(X)
        assert type(y) is not Fused
        y.backward()
        assert p.grad != 0.0

    def test_derivatives_of_functions(self, model: MLP) -> None:
        kinds = []

        def f(model: MLP) -> Value:
            (y,) = model(X)
            kinds.append(type(y))
            return y

        slopes = mg.grad(f)(model)
        assert kinds == [Value]
        model(X)[0].backward()
        assert [p.data for p in slopes.parameters()] == [p.grad for p in model.parameters()]

    def test_detected_anomalies(self, model: MLP) -> None:
        with mg.detect_anomaly():
            (y,) = model(X)
        assert type(y) is Value
        assert Path(__file__).name in origin(y)

    def test_another_activation(self, model: MLP) -> None:
        model.fc1.activation = "tanh"
        (y,) = model(X)
        assert y.data == unfused(model, X)[0].data
        model.fc1.activation = "sigmoid"
        assert is_fused(model(X)[0])
        assert y.data != model(X)[0].data

    def test_other_layers(self, model: MLP) -> None:
        class Doubled(Layer):
            def forward(self, x: Any) -> list[Value]:
                return [2.0 * y for y in super().forward(x)]

        model.fc1 = Doubled(2, 2, "sigmoid")
        assert model(X)[0].data == unfused(model, X)[0].data
        model.fc1 = Layer(2, 3, "sigmoid")
        with pytest.raises(mg.ShapeError, match="Layer: expected 2 inputs, got 3"):
            model(X)
        model.fc1 = MLP(2, [2])
        assert model(X)[0].data == unfused(model, X)[0].data
        model.fc1 = Layer(2, 2, "sigmoid")
        assert is_fused(model(X)[0])
        del model.fc2
        with pytest.raises(AttributeError, match="fc2"):
            model(X)

    def test_layers_are_called(self, model: MLP) -> None:
        class Called(Layer):
            def __call__(self, x: Any) -> Any:
                return [y * 100.0 for y in super().__call__(x)]

        model.fc2 = Called(2, 1, "sigmoid")
        assert model(X)[0].data == 100.0 * Layer.__call__(model.fc2, model.fc1(X))[0].data
        model.fc1 = lambda x: x
        assert model(X)[0].data == model.fc2(X)[0].data

    def test_layers_are_those_of_the_attributes(self) -> None:
        class Shallow(MLP):
            @property
            def layers(self) -> list[Layer]:
                return super().layers[:1]

        model = Shallow(2, [1, 1])
        (y,) = model(X)
        assert is_fused(y)
        with mg.no_grad():
            assert model(X)[0].data == y.data

    def test_another_forward_method(self, model: MLP, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = []

        def spy(x: Any) -> Any:
            seen.append(x)
            return Layer.forward(model.fc1, x)

        model.fc1.forward = spy  # as a hook would
        model(X)
        assert seen == [X]
        del model.fc1.forward
        monkeypatch.setattr(Layer, "forward", lambda self, x: [Value(3.0)] * self.nout)
        for other in (model, MLP(2, [5, 1])):  # which is not known yet
            assert other(X)[0].data == 3.0

    def test_the_forward_method_of_another_layer(self, model: MLP) -> None:
        other = Layer(2, 2, "sigmoid")
        model.fc1.forward = other.forward  # type: ignore[method-assign]
        assert model(X)[0].data == model.fc2(other(X))[0].data

    def test_activations_that_are_no_plain_text(self) -> None:
        class Name(StrEnum):
            TANH = "tanh"

        for make in (Name.TANH, "tanh", Name.TANH):
            model = MLP(2, [6, 1], make)
            (y,) = model(X)
            assert is_fused(y)
            assert y.data == unfused(model, X)[0].data

    def test_an_activation_in_the_place_of_another(
        self, model: MLP, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(ACTIVATIONS, "sigmoid", Value.sin)
        assert model(X)[0].data == unfused(model, X)[0].data
        monkeypatch.undo()
        assert is_fused(model(X)[0])
        del model.fc1.activation
        with pytest.raises(AttributeError, match="activation"):
            model(X)

    def test_properties_are_read_once(self, model: MLP) -> None:
        reads = []

        class Noisy(Layer):
            @property
            def weight(self) -> Any:
                reads.append(self)
                return vars(self)["weight"]

            @weight.setter
            def weight(self, weight: Any) -> None:
                vars(self)["weight"] = weight

        model.fc1 = Noisy(2, 2, "sigmoid")
        model(X)
        assert len(reads) == 1

    def test_ragged_layers(self, model: MLP) -> None:
        model.fc1.weight[1].append(Value(1.0))
        with pytest.raises(mg.ShapeError, match="Layer: expected 3 inputs, got 2"):
            model(X)
        model.fc1.weight[1].pop()
        model.fc2.bias.append(Value(1.0))
        with pytest.raises(mg.ShapeError, match="Layer: got 2 biases for 1 neurons"):
            model(X)

    def test_pruned_and_swapped_parameters(self, model: MLP) -> None:
        model.fc2.weight[0][0] = p = Value(0.0)
        (y,) = model(X)
        assert is_fused(y)
        y.backward()
        assert p.grad == model.fc2.bias[0].grad * y._prev[0]._prev[3].data
