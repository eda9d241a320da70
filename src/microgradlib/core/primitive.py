"""What a primitive is: an operation on floats, with the rule for its partial derivatives.

The rule is written once, as a function of the output and the inputs, in terms of operators and
other primitives. On floats it gives floats; on operands that have a hook (``Value``, and the
symbols of a compiled function) it gives what that hook returns. So one rule serves backpropagation,
gradients of gradients and compiling. It never branches: kinks are primitives (``above``, ``sign``).
"""

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, NamedTuple, Self, TypeVar

from microgradlib.notes import NEEDS, called, lr_hint, sign_of, written
from microgradlib.numeric.conversion import to_float

T = TypeVar("T")

PRIMITIVES: dict[str, "Primitive"] = {}
"""Every primitive of the table by name, in its order."""

FLOAT_NAMES: dict[str, Any] = {}
"""The names of the table's module, each primitive replaced by its function on floats."""


class Interval(NamedTuple):
    """The numbers from ``low`` to ``high`` on which one input of a primitive is defined."""

    low: float
    high: float


DOMAIN_ERRORS = (ValueError, ZeroDivisionError, OverflowError)
"""What the forward functions raise where they are not defined, as those of ``math`` do."""


class Primitive(str):
    """One operation, its partial derivatives, and where it is defined.

    The string itself is what a drawn graph shows ("+", "tanh").

    >>> from microgradlib.core.table import multiply
    >>> multiply(3.0, 4.0)
    12.0
    >>> multiply.rule(12.0, 3.0, 4.0)
    (4.0, 3.0)

    Args:
        name: the name, unique in the table.
        forward: the operation on floats.
        rule: ``(output, *inputs) -> one partial for each input``, None for an input that is a
            parameter of the operation and never differentiated.
        domain: an interval for each input, or one for all of them.
        selects: for how many inputs, from the first, a partial of exactly zero means that the input
            was not selected: there is no edge to it then.
        helper: whether only the rules of other primitives use it.
        both: the operation and its partials on floats at once, where that is much faster.
        slopes: the rule on floats, if it is not made from ``rule``.
        listed: whether it belongs to the table, or is a user's own: ``owner`` is its function then.
    """

    __slots__ = (
        *("backward", "both", "domain", "forward", "helper", "name"),
        *("owner", "rule", "selects", "slopes"),
    )
    name: str
    forward: Callable[..., float]
    rule: Callable[..., tuple[Any, ...]]
    slopes: Callable[..., tuple[float | None, ...]]
    domain: tuple[Interval, ...]
    selects: int
    helper: bool
    owner: Callable[..., Any] | None
    backward: Callable[..., bool] | None  # writes all gradients at once, or returns False
    both: Callable[..., tuple[float, tuple[float, ...]]] | None

    def __new__(
        cls,
        name: str,
        forward: Callable[..., float],
        rule: Callable[..., tuple[Any, ...]],
        *domain: Interval,
        selects: int = 0,
        helper: bool = False,
        both: Callable[..., tuple[float, tuple[float, ...]]] | None = None,
        slopes: Callable[..., tuple[float | None, ...]] | None = None,
        listed: bool = True,
    ) -> Self:
        """Make a primitive, and add it to the table."""
        self = super().__new__(cls, sign_of(name) if listed else name)
        self.name = name
        self.forward = forward
        self.rule = rule
        # A rule of the table on floats: the same code, with functions on floats for primitives.
        self.slopes = slopes or FunctionType(rule.__code__, FLOAT_NAMES)
        self.domain = domain
        self.selects = selects
        self.both = both
        self.helper = helper
        self.owner = self.backward = None
        if listed:
            PRIMITIVES[name] = self
        return self

    def __call__(self, *inputs: T) -> T:
        """Compute the operation on floats, or as the hook of an operand that has one does it."""
        for x in inputs:
            if type(x) is not float and (hook := getattr(x, "_apply", None)):
                return hook(self, inputs)  # type: ignore[no-any-return]
        data = [x if type(x) is float else to_float(self, x) for x in inputs]
        return self.evaluate(*data)  # type: ignore[return-value, arg-type]

    def entry(self, xs: Sequence[T], i: int) -> T:
        """Return the entry of xs[i], from a primitive that gives the entry of its first input."""
        return self(xs[i], *xs[:i], *xs[i + 1 :])

    def evaluate(self, *data: float) -> float:
        """Compute the operation on floats; an error names the operation and its inputs."""
        try:
            return self.forward(*data)
        except DOMAIN_ERRORS as error:
            raise self.explain(error, data) from None

    def value_and_partials(self, *data: float) -> tuple[float, tuple[float | None, ...]]:
        """Compute the operation and its partials on floats."""
        try:
            if self.both is not None:
                return self.both(*data)
            y = self.forward(*data)
            return y, self.slopes(y, *data)
        except DOMAIN_ERRORS as error:
            raise self.explain(error, data) from None

    def explain(self, error: Exception, data: Sequence[float]) -> Exception:
        """Return an exception of the same type that names the operation, its inputs and remedy.

        Of a user's own operation it is the error itself, with a note.
        """
        if self.owner is not None:
            error.add_note(f"in {self.show(*data)}")
            return error
        if isinstance(error, OverflowError):
            reason = f"the result is too large for a float; scale the inputs down{lr_hint(data)}"
        elif isinstance(error, ZeroDivisionError):
            reason = "division by zero; keep the divisor away from 0"
        else:
            reason = f"not defined there; it needs {NEEDS.get(self.name, 'finite inputs')}"
        return type(error)(f"{self.show(*data)}: {reason}")

    def show(self, *inputs: object) -> str:
        """Return the call as a reader would write it: ``exp(2.0)``, ``1.0 / 3.0``."""
        return written(self, inputs) if self != self.name else called(self, inputs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name: there is one of each."""
        if self.owner:
            return getattr, (self.owner, self.name)
        return _by_name, (self.name,)


def _by_name(name: str) -> Primitive:
    return PRIMITIVES[name]
