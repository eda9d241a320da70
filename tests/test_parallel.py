"""Value and gradient over many items: the same bits on threads, processes and Dask, or an error."""

import math
import os
import pickle
import random
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from workload import BITS, ITEMS, PARAMS, Awkward, bits, both, expected, fails, loss, of_number

import microgradlib as mg
from microgradlib import Value, nn, trees
from microgradlib.parallel import summing, tasks, value_and_grad, work

any_value_and_grad: Any = value_and_grad


class Now(Executor):
    """An executor that runs tasks when they come, and pickles what goes in and out."""

    def __init__(self) -> None:
        self.sent = self.received = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        sent = pickle.dumps((fn, args, kwargs))
        fn, args, kwargs = pickle.loads(sent)
        self.sent += len(sent)
        try:
            result = pickle.dumps(fn(*args, **kwargs))
            self.received += len(result)
            future.set_result(pickle.loads(result))
        except Exception as error:
            future.set_exception(pickle.loads(pickle.dumps(error)))
        return future


@pytest.fixture(autouse=True)
def _no_cloudpickle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget cloudpickle, which other tests have imported with Dask."""
    monkeypatch.delitem(sys.modules, "cloudpickle", raising=False)


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(3) as executor:
        yield executor


# The result.


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 65, 89, 90, 1000, None])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_bits_do_not_depend_on_the_division(
    threads: Executor, chunk: int | None, compiled: bool
) -> None:
    for executor in (threads, Now()):
        f = both if compiled else loss
        total = value_and_grad(f, executor, has_grad=compiled, chunk=chunk)
        assert bits(total(PARAMS, ITEMS)) == BITS


def same(params: float, item: tuple[float, float]) -> tuple[float, float]:
    """Return given numbers as value and gradient."""
    return item


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([sys.float_info.max, -sys.float_info.max, 1e308, -1e308, 1e-300, 5e-324]),
    st.floats(-1.0, 1.0),
)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=200), st.integers(1, 200), st.booleans())
@example([(1e308, 1.0)] * 180 + [(-1e308, 1.0)] * 179, 90, False)
@example([(1e308, 1.0), (-1e308, 1.0), (1e308, 1.0)], 1, True)
def test_any_numbers_in_any_division(
    items: list[tuple[float, float]], chunk: int, pickled: bool
) -> None:
    columns = [*zip(*items, strict=True)] or [(), ()]
    exact = [sum(map(Fraction, xs), Fraction()) for xs in columns]
    executor: Executor = Now() if pickled else ThreadPoolExecutor(2)
    with executor:
        total = value_and_grad(same, executor, has_grad=True, chunk=chunk)
        try:
            expected = [float(x) for x in exact]
        except OverflowError:
            with pytest.raises(mg.NonFiniteError, match="is beyond the largest float; scale f d"):
                total(0.0, items)
            return
        found = total(0.0, items)
    assert [x.hex() for x in found] == [x.hex() for x in expected]
    for xs, x in zip(columns, found, strict=True):
        with suppress(OverflowError):  # on the way
            assert math.fsum(xs) == x


def test_the_mean_is_the_rounded_sum_divided_once() -> None:
    value, gradient = value_and_grad(loss, Now(), reduction="mean", chunk=7)(PARAMS, ITEMS)
    right, slopes = expected()
    assert (value, gradient) == (right / 90, [x / 90 for x in slopes])


@dataclass
class Line:
    slope: Any
    offset: Any
    name: str = "line"


def of_line(line: Line, x: float) -> Any:
    return (line.slope * x + line.offset) ** 2


def of_nest(params: Any, x: float) -> Any:
    return params["a"][0] * x + params["a"][1][0] * params["b"] * x


def of_array(params: Any, x: float) -> Any:
    return (params * x).sum() * params[0, 1]


def of_doubles(params: Any, x: float) -> Any:
    return params[0] * params[1] * x


@pytest.mark.parametrize(
    ("f", "params"),
    [
        (of_number, 3.0),
        (of_number, 3),
        (of_doubles, [2.0, 3]),
        (of_doubles, (2.0, 3.0)),
        (of_doubles, array("d", [2.0, 3.0])),
        (of_nest, {"a": [1.0, (2.0,)], "b": 4.0}),
        (of_line, Line(2.0, 1.0)),
        (of_array, np.array([[1.0, 2.0], [3.0, 4.0]])),
        (of_array, np.asfortranarray([[1.0, 2.0, 5.0], [3.0, 4.0, 6.0]])),
        (of_array, np.array([[1, 2], [3, 4]])),
    ],
)
@pytest.mark.parametrize("has_grad", [False, True])
def test_the_gradient_has_the_structure_that_grad_gives(
    f: Any, params: Any, has_grad: bool
) -> None:
    items = [1.0, 2.0, 4.0]
    values, gradients = zip(*[mg.value_and_grad(f)(params, x) for x in items], strict=True)
    given = mg.compile(mg.value_and_grad(f)) if has_grad else f
    if has_grad:
        given(params, 1.0)
    value, gradient = value_and_grad(given, Now(), has_grad=has_grad, chunk=2)(params, items)
    assert value == sum(values)
    right = mg.value_and_grad(lambda p: sum([f(p, x) for x in items]))(params)[1]
    assert type(gradient) is type(gradients[0]) is type(right)
    if isinstance(right, np.ndarray):
        assert (gradient.dtype, gradient.flags.c_contiguous) == (float, right.flags.c_contiguous)
        assert (gradient == right).all()
    else:
        assert repr(gradient) == repr(right)


def of_model(model: nn.MLP, item: Any) -> Any:
    return mg.mse_loss(model(item[:2]), item[2:])


@mg.compile
def step_of_model(model: nn.MLP, item: Any) -> Any:
    return mg.value_and_grad(of_model)(model, item)


def of_list(params: list[Any], item: Any) -> Any:
    return (params[0] * item[0] + params[1] * item[1] - item[2]) ** 2


@pytest.mark.usefixtures("stream")
def test_modules_and_parameters() -> None:
    model = nn.MLP(2, [3, 1])
    frozen = model.parameters()[0]
    frozen.requires_grad = False
    items = [(0.5, 0.1, 1.0), (0.25, -1.0, 0.0), (2.0, 1.0, 0.5)]
    value, gradient = value_and_grad(of_model, Now(), chunk=1)(model, items)
    right = mg.grad(lambda m: mg.sum([of_model(m, item) for item in items]))(model)
    assert type(gradient) is nn.MLP
    all_slopes = slopes = [p.data for p in gradient.parameters()]
    assert slopes[0] == 0.0 != slopes[1]
    assert slopes == pytest.approx([p.data for p in right.parameters()], rel=1e-14)
    some = model.parameters()[:2]
    value, slopes = value_and_grad(of_list, Now())(some, items)
    assert {*map(type, [value, *slopes])} == {float}
    assert (some[1].grad, slopes[0] != 0.0) == (0.0, True)
    again, gradient = value_and_grad(step_of_model, Now(), has_grad=True)(model, items)
    assert again == math.fsum([of_model(model, item).data for item in items])
    assert [p.data for p in gradient.parameters()] == pytest.approx(all_slopes, rel=1e-14)


outside = Value(2.0)


def with_outside(w: Any, x: float) -> Any:
    return w * w * outside * x


def values_of_grad(w: Any, x: float) -> Any:
    return Value(w) * x, [Value(x)] if isinstance(w, list) else Value(x)


def test_values_from_outside_become_numbers() -> None:
    for executor in (Now(), ThreadPoolExecutor(1)):
        with executor:
            result = value_and_grad(with_outside, executor)(3.0, [1.0, 2.0])
            assert [*map(repr, result)] == ["54.0", "36.0"]
            result = value_and_grad(values_of_grad, executor, has_grad=True)(3.0, [1.0, 2.0])
            assert [*map(repr, result)] == ["9.0", "3.0"]


def shifted(w: float, item: float, *, by: float) -> Any:
    return w * item + by


def test_keywords_are_bound_first() -> None:
    f = partial(shifted, by=1.0)
    assert value_and_grad(f, Now())(2.0, [1.0, 2.0]) == (8.0, 3.0)
    assert value_and_grad(f, Now()).__name__ == "value_and_grad_of_partial"
    assert value_and_grad(loss, Now()).__name__ == "value_and_grad_of_loss"


def test_items_are_anything_iterable() -> None:
    total = value_and_grad(of_number, Now())
    for items in (range(1, 4), iter([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]), {1.0, 2.0, 3.0}):
        assert total(2.0, items) == (24.0, 24.0)
    assert total(2.0, []) == (0.0, 0.0)
    assert value_and_grad(loss, Now())(PARAMS, ()) == (0.0, [0.0, 0.0, 0.0])


def test_a_compiled_loss_and_a_call_without_recording(threads: Executor) -> None:
    with mg.no_grad():
        assert bits(value_and_grad(mg.compile(loss), threads)(PARAMS, ITEMS)) == BITS
        assert bits(value_and_grad(loss, Now())(PARAMS, ITEMS)) == BITS


# What is sent.


def test_a_compiled_function_is_unpickled_once() -> None:
    tasks._opened.cache_clear()
    f = mg.compile(mg.value_and_grad(lambda w, x: w * w * x))
    f(3.0, 1.0)
    total = value_and_grad(f, Now(), has_grad=True, chunk=1)
    for w in (3.0, 4.0, 5.0):
        assert total(w, [1.0, 2.0, 3.0]) == (w * w * 6.0, w * 12.0)
    info = tasks._opened.cache_info()
    assert (info.misses, info.hits) == (4, 14)  # the function, and three times the parameters
    assert info.maxsize == 4


def test_what_is_pickled_is_pickled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Counted:
        def __reduce__(self) -> Any:
            seen.append(self)
            return of_number, (1.0, 1.0)

    assert tasks.Sent("params", Counted(), pickle.dumps).get() is not None
    sent = tasks.Sent("params", Counted(), pickle.dumps)
    for _ in range(3):
        assert pickle.loads(pickle.dumps(sent)).get() == 1.0
    assert len(seen) == 1


def test_cloudpickle_is_used_where_an_engine_has_brought_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    brought = SimpleNamespace(dumps=lambda x: pickle.dumps("brought"))
    monkeypatch.setitem(sys.modules, "cloudpickle", brought)  # type: ignore[arg-type]
    with ProcessPoolExecutor(1) as pool:  # it starts no process
        for executor, right in ((Now(), "brought"), (pool, loss)):
            (task,) = tasks.make_tasks(loss, 1.0, [1.0], 1, executor, False)
            assert pickle.loads(pickle.dumps(task)).f.get() == right


def test_pools_of_processes_use_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pool(ProcessPoolExecutor):
        submit = Now.submit
        sent = received = 0

    def dumps(x: object) -> bytes:
        raise AssertionError("cloudpickle was called")

    monkeypatch.setitem(sys.modules, "cloudpickle", SimpleNamespace(dumps=dumps))  # type: ignore[arg-type]
    with Pool(1) as pool:
        assert bits(value_and_grad(loss, pool)(PARAMS, ITEMS)) == BITS


def test_bytes_of_a_number() -> None:
    rng = random.Random(1)
    params = [rng.gauss(0.0, 1.0) for _ in range(10_000)]
    executor = Now()
    f = mg.value_and_grad(lambda p, x: mg.dot(p, p) * x)  # not sent
    gradient = tasks.make_tasks(f, params, [1.0], 1, executor, True)[0].params
    assert len(pickle.dumps(gradient)) < 10 * len(params)
    rows = [array("d", [rng.gauss(0.0, 1.0) for _ in params]) for _ in range(50)]
    sums = work.Sums()
    sums.add(rows)
    sums.condense()
    assert 1 < len(sums.rows) <= 3
    assert len(pickle.dumps(sums.rows)) < 8 * len(sums.rows) * len(params) + 500


def test_rows_are_condensed_from_time_to_time() -> None:
    sums, longest = work.Sums(), 0
    for i in range(1000):
        sums.add([array("d", [1.0 / (i + 1), 1.0])])
        longest = max(longest, len(sums.rows))
    assert longest < 100
    assert [math.fsum(xs) for xs in zip(*sums.rows, strict=True)] == [
        math.fsum([1.0 / (i + 1) for i in range(1000)]),
        1000.0,
    ]
    wide = [array("d", [2.0**1000]), array("d", [2.0**-1000])]
    few = work.Sums()
    few.add(wide)
    few.condense()
    assert few.rows == wide


def test_chunks() -> None:
    class Counting(Now):
        counts: list[int]

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            self.counts.append(args[0].count)
            return super().submit(fn, *args, **kwargs)

    executor = Counting()
    for chunk, count, right in [(4, 10, [4, 4, 2]), (10, 10, [10]), (99, 3, [3]), (1, 2, [1, 1])]:
        executor.counts = []
        value_and_grad(of_number, executor, chunk=chunk)(1.0, range(count))
        assert executor.counts == right
    executor.counts = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "cpu_count", lambda: 2)
        value_and_grad(of_number, executor)(1.0, range(17))
        assert executor.counts == [3, 3, 3, 3, 3, 2]
        executor.counts = []
        patch.setattr(os, "cpu_count", lambda: None)
        value_and_grad(of_number, executor)(1.0, range(8))
        assert executor.counts == [2, 2, 2, 2]


def test_calls_are_told_apart() -> None:
    """Engines such as Dask take two equal calls for one."""
    made = [tasks.make_tasks(loss, PARAMS, [ITEMS[0]] * 3, 1, Now(), False) for _ in range(2)]
    assert len({(task.call, task.index) for part in made for task in part}) == 6


# Errors.


class Table:
    """What looks like a DataFrame, whose items are the names of its columns."""

    columns = ("x", "y")

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def to_numpy(self) -> None: ...


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: any_value_and_grad(3, Now()), TypeError, "f must be a function, got 3; pass f"),
        (
            lambda: any_value_and_grad(loss, 2),
            TypeError,
            r"executor must be a concurrent.futures.Executor, got 2; pass ProcessPoolExecutor\(\)",
        ),
        (
            lambda: any_value_and_grad(loss, type("Client", (), {"get_executor": 1})),
            TypeError,
            r"pass client.get_executor\(pure=False\)$",
        ),
        (
            lambda: any_value_and_grad(loss, Now(), reduction="max"),
            ValueError,
            "reduction must be 'sum' or 'mean', got 'max'",
        ),
        (lambda: value_and_grad(loss, Now(), chunk=0), ValueError, ">= 1 or None, got 0"),
        (lambda: value_and_grad(loss, Now(), chunk=True), ValueError, "or None, got True"),
        (lambda: any_value_and_grad(loss, Now(), chunk=1.0), ValueError, "or None, got 1.0"),
        (lambda: value_and_grad(loss, Now(), timeout=0.0), ValueError, "> 0 or None, got 0.0"),
        (lambda: value_and_grad(loss, Now(), timeout=True), ValueError, "None, got True"),
        (lambda: value_and_grad(loss, Now(), timeout=math.nan), ValueError, "None, got nan"),
        (lambda: any_value_and_grad(loss, Now(), timeout="1"), ValueError, "None, got '1'"),
        (lambda: value_and_grad(loss, Now())(["a"], ITEMS), TypeError, r"params\[0\]: expected a"),
        (
            lambda: value_and_grad(loss, Now())([outside * 2.0, 1.0, 2.0], ITEMS),
            TypeError,
            r"\[0\] is computed, Value\(.*\), .* from what; pass .* from, or its detach\(\)$",
        ),
        (
            lambda: value_and_grad(loss, Now(), reduction="mean")(PARAMS, []),
            mg.ShapeError,
            "no items, which have no mean; do not call it then",
        ),
        (
            lambda: any_value_and_grad(loss, Now())(PARAMS, Table()),
            TypeError,
            "^parallel.value_and_grad: items: expected .*; use its to_numpy",
        ),
        (lambda: any_value_and_grad(loss, Now())(PARAMS, 3), TypeError, "an iterable, got 3"),
        (
            lambda: mg.grad(lambda p: value_and_grad(loss, Now())(p, ITEMS)[0])(PARAMS),
            TypeError,
            "called in a function that is being differentiated, .*; call it outside",
        ),
        (
            lambda: mg.compile(lambda p: value_and_grad(loss, Now())(p, ITEMS)[0])(PARAMS),
            mg.CompileError,
            r"and_grad\(\) in a function that is compiled would run only .*; call it outside$",
        ),
    ],
)
def test_misuse(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_detached_value_is_a_number() -> None:
    assert value_and_grad(of_number, Now())((outside * 2.0).detach(), [1.0]) == (16.0, 8.0)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_what_f_raises_comes_through(threads: Executor, chunk: int) -> None:
    for executor in (Now(), threads):
        total = value_and_grad(fails, executor, chunk=chunk)
        with pytest.raises(KeyError, match="negative") as caught:
            total(1.0, [1.0, 2.0, 3.0, 4.0, -1.0, 6.0, -2.0, "awkward"])
        assert caught.value.__notes__ == ["parallel.value_and_grad: fails raised this at item 4"]
        if executor is threads:
            assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(Awkward) as awkward:
        value_and_grad(fails, threads)(1.0, ["awkward"])
    assert awkward.value.__notes__ == ["parallel.value_and_grad: fails raised this at item 0"]
    for item, text in (("awkward", "Awkward: 3: bad sensor"), ("forgetful", "Forgetful: what was")):
        with pytest.raises(RuntimeError, match=text) as replaced:
            value_and_grad(fails, Now(), chunk=1)(1.0, [1.0, item])
        assert replaced.value.__notes__ == ["parallel.value_and_grad: fails raised this at item 1"]


def test_numbers_that_are_not_finite_name_the_item() -> None:
    def error(f: Any, params: Any, items: Any, **options: Any) -> str:
        with ThreadPoolExecutor(1) as executor, pytest.raises(mg.NonFiniteError) as caught:
            value_and_grad(f, executor, chunk=2, **options)(params, items)
        assert caught.value.__notes__[0].endswith("raised this at item 3")
        return str(caught.value)

    assert "value_and_grad: the derivative of sqrt(0.0)" in error(
        lambda w, x: mg.sqrt(w * x), 1.0, [1.0, 2.0, 1.0, 0.0]
    )
    items = [(1.0, [1.0, 2.0])] * 3
    given: Any = lambda w, item: item  # noqa: E731
    assert error(given, [0.0, 0.0], [*items, (math.inf, [1.0, 2.0])], has_grad=True) == (
        "parallel.value_and_grad: the value is inf at item 3; leave the item out, or change f "
        "where it overflows"
    )
    for x in (math.nan, -math.inf):
        message = error(given, [0.0, 0.0], [*items, (1.0, [1.0, x])], has_grad=True)
        assert f"the derivative with respect to params[1] is {x} at item 3" in message
    with mg.allow_nonfinite():
        error(given, [0.0, 0.0], [*items, (math.nan, [1.0, 2.0])], has_grad=True)


@pytest.mark.parametrize(
    ("params", "result", "error", "message"),
    [
        (1.0, 1.0, TypeError, r"with has_grad=True, <lambda> must return a pair .*, got 1.0"),
        (1.0, (1.0, 2.0, 3.0), TypeError, r"must return a pair \(value, gradient\), got \(1.0"),
        (1.0, ([1.0], 2.0), TypeError, r"the value of f must be a number, got \[1.0\]"),
        (1.0, (1.0, [2.0]), mg.ShapeError, r"must have the structure of params, got \[2.0\] for 1"),
        ([1.0, 2.0], (1.0, [2.0]), mg.ShapeError, "the gradient of <lambda> must have the struct"),
        ([1.0, 2.0], (1.0, [2.0, [3.0]]), mg.ShapeError, "must have the structure of params"),
        ([[1.0], [2.0]], (1.0, [2.0, 3.0]), mg.ShapeError, "must have the structure of params"),
        (np.ones(2), (1.0, np.ones(3)), mg.ShapeError, "must have the structure of params"),
        (np.ones((2, 1)), (1.0, np.ones((1, 2))), mg.ShapeError, "must have the structure of"),
        (np.ones((2, 1)), (1.0, np.ones((2, 2))), mg.ShapeError, "must have the structure of"),
        (array("d", [1.0]), (1.0, array("d", [1.0, 1.0])), mg.ShapeError, "must have the struct"),
        ([1.0], (1.0, ["a"]), TypeError, r"^parallel.*: gradient\[0\]: expected a"),
    ],
)
def test_functions_that_return_no_gradient(
    params: Any, result: Any, error: type[Exception], message: str
) -> None:
    with ThreadPoolExecutor(1) as executor, pytest.raises(error, match=message):
        value_and_grad(lambda w, x: result, executor, has_grad=True)(params, [1.0])


@pytest.mark.parametrize(
    ("params", "gradient"),
    [([1.0, 2.0], (3.0, 4)), (np.ones(2), [3.0, 4.0]), ([1, 2.0], [3.0, 4.0])],
)
def test_gradients_in_another_container(params: Any, gradient: Any) -> None:
    with ThreadPoolExecutor(1) as executor:
        total = value_and_grad(lambda w, x: [2, gradient], executor, has_grad=True)
        value, found = total(params, [1.0, 1.0])
    assert (value, [*found], type(found)) == (4.0, [6.0, 8.0], type(params))


@pytest.mark.parametrize("kind", [list, np.array, partial(array, "d")])
def test_usual_gradients_are_not_taken_apart(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def flatten(function: str, where: str, tree: Any) -> Any:
        names.append(where)
        return trees.flatten(function, where, tree)

    monkeypatch.setattr(work, "flatten", flatten)
    gradient = kind([3.0, 4.0])
    with ThreadPoolExecutor(1) as executor:
        total = value_and_grad(lambda w, x: (1.0, gradient), executor, has_grad=True, chunk=9)
        assert [*total(kind([1.0, 2.0]), range(5))[1]] == [15.0, 20.0]
    assert names == ["params"]


def test_a_function_that_is_not_found_by_its_name() -> None:
    with pytest.raises(pickle.PicklingError) as caught:
        value_and_grad(lambda w, x: w, Now())(1.0, [1.0])
    message = str(caught.value)
    assert message.startswith("parallel.value_and_grad: f cannot be sent to the workers: Can't ")
    assert message.endswith(
        "; define the function with def at the top of a module that the workers can import, or "
        "compile it and call it once before"
    )
    untraced = mg.compile(lambda w, x: w)
    with pytest.raises(pickle.PicklingError, match="when it is unpickled, and has no traces"):
        value_and_grad(untraced, Now())(1.0, [1.0])
    with pytest.raises(
        pickle.PicklingError, match=r"items cannot be sent .*; pass what pickle tak"
    ):
        value_and_grad(of_number, Now())(1.0, [lambda: 1.0])

    @dataclass
    class Local:
        w: float

    with pytest.raises(pickle.PicklingError, match=r"params cannot be sent .*; define the classes"):
        value_and_grad(of_line, Now())(Local(1.0), [1.0])


def gone(w: Any, x: float) -> Any:
    return w


def test_a_function_that_a_worker_does_not_find(monkeypatch: pytest.MonkeyPatch) -> None:
    (task,) = tasks.make_tasks(gone, 1.0, [1.0], 1, Now(), False)
    sent = pickle.dumps(task)
    monkeypatch.delattr(sys.modules[__name__], "gone")
    received = pickle.loads(sent)  # that breaks no pool
    tasks._opened.cache_clear()
    with pytest.raises(
        pickle.UnpicklingError, match=r"a worker cannot unpickle f: .*gone.*; defin"
    ):
        work.add_up(received)


def test_the_cause_of_the_error_of_an_engine() -> None:
    class Wrapping(Executor):
        def __init__(self, error: Exception) -> None:
            self.error = error

        def map(self, fn: Any, *iterables: Any, timeout: Any = None, chunksize: int = 1) -> Any:
            if isinstance(self.error, BrokenProcessPool):
                raise self.error
            raise TypeError("could not serialize") from self.error

    try:
        raise pickle.PicklingError("parallel.value_and_grad: f cannot be sent")
    except pickle.PicklingError as error:
        inner = OSError("x")
        inner.__cause__ = error
    with pytest.raises(pickle.PicklingError, match="f cannot be sent"):
        value_and_grad(loss, Wrapping(inner))(PARAMS, ITEMS)
    with pytest.raises(BrokenProcessPool) as broken:
        value_and_grad(loss, Wrapping(BrokenProcessPool("gone")))(PARAMS, ITEMS)
    (note,) = broken.value.__notes__
    assert note.endswith("and nothing was added up; make a new executor and call it again")
    with pytest.raises(TypeError, match="could not serialize") as caught:
        value_and_grad(loss, Wrapping(pickle.PicklingError("of another")), chunk=45)(PARAMS, ITEMS)
    (note,) = caught.value.__notes__
    assert note == (
        "parallel.value_and_grad: there is no result for the items from 0 to 44, and nothing was "
        "added up"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda results: results[::-1], "the result of another task, .* in the place of task 0"),
        (lambda results: [results[0], *results], "in the place of task 1, and nothing was added"),
        (lambda results: results[:-1], "returned too few results; nothing was added up"),
        (lambda results: [("0", *x[1:]) for x in results], "the result of another task"),
        (lambda results: [(*x[:2], 7, x[3]) for x in results], r"another task, \[0, 7\], in the"),
    ],
)
def test_an_executor_that_mixes_results_up(change: Any, message: str) -> None:
    class Mixing(Now):
        def map(self, fn: Any, *iterables: Any, timeout: Any = None, chunksize: int = 1) -> Any:
            return change([*super().map(fn, *iterables)])

    with pytest.raises(RuntimeError, match=message):
        value_and_grad(loss, Mixing(), chunk=30)(PARAMS, ITEMS)


def test_a_timeout() -> None:
    release = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        try:
            with pytest.raises(TimeoutError) as caught:
                value_and_grad(
                    lambda w, x: release.wait(60.0) * w, executor, timeout=0.05, chunk=1
                )(1.0, [1.0, 2.0])
        finally:
            release.set()
    assert "there is no result for the items from 0 to 0" in caught.value.__notes__[0]


def test_tasks_that_are_not_begun_are_cancelled() -> None:
    ran = []

    def f(w: Any, x: float) -> Any:
        ran.append(x)
        time.sleep(0.02)
        return 1.0 / x * w

    with ThreadPoolExecutor(1) as executor, pytest.raises(ZeroDivisionError):
        value_and_grad(f, executor, chunk=1)(1.0, [0.0, *[1.0] * 200])
    assert len(ran) < 100


# The progress bar.


def test_a_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    total = value_and_grad(loss, Now(), chunk=40, progress=True)
    assert bits(total(PARAMS, ITEMS)) == BITS
    shown = capsys.readouterr().err
    assert "90/90" in shown
    assert "item/s" in shown
    value_and_grad(loss, Now())(PARAMS, ITEMS)
    assert capsys.readouterr().err == ""


def test_no_progress_bar_without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ModuleNotFoundError, match="needs tqdm; install it with: pip install tqdm"):
        value_and_grad(loss, Now(), progress=True)
    assert bits(value_and_grad(loss, Now())(PARAMS, ITEMS)) == BITS


def test_importing_the_library_does_not_import_executors() -> None:
    assert not {"Executor", "ProcessPoolExecutor"} & {*vars(summing), *vars(tasks), *vars(work)}
