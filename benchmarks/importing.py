"""What an import takes: ``python benchmarks/importing.py``.

Each time is the least of many processes, which take turns, without that of an empty interpreter.
``the standard library's part`` is what the library imports from it. Hypothesis,
where it is installed, calls a plugin of the library when it is imported.
"""

import argparse
import operator
import os
import subprocess
import sys
import time
from importlib.util import find_spec

from timing import target

PARTS = """
import sys
before = {*sys.modules}
import microgradlib
print(*sorted(name for name in {*sys.modules} - before if not name.startswith("microgradlib")))
"""


def parts() -> str:
    """Return a program that imports what the library imports from the standard library."""
    found = subprocess.run(
        [sys.executable, "-c", PARTS], capture_output=True, text=True, check=True
    )
    return "import " + ", ".join(found.stdout.split())


def least(programs: dict[str, tuple[str, dict[str, str]]], rounds: int) -> dict[str, float]:
    """Return the least time of each program, given with its environment."""
    times: dict[str, float] = {}
    for _ in range(rounds):
        for name, (program, environment) in programs.items():
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", program], env=os.environ | environment, check=True
            )
            times[name] = min(times.get(name, 60.0), time.perf_counter() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    compiled: dict[str, str] = {"PYTHONDONTWRITEBYTECODE": ""}  # to keep bytecode, as usual
    programs = {
        "empty": ("pass", compiled),
        "the standard library's part": (parts(), compiled),
        "import microgradlib": ("import microgradlib", compiled),
        "import microgradlib, and compile": ("import microgradlib as m; m.compile", compiled),
    }
    if find_spec("hypothesis"):
        alone = compiled | {"HYPOTHESIS_NO_PLUGINS": "1"}  # others, such as trio's, take longer
        plugin = "import hypothesis; import _microgradlib_hypothesis as x; x.register()"
        programs |= {
            "import hypothesis, without plugins": ("import hypothesis", alone),
            "import hypothesis, with that of the library": (plugin, alone),
        }
    times = least(programs, options.rounds)
    empty = times.pop("empty")
    print(f"CPython {sys.version.split()[0]}: {1e3 * empty:.1f} ms empty; more than that:")
    for name, t in times.items():
        print(f"  {name:<40}{1e3 * (t - empty):8.1f} ms")
    ours = times["import microgradlib"] - empty
    ratio = ours / (times["the standard library's part"] - empty)
    print(f"    the library, times the standard library's part: {ratio:.2f}")
    target("seconds of the library", ours, operator.le, 0.06)
    if find_spec("hypothesis"):
        alone_time, with_plugin = [*times.values()][-2:]
        longer = with_plugin - alone_time
        target("seconds that Hypothesis takes longer", longer, operator.le, 0.03)


if __name__ == "__main__":
    main()
