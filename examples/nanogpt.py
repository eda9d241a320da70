"""A GPT on single numbers, with the architecture and the parameter names of nanoGPT.

Where nanoGPT's model computes with tensors of a batch, this one has a vector, a list of numbers,
for each position of one document. ``gpt.py`` trains it.

>>> mg.manual_seed(1337)
>>> model = GPT(GPTConfig())
>>> len(model.parameters())
3808
>>> logits = model([1, 2, 3])
>>> len(logits), len(logits[0])
(3, 27)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any, NamedTuple

import microgradlib as mg
from microgradlib import nn, random

Vector = Sequence[Any]
Vectors = Sequence[Vector]
"""A vector for each position."""


@dataclass
class GPTConfig:
    """The sizes: as small as those of Karpathy's microgpt."""

    block_size: int = 16  # positions
    vocab_size: int = 27
    n_layer: int = 1
    n_head: int = 4
    n_embd: int = 16  # numbers of a vector
    dropout: float = 0.0
    bias: bool = False

    def __post_init__(self) -> None:
        if self.n_embd % self.n_head:
            raise ValueError(
                f"GPTConfig: n_head must divide n_embd, got {self.n_head} and {self.n_embd}"
            )


class Masks(NamedTuple):
    """The factors of dropout in one layer: 0 for what is dropped, else 1 / (1 - dropout)."""

    attention: Sequence[Vectors]  # for each position and head, a factor for each position
    residual: Vectors
    mlp: Vectors


def each(f: Callable[..., Any], *columns: Sequence[Any], count: Any) -> list[Any]:
    """Call a function for the first positions, as ``map`` does; one loop in a compiled function."""
    results: Any
    _, results = mg.scan(lambda _, row: ((), f(*row)), (), columns, stop=count)
    return results  # type: ignore[no-any-return]


def add(x: Vector, y: Vector) -> Vector:
    return [a + b for a, b in zip(x, y, strict=True)]


def drop(x: Vector, factors: Vector | None) -> Vector:
    """Apply dropout; None stands for none."""
    return x if factors is None else [a * factor for a, factor in zip(x, factors, strict=True)]


class CausalSelfAttention(nn.Module):
    """Each position asks those up to itself, and takes a mean of their answers."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        size = config.n_embd // config.n_head
        self.heads = [slice(i, i + size) for i in range(0, config.n_embd, size)]

    def forward(
        self, position: Any, query: Vector, keys: Vectors, values: Vectors, masks: Any
    ) -> Any:
        mixed: list[Any] = []
        for head, factors in zip(self.heads, masks or [None] * len(self.heads), strict=True):
            shares = drop(self.shares(position, query, keys, head), factors)
            mixed += [mg.dot(shares, column) for column in zip(*values, strict=True)][head]
        return self.c_proj(mixed)

    def shares(self, position: Any, query: Vector, keys: Vectors, head: slice) -> Vector:
        """Return the attention that a head pays to each position; that to later ones is 0."""
        scores = [mg.dot(query[head], key[head]) / sqrt(len(query[head])) for key in keys]
        return mg.softmax([mg.where(i <= position, x, -inf) for i, x in enumerate(scores)])


class MLP(nn.Module):
    """Each position thinks for itself."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.gelu = nn.GELU()
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)

    def forward(self, x: Vector) -> Any:
        return self.c_proj(self.gelu(self.c_fc(x)))


class Block(nn.Module):
    """A layer: attention, then the MLP, each of which adds to the vectors."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, xs: Vectors, masks: Masks | None, count: Any) -> Vectors:
        n = len(xs[0])
        asked = each(lambda x: self.attn.c_attn(self.ln_1(x)), xs, count=count)
        keys, values = [x[n : 2 * n] for x in asked], [x[2 * n :] for x in asked]

        def answered(position: Any, x: Vector, asked: Vector, *factors: Any) -> Vector:
            attention, residual, mlp = factors or (None, None, None)
            x = add(x, drop(self.attn(position, asked[:n], keys, values, attention), residual))
            return add(x, drop(self.mlp(self.ln_2(x)), mlp))

        return each(answered, [*range(len(xs))], xs, asked, *(masks or ()), count=count)


class GPT(nn.Module):
    """The model: embeddings, layers, and a logit for each next token."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.transformer: Any = nn.ModuleDict(
            {
                "wte": wte,
                "wpe": nn.Embedding(config.block_size, config.n_embd),
                "h": nn.ModuleList([Block(config) for _ in range(config.n_layer)]),
                "ln_f": nn.LayerNorm(config.n_embd, bias=config.bias),
            }
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        wte.weight = self.lm_head.weight
        self.apply(self._start)
        for name, p in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.normal_(p, mean=0.0, std=0.02 / sqrt(2 * config.n_layer))

    def _start(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def embed(self, token: Any, position: Vector, factors: Vector | None = None) -> Vector:
        """Return the vector that a token at a position begins with."""
        return drop(add(self.transformer.wte(token), position), factors)

    def forward(self, tokens: Sequence[Any], masks: Any = None, count: Any = None) -> Vectors:
        """Return the logits of the token after each of these.

        Args:
            tokens: the tokens.
            masks: what ``draw_masks`` returns.
            count: how many of the tokens count; the logits at the others are 0. As an argument of a
                compiled function it lets one trace serve documents of all lengths, filled up.
        """
        size = self.config.block_size
        if not 0 < len(tokens) <= size:
            raise ValueError(f"GPT: pass 1 to {size} tokens, such as the last, got {len(tokens)}")
        embedded, *of_layers = masks or [None] * (1 + self.config.n_layer)
        positions = [*self.transformer.wpe.weight][: len(tokens)]
        factors = [embedded] if masks else []
        xs: Vectors = each(self.embed, tokens, positions, *factors, count=count)
        for block, of_layer in zip(self.transformer.h, of_layers, strict=True):
            xs = block(xs, of_layer, count)
        return each(lambda x: self.lm_head(self.transformer.ln_f(x)), xs, count=count)

    def loss(
        self, tokens: Sequence[Any], targets: Sequence[Any], masks: Any = None, count: Any = None
    ) -> Any:
        """Return the mean loss of the tokens that follow, which are the targets."""
        logits = self.forward(tokens, masks, count)
        losses = each(mg.cross_entropy, logits, targets, count=count)
        return mg.sum(losses) / (len(tokens) if count is None else count)

    def draw_masks(self, positions: int | None = None) -> Any:
        """Draw the masks of a training step, in PyTorch's order; None if nothing is dropped.

        Those of all positions are drawn. The masks of the first few are the same for shorter input.
        """
        config = self.config
        if not config.dropout:
            return None
        keep, size = 1.0 - config.dropout, config.block_size
        n = size if positions is None else positions

        def draw(*sizes: int) -> Any:
            return _scaled(random.bernoulli(keep, sizes), 1.0 / keep)

        masks: list[Any] = [draw(size, config.n_embd)[:n]]
        for _ in range(config.n_layer):
            heads = draw(config.n_head, size, size)
            attention = [[factors[i][:n] for factors in heads] for i in range(n)]
            residual, mlp = draw(size, config.n_embd), draw(size, config.n_embd)
            masks.append(Masks(attention, residual[:n], mlp[:n]))
        return masks


def _scaled(numbers: Any, factor: float) -> Any:
    if isinstance(numbers, list):
        return [_scaled(x, factor) for x in numbers]
    return numbers * factor
