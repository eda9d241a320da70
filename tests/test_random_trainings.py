"""Random training runs, against PyTorch in float64: the same parameters after every step.

A run has a random model, loss and optimizer with random options. Some parameters are unused or
frozen, gradients are set to None or to 0 or add up, the options change on the way, and the
optimizer is saved and resumed.
"""

import json
import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from random_trees import BLOCKS, run_block

import microgradlib as mg
from microgradlib import Value, nn
from microgradlib.optim import SGD, Adam, AdamW, RMSprop

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

PROGRAMS = 2_000
LOSSES = ["mse_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy"]
ACTIVATIONS = [name for name in nn.ACTIVATIONS if name != "linear"]


def theirs(name: str, x: Any) -> Any:
    """Return an activation of PyTorch."""
    return x if name == "linear" else getattr(torch.nn.functional, name)(x)


class Tensors(nn.Module):
    """A matrix, a vector and a number, of which a loss uses some entries."""

    def __init__(self, rng: Random) -> None:
        self.matrix = [[Value(rng.uniform(-1.0, 1.0)) for _ in range(2)] for _ in range(2)]
        self.inner = {"vector": [Value(rng.uniform(-1.0, 1.0)) for _ in range(2)]}
        self.number = Value(rng.uniform(-1.0, 1.0))


class Run:
    """A random training run, here and with PyTorch.

    Attributes:
        tensors: the parameters of each tensor, in order.
        peers: those tensors of PyTorch.
    """

    def __init__(self, seed: int) -> None:
        """Draw the model and the optimizer."""
        rng = self.rng = Random(seed)
        self.layered = rng.random() < 0.5
        self.model: Any
        if self.layered:
            self.sizes = [rng.randint(1, 3) for _ in range(rng.randint(2, 3))]
            self.activations = rng.choice(ACTIVATIONS), rng.choice(["linear", "sigmoid", "tanh"])
            self.draw_loss()
            self.model = nn.MLP(self.sizes[0], self.sizes[1:], *self.activations)
            for p in self.model.parameters():
                p.data = rng.uniform(-1.0, 1.0)
            self.tensors = [x for layer in self.model.layers for x in (layer.weight, layer.bias)]
        else:
            self.model = Tensors(rng)
            self.tensors = [self.model.matrix, self.model.inner["vector"], self.model.number]
        self.peers = [
            torch.tensor(data(x), dtype=torch.float64, requires_grad=True) for x in self.tensors
        ]
        self.lone = Value(0.5)  # in no module, and often unused
        self.peers.append(torch.tensor(0.5, dtype=torch.float64, requires_grad=True))
        self.tensors.append(self.lone)
        self.kind: Any = rng.choice([SGD, Adam, AdamW, RMSprop])
        self.options = self.draw_options()
        self.draw_groups()
        self.optimizer = self.kind(self.groups(), **self.options)
        theirs = [
            {"params": [self.peers[i] for i in members], **own} for members, own in self.members
        ]
        self.peer = getattr(torch.optim, self.kind.__name__)(theirs, **self.options, foreach=False)
        self.f: Callable[..., Any] = self.loss
        if self.layered and rng.random() < 0.2:
            self.f = mg.compile(self.loss)

    def draw_loss(self) -> None:
        """Draw the loss, and the last activation that it needs."""
        rng = self.rng
        self.loss_name = rng.choice(LOSSES)
        if self.loss_name == "binary_cross_entropy":
            self.activations = self.activations[0], "sigmoid"
        if self.loss_name == "cross_entropy":
            self.sizes[-1] = rng.randint(2, 3)

    def draw_groups(self) -> None:
        """Draw which tensors are in which group, and what is given to the optimizer."""
        rng, count = self.rng, len(self.tensors)
        order = rng.sample(range(count), count)
        cut = rng.choice([count, rng.randrange(count)])
        own = {"lr": 0.03, "weight_decay": rng.choice([0.0, 0.2]), "maximize": rng.random() < 0.2}
        self.members = [(order[:cut], {}), (order[cut:], own)][: 1 if cut == count else 2]
        self.flat = rng.random() < 0.5  # single numbers, which the module has given out
        if self.flat:
            self.model.parameters()

    def groups(self) -> Any:
        """Return the groups for the optimizer."""
        groups = []
        for members, own in self.members:
            params = [self.tensors[i] for i in members]
            groups.append({"params": mg_flat(params) if self.flat else params, **own})
        return groups[0]["params"] if len(groups) == 1 and self.rng.random() < 0.5 else groups

    def draw_options(self) -> dict[str, Any]:
        """Draw options of the optimizer."""
        rng = self.rng
        options: dict[str, Any] = {
            "lr": rng.choice([0.1, 0.01]),
            "weight_decay": rng.choice([0.0, 0.0, 0.02, 0.3]),
            "maximize": rng.random() < 0.2,
        }
        if self.kind is RMSprop:
            options["alpha"] = rng.choice([0.99, 0.4])
            options["momentum"] = rng.choice([0.0, 0.9])
            options["centered"] = rng.random() < 0.5
            options["eps"] = rng.choice([1e-3, 0.1])
        elif self.kind is SGD:
            options["momentum"] = rng.choice([0.0, 0.5, 0.9])
            options["nesterov"] = options["momentum"] > 0.0 and rng.random() < 0.4
            options["dampening"] = 0.0 if options["nesterov"] else rng.choice([0.0, 0.3])
        else:
            options["betas"] = rng.choice([(0.9, 0.999), (0.5, 0.9), (0.0, 0.5)])
            # A small eps magnifies the rounding of gradients near 0, which differs in sums.
            options["eps"] = rng.choice([1e-3, 0.1] if self.layered else [1e-8, 0.1])
            options["amsgrad"] = rng.random() < 0.5
        return options

    # One loss, in both libraries.

    def loss(self, model: Any, x: Any, y: Any) -> Any:
        """Compute the loss of a batch."""
        return getattr(mg, self.loss_name)(model(x), y)

    def their_loss(self, x: Any, y: Any) -> Any:
        """Compute it with PyTorch."""
        z, layers = torch.tensor(x, dtype=torch.float64), len(self.sizes) - 1
        for i in range(layers):
            z = z @ self.peers[2 * i].T + self.peers[2 * i + 1]
            z = theirs(self.activations[i == layers - 1], z)
        kind = None if self.loss_name == "cross_entropy" else torch.float64
        return getattr(torch.nn.functional, self.loss_name)(z, torch.tensor(y, dtype=kind))

    def batch(self) -> tuple[Any, Any]:
        """Draw inputs and targets."""
        rng, rows = self.rng, range(self.rng.randint(1, 2))
        x = [[rng.uniform(-2.0, 2.0) for _ in range(self.sizes[0])] for _ in rows]
        if self.loss_name == "cross_entropy":
            return x, [rng.randrange(self.sizes[-1]) for _ in rows]
        return x, [[rng.random() for _ in range(self.sizes[-1])] for _ in rows]

    def both_losses(self) -> tuple[Any, Any]:
        """Compute a random loss."""
        rng = self.rng
        if self.layered:
            x, y = self.batch()
            ours, other = self.f(self.model, x, y), self.their_loss(x, y)
        else:
            ours, other = 0.0, torch.zeros((), dtype=torch.float64)
        for x, tensor in zip(self.tensors, self.peers, strict=True):
            if rng.random() < (0.15 if self.layered else 0.6):
                flat, entries = mg_flat(x), tensor.reshape(-1)
                i, c = rng.randrange(len(flat)), rng.uniform(-2.0, 2.0)
                form = rng.randrange(3)
                if form == 0:  # a unit that is off or on
                    ours = ours + mg.relu(c - flat[i] * flat[i] * 4.0)
                    other = other + torch.relu(c - entries[i] * entries[i] * 4.0)
                elif form == 1:
                    ours = ours + c * mg.sum([p * p for p in flat])
                    other = other + c * (entries * entries).sum()
                else:
                    ours = ours + c * flat[i]
                    other = other + c * entries[i]
        return ours, other

    # A run.

    def step(self) -> None:
        """Take a step: gradients of one or two losses, and an update."""
        rng = self.rng
        self.change()
        clear = rng.choice([True, True, False, None, "model"])
        if clear == "model":
            self.model.zero_grad()
            for tensor in self.peers[:-1]:
                tensor.grad = None
        elif clear is not None:
            self.optimizer.zero_grad(set_to_none=clear)
            self.peer.zero_grad(set_to_none=clear)
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            ours, other = self.both_losses()
            assert (isinstance(ours, Value) and ours.requires_grad) == other.requires_grad
            if other.requires_grad:
                assert close(ours.data, other.item())
                ours.backward()
                other.backward()
        self.optimizer.step()
        self.peer.step()

    def change(self) -> None:
        """Change options, freeze a tensor, or resume the optimizer from a file."""
        rng = self.rng
        k = rng.randrange(len(self.members))
        mine, group = self.optimizer.param_groups[k], self.peer.param_groups[k]
        what = rng.randrange(8)
        if what == 0:
            mine["lr"] = group["lr"] = rng.choice([0.05, 0.02, 0.0])
        elif what == 1:
            mine["weight_decay"] = group["weight_decay"] = rng.choice([0.0, 0.1])
        elif what == 2:
            i = rng.randrange(len(self.peers))
            trained = not self.peers[i].requires_grad
            for p in mg_flat(self.tensors[i]):
                p.requires_grad, p.grad = trained, None
            self.peers[i].requires_grad_(trained)
            self.peers[i].grad = None
        elif what == 3:
            old = self.optimizer.state_dict()
            self.optimizer = self.kind(self.groups())  # which brings the options back
            self.optimizer.load_state_dict(json.loads(json.dumps(old)))
            assert self.optimizer.state_dict() == old
        elif what == 4:
            self.model.load_state_dict(json.loads(json.dumps(self.model.state_dict())))

    def check(self) -> None:
        """Compare all parameters, and the steps that each tensor has had."""
        for x, tensor in zip(self.tensors, self.peers, strict=True):
            found = [p.data for p in mg_flat(x)]
            assert all(map(close, found, tensor.detach().reshape(-1).tolist()))
        if self.kind is not SGD:
            steps = self.optimizer.state_dict()["state"].get("step", 0)
            of = dict.fromkeys(self.optimizer.params, steps)
            if isinstance(steps, list):
                of = dict(zip(self.optimizer.params, steps, strict=True))
            for x, tensor in zip(self.tensors, self.peers, strict=True):
                taken = self.peer.state[tensor]["step"] if tensor in self.peer.state else 0
                assert {of[p] for p in mg_flat(x)} == {int(taken)}


def close(x: float, y: float) -> bool:
    return math.isclose(x, y, rel_tol=1e-12, abs_tol=1e-12)


def data(x: Any) -> Any:
    return x.data if isinstance(x, Value) else [data(part) for part in x]


def mg_flat(x: Any) -> list[Value]:
    """Return the parameters of a tensor in a list."""
    return [x] if isinstance(x, Value) else [p for part in x for p in mg_flat(part)]


def run(seed: int) -> None:
    """Train."""
    training = Run(seed)
    for _ in range(training.rng.randint(2, 5)):
        training.step()
        training.check()


@pytest.mark.parametrize("number", range(BLOCKS))
@pytest.mark.usefixtures("stream")
def test_random_training_runs(number: int) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run_block(run, number, PROGRAMS)
    finally:
        torch.set_num_threads(threads)
