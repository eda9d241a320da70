"""The base class of schedules of learning rates."""

import copy
import warnings
from collections.abc import Callable
from math import inf
from typing import Any

from microgradlib.errors import StateDictError, short
from microgradlib.functions.arguments import check_number
from microgradlib.modes import forbid
from microgradlib.optim.optimizer import Optimizer

_COUNTS = {"last_epoch": -1, "step_size": 1, "T_max": 1, "total_iters": 0, "total_steps": 1}
_COUNTS |= {"epochs": 1, "steps_per_epoch": 1, "patience": 0, "cooldown": 0}
_TINY = 1e-300  # of numbers that are divided by
_NUMBERS = {"gamma": (0.0, inf), "eta_min": (0.0, inf), "end_factor": (0.0, 1.0)}
_NUMBERS |= {"start_factor": (_TINY, 1.0), "pct_start": (0.0, 1.0), "div_factor": (_TINY, inf)}
_NUMBERS |= {"final_div_factor": (_TINY, inf), "threshold": (0.0, inf), "eps": (0.0, inf)}
_NUMBERS |= {"factor": (0.0, 1.0)}
_CHOICES = {"mode": ("min", "max"), "threshold_mode": ("rel", "abs")}
_CHOICES |= {"anneal_strategy": ("cos", "linear")}


class LRScheduler:
    """Base class of schedules. A subclass defines ``get_lr()``.

    Args:
        optimizer: the optimizer whose groups it changes.
        last_epoch: how many steps it has taken; -1 to begin. Otherwise the groups of the optimizer
            must have an ``initial_lr``, which its state dict brings back.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if an argument is out of range.
    """

    _kept: tuple[str, ...] = ("last_epoch", "base_lrs", "_step_count", "_last_lr")  # in its state

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        """Keep the arguments."""
        self.optimizer, self.last_epoch = optimizer, last_epoch
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check the arguments, and set the first learning rates."""
        self._check()
        for i, group in enumerate(self.optimizer.param_groups):
            if self.last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: param_groups[{i}] has no 'initial_lr', which "
                    "last_epoch >= 0 needs; load the state dict of the optimizer first"
                )
        self.base_lrs = [group["initial_lr"] for group in self.optimizer.param_groups]
        self._begin()

    def get_lr(self) -> list[float]:
        """Return the learning rates of the groups at ``last_epoch``, from those before."""
        return self._after(self._rates)

    def get_last_lr(self) -> list[float]:
        """Return the learning rates of the groups that the last step has set."""
        return [*self._last_lr]

    def step(self) -> None:
        """Set the next learning rates."""
        forbid("step()", "call it outside")
        if self._step_count == 1 and not self.optimizer._called:
            warnings.warn(
                f"{type(self).__name__}.step() before optimizer.step() skips the first learning "
                "rate; call it afterwards",
                stacklevel=2,
            )
        self._set(self.last_epoch + 1, self.get_lr)
        self._step_count += 1

    def state_dict(self) -> dict[str, Any]:
        """Return how far it has come, as numbers and lists."""
        return copy.deepcopy({key: getattr(self, key) for key in self._kept})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a result of ``state_dict()``: all of it or, if it does not fit, nothing.

        Raises:
            StateDictError: if it does not fit.
        """
        forbid("load_state_dict()", "call it outside")
        owners, states = zip(*self._checked_state(state_dict), strict=True)
        any(map(dict.update, map(vars, owners), states))  # one call of C code: Ctrl-C is not within

    def _checked_state(self, state: Any) -> list[tuple["LRScheduler", dict[str, Any]]]:
        """Return what a state sets: in which schedulers, and their attributes."""
        name = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, dict) or {*state} != {*self._kept}:
            raise StateDictError(f"{name}: expected the keys {[*self._kept]}, got {short(state)}")
        for key, new in state.items():
            old = getattr(self, key)
            fits = type(new) is type(old) and not (type(new) is int and new < -1)
            if fits and isinstance(old, list):
                fits = len(new) == len(old) and all(type(x) is float and 0 <= x < inf for x in new)
            if not fits:
                raise StateDictError(f"{name}: expected {key} like {short(old)}, got {short(new)}")
        return [(self, copy.deepcopy(state))]

    def _begin(self) -> None:
        self._last_lr, self._step_count, self._start = self._rates, 1, self.last_epoch + 1
        self._set(self._start, self.get_lr)

    def _set(self, epoch: int, rates: Callable[[], list[float]]) -> None:
        groups, before = self.optimizer.param_groups, self.last_epoch
        if len(groups) != len(self._last_lr):
            raise ValueError(
                f"{type(self).__name__}: the optimizer has {len(groups)} groups now, not "
                f"{len(self._last_lr)}; make the scheduler after add_param_group"
            )
        try:
            self.last_epoch = epoch
            # A recurrence that ends at 0 may round to less than that.
            new = [0.0 if -1e-15 < x < 0.0 else self._number("lr", x) for x in rates()]
        except BaseException:
            self.last_epoch = before
            raise
        for group, lr in zip(groups, new, strict=True):
            group["lr"] = lr
        self._last_lr = new

    @property
    def _rates(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _after(self, rates: list[float]) -> list[float]:
        """Return the learning rates at ``last_epoch`` after others, by the recurrence."""
        pairs = zip(rates, self.base_lrs, strict=True)
        return [self._next(self.last_epoch, lr, base) for lr, base in pairs]

    def _next(self, t: int, lr: float, base: float) -> float:
        """Return the learning rate of a group at step t, after ``lr``; ``base`` is its first."""
        raise NotImplementedError(f"{type(self).__name__}.get_lr: not defined")

    def _begins(self, t: int) -> bool:
        """Return whether no step comes before t."""
        return t in (0, self._start)

    def _first(self) -> list[float]:
        """Return the learning rates with which it begins in a SequentialLR."""
        recurs = type(self).get_lr is LRScheduler.get_lr
        return self._after(self.base_lrs) if recurs else self.get_lr()

    def _check(self) -> None:
        """Check the arguments by their names."""
        name = type(self).__name__
        if not isinstance(self.optimizer, Optimizer):
            raise TypeError(
                f"{name}: optimizer must be one of microgradlib.optim, got {short(self.optimizer)}"
            )
        for key, x in [*vars(self).items()]:
            if key in _COUNTS and x is not None and (type(x) is not int or x < _COUNTS[key]):
                raise ValueError(f"{name}: {key} must be an int >= {_COUNTS[key]}, got {short(x)}")
            if key in _NUMBERS:
                setattr(self, key, self._number(key, x, *_NUMBERS[key]))
            if key in _CHOICES and x not in _CHOICES[key]:
                raise ValueError(f"{name}: {key} must be in {_CHOICES[key]}, got {short(x)}")

    def _number(self, key: str, x: Any, low: float = 0.0, high: float = inf) -> float:
        return check_number(type(self).__name__, key, x, low, high=high)

    def _each(self, key: str, x: Any) -> list[Any]:
        """Return one of something for each group: x itself, or those of a list."""
        count, several = len(self.optimizer.param_groups), isinstance(x, list | tuple)
        if several and len(x) != count:
            raise ValueError(
                f"{type(self).__name__}: {key} must be one, or a list of {count} for the groups, "
                f"got {short(x)}"
            )
        return [*x] if several else [x] * count

    def _numbers(self, key: str) -> list[float]:
        """Return the argument of that name as a number for each group."""
        return [self._number(key, x) for x in self._each(key, getattr(self, key))]
