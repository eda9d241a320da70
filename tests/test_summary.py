"""Summaries: what is drawn of a graph that has too many nodes."""

from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from math import hypot, inf, nan
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_draw import Net, a_function_of_a_very_long_name, arrows, members

import microgradlib as mg
from microgradlib import Value, nn
from microgradlib.drawing.draw import draw
from microgradlib.drawing.graph import graph_of
from microgradlib.drawing.layering import UNGROUPED
from microgradlib.drawing.parts import parts_of
from microgradlib.drawing.text import show_number
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
    assert members(drawing) == {}
    first, second, *others, last = drawing.boxes
    assert (first.title, first.kind) == ("leaves × 2", "summary")
    assert second.title == "layers.0"
    weights = [w for row in model.layers[0].weight for w in row] + [*model.layers[0].bias]
    data = hypot(*[w.data for w in weights])
    assert second.lines[:3] == (
        "Layer, 6 parameters",
        f"  |data| {show_number(data)}  |grad| 0",
        "4 nodes: dot, tanh",
    )
    titles = [f"layers.{i}" for i in range(1, 5)]
    assert [box.title for box in others if box.title != "layers"] == titles
    between = [box for box in others if box.title == "layers"]
    assert [box.lines[0] for box in between] == ["9 nodes: tanh, sin, sum, *"] * 5
    assert (last.kind, last.title) == ("result", "sum")
    assert [edge.text for edge in drawing.edges if edge.target == len(drawing.boxes) - 1] == ["× 2"]


@pytest.fixture
def gpt(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], tuple[Any, Value]]:
    """Return a function that makes the GPT of the examples, and its loss."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "examples"))
    nanogpt = import_module("nanogpt")

    def make(layers: int) -> tuple[Any, Value]:
        model = nanogpt.GPT(nanogpt.GPTConfig(n_layer=layers, n_embd=4, n_head=2))
        loss = nn.functional.cross_entropy(model([0, 5, 13]), [5, 13, 0])
        loss.backward()
        return model, loss

    return make


def test_a_box_for_each_layer_of_a_transformer(
    gpt: Callable[[int], tuple[Any, Value]],
) -> None:
    model, loss = gpt(1)
    drawing = draw(loss, model=model)
    titles = [box.title for box in drawing.boxes]
    block = ["ln_1", "attn.c_attn", "attn", "attn.c_proj", "", "ln_2", "mlp.c_fc", "mlp"]
    assert titles == [
        "transformer.wpe",
        "transformer.wte",
        *[f"transformer.h.0.{name}" if name else "transformer" for name in (*block, "mlp.c_proj")],
        *["transformer", "transformer.ln_f", "transformer.wte", "transformer", "0 - ·"],
    ]
    assert drawing.boxes[5].lines[0] == "Linear, 16 parameters"
    (wte, ln_1), attention = drawing.boxes[1:3], drawing.boxes[4]
    assert wte.lines[0] == "Embedding, 108 parameters"
    weights = [w for row in model.transformer.wte.weight for w in row]
    norms = (hypot(*[w.data for w in weights]), hypot(*[w.grad for w in weights]))
    assert wte.lines[1] == f"  |data| {show_number(norms[0])}  |grad| {show_number(norms[1])}"
    assert wte.lines[2] == "12 nodes: +"
    assert ln_1.lines[0] == "LayerNorm, 4 parameters"
    assert ln_1.lines[2].startswith("48 nodes: -, *, dot, mean")
    assert attention.lines[0].startswith("84 nodes: dot, /, where")
    assert "|data| inf" in attention.lines[1]  # what is masked
    assert drawing.boxes[-1].lines == (f"data {show_number(loss.data)}", "grad 1")
    assert drawing.to_mermaid().startswith("flowchart TB")
    assert draw(loss, model=model, direction="right").to_mermaid().startswith("flowchart LR")
    width, height = draw(loss, model=model, engine="builtin").to_svg().split('"')[3:6:2]
    assert float(width) < 600 < 1500 < float(height)


def test_a_deep_model_has_a_box_for_each_block(gpt: Callable[[int], tuple[Any, Value]]) -> None:
    model, loss = gpt(7)
    drawing = draw(loss, model=model)
    titles = [box.title for box in drawing.boxes]
    assert len(titles) <= 40
    assert [titles.count(f"transformer.h.{i}") for i in range(7)] == [2, *[1] * 6]
    block = drawing.boxes[titles.index("transformer.h.1")]
    assert block.lines[0] == "6 layers, 200 parameters"
    assert max(title.count(".") for title in titles) == 2


def test_parameters_that_other_layers_use_are_a_box_of_their_own() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            self.first = nn.Linear(2, 2)
            self.second = nn.Linear(2, 2)

        def forward(self, x: Any) -> Any:
            h = self.first(x)
            for f in (mg.tanh, mg.sin, mg.cos, mg.exp, mg.sigmoid, mg.erf) * 3:
                h = [f(v) for v in h]
            shift = mg.sum([w * w for row in self.second.weight for w in row])
            return self.second([v * self.second.bias[0] + shift for v in h])

    model = Shared()
    drawing = draw(mg.sum(model([Value(1.0), 2.0])), model=model, max_nodes=1)
    assert "by layer" in repr(drawing)
    for edge in drawing.edges:
        assert edge.source < edge.target
    titles = [box.title for box in drawing.boxes]
    assert titles.count("first") == 1


class Recurrent(nn.Module):
    """A cell that is used again and again."""

    def __init__(self) -> None:
        self.cell = nn.Linear(3, 2)

    def forward(self, xs: list[Any]) -> Any:
        h = [0.0, 0.0]
        for x in xs:
            h = [mg.tanh(v) for v in self.cell([x, *h])]
        return h


def test_a_summary_of_few_layers_goes_down() -> None:
    model = Recurrent()
    for results in (model([0.5] * 12), [mg.sum(model([0.5] * 12))]):
        drawing = draw(results, model=model, max_nodes=10)
        assert "by layer" in repr(drawing)
        assert drawing.boxes[0].title == "cell"
        assert drawing.boxes[0].lines[0] == "Linear, 8 parameters"
        assert drawing.boxes[0].lines[2] == "46 nodes: dot, tanh"
        assert drawing.boxes[1].title == "outside of layers"
        assert len(drawing.boxes) == 4 - len(results)
        assert drawing.to_mermaid().startswith("flowchart TB")


def test_a_model_that_is_one_layer_is_summarised_by_operation_or_depth() -> None:
    model = nn.Neuron(1)
    for depth, way in ((20, "operation"), (60, "depth")):
        drawing = draw(alternate(model([1.0]), depth), model=model, max_nodes=10)
        assert f"by {way}" in repr(drawing)


def test_parameters_of_the_model_itself_have_its_name() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.scale = Value(2.0)
            self.fc = nn.Linear(1, 1)

        def forward(self, x: Any) -> Any:
            return self.fc([alternate(alternate(x, 7) * self.scale, 17)])[0]

    model = Scaled()
    titles = [box.title for box in draw(model(Value(1.0)) * 2.0, model=model, max_nodes=5).boxes]
    assert titles == ["leaf", "outside of layers", "Scaled", "outside of layers", "fc", "· * 2"]


def test_a_norm_without_weights_or_with_other_users_is_no_layer() -> None:
    x = [Value(1.0), Value(2.0)]
    for norm, operations in (
        (nn.RMSNorm(2), ["*", "*", "+", "dot", "dot", "leaf", "leaf", "mse_loss", "rsqrt"]),
        (nn.LayerNorm(2), [*"**+--", "dot", "dot", *["leaf"] * 4, "mean", "mse_loss", "rsqrt"]),
    ):
        before = [v * 3.0 for v in x]
        y = norm(before)
        parts = parts_of(norm, graph_of(y))
        assert sorted(str(node._op) or "leaf" for node in parts) == operations
        assert not parts.keys() & {*x, *before}
        mean = next(node for node in parts if node._op in ("mean", "mse_loss"))
        assert mean not in parts_of(norm, graph_of([*y, mean * 2.0]))
    plain = nn.LayerNorm(2, elementwise_affine=False)
    assert parts_of(plain, graph_of(plain(x))) == {}


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
