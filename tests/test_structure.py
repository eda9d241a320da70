"""The figures of structure: depth, memory, import graph, and what is where."""

import ast
import copy
import gc
import importlib.metadata
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

import microgradlib as mg
from microgradlib import (
    Value,
    checking,
    data,
    functions,
    nn,
    optim,
    parallel,
    random,
    safetensors,
    testing,
    transforms,
)
from microgradlib.core.primitive import Primitive

DEEP = 1_000_000
SOURCE = Path(mg.__file__).parent


def chain(length: int) -> tuple[Value, Value]:
    x = Value(0.5)
    y = x
    for _ in range(length // 2):
        y = y * 0.5 + x
    return x, y


def use_a_deep_graph() -> None:
    x, y = chain(DEEP)
    assert y.data == pytest.approx(1.0)
    y.backward()
    assert x.grad == pytest.approx(2.0)
    assert repr(y).startswith("Value(data=")
    gc.collect()
    for function in (copy.deepcopy, pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="belongs to a graph"):
            function(y)
    del y
    gc.collect()
    # Every operation with its inputs through a different place: both operands, many operands.
    y = x
    for _ in range(DEEP // 20):
        y = mg.maximum(mg.relu(x + y * 0.5), -1.0)
    for _ in range(DEEP // 20):
        y = mg.dot([x, y], [0.5, 0.5], mg.relu(y - 5.0))  # type: ignore[assignment]
    y.backward()
    del y


@pytest.mark.long
def test_a_deep_graph_in_a_thread_with_a_small_stack() -> None:
    assert in_small_thread(use_a_deep_graph) == [None]


def in_small_thread(f: Callable[[], None]) -> list[None]:
    done: list[None] = []
    old = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: done.append(f()))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(old)
    return done


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.usefixtures("collector_off")
def test_training_leaves_nothing_for_the_garbage_collector() -> None:
    model = nn.MLP(2, [3, 1], "tanh")
    optimizer = optim.Adam(model.parameters())
    for i in range(1000):
        loss = mg.mse_loss(model([0.1 * (i % 7), 1.0]), [0.5])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    del loss
    assert gc.collect() == 0


@pytest.mark.usefixtures("collector_off")
def test_reference_counting_frees_a_graph() -> None:
    # pytest's own objects come and go, hence the count of Values.
    _, y = chain(1000)
    y.backward()
    before = sum(issubclass(type(v), Value) for v in gc.get_objects())
    del y
    assert before - sum(issubclass(type(v), Value) for v in gc.get_objects()) == 1000


# What a learner reads: how much one call goes through, and where the chain rule stands.

WAY = """
import sys
import microgradlib as mg
x, model = mg.Value(0.5), mg.nn.MLP(2, [2, 1])
codes = set()
def profile(frame, event, _):
    if event == "call" and frame.f_code.co_filename != "<string>":
        codes.add(frame.f_code)
sys.setprofile(profile)
{}
sys.setprofile(None)
print(len(codes), len({{code.co_filename for code in codes}}))
"""


@pytest.mark.parametrize(
    ("call", "functions", "files"),
    [("(x * x).tanh().backward()", 12, 5), ("model([0.5, 0.25])", 20, 4)],
)
def test_a_first_call_goes_through_few_functions(call: str, functions: int, files: int) -> None:
    program = [sys.executable, "-c", WAY.format(call)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    found = [int(number) for number in done.stdout.split()]
    assert 4 <= found[0] <= functions
    helped = sys.version_info[:2] == (3, 13)  # teardown.py makes the nodes there
    assert 2 <= found[1] <= files + helped


class Watched(float):
    """A partial that notes which function multiplies by it."""

    by: ClassVar[list[str]] = []

    def __rmul__(self, other: float) -> float:
        self.by.append(sys._getframe(1).f_code.co_qualname)
        return other * float(self)

    __mul__ = __rmul__


def partials(y: Any, x: Any) -> tuple[float]:
    return (Watched(2.0),)


DOUBLED = Primitive("doubled", lambda x: 2.0 * x, partials, slopes=partials, listed=False)


@pytest.mark.parametrize(
    ("derive", "way"),
    [
        (lambda f: f(Value(3.0)).backward(), "pull"),
        (lambda f: mg.grad(f)(3.0), "pull"),
        (lambda f: mg.value_and_grad(f)(3.0), "pull"),
        (lambda f: mg.jacobian(lambda x: [f(x)])(3.0), "pull"),
        (lambda f: mg.vjp(f, 3.0)[1](0.5), "pull"),
        (lambda f: mg.gradcheck(f, 3.0), "pull"),
        (lambda f: mg.jvp(f, (3.0,), (0.5,)), "push"),
    ],
)
def test_the_chain_rule_stands_once(derive: Callable[[Any], object], way: str) -> None:
    Watched.by.clear()
    derive(DOUBLED)
    assert way in Watched.by
    assert {*Watched.by} <= {"pull", "push"}  # and gradcheck compares the two


# The rooms of the library, in their order: a module imports only from its own room and those above.
ROOMS = (
    *(
        "errors",
        "modes",
        "numeric",
        "notes",
        "absent",
        "tensorlike",
        "core",
        "teardown",
        "interpreters",
        "trees",
    ),
    *("functions", "math", "ufuncs", "transforms", "autograd"),
    *(
        "checking",
        "extending",
        "serialization",
        "safetensors",
        "random",
        "data",
        "compiling",
        "many",
        "parallel",
        "parameters",
    ),
    *("nn", "optim", "training", "drawing"),
    *("testing", "_hypothesis", "__init__"),
)
LONGEST = 400  # lines of a file

FILES = sorted(SOURCE.rglob("*.py"))


def room_of(path: Path) -> str:
    """Return the first part of a file's name within the package."""
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imported_rooms(path: Path) -> Iterator[str]:
    """Yield the room of each module of the package that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "microgradlib" and rest:
                yield rest.split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_import_points_up(path: Path) -> None:
    own = ROOMS.index(room_of(path))
    for name in imported_rooms(path):
        room = name if name in ROOMS else "__init__"  # a public name of the package itself
        assert ROOMS.index(room) <= own, f"{path}: imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_the_core_needs_nothing_but_the_standard_library() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                root = name.split(".")[0]
                allowed = {
                    "microgradlib",
                    "hypothesis" if path.stem in ("testing", "_hypothesis") else "",
                    *(("safetensors", "numpy") if room_of(path) == "safetensors" else ()),
                    *(("cairosvg", "matplotlib") if path.stem == "png" else ()),
                    "tqdm" if room_of(path) == "parallel" else "",  # where a bar is asked for
                }
                assert root in allowed | sys.stdlib_module_names, (path, name)


def test_modules_and_functions_never_share_a_name() -> None:
    modules = {room_of(path) for path in FILES}
    assert not modules & {name for name in mg.__all__ if name not in ("nn", "optim")}


def test_all_names_what_is_public() -> None:
    modules = {room_of(path) for path in FILES} - {"nn", "optim"}
    public = {name for name in dir(mg) if not name.startswith("_")} - modules - {"TYPE_CHECKING"}
    assert set(mg.__all__) == public


def test_what_is_imported_later_is_what_type_checkers_see() -> None:
    source = (Path(mg.__file__)).read_text("utf-8")
    (block,) = [x for x in ast.parse(source).body if isinstance(x, ast.If)]
    seen = {
        name.name: (x.module or "").removeprefix("microgradlib").removeprefix(".")
        for x in block.body
        if isinstance(x, ast.ImportFrom)
        for name in x.names
    }
    assert seen == mg._LATER
    for name in seen:
        assert getattr(mg, name) is not None
    assert set(seen) < {*dir(mg)}


needs_installation = pytest.mark.skipif(
    sys.platform == "emscripten", reason="there are no processes, and the library is not installed"
)


@needs_installation
def test_what_an_import_brings_along() -> None:
    program = """
import sys
import microgradlib
early = {name.split(".")[1] for name in sys.modules if name.startswith("microgradlib.")}
microgradlib.compile
print(sorted(early & {"compiling", "drawing", "checking", "many", "parallel", "training", "data"}))
print("microgradlib.compiling.compiled" in sys.modules, "microgradlib.drawing" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\nTrue False\n"


@needs_installation
def test_the_version_is_that_of_the_distribution() -> None:
    """And of the section of the changelog on top, unless that is not released."""
    assert mg.__version__ == importlib.metadata.version("microgradlib")
    changelog = (Path(__file__).parents[1] / "CHANGELOG.md").read_text("utf-8")
    first, *_ = re.findall(r"^## \[(.*?)\]", changelog, re.MULTILINE)
    assert first in (mg.__version__, "Unreleased")


MODULES = [checking, data, functions, nn, optim, parallel, random, safetensors, testing, transforms]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_modules_name_what_is_public(module: ModuleType) -> None:
    public = {
        name
        for name, x in vars(module).items()
        if not name.startswith("_")
        and f"{getattr(x, '__module__', '')}.".startswith(f"{module.__name__}.")
    }
    assert set(module.__all__) == public


def test_the_list_of_findings() -> None:
    """Each script, with the beginning of its comment."""
    folder = Path(__file__).parents[1] / "findings"
    text = " ".join((folder / "README.md").read_text("utf-8").split())
    listed = dict(re.findall(r"- `([\w-]+\.sh)`: (.*?\.)(?= - `|$)", text))
    scripts = {path.name: path.read_text("utf-8") for path in folder.glob("*.sh")}
    assert [*listed] == sorted(scripts)
    for name, script in scripts.items():
        comment = " ".join(script.partition("\n")[2].replace("\n# ", " ")[2:].split())
        assert comment.startswith(listed[name]), name
