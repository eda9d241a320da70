"""compiled_step: loss, gradient and update as one function in machine code."""

import os
import struct
import threading
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from microgradlib.compiling.buffers import Update
from microgradlib.compiling.source import (
    MISSING,
    RetraceError,
    Source,
    Traced,
    UnfiniteError,
)
from microgradlib.errors import short
from microgradlib.modes import collector_off, forbid, interpreter
from microgradlib.optim.formulas import zeros
from microgradlib.optim.optimizer import Optimizer
from microgradlib.parameters.filling import assign_all
from microgradlib.parameters.leaves import forget_gradients
from microgradlib.training.tracing import Layout, StepWriter, decisions_of, options_of
from microgradlib.trees import to_bytes


class _InUse:
    """The data of a parameter that machine code keeps at present: whatever uses it raises."""

    def __repr__(self) -> str:
        """Return a text for debuggers."""
        return "<in use by compiled_step>"

    def _refuse(self, *args: object) -> NoReturn:
        raise RuntimeError(
            "compiled_step: parameters and optimizer are in use within the with block; read and "
            "change them after it"
        )

    get = keys = items = _refuse  # of the state of an optimizer


_USES = """add radd sub rsub mul rmul truediv rtruediv mod rmod pow rpow neg abs float int index
bool lt le gt ge eq ne hash format iter len getitem contains reduce_ex"""
for _name in _USES.split():
    setattr(_InUse, f"__{_name}__", _InUse._refuse)
_IN_USE: Any = _InUse()


class _Step(NamedTuple):
    """One trace of the loss with its update, as machine code.

    Attributes:
        trace: gives the function that takes a step, from the one to call where it does not fit.
        buffers: the buffer and its address, while no call uses them.
        flags: which parameters of the optimizer need a gradient.
        layout: where the buffer keeps what.
        numbers: the format of the numbers that the buffer keeps.
    """

    trace: Traced
    buffers: list[Any]
    flags: list[bool]
    layout: Layout
    numbers: struct.Struct


class CompiledStep:
    """A training step in machine code: see ``compiled_step``."""

    __slots__ = ("__call__", "__dict__", "__weakref__")

    __call__: Callable[..., float]

    def __init__(self, f: Callable[..., Any], optimizer: Optimizer, cache: Path | None) -> None:
        """Keep what the first call needs."""
        self._f = f
        self._optimizer = optimizer
        self._cache = cache
        self._steps: list[_Step] = []
        self._current: _Step | None = None  # whose buffer holds the parameters
        self._entered = False
        self._lock = threading.RLock()
        self.__call__ = self._call

    def __enter__(self) -> "CompiledStep":
        """Keep parameters and state in machine code from the next call on."""
        if self._entered:
            raise RuntimeError("compiled_step: its with block was entered already; leave it first")
        self._entered = True
        return self

    def __exit__(self, *error: object) -> None:
        """Write parameters and state back."""
        with self._lock:
            self._entered = False
            self._take_back()

    def _call(self, /, *args: Any, **kwargs: Any) -> float:
        """Take a step where no trace is in use."""
        return self._choose(args, kwargs)

    def _choose(self, given: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """Take a step with the trace that fits, with a new one, or in the ordinary way."""
        forbid("compiled_step()", "call it outside")
        args = tuple([x for x in given if x is not MISSING])
        with self._lock:
            self._take_back()
            usual = interpreter() is None  # nothing like detect_anomaly() is on
            for step in self._fitting(args, kwargs) if usual else ():
                self._lend(step)
                done = False
                try:
                    loss: float = step.trace(None)(*args, *kwargs.values())
                    done = True
                except UnfiniteError:
                    break
                except Exception:  # it does not fit
                    continue
                finally:
                    if not (done and self._entered):
                        self._take_back()
                if self._entered and not kwargs:
                    self.__call__ = step.trace(self._choose)
                return loss
            return self._eager(args, kwargs)

    def _fitting(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[_Step]:
        """Yield the traces that may fit, and a new one if none of them did."""
        flags = [p._requires_grad for p in self._optimizer.params]
        for step in self._steps[::-1]:
            if step.flags == flags:
                if not self._even(step.layout):
                    return
                yield step
        if new := self._trace(args, kwargs):
            self._steps.append(new)
            del self._steps[:-_MOST]
            if self._even(new.layout):
                yield new

    def _even(self, layout: Layout) -> bool:
        """Return whether one formula does for all parameters: they have had equal steps."""
        steps = self._optimizer._state.get("step")
        found = {steps[i] for i in layout.params} if steps else {0}
        # Without a number of steps the first one has another formula.
        first = found == {0} and self._optimizer._counts_no_steps and bool(layout.keys)
        return len(found) == 1 and not first

    def _write(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Source, Update, Layout]:
        """Trace the loss."""
        writer = StepWriter(getattr(self._f, "__name__", "loss"), native=True)
        write = partial(writer.write_step, optimizer=self._optimizer)
        return writer.traced(self._f, args, kwargs, (), write)

    def _trace(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Step | None:
        """Return the machine code for these arguments; None if the loss raises an error."""
        from microgradlib.compiling.builtin import builtin  # takes long to import

        optimizer = self._optimizer
        try:
            with collector_off():  # until all that belongs to the trace is freed
                source, update, layout = self._write(args, kwargs)
        except (ValueError, ArithmeticError, RetraceError):
            return None
        run, size = builtin(source.program, source.formats, self._cache, update)
        buffer = array("d", [0.0]) * size
        buffers = [(buffer, buffer.buffer_info()[0])]
        steps, group = layout.kept[-1], optimizer.param_groups[0]

        def factors(numbers: Any) -> tuple[float, ...]:
            return optimizer._factors(group.options, 1 + int(numbers[steps]))

        decisions = decisions_of(optimizer)
        seen = [-1]  # the changes of the options that were looked at

        def renew(numbers: Any) -> None:
            changes = optimizer._counter.changes
            if decisions_of(optimizer) != decisions:
                raise RetraceError
            for i, x in zip(layout.options, options_of(optimizer), strict=True):
                numbers[i] = x
            seen[0] = changes

        code = {
            "buffers": buffers,
            "counter": optimizer._counter,
            "factors": factors,
            "renew": renew,
            "run": run,
            "seen": seen,
            "to_bytes": to_bytes,
        }
        flags = [p._requires_grad for p in optimizer.params]
        numbers = struct.Struct(f"{len(layout.kept)}d")
        return _Step(source.trace(lambda *_: code), buffers, flags, layout, numbers)

    def _lend(self, step: _Step) -> None:
        """Move parameters and state into the buffer of a step."""
        optimizer, layout = self._optimizer, step.layout
        state, places = optimizer._state, layout.params
        params = [optimizer.params[i] for i in places]
        lists = [state.get(key) or zeros(key, len(optimizer.params)) for key in layout.keys]
        numbers = [*[p._data for p in params], *[xs[i] for xs in lists for i in places]]
        numbers.append(state["step"][places[0]] if state else 0)
        step.numbers.pack_into(step.buffers[0][0], 8 * layout.kept.start, *numbers)
        self._kept = state
        optimizer._called = True
        self._current = step
        forget_gradients(params, True)
        assign_all(
            [*params, optimizer],
            ["_data"] * len(params) + ["_state"],
            [_IN_USE] * (len(params) + 1),
        )

    def _take_back(self) -> None:
        """Write parameters and state back to where they belong."""
        step, optimizer = self._current, self._optimizer
        if step is None:
            return
        if not step.buffers:
            raise RuntimeError(
                "compiled_step: another thread takes a step; give each thread a model of its own"
            )
        layout = step.layout
        params = [optimizer.params[i] for i in layout.params]
        n = len(params)
        *numbers, steps = step.numbers.unpack_from(step.buffers[0][0], 8 * layout.kept.start)
        state = self._kept
        if layout.keys:
            count, steps = len(optimizer.params), 1 if optimizer._counts_no_steps else int(steps)
            state = {key: [*state.get(key, zeros(key, count))] for key in ("step", *layout.keys)}
            for j, i in enumerate(layout.params):
                for k, xs in enumerate(state.values()):
                    xs[i] = numbers[k * n + j] if k else steps
        changed = [p for p in params if p._data is not _IN_USE]
        names = ["_data"] * n + ["_state"]
        assign_all([*params, optimizer], names, [*numbers[:n], state])
        self._current = None
        self.__call__ = self._call
        if changed:
            raise RuntimeError(
                f"compiled_step: {short(changed[0])} was assigned within the with block, which has "
                "no effect; assign it after the block"
            )

    def _eager(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """Take a step in the ordinary way."""
        self._optimizer.zero_grad()
        loss = self._f(*args, **kwargs)
        loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        return float(loss.data)


_MOST = 16  # traces that are kept


def compiled_step(
    loss_fn: Callable[..., Any],
    optimizer: Optimizer,
    *,
    cache: str | os.PathLike[str] | None = None,
) -> CompiledStep:
    """Return a training step in machine code: loss, gradient and update in one call.

    >>> from microgradlib import Value, optim
    >>> w = Value(1.0)
    >>> step = compiled_step(lambda x: (w * x - 1.0) ** 2, optim.SGD([w], lr=0.25))
    >>> step(2.0), w.data
    (1.0, 0.0)
    >>> with step:  # the parameters stay in machine code until the end of the block
    ...     losses = [step(x) for x in [1.0, 2.0, 1.0]]
    >>> losses, w.data
    ([1.0, 0.0, 0.25], 0.75)

    A call does what ``zero_grad()``, the loss, its ``backward()`` and ``optimizer.step()`` do, with
    the same numbers, and returns the loss as a float. Nothing is updated if it raises. Gradients
    are not kept: ``grad`` of the parameters is None afterwards.

    Outside of a ``with`` block each call reads and writes parameters and the state of the
    optimizer. Within one they stay in machine code from call to call, which is faster; to use them
    there raises a RuntimeError. The learning rate and the other options that are numbers may be
    changed at any time, as schedulers do. Groups of parameters may differ in these, but not in the
    betas, nor in whether there is momentum.

    Args:
        loss_fn: returns the loss, one Value, from the arguments of the call.
        optimizer: one of ``microgradlib.optim``, over the parameters that the loss depends on.
        cache: a directory that keeps the machine code, as for ``compile``.

    Raises:
        TypeError: if loss_fn is no function, or optimizer is none.
        CompileError: at a call, if there is no C compiler, or the loss cannot be compiled.
    """
    if not callable(loss_fn):
        raise TypeError(
            f"compiled_step: loss_fn must be a function, got {short(loss_fn)}; pass it, not a loss"
        )
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"compiled_step: optimizer must be one of microgradlib.optim, got {short(optimizer)}"
        )
    return CompiledStep(loss_fn, optimizer, None if cache is None else Path(cache))
