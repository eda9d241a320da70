"""Batches of data in PyTorch's order, as ``torch.utils.data`` has them, in one process."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from math import floor, isclose
from typing import Any

from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.errors import ShapeError, short
from microgradlib.functions.arguments import positive_number
from microgradlib.random import Generator, randperm
from microgradlib.random.arguments import generator_of
from microgradlib.random.draws import random63

_say_what_to_use(__name__)
__all__ = ["DataLoader", "Dataset", "Subset", "TensorDataset", "default_collate", "random_split"]


class Dataset:
    """A base class of datasets: a length, and items by index. A list or an array is one, too."""


class TensorDataset(Dataset):
    """Tuples of the entries of lists or arrays of one length: ``TensorDataset(xs, ys)``."""

    def __init__(self, *tensors: Any) -> None:
        """Keep them, or raise a ShapeError."""
        if len({*(lengths := [*map(len, tensors)])}) != 1:
            raise ShapeError(f"TensorDataset: lists must have one length, got {short(lengths)}")
        self.tensors = tensors

    def __getitem__(self, i: Any) -> tuple[Any, ...]:
        return tuple([tensor[i] for tensor in self.tensors])

    def __len__(self) -> int:
        return len(self.tensors[0])


@dataclass(eq=False)
class Subset(Dataset):
    """The items of a dataset at some indices."""

    dataset: Any
    indices: Sequence[int]

    def __getitem__(self, i: int) -> Any:
        return self.dataset[self.indices[i]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Any, lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset]:
    """Return subsets that share no item, of some lengths or of fractions whose sum is 1.

    >>> [[*part] for part in random_split("abcde", [0.5, 0.5], Generator().manual_seed(0))]
    [['e', 'a', 'b'], ['d', 'c']]
    """
    n, total, counts = len(dataset), sum(lengths), [*lengths]
    if isclose(total, 1.0) and total <= 1.0:
        counts = [floor(n * fraction) for fraction in lengths]
        for i in range(int(n - sum(counts))):  # what rounding down left, one by one
            counts[i % len(counts)] += 1
    if sum(counts) != n or not all(isinstance(x, int) and x >= 0 for x in counts):
        rule = f"lengths must be >= 0 with a sum of {n}, or fractions with a sum of 1"
        raise ValueError(f"random_split: {rule}, got {short(lengths)}")
    order, ends = randperm(n, generator=generator), accumulate(counts)
    return [Subset(dataset, order[int(end - x) : int(end)]) for x, end in zip(counts, ends)]  # noqa: B905


def default_collate(batch: Sequence[Any]) -> Any:
    """Return items as one: tuples and dicts entry by entry, arrays stacked, others in a list.

    >>> default_collate([([0.5, 0.1], 1), ([0.2, 0.3], 0)])
    [[[0.5, 0.1], [0.2, 0.3]], [1, 0]]
    """
    first = batch[0]
    if isinstance(first, Mapping):
        return {key: default_collate([item[key] for item in batch]) for key in first}
    shapes = {getattr(x, "shape", len(x) if isinstance(x, list | tuple) else None) for x in batch}
    if len(shapes) > 1:
        raise ShapeError(f"default_collate: items have shapes {short(shapes)}; pass a collate_fn")
    if isinstance(first, tuple):
        columns = [*map(default_collate, zip(*batch, strict=True))]
        return type(first)(*columns) if hasattr(first, "_fields") else columns
    return sys.modules["numpy"].array(batch) if hasattr(first, "dtype") else [*batch]


def _shuffled(dataset: Any, generator: Generator | None) -> Iterator[int]:
    """Draw an order when the first index is asked for, and PyTorch's second at the end."""
    source = generator_of("DataLoader", generator)
    if generator is None:
        source = Generator().manual_seed(random63(source))
    yield from randperm(len(dataset), generator=source)
    randperm(len(dataset), generator=source)


class DataLoader:
    """Batches of a dataset, in order or shuffled anew in each pass.

    >>> loader = DataLoader([(0.5, 1), (0.2, 0), (0.7, 1)], batch_size=2)
    >>> [*loader]
    [[[0.5, 0.2], [1, 0]], [[0.7], [1]]]

    A pass begins with the draw of a seed for workers, as in PyTorch, although there are none and
    even if nothing is shuffled. ``collate_fn`` makes a batch of a list of items; ``sampler`` is any
    iterable of indices; ``pin_memory`` has no effect.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        sampler: Iterable[int] | None = None,
        *,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        generator: Generator | None = None,
    ) -> None:
        """Check the arguments."""
        self.batch_size = positive_number("DataLoader: batch_size", batch_size)
        if num_workers or (shuffle and sampler is not None):
            raise ValueError("DataLoader: leave out num_workers, and shuffle with a sampler")
        if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
            raise TypeError(f"DataLoader: dataset must be a list, got {short(dataset)}; convert it")
        self.dataset, self.shuffle, self.sampler = dataset, shuffle, sampler
        self.drop_last, self.generator = drop_last, generator
        self.collate_fn = collate_fn or default_collate

    def __iter__(self) -> Iterator[Any]:
        random63(generator_of("DataLoader", self.generator))  # the seed of the workers
        return self._batches()

    def _batches(self) -> Iterator[Any]:
        order = _shuffled(self.dataset, self.generator) if self.shuffle else self.sampler
        indices = iter(range(len(self.dataset)) if order is None else order)
        while batch := [self.dataset[i] for i in islice(indices, self.batch_size)]:
            if len(batch) == self.batch_size or not self.drop_last:
                yield self.collate_fn(batch)

    def __len__(self) -> int:
        indices: Any = self.dataset if self.sampler is None else self.sampler
        return (len(indices) + (0 if self.drop_last else self.batch_size - 1)) // self.batch_size
