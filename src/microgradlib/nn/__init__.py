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
from microgradlib.nn.activations import (
    ELU,
    GELU,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from microgradlib.nn.containers import ModuleDict, ModuleList, ParameterList, Sequential
from microgradlib.nn.layers import Dropout, Embedding, Flatten, Identity, LayerNorm, RMSNorm
from microgradlib.nn.losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from microgradlib.nn.modules import ACTIVATIONS as ACTIVATIONS
from microgradlib.nn.modules import MLP, Layer, Linear, Module, Neuron
from microgradlib.parameters.tensor import Parameter

_say_what_to_use(__name__)

__all__ = [
    "ELU",
    "GELU",
    "MLP",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "Neuron",
    "Parameter",
    "ParameterList",
    "RMSNorm",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Tanh",
]
