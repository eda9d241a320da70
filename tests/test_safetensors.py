"""Files of safetensors: round trips with the real packages, arrays of any layout, mistakes."""

import json
import math
import os
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import Value, nn, safetensors

packages: Any = pytest.importorskip("safetensors")
pytest.importorskip("safetensors.numpy")
np = pytest.importorskip("numpy")

SPECIAL = [0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan, 2.0**-1074]


@pytest.fixture
def torch() -> Any:
    pytest.importorskip("safetensors.torch")
    return pytest.importorskip("torch")


def header(data: bytes) -> dict[str, Any]:
    """Read the header by hand."""
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length])  # type: ignore[no-any-return]


STATE: dict[str, Any] = {
    "weight": [[0.1, -2.0], [3.0, 1e-300], [7.0, 8.0]],
    "bias": [0.5],
    "scale": 2.5,
    "deep": [[[1.0], [2.0]], [[3.0], [4.0]]],
    "steps": 3,
    "counts": [1, -2, 2**62],
    "flags": [True, False],
    "empty": [[], []],
    "none": [],
    "a name with ümlaut": [1.5],
}


def test_round_trip() -> None:
    loaded = safetensors.load(safetensors.save(STATE))
    assert loaded == STATE
    assert {name: repr(x) for name, x in loaded.items()} == {n: repr(x) for n, x in STATE.items()}
    assert repr(safetensors.load(safetensors.save({"x": SPECIAL}))) == repr({"x": SPECIAL})
    assert safetensors.load(safetensors.save({})) == {}


def test_names_come_in_order() -> None:
    """safetensors 0.8.0 gives them in another order each time: findings/ has a script."""
    data = safetensors.save({name: [1.0] for name in "fbdace"})
    assert {"".join(safetensors.load(data)) for _ in range(20)} == {"abcdef"}


def test_the_bytes() -> None:
    data = safetensors.save({"w": [[1.0, 2.0], [3.0, 4.0]], "n": 7, "f": [True]}, {"made": "here"})
    found = header(data)
    assert found["__metadata__"] == {"made": "here"}
    assert (found["w"]["dtype"], found["w"]["shape"]) == ("F64", [2, 2])
    assert (found["n"]["dtype"], found["n"]["shape"]) == ("I64", [])
    assert (found["f"]["dtype"], found["f"]["shape"]) == ("BOOL", [1])
    (length,) = struct.unpack("<Q", data[:8])
    start, end = found["w"]["data_offsets"]
    assert struct.unpack("<4d", data[8 + length + start : 8 + length + end]) == (1.0, 2.0, 3.0, 4.0)


def test_values_of_a_mixed_list_are_floats() -> None:
    assert repr(safetensors.load(safetensors.save({"x": [1, 2.5]}))) == "{'x': [1.0, 2.5]}"
    assert repr(safetensors.load(safetensors.save({"x": [True, 2]}))) == "{'x': [1.0, 2.0]}"


BASE = np.arange(24.0).reshape(4, 6)
LAYOUTS: dict[str, Any] = {
    "plain": BASE,
    "transposed": BASE.T,
    "Fortran": np.asfortranarray(BASE),
    "stepped": BASE[::2, ::3],
    "reversed": BASE[::-1, ::-1],
    "part": BASE[1:3, 2:5],
    "broadcast": np.broadcast_to(np.array([1.0, 2.0]), (3, 2)),
    "moved": np.moveaxis(np.arange(24.0).reshape(2, 3, 4), 0, 2),
    "number": np.array(3.0),
    "of no axes": np.float64(3.0),
    "field": np.array([(1.0, 2), (3.0, 4)], [("a", "f8"), ("b", "i4")])["b"],
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_any_layout(layout: str, kind: str, order: str) -> None:
    x = LAYOUTS[layout]
    if isinstance(x, np.ndarray):
        laid = np.empty_like(x, np.dtype(order + kind), subok=False)  # in the same order
        laid[...] = x
        strided = x.astype(np.dtype(order + kind), order="K") if x.ndim < 2 else None
        variants = [laid, laid.T, laid[::-1], laid[..., ::-1]] if x.ndim else [laid]
        variants += [strided] if strided is not None else []
    else:
        variants = [x.astype(np.dtype(kind))]
    for array in variants:
        data = safetensors.save({"x": array})
        assert safetensors.load(data) == {"x": array.tolist()}
        assert packages.numpy.load(data)["x"].tolist() == array.tolist()
        assert header(data)["x"]["dtype"] == {"f": "F", "i": "I", "u": "U"}[kind[0]] + str(
            8 * int(kind[1])
        )


def test_views_themselves() -> None:
    for x in LAYOUTS.values():
        assert safetensors.load(safetensors.save({"x": x})) == {"x": x.tolist()}
    flags = np.array([[True, False], [False, False]]).T
    assert safetensors.load(safetensors.save({"x": flags})) == {
        "x": [[True, False], [False, False]]
    }


@pytest.mark.torch
class TestTorch:
    DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8")

    @pytest.mark.parametrize("dtype", [*DTYPES, "uint8", "bool"])
    def test_from_safetensors_torch(self, torch: Any, dtype: str, tmp_path: Path) -> None:
        tensor = (torch.randn(5, 3) * 50).abs().to(getattr(torch, dtype))
        path = tmp_path / "model.safetensors"
        packages.torch.save_file({"x": tensor, "y": tensor[0].clone()}, path)
        assert safetensors.load_file(path) == {"x": tensor.tolist(), "y": tensor[0].tolist()}
        data = packages.torch.save({"x": tensor})
        assert safetensors.load(data) == {"x": tensor.tolist()}

    def test_special_numbers_of_half_precision(self, torch: Any) -> None:
        bits = torch.arange(-(2**15), 2**15, dtype=torch.int16)
        for dtype in (torch.bfloat16, torch.float16):
            tensor = bits.view(dtype)
            (found,) = safetensors.load(packages.torch.save({"x": tensor})).values()
            assert repr(found) == repr(tensor.to(torch.float64).tolist())

    def test_to_safetensors_torch(self, torch: Any, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        safetensors.save_file({**STATE, "special": SPECIAL}, path, {"by": "test"})
        found = packages.torch.load_file(path)
        assert {name: x.tolist() for name, x in found.items() if name != "special"} == STATE
        assert repr(found["special"].tolist()) == repr(SPECIAL)
        assert found["weight"].dtype == torch.float64
        with packages.safe_open(path, "pt") as file:
            assert file.metadata() == {"by": "test"}

    def test_a_model_there_and_back(self, torch: Any, tmp_path: Path) -> None:
        model, path = nn.MLP(3, [4, 2]), tmp_path / "model.safetensors"
        peer = torch.nn.Module()
        peer.fc1, peer.fc2 = torch.nn.Linear(3, 4).double(), torch.nn.Linear(4, 2).double()
        safetensors.save_file(model.state_dict(), path)
        peer.load_state_dict(packages.torch.load_file(path))
        assert model.state_dict() == {name: x.tolist() for name, x in peer.state_dict().items()}
        with torch.no_grad():
            peer.fc1.weight.mul_(1.1)
        packages.torch.save_file(peer.state_dict(), path)
        model.load_state_dict(safetensors.load_file(path))
        assert model.state_dict() == {name: x.tolist() for name, x in peer.state_dict().items()}

    def test_through_torch_save(self, torch: Any, tmp_path: Path) -> None:
        model, other, path = nn.MLP(3, [4, 2]), nn.MLP(3, [4, 2]), tmp_path / "model.pt"
        state = {n: torch.tensor(x, dtype=torch.float64) for n, x in model.state_dict().items()}
        torch.save(state, path)
        other.load_state_dict(torch.load(path, weights_only=True))
        assert other.state_dict() == model.state_dict()


class TestFiles:
    def test_a_mistake_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        safetensors.save_file({"x": 1.0}, path)
        before = path.read_bytes()
        with pytest.raises(TypeError):
            safetensors.save_file({"x": 2.0, "y": "text"}, path)
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == [path.name]

    def test_a_crash_leaves_the_old_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "model.safetensors"
        safetensors.save_file({"x": 1.0}, path)

        def fail(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left on device"):
            safetensors.save_file({"x": 2.0}, path)
        assert safetensors.load_file(path) == {"x": 1.0}
        assert os.listdir(tmp_path) == [path.name]

    def test_a_file_cut_off(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        data = safetensors.save(STATE)
        for end in (0, 4, 20, len(data) - 1):
            path.write_bytes(data[:end])
            with pytest.raises(
                ValueError, match=r"^load_file: .*model\.safetensors' is not in the"
            ):
                safetensors.load_file(path)
            with pytest.raises(ValueError, match=r"^load: the data is not in the format"):
                safetensors.load(data[:end])

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            safetensors.load_file(tmp_path / "none")


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def test_missing_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data, path = safetensors.save({"x": 1.0}), tmp_path / "model.safetensors"
    path.write_bytes(data)
    without(monkeypatch, "safetensors", "safetensors.numpy")
    for call, name in (
        (lambda: safetensors.save({"x": 1.0}), "save"),
        (lambda: safetensors.load(data), "load"),
        (lambda: safetensors.load_file(path), "load_file"),
    ):
        with pytest.raises(ImportError) as caught:
            call()
        assert str(caught.value).startswith(f"{name}: needs the packages safetensors and numpy (")
        assert str(caught.value).endswith('run pip install "microgradlib[safetensors]"')


MISTAKES: list[tuple[Any, type[Exception], str]] = [
    (
        lambda: safetensors.save([1.0]),
        TypeError,
        "save: expected a dict of tensors by name, got [1.0",
    ),  # type: ignore[arg-type]
    (
        lambda: safetensors.save({1: 1.0}),
        TypeError,
        "save: names and metadata must be texts, got 1",
    ),  # type: ignore[dict-item]
    (lambda: safetensors.save({"x": 1.0}, {"a": 1}), TypeError, "save: names and metadata must be"),  # type: ignore[dict-item]
    (lambda: safetensors.save({"x": "a"}), TypeError, "save: 'x': expected numbers, got 'a'"),
    (lambda: safetensors.save({"x": [None]}), TypeError, "save: 'x': expected numbers, got None"),
    (
        lambda: safetensors.save({"x": [Value(1.0)]}),
        TypeError,
        "save: 'x': expected numbers",
    ),
    (
        lambda: safetensors.save({"x": [1, [2]]}),
        mg.ShapeError,
        "save: 'x': rows must have",
    ),
    (
        lambda: safetensors.save({"x": [2**63]}),
        OverflowError,
        "save: 'x': an int needs more",
    ),
    (
        lambda: safetensors.save({"x": np.array([1.0, Value(1.0)], object)}),
        TypeError,
        "save: 'x': expected numbers, got Value(data=1.0",
    ),
    (
        lambda: safetensors.save({"x": np.ones(2, complex)}),
        TypeError,
        "save: 'x': expected numbers",
    ),
    (
        lambda: safetensors.save({"x": np.ones(2, np.longdouble)}),
        TypeError,
        "save: 'x': float128 is no type of the format; convert it to float64",
    ),
    (lambda: safetensors.load("x"), TypeError, "load: expected bytes, got 'x'; call load_file for"),  # type: ignore[arg-type]
    (lambda: safetensors.load_file(""), TypeError, "load_file: path must be a file name, got ''"),
    (
        lambda: safetensors.save_file({}, None),
        TypeError,
        "save_file: path must be a file",
    ),  # type: ignore[arg-type]
    (
        lambda: mg.compile(lambda x: safetensors.save_file({"x": 1.0}, "x"))(1.0),
        mg.CompileError,
        "compile: save_file() in",
    ),
    (
        lambda: mg.compile(lambda x: safetensors.save({"x": 1.0}))(1.0),
        mg.CompileError,
        "compile: save() in",
    ),
    (
        lambda: mg.compile(lambda x: safetensors.load(b""))(1.0),
        mg.CompileError,
        "compile: load()",
    ),
    (
        lambda: mg.compile(lambda x: safetensors.load_file("x"))(1.0),
        mg.CompileError,
        "compile: load_file() in",
    ),
]


@pytest.mark.parametrize(("mistake", "error", "message"), MISTAKES)
def test_mistakes(mistake: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        mistake()
    assert str(caught.value).startswith(message)


def test_a_type_that_python_has_not() -> None:
    data = b'{"x":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'
    file = struct.pack("<Q", len(data)) + data + b"\0"
    with pytest.raises(ValueError, match=r"^load: the data: 'x' is of the type F8_E4M3; read"):
        safetensors.load(file)
