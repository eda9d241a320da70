"""Neural networks: modules with parameters, and the losses that train them."""

from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.functions import binary_cross_entropy as binary_cross_entropy
from microgradlib.functions import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from microgradlib.functions import cross_entropy as cross_entropy
from microgradlib.functions import mse_loss as mse_loss
from microgradlib.nn import functional as functional
from microgradlib.nn import init as init
from microgradlib.nn import utils as utils
from microgradlib.nn import wrapped as wrapped
from microgradlib.nn.containers import ModuleDict, ModuleList, ParameterList, Sequential
from microgradlib.nn.layers import Dropout, Embedding, Identity, LayerNorm, RMSNorm
from microgradlib.nn.modules import ACTIVATIONS as ACTIVATIONS
from microgradlib.nn.modules import MLP, Layer, Linear, Module, Neuron
from microgradlib.nn.wrapped import *  # noqa: F403
from microgradlib.parameters.tensor import Parameter

_say_what_to_use(__name__)

__all__ = ["MLP", "Dropout", "Embedding", "Identity", "Layer", "LayerNorm", "Linear", "Module"]
__all__ += ["ModuleDict", "ModuleList", "Neuron", "Parameter", "ParameterList", "RMSNorm"]
__all__ += ["Sequential"]
__all__ += wrapped.__all__
