"""Summaries: what is drawn of a graph that has too many nodes."""

from itertools import pairwise
from math import inf, nan
from typing import Any
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from test_draw import Net, a_function_of_a_very_long_name, arrows, members

import microgradlib as mg
from microgradlib import Value, nn
from microgradlib.drawing.draw import draw
from microgradlib.drawing.graph import graph_of
from microgradlib.drawing.layering import UNGROUPED
from microgradlib.testing import Expression, expressions


def test_by_operation_and_layer() -> None:
    model = nn.MLP(20, [16, 1], "tanh")
    loss = mg.mse_loss([model([0.1 * i] * 20) for i in range(30)], [[0.5]] * 30)
    loss.backward()
    drawing = draw(loss, model=model)
    assert sorted(arrows(drawing)) == [
        ("dot × 30", "tanh × 30", "× 30"),
        ("dot × 480", "tanh × 480", "× 480"),
        ("fc1.bias × 16", "dot × 480", "× 480"),
        ("fc1.weight × 320", "dot × 480", "× 9,600"),
        ("fc2.bias.0", "dot × 30", "× 30"),
        ("fc2.weight × 16", "dot × 30", "× 480"),
        ("tanh × 30", "mse_loss", "× 30"),
        ("tanh × 480", "dot × 30", "× 480"),
    ]
    assert list(members(drawing)) == ["fc1: Layer", "fc2: Layer"]
    caption = "1,374 nodes, summarised by operation"
    assert repr(drawing) == f"Drawing({caption}, 8 edges)"
    assert caption in drawing.to_svg()
    assert drawing.boxes[0].kind == "summary"
    grads = [w.grad for row in model.fc1.weight for w in row]  # type: ignore[attr-defined]
    assert drawing.boxes[0].lines[1] == f"grad {min(grads):.4g} to {max(grads):.4g}"


def test_layers_of_the_same_depth_are_apart() -> None:
    model = Net()
    x = [1.0, Value(2.0)]
    drawing = draw([*model.fc1(x), *model.fc2(x)], model=model, max_nodes=1)
    assert members(drawing) == {
        "fc1: Layer": ["fc1.weight × 4", "fc1.bias × 2", "dot × 2"],
        "fc2: Layer": ["fc2.weight × 2", "fc2.bias.0", "dot"],
    }
    assert [box.title for box in drawing.boxes if box.group == UNGROUPED] == ["leaf"]


def test_a_box_of_several_layers_is_in_no_frame() -> None:
    model = Net()
    y = mg.sum(model([1.0, 2.0]))
    for _ in range(60):
        y = model([*model([y, y]), y])[0]
    drawing = draw(y, model=model, max_nodes=1)
    assert "summarised by depth" in repr(drawing)
    assert drawing.boxes[0].title == "9 nodes"
    lines = "fc1.weight × 4", "fc1.bias × 2", "fc2.weight × 2", "fc2.bias × 1"
    assert drawing.boxes[0].lines[:4] == lines
    assert members(drawing) == {}


def test_by_depth() -> None:
    y = x = Value(0.5, label="x")
    for _ in range(200):
        y = y * 0.5 + x
    drawing = draw(y)
    assert [box.title for box in drawing.boxes[:3]] == ["x", "depth 1 to 50", "depth 51 to 100"]
    assert len(drawing.boxes) == 9
    assert drawing.boxes[1].lines[:2] == ("* × 25", "+ × 25")
    assert arrows(drawing)[:3] == [
        ("x", "depth 1 to 50", "× 26"),
        ("depth 1 to 50", "depth 51 to 100", "× 1"),
        ("x", "depth 51 to 100", "× 25"),
    ]
    assert repr(drawing) == "Drawing(401 nodes, summarised by depth, 15 edges)"


def test_by_depth_with_many_operations_and_leaves() -> None:
    model = nn.Neuron(3)
    operations = [mg.tanh, mg.sin, mg.cos, mg.exp, mg.sigmoid, mg.erf]
    y: Any = model([Value(1.0), Value(2.0), 3.0])
    for i in range(400):
        y = operations[i % 6](y)
    first, second, *_ = draw(y).boxes
    assert first.title == "leaves × 6"
    assert second.title == "depth 1 to 51"
    assert second.lines[4] == "and 3 more"


def test_four_operations_of_a_range_are_named() -> None:
    operations = [mg.tanh, mg.sin, mg.cos, mg.exp, mg.sigmoid]
    for n in (4, 5):
        y = Value(0.5)
        for i in range(400):
            y = operations[i % n](y)
        lines = draw(y).boxes[1].lines
        assert lines[3] == ("exp × 12" if n == 4 else "exp × 10")
        assert lines[4].startswith("data ") if n == 4 else lines[4] == "and 1 more"


def test_long_names_of_operations_are_cut() -> None:
    f = mg.compile(a_function_of_a_very_long_name)
    short = "a_function_of_a_very_long_n…"
    y = f(f(Value(0.5)))
    assert draw(y, max_nodes=1).boxes[1].title == f"{short} × 2"
    for _ in range(64):
        y = f(y.tanh())
    assert f"{short} × 9" in draw(y, max_nodes=1).boxes[1].lines


def alternate(y: Value, depth: int) -> Value:
    """Return a node of a depth whose operation changes at each step."""
    for i in range(depth):
        y = y.sin() if i % 2 else y.tanh()
    return y


def test_ranges_cover_all_depths_without_overlap() -> None:
    for depth in (61, 64, 100, 1001):
        titles = [box.title for box in draw(alternate(Value(0.5), depth), max_nodes=10).boxes[1:]]
        assert all(title.startswith("depth ") for title in titles)
        ranges = [title.replace(",", "").split() for title in titles]
        ends = [(int(first), int(last)) for _, first, _, last in ranges]
        assert ends[0][0] == 1
        assert ends[-1][1] == depth
        for (_, last), (first, _) in pairwise(ends):
            assert first == last + 1


def test_a_sum_written_out_is_one_box() -> None:
    """A neuron of scalars adds its products one by one: a run of one operation is one box."""
    x = [Value(0.1 * i, label=f"x{i}") for i in range(40)]
    layers = [[[Value(0.1, label=f"w[{i}]") for i in range(40)] for _ in range(30)], [[*x[:30]]]]
    h = x
    for layer in layers:
        h = [sum([w * v for w, v in zip(row, h, strict=True)], Value(0.0)).tanh() for row in layer]
    drawing = draw(h[0])
    titles = ["x × 40", "w × 1,200", "leaves × 31", "* × 1,200", "+ × 1,200", "tanh × 30"]
    assert [box.title for box in drawing.boxes] == [*titles, "* × 30", "+ × 30", "tanh"]
    assert ("* × 1,200", "+ × 1,200", "× 1,200") in arrows(drawing)
    drawing = draw(h[0], engine="builtin")
    *_, width, height = ElementTree.fromstring(drawing.to_svg()).get("viewBox", "").split()
    assert 1 / 4 < float(width) / float(height) < 4


def test_equal_operations_with_others_between_them_are_apart() -> None:
    x = Value(0.5, label="x")
    y = (x + 1.0).tanh() + (x + 2.0) + x
    assert arrows(draw(y, max_nodes=1)) == [
        ("x", "+ × 2", "× 2"),
        ("+ × 2", "tanh", "× 1"),
        ("tanh", "+ × 2", "× 1"),
        ("+ × 2", "+ × 2", "× 1"),
        ("x", "+ × 2", "× 1"),
    ]


class Blocks(nn.Module):
    """Layers with operations between them that belong to none."""

    def __init__(self) -> None:
        self.layers = [nn.Layer(2, 2, "tanh") for _ in range(5)]

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            h = alternate(mg.sum(layer(x)), 7)
            x = [h, h * x[0]]
        return x


def test_by_layer() -> None:
    model = Blocks()
    y = mg.sum(model([Value(1.0), Value(2.0)]))
    drawing = draw(y, model=model, max_nodes=1)
    assert "summarised by layer" in repr(drawing)
    assert "summarised by depth" in repr(draw(y, max_nodes=1))
    layers = members(drawing)
    assert layers.pop("layers.0: Layer") == ["6 nodes", "4 nodes"]
    assert [*layers.values()] == [["6 nodes", "4 nodes"]] * 4
    assert drawing.boxes[0].lines[:2] == ("layers.0.weight × 4", "layers.0.bias × 2")
    inputs, other, *_ = [box for box in drawing.boxes if box.group == UNGROUPED]
    assert (inputs.title, other.title) == ("leaves × 2", "9 nodes")
    assert other.lines[:4] == ("tanh × 4", "sin × 3", "sum × 1", "* × 1")


def test_numbers_that_are_not_finite_are_counted() -> None:
    xs = [Value(x) for x in (1.0, inf, nan, 2.0)]
    xs[0].grad = None
    (leaves, _) = draw(mg.sum(xs), max_nodes=1).boxes
    assert leaves.lines == ("data not finite: 2", "grad 0 to 0")
    assert leaves.note == "leaves × 4\ndata not finite: 2\ngrad 0 to 0"
    xs[0].grad, xs[3].grad = inf, 1.0
    (leaves, _) = draw(mg.sum([xs[0], xs[3]]), max_nodes=1).boxes
    assert leaves.lines == ("data 1 to 2", "grad not finite: 1")


def test_dashed_if_nothing_flows() -> None:
    xs = [Value(-1.0), Value(-2.0), Value(1.0)]
    dead = draw(mg.sum([x.relu() for x in xs[:2]]), max_nodes=1)
    assert [edge.flows for edge in dead.edges] == [False, True]
    alive = draw(mg.sum([x.relu() for x in xs]), max_nodes=1)
    assert [edge.flows for edge in alive.edges] == [True, True]


def test_the_limits() -> None:
    y = Value(0.5)
    for _ in range(9):
        y = y.tanh()
    assert len(draw(y, max_nodes=10).boxes) == 10
    assert "summarised" not in repr(draw(y, max_nodes=10))
    assert "summarised" in repr(draw(y, max_nodes=9))
    for depth, way in ((39, "operation"), (40, "depth")):
        assert f"summarised by {way}," in repr(draw(alternate(Value(0.5), depth), max_nodes=10))
    xs = [Value(0.5) for _ in range(300)]
    assert len(draw(xs).boxes) == 300
    assert [box.title for box in draw([*xs, Value(0.5)]).boxes] == ["leaves × 301"]
    x = Value(0.5)
    assert "summarised" not in repr(draw(mg.sum([x] * 8), max_nodes=2))
    assert "summarised" in repr(draw(mg.sum([x] * 9), max_nodes=2))


@given(expressions(max_steps=40, shape="shared"), st.floats(-3, 3))
def test_all_edges_between_boxes_are_counted(f: Expression, x: float) -> None:
    y = f(Value(x), Value(0.5))
    edges = sum(len(inputs) for inputs, _ in graph_of([y]).values())
    drawing = draw(y, max_nodes=1, engine="builtin")
    assert len({(edge.source, edge.target) for edge in drawing.edges}) <= len(drawing.edges)
    for edge in drawing.edges:
        assert edge.source < edge.target
    if "operation" in repr(drawing):  # then edges inside of a box are between equal operations
        counts = [
            int(edge.text[2:].replace(",", "")) if edge.text.startswith("×") else 1
            for edge in drawing.edges
        ]
        apart = sum(
            x._op != node._op for node, (inputs, _) in graph_of([y]).items() for x in inputs
        )
        assert apart <= sum(counts) <= edges
    ElementTree.fromstring(drawing.to_svg())
