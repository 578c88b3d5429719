"""Keeps the archive of a registered model with its run."""

from pathlib import Path

from pipelines.tracking.delivery import notice
from serving.contents import SHA256
from serving.registry import ARCHIVE, FOLDER, named


def keep(_: str, task: str, run_id: str, number: str, version: str, archive: str) -> str:
    """Keep a model's archive with its run, so that every machine with access to the registry can serve it.

    Args:
        task: the model's task.
        run_id: the run that registered it.
        number: its version in the registry.
        version: the archive's own version.
        archive: path of the archive.

    Returns:
        the archive's version; empty if the model is not in this registry, because it was registered on another machine.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    client, path = mlflow.MlflowClient(), Path(archive)
    try:
        for file in (path, path.with_suffix(SHA256)):
            client.log_artifact(run_id, str(file), FOLDER)
        client.set_model_version_tag(named(task), number, ARCHIVE, version)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        notice(f"{named(task)} {number} is not in this registry; `dvc repro --force register@{task}` registers it here")
        return ""
    return version
