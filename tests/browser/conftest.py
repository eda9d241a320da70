"""The page, put together, served, and open in headless Chromium."""

import functools
import io
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

ROOT = Path(__file__).parent.parent.parent
# For train.py and learn_names.py, and for nanogpt.py.
sys.path[:0] = [str(ROOT / "docs" / "browser"), str(ROOT / "examples")]

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


STICKING_OUT = """
const sticks = (inner, outer) => inner.left < outer.left - 1 || inner.right > outer.right + 1
  || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
const box = (element) => element.getBoundingClientRect();
return [...document.querySelectorAll("svg text, button, input, select, table, .plane, a, figure")]
  .filter((e) => e.checkVisibility() && sticks(box(e), box(e.closest("svg, section, form, main"))))
  .map((e) => e.outerHTML);
"""


class Page:
    """What a person can do and see on a tab. The ids of its elements have a prefix."""

    prefix = ""

    def __init__(self, driver: webdriver.Chrome, url: str = "") -> None:
        self.driver = driver
        if url:
            driver.get(url)

    def __getitem__(self, name: str) -> WebElement:
        return self.driver.find_element(By.ID, self.prefix + name)

    def wait(self, condition: Callable[[], bool], seconds: float = 300.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, (self["status"].text, self["alert"].text)
            time.sleep(0.02)

    def says(self, text: str) -> None:
        self.wait(lambda: text in self["status"].text)

    def shows(self, progress: str) -> None:
        self.wait(lambda: self["progress"].text.startswith(progress))

    def click(self, name: str) -> None:
        self[name].click()

    def type(self, name: str, text: str) -> None:
        self[name].clear()
        self[name].send_keys(text, Keys.ENTER)

    @property
    def count(self) -> int:
        """How many steps or epochs are shown."""
        return int(self["progress"].text.replace(",", "").split()[1])

    def media(self, **features: str) -> None:
        """Set what the browser tells of the person's wishes; nothing to set none."""
        wishes = [{"name": f.replace("_", "-"), "value": x} for f, x in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wishes})

    def sticking_out(self, width: int) -> list[str]:
        """Return what is out of its place in a window of this width, which must not scroll."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        try:
            widths = self.driver.execute_script(
                "const { scrollWidth, clientWidth } = document.documentElement;"
                "return [scrollWidth - clientWidth, window.innerWidth];"
            )
            assert widths == [0, width]
            found: list[str] = self.driver.execute_script(STICKING_OUT)
            return found
        finally:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


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
