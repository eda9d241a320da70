"""Identities that hold for all gradients: of the rows of the table, and of random expressions.

Where an identity is not exact in floats, its tolerance follows from what is rounded: a gradient is
a sum over paths of products of partials, so evaluating it in another order moves it by some units
in the last place of the sum of the sizes of the products.
"""

import random
from collections.abc import Callable
from itertools import combinations
from math import fsum, isfinite, log
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_primitives import PUBLIC, differentiable, drawn_points
from truths.points import static

import microgradlib as mg
from microgradlib import Value
from microgradlib.core.backprop import topological_order
from microgradlib.core.primitive import Primitive
from microgradlib.core.table import PRIMITIVES
from microgradlib.testing import Expression, arities, expressions

UNIT = 2.0**-52
point = st.floats(-3.0, 3.0)
factor = st.floats(-3.0, 3.0)
some = settings(max_examples=200)
Function = Callable[..., Any]


def gradient(f: Function, *point: float) -> list[float]:
    xs = [Value(x) for x in point]
    y = f(*xs)
    assume(isfinite(y.data))
    with mg.allow_nonfinite():
        y.backward()
    assume(all(isfinite(x.grad) for x in xs))
    return [x.grad for x in xs]


def tolerance(f: Function, *point: float) -> list[float]:
    """Return how far rounding can move each entry of the gradient of f at a point.

    Every edge of the graph multiplies once and adds once; it does so with the sizes here.
    """
    xs = [Value(x) for x in point]
    order = topological_order([f(*xs)])
    sizes = dict.fromkeys([*xs, *order, *[x for node in order for x in node._prev]], 0.0)
    sizes[order[-1]] = 1.0
    for node in reversed(order):
        for x, partial in zip(node._inputs, node._partials, strict=True):
            if partial is not None:
                sizes[x] += sizes[node] * abs(partial)
    edges = sum(len(node._prev) for node in order)
    return [1e-300 + (8.0 + 2.0 * edges) * UNIT * sizes[x] for x in xs]


# The structure of gradients, on random expressions.


@some
@given(expressions(), expressions(), point, point, factor, factor)
def test_backward_is_linear(
    f: Expression, g: Expression, x: float, y: float, a: float, b: float
) -> None:
    def combined(*xs: Any) -> Any:
        return a * f(*xs) + b * g(*xs)

    parts = zip(gradient(f, x, y), gradient(g, x, y), strict=True)
    assert_close(combined, (x, y), [a * p + b * q for p, q in parts])


@some
@given(expressions(), expressions(), point, point)
def test_product_rule(f: Expression, g: Expression, x: float, y: float) -> None:
    u, v = f(x, y), g(x, y)
    parts = zip(gradient(f, x, y), gradient(g, x, y), strict=True)
    assert_close(lambda *xs: f(*xs) * g(*xs), (x, y), [p * v + u * q for p, q in parts])


@some
@given(expressions(), expressions(), point, point)
def test_quotient_rule(f: Expression, g: Expression, x: float, y: float) -> None:
    u, v = f(x, y), g(x, y)
    assume(abs(v) > 1e-3)
    parts = zip(gradient(f, x, y), gradient(g, x, y), strict=True)
    # Not (p v - u q) / v**2, which cancels where this does not.
    assert_close(lambda *xs: f(*xs) / g(*xs), (x, y), [p / v - u / v / v * q for p, q in parts])


@some
@given(expressions(inputs=1), expressions(inputs=2), point, point)
def test_chain_rule(f: Expression, g: Expression, x: float, y: float) -> None:
    (outer,) = gradient(f, g(x, y))
    assert_close(lambda *xs: f(g(*xs)), (x, y), [outer * p for p in gradient(g, x, y)])


def assert_close(f: Function, point: tuple[float, ...], expected: list[float]) -> None:
    rows = zip(gradient(f, *point), expected, tolerance(f, *point), strict=True)
    for got, wanted, limit in rows:
        assert abs(got - wanted) <= limit


@some
@given(expressions(), point, point, st.integers(-30, 30))
def test_a_power_of_two_scales_gradients_exactly(
    f: Expression, x: float, y: float, exponent: int
) -> None:
    scale = 2.0**exponent
    expected = [scale * p for p in gradient(f, x, y)]
    scaled = gradient(lambda *xs: scale * f(*xs), x, y)
    assume(all(abs(p) > 1e-290 or p == 0.0 for p in (*expected, *scaled)))
    assert scaled == expected


@some
@given(expressions(), point, point)
def test_a_gradient_is_what_the_other_input_gets_if_they_trade_places(
    f: Expression, x: float, y: float
) -> None:
    assert gradient(lambda v, u: f(u, v), y, x) == gradient(f, x, y)[::-1]


@some
@given(st.lists(expressions(), min_size=2, max_size=6), point, point, st.randoms())
def test_the_order_of_the_terms_of_a_sum_does_not_matter(
    terms: list[Expression], x: float, y: float, rng: random.Random
) -> None:
    def total(*xs: Any) -> Any:
        result: Any = 0.0
        for f in terms:
            result = result + f(*xs)
        return result

    def shuffled(*xs: Any) -> Any:
        values = [f(*xs) for f in rng.sample(terms, len(terms))]
        return mg.sum(values)

    assert_close(shuffled, (x, y), gradient(total, x, y))


@some
@given(expressions(), expressions(), point, point)
def test_gradients_of_two_roots_accumulate_to_that_of_their_sum(
    f: Expression, g: Expression, x: float, y: float
) -> None:
    xs = Value(x), Value(y)
    with mg.allow_nonfinite():
        f(*xs).backward()
        g(*xs).backward()
    assert_close(lambda *xs: f(*xs) + g(*xs), (x, y), [v.grad for v in xs])


# Symmetries: found in the values of the rows, then demanded of their partials, bit for bit.


def places(row: Primitive) -> list[tuple[int, list[tuple[float, ...]]]]:
    """Return each number of inputs of a row, with points of that many."""
    points = drawn_points(row, 60)
    return [(n, [point for point in points if len(point) == n]) for n in arities(row)]


def flip(xs: tuple[float, ...], i: int) -> tuple[float, ...]:
    return (*xs[:i], -xs[i], *xs[i + 1 :])


def swap(xs: tuple[float, ...], i: int, j: int) -> tuple[float, ...]:
    swapped = list(xs)
    swapped[i], swapped[j] = xs[j], xs[i]
    return tuple(swapped)


def unchanged(
    row: Primitive, move: Callable[..., Any], points: list[tuple[float, ...]], sign: float = 1.0
) -> bool:
    """Whether the row has the same value, times the sign, at points and at moved points."""
    try:
        return all(row(*move(point)) == sign * row(*point) for point in points)
    except ValueError:
        return False  # not defined there


ODD_AND_EVEN = [
    (row, n, i, sign)
    for row in PUBLIC
    for n, points in places(row)
    for i in range(n - static(row))
    for sign in (1.0, -1.0)
    if unchanged(row, lambda xs, i=i: flip(xs, i), points, sign)
]


@pytest.mark.parametrize(("row", "n", "i", "sign"), ODD_AND_EVEN)
def test_partials_of_odd_and_even_functions(row: Primitive, n: int, i: int, sign: float) -> None:
    """In the input where f is even its partial is odd, and the other way round."""
    for point in dict(places(row))[n]:
        _, partials = differentiable(row, point)
        _, mirrored = differentiable(row, flip(point, i))
        assert mirrored == [(-sign if j == i else sign) * p for j, p in enumerate(partials)]


def test_odd_and_even_functions_were_found() -> None:
    signs = {(row.name, sign) for row, n, _, sign in ODD_AND_EVEN if n == 1}
    odd = {"sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "erf", "cbrt"}
    assert signs >= {(name, -1.0) for name in odd} | {("cos", 1.0), ("cosh", 1.0), ("abs", 1.0)}


COMMUTATIVE = [
    (row, n, i, j)
    for row in PUBLIC
    for n, points in places(row)
    for i, j in combinations(range(n - static(row)), 2)
    if unchanged(row, lambda xs, i=i, j=j: swap(xs, i, j), points)
]


@pytest.mark.parametrize(("row", "n", "i", "j"), COMMUTATIVE)
def test_partials_trade_places_as_inputs_do_where_an_operation_commutes(
    row: Primitive, n: int, i: int, j: int
) -> None:
    for point in dict(places(row))[n]:
        _, partials = row.value_and_partials(*point)
        _, swapped = row.value_and_partials(*swap(point, i, j))
        assert swapped == swap(partials, i, j)


def test_commutative_operations_were_found() -> None:
    names = {row.name for row, *_ in COMMUTATIVE}
    assert names >= {"add", "multiply", "hypot", "maximum", "minimum", "sum", "mean", "logsumexp"}


# Inverse functions: the slope of one is the reciprocal of the slope of the other.

INVERSES = [
    ("exp", "log", (-20.0, 20.0)),
    ("exp2", "log2", (-20.0, 20.0)),
    ("expm1", "log1p", (-5.0, 20.0)),
    ("sin", "asin", (-1.5, 1.5)),
    ("cos", "acos", (0.1, 3.0)),
    ("tan", "atan", (-1.5, 1.5)),
    ("sinh", "asinh", (-20.0, 20.0)),
    ("cosh", "acosh", (0.1, 20.0)),
    ("tanh", "atanh", (-3.0, 3.0)),
    ("negative", "negative", (-20.0, 20.0)),
]


@pytest.mark.parametrize(("name", "inverse"), [pair[:2] for pair in INVERSES])
def test_slopes_of_inverse_functions_multiply_to_1(name: str, inverse: str) -> None:
    (bounds,) = [bounds for a, b, bounds in INVERSES if (a, b) == (name, inverse)]
    f, g = PRIMITIVES[name], PRIMITIVES[inverse]

    @some
    @given(st.floats(*bounds))
    def check(x: float) -> None:
        y, (slope,) = f.value_and_partials(x)
        # Rounding y moves the slope of g by its condition there: y g''(y) / g'(y).
        at = Value(y)
        (back,) = g.rule(g(at), at)
        condition = 0.0
        if isinstance(back, Value):
            back.backward()
            condition = abs(y * at.grad / back.data)
        back = back.data if isinstance(back, Value) else back
        assert abs(slope * back - 1.0) <= (4.0 + 4.0 + 4.0 * condition) * UNIT

    check()


# Softmax and its relatives.

entries = st.lists(st.floats(-50.0, 50.0), min_size=1, max_size=8)


@some
@given(entries, st.integers(-64, 64))
def test_translation(xs: list[float], shift: int) -> None:
    """Softmax ignores a shift of all inputs, logsumexp passes it on; gradients ignore it."""
    xs = [round(x * 2.0**20) * 2.0**-20 for x in xs]  # so that adding the shift is exact
    moved = [x + shift for x in xs]
    assert mg.softmax(moved) == mg.softmax(xs)
    assert mg.log_softmax(moved) == mg.log_softmax(xs)
    value = mg.logsumexp(xs)
    limit = 8.0 * UNIT * max(abs(value), abs(value + shift), 1.0)
    assert abs(mg.logsumexp(moved) - (value + shift)) <= limit
    for f in (mg.logsumexp, lambda xs: mg.softmax(xs)[0], lambda xs: mg.log_softmax(xs)[0]):
        assert gradient(lambda *xs, f=f: f(xs), *moved) == gradient(lambda *xs, f=f: f(xs), *xs)


@some
@given(entries)
def test_sums_of_gradients(xs: list[float]) -> None:
    """What a shift of all inputs does: nothing to softmax, and 1 to logsumexp, sum and mean."""
    count = len(xs)
    for f, total in (
        (lambda xs: mg.softmax(xs)[-1], 0.0),
        (lambda xs: mg.log_softmax(xs)[-1], 0.0),
        (mg.logsumexp, 1.0),
        (mg.mean, 1.0),
        (mg.sum, float(count)),
    ):
        slopes = gradient(lambda *xs, f=f: f(xs), *xs)
        assert abs(fsum(slopes) - total) <= 4.0 * UNIT * fsum(map(abs, slopes))
        assert fsum(mg.softmax(xs)) == pytest.approx(1.0, abs=4.0 * UNIT)


@some
@given(entries)
def test_logsumexp_has_the_gradient_softmax(xs: list[float]) -> None:
    assert gradient(lambda *xs: mg.logsumexp(xs), *xs) == mg.softmax(xs)


@some
@given(entries | st.just([log(0.5)] * 2))  # whose logsumexp is next to 0
def test_an_entry_far_below_the_others_changes_nothing(xs: list[float]) -> None:
    more = [*xs, -1000.0]
    assert mg.logsumexp(more) == mg.logsumexp(xs)
    assert mg.softmax(more) == [*mg.softmax(xs), 0.0]
    assert gradient(lambda *xs: mg.logsumexp(xs), *more)[:-1] == mg.softmax(xs)


@some
@given(entries, st.randoms())
def test_a_permutation_of_the_inputs_permutes_the_gradient(
    xs: list[float], rng: random.Random
) -> None:
    order = rng.sample(range(len(xs)), len(xs))
    for f in (mg.logsumexp, mg.sum, mg.mean):
        slopes = gradient(lambda *xs, f=f: f(xs), *xs)
        permuted = gradient(lambda *xs, f=f: f(xs), *[xs[i] for i in order])
        assert permuted == [slopes[i] for i in order]


# Homogeneous functions: f(c x) = c**d f(x), so by Euler's theorem x . grad f = d f.


@some
@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=6))
def test_eulers_theorem(xs: list[float]) -> None:
    n = len(xs)
    for f, degree in (
        (lambda *xs: mg.hypot(*xs), 1.0),
        (lambda *xs: mg.prod(xs), float(n)),
        (lambda *xs: mg.sum(xs), 1.0),
        (lambda *xs: mg.mse_loss(list(xs), [0.0] * n), 2.0),
        (lambda *xs: mg.dot(xs, xs), 2.0),
        (lambda *xs: mg.atan2(xs[0], xs[-1]), 0.0),
    ):
        terms = [x * p for x, p in zip(xs, gradient(f, *xs), strict=True)]
        size = fsum(map(abs, terms))
        assert abs(fsum(terms) - degree * f(*xs)) <= (8.0 + 2.0 * n) * UNIT * size
