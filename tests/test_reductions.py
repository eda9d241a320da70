"""The functions of many numbers, on floats, where the truths of their rows do not reach."""

from decimal import Decimal, localcontext
from fractions import Fraction
from math import fsum, inf, isnan, log1p, nan, nextafter, ulp

import pytest

from microgradlib import reductions


@pytest.mark.parametrize("x", [-1e-300, -1e-100, -1e-17, -1e-5, -0.3, -0.7, -2.0, -30.0])
def test_logsumexp_where_the_sum_is_nearly_1(x: float) -> None:
    with localcontext() as context:
        context.prec = 1000
        y = float((1 - Decimal(x).exp()).ln())
        xs = [x, y]
        truth = Fraction((Decimal(x).exp() + Decimal(y).exp()).ln())
    assert abs(Fraction(reductions.logsumexp(xs)) - truth) <= 4 * Fraction(ulp(float(truth)))


def test_infinite_inputs() -> None:
    assert reductions.logsumexp([inf, 0.0]) == inf
    assert reductions.softmax([inf, 0.0]) == [1.0, 0.0]
    assert reductions.softmax([-inf, 0.0]) == [0.0, 1.0]
    assert reductions.log_softmax([inf, 0.0]) == [0.0, -inf]
    assert reductions.log_softmax([-inf, 0.0, 0.0])[0] == -inf
    assert all(map(isnan, reductions.softmax([nan, 0.0])))


@pytest.mark.parametrize("xs", [[inf, inf], [inf, 0.0, inf], [-inf], [-inf, -inf]])
def test_softmax_of_what_has_no_limit(xs: list[float]) -> None:
    message = r"^softmax is undefined when every input is -inf, or two are inf$"
    for f in (reductions.softmax, reductions.log_softmax):
        with pytest.raises(ValueError, match=message):
            f(xs)


MAX = nextafter(inf, 0.0)


@pytest.mark.parametrize(
    ("xs", "total", "mean"),
    [
        ([1e308, 1e308, -1e308], 1e308, 1e308 / 3),
        ([-1e308, -1e308, 1e308, 5e-324], -1e308, -1e308 / 4),
        ([1e308, 1e308, -1e308, -1e308, 5e-324], 5e-324, 0.0),
        ([MAX, MAX, -MAX, -MAX, 1.0, 3 * 2.0**-53], 1.0 + 2.0**-51, (1.0 + 2.0**-51) / 6),
        ([1.5e308, 1.5e308], inf, 1.5e308),
        ([-1.5e308, -1.5e308, -1.5e308], -inf, -1.5e308),
        ([MAX, MAX], inf, MAX),
        ([MAX, 0.49 * ulp(MAX)], MAX, MAX / 2),
        ([MAX, 0.5 * ulp(MAX)], inf, MAX / 2 + ulp(MAX / 2)),
        ([1e308, 1e308, inf], inf, inf),
        ([1e308, 1e308, -inf], -inf, -inf),
        ([inf, -inf], nan, nan),
        ([1e308, 1e308, nan], nan, nan),
    ],
)
def test_sums_that_overflow_on_the_way(xs: list[float], total: float, mean: float) -> None:
    assert repr(reductions.total(*xs)) == repr(total)
    assert repr(reductions.mean(*xs)) == repr(mean)


def test_a_mean_is_a_rounded_sum_divided() -> None:
    xs = [0.1, 0.2, 0.4]
    assert reductions.mean(*xs) == fsum(xs) / 3


def test_far_apart() -> None:
    assert reductions.softmax([0.0, -745.0]) == [1.0, 5e-324]
    assert reductions.log_softmax([0.0, -30.0])[0] == -log1p(9.357622968840175e-14)
