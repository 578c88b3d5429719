"""The page in a real browser: each model answers through it, in its own form, and a page does nothing behind one's back."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from asking import assert_same
from playwright.sync_api import Browser, expect

from benchmarks.browsing import Visitor, key_of
from serving.predictor import load_predictor
from serving.server import control

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
BYTES_PER_S = 4_000  # the lines of a name have about that many bytes
MODELS = ["an-own-task", "classification", "generation", "qlike", "schedule", "sentiment", "translation", "vectors"]


def test_every_model_of_the_store_is_listed_without_an_edit(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open()
        links = visitor.page.locator("#models a")
        expect(links).to_have_count(len(MODELS))
        assert links.all_inner_texts() == MODELS
        assert visitor.errors == visitor.foreign == []


@pytest.mark.parametrize("model", MODELS)
def test_each_model_answers_its_first_example(browser: Browser, server: control.Server, model: str) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open(f"/#/{model}", key_of(server))
        visitor.ask()
        expect(visitor.page.locator(".answer .alert")).to_have_count(0)
        text = visitor.text()
        archive = next(archive for archive in server.archives if archive.name == model)
        assert f"model version {archive.version}" in text
        assert re.search(r"answered in [\d,]+ ms", text)
        link = visitor.page.get_by_role("link", name="MLflow run")
        assert link.get_attribute("href") == "http://127.0.0.1:5000/#/runs/0123abcd"
        assert visitor.errors == visitor.foreign == []


@pytest.mark.parametrize("model", MODELS)
def test_every_example_can_be_asked_again(browser: Browser, server: control.Server, model: str) -> None:
    """The button of an example sends its inputs exactly, with its own parameters; the page only adds some."""
    archive = next(archive for archive in server.archives if archive.name == model)
    with Visitor.at(browser, server) as visitor:
        visitor.open(f"/#/{model}", key_of(server))
        for example in archive.examples:
            visitor.page.get_by_role("button", name=example.summary, exact=True).click()
            with visitor.page.expect_request("**/predictions/**") as asked:
                visitor.ask()
            sent = json.loads(asked.value.post_data or "")
            assert sent["inputs"] == example.request["inputs"]
            wanted = example.request.get("parameters", {})
            assert {name: sent["parameters"][name] for name in wanted} == wanted
            assert visitor.page.locator(".answer .alert").count() == 0, visitor.text()
        assert visitor.errors == visitor.foreign == []


def test_bars_have_the_probabilities_of_the_answer(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/classification", key_of(server))
        visitor.ask("Rossi")
        raw = json.loads(visitor.page.locator(".answer pre").last.text_content() or "")
        shown = visitor.page.locator(".bars li").all_inner_texts()
        assert [line.split("\n")[0] for line in shown] == [one["label"] for one in raw]
        assert [float(line.split("\n")[1].rstrip("%")) for line in shown] == [
            pytest.approx(100 * one["score"], abs=0.06) for one in raw
        ]


def test_words_are_shaded_by_importance_and_unknown_ones_marked(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/sentiment", key_of(server))
        visitor.ask("good film zzyzx")
        words = visitor.page.locator(".word")
        assert words.all_inner_texts() == ["good", "film", "zzyzx"]
        expect(words.nth(2)).to_have_class(re.compile("unknown"))
        shares = [float(words.nth(i).evaluate("e => e.style.getPropertyValue('--share')")) for i in range(3)]
        assert max(shares) == 1


def test_a_name_grows_letter_by_letter_and_each_tells_its_rivals(
    browser: Browser, server: control.Server, bundles: dict[str, Path]
) -> None:
    predictor = load_predictor(bundles["generation"])

    def length(seed: int) -> int:
        (reply,) = predictor.answer([{"inputs": "", "parameters": {"label": "German", "seed": seed}}])
        return len(reply.body[0]["generated_text"])

    seed = next(seed for seed in range(1000) if length(seed) == 12)  # the longest name
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/generation", key_of(server))
        visitor.page.get_by_text("Parameters", exact=True).click()
        visitor.page.get_by_label("seed").fill(str(seed))
        visitor.page.evaluate("""() => {
            window.counts = [];
            new MutationObserver(() => window.counts.push(document.querySelectorAll('.letter').length))
                .observe(document.querySelector('.answer'), {childList: true, subtree: true});
        }""")
        slow = visitor.page.context.new_cdp_session(visitor.page)  # so small a model draws all letters at once
        limits = {"offline": False, "latency": 0, "downloadThroughput": BYTES_PER_S, "uploadThroughput": -1}
        slow.send("Network.emulateNetworkConditions", limits)
        visitor.ask("")
        letters = visitor.page.locator(".letter")
        assert letters.count() >= 2
        assert len(set(visitor.page.evaluate("window.counts"))) > 2, "the letters came all at once"
        letters.first.hover()
        candidates = visitor.page.locator(".candidates")
        expect(candidates.locator("li")).not_to_have_count(0)
        expect(candidates).to_contain_text(letters.first.inner_text())
        letters.nth(1).focus()  # the same by keyboard
        expect(candidates).to_contain_text(letters.nth(1).inner_text())


def test_a_translation_has_its_attention_alternatives_and_tree(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/translation", key_of(server))
        visitor.ask("le chat dort")
        page, found = visitor.page, json.loads(visitor.page.locator(".answer pre").last.text_content() or "")[0]
        assert page.locator(".translation").inner_text() == found["translation_text"].strip()
        expect(page.locator(".alternatives li")).to_have_count(len(found["alternatives"]))
        attention = found["sentences"][0]["attention"]
        expect(page.locator(".heat tbody tr")).to_have_count(len(attention["target"]))
        page.get_by_label("by word").first.check()
        words = 1 + sum(piece.startswith("▁") or i == 0 for i, piece in enumerate(attention["target"][:-1]))
        expect(page.locator(".heat tbody tr")).to_have_count(words)
        page.get_by_text("The search as a tree").click()
        tree = found["sentences"][0]["tree"]
        ends = [i for i in range(len(tree)) if all(node.get("parent") != i for node in tree)]
        expect(page.locator(".tree li:not(:has(li))")).to_have_count(len(ends))
        ranks = [value.split(".")[0] for value in page.locator(".tree .value").all_inner_texts() if " · " in value]
        assert sorted(ranks) == [str(rank) for rank in range(1, 2 + len(found["alternatives"]))]


def test_sliders_change_the_search(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/translation", key_of(server))
        visitor.page.get_by_text("Parameters", exact=True).click()
        slider = visitor.page.get_by_role("slider", name="num_beams")
        assert slider.get_attribute("type") == "range"
        slider.fill("6")
        with visitor.page.expect_request("**/predictions/translation") as asked:
            visitor.ask()
        assert json.loads(asked.value.post_data or "")["parameters"]["num_beams"] == 6
        visitor.page.get_by_label("set num_beams to its default").click()
        with visitor.page.expect_request("**/predictions/translation") as asked:
            visitor.ask()
        assert "num_beams" not in json.loads(asked.value.post_data or "")["parameters"]


def test_words_have_neighbours_a_map_that_zooms_and_senses(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/vectors", key_of(server))
        page = visitor.page
        page.get_by_text("Parameters", exact=True).click()
        page.get_by_label("question").select_option("map")
        visitor.ask("king queen")
        canvas = page.locator(".map")
        before = canvas.get_attribute("viewBox")
        page.get_by_role("button", name="Zoom in").click()
        zoomed = canvas.get_attribute("viewBox")
        assert float((zoomed or "").split()[2]) < float((before or "").split()[2])
        canvas.focus()
        page.keyboard.press("-")
        page.keyboard.press("ArrowLeft")
        assert canvas.get_attribute("viewBox") not in (before, zoomed)
        page.get_by_label("question").select_option("context")
        page.get_by_label("read as").select_option("lines")
        visitor.ask("the king of the film\na king and a queen")
        expect(page.get_by_text("The same word in its contexts")).to_be_visible()
        assert "king" in page.locator(".bars").first.inner_text()


def test_a_forecast_has_its_series_and_its_fan(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/qlike", key_of(server))
        visitor.ask()
        expect(visitor.page.locator("svg .line")).to_have_count(1)
        expect(visitor.page.locator("svg .point")).to_have_count(2)  # horizons
        expect(visitor.page.locator("svg .band")).to_have_count(2)  # from the 10 % to the 90 % quantile
        expect(visitor.page.locator("svg .column")).to_have_count(8)  # days that the attention sees


def test_a_link_repeats_the_request(browser: Browser, server: control.Server) -> None:
    with Visitor.at(browser, server) as visitor:
        visitor.open("/#/classification", key_of(server))
        visitor.ask("O'Neill & Söhne?#")
        first, link = visitor.page.locator(".bars").inner_text(), visitor.page.url
        visitor.page.goto("about:blank")
        visitor.page.goto(link)
        visitor.answered()
        assert visitor.page.locator("#input").input_value() == "O'Neill & Söhne?#"
        assert visitor.page.locator(".bars").inner_text() == first


@pytest.mark.parametrize("model", ["classification", "generation", "translation"])
def test_the_printed_commands_give_the_answer(browser: Browser, server: control.Server, model: str) -> None:
    """Run in a shell and in Python as they stand; a streamed answer is their last line."""
    with Visitor.at(browser, server) as visitor:
        visitor.open(f"/#/{model}", key_of(server))
        visitor.ask('O\'N "x" $H `a` \\n' if model == "classification" else "un chat")
        visitor.page.get_by_text("The same request elsewhere").click()
        curl, python = (block.text_content() or "" for block in visitor.page.locator(".answer pre code").all())
        raw = json.loads(visitor.page.locator(".answer pre").last.text_content() or "")
    environment = {"KEY": key_of(server), "PATH": "/usr/bin:/bin"}
    for command, read in ((["bash", "-c", curl], json.loads), ([sys.executable, "-c", python], ast.literal_eval)):
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert_same(read(done.stdout.splitlines()[-1]), raw)
