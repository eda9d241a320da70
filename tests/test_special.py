"""The functions on floats that the table needs, beyond the reference values of its rows."""

import math
from collections.abc import Callable
from fractions import Fraction
from math import comb, frexp, inf, isnan, nan, ulp
from random import Random

import pytest

from microgradlib.numeric import special

# function, inputs, result
LIMITS: list[tuple[Callable[..., float], tuple[float, ...], float]] = [
    (special.ratio, (3.0, 0.0), inf),
    (special.ratio, (3.0, -0.0), -inf),
    (special.ratio, (-3.0, 0.0), -inf),
    (special.ratio, (0.0, 0.0), 0.0),
    (special.reciprocal, (0.0,), inf),
    (special.reciprocal, (-0.0,), -inf),
    (special.rsqrt, (0.0,), inf),
    (special.rsqrt, (inf,), 0.0),
    (special.quotient_dy, (2.0, 0.0), -inf),
    (special.quotient_dy, (0.0, 0.0), 0.0),
    (special.power_dx, (0.0, -1.0), -inf),
    (special.power_dx, (0.0, 0.5), inf),
    (special.power_dx, (-0.0, -2.0), inf),
    (special.power_dx, (0.0, -2.0), -inf),
    (special.power_dx, (1e200, 3.0), inf),
    (special.power_dx, (1e-200, -3.0), -inf),
    (special.power_dy, (0.0, -1.0), -inf),
    (special.power_dy, (0.0, 0.0), 0.0),
    (special.power_dy, (-2.0, 3.0), nan),
    (special.power_dy, (1e-200, 3.0), 0.0),
    (special.power_dy, (1e200, 3.0), inf),
    (special.power_dy, (inf, -1.0), 0.0),
    (special.power_c_slope, (0.0, 2.0, 3.0), 0.0),
    (special.power_c_slope, (0.0, 1.0, 3.0), 0.0),
    (special.power_c_slope, (0.0, 0.5, 2.0), -inf),
    (special.cbrt_prime, (0.0,), inf),
    (special.cbrt_prime, (inf,), 0.0),
    (special.cbrt_prime, (-inf,), 0.0),
    (special.atan_prime, (-inf,), 0.0),
    (special.erf_prime, (inf,), 0.0),
    (special.digamma, (inf,), inf),
    (special.digamma, (-inf,), nan),
    (special.gamma_prime, (inf,), inf),
    (special.gamma_prime, (180.0,), inf),
    (special.gamma_prime, (-250.5,), 0.0),
    (special.gamma_prime, (-inf,), nan),
    (special.polygamma, (inf, 1), 0.0),
    (special.polygamma, (-inf, 1), nan),
    (special.power_dx, (10.0, 309.0), inf),
    *[(f, (nan,), nan) for f in (special.digamma, special.gamma_prime)],
    *[(f, (nan, 2.0), nan) for f in (special.power_dx, special.power_dy)],
    (special.power_dx, (2.0, nan), nan),
    (special.polygamma, (nan, 1), nan),
]


@pytest.mark.parametrize(("f", "inputs", "limit"), LIMITS)
def test_limits(f: Callable[..., float], inputs: tuple[float, ...], limit: float) -> None:
    result = f(*inputs)
    assert result == limit or (isnan(result) and isnan(limit))


@pytest.mark.parametrize(
    "f", [special.digamma, special.gamma_prime, lambda x: special.polygamma(x, 1)]
)
@pytest.mark.parametrize("x", [0.0, -0.0, -1.0, -30.0, -1e16])
def test_poles(f: Callable[[float], float], x: float) -> None:
    with pytest.raises(ValueError, match=r"^a pole$"):
        f(x)


@pytest.mark.parametrize(
    ("x", "exact"),
    [
        (-150.3, -1.101891694952797e-262),
        (-170.6, -8.584643039396198e-308),
        (-171.7, 2.4440453186881e-310),
        (-174.5000001, -1.91025477e-316),
        (-176.4, -1.3053e-320),
        (-177.5, 3.5e-323),
        (-179.000000001, 8.96004655170426e-310),
        (-199.5, 0.0),
        (171.25, 1.3482579405705072e308),
        (171.3, 1.7434880248838883e308),
        (171.35, inf),
    ],
)
def test_gamma_prime_next_to_the_ends_of_the_range(x: float, exact: float) -> None:
    assert special.gamma_prime(x) == pytest.approx(exact, rel=1e-15, abs=0.0)


def test_gamma_prime_to_the_last_bit_but_one() -> None:
    """Where it would be off by more if one of its constants were a single float."""
    for x, exact in (
        (3.1, 2.1130700134576164),
        (33.3, 2.6135144296540388e36),
        (50.5, 1.6784461119767832e64),
        (-0.5, -0.12935358979554004),
        (-15.3, 6.5611405873490856e-12),
    ):
        assert abs(special.gamma_prime(x) - exact) <= ulp(exact)


def test_a_derivative_where_the_power_overflows() -> None:
    assert special.power_dx(1e300, 1.02) == pytest.approx(1.02e6, rel=1e-12)


@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("x", [-0.5, -30.5, -100000.5])
def test_polygamma_of_even_order_is_symmetric_about_a_half(n: int, x: float) -> None:
    """Reflection adds a polynomial in cot(pi x), which is odd, and 0 here."""
    assert special.polygamma(x, n) == special.polygamma(1.0 - x, n)


@pytest.mark.parametrize("h", [5e-324, 1e-300, 1e-280, 1.0, 1e299, 1e301, 1.7e308])
def test_norm_scale_is_a_power_of_two_that_makes_squares_safe(h: float) -> None:
    scale = special.norm_scale(h)
    assert frexp(scale)[0] == 0.5
    assert 1e-292 < h * scale < 1e301


def test_bernoulli_numbers_follow_their_recurrence() -> None:
    """The sum of comb(n + 1, k) B_k over k <= n is 0, which gives each from those before."""
    numbers = [Fraction(1), Fraction(-1, 2)]
    for n in range(2, 2 * len(special.BERNOULLI) + 1):
        numbers.append(-sum(comb(n + 1, k) * b for k, b in enumerate(numbers)) / (n + 1))
    assert list(special.BERNOULLI) == list(map(float, numbers[2::2]))


def test_sums_halves_and_products_are_exact() -> None:
    rng = Random(0)
    for _ in range(1000):
        a, b = (rng.uniform(-1.0, 1.0) * 2.0 ** rng.randrange(-30, 30) for _ in range(2))
        assert special.two_sum(a, b)[0] == a + b
        assert sum(map(Fraction, special.two_sum(a, b))) == Fraction(a) + Fraction(b)
        high, low = special.split(a)
        assert high + low == a
        for x, y in ((high, high), (high, low), (low, low)):
            assert Fraction(x * y) == Fraction(x) * Fraction(y)
        assert special.two_product(a, b)[0] == a * b
        assert sum(map(Fraction, special.two_product(a, b))) == Fraction(a) * Fraction(b)


def test_a_product_of_pairs_keeps_twice_the_bits() -> None:
    rng = Random(0)
    for _ in range(1000):
        a, b = (rng.uniform(1.0, 2.0) for _ in range(2))
        a_low, b_low = (rng.uniform(-1e-16, 1e-16) for _ in range(2))
        exact = (Fraction(a) + Fraction(a_low)) * (Fraction(b) + Fraction(b_low))
        pair = special.pair_product(a, a_low, b, b_low)
        assert abs(sum(map(Fraction, pair)) / exact - 1) < Fraction(2) ** -102


@pytest.mark.parametrize("off", [-20, -4, 0, 4, 20])
def test_cbrt_prime_repairs_a_poor_cbrt(off: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def poor_cbrt(x: float) -> float:
        root = round(x ** (1 / 3))
        return root + off * ulp(root)

    monkeypatch.setattr(math, "cbrt", poor_cbrt)
    for root in (1.0, 3.0, 5.0, 7.0, 101.0, 12345.0, 99999.0):
        exact = 1 / (3 * Fraction(root) ** 2)
        error = abs(Fraction(special.cbrt_prime(root**3)) - exact)
        assert error <= 2 * Fraction(ulp(float(exact)))
