"""Optimizers: SGD, Adam and AdamW, with PyTorch's update rules and defaults."""

from collections.abc import Callable, Iterable
from functools import partial
from math import inf, isfinite, sqrt
from numbers import Real
from typing import Any, NoReturn, TypeAlias

from microgradlib.errors import NonFiniteError, StateDictError
from microgradlib.modes import tracing
from microgradlib.value import Value, set_data

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]

State: TypeAlias = dict[str, Any]


def _flag(function: str, argument: str, x: object) -> bool:
    if not isinstance(x, bool):
        raise TypeError(f"{function}: {argument} must be True or False, got {x!r}")
    return x


def _number(function: str, argument: str, x: object, low: float = 0.0, below: float = inf) -> float:
    """Return ``x`` as a float, or say that ``argument`` must be finite, >= low and < below."""
    if isinstance(x, bool) or not isinstance(x, Real):
        raise TypeError(f"{function}: {argument} must be a number, got {x!r}; pass a float")
    try:
        number = float(x)
    except OverflowError:  # of an int, say
        number = inf
    if not (low <= number < below and isfinite(number)):
        bounds = f", >= {low:g}" * (low > -inf) + f" and < {below:g}" * (below < inf)
        raise ValueError(f"{function}: {argument} must be finite{bounds}, got {x!r}")
    return number


def _betas(function: str, argument: str, x: object) -> tuple[float, ...]:
    if not isinstance(x, tuple | list) or len(x) != 2:
        raise TypeError(f"{function}: {argument} must be a pair of numbers, got {x!r}")
    return tuple([_number(function, f"{argument}[{i}]", b, 0.0, 1.0) for i, b in enumerate(x)])


class _Option:
    """An attribute of an optimizer that is checked whenever it is set.

    As it has no ``__get__``, it is read as any other attribute.
    """

    def __init__(self, check: Callable[[str, str, Any], Any]) -> None:
        self.check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __set__(self, optimizer: "Optimizer", x: Any) -> None:
        vars(optimizer)[self.name] = self.check(type(optimizer).__name__, self.name, x)


def _option(check: Callable[[str, str, Any], Any]) -> Any:
    return _Option(check)


class Optimizer:
    """What the optimizers share: the parameters, the learning rate, and an all-or-nothing step.

    A gradient of None counts as zero. PyTorch would skip the parameter: there, neither weight decay
    nor momentum acts on it. What is left in the gradient of a parameter that requires none counts
    as zero, too, and its data stay.

    Attributes:
        params: the parameters, in order.
        lr: the learning rate; may be changed between steps.
    """

    lr: float = _option(_number)

    def __init__(self, params: Iterable[Value], lr: float) -> None:
        """Check and keep the parameters."""
        name = type(self).__name__
        if isinstance(params, Value) or not isinstance(params, Iterable):
            raise TypeError(
                f"{name}: params must be an iterable of Values, got {params!r}; "
                "pass model.parameters()"
            )
        self.params = tuple(params)
        if not self.params:
            raise ValueError(f"{name}: params is empty; pass model.parameters()")
        seen: set[Value] = set()
        for i, p in enumerate(self.params):
            if not isinstance(p, Value):
                raise TypeError(f"{name}: params[{i}] is {p!r}; every parameter must be a Value")
            if p._op:
                raise ValueError(f"{name}: params[{i}] was computed ({p._op}); pass leaf Values")
            if p in seen:
                raise ValueError(f"{name}: params[{i}] is listed twice; pass each Value once")
            seen.add(p)
        self.lr = lr
        self._state: State = {}

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0.

        >>> w = Value(1.0)
        >>> (w * 3.0).backward()
        >>> SGD([w], lr=0.1).zero_grad()
        >>> w.grad
        0.0
        """
        if tracing() is not None:
            tracing().refuse("zero_grad()", "outside")
        for p in self.params:
            p.grad = 0.0

    def step(self) -> None:
        """Update every parameter from its gradient: all of them, or none if anything is wrong.

        Raises:
            TypeError: if a gradient is no float, int or Value.
            NonFiniteError: if a parameter, or what is remembered of it, would become infinite or
                NaN.
        """
        if tracing() is not None:
            tracing().refuse("step()", "outside")
        data, state = self._update()
        # The sum of floats is a float, and where it is finite, so is every term. Only the rare
        # other cases are looked at.
        total = sum(data)
        if total.__class__ is not float:  # gradients are Values, perhaps, or NumPy's numbers
            self._check_grads()
            data = _floats(data)
            total = sum(data)  # of floats now
        if not isfinite(total):
            for i, x in enumerate(data):
                if not isfinite(x):
                    self._refuse(
                        i, f"would become {x}", f"lower lr={self.lr} or clip the gradients"
                    )
        if state is self._state:
            set_data(self.params, data)
        else:  # as set_data does it, and the state in the same call
            names = ("data",) * len(data) + ("_state",)
            any(map(setattr, (*self.params, self), names, (*data, state)))

    def state_dict(self) -> State:
        """Return what the optimizer remembers between steps, as lists and numbers.

        >>> SGD([Value(1.0)], lr=0.1).state_dict()
        {'lr': 0.1}
        """
        return {"lr": self.lr} | {
            key: list(x) if isinstance(x, list) else x for key, x in self._state.items()
        }

    def load_state_dict(self, state: State) -> None:
        """Take over what ``state_dict()`` returned, all of it or, if it does not fit, nothing.

        Raises:
            StateDictError: if ``state`` has other keys or sizes than this optimizer's own.
            TypeError: if an entry holds something but numbers.
            ValueError: if a number is out of range.
        """
        name = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, dict) or "lr" not in state:
            raise StateDictError(f"{name}: expected a state_dict() with an 'lr', got {state!r}")
        new = {key: x for key, x in state.items() if key != "lr"}
        if new and set(new) != set(self._state_keys()):
            raise StateDictError(
                f"{name}: expected the keys {list(self._state_keys())}, got {list(new)}; "
                "make it with the same options"
            )
        for key, x in new.items():
            if key == "step":
                if type(x) is not int or not 0 < x < 2**63:
                    raise StateDictError(f"{name}: 'step' must be a positive int, got {x!r}")
            elif not isinstance(x, list) or len(x) != len(self.params):
                raise StateDictError(
                    f"{name}: {key!r} must be a list of {len(self.params)} numbers, got {x!r}"
                )
            else:
                low = 0.0 if key.endswith("_sq") else -inf
                new[key] = [_number(name, f"{key}[{i}]", v, low) for i, v in enumerate(x)]
        lr = _number(name, "lr", state["lr"])
        vars(self).update(lr=lr, _state=new)  # both or, on Ctrl-C, none

    def _update(self) -> tuple[list[float], State]:
        """Return the new data and the new state; change nothing."""
        raise NotImplementedError

    def _data_and_grads(self) -> tuple[list[float], list[float]]:
        grads = [(p.grad or 0.0) if p.requires_grad else 0.0 for p in self.params]
        try:
            floats = sum(grads).__class__ is float  # as in step
        except TypeError:
            floats = False
        if not floats:
            self._check_grads()
            grads = _floats(grads)
        return [p.data for p in self.params], grads

    def _add_decay(self, decay: float, grads: list[float]) -> list[float]:
        """Return the gradients with that of the L2 penalty."""
        pairs = zip(self.params, grads, strict=True)
        return [g + decay * p.data if p.requires_grad else g for p, g in pairs]

    def _check_grads(self) -> None:
        for i, p in enumerate(self.params):
            if p.requires_grad and not isinstance(p.grad or 0.0, float | int | Value):
                self._refuse(
                    i, "has a gradient that is no float", "convert it: float(p.grad)", TypeError
                )

    def _refuse(
        self, i: int, problem: str, remedy: str, error: type[Exception] = NonFiniteError
    ) -> NoReturn:
        """Say what is wrong with a parameter."""
        p = self.params[i]
        raise error(
            f"{type(self).__name__}.step: parameter {p.label or i} {problem} "
            f"(data={p.data}, grad={p.grad!r}); nothing was updated: {remedy}"
        ) from None

    def _state_keys(self) -> Iterable[str]:
        """Return the keys that the state has after a step."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> SGD([w], lr=0.25).step()
    >>> w.data
    0.5

    A gradient of None counts as zero, where PyTorch skips the parameter.

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

    momentum: float = _option(_number)
    dampening: float = _option(partial(_number, low=-inf))
    weight_decay: float = _option(_number)
    nesterov: bool = _option(_flag)

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

    def _update(self) -> tuple[list[float], State]:
        lr, mu, state = self.lr, self.momentum, self._state
        decay = self.weight_decay
        if not (mu or decay):
            new = []
            try:
                for p in self.params:  # which is faster than a comprehension, until Python 3.12
                    new.append(p.data - lr * p.grad if p.requires_grad else p.data)
                return new, state
            except TypeError:  # a gradient is None
                pass
        data, grads = self._data_and_grads()
        if decay:
            grads = self._add_decay(decay, grads)
        if mu:
            if state:
                keep = 1.0 - self.dampening
                old = state["momentum_buffer"]
                buffer = [mu * b + keep * g for b, g in zip(old, grads, strict=True)]
            else:
                buffer = grads
            if self.nesterov:
                grads = [g + mu * b for g, b in zip(grads, buffer, strict=True)]
            else:
                grads = buffer
            state = {"momentum_buffer": buffer}
        triples = zip(self.params, data, grads, strict=True)
        return [x - lr * g if p.requires_grad else x for p, x, g in triples], state


class Adam(Optimizer):
    """Adam: steps scaled by running estimates of the gradient's first and second moments.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> Adam([w], lr=0.25).step()
    >>> round(w.data, 6)
    0.75

    A gradient of None counts as zero, where PyTorch skips the parameter.

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

    betas: tuple[float, float] = _option(_betas)
    eps: float = _option(_number)
    weight_decay: float = _option(_number)
    amsgrad: bool = _option(_flag)

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

    def _update(self) -> tuple[list[float], State]:
        data, grads = self._data_and_grads()
        if decay := self.weight_decay:
            data, grads = self._decay(decay, data, grads)
        beta1, beta2 = self.betas
        zeros = [0.0] * len(data)
        step = self._state.get("step", 0) + 1
        m = self._state.get("exp_avg", zeros)
        v = self._state.get("exp_avg_sq", zeros)
        new1, new2 = 1.0 - beta1, 1.0 - beta2
        if new1 < 0.5:
            m = [a + new1 * (g - a) for a, g in zip(m, grads, strict=True)]
        else:  # as PyTorch does it: g itself where beta1 is 0
            m = [g - (1.0 - new1) * (g - a) for a, g in zip(m, grads, strict=True)]
        v = [beta2 * a + new2 * g * g for a, g in zip(v, grads, strict=True)]
        if not isfinite(sum(v)):
            for i, x in enumerate(v):
                if not isfinite(x):
                    self._refuse(i, f"would get {x} for its squared gradients", "clip them")
        state = {"step": step, "exp_avg": m, "exp_avg_sq": v}
        if self.amsgrad:
            v = list(map(max, self._state.get("max_exp_avg_sq", zeros), v))
            state["max_exp_avg_sq"] = v
        rate = self.lr / (1.0 - beta1**step)
        root = sqrt(1.0 - beta2**step)
        eps = self.eps
        rows = zip(self.params, data, m, map(sqrt, v), strict=True)
        try:
            data = [
                x - rate * a / (b / root + eps) if p.requires_grad else p.data
                for p, x, a, b in rows
            ]
        except ZeroDivisionError:
            zero = [p.requires_grad and not b for p, b in zip(self.params, v, strict=True)]
            problem = "needs a division by 0, its squared gradients and eps being 0"
            self._refuse(zero.index(True), problem, "pass an eps above 0")
        return data, state

    def _decay(
        self, decay: float, data: list[float], grads: list[float]
    ) -> tuple[list[float], list[float]]:
        return data, self._add_decay(decay, grads)


class AdamW(Adam):
    """Adam with decoupled weight decay: parameters shrink by lr * weight_decay at each step.

    >>> w = Value(1.0)
    >>> AdamW([w], lr=0.5, weight_decay=0.5).step()
    >>> w.data
    0.75

    A gradient of None counts as zero, where PyTorch skips the parameter.

    Args:
        params: leaf Values, each once.
        lr: the learning rate, >= 0.
        betas: the decay rates of the two moments, each in [0, 1).
        eps: added to the denominator, >= 0.
        weight_decay: the rate of decay, >= 0.
        amsgrad: divide by the largest second moment so far.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if an argument is out of range, or params are empty, repeated or computed.

    Source: Loshchilov and Hutter (2017), arXiv:1711.05101.
    """

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

    def _decay(
        self, decay: float, data: list[float], grads: list[float]
    ) -> tuple[list[float], list[float]]:
        return [x * (1.0 - self.lr * decay) for x in data], grads


def _floats(xs: Iterable[float | Value]) -> list[float]:
    """Return numbers, or the data of Values, as floats."""
    return [x.data if isinstance(x, Value) else float(x) for x in xs]
