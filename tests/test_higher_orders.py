"""Derivatives of orders 1 to 4 of every row of the table, helpers included, against truths."""

import json
from fractions import Fraction
from math import inf, isfinite
from pathlib import Path
from typing import Any

import pytest
from truths.measure import promised_ulps, ulps
from truths.points import static

import microgradlib as mg
from microgradlib.core.primitive import Primitive
from microgradlib.core.table import PRIMITIVES
from microgradlib.testing import arities

TRUTHS = json.loads((Path(__file__).parent / "truths" / "higher.json").read_text("ascii"))
ROWS = list(PRIMITIVES.values())

# The largest relative error of each order.
LIMITS = {1: 1e-14, 2: 1e-13, 3: 1e-13, 4: 1e-13}

# Their second derivatives are differences of two terms, and have roots.
DIFFERENCES = {"gelu", "gelu_tanh", "silu"}

Truth = tuple[float, float]


def cases(row: Primitive) -> list[tuple[tuple[float, ...], dict[str, Truth]]]:
    """Return the stored points of a row, each with its derivatives: "01" is d2/dx0 dx1."""
    return [
        (
            tuple(map(float.fromhex, inputs)),
            {order: (float.fromhex(a), float.fromhex(b)) for order, (a, b) in truths.items()},
        )
        for inputs, truths in TRUTHS[row.name]
    ]


def name(row: Primitive) -> str:
    return row.name


def relative_error(x: float, truth: Truth) -> float:
    high, low = truth
    if high == 0.0 or not isfinite(x):
        return 0.0 if x == high else inf
    return float(abs(Fraction(x) - Fraction(high) - Fraction(low)) / abs(Fraction(high)))


def reverse(row: Primitive, order: str) -> Any:
    """Return a derivative by gradients of gradients."""
    f: Any = lambda *xs: row(*xs)  # noqa: E731
    for i in order:
        f = mg.grad(f, int(i))
    return f


def forward(row: Primitive, order: str) -> Any:
    """Return a derivative by tangents of tangents."""

    def along(f: Any, i: int) -> Any:
        def derivative(*xs: Any) -> Any:
            n = len(xs) - static(row)
            tangents = tuple([float(i == j) for j in range(n)])
            return mg.jvp(lambda *free: f(*free, *xs[n:]), xs[:n], tangents)[1]

        return derivative

    f: Any = lambda *xs: row(*xs)  # noqa: E731
    for i in order:
        f = along(f, int(i))
    return f


def test_every_row_has_truths() -> None:
    assert list(TRUTHS) == list(PRIMITIVES)
    for row in ROWS:
        moderate = [truths for _, truths in cases(row) if len(truths) > 1]
        assert len(moderate) == 10
        assert {len(order) for truths in moderate for order in truths} == {1, 2, 3, 4}


@pytest.mark.parametrize("mode", [reverse, forward])
@pytest.mark.parametrize("row", ROWS, ids=name)
def test_orders_1_to_4(row: Primitive, mode: Any) -> None:
    worst = dict.fromkeys(LIMITS, 0.0)
    for inputs, truths in cases(row):
        if len(truths) > 1:
            for order, truth in truths.items():
                derivative = mode(row, order)(*inputs)
                error = relative_error(derivative, truth)
                worst[len(order)] = max(worst[len(order)], error)
                assert error <= LIMITS[len(order)], (inputs, order, derivative, truth)
    print(f"{row.name}:", *[f"{error:.1e}" for error in worst.values()])


@pytest.mark.parametrize(
    "row", [row for row in ROWS if arities(row) == (1,) and not row.helper], ids=name
)
def test_second_derivatives_in_ulp(row: Primitive) -> None:
    """Closed forms, near the singularities and in the tails, too."""
    worst = 0.0
    for inputs, truths in cases(row):
        with mg.allow_nonfinite():
            derivative = reverse(row, "00")(*inputs)
        error = ulps(derivative, truths["00"])
        worst = max(worst, error)
        if row.name in DIFFERENCES:
            error, limit = relative_error(derivative, truths["00"]), LIMITS[2]
        else:
            limit = promised_ulps(row)
        assert error <= limit, (inputs, derivative, truths["00"])
    print(f"{row.name}: second derivative within {worst:.2f} ulp")


def test_a_small_error_is_seen() -> None:
    assert relative_error(1.0 + 2e-13, (1.0, 0.0)) > LIMITS[4]
    assert relative_error(0.0, (1e-300, 0.0)) == 1.0
    assert relative_error(1e-300, (0.0, 0.0)) == inf
