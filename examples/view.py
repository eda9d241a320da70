"""What the programs beside this file import: a live view of a training, a table, plots, options.

``xor.py`` and ``moons.py`` train; this module shows how it goes. It is no program of its own.
"""

import argparse
import math
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import microgradlib as mg
from microgradlib import nn

PROGRAM = Path(sys.argv[0]).name
REMEDY = 'pip install -e ".[examples]"'

try:
    from tqdm import tqdm
except ModuleNotFoundError:
    sys.exit(f"{PROGRAM}: the progress bar needs tqdm; install it with: {REMEDY}")

Rows = list[list[float]]


# The live view of a training.


BLOCKS = "▁▂▃▄▅▆▇█"


def curve(losses: list[float], count: int, width: int, levels: str = BLOCKS) -> str:
    """Draw the losses so far, from 0 up; the whole width stands for the count that there will be.

    A count is one of epochs or of steps: of whatever gives one loss.
    """
    columns = range(1, len(losses) * width // count + 1)
    shown = [losses[-(-i * count // width) - 1] for i in columns]  # the loss where a column ends
    top = max(shown, default=0.0) or 1.0
    n = len(levels)
    return "".join(levels[min(n - 1, int(n * loss / top))] for loss in shown).ljust(width)


class LiveView(tqdm):  # type: ignore[type-arg]
    """A progress bar that shows the curve of the loss; hidden if stderr is not a terminal.

    The training gives ``count`` losses, one of each epoch or step; the loop appends them to
    ``losses``. ``figures`` says what else to show; it is called only when the line is drawn, every
    0.1 seconds, so that a training takes no longer for it.
    """

    def __init__(
        self,
        training: Iterator[float],
        name: str,
        count: int,
        losses: list[float],
        figures: Callable[[], list[str]],
    ) -> None:
        self.count, self.losses, self.figures = count, losses, figures
        super().__init__(
            training,
            name,
            count,
            disable=None,
            dynamic_ncols=True,
            mininterval=0.1,
            miniters=1,  # otherwise a thread of tqdm may draw it in the middle of a step
        )

    def __str__(self) -> str:
        """Return the line; if it is too long, without "done/count", then without its last parts."""
        width = (self.format_dict["ncols"] or 80) - 1
        done, count = len(self.losses), self.count
        start = f"{self.desc}: {done / count:4.0%}"
        if not done:
            return start[:width]
        position = f"{done:{len(str(count))}}/{count}"
        parts = [position, f"loss {self.losses[-1]:.4f}", *self.figures()]
        while (room := width - len(" ".join([start, "", *parts]))) < 10 and parts:
            parts.pop(0 if parts[0] is position else -1)
        levels = ".:-=+*%#" if self.ascii else BLOCKS
        bar = curve(self.losses, count, max(0, min(room, 40)), levels)
        return " ".join([start, bar, *parts])[:width]


def collect_interrupts() -> list[int]:
    """Note Ctrl-C in a list, so that the loop can end after a whole update of the weights."""
    interrupts: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: interrupts.append(number))
    return interrupts


# Measurements of a model that learns a few patterns.


@dataclass
class Snapshot:
    """A model at one moment: its outputs, the loss, and the norm of the loss's gradient."""

    outputs: list[float]
    loss: float
    gradient: float


@dataclass
class Run:
    """One training of a model with one output, and the patterns that it learns."""

    name: str
    method: str
    model: nn.MLP
    inputs: Rows
    targets: Rows
    losses: list[float] = field(default_factory=list)
    before: Snapshot = field(init=False)
    after: Snapshot = field(init=False)

    def __post_init__(self) -> None:
        self.before = self.after = self.measure()

    def measure(self) -> Snapshot:
        """Measure the model; its weights stay, its gradients are reset."""
        self.model.zero_grad()
        outputs = [self.model(x) for x in self.inputs]
        loss = mg.mse_loss(outputs, self.targets)
        loss.backward()
        gradient = gradient_norm(self.model)
        self.model.zero_grad()
        return Snapshot([y[0].data for y in outputs], loss.data, gradient)

    def figures(self) -> list[str]:
        """Return the text that the live view shows beside the loss."""
        return [f"|gradient| {self.measure().gradient:.5f}"]


def gradient_norm(model: nn.Module) -> float:
    """Return the norm of the gradient that the parameters have."""
    return math.hypot(*[p.grad or 0.0 for p in model.parameters()])


def decimals(nest: Any) -> str:
    """Write nested lists of numbers with 4 decimals."""
    return f"[{', '.join(map(decimals, nest))}]" if isinstance(nest, list) else f"{nest:.4f}"


def table(names: list[str], runs: list[Run]) -> str:
    """Return the predictions before and after training, of patterns with these names."""
    header = "".join(f"{name:>8}" for name in names)
    targets = "".join(f"{y:8.0f}" for [y] in runs[0].targets)
    lines = [f"{'input':26}{header}{'loss':>10}{'|gradient|':>12}", f"{'target':26}{targets}"]
    for run in runs:
        for moment, x in (("before", run.before), (f"{len(run.losses):,} epochs", run.after)):
            name = run.name if x is run.before else ""
            outputs = "".join(f"{y:8.4f}" for y in x.outputs)
            lines.append(f"{name:11}{moment:15}{outputs}{x.loss:10.4f}{x.gradient:12.5f}")
    return "\n".join(lines)


# Plots.


@dataclass
class Kind:
    """The points with the same label, and how they are drawn."""

    label: float
    name: str
    marker: str
    colour: str


def save_plot(file: Path, size: tuple[float, float], draw: Callable[[Any], None]) -> None:
    """Write a figure, of a size in inches, that ``draw`` fills; exit if it cannot be written."""
    try:
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, dpi=120, layout="constrained")
        draw(figure)
        figure.savefig(file)
    except OSError as error:
        sys.exit(f"{PROGRAM}: cannot write the plot: {error}")


def draw_plane(
    axes: Any,
    model: nn.MLP,
    grid: tuple[list[float], list[float]],
    levels: list[float],
    points: Rows,
    labels: list[float],
    kinds: list[Kind],
    size: int,
    extend: str = "neither",
) -> Any:
    """Draw a model's output over the plane of its two inputs, and points; return the contours.

    A line shows where the output is that of the middle level.
    """
    across, up = grid
    with mg.no_grad():
        surface = [[model([x, y])[0].data for x in across] for y in up]
    filled = axes.contourf(across, up, surface, levels=levels, cmap="RdBu_r", extend=extend)
    middle = levels[len(levels) // 2]
    axes.contour(across, up, surface, levels=[middle], colors="black", linewidths=1)
    for kind in kinds:
        chosen = [x for x, label in zip(points, labels, strict=True) if label == kind.label]
        axes.scatter(
            [x for x, _ in chosen],
            [y for _, y in chosen],
            s=size,
            c=kind.colour,
            marker=kind.marker,
            edgecolors="black",
            label=kind.name,
            zorder=3,
        )
    axes.set(xlabel="first input", ylabel="second input")
    return filled


def plot_runs(runs: list[Run], file: Path) -> None:
    """Plot the loss curves and, below, the outputs of up to three models on the plane of inputs."""
    save_plot(file, (11, 8), partial(draw_runs, runs))


def draw_runs(runs: list[Run], figure: Any) -> None:
    """Draw what ``plot_runs`` plots."""
    grid = figure.add_gridspec(2, 3, height_ratios=[1, 1.1])

    curves = figure.add_subplot(grid[0, :])
    for run in runs:
        epochs = range(1, len(run.losses) + 1)
        curves.plot(epochs, run.losses, label=f"{run.name}: {run.method}")
    curves.set(xlabel="epoch", ylabel="mean squared error", yscale="log")
    curves.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, fontsize=9)

    steps = [-0.25 + 1.5 * i / 60 for i in range(61)]
    levels = [i / 20 for i in range(21)]
    kinds = [Kind(0.0, "target 0", "o", "white"), Kind(1.0, "target 1", "s", "gold")]
    for column, run in enumerate(runs):
        axes = figure.add_subplot(grid[1, column], aspect="equal")
        labels = [y for [y] in run.targets]
        filled = draw_plane(axes, run.model, (steps, steps), levels, run.inputs, labels, kinds, 70)
        axes.set(xticks=[0, 1], yticks=[0, 1])
        axes.set_title(f"{run.name}\n{run.method}", fontsize=9)
    figure.colorbar(filled, ax=figure.axes[1:], ticks=[0, 0.5, 1], label="output (line: 0.5)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)


# The command line.


def positive(text: str) -> int:
    """Read a count, as of epochs or steps."""
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
