"""What Hypothesis is told about Value, when both it and the library are imported."""

import sys
from typing import Any

from microgradlib.core.value import Value


def register() -> None:
    """Tell Hypothesis, if it is imported, how to draw a Value."""
    if "hypothesis" in sys.modules:
        from hypothesis import strategies as st

        st.register_type_strategy(Value, _values)


def _values(_: type) -> Any:
    # Not at the top: Hypothesis may load this while microgradlib.testing is being imported.
    from microgradlib.testing import values

    return values()
