"""Eager speed and memory beside micrograd and PyTorch, in one run: ``python benchmarks/eager.py``.

Needs the ``peers`` extra. Every figure is a median of rounds in which the contestants take turns,
so that a drift of the machine's speed hits all of them. The cyclic garbage collector is left at its
default, except where a line says otherwise.
"""

import argparse
import gc
import math
import statistics
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import micrograd.engine
import micrograd.nn
import torch
from growth import expression

import microgradlib as mg
from microgradlib import nn, optim

INPUTS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
TARGETS = [[0.0], [1.0], [1.0], [0.0]]
EPOCHS = 250
Training = Callable[[], None]


def xor_microgradlib() -> Training:
    """Train with the plain public API."""
    model = nn.MLP(2, [2, 1])
    loss_fn = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def train() -> None:
        for _ in range(EPOCHS):
            for x, y in zip(INPUTS, TARGETS, strict=True):
                loss = loss_fn(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    return train


class SigmoidNeuron(micrograd.nn.Neuron):  # type: ignore[misc]
    """A micrograd neuron with a sigmoid, which micrograd lacks, written the way it writes relu."""

    def __call__(self, x: list[Any]) -> Any:
        act = sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b)
        s = 1.0 / (1.0 + math.exp(-act.data))
        out = micrograd.engine.Value(s, (act,), "sigmoid")

        def _backward() -> None:
            act.grad += s * (1.0 - s) * out.grad

        out._backward = _backward
        return out


def xor_micrograd() -> Training:
    """Train as micrograd's demo notebook does."""
    model = micrograd.nn.MLP(2, [2, 1])
    for layer in model.layers:
        layer.neurons = [SigmoidNeuron(2) for _ in layer.neurons]

    def train() -> None:
        for _ in range(EPOCHS):
            for x, y in zip(INPUTS, TARGETS, strict=True):
                loss = (model(x) - y[0]) ** 2
                model.zero_grad()
                loss.backward()
                for p in model.parameters():
                    p.data -= 0.1 * p.grad

    return train


class TorchNet(torch.nn.Module):  # type: ignore[misc]
    """The network of the workshop notebook."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = torch.nn.Linear(2, 2)
        self.fc2 = torch.nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.sigmoid(self.fc1(x))
        return torch.sigmoid(self.fc2(x))


def xor_torch(with_loader: bool) -> Training:
    """Train as a PyTorch notebook does, over the rows of tensors or through a DataLoader."""
    model = TorchNet()
    loss_fn = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    dataset = torch.utils.data.TensorDataset(torch.tensor(INPUTS), torch.tensor(TARGETS))
    loader = torch.utils.data.DataLoader(dataset, batch_size=1) if with_loader else dataset

    def train() -> None:
        for _ in range(EPOCHS):
            for x, y in loader:
                loss = loss_fn(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    return train


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def take_turns(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of each contestant, over rounds in which they take turns."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for run in contestants.values():
        run()
    for _ in range(rounds):
        for name, run in contestants.items():
            gc.collect()  # of what the one before left behind
            times[name].append(seconds(run))
    return {name: statistics.median(values) for name, values in times.items()}


def xor(rounds: int) -> None:
    """Compare one SGD step on the XOR network."""
    times = take_turns(
        {
            "microgradlib": xor_microgradlib(),
            "micrograd": xor_micrograd(),
            "torch, rows": xor_torch(with_loader=False),
            "torch, loader": xor_torch(with_loader=True),
        },
        rounds,
    )
    print("XOR, SGD with batch size 1, microseconds a step")
    for name, value in times.items():
        ratio = value / times["microgradlib"]
        print(f"  {name:14}{value / EPOCHS / 4 * 1e6:8.1f}   {ratio:5.1f} x microgradlib's time")


def graph(rounds: int, size: int = 60_000) -> None:
    """Compare forward and backward through a graph of single operations, and its memory."""
    contestants: dict[str, Callable[[float], Any]] = {
        "microgradlib": mg.Value,
        "micrograd": micrograd.engine.Value,
    }
    times = take_turns(
        {
            name: lambda value=value: expression(value, size).backward()  # type: ignore[misc]
            for name, value in contestants.items()
        },
        rounds,
    )
    print(f"Graph of {size:,} operations: microseconds and bytes an operation")
    ours_memory = 0.0
    for name, value in contestants.items():
        tracemalloc.start()
        root = expression(value, size)
        forward, _ = tracemalloc.get_traced_memory()
        root.backward()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        ours_memory = ours_memory or after
        print(
            f"  {name:14}{times[name] / size * 1e6:8.2f}   "
            f"{times[name] / times['microgradlib']:5.1f} x the time; "
            f"{forward / size:6.0f} bytes, {after / size:6.0f} after backward, "
            f"{after / ours_memory:4.1f} x the memory"
        )
        del root


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each comparison")
    rounds = parser.parse_args().rounds
    sys.setrecursionlimit(100_000)  # micrograd's backward is recursive
    threading.stack_size(512 * 1024 * 1024)
    mg.manual_seed(42)
    print(f"CPython {sys.version.split()[0]}, torch {torch.__version__}; {rounds} rounds")
    xor(rounds)
    thread = threading.Thread(target=graph, args=(rounds,))
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()
