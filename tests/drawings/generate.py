"""Store the drawings that tests compare with: ``python tests/drawings/generate.py``.

After a change to the layout or to a format that was meant; look at them before they are committed.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from microgradlib.drawing.rendering import COLOURS, Box, Edge, Picture, dot, mermaid, svg

DIRECTORY = Path(__file__).parent


def everything() -> Picture:
    """Return a small picture with all that there is to render, and two edges that share a line."""
    boxes = (
        Box("leaf", "x <&> y", ("data -0.5", "grad inf"), "x <&>\ndata -0.5", 0),
        Box("parameter", "重み", ("data 1",), 'w "0"', 0),
        Box("operation", "x * w", ("data 1", "grad nan"), "x \\ w", 1),
        Box("summary", "+ × 12", ("data not finite: 3",), "+"),
        Box("result", "tanh", ("data 0.5",), "tanh"),
    )
    edges = (
        Edge(0, 2, "1"),
        Edge(1, 2, "-0.5"),
        Edge(1, 3, "0", flows=False),
        Edge(2, 3, "× 12"),
        Edge(3, 4, "7.5e-05"),
        Edge(0, 4, '"a"'),
        Edge(0, 3, "2"),
    )
    return Picture(boxes, edges, ("fc1: Layer", "#2 & more"), "5 nodes, summarised by hand")


def tangle(seed: int, boxes: int, edges: int, groups: int) -> Picture:
    """Return a random picture."""
    draw = random.Random(seed).random  # the same in every version of Python

    def below(n: int) -> int:
        return int(draw() * n)

    kinds = list(COLOURS)
    made = [
        Box(kinds[below(5)], "x" * (1 + below(8)), ("1",) * below(4), "", below(groups + 1) - 1)
        for _ in range(boxes)
    ]
    pairs = [sorted((below(boxes), below(boxes))) for _ in range(edges)]
    arrows = [Edge(a, b, "y" * below(6)) for a, b in pairs if a < b]
    titles = tuple(f"group {i}" for i in range(groups))
    return Picture(tuple(made), tuple(arrows), titles, "")


Files: TypeAlias = dict[str, tuple[Callable[[Picture], str], Picture]]
FORMATS: Files = {
    "everything.svg": (svg, everything()),
    "everything.dot": (dot, everything()),
    "everything.mmd": (mermaid, everything()),
}
LAYOUTS: Files = {
    "tangle.svg": (svg, tangle(4, boxes=16, edges=24, groups=2)),
    "knot.svg": (svg, tangle(45, boxes=12, edges=18, groups=2)),
}


def stored(name: str) -> str:
    """Return a drawing as it is stored."""
    return (DIRECTORY / name).read_text("utf-8")


def main() -> None:
    """Store all."""
    for name, (render, picture) in (FORMATS | LAYOUTS).items():
        (DIRECTORY / name).write_text(render(picture), "utf-8")


if __name__ == "__main__":
    main()
