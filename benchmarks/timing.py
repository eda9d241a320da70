"""Times that can be compared: contestants take turns, so that a drift of the machine hits all."""

import gc
import operator
import statistics
import time
from collections.abc import Callable


def seconds(run: Callable[[], object]) -> float:
    """Return the processor time of a call, which what else runs on the machine hardly changes."""
    start = time.process_time()
    run()
    return time.process_time() - start


def take_turns(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of each contestant, over rounds in which they take turns.

    Short calls are repeated until they take about fifty milliseconds: where one follows another
    contestant it finds its data out of the caches, and takes up to twice the time. The cyclic
    garbage collector passes over what was there before, which is not the contestant's own.
    """
    repeats = {}
    for name, run in contestants.items():
        run()
        repeats[name] = max(1, round(0.05 / max(seconds(run), 1e-7)))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            gc.collect()  # of what the one before left behind
            gc.freeze()
            n = repeats[name]
            times[name].append(seconds(lambda run=run, n=n: _repeat(run, n)) / n)  # type: ignore[misc]
            gc.unfreeze()
    return {name: statistics.median(values) for name, values in times.items()}


def target(text: str, ratio: float, holds: Callable[[float, float], bool], limit: float) -> None:
    """Print a target beside what was reached."""
    sign = ">=" if holds is operator.ge else "<="
    met = "met" if holds(ratio, limit) else "MISSED"
    print(f"    {text}: {ratio:.2f} (target {sign} {limit:g}) {met}", flush=True)


def _repeat(run: Callable[[], object], times: int) -> None:
    for _ in range(times):
        run()
