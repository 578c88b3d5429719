"""Writes the results, benchmark tables and example answers into the pages, and checks the pages against them.

`python -m pipelines.report.pages` prints the results, `--write` also writes the pages, `--check` fails if a page differs.
"""

import argparse
import json
import subprocess
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from shutil import copyfile
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from pipelines.paths import METRICS, PLOTS, STORE
from pipelines.report.measures import Measure, measures, of_tasks, section
from pipelines.report.record import RESULTS
from pipelines.settings.params import load_params
from pipelines.stage import StageError, fail
from serving.server.archive import Archive
from serving.server.errors import ControlError

README, SCALING, ANSWERS = Path("README.md"), Path("docker/SCALING.md"), Path("docs/reference/answers.md")
LOCK = Path("dvc.lock")
URL = "http://127.0.0.1:8080/predictions"
HEADER = ("model", "measure", "result", "baseline")

Figures = dict[str, Any]


def benchmark(source: str) -> Figures:
    """Return the record of a benchmark or a study; without figures if it was not run."""
    return _read(RESULTS / f"{source}.json", {"figures": {}})


def figures(source: str) -> Figures:
    """Return the figures of a task or a benchmark; empty if it was not run."""
    return _read(METRICS / f"{source}.json", {}) or benchmark(source)["figures"]


def _read(path: Path, otherwise: Figures) -> Figures:
    content: Figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else otherwise
    return content


def rows(table: Iterable[Measure]) -> Iterator[tuple[str, str, str, str]]:
    """Return the table's cells by row. A figure that was not measured has no row."""
    return (_cells(measure, values) for measure, values in _measured(table))


def _cells(measure: Measure, values: Figures) -> tuple[str, str, str, str]:
    known = next((key for key in measure.beside if key in values), None)
    beside = "" if known is None else f"{values[known]:{measure.form}} ({measure.beside[known]})"
    if measure.source == "pipeline":
        beside = f"measured at commit {measured_at(measure.key)[:7]}"
    return measure.source, measure.label, f"{values[measure.key]:{measure.form}}", beside


def _measured(table: Iterable[Measure]) -> Iterator[tuple[Measure, Figures]]:
    """Yield the measures that have a figure, with the figures of their source."""
    for measure in table:
        values = figures(measure.source)
        if measure.key in values:
            yield measure, values


def measured_at(key: str) -> str:
    """Return the commit at which a figure of `benchmarks.pipeline` was measured."""
    content = benchmark("pipeline")
    commit: str = content.get("earlier", {}).get(key, content["commit"])
    return commit


def headline() -> str:
    """Return the README's table in Markdown: one figure per task, and the most important benchmarks."""
    of_each = groupby(rows(of_tasks()), key=itemgetter(0))
    first = (next(lines) for _, lines in of_each)
    return _markdown([HEADER, ("---", "---", "--:", "---"), *first, *rows(section("headline"))])


def results() -> str:
    """Return the results in Markdown, followed by the sacreBLEU signatures of the translation scores."""
    table = _markdown([HEADER, ("---", "---", "--:", "---"), *rows(section("results"))])
    found = [figures(task) for task in load_params().tasks]
    keys = ("bleu_signature", "chrf_signature")
    signatures = list(dict.fromkeys(f"`{values[key]}`" for values in found for key in keys if key in values))
    return table + (f"\n\nsacreBLEU's signatures: {', '.join(signatures)}." if signatures else "")


def answers() -> str | None:
    """Return an example request and answer for each model in Markdown; None if a model has not been built.

    The answers come from the class that is served, so they equal the server's.
    """
    served = load_params().served
    if not all((STORE / f"{name}.mar").is_file() for name in served):
        return None
    return "\n\n".join(_answer(Archive.read(STORE / f"{name}.mar")) for name in served)


def _answer(archive: Archive) -> str:
    got = json.dumps(archive.examples[0].answer, ensure_ascii=False)
    headers = "-H @.serving/authorization -H 'Content-Type: application/json'"
    return f"```console\n$ curl -s {URL}/{archive.name} {headers} -d {archive.data('.serving/examples')}\n{got}\n```"


COLUMNS = {
    "analogies": ("analogies", ".1%"),
    "semantic": ("semantic", ".1%"),
    "syntactic": ("syntactic", ".1%"),
    "wordsim353_rho": ("WordSim-353", ".3f"),
    "simlex999_rho": ("SimLex-999", ".3f"),
    "out_of_vocabulary": ("unknown words", ".2%"),
    "perplexity": ("perplexity", ".0f"),
}


def vectors() -> str | None:
    """Return the tables of word vectors in Markdown, with a row per method; None if none were compared."""
    tables = {name: table for name in load_params().vectors if (table := _methods(name))}
    titled = [f"`{name}`:\n\n{table}" for name, table in tables.items()]
    return "\n\n".join(tables.values() if len(tables) == 1 else titled) or None


def _methods(name: str) -> str:
    """Return the table of one block of vectors; empty if they were not compared."""
    known = {key: value for key, value in figures(name).items() if "." in key}  # METHOD.measure, from word questions
    if not known:
        return ""
    methods = {key.partition(".")[0]: figures(f"embed/{key.partition('.')[0]}") for key in known}  # with the training metrics
    lines = [("method", *(title for title, _ in COLUMNS.values())), ("---", *("--:" for _ in COLUMNS))]
    for method, measured in methods.items():
        cells = ((known.get(f"{method}.{key}", measured.get(key)), form) for key, (_, form) in COLUMNS.items())
        lines.append((method, *("" if value is None else f"{value:{form}}" for value, form in cells)))
    return _markdown(lines)


def compared(name: str) -> str:
    """Return a table of benchmarks and studies in Markdown, with reference values."""
    lines = (cells[1:] for cells in rows(section(name)))
    return _markdown([("measure", "result", "compared with"), ("---", "--:", "---"), *lines])


def scaled(name: str) -> str:
    """Return a table of benchmarks in Markdown, with the hardware."""
    lines = (
        (measure.label, f"{values[measure.key]:{measure.form}}", measured_on(measure.source, measure.key))
        for measure, values in _measured(section(name))
    )
    return _markdown([("measure", "result", "measured on"), ("---", "--:", "---"), *lines])


def measured_on(source: str, key: str) -> str:
    """Return the hardware on which a benchmark's figure was measured."""
    content = benchmark(source)
    hardware = content.get("elsewhere", {}).get(key, content["hardware"])
    return f"one {hardware['gpu']}" if "gpu" in hardware else f"{hardware['cores']} cores, {hardware['cpu']}"


def storage() -> str:
    """Return the disk usage of the default profile in Markdown, from the sizes in dvc.lock."""
    stages = yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"].values()
    sizes = {out["path"]: out["size"] for stage in stages for out in stage["outs"]}
    lines = (
        (line.label, f"{sum(size for path, size in sizes.items() if path.startswith(tuple(line.folders))) / 1e6:.0f}")
        for line in measures().storage
    )
    return _markdown([("files", "MB"), ("---", "--:"), *lines])


def _markdown(lines: Iterable[Iterable[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


Sections = dict[str, Callable[[], str | None]]
PAGES: dict[Path, Sections] = {
    README: {"headline": headline},
    ANSWERS: {"answers": answers},
    SCALING: {"replica": partial(scaled, "replica"), "training": partial(scaled, "training"), "storage": storage},
}

# Committed picture -> output of a stage. Those below plots/evaluate are not in Git.
PICTURES = {
    Path("docs/pictures") / f"{name}.png": PLOTS / f"{made}.png"
    for name, made in {
        "vectors-map-skip-gram": "evaluate/vectors/map/skip-gram",
        "vectors-map-ngram-lm": "evaluate/vectors/map/ngram-lm",
        "names-loss": "evaluate/names/loss",
        "sentiment-loss": "evaluate/sentiment/loss",
        "fr-en-loss": "evaluate/fr-en/loss",
        "translation-attention": "evaluate/fr-en/attention/01",
        "tickers-map": "evaluate/tickers/map",
        "volatility-forecasts": "evaluate/volatility/forecasts",
        "attention-attention": "evaluate/attention/attention",
        "execution-schedules": "evaluate/execution/schedules",
        "execution-volumes": "evaluate/execution/volumes",
        "finance-protocol": "studies/finance/protocol",
        "finance-years": "studies/finance/years",
        "finance-gates": "studies/finance/gates",
        "gradients-norms": "studies/gradients/norms/norms",
        "gradients-curves": "studies/gradients/norms/curves",
        "gradients-solved": "studies/gradients/memory/solved",
        "gradients-states": "studies/gradients/states/states",
        "surnames-networks": "studies/surnames/networks",
        "translation-by-length": "studies/translation/networks/by_length",
        "translation-beams": "studies/translation/search/beams",
        "translation-tree": "studies/translation/tree/tree",
    }.items()
}


def render(page: Path, text: str) -> str:
    """Return a page's text with its generated sections updated. A section that cannot be generated here is kept.

    Raises:
        StageError: the markers of a section are missing.
    """
    for place, make in PAGES[page].items():
        begin, end = f"<!-- {place}:begin -->\n", f"<!-- {place}:end -->"
        before, opened, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (opened and closed):
            raise StageError(f"{page} has no {begin.strip()} with {end} after it; put the two lines back")
        if (made := make()) is not None:
            text = f"{before}{opened}{made}\n{closed}{after}"
    return text


def check() -> None:
    """Compare the pages with the metrics and results.

    Raises:
        StageError: a page differs from them.
    """
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if render(page, text) != text:
            raise StageError(
                f"{page} differs from the metrics or the models' answers; `python -m pipelines.report.pages --write` updates it"
            )


def show() -> None:
    """Print the results, each with the value in the checked-out commit."""
    table = Table("model", "measure", "result", "published", "baseline")
    for measure, values in _measured(section("results")):
        _, label, result, beside = _cells(measure, values)
        before = published(measure.source).get(measure.key)
        table.add_row(measure.source, label, result, "" if before is None else f"{before:{measure.form}}", beside)
    Console(emoji=False).print(table)


@cache
def published(source: str) -> Figures:
    """Return the figures of a task in the checked-out commit; empty if it has no such file."""
    command = ["git", "show", f"HEAD:./{METRICS / source}.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the user's own git
    content: Figures = json.loads(done.stdout) if done.returncode == 0 else {}
    return content


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.report.pages", description=__doc__)
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--write", action="store_true", help="also write the pages")
    modes.add_argument("--check", action="store_true", help="only compare the pages")
    arguments = parser.parse_args()
    try:
        if arguments.check:
            return check()
        show()
        if arguments.write:
            for page in PAGES:
                page.write_text(render(page, page.read_text(encoding="utf-8")), encoding="utf-8")
            for kept, made in PICTURES.items():
                if made.exists():
                    copyfile(made, kept)
    except (StageError, ControlError) as error:
        fail(str(error))


if __name__ == "__main__":
    main()
