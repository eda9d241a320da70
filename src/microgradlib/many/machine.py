"""A compiled function over many rows: one call of machine code for all of them."""

import ctypes
import re
import threading
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from microgradlib.compiling.compiled import Compiled
from microgradlib.compiling.csource import c_source, with_library
from microgradlib.compiling.loops import operations
from microgradlib.compiling.native import load
from microgradlib.compiling.source import RetraceError, Source
from microgradlib.compiling.symbols import row_of
from microgradlib.compiling.writer import Result, Writer
from microgradlib.core.value import Value
from microgradlib.many.blocks import Block, Rows
from microgradlib.modes import collector_off, interpreter
from microgradlib.trees import Build, Tree, flatten, kind_of, rebuild

_AT_ONCE = 20_000_000  # operations between which Ctrl-C is noticed
_MOST = 16  # traces that are kept

_LOOP = """
void many(const double *first, double *out, unsigned char *statuses, double *scratch,
          const long long *rows, int blocks, const double *const *from, const long long *at,
          const long long *size)
{{
    double *const in = scratch, *const work = scratch + {inputs};
    for (int k = 0; k < {inputs}; ++k) in[k] = first[k];
    for (long long i = rows[0]; i < rows[1]; ++i) {{
        for (int b = 0; b < blocks; ++b)
            for (long long k = 0; k < size[b]; ++k) in[at[b] + k] = from[b][i * size[b] + k];
        statuses[i] = (unsigned char)trace(in, out + i * {outputs}, work);
    }}
}}
"""
"""Each row has the numbers of ``first``, but those of the blocks in their places."""


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
        lines = [*self.arguments.head, f"return {row_of(x.text for x in inputs)}"]
        return self._caller(lines, program, ("", "")), rebuild(build, [0.0] * len(numbers))


class _Trace:
    """Machine code for rows like one of them."""

    def __init__(self, f: Compiled, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Trace a function.

        Raises:
            RetraceError: if the rows have to be computed one by one.
        """
        _, _, cache, _ = f._options
        writer = _RowsWriter(f.__name__, native=False)
        with collector_off():
            static = f._static(tuple(args), kwargs)
            source, like = writer.traced(f._f, tuple(args), kwargs, static, writer.write_row)
            code = c_source(source.program, "trace")
        self._first = source.trace(None)(None)
        self._owners = [re.split(r"\W", path)[0] for path in writer.arguments.paths]
        self._parameters = writer.arguments.parameters
        self.like = like
        inputs, self.width = len(source.program.inputs), len(source.program.outputs)
        self._scratch = inputs + code.work
        self._rows_at_once = 1 + _AT_ONCE // (1 + operations(source.program))
        main, others = code.files()
        loop = _LOOP.format(inputs=inputs, outputs=self.width)
        self._many = load([with_library(main) + loop, *others], cache).many

    def fits(
        self, args: Sequence[Any], kwargs: dict[str, Any], blocks: Sequence[Block | None]
    ) -> "tuple[array[float], list[int]] | None":
        """Return the numbers of the first row, and where those of each block are; None if not."""
        try:
            first = array("d", self._first(*args, *kwargs.values()))
        except Exception:
            return None
        places = []
        for name, block in zip(self._parameters, blocks, strict=True):
            if block:
                if self._owners.count(name) != block.width:  # an object is passed twice
                    return None
                places.append(self._owners.index(name))
        return first, places

    def run(
        self, first: "array[float]", places: list[int], blocks: list[Block], size: int, threads: int
    ) -> "tuple[array[float], bytearray]":
        """Compute all rows; return their results, and a status for each."""
        out, statuses = array("d", [0.0]) * (size * self.width), bytearray(size)
        count = len(blocks)
        integers = ctypes.c_longlong * count
        from_ = (ctypes.c_void_p * count)(*[x.address for x in blocks])
        at, widths = integers(*places), integers(*[x.width for x in blocks])
        flags = (ctypes.c_ubyte * size).from_buffer(statuses)

        def work(start: int) -> None:
            scratch = (ctypes.c_double * (self._scratch + 1))()
            span = (ctypes.c_longlong * 2)(start, min(start + step, size))
            self._many(
                ctypes.c_void_p(first.buffer_info()[0]),
                ctypes.c_void_p(out.buffer_info()[0]),
                flags,
                scratch,
                span,
                count,
                from_,
                at,
                widths,
            )

        step = min(self._rows_at_once, -(-size // threads))
        starts = range(0, size, step)
        if threads == 1:
            for start in starts:
                work(start)
        else:
            with ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(work, starts):
                    pass
        return out, statuses


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
        blocks: Sequence[Block | None],
        size: int,
        threads: int,
        row: Callable[[int], Any],
    ) -> Rows | None:
        """Return the results of all rows; None if they have to be computed one by one.

        Args:
            args: the arguments of the first row.
            kwargs: its keywords.
            blocks: the numbers of all rows, for each argument and keyword that has rows.
            size: how many rows there are.
            threads: how many threads share them.
            row: computes one row in the general way.
        """
        if interpreter() is not None or self._failures > _MOST:
            return None
        found = self._fitting(args, kwargs, blocks)
        if found is None:
            self._failures += 1
            return None
        trace, first, places = found
        out, statuses = trace.run(first, places, [x for x in blocks if x], size, threads)
        for i in range(size) if statuses.count(0) < size else ():
            if statuses[i]:  # a decision comes out differently, or it may raise an error
                result = row(i)
                if not _alike(result, trace.like):
                    return None
                out[i * trace.width : (i + 1) * trace.width] = array("d", _numbers_of(result)[0])
        return Rows(out, trace.like)

    def _fitting(
        self, args: Sequence[Any], kwargs: dict[str, Any], blocks: Sequence[Block | None]
    ) -> "tuple[_Trace, array[float], list[int]] | None":
        """Return a trace for the first row, its numbers, and the places of the blocks in them."""
        with self._lock:
            for trace in self._traces[::-1]:
                if found := trace.fits(args, kwargs, blocks):
                    return trace, *found
            try:
                trace = _Trace(self._f, args, kwargs)
            except (ValueError, ArithmeticError, RetraceError):
                return None
            found = trace.fits(args, kwargs, blocks)
            if found is None:
                return None
            self._traces = [*self._traces[1 - _MOST :], trace]
            return trace, *found


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
