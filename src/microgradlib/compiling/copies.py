"""Statements of C that fill arrays: one in place of many that follow a pattern."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_ASSIGNED = re.compile(r"(out|work)\[(\d+)\] = (?:(in|work)\[(\d+)\]|(.+));")
_LITERAL = re.compile(r"\(?-?[\d.]+(e[-+]?\d+)?\)?|\(?-?(INFINITY|NAN)\)?")
_LEAST = 4  # repetitions of a pattern
_LONGEST = 24  # entries after which a pattern begins again, at most


class _Entry(NamedTuple):
    """A statement that fills an entry, from an entry of another array or with a number."""

    line: str
    array: str
    place: int
    source: str  # "" for a number
    first: int
    number: str

    def goes_on(self, before: "_Entry", step: int) -> bool:
        """Whether one loop, with this step in its source, fills both."""
        if self.source:
            return (self.source, self.first) == (before.source, before.first + step)
        if before.source:
            return False
        both = self.number, before.number
        return both[0] == both[1] or all(map(_LITERAL.fullmatch, both))


def merged(lines: list[str]) -> list[str]:
    """Return statements with one in place of many that fill entries by a pattern.

    >>> merged(["work[2] = in[5];", "t1;", *[f"out[{i}] = in[{i + 7}];" for i in range(4)]])
    ['work[2] = in[5];', 't1;', 'mg_put_every(out + 0, 1, in + 7, 1, 4);']
    >>> rows = [(f"work[{2 * i}] = in[{i}];", f"work[{2 * i + 1}] = t1;") for i in range(4)]
    >>> merged([line for row in rows for line in row])
    ['mg_put_every(work + 0, 2, in + 0, 1, 4);', 'mg_put_all(work + 1, 2, t1, 4);']
    >>> merged([f"work[{i}] = {i}.5;" for i in range(4)])
    ['{ static const double x[] = {0.5, 1.5, 2.5, 3.5}; mg_put_every(work + 0, 1, x, 1, 4); }']
    """
    found: list[str] = []
    block: list[_Entry] = []  # entries that follow each other
    for line in [*lines, ""]:
        entry = _parsed(line)
        if block and not (entry and entry[1:3] == (block[-1].array, block[-1].place + 1)):
            found += _of_block(block)
            block = []
        if entry:
            block.append(entry)
        else:
            found.append(line)
    return found[:-1]


def _parsed(line: str) -> _Entry | None:
    match = _ASSIGNED.fullmatch(line)
    if not match:
        return None
    array, place, source, first, number = match.groups()
    return _Entry(line, array, int(place), source or "", int(first or 0), number or "")


def _of_block(block: Sequence[_Entry]) -> list[str]:
    """Return the statements that fill entries which follow each other."""
    found = []
    i = 0
    while i < len(block):
        period, size = _pattern(block, i)
        if size:
            found += [_filling(block[k : i + size : period], period) for k in range(i, i + period)]
        else:
            found.append(block[i].line)
        i += size or 1
    return found


def _pattern(block: Sequence[_Entry], start: int) -> tuple[int, int]:
    """Return after how many entries a pattern begins again, and how many entries it fills."""
    best, end = (0, 0), len(block)
    for period in range(1, min(_LONGEST, (end - start) // _LEAST) + 1):
        i = start + period
        while i < end:
            first = start + (i - start) % period
            step = block[first + period].first - block[first].first
            if not block[i].goes_on(block[i - period], step):
                break
            i += 1
        size = (i - start) // period * period
        if size >= _LEAST * period and size > best[1]:
            best = period, size
        if i == end:
            break
    return best


def _filling(entries: Sequence[_Entry], period: int) -> str:
    """Return the statement that fills these entries of an array, each so many after the other."""
    first, second = entries[:2]
    to, count = f"{first.array} + {first.place}, {period}", len(entries)
    if first.source:
        source = f"{first.source} + {first.first}, {second.first - first.first}"
        return f"mg_put_every({to}, {source}, {count});"
    if len({x.number for x in entries}) == 1:
        return f"mg_put_all({to}, {first.number}, {count});"
    numbers = ", ".join([x.number for x in entries])
    call = f"mg_put_every({to}, x, 1, {count})"
    return f"{{ static const double x[] = {{{numbers}}}; {call}; }}"
