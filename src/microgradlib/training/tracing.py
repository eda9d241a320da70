"""The source of a training step: loss, gradient and update of a trace."""

from collections.abc import Iterable
from itertools import accumulate, chain, pairwise, starmap
from typing import Any, NamedTuple

from microgradlib.compiling.arguments import Field
from microgradlib.compiling.buffers import Update
from microgradlib.compiling.graph import Graph
from microgradlib.compiling.source import Source, deciding
from microgradlib.compiling.symbols import Program, Symbol, reference
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
        factors: where the factors stand, after the numbers of the arguments.
        kept: where parameters stand, then the lists of the state, and last the number of steps.
    """

    params: list[int]
    keys: tuple[str, ...]
    factors: range
    kept: range


class StepWriter(Writer):
    """Writes the source of a step from the trace of its loss."""

    def write_step(self, loss: Any, optimizer: Optimizer) -> tuple[Source, Update, Layout]:
        """Return the source of the trace and the update, which changes what its buffer keeps."""
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
        data = [captured.pop(p) if p in captured else self.graph.input("") for p in params]
        named = [*zip(params, data, strict=True), *captured.items()]
        self._name(named)
        y = self.trace.symbol(loss)
        finite = [y, *self._finite()]
        self.graph.lines([y, *grads, *finite], checks, self.trace.risky)
        captured = {x: number for x, number in captured.items() if number.uses}
        before = [*[x.traced._symbol for x in leaves], *captured.values()]
        fields = [*self.arguments.fields, *[Field("d", x.text) for x in captured.values()]]
        inputs = {x: x.text for x in [*before, *factors, *data]}
        self.results.paths = ["the loss", *[f"the gradient of {x.text}" for x in data]]
        program = self._program(inputs, [Result(x, {}) for x in [y, *grads]], checks, finite)
        self._read(captured)
        factors_text = "" if optimizer._counts_no_steps else ", *factors(numbers)"
        lines = [
            "if interpreter() is not None: raise RetraceError",
            *self.arguments.head,
            "numbers, address = buffer = buffers.pop()",
            "try:",
            "    if optimizer._changes != seen[0]: renew(numbers)",
            f"    return run(address{''.join([', ' + x.source for x in fields])}{factors_text})[0]",
            "finally:",
            "    buffers.append(buffer)",
        ]
        updated = {*params}
        places = [i for i, p in enumerate(optimizer.params) if p in updated]
        packed = "".join([x.format for x in fields])
        packed += f"{len(factors)}d" * (not optimizer._counts_no_steps)
        source = self._caller(lines, program, (packed, "d"))
        keys = tuple([key for key in optimizer._state_keys() if key != "step"])
        ends = accumulate([len(before), len(factors), len(data) * (1 + len(keys)) + 1])
        layout = Layout(places, keys, *starmap(range, pairwise(ends)))
        formula = _formula(optimizer, keys, len(factors))
        return source, Update(formula, len(data), len(keys), layout.factors), layout

    def _input(self, name: str) -> Symbol:
        return self.graph.input(self.unique(name))


def _formula(optimizer: Optimizer, keys: Iterable[str], count: int) -> Program:
    """Return the update of one parameter, from the factors, its gradient, itself and its state."""
    graph = Graph(set())
    factors = [graph.input(f"factor{i}") for i in range(count)]
    grad, x, *state = [graph.input(name) for name in ("grad", "x", *keys)]
    (new,), made = optimizer._formula(
        [x],
        [grad],
        {key: [number] for key, number in zip(keys, state, strict=True)},
        factors,
        Functions(table.sqrt, table.maximum),
    )
    results = [new, *chain(*[made[key] for key in keys])]
    # Of a gradient that is infinite or NaN, one of these is, too.
    finite = [new, *chain(*[made[key] for key in optimizer._overflowing])]
    graph.lines([*results, *finite], [], [])
    inputs = [*factors, grad, x, *state]
    return Program(
        inputs={x.serial: x.text for x in inputs},
        paths=[x.text for x in inputs],
        rows=graph.rows,
        outputs=[*map(reference, results)],
        meanings=["new", *keys],
        checks=[],
        others=[],
        finite=[*map(reference, deciding(finite))],
        owned=[],
    )
