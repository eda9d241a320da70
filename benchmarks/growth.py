"""How time and memory for one operation grow with the graph: ``python benchmarks/growth.py``.

Forward and backward through graphs of 1e4, 1e5 and 1e6 operations, with the cyclic garbage
collector off, which graphs do not need, and on, at its defaults: it then walks all live nodes again
and again.
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


def seconds(size: int) -> float:
    """Return the time of forward and backward for one operation."""
    gc.collect()
    start = time.perf_counter()
    expression(mg.Value, size).backward()
    return (time.perf_counter() - start) / size


def memory(size: int) -> float:
    """Return the bytes for one operation, after backward."""
    tracemalloc.start()
    root = expression(mg.Value, size)
    root.backward()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts")
    rounds = parser.parse_args().rounds
    print(f"CPython {sys.version.split()[0]}, {rounds} rounds; one operation at {SIZES}")
    for collector, switch in (("off", gc.disable), ("on", gc.enable)):
        switch()
        turns = [[seconds(size) for size in SIZES] for _ in range(rounds)]
        each = [statistics.median(column) * 1e6 for column in zip(*turns, strict=True)]
        figures = [f"{t:6.2f} us ({t / each[0]:.2f} x)" for t in each]
        print(f"  time, collector {collector:3}  ", *figures)
        target("times of a node, largest / smallest", each[-1] / each[0], operator.le, 1.5)
    held = [memory(size) for size in SIZES]
    print("  memory               ", *[f"{m:6.0f} B  ({m / held[0]:.2f} x)" for m in held])
    target("memory of a node, largest / smallest", held[-1] / held[0], operator.le, 1.5)


if __name__ == "__main__":
    main()
