"""Eager speed and memory beside micrograd and PyTorch, in one run: ``python benchmarks/eager.py``.

Needs the ``peers`` extra. Every figure is a median of rounds in which the contestants take turns,
so that a drift of the machine's speed hits all of them. The cyclic garbage collector is left at its
default, except where a line says otherwise.
"""

import argparse
import operator
import sys
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import micrograd.engine
import torch
import xor_steps
from growth import expression
from timing import take_turns, target

import microgradlib as mg


def xor(rounds: int) -> None:
    """Compare one SGD step on the XOR network."""
    contestants: dict[str, Callable[[], object]] = {
        "microgradlib": xor_steps.eager(),
        "micrograd": xor_steps.with_micrograd(),
        "torch, rows": xor_steps.with_torch(with_loader=False),
        "torch, loader": xor_steps.with_torch(with_loader=True),
    }
    times = take_turns(contestants, rounds)
    print("XOR, SGD with batch size 1, microseconds a step")
    for name, value in times.items():
        ratio = value / times["microgradlib"]
        print(
            f"  {name:14}{value / xor_steps.STEPS * 1e6:8.1f}   {ratio:5.1f} x microgradlib's time"
        )
    for name, limit in (("micrograd", 2.5), ("torch, rows", 15.0)):
        target(f"{name} / ours", times[name] / times["microgradlib"], operator.ge, limit)


def graph(rounds: int, size: int = 60_000) -> None:
    """Compare forward and backward through a graph of single operations, and its memory."""
    contestants: dict[str, Callable[[float], Any]] = {
        "microgradlib": mg.Value,
        "micrograd": micrograd.engine.Value,
    }
    times = take_turns(
        {
            name: lambda value=value: expression(value, size).backward()  # type: ignore[misc]
            for name, value in contestants.items()
        },
        rounds,
    )
    print(f"Graph of {size:,} operations: microseconds and bytes an operation")
    memory = {}
    for name, value in contestants.items():
        tracemalloc.start()
        root = expression(value, size)
        forward, _ = tracemalloc.get_traced_memory()
        root.backward()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        memory[name] = after
        print(
            f"  {name:14}{times[name] / size * 1e6:8.2f}   "
            f"{times[name] / times['microgradlib']:5.1f} x the time; "
            f"{forward / size:6.0f} bytes, {after / size:6.0f} after backward, "
            f"{after / memory['microgradlib']:4.1f} x the memory"
        )
        del root
    target("time, micrograd / ours", times["micrograd"] / times["microgradlib"], operator.ge, 2.0)
    ratio = memory["micrograd"] / memory["microgradlib"]
    target("memory, micrograd / ours", ratio, operator.ge, 2.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each comparison")
    rounds = parser.parse_args().rounds
    sys.setrecursionlimit(100_000)  # micrograd's backward is recursive
    threading.stack_size(512 * 1024 * 1024)
    mg.manual_seed(42)
    print(f"CPython {sys.version.split()[0]}, torch {torch.__version__}; {rounds} rounds")
    xor(rounds)
    thread = threading.Thread(target=graph, args=(rounds,))
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()
