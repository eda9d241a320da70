"""Points of moderate size in the domain of a primitive, for tests and truths."""

import random

from microgradlib.primitives import Interval, Primitive


def drawn_points(row: Primitive, count: int) -> list[tuple[float, ...]]:
    """Return points of moderate size in the domain, a little away from the delicate ones."""
    rng = random.Random(row.name)
    points: list[tuple[float, ...]] = []
    while len(points) < count:
        n = rng.choice(row.arities)
        domain = row.domain if len(row.domain) == n else row.domain * n
        point = [moderate(rng, interval) for interval in domain]
        if row.name.startswith("power"):
            point[0] = abs(point[0])
        if row.name in ("clip", "inside"):
            point[1:] = sorted(point[1:])
        if row.name in ("polygamma", "power_c_slope"):
            point[-1] = float(rng.randrange(1, 4))
        if row.name == "select":
            point[-1] = float(rng.randrange(n - 1))
        if row.name == "where":
            point[2] = float(rng.randrange(2))
        if all(abs(x - c) > 1e-2 for x in point[:1] for c in row.near):
            points.append(tuple(point))
    return points


def moderate(rng: random.Random, interval: Interval) -> float:
    low, high = max(interval.low, -3.0), min(interval.high, 3.0)
    margin = 1e-2 * (high - low)
    return rng.uniform(low + margin, high - margin)
