"""scan: a loop over steps, eager and compiled, and derivatives through it."""

import math
import pickle
import random
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compilers import compiler

import microgradlib as mg
from microgradlib import CompileError, ShapeError, Value, scan
from microgradlib.compiling import looping
from microgradlib.numeric import loops
from microgradlib.testing import TEMPLATES

needs_compiler = pytest.mark.skipif(not compiler(), reason="no C compiler")
BACKENDS: list[Any] = ["python", pytest.param("c", marks=needs_compiler)]
backends = pytest.mark.parametrize("backend", BACKENDS)


def compiled(f: Callable[..., Any], backend: str) -> Any:
    return mg.compile(f, backend=backend)


def has_loop(f: Any) -> bool:
    return "scan(step" in f.source


def numbers(x: Any) -> list[float]:
    return [z for y in x for z in numbers(y)] if isinstance(x, list | tuple) else [x]


# What it means.


def test_a_loop() -> None:
    assert scan(lambda c, x: (c + x, c * x), 1.0, [2.0, 3.0]) == (6.0, [2.0, 9.0])
    assert scan(lambda c, x: (c + x, c), 0.0, [1.0, 2.0, 4.0], reverse=True) == (
        7.0,
        [6.0, 4.0, 0.0],
    )
    assert scan(lambda c, x: (2.0 * c, x), 1.0, length=3) == (8.0, None)
    assert scan(lambda c, x: (c + 1, c), 0, length=np.int64(2)) == (2, [0, 1])
    assert scan(lambda c, x: (c, c), 1.5, length=0) == (1.5, [])
    assert scan(lambda c, x: (c, c), 1.5, []) == (1.5, [])
    assert scan(lambda c, x: (c, None), None, [1.0]) == (None, None)


def test_rows_and_results_of_all_kinds() -> None:
    def step(c: Any, x: Any) -> Any:
        return {"n": c["n"] + x["a"]}, (x["b"][0] * 2.0, {"c": [c["n"]]})

    xs = {"a": [1.0, 2.0], "b": [[3.0, 4.0], [5.0, 6.0]]}
    expected = {"n": 3.0}, ([6.0, 10.0], {"c": [[0.0], [1.0]]})
    assert scan(step, {"n": 0.0}, xs) == expected
    assert mg.compile(lambda c, xs: scan(step, c, xs))({"n": 0.0}, xs) == expected


@backends
def test_arrays(backend: str) -> None:
    def f(c: Any, xs: Any) -> Any:
        return scan(lambda c, x: (c * x[0] + 1.0, (c.sum(), c)), c, xs)

    c, xs = np.array([0.5, 2.0]), np.array([[1.0, 2.0], [3.0, 4.0]])
    last, (sums, carries) = f(c, xs)
    assert np.array_equal(last, [5.5, 10.0])
    assert type(sums) is np.ndarray
    assert np.array_equal(sums, [2.5, 4.5])
    assert np.array_equal(carries, [[0.5, 2.0], [1.5, 3.0]])
    found, (more, rows) = compiled(f, backend)(c, xs)
    assert np.array_equal(found, last)
    assert np.array_equal(more, sums)
    assert np.array_equal(rows, carries)
    doubles = scan(lambda c, x: (c, c[0] * x), array("d", [2.0]), array("d", [1.0, 2.0]))
    assert doubles == (array("d", [2.0]), [2.0, 4.0])


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (TypeError, "step must be a function, got 3", lambda: scan(3, 1.0)),  # type: ignore[arg-type]
        (ValueError, "pass length, or xs with rows", lambda: scan(lambda c, x: (c, x), 1.0)),
        (TypeError, "must return a pair", lambda: scan(lambda c, x: c, 1.0, length=2)),
        (TypeError, "must return a pair", lambda: scan(lambda c, x: [c, c], 1.0, length=2)),
        (ShapeError, "structure of init", lambda: scan(lambda c, x: ([c], x), 1.0, length=2)),
        (ShapeError, "structure of init", lambda: scan(lambda c, x: ([*c], x), (1.0,), length=2)),
        (ShapeError, "xs has 1 rows, and length", lambda: scan(lambda c, x: (c, x), 1.0, [1.0], 2)),
        (ShapeError, "xs is 5.0 and has no axis", lambda: scan(lambda c, x: (c, x), 1.0, 5.0)),
        (ShapeError, "1 and 2 rows", lambda: scan(lambda c, x: (c, x), 1.0, ([1.0], [1.0, 2.0]))),
        (TypeError, "the result.* 'a'", lambda: scan(lambda c, x: (c, "a"), 1.0, length=2)),
        (TypeError, "init: expected a number", lambda: scan(lambda c, x: (c, x), "a", length=2)),
        (ValueError, "length must be an int", lambda: scan(lambda c, x: (c, x), 1.0, length=-1)),
        (ValueError, "length must be an int", lambda: scan(lambda c, x: (c, x), 1.0, length=True)),
        (ValueError, "length must be an int", lambda: scan(lambda c, x: (c, x), 1.0, length=2.5)),  # type: ignore[arg-type]
        (
            ValueError,
            "checkpoint must be an int, 1 or more, got 0",
            lambda: scan(lambda c, x: (c, x), 1.0, length=2, checkpoint=0),
        ),
        (
            ValueError,
            "snapshots must be an int",
            lambda: scan(lambda c, x: (c, x), 1.0, length=2, snapshots="3"),  # type: ignore[arg-type]
        ),
        (
            ValueError,
            "checkpoint or snapshots, not both",
            lambda: scan(lambda c, x: (c, x), 1.0, length=2, checkpoint=1, snapshots=1),
        ),
        (
            ValueError,
            "stop must be from 1 to 2, as there are rows, got 3",
            lambda: scan(lambda c, x: (c, x), 1.0, length=2, stop=3),
        ),
        (ValueError, "got 0", lambda: scan(lambda c, x: (c, x), 1.0, [1.0, 2.0], stop=0)),
        (TypeError, "stop must be an int", lambda: scan(lambda c, x: (c, x), 1.0, [1.0], stop=1.0)),  # type: ignore[arg-type]
        (
            TypeError,
            "stop must be an int, got Value",
            lambda: scan(lambda c, x: (c, x), 1.0, [1.0], stop=Value(1.0)),  # type: ignore[arg-type]
        ),
    ],
)
def test_bad_input(error: type[Exception], match: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=f"scan: .*{match}"):
        call()
    with pytest.raises(error, match=f"scan: .*{match}"):
        mg.compile(lambda x: call())(1.0)


def test_results_that_differ_in_structure() -> None:
    def step(c: Any, x: Any) -> Any:
        return c + 1.0, [x] if c else x

    with pytest.raises(ShapeError, match="scan: the result of step differs in structure"):
        scan(step, 0.0, [1.0, 2.0])


# Derivatives.


def plain(c: Any, w: Any, xs: Any, **options: Any) -> Any:
    def step(c: Any, x: Any) -> Any:
        return c * mg.cos(w) + mg.sin(x * c) * w, c * c

    last, ys = scan(step, c, xs, **options)
    return last + mg.sum(ys)


def carry_is_a_result(c: Any, w: Any, xs: Any, **options: Any) -> Any:
    def step(c: Any, x: Any) -> Any:
        new = [c[0] * w + x, c[1] * c[0] * 0.5 - mg.tanh(x * w)]
        return new, (new[0], new[1] * c[0], c[1])

    last, ys = scan(step, [c, 0.5], xs, reverse=True, **options)
    return last[0] * last[1] + mg.dot(ys[0], ys[1]) + mg.prod(ys[2])


def two_loops(c: Any, w: Any, xs: Any, **options: Any) -> Any:
    def outer(c: Any, x: Any) -> Any:
        inner, zs = scan(lambda d, k: (d * w + mg.sin(d * x), d * x), c, length=4, **options)
        return inner, mg.sum(zs) * w

    last, ys = scan(outer, c, xs, **options)
    return last * last + ys[0] * ys[1]


def training(c: Any, w: Any, xs: Any, **options: Any) -> Any:
    def step(p: Any, x: Any) -> Any:
        slope = mg.grad(lambda p: (mg.tanh(p[0] * x + p[1]) * w - 0.3) ** 2)(p)
        return [a - 0.1 * b for a, b in zip(p, slope, strict=True)], p[0]

    last, ys = scan(step, [c, 0.0], xs, **options)
    return last[0] ** 2 + last[1] + mg.sum(ys)


def from_ints(c: Any, w: Any, xs: Any, **options: Any) -> Any:
    def step(carry: Any, x: Any) -> Any:
        i, c, unused = carry
        return (i + 1, mg.exp(-c * c) * w + x + i, unused), 3.0

    last, ys = scan(step, (0, c, w), xs, **options)
    return last[0] * last[1] + ys[0]


def kinks(c: Any, w: Any, xs: Any, **options: Any) -> Any:
    def step(c: Any, x: Any) -> Any:
        return mg.maximum(c - x, mg.relu(w - c), 0.1), abs(c) * mg.minimum(c, w)

    last, ys = scan(step, c, xs, **options)
    return last + mg.sum(ys)


def replaced(c: Any, w: Any, xs: Any, **options: Any) -> Any:
    def step(carry: Any, x: Any) -> Any:
        c = carry[1]
        return [c * w, mg.dot([w, c], [w, x])], w

    last, ys = scan(step, [w, c], xs, **options)
    return last[0] * last[1] + mg.sum(ys) * w


def results_are_one_number(c: Any, w: Any, xs: Any, **options: Any) -> Any:
    def step(carry: Any, x: Any) -> Any:
        a, b = carry
        return [mg.tanh(b * x), a], [a, a, w, w, a * w]

    last, ys = scan(step, [c, w], xs, **options)
    weights = [[1.0, 10.0, 0.1, 5.0, 3.0]] * 4 + [[2.0, 7.0, 0.5, 4.0, 1.0]]
    return mg.sum(last) + sum([mg.dot(y, v) for y, v in zip(ys, weights, strict=True)])


LOSSES = [plain, carry_is_a_result, two_loops, training, from_ints, kinks, replaced]
LOSSES += [results_are_one_number]
TRANSFORMS: dict[str, Callable[..., Any]] = {
    "value_and_grad": lambda f: mg.value_and_grad(f, (0, 1, 2)),
    "jacobian": lambda f: mg.jacobian(f, (0, 1, 2)),
    "jvp": lambda f: lambda *p: mg.jvp(f, p, (1.0, 0.5, [0.1, -1.0, 0.0, 2.0, 0.5])),
    "hessian": lambda f: mg.hessian(f, (0, 1, 2)),
    "hvp": lambda f: lambda *p: mg.hvp(f, p, (1.0, 0.5, [0.1, -1.0, 0.0, 2.0, 0.5])),
    "grad of grad": lambda f: mg.grad(lambda c, w, x: mg.grad(f)(c, w, x) ** 2, (0, 1, 2)),
}
ARGUMENTS = 0.5, 0.3, [1.0, 2.0, -3.0, 0.4, 0.7]


@backends
@pytest.mark.parametrize("f", LOSSES)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_derivatives(f: Any, transform: str, backend: str) -> None:
    derived = TRANSFORMS[transform](f)
    g = compiled(derived, backend)
    found, expected = numbers(g(*ARGUMENTS)), numbers(derived(*ARGUMENTS))
    assert has_loop(g)
    if f not in (two_loops, replaced, results_are_one_number) and transform in (
        "value_and_grad",
        "jvp",
    ):
        assert found == expected
    else:  # some sums are added up in another order
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-14)
    other = 0.4, 0.35, [0.5, -1.0, 2.0, 0.3, 1.0]
    assert numbers(g(*other)) == pytest.approx(numbers(derived(*other)), rel=1e-12, abs=1e-14)


def test_forward_mode_is_one_loop() -> None:
    def f(p: Any, n: int) -> Any:
        def step(carry: Any, _: Any) -> Any:
            s, t = carry  # of which t is a plain number
            return (s * p + mg.sin(s) * mg.cos(t), t + 0.1), None

        return scan(step, (0.5, 0.0), length=n)[0][0]

    lengths = []
    for n in (10, 999):
        g = mg.compile(lambda p, n=n: mg.jvp(lambda p: f(p, n), (p,), (1.0,)))
        assert g(0.5) == mg.jvp(lambda p, n=n: f(p, n), (0.5,), (1.0,))
        lengths.append(len(g.source))
    assert lengths[1] <= lengths[0] + 9


@backends
def test_rows_that_nothing_depends_on(backend: str) -> None:
    def f(xs: Any) -> Any:
        return scan(lambda c, x: (c * c, None), xs[0], xs)[0]

    g = compiled(mg.grad(lambda xs: mg.dot(mg.grad(f)(xs), xs)), backend)
    assert g([0.5, 2.0]) == [2.0, 0.0]  # of 4 x**3 * x
    assert has_loop(g)


@backends
@pytest.mark.parametrize("f", LOSSES)
@pytest.mark.parametrize(
    "options",
    [{"checkpoint": 1}, {"checkpoint": 2}, {"checkpoint": 9}, {"snapshots": 1}, {"snapshots": 2}],
)
def test_schedules_have_the_same_bits(f: Any, options: Any, backend: str) -> None:
    g = compiled(mg.value_and_grad(lambda *args: f(*args, **options), (0, 1, 2)), backend)
    assert g(*ARGUMENTS) == compiled(mg.value_and_grad(f, (0, 1, 2)), backend)(*ARGUMENTS)


@backends
def test_values(backend: str) -> None:
    def f(w: Any) -> Any:
        last, ys = scan(lambda c, x: (c * w + mg.sin(x * w), c), w * 0.5, [1.0, 2.0, -3.0])
        return last * mg.sum(ys)

    def of_gradient(w: Any) -> Any:
        return mg.grad(f)(w) ** 2

    for g in (f, of_gradient):
        eager, traced = Value(0.7), Value(0.7)
        g(eager).backward()
        compiled(g, backend)(traced).backward()
        assert traced.grad == pytest.approx(eager.grad, rel=1e-13)


@backends
def test_values_from_outside(backend: str) -> None:
    w, fixed = Value(0.3, label="w"), Value(2.0)
    fixed.requires_grad = False

    def f(x: Any) -> Any:
        last, ys = scan(lambda c, x: (c * w + mg.sin(x * w) * fixed, w), x, [1.0, 2.0])
        return last * ys[0]

    f(0.5).backward()
    expected, w.grad = w.grad, 0.0
    g = compiled(f, backend)
    g(0.5).backward()
    assert w.grad == expected
    w.data = 0.6
    assert g(0.5).data == f(0.5).data


@backends
def test_without_recording(backend: str) -> None:
    def f(x: Any) -> Any:
        with mg.no_grad():
            last, _ = scan(lambda c, x: (c * x, c), x, [2.0, 3.0])
        return last * x

    x = Value(0.5)
    compiled(f, backend)(x).backward()
    assert x.grad == 3.0


def step_of(draw: random.Random) -> tuple[Callable[..., Any], int]:
    """Return a random step with a carry of some numbers, and their number."""
    size = draw.randrange(1, 4)
    names = [*[f"c[{i}]" for i in range(size)], "x", "w"]
    lines = []
    for i in range(draw.randrange(1, 8)):
        text = draw.choice(TEMPLATES).format(a=draw.choice(names), b=draw.choice(names))
        lines.append(f"t{i} = mg.tanh({text})")
        names.append(f"t{i}")
    chosen = [draw.choice(names) for _ in range(size)]
    results = [draw.choice(names) for _ in range(draw.randrange(3))]
    listed = ", ".join(chosen)
    source = "\n    ".join(
        ["def step(c, x, w):", *lines, f"return [{listed}], [{', '.join(results)}]"]
    )
    namespace: dict[str, Any] = {"mg": mg}
    exec(source, namespace)
    return namespace["step"], size


@pytest.mark.parametrize(
    "seed", [0, 1, 2, *[pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 60)]]
)
def test_random_steps(seed: int) -> None:
    draw = random.Random(seed)
    step, size = step_of(draw)
    length, reverse = draw.randrange(1, 6), draw.random() < 0.5
    options = draw.choice([{}, {"checkpoint": 2}, {"snapshots": 2}])
    options["stop"] = draw.choice([None, draw.randrange(1, length + 1)])

    def f(c: Any, w: Any, xs: Any) -> Any:
        last, ys = scan(lambda c, x: step(c, x, w), c, xs, reverse=reverse, **options)
        return mg.sum(last) + sum([mg.sum(y) * (1.0 + i) for i, y in enumerate(ys)])

    c = [draw.uniform(-1.0, 1.0) for _ in range(size)]
    xs = [draw.uniform(-1.0, 1.0) for _ in range(length)]
    directions = [1.0] * size, 0.5, [0.1] * length
    derived = draw.choice(
        [
            mg.value_and_grad(f, (0, 1, 2)),
            mg.hessian(f, (0, 1)),
            lambda *p: mg.jvp(f, p, directions),
        ]
    )
    try:
        expected = numbers(derived(c, 0.3, xs))
    except (ValueError, ArithmeticError) as error:
        with pytest.raises(type(error)):
            mg.compile(derived)(c, 0.3, xs)
        return
    for backend in ("python", "c") if compiler() else ("python",):
        found = numbers(compiled(derived, backend)(c, 0.3, xs))
        assert found == pytest.approx(expected, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize(
    "seed", [0, 1, *[pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 30)]]
)
def test_random_loops_in_loops(seed: int) -> None:
    draw = random.Random(seed)
    (outer, size), (inner, inner_size) = step_of(draw), step_of(draw)
    rows, inner_rows, reads = draw.randrange(1, 4), draw.randrange(1, 4), draw.randrange(4)
    choices = [{}, {"checkpoint": 2}, {"snapshots": 2}, {"reverse": True}]
    options: list[dict[str, Any]] = [draw.choice(choices) for _ in range(2)]

    def f(c: Any, w: Any, xs: Any) -> Any:
        def step(c: Any, x: Any) -> Any:
            read = [w, c[0], x, w * c[0]][reads]
            init = [c[i % size] for i in range(inner_size)]
            inner_xs = [x * (0.5 + i) for i in range(inner_rows)]
            d, zs = scan(lambda d, k: inner(d, k, read), init, inner_xs, **options[0])
            new, ys = outer(c, x + d[0], w)
            return new, [*ys, mg.sum(d), *[z for row in zs for z in row]]

        last, ys = scan(step, c, xs, **options[1])
        return mg.sum(last) + sum([mg.sum(y) * (1.0 + i) for i, y in enumerate(ys)])

    c = [draw.uniform(-1.0, 1.0) for _ in range(size)]
    xs = [draw.uniform(-1.0, 1.0) for _ in range(rows)]
    derived = draw.choice(
        [
            mg.value_and_grad(f, (0, 1, 2)),
            mg.hessian(f, 1),
            lambda *p: mg.jvp(f, p, ([1.0] * size, 0.5, [0.1] * rows)),
        ]
    )
    try:
        expected = numbers(derived(c, 0.3, xs))
    except (ValueError, ArithmeticError):
        return
    for backend in ("python", "c") if compiler() else ("python",):
        found = numbers(compiled(derived, backend)(c, 0.3, xs))
        assert found == pytest.approx(expected, rel=1e-10, abs=1e-11)


# Loops that stop before the last row.


def test_rows_after_the_stop_are_left_out() -> None:
    def step(c: Any, x: Any) -> Any:
        return c + 1.0 / x, [c, x]

    xs = [1.0, 2.0, 4.0, 0.0, 0.0]
    assert scan(step, 0.0, xs, stop=3) == (
        1.75,
        [[0.0, 1.0], [1.0, 2.0], [1.5, 4.0], *[[0.0] * 2] * 2],
    )
    last, ys = scan(step, 0.0, xs, stop=3, reverse=True)
    assert (last, ys) == (1.75, [[0.75, 1.0], [0.25, 2.0], [0.0, 4.0], *[[0.0] * 2] * 2])
    assert scan(lambda c, x: (c, None), 1.0, xs, stop=2) == (1.0, None)
    assert scan(lambda c, _: (2.0 * c, None), 1.0, length=9, stop=np.int64(3)) == (8.0, None)
    assert scan(step, 0.0, xs, stop=1, length=5) == (1.0, [[0.0, 1.0], *[[0.0] * 2] * 4])


@backends
@pytest.mark.parametrize("f", LOSSES[:-1])  # the last one needs results of every row
@pytest.mark.parametrize(
    "transform",
    [
        "value_and_grad",
        "jvp",
        "hvp",
        *[pytest.param(x, marks=pytest.mark.long) for x in ("jacobian", "hessian", "grad of grad")],
    ],
)
def test_one_trace_for_all_stops(f: Any, transform: str, backend: str) -> None:
    calls = 0

    def derived(c: Any, w: Any, xs: Any, n: Any) -> Any:
        nonlocal calls
        calls += 1
        return TRANSFORMS[transform](lambda c, w, xs: f(c, w, xs, stop=n))(c, w, xs)

    g = compiled(derived, backend)
    for n in (3, 1, 4, 2):
        found = numbers(g(*ARGUMENTS, n))
        assert found == pytest.approx(numbers(derived(*ARGUMENTS, n)), rel=1e-12, abs=1e-14)
        calls -= 1
    assert has_loop(g)
    assert calls <= 2  # the second one to know numbers


@backends
@pytest.mark.parametrize("f", [plain, carry_is_a_result])
@pytest.mark.parametrize("options", [{"checkpoint": 2}, {"snapshots": 1}, {"snapshots": 2}])
def test_stops_and_schedules(f: Any, options: Any, backend: str) -> None:
    def gradient(c: Any, w: Any, xs: Any, n: Any, **options: Any) -> Any:
        return mg.value_and_grad(lambda *p: f(*p, stop=n, **options), (0, 1, 2))(c, w, xs)

    g = compiled(lambda *args: gradient(*args, **options), backend)
    for n in (5, 1, 3, 4, 2):
        assert g(*ARGUMENTS, n) == gradient(*ARGUMENTS, n)


@backends
def test_stops_that_cannot_be(backend: str) -> None:
    g = compiled(lambda xs, n: scan(lambda c, x: (c + x, c), 0.0, xs, stop=n), backend)
    assert g([1.0, 2.0, 4.0], 2) == (3.0, [0.0, 1.0, 0.0])
    for n in (0, 4, -1):
        with pytest.raises(
            ValueError, match=f"stop must be from 1 to 3, as there are rows, got {n}"
        ):
            g([1.0, 2.0, 4.0], n)
    for n in (2.0, Value(2.0)):
        with pytest.raises(TypeError, match=r"counts or indexes nothing|stop must be an int"):
            g([1.0, 2.0, 4.0], n)
    assert g([1.0, 2.0, 4.0], 3) == (7.0, [0.0, 1.0, 3.0])


def test_a_loop_that_stops_and_decides_differently() -> None:
    def f(xs: Any, n: Any) -> Any:
        return scan(lambda c, x: (c + x if x > 1.0 else c, None), 0.0, xs, stop=n)[0]

    assert f([1.0, 2.0, 4.0], 2) == 2.0
    with pytest.raises(
        CompileError, match=r"use mg.select\(values, i\), or mg.scan\(..., stop=n\)"
    ):
        mg.compile(f)([1.0, 2.0, 4.0], 2)
    static = mg.compile(f, static_argnames="n")
    assert (static([1.0, 2.0, 4.0], 2), static([1.0, 2.0, 4.0], 3)) == (2.0, 6.0)


# Loops that source cannot repeat.


@backends
def test_steps_that_decide_differently_are_traced_one_by_one(backend: str) -> None:
    def f(x: Any) -> Any:
        return scan(lambda c, x: (c * 2.0 if c < 3.0 else c - 1.0, c), x, length=5)

    g = compiled(f, backend)
    for x in (0.5, 100.0, 0.01, 0.5, 2.5):
        assert g(x) == f(x)
    assert g.cache_info().made == 3 + 1  # 0.5; 100.0 in a loop, as 0.01; and 2.5
    assert compiled(mg.grad(lambda x: f(x)[0]), backend)(0.5) == 8.0


@backends
@pytest.mark.parametrize("decide", [math.floor, repr, hash, lambda x: mg.math.isnan(x)])
def test_decisions_that_only_python_repeats(decide: Any, backend: str) -> None:
    def f(x: Any) -> Any:
        return scan(lambda c, x: (c + 0.5 * (decide(c) != 0), c), x, length=3)

    g = compiled(f, backend)
    assert g(0.25) == f(0.25)
    assert not has_loop(g)


def test_a_decision_by_what_a_loop_comes_to() -> None:
    calls = []

    def f(x: Any) -> Any:
        calls.append(x)
        last, _ = scan(lambda c, _: (c * 1.5, None), x, length=3)
        return last if last > 3.0 else -last

    g = mg.compile(f)
    for x in (1.0, 0.5, 1.0):
        assert g(x) == f(x)
    assert has_loop(g)
    assert g.cache_info().made == 2


@backends
def test_a_loop_is_run_while_it_is_traced_only_if_that_decides(backend: str) -> None:
    def f(c: Any, w: Any, xs: Any) -> Any:
        last, _ = scan(lambda c, x: (mg.dot([w, c], [w, mg.sqrt(x)]), None), c, xs)
        return last if last > 0.0 else 2.0 * last

    g = compiled(mg.value_and_grad(f), backend)
    for c in (0.5, -3.0):
        assert g(c, 0.3, [1.0, 2.0]) == mg.value_and_grad(f)(c, 0.3, [1.0, 2.0])
    assert has_loop(g)
    with pytest.raises(ValueError, match=r"sqrt\(-2.0\)"):
        compiled(f, backend)(0.5, 0.3, [1.0, -2.0])

    def infinite(c: Any) -> Any:
        slope = mg.grad(lambda x: x * x)
        last, _ = scan(lambda c, _: (c * slope(c), None), c, length=12)
        return last if last > 0.0 else 2.0 * last

    with pytest.raises(mg.NonFiniteError):
        compiled(infinite, backend)(1e10)


@backends
def test_ints(backend: str) -> None:
    halves = compiled(lambda n: scan(lambda c, _: (c + 0.5, c), n, length=2), backend)
    assert halves(1) == (2.0, [1.0, 1.5])
    powers = compiled(lambda n: scan(lambda c, _: (c**c, c), n, length=2), backend)
    assert powers(2) == (256.0, [2.0, 4.0])
    assert compiled(lambda n: scan(lambda c, _: (c + 2, c), n, length=2), backend)(1) == (5, [1, 3])


@backends
def test_errors_are_those_of_the_steps(backend: str) -> None:
    def f(x: Any) -> Any:
        return scan(lambda c, x: (mg.sqrt(c) - x, None), x, [1.0, 2.0, -3.0])[0]

    g = compiled(f, backend)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"sqrt\(-0.529.*it needs x >= 0"):
            g(10.0)
        assert g(1000.0) == f(1000.0)

    def caught(x: Any) -> Any:
        try:
            return f(x)
        except ValueError:
            return x

    assert compiled(caught, backend)(10.0) == 10.0


@backends
def test_infinite_numbers_within(backend: str) -> None:
    def f(x: Any) -> Any:
        def step(c: Any, _: Any) -> Any:
            return c * mg.grad(lambda y: y * y)(c), None

        return scan(step, x, length=12)[0]

    g = compiled(f, backend)
    assert g(0.5) == f(0.5)
    with pytest.raises(mg.NonFiniteError):
        f(1e10)
    with pytest.raises(mg.NonFiniteError):
        g(1e10)


def test_a_number_of_a_step_outside_of_it() -> None:
    kept: list[Any] = []

    def step(c: Any, x: Any) -> Any:
        kept.append(c * 2.0)
        return c * x, None

    def f(x: Any) -> Any:
        last, _ = scan(step, x, [1.0, 2.0])
        return kept[-1] * last

    with pytest.raises(CompileError, match="the step of a scan computed is used outside of it"):
        mg.compile(f)(1.0)


def test_primitives_of_ones_own() -> None:
    @mg.primitive(lambda y, x: (mg.cos(x),))
    def sine(x: float) -> float:
        assert not math.isnan(x)
        return math.sin(x)

    def f(w: Any) -> Any:
        last, _ = scan(lambda c, x: (sine(c * w) + x, None), w, [1.0, 2.0])
        return sine(last)

    assert mg.compile(mg.value_and_grad(f))(0.5) == mg.value_and_grad(f)(0.5)
    with pytest.raises(CompileError, match="sine is a primitive of your own"):
        mg.compile(f, backend="c")(0.5)


@pytest.mark.parametrize("decides", [lambda x: x < 1.0, lambda x: mg.math.floor(x) == 0])
def test_rules_of_ones_own_that_decide(decides: Callable[[Any], bool]) -> None:
    @mg.primitive(lambda y, x: (2.0 * x if decides(x) else 2.0,))
    def bend(x: float) -> float:
        return x * x if x < 1.0 else 2.0 * x - 1.0

    def f(w: Any) -> Any:
        return scan(lambda c, _: (bend(c) + w, None), w, length=4)[0]

    for derived in (
        mg.value_and_grad(f),
        lambda w: mg.jvp(f, (w,), (1.0,)),
        mg.grad(mg.grad(f)),
    ):
        assert mg.compile(derived)(0.4) == derived(0.4)


# The source.


@backends
def test_a_step_is_traced_once(backend: str) -> None:
    calls = []

    def step(c: Any, x: Any) -> Any:
        calls.append(x)
        return c + 1, c * x

    def f(x: Any) -> Any:
        return scan(step, x, [1.0] * 1_000)

    g = compiled(f, backend)
    assert g(2.0)[0] == 1_002.0
    assert len(calls) == 1
    g(3.0)
    assert len(calls) == 1


def test_carries_that_become_values() -> None:
    kinds = []

    def step(c: Any, x: Any) -> Any:
        kinds.append((type(c[0]).__name__, isinstance(c[1], Value)))
        return (c[0] + 0.5, c[1] + x), None

    w = Value(2.0)
    last, _ = mg.compile(lambda: scan(step, (1, 0.0), [w, w]))()
    last[1].backward()
    assert (last[0], last[1].data, w.grad) == (2.0, 4.0, 2.0)


@pytest.mark.parametrize("f", LOSSES)
def test_source_runs_alone(f: Any, tmp_path: Path) -> None:
    g = mg.compile(mg.value_and_grad(f, (0, 1, 2)))
    expected = g(*ARGUMENTS)
    namespace: dict[str, Any] = {}
    exec(g.source, namespace)
    name = f"value_and_grad_of_{f.__name__}"
    c, w, xs = ARGUMENTS
    assert namespace[name](c, w, *xs) == expected
    g.export(tmp_path / "f.py")
    exec((tmp_path / "f.py").read_text(), namespace)
    assert namespace[name](c, w, *xs) == expected


@backends
def test_pickles(backend: str) -> None:
    g = compiled(mg.value_and_grad(two_loops, (0, 1, 2)), backend)
    expected = g(*ARGUMENTS)
    again = pickle.loads(pickle.dumps(g))
    assert again(*ARGUMENTS) == expected


@needs_compiler
def test_rows_of_loops() -> None:
    slopes = mg.vmap(compiled(mg.grad(plain, 1), "c"), (0, 0, None))
    cs, ws, xs = [0.1, 0.5, 0.9], [0.3, 0.2, 0.1], [1.0, 2.0, -3.0]
    assert slopes(cs, ws, xs) == [mg.grad(plain, 1)(c, w, xs) for c, w in zip(cs, ws, strict=True)]


@needs_compiler
def test_large_steps_have_several_pieces() -> None:
    def f(c: Any) -> Any:
        def step(c: Any, _: Any) -> Any:
            return [mg.sin(x) * y + x for x, y in zip(c, c[1:] + c[:1], strict=True)], None

        return mg.sum(scan(step, c, length=4)[0])

    c = [0.01 * i for i in range(400)]
    assert compiled(mg.value_and_grad(f), "c")(c) == mg.value_and_grad(f)(c)


# Schedules.


def reversed_with(length: int, every: int, room: int) -> tuple[int, int]:
    """Return how many steps are computed to reverse a loop, and how many carries are kept."""
    steps, most = 0, 0

    def step(c: float) -> tuple[float, ...]:
        nonlocal steps
        steps += 1
        return (c + 1.0,)

    def back(c: float, adjoint: float) -> tuple[float]:
        seen.append(c)
        return (adjoint,)

    seen: list[float] = []
    sizes: Any = {"length": length, "carry": 1, "row": 0, "every": every, "room": room}
    result = loops.scan(step, [0.0], **sizes)
    most = len(result[-1])
    loops.scan_pull(step, back, result, [1.0], others=0, linked=1, sums=0, results=0, **sizes)
    assert seen == [*map(float, range(length))][::-1]
    assert len(result[-1]) == most <= room
    return steps, most


@pytest.mark.parametrize("length", [1, 2, 3, 10, 56, 100])
@pytest.mark.parametrize("snapshots", [1, 2, 3, 5, 10, 200])
def test_revolve_computes_as_few_steps_as_can_be(length: int, snapshots: int) -> None:
    repetitions = 0
    while math.comb(snapshots + repetitions, snapshots) < length:
        repetitions += 1
    # Griewank and Walther (2000), theorem 1, and the last step, which only the loop forward takes.
    beyond = math.comb(snapshots + repetitions, repetitions - 1) if repetitions else 0
    steps, _ = reversed_with(length, 0, snapshots + 1)
    assert steps == repetitions * length - beyond + 1


@pytest.mark.parametrize(("length", "every"), [(10, 1), (10, 3), (9, 3), (1, 1), (7, 7), (100, 10)])
def test_carries_at_intervals(length: int, every: int) -> None:
    room = length if every == 1 else length // every + every + 1
    steps, kept = reversed_with(length, every, room)
    assert steps <= 2 * length
    assert kept <= length // every + every
    if every == 1:
        assert (steps, kept) == (length, length)


def test_nothing_is_left_for_the_garbage_collector() -> None:
    import gc

    mg.compile(mg.grad(two_loops, (0, 1)))(*ARGUMENTS)
    gc.collect()
    gc.disable()
    try:
        mg.compile(mg.grad(two_loops, (0, 1)))(*ARGUMENTS)
        found = [x for x in gc.get_objects() if type(x) is looping.Scanned]
    finally:
        gc.enable()
    assert not found
