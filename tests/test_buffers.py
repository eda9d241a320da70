"""Arrays and long lists go to machine code as a whole, and come back so."""

import enum
import math
import sys
import threading
import time
from array import array
from collections import defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from compilers import compiler

import microgradlib as mg
from microgradlib import Value

TEXT = "w" if sys.version_info >= (3, 13) else "u"  # the type code of characters

pytestmark = pytest.mark.skipif(not compiler(), reason="no C compiler")


def both(f: Callable[..., Any]) -> tuple[Any, Any]:
    """Return a function compiled by each backend."""
    return mg.compile(f), mg.compile(f, backend="c")


def same(x: Any, y: Any) -> bool:
    """Whether results are of the same classes and have the same bits."""
    if isinstance(x, np.ndarray):
        alike = (x.shape, x.dtype, x.strides) == (y.shape, y.dtype, y.strides)
        return alike and x.tobytes() == y.tobytes() and y.flags.writeable
    if isinstance(x, list | tuple | deque | array):
        return type(x) is type(y) and len(x) == len(y) and all(map(same, x, y))
    return type(x) is type(y) and repr(x) == repr(y)


MATRIX = np.arange(6.0).reshape(2, 3) - 2.5


class Rows(np.ndarray[Any, Any]):
    """A class of arrays of its own."""


ARRAYS = [
    MATRIX,
    np.asfortranarray(MATRIX),
    MATRIX[::-1, ::2],
    MATRIX.T,
    MATRIX.astype(">f8"),
    MATRIX.astype(np.float32),
    MATRIX.astype(int),
    MATRIX.astype(object),
    np.arange(24.0).reshape(2, 3, 4)[:, ::-1].transpose(2, 0, 1),
    np.array(3.0),
    np.array([2.0]),
    np.zeros((0, 3)),
    np.array([-0.0, np.inf, 5e-324]),
]


@pytest.mark.parametrize("x", ARRAYS, ids=range(len(ARRAYS)))
def test_arrays_go_in_and_come_out(x: Any) -> None:
    python, c = both(lambda x: (x * 2.0, x))
    for _ in range(2):
        assert same(python(x), c(x))
        y = np.array(-x)
        assert same(python(y), c(y))
    assert c.cache_info().made == 1


def test_the_gradient_of_an_array_is_an_array() -> None:
    def loss(w: Any, b: Any) -> Any:
        return mg.sum((w * w).sum(axis=1) * b)

    b = np.array([1.5, -0.5])
    python, c = both(mg.value_and_grad(loss, (0, 1)))
    for w in (MATRIX, np.asfortranarray(MATRIX)):
        for _ in range(2):
            assert same(python(w, b), c(w, b))
        python.clear_cache()
        c.clear_cache()


def test_another_kind_of_array_has_a_trace_of_its_own() -> None:
    c = mg.compile(lambda x: x * 2.0, backend="c")
    made = []
    for x in (
        *(MATRIX, MATRIX.astype(int), MATRIX.astype(np.float16), MATRIX.T),
        *(MATRIX.astype(object), MATRIX.view(Rows), MATRIX.ravel(), MATRIX),
    ):
        found = c(x)
        assert type(found) is type(x)
        assert found.tolist() == (x.astype(float) * 2.0).tolist()
        made.append(c.cache_info().made)
    assert made == [1, 1, 1, 2, 3, 4, 5, 5]


def test_an_array_of_values_keeps_its_gradient() -> None:
    c = mg.compile(lambda x: (x * x).sum(), backend="c")
    assert c(np.array([1.0, 2.0])) == 5.0
    values = [Value(1.0), Value(2.0)]
    c(np.array(values)).backward()
    assert [x.grad for x in values] == [2.0, 4.0]
    w = Value(3.0)
    compiled = mg.compile(lambda x: x * w, backend="c")
    for _ in range(2):
        y = compiled(np.array([1.0, 2.0]))
        assert y.dtype == object
        w.grad = None
        y[1].backward()
        assert w.grad == 2.0


def test_what_comes_out_belongs_to_the_caller() -> None:
    c = mg.compile(lambda x: [x * 2.0, x + 1.0], backend="c")
    x = np.ones(3)
    first = c(x)
    first[0][:] = 7.0
    assert [y.tolist() for y in c(x)] == [[2.0] * 3] * 2
    assert first[0].tolist() == [7.0] * 3
    assert first[1].tolist() == [2.0] * 3


@pytest.mark.parametrize("kind", [list, tuple])
def test_long_lists(kind: Any) -> None:
    def f(xs: Any, x: Any) -> Any:
        return kind([y * x for y in xs]), xs[3]

    python, c = both(f)
    numbers = [i / 7.0 for i in range(100)]
    for xs in (
        numbers,
        numbers[::-1],
        [*range(100)],
        [*map(np.float64, numbers)],
        [True, *numbers],
    ):
        assert same(python(kind(xs[:100]), 3.0), c(kind(xs[:100]), 3.0))
    assert c.cache_info().made == python.cache_info().made == 2  # a flag is no number
    for _ in range(2):
        assert same(python(kind(numbers[:99]), 2), c(kind(numbers[:99]), 2))
    assert c.cache_info().made == 3


def test_long_lists_of_other_lengths() -> None:
    def f(xs: Any, ys: Any) -> Any:
        return xs[-1], ys[-1]

    c = mg.compile(f, backend="c")
    numbers = [i / 7.0 for i in range(66)]
    for n, m in ((64, 66), (66, 64), (65, 65), (64, 66)):  # as many numbers in all
        assert c(numbers[:n], numbers[:m]) == f(numbers[:n], numbers[:m])


def test_an_int_that_no_float_holds_is_not_rounded() -> None:
    c = mg.compile(lambda xs: [x + 1 for x in xs], backend="c")
    assert c([1.0] * 64) == [2.0] * 64
    assert c([2**53 + 1] * 64) == [2**53 + 2] * 64
    assert c([Fraction(1)] * 0) == []


def test_a_trace_for_the_classes_of_a_long_list() -> None:
    def f(xs: Any) -> Any:
        return sum(x for x in xs if isinstance(x, float))

    c = mg.compile(f, backend="c")
    for xs in ([1.0] * 64, [1] * 64, [1.0] * 63 + [2], [1.0] * 64):
        assert c(xs) == f(xs)


def test_values_and_numbers_in_one_list() -> None:
    def f(xs: Any) -> Any:
        return mg.sum(x * x for x in xs), isinstance(xs[-1], float)

    c = mg.compile(f, backend="c")
    for _ in range(2):
        w = Value(3.0)
        y, last = c([w, *[0.5] * 80])
        y.backward()
        assert (y.data, w.grad, last) == (29.0, 6.0, True)
    assert c.cache_info().made == 1


def test_one_list_passed_twice() -> None:
    def f(xs: Any, ys: Any) -> Any:
        return [x * y for x, y in zip(xs, ys, strict=True)], xs is ys

    c = mg.compile(f, backend="c")
    xs, ys = np.arange(64.0), np.ones(64)
    for args in ((xs, ys), (xs, xs), (xs.tolist(), ys.tolist()), (xs, ys)):
        assert c(*args) == f(*args)


def test_results_of_all_kinds() -> None:
    point = namedtuple("point", "x y")

    def f(xs: Any) -> Any:
        x = xs[0]
        ys = [y + x for y in xs]
        return {
            "list": ys,
            "tuple": (*ys,),
            "mixed": [1, *ys, None, *ys[2:], 2.0],
            "deque": deque(ys),
            "point": point(ys[5], ys[6]),
            "back": ys[::-1],
            "array": np.array(ys).reshape(8, 8),
            "flags": np.array([True, False]),
            "ints": np.array([1, 2]),
            "none": np.array([]),
        }

    python, c = both(f)
    xs = [i / 3.0 for i in range(64)]
    for _ in range(2):
        assert python(xs).keys() == c(xs).keys()
        for x, y in zip(python(xs).values(), c(xs).values(), strict=True):
            assert same(x, y)


@pytest.mark.parametrize("code", "dfbq")
def test_array_array(code: str) -> None:
    def f(xs: Any) -> Any:
        return mg.sum(x * x for x in xs), isinstance(xs, list)

    xs = array(code, [1, 2, 3])
    expected = array("d", [2.0, 4.0, 6.0])
    squares = lambda xs: f(xs)[0]  # noqa: E731
    assert mg.grad(squares)(xs) == expected
    assert mg.value_and_grad(f, has_aux=True)(xs) == ((14.0, True), expected)
    for compiled in both(mg.grad(squares)):
        for _ in range(2):
            found = compiled(xs)
            assert (type(found), found) == (array, expected)
        assert compiled(array("d", [3.0, 2.0, 1.0])) == array("d", [6.0, 4.0, 2.0])
        assert compiled(array("d", [3.0])) == array("d", [6.0])


def test_array_array_in_other_functions() -> None:
    xs = array("d", [1.0, 2.0])
    assert mg.jacobian(lambda xs: [xs[0] * xs[1], xs[1]])(xs) == [
        array("d", [2.0, 1.0]),
        array("d", [0.0, 1.0]),
    ]
    assert mg.hessian(lambda xs: xs[0] * xs[1])(xs) == [
        array("d", [0.0, 1.0]),
        array("d", [1.0, 0.0]),
    ]
    assert mg.grad(lambda xs: mg.sum(mg.exp(xs)))(xs).tolist() == [mg.exp(1.0), mg.exp(2.0)]
    with pytest.raises(TypeError, match=r"f: expected .* got 'a'|got 'a'"):
        mg.grad(lambda xs: xs[0])(array(TEXT, "ab"))
    with pytest.raises(mg.CompileError, match="changes its argument xs"):
        mg.compile(lambda xs: xs.__setitem__(0, 1.0), backend="c")(xs)


def test_decisions_that_c_does_not_take() -> None:
    def f(xs: Any) -> Any:
        return xs * 2.0 if f"{xs[0]:.0f}" == "1" else xs

    python, c = both(f)
    for x in (1.0, 1.2, 3.0, 1.0):
        xs = np.array([x, 5.0])
        assert same(python(xs), c(xs))
    assert c.cache_info().made == python.cache_info().made


@pytest.mark.parametrize("count", [3, 500])
def test_threads_do_not_share_a_buffer(count: int) -> None:
    def f(xs: Any) -> Any:
        y = xs[0]
        for x in xs:
            y = mg.sin(y) + x
        return xs + y, [y, *xs]

    c = mg.compile(f, backend="c")
    arguments = [np.full(count, i + 0.5) for i in range(8)]
    expected = [c(xs) for xs in arguments]
    wrong: list[Any] = []
    code = c.__call__.__code__

    def switch(frame: Any, event: str, _: object) -> Any:
        """Let another thread go on at each line of generated code."""
        if frame.f_code is not code:
            return None
        time.sleep(0.0)
        return switch

    def work(i: int) -> None:
        sys.settrace(switch)
        for _ in range(50):
            found = c(arguments[i])
            if not same(found, expected[i]):
                wrong.append(found)
        sys.settrace(None)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert c.cache_info().made == 1


@dataclass
class Pair:
    """Two numbers with a name."""

    x: Any
    y: Any
    name: str = "pair"


class Colour(enum.Enum):
    """A key."""

    RED = 1


def test_the_source_with_objects_runs_alone() -> None:
    neuron = mg.nn.Neuron(2)
    keys = (1, "a"), 2.5, b"b", Colour.RED, (), True, math.nan

    def f(model: Any, x: Any) -> Any:
        gradient = mg.grad(lambda model: model([x, 1.0]) ** 2.0)(model)
        counted = defaultdict(list, {5: x, "a": [x]})
        return gradient, Pair(x, [x]), dict.fromkeys(keys, x), counted, 2.5, Colour.RED

    compiled = mg.compile(f)
    gradient, *_ = compiled(neuron, 2.0)
    namespace: dict[str, Any] = {}
    exec(compiled.source, namespace)
    found = namespace["f"](2.0, *[p.data for p in neuron.parameters()])
    slopes = {name: p.data for name, p in gradient._named_values()}
    named = [*keys[:3], "Colour.RED", (), True, "nan"]
    assert found == (
        slopes,
        {"x": 2.0, "y": [2.0], "name": "pair"},
        dict.fromkeys(named, 2.0),
        {5: 2.0, "a": [2.0]},
        2.5,
        "Colour.RED",
    )


def test_the_source_with_arrays_runs_alone() -> None:
    def f(w: Any, x: Any) -> Any:
        return {"y": w * x, "all": w.sum()}, deque([x])

    for compiled in both(f):
        compiled(MATRIX, 2.0)
        namespace: dict[str, Any] = {}
        exec(compiled.source, namespace)
        assert namespace["f"](*MATRIX.ravel().tolist(), 2.0) == (
            {"y": (MATRIX * 2.0).tolist(), "all": MATRIX.sum()},
            [2.0],
        )
