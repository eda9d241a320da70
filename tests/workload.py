"""What the tests of ``parallel`` compute. Workers import this file, which imports little."""

import math
import os
import random
import signal
from pathlib import Path
from typing import Any

import microgradlib as mg


def loss(params: Any, item: Any) -> Any:
    x, y = item
    return mg.tanh(params[0] * x + params[1] * x * x + params[2] - y) ** 2


both = mg.compile(mg.value_and_grad(loss))
rng = random.Random(5)
PARAMS = [0.1, -0.2, 0.3]
ITEMS = [(rng.gauss(0.0, 1.0), rng.gauss(0.0, 1.0) * 10.0 ** rng.randint(-9, 9)) for _ in range(90)]
both(PARAMS, ITEMS[0])


def expected(items: list[Any] = ITEMS) -> tuple[float, list[float]]:
    """Return the sums that ``math.fsum`` gives."""
    pairs = [mg.value_and_grad(loss)(PARAMS, item) for item in items]
    sums = [
        math.fsum(xs) for xs in zip(*[[value, *gradient] for value, gradient in pairs], strict=True)
    ]
    return sums[0], sums[1:]


def bits(result: tuple[float, list[float]]) -> list[str]:
    return [x.hex() for x in [result[0], *result[1]]]


BITS = bits(expected())


def of_number(w: Any, x: float) -> Any:
    return w * w * x


class Awkward(Exception):  # noqa: N818
    """It cannot be unpickled, which breaks a process pool."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")


class Forgetful(Exception):  # noqa: N818
    """It becomes another one, or loses its notes."""

    def __reduce__(self) -> Any:
        return ValueError, self.args


def fails(params: Any, item: Any) -> Any:
    if item == "awkward":
        raise Awkward(3, "bad sensor")
    if item == "forgetful":
        raise Forgetful("what was it?")
    if item < 0.0:
        raise KeyError("negative") from ZeroDivisionError("cause")
    return params * item


def killed_at_the_first_try(params: Any, item: Any) -> Any:
    """Kill its process in the middle of a task, once: while the file is not there."""
    x, y, file = item
    if file and not Path(file).exists():
        Path(file).touch()
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return loss(params, (x, y))


def with_killer(file: Path, at: int = 50) -> list[tuple[float, float, str]]:
    return [(*item, str(file) if i == at else "") for i, item in enumerate(ITEMS)]
