"""Schedules of learning rates against PyTorch's, to the last bit, also resumed and compiled."""

import json
import re
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise, product
from math import cos, inf, nan, pi
from pathlib import Path
from random import Random
from typing import Any

import pytest
from compilers import compiler

import microgradlib as mg
from microgradlib import Value, optim
from microgradlib.optim import lr_scheduler

Options = dict[str, Any]

SCHEDULES: list[tuple[str, Options]] = [
    ("StepLR", {"step_size": 7}),
    ("StepLR", {"step_size": 1, "gamma": 0.93}),
    ("MultiStepLR", {"milestones": [3, 3, 10, 40]}),
    ("ExponentialLR", {"gamma": 0.97}),
    ("CosineAnnealingLR", {"T_max": 13}),
    ("CosineAnnealingLR", {"T_max": 100, "eta_min": 0.001}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.5, "total_iters": 60}),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 37}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.5, "total_iters": 20}),
    ("LambdaLR", {"lr_lambda": lambda t: 0.95**t}),
    ("LambdaLR", {"lr_lambda": [lambda t: 1.0 / (1.0 + t), lambda t: 0.9**t]}),
    *(
        (
            "OneCycleLR",
            {
                "max_lr": [0.3, 0.5],
                "total_steps": 101,
                "anneal_strategy": strategy,
                "three_phase": three,
                "cycle_momentum": cycles,
            },
        )
        for strategy, three, cycles in product(("cos", "linear"), (False, True), (False, True))
    ),
    ("OneCycleLR", {"max_lr": 1.0, "epochs": 11, "steps_per_epoch": 10, "pct_start": 0.1}),
    (
        "OneCycleLR",
        {
            "max_lr": 1.0,
            "total_steps": 100,
            "base_momentum": [0.1, 0.2],
            "max_momentum": 0.9,
            "div_factor": 2.0,
            "final_div_factor": 3.0,
        },
    ),
]
SEQUENCES: list[list[tuple[str, Options]]] = [
    [
        ("LinearLR", {"start_factor": 0.1, "total_iters": 5}),
        ("CosineAnnealingLR", {"T_max": 20, "eta_min": 0.01}),
    ],
    [
        ("ConstantLR", {"factor": 0.5, "total_iters": 3}),
        ("ExponentialLR", {"gamma": 0.9}),
        ("StepLR", {"step_size": 3}),
    ],
    [
        ("ExponentialLR", {"gamma": 0.9}),
        ("LinearLR", {}),
        ("MultiStepLR", {"milestones": [0, 2, 5]}),
    ],
    [
        ("StepLR", {"step_size": 3}),
        ("LambdaLR", {"lr_lambda": lambda t: 0.9**t}),
        ("ConstantLR", {"total_iters": 4}),
    ],
    [("StepLR", {"step_size": 3}), ("OneCycleLR", {"max_lr": 0.2, "total_steps": 200})],
    [("StepLR", {"step_size": 3}), ("ConstantLR", {"factor": 0.5, "total_iters": 0})],
]
PLATEAUS: list[Options] = [
    {},
    {"mode": "max", "threshold_mode": "abs", "threshold": 0.1},
    {"patience": 2, "cooldown": 3, "factor": 0.5, "min_lr": [0.001, 0.01]},
    {"patience": 0, "mode": "max"},
    {"patience": 1, "threshold_mode": "abs", "eps": 0.01},
    {"patience": 1, "min_lr": 0.005},
]


def ours(kind: str = "SGD", **options: Any) -> Any:
    groups = [{"params": [Value(0.5)], "lr": 0.03}, {"params": [Value(1.0)]}]
    return getattr(optim, kind)(groups, lr=0.1, **options)


def theirs(torch: Any, kind: str = "SGD") -> Any:
    x, y = [torch.tensor(data, requires_grad=True) for data in (0.5, 1.0)]
    return getattr(torch.optim, kind)([{"params": [x], "lr": 0.03}, {"params": [y]}], lr=0.1)


def options_of(optimizer: Any) -> list[Any]:
    """Return what schedules change; a recurrence of PyTorch's that rounds below 0 counts as 0."""
    rows = [[group.get(key) for key in ("momentum", "betas")] for group in optimizer.param_groups]
    rates = [group["lr"] for group in optimizer.param_groups]
    return [rows, [0.0 if -1e-15 < lr < 0.0 else lr for lr in rates]]


def resumed(optimizer: Any, kind: str, make: Callable[[Any], Any], path: Path, old: Any) -> Any:
    """Return optimizer and scheduler, made anew and loaded from a file."""
    mg.save({"optimizer": optimizer.state_dict(), "scheduler": old.state_dict()}, path)
    new = ours(kind)
    scheduler = make(new)
    mg.restore(mg.load(path), scheduler=scheduler, optimizer=new)
    return new, scheduler


def named(x: object) -> str:
    """Return a name of a case that is the same in each process."""
    return re.sub(r"<function .*? at 0x\w+>", "function", str(x))


class TestAgainstTorch:
    @pytest.mark.torch
    @pytest.mark.parametrize("kind", ["SGD", "Adam", "RMSprop"])
    @pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=named)
    def test_schedules(self, kind: str, name: str, options: Options, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")

        def make(optimizer: Any) -> Any:
            return getattr(lr_scheduler, name)(optimizer, **options)

        optimizer, peer = ours(kind), theirs(torch, kind)
        scheduler = make(optimizer)
        other = getattr(torch.optim.lr_scheduler, name)(peer, **options)
        assert scheduler.base_lrs == other.base_lrs
        for step in range(100):
            assert scheduler.last_epoch == other.last_epoch == step
            assert options_of(optimizer) == options_of(peer), step
            assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
            optimizer.step()
            peer.step()
            scheduler.step()
            other.step()
            if step in (0, 30, 70):
                optimizer, scheduler = resumed(
                    optimizer, kind, make, tmp_path / "state.json", scheduler
                )

    @pytest.mark.torch
    @pytest.mark.parametrize("kind", ["SGD", "Adam"])
    @pytest.mark.parametrize("parts", SEQUENCES, ids=lambda parts: parts[0][0])
    def test_sequences(self, kind: str, parts: Any, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        milestones = [6, 17][: len(parts) - 1]

        def make(optimizer: Any) -> Any:
            schedulers = [getattr(lr_scheduler, name)(optimizer, **o) for name, o in parts]
            return lr_scheduler.SequentialLR(optimizer, schedulers, milestones)

        optimizer, peer = ours(kind), theirs(torch, kind)
        scheduler = make(optimizer)
        module = torch.optim.lr_scheduler
        other = module.SequentialLR(
            peer, [getattr(module, name)(peer, **o) for name, o in parts], milestones
        )
        for step in range(60):
            assert scheduler.last_epoch == other.last_epoch == step
            assert options_of(optimizer) == options_of(peer), step
            assert scheduler.get_last_lr() == other.get_last_lr()
            optimizer.step()
            peer.step()
            scheduler.step()
            other.step()
            if step in (0, 10, 16, 30):
                optimizer, scheduler = resumed(
                    optimizer, kind, make, tmp_path / "state.json", scheduler
                )

    @pytest.mark.torch
    @pytest.mark.parametrize("options", PLATEAUS, ids=str)
    def test_plateaus(self, options: Options, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")

        def make(optimizer: Any) -> Any:
            return lr_scheduler.ReduceLROnPlateau(optimizer, **options)

        optimizer, peer, rng = ours(), theirs(torch), Random(1)
        scheduler = make(optimizer)
        other = torch.optim.lr_scheduler.ReduceLROnPlateau(peer, **options)
        for step in range(100):
            loss = rng.random() * 0.98**step if step != 50 else nan
            scheduler.step(Value(loss) if step % 2 and step != 50 else loss)
            other.step(loss)
            assert options_of(optimizer) == options_of(peer), step
            assert scheduler.get_last_lr() == other.get_last_lr()
            for key in ("best", "num_bad_epochs", "cooldown_counter", "last_epoch"):
                assert getattr(scheduler, key) == getattr(other, key)
            if step in (0, 40):
                optimizer, scheduler = resumed(
                    optimizer, "SGD", make, tmp_path / "state.json", scheduler
                )
        assert options_of(optimizer)[1] != [0.03, 0.1]

    @pytest.mark.torch
    def test_two_at_once(self) -> None:
        torch = pytest.importorskip("torch")
        optimizer, peer = ours(), theirs(torch)
        pairs = [
            (getattr(module, "LinearLR")(o), getattr(module, "ExponentialLR")(o, 0.9))  # noqa: B009
            for module, o in ((lr_scheduler, optimizer), (torch.optim.lr_scheduler, peer))
        ]
        for _ in range(20):
            optimizer.step()
            peer.step()
            for scheduler in (*pairs[0], *pairs[1]):
                scheduler.step()
            assert options_of(optimizer) == options_of(peer)

    @pytest.mark.torch
    @pytest.mark.parametrize(("name", "options"), SCHEDULES[:9], ids=named)
    def test_a_last_epoch(self, name: str, options: Options) -> None:
        torch = pytest.importorskip("torch")
        optimizer, peer = ours(), theirs(torch)
        for group in (*optimizer.param_groups, *peer.param_groups):
            group["initial_lr"] = 0.2
        scheduler = getattr(lr_scheduler, name)(optimizer, **options, last_epoch=4)
        other = getattr(torch.optim.lr_scheduler, name)(peer, **options, last_epoch=4)
        for _ in range(20):
            assert options_of(optimizer) == options_of(peer)
            assert scheduler.base_lrs == other.base_lrs == [0.2, 0.2]
            optimizer.step()
            peer.step()
            scheduler.step()
            other.step()


CLOSED: list[tuple[str, Options, Callable[[int], float]]] = [
    ("StepLR", {"step_size": 7}, lambda t: 0.1 ** (t // 7)),
    ("MultiStepLR", {"milestones": [3, 3, 10]}, lambda t: 0.1 ** (2 * (t >= 3) + (t >= 10))),
    ("ExponentialLR", {"gamma": 0.97}, lambda t: 0.97**t),
    ("ConstantLR", {"factor": 0.5, "total_iters": 4}, lambda t: 0.5 if t < 4 else 1.0),
    ("ConstantLR", {}, lambda t: 1.0 / 3.0 if t < 5 else 1.0),
    ("LinearLR", {}, lambda t: 1.0 / 3.0 + 2.0 / 3.0 * min(t / 5, 1.0)),
    (
        "LinearLR",
        {"start_factor": 0.1, "end_factor": 0.5, "total_iters": 12},
        lambda t: 0.1 + 0.4 * min(t / 12, 1.0),
    ),
    ("CosineAnnealingLR", {"T_max": 6}, lambda t: (1.0 + cos(pi * t / 6)) / 2.0),
    ("LambdaLR", {"lr_lambda": lambda t: 1.0 / (1.0 + t)}, lambda t: 1.0 / (1.0 + t)),
]


class TestClosedForms:
    """The same without PyTorch: by formulas that need no learning rate of before."""

    @pytest.mark.parametrize(("name", "options", "closed"), CLOSED, ids=named)
    def test_factors(self, name: str, options: Options, closed: Callable[[int], float]) -> None:
        optimizer = ours()
        scheduler = getattr(lr_scheduler, name)(optimizer, **options)
        for step in range(26):
            factors = [group["lr"] / x for group, x in zip(optimizer.param_groups, (0.03, 0.1))]  # noqa: B905
            assert factors == pytest.approx([closed(step)] * 2, rel=1e-9, abs=1e-12), step
            assert scheduler.base_lrs == [0.03, 0.1]
            optimizer.step()
            scheduler.step()

    def test_a_cosine_above_zero(self) -> None:
        optimizer = ours()
        scheduler = lr_scheduler.CosineAnnealingLR(optimizer, 6, eta_min=0.01)
        for step in range(26):
            expected = [0.01 + (x - 0.01) * (1.0 + cos(pi * step / 6)) / 2.0 for x in (0.03, 0.1)]
            assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(expected)
            optimizer.step()
            scheduler.step()

    @pytest.mark.parametrize("kind", ["SGD", "Adam"])
    @pytest.mark.parametrize("three", [False, True])
    @pytest.mark.parametrize("strategy", ["cos", "linear"])
    def test_one_cycle(self, kind: str, three: bool, strategy: str) -> None:
        optimizer = ours(kind)
        lr_scheduler.OneCycleLR(
            optimizer, [0.5, 1.0], total_steps=40, three_phase=three, anneal_strategy=strategy
        )
        scheduler = lr_scheduler.OneCycleLR(
            optimizer, [0.5, 1.0], total_steps=40, three_phase=three, anneal_strategy=strategy
        )
        ends = [(0, 0.04, 0.95), (11, 1.0, 0.85), (39, 4e-6, 0.95)]
        if three:
            ends[2:] = [(22, 0.04, 0.95), (39, 4e-6, 0.95)]
        for step in range(40):
            (left, low, calm), (right, high, fast) = next(
                (a, b) for a, b in pairwise(ends) if step <= b[0]
            )
            share = (step - left) / (right - left)
            if strategy == "cos":
                share = (1.0 - cos(pi * share)) / 2.0
            for top, group in zip((0.5, 1.0), optimizer.param_groups, strict=True):
                assert group["lr"] == pytest.approx(top * (low + (high - low) * share))
                momentum = group["betas"][0] if kind == "Adam" else group["momentum"]
                assert momentum == pytest.approx(calm + (fast - calm) * share)
                assert group.get("betas", (0.0, 0.999))[1] == 0.999
            optimizer.step()
            scheduler.step()
        if strategy == "linear":  # the call after the last step stays at the end
            assert optimizer.param_groups[0]["lr"] == pytest.approx(2e-6)

    def test_a_sequence(self) -> None:
        optimizer = ours()
        parts = [
            lr_scheduler.ConstantLR(optimizer, 0.5, 100),
            lr_scheduler.LinearLR(optimizer, 0.25, 1.0, 3),
            lr_scheduler.MultiStepLR(optimizer, [0, 2], 0.5),
            lr_scheduler.CosineAnnealingLR(optimizer, 2, eta_min=0.01),
        ]
        scheduler = lr_scheduler.SequentialLR(optimizer, parts, [2, 6, 9])
        found = []
        for _ in range(12):
            found.append(optimizer.param_groups[1]["lr"])
            optimizer.step()
            scheduler.step()
        expected = [0.05, 0.05, 0.025, 0.05, 0.075, 0.1, 0.05, 0.05, 0.025, 0.1, 0.055, 0.01]
        assert found == pytest.approx(expected)

    def test_a_plateau(self) -> None:
        optimizer = ours()
        scheduler = lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=0.5, patience=1, threshold=0.1, cooldown=2, min_lr=0.02
        )
        found = []
        for loss in (1.0, 0.95, 0.85, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8):
            scheduler.step(loss)
            found.append(optimizer.param_groups[1]["lr"])
        # 0.95 is not 10 % better than 1; after 0.85 two are not, then two do not count.
        assert found == [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025]
        assert optimizer.param_groups[0]["lr"] == 0.02
        assert scheduler.best == 0.85
        keys = ["last_epoch", "best", "num_bad_epochs", "cooldown_counter", "_last_lr"]
        assert [*scheduler.state_dict()] == keys
        assert scheduler.last_epoch == 11

    def test_a_plateau_of_gains(self) -> None:
        optimizer = ours()
        scheduler = lr_scheduler.ReduceLROnPlateau(
            optimizer, "max", patience=0, threshold=0.5, threshold_mode="abs", eps=0.04
        )
        found = []
        for gain in (1.0, 1.5, 1.6, 2.2):
            scheduler.step(gain)
            found.append([group["lr"] for group in optimizer.param_groups])
        assert found[0] == [0.03, 0.1]
        assert found[1:] == [[0.03, 0.1 * 0.1]] * 3  # less than eps is not worth it
        assert scheduler.best == 2.2


class Halving(lr_scheduler.LRScheduler):
    def get_lr(self) -> list[float]:
        return [base / 2**self.last_epoch for base in self.base_lrs]


def test_a_schedule_of_your_own() -> None:
    optimizer = ours()
    scheduler = Halving(optimizer)
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [0.015, 0.05]
    with pytest.raises(NotImplementedError):
        lr_scheduler.LRScheduler(optimizer)


class Below(lr_scheduler.LRScheduler):
    below = 0.0

    def get_lr(self) -> list[float]:
        return [self.below, 0.5]


def test_less_than_0_by_rounding_is_0() -> None:
    optimizer = ours()
    scheduler = Below(optimizer)
    optimizer.step()
    Below.below = -1e-16
    scheduler.step()
    assert scheduler.get_last_lr() == [0.0, 0.5]
    Below.below = -1e-14
    with pytest.raises(ValueError, match=r"^Below: lr must be finite, >= 0, got -1e-14$"):
        scheduler.step()


class TestOrder:
    def test_a_scheduler_that_comes_first_warns(self) -> None:
        optimizer = ours()
        scheduler = Halving(optimizer)
        with pytest.warns(
            UserWarning, match=r"^Halving.step\(\) before optimizer.step\(\)"
        ) as seen:
            scheduler.step()
        assert seen[0].filename == __file__
        scheduler.step()  # says so once
        assert scheduler.last_epoch == 2

    def test_a_compiled_step_counts_as_a_step(self) -> None:
        if not compiler():
            pytest.skip("no C compiler")
        w = Value(1.0)
        optimizer = optim.SGD([w], lr=0.5)
        scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
        step = mg.compiled_step(lambda x: w * x, optimizer)
        with warnings.catch_warnings(), step:
            warnings.simplefilter("error")
            step(1.0)
            scheduler.step()


@pytest.mark.skipif(not compiler(), reason="no C compiler")
class TestCompiled:
    @pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW", "RMSprop"])
    @pytest.mark.parametrize("groups", [1, 2])
    def test_a_cycle_reaches_a_compiled_step(self, kind: str, groups: int) -> None:
        found = []
        for compiled in (False, True):
            a, b = Value(1.0), Value(-0.5)
            params: Any = [a, b]
            if groups == 2:
                params = [{"params": [b], "lr": 0.02, "weight_decay": 0.1}, {"params": [a]}]
            optimizer = getattr(optim, kind)(params, lr=0.01)
            scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=30)

            def loss(x: float, a: Value = a, b: Value = b) -> Any:
                return (a * x - 1.0) ** 2 + (b + a) ** 2

            step = mg.compiled_step(loss, optimizer)
            losses = []
            for part in (range(10), range(10, 30)):
                if compiled:
                    with step:
                        for i in part:
                            losses.append(step(0.1 * i))
                            scheduler.step()
                else:
                    for i in part:
                        optimizer.zero_grad()
                        y = loss(0.1 * i)
                        y.backward()
                        optimizer.step()
                        scheduler.step()
                        losses.append(y.data)
            if compiled:
                assert len(step._steps) <= 2  # betas and momentum are numbers of the machine code
            found.append((losses, a.data, b.data, optimizer.state_dict()))
        assert found[0] == found[1]

    @pytest.mark.parametrize(
        "own",
        [{"betas": (0.5, 0.9)}, {"amsgrad": True}, {"maximize": True}],
        ids=str,
    )
    def test_groups_that_differ_in_more_than_numbers(self, own: Options) -> None:
        a, b = Value(1.0), Value(1.0)
        adam = optim.Adam([{"params": [a], **own}, {"params": [b]}])
        step = mg.compiled_step(lambda x: a * b * x, adam)
        with pytest.raises(mg.CompileError, match="groups of the optimizer differ in more than lr"):
            step(1.0)
        assert (a.data, b.data) == (1.0, 1.0)

    def test_groups_that_begin_to_differ_within_a_block(self) -> None:
        a, b = Value(1.0), Value(1.0)
        adam = optim.Adam([{"params": [a]}, {"params": [b]}])
        with mg.compiled_step(lambda x: a * b * x, adam) as step:
            step(1.0)
            step(1.0)
            adam.param_groups[0]["betas"] = (0.5, 0.5)
            with pytest.raises(mg.CompileError, match="groups of the optimizer differ"):
                step(1.0)
            adam.param_groups[0]["betas"] = adam.param_groups[1]["betas"]
            step(1.0)
        assert adam.state_dict()["state"]["step"] == 3

    def test_a_block_keeps_what_it_uses(self) -> None:
        w = Value(1.0)
        sgd = optim.SGD([w], lr=0.1, momentum=0.5)
        before = sgd.state_dict()
        with mg.compiled_step(lambda x: w * x, sgd) as step:
            step(1.0)
            step(1.0)
            with pytest.raises(RuntimeError, match="in use within the with block"):
                sgd.load_state_dict(before)
            with pytest.raises(RuntimeError, match="in use within the with block"):
                sgd.add_param_group({"params": [Value(1.0)]})
        assert sgd.state_dict()["state"] == {"momentum_buffer": [1.5]}


def make(name: str, *args: Any, **options: Any) -> Callable[[], Any]:
    return lambda: getattr(lr_scheduler, name)(*(args or (ours(),)), **options)


STEP = lr_scheduler.StepLR(ours(), 2)
PLATEAU = lr_scheduler.ReduceLROnPlateau(ours())
MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (make("StepLR", 3, step_size=1), TypeError, "StepLR: optimizer must be one of microgradlib.op"),
    (make("StepLR", step_size=0), ValueError, "StepLR: step_size must be an int >= 1, got 0"),
    (make("StepLR", step_size=1.0), ValueError, "StepLR: step_size must be an int >= 1, got 1.0"),
    (make("StepLR", step_size=1, gamma="a"), TypeError, "StepLR: gamma must be a number, got 'a'"),
    (make("StepLR", step_size=1, gamma=-1), ValueError, "StepLR: gamma must be finite, >= 0, got"),
    (make("StepLR", step_size=1, last_epoch=-2), ValueError, "StepLR: last_epoch must be an int >"),
    (
        make("StepLR", step_size=1, last_epoch=3),
        KeyError,
        "\"StepLR: param_groups[0] has no 'initial_lr', which last_epoch >= 0 needs; load the",
    ),
    (
        make("MultiStepLR", milestones=[1, 2.5]),
        TypeError,
        "MultiStepLR: milestones must be ints, g",
    ),
    (make("LinearLR", end_factor=1.5), ValueError, "LinearLR: end_factor must be <= 1, got 1.5"),
    (make("LinearLR", start_factor=0), ValueError, "LinearLR: start_factor must be finite, >= 1e-"),
    (make("ConstantLR", factor=2.0), ValueError, "ConstantLR: factor must be <= 1, got 2.0"),
    (make("CosineAnnealingLR", T_max=0), ValueError, "CosineAnnealingLR: T_max must be an int >="),
    (
        make("LambdaLR", lr_lambda=[abs]),
        ValueError,
        "LambdaLR: lr_lambda must be one, or a list of 2 for the groups, got [<built-in function",
    ),
    (
        make("LambdaLR", lr_lambda=[abs, 3]),
        TypeError,
        "LambdaLR: lr_lambda must be a function, got 3",
    ),
    (make("LambdaLR", lr_lambda=0.5), TypeError, "LambdaLR: lr_lambda must be a function, got 0.5"),
    (
        make("LambdaLR", lr_lambda=lambda t: nan),
        ValueError,
        "LambdaLR: lr must be finite, >= 0, go",
    ),
    (make("OneCycleLR", max_lr=1.0), ValueError, "OneCycleLR: pass total_steps, or epochs and s"),
    (make("OneCycleLR", max_lr=1.0, epochs=3), ValueError, "OneCycleLR: pass total_steps, or epo"),
    (
        make("OneCycleLR", max_lr=1.0, total_steps=10, anneal_strategy="log"),
        ValueError,
        "OneCycleLR: anneal_strategy must be in ('cos', 'linear'), got 'log'",
    ),
    (
        make("OneCycleLR", max_lr=1.0, total_steps=10, pct_start=0.1),
        ValueError,
        "OneCycleLR: pct_start=0.1 leaves a phase without steps",
    ),
    (make("ReduceLROnPlateau", factor=1.0), ValueError, "ReduceLROnPlateau: factor must be < 1, g"),
    (make("ReduceLROnPlateau", mode="low"), ValueError, "ReduceLROnPlateau: mode must be in ('min"),
    (
        lambda: PLATEAU.step("0.5"),
        TypeError,
        "ReduceLROnPlateau.step: expected a number, got '0.5'",
    ),
    (
        make("SequentialLR", schedulers=[STEP], milestones=[]),
        ValueError,
        "SequentialLR: schedulers[0] has another optimizer",
    ),
    (
        make("SequentialLR", schedulers=[PLATEAU], milestones=[]),
        TypeError,
        "SequentialLR: schedulers[0] must be a schedule of its own, got ReduceLROnPlateau(",
    ),
    (
        make("SequentialLR", STEP.optimizer, schedulers=[STEP, STEP, STEP], milestones=[5, 5]),
        ValueError,
        "SequentialLR: milestones must be 2 ints that grow, one less than there are schedulers",
    ),
    (
        lambda: STEP.load_state_dict({"last_epoch": 3}),
        mg.StateDictError,
        "StepLR.load_state_dict: expected the keys ['last_epoch', 'base_lrs', '_step_count', ",
    ),
    *(
        (
            lambda key=key, x=x: STEP.load_state_dict(STEP.state_dict() | {key: x}),  # type: ignore[misc]
            mg.StateDictError,
            f"StepLR.load_state_dict: expected {key} like ",
        )
        for key, x in [
            ("last_epoch", 3.0),
            ("last_epoch", -2),
            ("base_lrs", [0.1]),
            ("base_lrs", [0.1, "0.1"]),
            ("_last_lr", [0.1, nan]),
            ("_last_lr", [0.1, -1.0]),
            ("_last_lr", [0.1, inf]),
        ]
    ),
]


@pytest.mark.parametrize(("mistake", "error", "message"), MISTAKES, ids=[x[2] for x in MISTAKES])
def test_mistakes(mistake: Callable[[], Any], error: type[Exception], message: str) -> None:
    before = STEP.state_dict(), STEP.optimizer.state_dict()
    with pytest.raises(error) as caught:
        mistake()
    assert str(caught.value).startswith(message)
    assert (STEP.state_dict(), STEP.optimizer.state_dict()) == before


CYCLE: Options = {"max_lr": 0.1, "total_steps": 10}
RANGES: list[tuple[str, Options, str, float | None, float | None]] = [
    ("StepLR", {"step_size": 1}, "gamma", 0.0, None),
    ("CosineAnnealingLR", {"T_max": 3}, "eta_min", 0.0, None),
    ("LinearLR", {}, "start_factor", 1e-300, 1.0),
    ("LinearLR", {}, "end_factor", 0.0, 1.0),
    ("ConstantLR", {}, "factor", 1e-300, 1.0),
    ("OneCycleLR", CYCLE, "pct_start", None, 1.0),
    ("OneCycleLR", CYCLE, "div_factor", 1e-300, None),
    ("OneCycleLR", CYCLE, "final_div_factor", 1e-300, None),
    ("OneCycleLR", CYCLE, "max_lr", None, None),
    ("OneCycleLR", CYCLE, "base_momentum", 0.0, None),
    ("OneCycleLR", CYCLE, "max_momentum", 0.0, None),
    ("ReduceLROnPlateau", {}, "threshold", 0.0, None),
    ("ReduceLROnPlateau", {}, "eps", 0.0, None),
    ("ReduceLROnPlateau", {}, "min_lr", 0.0, None),
]


@pytest.mark.parametrize(("name", "options", "key", "low", "high"), RANGES)
def test_ranges(
    name: str, options: Options, key: str, low: float | None, high: float | None
) -> None:
    for x in (low, high):
        if x is not None:
            make(name, **{**options, key: x})()
    for x in (-1e-9, nan, "a", *([high * 1.001] if high else ())):
        with pytest.raises((TypeError, ValueError), match=rf"^{name}: {key} must be "):
            make(name, **{**options, key: x})()


@pytest.mark.parametrize(
    ("name", "options", "key", "low"),
    [
        ("StepLR", {}, "step_size", 1),
        ("CosineAnnealingLR", {}, "T_max", 1),
        ("LinearLR", {}, "total_iters", 1),
        ("ConstantLR", {}, "total_iters", 0),
        ("OneCycleLR", {"max_lr": 1.0, "steps_per_epoch": 3}, "epochs", 1),
        ("OneCycleLR", {"max_lr": 1.0, "epochs": 3}, "steps_per_epoch", 1),
        ("OneCycleLR", {"max_lr": 1.0}, "total_steps", 1),
        ("ReduceLROnPlateau", {}, "patience", 0),
        ("ReduceLROnPlateau", {}, "cooldown", 0),
    ],
)
def test_counts(name: str, options: Options, key: str, low: int) -> None:
    make(name, **options, **{key: low})()
    bound = 0 if key == "total_iters" else low
    for x in (bound - 1, 2.0, True):
        with pytest.raises(ValueError, match=rf"^{name}: {key} must be an int >= {bound}, got {x}"):
            make(name, **options, **{key: x})()


def test_beginning_later() -> None:
    optimizer = ours()
    for group in optimizer.param_groups:
        group["initial_lr"] = 0.8
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 0.5**t, last_epoch=1)
    assert (scheduler.last_epoch, scheduler.get_last_lr()) == (2, [0.2, 0.2])
    assert scheduler.base_lrs == [0.8, 0.8]
    state = scheduler.state_dict() | {"_last_lr": [0.0, 0.0], "last_epoch": -1}
    scheduler.load_state_dict(state)
    assert scheduler.state_dict() == state


def test_an_optimizer_without_momentum_cycles_only_its_learning_rate() -> None:
    class Plain(optim.SGD):
        pass

    optimizer = Plain([Value(1.0)])
    del optimizer.defaults["momentum"]
    with pytest.raises(ValueError, match="has no momentum; pass cycle_momentum=False"):
        lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3)
    lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3, cycle_momentum=False)


def test_a_cycle_ends() -> None:
    optimizer = ours()
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
    for _ in range(10):
        optimizer.step()
        scheduler.step()
    before = scheduler.state_dict(), optimizer.state_dict()
    for _ in range(2):
        with pytest.raises(
            ValueError, match=r"^OneCycleLR: the schedule ended after total_steps=10"
        ):
            scheduler.step()
    assert (scheduler.state_dict(), optimizer.state_dict()) == before


def test_groups_that_are_added_later_are_refused() -> None:
    optimizer = ours()
    scheduler, plateau = (
        lr_scheduler.StepLR(optimizer, 1),
        lr_scheduler.ReduceLROnPlateau(optimizer),
    )
    optimizer.step()
    optimizer.add_param_group({"params": [Value(1.0)]})
    for step in (scheduler.step, lambda: plateau.step(1.0)):
        with pytest.raises(ValueError, match="has 3 groups now, not 2; make the scheduler after"):
            step()
    assert (scheduler.last_epoch, plateau.last_epoch, plateau.best) == (0, 0, inf)


@pytest.mark.torch
def test_a_schedule_of_ones_own() -> None:
    torch = pytest.importorskip("torch")

    def rates(module: Any, optimizer: Any) -> list[list[float]]:
        class Halving(module.LRScheduler):  # type: ignore[misc, name-defined]
            def get_lr(self) -> list[float]:
                return [group["lr"] * 0.5 for group in self.optimizer.param_groups]

        parts = [module.ExponentialLR(optimizer, 0.9), Halving(optimizer)]
        scheduler = module.SequentialLR(optimizer, parts, [2])
        seen = []
        for _ in range(5):
            optimizer.step()
            scheduler.step()
            seen.append(scheduler.get_last_lr())
        return seen

    found = rates(lr_scheduler, ours())
    assert found == rates(torch.optim.lr_scheduler, theirs(torch))
    assert found[2][1] == found[1][1] * 0.5
    with pytest.raises(NotImplementedError, match=r"^Nothing.get_lr: not defined$"):
        type("Nothing", (lr_scheduler.LRScheduler,), {})(ours())


def test_a_sequence_loads_all_or_nothing() -> None:
    def sequence() -> Any:
        optimizer = ours()
        parts = [lr_scheduler.ExponentialLR(optimizer, 0.5), lr_scheduler.StepLR(optimizer, 1)]
        return optimizer, lr_scheduler.SequentialLR(optimizer, parts, [2])

    optimizer, scheduler = sequence()
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    state = json.loads(json.dumps(scheduler.state_dict()))
    _, other = sequence()
    before = other.state_dict()
    bad = [state | {"last_epoch": "4"}, state | {"schedulers": state["schedulers"][:1]}, 3]
    bad += [state | {"schedulers": [state["schedulers"][0], {}]}, {}]
    for x in bad:
        with pytest.raises(mg.StateDictError, match=r"load_state_dict: expected "):
            other.load_state_dict(x)
        assert other.state_dict() == before
    other.load_state_dict(state)
    assert other.state_dict() == state


def test_functions_that_are_compiled_take_no_steps() -> None:
    for step in (STEP.step, lambda: PLATEAU.step(1.0)):
        with pytest.raises(mg.CompileError, match=r"step\(\) in a function that is compiled"):
            mg.compile(lambda x, step=step: (step(), x)[1])(1.0)


def test_absent_names() -> None:
    with pytest.raises(AttributeError, match="use LambdaLR with a function of the number of steps"):
        _ = lr_scheduler.CyclicLR
    with pytest.raises(AttributeError, match="use LRScheduler"):
        _ = lr_scheduler._LRScheduler


def test_all_names_what_there_is() -> None:
    def public() -> Iterator[str]:
        for name, x in vars(lr_scheduler).items():
            if isinstance(x, type) and issubclass(x, lr_scheduler.LRScheduler):
                yield name

    assert {*public()} == {*lr_scheduler.__all__}
