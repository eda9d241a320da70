"""The entry point of Hypothesis, which imports it whenever it is imported itself.

It stands outside of the package, so that Hypothesis does not import that for programs that do not.
"""

import sys


def register() -> None:
    """Tell Hypothesis how to draw a Value, if the library is imported; else that does so itself."""
    if "microgradlib._hypothesis" in sys.modules:
        from microgradlib import _hypothesis

        _hypothesis.register()
