"""Draw the pictures of docs/gpt.md: ``python tools/gpt_pictures.py``.

They show what the cells of ``examples/gpt.ipynb`` compute. These are run up to the graph of one
head, without the plots; the training among them takes some seconds. Another directory to write to
can be given. A test compares the files with what comes out.

Needs matplotlib, which the notebook imports.
"""

import json
import sys
from collections.abc import Sequence
from contextlib import chdir, redirect_stdout
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

import microgradlib as mg

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES, STATIC = ROOT / "examples", ROOT / "docs" / "static"
LAST = "draw(mixed)"  # in the source of the cell that draws the graph of a head

CELL, MARGIN, TITLE = 46, 40, 34  # pixels: a weight; the letters at its left and below; a title
FONT, SMALL = 16, 14
DARKEST = (8, 48, 107)  # the colour of the weight 1; that of 0 is white


def computed(notebook: Path) -> dict[str, Any]:
    """Return the names that the cells of the notebook define, up to the graph of a head."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    (end,) = [i for i, source in enumerate(sources) if LAST in source]
    names: dict[str, Any] = {}
    sys.path.insert(0, str(notebook.parent))
    with chdir(notebook.parent), redirect_stdout(StringIO()):
        for source in sources[: end + 1]:
            if "plt.show()" not in source:
                exec(source, names)
    return names


def attention_picture(heads: Sequence[Sequence[Sequence[float]]], letters: Sequence[str]) -> str:
    """Return the attention weights of all heads as SVG, two heads in a row; the rest is masked.

    >>> picture = attention_picture([[[1.0, 0.0], [0.25, 0.75]]], ["a", "<"])
    >>> picture.count("1.00"), picture.count("0.75"), picture.count("0.00"), "&lt;" in picture
    (1, 1, 0, True)
    """
    n = len(letters)
    panel = (MARGIN + CELL * n, TITLE + CELL * n + MARGIN)
    width = 2 * panel[0] + 3 * MARGIN // 2
    height = panel[1] * ((len(heads) + 1) // 2) + MARGIN
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        "<title>The attention weights of each head</title>",
        '<g font-family="DejaVu Sans, Verdana, Arial, sans-serif" text-anchor="middle">',
        '<rect width="100%" height="100%" rx="6" fill="#ffffff"/>',
    ]
    for number, rows in enumerate(heads):
        left = MARGIN // 2 + MARGIN + (number % 2) * (panel[0] + MARGIN // 2)
        top = TITLE + (number // 2) * panel[1]
        lines.append(_text(left + CELL * n / 2, top - 11, f"head {number}", FONT))
        for i, letter in enumerate(letters):
            middle = top + CELL * i + CELL / 2 + 5
            lines.append(_text(left - 14, middle, letter, FONT))
            lines.append(_text(left + CELL * i + CELL / 2, top + CELL * n + 20, letter, FONT))
            for j in range(n):
                weight = rows[i][j] if j <= i else None
                lines.append(
                    f'<rect x="{left + CELL * j}" y="{top + CELL * i}" width="{CELL}" '
                    f'height="{CELL}" fill="{_colour(weight)}" stroke="#ffffff"/>'
                )
                if weight is not None:
                    ink = "#ffffff" if weight > 0.6 else "#111111"
                    x = left + CELL * j + CELL / 2
                    lines.append(_text(x, middle, f"{weight:.2f}", SMALL, ink))
    down = height - MARGIN / 2 + 4
    lines.append(_text(width / 2, down, "key: attention to this token", FONT))
    turn = f' transform="rotate(-90 22 {height / 2:.1f})"'
    lines.append(_text(22, height / 2, "query: attention of this token", FONT, more=turn))
    return "\n".join([*lines, "</g>", "</svg>\n"])


def _colour(weight: float | None) -> str:
    """Return the colour of a weight; None stands for a masked one."""
    if weight is None:
        return "#d3d3d3"
    return "#" + "".join(f"{round(255 + (c - 255) * weight):02x}" for c in DARKEST)


def _text(x: float, y: float, text: str, size: int, ink: str = "#111111", more: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text {place} font-size="{size}" fill="{ink}"{more}>{escape(text)}</text>'


def main(directory: Path) -> None:
    """Write the pictures to a directory."""
    names = computed(EXAMPLES / "gpt.ipynb")
    heads = [[[x.data for x in row] for row in rows] for rows in names["attention"]]
    pictures = {
        "gpt-attention.svg": attention_picture(heads, names["letters"]),
        "gpt-head.svg": mg.draw(names["mixed"], engine="builtin").to_svg(),
    }
    for name, picture in pictures.items():
        (directory / name).write_text(picture, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else STATIC)
