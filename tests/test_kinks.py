"""Our answers in ``docs/kinks.md`` are what the library returns: eager, compiled and forward."""

import builtins
import statistics
import sys
from collections.abc import Callable
from math import isfinite, isnan
from pathlib import Path
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import math

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
from kinks import library, page
from kinks.page import ABSENT, OURS, Answers, Point

TEXT = page.PAGE.read_text("utf-8")
ANSWERS = page.read(TEXT)
# What an expression of the page may name, in the order in which a user looks for it.
NAMES: list[dict[str, Any]] = [
    {name: getattr(mg, name) for name in mg.__all__},
    {name: getattr(math, name) for name in math.__all__},
    {**vars(builtins), "statistics": statistics},
]


def function(expression: str, where: Point) -> Callable[..., Any]:
    source = f"lambda {', '.join(name for name, _ in where.at)}: {expression}"
    namespace = {name: value for names in reversed(NAMES) for name, value in names.items()}
    f: Callable[..., Any] = eval(source, namespace)
    return f


def derive(f: Callable[..., Any], where: Point) -> Callable[..., Any]:
    if where.order == 1:
        return mg.grad(f, argnums=tuple(range(len(where.at))))
    for _ in range(where.order):
        f = mg.grad(f)
    return f


def forward(f: Callable[..., Any], xs: tuple[float, ...]) -> list[float]:
    units = [tuple(float(i == k) for i in range(len(xs))) for k in range(len(xs))]
    return [mg.jvp(f, xs, unit)[1] for unit in units]


def ours() -> list[tuple[Point, str, str]]:
    """Return each point with the expression that answers it here, and the answer."""
    return [
        (where, remark.strip("`") or where.expression, answer)
        for where, answers in ANSWERS.items()
        for remark, answer in answers.get(OURS, {"": "none"}).items()
    ]


@pytest.mark.parametrize(("where", "expression", "answer"), ours(), ids=str)
def test_the_answer_is_ours(where: Point, expression: str, answer: str) -> None:
    f, xs = function(expression, where), tuple(x for _, x in where.at)
    if answer == ABSENT:
        with pytest.raises(NameError):
            f(*xs)
        return
    ways = [derive(f, where), mg.compile(derive(f, where))]
    if error := getattr(builtins, answer, None):
        for way in [*ways, lambda *xs: forward(f, xs)]:
            with pytest.raises(error):
                way(*xs)
        return
    expected = page.parsed(answer)
    with mg.allow_nonfinite():
        found = [way(*xs) for way in ways]
        if where.order == 1:
            found.append(forward(f, xs))
    for slopes in found:
        numbers = list(slopes) if isinstance(slopes, tuple | list) else [slopes]
        assert page.shown(numbers) == page.shown(expected) == answer
    if not all(map(isfinite, expected)):
        for way in ways:
            with pytest.raises(mg.NonFiniteError):
                way(*xs)


def test_every_point_has_our_answer() -> None:
    assert len(ANSWERS) >= 46
    assert [str(where) for where, answers in ANSWERS.items() if OURS not in answers] == []


def test_every_library_has_a_version_and_an_answer_at_every_point() -> None:
    versions = page.versions(TEXT)
    assert len(versions) == 19
    for where, answers in ANSWERS.items():
        assert answers.keys() == {OURS, *versions}, where


def test_the_tables_are_as_the_benchmark_writes_them() -> None:
    assert page.write(TEXT, ANSWERS) == TEXT


@pytest.mark.parametrize(
    ("numbers", "answer"),
    [
        ((0.5, -0.25, 1 / 3), "½, −¼, ⅓"),
        ((float("inf"), float("-inf"), -0.0), "inf, −inf, 0"),
        ((-7.005e-26, 1.63e16, 4.0), "−7e-26, 1.63e+16, 4"),
    ],
)
def test_numbers_are_shown_and_read_again(numbers: tuple[float, ...], answer: str) -> None:
    assert page.shown(numbers) == answer
    assert page.parsed(answer) == pytest.approx(numbers, rel=1e-2)


def test_nan_is_read() -> None:
    assert [isnan(x) for x in page.parsed("nan, 0")] == [True, False]


HEAD = "| `abs(x)` at `x = 0` | returned by |\n| --- | --- |\n"


def test_a_table_is_read_with_its_remarks() -> None:
    read = page.read(HEAD + "| 0 | **microgradlib**, algopy (absolute) |\n| 1 | algopy |\n")
    answers: dict[str, Answers] = {OURS: {"": "0"}, "algopy": {"absolute": "0", "": "1"}}
    assert read == {Point("abs(x)", (("x", 0.0),), 1): answers}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("| 0 | JAX; PyTorch |", "cannot read '| 0 | JAX; PyTorch |' in the table of abs"),
        ("| 0 | JAX, JAX |", "JAX answers twice"),
        ("| 0 |", "cannot read"),
    ],
)
def test_a_table_that_cannot_be_read(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"kinks\.md: ") as caught:
        page.read(HEAD + line)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("found", "told", "different"),
    [
        ({"": "1"}, {"": "1"}, []),
        ({"": "1"}, {"": "0"}, [("", "1", "0")]),
        ({"": "1", "absolute": "0"}, {"": "1", "absolute": "0"}, []),
        ({"": "inf"}, {"float": "nan", "array": "inf"}, [("float", "inf", "nan")]),
        ({"float": "nan", "array": "inf"}, {"": "inf"}, [("float", "nan", "inf")]),
        ({"max, SX": "0", "max, MX": "1"}, {"max": "1"}, [("max, SX", "0", "1")]),
        ({"": "1"}, {"": ABSENT}, [("", "1", ABSENT)]),
    ],
)
def test_answers_that_the_page_tells_otherwise(
    found: Answers, told: Answers, different: list[tuple[str, str, str]]
) -> None:
    assert list(library.differences(found, told)) == different


def test_a_library_answers_by_spelling_and_mode() -> None:
    def differentiate(f: Callable[..., Any], xs: tuple[float, ...], order: int) -> list[float]:
        return [f(*xs) * order]

    def twice(f: Callable[..., Any], xs: tuple[float, ...], order: int) -> list[float]:
        return [2.0 * f(*xs)] if xs[0] else [f(*xs)]

    names = {"abs": abs, "abs (other)": lambda x: x + 2.0, "sqrt (raises)": math.sqrt}
    asked = library.Library({"one": differentiate, "two": twice}, names)

    def ask(expression: str, x: float) -> Answers:
        return library.answers(asked, Point(expression, (("x", x),), 1))

    assert ask("abs(x)", 0.0) == {"": "0", "other": "2"}
    assert ask("abs(x)", 1.0) == {"one": "1", "two": "2", "other, one": "3", "other, two": "6"}
    assert ask("sqrt(x)", -1.0) == {"raises": "ValueError"}
    assert ask("sinc(x)", 0.0) == {"": ABSENT}
