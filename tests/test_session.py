"""A training session in any order, against a model of it written by hand in plain floats.

The network is w2 . tanh(w1 x + b1) + b2 with two hidden neurons, the loss its squared error. After
every rule all numbers are compared with the model's; then the model takes over the library's last
digits, so that roundings do not pile up and every step is compared closely.
"""

import copy
import json
import pickle
import tempfile
from math import inf, nan, sqrt, tanh
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import microgradlib as mg
from microgradlib import Value, nn, optim
from microgradlib.parameters.leaves import has_gradient

NAMES = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
number = st.floats(-2.0, 2.0)
index = st.integers(0, 6)


def forward(w: list[float], x: float) -> float:
    a, b, p, q, c, d, e = w
    return c * tanh(a * x + p) + d * tanh(b * x + q) + e


def slopes(w: list[float], x: float, target: float) -> list[float]:
    """Return the gradient of (forward(w, x) - target)**2, derived by hand."""
    a, b, p, q, c, d, _ = w
    u, v = tanh(a * x + p), tanh(b * x + q)
    s = 2.0 * (forward(w, x) - target)
    du, dv = s * c * (1.0 - u * u), s * d * (1.0 - v * v)
    return [du * x, dv * x, du, dv, s * u, s * v, s]


OPTIMIZERS = {
    "sgd": lambda params: optim.SGD(params, lr=0.125),
    "momentum": lambda params: optim.SGD(params, lr=0.125, momentum=0.75),
    "adam": lambda params: optim.Adam(params, lr=0.125),
}


TENSORS = [(0, 1), (2, 3), (4, 5), (6,)]  # what an optimizer skips as a whole without a gradient


class Expected:
    """What the numbers of the session should be."""

    def __init__(self, kind: str, data: list[float]) -> None:
        self.kind = kind
        self.data = data
        self.grad: list[float | None] = [None] * 7
        self.trained = [True] * 7
        self.state: dict[str, Any] = {}

    def step(self) -> None:
        grads = [x if t else None for x, t in zip(self.grad, self.trained, strict=True)]
        first, second = (
            list(self.state.get(key) or [None] * 7)
            for key in ("momentum_buffer" if self.kind == "momentum" else "exp_avg", "exp_avg_sq")
        )
        steps = self.state.get("step", 0)
        steps = [steps] * 7 if isinstance(steps, int) else list(steps)
        for tensor in TENSORS:
            if any(grads[i] is not None for i in tensor):
                for i in tensor:
                    if not self.trained[i]:
                        continue
                    g = update = grads[i] or 0.0
                    if self.kind == "momentum":
                        update = g if first[i] is None else 0.75 * first[i] + g
                        first[i] = update
                    elif self.kind == "adam":
                        steps[i] += 1
                        first[i] = 0.9 * (first[i] or 0.0) + 0.1 * g
                        second[i] = 0.999 * (second[i] or 0.0) + 0.001 * g * g
                        scale = sqrt(second[i] / (1.0 - 0.999 ** steps[i])) + 1e-8
                        update = first[i] / (1.0 - 0.9 ** steps[i]) / scale
                    self.data[i] -= 0.125 * update
        if self.kind == "momentum" and first != [None] * 7:
            self.state = {"momentum_buffer": first}
        elif self.kind == "adam" and first != [None] * 7:
            step = steps[0] if len({*steps}) == 1 else steps
            self.state = {"step": step, "exp_avg": first, "exp_avg_sq": second}


class Session(RuleBasedStateMachine):
    """The rules: what a user may do next."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "session.json"

    def teardown(self) -> None:
        self.directory.cleanup()

    @initialize(kind=st.sampled_from(sorted(OPTIMIZERS)), data=st.tuples(*[number] * 7))
    def start(self, kind: str, data: tuple[float, ...]) -> None:
        self.model = nn.MLP(1, [2, 1], "tanh", "linear")
        self.optimizer = OPTIMIZERS[kind](self.model.parameters())
        self.expected = Expected(kind, list(data))
        for p, x in zip(self.optimizer.params, data, strict=True):
            p.data = x
        self.loss: Value | None = None
        self.loss_slopes: list[float] = []
        self.saved: tuple[list[float], dict[str, Any]] | None = None
        self.size = 1.0  # of all numbers so far, sums of which may have cancelled

    @rule(x=number, goal=number)
    def compute(self, x: float, goal: float) -> None:
        self.loss = mg.mse_loss(self.model([x]), [goal])
        e = self.expected
        assert self.close(self.loss.data, (forward(e.data, x) - goal) ** 2)
        assert self.loss.requires_grad is any(e.trained)
        gradient = slopes(e.data, x, goal)
        self.loss_slopes = [g if t else 0.0 for g, t in zip(gradient, e.trained, strict=True)]
        self.computed_with = any(e.trained)

    @precondition(lambda self: self.loss is not None)
    @rule()
    def backward(self) -> None:
        if not self.computed_with:
            with pytest.raises(mg.GradientError, match="is a constant"):
                self.loss.backward()
            return
        self.loss.backward()
        e = self.expected
        rows = zip(e.grad, self.loss_slopes, e.trained, strict=True)
        e.grad = [(g or 0.0) + s if trained else g for g, s, trained in rows]

    @rule(by_model=st.booleans())
    def zero_grad(self, by_model: bool) -> None:
        (self.model if by_model else self.optimizer).zero_grad()
        self.expected.grad = [None] * 7

    @rule()
    def step(self) -> None:
        if max(abs(g or 0.0) for g in self.expected.grad) > 100.0:
            return  # it would diverge, after which every rounding counts
        self.optimizer.step()
        self.expected.step()

    @rule(x=number, goal=number)
    def train(self, x: float, goal: float) -> None:
        self.compute(x, goal)
        self.backward()
        self.step()

    @rule(i=index, bad=st.sampled_from([nan, inf, -inf]))
    def refused_step(self, i: int, bad: float) -> None:
        if not self.expected.trained[i]:
            return
        p = self.optimizer.params[i]
        grad, p.grad = p.grad, bad
        with pytest.raises(mg.NonFiniteError, match="nothing was updated"):
            self.optimizer.step()
        p.grad = grad

    @rule(i=index, x=number)
    def edit(self, i: int, x: float) -> None:
        self.optimizer.params[i].data = x
        self.expected.data[i] = x

    @rule(trained=st.tuples(*[st.booleans()] * 7))
    def freeze_and_unfreeze(self, trained: tuple[bool, ...]) -> None:
        # What is unfrozen between the two passes is undefined: a new forward pass has to come.
        if any(new > old for new, old in zip(trained, self.expected.trained, strict=True)):
            self.loss = None
        for p, new in zip(self.optimizer.params, trained, strict=True):
            p.requires_grad = new
        self.expected.trained = list(trained)

    @rule(x=number)
    def predict(self, x: float) -> None:
        with mg.no_grad():
            (y,) = self.model([x])
        (z,) = self.model([x])
        for constant in (y, z.detach()):
            assert not constant.requires_grad
            assert constant.data == z.data
            assert self.close(z.data, forward(self.expected.data, x))
            with pytest.raises(mg.GradientError, match="is a constant"):
                constant.backward()

    @rule()
    def save(self) -> None:
        mg.save(
            {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, self.path
        )
        self.saved = (list(self.expected.data), copy.deepcopy(self.expected.state))

    @precondition(lambda self: self.saved)
    @rule()
    def load(self) -> None:
        state = mg.load(self.path)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.expected.data, self.expected.state = copy.deepcopy(self.saved)

    @precondition(lambda self: self.saved)
    @rule(share=st.floats(0.0, 1.0, exclude_max=True))
    def load_a_file_cut_off(self, share: float) -> None:
        whole = self.path.read_bytes()
        self.path.write_bytes(whole[: int(share * (len(whole) - 1))])
        with pytest.raises(ValueError, match="is not a file that save wrote"):
            mg.load(self.path)
        self.path.write_bytes(whole)

    @precondition(lambda self: self.saved)
    @rule(name=st.sampled_from(NAMES), damage=st.sampled_from(["gone", "short", "text", "renamed"]))
    def load_a_damaged_model(self, name: str, damage: str) -> None:
        state = json.loads(self.path.read_text())["model"]
        entry = state.pop(name)
        if damage == "short":
            state[name] = entry[:-1]
        elif damage == "text":
            state[name] = json.loads(json.dumps(entry).replace("]", ', "1.0"]', 1))
        elif damage == "renamed":
            state[name.upper()] = entry
        with pytest.raises((mg.StateDictError, TypeError)):
            self.model.load_state_dict(state)

    @precondition(lambda self: self.saved)
    @rule(damage=st.sampled_from(["gone", "short", "text", "infinite"]))
    def load_a_damaged_optimizer(self, damage: str) -> None:
        state = json.loads(self.path.read_text())["optimizer"]
        inner = state["state"]
        key = [key for key in inner or {"lr": 0} if key != "step"][-1]
        if damage == "gone":
            del state["param_groups"][0]["lr"]
        elif key == "lr":
            state["param_groups"][0]["lr"] = "0.5"
        elif damage == "text":
            inner[key] = "0.5"
        elif damage == "short":
            del inner[key][-1]
        else:
            inner[key] = [inf] * 7
        with pytest.raises((mg.StateDictError, TypeError, ValueError)):
            self.optimizer.load_state_dict(state)

    @rule(by_pickle=st.booleans())
    def go_on_with_a_copy(self, by_pickle: bool) -> None:
        old = (self.model, self.optimizer)
        self.model, self.optimizer = (
            pickle.loads(pickle.dumps(old)) if by_pickle else copy.deepcopy(old)
        )
        assert self.model.parameters() is not old[0].parameters()
        for ours, theirs in zip(self.optimizer.params, old[1].params, strict=True):
            assert ours is not theirs
            theirs.data = theirs.grad = nan  # nobody looks there any more
        self.loss = None  # it belongs to the old parameters

    @invariant()
    def everything_is_as_expected(self) -> None:
        if not hasattr(self, "model"):
            return
        e, params = self.expected, self.optimizer.params
        self.size = max(self.size, *map(abs, e.data), *[abs(g or 0.0) for g in e.grad])
        assert all(p is q for p, q in zip(self.model.parameters(), params, strict=True))
        assert [p.requires_grad for p in params] == e.trained
        assert self.close([p.data for p in params], e.data)
        grads = [p.grad if has_gradient(p.grad) else None for p in params]
        assert self.close(grads, e.grad)
        state, (group,) = self.optimizer.state_dict().values()
        assert (group["lr"], group["params"]) == (0.125, [*range(7)])
        assert sorted(state) == sorted(e.state)
        for key, x in state.items():
            assert self.close(x, e.state[key]), key
        a, b, p, q, c, d, z = [v.data for v in params]
        expected = dict(zip(NAMES, ([[a], [b]], [p, q], [[c, d]], [z]), strict=True))
        assert self.model.state_dict() == expected
        e.data, e.grad, e.state = [p.data for p in params], grads, state

    def close(self, x: Any, y: Any) -> bool:
        """Compare but for roundings; the loss and its gradient are quadratic in the parameters."""
        if isinstance(y, list):
            return len(x) == len(y) and all(map(self.close, x, y))
        if x is None or y is None:
            return x is y
        return bool(abs(x - y) <= max(1e-12 * abs(y), 1e-14 * self.size**2))


Session.TestCase.settings = settings(max_examples=300, stateful_step_count=40)
TestSession = pytest.mark.long(Session.TestCase)
