"""Parameters: what may be assigned to one, where a module finds them, and what is refused."""

import copy
import pickle
import re
import sys
from collections import UserDict, deque
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import inf, nan
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value, nn, optim


class Half(float):
    """A subclass of float."""


class TestData:
    @pytest.mark.parametrize("number", [0.5, Half(0.5), Fraction(1, 2), Decimal("0.5"), 2, -0.0])
    def test_real_numbers_become_floats(self, number: Any) -> None:
        w = Value(1.0, label="w")
        w.data = number
        assert type(w.data) is float
        assert (w.data, str(w.data)) == (float(number), str(float(number)))
        assert (w * 3.0).data == float(number) * 3.0
        assert repr(w) == f"Value(data={float(number)}, grad=0.0, label='w')"
        for twin in (copy.copy(w), copy.deepcopy(w), pickle.loads(pickle.dumps(w))):
            assert repr(twin) == repr(w)

    @pytest.mark.torch
    @pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int8", "int64"])
    def test_numbers_of_numpy_become_floats(self, kind: str) -> None:
        number = getattr(pytest.importorskip("numpy"), kind)(3.3)
        w = Value(1.0)
        w.data = number
        assert type(w.data) is float
        assert (w / 7.0).data == float(number) / 7.0  # in 64 bits

    @pytest.mark.parametrize(
        ("wrong", "remedy"),
        [
            (Value(3.0), "pass v.data"),
            (Value(3.0) * 2.0, "pass v.data"),
            ("0.5", "convert it with float()"),
            (None, "pass a float"),
            (True, "pass a float"),
            (1j, "pass a float"),
            ([1.0], "assign one to each Value"),
        ],
    )
    def test_everything_else_is_refused(self, wrong: Any, remedy: str) -> None:
        w = Value(1.0)
        message = re.escape(f"Value.data: expected a number, got {wrong!r}; {remedy}")
        with pytest.raises(TypeError, match=f"^{message}$"):
            w.data = wrong
        assert w.data == 1.0

    def test_an_int_that_no_float_holds_is_refused(self) -> None:
        w = Value(1.0)
        with pytest.raises(OverflowError, match=r"^Value.data: an int is too large for a float$"):
            w.data = 10**400
        assert w.data == 1.0

    def test_arithmetic_in_place(self) -> None:
        w = Value(1.0)
        (w * 3.0).backward()
        w.data -= 0.5 * w.grad
        assert w.data == -0.5
        assert Value.data.__doc__ == "The number. Any real number may be assigned."

    def test_other_modes_let_it_through(self) -> None:
        w = Value(1.0)
        with mg.no_grad(), mg.detect_anomaly():
            w.data = 2
            assert w.data == 2.0
            assert (w * 2.0).data == 4.0


@dataclass
class Pair:
    first: Any
    second: Any = 0.0


@dataclass(slots=True)
class Slotted:
    first: Any


class Holder(nn.Module):
    def __init__(self, **parts: Any) -> None:
        vars(self).update(parts)


class TestReplaced:
    def test_a_number_in_the_place_of_a_parameter(self) -> None:
        neuron: Any = nn.Neuron(2)
        neuron([1.0, 2.0]).backward()
        before = neuron.state_dict()
        computed = neuron.b - 0.1 * neuron.b.grad
        for new in (computed, 0.5, 1, neuron.b.data - 0.1 * neuron.b.grad):
            with pytest.raises(TypeError) as caught:
                neuron.b = new
            assert str(caught.value) == (
                f"Neuron: b holds parameters, and {new!r} in their place would not be one; assign "
                "to b.data, or delete b first"
            )
        for new in ([w - 0.1 for w in neuron.w], [neuron.w[0], 0.5], (1.0, 2.0), {"a": computed}):
            with pytest.raises(TypeError, match="; assign to the data of each in w, or delete w f"):
                neuron.w = new
        assert neuron.state_dict() == before
        assert len(neuron.parameters()) == 3

    @pytest.mark.parametrize("replace", [lambda p: p - 0.1, lambda p: p.data - 0.1, lambda p: 1])
    def test_an_entry_of_a_list_or_dict(self, replace: Any) -> None:
        """Python does not tell a module of this; it looks when it is asked for its parameters."""
        layer: Any = nn.Layer(2, 2)
        model: Any = Holder(parts={"w": [Value(1.0)], "inner": [layer]})
        model._trained = True
        before = layer.state_dict()
        for row, i, path in ((layer.weight[1], 0, "weight[1][0]"), (layer.bias, 1, "bias[1]")):
            old = row[i]
            row[i] = new = replace(old)
            for look in (
                layer.parameters,
                layer.state_dict,
                model.zero_grad,
                lambda: [*model.named_parameters()],
                lambda: layer.load_state_dict(before),
                lambda: mg.grad(lambda m: m.parts["w"][0] * 2.0)(model),
            ):
                with pytest.raises(TypeError) as caught:
                    look()
                assert str(caught.value) == (
                    f"Layer: {path} held a parameter, and {new!r} in its place is not one; put a "
                    f"new Value there, and assign to {path}.data"
                )
            row[i] = Value(old.data)
            assert layer.state_dict() == before
        parts = model.parts["w"]
        parts[0] = replace(parts[0])
        with pytest.raises(TypeError, match=r"^Holder: parts\.w\[0\] held a parameter, and "):
            model.parameters()
        del parts[0]
        assert len(model.parameters()) == 6

    def test_all_entries_of_a_list_before_the_first_look(self) -> None:
        layer: Any = nn.Layer(2, 2)
        layer.bias[:] = [b * 0.5 for b in layer.bias]
        with pytest.raises(TypeError, match=r"^Layer: bias\[0\] held a parameter, and Value"):
            optim.SGD(layer.parameters(), lr=0.1)

    def test_lists_of_other_numbers_may_change(self) -> None:
        model: Any = Holder(w=[Value(1.0), 2.0], h=[])
        for i in range(3):
            assert len(model.parameters()) == 1
            model.h.append(model.w[0] * i)
            model.w[1] = model.w[0] * i
        model.w[0].requires_grad = False
        model.w[1] = 1.0
        assert model.parameters() == [model.w[0]]
        model.w = [Value(1.0)]
        assert len(model.parameters()) == 1
        copy = mg.grad(lambda m: mg.sum(m([1.0, 2.0])))(nn.Layer(2, 1))
        assert len(copy.parameters()) == 3

    def test_other_changes(self) -> None:
        neuron: Any = nn.Neuron(2)
        neuron.b = new = Value(3.0)
        neuron.w = [*reversed(neuron.w)]
        assert neuron.parameters() == [*neuron.w, new]
        neuron.b = None
        assert neuron.parameters() == neuron.w
        del neuron.w
        neuron.w = [new * 2.0]  # as asked for
        neuron.w = [new * 3.0, 1.0]
        neuron.b = Value(1.0).detach()
        neuron.b = new * 2.0  # what is not trained is not lost
        neuron.nin = 3
        neuron.w = [new * 2.0, Value(1.0)]
        neuron.w = [new * 2.0, Value(2.0)]  # as many parameters as before
        assert len(neuron.parameters()) == 1
        model: Any = Holder(layers=[nn.Neuron(1), nn.Neuron(1)])
        model.layers = model.layers[:1]
        assert len(model.parameters()) == 2


class TestHidden:
    @pytest.mark.parametrize(
        ("make", "kind"),
        [
            (lambda p: {p}, "set"),
            (lambda p: frozenset([p]), "frozenset"),
            (lambda p: deque([p]), "deque"),
            (lambda p: deque([[{"a": p}]]), "deque"),
            (lambda p: UserDict(a=p), "UserDict"),
            (lambda p: MappingProxyType({1: p}), "mappingproxy"),
            (lambda p: SimpleNamespace(a=1, b=(p,)), "SimpleNamespace"),
            (Pair, "Pair"),
            (Slotted, "Slotted"),
            (lambda p: {Holder(p=p)}, "set"),
        ],
    )
    def test_where_parameters_are_not_searched(self, make: Any, kind: str) -> None:
        p, q = Value(1.0), Value(2.0)
        model: Any = Holder(inner=[Holder(a={"b": make(p)})], q=q)
        with pytest.raises(TypeError) as caught:
            model.parameters()
        assert str(caught.value) == (
            f"Holder.parameters: inner.0.a.b is a {kind} with parameters, which are searched in "
            "lists, tuples, dicts and Modules only"
        )
        with pytest.raises(TypeError, match=r"^Holder.parameters: inner.0.a.b is a "):
            model.state_dict()
        model.known = {"p": [p]}  # it is found elsewhere
        assert model.parameters() == [q, p]
        del model.known
        p.requires_grad = False
        assert model.parameters() == [q]

    @pytest.mark.torch
    def test_arrays(self) -> None:
        numpy = pytest.importorskip("numpy")
        model: Any = Holder(a=numpy.array([[1.0]]), b=numpy.array(None), c=numpy.float64(1.0))
        assert model.parameters() == []
        model.a = numpy.array([[Value(1.0)]])
        with pytest.raises(TypeError, match="a is a ndarray with parameters"):
            model.parameters()

    def test_what_holds_no_parameters_of_its_own(self) -> None:
        w = Value(1.0)
        seen: Any = deque([w * 2.0, "text", b"bytes", 1.0, None])
        seen.append(seen)
        model: Any = Holder(w=w, seen=seen, sizes=range(3), kind=Pair, name="a", pair=Pair(w))
        model.optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
        assert model.parameters() == [w]


class TestTied:
    def model(self) -> Any:
        a, b = Value(1.0), Value(2.0)
        return Holder(a=a, again=[[b, a]], b=b)

    @pytest.mark.parametrize("number", [5.0, nan, -0.0, inf])
    def test_the_same_number_twice(self, number: float) -> None:
        model = self.model()
        model.load_state_dict({"a": number, "again": [[4.0, number]], "b": 4})
        assert repr(model.state_dict()) == repr({"a": number, "again": [[4.0, number]], "b": 4.0})

    @pytest.mark.parametrize(("one", "other"), [(5.0, 6.0), (nan, 1.0), (0.0, -0.0)])
    def test_two_numbers_for_one_parameter(self, one: float, other: float) -> None:
        model = self.model()
        before = model.state_dict()
        with pytest.raises(mg.errors.StateDictError) as caught:
            model.load_state_dict({"a": one, "again": [[7.0, other]], "b": 7.0})
        assert str(caught.value) == (
            f"Holder.load_state_dict: a and again[0][1] are one parameter, but {one} and {other} "
            "in the state; nothing was loaded"
        )
        assert model.state_dict() == before


class TestSaved:
    @pytest.mark.torch
    @pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int32"])
    def test_data_that_came_from_numpy(self, kind: str, tmp_path: Path) -> None:
        number = getattr(pytest.importorskip("numpy"), kind)(3.3)
        model, other = nn.Layer(2, 1), nn.Layer(2, 1)
        model.weight[0][1].data = number
        optimizer = mg.optim.Adam(model.parameters())
        for p in model.parameters():
            p.grad = float(number)
        optimizer.step()
        model.bias[0].data = number
        mg.save(model.state_dict(), tmp_path / "model.json")
        mg.save(optimizer.state_dict(), tmp_path / "adam.json")
        other.load_state_dict(mg.load(tmp_path / "model.json"))
        assert other.state_dict() == model.state_dict()
        assert other.bias[0].data == float(number)
        assert mg.load(tmp_path / "adam.json") == optimizer.state_dict()


class TestSpeed:
    """``parameters()`` in each step, as for clipping, does not look at each Value by itself."""

    def test_tensors_are_walked_row_by_row(self) -> None:
        model = nn.Sequential(nn.Linear(400, 10), nn.Tanh(), nn.Linear(10, 5))
        names = [name for name, _ in model._named_values()]
        calls = 0

        def count(frame: Any, event: str, arg: object) -> None:
            nonlocal calls
            calls += event == "call"

        model.parameters()
        sys.setprofile(count)
        try:
            found = model.parameters()
        finally:
            sys.setprofile(None)
        assert len(found) == len(names) == 4065
        assert calls < 4065 / 2
        assert [p.data for p in found] == [
            x
            for entry in model.state_dict().values()
            for row in entry
            for x in (row if isinstance(row, list) else [row])
        ]
