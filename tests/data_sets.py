"""Small data sets in the catalogue's form."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.data.reading.rows import source_of
from pipelines.data.reading.source import RowSource


def data_set(*sources: dict[str, Any]) -> list[RowSource]:
    """The sources of rows of a catalogue entry."""
    return [source_of(keys, keys["file"]) for keys in sources]


def json_lines(folder: Path, rows: Sequence[Mapping[str, str]], file: str = "rows.jsonl", **source: Any) -> dict[str, Any]:
    """Write rows to a JSON Lines file; returns its catalogue source, with the columns group, split and time by name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    named = {column: column for column in ("group", "split", "time") if rows and column in rows[0]}
    return {"format": "jsonl", "file": file, "columns": named, **source}
