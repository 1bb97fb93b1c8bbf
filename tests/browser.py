"""Pages in headless Chromium, driven by Playwright."""

import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

FOUND = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
CHROMIUM = next((path for path in FOUND if path), None)
SCREENS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


@pytest.fixture(scope="session")
def chromium():
    """The browser; tests that use it are skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no browser to test the pages in; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


def look(browser: Browser, page: Path, width: int = 1280, scheme: str = "light", fragment: str = "") -> Page:
    """Open a file in a window of its own; what the page writes to the console is in its list `messages`."""
    window = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    window.messages = []
    window.on("console", lambda message: window.messages.append(message.text))
    window.on("pageerror", lambda error: window.messages.append(str(error)))
    window.set_default_timeout(10_000)
    window.goto(page.as_uri() + fragment)
    return window


def check(window: Page) -> None:
    """The page has no console messages, fits the width of its window, and axe-core finds nothing serious in it."""
    assert window.messages == []
    assert window.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    violations = Axe().run(window).response["violations"]
    serious = [each for each in violations if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []
