"""The C compiler that tests use."""

from microgradlib import CompileError
from microgradlib.compiling import native


def compiler() -> list[str]:
    """Return the command of the compiler that the library finds; [] if there is none."""
    try:
        return native.compiler()
    except CompileError:
        return []
