"""vmap: each row of the arguments, and the results one after the other."""

import dataclasses
import math
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgradlib as mg
from microgradlib import Value, nn, vmap


@dataclasses.dataclass
class Point:
    x: Any
    y: Any


def test_lists_of_rows() -> None:
    assert vmap(lambda x, y: x * y)([1.0, 2.0], [3.0, 4.0]) == [3.0, 8.0]
    assert vmap(sum)([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]) == [3.0, 7.0, 11.0]
    assert vmap(lambda xs: [2.0 * x for x in xs])([[1.0, 2.0], [3.0, 4.0]]) == [
        [2.0, 4.0],
        [6.0, 8.0],
    ]
    assert vmap(lambda x: x + 1.0)(array("d", [1.0, 2.0])) == [2.0, 3.0]


def test_arguments_without_rows_and_keywords() -> None:
    def f(w: Any, x: float, *, b: float) -> Any:
        return w[0] * x + b

    assert vmap(f, in_axes=(None, 0))([2.0], [1.0, 2.0], b=[10.0, 20.0]) == [12.0, 24.0]
    assert vmap(lambda x, y: x if y is None else y)([1.0, 2.0], None) == [1.0, 2.0]


@pytest.mark.parametrize("in_axis", [0, 1, 2, -1, -2, -3, np.int64(1)])
@pytest.mark.parametrize("out_axis", [0, 1, 2, -1, -3])
def test_axes_of_lists_and_arrays(in_axis: Any, out_axis: int) -> None:
    a = np.arange(24.0).reshape(2, 3, 4)
    expected = np.moveaxis(np.moveaxis(a, in_axis, 0) * 2.0, 0, out_axis)

    def twice(rows: Any) -> Any:
        return [[2.0 * x for x in row] for row in rows]

    assert vmap(twice, in_axis, out_axis)(a.tolist()) == expected.tolist()
    found = vmap(lambda x: 2.0 * x, in_axis, out_axis)(a)
    assert type(found) is np.ndarray
    assert np.array_equal(found, expected)


def test_numbers_of_arrays_are_numbers_of_python_and_become_arrays() -> None:
    seen: list[type] = []

    def f(x: Any) -> Any:
        seen.append(type(x))
        return x + 0.5, Value(x)

    numbers, values = vmap(f)(np.array([1, 2]))
    assert seen == [int, int]
    assert (numbers.dtype, numbers.tolist()) == (float, [1.5, 2.5])
    assert (values.dtype, [x.data for x in values]) == (object, [1.0, 2.0])


def test_series_have_rows() -> None:
    pandas = pytest.importorskip("pandas")
    assert vmap(lambda x: x * x)(pandas.Series([1.0, 3.0], index=[7, 8])).tolist() == [1.0, 9.0]


def test_containers_group_what_has_rows() -> None:
    def f(p: Any, point: Point) -> Any:
        return {"sum": p["a"] * point.x + p["b"], "pair": (point.y, [p["b"], point.x])}

    found = vmap(f, in_axes=({"a": 0, "b": None}, 0))(
        {"a": [1.0, 2.0], "b": 3.0}, Point([10.0, 20.0], [5.0, 6.0])
    )
    assert found == {
        "sum": [13.0, 43.0],
        "pair": ([5.0, 6.0], [[3.0, 10.0], [3.0, 20.0]]),
    }
    assert vmap(lambda pair: pair[0] * pair[1])(([1.0, 2.0], [3.0, 4.0])) == [3.0, 8.0]
    first, second = vmap(lambda x: (x, x), out_axes=(0, -1))([1.0, 2.0])
    assert first == second == [1.0, 2.0]


def test_a_list_with_an_axis_for_each_entry() -> None:
    assert vmap(lambda xs: xs[0] * xs[1], in_axes=([0, None],))([[1.0, 2.0], 3.0]) == [3.0, 6.0]
    assert vmap(lambda x: [x, 5.0], out_axes=[0, None])([1.0, 2.0]) == [[1.0, 2.0], 5.0]


def test_results_without_an_axis_are_returned_once() -> None:
    w = Value(2.0)
    found, same, nothing = vmap(lambda x: ((x, w), math.nan, None), out_axes=((0, None), None, 0))(
        [1.0, 2.0]
    )
    assert found[0] == [1.0, 2.0]
    assert found[1] is w
    assert math.isnan(same)
    assert nothing is None
    assert vmap(lambda x: {"a": [1.0, (2.0,)]}, out_axes=None)([1.0, 2.0]) == {"a": [1.0, (2.0,)]}


def test_derivatives_of_each_row() -> None:
    def residual(p: Any, t: float) -> Any:
        return p[0] * mg.exp(-p[1] * t)

    p, ts = [2.0, 0.5], [0.0, 1.0, 2.0]
    rows = vmap(mg.grad(residual), in_axes=(None, 0))(p, ts)
    assert rows == [mg.grad(residual)(p, t) for t in ts]
    values, slopes = vmap(mg.value_and_grad(residual), in_axes=(None, 0))(p, np.array(ts))
    assert values.tolist() == [residual(p, t) for t in ts]
    assert slopes == rows
    compiled = vmap(mg.compile(mg.grad(residual)), in_axes=(None, 0))
    assert compiled(p, ts) == rows
    slopes = vmap(mg.grad(residual), in_axes=(None, 0))(np.array(p), ts)
    assert np.array_equal(slopes, rows)
    hessians = vmap(mg.hessian(residual), in_axes=(None, 0))(p, ts)
    assert hessians == [mg.hessian(residual)(p, t) for t in ts]


def test_gradients_flow_through_rows() -> None:
    model = nn.MLP(2, [3, 1])
    xs = [[0.5, -1.0], [2.0, 0.25]]

    def by_rows() -> Any:
        return mg.sum([y[0] for y in vmap(model)(xs)])

    by_rows().backward()
    found = [p.grad for p in model.parameters()]
    model.zero_grad()
    mg.sum([model(x)[0] for x in xs]).backward()
    assert found == [p.grad for p in model.parameters()]
    assert mg.compile(by_rows)().data == by_rows().data
    assert mg.grad(lambda x: mg.sum(vmap(lambda y: y * y)([x, 2.0 * x])))(3.0) == 30.0


def test_vmap_of_vmap() -> None:
    table = vmap(vmap(lambda x, y: x * y, in_axes=(None, 0)), in_axes=(0, None))
    assert table([1.0, 2.0], [3.0, 4.0, 5.0]) == [[3.0, 4.0, 5.0], [6.0, 8.0, 10.0]]


def test_the_name_of_the_function() -> None:
    def area(r: float) -> float:
        """Return the area."""
        return 3.0 * r * r

    assert (vmap(area).__name__, vmap(area).__doc__) == ("area", "Return the area.")


def f(x: Any) -> Any:
    return x


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: vmap(3), TypeError, "f must be a function, got 3; pass it without calling it"),
        (lambda: vmap(f, True), TypeError, "in_axes must hold ints and None, got True"),
        (lambda: vmap(f, (0.0,)), TypeError, "in_axes must hold ints and None, got 0.0"),
        (lambda: vmap(f, 0, "0"), TypeError, "out_axes must hold ints and None, got '0'"),
        (lambda: vmap(f, ({"a": [None, "b"]},)), TypeError, "must hold ints and None, got 'b'"),
        (
            lambda: vmap(f, {"a": 0}),
            TypeError,
            r"wrap the axes of a dict in a tuple: \({'a': 0},\)",
        ),
        (lambda: vmap(f)(), ValueError, "no argument of f has rows; give one of them an axis"),
        (lambda: vmap(f, None)([1.0]), ValueError, "no argument of f has rows"),
        (lambda: vmap(f)({}), ValueError, "no argument of f has rows"),
        (lambda: vmap(f, [0, 0])([1.0]), ValueError, "in_axes has 2 entries, and f got 1 argum"),
        (
            lambda: vmap(f)(1.0),
            mg.ShapeError,
            "argument 0 is 1.0 and has no axis 0; pass rows, or None",
        ),
        (lambda: vmap(f)("ab"), mg.ShapeError, "argument 0 is 'ab' and has no axis 0"),
        (lambda: vmap(f)({"a": 1.0}), mg.ShapeError, r"argument 0\['a'\] is 1.0 and has no axis"),
        (lambda: vmap(f, ((0,),))(np.ones(2)), mg.ShapeError, r"has no axis \(0,\)"),
        (lambda: vmap(f, 1)([1.0]), ValueError, "argument 0 has 1 axis, got the axis 1; the last"),
        (
            lambda: vmap(f, -3)([[1.0]]),
            ValueError,
            "has 2 axes, got the axis -3; the last one is 1",
        ),
        (lambda: vmap(f, 1)(np.ones(2)), ValueError, "has 1 axis, got the axis 1"),
        (
            lambda: vmap(f, 1)([[1.0], [1.0, 2.0]]),
            mg.ShapeError,
            "lists of 1 and 2 entries, and no axis 1",
        ),
        (
            lambda: vmap(f, ((0, 1),))(([1.0],)),
            ValueError,
            r"has the parts \[0\], and its axes are",
        ),
        (
            lambda: vmap(f)(([1.0], [1.0, 2.0])),
            mg.ShapeError,
            "argument 0: its parts have 1 and 2",
        ),
        (
            lambda: vmap(lambda x, y: x)([1.0], y=[1.0, 2.0]),
            mg.ShapeError,
            "arguments of <lambda> have 1 and 2 rows; pass equally many, or None in in_axes",
        ),
        (lambda: vmap(f)([]), mg.ShapeError, "the arguments of f have no rows, so that its result"),
        (lambda: vmap(f, 0, None)([1.0, 2.0]), ValueError, "result of f is not the same for all"),
        (lambda: vmap(f, 0, None)([[1.0], [1.0, 2.0]]), ValueError, "is not the same for all rows"),
        (lambda: vmap(f, 0, 1)([1.0]), ValueError, "result of f has 1 axis, got the axis 1"),
        (
            lambda: vmap(f, 0, 2)(np.ones((2, 2))),
            ValueError,
            "result of f has 2 axes, got the axis",
        ),
        (lambda: vmap(f, 0, (0,))([1.0]), ValueError, r"is 1.0, without parts for the axes \(0,\)"),
        (lambda: vmap(f, 0, (0, 0))([[1.0]]), ValueError, r"has the parts \[0\], and its axes are"),
        (
            lambda: vmap(lambda x: [1.0] * int(x), 0, 1)([1.0, 2.0]),
            mg.ShapeError,
            "results of 1 and 2 entries cannot be stacked along axis 1; return equally many",
        ),
        (lambda: vmap(f)(["a", "b"]), TypeError, "result of f is 'a' for a row; return numbers"),
        (lambda: vmap(f)([1.0, [2.0]]), mg.ShapeError, r"from row to row: 1.0 and \[2.0\]"),
        (lambda: vmap(f)([1.0, None]), mg.ShapeError, "from row to row: 1.0 and None"),
        (lambda: vmap(f)([(1.0,), ()]), mg.ShapeError, r"from row to row: \(1.0,\) and \(\)"),
    ],
)
def test_misuse(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^vmap: .*{message}"):
        call()


def test_results_are_those_of_jax() -> None:
    jax = pytest.importorskip("jax")
    a = np.arange(6.0).reshape(2, 3)

    def rows(x: Any, y: Any) -> Any:
        return x * y, {"sum": x.sum() + y}

    for in_axes in [(0, 0), (1, None), (-1, None), (None, 0)]:
        for out_axes in [0, (0, {"sum": 0}), (1, 0), (-1, {"sum": -1})]:
            y: Any = 2.0 if in_axes[1] is None else np.array([0.5, 4.0])
            right = jax.vmap(rows, in_axes, out_axes)(a, y)
            found = vmap(rows, in_axes, out_axes)(a, y)
            assert np.allclose(found[0], right[0])
            assert np.allclose(found[1]["sum"], right[1]["sum"])
            assert found[0].shape == right[0].shape
