"""Differentiate through a simulation of 10,000 steps: ``python examples/pendulum.py``.

A pendulum swings without friction. Its period and its position after some seconds come out of a
loop that integrates the equation of motion, and their derivatives with respect to the length and
the starting angle come out of the same loop, run on Values. The exact period is an elliptic
integral, here by the arithmetic-geometric mean of Gauss; it checks both.
"""

import sys
import time
from typing import Any

import microgradlib as mg
import microgradlib.math as math

GRAVITY = 9.81
STEPS = 10_000


def swing(angle: Any, length: Any, seconds: Any) -> tuple[Any, Any]:
    """Return the angle and the angular velocity of a pendulum that starts at rest.

    Integrated with the leapfrog method, whose error falls with the square of the step.
    """
    h = seconds / STEPS
    k = -GRAVITY / length
    velocity = 0.5 * h * k * math.sin(angle)
    for _ in range(STEPS - 1):
        angle = angle + h * velocity
        velocity = velocity + h * k * math.sin(angle)
    angle = angle + h * velocity
    return angle, velocity + 0.5 * h * k * math.sin(angle)


def exact_period(angle: Any, length: Any) -> Any:
    """Return 2 pi sqrt(length / g) / agm(1, cos(angle / 2))."""
    a, b = 1.0, math.cos(0.5 * angle)
    for _ in range(6):
        a, b = 0.5 * (a + b), math.sqrt(a * b)
    return 2.0 * math.pi * math.sqrt(length / GRAVITY) / a


def period(angle: Any, length: Any) -> Any:
    """Return the period of the simulated pendulum: four times the first time it hangs straight.

    From the floating-point quarter period, one step of Newton's method with the simulated angle and
    velocity makes the result depend on the inputs as the simulation says.
    """
    quarter = 0.25 * exact_period(float_of(angle), float_of(length))
    for _ in range(2):  # after the first step the error is that of rounding
        position, velocity = swing(angle, length, quarter)
        quarter = quarter - position / velocity
        quarter, last = float_of(quarter), quarter
    return 4.0 * last


def float_of(x: Any) -> float:
    return x.data if isinstance(x, mg.Value) else float(x)


def main() -> int:
    angle, length = 2.0, 1.5  # radians, meters
    checks: list[tuple[str, float, float, float]] = []

    start = time.perf_counter()
    simulated, slopes = mg.value_and_grad(period, argnums=(0, 1))(angle, length)
    seconds = time.perf_counter() - start
    exact, exact_slopes = mg.value_and_grad(exact_period, argnums=(0, 1))(angle, length)
    checks.append(("period", simulated, exact, 1e-7))
    checks.append(("  d/d angle", slopes[0], exact_slopes[0], 1e-6))
    checks.append(("  d/d length", slopes[1], exact_slopes[1], 1e-6))
    checks.append(("  length scales it", 2.0 * length * slopes[1], simulated, 1e-7))

    # The position after five seconds, against differences over a small step on both sides.
    def position(angle: Any, length: Any) -> Any:
        return swing(angle, length, 5.0)[0]

    after, (by_angle, by_length) = mg.value_and_grad(position, argnums=(0, 1))(angle, length)
    h = 1e-5
    difference = (position(angle + h, length) - position(angle - h, length)) / (2.0 * h)
    checks.append(("angle after 5 s, d/d angle", by_angle, difference, 1e-7))
    difference = (position(angle, length + h) - position(angle, length - h)) / (2.0 * h)
    checks.append(("angle after 5 s, d/d length", by_length, difference, 1e-7))

    # Forward mode carries a tangent through the same loop; the derivative must be the same.
    forward, directional = mg.jvp(position, (angle, length), (1.0, 0.0))
    checks.append(("angle after 5 s, forward mode", directional, by_angle, 1e-9))
    checks.append(("angle after 5 s", forward, after, 1e-15))

    failed = False
    print(
        f"a pendulum of {length} m from {angle} rad, {STEPS:,} steps; gradient in {seconds:.1f} s"
    )
    for name, computed, expected, tolerance in checks:
        passed = abs(computed - expected) <= tolerance * abs(expected)
        failed = failed or not passed
        mark = "ok  " if passed else "FAIL"
        print(f"{mark} {name:30}{computed:20.12f}  expected {expected:20.12f}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
