"""Stochastic gradient descent."""

from collections.abc import Iterable
from functools import partial
from math import inf
from typing import Any, ClassVar

from microgradlib.functions.arguments import check_flag, check_number
from microgradlib.optim.formulas import Inputs, Numbers, State
from microgradlib.optim.groups import Group, option
from microgradlib.optim.optimizer import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent.

    >>> from microgradlib import Value
    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> SGD([w], lr=0.25).step()
    >>> w.data
    0.5

    Args:
        params: parameters or groups, as for ``Optimizer``; so is what is raised.
        lr: the learning rate, >= 0.
        momentum: the share of the last update that is kept, >= 0.
        dampening: the share of the gradient that momentum leaves out, from the second step on.
        weight_decay: the L2 penalty, >= 0.
        nesterov: look ahead; needs momentum > 0 and dampening 0.
        maximize: go up, not down.

    Source: Sutskever et al., "On the importance of initialization and momentum" (2013), in
    PyTorch's formulation.
    """

    _keys: ClassVar = {"momentum_buffer": "momentum"}
    _counts_no_steps = True  # only whether there has been one

    momentum: float = option(check_number)
    dampening: float = option(partial(check_number, low=-inf))
    nesterov: bool = option(check_flag)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        """Check and keep the options."""
        options = {"momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, lr=lr, **options, nesterov=nesterov, maximize=maximize)

    def _check(self, group: Group) -> None:
        if group["nesterov"] and (not group["momentum"] or group["dampening"]):
            raise ValueError(
                f"SGD: nesterov needs momentum > 0 and dampening 0, got "
                f"momentum={group['momentum']} and dampening={group['dampening']}"
            )

    def _decisions(self, o: Any) -> tuple[bool, ...]:
        return o.momentum != 0.0, o.nesterov

    def _rule(self, x: Inputs) -> tuple[Numbers, State]:
        (*_, has_momentum, nesterov), o, grads, state = x.decisions, x.o, x.grads, x.state
        lr, momentum = o.lr, o.momentum
        if has_momentum:
            buffer = grads
            if state:
                old, share = state["momentum_buffer"], 1.0 - o.dampening
                buffer = [momentum * b + share * g for b, g in zip(old, grads, strict=True)]
            state = {"momentum_buffer": buffer}
            if nesterov:
                grads = [g + momentum * b for g, b in zip(grads, buffer, strict=True)]
            else:
                grads = buffer
        pairs = zip(x.data, grads)  # noqa: B905 (this is hot)
        return [p - lr * g for p, g in pairs], state
