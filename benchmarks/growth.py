"""How time and memory for one operation grow with the graph: ``python benchmarks/growth.py``.

Graphs of 1e4, 1e5 and 1e6 operations are made, differentiated and freed, first with the cyclic
garbage collector off: graphs do not need it. At its defaults it walks all objects that are alive,
again and again, and takes the longer for each of them the more there are. So there the largest
graph is held against as many operations in a hundred graphs, which are alive together.
"""

import argparse
import gc
import operator
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from timing import target

import microgradlib as mg

SIZES = (10_000, 100_000, 1_000_000)


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


def seconds(size: int, graphs: int = 1) -> float:
    """Return the time of making, differentiating and freeing graphs of a size, per operation."""
    gc.collect()
    start = time.perf_counter()
    roots = []
    for _ in range(graphs):
        roots.append(expression(mg.Value, size))
        roots[-1].backward()
    del roots
    return (time.perf_counter() - start) / (size * graphs)


def memory(size: int) -> float:
    """Return the bytes for one operation, after backward."""
    tracemalloc.start()
    root = expression(mg.Value, size)
    root.backward()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / size


def in_turns(rounds: int, cases: list[tuple[int, int]]) -> list[float]:
    """Return the median times of an operation in microseconds."""
    turns = [[seconds(*case) for case in cases] for _ in range(rounds)]
    return [statistics.median(column) * 1e6 for column in zip(*turns, strict=True)]


def show(title: str, unit: str, each: list[float]) -> None:
    figures = [f"{t:7.2f} {unit} ({t / each[0]:.2f} x)" for t in each]
    print(f"  {title:20}", *figures, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts")
    rounds = parser.parse_args().rounds
    print(f"CPython {sys.version.split()[0]}, {rounds} rounds; one operation at {SIZES}")
    cases = [(size, 1) for size in SIZES]
    gc.disable()
    each = in_turns(rounds, cases)
    show("time, collector off", "us", each)
    target("time of an operation, largest / smallest", each[-1] / each[0], operator.le, 1.5)
    gc.enable()
    *each, many = in_turns(rounds, [*cases, (SIZES[0], SIZES[-1] // SIZES[0])])
    show("time, collector on", "us", each)
    print(f"  a hundred small graphs {many:.2f} us")
    target("time of an operation, one graph / a hundred", each[-1] / many, operator.le, 1.5)
    held = [memory(size) for size in SIZES]
    show("memory", "B ", held)
    target("memory of an operation, largest / smallest", held[-1] / held[0], operator.le, 1.5)


if __name__ == "__main__":
    main()
