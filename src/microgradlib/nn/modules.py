"""Modules: the base class, and a neuron, a layer and a network of layers.

This file has all of a network's call, down to the primitives.
"""

from collections.abc import Callable, Mapping, Set
from itertools import repeat
from math import sqrt
from reprlib import recursive_repr
from typing import Any, Self

from microgradlib import functions, random
from microgradlib.absent import Absent
from microgradlib.core import table
from microgradlib.core.primitive import Primitive
from microgradlib.core.value import Value, apply
from microgradlib.errors import ShapeError, short
from microgradlib.functions.arguments import positive_number
from microgradlib.modes import forbid
from microgradlib.numeric.conversion import refuse_table, to_float
from microgradlib.parameters.finding import HasParameters, find
from microgradlib.parameters.parts import HasParts
from microgradlib.parameters.tensor import Parameter
from microgradlib.trees import on_rows


def _activation(primitive: Primitive) -> Callable[[Value], Value]:
    return lambda x: apply(primitive, (x,))


ACTIVATIONS: dict[str, Callable[[Value], Value]] = {
    "linear": Value.__pos__,
    "sigmoid": _activation(table.sigmoid),
    "tanh": _activation(table.tanh),
    "relu": _activation(table.relu),
    "leaky_relu": functions.leaky_relu,
    "elu": functions.elu,
    "gelu": _activation(table.gelu),
    "silu": _activation(table.silu),
    "softplus": _activation(table.softplus),
}


class Module(HasParts, Absent, absent="Module"):
    """Base class of everything with parameters; subclasses define ``forward``.

    Parameters are found among the attributes, in the order of their assignment: leaf Values,
    Modules, and lists, tuples or dicts of them. To change one, assign to its data: a computed Value
    or a number in its place raises a TypeError, in a list or dict when the module next looks for
    its parameters. A call of the module is a call of ``forward``.

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

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a module, but not in a function that is compiled."""
        forbid(f"{cls.__name__}()", "make the module outside")
        return super().__new__(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what ``forward`` returns."""
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines it."""
        raise NotImplementedError(
            f"{type(self).__name__}.forward: not defined; give the class a forward method"
        )

    @recursive_repr()
    def __repr__(self) -> str:
        """Return the module and its parts in PyTorch's layout."""
        parts = [*find(lambda x: isinstance(x, HasParameters), self)]
        return shown(self, [(name, repr(part)) for name, part in parts])

    def extra_repr(self) -> str:
        """Return what stands between the parentheses."""
        return ""


def shown(module: Module, parts: list[tuple[str, str]]) -> str:
    """Return the representation of a module with lines for its parts, each with its name."""
    lines = module.extra_repr().splitlines()
    name = type(module).__name__
    if not parts and len(lines) < 2:
        return f"{name}({''.join(lines)})"
    lines += [f"({part}): {text}" for part, text in parts]
    return "\n".join([f"{name}(", *["  " + x.replace("\n", "\n  ") for x in lines], ")"])


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
        self.nin = positive_number("Neuron: nin", nin)
        _activation_called("Neuron", activation)
        self.activation = activation
        bound = 1.0 / sqrt(self.nin)
        self.w = Parameter(random.uniform(-bound, bound, self.nin))
        self.b = Value(random.uniform(-bound, bound))

    def forward(self, x: Any) -> Any:
        """Return the output for ``nin`` numbers or Values, or the outputs for rows of them."""
        return _each_row(self._row, x)

    def _row(self, x: Any) -> Value:
        return _neurons("Neuron", x, [self.w], [self.b], self.activation)[0]

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"nin={self.nin}, activation={self.activation!r}"


class Linear(Module):
    """A fully connected layer without an activation: ``weight @ x + bias``.

    >>> layer = Linear(2, 3)
    >>> layer
    Linear(in_features=2, out_features=3, bias=True)
    >>> len(layer([1.0, 2.0]))
    3

    Args:
        in_features: the number of inputs, at least 1.
        out_features: the number of outputs, at least 1.
        bias: whether to add one.

    Attributes:
        weight: as many lists of Values as there are outputs, drawn from U(-1/sqrt(n), 1/sqrt(n)),
            where n is the number of inputs.
        bias: as many Values as there are outputs, drawn from the same; or None.

    Raises:
        TypeError: if a size is not an int.
        ValueError: if a size is < 1.

    Source: the default initialisation of PyTorch's ``nn.Linear``.
    """

    bias: Any

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        """Draw all weights, then the biases."""
        self.in_features = positive_number("Linear: in_features", in_features)
        self.out_features = positive_number("Linear: out_features", out_features)
        self._draw(self.in_features, self.out_features, bias)

    def _draw(self, nin: int, nout: int, bias: bool = True) -> None:
        bound = 1.0 / sqrt(nin)
        self.weight = Parameter(random.uniform(-bound, bound, (nout, nin)))
        self.bias = Parameter(random.uniform(-bound, bound, nout)) if bias else None

    def forward(self, x: Any) -> Any:
        """Return the outputs for a list of numbers or Values, or for each row of them."""
        return _each_row(self._row, x)

    def _row(self, x: Any) -> list[Value]:
        return _neurons("Linear", x, self.weight, self.bias, "linear")

    def extra_repr(self) -> str:
        """Return the arguments."""
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class Layer(Linear):
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

    Its attributes, and what it raises, are those of ``Linear``, and a ValueError if the activation
    is unknown.
    """

    def __init__(self, nin: int, nout: int, activation: str = "linear") -> None:
        """Draw all weights, then the biases."""
        self.nin = positive_number("Layer: nin", nin)
        self.nout = positive_number("Layer: nout", nout)
        _activation_called("Layer", activation)
        self.activation = activation
        self._draw(self.nin, self.nout)

    def _row(self, x: Any) -> list[Value]:
        return _neurons("Layer", x, self.weight, self.bias, self.activation)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"nin={self.nin}, nout={self.nout}, activation={self.activation!r}"


class MLP(Module):
    """A multi-layer perceptron: layers ``fc1``, ``fc2``, ... one after the other.

    >>> MLP(2, [3, 1])
    MLP(
      (fc1): Layer(nin=2, nout=3, activation='sigmoid')
      (fc2): Layer(nin=3, nout=1, activation='sigmoid')
    )

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
        if not isinstance(nouts, list | tuple) or not nouts:
            error = ValueError if isinstance(nouts, list | tuple) else TypeError
            raise error(f"MLP: nouts must be a list of sizes such as [2, 1], got {short(nouts)}")
        last = activation if output_activation is None else output_activation
        # Check everything before the first draw, so that an error does not advance the stream.
        for i, n in enumerate((nin, *nouts)):
            positive_number(f"MLP: nouts[{i - 1}]" if i else "MLP: nin", n)
        for name in (activation, last):
            _activation_called("MLP", name)
        activations = [*[activation] * (len(nouts) - 1), last]
        self._names = [f"fc{i + 1}" for i in range(len(nouts))]
        for i, name in enumerate(self._names):
            setattr(self, name, Layer((nin, *nouts)[i], nouts[i], activations[i]))

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        return [getattr(self, name) for name in self._names]

    def forward(self, x: Any) -> Any:
        """Return the outputs of the last layer for ``nin`` numbers or Values, or for each row."""
        for name in self._names:
            x = getattr(self, name)(x)
        return x


def _each_row(f: Callable[[Any], Any], x: Any) -> Any:
    """Return f of a row of numbers, or of each row of a batch."""
    return f(x) if type(x) is list and x and type(x[0]) in _USUAL else on_rows(f, x)


def _neurons(
    function: str, x: Any, weights: list[Any], biases: list[Any] | None, activation: str
) -> list[Value]:
    """Return activation(bias + weight[0] * x[0] + weight[1] * x[1] + ...) of each neuron."""
    if type(x) not in (list, tuple):
        refuse_table(function, x)
    try:
        if type(x) not in (list, tuple) and isinstance(x, Set | Mapping):
            raise TypeError  # a set has no order, and a dict holds more than its keys
        x = tuple(x)
    except TypeError:
        raise TypeError(
            f"{function}: expected a list of numbers or Values, got {short(x)}"
        ) from None
    if not {*map(type, x)} <= _USUAL:
        x = tuple([v if isinstance(v, Value) else to_float(function, v) for v in x])
    if biases is not None and len(biases) != len(weights):
        raise ShapeError(f"{function}: got {len(biases)} biases for {len(weights)} neurons")
    activate = _activation_called(function, activation)
    biased = biases is not None
    outputs = []
    for bias, weight in zip(biases or repeat(0.0), weights):  # noqa: B905 (as many as there are)
        if len(weight) != len(x):
            raise ShapeError(f"{function}: expected {len(weight)} inputs, got {len(x)}: {short(x)}")
        parameters = (bias, *weight)
        usual = {*map(type, parameters)} == _VALUES
        if not usual and (
            wrong := [p for p in parameters[not biased :] if not isinstance(p, Value)]
        ):
            raise TypeError(
                f"{function}: every parameter must be a Value, got {short(wrong[0])}; assign "
                "numbers to the data of the one that was there"
            )
        outputs.append(activate(apply(table.dot, (*parameters, *x))))
    return outputs


_VALUES = {Value}
_USUAL = {Value, float}


def _activation_called(function: str, name: Any) -> Callable[[Value], Value]:
    try:
        return ACTIVATIONS[name]
    except (KeyError, TypeError):  # a TypeError if it has no hash
        known = ", ".join(map(repr, ACTIVATIONS))
        raise ValueError(
            f"{function}: unknown activation {short(name)}; choose one of {known}"
        ) from None
