"""Functions as modules, one row each, with PyTorch's options: activations and losses.

Options are attributes. ``inplace`` is accepted for PyTorch's sake: the input never changes.

>>> LeakyReLU(0.5)
LeakyReLU(negative_slope=0.5)
>>> LeakyReLU(0.5)([-1.0, 2.0])
[-0.5, 2.0]
>>> SmoothL1Loss(beta=0.5)([0.5, 3.0], [0.0, 0.0])
1.5
"""

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any

from microgradlib import functions
from microgradlib.nn import functional
from microgradlib.nn.modules import Module

__all__ = ["ELU", "GELU", "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "Flatten"]
__all__ += [
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "NLLLoss",
]
__all__ += ["ReLU", "SiLU", "Sigmoid", "SmoothL1Loss", "Softmax", "Softplus", "Tanh"]


class _Wrapped(Module):
    _function: Callable[..., Any]
    _options: Signature
    _passed: list[str]  # the names of those options that the function has

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = self._options.bind(*args, **kwargs)
        given.apply_defaults()
        for name, x in given.arguments.items():
            setattr(self, name, x)

    def _given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._options.parameters}

    def _of(self, *inputs: Any) -> Any:
        return self._function(*inputs, **{name: getattr(self, name) for name in self._passed})


class _Activation(_Wrapped):
    def forward(self, input: Any) -> Any:
        """Return the function of a number, or of each in nested lists or an array."""
        return self._of(input)

    def extra_repr(self) -> str:
        """Return the options."""
        shown = {name: x for name, x in self._given().items() if name != "inplace" or x}
        return ", ".join([f"{name}={x!r}" for name, x in shown.items()])


class _Loss(_Wrapped):
    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss."""
        return self._of(input, target)


def _class(base: type, name: str, function: Any, call: str, result: str, options: Any) -> Any:
    """Return a class of modules; ``call`` and ``result`` are its example."""
    attributes = {
        "__doc__": f"``{function.__name__}`` as a module.\n\n>>> {name}()({call})\n{result}\n",
        "__module__": __name__,
        "__signature__": Signature(options),
        "_function": staticmethod(function),
        "_options": Signature(options),
        "_passed": [option.name for option in options if option.name != "inplace"],
    }
    return type(name, (base,), attributes)


def _activation(
    name: str, function: Any, result: str, call: str = "[0.0, 100.0]", **options: Any
) -> Any:
    kind = Parameter.POSITIONAL_OR_KEYWORD
    listed = [Parameter(key, kind, default=x) for key, x in options.items()]
    return _class(_Activation, name, function, call, result, listed)


def _loss(name: str, function: Any, call: str, result: str, without: str = "") -> Any:
    """Return a loss with the options of the function but one, which PyTorch's class lacks."""
    _, _, *options = signature(function).parameters.values()  # after the input and the target
    listed = [option for option in options if option.name != without]
    return _class(_Loss, name, function, call, result, listed)


ReLU = _activation("ReLU", functions.relu, "[0.0, 100.0]", inplace=False)
LeakyReLU = _activation(
    "LeakyReLU", functions.leaky_relu, "[0.0, 100.0]", negative_slope=0.01, inplace=False
)
ELU = _activation("ELU", functions.elu, "[0.0, 100.0]", alpha=1.0, inplace=False)
GELU = _activation("GELU", functions.gelu, "[0.0, 100.0]", approximate="none")
SiLU = _activation("SiLU", functions.silu, "[0.0, 100.0]", inplace=False)
Softplus = _activation(
    "Softplus", functions.softplus, "[0.6931471805599453, 100.0]", beta=1.0, threshold=20.0
)
Tanh = _activation("Tanh", functions.tanh, "[0.0, 1.0]")
Sigmoid = _activation("Sigmoid", functions.sigmoid, "[0.5, 1.0]")
LogSigmoid = _activation(
    "LogSigmoid", functions.log_sigmoid, "[-0.6931471805599453, -3.720075976020836e-44]"
)
Softmax = _activation("Softmax", functions.softmax, "[3.720075976020836e-44, 1.0]", dim=None)
LogSoftmax = _activation(
    "LogSoftmax", functions.log_softmax, "[-100.0, -3.720075976020836e-44]", dim=None
)
Flatten = _activation(
    "Flatten",
    functional.flatten,
    "[[1.0, 2.0, 3.0, 4.0]]",
    "[[[1.0, 2.0], [3.0, 4.0]]]",
    start_dim=1,
    end_dim=-1,
)

MSELoss = _loss("MSELoss", functions.mse_loss, "[1.0, 2.0], [0.0, 4.0]", "2.5", "weight")
L1Loss = _loss("L1Loss", functions.l1_loss, "[1.0, 2.0], [0.0, 4.0]", "1.5", "weight")
HuberLoss = _loss("HuberLoss", functions.huber_loss, "[0.5, 3.0], [0.0, 0.0]", "1.3125", "weight")
SmoothL1Loss = _loss("SmoothL1Loss", functions.smooth_l1_loss, "[0.5, 3.0], [0.0, 0.0]", "1.3125")
KLDivLoss = _loss("KLDivLoss", functions.kl_div, "[[0.0, -1.0]], [[0.0, 1.0]]", "0.5")
BCELoss = _loss("BCELoss", functions.binary_cross_entropy, "[0.5], [1.0]", "0.6931471805599453")
BCEWithLogitsLoss = _loss(
    "BCEWithLogitsLoss", functions.binary_cross_entropy_with_logits, "[1000.0], [0.0]", "1000.0"
)
NLLLoss = _loss("NLLLoss", functions.nll_loss, "[-0.5, -0.25], 1", "0.25")
CrossEntropyLoss = _loss(
    "CrossEntropyLoss", functions.cross_entropy, "[0.0, 0.0], 1", "0.6931471805599453"
)
