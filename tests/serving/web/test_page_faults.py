"""What the page shows when something is wrong: the key, the server, its speed, its limits."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import MakeStore
from playwright.sync_api import Browser, expect
from waiting import until

from benchmarks.browsing import Visitor, key_of
from serving.server import control
from serving.server.errors import ControlError
from serving.server.instance import JAVA, Instance
from serving.server.proxy import Front, Limits, find_nginx

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def store(bundles: dict[str, Path], make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("one"), bundles["classification"])


@pytest.fixture
def alone(store: Path, tmp_path: Path) -> Iterator[control.Server]:
    """A server of one model, for a test that stops it."""
    pytest.importorskip("ts")
    try:
        yield control.up(store, tmp_path, 0)
    finally:
        control.down(tmp_path)


@pytest.fixture(scope="module")
def strict(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[control.Server]:
    """A server behind nginx that allows one request per second."""
    pytest.importorskip("ts")
    try:
        find_nginx()
    except ControlError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("strict")
    try:
        yield control.up(store, folder, 0, Front(limits=Limits(rate=1, burst=1)))
    finally:
        control.down(folder)


@pytest.mark.parametrize("key", ["", "x" * 40])
def test_without_a_valid_key_the_page_asks_for_it(browser: Browser, alone: control.Server, key: str) -> None:
    with Visitor.at(browser, alone) as visitor:
        visitor.open("/", key)
        visitor.ask("Rossi")
        expect(visitor.page.locator("#key")).to_be_focused()
        assert "Error 401 no_key" in visitor.text()
        assert "send a valid key" in visitor.text()
        visitor.open("/status")
        expect(visitor.page.locator("#said")).to_contain_text("key")
        assert visitor.page.locator("table").count() == 0


def test_a_key_that_no_header_can_have_is_refused(browser: Browser, alone: control.Server) -> None:
    with Visitor.at(browser, alone) as visitor:
        visitor.open("/", "k…y")
        expect(visitor.page.locator("#key-hint")).to_have_text("A key has only ASCII characters, and no spaces.")
        assert visitor.page.evaluate("sessionStorage.length") == 0


def test_the_key_is_in_the_session_alone(browser: Browser, alone: control.Server) -> None:
    with Visitor.at(browser, alone) as visitor:
        visitor.open("/", f"Authorization: Bearer {key_of(alone)}")  # as the file has it
        visitor.ask("Rossi")
        expect(visitor.page.locator(".answer .alert")).to_have_count(0)
        assert visitor.page.evaluate("localStorage.length") == 0
        assert visitor.page.context.cookies() == []
        assert key_of(alone) not in visitor.page.content()
        assert key_of(alone) not in visitor.page.url
        visitor.page.get_by_role("button", name="Forget").click()
        assert visitor.page.evaluate("sessionStorage.length") == 0


def test_a_slow_answer_shows_that_it_is_awaited_and_can_be_stopped(browser: Browser, alone: control.Server) -> None:
    workers = [p for p in Instance(alone.authorization.parent).processes() if "model_service_worker" in " ".join(p.cmdline())]
    with Visitor.at(browser, alone) as visitor:
        visitor.open("/", key_of(alone))
        for worker in workers:
            worker.suspend()
        try:
            visitor.page.locator("#input").fill("Rossi")
            visitor.page.locator("button.main").click()
            expect(visitor.page.locator(".progress")).to_have_text(re.compile(r"^waiting for the answer \d s$"))
            visitor.page.get_by_role("button", name="Stop").click()
            expect(visitor.page.locator(".alert")).to_have_text("Stopped before the answer came.")
        finally:
            for worker in workers:
                worker.resume()
        visitor.ask("Rossi")
        expect(visitor.page.locator(".bars li")).not_to_have_count(0)


def test_a_stopped_server_is_named(browser: Browser, alone: control.Server) -> None:
    with Visitor.at(browser, alone) as visitor:
        visitor.open("/", key_of(alone))
        expect(visitor.page.locator("button.main")).to_be_visible()
        control.down(alone.authorization.parent)
        visitor.ask("Rossi")
        assert "The server cannot be reached. Is it running?" in visitor.text()


def test_torchserve_without_an_answer_is_unavailable(browser: Browser, alone: control.Server) -> None:
    """The gateway still serves the page when TorchServe is gone."""
    with Visitor.at(browser, alone) as visitor:
        visitor.open("/", key_of(alone))
        expect(visitor.page.locator("button.main")).to_be_visible()
        instance = Instance(alone.authorization.parent)
        for process in instance.processes():
            if JAVA in process.cmdline():
                process.kill()
        until(lambda: not instance.runs(JAVA), "the end of TorchServe")
        visitor.ask("Rossi")
        assert "Error 503 unavailable" in visitor.text()
        assert "Retry after 1 s." in visitor.text()


def test_too_many_requests_say_when_to_repeat(browser: Browser, strict: control.Server) -> None:
    with Visitor.at(browser, strict) as visitor:
        visitor.open("/", key_of(strict))
        for _ in range(20):  # one at once, one in the burst; a slow machine asks some more
            visitor.ask("Rossi")
            if "429" in visitor.text():
                break
        assert "Error 429 too_many_requests" in visitor.text()
        assert "Retry after 1 s." in visitor.text()


def test_behind_nginx_all_views_are_the_same(browser: Browser, strict: control.Server) -> None:
    with Visitor.at(browser, strict) as visitor:
        for path, text in (("/", "classification"), ("/docs", "/predictions/classification"), ("/status", "Status")):
            visitor.open(path)
            expect(visitor.page.locator("body")).to_contain_text(text)
        assert visitor.errors == visitor.foreign == []


def test_a_model_that_is_not_there_is_named(browser: Browser, alone: control.Server) -> None:
    with Visitor.at(browser, alone) as visitor:
        visitor.open("/#/surnam")
        expect(visitor.page.locator(".alert")).to_have_text("There is no model named surnam.")
        cut_off_or_worse = ("%7B%22inputs", "5", "null", "%E0%A4%A", "%7B%22parameters%22%3Anull%7D")
        for part in cut_off_or_worse:
            visitor.open("/status")
            visitor.open(f"/#/classification?{part}")
            expect(visitor.page.locator("#input")).to_have_value(re.compile("."))  # the first example
        visitor.open("/status")
        visitor.open("/#/%E0%A4%A")
        expect(visitor.page.locator(".alert")).to_contain_text("There is no model")
        assert visitor.errors == []


def test_wrong_json_is_named_and_can_be_corrected(browser: Browser, alone: control.Server) -> None:
    with Visitor.at(browser, alone) as visitor:
        visitor.open("/", key_of(alone))
        visitor.page.get_by_label("read as").select_option("json")
        visitor.ask('["Rossi", ')
        assert "This input is not JSON" in visitor.text()
        visitor.ask('["Rossi", "Li\\nu"]')
        expect(visitor.page.locator(".single")).to_have_count(2)
        assert visitor.errors == []
