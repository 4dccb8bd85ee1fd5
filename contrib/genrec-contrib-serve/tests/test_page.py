"""The page, driven in a real browser: what a person does with keys, a mouse or a finger, and then sees.

The browser resolves no name and may reach this machine alone, so all that the page needs is the server's.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.actions.action_builder import ActionBuilder  # noqa: E402
from selenium.webdriver.common.actions.interaction import POINTER_TOUCH  # noqa: E402
from selenium.webdriver.common.actions.pointer_input import PointerInput  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not CHROMIUM or not DRIVER, reason="no browser: install chromium and chromium-driver to drive the page"
)
TOKEN = "a-token-of-some-length"

AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_axe = importlib.util.find_spec("axe_playwright_python")
AXE = next(Path(_axe.origin).parent.rglob("axe.min.js"), None) if _axe and _axe.origin else None

# Contrast by WCAG 2.2 of every visible text against the nearest ground that is painted behind it.
CONTRAST = """
const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const rgba = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = (at) => {
  for (; at; at = at.parentElement) {
    const c = rgba(getComputedStyle(at).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  }
  return [255, 255, 255];
};
const low = [];
for (const at of document.querySelectorAll("body, body *")) {
  const own = [...at.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || at.value;
  if (!own || !at.checkVisibility()) continue;
  const [a, b] = [light(rgba(getComputedStyle(at).color)), light(ground(at))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) low.push([at.tagName, at.textContent.slice(0, 30), ratio]);
}
return low;
"""
HEIGHTS = """
return [...document.querySelectorAll("input, textarea, select, button, a, summary")]
  .filter((at) => at.checkVisibility()).map((at) => [at.tagName, at.getBoundingClientRect().height, at.id]);
"""
TEXTS = """
return [...document.querySelectorAll(arguments[0])].filter((at) => at.checkVisibility())
  .map((at) => at.innerText.trim());
"""
STRANGERS = """
return performance.getEntriesByType("resource").map((one) => one.name)
  .filter((name) => !name.startsWith(location.origin));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
        "--window-size=1280,900",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    one = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield one
    one.quit()


class Page:
    """What a person does."""

    def __init__(self, browser, server):
        self.browser, self.server = browser, server

    def open(self, path="/"):
        self.browser.get(f"http://127.0.0.1:{self.server.port}{path}")
        return self

    def one(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        """Visible texts, all at one moment: the page may replace elements at the next."""
        return self.browser.execute_script(TEXTS, selector)

    def until(self, holds):
        """Wait until something holds; elements that were replaced meanwhile are looked up again."""
        waiting = WebDriverWait(self.browser, 20, 0.05, [StaleElementReferenceException])
        return waiting.until(lambda _: holds())

    def type(self, *keys):
        """Keys into whatever has the focus."""
        ActionChains(self.browser).send_keys(*keys).perform()

    def focused(self):
        return self.browser.switch_to.active_element

    def offered(self):
        self.until(lambda: self.texts("#found li"))
        return self.texts("#found li")

    def answer(self):
        """Titles of what was recommended, once it is there."""
        self.until(lambda: "ms in all" in self.one("#status").text or self.one("#problem").text)
        assert self.one("#problem").text == ""
        return self.texts("#items .title")

    def touch(self, element):
        """A finger on an element."""
        finger = PointerInput(POINTER_TOUCH, "finger")
        builder = ActionBuilder(self.browser, mouse=finger)
        builder.pointer_action.move_to(element).pointer_down().pointer_up()
        builder.perform()

    def emulate(self, width, height, scheme):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


@pytest.fixture
def page(browser, server):
    return Page(browser, server).open()


def expected(server, history, **more):
    body = {"history": history, "explain": True, **more}
    return server.ask("POST", "/recommend", body).body


def test_items_are_found_picked_and_recommended_by_keys_alone(page, server):
    page.until(lambda: "240 items" in page.one("#served").text)
    page.type(Keys.TAB)
    assert page.focused().get_attribute("id") == "find"
    page.type("pocket metronome")
    page.until(lambda: all("pocket metronome" in text.lower() for text in page.offered()))
    offered = page.offered()
    page.until(lambda: page.one("#find").get_attribute("aria-expanded") == "true")
    page.type(Keys.ARROW_DOWN)
    assert page.one("#found-0").get_attribute("aria-selected") == "true"
    assert page.one("#find").get_attribute("aria-activedescendant") == "found-0"
    page.type(Keys.ENTER)
    assert page.texts("#history li > span > span") == [offered[0].rpartition(" (")[0]]
    assert page.one("#find").get_attribute("value") == ""
    page.type("i012")
    page.until(lambda: [text.partition(" (")[2] for text in page.texts("#found li")] == ["i012)"])
    page.type(Keys.ARROW_UP, Keys.ARROW_DOWN, Keys.ENTER)
    page.until(lambda: len(page.all("#history li")) == 2)
    first = offered[0].rpartition("(")[2].rstrip(")")

    page.type(Keys.TAB)
    assert page.focused().accessible_name == f"Remove {page.texts('#history li > span > span')[0]}"
    page.type(Keys.TAB, Keys.TAB)
    assert page.focused().get_attribute("id") == "wish"
    page.type("something quiet", Keys.TAB, Keys.TAB)
    assert page.focused().get_attribute("id") == "go"
    page.type(Keys.ENTER)
    answer = expected(server, [first, "i012"], message="something quiet")
    assert page.answer() == [one["title"] for one in answer["items"]]
    assert page.texts("#items > li > code") == [one["identifier"] for one in answer["items"]]
    assert "10 items by the model" in page.one("#status").text
    assert "ms of the model for a batch of" in page.one("#status").text


def test_a_finger_picks_removes_and_asks(browser, server):
    page = Page(browser, server)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    page.emulate(360, 740, "light")
    try:
        page.open()
        page.touch(page.one("#find"))
        page.type("tent")
        title = page.offered()[0].rpartition(" (")[0]
        page.touch(page.all("#found li")[0])
        page.until(lambda: page.texts("#history li > span > span") == [title])
        page.touch(page.one("#history button"))
        page.until(lambda: not page.all("#history li"))
        assert page.one("#history-empty").is_displayed()
        page.touch(page.one("#go"))
        popular = expected(server, [])
        assert page.answer() == [one["title"] for one in popular["items"]]
        assert "as the most popular, because nothing is known" in page.one("#status").text
        assert not page.one("#tree-section").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def picked(page, *ids):
    """Items in the history, by their ids."""
    for number, one in enumerate(ids, 1):
        page.one("#find").send_keys(one)

        def clicked(wanted=f"({one})"):
            found = [option for option in page.all("#found li") if wanted in option.text]
            if found:
                found[0].click()
            return bool(found)

        page.until(clicked)
        page.until(lambda number=number: len(page.all("#history li")) == number)


def test_the_tree_holds_every_beam_and_fields_and_reasons_are_shown(page, server):
    picked(page, "i012", "i040")
    page.one("#go").click()
    page.answer()
    answer = expected(server, ["i012", "i040"])
    for closed in page.all("#tree details:not([open])"):
        page.browser.execute_script("arguments[0].open = true", closed)
    leaves = [one for one in page.all("#tree li") if not one.find_elements(By.CSS_SELECTOR, "li")]
    titles = {one["item"]: one["title"] for one in answer["items"]}
    shown = sorted(leaf.text.partition("→ ")[2] for leaf in leaves)
    whole = [", ".join(titles.get(item, item) for item in beam["items"]) for beam in answer["beams"]]
    assert len(answer["beams"]) == 12
    assert [text for text in shown if text] == sorted(whole)[-len([text for text in shown if text]) :]
    firsts = {beam["tokens"][0] for beam in answer["beams"]}
    assert set(page.texts("#tree > ul > li > details > summary > code")) == firsts

    page.all("#items summary")[0].click()
    best = answer["items"][0]
    assert page.texts("#items > li:first-child dd") == [
        best["item"],
        best["fields"]["title"],
        best["fields"]["description"],
    ]
    near = [one["title"] for item in answer["items"] for one in item["why"]["near"]]
    said = " ".join(page.texts("#items .near"))
    assert all(title in said for title in near)


def test_a_thought_is_shown_where_there_is_one(browser, serve):
    server = serve()
    run = server.service.runs.current
    body = run.body
    run.body = lambda *given, **more: body(*given, **more) | {"thought": "They like <b>quiet</b> evenings."}
    page = Page(browser, server).open()
    picked(page, "i012")
    page.one("#go").click()
    page.answer()
    assert page.one("#thought blockquote").text == "They like <b>quiet</b> evenings."


def test_mistakes_and_a_server_that_is_gone_are_told(browser, serve):
    server = serve(token=TOKEN)
    page = Page(browser, server).open()
    page.until(lambda: "a token is needed" in page.one("#problem").text)
    page.one("#token").send_keys(TOKEN, Keys.TAB)
    page.until(lambda: "240 items" in page.one("#served").text)
    assert page.one("#problem").text == ""
    picked(page, "i012")
    server.stop()
    page.one("#go").click()
    page.until(lambda: page.one("#problem").text == "the server does not answer")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_it_fits_every_width_and_can_be_read_in_both_palettes(browser, server, width, scheme, tmp_path):
    page = Page(browser, server)
    page.emulate(width, 900, scheme)
    try:
        page.open()
        picked(page, "i012", "i040")
        page.one("#go").click()
        page.answer()
        page.one("#find").send_keys("a")
        page.offered()
        page.type(Keys.ARROW_DOWN)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert browser.execute_script(CONTRAST) == []
        dark = (
            browser.execute_script("return getComputedStyle(document.body).backgroundColor")
            == "rgb(19, 20, 22)"
        )
        assert dark == (scheme == "dark")
        browser.execute_script("document.querySelector('h1').style.color = 'grey'")  # 3.9 and 4.6 to 1
        assert [one[0] for one in browser.execute_script(CONTRAST)] == ["H1"] * (scheme == "light")
        small = [one for one in browser.execute_script(HEIGHTS) if one[1] < 24]
        assert small == []
        page.open("/docs")
        page.until(lambda: page.all("main h2"))
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert browser.execute_script(CONTRAST) == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_every_control_has_a_name_and_nothing_comes_from_elsewhere(page):
    picked(page, "i012")
    page.one("#go").click()
    page.answer()
    controls = [one for one in page.all("input, textarea, select, button, a, summary") if one.is_displayed()]
    assert len(controls) > 10
    assert not [one.get_attribute("outerHTML") for one in controls if not one.accessible_name]
    assert page.browser.execute_script(STRANGERS) == []
    assert page.browser.execute_script("return document.documentElement.lang") == "en"
    wrong = [
        one
        for one in page.browser.get_log("browser")
        if one["level"] == "SEVERE" and "127.0.0.1" in one["message"]
    ]
    assert not [one for one in wrong if f":{page.server.port}" in one["message"]], json.dumps(wrong)


@pytest.mark.skipif(AXE is None, reason="axe-playwright-python, which brings axe-core, is not installed")
def test_axe_finds_nothing(page):
    picked(page, "i012", "i040")
    page.one("#go").click()
    page.answer()
    page.browser.execute_script(AXE.read_text(encoding="utf-8"))
    found = page.browser.execute_async_script(
        "axe.run(arguments[0]).then(arguments[1])", {"runOnly": AXE_RULES}
    )
    assert len(found["passes"]) > 15
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


def test_the_interface_is_documented_without_a_network(page):
    page.open("/docs")
    page.until(lambda: page.all("main h2"))
    assert "POST /recommend" in page.texts("main h2")
    assert "RecommendRequest" in page.texts("main h3")
    assert page.browser.execute_script(STRANGERS) == []
