"""PyTorch's random stream: the numbers that torch draws on the CPU, from the standard library.

>>> manual_seed(42)
>>> [[round(x, 4) for x in row] for row in randn(2, 3)]  # torch.randn(2, 3)
[[0.3367, 0.1288, 0.2345], [0.2303, -1.1229, -0.1863]]

Every function draws what PyTorch's function or method draws into a new tensor, bit for bit, and
leaves the generator where PyTorch leaves it: compared with PyTorch 2.13 on x86-64 Linux with AVX2
and with AVX-512. On an x86 processor without AVX2 PyTorch's own numbers have other last bits.

``size`` is None for one number, an int for a list, or a tuple for nested lists. ``dtype`` is
"float32", PyTorch's default, or "float64": how PyTorch would draw and round the numbers, which are
Python floats here. One of NumPy's types, such as ``numpy.float64``, gives an array in place of
lists. ``generator`` is a ``Generator``, or None for ``default_generator``.

The default generator is shared by the whole process. Until ``manual_seed`` is called it is seeded
by the operating system and differs from run to run, as torch's is. Each draw takes all its bits in
one ``random.Random.getrandbits`` call, which CPython makes atomic, so several threads may draw at
once: no number is handed out twice. (``trunc_normal`` makes such draws until all numbers are within
the bounds.) Which thread gets which number is up to the scheduler, so draw in one thread where a
run has to be reproducible, and seed, save or restore the stream while no other thread draws.
"""

from microgradlib.absent import say_what_to_use as _say_what_to_use
from microgradlib.random.distributions import (
    bernoulli,
    exponential,
    geometric,
    log_normal,
)
from microgradlib.random.draws import (
    normal,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    uniform,
)
from microgradlib.random.generator import (
    Generator,
    default_generator,
    get_state,
    initial_seed,
    manual_seed,
    seed,
    set_state,
)
from microgradlib.random.selections import multinomial, trunc_normal

_say_what_to_use(__name__)

__all__ = [
    "Generator",
    "bernoulli",
    "default_generator",
    "exponential",
    "geometric",
    "get_state",
    "initial_seed",
    "log_normal",
    "manual_seed",
    "multinomial",
    "normal",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "randperm",
    "seed",
    "set_state",
    "trunc_normal",
    "uniform",
]
