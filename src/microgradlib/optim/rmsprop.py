"""RMSprop."""

from collections.abc import Iterable
from typing import Any, ClassVar

from microgradlib.functions.arguments import check_flag, check_number
from microgradlib.optim.formulas import Inputs, Numbers, State, lerp
from microgradlib.optim.groups import option
from microgradlib.optim.optimizer import Optimizer


class RMSprop(Optimizer):
    """RMSprop: steps divided by the root of a running mean of the squared gradients.

    >>> from microgradlib import Value
    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> RMSprop([w], lr=0.25, alpha=0.75).step()
    >>> round(w.data, 6)
    0.5

    Args:
        params: parameters or groups, as for ``Optimizer``; so is what is raised.
        lr: the learning rate, >= 0.
        alpha: the decay rate of the running means, >= 0, and at most 1 as a rule.
        eps: added to the denominator, >= 0.
        weight_decay: the L2 penalty, >= 0.
        momentum: the share of the last update that is kept, >= 0.
        centered: divide by the standard deviation, not by the root of the mean square.
        maximize: go up, not down.

    Source: Hinton, lecture 6e of "Neural Networks for Machine Learning" (2012); centered as in
    Graves (2013), arXiv:1308.0850.
    """

    _keys: ClassVar = {
        "step": "",
        "square_avg": "",
        "grad_avg": "centered",
        "momentum_buffer": "momentum",
    }
    _squares = "square_avg"

    alpha: float = option(check_number)
    eps: float = option(check_number)
    momentum: float = option(check_number)
    centered: bool = option(check_flag)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        """Check and keep the options."""
        options: dict[str, Any] = {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps}
        options |= {"centered": centered, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, **options)

    def _decisions(self, o: Any) -> tuple[bool, ...]:
        return o.momentum > 0.0, o.centered, 1.0 - o.alpha < 0.5

    def _rule(self, x: Inputs) -> tuple[Numbers, State]:
        (*_, has_momentum, centered, near), o, grads, state = x.decisions, x.o, x.grads, x.state
        lr, alpha, eps, share = o.lr, o.alpha, o.eps, 1.0 - o.alpha
        zeros = [0.0] * len(grads)
        squares = zip(state.get("square_avg", zeros), grads, strict=True)
        v = [alpha * a + share * g * g for a, g in squares]
        new = {"square_avg": v}
        if centered:
            means = new["grad_avg"] = lerp(state.get("grad_avg", zeros), grads, share, near)
            v = [a - b * b for a, b in zip(v, means, strict=True)]
        steps = [g / (a + eps) for g, a in zip(grads, map(x.ops.sqrt, v), strict=True)]
        if has_momentum:
            pairs = zip(state.get("momentum_buffer", zeros), steps, strict=True)
            steps = new["momentum_buffer"] = [o.momentum * b + s for b, s in pairs]
        return [p - lr * s for p, s in zip(x.data, steps, strict=True)], new
