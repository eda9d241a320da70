"""Adam, and AdamW, which decays weights apart from the gradients."""

from collections.abc import Iterable
from math import sqrt
from typing import Any, ClassVar

from microgradlib.functions.arguments import check_flag, check_number
from microgradlib.optim.formulas import Inputs, Numbers, State, lerp
from microgradlib.optim.groups import check_betas, option
from microgradlib.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Adam: steps scaled by running estimates of the gradient's first and second moments.

    >>> from microgradlib import Value
    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> Adam([w], lr=0.25).step()
    >>> round(w.data, 6)
    0.75

    Args:
        params: parameters or groups, as for ``Optimizer``; so is what is raised.
        lr: the learning rate, >= 0.
        betas: the decay rates of the two moments, each in [0, 1).
        eps: added to the denominator, >= 0.
        weight_decay: the L2 penalty, >= 0.
        amsgrad: divide by the largest second moment so far.
        maximize: go up, not down.

    Source: Kingma and Ba (2014), arXiv:1412.6980; Reddi, Kale and Kumar (2018), arXiv:1904.09237.
    """

    _keys: ClassVar = {"step": "", "exp_avg": "", "exp_avg_sq": "", "max_exp_avg_sq": "amsgrad"}
    _squares = "exp_avg_sq"

    betas: tuple[float, float] = option(check_betas)
    eps: float = option(check_number)
    amsgrad: bool = option(check_flag)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        """Check and keep the options."""
        options: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps}
        options |= {"weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize}
        super().__init__(params, **options)

    def _decisions(self, o: Any) -> tuple[bool, ...]:
        return o.amsgrad, 1.0 - o.betas[0] < 0.5

    def _factors(self, o: Any, step: int) -> tuple[float, ...]:
        return 1.0 - o.betas[0] ** step, sqrt(1.0 - o.betas[1] ** step)

    def _rule(self, x: Inputs) -> tuple[Numbers, State]:
        (*_, amsgrad, near), o, grads, state = x.decisions, x.o, x.grads, x.state
        (beta1, beta2), eps, (bias, root) = o.betas, o.eps, x.factors
        rate, shrink = o.lr / bias, 1.0 - o.lr * o.weight_decay if self._decoupled else 1.0
        zeros, new2 = [0.0] * len(grads), 1.0 - beta2
        m = lerp(state.get("exp_avg", zeros), grads, 1.0 - beta1, near)
        squares = zip(state.get("exp_avg_sq", zeros), grads, strict=True)
        v = [beta2 * a + new2 * g * g for a, g in squares]
        new = {"exp_avg": m, "exp_avg_sq": v}
        if amsgrad:
            v = list(map(x.ops.larger, state.get("max_exp_avg_sq", zeros), v))
            new["max_exp_avg_sq"] = v
        rows = zip(x.data, m, map(x.ops.sqrt, v), strict=True)
        return [p * shrink - rate * a / (b / root + eps) for p, a, b in rows], new


class AdamW(Adam):
    """Adam with decoupled weight decay: parameters shrink by lr * weight_decay at each step.

    >>> from microgradlib import Value
    >>> w = Value(1.0)
    >>> w.grad = 0.0
    >>> AdamW([w], lr=0.5, weight_decay=0.5).step()
    >>> w.data
    0.75

    Args:
        weight_decay: the rate of decay, >= 0; all others, and what is raised, are as for ``Adam``.

    Source: Loshchilov and Hutter (2017), arXiv:1711.05101.
    """

    _decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        """Check and keep the options."""
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
