"""The exceptions of the library: each is also the built-in exception a reader would expect."""

import reprlib

_REPR = reprlib.Repr()
_REPR.maxlevel = 3
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = _REPR.maxfrozenset = 4
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 200


def short(x: object) -> str:
    """Return ``repr(x)`` as an error shows it: of what is long, the beginning and the end.

    >>> short([1.0] * 1000)
    '[1.0, 1.0, 1.0, 1.0, ...]'
    """
    if hasattr(x, "to_numpy"):  # of pandas, whose texts are tables
        return f"<{type(x).__name__} of shape {getattr(x, 'shape', 'unknown')}>"
    try:
        text = _REPR.repr(x)
    except ValueError:  # of an int with too many digits
        return f"<{type(x).__name__}>"
    return shorten(" ".join(text.split()) if "\n" in text else text)


def shorten(text: object, longest: int = 80) -> str:
    """Return a text as an error shows it: of a long one, the beginning and the end."""
    text = str(text)
    return text if len(text) <= longest else f"{text[: longest - 23]}...{text[-20:]}"


class MicrogradError(Exception):
    """Base class of the exceptions that only this library raises."""


class GradientError(MicrogradError, RuntimeError):
    """There is no gradient to compute: the value does not depend on anything differentiable."""


class NonFiniteError(MicrogradError, FloatingPointError):
    """A gradient, or the value it belongs to, came out infinite or NaN."""


class ShapeError(MicrogradError, ValueError):
    """Two arguments that must have the same shape or length do not."""


class StateDictError(MicrogradError, ValueError):
    """A state dict does not fit the object it is loaded into."""


class CompileError(MicrogradError, TypeError):
    """A function cannot be compiled as it is written."""


class GradcheckError(MicrogradError, RuntimeError):
    """gradcheck found a gradient that does not agree with finite differences."""
