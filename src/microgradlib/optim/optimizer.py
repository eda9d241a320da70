"""The base class of optimizers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from types import SimpleNamespace
from typing import Any, ClassVar, NoReturn

from microgradlib.core.value import Value
from microgradlib.errors import NonFiniteError, StateDictError, short, shorten
from microgradlib.functions.arguments import check_flag, check_number
from microgradlib.modes import forbid
from microgradlib.optim.formulas import (
    OF_FLOATS,
    Inputs,
    Numbers,
    State,
    checked_state,
    shown_state,
    zeros,
)
from microgradlib.optim.groups import (
    SCHEDULED,
    Group,
    entries_in,
    is_tensor,
    option,
    values_in,
    without_names,
)
from microgradlib.parameters.filling import assign_all
from microgradlib.parameters.leaves import forget_gradients, has_gradient
from microgradlib.trees import set_data


class Optimizer:
    """Base class of optimizers: groups of parameters, and an all-or-nothing step.

    The parameters are an iterable of tensors, or of pairs of a name and a tensor; or of groups,
    each a dict with ``params`` and the options that are its own. A tensor is a leaf Value, or
    nested lists or an array of them. An option may be changed at any time, in a group of
    ``param_groups``, or in all of them as an attribute of the optimizer:

    >>> from microgradlib.optim import SGD
    >>> w, b = Value(1.0), Value(2.0)
    >>> sgd = SGD([{"params": [w], "weight_decay": 0.5}, {"params": [b]}], lr=0.1)
    >>> sgd.param_groups[0]["lr"] = 0.2
    >>> [(group["lr"], group["weight_decay"]) for group in sgd.param_groups]
    [(0.2, 0.5), (0.1, 0.0)]
    >>> sgd.lr = 0.3
    >>> sgd.lr
    0.3

    As in PyTorch, a step skips a tensor without a gradient: neither weight decay nor momentum acts
    on it. Numbers that a module gave out one by one make up the tensors that they are there. A
    tensor has no gradient if none of its entries has one; otherwise those without count as having
    0. ``grad`` is no gradient if it is None, or if the Value is new and nothing has been written
    there. A frozen parameter has none, either, and keeps its data.

    Attributes:
        defaults: the options of a group that has none of its own.
        lr: the learning rate of all groups.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if an argument is out of range, params are empty, repeated or computed, or an
            option that is read differs between groups.
    """

    _keys: ClassVar[dict[str, str]] = {}  # of lists of the state, with the option that each needs
    _squares = ""  # the list of the state that may overflow where no data do
    _counts_no_steps = False  # whether its updates do not depend on the number of steps
    _decoupled = False  # whether weight decay acts on the data, not on the gradients

    lr: float = option(check_number)
    weight_decay: float = option(check_number)
    maximize: bool = option(check_flag)

    def __init__(self, params: Iterable[Any], **defaults: Any) -> None:
        """Check and keep parameters and options."""
        name = type(self).__name__
        entries = entries_in(name, "params", params)
        if not entries:
            raise ValueError(f"{name}: params is empty; pass model.parameters()")
        self._counter = SimpleNamespace(changes=0)  # of options
        self._called = False  # whether there has been a step
        self._groups: tuple[Group, ...] = ()
        self._params: tuple[Value, ...] = ()
        self._tensors: dict[Value, object] = {}
        self._state: State = {}
        self.defaults = dict(Group(type(self), (), range(0), defaults, self._counter))
        del self.defaults["params"]
        if isinstance(entries[0], Mapping):
            for i, group in enumerate(entries):
                self._add(f"params[{i}]", f"params[{i}]['params']", group)
        else:
            self._add("params", "params", {"params": entries})

    @property
    def param_groups(self) -> tuple[Group, ...]:
        """The groups, each a dict of its parameters and options; what is set is checked."""
        return self._groups

    @property
    def params(self) -> tuple[Value, ...]:
        """The numbers of all tensors, in order."""
        return self._params

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add a group of parameters.

        >>> from microgradlib.optim import SGD
        >>> sgd = SGD([Value(1.0)], lr=0.1)
        >>> sgd.add_param_group({"params": [Value(2.0)], "lr": 0.2})
        >>> len(sgd.param_groups)
        2

        Args:
            param_group: a dict with ``params`` and options; ``defaults`` has the others.
        """
        forbid("add_param_group()", "call it outside")
        self._add("param_group", "param_group['params']", param_group)

    def _add(self, where: str, path: str, given: Any) -> None:
        """Add a group; errors name it ``where``, and its parameters ``path``."""
        kind, name = type(self), type(self).__name__
        if not isinstance(given, Mapping) or "params" not in given:
            raise TypeError(
                f"{name}: {where} must be a dict with 'params', got {short(given)}; pass tensors "
                "only, or groups only"
            )
        options = {key: x for key, x in given.items() if key != "params"}
        for key, x in options.items():
            if key not in self.defaults and key not in SCHEDULED and not isinstance(x, str):
                raise TypeError(
                    f"{name}: {where} has {short(key)}, but the options are {[*self.defaults]}; "
                    "what is none can be set in param_groups later"
                )
        entries = given["params"]
        entries = [entries] if is_tensor(entries) else entries_in(name, path, entries)
        entries, names = without_names(name, path, entries)
        options |= {"param_names": names} if names else {}
        tensors = values_in(name, path, entries, self._tensors)
        count = len(self._params)
        places = range(count, count + len(tensors))
        group = Group(kind, entries, places, {**self.defaults, **options}, self._counter)
        self._check(group)
        state = {key: xs + zeros(key, len(tensors)) for key, xs in self._state.items()}
        vars(self).update(  # all or, on Ctrl-C, none
            _groups=(*self._groups, group),
            _params=(*self._params, *tensors),
            _tensors=self._tensors | tensors,
            _state=state,
        )

    def _check(self, group: Group) -> None:
        """Raise an error if the options of a new group do not fit together."""

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
        forget_gradients(self._params, set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter from its gradient: all of them, or none if anything is wrong.

        Args:
            closure: computes the loss and the gradients before the update.

        Returns:
            What ``closure`` returns; None without one.

        Raises:
            TypeError: if a gradient is not a float, int or Value.
            NonFiniteError: if a parameter, or an entry of the optimizer's state, would become
                infinite or NaN.
        """
        forbid("step()", "compile value_and_grad(f), or call step() outside")
        loss = None if closure is None else closure()
        params = self._params
        grads: list[Any] = [p._grad if p._requires_grad else None for p in params]
        usual = {*map(type, grads)} == {float}
        if not usual:
            grads = self._of_tensors(grads)
        steps = self._state.get("step", [0])
        alike = len(self._groups) == 1 and steps.count(steps[0]) == len(steps)
        if params and alike and (usual or None not in grads):
            data, state = self._update(self._groups[0], params, grads, self._state)
        else:
            data, state = self._update_some(grads)
        self._check_finite(params, data, "would become {}", "lower lr={} or clip the gradients")
        self._called = True
        if state is self._state:
            set_data(params, data)
        else:
            assign_all((*params, self), (*["_data"] * len(params), "_state"), (*data, state))
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return what steps have left, as lists and numbers, and the options of the groups.

        The lists have a number for each parameter; ``params`` of a group are its places there.

        >>> from microgradlib.optim import RMSprop
        >>> w = Value(1.0)
        >>> w.grad = 2.0
        >>> optimizer = RMSprop([w], lr=0.1, alpha=0.5)
        >>> optimizer.step()
        >>> optimizer.state_dict()["state"]
        {'step': 1, 'square_avg': [2.0]}
        >>> optimizer.state_dict()["param_groups"][0]["params"]
        [0]
        """
        state = shown_state(self._state, self._counts_no_steps)
        return {"state": state, "param_groups": [group.state_dict() for group in self._groups]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a result of ``state_dict()``, options included: all of it or, if not, nothing.

        Raises:
            StateDictError: if ``state_dict`` has other keys, sizes or groups than its own.
            TypeError: if an entry holds anything but numbers.
            ValueError: if a number is out of range.
        """
        name = f"{type(self).__name__}.load_state_dict"
        forbid("load_state_dict()", "call it outside")
        if not isinstance(state_dict, dict) or {*state_dict} != {"state", "param_groups"}:
            raise StateDictError(
                f"{name}: expected a state_dict() with 'state' and 'param_groups', got "
                f"{short(state_dict)}"
            )
        groups, mine = state_dict["param_groups"], self._groups
        if not isinstance(groups, list) or len(groups) != len(mine):
            raise StateDictError(
                f"{name}: 'param_groups' must be a list of {len(mine)}, got {short(groups)}"
            )
        triples = zip(range(len(mine)), mine, groups, strict=True)
        options = [group.loaded(f"{name}: param_groups[{i}]", x) for i, group, x in triples]
        needed = [key for key in self._keys if any(key in self._state_keys(o) for o in options)]
        count, binary = len(self._params), self._counts_no_steps
        new = checked_state(name, state_dict["state"], needed, self._keys, count, binary)
        self._state.items()  # which says so if a compiled step uses it
        owners = (*self._groups, self._counter, self)
        names = (*["options"] * len(options), "changes", "_state")
        assign_all(owners, names, (*options, self._counter.changes + 1, new))

    def _update(
        self, group: Group, params: Sequence[Value], grads: list[float], state: State
    ) -> tuple[list[float], State]:
        """Return the new data and the new state of parameters with equal numbers of steps.

        It changes nothing. ``state`` is empty before their first step.
        """
        o, lists = group.options, state and {k: xs for k, xs in state.items() if k != "step"}
        step = 1 + (state["step"][0] if state else 0)
        data, factors = [p._data for p in params], self._factors(o, step)
        try:
            data, new = self._formula(
                Inputs(self._flags(o), o, factors, data, grads, lists, OF_FLOATS)
            )
        except (ZeroDivisionError, ValueError) as error:
            for i in range(len(params) - 1):  # it is the last one if none before raises this
                part = {key: xs[i : i + 1] for key, xs in state.items()}
                self._update(group, params[i : i + 1], grads[i : i + 1], part)
            self._refuse(params[-1], *_IMPOSSIBLE[type(error)])
        if self._squares:
            problem, remedy = "would get {} for its squared gradients", "lower lr={} or clip them"
            self._check_finite(params, new[self._squares], problem, remedy)
        steps = [1 if self._counts_no_steps else step] * len(params)
        return data, {"step": steps, **new} if new else state

    def _flags(self, o: Any) -> tuple[bool, ...]:
        """Return the decisions that the formula takes by the options."""
        return o.maximize, bool(o.weight_decay) and not self._decoupled, *self._decisions(o)

    def _formula(self, x: Inputs) -> tuple[Numbers, State]:
        """Return the new data and the lists of the new state."""
        maximizes, decays, *_ = x.decisions
        if maximizes:
            x = x._replace(grads=[-g for g in x.grads])
        if decays:
            decay = x.o.weight_decay
            pairs = zip(x.data, x.grads, strict=True)
            x = x._replace(grads=[g + decay * p for p, g in pairs])
        return self._rule(x)

    def _decisions(self, o: Any) -> tuple[bool, ...]:
        """Return the decisions that only this kind of optimizer takes."""
        return ()

    def _factors(self, o: Any, step: int) -> tuple[float, ...]:
        """Return the numbers in the formula that change from step to step, from 1 on."""
        return ()

    def _rule(self, x: Inputs) -> tuple[Numbers, State]:
        """Return what ``_formula`` does, from gradients with sign and weight decay."""
        raise NotImplementedError

    def _update_some(self, grads: list[Any]) -> tuple[list[float], State]:
        """Return the new data and state where there are several groups, or gradients missing."""
        count = len(self._params)
        data = [p._data for p in self._params]
        state = {key: [*xs] for key, xs in self._state.items()}
        steps = state.get("step", [0] * count)
        places: dict[tuple[int, int], list[int]] = {}
        for k, group in enumerate(self._groups):
            for i in group.places:
                if grads[i] is not None:
                    places.setdefault((k, steps[i]), []).append(i)
        for (k, step), where in places.items():
            part = {key: [xs[i] for i in where] for key, xs in state.items()} if step else {}
            params = [self._params[i] for i in where]
            new, part = self._update(self._groups[k], params, [grads[i] for i in where], part)
            changed = [(state.setdefault(key, zeros(key, count)), xs) for key, xs in part.items()]
            for full, xs in ((data, new), *changed):
                for i, x in zip(where, xs, strict=True):
                    full[i] = x
        return data, state or self._state

    def _state_keys(self, o: Any) -> list[str]:
        """Return the keys that the state has after a step."""
        return [key for key, option in self._keys.items() if not option or getattr(o, option)]

    def _of_tensors(self, grads: list[Any]) -> list[float | None]:
        """Return gradients as floats: None where a whole tensor has none, 0 where an entry has."""
        new = [*map(self._as_float, self._params, grads)]
        pairs = [(self._tensors[p], g) for p, g in zip(self._params, new, strict=True)]
        reached = {tensor for tensor, grad in pairs if grad is not None}
        return [
            0.0 if grad is None and tensor in reached and p._requires_grad else grad
            for p, (tensor, grad) in zip(self._params, pairs, strict=True)
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
                    self._refuse(p, problem.format(x), remedy)

    def _refuse(
        self, p: Value, problem: str, remedy: str, error: type[Exception] = NonFiniteError
    ) -> NoReturn:
        """Raise an error that shows a parameter and says what to do."""
        i = next(i for i, x in enumerate(self._params) if x is p)
        lr = next(group["lr"] for group in self._groups if i in group.places)
        raise error(
            f"{type(self).__name__}.step: parameter {shorten(p._label or i)} {problem} "
            f"(data={p.data}, grad={short(p._grad)}); nothing was updated: {remedy.format(lr)}"
        ) from None


_IMPOSSIBLE = {
    ZeroDivisionError: (
        "needs a division by 0, its squared gradients and eps being 0",
        "pass an eps above 0",
    ),
    ValueError: (
        "needs the root of a variance that rounding has made negative",
        "pass centered=False",
    ),
}
"""The problem and the remedy where a formula cannot be computed, by the error."""
