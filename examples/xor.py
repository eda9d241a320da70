"""Train a 2-2-1 sigmoid network on XOR in three ways: ``python examples/xor.py``.

The three trainings are those of the workshop's PyTorch notebook, and seed 42 gives its numbers:

1. stochastic gradient descent, one pattern at a time;
2. gradient descent on all four patterns at once, the full batch;
3. the same without optimizer and loss class: the loss and the update written out.

Training is a loop over epochs. Each ``train_...`` function yields the loss of every epoch, which
drives the live view; apart from that ``yield`` its body is the loop of the notebook.
"""

import argparse
import math
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import microgradlib as mg
from microgradlib import nn, optim

REMEDY = 'pip install -e ".[examples]"'

try:
    from tqdm import tqdm
except ModuleNotFoundError:
    program = Path(sys.argv[0]).name  # moons.py takes its options from here, too
    sys.exit(f"{program}: the progress bar needs tqdm; install it with: {REMEDY}")

INPUTS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
TARGETS = [[0.0], [1.0], [1.0], [0.0]]
NAMES = ["00", "01", "10", "11"]


# The three trainings.


Loss = Callable[..., mg.Value]
Wrapper = Callable[[Loss], Loss]
"""Prepares a loss for training: ``mg.compile``, or a function that returns the loss itself."""


def as_it_is(loss: Loss) -> Loss:
    """Return a loss as it is, for eager evaluation."""
    return loss


def train_sgd(model: nn.MLP, epochs: int, wrap: Wrapper, lr: float = 0.1) -> Iterator[float]:
    """Take a step after each pattern, in order."""
    loss_fn = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=lr)
    loss_of = wrap(lambda x, y: loss_fn(model(x), y))
    for _ in range(epochs):
        total = 0.0
        for x, y in zip(INPUTS, TARGETS, strict=True):
            loss = loss_of(x, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.data
        yield total / len(INPUTS)


def train_full_batch(model: nn.MLP, epochs: int, wrap: Wrapper, lr: float = 1.0) -> Iterator[float]:
    """Take one step per epoch, on the loss over all patterns."""
    loss_fn = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=lr)
    loss_of = wrap(lambda inputs, targets: loss_fn([model(x) for x in inputs], targets))
    for _ in range(epochs):
        loss = loss_of(INPUTS, TARGETS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.data


def train_by_hand(model: nn.MLP, epochs: int, wrap: Wrapper, lr: float = 1.0) -> Iterator[float]:
    """Do what ``train_full_batch`` does, with plain operators and assignments."""
    parameters: list[Any] = model.parameters()

    def squared_error(inputs: list[list[float]], targets: list[list[float]]) -> mg.Value:
        loss = mg.Value(0.0)
        for x, y in zip(inputs, targets, strict=True):
            loss += (model(x)[0] - y[0]) ** 2
        return loss / len(inputs)

    loss_of = wrap(squared_error)
    for _ in range(epochs):
        loss = loss_of(INPUTS, TARGETS)
        loss.backward()
        for p in parameters:
            p.data -= lr * p.grad
            p.grad = 0.0
        yield loss.data


TRAININGS: list[tuple[str, str, Callable[[nn.MLP, int, Wrapper], Iterator[float]]]] = [
    ("1st model", "SGD, batch size 1, lr 0.1", train_sgd),
    ("2nd model", "full batch, lr 1.0", train_full_batch),
    ("3rd model", "full batch, no optimizer or loss class, lr 1.0", train_by_hand),
]


# The live view of a training; moons.py uses it, too.


BLOCKS = "▁▂▃▄▅▆▇█"


def curve(losses: list[float], epochs: int, width: int, levels: str = BLOCKS) -> str:
    """Draw the losses so far, from 0 up; the whole width stands for all epochs."""
    columns = range(1, len(losses) * width // epochs + 1)
    shown = [losses[-(-i * epochs // width) - 1] for i in columns]  # the loss where a column ends
    top = max(shown, default=0.0) or 1.0
    n = len(levels)
    return "".join(levels[min(n - 1, int(n * loss / top))] for loss in shown).ljust(width)


class LiveView(tqdm):  # type: ignore[type-arg]
    """A progress bar that shows the curve of the loss; hidden if stderr is not a terminal.

    The loop appends the losses. ``figures`` says what else to show; it is called only when the line
    is drawn, every 0.1 seconds, so that a training takes no longer for it.
    """

    def __init__(
        self,
        training: Iterator[float],
        name: str,
        epochs: int,
        losses: list[float],
        figures: Callable[[], list[str]],
    ) -> None:
        self.epochs, self.losses, self.figures = epochs, losses, figures
        super().__init__(
            training,
            name,
            epochs,
            disable=None,
            dynamic_ncols=True,
            mininterval=0.1,
            miniters=1,  # otherwise a thread of tqdm may draw it in the middle of a step
        )

    def __str__(self) -> str:
        """Return the line; if it is too long, without the count, then without its last parts."""
        width = (self.format_dict["ncols"] or 80) - 1
        done, epochs = len(self.losses), self.epochs
        start = f"{self.desc}: {done / epochs:4.0%}"
        if not done:
            return start[:width]
        count = f"{done:{len(str(epochs))}}/{epochs}"
        parts = [count, f"loss {self.losses[-1]:.4f}", *self.figures()]
        while (room := width - len(" ".join([start, "", *parts]))) < 10 and parts:
            parts.pop(0 if parts[0] is count else -1)
        levels = ".:-=+*%#" if self.ascii else BLOCKS
        bar = curve(self.losses, epochs, max(0, min(room, 40)), levels)
        return " ".join([start, bar, *parts])[:width]


# Measurements, and what they say.


@dataclass
class Snapshot:
    """A model at one moment: its outputs, the loss, and the norm of the loss's gradient."""

    outputs: list[float]
    loss: float
    gradient: float


@dataclass
class Run:
    """One training."""

    name: str
    method: str
    model: nn.MLP
    before: Snapshot
    after: Snapshot
    losses: list[float] = field(default_factory=list)


def measure(model: nn.MLP) -> Snapshot:
    """Measure a model; its weights stay, its gradients are reset."""
    model.zero_grad()
    outputs = [model(x) for x in INPUTS]
    loss = mg.mse_loss(outputs, TARGETS)
    loss.backward()
    gradient = math.hypot(*[p.grad or 0.0 for p in model.parameters()])
    model.zero_grad()
    return Snapshot([y[0].data for y in outputs], loss.data, gradient)


def gradient_norm(model: nn.MLP) -> list[str]:
    """Return the text that the live view shows beside the loss."""
    return [f"|gradient| {measure(model).gradient:.5f}"]


def decimals(nest: Any) -> str:
    """Write nested lists of numbers with 4 decimals."""
    return f"[{', '.join(map(decimals, nest))}]" if isinstance(nest, list) else f"{nest:.4f}"


def table(runs: list[Run]) -> str:
    """Return the predictions before and after training."""
    names = "".join(f"{name:>8}" for name in NAMES)
    targets = "".join(f"{y:8.0f}" for [y] in TARGETS)
    lines = [f"{'input':26}{names}{'loss':>10}{'|gradient|':>12}", f"{'target':26}{targets}"]
    for run in runs:
        for moment, x in (("before", run.before), (f"{len(run.losses):,} epochs", run.after)):
            name = run.name if x is run.before else ""
            outputs = "".join(f"{y:8.4f}" for y in x.outputs)
            lines.append(f"{name:11}{moment:15}{outputs}{x.loss:10.4f}{x.gradient:12.5f}")
    return "\n".join(lines)


def verdict(run: Run) -> str:
    """Say from the outputs and the gradient whether a model has learnt XOR."""
    x = run.after
    wrong = [
        f"{output:.4f} for {name}"
        for name, output, [target] in zip(NAMES, x.outputs, TARGETS, strict=True)
        if abs(output - target) > 0.25
    ]
    if not wrong:
        return f"{run.name}: learnt. Every output is within 0.25 of its target."
    if len(wrong) == len(NAMES) or x.gradient > 1e-3:
        return f"{run.name}: not learnt. It outputs {', '.join(wrong)}; more epochs may help."
    # Strictly, the minimum lies at infinite weights: from every finite point some path leads down
    # to loss 0 (Sprinkhuizen-Kuyper and Boers, Ann. Math. Artif. Intell. 25, 1999).
    return (
        f"{run.name}: stuck. It outputs {', '.join(wrong)}, yet the norm of its gradient is "
        f"only {x.gradient:.5f}, against {run.before.gradient:.5f} before training, so further "
        "steps hardly change it: as far as gradient descent can tell, this is a local minimum."
    )


def plot(runs: list[Run], file: Path) -> None:
    """Draw the loss curves and, below, each model's output over the plane of inputs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), dpi=120, layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=[1, 1.1])

    curves = figure.add_subplot(grid[0, :])
    for run in runs:
        epochs = range(1, len(run.losses) + 1)
        curves.plot(epochs, run.losses, label=f"{run.name}: {run.method}")
    curves.set(xlabel="epoch", ylabel="mean squared error", yscale="log")
    curves.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, fontsize=9)

    steps = [-0.25 + 1.5 * i / 60 for i in range(61)]
    for column, run in enumerate(runs):
        with mg.no_grad():
            surface = [[run.model([a, b])[0].data for a in steps] for b in steps]
        axes = figure.add_subplot(grid[1, column], aspect="equal")
        levels = [i / 20 for i in range(21)]
        filled = axes.contourf(steps, steps, surface, levels=levels, cmap="RdBu_r")
        axes.contour(steps, steps, surface, levels=[0.5], colors="black", linewidths=1)
        for target, marker, colour in ((0.0, "o", "white"), (1.0, "s", "gold")):
            points = [x for x, [y] in zip(INPUTS, TARGETS, strict=True) if y == target]
            axes.scatter(
                [a for a, _ in points],
                [b for _, b in points],
                s=70,
                c=colour,
                marker=marker,
                edgecolors="black",
                label=f"target {target:.0f}",
                zorder=3,
            )
        axes.set(xlabel="first input", ylabel="second input", xticks=[0, 1], yticks=[0, 1])
        axes.set_title(f"{run.name}\n{run.method}", fontsize=9)
    figure.colorbar(filled, ax=figure.axes[1:], ticks=[0, 0.5, 1], label="output (line: 0.5)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.savefig(file)


# The command line.


def positive(text: str) -> int:
    """Read the number of epochs."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, got {text!r}")
    return int(text)


def picture(text: str) -> Path:
    """Read the name of the file to plot to."""
    file = Path(text)
    if file.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise argparse.ArgumentTypeError(f"must end in .png, .svg or .pdf, got {text!r}")
    if not file.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {str(file.parent)!r}")
    return file


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line, with ``--plot`` as one more option, and apply its seed."""
    parser.add_argument("--plot", type=picture, metavar="FILE", help="a .png, .svg or .pdf file")
    options = parser.parse_args()
    if options.plot and find_spec("matplotlib") is None:
        parser.error(f"--plot needs matplotlib; install it with: {REMEDY}")
    try:
        mg.manual_seed(options.seed)
    except ValueError as error:
        parser.error(f"argument --seed: {error}")
    return options


def collect_interrupts() -> list[int]:
    """Note Ctrl-C in a list, so that the epoch ends first and no update is left half done."""
    interrupts: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: interrupts.append(number))
    return interrupts


def main() -> int:
    """Train, print, plot; return the exit status."""
    parser = argparse.ArgumentParser(description="Train a 2-2-1 network on XOR in three ways.")
    parser.add_argument(
        "--epochs", type=positive, default=10_000, metavar="N", help="epochs of each run"
    )
    parser.add_argument("--seed", type=int, default=42, metavar="S", help="seed of the weights")
    parser.add_argument("--compile", action="store_true", help="compile the losses: same numbers")
    options = parse(parser)
    interrupts = collect_interrupts()
    wrap: Wrapper = mg.compile if options.compile else as_it_is
    runs: list[Run] = []
    for name, method, train in TRAININGS:
        model = nn.MLP(2, [2, 1])
        print(f"{name}: {method}")
        for key, weights in model.state_dict().items():
            print(f"  {key:11} {decimals(weights)}", flush=True)
        start = measure(model)
        run = Run(name, method, model, before=start, after=start)
        runs.append(run)
        training = train(model, options.epochs, wrap)
        figures = partial(gradient_norm, model)
        with LiveView(training, name, options.epochs, run.losses, figures) as view:
            for loss in view:
                run.losses.append(loss)
                if interrupts:
                    break
        run.after = measure(model)
        if interrupts:
            print(f"Interrupted after {len(run.losses):,} of {options.epochs:,} epochs.")
            break

    print("\n" + table(runs) + "\n")
    for run in runs:
        print(textwrap.fill(verdict(run), 88, subsequent_indent="  "))
    if options.plot:
        try:
            plot(runs, options.plot)
        except OSError as error:
            sys.exit(f"xor.py: cannot write the plot: {error}")
    return 128 + signal.SIGINT if interrupts else 0


if __name__ == "__main__":
    sys.exit(main())
