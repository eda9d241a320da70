"""What the pages in docs show, apart from the doctests that pytest collects."""

import doctest
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from truths.measure import promised_ulps

import microgradlib as mg
import pictures
from microgradlib.core.table import PRIMITIVES

ROOT = Path(__file__).parent.parent
STATIC = ROOT / "docs" / "static"
ACCURACY = (ROOT / "docs" / "accuracy.md").read_text("utf-8")
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text("utf-8")
LIBRARIES = ["microgradlib", "PyTorch", "JAX", "autograd"]
# Of each primitive: an error for each library, the number of hard points, how many of them fail.
TABLE = {
    name: cells.split(" | ")
    for name, cells in re.findall(r"^\| (\w+) \| (.*\d.*) \|$", ACCURACY, re.MULTILINE)
}


def test_every_public_primitive_has_a_line() -> None:
    assert list(TABLE) == [row.name for row in PRIMITIVES.values() if not row.helper]
    assert all(len(cells) == 2 * len(LIBRARIES) + 1 for cells in TABLE.values())


@pytest.mark.parametrize("name", TABLE)
def test_ours_keep_the_promise(name: str) -> None:
    error, hard, failed = float(TABLE[name][0]), int(TABLE[name][4]), int(TABLE[name][5])
    assert error <= promised_ulps(PRIMITIVES[name])
    assert hard >= 20
    assert failed == 0


@pytest.mark.parametrize(("i", "library"), list(enumerate(LIBRARIES)))
def test_the_totals_are_those_of_the_table(i: int, library: str) -> None:
    known = [cells for cells in TABLE.values() if cells[i] != "-"]
    failed, hard = sum(int(cells[5 + i]) for cells in known), sum(int(cells[4]) for cells in known)
    assert re.search(
        rf"^- {library}: \d+ of {len(known)} .* {failed} of {hard:,} hard points failed$",
        ACCURACY,
        re.MULTILINE,
    )


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        (ACCURACY, ("torch", "jax", "autograd", "mpmath")),
        (PERFORMANCE, ("micrograd", "torch", "jax", "autograd", "casadi")),
    ],
)
def test_versions_are_those_of_the_extras(text: str, packages: tuple[str, ...]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = (
        extras["optional-dependencies"]["benchmarks"] + extras["optional-dependencies"]["peers"]
    )
    (line,) = re.findall(r"^CPython (?:.|\n\S)*;", text, re.MULTILINE)
    for package in packages:
        (version,) = re.findall(rf"\s{package} ([\d.]+)", line)
        assert f"{package}=={version.rstrip('.')}" in pinned


@pytest.mark.parametrize(
    ("page", "packages", "least"),
    [
        pytest.param("performance", "torch", 5, marks=pytest.mark.torch),
        pytest.param("pytorch", "torch safetensors", 28, marks=pytest.mark.torch),
        ("numpy", "numpy", 26),
        ("scipy", "scipy", 40),
        ("fitting", "lmfit iminuit", 25),
        ("symbols", "sympy mpmath uncertainties", 32),
        ("pandas", "pandas", 13),
    ],
)
def test_pages_that_need_more_than_the_test_extra(page: str, packages: str, least: int) -> None:
    for package in packages.split():
        pytest.importorskip(package)
    file = ROOT / "docs" / f"{page}.md"
    failed, attempted = doctest.testfile(str(file), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert attempted >= least


def test_the_page_on_the_gpt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples")
    failed, attempted = doctest.testfile(
        str(ROOT / "docs" / "gpt.md"), module_relative=False, encoding="utf-8"
    )
    assert failed == 0
    assert attempted >= 16


def test_the_graph_of_a_head_is_that_of_the_notebook() -> None:
    notebook = json.loads((ROOT / "examples" / "gpt.ipynb").read_text("utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    (drawn,) = [x["data"]["image/svg+xml"] for x in outputs if "image/svg+xml" in x.get("data", {})]
    assert (STATIC / "gpt-head.svg").read_text("utf-8") == "".join(drawn)


@pytest.mark.long
def test_the_pictures_on_the_gpt(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "gpt_pictures.py"), str(tmp_path)]
    subprocess.run(command, check=True, timeout=600)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["gpt-attention.svg", "gpt-head.svg"]
    for name in names:
        assert (tmp_path / name).read_text("utf-8") == (STATIC / name).read_text("utf-8")


def test_the_drawing_on_the_front_page() -> None:
    page = (ROOT / "docs" / "index.md").read_text("utf-8")
    names: dict[str, Any] = {}
    for example in doctest.DocTestParser().get_examples(page):
        exec(example.source, names)
    drawn = mg.draw(names["z"], engine="builtin").to_svg()
    assert (STATIC / "graph.svg").read_text("utf-8") == drawn


def test_the_drawing_beside_those_of_other_libraries() -> None:
    page = (ROOT / "docs" / "drawing.md").read_text("utf-8")
    assert (pictures.STATIC / "neuron.svg").read_text("utf-8") == pictures.ours()
    for name in pictures.PICTURES:
        assert f"](static/{name})" in page
        assert (pictures.STATIC / name).exists()


def test_the_graph_of_micrograd_has_a_record_for_each_number() -> None:
    engine = pytest.importorskip("micrograd.engine")
    y, leaves = pictures.neuron(engine.Value)
    y.backward()
    source = pictures.traced(y, {id(leaf): name for name, leaf in leaves.items()})
    records = re.findall(r'label="{ (\w*) \| data (.*) \| grad (.*) }"', source)
    assert sorted(records) == [
        ("", "-6.0000", "1.0000"),
        *[("", "0.5000", "1.0000")] * 2,
        ("b", "6.5000", "1.0000"),
        ("w", "-3.0000", "2.0000"),
        ("x", "2.0000", "-3.0000"),
    ]
    assert sorted(re.findall(r'o\d+ \[label="(.*)"]', source)) == ["*", "+", "ReLU"]
    assert source.count("->") == 3 + 5
