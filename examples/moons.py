"""Tell two interleaved half circles apart with a small network: ``python examples/moons.py``.

The network is 2-16-16-1 with relu. Its loss is that of a support vector machine: the margin by
which each point misses being on the right side, ``max(0, 1 - label * score)``, and a penalty on the
squared weights. The loss is compiled; ``--eager`` leaves that out, and prints the same numbers.
"""

import argparse
import random
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from math import cos, pi, sin
from typing import Any

from view import (
    Kind,
    LiveView,
    collect_interrupts,
    draw_plane,
    gradient_norm,
    parse,
    positive,
    save_plot,
)

import microgradlib as mg
from microgradlib import nn, optim

POINTS, BATCH = 200, 10
RATE, PENALTY = 0.1, 1e-4
ENOUGH = 0.97

Points = list[list[float]]


def moons(seed: int) -> tuple[Points, list[float]]:
    """Return points near two half circles, and their labels: 1 or -1."""
    noise = random.Random(seed)
    points, labels = [], []
    for i in range(POINTS):
        upper, angle = i % 2 == 0, pi * (i // 2) / (POINTS // 2 - 1)
        x, y = (cos(angle), sin(angle)) if upper else (1.0 - cos(angle), 0.5 - sin(angle))
        points.append([x + noise.gauss(0.0, 0.1), y + noise.gauss(0.0, 0.1)])
        labels.append(1.0 if upper else -1.0)
    return points, labels


def train(
    model: nn.MLP, points: Points, labels: list[float], epochs: int, seed: int, eager: bool
) -> Iterator[float]:
    """Take a step on each batch of the shuffled points; yield the mean loss of every epoch."""
    parameters = model.parameters()
    optimizer = optim.SGD(parameters, lr=RATE)

    def batch_loss(xs: Points, ys: list[float]) -> Any:
        scores = [model(x)[0] for x in xs]
        misses = [mg.relu(1.0 - y * score) for score, y in zip(scores, ys, strict=True)]
        return mg.mean(misses) + PENALTY * mg.dot(parameters, parameters)

    loss_of: Callable[[Points, list[float]], mg.Value]
    loss_of = batch_loss if eager else mg.compile(batch_loss)
    shuffler, order = random.Random(seed), list(range(POINTS))
    for epoch in range(epochs):
        optimizer.lr = RATE * (1.0 - 0.9 * epoch / epochs)
        shuffler.shuffle(order)
        total = 0.0
        for start in range(0, POINTS, BATCH):
            batch = order[start : start + BATCH]
            loss = loss_of([points[i] for i in batch], [labels[i] for i in batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.data
        yield total * BATCH / POINTS


def accuracy(
    score: Callable[[list[float]], mg.Value], points: Points, labels: list[float]
) -> float:
    """Return the share of the points that lie on the right side."""
    with mg.no_grad():
        right = [score(x).data * y > 0.0 for x, y in zip(points, labels, strict=True)]
    return sum(right) / POINTS


def draw(model: nn.MLP, points: Points, labels: list[float], figure: Any) -> None:
    """Draw the score over the plane, its zero line, and the points."""
    across = [-1.6 + 4.2 * i / 70 for i in range(71)]
    up = [-1.1 + 2.7 * i / 45 for i in range(46)]
    levels = [i / 4 for i in range(-8, 9)]
    kinds = [Kind(1.0, "label +1", "o", "gold"), Kind(-1.0, "label -1", "s", "white")]
    axes = figure.add_subplot(aspect="equal")
    filled = draw_plane(axes, model, (across, up), levels, points, labels, kinds, 30, "both")
    figure.colorbar(filled, ax=axes, label="score (line: 0)")
    figure.legend(loc="outside upper center", ncols=2)


def main() -> int:
    """Train, print, plot; return the exit status."""
    parser = argparse.ArgumentParser(description="Train a network on two interleaved half circles.")
    parser.add_argument("--epochs", type=positive, default=60, metavar="N", help="epochs")
    parser.add_argument(
        "--seed", type=int, default=42, metavar="S", help="seed of the weights and the points"
    )
    parser.add_argument("--eager", action="store_true", help="do not compile: the same numbers")
    options = parse(parser)
    interrupts = collect_interrupts()

    points, labels = moons(options.seed)
    model = nn.MLP(2, [16, 16, 1], "relu", output_activation="linear")
    print(f"{model}\n{len(model.parameters())} parameters, {POINTS} points", flush=True)
    training = train(model, points, labels, options.epochs, options.seed, options.eager)
    score = mg.compile(lambda x: model(x)[0])  # the score of a point, which is computed often

    def figures() -> list[str]:
        norm = gradient_norm(model)  # of the last batch
        return [f"accuracy {accuracy(score, points, labels):6.1%}", f"|gradient| {norm:.4f}"]

    losses: list[float] = []
    with LiveView(training, "moons", options.epochs, losses, figures) as view:
        for loss in view:
            losses.append(loss)
            if interrupts:
                break
    epochs = len(losses)
    if interrupts:
        print(f"Interrupted after {epochs:,} of {options.epochs:,} epochs.")
    reached = accuracy(score, points, labels)
    print(f"{epochs:,} epochs: loss {loss!r}, {reached:.1%} of the training points are right")
    if options.plot:
        save_plot(options.plot, (8, 5.4), partial(draw, model, points, labels))
    if interrupts:
        return 128 + signal.SIGINT
    if reached < ENOUGH:
        print(f"That is less than {ENOUGH:.0%}: not learnt. More epochs may help.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
