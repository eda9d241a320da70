"""Newton's method with exact Hessians, in plain Python: ``python examples/newton.py``.

Near a minimum the error of each step is about the square of the error before, times a constant: the
number of correct digits doubles. With a Hessian that is not exact that is lost, and the quotient of
the error and the square before grows without bound.
"""

import math
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import microgradlib as mg

Vector = list[float]
Function = Callable[[Sequence[Any]], Any]


def solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> Vector:
    """Return x with matrix x = right, by elimination with partial pivoting."""
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    n = len(rows)
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(i + 1, n):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    x = [0.0] * n
    for i in reversed(range(n)):
        rest = sum(rows[i][k] * x[k] for k in range(i + 1, n))
        x[i] = (rows[i][n] - rest) / rows[i][i]
    return x


def newton(f: Function, start: Vector, steps: int) -> list[Vector]:
    """Return the start and the point after each step."""
    gradient, hessian = mg.grad(f), mg.hessian(f)
    path = [start]
    for _ in range(steps):
        x = path[-1]
        step = solve(hessian(x), gradient(x))
        path.append([a - b for a, b in zip(x, step, strict=True)])
    return path


def rosenbrock(x: Sequence[Any]) -> Any:
    return mg.sum([100.0 * (b - a**2) ** 2 + (1.0 - a) ** 2 for a, b in pairwise(x)])


def bowl(x: Sequence[Any]) -> Any:
    """Return log(e^x + e^-x + e^y + e^-y + e^(x - y - 1)): smooth, and nowhere quadratic."""
    a, b = x
    return mg.logsumexp([a, -a, b, -b, a - b - 1.0])


def triangle(x: Sequence[Any]) -> Any:
    """Return the sum of the distances from (0, 0), (4, 0) and (0, 3): Fermat's problem."""
    corners = [(0.0, 0.0), (4.0, 0.0), (0.0, 3.0)]
    return mg.sum([mg.hypot(x[0] - a, x[1] - b) for a, b in corners])


PROBLEMS: list[tuple[str, Function, Vector, int]] = [
    ("Rosenbrock's valley, 4 inputs", rosenbrock, [1.02, 1.05, 1.1, 1.2], 7),
    ("a bowl of exponentials", bowl, [0.4, 0.3], 5),
    ("Fermat's point of a triangle", triangle, [1.0, 1.0], 6),
]


def main() -> int:
    failed = False
    for name, f, start, steps in PROBLEMS:
        path = newton(f, start, steps)
        best = path[-1]
        errors = [math.dist(x, best) for x in path[:-1]]
        print(f"{name}: minimum {f(best):.12g} at ({', '.join(f'{a:.12g}' for a in best)})")
        print("  distance from it, step by step:", *[f"{error:.1e}" for error in errors])

        quotients = [b / a**2 for a, b in pairwise(errors) if b > 1e-14]  # smaller b are rounding
        gradient = max(map(abs, mg.grad(f)(best)))
        print("  over the square of the one before:    ", *[f"{q:7.2f}" for q in quotients])
        print(f"  gradient there {gradient:.0e}")
        if gradient > 1e-12 or errors[-1] > 1e-12 or len(quotients) < 3 or max(quotients) > 100.0:
            failed = True
            print("  FAIL: this is no quadratic convergence")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
