"""autograd.grad: gradients of what has been computed, as ``torch.autograd.grad`` has them."""

import re
from math import inf
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value, nn
from microgradlib.autograd import grad


@pytest.fixture
def numpy() -> Any:
    return pytest.importorskip("numpy")


class TestGradients:
    def test_structures(self, numpy: Any) -> None:
        x, w = Value(2.0), nn.Parameter([[1.0, 2.0], [3.0, 4.0]])
        a = numpy.array([Value(5.0), Value(6.0)])
        y = x * (w[0][0] * w[1][1] + a[1])
        assert grad(y, x) == (10.0,)
        found = grad(y, (x, w, a))
        assert found[:2] == (10.0, [[8.0, 0.0], [0.0, 2.0]])
        assert (type(found[2]), found[2].tolist()) == (numpy.ndarray, [0.0, 2.0])
        assert found[2].dtype == float
        assert grad(y, [x, w[1][1]]) == (10.0, 2.0)
        assert grad(y, w) == ([[8.0, 0.0], [0.0, 2.0]],)
        assert all(v.grad == 0.0 for v in (x, *w[0], *w[1], *a))

    def test_of_computed_inputs(self) -> None:
        x = Value(3.0)
        h = x * x
        y = h * h + x
        assert grad(y, (x, h)) == (109.0, 18.0)
        assert grad(y, h) == (18.0,)
        assert grad(y, y) == (1.0,)
        assert grad(x, x) == (1.0,)

    def test_several_outputs(self, numpy: Any) -> None:
        x = Value(2.0)
        assert grad((x * 3.0, x * x), x) == (7.0,)
        assert grad((x * 3.0, x * x), x, (2.0, 10.0)) == (46.0,)
        assert grad(([x * 3.0, x * x], x, 5.0), x, ([1.0, 2.0], 4.0, 1.0)) == (15.0,)
        assert grad(numpy.array([x, x * x]), x, numpy.ones(2)) == (5.0,)
        assert grad([x, x * x], x, grad_outputs=[1.0, 0.5]) == (3.0,)
        assert grad(x * x, x, 2.0, retain_graph=True) == (8.0,)

    def test_higher_orders(self) -> None:
        x, c = Value(2.0), Value(3.0)
        (first,) = grad(x**4, x, create_graph=True)
        (second,) = grad(first, x, create_graph=True)
        (third,) = grad(second, x)
        assert (first.data, second.data, third) == (32.0, 48.0, 48.0)
        (first,) = grad(x * x, x, c, create_graph=True)
        assert grad(first, (x, c)) == (6.0, 4.0)
        second.backward()
        assert x.grad == 48.0
        zero = grad(x * 1.0, [[x, c]], create_graph=True)[0][1]
        assert (type(zero), zero.data, zero.requires_grad) == (Value, 0.0, False)

    @pytest.mark.torch
    def test_second_derivatives_of_a_network_against_torch(self) -> None:
        torch = pytest.importorskip("torch")
        ours, theirs = [], []
        for results, library, grad_of in (
            (ours, nn, grad),
            (theirs, torch.nn, torch.autograd.grad),
        ):
            mg.manual_seed(1)
            torch.manual_seed(1)
            net = library.Sequential(library.Linear(1, 4), library.Tanh(), library.Linear(4, 1))
            net = net.double()
            if library is nn:
                x: Any = pytest.importorskip("numpy").array([[Value(0.1 * i)] for i in range(5)])
                ones: Any = [[1.0]] * 5
            else:
                x = (torch.arange(5.0, dtype=torch.float64) * 0.1)[:, None].requires_grad_()
                ones = torch.ones(5, 1, dtype=torch.float64)
            u = net(x)
            (du,) = grad_of(u, x, ones, create_graph=True)
            (d2u,) = grad_of(du.sum(), x, create_graph=True)
            ((d2u + u) ** 2).mean().backward()
            for p in dict(net.named_parameters()).values():
                results += [p.grad] if library is nn else [p.grad.tolist()]
        flat = [[x for part in tree for x in leaves(part)] for tree in (ours, theirs)]
        assert flat[0] == pytest.approx(flat[1], rel=1e-12, abs=1e-15)

    def test_beside_frozen_and_selected_values(self) -> None:
        x, y = Value(2.0), Value(1.0)
        assert grad(mg.maximum(x, y) * y, (x, y)) == (1.0, 2.0)
        frozen = Value(3.0).requires_grad_(False)
        assert grad(frozen * x, x) == (3.0,)


def leaves(x: Any) -> list[float]:
    return [z for y in x for z in leaves(y)] if isinstance(x, list) else [x]


class TestMisuse:
    def test_unused_inputs(self) -> None:
        x, y = Value(1.0), Value(2.0)
        message = "autograd.grad: no output depends on inputs[1]; leave it out, or pass allow_unus"
        with pytest.raises(mg.GradientError, match=re.escape(message)):
            grad(x * x, (x, y))
        assert grad(x * x, (x, y), allow_unused=True) == (2.0, None)
        assert grad(x * x, [[x, y]]) == ([2.0, 0.0],)

    @pytest.mark.parametrize(
        ("call", "error", "message"),
        [
            ("grad(v.detach(), v)", mg.GradientError, "the outputs are constants"),
            ("grad(3.0, v)", mg.GradientError, "the outputs are constants"),
            ("grad(v * v, 2.0)", TypeError, "inputs[0] must be a Value that needs a gradient, got"),
            ("grad(v * v, v.detach())", TypeError, "inputs[0] must be a Value that needs a gradi"),
            ("grad(v * v, (v, [v, 1.0]))", TypeError, "inputs[1][1] must be a Value that needs"),
            ("grad([v, v * v], v)", mg.ShapeError, "outputs[0] has 2 numbers; pass grad_outputs"),
            ("grad((v, v), v, 1.0)", mg.ShapeError, "grad_outputs must have 2 tensors, got 1"),
            ("grad([v, v], v, [1.0])", mg.ShapeError, "grad_outputs[0] must have 2 numbers, got 1"),
            ("grad('a', v)", TypeError, "expected a number"),
        ],
    )
    def test_of_arguments(self, call: str, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=re.escape(message)) as caught:
            eval(call, {"grad": grad, "v": Value(1.0)})
        assert str(caught.value).startswith("autograd.grad: ")

    def test_not_finite(self) -> None:
        x = Value(0.0)
        y = x.sqrt()
        with pytest.raises(mg.NonFiniteError, match=r"^autograd.grad: the derivative of sqrt"):
            grad(y, x)
        with mg.allow_nonfinite():
            assert grad(y, x) == (inf,)

    def test_in_a_function_that_is_differentiated(self) -> None:
        def first(x: Any) -> Any:
            return grad(x * x * x, x)[0]

        def both(x: Any) -> Any:
            return grad(x * x * x, x, create_graph=True)[0]

        with pytest.raises(
            mg.GradientError, match=r"^autograd.grad: an output depends on an argum"
        ):
            mg.grad(first)(2.0)
        assert mg.grad(both)(2.0) == 12.0
        with pytest.raises(mg.CompileError, match=r"autograd.grad\(\).*use microgradlib.grad"):
            mg.compile(both)(2.0)

    def test_under_no_grad(self) -> None:
        x = Value(2.0)
        y = x**3
        with mg.no_grad():
            assert grad(y, x) == (12.0,)
            assert grad(y, x, create_graph=True)[0].data == 12.0
