"""Neural networks: modules with parameters, and the losses that train them."""

from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.functions import binary_cross_entropy as binary_cross_entropy
from microgradlib.functions import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from microgradlib.functions import cross_entropy as cross_entropy
from microgradlib.functions import mse_loss as mse_loss
from microgradlib.nn import functional as functional
from microgradlib.nn.losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from microgradlib.nn.modules import ACTIVATIONS as ACTIVATIONS
from microgradlib.nn.modules import MLP, Layer, Module, Neuron

_say_what_to_use(__name__)

__all__ = [
    "MLP",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "L1Loss",
    "Layer",
    "MSELoss",
    "Module",
    "NLLLoss",
    "Neuron",
    "SmoothL1Loss",
]
