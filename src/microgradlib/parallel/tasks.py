"""What is sent to workers: a function, parameters and some of the items."""

import functools
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from microgradlib.errors import shorten
from microgradlib.transforms.recorded import Function
from microgradlib.trees import Tree

if TYPE_CHECKING:
    from concurrent.futures import Executor  # takes long to import

NAME = "parallel.value_and_grad"
"""What errors call the function."""

_KEPT = 4  # pickles that a worker keeps open: the function, and the latest parameters
_REMEDIES = {
    "f": (
        "define the function with def at the top of a module that the workers can import, or "
        "compile it and call it once before"
    ),
    "params": "define the classes in it at the top of a module that the workers can import",
    "items": "pass what pickle takes, such as numbers, lists, arrays or file names",
}


class Sent:
    """An object on its way to workers: pickled once, for however many tasks, if they need that."""

    def __init__(self, what: str, x: Any, dumps: Callable[[Any], bytes]) -> None:
        """Keep what it is, itself, and what pickles it."""
        self.what, self.x, self.dumps = what, x, dumps

    @functools.cached_property
    def data(self) -> bytes:
        """The pickle."""
        try:
            return self.dumps(self.x)
        except Exception as error:
            raise pickle.PicklingError(
                f"{NAME}: {self.what} cannot be sent to the workers: {shorten(error, 160)}; "
                f"{_REMEDIES[self.what]}"
            ) from error

    def get(self) -> Any:
        """Return the object, in the process that it comes from."""
        return self.x

    def __reduce__(self) -> Any:
        return Received, (self.what, self.data)


@dataclass(frozen=True)
class Received:
    """An object in a worker. It is unpickled where an error does not break the whole pool."""

    what: str
    data: bytes

    def get(self) -> Any:
        """Return the object; functions and parameters are unpickled once for all tasks."""
        try:
            return pickle.loads(self.data) if self.what == "items" else _opened(self.data)
        except Exception as error:
            raise pickle.UnpicklingError(
                f"{NAME}: a worker cannot unpickle {self.what}: {shorten(error, 160)}; "
                f"{_REMEDIES[self.what]}"
            ) from None


@functools.lru_cache(_KEPT)
def _opened(data: bytes) -> Any:
    """Return what is in a pickle: a compiled function builds its traces for the first task only."""
    return pickle.loads(data)


@dataclass(frozen=True)
class Task:
    """A task. Engines that look into lists and tuples do not look into it.

    Attributes:
        call: a text of its own for each call, so that no engine takes two tasks for one.
        index: its place among the tasks.
        first: the index of its first item.
        count: the number of its items.
    """

    call: str
    index: int
    first: int
    count: int
    has_grad: bool
    f: Sent | Received
    params: Sent | Received
    items: Sent | Received


def make_tasks(
    f: Function, params: Tree, items: list[Any], size: int, executor: "Executor", has_grad: bool
) -> list[Task]:
    """Return the tasks for all items, ``size`` of which are one, but for the last one.

    Engines other than process pools come with cloudpickle, which, unlike pickle, takes along what
    cannot be imported, such as lambdas.
    """
    from concurrent.futures import ProcessPoolExecutor

    dumps = functools.partial(pickle.dumps, protocol=pickle.HIGHEST_PROTOCOL)
    if not isinstance(executor, ProcessPoolExecutor):
        dumps = getattr(sys.modules.get("cloudpickle"), "dumps", dumps)
    call, function, arguments = uuid4().hex, Sent("f", f, dumps), Sent("params", params, dumps)
    tasks = []
    for index, first in enumerate(range(0, len(items), size)):
        part = items[first : first + size]
        given = function, arguments, Sent("items", part, dumps)
        tasks.append(Task(call, index, first, len(part), has_grad, *given))
    return tasks
