"""Collects a user's data: finds the files, detects their format and reads their rows once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.data.catalogue import load_catalogue
from pipelines.data.fetch import Backoff
from pipelines.data.reading.rows import source_of
from pipelines.data.reading.source import RowSource
from pipelines.new.facts import Facts, gather
from pipelines.new.files import FoundFile, look_at
from pipelines.new.look import look
from pipelines.new.wish import Wish
from pipelines.paths import CATALOGUE, RAW
from pipelines.settings.errors import closest
from pipelines.stage import StageError
from pipelines.stages.download import download


@dataclass(frozen=True)
class Collected:
    """A data set that is not in the catalogue yet.

    Attributes:
        entry: its entry for the catalogue.
        sources: of its rows.
        facts: about its rows.
    """

    entry: dict[str, Any]
    sources: Sequence[RowSource]
    facts: Facts


def collect(wish: Wish, needed: Sequence[str], raw: Path) -> Collected:
    """Find the files and read their rows.

    Args:
        wish: the user's request.
        needed: columns that every source must have.
        raw: an empty folder; a link to each file is created in it.

    Raises:
        StageError: a file is missing or has an unknown format, or a source lacks a column or has no rows.
    """
    files, keys = _sources(wish, needed, raw)
    sources = [source_of(one, one["file"]) for one in keys]
    facts = gather(row for source in sources for row in source.rows(raw))
    return Collected(entry(facts.rows, wish, files, keys), sources, facts)


def _sources(wish: Wish, needed: Sequence[str], raw: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The files and the row sources for the catalogue's entry; links the files into `raw`."""
    files, sources, looked = list[dict[str, Any]](), list[dict[str, Any]](), list[FoundFile]()
    for place in wish.data:
        if place in (catalogue := load_catalogue(CATALOGUE)) and not Path(place).exists():
            files += [file.model_dump(mode="json", exclude_defaults=True) for file in catalogue[place].files]
            sources += catalogue[place].rows
            download(place, Backoff())
            for path in (RAW / place).iterdir():
                (raw / path.name).symlink_to(path.absolute())
            continue
        found = linked(place, raw)
        files.append(found.entry)
        looked.append(found)
    aligned = "target" in needed and len(looked) == 2 and all(_is_plain_text(one.name) for one in looked)
    for names in [[one.name for one in looked]] if aligned else [[one.name] for one in looked]:
        source = look(raw, names, [*needed, "split"], wish.columns)
        sources.append(source | _languages(wish, names, source) if "target" in needed else source)
    _check(sources, needed, raw)
    return files, sources


def linked(place: str, raw: Path) -> FoundFile:
    """Find a file or folder, or download a URL, and link it into `raw`.

    Raises:
        StageError: it does not exist, it is empty, or another one has the same name.
    """
    found = look_at(place, raw.parent)
    if (raw / found.name).exists():
        raise StageError(f"two files have the name {found.name}; rename one")
    (raw / found.name).symlink_to(found.path.absolute())
    return found


def _is_plain_text(name: str) -> bool:
    return not name.removesuffix(".gz").endswith((".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet", ".tmx"))


def _languages(wish: Wish, names: Sequence[str], source: Mapping[str, Any]) -> dict[str, list[str]]:
    """The language tags of both sides: as given, or from the names of columns or files."""
    columns = source.get("columns", {})
    found = list(wish.languages) or [columns.get(side, "") for side in ("source", "target")]
    if not all(found) and len(names) == 2:
        found = [Path(name.removesuffix(".gz")).suffix.lstrip(".") for name in names]
    if not all(2 <= len(tag.split("-")[0]) <= 3 and tag.split("-")[0].isalpha() for tag in found):
        raise StageError("the names of columns or files do not give the languages; add, for example, --languages de,en")
    return {"languages": found}


def _check(sources: Sequence[dict[str, Any]], needed: Sequence[str], raw: Path) -> None:
    """Raises StageError if a source lacks a column that the kind of task needs."""
    for keys in sources:
        source = source_of(keys, keys["file"])
        row = next(source.rows(raw), None)
        if row is None:
            raise StageError(f"{source.file} has no rows")
        for column in needed:
            if (
                not getattr(row, column)
                and column not in source.columns
                and not any(getattr(r, column) for r in _some(source, raw))
            ):
                have = next(iter(source.records(raw)))
                named = closest(column, have)
                raise StageError(f"{source.file}: cannot tell which column is the {column}; name it: --{column} NAME{named}")


def _some(source: RowSource, raw: Path) -> list[Any]:
    return [row for row, _ in zip(source.rows(raw), range(100), strict=False)]


def entry(rows: int, wish: Wish, files: Sequence[Any], sources: Sequence[Any]) -> dict[str, Any]:
    """An entry for the catalogue: the number of rows, the files, and how to read them."""
    return {
        "title": f"{rows:,} rows of {', '.join(Path(place).name for place in wish.data)}",
        "licence": "not stated",
        "citation": "not stated",
        "redistributable": False,
        "files": list(files),
        "rows": list(sources),
    }
