"""The optimizers against PyTorch's trajectories, by hand, through a state dict, and interrupted."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from math import inf, nan, sqrt
from random import Random
from types import NoneType
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value, optim
from microgradlib.optim import SGD, Adam, AdamW, Optimizer, RMSprop

Options = dict[str, Any]

SGD_OPTIONS: list[Options] = [
    {"momentum": momentum, "dampening": dampening, "weight_decay": decay, "nesterov": nesterov}
    for momentum, dampening, decay, nesterov in product(
        (0.0, 0.9), (0.0, 0.3), (0.0, 0.02), (False, True)
    )
    if not nesterov or (momentum and not dampening)
]
ADAM_OPTIONS: list[Options] = [
    {"betas": betas, "eps": eps, "weight_decay": decay, "amsgrad": amsgrad}
    for betas, eps, decay, amsgrad in product(
        ((0.9, 0.999), (0.5, 0.99), (0.0, 0.95)), (1e-8, 0.1), (0.0, 0.02), (False, True)
    )
]
RMSPROP_OPTIONS: list[Options] = [
    {"eps": eps, "weight_decay": decay, "momentum": momentum, "centered": centered}
    for eps, decay, momentum, centered in product(
        (1e-8, 0.1), (0.0, 0.02), (0.0, 0.9), (False, True)
    )
]
CASES: list[tuple[type[Optimizer], Options]] = [
    *((SGD, {"lr": 0.01, **options}) for options in SGD_OPTIONS),
    *((Adam, {"lr": 0.01, **options}) for options in ADAM_OPTIONS),
    *((AdamW, {"lr": 0.01, **options}) for options in ADAM_OPTIONS),
    *((RMSprop, options) for options in RMSPROP_OPTIONS),
    (SGD, {}),  # the defaults
    (Adam, {}),
    (AdamW, {}),
    (RMSprop, {}),
]
# Here the steps hardly shrink at the minimum: a training would amplify roundings.
RESTLESS: list[tuple[type[Optimizer], Options]] = [
    (kind, {"lr": 0.01, "betas": betas, "weight_decay": decay, "amsgrad": amsgrad})
    for kind, betas, decay, amsgrad in product(
        (Adam, AdamW), ((0.3, 0.5), (0.0, 0.0)), (0.0, 0.02), (False, True)
    )
]
RESTLESS += [
    (RMSprop, {"alpha": alpha, "momentum": momentum, "centered": centered, "eps": 1e-4})
    for alpha, momentum, centered in product((0.4, 0.0, 1.0), (0.0, 0.9), (False, True))
    if alpha or not centered
]
RESTLESS += [
    (kind, {"lr": 0.01, "maximize": True, "weight_decay": 0.3, **options})
    for kind, options in [
        (SGD, {}),
        (SGD, {"momentum": 0.5}),
        (Adam, {"amsgrad": True}),
        (AdamW, {}),
        (RMSprop, {"centered": True, "momentum": 0.5}),
    ]
]
START = [0.3, -0.8, 1.7, -0.4]


def label(x: object) -> str:
    return x.__name__ if isinstance(x, type) else str(x)


every_case = pytest.mark.parametrize(("kind", "options"), CASES, ids=label)


def loss(a: Any, b: Any, c: Any, d: Any) -> Any:
    """A bowl that is neither quadratic nor separable: it does not amplify roundings."""
    return (a - b) ** 2 + 0.1 * a**4 + (1.0 + (b - 2.0 * c) ** 2) ** 0.5 + (c + d - 1.0) ** 2


def parameters() -> list[Value]:
    return [Value(x) for x in START]


def train(optimizer: Optimizer, steps: int) -> Iterator[list[float]]:
    for _ in range(steps):
        optimizer.zero_grad()
        loss(*optimizer.params).backward()
        optimizer.step()
        yield [p.data for p in optimizer.params]


def snapshot(optimizer: Optimizer) -> tuple[list[float], dict[str, Any]]:
    return [p.data for p in optimizer.params], optimizer.state_dict()


class TestAgainstTorch:
    @pytest.mark.torch
    @every_case
    def test_trajectory(self, kind: type[Any], options: Options) -> None:
        torch = pytest.importorskip("torch")
        theirs = torch.tensor(START, dtype=torch.float64, requires_grad=True)
        peer = getattr(torch.optim, kind.__name__)([theirs], **options)
        for step, ours in enumerate(train(kind(parameters(), **options), 200)):
            peer.zero_grad()
            loss(*theirs).backward()
            peer.step()
            assert ours == pytest.approx(theirs.tolist(), rel=1e-12, abs=1e-12), step

    @pytest.mark.torch
    @pytest.mark.parametrize(("kind", "options"), CASES + RESTLESS, ids=label)
    def test_gradients_of_all_sizes(self, kind: type[Any], options: Options) -> None:
        torch = pytest.importorskip("torch")
        theirs = torch.tensor(START, dtype=torch.float64, requires_grad=True)
        peer = getattr(torch.optim, kind.__name__)([theirs], **options)
        optimizer = kind(parameters(), **options)
        for size in (1.0, 1e17, 1.0, 1e-9, 0.1, 1e9, 1e-3, 1.0):
            grads = [size, -2.0 * size, 0.0, 3.0 * size]
            theirs.grad = torch.tensor(grads, dtype=torch.float64)
            peer.step()
            for p, grad in zip(optimizer.params, grads, strict=True):
                p.grad = grad
            optimizer.step()
            assert [p.data for p in optimizer.params] == pytest.approx(theirs.tolist(), rel=1e-12)
            for key, xs in peer.state[theirs].items():
                if key != "step" and xs is not None:
                    assert optimizer.state_dict()["state"][key] == pytest.approx(
                        xs.tolist(), rel=1e-12
                    )

    @pytest.mark.torch
    @pytest.mark.parametrize(("kind", "options"), CASES + RESTLESS, ids=label)
    def test_groups_late_and_missing_gradients_and_a_state_dict_between(
        self, kind: type[Any], options: Options
    ) -> None:
        torch = pytest.importorskip("torch")
        rng = Random(str(options))
        own: list[Options] = [{}, {"lr": 0.03, "weight_decay": 0.1}, {"maximize": True}]
        ours = [{"params": [Value(x)], **group} for x, group in zip(START[:3], own, strict=True)]
        ours[0]["params"].append([Value(0.5), [Value(START[3])]])  # one tensor
        peers = [torch.tensor([x], dtype=torch.float64, requires_grad=True) for x in START[:3]]
        peers.insert(1, torch.tensor([0.5, START[3]], dtype=torch.float64, requires_grad=True))
        theirs = [
            {"params": ps, **g}
            for ps, g in zip((peers[:2], peers[2:3], peers[3:]), own, strict=True)
        ]
        optimizer, peer = (
            kind(ours, **options),
            getattr(torch.optim, kind.__name__)(theirs, **options),
        )
        params, tensors = optimizer.params, [(0,), (1, 2), (3,), (4,)]
        for step in range(40):
            for where, tensor in zip(tensors, peers, strict=True):
                late = where == (3,) and step < 5
                given = [rng.gauss(0.0, 1.0) for _ in where]
                tensor.grad = (
                    None if late or rng.random() < 0.2 else torch.tensor(given, dtype=torch.float64)
                )
                for i, grad in zip(where, given, strict=True):
                    params[i].grad = None if tensor.grad is None else grad
            optimizer.step()
            peer.step()
            if step == 10:
                for groups in (optimizer.param_groups, peer.param_groups):
                    groups[0]["lr"] = 0.07
                    groups[1]["weight_decay"] = 0.2
            if step == 20:
                state = json.loads(json.dumps(optimizer.state_dict()))
                optimizer = kind([{"params": group["params"]} for group in optimizer.param_groups])
                optimizer.load_state_dict(state)
                assert optimizer.param_groups[0]["lr"] == 0.07
            found = [p.data for p in params]
            assert found == pytest.approx(torch.cat(peers).tolist(), rel=1e-12, abs=1e-12), step
            for group, other in zip(optimizer.param_groups, peer.param_groups, strict=True):
                for key in optimizer.defaults:
                    assert group[key] == other[key]

    @pytest.mark.torch
    def test_moments_whose_sum_overflows(self) -> None:
        torch = pytest.importorskip("torch")
        theirs = torch.tensor(START, dtype=torch.float64, requires_grad=True)
        theirs.grad = torch.full((4,), 4e155, dtype=torch.float64)
        torch.optim.Adam([theirs]).step()
        adam = Adam(parameters())
        for p in adam.params:
            p.grad = 4e155
        adam.step()
        assert [p.data for p in adam.params] == pytest.approx(theirs.tolist(), rel=1e-15)


class TestByHand:
    def test_sgd(self) -> None:
        w = Value(1.0)
        sgd = SGD([w], lr=0.5, momentum=0.5, dampening=0.25, weight_decay=0.25)
        w.grad = 1.0
        sgd.step()  # the first buffer is the gradient itself, undampened: 1 + 0.25 * 1
        assert w.data == 1.0 - 0.5 * 1.25
        assert sgd.state_dict()["state"] == {"momentum_buffer": [1.25]}
        w.grad = 2.0
        sgd.step()
        buffer = 0.5 * 1.25 + 0.75 * (2.0 + 0.25 * 0.375)
        assert w.data == 0.375 - 0.5 * buffer
        assert sgd.state_dict()["state"] == {"momentum_buffer": [buffer]}

    def test_nesterov(self) -> None:
        w = Value(1.0)
        sgd = SGD([w], lr=0.5, momentum=0.5, nesterov=True)
        w.grad = 1.0
        sgd.step()
        assert w.data == 1.0 - 0.5 * (1.0 + 0.5 * 1.0)

    def test_adam(self) -> None:
        w = Value(1.0)
        adam = Adam([w], lr=0.5, betas=(0.5, 0.75), eps=0.0)
        w.grad = 2.0
        adam.step()  # the first step has length lr
        assert w.data == 0.5
        w.grad = -1.0
        adam.step()
        first, second = 0.5 * (0.5 * 2.0) - 0.5, 0.75 * (0.25 * 4.0) + 0.25
        expected = 0.5 - 0.5 * (first / (1.0 - 0.25)) / sqrt(second / (1.0 - 0.75**2))
        assert w.data == pytest.approx(expected, rel=1e-15)
        assert adam.state_dict()["state"] == {
            "step": 2,
            "exp_avg": [first],
            "exp_avg_sq": [second],
        }

    def test_weight_decay_enters_the_moments_of_adam_but_not_of_adamw(self) -> None:
        for kind, moment in ((Adam, 0.5), (AdamW, 0.0)):
            w = Value(2.0)
            w.grad = 0.0
            optimizer = kind([w], lr=0.5, betas=(0.5, 0.5), weight_decay=0.5)
            optimizer.step()
            assert optimizer.state_dict()["state"]["exp_avg"] == [moment]

    def test_adamw_shrinks_by_the_product_of_its_rates(self) -> None:
        w = Value(3.0)
        w.grad = 0.0
        AdamW([w], lr=0.5, weight_decay=0.25).step()
        assert w.data == 3.0 * (1.0 - 0.5 * 0.25)

    def test_eps_is_added_to_the_root_of_the_second_moment(self) -> None:
        w = Value(1.0)
        w.grad = 4.0
        Adam([w], lr=0.5, eps=12.0).step()
        assert w.data == pytest.approx(1.0 - 0.5 * 4.0 / (4.0 + 12.0), rel=1e-15)

    def test_amsgrad_keeps_the_largest_second_moment(self) -> None:
        w = Value(1.0)
        optimizer = Adam([w], betas=(0.0, 0.5), amsgrad=True)
        for grad, moment, largest in ((2.0, 2.0, 2.0), (0.0, 1.0, 2.0), (4.0, 8.5, 8.5)):
            w.grad = grad
            optimizer.step()
            state = optimizer.state_dict()["state"]
            assert (state["exp_avg_sq"], state["max_exp_avg_sq"]) == ([moment], [largest])

    @pytest.mark.parametrize("empty", [0.0, None])
    def test_no_gradient_no_step(self, empty: Any) -> None:
        w = Value(1.0)
        w.grad = empty
        for optimizer in (SGD([w], lr=0.1), SGD([w], lr=0.1, momentum=0.9), Adam([w])):
            optimizer.step()
            assert w.data == 1.0

    @every_case
    def test_learning_rate_may_change(self, kind: type[Any], options: Options) -> None:
        optimizer = kind(parameters(), **options)
        *_, before = train(optimizer, 3)
        optimizer.lr = 0.0
        assert list(train(optimizer, 2)) == [before, before]
        optimizer.lr = 0.5
        assert list(train(optimizer, 1)) != [before]

    @every_case
    def test_zero_grad_and_a_grad_of_none(self, kind: type[Any], options: Options) -> None:
        decays = options.get("weight_decay", 0.01 * (kind is AdamW))
        for empty in (0.0, None):
            optimizer = kind(parameters(), **options)
            for p in optimizer.params:
                p.grad = 5.0
            optimizer.zero_grad(set_to_none=empty is None)
            assert [p.grad for p in optimizer.params] == [empty] * len(START)
            optimizer.params[1].grad = 2.0
            optimizer.step()
            assert (optimizer.params[0].data == START[0]) is (empty is None or not decays)
            assert optimizer.params[1].data != START[1]

    @every_case
    def test_a_gradient_that_is_a_value_counts_as_its_number(
        self, kind: type[Any], options: Options
    ) -> None:
        results = []
        for create_graph in (False, True):
            optimizer = kind(parameters(), **options)
            for _ in range(3):
                optimizer.zero_grad()
                loss(*optimizer.params).backward(create_graph=create_graph)
                assert isinstance(optimizer.params[0].grad, Value) is create_graph
                optimizer.params[3].grad = 0.5  # a float among them
                optimizer.step()
            results.append(snapshot(optimizer))
            assert {type(p.data) for p in optimizer.params} == {float}
            optimizer.params[1].grad = Value(inf)
            with pytest.raises(mg.errors.NonFiniteError, match="nothing was updated"):
                optimizer.step()
        assert results[0] == results[1]

    @every_case
    def test_a_gradient_may_be_an_int(self, kind: type[Any], options: Options) -> None:
        results = []
        for grad in (2.0, 2):
            optimizer = kind(parameters(), **options)
            for _ in range(2):
                for p in optimizer.params:
                    p.grad = grad
                optimizer.step()
            results.append(snapshot(optimizer))
            assert {type(p.data) for p in optimizer.params} == {float}
        assert results[0] == results[1]

    def test_parameters_may_come_from_a_generator(self) -> None:
        params = parameters()
        assert SGD((p for p in params), lr=0.1).params == tuple(params)

    @pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSprop])
    @pytest.mark.parametrize("unordered", [set, frozenset])
    def test_sets_are_refused(self, kind: type[Any], unordered: Any) -> None:
        message = (
            rf"^{kind.__name__}: params is a set, the order of which differs from run to run; pass "
            r"a list such as model.parameters\(\)$"
        )
        with pytest.raises(TypeError, match=message):
            kind(unordered(parameters()), lr=0.1)
        params = parameters()
        assert kind(dict.fromkeys(params), lr=0.1).params == tuple(params)  # has an order


NUMBERS = [
    (SGD, "lr", 0.0),
    (SGD, "momentum", 0.0),
    (SGD, "dampening", -inf),
    (SGD, "weight_decay", 0.0),
    *product((Adam, AdamW), ("lr", "eps", "weight_decay"), (0.0,)),
    *product((RMSprop,), ("lr", "alpha", "eps", "weight_decay", "momentum"), (0.0,)),
]


class TestOptions:
    def test_the_defaults_are_those_of_torch(self) -> None:
        sgd = SGD(parameters(), lr=0.1)
        assert (sgd.momentum, sgd.dampening, sgd.weight_decay, sgd.nesterov) == (0, 0, 0, False)
        for kind, decay in ((Adam, 0.0), (AdamW, 0.01)):
            adam = kind(parameters())
            assert (adam.lr, adam.betas, adam.eps) == (0.001, (0.9, 0.999), 1e-8)
            assert (adam.weight_decay, adam.amsgrad) == (decay, False)
            assert kind(parameters(), amsgrad=True).amsgrad
        rms = RMSprop(parameters())
        assert (rms.lr, rms.alpha, rms.eps, rms.momentum) == (0.01, 0.99, 1e-8, 0.0)
        assert (rms.weight_decay, rms.centered, rms.maximize) == (0.0, False, False)
        assert SGD(parameters()).lr == 0.001

    @pytest.mark.parametrize(("kind", "option", "low"), NUMBERS)
    def test_numbers(self, kind: type[Any], option: str, low: float) -> None:
        what = f"{kind.__name__}: {option} must be"
        made = kind(parameters(), lr=0.1)

        def options_with(x: Any) -> Iterator[Callable[[], Any]]:
            """Yield what sets an option: when the optimizer is made, and later."""
            yield lambda: kind(parameters(), **{"lr": 0.1, option: x})
            yield lambda: setattr(made, option, x)

        before = dict(made.param_groups[0])
        for wrong in ("0.1", True, None):
            for set_it in options_with(wrong):
                with pytest.raises(TypeError) as caught:
                    set_it()
                assert str(caught.value) == f"{what} a number, got {wrong!r}; pass a float"
        for wrong in (nan, inf, -inf, *([-5e-324] if low == 0.0 else [])):
            for set_it in options_with(wrong):
                with pytest.raises(ValueError, match="must be finite") as out_of_range:
                    set_it()
                bounds = ", >= 0" if low == 0.0 else ""
                assert str(out_of_range.value) == f"{what} finite{bounds}, got {wrong!r}"
        assert dict(made.param_groups[0]) == before
        for number in (0, Fraction(1, 4)):
            setattr(made, option, number)
            for optimizer in (made, kind(parameters(), **{"lr": 0.1, option: number})):
                assert repr(getattr(optimizer, option)) == repr(float(number))

    @pytest.mark.parametrize("kind", [Adam, AdamW])
    @pytest.mark.parametrize("i", [0, 1])
    def test_betas(self, kind: type[Any], i: int) -> None:
        what = rf"^{kind.__name__}: betas\[{i}\] must be"
        betas: list[Any] = [0.5, 0.5]
        betas[i] = "0.5"
        pair = "betas", betas
        made = kind(parameters())
        for set_it in (lambda: kind(parameters(), betas=betas), lambda: made.__setattr__(*pair)):
            with pytest.raises(TypeError, match=rf"{what} a number, got '0\.5'; pass a float$"):
                set_it()
        assert made.betas == (0.9, 0.999)
        for wrong in (nan, -0.1, 1.0, 1.5):
            betas[i] = wrong
            with pytest.raises(ValueError, match=rf"{what} finite, >= 0 and < 1, got {wrong}$"):
                kind(parameters(), betas=betas)

    def test_flags(self) -> None:
        for optimizer, flag in (
            (SGD(parameters(), 0.1), "nesterov"),
            (Adam(parameters()), "amsgrad"),
            (RMSprop(parameters()), "centered"),
            (SGD(parameters()), "maximize"),
        ):
            kind = type(optimizer).__name__
            with pytest.raises(TypeError) as caught:
                setattr(optimizer, flag, 1)
            assert str(caught.value) == f"{kind}: {flag} must be True or False, got 1"
            assert getattr(optimizer, flag) is False


class TestStateDict:
    @every_case
    def test_resumes_bit_for_bit(self, kind: type[Any], options: Options) -> None:
        first = kind(parameters(), **options)
        list(train(first, 20))
        data, state = snapshot(first)
        first_goes_on = list(train(first, 20))
        second = kind([Value(x) for x in data], **{**options, "lr": 0.7})
        second.load_state_dict(state)
        assert snapshot(second) == (data, state)
        assert list(train(second, 20)) == first_goes_on

    @every_case
    def test_before_the_first_step_there_are_only_options(
        self, kind: type[Any], options: Options
    ) -> None:
        fresh, used = kind(parameters(), **options), kind(parameters(), **options)
        assert fresh.state_dict()["state"] == {}
        list(train(used, 5))
        used.load_state_dict(fresh.state_dict())
        assert used.state_dict() == fresh.state_dict()

    def test_momentum_of_another_is_refused(self) -> None:
        optimizer = SGD(parameters(), lr=0.1)
        state = optimizer.state_dict() | {"state": {"exp_avg": [0.0] * len(START)}}
        message = r"^SGD\.load_state_dict: 'state' must have the keys \[\], got \['exp_avg'\]; "
        with pytest.raises(mg.errors.StateDictError, match=message):
            optimizer.load_state_dict(state)

    def test_parameters_may_be_added(self) -> None:
        a, b = Value(1.0), Value(2.0)
        optimizer = SGD([a], lr=0.5, momentum=0.5)
        optimizer.add_param_group({"params": b})
        for _ in range(2):
            a.grad = b.grad = 1.0
            optimizer.step()
        assert (a.data, b.data) == (1.0 - 0.5 - 0.75, 2.0 - 0.5 - 0.75)

    def test_the_largest_step(self) -> None:
        adam = Adam(parameters())
        list(train(adam, 1))
        state = adam.state_dict()
        state["state"]["step"] = 2**63 - 1
        adam.load_state_dict(state)
        adam.step()
        assert adam.state_dict()["state"]["step"] == 2**63

    def test_is_a_copy_on_the_way_out_and_in(self) -> None:
        adam = Adam(parameters())
        list(train(adam, 3))
        state = adam.state_dict()
        expected = adam.state_dict()
        adam.load_state_dict(state)
        for nested in (state, adam.state_dict()):
            nested["state"]["exp_avg"][0] = nested["param_groups"][0]["lr"] = 99.0
            assert adam.state_dict() == expected


class TestAllOrNothing:
    @every_case
    @pytest.mark.parametrize("bad", [nan, inf, -inf])
    def test_nonfinite_gradient(self, kind: type[Any], options: Options, bad: float) -> None:
        optimizer = kind(parameters(), **options)
        list(train(optimizer, 3))
        before = snapshot(optimizer)
        grads = [p.grad for p in optimizer.params]
        optimizer.params[2].grad = bad
        with pytest.raises(mg.errors.NonFiniteError, match="nothing was updated"):
            optimizer.step()
        assert snapshot(optimizer) == before
        optimizer.params[2].grad = grads[2]
        optimizer.step()  # and it goes on as if nothing had happened
        assert snapshot(optimizer) != before

    @pytest.mark.parametrize("kind", [Adam, AdamW])
    def test_overflow_of_the_square_of_a_gradient(self, kind: type[Any]) -> None:
        optimizer = kind(parameters())
        before = snapshot(optimizer)
        for bad, square in ((-1e200, inf), (nan, nan), (-inf, inf)):
            optimizer.params[0].grad, optimizer.params[1].grad = 1.0, bad
            with pytest.raises(mg.errors.NonFiniteError) as caught:
                optimizer.step()
            assert str(caught.value) == (
                f"{kind.__name__}.step: parameter 1 would get {square} for its squared gradients "
                f"(data=-0.8, grad={bad}); nothing was updated: lower lr=0.001 or clip them"
            )
            assert snapshot(optimizer) == before

    @pytest.mark.parametrize("kind", [Adam, AdamW])
    @pytest.mark.parametrize("amsgrad", [False, True])
    def test_division_by_zero(self, kind: type[Any], amsgrad: bool) -> None:
        params = [Value(1.0), Value(2.0), Value(3.0, label="w")]
        optimizer = kind(params, eps=0.0, weight_decay=0.0, amsgrad=amsgrad)
        params[0].requires_grad = False  # whose gradients are 0, too
        params[1].grad, params[2].grad = 1.0, 0.0
        before = snapshot(optimizer)
        with pytest.raises(mg.errors.NonFiniteError) as caught:
            optimizer.step()
        assert str(caught.value) == (
            f"{kind.__name__}.step: parameter w needs a division by 0, its squared gradients and "
            "eps being 0 (data=3.0, grad=0.0); nothing was updated: pass an eps above 0"
        )
        assert caught.value.__suppress_context__
        assert snapshot(optimizer) == before
        params[2].grad = 1.0
        optimizer.step()
        assert [p.data for p in params] == [1.0, *(x - 0.001 for x in (2.0, 3.0))]

    @every_case
    def test_a_gradient_that_is_no_float(self, kind: type[Any], options: Options) -> None:
        numpy = pytest.importorskip("numpy")
        optimizer = kind(parameters(), **options)
        frozen, *_, last = optimizer.params
        frozen.requires_grad = False
        frozen.grad = numpy.float32(0.1)  # does not matter
        last.grad = numpy.float64(0.1)  # is a float
        optimizer.step()
        assert {type(p.data) for p in optimizer.params} == {float}
        for key, xs in optimizer.state_dict()["state"].items():
            if isinstance(xs, list):
                assert [*map(type, xs)] == [int] * 4 if key == "step" else [NoneType] * 3 + [float]
        before = snapshot(optimizer)
        for bad in (numpy.float32(0.1), 1j, [1.0], "1.0"):
            optimizer.params[2].grad = bad
            with pytest.raises(TypeError) as caught:
                optimizer.step()
            assert str(caught.value) == (
                f"{kind.__name__}.step: parameter 2 has a gradient that is no float "
                f"(data={optimizer.params[2].data}, grad={bad!r}); nothing was updated: convert "
                "it: float(p.grad)"
            )
            assert snapshot(optimizer) == before

    def test_overflow_of_an_update(self) -> None:
        params = [Value(1.0), Value(1e308)]
        optimizer = SGD(params, lr=1.0)
        params[0].grad, params[1].grad = 1.0, -1e308
        message = (
            r"^SGD\.step: parameter 1 would become inf \(data=1e\+308, grad=-1e\+308\); "
            r"nothing was updated: lower lr=1\.0 or clip the gradients$"
        )
        with pytest.raises(mg.errors.NonFiniteError, match=message):
            optimizer.step()
        assert [p.data for p in params] == [1.0, 1e308]

    def test_large_but_finite_parameters_are_updated(self) -> None:
        params = [Value(1e308), Value(1e308)]  # their sum is infinite, they are not
        SGD(params, lr=1.0).step()
        params[0].grad = 1e307
        SGD(params, lr=1.0).step()
        assert [p.data for p in params] == [9e307, 1e308]

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
    @pytest.mark.parametrize("momentum", [0.0, 1.0])
    def test_an_interrupt_leaves_all_old_or_all_new(self, momentum: float) -> None:
        """Ctrl-C comes at random moments of the steps of many parameters."""

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        params = [Value(0.0) for _ in range(3000)]
        optimizer = SGD(params, lr=1.0, momentum=momentum)
        for p in params:
            p.grad = -1.0
        interrupts = 0
        tracer = sys.gettrace()
        sys.settrace(None)  # that of coverage holds a lock, and would be interrupted too
        old = signal.signal(signal.SIGALRM, interrupt)
        try:
            while interrupts < 300:
                try:
                    # From 0.05 to 1.25 ms: up to a few steps' time.
                    signal.setitimer(signal.ITIMER_REAL, 0.00005 + 0.000004 * interrupts)
                    while True:
                        optimizer.step()
                except KeyboardInterrupt:
                    interrupts += 1
                (data,) = {p.data for p in params}
                if "momentum_buffer" in (state := optimizer.state_dict()["state"]):
                    (velocity,) = set(state["momentum_buffer"])  # minus the number of steps
                    assert data == velocity * (velocity - 1.0) / 2.0
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, old)
            sys.settrace(tracer)
        assert params[0].data > 0.0


@every_case
def test_a_frozen_parameter_stays(kind: type[Any], options: Options) -> None:
    optimizer = kind([Value(1.0), Value(2.0)], **options)
    params = optimizer.params
    for _ in range(3):
        params[0].grad = params[1].grad = 1.0
        optimizer.step()
        params[1].requires_grad = False  # after the first step there may be momentum
        kept = params[1].data
        optimizer.step()  # the gradient is still there
        assert params[1].data == kept
        params[1].requires_grad = True
    assert params[0].data < 1.0


@every_case
@pytest.mark.parametrize("left", [nan, 1e200, 3.0])
def test_what_is_left_in_the_gradient_of_a_frozen_parameter(
    kind: type[Any], options: Options, left: float
) -> None:
    results = []
    for grad in (0.0, left):
        optimizer = kind([Value(1.0), Value(1e200)], **options)
        first, frozen = optimizer.params
        frozen.requires_grad = False
        for _ in range(3):
            first.grad, frozen.grad = 1.0, grad
            optimizer.step()
        remembered = [
            xs[1] for xs in optimizer.state_dict()["state"].values() if isinstance(xs, list)
        ]
        assert not any(remembered)
        frozen.requires_grad = True
        frozen.data = frozen.grad = 1.0
        optimizer.step()
        results.append(snapshot(optimizer))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("beta", "grads", "moment"),
    [
        (0.9, (1.0, 2.0), (1.0 - 0.9) + (1.0 - 0.9) * (2.0 - (1.0 - 0.9))),
        (0.5, (0.7, -0.3), -0.3 - 0.5 * (-0.3 - 0.35)),  # not 0.35 + 0.5 * (-0.3 - 0.35)
        (0.0, (1e17, 1.0), 1.0),
    ],
)
def test_the_first_moment_is_rounded_as_in_pytorch(
    beta: float, grads: tuple[float, ...], moment: float
) -> None:
    w = Value(0.0)
    optimizer = Adam([w], betas=(beta, 0.9))
    for w.grad in grads:
        optimizer.step()
    assert optimizer.state_dict()["state"]["exp_avg"] == [moment]


@pytest.mark.parametrize("name", ["step", "zero_grad"])
def test_functions_that_are_compiled_take_no_steps(name: str) -> None:
    w = Value(1.0)
    w.grad = 2.0
    call = getattr(SGD([w], lr=0.1), name)
    with pytest.raises(mg.CompileError) as caught:
        mg.compile(lambda x: (call(), x * w)[1])(1.0)
    assert str(caught.value) == (
        f"compile: {name}() in a function that is compiled would run only while it is traced; "
        f"compile value_and_grad(f), or call {name}() outside"
    )
    assert (w.data, w.grad) == (1.0, 2.0)


def test_all_names_what_there_is() -> None:
    assert all(hasattr(optim, name) for name in optim.__all__)


HINT = r" \(lower the learning rate, if this is a training\)"


def test_errors_of_a_training_that_diverges_name_the_learning_rate() -> None:
    w = Value(1.0)
    sgd = SGD([w], lr=1e3)

    def train_on(loss: Callable[[Value], Value]) -> None:
        w.data = 1.0
        for _ in range(1000):
            sgd.zero_grad()
            loss(w).backward()
            sgd.step()

    with pytest.raises(OverflowError, match=rf"too large for a float; scale the inputs down{HINT}"):
        train_on(lambda w: (w - 3.0) ** 2)
    with pytest.raises(mg.NonFiniteError, match=rf"is inf{HINT}; use allow_nonfinite\(\)"):
        train_on(lambda w: mg.mse_loss([w], [3.0]))
    with pytest.raises(mg.NonFiniteError, match=r"would become -?inf .*: lower lr=1000\.0 or clip"):
        train_on(lambda w: w * 1e306)
    adam = Adam([w])
    w.data, w.grad = 1.0, 1e200
    with pytest.raises(mg.NonFiniteError, match=r"updated: lower lr=0\.001 or clip them$"):
        adam.step()


def test_other_overflows_do_not_name_it() -> None:
    with pytest.raises(OverflowError, match=r"scale the inputs down$"):
        mg.exp(1000.0)
    with pytest.raises(mg.NonFiniteError, match=r"is inf; use allow_nonfinite\(\)"):
        (Value(inf) * 2.0).backward()


def test_the_first_parameter_that_cannot_be_updated_is_named() -> None:
    params = [Value(1.0) for _ in range(4)]
    adam = optim.Adam(params, eps=0.0)
    for p, grad in zip(params, (1.0, 0.0, 0.0, 1.0), strict=True):
        p.grad = grad
    message = r"^Adam.step: parameter 1 needs a division by 0, .*: pass an eps above 0$"
    with pytest.raises(mg.NonFiniteError, match=message):
        adam.step()
    assert [p.data for p in params] == [1.0] * 4
    assert adam.state_dict()["state"] == {}
