"""A transformer of microgpt's size, one document a step, in several libraries: see compiled.py.

One layer, 16 channels, 4 heads, a vocabulary of 27, RMSNorm, an MLP four times as wide with relu,
and Adam; the loss is the mean cross-entropy over all positions. All contestants start from the same
weights, and a call is one step and returns its loss, so that one can see that all compute the same.
"""

import copy
import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import micrograd.engine
import smallest
import torch

import microgradlib as mg
from microgradlib import optim

CHANNELS, HEADS, VOCABULARY, POSITIONS = 16, 4, 27, 16
TOKENS = [0, 5, 13, 9, 12, 9, 1, 0]  # 0 begins and ends a document
RATE, BETAS, EPS = 1e-3, (0.9, 0.999), 1e-8
SHAPES = {
    "tokens": (VOCABULARY, CHANNELS),
    "positions": (POSITIONS, CHANNELS),
    "query": (CHANNELS, CHANNELS),
    "key": (CHANNELS, CHANNELS),
    "value": (CHANNELS, CHANNELS),
    "out": (CHANNELS, CHANNELS),
    "up": (4 * CHANNELS, CHANNELS),
    "down": (CHANNELS, 4 * CHANNELS),
    "head": (VOCABULARY, CHANNELS),
}
Weights = dict[str, list[list[Any]]]
Vectors = Sequence[Sequence[Any]]  # one for each position
Step = Callable[[], float]


def initial(number: Callable[[float], Any] = float) -> Weights:
    """Return the first weights, made into numbers of some library."""
    draw = random.Random(42)
    return {
        name: [[number(draw.gauss(0.0, 0.08)) for _ in range(columns)] for _ in range(rows)]
        for name, (rows, columns) in SHAPES.items()
    }


def flatten(weights: Weights) -> list[Any]:
    return [w for matrix in weights.values() for row in matrix for w in row]


# The model, on numbers of any library.


def loss_of(weights: Weights, tokens: Sequence[int], ops: Any) -> Any:
    """Return the mean cross-entropy of each next token."""

    def linear(name: str, xs: Vectors) -> Vectors:
        return list(zip(*[[ops.dot(row, x) for x in xs] for row in weights[name]], strict=True))

    def norm(x: Sequence[Any]) -> list[Any]:
        scale = (ops.dot(x, x) * (1.0 / CHANNELS) + 1e-5) ** -0.5
        return [a * scale for a in x]

    def add(xs: Vectors, ys: Vectors) -> Vectors:
        pairs = zip(xs, ys, strict=True)
        return [[a + b for a, b in zip(x, y, strict=True)] for x, y in pairs]

    def attend(query: Sequence[Any], keys: Vectors, values: Vectors) -> list[Any]:
        scores = [ops.dot(query, key) * len(query) ** -0.5 for key in keys]
        shares = ops.softmax(scores)
        return [ops.dot(shares, column) for column in zip(*values, strict=True)]

    n = len(tokens) - 1
    embedded = add([weights["tokens"][token] for token in tokens[:-1]], weights["positions"][:n])
    xs: Vectors = [norm(x) for x in embedded]
    hs = [norm(x) for x in xs]
    queries, keys, values = (linear(name, hs) for name in ("query", "key", "value"))
    mixed: list[list[Any]] = [[] for _ in range(n)]
    width = CHANNELS // HEADS
    for i in range(0, CHANNELS, width):
        q, k, v = ([x[i : i + width] for x in vectors] for vectors in (queries, keys, values))
        for position in range(n):
            mixed[position] += attend(q[position], k[: position + 1], v[: position + 1])
    xs = add(linear("out", mixed), xs)
    hidden = [[a.relu() for a in x] for x in linear("up", [norm(x) for x in xs])]
    xs = add(linear("down", hidden), xs)
    total: Any = 0.0
    for x, target in zip(linear("head", xs), tokens[1:], strict=True):
        total = total + ops.cross_entropy(x, target)
    return total * (1.0 / n)


class ManyInputs:
    """Operations of any number of inputs, each of which is one node."""

    dot = staticmethod(mg.dot)
    softmax = staticmethod(mg.softmax)
    cross_entropy = staticmethod(mg.cross_entropy)


class Single:
    """The same in operations of one or two inputs, each of which is a node."""

    def __init__(self, exp: Callable[[Any], Any], log: Callable[[Any], Any]) -> None:
        self.exp, self.log = exp, log

    def dot(self, xs: Sequence[Any], ys: Sequence[Any]) -> Any:
        total = xs[0] * ys[0]
        for x, y in zip(xs[1:], ys[1:], strict=True):
            total = total + x * y
        return total

    def softmax(self, xs: Sequence[Any]) -> list[Any]:
        top = max(x.data for x in xs)
        weights = [self.exp(x - top) for x in xs]
        total = weights[0]
        for w in weights[1:]:
            total = total + w
        return [w / total for w in weights]

    def cross_entropy(self, xs: Sequence[Any], target: int) -> Any:
        return -self.log(self.softmax(xs)[target])


# Ours.


def ours(ops: Any, compiled: bool) -> Step:
    """Take steps in the usual loop, the loss eager or compiled."""
    weights = initial(mg.Value)
    optimizer = optim.Adam(flatten(weights), lr=RATE, betas=BETAS, eps=EPS)

    def document() -> Any:
        return loss_of(weights, TOKENS, ops)

    loss = mg.compile(document) if compiled else document

    def step() -> float:
        y: mg.Value = loss()
        optimizer.zero_grad()
        y.backward()
        optimizer.step()
        return y.data

    return step


def document(flat: list[Any]) -> Any:
    """Return the loss as a function of one list of all weights."""
    numbers = iter(flat)
    weights = {
        name: [[next(numbers) for _ in range(columns)] for _ in range(rows)]
        for name, (rows, columns) in SHAPES.items()
    }
    return loss_of(weights, TOKENS, ManyInputs)


def adam(
    w: list[Any], m: list[Any], v: list[Any], slopes: list[Any], rate: Any, root: Any, sqrt: Any
) -> None:
    """Take a step of Adam on lists, in the order that section 2 of Kingma and Ba recommends.

    The moments are kept without their factors 1 - beta, which are in rate and eps instead.
    """
    a, b = BETAS
    root = root / math.sqrt(1.0 - b)
    rate, eps = rate * root * (1.0 - a), EPS * root
    for i, g in enumerate(slopes):
        m[i] = x = a * m[i] + g
        v[i] = y = b * v[i] + g * g
        w[i] = w[i] - rate * x / (sqrt(y) + eps)


def on_lists(take: Callable[..., Any]) -> Step:
    """Take steps on lists of numbers."""
    w = flatten(initial())
    m, v = [0.0] * len(w), [0.0] * len(w)
    time = 0

    def step() -> float:
        nonlocal w, m, v, time
        time += 1
        rate, root = RATE / (1.0 - BETAS[0] ** time), math.sqrt(1.0 - BETAS[1] ** time)
        loss, w, m, v = take(w, m, v, rate, root)
        return float(loss)

    return step


def ours_gradient() -> Step:
    """Compile loss and gradient."""
    gradient = mg.compile(mg.value_and_grad(document))

    def take(w: Any, m: Any, v: Any, rate: float, root: float) -> Any:
        loss, slopes = gradient(w)
        adam(w, m, v, slopes, rate, root, math.sqrt)
        return loss, w, m, v

    return on_lists(take)


def ours_step() -> Step:
    """Compile loss, gradient and Adam as one function."""
    gradient = mg.value_and_grad(document)

    def take(w: Any, m: Any, v: Any, rate: Any, root: Any) -> Any:
        w, m, v = copy.deepcopy((w, m, v))  # a compiled function must not change its arguments
        loss, slopes = gradient(w)
        adam(w, m, v, slopes, rate, root, mg.sqrt)
        return loss, w, m, v

    return on_lists(mg.compile(take))


# Peers.


def with_micrograd() -> Step:
    """Take steps with micrograd's Value, and exp and log, which it lacks, written like its relu."""

    def unary(
        name: str, f: Callable[[float], float], slope: Callable[[float, float], float]
    ) -> Any:
        def operation(x: Any) -> Any:
            out = micrograd.engine.Value(f(x.data), (x,), name)

            def _backward() -> None:
                x.grad += slope(x.data, out.data) * out.grad

            out._backward = _backward
            return out

        return operation

    ops = Single(
        unary("exp", math.exp, lambda x, y: y), unary("log", math.log, lambda x, y: 1.0 / x)
    )
    weights = initial(micrograd.engine.Value)
    parameters = flatten(weights)
    m, v = [0.0] * len(parameters), [0.0] * len(parameters)
    a, b = BETAS
    time = 0

    def step() -> float:
        nonlocal time
        loss = loss_of(weights, TOKENS, ops)
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        time += 1
        rate, root = RATE / (1.0 - a**time), math.sqrt(1.0 - b**time)
        for i, p in enumerate(parameters):
            m[i] += (1.0 - a) * (p.grad - m[i])
            v[i] = b * v[i] + (1.0 - b) * p.grad * p.grad
            p.data -= rate * m[i] / (math.sqrt(v[i]) / root + EPS)
        return float(loss.data)

    return step


def with_torch(documents: Sequence[Sequence[int]] = (TOKENS,)) -> Step:
    """Take steps with PyTorch in float64, each matrix a tensor, a document after the other."""
    from torch.nn import functional as F  # noqa: N812

    weights = {
        name: torch.tensor(matrix, dtype=torch.float64, requires_grad=True)
        for name, matrix in initial().items()
    }
    optimizer = torch.optim.Adam(weights.values(), lr=RATE, betas=BETAS, eps=EPS)
    read = itertools.cycle([(torch.tensor(x[:-1]), torch.tensor(x[1:])) for x in documents])

    def norm(x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, (CHANNELS,), eps=1e-5)

    def heads(x: torch.Tensor) -> torch.Tensor:
        return x.view(-1, HEADS, CHANNELS // HEADS).transpose(0, 1)

    def step() -> float:
        inputs, targets = next(read)
        n = len(inputs)
        x = norm(weights["tokens"][inputs] + weights["positions"][:n])
        h = norm(x)
        query, key, value = (heads(F.linear(h, weights[k])) for k in ("query", "key", "value"))
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = F.linear(mixed.transpose(0, 1).reshape(n, CHANNELS), weights["out"]) + x
        x = F.linear(F.relu(F.linear(norm(x), weights["up"])), weights["down"]) + x
        loss = F.cross_entropy(F.linear(x, weights["head"]), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def with_smallest(documents: Sequence[Sequence[int]]) -> Step:
    """Take steps with the smallest engine and Adam, as microgpt does."""

    class Ops(Single):
        def cross_entropy(self, xs: Sequence[Any], target: int) -> Any:
            return self.log(self.softmax(xs)[target]) * -1.0

    ops = Ops(smallest.Value.exp, smallest.Value.log)
    weights = initial(smallest.Value)
    parameters = flatten(weights)
    m, v = [0.0] * len(parameters), [0.0] * len(parameters)
    read = itertools.cycle(documents)
    a, b = BETAS
    time = 0

    def step() -> float:
        nonlocal time
        loss = loss_of(weights, next(read), ops)
        loss.backward()
        time += 1
        for i, p in enumerate(parameters):
            m[i] = a * m[i] + (1.0 - a) * p.grad
            v[i] = b * v[i] + (1.0 - b) * p.grad**2
            p.data -= RATE * (m[i] / (1.0 - a**time)) / ((v[i] / (1.0 - b**time)) ** 0.5 + EPS)
            p.grad = 0
        return float(loss.data)

    return step


CONTESTANTS: dict[str, Callable[[], Step]] = {
    "ours, compiled gradient, Adam on lists": ours_gradient,
    "ours, compiled gradient and Adam": ours_step,
    "ours, compiled loss, optim.Adam": lambda: ours(ManyInputs, compiled=True),
    "ours, eager, nodes of many inputs": lambda: ours(ManyInputs, compiled=False),
    "ours, eager, a node an operation": lambda: ours(Single(mg.exp, mg.log), compiled=False),
    "micrograd, a node an operation": with_micrograd,
    "torch, float64": lambda: with_torch(),
}
