"""vmap on several threads: they share the rows of a call, and wait for the next."""

import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from compilers import compiler

import microgradlib as mg
from microgradlib import vmap
from microgradlib.many import helpers, machine

needs_compiler = pytest.mark.skipif(not compiler(), reason="no C compiler")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Start without threads."""
    helpers._helpers.forget()
    yield
    helpers._helpers.forget()


def curve(p: Any, t: Any) -> Any:
    return (p[0] * mg.exp(-p[1] * t) - 0.25) ** 2


P = [2.0, 0.5]
TS = [0.01 * i for i in range(1_001)]


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("name", ["_AT_ONCE", "_WORTH_HELP"])
def test_threads_share_the_rows(threads: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, name, 1_000)
    f = mg.compile(mg.value_and_grad(curve), backend="c")
    g, right = vmap(f, (None, 0), threads=threads), vmap(mg.value_and_grad(curve), (None, 0))
    for _ in range(3):
        assert g(P, TS) == right(P, TS)
    assert helpers._helpers._made == threads - 1


@needs_compiler
def test_few_rows_are_not_worth_a_thread() -> None:
    f = vmap(mg.compile(curve, backend="c"), (None, 0), threads=4)
    f(P, TS[:10])
    assert helpers._helpers._made == 0


@needs_compiler
def test_calls_of_several_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_WORTH_HELP", 100)
    f = vmap(mg.compile(curve, backend="c"), (None, 0), threads=3)
    ts = np.linspace(0.0, 1.0, 3_000)
    right = {k: f([1.0, float(k)], ts) for k in range(8)}
    with ThreadPoolExecutor(4) as pool:
        for k, found in pool.map(lambda i: (i % 8, f([1.0, float(i % 8)], ts)), range(200)):
            assert np.array_equal(found, right[k])
    assert helpers._helpers._wanted == 0
    assert 2 <= helpers._helpers._made <= 8


@pytest.mark.parametrize("threads", [0, -1, 1.0, True, "2"])
def test_threads_are_counted(threads: Any) -> None:
    with pytest.raises(ValueError, match="vmap: threads must be an int, 1 or more, got"):
        vmap(curve, threads=threads)


def nothing() -> None: ...


def wait(event: threading.Event) -> None:
    assert event.wait(60.0)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60.0
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_job_that_no_thread_has_begun_is_left_out() -> None:
    hold, held, ran = threading.Event(), threading.Event(), list[int]()

    def slow() -> None:
        held.set()
        hold.wait(60.0)

    blocked = threading.Thread(target=helpers.run_together, args=([held.wait, slow], nothing))
    blocked.start()
    assert held.wait(60.0)
    helpers._helpers._wanted -= 1  # so that the only thread is not joined by another
    helpers.run_together([lambda: ran.append(1), lambda: ran.append(2)], nothing)
    assert ran == [1]
    hold.set()
    blocked.join(60.0)
    helpers.run_together([lambda: until(lambda: 3 in ran), lambda: ran.append(3)], nothing)
    assert ran == [1, 3]


def test_a_job_that_has_begun_is_waited_for() -> None:
    begun, ran = threading.Event(), []

    def slow() -> None:
        begun.set()
        time.sleep(0.2)
        ran.append(threading.current_thread().name)

    helpers.run_together([lambda: wait(begun), slow], nothing)
    assert ran == ["vmap"]
    helpers.run_together([nothing, nothing], nothing)
    assert helpers._helpers._made == 1  # the thread is kept


def test_an_interrupt_stops_all_jobs() -> None:
    begun, stopped, ended = threading.Event(), threading.Event(), threading.Event()

    def interrupted() -> None:
        wait(begun)
        raise KeyboardInterrupt

    def long() -> None:
        begun.set()
        wait(stopped)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        helpers.run_together([interrupted, long], stopped.set)
    assert ended.is_set()
    assert helpers._helpers._wanted == 0


@pytest.mark.parametrize("already", [0, 1])
def test_where_there_can_be_no_more_threads(already: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    jobs: list[Callable[[], None]] = [
        lambda: until(lambda: len(ran) == 2 * already),
        lambda: ran.append(1),
        lambda: ran.append(2),
    ]
    helpers.run_together([nothing] * (1 + already), nothing)

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    helpers.run_together(jobs, nothing)
    assert ran == [1, 2] * already
    assert helpers._helpers._jobs.empty()
    assert helpers._helpers._wanted == 0


def test_a_thread_that_waits_keeps_nothing_alive() -> None:
    class Job:
        def __call__(self) -> None:
            done.set()

    done, job = threading.Event(), Job()
    known = weakref.ref(job)
    helpers.run_together([lambda: wait(done), job], nothing)
    del job
    until(lambda: known() is None)


PROGRAM = """
import atexit, sys
import microgradlib as mg
from microgradlib.many import helpers, machine
machine._WORTH_HELP = 100
f = mg.vmap(mg.compile(lambda x: mg.exp(x) * x, backend="c"), threads=3)
xs = [0.001 * i for i in range(3_000)]
right = f(xs)
assert helpers._helpers._made == 2
atexit.register(lambda: print(f(xs) == right))
print(f(xs) == right)
"""


@needs_compiler
def test_the_interpreter_exits_at_once() -> None:
    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\nTrue\n", "")


FORKING = """
import os, threading
from microgradlib.many import helpers
begun = threading.Event()
first = lambda: begun.wait(60.0)
helpers.run_together([first, begun.set], lambda: None)
assert helpers._helpers._made == 1
with helpers._helpers._lock:  # as if a call were beginning in another thread
    child = os.fork()
    if child == 0:
        begun.clear()
        assert helpers._helpers._made == 0
        helpers.run_together([first, begun.set], lambda: None)
        print(begun.is_set(), helpers._helpers._made, flush=True)
        os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    program = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True 1\n", "")
