"""Events of tracked stages for a catalogue of lineage that speaks OpenLineage, such as Marquez: https://openlineage.io.

They are sent if the environment variable OPENLINEAGE_URL is set and the extra `openlineage` is installed. The client's own
variables apply, such as OPENLINEAGE_API_KEY and OPENLINEAGE_ENDPOINT. A catalogue that does not answer never fails a stage.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.util import find_spec
from logging import ERROR, getLogger
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from pipelines.stage import first_cause
from pipelines.tracking.delivery import notice
from pipelines.tracking.server import shown

if TYPE_CHECKING:
    from dvc.output import Output
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent
    from openlineage.client.facet_v2 import DatasetFacet, RunFacet

URL: Final = "OPENLINEAGE_URL"
NAMESPACE: Final = "seqline"  # of jobs and data sets
PRODUCER: Final = "urn:seqline"
PARENT: Final = "mlflow.parentRunId"
TAGS: Final = ("git_commit", "dvc_lock_sha256", "dataset", "dataset_sha256")  # of a run, which its events have, too
PATIENCE_S: Final = 10.0  # time that a stage waits at its end for the catalogue
AFTER_FAILURE_S: Final = 1.0  # the same if the catalogue did not take the first event

State = Literal["START", "COMPLETE", "FAIL", "ABORT"]


@contextmanager
def announced(run_id: str, tags: Mapping[str, str], build: str) -> Iterator[None]:
    """Send an event before and after the work of a stage in the block; without OPENLINEAGE_URL, do nothing.

    Args:
        run_id: id of the stage's run in MLflow.
        tags: of the run, with `stage`, `task` and its parent.
        build: name of the parent run.
    """
    if not os.environ.get(URL):
        yield
        return
    if find_spec("openlineage") is None:
        notice(f"{URL} is set, but the extra openlineage is not installed: no events are sent")
        yield
        return
    announcer = Announcer(run_id, tags, build)
    try:
        yield
    except BaseException as error:
        announcer.end("FAIL" if isinstance(error, Exception) else "ABORT", str(error) or type(error).__name__)
        raise
    announcer.end("COMPLETE")


@dataclass(frozen=True)
class _Moment:
    """A change of a run's state."""

    state: State
    error: str = ""
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat())


class Announcer:
    """Sends the events of one run in a background thread; for its arguments, see `announced`."""

    def __init__(self, run_id: str, tags: Mapping[str, str], build: str) -> None:
        self._run_id, self._tags, self._build = run_id, tags, build
        self._moments, self._failure = SimpleQueue[_Moment](), ""
        self._moments.put(_Moment("START"))
        self._thread = Thread(target=self._work, name="events", daemon=True)
        self._thread.start()

    def end(self, state: State, error: str = "") -> None:
        """Send the last event, and wait for a moment until all have arrived. Problems are printed."""
        self._moments.put(_Moment(state, error))
        patience_s = AFTER_FAILURE_S if self._failure else PATIENCE_S
        self._thread.join(patience_s)
        if self._thread.is_alive():
            self._failure = self._failure or f"no answer after {patience_s:g} s"
        if self._failure:
            notice(f"{shown(os.environ[URL])} did not get all OpenLineage events of this stage: {self._failure}")

    def _work(self) -> None:
        """Send events until the run has ended. A failed one does not stop the next."""
        is_running = True
        while is_running:
            moment = self._moments.get()
            is_running = moment.state == "START"
            try:
                self._client.emit(self._event(moment))
            except Exception as error:  # an error of a library or the network must not fail the stage
                self._failure = first_cause(error)

    @cached_property
    def _client(self) -> "OpenLineageClient":
        from openlineage.client import OpenLineageClient

        getLogger("urllib3.connectionpool").setLevel(ERROR)  # it would print each retry
        return OpenLineageClient()

    def _event(self, moment: _Moment) -> "RunEvent":
        from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState, set_producer
        from openlineage.client.facet_v2 import job_type_job

        set_producer(PRODUCER)
        deps, outs = self._files
        done = moment.state == "COMPLETE"
        kind = job_type_job.JobTypeJobFacet(processingType="BATCH", integration="DVC", jobType="STAGE")
        return RunEvent(
            eventType=RunState(moment.state),
            eventTime=moment.time,
            run=Run(str(UUID(self._run_id)), self._facets(moment)),
            job=Job(NAMESPACE, f"{self._tags['stage']}.{self._tags['task']}", {"jobType": kind}),
            inputs=[InputDataset(NAMESPACE, one.def_path, facets=_version(one)) for one in deps],
            outputs=[OutputDataset(NAMESPACE, one.def_path, facets=_version(one) if done else {}) for one in outs],
            producer=PRODUCER,
        )

    @cached_property
    def _files(self) -> "tuple[Sequence[Output], Sequence[Output]]":
        """What the stage reads and writes; nothing if it is in no pipeline."""
        from pipelines.tracking.files import data_of, find_stage

        stage = find_stage(self._tags["stage"], self._tags["task"])
        return (data_of(stage), stage.outs) if stage else ([], [])

    def _facets(self, moment: _Moment) -> "dict[str, RunFacet]":
        from openlineage.client.facet_v2 import error_message_run, parent_run, tags_run

        parent = parent_run.Run(str(UUID(self._tags[PARENT])))
        tags = [tags_run.TagsRunFacetFields(name, self._tags[name], "MLFLOW") for name in TAGS if self._tags.get(name)]
        facets: dict[str, RunFacet] = {
            "parent": parent_run.ParentRunFacet(parent, parent_run.Job(NAMESPACE, self._build)),
            "tags": tags_run.TagsRunFacet(tags),
        }
        if moment.error:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(moment.error, "python")
        return facets


def _version(out: "Output") -> "dict[str, DatasetFacet]":
    """The facet with a digest of a file or folder; none if it is missing."""
    from openlineage.client.facet_v2 import dataset_version_dataset

    from pipelines.tracking.files import digest_of

    digest = digest_of(out)
    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(digest)} if digest else {}
