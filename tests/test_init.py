"""nn.init and nn.utils: PyTorch's numbers bit for bit, and mistakes."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value, nn, random
from microgradlib.nn import init, utils

pytestmark = pytest.mark.usefixtures("stream")


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


def tensor(*shape: int) -> Any:
    return [tensor(*shape[1:]) for _ in range(shape[0])] if shape else Value(7.0)


def data(tree: Any) -> Any:
    return [data(x) for x in tree] if isinstance(tree, list) else tree.data


SHAPES: tuple[tuple[int, ...], ...] = (
    *((), (1,), (7,), (15,), (16,), (17,), (100,)),
    *((2, 3), (4, 4), (5, 13), (1, 40), (3, 2, 5), (2, 3, 4, 5)),
)
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("uniform_", {}),
    ("uniform_", {"a": -0.3, "b": 0.7}),
    ("normal_", {}),
    ("normal_", {"mean": 1.0, "std": 0.02}),
    ("trunc_normal_", {}),
    ("trunc_normal_", {"std": 0.02}),
    ("trunc_normal_", {"mean": 0.5, "std": 2.0, "a": -1.0, "b": 1.5}),
    ("constant_", {"val": 0.1}),
    ("zeros_", {}),
    ("ones_", {}),
]
BY_FANS: list[tuple[str, dict[str, Any]]] = [
    ("xavier_uniform_", {}),
    ("xavier_uniform_", {"gain": 5 / 3}),
    ("xavier_normal_", {}),
    ("xavier_normal_", {"gain": 0.1}),
    *[
        (f"kaiming_{kind}_", options)
        for kind in ("uniform", "normal")
        for options in (
            {},
            {"a": math.sqrt(5)},
            {"mode": "fan_out", "nonlinearity": "relu"},
            {"nonlinearity": "tanh"},
        )
    ],
]


@pytest.mark.torch
class TestAgainstTorch:
    @pytest.mark.parametrize(("name", "options"), [*CALLS, *BY_FANS])
    def test_numbers(self, torch: Any, name: str, options: dict[str, Any]) -> None:
        torch.manual_seed(5)
        random.manual_seed(5)
        for shape in SHAPES if (name, options) in CALLS else SHAPES[7:]:
            ours = tensor(*shape)
            assert getattr(init, name)(ours, **options) is ours
            theirs = getattr(torch.nn.init, name)(torch.empty(shape), **options)
            assert data(ours) == theirs.tolist(), shape
        assert bytes(torch.get_rng_state().tolist()) == random.get_state()

    @pytest.mark.parametrize(("name", "options"), [*CALLS[:7], *BY_FANS])
    def test_generators(self, torch: Any, name: str, options: dict[str, Any]) -> None:
        state = random.get_state()
        ours, theirs = random.Generator().manual_seed(9), torch.Generator().manual_seed(9)
        for shape in ((3, 2), (5, 5)):
            values, peer = tensor(*shape), torch.empty(shape)
            getattr(init, name)(values, generator=ours, **options)
            getattr(torch.nn.init, name)(peer, generator=theirs, **options)
            assert data(values) == peer.tolist()
        assert random.get_state() == state

    def test_eye(self, torch: Any) -> None:
        for shape in ((1, 1), (2, 3), (4, 2)):
            theirs = torch.nn.init.eye_(torch.empty(shape))
            assert data(init.eye_(tensor(*shape))) == theirs.tolist()

    def test_gains(self, torch: Any) -> None:
        for name in (*init._GAINS, "leaky_relu"):
            assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
        for slope in (0, 0.2, math.sqrt(5)):
            expected = torch.nn.init.calculate_gain("leaky_relu", slope)
            assert init.calculate_gain("leaky_relu", slope) == expected

    def test_values_one_by_one_where_that_is_the_same(self, torch: Any) -> None:
        torch.manual_seed(5)
        random.manual_seed(5)
        layer = nn.Linear(5, 4)
        peer = torch.nn.Linear(5, 4)
        for p in layer.parameters():
            init.uniform_(p, -0.1, 0.1)
        for p in peer.parameters():
            torch.nn.init.uniform_(p, -0.1, 0.1)
        assert layer.state_dict() == {name: x.tolist() for name, x in peer.state_dict().items()}

    def test_nanogpt(self, torch: Any) -> None:
        """Its model: a tied embedding, normal numbers by apply, scaled projections."""
        ours, theirs = GPT(nn, init), torch_gpt(torch)
        for name, x in theirs.state_dict().items():
            assert ours.state_dict()[name] == x.tolist(), name
        assert len(ours.parameters()) == sum(p.numel() for p in theirs.parameters())
        assert bytes(torch.get_rng_state().tolist()) == random.get_state()


LAYERS, WIDTH, VOCABULARY, CONTEXT = 2, 8, 11, 6


def build(model: Any, nn: Any, init: Any, manual_seed: Callable[[int], Any]) -> None:
    """Make the parts of nanoGPT's model in its order, and initialise them as it does."""

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.ln_1 = nn.LayerNorm(WIDTH)
            self.c_attn = nn.Linear(WIDTH, 3 * WIDTH)
            self.c_proj = nn.Linear(WIDTH, WIDTH)
            self.ln_2 = nn.LayerNorm(WIDTH)
            self.c_fc = nn.Linear(WIDTH, 4 * WIDTH)
            self.mlp = nn.ModuleDict({"c_proj": nn.Linear(4 * WIDTH, WIDTH)})

    def start(module: Any) -> None:
        if isinstance(module, nn.Linear):
            init.normal_(module.weight, mean=0.0, std=0.02)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, mean=0.0, std=0.02)

    manual_seed(1337)
    model.wte = nn.Embedding(VOCABULARY, WIDTH)
    model.wpe = nn.Embedding(CONTEXT, WIDTH)
    model.h = nn.ModuleList([Block() for _ in range(LAYERS)])
    model.ln_f = nn.LayerNorm(WIDTH)
    model.lm_head = nn.Linear(WIDTH, VOCABULARY, bias=False)
    model.wte.weight = model.lm_head.weight
    model.apply(start)
    for name, p in model.named_parameters():
        if name.endswith("c_proj.weight"):
            init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * LAYERS))


def GPT(nn: Any, init: Any) -> Any:  # noqa: N802
    class Model(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            build(self, nn, init, random.manual_seed)

    return Model()


def torch_gpt(torch: Any) -> Any:
    class Model(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            build(self, torch.nn, torch.nn.init, torch.manual_seed)

    return Model()


# By hand, for a tensor of 4 rows, 5 columns, and 2 numbers in each: fan_in is 10, fan_out 8.
DRAWS: list[tuple[str, dict[str, Any], Callable[..., Any], tuple[float, ...]]] = [
    ("uniform_", {}, random.uniform, (0.0, 1.0)),
    ("uniform_", {"a": -3.0, "b": -1.0}, random.uniform, (-3.0, -1.0)),
    ("normal_", {}, random.normal, (0.0, 1.0)),
    ("normal_", {"mean": 5.0, "std": 0.1}, random.normal, (5.0, 0.1)),
    ("trunc_normal_", {}, random.trunc_normal, (0.0, 1.0, -2.0, 2.0)),
    (
        "trunc_normal_",
        {"mean": 5.0, "std": 0.1, "a": 4.9, "b": 5.05},
        random.trunc_normal,
        (5.0, 0.1, 4.9, 5.05),
    ),
    ("xavier_uniform_", {}, random.uniform, (-0.5773502691896257, 0.5773502691896257)),
    ("xavier_uniform_", {"gain": 3.0}, random.uniform, (-1.7320508075688772, 1.7320508075688772)),
    ("xavier_normal_", {}, random.normal, (0.0, 1.0 / 3.0)),
    ("xavier_normal_", {"gain": 3.0}, random.normal, (0.0, 1.0)),
    ("kaiming_uniform_", {}, random.uniform, (-(0.6**0.5), 0.6**0.5)),
    ("kaiming_uniform_", {"a": 2.0, "mode": "fan_out"}, random.uniform, (-(0.15**0.5), 0.15**0.5)),
    ("kaiming_uniform_", {"nonlinearity": "linear"}, random.uniform, (-(0.3**0.5), 0.3**0.5)),
    ("kaiming_normal_", {}, random.normal, (0.0, 0.2**0.5)),
    ("kaiming_normal_", {"a": 2.0, "mode": "fan_out"}, random.normal, (0.0, 0.05**0.5)),
    ("kaiming_normal_", {"nonlinearity": "linear"}, random.normal, (0.0, 0.1**0.5)),
]


@pytest.mark.parametrize(("name", "options", "draw", "arguments"), DRAWS)
def test_by_hand(
    name: str,
    options: dict[str, Any],
    draw: Callable[..., Any],
    arguments: tuple[float, ...],
) -> None:
    for generator in (None, random.Generator()):
        for source in (random, generator):
            if source is not None:
                source.manual_seed(4)
        values = tensor(4, 5, 2)
        getattr(init, name)(values, generator=generator, **options)
        for source in (random, generator):
            if source is not None:
                source.manual_seed(4)
        expected = draw(*arguments, (4, 5, 2), generator=generator)
        assert flat(data(values)) == pytest.approx(flat(expected), rel=1e-5, abs=1e-6)
        if generator is not None:  # and nothing was drawn from the other one
            random.manual_seed(4)
            state = random.get_state()
            getattr(init, name)(values, generator=generator, **options)
            assert random.get_state() == state


def test_numbers_that_are_not_drawn() -> None:
    assert data(init.zeros_(tensor(2, 3))) == [[0.0] * 3] * 2
    assert data(init.ones_(tensor(2, 3))) == [[1.0] * 3] * 2
    assert data(init.constant_(tensor(2, 3), -0.25)) == [[-0.25] * 3] * 2
    assert data(init.constant_(Value(1.0), 3)) == 3.0
    assert data(init.zeros_(Value(1.0))) == 0.0
    assert data(init.ones_(Value(2.0))) == 1.0
    assert data(init.eye_(tensor(2, 3))) == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    names = ["linear", "sigmoid", "conv1d", "conv_transpose3d", "tanh", "relu", "selu"]
    gains = [1.0, 1.0, 1.0, 1.0, 5.0 / 3.0, 2.0**0.5, 0.75]
    assert [init.calculate_gain(name) for name in names] == gains
    assert len(init._GAINS) == 5 + 6
    assert init.calculate_gain("leaky_relu") == (2.0 / 1.0001) ** 0.5
    assert init.calculate_gain("leaky_relu", 2) == 0.4**0.5
    assert init.calculate_gain("leaky_relu", 0.0) == 2.0**0.5


def test_parameters_and_arrays() -> None:
    np = pytest.importorskip("numpy")
    random.manual_seed(1)
    expected = data(init.xavier_uniform_(tensor(3, 2)))
    random.manual_seed(1)
    p = nn.Parameter([[0.0] * 2] * 3)
    assert init.xavier_uniform_(p) is p
    assert p.data == expected
    random.manual_seed(1)
    array = np.array(tensor(3, 2), object)
    assert init.xavier_uniform_(array) is array
    assert data(array.tolist()) == expected


def test_an_empty_tensor_draws_nothing() -> None:
    state = random.get_state()
    for name, options in [*CALLS, *BY_FANS]:
        assert getattr(init, name)([[], []], **options) == [[], []]
    assert random.get_state() == state


def test_all_or_none() -> None:
    frozen = tensor(2, 2)
    computed = [[Value(1.0), Value(2.0)], [Value(3.0), Value(2.0) * 2.0]]
    for name, options in [*CALLS, *BY_FANS]:
        for x, problem in ((computed, "Value(data=4.0"), ([[frozen[0][0], 1.0]], "1.0")):
            state = random.get_state()
            with pytest.raises(TypeError) as caught:
                getattr(init, name)(x, **options)
            assert str(caught.value).startswith(f"{name}: expected parameters, got {problem}")
            assert random.get_state() == state
    assert data(frozen) == [[7.0, 7.0], [7.0, 7.0]]
    assert data(computed) == [[1.0, 2.0], [3.0, 4.0]]


def test_normal_numbers_one_by_one() -> None:
    model = nn.Linear(3, 1)
    model.scale = Value(1.0)
    for name in ("normal_", "trunc_normal_"):
        first, second, *_ = model.parameters()
        getattr(init, name)(first)  # what it is part of shows at the next one
        with pytest.raises(ValueError, match=rf"^{name}: the Value is part of a larger tensor"):
            getattr(init, name)(second)
        getattr(init, name)(model.scale)  # a tensor of its own
        getattr(init, name)(Value(1.0))
        getattr(init, name)(model.weight[0])  # the caller's own tensor


MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: init.eye_(tensor(3)), ValueError, "eye_: needs a tensor with two axes, got one of"),
    (lambda: init.xavier_uniform_(tensor(3)), ValueError, "xavier_uniform_: needs a tensor"),
    (lambda: init.kaiming_normal_(Value(1.0)), ValueError, "kaiming_normal_: needs a tensor"),
    (
        lambda: init.kaiming_uniform_(tensor(2, 2), mode="fan"),
        ValueError,
        "kaiming_uniform_: mode must be 'fan_in' or 'fan_out', got 'fan'",
    ),
    (
        lambda: init.kaiming_uniform_(tensor(2, 2), nonlinearity="gelu"),
        ValueError,
        "calculate_gain: unknown nonlinearity 'gelu'; choose one of 'linear'",
    ),
    (lambda: init.calculate_gain("leaky_relu", True), TypeError, "calculate_gain: param: expected"),
    (lambda: init.constant_(Value(1.0), "1"), TypeError, "constant_: val: expected a number"),  # type: ignore[arg-type]
    (lambda: init.xavier_normal_(tensor(2, 2), "1"), TypeError, "xavier_normal_: gain: expected"),  # type: ignore[arg-type]
    (lambda: init.uniform_([tensor(2), tensor(3)]), mg.ShapeError, "uniform_: rows must have one"),
    (lambda: mg.compile(lambda x: init.zeros_(x))(1.0), mg.CompileError, "compile: zeros_() in a"),
]


@pytest.mark.parametrize(("mistake", "error", "message"), MISTAKES)
def test_mistakes(mistake: Callable[[], Any], error: type[Exception], message: str) -> None:
    state = random.get_state()
    with pytest.raises(error) as caught:
        mistake()
    assert str(caught.value).startswith(message)
    assert random.get_state() == state


# nn.utils.


def with_grads(grads: Any) -> Any:
    if isinstance(grads, list):
        return [with_grads(g) for g in grads]
    x = Value(1.0)
    x.grad = grads
    return x


def grads(tree: Any) -> Any:
    return [grads(x) for x in tree] if isinstance(tree, list) else tree.grad


@pytest.mark.torch
class TestClippingAgainstTorch:
    @pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.5, 0.5, math.inf, 2, 1e-2 + 1])
    @pytest.mark.parametrize("max_norm", [1.0, 1e-3, 1e3, 0.0, 5])
    def test_norm(self, torch: Any, norm_type: float, max_norm: float) -> None:
        tensors = ([[3.0, -4.0], [0.0, 1e-3]], [12.0, 1e-9], [0.25])
        ours = [with_grads(g) for g in tensors]
        theirs = [torch.zeros_like(torch.tensor(g, dtype=torch.float64)) for g in tensors]
        for peer, g in zip(theirs, tensors, strict=True):
            peer.grad = torch.tensor(g, dtype=torch.float64)
        norm = utils.clip_grad_norm_(ours, max_norm, norm_type)
        expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
        assert norm.item() == pytest.approx(expected.item(), rel=1e-12)
        assert not norm.requires_grad
        for x, peer in zip(ours, theirs, strict=True):
            for a, b in zip(flat(grads(x)), peer.grad.flatten().tolist(), strict=True):
                assert a == pytest.approx(b, rel=1e-12, abs=0.0)

    @pytest.mark.parametrize("bound", [0.5, 0.0, 1e9, 3])
    def test_value(self, torch: Any, bound: float) -> None:
        tensors = ([[3.0, -4.0], [0.0, 1e-3]], [math.inf, -math.inf])
        ours = [with_grads(g) for g in tensors]
        theirs = [torch.zeros(2), torch.zeros(2)]
        theirs[0] = torch.zeros(2, 2)
        for peer, g in zip(theirs, tensors, strict=True):
            peer.grad = torch.tensor(g)
        assert utils.clip_grad_value_(ours, bound) is None
        torch.nn.utils.clip_grad_value_(theirs, bound)
        assert [flat(grads(x)) for x in ours] == [
            pytest.approx(peer.grad.flatten().tolist(), rel=1e-6) for peer in theirs
        ]


def flat(tree: Any) -> list[Any]:
    return [x for part in tree for x in flat(part)] if isinstance(tree, list) else [tree]


class TestClipping:
    def test_by_hand(self) -> None:
        for p, norm in ((2.0, 5.0), (1.0, 7.0), (3.0, 91.0 ** (1.0 / 3.0)), (math.inf, 4.0)):
            values = with_grads([3.0, -4.0])
            assert utils.clip_grad_norm_(values, 2.5, p).data == pytest.approx(norm, rel=1e-15)
            factor = 2.5 / (norm + 1e-6)
            assert grads(values) == pytest.approx([3.0 * factor, -4.0 * factor], rel=1e-15)
        values = with_grads([3.0, -4.0])
        utils.clip_grad_norm_(values, 1.0)
        assert grads(values) == [3.0 * (1.0 / 5.000001), -4.0 * (1.0 / 5.000001)]
        utils.clip_grad_value_(values, 0.0)
        assert grads(values) == [0.0, 0.0]

    def test_what_is_taken(self) -> None:
        np = pytest.importorskip("numpy")

        def generator(values: list[Value]) -> Iterator[Value]:
            yield from values

        for take in (list, tuple, generator, lambda x: np.array(x, object), lambda x: [[x]]):
            values = with_grads([3.0, 4.0])
            assert utils.clip_grad_norm_(take(values), 1.0).data == 5.0
            assert grads(values) == [3.0 * (1.0 / (5.0 + 1e-6)), 4.0 * (1.0 / (5.0 + 1e-6))]
            utils.clip_grad_value_(take(values), 0.7)
            assert grads(values) == [3.0 * (1.0 / (5.0 + 1e-6)), 0.7]
        x = with_grads(3.0)
        assert utils.clip_grad_norm_(x, 5.0).data == 3.0 == x.grad
        assert utils.clip_grad_norm_([x, x, [x]], 5.0).data == 3.0  # once

    def test_what_has_no_gradient(self) -> None:
        new, none, frozen, zero = Value(1.0), with_grads(None), with_grads(9.0), with_grads(0.0)
        frozen.requires_grad = False
        before = new._grad
        assert utils.clip_grad_norm_([new, none, frozen, zero], 1.0).data == 0.0
        utils.clip_grad_value_([new, none, frozen, zero], 1.0)
        assert (new._grad, none.grad, frozen.grad, zero.grad) == (before, None, 9.0, 0.0)
        assert utils.clip_grad_norm_([], 1.0).data == 0.0
        assert utils.clip_grad_norm_([], 1.0, 3.0).data == 0.0
        assert new._grad is before

    def test_a_gradient_that_can_be_differentiated(self) -> None:
        x = Value(2.0)
        (x**3).backward(create_graph=True)
        assert utils.clip_grad_norm_(x, 1.0).data == 12.0
        assert x.grad == 12.0 * (1.0 / (12.0 + 1e-6))

    @pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, math.inf])
    def test_large_and_tiny_gradients(self, norm_type: float) -> None:
        for size in (1e300, 1e-300, 5e-324):
            values = with_grads([size, -size])
            norm = utils.clip_grad_norm_(values, 1.0, norm_type).data
            root = 1.0 if norm_type == math.inf else 2.0 ** (1.0 / norm_type)
            assert norm == pytest.approx(size * root, rel=1e-15, abs=5e-324)

    @pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, math.inf])
    def test_what_is_not_finite(self, norm_type: float) -> None:
        for bad in ([math.inf, 1.0], [1.0, math.nan], [math.nan, math.inf], [1.0, -math.inf]):
            for error_if_nonfinite in (False, True):
                values = with_grads(bad)
                with pytest.raises(mg.NonFiniteError, match=r"^clip_grad_norm_: the norm of the"):
                    utils.clip_grad_norm_(values, 1.0, norm_type, error_if_nonfinite)
                assert repr(grads(values)) == repr(bad)
            with mg.allow_nonfinite():
                with pytest.raises(mg.NonFiniteError):
                    utils.clip_grad_norm_(values, 1.0, norm_type, error_if_nonfinite=True)
                norm = utils.clip_grad_norm_(values, 1.0, norm_type).data
                assert not math.isfinite(norm)
                hurt = [math.isnan(g) for g in grads(values)]
                assert hurt == [math.isnan(norm) or math.isinf(g) for g in bad]

    def test_what_is_not_a_number(self) -> None:
        values = with_grads([math.nan, 9.0])
        with pytest.raises(mg.NonFiniteError, match=r"^clip_grad_value_: a gradient is NaN"):
            utils.clip_grad_value_(values, 1.0)
        assert values[1].grad == 9.0
        with mg.allow_nonfinite():
            utils.clip_grad_value_(values, 1.0)
        assert math.isnan(values[0].grad)
        assert values[1].grad == 1.0

    @pytest.mark.parametrize(
        ("mistake", "error", "message"),
        [
            (
                lambda x: utils.clip_grad_norm_(x, 1.0, 0.0),
                ValueError,
                "clip_grad_norm_: norm_type",
            ),
            (lambda x: utils.clip_grad_norm_(x, "1"), TypeError, "clip_grad_norm_: max_norm: "),
            (lambda x: utils.clip_grad_norm_([*x, 1.0], 1), TypeError, "clip_grad_norm_: expected"),
            (lambda x: utils.clip_grad_value_(x, -1.0), ValueError, "clip_grad_value_: clip_value"),
            (
                lambda x: utils.clip_grad_value_(x, None),
                TypeError,
                "clip_grad_value_: clip_value: ",
            ),
            (lambda x: utils.clip_grad_value_({"a": x}, 1.0), TypeError, "clip_grad_value_: expec"),
            (
                lambda x: mg.compile(lambda y: utils.clip_grad_value_(x, 1.0))(1.0),
                mg.CompileError,
                "compile: clip_grad_value_() in a",
            ),
        ],
    )
    def test_mistakes(self, mistake: Any, error: type[Exception], message: str) -> None:
        values = with_grads([3.0, 4.0])
        with pytest.raises(error) as caught:
            mistake(values)
        assert str(caught.value).startswith(message)
        assert grads(values) == [3.0, 4.0]
        assert data(values) == [1.0, 1.0]
