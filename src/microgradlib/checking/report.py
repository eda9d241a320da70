"""The report of gradcheck: a verdict on each derivative."""

from dataclasses import dataclass
from math import inf, isfinite

from microgradlib.checking.differences import SAFETY, Slope


@dataclass(frozen=True)
class Entry:
    """The derivative of one output with respect to one input.

    Attributes:
        output: the name of the output: "f", or "f[1]" where there are several.
        input: the name of the input: "x0", "x1[2]", or that of a parameter.
        analytic: the derivative as ``backward()`` computes it.
        forward: the derivative in forward mode, from the input to the output.
        numeric: the derivative from differences to both sides.
        left: the derivative from differences to the left.
        right: the derivative from differences to the right.
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
        if self.verdict == "unclear" and self.analytic != self.analytic:
            return f"{line}: backward() refuses it"
        if self.verdict != "not smooth here":
            return line
        if self.left.unbounded() or self.right.unbounded():
            return f"{line}: the slope grows without bound"
        low, high = sorted((self.left.value, self.right.value))
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


def judge(
    analytic: float, numeric: Slope, left: Slope, right: Slope, atol: float, rtol: float
) -> str:
    """Return the verdict on a derivative, given those from differences."""
    if left.error == right.error == inf:
        return "unclear"
    tolerance = atol + rtol * abs(numeric.value)
    jump = abs(right.value - left.value)
    if jump > tolerance + SAFETY * (left.error + right.error):
        return "not smooth here"
    if analytic != analytic:  # as if there were none: backward() refuses it
        return "unclear"
    gap = abs(analytic - numeric.value)
    if not gap <= tolerance + SAFETY * numeric.error:
        vertical_tangent = abs(analytic) == inf and numeric.unbounded()
        return "not smooth here" if vertical_tangent else "wrong"
    return "unclear" if numeric.inaccurate(atol) and not numeric.confirms(gap) else "ok"
