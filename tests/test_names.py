"""The page of PyTorch's names is what the code says, and names that are missing say what to do."""

import inspect
import subprocess
import sys
from typing import Any

import pytest

import microgradlib as mg
from microgradlib.absent import ABSENT, OTHERS

torch = pytest.importorskip("torch")
names = pytest.importorskip("names")  # tools/names.py

pytestmark = pytest.mark.torch


def test_the_page_is_what_is_written() -> None:
    assert names.PAGE.read_text("utf-8") == names.page()


def test_every_note_belongs_to_a_name() -> None:
    known = {x.theirs for x in names.pairs()} | {*names.OWNERS}
    assert {*names.NOTES} <= known


@pytest.mark.parametrize("pair", names.pairs(), ids=lambda x: x.theirs)
def test_both_exist(pair: Any) -> None:
    assert names.exists(pair.theirs)
    assert names.exists(pair.ours)


def test_differences() -> None:
    def theirs(
        input: Any, weight: Any = None, dim: int = 0, out: Any = None, eps: float = 1.0
    ) -> None:
        pass

    def ours(x: Any, *, dim: int = -1, eps: float = 1, more: int = 0) -> None:
        pass

    found = names.compared(*[inspect.signature(f).parameters for f in (theirs, ours)])
    assert [*found] == [
        "`input` is `x`",
        "without `weight`",
        "also `more`",
        "`dim`, `eps` by name only",
        "`dim=-1`, not 0",
    ]


# What scripts pass by position comes at the same place in both, or raises.


@pytest.mark.parametrize("pair", names.pairs(), ids=lambda x: x.theirs)
def test_positions_agree(pair: Any) -> None:
    signatures = [names.signature(names.found(x)) for x in (pair.theirs, pair.ours)]
    if None in signatures or names.OWN in names.NOTES.get(pair.theirs, ""):
        return
    by_place = [
        [
            k
            for k, p in x.parameters.items()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        for x in signatures
    ]
    for theirs, ours in zip(*by_place, strict=False):
        if theirs in by_place[1] or ours in by_place[0]:
            assert theirs == ours


def public(module: Any, wanted: Any) -> list[str]:
    return [name for name, x in vars(module).items() if name[0] != "_" and wanted(x)]


def is_module(x: Any) -> bool:
    return isinstance(x, type) and issubclass(x, torch.nn.Module)


def is_function(x: Any) -> bool:
    return inspect.isfunction(x) or inspect.isbuiltin(x)


def is_optimizer(x: Any) -> bool:
    return isinstance(x, type) and issubclass(x, torch.optim.Optimizer)


def is_schedule(x: Any) -> bool:
    return isinstance(x, type) and issubclass(x, torch.optim.lr_scheduler.LRScheduler)


PLACES = [
    (torch.nn, mg.nn, is_module, 120),
    (torch.nn.functional, mg.nn.functional, is_function, 70),
    (torch.nn.init, mg.nn.init, is_function, 10),
    (torch.optim, mg.optim, is_optimizer, 10),
    (torch.optim.lr_scheduler, mg.optim.lr_scheduler, is_schedule, 12),
]


@pytest.mark.parametrize(("theirs", "ours", "wanted", "least"), PLACES)
def test_every_name_exists_or_says_what_to_do(
    theirs: Any, ours: Any, wanted: Any, least: int
) -> None:
    found = public(theirs, wanted)
    assert len(found) > least
    for name in found:
        if not hasattr(ours, name):
            remedy = ABSENT[ours.__name__].get(name) or OTHERS[ours.__name__]
            with pytest.raises(AttributeError, match=f"has no attribute '{name}'; ") as caught:
                getattr(ours, name)
            assert str(caught.value).endswith(remedy)


def test_a_name_that_is_spelt_alike() -> None:
    command = [sys.executable, "-c", "import microgradlib as mg; mg.nn.Liner"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.endswith("Did you mean: 'Linear'?\n")
