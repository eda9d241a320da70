"""Scripts of PyTorch that carry over: pairs that differ in their import lines alone."""

import ast
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numpy")
pytest.importorskip("sklearn")
pytest.importorskip("torch")

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


RUN = """
import json, runpy, sys
losses = runpy.run_path(sys.argv[1])["losses"]
print(json.dumps(losses))
"""


def run(path: Path) -> tuple[list[float], str]:
    """Return the losses of a script, and what it prints, in a process of its own."""
    command = [sys.executable, "-W", "error", "-c", RUN, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    text, _, losses = done.stdout.strip().rpartition("\n")
    return json.loads(losses), text


@pytest.mark.torch
@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("name", NAMES)
def test_losses_agree(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = runpy.run_path(str(PORTS / f"{name}_torch.py"))["losses"]
    their_text = capsys.readouterr().out.strip()
    ours, our_text = run(PORTS / f"{name}.py")
    assert len(theirs) >= 50
    assert theirs[-1] < theirs[0]
    assert ours == pytest.approx(theirs, rel=1e-9, abs=0.0)
    assert our_text == their_text
