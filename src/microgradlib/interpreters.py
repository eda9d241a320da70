"""Interpreters: how operations are carried out, one class for each way.

The context variable in ``modes`` holds the one that is on; None is ordinary recording. All have the
same methods, so that nobody has to ask which one it is.
"""

import linecache
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from microgradlib.core import table
from microgradlib.core.backprop import partial_values
from microgradlib.core.nonfinite import refuse_nonfinite
from microgradlib.core.primitive import DOMAIN_ERRORS, Primitive
from microgradlib.core.value import Operand, Value, apply, constant, node
from microgradlib.modes import Ended, interpreter, interpreting, mode
from microgradlib.numeric.conversion import to_float, to_number

T = TypeVar("T")


class Interpreter:
    """Ordinary recording; the other interpreters say what they do differently.

    Attributes:
        records: whether results remember how they were computed.
        traces: whether what is computed becomes part of a compiled function: derivatives are then
            computed on Values, and compiled functions are called as they were written.
    """

    records = True
    traces = False

    def recording(self, on: bool) -> "Interpreter | None":
        """Return the interpreter that does the same, but records or does not."""
        return None if on else NO_GRAD

    def locating(self) -> "Interpreter":
        """Return the interpreter that does the same and remembers lines of source."""
        return Anomaly(self)

    # Operations.

    def apply(self, primitive: Primitive, inputs: tuple[Operand, ...]) -> Value:
        """Return what a primitive makes of Values and numbers."""
        with interpreting(None):
            return apply(primitive, inputs)

    def observe(self, function: Callable[..., T], operands: tuple[Any, ...]) -> T:
        """Return a function of the data of its operands, which has no derivative."""
        return function(*[x._data if isinstance(x, Value) else x for x in operands])

    def truth(self, condition: object) -> Operand:
        """Return 1 if a condition holds, else 0."""
        return 1.0 if condition else 0.0

    def detach(self, x: Value) -> Value:
        """Return a constant with the data of x."""
        return constant(x._data)

    def created(self, leaf: Value) -> None:
        """Note that a leaf was made."""

    def read(self, x: Value, name: str) -> Any:
        """Return an attribute of a Value for the user's code."""
        return getattr(x, f"_{name}")

    def assign(self, x: Value, name: str) -> None:
        """Refuse an assignment to an attribute of a Value that would not be repeated."""

    def forbid(self, call: str, remedy: str) -> None:
        """Raise an error if a call would not become part of what is computed."""

    def loop(self, steps: Any) -> Any:
        """Carry out a loop at once; return None if it is to be carried out step by step."""

    # Derivatives.

    def differentiating(self, name: str) -> None:
        """Note that a derivative is taken."""

    def input(self, x: Operand) -> Value:
        """Return a node of its own for an argument, so that only paths through it are counted."""
        if not isinstance(x, Value):
            return Value(x)
        if x._requires_grad and self.records:
            return apply(table.identity, (x,))
        return Value(x._data, x._label)

    def number(self, x: Value) -> Any:
        """Return the number of a Value, as a number on which no derivative depends."""
        return x._data

    def partials(self, node: Value) -> Sequence[Any]:
        """Return the partials of a node as functions of its inputs."""
        return partial_values(node)

    def check_finite(
        self,
        function: str,
        roots: Iterable[Value],
        wanted: Iterable[Value],
        derivatives: Sequence[Operand],
        order: Sequence[Value],
        found: Mapping[Value, Operand],
    ) -> None:
        """Refuse results and derivatives that are infinite or NaN."""
        numbers = {x: y.data if isinstance(y, Value) else y for x, y in found.items()}
        refuse_nonfinite(function, roots, wanted, order, numbers)


def _attribute(name: str, doc: str, check: Callable[[Any], Any] | None = None) -> property:
    """Return the property of a Value for an attribute, of which the interpreter is told."""
    slot = Value.__dict__[f"_{name}"]
    get, assign = attrgetter(f"_{name}"), slot.__set__

    def read(self: Value) -> Any:
        current = interpreter()
        return get(self) if current is None else current.read(self, name)

    def write(self: Value, x: Any) -> None:
        if (current := interpreter()) is not None:
            current.assign(self, name)
        assign(self, x if check is None else check(x))

    return property(read, write, doc=doc)


def _number(x: Any) -> float:
    each = "assign one to each Value"
    return x if type(x) is float else to_number("Value.data", x, each=each)


_DATA = "The number. Any real number may be assigned."
_FLAG = "Whether gradients flow to or through this value."
Value.data = _attribute("data", _DATA, _number)  # type: ignore[assignment]
Value.grad = _attribute("grad", "What ``backward()`` wrote.")
Value.label = _attribute("label", "A name.")  # type: ignore[assignment]
Value.requires_grad = _attribute("requires_grad", _FLAG)  # type: ignore[assignment]

RECORDING = Ended.ordinary = Interpreter()


def current() -> Any:
    """Return the interpreter that is on."""
    return interpreter() or RECORDING


class NoGrad(Interpreter):
    """Computing without recording."""

    records = False

    def apply(self, primitive: Primitive, inputs: tuple[Operand, ...]) -> Value:
        """Return a constant."""
        data = [
            x._data if type(x) is Value else x if type(x) is float else _data_of(primitive, x)
            for x in inputs
        ]
        try:
            return node("", (), primitive.forward(*data), (), False)
        except DOMAIN_ERRORS as error:
            raise primitive.explain(error, data) from None


def _data_of(primitive: Primitive, x: Operand) -> float:
    return x._data if isinstance(x, Value) else to_float(primitive, x)


NO_GRAD = NoGrad()


@mode(lambda before: (before or RECORDING).recording(False))
def no_grad() -> None:
    """Compute without recording: results are constants.

    >>> x = Value(2.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False

    Also a decorator. It holds for the current thread or asyncio task only. In a generator it holds
    for the caller, too, until the generator leaves the ``with``; of several, each ends for itself.
    """


def user_place() -> tuple[str, int]:
    """Return the file and line of the code outside of the library that is running."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith((_PACKAGE, GENERATED)):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def shown_place(place: tuple[str, int]) -> str:
    """Return a file and line as errors show them, with the text of the line."""
    file, line = place
    code = linecache.getline(file, line).strip()
    return f"{file}, line {line}{': ' if code else ''}{code}"


class Located(int):
    """The serial number of a Value, with the place in the source that made it, or its tensor."""

    place: tuple[str, int]  # of what was made under ``detect_anomaly()``
    decided: tuple[str, int]  # where its data was first looked at under ``detect_anomaly()``
    tensor: int  # of a parameter that a module has found

    @property
    def origin(self) -> str:
        """The line of source that made the Value, as errors show it."""
        return f" ({shown_place(self.place)})"

    @property
    def decision(self) -> str:
        """The line of source that looked at the data, as errors show it."""
        return f" ({shown_place(self.decided)})"


class Anomaly(Interpreter):
    """Recording, or not, with the line of source that makes each Value."""

    def __init__(self, base: Interpreter) -> None:
        """Keep the interpreter that computes."""
        self.base = base

    @property
    def records(self) -> bool:  # type: ignore[override]
        """Whether results remember how they were computed."""
        return bool(self.base.records)

    def recording(self, on: bool) -> Interpreter:
        """Return the interpreter that does the same, but records or does not."""
        return Anomaly(self.base.recording(on) or RECORDING)

    def apply(self, primitive: Primitive, inputs: tuple[Operand, ...]) -> Value:
        """Return what a primitive makes of Values and numbers."""
        y = self.base.apply(primitive, inputs)
        self.created(y)
        return y

    def observe(self, function: Callable[..., T], operands: tuple[Any, ...]) -> T:
        """Return a function of data, and give the place to all that the operands come from.

        Nodes that have one are passed over with what they come from: it has one, too.
        """
        place = user_place()
        pending = [*operands]
        while pending:
            x = pending.pop()
            if isinstance(x, Value) and not hasattr(x._serial, "decided"):
                serial = x._serial if isinstance(x._serial, Located) else Located(x._serial)
                serial.decided = place
                x._serial = serial
                pending += x._inputs
        return super().observe(function, operands)

    def detach(self, x: Value) -> Value:
        """Return a constant with the data of x."""
        y = constant(x._data)
        self.created(y)
        return y

    def created(self, node: Value) -> None:
        """Give a new Value its place."""
        serial = Located(node._serial)
        serial.place = user_place()
        node._serial = serial


_PACKAGE = str(Path(__file__).parent)
GENERATED = "<compiled "
"""How the names of files begin that hold generated code."""


@mode(lambda before: (before or RECORDING).locating())
def detect_anomaly() -> None:
    """Record the line of source that makes each Value, and name it in errors and explanations.

    >>> from microgradlib import NonFiniteError
    >>> with detect_anomaly():
    ...     y = Value(0.0, label="x").sqrt()
    >>> try:
    ...     y.backward()
    ... except NonFiniteError as error:
    ...     print(str(error).split(" (")[0])
    backward: the derivative of sqrt(x) with respect to x is inf

    The rest of that message is the file, the number of the line and its text. Also a decorator. It
    holds for the current thread or asyncio task only; recording takes several times as long as
    computing does.
    """
