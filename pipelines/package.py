"""Stage `package`: a bundle becomes a model archive in TorchServe's model store. `python -m pipelines.package TASK`."""

import json
import shutil
import zipfile
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import yaml
from model_archiver.model_archiver_config import ModelArchiverConfig
from model_archiver.model_packaging_utils import ModelExportUtils

from pipelines.params import load_params
from pipelines.settings.section import Serve
from pipelines.stage import StageError, run_stage
from serving import handlers
from serving.bundle import MANIFEST, Bundle, BundleError

BUNDLES = Path("build/bundles")
STORE = Path("build/model-store")
HANDLER = Path(handlers.__file__).with_name("sequence.py")
CONFIG = "model-config.yaml"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can state


def main(task: str) -> None:
    """Package the task's exported bundle."""
    params = load_params()
    settings = params.vectors if task == "vectors" else params.task(task)
    package(BUNDLES / task, settings.serve, STORE)


def package(bundle: Path, settings: Serve, store: Path) -> Path:
    """Write the bundle, the handler and the server's settings as one .mar, named after the folder; return its path.

    The same input gives the same bytes, so that DVC sees no change where there is none. (torch-model-archiver would
    write the time of day into the archive, and work in a folder that all its runs on a machine share.)

    Raises:
        StageError: the bundle is missing or damaged.
    """
    files = _files(bundle)
    store.mkdir(parents=True, exist_ok=True)
    archive = store / f"{bundle.name}.mar"
    partial = archive.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w") as target:
        _add(target, "MAR-INF/MANIFEST.json", BytesIO(_manifest(bundle.name)))
        _add(target, CONFIG, BytesIO(_model_config(settings)))
        for path in [HANDLER, *files]:
            with path.open("rb") as source:
                _add(target, path.name, source)
    return partial.replace(archive)


def _files(bundle: Path) -> list[Path]:
    try:
        files = Bundle.load(bundle).files
    except BundleError as error:
        raise StageError(f"{error}; `dvc repro` exports the bundle anew") from error
    return [bundle / name for name in (MANIFEST, *sorted(files))]


def _manifest(name: str) -> bytes:
    config = ModelArchiverConfig(model_name=name, handler=HANDLER.name, version="1.0", config_file=CONFIG)
    manifest = json.loads(ModelExportUtils.generate_manifest_json(config))
    manifest["createdOn"] = "01/01/1980 00:00:00"  # TorchServe warns where it is missing
    return json.dumps(manifest, indent=1).encode()


def _model_config(settings: Serve) -> bytes:
    config = {
        "minWorkers": settings.workers,
        "maxWorkers": settings.workers,
        "batchSize": settings.batch_size,
        "maxBatchDelay": settings.max_batch_delay_ms,
        "responseTimeout": settings.response_timeout_s,
    }
    return yaml.safe_dump(config, sort_keys=False).encode()


def _add(target: zipfile.ZipFile, name: str, source: BinaryIO) -> None:
    info = zipfile.ZipInfo(name, LONG_AGO)
    info.compress_type = zipfile.ZIP_DEFLATED
    with target.open(info, "w") as entry:
        shutil.copyfileobj(source, entry)


if __name__ == "__main__":
    run_stage(main)
