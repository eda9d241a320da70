"""One function over many rows, beside NumPy and JAX: ``python benchmarks/many.py``.

Needs the ``benchmarks`` extra and a C compiler. Every time is a median of rounds in which the
contestants take turns, after a first call. JAX computes in float64, on one thread. ``--quick`` has
fewer rounds.
"""

import argparse
import math
import operator
import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import numpy as np
from timing import take_turns, target

import microgradlib as mg

PATHS, DATES = 10_000, 12
STRIKE, YEARS = 100.0, 1.0
MARKET = np.array([100.0, 0.2, 0.03])  # the price today, the volatility, the interest rate


def payoff(market: Any, draws: Any, exp: Callable[[Any], Any], larger: Any) -> Any:
    """Return the discounted payoff of an Asian option along a path, or along many."""
    price, volatility, rate = market
    step = YEARS / DATES
    drift, scale = (rate - 0.5 * volatility * volatility) * step, volatility * math.sqrt(step)
    total: Any = 0.0
    for draw in draws:
        price = price * exp(drift + scale * draw)
        total = total + price
    return larger(total / DATES - STRIKE, 0.0) * exp(-rate * YEARS)


def differences(f: Callable[[Any], Any], x: Any) -> list[Any]:
    """Return f and its central differences."""
    found = [f(x)]
    for i, h in enumerate(1e-6 * np.abs(x)):
        e = np.zeros(len(x))
        e[i] = h
        found.append((f(x + e) - f(x - e)) / (2.0 * h))
    return found


def show(times: dict[str, float], reference: str) -> None:
    width = max(map(len, times))
    for name, t in times.items():
        print(f"  {name:{width}}{t * 1e3:10.3f} ms{t / times[reference]:9.2f} x")


def option(rounds: int) -> None:
    print(f"\nAn Asian option, {PATHS:,} paths of {DATES} dates: price and three sensitivities")
    draws = np.random.default_rng(1).standard_normal((PATHS, DATES))
    columns = np.ascontiguousarray(draws.T)

    def ours(market: Any, z: Any) -> Any:
        return payoff(market, z, mg.exp, mg.maximum)

    def theirs(market: Any, z: Any) -> Any:
        return payoff(market, z, jax.numpy.exp, jax.numpy.maximum)

    compiled = mg.compile(mg.value_and_grad(ours), backend="c")
    by_threads = {n: mg.vmap(compiled, (None, 0), threads=n) for n in (1, 2)}
    peer = jax.jit(jax.vmap(jax.value_and_grad(theirs), (None, 0)))

    def with_ours() -> list[float]:
        values, slopes = by_threads[1](MARKET, draws)
        return [values.mean(), *slopes.mean(axis=0)]

    def with_jax() -> list[float]:
        values, slopes = peer(MARKET, draws)
        return [float(values.mean()), *map(float, np.asarray(slopes).mean(axis=0))]

    def with_numpy() -> list[float]:
        found = differences(lambda x: payoff(x, columns, np.exp, np.maximum).mean(), MARKET)
        return [*map(float, found)]

    contestants: dict[str, Callable[[], list[float]]] = {
        "ours": with_ours,
        "NumPy, differences": with_numpy,
        "JAX, jitted vmap": with_jax,
    }
    found = {name: run() for name, run in contestants.items()}
    for name, numbers in found.items():
        if not np.allclose(numbers, found["ours"], rtol=1e-4):
            raise RuntimeError(f"{name}: {numbers}, not {found['ours']}")
    times = take_turns(contestants, rounds)
    show(times, "ours")
    t = times["ours"]
    target(
        "NumPy's differences take times its time", times["NumPy, differences"] / t, operator.ge, 4
    )
    target("its time, times JAX's", t / times["JAX, jitted vmap"], operator.le, 1.2)
    walls: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(20 * rounds):
        for threads, seen in walls.items():
            start = time.perf_counter()
            by_threads[threads](MARKET, draws)
            seen.append(time.perf_counter() - start)
    one, two = (statistics.median(seen) for seen in walls.values())
    target("times as fast on two threads, by the clock", one / two, operator.ge, 1.6)


def jacobian(rounds: int) -> None:
    print("\nThe Jacobian of 1,000 residuals in 4 parameters")
    ts, p = np.linspace(0.0, 3.0, 1_000), np.array([2.0, 0.5, 0.1, -0.3])

    def residual(p: Any, t: Any, exp: Callable[[Any], Any]) -> Any:
        return p[0] * exp(-p[1] * t) + p[2] * t + p[3]

    slope = mg.grad(lambda p, t: residual(p, t, mg.exp))
    ours = mg.vmap(mg.compile(slope, backend="c"), (None, 0))
    eager = mg.vmap(slope, (None, 0))
    contestants: dict[str, Callable[[], Any]] = {
        "ours": lambda: ours(p, ts),
        "ours, eager": lambda: eager(p, ts),
        "NumPy, differences": lambda: np.stack(
            differences(lambda x: residual(x, ts, np.exp), p)[1:], axis=1
        ),
    }
    found = {name: run() for name, run in contestants.items()}
    for name, rows in found.items():
        if not np.allclose(rows, found["ours"], rtol=1e-4, atol=1e-6):
            raise RuntimeError(f"{name} differs")
    times = take_turns(contestants, rounds)
    show(times, "ours")
    t = times["ours"]
    target(
        "NumPy's differences take times its time", times["NumPy, differences"] / t, operator.ge, 2
    )
    target("eager rows take times its time", times["ours, eager"] / t, operator.ge, 500)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11, help="rounds of each comparison")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rounds = 3 if options.quick else options.rounds
    names = ", ".join(f"{name} {version(name)}" for name in ("microgradlib", "numpy", "jax"))
    print(f"CPython {sys.version.split()[0]}, {names}; {rounds} rounds", flush=True)
    option(rounds)
    jacobian(rounds)


if __name__ == "__main__":
    main()
