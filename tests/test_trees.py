"""Trees: what is taken apart, the names of the leaves, and what is built again."""

from array import array
from collections import OrderedDict, deque
from dataclasses import InitVar, dataclass, field
from typing import Any, NamedTuple

import pytest

from microgradlib import Value, nn
from microgradlib.trees import flatten, rebuild


class Point(NamedTuple):
    x: Any
    y: Any


class Array:
    """What is asked of a NumPy array."""

    def tolist(self) -> Any:
        return [1.0, [2.0]]


@dataclass
class Model:
    weights: Any
    name: str = "m"
    frozen: bool = False
    seed: Any = None
    raw: bytes = b""
    offset: Any = field(default=0.0)


x = Value(7.0)

TREES: list[tuple[Any, dict[str, Any], Any]] = [
    (1.0, {"t": 1.0}, "a"),
    (1, {"t": 1.0}, "a"),
    (x, {"t": x}, "a"),
    ([], {}, []),
    ((), {}, ()),
    ({}, {}, {}),
    ([1.0, (2.0, [3])], {"t[0]": 1.0, "t[1][0]": 2.0, "t[1][1][0]": 3.0}, ["a", ("b", ["c"])]),
    ({"k": 1.0, 2: [x]}, {"t['k']": 1.0, "t[2][0]": x}, {"k": "a", 2: ["b"]}),
    (OrderedDict(b=1.0, a=2.0), {"t['b']": 1.0, "t['a']": 2.0}, {"b": "a", "a": "b"}),
    (Point(1.0, [2.0]), {"t[0]": 1.0, "t[1][0]": 2.0}, Point("a", ["b"])),
    (
        Model([1.0], seed=3),
        {"t.weights[0]": 1.0, "t.seed": 3.0, "t.offset": 0.0},
        Model(["a"], seed="b", offset="c"),
    ),
    (array("d", [1.0, 2.0]), {"t[0]": 1.0, "t[1]": 2.0}, ["a", "b"]),
    (range(2), {"t[0]": 0.0, "t[1]": 1.0}, ["a", "b"]),
    (deque([1.0]), {"t[0]": 1.0}, ["a"]),
    (Array(), {"t[0]": 1.0, "t[1][0]": 2.0}, ["a", ["b"]]),
]


@pytest.mark.parametrize(("tree", "names", "built"), TREES, ids=str)
def test_apart_and_together(tree: Any, names: dict[str, Any], built: Any) -> None:
    leaves, build = flatten("f", "t", tree)
    assert leaves == names
    assert list(leaves) == list(names)
    assert all(isinstance(leaf, float | Value) for leaf in leaves.values())
    again = rebuild(build, "abc"[: len(leaves)])
    assert again == built
    assert type(again) is type(built)
    # As often as wanted.
    assert rebuild(build, leaves.values()) == rebuild(build, list(leaves.values()))


def test_a_dataclass_keeps_its_other_fields() -> None:
    model = Model([1.0, 2.0], "name", True, None, b"raw", 3.0)
    leaves, build = flatten("f", "t", model)
    assert list(leaves) == ["t.weights[0]", "t.weights[1]", "t.offset"]
    again = rebuild(build, [10.0, 20.0, 30.0])
    assert again == Model([10.0, 20.0], "name", True, None, b"raw", 30.0)
    assert model == Model([1.0, 2.0], "name", True, None, b"raw", 3.0)


@dataclass(frozen=True)
class Angle:
    degrees: float
    unit: InitVar[str] = "degrees"
    label: str = field(init=False, default="angle")

    def __post_init__(self, unit: str) -> None:
        if self.degrees < 0.0:
            raise ValueError("negative")
        object.__setattr__(self, "degrees", self.degrees % 360.0)
        object.__setattr__(self, "label", unit)


def test_a_dataclass_is_not_made_anew() -> None:
    """What __post_init__ refuses or changes may be a derivative."""
    leaves, build = flatten("f", "t", Angle(400.0, "deg"))
    assert leaves == {"t.degrees": 40.0}
    again = rebuild(build, [-500.0])
    assert (again.degrees, again.label) == (-500.0, "deg")


def test_two_numbers_of_one_name() -> None:
    tree = {Value(1.0): 2.0, Value(1.0): 3.0}
    with pytest.raises(TypeError, match=r"^f: two numbers are named t\[.*\]; use other keys$"):
        flatten("f", "t", tree)
    with pytest.raises(TypeError, match="two numbers are named"):
        flatten("f", "t", {x: x for x in tree})


def test_a_module_within() -> None:
    neuron = nn.Neuron(1)
    leaves, build = flatten("f", "t", [neuron, 1.0])
    assert list(leaves) == ["t[0].w.0", "t[0].b", "t[1]"]
    (again, number) = rebuild(build, [5.0, 6.0, 7.0])
    assert again.state_dict() == {"w": [5.0], "b": 6.0}
    assert number == 7.0


@pytest.mark.torch
def test_numpy_arrays_and_scalars() -> None:
    numpy = pytest.importorskip("numpy")
    leaves, build = flatten("f", "t", (numpy.ones((2, 1)), numpy.float32(0.5), numpy.int8(3)))
    assert leaves == {"t[0][0][0]": 1.0, "t[0][1][0]": 1.0, "t[1]": 0.5, "t[2]": 3.0}
    assert rebuild(build, "abcd") == ([["a"], ["b"]], "c", "d")
    assert flatten("f", "t", numpy.array(2.0))[0] == {"t": 2.0}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("3", "f: t: expected EXPECTED, got '3'; convert it with float()"),
        (["3"], "f: t[0]: expected EXPECTED, got '3'; convert it with float()"),
        ({"a": [None]}, "f: t['a'][0]: expected EXPECTED, got None; pass a float"),
        (True, "f: t: expected a number, got True; pass a float"),
        ([1.0, False], "f: t[1]: expected a number, got False; pass a float"),
        (1j, "f: t: expected EXPECTED, got 1j; pass a float"),
        ({1.0}, "f: t: expected EXPECTED, got {1.0}; call it on each element"),
        (b"1", "f: t: expected EXPECTED, got b'1'; call it on each element"),
        (Model, f"f: t: expected EXPECTED, got {Model!r}; pass a float"),
        (Model(["w"]), "f: t.weights[0]: expected EXPECTED, got 'w'; convert it with float()"),
    ],
)
def test_what_is_no_tree(tree: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        flatten("f", "t", tree)
    expected = "a number, or a list, tuple or dict of numbers"
    assert str(caught.value) == message.replace("EXPECTED", expected)
