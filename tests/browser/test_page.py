"""The page that trains XOR in the browser, used as a person uses it.

The numbers on the page are compared with those of the same steps in this Python.
"""

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Page, Server, chromium
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select
from train import EXAMPLES, Training

CONTROLS = {
    "run": "Start",
    "step": "Step: one example",
    "epoch": "Step: one epoch",
    "reset": "Reset",
    "rate": "Learning rate",
    "seed": "Seed of the weights",
    "last": "Pause at epoch",
    "speed": "Epochs per frame",
}
MINUS = "\N{MINUS SIGN}"
NUMBERS = """
const values = (selector) =>
  [...document.querySelectorAll(selector)].map((element) => [element.value, element.textContent]);
return [values("#predictions data"), values("#parameters data"), values("#loss:not([value=''])")];
"""


def close(xs: list[float]) -> Any:
    return pytest.approx(xs, rel=1e-12, abs=1e-12)


class XorPage(Page):
    def numbers(self) -> tuple[list[float], list[float]]:
        """All digits of the outputs, and of each parameter and its gradient in turn."""
        outputs, parameters, _ = self.driver.execute_script(NUMBERS)
        return [float(x) for x, _ in outputs], [float(x) for x, _ in parameters]

    def expect(self, training: Training) -> None:
        """The page shows this training, exactly, and rounded."""
        outputs, parameters = self.numbers()
        assert outputs == close(training.outputs())
        assert parameters == close([x for pair in training.parameters().values() for x in pair])
        for value, text in [
            pair for group in self.driver.execute_script(NUMBERS) for pair in group
        ]:
            assert text.replace(MINUS, "-") == f"{float(value):z.4f}"
        shown = [p.text for p in self.driver.find_elements(By.CSS_SELECTOR, "#network .inside")]
        example = (training.steps - 1) % 4 if training.steps else 0
        inputs = [f"{x:.0f}" for x in EXAMPLES[example][0]]
        assert shown == inputs + [f"{x:.4f}" for x in training.neurons(example)]


@pytest.fixture(scope="module")
def loaded(driver: Chrome, server: Server) -> XorPage:
    page = XorPage(driver, server.url)
    page.says("Ready.")
    return page


@pytest.fixture
def page(loaded: XorPage) -> XorPage:
    """The page as it is after loading, which takes seconds and is done once."""
    for name, text in (("rate", "0.1"), ("seed", "42"), ("last", "10000")):
        loaded.type(name, text)
    Select(loaded["speed"]).select_by_visible_text("25")
    loaded.click("reset")
    loaded.says("New weights, not trained yet.")
    loaded.shows("Epoch 0, learning rate 0.1, seed 42")
    return loaded


def trained(epochs: int, seed: int = 42, rate: float = 0.1) -> Training:
    training = Training(seed, rate)
    for _ in range(epochs):
        training.epoch()
    return training


class TestNumbers:
    def test_at_the_start(self, page: XorPage) -> None:
        rows = page.driver.find_elements(By.CSS_SELECTOR, "#predictions tbody tr")
        assert [row.text.split() for row in rows] == [
            ["00", "0", "0.6653"],
            ["01", "1", "0.6683"],
            ["10", "1", "0.6511"],
            ["11", "0", "0.6557"],
        ]
        page.expect(Training(42, 0.1))

    def test_python_is_newer_than_here(self, page: XorPage) -> None:
        version = page["versions"].text.partition("CPython ")[2].split(",")[0]
        print(f"CPython {version}")
        assert tuple(map(int, version.split("."))) >= (3, 14)

    def test_ten_thousand_epochs(self, page: XorPage) -> None:
        Select(page["speed"]).select_by_visible_text("as many as fit")
        page.click("run")
        page.says("Paused. Learnt: every output is within 0.25 of its target.")
        assert page.count == 10_000
        training = trained(10_000)
        page.expect(training)
        assert [f"{x:.4f}" for x in page.numbers()[0]] == ["0.0483", "0.9567", "0.9425", "0.0434"]
        ((loss, _),) = page.driver.execute_script(NUMBERS)[2]
        assert float(loss) == close(training.losses[-1])
        points = page["curve"].find_element(By.CLASS_NAME, "curve").get_attribute("points")
        heights = [float(point.split(",")[1]) for point in points.split()]
        assert 200 < len(heights) <= 401
        assert heights[-1] == max(heights)  # y points down
        assert all(a <= b for a, b in pairwise(heights))
        # The colours at the four points: orange for outputs below 0.5, blue for those above.
        pixels = page.driver.execute_script(
            "return [...document.getElementById('plane').getContext('2d')"
            ".getImageData(0, 0, 40, 40).data];"
        )
        low, high = 6, 33  # where 0 and 1 are, of 40 points from -0.25 to 1.25
        for (a, b), (target,) in EXAMPLES:
            at = 4 * ((low if b else high) * 40 + (high if a else low))
            assert (pixels[at] > pixels[at + 2]) == (target == 0.0)
        half = page["plane-axes"].find_element(By.CLASS_NAME, "half").get_attribute("d")
        assert half.count("M") > 40


class TestControls:
    def test_steps(self, page: XorPage) -> None:
        training = Training(42, 0.1)
        for i in range(1, 4):
            page.click("step")
            page.shows(f"Epoch 0 and {i} of 4 examples")
            training.step()
            page.expect(training)
        assert (
            page["last-step"].text
            == f"Last step: inputs 10, target 1; its loss was {training.loss:.4f}."
        )
        page.click("epoch")  # the rest of it
        page.shows("Epoch 1,")
        training.step()
        page.expect(training)
        page.click("epoch")
        page.shows("Epoch 2,")
        training.epoch()
        page.expect(training)

    def test_start_and_pause(self, page: XorPage) -> None:
        page.click("run")
        page.wait(lambda: page.count > 50)
        assert page["run"].text == "Pause"
        assert not page["step"].is_enabled()
        page.click("run")
        page.says("Paused. Not learnt yet: 00, 01, 10 and 11 are more than 0.25 off target.")
        assert page["run"].text == "Start"
        epochs, before = page.count, page.numbers()
        time.sleep(0.3)
        assert (page.count, page.numbers()) == (epochs, before)
        page.expect(trained(epochs))
        page.click("run")
        page.wait(lambda: page.count > epochs)

    def test_pause_at_an_epoch(self, page: XorPage) -> None:
        page.type("last", "130")
        page.click("run")
        page.says("Paused.")
        assert page.count == 130
        page.expect(trained(130))
        page.click("run")
        page.says("The epoch to pause at is reached: choose a later one, or reset.")
        page.type("last", "131")
        page.click("run")
        page.shows("Epoch 131")
        page.says("Paused.")
        page.expect(trained(131))

    def test_a_rate_acts_at_once(self, page: XorPage) -> None:
        page.click("run")
        page.wait(lambda: page.count > 10)
        page.type("rate", "0")
        page.wait(lambda: "learning rate 0," in page["progress"].text)
        epochs, (outputs, _) = page.count, page.numbers()
        page.wait(lambda: page.count > epochs + 100)
        assert page.numbers()[0] == outputs
        page.type("rate", "0.5")
        page.wait(lambda: page.numbers()[0] != outputs)

    def test_steps_at_another_rate(self, page: XorPage) -> None:
        training = trained(1)
        page.click("epoch")
        page.type("rate", "2")
        page.click("epoch")
        page.shows("Epoch 2, learning rate 2, seed 42")
        training.set_rate(2.0)
        training.epoch()
        page.expect(training)

    def test_a_seed_starts_again(self, page: XorPage) -> None:
        page.click("run")
        page.wait(lambda: page.count > 10)
        page.type("seed", "7")
        page.says("New weights, not trained yet.")
        page.shows("Epoch 0, learning rate 0.1, seed 7")
        page.expect(Training(7, 0.1))
        assert page["loss"].text == "none yet"
        time.sleep(0.2)
        assert page.count == 0
        page.type("last", "20")
        page.click("run")
        page.says("Paused.")
        page.expect(trained(20, seed=7))

    def test_reset(self, page: XorPage) -> None:
        page.type("rate", "0.3")
        page.click("run")
        page.wait(lambda: page.count > 10)
        page.click("reset")
        page.shows("Epoch 0, learning rate 0.3, seed 42")
        page.wait(lambda: page["run"].text == "Start")
        page.expect(Training(42, 0.3))
        page.click("step")
        page.shows("Epoch 0 and 1 of 4")
        training = Training(42, 0.3)
        training.step()
        page.expect(training)

    def test_the_code_is_shown(self, page: XorPage) -> None:
        page.driver.find_element(By.CSS_SELECTOR, ".code summary").click()
        code = (ROOT / "docs" / "browser" / "train.py").read_text("utf-8")
        assert page["code"].text.splitlines() == [line.rstrip() for line in code.splitlines()]


class TestMistakes:
    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("rate", "fast", "Learning rate: “fast” is not a number such as 0.1."),
            ("rate", "0,1", "Learning rate: “0,1” is not a number such as 0.1."),
            ("rate", "-1", "Learning rate: SGD: lr must be finite, >= 0, got -1."),
            ("rate", "1e999", "Learning rate: SGD: lr must be finite, >= 0, got inf."),
            ("seed", "4.2", "Seed of the weights: “4.2” is not a whole number such as 42."),
            (
                "seed",
                str(2**64),
                "Seed of the weights: manual_seed: seed must be in [-2**63, 2**64)",
            ),
            ("last", "0", "Pause at epoch: “0” is not a whole number above 0, such as 10000."),
            ("last", " ", "Pause at epoch: “ ” is not a whole number above 0, such as 10000."),
        ],
    )
    def test_a_bad_setting(self, page: XorPage, name: str, text: str, message: str) -> None:
        page.click("epoch")
        page.shows("Epoch 1,")
        old = page[name].get_attribute("value")
        page.type(name, text)
        page.wait(lambda: page[f"{name}-error"].text.startswith(message))
        assert page[f"{name}-error"].text.endswith(f" Still in force: {old}.")
        assert page[name].get_attribute("aria-invalid") == "true"
        page.expect(trained(1))
        page.click("epoch")
        page.shows("Epoch 2, learning rate 0.1, seed 42")
        page.expect(trained(2))
        page.type(name, old)
        page.wait(lambda: page[f"{name}-error"].text == "")
        assert page[name].get_attribute("aria-invalid") == "false"

    def test_a_rate_that_is_far_too_high(self, page: XorPage) -> None:
        page.type("rate", "1e308")
        page.type("last", "3")
        page.click("run")
        page.says("Paused.")
        training = trained(3, rate=1e308)
        outputs, parameters = page.numbers()
        assert outputs == training.outputs()
        assert parameters == close([x for pair in training.parameters().values() for x in pair])
        assert max(map(abs, parameters)) > 1e300
        assert not page["alert"].is_displayed()


class TestAccess:
    def test_every_control_has_a_name(self, page: XorPage) -> None:
        assert {name: page[name].accessible_name for name in CONTROLS} == CONTROLS
        for kind in ("svg", "section", "form"):
            for element in page.driver.find_elements(By.CSS_SELECTOR, f"#panel-xor {kind}"):
                assert element.accessible_name

    def test_by_keyboard_alone(self, page: XorPage) -> None:
        page.driver.execute_script("document.getElementById('run').focus();")
        focused = []
        for _ in CONTROLS:
            focused.append(page.driver.switch_to.active_element.get_attribute("id"))
            ActionChains(page.driver).send_keys(Keys.TAB).perform()
        assert focused == list(CONTROLS)
        page["step"].send_keys(Keys.SPACE)
        page.shows("Epoch 0 and 1 of 4 examples")
        page["run"].send_keys(Keys.ENTER)
        page.wait(lambda: page.count > 10)
        page.driver.switch_to.active_element.send_keys(Keys.ENTER)
        page.says("Paused.")

    def test_little_motion(self, page: XorPage) -> None:
        page.media(prefers_reduced_motion="reduce")
        try:
            page.driver.execute_script(
                "window.changes = 0; new MutationObserver(() => window.changes++)"
                ".observe(document.getElementById('progress'), {childList: true});"
            )
            page.click("run")
            time.sleep(2.0)
            changes, epochs = page.driver.execute_script("return window.changes"), page.count
        finally:
            page.media()
        assert 1 <= changes <= 5
        assert epochs > 500

    @pytest.mark.parametrize("width", [320, 400, 900, 1400])
    def test_nothing_sticks_out(self, page: XorPage, width: int) -> None:
        page.type("last", "30")
        page.click("run")
        page.says("Paused.")
        assert page.sticking_out(width) == []


def test_the_browser_has_no_complaints(page: XorPage) -> None:
    page.click("epoch")
    page.shows("Epoch 1,")
    assert page.driver.get_log("browser") == []  # of all tests so far


def test_no_request_leaves_the_server(server: Server, tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    first = len(server.requests)
    driver = chromium(tmp_path / "profile", f"--log-net-log={log}")
    try:
        page = XorPage(driver, server.url)
        page.says("Ready.")
        page.type("last", "200")
        page.click("run")
        page.says("Paused.")
        driver.find_element(By.ID, "tab-gpt").click()
        page.wait(lambda: driver.find_element(By.ID, "gpt-status").text == "Ready.")
        driver.find_element(By.ID, "gpt-draw").click()
        page.wait(lambda: driver.find_element(By.ID, "gpt-samples").is_displayed())
        for summary in driver.find_elements(By.TAG_NAME, "summary"):
            driver.execute_script("arguments[0].click()", summary)
    finally:
        driver.quit()  # completes the log
    # The browser's log tells which requests the page, its worker included, has asked for.
    events = [event.get("params", {}) for event in json.loads(log.read_text("utf-8"))["events"]]
    asked = {event["url"] for event in events if event.get("initiator") == server.url}
    assert asked == {f"{server.url}{path}" for path in server.requests[first:] if path != "/"}
    assert {path.rpartition("/")[2] for path in server.requests[first:]} == {
        *("", "style.css", "app.js", "xor.js", "gpt.js", "worker.js", "microgradlib.whl"),
        *("train.py", "learn_names.py", "nanogpt.py", "names.txt"),
        *("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "pyodide-lock.json"),
        "python_stdlib.zip",
    }


class TestFailures:
    """These load the page anew: keep them last."""

    @pytest.mark.parametrize(
        "path",
        [
            "worker.js",
            "train.py",
            "microgradlib.whl",
            "pyodide/pyodide.mjs",
            "pyodide/pyodide.asm.wasm",
        ],
    )
    def test_a_file_is_missing(self, driver: Chrome, server: Server, path: str) -> None:
        server.instead[f"/{path}"] = None
        try:
            page = XorPage(driver, server.url)
            page.wait(lambda: page["alert"].is_displayed())
        finally:
            server.instead.clear()
        assert page["alert"].text.startswith("Python could not be loaded: ")
        assert "Put the page together again with assemble.py" in page["alert"].text
        assert page["status"].text == "Python is not running."
        assert not page["run"].is_enabled()

    def test_opened_as_a_file(self, driver: Chrome, built: Path) -> None:
        page = XorPage(driver, (built / "index.html").as_uri())
        page.wait(lambda: page["alert"].is_displayed())
        assert "Serve its directory instead, with python -m http.server" in page["alert"].text

    def test_python_raises(self, driver: Chrome, server: Server) -> None:
        code = (ROOT / "docs" / "browser" / "train.py").read_text("utf-8")
        line = "loss.backward()"
        assert code.count(line) == 1
        server.instead["/train.py"] = code.replace(line, "raise ValueError('not today')")
        try:
            page = XorPage(driver, server.url)
            page.says("Ready.")
        finally:
            server.instead.clear()
        for button in ("step", "run"):
            page.click(button)
            page.wait(lambda: page["alert"].is_displayed())
            assert page["alert"].text == "not today"
            page.wait(lambda: page["run"].text == "Start")
            assert page["progress"].text.startswith("Epoch 0,")
            page.click("reset")
            page.says("New weights, not trained yet.")
            assert not page["alert"].is_displayed()
