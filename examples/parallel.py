"""Train a small network data-parallel, on processes and on Dask: ``python examples/parallel.py``.

Each step adds loss and gradient over all points, which workers share, and then takes a step of
gradient descent. The sums are exact, so that 1, 2 and 3 workers, processes or a Dask cluster, end
with the same weights, to the last bit. The cluster runs on this machine; on that of others only
the line that starts it is different.
"""

import argparse
import hashlib
import math
import multiprocessing
import random
import struct
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any, TypeAlias

import microgradlib as mg

REMEDY = 'pip install -e ".[parallel]"'

try:
    from dask.distributed import Client, LocalCluster
    from tqdm import tqdm  # noqa: F401 (progress bars need it)
except ModuleNotFoundError as missing:
    sys.exit(f"parallel.py: needs {missing.name}; install it with: {REMEDY}")

WORKERS = (1, 2, 3)
HIDDEN = 8
RATE, MOMENTUM = 0.5, 0.9
Point: TypeAlias = tuple[float, float, float]


def points(count: int, seed: int) -> list[Point]:
    """Return points of two interleaved spirals, each with its class, 0 or 1."""
    rng = random.Random(seed)
    found = []
    for i in range(count):
        kind, r = i % 2, rng.uniform(0.2, 1.0)
        angle = 3.0 * r + math.pi * kind
        found.append((r * math.cos(angle), r * math.sin(angle), float(kind)))
    return found


def first_weights(seed: int) -> list[float]:
    """Return the weights of a network with two inputs, HIDDEN units and one output."""
    rng = random.Random(seed)
    return [rng.gauss(0.0, 1.0) for _ in range(4 * HIDDEN + 1)]


def loss(weights: Any, point: Point) -> Any:
    """Return the cross-entropy of a point."""
    x, y, kind = point
    rows = [weights[4 * i : 4 * i + 4] for i in range(HIDDEN)]
    z = mg.sum([out * mg.tanh(a * x + b * y + c) for a, b, c, out in rows]) + weights[-1]
    return mg.softplus(z) - kind * z


@mg.compile
def step(weights: Any, point: Point) -> Any:
    """Return loss and gradient of a point. Workers find it by its name, and compile it once."""
    return mg.value_and_grad(loss)(weights, point)


def train(executor: Executor, data: list[Point], epochs: int, bar: bool) -> tuple[float, list[Any]]:
    """Return the mean loss before the last step, and the weights after it."""
    mean: Callable[..., Any] = mg.parallel.value_and_grad(
        step, executor, has_grad=True, reduction="mean", chunk=len(data) // 6, progress=bar
    )
    weights = first_weights(seed=1)
    speeds = [0.0] * len(weights)
    error = math.nan
    for _ in range(epochs):
        error, gradient = mean(weights, data)
        speeds = [MOMENTUM * v - RATE * g for v, g in zip(speeds, gradient, strict=True)]
        weights = [w + v for w, v in zip(weights, speeds, strict=True)]
    return error, weights


def processes() -> Iterator[tuple[int, Executor]]:
    """Yield pools of processes, each with the number of its workers."""
    for workers in WORKERS:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as executor:
            yield workers, executor


def dask() -> Iterator[tuple[int, Executor]]:
    """Start a Dask cluster on this machine, and let it grow."""
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=0, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        for workers in WORKERS:
            cluster.scale(workers)
            client.wait_for_workers(workers)
            yield workers, client.get_executor(pure=False)


def main() -> None:
    """Train on each engine, and compare the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=600, help="points to learn (600)")
    parser.add_argument("--epochs", type=int, default=30, help="steps of gradient descent (30)")
    options = parser.parse_args()
    if options.points < 6 or options.epochs < 1:
        parser.error("--points must be 6 or more, --epochs 1 or more")
    data = points(options.points, seed=2)
    seen = set()
    for engine in (processes, dask):
        for workers, executor in engine():
            train(executor, data, 1, bar=sys.stderr.isatty())  # starts the workers
            start = time.perf_counter()
            error, weights = train(executor, data, options.epochs, bar=False)
            seconds = time.perf_counter() - start
            digest = hashlib.sha256(struct.pack(f"{len(weights)}d", *weights)).hexdigest()[:16]
            seen.add(digest)
            name = f"{engine.__name__}, {workers} worker{'s' * (workers > 1)}"
            print(f"{name:21} loss {error:.6f}, weights {digest}, {seconds:5.2f} s", flush=True)
    if len(seen) > 1:
        sys.exit("parallel.py: the weights differ")
    print("The weights are the same, to the last bit.")


if __name__ == "__main__":
    main()
