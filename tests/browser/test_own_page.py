"""The page of one's own that docs/in-the-browser.md shows."""

import re
import time
from pathlib import Path

from conftest import ROOT, Server
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

import microgradlib as mg

TEXT = (ROOT / "docs" / "in-the-browser.md").read_text("utf-8")


def test_a_page_of_ones_own(server: Server, driver: Chrome) -> None:
    (page,) = re.findall(r"```html\n(.*?)```", TEXT, re.DOTALL)
    assert len(page.splitlines()) <= 11
    server.instead |= {"/own.html": page, "/favicon.ico": ""}  # which browsers ask for
    driver.get(f"{server.url}/own.html")
    end = time.monotonic() + 60.0
    while (text := driver.find_element(By.ID, "out").text).startswith("Loading"):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert text == "The derivative of x**3 at 2 is 12.0."


def test_the_wheel_has_the_name_that_installers_ask_for(built: Path) -> None:
    (name,) = re.findall(r"https://YOUR.SITE/browser/(\S+\.whl)", TEXT)
    assert name == f"microgradlib-{mg.__version__}-py3-none-any.whl"
    assert (built / name).read_bytes() == (built / "microgradlib.whl").read_bytes()
