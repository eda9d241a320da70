"""Train a 2-2-1 sigmoid network on XOR in three ways: ``python examples/xor.py``.

The three trainings are those of the workshop's PyTorch notebook, and seed 42 gives its numbers:

1. stochastic gradient descent, one pattern at a time;
2. gradient descent on all four patterns at once, the full batch;
3. the same without optimizer and loss class: the loss and the update written out.

Each ``train_...`` function yields the loss of every epoch; apart from that ``yield`` its body is
the loop of the notebook. ``view.py`` beside this file has the live view, the table and the plot.
"""

import argparse
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from view import LiveView, Run, collect_interrupts, decimals, parse, plot_runs, positive, table

import microgradlib as mg
from microgradlib import nn, optim

INPUTS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
TARGETS = [[0.0], [1.0], [1.0], [0.0]]
NAMES = ["00", "01", "10", "11"]

Loss = Callable[..., mg.Value]
Wrapper = Callable[[Loss], Loss]  # mg.compile, or what returns the loss itself


def train_sgd(model: nn.MLP, epochs: int, wrap: Wrapper, lr: float = 0.1) -> Iterator[float]:
    """Take a step after each pattern, in order."""
    loss_fn = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=lr)
    loss_of = wrap(lambda x, y: loss_fn(model(x), y))
    for _ in range(epochs):
        total = 0.0
        for x, y in zip(INPUTS, TARGETS, strict=True):
            loss = loss_of(x, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.data
        yield total / len(INPUTS)


def train_full_batch(model: nn.MLP, epochs: int, wrap: Wrapper, lr: float = 1.0) -> Iterator[float]:
    """Take one step per epoch, on the loss over all patterns."""
    loss_fn = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=lr)
    loss_of = wrap(lambda inputs, targets: loss_fn([model(x) for x in inputs], targets))
    for _ in range(epochs):
        loss = loss_of(INPUTS, TARGETS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.data


def train_by_hand(model: nn.MLP, epochs: int, wrap: Wrapper, lr: float = 1.0) -> Iterator[float]:
    """Do what ``train_full_batch`` does, with plain operators and assignments."""
    parameters: list[Any] = model.parameters()

    def squared_error(inputs: list[list[float]], targets: list[list[float]]) -> mg.Value:
        loss = mg.Value(0.0)
        for x, y in zip(inputs, targets, strict=True):
            loss += (model(x)[0] - y[0]) ** 2
        return loss / len(inputs)

    loss_of = wrap(squared_error)
    for _ in range(epochs):
        loss = loss_of(INPUTS, TARGETS)
        loss.backward()
        for p in parameters:
            p.data -= lr * p.grad
            p.grad = 0.0
        yield loss.data


TRAININGS: list[tuple[str, str, Callable[[nn.MLP, int, Wrapper], Iterator[float]]]] = [
    ("1st model", "SGD, batch size 1, lr 0.1", train_sgd),
    ("2nd model", "full batch, lr 1.0", train_full_batch),
    ("3rd model", "full batch, no optimizer or loss class, lr 1.0", train_by_hand),
]


def verdict(run: Run) -> str:
    """Say from the outputs and the gradient whether a model has learnt XOR."""
    x = run.after
    wrong = [
        f"{output:.4f} for {name}"
        for name, output, [target] in zip(NAMES, x.outputs, TARGETS, strict=True)
        if abs(output - target) > 0.25
    ]
    if not wrong:
        return f"{run.name}: learnt. Every output is within 0.25 of its target."
    if len(wrong) == len(NAMES) or x.gradient > 1e-3:
        return f"{run.name}: not learnt. It outputs {', '.join(wrong)}; more epochs may help."
    # Strictly, the minimum lies at infinite weights: from every finite point some path leads down
    # to loss 0 (Sprinkhuizen-Kuyper and Boers, Ann. Math. Artif. Intell. 25, 1999).
    return (
        f"{run.name}: stuck. It outputs {', '.join(wrong)}, yet the norm of its gradient is "
        f"only {x.gradient:.5f}, against {run.before.gradient:.5f} before training, so further "
        "steps hardly change it: as far as gradient descent can tell, this is a local minimum."
    )


def main() -> int:
    """Train, print, plot; return the exit status."""
    parser = argparse.ArgumentParser(description="Train a 2-2-1 network on XOR in three ways.")
    parser.add_argument(
        "--epochs", type=positive, default=10_000, metavar="N", help="epochs of each run"
    )
    parser.add_argument("--seed", type=int, default=42, metavar="S", help="seed of the weights")
    parser.add_argument("--compile", action="store_true", help="compile the losses: same numbers")
    options, interrupts = parse(parser), collect_interrupts()
    wrap: Wrapper = mg.compile if options.compile else lambda loss: loss
    runs: list[Run] = []
    for name, method, train in TRAININGS:
        model = nn.MLP(2, [2, 1])
        print(f"{name}: {method}")
        for key, weights in model.state_dict().items():
            print(f"  {key:11} {decimals(weights)}", flush=True)
        run = Run(name, method, model, INPUTS, TARGETS)
        runs.append(run)
        training = train(model, options.epochs, wrap)
        with LiveView(training, name, options.epochs, run.losses, run.figures) as view:
            for loss in view:
                run.losses.append(loss)
                if interrupts:
                    break
        run.after = run.measure()
        if interrupts:
            print(f"Interrupted after {len(run.losses):,} of {options.epochs:,} epochs.")
            break

    print("\n" + table(NAMES, runs) + "\n")
    for run in runs:
        print(textwrap.fill(verdict(run), 88, subsequent_indent="  "))
    if options.plot:
        plot_runs(runs, options.plot)
    return 128 + signal.SIGINT if interrupts else 0


if __name__ == "__main__":
    sys.exit(main())
