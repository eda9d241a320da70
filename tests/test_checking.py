"""gradcheck is itself checked: with right rules, wrong rules, kinks, edges and noise."""

import functools
import math
import operator
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from truths.points import static

import microgradlib as mg
from microgradlib import Value, nn
from microgradlib.checking import Report, Slope, checks
from microgradlib.checking.differences import Extrapolation
from microgradlib.checking.report import judge
from microgradlib.core.primitive import Primitive
from microgradlib.core.table import PRIMITIVES
from microgradlib.testing import arities

ROWS = [row for row in PRIMITIVES.values() if not row.helper and not static(row)]
anything: Any = mg


def with_rule(
    derivative: Callable[[float], float], function: Callable[[float], float] = math.sin
) -> Callable[[Any], Any]:
    """Return a function, the sine, with a rule of the caller's choice for its derivative."""
    return mg.primitive(lambda y, x: (derivative(x),))(lambda x: function(x))


def verdicts(report: Report) -> set[str]:
    return {entry.verdict for entry in report}


# Right rules.


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_primitive_passes(row: Primitive) -> None:
    rng = random.Random(row.name)
    checked = 0
    for _ in range(5):
        n = rng.choice(arities(row))
        domain = row.domain if len(row.domain) == n else row.domain * n
        point = []
        for interval in domain:
            low, high = max(interval.low, -3.0), min(interval.high, 3.0)
            point.append(rng.uniform(low + 0.05, high - 0.05))
        if row.name == "power":
            point[0] = abs(point[0]) + 0.1
        report = mg.gradcheck(lambda *xs: row(*xs), tuple(point))
        checked += len(report)
        assert verdicts(report) <= {"ok", "not smooth here"}
    assert checked >= 5


@example(x=2.225073858507203e-309, y=0.8205986347774181)
@given(x=st.floats(-3.0, 3.0), y=st.floats(0.1, 3.0))
def test_compositions_pass(x: float, y: float) -> None:
    assert mg.gradcheck(lambda x, y: mg.sin(x * y) * mg.log(y) + mg.tanh(x) / y, (x, y))


@pytest.mark.parametrize("x", [1e-300, 1e-12, 1e-6, 1.0, 1e6, 1e300])
def test_the_step_follows_the_scale_of_the_input(x: float) -> None:
    assert verdicts(mg.gradcheck(mg.log, x)) == {"ok"}
    assert verdicts(mg.gradcheck(lambda v: v * 3.0, x)) == {"ok"}


def test_nested_arguments_and_outputs() -> None:
    report = mg.gradcheck(
        lambda xs, y: [mg.softmax(xs), y * xs[0]], ([0.5, -1.0, 2.0], 3.0), raise_exception=True
    )
    assert [entry.input for entry in report[:4]] == ["x0[0]"] * 4
    assert {entry.output for entry in report} == {"f[0][0]", "f[0][1]", "f[0][2]", "f[1]"}
    assert len(report) == 16


def test_a_number_a_value_or_a_list_as_inputs() -> None:
    assert mg.gradcheck(mg.exp, 1.0)
    assert mg.gradcheck(mg.exp, Value(1.0))
    assert mg.gradcheck(lambda x, y: x * y, [1.0, 2])


def test_an_output_that_does_not_depend_on_an_input() -> None:
    report = mg.gradcheck(lambda x, y: [x * 2.0, y.detach() * 0.0 + 1.0, 7.0], (1.0, 2.0))
    assert [entry.analytic for entry in report] == [2.0, 0.0, 0.0, 0.0, 0.0, 0.0]


# Wrong rules.


WRONG: dict[str, Callable[[float], float]] = {
    "off by 0.1%": lambda x: 1.001 * math.cos(x),
    "off by a millionth": lambda x: (1.0 + 1e-6) * math.cos(x),
    "sign flipped": lambda x: -math.cos(x),
    "zero": lambda x: 0.0,
    "at a wrong argument": lambda x: math.cos(x + 1e-3),
    "infinite": lambda x: math.inf,
}
# Those that differences of few digits tell from the right one.
PLAIN = ("off by 0.1%", "sign flipped", "zero", "at a wrong argument")


@pytest.mark.parametrize("rule", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("x", [-2.0, 0.7, 1.0, 3.0])
def test_wrong_rules_are_caught(rule: Callable[[float], float], x: float) -> None:
    f = with_rule(rule)
    assert not mg.gradcheck(f, x, raise_exception=False)
    with pytest.raises(mg.GradcheckError, match=r"1 of 1 derivatives failed\n(.|\n)*wrong"):
        mg.gradcheck(f, x)
    # Also as a part of something larger.
    assert not mg.gradcheck(lambda v: mg.exp(f(v * 2.0)) + v, x / 2.0, raise_exception=False)


def fast(rule: Callable[[float], float], k: float) -> Callable[[Any], Any]:
    """Return sin(k * x), with a rule made of one for the sine."""
    return with_rule(lambda x: k * rule(k * x), lambda x: math.sin(k * x))


# Steps near a multiple of the period see a slower oscillation, or none at all.
FAST = [(1e4, 4.0), (1e4, 4.06), (2.0 * math.pi * 800.0, 0.0), (2.0 * math.pi * 6400.0, 0.3)]
_rng = random.Random(0)
FAST += [(10.0 ** _rng.uniform(3.0, 9.0), _rng.uniform(-5.0, 5.0)) for _ in range(30)]


@pytest.mark.parametrize(("k", "x"), FAST)
def test_fast_oscillation(k: float, x: float) -> None:
    assert verdicts(mg.gradcheck(fast(math.cos, k), x)) == {"ok"}
    for name in PLAIN:
        report = mg.gradcheck(fast(WRONG[name], k), x, raise_exception=False)
        assert verdicts(report) == {"wrong"}


@pytest.mark.parametrize(("k", "x"), FAST[:4])
def test_a_kink_of_fast_oscillation(k: float, x: float) -> None:
    (entry,) = mg.gradcheck(lambda v: abs(mg.sin(k * (v - x))), x)
    assert entry.verdict == "not smooth here"
    assert entry.right.value == pytest.approx(k)


def test_the_right_rule_passes_the_same_way() -> None:
    assert mg.gradcheck(with_rule(math.cos), 0.7)


def test_a_forgotten_path_is_caught() -> None:
    assert not mg.gradcheck(lambda x: x * x.detach(), 3.0, raise_exception=False)


def test_the_failure_names_the_input_and_shows_the_table() -> None:
    with pytest.raises(mg.GradcheckError) as caught:
        mg.gradcheck(lambda x, ys: x * ys[0] + with_rule(lambda v: 2.0)(ys[1]), (1.0, [2.0, 3.0]))
    lines = str(caught.value).splitlines()
    assert lines[0] == "gradcheck: 1 of 3 derivatives failed"
    assert lines[1].split() == ["output", "input", "analytic", "numeric", "error", "verdict"]
    assert re.match(r"f +x1\[1\] +2 +-0.98999249660\d+ +\d.\de-\d+  wrong", lines[4])


def test_derivatives_to_one_side_are_extrapolated_from_it() -> None:
    entry = mg.gradcheck(lambda x: mg.exp(x) * abs(x), 0.0)[0]
    for side, expected in ((entry.left, -1.0), (entry.right, 1.0)):
        assert side.value == pytest.approx(expected, rel=1e-14)
        assert side.error < 1e-12


@pytest.mark.parametrize(
    ("analytic", "numeric", "left", "right", "verdict"),
    [
        (0.0, (0.0, 0.0), (0.0, 0.0), (0.0, 0.0), "ok"),
        (2.0, (2.0, 1e-6), (2.0, 1e-6), (2.0, 1e-6), "ok"),
        (2.0, (2.0, 1e-6), (2.0, 1.0), (4.0, 1.0), "ok"),
        (2.0, (2.0, 1e-6), (2.0, 1e-6), (2.1, 1e-6), "not smooth here"),
        (2.0 + 3.9e-6, (2.0, 1e-6), (2.0, 1e-6), (2.0, 1e-6), "ok"),
        (2.0 + 4.1e-6, (2.0, 1e-6), (2.0, 1e-6), (2.0, 1e-6), "wrong"),
        (math.inf, (2.0, 0.24), (2.0, 1.0), (2.0, 1.0), "wrong"),
        (math.inf, (2.0, 0.26), (2.0, 1.0), (2.0, 1.0), "not smooth here"),
        (math.inf, (2e20, 1e4), (2e20, 1e4), (2e20, 1e4), "wrong"),
        (5.0, (2.0, 0.26), (2.0, 1.0), (2.0, 1.0), "wrong"),
        (2.0, (2.0, 4.9e-5), (2.0, 1e-6), (2.0, 1e-6), "ok"),
        # Of a larger error, only what is nearer than that is known to be right.
        (2.0 + 1.9e-4, (2.0, 0.0199), (2.0, 0.02), (2.0, 0.02), "ok"),
        (2.0 + 2.1e-4, (2.0, 0.0199), (2.0, 0.02), (2.0, 0.02), "unclear"),
        (2.0, (2.0, 0.0201), (2.0, 0.02), (2.0, 0.02), "unclear"),
        (math.nan, (2.0, 1e-6), (2.0, 1e-6), (2.0, 1e-6), "unclear"),
    ],
)
def test_a_verdict_trusts_four_times_the_estimate_of_the_error(
    analytic: float,
    numeric: tuple[float, float],
    left: tuple[float, float],
    right: tuple[float, float],
    verdict: str,
) -> None:
    numbers = Slope(*numeric), Slope(*left), Slope(*right)
    assert judge(analytic, *numbers, atol=0.0, rtol=0.0) == verdict


# Kinks and edges are not called wrong.


@pytest.mark.parametrize(
    ("f", "x", "said"),
    [
        (abs, 0.0, "between the slopes -1 and 1"),
        (mg.relu, 0.0, "between the slopes 0 and 1"),
        (lambda x: mg.maximum(x, 1.0), 1.0, "between the slopes 0 and 1"),
        (lambda x: mg.leaky_relu(x, 0.5), 0.0, "between the slopes 0.5 and 1"),
        (lambda x: x if x > 0 else x * 2.0, 0.0, "between the slopes 1 and 2"),
        (lambda x: x * 3.0 if x == 1.0 else abs(x - 1.0) + 3.0, 1.0, "not between the slopes"),
        (mg.sqrt, 0.0, "the slope grows without bound"),
        (mg.cbrt, 0.0, "the slope grows without bound"),
    ],
)
def test_a_kink_is_reported(f: Callable[[Any], Any], x: float, said: str) -> None:
    (entry,) = report = mg.gradcheck(f, x)
    assert entry.verdict == "not smooth here"
    assert f"not smooth here: {said}" in str(report)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (mg.relu, (0.0,)),
        (abs, (0.0,)),
        (lambda x: mg.elu(x, 0.5), (0.0,)),
        (lambda x: mg.clip(x, -1.0, 1.0), (1.0,)),
        (mg.maximum, (1.0, 1.0)),
        (mg.sqrt, (0.0,)),
        (mg.cbrt, (0.0,)),
    ],
)
def test_the_derivatives_of_a_derivative_that_jumps(
    f: Callable[..., Any], x: tuple[float, ...]
) -> None:
    report = mg.gradcheck(f, x, order=2)
    assert verdicts(report) == {"not smooth here"}
    for entry in report[len(x) :]:
        assert str(entry).endswith("not smooth here: the slope grows without bound")


def test_a_kink_of_one_output_is_none_of_another() -> None:
    def f(x: Value, y: Value) -> list[Value]:
        return [mg.relu(x) * y, 1e9 * x + 1e-3 * mg.sin(x + 0.5)]

    report = mg.gradcheck(f, (0.0, 2.0), order=2, raise_exception=False)
    found = {(e.output, e.input): e.verdict for e in report}
    assert [key for key in found if found[key] == "not smooth here"] == [
        ("f[0]", "x0"),
        ("df[0]/dx0", "x0"),
        ("df[0]/dx1", "x0"),
    ]
    assert found["df[1]/dx0", "x0"] == "unclear"


@pytest.mark.parametrize("x", [1e-3, 1e-6, 1e-9])
def test_a_kink_nearby_does_not_disturb(x: float) -> None:
    assert verdicts(mg.gradcheck(lambda v: mg.relu(v) + v * v, x)) == {"ok"}


def test_an_input_far_below_the_scale_of_the_function() -> None:
    def f(x: Value) -> Value:
        y = 2.0 ** mg.tanh(x)
        return (y + x) - y

    assert verdicts(mg.gradcheck(f, 8.2e-253)) == {"ok"}


def test_a_small_input_next_to_a_plateau() -> None:
    def f(x: Value) -> Value:
        return mg.minimum(x * 16.0, 3e-136)

    assert verdicts(mg.gradcheck(f, 8.7e-185)) == {"ok"}


def test_a_small_input_on_a_plateau_beside_a_vertical_tangent() -> None:
    def f(x: Value) -> Value:
        return mg.sqrt(x - 1.5e-300) if x > 1.5e-300 else x * 0.0

    assert verdicts(mg.gradcheck(f, 1e-300)) == {"ok"}


def test_a_small_input_whose_own_scale_is_lost_to_rounding() -> None:
    assert verdicts(mg.gradcheck(lambda x: x + 1e6, 1e-4)) == {"ok"}


def test_a_kink_where_the_function_is_flat_from_rounding() -> None:
    def f(x: Value) -> Value:
        y = mg.exp(mg.tanh(x))
        return mg.clip(y, -1.0, 1.0) - y

    assert verdicts(mg.gradcheck(f, 0.0)) == {"not smooth here"}


def test_the_edge_of_a_domain_has_one_side() -> None:
    assert verdicts(mg.gradcheck(lambda x: x**2.5, 0.0)) == {"ok"}
    # Here the quotients approach 0 slowly, with the root of the step and less.
    for c in (1.5, 1.25, 1.1):
        assert verdicts(mg.gradcheck(lambda x, c=c: x**c, 0.0)) == {"ok"}
        assert verdicts(mg.gradcheck(lambda x, c=c: (1.0 - x) ** c, 1.0)) == {"ok"}
    off = with_rule(lambda v: 1e-6, lambda v: math.sqrt(v) ** 3)
    assert verdicts(mg.gradcheck(off, 0.0, raise_exception=False)) == {"wrong"}
    assert verdicts(mg.gradcheck(mg.log1p, -1.0 + 1e-12)) == {"ok"}
    assert verdicts(mg.gradcheck(mg.asin, 1.0 - 1e-12)) == {"ok"}
    assert verdicts(mg.gradcheck(lambda x: mg.sqrt(1.0 - x) ** 3, 1.0 - 1e-9)) == {"ok"}


def beside(x: Any) -> Any:
    return abs(x - 0.75) ** 1.5 + mg.sin(x)


@pytest.mark.parametrize("gap", [0.0, 1e-12, 1e-10, -1e-10, 1e-9, 1e-8, -1e-6, 1e-4])
def test_beside_a_weak_singularity(gap: float) -> None:
    """Differences to both sides of it cancel what the derivative has of the singularity."""
    assert verdicts(mg.gradcheck(beside, 0.75 + gap)) == {"ok"}
    wrong = with_rule(lambda x: math.cos(x) + 1e-3, lambda x: beside(Value(x)).data)
    assert verdicts(mg.gradcheck(wrong, 0.75 + gap, raise_exception=False)) == {"wrong"}


def test_a_derivative_that_backward_refuses_is_unclear() -> None:
    (entry,) = mg.gradcheck(lambda x: x + mg.sqrt(x * 0.0) * 0.0, 1.0, raise_exception=False)
    assert str(entry).endswith("  unclear: backward() refuses it")


# Extrapolation to the step 0.


@pytest.mark.parametrize(("power", "error"), [(1, 1 / 8), (2, 1 / 64)])
def test_extrapolation_takes_away_two_powers_of_the_step(power: int, error: float) -> None:
    extrapolation = Extrapolation(power, 0.0)
    for h in (1.0, 1 / 2, 1 / 4, 1 / 8):
        assert not extrapolation.done()
        extrapolation.add(h * (3.0 + h**power + h ** (2 * power)), 0.0, h)
    # The error of the worst neighbour, and the rounding of 5.0 (at h = 1) at the last step.
    assert extrapolation.best == Slope(3.0, error + 40 * 2.0**-52)


def test_extrapolation_of_a_constant_ends_soon() -> None:
    extrapolation = Extrapolation(1, 0.0)
    for k in range(3 + 4):  # until it has converged, and four halvings more
        assert not extrapolation.done()
        extrapolation.add(0.0, 0.0, 2.0**-k)
    assert extrapolation.done()
    assert extrapolation.best == Slope(0.0, 4 * 16 * 5e-324)


def test_extrapolation_knows_that_the_input_is_rounded() -> None:
    errors = []
    for x in (0.0, -3.0):
        extrapolation = Extrapolation(1, x)
        for h in (1.0, 1 / 2, 1 / 4):
            extrapolation.add(2.0 * h, 0.0, h)
        errors.append(extrapolation.best.error)
    assert errors == [4 * 2.0 * 2.0**-52, 4 * (2.0 + 3.0 * 2.0) * 2.0**-52]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (2.0, 2.0),
        (1.125, 1.125),
        (1.0625, 1.0),  # as close as that, it may be rounding
        (0.0, 1.0),  # which is what remains where steps are lost in it
    ],
)
def test_extrapolation_believes_what_persists_at_smaller_steps(
    later: float, expected: float
) -> None:
    extrapolation = Extrapolation(2, 0.0)
    for k in range(4):
        extrapolation.add(2.0**-k, 0.0, 2.0**-k)
    assert extrapolation.best.value == 1.0
    for k in range(4, 16):
        extrapolation.add(later * 2.0**-k, 0.0, 2.0**-k)
        # Four quotients have to agree.
        assert k >= 7 or extrapolation.best.value == 1.0
    assert extrapolation.best.value == pytest.approx(expected, rel=1e-6)


def test_extrapolation_goes_on_while_quotients_disagree() -> None:
    extrapolation = Extrapolation(2, 0.0)
    for k in range(10):
        extrapolation.add(2.0**-k, 0.0, 2.0**-k)
    assert extrapolation.done()
    extrapolation.add(1.2 * 2.0**-10, 0.0, 2.0**-10)
    assert not extrapolation.done()


def test_extrapolation_beyond_floats_finds_nothing() -> None:
    extrapolation = Extrapolation(1, 0.0)
    for _ in range(3):
        extrapolation.add(1.7e308, 0.0, 1.0)
    assert math.isnan(extrapolation.best.value)


@pytest.mark.parametrize(("x", "step"), [(0.5, 0.25), (8.0, 2.0)])
def test_eps_is_the_first_step(x: float, step: float) -> None:
    seen = []

    def f(x: Value) -> Value:
        seen.append(x.data)
        return x * 2.0

    assert mg.gradcheck(f, x, eps=0.25)
    assert (min(seen), max(seen)) == (x - step, x + step)


@pytest.mark.parametrize(("x", "mantissas"), [(0.75, {0.5}), (0.75 * 2.0**-10, {0.5, 0.75})])
def test_a_small_input_alone_is_a_scale_of_its_own(x: float, mantissas: set[float]) -> None:
    seen = []

    def f(x: Value) -> Value:
        seen.append(x.data)
        return x * 2.0

    assert mg.gradcheck(f, x, eps=0.25)
    assert {math.frexp(abs(other - x))[0] for other in seen if other != x} == mantissas


def test_bounds_of_the_tolerances_are_included() -> None:
    assert mg.gradcheck(lambda x: x * 2.0, 1.0, eps=1.0, atol=0.0, rtol=0.0)


# What cannot be told.


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: x * x + 1e6, (0.0,)),
        (lambda a, b, c, d: mg.dot([a, b], [c, d]), (1e3, 1.0, 1e3, 0.0)),
        (lambda a, b, c, d: mg.mse_loss([a, b], [c, d]), (-255.0, 1e-38, -976.0, -1e-225)),
        (lambda x: mg.exp(x) + 1e5, (-10.0,)),
        (lambda x, y: x**3 + y * y, (841.0, 0.0)),
        (lambda x: x + 1e15, (1e6,)),
        (lambda x, y: [x * y, mg.sin(x) + 1e8, y * y - 1e7], (0.0, 3.0)),
    ],
)
def test_small_derivatives_of_a_large_output(f: Callable[..., Any], x: tuple[float, ...]) -> None:
    assert verdicts(mg.gradcheck(f, x)) == {"ok"}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("x", [-2.0, 0.7, 3.0])
def test_wrong_rules_of_a_large_output_are_caught(name: str, x: float) -> None:
    f = with_rule(WRONG[name], lambda v: math.sin(v) + 1e6)
    assert verdicts(mg.gradcheck(f, x, raise_exception=False)) == {"wrong"}


def test_a_derivative_that_rounding_hides_is_unclear() -> None:
    def f(x: Value) -> Value:
        return mg.sin(x) * 1e-3 + 1e9

    report = mg.gradcheck(f, 0.7, raise_exception=False)
    assert not report
    assert verdicts(report) == {"unclear"}
    with pytest.raises(mg.GradcheckError, match="unclear"):
        mg.gradcheck(f, 0.7)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda i: mg.select([1.0, 2.0], i), 1.0),
        (mg.tanh, math.inf),
        (lambda x: x * 3.0, 1.7e308),
        (lambda x: x * math.nan, 1.0),
    ],
)
def test_without_differences_it_is_unclear(f: Callable[[Any], Any], x: float) -> None:
    (entry,) = mg.gradcheck(f, x, raise_exception=False)
    assert str(entry).endswith("  unclear: f has no finite differences here")


def test_differences_of_the_largest_numbers() -> None:
    assert verdicts(mg.gradcheck(lambda x: x * 1.0, 1.7e308)) == {"ok"}


def test_larger_steps_are_for_what_rounding_hides() -> None:
    def f(x: Value) -> list[Value]:
        return [x * x + 1e6, x + 1.0 if x > 0.0 else x, 1e-3 * mg.sin(x + 0.5) + 1e9]

    square, jump, hidden = mg.gradcheck(f, 0.0, raise_exception=False)
    assert square.verdict == "ok"
    assert jump.numeric.error > 1.0
    assert hidden.numeric.error < 1e-6


@pytest.mark.parametrize(
    ("size", "height", "k", "x"),
    [
        (5411361722.101086, 1.0538621132057465e-05, 2.6934058339588605, 2.540040716518721),
        (2257227572.6675634, 7.670032657469e-06, 0.1310743741689833, 2.447827242773542),
        (8511592503.966569, 1.384751019216425e-05, 0.4879799869545972, -4.63731005756586),
    ],
)
def test_larger_steps_count_within_the_error_of_smaller_ones(
    size: float, height: float, k: float, x: float
) -> None:
    f = with_rule(lambda v: height * k * math.cos(k * v), lambda v: height * math.sin(k * v) + size)
    assert verdicts(mg.gradcheck(f, x, raise_exception=False)) <= {"ok", "unclear"}


@pytest.mark.parametrize("size", [1e7, 1e8, 1e9, 1e10])
@pytest.mark.parametrize("x", [-2.0, 0.7, 1.0, 3.0])
def test_larger_steps_do_not_skip_an_oscillation(size: float, x: float) -> None:
    def value(v: float) -> float:
        return 1e-3 * math.sin(v) + size

    right = mg.gradcheck(with_rule(lambda v: 1e-3 * math.cos(v), value), x, raise_exception=False)
    assert verdicts(right) <= {"ok", "unclear"}
    zero = mg.gradcheck(with_rule(lambda v: 0.0, value), x, raise_exception=False)
    assert verdicts(zero) == {"wrong"}


@pytest.mark.parametrize("different", [1, 2, 3])
def test_a_function_that_changes_is_refused(different: int) -> None:
    calls = iter(range(1, 1000))
    with pytest.raises(mg.GradcheckError) as caught:
        mg.gradcheck(lambda x: x * (2.0 if next(calls) == different else 1.0), 1.0)
    results = {1: "[1.0] and [2.0]", 2: "[2.0] and [1.0]", 3: "[1.0] and [2.0]"}[different]
    assert str(caught.value) == (
        f"gradcheck: f is not deterministic: it returned {results} for the same inputs; fix the "
        "seed of its random numbers"
    )


def test_a_sum_that_rounds_floats_and_values_in_different_ways_does_not_change() -> None:
    """On CPython 3.12 and later the built-in sum compensates, but only that of floats."""

    def rounded(xs: list[Any]) -> Any:  # likewise on every version
        plain = not any(isinstance(x, Value) for x in xs)
        return math.fsum(xs) if plain else functools.reduce(operator.add, xs)

    for add in (sum, rounded):
        slopes = mg.grad(lambda xs, add=add: add([x**3 for x in xs]))
        f = functools.partial(lambda add, slopes, *xs: add(slopes([*xs])), add, slopes)
        assert mg.gradcheck(f, (0.1, 0.2, 0.3, 0.7))


def test_it_gives_up_where_no_step_tells() -> None:
    calls = []

    def f(x: Value) -> Value:
        calls.append(x)
        return x * math.nan

    assert not mg.gradcheck(f, 0.0, raise_exception=False)
    assert len(calls) == 3 + 2 * 50  # the gradient, twice the same, and 50 steps to both sides


@pytest.mark.parametrize("first", [math.nan, 1.0])
def test_a_function_that_is_nan_only_sometimes_is_refused(first: float) -> None:
    factors = iter([first, 1.0 if first != first else math.nan, first])
    with pytest.raises(mg.GradcheckError, match="not deterministic"):
        mg.gradcheck(lambda x: x * next(factors), 1.0)


# Gradients of gradients.


SECOND: dict[str, Callable[[Any], Any]] = {
    "off by 0.1%": lambda x: 1.001 * mg.cos(x),
    "sign flipped": lambda x: -mg.cos(x),
    "zero": lambda x: 0.0,
    "at a wrong argument": lambda x: mg.cos(x + 1e-3),
}


@pytest.mark.parametrize("rule", SECOND.values(), ids=SECOND)
@pytest.mark.parametrize("x", [-2.0, 0.7, 1.0, 3.0])
def test_wrong_rules_are_caught_at_order_2(rule: Callable[[Any], Any], x: float) -> None:
    """The first derivative is right, and has a wrong one of its own."""

    @mg.primitive(lambda y, x: (rule(x),))
    def wrong_sin(x: float) -> float:
        return math.sin(x)

    @mg.primitive(lambda y, x: (cos(x),))
    def sin(x: float) -> float:
        return math.sin(x)

    @mg.primitive(lambda y, x: (-rule(x - math.pi / 2),))
    def cos(x: float) -> float:
        return math.cos(x)

    assert mg.gradcheck(sin, x)
    report = mg.gradcheck(sin, x, order=2, raise_exception=False)
    assert [entry.verdict for entry in report] == ["ok", "wrong"]
    assert report[1].output == "df/dx0"
    assert not mg.gradcheck(lambda v: mg.exp(sin(v) * v), x, order=2, raise_exception=False)
    # A wrong first derivative is caught, too, and seen by both modes.
    report = mg.gradcheck(wrong_sin, x, order=2, raise_exception=False)
    assert report[0].verdict == "wrong"
    assert report[0].forward == report[0].analytic


def test_right_rules_pass_at_order_2() -> None:
    def f(x: Value, ys: list[Value]) -> list[Value]:
        return [mg.sin(x * ys[0]) * mg.exp(ys[1]), mg.relu(x) * ys[0] ** 3]

    report = mg.gradcheck(f, (0.5, [2.0, -1.0]), order=2)
    assert len(report) == 2 * 3 + 2 * 3 * 3
    assert [entry.output for entry in report[6::6]] == ["df[0]/dx0"] * 3
    model = nn.MLP(2, [2, 1], "tanh")
    assert mg.gradcheck_module(model, lambda m: mg.mse_loss(m([0.3, -0.7]), [0.5]), order=2)


def test_an_output_without_gradient_at_order_2() -> None:
    report = mg.gradcheck(lambda x: [x**3, 7.0], 2.0, order=2)
    assert [entry.analytic for entry in report] == [12.0, 0.0, 12.0, 0.0]


def test_what_was_computed_before_is_not_differentiated() -> None:
    y = Value(2.0)
    c = y * y
    y.data = 5.0  # which would be refused
    assert mg.gradcheck(lambda x: x**2 * c, 1.0, order=2)


def test_forward_mode_is_compared_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "push", lambda order, tangents: tangents.update({order[-1]: 5.0}))
    (entry,) = report = mg.gradcheck(mg.exp, 0.0, raise_exception=False)
    assert (entry.analytic, entry.forward, entry.verdict) == (1.0, 5.0, "wrong")
    assert str(report).endswith("wrong: forward mode gives 5")
    # At a vertical tangent there is nothing to compare with.
    (entry,) = report = mg.gradcheck(mg.sqrt, 0.0)
    assert (entry.analytic, entry.forward, entry.verdict) == (math.inf, 5.0, "not smooth here")
    assert str(report).endswith("not smooth here: the slope grows without bound")


def test_a_number_is_not_taken_for_a_value_of_the_same_hash() -> None:
    model = nn.Neuron(1, "linear")
    p = model.parameters()[0]
    number = p.data = float(hash(p))
    report = mg.gradcheck_module(model, lambda m: [p * 1.0, number], raise_exception=False)
    assert [entry.forward for entry in report[:2]] == [1.0, 0.0]


# Modules.


def test_a_module() -> None:
    model = nn.MLP(2, [3, 1], "tanh")
    parameters = model.parameters()
    for p in parameters:
        p.grad = 5.0
    before = model.state_dict()
    report = mg.gradcheck_module(model, lambda m: mg.mse_loss(m([0.3, -0.7]), [0.5]))
    assert [entry.input for entry in report] == [name for name, _ in model._named_values()]
    assert model.state_dict() == before
    assert {p.grad for p in parameters} == {5.0}


def test_a_module_with_a_wrong_gradient_stays_as_it_was() -> None:
    model = nn.MLP(1, [1], "linear")
    before = model.state_dict()
    with pytest.raises(mg.GradcheckError, match=r"fc1\.weight\.0\.0"):
        mg.gradcheck_module(model, lambda m: with_rule(WRONG["off by 0.1%"])(m([1.0])[0]))
    assert model.state_dict() == before


def test_frozen_parameters_are_not_checked() -> None:
    model = nn.MLP(2, [3, 1], "tanh")
    for p in model.fc1.parameters():
        p.requires_grad = False

    def loss(m: nn.MLP) -> Value:
        return mg.mse_loss(m([0.3, -0.7]), [0.5])

    for order, count in ((1, 4), (2, 4 + 4 * 4)):
        report = mg.gradcheck_module(model, loss, order=order)
        assert len(report) == count
        assert {entry.input for entry in report} == {
            name for name, p in model._named_values() if p.requires_grad
        }
    for p in model.parameters():
        p.requires_grad = False
    with pytest.raises(ValueError, match=r"no parameters to check; .* set requires_grad to True"):
        mg.gradcheck_module(model, loss)


# Misuse.


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: mg.gradcheck(mg.exp, "1"),
            TypeError,
            (
                "gradcheck: x0: expected a number, or a list, tuple or dict of numbers, got '1'; "
                "convert it with float()"
            ),
        ),
        (
            lambda: mg.gradcheck(lambda x: "1", 1.0),
            TypeError,
            (
                "gradcheck: f: expected a number, or a list, tuple or dict of numbers, got '1'; "
                "convert it with float()"
            ),
        ),
        (
            lambda: mg.gradcheck(mg.exp, 1.0, eps=0.0),
            ValueError,
            "gradcheck: eps must lie in [2.22045e-16, 1], got 0.0",
        ),
        (
            lambda: mg.gradcheck(mg.exp, 1.0, atol=-1.0),
            ValueError,
            "gradcheck: atol must lie in [0, inf], got -1.0",
        ),
        (
            lambda: mg.gradcheck(mg.exp, 1.0, rtol=math.nan),
            ValueError,
            "gradcheck: rtol must lie in [0, inf], got nan",
        ),
        (
            lambda: mg.gradcheck(mg.exp, 1.0, order=3),
            ValueError,
            "gradcheck: order must be 1 or 2, got 3",
        ),
        (
            lambda: mg.gradcheck_module(nn.MSELoss(), lambda m: m([1.0], [1.0])),
            ValueError,
            (
                "gradcheck_module: MSELoss() has no parameters to check; pass a model that has "
                "some, and set requires_grad to True where they are frozen"
            ),
        ),
        (
            lambda: mg.gradcheck_module(nn.Neuron(1), lambda m: m([1.0]), eps=0.0),
            ValueError,
            "gradcheck_module: eps must lie in [2.22045e-16, 1], got 0.0",
        ),
        (
            lambda: mg.gradcheck_module(nn.Neuron(1), lambda m: m([1.0]), order=3),
            ValueError,
            "gradcheck_module: order must be 1 or 2, got 3",
        ),
        (
            lambda: mg.gradcheck_module(nn.Neuron(1), lambda m: "1"),
            TypeError,
            (
                "gradcheck_module: f: expected a number, or a list, tuple or dict of numbers, got "
                "'1'; convert it with float()"
            ),
        ),
    ],
)
def test_misuse(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize("option", ["eps", "atol", "rtol"])
def test_options_are_numbers(option: str) -> None:
    for check in (
        lambda **how: mg.gradcheck(mg.sin, 1.0, **how),
        lambda **how: mg.gradcheck_module(nn.Neuron(1), lambda m: m([1.0]), **how),
    ):
        with pytest.raises(TypeError) as caught:
            check(**{option: "a"})
        what = f": {option}: expected a number, got 'a'; convert it with float()"
        assert str(caught.value).removeprefix("gradcheck").removeprefix("_module") == what


def test_what_is_checked_is_a_function_or_a_module() -> None:
    for call, message in (
        (
            lambda: anything.gradcheck(3, 1.0),
            "gradcheck: f must be a function, got 3; pass it uncalled",
        ),
        (
            lambda: anything.gradcheck_module(nn.Neuron(1), 3.0),
            "gradcheck_module: loss_fn must be a function, got 3.0; pass it uncalled",
        ),
        (
            lambda: anything.gradcheck_module(3, mg.sin),
            "gradcheck_module: model must be a Module, got 3; pass an instance",
        ),
        (
            lambda: anything.gradcheck_module(nn.Neuron, mg.sin),
            f"gradcheck_module: model must be a Module, got {nn.Neuron!r}; pass an instance",
        ),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        assert str(caught.value) == message
