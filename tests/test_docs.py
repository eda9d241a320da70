"""The figures of docs/accuracy.md: of all primitives, within what is promised, and of one piece."""

import re
import tomllib
from pathlib import Path

import pytest
from truths.measure import promised_ulps

from microgradlib.primitives import PRIMITIVES

ROOT = Path(__file__).parent.parent
ACCURACY = (ROOT / "docs" / "accuracy.md").read_text("utf-8")
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


def test_versions_are_those_of_the_extras() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = (
        extras["optional-dependencies"]["benchmarks"] + extras["optional-dependencies"]["peers"]
    )
    (line,) = re.findall(r"^CPython .*;$", ACCURACY, re.MULTILINE)
    for package in ("torch", "jax", "autograd", "mpmath"):
        (version,) = re.findall(rf" {package} ([\d.]+)", line)
        assert f"{package}=={version}" in pinned
