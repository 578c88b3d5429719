"""What MLflow knows: runs and registered models."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

import numpy as np
from mlflow.exceptions import MlflowException

from pipelines.lineage.rows import ARTIFACT, Digests
from pipelines.settings.errors import closest
from pipelines.stage import StageError
from pipelines.tracking.moved import DATABASE, follow_artifacts
from pipelines.tracking.runs import DEFAULT_URI, EXPERIMENT, INVOCATION
from pipelines.tracking.server import connect, in_one_line, shown
from serving.registry import named

PREFIX: Final = named("")  # of a registered model's name, before the task's
PARENT: Final = "mlflow.parentRunId"
STAGES: Final = ("train", "export", "evaluate", "compare")  # that MLflow tracks, before `register`
RETRIES: Final = 2  # of a request to the server
MOST: Final = 1000  # runs of one search


@dataclass(frozen=True)
class Run:
    """A run in MLflow.

    Attributes:
        inputs: (name, digest) of each data set that was logged as its input.
    """

    id: str
    name: str
    status: str
    started: datetime
    tags: dict[str, str]
    params: dict[str, str] = field(repr=False)
    inputs: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, run: Any) -> Self:
        """Take over MLflow's own object."""
        started = datetime.fromtimestamp(run.info.start_time / 1000, UTC)
        inputs = tuple((one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs) if run.inputs else ()
        return cls(run.info.run_id, run.info.run_name, run.info.status, started, run.data.tags, run.data.params, inputs)

    @property
    def task(self) -> str:
        """Its task; empty for the parent run of a build."""
        return self.tags.get("task", "")

    @property
    def data_sets(self) -> list[str]:
        """The names of the raw data sets that it has read."""
        return self.tags.get("dataset", "").split()

    @property
    def files(self) -> list[str]:
        """The sha256 of all their files."""
        return self.tags.get("dataset_sha256", "").split()

    @property
    def parent(self) -> str:
        """Id of the parent run: the build."""
        return self.tags.get(PARENT, "")

    @property
    def is_build(self) -> bool:
        """Whether it is the parent run of stages."""
        return INVOCATION in self.tags


@dataclass(frozen=True)
class Version:
    """A registered version of a task's model.

    Attributes:
        archive: version of its archive, as in the header X-Model-Version; empty if it was not packaged.
    """

    task: str
    number: str
    run_id: str
    archive: str
    aliases: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name on the command line."""
        return f"{self.task}@{self.number}"


class History:
    """Runs and models of one MLflow server or database.

    Args:
        uri: as in MLFLOW_TRACKING_URI.

    Raises:
        StageError: there is no database, or no server answers.
    """

    def __init__(self, uri: str) -> None:
        if uri == DEFAULT_URI:
            if not DATABASE.exists():
                raise StageError(f"there is no {DATABASE} here: build a model first, or set MLFLOW_TRACKING_URI")
            follow_artifacts()
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        self._uri, self._client = uri, connect(uri, RETRIES)
        with in_one_line(uri):
            experiment = self._client.get_experiment_by_name(EXPERIMENT)
        self._experiments = [experiment.experiment_id] if experiment else []

    def tasks(self) -> list[str]:
        """The tasks that have registered models."""
        with in_one_line(self._uri):
            found = self._client.search_registered_models(f"name LIKE '{PREFIX}%'", max_results=MOST)
        return sorted(model.name.removeprefix(PREFIX) for model in found)

    def versions(self, task: str) -> list[Version]:
        """All versions of a task's model, the newest first; none for an unknown task."""
        with in_one_line(self._uri):
            found = self._client.search_model_versions(f"name = '{named(task)}'")
            aliases = self._client.get_registered_model(named(task)).aliases if found else {}
        made = (_version(task, one, aliases) for one in found)
        return sorted(made, key=lambda version: int(version.number), reverse=True)

    def find(self, task: str, which: str) -> Version:
        """The version of a task's model with an alias, a number or an archive's version.

        Raises:
            StageError: there is none.
        """
        known = self.versions(task)
        if not known:
            raise StageError(f"there is no registered model of {task!r}{closest(task, self.tasks())}")
        for version in known:
            if which in (version.number, version.archive, *version.aliases) or _is_unpackaged(version, which):
                return version
        names = [name for version in known for name in (*version.aliases, version.number)]
        raise StageError(f"the model of {task} has no version {which!r}{closest(which, names)}")

    def of_archive(self, archive: str, tasks: list[str]) -> list[Version]:
        """The versions of these tasks' models with the version of an archive."""
        found = (version for task in tasks for version in self.versions(task))
        return [version for version in found if version.archive == archive or _is_unpackaged(version, archive)]

    def registered_by(self, run: Run) -> list[Version]:
        """The versions that a run registered."""
        return [version for version in self.versions(run.task) if version.run_id == run.id] if run.task else []

    def run(self, identity: str) -> Run | None:
        """A run by its id; None if there is none."""
        with in_one_line(self._uri):
            try:
                return Run.read(self._client.get_run(identity))
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return None

    def beginning_with(self, prefix: str) -> list[Run]:
        """The runs whose ids begin with these hexadecimal digits."""
        return self._search(f"attributes.run_id LIKE '{prefix}%'")

    def stages(self, build: str, task: str = "") -> list[Run]:
        """The runs of a build's stages, in the order of time; those of one task, if given."""
        of_task = f" AND tags.task = '{task}'" if task else ""
        return sorted(self._search(f"tags.`{PARENT}` = '{build}'{of_task}"), key=lambda run: run.started)

    def makers(self, run: Run) -> list[Run]:
        """The runs that made what a run registered, in the order of time.

        They are the earlier stages of the same build. DVC does not repeat a stage whose inputs have not changed: then it is the
        latest run before with the same settings and data.
        """
        build = [one for one in self.stages(run.parent, run.task) if one.started <= run.started and one.id != run.id]
        missing = [stage for stage in STAGES if stage not in {one.tags["stage"] for one in build}]
        found = [*build, *(one for stage in missing for one in self._latest(stage, run))]
        return sorted(found, key=lambda one: one.started)

    def _latest(self, stage: str, run: Run) -> list[Run]:
        before = int(run.started.timestamp() * 1000)
        found = self._search(
            f"tags.stage = '{stage}' AND tags.task = '{run.task}' AND attributes.status = 'FINISHED' "
            f"AND attributes.start_time < {before}"
        )
        same = [one for one in found if one.params == run.params and _data(one) == _data(run)]
        return same[:1]

    def readers(self, digest: str) -> list[Run]:
        """The runs that read data with a digest, or one that begins so: an input's or a raw file's. The latest come first."""
        found = [*self._search(f"dataset.digest LIKE '{digest}%'"), *self._search(f"tags.dataset_sha256 LIKE '%{digest}%'")]
        by_id = {run.id: run for run in found}
        return sorted(by_id.values(), key=lambda run: run.started, reverse=True)

    def train_rows(self, version: Version) -> Digests | None:
        """The digests of the rows that a version was trained on, see `pipelines.lineage.rows`; None if they were not recorded."""
        with in_one_line(self._uri), self._artifacts(version), TemporaryDirectory(prefix="seqline-") as place:
            if ARTIFACT not in {file.path for file in self._client.list_artifacts(version.run_id, ARTIFACT.partition("/")[0])}:
                return None
            rows: Digests = np.load(Path(self._client.download_artifacts(version.run_id, ARTIFACT, place)))
            return rows

    @contextmanager
    def _artifacts(self, version: Version) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = shown(self._uri)
            raise StageError(f"MLflow at {place} has no access to the artifacts of {version.name}: {error}") from error

    def _search(self, condition: str) -> list[Run]:
        """The runs that meet a condition, at most MOST; the latest come first."""
        if not self._experiments:
            return []
        with in_one_line(self._uri):
            return [Run.read(run) for run in self._client.search_runs(self._experiments, condition, max_results=MOST)]


def _version(task: str, found: Any, aliases: dict[str, str]) -> Version:
    own = sorted(alias for alias, number in aliases.items() if str(number) == str(found.version))
    return Version(task, str(found.version), found.run_id, found.tags.get("archive", ""), tuple(own))


def _is_unpackaged(version: Version, archive: str) -> bool:
    """Whether the version of an archive has a version's number, which is all that is known of one without the tag `archive`."""
    number = re.match(r"(\d+)-", archive)
    return not version.archive and number is not None and number[1] == version.number


def _data(run: Run) -> str | None:
    return run.tags.get("dataset_sha256")
