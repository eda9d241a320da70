"""Threads that help with the rows of a call: made when first needed, and kept for the next."""

import os
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TypeAlias

_Job: TypeAlias = Callable[[], None]


class _Helpers:
    """The threads, and the jobs that wait for them."""

    def __init__(self) -> None:
        """Start without threads."""
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a process that has none of the threads."""
        self._jobs: SimpleQueue[tuple[_Job, Lock]] = SimpleQueue()
        self._lock = Lock()
        self._made = 0
        self._wanted = 0  # by all calls that are running

    def begin(self, jobs: Sequence[_Job]) -> list[Lock]:
        """Offer jobs to the threads; return a lock for each, which is held while it runs.

        Who acquires the lock before a thread does keeps the thread from beginning.
        """
        with self._lock:
            self._wanted += len(jobs)
            try:
                while self._made < self._wanted:
                    # A daemon, so that the interpreter does not wait for it at its exit.
                    Thread(target=_serve, args=(self._jobs,), daemon=True, name="vmap").start()
                    self._made += 1
            except RuntimeError:  # there can be no more threads: the caller does their share
                if not self._made:
                    return []
        pairs = [(job, Lock()) for job in jobs]
        for pair in pairs:
            self._jobs.put(pair)
        return [lock for _, lock in pairs]

    def end(self, jobs: Sequence[_Job], locks: Sequence[Lock]) -> None:
        """Wait for the jobs that have begun; keep the others from it."""
        for lock in locks:
            lock.acquire()
        with self._lock:
            self._wanted -= len(jobs)


def _serve(jobs: "SimpleQueue[tuple[_Job, Lock]]") -> None:
    while True:
        job, lock = jobs.get()
        if lock.acquire(blocking=False):
            try:
                job()
            finally:
                lock.release()
        del job, lock  # so that their arrays are freed before the next job comes


_helpers = _Helpers()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_helpers.forget)


def run_together(jobs: Sequence[_Job], stop: Callable[[], object]) -> None:
    """Run jobs that share their work: the first in this thread, others in threads that help.

    Once the first is done, there is nothing left to begin. Then the others are waited for.

    Args:
        jobs: the jobs, which never raise an error.
        stop: takes from all jobs what is left to begin, after an interrupt of the first.
    """
    first, *others = jobs
    if not others:
        return first()
    locks = _helpers.begin(others)
    try:
        first()
    finally:
        stop()
        _helpers.end(others, locks)
