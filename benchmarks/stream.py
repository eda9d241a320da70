"""PyTorch's random numbers, drawn in Python and by PyTorch: ``python benchmarks/stream.py``.

Needs the ``peers`` extra. Both draw the same numbers: they are compared, with the states of the
generators, before anything is timed. Every time is a median of rounds in which the contestants take
turns. ``--quick`` has fewer rounds and numbers.
"""

import argparse
import operator
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from timing import take_turns, target

from microgradlib import random

DOUBLE = torch.float64
DRAWS: dict[str, tuple[Callable[[int], Any], Callable[[int], Any]]] = {
    "randn": (random.randn, torch.randn),
    "normal, with a mean": (
        lambda n: random.normal(0.5, 0.02, n),
        lambda n: torch.empty(n).normal_(0.5, 0.02),
    ),
    "randn, float64": (
        lambda n: random.randn(n, dtype="float64"),
        lambda n: torch.randn(n, dtype=DOUBLE),
    ),
    "rand": (random.rand, torch.rand),
    "uniform": (
        lambda n: random.uniform(-0.3, 0.3, n),
        lambda n: torch.empty(n).uniform_(-0.3, 0.3),
    ),
    "uniform, float64": (
        lambda n: random.uniform(-0.3, 0.3, n, dtype="float64"),
        lambda n: torch.empty(n, dtype=DOUBLE).uniform_(-0.3, 0.3),
    ),
    "bernoulli": (lambda n: random.bernoulli(0.5, n), lambda n: torch.empty(n).bernoulli_(0.5)),
    "randint": (lambda n: random.randint(10, (n,)), lambda n: torch.randint(10, (n,))),
    "randperm": (random.randperm, torch.randperm),
    "exponential": (
        lambda n: random.exponential(1.0, n),
        lambda n: torch.empty(n).exponential_(1.0),
    ),
    "trunc_normal": (
        lambda n: random.trunc_normal(size=n),
        lambda n: torch.nn.init.trunc_normal_(torch.empty(n)),
    ),
}
SIZES = (16, 17, 32, 64, 1000)


def compare(count: int) -> None:
    """Raise a RuntimeError unless all draws are alike."""
    compared = 0
    for name, (ours, theirs) in DRAWS.items():
        for n in (*SIZES, count):
            random.manual_seed(n)
            torch.manual_seed(n)
            if ours(n) != theirs(n).tolist():
                raise RuntimeError(f"{name} of {n}: other numbers")
            if random.get_state() != bytes(torch.get_rng_state().tolist()):
                raise RuntimeError(f"{name} of {n}: another state")
            compared += n
    print(f"{compared:,} numbers compared, all equal, and so are the states")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11, help="rounds of each comparison")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and numbers")
    options = parser.parse_args()
    rounds, count = (3, 10_000) if options.quick else (options.rounds, 100_000)
    torch.set_num_threads(1)
    names = ", ".join(f"{name} {version(name)}" for name in ("microgradlib", "torch"))
    print(f"CPython {sys.version.split()[0]}, {names}; {rounds} rounds", flush=True)
    compare(count)
    print(f"\n{count:,} numbers: microseconds each, ours and PyTorch's with tolist()")
    for name, (ours, theirs) in DRAWS.items():
        contestants = {"ours": lambda: ours(count), "theirs": lambda: theirs(count).tolist()}  # noqa: B023
        times = take_turns(contestants, rounds)
        each, peer = (1e6 * times[key] / count for key in ("ours", "theirs"))
        print(f"  {name:22}{each:8.3f}{peer:8.3f}{each / peer:8.1f} x", flush=True)
        if name in ("randn", "normal, with a mean"):
            target("microseconds a number", each, operator.le, 4)
    print("\nrandn by size: microseconds a number")
    for n in SIZES:
        time = take_turns({"ours": lambda: random.randn(n)}, rounds)["ours"]  # noqa: B023
        print(f"  {n:6,}{1e6 * time / n:8.2f}", flush=True)


if __name__ == "__main__":
    main()
