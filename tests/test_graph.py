"""Drawings: what they show of a graph, its model, and of one that is too large."""

import os
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import inf, nan
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgradlib as mg
from microgradlib import Value, graph, nn, rendering
from microgradlib.errors import CompileError
from microgradlib.graph import Drawing, draw, graph_of
from microgradlib.layout import UNGROUPED
from microgradlib.testing import Expression, expressions
from microgradlib.value import sweep

SVG = "{http://www.w3.org/2000/svg}"


def arrows(drawing: Drawing) -> list[tuple[str, str, str]]:
    """Return the edges as titles and text."""
    titles = [box.title for box in drawing.boxes]
    return [(titles[edge.source], titles[edge.target], edge.text) for edge in drawing.edges]


def members(drawing: Drawing) -> dict[str, list[str]]:
    """Return the titles of the boxes of each group."""
    groups: dict[str, list[str]] = {title: [] for title in drawing._picture.groups}
    for box in drawing.boxes:
        if box.group != UNGROUPED:
            groups[drawing._picture.groups[box.group]].append(box.title)
    return groups


def a_function_of_a_very_long_name(x: Value) -> Value:
    return x * x


class TestNodesAndEdges:
    def test_a_box_shows_label_operation_data_and_grad(self) -> None:
        a, b = Value(2.0, label="a"), Value(-3.0)
        c = a * b
        c.label = "c"
        c.backward()
        drawing = draw(c)
        assert [box.title for box in drawing.boxes] == ["a", "leaf", "c = a * ·"]
        assert [box.kind for box in drawing.boxes] == ["leaf", "leaf", "result"]
        assert [box.lines for box in drawing.boxes] == [
            ("data 2", "grad -3"),
            ("data -3", "grad 2"),
            ("data -6", "grad 1"),
        ]
        assert drawing.boxes[1].note == "data -3.0\ngrad 2.0"
        assert drawing.boxes[2].note == "c *\ndata -6.0\ngrad 1.0"
        assert repr(drawing) == "Drawing(3 nodes, 2 edges)"

    def test_an_edge_for_each_operand(self) -> None:
        a = Value(2.0, label="a")
        assert arrows(draw(a + a)) == [("a", "a + a", "1")] * 2
        assert arrows(draw(a * a)) == [("a", "a * a", "2")] * 2

    def test_what_was_not_selected_is_dashed(self) -> None:
        a, b = Value(-2.0, label="a"), Value(1.0, label="b")
        y = mg.maximum(a, b) + a.relu()
        assert arrows(draw(y)) == [
            ("a", "maximum(a, b)", "0"),
            ("b", "maximum(a, b)", "1"),
            ("a", "relu(a)", "0"),
            ("maximum(a, b)", "+", "1"),
            ("relu(a)", "+", "1"),
        ]
        assert [edge.flows for edge in draw(y).edges] == [False, True, False, True, True]
        source = draw(y, engine="builtin").to_svg()
        assert source.count('stroke-dasharray="3 3"') == 2
        assert draw(y).to_dot().count("style=dashed") == 2
        assert draw(y).to_mermaid().count("-.->") == 2

    def test_freezing_an_input_later_changes_nothing(self) -> None:
        a, b = Value(1.0, label="a"), Value(2.0, label="b")
        c = mg.maximum(a, b)
        b.requires_grad = False
        assert arrows(draw(c)) == [("a", "maximum(a, b)", "0"), ("b", "maximum(a, b)", "1")]

    @pytest.mark.parametrize(
        ("make", "title"),
        [
            (lambda x: x * 3.0, "x * 3"),
            (lambda x: 3 * x, "3 * x"),
            (lambda x: x**2, "x ** 2"),
            (lambda x: x - Value(4.0).detach(), "x - 4"),
            (lambda x: (x + 1.0) * (x + 2.0), "*"),
            (lambda x: (x + 1.0) * 2.0, "· * 2"),
            (lambda x: (x + 1.0).tanh(), "tanh"),
            (lambda x: mg.clip(x, -1, 1), "clip(x, -1, 1)"),
            (lambda x: mg.dot([x, x], [x, x]), "dot"),
            (lambda x: x + Value(1.0, label="a label of very many words"), "+"),
        ],
    )
    def test_operations_with_few_operands_show_them(self, make: Any, title: str) -> None:
        assert draw(make(Value(0.5, label="x"))).boxes[-1].title == title

    def test_a_compiled_function_is_one_node(self) -> None:
        x, y = Value(2.0, label="x"), Value(3.0, label="y")
        assert len(draw(mg.compile(lambda x, y: x * y + x)(x, y)).boxes) == 3
        assert draw(mg.compile(lambda x: x * x + x)(x)).boxes[-1].kind == "result"

    def test_leaves_and_constants(self) -> None:
        with mg.no_grad():
            y = Value(2.0) * 3.0
        (box,) = draw(y).boxes
        assert (box.title, box.kind) == ("constant", "leaf")
        assert draw(Value(1.0)).boxes[0].title == "leaf"

    def test_long_labels_leave_room_for_the_operation(self) -> None:
        x = Value(1.0, label="x" * 50)
        y = x.tanh()
        y.label = "y" * 50
        a, b = draw(y).boxes
        assert a.title == "x" * 30 + "…"
        assert b.title == "y" * 23 + "… = tanh"

    @pytest.mark.parametrize(
        ("make", "label", "title"),
        [
            (Value.tanh, "y" * 20, f"{'y' * 20} = tanh(x)"),
            (Value.tanh, "y" * 21, f"{'y' * 21} = tanh"),
            (
                mg.compile(a_function_of_a_very_long_name),
                "y" * 9,
                "yyyyyyy… = a_function_of_a_ver…",
            ),
        ],
    )
    def test_the_operation_leaves_room_for_labels(self, make: Any, label: str, title: str) -> None:
        y = make(Value(1.0, label="x"))
        y.label = label
        assert draw(y).boxes[-1].title == title

    def test_grads_of_every_kind(self) -> None:
        x, y = Value(2.0), Value(3.0)
        (x * y).backward(create_graph=True)
        y.grad = None
        boxes = draw([x, y]).boxes
        assert [box.lines[1] for box in boxes] == ["grad 3", "grad none"]
        assert [box.note.split("\n")[-1] for box in boxes] == ["grad 3.0", "grad None"]
        x.data, x.grad = nan, -inf
        assert draw(x).boxes[0].lines == ("data nan", "grad -inf")

    def test_several_results(self) -> None:
        x = Value(1.0)
        y, z = x + 1.0, x * 2.0
        w = y * 3.0
        assert [box.kind for box in draw([y, z, w]).boxes] == ["leaf"] + ["result"] * 3
        assert [box.kind for box in draw(w).boxes] == ["leaf", "operation", "result"]
        assert draw((y, y)).boxes == draw(y).boxes

    def test_a_drawing_holds_the_numbers_of_its_time(self) -> None:
        x = Value(1.0)
        drawing = draw(x * 2.0)
        before = drawing.to_mermaid()
        x.data = 5.0
        assert drawing.to_mermaid() == before

    @given(expressions(max_steps=30, shape="shared") | expressions(), st.floats(-3, 3))
    def test_every_node_and_every_edge_is_drawn(self, f: Expression, x: float) -> None:
        y = f(Value(x), Value(0.5))
        if not isinstance(y, Value):
            return
        _, adjoints = sweep((y,))
        drawing = draw(y, max_nodes=1000, engine="builtin")
        flowing = Counter(
            (edge.source, edge.target, edge.text) for edge in drawing.edges if edge.flows
        )
        numbers = {node: i for i, node in enumerate(graph_of([y]))}
        assert set(numbers) >= set(adjoints)
        assert len(drawing.boxes) == len(numbers)
        assert flowing == Counter(
            (numbers[x], numbers[node], graph.show_number(partial))
            for node in numbers
            for x, partial in zip(node._prev, node._partials, strict=True)
        )
        root = ElementTree.fromstring(drawing.to_svg())
        pairs = [
            (int(g.get("data-source", "")), int(g.get("data-target", "")))
            for g in root.iter(f"{SVG}g")
            if g.get("class") == "edge"
        ]
        assert pairs == [(edge.source, edge.target) for edge in drawing.edges]
        assert drawing.to_svg() == draw(y, max_nodes=1000, engine="builtin").to_svg()

    def test_nothing_recurses(self) -> None:
        y = x = Value(0.5)
        for _ in range(50_000):
            y = y * 0.5 + x
        assert len(draw(y, engine="builtin").to_svg()) < 20_000


class Net(nn.Module):
    """As one writes it in PyTorch, with the activations outside of the layers."""

    def __init__(self) -> None:
        self.fc1 = nn.Layer(2, 2)
        self.fc2 = nn.Layer(2, 1)

    def forward(self, x: Any) -> list[Value]:
        x = [mg.sigmoid(v) for v in self.fc1(x)]
        return [mg.sigmoid(v) for v in self.fc2(x)]


class ByHand(nn.Module):
    """A neuron of single operations, in a dict, beside a part that is not used."""

    def __init__(self) -> None:
        self.parts = {"w": [Value(0.5), Value(-0.5)], "unused": nn.Neuron(2)}
        self.b = Value(0.1, label="bias")
        self.name = "by hand"
        self.itself = self

    def forward(self, x: list[float]) -> Value:
        w = self.parts["w"]
        return (w[0] * x[0] + w[1] * x[1] + self.b).tanh()  # type: ignore[index]


class TestModel:
    def test_a_frame_for_each_layer_and_names_of_parameters(self) -> None:
        model = nn.MLP(2, [2, 1], "tanh")
        loss = mg.mse_loss(model([1.0, 2.0]), [1.0])
        drawing = draw(loss, model=model)
        assert members(drawing) == {
            "fc1: Layer": [
                "fc1.weight.0.0",
                "fc1.weight.0.1",
                "fc1.weight.1.0",
                "fc1.weight.1.1",
                "fc1.bias.0",
                "fc1.bias.1",
                "dot",
                "tanh",
                "dot",
                "tanh",
            ],
            "fc2: Layer": ["fc2.weight.0.0", "fc2.weight.0.1", "fc2.bias.0", "dot", "tanh"],
        }
        assert drawing.boxes[-1].title == "mse_loss(·, 1)"
        assert drawing.boxes[-1].group == UNGROUPED
        assert drawing.boxes[0].kind == "parameter"

    def test_names_are_those_of_the_model_unless_there_is_a_label(self) -> None:
        layer = nn.Layer(1, 1)
        layer.bias[0].label = "b"
        titles = [box.title for box in draw(layer([1.0]), model=layer).boxes]
        assert titles == ["weight.0.0", "b", "dot(b, weight.0.0, 1)"]

    def test_activations_outside_of_layers(self) -> None:
        model = Net()
        drawing = draw(model([1.0, Value(2.0, label="x")]), model=model)
        groups = members(drawing)
        assert [title for title in groups["fc1: Layer"] if "fc1" not in title] == ["dot", "dot"]
        outside = [box.title for box in drawing.boxes if box.group == UNGROUPED]
        assert outside == ["x", "sigmoid", "sigmoid", "sigmoid"]

    def test_what_lies_between_belongs_to_the_module(self) -> None:
        model = ByHand()
        groups = members(draw(model([1.0, 2.0]) * 2.0, model=model))
        assert groups == {
            "ByHand": [
                "parts.w.0",
                "parts.w.1",
                "bias",
                "parts.w.0 * 1",
                "parts.w.1 * 2",
                "+",
                "· + bias",
            ]
        }

    def test_frames_have_the_whole_names_of_modules(self) -> None:
        model = nn.Module()
        model.nets = [Net()]
        drawing = draw(model.nets[0]([1.0, 2.0]), model=model)
        assert list(members(drawing)) == ["nets.0.fc1: Layer", "nets.0.fc2: Layer"]

    def test_a_cell_used_again_and_again(self) -> None:
        cell = nn.Neuron(2, "tanh")
        h: Any = 0.0
        for x in (1.0, 2.0, 3.0):
            h = cell([h, x]) * Value(0.5)
        drawing = draw(h, model=cell, engine="builtin")
        # Each visit has its own frame in the SVG; elsewhere they are one group.
        assert drawing.to_svg().count('class="frame"') == 3
        assert drawing.to_dot().count("subgraph") == drawing.to_mermaid().count("subgraph") == 1

    def test_a_model_that_took_no_part(self) -> None:
        drawing = draw(Value(1.0) * 2.0, model=Net())
        assert members(drawing) == {}

    def test_boxes_in_svg_stand_in_their_frame(self) -> None:
        model = nn.MLP(2, [3, 3, 1], "tanh")
        x = [Value(1.0), Value(2.0)]
        drawing = draw(mg.mse_loss([model(x), model(x)], [[1.0], [0.0]]), model=model)
        root = ElementTree.fromstring(rendering.svg(drawing._picture))

        def rectangles(kind: str) -> Iterator[tuple[float, ...]]:
            for g in root.iter(f"{SVG}g"):
                if g.get("class") == kind:
                    (rect,) = g.iter(f"{SVG}rect")
                    yield tuple(float(rect.get(key, "")) for key in ("x", "y", "width", "height"))

        boxes, frames = [*rectangles("box")], [*rectangles("frame")]
        assert len(boxes) == len(drawing.boxes)
        inside = {
            i: [
                k
                for k, (fx, fy, fw, fh) in enumerate(frames)
                if fx < x and fy < y and x + w < fx + fw and y + h < fy + fh
            ]
            for i, (x, y, w, h) in enumerate(boxes)
        }
        for i, box in enumerate(drawing.boxes):
            assert inside[i] == ([] if box.group == UNGROUPED else [box.group])
        for i, (x0, y0, w0, h0) in enumerate(boxes):
            for x1, y1, w1, h1 in boxes[:i]:
                assert x0 + w0 <= x1 or x1 + w1 <= x0 or y0 + h0 <= y1 or y1 + h1 <= y0


class TestSummary:
    def test_by_operation_depth_and_layer(self) -> None:
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
        caption = "1,374 nodes, summarised by operation and depth"
        assert repr(drawing) == f"Drawing({caption}, 8 edges)"
        assert caption in drawing.to_svg()
        assert drawing.boxes[0].kind == "summary"
        grads = [w.grad for row in model.fc1.weight for w in row]  # type: ignore[attr-defined]
        assert drawing.boxes[0].lines[1] == f"grad {min(grads):.4g} to {max(grads):.4g}"

    def test_layers_of_the_same_depth_are_apart(self) -> None:
        model = Net()
        x = [1.0, Value(2.0)]
        drawing = draw([*model.fc1(x), *model.fc2(x)], model=model, max_nodes=1)
        assert members(drawing) == {
            "fc1: Layer": ["fc1.weight × 4", "fc1.bias × 2", "dot × 2"],
            "fc2: Layer": ["fc2.weight × 2", "fc2.bias.0", "dot"],
        }
        assert [box.title for box in drawing.boxes if box.group == UNGROUPED] == ["leaf"]

    def test_a_box_of_several_layers_is_in_no_frame(self) -> None:
        model = Net()
        y = mg.sum(model([1.0, 2.0]))
        for _ in range(60):
            y = y.tanh()
        drawing = draw(y, model=model, max_nodes=1)
        assert drawing.boxes[0].title == "parameters × 9"
        assert members(drawing) == {}

    def test_by_depth(self) -> None:
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

    def test_by_depth_with_many_operations_and_leaves(self) -> None:
        model = nn.Neuron(3)
        operations = [mg.tanh, mg.sin, mg.cos, mg.exp, mg.sigmoid, mg.erf]
        y: Any = model([Value(1.0), Value(2.0), 3.0])
        for i in range(400):
            y = operations[i % 6](y)
        first, second, third, *_ = draw(y, model=model).boxes
        assert {first.title, second.title} == {"leaves × 2", "parameters × 4"}
        assert third.title == "depth 1 to 51"
        assert third.lines[4] == "and 3 more"

    def test_four_operations_of_a_range_are_named(self) -> None:
        operations = [mg.tanh, mg.sin, mg.cos, mg.exp, mg.sigmoid]
        for n in (4, 5):
            y = Value(0.5)
            for i in range(400):
                y = operations[i % n](y)
            lines = draw(y).boxes[1].lines
            assert lines[3] == ("exp × 12" if n == 4 else "exp × 10")
            assert lines[4].startswith("data ") if n == 4 else lines[4] == "and 1 more"

    def test_long_names_of_operations_are_cut(self) -> None:
        f = mg.compile(a_function_of_a_very_long_name)
        short = "a_function_of_a_very_long_n…"
        xs = [Value(0.5), Value(0.5)]
        assert draw([f(x) for x in xs], max_nodes=1).boxes[1].title == f"{short} × 2"
        y = xs[0]
        for _ in range(64):
            y = f(y)
        assert draw(y, max_nodes=1).boxes[1].lines[0] == f"{short} × 8"

    def test_ranges_cover_all_depths_without_overlap(self) -> None:
        for depth in (61, 64, 100, 1001):
            y = Value(0.5)
            for _ in range(depth):
                y = y.tanh()
            titles = [box.title for box in draw(y, max_nodes=10).boxes[1:]]
            assert all(title.startswith("depth ") for title in titles)
            ranges = [title.replace(",", "").split() for title in titles]
            ends = [(int(first), int(last)) for _, first, _, last in ranges]
            assert ends[0][0] == 1
            assert ends[-1][1] == depth
            for (_, last), (first, _) in pairwise(ends):
                assert first == last + 1

    def test_numbers_that_are_not_finite_are_counted(self) -> None:
        xs = [Value(x) for x in (1.0, inf, nan, 2.0)]
        xs[0].grad = None
        (leaves, _) = draw(mg.sum(xs), max_nodes=1).boxes
        assert leaves.lines == ("data 1 to 2", "data not finite: 2", "grad 0 to 0")
        assert leaves.note == "leaves × 4\ndata 1 to 2\ndata not finite: 2\ngrad 0 to 0"
        (leaves, _) = draw(mg.sum(xs[1:3]), max_nodes=1).boxes
        assert leaves.lines[0] == "data not finite: 2"

    def test_dashed_if_nothing_flows(self) -> None:
        xs = [Value(-1.0), Value(-2.0), Value(1.0)]
        dead = draw(mg.sum([x.relu() for x in xs[:2]]), max_nodes=1)
        assert [edge.flows for edge in dead.edges] == [False, True]
        alive = draw(mg.sum([x.relu() for x in xs]), max_nodes=1)
        assert [edge.flows for edge in alive.edges] == [True, True]

    def test_the_limits(self) -> None:
        y = Value(0.5)
        for _ in range(9):
            y = y.tanh()
        assert len(draw(y, max_nodes=10).boxes) == 10
        assert "summarised" not in repr(draw(y, max_nodes=10))
        assert "summarised" in repr(draw(y, max_nodes=9))
        for depth, way in ((59, "operation and depth"), (60, "depth")):
            y = Value(0.5)
            for _ in range(depth):
                y = y.tanh()
            assert f"summarised by {way}," in repr(draw(y, max_nodes=10))
        xs = [Value(0.5) for _ in range(300)]
        assert len(draw(xs).boxes) == 300
        assert [box.title for box in draw([*xs, Value(0.5)]).boxes] == ["leaves × 301"]
        x = Value(0.5)
        assert "summarised" not in repr(draw(mg.sum([x] * 8), max_nodes=2))
        assert "summarised" in repr(draw(mg.sum([x] * 9), max_nodes=2))

    @given(expressions(max_steps=40, shape="shared"), st.floats(-3, 3))
    def test_all_edges_between_boxes_are_counted(self, f: Expression, x: float) -> None:
        y = f(Value(x), Value(0.5))
        inputs = graph_of([y])
        drawing = draw(y, max_nodes=1, engine="builtin")
        assert len({(edge.source, edge.target) for edge in drawing.edges}) <= len(drawing.edges)
        for edge in drawing.edges:
            assert edge.source < edge.target
        if "operation" in repr(drawing):  # then no box has edges to itself
            counts = [
                int(edge.text[2:].replace(",", "")) if edge.text.startswith("×") else 1
                for edge in drawing.edges
            ]
            assert sum(counts) == sum(map(len, inputs.values()))
        ElementTree.fromstring(drawing.to_svg())


class TestFiles:
    @pytest.fixture
    def drawing(self) -> Drawing:
        return draw(Value(2.0, label="ä") * 3.0, engine="builtin")

    @pytest.mark.parametrize(
        ("name", "method"),
        [
            ("graph.svg", Drawing.to_svg),
            ("graph.SVG", Drawing.to_svg),
            ("graph.dot", Drawing.to_dot),
            ("graph.gv", Drawing.to_dot),
            ("graph.mmd", Drawing.to_mermaid),
            ("graph.mermaid", Drawing.to_mermaid),
        ],
    )
    def test_suffixes(self, drawing: Drawing, tmp_path: Path, name: str, method: Any) -> None:
        drawing.save(tmp_path / name)
        drawing.save(str(tmp_path / name))
        assert (tmp_path / name).read_text("utf-8") == method(drawing)
        assert os.listdir(tmp_path) == [name]

    def test_a_crash_leaves_the_old_file(
        self, drawing: Drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drawing.save(tmp_path / "graph.svg")
        before = (tmp_path / "graph.svg").read_bytes()

        def fail(file: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left on device"):
            draw(Value(1.0)).save(tmp_path / "graph.svg")
        assert (tmp_path / "graph.svg").read_bytes() == before
        assert os.listdir(tmp_path) == ["graph.svg"]

    def test_jupyter_shows_svg(self, drawing: Drawing) -> None:
        assert drawing._repr_svg_() == drawing.to_svg()
        assert drawing.to_svg().startswith("<svg ")


class TestEngines:
    @pytest.fixture
    def graphviz(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Let Graphviz work, or fail if the list says "broken"."""
        state: list[str] = []

        def run(source: str) -> str:
            if state:
                raise RuntimeError("Graphviz failed: broken")
            return f"<svg>{len(source)}</svg>"

        monkeypatch.setattr(rendering, "graphviz", run)
        return state

    def test_graphviz_is_taken_where_it_works(self, graphviz: list[str]) -> None:
        y = Value(2.0) * 3.0
        own = draw(y, engine="builtin").to_svg()
        assert 'class="box"' in own
        for engine in (None, "dot"):
            drawing = draw(y, engine=engine)
            assert drawing.to_svg() == f"<svg>{len(drawing.to_dot())}</svg>"
        graphviz.append("broken")
        assert draw(y).to_svg() == own
        with pytest.raises(RuntimeError) as caught:
            draw(y, engine="dot").to_svg()
        assert str(caught.value) == (
            'draw: Graphviz failed: broken; install Graphviz, or use engine="builtin"'
        )


def test_traced_values_have_no_numbers() -> None:
    seen: list[Value] = []

    def f(x: Value) -> Value:
        seen.append(x * x)
        draw(seen[0])
        return seen[0]

    with pytest.raises(CompileError, match="draw what a call of it returns"):
        mg.compile(f)(Value(2.0))
    with pytest.raises(CompileError, match="draw what a call of it returns"):
        draw(seen[0])


# As in the lecture "building micrograd": a helper that walks over _prev, and draws with graphviz.


class FakeDigraph:
    """As much of ``graphviz.Digraph`` as the helper needs."""

    def __init__(self, **attributes: Any) -> None:
        self.nodes: dict[str, dict[str, str]] = {}
        self.edges: list[tuple[str, str]] = []

    def node(self, name: str, label: str = "", **attributes: str) -> None:
        self.nodes[name] = {"label": label, **attributes}

    def edge(self, tail: str, head: str) -> None:
        self.edges.append((tail, head))


def walk(root: Any) -> tuple[set[Any], set[tuple[Any, Any]]]:
    found: set[Any] = set()
    arrows: set[tuple[Any, Any]] = set()

    def visit(v: Any) -> None:
        if v not in found:
            found.add(v)
            for child in v._prev:
                arrows.add((child, v))
                visit(child)

    visit(root)
    return found, arrows


def draw_as_in_the_lecture(root: Any) -> FakeDigraph:
    made = FakeDigraph(format="svg", graph_attr={"rankdir": "LR"})
    found, arrows = walk(root)
    for v in found:
        name = str(id(v))
        made.node(name, f"{{ {v.label} | data {v.data:.4f} | grad {v.grad:.4f} }}", shape="record")
        if v._op:
            made.node(name + v._op, label=v._op)
            made.edge(name + v._op, name)
    for a, b in arrows:
        made.edge(str(id(a)), str(id(b)) + b._op)
    return made


def test_the_helper_of_the_lecture_works() -> None:
    a, b, c = Value(2.0, label="a"), Value(-3.0, label="b"), Value(10.0, label="c")
    e = a * b
    e.label = "e"
    d = e + c
    d.label = "d"
    f = Value(-2.0, label="f")
    out = (d * f).tanh()
    out.label = "L"
    out.backward()
    made = draw_as_in_the_lecture(out)
    labels = {name: options["label"] for name, options in made.nodes.items()}
    assert sorted(label for label in labels.values() if not label.startswith("{")) == [
        "*",
        "*",
        "+",
        "tanh",
    ]
    assert labels[str(id(a))] == f"{{ a | data 2.0000 | grad {a.grad:.4f} }}"
    assert len(made.edges) == 4 + 7
    for tail, head in (("a", "*"), ("b", "*"), ("*", "e"), ("e", "+"), ("c", "+"), ("tanh", "L")):
        shown = {
            (labels[x].strip("{ ").split(" ")[0], labels[y].strip("{ ").split(" ")[0])
            for x, y in made.edges
        }
        assert (tail, head) in shown
