"""Price an Asian option from 100,000 random paths: ``python examples/monte_carlo.py``.

The option pays by how much the average price of a year's twelve dates exceeds the strike. Its
price is the mean payoff over random paths, and its sensitivities (delta, vega, rho) are the mean
derivatives of the payoff. ``vmap`` sends all paths through machine code, which takes a C compiler.
The same option on the geometric average has a formula, by which the paths are checked.
"""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from typing import Any

import microgradlib as mg
from microgradlib.errors import CompileError

try:
    import numpy as np
except ModuleNotFoundError:
    sys.exit('monte_carlo.py: needs NumPy; install it with: pip install "microgradlib[examples]"')

DATES, STRIKE, YEARS = 12, 100.0, 1.0
MARKET = [100.0, 0.2, 0.03]  # the price today, the volatility, the interest rate
NAMES = ("price", "delta", "vega", "rho")


def payoffs(market: Sequence[Any], draws: Any) -> tuple[Any, Any]:
    """Return what the options on both averages pay at the end of a path, as of today."""
    price, volatility, rate = market
    step = YEARS / DATES
    drift = (rate - 0.5 * volatility**2) * step
    total: Any = 0.0
    logs: Any = 0.0
    log = mg.log(price)
    for draw in draws:
        log = log + drift + volatility * math.sqrt(step) * draw
        total = total + mg.exp(log)
        logs = logs + log
    discount = mg.exp(-rate * YEARS)
    averages = total / DATES, mg.exp(logs / DATES)
    arithmetic, geometric = [discount * mg.maximum(x - STRIKE, 0.0) for x in averages]
    return arithmetic, geometric


def closed_form(market: Sequence[Any]) -> Any:
    """Return the price of the option on the geometric average, whose logarithm is normal.

    See A. Kemna and A. Vorst, A pricing method for options based on average asset values, 1990.
    """
    price, volatility, rate = market
    n = DATES
    mean = mg.log(price) + (rate - 0.5 * volatility**2) * YEARS * (n + 1) / (2 * n)
    deviation = volatility * math.sqrt(YEARS * (n + 1) * (2 * n + 1) / (6 * n * n))
    d2 = (mean - math.log(STRIKE)) / deviation
    d1 = d2 + deviation
    forward = mg.exp(mean + 0.5 * deviation**2)
    return mg.exp(-rate * YEARS) * (forward * normal(d1) - STRIKE * normal(d2))


def normal(x: Any) -> Any:
    """Return the probability that a standard normal number is below x."""
    return 0.5 * mg.erfc(-x / math.sqrt(2.0))


def main() -> None:
    """Price the options and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, default=100_000, help="random paths (100,000)")
    parser.add_argument("--seed", type=int, default=42, help="seed of the random numbers")
    parser.add_argument("--threads", type=int, default=1, help="threads that share the paths")
    options = parser.parse_args()
    if options.paths < 2:
        parser.error(f"--paths must be 2 or more, got {options.paths}")

    def first(market: Any, draws: Any) -> Any:
        return payoffs(market, draws)[0]

    def second(market: Any, draws: Any) -> Any:
        return payoffs(market, draws)[1]

    draws = np.random.default_rng(options.seed).standard_normal((options.paths, DATES))
    exact: Any = mg.value_and_grad(closed_form)(MARKET)
    rows: dict[str, Any] = {}
    for name, payoff in {"arithmetic": first, "geometric": second}.items():
        compiled = mg.compile(mg.value_and_grad(payoff), backend="c")
        greeks = mg.vmap(compiled, in_axes=(None, 0), threads=options.threads)
        try:
            greeks(np.array(MARKET), draws[:2])  # builds the machine code
        except CompileError as error:
            sys.exit(f"monte_carlo.py: {error}")
        start = time.perf_counter()
        values, slopes = greeks(np.array(MARKET), draws)
        seconds = time.perf_counter() - start
        samples = np.column_stack([values, slopes])
        rows[name] = samples.mean(axis=0), samples.std(axis=0) / math.sqrt(options.paths)
        print(f"{name} average: {options.paths:,} paths in {seconds:.3f} s")
    print(f"\n{'':8}{'arithmetic average':>24}{'geometric average':>24}{'exact':>12}")
    off = []
    for i, (name, right) in enumerate(zip(NAMES, [exact[0], *exact[1]], strict=True)):
        texts = [f"{mean[i]:.4f} +- {deviation[i]:.4f}" for mean, deviation in rows.values()]
        print(f"{name:8}{texts[0]:>24}{texts[1]:>24}{right:12.4f}")
        mean, deviation = rows["geometric"]
        off.append(abs(mean[i] - right) / deviation[i])
    print(f"\nThe geometric average is at most {max(off):.1f} standard errors off.")
    if max(off) > 5.0:
        sys.exit("monte_carlo.py: that is too much")


if __name__ == "__main__":
    main()
