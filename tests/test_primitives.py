"""Every row of the table against stored truths, and the three readings of its rule."""

import copy
import json
import math
import pickle
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import inf, isinf, isnan, lgamma, nan
from numbers import Complex
from pathlib import Path
from typing import Any

import pytest
from truths.measure import derivative_scale, promised_ulps, ulps
from truths.points import drawn_points, near, static

from microgradlib import Value
from microgradlib.compiling.graph import Graph
from microgradlib.core import table
from microgradlib.core.primitive import Primitive
from microgradlib.core.table import PRIMITIVES
from microgradlib.core.value import apply, constant
from microgradlib.numeric.conversion import to_float
from microgradlib.testing import arities

TRUTHS = json.loads((Path(__file__).parent / "truths" / "truths.json").read_text("ascii"))
ROWS = list(PRIMITIVES.values())
PUBLIC = [row for row in ROWS if not row.helper]
EXACT = [row for row in ROWS if row.name != "norm_scale"]  # of which any power of two will do

# As far as math.gamma and math.lgamma are off, and what is promised of the slope of gamma.
VALUE_ULPS = {"gamma": 6.0, "lgamma": 6.0, "gamma_prime": 5.0}

Case = tuple[tuple[float, ...], list[tuple[float, float]]]


def cases(row: Primitive) -> list[Case]:
    """Return the stored points of a row, each with the truths of its value and its partials."""
    result: list[Case] = []
    for inputs, *truths in TRUTHS[row.name]:
        pairs = [(float.fromhex(high), float.fromhex(low)) for high, low in truths]
        result.append((tuple(map(float.fromhex, inputs)), pairs))
    return result


def name(row: Primitive) -> str:
    return row.name


def test_every_row_has_truths_and_every_truth_a_row() -> None:
    assert list(TRUTHS) == [row.name for row in EXACT]
    assert all(len(TRUTHS[row.name]) >= 30 for row in EXACT)


@pytest.mark.parametrize("row", EXACT, ids=name)
def test_only_rows_that_are_not_helpers_have_truths_of_their_partials(row: Primitive) -> None:
    assert {len(truths) > 1 for _, truths in cases(row)} == {not row.helper}


@pytest.mark.parametrize("row", EXACT, ids=name)
def test_truths_are_where_the_row_says(row: Primitive) -> None:
    """Of every arity, all over the domain, and ever closer to each delicate point and no other."""
    points = [inputs for inputs, _ in cases(row)]
    assert {len(inputs) for inputs in points} == set(arities(row))
    fixed = len(row.domain) == max(arities(row))
    columns = zip(*points, strict=True) if fixed else [[x for inputs in points for x in inputs]]
    coarse = row.name in ("where", "power_c_slope")  # their parameters do not fill an interval
    for interval, xs in list(zip(row.domain, columns, strict=True))[
        : -static(row) * coarse or None
    ]:
        assert interval.low <= min(xs) < max(interval.low + 0.3, -30.0)
        assert interval.high >= max(xs) > min(interval.high - 0.3, 30.0)
    numbers = {x for inputs in points for x in inputs}

    def approached(x: float) -> bool:
        steps = (2.0**-5, 2.0**-9, 2.0**-13, 2.0**-17)
        sides = [[x + step for step in steps], [x - step for step in steps]]
        return any(
            numbers.issuperset(side) and side[0] - x in (steps[0], -steps[0]) for side in sides
        )

    candidates = {-1.0, 0.0, 1.0} | {x for x in numbers if 0.5 < abs(x) < 4.0}
    assert set(filter(approached, candidates)) == set(near(row))


@pytest.mark.parametrize("row", EXACT, ids=name)
def test_value_against_truth(row: Primitive) -> None:
    worst = 0.0
    for inputs, (value, *_) in cases(row):
        error = ulps(row(*inputs), value, value_scale(row, inputs))
        worst = max(worst, error)
        assert error <= VALUE_ULPS.get(row.name, 4.0), f"{row.show(*inputs)}: {error} ulp"
    print(f"{row.name}: value within {worst:.2f} ulp")


def value_scale(row: Primitive, inputs: tuple[float, ...]) -> float:
    """Return the size against which a value is accurate where it is the rest of a cancellation."""
    if row.name == "lgamma":
        return 1.0
    if row.name in ("digamma", "gamma_prime"):
        return derivative_scale(PRIMITIVES["lgamma" if row.name == "digamma" else "gamma"], inputs)
    if row.name == "dot":
        bias, *factors = inputs
        n = len(factors) // 2
        products = [w * x for w, x in zip(factors[:n], factors[n:], strict=True)]
        return max(abs(bias), *map(abs, products))
    return 0.0


def differentiable(row: Primitive, inputs: tuple[float, ...]) -> tuple[float, list[float]]:
    """Return the value, and the partials that are not None."""
    value, partials = row.value_and_partials(*inputs)
    return value, [p for p in partials if p is not None]


@pytest.mark.parametrize("row", PUBLIC, ids=name)
def test_first_derivative_against_truth(row: Primitive) -> None:
    worst = 0.0
    for inputs, (_, *truths) in cases(row):
        output, partials = differentiable(row, inputs)
        assert len(partials) == len(truths) == len(inputs) - static(row)
        for partial, truth in zip(partials, truths, strict=True):
            error = ulps(partial, truth, derivative_scale(row, inputs))
            worst = max(worst, error)
            limit = promised_ulps(row)
            assert error <= limit, f"{row.show(*inputs)} = {output}: {partials}, {error} ulp"
    print(f"{row.name}: derivative within {worst:.2f} ulp")


@pytest.mark.parametrize("row", PUBLIC, ids=name)
def test_a_node_carries_what_the_row_says(row: Primitive) -> None:
    for inputs, _ in cases(row)[:20]:
        n = len(inputs) - static(row)
        xs = [Value(x) for x in inputs[:n]]
        node = apply(row, (*xs, *inputs[n:]))
        value, partials = differentiable(row, inputs)
        assert same(node.data, value)
        assert node._inputs == (*xs, *inputs[n:])
        expected = [None if i < row.selects and p == 0.0 else p for i, p in enumerate(partials)]
        assert [*map(repr, node._partials)] == [*map(repr, expected), *["None"] * static(row)]
        assert [*node._prev] == [x for x, p in zip(xs, expected, strict=True) if p is not None]
        assert node._op is row


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_the_rule_reads_the_same_on_floats_and_on_values(row: Primitive) -> None:
    """The fast path, the rule on floats and the rule on Values give the same bits."""
    for inputs in drawn_points(row, 25):
        value, fast = row.value_and_partials(*inputs)
        assert same(value, row(*inputs))
        on_floats = row.rule(value, *inputs)
        on_values = row.rule(constant(value), *map(constant, inputs))
        assert all(map(same, fast, on_floats)), (inputs, fast, on_floats)
        data = [p.data if isinstance(p, Value) else p for p in on_values]
        assert all(map(same, fast, data)), (inputs, fast, data)


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_generated_code_gives_the_same_bits(row: Primitive) -> None:
    for n in arities(row):
        code = Graph(set())
        names = [f"x{i}" for i in range(n)]
        y: Any = row(*map(code.input, names))
        program = compile("\n".join([*code.lines([y], []), f"y = {y.text}"]), "", "exec")
        points = [inputs for inputs in drawn_points(row, 25) if len(inputs) == n]
        for inputs in [*points, *[(x,) * n for x in (0.0, -0.0, 1.0, inf, nan)]]:
            try:
                expected = row(*inputs)
            except (ValueError, ArithmeticError):
                continue
            scope = vars(math) | code.functions | dict(zip(names, inputs, strict=True))
            exec(program, scope)
            assert repr(scope["y"]) == repr(expected), (inputs, program)


@pytest.mark.parametrize("row", [row for row in ROWS if row.helper], ids=name)
def test_rules_of_helper_rows_against_differences(row: Primitive) -> None:
    """What only higher orders need: coarse here, so that a wrong rule cannot hide."""
    checked = 0
    for inputs in drawn_points(row, 60):
        partials = row.rule(row(*inputs), *inputs)
        assert partials[len(inputs) - static(row) :] == (None,) * static(row)
        for i, partial in enumerate(partials[: len(inputs) - static(row)]):
            if partial is None:
                partial = 0.0  # the row is piecewise constant
            h = 1e-5 * max(abs(inputs[i]), 0.1)
            try:
                low, high = (
                    row(*inputs[:i], inputs[i] + step, *inputs[i + 1 :]) for step in (-h, h)
                )
            except (ValueError, ZeroDivisionError):
                continue
            difference = (high - low) / (2.0 * h)
            scale = max(abs(difference), abs(high) + abs(low), 1e-3)
            assert abs(partial - difference) <= 1e-5 * scale, (inputs, i, partial, difference)
            checked += 1
    assert checked >= 60


NAN_IS_NOT_SEEN: dict[str, Callable[..., bool]] = {
    "gate": lambda x, p: p == 0.0,
    "select": lambda *xs: not (xs[-1] in range(len(xs) - 1) and isnan(xs[int(xs[-1])])),
    "power": lambda x, y: x == 1.0 or y == 0.0,  # as in IEEE 754 and C
    "power_c": lambda x, c: c == 0.0,
    "power_c_slope": lambda x, c, k: c < k,
    "hypot": lambda *xs: inf in xs,
    "direction": lambda *xs: inf in xs,
    "inside": lambda x, low, high: not isnan(x),
    "where": lambda x, y, c: not isnan(x if c else y),
    "complement": lambda p, *_: p <= 0.5,
}


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_nan_in_gives_nan_out(row: Primitive) -> None:
    n = max(arities(row))
    numbers = (0.0, 0.5, 1.0, 2.0) if static(row) else (0.0, 0.5, 1.0, 2.0, inf)
    for others in product(numbers, repeat=min(n - 1, 2)):
        for i in range(n - static(row)):
            inputs = [*others, *[3.0] * n][: n - 1]
            inputs.insert(i, nan)
            if row.name in NAN_IS_NOT_SEEN and NAN_IS_NOT_SEEN[row.name](*inputs):
                continue
            try:
                assert isnan(row(*inputs)), inputs
            except ZeroDivisionError:
                assert row.name in ("divide", "modulo")
            except ValueError:
                assert row.name == "bce_with_logits"
                assert inputs[1] > 1.0


def same(a: float, b: float) -> bool:
    return a == b or (isnan(a) and isnan(b))


def test_a_wrong_derivative_is_seen() -> None:
    """The comparison itself: a relative error of 1e-15 is more than 4 ulp."""
    assert ulps(1.0 + 4.5e-16, (1.0, 0.0)) <= 4.0 < ulps(1.0 + 1.2e-15, (1.0, 0.0))
    assert isinf(ulps(nan, (1.0, 0.0)))
    assert isinf(ulps(0.0, (float("inf"), 0.0)))


def test_a_number_may_have_only_an_index() -> None:
    class Three:
        def __index__(self) -> int:
            return 3

    assert to_float("f", Three()) == 3.0
    assert table.exp(Three()) == table.exp(3.0)


@pytest.mark.torch
def test_arrays_and_complex_numbers_are_no_numbers() -> None:
    numpy, torch = map(pytest.importorskip, ("numpy", "torch"))
    for xs in (numpy.array([1.0, 2.0]), torch.tensor([1.0, 2.0])):
        message = f"exp: expected a number or a Value, got {xs!r}; call it on each element"
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            table.exp(xs)
    assert table.exp(numpy.array(0.0)) == table.exp(torch.tensor(0.0)) == 1.0
    for kind in (complex, numpy.complex128, numpy.complex64):
        x = kind(1 + 2j)
        message = f"exp: expected a number or a Value, got {x!r}; pass a float"
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            table.exp(x)


def test_a_complex_number_is_refused_even_if_it_converts() -> None:
    class Phasor:
        def __float__(self) -> float:
            return 1.0

    Complex.register(Phasor)
    with pytest.raises(TypeError, match=r"^exp: expected .*test_primitives.* at .*; pass a float$"):
        table.exp(Phasor())
    assert table.exp(Fraction(1, 2)) == math.exp(0.5)


def test_a_vector_is_no_number() -> None:
    class Vector:
        def __float__(self) -> float:
            raise TypeError("only vectors of one element")

        def __iter__(self) -> Any:
            return iter([1.0, 2.0])

    with pytest.raises(TypeError, match=r"^exp: expected .*; call it on each element$"):
        table.exp(Vector())


def test_the_error_of_a_number_that_gives_no_float() -> None:
    with pytest.raises(ValueError, match=r"^cannot convert signaling NaN to float$"):
        table.exp(Decimal("sNaN"))


def test_names_and_symbols() -> None:
    assert all(PRIMITIVES[row.name] is row for row in ROWS)
    assert {row.name: str(row) for row in ROWS if str(row) != row.name} == {
        "add": "+",
        "subtract": "-",
        "multiply": "*",
        "divide": "/",
        "modulo": "%",
        "power": "**",
        "power_c": "**",
        "negative": "neg",
        "maximum_c": "maximum",
        "minimum_c": "minimum",
        "mse": "mse_loss",
        "bce": "binary_cross_entropy",
        "bce_with_logits": "binary_cross_entropy_with_logits",
        # Only rules need these. What a user reads is what they are derivatives of.
        **{row.name: f"{row.name[:-6]}'" for row in ROWS if row.name.endswith("_prime")},
        **dict.fromkeys(("power_dx", "power_dy", "power_c_slope"), "**'"),
        "quotient_dy": "/'",
        "ratio": "/",
        "gate": "*",
        "direction": "hypot'",
        "above": "maximum'",
        "greater": "maximum'",
        "inside": "clip'",
        "match": "select'",
        "nearest": "round",
        "sign": "abs'",
        "jump": "abs''",
        "power_or_inf": "**",
        "bce_scale": "binary_cross_entropy'",
        "complement": "softmax'",
        "share": "softmax",
    }
    assert table.add.show(1.0, 2.0) == "1.0 + 2.0"
    assert table.tanh.show(1.0) == "tanh(1.0)"
    assert table.power_dx.show("x", 0.5) == "(x ** 0.5)'"
    assert table.power_c_slope.show(-2.0, 0.5, 3.0) == "((-2.0) ** 0.5)'''"
    assert table.mean.show(*range(9)) == "mean(0, 1, 2, 3, 4, 5, 6, 7, 8)"
    assert table.mean.show(*range(10)) == "mean(0, 1, 2, ..., 9)"


def test_a_row_is_one_of_a_kind() -> None:
    for row in ROWS:
        assert copy.copy(row) is copy.deepcopy(row) is pickle.loads(pickle.dumps(row)) is row


def test_value_follows_math_where_math_is_not_exact() -> None:
    assert table.lgamma(2.5) == lgamma(2.5)
