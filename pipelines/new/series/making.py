"""Turns a user's files of series into a block of params.yaml and an entry of the catalogue."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml

from pipelines.data.catalogue import load_catalogue
from pipelines.data.series.source import Series, SeriesSource
from pipelines.new.blocks import with_block, with_data_set, with_entry
from pipelines.new.collecting import entry, linked
from pipelines.new.series.columns import series_source
from pipelines.new.series.facts import SeriesFacts, gather_series, told, warnings_of
from pipelines.new.telling import told_splits
from pipelines.new.wish import Made, Wish
from pipelines.paths import CATALOGUE, PARAMS
from pipelines.settings.errors import closest
from pipelines.settings.params import Params, checked
from pipelines.settings.tasks import SeriesTask
from pipelines.stage import StageError
from pipelines.stages.prepare import prepare_series

OPTIONS: Final = ("time", "target", "group")  # options that name columns, besides --inputs
BLOCK: Final = Path("blocks/times.yaml")  # in the kind's folder


def make_series(wish: Wish, text: str, catalogue: str) -> Made:
    """Analyse the series, choose sizes, and prepare the series once as a test. Writes nothing.

    Args:
        wish: the user's request.
        text: params.yaml.
        catalogue: data/catalogue.yaml.

    Raises:
        StageError: a file is missing or has an unknown format, or its series are not suitable for the task.
    """
    kind = import_module(f"pipelines.kinds.{wish.kind}.proposal")
    _check(wish, kind.UNITS)
    with TemporaryDirectory(prefix="seqline-") as scratch:
        raw = Path(scratch) / "raw"
        raw.mkdir()
        try:
            files, sources, target = _sources(wish, raw)
            series = _read(sources, raw)
            facts = gather_series(series, target)
            finished = _written(wish, kind, facts, text)
            task = checked(yaml.safe_load(finished), Params, str(PARAMS)).task_of(wish.name, SeriesTask)
            statistics = prepare_series(task, series, Path(scratch) / "prepared")
        except StageError as error:  # the folder will not exist when the user reads this
            raise StageError(str(error).replace(f"{raw}/", "")) from error
    lines = [*told(facts), kind.said(facts), f"{told_splits(statistics)} windows"]
    listed = with_entry(catalogue, wish.name, _entry(wish, facts, files, sources))
    return Made(finished, listed, lines, list(warnings_of(facts)), f"--json .serving/examples/{wish.name}.json")


def _check(wish: Wish, units: Sequence[str]) -> None:
    """Refuse options that do not apply to series."""
    for option in wish.columns:
        if option not in OPTIONS:
            raise StageError(f"--{option} is not for {wish.kind}, whose columns are --time, --target, --inputs and --group")
    if wish.languages or wish.methods:
        raise StageError(f"--languages and --method are not for {wish.kind}")
    if wish.units and wish.units not in units:
        raise StageError(f"the kind {wish.kind} does not support the units {wish.units!r}{closest(wish.units, units)}")


def _sources(wish: Wish, raw: Path) -> tuple[list[Any], list[SeriesSource], str]:
    """The files for the catalogue's entry, how to read each, and the column to forecast."""
    files, sources, targets = list[Any](), list[SeriesSource](), list[str]()
    for place in wish.data:
        if place in load_catalogue(CATALOGUE) and not Path(place).exists():
            raise StageError(f"{place} is a data set of the catalogue; for series, name a file")
        found = linked(place, raw)
        source, target = series_source(raw, found.name, wish)
        files.append(found.entry)
        sources.append(source)
        targets.append(target)
    for source, target in zip(sources, targets, strict=True):
        if target != targets[0] or source.columns.keys() != sources[0].columns.keys():
            raise StageError(f"{source.file} has other columns than {sources[0].file}; make a separate task for each")
    return files, sources, targets[0]


def _read(sources: Sequence[SeriesSource], raw: Path) -> list[Series]:
    series = [one for source in sources for one in source.read(raw)]
    names = [one.name for one in series]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise StageError(f"two series have the name {twice!r}; rename a file, or change a value in the --group column")
    return series


def _written(wish: Wish, kind: Any, facts: SeriesFacts, text: str) -> str:
    """params.yaml with the task."""
    title = f"{wish.kind} of {', '.join(Path(place).name for place in wish.data)}"
    template = Template((Path(kind.__file__).parent / BLOCK).read_text(encoding="utf-8"))
    block = template.substitute(kind.values(wish.name, title, facts))
    return with_block(with_data_set(text, wish.name), "tasks", wish.name, block)


def _entry(wish: Wish, facts: SeriesFacts, files: Sequence[Any], sources: Sequence[SeriesSource]) -> dict[str, Any]:
    rows = [{"format": "series", **source.model_dump(exclude_defaults=True)} for source in sources]
    return entry(sum(map(len, facts.series)), wish, files, rows)
