"""Pictures of boxes and edges as text: SVG, the language of Graphviz, and that of Mermaid."""

import re
from collections.abc import Iterator
from html import escape
from typing import NamedTuple
from unicodedata import east_asian_width

from microgradlib import layout
from microgradlib.layout import UNGROUPED, Piece, Rectangle


class Box(NamedTuple):
    """A node of the picture.

    Attributes:
        kind: a key of ``COLOURS``.
        title: one line.
        lines: more lines.
        note: what a pointer over the box shows.
        group: the number of its group, or ``UNGROUPED``.
    """

    kind: str
    title: str
    lines: tuple[str, ...]
    note: str
    group: int = UNGROUPED


class Edge(NamedTuple):
    """An arrow between two boxes, by their numbers; the source has the lower one.

    It is dashed if no gradient flows back along it.
    """

    source: int
    target: int
    text: str
    flows: bool = True


class Picture(NamedTuple):
    """What is to be drawn: boxes, edges, the titles of groups, and a caption or ""."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    groups: tuple[str, ...]
    caption: str


# Fill and border. The hues are those of Okabe and Ito, "Color Universal Design" (2008), which
# colour-blind people can tell apart, paler and darker; forms and words tell the same.
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
_ADVANCE = 0.61  # of a character of a monospaced font, for a size of 1
_FIRST, _NEXT, _INDENT = 24.0, 15.0, 8.0  # in a box: the first line, each one more, and the left


def clean(text: str, longest: int = 400) -> str:
    r"""Return text as one line that can be shown: without control characters, and not too long.

    >>> clean("a\n<b>\x00" + 90 * "c", 10)
    'a <b>�ccc…'
    """
    shown = [
        c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text[: longest + 1]
    ]
    return "".join(shown) if len(shown) <= longest else "".join(shown[: longest - 1]) + "…"


def svg(picture: Picture) -> str:
    """Return a picture as SVG, arranged by our own layout."""
    edges = [layout.Edge(s, t, 14.0 + _width(text, _LABEL)) for s, t, text, _ in picture.edges]
    groups = [box.group for box in picture.boxes]
    plan = layout.arrange([(_box_width(b), _box_height(b)) for b in picture.boxes], edges, groups)
    head = 24.0 if picture.caption else 0.0
    width = max(plan.width, 24.0 + _width(picture.caption, _TITLE))
    height = plan.height + head
    size = f'width="{width:.0f}" height="{height:.0f}"'
    view = f'viewBox="0 {-head:.0f} {width:.0f} {height:.0f}"'
    style = f"max-width:100%;min-width:{0.8 * width:.0f}px;height:auto"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} style="{style}" role="img">',
        f'<g font-family="{_FONT}">',
        f'<rect y="{-head:.0f}" width="100%" height="100%" rx="6" fill="#ffffff"/>',
    ]
    if head:
        lines.append(_text(12.0, -6.0, picture.caption, _TITLE, _INK))
    for group, place in plan.frames:
        lines += _svg_frame(picture.groups[group], place)
    lines.append(f'<g fill="none" stroke="{_LINE}">')
    lines += [f'<path d="{_path(trunk)}"/>' for trunk in plan.trunks]
    lines.append("</g>")
    lines += map(_svg_edge, picture.edges, plan.ends)
    for box, place in zip(picture.boxes, plan.boxes, strict=True):
        lines += _svg_box(box, place)
    return "\n".join([*lines, "</g>", "</svg>\n"])


def _svg_frame(title: str, place: Rectangle) -> Iterator[str]:
    x, y, w, h = place
    yield (
        f'<g class="frame"><rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" '
        f'rx="6" fill="#fafafa" stroke="#888888" stroke-dasharray="5 3"/>'
    )
    yield _text(x + _INDENT, y + 15.0, title, _TEXT, _LINE) + "</g>"


def _svg_edge(edge: Edge, end: Piece) -> str:
    x, y = end.end
    dashes = "" if edge.flows else ' stroke-dasharray="3 3"'
    label = _text(x - 8.0, y - 3.0, edge.text, _LABEL, _INK, ' text-anchor="end"')
    return (
        f'<g class="edge" data-source="{edge.source}" data-target="{edge.target}">'
        f'<path d="{_path(end)}" fill="none" stroke="{_LINE}"{dashes}/>'
        f'<path d="M{x:.1f} {y:.1f}l-7 -3.5v7z" fill="{_LINE}"/>{label}</g>'
    )


def _svg_box(box: Box, place: Rectangle) -> Iterator[str]:
    x, y, w, h = place
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
    lines = [_width(line, _TEXT) for line in box.lines]
    return 2.0 * _INDENT + max([_width(box.title, _TITLE), *lines])


def _box_height(box: Box) -> float:
    return _FIRST + _NEXT * len(box.lines)


def _width(text: str, size: float) -> float:
    """Return the width of a line: that of two characters for each of East Asia."""
    return size * _ADVANCE * sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _text(x: float, y: float, text: str, size: int, ink: str, more: str = "") -> str:
    if not text.isascii():  # another font might come in
        more += f' textLength="{_width(text, size):.1f}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{ink}"{more} '
        f'xml:space="preserve">{escape(text)}</text>'
    )


def _path(piece: Piece) -> str:
    (x0, y0), (x1, y1), (x2, _) = piece
    middle = (x0 + x1) / 2
    return (
        f"M{x0:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}H{x2:.1f}"
    )


def dot(picture: Picture) -> str:
    """Return a picture in the language of Graphviz."""
    lines = [
        "digraph {",
        '  graph [rankdir=LR, bgcolor="white", fontname="monospace", fontsize=11]',
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
            lines.append(
                f'{indent}n{i} [label={label}, tooltip={_quoted(box.note)}, style="{style}", '
                f'fillcolor="{fill}", color="{border}"]'
            )
        if group != UNGROUPED:
            lines.append("  }")
    for edge in picture.edges:
        style = "" if edge.flows else ", style=dashed"
        lines.append(f"  n{edge.source} -> n{edge.target} [label={_quoted(edge.text)}{style}]")
    return "\n".join([*lines, "}\n"])


def _quoted(*lines: str) -> str:
    r"""Return lines as one string of DOT, where "\" escapes and "&" begins an entity."""
    text = "\n".join(lines).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("\n", "\\n") + '"'


def _by_group(picture: Picture) -> Iterator[tuple[int, str, list[int]]]:
    """Yield each group, UNGROUPED last, with the indentation and the numbers of its boxes."""
    for group in (*range(len(picture.groups)), UNGROUPED):
        members = [i for i, box in enumerate(picture.boxes) if box.group == group]
        yield group, "  " if group == UNGROUPED else "    ", members


def mermaid(picture: Picture) -> str:
    """Return a picture in the language of Mermaid, which by default draws at most 500 edges."""
    lines = ["flowchart LR"]
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
    """Return text with a code for what Mermaid, Markdown or HTML might take for their own."""
    return re.sub(
        r"[^A-Za-z0-9 .,=-]|\.(?!\w)|-(?!\d)|^ ", lambda found: f"#{ord(found[0])};", text
    )


def graphviz(source: str, timeout: float = 20.0) -> str:
    """Return the SVG that Graphviz makes of a picture in its language.

    Raises:
        RuntimeError: if it is not installed, fails, or takes longer than ``timeout`` seconds.
    """
    import shutil  # here, because they are slow to import
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
    _, start, rest = result.stdout.partition(b"<svg")  # before it, what only files need
    if not start:
        raise RuntimeError("Graphviz failed: it printed no SVG")
    return (start + rest).decode()
