"""Stage `package`: pack a bundle as a model archive for TorchServe's model store. `python -m pipelines.stages.package TASK`."""

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Self

import yaml
from model_archiver.model_archiver_config import ModelArchiverConfig
from model_archiver.model_packaging_utils import ModelExportUtils

from pipelines.kinds import parts
from pipelines.packaging.examples import answered, questions
from pipelines.packaging.quality import recalls
from pipelines.packaging.reference import reference
from pipelines.paths import BUNDLES, PLOTS, PREPARED, REGISTERED, STORE
from pipelines.settings.params import load_params
from pipelines.settings.section import Serve
from pipelines.settings.tasks import Task
from pipelines.settings.vectors import Vectors
from pipelines.stage import StageError, run_stage
from pipelines.tracking.runs import track
from serving import handlers
from serving.bundle import MANIFEST, Bundle, BundleError, sha256
from serving.contents import CONFIG, DEADLINE, EXAMPLE_LIST, EXAMPLES, REFERENCE, RUN, SHA256

HANDLER = Path(handlers.__file__).with_name("sequence.py")
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest timestamp that the zip format allows


@dataclass(frozen=True)
class Origin:
    """Provenance of a model.

    Attributes:
        run: the MLflow run that registered it.
        version: its number in MLflow's registry.
    """

    run: str
    version: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the output of the register stage."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(content["run_id"], content["version"])


def main(task: str) -> None:
    """Package the task's exported bundle, and keep the archive with the registered model."""
    params = load_params()
    settings = params.vectors[task] if task in params.vectors else params.task(task)
    origin = Origin.read(REGISTERED / f"{task}.json")
    quality = recalls(PLOTS / "evaluate" / task)
    archive = package(BUNDLES / task, settings, STORE, PREPARED / task, origin, quality)
    with track("package", task) as run:
        run.call(
            "pipelines.promotion.archive:keep", task, origin.run, origin.version, _version(BUNDLES / task, origin), str(archive)
        )


def package(
    folder: Path,
    settings: Task | Vectors,
    store: Path,
    prepared: Path,
    origin: Origin,
    quality: Mapping[str, float] | None = None,
) -> Path:
    """Write the bundle, the handler and the server's metadata as one .mar, named after the folder; return its path.

    The file's sha256 is written next to it, in the format of `sha256sum --check`. The archive's version is the number in MLflow's
    registry plus a prefix of the bundle's sha256, so that two different models never have the same version.

    The same input gives the same bytes, so that DVC sees no spurious change. (torch-model-archiver would write the current time
    into the archive, and use a temporary folder shared by all its runs on a machine.)

    Args:
        folder: the bundle.
        settings: the block of the task, or of the vectors.
        store: folder for the archive.
        prepared: the task's prepared data.
        origin: provenance of the model.
        quality: of a classifier, by class; see `Reference`.

    Raises:
        StageError: the bundle is missing or damaged, its model rejects an example or gives different results on other CPUs.
    """
    bundle = _load(folder)
    from pipelines.onnx_export.saturation import assert_portable  # imports onnx, which takes long

    for name in sorted(bundle.files):
        if name.endswith(".onnx"):
            assert_portable(folder / name)
    if isinstance(settings, Vectors):
        requests, typical = list(questions(folder, bundle, settings.examples)), list[Any]()
    else:
        showing = parts.showing(settings)
        requests, typical = list(showing.requests(settings, prepared)), showing.typical(prepared)
    entries = {
        "MAR-INF/MANIFEST.json": _manifest(folder.name, _version(folder, origin)),
        CONFIG: _model_config(settings.serve, origin),
        EXAMPLES: EXAMPLE_LIST.dump_json(answered(folder, requests), indent=1),
        REFERENCE: reference(folder, typical).model_copy(update={"quality": quality or {}}).model_dump_json(indent=1).encode(),
    }
    store.mkdir(parents=True, exist_ok=True)
    archive = store / f"{folder.name}.mar"
    partial = archive.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w") as target:
        for name, content in entries.items():
            _add(target, name, BytesIO(content))
        files = {HANDLER.name: HANDLER} | {name: folder / name for name in (MANIFEST, *sorted(bundle.files))}
        for name, path in files.items():
            with path.open("rb") as source:
                _add(target, name, source)
    partial.replace(archive)
    archive.with_suffix(SHA256).write_text(f"{sha256(archive)}  {archive.name}\n", encoding="utf-8")
    return archive


def _version(folder: Path, origin: Origin) -> str:
    return f"{origin.version}-{sha256(folder / MANIFEST)[:8]}"


def _load(folder: Path) -> Bundle:
    try:
        return Bundle.load(folder)
    except BundleError as error:
        raise StageError(f"{error}; `dvc repro` exports the bundle again") from error


def _manifest(name: str, version: str) -> bytes:
    config = ModelArchiverConfig(model_name=name, handler=HANDLER.name, version=version, config_file=CONFIG)
    manifest = json.loads(ModelExportUtils.generate_manifest_json(config))
    manifest["createdOn"] = "01/01/1980 00:00:00"  # TorchServe warns if it is missing
    return json.dumps(manifest, indent=1).encode()


def _model_config(settings: Serve, origin: Origin) -> bytes:
    config = {
        "minWorkers": settings.workers,
        "maxWorkers": settings.workers,
        "batchSize": settings.batch_size,
        "maxBatchDelay": settings.max_batch_delay_ms,
        "responseTimeout": settings.response_timeout_s,
        DEADLINE: settings.deadline_s,
        RUN: origin.run,
    }
    return yaml.safe_dump(config, sort_keys=False).encode()


def _add(target: zipfile.ZipFile, name: str, source: BinaryIO) -> None:
    info = zipfile.ZipInfo(name, LONG_AGO)
    # Vectors hardly compress, and compressing them takes seconds.
    info.compress_type = zipfile.ZIP_STORED if name.endswith(".npy") else zipfile.ZIP_DEFLATED
    with target.open(info, "w") as entry:
        shutil.copyfileobj(source, entry)


if __name__ == "__main__":
    run_stage(main)
