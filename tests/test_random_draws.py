"""Draws of every distribution and size: stored numbers, arguments, generators."""

import hashlib
import math
import pickle
import re
import struct
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import pytest

import microgradlib as mg
from microgradlib import random
from microgradlib.errors import short
from microgradlib.random import (
    Generator,
    bernoulli,
    default_generator,
    distributions,
    exponential,
    generator,
    geometric,
    get_state,
    initial_seed,
    log_normal,
    manual_seed,
    multinomial,
    normal,
    rand,
    randint,
    randn,
    randperm,
    rounding,
    seed,
    selections,
    set_state,
    trunc_normal,
    uniform,
)
from microgradlib.random.arguments import Shape

# What PyTorch 2.13.0 on x86-64 with AVX-512 draws after torch.manual_seed(7), ours, and a digest of
# the numbers as doubles.
EXACT = {
    "torch.rand(700)": ("rand(700)", "69fce83aa72c911a"),
    "torch.rand(3, 5, dtype=torch.float64)": ('rand(3, 5, dtype="float64")', "fce256332041193a"),
    "torch.empty(999).uniform_(-0.7, 0.3)": ("uniform(-0.7, 0.3, 999)", "d84f2a68b40899fe"),
    "torch.empty(99).uniform_(-1, 1)": ("uniform(-1, 1, 99)", "705ad90ee88b7221"),
    "torch.empty(50, dtype=torch.float64).uniform_(-0.7, 0.3)": (
        'uniform(-0.7, 0.3, 50, dtype="float64")',
        "364826da5841c1db",
    ),
    "torch.randn(16)": ("randn(16)", "2b676cc42f9fcffc"),
    "torch.randn(17)": ("randn(17)", "6fe06748d35c5647"),
    "torch.randn(31, 33)": ("randn((31, 33))", "40cc94fa51285a3b"),
    "torch.randn(5000)": ("randn(5000)", "10a772774817e6e0"),
    "torch.empty(1000).normal_(2.5, 0.37)": ("normal(2.5, 0.37, 1000)", "ba12859e9e9e6768"),
    "torch.empty(40, 10).normal_(-1e4, 1e-3)": ("normal(-1e4, 1e-3, (40, 10))", "72405b81ed996432"),
    "torch.randint(10, (100,))": ("randint(10, (100,))", "d439c2b10c5541b6"),
    "torch.randint(-5, 2**28 - 5, (9, 9))": ("randint(-5, 2**28 - 5, (9, 9))", "82ea6a94777b9fa9"),
    "torch.randint(-5, 2**28 - 6, (9, 9))": ("randint(-5, 2**28 - 6, (9, 9))", "18aa09d6fb259da2"),
    "torch.randint(-(2**63), 2**63 - 1, (50,))": (
        "randint(-(2**63), 2**63 - 1, 50)",
        "7e88e13b51975ee5",
    ),
    "torch.empty(300).bernoulli_(0.3)": ("bernoulli(0.3, 300)", "f46ce536ff2ed99b"),
    "torch.bernoulli(torch.tensor([[0.2, 0.5], [0.7, 1.0]] * 50))": (
        "bernoulli([[0.2, 0.5], [0.7, 1.0]] * 50)",
        "caedb2823aa7cab8",
    ),
    "torch.bernoulli(torch.tensor([0.2, 0.5] * 50, dtype=torch.float64))": (
        'bernoulli([0.2, 0.5] * 50, dtype="float64")',
        "5aa92982a589ec4d",
    ),
    "torch.randperm(1000)": ("randperm(1000)", "242883b56194e5df"),
    "trunc_normal_(torch.empty(500), 0.5, 1.0, 0.0, 1.0)": (
        "trunc_normal(0.5, 1.0, 0.0, 1.0, 500)",
        "edd88e7bbf9ba30d",
    ),
    "torch.multinomial(torch.tensor([0.1, 0.5, 0.0, 2.0, 0.3]), 200, True)": (
        "multinomial([0.1, 0.5, 0.0, 2.0, 0.3], 200, True)",
        "8376bce1ac78ef6c",
    ),
}
# The same, with the numbers themselves: the C library's log, exp, sin and cos may differ.
CLOSE = {
    "torch.randn(5, dtype=torch.float64)": (
        'randn(5, dtype="float64")',
        [
            -0.1467950974849952,
            0.7861412987235358,
            0.9468216090039564,
            -1.1143440212610307,
            1.6907901257942333,
        ],
    ),
    "torch.randn(18, dtype=torch.float64)": (
        'randn(18, dtype="float64")',
        [
            0.06626753966449943,
            0.04699155524392409,
            0.45801695358702993,
            1.6932749764073567,
            1.457454937932726,
            1.932214860010293,
            -1.4418139927522924,
            0.7277603478716976,
            -1.3131496578292892,
            -0.3280001761367003,
            -0.15213162349367035,
            -2.6909171061771864,
            1.7421050311620636,
            -0.523961020712386,
            -0.28387899021947915,
            0.45257550210102954,
            -1.6677291342328766,
            -1.5870322969308357,
        ],
    ),
    "torch.empty(3, dtype=torch.float64).normal_(-2.5, 0.3)": (
        'normal(-2.5, 0.3, 3, dtype="float64")',
        [-2.5440385292454986, -2.2641576103829393, -2.215953517298813],
    ),
    "torch.empty(16, dtype=torch.float64).normal_(-2.5, 0.3)": (
        'normal(-2.5, 0.3, 16, dtype="float64")',
        [
            -2.48011973810065,
            -2.485902533426823,
            -1.9490384109911796,
            -2.0896928804389665,
            -2.163592400836475,
            -1.9420758411989871,
            -2.319631299165843,
            -2.2786511273769574,
            -2.7420344630910387,
            -2.739504250973986,
            -2.269667828545192,
            -2.3447933449646507,
            -1.9107258107624578,
            -2.3655583045305826,
            -2.325890872907894,
            -2.814764383647939,
        ],
    ),
    "torch.empty(2, 3).exponential_(2.0)": (
        "exponential(2.0, (2, 3))",
        [
            0.1638219654560089,
            0.159891739487648,
            0.9905877113342285,
            0.5345584154129028,
            1.2789281606674194,
            0.9148720502853394,
        ],
    ),
    "torch.empty(3, dtype=torch.float64).exponential_(1.0)": (
        'exponential(size=3, dtype="float64")',
        [0.327643922983079, 0.3197834711021784, 1.9811754542789521],
    ),
    "torch.empty(9).geometric_(0.25)": (
        "geometric(0.25, 9)",
        [5.0, 5.0, 1.0, 2.0, 1.0, 1.0, 5.0, 3.0, 1.0],
    ),
    "torch.empty(4).log_normal_(0.5, 0.25)": (
        "log_normal(0.5, 0.25, 4)",
        [1.589311957359314, 2.0067877769470215, 2.0890417098999023, 1.2478399276733398],
    ),
    "torch.empty(17, dtype=torch.float64).log_normal_()": (
        'log_normal(size=17, dtype="float64")',
        [
            2.0267019263526733,
            13.095682522473664,
            18.058982709196727,
            0.2926763047756692,
            79.96429732229538,
            0.45400105445958694,
            1.334757925220999,
            31.969153677660973,
            3.5835191750836866,
            0.09400597150251745,
            5.131287645950546,
            3.545268611560907,
            3.577442619142414,
            4.397746528915191,
            44.29631950291483,
            40.20716609053764,
            356.52926442132565,
        ],
    ),
    "trunc_normal_(torch.empty(6))": (
        "trunc_normal(size=6)",
        [
            -0.1467950940132141,
            0.7861412763595581,
            0.9468216300010681,
            -1.1143440008163452,
            1.6907901763916016,
            -0.8948279023170471,
        ],
    ),
    "trunc_normal_(torch.empty(6), 0.0, 1.0, 2.0, 3.0)": (
        "trunc_normal(0.0, 1.0, 2.0, 3.0, 6)",
        [
            2.5349225997924805,
            2.198803186416626,
            2.0913777351379395,
            2.359285831451416,
            2.527801752090454,
            2.073051929473877,
        ],
    ),
    "trunc_normal_(torch.empty(4, dtype=torch.float64), 3.0, 0.7, 0.0, 2.0)": (
        'trunc_normal(3.0, 0.7, 0.0, 2.0, 4, dtype="float64")',
        [1.5260868224242774, 1.5187144544265663, 1.724185922835251, 1.9872338779094],
    ),
    "torch.multinomial(torch.tensor([0.1, 0.5, 0.0, 2.0, 0.3]), 4)": (
        "multinomial([0.1, 0.5, 0.0, 2.0, 0.3], 4)",
        [3.0, 1.0, 0.0, 4.0],
    ),
    "torch.multinomial(torch.tensor([[1.0, 2.0], [3.0, 1.0]]), 1, True)": (
        "multinomial([[1.0, 2.0], [3.0, 1.0]], 1, True)",
        [1.0, 0.0],
    ),
    "torch.multinomial(torch.tensor([[1.0, 2.0], [3.0, 1.0]]), 3, True)": (
        "multinomial([[1.0, 2.0], [3.0, 1.0]], 3, True)",
        [0.0, 0.0, 1.0, 0.0, 1.0, 1.0],
    ),
    "torch.multinomial(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), 2)": (
        'multinomial([1.0, 2.0, 3.0], 2, dtype="float64")',
        [1.0, 0.0],
    ),
}


@pytest.fixture(autouse=True)
def keep_stream() -> Iterator[None]:
    """Leave the process-wide generator as it was."""
    state = get_state()
    yield
    set_state(state)


def flat(x: Any) -> list[float]:
    return [z for y in x for z in flat(y)] if isinstance(x, list) else [x]


def ours(code: str, **names: Any) -> Any:
    return eval(code, vars(random) | names)


class TestStoredNumbers:
    @pytest.mark.parametrize("torchs", EXACT)
    def test_exact(self, torchs: str) -> None:
        """These need no function of the C library: they are the same on each machine."""
        code, digest = EXACT[torchs]
        manual_seed(7)
        numbers = flat(ours(code))
        packed = struct.pack(f"<{len(numbers)}d", *numbers)
        assert hashlib.sha256(packed).hexdigest()[:16] == digest

    @pytest.mark.parametrize("torchs", CLOSE)
    def test_close(self, torchs: str) -> None:
        code, numbers = CLOSE[torchs]
        manual_seed(7)
        assert flat(ours(code)) == pytest.approx(numbers, rel=1e-14)

    @pytest.mark.parametrize("torchs", [*EXACT, *CLOSE])
    def test_a_generator_draws_the_same(self, torchs: str) -> None:
        code = {**EXACT, **CLOSE}[torchs][0]
        manual_seed(7)
        expected, after = ours(code), get_state()
        g = Generator().manual_seed(7)
        set_state(before := Generator().manual_seed(3).get_state())
        assert ours(f"{code[:-1]}, generator=g)", g=g) == expected
        assert g.get_state() == after
        assert get_state() == before

    @pytest.mark.torch
    @pytest.mark.parametrize("torchs", [*EXACT, *CLOSE])
    def test_they_are_torchs(self, torchs: str) -> None:
        torch = pytest.importorskip("torch")
        code = {**EXACT, **CLOSE}[torchs][0]
        torch.manual_seed(7)
        manual_seed(7)
        names = {"torch": torch, "trunc_normal_": torch.nn.init.trunc_normal_}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)  # that few are between the bounds
            expected = eval(torchs, names).tolist()
        assert ours(code) == expected
        assert get_state() == bytes(torch.get_rng_state().tolist())


class TestShapes:
    def test_nested_lists(self) -> None:
        manual_seed(0)
        numbers = rand(12)
        manual_seed(0)
        assert rand(2, 3, 2) == [
            [numbers[0:2], numbers[2:4], numbers[4:6]],
            [numbers[6:8], numbers[8:10], numbers[10:12]],
        ]

    @pytest.mark.parametrize(
        ("size", "empty"),
        [(0, []), ((0,), []), ((2, 0), [[], []]), ((0, 2), []), ([2, 0], [[], []])],
    )
    def test_no_numbers(self, size: Any, empty: list[Any]) -> None:
        manual_seed(0)
        before = get_state()
        draws = [uniform(0, 1, size), normal(0, 1, size), rand(size), randn(size)]
        assert [*draws, bernoulli(0.5, size), trunc_normal(size=size)] == [empty] * 6
        assert get_state() == before

    @pytest.mark.parametrize("draw", [rand, randn, lambda: rand(()), lambda: uniform(0, 1, ())])
    def test_one_number(self, draw: Callable[[], float]) -> None:
        assert type(draw()) is float
        assert type(randint(5)) is int

    def test_lengths_may_be_one_tuple(self) -> None:
        for draw in (rand, randn):
            manual_seed(0)
            expected = draw(2, 3)
            for size in ((2, 3), [2, 3]):
                manual_seed(0)
                assert draw(size) == expected

    @pytest.mark.parametrize("size", [-1, (2, -1)])
    def test_negative(self, size: Any) -> None:
        message = "size must not be negative, got .*; pass a length, or a tuple of lengths"
        with pytest.raises(ValueError, match=f"uniform: {message}"):
            uniform(0, 1, size)

    @pytest.mark.parametrize("size", [1.0, "2", (2, True), ((2,),)])
    def test_no_lengths(self, size: Any) -> None:
        with pytest.raises(TypeError, match=r"normal: size must be an int, got .*; convert it"):
            normal(0, 1, size)

    def test_as_many_as_fit_in_one_draw(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert Shape("f", 2**26).count == 2**26
        assert Shape("f", (2**13, 2**11), 4).count == 2**24
        with pytest.raises(
            ValueError, match=r"f: size must be at most 16,777,216 numbers at once, "
        ):
            Shape("f", 2**24 + 1, 4)
        monkeypatch.setattr("microgradlib.random.arguments.LONGEST", 8)
        counts: dict[str, int] = {
            "rand({})": 8,
            'rand({}, dtype="float64")': 4,
            "uniform(0, 1, {})": 8,
            'uniform(0, 1, {}, dtype="float64")': 4,
            "normal(0, 1, {})": 2,
            "randn({})": 2,
            "randint(2**28 - 1, size={})": 8,
            "randint(2**28, size={})": 4,
            "bernoulli(0.5, {})": 4,
            "exponential(1, {})": 4,
            "geometric(0.5, {})": 4,
            "log_normal(0, 1, {})": 2,
            "trunc_normal(0, 1, -1, 1, {})": 2,
            "multinomial([1, 1], {}, True)": 4,
        }
        for code, most in counts.items():
            name = code.partition("(")[0]
            message = f"^{name}: size must be at most {most} numbers at once, got .*; draw them in"
            assert len(ours(code.format(most))) == most
            with pytest.raises(ValueError, match=message):
                ours(code.format(most + 1))


class TestDtypes:
    def test_names(self) -> None:
        single, double = rand(generator=Generator()), rand(dtype="float64", generator=Generator())
        assert single != double
        numpy = pytest.importorskip("numpy")
        for dtype in ("float32", "float", numpy.float32, numpy.dtype("float32")):
            assert rand(dtype=dtype, generator=Generator()) == single
        for dtype in ("float64", "double", float, numpy.float64, numpy.dtype("float64")):
            assert rand(dtype=dtype, generator=Generator()) == double

    @pytest.mark.torch
    def test_torchs(self) -> None:
        torch = pytest.importorskip("torch")
        for name in ("float32", "float64"):
            expected = rand(dtype=name, generator=Generator())
            assert rand(dtype=getattr(torch, name), generator=Generator()) == expected

    @pytest.mark.parametrize("dtype", ["float16", int, None, 64])
    def test_others(self, dtype: Any) -> None:
        calls: list[Callable[[], Any]] = [
            *(lambda: uniform(0, 1, dtype=dtype), lambda: normal(0, 1, dtype=dtype)),
            *(lambda: rand(dtype=dtype), lambda: randn(dtype=dtype)),
            *(lambda: bernoulli(0.5, dtype=dtype), lambda: exponential(dtype=dtype)),
            *(lambda: geometric(0.5, dtype=dtype), lambda: log_normal(dtype=dtype)),
            *(lambda: trunc_normal(dtype=dtype), lambda: multinomial([1], 1, dtype=dtype)),
        ]
        message = f'dtype must be "float32" or "float64", got {short(dtype)}; draw one of these'
        names = "uniform normal rand randn bernoulli exponential geometric log_normal"
        names += " trunc_normal multinomial"
        for name, call in zip(names.split(), calls, strict=True):
            with pytest.raises(ValueError, match=re.escape(f"{name}: {message}")):
                call()

    def test_texts_as_torchs(self) -> None:
        class Dtype:
            def __init__(self, text: str) -> None:
                self.text = text

            def __str__(self) -> str:
                return self.text

        for name in ("float32", "float64"):
            expected = rand(dtype=name, generator=Generator())
            assert rand(dtype=Dtype(f"torch.{name}"), generator=Generator()) == expected

    @pytest.mark.parametrize("single", [True, False])
    def test_float32_numbers_are_rounded(self, single: bool) -> None:
        dtype = "float32" if single else "float64"
        draws = [
            *uniform(-0.3, 0.7, 50, dtype=dtype),
            *normal(0.3, 0.7, 20, dtype=dtype),
            *normal(0.3, 0.7, 9, dtype=dtype),
            *exponential(0.3, 20, dtype=dtype),
            *log_normal(0.3, 0.7, 20, dtype=dtype),
            *trunc_normal(0.3, 0.7, 0.1, 2.0, 20, dtype=dtype),
            *trunc_normal(0.3, 0.7, 2.1, 3.0, 20, dtype=dtype),
        ]
        exact = [x for x in draws if array("f", [x])[0] == x]
        assert len(exact) == (len(draws) if single else 0)


class TestArrays:
    """A dtype of NumPy gives an array of it, with the numbers that the lists have."""

    @pytest.mark.parametrize(
        "call",
        [
            "uniform(0, 1, {}, dtype={})",
            "normal(0, 1, {}, dtype={})",
            "rand({}, dtype={})",
            "randn({}, dtype={})",
            "bernoulli(0.5, {}, dtype={})",
            "exponential(size={}, dtype={})",
            "geometric(0.5, {}, dtype={})",
            "log_normal(size={}, dtype={})",
            "trunc_normal(size={}, dtype={})",
        ],
    )
    def test_of_a_floating_type(self, call: str) -> None:
        numpy = pytest.importorskip("numpy")
        for name in ("float32", "float64"):
            for kind in (getattr(numpy, name), numpy.dtype(name)):
                for size, shape in ("(2, 3)", (2, 3)), ("(3,)", (3,)), ("(0, 2)", (0, 2)):
                    manual_seed(0)
                    lists = ours(call.format(size, repr(name)))
                    manual_seed(0)
                    drawn = ours(call.format(size, "kind"), kind=kind)
                    assert type(drawn) is numpy.ndarray
                    assert (drawn.dtype, drawn.shape) == (name, shape)
                    assert drawn.tolist() == (lists if 0 not in shape else [])
        assert type(random.rand(dtype=numpy.float64)) is float

    def test_of_an_integer_type(self) -> None:
        numpy = pytest.importorskip("numpy")
        for dtype in (numpy.int64, numpy.int32, numpy.uint8, numpy.dtype("int64")):
            manual_seed(0)
            expected = randint(10, (2, 3)), randperm(5)
            manual_seed(0)
            drawn = randint(10, (2, 3), dtype=dtype), randperm(5, dtype=dtype)
            assert all(x.dtype == dtype for x in drawn)
            assert tuple(x.tolist() for x in drawn) == expected
        for wrong in ("int64", int, numpy.float64):
            before = random.get_state()
            for f in (randint, randperm):
                with pytest.raises(ValueError, match=f"{f.__name__}: dtype must be an integer ty"):
                    f(5, dtype=wrong)
            assert random.get_state() == before

    def test_like_another_tensor(self) -> None:
        numpy = pytest.importorskip("numpy")
        for name in ("rand", "randn"):
            draw, like = getattr(random, name), getattr(random, f"{name}_like")
            for of, dtype in (
                (numpy.ones((2, 3)), "float64"),
                (numpy.ones((2, 3), "float32"), "float32"),
                (numpy.ones((2, 3), int), "float64"),
                (numpy.array([[mg.Value(1.0)] * 3] * 2), "float64"),
            ):
                for wanted in (None, "float32", numpy.float64):
                    kind = numpy.dtype(wanted or dtype)
                    manual_seed(0)
                    expected = draw(2, 3, dtype=kind)
                    manual_seed(0)
                    drawn = like(of, dtype=wanted)
                    assert (drawn.dtype, drawn.tolist()) == (kind, expected.tolist())
            manual_seed(0)
            expected = draw(2, 1, dtype="float64"), draw(dtype="float32")
            manual_seed(0)
            lists = like([[mg.Value(1.0)], [2.0]]), like(mg.Value(1.0), dtype="float32")
            assert lists == expected
            g = Generator()
            assert like([1.0], generator=g.manual_seed(1)) == draw(
                1, dtype="float64", generator=g.manual_seed(1)
            )
            with pytest.raises(mg.ShapeError, match=f"{name}_like: rows must have one length"):
                like([[1.0], [1.0, 2.0]])


class TestNormalNumbers:
    @pytest.mark.parametrize("count", range(1, 16))
    def test_few_are_drawn_one_by_one(self, count: int) -> None:
        manual_seed(3)
        expected = [normal(0, 1) for _ in range(count + 3)]
        manual_seed(3)
        assert [*normal(0, 1, count), *map(normal, [0] * 3, [1] * 3)] == expected

    def test_the_spare_waits_while_many_are_drawn(self) -> None:
        manual_seed(3)
        first, second = randn(), randn()
        manual_seed(3)
        assert randn() == first
        randn(16), rand(3), randn(0)
        assert randn() == second

    @pytest.mark.parametrize("count", [17, 31, 33, 47])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_last_16_are_drawn_anew(self, count: int, dtype: str) -> None:
        whole = count - count % 16
        manual_seed(3)
        numbers = randn(count, dtype=dtype)
        after = get_state()
        manual_seed(3)
        first = randn(whole, dtype=dtype)
        rand(count % 16, dtype=dtype)
        last = randn(16, dtype=dtype)
        assert numbers == first[: count - 16] + last
        assert get_state() == after

    def test_the_ends_of_the_range(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for word in (0, 0xFFFF_FFFF):
            monkeypatch.setattr(generator, "words", lambda _, count, word=word: (word,) * count)
            for dtype in ("float32", "float64"):
                assert all(abs(x) < generator.FARTHEST for x in randn(16, dtype=dtype))
                assert all(abs(x) < generator.FARTHEST for x in randn(2, dtype=dtype))
        assert max(randn(16, dtype="float64")) == pytest.approx(8.5716, abs=1e-4)
        assert max(randn(16)) == pytest.approx(5.7681, abs=1e-4)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_moments(self, dtype: str) -> None:
        manual_seed(1)
        numbers = normal(3, 2, 20_000, dtype=dtype)
        mean = math.fsum(numbers) / 20_000
        assert mean == pytest.approx(3, abs=0.05)
        variance = math.fsum((x - mean) ** 2 for x in numbers) / 20_000
        assert variance == pytest.approx(4, rel=0.05)


def nearest(x: Fraction, exponent: int, bits: int) -> Fraction:
    """Return x rounded to a number of bits, if it is in [2**exponent, 2**(exponent + 1))."""
    unit = Fraction(2) ** (exponent + 1 - bits)
    return round(x / unit) * unit


class TestRounding:
    def test_product_and_sum_are_rounded_once(self) -> None:
        manual_seed(0)
        factors = uniform(-1, 1, 4000)
        others = uniform(0.5, 1, 4000)
        for x, y in zip(factors, others, strict=True):
            product = x * y
            for addend in (1.0, 2.0**-26, 2.0**-24 + 2.0**-46):
                exact = Fraction(product) + Fraction(addend)
                if exact:
                    exponent = math.frexp(float(abs(exact)))[1] - 1
                    expected = float(nearest(exact, exponent, 24))
                    assert rounding.fused32([product], addend) == [expected]

    @pytest.mark.parametrize(
        ("product", "addend", "expected"),
        [
            # Between 1 and the next float32, where only a tiny addend tells which is nearer.
            (1.0 + 2.0**-24, 2.0**-100, 1.0 + 2.0**-23),
            (1.0 + 2.0**-24, -(2.0**-100), 1.0),
            (1.0 + 3.0 * 2.0**-24, -(2.0**-100), 1.0 + 2.0**-23),
            (-1.0 - 2.0**-24, -(2.0**-100), -1.0 - 2.0**-23),
            (1.0 + 2.0**-24, 0.0, 1.0),
            (1.0, 2.0**-24, 1.0),
            (-0.0, 0.0, 0.0),
            (2.0**-150, 2.0**-250, 2.0**-149),  # among the smallest numbers
            (2.0**-150, -(2.0**-250), 0.0),
        ],
    )
    def test_ties(self, product: float, addend: float, expected: float) -> None:
        found = rounding.fused32([product], addend)
        assert found == [expected]
        assert math.copysign(1.0, found[0]) == math.copysign(1.0, expected)

    @pytest.mark.parametrize("scale", [1.0, 1e-300, 1e-290, 1e290, 1e300])
    def test_double_products_and_sums(self, scale: float) -> None:
        manual_seed(0)
        for x, y, z in zip(*uniform(-1, 1, (3, 500), dtype="float64"), strict=True):
            expected = float(Fraction(x) * Fraction(y * scale) + Fraction(z * scale))
            assert rounding.fused64(x, y * scale, z * scale) == expected
            assert rounding.fused64(x, y * scale, 0.0) == x * (y * scale)

    def test_the_float64_ends_may_be_far_apart(self) -> None:
        drawn = uniform(-8e307, 8e307, 100, dtype="float64")
        assert min(drawn) < -1e307 < 1e307 < max(drawn)
        with pytest.raises(ValueError, match=r"high - low must fit in a float64"):
            uniform(-1e308, 1e308, dtype="float64")


class TestGenerator:
    def test_new_ones_are_alike(self) -> None:
        assert Generator().initial_seed() == 67280421310721
        assert rand(5, generator=Generator()) == rand(5, generator=Generator())
        assert repr(Generator().manual_seed(-1)) == "<Generator with seed 18446744073709551615>"

    def test_the_device_is_the_cpu(self) -> None:
        assert Generator("cpu").get_state() == Generator(device="cpu").get_state()
        with pytest.raises(ValueError, match=r'Generator: device must be "cpu", got .cuda.; leave'):
            Generator("cuda")

    def test_seeds(self) -> None:
        first, second = seed(), seed()
        assert first != second
        assert initial_seed() == second == default_generator.initial_seed()
        numbers = rand(3)
        manual_seed(second)
        assert rand(3) == numbers
        g = Generator()
        found = g.seed()
        assert 0 <= found < 2**64
        assert g.initial_seed() == found
        assert g.get_state() == Generator().manual_seed(found).get_state()

    def test_chained(self) -> None:
        g = Generator()
        assert g.manual_seed(1) is g
        state = g.get_state()
        rand(3, generator=g)
        assert g.set_state(state) is g
        assert g.get_state() == state

    def test_a_checkpoint_restores_it(self) -> None:
        g = Generator().manual_seed(5)
        state = {"g": g.get_state(), "random": random.get_state()}
        expected = [randn(3, generator=g), randn(3)]
        mg.restore(state, g=g, random=random)
        assert [randn(3, generator=g), randn(3)] == expected

    def test_a_copy_goes_on_alone(self) -> None:
        g = Generator().manual_seed(5)
        randn(generator=g)
        copy = pickle.loads(pickle.dumps(g))
        assert copy.get_state() == g.get_state()
        assert randn(20, generator=copy) == randn(20, generator=g)

    @pytest.mark.parametrize("wrong", [1, "g", Generator, math])
    def test_no_generator(self, wrong: Any) -> None:
        codes = ["uniform(0, 1", "normal(0, 1", "rand(", "randn(", "randint(2", "randperm(3"]
        codes += ["bernoulli(0.5", "exponential(1", "geometric(0.5", "log_normal(0, 1"]
        for code in [*codes, "trunc_normal(0", "multinomial([1], 1"]:
            name, _, rest = code.partition("(")
            message = f"{name}: generator must be a Generator or None, got "
            with pytest.raises(TypeError, match=message) as caught:
                ours(f"{code}{', ' * bool(rest)}generator=wrong)", wrong=wrong)
            shown = f"{short(wrong)}; pass microgradlib.random.Generator()"
            assert str(caught.value) == f"{message}{shown}"

    @pytest.mark.parametrize(
        "code",
        [
            *("rand()", "randn()", "randint(5)", "randperm(5)", "uniform(0, 1)", "normal(0, 1)"),
            *("bernoulli(0.5)", "exponential()", "geometric(0.5)", "log_normal()"),
            *("trunc_normal()", "multinomial([1, 2], 1)", "manual_seed(1)", "get_state()"),
            *("set_state(b'')", "seed()"),
        ],
    )
    def test_no_draw_in_a_compiled_function(self, code: str) -> None:
        name = {"seed()": "manual_seed"}.get(code, code.partition("(")[0])
        remedy = "call it outside, and pass what it draws"
        with pytest.raises(mg.CompileError, match=rf"{name}\(\) .*; {remedy}"):
            mg.compile(lambda x: [ours(code), x][1])(1.0)

    def test_threads_share_blocks(self) -> None:
        count, threads, interval = 400, 4, sys.getswitchinterval()
        draw = lambda: [*randn(16), *rand(3), *bernoulli(0.5, 2), *randperm(3)]  # noqa: E731
        manual_seed(11)
        alone = Counter(x for _ in range(count) for x in randn(16))
        manual_seed(11)
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(threads) as pool:
                parts = [
                    pool.submit(lambda: [randn(16) for _ in range(count // threads)])
                    for _ in range(threads)
                ]
                together = Counter(x for p in parts for block in p.result() for x in block)
        finally:
            sys.setswitchinterval(interval)
        assert together == alone
        assert len(draw()) == 24


class TestWholeNumbers:
    def test_arguments_as_in_torch(self) -> None:
        calls = [
            "randint(7, (20,))",
            "randint(7, [20])",
            "randint(0, 7, 20)",
            "randint(7, size=20)",
        ]
        drawn = []
        for code in [*calls, "randint(0, high=7, size=(20,))"]:
            manual_seed(0)
            drawn.append(ours(code))
        assert drawn == drawn[:1] * 5
        assert {*drawn[0]} == {*range(7)}

    @pytest.mark.parametrize("ends", [(0, 0), (3, 3), (3, 2), (0, 2**63), (-(2**63) - 1, 0)])
    def test_no_numbers_between(self, ends: tuple[int, int]) -> None:
        message = r"randint: low must be below high, both in \[-2\*\*63, 2\*\*63\), got low="
        with pytest.raises(ValueError, match=message):
            randint(*ends)

    def test_one_number_between(self) -> None:
        assert randint(5, 6, 3) == [5, 5, 5]

    def test_misuse(self) -> None:
        with pytest.raises(TypeError, match=r"randint: low must be an int, got 1.5; convert"):
            randint(1.5, 3)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"randint: high must be an int, got 1.5; convert"):
            randint(1.5)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"randint: high must be an int, got \(2,\); call"):
            randint(1, (2,), 3)


class TestProbabilities:
    def test_probabilities_of_an_array(self) -> None:
        numpy = pytest.importorskip("numpy")
        p = [[0.2, 0.9, 0.5], [0.4, 0.6, 1.0]]
        for dtype in ("float32", "float64"):
            manual_seed(0)
            expected = bernoulli(p, dtype=dtype)
            for array_of in (numpy.array(p), numpy.asfortranarray(p), numpy.array(p, object)):
                manual_seed(0)
                drawn = bernoulli(array_of, dtype=dtype)
                assert drawn.dtype == float
                assert drawn.tolist() == expected
        manual_seed(0)
        number = bernoulli(0.3)
        manual_seed(0)
        assert bernoulli(numpy.array(0.3)) == number

    def test_lists_and_tuples(self) -> None:
        assert bernoulli(([1.0, 0.0], (1, 0))) == ([1.0, 0.0], (1.0, 0.0))
        assert bernoulli([]) == []

    def test_certain(self) -> None:
        assert bernoulli(0, 100) == [0.0] * 100
        assert bernoulli(1, 100) == [1.0] * 100

    @pytest.mark.parametrize("p", [-0.1, 1.1, [0.5, 2.0]])
    def test_no_probability(self, p: Any) -> None:
        message = r"bernoulli: p must be in \[0, 1\], got .*; pass a probability"
        with pytest.raises(ValueError, match=message):
            bernoulli(p)
        with pytest.raises(ValueError, match="bernoulli: p must be a finite float64, got nan"):
            bernoulli(math.nan)

    @pytest.mark.parametrize("p", ["0.5", None, [None], 0.5j])
    def test_no_number(self, p: Any) -> None:
        with pytest.raises(TypeError, match=r"bernoulli: p must be a number, got .*; convert it"):
            bernoulli(p)

    def test_a_size_where_there_is_one(self) -> None:
        with pytest.raises(TypeError, match=r"size must be None where p is no number, got 2"):
            bernoulli([0.5], 2)


class TestMisuse:
    @pytest.mark.parametrize(
        ("code", "name"),
        [
            *(("exponential('1')", "lambd"), ("geometric('1')", "p"), ("log_normal('1')", "mean")),
            *(("log_normal(1, '1')", "std"), ("trunc_normal('1')", "mean")),
            *(("trunc_normal(0, '1')", "std"), ("trunc_normal(0, 1, '1')", "a")),
            *(("trunc_normal(0, 1, -1, '1')", "b"), ("multinomial(['1'], 1)", "weights")),
            *(("uniform('1', 1)", "low"), ("uniform(0, '1')", "high"), ("normal('1', 1)", "mean")),
            *(("normal(0, '1')", "std"), ("bernoulli(['1'])", "p")),
        ],
    )
    def test_numbers(self, code: str, name: str) -> None:
        message = f"{code.partition('(')[0]}: {name} must be a number, got '1'; convert it with"
        with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
            ours(code)

    @pytest.mark.parametrize("rate", [0, -1.0, 1e-38, 1e-320])
    def test_rate(self, rate: float) -> None:
        message = "exponential: lambd must be above 0, and draws of about 1 / lambd must fit in the"
        with pytest.raises(ValueError, match=message):
            exponential(rate)
        if rate == 1e-38:
            assert exponential(rate, dtype="float64") > 0.0

    def test_chance(self) -> None:
        for p in (0, 1, -0.5, 1e-30, 1.5):
            message = rf"geometric: p must be in \(1e-30, 1\), got {p}; pass a probability"
            with pytest.raises(ValueError, match=message):
                geometric(p)
        assert geometric(2e-30) > 1e20

    def test_the_least_uniform_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(distributions, "fractions53", lambda *_: [0.0])
        monkeypatch.setattr(selections, "fractions53", lambda *_: [0.0, 0.0])
        assert geometric(0.5) == math.inf
        assert exponential() == 0.0
        assert multinomial([0.0, 1.0], 1) == [1]

    def test_logarithms(self) -> None:
        for mean, std in ((0, 0), (80, 2.0), (89, 1e-9)):
            with pytest.raises(ValueError, match=r"log_normal: std must be above 0, and exp\(mean"):
                log_normal(mean, std)
        assert log_normal(88.7, 1e-4) > 1e38
        assert log_normal(89, 1e-4, dtype="float64") > 3.4e38
        with pytest.raises(ValueError, match="log_normal: std must be >= 0, got -1"):
            log_normal(0, -1)

    def test_float64_may_be_larger(self) -> None:
        assert uniform(1e300, 2e300, dtype="float64") >= 1e300
        assert normal(1e300, 0, dtype="float64") == 1e300
        message = (
            "uniform: low must be a finite float64, got inf; pass a number between -1.7e308 and"
        )
        with pytest.raises(ValueError, match=message):
            uniform(math.inf, 1, dtype="float64")
        with pytest.raises(ValueError, match="normal: draws must fit in a float64, got mean=0"):
            normal(0, 1e308, dtype="float64")
        assert uniform(1.0, 1.0 + 1e-9, dtype="float64") >= 1.0
        with pytest.raises(
            ValueError, match="uniform: low must be below high in float64, got low=1"
        ):
            uniform(1, 1, dtype="float64")

    @pytest.mark.parametrize(
        ("mean", "std", "a", "b"), [(0, 0, -1, 1), (0, 1, 1, 1), (0, 1, 2, 1), (0, 1, 1, 1 + 1e-9)]
    )
    def test_bounds(self, mean: float, std: float, a: float, b: float) -> None:
        message = f"std must be above 0, and a below b, got std={std}, a={a} and b={b}"
        with pytest.raises(ValueError, match=f"trunc_normal: {message}"):
            trunc_normal(mean, std, a, b)

    def test_hardly_anything_between_the_bounds(self) -> None:
        message = (
            r"trunc_normal: b - a must be at most 1000 \* std where little of the distribution"
        )
        with pytest.raises(ValueError, match=message):
            trunc_normal(0, 0.01, 1, 11.01)
        assert 2 <= trunc_normal(0, 1, 2, 1002) < 6
        assert abs(trunc_normal(0, 1, -1e6, 1e6)) < 9  # all of it

    def test_bounds_are_kept(self) -> None:
        for dtype in ("float32", "float64"):
            for a, b in ((-0.1, 2.0), (-0.1, 0.1), (1.9, 2.5)):
                drawn = trunc_normal(0, 1, a, b, 1000, dtype=dtype)
                assert a - 1e-7 <= min(drawn) < a + 0.1
                assert b - 0.3 < max(drawn) <= b + 1e-7

    @pytest.mark.parametrize("weights", [[-1, 2], [0, 0], [0.0], [1e38] * 4])
    def test_weights(self, weights: list[float]) -> None:
        message = r"multinomial: weights must be >= 0, with a sum above 0, got .*"
        if weights[0] == 1e38:  # of which the sum is too large in float32
            message = "multinomial: the sum of weights must be a finite float32"
        with pytest.raises(ValueError, match=message):
            multinomial(weights, 1)

    def test_selections(self) -> None:
        with pytest.raises(ValueError, match=r"multinomial: num_samples must be at least 1, got 0"):
            multinomial([1], 0)
        message = r"num_samples must be at most the number of weights above 0, 1, got 2; draw fewer"
        for replaced in ([1, 0, 0], [[1, 1, 1], [1, 0, 0]]):
            with pytest.raises(ValueError, match=message):
                multinomial(replaced, 2)
        assert multinomial([1, 0, 0], 2, True) == [0, 0]
        for wrong in (1.0, [], "ab", {1: 2}):
            message = r"multinomial: weights must be a list of numbers, got .*; pass one weight"
            with pytest.raises(TypeError, match=message):
                multinomial(wrong, 1)
        with pytest.raises(
            ValueError, match=r"multinomial: rows must have one length, got \[1, 2\]"
        ):
            multinomial([[1], [1, 2]], 1)
        with pytest.raises(TypeError, match=r"multinomial: weights must be a number, got 'a'"):
            multinomial(["a"], 1)

    def test_weights_of_an_array(self) -> None:
        numpy = pytest.importorskip("numpy")
        for weights in ([1.0, 2.0, 3.0], [[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]]):
            manual_seed(0)
            expected = multinomial(weights, 3)
            manual_seed(0)
            drawn = multinomial(numpy.array(weights), 3)
            assert (drawn.dtype.kind, drawn.tolist()) == ("i", expected)

    def test_weights_and_probabilities_of_values(self) -> None:
        for f, *numbers in ((multinomial, [1.0, 2.0], 1), (bernoulli, [0.5, 0.25])):
            first, *rest = numbers
            manual_seed(0)
            expected = f(first, *rest)
            manual_seed(0)
            assert f([mg.Value(x) for x in first], *rest) == expected
        manual_seed(0)
        expected = bernoulli(0.5)
        manual_seed(0)
        assert bernoulli(mg.Value(0.5)) == expected
        with pytest.raises(ValueError, match=r"bernoulli: p must be in \[0, 1\], got Value"):
            bernoulli(mg.Value(2.0))

    def test_choices_are_as_likely_as_their_weights(self) -> None:
        manual_seed(0)
        for again in (True, False):
            firsts = Counter(multinomial([1, 2, 0, 7], 2, again)[0] for _ in range(5000))
            assert [firsts[i] / 5000 for i in range(4)] == pytest.approx(
                [0.1, 0.2, 0, 0.7], abs=0.02
            )


def test_errors_are_short() -> None:
    for code in ("multinomial(['x' * 999] * 99, 1)", "bernoulli('x' * 999)", "rand('x' * 999)"):
        with pytest.raises(TypeError) as caught:
            ours(code)
        assert len(str(caught.value)) < 200
    assert short(Generator()).startswith("<Generator with seed")
