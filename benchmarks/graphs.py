"""What compiling a graph of single operations costs: ``python benchmarks/graphs.py SIZE ROUNDS``.

Prints one ``Graph`` as JSON. ``compiled.py`` runs this for graphs of several sizes, each in a
process of its own, so that the peak of memory is that of one graph. (It is not traced: tracemalloc
looks up a line of the source at each allocation, which takes longer the longer the source is.)
"""

import builtins
import gc
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from timing import seconds, take_turns

import microgradlib as mg
from microgradlib.core.value import next_serial


class Graph(NamedTuple):
    """Nodes, seconds and bytes for each operation of a graph of ``size`` operations."""

    size: int
    nodes: float  # that compiling records, of value and gradient
    compiling: float
    byte_compiling: float
    compiled: float
    eager: float
    peak: float


def expression(value: Callable[[float], Any], size: int) -> Any:
    """Return a graph of ``size`` operations, each of them one call of an operator or of relu.

    Every number stays within [-1, 1], whatever the size.
    """
    row = [value((i - 49.5) / 50.0) for i in range(100)]
    operations = 0
    while operations < size:
        for i in range(0, 100, 4):
            a, b, c, d = row[i], row[(i + 30) % 100], row[(i + 61) % 100], row[(i + 92) % 100]
            row[i : i + 4] = (a + b) * 0.5, (c - d) * 0.5, a * c, (b + d).relu() * 0.5
        operations += 200
    total = row[0]
    for x in row[1:]:
        total = total + x
    return total


def kilobytes(key: str) -> int:
    """Return the memory that this process holds (VmRSS), or held at most (VmHWM); on Linux."""
    status = Path("/proc/self/status")
    found = re.search(rf"{key}:\s+(\d+)", status.read_text() if status.exists() else f"{key}: 0")
    return int(found[1]) if found else 0


def measure(size: int, rounds: int) -> Graph:
    """Measure one graph, with loss and gradient."""
    start: list[float] = []

    def leaf(x: float) -> mg.Value:
        start.append(x)
        return mg.Value(x)

    expression(leaf, 0)

    def f(xs: list[Any]) -> Any:
        inputs: Iterator[Any] = iter(xs)
        return expression(lambda _: next(inputs), size)

    def eager() -> list[Any]:
        leaves = [mg.Value(x) for x in start]
        f(leaves).backward()
        return [x.grad for x in leaves]

    gradient = mg.compile(mg.value_and_grad(f))
    gc.collect()
    before, serial = kilobytes("VmRSS"), next_serial()
    first = seconds(lambda: gradient(start))
    peak, nodes = kilobytes("VmHWM") - before, next_serial() - serial
    if gradient(start)[1] != eager():
        raise RuntimeError(f"the gradients of the graph of {size} operations differ")
    times = take_turns({"compiled": lambda: gradient(start), "eager": eager}, rounds)
    code = gradient.source
    return Graph(
        size,
        nodes / size,
        (first - times["compiled"]) / size,
        seconds(lambda: builtins.compile(code, "<graph>", "exec")) / size,
        times["compiled"] / size,
        times["eager"] / size,
        peak * 1024 / size,
    )


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))._asdict()))
