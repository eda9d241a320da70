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
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from growth import expression
from timing import seconds, take_turns

import microgradlib as mg
from microgradlib.value import next_serial


class Graph(NamedTuple):
    """Nodes, seconds and bytes for an operation of a graph with ``size`` of them."""

    size: int
    nodes: float  # of value and gradient, that compiling records
    compiling: float
    byte_compiling: float
    compiled: float
    eager: float
    peak: float


def kilobytes(key: str) -> int:
    """Return how much memory this process holds (VmRSS), or has held at most (VmHWM); on Linux."""
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
