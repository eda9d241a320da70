"""The loss of a character-level GPT on one name, number by number, after Karpathy's microgpt.

One layer, 16 channels, 4 heads, a vocabulary of 27, RMSNorm, attention and a relu MLP four times as
wide. It works with the numbers of any engine that has + - * / **, ``exp``, ``log``, ``relu`` and
``data``, and each operation is one node of the graph, the additions of ``sum`` among them.
"""

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

CHANNELS, HEADS = 16, 4
HEAD = CHANNELS // HEADS
LETTERS = ".abcdefghijklmnopqrstuvwxyz"  # a name begins and ends with the dot
NAMES = ("abigail", "sophia", "madison", "oliver")  # 58,000 operations on average
POSITIONS = 8
SHAPES = {
    "wte": (len(LETTERS), CHANNELS),
    "wpe": (POSITIONS, CHANNELS),
    "query": (CHANNELS, CHANNELS),
    "key": (CHANNELS, CHANNELS),
    "value": (CHANNELS, CHANNELS),
    "out": (CHANNELS, CHANNELS),
    "up": (4 * CHANNELS, CHANNELS),
    "down": (CHANNELS, 4 * CHANNELS),
    "head": (len(LETTERS), CHANNELS),
}
Matrix = list[list[Any]]
Vector = Sequence[Any]


def initial(number: Callable[[float], Any]) -> dict[str, Matrix]:
    """Return the first weights as numbers of some engine."""
    draw = random.Random(42)
    return {
        name: [[number(draw.gauss(0.0, 0.08)) for _ in range(columns)] for _ in range(rows)]
        for name, (rows, columns) in SHAPES.items()
    }


def linear(x: Vector, weight: Matrix) -> list[Any]:
    return [sum(w * a for w, a in zip(row, x)) for row in weight]  # noqa: B905 (timed)


def softmax(logits: Vector) -> list[Any]:
    top = max(x.data for x in logits)
    exps = [(x - top).exp() for x in logits]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x: Vector) -> list[Any]:
    scale = (sum(a * a for a in x) / len(x) + 1e-5) ** -0.5
    return [a * scale for a in x]


def add(x: Vector, y: Vector) -> list[Any]:
    return [a + b for a, b in zip(x, y)]  # noqa: B905 (timed)


def attention(query: Vector, keys: Matrix, values: Matrix) -> list[Any]:
    """Return the values of all positions so far, weighted head by head."""
    mixed: list[Any] = []
    times = range(len(keys))
    for start in range(0, CHANNELS, HEAD):
        head = range(start, start + HEAD)
        shares = softmax([sum(query[j] * keys[t][j] for j in head) / HEAD**0.5 for t in times])
        mixed += [sum(shares[t] * values[t][j] for t in times) for j in head]
    return mixed


def loss_of(weights: dict[str, Matrix], name: str) -> Any:
    """Return the mean of the negative logarithms of the probabilities of each next letter."""
    tokens = [LETTERS.index(letter) for letter in f".{name}."]
    keys: Matrix = []
    values: Matrix = []
    logs = []
    for position, (token, following) in enumerate(pairwise(tokens)):
        x = rmsnorm(add(weights["wte"][token], weights["wpe"][position]))
        h = rmsnorm(x)
        keys.append(linear(h, weights["key"]))
        values.append(linear(h, weights["value"]))
        mixed = attention(linear(h, weights["query"]), keys, values)
        x = add(linear(mixed, weights["out"]), x)
        h = [a.relu() for a in linear(rmsnorm(x), weights["up"])]
        x = add(linear(h, weights["down"]), x)
        logs.append(softmax(linear(x, weights["head"]))[following].log())
    return sum(logs) * (-1 / len(logs))
