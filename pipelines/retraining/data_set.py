"""The data set of old and new rows: a task's own, and a file with the rows of feedback."""

from pathlib import Path

import yaml

from pipelines.new.blocks import with_entry, write_both
from pipelines.new.changing import take_in
from pipelines.new.files import measured
from pipelines.paths import CATALOGUE, FEEDBACK
from pipelines.settings.params import Params

SUFFIX = "-and-feedback"


def feedback_file(task: str) -> Path:
    """The file with a task's rows of feedback."""
    return FEEDBACK / f"{task}.csv"


def combined(task: str, params: Params) -> dict[str, str]:
    """Describe the data set of old and new rows in the catalogue.

    Args:
        task: the task, whose file of feedback exists.
        params: the settings.

    Returns:
        the changes to params.yaml that make the task use it, KEY -> value.
    """
    before = params.task(task).data.set
    if before.endswith(SUFFIX):
        take_in(before)
        name = before
    else:
        name = f"{task}{SUFFIX}"
        _describe(name, before, feedback_file(task))
    sets = ",".join(dict.fromkeys([*params.datasets, name]))
    return {f"tasks.{task}.data.set": name, "datasets": f"[{sets}]"}


def _describe(name: str, before: str, file: Path) -> None:
    """Add an entry to the catalogue: another one's, with one more file. An entry that is there gets the file's new digest."""
    text = CATALOGUE.read_text(encoding="utf-8")
    listed = yaml.safe_load(text)
    if name in listed:
        take_in(name)
        return
    size, sha256 = measured(file)
    own = {"name": file.name, "size": size, "sha256": sha256, "sources": [{"kind": "local", "path": str(file)}]}
    entry = listed[before]
    entry["title"] += ", and answers that people corrected"
    entry["redistributable"] = False
    entry["files"] += [own]
    entry["rows"] += [{"format": "csv", "file": file.name}]
    write_both({CATALOGUE: with_entry(text, name, entry)})
