"""The options of the losses and of softmax: against PyTorch, by hand, and their mistakes."""

import math
import random as python_random
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value, nn

any_mg: Any = mg
REDUCTIONS = ("mean", "sum", "none")


@pytest.fixture
def torch() -> Iterator[Any]:
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


def drawn(shape: tuple[int, ...], draw: Any) -> Any:
    return [drawn(shape[1:], draw) for _ in range(shape[0])] if shape else draw()


def values(tree: Any) -> Any:
    return [values(x) for x in tree] if isinstance(tree, list | tuple) else Value(tree)


def flat(tree: Any) -> list[Any]:
    return [x for branch in tree for x in flat(branch)] if isinstance(tree, list) else [tree]


def numbers(tree: Any) -> Any:
    if isinstance(tree, list):
        return [numbers(x) for x in tree]
    return tree.data if isinstance(tree, Value) else tree


def grads(tree: Any) -> list[float]:
    return [x.grad for x in flat(tree)]


def close(expected: Any) -> Any:
    return pytest.approx(expected, rel=1e-12, abs=1e-14)


class Peer:
    """Computes a loss in both libraries, and compares values and gradients."""

    def __init__(self, torch: Any, seed: int) -> None:
        self.torch = torch
        self.rng = python_random.Random(seed)

    def normal(self, *shape: int) -> Any:
        return drawn(shape, lambda: self.rng.gauss(0.0, 2.0))

    def unit(self, *shape: int) -> Any:
        return drawn(shape, self.rng.random)

    def index(self, n: int, *shape: int) -> Any:
        return drawn(shape, lambda: self.rng.randrange(n))

    def check(self, name: str, input: Any, target: Any, soft: bool = False, **options: Any) -> None:
        tensors = {
            key: self.torch.tensor(x) if "weight" in key else x for key, x in options.items()
        }
        xs, ys = values(input), self.torch.tensor(input, requires_grad=True)
        ts, us = (values(target) if soft else target), self.torch.tensor(target)
        us.requires_grad_(soft)
        ours = getattr(nn.functional, name)(xs, ts, **options)
        theirs = getattr(self.torch.nn.functional, name)(ys, us, **tensors)
        assert self.torch.tensor(numbers(ours)).shape == theirs.shape
        assert flat(numbers(ours)) == close(theirs.flatten().tolist()), (name, options)
        # Of several losses each has a factor of its own.
        factors = [1.0 + i for i in range(len(flat(ours)))]
        mg.dot(factors, flat(ours)).backward()
        (theirs.flatten() * self.torch.tensor(factors)).sum().backward()
        assert grads(xs) == close(ys.grad.flatten().tolist()), (name, options)
        if soft:
            assert grads(ts) == close(us.grad.flatten().tolist()), (name, options)
        plain = getattr(mg, name)(input, target, **options)
        assert {*map(type, flat(plain))} == {float}
        assert flat(plain) == flat(numbers(ours))
        self.arrays(name, input, target, ours, options)

    def arrays(self, name: str, input: Any, target: Any, ours: Any, options: Any) -> None:
        np = pytest.importorskip("numpy")
        xs = np.array(values(input), object)
        arrays = {key: np.array(x) if "weight" in key else x for key, x in options.items()}
        result = getattr(mg, name)(xs, np.array(target), **arrays)
        if isinstance(ours, list):
            assert type(result) is np.ndarray
            result = result.tolist()
        assert numbers(result) == numbers(ours)
        if isinstance(input, list):
            plain = getattr(mg, name)(np.array(input), np.array(target), **arrays)
            assert (plain.tolist() if isinstance(ours, list) else plain) == numbers(ours)


@pytest.fixture(params=range(5))
def peer(request: pytest.FixtureRequest, torch: Any) -> Peer:
    return Peer(torch, request.param)


SHAPES: tuple[tuple[int, ...], ...] = ((), (1,), (4,), (3, 2), (2, 1, 3))


@pytest.mark.torch
@pytest.mark.parametrize("reduction", REDUCTIONS)
class TestAgainstTorch:
    def test_mse_and_l1(self, peer: Peer, reduction: str) -> None:
        for shape, name in product(SHAPES, ("mse_loss", "l1_loss")):
            x, t = peer.normal(*shape), peer.normal(*shape)
            peer.check(name, x, t, True, reduction=reduction)
            peer.check(name, x, x, True, reduction=reduction)
            peer.check(name, x, t, True, reduction=reduction, weight=peer.unit(*shape))

    def test_huber(self, peer: Peer, reduction: str) -> None:
        for shape, delta in product(SHAPES, (0.1, 1.0, 2.5, 1e9)):
            x, t = peer.normal(*shape), peer.normal(*shape)
            peer.check("huber_loss", x, t, True, reduction=reduction, delta=delta)
            weight = peer.unit(*shape)
            options = {"reduction": reduction, "delta": delta, "weight": weight}
            peer.check("huber_loss", x, t, True, **options)

    @pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
    def test_kl_div(self, peer: Peer, reduction: str) -> None:
        reductions = (reduction, "batchmean") if reduction == "sum" else (reduction,)
        for shape, asked in product(((4,), (3, 2), (2, 3, 4)), reductions):
            x, t, logs = peer.normal(*shape), peer.unit(*shape), peer.normal(*shape)
            peer.check("kl_div", x, t, True, reduction=asked)
            peer.check("kl_div", x, logs, True, reduction=asked, log_target=True)
            zeros = [0.0, 1.0, 0.25]
            peer.check("kl_div", [-1.0, -0.5, 2.0], zeros, reduction=asked)

    def test_smooth_l1(self, peer: Peer, reduction: str) -> None:
        for shape, beta in product(SHAPES, (0.0, 0.1, 1.0, 2.5, 1e9)):
            x, t = peer.normal(*shape), peer.normal(*shape)
            peer.check("smooth_l1_loss", x, t, True, reduction=reduction, beta=beta)

    def test_at_the_bend(self, peer: Peer, reduction: str) -> None:
        x, t = [0.5, -0.5, 0.0, 1e300, -1e-300], [0.0] * 5
        peer.check("huber_loss", x, t, True, reduction=reduction, delta=0.5)
        peer.check("smooth_l1_loss", x, t, True, reduction=reduction, beta=0.5)
        peer.check("l1_loss", x, t, True, reduction=reduction)

    def test_binary_cross_entropy(self, peer: Peer, reduction: str) -> None:
        for shape in SHAPES:
            p, t = peer.unit(*shape), peer.unit(*shape)
            peer.check("binary_cross_entropy", p, t, True, reduction=reduction)
            for lengths in parts_of(shape):
                weight = peer.unit(*lengths)
                peer.check("binary_cross_entropy", p, t, reduction=reduction, weight=weight)

    def test_binary_cross_entropy_with_logits(self, peer: Peer, reduction: str) -> None:
        name = "binary_cross_entropy_with_logits"
        for shape, hard in product(SHAPES, (False, True)):
            z = peer.normal(*shape)
            t = drawn(shape, lambda: float(peer.rng.random() < 0.5)) if hard else peer.unit(*shape)
            peer.check(name, z, t, True, reduction=reduction)
            for lengths in parts_of(shape):
                weight, positive = (
                    peer.unit(*lengths),
                    drawn(lengths, lambda: peer.rng.uniform(0.1, 9.0)),
                )
                peer.check(name, z, t, True, reduction=reduction, pos_weight=positive)
                both = {"weight": weight, "pos_weight": positive}
                peer.check(name, z, t, reduction=reduction, **both)

    def test_classes(self, peer: Peer, reduction: str) -> None:
        for n, places in product((1, 2, 4), ((), (1,), (5,), (3, 2), (2, 1, 3))):
            shape = (*places[:1], n, *places[1:])
            x, t = peer.normal(*shape), peer.index(n, *places)
            weight = peer.unit(n)
            for name, w in product(("cross_entropy", "nll_loss"), (None, weight)):
                options: dict[str, Any] = {"reduction": reduction}
                options |= {"weight": w} if w else {}
                peer.check(name, x, t, **options)
                if reduction == "mean" and {*flat(t)} == {0}:
                    continue  # all are ignored
                peer.check(name, x, t, ignore_index=0, **options)
                if name == "cross_entropy":
                    for smoothing in (0.1, 1.0):
                        peer.check(name, x, t, label_smoothing=smoothing, **options)
                        options["ignore_index"] = 0
                        peer.check(name, x, t, label_smoothing=smoothing, **options)
                        del options["ignore_index"]

    def test_probabilities(self, peer: Peer, reduction: str) -> None:
        for n, places in product((1, 2, 4), ((), (1,), (5,), (3, 2), (2, 1, 3))):
            shape = (*places[:1], n, *places[1:])
            x, t = peer.normal(*shape), peer.unit(*shape)
            for weight, smoothing in product((None, peer.unit(n)), (0.0, 0.3, 1.0)):
                options: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing}
                options |= {"weight": weight} if weight else {}
                peer.check("cross_entropy", x, t, True, **options)
                hard = drawn(shape, lambda: float(peer.rng.random() < 0.5))
                peer.check("cross_entropy", x, hard, **options)


def parts_of(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return shapes that a weight of a loss may have."""
    return [shape, shape[1:], (1,) * len(shape), (*shape[:1], *[1] * len(shape[1:]))]


@pytest.mark.torch
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_along_an_axis(peer: Peer, torch: Any, name: str) -> None:
    np = pytest.importorskip("numpy")
    for shape in ((1,), (4,), (2, 3), (1, 1), (2, 3, 4), (3, 1, 2, 2)):
        for dim in (*range(-len(shape), len(shape)), *[None] * (len(shape) < 3)):
            x = peer.normal(*shape)
            xs, ys = values(x), torch.tensor(x, requires_grad=True)
            ours = getattr(mg, name)(xs, dim=dim)
            theirs = getattr(torch, name)(ys, -1 if dim is None else dim)
            assert numbers(ours) == [close_rows(row) for row in theirs.tolist()]
            factors = peer.normal(*shape)
            mg.dot(flat(factors), flat(ours)).backward()
            (theirs * torch.tensor(factors)).sum().backward()
            assert grads(xs) == close(ys.grad.flatten().tolist())
            array = getattr(mg, name)(np.array(x), dim)
            assert (array.dtype, array.tolist()) == (float, numbers(ours))
            objects = getattr(nn.functional, name)(np.array(values(x), object), dim=dim)
            assert (objects.dtype, numbers(objects.tolist())) == (object, numbers(ours))


def close_rows(x: Any) -> Any:
    return [close_rows(y) for y in x] if isinstance(x, list) else close(x)


@pytest.mark.torch
def test_softplus_options(torch: Any) -> None:
    points = [-800.0, -3.0, -1e-9, 0.0, 0.5, 1.0, 2.0, 7.0, 19.0, 60.0, 800.0]
    for beta, threshold in product((1.0, 0.5, 3.0, -2.0), (20.0, 1.0, 0.0, -1.0, 5)):
        xs, ys = values(points), torch.tensor(points, requires_grad=True)
        ours = nn.functional.softplus(xs, beta, threshold)
        theirs = torch.nn.functional.softplus(ys, beta, threshold)
        mg.sum(ours).backward()
        theirs.sum().backward()
        # PyTorch's cut is off by up to 2.1e-9, and so is its slope.
        between = [20.0 < beta * x < 60.0 for x in points]
        for y, z, x, p, cut in zip(
            ours, theirs.tolist(), xs, ys.grad.tolist(), between, strict=True
        ):
            tolerance = 2.1e-9 / abs(beta) if cut and threshold == 20.0 else 1e-14
            assert y.data == pytest.approx(z, rel=1e-12, abs=tolerance)
            assert x.grad == pytest.approx(p, rel=1e-12, abs=max(tolerance, 2.1e-9 * cut))
    assert mg.softplus(25.0) > 25.0 == mg.softplus(25.0, threshold=19.0)
    assert mg.softplus([2.0], 2.0) == [mg.softplus(4.0) / 2.0]


# What torch 2.13.0 gives: the loss of each entry, their sum and mean.
X1, T1, W1 = [0.5, -1.5, 2.25, 4.0], [0.25, 0.5, 2.0, 0.0], [1.0, 2.0, 0.5, 3.0]
P1, U1 = [0.125, 0.5, 0.75, 0.9], [0.25, 1.0, 0.0, 0.5]
X2, I2 = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.5], [0.0, 3.0, 1.0]], [2, 0, 1]
S2, W2 = [[0.25, 0.25, 0.5], [0.0, 1.0, 0.0], [0.5, 0.125, 0.375]], [1.0, 2.0, 0.5]
STORED: list[tuple[str, Any, Any, dict[str, Any], tuple[list[float], float, float]]] = [
    ("mse_loss", X1, T1, {}, ([0.0625, 4.0, 0.0625, 16.0], 20.125, 5.03125)),
    (
        "mse_loss",
        X1,
        T1,
        {"weight": W1},
        ([0.0625, 8.0, 0.03125, 48.0], 56.09375, 8.629807692307692),
    ),
    ("l1_loss", X1, T1, {}, ([0.25, 2.0, 0.25, 4.0], 6.5, 1.625)),
    ("l1_loss", X1, T1, {"weight": W1}, ([0.25, 4.0, 0.125, 12.0], 16.375, 2.519230769230769)),
    ("huber_loss", X1, T1, {}, ([0.03125, 1.5, 0.03125, 3.5], 5.0625, 1.265625)),
    (
        "huber_loss",
        X1,
        T1,
        {"delta": 0.5, "weight": W1},
        ([0.03125, 1.75, 0.015625, 5.625], 7.421875, 1.85546875),
    ),
    ("smooth_l1_loss", X1, T1, {}, ([0.03125, 1.5, 0.03125, 3.5], 5.0625, 1.265625)),
    ("smooth_l1_loss", X1, T1, {"beta": 2.5}, ([0.0125, 0.8, 0.0125, 2.75], 3.575, 0.89375)),
    ("smooth_l1_loss", X1, T1, {"beta": 0.0}, ([0.25, 2.0, 0.25, 4.0], 6.5, 1.625)),
    (
        "binary_cross_entropy",
        P1,
        U1,
        {},
        (
            [0.6200089298883509, 0.6931471805599453, 1.3862943611198906, 1.2039728043259361],
            3.9034232758941227,
            0.9758558189735307,
        ),
    ),
    (
        "binary_cross_entropy",
        P1,
        U1,
        {"weight": W1},
        (
            [0.6200089298883509, 1.3862943611198906, 0.6931471805599453, 3.6119184129778086],
            6.311368884545995,
            1.5778422211364989,
        ),
    ),
    (
        "binary_cross_entropy",
        P1,
        U1,
        {"weight": [2.0]},
        (
            [1.2400178597767018, 1.3862943611198906, 2.772588722239781, 2.4079456086518722],
            7.8068465517882455,
            1.9517116379470614,
        ),
    ),
    (
        "binary_cross_entropy_with_logits",
        X1,
        U1,
        {},
        (
            [0.8490769841801067, 1.7014132779827524, 2.350206558916747, 2.01814992791781],
            6.9188467489974155,
            1.7297116872493539,
        ),
    ),
    (
        "binary_cross_entropy_with_logits",
        X1,
        U1,
        {"pos_weight": 3.0},
        (
            [1.0861154762701601, 5.104239833948258, 2.350206558916747, 2.0362998558356193],
            10.576861724970785,
            2.644215431242696,
        ),
    ),
    (
        "binary_cross_entropy_with_logits",
        X1,
        U1,
        {"weight": W1, "pos_weight": [3.0]},
        (
            [1.0861154762701601, 10.208479667896516, 1.1751032794583736, 6.1088995675068585],
            18.578597991131907,
            4.644649497782977,
        ),
    ),
    ("nll_loss", X2, I2, {}, ([-2.0, -1.5, -3.0], -6.5, -2.1666666666666665)),
    ("nll_loss", X2, I2, {"weight": W2}, ([-1.0, -1.5, -6.0], -8.5, -2.4285714285714284)),
    ("nll_loss", X2, I2, {"ignore_index": 0}, ([-2.0, 0.0, -3.0], -5.0, -2.5)),
    (
        "cross_entropy",
        X2,
        I2,
        {},
        (
            [0.24131129665715703, 0.3519518638028018, 0.16984601955628548],
            0.7631091800162443,
            0.2543697266720814,
        ),
    ),
    (
        "cross_entropy",
        X2,
        I2,
        {"weight": W2, "ignore_index": 2},
        ([0.0, 0.3519518638028018, 0.33969203911257095], 0.6916439029153727, 0.23054796763845756),
    ),
    (
        "cross_entropy",
        X2,
        I2,
        {"label_smoothing": 0.25},
        (
            [0.6163112966571571, 0.6227851971361351, 0.5865126862229522],
            1.8256091800162444,
            0.6085363933387481,
        ),
    ),
    (
        "cross_entropy",
        X2,
        I2,
        {"weight": W2, "label_smoothing": 0.25, "ignore_index": 2},
        ([0.0, 0.6582831914612519, 0.6376407850383448], 1.2959239764995967, 0.43197465883319885),
    ),
    (
        "cross_entropy",
        X2,
        S2,
        {},
        (
            [1.3663112966571571, 1.6019518638028019, 2.4198460195562856],
            5.3881091800162455,
            1.7960363933387484,
        ),
    ),
    (
        "cross_entropy",
        X2,
        S2,
        {"weight": W2, "label_smoothing": 0.25},
        (
            [2.2826159340178718, 2.797247089313353, 1.9085447382044298],
            6.988407761535655,
            2.329469253845218,
        ),
    ),
]


@pytest.mark.parametrize(("name", "input", "target", "options", "expected"), STORED)
def test_stored_numbers(name: str, input: Any, target: Any, options: Any, expected: Any) -> None:
    loss = getattr(mg, name)
    each, total, mean = expected
    assert loss(input, target, reduction="none", **options) == close(each)
    assert loss(input, target, reduction="sum", **options) == close(total)
    assert loss(input, target, **options) == close(mean)
    assert mg.gradcheck(lambda x: loss(x, target, **options), (input,))


@pytest.mark.torch
@pytest.mark.parametrize(("name", "input", "target", "options", "expected"), STORED)
def test_the_stored_numbers_are_those_of_torch(
    torch: Any, name: str, input: Any, target: Any, options: Any, expected: Any
) -> None:
    tensors = {key: torch.tensor(x) if "weight" in key else x for key, x in options.items()}
    for reduction, stored in zip(("none", "sum", "mean"), expected, strict=True):
        x, t = torch.tensor(input), torch.tensor(target)
        loss = getattr(torch.nn.functional, name)(x, t, reduction=reduction, **tensors)
        assert loss.tolist() == close(stored)


class TestNodes:
    """How many nodes a loss has: what it costs."""

    def count(self, loss: Any) -> int:
        seen: set[Value] = set()
        pending = [loss]
        while pending:
            x = pending.pop()
            if x not in seen and x._prev:
                seen.add(x)
                pending += x._prev
        return len(seen)

    def test_of_each_loss(self) -> None:
        x, t = [0.5, 0.25, 0.75], [0.0, 1.0, 0.0]
        for name, options, expected in (
            ("mse_loss", {}, 1),
            ("mse_loss", {"reduction": "sum"}, 2),
            ("mse_loss", {"weight": [1.0, 2.0, 3.0]}, 6 + 2),
            ("l1_loss", {}, 6 + 1),
            ("huber_loss", {}, 12 + 1),
            ("smooth_l1_loss", {"beta": 2.0}, 15 + 1),
            ("binary_cross_entropy", {}, 3 + 1),
            ("binary_cross_entropy_with_logits", {"weight": [2.0]}, 3 + 2),
            ("binary_cross_entropy_with_logits", {"pos_weight": 2.0}, 7 + 1),
        ):
            loss = getattr(mg, name)(values(x), t, **options)
            assert self.count(loss) == expected, name
        rows = [[0.5, 0.25, 0.75], [1.0, 2.0, 3.0]]
        for name, options, expected in (
            ("cross_entropy", {}, 2 + 2),
            ("cross_entropy", {"weight": [1.0, 2.0, 3.0]}, 2 + 3),
            ("cross_entropy", {"label_smoothing": 0.1}, 2 * (3 + 2) + 2),
            ("nll_loss", {}, 2),
        ):
            loss = getattr(mg, name)(values(rows), [1, 2], **options)
            assert self.count(loss) == expected, name
        loss = mg.cross_entropy(values(rows), [[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
        assert self.count(loss) == 3 + 2 + 2


class TestModules:
    @pytest.mark.parametrize(
        ("module", "name", "options"),
        [
            (nn.MSELoss, "mse_loss", {"reduction": "sum"}),
            (nn.L1Loss, "l1_loss", {"reduction": "none"}),
            (nn.HuberLoss, "huber_loss", {"reduction": "sum", "delta": 0.3}),
            (nn.SmoothL1Loss, "smooth_l1_loss", {"reduction": "sum", "beta": 0.3}),
            (nn.BCELoss, "binary_cross_entropy", {"weight": [1.0, 2.0], "reduction": "sum"}),
            (
                nn.BCEWithLogitsLoss,
                "binary_cross_entropy_with_logits",
                {"weight": [1.0, 2.0], "reduction": "sum", "pos_weight": 3.0},
            ),
            (
                nn.NLLLoss,
                "nll_loss",
                {"weight": [3.0, 2.0], "ignore_index": 1, "reduction": "none"},
            ),
            (
                nn.CrossEntropyLoss,
                "cross_entropy",
                {
                    "weight": [3.0, 2.0],
                    "ignore_index": 1,
                    "reduction": "none",
                    "label_smoothing": 0.5,
                },
            ),
        ],
    )
    def test_options(self, module: Any, name: str, options: dict[str, Any]) -> None:
        of_classes = "ignore_index" in options
        input, target = ([[0.25, 0.75]] * 2, [0, 1]) if of_classes else ([0.25, 0.75], [1.0, 0.5])
        loss = module(**options)
        expected = getattr(mg, name)(input, target, **options)
        assert loss(input, target) == expected != getattr(mg, name)(input, target)
        for key, x in options.items():
            assert getattr(loss, key) == x
            changed = module(**{k: y for k, y in options.items() if k != key})
            assert changed(input, target) != expected, f"{key} does nothing"
            setattr(changed, key, x)  # an attribute is the option
            assert changed(input, target) == expected
        assert repr(loss) == f"{module.__name__}()"

    def test_positional_arguments(self) -> None:
        weight = [1.0, 2.0]
        for module in (nn.BCELoss, nn.BCEWithLogitsLoss, nn.NLLLoss, nn.CrossEntropyLoss):
            assert module(weight).weight is weight  # type: ignore[operator]
        assert (nn.HuberLoss("sum", 0.5).reduction, nn.HuberLoss("sum", 0.5).delta) == ("sum", 0.5)
        assert mg.huber_loss([1.0], [3.0], "sum", 0.5) == 0.5 * (2.0 - 0.25)


class TestByHand:
    def test_all_targets_ignored(self) -> None:
        for loss in (mg.cross_entropy, mg.nll_loss):
            assert loss([[0.5, 0.5]], [-100], reduction="sum") == 0.0
            assert loss([[0.5, 0.5]], [-100], reduction="none") == [0.0]
            with pytest.raises(ValueError, match=r": there is nothing to average: every target is"):
                loss([[0.5, 0.5]], [-100])
            with pytest.raises(ValueError, match=r"weights have the sum 0; leave the batch out"):
                loss([[0.5, 0.5]], [0], [0.0, 1.0])
        with pytest.raises(ValueError, match=r"^mse_loss: there is nothing to average"):
            mg.mse_loss([1.0], [2.0], weight=[0.0])

    def test_nothing_to_learn_from_has_a_gradient_all_the_same(self) -> None:
        for x in (values([[1.0, 2.0]]), [[1.0, Value(2.0)]]):
            for target in ([-100], [[0.0, 0.0]]):
                loss = mg.cross_entropy(x, target, reduction="sum")
                loss.backward()
                assert (loss.data, x[0][1].grad) == (0.0, 0.0)
                (loss,) = mg.cross_entropy(x, target, reduction="none")
                loss.backward()
        assert mg.grad(lambda x: mg.cross_entropy([x, x], -100, reduction="sum"))(1.0) == 0.0

    def test_an_ignored_row_may_hold_anything(self) -> None:
        x = values([[math.nan, math.inf], [1.0, 2.0]])
        mg.cross_entropy(x, [-100, 0]).backward()
        assert grads(x)[:2] == [0.0, 0.0]
        assert grads(x)[2] != 0.0

    def test_a_class_of_probability_0_may_be_impossible(self) -> None:
        x = values([-math.inf, 1.0, 1.0])
        loss = mg.cross_entropy(x, [0.0, 0.5, 0.5])
        loss.backward()
        assert (loss.data, grads(x)) == (close(math.log(2.0)), [0.0, 0.0, 0.0])

    def test_the_loss_of_certainty_is_not_minus_0(self) -> None:
        for loss in (mg.cross_entropy([5.0], 0), mg.cross_entropy([5.0], 0, reduction="sum")):
            assert math.copysign(1.0, loss) == 1.0
        assert math.copysign(1.0, mg.cross_entropy([[5.0]], [0], reduction="none")[0]) == 1.0

    def test_large_pos_weight_with_hard_targets(self) -> None:
        x = values([1000.0, -1000.0])
        loss = mg.binary_cross_entropy_with_logits(x, [0.0, 1.0], pos_weight=2.0, reduction="sum")
        loss.backward()
        assert (loss.data, grads(x)) == (3000.0, [1.0, -2.0])

    def test_weights_may_be_values(self) -> None:
        w = [Value(1.0), Value(3.0)]
        loss = mg.cross_entropy([[0.0, 0.0], [0.0, 1.0]], [0, 1], w)
        loss.backward()
        a, b = math.log(2.0), math.log1p(math.exp(-1.0))
        assert loss.data == close((a + 3.0 * b) / 4.0)
        assert grads(w) == close([(a - loss.data) / 4.0, (b - loss.data) / 4.0])
        p = [Value(0.5)]
        mg.binary_cross_entropy_with_logits([1.0], [1.0], pos_weight=p).backward()
        assert p[0].grad == close(math.log1p(math.exp(-1.0)))
        v = [Value(2.0), Value(1.0)]
        mg.mse_loss([1.0, 2.0], [0.0, 0.0], weight=v).backward()
        assert grads(v) == close([(1.0 - 2.0) / 3.0, (4.0 - 2.0) / 3.0])

    def test_nan_is_not_hidden(self) -> None:
        nan = math.nan
        for loss in (
            mg.l1_loss([nan], [1.0]),
            mg.huber_loss([nan], [1.0]),
            mg.smooth_l1_loss([1.0], [nan], beta=0.5),
            mg.binary_cross_entropy_with_logits([nan], [1.0], pos_weight=2.0),
            mg.binary_cross_entropy_with_logits([1.0], [nan], pos_weight=2.0),
            mg.cross_entropy([nan, 1.0], 1),
            mg.softplus(nan, 2.0),
            mg.softplus(nan, 2.0, 3.0),
        ):
            assert math.isnan(loss)


class TestCompiled:
    def test_targets_as_arguments(self) -> None:
        x, weight = [[0.5, -1.0, 2.0], [1.0, 2.0, 3.0]], [1.0, 2.0, 4.0]
        for options in (
            {},
            {"weight": weight},
            {"label_smoothing": 0.25},
            {"weight": weight, "label_smoothing": 0.25},
            {"reduction": "sum"},
        ):

            def loss(x: Any, t: Any, options: Any = options) -> Any:
                return mg.cross_entropy(x, t, **options)

            compiled = mg.compile(mg.value_and_grad(loss))
            # Without a class to select the function runs as it is written.
            for targets in ([0, 2], [1, 1], [2, 0], [0, -100]):
                expected = mg.value_and_grad(loss)(x, targets)
                found = compiled(x, targets)
                assert found[0] == close(expected[0])
                assert flat(found[1]) == close(flat(expected[1]))
            with pytest.raises(ValueError, match="target 3 is not the index of one"):
                compiled(x, [0, 3])

    def test_of_nll_loss(self) -> None:
        compiled = mg.compile(lambda x, t: mg.nll_loss(x, t, [1.0, 3.0]))
        assert compiled([[-1.0, -2.0], [-3.0, -4.0]], [1, 0]) == close((6.0 + 3.0) / 4.0)
        with pytest.raises(ValueError, match="target -1 is not the index of one"):
            compiled([[-1.0, -2.0], [-3.0, -4.0]], [-1, 0])

    @pytest.mark.parametrize("ignored", [-1, 1, 3])
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"weight": [0.5, 2.0, 0.25]},
            {"weight": [0.5, 2.0, 0.25], "label_smoothing": 0.25},
            {"label_smoothing": 0.25},
            {"reduction": "sum"},
            {"reduction": "none"},
        ],
    )
    def test_ignored_classes(self, ignored: int, options: dict[str, Any]) -> None:
        """One trace serves all targets, with the bits of the eager function."""
        x = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.5], [0.0, 3.0, 1.0]]

        def loss(x: Any, targets: Any) -> Any:
            found = mg.cross_entropy(x, targets, ignore_index=ignored, **options)
            return mg.sum(found) if options.get("reduction") == "none" else found

        calls = 0

        def counted(x: Any, targets: Any) -> Any:
            nonlocal calls
            calls += 1
            return loss(x, targets)

        compiled = mg.compile(mg.value_and_grad(counted))
        for targets in ([0, ignored, 2], [ignored, ignored, 0], [0, 2, 0], [ignored, 2, 2]):
            assert compiled(x, targets) == mg.value_and_grad(loss)(x, targets)
        assert calls == 1
        if "reduction" in options:
            assert compiled(x, [ignored] * 3) == (0.0, [[0.0] * 3] * 3)
        else:
            with pytest.raises(ValueError, match="there is nothing to average"):
                compiled(x, [ignored] * 3)

    def test_probabilities_and_the_rest(self) -> None:
        x, t = [0.5, -1.0, 2.0], [0.25, 0.25, 0.5]
        for f in (
            lambda x, t: mg.cross_entropy(x, t, label_smoothing=0.5),
            lambda x, t: mg.huber_loss(x, t, delta=0.5),
            lambda x, t: mg.smooth_l1_loss(x, t, beta=0.5),
            lambda x, t: mg.binary_cross_entropy_with_logits(x, t, pos_weight=3.0),
            lambda x, t: mg.sum(mg.softmax([x, t], dim=0)[0]),
            lambda x, t: mg.sum(mg.softplus(x, 2.0, 1.0)),
        ):
            compiled = mg.compile(mg.value_and_grad(f, (0, 1)))
            assert compiled(x, t) == mg.value_and_grad(f, (0, 1))(x, t)


X = [[0.5, 0.5], [1.0, 2.0]]
MISTAKES: list[tuple[Any, type[Exception], str]] = [
    *[
        (
            lambda weight=weight: mg.binary_cross_entropy([[0.5] * 3] * 2, [[1.0] * 3] * 2, weight),
            mg.ShapeError,
            "binary_cross_entropy: weight: the shape (",
        )
        for weight in ([[1.0] * 2] * 3, [[1.0] * 2], [[1.0]] * 3, [1.0] * 2, [[[1.0] * 3] * 2])
    ],
    (lambda: mg.mse_loss([1.0], [1.0], reduction="avg"), ValueError, "mse_loss: reduction must"),
    (lambda: any_mg.l1_loss([1.0], [1.0], reduction=[1]), ValueError, "l1_loss: reduction must be"),
    (
        lambda: mg.nll_loss(X, [0, 1], reduction=""),
        ValueError,
        "nll_loss: reduction must be",
    ),
    (lambda: mg.huber_loss([1.0], [1.0], delta=0.0), ValueError, "huber_loss: delta must be > 0"),
    (lambda: mg.huber_loss([1.0], [1.0], delta=math.nan), ValueError, "huber_loss: delta must be"),
    (
        lambda: mg.smooth_l1_loss([1.0], [1.0], beta=-1.0),
        ValueError,
        "smooth_l1_loss: beta must",
    ),
    (
        lambda: mg.mse_loss([1.0], [1.0], weight=X),
        mg.ShapeError,
        "mse_loss: weight: the shape",
    ),
    (
        lambda: mg.binary_cross_entropy([0.5] * 3, [1.0] * 3, [1.0, 2.0]),
        mg.ShapeError,
        "binary_cross_entropy: weight: the shape (2,) does not fit that of the input, (3,)",
    ),
    (
        lambda: mg.binary_cross_entropy_with_logits([0.5], [1.0], pos_weight=[1.0, 2.0]),
        mg.ShapeError,
        "binary_cross_entropy_with_logits: pos_weight: the shape (2,) does not fit",
    ),
    (
        lambda: mg.binary_cross_entropy_with_logits([0.5], [2.0], pos_weight=[1.0]),
        ValueError,
        "binary_cross_entropy_with_logits(0.0, 2.0): not defined there",
    ),
    (
        lambda: mg.binary_cross_entropy_with_logits([0.5], [Value(2.0)], pos_weight=[1.0]),
        ValueError,
        "binary_cross_entropy_with_logits(0.0, 2.0): not defined there",
    ),
    (
        lambda: mg.cross_entropy(X, [0, 1], [1.0, 2.0, 3.0]),
        mg.ShapeError,
        "cross_entropy: weight must be a list of 2 numbers, one for each class, got [1.0, 2.0",
    ),
    (
        lambda: mg.cross_entropy(X, [0, 1], 2.0),
        mg.ShapeError,
        "cross_entropy: weight must be a list of 2 numbers",
    ),
    (
        lambda: mg.cross_entropy(X, [0, 1], label_smoothing=1.5),
        ValueError,
        "cross_entropy: label_smoothing must lie in [0, 1], got 1.5",
    ),
    (
        lambda: mg.cross_entropy(X, [0, 1], ignore_index=0.5),  # type: ignore[arg-type]
        TypeError,
        "cross_entropy: ignore_index must be an int, got 0.5",
    ),
    (
        lambda: mg.cross_entropy(X, [[0, 1], [1, 0]]),
        mg.ShapeError,
        "cross_entropy: needs a list",
    ),
    (lambda: mg.nll_loss(X, [[0.5, 0.5], [1.0, 0.0]]), mg.ShapeError, "nll_loss: needs a list of"),
    (
        lambda: mg.cross_entropy([[0.5], [0.5, 1.0]], [0, 1]),
        mg.ShapeError,
        "cross_entropy: rows",
    ),
    (lambda: mg.cross_entropy([[], []], [0, 1]), mg.ShapeError, "cross_entropy: needs a list"),
    (lambda: mg.cross_entropy(1.0, 0), mg.ShapeError, "cross_entropy: needs a list of logits"),
    (lambda: mg.softmax(X, dim=2), IndexError, "softmax: dim must lie in [-2, 1], got 2"),
    (lambda: mg.softmax(X, dim=-3), IndexError, "softmax: dim must lie in [-2, 1], got -3"),
    (
        lambda: mg.softmax([X], None),
        ValueError,
        "softmax: pass dim, the axis to go along, of 3",
    ),
    (lambda: any_mg.log_softmax(X, dim=0.5), TypeError, "log_softmax: dim must be an int, got 0.5"),
    (
        lambda: mg.softmax([[1.0], [1.0, 2.0]], 0),
        mg.ShapeError,
        "softmax: rows must have one",
    ),
    (lambda: any_mg.softmax(1.0, 0), IndexError, "softmax: dim must lie in [0, -1], got 0"),
    (lambda: mg.softplus(1.0, 0.0), ValueError, "softplus: beta must be finite and not 0"),
    (lambda: mg.softplus(1.0, math.inf), ValueError, "softplus: beta must be finite and not 0"),
    (lambda: mg.softplus(1.0, 1.0, math.nan), ValueError, "softplus: beta must be finite"),
    (lambda: any_mg.softplus(1.0, "2"), TypeError, "softplus: beta: expected a plain number"),
]


@pytest.mark.parametrize(("mistake", "error", "message"), MISTAKES)
def test_mistakes(mistake: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        mistake()
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 250


def test_rows_of_one_class_keep_their_length() -> None:
    assert mg.softmax([[1.0], [1.0, 2.0]])[0] == [1.0]  # along the last axis they may differ


def test_mistakes_of_kl_div() -> None:
    with pytest.raises(mg.ShapeError, match=r"^kl_div: 'batchmean' needs rows; pass reduction='su"):
        mg.kl_div(0.5, 0.5, reduction="batchmean")
    with pytest.raises(ValueError, match=r"^kl_div: reduction must be"):
        mg.kl_div([0.5], [0.5], reduction="average")
    with pytest.raises(ValueError, match="log"):
        mg.kl_div([0.5], [-0.5])
    with pytest.raises(mg.ShapeError, match=r"^kl_div: input and target"):
        mg.kl_div([0.5], [0.5, 0.5])
    assert mg.kl_div(0.0, 1.0) == 0.0
