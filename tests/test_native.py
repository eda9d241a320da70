"""compile(backend="c"): the numbers of the interpreter, bit for bit, and errors where it raises."""

import math
import os
import random
import shlex
import stat
import struct
import sys
import threading
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from compilers import compiler

import microgradlib as mg
from microgradlib import Value, nn
from microgradlib.compiling.builtin import builtin
from microgradlib.compiling.source import RetraceError
from microgradlib.compiling.writer import Writer
from microgradlib.testing import TEMPLATES, Expression

PROGRAMS = int(os.environ.get("MICROGRADLIB_PROGRAMS", "300"))
needs_compiler = pytest.mark.skipif(not compiler(), reason="no C compiler")


def bits(x: Any) -> Any:
    """Return the bits of all numbers of a result."""
    if isinstance(x, Value):
        return "Value", bits(x.data)
    if isinstance(x, list | tuple):
        return [*map(bits, x)]
    return "nan" if x != x else struct.pack("d", x)


def random_expression(draw: random.Random) -> Expression:
    names, steps = ["x0", "x1"], []
    for i in range(draw.randrange(1, 9)):
        steps.append(draw.choice(TEMPLATES).format(a=draw.choice(names), b=draw.choice(names)))
        names.append(f"t{i}")
    return Expression(2, tuple(steps))


def values_and_gradients(programs: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    """Return a function that gives the value and the gradient of each program."""
    gradients = [mg.value_and_grad(f, (0, 1)) for f in programs]
    return lambda x, y: [f(x, y) for f in gradients]


def fits(f: Callable[..., Any], point: tuple[float, float]) -> bool:
    """Whether a program has a finite value and gradient at a point."""
    try:
        f(*point)
    except (ArithmeticError, ValueError):
        return False
    return True


@needs_compiler
@pytest.mark.parametrize("seed", range(max(1, PROGRAMS // 100)))
def test_random_programs(seed: int) -> None:
    draw = random.Random(seed)
    point = draw.uniform(-3.0, 3.0), draw.uniform(-3.0, 3.0)
    programs: list[Any] = []
    while len(programs) < 100:
        f = random_expression(draw)
        if fits(mg.value_and_grad(f, (0, 1)), point):
            programs.append(f)
    together = values_and_gradients(programs)
    compiled = mg.compile(together, backend="c")
    assert bits(compiled(*point)) == bits(together(*point))
    assert compiled.cache_info().made == 1
    other = point[0] + 1e-9, point[1] * (1.0 + 1e-9)  # mostly of the same decisions
    if fits(together, other):
        assert bits(compiled(*other)) == bits(together(*other))


@needs_compiler
@pytest.mark.parametrize(
    ("f", "inside", "outside"),
    [
        (lambda x: mg.exp(x) * 2.0, 1.0, 1000.0),
        (lambda x: mg.log(x), 2.0, -1.0),
        (lambda x: mg.log(x), 2.0, 0.0),
        (lambda x: 1.0 / x, 2.0, 0.0),
        (lambda x: x**-1.5, 2.0, 0.0),
        (lambda x: mg.math.pow(x, 0.5), 2.0, -1.0),
        (lambda x: mg.lgamma(x), 2.5, -1.0),
        (lambda x: mg.acosh(x), 2.5, 0.5),
        (lambda x: 2.5 % x, 0.75, 0.0),
        (lambda x: 0.0 * mg.exp(x), 1.0, 1000.0),  # nothing needs what fails
        (lambda x: (mg.exp(x), x)[1], 1.0, 1000.0),
    ],
)
def test_what_raises_in_python_raises(f: Any, inside: float, outside: float) -> None:
    compiled = mg.compile(f, backend="c")
    assert bits(compiled(inside)) == bits(f(inside))
    with pytest.raises((ArithmeticError, ValueError)) as expected:
        f(outside)
    with pytest.raises(type(expected.value)) as found:
        compiled(outside)
    assert str(found.value) == str(expected.value)
    assert bits(compiled(inside)) == bits(f(inside))
    assert compiled.cache_info().made == 1


@needs_compiler
def test_infinite_and_nan_numbers_pass_where_they_pass_in_python() -> None:
    def eager(x: Any, y: Any) -> Any:
        return [mg.logsumexp([x, y]), mg.maximum(x, y), x + y, mg.minimum(x, math.nan)]

    f = mg.compile(eager, backend="c")
    for point in [(-math.inf, 1.0), (-math.inf, -math.inf), (math.nan, 1.0), (math.inf, -math.inf)]:
        assert bits(f(*point)) == bits(eager(*point))
    assert f.cache_info().made == 1


@needs_compiler
def test_decisions_are_taken_again() -> None:
    w = Value(2.0)

    def f(x: Any) -> Any:
        y = x * w if x > 0.5 else -x
        return y + 1.0 if w > 1.0 else y

    compiled = mg.compile(f, backend="c")
    for x, data in [(1.0, 2.0), (0.25, 2.0), (1.0, 0.5), (0.25, 0.5), (1.0, 2.0), (0.25, 3.0)]:
        w.data = data
        found, expected = compiled(x), f(x)
        assert bits(found) == bits(expected)
        if isinstance(expected, Value) and expected.requires_grad:
            w.grad = 0.0
            found.backward()
            assert w.grad == (x if x > 0.5 else 0.0)
    assert compiled.cache_info().made == 4


@needs_compiler
@pytest.mark.parametrize(
    "bound", [-1e-5, 1e16, math.inf, -math.inf, math.nan, 2, 2**33, 10**17, True, Fraction(1, 3)]
)
def test_decisions_compare_with_numbers_of_all_kinds(bound: Any) -> None:
    compiled = mg.compile(lambda x: x * 2.0 if x > bound else -x, backend="c")
    for x in (0.25, 0.5, -0.25, 1e17, 9e9, math.inf, 2.0, 1.0, 1.5):
        assert compiled(x) == (x * 2.0 if x > bound else -x)
    assert compiled.cache_info().made <= 2


@needs_compiler
def test_decisions_that_only_python_can_repeat() -> None:
    compiled = mg.compile(lambda x: x * 2.0 if round(x) == 2 else -x, backend="c")
    for x in (2.25, 2.75, 1.75, 0.0):
        assert compiled(x) == (x * 2.0 if round(x) == 2 else -x)
    assert compiled.cache_info().made == 3


@needs_compiler
def test_a_model_trains_with_the_same_numbers() -> None:
    def train(backend: Any) -> list[str]:
        mg.manual_seed(1)
        model = nn.MLP(2, [5, 2], "gelu", "linear")

        def loss_fn(x: Any, target: int) -> Any:
            return mg.cross_entropy(model(x), target)

        loss = mg.compile(loss_fn, backend=backend) if backend else loss_fn
        optimizer = mg.optim.Adam(model.parameters(), lr=0.1)
        losses = []
        for i in range(40):
            optimizer.zero_grad()
            y = loss([i % 2, i // 2 % 2], [0, 1, 1, 0][i % 4])
            y.backward()
            optimizer.step()
            losses.append(y.data.hex())
        return [*losses, *[p.data.hex() for p in model.parameters()]]

    assert train("c") == train("python") == train(None)


@needs_compiler
def test_large_functions_are_split() -> None:
    def f(xs: Any) -> Any:
        ys = [*xs]
        for i in range(2_000):
            ys[i % 3] = mg.sin(ys[i % 3]) * ys[(i + 1) % 3] + 0.5
        return mg.sum([*ys, mg.softmax(ys)[1], mg.prod(ys)])

    gradient = mg.value_and_grad(f)
    assert bits(mg.compile(gradient, backend="c")([0.1, 0.2, 0.3])) == bits(
        gradient([0.1, 0.2, 0.3])
    )


@needs_compiler
def test_threads_share_a_function() -> None:
    f = mg.compile(lambda x, y: mg.tanh(x * y) + mg.logsumexp([x, y]), backend="c")
    f(0.5, 0.5)
    start = threading.Barrier(8)

    def work(seed: int) -> bool:
        draw = random.Random(seed)
        start.wait()
        points = [(draw.random(), draw.random()) for _ in range(2_000)]
        return all(f(x, y) == mg.tanh(x * y) + mg.logsumexp([x, y]) for x, y in points)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


@needs_compiler
def test_calls_of_the_builtin_function_that_do_not_fit() -> None:
    """Another thread may change a list between its check and the call."""
    writer = Writer("f", native=True)
    xs = array("d", [0.5] * 70)
    source = writer.traced(lambda x, xs: x * xs[3], (2.0, xs), {}, (), writer.write)
    run, _ = builtin(source.program, source.formats, None)
    assert run(2.0, xs.tobytes()) == (1.0,)
    assert run(3, xs.tobytes()) == (1.5,)
    for args in [(), (2.0,), (2.0, xs.tobytes(), 1.0), (2.0, xs.tobytes()[8:])]:
        with pytest.raises(RetraceError):
            run(*args)
    for wrong in [("2", xs.tobytes()), (2.0, xs)]:
        with pytest.raises(TypeError):
            run(*wrong)
    with pytest.raises(OverflowError):
        run(10**400, xs.tobytes())
    assert run(-1.0, xs.tobytes()) == (-0.5,)


# Compilers and the cache.


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setitem(sys.modules, "ziglang", None)
    f = mg.compile(lambda x: x * 2.0, backend="c")
    with pytest.raises(mg.CompileError, match=r"needs a C compiler.*microgradlib\[native\]"):
        f(1.0)


def test_a_compiler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O1")
    with pytest.raises(mg.CompileError, match=r"\$CC is 'no-such-compiler'"):
        mg.compile(lambda x: x * 2.0, backend="c")(1.0)


@needs_compiler
def test_the_compiler_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "ziglang"
    package.mkdir()
    (package / "__init__.py").write_text("")
    run = f"{compiler()} + sys.argv[2:], env={{'PATH': {os.environ['PATH']!r}}}"
    (package / "__main__.py").write_text(
        f"import subprocess, sys\nsys.exit(subprocess.call({run}))"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    assert mg.compile(lambda x: mg.exp(x), backend="c")(1.0) == math.e


@needs_compiler
def test_a_compiler_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", shlex.join([*compiler(), "--no-such-option"]))
    with pytest.raises(mg.CompileError, match=r"failed with code 1.*no-such-option") as caught:
        mg.compile(lambda x: x * 2.0, backend="c")(1.0)
    assert len(str(caught.value)) <= 320


@needs_compiler
def test_the_cache_keeps_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    assert mg.compile(lambda x: x * 2.0, backend="c", cache=cache)(3.0) == 6.0
    (kept,) = cache.iterdir()
    written = kept.stat().st_mtime_ns
    assert mg.compile(lambda x: x * 2.0, backend="c", cache=str(cache))(4.0) == 8.0
    assert [x.stat().st_mtime_ns for x in cache.iterdir()] == [written]
    assert mg.compile(lambda x: x * 3.0, backend="c", cache=cache)(3.0) == 9.0
    monkeypatch.setenv("CC", shlex.join([*compiler(), "-O2"]))  # another key
    assert mg.compile(lambda x: x * 2.0, backend="c", cache=cache)(3.0) == 6.0
    assert len([*cache.iterdir()]) == 3
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


@needs_compiler
def test_a_cache_of_others_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(mg.CompileError, match=r"yours alone.*chmod 700"):
        mg.compile(lambda x: x * 2.0, backend="c", cache=tmp_path)(1.0)
    assert [*tmp_path.iterdir()] == []


@needs_compiler
def test_parallel_builds_share_a_cache(tmp_path: Path) -> None:
    def work(_: int) -> float:
        return float(mg.compile(lambda x: mg.exp(x), backend="c", cache=tmp_path / "c")(1.0))

    with ThreadPoolExecutor(4) as pool:
        assert {*pool.map(work, range(8))} == {math.e}
    assert len([*(tmp_path / "c").iterdir()]) == 1


@needs_compiler
def test_nothing_is_left_in_the_directory_of_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    f = mg.compile(lambda x: mg.erf(x), backend="c")
    assert f(0.5) == math.erf(0.5)
    assert [*tmp_path.iterdir()] == []


@needs_compiler
def test_primitives_of_ones_own_are_refused() -> None:
    @mg.primitive(lambda y, x: (2.0 * x,))
    def square(x: float) -> float:
        return x * x

    f = mg.compile(lambda x: square(x), backend="c")
    with pytest.raises(mg.CompileError, match=r"square is a primitive of your own.*'python'"):
        f(2.0)


def test_backends_are_named() -> None:
    with pytest.raises(ValueError, match="backend must be 'python' or 'c', got 'rust'"):
        mg.compile(lambda x: x, backend="rust")  # type: ignore[call-overload]
