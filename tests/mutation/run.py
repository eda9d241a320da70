"""Mutation testing: break the library in every small way, and see whether the tests notice.

    python tests/mutation/run.py numeric.special nn     every mutant of a module and of a room
    python tests/mutation/run.py                        every mutant of every module
    python tests/mutation/run.py --sample 60 --seed 1   some of them

The mutants are not run by ``mutmut run``, which imports the package once and then exchanges
functions: it leaves out what happens at import, and that is the whole table of primitives. Here
every mutant is a changed file, imported anew in a process of its own, forked from one that has
pytest loaded already.

``equivalent.toml`` lists how many mutants no test can tell from the original, by function and kind
of change. The exit status is 1 if more survive, if fewer survive although all of that function and
kind were run, or if the list names a function that does not exist.
"""

import argparse
import compileall
import gc
import importlib
import math
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from mutants import SOURCE, Key, Mutant, all_modules, definitions, mutants, path_of

ROOT = Path(__file__).parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.toml")

# The tests of each module, or of a room for those of its modules that are not named: test files or
# single tests, in the order in which they are likely to notice a mutant.
TESTS = {
    "__init__": (
        "structure::test_all_names_what_is_public "
        "structure::test_the_version_is_that_of_the_distribution"
    ),
    "_hypothesis": (
        "testing::test_the_entry_point_registers_the_type "
        "testing::test_nothing_is_registered_where_hypothesis_is_not_imported"
    ),
    "absent": "error_messages misuse",
    "checking": "checking misuse structure::test_modules_name_what_is_public",
    "compiling": "compiling compiled_calls export buffers native compiled_pickling",
    "compiling.bundles": "scan",
    "compiling.conditions": "conditions",
    "compiling.copies": "copies",
    "compiling.decisions": "compiling scan compiled_calls",
    "compiling.looping": "scan",
    "compiling.loops": "scan",
    "compiling.pulling": "scan",
    "compiling.ranges": "buffers compiled_calls export",
    "compiling.sharing": "scan",
    "compiling.stepping": "scan",
    "compiling.symbols": "compiling scan compiled_calls export native compiled_pickling",
    "core.backprop": "value checking identities transforms explain compiling",
    "core.nonfinite": "value misuse anomaly transforms",
    "core.operators": "value primitives functions misuse",
    "core.primitive": "primitives value misuse extending compiling",
    "core.table": "primitives policy functions value extending compiling",
    "core.value": "value functions misuse policy checking extending transforms compiling",
    "data": "data structure::test_modules_name_what_is_public",
    "drawing": "draw summary layout rendering explain anomaly misuse",
    "errors": "error_messages misuse",
    "extending": "extending",
    "functions": "functions misuse policy nn losses",
    "functions.classes": "losses nn misuse",
    "functions.losses": "losses nn misuse",
    "functions.layers": "layers",
    "interpreters": "modes anomaly value transforms compiling",
    "many": "vmap vmap_machine vmap_blocks vmap_threads",
    "many.columns": "vmap vmap_machine vmap_blocks scan",
    "many.scan": "scan",
    "math": "math misuse",
    "modes": "modes value extending transforms compiling",
    "nn": "layers nn misuse transforms compiling",
    "nn.functional": "losses nn",
    "nn.init": "init",
    "nn.utils": "init",
    "nn.wrapped": "losses layers nn",
    "notes": "misuse primitives value draw",
    "numeric.activations": "primitives activations policy",
    "numeric.conversion": "misuse primitives value math",
    "numeric.exact": "exact",
    "numeric.loops": "scan",
    "numeric.piecewise": "primitives policy",
    "numeric.reductions": "primitives reductions policy nn",
    "numeric.special": "primitives special policy",
    "optim": "groups optim unused_parameters misuse",
    "optim.lr_scheduler": "lr_scheduler",
    "optim.schedule": "lr_scheduler",
    "parallel": "parallel structure::test_modules_name_what_is_public",
    "autograd": "autograd",
    "parameters.filling": "init",
    "parameters": "modules parameters layers nn error_messages transforms",
    "random": "random_draws random misuse",
    "safetensors": "safetensors",
    "serialization": "serialization misuse checkpoints",
    "teardown": "structure",
    "tensorlike": "modules",
    "testing": "testing structure",
    "transforms": "transforms checking extending compiling",
    "training": "compiled_step lr_scheduler",
    "trees": "trees arrays checking transforms",
    "ufuncs": "arrays",
}
# A sample leaves out the modules whose first tests are these, unless the modules are named: running
# them once with the library as it is takes longer than the rest of the sample.
SLOW = ("compiling", "testing", "transforms")
OPTIONS = (
    *("-x", "--ff", "-q", "-m", "not torch", "-o", "addopts="),
    *("-p", "_hypothesis_pytestplugin", "--hypothesis-profile=ci"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # of what is loaded once for all
)
# A mutant is killed if its tests take so many times as long as without it, in processor time, which
# does not depend on what else the machine does, or if they wait that much longer for something.
PATIENCE, WAITING = 4.0, 10.0
MEMORY = 4 * 2**30  # it is killed, too, if it asks for more bytes


def tests_of(module: str) -> list[str]:
    """Return the tests of a module, or else those of its room, or none."""
    return (TESTS.get(module) or TESTS.get(module.split(".")[0], "")).split()


def select(names: Sequence[str], modules: Sequence[str]) -> list[str]:
    """Return the modules that have, or whose room has, one of the names; all if there are none."""
    rooms = {module.split(".")[0] for module in modules}
    if unknown := sorted({*names} - {*modules} - rooms):
        raise SystemExit(f"neither a module nor a room: {', '.join(unknown)}")
    return [x for x in modules if not names or x in names or x.split(".")[0] in names]


def check_tests(modules: Sequence[str]) -> None:
    """Raise SystemExit unless TESTS has tests for each module, and only for modules that exist."""
    if missing := [module for module in modules if not tests_of(module)]:
        raise SystemExit(f"no tests are listed in TESTS for: {', '.join(missing)}")
    if gone := [name for name in TESTS if not path_of(name).exists()]:
        raise SystemExit(f"TESTS lists what is neither a module nor a room: {', '.join(gone)}")


def draw(population: Sequence[Mutant], size: int, seed: int) -> list[Mutant]:
    """Return a sample with at least one mutant of every module, in the order of the modules."""
    rng = random.Random(seed)
    shuffled = rng.sample(range(len(population)), len(population))
    first = {population[i].module: i for i in shuffled}
    others = [i for i in shuffled if first[population[i].module] != i]
    return [population[i] for i in sorted([*first.values(), *others][: max(size, len(first))])]


def read_listed(text: str) -> Counter[Key]:
    """Return how many mutants of each function and kind ``equivalent.toml`` lists."""
    listed: Counter[Key] = Counter()
    for reason, functions in tomllib.loads(text).items():
        for function, kinds in functions.items():
            for kind, count in kinds.items():
                if type(count) is not int or count < 1:
                    raise SystemExit(f"{function}, {kind}: {count} is no count, in {reason!r}")
                listed[function, kind] += count
    return listed


class Workshop:
    """A copy of the package, in which one file at a time is changed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.package = directory / "microgradlib"
        shutil.copytree(SOURCE, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(self.package, quiet=1)
        self.limits: dict[str, float] = {}
        self.judged = 0

    def judge(self, mutant: Mutant) -> str:
        """Tell how the tests of its module take a mutant: passed, failed or too slow."""
        original = path_of(mutant.module)
        file = self.package / original.relative_to(SOURCE)
        self.judged += 1
        for test in tests_of(mutant.module):
            limit = self.limit(test)
            file.write_text(mutant.code, encoding="utf-8")
            # The compiled file of another mutant, or of the original, has another time in it.
            os.utime(file, (self.judged, self.judged))
            try:
                outcome = self.run(test, limit)
            finally:
                shutil.copy2(original, file)
            if outcome != "passed":
                return outcome
        return "passed"

    def limit(self, test: str) -> float:
        """Return the seconds that a test may take: more than it does with the library as it is."""
        if test not in self.limits:
            start = processor_time()
            if self.run(test, seconds=600.0) != "passed":
                raise SystemExit(f"test_{test} fails with the library as it is")
            self.limits[test] = 5.0 + PATIENCE * (processor_time() - start)
        return self.limits[test]

    def run(self, test: str, seconds: float) -> str:
        """Run a test file, or one test, in a process of its own."""
        context = multiprocessing.get_context("fork")
        process = context.Process(target=run_test, args=(self.directory, test, math.ceil(seconds)))
        process.start()
        process.join(WAITING * seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
        if process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL):
            return "too slow"
        return "failed" if process.exitcode else "passed"


def processor_time() -> float:
    """Return the seconds of processor time of all processes that were started and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_test(directory: Path, test: str, seconds: int) -> None:
    """Run a test on the package in the directory; exit as pytest does."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    sys.path.insert(0, str(directory))
    os.environ["PYTHONPATH"] = str(directory)  # for the tests that start Python
    del os.environ["HYPOTHESIS_NO_PLUGINS"]
    importlib.import_module("microgradlib._hypothesis").register()
    file, *single = test.split("::")
    path = "::".join([f"tests/test_{file}.py", *single])
    os._exit(pytest.main([*OPTIONS, "-o", f"cache_dir={directory / 'cache'}", path]))


def load_plugins() -> None:
    """Import once what every process would import, but not the package that is to be mutated."""
    os.environ["HYPOTHESIS_NO_PLUGINS"] = "1"  # Hypothesis would load our entry point
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # looking for plugins takes long
    importlib.import_module("_hypothesis_pytestplugin")
    importlib.import_module("hypothesis.strategies")


def run_mutants(chosen: Sequence[Mutant], listed: Counter[Key]) -> list[Mutant]:
    """Run mutants and return those that survive; print those of which fewer are listed."""
    start, slow = time.monotonic(), 0
    survivors: list[Mutant] = []
    survived: Counter[Key] = Counter()
    with tempfile.TemporaryDirectory() as name:
        workshop = Workshop(Path(name))
        load_plugins()
        gc.freeze()  # what is loaded is not looked through again by every process
        for i, mutant in enumerate(chosen):
            if i % 100 == 0:
                print(f"{i} of {len(chosen)} after {time.monotonic() - start:.0f} s", flush=True)
            outcome = workshop.judge(mutant)
            slow += outcome == "too slow"
            if outcome == "passed":
                survivors.append(mutant)
                survived[mutant.key] += 1
                if survived[mutant.key] > listed[mutant.key]:
                    print(f"\nsurvived in {mutant}\n", flush=True)
    print(f"all after {time.monotonic() - start:.0f} s; {slow} were too slow\n")
    return survivors


def compare(listed: Counter[Key], survived: Counter[Key], left: Counter[Key]) -> Iterator[str]:
    """Yield where the list and the survivors differ; ``left`` are the mutants that did not run."""
    for function, kind in sorted(listed.keys() | survived.keys()):
        alive, known = survived[function, kind], listed[function, kind]
        if alive > known or (alive < known and not left[function, kind]):
            yield f"{function}, {kind}: {alive} survived, {known} listed as equivalent"


def report(chosen: Sequence[Mutant], survivors: Sequence[Mutant], listed: Counter[Key]) -> None:
    """Print how many mutants were killed, for each module and in all."""
    equivalent: Counter[str] = Counter()
    rest = listed.copy()
    for mutant in survivors:
        equivalent[mutant.module] += rest[mutant.key] > 0
        rest[mutant.key] -= 1
    ran = Counter(mutant.module for mutant in chosen)
    alive = Counter(mutant.module for mutant in survivors)
    print(f"{'module':22} mutants  equivalent  killed  survived")
    for module, n in ran.items():
        known, killed = equivalent[module], n - alive[module]
        print(f"{module:22} {n:7} {known:11} {killed:7} {n - known - killed:9}")
    killed, total = ran.total() - alive.total(), ran.total() - equivalent.total()
    print(f"\nkilled {killed} of {total}, {100 * killed / max(total, 1):.1f} %")


def main() -> int:
    """Run the mutants that were asked for, and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="of modules and rooms; by default, all of them")
    parser.add_argument("--sample", type=int, help="how many to draw: one of each module, or more")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    modules = all_modules()
    check_tests(modules)
    selected = select(arguments.names, modules)
    if arguments.sample and not arguments.names:
        selected = [module for module in selected if tests_of(module)[0] not in SLOW]
    listed = read_listed(EQUIVALENT.read_text(encoding="utf-8"))
    possible = chosen = [mutant for module in selected for mutant in mutants(module)]
    if arguments.sample:
        chosen = draw(possible, arguments.sample, arguments.seed)
    survivors = run_mutants(chosen, listed)

    ran, survived = (Counter(mutant.key for mutant in group) for group in (chosen, survivors))
    left = Counter(mutant.key for mutant in possible) - ran
    elsewhere = {x for module in set(modules) - set(selected) for x, *_ in definitions(module)}
    left.update(key for key in listed if key[0] in elsewhere)
    differences = list(compare(listed, survived, left))
    print("".join(f"{line}\n" for line in differences))
    for mutant in survivors:
        if survived[mutant.key] > listed[mutant.key] > 0:  # the list does not say which are known
            print(f"one of them in {mutant}\n")
    report(chosen, survivors, listed)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
