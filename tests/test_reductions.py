"""The functions of many numbers, on floats, beyond the reference values of their rows."""

from decimal import Decimal, localcontext
from fractions import Fraction
from math import fsum, inf, isnan, log1p, nan, nextafter, ulp
from random import Random

import pytest

from microgradlib.numeric import reductions


@pytest.mark.parametrize("x", [-1e-300, -1e-100, -1e-17, -1e-5, -0.3, -0.7, -2.0, -30.0])
def test_logsumexp_where_the_sum_is_nearly_1(x: float) -> None:
    with localcontext() as context:
        context.prec = 1000
        y = float((1 - Decimal(x).exp()).ln())
        xs = [x, y]
        exact = Fraction((Decimal(x).exp() + Decimal(y).exp()).ln())
    assert abs(Fraction(reductions.logsumexp(xs)) - exact) <= 4 * Fraction(ulp(float(exact)))
    assert reductions.logsumexp([*xs, -900.0]) == reductions.logsumexp(xs)


@pytest.mark.parametrize("x", [-1e-100, -1e-17, -1e-9, -1e-5, -0.02, -0.1, -0.5, -1.2, -3.0])
def test_logsumexp_where_even_the_rest_of_a_cancellation_cancels(x: float) -> None:
    with localcontext() as context:
        context.prec = 500
        rest = 1 - Decimal(x).exp()
        y = nextafter(float(rest.ln()), -inf)
        z = float((rest - Decimal(y).exp()).ln())
        exact = Fraction(sum(Decimal(t).exp() for t in (x, y, z)).ln())
    assert abs(Fraction(reductions.logsumexp([x, y, z])) - exact) <= 4 * Fraction(ulp(float(exact)))


@pytest.mark.parametrize("index", [-1.0, -0.5, 0.5, 2.0, 3.0, nan, inf])
def test_select_takes_an_index_in_range(index: float) -> None:
    assert [reductions.select(5.0, 6.0, i) for i in (0.0, -0.0, 1.0)] == [5.0, 5.0, 6.0]
    with pytest.raises(ValueError, match=r"^index out of range$"):
        reductions.select(5.0, 6.0, index)


def test_infinite_inputs() -> None:
    assert reductions.logsumexp([inf, 0.0]) == inf
    assert reductions.softmax([inf, 0.0]) == [1.0, 0.0]
    assert reductions.softmax([-inf, 0.0]) == [0.0, 1.0]
    assert reductions.log_softmax([inf, 0.0]) == [0.0, -inf]
    assert reductions.log_softmax([-inf, 0.0, 0.0])[0] == -inf
    assert all(map(isnan, reductions.softmax([nan, 0.0])))
    assert all(map(isnan, reductions.softmax([inf, inf, nan])))
    assert all(map(isnan, reductions.log_softmax([-inf, nan])))


@pytest.mark.parametrize("xs", [[inf, inf], [inf, 0.0, inf], [-inf], [-inf, -inf]])
def test_softmax_of_what_has_no_limit(xs: list[float]) -> None:
    message = r"^softmax is undefined when every input is -inf, or two are inf$"
    for f in (reductions.softmax, reductions.log_softmax):
        with pytest.raises(ValueError, match=message):
            f(xs)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_dot_and_partials(n: int) -> None:
    rng = Random(n)
    bias, *factors = [rng.uniform(-1.0, 1.0) for _ in range(1 + 2 * n)]
    ws, xs = factors[:n], factors[n:]
    value, partials = reductions.dot_and_partials(bias, *factors)
    assert value == reductions.dot(bias, *factors)
    assert partials == (1.0, *xs, *ws)


def test_products_are_added_from_left_to_right() -> None:
    for f in (reductions.dot, lambda *xs: reductions.dot_and_partials(*xs)[0]):
        assert f(1e16, 1.0, -1e16, 1.0, 1.0) == 0.0


MAX = nextafter(inf, 0.0)


@pytest.mark.parametrize(
    ("xs", "total", "mean"),
    [
        ([1e308, 1e308, -1e308], 1e308, 1e308 / 3),
        ([-1e308, -1e308, 1e308, 5e-324], -1e308, -1e308 / 4),
        ([1e308, 1e308, -1e308, -1e308, 5e-324], 5e-324, 0.0),
        ([MAX, MAX, -MAX, -MAX, 1.0, 3 * 2.0**-53], 1.0 + 2.0**-51, (1.0 + 2.0**-51) / 6),
        ([MAX, MAX, -MAX, -MAX, 1.0, 2.0**-53, 2.0**-200], 1.0 + 2.0**-52, (1.0 + 2.0**-52) / 7),
        ([MAX, MAX, -MAX, -MAX, 1.0, 2.0**-53, 5e-324], 1.0 + 2.0**-52, (1.0 + 2.0**-52) / 7),
        ([MAX, MAX, -MAX, -MAX, 2.0**-53, 1.0, -5e-324], 1.0, 1.0 / 7),
        ([1.5e308, 1.5e308], inf, 1.5e308),
        ([MAX, MAX, MAX], inf, MAX),
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
