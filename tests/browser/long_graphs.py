"""Long graphs are built, compiled and freed, on the small stack of WebAssembly."""

import sys
from collections.abc import Callable
from typing import Any

import microgradlib as mg
import microgradlib.math


def chain(step: Callable[[Any, Any], Any], n: int) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        y = x
        for _ in range(n):
            y = step(y, x)
        return y

    return f


STEPS: list[Callable[[Any, Any], Any]] = [
    lambda y, x: y * 0.5 + x,
    lambda y, x: mg.maximum(mg.relu(y), -1.0),
    lambda y, x: mg.sin(y),
    lambda y, x: mg.dot([y, x], [0.5, 0.5]),
]

for step in STEPS:
    leaf = mg.Value(0.5)
    y = chain(step, 100_000)(leaf)
    y.backward()
    del y
    f = chain(step, 20_000)
    assert mg.compile(f)(0.5) == f(0.5)
    assert mg.compile(mg.grad(f))(0.5) == mg.grad(f)(0.5)

wide = [0.5] * 10_000
for reduce in (lambda xs: mg.dot(xs, xs), lambda xs: mg.sin(sum(xs)), mg.prod):
    assert mg.compile(reduce)(wide) == reduce(wide)
    assert mg.compile(mg.grad(reduce))(wide) == mg.grad(reduce)(wide)

assert mg.math.fmax(mg.Value(2.5), float("nan")).data == 2.5
print("Python", sys.version.split()[0])
