"""Train a network on XOR and export it as C: ``python network.py DIRECTORY``."""

import math
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import microgradlib as mg

HIDDEN, RATE, EPOCHS = 4, 0.5, 1000
PATTERNS = [([0.0, 0.0], 0.0), ([0.0, 1.0], 1.0), ([1.0, 0.0], 1.0), ([1.0, 1.0], 0.0)]


def network(p: Sequence[Any], x: Sequence[Any]) -> Any:
    """Return the output; p holds the weights and bias of each hidden neuron, then the output's."""
    rows = [p[3 * i : 3 * i + 3] for i in range(HIDDEN)]
    hidden = [mg.tanh(w0 * x[0] + w1 * x[1] + b) for w0, w1, b in rows]
    return mg.sigmoid(mg.dot(p[3 * HIDDEN : -1], hidden) + p[-1])


def loss(p: Sequence[Any], x: Sequence[Any], y: Any) -> Any:
    return (network(p, x) - y) ** 2


def main(directory: Path) -> None:
    step = mg.compile(mg.value_and_grad(loss))
    p = array("d", [math.sin(i + 1.0) for i in range(4 * HIDDEN + 1)])
    for _ in range(EPOCHS):
        total = 0.0
        for x, y in PATTERNS:
            error, gradient = step(p, x, y)
            p = array("d", [w - RATE * d for w, d in zip(p, gradient, strict=True)])
            total += error
    print(f"{total / len(PATTERNS):.17g}")

    trained = p.tolist()
    predict = mg.compile(lambda x: network(trained, x))  # the numbers of the trained network
    for x, _ in PATTERNS:  # become constants
        print(f"{predict(x):.17g}")

    step.export(directory / "step.c")
    predict.export(directory / "predict.c")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
