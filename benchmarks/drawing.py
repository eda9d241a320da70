"""The seconds that drawing takes: ``python benchmarks/drawing.py``.

Graphs of 200 nodes are drawn node by node: the layers of a network, a graph in which lines are
short, and one where every node is used again at the end, so that lines run along all of it. Graphs
of 100,000 nodes and more are summarised. All with the layout of the library itself.
"""

import argparse
import statistics
import sys
from functools import partial
from typing import Any

from graphs import expression
from timing import seconds

import microgradlib as mg
from microgradlib import Value, nn


def network(nin: int, sizes: list[int], batch: int) -> tuple[Value, Any]:
    """Return the loss of a network, and the network."""
    model = nn.MLP(nin, sizes, "tanh")
    outputs = [model([0.01 * i] * nin) for i in range(batch)]
    return mg.mse_loss(outputs, [[0.5] * sizes[-1]] * batch), model


def chain(size: int) -> Value:
    """Return a graph as deep as it is large."""
    y = x = Value(0.5)
    for _ in range(size // 2):
        y = y * 0.5 + x
    return y


def ladder(size: int) -> Value:
    """Return a chain with a second one on top, which uses all of the first in reverse order."""
    xs = [Value(0.5)]
    for _ in range(size // 2):
        xs.append(xs[-1].tanh())
    y = xs[-1]
    for x in reversed(xs[:-1]):
        y = y + x
    return y


def render(root: Value, model: Any) -> str:
    return mg.draw(root, model=model, engine="builtin").to_svg()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts")
    rounds = parser.parse_args().rounds
    graphs = {
        "200 nodes, a network": network(8, [8, 4, 1], 3),
        "200 nodes, a chain": (chain(200), None),
        "200 nodes, long lines": (ladder(200), None),
        "100,000 nodes, a network": network(60, [60, 1], 800),
        "100,000 nodes, a chain": (chain(100_000), None),
        "100,000 nodes, an expression": (expression(Value, 160_000), None),
    }
    print(f"CPython {sys.version.split()[0]}, the median of {rounds} rounds")
    for name, (root, model) in graphs.items():
        drawing = mg.draw(root, model=model)
        times = [seconds(partial(render, root, model)) for _ in range(rounds)]
        print(f"  {name:30}{statistics.median(times):7.3f} s   {drawing}")


if __name__ == "__main__":
    main()
