"""The strategies: what they draw, and random expressions against differences, mpmath and torch."""

import math
import pickle
import random
import re
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, reject, settings
from hypothesis import strategies as st
from truths.judge import NearKinkError, judge

import microgradlib as mg
from microgradlib import Value
from microgradlib.primitives import PRIMITIVES
from microgradlib.testing import (
    CONSTANTS,
    SHAPES,
    TEMPLATES,
    Expression,
    expressions,
    floats,
    values,
)
from microgradlib.value import topological_order

Graph = tuple[Expression, tuple[float, ...]]
THOUSANDTHS = st.integers(-3000, 3000).map(lambda n: n / 1000)


def graphs(shape: str) -> st.SearchStrategy[Graph]:
    """Return a strategy for an expression of a shape and a point: small ones, or large ones."""
    inputs = {"free": 2, "wide": 3}.get(shape, 1)
    small = shape == "free"
    f = expressions(inputs, 12 if small else 200, min_steps=1 if small else 50, shape=shape)
    # Numbers such as 0 and 1 land on kinks, which large expressions have too many of.
    x = THOUSANDTHS if small else st.integers(0, 2**32).map(anywhere)
    return st.tuples(f, st.tuples(*[x] * inputs))


# Without what earlier runs have stored, and long enough to find what is rare.
alone = settings(database=None, max_examples=20_000)
every_shape = pytest.mark.parametrize("shape", SHAPES)


def anywhere(seed: int) -> float:
    return random.Random(seed).uniform(-3.0, 3.0)


def spy(monkeypatch: pytest.MonkeyPatch, name: str) -> list[tuple[Any, ...]]:
    """Return a list that will hold the arguments of every call of a strategy."""
    calls: list[tuple[Any, ...]] = []
    strategy = getattr(st, name)
    monkeypatch.setattr(st, name, lambda *xs: calls.append(xs) or strategy(*xs))
    return calls


def many(shape: str) -> settings:
    return settings(
        max_examples=1000 if shape == "free" else 50,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


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


@pytest.mark.parametrize("name", [row.name for row in PRIMITIVES.values() if not row.helper])
def test_primitives_evaluate_where_floats_are_drawn(name: str) -> None:
    row = PRIMITIVES[name]

    @given(floats(name))  # health checks included: enough points are left
    def check(point: tuple[float, ...]) -> None:
        row.value_and_partials(*point)

    check()


@pytest.mark.parametrize(
    ("name", "hard"),
    [
        ("divide", lambda p: p[0] == 0.0),
        ("modulo", lambda p: p[1] < 0.0),
        ("gamma", lambda p: p[0] < 0.0),
        ("power_c", lambda p: p[0] < 0.0),
        ("power", lambda p: p[0] == 0.0),
        ("exp", lambda p: p[0] > 700.0),
    ],
)
def test_hard_points_are_still_drawn(name: str, hard: Callable[[Any], bool]) -> None:
    find(floats(name), hard, settings=alone)


def test_drawn_points_shrink() -> None:
    assert find(floats("divide"), lambda p: p[0] > 5.0, settings=alone) == (6.0, 1.0)


@pytest.mark.parametrize(
    ("strategy", "low", "high"),
    [
        (lambda: floats("exp"), -1e3, 1e3),
        (lambda: floats("log"), 0.01, 1e3 - 0.01),
        (lambda: floats("asin"), -0.99, 0.99),
        (lambda: floats("log", magnitude=5.0, margin=0.5), 0.5, 4.5),
        (values, -1e3, 1e3),
    ],
)
def test_ranges(monkeypatch: pytest.MonkeyPatch, strategy: Any, low: float, high: float) -> None:
    drawn = spy(monkeypatch, "floats")
    find(strategy(), lambda _: True, settings=alone)
    assert {*drawn} == {(low, high)}


def test_floats_of_an_unknown_primitive() -> None:
    with pytest.raises(ValueError, match=r"^floats: no primitive 'sine'; choose from add, .*sin,"):
        floats("sine")
    for bad in ({"magnitude": 0.0}, {"magnitude": math.nan}, {"margin": -1.0}):
        with pytest.raises(ValueError, match=r"^floats: needs magnitude > 0 and margin >= 0, got "):
            floats("sin", **bad)  # type: ignore[arg-type]


@given(values())
def test_values_are_leaves(x: Value) -> None:
    assert isinstance(x, Value)
    assert x.requires_grad
    assert not x._op
    assert not x.label
    assert abs(x.data) <= 1e3


@given(values(st.floats(1.0, 2.0), st.sampled_from("ab")))
def test_values_with_chosen_data_and_labels(x: Value) -> None:
    assert 1.0 <= x.data <= 2.0
    assert x.label in ("a", "b")


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


def test_expressions_cover_the_table() -> None:
    reached = set()
    for template in TEMPLATES:
        for b in ("x1", "(-1.25)"):
            y = Expression(2, (template.format(a="x0", b=b),))(Value(0.75), Value(0.5))
            reached |= {node._op.name for node in topological_order(y) if node._op}
    assert reached == {row.name for row in PRIMITIVES.values() if not row.helper}


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_are_defined_and_moderate(template: str) -> None:
    f = Expression(1, (template.format(a="x0", b="1.25"),))
    for point in (-1e3, -40.0, *[n / 50 for n in range(-150, 151)], 40.0, 1e3):
        x = Value(point)
        y = f(x)
        y.backward()
        assert abs(y.data) <= 1e4
        assert abs(x.grad) <= max(1e2, 2.0 * abs(point))


@given(CONSTANTS)
def test_constants_are_readable(constant: str) -> None:
    assert re.fullmatch(r"\d\.\d\d?|\(-\d\.\d\d?\)", constant)
    assert abs(float(constant.strip("()"))) <= 3.0


def test_constants_lie_between_minus_3_and_3() -> None:
    assert repr(CONSTANTS).startswith("integers(min_value=-300, max_value=300).map(")


def test_an_expression_prints_as_the_python_it_is() -> None:
    f = Expression(2, ("mg.sin(x0)", "t0 * x1"))
    assert repr(f) == "def f(x0, x1):\n    t0 = mg.sin(x0)\n    t1 = t0 * x1\n    return t1"
    assert f(0.5, 2.0) == 2.0 * math.sin(0.5)
    assert isinstance(f(Value(0.5), 2.0), Value)
    assert pickle.loads(pickle.dumps(f)) == f


def test_an_error_in_an_expression_says_where_it_is() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        Expression(1, ("x0 / 0.0",))(1.0)
    assert str(caught.traceback[-1].path) == "<expression>"


def test_expressions_shrink() -> None:
    # Usually it is one step; Hypothesis promises no minimum, and so not from every seed.
    f = find(
        expressions(inputs=2),
        lambda f: "mg.exp(" in str(f),
        settings=alone,
        random=random.Random(0),
    )
    assert len(f.steps) <= 4
    assert "mg.exp(" in f.steps[-1]


def test_later_names_are_simpler(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = spy(monkeypatch, "sampled_from")
    find(expressions(inputs=2, min_steps=3, max_steps=3), lambda _: True, settings=alone)
    offered = {tuple(names) for (names,) in drawn if names is not TEMPLATES}
    assert offered == {("x1", "x0"), ("t0", "x1", "x0"), ("t1", "t0", "x1", "x0")}


def test_one_input_and_one_step() -> None:
    f = find(expressions(inputs=1, max_steps=1), lambda _: True, settings=alone)
    assert (f.inputs, len(f.steps)) == (1, 1)


def parse(step: str, shape: str) -> tuple[str, str]:
    """Return what a template was made of: a name, and another, or a constant, or nothing."""
    for template in TEMPLATES:
        if shape in ("deep", "shared"):
            template = f"{{a}} + 0.5 * ({template})"
        pattern = re.escape(template)
        for name, what in (("a", r"[tx]\d+"), ("b", r"[tx]\d+|\d\.\d+|\(-\d\.\d+\)")):
            place = re.escape(f"{{{name}}}")
            pattern = pattern.replace(place, f"(?P<{name}>{what})", 1)
            pattern = pattern.replace(place, f"(?P={name})")
        if found := re.fullmatch(pattern, step):
            return found["a"], found.groupdict().get("b", "")
    raise AssertionError(f"{step} is made of no template")


@every_shape
def test_steps_are_made_of_templates_and_brought_down_before_they_grow(shape: str) -> None:
    @settings(max_examples=40, phases=[Phase.generate])  # a wrong step need not be shrunk
    @given(expressions(inputs=2, min_steps=30, max_steps=40, shape=shape))
    def check(f: Expression) -> None:
        steps = [*f.steps]
        if shape == "wide":
            total = steps.pop()
            assert total == f"mg.sum([{', '.join(f't{i}' for i in range(len(steps)))}])"
        assert f.inputs == 2
        assert 30 <= len(steps) <= 40
        names = ["x0", "x1"]
        growth = dict.fromkeys(names, 0)
        for i, step in enumerate(steps):
            brought_down = re.fullmatch(r"mg\.asinh\((.*\W.*)\)", step)  # more than a name
            a, b = parse(brought_down[1] if brought_down else step, shape)
            near = {"shared": names[-3:], "wide": names[:2]}.get(shape, names)
            assert a in (names[-1:] if shape == "deep" else near)
            assert b in near or b not in names
            height = 1 + max(growth[a], growth.get(b, 0))
            assert bool(brought_down) == (height > 12)
            growth[f"t{i}"] = 0 if brought_down else height
            names.append(f"t{i}")

    check()


@every_shape
def test_shapes(shape: str) -> None:
    @many(shape)
    @given(graphs(shape))
    def check(graph: Graph) -> None:
        f, point = graph
        *order, root = topological_order(f(*map(Value, point)))
        steps = len(f.steps)
        if shape == "deep":
            depth = {}
            for node in order:
                depth[node] = 1 + max((depth.get(x, 0) for x in node._prev), default=0)
            assert max(depth.values()) >= steps
        if shape == "shared":
            assert any(f"t{i}" in f.steps[-1] for i in range(steps - 4, steps - 1))
        if shape == "wide":
            assert len(root._inputs) == steps - 1
        if shape != "free":
            assert 50 <= steps <= 201

    check()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": "round"}, "no shape 'round'; choose from free, deep, shared, wide$"),
        ({"inputs": 0}, "got inputs=0, min_steps=1 and max_steps=12$"),
        ({"min_steps": 0}, "got inputs=2, min_steps=0"),
        ({"min_steps": 13}, "got inputs=2, min_steps=13 and max_steps=12$"),
    ],
)
def test_arguments_of_expressions(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^expressions: .*{message}"):
        expressions(**arguments)


@pytest.mark.long
@every_shape
def test_gradients_against_differences(shape: str) -> None:
    @many(shape)
    @given(graphs(shape))
    def check(graph: Graph) -> None:
        f, point = graph
        report = mg.gradcheck(f, point, raise_exception=False)
        # Rounding can hide a slope (unclear), but no gradient may be wrong, except at kinks that
        # cancel, as in min(x, 2 * abs(x)) at 0: the mean of subgradients is not the slope there.
        if any(entry.verdict == "wrong" for entry in report):
            try:
                judge(f, point)
            except NearKinkError:
                reject()
            raise AssertionError(f"{f}\n{report}")

    check()


@pytest.mark.long
@every_shape
def test_floats_and_values_give_the_same_bits(shape: str) -> None:
    @many(shape)
    @given(graphs(shape))
    def check(graph: Graph) -> None:
        f, point = graph
        assert f(*map(Value, point)).data == f(*point)

    check()


def gradient(f: Expression, point: tuple[float, ...]) -> tuple[float, list[float]]:
    xs = list(map(Value, point))
    y = f(*xs)
    with mg.allow_nonfinite():
        y.backward()
    return y.data, [x.grad for x in xs]


@pytest.mark.long
@every_shape
def test_gradients_against_mpmath(shape: str) -> None:
    """To the last digits that the condition of the expression leaves."""
    relative_bounds = []

    @many(shape)
    @given(graphs(shape))
    def check(graph: Graph) -> None:
        f, point = graph
        try:
            value_truth, truths = judge(f, point)
        except NearKinkError:
            reject()  # and another one is drawn
        value, grads = gradient(f, point)
        assert value_truth.admits(value), f"{f}\n{value} instead of {value_truth}"
        for grad, truth in zip(grads, truths, strict=True):
            assert truth.admits(grad), f"{f}\n{grad} instead of {truth}"
            if truth.value:
                relative_bounds.append(float(truth.bound / abs(truth.value)))

    check()
    relative_bounds.sort()
    print(f"{len(relative_bounds)} derivatives other than 0")
    for share in (0.5, 0.9):
        print(f"{share:.0%} within {relative_bounds[int(share * len(relative_bounds))]:.1e}")
    assert len(relative_bounds) >= (500 if shape == "free" else 25)
    assert relative_bounds[len(relative_bounds) // 2] < 1e-11


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

    def bce(p: Any, t: Any) -> Any:
        return -t * torch.log(p) - (1.0 - t) * torch.log1p(-p)

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
        cross_entropy=lambda xs, i: -torch.log_softmax(torch.stack([*map(tensor, xs)]), 0)[i],
        binary_cross_entropy=lift(bce),
        binary_cross_entropy_with_logits=lift(lambda z, t: nn.softplus(z) - t * z),
        math=SimpleNamespace(
            copysign=lift(torch.copysign),
            fmod=lift(torch.fmod),
            remainder=lift(lambda x, y: x - y * torch.round(x / y).detach()),
        ),
    )


@pytest.mark.torch
@every_shape
def test_gradients_against_torch(shape: str) -> None:
    torch = pytest.importorskip("torch")
    namespace = torch_namespace(torch)

    @many(shape)
    @given(graphs(shape))
    def check(graph: Graph) -> None:
        f, point = graph
        _, ours = gradient(f, point)
        ts = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in point]
        (f.evaluate(namespace, *ts) + ts[0] * 0.0).backward()
        theirs = [0.0 if t.grad is None else t.grad.item() for t in ts]
        if ours != pytest.approx(theirs, rel=1e-7, abs=1e-7):
            assert disputed(f, point), f"{f}\n{ours}\n{theirs}"

    check()


def disputed(f: Expression, point: tuple[float, ...]) -> bool:
    """Whether f has a kink or a steep tangent close by, where conventions differ."""
    report = mg.gradcheck(f, point, raise_exception=False)
    return any(entry.verdict != "ok" for entry in report)
