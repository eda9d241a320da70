"""The page, put together, served, and open in headless Chromium."""

import functools
import io
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "docs" / "browser"))  # for train.py

SWITCHES = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever else the browser wants to fetch for itself, it finds nobody to ask.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


class Handler(SimpleHTTPRequestHandler):
    """Serves files, apart from those that the server is told to miss or to replace."""

    server: "Server"

    def log_message(self, *args: object) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def send_head(self) -> Any:
        self.server.requests.append(self.path)
        if self.path not in self.server.instead:
            return super().send_head()
        if (text := self.server.instead[self.path]) is None:
            self.send_error(404)
            return None
        self.send_response(200)
        self.end_headers()
        return io.BytesIO(text.encode("utf-8"))


class Server(ThreadingHTTPServer):
    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(directory)))
        self.requests: list[str] = []
        self.instead: dict[str, str | None] = {}  # None: not found
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that assemble.py writes."""
    out = tmp_path_factory.mktemp("page")
    script = ROOT / "docs" / "browser" / "assemble.py"
    done = subprocess.run([sys.executable, script, out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def server(built: Path) -> Iterator[Server]:
    server = Server(built)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def chromium(directory: Path, *switches: str) -> webdriver.Chrome:
    """Start a browser with an empty profile, from programs that are installed already."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    for name, path in programs.items():
        assert path, f"{name} is not installed: apt-get install chromium chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    for switch in (*SWITCHES, f"--user-data-dir={directory}", *switches):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(programs["chromedriver"]))


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    driver = chromium(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()
