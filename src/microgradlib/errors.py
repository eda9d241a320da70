"""The exceptions of the library: each is also the built-in exception a reader would expect."""


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
