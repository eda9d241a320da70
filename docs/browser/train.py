"""Train a network on XOR, one example after the other: the Python code that the page runs.

>>> training = Training(seed=42, lr=0.1)
>>> [f"{output:.4f}" for output in training.outputs()]
['0.6653', '0.6683', '0.6511', '0.6557']
>>> for _ in range(100):
...     training.epoch()
>>> f"{training.losses[0]:.4f} {training.losses[-1]:.4f}"
'0.2793 0.2559'
"""

from collections.abc import Iterator
from typing import Any

import microgradlib as mg
from microgradlib import nn, optim

# The output should be 1 where the two inputs differ.
EXAMPLES = [
    ([0.0, 0.0], [0.0]),
    ([0.0, 1.0], [1.0]),
    ([1.0, 0.0], [1.0]),
    ([1.0, 1.0], [0.0]),
]
# The points along each input at which the page shows outputs.
POINTS = [-0.25 + 1.5 * (i + 0.5) / 40 for i in range(40)]


def numbers(name: str, tensor: Any) -> Iterator[tuple[str, mg.Value]]:
    """Yield each number of a parameter, with its name."""
    if isinstance(tensor, mg.Value):
        yield name, tensor
    else:
        for i, part in enumerate(tensor):
            yield from numbers(f"{name}.{i}", part)


class Training:
    """A network with two inputs, two hidden neurons and one output, and what it has learnt from."""

    def __init__(self, seed: int, lr: float) -> None:
        """Draw the weights; the same seed gives the same weights, here and in PyTorch."""
        mg.manual_seed(seed)
        self.model = nn.MLP(2, [2, 1])
        self.set_rate(lr)
        self.steps = 0
        self.loss = 0.0  # of the last step
        self.losses: list[float] = []  # of each epoch: the mean over its steps
        self.total = 0.0

    def set_rate(self, lr: float) -> None:
        """Set the learning rate. Plain SGD has no state, so a new optimizer can take over."""
        self.optimizer = optim.SGD(self.model.parameters(), lr=lr)

    def step(self) -> None:
        """Learn from the next example."""
        inputs, target = EXAMPLES[self.steps % len(EXAMPLES)]
        loss = mg.mse_loss(self.model(inputs), target)  # forward: how wrong is the output?
        self.optimizer.zero_grad()
        loss.backward()  # backward: how does the loss change with each weight?
        self.optimizer.step()  # weight = weight - lr * gradient
        self.steps += 1
        self.loss = loss.data
        self.total += loss.data
        if self.steps % len(EXAMPLES) == 0:
            self.losses.append(self.total / len(EXAMPLES))
            self.total = 0.0

    def epoch(self) -> None:
        """Learn from the examples up to the last one."""
        self.step()
        while self.steps % len(EXAMPLES) != 0:
            self.step()

    # What the page draws.

    def parameters(self) -> dict[str, tuple[float, float]]:
        """Return each weight and bias with its gradient in the last step."""
        named = [pair for tensor in self.model.named_parameters() for pair in numbers(*tensor)]
        return {name: (p.data, float(p.grad or 0.0)) for name, p in named}

    def losses_since(self, epoch: int) -> list[float]:
        """Return the loss of each epoch after that one."""
        return self.losses[epoch:]

    def outputs(self) -> list[float]:
        """Return the network's answer to each example."""
        with mg.no_grad():
            return [self.model(inputs)[0].data for inputs, _ in EXAMPLES]

    def neurons(self, example: int) -> list[float]:
        """Return the outputs of the hidden neurons and the output neuron for an example."""
        with mg.no_grad():
            hidden = self.model.layers[0](EXAMPLES[example][0])
            return [neuron.data for neuron in hidden + self.model.layers[1](hidden)]

    def surface(self) -> list[float]:
        """Return the outputs over the plane of inputs, row by row of the second input."""
        with mg.no_grad():
            return [self.model([a, b])[0].data for b in POINTS for a in POINTS]
