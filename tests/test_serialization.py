"""Saving and loading: what comes back, what a crash leaves behind, and what is refused."""

import builtins
import errno
import json
import os
import random
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from stat import S_ISDIR
from typing import Any, NamedTuple

import pytest

import microgradlib as mg
from microgradlib import Value, nn, optim
from microgradlib.errors import short

OLD = '{"old": 1}\n'


class Pair(NamedTuple):
    x: float
    y: float


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that exists already."""
    path = tmp_path / "model.json"
    path.write_text(OLD)
    return path


def bits(x: float) -> bytes:
    return struct.pack("d", x)


class TestRoundTrip:
    def test_floats_bit_for_bit(self, path: Path) -> None:
        floats = [0.1, -0.0, 0.0, 1e-320, 5e-324, 1.7976931348623157e308, 1 / 3, inf, -inf, nan]
        mg.save({"x": floats}, path)
        assert list(map(bits, mg.load(path)["x"])) == list(map(bits, floats))

    def test_everything_that_json_has(self, path: Path) -> None:
        state = {"text": "ä\n\u2028", "int": 2**70, "none": None, "bools": [True, False], "": {}}
        mg.save(state, path)
        assert mg.load(path) == state
        assert type(mg.load(path)["int"]) is int

    @pytest.mark.parametrize(
        "state",
        [
            (),
            b"",
            {"a": (1.0, ("x", [(None,)])), "b": [b"\x00\xff", {"c": b"abc"}]},
            random.Random(3).getstate(),
            bytes(range(256)),
        ],
    )
    def test_tuples_and_bytes(self, path: Path, state: Any) -> None:
        mg.save(state, path)
        assert repr(mg.load(path)) == repr(state)

    @pytest.mark.parametrize("state", [[], {}, 1.5, "text", None])
    def test_any_root(self, path: Path, state: Any) -> None:
        mg.save(state, path)
        assert mg.load(path) == state

    def test_a_link_and_a_long_name_stay(self, tmp_path: Path) -> None:
        file, link = tmp_path / ("m" * 245 + ".json"), tmp_path / "latest.json"
        mg.save({"a": 1.0}, file)
        link.symlink_to(file)
        mg.save({"a": 2.0}, link)
        assert link.is_symlink()
        assert mg.load(file) == {"a": 2.0}

    def test_a_link_to_itself_is_replaced(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(path)
        mg.save({"a": 1.0}, path)
        assert mg.load(path) == {"a": 1.0}

    @pytest.mark.skipif(sys.platform == "win32", reason="has no such permissions")
    def test_permissions_stay(self, path: Path) -> None:
        mg.save({}, path)
        path.chmod(0o600)
        mg.save({"a": 1.0}, path)
        assert path.stat().st_mode & 0o777 == 0o600

    def test_a_file_system_without_permissions(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*args: Any, **kwargs: Any) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "chmod", refuse)
        mg.save({"a": 1.0}, path)
        assert mg.load(path) == {"a": 1.0}

    def test_replaces_the_file_and_leaves_nothing_else(self, path: Path) -> None:
        mg.save({"x": 1.0}, path)
        mg.save({"x": 2.0}, str(path))
        assert mg.load(str(path)) == {"x": 2.0}
        assert os.listdir(path.parent) == ["model.json"]

    def test_names_relative_to_the_current_directory(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(path.parent)
        mg.save([1.0], "new.json")
        assert mg.load("new.json") == [1.0]

    @pytest.mark.parametrize(
        "make",
        [
            lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
            lambda params: optim.Adam(params, amsgrad=True),
            lambda params: optim.AdamW(params),
        ],
    )
    def test_training_resumes_bit_for_bit(
        self, path: Path, make: Callable[[Any], optim.Optimizer]
    ) -> None:
        def train(model: nn.MLP, optimizer: optim.Optimizer) -> list[float]:
            losses = []
            for step in range(10):
                optimizer.zero_grad()
                loss = nn.mse_loss(model([0.3, float(step % 3)]), [0.5 * (step % 2)])
                loss.backward()
                optimizer.step()
                losses.append(loss.data)
            return losses

        model = nn.MLP(2, [3, 1], "tanh")
        optimizer = make(model.parameters())
        train(model, optimizer)
        mg.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
        expected = train(model, optimizer)
        other = nn.MLP(2, [3, 1], "tanh")
        resumed = make(other.parameters())
        state = mg.load(path)
        other.load_state_dict(state["model"])
        resumed.load_state_dict(state["optimizer"])
        assert train(other, resumed) == expected


class TestCrash:
    @pytest.mark.parametrize("name", ["fsync", "replace"])
    @pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
    def test_keeps_the_old_file_and_cleans_up(
        self,
        path: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        error: type[BaseException],
    ) -> None:
        def fail(*_: object) -> None:
            assert len(os.listdir(path.parent)) == 2  # it is written next to the old file
            raise error

        monkeypatch.setattr(os, name, fail)
        with pytest.raises(error):
            mg.save({"new": [1.0] * 10_000}, path)
        assert path.read_text() == OLD
        assert os.listdir(path.parent) == ["model.json"]

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_full_disk(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = open

        def full(name: Path, *args: Any, **kwargs: Any) -> Any:
            name.touch()
            return real("/dev/full", "wb")

        monkeypatch.setattr(builtins, "open", full)
        with pytest.raises(OSError, match="No space left"):
            mg.save({"new": [1.0] * 10_000}, path)
        monkeypatch.undo()
        assert path.read_text() == OLD
        assert os.listdir(path.parent) == ["model.json"]

    def test_the_file_is_on_the_disk_before_it_takes_the_place_of_the_old_one(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = []
        fsync, replace = os.fsync, os.replace

        def note_fsync(descriptor: int) -> None:
            fsync(descriptor)
            status = os.fstat(descriptor)
            if S_ISDIR(status.st_mode):
                assert os.path.samestat(status, os.stat(path.parent))
                calls.append(("fsync directory", 0))
            else:
                calls.append(("fsync", status.st_size))

        def note_replace(source: Path, target: Path) -> None:
            calls.append(("replace", os.path.getsize(source)))
            replace(source, target)

        monkeypatch.setattr(os, "fsync", note_fsync)
        monkeypatch.setattr(os, "replace", note_replace)
        mg.save({"x": [0.5] * 1000}, path)
        size = path.stat().st_size
        assert size > 1000
        assert calls == [("fsync", size), ("replace", size), ("fsync directory", 0)]


class TestRefusals:
    @pytest.mark.parametrize(
        ("state", "message"),
        [
            ({"w": {1: 2.0}}, r"^save: state\['w'\] has the key 1; use strings as keys$"),
            ({None: 2.0}, "^save: state has the key None; use strings as keys$"),
            ({"w": [0.5, Value(1.0)]}, r"^save: state\['w'\]\[1\] is Value\(data=1\.0"),
            ({"w": Pair(1.0, 2.0)}, r"^save: state\['w'\] is Pair\(x=1\.0, y=2\.0\); pass state_d"),
            ({"w": ({3: 1.0},)}, r"^save: state\['w'\]\[0\] has the key 3; use strings as keys$"),
            (
                {"__tuple__": [1]},
                "^save: state has the key '__tuple__', which save uses; use anoth",
            ),
            ({"a": 1, "__bytes__": 2}, "^save: state has the key '__bytes__', which save uses; us"),
            (nn.Layer(1, 1), "^save: state is Layer"),
            ({"w": 1j}, r"^save: state\['w'\] is 1j"),
            ([{1.0}], r"^save: state\[0\] is \{1\.0\}"),
            (bytearray(b"bytes"), r"^save: state is bytearray\(b'bytes'\)"),
        ],
    )
    def test_nothing_is_written(self, path: Path, state: Any, message: str) -> None:
        with pytest.raises(TypeError, match=message):
            mg.save(state, path)
        with pytest.raises(TypeError, match=message):
            mg.save(state, path.with_name("new.json"))
        assert path.read_text() == OLD
        assert os.listdir(path.parent) == ["model.json"]

    def test_endless_nests(self, path: Path) -> None:
        loop: list[Any] = []
        loop.append(loop)
        with pytest.raises(TypeError, match=r"^save: state is nested too deeply; pass state_dict"):
            mg.save(loop, path)
        assert path.read_text() == OLD

    @pytest.mark.parametrize("garbage", [b"", b"{", b"{} {}", b"nonsense", b"\xff\xfe", b"\x80"])
    def test_loading_garbage(self, path: Path, garbage: bytes) -> None:
        path.write_bytes(garbage)
        with pytest.raises(ValueError, match=r"load: '.*model\.json' is not a file that save"):
            mg.load(path)

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ('{"a": 1, "b": 2, "a": 3}', "two entries have the same key, of ['a', 'b', 'a']"),
            ('{"__tuple__": {"a": 1}}', "__tuple__ stands for {'a': 1}, not a list"),
            ('[{"__bytes__": 12}]', "__bytes__ stands for 12, not a text"),
            ('{"__bytes__": "AAA"}', "Incorrect padding"),
            ('{"__bytes__": "AA A"}', "Only base64 data is allowed"),
            ("12", "the end of the line is missing"),
            ("-1.5", "the end of the line is missing"),
        ],
    )
    def test_loading_what_save_never_writes(self, path: Path, text: str, problem: str) -> None:
        path.write_text(text)
        message = f"load: {short(str(path))} is not a file that save wrote: {problem}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            mg.load(path)

    def test_tags_beside_other_entries_are_entries(self, path: Path) -> None:
        path.write_text('{"__tuple__": [1], "a": {"__bytes__": 2, "b": 3}}')
        assert mg.load(path) == {"__tuple__": [1], "a": {"__bytes__": 2, "b": 3}}

    @pytest.mark.parametrize(
        "state", [{"w": [0.25, -1.5], "text": "abc", "t": (1.5, b"ab")}, 12.25, 1234, (1.5,), b"ab"]
    )
    def test_a_file_cut_off_anywhere_is_refused(self, path: Path, state: Any) -> None:
        mg.save(state, path)
        whole = path.read_bytes()
        complete = whole if isinstance(state, int | float) else whole.rstrip()
        for length in range(len(complete)):
            path.write_bytes(whole[:length])
            with pytest.raises(ValueError, match="is not a file that save wrote"):
                mg.load(path)

    def test_is_plain_json(self, path: Path) -> None:
        mg.save({"w": [0.5]}, path)
        assert json.loads(path.read_text()) == {"w": [0.5]}
        assert path.read_text() == '{\n "w": [\n  0.5\n ]\n}\n'

    def test_does_not_depend_on_the_encoding_of_the_locale(self, path: Path) -> None:
        code = f"import microgradlib as mg; mg.save([0.5], {str(path)!r}); mg.load({str(path)!r})"
        options = ("-X", "warn_default_encoding", "-W", "error::EncodingWarning")
        subprocess.run([sys.executable, *options, "-c", code], check=True)

    def test_missing_file_and_missing_directory(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            mg.load(tmp_path / "none.json")
        with pytest.raises(FileNotFoundError):
            mg.save({}, tmp_path / "none" / "model.json")
        assert os.listdir(tmp_path) == []

    def test_a_directory_in_the_place_of_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "directory").mkdir()
        with pytest.raises((IsADirectoryError, PermissionError), match="directory"):
            mg.save({}, tmp_path / "directory")
        assert os.listdir(tmp_path) == ["directory"]

    @pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes")
    def test_what_is_no_regular_file_stays(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match=r"Not a regular file; .*name: .*pipe'$") as caught:
            mg.save({}, tmp_path / "pipe")
        assert caught.value.errno == errno.EINVAL
        assert (tmp_path / "pipe").is_fifo()
        assert os.listdir(tmp_path) == ["pipe"]
