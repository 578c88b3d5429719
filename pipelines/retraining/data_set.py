"""The data set of old and new rows: a task's own, and a file with the rows of feedback."""

from pathlib import Path
from typing import Any

import yaml

from pipelines.data.catalogue import find_data_set, load_catalogue
from pipelines.data.reading.rows import sources_of
from pipelines.new.blocks import with_entry, write_both
from pipelines.new.changing import take_in
from pipelines.new.feedback import feedback_file, with_feedback
from pipelines.new.files import measured
from pipelines.paths import CATALOGUE
from pipelines.retraining.rows import TIME
from pipelines.settings.params import Params


def combined(task: str, params: Params) -> dict[str, str]:
    """Describe the data set of old and new rows in the catalogue.

    Args:
        task: the task, whose file of feedback exists.
        params: the settings.

    Returns:
        the changes to params.yaml that make the task use it, KEY -> value.
    """
    before, name = params.task(task).data.set, with_feedback(task)
    take_in(task)
    if before != name:
        _describe(name, before, feedback_file(task))
    sets = ",".join(dict.fromkeys([*params.datasets, name]))
    return {f"tasks.{task}.data.set": name, "datasets": f"[{sets}]"}


def has_times(name: str) -> bool:
    """Whether the rows of a data set have times, by which they are split."""
    sources = sources_of(find_data_set(load_catalogue(CATALOGUE), name), name)
    return any(TIME in {**source.columns, **source.values} for source in sources)


def _describe(name: str, before: str, file: Path) -> None:
    """Add an entry to the catalogue: another one's, with one more file. An entry that is there gets the file's new digest."""
    text = CATALOGUE.read_text(encoding="utf-8")
    listed = yaml.safe_load(text)
    if name in listed:
        take_in(name)
        return
    size, sha256 = measured(file)
    entry = listed[before]
    alone = _free(f"{file.stem}-feedback.csv", entry)
    own = {"name": alone, "size": size, "sha256": sha256, "sources": [{"kind": "local", "path": str(file)}]}
    source = {"format": "csv", "file": alone} | ({"columns": {TIME: TIME}} if has_times(before) else {})
    entry["title"] += ", and feedback on answers"
    entry["redistributable"] = False
    entry["files"] += [own]
    entry["rows"] += [source]
    write_both({CATALOGUE: with_entry(text, name, entry)})


def _free(name: str, entry: dict[str, Any]) -> str:
    """A name that no file of a data set has: they all lie in one folder."""
    taken = {one[key] for files, key in (("files", "name"), ("rows", "file")) for one in entry[files]}
    return name if name not in taken else _free(f"_{name}", entry)
