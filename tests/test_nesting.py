"""Random derivatives within derivatives, against dual numbers, eagerly and compiled.

A program is a random expression. Among its operations are derivatives of further expressions, which
close over all numbers around them: arguments of the outer functions, tangents, cotangents, and leaf
Values from outside. The reference is forward mode on nested dual numbers, written here from
scratch; each derivative has a tag of its own, so that they are not confused.
"""

import math
import random
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import pytest

import microgradlib as mg
from microgradlib import Value

Function = Callable[[Any], Any]


# The reference.


class Dual:
    """a + b * epsilon, for the epsilon of one derivative; a and b may hold those of lower tags."""

    def __init__(self, a: Any, b: Any, tag: int) -> None:
        self.a, self.b, self.tag = a, b, tag


new_tag = count(1).__next__


def parts(x: Any, tag: int) -> tuple[Any, Any]:
    return (x.a, x.b) if isinstance(x, Dual) and x.tag == tag else (x, 0.0)


def highest(*xs: Any) -> int:
    return max(x.tag if isinstance(x, Dual) else 0 for x in xs)


def plus(x: Any, y: Any) -> Any:
    if not (tag := highest(x, y)):
        return x + y
    (a, b), (c, d) = parts(x, tag), parts(y, tag)
    return Dual(plus(a, c), plus(b, d), tag)


def times(x: Any, y: Any) -> Any:
    if not (tag := highest(x, y)):
        return x * y
    (a, b), (c, d) = parts(x, tag), parts(y, tag)
    return Dual(times(a, c), plus(times(a, d), times(b, c)), tag)


def sin(x: Any, shift: int = 0) -> Any:
    """Return sin(x + shift * pi / 2)."""
    if not isinstance(x, Dual):
        return (math.sin, math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x))[shift](x)
    return Dual(sin(x.a, shift), times(x.b, sin(x.a, (shift + 1) % 4)), x.tag)


def exp(x: Any) -> Any:
    if not isinstance(x, Dual):
        return math.exp(x)
    y = exp(x.a)
    return Dual(y, times(x.b, y), x.tag)


def along(f: Function, x: Any, direction: Any) -> Any:
    """Return the derivative of f at x in a direction."""
    tag = new_tag()
    _, derivative = parts(f(Dual(x, direction, tag)), tag)
    return derivative


class Way(NamedTuple):
    """How a program is computed."""

    plus: Callable[[Any, Any], Any]
    times: Callable[[Any, Any], Any]
    sin: Function
    exp: Function
    derivative: Callable[[str, Function, Any, Any], Any]


def reference_derivative(kind: str, f: Function, x: Any, v: Any) -> Any:
    if kind == "hvp":
        return along(lambda x: along(f, x, 1.0), x, v)
    if kind == "value_and_grad":
        return times(f(x), along(f, x, v))
    return along(f, x, v)


REFERENCE = Way(plus, times, sin, exp, reference_derivative)


# The same with the library.


def derivative(kind: str, f: Function, x: Any, v: Any) -> Any:
    if kind == "grad":
        return mg.grad(f)(x) * v
    if kind == "value_and_grad":
        value, slope = mg.value_and_grad(f)(x)
        return value * (slope * v)
    if kind == "jvp":
        return mg.jvp(f, (x,), (v,))[1]
    if kind == "vjp":
        return mg.vjp(f, x)[1](v)[0]
    if kind == "hvp":
        return mg.hvp(f, (x,), (v,))[0]
    return mg.jacobian(lambda x: [f(x), x])(x)[0] * v


LIBRARY = Way(lambda x, y: x + y, lambda x, y: x * y, mg.sin, mg.exp, derivative)
KINDS = ["grad", "value_and_grad", "jvp", "vjp", "hvp", "jacobian"]


# Programs.


class Node(NamedTuple):
    """An operation and its operands; a derivative also has the body of its function."""

    kind: str
    operands: tuple[Any, ...]
    body: Any = None


def draw(rng: random.Random, size: int, depth: int, scope: int) -> Node:
    """Draw a program of some size, with derivatives nested up to a depth, on variables 0, 1, ..."""
    if size <= 1 and rng.random() < 0.25:
        return Node("number", (rng.uniform(0.3, 1.2),))
    if size <= 1:
        return Node("variable", (rng.randrange(scope),))
    kinds = ["plus", "times", "times", "sin", "exp", *(["derivative"] * 3 if depth else [])]
    kind = rng.choice(kinds)
    if kind in ("sin", "exp"):
        return Node(kind, (draw(rng, size - 1, depth, scope),))
    if kind != "derivative":
        left = rng.randint(1, size - 1)
        return Node(kind, (draw(rng, left, depth, scope), draw(rng, size - left, depth, scope)))
    point, direction = (draw(rng, rng.randint(1, 2), 0, scope) for _ in range(2))
    body = draw(rng, size - 1, depth - 1, scope + 1)
    return Node(rng.choice(KINDS), (point, direction), body)


def run(way: Way, node: Node, variables: tuple[Any, ...]) -> Any:
    """Compute a program."""
    if node.kind == "number":
        return node.operands[0]
    if node.kind == "variable":
        return variables[node.operands[0]]
    operands = [run(way, x, variables) for x in node.operands]
    if node.body is not None:
        x, v = operands
        return way.derivative(node.kind, lambda z: run(way, node.body, (*variables, z)), x, v)
    if node.kind in ("sin", "exp"):  # of numbers that stay small
        return getattr(way, node.kind)(way.times(0.5, operands[0]))
    return getattr(way, node.kind)(*operands)


def number(x: Any) -> float:
    return x.data if isinstance(x, Value) else float(x)


def close(found: Any, expected: float) -> bool:
    return math.isclose(number(found), expected, rel_tol=1e-9, abs_tol=1e-9)


def check(seed: int) -> bool:
    """Compare one program and its gradients with the reference; return whether all is finite."""
    rng = random.Random(seed)
    program = draw(rng, rng.randint(4, 10), 3, 2)
    x, w = rng.uniform(0.3, 1.2), rng.uniform(0.3, 1.2)
    try:
        value = run(REFERENCE, program, (x, w))
        slope, weight_slope = (
            along(lambda z, i=i: run(REFERENCE, program, (z, w) if i == 0 else (x, z)), at, 1.0)
            for i, at in enumerate((x, w))
        )
    except OverflowError:
        return False
    if max(map(abs, (value, slope, weight_slope))) > 1e12:
        return False

    def f(x: Any, w: Any) -> Any:
        return run(LIBRARY, program, (x, w))

    # Both as arguments, eagerly and compiled.
    both = mg.value_and_grad(f, (0, 1))
    found, slopes = both(x, w)
    assert close(found, value)
    assert close(slopes[0], slope)
    assert close(slopes[1], weight_slope)
    assert {*map(type, (found, *slopes))} == {float}
    again, slopes_again = mg.compile(both)(x, w)
    assert repr((again, slopes_again)) == repr((found, slopes))
    for way in (lambda f: f, mg.compile):
        check_closure(way, f, x, w, slope, weight_slope)
    return True


def check_closure(
    way: Callable[[Any], Any], f: Any, x: float, w: float, slope: float, weight_slope: float
) -> None:
    """Compare the gradients with one number as an argument, and the other a leaf from outside."""
    leaf = Value(w)
    assert close(way(mg.grad(lambda x: f(x, leaf)))(x), slope)
    result = way(lambda: f(x, leaf))()
    if isinstance(result, Value) and result.requires_grad:
        result.backward()
    assert close(leaf.grad, weight_slope)


@pytest.mark.parametrize(
    "start", [0, *[pytest.param(n, marks=pytest.mark.long) for n in range(200, 2000, 200)]]
)
def test_random_nestings(start: int) -> None:
    finite = sum(map(check, range(start, start + 200)))
    assert finite > 150


@pytest.mark.long
def test_many_random_nestings() -> None:
    assert sum(map(check, range(2_000, 12_000))) > 7_500
