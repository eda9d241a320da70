"""The figures of structure: depth, memory, import graph, and what is where."""

import ast
import copy
import gc
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import microgradlib as mg
from microgradlib import Value, nn, optim, random, testing

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
def test_a_deep_graph() -> None:
    use_a_deep_graph()


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


ARROWS = {
    "errors": set(),
    "layout": set(),
    "modes": set(),
    "piecewise": set(),
    "reductions": set(),
    "special": set(),
    "random": set(),
    "serialization": set(),
    "activations": {"piecewise", "special"},
    "primitives": {"activations", "piecewise", "reductions", "special"},
    "testing": {"primitives", "value"},
    "value": {"errors", "modes", "primitives"},
    "tracing": {"errors", "instructions", "modes", "primitives", "value"},
    "trees": {"primitives", "value"},
    "transforms": {"errors", "modes", "primitives", "trees", "value"},
    "checking": {"errors", "modes", "primitives", "trees", "value"},
    "compiling": {"errors", "instructions", "modes", "primitives", "tracing", "trees", "value"},
    "explaining": {"errors", "graph", "modes", "rendering", "tracing", "value"},
    "extending": {"checking", "modes", "primitives", "value"},
    "functions": {"errors", "primitives", "value"},
    "fusing": {"instructions", "value"},
    "graph": {"errors", "layout", "rendering", "serialization", "value"},
    "instructions": {"primitives"},
    "math": {"errors", "functions", "modes", "primitives", "value"},
    "nn": {
        "errors",
        "functions",
        "fusing",
        "instructions",
        "modes",
        "primitives",
        "random",
        "value",
    },
    "optim": {"errors", "modes", "value"},
    "rendering": {"layout"},
}


def imports(path: Path) -> set[str]:
    """Return the modules of the package that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("microgradlib"):
            _, _, module = (node.module or "").partition(".")
            found |= {module} if module else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted(SOURCE.glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_every_import_points_up(path: Path) -> None:
    assert imports(path) == ARROWS[path.stem]


def test_the_core_needs_nothing_but_the_standard_library() -> None:
    for path in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                root = name.split(".")[0]
                allowed = {
                    "microgradlib",
                    "hypothesis" if path.stem in ("testing", "_hypothesis") else "",
                }
                assert root in allowed | sys.stdlib_module_names, (path, name)


def test_modules_and_functions_never_share_a_name() -> None:
    modules = {path.stem for path in SOURCE.glob("[a-z]*.py")}
    assert not modules & {name for name in mg.__all__ if name not in ("nn", "optim")}


def test_all_names_what_is_public() -> None:
    modules = {path.stem for path in SOURCE.glob("*.py")} - {"nn", "optim"}
    public = {name for name in vars(mg) if not name.startswith("_")} - modules
    assert set(mg.__all__) == public


@pytest.mark.parametrize("module", [nn, optim, random, testing], ids=lambda m: m.__name__)
def test_modules_name_what_is_public(module: ModuleType) -> None:
    public = {
        name
        for name, x in vars(module).items()
        if not name.startswith("_") and getattr(x, "__module__", "") == module.__name__
    }
    assert set(module.__all__) == public
