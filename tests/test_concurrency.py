"""Threads, tasks, processes, copies and interrupts: nothing leaks, nothing tears."""

import asyncio
import copy
import gc
import os
import pickle
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import pytest
from test_modes import records, refuses_nonfinite

import microgradlib as mg
from microgradlib import Value, nn, optim
from microgradlib.testing import TEMPLATES, Expression

# Threads.


def bits_of_a_random_graph(seed: int) -> list[str]:
    rng = random.Random(seed)
    names, steps = ["x0", "x1"], []
    for i in range(rng.randrange(1, 13)):
        steps.append(rng.choice(TEMPLATES).format(a=rng.choice(names), b=rng.choice(names)))
        names.append(f"t{i}")
    xs = [Value(rng.uniform(-3.0, 3.0)) for _ in range(2)]
    y = Expression(2, tuple(steps))(*xs)
    y.backward()
    return [number.hex() for number in (y.data, *[x.grad for x in xs])]


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(old)


@pytest.mark.usefixtures("impatient_threads")
def test_the_garbage_collector_is_on_after_all_threads_have_left() -> None:
    square_slope = mg.grad(lambda x: x * x)

    def work() -> None:
        for _ in range(2_000):
            square_slope(1.0)

    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(work) for _ in range(4)]:
                done.result()
        try:
            assert gc.isenabled()
        finally:
            gc.enable()


@pytest.mark.usefixtures("impatient_threads")
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_gradients_of_several_threads_add_up(compiled: bool) -> None:
    each = 2_000
    xs = [Value(1.0) for _ in range(3)]
    f = mg.compile(mg.sum) if compiled else mg.sum
    start = threading.Barrier(4)

    def work() -> None:
        y = f(xs)
        start.wait()
        for _ in range(each):
            y.backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [x.grad for x in xs] == [4.0 * each] * 3


def gradients_of_nodes(y: Value) -> list[Any]:
    nodes = [y]
    for node in nodes:
        nodes += [x for x in node._prev if x._op]
    return [node.grad for node in nodes]


@pytest.mark.usefixtures("impatient_threads")
def test_threads_share_a_network_and_look_at_its_gradients() -> None:
    each = 100
    model = nn.MLP(2, [3, 1], "tanh")
    (y,) = model([0.5, -1.25])
    y.backward()
    nodes = gradients_of_nodes(y)
    once = [p.grad for p in model.parameters()]
    model.zero_grad()
    (shared,) = model([0.5, -1.25])
    start = threading.Barrier(4)

    def work(_: int) -> None:
        start.wait()
        for _ in range(each):
            for grad, expected in zip(gradients_of_nodes(shared), nodes, strict=True):
                assert grad in (0.0, expected)
            shared.backward()
            assert gradients_of_nodes(shared) == nodes
            (own,) = model([0.5, -1.25])
            own.backward()
            assert gradients_of_nodes(own) == nodes

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for p, grad in zip(model.parameters(), once, strict=True):
        assert p.grad == pytest.approx(4 * 2 * each * grad, rel=1e-12)


@pytest.mark.long
@pytest.mark.usefixtures("impatient_threads")
def test_graphs_in_8_threads_have_the_bits_of_serial_ones() -> None:
    each = 1000
    start = threading.Barrier(8)

    def work(thread: int) -> list[list[str]]:
        start.wait()
        return [bits_of_a_random_graph(seed) for seed in range(thread * each, (thread + 1) * each)]

    with ThreadPoolExecutor(8) as pool:
        results = [row for rows in pool.map(work, range(8)) for row in rows]
    assert results == [bits_of_a_random_graph(seed) for seed in range(8 * each)]


# What no_grad and allow_nonfinite switch holds in one thread or task only.


SWITCHES = pytest.mark.parametrize(
    ("switch", "is_usual"), [(mg.no_grad, records), (mg.allow_nonfinite, refuses_nonfinite)]
)
Switch = Callable[[], AbstractContextManager[None]]
Question = Callable[[], bool]


@SWITCHES
def test_a_switch_stays_in_its_thread(switch: Switch, is_usual: Question) -> None:
    """Whether the other thread asks before, during or after, and whichever of them switches."""
    entered, asked = threading.Event(), threading.Event()

    def other() -> list[bool]:
        answers = [is_usual()]
        with switch():
            answers.append(is_usual())
            entered.set()
            assert asked.wait(10.0)
        answers.append(is_usual())
        return answers

    with ThreadPoolExecutor(1) as pool:
        with switch():
            assert pool.submit(is_usual).result()
        future = pool.submit(other)
        assert entered.wait(10.0)
        assert is_usual()  # while the other is inside
        with switch():
            assert not is_usual()
        assert is_usual()
        asked.set()
        assert future.result() == [True, False, True]
        assert pool.submit(is_usual).result()


@SWITCHES
def test_a_switch_stays_in_its_task(switch: Switch, is_usual: Question) -> None:
    async def switching(turns: int) -> list[bool]:
        answers = []
        for _ in range(turns):
            answers.append(is_usual())
            with switch():
                await asyncio.sleep(0)  # the others run here
                answers.append(not is_usual())
            await asyncio.sleep(0)
        return answers

    async def asking(turns: int) -> list[bool]:
        answers = []
        for _ in range(turns):
            answers.append(is_usual())
            await asyncio.sleep(0)
        return answers

    async def main() -> list[list[bool]]:
        return await asyncio.gather(switching(20), asking(50), switching(30), asking(50))

    assert all(all(answers) for answers in asyncio.run(main()))
    assert is_usual()


@SWITCHES
def test_a_task_and_the_thread_that_runs_it(switch: Switch, is_usual: Question) -> None:
    """A task starts with what holds where it is made, as with all context variables."""

    async def task() -> bool:
        await asyncio.sleep(0)
        return is_usual()

    async def main() -> tuple[bool, bool, bool]:
        before = asyncio.create_task(task())
        with switch():
            inside = asyncio.create_task(task())
            await asyncio.sleep(0)
            in_thread = await asyncio.to_thread(is_usual)
        return await before, await inside, in_thread

    assert asyncio.run(main()) == (True, False, False)


# Processes.

TRAINING = """
import microgradlib as mg
mg.manual_seed(1)
model = mg.nn.MLP(3, [5, 4, 1], "tanh")
optimizer = mg.optim.Adam(model.parameters())
for _ in range(3):
    optimizer.zero_grad()
    mg.sum([model([a * 0.1, 0.3, -a * 0.2])[0] ** 2 for a in range(5)]).backward()
    optimizer.step()
print([(name, p.data.hex(), p.grad.hex()) for name, p in model._named_values()])
"""


@pytest.mark.long
def test_bits_do_not_depend_on_the_hash_seed() -> None:
    rng = random.Random()
    seeds = [
        str(rng.randrange(2**32)) for _ in range(16)
    ]  # the order of a set would differ in half

    def run(seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", TRAINING],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outputs = dict(zip(seeds, pool.map(run, seeds), strict=True))
    assert len(set(outputs.values())) == 1, outputs
    assert next(iter(outputs.values())).count("0x") == 2 * 49


# Copies.

COPIES = pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"]
)
OPTIMIZERS = {
    "sgd": lambda params: optim.SGD(params, lr=0.1),
    "momentum": lambda params: optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda params: optim.Adam(params, amsgrad=True),
    "adamw": lambda params: optim.AdamW(params),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
Make = Callable[[list[Value]], optim.Optimizer]


class Tied(nn.Module):
    """Two layers with the same weights, and one of them in two places."""

    def __init__(self) -> None:
        self.first = nn.Layer(2, 2, "tanh")
        self.second = nn.Layer(2, 2)
        self.second.weight = self.first.weight
        self.again = {"bias": self.first.bias[0]}

    def forward(self, x: Any) -> Value:
        return mg.sum(self.second(self.first(x))) * self.again["bias"]


def train(model: nn.Module, optimizer: optim.Optimizer, steps: int) -> list[str]:
    for i in range(steps):
        optimizer.zero_grad()
        loss = (model([0.5, -0.25 * i]) - 1.0) ** 2
        loss.backward()
        optimizer.step()
    return [x.hex() for p in model.parameters() for x in (p.data, p.grad)]


@COPIES
@every_optimizer
def test_a_copy_of_model_and_optimizer_trains_as_the_original(
    duplicate: Callable[[Any], Any], make: Make
) -> None:
    model = Tied()
    optimizer = make(model.parameters())
    train(model, optimizer, 3)
    other, other_optimizer = duplicate((model, optimizer))
    assert other.second.weight[1][0] is other.first.weight[1][0]
    assert other.again["bias"] is other.first.bias[0]
    assert len(other.parameters()) == len(model.parameters()) == 8
    assert not set(other.parameters()) & set(model.parameters())
    assert set(other_optimizer.params) == set(other.parameters())
    before = [p.data for p in model.parameters()]
    expected = train(other, other_optimizer, 5)
    assert [p.data for p in model.parameters()] == before
    assert train(model, optimizer, 5) == expected


@COPIES
@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_every_model_copies(duplicate: Callable[[Any], Any], activation: str) -> None:
    model = nn.MLP(2, [3, 1], activation)
    other = duplicate(model)
    assert repr(other) == repr(model)
    assert other.state_dict() == model.state_dict()
    assert other([0.5, -1.0])[0].data == model([0.5, -1.0])[0].data


# Interrupts. A KeyboardInterrupt comes between two instructions of the interpreter, so raising one
# before every single instruction leaves nothing to chance.


@contextmanager
def interrupted(at: int) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt before the instruction of that number; count the instructions."""
    count = [0]

    def trace(frame: Any, event: str, arg: object) -> Any:
        if frame.f_code.co_name == "__del__":
            return None  # what is raised there is lost: see value.py on CPython 3.13
        frame.f_trace_opcodes = True
        if event == "opcode" and "microgradlib" in frame.f_code.co_filename:
            count[0] += 1
            if count[0] == at:
                raise KeyboardInterrupt
        return trace

    old = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # CPython 3.12 looks for one when tracing starts
    sys.settrace(trace)
    try:
        yield count
    finally:
        sys.settrace(old)


def every_instruction(f: Callable[[], None]) -> Iterator[int]:
    """Yield the number of each instruction of f."""
    with interrupted(at=0) as count:
        f()
    assert count[0] > 20
    yield from range(1, count[0] + 1)


def state_of(optimizer: optim.Optimizer) -> tuple[list[float], Any]:
    return [p.data for p in optimizer.params], optimizer.state_dict()


@every_optimizer
@pytest.mark.parametrize("steps", [0, 2])
def test_an_interrupt_anywhere_in_a_step_leaves_all_old_or_all_new(make: Make, steps: int) -> None:
    def session() -> optim.Optimizer:
        optimizer = make([Value(1.0), Value(-2.0), Value(0.5)])
        for i in range(steps + 1):
            for k, p in enumerate(optimizer.params):
                p.grad = 0.3 * k - 0.5 * i + 0.25
            if i < steps:
                optimizer.step()
        return optimizer

    old = state_of(session())
    finished = session()
    finished.step()
    new = state_of(finished)
    seen = []
    for at in every_instruction(session().step):
        optimizer = session()
        with pytest.raises(KeyboardInterrupt), interrupted(at):
            optimizer.step()
        seen.append(state_of(optimizer))
        assert seen[-1] in (old, new), f"torn by an interrupt before instruction {at}"
    assert old in seen
    assert new in seen
    assert seen == sorted(seen, key=lambda state: state == new)


def interrupt_loading(make: Make, load: Callable[[nn.Layer, optim.Optimizer, Any], None]) -> None:
    source = nn.Layer(1, 2)
    trained = make(source.parameters())
    for p in trained.params:
        p.grad = 1.0
    trained.step()
    trained.lr = 0.75

    def snapshot(pair: tuple[nn.Layer, optim.Optimizer]) -> Any:
        return pair[0].state_dict(), pair[1].state_dict()

    def fresh() -> tuple[nn.Layer, optim.Optimizer]:
        model = nn.Layer(1, 2)
        model.load_state_dict({"weight": [[0.0], [0.0]], "bias": [0.0, 0.0]})
        return model, make(model.parameters())

    states = snapshot((source, trained))
    pair = fresh()
    old = snapshot(pair)
    load(*pair, states)
    new = snapshot(pair)
    assert new != old
    pair = fresh()
    for at in every_instruction(partial(load, *pair, states)):
        pair = fresh()
        with pytest.raises(KeyboardInterrupt), interrupted(at):
            load(*pair, states)
        assert snapshot(pair) in (old, new)


@pytest.mark.long
def test_an_interrupt_anywhere_in_loading_a_model_leaves_all_old_or_all_new() -> None:
    interrupt_loading(OPTIMIZERS["sgd"], lambda model, _, states: model.load_state_dict(states[0]))


@pytest.mark.long
@every_optimizer
def test_an_interrupt_anywhere_in_loading_an_optimizer_leaves_all_old_or_all_new(
    make: Make,
) -> None:
    interrupt_loading(make, lambda _, optimizer, states: optimizer.load_state_dict(states[1]))


@every_optimizer
def test_an_interrupted_training_loop_goes_on_as_if_nothing_had_happened(make: Make) -> None:
    """Interrupts at random places of the whole loop: forward, backward, zero_grad, step."""
    start = nn.MLP(2, [2, 1], "tanh")

    def epoch(model: nn.MLP, optimizer: optim.Optimizer) -> None:
        optimizer.zero_grad()
        nn.mse_loss(model([0.5, -0.25]), [0.75]).backward()
        optimizer.step()

    def fresh() -> tuple[nn.MLP, optim.Optimizer]:
        model = copy.deepcopy(start)
        return model, make(model.parameters())

    states = []
    model, optimizer = fresh()
    for i in range(8):
        states.append(state_of(optimizer))
        with interrupted(at=0) as count:
            epoch(model, optimizer)
        if i == 3:
            instructions = count[0]
    rng = random.Random(0)
    caught = 0
    for _ in range(200):
        model, optimizer = fresh()
        for done in range(3):
            assert state_of(optimizer) == states[done]
            epoch(model, optimizer)
        try:
            with interrupted(rng.randint(1, instructions)):
                epoch(model, optimizer)
        except KeyboardInterrupt:
            caught += 1  # on CPython 3.13 some nodes take longer, and an epoch may end before
        reached = states.index(state_of(optimizer))
        assert reached in (3, 4)
        for after in range(reached, 7):
            epoch(model, optimizer)
            assert state_of(optimizer) == states[after + 1]
    assert caught > 150
