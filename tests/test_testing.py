"""The strategies: what they draw, and random expressions against differences, mpmath and torch."""

import copy
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
from microgradlib import Value, _hypothesis
from microgradlib.core.backprop import topological_order
from microgradlib.core.table import PRIMITIVES
from microgradlib.testing import (
    CONSTANTS,
    SHAPES,
    TEMPLATES,
    Expression,
    arities,
    expressions,
    floats,
    values,
)

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
        assert len(point) in arities(row)
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
    drawn = set()
    st_floats = st.floats
    monkeypatch.setattr(st, "floats", lambda *xs: drawn.add(xs) or st_floats(*xs))
    find(strategy(), lambda _: True, settings=alone)
    assert drawn == {(low, high)}


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
    assert copy.copy(x).data == x.data  # which a computed Value refuses
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


def test_nothing_is_registered_where_hypothesis_is_not_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "hypothesis")
    _hypothesis.register()
    assert "hypothesis" not in sys.modules


def test_hypothesis_alone_does_not_import_the_library() -> None:
    """The entry point costs nothing, whichever of the two is imported first."""
    imported = "assert (sys.modules.get('microgradlib') is not None) is"
    drawn = "from hypothesis import strategies as st; st.from_type(microgradlib.Value).validate()"
    load = "from _microgradlib_hypothesis import register; register()"  # as Hypothesis does
    for code in (
        f"import sys; {load}; {imported} False; import hypothesis, microgradlib; {drawn}",
        f"import sys, microgradlib; import hypothesis; {load}; {imported} True; {drawn}",
    ):
        subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_core_does_not_import_hypothesis() -> None:
    code = "import sys, microgradlib; assert 'hypothesis' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_expressions_cover_the_table() -> None:
    reached = set()
    for template in TEMPLATES:
        for b in ("x1", "(-1.25)"):
            y = Expression(2, (template.format(a="x0", b=b),))(Value(0.75), Value(0.5))
            reached |= {node._op.name for node in topological_order([y]) if node._op}
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


def test_later_names_are_simpler() -> None:
    drawn: list[Expression] = []
    strategy = expressions(inputs=2, min_steps=3, max_steps=3)
    find(strategy, lambda f: drawn.append(f) or True, settings=alone)
    assert drawn[0].steps == ("x1 + x1", "t0 + t0", "t1 + t1")  # the simplest is drawn first


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


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "free"])
def test_shapes(shape: str) -> None:
    @many(shape)
    @given(graphs(shape))
    def check(graph: Graph) -> None:
        f, _ = graph
        assert 50 <= len(f.steps) <= 201
        # The length of the longest path from the inputs to each name, and the number of paths.
        depth = {f"x{i}": 0 for i in range(f.inputs)}
        paths = dict.fromkeys(depth, 1)
        for i, step in enumerate(f.steps):
            used = re.findall(r"\b[tx]\d+\b", step)
            depth[f"t{i}"] = 1 + max(depth[name] for name in used)
            paths[f"t{i}"] = sum(paths[name] for name in used)
        last = f"t{len(f.steps) - 1}"
        if shape == "deep":
            assert depth[last] == len(f.steps)
        if shape == "shared":
            assert paths[last] >= 2 ** (len(f.steps) / 3)
        if shape == "wide":
            assert depth[last] == 2
            assert used == [f"t{i}" for i in range(len(f.steps) - 1)]

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


def gradient(f: Expression, point: tuple[float, ...]) -> tuple[float, list[float]]:
    xs = list(map(Value, point))
    y = f(*xs)
    with mg.allow_nonfinite():
        y.backward()
    return y.data, [x.grad for x in xs]


@pytest.mark.long
@every_shape
def test_values_and_gradients(shape: str) -> None:
    """Floats give the same bits; differences and mpmath, to the last digits, agree."""
    relative_bounds = []

    @many(shape)
    @given(graphs(shape))
    def check(graph: Graph) -> None:
        f, point = graph
        value, grads = gradient(f, point)
        assert f(*point) == value
        try:
            reference, references = judge(f, point)
        except NearKinkError:
            reject()  # and another one is drawn
        assert reference.admits(value), f"{f}\n{value} instead of {reference}"
        for grad, reference in zip(grads, references, strict=True):
            assert reference.admits(grad), f"{f}\n{grad} instead of {reference}"
            if reference.value:
                relative_bounds.append(float(reference.bound / abs(reference.value)))
        # Where rounding hides a derivative, it is unclear. At kinks that cancel, as in
        # min(x, 2 * abs(x)) at 0, differences might find it wrong: the mean of subgradients is not
        # the derivative there. But the judge has refused these.
        report = mg.gradcheck(f, point, raise_exception=False)
        assert all(entry.verdict != "wrong" for entry in report), f"{f}\n{report}"

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
        leaky_relu=lambda x, negative_slope: nn.leaky_relu(tensor(x), negative_slope),
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
            assert near_kink_or_right(f, point, ours), f"{f}\n{ours}\n{theirs}"

    check()


def near_kink_or_right(f: Expression, point: tuple[float, ...], grads: list[float]) -> bool:
    """Return whether conventions may differ at a point, or a gradient is what mpmath says."""
    try:
        _, references = judge(f, point)
    except NearKinkError:
        return True
    return all(reference.admits(x) for x, reference in zip(grads, references, strict=True))
