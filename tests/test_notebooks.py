"""What the committed notebooks show; ``tests/notebooks.py`` executes them and compares."""

import json
import math
import re
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


def test_both_are_looked_at() -> None:
    assert [file.name for file in FILES] == ["backprop.ipynb", "xor_workshop.ipynb"]
