"""PyTorch's random stream: the numbers that torch draws on the CPU, from the standard library.

There is one generator, shared by the whole process. Until ``manual_seed`` is called it is seeded
by the operating system and differs from run to run, as torch's default CPU generator does. Each
draw takes all its bits in one ``random.Random.getrandbits`` call, which CPython makes atomic, so
several threads may draw at once: no number is handed out twice. Which thread gets which number is
up to the scheduler, so draw in one thread where a run has to be reproducible, and seed, save or
restore the stream while no other thread draws.
"""

import struct
from collections.abc import Iterable
from math import copysign, cos, fsum, inf, log1p, nextafter, pi, sin, sqrt
from random import Random
from typing import Any

from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.errors import short, shorten
from microgradlib.functions.arguments import whole_number
from microgradlib.modes import forbid

_say_what_to_use(__name__)

__all__ = ["get_state", "manual_seed", "normal", "randperm", "set_state", "uniform"]

_WORDS = 624  # the state of MT19937, in 32-bit words
_LOW_32_BITS = 0xFFFF_FFFF
_LARGEST = (2.0 - 2.0**-23) * 2.0**127  # the largest float32
_FARTHEST = 8.6  # normal() stays within sqrt(-2 log(2**-53)) = 8.57 standard deviations
_LONGEST = 2**26  # for randperm: getrandbits takes fewer than 2**31 bits at once

_REMEDY = "call it outside, and pass what it draws"  # in a function that is compiled

# The state of torch's generator (PyTorch 2.13, ATen CPUGeneratorImpl.cpp): seed, words left until
# the next block of 624, 1, next word, words, second normal number and whether there is one.
_LAYOUT = struct.Struct("<QiiQ624Q8xd8xi12x")

_generator = Random()
_seed = 0  # of manual_seed, modulo 2**64
_spares: list[float] = []  # normal() draws in pairs: the second half, until it is asked for


def manual_seed(seed: int) -> None:
    """Start the stream that ``torch.manual_seed(seed)`` starts.

    >>> manual_seed(42)
    >>> bound = 2 ** -0.5  # the weights of torch's nn.Linear(2, 2) follow
    >>> [round(uniform(-bound, bound), 4) for _ in range(4)]
    [0.5406, 0.5869, -0.1657, 0.6496]

    The generator is MT19937 (Matsumoto & Nishimura, "Mersenne Twister", ACM TOMACS 8, 1998). Its
    624 words are filled by the recurrence of their 2002 ``init_genrand`` (Knuth, TAOCP vol. 2):
    w[i] = 1812433253 * (w[i-1] ^ (w[i-1] >> 30)) + i, modulo 2**32.

    Args:
        seed: an integer in [-2**63, 2**64), torch's own range. As in torch only its low 32 bits
            count: -1, 2**32 - 1 and 2**64 - 1 start the same stream.

    Raises:
        TypeError: if ``seed`` is not an int (a bool, float or string).
        ValueError: if ``seed`` is out of range.
    """
    forbid("manual_seed()", _REMEDY)
    seed = whole_number("manual_seed: seed", seed)
    if not -(2**63) <= seed < 2**64:
        raise ValueError(
            f"manual_seed: seed must be in [-2**63, 2**64), got {shorten(hex(seed))}; use seed % "
            "2**32"
        )
    word = seed & _LOW_32_BITS
    words = [word]
    for i in range(1, _WORDS):
        word = (1812433253 * (word ^ (word >> 30)) + i) & _LOW_32_BITS
        words.append(word)
    _install(seed % 2**64, words, _WORDS, ())


def uniform(low: float, high: float) -> float:
    """Draw from U[low, high): one float32 element of torch's ``tensor.uniform_(low, high)``.

    >>> manual_seed(0)
    >>> uniform(0, 1), uniform(-1, 1)
    (0.49625658988952637, 0.5364435911178589)

    The draw is ``(32 random bits & 0xFFFFFF) * 2**-24 * (high - low) + low`` in float32, where the
    last product and sum are rounded together, by a fused multiply-add; a result that rounds up to
    ``high`` becomes ``low`` (PyTorch 2.13, ATen ``TransformationHelper.h``, ``uniform_real``, and
    ``DistributionTemplates.h``; compared on x86-64 Linux). On an x86 processor without AVX2 torch
    itself rounds the two separately, so there the last bit of its numbers can differ from these.

    ``nn.Linear(nin, nout)`` draws its nout x nin weights, row by row, and then its nout biases,
    all with ``bound = 1 / sqrt(nin)`` and ``uniform(-bound, bound)``.

    Args:
        low: the lower end, a finite number in the range of float32.
        high: the upper end, likewise; above ``low`` once both are rounded to float32.

    Raises:
        TypeError: if an end is not an int or float.
        ValueError: if an end is not finite or too large, if ``low >= high``, or if ``high - low``
            is too large for a float32.
    """
    forbid("uniform()", _REMEDY)
    start, end = _float32("uniform", "low", low), _float32("uniform", "high", high)
    if start >= end:
        raise ValueError(
            f"uniform: low must be below high in float32, got low={low!r} and high={high!r}; "
            "swap them or widen the range"
        )
    if end - start > _LARGEST:
        raise ValueError(
            f"uniform: high - low must fit in a float32, got low={low!r} and high={high!r}; "
            "narrow the range"
        )
    width = _round32(end - start)
    fraction = (_generator.getrandbits(32) & 0xFF_FFFF) * 2.0**-24
    drawn = _round32(_add_to_odd(fraction * width, start))  # 24 by 24 bits: the product is exact
    return start if drawn == end else drawn


def normal(mean: float, std: float) -> float:
    """Draw from N(mean, std**2): one element of a small torch ``tensor.normal_(mean, std)``.

    >>> manual_seed(42)
    >>> [round(normal(0, 1), 4) for _ in range(3)]  # torch.manual_seed(42); torch.randn(3)
    [0.3367, 0.1288, 0.2345]

    A float32 tensor with fewer than 16 elements is filled by Box & Muller (Ann. Math. Stat. 29,
    1958) in float64, and so are these draws: ``sqrt(-2 log(1 - v)) * cos(2 pi u)``, and with
    ``sin`` for the next draw, kept until then. Torch fills **larger** tensors by another,
    vectorised method: those numbers are not reproduced.

    Args:
        mean: the centre, a finite number.
        std: the standard deviation, finite and >= 0. Both must be small enough for
            ``mean +- 8.6 * std`` to lie in the range of float32.

    Raises:
        TypeError: if an argument is not an int or float.
        ValueError: if an argument is out of range.
    """
    forbid("normal()", _REMEDY)
    centre, scale = _number("normal", "mean", mean), _number("normal", "std", std)
    if scale < 0.0:
        raise ValueError(f"normal: std must be >= 0, got {short(std)}; pass abs(std)")
    if abs(centre) + _FARTHEST * scale > _LARGEST:
        raise ValueError(
            f"normal: draws must fit in a float32, got mean={mean!r} and std={std!r}; "
            "scale them down"
        )
    try:
        standard = _spares.pop()
    except IndexError:
        a, b, c, d = _words(4)
        u, v = _fraction53(a, b), _fraction53(c, d)
        radius = sqrt(-2.0 * log1p(-v))
        _spares.append(radius * sin(2.0 * pi * u))
        standard = radius * cos(2.0 * pi * u)
    return _round32(standard * scale + centre)


def randperm(n: int) -> list[int]:
    """Shuffle 0, 1, ..., n-1 as ``torch.randperm(n)`` does.

    >>> manual_seed(0)
    >>> randperm(5)
    [4, 0, 1, 3, 2]

    Position i is swapped with position i + (32 random bits) % (n - i), for i = 0 ... n-2: the
    shuffle of Fisher & Yates (Durstenfeld, CACM 7, 1964), from the front.

    Args:
        n: how many, 0 <= n <= 2**26, so that one atomic draw suffices.

    Raises:
        TypeError: if ``n`` is not an int.
        ValueError: if ``n`` is out of range.
    """
    forbid("randperm()", _REMEDY)
    n = whole_number("randperm: n", n)
    if not 0 <= n <= _LONGEST:
        raise ValueError(
            f"randperm: n must be in [0, 2**26], got {short(n)}; pass the length of a shorter list"
        )
    order = list(range(n))
    for i, word in enumerate(_words(max(n - 1, 0))):
        j = i + word % (n - i)
        order[i], order[j] = order[j], order[i]
    return order


def get_state() -> bytes:
    """Return where the stream is, for ``set_state``, as the bytes of ``torch.get_rng_state()``.

    >>> saved = get_state()
    >>> first = uniform(0, 1)
    >>> set_state(saved)
    >>> uniform(0, 1) == first
    True

    In PyTorch, ``torch.set_rng_state(torch.tensor([*get_state()], dtype=torch.uint8))`` goes on
    with the same numbers.

    Returns:
        5056 bytes: the seed, how many words of the generator are used, the 624 words, and what
        ``normal`` has drawn ahead, if anything. The seed is 0 if there was no ``manual_seed``. Of
        what several threads have drawn ahead, one number is kept, here and in the bytes.
    """
    forbid("get_state()", _REMEDY)
    *words, position = _generator.getstate()[1]
    # Seeded and used up look alike to Python, but not to torch. The first word tells: a seed's is
    # the seed itself.
    fresh = position == _WORDS and words[0] == _seed & _LOW_32_BITS
    del _spares[1:]  # several threads may have left as many, but the bytes have room for one
    spares = _spares.copy()
    left, following = _WORDS + 1 - position, 0 if fresh else position
    return _LAYOUT.pack(_seed, left, 1, following, *words, *(spares or [0.0]), len(spares))


def set_state(state: Any) -> None:
    """Continue the stream from where ``get_state`` saw it; a bad state changes nothing.

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
    forbid("set_state()", _REMEDY)
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
    fits = abs(spare) < _FARTHEST if count else spare == 0.0
    _require(fits, f"the normal number ahead must be within +-{_FARTHEST}, 0 for none", spare)
    # There torch has room for what it does not draw.
    unused = [x for x in data[5016:5024] + data[5032:5040] + data[5044:] if x]
    _require(not unused, "unused bytes must be 0", unused)
    _install(seed, words, position, [spare] * count)


def _require(kept: bool, rule: str, found: object) -> None:
    if not kept:
        raise ValueError(f"set_state: {rule}, got {short(found)}; pass what get_state() returned")


def _install(seed: int, words: Iterable[int], position: int, spares: Iterable[float]) -> None:
    global _seed
    _generator.setstate((3, (*words, position), None))  # 3: the layout's version in CPython
    _seed = seed
    _spares[:] = spares


def _words(count: int) -> tuple[int, ...]:
    """Draw ``count`` 32-bit words in one atomic step; the first drawn is the least significant."""
    drawn = _generator.getrandbits(32 * count)
    return struct.unpack(f"<{count}I", drawn.to_bytes(4 * count, "little"))


def _fraction53(high: int, low: int) -> float:
    """Return the float64 in [0, 1) that torch makes of two words: the last 53 of their 64 bits."""
    return ((high << 32 | low) & (2**53 - 1)) * 2.0**-53


def _number(function: str, name: str, x: float) -> float:
    """Return a finite ``x`` as a float."""
    if isinstance(x, bool) or not isinstance(x, int | float):
        raise TypeError(
            f"{function}: {name} must be a number, got {short(x)}; convert it with float()"
        )
    if not -_LARGEST <= x <= _LARGEST:  # true of NaN too
        raise ValueError(
            f"{function}: {name} must be a finite float32, got {short(x)}; "
            "pass a number between -3.4e38 and 3.4e38"
        )
    return float(x)


def _float32(function: str, name: str, x: float) -> float:
    return _round32(_number(function, name, x))


def _round32(x: float) -> float:
    """Round to the nearest float32."""
    rounded: float = struct.unpack("f", struct.pack("f", x))[0]
    return rounded


def _add_to_odd(x: float, y: float) -> float:
    """Return x + y, an inexact sum rounded to the neighbour whose last bit is 1.

    Rounding the usual float64 sum to float32 would round twice, and break ties the wrong way; after
    this sum the second rounding gives what one would have (Boldo & Melquiond, IEEE Trans. Comput.
    57, 2008).
    """
    total = x + y
    error = fsum((x, y, -total))
    if error and struct.pack("<d", total)[0] % 2 == 0:
        total = nextafter(total, copysign(inf, error))
    return total
