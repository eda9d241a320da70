"""GPTs of a few thousand numbers, in several libraries: ``python benchmarks/gpt_steps.py``.

Needs the ``benchmarks`` and ``examples`` extras and a C compiler. Every time is a median of rounds
in which the contestants take turns. A call is a step for each of ten names, a name a step. PyTorch
runs on one thread, which suits this size, with 64-bit floats. What is compiled has one trace for
names of up to 16 tokens.

``microgpt`` is the model of Karpathy's microgpt, which has 4,192 parameters; ``nanogpt`` that of
examples/gpt.py, with the architecture of nanoGPT at the same sizes: 3,808, as its head is tied.
``parity`` compares numbers with PyTorch's; ``training`` runs the example and measures its memory.
"""

import argparse
import operator
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
import transformer
from timing import take_turns, target

import microgradlib as mg
from microgradlib import nn, optim

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))

import gpt  # noqa: E402
import nanogpt  # noqa: E402
import nanogpt_torch  # noqa: E402
from nanogpt import GPTConfig  # noqa: E402

SEED = 1337
NAMES = gpt.read_names(gpt.NAMES)
DOCUMENTS = [gpt.tokens_of(name) for name in NAMES[:: len(NAMES) // 10][:10]]

Pass = Callable[[], float]
"""Takes a step for each of the ten names; returns the last loss."""


def of_steps(step: Callable[[], float]) -> Pass:
    """Return ten steps as one."""

    def run() -> float:
        for _ in DOCUMENTS:
            loss = step()
        return loss

    return run


def over_names(step: Callable[..., float], fill: bool) -> Callable[[], float]:
    """Return a step that takes the next name each time, filled up or not."""
    size = GPTConfig.block_size
    documents: list[tuple[Any, ...]] = [*DOCUMENTS]
    if fill:
        documents = [(gpt.filled(x, size), gpt.filled(y, size), None, len(x)) for x, y in DOCUMENTS]
    read = cycle(documents)
    return lambda: step(*next(read))


# microgpt.


class Microgpt(nanogpt.GPT):
    """microgpt's model: norms without parameters, one of them first; relu; a head of its own."""

    def __init__(self) -> None:
        super().__init__(GPTConfig())

        def norm() -> nn.Module:
            return nn.RMSNorm(transformer.CHANNELS, eps=1e-5, elementwise_affine=False)

        self.first = norm()
        (block,) = self.transformer.h
        block.ln_1, block.ln_2, block.mlp.gelu = norm(), norm(), nn.ReLU()
        self.transformer.ln_f = nn.Identity()
        self.lm_head = nn.Linear(transformer.CHANNELS, transformer.VOCABULARY, bias=False)
        first = transformer.initial()
        attention = first["query"] + first["key"] + first["value"]
        weights = {
            "transformer.wte.weight": first["tokens"],
            "transformer.wpe.weight": first["positions"],
            "transformer.h.0.attn.c_attn.weight": attention,
            "transformer.h.0.attn.c_proj.weight": first["out"],
            "transformer.h.0.mlp.c_fc.weight": first["up"],
            "transformer.h.0.mlp.c_proj.weight": first["down"],
            "lm_head.weight": first["head"],
        }
        self.load_state_dict(weights)

    def embed(self, token: Any, position: Any, factors: Any = None) -> Any:
        return self.first(super().embed(token, position, factors))


def microgpt(backend: str | None, stack: ExitStack) -> Callable[[], float]:
    """Return a step of microgpt's model in our library."""
    model = Microgpt()
    optimizer = optim.Adam(
        model.parameters(), lr=transformer.RATE, betas=transformer.BETAS, eps=transformer.EPS
    )
    return over_names(step_of(model.loss, optimizer, backend, stack), backend is not None)


def step_of(
    loss: Callable[..., Any], optimizer: Any, backend: str | None, stack: ExitStack
) -> Callable[..., float]:
    """Return a training step: in machine code, with the loss compiled to Python, or eager."""
    if backend == "c":
        return stack.enter_context(mg.compiled_step(loss, optimizer))
    used = mg.compile(loss) if backend else loss

    def step(*document: Any) -> float:
        optimizer.zero_grad()
        y = used(*document)
        y.backward()
        optimizer.step()
        return float(y.data)

    return step


# nanoGPT.


def nanogpt_of(backend: str | None, stack: ExitStack) -> Callable[[], float]:
    """Return a step of nanoGPT's model in our library."""
    mg.manual_seed(SEED)
    training = gpt.Training(NAMES, 1000, 0.0)
    step = step_of(training.model.loss, training.optimizer, backend, stack)
    return over_names(step, backend is not None)


def torch_step(model: Any, optimizer: Any) -> Callable[[Sequence[int], Sequence[int]], float]:
    """Return a training step of PyTorch's model."""

    def step(tokens: Sequence[int], targets: Sequence[int]) -> float:
        logits = model(torch.tensor([tokens]))[0, : len(targets)]
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def torch_model(config: GPTConfig) -> Any:
    torch.manual_seed(SEED)
    return nanogpt_torch.GPT(config).double()


def torch_nanogpt() -> Callable[[], float]:
    model = torch_model(GPTConfig())
    optimizer = torch.optim.AdamW(gpt.groups(model), lr=gpt.RATE, betas=gpt.BETAS)
    return over_names(torch_step(model, optimizer), fill=False)


# Sections.


def show(times: dict[str, float], first: str) -> None:
    """Print the time of a step of each contestant."""
    for name, t in times.items():
        step = t / len(DOCUMENTS)
        print(f"  {name:<28}{1e6 * step:>12,.1f} us{t / times[first]:>10.2f} x")


def steps(rounds: int) -> None:
    """Print the times of a step."""
    sizes = [len(tokens) for tokens, _ in DOCUMENTS]
    mean = sum(sizes) / len(sizes)
    documents = [[*tokens, targets[-1]] for tokens, targets in DOCUMENTS]
    with ExitStack() as stack:
        start = time.perf_counter()
        contestants = {
            "ours, machine code": of_steps(microgpt("c", stack)),
            "ours, compiled to Python": of_steps(microgpt("python", stack)),
            "ours, eager": of_steps(microgpt(None, stack)),
            "smallest engine": of_steps(transformer.with_smallest(documents)),
            "torch, float64": of_steps(transformer.with_torch(documents)),
        }
        print(f"microgpt, 4,192 parameters, Adam: a step, names of {mean:.1f} tokens on average")
        losses = {name: run() for name, run in contestants.items()}
        print(f"  {time.perf_counter() - start:.1f} s for all first calls; losses after ten steps:")
        print("  " + ", ".join([f"{loss:.12f}" for loss in losses.values()]))
        times = take_turns(contestants, rounds)
        show(times, "ours, machine code")
        ours = times["ours, machine code"]
        eager, peer = times["smallest engine"] / ours, times["torch, float64"] / ours
        target("the smallest engine takes times its time", eager, operator.ge, 300.0)
        target("PyTorch takes times its time", peer, operator.ge, 5.0)

        print("\nnanoGPT, 3,808 parameters, AdamW with two groups: a step")
        contestants = {
            "ours, machine code": of_steps(nanogpt_of("c", stack)),
            "ours, compiled to Python": of_steps(nanogpt_of("python", stack)),
            "ours, eager": of_steps(nanogpt_of(None, stack)),
            "torch, float64": of_steps(torch_nanogpt()),
        }
        times = take_turns(contestants, rounds)
        show(times, "ours, machine code")
        peer = times["torch, float64"] / times["ours, machine code"]
        target("PyTorch takes times its time", peer, operator.ge, 5.0)


def numbers(x: Any) -> Iterable[float]:
    """Yield the numbers of nested lists, of Values or floats."""
    if hasattr(x, "__iter__"):
        for part in x:
            yield from numbers(part)
    else:
        yield getattr(x, "data", x)


def difference(xs: Any, ys: Any) -> float:
    """Return the largest difference of numbers in nested lists."""
    return max(abs(x - y) for x, y in zip(numbers(xs), numbers(ys), strict=True))


def parity() -> None:
    """Compare with PyTorch."""
    print("\nBeside PyTorch's model, 64-bit: the largest differences")
    config = GPTConfig(n_layer=2, bias=True)
    mg.manual_seed(SEED)
    ours, theirs = nanogpt.GPT(config), torch_model(config)
    logits, losses, gradients = 0.0, 0.0, 0.0
    for tokens, targets in DOCUMENTS:
        found = ours(tokens)
        loss = mg.cross_entropy(found, targets)
        loss.backward()
        expected = theirs(torch.tensor([tokens]))[0]
        peer = torch.nn.functional.cross_entropy(expected, torch.tensor(targets))
        peer.backward()
        logits = max(logits, difference(found, expected.tolist()))
        losses = max(losses, abs(loss.data - peer.item()))
    for (_, p), (_, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        slopes = q.grad.flatten().tolist()
        gradients = max(gradients, difference([x.grad for x in flat(p)], slopes))
    limit("logits", logits, 1e-12)
    limit("losses", losses, 1e-12)
    limit("gradients, of ten names", gradients, 1e-12)
    config = GPTConfig(dropout=0.2)
    mg.manual_seed(SEED)
    training = gpt.Training(NAMES, 50, 0.2)
    peer_model = torch_model(config)
    optimizer = torch.optim.AdamW(gpt.groups(peer_model), lr=gpt.RATE, betas=gpt.BETAS)
    ours_step, step = training.step(training.model.loss), torch_step(peer_model, optimizer)
    worst = 0.0
    for tokens, targets in islice(cycle(DOCUMENTS), 50):
        found = ours_step(tokens, targets, training.model.draw_masks(len(tokens)))
        # All its positions, as it draws masks for as many.
        worst = max(worst, abs(found - step(gpt.filled(tokens, config.block_size), targets)))
    limit("losses of 50 steps with dropout", worst, 1e-9)


def limit(text: str, found: float, most: float) -> None:
    """Print a difference beside the largest that it may be."""
    print(f"    {text}: {found:.1e} (target <= {most:g}) {'met' if found <= most else 'MISSED'}")


def flat(parameter: Any) -> list[Any]:
    """Return the Values of a parameter."""
    if hasattr(parameter, "__iter__"):
        return [x for part in parameter for x in flat(part)]
    return [parameter]


RUN = """
import resource, runpy, sys
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit:
    pass
with open("/proc/self/status") as status:
    (own,) = [line.split()[1] for line in status if line.startswith("VmHWM")]
print("sizes", own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


class Run:
    """A run of the example in a process of its own, with its memory in megabytes."""

    def __init__(self, *options: str) -> None:
        start = time.perf_counter()
        command = [sys.executable, "-c", RUN, str(EXAMPLES / "gpt.py"), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        self.seconds = time.perf_counter() - start
        (loss,) = re.findall(r"mean loss ([\d.]+) nats", done.stdout)
        self.loss = float(loss)
        self.samples = re.findall(r"^  (\w+)$", done.stdout, re.MULTILINE)
        ((own, compilers),) = re.findall(r"sizes (\d+) (\d+)", done.stdout)
        self.memory, self.of_compilers = int(own) / 1024, int(compilers) / 1024


def training() -> None:
    """Run the example: from nothing, and with machine code in a cache; compare with PyTorch."""
    print("\nexamples/gpt.py --backend c: 1,000 steps, and 20 samples")
    with tempfile.TemporaryDirectory() as cache:
        options = ["--backend", "c", "--cache", cache]
        cold, warm = Run(*options), Run(*options)
    print(f"  samples: {', '.join(cold.samples)}")
    target("seconds of the whole program, from nothing", cold.seconds, operator.le, 60.0)
    target("seconds of the whole program, with a cache", warm.seconds, operator.le, 3.0)
    target("mean loss of the last 100 steps, nats", cold.loss, operator.le, 2.2)
    start = time.perf_counter()
    losses = torch_losses()
    seconds = time.perf_counter() - start
    mean = sum(losses[-100:]) / 100
    print(f"  PyTorch's model on the same stream: {mean:.4f} nats, {seconds:.1f} s for the steps")
    print("\nMemory at most, in megabytes: of the program, and of a compiler")
    rows = {
        "machine code, from nothing": cold,
        "machine code, with a cache": warm,
        "compiled to Python, 100 steps": Run("--compile", "--steps", "100"),
        "eager, 100 steps": Run("--steps", "100"),
    }
    for name, run in rows.items():
        print(f"  {name:<32}{run.memory:>8.0f}{run.of_compilers:>8.0f}")


def torch_losses() -> list[float]:
    """Return the losses of PyTorch's model, trained as the example does."""
    model = torch_model(GPTConfig())
    optimizer = torch.optim.AdamW(gpt.groups(model), lr=gpt.RATE, betas=gpt.BETAS)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=1000)
    step = torch_step(model, optimizer)
    order: list[int] = []
    losses = []
    for _ in range(1000):
        order = order or torch.randperm(len(NAMES)).tolist()
        losses.append(step(*gpt.tokens_of(NAMES[order.pop()])))
        schedule.step()
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    sections = ["steps", "parity", "training"]
    parser.add_argument("--sections", nargs="+", choices=sections, default=sections)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if "steps" in options.sections:
        steps(options.rounds)
    if "parity" in options.sections:
        parity()
    if "training" in options.sections:
        training()


if __name__ == "__main__":
    main()
