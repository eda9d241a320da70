"""compiled_step: the numbers of the ordinary training loop, and nothing lost on the way."""

import copy
import math
import pickle
import random
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from compilers import compiler

import microgradlib as mg
from microgradlib import Value, nn, optim
from microgradlib.optim import Optimizer
from microgradlib.training.compiled import CompiledStep

pytestmark = pytest.mark.skipif(not compiler(), reason="no C compiler")

DATA = [([0.0, 0.0], 0.0), ([0.0, 1.0], 1.0), ([1.0, 0.0], 1.0), ([1.0, 1.0], 0.0)]

OPTIMIZERS: dict[str, Callable[[Any], Optimizer]] = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, 0.1, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.05),
    "amsgrad": lambda p: optim.Adam(p, 0.05, (0.3, 0.9), amsgrad=True, weight_decay=0.1),
    "adamw": lambda p: optim.AdamW(p, lr=0.05),
    "rmsprop": lambda p: optim.RMSprop(p, momentum=0.5, centered=True),
    "maximize": lambda p: optim.SGD(p, lr=0.01, weight_decay=0.1, maximize=True),
    "groups": lambda p: optim.AdamW([{"params": p[:1], "lr": 0.1}, {"params": p[1:]}], 0.05),
}


class Training:
    """A model, its optimizer and its loss; equal seeds give equal trainings."""

    def __init__(self, name: str = "sgd", seed: int = 0, sizes: Any = (2, 1)) -> None:
        mg.manual_seed(seed)
        self.model = nn.MLP(2, [*sizes])
        self.optimizer = OPTIMIZERS[name](self.model.parameters())

    def loss(self, x: Any, target: Any) -> Any:
        return mg.mse_loss(self.model(x), [target])

    def step(self, x: Any, target: Any) -> float:
        self.optimizer.zero_grad()
        loss = self.loss(x, target)
        loss.backward()
        self.optimizer.step()
        return float(loss.data)

    def compiled(self) -> CompiledStep:
        return mg.compiled_step(self.loss, self.optimizer)

    def numbers(self) -> Any:
        return [p.data for p in self.model.parameters()], self.optimizer.state_dict()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_numbers_of_the_ordinary_loop(name: str) -> None:
    plain, single, block = Training(name), Training(name), Training(name)
    step, kept = single.compiled(), block.compiled()
    for epoch in range(4):
        expected = [plain.step(x, t) for x, t in DATA]
        assert [step(x, t) for x, t in DATA] == expected
        with kept:
            assert [kept(x, t) for x, t in DATA] == expected
        assert plain.numbers() == single.numbers() == block.numbers()
        for training in (plain, single, block):
            for group in training.optimizer.param_groups:
                group["lr"] *= 0.9
            if epoch == 2 and name == "momentum":
                training.optimizer.momentum = 0.5  # type: ignore[attr-defined]
    assert all(p.grad is None for p in single.model.parameters())


def test_options_that_change_within_a_block() -> None:
    plain, block = Training("momentum"), Training("momentum")
    with block.compiled() as step:
        for i in range(6):
            for training in (plain, block):
                training.optimizer.lr = 0.1 + 0.01 * i
                if i == 3:
                    training.optimizer.weight_decay = 0.5  # type: ignore[attr-defined]
            assert step([0.0, 1.0], 1.0) == plain.step([0.0, 1.0], 1.0)
    assert plain.numbers() == block.numbers()


def test_a_decision_that_changes_within_a_block() -> None:
    plain, block = Training("sgd"), Training("sgd")
    with block.compiled() as step:
        for i in range(6):
            for training in (plain, block):
                training.optimizer.weight_decay = 0.5 * (i % 3)
            assert step([0.0, 1.0], 1.0) == plain.step([0.0, 1.0], 1.0)
        assert len(step._steps) == 2  # with weight decay and without
    assert plain.numbers() == block.numbers()


def test_what_is_in_use_within_a_block_says_so() -> None:
    training = Training("adam")
    p = training.model.parameters()[0]
    with training.compiled() as step:
        step([0.0, 1.0], 1.0)
        for use in (
            lambda: training.model([0.0, 1.0]),
            lambda: p.data + 1.0,
            lambda: float(p.data),
            lambda: f"{p.data:.3f}",
            lambda: p.data < 1.0,
            lambda: p * 2.0,
            lambda: mg.exp(p),
            lambda: pickle.dumps(p),
            lambda: copy.deepcopy(training.model),
            lambda: training.optimizer.state_dict(),
            lambda: training.optimizer.step(),
        ):
            with pytest.raises(RuntimeError, match="in use within the with block"):
                use()
        assert repr(p.data) == "<in use by compiled_step>"
    assert isinstance(p.data, float)
    training.step(*DATA[0])


def test_an_assignment_within_a_block_is_refused() -> None:
    plain, block = Training(), Training()
    p = block.model.parameters()[0]
    step = block.compiled()
    step.__enter__()
    step(*DATA[1])
    p.data = 5.0
    with pytest.raises(RuntimeError, match="was assigned within the with block"):
        step.__exit__()
    plain.step(*DATA[1])
    assert plain.numbers() == block.numbers()


@pytest.mark.parametrize("entered", [False, True])
def test_an_error_leaves_parameters_and_state_as_they_were(entered: bool) -> None:
    training = Training("adam")
    step = training.compiled()
    step(*DATA[0])
    before = copy.deepcopy(training.numbers())
    with step if entered else nullcontext(), pytest.raises((ArithmeticError, ValueError)):
        step([math.nan, 1.0], 1.0)
    assert training.numbers() == before
    plain = Training("adam")
    plain.step(*DATA[0])
    assert step(*DATA[1]) == plain.step(*DATA[1])
    assert training.numbers() == plain.numbers()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("slope", [1e200, 1e308, math.inf, math.nan])
def test_numbers_that_are_not_finite_are_refused_as_without(name: str, slope: float) -> None:
    def run(compiled: bool) -> Any:
        a, b = Value(1.0), Value(2.0)
        optimizer = OPTIMIZERS[name]([a, b])

        def loss(x: Any) -> Any:
            return a * x + a * x * 0.5 + b

        def plain(x: float) -> float:
            optimizer.zero_grad()
            y = loss(x)
            y.backward()
            optimizer.step()
            return float(y.data)

        step = mg.compiled_step(loss, optimizer) if compiled else plain
        step(0.5), step(0.25)
        try:
            last: Any = step(slope)
        except ArithmeticError as error:
            last = type(error), str(error)
        return last, a.data, b.data, optimizer.state_dict()

    assert str(run(True)) == str(run(False))


def test_modes_are_heeded() -> None:
    plain, block = Training(), Training()
    with block.compiled() as step:
        step(*DATA[1])
        with mg.detect_anomaly():
            step(*DATA[2])
        with mg.no_grad(), pytest.raises(mg.GradientError):
            step(*DATA[1])
    for x, t in (DATA[1], DATA[2]):
        plain.step(x, t)
    assert plain.numbers() == block.numbers()


def test_a_loss_that_raises_at_its_first_call() -> None:
    w = Value(1.0)
    step = mg.compiled_step(lambda x: mg.log(w * x), optim.SGD([w], lr=0.1))
    with pytest.raises(ValueError, match="log"):
        step(-1.0)
    assert w.data == 1.0
    assert step(1.0) == 0.0


def test_two_threads_at_once_are_refused() -> None:
    def loss(x: Any) -> Any:
        y = w
        for _ in range(2_000):
            y = mg.sin(y) + x
        return y

    w = Value(1.0)
    errors: list[RuntimeError] = []
    with mg.compiled_step(loss, optim.SGD([w], lr=1e-9)) as step:
        step(0.5)

        def work() -> None:
            for _ in range(20_000):
                try:
                    step(0.5)
                except RuntimeError as error:
                    errors.append(error)
                if errors:
                    return

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert "another thread takes a step" in str(errors[0])
    assert w.data == pytest.approx(1.0)


def test_decisions_and_other_structures() -> None:
    def make() -> Any:
        a, b = Value(0.5), Value(-0.25)
        return (a, b), optim.SGD([a, b], lr=0.1, momentum=0.5)

    (a, b), plain = make()
    (c, d), block = make()

    def loss(p: Any, q: Any, xs: Any) -> Any:
        y = mg.sum([p * x for x in xs])
        return (y - 1.0) ** 2 + q * q if xs[0] > 0.5 else (y + q) ** 2

    draw = random.Random(0)
    with mg.compiled_step(lambda xs: loss(c, d, xs), block) as step:
        for _ in range(30):
            xs = [draw.random() for _ in range(draw.randrange(1, 4))]
            plain.zero_grad()
            y = loss(a, b, xs)
            y.backward()
            plain.step()
            assert step(xs) == y.data
    assert (a.data, b.data) == (c.data, d.data)
    assert plain.state_dict() == block.state_dict()


def test_parameters_without_a_gradient_stay() -> None:
    w, unused, frozen = Value(1.0), Value(2.0), Value(3.0)
    frozen.requires_grad = False
    optimizer = optim.Adam([w, unused, frozen], lr=0.1)
    step = mg.compiled_step(lambda x: (w * x * frozen) ** 2, optimizer)
    with step:
        step(1.0)
        assert unused.data == 2.0  # not in use
    assert (unused.data, frozen.data) == (2.0, 3.0)
    assert w.data == pytest.approx(0.9)
    assert optimizer.state_dict()["state"]["exp_avg"][1:] == [None, None]
    frozen.requires_grad = True  # is trained from now on
    before = frozen.data
    step(1.0)
    assert frozen.data == pytest.approx(before - 0.1, rel=1e-8)  # its first step, of length lr
    step(1.0)  # as unequal steps need unequal formulas, in the ordinary way
    assert optimizer.state_dict()["state"]["step"] == [3, 0, 2]


def test_values_beside_the_parameters_are_read_at_each_call() -> None:
    w, scale = Value(1.0), Value(2.0)
    with mg.compiled_step(lambda x: (w * scale * x) ** 2, optim.SGD([w], lr=0.0)) as step:
        assert step(1.0) == 4.0
        scale.data = 3.0
        assert step(1.0) == 9.0


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda w, x: x, "returned 2.0; return a loss"),
        (lambda w, x: [w * x], "return a loss"),
        (lambda w, x: Value(1.0) * x, "depends on no parameter of the optimizer"),
        (lambda w, x: w * x if round(x) == 2 else w, "a decision that C cannot repeat"),
    ],
)
def test_losses_that_cannot_be_compiled(loss: Any, message: str) -> None:
    w = Value(1.0)
    step = mg.compiled_step(lambda x: loss(w, x), optim.SGD([w], lr=0.1))
    with pytest.raises(mg.CompileError, match=message):
        step(2.0)
    assert w.data == 1.0


def test_misuse() -> None:
    w = Value(1.0)
    step = mg.compiled_step(lambda x: w * x, optim.SGD([w], lr=0.1))
    with pytest.raises(mg.CompileError, match="pass numbers"):
        step(Value(2.0))
    with step, pytest.raises(RuntimeError, match="entered already"), step:
        pass
    with pytest.raises(TypeError, match="missing"):
        step()
    with pytest.raises(TypeError, match="optimizer must be"):
        mg.compiled_step(lambda x: w * x, [w])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="loss_fn must be a function"):
        mg.compiled_step(w, optim.SGD([w], lr=0.1))  # type: ignore[arg-type]
    with pytest.raises(mg.CompileError, match="call it outside"):
        mg.compile(lambda x: step(x))(1.0)
    assert w.data == 1.0


def test_interrupts_lose_nothing() -> None:
    plain, block = Training("adam"), Training("adam")
    calls = 0

    def interrupted(x: Any, t: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise KeyboardInterrupt
        return block.loss(x, t)

    step = mg.compiled_step(interrupted, block.optimizer)
    with pytest.raises(KeyboardInterrupt), step:
        step(*DATA[0])
    assert plain.numbers() == block.numbers()
    with step:
        assert step(*DATA[0]) == plain.step(*DATA[0])
    assert plain.numbers() == block.numbers()
