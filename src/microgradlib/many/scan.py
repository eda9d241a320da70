"""scan: a loop over steps, of which a compiled function traces one."""

from collections.abc import Callable
from operator import index
from typing import Any

from microgradlib.compiling.stepping import Steps
from microgradlib.core.value import Value
from microgradlib.errors import ShapeError, short
from microgradlib.functions.arguments import whole_number
from microgradlib.interpreters import current
from microgradlib.many.columns import column_of, has_array
from microgradlib.many.stacks import stacked
from microgradlib.transforms.recorded import name_of
from microgradlib.trees import Tree, flatten, rebuild, structure


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]],
    init: Tree,
    xs: Tree = None,
    length: int | None = None,
    *,
    reverse: bool = False,
    stop: int | None = None,
    checkpoint: int | None = None,
    snapshots: int | None = None,
) -> tuple[Tree, Tree]:
    """Return the last carry of a loop, and the results of all its steps.

    >>> scan(lambda total, x: (total + x, total), 0.0, [1.0, 2.0, 4.0])
    (7.0, [0.0, 1.0, 3.0])
    >>> import microgradlib as mg
    >>> @mg.compile
    ... @mg.grad
    ... def last(a):
    ...     x, _ = scan(lambda x, _: (a * x * (1.0 - x), None), 0.5, length=1_000)
    ...     return x
    >>> round(last(1.5), 9)
    0.444444444

    It is ``for x in xs: carry, y = step(carry, x)``, as in JAX, with the ys stacked. In a compiled
    function the step is traced once, and the loop runs in the generated source. Its derivatives are
    loops, too: one back through all steps, for which the carries are kept.

    Args:
        step: takes the carry and a row of xs; returns a pair, the next carry and a result. Results
            are numbers and Values, in containers, or None.
        init: the first carry: a number, or a container of numbers. All later ones have its
            structure.
        xs: what has the rows, as the arguments of ``vmap``: a list or array, or a tuple or dict of
            these. Without it each row is None.
        length: how many steps there are. It may be left out where xs has rows.
        reverse: whether the last row is the first. The results stay with their rows.
        stop: how many of the rows the loop takes, from 1 to all: the first ones. The results of the
            others are 0. In a compiled function it may be an argument, an int, so that one trace
            serves sequences of many lengths that are filled up to one.
        checkpoint: how many steps are between carries that are kept for derivatives of a compiled
            function. The carries between them are computed again, so that memory for ``length /
            checkpoint + checkpoint`` carries is enough, and each step is computed once more.
        snapshots: how many carries are kept instead, where the steps are computed again with the
            least work (Griewank and Walther, "Algorithm 799: revolve", 2000).

    Returns:
        The last carry, and the results as ``vmap`` stacks them: lists, or arrays if init or xs
        holds an array; None where each result is None.

    Raises:
        TypeError: if step is no function, or does not return a pair.
        ShapeError: if a carry has another structure than init, or results differ in structure.
        ValueError: if neither length nor xs says how many steps there are, or they differ, or if
            stop, checkpoint or snapshots is no number of steps.
    """
    if not callable(step):
        raise TypeError(f"scan: step must be a function, got {short(step)}; pass it uncalled")
    rows = column_of(xs, 0, "scan: xs")
    count = _length(length, rows.size)
    every, room = _schedule(checkpoint, snapshots, count)
    name, expected = name_of(step), structure(init)

    def called(carry: Tree, x: Tree) -> tuple[Tree, Tree]:
        found = step(carry, x)
        if not isinstance(found, tuple) or len(found) != 2:
            raise TypeError(
                f"scan: {name} must return a pair, the next carry and a result, got {short(found)}"
            )
        if structure(found[0]) != expected:
            raise ShapeError(
                f"scan: {name} must return a carry in the structure of init, got {short(found[0])} "
                f"for {short(init)}"
            )
        return found

    if not count:
        return init, []
    arrays = has_array(init) or has_array(xs)
    taken, traced = (count, None) if stop is None else _taken(stop, count)
    each = [rows.row(i) for i in range(taken)]
    loop = _Flat(called, init, each)
    found = current().loop(loop.steps(reverse, traced, every, room))
    if found:
        last, results = loop.built(*found)
    else:
        last, results = init, [None] * taken
        order = range(taken if traced is None else traced)  # a number of a trace refuses
        for i in order[::-1] if reverse else order:
            last, results[i] = called(last, each[i])
    if taken < count:
        numbers, build = _flat("the result", results[0])
        results += [build([0.0] * len(numbers))] * (count - taken)
    return last, stacked(results, 0, arrays, f"scan: the result of {name}")


def _length(length: int | None, size: int | None) -> int:
    """Return how many steps there are."""
    if length is None and size is None:
        raise ValueError("scan: pass length, or xs with rows, to say how many steps there are")
    if length is None:
        return size or 0
    if isinstance(length, bool) or not hasattr(length, "__index__") or index(length) < 0:
        raise ValueError(f"scan: length must be an int, 0 or more, got {short(length)}")
    if size not in (None, index(length)):
        raise ShapeError(
            f"scan: xs has {size} rows, and length is {length}; leave length out, or make them one"
        )
    return index(length)


def _taken(stop: Any, count: int) -> tuple[int, Any]:
    """Return how many rows a loop takes at most, and the number of a trace that may say less."""
    if isinstance(stop, Value) and isinstance(stop, int):
        return count, stop  # it is checked where the loop runs
    taken = whole_number("scan: stop", stop)
    if not 1 <= taken <= count:
        raise ValueError(f"scan: stop must be from 1 to {count}, as there are rows, got {taken}")
    return taken, None


def _schedule(checkpoint: int | None, snapshots: int | None, length: int) -> tuple[int, int]:
    """Return how often carries are kept, and how many there is room for."""
    if checkpoint is not None and snapshots is not None:
        raise ValueError("scan: pass checkpoint or snapshots, not both")
    for name, x in (("checkpoint", checkpoint), ("snapshots", snapshots)):
        if x is not None and (isinstance(x, bool) or not hasattr(x, "__index__") or index(x) < 1):
            raise ValueError(f"scan: {name} must be an int, 1 or more, got {short(x)}")
    if snapshots is not None:
        return 0, min(index(snapshots), length) + 1
    every = 1 if checkpoint is None else min(index(checkpoint), max(length, 1))
    return every, length if every == 1 else length // every + every + 1


class _Flat:
    """A loop over trees as one over numbers."""

    def __init__(
        self, step: Callable[[Tree, Tree], tuple[Tree, Tree]], init: Tree, rows: list[Tree]
    ) -> None:
        """Keep the loop."""
        self._step, self._init, self._rows = step, init, rows
        self._result: Any = None  # what builds a result around its numbers

    def steps(self, reverse: bool, stop: Any, every: int, room: int) -> Steps:
        """Return the loop over numbers."""
        init, self._carry = _flat("init", self._init)
        _, self._row = _flat("xs", self._rows[0])
        rows = [_flat("xs", row)[0] for row in self._rows]
        return Steps(self._body, init, rows, reverse, stop, every, room)

    def _body(self, carry: list[Any], row: list[Any]) -> tuple[list[Any], list[Any]]:
        new, result = self._step(self._carry(carry), self._row(row))
        numbers, self._result = _flat("the result", result)
        return _flat("the carry", new)[0], numbers

    def built(self, last: list[Any], results: list[list[Any]]) -> tuple[Tree, list[Tree]]:
        """Return the last carry and the results as trees."""
        return self._carry(last), [*map(self._result, results)]


_NOTHING: list[Any] = []  # the numbers of each row, where there are no rows


def _flat(what: str, tree: Tree) -> tuple[list[Any], Callable[[list[Any]], Tree]]:
    """Return the numbers of a tree, and what builds one around others."""
    if tree is None:
        return _NOTHING, lambda numbers: None
    leaves, build = flatten("scan", what, tree)
    return [*leaves.values()], lambda numbers: rebuild(build, numbers)
