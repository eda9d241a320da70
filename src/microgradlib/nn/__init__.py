"""Neural networks: modules with parameters, and the losses that train them."""

from microgradlib.absent import say_what_to_use as _say_what_to_use
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
from microgradlib.nn.modules import MLP, Layer, Module, Neuron
from microgradlib.nn.parameter import Parameter

_say_what_to_use(__name__)

__all__ = [
    "MLP",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Layer",
    "MSELoss",
    "Module",
    "Neuron",
    "Parameter",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "mse_loss",
]
