"""Adam, and AdamW, which decays weights apart from the gradients."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from microgradlib.core.value import Value
from microgradlib.optim.optimizer import Functions, Numbers, Optimizer, State, with_decay
from microgradlib.optim.options import check_betas, check_flag, check_number, option


class Adam(Optimizer):
    """Adam: steps scaled by running estimates of the gradient's first and second moments.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> Adam([w], lr=0.25).step()
    >>> round(w.data, 6)
    0.75

    Args:
        params: leaf Values, each once.
        lr: the learning rate, >= 0.
        betas: the decay rates of the two moments, each in [0, 1).
        eps: added to the denominator, >= 0.
        weight_decay: the L2 penalty, >= 0.
        amsgrad: divide by the largest second moment so far.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if an argument is out of range, or params are empty, repeated or computed.

    Source: Kingma and Ba (2014), arXiv:1412.6980; Reddi, Kale and Kumar (2018), arXiv:1904.09237.
    """

    _overflowing = ("exp_avg_sq",)
    _decoupled = False  # whether weight decay acts on the data, not on the gradients

    betas: tuple[float, float] = option(check_betas)
    eps: float = option(check_number)
    weight_decay: float = option(check_number)
    amsgrad: bool = option(check_flag)

    def __init__(
        self,
        params: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        """Check and keep the options."""
        super().__init__(params, lr)
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay
        self.amsgrad = amsgrad

    def _state_keys(self) -> Iterable[str]:
        return ["step", "exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * self.amsgrad

    def _factors(self, step: int) -> tuple[float, ...]:
        beta1, beta2 = self.betas
        shrink = 1.0 - self.lr * self.weight_decay if self._decoupled else 1.0
        return shrink, self.lr / (1.0 - beta1**step), math.sqrt(1.0 - beta2**step)

    def _formula(
        self, data: Numbers, grads: Numbers, state: State, factors: Sequence[Any], ops: Functions
    ) -> tuple[Numbers, State]:
        shrink, rate, root = factors
        beta1, beta2 = self.betas
        eps = self.eps
        if self.weight_decay and not self._decoupled:
            grads = with_decay(self.weight_decay, data, grads)
        zeros = [0.0] * len(grads)
        m = state.get("exp_avg", zeros)
        v = state.get("exp_avg_sq", zeros)
        new1, new2 = 1.0 - beta1, 1.0 - beta2
        if new1 < 0.5:  # the two formulas of PyTorch's lerp
            m = [a + new1 * (g - a) for a, g in zip(m, grads, strict=True)]
        else:
            m = [g - (1.0 - new1) * (g - a) for a, g in zip(m, grads, strict=True)]
        v = [beta2 * a + new2 * g * g for a, g in zip(v, grads, strict=True)]
        new = {"exp_avg": m, "exp_avg_sq": v}
        if self.amsgrad:
            v = list(map(ops.larger, state.get("max_exp_avg_sq", zeros), v))
            new["max_exp_avg_sq"] = v
        rows = zip(data, m, map(ops.sqrt, v), strict=True)
        try:
            return [x * shrink - rate * a / (b / root + eps) for x, a, b in rows], new
        except ZeroDivisionError:
            raise ZeroDivisionError(v.index(0.0)) from None

    def _update(
        self, params: Sequence[Value], grads: list[float], state: State
    ) -> tuple[list[float], State]:
        try:
            data, new = super()._update(params, grads, state)
        except ZeroDivisionError as error:
            problem = "needs a division by 0, its squared gradients and eps being 0"
            self._refuse(params[error.args[0]], problem, "pass an eps above 0")
        problem, remedy = "would get {} for its squared gradients", "lower lr={} or clip them"
        self._check_finite(params, new["exp_avg_sq"], problem, remedy)
        return data, new


class AdamW(Adam):
    """Adam with decoupled weight decay: parameters shrink by lr * weight_decay at each step.

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
        params: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ) -> None:
        """Check and keep the options."""
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
