"""Contestants of the XOR benchmarks: an SGD step after each pattern, in several libraries.

All start from the same weights. A call of a training runs ``EPOCHS`` epochs and returns the loss of
the last step, so that one can see that all compute the same.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import micrograd.engine
import micrograd.nn
import torch

import microgradlib as mg
from microgradlib import nn, optim

INPUTS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
TARGETS = [[0.0], [1.0], [1.0], [0.0]]
EPOCHS = 250
STEPS = EPOCHS * len(INPUTS)
LR = 0.1
Training = Callable[[], float]
Patterns = list[tuple[Any, Any]]


def network() -> nn.MLP:
    """Return the network of the workshop notebook, with its first weights."""
    mg.manual_seed(42)
    return nn.MLP(2, [2, 1])


def flat() -> list[float]:
    """Return its weights as one list: fc1.weight, fc1.bias, fc2.weight, fc2.bias."""
    return [
        p.data for layer in network().layers for row in (*layer.weight, layer.bias) for p in row
    ]


# Loops that several contestants share.


def repetition(step: Callable[..., Any], weights: Any, patterns: Patterns) -> Training:
    """Train with a step that returns the loss and the new weights."""

    def train() -> float:
        nonlocal weights
        w = weights
        for _ in range(EPOCHS):
            for x, y in patterns:
                loss, w = step(w, x, y)
        weights = w
        return float(loss)

    return train


def descent(step: Callable[..., Any], weights: Any, patterns: Patterns) -> Training:
    """Train with a step that returns the loss and its gradient, as arrays."""

    def train() -> float:
        nonlocal weights
        w = weights
        for _ in range(EPOCHS):
            for x, y in patterns:
                loss, slopes = step(w, x, y)
                w = w - LR * slopes
        weights = w
        return float(loss)

    return train


# Ours.


def eager(number: Callable[[float], float] = float) -> Training:
    """Train with the plain public API, on patterns of floats or of ints."""
    model = network()
    loss_fn = nn.MSELoss()
    return loop(model, lambda x, y: loss_fn(model(x), y), number)


def compiled_loss() -> Training:
    """Train in the same loop, with the loss compiled."""
    model = network()
    loss_fn = nn.MSELoss()
    return loop(model, mg.compile(lambda x, y: loss_fn(model(x), y)))


def patterns_of(number: Callable[[float], float]) -> Patterns:
    """Return the patterns with their numbers as floats or as ints."""
    rows = zip(INPUTS, TARGETS, strict=True)
    return [([number(a) for a in x], [number(b) for b in y]) for x, y in rows]


def loop(
    model: nn.MLP, loss_of: Callable[..., mg.Value], number: Callable[[float], float] = float
) -> Training:
    optimizer = optim.SGD(model.parameters(), lr=LR)
    patterns = patterns_of(number)

    def train() -> float:
        for _ in range(EPOCHS):
            for x, y in patterns:
                loss = loss_of(x, y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return loss.data

    return train


def formula(w: Any, x: Any, y: Any, sigmoid: Callable[[Any], Any] = mg.sigmoid) -> Any:
    """Return the loss as a function of all weights, in operators."""
    h = sigmoid(w[0] * x[0] + w[1] * x[1] + w[4])
    g = sigmoid(w[2] * x[0] + w[3] * x[1] + w[5])
    e = sigmoid(w[6] * h + w[7] * g + w[8]) - y[0]
    return e * e


def compiled_gradient() -> Training:
    """Train with the compiled loss and gradient, and update a list of numbers."""
    gradient = mg.compile(mg.value_and_grad(formula))
    weights = flat()

    def train() -> float:
        nonlocal weights
        w = weights
        for _ in range(EPOCHS):
            for x, y in zip(INPUTS, TARGETS, strict=True):
                loss, slopes = gradient(w, x, y)
                w = [p - LR * slope for p, slope in zip(w, slopes)]  # noqa: B905 (timed)
        weights = w
        return float(loss)

    return train


def compiled_gradient_of_numbers() -> Training:
    """Train in the same way, with the weights as nine arguments and nine variables."""

    def loss_of(a, b, c, d, p, q, u, v, r, x0, x1, y):  # type: ignore[no-untyped-def]
        return formula((a, b, c, d, p, q, u, v, r), (x0, x1), (y,))

    gradient = mg.compile(mg.value_and_grad(loss_of, argnums=range(9)))
    weights = flat()
    patterns = [(*x, *y) for x, y in zip(INPUTS, TARGETS, strict=True)]

    def train() -> float:
        a, b, c, d, p, q, u, v, r = weights
        for _ in range(EPOCHS):
            for x0, x1, y in patterns:
                loss, slopes = gradient(a, b, c, d, p, q, u, v, r, x0, x1, y)
                da, db, dc, dd, dp, dq, du, dv, dr = slopes
                a -= LR * da
                b -= LR * db
                c -= LR * dc
                d -= LR * dd
                p -= LR * dp
                q -= LR * dq
                u -= LR * du
                v -= LR * dv
                r -= LR * dr
        weights[:] = a, b, c, d, p, q, u, v, r
        return float(loss)

    return train


def compiled_step() -> Training:
    """Train with loss, gradient and update compiled as one function."""
    gradient = mg.value_and_grad(formula)

    def step(w: list[Any], x: Any, y: Any) -> Any:
        loss, slopes = gradient(w, x, y)
        return loss, [p - LR * slope for p, slope in zip(w, slopes, strict=True)]

    patterns = list(zip(INPUTS, TARGETS, strict=True))
    return repetition(mg.compile(step), flat(), patterns)


def by_hand() -> Training:
    """Train with everything written out: floats, and no calls but exp."""
    weights = flat()
    exp = math.exp
    patterns = [(*x, *y) for x, y in zip(INPUTS, TARGETS, strict=True)]

    def train() -> float:
        a, b, c, d, p, q, u, v, r = weights
        for _ in range(EPOCHS):
            for x0, x1, y in patterns:
                h = 1.0 / (1.0 + exp(-(a * x0 + b * x1 + p)))
                g = 1.0 / (1.0 + exp(-(c * x0 + d * x1 + q)))
                o = 1.0 / (1.0 + exp(-(u * h + v * g + r)))
                e = o - y
                do = LR * 2.0 * e * o * (1.0 - o)
                dh = do * u * h * (1.0 - h)
                dg = do * v * g * (1.0 - g)
                u -= do * h
                v -= do * g
                r -= do
                a -= dh * x0
                b -= dh * x1
                p -= dh
                c -= dg * x0
                d -= dg * x1
                q -= dg
        weights[:] = a, b, c, d, p, q, u, v, r
        return e * e

    return train


# Peers.


def copy_weights(ours: nn.MLP, theirs: micrograd.nn.MLP) -> None:
    """Give a micrograd network the weights of ours."""
    for layer, our_layer in zip(theirs.layers, ours.layers, strict=True):
        rows = zip(layer.neurons, our_layer.weight, our_layer.bias, strict=True)
        for neuron, weight, bias in rows:
            for p, x in zip(neuron.parameters(), (*weight, bias), strict=True):
                p.data = x.data


class SigmoidNeuron(micrograd.nn.Neuron):  # type: ignore[misc]
    """A micrograd neuron with a sigmoid, which micrograd lacks, written the way it writes relu."""

    def __call__(self, x: list[Any]) -> Any:
        act = sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b)
        s = 1.0 / (1.0 + math.exp(-act.data))
        out = micrograd.engine.Value(s, (act,), "sigmoid")

        def _backward() -> None:
            act.grad += s * (1.0 - s) * out.grad

        out._backward = _backward
        return out


def with_micrograd(number: Callable[[float], float] = float) -> Training:
    """Train as micrograd's demo notebook does, on patterns of floats or of ints."""
    model = micrograd.nn.MLP(2, [2, 1])
    for layer in model.layers:
        layer.neurons = [SigmoidNeuron(2) for _ in layer.neurons]
    copy_weights(network(), model)
    patterns = patterns_of(number)

    def train() -> float:
        for _ in range(EPOCHS):
            for x, y in patterns:
                loss = (model(x) - y[0]) ** 2
                model.zero_grad()
                loss.backward()
                for p in model.parameters():
                    p.data -= LR * p.grad
        return float(loss.data)

    return train


class TorchNet(torch.nn.Module):  # type: ignore[misc]
    """The network of the workshop notebook."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = torch.nn.Linear(2, 2)
        self.fc2 = torch.nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.sigmoid(self.fc1(x))
        return torch.sigmoid(self.fc2(x))


def with_torch(with_loader: bool) -> Training:
    """Train as a PyTorch notebook does, over the rows of tensors or through a DataLoader."""
    torch.manual_seed(42)  # for the weights of network()
    model = TorchNet()
    loss_fn = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    dataset = torch.utils.data.TensorDataset(torch.tensor(INPUTS), torch.tensor(TARGETS))
    loader: Iterable[Any] = dataset
    if with_loader:
        loader = torch.utils.data.DataLoader(dataset, batch_size=1)

    def train() -> float:
        for _ in range(EPOCHS):
            for x, y in loader:
                loss = loss_fn(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return float(loss.detach())

    return train


def with_jax() -> Training:
    """Train with a jitted step that includes the update of the weights."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    @jax.jit  # type: ignore[untyped-decorator]
    def step(w: Any, x: Any, y: Any) -> Any:
        loss, slopes = jax.value_and_grad(formula)(w, x, y, jax.nn.sigmoid)
        return loss, w - LR * slopes

    weights = jnp.array(flat())
    patterns = [(jnp.array(x), jnp.array(y)) for x, y in zip(INPUTS, TARGETS, strict=True)]
    return repetition(step, weights, patterns)


def with_autograd() -> Training:
    """Train with HIPS autograd on the elements of a NumPy array."""
    import autograd
    import autograd.numpy as np

    def loss(w: Any, x: Any, y: Any) -> Any:
        hidden = 1.0 / (1.0 + np.exp(-(np.dot(np.reshape(w[:4], (2, 2)), x) + w[4:6])))
        output = 1.0 / (1.0 + np.exp(-(np.dot(w[6:8], hidden) + w[8])))
        return (output - y[0]) ** 2

    step = autograd.value_and_grad(loss)
    weights = np.array(flat())
    patterns = [(np.array(x), np.array(y)) for x, y in zip(INPUTS, TARGETS, strict=True)]
    return descent(step, weights, patterns)


def casadi_function() -> Any:
    import casadi

    w, x, y = casadi.SX.sym("w", 9), casadi.SX.sym("x", 2), casadi.SX.sym("y", 1)
    loss = formula(w, x, y, lambda z: 1.0 / (1.0 + casadi.exp(-z)))
    return casadi.Function("step", [w, x, y], [loss, casadi.gradient(loss, w)])


def with_casadi() -> Training:
    """Train with a CasADi function of loss and gradient, called in the usual way."""
    import casadi

    step = casadi_function()
    weights = casadi.DM(flat())
    patterns = [(casadi.DM(x), casadi.DM(y)) for x, y in zip(INPUTS, TARGETS, strict=True)]
    return descent(step, weights, patterns)


def with_casadi_buffers() -> Training:
    """Train with the same function, which reads and writes NumPy arrays in place."""
    import numpy as np

    step = casadi_function()
    buffer, call = step.buffer()
    weights, x, y = np.array(flat()), np.zeros(2), np.zeros(1)
    loss, slopes = np.zeros(1), np.zeros(9)
    for i, array in enumerate((weights, x, y)):
        buffer.set_arg(i, array.data)
    for i, array in enumerate((loss, slopes)):
        buffer.set_res(i, array.data)

    def train(alive: Any = (step, buffer)) -> float:  # CasADi does not keep them alive
        nonlocal weights
        for _ in range(EPOCHS):
            for (x[0], x[1]), (y[0],) in zip(INPUTS, TARGETS, strict=True):
                call()
                weights -= LR * slopes
        return float(loss[0])

    return train


CONTESTANTS: dict[str, Callable[[], Training]] = {
    "ours, eager": eager,
    "ours, compiled loss": compiled_loss,
    "ours, compiled gradient": compiled_gradient,
    "ours, gradient of numbers": compiled_gradient_of_numbers,
    "ours, compiled step": compiled_step,
    "written by hand": by_hand,
    "torch, rows": lambda: with_torch(with_loader=False),
    "torch, loader": lambda: with_torch(with_loader=True),
    "jax, jitted step": with_jax,
    "autograd": with_autograd,
    "micrograd": with_micrograd,
    "casadi": with_casadi,
    "casadi, buffers": with_casadi_buffers,
}
