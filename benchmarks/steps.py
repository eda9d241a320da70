"""Loops over steps by ``mg.scan``, beside JAX, NumPy and PyTorch: ``python benchmarks/steps.py``.

Needs the ``benchmarks`` extra and a C compiler. Every time is a median of rounds in which the
contestants take turns, after a first call. JAX computes in float64, on one thread. ``--quick`` has
fewer rounds, and shorter loops where no compiled one runs.
"""

import argparse
import gc
import math
import operator
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

from timing import take_turns, target

import microgradlib as mg

Contestants = dict[str, Callable[[], Any]]

STEPS, LONG = 20_000, 1_000_000
TIME_STEP = 0.001


def show(times: dict[str, float], reference: str) -> None:
    width = max(map(len, times))
    for name, t in times.items():
        print(f"  {name:{width}}{t * 1e3:12.3f} ms{t / times[reference]:12.2f} x")


def compare(contestants: Contestants, rounds: int, reference: str = "ours") -> dict[str, float]:
    """Check that all compute the same, and return how long they take."""
    found = {name: [*map(float, run())] for name, run in contestants.items()}
    for name, numbers in found.items():
        for x, y in zip(numbers, found[reference], strict=True):
            if not math.isclose(x, y, rel_tol=1e-4, abs_tol=1e-6):
                raise RuntimeError(f"{name}: {numbers}, not {found[reference]}")
    times = take_turns(contestants, rounds)
    show(times, reference)
    return times


# A pendulum.


def runge_kutta(state: Any, g: Any, h: float, sin: Callable[[Any], Any]) -> Any:
    """Return angle and velocity of a pendulum a step later."""

    def slopes(angle: Any, velocity: Any) -> Any:
        return velocity, -g * sin(angle)

    x, v = state
    a, b = slopes(x, v)
    c, d = slopes(x + 0.5 * h * a, v + 0.5 * h * b)
    e, f = slopes(x + 0.5 * h * c, v + 0.5 * h * d)
    k, m = slopes(x + h * e, v + h * f)
    return (
        x + h / 6.0 * (a + 2.0 * c + 2.0 * e + k),
        v + h / 6.0 * (b + 2.0 * d + 2.0 * f + m),
    )


def swing(steps: int, scan: Any, sin: Callable[[Any], Any], **options: Any) -> Any:
    """Return the function that gives the angle after so many steps."""
    h = TIME_STEP * STEPS / steps

    def last(angle: Any, g: Any) -> Any:
        def step(state: Any, _: Any) -> Any:
            return runge_kutta(state, g, h, sin), None

        (x, _), _ = scan(step, (angle, 0.0), None, length=steps, **options)
        return x

    return last


def flat(pair: Any) -> list[Any]:
    value, slopes = pair
    return [value, *slopes]


def pendulum(rounds: int, quick: bool) -> None:
    import jax

    print(f"\nA pendulum, {STEPS:,} steps of Runge and Kutta: the angle and its two derivatives")
    f = swing(STEPS, mg.scan, mg.sin)
    ours = mg.compile(mg.value_and_grad(f, (0, 1)), backend="c")
    in_python = mg.compile(mg.value_and_grad(f, (0, 1)))
    peer = jax.jit(jax.value_and_grad(swing(STEPS, jax.lax.scan, jax.numpy.sin), (0, 1)))
    few = 200 if quick else 1_000
    rare = mg.compile(
        mg.value_and_grad(swing(STEPS, mg.scan, mg.sin, checkpoint=141), (0, 1)), backend="c"
    )
    times = compare(
        {
            "ours": lambda: flat(ours(1.0, 9.81)),
            "ours, checkpoint=141": lambda: flat(rare(1.0, 9.81)),
            "ours, Python": lambda: flat(in_python(1.0, 9.81)),
            "JAX, jitted": lambda: flat(peer(1.0, 9.81)),
        },
        rounds,
    )
    # The eager loop takes seconds, in proportion to its steps.
    eager = mg.value_and_grad(swing(STEPS, mg.scan, mg.sin), (0, 1))
    if quick:
        eager = mg.value_and_grad(swing(few, mg.scan, mg.sin), (0, 1))
    start = time.process_time()
    eager(1.0, 9.81)
    taken = (time.process_time() - start) * (STEPS / few if quick else 1.0)
    t = times["ours"]
    target("its time, times JAX's", t / times["JAX, jitted"], operator.le, 1.5)
    target("the eager loop takes times its time", taken / t, operator.ge, 1_000)


def memory() -> None:
    """Print the most memory that a long loop with checkpoints takes."""
    f = mg.value_and_grad(swing(LONG, mg.scan, mg.sin, checkpoint=1_000), (0, 1))
    mg.compile(f, backend="c")(1.0, 9.81)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def long_pendulum() -> None:
    print(f"\nA pendulum, {LONG:,} steps with checkpoint=1_000: memory of the process")
    start = time.perf_counter()
    made = subprocess.run(
        [sys.executable, __file__, "--memory"], capture_output=True, text=True, check=True
    )
    print(f"  in {time.perf_counter() - start:.1f} s, with imports, tracing and building")
    target("megabytes", float(made.stdout), operator.le, 200)


# An American option.

LEVELS, STRIKE, YEARS, VOLATILITY, RATE = 200, 100.0, 1.0, 0.2, 0.03


def tree() -> tuple[float, float, float]:
    """Return the factor up, its probability, and the discount of a level."""
    step = YEARS / LEVELS
    up = math.exp(VOLATILITY * math.sqrt(step))
    chance = (math.exp(RATE * step) - 1.0 / up) / (up - 1.0 / up)
    return up, chance, math.exp(-RATE * step)


def put(price: Any) -> Any:
    """Return the value of an American put in a binomial tree, as a scan over its levels."""
    up, chance, discount = tree()
    prices = [price * up ** (2.0 * i - LEVELS) for i in range(LEVELS + 1)]

    def level(carry: Any, _: Any) -> Any:
        values, prices = carry
        prices = [x * up for x in prices]
        # The last entry of each level is not in the tree any more.
        ahead = [*values[1:], values[-1]]
        held = [
            discount * (chance * x + (1.0 - chance) * y) for x, y in zip(ahead, values, strict=True)
        ]
        now = [mg.maximum(x, STRIKE - y) for x, y in zip(held, prices, strict=True)]
        return (now, prices), None

    values = [mg.maximum(STRIKE - x, 0.0) for x in prices]
    (values, _), _ = mg.scan(level, (values, prices), length=LEVELS)
    return values[0]


def option(rounds: int) -> None:
    import numpy as np

    print(f"\nAn American put, a tree of {LEVELS} levels: its value and delta")
    up, chance, discount = tree()

    def with_numpy(price: float) -> float:
        prices = price * up ** (2.0 * np.arange(LEVELS + 1) - LEVELS)
        values = np.maximum(STRIKE - prices, 0.0)
        for _ in range(LEVELS):
            prices = prices[:-1] * up
            held = discount * (chance * values[1:] + (1.0 - chance) * values[:-1])
            values = np.maximum(held, STRIKE - prices)
        return float(values[0])

    def differences() -> list[float]:
        h = 1e-4
        slope = (with_numpy(101.0 + h) - with_numpy(101.0 - h)) / (2.0 * h)
        return [with_numpy(101.0), slope]

    ours = mg.compile(mg.value_and_grad(put), backend="c")
    start = time.perf_counter()
    ours(101.0)
    first = time.perf_counter() - start
    times = compare({"ours": lambda: ours(101.0), "NumPy, differences": differences}, rounds)
    target("seconds of the first call", first, operator.le, 2.0)
    target(
        "NumPy takes times its time", times["NumPy, differences"] / times["ours"], operator.ge, 1
    )


# XOR.

EPOCHS = 10_000


def training(scan: Any, grad: Any, sigmoid: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return 10,000 epochs of the workshop notebook, SGD after each of four patterns."""
    import xor_steps

    patterns = [*zip(xor_steps.INPUTS, xor_steps.TARGETS, strict=True)]

    def epoch(weights: Any, _: Any) -> Any:
        for x, y in patterns:
            slopes = grad(lambda w, x=x, y=y: xor_steps.formula(w, x, y, sigmoid))(weights)
            weights = [w - xor_steps.LR * d for w, d in zip(weights, slopes, strict=True)]
        return weights, None

    def train(weights: Any) -> Any:
        return scan(epoch, weights, None, length=EPOCHS)[0]

    return train


def xor(rounds: int) -> None:
    import jax
    import xor_steps

    print(f"\nXOR, {4 * EPOCHS:,} steps of SGD")
    weights = xor_steps.flat()
    ours = mg.compile(training(mg.scan, mg.grad, mg.sigmoid), backend="c")
    peer = jax.jit(training(jax.lax.scan, jax.grad, jax.nn.sigmoid))
    times = compare({"ours": lambda: ours(weights), "JAX, jitted": lambda: peer(weights)}, rounds)
    torch = xor_steps.CONTESTANTS["torch, rows"]()
    taken = []
    for _ in range(rounds):
        gc.collect()
        start = time.process_time()
        torch()
        taken.append((time.process_time() - start) * EPOCHS / xor_steps.EPOCHS)
    found = []
    for x in xor_steps.INPUTS:  # the formula is the square of prediction - target
        w = ours(weights)
        found.append(math.sqrt(xor_steps.formula(w, x, [0.0])))
    print(f"  predictions: {', '.join(f'{x:.4f}' for x in found)}")
    if [round(x, 4) for x in found] != [0.0483, 0.9567, 0.9425, 0.0434]:
        raise RuntimeError("these are not the numbers of the notebook")
    t = times["ours"]
    target("PyTorch's loop takes times its time", statistics.median(taken) / t, operator.ge, 1_000)
    target("its time, times JAX's", t / times["JAX, jitted"], operator.le, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11, help="rounds of each comparison")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, a shorter eager loop")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        memory()
        return
    rounds = 3 if options.quick else options.rounds
    names = ", ".join(
        f"{name} {version(name)}" for name in ("microgradlib", "numpy", "jax", "torch")
    )
    print(f"CPython {sys.version.split()[0]}, {names}; {rounds} rounds", flush=True)
    long_pendulum()  # first, as its process would begin with the memory of this one
    import jax

    jax.config.update("jax_enable_x64", True)
    pendulum(rounds, options.quick)
    option(rounds)
    xor(rounds)


if __name__ == "__main__":
    main()
