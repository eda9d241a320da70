"""Times that can be compared: contestants take turns, so that a drift of the machine hits all."""

import gc
import operator
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


def seconds(run: Callable[[], object]) -> float:
    """Return the processor time of a call, which other programs on the machine hardly change."""
    start = time.process_time()
    run()
    return time.process_time() - start


@contextmanager
def fresh_collector(on: bool = True) -> Iterator[None]:
    """Let the cyclic garbage collector, on or off, ignore the objects that are alive already.

    It walks all objects whenever their number has grown by a quarter since it did so last. The
    second collection makes this number 0, whatever other benchmarks and imports have left.
    """
    gc.collect()
    gc.freeze()
    gc.collect()
    if not on:
        gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def take_turns(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of each contestant, over rounds in which they take turns.

    Short calls are repeated until they take about fifty milliseconds: where one follows another
    contestant it finds its data out of the caches, and takes up to twice the time.
    """
    repeats = {}
    for name, run in contestants.items():
        run()
        repeats[name] = max(1, round(0.05 / max(seconds(run), 1e-7)))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            n = repeats[name]
            with fresh_collector():
                times[name].append(seconds(lambda run=run, n=n: _repeat(run, n)) / n)  # type: ignore[misc]
    return {name: statistics.median(values) for name, values in times.items()}


def target(text: str, ratio: float, holds: Callable[[float, float], bool], limit: float) -> None:
    """Print a target beside what was reached, a ratio or a count."""
    sign = ">=" if holds is operator.ge else "<="
    met = "met" if holds(ratio, limit) else "MISSED"
    reached = f"{ratio:,}" if isinstance(ratio, int) else f"{ratio:.2f}"
    print(f"    {text}: {reached} (target {sign} {limit:,g}) {met}", flush=True)


def _repeat(run: Callable[[], object], times: int) -> None:
    for _ in range(times):
        run()
