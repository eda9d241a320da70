"""How time and memory for one operation grow with the graph: ``python benchmarks/growth.py``.

A million operations are made, differentiated and freed, in graphs of 1e4, 1e5 and 1e6 of them: one
graph after another, and all alive together. The cyclic garbage collector is off at first: graphs do
not need it. At its defaults it walks all objects that are alive, again and again, and takes the
longer for each of them the more there are. Bare objects, with nothing but a number and the objects
it was computed from, show what of the growth is Python's and the machine's own.
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


class Bare:
    """A node that remembers its operands, and nothing else."""

    __slots__ = ("data", "left", "right")

    def __init__(self, data: float, left: Any = None, right: Any = None) -> None:
        self.data = data
        self.left = left
        self.right = right

    def __add__(self, other: "Bare") -> "Bare":
        return Bare(self.data + other.data, self, other)

    def __sub__(self, other: "Bare") -> "Bare":
        return Bare(self.data - other.data, self, other)

    def __mul__(self, other: "Bare | float") -> "Bare":
        if isinstance(other, Bare):
            return Bare(self.data * other.data, self, other)
        return Bare(self.data * other, self)

    def relu(self) -> "Bare":
        return Bare(max(self.data, 0.0), self)

    def backward(self) -> None:
        """Visit every node once."""
        seen: dict[Bare, float] = {}
        found: list[Bare | None] = [self]
        for node in found:
            if node is not None and node not in seen:
                seen[node] = 0.0
                found += (node.left, node.right)


def seconds(value: Callable[[float], Any], size: int, together: bool) -> float:
    """Return the time of making, differentiating and freeing an operation, in graphs of a size."""
    gc.collect()
    alive = []
    start = time.process_time()
    for _ in range(SIZES[-1] // size):
        root = expression(value, size)
        root.backward()
        if together:
            alive.append(root)
    del root, alive
    return (time.process_time() - start) / SIZES[-1]


def memory(size: int) -> float:
    """Return the bytes for one operation, after backward."""
    tracemalloc.start()
    root = expression(mg.Value, size)
    root.backward()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / size


def growth(title: str, unit: str, each: list[float]) -> None:
    """Print what an operation takes at each size, and how much that grows."""
    print(f"  {title:38}", *[f"{x:7.2f} {unit} ({x / each[0]:.2f} x)" for x in each], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts")
    rounds = parser.parse_args().rounds
    print(f"CPython {sys.version.split()[0]}, {rounds} rounds; one operation in graphs of {SIZES}")
    cases: dict[str, tuple[Callable[[float], Any], bool]] = {
        "one after another": (mg.Value, False),
        "all together": (mg.Value, True),
        "bare objects": (Bare, False),
    }
    for collector, switch in (("off", gc.disable), ("on", gc.enable)):
        switch()
        for name, (value, together) in cases.items():
            times = [[seconds(value, size, together) for size in SIZES] for _ in range(rounds)]
            each = [statistics.median(column) * 1e6 for column in zip(*times, strict=True)]
            growth(f"time, collector {collector}, {name}", "us", each)
            if value is mg.Value and not together:
                target("time, largest / smallest", each[-1] / each[0], operator.le, 1.5)
    held = [memory(size) for size in SIZES]
    growth("memory", "B ", held)
    target("memory, largest / smallest", held[-1] / held[0], operator.le, 1.5)


if __name__ == "__main__":
    main()
