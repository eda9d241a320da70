"""Mutants are known by function and kind of change, and the list of equivalent ones is checked."""

from collections import Counter
from pathlib import Path
from textwrap import dedent

import pytest

mutants = pytest.importorskip("mutants")  # without libcst or mutmut there are none
import run  # noqa: E402

KINDS = {
    "x >= y": [">= to >"],
    "x is not y": ["is not to is"],
    "x  not  in y": ["not in to in"],
    "x and y": ["and to or"],
    "x - y": ["- to +"],
    "-x": ["-x to +x"],
    "not x": ["not x to x"],
    "not -x": ["not x to x", "-x to +x"],
    "~x": ["~x to x"],
    "x += y": ["+= to =", "+= to -="],
    "x = y": ["assigned None"],
    "x = None": ['assigned ""'],
    "x: int = y": ["assigned None"],
    "7": ["number"],
    "1e300": [],  # plus 1 it is the same
    "True": ["True to False"],
    "'a'": ["string"] * 2,
    "lambda: x": ["lambda returns None"],
    "lambda: None": ["lambda returns 0"],
    "x if y else z": ["condition always False", "condition always True"],
    "f(x)": ["argument to None"],
    "f(x, y=z)": ["argument to None", "argument dropped"] * 2,
    "zip(x, strict=True)": ["argument to None", "argument dropped"],
    "dict(x=y)": ["argument to None", "keyword of dict"],
    "x.find()": ["find to rfind"],
    "while x: break": ["break to return"],
    "while x: continue": ["continue to break"],
    "class A(B, C): x": ["base dropped"] * 2,
    "match x:\n    case y: z\n    case _: z": ["case dropped"] * 2,
}

BEFORE = """
    LIMIT = 5.0

    def clip(x):
        return min(x, LIMIT + 1) if x > 0 else x  # a comment

    class Box(Shape):
        size = 3

        def area(self, *, scale=2):
            def double(x): return x * 2
            doubled = double(self.size)
            return doubled * scale
"""
AFTER = """
    class Box(
        Figure
    ):
        size = 3
        def area(
            self, *,
            scale=2,
        ):
            def double(number):
                return number * 2

            twice = double(self.size)
            return (
                twice
                * scale
            )

    LIMIT = 5.0

    def clip(number): return min(number, LIMIT + 1) if number > 0 else number
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(mutants, "SOURCE", tmp_path)
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "__init__.py").write_text('"""A room."""\n')
    return tmp_path


@pytest.mark.parametrize(("code", "kinds"), KINDS.items(), ids=KINDS)
def test_kinds_of_change(code: str, kinds: list[str], source: Path) -> None:
    (source / "room" / "part.py").write_text(f"{code}\n")
    assert sorted(x.kind for x in mutants.mutants("room.part")) == sorted(kinds)


def test_a_mutant_keeps_its_key_when_names_layout_and_the_module_change(source: Path) -> None:
    (source / "room" / "one.py").write_text(dedent(BEFORE))
    (source / "room" / "two.py").write_text(dedent(AFTER))
    assert mutants.all_modules() == ["room.one", "room.two"]
    keys = [Counter(x.key for x in mutants.mutants(name)) for name in mutants.all_modules()]
    assert keys[0] == keys[1]
    assert keys[0]["room.LIMIT", "number"] == 1
    assert keys[0]["room.clip", "> to >="] == 1
    assert keys[0]["room.clip", "number"] == 2
    assert keys[0]["room.Box", "base dropped"] == 1
    assert keys[0]["room.Box.size", "assigned None"] == 1
    assert keys[0]["room.Box.area", "number"] == 1
    assert keys[0]["room.Box.area", "assigned None"] == 1
    assert keys[0]["room.Box.area.double", "* to /"] == 1


def test_a_mutant_changes_one_place(source: Path) -> None:
    (source / "room" / "one.py").write_text("def f(x):\n    return x + 1\n")
    codes = {x.kind: x.code for x in mutants.mutants("room.one")}
    assert codes == {
        "+ to -": "def f(x):\n    return x - 1\n",
        "number": "def f(x):\n    return x + 2\n",
    }


@pytest.mark.parametrize(
    ("listed", "survived", "left", "expected"),
    [
        (2, 2, 0, []),
        (0, 1, 0, ["room.f, number: 1 survived, 0 listed as equivalent"]),
        (0, 1, 5, ["room.f, number: 1 survived, 0 listed as equivalent"]),
        (1, 2, 0, ["room.f, number: 2 survived, 1 listed as equivalent"]),
        (2, 1, 0, ["room.f, number: 1 survived, 2 listed as equivalent"]),
        (1, 0, 0, ["room.f, number: 0 survived, 1 listed as equivalent"]),
        (2, 1, 1, []),  # the other one may be what did not run
    ],
)
def test_the_list_is_compared(listed: int, survived: int, left: int, expected: list[str]) -> None:
    key = ("room.f", "number")
    counts = (Counter({key: n}) for n in (listed, survived, left))
    assert list(run.compare(*counts)) == expected


def test_counts_in_the_list() -> None:
    text = '["One."]\n"a.f" = { number = 2 }\n["Two."]\n"a.f" = { number = 1, "+ to -" = 1 }\n'
    assert run.read_listed(text) == {("a.f", "number"): 3, ("a.f", "+ to -"): 1}


@pytest.mark.parametrize("count", ["0", "true", "'1'"])
def test_what_is_no_count_is_refused(count: str) -> None:
    with pytest.raises(SystemExit, match=r"a\.f, number: .* is no count, in 'Why'"):
        run.read_listed(f'["Why"]\n"a.f" = {{ number = {count} }}\n')


def test_the_list_names_functions_that_exist() -> None:
    defined = {name for module in mutants.all_modules() for name, *_ in mutants.definitions(module)}
    listed = run.read_listed(run.EQUIVALENT.read_text(encoding="utf-8"))
    assert {function for function, _ in listed} <= defined


def test_each_module_has_tests() -> None:
    run.check_tests(mutants.all_modules())
    for module in mutants.all_modules():
        for test in run.tests_of(module):
            file, _, single = test.partition("::")
            text = (run.ROOT / "tests" / f"test_{file}.py").read_text(encoding="utf-8")
            assert f"def {single}" in text


def test_a_module_without_tests_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"no tests are listed in TESTS for: new\.part$"):
        run.check_tests(["numeric.special", "new.part"])
    monkeypatch.setitem(run.TESTS, "gone", "value")
    with pytest.raises(SystemExit, match=r"neither a module nor a room: gone$"):
        run.check_tests(["numeric.special"])


def test_names_select_modules_and_rooms() -> None:
    modules = ["core.table", "core.value", "math"]
    assert run.select([], modules) == modules
    assert run.select(["core"], modules) == ["core.table", "core.value"]
    assert run.select(["math", "core.value"], modules) == ["core.value", "math"]
    with pytest.raises(SystemExit, match=r"neither a module nor a room: table$"):
        run.select(["table"], modules)


@pytest.mark.parametrize(("size", "expected"), [(1, 3), (3, 3), (20, 20), (100, 60)])
def test_a_sample_has_a_mutant_of_every_module(size: int, expected: int) -> None:
    counts = {"a": 1, "b": 2, "c": 57}
    population = [
        mutants.Mutant(module, "f", "number", "", str(i))
        for module, count in counts.items()
        for i in range(count)
    ]
    for seed in range(5):
        sample = run.draw(population, size, seed)
        assert len(set(sample)) == len(sample) == expected
        assert {x.module for x in sample} == {"a", "b", "c"}
        assert sample == sorted(sample, key=population.index)
        assert sample == run.draw(population, size, seed)
