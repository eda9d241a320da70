"""The names of many numbers, with a full range of the entries of a list or array on one line."""

import re
from collections.abc import Sequence
from typing import NamedTuple


class _Run(NamedTuple):
    """Entries of one list or array that follow each other: the places and indices of both ends."""

    start: int
    end: int
    path: str  # of the list
    first: tuple[int, ...]
    last: tuple[int, ...]

    def precedes(self, other: "_Run", axis: int) -> bool:
        """Whether the other one goes on along this axis, with all the same further axes."""
        first, last = self.first, self.last
        return (
            (self.path, len(first)) == (other.path, len(other.first))
            and len(first) > axis
            and first[:axis] == last[:axis] == other.first[:axis]
            and last[axis] + 1 == other.first[axis]
            and first[axis + 1 :] == other.first[axis + 1 :]
            and last[axis + 1 :] == other.last[axis + 1 :]
        )


def named_ranges(names: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Return what names stand for, with a full range of entries on one line.

    >>> named_ranges(["in[0]", "in[1]", "in[2]"], ["w[0]", "w[1]", "x"])
    ['in[0] to in[1]: w[0] to w[1]', 'in[2]: x']
    """
    runs = []
    for i, path in enumerate(paths):
        start = len(re.sub(r"(\[\d+\])*$", "", path))
        index = tuple(map(int, re.findall(r"\d+", path[start:])))
        runs.append(_Run(i, i, path[:start], index, index))
    for axis in reversed(range(max([len(run.first) for run in runs], default=0))):
        found: list[_Run] = []
        for run in runs:
            if found and found[-1].precedes(run, axis):
                found[-1] = found[-1]._replace(end=run.end, last=run.last)
            else:
                found.append(run)
        runs = found
    lines = []
    for run in runs:
        ends = [(x[run.start], x[run.end]) for x in (names, paths)]
        name, path = [x if x == y else f"{x} to {y}" for x, y in ends]
        lines.append(name if name == path else f"{name}: {path}")
    return lines
