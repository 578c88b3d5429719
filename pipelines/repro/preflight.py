"""Checks the prerequisites of a run: `python -m pipelines.repro.preflight`, the first step of `make repro`.

Otherwise a stage could fail on them after hours. What is not configured is not checked, and its libraries are not imported.
"""

import os
import shutil
from pathlib import Path

from pipelines.new.changing import changed
from pipelines.settings.params import Params, load_params
from pipelines.stage import StageError, fail
from pipelines.tracking.moved import check_folder

NEEDED_MB = 1000  # the smoke profile's data, models and DVC's cache of them; the default profile's are twice that


def check() -> None:
    """Check free disk space, data files, the GPU, the tracking server and the cluster.

    Raises:
        StageError: a check failed.
    """
    params = load_params()
    free = shutil.disk_usage(".").free // 1_000_000
    if free < NEEDED_MB:
        raise StageError(f"the disk has {free} MB left, but a run needs at least {NEEDED_MB} MB; free some space")
    check_files(params)
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        from pipelines.tracking.server import connect

        connect(uri, retries=0)
    else:
        check_folder(Path.cwd())
    if address := os.environ.get("RAY_ADDRESS"):
        from pipelines.training.cluster_checks import check_answers, check_device, check_ray

        check_ray()
        check_device(params)
        check_answers(address)
    elif params.device == "cuda":
        from pipelines.training.hardware import pick_accelerator

        try:
            pick_accelerator(params.device)
        except ValueError as error:
            raise StageError(str(error)) from error


def check_files(params: Params) -> None:
    """Compare the local source files of data sets with their entries in the catalogue.

    DVC tracks only what a stage made of these files, and so would not notice a change.

    Raises:
        StageError: a file has changed or is missing.
    """
    for name in params.datasets:
        for path, _, sha256, _, old in changed(name):
            raise StageError(f"{path} has changed: sha256 {old} is now {sha256}; accept it with `seqline new {name} --update`")


if __name__ == "__main__":
    try:
        check()
    except StageError as error:
        fail(str(error))
