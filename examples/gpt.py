"""Train a small GPT on names, letter by letter: ``python examples/gpt.py --backend c``.

The model, in nanogpt.py, is that of nanoGPT in single numbers. Each step reads one name. Without
options it trains eagerly, which takes minutes; ``--compile`` generates Python for the loss, and
``--backend c`` machine code for the whole step. The numbers are the same but for their last bits.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

from nanogpt import GPT, GPTConfig
from view import LiveView, collect_interrupts, parse, positive, save_plot

import microgradlib as mg
from microgradlib import optim, safetensors

NAMES = Path(__file__).with_name("names.txt")
"""Given names that end in "a", of many languages: in the public domain, as all names are."""

END = 0  # the token before and after a name; 1 to 26 are the letters
RATE, BETAS, DECAY = 0.01, (0.9, 0.99), 0.01
SAMPLES, TEMPERATURE = 20, 0.5

Step = Callable[..., float]
"""Takes the arguments of ``GPT.loss``; returns the loss."""


# Names as numbers.


def read_names(file: Path) -> list[str]:
    """Return the names in a file, one on each line."""
    names = file.read_text(encoding="utf-8").split()
    for name in names:
        if not (name.isascii() and name.isalpha() and name.islower()):
            raise ValueError(f"{file}: {name!r} is not a name in the letters a to z")
        if len(name) >= GPTConfig.block_size:
            raise ValueError(f"{file}: {name!r} has more than {GPTConfig.block_size - 1} letters")
    if not names:
        raise ValueError(f"{file}: there is no name in it")
    return names


def tokens_of(name: str) -> tuple[list[int], list[int]]:
    """Return the tokens of a name, and those that follow each of them."""
    letters = [ord(letter) - ord("a") + 1 for letter in name]
    return [END, *letters], [*letters, END]


def name_of(tokens: list[int]) -> str:
    return "".join(chr(ord("a") + token - 1) for token in tokens)


def filled(tokens: list[int], size: int) -> list[int]:
    """Fill the positions after a name with any token, so that one trace serves all names."""
    return [*tokens, *[END] * (size - len(tokens))]


# Training.


def groups(model: Any) -> list[dict[str, Any]]:
    """Return the parameters for AdamW: only matrices decay."""
    parameters = [p for _, p in model.named_parameters()]
    return [
        {"params": [p for p in parameters if len(p.shape) == 2], "weight_decay": DECAY},
        {"params": [p for p in parameters if len(p.shape) == 1], "weight_decay": 0.0},
    ]


class Training:
    """A model, its optimizer and the order of the names: all that a checkpoint holds."""

    def __init__(self, names: list[str], steps: int, dropout: float) -> None:
        self.names, self.steps = names, steps
        self.model = GPT(GPTConfig(dropout=dropout))
        self.optimizer = optim.AdamW(groups(self.model), lr=RATE, betas=BETAS)
        self.scheduler = optim.lr_scheduler.LinearLR(
            self.optimizer, start_factor=1.0, end_factor=0.0, total_iters=steps
        )
        self.order: list[int] = []  # of the names still to come in this round
        self.losses: list[float] = []

    def step(self, loss: Callable[..., mg.Value]) -> Step:
        """Return a training step as one writes it; the loss may be compiled."""

        def step(*document: Any) -> float:
            self.optimizer.zero_grad()
            y = loss(*document)
            y.backward()
            self.optimizer.step()
            return y.data

        return step

    def run(self, step: Step, fill: bool) -> Iterator[float]:
        """Take the steps that are left; yield the loss of each."""
        size = self.model.config.block_size
        while len(self.losses) < self.steps:
            if not self.order:
                self.order = mg.random.randperm(len(self.names))
            tokens, targets = tokens_of(self.names[self.order.pop()])
            count = len(tokens)
            if fill:
                masks = self.model.draw_masks()
                loss = step(filled(tokens, size), filled(targets, size), masks, count)
            else:
                loss = step(tokens, targets, self.model.draw_masks(count))
            self.scheduler.step()
            self.losses.append(loss)
            yield loss

    def checkpoint(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": mg.random.get_state(),
            "names": self.names,
            "order": self.order,
            "steps": self.steps,
            "losses": self.losses,
        }

    def load(self, file: Path) -> None:
        """Go on from a checkpoint, or begin with the weights in a .safetensors file."""
        if file.suffix == ".safetensors":
            weights = safetensors.load_file(file)
            # PyTorch's files hold tied weights once.
            weights.setdefault("transformer.wte.weight", weights.get("lm_head.weight"))
            weights.setdefault("lm_head.weight", weights.get("transformer.wte.weight"))
            self.model.load_state_dict(weights)
            return
        checkpoint = mg.load(file)
        if (steps := checkpoint["steps"]) != self.steps:
            raise ValueError(
                f"{file} is of a training of {steps:,} steps, at whose end the learning rate is 0; "
                f"pass --steps {steps}"
            )
        if checkpoint["names"] != self.names:
            raise ValueError(f"{file} is of a training on other names; pass its --names")
        mg.restore(
            checkpoint,
            model=self.model,
            optimizer=self.optimizer,
            scheduler=self.scheduler,
            random=mg.random,
        )
        self.order, self.losses = checkpoint["order"], checkpoint["losses"]

    def recent(self, count: int = 100) -> float:
        """Return the mean loss of the last steps."""
        last = self.losses[-count:]
        return sum(last) / len(last) if last else float("nan")


# Sampling.


def sample(logits: Callable[[list[int]], list[float]], size: int, temperature: float) -> str:
    """Draw one letter after the other, until the end or the last position."""
    tokens = [END]
    while len(tokens) < size:
        scaled = [x / temperature for x in logits(tokens)]
        (token,) = mg.random.multinomial(mg.softmax(scaled), 1)
        if token == END:
            break
        tokens.append(token)
    return name_of(tokens[1:])


def predictor(
    model: GPT, backend: Literal["python", "c"] | None, cache: Path | None = None
) -> Callable[[list[int]], list[float]]:
    """Return a function of tokens that gives the logits of the next one."""
    if backend is None:
        forward: Callable[..., Any] = model.forward
    else:
        forward = mg.compile(model.forward, backend=backend, cache=cache)

    def logits(tokens: list[int]) -> list[float]:
        count, given = None, tokens
        if backend is not None:
            count, given = len(tokens), filled(tokens, model.config.block_size)
        with mg.no_grad():
            return [x.data for x in forward(given, count=count)[len(tokens) - 1]]

    return logits


# The command line.


def share(text: str) -> float:
    """Read the share of numbers that dropout leaves out."""
    try:
        x = float(text)
    except ValueError:
        x = -1.0
    if not 0.0 <= x < 1.0:
        raise argparse.ArgumentTypeError(f"must be from 0 up to 1, without 1, got {text!r}")
    return x


def writable(text: str) -> Path:
    """Read the name of a file to write."""
    file = Path(text)
    if not file.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {str(file.parent)!r}")
    return file


def options_of(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line."""
    parser.add_argument("--steps", type=positive, default=1_000, metavar="N", help="steps in all")
    parser.add_argument("--seed", type=int, default=1337, metavar="S", help="seed of all numbers")
    parser.add_argument("--dropout", type=share, default=0.0, metavar="P", help="from 0 to 1")
    parser.add_argument("--compile", action="store_true", help="compile the loss")
    parser.add_argument("--backend", choices=["python", "c"], help="what to compile to")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep machine code here")
    parser.add_argument("--names", type=Path, default=NAMES, metavar="FILE", help="one a line")
    parser.add_argument("--load", type=Path, metavar="FILE", help="a checkpoint or .safetensors")
    parser.add_argument("--save", type=writable, metavar="FILE", help="a checkpoint to write")
    options = parse(parser)
    if options.compile:
        options.backend = options.backend or "python"
    if options.cache and options.backend != "c":
        parser.error("--cache keeps machine code; it needs --backend c")
    return options


def plot(losses: list[float], figure: Any) -> None:
    """Draw the loss of each step, and the mean of every hundred."""
    axes = figure.add_subplot(xlabel="step", ylabel="loss (nats)")
    axes.plot(range(1, len(losses) + 1), losses, color="lightsteelblue", label="one name")
    means = [sum(losses[i : i + 100]) / 100 for i in range(len(losses) - 99)]
    axes.plot(range(100, 100 + len(means)), means, label="mean of 100 names")
    axes.legend()


def main() -> int:
    """Train, print samples; return the exit status."""
    options = options_of(argparse.ArgumentParser(description="Train a small GPT on names."))
    interrupts = collect_interrupts()
    backend = options.backend
    try:
        training = Training(read_names(options.names), options.steps, options.dropout)
        if options.load:
            training.load(options.load)
    except (OSError, ImportError, LookupError, TypeError, ValueError) as error:
        sys.exit(f"gpt.py: {error}")
    model, first = training.model, len(training.losses)
    print(f"{len(model.parameters()):,} parameters, {len(training.names):,} names", flush=True)

    step: Any
    if backend == "c":
        step = mg.compiled_step(model.loss, training.optimizer, cache=options.cache)
    else:
        step = training.step(mg.compile(model.loss) if backend else model.loss)
    context = step if backend == "c" else nullcontext()

    def figures() -> list[str]:
        return [f"mean of 100: {training.recent():.3f}"]

    steps = training.run(step, fill=backend is not None)
    try:
        with context, LiveView(steps, "gpt", options.steps, training.losses, figures) as view:
            for _ in view:
                if interrupts:
                    break
    except mg.CompileError as error:
        sys.exit(f"gpt.py: {error}")
    if interrupts:
        print(f"Interrupted after {len(training.losses):,} of {options.steps:,} steps.")
    if training.losses:
        print(
            f"steps {first:,} to {len(training.losses):,}: mean loss {training.recent():.4f} nats"
        )
    if options.save:
        mg.save(training.checkpoint(), options.save)
    logits = predictor(model, backend, options.cache)
    for _ in range(SAMPLES):
        print(f"  {sample(logits, model.config.block_size, TEMPERATURE)}", flush=True)
    if options.plot:
        save_plot(options.plot, (8.0, 4.5), partial(plot, training.losses))
    return 128 + signal.SIGINT if interrupts else 0


if __name__ == "__main__":
    sys.exit(main())
