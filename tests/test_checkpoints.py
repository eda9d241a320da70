"""Checkpoints: what is left beside the file, what is on the disk, and a restore as one step."""

import errno
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from test_concurrency import every_instruction, interrupted

import microgradlib as mg
from microgradlib import nn, optim, serialization

LOCKS = pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")


def start(program: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def left(directory: Path) -> list[str]:
    """Return the temporary files in a directory."""
    return [name for name in os.listdir(directory) if name.startswith(serialization._TEMPORARY)]


class TestLeftFiles:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "model.json"

    @LOCKS
    def test_the_next_save_removes_what_a_killed_process_left(self, path: Path) -> None:
        for name in (".microgradlib-1", ".microgradlib-2", ".microgradlib", "microgradlib-3"):
            path.with_name(name).write_text('{"w": ')
        mg.save([1.0], path)
        assert sorted(os.listdir(path.parent)) == [".microgradlib", "microgradlib-3", "model.json"]

    @LOCKS
    def test_what_another_process_is_writing_stays(self, path: Path) -> None:
        other = path.with_name(".microgradlib-1")
        with open(other, "x") as file:
            serialization._lock(file.fileno())
            mg.save([1.0], path)
            assert other.exists()
        mg.save([2.0], path)
        assert not other.exists()

    @LOCKS
    def test_a_file_is_locked_until_it_has_its_name(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        replace = os.replace

        def note(source: Path, target: Path) -> None:
            with open(source) as file, pytest.raises(BlockingIOError):
                serialization._lock(file.fileno())
            serialization._remove_left(path.parent)
            replace(source, target)

        monkeypatch.setattr(os, "replace", note)
        mg.save([1.0], path)
        assert mg.load(path) == [1.0]

    @LOCKS
    @pytest.mark.parametrize("how", ["locked", "removed"])
    def test_a_new_file_that_is_taken_for_a_left_one_is_written_again(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        real, names = serialization._lock, []

        def lock(descriptor: int) -> None:
            names.extend(left(path.parent))
            if len(names) == 1:
                if how == "locked":
                    raise BlockingIOError
                path.with_name(names[0]).unlink()
            real(descriptor)

        monkeypatch.setattr(serialization, "_lock", lock)
        mg.save([1.0], path)
        assert mg.load(path) == [1.0]
        assert len({*names}) == 2
        assert os.listdir(path.parent) == ["model.json"]

    def test_without_locks_nothing_is_removed(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(serialization, "_fcntl", None)
        path.with_name(".microgradlib-1").write_text("")
        mg.save([1.0], path)
        assert sorted(os.listdir(path.parent)) == [".microgradlib-1", "model.json"]

    @LOCKS
    def test_what_cannot_be_opened_or_removed_stays(self, path: Path) -> None:
        path.with_name(".microgradlib-1").mkdir()
        os.mkfifo(path.with_name(".microgradlib-2"))
        path.with_name(".microgradlib-3").symlink_to("nowhere")
        mg.save([1.0], path)
        assert mg.load(path) == [1.0]
        names = sorted(os.listdir(path.parent))
        assert names == [".microgradlib-1", ".microgradlib-3", "model.json"]

    def test_a_directory_that_cannot_be_listed(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*args: object) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "listdir", refuse)
        mg.save([1.0], path)
        assert mg.load(path) == [1.0]


class TestDisk:
    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError])
    def test_an_interrupt_after_the_rename_leaves_the_new_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
    ) -> None:
        path = tmp_path / "model.json"
        mg.save([1.0], path)
        calls = self.fail_at_the_second_flush(monkeypatch, error)
        with pytest.raises(error):
            mg.save([2.0], path)
        assert len(calls) == 2
        assert mg.load(path) == [2.0]
        assert os.listdir(tmp_path) == ["model.json"]

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
    def test_a_file_system_that_flushes_no_directories(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        calls = self.fail_at_the_second_flush(monkeypatch, lambda: OSError(number, "no"))
        mg.save([2.0], tmp_path / "model.json")
        assert len(calls) == 2

    def test_a_disk_that_fails_is_reported(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "model.json"
        self.fail_at_the_second_flush(monkeypatch, lambda: OSError(errno.EIO, "Input/output error"))
        with pytest.raises(OSError, match="Input/output error") as caught:
            mg.save([2.0], path)
        assert caught.value.filename == str(path)

    def fail_at_the_second_flush(
        self, monkeypatch: pytest.MonkeyPatch, error: Callable[[], BaseException]
    ) -> list[int]:
        calls: list[int] = []

        def flush(descriptor: int) -> None:
            calls.append(descriptor)
            if len(calls) == 2:
                raise error()

        monkeypatch.setattr(os, "fsync", flush)
        return calls

    def test_a_directory_that_cannot_be_opened(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*args: object) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "open", refuse)
        mg.save([1.0], tmp_path / "model.json")
        assert mg.load(tmp_path / "model.json") == [1.0]

    def test_the_system_says_what_is_read_only(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "model.json"
        mg.save([1.0], path)
        monkeypatch.setattr(os, "access", lambda file, mode: (file, mode) != (path, os.W_OK))
        with pytest.raises(PermissionError, match=r"read-only; choose .*model.json'$") as caught:
            mg.save([2.0], path)
        assert caught.value.errno == errno.EACCES
        assert mg.load(path) == [1.0]
        assert os.listdir(tmp_path) == ["model.json"]

    @pytest.fixture
    def everyones(self) -> Iterator[Path]:
        """A directory that other users reach; pytest's own are for one user."""
        with TemporaryDirectory() as name:
            yield Path(name)

    @pytest.mark.skipif(sys.platform == "win32", reason="has no such permissions")
    @pytest.mark.usefixtures("unmeasured")
    def test_what_is_read_only_stays(self, everyones: Path) -> None:
        program = """
import os, sys
import microgradlib as mg
if os.getuid() == 0:
    os.setuid(65534)
for path in sys.argv[1:]:
    try:
        mg.save([2.0], path)
    except PermissionError as error:
        print(error)
"""
        everyones.chmod(0o777)
        file, closed = everyones / "model.json", everyones / "closed"
        closed.mkdir()
        mg.save([1.0], file)
        mg.save([1.0], closed / "model.json")
        file.chmod(0o444)
        (closed / "model.json").chmod(0o666)
        closed.chmod(0o555)
        with start(program, file, closed / "model.json") as process:
            output, _ = process.communicate()
        closed.chmod(0o755)
        assert output.splitlines() == [
            f"[Errno 13] The file is read-only; choose another name: {str(file)!r}",
            f"[Errno 13] Permission denied: {str(closed / 'model.json')!r}",
        ]
        assert mg.load(file) == mg.load(closed / "model.json") == [1.0]
        assert sorted(os.listdir(everyones)) == ["closed", "model.json"]
        assert os.listdir(closed) == ["model.json"]


class Parts:
    """A network, its optimizer and a schedule, after some steps."""

    def __init__(self, steps: int, nin: int = 1) -> None:
        self.model = nn.Layer(nin, 2)
        self.model.load_state_dict({"weight": [[0.5] * nin] * 2, "bias": [0.25, -0.5]})
        self.optimizer = optim.Adam(self.model.parameters())
        for step in range(steps):
            for i, p in enumerate(self.model.parameters()):
                p.grad = 0.5 * i - step
            self.optimizer.step()
            self.optimizer.lr *= 0.5

    def state(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: Any) -> None:
        mg.restore(state, model=self.model, optimizer=self.optimizer)


class Epochs:
    """Anything with a state."""

    def __init__(self) -> None:
        self.state: Any = 0

    def state_dict(self) -> Any:
        return self.state

    def load_state_dict(self, state: Any) -> None:
        self.state = state
        if state is None:
            raise ValueError("no epochs")


BAD = Parts(1).state()["optimizer"]
BAD["param_groups"][0]["lr"] = -1.0


class TestRestore:
    @pytest.mark.usefixtures("stream")
    def test_everything_comes_back_from_one_file(self, tmp_path: Path) -> None:
        parts, rng, epochs = Parts(3), random.Random(1), Epochs()
        epochs.state = (3, b"x")
        rng.gauss(0.0, 1.0)
        mg.random.normal(0.0, 1.0)
        state = {
            **parts.state(),
            "random": mg.random.get_state(),
            "python": rng.getstate(),
            "epochs": epochs.state_dict(),
            "note": "left to the caller",
        }
        mg.save(state, tmp_path / "checkpoint.json")
        expected = [mg.random.normal(0.0, 1.0), mg.random.uniform(0.0, 1.0), rng.gauss(0.0, 1.0)]
        other, others_rng, others_epochs = Parts(0), random.Random(), Epochs()
        loaded = mg.load(tmp_path / "checkpoint.json")
        assert loaded == state
        mg.restore(
            loaded,
            model=other.model,
            optimizer=other.optimizer,
            random=mg.random,
            python=others_rng,
            epochs=others_epochs,
        )
        assert other.state() == parts.state()
        assert others_epochs.state == (3, b"x")
        drawn = [mg.random.normal(0.0, 1.0), mg.random.uniform(0.0, 1.0)]
        assert [*drawn, others_rng.gauss(0.0, 1.0)] == expected

    @pytest.mark.parametrize("steps", [0, 2])
    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"model": Parts(1, nin=2).state()["model"]}, mg.StateDictError, "Layer.load_state_"),
            ({"model": {"weight": [[0.5]] * 2}}, mg.StateDictError, "Layer.load_state_dict: missi"),
            ({"optimizer": Parts(1, 2).state()["optimizer"]}, mg.StateDictError, "with the params"),
            ({"optimizer": BAD}, ValueError, r"param_groups\[0\]: lr must be finite"),
            ({"optimizer": [0.5]}, mg.StateDictError, "Adam.load_state_dict: expected a state_di"),
            ({"random": b"abc"}, ValueError, "set_state: state must have 5056 bytes, got 3"),
            ({"epochs": None}, ValueError, "no epochs"),
        ],
    )
    @pytest.mark.usefixtures("stream")
    def test_what_does_not_fit_changes_nothing(
        self, steps: int, change: dict[str, Any], error: type[Exception], message: str
    ) -> None:
        rest = {"random": mg.random.get_state(), "epochs": 1}
        state = {**Parts(4).state(), **rest, **change}
        mg.random.uniform(0.0, 1.0)
        mine, stream, epochs = Parts(steps), mg.random.get_state(), Epochs()
        before = mine.state()
        parts: dict[str, Any] = {"model": mine.model, "optimizer": mine.optimizer}
        parts |= {"random": mg.random, "epochs": epochs}
        for order in (parts, dict(reversed(parts.items()))):
            with pytest.raises(error, match=message):
                mg.restore(state, **order)
            assert mine.state() == before
            assert mg.random.get_state() == stream
            assert epochs.state == 0

    def test_an_interrupt_anywhere_leaves_all_old_or_all_new(self) -> None:
        new = Parts(3).state()
        old = Parts(1).state()
        first, seen = Parts(1), []
        # Those of load_state_dict are interrupted one by one in test_concurrency.py.
        for at in islice(every_instruction(lambda: first.restore(new)), 0, None, 199):
            parts = Parts(1)
            with pytest.raises(KeyboardInterrupt), interrupted(at):
                parts.restore(new)
            seen.append(parts.state())
        assert all(state in (old, new) for state in seen)
        assert seen[0] == old

    def test_an_interrupt_between_two_parts_leaves_both_old_or_both_new(self) -> None:
        def go(a: Epochs, b: Epochs) -> None:
            mg.restore({"a": 1, "b": 1}, a=a, b=b)

        for at in every_instruction(lambda: go(Epochs(), Epochs())):
            a, b = Epochs(), Epochs()
            with pytest.raises(KeyboardInterrupt), interrupted(at):
                go(a, b)
            assert a.state == b.state

    @pytest.mark.parametrize(
        ("call", "error", "message"),
        [
            (
                lambda: mg.restore({"model": 1}),
                TypeError,
                "restore: no parts; call restore(state, model=model, optimizer=optimizer)",
            ),
            (
                lambda: mg.restore([1.0], model=nn.Layer(1, 1)),  # type: ignore[arg-type]
                mg.StateDictError,
                "restore: state must be a dict, got [1.0]; pass what load(path) returned",
            ),
            (
                lambda: mg.restore({"net": {}, "epoch": 3}, model=nn.Layer(1, 1)),
                mg.StateDictError,
                (
                    "restore: state has no 'model', only ['net', 'epoch']; save it with that "
                    "entry, or leave out the part"
                ),
            ),
            (
                lambda: mg.restore({"model": {}, "epoch": 3}, model=nn.Layer(1, 1), epoch=3),
                TypeError,
                (
                    "restore: epoch has no load_state_dict or set_state, got 3; pass a module, an "
                    "optimizer or microgradlib.random"
                ),
            ),
        ],
    )
    def test_mistakes(self, call: Callable[[], None], error: type[Exception], message: str) -> None:
        with pytest.raises(error) as caught:
            call()
        assert str(caught.value) == message

    @pytest.mark.parametrize("name", ["save", "load", "restore"])
    def test_a_compiled_function_refuses(self, name: str, tmp_path: Path) -> None:
        calls: dict[str, Callable[[], object]] = {
            "save": lambda: mg.save({}, tmp_path / "x"),
            "load": lambda: mg.load(tmp_path / "x"),
            "restore": lambda: mg.restore({}),
        }

        @mg.compile
        def f(x: float) -> float:
            calls[name]()
            return x

        with pytest.raises(mg.CompileError, match=rf"\b{name}\(\) .*; call it outside(, and|$)"):
            f(1.0)

    def test_methods_that_are_a_pair_are_taken(self) -> None:
        class Stream(Epochs):
            get_state, set_state = Epochs.state_dict, Epochs.load_state_dict
            load_state_dict = property()  # type: ignore[assignment]

        stream = Stream()
        mg.restore({"stream": 5}, stream=stream)
        assert stream.state == 5

    def test_an_entry_may_be_named_state(self) -> None:
        epochs = Epochs()
        mg.restore({"state": 5}, state=epochs)
        assert epochs.state == 5
