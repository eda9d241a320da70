"""Eager speed and memory, beside the smallest engine and peers: ``python benchmarks/eager.py``.

Needs the ``peers`` extra for the XOR network, and no package for the other sections. Every figure
is a median of rounds in which the contestants take turns, so that a drift of the machine's speed
hits all of them. ``--rounds 1`` takes under a minute; ``--sections document xor`` measures these
sections only.

``document`` compares with the engine of ``smallest.py`` on one graph, that of ``document.py``.
Several names are processed one after another: forward, backward, and freeing of the graph. The
smallest engine finds its order with a recursive closure, which refers to itself through its cell.
This cycle keeps the order and the visited set, and with them the graph, until the cyclic garbage
collector runs. With the collector on, it runs during the next forward pass, which then takes the
time of freeing. With the collector off, freeing is a ``gc.collect()`` after each name; it is called
and timed for both engines, also where nothing is left for it. Memory is measured after another
``gc.collect()``, so that what is held after backward is the graph and not that garbage; the peak
includes it.

``pendulum`` prints what the collector costs where a graph of 700,000 nodes is alive, and whether
``mg.grad`` leaves reference cycles behind.
"""

import argparse
import gc
import operator
import statistics
import sys
import threading
import time
import timeit
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import document
import smallest
from timing import fresh_collector, seconds, take_turns, target

import microgradlib as mg

OURS, SMALLEST = "microgradlib", "smallest engine"
ENGINES: dict[str, Callable[[float], Any]] = {OURS: mg.Value, SMALLEST: smallest.Value}
Weights = dict[str, document.Matrix]


# A document.


class Parts(NamedTuple):
    """Seconds for one document."""

    forward: float
    backward: float
    freeing: float


class Memory(NamedTuple):
    """Bytes of one document, or ratios of them."""

    forward: float
    backward: float
    peak: float


def documents(rounds: int) -> None:
    """Compare forward, backward and freeing of a scalar GPT's graph, and its memory."""
    print("Character-level GPT, a node an operation")
    weights = {name: document.initial(number) for name, number in ENGINES.items()}
    nodes = count_nodes(weights)
    compare_results(weights)
    for collector, limit in (("on", 1.0), ("off", 1.2)):
        times: dict[str, list[Parts]] = {name: [] for name in ENGINES}
        for _ in range(rounds):
            for name in ENGINES:
                with fresh_collector(collector == "on"):
                    times[name].append(process(weights[name]))
        totals = {name: statistics.median(map(sum, parts)) for name, parts in times.items()}
        print(f"  milliseconds a document, collector {collector}")
        for name, parts in times.items():
            medians = Parts(*map(statistics.median, zip(*parts, strict=True)))
            each = ", ".join(f"{k} {t * 1e3:.1f}" for k, t in medians._asdict().items())
            print(f"    {name:16}{totals[name] * 1e3:7.1f}   ({each})")
        target(f"time, ours / {SMALLEST}", totals[OURS] / totals[SMALLEST], operator.le, limit)
    held = {name: memory(weights[name]) for name in ENGINES}
    print("  bytes an operation")
    for name, bytes_ in held.items():
        each = ", ".join(f"{k} {b / nodes:.0f}" for k, b in bytes_._asdict().items())
        print(f"    {name:16}{each}")
    ratios = Memory(*(a / b for a, b in zip(held[OURS], held[SMALLEST], strict=True)))
    print(f"    after forward, ours / {SMALLEST}: {ratios.forward:.2f}; peak: {ratios.peak:.2f}")
    target(f"after backward, ours / {SMALLEST}", ratios.backward, operator.le, 1.2)


def process(weights: Weights) -> Parts:
    """Return the times of several documents in a row, for one of them."""
    now = time.process_time
    forward = backward = freeing = 0.0
    for name in document.NAMES:
        clear_gradients(weights)
        start = now()
        loss = document.loss_of(weights, name)
        recorded = now()
        loss.backward()
        differentiated = now()
        del loss
        if not gc.isenabled():
            gc.collect()
        freed = now()
        forward += recorded - start
        backward += differentiated - recorded
        freeing += freed - differentiated
    freeing += seconds(gc.collect)  # with the collector on, frees the last document
    n = len(document.NAMES)
    return Parts(forward / n, backward / n, freeing / n)


def parameters(weights: Weights) -> list[Any]:
    return [p for matrix in weights.values() for row in matrix for p in row]


def clear_gradients(weights: Weights) -> None:
    for p in parameters(weights):
        p.grad = 0.0


def memory(weights: Weights) -> Memory:
    """Return the bytes held after forward and backward, and the peak on the way."""
    clear_gradients(weights)
    with fresh_collector(on=False):
        tracemalloc.start()
        loss = document.loss_of(weights, document.NAMES[0])
        forward, _ = tracemalloc.get_traced_memory()
        loss.backward()
        _, peak = tracemalloc.get_traced_memory()
        gc.collect()
        backward, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return Memory(forward, backward, peak)


def count_nodes(weights: dict[str, Weights]) -> int:
    """Print how many nodes each document has, and return the number of the first one's.

    Each operation has to be one node in both engines. The smallest engine has further ones, for
    plain numbers, which have no children.
    """
    first = 0
    for name in document.NAMES:
        before = len(alive(mg.Value))
        loss = document.loss_of(weights[OURS], name)
        ours = len(alive(mg.Value)) - before
        old = set(map(id, alive(smallest.Value)))
        loss = document.loss_of(weights[SMALLEST], name)
        new = [v for v in alive(smallest.Value) if id(v) not in old]
        computed = sum(bool(v.children) for v in new)
        del loss
        print(
            f"  {name:8}{ours:7,} nodes; {SMALLEST}: {computed:,} and {len(new) - computed:,} of "
            "plain numbers"
        )
        if ours != computed:
            raise RuntimeError(f"{name}: {ours} nodes, but {computed} in the {SMALLEST}")
        first = first or ours
    return first


def alive(kind: type) -> list[Any]:
    return [x for x in gc.get_objects() if issubclass(type(x), kind)]


def compare_results(weights: dict[str, Weights]) -> None:
    """Raise an error unless both engines give the same losses and gradients."""
    worst = 0.0
    for document_ in document.NAMES:
        losses, gradients = [], []
        for name in ENGINES:
            clear_gradients(weights[name])
            loss = document.loss_of(weights[name], document_)
            loss.backward()
            losses.append(loss.data)
            gradients.append([p.grad for p in parameters(weights[name])])
        largest = max(map(abs, gradients[0]))
        pairs = zip(*gradients, strict=True)
        worst = max(worst, *(abs(a - b) / largest for a, b in pairs))
        worst = max(worst, abs(losses[0] - losses[1]) / losses[0])
    print(f"  losses and gradients agree within {worst:.1e} (of the loss, of the largest gradient)")
    if not worst <= 1e-12:
        raise RuntimeError(f"the engines differ by {worst}")


# Simple programs.


def no_grad(rounds: int) -> None:
    """Compare forward passes under ``no_grad`` with forward passes that are recorded."""
    print("\nForward pass, microseconds: recorded, under no_grad")
    passes = 20
    for nin, sizes in ((2, [2, 1]), (16, [16, 16, 1]), (32, [32, 10])):
        for activation in ("sigmoid", "tanh", "relu"):
            mg.manual_seed(42)
            model = mg.nn.MLP(nin, sizes, activation)
            x = [0.1 + i / nin for i in range(nin)]

            def recorded(model: mg.nn.MLP = model, x: list[float] = x) -> None:
                for _ in range(passes):
                    model(x)

            def unrecorded(recorded: Callable[[], None] = recorded) -> None:
                with mg.no_grad():
                    recorded()

            times = take_turns({"recorded": recorded, "no_grad": unrecorded}, rounds)
            each = ", ".join(f"{t / passes * 1e6:.1f}" for t in times.values())
            print(f"  MLP({nin}, {sizes}), {activation}: {each}")
            ratio = times["no_grad"] / times["recorded"]
            target("no_grad / recorded", ratio, operator.le, 0.8)


def pendulum(rounds: int, steps: int = 20_000) -> None:
    """Compare the gradient of a long simulation with the collector on and off."""

    def swing(angle: Any) -> Any:
        """Return the angle after a number of steps by the method of Runge and Kutta."""
        h = 1e-3
        velocity: Any = 0.0
        for _ in range(steps):
            a1 = -9.81 * mg.sin(angle)
            v2 = velocity + 0.5 * h * a1
            a2 = -9.81 * mg.sin(angle + 0.5 * h * velocity)
            v3 = velocity + 0.5 * h * a2
            a3 = -9.81 * mg.sin(angle + 0.5 * h * v2)
            v4 = velocity + h * a3
            a4 = -9.81 * mg.sin(angle + h * v3)
            angle = angle + h / 6.0 * (velocity + 2.0 * v2 + 2.0 * v3 + v4)
            velocity = velocity + h / 6.0 * (a1 + 2.0 * a2 + 2.0 * a3 + a4)
        return angle

    gradient = mg.grad(swing)
    times: dict[str, list[float]] = {"on": [], "off": []}
    left = 0
    for _ in range(min(rounds, 5)):
        for collector in times:
            with fresh_collector(collector == "on"):
                times[collector].append(seconds(lambda: gradient(1.0)))
                if collector == "off":
                    left = max(left, gc.collect())
    on, off = (statistics.median(t) for t in times.values())
    print(
        f"\nmg.grad of {steps:,} Runge-Kutta steps: {on:.2f} s, {off:.2f} s with the collector off"
    )
    target("collector on / off", on / off, operator.le, 1.3)
    target("objects left for gc.collect()", left, operator.le, 0)


def xor(rounds: int) -> None:
    """Compare one SGD step on the XOR network, with floats and with ints as inputs and targets."""
    import torch
    import xor_steps

    torch.set_num_threads(1)
    contestants = {
        f"{OURS}, floats": xor_steps.eager(float),
        f"{OURS}, ints": xor_steps.eager(int),
        "micrograd, floats": xor_steps.with_micrograd(float),
        "micrograd, ints": xor_steps.with_micrograd(int),
        f"torch {torch.__version__}, rows": xor_steps.with_torch(with_loader=False),
    }
    losses = {name: run() for name, run in contestants.items()}
    if max(losses.values()) - min(losses.values()) > 1e-4:  # PyTorch computes in 32 bits
        raise RuntimeError(f"the losses differ: {losses}")
    times = take_turns(contestants, rounds)
    print("\nXOR, SGD with batch size 1, microseconds a step")
    for name, t in times.items():
        ratio = t / times[f"{OURS}, floats"]
        print(f"  {name:24}{t / xor_steps.STEPS * 1e6:8.1f}{ratio:8.2f} x")
    for kind in ("floats", "ints"):
        ratio = times[f"micrograd, {kind}"] / times[f"{OURS}, {kind}"]
        target(f"{kind}, micrograd / ours", ratio, operator.ge, 3.0)


# Single operations.


def operations(rounds: int, calls: int = 1000) -> None:
    """Print what one operation takes, with the second operand a Value, a float or an int."""
    binary = {"add": "x + y", "sub": "x - y", "mul": "x * y", "div": "x / y", "pow": "x ** y"}
    unary = {"exp": "x.exp()", "tanh": "x.tanh()", "relu": "x.relu()"}
    operands: dict[str, Callable[[Callable[[float], Any]], Any]] = {
        "Value": lambda number: number(1.3),
        "float": lambda _: 1.3,
        "int": lambda _: 2,
    }
    print(f"\nMaking and freeing a node, microseconds: ours, {SMALLEST}, ratio")
    print(" " * 8, *[f"{name:>24}" for name in operands])
    for name, statement in (binary | unary).items():
        row = []
        for kind, operand in operands.items():
            if name in unary and kind != "Value":
                continue
            contestants: dict[str, Callable[[], object]] = {
                engine: partial(timer(statement, number(0.7), operand(number)).timeit, calls)
                for engine, number in ENGINES.items()
                if (engine, name, kind) != (SMALLEST, "pow", "Value")  # which it lacks
            }
            times = take_turns(contestants, rounds)
            each = [f"{t / calls * 1e6:.3f}" for t in times.values()]
            if SMALLEST in times:
                each.append(f"{times[OURS] / times[SMALLEST]:.2f} x")
            row.append("  ".join(each))
        print(f"  {name:6}", *[f"{text:>24}" for text in row], flush=True)


def timer(statement: str, x: Any, y: Any) -> timeit.Timer:
    return timeit.Timer(statement, globals={"x": x, "y": y})


SECTIONS: dict[str, Callable[[int], None]] = {
    "document": documents,
    "no_grad": no_grad,
    "pendulum": pendulum,
    "operations": operations,
    "xor": xor,  # last, as it imports PyTorch: gc.collect() would walk its objects in every round
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=[*SECTIONS])
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each comparison")
    options = parser.parse_args()
    print(f"CPython {sys.version.split()[0]}; {options.rounds} rounds", flush=True)
    sys.setrecursionlimit(100_000)  # backward of the smallest engine and of micrograd is recursive
    threading.stack_size(512 * 1024 * 1024)
    with ThreadPoolExecutor(1) as pool:
        for section in options.sections:
            pool.submit(SECTIONS[section], options.rounds).result()


if __name__ == "__main__":
    main()
