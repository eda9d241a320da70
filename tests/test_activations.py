"""The activation functions on floats, beyond the reference values of their rows."""

from math import inf, isnan, nan, ulp

import pytest

from microgradlib.numeric import activations


@pytest.mark.parametrize("x", [-2.0, -5e-324, 1.0000000000000002, 1.5, float("inf")])
def test_a_probability_lies_between_0_and_1(x: float) -> None:
    for call in (
        lambda: activations.bce(x, 0.5),
        lambda: activations.bce(0.5, x),
        lambda: activations.bce_with_logits(0.5, x),
    ):
        with pytest.raises(ValueError, match=r"^not a probability$"):
            call()


@pytest.mark.parametrize(
    ("x", "exact"),
    [
        (-0.7524614220720556, -4.473217565061492e-13),
        (-0.7524614220710163, -1.5647455740893692e-17),
        (-0.7524614220710162, 3.213655334476242e-17),
        (-1.1836992561693975, -0.11585691675151652),
        (-11.176302836459413, -3.105519903345617e-49),
        (-16.860407715226465, -6.426197390434841e-158),
        (-0.32672674491558595, 0.24840795137087215),
        (-0.752600113611126, -5.968539739520102e-05),
    ],
)
def test_the_slope_of_gelu_tanh_next_to_its_root_and_far_from_it(x: float, exact: float) -> None:
    assert abs(activations.gelu_tanh_prime(x) - exact) <= 2.0 * ulp(exact)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_gelu_tanh_at_the_ends(sign: float) -> None:
    for x in (40.0, 1e150, 1e308, inf):
        assert activations.gelu_tanh(sign * x) == (x if sign > 0.0 else 0.0)
        assert activations.gelu_tanh_prime(sign * x) == (1.0 if sign > 0.0 else 0.0)
    assert isnan(activations.gelu_tanh(sign * nan))
    assert isnan(activations.gelu_tanh_prime(sign * nan))
