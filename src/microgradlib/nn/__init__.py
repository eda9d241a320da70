"""Neural networks: modules with parameters, and the losses that train them."""

from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.nn import functional as functional
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
    MSELoss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    mse_loss,
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
    "Identity",
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
    "Neuron",
    "Parameter",
    "ParameterList",
    "RMSNorm",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "mse_loss",
]
