"""What a loop in C saves for the way back, beside its carries: the results of functions.

The way back computes each step again, and calls the same functions with the same numbers. Where all
carries are kept, these results are, too.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from microgradlib.compiling.clibrary import LIST, signature
from microgradlib.compiling.loops import Pull, loop_of
from microgradlib.compiling.symbols import Program
from microgradlib.compiling.templates import Template, is_entry

Ids = dict[Any, int]
"""Numbers that are the same for what computes the same."""


class Saved(NamedTuple):
    """The steps of a loop that saves numbers: forward, and back by their names."""

    size: int  # how many numbers of each step
    step: Program
    backs: dict[str, Program]


def saved_by(program: Program) -> dict[str, Saved]:
    """Return what the loops of a program save, by the names of their steps."""
    operands_of = {number: operands for number, _, operands in program.rows}
    pulls: dict[str, list[tuple[Pull, Sequence[Any], Sequence[Any]]]] = {}
    for _, template, operands in program.rows:
        loop = loop_of(template)
        if isinstance(loop, Pull) and loop.scan.every == 1:
            forward = operands_of[operands[0]]
            pulls.setdefault(loop.scan.step.name, []).append((loop, forward, operands))
    found = {name: _saved(xs) for name, xs in pulls.items()}
    return {name: saved for name, saved in found.items() if saved.size}


def _saved(pulls: Sequence[tuple[Pull, Sequence[Any], Sequence[Any]]]) -> Saved:
    """Return what one loop saves for the ways back through it."""
    known: Ids = {}
    scan = pulls[0][0].scan
    step = scan.step.program
    first = [f"carry {i}" for i in range(scan.carry)] + [f"row {i}" for i in range(scan.row)]
    read = scan.length * scan.row
    forward = _ids(step, [*first, *pulls[0][1][scan.stops + scan.carry + read :]], known)
    by_id = {found: number for number, found in forward.items()}
    matches: dict[str, dict[int, int]] = {}  # numbers of the way back, and those of the step
    for pull, _, operands in pulls:
        back = pull.step.program
        others = len(back.inputs) - len(first) - pull.rest
        own = [*first, *[f"other {i}" for i in range(others)]]
        ids = _ids(back, [*own, *operands[len(operands) - pull.rest :]], known)
        matches[pull.step.name] = {
            number: by_id[ids[number]] for number, *_ in back.rows if ids[number] in by_id
        }
    costly = {number for number, template, _ in step.rows if _is_costly(template)}
    kept = sorted(costly & {x for match in matches.values() for x in match.values()})
    backs = {
        pull.step.name: _with_inputs(pull.step.program, matches[pull.step.name], kept)
        for pull, *_ in pulls
    }
    kept_step = step._replace(
        outputs=[*step.outputs, *kept], meanings=[*step.meanings, *["saved"] * len(kept)]
    )
    return Saved(len(kept), kept_step, backs)


def _is_costly(template: Template) -> bool:
    """Whether an instruction gives a number that is worth a place in memory."""
    if template.function:
        return signature(template.function).result != LIST
    return is_entry(template) or "**" in "".join(template.pieces)


def _ids(program: Program, inputs: Iterable[Hashable], known: Ids) -> dict[int, int]:
    """Return what numbers compute, given what the inputs are."""
    ids: dict[int, int] = {}
    for number, x in zip(program.inputs, inputs, strict=True):
        ids[number] = known.setdefault(("input", repr(x)), len(known))
    for number, template, operands in program.rows:
        key = template, tuple([ids[x] if type(x) is int else repr(x) for x in operands])
        ids[number] = known.setdefault(key, len(known))
    return ids


def _with_inputs(program: Program, matches: dict[int, int], kept: Sequence[int]) -> Program:
    """Return the way back with saved numbers as further inputs, and without what they spare."""
    count = len(program.inputs)
    places = {number: -1 - count - i for i, number in enumerate(kept)}
    given = {number: places[x] for number, x in matches.items() if x in places}

    def moved(xs: Iterable[Any]) -> list[Any]:
        return [given.get(x, x) if type(x) is int else x for x in xs]

    needed = {*moved(program.outputs), *moved(program.finite)}
    needed.update(*[moved(check.operands) for check in program.checks])
    rows = []
    for number, template, operands in reversed(program.rows):
        repeated = number in matches  # the loop forward has computed it, and did not fail
        if number not in given and (number in needed or not (repeated or is_entry(template))):
            rows.append((number, template, tuple(moved(operands))))
            needed.update(moved(operands))
    return program._replace(
        inputs={**program.inputs, **{places[x]: f"saved{i}" for i, x in enumerate(kept)}},
        paths=[*program.paths, *[f"saved{i}" for i in range(len(kept))]],
        rows=rows[::-1],
        outputs=moved(program.outputs),
        finite=moved(program.finite),
        checks=[check._replace(operands=tuple(moved(check.operands))) for check in program.checks],
    )
