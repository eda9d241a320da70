"""Random nested arguments, for the tests with random programs."""

import os
import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from microgradlib import Value, nn

Number = Any

BLOCKS = 8
"""How many tests the programs of a kind are divided into."""


def run_block(run: Callable[[int], Any], number: int, programs: int) -> tuple[int, int]:
    """Run the programs of a block; return how many there are, and the sum of what they return.

    $MICROGRADLIB_PROGRAMS is another number of programs.
    """
    size = int(os.environ.get("MICROGRADLIB_PROGRAMS", programs)) // BLOCKS
    total = 0
    for seed in range(number * size, (number + 1) * size):
        try:
            total += run(seed) or 0
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
    return size, total


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Pair:
    x: Any
    y: Any
    name: str = "pair"
    flag: bool = True
    extra: Any = field(default=None)


@dataclass(frozen=True)
class Frozen:
    x: Any
    label: str = "frozen"


class Row(list):  # type: ignore[type-arg]
    pass


class Model(nn.Module):
    """A module of a vector and a number."""

    def __init__(self, w: Sequence[Value], b: Value) -> None:
        self.w = [*w]
        self.b = b


class Path(NamedTuple):
    """Where a number is: keys and names of attributes, and an index if it is in an array."""

    steps: tuple[tuple[str, Any], ...]
    index: tuple[int, ...] = ()


class Tree(NamedTuple):
    """A drawn structure.

    Attributes:
        make: returns one that holds the next numbers of an iterator.
        paths: where each number is.
        kinds: what kind of number each is; see ``number``.
    """

    make: Callable[[Iterator[Any]], Any]
    paths: list[Path]
    kinds: list[str]

    def of(self, numbers: Sequence[Any]) -> Any:
        """Return such a structure of the given numbers."""
        return self.make(iter(numbers))


def holder(tree: Any, path: Path) -> Any:
    """Return a number, or the array that it is in."""
    for kind, key in path.steps:
        tree = getattr(tree, key) if kind == "attribute" else tree[key]
    return tree


def at(tree: Any, path: Path) -> Any:
    """Return a number of a tree."""
    x = holder(tree, path)
    if path.index:
        return x.iloc[path.index] if hasattr(x, "iloc") else x[path.index]
    return x


NUMBERS = ["float"] * 6 + ["int", "numpy", "numpy int", "array"] + ["Value"] * 2 + ["frozen"]
"""The kinds of numbers; those of NumPy may be arrays without axes."""


def number(kind: str, x: float) -> Any:
    """Return a number of some kind, near x."""
    if kind in ("int", "numpy int"):
        return int(x) if kind == "int" else np.int64(x)
    if kind in ("numpy", "array"):
        return np.float64(x) if kind == "numpy" else np.array(x)
    if kind == "float":
        return x
    v = Value(x)
    v.requires_grad = not kind.startswith("frozen")
    return v


def plain(x: Any) -> float:
    """Return any number as a float."""
    return x.data if isinstance(x, Value) else float(x)


def sequences(rng: random.Random) -> Any:
    return rng.choice([list, list, tuple, deque, Row])


def dicts(rng: random.Random) -> Any:
    def a_defaultdict(pairs: Any) -> Any:
        return defaultdict(list, pairs)

    return rng.choice([dict, dict, OrderedDict, a_defaultdict])


KEYS: list[list[Any]] = [["a", "b", "c"], [2, 0, 1], [(1, "x"), None, 0.5], ["w", 1, "1"]]


def draw_tree(rng: random.Random, kinds: Sequence[str] = NUMBERS, depth: int = 2) -> Tree:
    """Draw a structure of few numbers."""
    kind = rng.randrange(9) if depth else 0
    if kind <= 1:
        return Tree(next, [Path(())], [rng.choice(kinds)])
    if kind <= 3:
        return draw_array(rng, kinds)
    if kind == 4 and "Value" in kinds:
        leaves = [
            rng.choice(["parameter"] * 3 + ["frozen parameter"]) for _ in range(rng.randint(2, 3))
        ]
        w = [Path((("attribute", "w"), ("item", i))) for i in range(len(leaves) - 1)]

        def make_model(xs: Iterator[Any]) -> Any:
            made = [next(xs) for _ in leaves]
            return Model(made[:-1], made[-1])

        return Tree(make_model, [*w, Path((("attribute", "b"),))], leaves)
    keys: list[Any]
    make: Callable[[list[Any]], Any]
    if kind == 5:
        step, keys = "attribute", ["x", "y"] if rng.random() < 0.6 else ["x"]
        make = (lambda parts: Pair(*parts)) if len(keys) == 2 else (lambda parts: Frozen(*parts))
    elif kind == 6:
        step, keys, make = "item", [0, 1], Point._make
    elif kind == 7:
        step, keys = "item", rng.choice(KEYS)[: rng.randint(1, 3)]
        of = dicts(rng)

        def make(parts: list[Any]) -> Any:
            return of(zip(keys, parts, strict=True))

    else:
        step, keys, make = "item", [*range(rng.randint(1, 3))], sequences(rng)
    parts = [draw_tree(rng, kinds, depth - 1) for _ in keys]
    return Tree(
        lambda xs: make([part.make(xs) for part in parts]),
        [
            Path(((step, key), *path.steps), path.index)
            for key, part in zip(keys, parts, strict=True)
            for path in part.paths
        ],
        [leaf for part in parts for leaf in part.kinds],
    )


def draw_array(rng: random.Random, kinds: Sequence[str]) -> Tree:
    """Draw an array of floats, of ints or of Values and floats."""
    shape = rng.choice([(1,), (2,), (3,), (2, 2), (1, 2)])
    count = int(np.prod(shape))
    kind = rng.choice(["float", "float", "int", "mixed" if "Value" in kinds else "float"])
    mixed = ["float", "Value", "frozen"]
    leaves = [rng.choice(mixed) if kind == "mixed" else kind for _ in range(count)]

    def make(xs: Iterator[Any]) -> Any:
        entries = [next(xs) for _ in range(count)]
        simple = all(type(x) in (int, float) for x in entries)
        array = np.empty(shape, type(entries[0]) if simple else object)
        array.flat = entries
        return array

    return Tree(make, [Path((), index) for index in np.ndindex(*shape)], leaves)


def public(x: Any) -> list[tuple[str, Any]]:
    """Return the attributes that an object was given; modules keep a note under another key."""
    return [(name, part) for name, part in vars(x).items() if name.isidentifier()]


def skeleton(x: Any) -> Any:
    """Return the classes and keys of a structure, without its numbers."""
    if isinstance(x, np.ndarray) and x.shape:
        return np.ndarray, x.shape
    if isinstance(x, dict):
        return type(x), [(type(key), key, skeleton(part)) for key, part in x.items()]
    if isinstance(x, list | tuple | deque):
        return type(x), [skeleton(part) for part in x]
    if isinstance(x, Pair | Frozen | Model):
        return type(x), [(name, skeleton(part)) for name, part in public(x)]
    return x if isinstance(x, str | bool | None) else "number"


def shown(x: Any, flags: bool = True) -> Any:
    """Return a result in a form that shows the types of all but its plain numbers.

    Without flags a Value is shown as its number.
    """
    if isinstance(x, Value):
        return ("Value", shown(x.data), x.requires_grad, x.label) if flags else shown(x.data)
    if isinstance(x, np.ndarray) and x.shape:
        return (
            np.ndarray,
            flags and x.dtype.kind,
            x.shape,
            [shown(part, flags) for part in x.ravel()],
        )
    if isinstance(x, bool | str | None):
        return x
    if isinstance(x, dict):
        return type(x), [(type(key), key, shown(part, flags)) for key, part in x.items()]
    if isinstance(x, list | tuple | deque):
        return type(x), [shown(part, flags) for part in x]
    if isinstance(x, Pair | Frozen | Model):
        return type(x), [(name, shown(part, flags)) for name, part in public(x)]
    return repr(float(x) + 0.0)  # ints count as floats, and have no -0
