"""The third step of the layout: the vertical coordinate of each item.

As in Gansner et al., "A Technique for Drawing Directed Graphs" (1993), sweeps over the columns draw
each item towards its neighbours, and dummies most, so that long edges are straight. The coordinates
nearest to those wanted that keep the items of a column apart are an isotonic regression: Barlow et
al., "Statistical Inference under Order Restrictions" (1972).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from microgradlib.drawing.layering import Block, Item

GAP = 14.0  # between boxes of a column
PADDING = 12.0  # around everything, and between a frame and what is in it
TITLE = 16.0  # for the title of a frame
_WEIGHTS = (1.0, 8.0)  # of a box and of a dummy
_PULLS = (1.0, 0.2, 8.0)  # between neighbours of which none, one or both are dummies


def set_heights(columns: Sequence[Sequence[Item]], rounds: int) -> None:
    """Set the vertical coordinates, so that edges are short and dummies in line.

    ``rounds`` sweeps are made in each direction, and two more; the last looks at both sides.
    """
    for column in columns:
        for item in column:
            item.y = item.place
    for i in range(2 * rounds + 2):
        forward = i % 2 == 1
        for column in columns if forward else reversed(columns):
            wanted = []
            for item in column:
                near = item.neighbours(before=forward)
                if i > 2 * rounds:
                    near = item.inputs + item.outputs
                wanted.append(_mean_height(item, near))
            distances = [
                (a.height + b.height) / 2 + (GAP if a.dummy == b.dummy else GAP / 2)
                for a, b in pairwise(column)
            ]
            heights = spread(wanted, distances, [_WEIGHTS[item.dummy] for item in column])
            for item, y in zip(column, heights, strict=True):
                item.y = y


def _mean_height(item: Item, near: Sequence[Item]) -> float:
    """Return the weighted mean of the neighbours' heights, or the item's own if it has none."""
    pulls = [_PULLS[x.dummy + item.dummy] for x in near]
    pulled = sum(x.y * pull for x, pull in zip(near, pulls, strict=True))
    return pulled / sum(pulls) if pulls else item.y


def spread(
    wanted: Sequence[float], distances: Sequence[float], weights: Sequence[float]
) -> list[float]:
    """Return the numbers nearest to those wanted, in least squares, that are far enough apart.

    >>> spread([0.0, 0.0, 9.0], [2.0, 2.0], [1.0, 1.0, 1.0])
    [-1.0, 1.0, 9.0]

    Args:
        wanted: the numbers.
        distances: the least distance between each and the next.
        weights: how much it costs to move each of them.
    """
    offsets = [0.0]
    for distance in distances:
        offsets.append(offsets[-1] + distance)
    # Less their offsets, the numbers have to ascend. Neighbours that do not are pooled.
    pools: list[tuple[float, float, int]] = []  # the mean, weight and number of their members
    for number, offset, weight in zip(wanted, offsets, weights, strict=True):
        mean, count = number - offset, 1
        while pools and pools[-1][0] >= mean:
            other, heavy, n = pools.pop()
            mean = (other * heavy + mean * weight) / (heavy + weight)
            weight, count = weight + heavy, count + n
        pools.append((mean, weight, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def separate_blocks(
    items: Iterable[Item], positions: Mapping[Block, float]
) -> dict[Block, list[Item]]:
    """Move blocks of a level apart, in the order of their positions; return those with a frame."""
    blocks: dict[Block, list[Item]] = {}
    for item in items:
        blocks.setdefault(item.block, []).append(item)
    levels: dict[int, list[list[Item]]] = {}
    for block in sorted(blocks, key=lambda block: (positions[block], block)):
        levels.setdefault(block.level, []).append(blocks[block])
    for members in levels.values():
        extents = [extent(block) for block in members]
        middles = [(top + bottom) / 2 for top, bottom in extents]
        heights = [bottom - top for top, bottom in extents]
        distances = [(a + b) / 2 + GAP for a, b in pairwise(heights)]
        moved = spread(middles, distances, [float(len(block)) for block in members])
        for block_items, old, new in zip(members, middles, moved, strict=True):
            for item in block_items:
                item.y += new - old
    return {block: members for block, members in blocks.items() if block.framed}


def extent(members: Sequence[Item]) -> tuple[float, float]:
    """Return where a block begins and ends, with its frame if it has one."""
    top = min(item.top for item in members)
    bottom = max(item.bottom for item in members)
    if members[0].block.framed:
        return top - PADDING - TITLE, bottom + PADDING
    return top, bottom
