"""The base class of optimizers."""

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from math import inf, isfinite, sqrt
from typing import Any, NamedTuple, NoReturn, TypeAlias

from microgradlib.core.value import Value
from microgradlib.errors import NonFiniteError, StateDictError, short, shorten
from microgradlib.modes import forbid
from microgradlib.optim.options import Option, check_number, option
from microgradlib.parameters.finding import forget_gradients, has_gradient, tensor_of
from microgradlib.trees import set_data

State: TypeAlias = dict[str, Any]
"""Lists of numbers, one for each parameter, and how many steps they have had: a number or a list.

What a parameter without steps has in the lists means nothing."""

Numbers: TypeAlias = list[Any]


class Functions(NamedTuple):
    """The functions that formulas of optimizers need, for one kind of number."""

    sqrt: Callable[[Any], Any]
    larger: Callable[[Any, Any], Any]


_OF_FLOATS = Functions(sqrt, max)


class Optimizer:
    """Base class of optimizers: the parameters, the learning rate, and an all-or-nothing step.

    As in PyTorch, a step skips a tensor without a gradient: neither weight decay nor momentum acts
    on it. A tensor is a list, or a list of lists, of Values in a module that gave them out as its
    parameters; any other Value is a tensor of its own. It has no gradient if none of its entries
    has one; otherwise those without count as having 0. ``grad`` is no gradient if it is None, or if
    the Value is new and nothing has been written there. A frozen parameter has none, either, and
    keeps its data.

    Attributes:
        params: the parameters, in order.
        lr: the learning rate; may be changed between steps.
    """

    _counts_no_steps = False  # whether its updates do not depend on the number of steps
    _overflowing: tuple[str, ...] = ()  # lists of the state that may overflow where no data do

    _changes: int  # how often options were set

    lr: float = option(check_number)

    def __init__(self, params: Iterable[Value], lr: float) -> None:
        """Check and keep the parameters."""
        name = type(self).__name__
        if isinstance(params, Value) or not isinstance(params, Iterable):
            raise TypeError(
                f"{name}: params must be an iterable of Values, got {short(params)}; "
                "pass model.parameters()"
            )
        if isinstance(params, set | frozenset):
            raise TypeError(
                f"{name}: params is a set, the order of which differs from run to run; pass a list "
                "such as model.parameters()"
            )
        self.params = tuple(params)
        if not self.params:
            raise ValueError(f"{name}: params is empty; pass model.parameters()")
        seen: set[Value] = set()
        for i, p in enumerate(self.params):
            if not isinstance(p, Value):
                raise TypeError(
                    f"{name}: params[{i}] is {short(p)}; every parameter must be a Value; "
                    "pass model.parameters()"
                )
            if p._op:
                raise ValueError(f"{name}: params[{i}] was computed ({p._op}); pass leaf Values")
            if p in seen:
                raise ValueError(f"{name}: params[{i}] is listed twice; pass each Value once")
            seen.add(p)
        self.lr = lr
        self._state: State = {}
        self._tensors = {p: tensor_of(p) for p in self.params}  # of one added later: itself

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient of every parameter.

        >>> from microgradlib.optim import SGD
        >>> w = Value(1.0)
        >>> (w * 3.0).backward()
        >>> SGD([w], lr=0.1).zero_grad()
        >>> print(w.grad)
        None

        Args:
            set_to_none: whether to set it to None, or to 0.0, which counts as a gradient.
        """
        forbid("zero_grad()", "compile value_and_grad(f), or call zero_grad() outside")
        forget_gradients(self.params, set_to_none)

    def step(self) -> None:
        """Update every parameter from its gradient: all of them, or none if anything is wrong.

        Raises:
            TypeError: if a gradient is not a float, int or Value.
            NonFiniteError: if a parameter, or an entry of the optimizer's state, would become
                infinite or NaN.
        """
        forbid("step()", "compile value_and_grad(f), or call step() outside")
        grads: list[Any] = [p._grad if p._requires_grad else None for p in self.params]
        usual = {*map(type, grads)} == {float}
        if not usual:
            grads = self._of_tensors(grads)
        if type(self._state.get("step", 0)) is int and (usual or None not in grads):
            data, state = self._update(self.params, grads, self._state)
        else:
            data, state = self._update_some(grads)
        remedy = "lower lr={} or clip the gradients"
        self._check_finite(self.params, data, "would become {}", remedy)
        if state is self._state:
            set_data(self.params, data)
            return
        # One call of C code assigns everything, so that Ctrl-C comes before or after it. As setattr
        # returns None, any() goes on to the end.
        owners = (*self.params, self)
        names = ("_data",) * len(data) + ("_state",)
        any(map(setattr, owners, names, (*data, state)))

    def state_dict(self) -> State:
        """Return the learning rate and the state that steps have left, as lists and numbers.

        >>> from microgradlib.optim import SGD
        >>> SGD([Value(1.0)], lr=0.1).state_dict()
        {'lr': 0.1}
        """
        state = dict(self._state)
        steps = state.get("step", 0)
        for key, xs in state.items():
            if isinstance(xs, list):
                known = repeat(True) if type(steps) is int or xs is steps else steps
                state[key] = [x if there else None for x, there in zip(xs, known)]  # noqa: B905
        if self._counts_no_steps:
            state.pop("step", None)
        return {"lr": self.lr} | state

    def load_state_dict(self, state: State) -> None:
        """Load a result of ``state_dict()``: all of it or, if it does not fit, nothing.

        Raises:
            StateDictError: if ``state`` has other keys or sizes than this optimizer's own.
            TypeError: if an entry holds anything but numbers.
            ValueError: if a number is out of range.
        """
        name = f"{type(self).__name__}.load_state_dict"
        forbid("load_state_dict()", "call it outside")
        if not isinstance(state, dict) or "lr" not in state:
            raise StateDictError(
                f"{name}: expected a state_dict() with an 'lr', got {short(state)}"
            )
        new = {key: x for key, x in state.items() if key != "lr"}
        if new and set(new) != set(self._state_keys()):
            raise StateDictError(
                f"{name}: expected the keys {list(self._state_keys())}, got {short(list(new))}; "
                "make it with the same options"
            )
        count = len(self.params)
        steps: list[int] = []
        for key, xs in new.items():
            if key == "step" and not isinstance(xs, list):
                if type(xs) is not int or not 0 < xs < 2**63:
                    raise StateDictError(f"{name}: 'step' must be a positive int, got {short(xs)}")
                new[key] = [xs] * count
            elif not isinstance(xs, list) or len(xs) != count:
                raise StateDictError(
                    f"{name}: {short(key)} must be a list of {count} numbers, got {short(xs)}"
                )
            elif self._counts_no_steps:
                steps = [0 if x is None else 1 for x in xs]
        steps = new.pop("step", steps)
        for i, step in enumerate(steps):
            if type(step) is not int or not 0 <= step < 2**63:
                raise StateDictError(f"{name}: step[{i}] must be an int >= 0, got {short(step)}")
        for key, xs in new.items():
            low = 0.0 if key.endswith("_sq") else -inf
            new[key] = [
                check_number(name, f"{key}[{i}]", x, low) if step else 0.0
                for i, (x, step) in enumerate(zip(xs, steps, strict=True))
            ]
        new = new and with_steps(new, steps)
        lr = check_number(name, "lr", state["lr"])
        vars(self).update(lr=lr, _state=new)  # both or, on Ctrl-C, none

    def _update(
        self, params: Sequence[Value], grads: list[float], state: State
    ) -> tuple[list[float], State]:
        """Return the new data and the new state of parameters with equal numbers of steps.

        It changes nothing. ``state`` is empty before their first step.
        """
        lists = {key: xs for key, xs in state.items() if key != "step"}
        step = state.get("step", 0) + 1
        factors = self._factors(step)
        data = [p._data for p in params]
        data, new = self._formula(data, grads, lists, factors, _OF_FLOATS)
        return data, {"step": 1 if self._counts_no_steps else step, **new} if new else state

    def _factors(self, step: int) -> tuple[float, ...]:
        """Return the numbers in the formula that may change from step to step, from 1 on."""
        raise NotImplementedError

    def _formula(
        self, data: Numbers, grads: Numbers, state: State, factors: Sequence[Any], ops: Functions
    ) -> tuple[Numbers, State]:
        """Return the new data and the lists of the new state, computed with operators and ``ops``.

        ``state`` is empty before the first step. Numbers are floats, or symbols of generated code.
        """
        raise NotImplementedError

    def _update_some(self, grads: list[Any]) -> tuple[list[float], State]:
        """Return the new data and the new state where some parameters have no gradient or state."""
        count = len(self.params)
        data = [p._data for p in self.params]
        state = {key: [*xs] for key, xs in self._state.items() if key != "step"}
        steps = self._state.get("step", 0)
        steps = [steps] * count if type(steps) is int else [*steps]
        places: dict[int, list[int]] = {}
        for i, (grad, step) in enumerate(zip(grads, steps, strict=True)):
            if grad is not None:
                places.setdefault(step, []).append(i)
        for step, where in places.items():
            part: State = {"step": step} if step else {}
            if step:
                part |= {key: [xs[i] for i in where] for key, xs in state.items()}
            params = [self.params[i] for i in where]
            new, part = self._update(params, [grads[i] for i in where], part)
            changed = [(data, new), (steps, [part.pop("step", 0)] * len(where))]
            changed += [(state.setdefault(key, [0.0] * count), xs) for key, xs in part.items()]
            for full, xs in changed:
                for i, x in zip(where, xs, strict=True):
                    full[i] = x
        return data, with_steps(state, steps) if state else self._state

    def _state_keys(self) -> Iterable[str]:
        """Return the keys that the state has after a step."""
        raise NotImplementedError

    def _formula_options(self) -> dict[str, Any]:
        """Return the options that the formula reads: all but lr, which is in the factors."""
        kinds = [(name, getattr(type(self), name, None)) for name in vars(self)]
        names = [name for name, x in kinds if isinstance(x, Option) and name != "lr"]
        return {name: vars(self)[name] for name in names}

    def _of_tensors(self, grads: list[Any]) -> list[float | None]:
        """Return gradients as floats: None where a whole tensor has none, 0 where an entry has."""
        new = [*map(self._as_float, self.params, grads)]
        pairs = [(self._tensors.get(p, p), g) for p, g in zip(self.params, new, strict=True)]
        reached = {tensor for tensor, grad in pairs if grad is not None}
        return [
            0.0 if grad is None and tensor in reached and p._requires_grad else grad
            for p, (tensor, grad) in zip(self.params, pairs, strict=True)
        ]

    def _as_float(self, p: Value, grad: Any) -> float | None:
        """Return the gradient of a parameter as a float, or None if it has none."""
        if not has_gradient(grad):
            return None
        if isinstance(grad, Value):
            return grad._data
        if not isinstance(grad, float | int):
            self._refuse(
                p, "has a gradient that is no float", "convert it: float(p.grad)", TypeError
            )
        return float(grad)

    def _check_finite(
        self, params: Sequence[Value], xs: list[float], problem: str, remedy: str
    ) -> None:
        """Check one number for each parameter; ``problem`` takes the number, ``remedy`` the lr."""
        if not isfinite(sum(xs)):  # the sum of finite numbers may overflow, too
            for p, x in zip(params, xs, strict=True):
                if not isfinite(x):
                    self._refuse(p, problem.format(x), remedy.format(self.lr))

    def _refuse(
        self, p: Value, problem: str, remedy: str, error: type[Exception] = NonFiniteError
    ) -> NoReturn:
        """Raise an error that shows a parameter and says what to do."""
        i = next(i for i, x in enumerate(self.params) if x is p)
        raise error(
            f"{type(self).__name__}.step: parameter {shorten(p._label or i)} {problem} "
            f"(data={p.data}, grad={short(p._grad)}); nothing was updated: {remedy}"
        ) from None


def with_decay(decay: float, data: list[Any], grads: list[Any]) -> list[Any]:
    """Add the gradients of the L2 penalty."""
    return [g + decay * x for x, g in zip(data, grads, strict=True)]


def with_steps(state: State, steps: list[int]) -> State:
    """Add the steps that parameters have had: one number if all have had as many."""
    lists = {key: xs for key, xs in state.items() if key != "step"}
    if len({*steps}) > 1:
        return {"step": steps, **lists}
    return {"step": steps[0], **lists} if steps[0] else {}
