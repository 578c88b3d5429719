"""What every view owes to all who look at it: harmless texts, languages, keyboards, screen readers, no jumps."""

import json
import re

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.browsing import NARROW, WIDE, Visitor, key_of
from serving.server import control

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
HOSTILE = [
    "<img src=x onerror=\"document.title='attacked'\">",
    "</textarea><script>document.title='attacked'</script>",
    "x" * 10_000,
    "😀👩‍👩‍👧‍👦🏳️‍🌈",
    "مرحبا بالعالم",
    '{"__proto__": {"attacked": 1}} \\ \' " ` ${1}',
]


@pytest.mark.parametrize("model", ["classification", "generation", "sentiment", "translation", "vectors"])
def test_hostile_texts_are_harmless(browser: Browser, server: control.Server, model: str) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open(f"/#/{model}", key_of(server))
        for text in HOSTILE:
            visitor.ask(text)
            assert "attacked" not in visitor.page.title()
            assert visitor.page.locator(".answer img, .answer script").count() == 0
            assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{text[:20]} is too wide"
        refused = [error for error in visitor.errors if "status of 400" not in error]
        assert refused == visitor.foreign == []


def test_text_from_right_to_left_is_shown_so(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/sentiment", key_of(server))
        visitor.ask("مرحبا فيلم")
        for selector in ("#input", ".words", ".word >> nth=0"):
            assert visitor.page.locator(selector).evaluate("e => getComputedStyle(e).direction") == "rtl", selector


def test_labels_are_in_the_language_of_the_browser(browser: Browser, server: control.Server) -> None:
    for locale, language, label in (("fr-CA", "fr", "Demander"), ("en-US", "en", "Ask"), ("ja-JP", "en", "Ask")):
        with Visitor.at(browser, server, locale=locale) as visitor:
            visitor.page.goto(server.url)
            expect(visitor.page.locator("button.main")).to_have_text(label)
            assert visitor.page.locator("html").get_attribute("lang") == language


def test_the_keyboard_alone_is_enough(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/classification")
        expect(visitor.page.locator("#input")).to_be_visible()
        press = visitor.page.keyboard.press

        def to(selector: str) -> None:
            for _ in range(40):
                if visitor.page.evaluate("s => document.activeElement.matches(s)", selector):
                    return
                press("Tab")
            pytest.fail(f"Tab does not reach {selector}")

        to("#key")
        visitor.page.keyboard.type(key_of(server))
        press("Enter")
        to("#input")
        visitor.page.keyboard.type("Rossi")
        to("button.main")
        press("Enter")
        visitor.answered()
        expect(visitor.page.locator(".bars li")).not_to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [NARROW, WIDE])
def test_axe_finds_nothing_wrong(browser: Browser, server: control.Server, size: tuple[int, int], scheme: str) -> None:
    with Visitor.at(browser, server, size, color_scheme=scheme) as visitor:
        visitor.open("/", key_of(server))
        for model in (archive.name for archive in server.archives):
            visitor.choose(model)
            visitor.page.get_by_text("Parameters", exact=True).click()
            visitor.ask()
            for details in visitor.page.locator(".answer details > summary").all():
                details.click()
            assert visitor.violations() == [], model
            assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{model} is too wide"
        visitor.open("/status")
        expect(visitor.page.locator("table")).to_be_visible()
        assert visitor.violations() == []


@pytest.mark.parametrize("model", ["classification", "translation"])
def test_nothing_jumps(browser: Browser, server: control.Server, model: str) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.page.add_init_script("""
            window.jumps = [];
            new PerformanceObserver(list => list.getEntries().forEach(e => e.hadRecentInput || window.jumps.push(e.value)))
                .observe({type: 'layout-shift', buffered: true});
        """)
        visitor.open(f"/#/{model}", key_of(server))
        visitor.ask()
        assert sum(visitor.page.evaluate("window.jumps")) < 0.02


def test_the_reference_sends_requests_with_the_key(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/", key_of(server))
        visitor.open("/docs")
        page = visitor.page
        operation = page.locator("#operations-default-classification")
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        expect(operation.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
        assert visitor.errors == visitor.foreign == []


def test_the_status_has_a_line_for_each_model(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/status")
        expect(visitor.page.locator("#said")).to_have_text("Enter the key to see the status.")
        visitor.open("/#/schedule", key_of(server))
        visitor.ask("{}")
        visitor.ask(json.dumps(next(a for a in server.archives if a.name == "schedule").examples[0].request["inputs"]))
        visitor.open("/status")
        rows = visitor.page.locator("tbody tr")
        expect(rows).to_have_count(len(server.archives))
        cells = rows.filter(has_text="schedule").locator("td").all_inner_texts()
        assert cells[0] == next(archive.version for archive in server.archives if archive.name == "schedule")
        assert int(cells[1]) >= 2
        assert re.fullmatch(r"\d+(\.\d)?%", cells[2])
        assert cells[3] == "0%"
        assert all(re.fullmatch(r"[\d,.]+ ms", cell) for cell in cells[4:6])
