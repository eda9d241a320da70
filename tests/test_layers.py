"""Layers, containers and activation modules: against PyTorch, and what only exists here."""

import copy
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
from compilers import compiler

import microgradlib as mg
from microgradlib import Value, nn, random

pytestmark = pytest.mark.usefixtures("stream")


@pytest.fixture
def torch() -> Any:
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    yield torch
    torch.set_default_dtype(before)


def numbers(x: Any, attribute: str = "data") -> Any:
    if hasattr(x, "tolist"):
        x = x.tolist()
    if isinstance(x, list | tuple):
        return [numbers(y, attribute) for y in x]
    return getattr(x, attribute) if isinstance(x, Value) else x


def flat(x: Any) -> list[Any]:
    x = numbers(x)
    return [z for y in x for z in flat(y)] if isinstance(x, list) else [x]


def values(x: Any) -> Any:
    return [values(y) for y in x] if isinstance(x, list) else Value(x)


def close(expected: Any) -> Any:
    return pytest.approx(expected, rel=1e-12, abs=1e-14)


def both(torch: Any, make: Callable[[Any], Any], seed: int = 0) -> tuple[Any, Any]:
    """Return PyTorch's module and ours, with the same names and weights, from one seed."""
    torch.manual_seed(seed)
    random.manual_seed(seed)
    theirs, ours = make(torch.nn), make(nn)
    assert repr(ours) == repr(theirs)
    state = ours.state_dict()
    assert {name: x.tolist() for name, x in theirs.state_dict().items()} == state
    assert [*state] == [*theirs.state_dict()]
    assert [name for name, _ in ours.named_parameters()] == [
        name for name, _ in theirs.named_parameters()
    ]
    shapes = [tuple(p.shape) for p in theirs.parameters()]
    assert [shape(p) for _, p in ours.named_parameters()] == shapes
    assert random.get_state() == bytes(torch.get_rng_state().tolist())
    return theirs.double(), ours


def check(torch: Any, make: Callable[[Any], Any], x: Any) -> None:
    """Compare output and all gradients, for nested lists and for arrays."""
    numpy = pytest.importorskip("numpy")
    theirs, ours = both(torch, make)
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    for form in (values, lambda x: numpy.array(values(x), object)):
        theirs.zero_grad()
        ours.zero_grad()
        tensor.grad = None
        inputs = form(x)
        ys, outputs = theirs(tensor), ours(inputs)
        assert type(outputs) is type(inputs)
        assert shape(outputs) == tuple(ys.shape)
        assert flat(outputs) == close(ys.flatten().tolist())
        scales = [0.5 + i % 7 for i in range(ys.numel())]
        mg.dot(scales, tree(outputs)).backward()
        (ys.flatten() @ torch.tensor(scales, dtype=torch.float64)).backward()
        assert flat(numbers(inputs, "grad")) == close(tensor.grad.flatten().tolist())
        grads = [p.grad for _, p in ours.named_parameters()]
        assert [*map(flat, grads)] == [
            close(p.grad.flatten().tolist()) for p in theirs.parameters()
        ]
    assert flat(ours(x)) == close(theirs(tensor).flatten().tolist())


def shape(x: Any) -> tuple[int, ...]:
    return (len(x), *shape(x[0])) if hasattr(x, "__len__") else ()


def tree(x: Any) -> list[Any]:
    x = x.tolist() if hasattr(x, "tolist") else x
    return [z for y in x for z in tree(y)] if isinstance(x, list) else [x]


ROW = [0.5, -1.25, 2.0]
ROWS = [[0.5, -1.25, 2.0], [3.0, 0.25, -0.125]]
DEEP = [ROWS, [[1.0, 1.5, -2.0], [0.0, 4.0, 1.0]]]

LAYERS: dict[str, Callable[[Any], Any]] = {
    "Linear": lambda nn: nn.Linear(3, 2),
    "Linear without bias": lambda nn: nn.Linear(3, 4, bias=False),
    "Identity": lambda nn: nn.Identity(7, unused=1),
    "Dropout": lambda nn: nn.Dropout(0.3, True).eval(),
    "LayerNorm": lambda nn: nn.LayerNorm(3),
    "LayerNorm with eps": lambda nn: nn.LayerNorm((3,), 0.25, bias=False),
    "LayerNorm without weights": lambda nn: nn.LayerNorm([3], elementwise_affine=False),
    "RMSNorm": lambda nn: nn.RMSNorm(3),
    "RMSNorm with eps": lambda nn: nn.RMSNorm([3], 0.5),
    "RMSNorm without weights": lambda nn: nn.RMSNorm(3, elementwise_affine=False),
    "ReLU": lambda nn: nn.ReLU(),
    "ReLU in place": lambda nn: nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))[1:],
    "LeakyReLU": lambda nn: nn.LeakyReLU(),
    "LeakyReLU steep": lambda nn: nn.LeakyReLU(0.25),
    "ELU": lambda nn: nn.ELU(),
    "ELU low": lambda nn: nn.ELU(alpha=0.5),
    "GELU": lambda nn: nn.GELU(),
    "GELU tanh": lambda nn: nn.GELU(approximate="tanh"),
    "SiLU": lambda nn: nn.SiLU(),
    "Tanh": lambda nn: nn.Tanh(),
    "Sigmoid": lambda nn: nn.Sigmoid(),
    "LogSigmoid": lambda nn: nn.LogSigmoid(),
    "Softplus": lambda nn: nn.Softplus(),
    "Sequential": lambda nn: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)),
    "Sequential of names": lambda nn: nn.Sequential(
        OrderedDict([("fc", nn.Linear(3, 4)), ("act", nn.SiLU()), ("norm", nn.LayerNorm(4))])
    ),
    "Sequential in one": lambda nn: nn.Sequential(nn.Sequential(nn.Linear(3, 3)), nn.ReLU()),
}


@pytest.mark.torch
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("x", [ROW, ROWS, DEEP], ids=["row", "rows", "deep"])
def test_against_torch(torch: Any, name: str, x: Any) -> None:
    if name == "ReLU in place":  # which torch refuses for a leaf
        make = LAYERS[name]
        assert repr(make(nn)) == repr(make(torch.nn))
        assert make(nn)(x) == make(torch.nn)(torch.tensor(x)).tolist()
    else:
        check(torch, LAYERS[name], x)


@pytest.mark.torch
@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.LayerNorm((2, 3)),
        lambda nn: nn.RMSNorm([2, 3]),
    ],
)
@pytest.mark.parametrize("x", [ROWS, DEEP], ids=["rows", "deep"])
def test_norms_of_several_dimensions(torch: Any, make: Any, x: Any) -> None:
    check(torch, make, x)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("start", "end"),
    [(i, j) for i in (0, 1, 2, -1, -2) for j in (-1, 2, 1) if range(3)[i] <= range(3)[j]],
)
def test_flatten(torch: Any, start: int, end: int) -> None:
    numpy = pytest.importorskip("numpy")
    ours, theirs = nn.Flatten(start, end), torch.nn.Flatten(start, end)
    assert repr(ours) == repr(theirs)
    expected = theirs(torch.tensor(DEEP)).tolist()
    assert ours(DEEP) == ours([numpy.array(x) for x in DEEP]) == expected
    assert ours(numpy.array(DEEP)).tolist() == expected
    with pytest.raises(IndexError):
        nn.Flatten()([1.0])
    with pytest.raises(mg.ShapeError, match=r"^flatten: .* is not a tensor"):
        ours([[1.0], [1.0, 2.0]])


class TestDropout:
    @pytest.mark.torch
    @pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
    @pytest.mark.parametrize("sizes", [(3,), (4, 5), (2, 3, 4), (40,)])
    def test_masks_of_torch(self, torch: Any, p: float, sizes: tuple[int, ...]) -> None:
        numpy = pytest.importorskip("numpy")
        x = torch.randn(sizes, dtype=torch.float64, requires_grad=True)
        for make in (torch.nn.Dropout, lambda p: lambda x: torch.nn.functional.dropout(x, p)):
            x.grad = None
            random.set_state(torch.get_rng_state())
            y = make(p)(x)
            y.sum().backward()
            before, inputs = random.get_state(), values(x.tolist())
            for form in (list, lambda x: numpy.array(x, object)):
                random.set_state(before)
                dropout = nn.Dropout(p) if isinstance(make, type) else nn.functional.dropout
                z = dropout(form(inputs)) if isinstance(make, type) else dropout(form(inputs), p)
                assert numbers(z) == y.tolist()
                assert random.get_state() == bytes(torch.get_rng_state().tolist())
            mg.sum(tree(z)).backward()
            assert numbers(inputs, "grad") == x.grad.tolist()
            inputs = values(x.tolist())

    def test_a_number(self) -> None:
        random.manual_seed(1)
        drawn = [nn.Dropout(0.5)(3.0) for _ in range(50)]
        assert {*drawn} == {0.0, 6.0}
        x = Value(3.0)
        y = nn.Dropout(0.25).train(False)(x)
        assert y is x

    def test_modes(self) -> None:
        model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5)))
        assert model.training
        assert model[1][0].training
        assert model.eval() is model
        assert not model.training
        assert not model[1][0].training
        before = random.get_state()
        assert model([1.0] * 30) == [1.0] * 30
        assert random.get_state() == before
        assert model.train() is model
        assert {*model([1.0] * 64)} == {0.0, 4.0}

    @pytest.mark.parametrize("p", [-0.1, 1.5, math.nan, "0.5", True, None])
    def test_no_probability(self, p: Any) -> None:
        with pytest.raises(ValueError, match=r"^Dropout: p must be a number in \[0, 1\], got "):
            nn.Dropout(p)
        with pytest.raises(ValueError, match=r"^dropout: p must be"):
            nn.functional.dropout([1.0], p)


class TestEmbedding:
    @pytest.mark.torch
    @pytest.mark.parametrize("padding", [None, 1, -1])
    @pytest.mark.parametrize("x", [2, [0, 2, 2], [[1, 2], [4, 0]]], ids=["one", "row", "rows"])
    def test_against_torch(self, torch: Any, x: Any, padding: int | None) -> None:
        numpy = pytest.importorskip("numpy")
        theirs, ours = both(torch, lambda nn: nn.Embedding(5, 3, padding))
        for form in (lambda x: x, numpy.array):
            theirs.zero_grad()
            ours.zero_grad()
            ys, outputs = theirs(torch.tensor(x)), ours(form(x))
            assert numbers(outputs) == ys.tolist()
            (ys.flatten() @ torch.arange(1.0, ys.numel() + 1, dtype=torch.float64)).backward()
            mg.dot(range(1, ys.numel() + 1), tree(outputs)).backward()
            assert ours.weight.grad == theirs.weight.grad.tolist()
        assert type(outputs) is numpy.ndarray

    @pytest.mark.parametrize("padding", [None, 2])
    def test_traced_indices(self, padding: int | None) -> None:
        table = nn.Embedding(4, 2, padding)
        if padding is not None:
            table.weight[padding].data = [1.0, 2.0]
        f = mg.compile(mg.value_and_grad(lambda m, i: mg.sum(mg.tanh(m(i)))))
        for i in ([0, 3], [2, 0], [1, 2], [3, 3]):
            value, gradient = f(table, i)
            table.zero_grad()
            y = mg.sum(mg.tanh(table(i)))
            y.backward()
            assert value == y.data
            grad = table.weight.grad or [[0.0, 0.0]] * 4
            assert numbers(gradient.weight) == grad
        assert f.cache_info().made == 1

    def test_what_is_no_index(self) -> None:
        table = nn.Embedding(4, 2)
        for i in (4, -1, [[0], [9]]):
            with pytest.raises(IndexError, match=r"^embedding: index -?\d is not in \[0, 4\)"):
                table(i)
        for i in (1.0, True, "1", None):
            with pytest.raises(TypeError, match=r"^embedding: an index must be an int, got "):
                table(i)
        with pytest.raises(
            ValueError, match=r"^Embedding: padding_idx must be in \[-4, 4\), got 4"
        ):
            nn.Embedding(4, 2, 4)
        with pytest.raises(ValueError, match=r"padding_idx must be in .* got -5$"):
            nn.Embedding(4, 2, -5)
        with pytest.raises(
            ValueError, match=r"^Embedding: embedding_dim must be at least 1, got 0"
        ):
            nn.Embedding(4, 0)
        assert nn.Embedding(4, 2, -4).weight.data[0] == [0.0, 0.0]


class Block(nn.Module):
    def __init__(self) -> None:
        self.emb = nn.Embedding(5, 4, padding_idx=0)
        self.norms = nn.ModuleList([nn.LayerNorm(4), nn.RMSNorm(4)])
        self.head = nn.Sequential(nn.Linear(4, 3, bias=False), nn.GELU(), nn.Dropout(0.5))

    def forward(self, i: Any) -> Any:
        x = self.emb(i)
        for norm in self.norms:
            x = norm(x)
        return mg.sum(self.head(x))


@pytest.mark.parametrize("backend", ["python", *["c"] * bool(compiler())])
def test_compiled(backend: Any) -> None:
    model = Block().eval()
    f = mg.compile(mg.value_and_grad(lambda m, i: m(i)), backend=backend)
    for i in ([1, 2, 3], [4, 0, 1], [2, 2, 0]):
        value, slopes = f(model, i)
        model.zero_grad()
        y = model(i)
        y.backward()
        assert value == y.data
        for (name, p), (_, q) in zip(
            model.named_parameters(), slopes.named_parameters(), strict=True
        ):
            assert flat(q) == close(flat(p.grad)), name
    assert f.cache_info().made == 1
    assert mg.gradcheck_module(model, lambda m: m([1, 2, 3]))


class TestFunctional:
    def test_linear(self) -> None:
        w, b = [[1.0, 2.0], [3.0, -1.0]], [0.5, 0.0]
        assert nn.functional.linear([1.0, 2.0], w) == [5.0, 1.0]
        assert nn.functional.linear([[1.0, 2.0], [0.0, 0.0]], w, b) == [[5.5, 1.0], [0.5, 0.0]]
        layer = nn.Linear(2, 2)
        x = [Value(1.0), 2.0]
        same = nn.functional.linear(x, layer.weight, layer.bias)
        assert numbers(same) == numbers(layer(x))
        with pytest.raises(mg.ShapeError, match=r"^linear: got 1 biases for 2 rows of weights$"):
            nn.functional.linear([1.0, 2.0], w, [1.0])

    def test_norms(self) -> None:
        with pytest.raises(
            mg.ShapeError, match=r"^layer_norm: expected samples of shape \(2,\), g"
        ):
            nn.LayerNorm(2)([1.0, 2.0, 3.0])
        with pytest.raises(mg.ShapeError, match=r"^rms_norm: expected samples .* got \(2,\)$"):
            nn.RMSNorm((1, 2))([1.0, 2.0])
        with pytest.raises(mg.ShapeError, match=r"^rms_norm: got 2 weights for 3 numbers$"):
            nn.functional.rms_norm([1.0, 2.0, 3.0], 3, [1.0, 2.0])
        with pytest.raises(mg.ShapeError, match=r"^layer_norm: got 1 biases for 3 numbers$"):
            nn.functional.layer_norm([1.0, 2.0, 3.0], 3, None, [1.0])
        with pytest.raises(mg.ShapeError, match=r"^layer_norm: .* is not a tensor; make the lists"):
            nn.functional.layer_norm([[1.0, 2.0], [3.0]], 2)
        with pytest.raises(ValueError, match=r"^LayerNorm: normalized_shape must be at least 1"):
            nn.LayerNorm(0)
        shifted = nn.functional.layer_norm([1.0, 3.0], 2, None, [1.0, 1.0], eps=0.0)
        assert shifted == [0.0, 2.0]

    def test_linear_sizes(self) -> None:
        for sizes, name in (((0, 1), "in_features"), ((1, 0), "out_features")):
            with pytest.raises(ValueError, match=f"^Linear: {name} must be at least 1, got 0$"):
                nn.Linear(*sizes)
        with pytest.raises(mg.ShapeError, match=r"^Linear: expected 2 inputs, got 1: \(1.0,\)$"):
            nn.Linear(2, 1, bias=False)([1.0])
        layer: Any = nn.Linear(1, 1, bias=False)
        layer.weight[0][0] = 3.0
        with pytest.raises(TypeError, match=r"^Linear: every parameter must be a Value, got 3.0"):
            layer([1.0])


class TestActivations:
    def test_options_by_place_and_name(self) -> None:
        assert nn.LeakyReLU(0.5).negative_slope == 0.5
        assert repr(nn.LeakyReLU(negative_slope=0.5, inplace=True)) == (
            "LeakyReLU(negative_slope=0.5, inplace=True)"
        )
        assert repr(nn.Softmax(dim=-1)) == "Softmax(dim=-1)"
        for make in (lambda: nn.ReLU(slope=1.0), lambda: nn.Tanh(1), lambda: nn.ELU(1.0, False, 1)):
            with pytest.raises(TypeError, match="argument"):
                make()

    def test_options_may_change(self) -> None:
        slope = nn.LeakyReLU()
        slope.negative_slope = 0.5
        assert slope(-1.0) == -0.5

    @pytest.mark.parametrize("kind", [nn.Softmax, nn.LogSoftmax])
    def test_softmax_without_an_axis(self, kind: Any) -> None:
        for x in ([0.5, 1.0], [[0.5, 1.0], [2.0, -1.0]]):
            assert kind()(x) == kind(dim=None)(x) == kind(dim=-1)(x)
        y = [[[0.5, 1.0], [2.0, -1.0]]]  # PyTorch would go along axis 0
        with pytest.raises(ValueError, match="pass dim, the axis to go along, of 3 axes"):
            kind()(y)
        assert kind(-1)(y) == [kind(1)(y[0])]

    def test_copies(self) -> None:
        model = nn.Sequential(nn.Linear(2, 2), nn.ELU(0.5), nn.Dropout(0.1)).eval()
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert numbers(twin([1.0, -2.0])) == numbers(model([1.0, -2.0]))
            twin.train()
            assert not model[2].training


class TestContainers:
    @pytest.mark.torch
    def test_layout_and_names_of_torch(self, torch: Any) -> None:
        def make(nn: Any) -> Any:
            class Model(nn.Module):  # type: ignore[misc]
                def __init__(self) -> None:
                    super().__init__()
                    self.blocks = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
                    self.blocks.append(nn.ReLU())
                    self.blocks.extend([nn.Linear(2, 3), nn.Linear(2, 3)])
                    self.blocks.insert(1, nn.Tanh())
                    self.parts = nn.ModuleDict({"a": nn.Linear(1, 2), "b": nn.Sequential()})
                    self.parts["c"] = nn.ModuleList()
                    self.parts.update([("d", nn.LayerNorm(2))])
                    self.more = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1))
                    del self.more[0]
                    self.more.append(nn.Embedding(2, 1))
                    self.more[0] = nn.Identity()
                    self.scale = nn.Parameter(zero(1.0))
                    self.head = self.blocks[0]
                    self.tied = nn.Linear(2, 2)
                    self.tied.weight = self.head.weight

            zero = torch.tensor if nn is torch.nn else float
            return Model()

        both(torch, make)

    def test_lists(self) -> None:
        a, b, c = nn.ReLU(), nn.Tanh(), nn.Linear(1, 1)
        for kind in (nn.ModuleList, lambda xs: nn.Sequential(*xs)):
            xs, ms = kind([a, b]), kind([b])
            assert (len(xs), [*xs], xs[0], xs[-1], xs[1:][0]) == (2, [a, b], a, b, b)
            assert xs.append(c) is xs
            assert [*xs[::2]] == [a, c]
            assert type(xs[1:]) is type(xs)
            assert xs.extend([b]) is xs
            assert [*xs] == [a, b, c, b]
            del xs[1:3]
            assert [*xs.named_children()] == [("0", a), ("1", b)]
            xs[-1] = c
            assert xs.pop() is c
            assert [*(xs + ms)] == [a, b]
            xs += [c]
            assert [name for name, _ in xs.named_parameters()] == ["1.weight", "1.bias"]
            assert xs != kind([*xs])
            assert xs in {xs}
            for wrong in (3.0, relu, nn.ReLU, None):
                with pytest.raises(TypeError, match=r"^(ModuleList|Sequential): expected a Module"):
                    xs.append(wrong)
                with pytest.raises(TypeError, match="expected a Module"):
                    xs[0] = wrong
                with pytest.raises(TypeError, match="expected a Module"):
                    kind([wrong])
            with pytest.raises(IndexError):
                xs[2]
            assert [*xs] == [a, c]
        with pytest.raises(TypeError, match=r"; write Sequential\(\*modules\)$"):
            nn.Sequential([a, b])
        names = nn.Sequential({"x": a, "y": b})
        assert [name for name, _ in names[1:].named_children()] == ["y"]

    def test_dicts(self) -> None:
        a, b = nn.ReLU(), nn.Linear(1, 1)
        xs = nn.ModuleDict({"a": a, "b": b})
        assert ([*xs], [*xs.values()], len(xs), "a" in xs, "c" in xs) == (
            ["a", "b"],
            [a, b],
            2,
            True,
            False,
        )
        assert xs.pop("a") is a
        assert [*xs.items()] == [("b", b)]
        assert xs != nn.ModuleDict(xs)
        assert xs in {xs}
        with pytest.raises(KeyError, match="there is no module 'a'"):
            xs["a"]
        with pytest.raises(KeyError, match="there is no module 'a'"):
            del xs["a"]
        for name in ("x.y", "", 3, "forward", "training"):
            with pytest.raises(KeyError, match="add_module: "):
                xs[name] = a  # type: ignore[index]
        with pytest.raises(TypeError, match=r"^add_module: 'f' must be a Module, got "):
            xs["f"] = relu
        assert [*xs] == ["b"]
        xs.clear()
        assert repr(xs) == "ModuleDict()"

    def test_parameters(self) -> None:
        shared = nn.Parameter([[1.0, 2.0]])
        xs = nn.ParameterList([shared, 3.0, [4.0]])
        assert xs[0] is shared
        assert isinstance(xs[1], Value)
        xs.append([5.0, 6.0])
        assert xs.state_dict() == {"0": [[1.0, 2.0]], "1": 3.0, "2": [4.0], "3": [5.0, 6.0]}
        assert [name for name, _ in xs.named_parameters()] == ["0", "1", "2", "3"]
        assert repr(nn.ParameterList()) == "ParameterList()"
        assert repr(xs[:1]) == "ParameterList(  (0): Parameter containing: [float64 of size 1x2])"
        with pytest.raises(TypeError, match=r"^Parameter: expected a number"):
            xs.append("text")


def relu(x: Any) -> Any:
    return mg.relu(x)
