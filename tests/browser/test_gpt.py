"""The tab that trains a GPT on names, and the change of tabs, as a person uses them.

What the page shows is compared with the same steps in this Python.
"""

import re
import time
from collections.abc import Iterator
from functools import cache

import pytest
from conftest import ROOT, Page, Server
from learn_names import CONFIG, NAMES, Training
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By

CONTROLS = {
    "run": "Start",
    "draw": "Draw names",
    "reset": "Reset",
    "rate": "Learning rate",
    "temperature": "Temperature of names",
    "seed": "Seed of the weights",
}
START = {"rate": "0.005", "temperature": "0.5", "seed": "1337"}


class GptPage(Page):
    prefix = "gpt-"

    def samples(self) -> dict[int, list[str]]:
        """Return the names that are shown, by the step after which they were drawn."""
        rows = self.driver.execute_script(
            "return [...document.querySelectorAll('#gpt-samples tbody tr')].map((row) =>"
            "[row.cells[0].textContent, ...[...row.querySelectorAll('span > span')]"
            ".map((name) => name.textContent.replace('(no letter)', ''))]);"
        )
        return {int(step.replace(",", "")): names for step, *names in rows}

    def first_row(self) -> tuple[int, str]:
        """Return how many rows of names there are, and what the first says."""
        count, text = self.driver.execute_script(
            "const { rows } = document.getElementById('gpt-samples').tBodies[0];"
            "return [rows.length, [...rows[0].cells].map((cell) => cell.innerText).join(' ')];"
        )
        return count, text.strip()

    def train(self, steps: int) -> int:
        """Train for some steps at least, and pause; return how many they are in all."""
        self.click("run")
        self.wait(lambda: self.count >= steps)
        self.click("run")
        self.says("Paused.")
        return self.count

    def tab(self, name: str) -> None:
        self.driver.find_element(By.ID, f"tab-{name}").click()

    def shown(self) -> list[str]:
        """Return which tab is shown, in each of the ways to tell it."""
        chosen = self.driver.find_elements(By.CSS_SELECTOR, "[role=tab][aria-selected=true]")
        reached = self.driver.find_elements(By.CSS_SELECTOR, "[role=tab]:not([tabindex='-1'])")
        panels = self.driver.find_elements(By.CSS_SELECTOR, "[role=tabpanel]:not([hidden])")
        address = self.driver.current_url.partition("#")[2] or "xor"
        return [address, *[e.get_attribute("id") or "" for e in (*chosen, *reached, *panels)]]


def ways(name: str) -> list[str]:
    return [name, f"tab-{name}", f"tab-{name}", f"panel-{name}"]


@cache
def compiled() -> Training:
    training = Training(1337, 0.005)
    training.compile()
    return training


def trained(steps: int, seed: int = 1337) -> Training:
    """Return a training like that of the page, which draws names before the first step."""
    training = compiled()
    training.set_temperature(0.5)
    training.restart(seed, 0.005)
    training.draw()
    for _ in range(steps):
        training.step_and_draw()
    return training


@pytest.fixture(scope="module")
def loaded(driver: Chrome, server: Server) -> GptPage:
    """The page, reloaded while the tab of the GPT is shown."""
    page = GptPage(driver, server.url)
    assert page.shown() == ways("xor")
    page.tab("gpt")  # while Python is loading for the other tab
    driver.refresh()
    page.says("Ready.")
    assert page.shown() == ways("gpt")
    return page


@pytest.fixture
def page(loaded: GptPage) -> GptPage:
    for name, text in START.items():
        if loaded[name].get_attribute("value") != text:
            loaded.type(name, text)
    loaded.click("reset")
    loaded.says("New weights, not trained yet.")
    loaded.shows("Step 0, learning rate 0.005, seed 1337")
    loaded.wait(lambda: not loaded.samples())
    return loaded


class TestTraining:
    def test_the_model_is_described(self, page: GptPage) -> None:
        text = page["sizes"].text
        parameters = len(compiled().model.parameters())
        assert f"{parameters:,} parameters, 1 layer, {CONFIG.n_head} heads" in text
        assert f"{CONFIG.block_size} positions" in text
        assert f"It learns from {len(NAMES)} names." in text

    def test_start_and_pause(self, page: GptPage) -> None:
        assert page["none"].text == "None yet: press Start."
        assert page["asked"].text.startswith("No name yet.")
        page.driver.execute_script(  # Start at once after Reset
            "window.said = []; const status = document.getElementById('gpt-status');"
            "new MutationObserver(() => said.push(status.textContent))"
            ".observe(status, { childList: true });"
            "for (const name of ['reset', 'run']) document.getElementById(`gpt-${name}`).click();"
        )
        page.says("Training. The loss and its gradient: ")
        said = page.driver.execute_script("return said")
        assert [text.split()[0] for text in said] == ["Compiling", "Training."]
        assert re.search(r" [\d,]{5,} lines of Python, written in [\d.]+ s\.$", page["status"].text)
        assert page["run"].text == "Pause"
        page.wait(lambda: page.count >= 100)
        page.click("run")
        page.says("Paused.")
        assert page["run"].text == "Start"
        steps = page.count
        time.sleep(0.5)
        assert page.count == steps
        progress = page["progress"].text
        assert re.search(r", \d+ steps a second, learning rate 0.005, seed 1337$", progress)
        training = trained(steps)
        assert page.samples() == dict(training.samples)
        assert list(page.samples()) == [step for step, _ in reversed(training.samples)]
        mean = sum(training.losses[-100:]) / 100
        assert float(page["loss"].get_attribute("value") or "nan") == pytest.approx(mean, rel=1e-9)
        assert page["loss"].text == f"{mean:.4f}"
        curves = page["curve"].find_elements(By.TAG_NAME, "polyline")
        points = [(curve.get_attribute("points") or "").split() for curve in curves]
        assert [len(of_curve) for of_curve in points] == [steps, steps - 99]

    def test_attention(self, page: GptPage) -> None:
        page.click("draw")
        page.wait(lambda: len(page.samples()) == 1)
        name = page.samples()[0][0]
        assert page["asked"].text == f"In “{name}”, after 0 steps."
        heads = page["heads"].find_elements(By.TAG_NAME, "svg")
        assert len(heads) == CONFIG.n_head
        for head, rows in zip(heads, trained(0).attention(name), strict=True):
            letters = ["•", *name]
            shown = [text.text for text in head.find_elements(By.TAG_NAME, "text")]
            assert shown[::2] == shown[1::2] == letters
            cells = page.driver.execute_script(
                "return [...arguments[0].querySelectorAll('title')].map((t) => t.textContent);",
                head,
            )
            assert cells == [
                f"{letters[i]} to {letters[j]}: {share:.2f}"
                for i, row in enumerate(rows)
                for j, share in enumerate(row)
            ]

    def test_a_temperature_acts_on_the_next_names(self, page: GptPage) -> None:
        steps = page.train(10)
        page.type("temperature", "0.1")
        training = trained(steps)
        training.set_temperature(0.1)
        for i in range(7):
            training.draw()
            page.click("draw")
            rows = min(i + 2, 7)  # the newest six, and that before the first step
            newest = " ".join(name or "(no letter)" for name in training.samples[-1][1])
            page.wait(
                lambda rows=rows, newest=newest: page.first_row() == (rows, f"{steps} {newest}")
            )
        assert [*page.samples()] == [steps, 0]

    def test_reset_and_another_seed(self, page: GptPage) -> None:
        page.train(10)
        first = page.samples()
        page.type("seed", "7")
        page.says("New weights, not trained yet.")
        page.shows("Step 0, learning rate 0.005, seed 7")
        assert page.samples() == {}
        assert page["loss"].text == "after 100 steps"
        steps = page.train(10)  # and nothing is compiled once more
        assert page["status"].text == "Paused."
        assert page.samples() == dict(trained(steps, seed=7).samples) != first
        # Reset at once after a change: it is the new seed that counts.
        page.driver.execute_script(
            "const seed = document.getElementById('gpt-seed');"
            "seed.value = '8'; seed.onchange(); document.getElementById('gpt-reset').click();"
        )
        page.shows("Step 0, learning rate 0.005, seed 8")
        steps = page.train(10)
        assert page.samples() == dict(trained(steps, seed=8).samples)

    def test_a_rate_acts_at_once(self, page: GptPage) -> None:
        page.type("rate", "0")
        steps = page.train(10)
        page.click("draw")
        training = trained(0)
        training.draw()
        page.wait(lambda: steps in page.samples())
        assert page.samples()[steps] == training.samples[-1][1]

    def test_a_rate_that_is_far_too_high(self, page: GptPage) -> None:
        page.type("rate", "1000")
        page.train(12)
        points = page["curve"].find_element(By.CLASS_NAME, "each").get_attribute("points") or ""
        heights = [float(point.split(",")[1]) for point in points.split()]
        assert len(heights) == page.count
        assert min(heights) == 10.0  # the upper edge
        labels = [text.text for text in page["curve"].find_elements(By.TAG_NAME, "text")]
        assert labels[:3] == ["0.0", "5.0", "10.0"]

    def test_python_raises(self, page: GptPage) -> None:
        page.type("rate", "1e308")
        page.click("run")
        page.wait(lambda: page["alert"].is_displayed())
        assert page["alert"].text.startswith("AdamW.step: parameter ")
        assert page["alert"].text.endswith("lower lr=1e+308 or clip the gradients")
        page.says("Paused.")
        assert (page.count, page["run"].text) == (0, "Start")
        page.click("reset")
        page.says("New weights, not trained yet.")
        assert not page["alert"].is_displayed()

    def test_the_code_is_shown(self, page: GptPage) -> None:
        page.driver.find_element(By.CSS_SELECTOR, "#panel-gpt .code summary").click()
        for i, file in enumerate(("docs/browser/learn_names.py", "examples/nanogpt.py")):
            code = (ROOT / file).read_text("utf-8")
            assert page[f"code-{i}"].text.splitlines() == [x.rstrip() for x in code.splitlines()]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rate", "fast", "Learning rate: “fast” is not a number such as 0.005."),
        ("rate", "-1", "Learning rate: AdamW: lr must be finite, >= 0, got -1."),
        ("temperature", "hot", "Temperature of names: “hot” is not a number such as 0.5."),
        (
            "temperature",
            "0",
            "Temperature of names: Training: temperature must be from 0.1 to 10, got 0.",
        ),
        ("seed", "4.2", "Seed of the weights: “4.2” is not a whole number such as 1337."),
        ("seed", str(2**64), "Seed of the weights: manual_seed: seed must be in [-2**63, 2**64)"),
    ],
)
def test_a_bad_setting(page: GptPage, name: str, text: str, message: str) -> None:
    page.type(name, text)
    page.wait(lambda: page[f"{name}-error"].text.startswith(message))
    assert page[f"{name}-error"].text.endswith(f" Still in force: {START[name]}.")
    assert page[name].get_attribute("aria-invalid") == "true"
    assert page["progress"].text == "Step 0, learning rate 0.005, seed 1337"
    page.type(name, START[name])
    page.wait(lambda: page[f"{name}-error"].text == "")
    assert page[name].get_attribute("aria-invalid") == "false"


class TestTabs:
    def test_by_mouse(self, page: GptPage) -> None:
        page.driver.execute_script("scrollTo(0, 0)")
        for name in ("xor", "gpt", "xor"):
            page.tab(name)
            page.wait(lambda name=name: page.shown() == ways(name))
            assert page.driver.execute_script("return scrollY") == 0
        assert page.driver.title.startswith("XOR, ")
        page.driver.back()
        page.wait(lambda: page.shown() == ways("gpt"))
        assert page.driver.title.startswith("Names, ")

    def test_by_keyboard(self, page: GptPage) -> None:
        page.driver.find_element(By.ID, "tab-gpt").send_keys(Keys.ARROW_LEFT)
        page.wait(lambda: page.shown() == ways("xor"))
        focused = page.driver.switch_to.active_element
        assert focused.get_attribute("id") == "tab-xor"
        for key, name in [
            (Keys.ARROW_LEFT, "gpt"),
            (Keys.ARROW_RIGHT, "xor"),
            (Keys.END, "gpt"),
            (Keys.HOME, "xor"),
            (Keys.ARROW_RIGHT, "gpt"),
        ]:
            page.driver.switch_to.active_element.send_keys(key)
            page.wait(lambda name=name: page.shown() == ways(name))
        order = []
        for _ in range(1 + len(CONTROLS)):
            order.append(page.driver.switch_to.active_element.get_attribute("id"))
            ActionChains(page.driver).send_keys(Keys.TAB).perform()
        assert order == ["tab-gpt", *[f"gpt-{name}" for name in CONTROLS]]
        assert {name: page[name].accessible_name for name in CONTROLS} == CONTROLS

    def test_an_address_that_no_tab_has(self, page: GptPage) -> None:
        page.driver.execute_script("location.hash = 'nothing'")
        page.wait(lambda: page.shown()[1:] == ways("xor")[1:])
        page.tab("gpt")
        page.wait(lambda: page.shown() == ways("gpt"))

    def test_a_tab_that_is_left_pauses(self, page: GptPage) -> None:
        page.click("run")
        page.wait(lambda: page.count >= 5)
        page.tab("xor")
        xor = Page(page.driver)
        xor.says("Ready.")
        xor.click("run")
        xor.wait(lambda: xor.count > 10)
        page.tab("gpt")
        page.says("Paused.")
        steps = page.count
        time.sleep(0.5)
        assert page.count == steps
        page.tab("xor")
        xor.says("Paused.")
        epochs = xor.count
        time.sleep(0.2)
        assert (xor.count, xor["run"].text) == (epochs, "Start")
        page.tab("gpt")
        assert page["run"].text == "Start"


@pytest.fixture
def calm(page: GptPage) -> Iterator[None]:
    page.media(prefers_reduced_motion="reduce")
    yield
    page.media()


@pytest.mark.usefixtures("calm")
def test_little_motion(page: GptPage) -> None:
    before = page.train(1)
    page.driver.execute_script(
        "window.changes = 0; new MutationObserver(() => window.changes++)"
        ".observe(document.getElementById('gpt-progress'), {childList: true});"
    )
    page.click("run")
    time.sleep(2.0)
    assert 1 <= page.driver.execute_script("return window.changes") <= 5
    assert page.count > before + 5


def test_nothing_sticks_out_or_lacks_a_name(page: GptPage) -> None:
    page.click("draw")  # before the training, names are long
    page.wait(lambda: len(page.samples()) == 1)
    for width in (320, 400, 900, 1400):
        assert page.sticking_out(width) == []
    for kind in ("svg", "section", "form"):
        found = page.driver.find_elements(By.CSS_SELECTOR, f"#panel-gpt {kind}")
        assert found
        assert all(element.accessible_name for element in found)


def test_the_browser_has_no_complaints(page: GptPage) -> None:
    page.train(5)
    assert page.driver.get_log("browser") == []


def test_a_file_is_missing(driver: Chrome, server: Server) -> None:
    """It loads the page anew: keep it last."""
    server.instead["/names.txt"] = None
    try:
        page = GptPage(driver, f"{server.url}/?missing#gpt")
        page.wait(lambda: page["alert"].is_displayed())
    finally:
        server.instead.clear()
    assert page["alert"].text.startswith("Python could not be loaded: names.txt: 404")
    assert page["status"].text == "Python is not running."
    assert not page["run"].is_enabled()
    driver.get_log("browser")  # which has the 404
