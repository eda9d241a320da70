"""Module and Parameter as PyTorch has them: parts, modes, buffers and states; methods of Value."""

import copy
import itertools
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from compilers import compiler

import microgradlib as mg
from microgradlib import Value, nn, random
from microgradlib.nn import Parameter

pytestmark = pytest.mark.usefixtures("stream")
BACKENDS = ["python", *["c"] * bool(compiler())]


@pytest.fixture
def numpy() -> Any:
    return pytest.importorskip("numpy")


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


class TestValue:
    def test_item(self) -> None:
        x = Value(2.0)
        assert type(x.item()) is float
        assert ((x * 3.0).item(), x.numel()) == (6.0, 1)

    def test_clone(self) -> None:
        x = Value(-0.0, "x")
        y = x.clone()
        assert y is not x
        assert str(y.data) == "-0.0"
        (y * 3.0).backward()
        assert (x.grad, y.grad) == (3.0, 3.0)
        assert not x.detach().clone().requires_grad
        with mg.no_grad():
            assert not x.clone().requires_grad
        assert mg.hessian(lambda x: x.clone() ** 3)(2.0) == 12.0

    def test_requires_grad(self) -> None:
        x = Value(2.0)
        assert x.requires_grad_(False) is x
        assert not x.requires_grad
        assert x.requires_grad_().requires_grad

    def test_is_leaf(self) -> None:
        x = Value(2.0)
        assert x.is_leaf
        assert not (x * 2.0).is_leaf
        assert (x * 2.0).detach().is_leaf
        assert (x.detach() * 2.0).is_leaf
        with mg.no_grad():
            assert (x * 2.0).is_leaf
        with mg.detect_anomaly():
            assert not (x * 2.0).is_leaf
            assert x.is_leaf

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_compiled(self, backend: Any) -> None:
        f = mg.compile(lambda v: (v.is_leaf, v.clone() * 2.0, v.numel()), backend=backend)
        x = Value(3.0)
        for v, leaf in ((x, True), (x * 1.0, False), (Value(5.0), True)):
            is_leaf, y, n = f(v)
            assert (is_leaf, y.data, n) == (leaf, 2.0 * v.data, 1)
        y.backward()
        assert v.grad == 2.0
        with pytest.raises(mg.CompileError, match="would be frozen"):
            mg.compile(lambda v: v.item(), backend=backend)(x)
        with pytest.raises(mg.CompileError, match=r"assigning .requires_grad in a function"):
            mg.compile(lambda v: v.requires_grad_(False), backend=backend)(x)

    def test_vmap(self) -> None:
        xs = [Value(1.0), Value(2.0)]
        ys = mg.vmap(lambda x: x.clone() * x.item())(xs)
        assert [y.data for y in ys] == [1.0, 4.0]


class TestParameter:
    def test_of_one_number(self, numpy: Any) -> None:
        for data in (2.0, 2, Value(2.0), Value(1.0) * 2.0, numpy.float64(2.0), numpy.array(2.0)):
            p = Parameter(data)
            assert type(p) is Value
            assert (p.data, p.is_leaf, p.requires_grad) == (2.0, True, True)
        assert not Parameter(1.0, requires_grad=False).requires_grad

    def test_of_lists_and_arrays(self, numpy: Any) -> None:
        computed = Value(3.0) * 1.0
        for data in ([[1.0, 2], (computed, 4.0)], numpy.array([[1.0, 2.0], [3.0, 4.0]])):
            p = Parameter(data)
            assert p.data == [[1.0, 2.0], [3.0, 4.0]]
            assert (p.shape, p.size(), p.size(-1), p.ndim, p.dim(), p.numel()) == (
                (2, 2),
                (2, 2),
                2,
                2,
                2,
                4,
            )
            assert all(v.is_leaf for row in p for v in row)
        assert Parameter(numpy.array([[Value(1.0)]])).data == [[1.0]]
        assert repr(Parameter([[1.0]])) == "Parameter([[Value(data=1.0, grad=0.0)]])"
        assert p[0].data == [1.0, 2.0]

    @pytest.mark.parametrize("data", [[], [[]], [[1.0], [1.0, 2.0]], [[1.0], 2.0], ()])
    def test_of_no_shape(self, data: Any) -> None:
        with pytest.raises(mg.ShapeError, match=r"^Parameter: .* is not a tensor; (make|give)"):
            Parameter(data)

    @pytest.mark.parametrize("data", ["text", ["a"], [None], [1j], None, {1.0}])
    def test_of_no_numbers(self, data: Any) -> None:
        with pytest.raises(TypeError, match=r"^Parameter: "):
            Parameter(data)

    def test_data(self, numpy: Any) -> None:
        p = Parameter([[1.0, 2.0], [3.0, 4.0]])
        entries = [v for row in p for v in row]
        p.data = numpy.array([[5, 6], [7, 8]])
        assert p.data == [[5.0, 6.0], [7.0, 8.0]]
        p.data = ((1, 2.0), [3.0, 4.0])
        assert [*map(id, itertools.chain(*p))] == [*map(id, entries)]
        for wrong in ([[1.0, 2.0]], [[9.0, 9.0], [9.0]], 3.0, [[9.0, 9.0], [9.0, [9.0]]], "ab"):
            with pytest.raises((mg.ShapeError, TypeError), match=r"^Parameter.data: expected a "):
                p.data = wrong
        with pytest.raises(TypeError, match=r"^Parameter.data: expected a number, got 'a'"):
            p.data = [[9.0, 9.0], [9.0, "a"]]
        assert p.data == [[1.0, 2.0], [3.0, 4.0]]

    def test_numbers_that_were_read(self) -> None:
        p = Parameter([[1.0, -0.0]])
        p.grad = [[3.0, 4.0]]
        assert repr(p.data) == "[[1.0, -0.0]]"
        p.data = [[1.0, 2.0]]
        assert mg.grad(lambda w: w[0][0] * w[0][1])(p.data) == [[2.0, 1.0]]
        for twin in (copy.deepcopy(p.data), pickle.loads(pickle.dumps(p.data)), copy.copy(p.data)):
            assert (type(twin), twin) == (list, [[1.0, 2.0]])
        p[0][1].grad = None
        assert p.grad == [[3.0, 0.0]]
        assert p.data[:1] == p.data.data == [[1.0, 2.0]]

    def test_assigning_to_numbers_that_were_read(self, numpy: Any) -> None:
        p = Parameter([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        expected = numpy.array(p.data)
        changes = [
            "d[0][1] = 7.0",
            "d[1] = [1.0, 2.0, 3.0]",
            "d[0, 2] = Value(9.0)",
            "d[:, 0] = -1.0",
            "d[0][1:] = [0.5, 0.25]",
            "d[1:][0][0] = 8.0",
            "d[d > 2.0] = 2.0",
            "d[...] *= 2.0",
            "d += 1.0",
            "d -= [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]",
            "d *= [1.0, 2.0, 3.0]",
            "d /= 2.0",
            "d **= 2",
        ]
        for change in changes:
            before = [*itertools.chain(*p)]
            exec(change.replace("Value(9.0)", "9.0"), {"d": expected})
            read = p.data
            exec(change, {"d": read, "Value": Value})
            assert p.data == expected.tolist()
            assert read == p.data or change.startswith("d[1:]")  # which reads anew
            assert [*map(id, before)] == [*map(id, itertools.chain(*p))]
        for wrong in ("d[0, 0] = [1.0, 2.0]", "d += [1.0, 2.0]", "d[5, 5] = 1.0", "d *= 'a'"):
            with pytest.raises((ValueError, IndexError, TypeError)):
                exec(wrong, {"d": p.data})
        with pytest.raises(mg.ShapeError, match=r"^Parameter.data: expected a list of length 2"):
            p.data += numpy.ones((4, 2, 3))
        assert p.data == expected.tolist()

    @pytest.mark.torch
    def test_methods_in_place(self, numpy: Any) -> None:
        torch = pytest.importorskip("torch")
        double = torch.float64
        calls = [
            "fill_(3.0)",
            "add_(other, alpha=0.5)",
            "sub_(other)",
            "mul_(other)",
            "mul_(other[0])",
            "div_(4.0)",
            "clamp_(-0.5, 0.75)",
            "clamp_(min=0.1)",
            "clamp_(max=0.3)",
            "copy_(other)",
            "mul_(0.9).add_(other, alpha=0.1)",
            "zero_()",
            "uniform_(-0.5, 0.5)",
            "uniform_()",
            "normal_(1.0, 2.0)",
            "normal_()",
        ]
        data, other = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[0.5, -1.0, 1.5], [2.0, 0.25, -3.0]]
        for call in calls:
            drawn = "()" in call or "uniform" in call or "normal" in call
            for target in ("p.data", "p", "p.grad"):
                theirs = torch.nn.Parameter(torch.tensor(data, dtype=None if drawn else double))
                ours = Parameter(data)
                ours.grad, theirs.grad = data, theirs.data.clone()
                torch.manual_seed(1)
                mg.manual_seed(1)
                names = {"other": torch.tensor(other, dtype=double)}
                with torch.no_grad():
                    exec(f"{target}.{call}", {"p": theirs, **names})
                with mg.no_grad():
                    exec(
                        f"q = {target}; assert q.{call} is q",
                        {"p": ours, "other": Parameter(other)},
                    )
                assert ours.data == theirs.data.tolist()
                assert ours.grad == theirs.grad.tolist()

    def test_changes_in_place_while_recording(self) -> None:
        p, v = Parameter([1.0, 2.0]), Value(1.0)
        for change in ("p += 1.0", "p -= 1.0", "p *= 2", "p /= 2.0", "p **= 2", "p.zero_()"):
            name = change.split()[1] if " " in change else "zero_"
            with pytest.raises(
                TypeError,
                match=rf"^Parameter: {re.escape(name)} would change .* under no_grad\(\), or",
            ):
                exec(change, {"p": p})
        with pytest.raises(
            TypeError, match=r"^Value: mul_ would change .* under no_grad\(\), or as"
        ):
            v.mul_(2.0)
        assert (p.data, v.data) == ([1.0, 2.0], 1.0)
        with mg.no_grad():
            q = p
            p -= 0.5 * p.data[0]
            assert p is q
            assert p.data == [0.5, 1.5]
            assert v.mul_(3.0).add_(Value(2.0), alpha=2.0).sub_(1.0).div_(2.0) is v
        assert v.data == 3.0
        assert p.requires_grad_(False).fill_(2.0).data == [2.0, 2.0]
        assert v.requires_grad_(False).copy_(Value(4.0)).clamp_(max=3.5).data == 3.5
        assert (v.clamp_(5.0).data, v.fill_(2).data, v.zero_().data) == (5.0, 2.0, 0.0)

    def test_parameter_of_one_number_in_place(self) -> None:
        v = Value(1.0)
        (v * 2.0).backward()
        for change, first in (("-=", "-"), ("*=", "*"), ("/=", "/")):
            with (
                mg.no_grad(),
                pytest.raises(
                    TypeError,
                    match=re.escape(f"write v.data {change} x, or v = v {first} x"),
                ),
            ):
                exec(f"v {change} v.grad", {"v": v})
            with mg.no_grad():
                for free in (v.detach(), v * 1.0, Value(1.0)):
                    names = {"v": free}
                    exec(f"v {change} 2.0", names)
                    assert names["v"] is not free
            names = {"v": v}
            exec(f"v {change} 2.0", names)
            assert names["v"].requires_grad
        assert v.data == 1.0

    def test_data_in_a_compiled_function(self) -> None:
        p = Parameter([1.0, 2.0])

        def assign(x: Any) -> Any:
            p.data = [3.0, 4.0]
            return x

        with pytest.raises(mg.CompileError, match=r"assigning .data in a function"):
            mg.compile(assign)(1.0)
        assert p.data == [1.0, 2.0]

    def test_grad(self) -> None:
        p = Parameter([[1.0, 2.0]])
        assert p.grad is None
        (p[0][1] * 3.0).backward()
        assert p.grad == [[0.0, 3.0]]
        p.grad = [[1.0, 2.0]]
        assert (p[0][0].grad, p[0][1].grad) == (1.0, 2.0)
        p.grad = None
        assert p.grad is None
        assert p[0][0].grad is None
        (p[0][0] * 0.0).backward()
        assert p.grad == [[0.0, 0.0]]
        with pytest.raises(mg.ShapeError, match=r"^Parameter.grad: expected a list of length 2"):
            p.grad = [[1.0]]

    def test_requires_grad(self) -> None:
        p = Parameter([1.0, 2.0], requires_grad=False)
        assert not p.requires_grad
        p[1].requires_grad = True
        assert p.requires_grad
        assert p.requires_grad_(False) is p
        assert not p.requires_grad
        p.requires_grad = True
        assert [v.requires_grad for v in p] == [True, True]

    def test_views_and_copies(self) -> None:
        p = Parameter([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        assert type(p.T) is Parameter
        assert p.T.data == [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]
        assert p.T[1][2] is p[2][1]
        row = Parameter([1.0])
        assert row.T is row
        assert row.item() == 1.0
        with pytest.raises(
            ValueError, match=r"^Parameter.item: a tensor of 6 entries is not a numb"
        ):
            p.item()
        with pytest.raises(
            mg.ShapeError, match=r"^Parameter.T: needs at most 2 dimensions, got 3$"
        ):
            _ = Parameter([[[1.0]]]).T
        assert not p.detach().requires_grad
        q = p.clone()
        (q[0][0] * 2.0).backward()
        assert p.grad[0] == [2.0, 0.0]
        assert p.clone()[1].shape == p.detach()[1].shape == p.T.T[1].shape == (2,)
        for twin in (copy.copy(p), copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
            assert type(twin) is Parameter
            assert twin.data == p.data
        assert copy.deepcopy(p)[0][0] is not p[0][0]
        assert len({p, q, p}) == 2

    def test_operators(self, numpy: Any) -> None:
        data, other = numpy.array([[1.0, 2.0], [3.0, 4.0]]), numpy.array([[0.5, 1.5], [2.0, -1.0]])
        p, rows = Parameter(data), [[1.0, 2.0]]
        results = [
            (p + 1.0, data + 1.0),
            (1 + p, 1.0 + data),
            (p - other, data - other),
            (other - p, other - data),
            (p * p, data * data),
            (3 * p, 3.0 * data),
            (p * 3, data * 3.0),
            (p / 2.0, data / 2.0),
            (2.0 / p, 2.0 / data),
            (p**2, data**2),
            (2.0**p, 2.0**data),
            (-p, -data),
            (p @ other, data @ other),
            (other @ p, other @ data),
            ([1.0, 2.0] @ p, [1.0, 2.0] @ data),
            (p @ [1.0, 2.0], data @ [1.0, 2.0]),
            (rows + p, rows + data),
            (other @ p.T, other @ data.T),
            (p - Value(1.0), data - 1.0),
            (p[0] + p[1], data[0] + data[1]),
            (2 * p[1], 2 * data[1]),
            (Value(1.0) - p, 1.0 - data),
        ]
        for ours, theirs in results:
            assert type(ours) is numpy.ndarray
            assert [v.data for v in ours.flat] == pytest.approx([*theirs.flat])
        numpy.sum(p * other).backward()
        assert p.grad == other.tolist()
        for change in ("p @= p", "p += p"):
            with pytest.raises(TypeError, match=r"^Parameter: .= would change a tensor that needs"):
                exec(change, {"p": p})
        assert p.shape == (2, 2)

    def test_indices_and_methods(self, numpy: Any) -> None:
        data = numpy.array([[1.0, -2.0, 3.0], [4.0, 5.0, 6.0]])
        p = Parameter(data)
        calls = [
            "p[:, 0]",
            "p[0, 1]",
            "p[[1, 0]]",
            "p[None]",
            "p[..., 2]",
            "p[array([1, 1])]",
            "p[1]",
            "p[:1]",
            "p.sum()",
            "p.sum(0)",
            "p.mean(1)",
            "p.max()",
            "p.argmin(1)",
            "p.reshape(3, 2)",
            "p.swapaxes(0, 1)",
            "p.ravel()",
            "abs(p)",
            "p.prod()",
            "p > 1.0",
            "(p <= 2.0)[0]",
        ]
        for call in calls:
            expected = eval(call, {"p": data, "array": numpy.array})
            for x in (p, p.data):
                found = eval(call, {"p": x, "array": numpy.array})
                found = found.data if isinstance(found, (Value, Parameter)) else found
                read = numpy.vectorize(lambda y: y.data if isinstance(y, Value) else y)
                assert read(numpy.array(found, object)).tolist() == expected.tolist()
        assert p.sum(dim=1, keepdim=True).shape == (2, 1)
        assert p.abs().sum().data == p.data.abs().sum() == 21.0
        assert p.pow(2).sum().data == 91.0
        assert type(p[:1]) is Parameter
        assert p[:1][0][0] is p[0][0]
        assert type(p.data.clone()) is type(p.data.detach()) is numpy.ndarray
        for name in ("std", "norm", "view", "transpose"):
            with pytest.raises(AttributeError, match=f"no attribute '{name}'; (call|use)"):
                getattr(p, name)

    def test_functions_of_a_tensor_give_tensors(self, numpy: Any) -> None:
        p = Parameter([[1.0, 2.0], [3.0, 5.0]])
        layer = nn.Linear(2, 3)
        for f in (mg.softmax, mg.log_softmax, mg.tanh, layer, lambda x: mg.softmax(x[0])):
            y = f(p)
            assert type(y) is Parameter
            read = numpy.vectorize(lambda v: v.data)
            assert read(2.0 * y).tolist() == (2.0 * read(numpy.array(f([*p])))).tolist()
        assert [v.data for v in p[0]] == [1.0, 2.0]

    def test_operators_without_numpy(self) -> None:
        program = """if True:
            import sys
            from microgradlib.nn import Parameter
            assert "numpy" not in sys.modules
            try:
                Parameter([1.0]) * 2
            except TypeError as error:
                print(error)
            """
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.stdout == (
            "Parameter: mul of tensors needs NumPy; import numpy, or loop over the entries\n"
        ), done.stderr


class Net(nn.Module):
    def __init__(self) -> None:
        self.fc = nn.Linear(2, 2)
        self.scale = Parameter(2.0)
        self.parts = nn.ModuleList([nn.Dropout(0.5), nn.Linear(2, 1)])
        self.again = self.fc

    def forward(self, x: Any) -> Any:
        return self.parts[1](self.parts[0](self.fc(x)))[0] * self.scale


def of_torch(torch: Any) -> Any:
    class Net(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.fc = torch.nn.Linear(2, 2)
            self.scale = torch.nn.Parameter(torch.tensor(2.0))
            self.parts = torch.nn.ModuleList([torch.nn.Dropout(0.5), torch.nn.Linear(2, 1)])
            self.again = self.fc

    return Net()


class TestParts:
    @pytest.mark.torch
    def test_walks_of_torch(self, torch: Any) -> None:
        ours, theirs = Net(), of_torch(torch)
        for walk in ("named_modules", "named_children", "named_parameters"):
            names = [name for name, _ in getattr(theirs, walk)()]
            assert [name for name, _ in getattr(ours, walk)()] == names
        assert [*ours.state_dict()] == [*theirs.state_dict()]
        for walk in ("modules", "children"):
            kinds = [type(x).__name__ for x in getattr(theirs, walk)()]
            assert [type(x).__name__ for x in getattr(ours, walk)()] == kinds
        visits: list[list[str]] = [[], []]
        for model, visited in zip((ours, theirs), visits, strict=True):
            model.tail = type(model.parts)([model.fc])
            assert model.apply(lambda x, to=visited: to.append(type(x).__name__)) is model
        assert visits[0] == visits[1]
        assert repr(ours) == repr(theirs)

    def test_get_submodule(self) -> None:
        model: Any = Net()
        model.extra = {"a": [nn.ReLU()]}
        assert model.get_submodule("") is model
        assert model.get_submodule("parts.1") is model.parts[1]
        assert model.get_submodule("extra.a.0") is model.extra["a"][0]
        with pytest.raises(AttributeError, match=r"^Net.get_submodule: no part 'parts.7'$"):
            model.get_submodule("parts.7")

    def test_adding(self) -> None:
        model: Any = nn.Module()
        model.add_module("fc", nn.Linear(1, 1))
        model.add_module("none", None)
        model.register_parameter("w", Parameter([1.0]))
        model.register_parameter("v", Value(2.0))
        model.register_parameter("n", None)
        assert [*model.state_dict()] == ["w", "v", "fc.weight", "fc.bias"]
        assert model.none is model.n is None
        with pytest.raises(TypeError, match=r"^add_module: 'x' must be a Module, got 3.0$"):
            model.add_module("x", 3.0)
        for wrong in (3.0, Value(1.0) * 2.0, [1.0], []):
            with pytest.raises(
                TypeError, match=r"^register_parameter: 'x' must be a leaf Value or"
            ):
                model.register_parameter("x", wrong)
        for name in ("a.b", "", 3):
            with pytest.raises(KeyError, match="name must be a str without dots"):
                model.register_buffer(name, 1.0)
        with pytest.raises(KeyError, match="attribute 'forward' exists already"):
            model.add_module("forward", nn.ReLU())
        assert model.double() is model

    def test_parts_of_a_circle(self) -> None:
        model: Any = nn.Sequential(nn.Dropout(0.5))
        model[0].whole = model
        assert not model.eval()[0].training
        seen: list[Any] = []
        model.apply(seen.append)
        assert seen == [model[0], model]

    def test_a_mode_of_its_own(self) -> None:
        class Frozen(nn.Sequential):
            def train(self, mode: bool = True) -> Any:
                return super().train(False)

        model = nn.Sequential(Frozen(nn.Dropout(0.5)), nn.Dropout(0.5)).train()
        assert [part.training for part in model.modules()] == [True, False, False, True]
        for mode in (1, None, "eval"):
            with pytest.raises(ValueError, match=r"^train: mode must be True or False, got "):
                model.train(mode)  # type: ignore[arg-type]

    def test_freezing(self) -> None:
        model = Net()
        assert model.fc.requires_grad_(False) is model.fc
        assert [p.requires_grad for _, p in model.named_parameters()] == [
            True,
            False,
            False,
            True,
            True,
        ]
        model.requires_grad_()
        assert all(p.requires_grad for p in model.parameters())

    def test_copies_have_modes_of_their_own(self) -> None:
        model = Net()
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            twin.eval()
            assert model.training
            assert not pickle.loads(pickle.dumps(twin)).parts[0].training


class TestCompiledModes:
    @pytest.mark.parametrize("backend", BACKENDS)
    @pytest.mark.parametrize("captured", [True, False])
    def test_dropout(self, backend: Any, captured: bool) -> None:
        model, x = Net(), [1.0, -2.0]
        f: Any = mg.compile(lambda *args: (args[0] if args else model)(x), backend=backend)
        args = [] if captured else [model]
        for _ in range(2):
            with pytest.raises(
                mg.CompileError, match=r"^compile: dropout\(\) in training in a fun"
            ):
                f(*args)
            model.eval()
            assert f(*args).data == model(x).data
            assert f.cache_info().made == 1
            model.train()
        with pytest.raises(mg.CompileError, match=r"; call eval\(\) of the module, or multiply by"):
            f(*args)

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_both_modes(self, backend: Any) -> None:
        class Twice(nn.Module):
            def __init__(self) -> None:
                self.w = Parameter([1.0, 2.0])

            def forward(self, x: Any) -> Any:
                return mg.dot(self.w, x) * (2.0 if self.training else 1.0)

        model = Twice()
        f = mg.compile(mg.value_and_grad(lambda m, x: m(x)), backend=backend)
        g = mg.compile(
            lambda xs: mg.scan(lambda c, x: (c + model([x, c]), None), 0.0, xs)[0], backend=backend
        )
        for mode, value in ((True, 10.0), (False, 5.0), (True, 10.0), (False, 5.0)):
            model.train(mode)
            y, slopes = f(model, [1.0, 2.0])
            assert y == value
            assert [v.data for v in slopes.w] == [value / 5.0, 2.0 * value / 5.0]
            assert g([1.0, 2.0]).data == (14.0 if mode else 5.0)
        assert f.cache_info().made == 2
        assert g.cache_info().made == 2

    def test_setting_a_mode(self) -> None:
        model = Net()
        with pytest.raises(mg.CompileError, match="in a function that is compiled"):
            mg.compile(lambda x: model.eval() and x)(1.0)
        assert model.training

    def test_pickled(self) -> None:
        f = mg.compile(evaluated)
        before = f([1.0, 2.0]).data
        twin = pickle.loads(pickle.dumps(f))
        assert twin([1.0, 2.0]).data == before


MODEL = Net().eval()


def evaluated(x: Any) -> Any:
    return MODEL(x)


class Normalized(nn.Module):
    def __init__(self) -> None:
        self.register_buffer("mean", [[0.0, 1.0]])
        self.register_buffer("seen", 0, persistent=False)
        self.register_buffer("none", None)
        self.fc = nn.Linear(2, 1)
        self.w = Parameter([1.0])


class TestBuffers:
    @pytest.mark.torch
    def test_names_of_torch(self, torch: Any) -> None:
        class Peer(torch.nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("mean", torch.tensor([[0.0, 1.0]]))
                self.register_buffer("seen", torch.tensor(0), persistent=False)
                self.register_buffer("none", None)
                self.fc = torch.nn.Linear(2, 1)
                self.w = torch.nn.Parameter(torch.tensor([1.0]))

        ours, theirs = nn.Sequential(Normalized()), torch.nn.Sequential(Peer())
        assert [*ours.state_dict()] == [*theirs.state_dict()]
        for of in (lambda m: m, lambda m: m[0]):
            names = [name for name, _ in of(theirs).named_buffers()]
            assert [name for name, _ in of(ours).named_buffers()] == names
            assert len([*of(ours).buffers()]) == len(names)
        assert ours.load_state_dict(dict(theirs.state_dict())) == ([], [])
        assert ours.state_dict() == {name: x.tolist() for name, x in theirs.state_dict().items()}

    def test_they_are_no_parameters(self) -> None:
        model: Any = Normalized()
        model.mean = [[Value(3.0) * 1.0, Value(1.0).detach()]]
        assert [name for name, _ in model.named_parameters()] == ["w", "fc.weight", "fc.bias"]
        assert model.state_dict()["mean"] == [[3.0, 1.0]]
        assert mg.grad(lambda m: m.w[0] * m.mean[0][0].data)(model).w[0].data == 3.0

    def test_loading(self, numpy: Any) -> None:
        model: Any = Normalized()
        model.register_buffer("mask", numpy.array([True, False]))
        model.register_buffer("table", numpy.array([[1, 2]]))
        model.mean = numpy.array([[5.0, 6.0]])
        state = model.state_dict()
        assert (state["mask"], state["table"], state["mean"]) == (
            [True, False],
            [[1, 2]],
            [[5.0, 6.0]],
        )
        other: Any = copy.deepcopy(model)
        other.mean = ((0.0, 0.0),)
        other.mask = numpy.array([True, True])
        other.load_state_dict(state)
        assert other.mean == [[5.0, 6.0]]
        assert other.mask.tolist() == [True, False]
        assert (other.mask.dtype, other.table.dtype) == (bool, model.table.dtype)
        wrong = {**state, "w": [7.0], "mean": [[1.0]]}
        with pytest.raises(mg.StateDictError, match=r"load_state_dict: mean\[0\]: expected a list"):
            other.load_state_dict(wrong)
        with pytest.raises(
            mg.StateDictError, match=r"load_state_dict: mean\[0\]\[0\]: expected a n"
        ):
            other.load_state_dict({**wrong, "mean": [[[1.0], 2.0]]})
        assert other.state_dict() == state

    def test_a_name_twice(self) -> None:
        model: Any = nn.Module()
        model.a = {"b": Value(1.0)}
        model.c = nn.Module()
        vars(model)["a.b"] = nn.Module()
        model.register_buffer("m", 1.0)
        model.p = {"q": nn.Module()}
        model.p["q"].register_buffer("r", 1.0)
        assert [*model.state_dict()] == ["a.b", "m", "p.q.r"]

    def test_a_buffer_may_become_a_parameter(self) -> None:
        for new in (Parameter([1.0]), Value(2.0)):
            model: Any = Normalized()
            model.mean = new
            assert [name for name, _ in model.named_parameters()][:2] == ["mean", "w"]
            assert [name for name, _ in model.named_buffers()] == ["seen"]
        for _ in range(2):
            model.w = Parameter([2.0])
            with pytest.raises(KeyError, match="register_buffer: attribute 'w' exists already"):
                model.register_buffer("w", [1.0])
            with pytest.raises(KeyError, match="add_module: attribute 'w' exists already"):
                model.add_module("w", nn.ReLU())
            with pytest.raises(KeyError, match="register_parameter: attribute 'fc' exists already"):
                model.register_parameter("fc", Value(1.0))
        model.register_buffer("seen", 3)
        model.register_parameter("w", Value(1.0))
        model.add_module("fc", None)
        model.add_module("fc", nn.ReLU())
        assert model.state_dict() == {"mean": 2.0, "w": 1.0, "seen": 3}

    def test_removed(self) -> None:
        model: Any = Normalized()
        del model.mean
        assert "mean" not in model.state_dict()
        assert [name for name, _ in model.named_buffers()] == ["seen"]
        model.mean = [Value(1.0)]
        assert "mean" in dict(model.named_parameters())


class TestLoading:
    def test_not_strict(self) -> None:
        model = nn.Linear(1, 1)
        before = model.weight.data
        keys = model.load_state_dict({"bias": [7.0], "other": 1.0}, strict=False)
        assert (keys.missing_keys, keys.unexpected_keys) == (["weight"], ["other"])
        assert repr(keys) == (
            "IncompatibleKeys(missing_keys=['weight'], unexpected_keys=['other'])"
        )
        assert (model.bias.data, model.weight.data) == ([7.0], before)
        with pytest.raises(mg.StateDictError, match="bias: expected a list of length 1"):
            model.load_state_dict({"bias": [7.0, 8.0], "weight": [[1.0]]}, strict=False)
        with pytest.raises(mg.StateDictError, match="missing keys"):
            model.load_state_dict({"bias": [8.0]})
        assert model.bias.data == [7.0]
        assert repr(model.load_state_dict(model.state_dict())) == "<All keys matched successfully>"


def test_named_parameters_make_tensors_of_lists() -> None:
    model: Any = nn.Module()
    model.w = [[Value(1.0)], [Value(2.0)]]
    ((name, p),) = model.named_parameters()
    assert (name, type(p), p.data) == ("w", Parameter, [[1.0], [2.0]])
    p.data = [[3.0], [4.0]]
    assert model.w[1][0].data == 4.0
    assert type(model.w) is list


def test_an_array_of_values_is_to_be_a_parameter(numpy: Any) -> None:
    model: Any = nn.Module()
    model.w = numpy.array([Value(1.0)])
    with pytest.raises(TypeError, match=r"; make nn.Parameter\(array\) of it$"):
        model.parameters()
    model.w = Parameter(model.w)
    assert len(model.parameters()) == 1


def gpt(nn: Any, parameter: Callable[[Any], Any]) -> Any:
    """Return the modules of nanoGPT (Karpathy, 2022), as small as they get."""

    class Attention(nn.Module):  # type: ignore[misc]
        def __init__(self, n: int) -> None:
            super().__init__()
            self.c_attn = nn.Linear(n, 3 * n, bias=False)
            self.c_proj = nn.Linear(n, n, bias=False)
            self.attn_dropout = nn.Dropout(0.1)
            self.register_buffer("bias", parameter([[1.0, 0.0], [1.0, 1.0]]))

    class Perceptron(nn.Module):  # type: ignore[misc]
        def __init__(self, n: int) -> None:
            super().__init__()
            self.c_fc = nn.Linear(n, 4 * n)
            self.gelu = nn.GELU()
            self.c_proj = nn.Linear(4 * n, n)
            self.dropout = nn.Dropout(0.1)

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self, n: int) -> None:
            super().__init__()
            self.ln_1 = nn.LayerNorm(n)
            self.attn = Attention(n)
            self.ln_2 = nn.LayerNorm(n, bias=False)
            self.mlp = Perceptron(n)

    class GPT(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.transformer = nn.ModuleDict(
                {
                    "wte": nn.Embedding(9, 8),
                    "wpe": nn.Embedding(4, 8),
                    "drop": nn.Dropout(0.1),
                    "h": nn.ModuleList([Block(8) for _ in range(2)]),
                    "ln_f": nn.LayerNorm(8),
                }
            )
            self.lm_head = nn.Linear(8, 9, bias=False)
            self.transformer["wte"].weight = self.lm_head.weight

    return GPT()


@pytest.mark.torch
def test_nanogpt_is_made_as_in_torch(torch: Any) -> None:
    torch.manual_seed(1337)
    random.manual_seed(1337)
    theirs, ours = gpt(torch.nn, torch.tensor), gpt(nn, list)
    state = {name: x.tolist() for name, x in theirs.state_dict().items()}
    assert [*ours.state_dict()] == [*state]
    assert ours.state_dict() == state
    assert repr(ours) == repr(theirs)
    named = [(name, tuple(p.shape)) for name, p in theirs.named_parameters()]
    assert [(name, p.shape) for name, p in ours.named_parameters()] == named
    decayed = [name for name, p in theirs.named_parameters() if p.dim() >= 2]
    assert [name for name, p in ours.named_parameters() if p.dim() >= 2] == decayed
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    for model in (ours, theirs):
        visited: list[str] = []
        model.apply(lambda module, to=visited: to.append(type(module).__name__))
        model.visited = visited
    assert ours.visited == theirs.visited


def test_methods_of_a_tensor_of_one_number() -> None:
    x = Value(-3.0)
    assert x.sum() is x
    for f, expected in (
        (lambda v: v.abs(), (3.0, -1.0)),
        (lambda v: v.pow(3), (-27.0, 27.0)),
        (lambda v: v.square(), (9.0, -6.0)),
    ):
        assert mg.value_and_grad(f)(-3.0) == expected
    model = nn.Linear(2, 1)
    penalty = sum(p.pow(2).sum() + p.abs().sum() for p in model.parameters())
    numbers = [p.data for p in model.parameters()]
    assert penalty.data == pytest.approx(sum(n * n + abs(n) for n in numbers))
