"""Layered layout: where the boxes of a graph go and how its edges run, from left to right.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical
System Structures" (1981): a column for each box by its longest path, a dummy where an edge passes a
column, an order within each column by barycenters, and coordinates at last. As in Gansner et al.,
"A Technique for Drawing Directed Graphs" (1993), sweeps over the columns draw each box towards its
neighbours, and dummies most. The places nearest to those wanted that keep the boxes of a column
apart are an isotonic regression: Barlow et al., "Statistical Inference under Order Restrictions"
(1972). Crossings are counted as in Barth, Jünger and Mutzel, "Simple and Efficient Bilayer Cross
Counting" (2002).

The edges of one box share their dummies: they are one line that branches. Boxes of a group stand
together in a frame; a group that paths leave and enter again has several frames.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import pairwise
from typing import NamedTuple, TypeAlias

UNGROUPED = -1
GAP = 14.0  # between boxes of a column
BEND = 40.0  # between columns, at least: there edges change their height
PORT = 15.0  # between edges that enter a box
PADDING = 12.0  # around everything, and between a frame and what is in it
TITLE = 16.0  # for the title of a frame
_STIFFNESS = 8.0  # the weight of a dummy; that of a box is 1
_PULLS = (1.0, 0.2, 8.0)  # between neighbours of which none, one or both are dummies
_EFFORT = 20_000  # how many boxes and dummies sweeps may visit

Block: TypeAlias = tuple[int, int]
"""A level, and a group of it; dummies of a box that only pass by are a group of their own."""


class Rectangle(NamedTuple):
    """A rectangle by its upper left corner."""

    x: float
    y: float
    width: float
    height: float


class Edge(NamedTuple):
    """An edge between two boxes, by their numbers, and the room for its label at its end."""

    source: int
    target: int
    room: float


class Piece(NamedTuple):
    """A piece of an edge: a bend from the start to the middle, and a level line to the end."""

    start: tuple[float, float]
    middle: tuple[float, float]
    end: tuple[float, float]


class Layout(NamedTuple):
    """Where everything goes.

    Attributes:
        width: of the whole.
        height: of the whole.
        boxes: the place of each box.
        frames: the group and the place of each frame.
        trunks: the pieces that edges of one box may share.
        ends: the last piece of each edge.
    """

    width: float
    height: float
    boxes: list[Rectangle]
    frames: list[tuple[int, Rectangle]]
    trunks: list[Piece]
    ends: list[Piece]


class _Item:
    """A box, or a dummy."""

    __slots__ = ("block", "column", "height", "inputs", "outputs", "place", "weight", "y")

    def __init__(self, column: int, block: Block, height: float, weight: float) -> None:
        self.column = column
        self.block = block
        self.height = height
        self.weight = weight
        self.inputs: list[_Item] = []
        self.outputs: list[_Item] = []
        self.place = 0.0  # in its column: from 0 to 1
        self.y = 0.0  # of its middle

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2


class _Span(NamedTuple):
    """A column from left to right: room for labels, and then the boxes."""

    room: float
    left: float
    width: float

    @property
    def entry(self) -> float:
        """Where edges have come to the height of their box."""
        return self.left - self.room

    @property
    def right(self) -> float:
        return self.left + self.width


def arrange(
    sizes: Sequence[tuple[float, float]], edges: Sequence[Edge], groups: Sequence[int]
) -> Layout:
    """Return a layout of a graph whose boxes are numbered so that edges lead to higher numbers.

    >>> layout = arrange([(50.0, 20.0), (50.0, 20.0)], [Edge(0, 1, 10.0)], [UNGROUPED] * 2)
    >>> [box.x for box in layout.boxes]
    [12.0, 112.0]

    Args:
        sizes: the width and the least height of each box, at least one; a box grows with the edges
            that enter it, and all boxes of a column are as wide as the widest.
        edges: an edge as often as it is to be drawn.
        groups: the group of each box, a number >= 0, or ``UNGROUPED``.
    """
    columns, bands = _columns(edges, groups, _levels(edges, groups))
    fan_in = [0] * len(sizes)
    for edge in edges:
        fan_in[edge.target] += 1
    boxes = [
        _Item(column, (bands[column], group), max(height, PORT * (n + 0.4)), 1.0)
        for (_, height), n, column, group in zip(sizes, fan_in, columns, groups, strict=True)
    ]
    hops, trunks = _add_dummies(boxes, edges, bands)
    items = [*boxes, *[dummy for _, dummy in trunks]]
    table: list[list[_Item]] = [[] for _ in bands]
    for item in items:
        table[item.column].append(item)
    rounds = max(2, min(10, _EFFORT // len(items)))
    positions = _order(table, rounds)
    _draw_together(table, rounds)
    frames = _separate(items, positions)
    # Vertical places are known; now the horizontal ones.
    framed = {item.column for item in boxes if item.block[1] != UNGROUPED}
    spans = _spans(items, sizes, edges, bands, framed)

    rectangles = [(group, _frame(members, spans)) for (_, group), members in frames.items()]
    top = min([*[item.top for item in items], *[frame.y for _, frame in rectangles]])
    bottom = max(
        [*[item.bottom for item in items], *[frame.y + frame.height for _, frame in rectangles]]
    )
    for item in items:
        item.y += PADDING - top

    def piece(source: _Item, column: int, y: float, end: float) -> Piece:
        return Piece((spans[source.column].right, source.y), (spans[column].entry, y), (end, y))

    ports = _ports(boxes, hops, edges)
    return Layout(
        spans[-1].right + PADDING * (1 + (len(bands) - 1 in framed)),
        bottom - top + 2 * PADDING,
        [Rectangle(spans[b.column].left, b.top, spans[b.column].width, b.height) for b in boxes],
        [(group, frame._replace(y=frame.y + PADDING - top)) for group, frame in rectangles],
        [piece(a, b.column, b.y, spans[b.column].right) for a, b in trunks],
        [
            piece(hop, columns[edge.target], port, spans[columns[edge.target]].left)
            for hop, edge, port in zip(hops, edges, ports, strict=True)
        ],
    )


def _spans(
    items: Sequence[_Item],
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[Edge],
    bands: Sequence[int],
    framed: Set[int],
) -> list[_Span]:
    """Return the columns from left to right: as wide as their boxes, and edges need, and frames."""
    widths, rooms, bends = ([0.0] * len(bands) for _ in range(3))
    for (width, _), box in zip(sizes, items, strict=False):  # the boxes come first
        widths[box.column] = max(widths[box.column], width)
    for edge in edges:
        column = items[edge.target].column
        rooms[column] = max(rooms[column], edge.room)
    for item in items:
        for x in item.inputs:
            bends[item.column] = max(bends[item.column], min(4.0 * BEND, abs(item.y - x.y) / 6.0))
    spans: list[_Span] = []
    right = 0.0
    for i, band in enumerate(bands):
        border = PADDING * ((i in framed) + (i - 1 in framed)) * (not i or band != bands[i - 1])
        bend = max(BEND, bends[i]) if i else PADDING
        spans.append(_Span(rooms[i], right + bend + border + rooms[i], widths[i]))
        right = spans[-1].right
    return spans


def _frame(members: Sequence[_Item], spans: Sequence[_Span]) -> Rectangle:
    """Return the frame around a block."""
    inside = [item.column for item in members]
    left, right = spans[min(inside)].entry - PADDING, spans[max(inside)].right + PADDING
    top, bottom = _extent(members)
    return Rectangle(left, top, right - left, bottom - top)


def _levels(edges: Sequence[Edge], groups: Sequence[int]) -> list[int]:
    """Return for each box how often a path to it goes from one group to another, at most.

    A path that leaves a group and returns is at a higher level then. So there is room between two
    frames of the same group for what lies between them.
    """
    levels = [0] * len(groups)
    highest: dict[int, int] = {}  # of boxes without inputs: as near to their first user as they may
    inner = {edge.target for edge in edges}
    for source, target, _ in sorted(edges):
        level = levels[source] + (groups[source] != groups[target])
        levels[target] = max(levels[target], level)
    for source, target, _ in edges:
        if source not in inner:
            level = levels[target] - (groups[source] != groups[target])
            highest[source] = min(highest.get(source, level), level)
    for source, level in highest.items():
        levels[source] = level
    return levels


def _columns(
    edges: Sequence[Edge], groups: Sequence[int], levels: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return the column of each box, and the level of each column."""
    inputs: list[list[int]] = [[] for _ in groups]
    outputs: list[list[int]] = [[] for _ in groups]
    for source, target, _ in edges:
        inputs[target].append(source)
        outputs[source].append(target)
    columns = [0] * len(groups)
    bands: list[int] = []
    last: dict[int, int] = {}
    for i in sorted(range(len(groups)), key=levels.__getitem__):
        level = levels[i]
        if level not in last:
            first = len(bands)
        columns[i] = max([first, *[columns[x] + 1 for x in inputs[i]]])
        bands += [level] * (columns[i] + 1 - len(bands))
        last[level] = len(bands) - 1
    for i, users in enumerate(outputs):
        if users and not inputs[i]:
            columns[i] = min(last[levels[i]], min(columns[user] for user in users) - 1)
    return columns, bands


def _add_dummies(
    boxes: Sequence[_Item], edges: Sequence[Edge], bands: Sequence[int]
) -> tuple[list[_Item], list[tuple[_Item, _Item]]]:
    """Return what each edge comes from last, and the pieces before: all between next columns."""
    begins: dict[Block, int] = {}
    for box in boxes:
        begins[box.block] = min(begins.get(box.block, box.column), box.column)
    ends: list[dict[Block, int]] = [{} for _ in boxes]  # the last column that edges of a box go to
    for source, target, _ in edges:
        box = boxes[target]
        ends[source][box.block] = max(ends[source].get(box.block, 0), box.column)
    chains: list[list[_Item]] = []
    trunks: list[tuple[_Item, _Item]] = []
    for i, box in enumerate(boxes):
        chain = [box]
        for column in range(box.column + 1, max(ends[i].values(), default=0)):
            block = (bands[column], UNGROUPED - 1 - i)
            for other, end in ends[i].items():  # a frame is entered where an edge ends in it
                if begins[other] <= column < end:
                    block = other
            chain.append(_Item(column, block, 0.0, _STIFFNESS))
        chains.append(chain)
        trunks += pairwise(chain)
    hops = []
    for source, target, _ in edges:
        hops.append(chains[source][boxes[target].column - boxes[source].column - 1])
    for a, b in [*trunks, *zip(hops, [boxes[edge.target] for edge in edges], strict=True)]:
        a.outputs.append(b)
        b.inputs.append(a)
    return hops, trunks


def _order(table: list[list[_Item]], rounds: int) -> dict[Block, float]:
    """Order the columns with few crossings; return the places of blocks, lowest first."""
    positions: dict[Block, float] = {}
    for column in table:
        for item in column:
            positions.setdefault(item.block, float(len(positions)))
    fewest = None
    for i in range(2 * rounds + 1):
        for column in table if i % 2 else reversed(table):
            wishes = {}
            for item in column:
                near = (item.inputs if i % 2 else item.outputs) if i else ()
                places = [x.place for x in near] or [item.place]
                wishes[item] = sum(places) / len(places)
            column.sort(key=lambda item: (positions[item.block], wishes[item]))
            for k, item in enumerate(column):
                item.place = (k + 0.5) / len(column)
        crossings = sum(map(_crossings, table))
        if fewest is None or crossings < fewest:
            fewest = crossings
            best = [column.copy() for column in table], positions
        positions = _block_positions(table, by_inputs=i % 2 == 0)
    table[:], positions = best
    return positions


def _block_positions(table: Iterable[list[_Item]], by_inputs: bool) -> dict[Block, float]:
    """Return where the neighbours of each block would have it."""
    places: dict[Block, list[float]] = {}
    for column in table:
        for item in column:
            near = item.inputs if by_inputs else item.outputs
            wish = places.setdefault(item.block, [])
            wish += [x.place for x in near if x.block != item.block] or [item.place]
    return {block: sum(wish) / len(wish) for block, wish in places.items()}


def _crossings(column: list[_Item]) -> int:
    """Count the crossings between the edges that leave a column."""
    ends: list[float] = []
    crossings = 0
    for item in column:
        for place in sorted([x.place for x in item.outputs]):
            crossings += len(ends) - bisect_right(ends, place)
            insort(ends, place)
    return crossings


def _draw_together(table: list[list[_Item]], rounds: int) -> None:
    """Set the vertical places, so that edges are short and dummies in line."""
    for column in table:
        for item in column:
            item.y = item.place
    for i in range(2 * rounds + 2):
        for column in table if i % 2 else reversed(table):
            wishes = []
            for item in column:
                near = item.inputs if i % 2 else item.outputs
                if i > 2 * rounds:
                    near = item.inputs + item.outputs
                pulls = [_PULLS[(x.weight > 1.0) + (item.weight > 1.0)] for x in near]
                pulled = sum(x.y * pull for x, pull in zip(near, pulls, strict=True))
                wishes.append(pulled / sum(pulls) if pulls else item.y)
            apart = [
                (a.height + b.height) / 2 + GAP * (0.5 + 0.5 * (a.weight == b.weight))
                for a, b in pairwise(column)
            ]
            places = _spread(wishes, apart, [item.weight for item in column])
            for item, y in zip(column, places, strict=True):
                item.y = y


def _spread(
    wishes: Sequence[float], apart: Sequence[float], weights: Sequence[float]
) -> list[float]:
    """Return the places nearest to the wishes, in least squares, that are so far apart.

    >>> _spread([0.0, 0.0, 9.0], [2.0, 2.0], [1.0, 1.0, 1.0])
    [-1.0, 1.0, 9.0]
    """
    offsets = [0.0]
    for distance in apart:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, float, int]] = []  # mean, weight and number of those that touch
    for wish, offset, weight in zip(wishes, offsets, weights, strict=True):
        mean, count = wish - offset, 1
        while pools and pools[-1][0] >= mean:
            other, heavy, n = pools.pop()
            mean = (other * heavy + mean * weight) / (heavy + weight)
            weight, count = weight + heavy, count + n
        pools.append((mean, weight, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _separate(items: Iterable[_Item], positions: Mapping[Block, float]) -> dict[Block, list[_Item]]:
    """Move the blocks of each level apart; return those that get a frame."""
    blocks: dict[Block, list[_Item]] = {}
    for item in items:
        blocks.setdefault(item.block, []).append(item)
    for level in {level for level, _ in blocks}:
        members = [
            blocks[b] for b in sorted(blocks, key=lambda b: (positions[b], b)) if b[0] == level
        ]
        extents = [_extent(block) for block in members]
        wishes = [(top + bottom) / 2 for top, bottom in extents]
        heights = [bottom - top for top, bottom in extents]
        apart = [(a + b) / 2 + GAP for a, b in pairwise(heights)]
        places = _spread(wishes, apart, [float(len(block)) for block in members])
        for block, wish, place in zip(members, wishes, places, strict=True):
            for item in block:
                item.y += place - wish
    return {block: members for block, members in blocks.items() if block[1] > UNGROUPED}


def _extent(members: Sequence[_Item]) -> tuple[float, float]:
    """Return where a block begins and ends, with its frame."""
    padding = PADDING * (members[0].block[1] > UNGROUPED)
    top = min(item.top for item in members) - padding
    return top - TITLE * (padding > 0.0), max(item.bottom for item in members) + padding


def _ports(boxes: Sequence[_Item], hops: Sequence[_Item], edges: Sequence[Edge]) -> list[float]:
    """Return the height at which each edge enters its box, in the order of where they come from."""
    entering: dict[int, list[int]] = {}
    for i, edge in enumerate(edges):
        entering.setdefault(edge.target, []).append(i)
    ports = [0.0] * len(edges)
    for target, numbers in entering.items():
        first = boxes[target].y - PORT * (len(numbers) - 1) / 2
        for k, i in enumerate(sorted(numbers, key=lambda i: hops[i].y)):
            ports[i] = first + PORT * k
    return ports
