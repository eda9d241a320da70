"""Optimizers: SGD, Adam, AdamW and RMSprop, with PyTorch's update rules and defaults."""

from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.optim import lr_scheduler as lr_scheduler  # a module to be used by its name
from microgradlib.optim.adam import Adam, AdamW
from microgradlib.optim.optimizer import Optimizer
from microgradlib.optim.rmsprop import RMSprop
from microgradlib.optim.sgd import SGD

_say_what_to_use(__name__)

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop"]
