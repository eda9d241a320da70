"""Explanations: the steps are those of backward(), and why a gradient is what it is."""

import os
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgradlib as mg
from microgradlib import Value, nn
from microgradlib.drawing.explain import explain
from microgradlib.errors import CompileError
from microgradlib.testing import Expression, expressions


def leaf(data: float = 1.0) -> Value:
    return Value(data, label="x")


class Holder(nn.Module):
    """A module of one parameter."""

    def __init__(self, name: str) -> None:
        setattr(self, name, Value(3.0))


def passed_on(node: Value) -> dict[Value, float]:
    """Return what a node with a gradient of 1 passes on to its inputs."""
    for x in node._prev:
        x.grad = 0.0
    node.grad = 1.0
    node._backward()
    return {x: x.grad for x in node._prev}


class TestSteps:
    @given(expressions(max_steps=30, shape="shared") | expressions(), st.floats(-3, 3))
    def test_the_numbers_are_those_of_backward(self, f: Expression, x: float) -> None:
        a, b = Value(x), Value(0.5)
        y = f(a, b)
        if not y.requires_grad:
            return
        explanation = explain(y)
        assert a.grad == b.grad == y.grad == 0.0
        str(explanation)
        y.backward()
        totals: dict[Value, float] = {y: 1.0}
        for step in explanation:
            assert step.adjoint == totals[step.node] == step.node.grad
            for node, partial, amount, total in step.received:
                assert amount == step.adjoint * partial
                assert total == totals.get(node, 0.0) + amount
                totals[node] = total
        assert all(node.grad == total for node, total in totals.items())
        assert dict(explanation.adjoints) == totals | {
            node: 0.0 for node in explanation.adjoints if node not in totals
        }
        for step in explanation:
            assert [received.node for received in step.received] == [*step.node._prev]
            passed: dict[Value, float] = {}
            for node, partial, *_ in step.received:
                passed[node] = passed.get(node, 0.0) + partial
            assert passed_on(step.node) == passed

    def test_a_table_with_names(self) -> None:
        a, b = Value(2.0, label="a"), Value(-3.0)
        c = a * b
        d = (c + a).tanh()
        d.label = "d"
        assert str(explain(d)).splitlines() == [
            "backward from d: its gradient is 1, all others start at 0",
            "",
            "step  node             data  gradient  input  derivative    product     so far",
            "   1  d = tanh(t2)  -0.9993         1  t2       0.001341   0.001341   0.001341",
            "   2  t2 = t1 + a        -4  0.001341  t1              1   0.001341   0.001341",
            "                                       a               1   0.001341   0.001341",
            "   3  t1 = a * x2        -6  0.001341  a              -3  -0.004023  -0.002682",
            "                                       x2              2   0.002682   0.002682",
            "",
            "gradients of the leaves: a -0.002682, x2 0.002682",
        ]

    def test_no_name_is_given_twice(self) -> None:
        y = Value(2.0, label="x2") * Value(3.0) * Value(5.0)
        y.label = "t1"
        assert str(explain(y)).endswith("gradients of the leaves: x2 15, x3 10, x4 6")
        assert "t1 = t2 * x4" in str(explain(y))
        assert "t2 = x2 * x3" in str(explain(y))

    def test_names_of_a_model(self) -> None:
        model = nn.Neuron(1)
        explanation = explain(model([2.0]), model=model)
        assert "t1 = dot(b, w.0, 2)" in str(explanation)
        assert str(explanation).endswith("gradients of the leaves: w.0 2, b 1")

    def test_long_names_are_cut(self) -> None:
        model = Holder("n" * 30)
        (weight,) = model.parameters()
        y = weight * Value(2.0, label="l" * 30)
        ends = f"{'n' * 23}… 2, {'l' * 23}… 3"
        assert str(explain(y, model=model)).endswith(f"gradients of the leaves: {ends}")

    def test_labels_cannot_break_the_table(self) -> None:
        for label in ("a\nb", "a\nb" + 100 * "c"):
            x = Value(1.0, label=label)
            assert len(str(explain(x * x)).splitlines()) == 7
            assert max(map(len, str(explain(x * x)).splitlines())) < 150

    def test_long_tables_are_shortened(self) -> None:
        def lines(steps: int) -> list[str]:
            y = leaf()
            for _ in range(steps):
                y = y * 1.0
            return str(explain(y)).splitlines()

        assert len(lines(60)) == 60 + 5
        assert not any("..." in line for line in lines(60))
        assert len(lines(61)) == 30 + 1 + 10 + 5
        assert [line.split()[0] for line in lines(500)[32:36]] == ["30", "...", "491", "492"]

    def test_a_leaf(self) -> None:
        explanation = explain(leaf())
        assert len(explanation) == 0
        assert str(explanation).endswith("gradients of the leaves: x 1")
        assert repr(explanation) == str(explanation)


def cells(html: str) -> list[list[str]]:
    """Return the text of each cell of a table."""
    table = ElementTree.fromstring(html[html.index("<table>") : html.index("</table>") + 8])
    return [[cell.text or "" for cell in row] for row in table.iter("tr")]


class TestFiles:
    def test_html_has_the_cells_of_the_table(self) -> None:
        x, y = Value(2.0, label="<x & y>"), Value(-3.0, label="y")
        explanation = explain((x * y + x).tanh())
        html = explanation._repr_html_()
        first, _, head, *rows, _, last = str(explanation).splitlines()
        shown = [[cell for cell in row if cell] for row in cells(html)]
        assert shown == [re.split(r"\s{2,}", line.strip()) for line in (head, *rows)]
        assert html.startswith(f"<p>{escape(first)}</p>\n<table><thead>")
        assert html.endswith(f"</table>\n<p>{escape(last)}</p>\n")
        assert "&lt;x &amp; y&gt; " in html
        kinds = [
            [cell.tag for cell in row]
            for row in ElementTree.fromstring(
                html[html.index("<table>") : html.index("</table>") + 8]
            ).iter("tr")
        ]
        assert kinds == [["th"] * 8] + [["td"] * 8] * len(rows)
        aligned = re.findall("text-align:(left|right)", html)[:8]
        assert aligned == [*["right", "left", "right", "right"], "left", *["right"] * 3]

    @pytest.mark.parametrize("name", ["steps.txt", "steps.html", "steps.HTM"])
    def test_the_suffix_is_the_format(self, tmp_path: Path, name: str) -> None:
        explanation = explain(Value(2.0, label="<ä>") * 3.0)
        explanation.save(tmp_path / name)
        explanation.save(str(tmp_path / name))
        text = (tmp_path / name).read_text("utf-8")
        if name == "steps.txt":
            assert text == f"{explanation}\n"
        else:
            assert text.startswith(
                '<!DOCTYPE html>\n<meta charset="utf-8">\n<title>backward from t1'
            )
            assert text.endswith(explanation._repr_html_())
        assert os.listdir(tmp_path) == [name]

    def test_other_suffixes(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="no format for the suffix of '") as e:
            explain(leaf()).save(tmp_path / "steps.png")
        assert str(e.value).endswith("steps.png'; use one of .txt, .html, .htm")
        with pytest.raises(TypeError, match=r"call Explanation.save\(path\)"):
            explain(leaf()).save(3)  # type: ignore[arg-type]


def ending(y: Value, x: Value) -> str:
    return explain(y).why(x).removeprefix("The gradient with respect to x is ")


class TestWhy:
    def test_ordinary(self) -> None:
        for x in (leaf(3.0), leaf(-3.0)):
            assert ending(x * 2.0 + x * 5.0, x) == "7, most of it along x -> t2 -> t3: 5 * 1."
            assert ending(x * 5.0 - x * 2.0, x) == "3, most of it along x -> t1 -> t3: 5 * 1."
            assert ending(x * 2.5 + x * 2.0, x) == "4.5, most of it along x -> t1 -> t3: 2.5 * 1."
            half = "4, the largest part of it along x -> t1 -> t3: 2 * 1."
            assert ending(x * 2.0 - x * -2.0, x) == half

    def test_cancellation(self) -> None:
        x = leaf(3.0)
        end = "paths cancel, the largest of them along x -> t1 -> t3: 5 * 1."
        assert ending(x * 5.0 - x * 4.9999999, x) == f"1e-07, vanishing: {end}"
        assert "most of it along x -> t1 -> t3: 5 * 1" in ending(x * 5.0 - x * 4.99999, x)
        assert "vanishing: on the path" in ending(x * 1e-7 - x * 1e-8, x)

    def test_long_paths_are_shortened(self) -> None:
        y = x = leaf(3.0)
        for _ in range(8):
            y = y * 1.0
        assert ending(y, x) == (
            "1, most of it along x -> t1 -> t2 -> t3 -> t4 -> t5 -> t6 -> t7 -> t8: "
            "1 * 1 * 1 * 1 * 1 * 1 * 1 * 1."
        )
        assert ending(y * 1.0, x) == (
            "1, most of it along x -> t1 -> t2 -> t3 -> ... -> t6 -> t7 -> t8 -> t9: "
            "1 * 1 * 1 * 1 * ... * 1 * 1 * 1 * 1."
        )

    def test_the_result(self) -> None:
        x = leaf()
        y = x * 2.0
        y.label = "x"
        assert ending(y, y) == "1: that is the result itself."

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda x: x * 0.0, "t1 = x * 0 has derivative 0 with respect to x, which is -1"),
            (lambda x: x.relu() * 3.0, "t1 = relu(x) did not select x, which is -1"),
            (
                lambda x: mg.maximum((x * 2.0).tanh(), 5.0),
                "t3 = maximum(t2, 5) did not select t2, which is -0.964",
            ),
            (
                lambda x: x * 0.0 + x.relu() + mg.maximum(x, 0.0),
                (
                    "t1 = x * 0 has derivative 0 with respect to x, which is -1; t2 = relu(x) did "
                    "not select x, which is -1; t4 = maximum(x, 0) did not select x, which is -1"
                ),
            ),
            (
                lambda x: x * 0.0 + x.relu() + mg.maximum(x, 0.0) + mg.maximum(x, 1.0),
                (
                    "t1 = x * 0 has derivative 0 with respect to x, which is -1; t2 = relu(x) did "
                    "not select x, which is -1; t4 = maximum(x, 0) did not select x, which is -1; "
                    "and 1 more"
                ),
            ),
            (
                lambda x: (x * 2.0) * 1e-200 * 1e-200,
                "1e-200 * 1e-200 at t2 = t1 * 1e-200 is too small for a float",
            ),
            (
                lambda x: x * 3.0 - 3.0 * x,
                "what x receives cancels, 3 from t1 = x * 3; -3 from t2 = 3 * x",
            ),
            (
                lambda x: (x * 2.0) * 0.0 + (x * 2.0) * 0.0,
                (
                    "t2 = t1 * 0 has derivative 0 with respect to t1, which is -2; t4 = t3 * 0 has "
                    "derivative 0 with respect to t3, which is -2"
                ),
            ),
            (
                lambda x: (lambda y: (y.tanh() + y.sin()) * 0.0)(x * 2.0),
                "t5 = t4 * 0 has derivative 0 with respect to t4, which is -1.873",
            ),
        ],
    )
    def test_zero(self, make: Callable[[Value], Value], reason: str) -> None:
        x = leaf(-1.0)
        y = make(x)
        y.backward()
        assert x.grad == 0.0
        listed = ending(y, x).removeprefix("0: ").removesuffix(".").split("; ")
        assert sorted(listed) == sorted(reason.split("; "))

    @pytest.mark.parametrize(
        ("make", "data", "reason"),
        [
            (
                lambda x: x.sqrt() * 2.0,
                0.0,
                "inf: t1 = sqrt(x) has derivative inf with respect to x, which is 0.",
            ),
            (
                lambda x: (x * 1.0).sqrt() * x,
                0.0,
                "nan: t2 = sqrt(t1) has derivative inf with respect to t1, which is 0.",
            ),
            (
                lambda x: (x * 1e200) * 1e200,
                1.0,
                "inf: 1e+200 * 1e+200 at t1 = x * 1e+200 is too large for a float.",
            ),
            (
                lambda x: x * 1e308 + x * 1e308,
                1.0,
                "inf: the sum of what x receives is too large for a float.",
            ),
            (
                lambda x: Value(1.0) * 1e300 * 1e10 * x,
                1.0,
                (
                    "inf: t3 = t2 * x has derivative inf with respect to x, which is 1; the first "
                    "value that is not finite is t2 = t1 * 1e+10."
                ),
            ),
            (
                lambda x: x * Value(float("inf"), label="c"),
                1.0,
                (
                    "inf: t1 = x * c has derivative inf with respect to x, which is 1; the first "
                    "value that is not finite is c."
                ),
            ),
        ],
    )
    def test_not_finite(self, make: Callable[[Value], Value], data: float, reason: str) -> None:
        x = leaf(data)
        assert ending(make(x), x) == reason

    def test_vanishing(self) -> None:
        y = x = leaf(0.0)
        for _ in range(12):
            y = y.sigmoid() * 1.0
        text = ending(y, x)
        assert text == (
            "1.957e-08, vanishing: on the path of 24 steps that most of it comes along, sigmoid "
            "(12 times) multiplies it by 10**-7.7; t23 = sigmoid(t22) has derivative 0.2247 with "
            "respect to t22, which is 0.659."
        )

    def test_exploding(self) -> None:
        y = x = leaf(1.5)
        for _ in range(6):
            y = (y * y).tanh() + y * y
        assert ", exploding: on the path of 12 steps" in ending(y, x)
        assert "* (6 times) multiplies it by 10**" in ending(y, x)

    @pytest.mark.parametrize(
        ("factor", "start"),
        [
            (1e-6, "1e-06, most of it along "),
            (0.9999e-6, "9.999e-07, vanishing: "),
            (1e6, "1e+06, most of it along "),
            (1000000.5, "1e+06, exploding: "),
        ],
    )
    def test_bounds(self, factor: float, start: str) -> None:
        x = leaf()
        assert ending(x * factor, x).startswith(start)

    def test_a_path_is_large_unless_the_sum_is_a_thousand_times_as_large(self) -> None:
        x = leaf()
        y = x * 1e6
        assert ", exploding: on the path of 2 steps" in ending(mg.sum([y] * 1000), x)
        assert ", exploding: no single path is large" in ending(mg.sum([y] * 1001), x)

    def test_exploding_by_many_paths(self) -> None:
        y = x = leaf()
        for _ in range(30):
            y = y + y
        assert ending(y, x) == (
            "1.074e+09, exploding: no single path is large, but very many of them add up."
        )

    @pytest.mark.parametrize("label", ["z", "", "z" * 30])
    def test_what_the_result_does_not_depend_on(self, label: str) -> None:
        x, z = leaf(), Value(2.5, label=label)
        for y in (x * 2.0, x * z.detach(), x * z.data):
            assert explain(y).why(z) == (
                f"There is no gradient with respect to {label[:23] or 'the Value 2.5'}"
                f"{'…' if len(label) > 24 else ''}: t1 was not computed from it, or the path is "
                "cut: by detach(), no_grad(), .data, float(), requires_grad = False, or by "
                "if, and, or, max, which leave a Value out. With the forward pass under "
                "detect_anomaly(), why names the line of such an if."
            )

    @given(expressions(max_steps=30, shape="shared") | expressions(), st.floats(-3, 3))
    def test_there_is_a_reason_for_every_node(self, f: Expression, x: float) -> None:
        y = f(Value(x), Value(0.5)) * 1e-3
        explanation = explain(y)
        for node in explanation.adjoints:
            assert explanation.why(node).startswith("The gradient with respect to ")


def test_traced_values_have_no_numbers() -> None:
    def f(x: Value) -> Value:
        y = x * x
        explain(y)
        return y

    with pytest.raises(CompileError, match="explain what a call of it returns"):
        mg.compile(f)(Value(2.0))


def test_a_dead_relu_says_that_it_selected_nothing() -> None:
    x = Value(-2.0, label="x")
    lines = str(mg.explain(x.relu())).splitlines()
    assert lines[3].split("  ")[-1] == "none is selected"
    assert lines[3].split()[:5] == ["1", "t1", "=", "relu(x)", "0"]


def test_a_relu_that_is_always_off_is_dead() -> None:
    w, b = Value(1.0, label="w"), leaf(-9.0)
    once = mg.relu(1.0 * w + b)
    y = mg.sum([mg.relu(float(i) * w + b) for i in range(4)])
    dead = "a dead relu, off all 4 times, for inputs from -9 to -6; one is t12 = relu(t11)."
    assert ending(y, b) == f"0: {dead}"
    assert ending(once, b) == "0: t3 = relu(t2) did not select t2, which is -8."
    mixed = ending(y + b * 0.0, b)
    assert "dead" not in mixed
    assert "; and 2 more" in mixed
    others = ending(mg.sum([mg.maximum(b, 0.0), mg.maximum(b, 1.0)]), b)
    assert others.count("did not select") == 2
    with mg.detect_anomaly():
        y = mg.sum([mg.relu(b) for _ in range(2)])
    assert "one is t1 = relu(x) (" in ending(y, b)


def test_the_line_of_a_decision_is_named_under_detect_anomaly() -> None:
    x, z, w = Value(2.0, label="x"), Value(3.0, label="z"), Value(4.0, label="w")
    with mg.detect_anomaly():
        doubled = w * 2.0
        y = (x and z) * 2.0  # the line of x
        if doubled > 1.0:  # the line of w
            y = y * 3.0
        if doubled > 2.0 and w > 1.0:
            y = y * 3.0
    y.label = "y"
    for value, text in ((x, "y = (x and z) * 2.0  # the line of x"), (w, "if doubled > 1.0")):
        reason = mg.explain(y).why(value)
        start = f"There is no gradient with respect to {value.label}: y was not computed from it, "
        assert reason.startswith(f"{start}but a decision looked at it ({__file__}, line ")
        assert f": {text}" in reason
        assert reason.endswith(
            "Comparisons, if, and, or, max take Values or leave them out, and have no derivative; "
            "compute with functions in their place, such as maximum and sigmoid."
        )
    assert mg.explain(y).why(z).startswith("The gradient with respect to z is 18,")
    with mg.detect_anomaly():
        made = Value(1.0, label="made")
    assert "detect_anomaly(), why names" in mg.explain(y).why(made)


def test_a_decision_changes_no_order_and_no_origin() -> None:
    x = leaf(2.0)
    with mg.detect_anomaly():
        y = x * 0.0  # where y was made
        assert y < 1.0
    z = y * 3.0
    assert [box.title for box in mg.draw(z).boxes] == ["x", "x * 0", "· * 3"]
    assert "# where y was made)" in mg.explain(z).why(x)


def test_a_value_lost_to_a_decision() -> None:
    x, z = Value(2.0, label="x"), Value(3.0, label="z")
    assert "or by if, and, or, max, which leave a Value out" in mg.explain((x and z) * 2.0).why(x)
