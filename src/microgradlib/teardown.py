"""Freeing long chains of nodes: CPython 3.13, and any on WebAssembly, needs help."""

import sys
from itertools import cycle
from random import Random

from microgradlib.core import value
from microgradlib.core.value import Value

if sys.version_info[:2] == (3, 13) or sys.platform == "emscripten":
    # CPython 3.13 frees a chain of objects by recursion in C, too deep for a thread with a small
    # stack, and WebAssembly has a small one. So one node in 256, or in 16, at random places, takes
    # the graph below it apart step by step. Not every node, because an interrupt (Ctrl-C) that
    # lands in a __del__ is lost.

    def _references_here() -> int:
        x = object()
        return sys.getrefcount(x)

    _ALONE = _references_here()  # of what only a local variable holds: 2, and 1 from 3.14 on

    class _Breaker(Value):
        __slots__ = ()

        def __del__(self) -> None:
            pending = [*getattr(self, "_inputs", ())]  # none if Ctrl-C came while it was made
            self._inputs = self._partials = ()
            while pending:
                x = pending.pop()
                if isinstance(x, Value) and sys.getrefcount(x) == _ALONE:
                    pending += x._inputs
                    x._inputs = x._partials = ()

    _OF = 16 if sys.platform == "emscripten" else 256
    _places = Random(0).choices((Value, _Breaker), cum_weights=(_OF - 1, _OF), k=4_099)
    _next_class = cycle(_places).__next__

    value.blank = lambda: object.__new__(_next_class())
