"""What derivatives cost, as multiples of the function: ``python benchmarks/gradients.py``.

Every figure is a ratio of medians over rounds in which the contestants take turns, in one run. The
function is written once and called on plain floats, on Values, or by the transformations. The
gradient costs a constant times the function, whatever the number of inputs. The Hessian of n inputs
is one recording of the gradient and n passes through it. ``--quick`` takes under 20 seconds.
"""

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from typing import Any

from timing import take_turns

import microgradlib as mg

Function = Callable[[Sequence[Any]], Any]


def chain(x: Sequence[Any]) -> Any:
    """Return a number that each input enters by five operations; neighbours interact."""
    total: Any = 0.0
    last: Any = 1.0
    for a in x:
        total = total + mg.tanh(a * last) * a
        last = a
    return total


def inputs(n: int) -> list[float]:
    return [0.1 + (i % 17) / 20.0 for i in range(n)]


def values_alive() -> int:
    return sum(issubclass(type(x), mg.Value) for x in gc.get_objects())


def first_order(sizes: Sequence[int], rounds: int) -> None:
    """Print the cost of derivatives of first order and of products with the Hessian."""
    print("times the function on plain floats; record: the function on Values")
    print(
        f"{'inputs':>8}{'f':>12}{'record':>8}{'grad':>8}{'jvp':>8}{'vjp':>8}{'hvp':>8}{'hvp/grad':>10}{'left':>6}"
    )
    for n in sizes:
        x, v = inputs(n), inputs(n)[::-1]
        calls: dict[str, Callable[[], object]] = {
            "f": lambda x=x: chain(x),  # type: ignore[misc]
            "record": lambda x=x: chain([mg.Value(a) for a in x]),  # type: ignore[misc]
            "grad": lambda x=x: mg.grad(chain)(x),  # type: ignore[misc]
            "jvp": lambda x=x, v=v: mg.jvp(chain, (x,), (v,)),  # type: ignore[misc]
            "vjp": lambda x=x: mg.vjp(chain, x)[1](1.0),  # type: ignore[misc]
            "hvp": lambda x=x, v=v: mg.hvp(chain, (x,), (v,)),  # type: ignore[misc]
        }
        times = take_turns(calls, rounds)
        left = leftovers(calls)
        ratios = "".join(f"{times[name] / times['f']:8.1f}" for name in list(calls)[1:])
        product = times["hvp"] / times["grad"]
        print(f"{n:8,}{times['f'] * 1e6:10.1f}us{ratios}{product:10.1f}{left:6}", flush=True)


def second_order(sizes: Sequence[int], rounds: int) -> None:
    """Print the cost of the Hessian beside that of the gradient."""
    print("\nthe Hessian")
    print(f"{'inputs':>8}{'time':>12}{'/ grad':>10}{'/ grad / n':>12}{'left':>6}")
    for n in sizes:
        x = inputs(n)
        calls: dict[str, Callable[[], object]] = {
            "grad": lambda x=x: mg.grad(chain)(x),  # type: ignore[misc]
            "hessian": lambda x=x: mg.hessian(chain)(x),  # type: ignore[misc]
        }
        times = take_turns(calls, rounds)
        left = leftovers(calls)
        ratio = times["hessian"] / times["grad"]
        print(
            f"{n:8,}{times['hessian'] * 1e3:10.2f}ms{ratio:10.1f}{ratio / n:12.2f}{left:6}",
            flush=True,
        )


def leftovers(calls: dict[str, Callable[[], object]]) -> int:
    """Return how many Values are alive after each call was made with the cyclic collector off."""
    gc.collect()
    before = values_alive()
    gc.disable()
    try:
        for run in calls.values():
            run()
        return values_alive() - before
    finally:
        gc.enable()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11, help="rounds of each comparison")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller Hessians")
    options = parser.parse_args()
    rounds = 2 if options.quick else options.rounds
    print(f"CPython {sys.version.split()[0]}, {rounds} rounds; left: Values alive after the calls")
    first_order((10, 100, 1_000, 10_000), rounds)
    second_order((5, 10, 20, 40) if options.quick else (5, 10, 20, 40, 80, 160), rounds)


if __name__ == "__main__":
    main()
