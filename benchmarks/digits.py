"""An epoch of digits, as scripts of PyTorch and of ours train it: ``python benchmarks/digits.py``.

Needs the ``benchmarks`` and ``scipy`` extras and a C compiler. A network of 64, 32 and 10 units,
with 2,410 parameters, reads 1,797 images in shuffled batches of 30, with SGD: 59 steps. All begin
with the same weights and shuffle alike. Every time is a median of rounds in which the contestants
take turns. PyTorch runs on one thread, which suits this size, with 64-bit floats.
"""

import argparse
import math
import operator
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import sklearn.datasets
import torch
import torch.utils.data
from timing import take_turns, target

import microgradlib as mg
from microgradlib import data, nn, optim

SEED, BATCH, LR = 42, 30, 0.1
DIGITS = sklearn.datasets.load_digits()
IMAGES, LABELS = DIGITS.data / 16.0, DIGITS.target

Epoch = Callable[[], float]
"""Trains for an epoch; returns the last loss."""


def batches() -> data.DataLoader:
    return data.DataLoader(
        data.TensorDataset(IMAGES, LABELS), batch_size=BATCH, shuffle=True, drop_last=True
    )


def network(of: Any) -> Any:
    """Return the network, of the modules of either library."""
    return of.Sequential(of.Linear(64, 32), of.ReLU(), of.Linear(32, 10))


def pytorch() -> Epoch:
    torch.manual_seed(SEED)
    model = network(torch.nn).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    dataset = torch.utils.data.TensorDataset(torch.tensor(IMAGES), torch.tensor(LABELS))
    loader = torch.utils.data.DataLoader(dataset, batch_size=BATCH, shuffle=True, drop_last=True)

    def epoch() -> float:
        for x, y in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        return float(loss.item())

    return epoch


def usual(compiled: bool) -> Epoch:
    """Train as PyTorch's script does, with the loss compiled to Python or not."""
    mg.manual_seed(SEED)
    model = network(nn)
    optimizer = optim.SGD(model.parameters(), lr=LR)
    loader = batches()

    def loss_of(x: Any, y: Any) -> Any:
        return mg.cross_entropy(model(x), y)

    loss_fn = mg.compile(loss_of) if compiled else loss_of

    def epoch() -> float:
        for x, y in loader:
            optimizer.zero_grad()
            loss = loss_fn(x, y)
            loss.backward()
            optimizer.step()
        return float(loss.data)

    return epoch


def machine_code(rows: bool) -> Epoch:
    """Train with loss, gradient and update in C, as a loop over the rows of a batch or not."""
    mg.manual_seed(SEED)
    model = network(nn)
    optimizer = optim.SGD(model.parameters(), lr=LR)
    loader = batches()

    def loss_of(x: Any, y: Any) -> Any:
        return mg.cross_entropy(model(x), y)

    def by_rows(x: Any, y: Any) -> Any:
        def step(total: Any, row: Any) -> Any:
            return total + mg.cross_entropy(model(row[0]), row[1]), None

        total, _ = mg.scan(step, 0.0, (x, y))
        return total / len(x)

    step = mg.compiled_step(by_rows if rows else loss_of, optimizer)

    def epoch() -> float:
        with step:
            for x, y in loader:
                loss = step(x, y)
        return loss

    return epoch


def reading() -> None:
    for _ in batches():
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--quick", action="store_true", help="without what takes long to build")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {version('torch')}, an epoch of {len(IMAGES) // BATCH} steps")
    makers: dict[str, Callable[[], Epoch]] = {
        "torch": pytorch,
        "compiled step in C, by rows": partial(machine_code, rows=True),
        "compiled loss in Python": partial(usual, compiled=True),
    }
    if not options.quick:
        makers["eager"] = partial(usual, compiled=False)
        makers["compiled step in C, unrolled"] = partial(machine_code, rows=False)
    contestants: dict[str, Callable[[], object]] = {"reading, ours": reading}
    losses: dict[str, float] = {}
    for name, make in makers.items():  # each takes the first numbers of the stream that it seeds
        contestants[name] = epoch = make()
        losses[name] = epoch()
    if not all(math.isclose(x, losses["torch"], rel_tol=1e-9) for x in losses.values()):
        raise RuntimeError(f"the losses differ: {losses}")
    times = take_turns(contestants, 2 if options.quick else options.rounds)
    for name, t in times.items():
        print(f"  {name:30}{t * 1e3:9.2f} ms{t / times['torch']:9.2f} x")
    ratio = times["compiled loss in Python"] / times["torch"]
    target("compiled to Python, times PyTorch's time", ratio, operator.le, 10)
    ratio = times["compiled step in C, by rows"] / times["torch"]
    target("in C, times PyTorch's time", ratio, operator.le, 1.0)


if __name__ == "__main__":
    main()
