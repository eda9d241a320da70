"""Parameters without a gradient: what a step does with them, as in PyTorch."""

import copy
import pickle
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value, nn, optim
from microgradlib.optim import SGD, Adam, AdamW, RMSprop

KINDS: list[type[Any]] = [SGD, Adam, AdamW, RMSprop]


@pytest.mark.parametrize(
    ("kind", "options", "data"),
    [
        (SGD, {"lr": 0.1, "momentum": 0.9}, 0.9),
        (Adam, {"lr": 0.1}, 0.9),
        (AdamW, {"lr": 0.1, "weight_decay": 0.1}, 0.89),
    ],
)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_gradient_and_ten_steps_without(
    kind: type[Any], options: dict[str, Any], data: float, fresh: bool
) -> None:
    w, v = Value(1.0), Value(1.0)
    optimizer = kind([w, v], **options)
    if not fresh:
        optimizer.zero_grad()
    w.backward()
    optimizer.step()
    for _ in range(10):
        optimizer.zero_grad()
        optimizer.step()
    assert (w.data, v.data) == (pytest.approx(data, rel=1e-8), 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_entries_of_one_tensor_and_numbers_of_their_own(kind: type[Any]) -> None:
    layer = nn.Layer(2, 2)
    copies = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), nn.Layer(2, 2)]
    copies[2].load_state_dict(layer.state_dict())
    made = [
        kind(layer.parameters(), 0.1, weight_decay=0.5),
        kind([p for p in copies[0].parameters() if p.requires_grad], 0.1, weight_decay=0.5),
        kind([p for _, p in copies[1]._named_values()], 0.1, weight_decay=0.5),
        kind(
            [*[p for row in copies[2].weight for p in row], *copies[2].bias], 0.1, weight_decay=0.5
        ),
    ]
    for model, optimizer in zip([layer, *copies], made, strict=True):
        optimizer.zero_grad()
        model.weight[0][0].backward()
        before = [p.data for p in model.parameters()]
        optimizer.step()
        changed = [p.data != x for p, x in zip(model.parameters(), before, strict=True)]
        alone = optimizer is made[3]  # nobody has said that those are the entries of tensors
        assert changed == [True, *[not alone] * 3, False, False]


def test_backward_reaches_what_is_not_selected_with_a_gradient_of_0() -> None:
    a, b, c, d, off = Value(-1.0), Value(2.0), Value(3.0), Value(4.0), Value(5.0)
    off.requires_grad = False
    a.grad = b.grad = c.grad = d.grad = off.grad = None
    dead = mg.relu(mg.relu(a * b - c) * a + a)  # off, and the inner one is off, too
    (mg.maximum(dead, a * off) + mg.where(True, b, mg.tanh(d)) * 2.0).backward()
    assert (a.grad, b.grad, c.grad, d.grad, off.grad) == (0.0, 2.0, 0.0, 0.0, None)
    new = Value(1.0)
    mg.relu(new * -1.0).backward()
    assert (new.grad, type(new.grad)) == (0.0, float)
    kept = Value(1.0)
    kept.grad = 7.0
    mg.relu(kept * -1.0).backward(create_graph=True)
    assert kept.grad == 7.0


@pytest.mark.parametrize("kind", KINDS)
def test_eager_and_compiled_training_agree_where_all_units_are_off(kind: type[Any]) -> None:
    def loss(model: Any, x: list[float]) -> Any:
        return mg.mse_loss(model(x), [1.0])

    found = []
    for f in (loss, mg.compile(loss)):
        mg.manual_seed(3)
        model = nn.MLP(2, [2, 1], "relu", "linear")
        optimizer = kind(model.parameters(), 0.01, weight_decay=0.1)
        for x in ([1.0, 2.0], [-9.0, -9.0], [9.0, -9.0], [-9.0, 9.0]) * 3:
            optimizer.zero_grad()
            f(model, x).backward()
            optimizer.step()
        found.append([p.data for p in model.parameters()])
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_a_new_gradient_is_no_gradient_also_in_copies() -> None:
    w = Value(1.0, label="w")
    optimizer = AdamW([w], lr=0.5, weight_decay=0.5)
    optimizer.step()
    assert w.data == 1.0
    for twin in (copy.copy(w), copy.deepcopy(w), pickle.loads(pickle.dumps(w)), w.detach()):
        twin.requires_grad = True
        assert repr(twin.grad) == "0.0"
        AdamW([twin], lr=0.5, weight_decay=0.5).step()
        assert twin.data == 1.0
    w.grad = 0.0
    for twin in (w, copy.deepcopy(w), pickle.loads(pickle.dumps(w))):
        AdamW([twin], lr=0.5, weight_decay=0.5).step()
        assert twin.data == 0.75


def test_setting_gradients_to_0_makes_none_where_there_is_none() -> None:
    w = [Value(1.0), Value(1.0), Value(1.0)]
    w[1].grad, w[2].grad = 3.0, None
    optimizer = AdamW(w, lr=0.5, weight_decay=0.5)
    optimizer.zero_grad(set_to_none=False)
    optimizer.step()
    assert [p.data for p in w] == [1.0, 0.75, 1.0]


class TestStateDict:
    def state(self, kind: type[Any]) -> tuple[list[Value], Any]:
        params = [Value(1.0), Value(2.0)]
        optimizer = kind(params, 0.1, **({"momentum": 0.5} if kind is SGD else {}))
        params[0].grad = 1.0
        optimizer.step()
        return params, optimizer

    def test_what_has_had_no_step_has_no_state(self) -> None:
        _, sgd = self.state(SGD)
        assert sgd.state_dict()["state"] == {"momentum_buffer": [1.0, None]}
        _, adam = self.state(Adam)
        state = adam.state_dict()["state"]
        assert state["step"] == [1, 0]
        assert state["exp_avg"] == [pytest.approx(0.1), None]
        assert state["exp_avg_sq"] == [pytest.approx(0.001), None]

    @pytest.mark.parametrize("kind", KINDS)
    def test_numbers_of_steps_that_become_equal(self, kind: type[Any]) -> None:
        params, optimizer = self.state(kind)
        params[0].grad, params[1].grad = None, 1.0
        optimizer.step()
        state = optimizer.state_dict()["state"]
        assert state.get("step", 1) == 1
        assert None not in [x for xs in state.values() for x in [xs][:1]]

    def test_states_without_lists_of_steps_are_loaded(self) -> None:
        adam = Adam([Value(1.0), Value(2.0)])
        old = {"step": 3, "exp_avg": [0.5, 0.25], "exp_avg_sq": [0.5, 0.125]}
        adam.load_state_dict(adam.state_dict() | {"state": old})
        assert adam.state_dict()["state"] == old

    @pytest.mark.parametrize(
        ("step", "message"),
        [
            ([1], r"'step' must be a list of 2 numbers, got \[1\]"),
            ([1, -1], r"step\[1\] must be an int >= 0, got -1"),
            ([1, 0.5], r"step\[1\] must be an int >= 0, got 0.5"),
            ([2**63, 1], rf"step\[0\] must be an int >= 0, got {2**63}"),
            (0, "'step' must be a positive int, got 0"),
        ],
    )
    def test_bad_steps_are_refused(self, step: Any, message: str) -> None:
        _, adam = self.state(Adam)
        before = adam.state_dict()
        with pytest.raises(mg.errors.StateDictError, match=rf"^Adam\.load_state_dict: {message}$"):
            adam.load_state_dict(before | {"state": before["state"] | {"step": step}})
        assert adam.state_dict() == before

    def test_no_state_without_steps(self) -> None:
        _, sgd = self.state(SGD)
        sgd.load_state_dict(sgd.state_dict() | {"state": {"momentum_buffer": [None, None]}})
        assert sgd.state_dict()["state"] == {}

    def test_an_error_names_the_parameter_by_its_place(self) -> None:
        params, adam = self.state(Adam)
        params[0].grad, params[1].grad = None, 1e200
        before = adam.state_dict()
        with pytest.raises(mg.errors.NonFiniteError, match=r"^Adam\.step: parameter 1 would get"):
            adam.step()
        assert adam.state_dict() == before


def test_all_names_are_tested() -> None:
    assert {kind.__name__ for kind in KINDS} == {*optim.__all__} - {"Optimizer"}
