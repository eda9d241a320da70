"""Value and gradient summed over many items, by the workers of any ``concurrent.futures.Executor``.

Sums are exact until they are rounded, once: workers send back a few floats for each number, which
have exactly the sum of their items. So the result has the same bits however many workers there are,
and however items are divided among them.
"""

from microgradlib.parallel.summing import value_and_grad

__all__ = ["value_and_grad"]
