"""Stochastic gradient descent."""

from collections.abc import Iterable, Sequence
from functools import partial
from math import inf
from typing import Any

from microgradlib.core.value import Value
from microgradlib.optim.optimizer import Functions, Numbers, Optimizer, State, with_decay
from microgradlib.optim.options import check_flag, check_number, option


class SGD(Optimizer):
    """Stochastic gradient descent.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> SGD([w], lr=0.25).step()
    >>> w.data
    0.5

    Args:
        params: leaf Values, each once.
        lr: the learning rate, >= 0.
        momentum: the share of the last update that is kept, >= 0.
        dampening: the share of the gradient that momentum leaves out, from the second step on.
        weight_decay: the L2 penalty, >= 0.
        nesterov: look ahead; needs momentum > 0 and dampening 0.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if an argument is out of range, or params are empty, repeated or computed.

    Source: Sutskever et al., "On the importance of initialization and momentum" (2013), in
    PyTorch's formulation.
    """

    _counts_no_steps = True  # only whether there has been one

    momentum: float = option(check_number)
    dampening: float = option(partial(check_number, low=-inf))
    weight_decay: float = option(check_number)
    nesterov: bool = option(check_flag)

    def __init__(
        self,
        params: Iterable[Value],
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        """Check and keep the options."""
        super().__init__(params, lr)
        self.momentum = momentum
        self.dampening = dampening
        self.weight_decay = weight_decay
        self.nesterov = nesterov
        if nesterov and (not momentum or dampening):
            raise ValueError(
                f"SGD: nesterov needs momentum > 0 and dampening 0, got momentum={momentum} and "
                f"dampening={dampening}"
            )

    def _state_keys(self) -> Iterable[str]:
        return ["momentum_buffer"] if self.momentum else []

    def _factors(self, step: int) -> tuple[float, ...]:
        return (self.lr,)

    def _formula(
        self, data: Numbers, grads: Numbers, state: State, factors: Sequence[Any], ops: Functions
    ) -> tuple[Numbers, State]:
        (lr,), momentum = factors, self.momentum
        if self.weight_decay:
            grads = with_decay(self.weight_decay, data, grads)
        if momentum:
            buffer = grads
            if state:
                old, share = state["momentum_buffer"], 1.0 - self.dampening
                buffer = [momentum * b + share * g for b, g in zip(old, grads, strict=True)]
            if self.nesterov:
                grads = [g + momentum * b for g, b in zip(grads, buffer, strict=True)]
            else:
                grads = buffer
            state = {"momentum_buffer": buffer}
        pairs = zip(data, grads)  # noqa: B905 (this is hot)
        return [x - lr * g for x, g in pairs], state
