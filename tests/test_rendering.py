"""Pictures as text: well-formed whatever the labels say, and what other programs can read."""

import os
import re
import shutil
import subprocess
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from drawings.generate import FORMATS, stored
from hypothesis import given
from hypothesis import strategies as st

from microgradlib.drawing import rendering
from microgradlib.drawing.layering import UNGROUPED
from microgradlib.drawing.rendering import COLOURS, Box, Edge, Picture, dot, mermaid, svg
from microgradlib.drawing.text import clean

SVG = "{http://www.w3.org/2000/svg}"
DOT = shutil.which("dot")
HOSTILE = [
    "</svg><script>alert(1)</script>",
    "</title><script>",
    'a"b',
    "a\\",
    'a\\"; b',
    "&lt; &amp; &#60;",
    "a\nb\r\nc\td",
    "--> <!-- -->",
    "]]>",
    '"] --> n0["',
    "end",
    "}",
    "%% comment",
    "`**markdown**`",
    "1. list",
    "- list",
    "#quot;",
    "{x} | <y>",
    "\x00\x01\x1b\x7f\x9f",
    "\ufffe\uffff",
    "\ud800",
    "\u202ereversed",
    "日本語",
    "\u0430\u0301",
    "   ",
]


def picture(*labels: str, caption: str = "", groups: tuple[str, ...] = ()) -> Picture:
    """Return a picture whose boxes lead to each other, with their labels on the edges, too."""
    kinds = list(COLOURS)
    labels = tuple(clean(label) for label in labels)
    boxes = tuple(
        Box(kinds[i % 5], label, (label, "data 1"), label, i if i < len(groups) else UNGROUPED)
        for i, label in enumerate(labels)
    )
    edges = tuple(Edge(i, i + 1, label, flows=i % 2 == 0) for i, label in enumerate(labels[:-1]))
    return Picture(boxes, edges, tuple(map(clean, groups)), clean(caption))


def texts(source: str) -> list[str]:
    return [x.text or "" for x in ElementTree.fromstring(source).iter(f"{SVG}text")]


labels = st.lists(st.text(max_size=40) | st.sampled_from(HOSTILE), min_size=1, max_size=6)


@pytest.mark.parametrize("name", FORMATS)
def test_formats_as_stored(name: str) -> None:
    render, drawn = FORMATS[name]
    assert render(drawn) == stored(name)


@given(labels)
def test_svg_is_xml_that_shows_the_labels(drawn: list[str]) -> None:
    source = svg(picture(*drawn, caption=drawn[0], groups=(drawn[-1],)))
    source.encode()
    root = ElementTree.fromstring(source)
    assert {x.tag for x in root.iter()} <= {
        f"{SVG}{t}" for t in ("svg", "style", "g", "rect", "path", "text", "title")
    }
    shown = texts(source)
    for label in map(clean, drawn):
        assert shown.count(label) >= 2


@given(labels)
def test_dot_has_a_line_for_everything(drawn: list[str]) -> None:
    string = r'"(?:[^"\\]|\\.)*"'
    options = rf"\[\w+={string}(?:, \w+=(?:{string}|\w+))*\]"
    patterns = [
        "digraph {",
        r"  graph \[.*\]",
        rf"  node \[shape=box, fontname={string}, fontsize=11\]",
        rf"  edge \[fontname={string}, fontsize=9, color={string}\]",
        rf"  label={string}; labelloc=t",
        "  subgraph cluster0 {",
        rf"    label={string}; style=dashed",
        rf"    n0 {options}",
        "  }",
        *[rf"  n{i} {options}" for i in range(1, len(drawn))],
        *[rf"  n{i} -> n{i + 1} {options}" for i in range(len(drawn) - 1)],
        "}",
    ]
    source = dot(picture(*drawn, caption="a" + drawn[0], groups=(drawn[-1],)))
    for line, pattern in zip(source.split("\n"), [*patterns, ""], strict=True):
        assert re.fullmatch(pattern, line)


@given(labels)
def test_strings_of_dot_say_what_was_meant(drawn: list[str]) -> None:
    source = dot(picture(*drawn))
    for i, label in enumerate(map(clean, drawn)):
        (text,) = re.findall(rf'^  n{i} \[label="((?:[^"\\]|\\.)*)", tooltip', source, re.MULTILINE)
        lines = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)
        assert lines.replace("&amp;", "&") == f"{label}\n{label}\ndata 1"


@given(labels)
def test_mermaid_has_a_line_for_everything_and_codes_what_is_special(drawn: list[str]) -> None:
    source = mermaid(picture(*drawn, groups=(drawn[-1],)))
    safe = r"(?:[A-Za-z0-9 .,=-]|#\d+;)*"
    line = rf'"{safe}(?:<br>{safe})*"'
    patterns = [
        "flowchart (?:LR|TB)",
        rf"  subgraph g0 \[{line}\]",
        rf"    n0\(\[{line}\]\):::leaf",
        "  end",
        *[rf"  n{i}(?:\(\[{line}\]\)|\[{line}\]):::\w+" for i in range(1, len(drawn))],
        *[rf"  n{i} (?:-->|-\.->)\|{line}\| n{i + 1}" for i in range(len(drawn) - 1)],
    ]
    lines = source.splitlines()
    for text, pattern in zip(lines, patterns, strict=False):
        assert re.fullmatch(pattern, text)
    assert all(re.match("  classDef ", text) for text in lines[len(patterns) :])
    coded = re.sub(r"#(\d+);", lambda m: chr(int(m[1])), lines[3 - 1])
    assert clean(drawn[0]) in coded


def test_mermaid_does_not_see_markdown() -> None:
    def coded(label: str) -> str:
        return mermaid(Picture((Box("operation", label, (), ""),), (), (), "")).split('"')[1]

    for label in ("1. list", "- list", "    code", "---"):
        assert not re.match(r"\d+\. |- |    |---", coded(label))
    assert coded("data -0.5, x1") == "data -0.5, x1"


@given(st.text())
def test_clean_text_is_printable_and_short(text: str) -> None:
    shown = clean(text, 10)
    assert shown.isprintable()
    assert len(shown) == min(len(text), 10)
    if text.isprintable() and len(text) <= 10:
        assert shown == text
    if len(text) > 10:
        assert shown.endswith("…")


def test_by_default_text_has_400_characters() -> None:
    assert clean("a" * 400) == "a" * 400
    assert clean("a" * 401) == "a" * 399 + "…"


def test_control_characters_are_replaced() -> None:
    assert clean("a\nb\tc\x00d\ud800") == "a b c\ufffdd\ufffd"


def test_text_stays_inside_its_box() -> None:
    for label in ("W" * 28, "日本語" * 9, "x", "a label"):
        source = svg(picture(label, "x"))
        root = ElementTree.fromstring(source)
        for box in root.iter(f"{SVG}g"):
            if box.get("class") == "box":
                rect, *rows = box.iter(f"{SVG}rect"), *box.iter(f"{SVG}text")
                (frame,) = rect
                left, top = float(frame.get("x", "")), float(frame.get("y", ""))
                for row in rows:
                    size = float(row.get("font-size", ""))
                    wide = [unicodedata.east_asian_width(c) in "WF" for c in row.text or ""]
                    width = 0.602 * size * (len(wide) + sum(wide))
                    assert float(row.get("x", "")) - 8.0 == pytest.approx(left)
                    assert 8.0 + width + 8.0 <= float(frame.get("width", "")) + 0.2
                    assert (
                        top + size
                        <= float(row.get("y", ""))
                        <= top + float(frame.get("height", ""))
                    )


def test_text_in_other_alphabets_is_fitted_into_its_room() -> None:
    source = svg(picture("日本", "ab"))
    lengths = {
        x.text: x.get("textLength") for x in ElementTree.fromstring(source).iter(f"{SVG}text")
    }
    assert lengths["ab"] is None
    assert float(lengths["日本"] or 0) > 0


def test_a_caption_widens_the_picture() -> None:
    plain, captioned = picture("x"), picture("x", caption="c" * 100)

    def size(made: Picture) -> list[float]:
        box = ElementTree.fromstring(svg(made)).get("viewBox", "").split()
        return [*map(float, box)]

    assert size(plain)[:2] == [0.0, 0.0]
    assert size(captioned)[1] == -24.0
    assert size(captioned)[2] == round(24.0 + 100 * 12 * 0.61) > size(plain)[2]
    assert size(captioned)[3] == size(plain)[3] + 24.0
    assert "c" * 100 in texts(svg(captioned))
    assert 'label="cccc' in dot(captioned)
    assert "%% cccc" in mermaid(captioned)
    assert "label=" not in dot(plain).split("n0")[0]
    assert "%%" not in mermaid(plain)


def chain(boxes: int, *, beside: int = 0, number: str = "1") -> Picture:
    """Return boxes in a row, each with an edge to the next, and others that lead to the last."""
    made = [Box("operation", f"t{i}", (f"data {number}",), "t") for i in range(boxes + beside)]
    edges = [Edge(i, i + 1, number) for i in range(beside, beside + boxes - 1)]
    last = beside + boxes - 1
    return Picture(tuple(made), (*edges, *[Edge(i, last, number) for i in range(beside)]), (), "")


def size(source: str) -> tuple[float, float]:
    """Return the width and the height of an SVG."""
    *_, width, height = ElementTree.fromstring(source).get("viewBox", "").split()
    return float(width), float(height)


def test_what_would_be_a_strip_goes_down() -> None:
    for made, down in (
        (chain(5), False),
        (chain(6), True),
        (chain(7, beside=2), True),  # one column has three boxes
        (chain(6, beside=2), False),
        (chain(40), True),
    ):
        width, height = size(svg(made))
        assert (height > width) == down
        direction = "TB" if down else "LR"
        assert f"rankdir={direction}" in dot(made)
        assert mermaid(made).startswith(f"flowchart {direction}\n")
        for chosen in ("right", "down"):
            turned = made._replace(direction=chosen)
            assert (svg(turned) == svg(made)) == ((chosen == "down") == down)
            assert ("rankdir=TB" in dot(turned)) == (chosen == "down")


def test_a_picture_that_goes_down_has_everything_in_its_place() -> None:
    made = chain(10, beside=2)._replace(groups=("fc: Layer",))
    boxes = [box._replace(group=0 if 3 < i < 6 else UNGROUPED) for i, box in enumerate(made.boxes)]
    root = ElementTree.fromstring(svg(made._replace(boxes=tuple(boxes))))
    width, height = size(ElementTree.tostring(root, "unicode"))
    places: dict[str, list[tuple[float, ...]]] = {"box": [], "frame": []}
    for group in root.iter(f"{SVG}g"):
        for rect in group.findall(f"{SVG}rect") if group.get("class") in places else []:
            place = [float(rect.get(key, "")) for key in ("x", "y", "width", "height")]
            places[group.get("class", "")].append(tuple(place))
    for x, y, w, h in [*places["box"], *places["frame"]]:
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
    for (_, y, _, h), (_, below, _, _) in pairwise(places["box"][2:]):
        assert y + h + 20 < below
    ((x, y, w, h),) = places["frame"]
    for left, top, wide, high in places["box"][4:6]:
        assert x < left
        assert left + wide < x + w
        assert y < top
        assert top + high < y + h
    heads = [x.get("d", "") for x in root.iter(f"{SVG}path") if "z" in x.get("d", "")]
    assert len(heads) == len(made.edges)
    for edge, head in zip(made.edges, heads, strict=True):
        x, y = map(float, head[1 : head.index("l")].split())
        left, top, wide, _ = places["box"][edge.target]
        assert left < x < left + wide
        assert y == pytest.approx(top)


@pytest.mark.parametrize("boxes", [3, 12])
def test_one_size_whatever_the_numbers_are(boxes: int) -> None:
    sizes = set()
    for number in ("0", "-1.234e-100", "7.5e-05", "none", "nan", "-inf", "0.3333"):
        made = chain(boxes, number=number)
        sizes.add(size(svg(made)))
        if DOT:
            sizes.add(size(rendering.graphviz(dot(made))))
    assert len(sizes) == 1 + bool(DOT)


def test_room_for_the_longest_number_alone() -> None:
    def width(title: str) -> float:
        return size(svg(Picture((Box("leaf", title, (), ""),), (), (), "")))[0]

    assert width("x * 3") == width("x * -1.234e-100")
    assert width("w10") == width("abc")
    assert width("w.0.1") == width("abcde")
    assert width("+ × 1,200") == width("123abcdef")


def inks(source: str) -> dict[str, str]:
    """Return the colour of each text of an SVG."""
    found = ElementTree.fromstring(source).iter(f"{SVG}text")
    return {x.text or "": x.get("fill", "") for x in found}


def test_numbers_that_are_not_finite_stand_out() -> None:
    lines = ("data inf", "grad nan", "data not finite: 3", "data 1", "information", "-inf")
    fills = inks(svg(Picture((Box("leaf", "x", lines, "x"),), (), (), "")))
    alarming = [text for text, fill in fills.items() if fill != fills["x"]]
    assert alarming == ["data inf", "grad nan", "data not finite: 3", "-inf"]


def luminance(colour: str) -> float:
    """Relative luminance as in the Web Content Accessibility Guidelines 2.1."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("kind", COLOURS)
def test_text_and_borders_have_contrast(kind: str) -> None:
    fill, border = COLOURS[kind]
    ink, alarm = inks(svg(Picture((Box(kind, "x", ("inf",), ""),), (), (), ""))).values()
    for dark, least in ((ink, 7.0), (alarm, 4.5), (border, 3.0)):
        assert (luminance(fill) + 0.05) / (luminance(dark) + 0.05) >= least


def program(directory: Path, body: str) -> None:
    """Write a program that stands in for Graphviz's."""
    file = directory / "dot"
    file.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    file.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.skipif(os.name == "nt", reason="scripts are no programs there")
class TestGraphviz:
    def test_is_not_there(self, path: Path) -> None:
        with pytest.raises(RuntimeError, match=r"^Graphviz's program dot is not on the PATH$"):
            rendering.graphviz("digraph {}")

    def test_gets_the_source_and_its_svg_is_returned_without_prologue(self, path: Path) -> None:
        program(path, "print('<?xml?><svg>' + sys.argv[1] + sys.stdin.read() + '<svg/></svg>')")
        assert rendering.graphviz("ä") == "<svg>-Tsvgä<svg/></svg>\n"

    def test_fails(self, path: Path) -> None:
        program(path, "sys.exit(3)")
        with pytest.raises(RuntimeError, match=r"^Graphviz failed: .* exit status 3"):
            rendering.graphviz("digraph {}")

    def test_prints_something_else(self, path: Path) -> None:
        program(path, "print('hello')")
        with pytest.raises(RuntimeError, match=r"^Graphviz failed: it printed no SVG$"):
            rendering.graphviz("digraph {}")

    def test_takes_too_long(self, path: Path) -> None:
        program(path, "time.sleep(5)")
        with pytest.raises(RuntimeError, match=r"^Graphviz failed: .*timed out after 0.1 seconds"):
            rendering.graphviz("digraph {}", timeout=0.1)

    def test_may_take_twenty_seconds(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def run(command: list[str], timeout: float, **_: object) -> None:
            raise subprocess.TimeoutExpired(command, timeout)

        program(path, "")
        monkeypatch.setattr(subprocess, "run", run)
        with pytest.raises(RuntimeError, match=r"timed out after 20.0 seconds$"):
            rendering.graphviz("digraph {}")

    def test_cannot_be_started(self, path: Path) -> None:
        (path / "dot").write_bytes(b"\x7fELF")
        (path / "dot").chmod(0o755)
        with pytest.raises(RuntimeError, match=r"^Graphviz failed: "):
            rendering.graphviz("digraph {}")


@pytest.mark.skipif(DOT is None, reason="needs Graphviz; the grammar above is tested without")
@pytest.mark.parametrize("label", HOSTILE)
def test_graphviz_itself_reads_our_dot(label: str) -> None:
    source = dot(picture(label, "x", caption=label, groups=(label,)))
    shown = "\n".join(texts(rendering.graphviz(source)))
    assert " ".join(clean(label).split()) in " ".join(shown.replace("\xa0", " ").split())


def test_importing_the_library_starts_no_machinery() -> None:
    code = "import sys, microgradlib; print('subprocess' in sys.modules, 'shutil' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert result.stdout == "False False\n"


def test_the_height_of_a_drawing_is_a_number_for_other_programs_than_browsers() -> None:
    """CairoSVG takes ``height:auto`` in the style of the root for 0, but skips media rules."""
    text = svg(Picture((Box("leaf", "x", (), "x"),), (), (), ""))
    root = text[: text.index(">")]
    assert "auto" not in root
    assert root.count(" height=") == 1
    assert "<style>@media screen{.microgradlib{height:auto}}</style>" in text
