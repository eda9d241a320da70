"""vmap of functions in machine code: the numbers of the general way, for all rows in one call."""

import math
import random
from array import array
from typing import Any

import numpy as np
import pytest
from compilers import compiler
from rowwise import check

import microgradlib as mg
from microgradlib import Value, vmap
from microgradlib.testing import TEMPLATES, Expression

pytestmark = pytest.mark.skipif(not compiler(), reason="no C compiler")


def curve(p: Any, t: Any) -> Any:
    return (p[0] * mg.exp(-p[1] * t) - 0.25) ** 2


POINTS = [0.0, 0.5, 1.0, 2.0, 4.0]
P = [2.0, 0.5]


@pytest.mark.parametrize("f", [curve, mg.grad(curve), mg.value_and_grad(curve), mg.hessian(curve)])
@pytest.mark.parametrize("p", [P, np.array(P), [P] * 5, np.array([P] * 5), (2.0, 0.5)])
@pytest.mark.parametrize("ts", [POINTS, np.array(POINTS), array("d", POINTS)])
def test_numbers_are_those_of_single_rows(f: Any, p: Any, ts: Any, at_once: list[bool]) -> None:
    check(f, p, ts, in_axes=(0 if len(p) == 5 else None, 0))
    assert at_once == [True]


@pytest.mark.parametrize("in_axis", [0, 1, -1])
@pytest.mark.parametrize("out_axes", [0, 1, (-1, {"sum": 0, "rows": [0, 0]}), (0, None)])
def test_axes(in_axis: int, out_axes: Any, at_once: list[bool]) -> None:
    def f(row: Any) -> Any:
        return row * 2.0, {"sum": row.sum(), "rows": [row[0], row[1]]}

    a = np.arange(6.0).reshape(2, 3)
    if out_axes == (0, None):
        with pytest.raises(ValueError, match="is not the same for all rows"):
            vmap(mg.compile(f, backend="c"), in_axis, out_axes)(a)
    elif out_axes == 1:
        for g in (f, mg.compile(f, backend="c")):
            with pytest.raises(ValueError, match=r"\['sum'\] has 1 axis, got the axis 1"):
                vmap(g, in_axis, out_axes)(a)
    else:
        check(f, a, in_axes=in_axis, out_axes=out_axes)
    assert at_once == [True]


def test_results_of_all_kinds(at_once: list[bool]) -> None:
    def f(x: Any) -> Any:
        return {"tuple": (x, [x, (x,)]), "empty": [], "array": np.array([[x, 2.0 * x]])}

    check(f, np.array(POINTS))
    check(f, POINTS)
    check(lambda x: 3.0, np.array(POINTS), out_axes=None)
    check(lambda x: np.array([x, x]), np.array(POINTS), out_axes=-1)
    check(lambda x: [np.array([x, x])], POINTS, out_axes=[1])
    assert at_once == [True] * 5


@pytest.mark.parametrize(
    "seed", [0, 1, *[pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 20)]]
)
def test_random_functions(seed: int) -> None:
    draw = random.Random(seed)
    names, steps = ["x0", "x1"], []
    for i in range(draw.randrange(1, 9)):
        steps.append(draw.choice(TEMPLATES).format(a=draw.choice(names), b=draw.choice(names)))
        names.append(f"t{i}")
    f = Expression(2, tuple(steps))

    def row(x: float, y: float) -> Any:
        try:
            return mg.value_and_grad(f, (0, 1))(x, y)
        except (ArithmeticError, ValueError):
            return None

    points = [(draw.uniform(-3.0, 3.0), draw.uniform(-3.0, 3.0)) for _ in range(300)]
    points = [point for point in points if row(*point)]
    if not points:
        return
    xs, ys = (list(column) for column in zip(*points, strict=True))
    g = mg.value_and_grad(f, (0, 1))
    check(g, xs, ys)
    check(g, np.array(xs), np.array(ys))


def test_decisions_that_come_out_differently(at_once: list[bool]) -> None:
    def f(x: Any) -> Any:
        if x > 1.0:
            return mg.sin(x)
        return x * x if x > 0.0 else -x

    xs = [math.sin(i) * 2.0 for i in range(200)]
    check(f, xs)
    check(f, np.array(xs))
    assert at_once == [True] * 2


def test_single_rows_go_to_their_places_in_the_results(at_once: list[bool]) -> None:
    def f(x: Any) -> Any:
        y = mg.sin(x) if x > 1.0 else -x
        return {"number": y, "list": [x, [y]], "array": np.array([[x], [y]]), "none": [], "b": (y,)}

    xs = [0.5 * math.sin(i) + 1.0 for i in range(50)]
    check(f, xs)
    check(f, np.array(xs))
    check(f, np.array(xs), out_axes={"number": 0, "list": 0, "array": 1, "none": 0, "b": (0,)})
    assert at_once == [True] * 3


@pytest.mark.parametrize("as_rows", [list, np.array])
def test_results_without_numbers_and_results_that_are_the_same(
    as_rows: Any, at_once: list[bool]
) -> None:
    xs = as_rows([1.0, 2.0])
    check(lambda x: (), xs)
    check(lambda x: (), xs, out_axes=None)
    check(lambda x: np.empty((0, 2)), xs)
    check(lambda x: (3.0, [4.0, (5.0,)]), xs, out_axes=None)
    check(lambda x: (x, {"a": (4.0, [5.0])}), xs, out_axes=(0, None))
    check(lambda x, y: (x, y), xs, array("d", [3.0, 4.0]), in_axes=(0, None))
    check(lambda x: [x, 5.0], xs, out_axes=[0, None])
    check(lambda x: [x, 5.0], xs, out_axes=1)
    assert at_once == [True] * 8
    for f in (mg.compile(lambda x: (x,), backend="c"), lambda x: (x,)):
        with pytest.raises(ValueError, match="the result of <lambda> is not the same for"):
            vmap(f, 0, None)(xs)


def test_results_do_not_share_memory() -> None:
    f = vmap(mg.compile(lambda x: (x, np.array([x, x])), backend="c"))
    xs = np.array(POINTS)
    first, second = f(xs), f(xs)
    for x in first:
        assert x.flags.owndata
        x += 1.0
    assert second[0].tolist() == xs.tolist() == POINTS
    assert second[1].tolist() == [[x, x] for x in POINTS]


def test_rows_whose_results_have_another_structure(at_once: list[bool]) -> None:
    f = mg.compile(lambda x: (x, x) if x > 0.0 else [x, x], backend="c")
    with pytest.raises(mg.ShapeError, match=r"from row to row: \(1.0, 1.0\) and \[-1.0, -1.0\]"):
        vmap(f)([1.0, -1.0])
    g = mg.compile(lambda x: (x, x) if x > 0.0 else (x,), backend="c")
    with pytest.raises(mg.ShapeError, match=r"from row to row: \(1.0, 1.0\) and \(-1.0,\)"):
        vmap(g)([1.0, -1.0])
    h = mg.compile(lambda x: x if x > 0.0 else "none", backend="c")
    with pytest.raises(TypeError, match="of <lambda> is 'none' for a row; return numbers"):
        vmap(h)([1.0, -1.0])
    assert at_once == [False] * 3


def test_errors_of_a_row() -> None:
    f = vmap(mg.compile(mg.log, backend="c"))
    assert f([1.0, 2.0]) == [0.0, math.log(2.0)]
    with pytest.raises(ValueError, match="log"):
        f([1.0, -2.0])
    with pytest.raises(ValueError, match="log"):
        f([-1.0, 2.0])
    g = vmap(mg.compile(mg.grad(lambda x: mg.sqrt(x) * 1e200 * 1e200), backend="c"))
    with pytest.raises(mg.NonFiniteError):
        g([1.0])


def test_numbers_from_outside_are_read_at_each_call(at_once: list[bool]) -> None:
    w = Value(2.0, "w")
    w.requires_grad = False
    f = vmap(mg.compile(mg.grad(lambda x: w * x * x), backend="c"))
    assert f([1.0, 3.0]) == [4.0, 12.0]
    w.data = 0.5
    assert f([1.0, 3.0]) == [1.0, 3.0]
    assert at_once == [True, True]


def test_rows_that_are_more_than_numbers(at_once: list[bool]) -> None:
    w = Value(2.0)
    f = vmap(mg.compile(lambda x: w * x, backend="c"))
    y, z = f([1.0, 3.0])
    (y * z).backward()
    assert w.grad == 12.0
    g = vmap(mg.compile(lambda x, y: x * y, backend="c"))
    values = [Value(1.0), Value(2.0)]
    assert [x.data for x in g(values, [3.0, 4.0])] == [3.0, 8.0]
    assert g([1, 2], [3.0, 4.0]) == [3.0, 8.0]
    assert g(np.array([1, 2]), np.array([3.0, 4.0])).tolist() == [3.0, 8.0]
    assert vmap(g.__wrapped__, (None, 0))(w, [3.0])[0].data == 6.0
    assert at_once == [False, True, True, False]
    with mg.detect_anomaly():
        assert g([1.0], [3.0]) == [3.0]
    h = vmap(mg.compile(lambda x: (x, None), backend="c"))
    assert h([1.0, 2.0]) == ([1.0, 2.0], None)
    assert at_once == [False, True, True, False, False, False]


def test_an_attribute_of_an_argument_that_is_a_value() -> None:
    f = vmap(mg.compile(lambda w, x: x * len(w.label), backend="c"), in_axes=(None, 0))
    assert f(Value(1.0, "a"), [2.0]) == [2.0]
    assert f(Value(1.0, "abc"), [2.0]) == [6.0]


def test_other_arguments() -> None:
    f = mg.compile(lambda x, y: x[0] * y[0] + x[1], backend="c")
    xs = [1.0, 2.0]
    assert vmap(lambda a, b: f(a, b))([xs, xs], [xs, xs]) == [3.0, 3.0]
    assert vmap(f)([xs, xs], [xs, xs]) == [3.0, 3.0]
    assert vmap(f)([xs, xs, [0.5, 0.25]], [[3.0], [4.0], [5.0]]) == [5.0, 6.0, 2.75]
    assert vmap(f, in_axes=(1, 0))([[1.0, 2.0], [3.0, 4.0]], [[5.0], [6.0]]) == [8.0, 16.0]
    assert vmap(f)(([1.0, 2.0], [3.0, 4.0]), [[5.0], [6.0]]) == [8.0, 16.0]
    assert vmap(f)([[1.0, 2.0], (3.0, 4.0)], [[5.0], [6.0]]) == [7.0, 22.0]
    assert vmap(f)([[1.0, 2.0], [3.0, 4.0, 5.0]], [[5.0], [6.0]]) == [7.0, 22.0]


def test_keywords_and_static_arguments(at_once: list[bool]) -> None:
    def power(x: Any, k: int, *, scale: Any) -> Any:
        return scale * x**k

    f = vmap(mg.compile(power, backend="c", static_argnames="k"), in_axes=(0, None))
    assert f([1.0, 2.0], 3, scale=[2.0, 4.0]) == [2.0, 32.0]
    assert f([1.0, 2.0], 2, scale=[2.0, 4.0]) == [2.0, 16.0]
    assert at_once == [True, True]


def test_a_function_without_machine_code_is_not_tried_for_ever(at_once: list[bool]) -> None:
    w = Value(2.0)
    traced = []

    def f(x: Any) -> Any:
        traced.append(x)
        return w * x

    g = vmap(mg.compile(f, backend="c"))
    for _ in range(30):
        g([1.0])
    assert len(traced) < 25


@pytest.mark.long
def test_files_of_a_large_function() -> None:
    def f(x: Any) -> Any:
        y = x
        for i in range(4_000):
            y = mg.sin(y) * 0.5 + x * (1.0 + i)
        return y

    check(f, [0.1, 0.2])
