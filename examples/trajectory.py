"""Fit an equation of motion through 100,000 steps: ``python examples/trajectory.py``.

A damped pendulum is driven by a force. Its angle was measured 10,000 times, with noise. Between two
measurements are ten steps of the Runge-Kutta method: one ``mg.scan`` goes through the measurements,
and one in its step through these. The gradient comes from the way back through both, and the method
of Broyden, Fletcher, Goldfarb and Shanno finds the damping, the stiffness and the force with it.
Where there is a C compiler, all of that is machine code; without one there are fewer steps.
"""

import argparse
import random
import sys
import time
import tracemalloc
from functools import partial
from typing import Any

import microgradlib as mg
import microgradlib.math as math
from microgradlib.errors import CompileError

try:
    import numpy as np
    from tqdm import tqdm
except ModuleNotFoundError as error:
    sys.exit(f'trajectory.py: {error}; install it with: pip install "microgradlib[examples]"')

SECONDS, FREQUENCY, NOISE = 100.0, 0.7, 0.05
NAMES = ("damping", "stiffness", "force", "noise")
TRUE, GUESS = [0.1, 1.3, 0.4, NOISE], [0.15, 1.2, 0.3]
INNER = 10  # steps between two measurements

Numbers = list[Any]


def rates(p: Numbers, state: Numbers, time: Any) -> Numbers:
    """Return the derivatives of angle and velocity with respect to time."""
    damping, stiffness, force = p
    angle, velocity = state
    pull = damping * velocity + stiffness * math.sin(angle)
    return [velocity, force * math.cos(FREQUENCY * time) - pull]


def runge_kutta(p: Numbers, state: Numbers, time: Any, h: float) -> Numbers:
    """Return the state one step later, by the method of fourth order."""

    def moved(by: float, slope: Numbers) -> Numbers:
        return [x + by * k for x, k in zip(state, slope, strict=True)]

    k1 = rates(p, state, time)
    k2 = rates(p, moved(0.5 * h, k1), time + 0.5 * h)
    k3 = rates(p, moved(0.5 * h, k2), time + 0.5 * h)
    k4 = rates(p, moved(h, k3), time + h)
    slope = [a + 2.0 * (b + c) + d for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]
    return moved(h / 6.0, slope)


def simulate(p: Numbers, measured: Any, every: int = 1) -> tuple[Any, Any]:
    """Return the mean square of the errors, summed up in the carry, and the angles."""
    h = SECONDS / len(measured) / INNER

    def inner(carry: Any, _: None) -> tuple[Any, None]:
        state, time = carry
        return (runge_kutta(p, state, time, h), time + h), None

    def outer(carry: Any, y: Any) -> tuple[Any, Any]:
        total, moving = carry
        moving, _ = mg.scan(inner, moving, length=INNER)
        angle = moving[0][0]
        return (total + (angle - y) ** 2, moving), angle

    (total, _), angles = mg.scan(outer, (0.0, ([1.0, 0.0], 0.0)), measured, checkpoint=every)
    return total / len(measured), angles


def loss(p: Numbers, measured: Any, every: int) -> Any:
    return simulate(p, measured, every)[0]


def best_backend() -> Any:
    try:
        mg.compile(lambda x: x + 1.0, backend="c")(1.0)
    except CompileError:
        return "python"
    return "c"


def fit(value_and_grad: Any, p: Any) -> Any:
    """Return the minimum near p. See Nocedal and Wright, Numerical Optimization, algorithm 6.1."""
    value, slope = value_and_grad(p)
    inverse = np.eye(len(p))  # of the Hessian, as far as it is known
    with tqdm(desc="fit", unit=" iterations", disable=None) as progress:
        while np.abs(slope).max() > 1e-8 and progress.n < 100:
            step = -inverse @ slope
            step *= min(1.0, 0.2 / np.abs(step).max())
            while (new := value_and_grad(p + step))[0] > value + 1e-4 * slope @ step:
                step = 0.5 * step
                if np.abs(step).max() < 1e-12:
                    return p  # nothing is left but rounding errors
            change = new[1] - slope
            p, (value, slope) = p + step, new
            if (curvature := change @ step) > 0.0:
                left = np.eye(len(p)) - np.outer(step, change) / curvature
                inverse = left @ inverse @ left.T + np.outer(step, step) / curvature
            progress.update()
            progress.set_postfix_str(f"loss {value:.8f}")
    return p


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=["c", "python"], help="c if there is a compiler")
    backend = parser.parse_args().backend or best_backend()
    rows = 10_000 if backend == "c" else 500
    noise, guess = random.Random(42), np.array(GUESS)
    exact = mg.compile(simulate, backend=backend)(TRUE[:3], np.zeros(rows))[1]
    measured = np.array([x + noise.gauss(0.0, NOISE) for x in exact])

    print(f"The gradient through {rows * INNER:,} steps, backend {backend}:", flush=True)
    found = []
    for name, checkpoint in {"all carries": 1, "checkpoints": round(rows**0.5)}.items():
        compiled = mg.compile(mg.value_and_grad(loss), backend=backend, static_argnames="every")
        slopes = partial(compiled, measured=measured, every=checkpoint)
        slopes(guess)  # traces the function
        start = time.perf_counter()
        found.append(slopes(guess)[1])
        seconds = time.perf_counter() - start
        tracemalloc.start()
        slopes(guess)
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"  {name} kept: {seconds:.3f} s, {memory / 1e6:.2f} MB", flush=True)
    ends = [[slopes(guess + x)[0] for x in (h, -h)] for h in 1e-4 * np.eye(3)]
    off = max(abs((a - b) / 2e-4 - x) for (a, b), x in zip(ends, found[0], strict=True))
    print(f"  finite differences are {off:.1e} off, of {np.abs(found[0]).max():.1e}")
    if off > 1e-5 * np.abs(found[0]).max() or not np.array_equal(*found):
        sys.exit(f"trajectory.py: that is too much, or these differ: {found}")

    start = time.perf_counter()
    p = fit(slopes, guess)
    print(f"The fit, in {time.perf_counter() - start:.1f} s:")
    for name, x, true in zip(NAMES, [*p, slopes(p)[0] ** 0.5], TRUE, strict=True):
        print(f"  {name:10}{x:9.5f}  true {true:9.5f}")
    if np.abs(p - TRUE[:3]).max() > 10.0 * NOISE / rows**0.5:
        sys.exit("trajectory.py: that is too far off")


if __name__ == "__main__":
    main()
