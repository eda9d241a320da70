"""The source of a training step: loss, gradient and update of a trace."""

from itertools import chain
from typing import Any, NamedTuple

from microgradlib.compiling.arguments import Field
from microgradlib.compiling.graph import Symbol
from microgradlib.compiling.source import Source
from microgradlib.compiling.writer import Result, Writer
from microgradlib.core import table
from microgradlib.core.value import Value
from microgradlib.errors import CompileError, short
from microgradlib.optim.optimizer import Functions, Optimizer


class Layout(NamedTuple):
    """Where the buffer of a step keeps what.

    Attributes:
        params: the indices of the parameters that are updated.
        keys: the names of the lists of the optimizer's state.
        packed: how many numbers of the arguments come first, before the factors.
        first: where the number of steps stands; parameters and state follow.
    """

    params: list[int]
    keys: tuple[str, ...]
    packed: int
    first: int


class StepWriter(Writer):
    """Writes the source of a step from the trace of its loss."""

    def write_step(self, loss: Any, optimizer: Optimizer) -> tuple[Source, Layout]:
        """Return the source, which updates the numbers that its buffer keeps."""
        self.trace.over = True
        if not (isinstance(loss, Value) and loss._requires_grad and loss._op):
            raise CompileError(
                f"compiled_step: {self.name} returned {short(loss)}; return a loss that depends on "
                "the parameters of the optimizer"
            )
        leaves = self.arguments.leaves
        if any(isinstance(x.given, Value) and x.given._requires_grad for x in leaves):
            raise CompileError(
                "compiled_step: an argument is a Value that needs a gradient; pass numbers"
            )
        self.arguments.finish()
        checks = [self._guard(guard) for guard in self.trace.guards]
        if not all(check.compares for check in checks):
            raise CompileError(
                f"compiled_step: {self.name} takes a decision that C cannot repeat; compute it "
                "with mg.where, mg.maximum or mg.select"
            )
        adjoints = self.adjoints(loss)
        trainable = [p for p in optimizer.params if p._requires_grad]
        tensors = {p: optimizer._tensors.get(p, p) for p in trainable}
        reached = {tensors[p] for p in trainable if p in adjoints}
        params = [p for p in trainable if tensors[p] in reached]
        if not params:
            raise CompileError(
                f"compiled_step: {self.name} depends on no parameter of the optimizer; pass it "
                "the parameters of the model that it calls"
            )
        captured = self._captured()
        grads = [adjoints.get(p, 0.0) for p in params]
        factors = [self._input(f"factor{i}") for i, _ in enumerate(optimizer._factors(1))]
        steps = self._input("steps")
        data = [captured.pop(p) if p in captured else self.graph.input("") for p in params]
        named = [*zip(params, data, strict=True), *captured.items()]
        for i, (x, number) in enumerate(named):
            number.text = self.unique(x._label or f"p{i}")
        state = {
            key: [self._input(f"{key}{i}") for i, _ in enumerate(params)]
            for key in optimizer._state_keys()
            if key != "step"
        }
        new_data, new_state = optimizer._formula(
            data, grads, state, factors, Functions(table.sqrt, table.maximum)
        )
        y = self.trace.symbol(loss)
        results = [y, steps + 1.0, *new_data, *chain(*[new_state[key] for key in state])]
        # Of a gradient that is infinite or NaN, one of these is, too.
        finite = [y, *new_data, *chain(*[new_state[key] for key in optimizer._overflowing])]
        finite += map(self.trace.symbol, self.trace.finite)
        self.graph.lines([*results, *finite], checks, self.trace.risky)
        captured = {x: number for x, number in captured.items() if number.uses}
        before = [*[x.traced._symbol for x in leaves], *captured.values()]
        fields = [*self.arguments.fields, *[Field("d", x.text) for x in captured.values()]]
        kept = [steps, *data, *chain(*state.values())]
        inputs = {x: x.text for x in [*before, *factors, *kept]}
        self.results.paths = ["the loss", *[f"the new {x.text}" for x in kept]]
        program = self._program(inputs, [Result(x, {}) for x in results], checks, finite)
        self._read(captured)
        self.name = self.unique(self.name)
        factors_text = "" if optimizer._counts_no_steps else ", *factors(numbers)"
        lines = [
            "if interpreter() is not None: raise RetraceError",
            *self.arguments.head,
            "numbers, pointer = buffer = buffers.pop()",
            "try:",
            "    if optimizer._changes != seen[0]: renew(numbers)",
            f"    pack(numbers, 0{''.join([', ' + x.source for x in fields])}{factors_text})",
            "    if status := run(pointer): fail(status)",
            f"    return numbers[{len(inputs)}]",
            "finally:",
            "    buffers.append(buffer)",
        ]
        places = [i for i, p in enumerate(optimizer.params) if p in {*params}]
        count, formats = len(before), "".join([x.format for x in fields])
        packed = formats + f"{len(factors)}d" * (not optimizer._counts_no_steps)
        source = Source(
            self.name,
            self._define(lines),
            self.arguments.constants,
            {},
            [],
            program,
            self.node,
            (packed, ""),
        )
        return source, Layout(places, tuple(state), count, count + len(factors))

    def _input(self, name: str) -> Symbol:
        return self.graph.input(self.unique(name))
