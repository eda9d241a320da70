"""Statements of C that fill arrays: what one in place of many fills is the same."""

import random
import re

import pytest

from microgradlib.compiling.copies import merged

ENTRY = r"(\w+)\[(\d+)\] = (.*);"
EVERY = r"mg_put_every\((\w+) \+ (\d+), (\d+), (\w+)(?: \+ (\d+))?, (-?\d+), (\d+)\);"
ALL = r"mg_put_all\((\w+) \+ (\d+), (\d+), (.*), (\d+)\);"


def filled(lines: list[str]) -> list[tuple[str, int, str]]:
    """Return what statements fill, and with what."""
    found = []
    for line in lines:
        if match := re.fullmatch(ENTRY, line):
            found.append((match[1], int(match[2]), match[3]))
        elif match := re.fullmatch(rf"{{ static const double x\[\] = {{(.*)}}; {EVERY} }}", line):
            numbers, array, place, step, source, _, by, count = match.groups()
            assert (source, by, int(count)) == ("x", "1", len(numbers.split(", ")))
            for i, x in enumerate(numbers.split(", ")):
                found.append((array, int(place) + i * int(step), x))
        elif match := re.fullmatch(EVERY, line):
            array, place, step, source, first, by, count = match.groups()
            for i in range(int(count)):
                text = f"{source}[{int(first) + i * int(by)}]"
                found.append((array, int(place) + i * int(step), text))
        elif match := re.fullmatch(ALL, line):
            array, place, step, x, count = match.groups()
            found += [(array, int(place) + i * int(step), x) for i in range(int(count))]
        else:
            found.append((line, -1, ""))
    return found


def of_row(draw: random.Random) -> list[str]:
    """Return the sources of some entries, which change from row to row."""
    kinds = [
        "in[{a}]",
        "in[{b}]",
        "work[{c}]",
        "0.5",
        "{i}.25",
        "(-{i}.0)",
        "t1",
        "t{i}",
        "1e-0{i}",
    ]
    return [draw.choice(kinds) for _ in range(draw.randrange(1, 6))]


@pytest.mark.parametrize("seed", range(60))
def test_what_is_filled_stays_the_same(seed: int) -> None:
    draw = random.Random(seed)
    lines: list[str] = []
    for _ in range(draw.randrange(1, 6)):
        kinds, rows = of_row(draw), draw.randrange(1, 12)
        array, place = draw.choice(["work", "out"]), draw.randrange(5)
        for i in range(rows):
            numbers = {"i": i % 9, "a": 3 + i, "b": 90 - 2 * i, "c": 7}
            lines += [
                f"{array}[{place + i * len(kinds) + k}] = {kind.format(**numbers)};"
                for k, kind in enumerate(kinds)
            ]
        lines += [f"t{i}();" for i in range(draw.randrange(3))]
    assert sorted(filled(merged(lines))) == sorted(filled(lines))
    assert len(merged(lines)) <= len(lines)


def test_patterns_become_one_statement_for_each_of_their_entries() -> None:
    kinds = ["t7", "{i}.5", "in[{a}]", "work[{b}]", "in[{c}]"]
    rows = [
        f"out[{5 * i + k}] = {kind.format(i=i, a=5 * i, b=7 * i, c=900 - 2 * i)};"
        for i in range(100)
        for k, kind in enumerate(kinds)
    ]
    assert len(merged(rows)) == len(kinds)
    assert merged([f"work[{i}] = t{i};" for i in range(9)]) == [
        f"work[{i}] = t{i};" for i in range(9)
    ]
    assert len(merged([f"out[{i}] = work[{99 - i}];" for i in range(99)])) == 1
