"""Derivatives from finite differences, with an estimate of their error.

Difference quotients over shrinking steps are extrapolated to the step 0 (Ridders 1982, Adv. Eng.
Software 4).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import TypeAlias

from microgradlib.core.primitive import DOMAIN_ERRORS

SAFETY = 4.0  # an error may be this many times its estimate
UNIT = 2.0**-52
_TINY = 2.0**-1070  # a few roundings of subnormal numbers

_STEPS = 50  # at most, each half of the one before
_CONFIRM = 16.0  # steps shrink until rounding is this many times the best estimate of the error
_GROSS = 0.1  # a relative difference above this is no rounding
_INACCURATE = 1e-4  # a relative error above this tells too little
_ROUGH = 1e-2  # a relative error above this tells nothing
_WEAK = 1e3  # such a ratio of errors, to one side and to both, is that of a weak singularity
_SMALL = 1e-3  # inputs below this may have a scale of their own

Evaluate: TypeAlias = Callable[[list[float]], list[float]]
"""Returns the outputs for given inputs."""


@dataclass(frozen=True)
class Slope:
    """A derivative from differences, and an estimate of its error.

    Attributes:
        value: the derivative.
        error: how far it may be off, by estimate.
    """

    value: float
    error: float

    def inaccurate(self, atol: float = 0.0) -> bool:
        """Return whether the error is too large to tell a right derivative from a wrong one."""
        return not SAFETY * self.error <= max(atol, _INACCURATE * abs(self.value))

    def confirms(self, gap: float) -> bool:
        """Return whether a derivative so near is right although the error is large.

        It is large where f, next to a singularity, may round its input.
        """
        size = abs(self.value)
        return self.error <= _ROUGH * size and gap <= _INACCURATE * size

    def unbounded(self) -> bool:
        """Return whether the quotients do not settle at all: a jump, or a vertical tangent."""
        return self.inaccurate(1.0)


NOTHING = Slope(nan, inf)
Slopes: TypeAlias = tuple[Slope, Slope, Slope]
"""From differences to both sides, to the left and to the right."""


class Extrapolation:
    """Difference quotients extrapolated to the step 0: Neville's scheme, the best entry of it.

    Args:
        power: the error of a quotient goes down with this power of the step.
        x: the input, which f may round.
    """

    def __init__(self, power: int, x: float) -> None:
        """Start without a quotient."""
        self.power = power
        self.x = x
        self.row: list[float] = []
        self.quotients: list[float] = []  # the last four
        self.limits: list[float] = []  # the last three by Aitken
        self.limit = NOTHING  # the best of those
        self.best = NOTHING
        self.size = 0.0  # of a rounding of the largest values so far, which f may have subtracted
        self.noise = 0.0

    def add(self, high: float, low: float, width: float) -> None:
        """Add the quotient (high - low) / width, for a width half of the last one."""
        self.size = max(self.size, UNIT * abs(high) + UNIT * abs(low))
        new = [(high - low) / width]
        self.noise = (self.size + UNIT * abs(self.x) * abs(new[0]) + _TINY) / width
        self.quotients = [*self.quotients[-3:], new[0]]
        found = NOTHING
        for k, old in enumerate(self.row, start=1):
            weight = 2.0 ** (self.power * k)
            new.append((weight * new[-1] - old) / (weight - 1.0))
            if k < len(self.row):  # three neighbours to agree with: two might do so by accident
                neighbours = (new[-2], old, self.row[k])
                error = max(abs(new[-1] - x) for x in neighbours) + self.noise
                if error < found.error:
                    found = Slope(new[-1], error)
        self.limit = min(self.limit, self._limit(), key=lambda slope: slope.error)
        if found.error < self.best.error or self._contradicts(found):
            self.best = found
        self.row = new

    def _limit(self) -> Slope:
        """Return the limit of quotients whose error goes down by any factor (Aitken 1926).

        That of x**1.5 at 0 goes down with the root of the step.
        """
        if len(self.quotients) < 3:
            return NOTHING
        a, b, c = self.quotients[-3:]
        if not abs(c - b) < abs(b - a):
            self.limits = []
            return NOTHING
        gain = (c - b) / ((c - b) - (b - a))
        self.limits = [*self.limits[-2:], c - (c - b) * gain]
        if len(self.limits) < 3:
            return NOTHING
        error = max(self.limits) - min(self.limits) + SAFETY * (1.0 + gain * gain) * self.noise
        return Slope(self.limits[-1], error)

    def result(self) -> Slope:
        """Return the best derivative: by Neville's scheme, unless that tells too little."""
        better = self.best.inaccurate() and self.limit.error < self.best.error
        return self.limit if better else self.best

    def _contradicts(self, found: Slope) -> bool:
        """Return whether the best was an accident: steps that fit the period of an oscillation.

        A new estimate excludes the best, and the last quotients are close to the new one, which
        noise would not be. An estimate of 0 does not count: it may come from rounding.
        """
        gap = abs(found.value - self.best.value)
        return (
            found.value != 0.0
            and gap > _GROSS * abs(found.value) + SAFETY * (found.error + self.best.error)
            and all(8.0 * abs(quotient - found.value) < gap for quotient in self.quotients)
        )

    def done(self) -> bool:
        """Return whether smaller steps would only add noise, and some have confirmed the best."""
        if not self.noise >= _CONFIRM * self.best.error:
            return False
        near = _GROSS * abs(self.best.value) + SAFETY * (self.best.error + self.noise)
        return abs(self.quotients[-1] - self.best.value) <= near


def slopes(
    evaluate: Evaluate, start: list[float], i: int, eps: float, atol: float, center: list[float]
) -> list[Slopes]:
    """Return the derivatives of each output with respect to input i.

    Args:
        evaluate: computes the outputs.
        start: the inputs.
        i: the position of the input among them.
        eps: the first step, relative to the input or 1, whichever is larger.
        atol: the error that is accepted.
        center: the outputs at ``start``.
    """

    def at(x: float) -> list[float] | None:
        try:
            return evaluate([*start[:i], x, *start[i + 1 :]])
        except DOMAIN_ERRORS:
            return None

    x = start[i]
    unit = max(abs(x), 1.0)
    best = [(NOTHING,) * 3 for _ in center]
    # The scale of a function is about 1, or that of the input where it is much smaller.
    for scale in (unit, abs(x)):
        for j, found in enumerate(_shrink_steps(at, x, eps * scale, center)):
            # Small steps are the most exact, unless rounding hides the difference.
            if not found[0].inaccurate():
                best[j] = found
            elif best[j][0].inaccurate(atol):
                best[j] = min(best[j], found, key=_errors)
        if abs(x) > _SMALL and not any(central.inaccurate(atol) for central, _, _ in best):
            break  # the smaller scale is not needed, and is closer to rounding
    # Larger steps may show a derivative that rounding hides, but only flatten an unbounded one.
    for k in range(1, 9):
        hidden = [slope.inaccurate(atol) and not slope.unbounded() for slope, _, _ in best]
        if not any(hidden):
            break
        for j, (wider, _, _) in enumerate(_shrink_steps(at, x, eps * unit * 4.0**k, center)):
            central, left, right = best[j]
            # Only within the error of smaller steps: larger ones may skip an oscillation.
            if hidden[j] and abs(wider.value - central.value) <= central.error > wider.error:
                best[j] = wider, left, right
    return [_with_one_side(*found) for found in best]


def _shrink_steps(
    at: Callable[[float], list[float] | None], x: float, first: float, center: list[float]
) -> list[Slopes]:
    """Return the best derivatives of each output from the first step and smaller ones."""
    outputs = [(Extrapolation(2, x), Extrapolation(1, x), Extrapolation(1, x)) for _ in center]
    for k in range(_STEPS):
        h = (x + first * 2.0**-k) - x  # a step that x + h does not round
        if h == 0.0:
            break
        low, high = at(x - h), at(x + h)
        for j, (central, left, right) in enumerate(outputs):
            if low and high:
                central.add(high[j], low[j], 2.0 * h)
            if low:
                left.add(center[j], low[j], h)
            if high:
                right.add(high[j], center[j], h)
        if all(extrapolation.done() for output in outputs for extrapolation in output):
            break
    return [
        (central.best, left.best, right.best)
        if central.row
        else (NOTHING, left.result(), right.result())  # at an edge of the domain
        for central, left, right in outputs
    ]


def _errors(found: Slopes) -> tuple[float, float]:
    """Return the errors to compare; at an edge of the domain only one side is finite."""
    central, left, right = found
    return central.error, min(left.error, right.error)


def _with_one_side(central: Slope, left: Slope, right: Slope) -> Slopes:
    """Return the derivatives; at an edge of the domain three times that to the one side.

    Beside a weak singularity, where those to one side converge slowly, the differences to both
    sides may cancel what the sides agree on: they are no better than those to one side.
    """
    best, other = sorted((left, right), key=lambda slope: slope.error)
    if not isfinite(central.error):
        return best, best, best
    gap, rest = best.value - central.value, other.value - central.value
    agree = abs(gap - rest) <= SAFETY * (best.error + other.error)
    excluded = abs(gap) > SAFETY * (best.error + central.error) and abs(rest) > other.error
    if agree and excluded and gap * rest > 0.0:
        return best, left, right
    blurred = Slope(central.value, best.error)
    weak = best.error > _WEAK * central.error and not blurred.inaccurate()
    return (blurred if weak else central), left, right
