"""vmap in machine code: the numbers of arguments, whatever holds them."""

import dataclasses
import sys
from array import array
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from compilers import compiler
from rowwise import check

import microgradlib as mg
from microgradlib import vmap
from microgradlib.many import machine

pytestmark = pytest.mark.skipif(not compiler(), reason="no C compiler")


@dataclasses.dataclass
class Point:
    x: Any
    y: Any
    label: str = ""


class Pair(NamedTuple):
    first: Any
    second: Any


TABLE = [[1.0, 2.0], [0.5, 4.0], [-3.0, 0.25]]
GROUPS: list[tuple[Callable[[Any], Any], Any, Any]] = [
    (lambda z: z[0] * z[1], ([1.0, 2.0, 4.0], [3.0, 0.5, 8.0]), 0),
    (lambda z: z[0] * z[1], (np.array([1.0, 2.0, 4.0]), [3.0, 0.5, 8.0]), 0),
    (lambda z: z["b"] * z["a"][1], {"a": TABLE, "b": array("d", [1.0, 2.0, 4.0])}, 0),
    (lambda z: z.x / z.y[0], Point([1.0, 2.0, 4.0], np.array(TABLE), "p"), 0),
    (lambda z: z.first - z.second, Pair([1.0, 2.0], [3.0, 0.5]), 0),
    (lambda z: z[0] - z[1], deque([[1.0, 2.0], [3.0, 0.5]]), 0),
    (lambda z: z[0][0][0] - z[1], [[[1.0], 5.0], [2.0]], ([[None, None], 0],)),
    (lambda z: z[0]["k"][1] ** z[1].x, ({"k": TABLE}, Point([1.0, 2.0, 4.0], [0.0] * 3)), 0),
    (lambda z: z["w"][1] * z["x"] + z["b"], {"w": [2.0, 3.0], "x": [1.0, 2.0], "b": 7.0}, None),
    (lambda z: z["x"] * z["x']"] + z[1], {"x": [1.0, 2.0], "x']": [3.0, 4.0], 1: [5.0, 6.0]}, 0),
    (lambda z: z[10] - z[1], {1: [1.0, 2.0], 10: [3.0, 4.0]}, 0),
]


@pytest.mark.parametrize(("f", "z", "axes"), GROUPS)
def test_groups_are_several_blocks(f: Any, z: Any, axes: Any, at_once: list[bool]) -> None:
    axes = ({"w": None, "x": 0, "b": None},) if axes is None else axes
    check(f, z, in_axes=axes)
    check(mg.value_and_grad(f), z, in_axes=axes)
    assert at_once == [True, True]


def test_groups_that_go_row_by_row(at_once: list[bool]) -> None:
    check(lambda z: z[0] + z[1], ([1.0, 2.0], [True, False]))
    check(lambda z: z[0][0] + z[1][1], (TABLE, TABLE))  # rows that hold the same list twice
    check(lambda z: z[0] + z[1][0], ([1.0, 2.0], [[3.0, 4.0]]), in_axes=((0, 1),))
    assert at_once == [False]


def test_names_that_begin_alike(at_once: list[bool]) -> None:
    check(lambda x, x1, x10: (x - x1) * x10, [1.0, 2.0], [3.0, 4.0], [5.0, 6.0])
    assert at_once == [True]


def test_other_numbers_of_a_group(at_once: list[bool]) -> None:
    f = vmap(mg.compile(lambda p, t: p.x * t + p.y[1], backend="c"), (0, 0))
    p = Point([1.0, 2.0], [[3.0, 4.0], [5.0, 6.0]], "a")
    assert f(p, [10.0, 20.0]) == [14.0, 46.0]
    assert f(p, [1.0, 2.0]) == [5.0, 10.0]
    assert f(dataclasses.replace(p, label="b"), [1.0, 2.0]) == [5.0, 10.0]
    assert at_once == [True] * 3


def test_decisions_on_the_class_of_a_number(at_once: list[bool]) -> None:
    def f(x: Any) -> Any:
        return x * 0.5 if isinstance(x, int) else x + 1.0

    g = vmap(mg.compile(f, backend="c"))
    assert g([1, 3]) == [0.5, 1.5]
    assert g([1.0, 3.0]) == [2.0, 4.0]
    assert g([1, 3]) == [0.5, 1.5]
    assert at_once == [True] * 3
    assert g([1, 3.0]) == [0.5, 4.0]
    assert g([1.0, 3]) == [2.0, 1.5]
    assert vmap(mg.compile(f, backend="c"))([1, 3.0]) == [0.5, 4.0]
    assert at_once == [True] * 3 + [False] * 3


INTS = [3, -2, 0, 7]


@pytest.mark.parametrize(
    "xs",
    [
        INTS,
        [3, -2.5, 0, 7],
        [2**53, -(2**53), 1, 2],
        array("i", INTS),
        array("q", [2**53, -(2**53)]),
        array("f", [0.1, 2.5]),
        *[np.array(INTS, kind) for kind in ("i1", "i4", "i8", ">i8", "f2", "f4", ">f8")],
        np.array([1, 2**53], "u8"),
        np.array([1, 2**32 - 1], "u4"),
    ],
)
def test_ints_are_doubles(xs: Any, at_once: list[bool]) -> None:
    check(lambda x: x * 0.5 - 1.0 / 3.0, xs)
    check(lambda x: x, xs)
    rows = [[x, 2] for x in (xs if isinstance(xs, list) else xs.tolist())]
    check(lambda x: x[1] * x[0], rows)
    check(lambda x: x[1] * x[0], [tuple(row) for row in rows])
    check(lambda x: x[1] * x[0], np.array(rows))
    assert at_once == [True] * 5


@pytest.mark.parametrize(
    "xs",
    [
        [2**53 + 1, 2],
        [1.0, -(2**53) - 1],
        [1, 10**400],
        array("q", [2**53 + 1, 2]),
        np.array([1, 2**53 + 1]),
        np.array([1, -(2**53) - 1]),
        np.array([1, 2**64 - 1], "u8"),
        [True, 2],
        np.array([True, False]),
        [1.0, np.float64(2.0)],
    ],
)
def test_what_is_no_double_goes_row_by_row(xs: Any, at_once: list[bool]) -> None:
    check(lambda x: x, xs)
    assert not at_once


def test_arrays_of_any_memory(at_once: list[bool]) -> None:
    a = np.arange(24.0).reshape(4, 6)
    fixed = a.copy()
    fixed.flags.writeable = False
    for x in (a.T, a[::2], a[:, ::-1], fixed, a.astype("f4"), a.astype(">f8")):
        check(lambda row: row[0] * 0.1 - row[1], x)
    assert at_once == [True] * 6
    check(lambda row: row.sum(), a.astype(np.longdouble))
    check(lambda row: row.sum(), np.empty((3, 0)))
    check(lambda row: mg.sum(row), [[], []])
    check(lambda row: row[0], [[1.0], [2.0, 3.0]])
    texts = "u" if sys.version_info < (3, 13) else "w"
    check(lambda x: 1.0, array(texts, "ab"))
    assert at_once == [True] * 6


def test_an_array_keeps_its_length_while_machine_code_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    xs = array("d", [0.0, 0.5, 4.0])
    run = machine._Trace.run

    def grow(*args: Any) -> Any:
        with pytest.raises(BufferError):
            xs.append(1.0)
        return run(*args)

    monkeypatch.setattr(machine._Trace, "run", grow)
    assert vmap(mg.compile(lambda x: 2.0 * x, backend="c"))(xs) == [
        2.0 * x for x in (0.0, 0.5, 4.0)
    ]
    xs.append(1.0)
