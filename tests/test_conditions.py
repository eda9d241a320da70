"""Comparisons in a trace: no decision in ``where``, and a bool everywhere else."""

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from compilers import compiler

import microgradlib as mg
from microgradlib import Value

BACKENDS = ["python", *["c"] * bool(compiler())]
POINTS = [(1.0, 2.0), (2.0, 1.0), (-1.0, -1.0), (0.0, -0.0), (math.nan, 1.0), (math.inf, 2.0)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: mg.where(x < y, x, y),
        lambda x, y: mg.where(x <= y, x * 2.0, y),
        lambda x, y: mg.where(x > 1, x, 3.0),
        lambda x, y: mg.where(y >= x, 2.0, y),
        lambda x, y: mg.where(x == y, x, y * y),
        lambda x, y: mg.where(y != 0.0, x, y),
        lambda x, y: mg.where(y, x, -x),
        lambda x, y: mg.where([x > 0.0, y > 0.0], [x, y], 0.0)[1],
        lambda x, y: mg.where(2.0 > 1.0, x, y),
    ],
)
def test_where_takes_no_decision(f: Callable[..., Any], backend: str) -> None:
    g = mg.compile(f, backend=backend)
    for x, y in POINTS:
        assert repr(g(x, y)) == repr(f(x, y))
    assert g.cache_info().made == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_derivatives_of_where(backend: str) -> None:
    def f(x: Any) -> Any:
        return mg.where(x > 0.5, x**3, mg.where(x < -0.5, -x, mg.sin(x)))

    for derived in (mg.value_and_grad(f), mg.grad(mg.grad(f))):
        g = mg.compile(derived, backend=backend)
        for x in (1.0, 0.2, -2.0):
            assert g(x) == pytest.approx(derived(x), rel=1e-15)
        assert g.cache_info().made == 1
    a, b = Value(2.0), Value(2.0)
    f(a).backward()
    mg.compile(f, backend=backend)(b).backward()
    assert a.grad == b.grad == 12.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_steps_with_where_are_loops(backend: str) -> None:
    def f(x: Any) -> Any:
        return mg.scan(lambda c, _: (mg.where(c < 3.0, c * 2.0, c - 1.0), c), x, length=6)

    g = mg.compile(f, backend=backend)
    for x in (0.5, 2.5, 100.0):
        assert g(x) == f(x)
    assert g.cache_info().made == 1
    slope = mg.grad(lambda x: f(x)[0] + mg.where(f(x)[0] > 4.0, x, 0.0))
    assert mg.compile(slope, backend=backend)(0.5) == slope(0.5)


@pytest.mark.parametrize(
    "use",
    [
        lambda c, d: c,
        lambda c, d: not c,
        lambda c, d: 1.0 if c else 2.0,
        lambda c, d: c * 2,
        lambda c, d: 1.5 - c,
        lambda c, d: 2.0**c + c / 4 - c // 1 + c % 2,
        lambda c, d: divmod(7, 1 + c),
        lambda c, d: (c & d, c | d, c ^ d, True & c, -c, +c, abs(c), c << 1, 1 >> c),
        lambda c, d: (c == d, c != d, c < d, c <= d, c > d, c >= d),
        lambda c, d: (max(c, d), min(c, d), sum([c, d]), sorted([c, d]), all([c, d]), any([c, d])),
        lambda c, d: [10.0, 20.0][c],
        lambda c, d: {True: 1.0, False: 2.0}[c],
        lambda c, d: (c, d) in {(True, False)},
        lambda c, d: f"{c} {c:>6} {c!r} {c!s}",
        lambda c, d: (int(c), float(c), complex(c), round(c), math.floor(c), math.trunc(c)),
        lambda c, d: (isinstance(c, bool), isinstance(c, int), isinstance(c, float)),
        lambda c, d: (copy.copy(c), copy.deepcopy(c), pickle.loads(pickle.dumps(c))),
        lambda c, d: math.isfinite(c),
    ],
)
def test_elsewhere_it_is_a_bool(use: Callable[..., Any]) -> None:
    def f(x: Any, y: Any) -> Any:
        return use(x < y, y < 1.5)

    g = mg.compile(f)
    for x, y in POINTS[:4]:
        assert repr(g(x, y)) == repr(f(x, y))


def test_it_adds_to_numbers_and_values() -> None:
    for x in (0.5, 2.0):
        assert mg.compile(lambda x: x * (x > 1.0) + (x < 1.0))(x) == x * (x > 1.0) + (x < 1.0)
    w = Value(2.0)
    mg.compile(lambda w: w * (w > 1.0))(w).backward()
    assert w.grad == 1.0
    with pytest.raises(TypeError, match="expected a number"):
        mg.compile(lambda x: Value(x > 1.0) * x)(2.0)


def test_after_the_trace_it_is_still_a_bool() -> None:
    kept: list[Any] = []

    def f(x: Any) -> Any:
        kept.append(x > 1.0)
        return x

    mg.compile(f)(2.0)
    assert bool(kept[0]) is True
