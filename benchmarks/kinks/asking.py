"""What libraries return at kinks and singular points: ``python benchmarks/kinks``.

Prints the answers of every installed library of ``docs/kinks.md`` beside what the page says, and
where they differ. A library that is not installed is named with the command that installs it. They
need not be in one environment: run it in each. ``--write`` puts the answers into the page.

The exit status is 1 if an answer differs.
"""

import argparse
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from kinks import arrays, duals, kernels, page, symbolic
from kinks.library import answers, differences
from kinks.page import ABSENT

ADAPTERS = {
    "ad": duals.ad,
    "Advect": arrays.advect,
    "algopy": duals.algopy,
    "autograd": arrays.autograd,
    "CasADi": symbolic.casadi,
    "hyperjet": duals.hyperjet,
    "JAX": arrays.jax,
    "mygrad": arrays.mygrad,
    "num_dual": duals.num_dual,
    "numdifftools": arrays.numdifftools,
    "PyTensor": arrays.pytensor,
    "PyTorch": arrays.pytorch,
    "SymEngine": symbolic.symengine,
    "SymPy": symbolic.sympy,
    "Taichi": kernels.taichi,
    "tinygrad": arrays.tinygrad,
    "uncertainties": duals.uncertainties,
    "Warp": kernels.warp,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("libraries", nargs="*", help="the libraries to ask, all by default")
    parser.add_argument("--write", action="store_true", help="write the answers into the page")
    options = parser.parse_args()
    if unknown := [name for name in options.libraries if name not in ADAPTERS]:
        parser.error(f"unknown library {unknown[0]}; there are {', '.join(ADAPTERS)}")

    names = options.libraries or list(ADAPTERS)
    if len(names) > 1:  # each in its own process: some of them print, or stop it
        again = [sys.executable, str(Path(__file__).parent), *["--write"] * options.write]
        print(f"CPython {platform.python_version()}", flush=True)
        return max(abs(subprocess.run([*again, name]).returncode) for name in names)
    return ask(names[0], options.write)


def ask(name: str, write: bool) -> int:
    """Print the answers of a library, and those that differ; return 1 if there are any."""
    text = page.PAGE.read_text("utf-8")
    told, (package, documented) = page.read(text), page.versions(text)[name]
    try:
        installed = version(package)
    except PackageNotFoundError:
        print(f"\n{name}: not installed; pip install {package}=={documented}")
        return 0
    print(f"\n{name} {installed} (docs/kinks.md: {documented})", flush=True)
    try:
        library = ADAPTERS[name]()
    except Exception as error:
        print(f"  cannot be started: {type(error).__name__}: {error}")
        return 0
    changed = []
    for where, of_page in told.items():
        found = answers(library, where)
        for remark, answer in found.items():
            print(f"  {where}: {answer}{f' ({remark})' if remark else ''}", flush=True)
        for remark, now, before in differences(found, of_page.get(name, {"": ABSENT})):
            changed.append(
                f"{name} {installed}: {where}{f' ({remark})' if remark else ''}: now {now}, "
                f"docs/kinks.md says {before} for {documented}"
            )
        of_page[name] = found
    print(*changed, sep="\n")
    if write:
        page.PAGE.write_text(page.write(text, told), "utf-8")
    return 1 if changed else 0
