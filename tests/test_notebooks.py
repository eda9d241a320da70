"""What the committed notebooks show; ``tests/notebooks.py`` executes them and compares."""

import json
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from test_examples import AFTER, BEFORE, WEIGHTS

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "examples").glob("*.ipynb"))


def cells(name: str) -> list[dict[str, Any]]:
    return json.loads((ROOT / "examples" / name).read_text("utf-8"))["cells"]


def printed(name: str) -> str:
    """Return what the cells of a notebook print."""
    outputs = [output for cell in cells(name) for output in cell.get("outputs", [])]
    return "".join(line for output in outputs for line in output.get("text", []))


def numbers(text: str) -> list[float]:
    return [float(x) for x in re.findall(r"-?\d+\.\d+", text)]


class TestXorWorkshop:
    TEXT = printed("xor_workshop.ipynb")

    def rows(self, moment: str) -> list[list[float]]:
        return [numbers(row) for row in re.findall(rf"^{moment} (.*)$", self.TEXT, re.MULTILINE)]

    def test_weights(self) -> None:
        found = re.findall(r"^fc\d\.(?:weight|bias) +(.*)$", self.TEXT, re.MULTILINE)
        assert [*map(numbers, found)] == [*WEIGHTS.values()]

    def test_predictions(self) -> None:
        assert self.rows("before") == list(BEFORE.values())
        first, second, third, *_ = self.rows("after")
        assert [first, second, third] == list(AFTER.values())

    def test_why_the_second_is_stuck(self) -> None:
        hidden = [numbers(row) for row in re.findall(r"\] hidden (.*)$", self.TEXT, re.MULTILINE)]
        assert [h for h in hidden if min(h) > 0.999] == [hidden[1], hidden[3]]  # 01 and 11
        pulls = [float(x) for x in re.findall(r"^\[.*\] +(-?\d\.\d{4})$", self.TEXT, re.MULTILINE)]
        assert math.isclose(pulls[1], -pulls[3], abs_tol=2e-4)
        assert abs(pulls[1]) > 0.25
        assert "at the start       0.06397\nafter 10,000 steps 0.00021\n" in self.TEXT

    def test_the_start_decides(self) -> None:
        ((_, patient, _, _),) = [[round(x, 2) for x in row[:4]] for row in self.rows("later")]
        *_, by_sgd, from_first = self.rows("after")
        assert patient == 0.5
        assert by_sgd[1] == pytest.approx(0.49, abs=0.005)
        assert [round(x) for x in from_first] == [0, 1, 1, 0]
        assert "\n5 of 20 are stuck\nwith 8 hidden neurons 0 of 20 are stuck\n" in self.TEXT


class TestBackprop:
    TEXT = printed("backprop.ipynb")

    def test_three_ways_to_the_same_gradient(self) -> None:
        slopes = re.findall(r"^([abc]): +(-?\d\.\d{4})$", self.TEXT, re.MULTILINE)
        slope = 1.0 - math.tanh(0.5) ** 2
        expected = [("a", -0.5 * slope), ("b", 2.0 * slope), ("c", slope)]
        assert slopes == 3 * [(name, f"{x:.4f}") for name, x in expected]

    def test_our_own_walk_back(self) -> None:
        found = re.findall(r"ours +(\S+) +backward\(\) +(\S+)$", self.TEXT, re.MULTILINE)
        assert len(found) == 6
        assert all(ours == theirs for ours, theirs in found)

    def test_the_network_has_the_slope_of_a_small_step(self) -> None:
        ((step, gradient),) = re.findall(
            r"by a small step (\S+) +by backward\(\) (\S+)$", self.TEXT, re.MULTILINE
        )
        assert step == gradient
        assert float(step) != 0.0

    def test_the_network_learns(self) -> None:
        first, last = (float(x) for x in re.findall(r"^\w+ loss +(\S+)$", self.TEXT, re.MULTILINE))
        assert first > 0.5 > 0.001 > last


class TestGpt:
    TEXT = printed("gpt.ipynb")

    def found(self, pattern: str) -> list[list[float]]:
        """Return the numbers of each line that begins with the pattern."""
        return [numbers(row) for row in re.findall(rf"^{pattern}(.*)$", self.TEXT, re.MULTILINE)]

    def test_parameters(self) -> None:
        assert re.search(r"^together +3,808$", self.TEXT, re.MULTILINE)
        rows = re.findall(r"^(this model|three layers) +(\S+) +(\S+)$", self.TEXT, re.MULTILINE)
        assert [name for name, *_ in rows] == ["this model", "three layers"]
        assert all(formula == counted for _, formula, counted in rows)
        assert re.search(r"^GPT-2 \(small\) 124,439,808$", self.TEXT, re.MULTILINE)

    def test_the_training(self) -> None:
        before, after = (loss for [loss] in self.found("loss (?:before|after) the training"))
        assert before == pytest.approx(math.log(27), abs=0.01)
        assert after < 2.1

    def test_by_hand_as_by_the_layer(self) -> None:
        (layer, rest), (by_hand, rest_by_hand) = (
            [numbers(row) for row in re.findall(rf"^{name} +(.*)\n +(.*)$", self.TEXT, re.M)[0]]
            for name in ("ln_1", "by hand")
        )
        assert len(layer + rest) == 16
        assert layer + rest == by_hand + rest_by_hand
        assert "the same logits as those of model(tokens): True\n" in self.TEXT

    def test_attention(self) -> None:
        _, shares = self.TEXT.split("\nshares ")
        rows = [numbers(row) for row in re.findall(r"^  query .(.*)$", shares, re.MULTILINE)]
        assert [len(row) for row in rows] == [5] * 5
        assert all(sum(row) == pytest.approx(1.0, abs=0.02) for row in rows)
        assert all(not any(row[i + 1 :]) for i, row in enumerate(rows))
        ((ours, graph),) = self.found("head 0, the first number: ")
        assert ours == graph

    def test_the_loss_is_the_mean_of_its_terms(self) -> None:
        terms = [row[-1] for row in self.found("[.a-z] -> [.a-z]   probability")]
        ((mean, loss),) = self.found("mean ")
        assert len(terms) == 5
        assert sum(terms) / 5 == pytest.approx(loss, abs=0.001)
        assert mean == loss

    def test_two_contributions_to_a_gradient(self) -> None:
        rows = self.found(" +[0-3] ")
        assert len(rows) == 4
        for first, last, output, total, grad in rows:
            assert total == grad
            assert first + last + output == pytest.approx(grad, abs=2e-4)
        embedded, by_head = (grad for [grad] in self.found("(?:embedding|lm_head) "))
        assert embedded == pytest.approx(rows[0][0] + rows[0][1], abs=2e-4)
        assert by_head == rows[0][2]
        assert self.TEXT.count("the same for all 16 numbers: True\n") == 2
        ((step, grad),) = self.found("by a small step ")
        assert step == grad

    def test_a_step_by_hand(self) -> None:
        ((old, by_hand, by_optimizer),) = self.found("from ")
        assert by_hand == by_optimizer != old
        assert "equal to 12 digits: True\n" in self.TEXT
        ((before, after),) = self.found("loss of anna: ")
        assert after < before

    def test_every_letter_was_drawn_from_the_given_probabilities(self) -> None:
        lines = re.findall(r"^(\.\S*) +-> (\S) \((\S+)\) +likely: (.*)$", self.TEXT, re.MULTILINE)
        assert lines[-1][1] == "."
        for (text, letter, _, _), (longer, *_) in pairwise(lines):
            assert longer == text + letter
        for _, letter, chance, likely in lines:
            assert letter not in likely.split() or f"{letter} {chance}" in likely


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
class TestEvery:
    def test_nothing_of_the_machine_that_ran_it(self, file: Path) -> None:
        text = file.read_text("utf-8")
        assert len(text) < 1_500_000
        assert not re.search(r"/(?:home|root|tmp|Users)/|0x[0-9a-f]{6}|T\d\d:\d\d:\d\d", text)

    def test_every_cell_was_executed_in_order(self, file: Path) -> None:
        code = [cell for cell in cells(file.name) if cell["cell_type"] == "code"]
        assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))

    def test_every_figure_is_explained(self, file: Path) -> None:
        page = cells(file.name)
        for cell, after in zip(page, [*page[1:], {}], strict=True):
            kinds = {kind for x in cell.get("outputs", []) for kind in x.get("data", {})}
            if "image/png" in kinds:
                assert "".join(after["source"]).startswith("**What to see:**")

    def test_links_lead_somewhere(self, file: Path) -> None:
        page = "".join("".join(cell["source"]) for cell in cells(file.name))
        links = re.findall(r"\]\(([^)\s]+)\)", page)
        assert links
        assert all((file.parent / link).is_file() for link in links)


def test_all_are_looked_at() -> None:
    names = ["backprop.ipynb", "gpt.ipynb", "xor_workshop.ipynb"]
    assert [file.name for file in FILES] == names
