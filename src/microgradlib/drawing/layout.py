"""Layered layout: where the boxes of a graph go and how its edges run, from left to right.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical
System Structures" (1981), each in a module of its own: columns and dummies (``layering``), an order
within each column (``ordering``), vertical coordinates (``heights``), and here the horizontal ones.

The edges of a box share their dummies: they are one line that branches. Boxes of a group stand
together in a frame; a group that paths leave and enter again has several frames.
"""

from collections.abc import Sequence, Set
from typing import NamedTuple

from microgradlib.drawing.heights import PADDING, extent, separate_blocks, set_heights
from microgradlib.drawing.layering import Block, Item, add_dummies, assign_columns
from microgradlib.drawing.ordering import order_columns

BEND = 40.0  # between columns, at least: there edges change their height
PORT = 15.0  # between edges that enter a box
_EFFORT = 20_000  # how many boxes and dummies are visited in each direction, about


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


class _Span(NamedTuple):
    """The horizontal extent of a column: room for labels, and then the boxes."""

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
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[Edge],
    groups: Sequence[int],
    spacing: float = PORT,
) -> Layout:
    """Return a layout of a graph whose boxes are numbered so that edges lead to higher numbers.

    >>> from microgradlib.drawing.layering import UNGROUPED
    >>> layout = arrange([(50.0, 20.0), (50.0, 20.0)], [Edge(0, 1, 10.0)], [UNGROUPED] * 2)
    >>> [box.x for box in layout.boxes]
    [12.0, 112.0]

    Args:
        sizes: the width and the least height of each box, at least one; a box grows with the edges
            that enter it, and all boxes of a column are as wide as the widest.
        edges: an edge as often as it is to be drawn.
        groups: the group of each box, a number >= 0, or ``UNGROUPED``.
        spacing: the distance between edges that enter a box.
    """
    ends = [(edge.source, edge.target) for edge in edges]
    entering: list[list[int]] = [[] for _ in sizes]  # for each box the numbers of its edges
    for i, (_, target) in enumerate(ends):
        entering[target].append(i)
    columns, levels = assign_columns(ends, groups)
    boxes = []
    for i, column in enumerate(columns):
        height = max(sizes[i][1], spacing * (len(entering[i]) + 0.4))
        boxes.append(Item(column, Block(levels[column], groups[i]), height, dummy=False))
    tails, links = add_dummies(boxes, ends, levels)
    items = [*boxes, *[dummy for _, dummy in links]]
    table: list[list[Item]] = [[] for _ in levels]
    for item in items:
        table[item.column].append(item)
    rounds = rounds_for(len(items))
    positions = order_columns(table, rounds)
    set_heights(table, rounds)
    blocks = separate_blocks(items, positions)

    framed = {box.column for box in boxes if box.block.framed}
    spans = _spans(boxes, items, sizes, edges, levels, framed)
    frames = [(block.group, _frame(members, spans)) for block, members in blocks.items()]
    tops = [*[item.top for item in items], *[frame.y for _, frame in frames]]
    bottoms = [*[item.bottom for item in items], *[f.y + f.height for _, f in frames]]
    down = PADDING - min(tops)  # moves everything below the upper border
    for item in items:
        item.y += down

    def piece(source: Item, column: int, y: float, end: float) -> Piece:
        return Piece((spans[source.column].right, source.y), (spans[column].entry, y), (end, y))

    ports = _ports(boxes, tails, entering, spacing)
    return Layout(
        spans[-1].right + PADDING * (1 + (len(levels) - 1 in framed)),
        max(bottoms) - min(tops) + 2 * PADDING,
        [Rectangle(spans[b.column].left, b.top, spans[b.column].width, b.height) for b in boxes],
        [(group, frame._replace(y=frame.y + down)) for group, frame in frames],
        [piece(a, b.column, b.y, spans[b.column].right) for a, b in links],
        [
            piece(tail, columns[target], port, spans[columns[target]].left)
            for tail, (_, target), port in zip(tails, ends, ports, strict=True)
        ],
    )


def rounds_for(items: int) -> int:
    """Return how often each direction is processed: fewer times for more boxes and dummies."""
    return max(2, min(10, _EFFORT // items))


def _spans(
    boxes: Sequence[Item],
    items: Sequence[Item],
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[Edge],
    levels: Sequence[int],
    framed: Set[int],
) -> list[_Span]:
    """Return the columns from left to right: as wide as boxes, labels, edges and frames need."""
    widths, rooms, bends = ([0.0] * len(levels) for _ in range(3))
    for box, (width, _) in zip(boxes, sizes, strict=True):
        widths[box.column] = max(widths[box.column], width)
    for edge in edges:
        column = boxes[edge.target].column
        rooms[column] = max(rooms[column], edge.room)
    for item in items:
        for x in item.inputs:
            bends[item.column] = max(bends[item.column], min(4.0 * BEND, abs(item.y - x.y) / 6.0))
    spans: list[_Span] = []
    right = 0.0
    for i, level in enumerate(levels):
        border = 0.0  # of the frames that begin or end before this column
        if not i or level != levels[i - 1]:
            border = PADDING * ((i in framed) + (i - 1 in framed))
        bend = max(BEND, bends[i]) if i else PADDING
        spans.append(_Span(rooms[i], right + bend + border + rooms[i], widths[i]))
        right = spans[-1].right
    return spans


def _frame(members: Sequence[Item], spans: Sequence[_Span]) -> Rectangle:
    """Return the frame around a block."""
    columns = [item.column for item in members]
    left, right = spans[min(columns)].entry - PADDING, spans[max(columns)].right + PADDING
    top, bottom = extent(members)
    return Rectangle(left, top, right - left, bottom - top)


def _ports(
    boxes: Sequence[Item],
    tails: Sequence[Item],
    entering: Sequence[Sequence[int]],
    spacing: float,
) -> list[float]:
    """Return the height at which each edge enters its box, ordered as the edges arrive."""
    ports = [0.0] * len(tails)
    for box, numbers in zip(boxes, entering, strict=True):
        first = box.y - spacing * (len(numbers) - 1) / 2
        for k, i in enumerate(sorted(numbers, key=lambda i: tails[i].y)):
            ports[i] = first + spacing * k
    return ports
