"""The first step of the layout: a column for each box, and dummies where an edge passes a column.

Columns belong to levels. The level of a box counts how often a path to it changes its group, so
that a group which paths leave and enter again has one frame for each visit, and room between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, TypeAlias

UNGROUPED = -1

Edges: TypeAlias = Sequence[tuple[int, int]]
"""The numbers of the source and the target of each edge; the source has the lower one."""


class Block(NamedTuple):
    """The items of one group on one level, which stand together.

    A group below ``UNGROUPED`` has the dummies of a single box.
    """

    level: int
    group: int

    @property
    def framed(self) -> bool:
        """Whether a frame is drawn around it."""
        return self.group > UNGROUPED


@dataclass(eq=False, slots=True)
class Item:
    """An item of a column: a box or a dummy.

    Attributes:
        column: the number of its column.
        block: the block that it stands in.
        height: the height, 0 for a dummy.
        dummy: whether it is a dummy.
        inputs: the items before it, one for each edge or link.
        outputs: the items after it.
        place: the position in the order of its column, from 0 to 1.
        y: the vertical coordinate of its middle.
    """

    column: int
    block: Block
    height: float
    dummy: bool
    inputs: list[Item] = field(default_factory=list)
    outputs: list[Item] = field(default_factory=list)
    place: float = 0.0
    y: float = 0.0

    def neighbours(self, *, before: bool) -> list[Item]:
        """Return the items before this one, or those after it."""
        return self.inputs if before else self.outputs

    @property
    def top(self) -> float:
        """The vertical coordinate of its upper border."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """The vertical coordinate of its lower border."""
        return self.y + self.height / 2


def assign_columns(edges: Edges, groups: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the column of each box, and the level of each column.

    A box stands one column after the last of its inputs. One without inputs stands just before its
    first user, if that has the same level.

    >>> assign_columns([(0, 1), (1, 3), (2, 3)], [UNGROUPED] * 4)
    ([0, 1, 1, 2], [0, 0, 0])
    """
    levels = _levels(edges, groups)
    inputs: list[list[int]] = [[] for _ in groups]
    outputs: list[list[int]] = [[] for _ in groups]
    for source, target in edges:
        inputs[target].append(source)
        outputs[source].append(target)
    columns = [0] * len(groups)
    column_levels: list[int] = []
    last: dict[int, int] = {}  # the last column of each level
    for i in sorted(range(len(groups)), key=levels.__getitem__):
        level = levels[i]
        if level not in last:
            first = len(column_levels)
        columns[i] = max([first, *[columns[x] + 1 for x in inputs[i]]])
        column_levels += [level] * (columns[i] + 1 - len(column_levels))
        last[level] = len(column_levels) - 1
    for i, users in enumerate(outputs):
        if users and not inputs[i]:
            columns[i] = min(last[levels[i]], min(columns[user] for user in users) - 1)
    return columns, column_levels


def _levels(edges: Edges, groups: Sequence[int]) -> list[int]:
    """Return the level of each box: how often a path to it changes its group, at most.

    A box without inputs has the highest level that its users allow.
    """
    levels = [0] * len(groups)
    for source, target in sorted(edges):  # so that the level of a source is final
        levels[target] = max(levels[target], levels[source] + (groups[source] != groups[target]))
    computed = {target for _, target in edges}
    highest: dict[int, int] = {}
    for source, target in edges:
        if source not in computed:
            level = levels[target] - (groups[source] != groups[target])
            highest[source] = min(highest.get(source, level), level)
    for source, level in highest.items():
        levels[source] = level
    return levels


def add_dummies(
    boxes: Sequence[Item], edges: Edges, column_levels: Sequence[int]
) -> tuple[list[Item], list[tuple[Item, Item]]]:
    """Link the boxes, with a dummy in each column that the edges of a box pass.

    All edges of a box share its dummies.

    Returns:
        The last item of each edge before its target, and all links that lead to a dummy: from a box
        or a dummy to the dummy in the next column.
    """
    begins: dict[Block, int] = {}  # the first column of each block
    for box in boxes:
        begins[box.block] = min(begins.get(box.block, box.column), box.column)
    ends: list[dict[Block, int]] = [{} for _ in boxes]  # the last column where edges of a box end
    for source, target in edges:
        box = boxes[target]
        ends[source][box.block] = max(ends[source].get(box.block, 0), box.column)
    chains: list[list[Item]] = []
    links: list[tuple[Item, Item]] = []
    for i, box in enumerate(boxes):
        chain = [box]
        for column in range(box.column + 1, max(ends[i].values(), default=0)):
            block = Block(column_levels[column], UNGROUPED - 1 - i)
            for other, end in ends[i].items():  # an edge enters the frame that it ends in
                if begins[other] <= column < end:
                    block = other
            chain.append(Item(column, block, 0.0, dummy=True))
        chains.append(chain)
        links += pairwise(chain)
    tails = [
        chains[source][boxes[target].column - boxes[source].column - 1] for source, target in edges
    ]
    targets = [boxes[target] for _, target in edges]
    for a, b in [*links, *zip(tails, targets, strict=True)]:
        a.outputs.append(b)
        b.inputs.append(a)
    return tails, links
