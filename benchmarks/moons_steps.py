"""Contestants of the benchmark on two half circles: an SGD step on a batch, see compiled.py.

The network and the loss are those of ``examples/moons.py``. All start from the same weights, and a
call is one step and returns its loss.
"""

import random
from collections.abc import Callable
from typing import Any

import micrograd.nn
import torch
from xor_steps import copy_weights

import microgradlib as mg
from microgradlib import nn, optim

BATCH, RATE, PENALTY = 10, 0.1, 1e-4
SIZES = [16, 16, 1]
Step = Callable[[], float]

_draw = random.Random(42)
POINTS = [[_draw.uniform(-1.0, 2.0), _draw.uniform(-0.5, 1.0)] for _ in range(BATCH)]
LABELS = [1.0 if x + y > 0.5 else -1.0 for x, y in POINTS]


def network() -> nn.MLP:
    mg.manual_seed(42)
    return nn.MLP(2, SIZES, "relu", output_activation="linear")


def ours(compiled: bool) -> Step:
    model = network()
    parameters = model.parameters()
    optimizer = optim.SGD(parameters, lr=RATE)

    def batch_loss(xs: list[list[float]], ys: list[float]) -> Any:
        misses = [mg.relu(1.0 - y * model(x)[0]) for x, y in zip(xs, ys, strict=True)]
        return mg.mean(misses) + PENALTY * mg.dot(parameters, parameters)

    loss_of = mg.compile(batch_loss) if compiled else batch_loss

    def step() -> float:
        loss: mg.Value = loss_of(POINTS, LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.data

    return step


def with_micrograd() -> Step:
    """Take steps as micrograd's demo notebook does."""
    model = micrograd.nn.MLP(2, SIZES)
    copy_weights(network(), model)

    def step() -> float:
        misses = [(1.0 - y * model(x)).relu() for x, y in zip(POINTS, LABELS, strict=True)]
        loss = sum(misses) * (1.0 / BATCH) + PENALTY * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= RATE * p.grad
        return float(loss.data)

    return step


def with_torch() -> Step:
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 16),
        torch.nn.ReLU(),
        torch.nn.Linear(16, 16),
        torch.nn.ReLU(),
        torch.nn.Linear(16, 1),
    ).double()
    state = dict(zip(model.state_dict(), network().state_dict().values(), strict=True))
    model.load_state_dict({name: torch.tensor(x, dtype=torch.float64) for name, x in state.items()})
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=RATE)
    points, labels = (torch.tensor(x, dtype=torch.float64) for x in (POINTS, LABELS))

    def step() -> float:
        misses = torch.relu(1.0 - labels * model(points)[:, 0])
        loss = misses.mean() + PENALTY * sum((p * p).sum() for p in parameters)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


CONTESTANTS: dict[str, Callable[[], Step]] = {
    "ours, eager": lambda: ours(compiled=False),
    "ours, compiled loss": lambda: ours(compiled=True),
    "micrograd": with_micrograd,
    "torch, float64": with_torch,
}
