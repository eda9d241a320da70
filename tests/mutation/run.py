"""Mutation testing: break the library in every small way, and see whether the tests notice.

    python tests/mutation/run.py special nn             every mutant of these modules
    python tests/mutation/run.py                        every mutant of every module
    python tests/mutation/run.py --sample 60 --seed 1   some of them

The mutants are those of mutmut. They are not run by ``mutmut run``, which imports the package once
and then exchanges functions: it leaves out what happens at import, and that is the whole table of
primitives. Here every mutant is a changed file, imported anew in a process of its own, forked from
one that has pytest loaded already.

Survivors are printed as diffs. Those that no test can tell from the original are listed, with the
reason, in ``equivalent.toml``; any other makes the exit status 1, and so does an entry of that file
which is killed or matches nothing any more.
"""

import argparse
import ast
import compileall
import difflib
import gc
import importlib
import importlib.util
import itertools
import math
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ["HYPOTHESIS_NO_PLUGINS"] = "1"  # ours would import the package before it is mutated
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # looking for them takes longer than a test

import _hypothesis_pytestplugin  # noqa: F401 (loaded here once, and not by every process)
import hypothesis.strategies  # noqa: F401
import libcst as cst
import libcst.matchers as m
import pytest
from libcst.metadata import MetadataWrapper, WhitespaceInclusivePositionProvider
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "microgradlib"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")

# The tests of each module, in the order in which they are likely to notice.
TESTS = {
    "primitives": (
        *("primitives", "policy", "functions", "value", "misuse", "extending", "compiling"),
    ),
    "special": ("primitives", "special", "policy"),
    "activations": ("primitives", "activations", "policy"),
    "piecewise": ("primitives", "policy"),
    "reductions": ("primitives", "reductions", "policy", "nn"),
    "functions": ("functions", "misuse", "policy", "nn"),
    "math": ("math", "misuse"),
    "fusing": ("fusing",),
    "nn": ("nn", "fusing", "misuse", "transforms", "compiling"),
    "optim": ("optim", "misuse"),
    "random": ("random", "misuse"),
    "serialization": ("serialization", "misuse"),
    "modes": ("modes", "value", "transforms", "extending", "compiling"),
    "value": (
        *("value", "functions", "misuse", "policy", "checking", "extending", "transforms"),
        *("explaining", "fusing", "compiling"),
    ),
    "checking": ("checking", "misuse"),
    "trees": ("trees", "transforms", "checking"),
    "transforms": ("transforms", "checking", "extending", "compiling"),
    "extending": ("extending",),
    "compiling": ("compiling",),
    "tracing": ("compiling",),
    "instructions": ("compiling",),
    "layout": ("layout", "rendering", "graph"),
    "rendering": ("rendering", "graph"),
    "graph": ("graph", "misuse", "explaining"),
    "explaining": ("explaining", "misuse"),
    "testing": ("testing", "structure"),
    "_hypothesis": ("testing",),
}
# A sample leaves these out unless they are named: it would spend its time on their unbroken tests.
SLOW = (
    *("nn", "modes", "value", "checking", "trees", "transforms", "extending"),
    *("compiling", "tracing", "instructions", "testing", "_hypothesis"),
    *("layout", "rendering", "graph", "explaining"),
)
OPTIONS = ("-x", "--ff", "-q", "-m", "not torch", "-o", "addopts=")
OPTIONS += ("-p", "_hypothesis_pytestplugin", "--hypothesis-profile=ci")
OPTIONS += ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # of what is loaded once for all
PATIENCE = 4.0  # a mutant is killed if its tests take this much longer than without it
MEMORY = 4 * 2**30  # so is one that asks for more bytes

Key = tuple[str, str]


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    module: str
    where: str  # module, class and function
    original: str
    code: str

    @property
    def diff(self) -> str:
        """The lines taken away and added, without indentation."""
        old, new = self.original.splitlines(), self.code.splitlines()
        lines = list(difflib.unified_diff(old, new, n=0, lineterm=""))[2:]
        return "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines if line[0] in "-+")

    @property
    def key(self) -> Key:
        """What tells mutants apart, whatever line they are on."""
        return self.where, self.diff


class Visitor(MutationVisitor):
    """Find mutations everywhere: mutmut's trampolines do not reach decorated functions."""

    def __init__(self) -> None:
        super().__init__(mutation_operators, IgnoredCode(set(), set(), set()))

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if is_strict(node) or is_for_type_checkers(node) or is_for_another_python(node):
            return True
        if isinstance(node, cst.FunctionDef | cst.Param):
            return False
        return super()._skip_node_and_children(node)  # annotations, decorators, len, isinstance


def is_strict(node: cst.CSTNode) -> bool:
    """Return whether a node is the ``strict`` of a zip, which only says that lengths are equal."""
    return isinstance(node, cst.Arg) and node.keyword is not None and node.keyword.value == "strict"


def is_for_type_checkers(node: cst.CSTNode) -> bool:
    """Return whether a node is a TypeVar, a TypeAlias, or the stub of an overload."""
    overload = m.Decorator(decorator=m.Name("overload"))
    stub = m.FunctionDef(decorators=[m.ZeroOrMore(), overload, m.ZeroOrMore()])
    variable = m.Assign(value=m.Call(func=m.Name("TypeVar")))
    alias = m.AnnAssign(annotation=m.Annotation(m.Name("TypeAlias")))
    return m.matches(node, m.OneOf(stub, variable, alias))


def is_for_another_python(node: cst.CSTNode) -> bool:
    """Return whether a node is the like of ``if hasattr(_math, "fma")``, where that is false."""
    test = cst.Module([]).code_for_node(node.test) if isinstance(node, cst.If) else ""
    asks = test.startswith(("hasattr(_math, ", "sys.version_info"))
    return asks and not eval(test, {"_math": math, "sys": sys})


def changes_nothing(old: cst.CSTNode, new: cst.CSTNode) -> bool:
    """Return whether a mutation is none: 1e300 + 1 is 1e300."""
    if isinstance(old, cst.Float) and isinstance(new, cst.Float):
        return old.evaluated_value == new.evaluated_value
    if isinstance(old, cst.Call) and isinstance(new, cst.Call) and old.func is new.func:
        kept = [[arg for arg in call.args if not is_strict(arg)] for call in (old, new)]
        return kept[0] == kept[1]
    return False


def mutants(module: str) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    code = (SOURCE / f"{module}.py").read_text(encoding="utf-8")
    scopes = [(module, 0, sys.maxsize), *name_scopes(ast.parse(code), module)]
    starts = [0, *itertools.accumulate(map(len, code.splitlines(keepends=True)))]
    visitor = Visitor()
    wrapper = MetadataWrapper(cst.parse_module(code))
    ranges = wrapper.resolve(WhitespaceInclusivePositionProvider)
    tree = wrapper.visit(visitor)
    seen = {code}
    for mutation in visitor.mutations:
        if changes_nothing(mutation.original_node, mutation.mutated_node):
            continue
        start, end = ranges[mutation.original_node].start, ranges[mutation.original_node].end
        before = code[: starts[start.line - 1] + start.column]
        new = tree.code_for_node(mutation.mutated_node)
        mutated = before + new + code[starts[end.line - 1] + end.column :]
        if "\n" in new:  # a node does not know its indentation; slow
            mutated = tree.deep_replace(mutation.original_node, mutation.mutated_node).code
        if mutated not in seen:
            seen.add(mutated)
            where = [name for name, first, last in scopes if first <= start.line <= last][-1]
            yield Mutant(module, where, code, mutated)


def name_scopes(node: ast.AST, name: str) -> Iterator[tuple[str, int, int]]:
    """Yield the classes and functions within a node, each before what it contains."""
    for child in ast.iter_child_nodes(node):
        inner = name
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            inner = f"{name}.{child.name}"
            yield inner, child.lineno, child.end_lineno or sys.maxsize
        yield from name_scopes(child, inner)


def run_tests(directory: Path, module: str) -> None:
    """Run the tests of a module on the package in the directory; exit as pytest does."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    sys.path.insert(0, str(directory))
    os.environ["PYTHONPATH"] = str(directory)  # for the tests that start Python
    del os.environ["HYPOTHESIS_NO_PLUGINS"]
    importlib.import_module("microgradlib._hypothesis").register()
    # One file after the other: a mutant that the first one kills needs no other to be collected.
    for name in TESTS[module]:
        options = (*OPTIONS, "-o", f"cache_dir={directory / 'cache'}")
        if status := pytest.main([*options, f"tests/test_{name}.py"]):
            os._exit(status)
    os._exit(0)


def try_out(directory: Path, module: str, seconds: float) -> str:
    """Tell how the tests of a module take the package in the directory."""
    process = multiprocessing.get_context("fork").Process(
        target=run_tests, args=(directory, module)
    )
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        return "too slow"
    return "failed" if process.exitcode else "passed"


def judge(mutant: Mutant, directory: Path, seconds: float) -> str:
    """Tell how the tests take a mutant."""
    file = directory / "microgradlib" / f"{mutant.module}.py"
    original = file.read_bytes()
    Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)
    file.write_text(mutant.code, encoding="utf-8")
    try:
        return try_out(directory, mutant.module, seconds)
    finally:
        file.write_bytes(original)


def known_equivalents() -> set[Key]:
    """Return the keys of the mutants that ``equivalent.toml`` lists."""
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["equivalent"]
    return {
        (where, diff.strip())
        for entry in entries
        for where, diffs in entry["mutants"].items()
        for diff in diffs
    }


def main() -> int:
    """Run the mutants that were asked for, and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="by default, all; of a sample, the quick ones")
    parser.add_argument("--sample", type=int, help="how many mutants to draw from them")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    arguments = parser.parse_args()
    if unknown := set(arguments.modules) - set(TESTS):
        parser.error(f"no tests are known for {sorted(unknown)}; TESTS names those of each module")

    left_out = SLOW if arguments.sample else ()
    modules = arguments.modules or [module for module in TESTS if module not in left_out]
    chosen = [mutant for module in modules for mutant in mutants(module)]
    known = {key for key in known_equivalents() if key[0].split(".")[0] in modules}
    stale = set() if arguments.sample else known - {mutant.key for mutant in chosen}
    if arguments.sample:
        chosen = random.Random(arguments.seed).sample(chosen, min(arguments.sample, len(chosen)))
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        shutil.copytree(SOURCE, directory / "microgradlib", ignore=lambda *_: ["__pycache__"])
        compileall.compile_dir(directory, quiet=1)
        limits = {}
        for module in dict.fromkeys(mutant.module for mutant in chosen):
            start = time.monotonic()
            if try_out(directory, module, seconds=600.0) != "passed":
                raise SystemExit(f"the tests of {module} fail as it stands")
            limits[module] = 5.0 + PATIENCE * (time.monotonic() - start)
        sys.dont_write_bytecode = True  # mutants of one second would be taken for one another
        gc.freeze()  # what is loaded is not looked through again by every process
        survivors, unknown, slow = [], [], 0
        for mutant in progress(chosen):
            outcome = judge(mutant, directory, limits[mutant.module])
            slow += outcome == "too slow"
            if outcome == "passed":
                survivors.append(mutant)
                if mutant.key not in known:
                    unknown.append(mutant)
                    print(f"\nsurvived in {mutant.where}:\n{mutant.diff}\n", flush=True)

    wrong = known & {mutant.key for mutant in chosen} - {mutant.key for mutant in survivors}
    for where, diff in sorted(wrong):
        print(f"\nlisted as equivalent, but killed, in {where}:\n{diff}")
    for where, diff in sorted(stale):
        print(f"\nlisted as equivalent, but no mutant, in {where}:\n{diff}")
    report(chosen, survivors, unknown)
    print(f"killed by the time limit: {slow}")
    return 1 if unknown or wrong or stale else 0


def progress(chosen: list[Mutant]) -> Iterator[Mutant]:
    """Yield the mutants, and tell the time now and then."""
    start = time.monotonic()
    for i, mutant in enumerate(chosen):
        if i % 100 == 0:
            print(f"{i} of {len(chosen)} after {time.monotonic() - start:.0f} s", flush=True)
        yield mutant


def report(chosen: list[Mutant], survivors: list[Mutant], unknown: list[Mutant]) -> None:
    """Print the scores: the share that was killed, of all and of all but the equivalent."""
    counts = [Counter(mutant.module for mutant in group) for group in (chosen, survivors, unknown)]
    print(f"\n{'module':14} mutants  killed  equivalent  survived   score  of the others")
    for module in [*counts[0], "total"] if len(counts[0]) > 1 else counts[0]:
        total, alive, bad = (c.total() if module == "total" else c[module] for c in counts)
        others = total - alive + bad
        print(
            f"{module:14} {total:7} {total - alive:7} {alive - bad:11} {bad:9} "
            f"{1.0 - alive / total:7.1%} {1.0 - bad / max(others, 1):14.1%}"
        )


if __name__ == "__main__":
    sys.exit(main())
