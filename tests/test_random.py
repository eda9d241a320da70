"""The random stream against PyTorch's: stored numbers first, then torch itself where installed."""

import importlib.util
import math
import platform
import random as stdlib_random
import re
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import pytest

import microgradlib.random as mg_random
from microgradlib.errors import short
from microgradlib.random import (
    draws,
    generator,
    get_state,
    manual_seed,
    normal,
    randperm,
    set_state,
    uniform,
)

# Stored numbers: PyTorch 2.13.0, x86-64 with AVX2, printed in full.
FIRST_THREE = {  # torch.manual_seed(seed); torch.rand(3)
    0: [0.49625658988952637, 0.7682217955589294, 0.08847743272781372],
    42: [0.8822692632675171, 0.9150039553642273, 0.38286375999450684],
    -1: [0.9937993884086609, 0.5713063478469849, 0.5700080394744873],
    2**31: [0.9127365350723267, 0.8284304141998291, 0.05894571542739868],
    2**32 + 42: [0.8822692632675171, 0.9150039553642273, 0.38286375999450684],
    2**64 - 1: [0.9937993884086609, 0.5713063478469849, 0.5700080394744873],
    -(2**63): [0.49625658988952637, 0.7682217955589294, 0.08847743272781372],
}
ROUNDED = {  # torch.manual_seed(7); torch.empty(8).uniform_(low, high)
    (1e-20, 3.0): [  # ties of the product, which only 1e-20 breaks: upwards
        1.6047676801681519,
        0.5964095592498779,
        1.977635145187378,
        1.9706708192825317,
        0.6982846856117249,
        1.2751842737197876,
        0.6212580800056458,
        1.8892091512680054,
    ],
    (-1e-20, 3.0): [  # and downwards
        1.6047675609588623,
        0.5964095592498779,
        1.9776350259780884,
        1.9706708192825317,
        0.6982846856117249,
        1.275184154510498,
        0.6212580800056458,
        1.8892090320587158,
    ],
    (0.1, 1e6): [  # high - low is not a float32
        534922.5625,
        198803.265625,
        659211.6875,
        656890.3125,
        232761.625,
        425061.4375,
        207086.09375,
        629736.375,
    ],
}
# torch.manual_seed(42); torch.randn(15)
NORMALS = [
    0.33669036626815796,
    0.12880940735340118,
    0.23446236550807953,
    0.23033303022384644,
    -1.1228563785552979,
    -0.18632829189300537,
    2.2082014083862305,
    -0.637997031211853,
    0.46165722608566284,
    0.2673508822917938,
    0.5349046587944031,
    0.809357225894928,
    1.110290288925171,
    -1.6897989511489868,
    -0.9889599084854126,
]
# torch.manual_seed(42); three times nn.Linear(2, 2) and nn.Linear(2, 1): the notebook's models,
# as fc1.weight (row by row), fc1.bias, fc2's weight and bias, and their outputs before training.
NOTEBOOK = [
    (
        [0.5406103730201721, 0.5869042277336121, -0.16565565764904022, 0.6495562791824341],
        [-0.15492962300777435, 0.14268755912780762],
        [-0.34425848722457886, 0.4152715504169464, 0.6233449578285217],
        [0.6653, 0.6683, 0.6511, 0.6557],
    ),
    (
        [-0.5187534093856812, 0.6146144866943359, 0.13234160840511322, 0.5224167704582214],
        [0.09576387703418732, 0.34095847606658936],
        [-0.09983711689710617, 0.545098602771759, 0.10451667755842209],
        [0.5916, 0.6037, 0.5989, 0.6101],
    ),
    (
        [-0.33010566234588623, 0.18024031817913055, -0.3257899880409241, -0.08292442560195923],
        [-0.2871972918510437, 0.4690741002559662],
        [-0.5581690073013306, -0.32598352432250977, -0.19966909289360046],
        [0.3454, 0.3412, 0.3613, 0.3574],
    ),
]


@pytest.fixture(autouse=True)
def keep_stream() -> Iterator[None]:
    """Leave the process-wide generator as it was."""
    state = get_state()
    yield
    set_state(state)


def linear(nin: int, nout: int) -> list[float]:
    """Draw the weights, row by row, and the biases of torch's nn.Linear(nin, nout)."""
    bound = 1 / math.sqrt(nin)
    return [uniform(-bound, bound) for _ in range(nin * nout + nout)]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def exactly(message: str) -> str:
    return "^" + re.escape(message) + "$"


class TestStoredNumbers:
    @pytest.mark.parametrize("seed", FIRST_THREE)
    def test_seeds(self, seed: int) -> None:
        manual_seed(seed)
        assert [uniform(0, 1) for _ in range(3)] == FIRST_THREE[seed]

    def test_the_notebooks_weights(self) -> None:
        manual_seed(42)
        for weight, bias, second, outputs in NOTEBOOK:
            a, b, c, d, p, q, u, v, r = drawn = linear(2, 2) + linear(2, 1)
            assert drawn == weight + bias + second
            for (x, y), output in zip([(0, 0), (0, 1), (1, 0), (1, 1)], outputs, strict=True):
                hidden = sigmoid(a * x + b * y + p), sigmoid(c * x + d * y + q)
                assert round(sigmoid(u * hidden[0] + v * hidden[1] + r), 4) == output

    def test_torchs_bound_for_weights_is_the_bound_for_biases(self) -> None:
        # kaiming_uniform_(a=sqrt(5)) takes a detour that changes the float64, never the float32.
        gain = math.sqrt(2.0 / (1 + math.sqrt(5) ** 2))
        differing = 0
        for nin in range(1, 10_000):
            detour, bound = math.sqrt(3.0) * (gain / math.sqrt(nin)), 1 / math.sqrt(nin)
            differing += detour != bound
            assert struct.pack("f", detour) == struct.pack("f", bound)
        assert differing > 5000

    def test_product_and_sum_are_rounded_together(self) -> None:
        # torch.manual_seed(7); nn.Linear(3, 2): the first weight has another last bit otherwise.
        manual_seed(7)
        assert linear(3, 2) == [
            0.04032507538795471,
            -0.3477921187877655,
            0.18384182453155518,
            0.1811612844467163,
            -0.3085803687572479,
            -0.0865316316485405,
            -0.33822792768478394,
            0.1498066484928131,
        ]

    @pytest.mark.parametrize("ends", ROUNDED)
    def test_each_step_is_rounded_once(self, ends: tuple[float, float]) -> None:
        manual_seed(7)
        assert [uniform(*ends) for _ in range(8)] == ROUNDED[ends]

    def test_high_itself_becomes_low(self) -> None:
        # torch.manual_seed(0); torch.empty(1000).uniform_(5, 5.0001)
        manual_seed(0)
        drawn = [uniform(5, 5.0001) for _ in range(1000)]
        assert max(drawn) == 5.0000996589660645
        assert [i for i, x in enumerate(drawn) if x == 5.0][:6] == [83, 332, 337, 385, 530, 776]

    def test_beyond_one_refill_of_the_generator(self) -> None:
        # torch.manual_seed(3); torch.rand(1300); torch.empty(3).uniform_(-2, 5)
        manual_seed(3)
        for _ in range(1300):
            uniform(0, 1)
        drawn = [uniform(-2, 5) for _ in range(3)]
        assert drawn == [1.1341480016708374, 2.7546894550323486, 0.9657821655273438]

    def test_randperm(self) -> None:
        # torch.manual_seed(1); randperm(12), randperm(1), randperm(0), rand(1): n - 1 words used
        manual_seed(1)
        assert randperm(12) == [1, 4, 6, 8, 11, 0, 5, 3, 2, 9, 10, 7]
        assert (randperm(1), randperm(0)) == ([0], [])
        assert uniform(0, 1) == 0.524665892124176

    def test_normal(self) -> None:
        manual_seed(42)
        assert [normal(0, 1) for _ in range(15)] == NORMALS

    def test_normal_keeps_the_second_of_a_pair(self) -> None:
        # torch.manual_seed(1); empty(3).normal_(2, .5), rand(1), empty(2).normal_(2, .5)
        manual_seed(1)
        drawn = [normal(2, 0.5) for _ in range(3)]
        assert drawn == [2.3306760787963867, 2.1334619522094727, 2.03083872795105]
        assert uniform(0, 1) == 0.5695084929466248
        assert [normal(2, 0.5) for _ in range(2)] == [2.3106586933135986, 1.669165849685669]

    def test_seeding_forgets_the_second_of_a_pair(self) -> None:
        manual_seed(0)
        normal(0, 1)
        manual_seed(42)
        assert normal(0, 1) == NORMALS[0]

    def test_no_spread(self) -> None:
        assert normal(1.5, 0) == 1.5


class TestProperties:
    def test_uniform_is_float32_in_range_and_even(self) -> None:
        manual_seed(5)
        drawn = [uniform(-0.7, 0.3) for _ in range(10_000)]
        assert all(-0.7000001 < x < 0.3 for x in drawn)
        assert all(struct.unpack("f", struct.pack("f", x))[0] == x for x in drawn)
        assert sum(drawn) / 10_000 == pytest.approx(-0.2, abs=0.02)

    def test_normal_moments(self) -> None:
        manual_seed(5)
        drawn = [normal(3, 2) for _ in range(10_000)]
        mean = sum(drawn) / 10_000
        assert mean == pytest.approx(3, abs=0.1)
        assert sum((x - mean) ** 2 for x in drawn) / 10_000 == pytest.approx(4, rel=0.1)

    def test_each_permutation_is_as_likely(self) -> None:
        manual_seed(5)
        drawn = [tuple(randperm(3)) for _ in range(6000)]
        counts = [drawn.count(p) for p in set(drawn)]
        assert len(counts) == 6
        assert all(850 < count < 1150 for count in counts)

    def test_unseeded_runs_differ(self) -> None:
        spec = importlib.util.find_spec("microgradlib.random.generator")
        assert spec is not None
        assert spec.loader is not None
        states = set()
        for _ in range(2):
            fresh = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(fresh)
            states.add(fresh.get_state())
        assert len(states) == 2

    def test_the_standard_librarys_stream_is_left_alone(self) -> None:
        before = stdlib_random.getstate()
        manual_seed(1)
        uniform(0, 1), normal(0, 1), randperm(3)
        assert stdlib_random.getstate() == before

    @pytest.mark.parametrize("draw", [lambda: uniform(0, 1), lambda: normal(0, 1)])
    def test_threads_share_the_draws(self, draw: Callable[[], float]) -> None:
        count, threads, interval = 40_000, 4, sys.getswitchinterval()
        manual_seed(11)
        alone = Counter(draw() for _ in range(count + 2 * threads))  # with what they draw ahead
        manual_seed(11)
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(threads) as pool:
                parts = [
                    pool.submit(lambda: [draw() for _ in range(count // threads)])
                    for _ in range(threads)
                ]
                together = Counter(x for part in parts for x in part.result())
        finally:
            sys.setswitchinterval(interval)
        assert not together - alone


AHEAD = "the normal number ahead must be within +-8.6, 0 for none, got"


class TestState:
    @pytest.mark.parametrize("kind", [bytes, bytearray, list, memoryview])
    def test_resumes(self, kind: Any) -> None:
        manual_seed(42)
        randperm(700), normal(0, 1)
        saved = kind(get_state())
        expected = [normal(0, 1), uniform(0, 1), normal(0, 1), randperm(5)]
        manual_seed(0)
        set_state(saved)
        assert [normal(0, 1), uniform(0, 1), normal(0, 1), randperm(5)] == expected

    @pytest.mark.parametrize("draws", [*range(6), 622, 623, 624, 625, 1248, 1249])
    @pytest.mark.parametrize("seed", [0, -1, 2**32 + 5])
    def test_comes_back_byte_for_byte(self, seed: int, draws: int) -> None:
        manual_seed(seed)
        for _ in range(draws):
            uniform(0, 1)
        for _ in range(2):
            saved = get_state()
            manual_seed(1)
            set_state(saved)
            assert get_state() == saved
            normal(0, 1)

    def test_one_number_ahead_is_kept_of_those_of_several_threads(self) -> None:
        manual_seed(42)
        mg_random.default_generator._spares[:] = [0.5, 0.25]
        saved = get_state()
        drawn = [normal(0, 1) for _ in range(4)]
        assert drawn[0] == 0.5
        set_state(saved)
        assert [normal(0, 1) for _ in range(4)] == drawn

    def test_forgets_the_present_spare(self) -> None:
        manual_seed(42)
        saved = get_state()
        normal(0, 1)
        set_state(saved)
        assert normal(0, 1) == NORMALS[0]

    def test_layout(self) -> None:
        manual_seed(-1)
        seeded = get_state()
        assert len(seeded) == 5056
        assert struct.unpack_from("<QiiQQ", seeded) == (2**64 - 1, 1, 1, 0, 2**32 - 1)
        assert not any(seeded[5016:])
        ahead = [normal(0, 1), normal(0, 1)][1]
        manual_seed(-1)
        normal(0, 1)
        state = get_state()
        assert struct.unpack_from("<QiiQ", state) == (2**64 - 1, 621, 1, 4)
        spare, valid = struct.unpack_from("<8xd8xi", state, 5016)
        assert nearest_float32(Fraction(spare)) == ahead
        assert valid == 1

    @pytest.mark.parametrize(
        ("layout", "place", "number", "message"),
        [
            ("<i", 8, 0, "bytes 8 to 11, the words left, must be in [1, 624], got 0"),
            ("<i", 8, 625, "bytes 8 to 11, the words left, must be in [1, 624], got 625"),
            ("<i", 12, 0, "bytes 12 to 15, whether it is seeded, must be 1, got 0"),
            ("<Q", 16, 4, "bytes 16 to 23, the next word, must be 3, got 4"),
            ("<Q", 16, 0, "bytes 16 to 23, the next word, must be 3, got 0"),
            ("<i", 8, 1, "bytes 16 to 23, the next word, must be 624, got 3"),
            ("<Q", 5008, 2**32, "words must be below 2**32, got 4294967296"),
            ("<i", 5040, 2, "bytes 5040 to 5043, normal numbers ahead, must be 0 or 1, got 2"),
            ("<d", 5024, 8.6, f"{AHEAD} 8.6"),
            ("<d", 5024, -9.0, f"{AHEAD} -9.0"),
            ("<d", 5024, math.nan, f"{AHEAD} nan"),
            ("<i", 5040, 0, f"{AHEAD} 0.5"),
            ("<B", 5016, 7, "unused bytes must be 0, got [7]"),
            ("<B", 5023, 7, "unused bytes must be 0, got [7]"),
            ("<B", 5032, 7, "unused bytes must be 0, got [7]"),
            ("<B", 5039, 7, "unused bytes must be 0, got [7]"),
            ("<B", 5044, 7, "unused bytes must be 0, got [7]"),
            ("<B", 5055, 7, "unused bytes must be 0, got [7]"),
        ],
    )
    def test_damaged(self, layout: str, place: int, number: float, message: str) -> None:
        before = get_state()
        damaged = bytearray(state_of([1] * 624))
        struct.pack_into(layout, damaged, place, number)
        full = f"set_state: {message}; pass what get_state() returned"
        with pytest.raises(ValueError, match=exactly(full)):
            set_state(damaged)
        assert get_state() == before

    def test_all_words_zero(self) -> None:
        before = get_state()
        message = (
            "set_state: words must not all be zero, got 2147483647; pass what get_state() returned"
        )
        with pytest.raises(ValueError, match=exactly(message)):
            set_state(state_of([2**31 - 1] + [0] * 623))
        assert get_state() == before

    @pytest.mark.parametrize("first_words", [[2**31, 0], [0, 1], [0, 2**32 - 1]])
    def test_one_bit_that_counts_is_enough(self, first_words: list[int]) -> None:
        state = state_of(first_words + [0] * 622)
        set_state(state)
        assert get_state() == state

    @pytest.mark.parametrize("size", [0, 1, 5055, 5057])
    def test_another_length(self, size: int) -> None:
        message = (
            f"set_state: state must have 5056 bytes, got {size}; pass what get_state() returned"
        )
        for state in (bytes(size), [0] * size):
            with pytest.raises(ValueError, match=exactly(message)):
                set_state(state)

    @pytest.mark.parametrize("wrong", [5056, None, "x" * 5056, [256] * 5056, [1.0], {"lr": 0.1}])
    def test_no_bytes(self, wrong: Any) -> None:
        before = get_state()
        message = (
            f"set_state: state must be bytes, got {short(wrong)}; pass what get_state() returned"
        )
        with pytest.raises(TypeError, match=exactly(message)):
            set_state(wrong)
        assert get_state() == before


def state_of(words: list[int]) -> bytes:
    """Return a state of which 3 words are used, with a normal number ahead."""
    return struct.pack("<QiiQ624Q8xd8xi12x", 0, 622, 1, 3, *words, 0.5, 1)


class TestMisuse:
    @pytest.mark.parametrize("seed", [True, 1.0, "42", None])
    def test_seed_type(self, seed: Any) -> None:
        message = f"manual_seed: seed must be an int, got {seed!r}; convert it with int()"
        with pytest.raises(TypeError, match=exactly(message)):
            manual_seed(seed)

    @pytest.mark.parametrize(
        ("seed", "shown"),
        [(2**64, "0x10000000000000000"), (-(2**63) - 1, "-0x8000000000000001")],
    )
    def test_seed_range(self, seed: int, shown: str) -> None:
        before = get_state()
        message = f"manual_seed: seed must be in [-2**63, 2**64), got {shown}; use seed % 2**32"
        with pytest.raises(ValueError, match=exactly(message)):
            manual_seed(seed)
        assert get_state() == before

    @pytest.mark.parametrize("function", [uniform, normal])
    @pytest.mark.parametrize("wrong", [True, "1", None, 1j])
    @pytest.mark.parametrize("place", [0, 1])
    def test_number_type(self, function: Callable[..., float], wrong: object, place: int) -> None:
        names = {uniform: ("low", "high"), normal: ("mean", "std")}[function]
        arguments: list[object] = [0.0, 1.0]
        arguments[place] = wrong
        message = (
            f"{function.__name__}: {names[place]} must be a number, got {wrong!r}; "
            "convert it with float()"
        )
        with pytest.raises(TypeError, match=exactly(message)):
            function(*arguments)

    @pytest.mark.parametrize("function", [uniform, normal])
    @pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 3.5e38, 10**400])
    @pytest.mark.parametrize("place", [0, 1])
    def test_number_range(self, function: Callable[..., float], wrong: float, place: int) -> None:
        names = {uniform: ("low", "high"), normal: ("mean", "std")}[function]
        arguments = [0.0, 1.0]
        arguments[place] = wrong
        message = (
            f"{function.__name__}: {names[place]} must be a finite float32, got {short(wrong)}; "
            "pass a number between -3.4e38 and 3.4e38"
        )
        with pytest.raises(ValueError, match=exactly(message)):
            function(*arguments)

    def test_the_largest_float32_is_a_number(self) -> None:
        largest = 3.4028234663852886e38
        assert 0.0 <= uniform(0.0, largest) < largest
        assert -largest <= uniform(-largest, 0.0) < 0.0
        assert normal(largest, 0.0) == largest
        assert normal(-largest, 0.0) == -largest
        for beyond in (math.nextafter(largest, math.inf), -math.nextafter(largest, math.inf)):
            with pytest.raises(ValueError, match="must be a finite float32"):
                normal(beyond, 0.0)

    @pytest.mark.parametrize(("low", "high"), [(1, 0), (1.0, 1.0), (1.0, 1.0 + 1e-9)])
    def test_empty_range(self, low: float, high: float) -> None:
        message = (
            f"uniform: low must be below high in float32, got low={low!r} and high={high!r}; "
            "swap them or widen the range"
        )
        with pytest.raises(ValueError, match=exactly(message)):
            uniform(low, high)

    def test_too_wide_a_range(self) -> None:
        message = (
            "uniform: high - low must fit in a float32, got low=-3e+38 and high=3e+38; "
            "narrow the range"
        )
        with pytest.raises(ValueError, match=exactly(message)):
            uniform(-3e38, 3e38)

    def test_negative_std(self) -> None:
        message = "normal: std must be >= 0, got -0.5; pass abs(std)"
        with pytest.raises(ValueError, match=exactly(message)):
            normal(0, -0.5)

    def test_too_large_a_spread(self) -> None:
        message = "normal: draws must fit in a float32, got mean=0 and std=4e+37; scale them down"
        with pytest.raises(ValueError, match=exactly(message)):
            normal(0, 4e37)

    @pytest.mark.parametrize("n", [True, 3.0, "3", None])
    def test_randperm_type(self, n: Any) -> None:
        message = f"randperm: n must be an int, got {n!r}; convert it with int()"
        with pytest.raises(TypeError, match=exactly(message)):
            randperm(n)

    @pytest.mark.parametrize("n", [-1, 2**26 + 1])
    def test_randperm_range(self, n: int) -> None:
        message = f"randperm: n must be in [0, 2**26], got {n}; pass the length of a shorter list"
        with pytest.raises(ValueError, match=exactly(message)):
            randperm(n)


def test_the_longest_permutation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "LONGEST", 5)
    assert sorted(randperm(5)) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="shorter list"):
        randperm(6)


@pytest.mark.parametrize(
    ("high", "low", "fraction"),
    [(0, 1, 2.0**-53), (2**20, 0, 0.5), (2**21, 0, 0.0), (2**32 - 1, 2**32 - 1, 1.0 - 2.0**-53)],
)
def test_a_fraction_has_53_bits(
    monkeypatch: pytest.MonkeyPatch, high: int, low: int, fraction: float
) -> None:
    monkeypatch.setattr(generator, "words", lambda *_: (high, low))
    assert mg_random.rand(dtype="float64") == fraction


def nearest_float32(x: Fraction) -> float:
    """Return the nearest float32; of two, the one whose last bit is 0."""
    (bits,) = struct.unpack("<i", struct.pack("<f", float(x)))
    near = [(*struct.unpack("<f", struct.pack("<i", n)), n % 2) for n in (bits - 1, bits, bits + 1)]
    return float(min(near, key=lambda float32: (abs(Fraction(float32[0]) - x), float32[1]))[0])


def test_a_uniform_draw_is_rounded_once() -> None:
    rng = stdlib_random.Random(0)
    for seed in range(1000):
        ends = [rng.uniform(1.0, 2.0) * 2.0 ** rng.randrange(-30, 30) for _ in range(2)]
        low, high = sorted(nearest_float32(Fraction(end)) for end in ends)
        manual_seed(seed)
        fraction = Fraction(uniform(0, 1))
        width = Fraction(nearest_float32(Fraction(high) - Fraction(low)))
        expected = nearest_float32(fraction * width + Fraction(low))
        manual_seed(seed)
        assert uniform(low, high) == (low if expected == high else expected)


def test_all_is_what_is_public() -> None:
    own = {
        name
        for name, f in vars(mg_random).items()
        if str(getattr(f, "__module__", "")).startswith(mg_random.__name__)
    }
    assert {name for name in own if not name.startswith("_")} == set(mg_random.__all__)


SEEDS = [*range(100), -1, -(2**63), 2**32 - 1, 2**32, 2**63, 2**64 - 1]


@pytest.mark.torch
class TestAgainstTorch:
    @pytest.fixture
    def torch(self) -> Any:
        torch = pytest.importorskip("torch")
        fuses = torch.backends.cpu.get_cpu_capability() != "DEFAULT"
        if platform.machine() in ("x86_64", "AMD64") and not fuses:
            pytest.skip("without AVX2 torch rounds the product and the sum separately")
        return torch

    @pytest.mark.parametrize("nin", [1, 2, 3, 7, 16, 100])
    @pytest.mark.parametrize("nout", [1, 2, 5, 16, 31])
    def test_linear(self, torch: Any, nin: int, nout: int) -> None:
        for seed in SEEDS[:: 1 + nin * nout // 100]:
            torch.manual_seed(seed)
            layer = torch.nn.Linear(nin, nout)
            expected = layer.weight.flatten().tolist() + layer.bias.tolist()
            manual_seed(seed)
            assert linear(nin, nout) == expected, seed

    @pytest.mark.parametrize("size", [1, 15, 16, 17, 1000, 5000])
    @pytest.mark.parametrize(
        ("low", "high"),
        [
            (0, 1),
            (-0.7, 0.3),
            (1e-20, 3),
            (-1e-20, 3),
            (0.1, 1e6),
            (5, 5.0001),
            (1e-3, 5e3),
            (-1e38, 2e38),
            (0, 1e-44),
        ],
    )
    def test_uniform(self, torch: Any, size: int, low: float, high: float) -> None:
        for seed in SEEDS[:: 1 if size < 1000 else 25]:
            torch.manual_seed(seed)
            expected = torch.empty(size).uniform_(low, high).tolist()
            manual_seed(seed)
            assert [uniform(low, high) for _ in range(size)] == expected, seed

    @pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 100, 1000, 70_000])
    def test_randperm(self, torch: Any, n: int) -> None:
        for seed in SEEDS[:: 1 if n < 10_000 else 50]:
            torch.manual_seed(seed)
            expected = [torch.randperm(n).tolist(), torch.rand(1).item()]
            manual_seed(seed)
            assert [randperm(n), uniform(0, 1)] == expected, seed

    @pytest.mark.parametrize("size", [1, 2, 7, 15])
    @pytest.mark.parametrize(("mean", "std"), [(0, 1), (0, 0.02), (3, 0.1), (-1e3, 1e-3)])
    def test_normal(self, torch: Any, size: int, mean: float, std: float) -> None:
        for seed in SEEDS:
            torch.manual_seed(seed)
            expected = [*torch.empty(size).normal_(mean, std).tolist(), torch.randn(1).item()]
            manual_seed(seed)
            drawn = [normal(mean, std) for _ in range(size)]
            assert [*drawn, normal(0, 1)] == expected, seed

    @pytest.mark.parametrize("draws", [0, 1, 5, 619, 620, 621, 624, 1244])
    def test_the_state_has_the_bytes_of_torch(self, torch: Any, draws: int) -> None:
        for seed in SEEDS[::5]:
            torch.manual_seed(seed)
            manual_seed(seed)
            for step in range(4):  # with and without a normal number ahead
                for _ in range(draws if step == 0 else step):
                    torch.rand(1)
                    uniform(0, 1)
                if step:
                    assert torch.randn(1).item() == normal(0, 1)
                assert bytes(torch.get_rng_state().tolist()) == get_state(), (seed, step)

    def test_torch_and_this_stream_go_on_with_each_others_state(self, torch: Any) -> None:
        for seed in SEEDS[::5]:
            torch.manual_seed(seed)
            torch.randn(seed % 2 + 1), torch.randperm(seed % 700 + 1)
            set_state(torch.get_rng_state())
            expected = [torch.randn(1).item(), torch.rand(1).item(), torch.randperm(9).tolist()]
            assert [normal(0, 1), uniform(0, 1), randperm(9)] == expected, seed
            torch.set_rng_state(torch.tensor([*get_state()], dtype=torch.uint8))
            assert [torch.rand(1).item(), torch.randn(1).item()] == [uniform(0, 1), normal(0, 1)]
            assert bytes(torch.get_rng_state().tolist()) == get_state(), seed

    def test_out_of_range_seeds_are_refused_alike(self, torch: Any) -> None:
        for seed in (2**64, -(2**63) - 1):
            for seeding in (torch.manual_seed, manual_seed):
                with pytest.raises(ValueError, match=r"Overflow|seed must be in"):
                    seeding(seed)
