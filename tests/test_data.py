"""Batches and splits: what they hold, and PyTorch's order of draws."""

import re
from collections import namedtuple
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import data, random
from microgradlib.data import (
    DataLoader,
    Dataset,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)
from microgradlib.random import Generator, get_state, manual_seed, set_state

Point = namedtuple("Point", ["x", "y"])


@pytest.fixture(autouse=True)
def keep_stream() -> Iterator[None]:
    """Leave the process-wide generator as it was."""
    state = get_state()
    yield
    set_state(state)


def exactly(message: str) -> str:
    return "^" + re.escape(message) + "$"


class Squares(Dataset):
    def __getitem__(self, i: int) -> tuple[float, int]:
        if not 0 <= i < 5:
            raise IndexError(i)
        return i * 0.5, i * i

    def __len__(self) -> int:
        return 5


class TestBatches:
    def test_in_order(self) -> None:
        loader = DataLoader(Squares(), 2)
        batches = [[[0.0, 0.5], [0, 1]], [[1.0, 1.5], [4, 9]], [[2.0], [16]]]
        assert [*loader] == [*loader] == batches
        assert len(loader) == 3

    def test_one_by_one(self) -> None:
        assert [*DataLoader("abc")] == [["a"], ["b"], ["c"]]

    @pytest.mark.parametrize(("n", "size", "batches"), [(5, 2, 2), (4, 2, 2), (1, 2, 0), (0, 1, 0)])
    def test_the_last_batch_may_be_left_out(self, n: int, size: int, batches: int) -> None:
        for shuffle in (False, True):
            loader = DataLoader(range(n), batch_size=size, shuffle=shuffle, drop_last=True)
            assert [*map(len, loader)] == [size] * batches
            assert len(loader) == batches

    def test_shuffled(self) -> None:
        # torch.manual_seed(0); [b.tolist() for b in DataLoader(range(7), 3, shuffle=True)], twice
        manual_seed(0)
        loader = DataLoader(range(7), 3, shuffle=True)
        assert [[*loader], [*loader]] == SHUFFLED
        assert random.rand() == AFTER

    def test_shuffled_by_a_generator(self) -> None:
        g, h = Generator().manual_seed(3), Generator().manual_seed(3)
        before = get_state()
        batches = [*DataLoader(range(7), 7, shuffle=True, generator=g)]
        random.rand(2, generator=h)  # the seed of the workers
        assert batches == [random.randperm(7, generator=h)]
        random.randperm(7, generator=h)  # at the end of the pass
        assert g.get_state() == h.get_state()
        assert get_state() == before

    def test_a_pass_moves_the_stream_even_in_order(self) -> None:
        manual_seed(0)
        expected = random.rand(3)[2]
        manual_seed(0)
        iter(DataLoader(range(3)))
        assert random.rand() == expected

    def test_what_grows_has_more_batches(self) -> None:
        for shuffle in (False, True):
            items = [1, 2]
            loader = DataLoader(items, shuffle=shuffle)
            items.append(3)
            assert len(loader) == len([*loader]) == 3

    def test_sampler(self) -> None:
        loader = DataLoader("abcde", 2, sampler=[4, 0, 4])
        assert [*loader] == [["e", "a"], ["e"]]
        assert len(loader) == 2
        assert [*DataLoader("abc", 2, sampler=(i for i in (2, 1)))] == [["c", "b"]]

    def test_collate_fn(self) -> None:
        assert [*DataLoader([1, 2, 3], 2, collate_fn=sum)] == [3, 3]
        assert [*DataLoader([1], collate_fn=None, num_workers=0, pin_memory=True)] == [[1]]

    def test_shuffled_twice_at_once(self) -> None:
        loader = DataLoader(range(9), 4, shuffle=True)
        for first, second in zip(loader, loader, strict=True):
            assert len(first) == len(second)
        assert sorted(x for batch in loader for x in batch) == [*range(9)]

    def test_misuse(self) -> None:
        message = "DataLoader: batch_size must be at least 1, got 0"
        with pytest.raises(ValueError, match=exactly(message)):
            DataLoader([1], 0)
        message = "DataLoader: leave out num_workers, and shuffle with a sampler"
        for options in ({"num_workers": 2}, {"shuffle": True, "sampler": [0]}):
            with pytest.raises(ValueError, match=exactly(message)):
                DataLoader([1], **options)  # type: ignore[arg-type]
        message = "DataLoader: dataset must be a list, got {1, 2}; convert it"
        with pytest.raises(TypeError, match=exactly(message)):
            DataLoader({1, 2})
        with pytest.raises(TypeError, match="dataset must be a list, got <list_iterator"):
            DataLoader(iter([1]))
        with pytest.raises(TypeError, match="DataLoader: generator must be a Generator or None"):
            iter(DataLoader([1], generator=1))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="DataLoader: generator must be a Generator or None"):
            iter(DataLoader([1], shuffle=True, generator=0))  # type: ignore[arg-type]
        with pytest.raises(mg.CompileError, match=r"DataLoader\(\)"):
            mg.compile(lambda x: [[*DataLoader([1])], x][1])(1.0)
        batches = iter(DataLoader([1], shuffle=True))
        before = get_state()
        with pytest.raises(mg.CompileError, match=r"DataLoader\(\)"):
            mg.compile(lambda x: [next(batches), x][1])(1.0)
        assert get_state() == before


# Stored numbers: PyTorch 2.13.0.
SHUFFLED = [[[0, 4, 1], [5, 2, 6], [3]], [[3, 1, 4], [2, 5, 0], [6]]]
AFTER = 0.455627977848053


class TestCollate:
    @pytest.mark.parametrize(
        ("items", "batch"),
        [
            ([1, 2], [1, 2]),
            ([0.5], [0.5]),
            (["a", "bc"], ["a", "bc"]),
            ([None], [None]),
            ([[0.5, 1.0], [2.0, 3.0]], [[0.5, 1.0], [2.0, 3.0]]),
            ([(1, [2.0]), (3, [4.0])], [[1, 3], [[2.0], [4.0]]]),
            ([((1, 2), 3)] * 2, [[[1, 1], [2, 2]], [3, 3]]),
            ([{"a": 1, "b": (2, 3)}] * 2, {"a": [1, 1], "b": [[2, 2], [3, 3]]}),
            ([Point(1, [2]), Point(3, [4])], Point([1, 3], [[2], [4]])),
        ],
    )
    def test_items(self, items: list[Any], batch: Any) -> None:
        found = default_collate(items)
        assert found == batch
        assert type(found) is type(batch)

    def test_values(self) -> None:
        x, y = mg.Value(1.0), mg.Value(2.0)
        (first, second), flags = default_collate([(x, 0), (y, 1)])
        assert first is x
        assert second is y
        assert flags == [0, 1]

    def test_arrays(self) -> None:
        numpy = pytest.importorskip("numpy")
        rows = numpy.arange(6.0).reshape(3, 2)
        xs, ys = default_collate([*zip(rows, numpy.array([1, 0, 1]), strict=True)])
        assert (xs == rows).all()
        assert ys.tolist() == [1, 0, 1]
        assert ys.dtype == int
        (batch,) = DataLoader(rows, 3)
        assert (batch == rows).all()
        with pytest.raises(mg.ShapeError, match=r"items have shapes {\(\d,\), \(\d,\)}"):
            default_collate([rows[0], rows[0][:1]])

    def test_other_lengths(self) -> None:
        for items in ([[1], [1, 2]], [(1,), (1, 2)], [[1], 1]):
            with pytest.raises(mg.ShapeError, match=r"items have shapes {.*}; pass a"):
                default_collate(items)


class TestDatasets:
    def test_tensors(self) -> None:
        dataset = TensorDataset([[1.0, 2.0], [3.0, 4.0]], [0, 1])
        assert isinstance(dataset, Dataset)
        assert len(dataset) == 2
        assert dataset[1] == ([3.0, 4.0], 1)
        assert dataset[:1] == ([[1.0, 2.0]], [0])
        assert [*DataLoader(dataset, 2)] == [[[[1.0, 2.0], [3.0, 4.0]], [0, 1]]]
        with pytest.raises(mg.ShapeError, match=r"TensorDataset: lists must have one length, got "):
            TensorDataset([1], [1, 2])
        with pytest.raises(mg.ShapeError, match=r"one length, got \[\]"):
            TensorDataset()

    def test_subset(self) -> None:
        subset = Subset("abcde", [3, 1])
        assert isinstance(subset, Dataset)
        assert (subset[0], subset[-1], len(subset), [*subset]) == ("d", "b", 2, ["d", "b"])
        assert [*DataLoader(Subset(subset, [1]))] == [["b"]]

    @pytest.mark.parametrize(
        ("n", "lengths", "counts"),
        [
            (5, [3, 2], [3, 2]),
            (5, [0, 5], [0, 5]),
            (5, (0.5, 0.5), [3, 2]),
            (10, [0.3, 0.3, 0.4], [3, 3, 4]),
            (11, [0.8, 0.1, 0.1], [9, 1, 1]),
            (11, [0.25, 0.25, 0.25, 0.25], [3, 3, 3, 2]),
            (1, [1], [1]),
            (3, [1.0], [3]),
            (0, [0.5, 0.5], [0, 0]),
            (0, [], []),
        ],
    )
    def test_random_split(self, n: int, lengths: Any, counts: list[int]) -> None:
        parts = random_split(range(n), lengths)
        assert [*map(len, parts)] == counts
        assert sorted(x for part in parts for x in part) == [*range(n)]

    @pytest.mark.parametrize(
        "lengths",
        [
            [3, 3],
            [6, -1],
            [2.5, 2.5],
            [0.5, 0.4],
            [1.5, -0.5],
            [0.6, 0.6],
            [5.0],
            [],
            [0.5, 0.5 + 2**-52],
        ],
    )
    def test_other_sums(self, lengths: list[float]) -> None:
        rule = "lengths must be >= 0 with a sum of 5, or fractions with a sum of 1"
        with pytest.raises(ValueError, match=exactly(f"random_split: {rule}, got {lengths}")):
            random_split(range(5), lengths)

    def test_a_split_is_a_permutation_of_a_generator(self) -> None:
        g, h = Generator().manual_seed(3), Generator().manual_seed(3)
        first, second = random_split(range(10), [4, 6], g)
        assert [*first, *second] == random.randperm(10, generator=h)
        assert g.get_state() == h.get_state()


@pytest.mark.torch
class TestAgainstTorch:
    @pytest.mark.parametrize("seed", range(150))
    def test_passes(self, seed: int) -> None:
        """Whole passes, interrupted ones, and passes within passes, with other draws in between."""
        torch = pytest.importorskip("torch")
        rng, theirs = Random(seed), torch.utils.data
        torch.manual_seed(seed)
        manual_seed(seed)
        g, h = rng.choice([(None, None), (torch.Generator(), Generator())])
        n = rng.choice([1, 2, 7, 10, 33, 64])
        items = [*range(100, 100 + n)]
        options: dict[str, Any] = {
            "batch_size": rng.choice([1, 2, 3, 5, 16, 100]),
            "shuffle": rng.random() < 0.7,
            "drop_last": rng.random() < 0.4,
        }
        loader = theirs.DataLoader(items, generator=g, **options)
        mine = DataLoader(items, generator=h, **options)
        assert len(loader) == len(mine)

        def check() -> None:
            assert get_state() == bytes(torch.get_rng_state().tolist())
            if h:
                assert h.get_state() == bytes(g.get_state().tolist())

        for _ in range(3):
            left, batches, others = rng.choice([99, 99, 0, 1, 2]), iter(loader), iter(mine)
            check()
            batch = torch.zeros(1)
            while left and batch is not None:
                batch, left = next(batches, None), left - 1
                assert next(others, None) == (None if batch is None else batch.tolist())
                check()
                if rng.random() < 0.2:
                    assert [*mine] == [batch.tolist() for batch in loader]
                    assert random.randn(3) == torch.randn(3).tolist()
        lengths = rng.choice([[n - n // 3, n // 3], [0.5, 0.5], [0.3, 0.3, 0.4], [n]])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)  # that a subset is empty
            parts = theirs.random_split(items, lengths, **({"generator": g} if g else {}))
        assert [[*x] for x in random_split(items, lengths, h)] == [[*x] for x in parts]
        check()

    def test_collate(self) -> None:
        torch = pytest.importorskip("torch")
        items = [(0.5, 1, {"a": 2}), (0.25, 3, {"a": 4})]
        x, y, z = torch.utils.data.default_collate(items)
        assert default_collate(items) == [x.tolist(), y.tolist(), {"a": z["a"].tolist()}]

    def test_weighted_sampler(self) -> None:
        torch = pytest.importorskip("torch")

        class Weighted:
            def __iter__(self) -> Iterator[int]:
                yield from random.multinomial([0.2, 0.5, 0.3], 50, True, dtype="float64")

            def __len__(self) -> int:
                return 50

        sampler = torch.utils.data.WeightedRandomSampler([0.2, 0.5, 0.3], 50)
        loader, mine = torch.utils.data.DataLoader([5, 6, 7], 8, sampler=sampler), Weighted()
        torch.manual_seed(0)
        manual_seed(0)
        for _ in range(2):
            expected = [batch.tolist() for batch in loader]
            assert [*DataLoader([5, 6, 7], 8, sampler=mine)] == expected


def test_names() -> None:
    with pytest.raises(
        AttributeError, match="'WeightedRandomSampler'; pass an iterable of indices"
    ):
        _ = data.WeightedRandomSampler  # type: ignore[attr-defined]
