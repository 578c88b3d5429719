"""MLflow's model registry, as far as a server needs it: finds a version of a model, fetches its archive, and tags it."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from serving.contents import SHA256
from serving.server.errors import ControlError

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULT_URI: Final = "sqlite:///mlflow.db"
URI: Final = "MLFLOW_TRACKING_URI"  # environment variable
FOLDER: Final = "archive"  # of a run's artifacts
ARCHIVE: Final = "archive"  # tag of a version: the archive's own version
MISSING: Final = "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True)
class Registered:
    """A version of a model in the registry.

    Attributes:
        task: name of the task.
        number: number of the version.
        run_id: the run that registered it, which has the archive.
        archive: version of the archive, as in the answers' header X-Model-Version; None if it was never uploaded.
    """

    task: str
    number: str
    run_id: str
    archive: str | None


def named(task: str) -> str:
    """The name of a task's model in the registry."""
    return f"seqline-{task}"


class Registry:
    """Access to a registry.

    Args:
        uri: of the tracking server or its database, as in MLFLOW_TRACKING_URI.
    """

    def __init__(self, uri: str = DEFAULT_URI) -> None:
        self._uri = uri

    def find(self, task: str, which: str) -> Registered:
        """Find a version of a task's model by its alias or number.

        Raises:
            ControlError: there is none, or the registry does not answer.
        """
        with self._in_one_line():
            model = _or_none(self._client.get_registered_model, named(task))
            if model is None:
                raise ControlError(f"{_shown(self._uri)} has no model of the task {task}; `make repro` registers one")
            aliases = {alias: str(number) for alias, number in model.aliases.items()}
            number = aliases.get(which, which)
            version = _or_none(self._client.get_model_version, named(task), number) if number.isdecimal() else None
            if version is None:
                raise ControlError(f"{task} has no version {which}; {self._known(task, aliases)}")
            return Registered(task, str(version.version), str(version.run_id), version.tags.get(ARCHIVE))

    def fetch(self, found: Registered, folder: Path) -> Path:
        """Download a version's archive, and the file with its sha256, and return the archive's path.

        Args:
            found: the version.
            folder: where to put the files; they have the task's name.

        Raises:
            ControlError: the version has no archive, or the registry does not answer.
        """
        names = [f"{FOLDER}/{found.task}.mar", f"{FOLDER}/{found.task}{SHA256}"]
        with self._in_one_line():
            there = {file.path for file in self._client.list_artifacts(found.run_id, FOLDER)}
            if not there.issuperset(names):
                raise ControlError(f"version {found.number} of {found.task} has no archive; package it again, which uploads it")
            archive, _ = (Path(self._client.download_artifacts(found.run_id, name, str(folder))) for name in names)
        return archive

    def tag(self, found: Registered, key: str, value: str) -> None:
        """Set a tag of a version. Raises ControlError if the registry does not answer."""
        with self._in_one_line():
            self._client.set_model_version_tag(named(found.task), found.number, key, value)

    def _known(self, task: str, aliases: dict[str, str]) -> str:
        found = self._client.search_model_versions(f"name = '{named(task)}'")
        numbers = sorted((str(one.version) for one in found), key=int)
        known = ", ".join([*numbers, *(f"{alias} ({number})" for alias, number in sorted(aliases.items()))])
        return f"there is {known}" if known else "there is none"

    @cached_property
    def _client(self) -> "MlflowClient":
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # an operator waits for the answer
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # hides tracebacks of errors that are reported here
        from mlflow import MlflowClient

        file = Path(self._uri.removeprefix("sqlite:///"))
        if self._uri.startswith("sqlite:///") and not file.is_file():  # MLflow would create it
            raise ControlError(f"there is no registry in {file}; name another with --tracking or {URI}")
        return MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)

    @contextmanager
    def _in_one_line(self) -> Iterator[None]:
        """Turn the errors of MLflow and of what it uses into one line."""
        try:
            yield
        except ControlError:
            raise
        except ModuleNotFoundError as error:
            advice = "run `pip install 'seqline[registry]'`, or 'seqline[train]' for a registry in a local file"
            raise ControlError(f"the registry needs MLflow ({error}); {advice}") from error
        except Exception as error:  # each kind of store raises its own
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ControlError(f"the registry at {_shown(self._uri)} failed: {_shown(said)}") from error


@contextmanager
def fetched(name: str, uri: str) -> Iterator[Path]:
    """Fetch the archive of TASK@WHICH for the duration of the block.

    Args:
        name: task, and the alias or number of a version.
        uri: of the registry.

    Yields:
        its path, which has the task's name.

    Raises:
        ControlError: there is no such version, or the registry does not answer.
    """
    task, _, which = name.partition("@")
    registry = Registry(uri)
    with TemporaryDirectory() as folder:
        yield registry.fetch(registry.find(task, which), Path(folder))


def _shown(text: str) -> str:
    """The text, its URLs without user names and passwords."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def _or_none(ask: Callable[..., Any], *arguments: str) -> Any:
    """What a method of MLflow's client returns; None if MLflow says that it does not exist."""
    from mlflow.exceptions import MlflowException

    try:
        return ask(*arguments)
    except MlflowException as error:
        if error.error_code != MISSING:
            raise
        return None
