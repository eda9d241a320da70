"""The layered layout: what must hold of every graph, and what small ones look like."""

from itertools import pairwise
from math import dist

import pytest
from drawings.generate import LAYOUTS, stored
from hypothesis import given
from hypothesis import strategies as st

from microgradlib.drawing.heights import GAP, PADDING, TITLE, spread
from microgradlib.drawing.layering import UNGROUPED
from microgradlib.drawing.layout import BEND, Edge, Layout, Rectangle, arrange, rounds_for

Graph = tuple[list[tuple[float, float]], list[Edge], list[int]]
BOX = (60.0, 40.0)


@st.composite
def graphs(draw: st.DrawFn, groups: int = 3) -> Graph:
    n = draw(st.integers(1, 14))
    sides = st.floats(1.0, 200.0)
    sizes = draw(st.lists(st.tuples(sides, sides), min_size=n, max_size=n))
    numbers = st.integers(0, n - 1)
    pairs = draw(st.lists(st.tuples(numbers, numbers).filter(lambda p: p[0] < p[1]), max_size=30))
    edges = [Edge(a, b, draw(st.floats(0.0, 80.0))) for a, b in pairs] if n > 1 else []
    group = st.integers(UNGROUPED, groups - 1)
    return sizes, edges, draw(st.lists(group, min_size=n, max_size=n))


def apart(a: Rectangle, b: Rectangle) -> bool:
    tolerance = 1e-6
    return (
        a.x + a.width <= b.x + tolerance
        or b.x + b.width <= a.x + tolerance
        or a.y + a.height <= b.y + tolerance
        or b.y + b.height <= a.y + tolerance
    )


def holds(outer: Rectangle, inner: Rectangle) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width
        and inner.y + inner.height <= outer.y + outer.height
    )


def frame_of(plan: Layout, group: int, box: Rectangle) -> Rectangle:
    (frame,) = [frame for own, frame in plan.frames if own == group and holds(frame, box)]
    return frame


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_as_stored(name: str) -> None:
    render, drawn = LAYOUTS[name]
    assert render(drawn) == stored(name)


@given(graphs())
def test_boxes_are_apart_and_inside(graph: Graph) -> None:
    sizes, _, groups = graph
    plan = arrange(*graph)
    whole = Rectangle(0.0, 0.0, plan.width, plan.height)
    for i, a in enumerate(plan.boxes):
        assert holds(whole, a)
        assert a.width >= sizes[i][0]
        assert a.height >= sizes[i][1]
        assert all(apart(a, b) for b in plan.boxes[:i])
    for i, (group, frame) in enumerate(plan.frames):
        assert holds(whole, frame)
        assert all(apart(frame, other) for _, other in plan.frames[:i])
        for own, box in zip(groups, plan.boxes, strict=True):
            assert apart(frame, box) or (own == group and holds(frame, box))
    for group, box in zip(groups, plan.boxes, strict=True):
        if group != UNGROUPED:
            frame_of(plan, group, box)


@given(graphs())
def test_edges_lead_from_box_to_box(graph: Graph) -> None:
    _, edges, _ = graph
    plan = arrange(*graph)
    assert len(plan.ends) == len(edges)
    # Where pieces end, and the box that they come from.
    reached = [((box.x + box.width, box.y + box.height / 2), i) for i, box in enumerate(plan.boxes)]

    def source(point: tuple[float, float]) -> int:
        return next(i for other, i in reached if dist(point, other) < 1e-6)

    for start, middle, end in plan.trunks:  # each after that before it
        reached.append((end, source(start)))
        assert start[0] < middle[0] <= end[0]
        assert middle[1] == end[1]
    ports = set()
    for edge, (start, middle, end) in zip(edges, plan.ends, strict=True):
        target = plan.boxes[edge.target]
        assert source(start) == edge.source
        assert end[0] == target.x
        assert target.y < end[1] < target.y + target.height
        assert middle[1] == end[1]
        assert end[0] - middle[0] >= edge.room - 1e-9
        assert middle[0] - start[0] >= BEND - 1e-9
        ports.add((edge.target, round(end[1], 6)))
    assert len(ports) == len(edges)  # no label upon another


@given(graphs())
def test_no_piece_crosses_a_box(graph: Graph) -> None:
    plan = arrange(*graph)
    for start, middle, end in [*plan.trunks, *plan.ends]:
        for box in plan.boxes:
            # The bend lies between columns, and the level line in a gap.
            assert box.x + box.width <= start[0] + 1e-6 or box.x >= middle[0] - 1e-6
            level = box.y < end[1] < box.y + box.height
            assert not level or box.x >= end[0] - 1e-6 or box.x + box.width <= middle[0] + 1e-6


@given(graphs())
def test_the_same_every_time(graph: Graph) -> None:
    assert arrange(*graph) == arrange(*graph)


def test_a_chain_is_a_straight_line() -> None:
    plan = arrange([BOX] * 4, [Edge(i, i + 1, 20.0) for i in range(3)], [UNGROUPED] * 4)
    assert len({box.y for box in plan.boxes}) == 1
    for a, b in pairwise(plan.boxes):
        assert b.x - a.x - a.width == BEND + 20.0
    assert plan.width == plan.boxes[-1].x + BOX[0] + PADDING
    assert plan.trunks == []
    assert plan.frames == []


def test_leaves_stand_before_their_first_user() -> None:
    edges = [Edge(0, 1, 0.0), Edge(1, 2, 0.0), Edge(2, 4, 0.0), Edge(3, 4, 0.0)]
    plan = arrange([BOX] * 5, edges, [UNGROUPED] * 5)
    assert plan.boxes[3].x == plan.boxes[2].x


def test_crossings_are_removed() -> None:
    # Two chains that the numbering has interleaved.
    edges = [Edge(0, 3, 0.0), Edge(1, 2, 0.0), Edge(2, 5, 0.0), Edge(3, 4, 0.0)]
    plan = arrange([BOX] * 6, edges, [UNGROUPED] * 6)
    for chain in ((0, 3, 4), (1, 2, 5)):
        assert len({plan.boxes[i].y for i in chain}) == 1
    assert abs(plan.boxes[0].y - plan.boxes[1].y) == BOX[1] + GAP


def test_edges_of_a_box_share_their_dummies() -> None:
    edges = [Edge(i, i + 1, 0.0) for i in range(4)] + [Edge(0, i, 0.0) for i in (2, 3, 4)]
    plan = arrange([BOX] * 5, edges, [UNGROUPED] * 5)
    assert len(plan.trunks) == 3
    for end, trunk in zip(plan.ends[4:], plan.trunks, strict=True):
        assert end.start == trunk.end
    heights = [trunk.end[1] for trunk in plan.trunks]
    assert max(heights) - min(heights) < 4.0  # nearly in line


def test_a_group_that_is_entered_again_has_two_frames() -> None:
    plan = arrange([BOX] * 3, [Edge(0, 1, 0.0), Edge(1, 2, 0.0)], [0, UNGROUPED, 0])
    (first, left), (second, right) = plan.frames
    assert first == second == 0
    assert left.x + left.width < plan.boxes[1].x
    assert plan.boxes[1].x + BOX[0] < right.x


def test_an_edge_enters_the_frame_where_it_ends_and_passes_others_by() -> None:
    # Box 0 leads to 2, which follows 1 in a frame, and to 3 behind it.
    edges = [Edge(0, 2, 0.0), Edge(1, 2, 0.0), Edge(2, 3, 0.0), Edge(0, 3, 0.0)]
    plan = arrange([BOX] * 4, edges, [UNGROUPED, 0, 0, UNGROUPED])
    ((_, frame),) = plan.frames
    inside, outside = (trunk.end[1] for trunk in plan.trunks)
    assert frame.y < inside < frame.y + frame.height
    assert not frame.y < outside < frame.y + frame.height
    assert [box.y + BOX[1] / 2 for box in plan.boxes[1:3]] != [inside, inside]


def test_one_box() -> None:
    plan = arrange([BOX], [], [UNGROUPED])
    assert plan[:3] == (60.0 + 2 * PADDING, 40.0 + 2 * PADDING, [Rectangle(PADDING, PADDING, *BOX)])


def test_one_box_in_a_frame() -> None:
    plan = arrange([BOX], [], [0])
    assert plan.boxes == [Rectangle(2 * PADDING, 2 * PADDING + TITLE, *BOX)]
    frame = Rectangle(PADDING, PADDING, 60.0 + 2 * PADDING, 40.0 + 2 * PADDING + TITLE)
    assert plan.frames == [(0, frame)]
    assert plan[:2] == (frame.width + 2 * PADDING, frame.height + 2 * PADDING)


@pytest.mark.parametrize(("n", "room"), [(3, BEND), (20, 19 * (BOX[1] + GAP) / 12), (60, 4 * BEND)])
def test_steep_edges_have_room(n: int, room: float) -> None:
    plan = arrange([BOX] * (n + 1), [Edge(i, n, 0.0) for i in range(n)], [UNGROUPED] * (n + 1))
    assert plan.boxes[n].x - plan.boxes[0].x - BOX[0] == room


@pytest.mark.parametrize(
    ("items", "rounds"), [(1, 10), (2001, 9), (6666, 3), (6667, 2), (20_001, 2)]
)
def test_large_graphs_are_swept_less_often(items: int, rounds: int) -> None:
    assert rounds_for(items) == rounds


@given(
    st.lists(
        st.tuples(st.floats(-1e3, 1e3), st.floats(0.0, 50.0), st.floats(0.5, 8.0)),
        min_size=1,
        max_size=8,
    )
)
def test_places_are_the_nearest_that_are_apart(rows: list[tuple[float, float, float]]) -> None:
    wishes, distances, weights = (list(column) for column in zip(*rows, strict=True))
    places = spread(wishes, distances[1:], weights)
    for a, b, distance in zip(places, places[1:], distances[1:], strict=False):
        assert b - a >= distance - 1e-9
    # Those that touch are in balance: nothing is gained by moving a pool, or a part of it.
    pull = 0.0
    for i, (place, wish, weight) in enumerate(zip(places, wishes, weights, strict=True)):
        pull += weight * (wish - place)
        last = i + 1 == len(places)
        if last or places[i + 1] - place > distances[i + 1] + 1e-9:
            assert pull == pytest.approx(0.0, abs=1e-6)
            pull = 0.0
        else:
            assert pull >= -1e-6  # pressed against the next one
