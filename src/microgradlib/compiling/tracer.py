"""The tracer: records the operations of a function, and the decisions that it takes on the way."""

import copy
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite, isnan, nan
from typing import Any

from microgradlib.compiling.conditions import Condition
from microgradlib.compiling.decisions import COMPARISONS, Decision, Guard, is_compared
from microgradlib.compiling.graph import Graph
from microgradlib.compiling.looping import traced_loop
from microgradlib.compiling.source import RetraceError, UnknownError
from microgradlib.compiling.stepping import Carried, Steps, number_of
from microgradlib.compiling.symbols import Symbol
from microgradlib.compiling.traced import LEAKED, Number, Tracer
from microgradlib.core import table
from microgradlib.core.backprop import partials_with_edges
from microgradlib.core.operators import Operators
from microgradlib.core.primitive import Primitive
from microgradlib.core.value import Operand, Value, constant, next_serial
from microgradlib.errors import CompileError, NonFiniteError
from microgradlib.interpreters import Interpreter, current, user_place
from microgradlib.modes import interpreting, nonfinite_allowed, recording
from microgradlib.numeric.conversion import to_float
from microgradlib.trees import ARRAYS


class Trace(Interpreter):
    """Records all operations and decisions of a function, of which its source is written.

    Attributes:
        graph: the instructions that the recorded nodes become.
        known: whether loops are run to know their numbers; otherwise these are NaN.
        start: the serial number from which on Values belong to the trace.
        captured: the Values from outside that were used, and their symbols.
        guards: the decisions that were taken.
        risky: the symbols that may raise. They are computed even if nothing needs them.
        finite: the numbers for which eager evaluation raises if they are infinite or NaN.
        facts: the attributes of Values from outside, and of arguments, that were read.
        typed: the numbers whose class was asked for, which may be float or int.
        errors: the errors that were raised. The function may have caught them.
        places: each decision as its outcome, file and line; None where they are not asked for.
        derivatives: the names of the derivatives that were taken.
        nodes: all nodes.
        ways: the ways back through loops, by loop and results.
    """

    traces = True
    over = False  # whether the function has returned

    def __init__(self, graph: Graph, known: bool = True) -> None:
        """Start an empty trace."""
        self.graph = graph
        self.known = known
        self.records = recording()
        self.start = next_serial()
        self.captured: dict[Value, Symbol] = {}
        self.guards: list[Guard] = []
        self.risky: list[Symbol] = []
        self.finite: list[Operand] = []
        self.facts: dict[tuple[Value, str], Any] = {}
        self.typed: list[Number] = []
        self.errors: list[Exception] = []
        self.places: list[Decision] | None = None
        self.derivatives: list[str] = []
        self.nodes: list[Tracer] = []
        self.ways: dict[Any, Any] = {}

    def recording(self, on: bool) -> "Trace":
        """Return a trace into the same lists."""
        twin = copy.copy(self)
        twin.records = on
        return twin

    def locating(self) -> "Trace":
        """Return itself: the nodes of a trace are not kept."""
        return self

    # Operations.

    def argument(self, x: Operand, name: str) -> Tracer:
        """Return the tracer that stands for a number of the arguments."""
        symbol = self.graph.input(name)
        if not isinstance(x, Value):
            leaf = self.leaf(symbol, float(x), type(x))
        else:
            leaf = self.leaf(symbol, x._data)
            leaf._label, leaf._requires_grad = x._label, x._requires_grad
        leaf._given = x
        return leaf

    def leaf(self, symbol: Symbol, number: float, kind: Any = Value) -> Tracer:
        """Return the tracer that stands for an input."""
        symbol.number = number
        return self.node("", (), (), number, symbol, kind)

    def apply(self, primitive: Primitive, inputs: tuple[Operand, ...]) -> Tracer:
        """Record a node, also of constants, with edges to all inputs that need a gradient."""
        operands: list[Operand] = []
        data, symbols, edges, plain = [], [], [], True
        for x in inputs:
            if isinstance(x, Value):
                data.append(number_of(x))
                symbols.append(self.symbol(x))
                edges.append(x._requires_grad and self.records)
                plain = plain and x._plain
            else:
                x = to_float(primitive, x)
                data.append(x)
                symbols.append(x)
                edges.append(False)
            operands.append(x)
        if primitive.owner is not None:
            self._check_known(data)
        try:
            y = primitive.evaluate(*data)
        except Exception as error:
            self._check_known(data)
            self.errors.append(error)
            raise
        if self.graph.unknown and self._unknown(data):
            y = nan
        symbol = self.graph.apply(primitive, symbols)
        if type(symbol) is Symbol:
            symbol.number = y
            if symbol.template.risky:
                self.risky.append(symbol)
        partials = _unknown_partials(_rule(primitive), tuple(edges))
        return self.node(primitive, tuple(operands), partials, y, symbol, float if plain else Value)

    def observe(self, function: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
        """Return a function of the data, and note the outcome as a decision.

        A comparison of numbers is one once its truth is asked for.
        """
        if any(not isinstance(x, Value) and isinstance(x, ARRAYS) for x in operands):
            return NotImplemented  # the array then compares each entry
        if function in COMPARISONS and all(map(is_compared, operands)):
            return Condition(Guard(function, operands, None), self._decide)
        return self._outcome(function, operands)

    def _decide(self, guard: Guard) -> bool:
        if current().traces:
            return bool(self._outcome(guard.function, guard.operands))
        return bool(guard.function(*map(number_of, guard.operands)))

    def truth(self, condition: object) -> Operand:
        """Return whether a condition holds, as a number."""
        if isinstance(condition, Value):
            condition = condition != 0.0
        if type(condition) is not Condition:
            return super().truth(condition)
        function, operands, _ = condition.guard
        numbers = [*map(number_of, operands)]
        outcome = nan if self._unknown(numbers) else float(function(*numbers))
        symbol = condition.symbol(self.graph, self.symbol)
        symbol.number = outcome
        return self.node("", (), (), outcome, symbol, float)

    def _outcome(self, function: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
        numbers = [*map(number_of, operands)]
        self._check_known(numbers)
        try:
            outcome = function(*numbers)
        except Exception as error:
            self.errors.append(error)
            raise
        self.guards.append(Guard(function, operands, outcome))
        self._note_place(outcome)
        return outcome

    def _unknown(self, numbers: Iterable[Any]) -> bool:
        """Whether a number may be that of a loop which was not run."""
        return self.graph.unknown and any(type(x) is float and isnan(x) for x in numbers)

    def _check_known(self, numbers: Iterable[Any]) -> None:
        """Raise an UnknownError if a number is not known."""
        if self._unknown(numbers):
            error = UnknownError()
            self.errors.append(error)
            raise error

    def _note_place(self, outcome: Any) -> None:
        if self.places is not None:
            self.places.append(Decision(repr(outcome), user_place()))

    def detach(self, x: Value) -> Tracer:
        """Return a node for x that needs no gradient."""
        return self._identity(x, x._kind if type(x) is Number else Value)

    def forbid(self, call: str, remedy: str) -> None:
        """Raise an error: the call would happen only once."""
        raise self._error(
            f"{call} in a function that is compiled would run only while it is traced; {remedy}"
        )

    def loop(self, steps: Steps) -> Carried | None:
        """Record a loop: its step once; return None if its decisions differ from step to step."""
        return traced_loop(self, steps)

    # Attributes.

    def read(self, x: Value, name: str) -> Any:
        """Return an attribute; if it is not of the trace, that is a decision."""
        refused = isinstance(x, Tracer) and name in ("data", "grad")
        return super().read(x, name) if refused or self._is_own(x) else self._fact(x, name)

    def _fact(self, x: Value, name: str) -> Any:
        given = x._given if isinstance(x, Tracer) else x
        self.facts[x, name] = found = getattr(given, f"_{name}")
        self._note_place(found)
        return found

    def text(self, x: Tracer) -> str:
        """Return the text of a Value, as a decision."""
        self.observe(repr, (x,))
        shown = constant(x._number)
        shown._label = x._label if x._given is None else self._fact(x, "label")
        shown._grad = 0.0 if x._given is None else self._fact(x, "grad")
        with interpreting(None):
            return repr(shown)

    def assign(self, x: Value, name: str) -> None:
        """Refuse an assignment to what is not of the trace: it would happen only once."""
        if self._is_own(x) and not (isinstance(x, Tracer) and name in ("data", "grad")):
            return
        self.forbid(f"assigning .{name}", "return what is to be assigned, and assign it outside")

    def _is_own(self, x: Value) -> bool:
        """Whether the function has made the Value."""
        return x._given is None if isinstance(x, Tracer) else x._serial > self.start

    # Derivatives.

    def differentiating(self, name: str) -> None:
        """Note that a derivative is taken."""
        self.derivatives.append(name)

    def input(self, x: Operand) -> Value:
        """Return a node of its own for an argument, which needs a gradient."""
        if not isinstance(x, Value):
            x = constant(x)
        edge = x._requires_grad and self.records
        result = self._identity(x, edge=edge)
        result._requires_grad = True
        if not edge and not x._plain:  # eager evaluation makes a leaf of the same label
            result._label = self.read(x, "label")
        return result

    def number(self, x: Value) -> Tracer:
        """Return a node for x that counts as a plain number."""
        return self._identity(x, float)

    def partials(self, node: Value) -> Sequence[Any]:
        """Return the partials as the rule gives them; what nothing needs may be left out."""
        count = len(self.risky)
        found = partials_with_edges(node, node._op.rule(node, *node._inputs))
        del self.risky[count:]
        return found

    def symbolic_partials(self, node: Value) -> list[Any]:
        """Return the partials of a node in symbols."""
        operands = [*map(self.symbol, node._inputs)]
        return partials_with_edges(node, self.graph.partials(node._op, self.symbol(node), operands))

    def check_finite(
        self,
        function: str,
        roots: Iterable[Value],
        wanted: Iterable[Value],
        derivatives: Sequence[Operand],
        order: Sequence[Value],
        found: Mapping[Value, Operand],
    ) -> None:
        """Note the numbers that must be finite, and raise now if one is not.

        A function that went on with them might never end.
        """
        numbers = [*roots, *derivatives]
        self.finite += numbers
        now = [*map(number_of, numbers)]
        if self.graph.unknown:  # those of loops are NaN
            now = [x for x in now if not isnan(x)]
        if not (nonfinite_allowed() or all(map(isfinite, now))):
            error = NonFiniteError()  # the message comes from eager evaluation
            self.errors.append(error)
            raise error

    # Nodes and symbols.

    def _identity(self, x: Value, kind: Any = Value, edge: bool = False) -> Tracer:
        partials = _unknown_partials(_rule(table.identity), (edge,))
        return self.node(table.identity, (x,), partials, number_of(x), self.symbol(x), kind)

    def node(
        self,
        primitive: Any,
        inputs: tuple[Operand, ...],
        partials: tuple[Any, ...],
        number: float,
        symbol: Any,
        kind: Any = Value,
    ) -> Tracer:
        """Return a node of the trace, of a class for a Value or for a plain number."""
        if kind is Value:
            result = object.__new__(Tracer)
        else:
            result = object.__new__(Number)
            result._kind = kind
        result._number, result._symbol, result._given, result._errors = (
            number,
            symbol,
            None,
            self.errors,
        )
        result._label = ""
        result._requires_grad = partials.count(None) < len(partials)
        result._op, result._inputs, result._partials = primitive, inputs, partials
        result._serial = next_serial()
        self.nodes.append(result)
        return result

    def symbol(self, x: Operand) -> Any:
        """Return the symbol of a number, or a float."""
        if not isinstance(x, Value):
            return x
        if x._serial > self.start:  # a node of the trace, or a leaf that the function made
            if isinstance(x, Tracer):
                if type(x._symbol) is Symbol and x._symbol.graph.closed:
                    raise self._error(
                        "a Value that the step of a scan computed is used outside of it; return "
                        "it from the step, in the carry or as a result"
                    )
                return x._symbol
            if not x._op:
                return x._data
        if x._serial > self.start or isinstance(x, Tracer):  # computed beside the trace
            raise self._error(LEAKED)
        if x not in self.captured:
            self.captured[x] = self.graph.input("")
            self.captured[x].number = x._data
        return self.captured[x]

    def check_errors(self) -> None:
        """Raise an error if one was raised while tracing: the function may have caught it."""
        for error in self.errors:
            if isinstance(error, CompileError | UnknownError):
                raise error from None
        if self.errors:
            raise RetraceError

    def _error(self, reason: str) -> CompileError:
        """Return the error, and note it: the function may catch it."""
        error = CompileError(f"compile: {reason}")
        self.errors.append(error)
        return error


def _rule(primitive: Primitive) -> Any:
    """Return the rule of a primitive of the table, which tells it from others of the same sign."""
    return primitive.rule if primitive.owner is None else None


@functools.cache
def _unknown_partials(rule: Any, edges: tuple[bool, ...]) -> tuple[float | None, ...]:
    """Return NaN for each partial that is not known yet, and None where there is no edge."""
    if rule is not None:
        probe = _Probe()
        partials = rule(probe, *[probe] * len(edges))
        edges = tuple([e and p is not None for e, p in zip(edges, partials, strict=True)])
    return tuple([nan if edge else None for edge in edges])


class _Probe(Operators):
    """An operand that shows for which inputs a rule gives a partial."""

    __slots__ = ()

    @staticmethod
    def _apply(primitive: Primitive, inputs: tuple[Any, ...]) -> "_Probe":
        return _Probe()
