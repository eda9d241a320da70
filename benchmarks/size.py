"""Lines of the source, and the functions that one call enters: ``python benchmarks/size.py``.

Needs the ``peers`` extra. Lines are counted with docstrings, comments and empty lines. Calls are
those of functions written in Python, comprehensions and generators included, as ``sys.setprofile``
reports them. The functions of this file are left out, those of the standard library are not.
Nothing is called before it is measured, so that what only the first call does is included.
"""

import operator
import sys
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import micrograd.engine
import micrograd.nn
from timing import target

import microgradlib as mg

SOURCE = Path(mg.__file__).parent


def lines() -> None:
    """Print the lines of each file and of each room, a directory or a file of its own."""
    counts = {
        path.relative_to(SOURCE): len(path.read_text(encoding="utf-8").splitlines())
        for path in sorted(SOURCE.rglob("*.py"))
    }
    print("\nLines")
    rooms: dict[str, int] = {}
    for room, paths in groupby(counts, lambda path: path.parts[0].removesuffix(".py")):
        files = list(paths)
        rooms[room] = sum(counts[path] for path in files)
        print(f"  {room:40}{rooms[room]:6,}")
        if len(files) > 1:
            for path in files:
                print(f"    {path.as_posix():38}{counts[path]:6,}")
    print(f"  {'total':40}{sum(counts.values()):6,}")
    target("core/", rooms["core"], operator.le, 1_100)
    target("core/value.py", counts[Path("core/value.py")], operator.le, 350)
    target("total", sum(counts.values()), operator.le, 12_000)


class Way(NamedTuple):
    """The calls of a run, its functions, and their files."""

    calls: int
    functions: int
    files: int


def way(run: Callable[[], object]) -> Way:
    """Return the calls of a run."""
    calls: Counter[CodeType] = Counter()

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename != __file__:
            calls[frame.f_code] += 1

    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
    return Way(calls.total(), len(calls), len({code.co_filename for code in calls}))


def f(x: Any) -> Any:
    return x * x


def ways() -> None:
    """Print the calls of small programs, beside those of micrograd."""
    ours, theirs = mg.Value(0.5), micrograd.engine.Value(0.5)
    model, their_model = mg.nn.MLP(2, [2, 1]), micrograd.nn.MLP(2, [2, 1])
    programs: dict[str, Callable[[], object]] = {
        "(x * x).tanh().backward()": lambda: (ours * ours).tanh().backward(),
        "micrograd: (x * x).relu().backward()": lambda: (theirs * theirs).relu().backward(),
        "MLP(2, [2, 1]), first call": lambda: model([0.5, 0.25]),
        "MLP(2, [2, 1]), second call": lambda: model([0.5, 0.25]),
        "micrograd: MLP(2, [2, 1])": lambda: their_model([0.5, 0.25]),
        "value_and_grad(f)(0.5)": lambda: mg.value_and_grad(f)(0.5),
        "micrograd: f(x).backward()": lambda: f(theirs).backward(),
    }
    print(f"{'':40}{'calls':>8}{'functions':>12}{'files':>8}")
    found = {}
    for name, run in programs.items():
        found[name] = w = way(run)
        print(f"  {name:38}{w.calls:8,}{w.functions:12}{w.files:8}")
    small, network, *_ = (w for name, w in found.items() if "micrograd" not in name)
    target("(x * x).tanh().backward(), functions", small.functions, operator.le, 12)
    target("MLP(2, [2, 1]), first call, functions", network.functions, operator.le, 20)
    target("MLP(2, [2, 1]), first call, files", network.files, operator.le, 4)


if __name__ == "__main__":
    print(f"CPython {sys.version.split()[0]}")
    ways()
    lines()
