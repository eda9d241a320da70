"""Random draws, one after the other, against the same draws of PyTorch: numbers and states."""

import platform
import warnings
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from microgradlib import random
from microgradlib.random import Generator, get_state, manual_seed, set_state

pytestmark = pytest.mark.torch


@pytest.fixture
def torch() -> Iterator[Any]:
    torch = pytest.importorskip("torch")
    fuses = torch.backends.cpu.get_cpu_capability() != "DEFAULT"
    if platform.machine() in ("x86_64", "AMD64") and not fuses:
        pytest.skip("without AVX2 torch rounds products and sums separately")
    before = get_state()
    yield torch
    set_state(before)


def numbers_in(x: Any) -> list[float]:
    return [z for y in x for z in numbers_in(y)] if isinstance(x, list) else [x]


class Draws:
    """Draws at random from torch and from here: each method returns a tensor and our numbers."""

    def __init__(self, torch: Any, seed: int) -> None:
        self.torch, self.rng = torch, Random(seed)
        self.generators = torch.Generator().manual_seed(seed), Generator().manual_seed(seed)
        torch.manual_seed(seed)
        manual_seed(seed)

    def __call__(self, kind: str) -> tuple[Any, Any]:
        pick = self.rng.choice
        lengths = [1, 2, 15, 16, 17, 31, 32, 33, 1000, self.rng.randrange(1, 2000)]
        self.size = pick([*lengths, self.rng.randrange(1, 40), (4, 4), (3, 5), (2, 3, 4), (0, 2)])
        self.shape = (self.size,) if isinstance(self.size, int) else self.size
        self.dtype = pick(["float32", "float64"])
        theirs, mine = pick([(None, None), self.generators])
        self.options: dict[str, Any] = {"dtype": self.dtype, "generator": mine}
        self.source = {"generator": theirs}
        self.empty = self.torch.empty(self.shape, dtype=getattr(self.torch, self.dtype))
        pair: tuple[Any, Any] = getattr(self, kind)(pick)
        return pair

    def filled(self, name: str, *arguments: float) -> tuple[Any, Any]:
        theirs = getattr(self.empty, f"{name}_")(*arguments, **self.source)
        return theirs, getattr(random, name)(*arguments, self.size, **self.options)

    def weights(self, *shape: int) -> Any:
        g = self.torch.Generator().manual_seed(self.rng.randrange(10**6))
        return self.torch.rand(shape, dtype=self.empty.dtype, generator=g)

    def uniform(self, pick: Any) -> tuple[Any, Any]:
        low = pick([0, -1, -0.3, 1e-20, self.rng.gauss(0, 10)])
        return self.filled("uniform", low, low + pick([1, 0.6, 1e-3, 1e5, self.rng.random() + 0.1]))

    def normal(self, pick: Any) -> tuple[Any, Any]:
        mean = pick([0, 0, 1, -3.7, 1e4, self.rng.gauss(0, 1)])
        return self.filled("normal", mean, pick([1, 0.02, 1e-3, 100, 0, self.rng.random()]))

    def randn(self, pick: Any) -> tuple[Any, Any]:
        theirs = self.torch.randn(self.shape, dtype=self.empty.dtype, **self.source)
        return theirs, random.randn(*self.shape, **self.options)

    def rand(self, pick: Any) -> tuple[Any, Any]:
        theirs = self.torch.rand(self.shape, dtype=self.empty.dtype, **self.source)
        return theirs, random.rand(self.shape, **self.options)

    def randint(self, pick: Any) -> tuple[Any, Any]:
        low = pick([0, -5, -(2**63), self.rng.randrange(-(2**40), 2**40)])
        span = pick([1, 2, 10, 2**28 - 1, 2**28, 2**31, 2**32, 2**62, 2**63 - 1])
        ends = low, min(low + span, 2**63 - 1)
        generator = self.options["generator"]
        mine = random.randint(*ends, self.size, generator=generator)
        return self.torch.randint(*ends, self.shape, **self.source), mine

    def randperm(self, pick: Any) -> tuple[Any, Any]:
        n, generator = pick([0, 1, 2, 10, 100, 2000]), self.options["generator"]
        mine = random.randperm(n, generator=generator)
        return self.torch.randperm(n, **self.source), mine

    def bernoulli(self, pick: Any) -> tuple[Any, Any]:
        return self.filled("bernoulli", pick([0, 1, 0.5, 0.1, self.rng.random()]))

    def bernoulli_of_a_tensor(self, pick: Any) -> tuple[Any, Any]:
        p = self.weights(*self.shape)
        mine = random.bernoulli(pick([p.tolist(), p.numpy()]), **self.options)
        return self.torch.bernoulli(p, **self.source), pick([mine, mine])

    def dropout(self, pick: Any) -> tuple[Any, Any]:
        rate, x = pick([0.5, 0.1, 0.75]), self.torch.ones(self.shape, dtype=self.torch.float64)
        theirs = self.torch.nn.functional.dropout(x, rate) * (1.0 - rate)
        return theirs.round(), random.bernoulli(1.0 - rate, self.size)

    def exponential(self, pick: Any) -> tuple[Any, Any]:
        return self.filled("exponential", pick([1, 0.5, 3.3, self.rng.random() + 0.01]))

    def geometric(self, pick: Any) -> tuple[Any, Any]:
        return self.filled("geometric", pick([0.5, 0.1, 1e-6, 0.99]))

    def log_normal(self, pick: Any) -> tuple[Any, Any]:
        return self.filled("log_normal", pick([0, 1, -0.7]), pick([1, 0.3, 2, 1e-3]))

    def trunc_normal(self, pick: Any) -> tuple[Any, Any]:
        inside = [(0, 1, -2, 2), (0, 0.02, -0.04, 0.04), (0.5, 1, 0, 1), (0.1, 0.7, -0.2, 2)]
        few = [(0, 1, 2, 3), (0, 1, -0.1, 0.1), (3, 0.7, 0, 2), (0, 1, 1, 9.5)]
        arguments = pick([*inside, *few])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that few are between the bounds
            theirs = self.torch.nn.init.trunc_normal_(self.empty, *arguments, **self.source)
        return theirs, random.trunc_normal(*arguments, self.size, **self.options)

    def multinomial(self, pick: Any) -> tuple[Any, Any]:
        n, again = pick([1, 2, 3, 10, 50]), pick([True, False])
        weights = self.weights(*pick([(n,), (n,), (3, n)])) * pick([1, 100, 1e-3])
        count = pick([1, n, 300]) if again else pick([1, self.rng.randrange(1, n + 1)])
        mine = random.multinomial(weights.tolist(), count, again, **self.options)
        return self.torch.multinomial(weights, count, again, **self.source), mine

    def state(self) -> list[bytes]:
        theirs = self.torch.get_rng_state(), self.generators[0].get_state()
        return [bytes(x.tolist()) for x in theirs]

    def own_state(self) -> list[bytes]:
        return [get_state(), self.generators[1].get_state()]


KINDS = [name for name in vars(Draws) if name not in ("filled", "weights", "state", "own_state")]
KINDS = [name for name in KINDS if not name.startswith("__")]


def compare(torch: Any, seed: int, least: int) -> Counter[str]:
    """Compare at least so many numbers, and return how many were compared, by kind."""
    draws, counts = Draws(torch, seed), Counter[str]()
    while counts.total() < least:
        kind = draws.rng.choice(KINDS)
        theirs, mine = draws(kind)
        expected = numbers_in(theirs.tolist())
        where = f"{kind} of {draws.size}, {draws.dtype}, seed {seed}"
        assert numbers_in(mine.tolist() if hasattr(mine, "tolist") else mine) == expected, where
        assert draws.own_state() == draws.state(), where
        counts[kind] += len(expected)
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_draws(torch: Any, seed: int) -> None:
    counts = compare(torch, seed, 20_000)
    assert set(counts) == set(KINDS)


@pytest.mark.long
def test_500_000_numbers(torch: Any, capsys: pytest.CaptureFixture[str]) -> None:
    counts = sum((compare(torch, 100 + i, 50_000) for i in range(10)), Counter[str]())
    with capsys.disabled():
        print(f"\n{counts.total():,} numbers compared, all equal: {dict(counts)}")
    assert counts.total() >= 500_000


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_goes_both_ways_after_each_draw(torch: Any, kind: str) -> None:
    draws = Draws(torch, 5)
    for _ in range(6):
        draws(kind)
        manual_seed(0)
        set_state(torch.get_rng_state())
        torch.manual_seed(0)
        torch.set_rng_state(torch.tensor([*get_state()], dtype=torch.uint8))
        expected = [torch.randn(3).tolist(), torch.rand(3).tolist()]
        assert [random.randn(3), random.rand(3)] == expected
        assert draws.own_state() == draws.state()


@pytest.mark.long
def test_a_long_permutation(torch: Any) -> None:
    torch.manual_seed(1)
    manual_seed(1)
    assert random.randperm(100_000) == torch.randperm(100_000).tolist()


def test_the_number_of_threads_has_no_effect(torch: Any) -> None:
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            torch.manual_seed(2)
            found.append(torch.randn(100_000).tolist())
    finally:
        torch.set_num_threads(before)
    manual_seed(2)
    assert found[0] == found[1] == random.randn(100_000)


def test_new_generators_and_seeds_are_alike(torch: Any) -> None:
    theirs, mine = torch.Generator(), Generator()
    assert theirs.initial_seed() == mine.initial_seed()
    assert bytes(theirs.get_state().tolist()) == mine.get_state()
    for seed in (0, 1, -1, 2**63, 2**64 - 1):
        torch.manual_seed(seed)
        manual_seed(seed)
        assert torch.initial_seed() == random.initial_seed()
        assert bytes(torch.get_rng_state().tolist()) == get_state()
        torch.set_rng_state(theirs.get_state())
        assert torch.initial_seed() == theirs.initial_seed()
