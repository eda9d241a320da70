"""Drawings: what they show of a graph and its model, files and engines."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from math import inf, nan
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgradlib as mg
from microgradlib import Value, nn
from microgradlib.drawing import rendering
from microgradlib.drawing.draw import Drawing, draw
from microgradlib.drawing.graph import graph_of
from microgradlib.drawing.layering import UNGROUPED
from microgradlib.drawing.text import show_number
from microgradlib.errors import CompileError
from microgradlib.testing import Expression, expressions

SVG = "{http://www.w3.org/2000/svg}"


def arrows(drawing: Drawing) -> list[tuple[str, str, str]]:
    """Return the edges as titles and text."""
    titles = [box.title for box in drawing.boxes]
    return [(titles[edge.source], titles[edge.target], edge.text) for edge in drawing.edges]


def members(drawing: Drawing) -> dict[str, list[str]]:
    """Return the titles of the boxes of each group."""
    groups: dict[str, list[str]] = {title: [] for title in drawing.groups}
    for box in drawing.boxes:
        if box.group != UNGROUPED:
            groups[drawing.groups[box.group]].append(box.title)
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

    def test_a_constant_that_was_not_selected_has_no_edge(self) -> None:
        a, b = Value(1.0, label="a"), Value(-5.0).detach()
        assert arrows(draw(mg.maximum(a, b))) == [("a", "maximum(a, -5)", "1")]

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
        drawing = draw(y, max_nodes=1000, engine="builtin")
        flowing = Counter(
            (edge.source, edge.target, edge.text) for edge in drawing.edges if edge.flows
        )
        numbers = {node: i for i, node in enumerate(graph_of([y]))}
        assert set(numbers) >= set(mg.explain(y).adjoints if y.requires_grad else [y])
        assert len(drawing.boxes) == len(numbers)
        assert flowing == Counter(
            (numbers[received.node], numbers[node], show_number(received.partial))
            for node in numbers
            for step in mg.explain(node)[:1]
            for received in step.received
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


class TestFlow:
    def test_edges_show_the_gradient_times_the_derivative(self) -> None:
        a, b = Value(2.0, label="a"), Value(-3.0, label="b")
        y = (a * b + a) * 2.0
        drawing = draw(y, flow=True)
        assert arrows(drawing) == [
            ("a", "a * b", "← -6"),
            ("b", "a * b", "← 4"),
            ("a * b", "· + a", "← 2"),
            ("a", "· + a", "← 2"),
            ("· + a", "· * 2", "← 2"),
        ]
        assert a.grad == b.grad == 0.0
        assert "← -6</text>" in draw(y, flow=True, engine="builtin").to_svg()
        assert "← -6" in drawing.to_dot()
        assert arrows(draw(y))[0][2] == "-3"

    def test_nothing_flows_where_nothing_was_selected(self) -> None:
        a = Value(-1.0, label="a")
        assert arrows(draw(a.relu() * 2.0, flow=True))[0][2] == "← 0"
        assert [edge.flows for edge in draw(a.relu() * 2.0, flow=True).edges] == [False, True]

    def test_an_infinite_gradient_makes_no_nan_of_what_was_not_selected(self) -> None:
        a = Value(-1.0, label="a")
        y = a.relu() * inf
        assert arrows(draw(y, flow=True))[0][2] == "← 0"

    def test_several_results_are_added_up(self) -> None:
        x = Value(3.0, label="x")
        y = x * 2.0
        z = y * 5.0
        assert [text for *_, text in arrows(draw([y, z, y], flow=True))] == ["← 12", "← 5"]

    def test_a_summary_shows_norms(self) -> None:
        x, y = Value(3.0), Value(4.0)
        drawing = draw((x * x + y * y) * 0.5, max_nodes=1, flow=True)
        assert [text for *_, text in arrows(drawing)] == ["← 0.5", "× 4 ← 3.536", "× 2 ← 0.7071"]

    def test_a_constant_has_no_edges(self) -> None:
        with mg.no_grad():
            assert draw(Value(2.0) * 3.0, flow=True).edges == ()


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

    def test_the_activation_of_another_node_is_outside(self) -> None:
        neuron = nn.Neuron(1, "tanh")
        drawing = draw((neuron([1.0]) * 2.0).tanh(), model=neuron)
        assert members(drawing) == {"Neuron": ["w.0", "b", "dot(b, w.0, 1)", "tanh"]}
        outside = [box.title for box in drawing.boxes if box.group == UNGROUPED]
        assert outside == ["· * 2", "tanh"]

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

    def test_a_parameter_of_two_modules_belongs_to_the_first(self) -> None:
        model = nn.Module()
        model.first, model.second = nn.Neuron(1), nn.Neuron(1)
        model.second.b = model.first.b
        drawing = draw(model.second.b * 2.0, model=model)
        assert members(drawing)["first: Neuron"][0] == "first.b"

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
        loss = mg.mse_loss([model(x), model(x)], [[1.0], [0.0]])
        drawing = draw(loss, model=model, engine="builtin")
        root = ElementTree.fromstring(drawing.to_svg())

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


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("max_nodes", [1, 300])
@pytest.mark.parametrize("engine", ["builtin", None])
def test_frames_of_an_animation_have_one_size(
    flow: bool, max_nodes: int, engine: str | None
) -> None:
    model = nn.MLP(2, [2, 1], "relu")
    sizes, kinds = set(), set()
    for bias in (0.0, -9.0, 1e-9, 1e300, inf, nan, -inf):
        loss = mg.sum([*model([1.0, 2.0]), *[Value(bias, label="b") * 2.0 for _ in range(3)]])
        model.fc1.bias.data = [bias, 1.0]  # type: ignore[union-attr]
        with mg.allow_nonfinite():
            if bias:
                loss.backward()
            source = draw(loss, max_nodes=max_nodes, engine=engine, flow=flow).to_svg()
        root = ElementTree.fromstring(source)
        sizes.add((root.get("width"), root.get("height"), root.get("viewBox")))
        kinds.add("not finite" in source)
    assert len(sizes) == 1
    assert len(kinds) == (2 if max_nodes == 1 else 1)


class TestPng:
    @pytest.fixture
    def drawing(self) -> Drawing:
        model = nn.MLP(2, [2, 1], "relu")
        x = Value(-1.0, label="重み $x$")
        return draw(mg.mse_loss(model([x, 1.0]), [1.0]), model=model, max_nodes=30)

    @pytest.fixture
    def cairo(self, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        """Put a module in the place of CairoSVG, which keeps its arguments."""
        calls: list[dict[str, Any]] = []

        def svg2png(**options: Any) -> bytes:
            calls.append(options)
            return b"PNG"

        monkeypatch.setitem(sys.modules, "cairosvg", SimpleNamespace(svg2png=svg2png))
        return calls

    def test_by_cairosvg(
        self, drawing: Drawing, cairo: list[dict[str, Any]], tmp_path: Path
    ) -> None:
        drawing.save(tmp_path / "graph.png")
        assert (tmp_path / "graph.png").read_bytes() == b"PNG"
        source = rendering.svg(drawing._picture).encode()
        assert cairo == [{"bytestring": source, "scale": 2}]

    @pytest.mark.parametrize("direction", ["right", "down"])
    def test_by_matplotlib(
        self, drawing: Drawing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, direction: str
    ) -> None:
        image = pytest.importorskip("matplotlib.image")
        monkeypatch.setitem(sys.modules, "cairosvg", None)
        drawing._picture = drawing._picture._replace(direction=direction)
        drawing.save(tmp_path / "graph.png")
        pixels = image.imread(tmp_path / "graph.png")
        root = ElementTree.fromstring(rendering.svg(drawing._picture))
        left, top, width, height = map(float, root.get("viewBox", "").split())
        assert pixels.shape[:2] == (2 * height, 2 * width)

        def colour(x: float, y: float) -> str:
            rgb = pixels[round(2 * (y - top)), round(2 * (x - left)), :3]
            return "#" + "".join(f"{round(255 * c):02x}" for c in rgb)

        rects = [*root.iter(f"{SVG}rect")][1:]
        assert len(rects) == len(drawing.boxes) + 2  # two layers
        for rect in rects:
            x, y, h = (float(rect.get(name, "")) for name in ("x", "y", "height"))
            assert colour(x + 4.0, y + h / 2) == rect.get("fill")
            assert colour(x - 4.0, y + h / 2) != rect.get("fill") or rect.get("fill") == "#fafafa"
        texts = [*root.iter(f"{SVG}text")]
        for text in texts:  # there is ink where it begins
            x, y = float(text.get("x", "")), float(text.get("y", ""))
            if text.get("text-anchor") != "end" and not text.get("transform"):
                area = pixels[
                    round(2 * (y - 9 - top)) : round(2 * (y - top)),
                    round(2 * (x - left)) : round(2 * (x + 7 - left)),
                ]
                assert area[..., :3].min() < 0.6, text.text
        heads = [p.get("d", "") for p in root.iter(f"{SVG}path") if "z" in p.get("d", "")]
        for head in heads:
            x, y = map(float, head[1 : head.index("l")].split())
            back = (0.0, -3.0) if direction == "down" else (-3.0, 0.0)
            assert colour(x + back[0], y + back[1]) == "#555555"

    def test_without_cairo_the_library_matplotlib_is_used(
        self, drawing: Drawing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        pytest.importorskip("matplotlib")

        def no_library(**options: Any) -> bytes:
            raise OSError("no library called cairo was found")

        monkeypatch.setitem(sys.modules, "cairosvg", SimpleNamespace(svg2png=no_library))
        drawing.save(tmp_path / "graph.png")
        assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")

    def test_without_both(
        self, drawing: Drawing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in ("cairosvg", "matplotlib", "matplotlib.figure"):
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(RuntimeError) as caught:
            drawing.save(tmp_path / "graph.png")
        assert str(caught.value) == (
            "Drawing.save: a PNG needs CairoSVG or matplotlib; run: pip install matplotlib, or "
            "save the drawing as .svg"
        )
        assert os.listdir(tmp_path) == []


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

    with pytest.raises(CompileError, match=r"^compile: draw\(\) .*draw what a call of it returns"):
        mg.compile(f)(Value(2.0))
    with pytest.raises(CompileError, match="used when its trace is over"):
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


def test_numbers_are_shown_with_four_digits() -> None:
    numbers = (None, 0.123456, 2.0, -0.0, float("nan"))
    assert [*map(show_number, numbers)] == ["none", "0.1235", "2", "0", "nan"]
