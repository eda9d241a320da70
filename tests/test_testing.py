"""The strategies: what they draw, and random expressions against three judges."""

import math
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

import microgradlib as mg
from microgradlib import Value
from microgradlib.primitives import PRIMITIVES
from microgradlib.testing import TEMPLATES, Expression, expressions, floats, values

GRAPHS = 1000
many = settings(max_examples=GRAPHS, deadline=None, suppress_health_check=[HealthCheck.too_slow])
point = st.integers(-3000, 3000).map(lambda n: n / 1000)


@pytest.mark.parametrize("name", [row.name for row in PRIMITIVES.values() if not row.helper])
def test_floats_lie_in_the_domain(name: str) -> None:
    row = PRIMITIVES[name]

    @settings(max_examples=30)
    @given(floats(name, magnitude=10.0))
    def check(point: tuple[float, ...]) -> None:
        assert len(point) in row.arities
        domain = row.domain if len(row.domain) == len(point) else row.domain * len(point)
        assert all(i.low <= x <= i.high for i, x in zip(domain, point, strict=True))
        assert all(abs(x) <= 10.0 for x in point)

    check()


def test_floats_of_an_unknown_primitive() -> None:
    with pytest.raises(ValueError, match=r"^floats: no primitive 'sine'; choose from add, .*sin,"):
        floats("sine")


@given(values())
def test_values_are_leaves(x: Value) -> None:
    assert isinstance(x, Value)
    assert x.requires_grad
    assert not x._op
    assert abs(x.data) <= 1e3


@given(st.from_type(Value))
def test_the_entry_point_registers_the_type(x: Value) -> None:
    assert isinstance(x, Value)


@pytest.mark.parametrize("first", ["microgradlib.testing", "microgradlib", "hypothesis"])
def test_the_order_of_imports_does_not_matter(first: str) -> None:
    code = (
        f"import {first}; from microgradlib import Value; import microgradlib.testing;"
        "from hypothesis import strategies as st; st.from_type(Value).validate()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_core_does_not_import_hypothesis() -> None:
    code = "import sys, microgradlib; assert 'hypothesis' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_expressions_cover_the_public_functions() -> None:
    text = "\n".join(TEMPLATES)
    for row in PRIMITIVES.values():
        if not row.helper and row.name in mg.__all__:
            assert f"mg.{row.name}(" in text, row.name


def test_an_expression_prints_as_the_python_it_is() -> None:
    f = Expression(2, ("mg.sin(x0)", "t0 * x1"))
    assert repr(f) == "def f(x0, x1):\n    t0 = mg.sin(x0)\n    t1 = t0 * x1\n    return t1"
    assert f(0.5, 2.0) == 2.0 * math.sin(0.5)
    assert isinstance(f(Value(0.5), 2.0), Value)


def test_expressions_shrink() -> None:
    f = find(expressions(inputs=2), lambda f: "mg.exp(" in str(f))
    assert f.steps == ("mg.exp(mg.tanh(x1))",)


@many
@given(expressions(inputs=2), point, point)
def test_gradients_against_differences(f: Expression, x: float, y: float) -> None:
    report = mg.gradcheck(f, (x, y), raise_exception=False)
    # Rounding can hide a slope (unclear), but no gradient may be wrong.
    assert not [entry for entry in report if entry.verdict == "wrong"], f"{f}\n{report}"


@many
@given(expressions(inputs=2), point, point)
def test_floats_and_values_give_the_same_bits(f: Expression, x: float, y: float) -> None:
    on_values = f(Value(x), Value(y))
    assert (on_values.data if isinstance(on_values, Value) else on_values) == f(x, y)


@many
@given(expressions(inputs=2), point, point, st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_backward_is_linear(f: Expression, x: float, y: float, a: float, b: float) -> None:
    def gradient(g: Any) -> list[float]:
        xs = Value(x), Value(y)
        with mg.allow_nonfinite():
            (g(*xs) + xs[0] * 0.0).backward()
        return [v.grad for v in xs]

    def combined(u: Value, v: Value) -> Any:
        return a * f(u, v) + b * mg.sin(u * v)

    for got, p, q in zip(
        gradient(combined), gradient(f), gradient(lambda u, v: mg.sin(u * v)), strict=True
    ):
        assert got == pytest.approx(a * p + b * q, rel=1e-9, abs=1e-9 * (1.0 + abs(p)))


def torch_namespace(torch: Any) -> SimpleNamespace:
    """Return the functions that expressions use, on torch's tensors."""

    def tensor(x: Any) -> Any:
        return torch.as_tensor(x, dtype=torch.float64)

    def lift(f: Any) -> Any:
        return lambda *xs: f(*map(tensor, xs))

    def stacked(f: Any) -> Any:
        return lambda xs: f(torch.stack([tensor(x) for x in xs]))

    def hypot(*xs: Any) -> Any:
        return torch.sqrt(sum(tensor(x) ** 2 for x in xs))

    nn = torch.nn.functional
    names = "sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh exp exp2 expm1 log log2"
    names += " log10 log1p sqrt erf erfc lgamma sigmoid relu atan2 maximum minimum"
    return SimpleNamespace(
        **{name: lift(getattr(torch, name)) for name in names.split()},
        cbrt=lift(lambda x: torch.sign(x) * torch.abs(x) ** (1 / 3)),
        gamma=lift(lambda x: torch.exp(torch.lgamma(x))),
        log_sigmoid=lift(nn.logsigmoid),
        softplus=lift(lambda x: nn.softplus(x, threshold=700)),
        silu=lift(nn.silu),
        gelu=lambda x, approximate="none": nn.gelu(tensor(x), approximate=approximate),
        elu=lift(nn.elu),
        leaky_relu=lambda x, slope: nn.leaky_relu(tensor(x), slope),
        clip=lambda x, low, high: torch.clamp(tensor(x), low, high),
        where=lambda c, x, y: torch.where(torch.as_tensor(c), tensor(x), tensor(y)),
        hypot=hypot,
        sum=stacked(torch.sum),
        mean=stacked(torch.mean),
        prod=stacked(torch.prod),
        dot=lambda ws, xs: sum(tensor(w) * tensor(x) for w, x in zip(ws, xs, strict=True)),
        logsumexp=stacked(lambda xs: torch.logsumexp(xs, 0)),
        softmax=stacked(lambda xs: torch.softmax(xs, 0)),
        log_softmax=stacked(lambda xs: torch.log_softmax(xs, 0)),
        mse_loss=lambda xs, ys: (tensor(xs[0]) - tensor(ys[0])) ** 2,
    )


@pytest.mark.torch
def test_gradients_against_torch() -> None:
    torch = pytest.importorskip("torch")
    namespace = torch_namespace(torch)

    @many
    @given(expressions(inputs=2), point, point)
    def check(f: Expression, x: float, y: float) -> None:
        us = Value(x), Value(y)
        with mg.allow_nonfinite():
            (f(*us) + us[0] * 0.0).backward()
        ts = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (x, y)]
        out = f.evaluate(namespace, *ts) + ts[0] * 0.0
        out.backward()
        for u, t in zip(us, ts, strict=True):
            theirs = 0.0 if t.grad is None else t.grad.item()
            if not disputed(f, x, y):
                assert u.grad == pytest.approx(theirs, rel=1e-7, abs=1e-7), f"{f}"

    check()


def disputed(f: Expression, x: float, y: float) -> bool:
    """Whether f has a kink or a steep tangent close by, where conventions differ."""
    report = mg.gradcheck(f, (x, y), raise_exception=False)
    return any(entry.verdict != "ok" for entry in report)
