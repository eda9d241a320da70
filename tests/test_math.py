"""The drop-in for ``math``: the same on plain numbers, differentiable on Values."""

import contextlib
import inspect
import math
from collections.abc import Callable
from fractions import Fraction
from itertools import permutations, product
from math import inf, nan
from typing import Any

import pytest

import microgradlib as mg
import microgradlib.math as mg_math
from microgradlib import Value

NEWEST = {"fmax", "fmin", "isnormal", "issubnormal", "signbit"}  # in math since Python 3.15
NAMES = [name for name in dir(math) if not name.startswith("_") and name not in NEWEST]
FUNCTIONS = [name for name in NAMES if callable(getattr(math, name))]
NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.0, 1e-300, 1e300, inf, -inf, nan]
OTHERS = [0, 3, -2, 10**400, True, Fraction(1, 3), "1", None, 1j, [0.5, 2.0]]
LISTS = [[], [0.5], [0.5, 2.0], [1.0, -3.0, 7.0], [inf, -inf], ["1"], 2.0, None]
TAKES_LISTS = {"fsum", "prod", "dist", "sumprod"}


def arities(name: str) -> list[int]:
    """Return the numbers of positional arguments that a function of ``math`` accepts."""
    f = getattr(math, name)
    try:
        kinds = [p.kind for p in inspect.signature(f).parameters.values()]
    except ValueError:  # log, hypot, gcd, ... tell their arguments in the documentation only
        return [0, 1, 2, 3]
    positional = [k for k in kinds if k in (k.POSITIONAL_ONLY, k.POSITIONAL_OR_KEYWORD)]
    return [0, 1, 2, 3] if inspect.Parameter.VAR_POSITIONAL in kinds else [len(positional)]


def grid(name: str) -> list[tuple[Any, ...]]:
    arguments = []
    for n in arities(name):
        pool = LISTS if name in TAKES_LISTS else NUMBERS + OTHERS
        if n > 2:
            pool = pool[:: len(pool) // 5]
        if n and name in ("perm", "comb", "factorial", "ldexp"):  # no astronomic integers
            pool = [x for x in pool if x != 10**400]
        arguments += list(product(pool, repeat=n))
    return arguments


def outcome(f: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the type and the value of a result, or the type and the text of an exception."""
    try:
        y = f(*arguments)
    except Exception as error:
        return type(error), str(error)
    return type(y), repr(y)


class TestPlainNumbers:
    def test_every_name_is_there(self) -> None:
        assert {*NAMES, *NEWEST} == set(mg_math.__all__) == set(dir(mg_math))
        for name in NAMES:
            if name not in FUNCTIONS:
                assert getattr(mg_math, name) is getattr(math, name)
        assert not hasattr(mg_math, "nonsense")

    def test_star_import(self) -> None:
        namespace: dict[str, Any] = {}
        exec("from microgradlib.math import *", namespace)
        assert set(namespace) - {"__builtins__"} == {*NAMES, *NEWEST}
        assert namespace["sin"](Value(0.0)).data == 0.0
        assert namespace["pi"] is math.pi

    def test_no_other_name_is_there(self) -> None:
        message = r"^module 'microgradlib\.math' has no attribute 'sine'$"
        with pytest.raises(AttributeError, match=message):
            mg_math.sine  # noqa: B018

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_does_what_the_standard_function_does(self, name: str) -> None:
        ours, standard = getattr(mg_math, name), getattr(math, name)
        results = set()
        for arguments in grid(name):
            expected = outcome(standard, arguments)
            assert outcome(ours, arguments) == expected, arguments
            results.add(expected)
        assert len(results) > 2  # the grid has met results, and errors

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_documentation_and_name(self, name: str) -> None:
        ours, standard = getattr(mg_math, name), getattr(math, name)
        assert ours.__name__ == standard.__name__
        assert ours.__doc__ == standard.__doc__

    def test_keywords(self) -> None:
        assert mg_math.isclose(1.0, 1.1, rel_tol=0.5)
        assert not mg_math.isclose(a=1.0, b=1.1, abs_tol=0.01)
        assert mg_math.prod([2, 3], start=4) == 24
        assert type(mg_math.prod([2, 3])) is int
        assert mg_math.fsum(x for x in (0.1,) * 10) == 1.0


POINTS = (0.6, 1.7, 0.8, 1.3)  # in the domain of each function is one of them
STEP = 1e-6


def scalars(name: str) -> Callable[..., Any]:
    """Return ``math``'s function as one of numbers only."""
    f = getattr(mg_math, name)
    if name in ("fsum", "prod"):
        return lambda *xs: f(xs)
    if name in ("dist", "sumprod"):
        return lambda *xs: f(xs[::2], xs[1::2])
    if name == "ldexp":
        return lambda x: f(x, 3)
    return f  # type: ignore[no-any-return]


def differentiable() -> dict[str, list[tuple[float, ...]]]:
    """Return where each name that makes a Value of Values does so."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for name in FUNCTIONS:
        for n in (1, 2, 4) if name in TAKES_LISTS else (1, 2, 3):
            for xs in permutations(POINTS, n):
                try:
                    y = scalars(name)(*map(Value, xs))
                except (TypeError, ValueError, ZeroDivisionError):
                    continue
                if isinstance(y, Value):
                    found.setdefault(name, []).append(xs)
    return found


DIFFERENTIABLE = differentiable()
LOOK_AT_THE_DATA = ["isnan", "isinf", "isfinite", "isclose", "floor", "ceil", "trunc"]
INTEGERS = ["comb", "factorial", "gcd", "isqrt", "lcm", "perm"]
REFUSED = ["frexp", "modf", "nextafter", "ulp"]


class TestValues:
    def test_every_name_is_differentiable_or_refused_or_looks_at_the_data(self) -> None:
        kinds = [*DIFFERENTIABLE, *LOOK_AT_THE_DATA, *INTEGERS, *REFUSED]
        assert sorted(kinds) == FUNCTIONS

    @pytest.mark.parametrize("name", DIFFERENTIABLE)
    def test_takes_as_many_arguments_as_on_numbers(self, name: str) -> None:
        def works(xs: tuple[float, ...]) -> bool:
            return outcome(scalars(name), xs)[0] is float

        sizes = (1, 2, 4) if name in TAKES_LISTS else (1, 2, 3)
        expected = {n for n in sizes if any(map(works, permutations(POINTS, n)))}
        assert {len(xs) for xs in DIFFERENTIABLE[name]} == expected

    @pytest.mark.parametrize("name", DIFFERENTIABLE)
    def test_value_and_gradient(self, name: str) -> None:
        f = scalars(name)
        for xs in DIFFERENTIABLE[name]:
            values = [Value(x) for x in xs]
            y = f(*values)
            assert y.data == pytest.approx(f(*xs), rel=1e-15, abs=0.0)
            y.backward()
            for i, x in enumerate(values):
                up, down = list(xs), list(xs)
                up[i] += STEP
                down[i] -= STEP
                quotient = (f(*up) - f(*down)) / (up[i] - down[i])
                if name == "copysign" and i == 1:
                    assert quotient == 0.0
                assert x.grad == pytest.approx(quotient, rel=1e-8, abs=1e-8)

    @pytest.mark.parametrize("name", DIFFERENTIABLE)
    def test_numbers_and_values_mix(self, name: str) -> None:
        f = scalars(name)
        for xs in DIFFERENTIABLE[name]:
            for i in range(len(xs)):
                mixed: list[Any] = list(xs)
                mixed[i] = Value(xs[i])
                y = f(*mixed)
                assert isinstance(y, Value)
                assert y.data == f(*map(Value, xs)).data

    @pytest.mark.parametrize("name", LOOK_AT_THE_DATA)
    def test_looks_at_the_data(self, name: str) -> None:
        ours, standard = getattr(mg_math, name), getattr(math, name)
        for x in (2.5, -2.5, 0.0, inf, nan):
            pairs = [(x, x), (x, 1.0), (1.0, x)] if name == "isclose" else [(x,)]
            for xs in pairs:
                assert outcome(ours, tuple(map(Value, xs))) == outcome(standard, xs)
                assert outcome(ours, (Value(xs[0]), *xs[1:])) == outcome(standard, xs)

    def test_isclose_tolerances(self) -> None:
        x = Value(1.0)
        assert mg_math.isclose(x, 1.1, rel_tol=0.2)
        assert mg_math.isclose(1.1, x, abs_tol=0.2)
        assert not mg_math.isclose(x, 1.1)
        assert mg_math.isclose(a=x, b=1.0)

    @pytest.mark.parametrize("name", INTEGERS + REFUSED)
    def test_refuses_what_would_drop_the_gradient(self, name: str) -> None:
        for n in (1, 2):
            with pytest.raises(TypeError):
                getattr(mg_math, name)(*[Value(2.0)] * n)

    def test_refusals_in_a_trace_say_what_is_wrong(self) -> None:
        v = Value(2.0)
        for call, message in (
            (
                lambda x: mg_math.ulp(v),
                r"^ulp\(Value\(.*would drop the gradient",
            ),
            (lambda x: mg_math.nextafter(v, x), r"^nextafter\(.*would drop the gradient"),
            (lambda x: mg_math.ldexp(x, 2.5), r"^ldexp: the exponent must be an int, got 2.5$"),
        ):
            with pytest.raises(TypeError, match=message):
                mg.compile(call)(1.0)

    def test_refuses_numbers_of_a_trace_where_they_would_be_frozen(self) -> None:
        calls: list[tuple[Any, str]] = [
            (lambda x: mg_math.frexp(x), "frexp"),
            (lambda x: mg_math.nextafter(x, 3.0), "nextafter"),
            (lambda x: mg_math.ldexp(x, x), "ldexp"),
        ]
        for call, name in calls:
            with pytest.raises(
                mg.CompileError, match=rf"^compile: {name}\(\) in a function that is compiled"
            ):
                mg.compile(call)(1.0)

    def test_a_refusal_shows_the_call(self) -> None:
        with pytest.raises(TypeError) as caught:
            mg_math.nextafter(Value(2.0), 3.0, steps=2)
        assert str(caught.value) == (
            "nextafter(Value(data=2.0, grad=0.0), 3.0, steps=2) would drop the gradient; pass "
            "v.data"
        )

    def test_domain_errors(self) -> None:
        for f, x, error in (
            (mg_math.log, -1.0, ValueError),
            (mg_math.sqrt, -1.0, ValueError),
            (mg_math.exp, 1000.0, OverflowError),
            (mg_math.fmod, 1.0, ValueError),
        ):
            with pytest.raises(error, match=rf"^{f.__name__}\({x}"):
                f(*((Value(x), 0.0) if f is mg_math.fmod else (Value(x),)))

    def test_logarithm_to_a_base(self) -> None:
        x, base = Value(8.0), Value(2.0)
        y = mg_math.log(x, base)
        assert y.data == 3.0
        y.backward()
        assert x.grad == pytest.approx(1.0 / (8.0 * math.log(2.0)), rel=1e-15)
        assert base.grad == pytest.approx(-3.0 / (2.0 * math.log(2.0)), rel=1e-15)
        assert mg_math.log(8.0, base).data == mg_math.log(x, 2).data == 3.0
        assert mg_math.log(x, 8**400).data == pytest.approx(1.0 / 400.0, rel=1e-15)
        for n in (0, -2):
            message = rf"^log\({n}.0\): not defined there; it needs x > 0$"
            with pytest.raises(ValueError, match=message):
                mg_math.log(x, n)

    def test_pow_at_zero(self) -> None:
        for x, y in product((0.0, -0.0), (inf, -inf, nan)):
            for xs in ((Value(x), y), (x, Value(y)), (Value(x), Value(y))):
                assert repr(mg_math.pow(*xs).data) == repr(math.pow(x, y))
        with pytest.raises(ValueError, match=r"^0\.0 \*\* -1\.0: "):
            mg_math.pow(Value(0.0), -1.0)

    def test_copysign(self) -> None:
        for x, y in product((2.0, -2.0), (3.0, -3.0, 0.0, -0.0)):
            a, b = Value(x), Value(y)
            z = mg_math.copysign(a, b)
            assert z.data == math.copysign(x, y)
            z.backward()
            assert (a.grad, b.grad) == (z.data / x, 0.0)

    def test_iterables_are_read_once(self) -> None:
        xs = [Value(2.0), Value(3.0)]
        assert mg_math.fsum(iter(xs)).data == 5.0
        assert mg_math.prod(iter(xs)).data == 6.0
        assert mg_math.prod(iter([2.0]), start=Value(4.0)).data == 8.0
        assert mg_math.dist(iter(xs), iter([2.0, 7.0])).data == 4.0

    def test_points_of_different_dimension(self) -> None:
        with pytest.raises(
            ValueError, match=r"^dist: needs two points of one dimension, got 1 and 2$"
        ):
            mg_math.dist([Value(1.0)], [1.0, 2.0])

    def test_sums_are_exact(self) -> None:
        assert mg_math.fsum([Value(0.1)] * 10).data == 1.0
        if hasattr(math, "sumprod"):  # since Python 3.12
            xs = [Value(1e16), Value(1.0), Value(-1e16)]
            assert mg_math.sumprod(xs, [1.0] * 3).data == 1.0
            with pytest.raises(ValueError, match=r"^sumprod: needs one length, got 3 and 2$"):
                mg_math.sumprod(xs, [1.0] * 2)
            p, q = [134217729.0, -1.0], [134217729.0, 18014398777917440.0]
            assert mg_math.sumprod([*map(Value, p)], q).data == 1.0
        if hasattr(math, "fma"):  # since Python 3.13
            x = Value(0.1)
            assert mg_math.fma(x, 10.0, -1.0).data == mg_math.fma(0.1, 10.0, -1.0) == 2.0**-54
            assert mg.compile(lambda x: mg_math.fma(x, 10.0, -1.0))(0.1) == 2.0**-54


def test_signatures() -> None:
    known = 0
    for f, standard in [(getattr(mg_math, x), getattr(math, x)) for x in NAMES]:
        with contextlib.suppress(TypeError, ValueError):  # a constant, or log, hypot, gcd, ...
            expected = inspect.signature(standard)
            assert [*inspect.signature(f).parameters] == [*expected.parameters]
            known += 1
    assert known > 40


MAX = math.nextafter(inf, 0.0)


def test_ldexp_over_the_whole_range() -> None:
    for x, i in product(
        (1.5, -3.0, 5e-324, 1e-300, 1e300, MAX, 0.0, -0.0, inf, -inf, nan),
        (
            *(0, 1, 60, 1023, 1024, 1030, 2047, 2098, 5000, 10**7, 10**400),
            *(-70, -1074, -1075, -1100, -2000, -2097, -2098, -2099, -(10**9), -(10**400)),
        ),
    ):
        compiled = mg.compile(lambda x, i=i: mg_math.ldexp(x, i))
        compiled(0.5 if i < 0 else 5e-324 if i < 2098 else 0.0)  # within range
        try:
            expected = math.ldexp(x, i)
        except OverflowError:
            for function in (lambda x, i=i: mg_math.ldexp(Value(x), i), compiled):
                with pytest.raises(OverflowError, match=r"^math range error$"):
                    function(x)
        else:
            for y in (mg_math.ldexp(Value(x), i).data, compiled(x)):
                assert repr(y) == repr(expected), (x, i)
    x = Value(1.5)
    mg_math.ldexp(x, 10).backward()
    assert x.grad == 1024.0


REFUSALS = [
    (OverflowError, "int too large to convert to float"),
    *[(TypeError, f"must be real number, not {kind}") for kind in ("NoneType", "complex")],
    *[(TypeError, f"must be real number, not {kind}") for kind in ("list", "str")],
]


class TestFunctionsOfPython315:
    """They are there on every Python, and differentiable where that makes sense."""

    @pytest.mark.parametrize("name", sorted(NEWEST))
    def test_on_plain_numbers(self, name: str) -> None:
        ours = getattr(mg_math, name)
        assert (ours.__name__, bool(ours.__doc__)) == (name, True)
        n = 2 if name in ("fmax", "fmin") else 1
        for arguments in product(NUMBERS + OTHERS, repeat=n):
            found = outcome(ours, arguments)
            if hasattr(math, name):
                assert found == outcome(getattr(math, name), arguments), arguments
            elif any(x == 10**400 or not isinstance(x, float | int | Fraction) for x in arguments):
                assert found in REFUSALS
            else:
                assert found == outcome(by_definition, (name, *map(float, arguments)))

    @pytest.mark.parametrize("name", ["isnormal", "issubnormal", "signbit"])
    def test_predicates_look_at_the_data(self, name: str) -> None:
        f = getattr(mg_math, name)
        for x in (*NUMBERS, 5e-324, -1e-310, 2.0**-1022):
            assert f(Value(x)) is f(x)
            assert mg.compile(lambda v: v * (2.0 if f(v) else 3.0))(x) == pytest.approx(
                x * (2.0 if f(x) else 3.0), nan_ok=True
            )

    @pytest.mark.parametrize(
        ("x", "y", "larger", "gradient"),
        [
            (1.0, 2.0, 2.0, (0.0, 1.0)),
            (3.0, 2.0, 3.0, (1.0, 0.0)),
            (2.0, 2.0, 2.0, (0.5, 0.5)),
            (nan, 2.0, 2.0, (0.0, 1.0)),
            (3.0, nan, 3.0, (1.0, 0.0)),
            (-inf, nan, -inf, (1.0, 0.0)),
            (nan, nan, nan, (0.0, 1.0)),
        ],
    )
    def test_a_nan_counts_as_missing(
        self, x: float, y: float, larger: float, gradient: tuple[float, float]
    ) -> None:
        for a, b in ((Value(x), Value(y)), (Value(x), y), (x, Value(y))):
            z = mg_math.fmax(a, b)
            assert repr((z.data, -mg_math.fmin(-a, -b).data)) == repr((larger, larger))
            with mg.allow_nonfinite():
                z.backward()
            tie = x == y and not (isinstance(a, Value) and isinstance(b, Value))
            for v, slope in ((a, gradient[0]), (b, gradient[1])):
                if isinstance(v, Value):
                    assert v.grad == (0.0 if tie else slope)
        compiled = mg.compile(mg.grad(mg_math.fmax, (0, 1)))
        with mg.allow_nonfinite():
            assert compiled(x, y) == mg.grad(mg_math.fmax, (0, 1))(x, y) == gradient


def by_definition(name: str, *xs: float) -> float | bool:
    if name in ("fmax", "fmin"):
        numbers = sorted([x for x in xs if x == x], key=lambda x: (x, math.copysign(1.0, x)))
        return numbers[-1 if name == "fmax" else 0] if numbers else nan
    if name == "signbit":
        return repr(xs[0]).startswith("-")
    size = abs(xs[0])
    normal = 2.0**-1022 <= size < inf
    return normal if name == "isnormal" else size > 0.0 and not normal and size < inf
