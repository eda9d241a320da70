"""gradcheck and gradcheck_module: reverse and forward mode against finite differences."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import inf
from typing import Any, TypeAlias

from microgradlib.checking.differences import UNIT, slopes
from microgradlib.checking.report import Entry, Report, judge
from microgradlib.core.backprop import partial_values, pull, push, topological_order
from microgradlib.core.value import Operand, Value
from microgradlib.errors import GradcheckError, short
from microgradlib.interpreters import no_grad
from microgradlib.modes import recording_on
from microgradlib.numeric.conversion import to_float
from microgradlib.trees import flatten, rebuild, set_data

Compute: TypeAlias = Callable[[], dict[str, Operand]]
"""Computes the outputs by name, from the data that the inputs have at the time."""


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
    Adv. Eng. Software 4), which also yields an estimate of the error. A derivative, in reverse and
    in forward mode alike, gets one of four verdicts:

    - "ok": it lies within atol + rtol * abs(numeric) and the estimated error.
    - "wrong": it does not.
    - "not smooth here": the derivatives to the two sides differ, so that there is nothing to
      compare with; or it is the derivative of a derivative that jumps here. This is no failure.
    - "unclear": the estimated error is too large to tell, ``f`` has no differences, or the
      derivative is NaN, which ``backward()`` refuses. This is a failure. Where rounding of a large
      output hides a small derivative, subtract what is constant, or raise ``atol``.

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
    _check_callable("gradcheck", "f", f)
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

    return _Check("gradcheck", compute, leaves, eps, atol, rtol).report(order, raise_exception)


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
    if isinstance(model, type) or not callable(getattr(model, "_named_values", None)):
        raise TypeError(
            f"gradcheck_module: model must be a Module, got {short(model)}; pass an instance"
        )
    _check_callable("gradcheck_module", "loss_fn", loss_fn)
    model.state_dict()  # raises if two parameters have one name
    parameters = {name: p for name, p in model._named_values() if p.requires_grad}
    if not parameters:
        raise ValueError(
            f"gradcheck_module: {short(model)} has no parameters to check; pass a model that has "
            "some, and set requires_grad to True where they are frozen"
        )

    def compute() -> dict[str, Operand]:
        outputs, _ = flatten("gradcheck_module", "f", loss_fn(model))
        return outputs

    check = _Check("gradcheck_module", compute, parameters, eps, atol, rtol)
    return check.report(order, raise_exception)


def _check_callable(name: str, argument: str, f: object) -> None:
    """Raise a TypeError unless f can be called."""
    if not callable(f):
        raise TypeError(f"{name}: {argument} must be a function, got {short(f)}; pass it uncalled")


@dataclass(frozen=True)
class _Check:
    """A gradcheck: outputs to compute, by name, and the inputs they depend on."""

    function: str  # the name in error messages
    compute: Compute
    leaves: dict[str, Value]
    eps: float
    atol: float
    rtol: float

    def __post_init__(self) -> None:
        for argument, low, high in (("eps", UNIT, 1.0), ("atol", 0.0, inf), ("rtol", 0.0, inf)):
            x = getattr(self, argument)
            if not low <= to_float(f"{self.function}: {argument}", x, "a number") <= high:
                raise ValueError(
                    f"{self.function}: {argument} must lie in [{low:g}, {high:g}], got {short(x)}"
                )

    def report(self, order: int, raise_exception: bool) -> Report:
        """Check the derivatives, at order 2 their derivatives as well."""
        if order not in (1, 2):
            raise ValueError(f"{self.function}: order must be 1 or 2, got {short(order)}")
        entries = self.entries()
        if order == 2:
            second = replace(self, compute=self.gradients).entries()
            # Where f has a kink, its first derivatives jump, and have no derivative there.
            kinks = [entry.verdict == "not smooth here" for entry in entries]
            entries += [
                replace(entry, verdict="not smooth here")
                if entry.verdict == "unclear" and kinks[i // len(self.leaves)]
                else entry
                for i, entry in enumerate(second)
            ]
        report = Report(entries)
        if raise_exception and not report:
            failed = f"{len(report.failures())} of {len(report)} derivatives failed"
            raise GradcheckError(f"{self.function}: {failed}\n{report}")
        return report

    def entries(self) -> list[Entry]:
        """Return an entry for each output and input: gradients, then differences, then verdicts."""
        leaves = [*self.leaves.values()]
        start = [leaf.data for leaf in leaves]
        outputs = self.compute()
        gradients = [_reverse(y, leaves) for y in outputs.values()]
        first, other = self.evaluate(start), self.evaluate(start)
        recorded = [*map(_data, outputs.values())]
        repeats = _same(first, other)
        # sum() rounds Values and floats in different ways, as do derivatives taken in f.
        if repeats and not _same(first, recorded):
            repeats, other = _same(recorded, map(_data, self.compute().values())), recorded
        if not repeats:
            raise GradcheckError(
                f"{self.function}: f is not deterministic: it returned {short(first)} and "
                f"{short(other)} for the same inputs; fix the seed of its random numbers"
            )
        entries = []
        for i, (name, leaf) in enumerate(self.leaves.items()):
            tangents = _forward(leaf, [*outputs.values()])
            numeric = slopes(self.evaluate, start, i, self.eps, self.atol, first)
            for output, gradient, tangent, sides in zip(
                outputs, gradients, tangents, numeric, strict=True
            ):
                verdicts = [judge(x, *sides, self.atol, self.rtol) for x in (gradient[i], tangent)]
                verdict = "wrong" if "wrong" in verdicts else verdicts[0]
                entries.append(Entry(output, name, gradient[i], tangent, *sides, verdict))
        return entries

    def evaluate(self, data: list[float]) -> list[float]:
        """Return the outputs for other data of the inputs."""
        before = [leaf.data for leaf in self.leaves.values()]
        set_data(self.leaves.values(), data)
        try:
            with no_grad():
                return [*map(_data, self.compute().values())]
        finally:
            set_data(self.leaves.values(), before)

    def gradients(self) -> dict[str, Operand]:
        """Return the first derivatives by name, recorded."""
        with recording_on():
            outputs = self.compute()
        gradients: dict[str, Operand] = {}
        for output, y in outputs.items():
            found: dict[Value, Operand] = {}
            if isinstance(y, Value):
                found = {y: 1.0}
                with recording_on():
                    pull(topological_order((y,), self.leaves.values()), found, partial_values)
            for name, leaf in self.leaves.items():
                gradients[f"d{output}/d{name}"] = found.get(leaf, 0.0)
        return gradients


def _reverse(y: Operand, leaves: list[Value]) -> list[float]:
    """Return the gradient of one output."""
    if not isinstance(y, Value):
        return [0.0] * len(leaves)
    adjoints = {y: 1.0}
    pull(topological_order((y,), leaves), adjoints)
    return [adjoints.get(leaf, 0.0) for leaf in leaves]


def _forward(leaf: Value, outputs: list[Operand]) -> list[float]:
    """Return the derivative of each output with respect to one input."""
    tangents = {leaf: 1.0}
    roots = [y for y in outputs if isinstance(y, Value)]
    push(topological_order(roots, (leaf,)), tangents)
    return [tangents.get(y, 0.0) if isinstance(y, Value) else 0.0 for y in outputs]


def _data(y: Operand) -> float:
    return y.data if isinstance(y, Value) else y


def _same(xs: Iterable[float], ys: Iterable[float]) -> bool:
    return all(a == b or (a != a and b != b) for a, b in zip(xs, ys, strict=True))
