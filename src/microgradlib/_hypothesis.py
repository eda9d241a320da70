"""The entry point of Hypothesis, which loads it on import: as light as can be."""

from typing import Any

from microgradlib.value import Value


def register() -> None:
    """Tell Hypothesis how to draw a Value."""
    from hypothesis import strategies as st

    st.register_type_strategy(Value, _values)


def _values(_: type) -> Any:
    # Not sooner: whoever imports microgradlib.testing first is only half through it by now.
    from microgradlib.testing import values

    return values()
