"""Compiled speed beside eager evaluation and peers, in one run: ``python benchmarks/compiled.py``.

Needs the ``benchmarks`` extra. Every time is a median of rounds in which the contestants take
turns. What happens once, such as tracing and compiling, is printed apart: the time by which
building a contestant and its first call took longer than a later call. Before anything is timed,
all contestants of a table must agree on the loss. PyTorch runs on one thread, which suits these
sizes.
``--quick`` takes less than a minute.
"""

import argparse
import json
import math
import operator
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import autograd  # noqa: F401 (so that contestants do not count the time of importing it)
import casadi  # noqa: F401
import jax  # noqa: F401
import moons_steps
import torch
import transformer
import xor_steps
from graphs import Graph
from timing import seconds, take_turns, target

Contestant = Callable[[], float]


class Table(NamedTuple):
    """The median time of a step of each contestant, and the time of what happens once."""

    steps: dict[str, float]
    once: dict[str, float]


def measure(makers: dict[str, Callable[[], Contestant]], steps: int, rounds: int) -> Table:
    """Time contestants whose calls take a number of steps each and return a loss."""
    calls: dict[str, Callable[[], object]] = {}
    first, losses = {}, {}

    def start(name: str) -> None:
        calls[name] = run = makers[name]()
        losses[name] = run()

    for name in makers:
        first[name] = seconds(lambda name=name: start(name))  # type: ignore[misc]
    ours = next(iter(losses.values()))
    for name, loss in losses.items():
        if not math.isclose(loss, ours, rel_tol=1e-4):  # some of them compute in 32 bits
            raise RuntimeError(
                f"{name}: the loss is {loss}, but that of {next(iter(losses))} {ours}"
            )
    times = take_turns(calls, rounds)
    return Table(
        {name: t / steps for name, t in times.items()},
        {name: max(0.0, first[name] - t) for name, t in times.items()},
    )


def show(table: Table, reference: str) -> None:
    width = max(map(len, table.steps))
    for name, t in table.steps.items():
        ratio, once = t / table.steps[reference], table.once[name]
        print(f"  {name:{width}}{t * 1e6:10.2f} us{ratio:9.2f} x{once * 1e3:10.1f} ms once")


def xor(rounds: int) -> None:
    print("\nXOR, SGD with batch size 1: time of a step")
    table = measure(xor_steps.CONTESTANTS, xor_steps.STEPS, rounds)
    show(table, "ours, compiled loss")
    t = table.steps
    loop, torch_rows = t["ours, compiled loss"], t["torch, rows"]
    print("  compiled loss in the usual loop")
    target("PyTorch (rows) takes times its time", torch_rows / loop, operator.ge, 40)
    target("micrograd", t["micrograd"] / loop, operator.ge, 8)
    target("JAX", t["jax, jitted step"] / loop, operator.ge, 1)
    target("CasADi", t["casadi"] / loop, operator.ge, 1)
    target("CasADi with buffers", t["casadi, buffers"] / loop, operator.ge, 1)
    for name in ("ours, compiled gradient", "ours, gradient of numbers", "ours, compiled step"):
        print(f"  {name.partition(', ')[2]}")
        target("PyTorch (rows) takes times its time", torch_rows / t[name], operator.ge, 120)
        target("its time, times that by hand", t[name] / t["written by hand"], operator.le, 2.5)


def moons(rounds: int) -> None:
    print(f"\nHalf circles, 2-16-16-1, a batch of {moons_steps.BATCH}: time of a step")
    show(measure(moons_steps.CONTESTANTS, 1, rounds), "ours, compiled loss")


def documents(rounds: int) -> None:
    print(f"\nTransformer, 4,192 parameters, {len(transformer.TOKENS) - 1} tokens, Adam: a step")
    table = measure(transformer.CONTESTANTS, 1, rounds)
    best = "ours, compiled gradient, Adam on lists"
    show(table, best)
    ratio = {name: t / table.steps[best] for name, t in table.steps.items()}
    target("micrograd", ratio["micrograd, a node an operation"], operator.ge, 40)
    target("ours, a node an operation", ratio["ours, eager, a node an operation"], operator.ge, 40)
    many = ratio["ours, eager, nodes of many inputs"]
    target("ours, nodes of many inputs", many, operator.ge, 5)
    target("its time, times PyTorch's", 1.0 / ratio["torch, float64"], operator.le, 3)


# Graphs of single operations.


def graphs(sizes: list[int], rounds: int) -> None:
    print("\nGraphs of single operations, loss and gradient: an operation")
    print(
        f"  {'operations':>12}{'nodes':>8}{'compiling':>14}{'(bytecode)':>14}{'compiled':>12}"
        f"{'eager':>12}{'eager/compiled':>16}{'peak':>12}"
    )
    rows: list[Graph] = []
    script = Path(__file__).with_name("graphs.py")
    for size in sizes:
        command = [sys.executable, str(script), str(size), str(rounds)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        rows.append(row := Graph(**json.loads(done.stdout)))
        times = (row.compiling, row.byte_compiling, row.compiled, row.eager)
        compiling, bytecode, compiled, eager = (1e6 * t for t in times)
        print(
            f"  {size:12,}{row.nodes:8.2f}{compiling:11.2f} us{bytecode:11.2f} us{compiled:9.3f} us"
            f"{eager:9.3f} us{eager / compiled:14.1f} x{row.peak:10.0f} B",
            flush=True,
        )
    large = [row for row in rows if row.size >= 10_000]
    worst = max(row.compiling / row.nodes for row in large)
    target("microseconds of compiling a node", worst * 1e6, operator.le, 12)
    growth = large[-1].compiling / large[0].compiling
    target(f"{large[-1].size:,} operations, times that of 10,000", growth, operator.le, 1.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11, help="rounds of each comparison")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller graphs")
    options = parser.parse_args()
    rounds = 2 if options.quick else options.rounds
    packages = ("microgradlib", "micrograd", "torch", "jax", "autograd", "casadi")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    print(f"CPython {sys.version.split()[0]}, {versions}; {rounds} rounds", flush=True)

    def tables() -> None:
        torch.set_num_threads(1)  # of the thread that calls it
        xor(rounds)
        moons(rounds)
        documents(rounds)
        sizes = [1_000, 10_000, 100_000, 1_000_000]
        graphs(sizes[:-1] if options.quick else sizes, min(rounds, 3))

    sys.setrecursionlimit(100_000)  # micrograd's backward is recursive
    threading.stack_size(512 * 1024 * 1024)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(tables).result()


if __name__ == "__main__":
    main()
