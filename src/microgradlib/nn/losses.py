"""The losses as modules, with the options of the functions."""

from collections.abc import Callable
from inspect import Signature, signature
from typing import Any, ClassVar

from microgradlib import functions
from microgradlib.nn.modules import Module


class _Loss(Module):
    """A function with its options as attributes, but without one that PyTorch's class lacks."""

    _function: ClassVar[Callable[..., Any]]
    _options: ClassVar[Signature]

    def __init_subclass__(
        cls, of: Callable[..., Any] | None = None, without: str = "", **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if of:
            _, _, *options = signature(of).parameters.values()  # after the input and the target
            cls._function = staticmethod(of)
            cls._options = Signature([option for option in options if option.name != without])
            cls.__signature__ = cls._options  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = self._options.bind(*args, **kwargs)
        given.apply_defaults()
        for name, x in given.arguments.items():
            setattr(self, name, x)

    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss."""
        options = {name: getattr(self, name) for name in self._options.parameters}
        return type(self)._function(input, target, **options)


class MSELoss(_Loss, of=functions.mse_loss, without="weight"):
    """``mse_loss`` as a module.

    >>> MSELoss()([1.0, 2.0], [0.0, 4.0])
    2.5
    """


class L1Loss(_Loss, of=functions.l1_loss, without="weight"):
    """``l1_loss`` as a module.

    >>> L1Loss()([1.0, 2.0], [0.0, 4.0])
    1.5
    """


class HuberLoss(_Loss, of=functions.huber_loss, without="weight"):
    """``huber_loss`` as a module.

    >>> HuberLoss()([0.5, 3.0], [0.0, 0.0])
    1.3125
    """


class SmoothL1Loss(_Loss, of=functions.smooth_l1_loss):
    """``smooth_l1_loss`` as a module.

    >>> SmoothL1Loss(beta=0.5)([0.5, 3.0], [0.0, 0.0])
    1.5
    """


class KLDivLoss(_Loss, of=functions.kl_div):
    """``kl_div`` as a module.

    >>> KLDivLoss(reduction="batchmean")([[0.0, -1.0]], [[0.0, 1.0]])
    1.0
    """


class BCELoss(_Loss, of=functions.binary_cross_entropy):
    """``binary_cross_entropy`` as a module.

    >>> BCELoss()([0.5], [1.0])
    0.6931471805599453
    """


class BCEWithLogitsLoss(_Loss, of=functions.binary_cross_entropy_with_logits):
    """``binary_cross_entropy_with_logits`` as a module.

    >>> BCEWithLogitsLoss()([1000.0], [0.0])
    1000.0
    """


class NLLLoss(_Loss, of=functions.nll_loss):
    """``nll_loss`` as a module.

    >>> NLLLoss()([-0.5, -0.25], 1)
    0.25
    """


class CrossEntropyLoss(_Loss, of=functions.cross_entropy):
    """``cross_entropy`` as a module.

    >>> CrossEntropyLoss()([0.0, 0.0], 1)
    0.6931471805599453
    """
