"""The generator: MT19937 with the seeding, the state and the spare normal number of PyTorch."""

import os
import struct
from collections.abc import Iterable
from random import Random
from typing import Any

from microgradlib.errors import short, shorten
from microgradlib.functions.arguments import whole_number
from microgradlib.modes import forbid

FARTHEST = 8.6  # normal() stays within sqrt(-2 log(2**-53)) = 8.57 standard deviations
LONGEST = 2**26  # words of a draw: getrandbits takes fewer than 2**31 bits at once
REMEDY = "call it outside, and pass what it draws"  # in a function that is compiled

_WORDS = 624  # the state of MT19937, in 32-bit words
_LOW_32_BITS = 0xFFFF_FFFF
_NEW = 67280421310721  # the seed of a new torch.Generator (c10, default_rng_seed_val)

# The state of torch's generator (PyTorch 2.13, ATen CPUGeneratorImpl.cpp): seed, words left until
# the next block of 624, 1, next word, words, second normal number and whether there is one.
_LAYOUT = struct.Struct("<QiiQ624Q8xd8xi12x")


class Generator:
    """A stream of random numbers of its own, as ``torch.Generator``.

    >>> from microgradlib.random import rand
    >>> generator = Generator().manual_seed(0)
    >>> rand(2, generator=generator)  # torch.rand(2, generator=generator)
    [0.49625658988952637, 0.7682217955589294]

    A new one has the seed of a new ``torch.Generator``: every one draws the same numbers. The
    only device is "cpu".
    """

    def __init__(self, device: str = "cpu") -> None:
        """Seed it as torch does."""
        if str(device) != "cpu":
            raise ValueError(f'Generator: device must be "cpu", got {short(device)}; leave it out')
        self._random = Random()
        self._spares: list[float] = []  # normals come in pairs: the second, until it is asked for
        self._seed = _NEW
        self.manual_seed(_NEW)

    def __repr__(self) -> str:
        """Return the seed, as the numbers follow from it and from what was drawn since."""
        return f"<Generator with seed {self._seed}>"

    def manual_seed(self, seed: int) -> "Generator":
        """Start the stream that ``torch.Generator().manual_seed(seed)`` starts.

        The generator is MT19937 (Matsumoto & Nishimura, "Mersenne Twister", ACM TOMACS 8, 1998).
        Its 624 words are filled by the recurrence of their 2002 ``init_genrand`` (Knuth, TAOCP
        vol. 2): w[i] = 1812433253 * (w[i-1] ^ (w[i-1] >> 30)) + i, modulo 2**32.

        Args:
            seed: an integer in [-2**63, 2**64), torch's own range. As in torch only its low 32 bits
                count: -1, 2**32 - 1 and 2**64 - 1 start the same stream.

        Returns:
            The generator itself.

        Raises:
            TypeError: if ``seed`` is not an int (a bool, float or string).
            ValueError: if ``seed`` is out of range.
        """
        forbid("manual_seed()", REMEDY)
        seed = whole_number("manual_seed: seed", seed)
        if not -(2**63) <= seed < 2**64:
            raise ValueError(
                f"manual_seed: seed must be in [-2**63, 2**64), got {shorten(hex(seed))}; use seed "
                "% 2**32"
            )
        word = seed & _LOW_32_BITS
        words = [word]
        for i in range(1, _WORDS):
            word = (1812433253 * (word ^ (word >> 30)) + i) & _LOW_32_BITS
            words.append(word)
        self._install(seed % 2**64, words, _WORDS, ())
        return self

    def seed(self) -> int:
        """Start a stream that nobody knows, with a seed from the operating system.

        Returns:
            The seed, in [0, 2**64): ``manual_seed`` starts the same stream again.
        """
        seed = int.from_bytes(os.urandom(8), "little")
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """Return the seed with which the stream began, modulo 2**64."""
        return self._seed

    def get_state(self) -> bytes:
        """Return where the stream is, for ``set_state``: the bytes of torch's ``get_state()``.

        Returns:
            5056 bytes: the seed, how many words of the generator are used, the 624 words, and what
            was drawn ahead, if anything: normal numbers come in pairs. Of what several threads have
            drawn ahead, one number is kept, here and in the bytes.
        """
        forbid("get_state()", REMEDY)
        *words, position = self._random.getstate()[1]
        # Seeded and used up look alike to Python, but not to torch. The first word tells: a seed's
        # is the seed itself.
        fresh = position == _WORDS and words[0] == self._seed & _LOW_32_BITS
        del self._spares[1:]  # several threads may have left as many, but the bytes have room for 1
        spares = self._spares.copy()
        left, following = _WORDS + 1 - position, 0 if fresh else position
        return _LAYOUT.pack(self._seed, left, 1, following, *words, *(spares or [0.0]), len(spares))

    def set_state(self, state: Any) -> "Generator":
        """Continue the stream from where ``get_state`` saw it; a bad state changes nothing.

        Args:
            state: what ``get_state`` or torch's ``get_state()`` returned: 5056 bytes, as bytes, or
                as a tensor, array or list of integers.

        Returns:
            The generator itself.

        Raises:
            TypeError: if ``state`` is nothing of that.
            ValueError: if its length is another, or it is damaged.
        """
        forbid("set_state()", REMEDY)
        self._install(*_unpacked(state))
        return self

    def _install(
        self, seed: int, words: Iterable[int], position: int, spares: Iterable[float]
    ) -> None:
        self._random.setstate((3, (*words, position), None))  # 3: the layout's version in CPython
        self._seed = seed
        self._spares[:] = spares


def _unpacked(state: Any) -> tuple[int, list[int], int, list[float]]:
    """Return seed, words, position and spares of a state that is not damaged."""
    numbers = state.tolist() if hasattr(state, "tolist") else state
    try:
        if not isinstance(numbers, bytes | bytearray | list):
            raise TypeError
        data = bytes(numbers)
    except (TypeError, ValueError):  # of entries that are no bytes
        raise TypeError(
            f"set_state: state must be bytes, got {short(state)}; pass what get_state() returned"
        ) from None
    size = _LAYOUT.size
    _require(len(data) == size, f"state must have {size} bytes", len(data))
    seed, left, seeded, following, *words, spare, count = _LAYOUT.unpack(data)
    _require(seeded == 1, "bytes 12 to 15, whether it is seeded, must be 1", seeded)
    _require(0 < left <= _WORDS, f"bytes 8 to 11, the words left, must be in [1, {_WORDS}]", left)
    position = _WORDS + 1 - left
    fits = following == position or (left == 1 and following == 0)
    _require(fits, f"bytes 16 to 23, the next word, must be {position}", following)
    _require(max(words) <= _LOW_32_BITS, "words must be below 2**32", max(words))
    # Of word 0 one bit counts.
    _require(words[0] >= 2**31 or any(words[1:]), "words must not all be zero", words[0])
    _require(count in (0, 1), "bytes 5040 to 5043, normal numbers ahead, must be 0 or 1", count)
    fits = abs(spare) < FARTHEST if count else spare == 0.0
    _require(fits, f"the normal number ahead must be within +-{FARTHEST}, 0 for none", spare)
    # There torch has room for what it does not draw.
    unused = [x for x in data[5016:5024] + data[5032:5040] + data[5044:] if x]
    _require(not unused, "unused bytes must be 0", unused)
    return seed, words, position, [spare] * count


def _require(kept: bool, rule: str, found: object) -> None:
    if not kept:
        raise ValueError(f"set_state: {rule}, got {short(found)}; pass what get_state() returned")


def words(generator: Generator, count: int) -> tuple[int, ...]:
    """Draw ``count`` 32-bit words in one atomic step."""
    drawn = generator._random.getrandbits(32 * count)  # the first is the least significant
    return struct.unpack(f"<{count}I", drawn.to_bytes(4 * count, "little"))


def words64(generator: Generator, count: int) -> list[int]:
    """Draw ``count`` 64-bit numbers in one atomic step, of two words each, the first the higher."""
    drawn = words(generator, 2 * count)
    return [high << 32 | low for high, low in zip(drawn[::2], drawn[1::2], strict=True)]


def fractions24(generator: Generator, count: int) -> list[float]:
    """Draw float32 numbers from [0, 1): the last 24 bits of a word each."""
    return [(word & 0xFF_FFFF) * 2.0**-24 for word in words(generator, count)]


def fractions53(generator: Generator, count: int) -> list[float]:
    """Draw float64 numbers from [0, 1): the last 53 bits of two words each."""
    return [(word & (2**53 - 1)) * 2.0**-53 for word in words64(generator, count)]


default_generator = Generator()
"""The stream of the functions where no other generator is given."""

default_generator.seed()


def manual_seed(seed: int) -> None:
    """Start the stream that ``torch.manual_seed(seed)`` starts, in the default generator.

    >>> manual_seed(42)
    >>> from microgradlib.random import uniform
    >>> bound = 2 ** -0.5  # the weights of torch's nn.Linear(2, 2) follow
    >>> [[round(x, 4) for x in row] for row in uniform(-bound, bound, (2, 2))]
    [[0.5406, 0.5869], [-0.1657, 0.6496]]

    Args:
        seed: an integer in [-2**63, 2**64), of which the low 32 bits count.

    Raises:
        TypeError: if ``seed`` is not an int (a bool, float or string).
        ValueError: if ``seed`` is out of range.
    """
    default_generator.manual_seed(seed)


def seed() -> int:
    """Start a stream that nobody knows in the default generator, and return its seed.

    >>> first = seed()
    >>> initial_seed() == first
    True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed with which the default generator began, modulo 2**64.

    >>> manual_seed(-1)
    >>> initial_seed() == 2**64 - 1
    True
    """
    return default_generator.initial_seed()


def get_state() -> bytes:
    """Return where the default generator is, as the bytes of ``torch.get_rng_state()``.

    >>> from microgradlib.random import uniform
    >>> saved = get_state()
    >>> first = uniform(0, 1)
    >>> set_state(saved)
    >>> uniform(0, 1) == first
    True

    In PyTorch, ``torch.set_rng_state(torch.tensor([*get_state()], dtype=torch.uint8))`` goes on
    with the same numbers.

    Returns:
        5056 bytes, as ``Generator.get_state`` has them.
    """
    return default_generator.get_state()


def set_state(state: Any) -> None:
    """Continue the default generator from where ``get_state`` saw it; a bad state changes nothing.

    >>> from microgradlib.random import randperm
    >>> saved = get_state()
    >>> drawn = randperm(10)
    >>> set_state(saved)
    >>> randperm(10) == drawn
    True

    Args:
        state: what ``get_state`` or ``torch.get_rng_state()`` returned: 5056 bytes, as bytes, or as
            a tensor, array or list of integers.

    Raises:
        TypeError: if ``state`` is nothing of that.
        ValueError: if its length is another, or it is damaged.
    """
    default_generator.set_state(state)
