"""The source of a training step: loss, gradient and update of a trace."""

from itertools import accumulate, chain, pairwise, starmap
from types import SimpleNamespace
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
from microgradlib.optim.formulas import Functions, Inputs
from microgradlib.optim.optimizer import Optimizer


class Layout(NamedTuple):
    """Where the buffer of a step keeps what.

    Attributes:
        params: the indices of the parameters that are updated.
        keys: the names of the lists of the optimizer's state.
        factors: where the factors of a step stand, after the numbers of the arguments.
        options: where the options of all groups stand, one group after the other.
        kept: where parameters stand, then the lists of the state, and last the number of steps.
    """

    params: list[int]
    keys: tuple[str, ...]
    factors: range
    options: range
    kept: range


def options_of(optimizer: Optimizer) -> list[Any]:
    """Return the options that are numbers, of one group after the other."""
    names = [name for name, x in optimizer.defaults.items() if type(x) is not bool]
    xs = [getattr(group.options, name) for group in optimizer.param_groups for name in names]
    return [number for x in xs for number in (x if isinstance(x, tuple) else (x,))]


def decisions_of(optimizer: Optimizer) -> tuple[bool, ...]:
    """Return the decisions of the formula by its options, which all groups have to share.

    Raises:
        CompileError: if they do not.
    """
    options = [group.options for group in optimizer.param_groups]
    found = [optimizer._flags(o) for o in options]
    decays = any(flags[1] for flags in found)  # of 0 changes nothing where another group decays
    found = [(flags[0], decays, *flags[2:]) for flags in found]
    # The factors of a step depend on the betas.
    if len({*found}) > 1 or len({getattr(o, "betas", None) for o in options}) > 1:
        raise CompileError(
            "compiled_step: the groups of the optimizer differ in more than lr, weight_decay and "
            "such; give each an optimizer and a step of its own, or call optimizer.step()"
        )
    return found[0]


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
        factors = [self._input(f"factor{i}") for i, _ in enumerate(_factors(optimizer))]
        options = [self._input(f"option{i}") for i, _ in enumerate(options_of(optimizer))]
        data = [captured.pop(p) if p in captured else self.graph.input("") for p in params]
        named = [*zip(params, data, strict=True), *captured.items()]
        self._name(named)
        y = self.trace.symbol(loss)
        finite = [y, *self._finite()]
        self.graph.lines([y, *grads, *finite], checks, self.trace.risky)
        captured = {x: number for x, number in captured.items() if number.uses}
        before = [*[x.traced._symbol for x in leaves], *captured.values()]
        fields = [*self.arguments.fields, *[Field("d", x.text) for x in captured.values()]]
        inputs = {x: x.text for x in [*before, *factors, *options, *data]}
        self.results.paths = ["the loss", *[f"the gradient of {x.text}" for x in data]]
        program = self._program(inputs, [Result(x, {}) for x in [y, *grads]], checks, finite)
        self._read(captured)
        factors_text = ", *factors(numbers)" if factors else ""
        lines = [
            "if interpreter() is not None: raise RetraceError",
            *self.arguments.head,
            "numbers, address = buffer = buffers.pop()",
            "try:",
            "    if counter.changes != seen[0]: renew(numbers)",
            f"    return run(address{''.join([', ' + x.source for x in fields])}{factors_text})[0]",
            "finally:",
            "    buffers.append(buffer)",
        ]
        updated = {*params}
        places = [i for i, p in enumerate(optimizer.params) if p in updated]
        packed = "".join([x.format for x in fields])
        packed += f"{len(factors)}d"
        source = self._caller(lines, program, (packed, "d"))
        groups = optimizer.param_groups
        keys = tuple([key for key in optimizer._state_keys(groups[0].options) if key != "step"])
        kept = len(data) * (1 + len(keys)) + 1
        starts = accumulate([len(before), len(factors), len(options), kept])
        layout = Layout(places, keys, *starmap(range, pairwise(starts)))
        ends = [sum([i < group.places.stop for i in places]) for group in groups]
        formula = _formula(optimizer, keys, len(options) // len(groups))
        return source, Update(formula, ends, len(keys), layout.factors, layout.options), layout

    def _input(self, name: str) -> Symbol:
        return self.graph.input(self.unique(name))


def _factors(optimizer: Optimizer) -> tuple[float, ...]:
    return optimizer._factors(optimizer.param_groups[0].options, 1)


def _formula(optimizer: Optimizer, keys: tuple[str, ...], count: int) -> Program:
    """Return the update of one parameter from factors, options, gradient, itself and state."""
    graph = Graph(set())
    factors = [graph.input(f"factor{i}") for i, _ in enumerate(_factors(optimizer))]
    options = [graph.input(f"option{i}") for i in range(count)]
    grad, x, *state = [graph.input(name) for name in ("grad", "x", *keys)]
    numbers = iter(options)
    named = {
        name: tuple([next(numbers) for _ in old]) if isinstance(old, tuple) else next(numbers)
        for name, old in optimizer.defaults.items()
        if type(old) is not bool
    }
    (new,), made = optimizer._formula(
        Inputs(
            decisions_of(optimizer),
            SimpleNamespace(**named),
            tuple(factors),
            [x],
            [grad],
            {key: [number] for key, number in zip(keys, state, strict=True)},
            Functions(table.sqrt, table.maximum),
        )
    )
    results = [new, *chain(*[made[key] for key in keys])]
    # Of a gradient that is infinite or NaN, one of these is, too.
    finite = [new, *made.get(optimizer._squares, [])]
    graph.lines([*results, *finite], [], [])
    inputs = [*factors, *options, grad, x, *state]
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
