"""The second step of the layout: an order of the items in each column, with few crossings.

Sweeps over the columns put each item at the barycenter of its neighbours in the column before;
the order with the fewest crossings is kept. These are counted as in Barth, Jünger and Mutzel,
"Simple and Efficient Bilayer Cross Counting" (2002).
"""

from bisect import bisect_right, insort
from collections.abc import Iterable

from microgradlib.drawing.layering import Block, Item


def order_columns(columns: list[list[Item]], rounds: int) -> dict[Block, float]:
    """Sort the columns so that few edges cross, and return the positions of the blocks.

    Items of a block stand together; blocks of lower positions are above. After a first sweep, which
    puts blocks together, there are ``rounds`` sweeps in each direction.
    """
    positions: dict[Block, float] = {}
    for column in columns:
        for item in column:
            positions.setdefault(item.block, float(len(positions)))
    fewest = None
    for i in range(2 * rounds + 1):
        forward = i % 2 == 1
        for column in columns if forward else reversed(columns):
            wanted = {item: _barycenter(item, before=forward) if i else 0.0 for item in column}
            column.sort(key=lambda item: (positions[item.block], wanted[item]))
            for k, item in enumerate(column):
                item.place = (k + 0.5) / len(column)
        crossings = sum(map(_crossings, columns))
        if fewest is None or crossings < fewest:
            fewest = crossings
            best = [column.copy() for column in columns], positions
        positions = _block_positions(columns, before=not forward)
    columns[:], positions = best
    return positions


def _barycenter(item: Item, *, before: bool) -> float:
    """Return the mean place of the neighbours, or the place of an item that has none."""
    places = [x.place for x in item.neighbours(before=before)] or [item.place]
    return sum(places) / len(places)


def _block_positions(columns: Iterable[list[Item]], *, before: bool) -> dict[Block, float]:
    """Return the mean place of the neighbours of each block that are not in the block."""
    places: dict[Block, list[float]] = {}
    for column in columns:
        for item in column:
            near = item.neighbours(before=before)
            outside = [x.place for x in near if x.block != item.block]
            places.setdefault(item.block, []).extend(outside or [item.place])
    return {block: sum(found) / len(found) for block, found in places.items()}


def _crossings(column: list[Item]) -> int:
    """Count the crossings between the edges that leave a column."""
    ends: list[float] = []
    crossings = 0
    for item in column:
        for place in sorted([x.place for x in item.outputs]):
            crossings += len(ends) - bisect_right(ends, place)
            insort(ends, place)
    return crossings
