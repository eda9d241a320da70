"""The functions of ``special`` where the truths end: at poles, at infinity, at NaN, on overflow."""

from collections.abc import Callable
from math import inf, isnan, nan

import pytest

from microgradlib.special import (
    cbrt_prime,
    digamma,
    gamma_prime,
    polygamma,
    power_dx,
    power_dy,
)

LIMITS: list[tuple[Callable[..., float], tuple[float, ...], float]] = [
    (power_dx, (nan, 2.0), nan),
    (power_dx, (2.0, nan), nan),
    (power_dx, (0.0, -1.0), -inf),
    (power_dx, (10.0, 400.0), inf),
    (power_dx, (10.0, 309.0), inf),
    (power_dx, (1e300, 1.02), 1.02e6),  # the power overflows, its slope does not
    (power_dy, (nan, 2.0), nan),
    (power_dy, (0.0, 0.0), 0.0),
    (power_dy, (0.0, -1.0), -inf),
    (cbrt_prime, (inf,), 0.0),
    (cbrt_prime, (-inf,), 0.0),
    (digamma, (nan,), nan),
    (digamma, (-inf,), nan),
    (digamma, (inf,), inf),
    (polygamma, (0, 2.5), digamma(2.5)),
    (polygamma, (1, nan), nan),
    (polygamma, (2, -inf), nan),
    (polygamma, (1, inf), 0.0),
    (gamma_prime, (nan,), nan),
    (gamma_prime, (-inf,), nan),
    (gamma_prime, (200.5,), inf),
    (gamma_prime, (-200.5,), 0.0),
    (gamma_prime, (172.0,), inf),
]


@pytest.mark.parametrize(("f", "inputs", "limit"), LIMITS)
def test_limits(f: Callable[..., float], inputs: tuple[float, ...], limit: float) -> None:
    assert f(*inputs) == pytest.approx(limit, rel=1e-9) or (isnan(f(*inputs)) and isnan(limit))


@pytest.mark.parametrize("x", [0.0, -0.0, -1.0, -170.0, -1e300])
def test_poles(x: float) -> None:
    for f in (digamma, gamma_prime, lambda x: polygamma(1, x)):
        with pytest.raises(ValueError, match=r"^a pole$"):
            f(x)


def test_the_order_of_polygamma() -> None:
    with pytest.raises(ValueError, match=r"^the order must be >= 0, got -1$"):
        polygamma(-1, 1.0)
