"""Trees: what is taken apart, the names of the leaves, and what is built again."""

import sys
from array import array
from collections import OrderedDict, defaultdict, deque
from dataclasses import InitVar, dataclass, field
from typing import Any, NamedTuple

import pytest

import microgradlib as mg
from microgradlib import Value, nn
from microgradlib.errors import ShapeError
from microgradlib.functions.arguments import shape_of
from microgradlib.trees import NESTS, PLAIN, Kind, flatten, kind_of, rebuild, register

TEXT = "w" if sys.version_info >= (3, 13) else "u"  # the type code of characters


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Model:
    weights: Any
    name: str = "m"
    frozen: bool = False
    seed: Any = None
    raw: bytes = b""
    offset: Any = field(default=0.0)


x = Value(7.0)
BYTES = memoryview(b"1")

TREES: list[tuple[Any, dict[str, Any], Any]] = [
    (1.0, {"t": 1.0}, "a"),
    (1, {"t": 1.0}, "a"),
    (x, {"t": x}, "a"),
    ([], {}, []),
    ((), {}, ()),
    ({}, {}, {}),
    ([1.0, (2.0, [3])], {"t[0]": 1.0, "t[1][0]": 2.0, "t[1][1][0]": 3.0}, ["a", ("b", ["c"])]),
    ({"k": 1.0, 2: [x]}, {"t['k']": 1.0, "t[2][0]": x}, {"k": "a", 2: ["b"]}),
    (OrderedDict(b=1.0, a=2.0), {"t['b']": 1.0, "t['a']": 2.0}, OrderedDict(b="a", a="b")),
    (Point(1.0, [2.0]), {"t[0]": 1.0, "t[1][0]": 2.0}, Point("a", ["b"])),
    (
        Model([1.0], seed=3),
        {"t.weights[0]": 1.0, "t.seed": 3.0, "t.offset": 0.0},
        Model(["a"], seed="b", offset="c"),
    ),
    (deque([1.0], 3), {"t[0]": 1.0}, deque(["a"], 3)),
    (defaultdict(list, k=1.0), {"t['k']": 1.0}, defaultdict(list, k="a")),
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


class Row(list[Any]):
    """A list with an attribute."""

    title = ""


def moved(*keys: str) -> OrderedDict[str, float]:
    """Return an OrderedDict whose order is not that of the dict underneath."""
    d = OrderedDict.fromkeys(keys, 1.0)
    d.move_to_end(keys[0])
    return d


@pytest.mark.parametrize(
    ("tree", "parts", "mapped"),
    [
        ([1.0, 2.0], [(0, 1.0), (1, 2.0)], [3.0, 6.0]),
        (Row([1.0]), [(0, 1.0)], Row([3.0])),
        ((1.0, 2.0), [(0, 1.0), (1, 2.0)], (3.0, 6.0)),
        (Point(1.0, 2.0), [(0, 1.0), (1, 2.0)], Point(3.0, 6.0)),
        ({"k": 1.0}, [("k", 1.0)], {"k": 3.0}),
        (moved("a", "b"), [("b", 1.0), ("a", 1.0)], OrderedDict(b=3.0, a=3.0)),
        (
            Model(1.0, frozen=True),
            [("weights", 1.0), ("offset", 0.0)],
            Model(3.0, frozen=True, offset=0.0),
        ),
    ],
    ids=str,
)
def test_a_kind_maps_parts_and_keeps_the_class(tree: Any, parts: Any, mapped: Any) -> None:
    kind = kind_of(tree)
    assert kind is not None
    assert kind is kind_of(tree, PLAIN)
    assert [*kind.parts(tree)] == parts
    again = kind.map(lambda number: 3.0 * number, tree)
    assert again == mapped
    assert type(again) is type(tree)
    assert again is not tree


def test_a_copy_keeps_attributes() -> None:
    row = Row([1.0])
    row.title = "first"
    kind = kind_of(row)
    assert kind is not None
    assert kind.map(str, row).title == "first"


def test_the_kinds() -> None:
    assert [kind_of(tree, NESTS) for tree in ([], (), {})] == [*NESTS]
    assert kind_of(Model([])) not in (None, *NESTS)
    assert kind_of(Model([]), NESTS) is None
    assert kind_of(nn.Neuron(1)) not in (None, *PLAIN)
    assert kind_of(nn.Neuron(1), PLAIN) is None
    for tree in (1.0, x, "text", b"bytes", range(2), memoryview(b""), Model, None):
        assert kind_of(tree) is None, tree


class Interval(tuple[Any, ...]):
    """A tuple that is walked in a way of its own: from its middle, with half its width."""

    __slots__ = ()


register(
    Kind(
        Interval,
        lambda ends: [("middle", (ends[0] + ends[1]) / 2), ("radius", (ends[1] - ends[0]) / 2)],
        "<{}>".format,
        lambda _, parts: Interval(
            (parts["middle"] - parts["radius"], parts["middle"] + parts["radius"])
        ),
    )
)


def test_a_registered_kind_comes_first() -> None:
    leaves, build = flatten("f", "t", {"a": [Interval((1.0, 5.0))]})
    assert leaves == {"t['a'][0]<middle>": 3.0, "t['a'][0]<radius>": 2.0}
    again = rebuild(build, [7.0, 1.0])
    assert again == {"a": [(6.0, 8.0)]}
    assert type(again["a"][0]) is Interval


def test_a_registered_kind_as_argument_and_result() -> None:
    # In the middle m and the radius r: (m - r) * (m + r)**2 = 3 * 5**2 where m = 4 and r = 1.
    gradient = mg.grad(lambda ends: ends[0] * ends[1] ** 2)(Interval((3.0, 5.0)))
    in_middle, in_radius = 5.0**2 + 3.0 * 2.0 * 5.0, -(5.0**2) + 3.0 * 2.0 * 5.0
    assert gradient == (in_middle - in_radius, in_middle + in_radius)
    assert type(gradient) is Interval
    compiled = mg.compile(lambda number: Interval((number, 3.0 * number)))
    for number in (1.0, 2.0):
        assert compiled(number) == (number, 3.0 * number)
        assert type(compiled(number)) is Interval


def test_what_is_built_does_not_change_with_the_original() -> None:
    tree: Any = [{"a": 1.0}, [2.0]]
    _, build = flatten("f", "t", tree)
    tree[0]["b"] = 3.0
    tree[1].append(4.0)
    tree.append(5.0)
    assert rebuild(build, "ab") == [{"a": "a"}, ["b"]]


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
        (range(2), "f: t: expected EXPECTED, got range(0, 2); pass a list of its numbers"),
        pytest.param(
            BYTES,
            f"f: t: expected EXPECTED, got {BYTES!r}; pass a list of its numbers",
            id="memoryview",  # the message has its address
        ),
        (array(TEXT, "a"), "f: t[0]: expected EXPECTED, got 'a'; convert it with float()"),
        (Model, f"f: t: expected EXPECTED, got {Model!r}; pass a float"),
        (Model(["w"]), "f: t.weights[0]: expected EXPECTED, got 'w'; convert it with float()"),
    ],
)
def test_what_is_no_tree(tree: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        flatten("f", "t", tree)
    expected = "a number, or a list, tuple or dict of numbers"
    assert str(caught.value) == message.replace("EXPECTED", expected)


def test_second_derivatives_of_an_array_of_doubles_are_a_list_of_them() -> None:
    found = mg.hessian(lambda xs: xs[0] ** 2 * xs[1])(array("d", [2.0, 3.0]))
    assert found == [array("d", [6.0, 4.0]), array("d", [4.0, 0.0])]


def test_shapes() -> None:
    assert shape_of("f", 1.0) == ()
    assert shape_of("f", [[1.0, 2.0], (3.0, 4.0), [5.0, 6.0]]) == (3, 2)
    with pytest.raises(ShapeError, match=r"^f: .* is not a tensor; make the lists in it equally"):
        shape_of("f", [[1.0, 2.0], [3.0]], filled=True)
    with pytest.raises(ShapeError, match=r"^f: \[\] is not a tensor; give it an entry$"):
        shape_of("f", [], filled=True)
