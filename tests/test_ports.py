"""Scripts of PyTorch that carry over: pairs that differ in their import lines alone."""

import ast
import runpy
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")
pytest.importorskip("sklearn")
torch = pytest.importorskip("torch")

PORTS = Path(__file__).parent.parent / "examples" / "pytorch"
NAMES = sorted(path.stem for path in PORTS.glob("*.py") if not path.stem.endswith("_torch"))


def test_there_are_pairs() -> None:
    theirs = sorted(path.stem.removesuffix("_torch") for path in PORTS.glob("*_torch.py"))
    assert theirs == NAMES
    assert len(NAMES) >= 6


def without_imports(path: Path) -> list[str]:
    """Return the lines of a script but those of its imports, and empty ones beside them."""
    text = path.read_text(encoding="utf-8")
    imports = [
        node for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    left_out = {i for node in imports for i in range(node.lineno, (node.end_lineno or 0) + 1)}
    lines = text.splitlines()
    head, *rest = [line for i, line in enumerate(lines, 1) if i not in left_out]
    while not rest[0]:
        rest.pop(0)
    return [head, *rest]


@pytest.mark.parametrize("name", NAMES)
def test_only_imports_differ(name: str) -> None:
    ours, theirs = PORTS / f"{name}.py", PORTS / f"{name}_torch.py"
    assert without_imports(ours) == without_imports(theirs)
    assert 40 <= len(theirs.read_text(encoding="utf-8").splitlines()) <= 100
    assert "torch" not in ours.read_text(encoding="utf-8").replace("microgradlib", "")


def run(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    names = runpy.run_path(str(path))
    return names, capsys.readouterr().out


@pytest.mark.torch
@pytest.mark.parametrize("name", NAMES)
def test_losses_agree(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    theirs, their_text = run(PORTS / f"{name}_torch.py", capsys)
    ours, our_text = run(PORTS / f"{name}.py", capsys)
    assert len(theirs["losses"]) >= 50
    assert theirs["losses"][-1] < theirs["losses"][0]
    assert ours["losses"] == pytest.approx(theirs["losses"], rel=1e-9, abs=0.0)
    assert our_text == their_text
