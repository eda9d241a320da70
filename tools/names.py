"""PyTorch's names beside ours: ``python tools/names.py`` writes docs/names.md.

Needs the ``peers`` extra. A name of ours stands for the same name of PyTorch, in the module that
stands for its module. The differences are read from the signatures of both, and from ``NOTES``, for
what these do not show. The names that do not exist are those for which ``absent`` has a remedy.
"""

import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from inspect import Parameter
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch

from microgradlib.absent import ABSENT
from microgradlib.absent import OTHERS as OTHERS_ABSENT

PAGE = Path(__file__).parent.parent / "docs" / "names.md"

# The module or class of ours that stands for one of PyTorch.
OWNERS = {
    "torch": "microgradlib",
    "torch.nn": "microgradlib.nn",
    "torch.nn.Module": "microgradlib.nn.Module",
    "torch.nn.Parameter": "microgradlib.nn.Parameter",
    "torch.nn.functional": "microgradlib.nn.functional",
    "torch.nn.init": "microgradlib.nn.init",
    "torch.nn.utils": "microgradlib.nn.utils",
    "torch.optim": "microgradlib.optim",
    "torch.optim.Optimizer": "microgradlib.optim.Optimizer",
    "torch.optim.lr_scheduler": "microgradlib.optim.lr_scheduler",
    "torch.optim.lr_scheduler.LRScheduler": "microgradlib.optim.lr_scheduler.LRScheduler",
    "torch.utils.data": "microgradlib.data",
    "torch.Tensor": "microgradlib.Value",
    "torch.Generator": "microgradlib.random.Generator",
    "torch.random": "microgradlib.random",
    "torch.autograd": "microgradlib.autograd",
}
# Names of PyTorch for which another one of ours stands.
RENAMED = {
    "torch.Generator": "microgradlib.random.Generator",
    "torch.bernoulli": "microgradlib.random.bernoulli",
    "torch.clamp": "microgradlib.clip",
    "torch.func.grad": "microgradlib.grad",
    "torch.func.grad_and_value": "microgradlib.value_and_grad",
    "torch.func.hessian": "microgradlib.hessian",
    "torch.func.jacrev": "microgradlib.jacobian",
    "torch.func.jvp": "microgradlib.jvp",
    "torch.func.vjp": "microgradlib.vjp",
    "torch.func.vmap": "microgradlib.vmap",
    "torch.get_rng_state": "microgradlib.random.get_state",
    "torch.multinomial": "microgradlib.random.multinomial",
    "torch.normal": "microgradlib.random.normal",
    "torch.rand": "microgradlib.random.rand",
    "torch.randint": "microgradlib.random.randint",
    "torch.rand_like": "microgradlib.random.rand_like",
    "torch.randn": "microgradlib.random.randn",
    "torch.randn_like": "microgradlib.random.randn_like",
    "torch.randperm": "microgradlib.random.randperm",
    "torch.set_rng_state": "microgradlib.random.set_state",
    "torch.tensor": "numpy.array",
}
# Names of ours that mean something else, or are no functions.
OTHERS = {"torch.Value", "torch.select", "torch.nn.init.Callable", "torch.nn.init.TypeVar"}

# What PyTorch advises against, or what chooses a device, a type or an implementation.
SILENT = {
    *("size_average", "reduce", "device", "dtype", "layout", "out", "memory_format", "pin_memory"),
    *("foreach", "fused", "capturable", "differentiable"),
}
OWN = "other arguments"  # so that signatures are not compared
# Differences that signatures do not show.
NOTES = {
    "torch.Tensor": "one number; what has several is a list or an array of them",
    "torch.Tensor.backward": "a graph may be gone through again",
    "torch.Tensor.grad": "a float, at first 0.0; of a tensor, `Parameter.grad`",
    "torch.Tensor.item": "the same as `data`",
    "torch.Tensor.numel": "1",
    "torch.bernoulli": "of a number and a size: PyTorch's `bernoulli_`",
    "torch.compile": f"{OWN}; to Python or C, all of a function or nothing",
    "torch.dot": "also adds a bias; of two sequences",
    "torch.func.vmap": f"{OWN}: `in_axes` and `out_axes`, as in JAX",
    "torch.hypot": "also of more numbers than two",
    "torch.load": f"{OWN}: a path, of a file that `save` wrote; for others see [](pytorch.md)",
    "torch.logsumexp": "of all numbers",
    "torch.maximum": "also of more numbers than two, and of lists",
    "torch.mean": "of all numbers, rounded once",
    "torch.minimum": "also of more numbers than two, and of lists",
    "torch.nn.Module.named_parameters": "names and tensors as in PyTorch, though `parameters()` "
    "gives single numbers",
    "torch.nn.Module.parameters": "a list of single numbers, not of tensors",
    "torch.nn.Module.double": "does nothing: numbers are 64-bit floats; initialise before it, as "
    "weights are drawn as 32-bit floats",
    "torch.nn.Module.state_dict": "nested lists",
    "torch.nn.Parameter": "nested lists of Values; of one number, a Value",
    "torch.normal": "PyTorch's `normal_`, with a size; of a number without",
    "torch.optim.Optimizer.state_dict": "lists with a number for each parameter, by name",
    "torch.prod": "of all numbers",
    "torch.save": f"{OWN}: a state dict, or anything of numbers and texts, and a path; as JSON",
    "torch.sum": "of all numbers, rounded once",
    "torch.tensor": "or nested lists",
    "torch.optim.lr_scheduler.OneCycleLR": "a linear anneal stays at its end after the last step, "
    "where PyTorch's goes on below 0",
    **{
        f"torch.nn.{name}": "a mean over no target raises, and is not NaN"
        for name in ("CrossEntropyLoss", "NLLLoss", "functional.cross_entropy")
    },
    "torch.nn.functional.nll_loss": "a mean over no target raises, and is not NaN",
    "torch.nn.functional.softplus": "exact for all numbers, without a threshold",
    "torch.nn.Softplus": "exact for all numbers, without a threshold",
}

HEAD = """\
# PyTorch's names

What carries over from PyTorch, name by name, as compared with PyTorch {version}. Names that the
table does not have are at the end, with what to write instead. How whole scripts carry over is
described in [](porting.md).

In general:

- A tensor is an array of NumPy, or nested lists. A function or module returns what it was given: an
  array for an array, lists for lists. Operators and methods of arrays are NumPy's: `axis` in place
  of `dim`, `reshape` in place of `view`.
- All numbers are 64-bit floats of Python, in memory of the processor: there is no `device`, and no
  `dtype` but that of random numbers.
- Arguments that PyTorch advises against (`size_average`, `reduce`), and those that choose among its
  implementations (`foreach`, `fused`, `capturable`, `differentiable`), do not exist.
- No tensor is changed in place, but for the data of parameters.
"""
"""The beginning of the page; parameters in ``SILENT`` are what it speaks of."""

ABSENT_HEAD = """\
## What does not exist

These names raise an AttributeError that says what to do instead:

| in | names | instead |
|---|---|---|
"""


class Pair(NamedTuple):
    """A name of PyTorch, that of ours which stands for it, and what both are."""

    theirs: str
    ours: str

    @property
    def owner(self) -> str:
        """What the name belongs to."""
        return self.theirs.rpartition(".")[0]

    def differences(self) -> Iterator[str]:
        """Yield how ours differs, but for what the head of the page says."""
        note = NOTES.get(self.theirs, "")
        theirs, ours = signature(found(self.theirs)), signature(found(self.ours))
        if theirs and ours and not note.startswith(OWN):
            yield from compared(theirs.parameters, ours.parameters)
        if note:
            yield note


def found(path: str) -> Any:
    """Return what a dotted name stands for."""
    names = path.split(".")
    for end in range(len(names), 0, -1):
        try:
            x: Any = import_module(".".join(names[:end]))
        except ModuleNotFoundError:
            continue
        for name in names[end:]:
            x = getattr(x, name)
        return x
    raise ModuleNotFoundError(path)


def signature(x: Any) -> inspect.Signature | None:
    """Return the signature of a function or class written in Python."""
    try:
        return inspect.signature(x) if callable(x) else None
    except ValueError:
        return None


def compared(theirs: Any, ours: Any) -> Iterator[str]:
    """Yield what differs between the parameters of two functions."""
    stars = Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD
    named = [{k: p for k, p in x.items() if p.kind not in stars} for x in (theirs, ours)]
    left_out = [k for k in named[0] if k not in named[1] and k not in SILENT and k[0] != "_"]
    added = [k for k in named[1] if k not in named[0]]
    first = [next(iter(x), "") for x in named]
    if first[0] in left_out and first[1] in added:
        yield f"`{first[0]}` is `{first[1]}`"
        left_out.remove(first[0])
        added.remove(first[1])
    if left_out:
        yield f"without {listed(left_out)}"
    if added:
        yield f"also {listed(added)}"
    both = [(k, p, named[1][k]) for k, p in named[0].items() if k in named[1]]
    if by_name := [k for k, p, q in both if q.kind == q.KEYWORD_ONLY != p.kind]:
        yield f"{listed(by_name)} by name only"
    for k, p, q in both:
        if not same_default(p.default, q.default):
            yield f"`{k}={q.default!r}`, not {p.default!r}"


def same_default(x: Any, y: Any) -> bool:
    """Whether two defaults mean the same; one that is no number or text means none."""
    if isinstance(x, bool | int | float | str | tuple) and x != ():
        return bool(x == y)
    return not isinstance(y, bool | int | float | str) or y is False


def listed(names: list[str]) -> str:
    """Return names with commas."""
    return ", ".join([f"`{name}`" for name in names])


def public(owner: Any) -> list[str]:
    """Return the public names of a module or class."""
    names = getattr(owner, "__all__", None) or [x for x in dir(owner) if not hasattr(list, x)]
    return [name for name in names if not name.startswith("_")]


def exists(path: str) -> bool:
    """Whether a dotted name stands for anything."""
    try:
        found(path)
    except AttributeError:
        return False
    return True


def pairs() -> list[Pair]:
    """Return all pairs, those of one owner beside each other."""
    same = [
        Pair(f"{theirs}.{name}", f"{ours}.{name}")
        for theirs, ours in OWNERS.items()
        for name in public(found(ours))
        if exists(f"{ours}.{name}")
        and exists(f"{theirs}.{name}")
        and f"{theirs}.{name}" not in OTHERS
    ]
    kept = [x for x in same if not isinstance(found(x.theirs), ModuleType)]
    listed = [*kept, *[Pair(*names) for names in RENAMED.items()]]
    unique = {x.theirs: x for x in listed}
    owners = [*OWNERS, "torch.func"]
    return sorted(unique.values(), key=lambda x: (owners.index(x.owner), x.theirs.lower()))


def page() -> str:
    """Return the text of the page."""
    lines = [HEAD.format(version=torch.__version__.split("+")[0])]
    for owner, group in groupby(pairs(), lambda x: x.owner):
        lines += [f"## {owner}\n", "| PyTorch | ours | difference |", "|---|---|---|"]
        rows: dict[tuple[str, str], list[str]] = {}
        for x in group:
            same = x.ours.rpartition(".")[2] == x.theirs.rpartition(".")[2]
            ours = f"the same, in `{x.ours.rpartition('.')[0]}`" if same else f"`{x.ours}`"
            rows.setdefault((ours, "; ".join(x.differences())), []).append(x.theirs)
        for (ours, difference), names in rows.items():
            short = [name.removeprefix(f"{owner}.") for name in names]
            lines.append(f"| {listed(short)} | {ours} | {difference} |")
        lines.append("")
    absent = []
    for owner, remedies in ABSENT.items():
        ordered = sorted(remedies.items(), key=itemgetter(1, 0))
        for remedy, items in groupby(ordered, itemgetter(1)):
            absent.append(f"| `{owner}` | {listed([name for name, _ in items])} | {remedy} |")
        if owner in OTHERS_ABSENT:
            absent.append(f"| `{owner}` | all others | {OTHERS_ABSENT[owner]} |")
    return "\n".join(lines) + "\n" + ABSENT_HEAD + "\n".join(absent) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name}: {len(pairs())} names", file=sys.stderr)
