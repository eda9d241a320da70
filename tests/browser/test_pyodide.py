"""The library's own tests in Pyodide: a newer CPython than most machines have, on WebAssembly."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

FILES = [
    *("src", "docs", "README.md"),  # the doctests
    "tests/test_activations.py",
    "tests/test_compiling.py::test_derivatives_of_compiled_and_compiled_derivatives",
    "tests/test_compiling.py::test_training_gives_the_same_numbers",
    "tests/test_extending.py",
    "tests/test_functions.py",
    "tests/test_math.py",
    "tests/test_nn.py",
    "tests/test_optim.py",
    "tests/test_policy.py",
    "tests/test_primitives.py",
    "tests/test_random.py",
    "tests/test_random_draws.py",
    "tests/test_reductions.py",
    "tests/test_special.py",
    "tests/test_structure.py",
    "tests/test_trees.py",
    "tests/test_value.py",
]
# CPython 3.14 overflows WebAssembly's stack where it frees a deeply nested object that is no graph,
# such as a tuple of tuples; and there are no threads, no processes and no NumPy.
IMPOSSIBLE = [
    "--ignore=docs/explanation/order.md",
    "--ignore=docs/mistakes.md",
    "--ignore=docs/scaling.md",
    "--ignore=src/microgradlib/parallel/summing.py",
    "--ignore=src/microgradlib/safetensors.py",
    *("-k", "not deep and not thread and not first_call"),
]


def test_the_library_in_pyodide(tmp_path: Path) -> None:
    pure = ["--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none"]
    packages = ["hypothesis", "pytest"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", f"--target={tmp_path}", *pure]
    subprocess.run([*pip, *packages], check=True)
    suite = ["node", Path(__file__).with_name("suite.mjs"), tmp_path, "-m", "not torch"]
    done = subprocess.run([*suite, *IMPOSSIBLE, *FILES], cwd=ROOT, capture_output=True, text=True)
    print(done.stdout[-3000:], done.stderr[-3000:])
    assert done.returncode == 0
    assert "Python 3.14" in done.stdout
    (passed,) = re.findall(r"(\d+) passed", done.stdout)
    assert int(passed) > 2000


@pytest.mark.parametrize(
    ("pyodide", "version"), [("pyodide", "Python 3.14"), ("pyodide-next", "Python 3.15")]
)
def test_long_graphs_in_pyodide(pyodide: str, version: str) -> None:
    here = Path(__file__).parent
    program = ["node", here / "program.mjs", pyodide, here / "long_graphs.py"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)
    print(done.stdout[-3000:], done.stderr[-3000:])
    assert done.returncode == 0
    assert version in done.stdout
