"""The tables of ``docs/kinks.md``, read and written: the only place where the answers are kept."""

import re
from collections.abc import Iterable, Iterator
from math import inf, isnan, nan
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "kinks.md"
ABSENT = "–"  # no such function, or no derivative of that order
PLAIN = "plain number"  # a result that does not know its inputs
OURS = "microgradlib"

# Of one library at one point: its answer, by the way to spell or to run it.
Answers = dict[str, str]

HEAD = re.compile(r"\| (?:(second|third) derivative of )?`([^`]+)` at `([^`]+)` \| returned by \|")
ROW = re.compile(r"\| ([^|]+) \| ([^|]+) \|")
WHO = re.compile(r"\*{0,2}([A-Za-z][\w.]*)\*{0,2}(?: \(((?:`[^`]*`|[^()`])*)\))?(?:, |$)")
VERSION = re.compile(r"^\| ([\w.]+) \| ([\w-]+) ([\d.]+) \|", re.MULTILINE)
FRACTIONS = {1 / 2: "½", 1 / 3: "⅓", 1 / 4: "¼", 1 / 8: "⅛"}


class Point(NamedTuple):
    """An expression, the derivative of which is asked for, and where."""

    expression: str
    at: tuple[tuple[str, float], ...]
    order: int

    def __str__(self) -> str:
        kind = ("", "second derivative of ", "third derivative of ")[self.order - 1]
        return f"{kind}{self.expression} at {', '.join(f'{n} = {x:g}' for n, x in self.at)}"


def point(head: re.Match[str]) -> Point:
    """Return what the first line of a table asks for."""
    order, expression, places = head.groups()
    pairs = [place.split(" = ") for place in places.split(", ")]
    at = tuple((name, float(number.replace("−", "-"))) for name, number in pairs)
    return Point(expression, at, {None: 1, "second": 2, "third": 3}[order])


def tables(lines: list[str]) -> Iterator[tuple[Point, int, int]]:
    """Yield each point of the page, with the lines of its answers: the first, and the one after."""
    for i, line in enumerate(lines):
        if head := HEAD.fullmatch(line):
            stop = i + 2
            while stop < len(lines) and lines[stop].startswith("|"):
                stop += 1
            yield point(head), i + 2, stop


def read(text: str) -> dict[Point, dict[str, Answers]]:
    """Return the answers of all libraries at all points of the page."""
    lines = text.splitlines()
    found: dict[Point, dict[str, Answers]] = {}
    for where, start, stop in tables(lines):
        answers = found.setdefault(where, {})
        for line in lines[start:stop]:
            row = ROW.fullmatch(line)
            entries = list(WHO.finditer(row[2])) if row else []
            if row is None or "".join(entry[0] for entry in entries) != row[2]:
                raise ValueError(f"{PAGE.name}: cannot read {line!r} in the table of {where}")
            for entry in entries:
                of_library = answers.setdefault(entry[1], {})
                if (entry[2] or "") in of_library:
                    raise ValueError(f"{PAGE.name}: {entry[1]} answers twice in {line!r}")
                of_library[entry[2] or ""] = row[1].replace("`", "")
    return found


def versions(text: str) -> dict[str, tuple[str, str]]:
    """Return the package and the version of each library that the page names."""
    return {name: (package, version) for name, package, version in VERSION.findall(text)}


def write(text: str, found: dict[Point, dict[str, Answers]]) -> str:
    """Return the page with these answers in place of those that it has."""
    lines = text.splitlines()
    for where, start, stop in reversed(list(tables(lines))):
        lines[start:stop] = rows(found[where])
    return "\n".join(lines) + "\n"


def rows(answers: dict[str, Answers]) -> Iterator[str]:
    """Yield one line for each answer: ours first, then the frequent ones, the absent at the end."""
    groups: dict[str, list[str]] = {}
    for library, of_library in sorted(answers.items(), key=lambda item: item[0].lower()):
        for label, answer in of_library.items():
            name = f"**{library}**" if library == OURS else library
            groups.setdefault(answer, []).append(f"{name} ({label})" if label else name)

    def rank(item: tuple[str, list[str]]) -> tuple[bool, int, int]:
        answer, who = item
        ours = min([name.count("`") for name in who if OURS in name], default=3)
        return answer == ABSENT, ours, -len(who)

    for answer, who in sorted(groups.items(), key=rank):
        code = re.search("[a-z]{4}|zoo", answer) and answer != PLAIN
        who = sorted(who, key=lambda name: OURS not in name)
        yield f"| {f'`{answer}`' if code else answer} | {', '.join(who)} |"


def shown(numbers: Iterable[object]) -> str:
    """Return partial derivatives as the page shows them: 3 digits, and the sign of 0 left out."""
    cells = list(map(shown_one, numbers))
    if len(cells) > 1 and len(set(cells)) == 1 and re.search("[A-Za-z]{4}", cells[0]):
        return f"{cells[0]} each"  # an expression
    return ", ".join(cells)


def shown_one(number: object) -> str:
    try:
        x = float(number)  # type: ignore[arg-type]
    except Exception:
        return str(number)
    if x == 0.0 or isnan(x) or abs(x) == inf:
        return f"{x + 0.0:g}".replace("-", "−", 1)
    for fraction, sign in FRACTIONS.items():
        if abs(abs(x) - fraction) < 1e-9:
            return ("−" if x < 0.0 else "") + sign
    text = f"{abs(x):.3g}".replace("e-0", "e-")
    return f"−{text}" if x < 0.0 else text


def parsed(answer: str) -> tuple[float, ...]:
    """Return the numbers of an answer: '½, −inf' gives (0.5, -inf)."""
    signs = {sign: x for x, sign in FRACTIONS.items()} | {"nan": nan}
    numbers = []
    for cell in answer.split(", "):
        size = cell.removeprefix("−")
        x = signs[size] if size in signs else float(size)
        numbers.append(x if size == cell else -x)
    return tuple(numbers)
