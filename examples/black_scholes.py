"""The price of an option and its Greeks to second order: ``python examples/black_scholes.py``.

The price is a formula of plain ``math`` calls. With ``microgradlib.math`` in place of ``math`` it
is differentiable, and each Greek is a derivative of it: no formula but the price is written down.
The textbook's closed forms (Haug, "The Complete Guide to Option Pricing Formulas", 2007) check
them.
"""

import sys
from collections.abc import Callable
from typing import Any

import microgradlib as mg
import microgradlib.math as math


def call_price(spot: Any, volatility: Any, time: Any, rate: Any, carry: Any, strike: float) -> Any:
    """Return the Black-Scholes price of a European call option.

    Args:
        spot: the price of the asset today.
        volatility: the standard deviation of its yearly log-return.
        time: the years to expiry.
        rate: the interest rate.
        carry: the cost of carry: the interest rate less the dividend yield.
        strike: what the option lets its owner buy the asset for.
    """

    def normal(x: Any) -> Any:
        return 0.5 * math.erfc(-x / math.sqrt(2.0))

    deviation = volatility * math.sqrt(time)
    d1 = (math.log(spot / strike) + carry * time) / deviation + 0.5 * deviation
    forward = spot * math.exp((carry - rate) * time)
    return forward * normal(d1) - strike * math.exp(-rate * time) * normal(d1 - deviation)


def derivative(*order: int) -> Callable[..., float]:
    """Return the derivative of the price with respect to inputs, by position, one after another."""
    f: Callable[..., Any] = call_price
    for argument in order:
        f = mg.grad(f, argument)
    return f


SPOT, VOLATILITY, TIME, RATE, CARRY = range(5)

# Time to expiry shrinks as time goes by, hence the signs of theta, charm and veta.
GREEKS: dict[str, tuple[float, tuple[int, ...]]] = {
    "price": (1.0, ()),
    "delta": (1.0, (SPOT,)),
    "vega": (1.0, (VOLATILITY,)),
    "theta": (-1.0, (TIME,)),
    "rho": (1.0, (RATE,)),
    "carry rho": (1.0, (CARRY,)),
    "gamma": (1.0, (SPOT, SPOT)),
    "vanna": (1.0, (SPOT, VOLATILITY)),
    "charm": (-1.0, (SPOT, TIME)),
    "volga": (1.0, (VOLATILITY, VOLATILITY)),
    "veta": (-1.0, (VOLATILITY, TIME)),
    "speed": (1.0, (SPOT, SPOT, SPOT)),
    "zomma": (1.0, (SPOT, SPOT, VOLATILITY)),
}


def closed_forms(
    spot: float, volatility: float, time: float, rate: float, carry: float, strike: float
) -> dict[str, float]:
    """Return the textbook's formulas."""
    root = math.sqrt(time)
    deviation = volatility * root
    d1 = (math.log(spot / strike) + carry * time) / deviation + 0.5 * deviation
    d2 = d1 - deviation
    density = math.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
    n1, n2 = (0.5 * math.erfc(-d / math.sqrt(2.0)) for d in (d1, d2))
    growth, discount = math.exp((carry - rate) * time), strike * math.exp(-rate * time)
    vega = spot * growth * density * root
    gamma = growth * density / (spot * deviation)
    price = spot * growth * n1 - discount * n2
    drift = carry / deviation - 0.5 * d2 / time  # of d1, in time
    return {
        "price": price,
        "delta": growth * n1,
        "vega": vega,
        "theta": -0.5 * vega * volatility / time
        - (carry - rate) * spot * growth * n1
        - rate * discount * n2,
        "rho": -time * price,
        "carry rho": time * spot * growth * n1,
        "gamma": gamma,
        "vanna": -growth * density * d2 / volatility,
        "charm": -growth * (density * drift + (carry - rate) * n1),
        "volga": vega * d1 * d2 / volatility,
        "veta": vega * (rate - carry + carry * d1 / deviation - 0.5 * (1.0 + d1 * d2) / time),
        "speed": -gamma / spot * (1.0 + d1 / deviation),
        "zomma": gamma * (d1 * d2 - 1.0) / volatility,
    }


def main() -> int:
    market = {"in the money": 110.0, "at the money": 100.0, "out of the money": 90.0}
    worst = 0.0
    for name, spot in market.items():
        point = spot, 0.25, 0.75, 0.04, 0.015, 100.0
        expected = closed_forms(*point)
        print(
            f"{name}: spot {spot:g}, strike 100, volatility 0.25, 9 months, rate 0.04, carry 0.015"
        )
        for greek, (sign, order) in GREEKS.items():
            computed = sign * derivative(*order)(*point)
            error = abs(computed - expected[greek]) / abs(expected[greek])
            worst = max(worst, error)
            print(f"  {greek:10}{computed:16.10f}   closed form {expected[greek]:16.10f}")

    print(f"largest relative difference from the closed forms: {worst:.1e}")
    return 0 if worst < 1e-12 else 1


if __name__ == "__main__":
    sys.exit(main())
