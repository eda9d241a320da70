"""compile: any sequence of calls gives what the function itself gives, or a CompileError."""

import copy
import enum
import math
import numbers
import pickle
import random
import re
import sys
import threading
import warnings
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import pytest

import microgradlib as mg
import microgradlib.math as mgmath
from microgradlib import Value, nn, optim


class Size(enum.IntEnum):
    ONE = 1
    TWO = 2


class Key(enum.StrEnum):
    A = "a"


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Pair:
    x: Any
    name: str = "pair"
    extra: Any = field(default_factory=list)


@dataclass(frozen=True)
class Frozen:
    x: Any
    flag: bool = True


def shown(x: Any) -> Any:
    """Return a result in a form that shows the types of all but its plain numbers."""
    if isinstance(x, Value):
        return "Value", shown(x.data), x.requires_grad, x.label
    if isinstance(x, bool | enum.Enum | str | None):
        return type(x), x
    if isinstance(x, numbers.Real) and not isinstance(x, Fraction):
        return repr(float(x) + 0.0)  # ints count as floats, and have no -0
    if isinstance(x, dict):
        return type(x), [(type(key), key, shown(part)) for key, part in x.items()]
    if isinstance(x, list | tuple):
        return type(x), [shown(part) for part in x]
    return (type(x), shown(vars(x))) if hasattr(x, "__dict__") else (type(x), x)


def outcome(f: Callable[..., Any], *args: Any) -> Any:
    """Return what a call returns or raises, and what it has done to its arguments."""
    try:
        result = shown(f(*args))
    except mg.CompileError as error:
        return error
    except Exception as error:
        return type(error)
    return result, shown(list(args))


def check(f: Callable[..., Any], *calls: tuple[Any, ...], made: int | None = None) -> None:
    """Check that each call gives what the function gives, on a first and second round."""
    compiled = mg.compile(f)
    for args in calls * 2:
        again = copy.deepcopy(args) if not any(isinstance(x, Value) for x in args) else args
        assert outcome(compiled, *args) == outcome(f, *again), args
    assert made is None or compiled.cache_info().made == made


def refused(f: Callable[..., Any], *args: Any, match: str) -> None:
    """Check that a call is refused, each time, and that no trace is kept."""
    compiled = mg.compile(f)
    for _ in range(2):
        with pytest.raises(mg.CompileError, match=match):
            compiled(*args)
    assert compiled.cache_info().made == 0


# Values from outside.


def test_a_flag_that_the_function_reads() -> None:
    w, b = Value(2.0), Value(3.0)
    f = mg.compile(lambda: mg.sum([p * p for p in (w, b) if p.requires_grad]))
    for frozen in (True, False, True, False):
        b.requires_grad = not frozen
        assert f().data == (4.0 if frozen else 13.0)
    assert f.cache_info().made == 2


@pytest.mark.parametrize("of", [lambda v: v, lambda v: v * 1.0])
@pytest.mark.parametrize("argument", [False, True])
@pytest.mark.parametrize(
    ("read", "change"),
    [
        (lambda v: len(v.label), lambda v, i: setattr(v, "label", "v" * i)),
        (lambda v: float(v.grad or 0.0), lambda v, i: setattr(v, "grad", None if i == 2 else i)),
        (lambda v: math.sqrt(v.data), lambda v, i: setattr(v, "data", float(i))),
        (lambda v: len(repr(v)), lambda v, i: setattr(v, "label", "v" * i)),
        (lambda v: len(f"{v}"), lambda v, i: setattr(v, "grad", 10.0**i)),
        (
            lambda v: len(f"{v:.{int(mg.math.floor(2.5))}f}"),
            lambda v, i: setattr(v, "data", 10.0**i),
        ),
        (lambda v: copy.copy(v).data, lambda v, i: setattr(v, "data", float(i))),
    ],
)
def test_attributes_and_texts_are_read_anew(
    of: Any, argument: bool, read: Callable[[Any], Any], change: Callable[[Any, int], Any]
) -> None:
    w = Value(1.0)
    v = of(w)

    def f(x: Any, given: Any) -> Any:
        return x * read(given if argument else v)

    compiled = mg.compile(f)
    for i in (1, 2, 3, 2, 1):
        change(v, i)
        found = outcome(compiled, 2.0, v)
        if isinstance(found, mg.CompileError):
            assert argument
            assert "traced Value" in str(found)
        else:
            assert found == outcome(f, 2.0, v)


def test_values_that_the_function_makes_may_be_changed() -> None:
    def f(x: Any) -> Any:
        h = x * Value(2.0)
        h.label = "hidden"
        leaf = Value(3.0)
        leaf.label, leaf.data = "leaf", 4.0
        return h * leaf * len(h.label + leaf.label), repr(h.requires_grad)

    check(f, (1.0,), (2.0,), made=1)


def test_results_are_the_values_that_the_function_returns() -> None:
    w, leaf = Value(2.0, "w"), Value(3.0).detach()

    def f(x: Any) -> Any:
        made, y = Value(5.0, "made"), x * w
        y.label = "y"
        return x, w, leaf, made, y, y, made * y, [y]

    check(f, (Value(1.0, "x"),), (2.0,), (Value(3.0),), made=2)
    compiled = mg.compile(f)
    for x in (Value(3.0), Value(4.0)):
        w.grad = 0.0
        same_x, same_w, same_leaf, made, y, again, product, (third,) = compiled(x)
        assert (same_x, same_w, same_leaf) == (x, w, leaf)
        assert same_x is x
        assert same_w is w
        assert same_leaf is leaf
        assert y is again is third
        product.backward()
        assert (x.grad, w.grad, made.grad) == (10.0, x.data * 5.0, x.data * 2.0)
    assert compiled(x)[3] is not made


def test_a_gradient_that_is_a_value_is_known_by_its_identity() -> None:
    w = Value(3.0)
    f = mg.compile(lambda x: x * (w.grad if isinstance(w.grad, float) else w.grad.data))
    for _ in range(2):
        w.grad = 0.0
        assert f(1.0) == 0.0
        (w**3).backward(create_graph=True)
        assert f(1.0) == 27.0
        assert f(2.0) == 54.0
    assert f.cache_info().made == 3


# What a number does.


def caught(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def g(x: Any) -> Any:
        try:
            return f(x)
        except (TypeError, AttributeError):
            return -1.0

    return g


@pytest.mark.parametrize(
    "f",
    [
        lambda x: hasattr(x, "is_integer"),
        lambda x: hasattr(x, "data"),
        lambda x: hasattr(x, "exp"),
        lambda x: hasattr(x, "bit_length"),
        lambda x: [isinstance(x, kind) for kind in (int, float, complex, str, list)],
        lambda x: x.is_integer() if isinstance(x, float) else x.bit_length(),
        lambda x: x.as_integer_ratio(),
        lambda x: [x.real, x.imag, x.conjugate()],
        lambda x: (x + 1).real * isinstance(x * x - 1, int) * isinstance(-x % 7, int),
        lambda x: isinstance(x / 2, float) + isinstance(x * 0.5, float) + isinstance(x**2, int),
        lambda x: isinstance(2 * abs(x), int) + isinstance(mg.relu(x), float),
        lambda x: isinstance(3 - x, int) + isinstance(2.0**x, float) + isinstance(x + True, int),
        lambda x: f"{x} {x!r} {x:.3f}" + str(x * 2),
        lambda x: {1.0: 10.0, 2.0: 20.0}.get(x, 0.0) * x,
        lambda x: x in {1.0, 3.0},
        lambda x: len({x, x + 1, 2}),
        lambda x: len(dict.fromkeys([x, 1.0])),
        lambda x: max(Counter([x, x * x]).values()),
        lambda x: (copy.copy(x), copy.deepcopy([x])),
        lambda x: sorted([x, -x, 1.0]),
        lambda x: {"whole": x} if type(x * 1.0).__name__ != "str" else x,
        lambda x: x.data,
        lambda x: setattr(x, "data", 2.0),
        lambda x: x.exp(),
        lambda x: x.missing,
    ],
)
def test_a_number_does_what_it_does_in_eager_evaluation(f: Callable[[Any], Any]) -> None:
    for g in (f, caught(f)):
        check(g, (1.0,), (1,), (2.5,), (2,), (-3.0,), (-0.0,), (0.0,))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x & 1,
        lambda x: 1 | x,
        lambda x: x ^ x,
        lambda x: 1 << x,
        lambda x: x >> 1,
        lambda x: ~x,
        lambda x: x // 2,
        lambda x: 7 // x,
        lambda x: divmod(x, 2),
        lambda x: x + 1j,
        lambda x: 2j * x,
        lambda x: isinstance(x**x, int),
        lambda x: isinstance((2**x) * 1, int),
        lambda x: "ab" * x,
        lambda x: [1.0, 2.0, 3.0, 4.0][x],
        lambda x: x + Fraction(1, 2),
        lambda x: float(x),
        lambda x: int(x),
        lambda x: Value(x).data,
        lambda x: pickle.dumps(x),
        lambda x: hash(x) + len(str(x * 2**60)),
    ],
)
def test_what_cannot_be_followed_is_refused_even_if_it_is_caught(f: Callable[[Any], Any]) -> None:
    for g in (f, caught(f)):
        for x in (3, 3.0):
            compiled = mg.compile(g)
            found = outcome(compiled, x)
            assert isinstance(found, mg.CompileError) or found == outcome(g, x)
        assert isinstance(outcome(mg.compile(g), 3), mg.CompileError)


def test_operations_on_bits_of_a_float_raise_what_they_raise() -> None:
    for f in (lambda x: x & 1, lambda x: 1 << x, lambda x: ~x):
        check(caught(f), (3.0,), (4.0,), made=1)
        with pytest.raises(TypeError, match=r"unsupported operand|bad operand"):
            mg.compile(f)(3.0)


def test_numbers_of_numpy() -> None:
    np = pytest.importorskip("numpy")

    def f(x: Any) -> Any:
        return x * 2, isinstance(x, float), isinstance(x, int), hasattr(x, "dtype")

    numbers = (1.0, np.float64(1.0), 1, np.int64(1), np.float64(2.5))
    check(f, *[(x,) for x in numbers])
    doubled = mg.compile(lambda x: x * 2)
    assert [doubled(x) for x in numbers] == [2.0, 2.0, 2.0, 2.0, 5.0]
    assert doubled.cache_info().made == 1
    refused(lambda x: x * 2, np.float32(0.1), match="of another number its float")
    refused(lambda x: x * np.float32(0.1), 1.0, match="arithmetic with float32 is not recorded")
    assert mg.compile(lambda x: x * np.float64(0.5))(3.0) == 1.5


# The history of calls.


ALIKE: list[Any] = [
    *(1, 1.0, True, Size.ONE, "1", 2, 2.0, Size.TWO, False, 0, 0.0, -0.0, None),
    *(2**53, 2**53 + 1, float(2**53), 10**400, math.inf, math.nan),
]
NESTED: list[Callable[[Any], Any]] = [
    lambda x: x,
    lambda x: [x, 2.0],
    lambda x: (x, 2.0),
    lambda x: Point(x, 2.0),
    lambda x: Pair(x),
    lambda x: Pair(x, "other"),
    lambda x: Frozen(x, flag=False),
    lambda x: Frozen(x),
    lambda x: {"a": x, "b": 2.0},
    lambda x: {"b": 2.0, "a": x},
    lambda x: {Key.A: x, "b": 2.0},
    lambda x: {1: x},
    lambda x: {1.0: x},
    lambda x: {True: x},
    lambda x: {(1,): x},
    lambda x: {(1.0,): x},
    lambda x: OrderedDict(a=x, b=2.0),
    lambda x: defaultdict(float, a=x, b=2.0),
    lambda x: defaultdict(int, a=x, b=2.0),
    lambda x: [[x], [x]],
    lambda x: [[x]] * 2,
]


def walked(x: Any) -> Any:
    """Return the numbers of nested arguments doubled, and the types that were met."""
    if isinstance(x, bool | enum.Enum | str | None):
        return type(x).__name__, x
    if isinstance(x, dict):
        kinds = [type(key).__name__ for key in x]
        return {"kinds": kinds, "factory": repr(getattr(x, "default_factory", None))}, [
            walked(part) for part in x.values()
        ]
    if isinstance(x, list | tuple):
        same = len(x) == 2 and x[0] is x[1] and isinstance(x[0], list)
        return type(x).__name__, same, [walked(part) for part in x]
    if isinstance(x, Pair | Frozen):
        return x, walked(x.x), getattr(x, "name", None), getattr(x, "flag", None)
    return x * 2 if isinstance(x, float) else (x * 2 + 1 if isinstance(x, int) else x)


@pytest.mark.parametrize("seed", range(20))
def test_no_call_is_judged_by_what_an_earlier_one_traced(seed: int) -> None:
    draw = random.Random(seed)
    for f in (walked, lambda x: x, lambda x: (x, "text")):
        compiled = mg.compile(f, maxsize=draw.choice([1, 3, 128]))
        for _ in range(40):
            x = draw.choice(NESTED)(draw.choice(ALIKE))
            assert outcome(compiled, x) == outcome(f, copy.deepcopy(x)), x


def test_an_int_that_no_float_holds_is_not_traced() -> None:
    calls = []
    f = mg.compile(lambda x: calls.append(x) or x + 1)
    for x in (2**53 + 1, 10**400, 1.0, 2**53 + 1):
        assert f(x) == x + 1
    assert [x for x in calls if type(x) is int] == [2**53 + 1, 10**400, 2**53 + 1]  # once each
    assert f.cache_info().made == 1


# Two names for one object, and changes of arguments.


def test_one_object_under_two_names() -> None:
    xs, ys = [1.0, 2.0], [1.0, 2.0]
    v, w = Value(2.0), Value(2.0)
    check(lambda a, b: (a is b, a[0] * b[1]), (xs, ys), (xs, xs), (ys, xs), made=2)
    check(lambda a, b: (a is b, a * b), (v, w), (v, v), (w, v), made=2)
    check(lambda p: p["a"] is p["b"], ({"a": xs, "b": xs},), ({"a": xs, "b": ys},), made=2)
    check(
        lambda a, b, c: (a is b, b is c, a is c), (xs, ys, xs), (xs, xs, ys), (xs, [1.0, 2.0], ys)
    )


def test_a_value_under_two_names_is_one() -> None:
    def f(a: Any, b: Any) -> Any:
        return a * mg.sin(b) + b / a

    compiled = mg.compile(f)
    gradients = []
    for g in (f, compiled, compiled):
        x = Value(0.7)
        g(x, x).backward()
        gradients.append(x.grad)
    assert gradients[1] == gradients[2] == pytest.approx(gradients[0], rel=1e-15)
    compiled(Value(1.0), Value(2.0)).backward()
    assert compiled.cache_info().made == 2


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda xs, ys: (xs.append(1.0), mg.sum(ys))[1], [1.0]),
        (lambda xs, ys: (xs.sort(), mg.sum(ys))[1], [2.0, 1.0]),
        (lambda xs, ys: (xs.__setitem__(0, ys[0] * 2.0), xs[0])[1], [2.0, 1.0]),
        (lambda p, _: (p.pop("a"), 1.0)[1], {"a": 1.0}),
        (lambda p, _: p["missing"] * p["a"], defaultdict(float, a=1.0)),
        (lambda p, _: (setattr(p, "x", 2.0), p.x)[1], Pair(1.0)),
        (lambda p, _: (setattr(p, "new", 2.0), p.x)[1], Pair(1.0)),
    ],
)
def test_a_change_of_an_argument_is_refused(f: Callable[..., Any], x: Any) -> None:
    before = shown(x)
    refused(f, x, x, match=r"^compile: <lambda> changes its argument .*change a copy of it")
    assert shown(x) == before


# Arguments and results.


@pytest.mark.parametrize(
    "x",
    [
        Point(1.0, 2.0),
        Pair(1.0, "name", [2.0]),
        Frozen(1.0),
        OrderedDict(b=1.0, a=2.0),
        defaultdict(list, a=1.0),
        {"nested": Point([1.0], Pair(2.0))},
        [Point(Value(1.0), 2.0)],
        {(1, "a"): 2.0, None: 3.0, 1.5: 4.0},
        [b"bytes", Size.ONE, Key.A, "text", None, True, 1.0],
        [],
        Counter(a=2),
        namedtuple("Empty", "")(),
    ],
)
def test_containers_are_those_of_the_function(x: Any) -> None:
    compiled = mg.compile(lambda x: x) if x != [b"bytes"] else None
    assert compiled is not None
    if isinstance(x, list) and b"bytes" in x:
        compiled = mg.compile(lambda y: [*x[:-1], y])
        for y in (1.0, 2.0):
            assert shown(compiled(y)) == shown([*x[:-1], y])
        return
    for _ in range(2):
        found = compiled(x)
        assert shown(found) == shown(x)
        assert found is not x or not isinstance(x, list | dict)
    assert compiled.cache_info().made == 1


def test_gradients_of_named_tuples_and_dataclasses() -> None:
    step = mg.value_and_grad(
        lambda p: mg.sin(p.x) * mg.sum(p.extra) if isinstance(p, Pair) else p.x
    )
    compiled = mg.compile(step)
    for p in (Pair(0.5, "a", [2.0]), Pair(1.5, "a", [3.0]), Point(1.0, 2.0), Pair(1.5, "b", [3.0])):
        assert shown(compiled(p)) == shown(step(p))
    assert compiled.cache_info().made == 3


def test_what_is_no_container_of_numbers_alone_is_refused() -> None:
    class Named(list):  # type: ignore[type-arg]
        pass

    named = Named([1.0])
    check(lambda x: (type(x) is Named, mg.sum(x)), (named,))
    named.name = "x"  # type: ignore[attr-defined]
    refused(lambda x: x, named, match=r"got \[1.0\] for x")
    check(lambda x: x.total * x.x if hasattr(x, "total") else x.x, (Pair(1.0),), (with_total(2.0),))


def with_total(total: float) -> Pair:
    pair = Pair(3.0)
    pair.total = total  # type: ignore[attr-defined]
    return pair


# What would act only while tracing.


@pytest.mark.parametrize(
    "call",
    [
        lambda: mg.manual_seed(0),
        lambda: mg.random.uniform(0.0, 1.0),
        lambda: mg.random.normal(0.0, 1.0),
        lambda: mg.random.randperm(3),
        lambda: mg.random.get_state(),
        lambda: mg.random.set_state({}),
        lambda: nn.MLP(2, [1]),
        lambda: MODEL.zero_grad(),
        lambda: MODEL.load_state_dict(MODEL.state_dict()),
        lambda: SGD.load_state_dict({"lr": 0.1}),
        lambda: SGD.zero_grad(),
        lambda: SGD.step(),
        lambda: mg.save({}, "x"),
        lambda: mg.load("x"),
        lambda: mg.restore({}, model=MODEL),
        lambda: setattr(MODEL.bias[0], "data", 1.0),
        lambda: setattr(MODEL.bias[0], "requires_grad", False),
    ],
)
def test_calls_that_act_only_while_tracing_are_refused(call: Callable[[], Any]) -> None:
    before = MODEL.state_dict(), SGD.state_dict()

    def f(x: Any) -> Any:
        call()
        return x * 2.0

    def g(x: Any) -> Any:
        try:
            return f(x)
        except TypeError:
            return x

    for function in (f, g):
        refused(function, 1.0, match="would run only while it is traced; .*(out|value_and_grad)")
    assert (MODEL.state_dict(), SGD.state_dict()) == before


MODEL = nn.Layer(1, 1)
SGD = optim.SGD(MODEL.parameters(), lr=0.1)


def test_other_threads() -> None:
    w = Value(2.0)

    def of_arguments(x: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return mg.sum([*pool.map(lambda i: x * i, [1.0, 2.0])])

    def of_values(x: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return x * mg.sum([*pool.map(lambda i: w * i, [1.0, 2.0])])

    def guarded(x: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return x if pool.submit(lambda: x + 1.0).exception() else -x

    for f in (of_arguments, of_values, guarded):
        refused(f, 1.0, match="or in another thread; .* compute in one thread")


def test_a_source_that_another_thread_drops() -> None:
    f = mg.compile(lambda x: x + mgmath.floor(x), maxsize=1)
    f(0.5)
    errors: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        i = 0
        while not done.is_set():
            i += 1
            try:
                assert f(i % 5 + 0.5) == 2 * (i % 5) + 0.5
                assert f.source.startswith("def f(x):")
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for thread in threads:
                thread.start()
            for i in range(100):
                f(i % 7 + 0.5)
    finally:
        done.set()
        sys.setswitchinterval(old)
        for thread in threads:
            thread.join()
    assert not errors


def test_a_trace_that_is_dropped_during_its_call() -> None:
    meanwhile: list[Callable[[], Any]] = []

    @mg.primitive(lambda y, x: (1.0,))
    def interrupted(x: float) -> float:
        if meanwhile:
            meanwhile.pop()()
        return 2.0 * x

    f = mg.compile(lambda x: interrupted(x), maxsize=1)
    assert f(x=1.0) == 2.0
    meanwhile.append(lambda: f(2.0))  # of which another trace is made
    assert f(x=3.0) == 6.0
    assert f.cache_info() == (2, 1, 1)
    assert f.source.count("interrupted(x)") == 1


# Functions that are not compiled after all.


def test_many_decisions_are_warned_of_once() -> None:
    draw = random.Random(0)
    f = mg.compile(lambda xs: max(xs) + min(xs))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for _ in range(60):
            xs = [draw.random() for _ in range(8)]
            assert f(xs) == max(xs) + min(xs)
    (warning,) = found
    assert (warning.category, warning.filename) == (RuntimeWarning, __file__)
    line = f.__wrapped__.__code__.co_firstlineno
    assert re.search(
        rf"traced 9 times.*lately in {re.escape(__file__)}, line {line}: f = mg.compile\(lambda "
        r"xs: max.*; each trace costs time.*mg.where, mg.maximum, mg.select$",
        str(warning.message),
    )


leaf = Value(1.0)
ran: list[Any] = []


def of_a_text(x: Any) -> Any:
    y = x + 1.0 if x < 100.0 else x  # comes out as before
    return y * len(f"{x}")  # of a text


def attribute(x: Any) -> Any:
    return x if leaf.data > 0.5 else 0.0  # of leaf


def no_decision_at_last(x: Any) -> Any:
    ran.append(x)
    return x if len(ran) > 8 else x * len(f"{x}")  # till now


@pytest.mark.parametrize(
    ("f", "code"),
    [
        (lambda x: 2.0 * of_a_text(x), 'return y * len(f"{x}")  # of a text'),
        (attribute, "return x if leaf.data > 0.5 else 0.0  # of leaf"),
        (no_decision_at_last, 'return x if len(ran) > 8 else x * len(f"{x}")  # till now'),
    ],
)
def test_the_line_of_the_decision(f: Any, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaf, "data", 1.0)
    ran.clear()
    compiled = mg.compile(f)
    for i in range(8):
        leaf.data = 1.0 + i
        compiled(1.5 + i)
    leaf.data = 10.0
    with pytest.warns(RuntimeWarning) as caught:
        compiled(10.5)
    assert str(caught[0].message).count(f": {code}; each trace costs time") == 1


def test_a_decision_that_is_not_the_same_each_time() -> None:
    draws = [float(i) for i in range(20)]
    f = mg.compile(lambda x: x if x > draws.pop() else 0.0)
    for i in range(8):
        assert f(19.5 - i) == 19.5 - i  # the first trace wants more than 19
    with pytest.warns(RuntimeWarning, match="keep coming out differently; each trace costs time"):
        f(11.5)


@pytest.mark.parametrize("numbers", [(1.0, 2), (1, 2.0), ([1.0] * 9, 2.0)], ids=str)
def test_a_compiled_function_that_ran_before_in_another_one(numbers: Any) -> None:
    g = mg.compile(lambda x, y: mg.exp(y) * mg.sum(x) if isinstance(x, list) else mg.exp(x) * y)
    expected = g(*numbers)
    f = mg.compile(lambda x, y: g(x, y) + 1.0)
    assert f(*numbers) == expected + 1.0


def test_structures_are_not_decisions() -> None:
    f = mg.compile(lambda xs: mg.sum(xs))
    for n in range(1, 15):
        assert f([1.0] * n) == n
    assert f.cache_info().made == 14


@pytest.mark.parametrize("calls", [1, 3])
def test_how_often_a_function_runs(calls: int) -> None:
    ran: list[str] = []

    def f(x: Any, how: str) -> Any:
        ran.append(how)
        if how == "refused":
            return math.sin(x)
        if how == "caught":
            try:
                return 1.0 / (x - x)
            except ZeroDivisionError:
                return x
        return mg.log(x - x) if how == "raises" else x * 2.0

    compiled = mg.compile(f)
    for how in ("traced", "caught", "raises", "refused"):
        for _ in range(calls):
            outcome(compiled, 2.0, how)
    assert Counter(ran) == {  # what is documented
        "traced": 1,
        "caught": 2 * calls,
        "raises": 2 * calls,
        "refused": calls,
    }


def outer(x: Any) -> Any:
    return x * x


def test_pickling() -> None:
    again = pickle.loads(pickle.dumps(mg.compile(outer, maxsize=3)))
    assert (again(3.0), again.cache_info().maxsize) == (9.0, 3)
    with pytest.raises(pickle.PicklingError, match="define it with def at the top of a module"):
        pickle.dumps(mg.compile(lambda x: x * x))


def test_the_label_of_a_frozen_argument_of_a_derivative() -> None:
    f = mg.value_and_grad(lambda x: x * len(x.label))
    compiled = mg.compile(f)
    v = Value(2.0, "weight")
    v.requires_grad = False
    for label in ("weight", "w"):
        v.label = label
        assert compiled(v) == f(v) == (2.0 * len(label), float(len(label)))


def test_a_power_with_a_number_as_exponent_has_the_derivatives_of_eager_evaluation() -> None:
    second = mg.hessian(lambda x, y: mg.tanh((1.5 + mg.tanh(x)) ** mg.tanh(y)), 0)
    compiled = mg.compile(second)
    rng = random.Random(0)
    for _ in range(300):
        point = rng.uniform(-2.0, 2.0), rng.uniform(-2.0, 2.0)
        assert compiled(*point) == second(*point)


def test_how_often_a_call_runs_the_function() -> None:
    runs = 0

    def run(f: Callable[[Any], Any], x: Any) -> int:
        nonlocal runs
        runs = 0
        with suppress(ValueError, ArithmeticError, KeyError):
            f(x)
        return runs

    @mg.compile
    def safe(x: Any) -> Any:
        nonlocal runs
        runs += 1
        return mg.log(x) if x > 0 else 0.0

    @mg.compile
    def catching(x: Any) -> Any:
        nonlocal runs
        runs += 1
        try:
            return 1 / mg.log(x)
        except (ValueError, ZeroDivisionError):
            return 0.0

    @mg.compile
    def raising(x: Any) -> Any:
        nonlocal runs
        runs += 1
        if x < 0:
            raise ValueError(x)
        if x > 10:
            raise KeyError("x")
        return mg.log(x)

    assert [run(safe, x) for x in (2.0, 3.0, -1.0, -2.0)] == [1, 0, 1, 0]
    assert [run(catching, x) for x in (2.0, 3.0, -1.0, -1.0, 1.0, 2.0)] == [1, 0, 2, 2, 2, 0]
    assert [run(raising, x) for x in (2.0, 0.0, 0.0, -1.0, 11.0, 3.0)] == [1, 2, 2, 2, 1, 0]
    with pytest.raises(ValueError, match="-1") as caught:
        raising(-1)
    assert caught.value.args == (-1,)  # as the function itself raises it
    assert type(caught.value.args[0]) is int
