"""Misuse, one row each: what is raised, the whole message, and that nothing was changed."""

import copy
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import microgradlib as mg
import microgradlib.math as mg_math
from microgradlib import Value, errors, nn, notes, optim, random
from microgradlib.core.table import PRIMITIVES
from microgradlib.errors import GradientError, NonFiniteError, ShapeError, StateDictError

# What the rows misuse. Every row must leave it as it was. It is Any, since a type checker would
# find most of the mistakes.
x: Any = Value(2.0)
y: Any = x * x
a: Any = Value(0.0, label="a")
with mg.no_grad():
    unrecorded: Any = x * x
layer: Any = nn.Layer(2, 1)
layer.load_state_dict({"weight": [[0.5, -0.5]], "bias": [0.25]})
sgd: Any = optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
adam: Any = optim.Adam(layer.parameters())
layer([1.0, 2.0])[0].backward()
sgd.step()
adam.step()
layer.load_state_dict({"weight": [[0.5, -0.5]], "bias": [0.25]})
layer.zero_grad()
neuron: Any = nn.Neuron(1)

Neuron: Any = nn.Neuron
Layer: Any = nn.Layer
MLP: Any = nn.MLP
SGD: Any = optim.SGD
Adam: Any = optim.Adam
AdamW: Any = optim.AdamW
any_mg: Any = mg
any_math: Any = math
v: Any = Value

ACTIVATIONS = ", ".join(map(repr, nn.ACTIVATIONS))
FLOAT = (
    "would drop the gradient; use .data for the number, or microgradlib.math instead of math to "
    "stay differentiable"
)
CONSTANT = (
    "is a constant (detached, computed under no_grad(), or from constants only); call it on a "
    "value computed from leaf Values"
)
GRAPH = (
    "copy/pickle: Value(data=4.0, grad=0.0) was computed (*) and belongs to a graph; copy leaf "
    "Values, or v.detach()"
)
RATE = " (lower the learning rate, if this is a training)"
NONFINITE = "use allow_nonfinite() to accept such results"
SEQUENCE = "a sequence of numbers or Values"
PLAIN = "pass v.data if it needs no gradient"
LOAD = "Layer.load_state_dict"
SHAPES = (
    "input and target must be numbers, or lists or tuples of the same shape, and not be empty, got"
)


def state(**changes: object) -> dict[str, object]:
    """Return the state dict of the layer, changed."""
    return {**layer.state_dict(), **changes}


def state_of(optimizer: Any, *, lr: object = 0.5, **changes: object) -> dict[str, object]:
    """Return its state dict, with another learning rate and changes of the state."""
    state = optimizer.state_dict()
    groups = [{**group, "lr": lr} for group in state["param_groups"]]
    return {"state": {**state["state"], **changes}, "param_groups": groups}


def exhausted() -> Iterator[Value]:
    parameters: Iterator[Value] = iter(layer.parameters())
    list(parameters)
    return parameters


Row = tuple[Callable[[], object], type[Exception], str]

VALUES: list[Row] = [
    (lambda: v(True), TypeError, "Value: expected a number, got True; pass a float"),
    (lambda: x + "3", TypeError, "unsupported operand type(s) for +: 'Value' and 'str'"),
    (lambda: "3" + x, TypeError, 'can only concatenate str (not "Value") to str'),
    (lambda: None * x, TypeError, "unsupported operand type(s) for *: 'NoneType' and 'Value'"),
    (lambda: x - 1j, TypeError, "unsupported operand type(s) for -: 'Value' and 'complex'"),
    (lambda: 1j / x, TypeError, "unsupported operand type(s) for /: 'complex' and 'Value'"),
    (lambda: x ** "2", TypeError, "unsupported operand type(s) for ** or pow(): 'Value' and 'str'"),
    (lambda: x % [1], TypeError, "unsupported operand type(s) for %: 'Value' and 'list'"),
    (lambda: x < "3", TypeError, "'<' not supported between instances of 'float' and 'str'"),
    (
        lambda: x >= None,
        TypeError,
        "'>=' not supported between instances of 'float' and 'NoneType'",
    ),
    (lambda: x[0], TypeError, "'Value' object is not subscriptable"),
    (lambda: float(x), TypeError, f"float(Value(data=2.0, grad=0.0)) {FLOAT}"),
    (lambda: any_math.exp(x), TypeError, f"float(Value(data=2.0, grad=0.0)) {FLOAT}"),
    (
        lambda: int(x),
        TypeError,
        "int(Value(data=2.0, grad=0.0)) would drop the gradient; use int(v.data)",
    ),
    (
        lambda: complex(x),
        TypeError,
        "complex(Value(data=2.0, grad=0.0)) would drop the gradient; use complex(v.data)",
    ),
    (
        lambda: x.detach().backward(),
        GradientError,
        f"backward: Value(data=2.0, grad=0.0) {CONSTANT}",
    ),
    (lambda: unrecorded.backward(), GradientError, f"backward: {unrecorded!r} {CONSTANT}"),
    (lambda: (x.detach() * 3.0).backward(), GradientError, f"backward: {v(6.0)!r} {CONSTANT}"),
    (lambda: copy.copy(y), TypeError, GRAPH),
    (lambda: copy.deepcopy([y]), TypeError, GRAPH),
    (lambda: pickle.dumps({"loss": y}), TypeError, GRAPH),
    (
        lambda: mg.sqrt(a).backward(),
        NonFiniteError,
        f"backward: the derivative of sqrt(a) with respect to a is inf; {NONFINITE}",
    ),
    (
        lambda: mg.sqrt(x - 2.0).backward(),
        NonFiniteError,
        f"backward: the derivative of sqrt(0.0) with respect to 0.0 is inf; {NONFINITE}",
    ),
    (
        lambda: (x * 1e308).backward(),
        NonFiniteError,
        f"backward: the value of 2.0 * 1e+308 is inf{RATE}; {NONFINITE}",
    ),
    (
        lambda: (x * 1e200 * 1e200 * 0.0).backward(),
        NonFiniteError,
        f"backward: the value of 2e+200 * 1e+200 is inf{RATE}; {NONFINITE}",
    ),
    (lambda: v("3"), TypeError, "Value: expected a number, got '3'; convert it with float()"),
    (lambda: v(None), TypeError, "Value: expected a number, got None; pass a float"),
    (lambda: v(1j), TypeError, "Value: expected a number, got 1j; pass a float"),
    (lambda: v([1.0]), TypeError, "Value: expected a number, got [1.0]; call it on each element"),
    (lambda: v(a), TypeError, f"Value: expected a number, got {a!r}; pass v.data"),
    (lambda: v(10**400), OverflowError, "Value: an int is too large for a float"),
    (lambda: v(1.0, 2.0), TypeError, "Value: label must be a str, got 2.0"),
    (lambda: x + 10**400, OverflowError, "+: an int is too large for a float"),
    (lambda: 10**400 * x, OverflowError, "*: an int is too large for a float"),
    (
        lambda: v(math.nan, "n").exp().backward(),
        NonFiniteError,
        f"backward: the value of the leaf 'n' is nan; {NONFINITE}",
    ),
    (
        lambda: (v(math.inf) * 0.5).backward(),
        NonFiniteError,
        f"backward: the value of a leaf is inf; {NONFINITE}",
    ),
]

FUNCTIONS: list[Row] = [
    (lambda: x / 0, ZeroDivisionError, "2.0 / 0.0: division by zero; keep the divisor away from 0"),
    (lambda: 1 / a, ZeroDivisionError, "1.0 / 0.0: division by zero; keep the divisor away from 0"),
    (lambda: x % a, ZeroDivisionError, "2.0 % 0.0: division by zero; keep the divisor away from 0"),
    (
        lambda: v(1000.0).exp(),
        OverflowError,
        "exp(1000.0): the result is too large for a float; scale the inputs down",
    ),
    (
        lambda: mg.sinh(1000),
        OverflowError,
        "sinh(1000.0): the result is too large for a float; scale the inputs down",
    ),
    (
        lambda: x**2000,
        OverflowError,
        "2.0 ** 2000.0: the result is too large for a float; scale the inputs down",
    ),
    (
        lambda: any_mg.exp("1"),
        TypeError,
        "exp: expected a number or a Value, got '1'; convert it with float()",
    ),
    (
        lambda: any_mg.atan2(x, "1"),
        TypeError,
        "atan2: expected a number or a Value, got '1'; convert it with float()",
    ),
    (
        lambda: mg.dot([x], [1.0, 2.0]),
        ShapeError,
        "dot: needs two sequences of one length, got 1 and 2",
    ),
    (
        lambda: any_mg.dot(x, x),
        TypeError,
        f"dot: expected {SEQUENCE}, got {x!r}; wrap it in a list",
    ),
    (
        lambda: any_mg.sum(x),
        TypeError,
        f"sum: expected {SEQUENCE}, got {x!r}; wrap it in a list",
    ),
    (
        lambda: any_mg.prod(x),
        TypeError,
        f"prod: expected {SEQUENCE}, got {x!r}; wrap it in a list",
    ),
    (
        lambda: any_mg.softmax(1.0),
        TypeError,
        f"softmax: expected {SEQUENCE}, got 1.0; wrap it in a list",
    ),
    (lambda: mg.mean([]), ValueError, "mean: needs at least one number, got an empty sequence"),
    (
        lambda: mg.softmax([]),
        ValueError,
        "softmax: needs at least one number, got an empty sequence",
    ),
    (
        lambda: mg.log_softmax(()),
        ValueError,
        "log_softmax: needs at least one number, got an empty sequence",
    ),
    (
        lambda: mg.logsumexp([]),
        ValueError,
        "logsumexp: needs at least one number, got an empty sequence",
    ),
    (
        lambda: any_mg.mean([x, "1"]),
        TypeError,
        "mean: expected a number or a Value, got '1'; convert it with float()",
    ),
    (
        lambda: mg.clip(x, 2, 1),
        ValueError,
        "clip: low must be <= high, got low=2.0 and high=1.0",
    ),
    (
        lambda: mg.clip(1.0, 0.0, math.nan),
        ValueError,
        "clip: low must be <= high, got low=0.0 and high=nan",
    ),
    (
        lambda: any_mg.clip(x, a, 1),
        TypeError,
        f"clip: low must be a plain number, got {a!r}; {PLAIN}",
    ),
    (
        lambda: any_mg.clip(x, 0, a),
        TypeError,
        f"clip: high must be a plain number, got {a!r}; {PLAIN}",
    ),
    (
        lambda: any_mg.dot([1.0], 3.0),
        TypeError,
        f"dot: expected {SEQUENCE}, got 3.0; wrap it in a list",
    ),
    (
        lambda: any_mg.leaky_relu(x, x),
        TypeError,
        f"leaky_relu: negative_slope must be a plain number, got {x!r}; {PLAIN}",
    ),
    (
        lambda: any_mg.elu(1.0, x),
        TypeError,
        f"elu: alpha must be a plain number, got {x!r}; {PLAIN}",
    ),
    (
        lambda: mg.gelu(x, "exact"),
        ValueError,
        "gelu: approximate must be 'none' or 'tanh', got 'exact'",
    ),
    (
        lambda: any_mg.where(x > 0, x, "1"),
        TypeError,
        "where: expected a number or a Value, got '1'; convert it with float()",
    ),
    (
        lambda: mg_math.dist([x], [1.0, 2.0]),
        ShapeError,
        "dist: needs two points of one dimension, got 1 and 2",
    ),
    (
        lambda: any_mg.manual_seed("42"),
        TypeError,
        "manual_seed: seed must be an int, got '42'; convert it with int()",
    ),
    (lambda: mg.log(-1), ValueError, "log(-1.0): not defined there; it needs x > 0"),
    (lambda: a.log(), ValueError, "log(0.0): not defined there; it needs x > 0"),
    (lambda: mg.asin(x), ValueError, "asin(2.0): not defined there; it needs -1 <= x <= 1"),
    (lambda: mg.acosh(0.5), ValueError, "acosh(0.5): not defined there; it needs x >= 1"),
    (lambda: mg.atanh(1), ValueError, "atanh(1.0): not defined there; it needs -1 < x < 1"),
    (
        lambda: v(-8.0) ** 0.5,
        ValueError,
        "(-8.0) ** 0.5: not defined there; it needs a base >= 0, or a whole number as exponent",
    ),
    (
        lambda: v(-3.0).gamma(),
        ValueError,
        "gamma(-3.0): not defined there; it needs x other than 0, -1, -2, ...",
    ),
    (lambda: mg.sin(math.inf), ValueError, "sin(inf): not defined there; it needs a finite x"),
    (
        lambda: any_mg.exp(None),
        TypeError,
        "exp: expected a number or a Value, got None; pass a float",
    ),
    (
        lambda: any_mg.sum([{1.0}]),
        TypeError,
        "sum: expected a number or a Value, got {1.0}; call it on each element",
    ),
    (
        lambda: any_mg.maximum(x, "1"),
        TypeError,
        "maximum: expected a number or a Value, got '1'; convert it with float()",
    ),
    (
        lambda: any_mg.clip(x, "0", 1),
        TypeError,
        "clip: low: expected a plain number, got '0'; convert it with float()",
    ),
    (
        lambda: any_mg.elu(x, None),
        TypeError,
        "elu: alpha: expected a plain number, got None; pass a float",
    ),
    (
        lambda: mg_math.frexp(x),
        TypeError,
        "frexp(Value(data=2.0, grad=0.0)) would drop the gradient; pass v.data",
    ),
    (
        lambda: mg_math.nextafter(1.0, a),
        TypeError,
        f"nextafter(1.0, {a!r}) would drop the gradient; pass v.data",
    ),
    (
        lambda: mg_math.ldexp(x, a),
        TypeError,
        f"ldexp: the exponent must be an int, got {a!r}",
    ),
    (
        lambda: mg_math.fmod(x, 0.0),
        ValueError,
        "fmod(2.0, 0.0): not defined there; it needs a finite x and a divisor other than 0",
    ),
    (
        lambda: mg_math.pow(a, -1.0),
        ValueError,
        "0.0 ** -1.0: division by zero; keep the divisor away from 0",
    ),
]

MODELS: list[Row] = [
    (
        lambda: layer(5.0),
        TypeError,
        "Layer: expected a list of numbers or Values, got 5.0",
    ),
    (
        lambda: layer({5.0}),
        TypeError,
        "Layer: expected a list of numbers or Values, got {5.0}",
    ),
    (
        lambda: neuron({"x": 5.0}),
        TypeError,
        "Neuron: expected a list of numbers or Values, got {'x': 5.0}",
    ),
    (lambda: layer([1.0]), ShapeError, "Layer: expected 2 inputs, got 1: (1.0,)"),
    (lambda: neuron([]), ShapeError, "Neuron: expected 1 inputs, got 0: ()"),
    (lambda: Neuron(0), ValueError, "Neuron: nin must be at least 1, got 0"),
    (lambda: Neuron(2.0), TypeError, "Neuron: nin must be an int, got 2.0; convert it with int()"),
    (
        lambda: Layer(2, "1"),
        TypeError,
        "Layer: nout must be an int, got '1'; convert it with int()",
    ),
    (
        lambda: Layer(True, 1),
        TypeError,
        "Layer: nin must be an int, got True; convert it with int()",
    ),
    (lambda: MLP([2], [1]), TypeError, "MLP: nin must be an int, got [2]; convert it with int()"),
    (lambda: MLP(2, [2, 0]), ValueError, "MLP: nouts[1] must be at least 1, got 0"),
    (
        lambda: MLP(2, []),
        ValueError,
        "MLP: nouts must be a list of sizes such as [2, 1], got []",
    ),
    (
        lambda: Neuron(2, "swish"),
        ValueError,
        f"Neuron: unknown activation 'swish'; choose one of {ACTIVATIONS}",
    ),
    (
        lambda: Layer(2, 1, None),
        ValueError,
        f"Layer: unknown activation None; choose one of {ACTIVATIONS}",
    ),
    (
        lambda: MLP(2, [1], output_activation="ReLU"),
        ValueError,
        f"MLP: unknown activation 'ReLU'; choose one of {ACTIVATIONS}",
    ),
    (
        lambda: layer(["1", 2.0]),
        TypeError,
        "Layer: expected a number or a Value, got '1'; convert it with float()",
    ),
    (
        lambda: nn.mse_loss([x], [1.0, 2.0]),
        ShapeError,
        f"mse_loss: {SHAPES} [Value(data=2.0, grad=0.0)] and [1.0, 2.0]",
    ),
    (lambda: nn.mse_loss([1.0], 1.0), ShapeError, f"mse_loss: {SHAPES} [1.0] and 1.0"),
    (
        lambda: nn.BCELoss()([], []),
        ShapeError,
        f"binary_cross_entropy: {SHAPES} [] and []",
    ),
    (
        lambda: nn.BCEWithLogitsLoss()([[1.0]], [1.0]),
        ShapeError,
        f"binary_cross_entropy_with_logits: {SHAPES} [1.0] and 1.0",
    ),
    (
        lambda: nn.cross_entropy([0.5, 0.5], 2),
        ValueError,
        "cross_entropy: target 2 is not the index of one of the logits [0.5, 0.5]",
    ),
    (
        lambda: nn.cross_entropy([[0.5, 0.5]], [-1]),
        ValueError,
        "cross_entropy: target -1 is not the index of one of the logits [0.5, 0.5]",
    ),
    (
        lambda: nn.cross_entropy([0.5, 0.5], 1.0),
        TypeError,
        "cross_entropy: a target must be an int, got 1.0; convert it with int()",
    ),
    (
        lambda: nn.cross_entropy([[0.5, 0.5]], [0, 1]),
        ShapeError,
        "cross_entropy: needs a list of logits for each target, got [[0.5, 0.5]] for [0, 1]",
    ),
    (
        lambda: nn.cross_entropy([], []),
        ShapeError,
        "cross_entropy: needs a list of logits for each target, got [] for []",
    ),
    (
        lambda: nn.Module()(1.0),
        NotImplementedError,
        "Module.forward: not defined; give the class a forward method",
    ),
    (
        lambda: layer.load_state_dict({}),
        StateDictError,
        f"{LOAD}: missing keys ['weight', 'bias'], unexpected keys []; nothing was loaded",
    ),
    (
        lambda: layer.load_state_dict(state(scale=1.0)),
        StateDictError,
        f"{LOAD}: missing keys [], unexpected keys ['scale']; nothing was loaded",
    ),
    (
        lambda: layer.load_state_dict(state(weight=[[9.0, 9.0, 9.0]])),
        StateDictError,
        f"{LOAD}: weight[0]: expected a list of length 2, got [9.0, 9.0, 9.0]",
    ),
    (
        lambda: layer.load_state_dict(state(weight=[9.0, 9.0])),
        StateDictError,
        f"{LOAD}: weight: expected a list of length 1, got [9.0, 9.0]",
    ),
    (
        lambda: layer.load_state_dict({"weight": [[9.0, 9.0]], "bias": [[1.0]]}),
        StateDictError,
        f"{LOAD}: bias[0]: expected a number, got [1.0]",
    ),
    (
        lambda: layer.load_state_dict("model.json"),
        TypeError,
        f"{LOAD}: expected a dict such as state_dict() returns, got 'model.json'",
    ),
    (
        lambda: MLP(2, 3),
        TypeError,
        "MLP: nouts must be a list of sizes such as [2, 1], got 3",
    ),
    (
        lambda: nn.mse_loss([x], ["1"]),
        TypeError,
        "mse_loss: expected a number or a Value, got '1'; convert it with float()",
    ),
    (
        lambda: nn.binary_cross_entropy([1.5], [1.0]),
        ValueError,
        (
            "binary_cross_entropy(1.5, 1.0): not defined there; it needs a probability "
            "and a target, both from 0 to 1"
        ),
    ),
    (
        lambda: nn.binary_cross_entropy([0.5], [2.0]),
        ValueError,
        (
            "binary_cross_entropy(0.5, 2.0): not defined there; it needs a probability "
            "and a target, both from 0 to 1"
        ),
    ),
    (
        lambda: nn.binary_cross_entropy_with_logits([x], [2.0]),
        ValueError,
        (
            "binary_cross_entropy_with_logits(2.0, 2.0): not defined there; it needs a "
            "target from 0 to 1"
        ),
    ),
    (
        lambda: nn.binary_cross_entropy_with_logits([x], [None]),
        TypeError,
        "binary_cross_entropy_with_logits: expected a number or a Value, got None; pass a float",
    ),
    (
        lambda: nn.cross_entropy([0.5, 0.5], [0, 1]),
        ShapeError,
        "cross_entropy: needs a list of logits for each target, got [0.5, 0.5] for [0, 1]",
    ),
    (
        lambda: nn.cross_entropy([[0.5, 0.5]], 0),
        ShapeError,
        "cross_entropy: needs a list of logits for each target, got [[0.5, 0.5]] for 0",
    ),
    (
        lambda: layer.load_state_dict({"weight": [[9.0, 9.0]], "bias": [None]}),
        TypeError,
        f"{LOAD}: bias[0]: expected a number, got None; pass a float",
    ),
    (
        lambda: layer.load_state_dict({"weight": [[9.0, 9.0]], "bias": [a]}),
        TypeError,
        f"{LOAD}: bias[0]: expected a number, got {a!r}; pass v.data",
    ),
]

OPTIMIZERS: list[Row] = [
    (lambda: SGD([], 0.1), ValueError, "SGD: params is empty; pass model.parameters()"),
    (lambda: Adam(exhausted()), ValueError, "Adam: params is empty; pass model.parameters()"),
    (
        lambda: SGD(layer, 0.1),
        TypeError,
        f"SGD: params must be an iterable of Values, got {layer!r}; pass model.parameters()",
    ),
    (
        lambda: SGD(x, 0.1),
        TypeError,
        f"SGD: params must be an iterable of Values, got {x!r}; pass model.parameters()",
    ),
    (
        lambda: SGD([x, y], 0.1),
        ValueError,
        "SGD: params[1] was computed (*); pass leaf Values",
    ),
    (
        lambda: AdamW([a, x, a]),
        ValueError,
        "AdamW: params[2] is listed twice; pass each Value once",
    ),
    (
        lambda: SGD([x, 1.0], 0.1),
        TypeError,
        "SGD: params[1] is 1.0; every parameter must be a Value; pass model.parameters()",
    ),
    (
        lambda: SGD(layer.state_dict(), 0.1),
        TypeError,
        "SGD: params[0] is 'weight'; every parameter must be a Value; pass model.parameters()",
    ),
    (lambda: SGD([x], "0.1"), TypeError, "SGD: lr must be a number, got '0.1'; pass a float"),
    (lambda: SGD([x], True), TypeError, "SGD: lr must be a number, got True; pass a float"),
    (lambda: SGD([x], a), TypeError, f"SGD: lr must be a number, got {a!r}; pass a float"),
    (
        lambda: SGD([x], 0.1, 0.9, 0.5, nesterov=True),
        ValueError,
        "SGD: nesterov needs momentum > 0 and dampening 0, got momentum=0.9 and dampening=0.5",
    ),
    (
        lambda: SGD([x], 0.1, nesterov=True),
        ValueError,
        "SGD: nesterov needs momentum > 0 and dampening 0, got momentum=0.0 and dampening=0.0",
    ),
    (lambda: Adam([x], betas=0.9), TypeError, "Adam: betas must be a pair of numbers, got 0.9"),
    (
        lambda: Adam([x], betas=(0.9, "1")),
        TypeError,
        "Adam: betas[1] must be a number, got '1'; pass a float",
    ),
    (
        lambda: sgd.load_state_dict({}),
        StateDictError,
        "SGD.load_state_dict: expected a state_dict() with 'state' and 'param_groups', got {}",
    ),
    (
        lambda: sgd.load_state_dict(state_of(sgd, momentum_buffer=[1.0])),
        StateDictError,
        "SGD.load_state_dict: 'momentum_buffer' must be a list of 3 numbers, got [1.0]",
    ),
    (
        lambda: sgd.load_state_dict(state_of(sgd, lr="0.5", momentum_buffer=[9.0] * 3)),
        TypeError,
        "SGD.load_state_dict: param_groups[0]: lr must be a number, got '0.5'; pass a float",
    ),
    (
        lambda: adam.load_state_dict(state_of(adam, step=0)),
        StateDictError,
        "Adam.load_state_dict: 'step' must be a positive int, got 0",
    ),
    (
        lambda: adam.load_state_dict(state_of(adam, step=2**63)),
        StateDictError,
        f"Adam.load_state_dict: 'step' must be a positive int, got {2**63}",
    ),
    (
        lambda: adam.load_state_dict(state_of(adam, exp_avg=None)),
        StateDictError,
        "Adam.load_state_dict: 'exp_avg' must be a list of 3 numbers, got None",
    ),
    (lambda: SGD([x], -0.1), ValueError, "SGD: lr must be finite, >= 0, got -0.1"),
    (lambda: SGD([x], math.nan), ValueError, "SGD: lr must be finite, >= 0, got nan"),
    (
        lambda: SGD([x], 10**309),
        ValueError,
        f"SGD: lr must be finite, >= 0, got 1{'0' * 56}...{'0' * 20}",
    ),
    (lambda: AdamW([x], eps=-1), ValueError, "AdamW: eps must be finite, >= 0, got -1"),
    (
        lambda: Adam([x], betas=(0.9, 1.0)),
        ValueError,
        "Adam: betas[1] must be finite, >= 0 and < 1, got 1.0",
    ),
    (
        lambda: SGD([x], 0.1, 0.9, nesterov="no"),
        TypeError,
        "SGD: nesterov must be True or False, got 'no'",
    ),
    (lambda: Adam([x], amsgrad=1), TypeError, "Adam: amsgrad must be True or False, got 1"),
    (
        lambda: sgd.load_state_dict(state_of(sgd) | {"state": {"exp_avg": [9.0] * 3, "step": 1}}),
        StateDictError,
        (
            "SGD.load_state_dict: 'state' must have the keys ['momentum_buffer'], got ['exp_avg', "
            "'step']; load what such an optimizer gave"
        ),
    ),
    (
        lambda: sgd.load_state_dict(state_of(sgd, momentum_buffer=[9.0, "9", 9.0])),
        TypeError,
        "SGD.load_state_dict: momentum_buffer[1] must be a number, got '9'; pass a float",
    ),
    (
        lambda: adam.load_state_dict(state_of(adam, exp_avg_sq=[9.0, 9.0, -1.0])),
        ValueError,
        "Adam.load_state_dict: exp_avg_sq[2] must be finite, >= 0, got -1.0",
    ),
    (
        lambda: adam.load_state_dict(state_of(adam, **{"1": 2})),
        StateDictError,
        (
            "Adam.load_state_dict: 'state' must have the keys ['step', 'exp_avg', 'exp_avg_sq'], "
            "got ['step', 'exp_avg', 'exp_avg_sq', '1']; load what such an optimizer gave"
        ),
    ),
]

FILES: list[Row] = [
    (
        lambda: mg.save({"w": [a]}, "model.json"),
        TypeError,
        f"save: state['w'][0] is {a!r}; pass state_dict(), which holds only numbers",
    ),
    (
        lambda: mg.save(layer, "model.json"),
        TypeError,
        f"save: state is {layer!r}; pass state_dict(), which holds only numbers",
    ),
    (
        lambda: mg.save({"steps": {1: 2.0}}, "model.json"),
        TypeError,
        "save: state['steps'] has the key 1; use strings as keys",
    ),
    (
        lambda: mg.load("model.json"),
        FileNotFoundError,
        "[Errno 2] No such file or directory: 'model.json'",
    ),
    (
        lambda: any_mg.save("model.json", {"w": 1.0}),
        TypeError,
        "save: path must be a file name, got {'w': 1.0}; call save(state, path)",
    ),
    (
        lambda: any_mg.load(3),
        TypeError,
        "load: path must be a file name, got 3; call load(path)",
    ),
    (
        lambda: mg.save({"w": 1.0}, "none/model.json"),
        FileNotFoundError,
        "[Errno 2] No such file or directory: 'none/model.json'",
    ),
]

DRAWN = "expected a Value or a list of Values, got"
DRAWINGS: list[Row] = [
    (lambda: any_mg.draw("x"), TypeError, f"draw: {DRAWN} 'x'; call draw(loss)"),
    (lambda: any_mg.draw(3.0), TypeError, f"draw: {DRAWN} 3.0; call draw(loss)"),
    (lambda: any_mg.draw([y, 3.0]), TypeError, f"draw: {DRAWN} [{y!r}, 3.0]; call draw(loss)"),
    (lambda: any_mg.draw(layer), TypeError, f"draw: {DRAWN} {layer!r}; call draw(loss)"),
    (lambda: mg.draw([]), ValueError, f"draw: {DRAWN} an empty one"),
    (lambda: mg.draw(y, model=3), TypeError, "draw: model must be a Module, got 3"),
    (lambda: mg.draw(y, model=nn.Layer), TypeError, f"draw: model must be a Module, got {Layer!r}"),
    (
        lambda: mg.draw(y, engine="neato"),
        ValueError,
        "draw: unknown engine 'neato'; choose one of None, 'dot', 'builtin'",
    ),
    (lambda: any_mg.draw(y, max_nodes=9.0), TypeError, "draw: max_nodes must be an int, got 9.0"),
    (lambda: mg.draw(y, max_nodes=True), TypeError, "draw: max_nodes must be an int, got True"),
    (lambda: mg.draw(y, max_nodes=0), ValueError, "draw: max_nodes must be at least 1, got 0"),
    (
        lambda: mg.draw(y, direction="up"),
        ValueError,
        "draw: unknown direction 'up'; choose one of None, 'right', 'down'",
    ),
    (
        lambda: mg.draw(y).save("graph.pdf"),
        ValueError,
        (
            "Drawing.save: no format for the suffix of 'graph.pdf'; use one of .svg, .png, .dot, "
            ".gv, .mmd, .mermaid, and convert an SVG to other formats"
        ),
    ),
    (
        lambda: any_mg.draw(y).save(3),
        TypeError,
        "Drawing.save: path must be a file name, got 3; call Drawing.save(path)",
    ),
    (
        lambda: mg.draw(y).save("no/such/place.dot"),
        FileNotFoundError,
        "[Errno 2] No such file or directory: 'no/such/place.dot'",
    ),
    (
        lambda: any_mg.explain(3.0),
        TypeError,
        "explain: expected a Value, got 3.0; call explain(loss)",
    ),
    (
        lambda: mg.explain(unrecorded),
        GradientError,
        (
            f"explain: {unrecorded!r} is a constant and has no gradient; explain a value computed "
            "from leaf Values"
        ),
    ),
    (lambda: mg.explain(y, model=3), TypeError, "explain: model must be a Module, got 3"),
    (
        lambda: any_mg.explain(y).why("x"),
        TypeError,
        "why: expected a Value, got 'x'; pass one that the result comes from",
    ),
]

ROWS = VALUES + FUNCTIONS + MODELS + OPTIMIZERS + FILES + DRAWINGS


def everything() -> object:
    """Return all that a mistake might have changed."""
    return (
        [(p.data, p.grad) for p in (x, y, a, *layer.parameters())],
        [(p.state_dict(), p.params) for p in (sgd, adam)],
        random.get_state(),
        mg.modes.recording(),
    )


@pytest.mark.parametrize(("mistake", "kind", "message"), ROWS, ids=[row[2] for row in ROWS])
def test_mistake(
    mistake: Callable[[], object],
    kind: type[Exception],
    message: str,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = everything()
    with pytest.raises(kind) as caught:
        mistake()
    assert type(caught.value) is kind
    assert str(caught.value) == message
    assert caught.value.__cause__ is None
    assert everything() == before
    assert not list(tmp_path.iterdir())


# For each primitive that is not defined everywhere: inputs outside, and what it says it needs.
NEEDS: dict[str, tuple[tuple[float, ...], str]] = {
    "fmod": ((math.inf, 1.0), "a finite x and a divisor other than 0"),
    "remainder": ((math.inf, 1.0), "a finite x and a divisor other than 0"),
    "power": ((-8.0, 0.5), "a base >= 0, or a whole number as exponent"),
    "power_c": ((-8.0, 0.5), "a base >= 0, or a whole number as exponent"),
    "log": ((0.0,), "x > 0"),
    "log2": ((0.0,), "x > 0"),
    "log10": ((0.0,), "x > 0"),
    "log1p": ((-1.0,), "x > -1"),
    "sqrt": ((-1.0,), "x >= 0"),
    "sin": ((math.inf,), "a finite x"),
    "cos": ((math.inf,), "finite inputs"),
    "tan": ((math.inf,), "a finite x"),
    "asin": ((2.0,), "-1 <= x <= 1"),
    "acos": ((2.0,), "-1 <= x <= 1"),
    "acosh": ((0.0,), "x >= 1"),
    "atanh": ((1.0,), "-1 < x < 1"),
    "gamma": ((-1.0,), "x other than 0, -1, -2, ..."),
    "lgamma": ((-1.0,), "x other than 0, -1, -2, ..."),
    "bce": ((2.0, 0.0), "a probability and a target, both from 0 to 1"),
    "bce_with_logits": ((0.0, 2.0), "a target from 0 to 1"),
    "softmax": ((math.inf, math.inf), "an input above -inf, and at most one inf"),
    "log_softmax": ((-math.inf, -math.inf), "an input above -inf, and at most one inf"),
    "select": ((1.0, 2.0, 2.0), "a whole number that counts the values from 0, last"),
}


def test_every_primitive_with_a_domain_of_its_own_is_listed() -> None:
    own = {row.name for row in PRIMITIVES.values() if row.name in notes.NEEDS}
    assert own == set(NEEDS) - {"cos"}


@pytest.mark.parametrize("name", NEEDS)
def test_domain_errors_say_what_is_needed(name: str) -> None:
    inputs, needs = NEEDS[name]
    row = PRIMITIVES[name]
    with pytest.raises(ValueError, match="not defined there") as caught:
        row(*inputs)
    assert str(caught.value) == f"{row.show(*inputs)}: not defined there; it needs {needs}"


BUILTIN = {
    mg.MicrogradError: Exception,
    mg.CompileError: TypeError,
    mg.GradcheckError: RuntimeError,
    mg.GradientError: RuntimeError,
    mg.NonFiniteError: FloatingPointError,
    mg.ShapeError: ValueError,
    mg.StateDictError: ValueError,
}


def test_every_error_is_also_the_one_of_python_that_a_reader_expects() -> None:
    public = {x for x in vars(errors).values() if isinstance(x, type)}
    assert public == set(BUILTIN)
    for error, builtin in BUILTIN.items():
        assert issubclass(error, builtin)
        assert issubclass(error, mg.MicrogradError)


def test_select_takes_whole_numbers() -> None:
    for index in ("1", 1.0, True, None):
        with pytest.raises(TypeError) as caught:
            mg.select([1.0, 2.0], index)  # type: ignore[arg-type]
        assert str(caught.value) == (
            f"select: index must be an int, got {index!r}; convert it with int()"
        )
    for i in (-1, 2):
        with pytest.raises(ValueError, match=rf"^select: index must lie in \[0, 2\), got {i}$"):
            mg.select([1.0, 2.0], i)
    with pytest.raises(TypeError) as caught:
        mg.select(1.0, 0)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "select: expected a sequence of numbers or Values, got 1.0; wrap it in a list"
    )
