"""Drawings as PNG: by CairoSVG where it is installed, else by matplotlib."""

import re
import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

_SCALE = 2  # pixels of the PNG for one of the SVG
_NAMESPACE = re.compile(r"\{.*\}")
_STEP = re.compile(r"([MCLlhvz])([^MCLlhvz]*)")


def png(source: str) -> bytes:
    """Return a PNG of an SVG that ``rendering.svg`` made.

    Raises:
        RuntimeError: if neither CairoSVG nor matplotlib is installed.
    """
    for convert in (_by_cairo, _by_matplotlib):
        try:
            return convert(source)
        except (ImportError, OSError):  # the latter if CairoSVG does not find the library cairo
            pass
    raise RuntimeError(
        "Drawing.save: a PNG needs CairoSVG or matplotlib; run: pip install matplotlib, or save "
        "the drawing as .svg"
    )


def _by_cairo(source: str) -> bytes:
    import cairosvg  # type: ignore[import-untyped,import-not-found,unused-ignore]

    made: bytes = cairosvg.svg2png(bytestring=source.encode(), scale=_SCALE)
    return made


def _by_matplotlib(source: str) -> bytes:
    """Draw what there is in such an SVG: rectangles, paths and lines of text."""
    from matplotlib.figure import Figure

    root = ElementTree.fromstring(source)
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    figure = Figure((width / 72, height / 72), dpi=72 * _SCALE)  # a point is a pixel of the SVG
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left, left + width), ylim=(top + height, top))
    axes.axis("off")
    for i, (tag, a) in enumerate(_elements(root, {})):
        if tag == "text":
            _write(axes, a, i)
        else:
            axes.add_patch(_patch(tag, a, width, height, i))
    file = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that the fonts do not have
        figure.savefig(file, format="png")
    return file.getvalue()


def _elements(node: Any, inherited: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what is visible, with its attributes and those of the groups around it."""
    for child in node:
        tag, attributes = _NAMESPACE.sub("", child.tag), inherited | child.attrib
        if tag == "g":
            yield from _elements(child, attributes)
        elif tag in ("rect", "path", "text"):
            yield tag, attributes | {"content": child.text or ""}


def _patch(tag: str, a: dict[str, str], width: float, height: float, order: int) -> Any:
    from matplotlib.patches import FancyBboxPatch, PathPatch
    from matplotlib.path import Path

    dashes = a.get("stroke-dasharray")
    style: dict[str, Any] = {
        "facecolor": a["fill"],
        "edgecolor": a.get("stroke", "none"),
        "linewidth": float(a.get("stroke-width", 1)),
        "linestyle": (0, tuple(map(float, dashes.split()))) if dashes else "-",
        "zorder": order,
    }
    if tag == "path":
        return PathPatch(Path(*_points(a["d"])), **style)
    x, y = float(a.get("x", 0)), float(a["y"])
    w, h = (width, height) if a["width"] == "100%" else (float(a["width"]), float(a["height"]))
    rounded = f"round,pad=0,rounding_size={a['rx']}"
    return FancyBboxPatch((x, y), w, h, boxstyle=rounded, **style)


def _points(d: str) -> tuple[Sequence[tuple[float, float]], Sequence[int]]:
    """Return the points of a path and matplotlib's codes for them."""
    points: list[tuple[float, float]] = []
    codes: list[int] = []
    for command, text in _STEP.findall(d):
        numbers = [float(number) for number in text.split()]
        x, y = points[-1] if points else (0.0, 0.0)
        if command == "z":
            points.append(points[0])
            codes.append(79)
            continue
        if command == "h":
            numbers = [x + numbers[0], y]
        elif command == "v":
            numbers = [x, y + numbers[0]]
        elif command == "l":
            numbers = [x + numbers[0], y + numbers[1]]
        points += zip(numbers[::2], numbers[1::2], strict=True)
        codes += {"M": [1], "C": [4, 4, 4]}.get(command, [2])
    return points, codes


def _write(axes: Any, a: dict[str, str], order: int) -> None:
    x, y = float(a["x"]), float(a["y"])
    axes.text(
        x,
        y,
        a["content"],
        fontsize=float(a["font-size"]),
        color=a["fill"],
        family=["DejaVu Sans Mono", "DejaVu Sans"],
        weight=a.get("font-weight", "normal"),
        ha="right" if a.get("text-anchor") == "end" else "left",
        va="baseline",
        rotation=-90 if "transform" in a else 0,
        rotation_mode="anchor",
        parse_math=False,
        zorder=order,
    )
