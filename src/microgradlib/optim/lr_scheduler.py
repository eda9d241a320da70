"""Schedules of learning rates, as in PyTorch: each step sets ``lr`` in the groups of an optimizer.

>>> from microgradlib import Value, optim
>>> optimizer = optim.SGD([Value(1.0)], lr=1.0)
>>> scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
>>> for epoch in range(4):
...     optimizer.step()
...     scheduler.step()
>>> optimizer.lr
0.25

Call ``step()`` after that of the optimizer. The numbers are PyTorch's, bit for bit, by the same
recurrences: where several schedulers change one optimizer, their factors multiply. A checkpoint
needs the ``state_dict()`` of optimizer and scheduler; the arguments of a scheduler are not in it.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import cos, inf, pi
from typing import Any

from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.core.value import Value
from microgradlib.errors import StateDictError, short
from microgradlib.modes import forbid
from microgradlib.numeric.conversion import to_float
from microgradlib.optim.optimizer import Optimizer
from microgradlib.optim.schedule import LRScheduler

_say_what_to_use(__name__)

__all__ = ["ConstantLR", "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR"]
__all__ += ["LinearLR", "MultiStepLR", "OneCycleLR", "ReduceLROnPlateau", "SequentialLR", "StepLR"]


@dataclass(eq=False)
class LambdaLR(LRScheduler):
    """The first learning rate times ``lr_lambda`` of the number of steps.

    ``lr_lambda`` is a function of an int, or a list of one for each group.
    """

    optimizer: Optimizer
    lr_lambda: Callable[[int], float] | list[Callable[[int], float]]
    last_epoch: int = -1

    def get_lr(self) -> list[float]:
        """Return the learning rates of the groups."""
        functions = self._each("lr_lambda", self.lr_lambda)
        if wrong := [f for f in functions if not callable(f)]:
            raise TypeError(f"LambdaLR: lr_lambda must be a function, got {short(wrong[0])}")
        return [x * f(self.last_epoch) for x, f in zip(self.base_lrs, functions, strict=True)]


@dataclass(eq=False)
class StepLR(LRScheduler):
    """The learning rate times ``gamma`` after every ``step_size`` steps."""

    optimizer: Optimizer
    step_size: int
    gamma: float = 0.1
    last_epoch: int = -1

    def _next(self, t: int, lr: float, base: float) -> float:
        return lr if t == 0 or t % self.step_size else lr * self.gamma


@dataclass(eq=False)
class MultiStepLR(LRScheduler):
    """The learning rate times ``gamma`` at each of the ``milestones``, numbers of steps."""

    optimizer: Optimizer
    milestones: Iterable[int]
    gamma: float = 0.1
    last_epoch: int = -1

    def __post_init__(self) -> None:
        """Count the milestones."""
        self._counts = Counter(self.milestones)
        if any(type(x) is not int for x in self._counts):
            raise TypeError(f"MultiStepLR: milestones must be ints, got {short([*self._counts])}")
        super().__post_init__()

    def _next(self, t: int, lr: float, base: float) -> float:
        return lr * self.gamma ** self._counts[t]


@dataclass(eq=False)
class ConstantLR(LRScheduler):
    """The learning rate times ``factor`` until there were ``total_iters`` steps."""

    optimizer: Optimizer
    factor: float = 1.0 / 3
    total_iters: int = 5
    last_epoch: int = -1

    def _next(self, t: int, lr: float, base: float) -> float:
        if t == 0:
            return lr * self.factor
        return lr * (1.0 / self.factor) if t == self.total_iters else lr

    def _first(self) -> list[float]:
        return super()._first() if self.total_iters else self.base_lrs


@dataclass(eq=False)
class LinearLR(LRScheduler):
    """The learning rate times a factor from ``start_factor`` to ``end_factor``.

    It changes by equal amounts over ``total_iters`` steps.
    """

    optimizer: Optimizer
    start_factor: float = 1.0 / 3
    end_factor: float = 1.0
    total_iters: int = 5
    last_epoch: int = -1

    def _next(self, t: int, lr: float, base: float) -> float:
        start, change = self.start_factor, self.end_factor - self.start_factor
        if t == 0:
            return lr * start
        if self._begins(t) or t > self.total_iters:
            return lr
        return lr * (1.0 + change / (self.total_iters * start + (t - 1) * change))


@dataclass(eq=False)
class ExponentialLR(LRScheduler):
    """The learning rate times ``gamma`` after every step."""

    optimizer: Optimizer
    gamma: float
    last_epoch: int = -1

    def _next(self, t: int, lr: float, base: float) -> float:
        return lr if self._begins(t) else lr * self.gamma


@dataclass(eq=False)
class CosineAnnealingLR(LRScheduler):
    """Half a period of a cosine, down to ``eta_min`` in ``T_max`` steps, and then up again.

    Source: Loshchilov and Hutter (2016), arXiv:1608.03983, without restarts.
    """

    optimizer: Optimizer
    T_max: int
    eta_min: float = 0.0
    last_epoch: int = -1

    def _next(self, t: int, lr: float, base: float) -> float:
        half, low = self.T_max, self.eta_min
        if self._begins(t):
            return lr
        if (t - 1 - half) % (2 * half) == 0:  # from the lowest up again
            return lr + (base - low) * (1 - cos(pi / half)) / 2
        return (1 + cos(pi * t / half)) / (1 + cos(pi * (t - 1) / half)) * (lr - low) + low

    def _first(self) -> list[float]:
        return [self.eta_min + (x - self.eta_min) * (1 + cos(0.0)) / 2 for x in self.base_lrs]


@dataclass(eq=False)
class OneCycleLR(LRScheduler):
    """Up to ``max_lr`` and down to far below the beginning, in ``total_steps`` steps.

    It begins at ``max_lr / div_factor``, has a share ``pct_start`` of the steps until ``max_lr``,
    and ends at the beginning / ``final_div_factor``; in between, if it is ``three_phase``, it comes
    back to the beginning. ``anneal_strategy`` is "cos" or "linear". With ``cycle_momentum``,
    momentum, or the first of ``betas``, goes the other way, from ``max_momentum`` to
    ``base_momentum``. There are ``epochs * steps_per_epoch`` steps if ``total_steps`` is None.
    ``max_lr`` and the bounds of momentum may be lists, of a number for each group.

    Source: Smith and Topin (2017), arXiv:1708.07120.
    """

    optimizer: Optimizer
    max_lr: float | list[float]
    total_steps: int | None = None
    epochs: int | None = None
    steps_per_epoch: int | None = None
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    cycle_momentum: bool = True
    base_momentum: float | list[float] = 0.85
    max_momentum: float | list[float] = 0.95
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    three_phase: bool = False
    last_epoch: int = -1

    def __post_init__(self) -> None:
        """Lay out the phases, and keep their bounds in the groups."""
        self._check()
        if self.total_steps is None:
            if not self.epochs or not self.steps_per_epoch:
                raise ValueError("OneCycleLR: pass total_steps, or epochs and steps_per_epoch")
            self.total_steps = self.epochs * self.steps_per_epoch
        if self.cycle_momentum and not {"momentum", "betas"} & {*self.optimizer.defaults}:
            raise ValueError("OneCycleLR: the optimizer has no momentum; pass cycle_momentum=False")
        peak, last = self.pct_start * self.total_steps - 1, self.total_steps - 1
        # Where phases begin or end, and what learning rate and momentum are there.
        self._bounds: list[tuple[float, str, str]] = [
            (0.0, "initial_lr", "max_momentum"),
            (peak, "max_lr", "base_momentum"),
            (last, "min_lr", "max_momentum"),
        ]
        if self.three_phase:
            self._bounds.insert(2, (2 * peak, "initial_lr", "max_momentum"))
        names = ["max_lr", *(("base_momentum", "max_momentum") if self.cycle_momentum else ())]
        each = {key: self._numbers(key) for key in names}
        for i, group in enumerate(self.optimizer.param_groups if self.last_epoch == -1 else ()):
            group.update({key: xs[i] for key, xs in each.items()})
            group["initial_lr"] = group["max_lr"] / self.div_factor
            group["min_lr"] = group["initial_lr"] / self.final_div_factor
        super().__post_init__()

    def get_lr(self) -> list[float]:
        """Return the learning rates of the groups, and set their momentum."""
        t, ends = self.last_epoch, [end for end, _, _ in self._bounds]
        if t > ends[-1] + 1:
            raise ValueError(f"OneCycleLR: the schedule ended after total_steps={self.total_steps}")
        i = min(bisect_left(ends, t, 1), len(ends) - 1)
        (start, *before), (end, *after) = self._bounds[i - 1 : i + 1]
        if end == start:
            raise ValueError(f"OneCycleLR: pct_start={self.pct_start} leaves a phase without steps")
        rates, at, keys = [], (t - start) / (end - start), [*zip(before, after, strict=True)]
        for group in self.optimizer.param_groups:
            pairs = [(group.get(a, 0.0), group.get(b, 0.0)) for a, b in keys]
            lr, momentum = [self._between(low, high, at) for low, high in pairs]
            rates.append(lr)
            if self.cycle_momentum and "betas" in group:
                group["betas"] = momentum, group["betas"][1]
            elif self.cycle_momentum:
                group["momentum"] = momentum
        return rates

    def _between(self, start: float, end: float, at: float) -> float:
        if self.anneal_strategy == "linear":
            # The call after the last step has at > 1: PyTorch goes on to less than 0 there.
            return (end - start) * min(at, 1.0) + start
        return end + (start - end) / 2.0 * (cos(pi * at) + 1)


@dataclass(eq=False)
class ReduceLROnPlateau(LRScheduler):
    """The learning rate times ``factor`` if ``step(loss)`` saw no better loss for long enough.

    A loss is better if it is less, or with mode "max" more, by more than ``threshold``, a share of
    the best one or with threshold_mode "abs" a number. More than ``patience`` that are not reduce
    the learning rate, by more than ``eps``, not below ``min_lr``; then ``cooldown`` do not count.
    """

    optimizer: Optimizer
    mode: str = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_lr: float | list[float] = 0.0
    eps: float = 1e-8

    _kept = ("last_epoch", "best", "num_bad_epochs", "cooldown_counter", "_last_lr")

    def __post_init__(self) -> None:
        """Check the arguments."""
        self._check()
        if self.factor == 1.0:
            raise ValueError("ReduceLROnPlateau: factor must be < 1, got 1")
        self.min_lrs = self._numbers("min_lr")
        self.last_epoch = self.num_bad_epochs = self.cooldown_counter = 0
        self.best = inf if self.mode == "min" else -inf
        self._last_lr = self._rates

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Take notice of a loss, a number or a Value, and reduce the learning rates if it is time.

        Raises:
            TypeError: if it is no number.
        """
        forbid("step()", "call it outside")
        loss = metrics.data if isinstance(metrics, Value) else metrics
        x = to_float("ReduceLROnPlateau.step", loss, "a number")
        best, bad, cooling = self.best, self.num_bad_epochs + 1, self.cooldown_counter
        sign = 1.0 if self.mode == "max" else -1.0
        share, relative = sign * self.threshold, self.threshold_mode == "rel"
        if sign * x > sign * (best * (1.0 + share) if relative else best + share):
            best, bad = x, 0
        if cooling > 0:
            cooling, bad = cooling - 1, 0
        reduces = bad > self.patience
        self._set(self.last_epoch + 1, lambda: self._reduced() if reduces else self._rates)
        self.best, self.num_bad_epochs = best, 0 if reduces else bad
        self.cooldown_counter = self.cooldown if reduces else cooling

    def _reduced(self) -> list[float]:
        pairs = zip(self._rates, self.min_lrs, strict=True)
        new = [(old, max(old * self.factor, low)) for old, low in pairs]
        return [lr if old - lr > self.eps else old for old, lr in new]


@dataclass(eq=False)
class SequentialLR(LRScheduler):
    """One of the ``schedulers`` after the other.

    The next one begins at each of the ``milestones``, numbers of steps.
    """

    optimizer: Optimizer
    schedulers: list[LRScheduler]
    milestones: list[int]
    last_epoch: int = -1

    _kept = ("last_epoch", "_last_lr")

    def __post_init__(self) -> None:
        """Check the arguments, and begin with the first scheduler."""
        self._check()
        parts, marks = [*self.schedulers], [*self.milestones]
        for i, x in enumerate(parts):
            if not isinstance(x, LRScheduler) or isinstance(x, SequentialLR | ReduceLROnPlateau):
                raise TypeError(
                    f"SequentialLR: schedulers[{i}] must be a schedule of its own, got {short(x)}"
                )
            if x.optimizer is not self.optimizer:
                raise ValueError(f"SequentialLR: schedulers[{i}] has another optimizer")
        if len(marks) != len(parts) - 1 or marks != sorted({*marks}):
            raise ValueError(
                f"SequentialLR: milestones must be {len(parts) - 1} ints that grow, one less than "
                f"there are schedulers, got {short(marks)}"
            )
        self.schedulers, self.milestones, self.last_epoch = parts, marks, self.last_epoch + 1
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        for x in parts:
            x.last_epoch -= 1
        current = parts[bisect_right(marks, 0)]
        current._begin()
        self._last_lr = current.get_last_lr()

    def step(self) -> None:
        """Set the next learning rates."""
        epoch = self.last_epoch + 1
        current = self.schedulers[bisect_right(self.milestones, epoch)]
        if epoch in self.milestones:
            current._set(0, current._first)
        else:
            current.step()
        self.last_epoch, self._last_lr = epoch, current.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """Return how far it has come, and the states of the schedulers."""
        return {**super().state_dict(), "schedulers": [x.state_dict() for x in self.schedulers]}

    def _checked_state(self, state: Any) -> list[tuple[LRScheduler, dict[str, Any]]]:
        given = state if isinstance(state, dict) else {}
        parts = given.get("schedulers")
        if not isinstance(parts, list) or len(parts) != len(self.schedulers):
            raise StateDictError(
                f"SequentialLR.load_state_dict: expected {len(self.schedulers)} schedulers, got "
                f"{short(state)}"
            )
        found = super()._checked_state({key: x for key, x in given.items() if key != "schedulers"})
        for x, part in zip(self.schedulers, parts, strict=True):
            found += x._checked_state(part)
        return found
