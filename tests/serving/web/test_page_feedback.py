"""People correct answers on the page, and the server's records have what they said."""

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.browsing import Visitor, key_of
from serving.records import Records, digest
from serving.server import control

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


def judged(server: control.Server, model: str) -> dict[int, tuple[str, bool]]:
    """What people said of the latest answer of a model: by the place of the input, the right answer and whether it was given."""
    found = [row for answer, row in Records(server.state.records).judged(model)]
    return {row.place: (row.expected, row.right) for row in found if row.id == found[-1].id}


def correct(visitor: Visitor, place: int, right: str | None) -> str:
    """Send the form below an answer, with another value if one is given, and return what the page says then."""
    form = visitor.page.locator(".feedback").nth(place)
    form.locator("summary").click()
    if right is not None:
        form.locator("input, textarea").fill(right)
    form.locator("button").click()
    note = form.get_by_role("status")
    expect(note).not_to_be_empty()
    return note.inner_text()


def test_a_class_is_confirmed_or_corrected_for_each_input(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/classification", key_of(server))
        visitor.page.locator("#mode").select_option("lines")
        visitor.ask("Rossi\nMoreau\n")
        given = visitor.page.locator(".bars li").first.inner_text().split("\n")[0]
        assert correct(visitor, 0, None) == "Noted: the answer was right."
        assert correct(visitor, 1, "Klingon") == "Noted: the answer was not right."
        assert judged(server, "classification") == {0: (given, True), 1: ("Klingon", False)}
        assert visitor.errors == visitor.foreign == []


def test_a_translation_is_corrected(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/translation", key_of(server))
        visitor.ask("un chien court")
        shown = visitor.page.locator(".translation").inner_text()
        expect(visitor.page.locator(".feedback textarea")).to_have_value(shown)
        assert correct(visitor, 0, "A dog is running.") == "Noted: the answer was not right."
        assert judged(server, "translation") == {0: (digest("A dog is running."), False)}


def test_what_has_no_right_answer_takes_no_feedback(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/vectors", key_of(server))
        visitor.ask()
        expect(visitor.page.locator(".feedback")).to_have_count(0)


def test_a_refusal_is_shown(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/classification", key_of(server))
        visitor.ask("Rossi")
        assert "at most 100 characters" in correct(visitor, 0, "a" * 101)
        assert len(visitor.errors) == 1  # the browser's own line about the refused request
