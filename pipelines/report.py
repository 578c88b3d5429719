"""The results table, benchmarks and example answers: written into the pages that state them, and compared with these.

`python -m pipelines.report` shows the table, `--write` also writes the pages, `--check` fails where one differs.
"""

import argparse
import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from pipelines.measures import (
    BENCHMARKS,
    CONTAINERS_FIGURES,
    RECURRENT_FIGURES,
    REPLICA_FIGURES,
    SERVING_FIGURES,
    STORAGE,
    TABLE,
    TRAINING_FIGURES,
    TRANSLATION_FIGURES,
    VECTOR_FIGURES,
    Measure,
)
from pipelines.paths import METRICS, STORE
from pipelines.record import RESULTS
from pipelines.stage import StageError, fail
from serving.package import Example
from serving.server.archive import Archive
from serving.server.errors import ControlError

README, SCALING = Path("README.md"), Path("docker/SCALING.md")
LOCK = Path("dvc.lock")
URL = "http://127.0.0.1:8080/predictions"
HEADER = ("model", "measure", "result", "baseline")
TASKS = ("surname", "names", "fr-en", "sentiment", "vectors")  # in the order of the chapter

Figures = dict[str, Any]


def figures(source: str) -> Figures:
    """What is known of a task or of a benchmark; nothing where it was not run yet."""
    return _read(source)["figures"] if source in BENCHMARKS else _read(source)


def _read(source: str) -> Figures:
    path = (RESULTS if source in BENCHMARKS else METRICS) / f"{source}.json"
    content: Figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"figures": {}}
    return content


def rows(table: Iterable[Measure] = TABLE) -> Iterator[tuple[str, str, str, str]]:
    """The table's cells. A figure that was not measured has no row."""
    for measure in table:
        values = figures(measure.source)
        if measure.key in values:
            beside = f"{values[measure.baseline]:{measure.form}} ({measure.by})" if measure.baseline in values else ""
            if measure.source == "pipeline":
                beside = f"measured at commit {measured_at(measure.key)[:7]}"
            yield measure.source, measure.label, f"{values[measure.key]:{measure.form}}", beside


def measured_at(key: str) -> str:
    """The commit that a figure of the benchmark of the pipeline is from."""
    content = _read("pipeline")
    commit: str = content.get("earlier", {}).get(key, content["commit"])
    return commit


def results() -> str:
    """The table in Markdown, and the exact definitions of the translation scores."""
    table = _markdown([HEADER, ("---", "---", "--:", "---"), *rows()])
    translation = figures("fr-en")
    signatures = [f"`{translation[key]}`" for key in ("bleu_signature", "chrf_signature") if key in translation]
    return table + (f"\n\nsacreBLEU's signatures: {', '.join(signatures)}." if signatures else "")


def answers() -> str | None:
    """For each model a request and what it answers, in Markdown; None where a model has not been built.

    The answer is the served class's own, so it is the one that the server gives.
    """
    if not all((STORE / f"{task}.mar").is_file() for task in TASKS):
        return None
    return "\n\n".join(_answer(task, Archive.read(STORE / f"{task}.mar").examples[0]) for task in TASKS)


def _answer(task: str, example: Example) -> str:
    sent, got = (json.dumps(content, ensure_ascii=False) for content in (example.request, example.answer))
    headers = "-H @.serving/authorization -H 'Content-Type: application/json'"
    return f"```console\n$ curl -s {URL}/{task} {headers} -d {shlex.quote(sent)}\n{got}\n```"


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
    """The table of word vectors in Markdown, a line for each method; None where they were not compared yet."""
    known = figures("vectors")
    if not known:
        return None
    methods = {key.partition(".")[0]: _read(f"embed/{key.partition('.')[0]}") for key in known}  # with what training measured
    lines = [("method", *(title for title, _ in COLUMNS.values())), ("---", *("--:" for _ in COLUMNS))]
    for method, measured in methods.items():
        cells = ((known.get(f"{method}.{key}", measured.get(key)), form) for key, (_, form) in COLUMNS.items())
        lines.append((method, *("" if value is None else f"{value:{form}}" for value, form in cells)))
    return _markdown(lines)


def compared(table: Iterable[Measure]) -> str:
    """What benchmarks and studies measured, in Markdown."""
    return _markdown([("measure", "result", "beside it"), ("---", "--:", "---"), *(cells[1:] for cells in rows(table))])


def scaled(table: Iterable[Measure]) -> str:
    """What benchmarks measured, and on what, in Markdown."""
    lines = ((label, value, measured_on(source, key)) for source, key, label, value in _measured(table))
    return _markdown([("measure", "result", "measured on"), ("---", "--:", "---"), *lines])


def _measured(table: Iterable[Measure]) -> Iterator[tuple[str, str, str, str]]:
    for measure in table:
        values = figures(measure.source)
        if measure.key in values:
            yield measure.source, measure.key, measure.label, f"{values[measure.key]:{measure.form}}"


def measured_on(source: str, key: str) -> str:
    """The hardware that a benchmark's figure is of."""
    content = _read(source)
    hardware = content.get("elsewhere", {}).get(key, content["hardware"])
    return f"one {hardware['gpu']}" if "gpu" in hardware else f"{hardware['cores']} cores, {hardware['cpu']}"


def storage() -> str:
    """What the files of the default profile take, by the sizes in dvc.lock, in Markdown."""
    stages = yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"].values()
    sizes = {out["path"]: out["size"] for stage in stages for out in stage["outs"]}
    lines = (
        (label, f"{sum(size for path, size in sizes.items() if path.startswith(folders)) / 1e6:.0f}")
        for label, folders in STORAGE.items()
    )
    return _markdown([("files", "MB"), ("---", "--:"), *lines])


def _markdown(lines: Iterable[Iterable[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


Sections = dict[str, Callable[[], str | None]]
PAGES: dict[Path, Sections] = {
    README: {
        "results": results,
        "vectors": vectors,
        "vector-figures": partial(compared, VECTOR_FIGURES),
        "recurrent-figures": partial(compared, RECURRENT_FIGURES),
        "translation-figures": partial(compared, TRANSLATION_FIGURES),
        "answers": answers,
        "serving-figures": partial(compared, SERVING_FIGURES),
        "containers-figures": partial(compared, CONTAINERS_FIGURES),
    },
    SCALING: {
        "replica": partial(scaled, REPLICA_FIGURES),
        "training": partial(scaled, TRAINING_FIGURES),
        "storage": storage,
    },
}


def render(page: Path, text: str) -> str:
    """A page's text with its generated sections made anew; one that cannot be made here stays as it is.

    Raises:
        StageError: the markers of a section are missing.
    """
    for section, make in PAGES[page].items():
        begin, end = f"<!-- {section}:begin -->\n", f"<!-- {section}:end -->"
        before, opened, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (opened and closed):
            raise StageError(f"{page} has no {begin.strip()} with {end} after it; put the two lines back")
        if (made := make()) is not None:
            text = f"{before}{opened}{made}\n{closed}{after}"
    return text


def check() -> None:
    """Compare.

    Raises:
        StageError: a page states something else than the files do.
    """
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if render(page, text) != text:
            raise StageError(
                f"{page} differs from the metrics files or the models' answers; `python -m pipelines.report --write` mends it"
            )


def show() -> None:
    """Print the table."""
    table = Table(*HEADER)
    for cells in rows():
        table.add_row(*cells)
    Console().print(table)


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.report", description=__doc__)
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
    except (StageError, ControlError) as error:
        fail(str(error))


if __name__ == "__main__":
    main()
