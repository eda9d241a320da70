"""Pictures of boxes and edges as text: SVG, DOT (Graphviz's language), and Mermaid."""

import re
from collections import Counter
from collections.abc import Iterator
from html import escape
from typing import NamedTuple
from unicodedata import east_asian_width

from microgradlib.drawing import layout
from microgradlib.drawing.layering import UNGROUPED, assign_columns
from microgradlib.drawing.layout import Piece, Rectangle
from microgradlib.drawing.text import LONGEST_NUMBER


class Box(NamedTuple):
    """A box of a picture.

    Attributes:
        kind: "leaf", "parameter", "operation", "result" or "summary".
        title: the first line, in bold.
        lines: the other lines.
        note: what a pointer over the box shows.
        group: the number of its group, or -1 for none.
    """

    kind: str
    title: str
    lines: tuple[str, ...]
    note: str
    group: int = UNGROUPED


class Edge(NamedTuple):
    """An arrow from one box to a later one.

    Attributes:
        source: the number of the box at its start.
        target: the number of the box at its end, which is higher.
        text: the label.
        flows: whether a gradient flows back along it; if not, it is dashed.
    """

    source: int
    target: int
    text: str
    flows: bool = True


class Picture(NamedTuple):
    """What is to be drawn.

    Attributes:
        boxes: the boxes.
        edges: the arrows between them.
        groups: the titles of groups.
        caption: what stands above, or "".
        direction: "right" or "down", or None for that which suits.
    """

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    groups: tuple[str, ...]
    caption: str
    direction: str | None = None


# The fill and border of each kind of box: paler and darker hues of Okabe and Ito, "Color Universal
# Design" (2008), which colour-blind people can tell apart. No information is in the colour alone.
COLOURS = {
    "leaf": ("#d9ecf8", "#0072b2"),
    "parameter": ("#fcefd0", "#a06a00"),
    "operation": ("#f2f2f2", "#555555"),
    "result": ("#d6efe6", "#00775a"),
    "summary": ("#f7e6f0", "#a3507a"),
}
_INK, _ALARM, _LINE = "#111111", "#b33c00", "#555555"
_ROUND = ("leaf", "parameter")
_FONT = "DejaVu Sans Mono, Menlo, Consolas, Liberation Mono, monospace"
_TITLE, _TEXT, _LABEL = 12, 11, 10  # sizes of fonts, in pixels
_ADVANCE = 0.61  # the width of a monospaced character, for a font of size 1
_FIRST, _NEXT, _INDENT = 24.0, 15.0, 8.0  # heights of the first and other lines; left margin

_STRIP = 6  # columns of boxes, at least
_NUMBER = re.compile(r"(?<![\w.,])(-?(\d+(\.\d+)?(e[+-]\d+)?|inf)|nan|none)(?![\w.,])")
_BAD = re.compile(r"not finite: [\d,]+")
_EXTENT = f"{LONGEST_NUMBER} to {LONGEST_NUMBER}"  # which stands there if all are finite

# For browsers alone, where a page may be narrower: other programs read that as no height at all.
_KEEP_RATIO = "<style>@media screen{.microgradlib{height:auto}}</style>"


def goes_down(picture: Picture) -> bool:
    """Return whether a picture is drawn from top to bottom, as one that would be a strip is."""
    if picture.direction:
        return picture.direction == "down"
    ends = [(edge.source, edge.target) for edge in picture.edges]
    columns = Counter(assign_columns(ends, [box.group for box in picture.boxes])[0])
    return len(columns) >= _STRIP and len(columns) > 2 * max(columns.values())


def svg(picture: Picture) -> str:
    """Return a picture as SVG, arranged by ``layout.arrange``."""
    down = goes_down(picture)
    sizes = [_turned((_box_width(box), _box_height(box)), down) for box in picture.boxes]
    labels = [(8.0 + _room(edge.text, _LABEL), layout.PORT) for edge in picture.edges]
    edges = [
        layout.Edge(edge.source, edge.target, 6.0 + label[down])
        for edge, label in zip(picture.edges, labels, strict=True)
    ]
    spacing = max([label[not down] for label in labels], default=0.0)
    plan = layout.arrange(sizes, edges, [box.group for box in picture.boxes], spacing)
    head = 24.0 if picture.caption else 0.0
    width, height = _turned((plan.width, plan.height), down)
    width = max(width, 24.0 + _width(picture.caption, _TITLE))
    height += head
    size = f'width="{width:.0f}" height="{height:.0f}"'
    view = f'viewBox="0 {-head:.0f} {width:.0f} {height:.0f}"'
    style = f'style="max-width:100%;min-width:{0.8 * width:.0f}px" class="microgradlib"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} {style} role="img">',
        _KEEP_RATIO,
        f'<g font-family="{_FONT}">',
        f'<rect y="{-head:.0f}" width="100%" height="100%" rx="6" fill="#ffffff"/>',
    ]
    if head:
        lines.append(_text(12.0, -6.0, picture.caption, _TITLE, _INK))
    for group, place in plan.frames:
        lines += _svg_frame(picture.groups[group], place, down)
    lines.append(f'<g fill="none" stroke="{_LINE}">')
    lines += [f'<path d="{_path(trunk, down)}"/>' for trunk in plan.trunks]
    lines.append("</g>")
    for edge, end in zip(picture.edges, plan.ends, strict=True):
        lines.append(_svg_edge(edge, end, down))
    for box, place in zip(picture.boxes, plan.boxes, strict=True):
        lines += _svg_box(box, place, down)
    return "\n".join([*lines, "</g>", "</svg>\n"])


def _turned(point: tuple[float, float], down: bool) -> tuple[float, float]:
    """Return a point of a layout, which goes from left to right, or a size, as it is drawn."""
    x, y = point
    return (y, x) if down else (x, y)


def _svg_frame(title: str, place: Rectangle, down: bool) -> Iterator[str]:
    x, y, w, h = *_turned(place[:2], down), *_turned(place[2:], down)
    yield (
        f'<g class="frame"><rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" '
        f'rx="6" fill="#fafafa" stroke="#888888" stroke-dasharray="5 3"/>'
    )
    x, y = x + _INDENT, y + (_INDENT if down else 15.0)
    turn = f' transform="rotate(90 {x:.1f} {y:.1f})"' if down else ""  # edges cross the top
    yield _text(x, y, title, _TEXT, _LINE, turn) + "</g>"


def _svg_edge(edge: Edge, end: Piece, down: bool) -> str:
    x, y = _turned(end.end, down)
    dashes = "" if edge.flows else ' stroke-dasharray="3 3"'
    if down:
        head, label = "l-3.5 -7h7z", _text(x + 4.0, y - 9.0, edge.text, _LABEL, _INK)
    else:
        head = "l-7 -3.5v7z"
        label = _text(x - 8.0, y - 3.0, edge.text, _LABEL, _INK, ' text-anchor="end"')
    return (
        f'<g class="edge" data-source="{edge.source}" data-target="{edge.target}">'
        f'<path d="{_path(end, down)}" fill="none" stroke="{_LINE}"{dashes}/>'
        f'<path d="M{x:.1f} {y:.1f}{head}" fill="{_LINE}"/>{label}</g>'
    )


def _svg_box(box: Box, place: Rectangle, down: bool) -> Iterator[str]:
    x, y, w, h = *_turned(place[:2], down), *_turned(place[2:], down)
    fill, border = COLOURS[box.kind]
    radius = 9 if box.kind in _ROUND else 1
    stroke = 2.5 if box.kind == "result" else 1.2
    yield (
        f'<g class="box"><title>{escape(box.note)}</title><rect x="{x:.1f}" y="{y:.1f}" '
        f'width="{w:.1f}" height="{h:.1f}" rx="{radius}" fill="{fill}" stroke="{border}" '
        f'stroke-width="{stroke}"/>'
    )
    baseline = y + (h - _box_height(box)) / 2 + 16.0
    yield _text(x + _INDENT, baseline, box.title, _TITLE, _INK, ' font-weight="bold"')
    for line in box.lines:
        baseline += _NEXT
        ink = _ALARM if re.search(r"\b(inf|nan|not finite)\b", line) else _INK
        yield _text(x + _INDENT, baseline, line, _TEXT, ink)
    yield "</g>"


def _box_width(box: Box) -> float:
    lines = [_room(line, _TEXT) for line in box.lines]
    return 2.0 * _INDENT + max([_room(box.title, _TITLE), *lines])


def _box_height(box: Box) -> float:
    return _FIRST + _NEXT * len(box.lines)


def _room(text: str, size: float) -> float:
    """Return the width of a line if its numbers were the longest.

    So a graph is drawn in one size, whatever its numbers are.
    """
    return _width(_NUMBER.sub(LONGEST_NUMBER, _BAD.sub(_EXTENT, text)), size)


def _width(text: str, size: float) -> float:
    """Return the width of a line; a wide East Asian character counts as two."""
    return size * _ADVANCE * sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _text(x: float, y: float, text: str, size: int, ink: str, more: str = "") -> str:
    if not text.isascii():  # a font of other widths may stand in
        more += f' textLength="{_width(text, size):.1f}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{ink}"{more} '
        f'xml:space="preserve">{escape(text)}</text>'
    )


def _path(piece: Piece, down: bool) -> str:
    (x0, y0), (x1, y1), (x2, _) = piece
    middle = (x0 + x1) / 2
    points = [(x0, y0), (middle, y0), (middle, y1), (x1, y1), (x2, y1)]
    return "M{} C{} {} {} L{}".format(
        *["{:.1f} {:.1f}".format(*_turned(point, down)) for point in points]
    )


def dot(picture: Picture) -> str:
    """Return a picture in DOT, the language of Graphviz."""
    direction = _direction(picture)
    lines = [
        "digraph {",
        f'  graph [rankdir={direction}, bgcolor="white", fontname="monospace", fontsize=11]',
        '  node [shape=box, fontname="monospace", fontsize=11]',
        f'  edge [fontname="monospace", fontsize=9, color="{_LINE}"]',
    ]
    if picture.caption:
        lines.append(f"  label={_quoted(picture.caption)}; labelloc=t")
    for group, indent, members in _by_group(picture):
        if group != UNGROUPED:
            lines.append(f"  subgraph cluster{group} {{")
            lines.append(f"    label={_quoted(picture.groups[group])}; style=dashed")
        for i in members:
            box = picture.boxes[i]
            fill, border = COLOURS[box.kind]
            style = "rounded,filled" if box.kind in _ROUND else "filled"
            label = _quoted(box.title, *box.lines)
            width = 1.05 * _box_width(box) / 72  # in inches; its fonts are a little wider
            lines.append(
                f'{indent}n{i} [label={label}, tooltip={_quoted(box.note)}, style="{style}", '
                f'fillcolor="{fill}", color="{border}", width="{width:.2f}"]'
            )
        if group != UNGROUPED:
            lines.append("  }")
    for edge in picture.edges:
        style = "" if edge.flows else ", style=dashed"
        label = edge.text.center(len(LONGEST_NUMBER), "\u00a0")
        lines.append(f"  n{edge.source} -> n{edge.target} [label={_quoted(label)}{style}]")
    return "\n".join([*lines, "}\n"])


def _direction(picture: Picture) -> str:
    return "TB" if goes_down(picture) else "LR"


def _quoted(*lines: str) -> str:
    r"""Return lines as one string of DOT, in which "\" escapes and "&" begins an entity."""
    text = "\n".join(lines).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("\n", "\\n") + '"'


def _by_group(picture: Picture) -> Iterator[tuple[int, str, list[int]]]:
    """Yield each group, UNGROUPED last, with the indentation and the numbers of its boxes."""
    for group in (*range(len(picture.groups)), UNGROUPED):
        members = [i for i, box in enumerate(picture.boxes) if box.group == group]
        yield group, "  " if group == UNGROUPED else "    ", members


def mermaid(picture: Picture) -> str:
    """Return a picture in the language of Mermaid."""
    lines = [f"flowchart {_direction(picture)}"]
    if picture.caption:
        lines.append(f"  %% {picture.caption}")
    for group, indent, members in _by_group(picture):
        if group != UNGROUPED:
            lines.append(f'  subgraph g{group} ["{_coded(picture.groups[group])}"]')
        for i in members:
            box = picture.boxes[i]
            label = "<br>".join(map(_coded, (box.title, *box.lines)))
            left, right = ("([", "])") if box.kind in _ROUND else ("[", "]")
            lines.append(f'{indent}n{i}{left}"{label}"{right}:::{box.kind}')
        if group != UNGROUPED:
            lines.append("  end")
    for edge in picture.edges:
        arrow = "-->" if edge.flows else "-.->"
        lines.append(f'  n{edge.source} {arrow}|"{_coded(edge.text)}"| n{edge.target}')
    for kind in sorted({box.kind for box in picture.boxes}):
        fill, border = COLOURS[kind]
        lines.append(f"  classDef {kind} fill:{fill},stroke:{border},color:{_INK}")
    return "\n".join(lines) + "\n"


def _coded(text: str) -> str:
    """Return text with a code for each character that could be Mermaid, Markdown or HTML."""
    return re.sub(
        r"[^A-Za-z0-9 .,=-]|\.(?!\w)|-(?!\d)|^ ", lambda found: f"#{ord(found[0])};", text
    )


def graphviz(source: str, timeout: float = 20.0) -> str:
    """Return the SVG that Graphviz makes of DOT.

    Raises:
        RuntimeError: if Graphviz is not installed, fails, or takes longer than ``timeout`` seconds.
    """
    import shutil  # here, since they are slow to import
    import subprocess

    program = shutil.which("dot")
    if not program:
        raise RuntimeError("Graphviz's program dot is not on the PATH")
    try:
        result = subprocess.run(
            [program, "-Tsvg"],
            input=source.encode(),
            capture_output=True,
            timeout=timeout,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RuntimeError(f"Graphviz failed: {error}") from None
    _, start, rest = result.stdout.partition(b"<svg")  # without the XML prologue
    if not start:
        raise RuntimeError("Graphviz failed: it printed no SVG")
    return (start + rest).decode()
