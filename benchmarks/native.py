"""Machine code beside PyTorch, CasADi and generated Python: ``python benchmarks/native.py``.

Needs the ``benchmarks`` extra and a C compiler. Every time is a median of rounds in which the
contestants take turns. PyTorch runs on one thread, which suits these sizes. Time to build is that
of a clock, as it passes in the compiler. ``--quick`` builds no large graph.
"""

import argparse
import ctypes
import math
import operator
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import casadi
import torch
import transformer
import xor_steps
from timing import take_turns, target

import microgradlib as mg
from microgradlib import nn, optim
from microgradlib.compiling.native import FLAGS, compiler


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def show(times: dict[str, float], reference: str) -> None:
    width = max(map(len, times))
    for name, t in times.items():
        print(f"  {name:{width}}{t * 1e6:10.3f} us{t / times[reference]:9.2f} x")


# XOR.


def compiled_step(backend_rows: xor_steps.Patterns) -> xor_steps.Training:
    """Train with loss, gradient and SGD as one function in machine code."""
    model = xor_steps.network()
    loss_fn = nn.MSELoss()
    step = mg.compiled_step(
        lambda x, y: loss_fn(model(x), y), optim.SGD(model.parameters(), lr=xor_steps.LR)
    )

    def train() -> float:
        with step:
            for _ in range(xor_steps.EPOCHS):
                for x, y in backend_rows:
                    loss = step(x, y)
        return loss

    return train


def xor(rounds: int) -> None:
    print("\nXOR, SGD with batch size 1: time of a step")
    model = xor_steps.network()
    loss_fn = nn.MSELoss()
    loops: dict[str, Any] = {
        "compiled_step": compiled_step(xor_steps.patterns_of(float)),
        "torch, rows": xor_steps.CONTESTANTS["torch, rows"](),
        "compiled loss, usual loop": xor_steps.compiled_loss(),
    }
    losses = {name: run() for name, run in loops.items()}
    if not all(math.isclose(x, losses["compiled_step"], rel_tol=1e-4) for x in losses.values()):
        raise RuntimeError(f"the losses differ: {losses}")
    times = take_turns(loops, rounds)
    t = {name: x / xor_steps.STEPS for name, x in times.items()}
    show(t, "compiled_step")
    target("microseconds of a step", t["compiled_step"] * 1e6, operator.le, 1.2)
    target("PyTorch takes times its time", t["torch, rows"] / t["compiled_step"], operator.ge, 150)

    print("\nXOR, the backends: time of a call")
    x, y = [0.0, 1.0], [1.0]
    functions: dict[str, Callable[..., Any]] = {
        "loss": lambda x, y: loss_fn(model(x), y),
        "loss and gradient": mg.value_and_grad(lambda w, x, y: xor_steps.formula(w, x, y)),
    }
    for name, f in functions.items():
        args: Any = (x, y) if name == "loss" else (xor_steps.flat(), x, y)
        calls = {}
        for backend in ("c", "python"):
            g = mg.compile(f, backend=backend)
            if g(*args) != f(*args):
                raise RuntimeError(f"{name}: the backends differ")
            calls[backend] = partial(g, *args)
        times = take_turns(calls, rounds)
        show({f"{name}, {backend}": t for backend, t in times.items()}, f"{name}, c")
        target("C's time, times that of Python", times["c"] / times["python"], operator.le, 1.0)


# The transformer.


def transformer_step(cache: Path) -> tuple[transformer.Step, float]:
    """Return loss, gradient and Adam as one function, and the seconds that its first call took."""
    weights = transformer.initial(mg.Value)
    optimizer = optim.Adam(
        transformer.flatten(weights),
        lr=transformer.RATE,
        betas=transformer.BETAS,
        eps=transformer.EPS,
    )
    step = mg.compiled_step(
        lambda: transformer.loss_of(weights, transformer.TOKENS, transformer.ManyInputs),
        optimizer,
        cache=cache,
    )
    step.__enter__()  # for as long as this program runs
    return step, seconds(step)


def documents(rounds: int) -> None:
    print("\nTransformer, 4,192 parameters, 7 tokens: loss, gradient and Adam in one step")
    with tempfile.TemporaryDirectory() as directory:
        cache = Path(directory) / "cache"
        ours, first = transformer_step(cache)
        kept, again = transformer_step(cache)
        peer = transformer.with_torch()
        peer()
        kept_loss, loss, other = kept(), ours(), peer()
        if kept_loss != loss or not math.isclose(loss, other, rel_tol=1e-9):
            raise RuntimeError(f"the losses differ: {loss}, {kept_loss}, {other}")
        times = take_turns({"compiled_step": ours, "torch, float64": peer}, rounds)
    show(times, "compiled_step")
    target(
        "PyTorch takes times its time",
        times["torch, float64"] / times["compiled_step"],
        operator.ge,
        5,
    )
    traced = seconds(
        lambda: mg.compile(mg.value_and_grad(transformer.document))(
            transformer.flatten(transformer.initial())
        )
    )
    print(f"    tracing and writing alone, in Python: {traced:.1f} s")
    target("seconds of the first call: trace, write, build", first, operator.le, 30)
    target("seconds of the first call with a cache", again, operator.le, 0.5)


# Building.


def chain(n: int) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        y = x
        for i in range(n // 4):
            y = mg.sin(y) * 0.5 + x * (1.0 + i)
        return y

    return f


def building(sizes: list[int]) -> None:
    print("\nBuilding value and gradient of n operations: seconds an operation")
    costs = {}
    for n in sizes:
        f = mg.compile(mg.value_and_grad(chain(n)), backend="c")
        costs[n] = seconds(partial(f, 0.5)) / n
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"  {n:9,}{costs[n] * 1e6:10.1f} us, at most {peak:,.0f} MB of the compiler")
    target(
        "an operation of the most, times that of the fewest",
        costs[sizes[-1]] / costs[sizes[0]],
        operator.le,
        1.5,
    )


# CasADi's own C.

_DRIVER_OURS = """
#include "{name}.h"
static double work[{upper}_WORK + 1];
int run(const double *in, double *out, int times)
{{
    int status = 0;
    for (int i = 0; i < times; ++i) status |= {name}(in, out, work);
    return status;
}}
"""
_DRIVER_CASADI = """
int run(const double *in, double *out, int times)
{{
    const double *arg[{arguments} + 1] = {{in}};
    double *res[2] = {{out, out + 1}};
    int status = 0;
    for (int i = 0; i < times; ++i) status |= {name}(arg, res, 0, 0, 0);
    return status;
}}
"""


def built(directory: Path, name: str, sources: list[str]) -> Any:
    library = directory / f"{name}.so"
    paths = [str(directory / source) for source in sources]
    subprocess.run(
        [*compiler(), *FLAGS, "-shared", "-o", str(library), *paths, "-lm"],
        cwd=directory,
        check=True,
    )
    return ctypes.CDLL(str(library)).run


def casadi_c(rounds: int) -> None:
    print("\nCasADi's generated C and ours, built with the same flags: value and gradient")

    def rosenbrock(xs: Any) -> Any:
        total: Any = 0.0
        for a, b in pairwise(xs):
            e, d = b - a * a, 1.0 - a
            total = total + (100.0 * e * e + d * d)
        return total

    def xor_loss(exp: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return the loss in one form of the sigmoid for both."""
        return lambda w: xor_steps.formula(w, [0.0, 1.0], [1.0], lambda x: 1.0 / (1.0 + exp(-x)))

    cases: dict[str, tuple[Any, Any, list[float]]] = {
        "xor": (
            xor_loss(mg.exp),
            xor_loss(casadi.exp),
            xor_steps.flat(),
        ),
        "rosenbrock": (rosenbrock, rosenbrock, [math.sin(i) for i in range(100)]),
    }
    for name, (ours, theirs, point) in cases.items():
        with tempfile.TemporaryDirectory() as temporary:
            directory = Path(temporary)
            f = mg.compile(mg.value_and_grad(ours))
            value, gradient = f(point)
            f.export(directory / f"{name}.c")
            (directory / "ours.c").write_text(_DRIVER_OURS.format(name=name, upper=name.upper()))
            x = casadi.SX.sym("x", len(point))
            y = theirs([x[i] for i in range(len(point))])
            g = casadi.Function("peer", [x], [y, casadi.gradient(y, x)])
            code = casadi.CodeGenerator("peer.c")
            code.add(g)
            code.generate(f"{directory}/")
            text = (directory / "peer.c").read_text()
            (directory / "peer.c").write_text(
                text + _DRIVER_CASADI.format(name="peer", arguments=1)
            )
            runs, outs = {}, {}
            for who, sources in {"ours": ["ours.c", f"{name}.c"], "casadi": ["peer.c"]}.items():
                run = built(directory, who, sources)
                numbers = (ctypes.c_double * len(point))(*point)
                outs[who] = out = (ctypes.c_double * (1 + len(point)))()
                if run(numbers, out, 1):
                    raise RuntimeError(f"{who}: {name} failed")
                runs[who] = lambda run=run, a=numbers, b=out: run(a, b, 1_000)
            if [*outs["ours"]] != [value, *gradient]:
                raise RuntimeError(f"{name}: the exported C differs from the function")
            if not all(
                math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12)
                for a, b in zip(*outs.values(), strict=True)
            ):
                raise RuntimeError(f"{name}: CasADi's numbers differ")
            times = {who: t / 1_000 for who, t in take_turns(runs, rounds).items()}
        show({f"{name}, {who}": t for who, t in times.items()}, f"{name}, ours")
        target("our time, times CasADi's", times["ours"] / times["casadi"], operator.le, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11, help="rounds of each comparison")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller graphs")
    options = parser.parse_args()
    rounds = 3 if options.quick else options.rounds
    torch.set_num_threads(1)
    names = ", ".join(f"{name} {version(name)}" for name in ("microgradlib", "torch", "casadi"))
    print(
        f"CPython {sys.version.split()[0]}, {names}; {compiler()[0]}; {rounds} rounds", flush=True
    )
    xor(rounds)
    casadi_c(rounds)
    building([1_000, 10_000] if options.quick else [1_000, 10_000, 100_000])
    if not options.quick:
        documents(rounds)


if __name__ == "__main__":
    main()
