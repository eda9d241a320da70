"""compile: the same bits as eager evaluation, decided anew at each call, or a clear refusal."""

import ast
import builtins
import enum
import functools
import gc
import inspect
import itertools
import linecache
import math
import operator
import pickle
import random
import re
import struct
import sys
import textwrap
import threading
import traceback
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from truths.points import static

import microgradlib as mg
import microgradlib.math as mgmath
from microgradlib import Value, nn, optim
from microgradlib.core.primitive import Primitive
from microgradlib.core.table import PRIMITIVES
from microgradlib.testing import Expression, arities, expressions

many = settings(max_examples=700, deadline=None, suppress_health_check=list(HealthCheck))
number = st.sampled_from((0.0, 1.0)) | st.integers(-3000, 3000).map(lambda n: n / 1000)
points = st.lists(st.tuples(number, number), min_size=2, max_size=4)


def bits(x: Any) -> Any:
    """Return nested results with the bits of their numbers, to be compared."""
    if isinstance(x, Value):
        return "Value", bits(x.data)
    if isinstance(x, float):
        return "nan" if math.isnan(x) else struct.pack("d", x)
    if isinstance(x, list | tuple):
        return type(x)([bits(y) for y in x])
    return {key: bits(y) for key, y in x.items()} if isinstance(x, dict) else x


def outcome(f: Callable[..., Any], *args: Any) -> Any:
    """Return the bits of a result, or what was raised."""
    try:
        return bits(f(*args))
    except (ArithmeticError, ValueError) as error:
        return type(error), str(error)


def generated(f: Callable[..., Any]) -> str:
    """Return the code of the latest trace of a compiled function, as a debugger shows it."""
    return textwrap.dedent(inspect.getsource(f.__call__))


def lines_of(f: Callable[..., Any], *args: Any) -> list[str]:
    """Return the lines of the source of a function, compiled for these arguments."""
    compiled = mg.compile(f)
    compiled(*args)
    body = compiled.source.rpartition("def ")[2].splitlines()[1:]
    return [line.strip() for line in body]


def written(f: Callable[..., Any], *args: Any) -> list[str]:
    """Return what these lines compute, without its names and the last line, which returns it."""
    return [line.partition(" = ")[2] for line in lines_of(f, *args)[:-1]]


def by_backward(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of floats that gives the value and the gradients by backward()."""

    def g(*xs: float) -> Any:
        leaves = [Value(x) for x in xs]
        y = f(*leaves)
        if isinstance(y, Value) and y.requires_grad:
            y.backward()
        return y, [leaf.grad for leaf in leaves]

    return g


def on_leaves(compiled: bool, f: Callable[..., Any], grad: float | None) -> Callable[..., Any]:
    """Return the same for a function that finds its numbers in leaves outside of it."""
    leaves = [Value(0.0), Value(0.0)]
    y_of = mg.compile(lambda: f(*leaves)) if compiled else lambda: f(*leaves)

    def g(*xs: float) -> Any:
        for leaf, x in zip(leaves, xs, strict=True):
            leaf.data, leaf.grad = x, grad
        y = y_of()
        if isinstance(y, Value) and y.requires_grad:
            y.backward()
        return y, [0.0 if leaf.grad is None else leaf.grad for leaf in leaves]

    return g


def as_function(f: Expression) -> Callable[..., Any]:
    """Return the function, with a branch on its value and an error that is caught."""

    def g(x: Any, y: Any) -> Any:
        try:
            z = f(x, y)
        except ZeroDivisionError:
            return x - y
        return z if z > 0.5 * x else x * z - y

    return g


# Decisions.


def test_a_branch_is_decided_at_each_call() -> None:
    @mg.compile
    def f(x: Any) -> Any:
        return x * 2.0 if x > 0 else -x * 3.0

    assert [f(x) for x in (1.0, -1.0, 2.0, -2.0, 0.0)] == [2.0, 3.0, 4.0, 6.0, 0.0]
    assert f.cache_info() == (2, 2, 128)


@pytest.mark.parametrize(
    "decide",
    [
        lambda x: x < 1.0,
        lambda x: x <= 1.0,
        lambda x: x > 1.0,
        lambda x: x >= 1.0,
        lambda x: x == 1.0,
        lambda x: x != 1.0,
        lambda x: 1.0 < x,  # noqa: SIM300
        lambda x: x == Fraction(1, 2),
        lambda x: bool(x - 1.0),
        lambda x: round(x) == 1,
        lambda x: round(x, 1) == 0.5,
        lambda x: mgmath.copysign(1.0, round(x - 0.55, 1)) > 0.0,
        mgmath.floor,
        mgmath.ceil,
        mgmath.trunc,
        mgmath.isnan,
        mgmath.isinf,
        mgmath.isfinite,
        lambda x: mgmath.isclose(x, 1.0),
    ],
)
def test_every_kind_of_decision(decide: Callable[[Any], Any]) -> None:
    def f(x: Any) -> Any:
        return mg.sin(x) if decide(x) else x * 2.0

    for first in (0.5, 1.0, 1.5, math.nan):
        compiled = mg.compile(f)
        outcome(compiled, first)
        for x in (0.5, 1.0, 1.5, -0.5, math.nan):
            assert outcome(compiled, x) == outcome(f, x)


def test_decisions_on_a_number_that_is_rounded_to_nan_or_zero() -> None:
    def f(x: Any) -> Any:
        y = round(x, 1)  # a plain number
        return x * 2.0 if y != y or math.copysign(1.0, y) > 0.0 else x * 3.0

    compiled = mg.compile(f)
    for x in (0.02, -0.02, math.nan) * 3:
        assert bits(compiled(x)) == bits(f(x))
    assert compiled.cache_info().made == 3


def test_comparisons_with_numpy_scalars() -> None:
    half = pytest.importorskip("numpy").float64(0.5)
    f = mg.compile(lambda x: x * 2.0 if x > half else -x)
    assert [f(x) for x in (1.0, 2.0, 0.5, 0.0, 3.0)] == [2.0, 4.0, -0.5, 0.0, 6.0]
    assert f.cache_info().made == 2


def test_decisions_on_captured_values() -> None:
    w = Value(1.0)
    f = mg.compile(lambda x: x * w if w > 0 else x - w)
    assert f(3.0) == Value(3.0)
    w.data = -1.0
    assert f(3.0) == Value(4.0)


def test_a_branch_that_fails_elsewhere() -> None:
    f = mg.compile(lambda x: mg.log(x) if x > 0 else x)
    assert [f(1.0), f(-1.0), f(1.0), f(-2.0)] == [0.0, -1.0, 0.0, -2.0]
    assert f.cache_info().made == 2


def test_the_number_of_traces_is_bounded() -> None:
    f = mg.compile(lambda x: x + mgmath.floor(x), maxsize=3)
    for i in range(8):
        assert f(i + 0.5) == 2 * i + 0.5
    assert f.cache_info() == (8, 3, 3)
    assert f(7.5) == 14.5
    assert f.cache_info().made == 8
    f.clear_cache()
    assert f.cache_info() == (0, 0, 3)


def test_the_bound_holds_for_all_ways_to_call() -> None:
    f = mg.compile(lambda x, y=1.0: x * y, maxsize=1)
    for _ in range(2):
        assert (f(2.0), f(2.0, y=4.0), f(2.0, 3.0)) == (2.0, 8.0, 6.0)
    assert f.cache_info() == (6, 1, 1)


def test_keywords_in_any_order() -> None:
    f = mg.compile(lambda x, y, z: x + 10.0 * y + 100.0 * z)
    for _ in range(2):
        assert f(1.0, z=3.0, y=2.0) == f(1.0, 2.0, 3.0) == f(1.0, y=2.0, z=3.0) == 321.0
    assert f.cache_info().made == 3
    g = mg.compile(lambda x, *, y: x * y)
    assert g(2.0, y=3.0) == 6.0
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        g(2.0, 3.0)


# Arguments.


def test_structures() -> None:
    def total(xs: Any, scale: str = "mean") -> Any:
        return mg.sum(xs) / len(xs) if scale == "mean" else mg.sum(xs)

    f = mg.compile(total)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        (([1.0, 2.0],), {}),
        (([1.0, 2.0, 3.0],), {}),
        (((1.0, 2.0),), {}),
        (([1, 2],), {}),
        (([1.0, 2.0], "sum"), {}),
        (([1.0, 2.0],), {"scale": "sum"}),
        (([1.0, 2.0],), {"scale": "mean"}),
    ]
    for _ in range(2):
        for args, kwargs in calls:
            assert bits(f(*args, **kwargs)) == bits(total(*args, **kwargs))
    assert f.cache_info().made == 6  # the whole numbers fit the first


def test_ints_count_as_floats() -> None:
    f = mg.compile(lambda x, y: x * y * y)
    assert f(3.0, 2.0) == 12.0
    assert type(f(3, 2)) is type(f(3.0, 2)) is type(f(3, 2.0)) is float
    twice = mg.compile(lambda x: x * 2)
    assert [repr(twice(x)) for x in (1.5, 3, "3", True)] == ["3.0", "6.0", "'33'", "2"]


def test_ints_are_still_ints_where_another_trace_is_needed() -> None:
    def f(i: Any, xs: Any, j: Any) -> Any:
        return mg.select(xs, i) * (mg.select(xs, j) if xs[0] > 0.0 else 1.0)

    compiled = mg.compile(f)
    for x in (1.0, -1.0, 1.0):
        assert compiled(1, [x, 2.0], 0) == f(1, [x, 2.0], 0)
    assert compiled.cache_info().made == 2


@pytest.mark.parametrize("count", [7, 8, 20])
def test_many_numbers_as_arguments(count: int) -> None:
    f = mg.compile(lambda *xs: mg.sum([x * x for x in xs]))
    xs = [float(i) for i in range(count)]
    assert f(*xs) == f(*range(count)) == f(*xs[:-1], count - 1) == sum(x * x for x in xs)
    assert f.cache_info().made == 1
    assert (" is type(arg1) is " in generated(f)) is (count <= 7)
    assert (")] == c0)" in generated(f)) is (count > 7)
    for position in (0, count - 1):
        wrong: list[Any] = [*xs]
        wrong[position] = Fraction(1, 2)
        with pytest.raises(TypeError, match="Fraction"):
            f(*wrong)


def test_parameters_with_the_names_of_the_source() -> None:
    f = mg.compile(lambda given, missing, named, others, otherwise, trace: given / missing - trace)
    for _ in range(2):
        assert f(1, 2.0, 3.0, 4.0, 5.0, 6) == -5.5
    assert f(1.0, 2.0, 3.0, 4.0, trace=6.0, otherwise=5.0) == -5.5


def test_indices_that_differ_from_call_to_call() -> None:
    def f(logits: Any, i: Any, targets: Any) -> Any:
        return mg.select(logits, i) ** 2 + mg.cross_entropy([logits, logits[::-1]], targets)

    eager = mg.value_and_grad(f)
    compiled = mg.compile(eager)
    for i in range(3):
        for target in range(3):
            args = ([0.5, -1.0, 2.0], i, [target, 2 - i])
            assert bits(compiled(*args)) == bits(eager(*args))
    assert compiled.cache_info().made == 1
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^select: index must lie in \[0, 3\), got 3$"):
            compiled([0.5, -1.0, 2.0], 3, [0, 0])


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 3


class Color(enum.Enum):
    RED = "red"


class Count(int):
    pass


def test_a_whole_number_of_another_class() -> None:
    result = mg.compile(lambda x: (Count(3), x))(1.0)
    assert (result, type(result[0])) == ((3, 1.0), Count)


def keyed(key: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        return {key(x): x}

    return f


def test_members_of_an_enum() -> None:
    def f(x: Any, size: Any) -> Any:
        return {
            Color.RED: x * size if size is Size.LARGE else -x,
            math.sin: (size, size.name),
            1.5: x,
            ("a", (1, 2.5)): x,
            None: 1,
        }

    compiled = mg.compile(f)
    for x, size in ((2.0, Size.SMALL), (3.0, Size.LARGE), (5.0, Size.SMALL), (7.0, Size.LARGE)):
        assert compiled(x, size) == f(x, size)
    assert compiled.cache_info().made == 2
    w = Value(1.0)
    keys: list[Callable[[Any], Any]] = [lambda _: w, lambda x: (x, 1), lambda x: frozenset([x])]
    for key in keys:
        with pytest.raises(mg.CompileError, match=r"^compile: f returned .* tuples of them$"):
            mg.compile(keyed(key))(1.0)


@pytest.mark.parametrize(
    ("f", "arguments"),
    [
        (mg.clip, [(1.0, 0.0, 2.0), (3.0, 0.0, 2.0), (3.0, 4.0, 2.0), (-1.0, 0.0, 1.0)]),
        (mg.elu, [(-1.0, 0.5), (1.0, 2.0), (-1.0, 0.0)]),
        (mg.leaky_relu, [(-1.0, 0.5), (1.0, 2.0), (0.0, -3.0)]),
        (lambda xs, i: mg.select(xs, i), [([1.0, 2.0], 1), ([1.0, 2.0], 0)]),
        (mg.cross_entropy, [([1.0, 2.0], 1), ([1.0, 2.0], 0)]),
        (mgmath.copysign, [(1.0, -2.0), (3.0, 2.0), (-1.0, 0.0)]),
    ],
)
def test_numbers_as_parameters(f: Callable[..., Any], arguments: list[Any]) -> None:
    for eager in (f, mg.value_and_grad(f), mg.value_and_grad(lambda *xs: mg.tanh(f(*xs)))):
        compiled = mg.compile(eager)
        for xs in arguments:
            assert outcome(compiled, *xs) == outcome(eager, *xs)
    v = Value(2.0)
    for refused in (lambda: mg.elu(1.0, v), lambda: mg.compile(lambda: mg.elu(1.0, v))()):  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"^elu: alpha must be a plain number, got Value"):
            refused()


def test_functions_without_a_signature_and_empty_arguments() -> None:
    assert mg.compile(min)(2.0, 1.0) == 1.0
    assert mg.compile(lambda xs, x: (len(xs), xs, x * 2.0))([], 3.0) == (0, [], 6.0)


@pytest.mark.parametrize("kind", [list, tuple])
def test_another_length_is_another_trace(kind: type) -> None:
    doubled = mg.compile(lambda xs: (len(xs), [x * 2.0 for x in xs]))
    for n in (0, 2, 1, 0, 3, 2, 1):
        xs = kind([1.0, 2.0, 3.0][:n])
        assert doubled(xs) == (n, [2.0, 4.0, 6.0][:n])
    assert doubled.cache_info().made == 4


def test_dicts_and_nested_results() -> None:
    def f(p: Any) -> Any:
        return {"y": (p["a"] * p["b"][0], [p["a"]]), "text": "ok", "none": None, "one": (1.0,)}

    compiled = mg.compile(f)
    for p in ({"a": 2.0, "b": [3.0]}, {"a": 4.0, "b": [5.0]}, {"b": [5.0], "a": 4.0}):
        assert compiled(p) == f(p)
    assert compiled.cache_info().made == 2
    first = mg.compile(lambda p: next(iter(p.values())) * 2.0)
    for key in (1, (1, 2), object()):
        for p in ({"a": 1.0, key: 2.0}, {key: 3.0, "a": 4.0}):
            assert first(p) == first(p) == next(iter(p.values())) * 2.0
    assert first.cache_info().made == 6


@dataclass
class Pair:
    x: Any
    y: Any


def test_a_result_in_a_dataclass() -> None:
    f = mg.compile(lambda x: Pair(x, [x * 2.0]))
    assert (f(1.0), f(2.0)) == (Pair(1.0, [2.0]), Pair(2.0, [4.0]))
    f = mg.compile(lambda x: Pair(x, ["2"]))
    assert (f(1.0), f(2.0)) == (Pair(1.0, ["2"]), Pair(2.0, ["2"]))


def test_a_result_in_the_structure_of_a_module() -> None:
    model = nn.MLP(2, [2, 1])
    f = mg.value_and_grad(lambda m, x: mg.mse_loss(m(x), [1.0]))
    compiled = mg.compile(f)
    for x in ([0.0, 1.0], [1.0, 0.5]):
        (value, gradient), (expected, slopes) = compiled(model, x), f(model, x)
        assert value == expected
        assert gradient.state_dict() == slopes.state_dict()
    assert compiled.cache_info().made == 1
    model.fc1.bias[0].data = 5.0
    assert compiled(model, [1.0, 0.5])[0] == f(model, [1.0, 0.5])[0]


def test_values_as_arguments() -> None:
    f = mg.compile(lambda x, y: x**y)
    for x, y in ((2.0, Value(3.0)), (Value(2.0), 3.0), (Value(2.0), Value(3.0))):
        z = f(x, y)
        assert isinstance(z, Value)
        assert z.data == 8.0
        z.backward()
    assert f(2.0, 3.0) == 8.0
    assert f.cache_info().made == 4
    f(x := Value(2.0), (x * x) ** 0.5).backward()  # whatever the arguments were computed from
    assert x.grad == 4.0 * (1.0 + math.log(2.0))
    constant = f(Value(2.0).detach(), 3.0)
    assert isinstance(constant, Value)
    assert not constant.requires_grad


def test_names_do_not_collide() -> None:
    def exp(t: Any, exp: Any, node: Any, c0: Any, lambda_: Any) -> Any:
        return mg.exp(t[0]) + t[1] * exp * node + mg.exp(t[0] * t[1]) * c0 * lambda_

    args = ([0.5, 2.0], 3.0, 4.0, 5.0, 6.0)
    assert mg.compile(exp)(*args) == exp(*args)
    w, v = Value(2.0, label="exp"), Value(3.0, label="x0")
    f = mg.compile(lambda x: w * x[0] + v * mg.exp(x[0]))
    assert f([1.0]).data == 2.0 + 3.0 * math.e
    w = Value(2.0, label="lambda")
    f = mg.compile(lambda float, list, *type: float * list[0] * w * type[0] * type[1])  # noqa: A006
    assert f(3.0, [5.0], 7.0, 11.0).data == 2310.0
    assert f.source.startswith("def f(float_, list_0, arg2, arg3, lambda_):\n")


WHOLE = """\
def loss(p=missing, x=missing, y=missing, flag=missing, /, *others, **named):
    given = ()
    try:
        if others or named: raise RetraceError
        current = interpreter()
        if current is not None and differs(current, True): raise RetraceError
        if p.__class__ is not dict: raise RetraceError
        if list(p) != c0 or [*map(type, p)] != c1: raise RetraceError
        p_a = p['a']
        if p['b'].__class__ is not list: raise RetraceError
        p_b0, = p['b']
        if not isinstance(p_b0, Value): raise RetraceError
        if not p_b0._requires_grad: raise RetraceError
        p_b0_ = p_b0._data
        if not (type(p_a) is float): p_a, = floats(p_a)
        if x.__class__ is not tuple: raise RetraceError
        x0, x1, = x
        if not (type(x0) is type(x1) is float): x0, x1, = floats(x0, x1)
        if type(flag) is not c3 or flag != c2: raise RetraceError
        if not (type(y) is float): given = given or (p, x, y, flag); y, = floats(y)
        if len({id(p['b']), id(p), id(x)}) != 3: raise RetraceError
        w = w_leaf._data
        p1 = p1_leaf._data
        p2 = p2_leaf._data
        p3 = p3_leaf._data
        if not (w_leaf._requires_grad and p1_leaf._requires_grad): raise RetraceError
        if p2_leaf._requires_grad or p3_leaf._requires_grad: raise RetraceError
        if not x0 > 0: raise DecisionError
        t1 = exp(p_b0_)
        d1 = t1 * w
        t2 = p_a * x0 + d1 * p1
        t3 = x1 + 0.5
        if not floor(t3) == 2: raise DecisionError
        t4 = p1 if p1 >= y or p1 != p1 else y
        t5 = t2 * p2 + p3
        d2 = p1 * t1
        d3 = p1 * w * t1
        d4 = p2 * p1
        d5 = p2 * d1
        d6 = d4 * t1
        d7 = d4 * w * t1
        t6 = 1.0 if p1 > y else 0.0 if p1 <= y else nan
        d8 = 1.0 * t6 if t6 != 0.0 else 0.0
        if not isfinite(d3 + d2 + d7 + d6 + d5 + d8): raise UnfiniteError
        return {'z': ((node if current is None else located_node)(operation, (p_b0, w_leaf, \
p1_leaf), t2, (d3, d2, d1)), [(node if current is None else located_node)(operation, (p_b0, \
w_leaf, p1_leaf), t5, (d7, d6, d5))]), 'y': ((node if current is None else \
located_node)(operation, c9, t4, (d8,)),), 'n': [None, True, 1.0]}
    except Exception:
        if otherwise is None: raise
    return otherwise(given or (p, x, y, flag, *others), named)
"""


def test_the_whole_of_what_is_written() -> None:
    w, v = Value(2.0, label="w"), Value(3.0)
    b, c = Value(-5.0).detach(), Value(0.0).detach()

    def loss(p: Any, x: Any, y: Any, flag: bool) -> Any:
        z = p["a"] * x[0] + mg.exp(p["b"][0]) * w * v
        y = mg.maximum(y, v) if x[0] > 0 and mgmath.floor(x[1] + 0.5) == 2 else y
        return {"z": (z, [z * b + c]), "y": (y,), "n": [None, flag, 1.0]}

    compiled = mg.compile(loss)
    compiled({"a": 1.0, "b": [Value(2.0)]}, (3.0, 1.5), 2.0, True)
    assert generated(compiled) == WHOLE


# Captured Values.


def test_captured_values_are_read_at_each_call() -> None:
    w, c = Value(2.0, label="w"), Value(5.0).detach()
    f = mg.compile(lambda x: w * x + c * c)
    assert f(3.0).data == 31.0
    w.data, c.data = 4.0, 1.0
    y = f(3.0)
    assert y.data == 13.0
    y.backward()
    assert w.grad == 3.0
    assert f.cache_info().made == 1


def test_captured_values_that_are_not_needed_are_not_read() -> None:
    used, unused = Value(2.0, "used"), Value(3.0, "unused")
    f = mg.compile(lambda x: (x * unused, x + used)[1])
    assert f(1.0).data == 3.0
    unused.requires_grad = False
    assert f(1.0).data == 3.0
    assert f.cache_info().made == 1
    assert f.source == "def f(x, used):\n    t1 = x + used\n    return (t1, (1.0,))\n"


def test_computations_among_captured_values_are_repeated() -> None:
    ws = [Value(1.0), Value(2.0)]
    f = mg.compile(lambda: mg.sum([w * w for w in ws]))
    assert f().data == 5.0
    ws[0].data = 3.0
    y = f()
    assert y.data == 13.0
    y.backward()
    assert [w.grad for w in ws] == [6.0, 4.0]
    w = Value(2.0)
    f = mg.compile(lambda: (w + 1.0) * w)
    for w.data in (2.0, 0.5):  # whichever of the two results is larger
        assert f().data == (w.data + 1.0) * w.data
    assert f.cache_info().made == 1


def test_what_was_computed_before_keeps_its_gradient() -> None:
    w = Value(3.0)
    scale = w * w
    f = mg.compile(lambda x: scale * x)
    y = f(2.0)
    y.backward()
    assert (y.data, scale.grad, w.grad) == (18.0, 2.0, 12.0)


def test_values_made_by_the_function_are_constants() -> None:
    f = mg.compile(lambda x: Value(2.0) * x)
    assert [f(3.0).data, f(4.0).data] == [6.0, 8.0]


def test_a_function_of_captured_values_alone() -> None:
    w, v = Value(3.0), Value(5.0)
    square = w * w
    f = mg.compile(lambda: square * v * 2.0)
    y = f()
    y.backward()
    assert (y.data, square.grad, w.grad, v.grad) == (90.0, 10.0, 60.0, 18.0)
    w.grad = 0.0
    mg.compile(lambda: square * w)().backward()
    assert w.grad == 27.0
    with mg.no_grad():
        assert f().data == 90.0
    g = mg.compile(lambda x: w * v * x)
    with mg.no_grad():
        assert g(2.0).data == 30.0
    w.data = 4.0
    with mg.no_grad():
        assert g(2.0).data == 40.0


@pytest.mark.parametrize("yes", [True, 1])
@pytest.mark.parametrize("no", [False, None, 0])
def test_flags_of_other_kinds(yes: Any, no: Any) -> None:
    w, x = Value(2.0), Value(3.0)
    f = mg.compile(lambda x: w * x)
    for w.requires_grad, x.requires_grad in ((yes, no), (no, yes), (yes, yes), (no, no)) * 2:
        w.grad = x.grad = 0.0
        y = f(x)
        if y.requires_grad:
            y.backward()
        assert (w.grad, x.grad) == (3.0 * bool(w.requires_grad), 2.0 * bool(x.requires_grad))
    assert f.cache_info().made == 4


def test_what_is_frozen_after_the_forward_pass_keeps_its_gradient() -> None:
    a, b = Value(2.0), Value(3.0)
    y = mg.compile(lambda: a * b)()
    a.requires_grad = False
    y.backward()
    assert (a.grad, b.grad, y.grad) == (0.0, 2.0, 1.0)


def test_results_on_captured_leaves_are_refused_as_others_are() -> None:
    w = Value(1e300)
    scaled = mg.compile(lambda: w * 1e10)
    with pytest.raises(mg.NonFiniteError, match="is inf"):
        scaled().backward()
    with mg.allow_nonfinite():
        scaled().backward()
    assert w.grad == 1e10
    w.data = 1.0
    with pytest.raises(mg.GradientError, match="has first derivatives only"):
        scaled().backward(create_graph=True)
    assert w.grad == 1e10


def test_freezing_is_noticed() -> None:
    w, v = Value(2.0), Value(3.0)
    f = mg.compile(lambda x: w**v * x)
    for frozen in (False, True, False):
        v.requires_grad = not frozen
        w.grad = v.grad = 0.0
        f(1.0).backward()
        assert w.grad == 12.0
        assert v.grad == (0.0 if frozen else 8.0 * math.log(2.0))
    assert f.cache_info().made == 2


def test_no_grad_and_detach() -> None:
    w = Value(2.0)
    f = mg.compile(lambda x: w * x + w.detach() * 10.0)
    f(3.0).backward()
    assert w.grad == 3.0
    with mg.no_grad():
        assert not f(3.0).requires_grad
    w.data = 1.0
    assert f(3.0).data == 13.0
    flags = mg.compile(
        lambda x: [x.requires_grad, (x * x.detach()).requires_grad, x.detach().requires_grad]
    )
    assert flags(w) == [True, True, False]


# Derivatives.


def test_derivatives_of_compiled_and_compiled_derivatives() -> None:
    def f(x: Any) -> Any:
        return mg.sin(x) ** 2 * x

    compiled = mg.compile(f)
    assert mg.grad(compiled)(2.0) == mg.grad(f)(2.0)
    assert mg.compile(mg.grad(mg.grad(f)))(2.0) == mg.grad(mg.grad(f))(2.0)
    assert mg.compile(mg.grad(compiled))(2.0) == mg.grad(f)(2.0)
    inner = mg.compile(lambda x, y=1.0: x * x * y)
    assert inner(Value(2.0)).data == 4.0
    assert mg.compile(lambda x: inner(x) + inner(x, y=2.0))(Value(3.0)).data == 27.0
    with pytest.raises(mg.GradientError, match=r"<lambda> is compiled .*compile\(grad\("):
        mg.grad(mg.grad(mg.compile(lambda x: f(x))))(2.0)


def test_jacobians_and_directional_derivatives() -> None:
    def f(x: Any) -> Any:
        return [x[0] * mg.exp(x[1]), mg.relu(x[0]), x[1] / x[0], x[1] * -0.0, 7.0]

    for transform in (
        mg.jacobian(f),
        lambda x: mg.jvp(f, (x,), ([1.0, -2.0],)),
        lambda x: mg.jvp(f, (x,), ([-1.0, 2.0],)),
        lambda x: mg.vjp(f, x)[1]([1.0, 2.0, 3.0, 4.0, 5.0]),
        lambda x: mg.hvp(lambda z: mg.sum(f(z)), (x,), ([1.0, -2.0],)),
    ):
        compiled = mg.compile(transform)
        for x in ([0.5, 1.0], [-0.5, 2.0]):
            assert bits(compiled(x)) == bits(transform(x))


def test_derivatives_in_numbers_beside_values_are_values() -> None:
    f = mg.value_and_grad(lambda x, y: x * x * y if y > 0 else x * x, (0, 1))
    compiled = mg.compile(f)
    for y in (3.0, 4.0, -1.0):
        assert bits(compiled(2.0, Value(y))) == bits(f(2.0, Value(y)))


def test_no_gradient_flows_into_a_derivative_taken_under_no_grad() -> None:
    def f(x: Any) -> Any:
        inner: list[Any] = []
        with mg.no_grad():
            mg.grad(lambda z: inner.append(z) or z)(x)
        return inner[0] * x

    for g in (f, mg.compile(f)):
        x = Value(3.0)
        g(x).backward()
        assert x.grad == 3.0


def test_nothing_flows_through_the_slope_of_what_was_not_selected() -> None:
    def f(x: Any, w: Any) -> Any:
        return mg.sqrt(mg.grad(lambda x: mg.relu(x) * w)(x)) + w  # sqrt has an infinite slope at 0

    for g in (f, mg.compile(f)):
        x, w = Value(-1.0), Value(2.0)
        y = g(x, w)
        y.backward()
        assert (y.data, x.grad, w.grad) == (2.0, 0.0, 1.0)


def test_a_nonfinite_constant_is_refused_as_in_eager_evaluation() -> None:
    f = mg.compile(mg.value_and_grad(lambda x: Value(math.inf)))
    with mg.allow_nonfinite():
        assert f(1.0) == (math.inf, 0.0)
    for _ in range(2):
        with pytest.raises(mg.NonFiniteError):
            f(1.0)


def test_nonfinite_results_are_refused_as_in_eager_evaluation() -> None:
    f = mg.compile(mg.value_and_grad(mg.sqrt))
    for _ in range(2):
        with pytest.raises(mg.NonFiniteError, match="the derivative of sqrt"):
            f(0.0)
        assert f(4.0) == (2.0, 0.25)
    with mg.allow_nonfinite():
        assert f(0.0) == (0.0, math.inf)
    assert f.cache_info().made <= 2
    slope = mg.compile(lambda x: mg.grad(mg.sqrt)(x))
    for _ in range(2):
        with pytest.raises(mg.NonFiniteError, match="the derivative of sqrt"):
            slope(x=0.0)
        assert slope(x=4.0) == 0.25


@pytest.mark.parametrize(
    ("f", "added"),
    [
        (lambda a, b: a * b, "t1"),
        (lambda a, b: a - b * 2.0, "t1"),
        (lambda a, b: a * a * b, "t2 + t4"),  # and not t5 = a * a, of which t2 is a product
        (lambda a, b: a / b, "t1 + t2 + t3"),
        (lambda a, b: mg.sin(a) * mg.cos(b), "t3 + t4 + t5"),
    ],
)
def test_numbers_are_finite_if_sums_and_products_of_them_are(
    f: Callable[..., Any], added: str
) -> None:
    eager = mg.value_and_grad(f, (0, 1))
    compiled = mg.compile(eager)
    compiled(0.5, 2.0)
    assert f"if not isfinite({added}): raise" in generated(compiled)
    for args in itertools.product(HARD, HARD):
        assert outcome(compiled, *args) == outcome(eager, *args)


@pytest.mark.parametrize("x", [math.inf, -math.inf, math.nan, 1e200, 0.0])
def test_each_result_that_is_not_finite_is_refused(x: float) -> None:
    f = mg.value_and_grad(lambda x, y: x * x * y + x, argnums=(0, 1))
    compiled = mg.compile(f)
    assert compiled(2.0, 3.0) == f(2.0, 3.0)
    for args in ((x, 1.0), (x, 0.0), (1.0, x)):
        assert outcome(compiled, *args) == outcome(f, *args)


def test_finite_results_whose_sum_is_not() -> None:
    f = mg.grad(lambda x, y, w: mg.sin(x) * w + mg.sin(y) * w, argnums=(0, 1))
    by_keywords, by_position = mg.compile(f), mg.compile(f)
    for _ in range(2):
        assert by_keywords(0.0, 0.0, w=1.5e308) == (1.5e308, 1.5e308)
        assert by_position(0.0, 0.0, 1.5e308) == (1.5e308, 1.5e308)


def test_a_nonfinite_result_of_a_lambda_is_named() -> None:
    y = mg.compile(lambda a: mg.sqrt(a))(Value(0.0, label="a"))
    with pytest.raises(mg.NonFiniteError, match=r"derivative of <lambda>\(a\) with respect to a"):
        y.backward()


def test_the_line_of_a_nonfinite_result_is_that_of_the_call() -> None:
    f = mg.compile(lambda a: mg.sqrt(a))
    with mg.detect_anomaly():
        y = f(Value(0.0))
    with pytest.raises(mg.NonFiniteError, match=re.escape(__file__)):
        y.backward()


def test_errors_are_those_of_eager_evaluation() -> None:
    f = mg.compile(mg.log)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^log\(-1.0\): not defined there; it needs x > 0$"):
            f(-1.0)
        assert f(1.0) == 0.0
        with pytest.raises(ValueError, match=r"^log\(-1.0\): not defined"):
            mg.compile(lambda x: mg.log(x))(x=-1.0)
        with pytest.raises(TypeError, match="2") as caught:
            f("2")
        assert caught.value.__context__ is None  # nothing of what was tried before
    with pytest.raises(TypeError, match=r"^maximum: expected a number or a Value, got '2'; "):
        mg.compile(lambda x: mg.maximum(x, "2"))(1.0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: mg.maximum(mg.sqrt(x * x), 1e-3),
        lambda x: mg.relu(mg.sqrt(x) - 1.0) + x,
        lambda x: mg.clip(mg.sqrt(x), 1.0, 2.0) + x,
        lambda x: mg.where(x > 1.0, mg.sqrt(x), x),
        lambda x: mg.select([mg.sqrt(x), x], mgmath.floor(x) + 1),
    ],
)
def test_infinite_slopes_below_what_was_not_selected(f: Callable[..., Any]) -> None:
    compiled = mg.compile(f)
    for x in (0.25, 0.0, 0.5):
        assert outcome(by_backward(compiled), x) == outcome(by_backward(f), x)
    assert compiled.cache_info().made == 1


def test_infinite_results_beside_what_was_selected() -> None:
    w = Value(2.0)
    f = mg.compile(lambda x: mg.relu(w) + mg.grad(mg.sqrt)(x))
    assert f(0.25).data == 3.0
    with pytest.raises(mg.NonFiniteError, match=r"^grad: the derivative of sqrt"):
        f(0.0)


@pytest.mark.parametrize("inside_first", [False, True])
def test_second_results_of_derivatives_inside_of_others(inside_first: bool) -> None:
    eager = mg.value_and_grad(lambda x: (x * x, x * 2.0), has_aux=True)
    compiled = mg.compile(eager)
    seen: list[Any] = []

    def inside(f: Callable[..., Any]) -> Any:
        mg.grad(lambda v: (seen.append(bits(f(3.0))), v)[1])(1.0)
        return seen.pop()

    def outside(f: Callable[..., Any]) -> Any:
        return bits(f(3.0))

    ways = [inside, outside] if inside_first else [outside, inside]
    for way in ways * 2:
        assert way(compiled) == way(eager)


@pytest.mark.parametrize("inside_first", [False, True])
def test_derivatives_inside_of_others(inside_first: bool) -> None:
    w, v = Value(2.0), Value(1.0)
    slope = mg.compile(mg.grad(lambda x: w * x * x))

    def inside() -> Any:
        return mg.grad(lambda v: v * slope(3.0))(v)

    results = [f() for f in ([inside] * 2 if inside_first else [])]
    assert slope(3.0) == 12.0
    assert isinstance(slope(3.0), Value)
    results.append(inside())
    for result in results:
        w.grad = 0.0
        result.backward()
        assert (result.data, w.grad) == (12.0, 6.0)
    assert slope.cache_info().made == 2


@mg.primitive(lambda y, x: (mg.cos(x),))
def sine(x: float) -> float:
    return math.sin(x)


def test_primitives_of_ones_own() -> None:
    f = mg.value_and_grad(mg.grad(lambda x: sine(x) * x))
    assert bits(mg.compile(f)(0.5)) == bits(f(0.5))


@mg.primitive(lambda z, x, y: (3 * x**2 if x > 1.0 else math.exp(y), abs(z) % 2.0), order=1)
def crooked(x: float, y: float) -> float:
    return x**3 + y


def test_rules_of_ones_own_do_what_they_like() -> None:
    w = Value(0.5, label="w")
    compiled = mg.compile(lambda x: crooked(x, w * 2.0) * w)
    for x, slope in [(2.0, 0.5 * 12.0), (0.5, 0.5 * math.exp(1.0)), (3.0, 0.5 * 27.0)]:
        v, w.grad = Value(x), 0.0
        compiled(v).backward()
        gradient = w.grad
        u, w.grad = Value(x), 0.0
        (crooked(u, w * 2.0) * w).backward()
        assert (v.grad, gradient) == (u.grad, w.grad) == (slope, w.grad)
    assert compiled.cache_info().made == 1
    header = "# crooked: of a primitive of your own\n# crooked_partials: of a primitive of your own"
    assert compiled.source.startswith(header + "\n\n\ndef f(x_, w):\n")
    assert compiled.source.count("crooked_partials(") == 1


def test_primitives_of_ones_own_with_a_name_that_is_taken() -> None:
    @mg.primitive(lambda y, x: (mg.cos(x),))
    def exp(x: float) -> float:
        return math.sin(x)

    def f(x: Any) -> Any:
        return exp(x) * mg.exp(x) + exp(x + 1.0)

    compiled = mg.compile(f)
    assert compiled(0.5) == f(0.5)
    assert "t1 = exp_(x) * exp(x) + exp_(x + 1.0)" in compiled.source


# What cannot be compiled.


FROZEN_DATA = (
    ".data of a traced Value would be frozen at its first number; compute with the Value, or "
    "return it and read .data outside"
)
FROZEN_FLOAT = (
    "float() of a traced Value would be frozen at its first number; compute with the Value, and "
    "take functions from microgradlib.math instead of math"
)
COUNTED = (
    "a traced number counts or indexes nothing: it would be frozen; use mg.select(values, i), or "
    "mg.scan(..., stop=n) for a loop"
)
FLOORED = "// is not recorded; use microgradlib.math.floor(x / y), which is checked"
GRAD = (
    ".grad of a traced Value is not known; pass gradients as arguments of their own, or read them "
    "outside"
)


def frozen(call: str) -> str:
    return (
        f"{call} in a function that is compiled would run only while it is traced; compute it "
        "outside and pass it as an argument"
    )


def assigned(name: str) -> str:
    return (
        f"assigning .{name} in a function that is compiled would run only while it is traced; "
        "return what is to be assigned, and assign it outside"
    )


def value(x: Any) -> Any:
    """Return a Value of the trace."""
    return x * Value(1.0)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: Value(value(x).data), FROZEN_DATA),
        (lambda x: Value((value(x) * 2.0).data), FROZEN_DATA),
        (lambda x: setattr(value(x), "data", 1.0), assigned("data")),
        (lambda x: float(x), FROZEN_FLOAT),
        (lambda x: int(x), FROZEN_FLOAT),
        (lambda x: complex(x), FROZEN_FLOAT),
        (lambda x: math.sin(x), FROZEN_FLOAT),
        (lambda n: [1.0] * n, COUNTED),
        (lambda n: [1.0, 2.0][n], COUNTED),
        (lambda n: round(2.5, n), COUNTED),
        (lambda n: round(1.5 * n, n), COUNTED),
        (lambda x: mgmath.frexp(x), frozen("frexp()")),
        (lambda x: mgmath.ldexp(x, x), frozen("ldexp()")),
        (lambda x: value(x).grad, GRAD),
        (lambda x: setattr(value(x), "grad", 1.0), assigned("grad")),
        (lambda n: n // 2, FLOORED),
        (lambda n: 2 // n, FLOORED),
        (
            lambda x: x.__reduce__(),
            "a copy of a traced Value would be frozen at its first number; use it as is",
        ),
        (
            lambda x: (value(x) * x).backward(),
            (
                "backward() in a function that is compiled would run only while it is traced; "
                "compile value_and_grad(f), or call backward() on the result"
            ),
        ),
    ],
)
def test_refusals_name_the_remedy(f: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(mg.CompileError) as caught:
        mg.compile(f)(1.0)
    assert str(caught.value) == f"compile: {message}"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: mg.compile(3),
            TypeError,
            "compile: f must be a function, got 3; pass f itself, not its result",
        ),
        *(
            (
                lambda maxsize=maxsize: mg.compile(abs, maxsize=maxsize),
                ValueError,
                f"compile: maxsize must be a whole number >= 1, got {maxsize}",
            )
            for maxsize in (0, True, 2.5)
        ),
        *(
            (
                lambda x=x: mg.compile(lambda x: x)(x),
                mg.CompileError,
                (
                    f"compile: <lambda> got {x!r} for x; pass numbers and Values, nested in lists, "
                    "tuples, dicts, dataclasses and arrays, or texts, flags, functions and modules "
                    "(of an iterator its next(), of another number its float(), of a Series or "
                    "DataFrame its to_numpy())"
                ),
            )
            for x in ({1.0}, iter([1.0]), (y for y in [1.0]), Count(3), Fraction(1, 2))
        ),
        (
            lambda: mg.compile(lambda x: x).source,
            mg.CompileError,
            "compile: <lambda> has no source before its first call",
        ),
        (
            lambda: mg.compile(lambda x: {x})(1.0),
            mg.CompileError,
            (
                "compile: <lambda> returned {1.0}; return numbers and "
                "Values, nested in lists, tuples, dicts, dataclasses, arrays or modules"
            ),
        ),
        (lambda: mg.compile(lambda x: x)(), TypeError, None),
    ],
)
def test_misuse(call: Callable[[], Any], error: type[Exception], message: str | None) -> None:
    with pytest.raises(error) as caught:
        call()
    assert message is None or str(caught.value) == message


@pytest.mark.parametrize("at_w", [mg.log, Value.log, lambda w: (0.0 * w + 1e-200) ** w])
def test_an_error_that_is_caught(at_w: Callable[[Value], Value]) -> None:
    w = Value(1.0)

    def f(x: Any) -> Any:
        try:
            return 1.0 / (x + 0.0 * at_w(w))
        except ZeroDivisionError:
            return x - 7.0
        except (ValueError, OverflowError):
            return x - 9.0

    compiled = mg.compile(f)
    for x, data in [(0.0, 1.0), (2.0, 1.0), (2.0, -2.0), (4.0, 2.0), (0.0, 3.0), (8.0, 1.0)]:
        w.data = data
        assert as_number(compiled(x)) == as_number(f(x))
    assert compiled.cache_info().made == 1


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: mg.where(x > 0.0, x, mg.log(y)),
        lambda x, y: mg.where(x < 0.0, 1.0 / y, x),
        lambda x, y: mg.where(x > 0.0, x, 2.0 * (1.0 + 1.0 / y)),
        lambda x, y: mg.where(x > 0.0, x, 2.0 * (y * y + mg.exp(1000.0 * (1.0 - y)))),
    ],
)
def test_errors_of_what_is_not_selected(f: Callable[..., Any]) -> None:
    for eager in (f, mg.value_and_grad(f, (0, 1))):
        compiled = mg.compile(eager)
        for y in (1.0, 0.0, 2.0):
            assert outcome(compiled, 3.0, y) == outcome(eager, 3.0, y)


def needless(f: Callable[..., Any], otherwise: float) -> Callable[..., Any]:
    """Return the square, with a computation before it that nothing but its error is needed of."""

    def g(x: Any) -> Any:
        try:
            f(x)
        except (ArithmeticError, ValueError, LookupError):
            return otherwise * x
        return x * x

    return g


@mg.primitive(lambda y, x: (1.0,))
def lookup(x: float) -> float:
    return {1.0: 2.0, 2.0: 5.0}[x]


class OwnError(Exception):
    pass


@mg.primitive(lambda y, x: (1.0,))
def own(x: float) -> float:
    if x > 1.5:
        raise OwnError(x)
    return 3.0 * x


def caught(x: Any) -> Any:
    try:
        return own(x)
    except OwnError:
        return -x


@pytest.mark.parametrize("transform", [lambda f: f, mg.grad, mg.value_and_grad])
@pytest.mark.parametrize(
    "f",
    [
        lambda x: mg.sqrt(x - 1.0),
        lambda x: [mg.exp(1000.0 * (x - 1.0)) + 1.0],
        lambda x: 1.0 / (x - 1.0),
        lambda x: x % (x - 1.0),
        lambda x: (x - 1.0) ** -2,
        lambda x: (1e154 * x) ** 2,
        lambda x: mg.softmax([-1e308 * x]),
        lambda x: mg.select([x, x], mgmath.floor(x)),
        lambda x: mgmath.floor(1.0 / (x - 1.0)),
        lambda x: mgmath.floor(1e308 * x),
        lambda x: lookup(x),
        lambda x: mg.where(x > 1.5, x, mg.log(x - 1.0)),
        lambda x: mg.where(x > 1.5, 1.0 + mg.exp(1000.0 * x), x),
        lambda x: mg.where(x < 1.5, 2.0 * (1.0 - 1.0 / (x - 1.0)), x),
    ],
)
def test_errors_of_what_is_not_needed(transform: Any, f: Callable[..., Any]) -> None:
    eager = transform(needless(f, 7.0))
    for xs in ((2.0, 1.0, 0.5, 3.0), (0.5, 2.0, 1.0), (1.0, 2.0, 3.0)):
        compiled = mg.compile(eager)
        for x in xs:
            assert outcome(compiled, x) == outcome(eager, x), x


@pytest.mark.parametrize(
    "of_w",
    [
        lambda w: 1.0 / w,
        lambda w: w / w,
        lambda w: w % w,
        lambda w: 1.0 % w,
        lambda w: w**-1.0,
        lambda w: (1.0 + 1.0 / w) * 2.0,
        lambda w: w ** (w - 3.0),
        mg.log,
        Value.log,
    ],
)
@pytest.mark.parametrize("requires_grad", [False, True])
def test_errors_of_what_is_not_needed_of_captured_values(
    of_w: Callable[[Value], Value], requires_grad: bool
) -> None:
    w = Value(1.0)
    w.requires_grad = requires_grad
    eager = needless(lambda x: of_w(w), 7.0)
    compiled = mg.compile(eager)
    for w.data in (1.0, 0.0, 2.0):
        assert outcome(compiled, 3.0) == outcome(eager, 3.0)


def test_errors_of_ones_own() -> None:
    for points in ((1.0, 2.0, 1.0), (2.0, 1.0)):
        compiled, plain = mg.compile(caught), mg.compile(own)
        for x in points:
            assert compiled(x) == caught(x)
            if x > 1.5:
                with pytest.raises(OwnError):
                    plain(x)
            else:
                assert plain(x) == own(x)


def test_tracing_ends_where_eager_evaluation_does() -> None:
    @mg.compile
    def halved(x: Any) -> Any:
        slope = mg.grad(mg.sqrt)(x)
        while slope > 1.0:
            slope = slope / 2.0
        return slope

    for _ in range(2):
        with pytest.raises(mg.NonFiniteError, match=r"^grad: the derivative of sqrt\(0.0\)"):
            halved(0.0)
        assert halved(1.0) == 0.5
    root = mg.compile(mg.grad(mg.sqrt))
    with mg.allow_nonfinite():
        assert root(0.0) == math.inf
    assert root.cache_info().made == 1


def as_number(x: Any) -> float:
    return x.data if isinstance(x, Value) else x


def test_a_refusal_that_is_caught() -> None:
    def f(x: Any) -> Any:
        try:
            return math.sin(x)
        except Exception:
            return x

    with pytest.raises(mg.CompileError, match=re.escape(FROZEN_FLOAT)):
        mg.compile(f)(1.0)


def test_a_traced_value_that_is_kept() -> None:
    kept = []
    f = mg.compile(lambda x: kept.extend([2.0 * x, value(x)]) or x + 1.0)
    assert f(3.0) == 4.0
    message = (
        "^compile: a Value that was traced is used when its trace is over, or in another "
        "thread; return what is to be kept, keep it outside of the function, and compute in one "
        "thread$"
    )
    for use in (
        kept[1].tanh,
        lambda: kept[0] + 1.0,
        lambda: mg.sum(kept),
        lambda: float(kept[0]),
        lambda: kept[1].data,
        lambda: kept[1].grad,
        lambda: mg.compile(lambda x: x * kept[0])(1.0),
        lambda: f(kept[0]),
    ):
        with pytest.raises(mg.CompileError, match=message):
            use()
    assert [repr(x) for x in kept] == ["6.0", "Value(data=3.0, grad=0.0)"]


@pytest.mark.parametrize("name", ["data", "grad", "label", "requires_grad"])
@pytest.mark.parametrize("given", [False, True])
def test_a_value_from_outside_that_is_assigned(name: str, given: bool) -> None:
    w = Value(2.0)
    before = repr(w), w.requires_grad
    f = mg.compile(lambda x, v: (w * x, setattr(v if given else w, name, 3.0))[0])
    with pytest.raises(mg.CompileError) as caught:
        f(1.0, w)
    assert str(caught.value) == f"compile: {assigned(name)}"
    assert (repr(w), w.requires_grad) == before


def test_names_that_python_takes_for_one() -> None:
    w, v = Value(2.0, label="\N{GREEK LUNATE EPSILON SYMBOL}"), Value(5.0, label="\N{MICRO SIGN}")
    u = Value(7.0, label="\N{GREEK SMALL LETTER EPSILON}")
    assert mg.compile(lambda x: x * w - v + u)(3.0).data == 8.0


# The function as an object.


@mg.compile
def doubled(x: Any) -> Any:
    """Return 2 x."""
    return x * 2.0


@mg.compile(maxsize=4)
def tripled(x: Any) -> Any:
    return x * 3.0


class Line:
    slope = 2.0

    @mg.compile
    def at(self, x: Any) -> Any:
        return x * self.slope


def test_names_pickle_and_methods() -> None:
    assert (doubled.__name__, doubled.__doc__) == ("doubled", "Return 2 x.")
    assert pickle.loads(pickle.dumps(doubled)) is doubled
    assert pickle.loads(pickle.dumps(Line.at)) is Line.at
    assert pickle.loads(pickle.dumps(mg.compile(mg.exp)))(0.0) == 1.0
    with pytest.raises(
        (AttributeError, pickle.PicklingError), match=r"is not found by its name when"
    ):
        pickle.dumps(mg.compile(lambda x: x))
    assert tripled(2.0) == 6.0
    assert tripled.cache_info().maxsize == 4
    assert Line().at(3.0) == 6.0
    assert Line().at.cache_info().kept > 0
    assert type(Line.at) is type(doubled)
    assert weakref.ref(doubled)() is doubled


def test_callables_without_a_name() -> None:
    half = mg.compile(functools.partial(operator.mul, 0.5))
    assert (half(4.0), half.__name__, half.__qualname__) == (2.0, "partial", "partial")
    assert pickle.loads(pickle.dumps(half))(6.0) == 3.0
    model = nn.MLP(1, [1])
    assert bits(mg.compile(model)([2.0])) == bits(model([2.0]))


def test_threads() -> None:
    f = mg.compile(mg.value_and_grad(lambda xs: mg.sum([mg.sin(x) for x in xs])))
    results: dict[int, Any] = {}

    def work(n: int) -> None:
        for i in range(50):
            xs = [0.1 * (i + j) for j in range(n)]
            results[n, i] = f(xs) == mg.value_and_grad(lambda xs: mg.sum([mg.sin(x) for x in xs]))(
                xs
            )

    threads = [threading.Thread(target=work, args=(n % 4 + 1,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 200
    assert all(results.values())


def test_a_traced_value_may_be_shown() -> None:
    shown = []
    f = mg.compile(lambda x: shown.append(f"{x}, {x * 2.0}") or x)
    f(1.5)
    f(Value(2.0, label="a"))
    assert shown[0] == "1.5, 3.0"
    assert shown[1] == "Value(data=2.0, grad=0.0, label='a'), Value(data=4.0, grad=0.0)"


def test_interrupted_tracing_leaves_nothing_behind() -> None:
    def f(x: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mg.compile(f)(1.0)
    x = Value(2.0)
    (x * x).backward()  # not traced any more
    assert x.grad == 4.0


def test_calls_leave_nothing_for_the_garbage_collector() -> None:
    model = nn.MLP(2, [2, 1])
    f = mg.compile(lambda x: mg.mse_loss(model(x), [1.0]))
    f([0.0, 1.0])
    assert gc.isenabled()  # tracing leaves it as it was
    gc.collect()
    gc.collect()  # what was freed by the first may have left something
    gc.disable()
    try:
        for _ in range(100):
            f([0.0, 1.0]).backward()
        assert gc.collect() == 0
        f([0.0, 1])
        mg.compile(mg.exp)(1.0)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_tracing_leaves_no_graph_for_the_garbage_collector() -> None:
    gradient = mg.compile(mg.value_and_grad(lambda x: x * mg.exp(x) + mg.sin(x) * x))
    gc.collect()
    gc.disable()
    try:
        gradient(2.0)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_the_graph_of_a_trace_is_freed_before_anything_else_happens() -> None:
    """The collector would walk it, and byte-compiling could not use its memory."""
    traced: set[type] = set()
    left = []

    def f(x: Any) -> Any:
        traced.add(type(x))
        return mg.sum([mg.sin(x * i) for i in range(1000)])

    def count(phase: str) -> None:
        left.append((phase, sum(type(x) in traced for x in gc.get_objects())))

    def watch_collector(phase: str, _: object) -> None:
        count(phase)

    def watch_calls(_: object, event: str, called: object) -> None:
        if event == "c_call" and called is builtins.compile:
            count("byte-compiling")

    gc.collect()
    gc.callbacks.append(watch_collector)
    sys.setprofile(watch_calls)
    try:
        mg.compile(mg.grad(f))(0.5)
    finally:
        sys.setprofile(None)
        gc.callbacks.remove(watch_collector)
    assert len(traced - {float, Value}) == 1
    assert ("byte-compiling", 0) in left
    assert {n for _, n in left} == {0}


def test_a_long_chain_in_a_thread_with_a_small_stack() -> None:
    """Freeing it must not recurse, which Python 3.13 does in C, unless the last node goes first."""

    def chain(x: Any) -> Any:
        for _ in range(20_000):
            x = x * 0.5 + 1.0
        return x

    done: list[float] = []
    old = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: done.append(mg.compile(chain)(0.0)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(old)
    assert done == [2.0]


# The source.


def test_what_is_used_once_is_written_in_place() -> None:
    def f(x: Any, y: Any) -> Any:
        return (x + y) * (x - y) / (x * y) - (x - (y - x)), mgmath.atan2(mg.relu(x), y)

    assert lines_of(f, 1.0, 2.0) == [
        "t1 = (x + y) * (x - y) / (x * y) - (x - (y - x))",
        "t2 = atan2(0.0 if x <= 0.0 else x, y)",
        "return (t1, t2)",
    ]


@pytest.mark.parametrize(
    ("f", "texts"),
    [
        (lambda x: [x + 2, 2 + x, x - 2, 2 - x], ["x + 2.0", "2.0 + x", "x - 2.0", "2.0 - x"]),
        (
            lambda x: [x * 2, 2 * x, x / 2, 2 / x, -x],
            ["x * 2.0", "2.0 * x", "x / 2.0", "2.0 / x", "-x"],
        ),
        (lambda x: [x**0, x**1, x**9], ["power(x, 0.0)", "x ** 1.0", "x ** 9.0"]),
        (lambda x: [x**10, x**0.5], ["power(x, 10.0)", "power(x, 0.5)"]),
        (lambda x: mg.grad(lambda y: y**2)(x), ["x ** 2.0", "2.0 * x + 0.0"]),
        (lambda x: mg.grad(lambda y: y**3)(x), ["x ** 3.0", "power_c_slope(x, 3.0, 1.0) + 0.0"]),
        (lambda x: mg.sum([x, 2, 1]), ["total(x, 2.0, 1.0)"]),
        # A factor of -1 is a negation, and a negated term is subtracted.
        (lambda x: [x * -1.0, x / -1.0, x * -1.5], ["-x", "x / -1.0", "x * -1.5"]),
        (lambda x: [2.0 + -x, 2.0 * x + x * -1.0], ["2.0 + -x", "2.0 * x - x"]),
        (lambda x: x * -1.0 + x * -1.0, ["-x - x"]),
        # Numbers are folded where that is exact: x + 0.0 is not, as -0 would become 0.
        (lambda x: [1.0 * x, x * 1.0, x / 1.0, mg.sin(0.0) * 3.0 + x * 1.0], ["0.0 + x"]),
        (lambda x: [x + 0.0, x + -0.0, x * 0.0], ["x + 0.0", "x + -0.0", "x * 0.0"]),
        # What is used twice is computed once, and what is not used never.
        (lambda x: (mg.sin(x) + mg.sin(x), x * 3.0)[0], ["sin(x)", "t1 + t1"]),
    ],
)
def test_how_operations_are_written(f: Callable[[Any], Any], texts: list[str]) -> None:
    assert written(f, 2.0) == texts


def test_rows_share_what_they_have_in_common() -> None:
    lines = lines_of(mg.value_and_grad(mg.sigmoid), 0.5)
    assert sum(line.count("exp(") for line in lines) == 1


def test_entries_come_from_one_call() -> None:
    def f(x: Any, y: Any) -> Any:
        return mg.softmax([x, y]), mg.softmax([y, x]), mg.softmax([x, 2.0]), mg.softmax([2.0, x])

    assert lines_of(f, 0.5, 1.5) == [
        *("t1 = softmax([y, x])", "t2 = t1[1]", "t3 = t1[0]"),
        *("t4 = softmax([2.0, x])", "t5 = t4[1]", "t6 = t4[0]"),
        "return ([t2, t3], [t3, t2], [t5, t6], [t6, t5])",
    ]


def test_long_code_uses_names_again() -> None:
    def f(x: Any) -> Any:
        y, z = x, mg.sin(x)
        first = z
        for _ in range(1000):
            y, z = z, x * z - y  # each is used twice, and has a name
        return z + first

    compiled = mg.compile(f)
    assert compiled(0.2) == f(0.2)
    *lines, _ = lines_of(f, 0.2)
    assert len(lines) == 1000
    assert len({line.split()[0] for line in lines}) < 5


@pytest.mark.parametrize(("count", "longest"), [(200, 100), (1000, 400)])
def test_long_expressions_are_split(count: int, longest: int) -> None:
    def f(x: Any) -> Any:
        y = x
        for i in range(count):
            y = (y + float(i)) * x
        return y

    assert mg.compile(f)(0.5) == f(0.5)
    *lines, _ = lines_of(f, 0.5)
    assert 1 < len(lines) < count
    assert longest < max(map(len, lines)) < longest + 30


UNARY = [lambda x: x**2.0, lambda x: -x, mg.relu, mg.sin]
BINARY = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.mod),
    *(mgmath.atan2, mg.maximum),
]
COMPOUND = [*(lambda x, y, f=f: f(x) for f in UNARY), *BINARY]


@pytest.mark.parametrize("outer", range(len(COMPOUND)))
def test_parentheses_are_those_that_are_needed(outer: int) -> None:
    """Wherever a compound operand stands: on the left, on the right, or as a choice."""
    combine = COMPOUND[outer]
    for inner in COMPOUND:

        def f(x: Any, y: Any, z: Any, inner: Callable[..., Any] = inner) -> Any:
            return combine(inner(x, y), z), combine(z, inner(y, x))

        compiled = mg.compile(f)
        for args in ((0.7, 1.5, 2.3), (-3.5, -1.2, 0.9), (2.5, -0.7, -1.6)):
            assert outcome(compiled, *args) == outcome(f, *args)
        *lines, _ = lines_of(f, 0.7, 1.5, 2.3)
        for line in lines:
            assert line == ast.unparse(ast.parse(line)).replace("--x", "-(-x)")


def test_a_debugger_steps_through_generated_code() -> None:
    compiled = mg.compile(lambda x: x * 2.0 + mg.sin(x - 1.0))
    compiled(2.0)
    code = compiled.__call__.__code__
    stepped: list[str] = []

    def step(frame: Any, event: str, _: object) -> Any:
        if event == "line" and frame.f_code is code:
            stepped.append(linecache.getline(code.co_filename, frame.f_lineno).strip())
        return step

    linecache.checkcache()  # as a debugger does before it shows a line
    old = sys.gettrace()
    sys.settrace(step)
    try:
        compiled(3.0)
    finally:
        sys.settrace(old)
    assert stepped[-2:] == ["t1 = x * 2.0 + sin(x - 1.0)", "return t1"]


def test_a_traceback_shows_generated_code() -> None:
    lines: list[str | None] = []

    @mg.primitive(lambda y, x: (1.0,))
    def look(x: float) -> float:
        lines[:] = [frame.line for frame in traceback.extract_stack() if frame.name == "tripled"]
        return x

    def tripled(x: Any) -> Any:
        return look(x * 3.0)

    compiled = mg.compile(tripled)
    compiled(2.0)  # is traced, and then computed by the generated code
    assert lines == ["t1 = look(x * 3.0)"]


def generated_files() -> set[str]:
    return {name for name in linecache.cache if name.startswith("<compiled ")}


def test_generated_code_is_forgotten_with_its_trace() -> None:
    gc.collect()
    before = generated_files()
    compiled = mg.compile(lambda x: x + mgmath.floor(x), maxsize=2)
    kept = []
    for i in range(5):
        compiled(i + 0.5)
        kept.append(compiled.__call__.__code__.co_filename)
        assert generated_files() - before == set(kept[-2:])
    assert len({*kept}) == 5
    compiled.clear_cache()
    assert generated_files() == before
    compiled(0.5)
    assert len(generated_files() - before) == 1
    del compiled
    gc.collect()
    assert generated_files() == before


def test_the_source_is_a_function_of_numbers() -> None:
    w = Value(0.5, label="w")
    f = mg.compile(lambda x: mg.sigmoid(w * x) * mg.gamma(x))
    y = f(2.0)
    y.backward()
    namespace: dict[str, Any] = {}
    exec(f.source, namespace)
    value, gradient = namespace["f"](2.0, 0.5)
    assert (value, gradient) == (y.data, (w.grad,))
    assert f.source.startswith("from math import exp, gamma\n\n\ndef f(x, w):\n")
    f = mg.compile(lambda x: mg.grad(mg.lgamma)(x) * mg.softmax([x, 1.0])[0])
    assert f(2.0) == mg.grad(mg.lgamma)(2.0) * mg.sigmoid(1.0)
    assert "microgradlib" not in f.source
    assert {"def digamma(", "def softmax("} <= {*re.findall(r"def \w+\(", f.source)}
    exec(f.source, namespace)
    assert namespace["f"](2.0) == f(2.0)


def test_plain_arithmetic_is_written_out() -> None:
    def source(f: Callable[..., Any]) -> str:
        compiled = mg.compile(f)
        compiled([2.0, 3.0], [5.0, 7.0])
        return compiled.source.partition("return ")[0].partition(":\n")[2].strip()

    assert source(mg.dot) == "t1 = 0.0 + ws0 * xs0 + ws1 * xs1"
    assert source(lambda x, y: mg.prod(x)) == "t1 = x0 * x1"
    assert "mse" not in source(mg.mse_loss)


def test_what_can_be_written_out_is_not_called() -> None:
    def f(xs: Any, ys: Any, i: Any) -> Any:
        x, y = mg.dot(xs, ys), mg.prod(xs) - ys[0] / -ys[1]
        x, y = mg.maximum(mg.relu(x), mg.tanh(y)), mg.minimum(abs(x), mg.sigmoid(y))
        x, y = mg.maximum(x, 0.5), mg.minimum(y % 0.5, 0.5)
        x, y = mg.where(xs[0] > ys[0], x, y), mg.select([x, y], i)
        return mg.mse_loss(mg.softmax([x, y]), mg.log_softmax([x, y]))

    compiled = mg.compile(mg.value_and_grad(f, (0, 1)))
    compiled([0.5, 2.0], [1.5, 0.5], 1)
    called = [*ast.walk(ast.parse(compiled.source).body[-1])]
    names = {ast.unparse(call.func) for call in called if isinstance(call, ast.Call)}
    assert names == {
        *[
            "abs",
            "exp",
            "leading",
            "log_softmax",
            "quotient_dy",
            "select",
            "softmax",
            "tanh",
            "complement",
        ]
    }


def test_the_source_tells_where_it_holds() -> None:
    f = mg.compile(lambda x: mg.softmax([x, 2.0 * x])[0] if x > 1.0 else x)
    f(2.0)
    assert "    # traced where x > 1.0\n" in f.source
    other = object()
    g = mg.compile(lambda x: x * math.inf if x > 2 and x != other else -x)
    for x in (8.0, 1.0, 9.0, 2.0):
        assert g(x) == (math.inf if x > 2.0 else -x)
    lines = ("def f(x):", "# traced where not x > 2", "t1 = -x", "return t1\n")
    assert g.source == "\n    ".join(lines)
    g(3.0)
    assert g.source.startswith("from math import inf\n\n\ndef f(x):\n    # traced where x > 2\n")
    namespace: dict[str, Any] = {}
    exec(f.source, namespace)
    assert namespace["f"](2.0) == f(2.0)
    f(0.5)
    assert f.source == "def f(x):\n    # traced where not x > 1.0\n    return x\n"
    f = mg.compile(lambda x: x if Value(1.0) > 0.0 else -x)
    f(0.5)
    assert f.source == "def f(x):\n    return x\n"
    f = mg.compile(lambda x: -x if mgmath.isnan(x) else x)
    f(0.5)
    assert f.source == "def f(x):\n    # traced where not isnan(x)\n    return x\n"
    f = mg.compile(lambda x: x if mgmath.isclose(x, 1.0) else -x)
    f(0.5)
    assert "    # traced where not c0(x, 1.0)\n" in f.source


def test_a_large_graph() -> None:
    def f(x: Any) -> Any:
        y = x
        for _ in range(20_000):
            y = y * 0.5 + x
        return y

    assert bits(mg.compile(mg.value_and_grad(f))(0.3)) == bits(mg.value_and_grad(f)(0.3))


def test_many_inputs() -> None:
    n = 5000
    square = mg.value_and_grad(lambda xs: mg.dot(xs, xs))
    xs = [0.5 - i / n for i in range(n)]
    assert bits(mg.compile(square)(xs)) == bits(square(xs))
    ws = [Value(x) for x in xs]
    y = mg.compile(lambda: mg.dot(ws, ws))()
    y.backward()
    assert [w.grad for w in ws] == square(xs)[1]
    slopes = mg.compile(mg.grad(lambda xs: mg.sum([mg.sqrt(x) for x in xs])))
    for _ in range(3):
        slopes([1.0] * 60)
    assert slopes.cache_info().made == 1
    with pytest.raises(mg.NonFiniteError):
        slopes([1.0] * 59 + [0.0])


def test_source_that_fails_is_not_passed_over() -> None:
    calls = itertools.count(1)

    @mg.primitive(lambda y, x: (2.0 * x,))
    def moody(x: float) -> float:
        if next(calls) == 2:  # the first is traced, the second made by the source of the trace
            raise ValueError("today")
        return x * x

    f = mg.compile(lambda x: moody(x))
    with pytest.warns(RuntimeWarning, match=r"fails where the function does not.*today") as caught:
        assert f(x=3.0) == 9.0
    assert caught[0].filename == __file__
    assert next(calls) == 4  # the third was made by the function, as it is


# The same bits.


@pytest.mark.long
@many
@given(expressions(inputs=2), points)
def test_values_and_gradients_of_random_expressions(f: Expression, xs: list[Any]) -> None:
    eager = as_function(f)
    compiled = mg.compile(eager)
    for x in xs:
        assert outcome(compiled, *x) == outcome(eager, *x)
        assert outcome(by_backward(compiled), *x) == outcome(by_backward(eager), *x)


@pytest.mark.long
@many
@given(expressions(inputs=2), points, st.sampled_from([None, 0.0, 1.5]))
def test_gradients_of_captured_leaves(f: Expression, xs: list[Any], grad: float | None) -> None:
    compiled, eager = (on_leaves(way, as_function(f), grad) for way in (True, False))
    for x in xs:
        assert outcome(compiled, *x) == outcome(eager, *x)


TRANSFORMS: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "value_and_grad": lambda f: mg.value_and_grad(f, (0, 1)),
    "hessian": lambda f: mg.hessian(f, (0, 1)),
    "hessian beside a number": lambda f: mg.hessian(f, 0),
    "hvp": lambda f: lambda x, y: mg.hvp(f, (x, y), (x, y)),
    "jvp of jvp": lambda f: lambda x, y: mg.jvp(lambda x: slope(f, x, y), (x,), (1.0,)),
}


def slope(f: Callable[..., Any], x: Any, y: Any) -> Any:
    """Return y times the derivative of f in its first argument."""
    return mg.jvp(lambda z: f(z, y), (x,), (y,))[1]


@pytest.mark.long
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@many
@given(f=expressions(inputs=2), xs=points)
def test_derivatives_of_random_expressions(
    transform: Callable[..., Any], f: Expression, xs: list[Any]
) -> None:
    eager = transform(as_function(f))
    compiled = mg.compile(eager)
    for x in xs:
        assert outcome(compiled, *x) == outcome(eager, *x)


@pytest.mark.parametrize("row", PRIMITIVES.values(), ids=lambda row: row.name)
def test_further_derivatives_add_up_in_the_same_order(row: Primitive) -> None:
    free = arities(row)[-1] - static(row)
    draw = random.Random(0)
    agreed = 0
    for number_at in range(free + 1):  # the last is none of them

        def eager(x: Any, y: Any, one: Any, at: int = number_at) -> Any:
            t = y * mg.tanh(x) ** 2 + 1.5
            a = mg.gelu(t, "tanh") / 10.0
            mixed = (a + a, (mg.sin(t) + x * a) / 4.0, a)
            inputs = [one if i == at else mixed[i % 3] for i in range(free)]
            return x * row(*inputs, *(one - 2.0, one)[2 - static(row) :]) - y

        second = mg.hessian(eager, (0, 1))
        compiled = mg.compile(second)
        outcome(compiled, 0.5, 0.5, 2.0)
        for _ in range(100):
            point = draw.uniform(-1.0, 1.0), draw.uniform(-1.0, 1.0), 1.0
            expected = outcome(second, *point)
            assert outcome(compiled, *point) == expected, point
            agreed += isinstance(expected[0], tuple)
    assert agreed or row.domain[0].low >= 1.0


HARD = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.5, 1e-300, 5e-324, 1e300, math.inf, -math.inf, math.nan)


@pytest.mark.parametrize(
    "row", [row for row in PRIMITIVES.values() if not row.helper], ids=lambda row: row.name
)
def test_every_primitive_at_hard_points(row: Primitive) -> None:
    n = arities(row)[0]
    for x in HARD:
        for y in HARD if n > 1 else (0.5,):
            inputs = (x, y, *(0.5,) * n)[:n] if row.name != "where" else (x, y, 1.0)
            fixed = inputs[n - static(row) :]

            def eager(*xs: Any, fixed: Any = fixed) -> Any:
                return row(*xs, *fixed)

            with mg.allow_nonfinite():
                compiled = mg.compile(eager)
                free = inputs[: n - static(row)]
                for point in ((0.3,) * len(free), free):
                    if row.name == "clip" and fixed[0] > fixed[1]:
                        continue
                    expected = outcome(by_backward(eager), *point)
                    assert outcome(by_backward(compiled), *point) == expected, point
                    gradients = mg.value_and_grad(eager, range(len(free)))
                    again = outcome(mg.compile(gradients), *point)
                    assert again == outcome(gradients, *point), point


def test_training_gives_the_same_numbers() -> None:
    def train(compiled: bool) -> list[float]:
        mg.manual_seed(42)
        model = nn.MLP(2, [3, 2], "relu", "linear")
        optimizer = optim.Adam(model.parameters(), lr=0.1, weight_decay=0.01)

        def loss_fn(x: Any, target: Any) -> Any:
            return mg.cross_entropy(model(x), 1) + mg.mse_loss(model(x), target)

        f = mg.compile(loss_fn) if compiled else loss_fn
        losses = []
        for i in range(60):
            loss = f([0.1 * (i % 7), i % 3 - 1.0], [0.5, -0.5])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.data)
        return losses

    assert train(compiled=True) == train(compiled=False)


def test_too_many_derivatives_are_announced() -> None:
    """Those of 800 results in 800 Values would take a gigabyte."""
    ws = [Value(0.5) for _ in range(800)]

    def f(x: float) -> Any:
        return [w * x for w in ws]

    with pytest.warns(
        RuntimeWarning,
        match=r"f returns 800 numbers that need gradients, and reads 800 Values: .*no_grad\(\)",
    ):
        assert mg.compile(f)(2.0)[0].data == 1.0
    with mg.no_grad():
        assert mg.compile(f)(2.0)[0].data == 1.0
