"""How source calls machine code, and where its results are in what comes out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from microgradlib.compiling.arguments import Field
from microgradlib.compiling.symbols import Check, Program
from microgradlib.compiling.templates import ATOM


def machine_call(
    fields: Sequence[Field], slopes: Iterable[int], arrays: Mapping[int, int], checks: list[Check]
) -> tuple[list[str], list[tuple[str, str]], tuple[str, str]]:
    """Return the lines that call machine code, the texts of its results, and both formats.

    Args:
        fields: what goes in.
        slopes: how many slopes follow each result.
        arrays: the beginnings and ends of results that come out as bytes, without slopes.
        checks: the decisions that C does not take; their numbers come out after the results.
    """
    texts: list[tuple[str, str]] = []
    formats: list[str] = []
    place = end = 0  # in what comes out, and of the last array
    for i, count in enumerate(slopes):
        if i < end:
            texts.append(("", ""))
            continue
        end = arrays.get(i, end)
        formats.append(f"{8 * (end - i)}s" if i < end else f"{1 + count}d")
        first, place = place, place + 1 + count
        texts.append((f"o[{first}]", f"o[{first + 1}:{place}]" if count else ""))
    lines = [f"o = run({', '.join([x.source for x in fields])})"]
    for check in checks:
        for x in check.symbols():
            x.text, x.binding = f"o[{place}]", ATOM
            place += 1
            formats.append("d")
        lines.append(check.line())
    return lines, texts, ("".join([field.format for field in fields]), "".join(formats))


class Update(NamedTuple):
    """What a training step does to each parameter once its gradient is known.

    The trace gives the loss and then the gradients. In the buffer, the last inputs of the trace are
    the parameters; one list for each part of their state and the number of steps follow them.

    Attributes:
        program: the formula for one of them: from the factors, the options, the gradient, the
            parameter and its state to the new parameter and its new state.
        ends: where the parameters of each group end; the last one is their number.
        state: how many numbers each has beside itself.
        factors: where the factors stand among the inputs.
        options: where the options of all groups do, one group after the other.
    """

    program: Program
    ends: list[int]
    state: int
    factors: range
    options: range
