"""Loops among the instructions of a trace, and how source calls them."""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from microgradlib.compiling.symbols import Program
from microgradlib.compiling.templates import ATOM, Template


class Step(NamedTuple):
    """What a loop repeats: a function of numbers.

    Attributes:
        name: its name.
        text: its source in Python.
        program: the same for other writers.
    """

    name: str
    text: str
    program: Program


class Scan(NamedTuple):
    """A loop forward; ``numeric.loops.scan`` says what its sizes are."""

    step: Step
    length: int
    carry: int
    row: int
    results: int
    others: int
    reverse: bool
    stops: bool
    every: int = 1
    room: int = 0

    @property
    def steps(self) -> tuple[Step, ...]:
        """The functions that it calls."""
        return (self.step,)

    @property
    def made(self) -> int:
        """How many numbers it makes, with those of the carries that are kept."""
        kept = 1 + self.room * (1 + self.carry) if self.room else 0
        return self.carry + self.length * self.results + kept

    @property
    def scratch(self) -> int:
        """How many numbers it works with, beside those of its step."""
        return self.carry + self.row + self.others + self.carry + self.results

    def sizes(self) -> dict[str, Any]:
        """Return the keywords of its call; those that are left out have these values anyway."""
        sizes: dict[str, Any] = {"length": self.length, "carry": self.carry, "row": self.row}
        sizes |= {name: True for name in ("reverse", "stops") if getattr(self, name)}
        if self.room:
            sizes |= {"every": self.every, "room": self.room}
        return sizes

    @property
    def start(self) -> str:
        """Its source before its operands."""
        return f"scan({self.step.name}, "


class Pull(NamedTuple):
    """A loop back through another one; ``numeric.loops.scan_pull`` says what its sizes are."""

    scan: Scan
    step: Step
    linked: int
    sums: int
    results: int
    of_row: int
    rest: int
    echoes: tuple[tuple[int, int], ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The functions that it calls."""
        return self.scan.step, self.step

    @property
    def made(self) -> int:
        """How many numbers it makes."""
        return self.linked + self.sums + self.scan.length * self.of_row

    @property
    def scratch(self) -> int:
        """How many numbers it works with, beside those of its steps."""
        scan = self.scan
        taken = scan.carry + scan.row + self.sums + len(self.echoes) + self.linked + self.results
        stack = 0 if scan.every == 1 else scan.room * (1 + scan.carry)
        return stack + 2 * (taken + self.rest) + scan.scratch

    def sizes(self) -> dict[str, Any]:
        """Return the keywords of its call."""
        sizes = self.scan.sizes() | {
            "others": self.scan.others,
            "linked": self.linked,
            "sums": self.sums,
            "results": self.results,
        }
        return sizes | ({"echoes": self.echoes} if self.echoes else {})

    @property
    def start(self) -> str:
        """Its source before its operands."""
        return f"scan_pull({self.scan.step.name}, {self.step.name}, "


Loop: TypeAlias = Scan | Pull


class LoopTemplate(Template):
    """Source that runs a loop over numbers; that of a pull takes the result of its scan first."""

    __slots__ = ("loop",)

    def __init__(self, loop: Loop, count: int) -> None:
        """Write the source for so many operands."""
        end = f"], {', '.join([f'{name}={size}' for name, size in loop.sizes().items()])})"
        first = 1 if isinstance(loop, Pull) else 0
        listed = count - first
        pieces = [loop.start, ", ["] if first else [f"{loop.start}["]
        pieces += [", "] * (listed - 1)
        pieces = [*pieces, end] if listed else [*pieces[:-1], pieces[-1] + end]
        super().__init__(tuple(pieces), tuple((i, 0) for i in range(count)), ATOM)
        self.loop = loop

    def __reduce__(self) -> tuple[type, tuple[Loop, int]]:
        return LoopTemplate, (self.loop, len(self.gaps))


def loop_of(template: Template) -> Loop | None:
    """Return the loop that an instruction runs; None for another one."""
    return template.loop if isinstance(template, LoopTemplate) else None


def steps_of(program: Program) -> dict[str, Step]:
    """Return the steps of all loops in a program by name, each after those that it needs."""
    found: dict[str, Step] = {}
    for loop in loops_in(program):
        for step in loop.steps:
            found |= {**steps_of(step.program), step.name: step}
    return found


def loops_in(program: Program) -> Iterator[Loop]:
    """Yield the loops among the instructions of a program."""
    for _, template, _ in program.rows:
        if loop := loop_of(template):
            yield loop


def operations(program: Program) -> int:
    """Return about how many operations a program takes, with those of its loops."""
    count = len(program.rows)
    for loop in loops_in(program):
        scan = loop.scan if isinstance(loop, Pull) else loop
        count += scan.length * sum([operations(step.program) for step in loop.steps])
    return count
