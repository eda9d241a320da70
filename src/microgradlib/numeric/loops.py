"""Loops over steps, and back through them: of functions of floats, as generated source calls them.

A step takes the numbers of the carry, those of its row, and others that all steps read; it returns
the next carry and its results. To go back, the carries before the steps are needed, in reverse
order. Those that were not kept are computed again, from the latest one before them that was.
"""

from collections.abc import Callable, Sequence
from typing import Any


def next_kept(start: int, end: int, free: int, every: int) -> int:
    """Return the step before which the next carry is kept, after ``start`` and before ``end``.

    >>> [next_kept(0, 10, 10, 1), next_kept(0, 10, 10, 4), next_kept(8, 10, 10, 4)]
    [1, 4, 9]
    >>> next_kept(0, 10, 3, 0)
    4

    Args:
        start: a step before which the carry is kept.
        end: the first step that needs no carry any more, at least ``start + 2``.
        free: how many more carries there is room for, at least 1.
        every: how many steps are between carries that are kept on the way, then all of the steps
            that follow the last one; 0 for the schedule with the least computation in the room.

    Source: Griewank and Walther, "Algorithm 799: revolve" (2000), ACM TOMS 26. With s carries and
    r repetitions of a step, at most (s + r)! / (s! r!) steps are reversed.
    """
    if every:
        return start + every if start % every == 0 and start + every < end else start + 1
    length = end - start
    if free == 1:
        return end - 1
    before, most, repetitions = 1, 1, 0
    while most < length:
        repetitions += 1
        before, most = most, most * (free + repetitions) // repetitions
    rest = before * free // (free + repetitions - 1)  # what free - 1 carries reverse
    return start + min(before, length - rest)


def scan(
    step: Callable[..., Any],
    numbers: Sequence[float],
    *,
    length: int,
    carry: int,
    row: int,
    reverse: bool = False,
    every: int = 1,
    room: int = 0,
    stops: bool = False,
) -> list[Any]:
    """Return the last carry, the results of all rows, and the carries that were kept.

    >>> scan(lambda total, x: (total + x, total), [0.0, 1.0, 2.0, 4.0], length=3, carry=1, row=1)
    [7.0, 0.0, 1.0, 3.0, []]

    Args:
        step: the step.
        numbers: the first carry, the rows, and what all steps read.
        length: how many rows there are, and steps, unless it stops.
        carry: how many numbers the carry has.
        row: how many numbers a row has.
        reverse: whether the last row is the first.
        every: see ``next_kept``.
        room: how many carries are kept.
        stops: whether the first number says how many steps there are; the results of the rows after
            them are 0.

    Raises:
        ValueError: if it stops nowhere in the rows.
    """
    end, numbers = _end(numbers, length, stops)
    state, others = numbers[:carry], numbers[carry + length * row :]
    results: list[Sequence[float]] = [()] * length
    kept: list[Any] = []  # numbers of steps, each with the carry before it
    due = 0 if room else end
    for i in range(end):
        if i == due:
            kept.append((i, state))
            due = end if i + 1 == end else next_kept(i, end, room - len(kept), every)
        place = end - 1 - i if reverse else i
        start = carry + place * row
        found = step(*state, *numbers[start : start + row], *others)
        state, results[place] = found[:carry], found[carry:]
    results[end:] = [[0.0] * len(results[0])] * (length - end)
    return [*state, *[y for found in results for y in found], kept]


def _end(numbers: Sequence[float], length: int, stops: bool) -> tuple[int, Sequence[float]]:
    """Return how many steps there are, and the numbers without that."""
    if not stops:
        return length, numbers
    if not 1 <= numbers[0] <= length:
        raise ValueError("a loop must stop within its rows")
    return int(numbers[0]), numbers[1:]


def scan_pull(
    step: Callable[..., Any],
    pull: Callable[..., Any],
    result: Sequence[Any],
    numbers: Sequence[float],
    *,
    length: int,
    carry: int,
    row: int,
    others: int,
    linked: int,
    sums: int,
    results: int,
    echoes: Sequence[tuple[int, int]] = (),
    reverse: bool = False,
    every: int = 1,
    room: int = 0,
    stops: bool = False,
) -> list[float]:
    """Return the adjoints of the first carry, of what all steps read, and of the rows.

    Args:
        step: the step.
        pull: takes the carry, the row, the sums so far of the adjoints of what all steps read, the
            adjoints that echoes begin with, those of the next carry and of the results, and others
            that it reads; returns the adjoints of the carry, those of the row, and the sums.
        result: what ``scan`` returned.
        numbers: the rows, what all steps read, the adjoints of the last carry and of the results,
            and what ``pull`` reads besides.
        length: as for ``scan``.
        carry: how many numbers the carry has.
        row: how many numbers a row has.
        others: how many numbers all steps read.
        linked: how many numbers of the carry have an adjoint.
        sums: how many numbers that all steps read have an adjoint.
        results: how many results of a step have an adjoint.
        echoes: which of the linked numbers are which of these results, too.
        reverse: as for ``scan``.
        every: as for ``scan``.
        room: as for ``scan``.
        stops: as for ``scan``.
    """
    end, numbers = _end(numbers, length, stops)
    first = length * row
    read = numbers[first : first + others]
    first += others
    adjoints = list(numbers[first : first + linked])
    first += linked
    rest = numbers[first + length * results :]
    last = end - 1
    for i, k in echoes:
        adjoints[i] += numbers[first + (0 if reverse else last) * results + k]
    totals: Sequence[float] = [-0.0] * sums  # -0.0 + x is x, also where that is -0.0
    of_rows: list[Sequence[float]] = [()] * length
    kept = [*result[-1]]
    while end:
        start, state = kept[-1]
        if start < end - 1:
            due = next_kept(start, end, room - len(kept), every)
            for i in range(start, due):
                at = row * (last - i if reverse else i)
                state = step(*state, *numbers[at : at + row], *read)[:carry]
            kept.append((due, state))
            continue
        kept.pop()
        end = start
        place = last - start if reverse else start
        before = place + 1 if reverse else place - 1  # the row of the step before
        seeds = [numbers[first + before * results + k] if start else -0.0 for _, k in echoes]
        at, y = place * row, first + place * results
        of_row = numbers[at : at + row]
        found = pull(*state, *of_row, *totals, *seeds, *adjoints, *numbers[y : y + results], *rest)
        end_of_row = len(found) - sums
        adjoints, totals = list(found[:linked]), found[end_of_row:]
        of_rows[place] = found[linked:end_of_row]
    of_rows[last + 1 :] = [[-0.0] * len(of_rows[0])] * (length - 1 - last)
    return [*adjoints, *totals, *[x for found in of_rows for x in found]]
