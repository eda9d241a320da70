"""The documentation, built as ``.ci/run`` builds it: complete, and without the network."""

import importlib
import os
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import microgradlib as mg

DOCS = Path(__file__).parent.parent / "docs"
MODULES = ["nn", "optim", "optim.lr_scheduler", "parallel", "math", "random", "data", "testing"]

# The hosts that pages may link to. Any other must be added here, and so be thought about.
LINKED = {
    "127.0.0.1",
    "hypothesis.readthedocs.io",
    "keepachangelog.com",
    "pyodide.org",
    "semver.org",
}
# Named in comments and messages of the theme's scripts, or as names of XML: not loaded.
MENTIONED = {
    "developer.mozilla.org",
    "fontawesome.com",
    "pydata-sphinx-theme.readthedocs.io",
    "snowballstem.org",
    "www.w3.org",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the pages, built with every warning an error."""
    for package in ("sphinx", "myst_parser", "pydata_sphinx_theme"):
        pytest.importorskip(package, reason="needs the docs extra")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(out / "tmp")]
    unmeasured = {name: x for name, x in os.environ.items() if not name.startswith("COVERAGE_")}
    command += [str(DOCS), str(out / "html")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=unmeasured)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return out / "html"


def documented(site: Path) -> set[str]:
    """Return the names in the inventory of the site, which is what other sites link to."""
    head, _, rest = (site / "objects.inv").read_bytes().partition(b"using zlib.\n")
    assert head.startswith(b"# Sphinx inventory version 2\n")
    entries = [line.split() for line in zlib.decompress(rest).decode().splitlines()]
    return {name for name, kind, *_ in entries if kind.startswith("py:")}


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    names = documented(site)
    for name in mg.__all__:
        module = getattr(getattr(mg, name), "__module__", "microgradlib")
        room = ".".join(module.split(".")[:2])
        assert names & {f"microgradlib.{name}", f"{room}.{name}"}, name


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_of_a_module_is_in_the_reference(site: Path, module: str) -> None:
    public = importlib.import_module(f"microgradlib.{module}").__all__
    assert {f"microgradlib.{module}.{name}" for name in public} <= documented(site)


def external(url: str) -> bool:
    return bool(re.match(r"\s*(\w+:)?//", url))


class Page(HTMLParser):
    """What a page loads, where it links to, and what it says."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key == "href" and tag in ("a", "area"):
                self.links.append(value or "")
            elif key in ("href", "src", "xlink:href", "data", "poster", "action", "background"):
                self.loads.append(value or "")
            elif key == "srcset":
                self.loads += (value or "").split(",")
            elif key in ("style", "content"):  # of <meta http-equiv="refresh">
                self.loads += re.findall(r"(?i)url\W*?((?:\w+:)?//[^)'\"]*)", value or "")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "style":
            self.loads += loaded_by_css(data)
        elif self.lasttag == "script":
            self.loads += urls(data)
        else:
            self.text += data


def loaded_by_css(text: str) -> list[str]:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    imports = re.findall(r"@import\s+['\"]([^'\"]*)", text)
    return imports + re.findall(r"url\(\s*['\"]?([^'\")]*)", text)


def urls(script: str) -> list[str]:
    return re.findall(r"(?:\bhttps?:|[\"'`])//\w[^\s\"'`)]*", script)


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    files = sorted(site.rglob("*.html"))
    assert len(files) > 30
    for file in files:
        assert not [url for url in Page(file).loads if external(url)], file


def test_style_sheets_load_nothing_from_elsewhere(site: Path) -> None:
    loaded = {url: file for file in site.rglob("*.css") for url in loaded_by_css(file.read_text())}
    assert any(url.endswith(".woff2") for url in loaded)  # the fonts of icons are here
    assert not [(url, file) for url, file in loaded.items() if external(url)]


def test_scripts_load_nothing_from_elsewhere(site: Path) -> None:
    found = {
        urlsplit(url).hostname for file in site.rglob("*.js") for url in urls(file.read_text())
    }
    assert found <= MENTIONED


def test_pages_name_no_hosts_but_those_that_were_thought_about(site: Path) -> None:
    pages = [Page(file) for file in site.rglob("*.html")]
    linked = {urlsplit(url).hostname for page in pages for url in page.links if external(url)}
    assert linked == LINKED
    named = {
        host
        for page in pages
        for host in re.findall(r"\b(?:[\w-]+\.)+(?:org|com|net|io|dev|ai)\b", page.text)
    }
    assert named <= LINKED


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://a.org/x.js"></script>',
        '<script>fetch("//a.org/x")</script>',
        "<script>import('https://a.org/x.js')</script>",
        '<link rel="preconnect" href="https://a.org">',
        '<img srcset="x.png, https://a.org/y.png 2x">',
        "<p style=\"background: url('https://a.org/x.png')\">",
        "<style>@import 'https://a.org/x.css';</style>",
        "<style>p { background: url(//a.org/x.png) }</style>",
        '<svg><use xlink:href="https://a.org/x.svg"></use></svg>',
        '<meta http-equiv="refresh" content="0; url=https://a.org">',
    ],
)
def test_what_is_loaded_from_elsewhere_is_found(tmp_path: Path, tag: str) -> None:
    file = tmp_path / "page.html"
    file.write_text(f'<a href="x.html">x</a>{tag}<img src="here.png">')
    page = Page(file)
    assert page.links == ["x.html"]
    assert any("//a.org" in url for url in page.loads)
