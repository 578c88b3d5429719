"""The page in a browser, over the models that `make repro` built: `python -m benchmarks.page [part ...]`.

- size: kilobytes of the page with all that it loads, compressed, without the API reference.
- speed: milliseconds from the first paint to the first answer, with the request in the address: median over models and repeats.
- views: what axe-core finds, errors in the console and requests to other hosts, over all views, themes and widths. What
  Swagger UI draws is not given to axe-core.
- own: files that had to change for the page to show a model under a new name.
- screenshots: pictures of each view, for docs/pictures/. They have no figures, so a run without arguments leaves them out.
"""

import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import quote

from playwright.sync_api import Browser, expect

from benchmarks.browsing import NARROW, WIDE, Visitor, key_of, launched
from benchmarks.parts import run_parts
from pipelines.paths import STORE
from pipelines.report.record import Figures
from serving.bundle import sha256
from serving.contents import SHA256
from serving.server import control, site

PICTURES = Path("docs/pictures")
REPEATS = 5
OWN = "a-task-of-my-own"
SCHEMES = ("light", "dark")
# Milliseconds between the first paint and the first answer. The observer is there before the page's own scripts.
WATCH = """
    new MutationObserver(() => {
        if (document.querySelector('.answer[data-answers]') && !window.answered) window.answered = performance.now();
    }).observe(document, {childList: true, subtree: true, attributes: true});
"""
PAINTED = "window.answered - performance.getEntriesByName('first-contentful-paint')[0].startTime"


@contextmanager
def served(store: Path = STORE) -> Iterator[control.Server]:
    """Run a server of a store's models in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="seqline-") as folder:
        try:
            yield control.up(store, Path(folder), 0)
        finally:
            control.down(Path(folder))


def size() -> Figures:
    """The compressed size of everything except what others wrote, which only the API reference loads."""
    files = [path for path in site.WEB.rglob("*") if path.is_file() and "vendor" not in path.parts]
    return {"page_kb": sum(len(gzip.compress(path.read_bytes())) for path in files) / 1000}


def speed() -> Figures:
    """The time to the first answer, of each model's first example."""
    with launched() as browser, served() as server:
        times = [first_answer(browser, server, name) for name in names(server) for _ in range(REPEATS)]
    return {"first_answer_ms": median(times), "first_answer_slowest_ms": max(times)}


def first_answer(browser: Browser, server: control.Server, model: str) -> float:
    """Milliseconds from the first paint to the first answer in a tab that has the key but nothing else."""
    request = next(archive for archive in server.archives if archive.name == model).examples[0].request
    with Visitor.at(browser, server) as visitor:
        visitor.open("/status", key_of(server))
        visitor.page.add_init_script(WATCH)
        visitor.page.goto(f"{server.url}/#/{model}?{quote(json.dumps(request))}")
        visitor.answered()
        return float(visitor.page.evaluate(PAINTED))


def views() -> Figures:
    """The number of faults over all views."""
    faults: list[str] = []
    with launched() as browser, served() as server:
        for scheme in SCHEMES:
            for width in (NARROW, WIDE):
                with Visitor.at(browser, server, width, color_scheme=scheme) as visitor:
                    visitor.open("/", key_of(server))
                    faults += [fault for name in names(server) for fault in faults_of(visitor, name)]
                    for path, ready in (("/status", "table"), ("/docs", ".opblock")):
                        visitor.open(path)
                        expect(visitor.page.locator(ready).first).to_be_visible()
                        faults += visitor.violations() if path == "/status" else []  # the reference is Swagger UI's own
                    faults += visitor.errors + visitor.foreign
    for fault in faults:
        print(fault, file=sys.stderr)  # noqa: T201 - beside the figure
    return {"violations": len(faults)}


def look(visitor: Visitor, model: str) -> None:
    """Ask a model its first example, in a tab that has the key."""
    visitor.choose(model)
    visitor.ask()


def faults_of(visitor: Visitor, model: str) -> list[str]:
    """Ask a model, open everything, and return what axe-core finds."""
    look(visitor, model)
    visitor.page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    return [f"{model}: {fault}" for fault in visitor.violations()]


def own() -> Figures:
    """Serve a model under a name that the project does not have, and count the files that changed until the page shows it."""
    before = changed()
    with tempfile.TemporaryDirectory(prefix="seqline-") as folder:
        archive = Path(folder) / f"{OWN}.mar"
        shutil.copyfile(next(iter(sorted(STORE.glob("*.mar")))), archive)
        archive.with_suffix(SHA256).write_text(f"{sha256(archive)}  {archive.name}\n", encoding="utf-8")
        with launched() as browser, served(Path(folder)) as server, Visitor.at(browser, server) as visitor:
            visitor.open("/", key_of(server))
            expect(visitor.page.locator("#models a")).to_have_text([OWN])
            visitor.ask()
            expect(visitor.page.locator(".answer .alert")).to_have_count(0)
    return {"own_task_edits": len(changed() - before)}


def changed() -> set[str]:
    """Tracked files that differ from the last commit, and new ones."""
    command = ["git", "status", "--porcelain"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())  # noqa: S603


def screenshots() -> Figures:
    """Write a picture of each view."""
    with launched() as browser, served() as server:
        with Visitor.at(browser, server, WIDE) as visitor:
            visitor.open("/", key_of(server))
            for name in names(server):
                look(visitor, name)
                visitor.page.screenshot(path=PICTURES / f"page-{name}.png")
            visitor.open("/status")
            expect(visitor.page.locator("table")).to_be_visible()
            visitor.page.screenshot(path=PICTURES / "page-status.png")
            visitor.open("/docs")
            expect(visitor.page.locator(".opblock").first).to_be_visible()
            visitor.page.screenshot(path=PICTURES / "page-docs.png")
        with Visitor.at(browser, server, NARROW, color_scheme="dark", locale="fr-FR") as visitor:
            visitor.open("/", key_of(server))
            look(visitor, names(server)[0])
            visitor.page.screenshot(path=PICTURES / "page-narrow.png")
    return {}


def names(server: control.Server) -> list[str]:
    """The names of a server's models."""
    return [archive.name for archive in server.archives]


def main() -> None:
    """Run the parts named on the command line."""
    if len(sys.argv) == 1:
        sys.argv += ["size", "speed", "views", "own"]
    parts = {"size": size, "speed": speed, "views": views, "own": own, "screenshots": screenshots}
    run_parts("page", __doc__ or "", parts, ("aiohttp", "axe-playwright-python", "playwright"))


if __name__ == "__main__":
    main()
