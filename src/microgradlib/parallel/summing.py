"""The function that divides items into tasks, hands them to an executor, and adds the results."""

import os
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pickle import PicklingError
from typing import TYPE_CHECKING, Any, Literal

from microgradlib.core.value import Value
from microgradlib.errors import NonFiniteError, ShapeError, short
from microgradlib.functions.arguments import needs_gradient
from microgradlib.modes import forbid, nested
from microgradlib.numeric.conversion import refuse_table
from microgradlib.numeric.exact import exact_sum
from microgradlib.parallel.tasks import NAME, Task, make_tasks
from microgradlib.parallel.work import Row, Sums, add_up, component
from microgradlib.transforms.recorded import Function, name_of, numbers_of
from microgradlib.trees import Tree, flatten, rebuild

if TYPE_CHECKING:
    from concurrent.futures import Executor  # takes long to import


def value_and_grad(
    f: Function,
    executor: "Executor",
    *,
    has_grad: bool = False,
    reduction: Literal["sum", "mean"] = "sum",
    chunk: int | None = None,
    timeout: float | None = None,
    progress: bool = False,
) -> Callable[[Tree, Iterable[Any]], tuple[float, Tree]]:
    """Return the function that sums f and its gradient over many items, on an executor.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> def error(params, item):
    ...     x, y = item
    ...     return (params["w"] * x + params["b"] - y) ** 2
    >>> with ThreadPoolExecutor(2) as executor:
    ...     total = value_and_grad(error, executor)
    ...     total({"w": 2.0, "b": 0.0}, [(1.0, 3.0), (2.0, 5.0), (3.0, 7.0)])
    (3.0, {'w': -12.0, 'b': -6.0})

    The result has the same bits for any number of workers and any ``chunk``: each component is what
    ``math.fsum`` gives for all items. Every item counts once, or an error is raised. f should
    depend on its arguments alone and change nothing, as an engine may run a chunk again when a
    worker is lost.

    Args:
        f: a function of params and one item that returns a number. Its keywords are bound with
            ``functools.partial``. It may be compiled. Processes import it by its name, or get the
            traces of a compiled one.
        executor: a ``ThreadPoolExecutor``, a ``ProcessPoolExecutor``, for Dask
            ``client.get_executor(pure=False)``, or what else has that interface. It is not shut
            down.
        has_grad: whether f returns the pair of value and gradient itself, as
            ``mg.compile(mg.value_and_grad(loss))`` does.
        reduction: "sum", or "mean": the rounded sum, divided by the number of items.
        chunk: how many items are one task, >= 1. By default there are four tasks for each
            processor of this machine.
        timeout: the seconds after which TimeoutError is raised; None to wait.
        progress: whether to show a progress bar; needs tqdm.

    Returns:
        A function ``(params, items)``. ``params`` is a number, nested lists, tuples, dicts or
        dataclasses of numbers or parameters, a Module, or an array. ``items`` is an iterable. The
        function returns the pair of value and gradient, the latter in the structure of ``params``,
        with floats where that has parameters. Of no items the sum is 0.

    Raises:
        TypeError: if f is not a function or ``executor`` no executor; by the function, if params
            hold anything but numbers, or are computed from other Values.
        ValueError: if ``reduction``, ``chunk`` or ``timeout`` is none; by the function, if there
            are no items for a mean.
        ModuleNotFoundError: if there is no tqdm for ``progress``.
        NonFiniteError: by the function, if value or gradient of an item is infinite or NaN, or
            their sum is beyond the largest float.
        pickle.PickleError: by the function, if f, params or items cannot be sent to the workers.
        concurrent.futures.BrokenExecutor: by the function, if a worker of a process pool was lost.

    What f raises, the function raises, with a note that names the item by its index; of several,
    that of the first item.
    """
    _check(f, executor, reduction, chunk, timeout)
    bar = _tqdm() if progress else None
    name = name_of(f)

    def total(params: Tree, items: Iterable[Any]) -> tuple[float, Tree]:
        """Return the value and the gradient."""
        forbid(f"{NAME}()", "call it outside")
        if nested():
            raise TypeError(
                f"{NAME}: called in a function that is being differentiated, and its result would "
                "not depend on the arguments; call it outside"
            )
        leaves, build = flatten(NAME, "params", params)
        for where, x in leaves.items():
            if isinstance(x, Value) and x._op and needs_gradient(x):
                raise TypeError(
                    f"{NAME}: {where} is computed, {short(x)}, and the workers do not know from "
                    "what; pass what it is computed from, or its detach()"
                )
        refuse_table(f"{NAME}: items", items)
        if not hasattr(items, "__iter__") and not hasattr(items, "__getitem__"):
            raise TypeError(f"{NAME}: items must be an iterable, got {short(items)}; pass a list")
        items = [*items]
        if reduction == "mean" and not items:
            raise ShapeError(f"{NAME}: no items, which have no mean; do not call it then")
        size = chunk or max(1, -(-len(items) // (4 * (os.cpu_count() or 1))))
        tasks = make_tasks(f, numbers_of(params), items, size, executor, has_grad)
        sums = Sums()
        with (
            _counted(bar, len(items)) as update,
            closing(_results(executor, tasks, timeout)) as results,  # cancels what is not begun
        ):
            for count, rows in results:
                sums.add(rows)
                update(count)
        numbers = _totals(sums.rows or [array("d", [0.0] * (len(leaves) + 1))], [*leaves])
        if reduction == "mean":
            numbers = [x / len(items) for x in numbers]
        return numbers[0], rebuild(build, numbers[1:])

    total.__name__ = total.__qualname__ = f"value_and_grad_of_{name}"
    return total


def _check(f: object, executor: object, reduction: object, chunk: object, timeout: object) -> None:
    from concurrent.futures import Executor  # takes long to import

    if not callable(f):
        raise TypeError(f"{NAME}: f must be a function, got {short(f)}; pass f itself")
    if not isinstance(executor, Executor):
        remedy = "client.get_executor(pure=False)" if hasattr(executor, "get_executor") else ""
        raise TypeError(
            f"{NAME}: executor must be a concurrent.futures.Executor, got {short(executor)}; pass "
            + (remedy or "ProcessPoolExecutor(), or get_executor(pure=False) of a Dask client")
        )
    if reduction not in ("sum", "mean"):
        raise ValueError(f"{NAME}: reduction must be 'sum' or 'mean', got {short(reduction)}")
    if chunk is not None and (
        isinstance(chunk, bool) or not isinstance(chunk, int) or not chunk >= 1
    ):
        raise ValueError(f"{NAME}: chunk must be a whole number >= 1 or None, got {short(chunk)}")
    if timeout is not None and (
        isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0.0
    ):
        raise ValueError(f"{NAME}: timeout must be seconds > 0 or None, got {short(timeout)}")


def _tqdm() -> Any:
    try:
        from tqdm import tqdm
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{NAME}: progress=True needs tqdm; install it with: pip install tqdm", name=error.name
        ) from None
    return tqdm


@contextmanager
def _counted(bar: Any, count: int) -> Iterator[Callable[[int], object]]:
    """Give the function that moves a progress bar on, or nothing."""
    if bar is None:
        yield lambda count: None
    else:
        with bar(total=count, unit="item") as shown:
            yield shown.update


def _results(
    executor: "Executor", tasks: list[Task], timeout: float | None
) -> Generator[tuple[int, list[Row]], None, None]:
    """Yield the number of items of each task and rows with their sum, in the order of the items."""
    from concurrent.futures import BrokenExecutor

    with closing(_mapped(executor, tasks, timeout)) as results:
        for task in tasks:
            try:
                *given, rows = next(results)
            except Exception as error:
                if own := _own_cause(error):  # Dask raises another one from it
                    raise own from None
                if not any(note.startswith(NAME) for note in getattr(error, "__notes__", ())):
                    broken = isinstance(error, BrokenExecutor)
                    error.add_note(
                        f"{NAME}: there is no result for the items from {task.first} to "
                        f"{task.first + task.count - 1}, and nothing was added up"
                        + ("; make a new executor and call it again" if broken else "")
                    )
                raise
            if given != [task.call, task.index, task.count]:
                raise RuntimeError(
                    f"{NAME}: {short(executor)} returned the result of another task, {given[1:]}, "
                    f"in the place of task {task.index}, and nothing was added up; its map must "
                    "keep the order"
                )
            yield task.count, rows


def _own_cause(error: BaseException) -> BaseException | None:
    """Return what says that something cannot be sent, if that is a cause of another error."""
    while error.__cause__ is not None:
        error = error.__cause__
        if isinstance(error, PicklingError) and str(error).startswith(NAME):
            return error
    return None


def _mapped(
    executor: "Executor", tasks: list[Task], timeout: float | None
) -> Generator[Any, None, None]:
    yield from executor.map(add_up, tasks, timeout=timeout)
    raise RuntimeError(f"{NAME}: {short(executor)} returned too few results; nothing was added up")


def _totals(rows: list[Row], names: list[str]) -> list[float]:
    numbers: list[float] = []
    for column in zip(*rows, strict=True):
        try:
            numbers.append(exact_sum(column))
        except OverflowError:
            raise NonFiniteError(
                f"{NAME}: the sum of {component(len(numbers), names)} is beyond the largest "
                "float; scale f down"
            ) from None
    return numbers
