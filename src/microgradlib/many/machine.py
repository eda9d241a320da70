"""A compiled function over many rows: one call of machine code for all of them."""

import ctypes
import threading
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from struct import Struct
from typing import Any, TypeAlias

from microgradlib.compiling.arguments import Field
from microgradlib.compiling.compiled import Compiled
from microgradlib.compiling.csource import c_source, with_library
from microgradlib.compiling.loops import operations
from microgradlib.compiling.native import load
from microgradlib.compiling.source import RetraceError, Source
from microgradlib.compiling.symbols import Program
from microgradlib.compiling.writer import Result, Writer
from microgradlib.core.value import Value
from microgradlib.many.blocks import Block, Rows, parts_of
from microgradlib.many.helpers import run_together
from microgradlib.modes import collector_off, interpreter
from microgradlib.trees import Build, Tree, flatten, kind_of, rebuild, to_bytes

_AT_ONCE = 20_000_000  # operations between which Ctrl-C is noticed
_WORTH_HELP = 20_000  # operations; for fewer, another thread takes longer to wake up
_SPANS = 4  # of rows that each thread takes, one after the other: the first to be done takes more
_MOST = 16  # traces that are kept

_addressof, _from_buffer = ctypes.addressof, ctypes.c_char.from_buffer  # found faster as globals

_BEFORE = """
#include <stdint.h>
static int trace(const double *restrict in, double *restrict out, double *restrict work);
"""
"""Declares ``trace`` for this file alone, so that compilers may put it into the loop."""

_LOOP = """
int many(const double *first, double *scratch, const long long *table, long long start,
         long long stop)
{{
    unsigned char *const statuses = (unsigned char *)(intptr_t)table[0];
    const long long *const blocks = table + 2, *const parts = blocks + 3 * table[1];
    double *const in = scratch, *const out = in + {inputs}, *const work = out + {outputs};
    int all = 0;
    for (int k = 0; k < {inputs}; ++k) in[k] = first[k];
    for (long long i = start; i < stop; ++i) {{
        for (const long long *b = blocks; b < parts; b += 3) {{
            const long long width = b[1];
            const double *const from = (const double *)(intptr_t)b[0] + i * width;
            double *const to = in + b[2];
            for (long long k = 0; k < width; ++k) to[k] = from[k];
        }}
        /* A single part is written where it stays. */
        double *const row = {parts} == 1 ? (double *)(intptr_t)parts[0] + i * parts[1] : out;
        const int status = trace(in, row, work);
        statuses[i] = (unsigned char)status;
        all |= status;
        const double *from = out;
        for (const long long *p = parts; {parts} != 1 && p < parts + 2 * {parts}; p += 2) {{
            const long long width = p[1];
            double *const to = (double *)(intptr_t)p[0] + i * width;
            for (long long k = 0; k < width; ++k) to[k] = *from++;
        }}
    }}
    return all;
}}
"""
"""Each row has the numbers of ``first``, but those of the blocks in their places.

The table has the address of the statuses, how many blocks there are, the address, width and place
of each, and the address and width of each part of the results.
"""


Blocks: TypeAlias = Sequence[Sequence[Block]]
"""The numbers of all rows, for each argument and keyword; none if it has no rows."""


class _RowsWriter(Writer):
    """Writes a function that checks the first row and returns its numbers."""

    def write_row(self, result: Any) -> tuple[Source, Tree]:
        """Return its source, and the result of the trace with floats in place of its numbers.

        Raises:
            RetraceError: if the rows have to be computed one by one: if Values among them, or in
                their results, are more than numbers, or if C cannot repeat a decision.
        """
        self.trace.over = True
        outputs, leaves = self.results.outputs, self.arguments.leaves
        self.results.take(result)
        self.arguments.finish()
        found, build = _numbers_of(result)
        checks = [self._guard(guard) for guard in self.trace.guards]
        if (
            any(isinstance(x.given, Value) for x in leaves)
            or any(isinstance(y, Value) and not y._plain for y in outputs)
            or [*map(id, found)] != [*map(id, outputs)]
            or not all(check.compares for check in checks)
            or self.graph.names
        ):
            raise RetraceError
        numbers = [*map(self.trace.symbol, outputs)]
        finite = self._finite()
        captured = self._captured()
        self._name(captured.items())
        self.graph.lines([*numbers, *finite], checks, self.trace.risky)
        captured = {x: number for x, number in captured.items() if number.uses}
        inputs = [*[x.traced._symbol for x in leaves], *captured.values()]
        program = self._program(
            {x: x.text for x in inputs}, [Result(x, {}) for x in numbers], checks, finite
        )
        self._read(captured)
        fields = [*self.arguments.fields, *[Field("d", x.text) for x in captured.values()]]
        lines = [*self.arguments.head, f"return run({', '.join([x.source for x in fields])})"]
        formats = "".join([x.format for x in fields]), ""
        return self._caller(lines, program, formats), rebuild(build, [0.0] * len(numbers))


class _Trace:
    """Machine code for rows like one of them."""

    def __init__(
        self, f: Compiled, args: Sequence[Any], kwargs: dict[str, Any], blocks: Blocks
    ) -> None:
        """Trace a function.

        Raises:
            RetraceError: if the rows have to be computed one by one.
        """
        _, _, cache, _ = f._options
        writer = _RowsWriter(f.__name__, native=True)
        with collector_off():
            static = f._static(tuple(args), kwargs)
            source, self.like = writer.traced(f._f, tuple(args), kwargs, static, writer.write_row)
            code = c_source(source.program, "trace")
        self._first = source.trace(_packing)(None)
        self._paths = writer.arguments.paths
        self._parameters = writer.arguments.parameters
        self._typed = bool(writer.trace.typed)
        self._places: dict[Any, list[int] | None] = {}
        if self.fits(args, kwargs, blocks) is None:
            raise RetraceError
        self.parts = parts_of(self.like)
        inputs, outputs = len(source.program.inputs), len(source.program.outputs)
        self._scratch = bytes(8 * (inputs + outputs + code.work + 1))
        self._operations = 1 + operations(source.program)
        main, others = code.files()
        loop = _LOOP.format(inputs=inputs, outputs=outputs, parts=len(self.parts))
        self._many = load([with_library(_BEFORE + main) + loop, *others], cache).many
        pointers = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p
        self._many.argtypes = [*pointers, ctypes.c_longlong, ctypes.c_longlong]

    def fits(
        self, args: Sequence[Any], kwargs: dict[str, Any], blocks: Blocks
    ) -> tuple[bytes, list[int]] | None:
        """Return the numbers of the first row, and where those of each block are; None if not."""
        try:
            first = self._first(*args, *kwargs.values())
        except Exception:
            return None
        key = tuple([(i, x.path, x.width, x.mixed) for i, xs in enumerate(blocks) for x in xs])
        if key not in self._places:
            self._places[key] = self._find(key)
        places = self._places[key]
        return None if places is None else (first, places)

    def _find(self, blocks: Sequence[tuple[int, str, int, bool]]) -> list[int] | None:
        """Return where the numbers of each block begin; None if they are not all together."""
        found = []
        for i, path, width, mixed in blocks:
            whole = f"{self._parameters[i]}{path}"
            inner = f"{whole}["
            own = [k for k, x in enumerate(self._paths) if x == whole or x.startswith(inner)]
            first = own[0] if own else 0
            # There are fewer if an object is passed twice. In other rows ints may be floats.
            if own != [*range(first, first + width)] or (mixed and self._typed):
                return None
            found.append(first)
        return found

    def run(
        self,
        first: bytes,
        places: list[int],
        blocks: Blocks,
        data: list[Any],
        size: int,
        threads: int,
    ) -> list[int]:
        """Compute all rows; return which of them do not count.

        Args:
            first: the numbers of the first row.
            places: where those of each block are.
            blocks: the numbers of all rows.
            data: what will hold the results, for each part of them.
            size: how many rows there are.
            threads: how many threads share them.
        """
        statuses = array("B", bytes(size))
        given = [x for xs in blocks for x in xs]
        table = [statuses.buffer_info()[0], len(given)]
        for x, place in zip(given, places, strict=True):
            table += _address(x.data), x.width, place
        for made, part in zip(data, self.parts, strict=True):
            table += _address(made), part.width
        kept = array("q", table)
        at = kept.buffer_info()[0]
        step = self._step(size, threads)
        spans = range(0, size, step)
        starts = iter(spans)
        found: list[int] = []

        def work(scratch: "array[float]") -> None:
            address = scratch.buffer_info()[0]
            for start in starts:  # of which each goes to one thread
                found.append(self._many(first, address, at, start, min(start + step, size)))

        jobs = [partial(work, array("d", self._scratch)) for _ in spans[:threads]]
        run_together(jobs, lambda: deque(starts, 0))
        return [i for i, status in enumerate(statuses) if status] if any(found) else []

    def _step(self, size: int, threads: int) -> int:
        """Return how many rows a thread takes at once."""
        most = 1 + _AT_ONCE // self._operations
        if threads == 1:
            return most
        return min(most, max(1 + _WORTH_HELP // self._operations, size // (_SPANS * threads)))


class MachineRows:
    """The machine code of a compiled function for many rows."""

    def __init__(self, f: Compiled) -> None:
        """Start without traces."""
        self._f = f
        self._traces: list[_Trace] = []
        self._failures = 0  # calls for which there is no machine code
        self._lock = threading.Lock()

    def __call__(
        self,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        blocks: Blocks,
        size: int,
        threads: int,
        arrays: bool,
        row: Callable[[int], Any],
    ) -> Rows | None:
        """Return the results of all rows; None if they have to be computed one by one.

        Args:
            args: the arguments of the first row.
            kwargs: its keywords.
            blocks: the numbers of all rows, for each argument and keyword.
            size: how many rows there are.
            threads: how many threads share them.
            arrays: whether numbers become arrays of NumPy.
            row: computes one row in the general way.
        """
        if interpreter() is not None or self._failures > _MOST:
            return None
        found = self._fitting(args, kwargs, blocks)
        if found is None:
            with self._lock:
                found = self._fitting(args, kwargs, blocks) or self._new(args, kwargs, blocks)
        if found is None:
            self._failures += 1
            return None
        trace, first, places = found
        data = [part.new(size, arrays) for part in trace.parts]
        for i in trace.run(first, places, blocks, data, size, threads):
            result = row(i)  # a decision comes out differently, or it may raise an error
            if not _alike(result, trace.like):
                return None
            numbers, start = array("d", _numbers_of(result)[0]).tobytes(), 0
            for made, part in zip(data, trace.parts, strict=True):
                count = 8 * part.width
                ctypes.memmove(_address(made) + i * count, numbers[start : start + count], count)
                start += count
        return Rows(data, trace.like)

    def _fitting(
        self, args: Sequence[Any], kwargs: dict[str, Any], blocks: Blocks
    ) -> tuple[_Trace, bytes, list[int]] | None:
        """Return a trace for the first row, its numbers, and the places of the blocks in them."""
        for trace in self._traces[::-1]:
            if found := trace.fits(args, kwargs, blocks):
                return trace, *found
        return None

    def _new(
        self, args: Sequence[Any], kwargs: dict[str, Any], blocks: Blocks
    ) -> tuple[_Trace, bytes, list[int]] | None:
        """Return the same for a new trace."""
        try:
            trace = _Trace(self._f, args, kwargs, blocks)
        except (ValueError, ArithmeticError, RetraceError):
            return None
        self._traces = [*self._traces[1 - _MOST :], trace]
        return self._fitting(args, kwargs, blocks)


def _packing(program: Program, formats: tuple[str, str]) -> dict[str, Any]:
    """Return what source that calls machine code refers to: its call packs the numbers only."""
    return {"run": Struct(formats[0]).pack, "to_bytes": to_bytes}


def _address(x: Any) -> int:
    """Return where an array has its numbers."""
    try:
        return _addressof(_from_buffer(x))
    except (TypeError, ValueError):  # it is for reading only, or has none
        address: int = x.ctypes.data if hasattr(x, "ctypes") else 0
        return address


def _numbers_of(x: Tree) -> tuple[list[Any], Build]:
    """Return the numbers of a result, and what builds one around others."""
    try:
        leaves, build = flatten("vmap", "row", x)
    except TypeError:  # there is more in it than numbers
        raise RetraceError from None
    return [*leaves.values()], build


def _alike(x: Tree, y: Tree) -> bool:
    """Whether two results differ in their floats only."""
    kind = kind_of(x)
    if type(x) is not type(y) or kind is None:
        return type(x) is type(y) is float
    pairs, others = [*kind.parts(x)], [*kind.parts(y)]
    return len(pairs) == len(others) and all(
        a == b and _alike(part, other) for (a, part), (b, other) in zip(pairs, others, strict=True)
    )
