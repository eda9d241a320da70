"""The examples, run as a user runs them."""

import io
import math
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path

import pytest
from compilers import compiler

pytestmark = pytest.mark.usefixtures("unmeasured")

EXAMPLES = Path(__file__).parent.parent / "examples"
XOR = [sys.executable, "-W", "error", str(EXAMPLES / "xor.py")]

needs_posix = pytest.mark.skipif(os.name != "posix", reason="sends SIGINT, or opens a terminal")

# The notebook's weights and predictions, at seed 42.
WEIGHTS = {
    "fc1.weight": [0.5406, 0.5869, -0.1657, 0.6496],
    "fc1.bias": [-0.1549, 0.1427],
    "fc2.weight": [-0.3443, 0.4153],
    "fc2.bias": [0.6233],
}
BEFORE = {
    "1st model": [0.6653, 0.6683, 0.6511, 0.6557],
    "2nd model": [0.5916, 0.6037, 0.5989, 0.6101],
    "3rd model": [0.3454, 0.3412, 0.3613, 0.3574],
}
AFTER = {
    "1st model": [0.0483, 0.9567, 0.9425, 0.0434],
    "2nd model": [0.0157, 0.4996, 0.9828, 0.5006],
    "3rd model": [0.0171, 0.9819, 0.9819, 0.0223],
}
TARGETS = [0.0, 1.0, 1.0, 0.0]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*XOR, *options], capture_output=True, text=True, timeout=120)


@cache
def full_run() -> str:
    """Return the output of the example without options."""
    done = run()
    assert (done.returncode, done.stderr) == (0, "")  # no live view where nobody looks
    assert re.fullmatch(r"[\n -~]*", done.stdout)  # and no control characters
    return done.stdout


def on_a_terminal(
    command: list[str], columns: int, stdout: Path = Path(os.devnull), encoding: str = "utf-8"
) -> str:
    """Return what a command writes to a terminal of so many columns; stdout goes to a file."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    with (
        stdout.open("w") as file,
        subprocess.Popen(command, stdout=file, stderr=theirs, env=environment),
    ):
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:  # how Linux says that the other side was closed
            pass
    os.close(ours)
    return shown.decode(encoding)


def numbers(text: str) -> list[float]:
    return [float(x) for x in re.findall(r"-?\d+\.\d+", text)]


def rows(output: str) -> dict[str, tuple[list[float], list[float], str]]:
    """Return for each model of the table the numbers before, those after, and the epochs."""
    found = re.findall(r"^(\w+ model) +before (.*)\n +([\d,]+) epochs (.*)$", output, re.MULTILINE)
    return {name: (numbers(before), numbers(after), n) for name, before, n, after in found}


def verdicts(output: str) -> dict[str, str]:
    """Return what is said of each model at the end, on one line."""
    paragraphs = output.rpartition("\n\n")[2]
    joined = re.sub(r"\n +", " ", paragraphs)
    return dict(re.findall(r"^(\w+ model): (.*)$", joined, re.MULTILINE))


class TestNumbers:
    def test_initial_weights(self) -> None:
        first = full_run().partition("2nd model")[0]
        found = {key: numbers(x) for key, x in re.findall(r"^  (\S+) +(\[.*\])$", first, re.M)}
        assert found == WEIGHTS

    def test_predictions(self) -> None:
        table = rows(full_run())
        assert {name: before[:4] for name, (before, _, _) in table.items()} == BEFORE
        assert {name: after[:4] for name, (_, after, _) in table.items()} == AFTER
        assert {n for _, _, n in table.values()} == {"10,000"}

    def test_losses_are_those_of_the_predictions(self) -> None:
        for before, after, _ in rows(full_run()).values():
            for *outputs, loss, _ in (before, after):
                errors = [(y - t) ** 2 for y, t in zip(outputs, TARGETS, strict=True)]
                assert math.isclose(loss, sum(errors) / 4, abs_tol=1e-4)

    def test_gradient_norms(self) -> None:
        # PyTorch in float64 gives the same norms at the same weights.
        norms = {name: (x[-1], y[-1]) for name, (x, y, _) in rows(full_run()).items()}
        assert norms == {
            "1st model": (0.09413, 0.00141),
            "2nd model": (0.06397, 0.00021),
            "3rd model": (0.08365, 0.00022),
        }


class TestVerdict:
    def test_seed_42(self) -> None:
        said = verdicts(full_run())
        assert said["1st model"] == said["3rd model"]
        assert said["1st model"] == "learnt. Every output is within 0.25 of its target."
        assert said["2nd model"] == (
            "stuck. It outputs 0.4996 for 01, 0.5006 for 11, yet the norm of its gradient is only "
            "0.00021, against 0.06397 before training, so further steps hardly change it: as far "
            "as gradient descent can tell, this is a local minimum."
        )

    def test_follows_from_what_was_measured(self) -> None:
        # At another seed all three learn; the weights are others, too.
        output = run("--seed", "3").stdout
        assert set(verdicts(output).values()) == {verdicts(full_run())["1st model"]}
        assert {len(after) for _, after, _ in rows(output).values()} == {6}
        assert numbers(output)[1:5] != WEIGHTS["fc1.weight"]

    def test_too_few_epochs(self) -> None:
        # At the start the loss is flat, too: a gradient of nearly zero alone is no local minimum.
        output = run("--epochs", "300").stdout
        assert rows(output)["3rd model"][1][-1] < 1e-3
        said = verdicts(output)
        assert len(said) == 3
        assert all(x.startswith("not learnt. It outputs 0.") for x in said.values())


class TestOptions:
    def test_compiled_losses_give_the_same_output(self) -> None:
        eager, compiled = run("--epochs", "300"), run("--epochs", "300", "--compile")
        assert eager.returncode == compiled.returncode == 0
        assert compiled.stdout == eager.stdout

    @pytest.mark.parametrize(
        ("suffix", "magic"), [("png", b"\x89PNG\r\n"), ("svg", b"<?xml"), ("pdf", b"%PDF-")]
    )
    def test_plot(self, tmp_path: Path, suffix: str, magic: bytes) -> None:
        file = tmp_path / f"xor.{suffix}"
        done = run("--epochs", "2", "--plot", str(file))
        assert (done.returncode, done.stderr) == (0, "")
        assert file.read_bytes().startswith(magic)
        assert file.stat().st_size > 10_000

    def test_a_plot_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "xor.png").mkdir()
        done = run("--epochs", "2", "--plot", str(tmp_path / "xor.png"))
        assert done.returncode == 1
        assert re.fullmatch(r"xor\.py: cannot write the plot: .*\n", done.stderr)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--epochs", "0"], "argument --epochs: must be a whole number above 0, got '0'"),
            (["--epochs", "-1"], "argument --epochs: must be a whole number above 0, got '-1'"),
            (["--epochs", "ten"], "argument --epochs: must be a whole number above 0, got 'ten'"),
            (["--seed", "0.5"], "argument --seed: invalid int value: '0.5'"),
            (["--seed", str(2**64)], "argument --seed: manual_seed: seed must be in "),
            (["--plot", "xor.txt"], "argument --plot: must end in .png, .svg or .pdf"),
            (["--plot", "no/such/xor.png"], "argument --plot: there is no directory"),
            (["--lr", "1"], "unrecognized arguments: --lr 1"),
        ],
    )
    def test_bad_options(self, options: list[str], message: str) -> None:
        done = run(*options)
        assert (done.returncode, done.stdout) == (2, "")
        usage, error = done.stderr.splitlines()
        assert usage.startswith("usage: ")
        assert error.startswith(f"xor.py: error: {message}")

    @pytest.mark.parametrize("missing", ["tqdm", "matplotlib"])
    def test_a_missing_package(self, tmp_path: Path, missing: str) -> None:
        if missing != "tqdm":
            (tmp_path / "tqdm.py").write_text("tqdm = object")
        # Without site-packages (-S) there is only what the path names.
        path = os.pathsep.join([str(EXAMPLES.parent / "src"), str(tmp_path)])
        done = subprocess.run(
            [sys.executable, "-S", str(EXAMPLES / "xor.py"), "--plot", "xor.png"],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (1 if missing == "tqdm" else 2, "")
        assert "Traceback" not in done.stderr
        assert re.search(rf'{missing}; .*pip install -e "\.\[examples\]"', done.stderr)


@needs_posix
class TestTerminal:
    def test_ctrl_c(self, tmp_path: Path) -> None:
        file = tmp_path / "xor.png"
        with subprocess.Popen(
            [*XOR, "--epochs", "1000000", "--plot", str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            assert process.stdout.readline().startswith("1st model")
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert errors == ""
        (name, (before, after, epochs)), *others = rows(output).items()
        assert (name, others) == ("1st model", [])
        assert before[:4] == BEFORE["1st model"]
        assert len(after) == 6
        assert f"Interrupted after {epochs} of 1,000,000 epochs." in output
        assert list(verdicts(output)) == ["1st model"]
        assert file.stat().st_size > 10_000  # what was trained so far

    @pytest.mark.parametrize("columns", [20, 40, 80, 120])
    def test_live_view(self, columns: int) -> None:
        shown = on_a_terminal([*XOR, "--epochs", "50"], columns)
        assert "\x1b" not in shown  # no colours, no moves of the cursor but back to the left
        assert max(len(line) for line in re.split(r"[\r\n]+", shown)) < columns
        for name in BEFORE:
            gradient = r" \|gradient\| 0\.\d{5}" if columns >= 80 else ""
            count, loss = (" 50/50" if columns >= 80 else ""), r" loss 0\.\d{4}"
            figures = f"{count}{loss}{gradient}" if columns >= 40 else ""
            assert re.search(rf"\r{name}: 100%( [▁-█]+)?{figures} *\r\n", shown), shown

    def test_live_view_leaves_the_training_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "output"
        shown = on_a_terminal(XOR, 80, file)
        assert shown.count("\r") > 6  # not only the first and the last line of each training
        assert file.read_text() == full_run()

    def test_live_view_without_unicode(self) -> None:
        shown = on_a_terminal([*XOR, "--epochs", "50"], 80, encoding="ascii")
        assert re.search(r"\r1st model: 100% [.:=+*%#-]{10,40} 50/50 loss", shown)


def test_the_trainings_of_xor_come_first() -> None:
    text = (EXAMPLES / "xor.py").read_text("utf-8")
    assert len(text.splitlines()) <= 150
    names = re.findall(r"^(?:def|class) (\w+)", text, re.MULTILINE)
    assert names[:3] == ["train_sgd", "train_full_batch", "train_by_hand"]


def test_live_view_is_drawn_between_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not by tqdm's monitor, another thread, which redraws a line that has not moved for long.
    view_class = runpy.run_path(str(EXAMPLES / "view.py"))["LiveView"]
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(view_class, "monitor_interval", 0.01)
    threads: set[str] = set()

    def figures() -> list[str]:
        threads.add(threading.current_thread().name)
        return []

    losses: list[float] = []
    with view_class(iter([0.5] * 20_000), "name", 20_000, losses, figures) as view:
        view.mininterval, view.maxinterval = 0.001, 0.05
        for loss in view:
            losses.append(loss)
            if len(losses) == 19_000:
                time.sleep(0.3)
    view_class.monitor.exit()
    assert threads == {threading.current_thread().name}


def test_curve() -> None:
    curve = runpy.run_path(str(EXAMPLES / "view.py"))["curve"]
    assert curve([8.0, 4.0, 2.0, 1.0], 8, 8) == "█▅▃▂    "
    assert curve([8.0, 4.0, 2.0, 0.0], 4, 8) == "██▅▅▃▃▁▁"  # fewer epochs than columns
    assert curve([float(i) for i in range(800)], 800, 8) == "▁▂▃▄▅▆▇█"
    assert curve([1.0], 800, 8) == " " * 8
    assert curve([0.0, 0.0], 2, 2) == "▁▁"
    assert curve([1.0], 1, 0) == ""


def test_hello() -> None:
    file = EXAMPLES / "hello.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(file)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    slope = 1.0 / math.cosh(1.0) ** 2  # of tanh at x * y + 3 = 1
    assert done.stdout == (
        f"z     = {math.tanh(1.0) + 4.0:.6f}\n"
        f"dz/dx = {-slope + 4.0:.6f}\n"
        f"dz/dy = {2.0 * slope:.6f}\n"
    )
    assert len(file.read_text("utf-8").splitlines()) < 25


class TestMoons:
    MOONS = (sys.executable, "-W", "error", str(EXAMPLES / "moons.py"))

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [*self.MOONS, *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    def test_learns(self) -> None:
        done = self.run()
        assert (done.returncode, done.stderr) == (0, "")
        ((epochs, loss, share),) = re.findall(
            r"^(\d+) epochs: loss (\S+), (\S+)% of the training points are right$",
            done.stdout,
            re.M,
        )
        assert int(epochs) == 60
        assert 0.0 < float(loss) < 0.2
        assert 97.0 <= float(share) <= 100.0

    @needs_posix
    def test_live_view(self) -> None:
        shown = on_a_terminal([*self.MOONS, "--epochs", "60"], 80)
        end = r"loss 0\.\d{4} accuracy ([\d.]+)% \|gradient\| \d+\.\d{4} *\r\n"
        (share,) = re.findall(rf"\rmoons: 100% [▁-█]+ 60/60 {end}", shown)
        assert 97.0 <= float(share) <= 100.0

    def test_eager_evaluation_gives_the_same_output(self) -> None:
        eager, compiled = self.run("--epochs", "3", "--eager"), self.run("--epochs", "3")
        assert re.search(r"^3 epochs: loss 0\.\d{10}", eager.stdout, re.MULTILINE)
        assert compiled.stdout == eager.stdout
        assert compiled.returncode == eager.returncode

    def test_fails_if_it_has_not_learnt(self) -> None:
        done = self.run("--epochs", "1")
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout.endswith("That is less than 97%: not learnt. More epochs may help.\n")

    def test_seed(self) -> None:
        outputs = {self.run("--epochs", "2", "--seed", seed).stdout for seed in ("1", "2", "2")}
        assert len(outputs) == 2

    def test_plot(self, tmp_path: Path) -> None:
        file = tmp_path / "moons.png"
        done = self.run("--plot", str(file))
        assert (done.returncode, done.stderr) == (0, "")
        assert file.read_bytes().startswith(b"\x89PNG\r\n")
        assert file.stat().st_size > 10_000

    def test_a_plot_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "moons.png").mkdir()
        done = self.run("--epochs", "1", "--plot", str(tmp_path / "moons.png"))
        assert done.returncode == 1
        assert re.fullmatch(r"moons\.py: cannot write the plot: .*\n", done.stderr)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--epochs", "0"], "argument --epochs: must be a whole number above 0, got '0'"),
            (["--seed", str(2**64)], "argument --seed: manual_seed: seed must be in "),
            (["--plot", "moons.txt"], "argument --plot: must end in .png, .svg or .pdf"),
        ],
    )
    def test_bad_options(self, options: list[str], message: str) -> None:
        done = self.run(*options)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines()[-1].startswith(f"moons.py: error: {message}")

    def test_without_tqdm(self) -> None:
        done = subprocess.run(
            [sys.executable, "-S", str(EXAMPLES / "moons.py")],
            env=os.environ | {"PYTHONPATH": str(EXAMPLES.parent / "src")},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 1
        assert done.stderr.startswith("moons.py: the progress bar needs tqdm; install it with: pip")

    @needs_posix
    def test_ctrl_c(self, tmp_path: Path) -> None:
        file = tmp_path / "moons.png"
        with subprocess.Popen(
            [*self.MOONS, "--epochs", "1000000", "--plot", str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "MLP(\n"
            process.send_signal(signal.SIGINT)
            try:
                output, errors = process.communicate(timeout=60)
            finally:
                process.kill()  # or leaving the block would wait for it
        assert (process.returncode, errors) == (130, "")
        (epochs,) = re.findall(r"Interrupted after (\S+) of 1,000,000 epochs\.", output)
        assert f"\n{epochs} epochs: loss " in output
        assert file.stat().st_size > 10_000  # what was trained so far


class TestDerivatives:
    """The examples that check themselves: they say what they computed, and fail if it is off."""

    @staticmethod
    def output(name: str, *options: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", str(EXAMPLES / name), *options],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        return done.stdout

    def test_scipy_minimize(self) -> None:
        pytest.importorskip("scipy")
        pytest.importorskip("sklearn")
        lines = self.output("scipy_minimize.py").splitlines()
        checks = [line for line in lines if line.startswith("ok  ")]
        assert len(checks) == 8
        minima = [float(x) for line in lines for x in re.findall(r"minimum (\S+) after", line)]
        assert len(minima) == 4
        assert max(minima[:3]) < 1e-15
        assert math.isclose(minima[3], 0.5121, abs_tol=1e-4)

    def test_black_scholes(self) -> None:
        output = self.output("black_scholes.py")
        rows = re.findall(r"^  (\w[\w ]*\w) +(\S+)   closed form +(\S+)$", output, re.MULTILINE)
        assert len(rows) == 3 * 13
        assert all(computed == expected for _, computed, expected in rows)
        at_the_money = {name: float(x) for name, x, _ in rows[13:26]}
        assert at_the_money["price"] == pytest.approx(8.97333, abs=1e-5)
        assert 0.5 < at_the_money["delta"] < 0.6
        assert at_the_money["gamma"] > 0.0 > at_the_money["theta"]

    @pytest.mark.skipif(not compiler(), reason="no C compiler")
    def test_monte_carlo(self) -> None:
        output = self.output("monte_carlo.py")
        assert len(re.findall(r"average: 100,000 paths in \d+\.\d+ s", output)) == 2
        found = re.findall(r"^(\w+) +(\S+) \+- (\S+) +(\S+) \+- (\S+) +(\S+)$", output, re.M)
        rows = {name: [float(x) for x in numbers] for name, *numbers in found}
        assert [*rows] == ["price", "delta", "vega", "rho"]
        for arithmetic, _, geometric, error, exact in rows.values():
            assert abs(geometric - exact) < 5.0 * error
            assert 0.9 < geometric / arithmetic < 1.0  # the means of numbers are in this order
        done = subprocess.run(
            [sys.executable, EXAMPLES / "monte_carlo.py", "--paths", "1"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert "--paths must be 2 or more, got 1" in done.stderr

    @pytest.mark.long
    def test_parallel(self) -> None:
        pytest.importorskip("distributed")
        output = self.output("parallel.py", "--points", "30", "--epochs", "3")
        found = re.findall(r"^(\w+), (\d) workers? +loss (\S+), weights (\w{16}), ", output, re.M)
        assert [x[:2] for x in found] == [(e, w) for e in ("processes", "dask") for w in "123"]
        assert len({x[2:] for x in found}) == 1
        assert output.endswith("\nThe weights are the same, to the last bit.\n")
        script = [sys.executable, EXAMPLES / "parallel.py", "--points", "5"]
        done = subprocess.run(script, capture_output=True, text=True)
        assert done.returncode == 2
        assert "--points must be 6 or more, --epochs 1 or more" in done.stderr

    def test_newton(self) -> None:
        output = self.output("newton.py")
        errors = [
            [float(x) for x in line.split()]
            for line in re.findall(r"step by step: (.*)$", output, re.MULTILINE)
        ]
        assert len(errors) == 3
        for row in errors:
            assert row[0] > 0.1
            assert row[-1] < 1e-12
            assert len(row) <= 8
        assert "minimum 6.76643256752 at (0.695788534088, 0.751176106505)" in output

    def test_pendulum(self) -> None:
        output = self.output("pendulum.py")
        rows = re.findall(r"^ok   .* (\S+)  expected +(\S+)$", output, re.MULTILINE)
        assert len(rows) == 8
        period, by_angle, by_length = (float(x) for x, _ in rows[:3])
        # 2 K(sin 1) / pi = 1.3289045 times that of a small swing, K the complete elliptic integral
        small = 2.0 * math.pi * math.sqrt(1.5 / 9.81)
        assert period / small == pytest.approx(1.3289045, abs=1e-6)
        assert by_length == pytest.approx(period / 3.0, rel=1e-7)
        assert by_angle > 0.0

    BACKENDS = (
        pytest.param("c", marks=pytest.mark.skipif(not compiler(), reason="no C compiler")),
        "python",
    )

    @pytest.mark.long
    @pytest.mark.parametrize("backend", BACKENDS)
    def test_trajectory(self, backend: str) -> None:
        pytest.importorskip("numpy")
        output = self.output("trajectory.py", "--backend", backend)
        steps = {"c": "100,000", "python": "5,000"}[backend]
        assert output.startswith(f"The gradient through {steps} steps, backend {backend}:\n")
        kept = re.findall(r"^  (.*) kept: \d\.\d{3} s, (\d\.\d\d) MB$", output, re.MULTILINE)
        (_, all_carries), (_, checkpoints) = kept
        assert 0.0 < float(checkpoints) < 0.7 * float(all_carries)
        found = re.findall(r"^  (\w+) +(\S+)  true +(\S+)$", output, re.MULTILINE)
        assert [name for name, *_ in found] == ["damping", "stiffness", "force", "noise"]
        off = 0.005 if backend == "c" else 0.02
        assert all(abs(float(x) - float(true)) < off for _, x, true in found)

    @pytest.mark.long
    @needs_posix
    def test_trajectory_shows_its_progress(self) -> None:
        pytest.importorskip("numpy")
        command = [sys.executable, str(EXAMPLES / "trajectory.py"), "--backend", "python"]
        shown = on_a_terminal(command, 80)
        losses = [float(x) for x in re.findall(r"\rfit: \d+ iterations .*loss (0\.\d{8})\]", shown)]
        assert losses[-1] == pytest.approx(0.05**2, rel=0.1)  # the variance of the noise

    @pytest.mark.long
    @pytest.mark.parametrize("backend", BACKENDS)
    def test_fit_many(self, backend: str) -> None:
        pytest.importorskip("numpy")
        output = self.output("fit_many.py", "--backend", backend)
        curve, decays = {"c": ("100,000", "10,000"), "python": ("10,000", "1,000")}[backend]
        assert output.startswith(f"A curve through {curve} points, backend {backend}\n")
        assert f"\n{decays} decays of 10 points\n" in output
        assert len(re.findall(r" \d+\.\d\d ms$", output, re.MULTILINE)) == 6
        found = re.findall(r"^  (\w+) +(\S+) \+- (\S+)  true +(\S+)$", output, re.MULTILINE)
        assert [name for name, *_ in found] == [
            *("amplitude", "decay", "frequency", "phase", "offset")
        ]
        for _, x, error, true in found:
            assert 0.0 < float(error) < 0.01
            assert abs(float(x) - float(true)) < 5.0 * float(error)
