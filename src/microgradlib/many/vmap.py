"""vmap: a function of one row becomes one of many."""

import functools
from collections.abc import Sequence
from typing import Any

from microgradlib.compiling.compiled import Compiled
from microgradlib.errors import ShapeError, short
from microgradlib.many.axes import Axes, check_axes
from microgradlib.many.columns import Column, column_of, has_array, one_size
from microgradlib.many.stacks import of_machine, stacked
from microgradlib.transforms.recorded import Function, name_of


def vmap(f: Function, in_axes: Axes = 0, out_axes: Axes = 0, *, threads: int = 1) -> Function:
    """Return a function that calls f with each row of its arguments, and stacks the results.

    >>> import microgradlib as mg
    >>> vmap(lambda x, y: x * y)([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    [4.0, 10.0, 18.0]
    >>> slopes = vmap(mg.grad(lambda w, x: (w[0] * x + w[1]) ** 2), in_axes=(None, 0))
    >>> slopes([0.5, 1.0], [2.0, 4.0])
    [[8.0, 4.0], [24.0, 6.0]]

    Lists and arrays have axes: the rows of ``[[1.0, 2.0], [3.0, 4.0]]`` are its two lists. Tuples,
    dicts and dataclasses group what has axes, among arguments and results: of a function that
    returns a pair the result is a pair of lists. That is as in JAX, where lists only group, too.

    A function that is compiled with ``backend="c"`` goes through all rows in one call of machine
    code, if these are floats and ints up to 2**53, or lists, tuples or arrays of them, also in
    groups. Rows for which it was not traced, since an ``if`` comes out differently there, are then
    computed one by one; so are all, with the same results, where a list has its rows along another
    axis than the first, or where rows are Values, flags or of different lengths.

    Args:
        f: a function.
        in_axes: the axis of the rows of each argument: an int, negative ones count from the last;
            None for an argument that is passed as it is; or a tuple with one of these for each
            argument, each of them nested like its argument if that has parts with other axes.
            Keywords have their rows along axis 0.
        out_axes: where the results have the axis of the rows: an int; None for what is the same for
            all rows, which is then returned once; or these nested like the result.
        threads: how many threads share the rows of a function in machine code, the calling one
            included; the others are kept for the next call. Few rows go without them.

    Returns:
        The function. Results are stacked as lists, or, if an argument with rows is an array or
        Series, numbers as a NumPy array. Arrays are stacked as arrays.

    Raises:
        TypeError: if f or an axis is none; by the function, if f returns anything but numbers,
            Values and None, in containers.
        ValueError: by the function, if the arguments have no rows, or not equally many of them, if
            an axis is out of range, or if results differ in structure.
    """
    if not callable(f):
        raise TypeError(f"vmap: f must be a function, got {short(f)}; pass it without calling it")
    in_axes = tuple(in_axes) if isinstance(in_axes, list) else in_axes
    if isinstance(in_axes, dict):
        raise TypeError(
            f"vmap: in_axes must be an int, None or a tuple with one entry for each argument, got "
            f"{short(in_axes)}; wrap the axes of a dict in a tuple: ({{'a': 0}},)"
        )
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ValueError(f"vmap: threads must be an int, 1 or more, got {short(threads)}")
    check_axes("in_axes", in_axes)
    check_axes("out_axes", out_axes)
    name = name_of(f)
    machine = None
    if isinstance(f, Compiled) and f.backend == "c":
        from microgradlib.many.machine import MachineRows  # takes long to import

        machine = MachineRows(f)

    @functools.wraps(f)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ValueError(
                f"vmap: in_axes has {len(axes)} entries, and {name} got {len(args)} arguments; "
                "give one entry for each, None for one that has no rows"
            )
        columns = [
            column_of(x, axis, f"vmap: argument {i}", _SAME)
            for i, (x, axis) in enumerate(zip(args, axes, strict=True))
        ]
        named = {key: column_of(x, 0, f"vmap: {key}", _SAME) for key, x in kwargs.items()}
        all_columns = [*columns, *named.values()]
        size = _common_size(all_columns, name)
        with_axes = [x for x, axis in zip(args, axes, strict=True) if axis is not None]
        arrays = any(map(has_array, [*with_axes, *kwargs.values()]))
        path = f"vmap: the result of {name}"

        def row(i: int) -> Any:
            return f(*[x.row(i) for x in columns], **{key: x.row(i) for key, x in named.items()})

        if machine:
            blocks = [found for x in all_columns if (found := x.blocks()) is not None]
            if len(blocks) == len(all_columns):
                first = [x.row(0) for x in columns], {key: x.row(0) for key, x in named.items()}
                rows = machine(*first, blocks, size, threads, arrays, row)
                if rows:
                    return of_machine(rows, size, out_axes, arrays, path)
        return stacked([row(i) for i in range(size)], out_axes, arrays, path)

    return mapped


_SAME = ", or None in in_axes for what is the same for all rows"


def _common_size(columns: Sequence[Column], name: str) -> int:
    """Return the number of rows."""
    size = one_size(columns, f"vmap: arguments of {name}", _SAME)
    if size is None:
        raise ValueError(f"vmap: no argument of {name} has rows; give one of them an axis")
    if not size:
        raise ShapeError(
            f"vmap: the arguments of {name} have no rows, so that its result is not known; do not "
            "call it then"
        )
    return size
