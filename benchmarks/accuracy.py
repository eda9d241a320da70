"""First derivatives beside PyTorch, JAX and autograd, in ulp: ``python benchmarks/accuracy.py``.

Needs the ``benchmarks`` extra. Every primitive of the table is differentiated by each library that
has one function for it; a dash stands for a library that has none. Reference values come from
mpmath, in as many digits as they need. Two figures:

- ulp: the worst error of a partial derivative at random points, in units in the last place of the
  reference value. The points are spread over the whole domain: moderate numbers, and floats of any
  magnitude.
- failed: how many of the hard points fail. At a hard point one input, or each of them, is 0, -0, a
  subnormal number, a huge one, one next to a singularity and so on. It fails if the error of a
  partial is more than half of the reference value and more ulp than this library promises; if the
  partial is not finite where the reference value, rounded to a float, is; or if the reference value
  is infinite or NaN and the partial is not the same. At a kink any number between the derivatives
  on the two sides is right.

A derivative that raises counts as NaN. The exit status is 1 if this library breaks its promise.
"""

import argparse
import platform
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib.metadata import version
from itertools import islice
from math import isfinite, nan, ulp
from pathlib import Path
from typing import Any, NamedTuple

import autograd
import autograd.numpy as anp
import autograd.scipy.special as asp
import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import mpmath
import torch
import torch.nn.functional as tnf
from mpmath import mpf

import microgradlib as mg
from microgradlib.core.primitive import Primitive
from microgradlib.core.table import PRIMITIVES

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from truths import generate
from truths.measure import Truth, derivative_scale, promised_ulps, ulps
from truths.points import static

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

Point = tuple[float, ...]
Partials = Sequence[float]
Function = Callable[..., Any]
Spellings = dict[str, Function]
Library = Callable[[Primitive, list[Point]], list[Partials] | None]


# Each primitive in each peer: a function of one array for each input, applied entry by entry.


def named(module: Any, names: str) -> Spellings:
    """Return the functions of a module that have the names of primitives."""
    return {name: getattr(module, name) for name in names.split()}


def stacked(f: Function, stack: Function, **last: int) -> Function:
    """Return f, which works along the last axis of one array, as a function of many inputs."""
    return lambda *xs: f(stack(xs, **last), **last)


def paired(f: Function, stack: Function) -> Function:
    """Return f of the first half of many inputs and of the second."""
    return lambda *xs: f(stack(xs[: len(xs) // 2], -1), stack(xs[len(xs) // 2 :], -1))


def first(f: Function) -> Function:
    """Return the first of the entries that f gives."""
    return lambda *xs: f(*xs)[..., 0]


def one_by_one(f: Function) -> Function:
    """Return f, which takes one point at a time, as a function of tensors."""
    return lambda *xs: torch.stack([f(*x) for x in zip(*xs, strict=True)])


def torch_spellings() -> Spellings:
    def along(f: Function) -> Function:
        return stacked(f, torch.stack, dim=-1)

    norm, vecdot = along(torch.linalg.vector_norm), paired(torch.linalg.vecdot, torch.stack)
    return {
        **named(
            torch,
            "add subtract multiply divide fmod negative abs exp exp2 expm1 log log2 log10 log1p "
            "sqrt sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh erf erfc "
            "lgamma sigmoid relu maximum minimum copysign clip",
        ),
        **named(tnf, "softplus gelu silu"),
        "modulo": torch.remainder,
        "power": torch.pow,
        "power_c": one_by_one(lambda x, c: torch.pow(x, c.item())),
        "hypot": lambda *xs: torch.hypot(*xs) if len(xs) == 2 else norm(*xs),
        "log_sigmoid": tnf.logsigmoid,
        "leaky_relu": one_by_one(lambda x, a: tnf.leaky_relu(x, a.item())),
        "elu": one_by_one(lambda x, a: tnf.elu(x, a.item())),
        "gelu_tanh": partial(tnf.gelu, approximate="tanh"),
        "where": lambda x, y, c: torch.where(c != 0.0, x, y),
        "maximum_c": torch.maximum,
        "minimum_c": torch.minimum,
        "sum": along(torch.sum),
        "mean": along(torch.mean),
        "prod": along(torch.prod),
        "dot": lambda bias, *factors: bias + vecdot(*factors),
        "mse": paired(one_by_one(tnf.mse_loss), torch.stack),
        "bce": partial(tnf.binary_cross_entropy, reduction="none"),
        "bce_with_logits": partial(tnf.binary_cross_entropy_with_logits, reduction="none"),
        "logsumexp": along(torch.logsumexp),
        "softmax": first(along(torch.softmax)),
        "log_softmax": first(along(torch.log_softmax)),
    }


def jax_spellings() -> Spellings:
    def along(f: Function) -> Function:
        return stacked(f, jnp.stack, axis=-1)

    norm, vecdot = along(jnp.linalg.vector_norm), paired(jnp.vecdot, jnp.stack)
    return {
        **named(
            jnp,
            "add subtract multiply divide fmod power negative abs exp exp2 expm1 log log2 log10 "
            "log1p sqrt cbrt sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh "
            "maximum minimum copysign clip",
        ),
        **named(jsp, "erf erfc gamma"),
        **named(jax.nn, "sigmoid log_sigmoid softplus relu leaky_relu elu silu"),
        "modulo": jnp.remainder,
        "power_c": jnp.power,
        "hypot": lambda *xs: jnp.hypot(*xs) if len(xs) == 2 else norm(*xs),
        "lgamma": jsp.gammaln,
        "gelu": partial(jax.nn.gelu, approximate=False),
        "gelu_tanh": partial(jax.nn.gelu, approximate=True),
        "where": lambda x, y, c: jnp.where(c != 0.0, x, y),
        "maximum_c": jnp.maximum,
        "minimum_c": jnp.minimum,
        "sum": along(jnp.sum),
        "mean": along(jnp.mean),
        "prod": along(jnp.prod),
        "dot": lambda bias, *factors: bias + vecdot(*factors),
        "logsumexp": along(jax.nn.logsumexp),
        "softmax": first(along(jax.nn.softmax)),
        "log_softmax": first(along(jax.nn.log_softmax)),
    }


def autograd_spellings() -> Spellings:
    def along(f: Function) -> Function:
        return stacked(f, anp.stack, axis=-1)

    norm, vecdot = along(anp.linalg.norm), paired(partial(anp.einsum, "ni,ni->n"), anp.stack)
    return {
        **named(
            anp,
            "add subtract multiply divide power negative abs exp exp2 expm1 log log2 log10 log1p "
            "sqrt sin cos tan sinh cosh tanh maximum minimum clip",
        ),
        **named(asp, "erf erfc gamma"),
        "modulo": anp.remainder,
        "power_c": anp.power,
        "asin": anp.arcsin,
        "acos": anp.arccos,
        "atan": anp.arctan,
        "atan2": anp.arctan2,
        "asinh": anp.arcsinh,
        "acosh": anp.arccosh,
        "atanh": anp.arctanh,
        "hypot": lambda *xs: anp.hypot(*xs) if len(xs) == 2 else norm(*xs),
        "lgamma": asp.gammaln,
        "sigmoid": asp.expit,
        "where": lambda x, y, c: anp.where(c != 0.0, x, y),
        "maximum_c": anp.maximum,
        "minimum_c": anp.minimum,
        "sum": along(anp.sum),
        "mean": along(anp.mean),
        "prod": along(anp.prod),
        "dot": lambda bias, *factors: bias + vecdot(*factors),
        "logsumexp": along(asp.logsumexp),
    }


# How each library differentiates a primitive at points of one arity: the partials at each point.


def ours(row: Primitive, points: list[Point]) -> list[Partials]:
    result: list[Partials] = []
    for point in points:
        xs: list[Any] = [mg.Value(x) for x in point[: len(point) - static(row)]]
        try:
            with mg.allow_nonfinite():
                row(*xs, *point[len(xs) :]).backward()
            result.append([x.grad for x in xs])
        except (ArithmeticError, ValueError):
            result.append([nan] * len(xs))
    return result


def peer(differentiate: Function, spellings: Spellings) -> Library:
    """Return a library, from how it differentiates functions of arrays and what it calls them."""
    if stale := spellings.keys() - PRIMITIVES:
        raise KeyError(f"the table of primitives has no row {', '.join(stale)}")

    def partials(row: Primitive, points: list[Point]) -> list[Partials] | None:
        if row.name not in spellings:
            return None
        columns = list(zip(*points, strict=True))
        slopes = differentiate(spellings[row.name], columns, len(columns) - static(row))
        return list(zip(*[slope.tolist() for slope in slopes], strict=True))

    return partials


def with_torch(f: Function, columns: list[Point], wanted: int) -> list[Any]:
    xs = [torch.tensor(column, dtype=torch.float64) for column in columns]
    for x in xs[:wanted]:
        x.requires_grad_()
    f(*xs).sum().backward()
    return [x.grad for x in xs[:wanted]]


def with_jax(f: Function, columns: list[Point], wanted: int) -> list[Any]:
    slopes = jax.jit(jax.vmap(jax.grad(f, range(wanted))))
    return list(slopes(*map(jnp.array, columns)))


def with_autograd(f: Function, columns: list[Point], wanted: int) -> list[Any]:
    xs = [anp.array(column) for column in columns]
    with anp.errstate(all="ignore"):
        return [autograd.elementwise_grad(f, i)(*xs) for i in range(wanted)]


LIBRARIES: dict[str, Library] = {
    "microgradlib": ours,
    "PyTorch": peer(with_torch, torch_spellings()),
    "JAX": peer(with_jax, jax_spellings()),
    "autograd": peer(with_autograd, autograd_spellings()),
}


# Points, and the figures of a library there.


class Case(NamedTuple):
    """A point in the domain of a primitive, and the reference values of its partials there."""

    row: Primitive
    point: Point
    truths: list[Truth]

    def errors(self, partials: Partials) -> list[float]:
        """Return the errors of the partials, in the ulp in which they are promised."""
        scale = derivative_scale(self.row, self.point)
        return [ulps(x, truth, scale) for x, truth in zip(partials, self.truths, strict=True)]

    def fails(self, partials: Partials) -> bool:
        """Whether a hard point fails, as defined at the top of this file."""
        errors = self.errors(partials)
        for i, (x, (truth, _), error) in enumerate(zip(partials, self.truths, errors, strict=True)):
            if isfinite(x) and isfinite(truth):
                half = 0.5 * abs(truth) / ulp(truth)
                if error > max(half, promised_ulps(self.row)) and not self.at_kink(i, x):
                    return True
            elif error > 0.0:
                return True
        return False

    def at_kink(self, i: int, partial: float) -> bool:
        """Whether the i-th partial jumps here, and this one lies between its two sides."""
        for digits in (60, 120, 240, 480, 960, 1920):  # with smaller and smaller steps
            with mpmath.workdps(digits):
                before, x, after = self.point[:i], mpf(self.point[i]), self.point[i + 1 :]
                step = (abs(x) or 1) * mpf(10) ** (-digits // 2)
                try:
                    low, high = sorted(
                        generate.TRUTHS[self.row.name](*map(mpf, (*before, near, *after)))[1][i]
                        for near in (x - step, x + step)
                    )
                except (ArithmeticError, TypeError, ValueError):
                    return False  # at an end of the domain there is one side only
                if high - low <= max(abs(low), abs(high)) * mpf(10) ** -10:
                    return False  # no jump
        return bool(low <= partial <= high)


def cases(row: Primitive, points: Iterable[Point]) -> Iterable[Case]:
    """Yield the points at which the primitive is a finite float."""
    for point in points:
        if generate.in_domain(row, point):
            try:
                value, *partials = generate.truth(row.name, point)
            except (ValueError, ZeroDivisionError):
                continue  # a pole
            if isfinite(float(value)):
                yield Case(row, point, [generate.pair(p) for p in partials])


class Figures(NamedTuple):
    """How exact one library is for one primitive."""

    row: Primitive
    at_random: float  # the worst error at random points, in ulp
    at_hard: float  # the worst error at hard points
    failed: int  # how many hard points fail
    hard: int  # how many hard points there are


def measure(library: Library, hard: list[Case], drawn: list[Case]) -> Figures | None:
    """Return the figures of a library for a primitive, or None if it lacks the primitive."""
    both = hard + drawn
    row = both[0].row
    partials: dict[int, Partials] = {}
    for arity in {len(case.point) for case in both}:
        places = [i for i, case in enumerate(both) if len(case.point) == arity]
        found = library(row, [both[i].point for i in places])
        if found is None:
            return None
        partials.update(zip(places, found, strict=True))
    worst = [max(case.errors(partials[i])) for i, case in enumerate(both)]
    failed = sum(case.fails(partials[i]) for i, case in enumerate(hard))
    return Figures(row, max(worst[len(hard) :]), max(worst[: len(hard)]), failed, len(hard))


def line(cells: list[str], markdown: bool) -> str:
    if markdown:
        return f"| {' | '.join(cells)} |"
    return f"{cells[0]:16}" + "".join(f"{cell:>13}" for cell in cells[1:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=2000, help="random points of each primitive")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    options = parser.parse_args()
    if options.points < 1:
        parser.error(f"--points must be at least 1, got {options.points}")

    packages = ("microgradlib", "torch", "jax", "autograd", "mpmath")
    versions = [f"CPython {platform.python_version()}"] + [f"{p} {version(p)}" for p in packages]
    print(f"{', '.join(versions)};\n{options.points:,} random points of each primitive\n")
    _, *peers = LIBRARIES
    header = ["primitive", "ulp: ours", *peers, "hard points", "failed: ours", *peers]
    print(line(header, options.markdown))
    if options.markdown:
        print(line(["---"] + ["---:"] * (len(header) - 1), True))

    totals: dict[str, list[Figures]] = {name: [] for name in LIBRARIES}
    for row in [row for row in PRIMITIVES.values() if not row.helper]:
        rng = random.Random(row.name)
        hard = list(cases(row, generate.distinct(generate.hard_points(row, rng))))
        drawn = list(islice(cases(row, generate.random_points(row, rng)), options.points))
        found = {name: measure(library, hard, drawn) for name, library in LIBRARIES.items()}
        errors = [f"{f.at_random:.3g}" if f else "-" for f in found.values()]
        failures = [f"{f.failed}" if f else "-" for f in found.values()]
        print(line([row.name, *errors, f"{len(hard)}", *failures], options.markdown), flush=True)
        for name, f in found.items():
            totals[name] += [f] if f else []

    print()
    for name, known in totals.items():
        kept = sum(f.at_random <= promised_ulps(f.row) for f in known)
        failed, points = sum(f.failed for f in known), sum(f.hard for f in known)
        print(
            f"- {name}: {kept} of {len(known)} primitives within the ulp promised of ours, "
            f"{failed} of {points:,} hard points failed"
        )
    mine = totals["microgradlib"]
    print(f"- microgradlib at the hard points: within {max(f.at_hard for f in mine):.3g} ulp")
    broken = [
        f.row.name for f in mine if f.failed or max(f.at_random, f.at_hard) > promised_ulps(f.row)
    ]
    if broken:
        print(f"- microgradlib breaks its promise: {', '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
