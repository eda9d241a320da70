"""Fit a curve to 100,000 points, and 10,000 curves at once: ``python examples/fit_many.py``.

The residuals of a curve fit have one row of derivatives for each point. ``vmap`` of a compiled
gradient gives all rows, and the method of Levenberg and Marquardt fits a damped oscillation with
them. Then 10,000 decays of ten points each are fitted by Newton's method: ``vmap`` of a compiled
Hessian gives their matrices, which also say how uncertain the results are.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import microgradlib as mg
from microgradlib.errors import CompileError

try:
    import numpy as np
except ModuleNotFoundError:
    sys.exit('fit_many.py: needs NumPy; install it with: pip install "microgradlib[examples]"')

NAMES = ("amplitude", "decay", "frequency", "phase", "offset")
TRUE = np.array([2.0, 0.3, 5.0, 0.4, -0.5])
GUESS = np.array([1.5, 0.5, 4.8, 0.0, 0.0])
NOISE = 0.1
TIMES = np.linspace(0.1, 2.0, 10)  # of the points of a decay


def oscillation(p: Any, t: Any) -> Any:
    """Return the height at a time."""
    amplitude, decay, frequency, phase, offset = p
    return amplitude * mg.exp(-decay * t) * mg.cos(frequency * t + phase) + offset


def misfit(p: Any, ys: Any) -> Any:
    """Return half the sum of the squared errors of a decay, in units of the noise."""
    errors = [p[0] * mg.exp(-p[1] * t) - y for t, y in zip(TIMES.tolist(), ys, strict=True)]
    return 0.5 * mg.dot(errors, errors) / NOISE**2


def best_backend() -> Any:
    try:
        mg.compile(lambda x: x + 1.0, backend="c")(1.0)
    except CompileError:
        return "python"
    return "c"


def timed(name: str, f: Callable[..., Any], *args: Any) -> Any:
    """Print how long the second call of a function takes; return its result."""
    f(*args)  # traces it
    start = time.perf_counter()
    result = f(*args)
    print(f"  {name:32}{1e3 * (time.perf_counter() - start):9.2f} ms", flush=True)
    return result


def differences(f: Callable[[Any], Any], p: Any, h: float = 1e-5) -> Any:
    """Return the derivatives of f in each entry of the last axis of p, as the last axis."""
    slopes = [(f(p + x) - f(p - x)) / (2.0 * h) for x in h * np.eye(p.shape[-1])]
    return np.stack(slopes, axis=-1)


def levenberg_marquardt(rows: Callable[[Any], Any], ys: Any, p: Any) -> tuple[Any, Any]:
    """Return the minimum and the covariance. See Marquardt (1963), J. SIAM 11, 431-441."""
    damping, (values, jacobian) = 1e-3, rows(p)
    for _ in range(100):
        errors, normal = values - ys, jacobian.T @ jacobian
        damped = normal + damping * np.diag(normal.diagonal())
        step = np.linalg.solve(damped, -jacobian.T @ errors)
        new = rows(p + step)
        if ((new[0] - ys) ** 2).sum() < (errors**2).sum():
            p, (values, jacobian), damping = p + step, new, 0.1 * damping
        else:
            damping *= 10.0
        if np.abs(step).max() < 1e-10:
            return p, NOISE**2 * np.linalg.inv(normal)
    sys.exit("fit_many.py: the fit of the curve does not converge")


def check(name: str, off: float, most: float) -> None:
    """Print by how much something is off; exit if that is too much."""
    print(f"  {name:32}{off:9.1e}")
    if not off <= most:
        sys.exit(f"fit_many.py: that is more than {most:.0e}")


def fit_curve(points: int, backend: Any, random: Any) -> None:
    ts = np.linspace(0.0, 10.0, points)

    def in_numpy(p: Any) -> Any:
        return p[0] * np.exp(-p[1] * ts) * np.cos(p[2] * ts + p[3]) + p[4]

    ys = in_numpy(TRUE) + random.normal(0.0, NOISE, points)
    rows = mg.vmap(mg.compile(mg.value_and_grad(oscillation), backend=backend), (None, 0))
    print(f"A curve through {points:,} points, backend {backend}")
    _, jacobian = timed("value and Jacobian", rows, GUESS, ts)
    about = timed("Jacobian by finite differences", differences, in_numpy, GUESS)
    check("these are off by", np.abs(jacobian - about).max(), 1e-7)
    start = time.perf_counter()
    p, covariance = levenberg_marquardt(lambda p: rows(p, ts), ys, GUESS)
    print(f"  {'fit':32}{1e3 * (time.perf_counter() - start):9.2f} ms")
    errors = np.sqrt(covariance.diagonal())
    for name, x, error, true in zip(NAMES, p, errors, TRUE, strict=True):
        print(f"  {name:10}{x:10.5f} +- {error:.5f}  true {true:10.5f}")
    check("standard errors off, at most", (np.abs(p - TRUE) / errors).max(), 5.0)


def fit_decays(count: int, backend: Any, random: Any) -> None:
    true = random.uniform([2.0, 0.5], [4.0, 1.5], (count, 2))
    ys = true[:, :1] * np.exp(-true[:, 1:] * TIMES) + random.normal(0.0, NOISE, (count, len(TIMES)))
    slopes = mg.vmap(mg.compile(mg.grad(misfit), backend=backend))
    curvatures = mg.vmap(mg.compile(mg.hessian(misfit), backend=backend))
    heights = ys[:, :3].mean(axis=1), ys[:, 3:6].mean(axis=1)  # from these fits begin
    decays = np.log(heights[0] / heights[1]) / (TIMES[3] - TIMES[0])
    p = np.column_stack([heights[0] * np.exp(decays * TIMES[1]), decays])

    def in_numpy(p: Any) -> Any:
        errors = p[..., :1] * np.exp(-p[..., 1:] * TIMES) - ys
        return 0.5 * (errors**2).sum(axis=-1) / NOISE**2

    print(f"{count:,} decays of {len(TIMES)} points")
    hessians = timed("Hessians", curvatures, p, ys)
    slope = partial(differences, in_numpy, h=1e-4)
    about = timed("by finite differences twice", differences, slope, p, 1e-4)
    check("relative to the largest, off by", np.abs(hessians - about).max() / hessians.max(), 1e-5)
    start = time.perf_counter()
    for _ in range(8):
        p = p - np.linalg.solve(curvatures(p, ys), slopes(p, ys)[..., None])[..., 0]
    print(f"  {'fits':32}{1e3 * (time.perf_counter() - start):9.2f} ms")
    check("largest gradient left", np.abs(slopes(p, ys)).max(), 1e-6)
    errors = np.sqrt(np.linalg.inv(curvatures(p, ys)).diagonal(axis1=1, axis2=2))
    within = (np.abs(p - true) < errors).mean()
    check("within a standard error, off 68 %", abs(within - 0.683), 0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=["c", "python"], help="c if there is a compiler")
    backend = parser.parse_args().backend or best_backend()
    random = np.random.default_rng(42)
    fit_curve(100_000 if backend == "c" else 10_000, backend, random)
    fit_decays(10_000 if backend == "c" else 1_000, backend, random)


if __name__ == "__main__":
    main()
