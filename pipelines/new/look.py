"""Detects a file's format and the meaning of its columns."""

import csv
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pipelines.data.reading.rows import source_of
from pipelines.data.reading.text_files import lines_of
from pipelines.settings.errors import closest
from pipelines.stage import StageError

FORMATS: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".tmx": "tmx",
    ".txt": "lines",
}
DELIMITERS: Final = ",;\t|"
USUAL: Final[Mapping[str, Sequence[str]]] = {
    "text": (
        "text",
        "body",
        "sentence",
        "review",
        "content",
        "message",
        "comment",
        "tweet",
        "utterance",
        "description",
        "title",
        "name",
    ),
    "label": ("label", "category", "class", "queue", "topic", "intent", "sentiment", "type", "target", "y"),
    "source": ("source", "src"),
    "target": ("target", "tgt", "translation"),
    "split": ("split", "subset"),
}
LOOKED_AT: Final = 200  # records


def look(folder: Path, files: Sequence[str], wanted: Sequence[str], columns: Mapping[str, str]) -> dict[str, Any]:
    """How to read a file: the keys of a row source, for the catalogue.

    Args:
        folder: with the files.
        files: one file, or two whose lines are translations of each other.
        wanted: the columns that the kind of task needs or can use.
        columns: ours -> the file's, as far as they are known.

    Raises:
        StageError: the format is not supported, or a given column does not exist.
    """
    if columns and (len(files) == 2 or format_of(folder / files[0])["format"] in ("lines", "folders")):
        raise StageError(f"{files[0]} has no named columns, so --{next(iter(columns))} does not apply")
    if len(files) == 2:
        return {"format": "aligned", "file": files[0], "translations": files[1]}
    (file,) = files
    found = format_of(folder / file) | {"file": file}
    if found["format"] in ("lines", "folders"):
        return found
    record = next(iter(source_of(found, file).records(folder)), None)
    if record is None:
        raise StageError(f"{folder / file} has no rows")
    return found | {"columns": _columns(list(record), wanted, columns, folder / file)}


def format_of(path: Path) -> dict[str, Any]:
    """The keys of a source for a file's format, which its name determines; for CSV also the delimiter.

    Raises:
        StageError: the name does not have a supported suffix.
    """
    if path.is_dir():
        return {"format": "folders"}
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in FORMATS:
        raise StageError(f"{path}: a name that ends in {suffix or 'nothing'} has no known format{closest(suffix, FORMATS)}")
    if FORMATS[suffix] != "csv":
        return {"format": FORMATS[suffix]}
    return {"format": "csv", "delimiter": _delimiter(path)}


def _delimiter(path: Path) -> str:
    """The delimiter that gives all of the first records the same number of fields, and the largest such number."""
    found = {}
    for delimiter in DELIMITERS:
        try:
            records = list(islice(csv.reader(lines_of(path), delimiter=delimiter), LOOKED_AT))
        except csv.Error:
            continue
        widths = {len(record) for record in records if record}
        if len(widths) == 1 and (width := widths.pop()) > 1:
            found[width] = delimiter
    if not found:
        first = next(csv.reader(lines_of(path)), [])
        if len(first) <= 1:
            return ","
        return max(DELIMITERS, key=lambda one: next(iter(lines_of(path)), "").count(one))
    return found[max(found)]


def _columns(have: Sequence[str], wanted: Sequence[str], given: Mapping[str, str], path: Path) -> dict[str, str]:
    """Ours -> the file's: as given, otherwise by common names."""
    chosen = dict(given)
    for column, name in given.items():
        if name not in have:
            raise StageError(f"{path} has no column {name!r} for --{column}{closest(name, have)}")
    for column in wanted:
        if column in chosen:
            continue
        free = {name.lower(): name for name in have if name not in chosen.values()}
        usual = next((free[name] for name in USUAL.get(column, ()) if name in free), None)
        if usual is not None:
            chosen[column] = usual
    return chosen
