"""gradcheck: compare the gradients of a function with finite differences.

The differences judge themselves: every numeric slope comes with an estimate of its own error, so a
gradient is called wrong only where it lies outside of that, and a kink is told from a mistake.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, isfinite, nan
from typing import Any, TypeAlias

from microgradlib.errors import GradcheckError
from microgradlib.modes import no_grad, set_grad_enabled
from microgradlib.primitives import DOMAIN_ERRORS, to_float
from microgradlib.trees import flatten, rebuild
from microgradlib.value import Operand, Value, pull, pull_values, push, set_data, sweep

_STEPS = 50  # at most, each half of the one before
_SAFETY = 4.0  # how far the estimate of an error is trusted
_CONFIRM = 16.0  # how much smaller steps get than those of the estimate
_GROSS = 0.1  # a relative difference above this is no rounding
_COARSE = 1e-4  # a relative error above this tells too little
_SMALL = 1e-3  # inputs below this may have a scale of their own
_UNIT = 2.0**-52
_TINY = 2.0**-1070  # a few roundings of subnormal numbers

Compute: TypeAlias = Callable[[], dict[str, Operand]]
"""Computes the outputs by name, at the inputs as they are now."""
Evaluate: TypeAlias = Callable[[list[float]], list[float]]
"""Returns the outputs at other inputs."""


@dataclass(frozen=True)
class Slope:
    """A numeric slope and an estimate of its error."""

    value: float
    error: float


Slopes: TypeAlias = tuple[Slope, Slope, Slope]
"""Of both sides together, left, and right."""


@dataclass(frozen=True)
class Entry:
    """The derivative of one output with respect to one input.

    Attributes:
        output: the name of the output: "f", or "f[1]" where there are several.
        input: the name of the input: "x0", "x1[2]", or that of a parameter.
        analytic: the derivative as ``backward()`` computes it.
        forward: the derivative in forward mode, from the input to the output.
        numeric: the slope from differences to both sides.
        left: the slope to the left.
        right: the slope to the right.
        verdict: "ok", "wrong", "not smooth here" or "unclear".
    """

    output: str
    input: str
    analytic: float
    forward: float
    numeric: Slope
    left: Slope
    right: Slope
    verdict: str

    def __str__(self) -> str:
        """Return a line of the table."""
        line = (
            f"{self.output:8} {self.input:12} {self.analytic:24.16g} "
            f"{self.numeric.value:24.16g} {self.numeric.error:9.1e}  {self.verdict}"
        )
        if self.verdict == "wrong" and self.forward != self.analytic:
            return f"{line}: forward mode gives {self.forward:.16g}"
        if self.verdict == "unclear" and not isfinite(self.numeric.error):
            return f"{line}: f has no finite differences here"
        if self.verdict != "not smooth here":
            return line
        low, high = sorted((self.left.value, self.right.value))
        if _coarse(self.left, 1.0) or _coarse(self.right, 1.0):
            return f"{line}: the slope grows without bound"
        between = "between" if low <= self.analytic <= high else "not between"
        return f"{line}: {between} the slopes {low:.6g} and {high:.6g} of its two sides"


class Report(tuple[Entry, ...]):
    """The entries of a gradcheck: true if none of them is wrong or unclear; prints as a table."""

    __slots__ = ()

    def failures(self) -> list[Entry]:
        """Return the entries that are wrong or unclear."""
        return [entry for entry in self if entry.verdict in ("wrong", "unclear")]

    def __bool__(self) -> bool:
        """Return whether no entry is wrong or unclear."""
        return not self.failures()

    def __str__(self) -> str:
        """Return the table."""
        head = f"{'output':8} {'input':12} {'analytic':>24} {'numeric':>24} {'error':>9}  verdict"
        return "\n".join([head, *map(str, self)])


def gradcheck(
    f: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-2,
    atol: float = 1e-8,
    rtol: float = 1e-7,
    order: int = 1,
    raise_exception: bool = True,
) -> Report:
    """Compare the gradients of ``f`` from ``backward()`` with finite differences.

    >>> import microgradlib as mg
    >>> bool(gradcheck(lambda x, y: mg.exp(x) * y, (0.5, 2.0)))
    True
    >>> print(gradcheck(abs, 0.0)[0].verdict)
    not smooth here

    Gradients of gradients, too:

    >>> len(gradcheck(lambda x, y: mg.exp(x) * y, (0.5, 2.0), order=2))  # 2 and 2 times 2
    6

    Differences over shrinking steps on both sides are extrapolated to the step 0 (Ridders 1982,
    Adv. Eng. Software 4), which also yields an estimate of the error. A derivative is "ok" within
    atol + rtol * slope plus that estimate, else "wrong". Where the slopes of the two sides differ,
    it is "not smooth here", which is no failure, and so are the derivatives of a derivative that
    jumps there. Where the estimate is too large to tell, or ``f`` has no differences, it is
    "unclear", which is one: where a small slope drowns in the rounding of a large output, subtract
    what is constant, or raise ``atol``. Forward mode has to agree as well.

    Args:
        f: a function of Values that returns a Value, or nested lists of them. It must give the
            same result each time.
        inputs: the arguments of ``f``: a number, or a tuple or list of numbers and nested lists.
        eps: the first step, relative to the input or 1, whichever is larger; from 2.3e-16 to 1.
        atol: the absolute tolerance, >= 0.
        rtol: the relative tolerance, >= 0.
        order: 1, or 2 to check the derivatives of all first derivatives as well.
        raise_exception: whether to raise on failure, instead of returning a false report.

    Returns:
        The entries, one for each output and input.

    Raises:
        GradcheckError: with the table, if a derivative is wrong or unclear; always, if ``f`` is not
            deterministic.
        TypeError: if ``f`` is not a function, or an input, output or option not a number.
        ValueError: if eps, atol, rtol or order is out of range.
    """
    _refuse_no_function("gradcheck", "f", f)
    arguments = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    flat = [flatten("gradcheck", f"x{i}", argument) for i, argument in enumerate(arguments)]
    leaves = {
        name: Value(x.data if isinstance(x, Value) else x)
        for xs, _ in flat
        for name, x in xs.items()
    }

    def compute() -> dict[str, Operand]:
        new = iter(leaves.values())
        outputs, _ = flatten("gradcheck", "f", f(*[rebuild(build, new) for _, build in flat]))
        return outputs

    return _check("gradcheck", compute, leaves, eps, atol, rtol, order, raise_exception)


def gradcheck_module(
    model: Any,
    loss_fn: Callable[[Any], Any],
    *,
    eps: float = 1e-2,
    atol: float = 1e-8,
    rtol: float = 1e-7,
    order: int = 1,
    raise_exception: bool = True,
) -> Report:
    """Compare the gradients of ``loss_fn(model)`` in the model's parameters with differences.

    >>> import microgradlib as mg
    >>> model = mg.nn.MLP(2, [2, 1])
    >>> bool(gradcheck_module(model, lambda m: mg.mse_loss(m([0.0, 1.0]), [1.0])))
    True

    The parameters come back as they were, data and gradients. Frozen ones, whose ``requires_grad``
    is False, are not checked.

    Args:
        model: a Module.
        loss_fn: a function of the model that returns a Value, or nested lists of them.
        eps: as in ``gradcheck``.
        atol: as in ``gradcheck``.
        rtol: as in ``gradcheck``.
        order: as in ``gradcheck``.
        raise_exception: as in ``gradcheck``.

    Returns:
        The entries, one for each output and parameter.

    Raises:
        GradcheckError: as in ``gradcheck``.
        TypeError: as in ``gradcheck``, or if the model is not a Module.
        ValueError: as in ``gradcheck``, or if the model has no parameters, or only frozen ones.
    """
    if isinstance(model, type) or not callable(getattr(model, "named_parameters", None)):
        raise TypeError(
            f"gradcheck_module: model must be a Module, got {model!r}; pass an instance"
        )
    _refuse_no_function("gradcheck_module", "loss_fn", loss_fn)
    model.state_dict()  # refuses two parameters of one name
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not parameters:
        raise ValueError(
            f"gradcheck_module: {model!r} has no parameters to check; pass a model that has some, "
            "and set requires_grad to True where they are frozen"
        )

    def compute() -> dict[str, Operand]:
        outputs, _ = flatten("gradcheck_module", "f", loss_fn(model))
        return outputs

    return _check("gradcheck_module", compute, parameters, eps, atol, rtol, order, raise_exception)


def _refuse_no_function(name: str, argument: str, f: object) -> None:
    """Raise a TypeError unless f can be called."""
    if not callable(f):
        raise TypeError(f"{name}: {argument} must be a function, got {f!r}; pass it uncalled")


def _check(
    function: str,
    compute: Compute,
    leaves: dict[str, Value],
    eps: float,
    atol: float,
    rtol: float,
    order: int,
    raise_exception: bool,
) -> Report:
    """Do what both functions share, for each order."""
    for argument, x, low, high in (
        ("eps", eps, _UNIT, 1.0),
        ("atol", atol, 0.0, inf),
        ("rtol", rtol, 0.0, inf),
    ):
        if not low <= to_float(f"{function}: {argument}", x, "a number") <= high:
            raise ValueError(f"{function}: {argument} must lie in [{low:g}, {high:g}], got {x}")
    if order not in (1, 2):
        raise ValueError(f"{function}: order must be 1 or 2, got {order!r}")
    entries = _entries(function, compute, leaves, eps, atol, rtol)
    if order == 2:
        second = _entries(function, lambda: _gradients(compute, leaves), leaves, eps, atol, rtol)
        # Where f has a kink, its first derivatives jump: they have no slope to compare with.
        entries += [
            replace(entry, verdict="not smooth here")
            if entry.verdict == "unclear" and entries[i // len(leaves)].verdict == "not smooth here"
            else entry
            for i, entry in enumerate(second)
        ]
    report = Report(entries)
    if raise_exception and not report:
        count = len(report.failures())
        raise GradcheckError(f"{function}: {count} of {len(report)} derivatives failed\n{report}")
    return report


def _entries(
    function: str, compute: Compute, leaves: dict[str, Value], eps: float, atol: float, rtol: float
) -> list[Entry]:
    """Return the entries of one order: gradients first, then differences, then verdicts."""
    start = [leaf.data for leaf in leaves.values()]
    outputs = compute()

    def evaluate(x: list[float]) -> list[float]:
        set_data(leaves.values(), x)
        try:
            with no_grad():
                return [_data(y) for y in compute().values()]
        finally:
            set_data(leaves.values(), start)

    reverse = [_reverse(y, list(leaves.values())) for y in outputs.values()]
    first, second = evaluate(start), evaluate(start)
    for other in (second, [_data(y) for y in outputs.values()]):
        if not all(map(_same, first, other)):
            raise GradcheckError(
                f"{function}: f is not deterministic: it returned {first} and {other} for the same "
                "inputs; fix the seed of its random numbers"
            )
    entries = []
    for i, (name, leaf) in enumerate(leaves.items()):
        forward = _forward(leaf, list(outputs.values()))
        slopes = _slopes(evaluate, start, i, eps, atol, first)
        for output, gradient, tangent, (numeric, left, right) in zip(
            outputs, reverse, forward, slopes, strict=True
        ):
            verdicts = [
                _verdict(x, numeric, left, right, atol, rtol) for x in (gradient[i], tangent)
            ]
            verdict = "wrong" if "wrong" in verdicts else verdicts[0]
            entries.append(Entry(output, name, gradient[i], tangent, numeric, left, right, verdict))
    return entries


def _reverse(y: Operand, leaves: list[Value]) -> list[float]:
    """Return the gradient of one output."""
    if not isinstance(y, Value):
        return [0.0] * len(leaves)
    order, adjoints = sweep((y,), leaves)
    adjoints[y] = 1.0
    pull(order, adjoints)
    return [adjoints[leaf] for leaf in leaves]


def _forward(leaf: Value, outputs: list[Operand]) -> list[float]:
    """Return the derivative of each output with respect to one input."""
    order, _ = sweep([y for y in outputs if isinstance(y, Value)], (leaf,))
    tangents = {leaf: 1.0}
    push(order, tangents)
    return [tangents.get(y, 0.0) if isinstance(y, Value) else 0.0 for y in outputs]


def _gradients(compute: Compute, leaves: dict[str, Value]) -> dict[str, Operand]:
    """Return the first derivatives, recorded."""
    with set_grad_enabled(True):
        outputs = compute()
    gradients: dict[str, Operand] = {}
    for output, y in outputs.items():
        found: dict[Value, Operand] = {}
        if isinstance(y, Value):
            order, adjoints = sweep((y,), leaves.values())
            found = pull_values(order, {y: 1.0}, adjoints)
        for name, leaf in leaves.items():
            gradients[f"d{output}/d{name}"] = found.get(leaf, 0.0)
    return gradients


def _verdict(
    analytic: float, numeric: Slope, left: Slope, right: Slope, atol: float, rtol: float
) -> str:
    if left.error == right.error == inf:
        return "unclear"
    tolerance = atol + rtol * abs(numeric.value)
    jump = abs(right.value - left.value)
    if jump > tolerance + _SAFETY * (left.error + right.error):
        return "not smooth here"
    if not abs(analytic - numeric.value) <= tolerance + _SAFETY * numeric.error:
        # A vertical tangent: both are without bound.
        return "not smooth here" if abs(analytic) == inf and _coarse(numeric, 1.0) else "wrong"
    return "unclear" if _coarse(numeric, atol) else "ok"


def _coarse(slope: Slope, atol: float) -> bool:
    """Return whether the error of a slope is too large to tell right from wrong."""
    return not _SAFETY * slope.error <= max(atol, _COARSE * abs(slope.value))


class _Extrapolation:
    """Difference quotients extrapolated to the step 0: Neville's scheme, the best entry of it.

    Args:
        power: the error of a quotient goes down with this power of the step.
        x: the input, which f may round.
    """

    def __init__(self, power: int, x: float) -> None:
        self.power = power
        self.x = x
        self.row: list[float] = []
        self.quotients: list[float] = []  # the last four
        self.best = Slope(nan, inf)
        self.size = 0.0  # of a rounding of the values at all steps, for what cancels within f
        self.noise = 0.0

    def add(self, high: float, low: float, width: float) -> None:
        """Add the quotient (high - low) / width, for a width half of the last one."""
        self.size = max(self.size, _UNIT * abs(high) + _UNIT * abs(low))
        new = [(high - low) / width]
        self.noise = (self.size + _UNIT * abs(self.x) * abs(new[0]) + _TINY) / width
        self.quotients = [*self.quotients[-3:], new[0]]
        found = Slope(nan, inf)
        for k, old in enumerate(self.row, start=1):
            weight = 2.0 ** (self.power * k)
            new.append((weight * new[-1] - old) / (weight - 1.0))
            if k < len(self.row):  # three neighbours to agree with: two might do so by accident
                neighbours = (new[-2], old, self.row[k])
                error = max(abs(new[-1] - x) for x in neighbours) + self.noise
                if error < found.error:
                    found = Slope(new[-1], error)
        if found.error < self.best.error or self._contradicts(found):
            self.best = found
        self.row = new

    def _contradicts(self, found: Slope) -> bool:
        """Return whether the best was an accident, such as steps in time with an oscillation.

        A later slope excludes it, and is what the last quotients are close to, as noise is not. A
        zero may be lost to rounding.
        """
        gap = abs(found.value - self.best.value)
        return (
            found.value != 0.0
            and gap > _GROSS * abs(found.value) + _SAFETY * (found.error + self.best.error)
            and all(8.0 * abs(quotient - found.value) < gap for quotient in self.quotients)
        )

    def done(self) -> bool:
        """Return whether smaller steps would only add noise, and some have confirmed the best."""
        if not self.noise >= _CONFIRM * self.best.error:
            return False
        near = _GROSS * abs(self.best.value) + _SAFETY * (self.best.error + self.noise)
        return abs(self.quotients[-1] - self.best.value) <= near


def _slopes(
    evaluate: Evaluate, start: list[float], i: int, eps: float, atol: float, center: list[float]
) -> list[Slopes]:
    """Return the slopes of each output in input i."""

    def at(x: float) -> list[float] | None:
        try:
            return evaluate([*start[:i], x, *start[i + 1 :]])
        except DOMAIN_ERRORS:
            return None

    x = start[i]
    unit = max(abs(x), 1.0)
    best = [(Slope(nan, inf),) * 3 for _ in center]
    # Functions have a scale of their own, about 1, or that of the input where it is much smaller.
    for scale in (unit, abs(x)):
        for j, found in enumerate(_climb(at, x, eps * scale, center)):
            central = found[0]
            # A small step that sees a slope sees what is nearest; a zero may be lost to rounding.
            if scale < 1.0 and central.value and not _coarse(central, 0.0):
                best[j] = found
            elif _coarse(best[j][0], atol):
                best[j] = min(best[j], found, key=_doubt)
        if abs(x) > _SMALL and not any(_coarse(central, atol) for central, _, _ in best):
            break  # the smaller scale is not needed, and is closer to rounding
    # Where a slope drowns in rounding, it may stand out at larger steps.
    for k in range(1, 9):
        # But a slope without bound is only smaller there.
        vague = [_coarse(central, atol) and not _coarse(central, 1.0) for central, _, _ in best]
        if not any(vague):
            break
        for j, (wider, _, _) in enumerate(_climb(at, x, eps * unit * 4.0**k, center)):
            central, left, right = best[j]
            # Smaller steps have to admit it: larger ones may skip what is between.
            if vague[j] and abs(wider.value - central.value) <= central.error > wider.error:
                best[j] = wider, left, right
    return [_sides(*slopes) for slopes in best]


def _climb(
    at: Callable[[float], list[float] | None], x: float, first: float, center: list[float]
) -> list[Slopes]:
    """Return the best slopes of each output that steps from the first one downwards find."""
    ladders = [(_Extrapolation(2, x), _Extrapolation(1, x), _Extrapolation(1, x)) for _ in center]
    for k in range(_STEPS):
        h = (x + first * 2.0**-k) - x  # a step that x + h does not round
        if h == 0.0:
            break
        low, high = at(x - h), at(x + h)
        for j, (central, left, right) in enumerate(ladders):
            if low and high:
                central.add(high[j], low[j], 2.0 * h)
            if low:
                left.add(center[j], low[j], h)
            if high:
                right.add(high[j], center[j], h)
        if all(ladder.done() for row in ladders for ladder in row):
            break
    return [(central.best, left.best, right.best) for central, left, right in ladders]


def _doubt(slopes: Slopes) -> tuple[float, float]:
    """Return how uncertain slopes are: judged by both sides, at an edge by the only one."""
    central, left, right = slopes
    return central.error, min(left.error, right.error)


def _sides(central: Slope, left: Slope, right: Slope) -> Slopes:
    """Return the slopes; at the edge of the domain, where only one side exists, that for all."""
    if isfinite(central.error):
        return central, left, right
    only = min(left, right, key=lambda slope: slope.error)
    return only, only, only


def _data(y: Operand) -> float:
    return y.data if isinstance(y, Value) else y


def _same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)
