"""Modules, layers and losses: by the generic formula, by hand, and against PyTorch."""

import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value, nn, random
from microgradlib.nn import ACTIVATIONS, MLP, Layer, Module, Neuron

LOSSES: dict[str, type[Module]] = {
    "mse_loss": nn.MSELoss,
    "binary_cross_entropy": nn.BCELoss,
    "binary_cross_entropy_with_logits": nn.BCEWithLogitsLoss,
    "cross_entropy": nn.CrossEntropyLoss,
    "l1_loss": nn.L1Loss,
    "huber_loss": nn.HuberLoss,
    "kl_div": nn.KLDivLoss,
    "smooth_l1_loss": nn.SmoothL1Loss,
    "nll_loss": nn.NLLLoss,
}
OF_CLASSES = ("cross_entropy", "nll_loss")
# Around 0, where activations bend, and far out, where they saturate.
POINTS = [
    0.0,
    *(s * x for x in (1e-300, 1e-9, 0.1, 0.7, 1.0, 3.0, 9.0, 40.0, 800.0) for s in (1, -1)),
]


pytestmark = pytest.mark.usefixtures("stream")


@pytest.fixture
def torch() -> Any:
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


def values(tree: Any) -> Any:
    return [values(x) for x in tree] if isinstance(tree, list) else Value(tree)


def floats(tree: Any, attribute: str = "data") -> Any:
    if isinstance(tree, list):
        return [floats(x, attribute) for x in tree]
    return getattr(tree, attribute)


def close(expected: Any, rel: float = 1e-12) -> Any:
    """Allow for what PyTorch loses in the tails, where its 1 - sigmoid(40.0) is 0."""
    return pytest.approx(expected, rel=rel, abs=1e-15)


class TestDiscovery:
    def test_order_of_assignment_through_nested_containers(self) -> None:
        class Model(Module):
            def __init__(self) -> None:
                self.last = Value(1.0)
                self.size = 3
                self.name = "model"
                self.none = None
                self.pair = (Value(2.0), Value(3.0))
                self.table = {"x": Value(4.0), "deep": [{"y": [Value(5.0)]}]}
                self.blocks = [Neuron(1), [Neuron(1)]]
                self.ragged = [[Value(6.0)], [Value(7.0), Value(8.0)]]
                self.first = Value(9.0)

        tensors = ["last", "pair", "table.x", "table.deep.0.y", "ragged", "first"]
        blocks = ["blocks.0.w", "blocks.0.b", "blocks.1.0.w", "blocks.1.0.b"]
        model = Model()
        assert [name for name, _ in model.named_parameters()] == [*tensors, *blocks]
        assert [*model.state_dict()] == [*tensors, *blocks]
        assert [name for name, _ in model._named_values()] == [
            "last",
            "pair.0",
            "pair.1",
            "table.x",
            "table.deep.0.y.0",
            "ragged.0.0",
            "ragged.1.0",
            "ragged.1.1",
            "first",
            "blocks.0.w.0",
            "blocks.0.b",
            "blocks.1.0.w.0",
            "blocks.1.0.b",
        ]

    def test_parameters_are_those_that_named_parameters_names(self) -> None:
        model = MLP(2, [3, 1])
        named = [p for _, p in model.named_parameters()]
        assert named[0] is model.fc1.weight
        assert [*map(id, model.parameters())] == [*map(id, flat(named))]
        assert len(model.parameters()) == 2 * 3 + 3 + 3 + 1

    def test_shared_parameters_and_modules_count_once(self) -> None:
        class Model(Module):
            def __init__(self) -> None:
                self.encoder = Neuron(1)
                self.decoder = self.encoder
                self.bias = self.encoder.b
                self.twice = [self.encoder.b, self.encoder.b]

        model = Model()
        names = [name for name, _ in model.named_parameters()]
        assert names == ["bias", "encoder.w"]
        # A state dict names every place, as PyTorch's does.
        parts = ["encoder.w", "encoder.b", "decoder.w", "decoder.b"]
        assert list(model.state_dict()) == ["bias", "twice", *parts]

    def test_reference_to_the_parent(self) -> None:
        class Child(Module):
            def __init__(self, parent: Module) -> None:
                self.parent = parent
                self.family = [parent]
                self.weight = Value(1.0)

        class Parent(Module):
            def __init__(self) -> None:
                self.child = Child(self)
                self.me = self

        assert list(Parent().state_dict()) == ["child.weight"]

    def test_reference_to_itself_further_down(self) -> None:
        model = Module()
        model.part = nn.Neuron(1)
        model.part.me = {"again": model.part}
        assert [name for name, _ in model.named_parameters()] == ["part.w", "part.b"]

    def test_computed_values_are_not_parameters(self) -> None:
        class Model(Module):
            def __init__(self) -> None:
                self.w = Value(1.0)
                self.cached = self.w * 2.0
                self.mixed = [self.w * 2.0, Value(3.0)]

        model = Model()
        assert list(model.state_dict()) == ["w", "mixed.1"]
        gradient = mg.grad(lambda m: m.w * m.cached)(model)
        assert gradient.w.data == 2.0
        assert gradient.cached is model.cached

    def test_parameters_added_later_and_removed(self) -> None:
        layer: Any = Layer(1, 1)
        layer.extra = Value(1.0)
        assert list(layer.state_dict()) == ["weight", "bias", "extra"]
        del layer.bias
        assert list(layer.state_dict()) == ["weight", "extra"]

    def test_zero_grad(self) -> None:
        model = MLP(2, [2, 1])
        model([1.0, 2.0])[0].backward()
        assert any(p.grad for p in model.parameters())
        model.zero_grad(set_to_none=False)
        assert [p.grad for p in model.parameters()] == [0.0] * 9
        model.zero_grad()
        assert [p.grad for p in model.parameters()] == [None] * 9

    def test_call_is_forward_as_it_is_found_then(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Doubled:
            def forward(self, x: Any) -> Any:
                return 2.0 * super().forward(x)  # type: ignore[misc]

        class Both(Doubled, nn.Neuron):
            pass

        x, both = [3.0, -1.0], Both(2)
        assert both(x).data == 2.0 * nn.Neuron.forward(both, x).data
        monkeypatch.setattr(Both, "forward", lambda self, x: x)
        assert both(x) is x
        both.forward = lambda x: 7.0  # type: ignore[method-assign, assignment]
        assert both(x) == 7.0

    def test_a_call_of_its_own(self) -> None:
        class Timed(nn.Neuron):
            def __call__(self, x: Any) -> Any:
                return self.forward(x), 1.0

            def forward(self, x: Any) -> Any:
                return -1.0

        assert Timed(2)([3.0, -1.0]) == (-1.0, 1.0)

    def test_call_is_forward_with_all_arguments(self) -> None:
        class Model(Module):
            def forward(self, *args: Any, **kwargs: Any) -> Any:
                return args, kwargs

        class Heir(Model):
            pass

        class Other(Model):
            def forward(self, *args: Any, **kwargs: Any) -> Any:
                return super().forward("other", *args, **kwargs)

        assert Model()(1, x=2) == Heir()(1, x=2) == ((1,), {"x": 2})
        assert Other()(1, x=2) == (("other", 1), {"x": 2})


class TestRepr:
    def test_nested(self) -> None:
        class Model(Module):
            def __init__(self) -> None:
                self.body = MLP(2, [3, 1], "tanh", "linear")
                self.heads = [Neuron(1), {"loss": nn.MSELoss()}]
                self.scale = Value(1.0)

        assert repr(Model()) == (
            "Model(\n"
            "  (body): MLP(\n"
            "    (fc1): Layer(nin=2, nout=3, activation='tanh')\n"
            "    (fc2): Layer(nin=3, nout=1, activation='linear')\n"
            "  )\n"
            "  (heads.0): Neuron(nin=1, activation='linear')\n"
            "  (heads.1.loss): MSELoss()\n"
            ")"
        )

    @pytest.mark.torch
    def test_layout_of_torch(self, torch: Any) -> None:
        def model(base: Any, leaf: Any) -> str:
            class Inner(base):  # type: ignore[misc]
                def __init__(self) -> None:
                    super().__init__()
                    self.first = leaf()
                    self.second = leaf()

            class Outer(base):  # type: ignore[misc]
                def __init__(self) -> None:
                    super().__init__()
                    self.inner = Inner()
                    self.loss = leaf()

            return repr(Outer())

        assert model(Module, nn.MSELoss) == model(torch.nn.Module, torch.nn.MSELoss)


class TestStateDict:
    def test_names_and_shapes(self) -> None:
        model = MLP(3, [2, 1])
        fc1, fc2 = model.layers
        assert model.state_dict() == {
            "fc1.weight": [[w.data for w in row] for row in fc1.weight],
            "fc1.bias": [b.data for b in fc1.bias],
            "fc2.weight": [[w.data for w in fc2.weight[0]]],
            "fc2.bias": [fc2.bias[0].data],
        }
        assert [len(row) for row in model.state_dict()["fc1.weight"]] == [3, 3]

    def test_round_trip(self) -> None:
        first, second = MLP(2, [3, 1]), MLP(2, [3, 1])
        assert first.state_dict() != second.state_dict()
        kept = second.parameters()
        second.load_state_dict(first.state_dict())
        assert first.state_dict() == second.state_dict()
        assert all(p is q for p, q in zip(kept, second.parameters(), strict=True))

    def test_is_a_copy(self) -> None:
        layer = Layer(1, 1)
        state, expected = layer.state_dict(), layer.state_dict()
        state["weight"][0][0] += 1.0
        assert layer.state_dict() == expected

    def test_keeps_gradients(self) -> None:
        neuron = Neuron(1)
        neuron([1.0]).backward()
        neuron.load_state_dict({"w": [5.0], "b": 6})
        assert (neuron.w[0].grad, neuron.b.grad, neuron.b.data) == (1.0, 1.0, 6.0)
        assert type(neuron.b.data) is float

    def test_from_arrays(self) -> None:
        neuron = Neuron(2)
        neuron.load_state_dict({"w": array("d", [1.0, 2.0]), "b": 3.0})
        assert neuron.state_dict() == {"w": [1.0, 2.0], "b": 3.0}

    @pytest.mark.torch
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_to_and_from_torch(self, torch: Any, dtype: str) -> None:
        class Peer(torch.nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.fc1 = torch.nn.Linear(3, 4)
                self.fc2 = torch.nn.Linear(4, 2)

        ours, peer = MLP(3, [4, 2]), Peer().to(getattr(torch, dtype))
        before = ours.state_dict()
        peer.load_state_dict({name: torch.tensor(x) for name, x in before.items()})
        # The initial weights are float32 numbers, so that both types hold them.
        assert {name: x.tolist() for name, x in peer.state_dict().items()} == before
        other = MLP(3, [4, 2])
        other.load_state_dict(dict(peer.state_dict()))
        assert other.state_dict() == before
        other.load_state_dict({name: x.numpy() for name, x in Peer().state_dict().items()})
        assert other.state_dict() != before


def test_names_that_are_the_same() -> None:
    model = Module()
    model.by_size = {1: nn.Layer(1, 1), "1": nn.Layer(1, 1)}  # type: ignore[attr-defined]
    message = "^Module: two parameters are named 'by_size.1.weight'; use other keys in its dicts$"
    for call in (model.state_dict, lambda: model.load_state_dict({})):
        with pytest.raises(mg.StateDictError, match=message):
            call()
    model = Module()
    model.p = {"a": [Value(1.0)], "a.0": Value(5.0)}  # type: ignore[attr-defined]
    with pytest.raises(mg.StateDictError, match=r"named 'p\.a\.0'"):
        mg.grad(lambda m: m.p["a"][0] * m.p["a.0"])(model)


@dataclass
class Gain(Module):
    k: Value
    inner: Any = field(default=None, compare=False)


def test_a_part_that_equals_the_whole() -> None:
    for k in (1.0, 2.0):
        assert Gain(Value(1.0), Gain(Value(k))).state_dict() == {"k": 1.0, "inner.k": k}


def test_a_part_that_refers_to_the_whole() -> None:
    model = nn.MLP(1, [1])
    model.layers[0].whole = model  # type: ignore[attr-defined]
    assert len(model.parameters()) == 2
    assert repr(model) == (
        "MLP(\n  (fc1): Layer(\n    nin=1, nout=1, activation='sigmoid'\n    (whole): ...\n  )\n)"
    )


def test_slots_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^Slotted: parameters in __slots__ would not be found"):

        class Slotted(Module):
            __slots__ = ("w",)

    class Slots:
        __slots__ = ("w",)

    with pytest.raises(TypeError, match=r"^Mixed: parameters in __slots__"):

        class Mixed(Module, Slots):
            pass

    with pytest.raises(TypeError, match=r"^Sized: .*slots=True of a dataclass$"):

        @dataclass(slots=True)
        class Sized(Module):
            w: Value


class TestInitialWeights:
    def test_notebook(self) -> None:
        random.manual_seed(42)
        assert rounded(MLP(2, [2, 1]).state_dict()) == {
            "fc1.weight": [[0.5406, 0.5869], [-0.1657, 0.6496]],
            "fc1.bias": [-0.1549, 0.1427],
            "fc2.weight": [[-0.3443, 0.4153]],
            "fc2.bias": [0.6233],
        }

    def test_outputs_of_the_notebooks_models_one_after_the_other(self) -> None:
        random.manual_seed(42)
        for expected in (
            [0.6653, 0.6683, 0.6511, 0.6557],
            [0.5916, 0.6037, 0.5989, 0.6101],
            [0.3454, 0.3412, 0.3613, 0.3574],
        ):
            model = MLP(2, [2, 1])
            inputs = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]
            assert [round(model(x)[0].data, 4) for x in inputs] == expected

    @pytest.mark.torch
    @pytest.mark.parametrize("seed", range(20))
    def test_one_stream_of_models(self, torch: Any, seed: int) -> None:
        torch.manual_seed(seed)
        random.manual_seed(seed)
        for nin, nout in [(2, 2), (2, 1), (1, 5), (5, 3), (3, 1), (16, 4)]:
            peer = torch.nn.Linear(nin, nout, dtype=torch.float32)
            expected = {name: x.tolist() for name, x in peer.state_dict().items()}
            assert Layer(nin, nout).state_dict() == expected
        peer = torch.nn.Linear(7, 1, dtype=torch.float32)
        state = Neuron(7).state_dict()
        assert ([state["w"]], [state["b"]]) == (peer.weight.tolist(), peer.bias.tolist())

    def test_a_mistake_draws_nothing(self) -> None:
        random.manual_seed(42)
        for mistake in (
            lambda: Neuron(2, "swish"),
            lambda: Layer(2, 2, "swish"),
            lambda: MLP(2, [2, 0]),
            lambda: MLP(2, [2, 1], output_activation="swish"),
        ):
            with pytest.raises(ValueError, match=r"swish|nouts"):
                mistake()
        assert rounded(Neuron(2).state_dict()) == {"w": [0.5406, 0.5869], "b": -0.1657}


def rounded(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: rounded(x) for key, x in tree.items()}
    return [rounded(x) for x in tree] if isinstance(tree, list) else round(tree, 4)


class TestLayers:
    def test_a_layer_returns_a_list_and_a_neuron_a_value(self) -> None:
        assert isinstance(Neuron(2)([1.0, 2.0]), Value)
        for model in (Layer(2, 1), MLP(2, [1])):
            outputs = model([1.0, 2.0])
            assert isinstance(outputs, list)
            assert [isinstance(y, Value) for y in outputs] == [True]

    def test_each_neuron_is_one_node(self) -> None:
        layer, x = Layer(2, 1), Value(2.0)
        (y,) = layer([1.0, x])
        assert str(y._op) == "dot"
        assert [*map(id, y._prev)] == [*map(id, (layer.bias[0], *layer.weight[0], x))]

    def test_activations_of_an_mlp(self) -> None:
        same, other = MLP(1, [1, 1, 1], "tanh"), MLP(1, [1, 1, 1], "tanh", "linear")
        assert [x.activation for x in same.layers] == ["tanh"] * 3
        assert [x.activation for x in other.layers] == ["tanh", "tanh", "linear"]

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_each_activation_is_applied(self, activation: str) -> None:
        expected = ACTIVATIONS[activation](Value(-0.75)).data
        for model in (Neuron(1, activation), Layer(1, 1, activation), MLP(1, [1], activation)):
            for p, x in zip(model.parameters(), (-2.0, 0.25), strict=True):
                p.data = x
            y = model([0.5])
            assert (y if isinstance(y, Value) else y[0]).data == expected

    @pytest.mark.parametrize("activation", sorted(ACTIVATIONS.keys() - {"linear"}))
    def test_activations_are_the_functions_of_their_names(self, activation: str) -> None:
        assert ACTIVATIONS[activation](Value(-0.75)).data == getattr(mg, activation)(-0.75)

    def test_inputs_may_be_any_sequence_of_numbers(self) -> None:
        layer = Layer(2, 2)
        expected = floats(layer([1.0, 2.0]))
        for x in ((1, 2), iter([1.0, Value(2.0)]), values([1.0, 2.0]), [True, 2]):
            assert floats(layer(x)) == expected

    def test_the_activation_may_be_changed(self) -> None:
        layer = Layer(1, 1)
        (before,) = layer([2.0])
        layer.activation = "tanh"
        assert layer([2.0])[0].data == math.tanh(before.data)
        for layer.activation in ("tan", ["tanh"]):
            with pytest.raises(ValueError, match=r"^Layer: unknown activation .*tan.*; choose one"):
                layer([2.0])

    @pytest.mark.parametrize("x", [[1.0, 2.0], [Value(1.0), 2.0]], ids=["numbers", "mixed"])
    def test_a_row_of_another_length(self, x: list[Any]) -> None:
        layer = Layer(2, 2)
        layer.weight[1].append(Value(1.0))
        with pytest.raises(mg.ShapeError, match=r"^Layer: expected 3 inputs, got 2: \(1.0, 2.0\)$"):
            layer([1.0, 2.0])
        layer.weight[1] = layer.weight[1][:2]
        layer.bias.pop()
        with pytest.raises(mg.ShapeError, match=r"^Layer: got 1 biases for 2 neurons$"):
            layer(x)

    @pytest.mark.parametrize("frozen", [{0}, {1}, {2}, {0, 1}])
    def test_what_was_frozen_in_the_forward_pass(self, frozen: set[int]) -> None:
        layer = Layer(2, 1)
        for i, p in enumerate(layer.parameters()):
            p.requires_grad = i not in frozen
        (y,) = layer([1.0, 2.0])
        for p in layer.parameters():
            p.requires_grad = True
        y.backward()
        expected = [0.0 if i in frozen else x for i, x in enumerate((1.0, 2.0, 1.0))]
        assert [p.grad for p in layer.parameters()] == expected

    @pytest.mark.parametrize("recorded", [True, False])
    @pytest.mark.parametrize("frozen", ["", "weights", "some weights", "biases", "all"])
    @pytest.mark.parametrize("inputs", ["numbers", "values", "mixed", "constants"])
    def test_every_path_gives_the_numbers_of_the_formula(
        self, recorded: bool, frozen: str, inputs: str
    ) -> None:
        layer = Layer(3, 2)
        weights, biases = [w for row in layer.weight for w in row], layer.bias
        for p in {
            "": [],
            "weights": weights,
            "some weights": weights[1:2],
            "biases": biases,
            "all": [*weights, *biases],
        }[frozen]:
            p.requires_grad = False
        xs = values([0.5, -1.5, 2.0])
        x = {
            "numbers": [0.5, -1.5, 2],
            "values": xs,
            "mixed": [xs[0], -1.5, xs[2]],
            "constants": [xs[0], xs[1].detach(), 2.0],
        }[inputs]
        leaves = [*weights, *biases, *xs]
        results = []
        for compute in (layer.forward, lambda x: formula(layer, x)):
            for leaf in leaves:
                leaf.grad = 0.0
            if recorded:
                outputs = compute(x)
            else:
                with mg.no_grad():
                    outputs = compute(x)
            for y in outputs:
                if y.requires_grad:
                    y.backward()
            results.append((floats(outputs), floats(leaves, "grad")))
        assert results[0] == results[1]

    def test_outputs_from_traced_inputs_are_traced(self) -> None:
        layer = Layer(1, 1, "tanh")
        with pytest.raises(mg.CompileError, match="of a traced Value would be frozen"):
            mg.compile(lambda x: layer([x])[0].data)(1.0)

    def test_gradients_belong_to_the_weights_of_the_forward_pass(self) -> None:
        neuron, x = Neuron(1), Value(3.0)
        y, weight = neuron([x]), neuron.w[0].data
        neuron.w[0].data = 99.0
        y.backward()
        assert (x.grad, neuron.w[0].grad) == (weight, 3.0)

    @pytest.mark.torch
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_mlp_against_torch(self, torch: Any, activation: str) -> None:
        model = MLP(3, [4, 3, 2], activation, "linear")
        peers = {
            name: torch.tensor(x, requires_grad=True) for name, x in model.state_dict().items()
        }
        x, y = values([0.3, -1.2, 2.5]), torch.tensor([0.3, -1.2, 2.5], requires_grad=True)
        z = y
        for i in (1, 2, 3):
            z = torch.nn.functional.linear(z, peers[f"fc{i}.weight"], peers[f"fc{i}.bias"])
            z = peer_activation(torch, activation)(z) if i < 3 else z
        outputs = model(x)
        assert floats(outputs) == close(z.tolist())
        mg.dot([1.0, -2.0], outputs).backward()
        (z[0] - 2.0 * z[1]).backward()
        assert floats(x, "grad") == close(y.grad.tolist())
        expected = [g for peer in peers.values() for g in peer.grad.flatten().tolist()]
        assert [p.grad for p in model.parameters()] == close(expected)


class TestMLP:
    X = (0.5, -1.25)

    @pytest.fixture
    def model(self) -> MLP:
        return MLP(2, [2, 1])

    def test_it_is_its_layers_one_after_the_other(self) -> None:
        for make in (
            lambda: MLP(2, [2, 1]),
            lambda: MLP(2, [3, 4, 2], "tanh"),
            lambda: MLP(2, [1, 2, 1], "relu", "linear"),
        ):
            model, x = make(), values([0.5, -1.25])
            results = []
            for compute in (model, lambda x, layers=model.layers: chain(layers, x)):
                model.zero_grad()
                for v in x:
                    v.grad = 0.0
                y = mg.sum(compute(x))
                y.backward()
                results.append((y.data, floats(x, "grad"), floats(model.parameters(), "grad")))
            assert results[0] == results[1]

    def test_each_layer_is_called_once(self, model: MLP, monkeypatch: pytest.MonkeyPatch) -> None:
        called = []
        call = Layer.__call__

        def spy(layer: Layer, x: Any) -> Any:
            called.append(layer)
            return call(layer, x)

        monkeypatch.setattr(Layer, "__call__", spy)
        model(self.X)
        assert called == model.layers

    def test_a_layer_may_be_anything_that_is_called(self, model: MLP) -> None:
        class Doubled(Layer):
            def forward(self, x: Any) -> list[Value]:
                return [2.0 * y for y in super().forward(x)]

        for model.fc1 in (Doubled(2, 2, "relu"), MLP(2, [2]), lambda x: x[::-1], tuple):
            assert model(self.X)[0].data == model.fc2(model.fc1(self.X))[0].data
        model.fc1 = Layer(2, 3, "sigmoid")
        with pytest.raises(mg.ShapeError, match=r"^Layer: expected 2 inputs, got 3"):
            model(self.X)
        del model.fc1
        with pytest.raises(AttributeError, match="fc1"):
            model(self.X)

    def test_layers_are_those_of_the_attributes(self) -> None:
        class Shallow(MLP):
            @property
            def layers(self) -> list[Layer]:
                return super().layers[:1]

        model = Shallow(2, [1, 1])
        assert model(self.X)[0].data == model.fc2(model.fc1(self.X))[0].data

    def test_another_forward_method(self, model: MLP, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = []

        def spy(x: Any) -> Any:
            seen.append(x)
            return Layer.forward(model.fc1, x)

        before = model(self.X)[0].data
        model.fc1.forward = spy  # as a hook would
        assert model(self.X)[0].data == before
        assert seen == [self.X]
        model.fc1.forward = other = Layer(2, 2, "sigmoid").forward
        assert model(self.X)[0].data == model.fc2(other(self.X))[0].data
        monkeypatch.setattr(Layer, "forward", lambda self, x: [Value(3.0)] * self.nout)
        assert model(self.X)[0].data == 3.0

    def test_an_activation_in_the_place_of_another(
        self, model: MLP, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Name(StrEnum):
            TANH = "tanh"

        linear = chain([dot_of(layer) for layer in model.layers], self.X)
        model.fc1.activation = model.fc2.activation = "linear"
        assert floats(model(self.X)) == floats(linear)
        model.fc2.activation = Name.TANH
        assert model(self.X)[0].data == math.tanh(linear[0].data)
        monkeypatch.setitem(ACTIVATIONS, "tanh", Value.sin)
        assert model(self.X)[0].data == math.sin(linear[0].data)
        del model.fc1.activation
        with pytest.raises(AttributeError, match="activation"):
            model(self.X)

    @pytest.mark.parametrize(
        "x", [[1.0], [1.0, 2.0, 3.0], [], 1.0, ["a", "b"], None, {1.0, 2.0}, {1.0: 2, 2.0: 1}]
    )
    def test_errors_are_those_of_the_first_layer(self, model: MLP, x: Any) -> None:
        with pytest.raises((TypeError, ValueError)) as expected:
            model.fc1(x)
        with pytest.raises(expected.type) as error:
            model(x)
        assert str(error.value) == str(expected.value)
        assert str(error.value).startswith("Layer: expected ")

    def test_exchanged_parameters(self, model: MLP) -> None:
        model.fc2.weight[0][0] = p = Value(0.25)
        hidden = model.fc1(self.X)
        model(self.X)[0].backward()
        assert p.grad == close(model.fc2.bias[0].grad * hidden[0].data)

    def test_computed_parameters_pass_the_gradient_on(self, model: MLP) -> None:
        half = Value(0.5)
        model.fc1.weight[0][1] = half * 2.0
        model(self.X)[0].backward()
        assert half.grad == close(2.0 * model.fc1.bias[0].grad * self.X[1])

    def test_gradients_of_tied_parameters_add_up(self) -> None:
        tied, free = MLP(2, [2, 2, 1], "tanh"), MLP(2, [2, 2, 1], "tanh")
        tied.fc2.weight[0] = tied.fc1.weight[1]
        tied.fc2.weight[1][0] = tied.fc3.bias[0]
        free.load_state_dict(tied.state_dict())
        for model in (tied, free):
            model(self.X)[0].backward()
        rows = zip(free.fc1.weight[1], free.fc2.weight[0], strict=True)
        assert floats(tied.fc1.weight[1], "grad") == close([p.grad + q.grad for p, q in rows])
        both = free.fc2.weight[1][0].grad + free.fc3.bias[0].grad
        assert tied.fc3.bias[0].grad == close(both)

    def test_hidden_neurons_get_gradients(self, model: MLP) -> None:
        for by_hand in (0.0, 2.0, None):
            model.zero_grad()
            (y,) = model(self.X)
            hidden = [x for x in y._prev[0]._prev if str(x._op) == "sigmoid"]
            for x in (y, *hidden):
                x.grad = by_hand  # does not matter, as the graph sets it
            y.backward()
            assert y.grad == 1.0
            bias = model.fc2.bias[0]
            assert floats(hidden, "grad") == [bias.grad * w.data for w in model.fc2.weight[0]]

    def test_gradients_of_a_function_of_a_network(self, model: MLP) -> None:
        gradient = mg.grad(lambda m: m(self.X)[0])(model)
        model(self.X)[0].backward()
        assert floats(gradient.parameters()) == floats(model.parameters(), "grad")

    @pytest.mark.parametrize("weight", [math.inf, 1e308])
    def test_errors_name_the_neuron_that_overflows(self, weight: float) -> None:
        model = MLP(2, [2, 1], "linear")
        for p in model.parameters():
            p.data = 0.5
        model.fc1.weight[0][1].data = weight
        (y,) = model([0.0, 3.0])
        with pytest.raises(mg.NonFiniteError) as error:
            y.backward()
        neuron = "dot(0.5, 0.5, 1e+308, 0.0, 3.0)"
        first = (
            f"the value of {neuron} is inf (" if weight == 1e308 else "the value of a leaf is inf;"
        )
        assert str(error.value).startswith(f"backward: {first}")
        assert floats(model.parameters(), "grad") == [0.0] * 9


def chain(layers: list[Any], x: Any) -> Any:
    """Return what layers make of an input, one after the other."""
    for layer in layers:
        x = layer(x)
    return x


def dot_of(layer: Layer) -> Callable[[Any], list[Value]]:
    """Return a layer without its activation, computed by ``mg.dot``."""
    pairs = list(zip(layer.weight, layer.bias, strict=True))
    return lambda x: [mg.dot(weight, x, bias) for weight, bias in pairs]


def formula(layer: Layer, x: Any) -> list[Value]:
    """Return what a layer computes, one node per addition and product."""
    outputs = []
    for row, y in zip(layer.weight, layer.bias, strict=True):
        for w, v in zip(row, x, strict=True):
            y = y + w * v
        outputs.append(y)
    return outputs


def flat(tree: Any) -> list[Any]:
    return [x for branch in tree for x in flat(branch)] if isinstance(tree, list) else [tree]


def peer_activation(torch: Any, name: str) -> Callable[[Any], Any]:
    if name == "linear":
        return lambda x: x
    return getattr(torch.nn.functional, name)  # type: ignore[no-any-return]


@pytest.mark.torch
@pytest.mark.parametrize("name", ACTIVATIONS)
class TestActivationsAgainstTorch:
    def test_value_and_gradient(self, torch: Any, name: str) -> None:
        for point in POINTS:
            x, y = Value(point), torch.tensor(point, requires_grad=True)
            ours, theirs = ACTIVATIONS[name](x), peer_activation(torch, name)(y)
            ours.backward()
            theirs.backward()
            at = f"{name}({point})"
            assert ours.data == close(theirs.item()), at
            assert x.grad == close(y.grad.item()), at


class TestLosses:
    @pytest.mark.parametrize("name", LOSSES)
    def test_module_function_and_package_agree(self, name: str) -> None:
        target: Any = 1 if name in OF_CLASSES else [1.0, 0.5]
        loss = getattr(mg, name)([0.25, 0.75], target)
        assert type(loss) is float
        assert (
            loss
            == LOSSES[name]()([0.25, 0.75], target)
            == getattr(nn.functional, name)([0.25, 0.75], target)
        )
        assert loss == getattr(mg, name)(values([0.25, 0.75]), target).data
        assert LOSSES[name]().parameters() == []

    def test_every_loss_is_in_the_table(self) -> None:
        classes = {x for name, x in vars(nn).items() if name.endswith("Loss")}
        assert classes == set(LOSSES.values())

    @pytest.mark.parametrize("name", [name for name in LOSSES if name not in OF_CLASSES])
    def test_shapes(self, name: str) -> None:
        loss = getattr(mg, name)
        expected = loss([0.1, 0.2, 0.3, 0.4], [0.0, 1.0, 1.0, 0.0])
        assert loss([[0.1, 0.2], (0.3, 0.4)], ([0.0, 1], [1, 0.0])) == expected
        assert loss([[[0.1]], [[0.2]], [[0.3]], [[0.4]]], [[[0]], [[1]], [[1]], [[0]]]) == expected
        assert loss(0.25, 1) == loss([0.25], [1.0]) == loss(((0.25,),), [[1]])

    def test_by_hand(self) -> None:
        assert nn.mse_loss([1.0, 2.0], [3.0, -1.0]) == 6.5
        assert nn.binary_cross_entropy([0.25], [0.5]) == close(-0.5 * math.log(0.25 * 0.75))
        assert nn.binary_cross_entropy([0.0, 1.0], [0.0, 1.0]) == 0.0
        assert nn.binary_cross_entropy([0.0, 1.0], [1.0, 0.0]) == 100.0
        assert nn.binary_cross_entropy_with_logits([0.0], [0.3]) == close(math.log(2.0))
        assert nn.cross_entropy([0.0, math.log(3.0)], 1) == close(math.log(4.0 / 3.0))
        assert nn.cross_entropy([[0.0, 0.0], [0.0, 900.0]], [1, 0]) == close(
            (math.log(2.0) + 900.0) / 2.0
        )


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("x", [-90.0, -36.0, -30.0, -1.0, 1.0, 30.0, 36.0])
def test_the_slope_of_bce_at_a_saturated_sigmoid(x: float, compiled: bool) -> None:
    for target in (0.0, 1.0, 0.25):

        def loss(z: Any, target: float = target) -> Any:
            return nn.binary_cross_entropy(mg.sigmoid(z), target)

        slope = mg.compile(mg.grad(loss)) if compiled else mg.grad(loss)
        # The rounding of 1 - p near 1 is the input's, not that of the loss.
        exact = 1.0 / (1.0 + math.exp(-x)) - target
        rest = max(abs(exact), 1.0) * (2.0**-52 * math.exp(x) if x > 0.0 else 1e-15)
        assert slope(x) == pytest.approx(exact, rel=1e-14, abs=rest)


@pytest.mark.parametrize("p", [0.0, 1e-50, 1.0])
def test_beyond_the_cut_of_its_logarithm_bce_is_linear(p: float) -> None:
    """Slopes there: PyTorch's 1e12 in the output, the logarithms at their cut in the target."""
    f = nn.binary_cross_entropy
    sign = -1.0 if p == 1.0 else 1.0
    assert mg.grad(f, (0, 1))([p], [0.5]) == ([-0.5e12 * sign], [100.0 * sign])
    assert mg.hessian(lambda t: f([p], [t]))(0.5) == 0.0
    assert mg.hessian(lambda q: f([q], [0.5]))(p) == 1e12


@pytest.mark.torch
class TestLossesAgainstTorch:
    def check(
        self,
        torch: Any,
        name: str,
        outputs: Any,
        targets: Any,
        soft: bool = False,
        rel: float = 1e-12,
    ) -> None:
        """Compare value and gradients, those with respect to the targets included if soft."""
        xs, ys = values(outputs), torch.tensor(outputs, requires_grad=True)
        ts = values(targets) if soft else targets
        us = torch.tensor(targets, requires_grad=soft)
        ours = getattr(nn, name)(xs, ts)
        theirs = getattr(torch.nn.functional, name)(ys, us)
        assert ours.data == close(theirs.item())
        ours.backward()
        theirs.backward()
        assert floats(flat(xs), "grad") == close(ys.grad.flatten().tolist(), rel)
        if soft:
            assert floats(flat(ts), "grad") == close(us.grad.flatten().tolist())

    @pytest.mark.parametrize("soft", [False, True])
    def test_mse(self, torch: Any, soft: bool) -> None:
        outputs = [[0.5, -3.0, 1e100], [1e-100, 2.0, 0.0]]
        targets = [[0.25, 4.0, 3.0], [0.0, 2.0, -1e-3]]
        self.check(torch, "mse_loss", outputs, targets, soft)

    @pytest.mark.parametrize("soft", [False, True])
    def test_bce(self, torch: Any, soft: bool) -> None:
        probabilities = [0.5, 0.1, 0.9, 1e-9, 1.0 - 1e-9]
        for targets in ([1.0] * 5, [0.0] * 5, [0.3, 0.0, 1.0, 0.6, 0.25]):
            self.check(torch, "binary_cross_entropy", probabilities, targets, soft)

    @pytest.mark.parametrize("target", [0.0, 1.0, 0.25])
    def test_bce_at_certainty(self, torch: Any, target: float) -> None:
        for p in (0.0, 1e-50, 1.0):  # PyTorch's least divisor is 1e-12 as a float32
            self.check(torch, "binary_cross_entropy", [p], [target], rel=1e-8)

    @pytest.mark.parametrize("soft", [False, True])
    @pytest.mark.parametrize("target", [0.0, 1.0, 0.25])
    def test_bce_with_logits(self, torch: Any, target: float, soft: bool) -> None:
        for z in POINTS:
            self.check(torch, "binary_cross_entropy_with_logits", [z], [target], soft)

    def test_cross_entropy(self, torch: Any) -> None:
        logits = [[0.1, 2.0, -3.0], [50.0, 1.0, 0.0], [-400.0, 300.0, 800.0], [5.0, 5.0, 5.0]]
        for targets in ([0, 0, 2, 1], [2, 1, 1, 0], [1, 2, 0, 2]):
            self.check(torch, "cross_entropy", logits, targets)
        self.check(torch, "cross_entropy", [0.5, -1.0], 1)
        self.check(torch, "cross_entropy", [3.0], 0)


def test_a_frozen_layer_of_numbers_is_a_constant() -> None:
    layer = nn.Layer(2, 1)
    for p in layer.parameters():
        p.requires_grad = False
    assert not layer([1.0, 2.0])[0].requires_grad
    x = values([1.0, 2.0])
    (y,) = layer(x)
    assert [*map(id, y._prev)] == [*map(id, x)]


def test_the_derivative_in_the_target_is_minus_the_logit() -> None:
    for z in (1e-300, 1e-9, -1e-9, 0.7, 40.0, -800.0):
        t = Value(0.25)
        nn.binary_cross_entropy_with_logits([z], [t]).backward()
        assert t.grad == -z


def test_all_names_what_there_is() -> None:
    assert all(hasattr(nn, name) for name in nn.__all__)


def test_losses_of_nan_are_nan() -> None:
    assert math.isnan(nn.binary_cross_entropy([math.nan], [1.0]))
    assert math.isnan(nn.binary_cross_entropy_with_logits([math.nan], [1.0]))


@pytest.mark.parametrize("number", [3.0, 0, None])
def test_a_number_in_the_place_of_a_parameter(number: Any) -> None:
    for change, name in (
        (lambda m: m.fc1.weight[1].__setitem__(0, number), "Layer"),
        (lambda m: m.fc1.bias.__setitem__(0, number), "Layer"),
        (lambda m: vars(m.neuron).update(b=number), "Neuron"),
    ):
        model = nn.MLP(2, [2, 1])
        model.neuron = nn.Neuron(2)
        change(model)
        with pytest.raises(TypeError) as caught:
            model.neuron(model([1.0, 2.0]) * 2)
        assert str(caught.value) == (
            f"{name}: every parameter must be a Value, got {number!r}; assign numbers to the data "
            "of the one that was there"
        )
