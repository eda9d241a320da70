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

    def test_ignored_classes_are_static(self) -> None:
        compiled = mg.compile(lambda x, t: mg.cross_entropy(x, t, ignore_index=1))
        with pytest.raises(TypeError, match=r"ignore_index 1 cannot be told; make it a static"):
            compiled([[0.5, 1.0]], [0])

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
