"""Minimize with SciPy and exact derivatives: ``python examples/scipy_minimize.py``.

``value_and_grad`` is what ``scipy.optimize.minimize`` takes with ``jac=True``, and ``hvp`` gives
the products with the Hessian (``hessp``) that its Newton methods ask for. The functions are plain
Python; one is a benchmark of optimizers, the other fits a curve to the records of 442 patients.
"""

import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import microgradlib as mg

try:
    from scipy.optimize import minimize, rosen_der, rosen_hess_prod
    from sklearn.datasets import load_diabetes
except ModuleNotFoundError as error:
    sys.exit(
        f'scipy_minimize.py: needs {error.name}; install it with: pip install "microgradlib[scipy]"'
    )

Function = Callable[[Sequence[Any]], Any]


def rosenbrock(x: Sequence[Any]) -> Any:
    """Return the height of a long, curved valley; its lowest point is (1, 1, ..., 1)."""
    return mg.sum([100.0 * (b - a**2) ** 2 + (1.0 - a) ** 2 for a, b in pairwise(x)])


def misfit(
    parameters: Sequence[Any], masses: Sequence[float], progressions: Sequence[float]
) -> Any:
    """Return the mean distance of the curve exp(a + b x + c x^2) from the data.

    The distance is quadratic for small errors and linear for large ones (the pseudo-Huber loss, of
    scale 50), so that outliers do not decide.
    """
    a, b, c = parameters
    errors = [
        (mg.exp(a + b * x + c * x**2) - y) / 50.0 for x, y in zip(masses, progressions, strict=True)
    ]
    return mg.mean([mg.hypot(1.0, error) - 1.0 for error in errors])


def newton(f: Function, start: Sequence[float]) -> Any:
    """Minimize with gradients and products with the Hessian."""
    return minimize(
        mg.value_and_grad(f),
        start,
        jac=True,
        hessp=lambda x, v: mg.hvp(f, (x,), (v,))[0],
        method="trust-ncg",
        options={"gtol": 1e-10},
    )


def simplex(f: Function, start: Sequence[float]) -> Any:
    """Minimize from values alone."""
    options = {"adaptive": True, "xatol": 1e-9, "fatol": 1e-13, "maxiter": 10**5, "maxfev": 10**5}
    return minimize(f, start, method="Nelder-Mead", options=options)


def report(name: str, f: Function, start: Sequence[float]) -> tuple[float, Any]:
    """Minimize in both ways; print their results, and return the distance between them."""
    ours, theirs = newton(f, start), simplex(f, start)
    apart = max(abs(a - b) for a, b in zip(ours.x, theirs.x, strict=True))
    print(
        f"{name:24} minimum {ours.fun:.3e} after {ours.nit:3} steps, "
        f"{theirs.nfev:5} evaluations without derivatives; {apart:.0e} apart"
    )
    return apart, ours


def main() -> int:
    checks = {}
    for n in (2, 5, 8):
        start = [-1.2 if i % 2 == 0 else 0.8 for i in range(n)]
        vector = [0.1 * (i + 1) for i in range(n)]
        gradient = mg.grad(rosenbrock)(start)
        (product,) = mg.hvp(rosenbrock, (start,), (vector,))
        exact = all(
            abs(a - b) <= 1e-12 * max(abs(b), 1.0)
            for a, b in zip(
                [*gradient, *product],
                [*rosen_der(start), *rosen_hess_prod(start, vector)],
                strict=True,
            )
        )
        checks[f"derivatives of Rosenbrock's function of {n}, against SciPy's own"] = exact
        apart, result = report(f"Rosenbrock, {n} inputs", rosenbrock, [0.5] * n)
        checks[f"the minimum of Rosenbrock's function of {n}"] = (
            max(abs(x - 1.0) for x in result.x) < 1e-6 and apart < 1e-5
        )

    data = load_diabetes(scaled=False)
    masses = [(row[2] - 25.0) / 5.0 for row in data.data.tolist()]  # body mass index, scaled
    progressions = data.target.tolist()

    def objective(parameters: Sequence[Any]) -> Any:
        return misfit(parameters, masses, progressions)

    apart, fit = report("Diabetes, 3 parameters", objective, [5.0, 0.0, 0.0])
    a, b, c = fit.x
    print(f"  disease progression = exp({a:.4f} {b:+.4f} x {c:+.4f} x^2), x = (BMI - 25) / 5")
    checks["the fit against the one without derivatives"] = apart < 1e-6
    # Values alone cannot find more: they hardly change where the gradient is below sqrt(rounding).
    checks["the gradient of the fit is zero"] = max(map(abs, mg.grad(objective)(fit.x))) < 1e-7

    for name, passed in checks.items():
        print(f"{'ok  ' if passed else 'FAIL'}  {name}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
