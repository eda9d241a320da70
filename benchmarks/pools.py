"""One workload on process pools and on Dask, and what a task costs: ``python benchmarks/pools.py``.

Needs the ``parallel`` extra. The workload is so large that it takes one worker about ten seconds
(``--quick``: one and a half). It goes in parts, each of which one worker and two workers of each
engine compute in turns, so that a drift of the machine hits all. Times are by the clock. Two
processes that only count show what the machine itself gives: on one that is busy with other things
that is less than 2. Below are the constants behind ``docs/scaling.md``: medians of processor time,
and bytes.
"""

import argparse
import math
import multiprocessing
import operator
import os
import pickle
import random
import statistics
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import Any

from dask.distributed import Client, LocalCluster
from timing import take_turns, target

import microgradlib as mg
from microgradlib.numeric.exact import exact_sum
from microgradlib.parallel import tasks, work

HIDDEN, PARTS = 16, 4


def loss(weights: Any, item: Any) -> Any:
    """Return the squared error of a network with two inputs and one output."""
    x, y, wanted = item
    rows = [weights[4 * i : 4 * i + 4] for i in range(HIDDEN)]
    z = mg.sum([out * mg.tanh(a * x + b * y + c) for a, b, c, out in rows]) + weights[-1]
    return (z - wanted) ** 2


def nothing(weight: Any, item: Any) -> Any:
    """Return a number that costs nothing to compute."""
    return 0.0, item


def count_to(n: int) -> int:
    """Return the sum of the numbers below n, the slow way."""
    total = 0
    for i in range(n):
        total += i
    return total


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as executor:
        yield executor


@contextmanager
def dask(workers: int) -> Iterator[Executor]:
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        yield client.get_executor(pure=False)


ENGINES: dict[str, Callable[[int], Any]] = {"process pool": processes, "Dask": dask}


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = run()
    return time.perf_counter() - start, found


def speedups(seconds: float) -> None:
    rng = random.Random(1)
    weights = [rng.gauss(0.0, 0.5) for _ in range(4 * HIDDEN + 1)]

    def items(count: int) -> list[Any]:
        return [(rng.gauss(0.0, 1.0), rng.gauss(0.0, 1.0), rng.random()) for _ in range(count)]

    with ExitStack() as stack:
        executors = {
            (name, workers): stack.enter_context(engine(workers))
            for name, engine in ENGINES.items()
            for workers in (1, 2)
        }
        for (_, workers), executor in executors.items():
            mg.parallel.value_and_grad(loss, executor, chunk=5)(weights, items(10 * workers))
        trial = mg.parallel.value_and_grad(loss, executors["process pool", 1])
        sample = items(200)
        took = min(timed(lambda: trial(weights, sample))[0] for _ in range(3))
        count = max(16, math.ceil(len(sample) / took * seconds / PARTS))
        print(f"\n{PARTS * count:,} items, {len(weights)} parameters, {PARTS} steps of 8 tasks")
        low = min(timed(lambda: count_to(1_000_000))[0] for _ in range(3))
        steps = math.ceil(1_000_000 / low * seconds / PARTS / 8)
        times = dict.fromkeys([("only counting", 1), ("only counting", 2), *executors], 0.0)
        for i in range(PARTS):
            part, found = items(count), set()
            turns = [*executors.items()]
            for key, executor in turns[i % 4 :] + turns[: i % 4]:
                total = mg.parallel.value_and_grad(loss, executor, chunk=math.ceil(count / 8))
                took, result = timed(lambda total=total, part=part: total(weights, part))  # type: ignore[misc]
                times[key] += took
                found.add(repr(result))
                if key[0] == "process pool":
                    run = lambda executor=executor: [*executor.map(count_to, [steps] * 8)]  # noqa: E731
                    times["only counting", key[1]] += timed(run)[0]
            if len(found) > 1:
                raise RuntimeError(f"the results differ: {found}")
    for (name, workers), took in times.items():
        print(f"  {name:14}{workers} worker{'s' * (workers > 1):1}{took:10.2f} s")
    free = times["only counting", 1] / times["only counting", 2]
    print(f"    counting is {free:.2f} times as fast with two processes")
    for name in ENGINES:
        ratio = times[name, 1] / times[name, 2]
        target(f"{name}: times as fast with two workers", ratio, operator.ge, 1.6)


def numbers(rounds: int) -> None:
    rng = random.Random(2)
    n = 10_000
    params = [rng.gauss(0.0, 1.0) for _ in range(n)]
    rows = [array("d", [rng.gauss(0.0, 1.0) for _ in range(n)]) for _ in range(64)]

    def condensed() -> Any:
        sums = work.Sums()
        sums.rows = [*rows]
        sums.condense()
        return sums.rows

    few = condensed()
    sent = tasks.Sent("params", params, pickle.dumps).data
    back = pickle.dumps(few, pickle.HIGHEST_PROTOCOL)
    runs: dict[str, tuple[Callable[[], Any], int]] = {
        "pickle parameters": (lambda: pickle.dumps(params, pickle.HIGHEST_PROTOCOL), n),
        "unpickle parameters": (lambda: pickle.loads(sent), n),
        "pickle a sum": (lambda: pickle.dumps(few, pickle.HIGHEST_PROTOCOL), n),
        "unpickle a sum": (lambda: pickle.loads(back), n),
        "add an item, by the worker": (condensed, n * len(rows)),
        "add a row of a task": (lambda: [*map(exact_sum, zip(*rows, strict=True))], n * len(rows)),
    }
    model = mg.nn.MLP(8, [100, 90, 1])
    count, module = len(model.parameters()), pickle.dumps(model, pickle.HIGHEST_PROTOCOL)
    runs["pickle a module"] = (lambda: pickle.dumps(model, pickle.HIGHEST_PROTOCOL), count)
    runs["unpickle a module"] = (lambda: pickle.loads(module), count)
    times = take_turns({name: run for name, (run, _) in runs.items()}, rounds)
    print(f"\n{n:,} parameters, a sum of {len(rows)} items: {len(few)} rows; for a number")
    for name, (_, each) in runs.items():
        print(f"  {name:28}{times[name] / each * 1e9:8.1f} ns")
    print(f"  {'parameters':28}{len(sent) / n:8.1f} bytes")
    print(f"  {'a module':28}{len(module) / count:8.1f} bytes")
    print(f"  {'a sum':28}{len(back) / n:8.1f} bytes")


def overheads(rounds: int) -> None:
    count = 200
    print(f"\n{count} tasks that do nothing; for a task, by the clock")

    def on(name: str, executor: Executor) -> None:
        total = mg.parallel.value_and_grad(nothing, executor, has_grad=True, chunk=1)
        total(1.0, [1.0] * count)
        found = [timed(lambda: total(1.0, [1.0] * count))[0] for _ in range(rounds)]
        print(f"  {name:14}{statistics.median(found) / count * 1e6:10.0f} us", flush=True)

    with ThreadPoolExecutor(2) as threads:
        on("threads", threads)
    for name, engine in ENGINES.items():
        with engine(2) as executor:
            on(name, executor)
    (task, *_) = tasks.make_tasks(nothing, 1.0, [1.0], 1, executor, True)
    sent, back = pickle.dumps(task), pickle.dumps(work.add_up(task))
    print(f"  {'a task':14}{len(sent):10} bytes, {len(back)} back")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smaller workload")
    options = parser.parse_args()
    names = ", ".join(f"{name} {version(name)}" for name in ("microgradlib", "distributed"))
    print(f"CPython {sys.version.split()[0]}, {names}; {os.cpu_count()} processors", flush=True)
    rounds = 3 if options.quick else 11
    speedups(1.5 if options.quick else 10.0)
    numbers(rounds)
    overheads(rounds)


if __name__ == "__main__":
    main()
