"""Sums without rounding: they are those of fractions, whatever the order and the division."""

import math
import sys
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from microgradlib.numeric.exact import exact_sum, partials

LARGEST = sys.float_info.max
# All finite floats, with subnormal ones and -0.0, and others that cancel and overflow on the way.
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(1e-300, 1e300).flatmap(lambda x: st.sampled_from([x, -x])),
    st.sampled_from([LARGEST, -LARGEST, 1e308, -1e308, 5e-324, -5e-324, 2.0**970, -(2.0**970)]),
    st.floats(-10.0, 10.0),
)
LISTS = st.lists(NUMBERS, max_size=30)


def true_sum(xs: list[float]) -> Fraction:
    return sum(map(Fraction, xs), Fraction())


@given(LISTS)
@example([LARGEST] * 5 + [5e-324])
@example([-LARGEST, -LARGEST, 1.0, LARGEST, 2.0**970])
def test_partials_have_exactly_the_sum(xs: list[float]) -> None:
    found = partials(xs)
    assert true_sum(found) == true_sum(xs)
    assert all(map(math.isfinite, found))
    assert 0.0 not in found


@given(st.lists(st.floats(-1e300, 1e300), max_size=30))
def test_each_partial_is_the_rounded_rest(xs: list[float]) -> None:
    rest = true_sum(xs)
    for x in partials(xs):
        assert x == float(rest)
        rest -= Fraction(x)
    assert rest == 0


def test_few_partials_of_many_numbers() -> None:
    assert len(partials([0.1 * i for i in range(10_000)])) == 2
    assert partials([]) == partials([0.0, -0.0]) == partials([1.0, -1.0]) == []
    assert partials([LARGEST] * 3) == [LARGEST] * 3
    assert partials([-LARGEST, -LARGEST, 1.0]) == [-LARGEST, -LARGEST, 1.0]


@given(LISTS)
@example([LARGEST, 2.0**970])  # half way to what would be the next float
@example([LARGEST, 2.0**970, -5e-324])
@example([-LARGEST, -(2.0**970), 5e-324])
@example([1e308, 1e308, -1e308])
@example([LARGEST, LARGEST, -LARGEST, 5e-324])
def test_the_sum_is_rounded_once(xs: list[float]) -> None:
    try:
        expected = float(true_sum(xs))
    except OverflowError:
        with pytest.raises(OverflowError):
            exact_sum(xs)
        return
    assert exact_sum(xs).hex() == expected.hex()


@given(LISTS)
def test_the_sum_is_that_of_fsum_where_that_does_not_fail(xs: list[float]) -> None:
    try:
        expected = math.fsum(xs)
    except OverflowError:
        return
    assert exact_sum(xs).hex() == expected.hex()


@pytest.mark.parametrize("x", [math.inf, -math.inf, math.nan])
def test_partials_of_what_is_not_finite(x: float) -> None:
    with pytest.raises(ValueError, match=f"partials: expected finite numbers, got a sum of {x}"):
        partials([1.0, x])
