"""What a question is about: an answer, a version, a run, data or a row."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from pipelines.lineage.graph import Graph
from pipelines.lineage.nodes import Sources
from pipelines.lineage.walk import of_answer, of_data, of_data_set, of_file, of_row, of_run, of_version
from pipelines.settings.errors import closest
from pipelines.stage import StageError

NAMED: Final = re.compile(r"(?P<task>[a-z0-9]+(?:-[a-z0-9]+)*)@(?P<which>[\w.-]+)")
ARCHIVE: Final = re.compile(r"\d+-[0-9a-f]{8}")  # version of an archive
HEX: Final = re.compile(r"[0-9a-f]{8,64}(\.dir)?", re.IGNORECASE)


def trace(sources: Sources, what: str, task: str = "") -> Graph:
    """The lineage of a thing, which is recognized by its form.

    Args:
        sources: what is known.
        what: an answer's id, a version as in X-Model-Version, TASK@VERSION with one of these, an alias or a number, a run's id, a
            digest of data, the name of a data set, or the input of a row. Eight digits of an id or a digest are enough if they
            are unique.
        task: consider the models of this task only.

    Raises:
        StageError: nothing or several things are known by this name.
    """
    if match := NAMED.fullmatch(what):
        return of_version(sources, sources.history.find(match["task"], match["which"]))
    if what in sources.catalogue:
        return of_data_set(sources, what)
    tasks, found = _tasks(sources, task), dict[str, Callable[[], Graph]]()
    if ARCHIVE.fullmatch(what):
        found = {one.name: partial(of_version, sources, one) for one in sources.history.of_archive(what, tasks)}
    elif HEX.fullmatch(what):
        found = dict(_by_digits(sources, what.lower()))
    if len(found) > 1:
        raise StageError(f"{what} fits several: {', '.join(found)}; ask about one of them")
    if found:
        return next(iter(found.values()))()
    if not (graph := of_row(sources, what, "", tasks)).edges:
        raise StageError(
            f"{what!r} is unknown: there is no record of such an answer, version, run or digest, no such data set, "
            "and no registered model is known to be trained on such a row"
        )
    return graph


def trace_row(sources: Sources, text: str, answer: str = "", task: str = "") -> Graph:
    """The models that were trained on a row, see `of_row`; of all tasks, unless one is given.

    Raises:
        StageError: the task has no registered model.
    """
    return of_row(sources, text, answer, _tasks(sources, task))


def _by_digits(sources: Sources, digits: str) -> Iterator[tuple[str, Callable[[], Graph]]]:
    """Everything whose id or digest begins with these digits."""
    for identity in sources.answers.beginning_with(digits):
        yield f"answer {identity}", partial(of_answer, sources, identity)
    for run in sources.history.beginning_with(digits):
        yield f"run {run.id}", partial(of_run, sources, run)
    readers = sources.history.readers(digits)
    for digest in {digest for run in readers for _, digest in run.inputs}:
        if digest.startswith(digits):
            yield f"data {digest}", partial(of_data, sources, digest)
    logged = {digest for run in readers for digest in run.files}
    listed = {file.sha256 for known in sources.catalogue.values() for file in known.files}
    for digest in sorted(logged | listed):
        if digest.startswith(digits):
            yield f"file {digest}", partial(of_file, sources, digest)


def _tasks(sources: Sources, task: str) -> list[str]:
    known = sources.history.tasks()
    if task and task not in known:
        raise StageError(f"there is no registered model of {task!r}{closest(task, known)}")
    return [task] if task else known
