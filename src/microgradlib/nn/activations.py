"""Activations as modules: one row each, with the function and PyTorch's options.

``inplace`` is accepted for PyTorch's sake: the input never changes.

>>> LeakyReLU(0.5)
LeakyReLU(negative_slope=0.5)
>>> LeakyReLU(0.5)([-1.0, 2.0])
[-0.5, 2.0]
"""

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

from microgradlib import functions
from microgradlib.nn.modules import Module


class _Activation(Module):
    _function: Callable[..., Any]
    _options: Signature

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = self._options.bind(*args, **kwargs)
        given.apply_defaults()
        for name, x in given.arguments.items():
            setattr(self, name, x)

    def forward(self, input: Any) -> Any:
        """Return the function of a number, or of each in nested lists or an array."""
        given = {name: getattr(self, name) for name in self._options.parameters}
        given.pop("inplace", None)
        return type(self)._function(input, **given)

    def extra_repr(self) -> str:
        """Return the options."""
        shown = {name: getattr(self, name) for name in self._options.parameters}
        return ", ".join([f"{name}={x!r}" for name, x in shown.items() if name != "inplace" or x])


def _module(name: str, function: Callable[..., Any], result: str, **options: Any) -> Any:
    """Return the class; ``result`` is what it makes of [0.0, 100.0]."""
    what = f"``{function.__name__}`` as a module.\n\n>>> {name}()([0.0, 100.0])\n{result}\n"
    kind = Parameter.POSITIONAL_OR_KEYWORD
    signature = Signature([Parameter(key, kind, default=x) for key, x in options.items()])
    attributes = {"__doc__": what, "__module__": __name__, "__signature__": signature}
    attributes |= {"_function": staticmethod(function), "_options": signature}
    return type(name, (_Activation,), attributes)


ReLU = _module("ReLU", functions.relu, "[0.0, 100.0]", inplace=False)
LeakyReLU = _module(
    "LeakyReLU", functions.leaky_relu, "[0.0, 100.0]", negative_slope=0.01, inplace=False
)
ELU = _module("ELU", functions.elu, "[0.0, 100.0]", alpha=1.0, inplace=False)
GELU = _module("GELU", functions.gelu, "[0.0, 100.0]", approximate="none")
SiLU = _module("SiLU", functions.silu, "[0.0, 100.0]", inplace=False)
Softplus = _module(
    "Softplus", functions.softplus, "[0.6931471805599453, 100.0]", beta=1.0, threshold=20.0
)
Tanh = _module("Tanh", functions.tanh, "[0.0, 1.0]")
Sigmoid = _module("Sigmoid", functions.sigmoid, "[0.5, 1.0]")
LogSigmoid = _module(
    "LogSigmoid", functions.log_sigmoid, "[-0.6931471805599453, -3.720075976020836e-44]"
)
Softmax = _module("Softmax", functions.softmax, "[3.720075976020836e-44, 1.0]", dim=None)
LogSoftmax = _module(
    "LogSoftmax", functions.log_softmax, "[-100.0, -3.720075976020836e-44]", dim=None
)
