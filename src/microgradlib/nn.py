"""Neural networks: modules with parameters, and the losses that train them."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import lru_cache, partial
from inspect import unwrap
from math import sqrt
from reprlib import recursive_repr
from types import MethodType
from typing import Any, TypeAlias

from microgradlib import functions, primitives, random
from microgradlib.errors import ShapeError, StateDictError
from microgradlib.fusing import fuse
from microgradlib.instructions import row_of
from microgradlib.modes import locating, nested, recording, tracing
from microgradlib.primitives import to_float
from microgradlib.value import Operand, Value, binary, constant, look_at, node, record, set_data

__all__ = [
    "MLP",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Layer",
    "MSELoss",
    "Module",
    "Neuron",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "mse_loss",
]

Tree: TypeAlias = Any
"""Nested lists (or tuples, or dicts) of scalars."""

_NESTS = frozenset((list, tuple))

ACTIVATIONS: dict[str, Callable[[Value], Value]] = {
    "linear": Value.__pos__,
    "sigmoid": Value.sigmoid,
    "tanh": Value.tanh,
    "relu": Value.relu,
    "leaky_relu": functions.leaky_relu,
    "elu": functions.elu,
    "gelu": Value.gelu,
    "silu": Value.silu,
    "softplus": Value.softplus,
}

_SMOOTH: dict[Callable[[Value], Value], primitives.Primitive | None] = {
    Value.__pos__: None,
    Value.sigmoid: primitives.sigmoid,
    Value.tanh: primitives.tanh,
}
"""Those that are one row, or none, defined and selected everywhere."""


class Module:
    """Base class of everything with parameters; subclasses define ``forward``.

    Parameters are found among the attributes, in the order of their assignment: leaf Values,
    Modules, and lists, tuples or dicts of them. A call of the module is a call of ``forward``.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...     def forward(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> line(3.0).data
    7.0
    >>> line.state_dict()
    {'slope': 2.0, 'offset': 1.0}
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse slots, in which parameters would not be found."""
        super().__init_subclass__(**kwargs)
        if any(base.__dict__.get("__slots__") for base in cls.__mro__):
            raise TypeError(
                f"{cls.__name__}: parameters in __slots__ would not be found; leave out __slots__, "
                "or slots=True of a dataclass"
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what ``forward`` returns."""
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines it."""
        raise NotImplementedError(
            f"{type(self).__name__}.forward: not defined; give the class a forward method"
        )

    def parameters(self) -> list[Value]:
        """Return the parameters, each once, in the order of ``named_parameters``.

        >>> len(Layer(2, 3).parameters())
        9
        """
        return [p for _, p in self.named_parameters()]

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Yield each parameter with its name; a shared one only once, under its first name.

        >>> [name for name, _ in Layer(2, 1).named_parameters()]
        ['weight.0.0', 'weight.0.1', 'bias.0']
        """
        seen: set[Value] = set()
        for name, tree in self._entries():
            for path, p in _leaves(name, tree):
                if p not in seen:
                    seen.add(p)
                    yield path, p

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        for p in self.parameters():
            p.grad = 0.0

    def state_dict(self) -> dict[str, Tree]:
        """Return the data of the parameters by name, as nested lists like PyTorch's tensors.

        >>> list(MLP(2, [2, 1]).state_dict())
        ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']
        """
        return {name: _floats(nest) for name, nest in self._named_entries().items()}

    def load_state_dict(self, state: dict[str, Tree]) -> None:
        """Set the data of the parameters: all of them, or none if anything does not fit.

        >>> layer = Layer(2, 1)
        >>> layer.load_state_dict({"weight": [[1.0, 2.0]], "bias": [3.0]})
        >>> layer([1.0, 1.0])[0].data
        6.0

        Args:
            state: what ``state_dict()`` returned. PyTorch tensors and NumPy arrays are welcome.

        Raises:
            StateDictError: if a name is missing or unknown, or an entry has the wrong shape.
            TypeError: if ``state`` is not a dict, or an entry holds something but numbers.
        """
        name = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, dict):
            raise TypeError(f"{name}: expected a dict such as state_dict() returns, got {state!r}")
        entries = self._named_entries()
        missing = [key for key in entries if key not in state]
        unexpected = [key for key in state if key not in entries]
        if missing or unexpected:
            raise StateDictError(
                f"{name}: missing keys {missing}, unexpected keys {unexpected}; nothing was loaded"
            )
        new = [
            pair
            for key, nest in entries.items()
            for pair in _assignments(f"{name}: {key}", nest, state[key])
        ]
        set_data([p for p, _ in new], [data for _, data in new])

    def _flatten(
        self, where: str, leaves: dict[str, Operand]
    ) -> Callable[[Iterator[Any]], "Module"]:
        """Add the parameters to ``leaves``; return what builds such a module around others.

        This is how a module is an argument of ``grad``. Frozen parameters stay constant. A module
        counts as plain numbers, unless the derivative is nested in another one.
        """
        self._named_entries()  # refuses two of one name
        named = dict(self.named_parameters())
        for name, p in named.items():
            leaves[f"{where}.{name}"] = (
                p if nested() else p.data if tracing() is None else tracing().number(p)
            )

        def build(new: Iterator[Any]) -> Module:
            values = {p: _parameter(next(new), p.requires_grad) for p in named.values()}
            return _replace(self, values, {})  # type: ignore[no-any-return]

        return build

    def _named_entries(self) -> dict[str, Tree]:
        entries: dict[str, Tree] = {}
        taken: set[str] = set()
        for name, x in self._entries():
            names = {name, *[path for path, _ in _leaves(name, x)]}
            if twice := names & taken:
                raise StateDictError(
                    f"{type(self).__name__}: two parameters are named {min(twice)!r}; use other "
                    "keys in its dicts"
                )
            taken |= names
            entries[name] = x
        return entries

    def _entries(self) -> Iterator[tuple[str, Tree]]:
        """Yield (name, Value or nested list of Values) for what ``state_dict`` names."""
        for name, x in vars(self).items():
            yield from _walk(name, x, (self,))

    @recursive_repr()
    def __repr__(self) -> str:
        """Return the module and its parts in PyTorch's layout."""
        parts = [part for name, x in vars(self).items() for part in _parts(name, x)]
        lines = [f"  ({name}): {part!r}".replace("\n", "\n  ") for name, part in parts]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"]) if parts else self._summary()

    def _summary(self) -> str:
        """Return the representation of a module without parts."""
        return f"{type(self).__name__}()"


def _parameter(x: Any, requires_grad: bool) -> Any:
    """Return what stands for a parameter: a leaf, or a node of its own where x was computed."""
    if isinstance(x, float):
        return constant(x)
    if not isinstance(x, Value):  # of a Jacobian: a structure for each parameter
        return x
    if not requires_grad:
        return x.detach()
    return record(primitives.identity, (x,))


def _is_parameter(x: Tree) -> bool:
    return isinstance(x, Value) and (not x._op or x._op is primitives.identity)


def _replace(x: Any, values: dict[Value, Value], done: dict[int, Any]) -> Any:
    """Return a copy of x with other parameters; ``done`` holds the copies of modules by id."""
    if isinstance(x, Value):
        return values.get(x, x)
    if isinstance(x, tuple):
        make = getattr(x, "_make", type(x))  # of a named tuple
        return make([_replace(child, values, done) for child in x])
    new: Any
    if isinstance(x, list | dict):
        new = copy.copy(x)  # also of a subclass
        for key, child in _items(x):
            new[key] = _replace(child, values, done)
        return new
    if isinstance(x, MethodType) and isinstance(x.__self__, Module):
        return MethodType(x.__func__, _replace(x.__self__, values, done))
    if isinstance(x, partial):
        f, *args = [_replace(child, values, done) for child in (x.func, *x.args)]
        return type(x)(f, *args, **_replace(x.keywords, values, done))
    if not isinstance(x, Module):
        _refuse_wrapped_method(x)
        return x
    if id(x) not in done:
        done[id(x)] = new = object.__new__(type(x))
        vars(new).update(_replace(vars(x), values, done))
    return done[id(x)]


def _refuse_wrapped_method(x: Any) -> None:
    """Refuse a derivative, say, of a method, which would go on to use its old parameters."""
    method = unwrap(x)
    if isinstance(method, MethodType) and isinstance(method.__self__, Module):
        name = f"{type(method.__self__).__name__}.{method.__name__}"
        raise TypeError(
            f"an attribute of a module wraps the method {name} and would use the module's old "
            "parameters; wrap it in forward, where it is called"
        )


def _items(x: Tree) -> Iterator[tuple[object, Tree]]:
    return iter(x.items() if isinstance(x, dict) else enumerate(x))


def _is_nest(x: Tree) -> bool:
    """Whether x is a leaf Value (or stands for one), or nested lists of nothing else."""
    if isinstance(x, list | tuple):
        return bool(x) and all(map(_is_nest, x))
    return _is_parameter(x)


def _walk(name: str, x: Tree, above: tuple[Module, ...]) -> Iterator[tuple[str, Tree]]:
    if _is_nest(x):
        yield name, x
    elif isinstance(x, Module) and not any(x is module for module in above):
        for key, child in vars(x).items():
            yield from _walk(f"{name}.{key}", child, (*above, x))
    elif isinstance(x, list | tuple | dict):
        for index, child in _items(x):
            yield from _walk(f"{name}.{index}", child, above)


def _parts(name: str, x: Tree) -> Iterator[tuple[str, Module]]:
    if isinstance(x, Module):
        yield name, x
    elif isinstance(x, list | tuple | dict):
        for key, child in _items(x):
            yield from _parts(f"{name}.{key}", child)


def _leaves(name: str, nest: Tree) -> Iterator[tuple[str, Value]]:
    if isinstance(nest, Value):
        yield name, nest
    else:
        for i, x in enumerate(nest):
            yield from _leaves(f"{name}.{i}", x)


def _floats(nest: Tree) -> Tree:
    return nest.data if isinstance(nest, Value) else [_floats(x) for x in nest]


def _assignments(name: str, nest: Tree, data: Tree) -> Iterator[tuple[Value, float]]:
    """Pair each Value of a nest with the number at the same place of ``data``."""
    data = data.tolist() if hasattr(data, "tolist") else data
    if isinstance(nest, Value):
        if isinstance(data, list | tuple):
            raise StateDictError(f"{name}: expected a number, got {data!r}")
        yield nest, to_float(name, data, "a number")
    elif not isinstance(data, list | tuple) or len(data) != len(nest):
        raise StateDictError(f"{name}: expected a list of length {len(nest)}, got {data!r}")
    else:
        for i, (x, y) in enumerate(zip(nest, data, strict=True)):
            yield from _assignments(f"{name}[{i}]", x, y)


def _size(function: str, argument: str, n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"{function}: {argument} must be an int, got {n!r}; convert it with int()")
    if n < 1:
        raise ValueError(f"{function}: {argument} must be at least 1, got {n}")
    return n


def _activation(function: str, name: object) -> Callable[[Value], Value]:
    if not isinstance(name, str) or name not in ACTIVATIONS:
        known = ", ".join(map(repr, ACTIVATIONS))
        raise ValueError(f"{function}: unknown activation {name!r}; choose one of {known}")
    return ACTIVATIONS[name]


def _neurons(
    function: str,
    x: Any,
    weights: list[list[Value]],
    biases: list[Value],
    name: str,
) -> list[Value]:
    """Return activation(bias + weight[0] * x[0] + weight[1] * x[1] + ...) of each neuron."""
    try:
        if type(x) not in _NESTS and isinstance(x, Set | Mapping):
            raise TypeError  # they have no order, or hold more than numbers
        x = tuple(x)
    except TypeError:
        raise TypeError(f"{function}: expected a list of numbers or Values, got {x!r}") from None
    for weight in weights:
        if len(weight) != len(x):
            raise ShapeError(f"{function}: expected {len(weight)} inputs, got {len(x)}: {x!r}")
    if len(biases) != len(weights):
        raise ShapeError(f"{function}: got {len(biases)} biases for {len(weights)} neurons")
    activation = _activation(function, name)
    # This is record(primitives.dot, (bias, *weight, *x)) for each neuron, with what concerns x done
    # once for all of them: networks spend their time here.
    data, needed = look_at(function, x)
    mixed = True in needed and False in needed
    if mixed or not recording() or tracing() is not None:
        return [
            activation(record(primitives.dot, (bias, *weight, *x)))
            for weight, bias in zip(weights, biases, strict=True)
        ]
    row = _SMOOTH.get(activation)
    to_weights = (1.0, *data)
    outputs = []
    for weight, bias in zip(weights, biases):  # noqa: B905
        try:
            frozen = not bias.requires_grad  # no edge, even if it requires a gradient later
            y = bias.data  # what reductions.dot does, sooner
            for w, v in zip(weight, data):  # noqa: B905
                y += w.data * v
                if not w.requires_grad:
                    frozen = True
        except AttributeError:
            other = next(p for p in (bias, *weight) if not isinstance(p, Value))
            raise TypeError(
                f"{function}: every parameter must be a Value, got {other!r}; assign numbers to "
                "the data of the one that was there"
            ) from None
        if frozen:
            outputs.append(activation(record(primitives.dot, (bias, *weight, *x))))
            continue
        parameters = (bias, *weight)
        inputs = parameters + x
        if needed[0]:
            to_x = [w.data for w in weight]
            neuron = node(primitives.dot, inputs, inputs, y, (*to_weights, *to_x))
        else:
            neuron = node(primitives.dot, inputs, parameters, y, to_weights)
        if row is None:
            outputs.append(activation(neuron))
        else:  # what the activation does, sooner
            value, partials = row.value_and_partials(y)
            prev = (neuron,)
            outputs.append(node(row, prev, prev, value, partials))
    return outputs


class Neuron(Module):
    """One neuron: ``activation(w[0] * x[0] + w[1] * x[1] + ... + b)``.

    >>> random.manual_seed(42)
    >>> neuron = Neuron(2, "tanh")
    >>> neuron
    Neuron(nin=2, activation='tanh')
    >>> f"{neuron([1.0, 2.0]):.4f}"
    '0.9136'

    Args:
        nin: the number of inputs, at least 1.
        activation: a name from ``ACTIVATIONS``; "linear" is the identity.

    Attributes:
        w: the weights, drawn from U(-1/sqrt(nin), 1/sqrt(nin)).
        b: the bias, drawn from the same.

    Raises:
        TypeError: if nin is not an int.
        ValueError: if nin < 1 or the activation is unknown.
    """

    def __init__(self, nin: int, activation: str = "linear") -> None:
        """Draw the weights, then the bias."""
        self.nin = _size("Neuron", "nin", nin)
        _activation("Neuron", activation)
        self.activation = activation
        bound = 1.0 / sqrt(nin)
        self.w = [Value(random.uniform(-bound, bound)) for _ in range(nin)]
        self.b = Value(random.uniform(-bound, bound))

    def forward(self, x: Any) -> Value:
        """Return the output for ``nin`` numbers or Values."""
        return _neurons("Neuron", x, [self.w], [self.b], self.activation)[0]

    def _summary(self) -> str:
        return f"Neuron(nin={self.nin}, activation={self.activation!r})"


class Layer(Module):
    """A fully connected layer: ``nout`` neurons that share their inputs.

    >>> layer = Layer(2, 3, "relu")
    >>> layer
    Layer(nin=2, nout=3, activation='relu')
    >>> len(layer([1.0, 2.0]))
    3

    Args:
        nin: the number of inputs, at least 1.
        nout: the number of outputs, at least 1.
        activation: a name from ``ACTIVATIONS``; "linear" is the identity.

    Attributes:
        weight: nout lists of nin Values, drawn from U(-1/sqrt(nin), 1/sqrt(nin)).
        bias: nout Values, drawn from the same.

    Raises:
        TypeError: if nin or nout is not an int.
        ValueError: if nin or nout < 1, or the activation is unknown.

    Source: the default initialisation of PyTorch's ``nn.Linear``.
    """

    def __init__(self, nin: int, nout: int, activation: str = "linear") -> None:
        """Draw all weights, then the biases."""
        self.nin, self.nout = _size("Layer", "nin", nin), _size("Layer", "nout", nout)
        _activation("Layer", activation)
        self.activation = activation
        bound = 1.0 / sqrt(nin)
        self.weight = [
            [Value(random.uniform(-bound, bound)) for _ in range(nin)] for _ in range(nout)
        ]
        self.bias = [Value(random.uniform(-bound, bound)) for _ in range(nout)]

    def forward(self, x: Any) -> list[Value]:
        """Return ``nout`` outputs for ``nin`` numbers or Values."""
        return _neurons("Layer", x, self.weight, self.bias, self.activation)

    def _summary(self) -> str:
        return f"Layer(nin={self.nin}, nout={self.nout}, activation={self.activation!r})"


_LAYER_FORWARD = Layer.forward  # and not what somebody may put in its place


class MLP(Module):
    """A multi-layer perceptron: layers ``fc1``, ``fc2``, ... one after the other.

    >>> MLP(2, [3, 1])
    MLP(
      (fc1): Layer(nin=2, nout=3, activation='sigmoid')
      (fc2): Layer(nin=3, nout=1, activation='sigmoid')
    )

    A small network with a single output records it as one node; ``draw`` and all who look inside
    find the nodes of its neurons.

    Args:
        nin: the number of inputs, at least 1.
        nouts: the number of outputs of each layer.
        activation: a name from ``ACTIVATIONS``, for all layers.
        output_activation: the same for the last layer; None for ``activation``.

    Attributes:
        layers: the layers, in order.

    Raises:
        TypeError: if a size is not an int.
        ValueError: if a size is < 1, nouts is empty, or an activation is unknown.
    """

    def __init__(
        self,
        nin: int,
        nouts: list[int],
        activation: str = "sigmoid",
        output_activation: str | None = None,
    ) -> None:
        """Make the layers."""
        if not isinstance(nouts, list | tuple):
            raise TypeError(f"MLP: nouts must be a list of sizes such as [2, 1], got {nouts!r}")
        if not nouts:
            raise ValueError("MLP: nouts must be a list of sizes such as [2, 1], got []")
        last = activation if output_activation is None else output_activation
        # Check everything before the first draw, so that a mistake leaves the stream as it was.
        for i, n in enumerate((nin, *nouts)):
            _size("MLP", f"nouts[{i - 1}]" if i else "nin", n)
        for name in (activation, last):
            _activation("MLP", name)
        sizes = [nin, *nouts]
        activations = [*[activation] * (len(nouts) - 1), last]
        self._shape = tuple(zip(sizes, nouts, activations, strict=False))
        self._names = [f"fc{i + 1}" for i in range(len(nouts))]
        for name, layer in zip(self._names, self._shape, strict=True):
            setattr(self, name, Layer(*layer))

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        return [getattr(self, name) for name in self._names]

    def forward(self, x: Any) -> list[Value]:
        """Return the outputs of the last layer."""
        # As one node, unless nothing is recorded or each operation is looked at.
        if recording() and not (nested() or locating() or tracing()):
            return _network(self._shape)(self, x)
        return _layer_by_layer(self, x)


def _layer_by_layer(model: MLP, x: Any) -> list[Value]:
    for name in model._names:
        x = getattr(model, name)(x)
    return x  # type: ignore[no-any-return]


_Shape: TypeAlias = tuple[tuple[int, int, str], ...]
"""Of each layer: the numbers of inputs and outputs, and the activation."""

_LARGEST_FUSED = 500  # parameters: with more of them, writing the code pays late


@lru_cache
def _network(shape: _Shape) -> Callable[[MLP, Any], list[Value]]:
    """Return the forward method of a recorded MLP: with one node, if small and of one output."""
    size = sum([(nin + 1) * nout for nin, nout, _ in shape])
    activations: list[Any] = [ACTIVATIONS.get(activation) for *_, activation in shape]
    smooth = all(activation in _SMOOTH for activation in activations)
    if size > _LARGEST_FUSED or shape[-1][1] > 1 or not smooth:
        return _layer_by_layer
    constants = [f"x{i}" for i in range(shape[0][0])]
    head = [f"{row_of(constants)} = x"]
    names = {"Layer": Layer, "forward": _LAYER_FORWARD, "activations": ACTIVATIONS}
    layers = []  # for each neuron the names of bias and weights
    for i, (nin, nout, _) in enumerate(shape, 1):
        layer, activation = f"fc{i}", f"activation{i}"
        names[activation] = activations[i - 1]
        biases = [f"b{i}_{j}" for j in range(nout)]
        weights = [[f"w{i}_{j}_{k}" for k in range(nin)] for j in range(nout)]
        method = f"own.__func__ is forward and own.__self__ is {layer}"
        same = f"{layer}.__class__ is Layer and activations[{layer}.activation] is {activation}"
        head += [
            f"{layer} = module.{layer}",
            f"own = {layer}.forward",
            f"if not ({method} and {same}): raise TypeError",
            f"{row_of(map(row_of, weights))} = {layer}.weight",
            f"{row_of(biases)} = {layer}.bias",
        ]
        layers.append([(bias, *weight) for bias, weight in zip(biases, weights, strict=True)])
    # A backward pass meets the last neuron first.
    leaves = [x for neurons in layers[::-1] for neuron in neurons[::-1] for x in neuron]
    places = {x: i for i, x in enumerate([*leaves, *constants])}
    steps: list[tuple[primitives.Primitive, tuple[int, ...]]] = []
    inputs = [places[x] for x in constants]
    for neurons, function in zip(layers, activations, strict=True):
        row = _SMOOTH[function]
        outputs = []
        for neuron in neurons:
            steps.append((primitives.dot, (*[places[x] for x in neuron], *inputs)))
            if row is not None:
                steps.append((row, (len(places) + len(steps) - 1,)))
            outputs.append(len(places) + len(steps) - 1)
        inputs = outputs
    if len(steps) == 1:  # which is one node anyhow
        return _layer_by_layer
    return fuse(_layer_by_layer, head, leaves, constants, steps, names)


# Losses: each averages over all outputs. Outputs and targets are scalars or nested lists of equal
# shape; plain numbers give a plain number.


def mse_loss(outputs: Tree, targets: Tree) -> Any:
    """Return the mean of (output - target)**2.

    >>> mse_loss([1.0, 2.0], [0.0, 4.0])
    2.5

    Args:
        outputs: a number or Value, or nested lists of them.
        targets: the same, of equal shape.

    Raises:
        ShapeError: if the shapes differ or there is nothing to average.
    """
    outputs, targets = _flatten("mse_loss", outputs, targets)
    if isinstance(outputs[0], Value):  # what the row would find out, sooner
        if len(outputs) == 1 and type(targets[0]) is float:  # as in training pattern by pattern
            return binary(primitives.mse, outputs[0], targets[0])
        return record(primitives.mse, (*outputs, *targets))
    return primitives.mse(*outputs, *targets)


def binary_cross_entropy(outputs: Tree, targets: Tree) -> Any:
    """Return the mean of -(target * log(output) + (1 - target) * log(1 - output)).

    >>> binary_cross_entropy([0.5], [1.0])
    0.6931471805599453

    Logarithms are cut off at -100, as in PyTorch.

    Args:
        outputs: probabilities, in [0, 1]: a number or Value, or nested lists of them.
        targets: in [0, 1], of equal shape.

    Raises:
        ShapeError: if the shapes differ or there is nothing to average.
        ValueError: if an output or target lies outside [0, 1].
    """
    outputs, targets = _flatten("binary_cross_entropy", outputs, targets)
    return functions.mean([primitives.bce(p, t) for p, t in zip(outputs, targets, strict=True)])


def binary_cross_entropy_with_logits(outputs: Tree, targets: Tree) -> Any:
    """Return the binary cross-entropy of sigmoid(output), for outputs of any size.

    >>> binary_cross_entropy_with_logits([1000.0], [0.0])
    1000.0

    Args:
        outputs: any numbers: a number or Value, or nested lists of them.
        targets: in [0, 1], of equal shape.

    Raises:
        ShapeError: if the shapes differ or there is nothing to average.
        ValueError: if a target lies outside [0, 1].
    """
    outputs, targets = _flatten("binary_cross_entropy_with_logits", outputs, targets)
    return functions.mean(
        [primitives.bce_with_logits(z, t) for z, t in zip(outputs, targets, strict=True)]
    )


def cross_entropy(logits: Tree, targets: Tree) -> Any:
    """Return the mean of -log_softmax(logits)[target].

    >>> cross_entropy([0.0, 0.0], 1)
    0.6931471805599453
    >>> cross_entropy([[0.0, 0.0], [9.0, 9.0]], [1, 0])
    0.6931471805599453

    Args:
        logits: a list of numbers or Values, one per class; or a list of such lists.
        targets: the index of the right class, from 0; or a list of as many. In a function that is
            compiled they may be arguments.

    Raises:
        ShapeError: if there are not as many targets as lists of logits.
        TypeError: if a target is not an int.
        ValueError: if a target is not the index of a class.
    """
    if not isinstance(targets, list | tuple):
        logits, targets = [logits], [targets]
    paired = isinstance(logits, list | tuple) and 0 < len(logits) == len(targets)
    if not paired or not all(map(_is_flat, logits)):
        raise ShapeError(
            f"cross_entropy: needs a list of logits for each target, got {logits!r} for {targets!r}"
        )
    losses = []
    for xs, target in zip(logits, targets, strict=True):
        if isinstance(target, Value):  # of a function that is compiled
            losses.append(-functions.select(functions.log_softmax(xs), target))
        elif isinstance(target, bool) or not isinstance(target, int):
            raise TypeError(
                f"cross_entropy: a target must be an int, got {target!r}; convert it with int()"
            )
        elif not 0 <= target < len(xs):
            raise ValueError(
                f"cross_entropy: target {target} is not the index of one of the logits {xs!r}"
            )
        else:
            losses.append(-primitives.log_softmax.entry(xs, target))
    return functions.mean(losses)


def _is_flat(xs: object) -> bool:
    return isinstance(xs, list | tuple) and not any(isinstance(x, list | tuple) for x in xs)


def _flatten(
    function: str, outputs: Tree, targets: Tree
) -> tuple[Sequence[Operand], Sequence[Operand]]:
    """Return the scalars of two equally nested lists, in the same order."""
    if type(outputs) in _NESTS and type(targets) in _NESTS and 0 < len(outputs) == len(targets):
        if type(outputs[0]) not in _NESTS and type(targets[0]) not in _NESTS:
            return outputs, targets
        pairs = [_flatten(function, x, y) for x, y in zip(outputs, targets, strict=True)]
        return [x for xs, _ in pairs for x in xs], [y for _, ys in pairs for y in ys]
    if type(outputs) in _NESTS or type(targets) in _NESTS:
        raise ShapeError(
            f"{function}: outputs and targets must be numbers, or lists or tuples of the same "
            f"shape, and not be empty, got {outputs!r} and {targets!r}"
        )
    return (outputs,), (targets,)


class MSELoss(Module):
    """``mse_loss`` as a module.

    >>> MSELoss()([1.0, 2.0], [0.0, 4.0])
    2.5
    """

    forward = staticmethod(mse_loss)


class BCELoss(Module):
    """``binary_cross_entropy`` as a module.

    >>> BCELoss()([0.5], [1.0])
    0.6931471805599453
    """

    forward = staticmethod(binary_cross_entropy)


class BCEWithLogitsLoss(Module):
    """``binary_cross_entropy_with_logits`` as a module.

    >>> BCEWithLogitsLoss()([1000.0], [0.0])
    1000.0
    """

    forward = staticmethod(binary_cross_entropy_with_logits)


class CrossEntropyLoss(Module):
    """``cross_entropy`` as a module.

    >>> CrossEntropyLoss()([0.0, 0.0], 1)
    0.6931471805599453
    """

    forward = staticmethod(cross_entropy)
