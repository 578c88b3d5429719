"""A real browser that visits a server's pages, and collects what a page must not do."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files

from playwright.sync_api import Browser, Page, expect, sync_playwright

from serving.server import control

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ANSWER_MS = 15_000  # on a machine that is busy with other tests
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
WIDE, NARROW = (1440, 900), (360, 740)
expect.set_options(timeout=ANSWER_MS)


@contextmanager
def launched() -> Iterator[Browser]:
    """Run the system's Chromium.

    Raises:
        FileNotFoundError: there is none.
    """
    if CHROMIUM is None:
        raise FileNotFoundError("Chromium is not installed; run `apt-get install chromium`")
    root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium has no sandbox for root
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if root else [])
        try:
            yield browser
        finally:
            browser.close()


def axe() -> str:
    """The script of axe-core. The package around it has no types."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@dataclass
class Visitor:
    """A tab of the browser, with the errors in its console, and its requests to other hosts."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def at(cls, browser: Browser, server: control.Server, size: tuple[int, int] = WIDE, **context: object) -> "Iterator[Visitor]":
        """Open a tab; `context` has options of Playwright, such as `locale`."""
        tab = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            ignore_https_errors=True,
            **{"locale": "en-GB", **context},  # type: ignore[arg-type]
        )
        visitor = cls(tab.new_page(), server.url)
        visitor.page.on("console", lambda said: visitor.errors.append(said.text) if said.type == "error" else None)
        visitor.page.on("pageerror", lambda error: visitor.errors.append(str(error)))
        visitor.page.on("request", lambda asked: None if visitor.is_own(asked.url) else visitor.foreign.append(asked.url))
        try:
            yield visitor
        finally:
            tab.close()

    def is_own(self, url: str) -> bool:
        """Whether a request goes to the server, or to nothing outside the page."""
        return url.startswith((self.url + "/", "data:", "blob:"))

    def open(self, path: str = "/", key: str = "") -> None:
        """Open a page, and type the key there."""
        self.page.goto(self.url + path)
        if key:
            self.page.locator("#key").fill(key)
            self.page.locator("#key-form button").click()

    def ask(self, text: str | None = None) -> None:
        """Send the form, with another input if one is given, and wait until there is an answer or an error."""
        if text is not None:
            self.page.locator("#input").fill(text)
        before = int(self.page.locator(".answer").get_attribute("data-answers") or 0)
        self.page.locator("button.main").click()
        self.answered(before + 1)

    def answered(self, count: int = 1) -> None:
        """Wait until that many requests of this view have ended, with an answer or an error."""
        expect(self.page.locator(".answer")).to_have_attribute("data-answers", str(count))

    def choose(self, model: str) -> None:
        """Go to the view of a model, in a page that is open."""
        self.page.locator("#models").get_by_role("link", name=model, exact=True).click()
        expect(self.page.locator("h2")).to_have_attribute("data-model", model)

    def text(self) -> str:
        """The text of the answer."""
        return self.page.locator(".answer").inner_text()

    def violations(self) -> list[str]:
        """What axe-core finds wrong for people who use other means than eyes and a mouse."""
        self.page.evaluate(axe())
        found = self.page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)["violations"]
        return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]


def key_of(server: control.Server) -> str:
    """The key of a server."""
    return server.authorization.read_text(encoding="utf-8").split()[-1]
