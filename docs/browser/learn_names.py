"""Train a small GPT on names, one name after the other: the Python code that the page runs.

The model is that of ``nanogpt.py``. A compiled loss takes the place of the graph: Python that has
been written once, for the most letters that a name has.

>>> training = Training(seed=1337, lr=0.005)
>>> training.compile() > 1_000  # lines of Python
True
>>> for _ in range(20):
...     training.step()
>>> f"{training.losses[0]:.4f} {training.losses[-1]:.4f}"
'3.3763 2.6727'
>>> training.draw(2)
>>> training.samples
[(20, ['oun', 'kaaeaia'])]
"""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import nanogpt
from nanogpt import GPT, GPTConfig

import microgradlib as mg
from microgradlib import optim, random

NAMES = Path(nanogpt.__file__).with_name("names.txt").read_text(encoding="utf-8").split()
END = 0  # the token before and after a name; 1 to 26 are the letters
CONFIG = GPTConfig(block_size=1 + max(map(len, NAMES)))  # END, and the letters of a name
EVERY = 100  # steps from one draw of names to the next


def tokens_of(name: str) -> list[int]:
    """Return what the model reads of a name: END and the letters."""
    return [END, *(ord(letter) - ord("a") + 1 for letter in name)]


def filled(tokens: Sequence[int]) -> list[int]:
    """Fill the positions after a name, so that one compiled function serves all names."""
    return [*tokens, *[END] * (CONFIG.block_size - len(tokens))]


class Training:
    """A GPT, its optimizer, and the names that it has made up so far."""

    def __init__(self, seed: int, lr: float, temperature: float = 0.5) -> None:
        """Make the model, which ``restart`` keeps, and so what has been compiled for it."""
        self.model = GPT(CONFIG)
        self.loss_of = mg.compile(self.model.loss)
        self.logits_of = mg.compile(self.model.forward)
        self.set_temperature(temperature)
        self.restart(seed, lr)

    def restart(self, seed: int, lr: float) -> None:
        """Draw new weights, and forget what was learnt."""
        mg.manual_seed(seed)
        weights = GPT(CONFIG).state_dict()
        named = [*self.model.named_parameters()]
        groups = [
            {"params": [p for _, p in named if len(p.shape) == 2], "weight_decay": 0.01},
            {"params": [p for _, p in named if len(p.shape) == 1], "weight_decay": 0.0},
        ]
        self.optimizer = optim.AdamW(groups, lr=lr, betas=(0.9, 0.99))
        self.model.load_state_dict(weights)
        self.order: list[int] = []  # of the names still to come in this round
        self.losses: list[float] = []  # of each step: the mean over the letters of a name, in nats
        self.samples: list[tuple[int, list[str]]] = []  # the names that were drawn after a step
        # Generators of their own: neither the names that are drawn nor another training on the page
        # change the order.
        self.shuffler, self.dice = (random.Generator().manual_seed(seed) for _ in range(2))

    def set_rate(self, lr: float) -> None:
        """Set the learning rate; what the optimizer knows of the gradients stays."""
        self.optimizer.lr = lr

    def set_temperature(self, temperature: float) -> None:
        """Set how bold the names are: near 0 only the likeliest letter comes, above 1 any."""
        if not (isfinite(temperature) and 0.1 <= temperature <= 10.0):
            raise ValueError(f"Training: temperature must be from 0.1 to 10, got {temperature}")
        self.temperature = temperature

    def compile(self) -> int:
        """Call both functions a first time, which writes them; return the lines of the loss."""
        self.loss_of(filled([END]), filled([END]), None, 1)
        with mg.no_grad():  # or the derivatives of all logits would be written, too
            self.logits_of(filled([END]), None, 1)
        return len(self.loss_of.source.splitlines())

    def step(self) -> None:
        """Learn from the next name: after each of its letters, which one follows?"""
        if not self.order:
            self.order = random.randperm(len(NAMES), generator=self.shuffler)
        tokens = tokens_of(NAMES[self.order.pop()])
        targets, count = [*tokens[1:], END], len(tokens)
        loss = self.loss_of(filled(tokens), filled(targets), None, count)  # forward and backward
        self.optimizer.zero_grad()
        loss.backward()  # hands the gradient to the weights
        self.optimizer.step()
        self.losses.append(loss.data)

    def step_and_draw(self) -> bool:
        """Take a step; after every hundredth make up names, and return True."""
        self.step()
        due = len(self.losses) % EVERY == 0
        if due:
            self.draw()
        return due

    # What the page shows.

    def name(self) -> str:
        """Make up a name: draw one letter after the other, until the end or the last position."""
        tokens = [END]
        while len(tokens) < CONFIG.block_size:
            with mg.no_grad():
                logits = self.logits_of(filled(tokens), None, len(tokens))[len(tokens) - 1]
            shares = mg.softmax([x.data / self.temperature for x in logits])
            (token,) = random.multinomial(shares, 1, generator=self.dice)
            if token == END:
                break
            tokens.append(token)
        return "".join(chr(ord("a") + token - 1) for token in tokens[1:])

    def draw(self, count: int = 5) -> None:
        """Make up some names, and keep them with the number of steps taken so far."""
        self.samples.append((len(self.losses), [self.name() for _ in range(count)]))

    def attention(self, name: str) -> list[list[list[float]]]:
        """Return for each head and letter the attention paid to END and each letter up to it.

        >>> heads = Training(seed=1337, lr=0.005).attention("ada")
        >>> len(heads), [len(row) for row in heads[0]]
        (4, [1, 2, 3, 4])
        >>> {round(sum(row), 12) for rows in heads for row in rows}
        {1.0}
        """
        (block,) = self.model.transformer.h
        shares, rows = block.attn.shares, []

        def noted(position: int, *args: Any) -> Any:
            found = shares(position, *args)
            rows.append([x.data for x in found[: position + 1]])
            return found

        block.attn.shares = noted  # in place of the method, for one call
        try:
            with mg.no_grad():
                self.model(tokens_of(name))
        finally:
            del block.attn.shares
        return [rows[head :: CONFIG.n_head] for head in range(CONFIG.n_head)]

    def news(self, steps: int, draws: int) -> dict[str, Any]:
        """Return what is new after so many steps and draws of names."""
        samples = [
            {"step": step, "names": names, "known": [name in NAMES for name in names]}
            for step, names in self.samples[draws:]
        ]
        news = {"steps": len(self.losses), "losses": self.losses[steps:], "samples": samples}
        if samples:
            news["attention"] = self.attention(self.samples[-1][1][0])
        return news

    def sizes(self) -> dict[str, int]:
        """Return the sizes of the model and of what it learns from."""
        return {
            "parameters": len(self.model.parameters()),
            "layers": CONFIG.n_layer,
            "heads": CONFIG.n_head,
            "width": CONFIG.n_embd,
            "positions": CONFIG.block_size,
            "tokens": CONFIG.vocab_size,
            "names": len(NAMES),
        }
