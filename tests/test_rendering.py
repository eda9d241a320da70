"""Pictures as text: well-formed whatever the labels say, and what other programs can read."""

import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest
from drawings.generate import FORMATS, stored
from hypothesis import given
from hypothesis import strategies as st

from microgradlib import rendering
from microgradlib.layout import UNGROUPED
from microgradlib.rendering import COLOURS, Box, Edge, Picture, clean, dot, mermaid, svg

SVG = "{http://www.w3.org/2000/svg}"
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
        f"{SVG}{t}" for t in ("svg", "g", "rect", "path", "text", "title")
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
        "flowchart LR",
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
    for label in ("1. list", "- list", "    code", "---"):
        coded = rendering._coded(label)
        assert not re.match(r"\d+\. |- |    |---", coded)
    assert rendering._coded("data -0.5, x1") == "data -0.5, x1"


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


def test_numbers_that_are_not_finite_stand_out() -> None:
    lines = ("data inf", "grad nan", "data not finite: 3", "data 1", "information", "-inf")
    source = svg(Picture((Box("leaf", "x", lines, "x"),), (), (), ""))
    fills = {x.text: x.get("fill") for x in ElementTree.fromstring(source).iter(f"{SVG}text")}
    alarming = [text for text, fill in fills.items() if fill == rendering._ALARM]
    assert alarming == ["data inf", "grad nan", "data not finite: 3", "-inf"]


def luminance(colour: str) -> float:
    """Relative luminance as in the Web Content Accessibility Guidelines 2.1."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("kind", COLOURS)
def test_text_and_borders_have_contrast(kind: str) -> None:
    fill, border = COLOURS[kind]
    for ink, least in ((rendering._INK, 7.0), (rendering._ALARM, 4.5), (border, 3.0)):
        assert (luminance(fill) + 0.05) / (luminance(ink) + 0.05) >= least


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


DOT = shutil.which("dot")


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
