"""The activation functions on floats, where the truths of their rows do not reach."""

import pytest

from microgradlib import activations


@pytest.mark.parametrize("x", [-2.0, -5e-324, 1.0000000000000002, 1.5, float("inf")])
def test_a_probability_lies_between_0_and_1(x: float) -> None:
    for call in (
        lambda: activations.bce(x, 0.5),
        lambda: activations.bce(0.5, x),
        lambda: activations.bce_with_logits(0.5, x),
    ):
        with pytest.raises(ValueError, match=r"^not a probability$"):
            call()
