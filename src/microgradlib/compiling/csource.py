"""The instructions of a trace as C99: one file, no allocation, no state, the interpreter's bits."""

import re
from collections import defaultdict
from itertools import accumulate, groupby
from math import copysign, isinf
from typing import Any, NamedTuple

from microgradlib.compiling.clibrary import (
    LIST,
    Signature,
    comparison,
    expression,
    library,
    names_in,
    signature,
)
from microgradlib.compiling.copies import merged
from microgradlib.compiling.loops import Loop, Pull, Scan, loop_of, loops_in
from microgradlib.compiling.ranges import named_ranges
from microgradlib.compiling.sharing import saved_by
from microgradlib.compiling.symbols import Program
from microgradlib.compiling.templates import Template, is_entry, place_of
from microgradlib.errors import CompileError

_PIECE = 500  # instructions in one C function: the time of compilers is quadratic in their number
# From so many pieces on, several compilers share the work: so many files, or more with at most so
# many pieces.
_LEAST_APART, _FILES, _PIECES_OF_A_FILE = 8, 4, 10

DECIDED, FAILED, UNFINITE = 1, 2, 4
"""The statuses of the C function: a decision differs from the trace, Python raises an error there,
or a number that must be finite is not."""


class CSource(NamedTuple):
    """A C file and its header.

    Attributes:
        name: the name of the function.
        about: the comment at its top.
        steps: the functions that loops call, each after those that it calls itself.
        pieces: the functions that ``main`` calls, if there are several.
        main: the function itself.
        header: the text of the header.
        work: how many working numbers the function needs.
    """

    name: str
    about: str
    steps: list["CSource"]
    pieces: list[str]
    main: str
    header: str
    work: int

    @property
    def text(self) -> str:
        """The file."""
        return f"{self.about}\n{with_library(self._all())}"

    def _all(self) -> str:
        return "\n".join(
            [*[step.own for step in self.steps], *map(_static, self.pieces), self.main]
        )

    @property
    def own(self) -> str:
        """The function and its pieces, for a loop in the same file."""
        return "\n".join(map(_static, [*self.pieces, self.main]))

    def files(self) -> tuple[str, list[str]]:
        """Return what the file with ``main`` defines, and files to be built at the same time."""
        sources = [*self.steps, self]
        apart = [x for source in sources for x in source.pieces if "mg_scan" not in x]
        if len(apart) < _LEAST_APART:
            return self._all(), []
        count = min(_PIECES_OF_A_FILE, -(-len(apart) // _FILES))
        groups = [apart[i : i + count] for i in range(0, len(apart), count)]
        kept = [piece.partition("\n")[0] + ";" for piece in apart]
        for source in sources:
            kept += [_static(x) for x in source.pieces if "mg_scan" in x]
            kept.append(self.main if source is self else _static(source.main))
        return "\n".join(kept), [with_library("\n".join(x)) for x in groups]


def _static(function: str) -> str:
    return f"static {function}"


def with_library(text: str) -> str:
    """Return C functions after those of the library that they call."""
    return f"{library(names_in(text))}\n{text}"


def c_source(program: Program, name: str) -> CSource:
    """Return the C function of a trace, with the given name.

    Raises:
        CompileError: if the trace calls a primitive of the user's own.
    """
    if program.owned:
        raise CompileError(
            f"compile: {program.owned[0]} is a primitive of your own, in Python, and has no C "
            "form; use backend='python', or compose it of functions of the library"
        )
    return _CWriter(program, name).write()


class _CWriter:
    """Writes one program, a large one as several C functions: its pieces.

    A number that is read in its own piece only is a local variable; others are kept in ``work``.
    """

    def __init__(self, program: Program, name: str) -> None:
        """Find out what reads each number."""
        self.program = program
        self.name = name
        rows = program.rows
        counts = accumulate([not is_entry(template) for _, template, _ in rows])
        places = [*zip(counts, rows, strict=True)]
        grouped = groupby(places, lambda x: (x[0] - 1) // _PIECE)
        self.pieces = [[row for _, row in piece] for _, piece in grouped] or [[]]
        self.texts = {x: f"in[{i}]" for i, x in enumerate(program.inputs)}
        own = {number: i for i, piece in enumerate(self.pieces) for number, *_ in piece}
        self.last: dict[int, int] = {}  # the last piece that reads a number
        for check in program.checks:
            self._read(check.operands, max([own.get(x, 0) for x in check.operands]))
        for number, template, operands in reversed(rows):
            reader = self.last.get(number, 0) if is_entry(template) else own[number]
            self._read(operands, reader)
        self.outputs: defaultdict[int, list[int]] = defaultdict(list)  # by number; -1: the start
        for i, x in enumerate(program.outputs):
            self.outputs[_known(x)].append(i)
        self.checks: defaultdict[int, list[Any]] = defaultdict(list)
        for check in program.checks:
            self.checks[max(map(_known, check[1]))].append(check)
        self.finite: defaultdict[int, list[Any]] = defaultdict(list)
        for x in program.finite:
            self.finite[_known(x)].append(x)
        self.saved = saved_by(program)
        self.sources = self._steps()  # by name, each after those that it needs
        self.work = max([self._scratch(template, len(xs)) for _, template, xs in rows], default=0)
        self.free: defaultdict[int, list[int]] = defaultdict(list)  # places in work, by size
        self.ending: defaultdict[int, list[Any]] = defaultdict(list)  # places and sizes, by piece

    def _steps(self) -> dict[str, CSource]:
        """Return the functions that loops call."""
        programs = {name: saved.step for name, saved in self.saved.items()}
        for saved in self.saved.values():
            programs |= saved.backs
        found: dict[str, CSource] = {}
        for loop in loops_in(self.program):
            for step in loop.steps:
                if step.name not in found:
                    source = c_source(programs.get(step.name, step.program), step.name)
                    found |= {x.name: x for x in [*source.steps, source]}
        return found

    def _saved(self, loop: Loop) -> int:
        """Return how many numbers of each step a loop saves, beside its carries."""
        scan = loop.scan if isinstance(loop, Pull) else loop
        saved = self.saved.get(scan.step.name)
        return saved.size if saved else 0

    def _read(self, operands: tuple[Any, ...], piece: int) -> None:
        """Note that a piece reads these numbers."""
        for x in operands:
            if type(x) is int:
                self.last[x] = max(self.last.get(x, 0), piece)

    def write(self) -> CSource:
        """Return the text."""
        functions = [self._piece(i) for i in range(len(self.pieces))]
        parameters = "(const double *restrict in, double *restrict out, double *restrict work)"
        names = [f"{self.name}_{i + 1}" for i in range(len(functions))]
        if len(functions) > 1:
            calls = [
                f"if ((status |= {name}(in, out, work)) & {DECIDED}) return {DECIDED};"
                for name in names
            ]
            end = f"return status & {FAILED} ? {FAILED} : status;"
            pieces = [f"int {n}{parameters}{f}" for n, f in zip(names, functions, strict=True)]
            main = f"int {self.name}{parameters}{block(['int status = 0;', *calls, end])}"
        else:
            pieces, main = [], f"int {self.name}{parameters}{functions[0]}"
        about, upper = self._about(), self.name.upper()
        header = (
            f"{about}\n#ifndef {upper}_H\n#define {upper}_H\n\n"
            f"#define {upper}_INPUTS {len(self.program.inputs)}\n"
            f"#define {upper}_OUTPUTS {len(self.program.outputs)}\n"
            f"#define {upper}_WORK {max(self.work, 1)}\n\n"
            '#ifdef __cplusplus\nextern "C"\n#endif\n'
            f"int {self.name}(const double *in, double *out, double *work);\n\n#endif\n"
        )
        return CSource(self.name, about, [*self.sources.values()], pieces, main, header, self.work)

    def _about(self) -> str:
        """Return the comment that says what goes in and comes out."""
        program = self.program
        lines = [
            f"int {self.name}(const double *in, double *out, double *work)",
            "",
            *named_ranges([f"in[{i}]" for i in range(len(program.inputs))], program.paths),
            *named_ranges([f"out[{i}]" for i in range(len(program.outputs))], program.meanings),
            f"work: {max(self.work, 1)} or more numbers of any value.",
            "",
            "The three arrays do not overlap. Threads may call it at once, each with out and work",
            "of its own; it keeps nothing. It returns",
            "",
            "0: the results are in out. Otherwise they do not count:",
            f"{DECIDED}: a decision comes out differently than when the function was traced;",
            f"{FAILED}: the function raises an error in Python;",
            f"{UNFINITE}: a result is infinite or NaN where the function raises an error for that.",
            "",
            "The results have the bits of the Python function with the flags -O1 -ffp-contract=off",
            "-fno-builtin, and the same C library. Link with -lm.",
        ]
        # Names may hold what begins or ends a comment, or means another character in it.
        marks = re.compile(r"(?<=[*/?])(?=[*/?])")
        texts = [marks.sub(" ", ascii(line)[1:-1]) for line in lines]
        return "\n".join([f"/* {texts[0]}", *[f" * {x}".rstrip() for x in texts[1:]], " */"])

    def _piece(self, i: int) -> str:
        """Return the body of the function of one piece."""
        lines = self._results(-1) if i == 0 else []
        kept = []
        for number, template, operands in self.pieces[i]:
            lines += self._instruction(number, template, operands)
            if self.texts[number] == f"t{number}" and self.last.get(number, i) > i:
                place = self._place(number, 1)
                lines.append(f"work[{place}] = {self.texts[number]};")
                kept.append((number, f"work[{place}]"))
            lines += self._results(number)
        self.texts.update(kept)
        for place, size in self.ending.pop(i, ()):
            self.free[size].append(place)
        lines = merged(lines)
        text = " ".join(lines)
        start = [f"(void){x};" for x in ("in", "out", "work") if not re.search(rf"\b{x}\b", text)]
        status = "0"
        if "zero +=" in text:
            start.append("double zero = 0.0; /* unless a result is infinite or NaN */")
            status = f"zero == 0.0 ? 0 : {UNFINITE}"
        if re.search(r"\blooped\b", text):
            start.append("int looped;")
        if re.search(r"\bfailed\b", text):
            start.append("int failure = 0, *const failed = &failure;")
            status = f"failure ? {FAILED} : {status}"
        return block([*start, *lines, f"return {status};"])

    def _instruction(self, number: int, template: Template, operands: tuple[Any, ...]) -> list[str]:
        """Return the statements that compute a number."""
        if is_entry(template):
            self.texts[number] = f"work[{int(self.texts[operands[0]]) + place_of(template)}]"
            return []
        if loop := loop_of(template):
            return self._loop(loop, number, operands)
        texts = [self._text(x) for x in operands]
        name = f"t{number}"
        self.texts[number] = name
        lines = []
        called = _called(template)
        if called is None:
            value = expression(template).format(*texts)
        else:
            if LIST in called.parameters:
                lines = _copies(texts)
                texts = ["work", str(len(operands))]
            place = self._place(number, len(operands)) if called.result == LIST else 0
            value = called.call(texts, f"work + {place}", f"work + {len(operands)}")
            if called.result == LIST:
                self.texts[number] = str(place)
                return [*lines, f"{value};"]
        if number in self.last or number in self.outputs or number in self.finite:
            return [*lines, f"const double {name} = {value};"]
        return [*lines, f"(void)({value});"]  # it may fail

    def _loop(self, loop: Loop, number: int, operands: tuple[Any, ...]) -> list[str]:
        """Return the statements that run a loop."""
        first = [f"work + {self.texts[operands[0]]}"] if isinstance(loop, Pull) else []
        texts = [self._text(x) for x in operands[len(first) :]]
        saved = self._saved(loop)
        kept = loop.room if isinstance(loop, Scan) else 0
        place = self._place(number, loop.made + saved * kept)
        self.texts[number] = str(place)
        steps = [step.name for step in loop.steps]
        sizes = f"&(const mg_loop){{{_sizes(loop, saved)}}}"
        arrays = ["work", f"work + {place}", f"work + {len(texts)}"]
        name = "mg_scan_pull" if first else "mg_scan"
        call = f"{name}({', '.join([*steps, sizes, *first, *arrays])})"
        return [*_copies(texts), f"if ((looped = {call})) return looped;"]

    def _scratch(self, template: Template, count: int) -> int:
        """Return how many working numbers an instruction needs, its operands included."""
        if loop := loop_of(template):
            return (
                count
                + loop.scratch
                + 2 * self._saved(loop)  # a pull works with the inputs of two steps
                + max([self.sources[x.name].work for x in loop.steps])
            )
        called = _called(template)
        if called is None or LIST not in called.parameters:
            return 0
        return count + called.work[0] + called.work[1] * count

    def _results(self, number: int) -> list[str]:
        """Return the statements that follow when a number is known."""
        lines = []
        for template, operands, outcome, _ in self.checks[number]:
            condition = comparison(template).format(*map(self._text, operands))
            unlike = f"!({condition})" if outcome else condition
            lines.append(f"if ({unlike}) return {DECIDED};")
        lines += [f"zero += {text} - {text};" for text in map(self._text, self.finite[number])]
        outputs = self.program.outputs
        return [*lines, *[f"out[{i}] = {self._text(outputs[i])};" for i in self.outputs[number]]]

    def _place(self, number: int, size: int) -> int:
        """Return a place in work for a result of several numbers, or one that other pieces read."""
        if self.free[size]:
            place = self.free[size].pop()
        else:
            place, self.work = self.work, self.work + size
        self.ending[self.last.get(number, 0)].append((place, size))
        return place

    def _text(self, x: Any) -> str:
        """Return the C expression of a number."""
        return self.texts[x] if type(x) is int else literal(x)


def _known(x: Any) -> int:
    """Return when a number is known: after an instruction, or from the start, -1."""
    return max(x, -1) if type(x) is int else -1


def _sizes(loop: Loop, saved: int) -> str:
    """Return the sizes of a loop as C initializes them."""
    scan = loop.scan if isinstance(loop, Pull) else loop
    sizes = [scan.length, scan.carry, scan.row, scan.results, scan.others]
    sizes += [scan.every, scan.room, saved, int(scan.reverse), int(scan.stops)]
    if isinstance(loop, Pull):
        sizes += [loop.linked, loop.sums, loop.results, loop.of_row, loop.rest, len(loop.echoes)]
        pairs = ", ".join([f"{{{i}, {k}}}" for i, k in loop.echoes])
        return ", ".join([*map(str, sizes), f"(const long long[][2]){{{pairs or '{0, 0}'}}}"])
    return ", ".join([*map(str, sizes), "0, 0, 0, 0, 0, 0, 0"])


def _called(template: Template) -> Signature | None:
    """Return how the function in C is called, if the template calls one."""
    return signature(template.function) if template.function else None


def _copies(texts: list[str]) -> list[str]:
    """Return the statements that put numbers at the beginning of ``work``."""
    return [f"work[{i}] = {text};" for i, text in enumerate(texts)]


def literal(x: float) -> str:
    """Return a number in C, an atom of an expression."""
    if x != x:
        return "NAN"
    text = "INFINITY" if isinf(x) else repr(abs(x))
    return f"(-{text})" if copysign(1.0, x) < 0.0 else text


def block(lines: list[str]) -> str:
    """Return a function body."""
    return "\n{\n    " + "\n    ".join(lines) + "\n}\n"
