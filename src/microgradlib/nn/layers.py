"""Layers of PyTorch that are a function with parameters or options."""

from itertools import repeat
from typing import Any

from microgradlib import random
from microgradlib.errors import short
from microgradlib.functions.arguments import nested, positive_number, whole_number
from microgradlib.functions.layers import sizes_of
from microgradlib.nn import functional
from microgradlib.nn.modules import Module
from microgradlib.parameters.tensor import Parameter


class Identity(Module):
    """Return the input, whatever the arguments of the module were.

    >>> Identity()([1.0, 2.0])
    [1.0, 2.0]
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take any arguments, as the layer in whose place it stands."""

    def forward(self, input: Any) -> Any:
        """Return the input."""
        return input


class Dropout(Module):
    """``functional.dropout`` while the module is in training; nothing after ``eval()``.

    >>> random.manual_seed(0)
    >>> Dropout(0.5)([1.0, 2.0, 3.0, 4.0])
    [0.0, 0.0, 6.0, 0.0]

    Args:
        p: the probability of 0, in [0, 1].
        inplace: accepted for PyTorch's sake; the input never changes.

    Raises:
        ValueError: if p is not in [0, 1].
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        """Keep the options."""
        self.p, self.inplace = functional.check_probability("Dropout", p), inplace

    def forward(self, input: Any) -> Any:
        """Return numbers of the same shape."""
        return functional.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"p={self.p}, inplace={self.inplace}"


class Embedding(Module):
    """A row of trained numbers for each index.

    >>> Embedding(10, 3)
    Embedding(10, 3)
    >>> len(Embedding(10, 3)([1, 2]))
    2

    Args:
        num_embeddings: the number of rows, at least 1.
        embedding_dim: their length, at least 1.
        padding_idx: the index of a row that is 0 and gets no gradient, from the end if negative.

    Attributes:
        weight: the rows, drawn from N(0, 1).

    Raises:
        TypeError: if an argument is not an int.
        ValueError: if a size is < 1, or there is no row ``padding_idx``.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        """Draw the rows."""
        n = self.num_embeddings = positive_number("Embedding: num_embeddings", num_embeddings)
        self.embedding_dim = positive_number("Embedding: embedding_dim", embedding_dim)
        if padding_idx is not None:
            if not -n <= whole_number("Embedding: padding_idx", padding_idx) < n:
                raise ValueError(
                    f"Embedding: padding_idx must be in [-{n}, {n}), got {short(padding_idx)}"
                )
            padding_idx %= n
        self.padding_idx = padding_idx
        rows = random.normal(0.0, 1.0, (n, self.embedding_dim))
        if padding_idx is not None:
            rows[padding_idx] = [0.0] * self.embedding_dim
        self.weight = Parameter(rows)

    def forward(self, input: Any) -> Any:
        """Return the row of an index, or of each index in nested lists or an array."""
        return functional.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """Return the arguments."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class LayerNorm(Module):
    """``functional.layer_norm`` with trained weights and biases.

    >>> LayerNorm(3)
    LayerNorm((3,), eps=1e-05, elementwise_affine=True, bias=True)

    Args:
        normalized_shape: the lengths of the innermost dimensions: an int or several.
        eps: what is added to the variance.
        elementwise_affine: whether there are weights, at first 1, and biases.
        bias: whether there are biases, at first 0.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        """Draw nothing."""
        self.normalized_shape = sizes_of("LayerNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        ones, zeros = [nested(repeat(x), self.normalized_shape) for x in (1.0, 0.0)]
        self.weight = Parameter(ones) if elementwise_affine else None
        self.bias = Parameter(zeros) if elementwise_affine and bias else None

    def forward(self, input: Any) -> Any:
        """Return numbers of the same shape."""
        parameters = self.weight, self.bias
        return functional.layer_norm(input, self.normalized_shape, *parameters, self.eps)

    def extra_repr(self) -> str:
        """Return the arguments."""
        affine = f"eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        return f"{self.normalized_shape}, {affine}, bias={self.bias is not None}"


class RMSNorm(Module):
    """``functional.rms_norm`` with trained weights.

    >>> RMSNorm(3)
    RMSNorm((3,), eps=None, elementwise_affine=True)

    Args:
        normalized_shape: the lengths of the innermost dimensions: an int or several.
        eps: what is added to the mean of squares; None stands for 2**-52.
        elementwise_affine: whether there are weights, at first 1.
    """

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True
    ) -> None:
        """Draw nothing."""
        self.normalized_shape = sizes_of("RMSNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        ones = nested(repeat(1.0), self.normalized_shape)
        self.weight = Parameter(ones) if elementwise_affine else None

    def forward(self, input: Any) -> Any:
        """Return numbers of the same shape."""
        return functional.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return the arguments."""
        affine = f"eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        return f"{self.normalized_shape}, {affine}"
