"""Break every module of the library on purpose: ``python tests/breaks.py``.

For each module there is one small mistake and the tests that have to notice it. Each mistake is
made in a copy of the tree. The script fails if one goes unnoticed, if a text to replace is gone, or
if a module has no mistake here.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# module: the text to replace, what replaces it, the tests that turn red
BREAKS = {
    "__init__": ('    "where",\n]', "]", "test_structure.py::test_all_names_what_is_public"),
    "_hypothesis": (
        "return values()",
        "return values().map(str)",
        "test_testing.py::test_the_entry_point_registers_the_type",
    ),
    "activations": (
        "return 4.0 * e / q / q",
        "return 1.0 - math.tanh(x) ** 2",
        "test_primitives.py",
    ),
    "checking": ("_SAFETY = 4.0", "_SAFETY = 4e8", "test_checking.py"),
    "compiling": (
        "            if otherwise is None: raise",
        "            raise",
        "test_compiling.py",
    ),
    "errors": (
        "StateDictError(MicrogradError, ValueError)",
        "StateDictError(MicrogradError)",
        "test_misuse.py",
    ),
    "explaining": (
        "        self.totals.append(total)",
        "        self.totals.append(total + 1.0)",
        "test_explaining.py",
    ),
    "extending": ("gradcheck(function, point, order=order)", "pass", "test_extending.py"),
    "functions": (
        '"none" else primitives.gelu_tanh',
        '"tanh" else primitives.gelu_tanh',
        "test_functions.py",
    ),
    "fusing": (
        "adjoints[j] + term if j in adjoints else term",
        "term",
        "test_fusing.py",
    ),
    "graph": (
        "inputs[node] = node._prev",
        "inputs[node] = tuple(dict.fromkeys(node._prev))",
        "test_graph.py",
    ),
    "instructions": (
        "yield expression.right, own + 1",
        "yield expression.right, own",
        "test_compiling.py",
    ),
    "layout": (
        "while pools and pools[-1][0] >= mean:",
        "while False:",
        "test_layout.py",
    ),
    "math": ("return getattr(_math, name)", "return 0.0", "test_math.py"),
    "modes": ("with set_grad_enabled(False):", "with set_grad_enabled(True):", "test_modes.py"),
    "nn": ("to_weights = (1.0, *data)", "to_weights = (0.0, *data)", "test_nn.py"),
    "optim": ("rate = self.lr / (1.0 - beta1**step)", "rate = self.lr", "test_optim.py"),
    "piecewise": ("0.5 if x == y", "1.0 if x == y", "test_policy.py"),
    "primitives": ("lambda y, x: (-sin(x),)", "lambda y, x: (sin(x),)", "test_primitives.py"),
    "random": ("word >> 30", "word >> 29", "test_random.py"),
    "reductions": ("math.fsum(xs)", "sum(xs)", "test_policy.py"),
    "rendering": ('.replace("&", "&amp;")', "", "test_rendering.py"),
    "serialization": ("os.fsync(file.fileno())", "pass", "test_serialization.py"),
    "special": ("t = 134217729.0 * a", "t = 65537.0 * a", "test_primitives.py"),
    "testing": ("max(interval.low, -magnitude)", "max(interval.low, -1e9)", "test_testing.py"),
    "tracing": ("result._prev = (x,)", "result._prev = ()", "test_compiling.py"),
    "transforms": ("return record(primitives.identity, (x,))", "return x", "test_transforms.py"),
    "trees": ('make = getattr(kind, "_make", kind)', "make = kind", "test_trees.py"),
    "value": (
        "adjoints[x] += adjoint * partial",
        "adjoints[x] = adjoint * partial",
        "test_value.py",
    ),
}


def run(module: str) -> str:
    """Break a copy of the tree, run the tests that should notice, and say what came of it."""
    old, new, tests = BREAKS[module]
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        for name in ("src", "tests"):
            ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
            shutil.copytree(ROOT / name, tree / name, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", tree)
        file = tree / "src" / "microgradlib" / f"{module}.py"
        source = file.read_text(encoding="utf-8")
        if source.count(old) != 1:
            return f"the text occurs {source.count(old)} times, not once: {old!r}"
        file.write_text(source.replace(old, new), encoding="utf-8")
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", f"tests/{tests}"],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree / "src")},
            capture_output=True,
            text=True,
        )
    if result.returncode == 1:  # some test failed, and nothing else went wrong
        return "noticed"
    return f"not noticed (exit code {result.returncode})\n{result.stdout[-1000:]}"


def main() -> int:
    modules = {path.stem for path in (ROOT / "src" / "microgradlib").glob("*.py")}
    answers = dict.fromkeys(modules - set(BREAKS), "no mistake is listed for it")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers |= zip(BREAKS, pool.map(run, BREAKS), strict=True)
    for module, answer in sorted(answers.items()):
        print(f"{module:14} {answer}")
    return int(any(answer != "noticed" for answer in answers.values()))


if __name__ == "__main__":
    sys.exit(main())
