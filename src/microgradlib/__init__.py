"""Gradients of ordinary Python code: a scalar reverse-mode autograd library in pure Python.

>>> import microgradlib as mg
>>> x, y = mg.Value(2.0), mg.Value(3.0)
>>> z = mg.exp(x - 2.0) * y + x**2
>>> z.backward()
>>> z.data, x.grad, y.grad
(7.0, 7.0, 1.0)
"""

from microgradlib import nn, optim
from microgradlib.errors import (
    GradientError,
    MicrogradError,
    NonFiniteError,
    ShapeError,
    StateDictError,
)
from microgradlib.functions import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cbrt,
    clip,
    cos,
    cosh,
    dot,
    elu,
    erf,
    erfc,
    exp,
    exp2,
    expm1,
    gamma,
    gelu,
    hypot,
    leaky_relu,
    lgamma,
    log,
    log1p,
    log2,
    log10,
    log_sigmoid,
    log_softmax,
    logsumexp,
    maximum,
    mean,
    minimum,
    prod,
    relu,
    sigmoid,
    silu,
    sin,
    sinh,
    softmax,
    softplus,
    sqrt,
    sum,
    tan,
    tanh,
    where,
)
from microgradlib.nn import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    mse_loss,
)
from microgradlib.random import manual_seed
from microgradlib.serialization import load, save
from microgradlib.value import Value, allow_nonfinite, no_grad

__version__ = "0.1.0"

__all__ = sorted(name for name in dir() if not name.startswith("_"))
