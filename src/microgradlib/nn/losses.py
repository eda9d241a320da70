"""The losses as modules, with PyTorch's options; ``microgradlib.functions`` computes them."""

from collections.abc import Callable
from typing import Any, ClassVar

from microgradlib import functions
from microgradlib.nn.modules import Module


class _Loss(Module):
    """A function with options, which are attributes."""

    _function: ClassVar[Callable[..., Any]]

    def _hold(self, **options: Any) -> None:
        self._options = tuple(options)
        for name, x in options.items():
            setattr(self, name, x)

    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss."""
        options = {name: getattr(self, name) for name in self._options}
        return self._function(input, target, **options)


class MSELoss(_Loss):
    """``mse_loss`` as a module.

    >>> MSELoss()([1.0, 2.0], [0.0, 4.0])
    2.5
    """

    _function = staticmethod(functions.mse_loss)

    def __init__(self, *, reduction: str = "mean") -> None:
        """Keep the options."""
        self._hold(reduction=reduction)


class L1Loss(_Loss):
    """``l1_loss`` as a module.

    >>> L1Loss()([1.0, 2.0], [0.0, 4.0])
    1.5
    """

    _function = staticmethod(functions.l1_loss)

    def __init__(self, *, reduction: str = "mean") -> None:
        """Keep the options."""
        self._hold(reduction=reduction)


class HuberLoss(_Loss):
    """``huber_loss`` as a module.

    >>> HuberLoss()([0.5, 3.0], [0.0, 0.0])
    1.3125
    """

    _function = staticmethod(functions.huber_loss)

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        """Keep the options."""
        self._hold(reduction=reduction, delta=delta)


class SmoothL1Loss(_Loss):
    """``smooth_l1_loss`` as a module.

    >>> SmoothL1Loss(beta=0.5)([0.5, 3.0], [0.0, 0.0])
    1.5
    """

    _function = staticmethod(functions.smooth_l1_loss)

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        """Keep the options."""
        self._hold(reduction=reduction, beta=beta)


class BCELoss(_Loss):
    """``binary_cross_entropy`` as a module.

    >>> BCELoss()([0.5], [1.0])
    0.6931471805599453
    """

    _function = staticmethod(functions.binary_cross_entropy)

    def __init__(self, weight: Any = None, *, reduction: str = "mean") -> None:
        """Keep the options."""
        self._hold(weight=weight, reduction=reduction)


class BCEWithLogitsLoss(_Loss):
    """``binary_cross_entropy_with_logits`` as a module.

    >>> BCEWithLogitsLoss()([1000.0], [0.0])
    1000.0
    """

    _function = staticmethod(functions.binary_cross_entropy_with_logits)

    def __init__(
        self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
    ) -> None:
        """Keep the options."""
        self._hold(weight=weight, reduction=reduction, pos_weight=pos_weight)


class NLLLoss(_Loss):
    """``nll_loss`` as a module.

    >>> NLLLoss()([-0.5, -0.25], 1)
    0.25
    """

    _function = staticmethod(functions.nll_loss)

    def __init__(
        self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        """Keep the options."""
        self._hold(weight=weight, ignore_index=ignore_index, reduction=reduction)


class CrossEntropyLoss(_Loss):
    """``cross_entropy`` as a module.

    >>> CrossEntropyLoss()([0.0, 0.0], 1)
    0.6931471805599453
    """

    _function = staticmethod(functions.cross_entropy)

    def __init__(
        self,
        weight: Any = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        """Keep the options."""
        self._hold(
            weight=weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )
