"""Random programs, compiled and eager: what a call returns, raises, changes and passes back.

A program goes through random steps: arithmetic, kinks, decisions, errors that it catches, lookups
by a number, derivatives, and what it reads of Values from outside. It is called several times, with
arguments of every kind that ``grad`` takes. A compiled program may refuse a call with a
CompileError; otherwise it must do what the program itself does.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from random_trees import BLOCKS, Tree, draw_tree, number, run_block, shown

import microgradlib as mg
from microgradlib import Value

PROGRAMS = 2_000
KINDS = ["float"] * 8 + ["int", "numpy", "numpy int", "array"] + ["Value"] * 4 + ["frozen", "bool"]

Step = Callable[[Any, Any, list[Any], list[Value]], Any]


def numbers_of(x: Any) -> list[Any]:
    """Return the numbers in an argument."""
    if isinstance(x, np.ndarray) and x.shape:
        return [*x.ravel()]
    if isinstance(x, dict):
        x = x.values()
    elif hasattr(x, "__dict__") and not isinstance(x, list | tuple | Value):
        x = [part for part in vars(x).values() if not isinstance(part, str | bool | None)]
    elif not isinstance(x, list | tuple) and not hasattr(x, "popleft"):
        return [x]
    return [y for part in x for y in numbers_of(part)]


def caught(f: Callable[[], Any], error: type[Exception], otherwise: Any) -> Any:
    """Return a result, or another one if there is an error."""
    try:
        return f()
    except error:
        return otherwise


def without_recording(x: Any) -> Any:
    with mg.no_grad():
        return x * 2.0


def with_backward(x: Any) -> Any:
    y = x * x
    y.backward()
    return y


ARITHMETIC: list[Step] = [
    lambda x, y, xs, ws: x * y + ws[0],
    lambda x, y, xs, ws: x - y * 0.5,
    lambda x, y, xs, ws: x / y,
    lambda x, y, xs, ws: abs(x) % 2 + (-y) ** 2,
    lambda x, y, xs, ws: (x * x + 1.0) ** y,
    lambda x, y, xs, ws: mg.tanh(ws[2] * x) + ws[2],
    lambda x, y, xs, ws: mg.sum(xs) * y,
    lambda x, y, xs, ws: sum(xs) + y,
    lambda x, y, xs, ws: mg.dot(xs, xs) - x,
    lambda x, y, xs, ws: mg.logsumexp([*xs, y]) * x,
    lambda x, y, xs, ws: mg.softmax([x, y])[0] + mg.prod(xs),
    lambda x, y, xs, ws: (np.array([x, y], object) * xs[0]).sum(),
    lambda x, y, xs, ws: without_recording(x) * y,
]
KINKS: list[Step] = [
    lambda x, y, xs, ws: abs(x) * y,
    lambda x, y, xs, ws: mg.relu(x) + y,
    lambda x, y, xs, ws: mg.maximum(x, y),
    lambda x, y, xs, ws: mg.minimum(x, ws[0]) * y,
    lambda x, y, xs, ws: mg.clip(x, -1.0, 1.0) - y,
    lambda x, y, xs, ws: mg.hypot(x, y),
    lambda x, y, xs, ws: mg.where(x > y, x, y),
    lambda x, y, xs, ws: mg.leaky_relu(y) + mg.elu(x),
    lambda x, y, xs, ws: mg.select(xs, 0) * x,
    lambda x, y, xs, ws: mg.grad(mg.grad(lambda z: abs(z) ** 2))(x) + y,
    lambda x, y, xs, ws: mg.grad(lambda z: mg.relu(z) ** 2 * y)(x),
]
DECISIONS: list[Step] = [
    lambda x, y, xs, ws: max(xs) * x,
    lambda x, y, xs, ws: min(xs) + y,
    lambda x, y, xs, ws: sorted(xs)[0] * ws[1],
    lambda x, y, xs, ws: x if x > y else y * 2,
    lambda x, y, xs, ws: x if y else ws[1] * 2,
    lambda x, y, xs, ws: [*xs, y].index(xs[-1]) * x,
    lambda x, y, xs, ws: x * (x is y and hasattr(x, "label")) + y,
    lambda x, y, xs, ws: y + len(f"{x}{xs[0]:.2f}"),
    lambda x, y, xs, ws: x + len(str(y)),
    lambda x, y, xs, ws: x * isinstance(x, int) + y * isinstance(y, float | bool),
    lambda x, y, xs, ws: x * hasattr(y, "is_integer") + hasattr(x, "label") * y,
    lambda x, y, xs, ws: x * round(y),
    lambda x, y, xs, ws: x + math.floor(y),
    lambda x, y, xs, ws: x + int(y),
    lambda x, y, xs, ws: float(x) * y,
    lambda x, y, xs, ws: y + sum(1 for z in xs if z > x),
    lambda x, y, xs, ws: x // 1 + y,
    lambda x, y, xs, ws: x + len(set(map(id, [x, y]))) * isinstance(x, list),
]
LOOKUPS: list[Step] = [
    lambda x, y, xs, ws: {1.0: 2.0, -1.0: 3.0}.get(xs[0], 0.5) * x,
    lambda x, y, xs, ws: len({*xs}) * y,
    lambda x, y, xs, ws: Counter(xs)[x] + y,
    lambda x, y, xs, ws: len(dict.fromkeys([x, y, *xs])) * x,
    lambda x, y, xs, ws: x * (x in {1.0, 2.0}) + y * (y in (0.0, 1.0)),
    lambda x, y, xs, ws: caught(lambda: {1.0: 4.0, 2: 5.0}[x], KeyError, 1.0) * y,
    lambda x, y, xs, ws: x * (y in set(xs)) + y,
]
ERRORS: list[Step] = [
    lambda x, y, xs, ws: caught(lambda: x & 1, TypeError, -1.0) + y,
    lambda x, y, xs, ws: caught(lambda: mg.log(x), ValueError, y),
    lambda x, y, xs, ws: caught(lambda: x / y, ZeroDivisionError, x),
    lambda x, y, xs, ws: caught(lambda: mg.exp(x * 400.0), OverflowError, 1.0) * y,
    lambda x, y, xs, ws: caught(lambda: mg.grad(mg.sqrt)(x), mg.NonFiniteError, 7.0) * y,
    lambda x, y, xs, ws: caught(lambda: mg.grad(mg.sqrt)(x), Exception, 7.0) * y,
    lambda x, y, xs, ws: len(caught(lambda: x.label, AttributeError, "none")) * y,
    lambda x, y, xs, ws: caught(lambda: [1.0, 2.0][x], TypeError, x) * y,
    lambda x, y, xs, ws: caught(lambda: mg.grad(with_backward)(x), mg.GradientError, 3.0) + y,
]
OUTSIDE: list[Step] = [
    lambda x, y, xs, ws: x * len(ws[0].label) + y,
    lambda x, y, xs, ws: x + (ws[1].grad or 0.0) * y,
    lambda x, y, xs, ws: mg.sum([w * x for w in ws if w.requires_grad]),
    lambda x, y, xs, ws: y * ws[0].data,
    lambda x, y, xs, ws: x + len(getattr(x, "label", "none")),
    lambda x, y, xs, ws: ws[0] * ws[1] if ws[0] is ws[1] or ws[0] > ws[1] else ws[1] - x,
    lambda x, y, xs, ws: x.detach() * y if isinstance(x, Value) else x,
]
DERIVATIVES: list[Step] = [
    lambda x, y, xs, ws: mg.grad(lambda z: z * z * x)(y) if isinstance(x, float) else y,
    lambda x, y, xs, ws: mg.grad(lambda z: ws[0] * z**2 * y)(x),
    lambda x, y, xs, ws: mg.jvp(lambda z: z * z * x, (1.5,), (y,))[1],
    lambda x, y, xs, ws: mg.jvp(lambda z: mg.sin(z) * ws[1], (x,), (y,))[1],
    lambda x, y, xs, ws: mg.vjp(lambda z: z**3, x)[1](y)[0],
    lambda x, y, xs, ws: mg.vjp(lambda z: z * ws[0], 2.0)[1](x)[0] + y,
    lambda x, y, xs, ws: mg.hvp(lambda z: z**3 * ws[0], (x,), (y,))[0],
    lambda x, y, xs, ws: mg.sum(mg.jacobian(lambda z: [z * y, z * z])(x)),
    lambda x, y, xs, ws: mg.hessian(lambda z: mg.exp(z * 0.1) * y)(x),
    lambda x, y, xs, ws: mg.sum(mg.grad(lambda zs: mg.dot(zs, zs) * x)(xs)) + y,
    lambda x, y, xs, ws: mg.value_and_grad(lambda z: mg.maximum(z, y) * x)(ws[1])[1],
]
GROUPS = [ARITHMETIC, KINKS, DECISIONS, LOOKUPS, ERRORS, OUTSIDE, DERIVATIVES]
MODES = ["call", "call", "call", "value_and_grad", "second"]


class Program:
    """A random function of nested arguments and of Values from outside, and random calls of it."""

    def __init__(self, seed: int) -> None:
        """Draw its steps."""
        rng = self.rng = random.Random(seed)
        self.steps = [rng.choice(rng.choice(GROUPS)) for _ in range(rng.randint(1, 3))]
        self.values = [Value(self.number()), Value(self.number()), Value(1.0) * Value(2.0)]
        self.mode = rng.choice(MODES)
        # Whether a derivative needs a gradient depends on more when it is compiled: a partial that
        # happens to be 0 counts.
        derivatives = [*DERIVATIVES, *KINKS[-2:], *ERRORS]
        self.flags = self.mode == "call" and not any(step in derivatives for step in self.steps)
        # And a derivative that is 0 may then be no constant, which ties at kinks tell: relu has the
        # slope 0 there, and the larger of two variables shares it.
        derived = [i for i, step in enumerate(self.steps) if step in derivatives]
        self.ties = bool(derived) and any(step in KINKS for step in self.steps[derived[0] + 1 :])
        self.argnums = rng.choice([0, 1, 2, (0, 1), (2, 0), (0, 1, 2)])

    def number(self) -> float:
        """Return a number of few."""
        return self.rng.choice([-2.0, -1.0, 0.0, 0.5, 1.0, 1.0, 2.0, 3.0])

    def run(self, x: Any, y: Any, xs: Any) -> list[Any]:
        """Carry out the steps."""
        xs, results = numbers_of(xs), []
        for step in self.steps:
            x, y = y, step(x, y, xs, self.values)
            results.append(y)
        return results

    def total(self, x: Any, y: Any, xs: Any) -> Any:
        """Return the sum of what the steps give."""
        return mg.sum(self.run(x, y, xs))

    def __call__(self, x: Any, y: Any, xs: Any) -> Any:
        """Carry out the steps, or return a derivative."""
        if self.mode == "call":
            return self.run(x, y, xs)
        if self.mode == "second":
            return mg.grad(mg.grad(self.total))(x, y, xs)
        return mg.value_and_grad(self.total, self.argnums)(x, y, xs)

    def calls(self) -> Iterator[tuple[Any, ...]]:
        """Yield arguments: twice of the same kinds, and then others; change Values in between."""
        rng = self.rng
        for i in range(3):
            if i in (0, 2):
                kinds = rng.choice(KINDS), rng.choice(KINDS)
                tree: Tree = draw_tree(rng, depth=rng.choice([1, 1, 2]))
                tied = rng.random() < 0.2
                if i == 2 and rng.random() < 0.5:
                    return
            self.change(rng.choice(self.values[:2]))
            x, y = (self.argument(kind) for kind in kinds)
            xs = [number(kind, self.number()) for kind in tree.kinds]
            yield x, x if tied else y, tree.of(xs)

    def argument(self, kind: str) -> Any:
        """Draw a number or Value."""
        x = self.number()
        if kind == "Value" and self.rng.random() < 0.3:
            return self.rng.choice([self.values[0], Value(x, "label")])
        return bool(x) if kind == "bool" else number(kind, x)

    def change(self, w: Value) -> None:
        """Change a Value, or nothing."""
        x = self.number()
        new = {"data": x, "requires_grad": x > 0.0, "label": f"w{x}", "grad": x}
        name = self.rng.choice([*new, "nothing"])
        if name in new:
            setattr(w, name, new[name])


def outcome(f: Callable[..., Any], args: tuple[Any, ...], flags: bool) -> Any:
    """Return the result of a call and its form, or the error."""
    try:
        result = f(*args)
    except Exception as error:
        refused = isinstance(error, mg.CompileError) or "ask isinstance(x, float)" in str(error)
        return None, error if refused else type(error)
    return result, shown(result, flags)


def values_in(x: Any) -> list[Value]:
    return [y for y in numbers_of(x) if isinstance(y, Value)]


def gradients(result: Any, leaves: list[Value]) -> list[float]:
    """Return the gradients that backward() of a result writes, and leave those that there are."""
    outputs = [y for y in values_in(result) if y.requires_grad]
    before = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.grad = 0.0
    try:
        if outputs:
            mg.sum(outputs).backward()
    except mg.NonFiniteError:  # of a second derivative at a kink, for one
        return [math.inf]
    finally:
        found = [leaf.grad for leaf in leaves]
        for leaf, grad in zip(leaves, before, strict=True):
            leaf.grad = grad
    return found


def run(seed: int) -> int:
    """Compare a program with what is compiled of it; return how many calls gave a result."""
    program = Program(seed)
    compiled = mg.compile(program)
    agreed = 0
    for args in program.calls():
        before = shown([*args, *program.values])
        right, expected = outcome(program, args, program.flags)
        result, found = outcome(compiled, args, program.flags)
        assert shown([*args, *program.values]) == before
        if isinstance(found, Exception):  # refused
            continue
        assert found == expected, args
        if right is None or program.ties:
            continue
        agreed += 1
        leaves = [*{*program.values[:2], *[x for x in values_in([*args]) if not x._op]}]
        slopes = gradients(right, leaves)
        scale = 1e-9 * max([1.0, *[abs(y.data) for y in values_in(right)]])
        both = zip(gradients(result, leaves), slopes, strict=True)
        assert all(math.isclose(x, y, rel_tol=1e-9, abs_tol=scale) for x, y in both), args
    return agreed


@pytest.mark.filterwarnings("ignore:compile. Program has been traced")
@pytest.mark.parametrize("number", range(BLOCKS))
def test_compiled_programs_do_what_they_do(number: int) -> None:
    size, agreed = run_block(run, number, PROGRAMS)
    assert agreed > size
