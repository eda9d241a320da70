"""Gradients of ordinary Python code: a scalar reverse-mode autograd library in pure Python.

>>> import microgradlib as mg
>>> x, y = mg.Value(2.0), mg.Value(3.0)
>>> z = mg.exp(x - 2.0) * y + x**2
>>> z.backward()
>>> z.data, x.grad, y.grad
(7.0, 7.0, 1.0)
"""

from typing import TYPE_CHECKING

from microgradlib import (
    functions,
    nn,
    optim,
    teardown,  # noqa: F401 (it changes Value)
    ufuncs,  # noqa: F401 (so does this)
)
from microgradlib._hypothesis import register as _register
from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.core.value import Value
from microgradlib.errors import (
    CompileError,
    GradcheckError,
    GradientError,
    MicrogradError,
    NonFiniteError,
    ShapeError,
    StateDictError,
)
from microgradlib.functions import *  # noqa: F403
from microgradlib.interpreters import detect_anomaly, no_grad
from microgradlib.modes import allow_nonfinite
from microgradlib.random import manual_seed
from microgradlib.serialization import load, restore, save
from microgradlib.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

if TYPE_CHECKING:
    from microgradlib import autograd, data, parallel, safetensors  # noqa: F401
    from microgradlib.checking import gradcheck, gradcheck_module
    from microgradlib.compiling.compiled import compile
    from microgradlib.drawing.draw import draw
    from microgradlib.drawing.explain import explain
    from microgradlib.extending import primitive
    from microgradlib.many import scan, vmap
    from microgradlib.training.compiled import compiled_step

# These take long to import, and many programs do without: each is imported when it is first used.
_LATER = {
    **dict.fromkeys(("autograd", "data", "parallel", "safetensors"), ""),
    **dict.fromkeys(("gradcheck", "gradcheck_module"), "checking"),
    "compile": "compiling.compiled",
    "draw": "drawing.draw",
    "explain": "drawing.explain",
    "primitive": "extending",
    **dict.fromkeys(("scan", "vmap"), "many"),
    "compiled_step": "training.compiled",
}

_say_what_to_use(__name__, _LATER)
_register()

__version__ = "0.2.0"

__all__ = [
    "CompileError",
    "GradcheckError",
    "GradientError",
    "MicrogradError",
    "NonFiniteError",
    "ShapeError",
    "StateDictError",
    "Value",
    "allow_nonfinite",
    "compile",
    "compiled_step",
    "detect_anomaly",
    "draw",
    "explain",
    "grad",
    "gradcheck",
    "gradcheck_module",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "load",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "primitive",
    "restore",
    "save",
    "scan",
    "value_and_grad",
    "vjp",
    "vmap",
]
__all__ += functions.__all__
