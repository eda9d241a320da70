"""Groups of parameters: what is taken, what is checked, and that nothing is lost."""

import copy
import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value, nn, optim
from microgradlib.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from microgradlib.optim.groups import SCHEDULED

KINDS: list[type[Any]] = [SGD, Adam, AdamW, RMSprop]


def pair(kind: type[Any] = SGD, **options: Any) -> Any:
    """Return an optimizer of two groups."""
    return kind([{"params": [Value(1.0)], "lr": 0.5}, {"params": [Value(2.0)]}], **options)


def snapshot(optimizer: Optimizer) -> Any:
    return [p.data for p in optimizer.params], optimizer.state_dict()


class TestParameters:
    def test_tensors_of_all_kinds(self) -> None:
        numpy = pytest.importorskip("numpy")
        a, b, c, d, e = [Value(float(i)) for i in range(5)]
        sgd = SGD([a, [[b], (c,)], numpy.array([d, e])])
        assert sgd.params == (a, b, c, d, e)
        assert len(sgd.param_groups[0]["params"]) == 3
        assert sgd.param_groups[0]["params"][1] == [[b], (c,)]
        for group in ({"params": a}, {"params": [a]}, {"params": iter([a])}):
            assert SGD([group]).params == (a,)

    def test_the_entries_of_a_tensor_have_a_gradient_together(self) -> None:
        values = [Value(1.0) for _ in range(4)]
        sgd = SGD([values[:2], values[2], values[3]], lr=1.0, weight_decay=0.5)
        values[0].grad = values[2].grad = 0.0
        sgd.step()
        assert [p.data for p in values] == [0.5, 0.5, 0.5, 1.0]

    def test_what_a_module_gave_out_stays_one_tensor(self) -> None:
        layer = nn.Layer(1, 2)
        layer.load_state_dict({"weight": [[1.0], [1.0]], "bias": [1.0, 1.0]})
        layer.parameters()
        sgd = SGD([layer.weight[0], layer.weight[1], layer.bias], lr=1.0, weight_decay=0.5)
        layer.weight[1][0].grad = 0.0
        sgd.step()
        assert layer.state_dict() == {"weight": [[0.5], [0.5]], "bias": [1.0, 1.0]}

    def test_lists_that_stand_for_a_tensor(self) -> None:
        class Tensor(list[Any]):
            requires_grad = True

        a, b = Value(1.0), Value(2.0)
        sgd = SGD([{"params": Tensor([a, b])}], lr=1.0, weight_decay=0.5)
        assert len(sgd.param_groups[0]["params"]) == 1
        a.grad = 0.0
        sgd.step()
        assert (a.data, b.data) == (0.5, 1.0)
        with pytest.raises(TypeError, match="params must be an iterable of Values"):
            SGD(Tensor([a, b]))

    def test_names(self) -> None:
        a, b = Value(1.0), Value(2.0)
        sgd = SGD([("a", a), ("b", [b])])
        assert sgd.params == (a, b)
        assert sgd.param_groups[0]["params"] == (a, [b])
        assert sgd.param_groups[0]["param_names"] == ["a", "b"]
        state = json.loads(json.dumps(sgd.state_dict()))
        assert state["param_groups"][0]["param_names"] == ["a", "b"]
        other = SGD([("c", Value(1.0)), ("d", Value(2.0))])
        other.load_state_dict(state)
        assert other.param_groups[0]["param_names"] == ["c", "d"]
        with pytest.raises(ValueError, match=r"^SGD: params has names for some tensors only; "):
            SGD([("a", a), b])

    def test_an_empty_group_is_none_that_matters(self) -> None:
        w = Value(1.0)
        adam = Adam([{"params": []}, {"params": [w]}], lr=0.1)
        w.grad = 1.0
        adam.step()
        assert w.data == pytest.approx(0.9)
        assert adam.state_dict()["param_groups"][0]["params"] == []
        adam.load_state_dict(adam.state_dict())
        nothing = Adam([{"params": []}])
        nothing.step()
        assert nothing.state_dict()["state"] == {}

    @pytest.mark.parametrize(
        ("params", "error", "message"),
        [
            ([{"lr": 0.1}], TypeError, "params[0] must be a dict with 'params', got {'lr': 0.1}"),
            ([{"params": [3.0]}], TypeError, "params[0]['params'][0] is 3.0; every parameter must"),
            (
                [[Value(1.0), "a"]],
                TypeError,
                "params[0] holds 'a'; every parameter must be a Value",
            ),
            ([{"params": {Value(1.0)}}], TypeError, "params[0]['params'] is a set, the order of"),
            (
                [{"params": 3}],
                TypeError,
                "params[0]['params'] must be an iterable of Values, got 3",
            ),
            ([{"params": [Value(1.0) * 2.0]}], ValueError, "params[0]['params'][0] was computed"),
            (
                [{"params": [Value(1.0)]}, Value(2.0)],
                TypeError,
                "params[1] must be a dict with 'params', got Value(data=2.0, grad=0.0); pass",
            ),
            (
                [{"params": [Value(1.0)], "learning_rate": 0.1}],
                TypeError,
                "params[0] has 'learning_rate', but the options are ['lr', ",
            ),
            (
                [{"params": [Value(1.0)], "lr": -1.0}],
                ValueError,
                "lr must be finite, >= 0, got -1.0",
            ),
            (
                [{"params": [Value(1.0)], "nesterov": True}],
                ValueError,
                "nesterov needs momentum > 0 and dampening 0, got momentum=0.0 and dampening=0.0",
            ),
        ],
    )
    def test_mistakes(self, params: Any, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=f"^SGD: {re.escape(message)}"):
            SGD(params)

    def test_the_same_in_two_groups(self) -> None:
        w = Value(1.0)
        with pytest.raises(ValueError, match=r"params\[1\]\['params'\]\[0\] is listed twice"):
            SGD([{"params": [w]}, {"params": [w]}])
        sgd = SGD([w])
        with pytest.raises(ValueError, match=r"param_group\['params'\]\[1\] is listed twice"):
            sgd.add_param_group({"params": [Value(2.0), w]})
        with pytest.raises(TypeError, match=r"^SGD: param_group must be a dict with 'params'"):
            sgd.add_param_group([w])  # type: ignore[arg-type]
        assert sgd.params == (w,)

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_group_that_is_added_after_steps(self, kind: type[Any]) -> None:
        a, b = Value(1.0), Value(1.0)
        optimizer = kind([a], 0.1)
        a.grad = 1.0
        optimizer.step()
        optimizer.add_param_group({"params": [b], "lr": 0.2})
        assert optimizer.params == (a, b)
        lone = Value(1.0)
        alone = kind([lone], 0.2)
        for _ in range(3):
            a.grad = b.grad = lone.grad = 0.5
            optimizer.step()
            alone.step()
        assert b.data == lone.data
        if kind is not SGD:
            assert optimizer.state_dict()["state"]["step"] == [4, 3]

    def test_functions_that_are_compiled_add_no_groups(self) -> None:
        sgd = SGD([Value(1.0)])
        with pytest.raises(mg.CompileError, match=r"add_param_group\(\) in a function"):
            mg.compile(lambda x: (sgd.add_param_group({"params": [Value(1.0)]}), x)[1])(1.0)


class TestOptions:
    def test_reading_and_setting_all(self) -> None:
        sgd = pair(momentum=0.5)
        assert sgd.momentum == 0.5
        with pytest.raises(
            ValueError, match=r"^SGD: lr is not the same in all groups, \[0.5, 0.001"
        ):
            _ = sgd.lr
        sgd.lr = 0.25
        assert [group["lr"] for group in sgd.param_groups] == [0.25, 0.25]
        assert sgd.lr == sgd.param_groups[1]["lr"]
        assert sgd.defaults["lr"] == 0.001

    def test_a_group_checks_what_is_set(self) -> None:
        group = pair(Adam).param_groups[0]
        before = dict(group)
        for key, x, error in (
            ("lr", "0.1", TypeError),
            ("betas", (0.5, 1.0), ValueError),
            ("amsgrad", 1, TypeError),
            *((key, -1.0, ValueError) for key in SCHEDULED),
            ("params", [], TypeError),
        ):
            with pytest.raises(error, match=rf"^Adam: .*{key}"):
                group[key] = x
            with pytest.raises(error, match=rf"^Adam: .*{key}"):
                group.update({key: x})
        for key in ("lr", "params"):
            with pytest.raises(TypeError, match=rf"^Adam: {key} is needed"):
                del group[key]
        assert dict(group) == before

    def test_a_group_is_like_a_dict(self) -> None:
        group = pair().param_groups[0]
        group["lr"] *= 0.5
        group["name"], group["scale"] = "first", [1.0]
        assert group["lr"] == 0.25
        assert group.setdefault("initial_lr", 3) == 3.0
        assert group.get("nothing") is None
        assert {**group}["name"] == "first"
        assert [*group][:2] == ["params", "lr"]
        assert len(group) == 10
        assert repr(group) == repr(dict(group))
        state = copy.deepcopy(group.state_dict())
        state["scale"][0] = 2.0
        assert group["scale"] == [1.0]
        del group["name"], group["scale"]
        assert "name" not in group
        with pytest.raises(KeyError):
            _ = group["name"]
        with pytest.raises(TypeError):
            group[3] = 1.0

    def test_closures(self) -> None:
        w = Value(1.0)
        sgd = SGD([w], lr=0.25)

        def closure() -> Value:
            sgd.zero_grad()
            loss = w * w
            loss.backward()
            return loss

        loss = sgd.step(closure)
        assert (loss.data, w.data) == (1.0, 0.5)
        assert sgd.step() is None
        with pytest.raises(TypeError, match="not callable"):
            sgd.step(3)  # type: ignore[arg-type]

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_step_is_all_or_nothing_over_all_groups(self, kind: type[Any]) -> None:
        optimizer = pair(kind, weight_decay=0.1)
        a, b = optimizer.params
        a.grad = b.grad = 1.0
        optimizer.step()
        before = snapshot(optimizer)
        b.grad = float("nan")
        with pytest.raises(mg.NonFiniteError, match=r"parameter 1 .*nothing was updated"):
            optimizer.step()
        assert snapshot(optimizer) == before
        a.grad, b.grad = 1e308, 1.0
        optimizer.param_groups[0]["lr"] = 1e308
        with pytest.raises(mg.NonFiniteError, match=r"parameter 0 .*: lower lr=1e\+308 or clip"):
            optimizer.step()
        assert [p.data for p in optimizer.params] == before[0]

    def test_the_base_class_has_no_rule(self) -> None:
        w = Value(1.0)
        base = Optimizer([w], lr=0.1, weight_decay=0.0, maximize=False)
        w.grad = 1.0
        with pytest.raises(NotImplementedError):
            base.step()
        base.load_state_dict(base.state_dict())

    def test_some_groups_have_momentum(self) -> None:
        a, b = Value(0.0), Value(0.0)
        sgd = SGD([{"params": [a], "momentum": 0.5}, {"params": [b]}], lr=1.0)
        for _ in range(2):
            a.grad = b.grad = 1.0
            sgd.step()
        assert (a.data, b.data) == (-2.5, -2.0)
        assert sgd.state_dict()["state"] == {"momentum_buffer": [1.5, None]}
        sgd.load_state_dict(json.loads(json.dumps(sgd.state_dict())))
        sgd.param_groups[1]["momentum"] = 0.5
        sgd.step()
        assert sgd.state_dict()["state"] == {"momentum_buffer": [1.75, 1.0]}

    def test_the_root_of_a_variance_that_is_negative(self) -> None:
        a, b = Value(1.0, label="a"), Value(1.0, label="b")
        rms = RMSprop([a, b], alpha=0.3, centered=True)
        for i in range(30):  # the variance of equal gradients goes to 0, but for rounding
            a.grad, b.grad = 1.0 + i, 0.5046868558173903
            rms.step()
        before = snapshot(rms)
        with pytest.raises(mg.NonFiniteError) as caught:
            rms.step()
        assert "parameter b needs the root of a variance that rounding has m" in str(caught.value)
        assert str(caught.value).endswith("nothing was updated: pass centered=False")
        assert snapshot(rms) == before
        rms.centered = False
        rms.step()

    @pytest.mark.parametrize(
        ("alpha", "mean"),
        [
            (0.9, (1.0 - 0.9) * 0.7 + (1.0 - 0.9) * (-0.3 - (1.0 - 0.9) * 0.7)),
            (0.5, -0.3 - 0.5 * (-0.3 - 0.35)),  # not 0.35 + 0.5 * (-0.3 - 0.35)
        ],
    )
    def test_the_mean_is_rounded_as_in_pytorch(self, alpha: float, mean: float) -> None:
        w = Value(0.0)
        rms = RMSprop([w], alpha=alpha, centered=True)
        for w.grad in (0.7, -0.3):
            rms.step()
        assert rms.state_dict()["state"]["grad_avg"] == [mean]

    def test_division_by_zero(self) -> None:
        a, b = Value(1.0), Value(1.0)
        rms = RMSprop([a, b], eps=0.0)
        a.grad, b.grad = 1.0, 0.0
        with pytest.raises(mg.NonFiniteError, match="parameter 1 needs a division by 0"):
            rms.step()
        a.grad = b.grad = 1e200
        with pytest.raises(mg.NonFiniteError, match="parameter 0 would get inf for its squared"):
            rms.step()


class TestStateDict:
    def test_two_parts(self) -> None:
        optimizer = pair(Adam, betas=(0.5, 0.75))
        for p in optimizer.params:
            p.grad = 1.0
        optimizer.step()
        options = {"betas": (0.5, 0.75), "eps": 1e-8, "weight_decay": 0.0}
        options |= {"amsgrad": False, "maximize": False}
        assert optimizer.state_dict() == {
            "state": {"step": 1, "exp_avg": [0.5, 0.5], "exp_avg_sq": [0.25, 0.25]},
            "param_groups": [
                {"lr": 0.5, **options, "params": [0]},
                {"lr": 0.001, **options, "params": [1]},
            ],
        }

    def test_options_come_back(self, tmp_path: Path) -> None:
        optimizer = pair(Adam, amsgrad=True)
        optimizer.param_groups[0]["lr"] = 0.25
        optimizer.param_groups[1]["betas"] = (0.5, 0.5)
        optimizer.param_groups[1]["initial_lr"] = 0.125
        optimizer.params[0].grad = 1.0
        optimizer.step()
        mg.save(optimizer.state_dict(), tmp_path / "state.json")
        other = pair(Adam)
        other.load_state_dict(mg.load(tmp_path / "state.json"))
        assert other.state_dict() == optimizer.state_dict()
        assert other.amsgrad is True
        again = pickle.loads(pickle.dumps(other))
        again.param_groups[0]["lr"] = 0.0
        assert again.state_dict() != other.state_dict()

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            (lambda s: s | {"state": 3}, mg.StateDictError, "'state' must have the keys"),
            (lambda s: {"lr": 0.1}, mg.StateDictError, "expected a state_dict() with 'state' and"),
            (
                lambda s: s | {"param_groups": s["param_groups"][:1]},
                mg.StateDictError,
                "'param_groups' must be a list of 2, got [{",
            ),
            (
                lambda s: s | {"param_groups": s["param_groups"][::-1]},
                mg.StateDictError,
                "param_groups[0] must be a dict with the params [0], got {",
            ),
            (
                lambda s: s | {"param_groups": [s["param_groups"][0], 3]},
                mg.StateDictError,
                "param_groups[1] must be a dict with the params [1], got 3",
            ),
            (
                lambda s: s | {"param_groups": [{"params": [0]}, s["param_groups"][1]]},
                mg.StateDictError,
                "param_groups[0] has no 'lr', got {'params': [0]}",
            ),
            (
                lambda s: s | {"param_groups": [s["param_groups"][0] | {"max_lr": None}] * 2},
                TypeError,
                "param_groups[0]: max_lr must be a number, got None",
            ),
        ],
    )
    def test_what_does_not_fit_changes_nothing(
        self, change: Any, error: type[Exception], message: str
    ) -> None:
        optimizer = pair(momentum=0.5)
        optimizer.params[0].grad = 1.0
        optimizer.step()
        before = snapshot(optimizer)
        with pytest.raises(error, match=rf"^SGD\.load_state_dict: {re.escape(message)}"):
            optimizer.load_state_dict(change(copy.deepcopy(optimizer.state_dict())))
        assert snapshot(optimizer) == before


def test_the_module_says_where_the_compiled_step_is() -> None:
    with pytest.raises(AttributeError, match=r"use microgradlib\.compiled_step$"):
        _ = optim.compiled_step  # type: ignore[attr-defined]
