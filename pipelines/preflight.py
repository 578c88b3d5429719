"""What a run will need and can be asked for beforehand: `python -m pipelines.preflight`, with which `make repro` begins.

Without it, a stage would find out, after hours of others maybe. Of what is not set nothing is asked, and nothing is imported.
"""

import os
import shutil

from pipelines.params import load_params
from pipelines.stage import StageError, fail

NEEDED_MB = 1000  # the smoke profile's data, models and DVC's cache of them; the default profile's are twice that


def check() -> None:
    """Ask for the disk, the GPU, the tracking server and the cluster.

    Raises:
        StageError: one of them is not as it has to be.
    """
    params = load_params()
    free = shutil.disk_usage(".").free // 1_000_000
    if free < NEEDED_MB:
        raise StageError(f"the disk has {free} MB left, and a run takes {NEEDED_MB} at least; free some space")
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        from pipelines.tracking_server import connect

        connect(uri, retries=0)
    if address := os.environ.get("RAY_ADDRESS"):
        from pipelines.training.preflight import check_answers, check_device, check_ray

        check_ray()
        check_device(params)
        check_answers(address)
    elif params.device == "cuda":
        from pipelines.training.hardware import pick_accelerator

        try:
            pick_accelerator(params.device)
        except ValueError as error:
            raise StageError(str(error)) from error


if __name__ == "__main__":
    try:
        check()
    except StageError as error:
        fail(str(error))
