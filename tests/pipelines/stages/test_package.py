"""The model archive: its contents, and the same bytes for the same input."""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipelines.packaging.quality import recalls
from pipelines.settings.params import Params
from pipelines.settings.section import Serve
from pipelines.stage import StageError
from pipelines.stages.package import HANDLER, Origin, package
from serving.bundle import Bundle, sha256
from serving.contents import Reference, same
from serving.predictor import load_predictor
from serving.server.archive import Archive, take
from serving.server.errors import ControlError
from serving.telemetry.metrics import QUALITY, PrometheusMeter

SETTINGS = Serve(workers=2, batch_size=8, max_batch_delay_ms=5, deadline_s=20, response_timeout_s=30)
ORIGIN = Origin(run="0123abcd", version="7")
TASKS = {"classification": "surname", "generation": "names", "translation": "fr-en", "sentiment": "sentiment"}
Pack = Callable[[Path], Path]


@pytest.fixture(params=TASKS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bundle(kind: str, bundles: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(bundles[kind], tmp_path / "fr-en")


@pytest.fixture
def pack(kind: str, bundle: Path, prepared: dict[str, Path], small_params: Params) -> Pack:
    """A function that packages the bundle into a store."""
    settings = small_params.task(TASKS[kind]).model_copy(update={"serve": SETTINGS})
    return lambda store: package(bundle, settings, store, prepared[TASKS[kind]], ORIGIN)


def read(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def test_the_archive_holds_the_bundle_the_handler_and_the_settings(pack: Pack, bundle: Path, tmp_path: Path) -> None:
    path = pack(tmp_path / "store")
    assert path == tmp_path / "store" / "fr-en.mar"
    for file in [HANDLER, *bundle.iterdir()]:
        assert read(path, file.name) == file.read_bytes()
    with zipfile.ZipFile(path) as archive:
        ours = {"MAR-INF/MANIFEST.json", "model-config.yaml", HANDLER.name, "examples.json", "reference.json"}
        assert set(archive.namelist()) == {*ours, *(file.name for file in bundle.iterdir())}
    model = json.loads(read(path, "MAR-INF/MANIFEST.json"))["model"]
    assert model["modelName"] == "fr-en"
    assert model["handler"] == HANDLER.name
    assert yaml.safe_load(read(path, model["configFile"])) == {
        "minWorkers": 2,
        "maxWorkers": 2,
        "batchSize": 8,
        "maxBatchDelay": 5,
        "responseTimeout": 30,
        "deadline": 20,
        "mlflowRun": "0123abcd",
    }


def test_the_version_combines_registry_number_and_content_hash(pack: Pack, bundle: Path, tmp_path: Path) -> None:
    content = hashlib.sha256((bundle / "bundle.json").read_bytes()).hexdigest()
    assert Archive.read(pack(tmp_path)).version == f"7-{content[:8]}"


def test_the_examples_have_the_models_own_answers(pack: Pack, bundle: Path, tmp_path: Path) -> None:
    archive, predictor = Archive.read(pack(tmp_path)), load_predictor(bundle)
    assert len(archive.examples) >= 2
    for example in archive.examples:
        (reply,) = predictor.answer([example.request])
        assert same(example.answer, json.loads(json.dumps(reply.body)))


def test_the_reference_describes_texts_like_the_training_texts(pack: Pack, kind: str, bundle: Path, tmp_path: Path) -> None:
    reference = Reference.model_validate_json(read(pack(tmp_path), "reference.json"))
    assert bool(reference.length_shares) == (kind != "generation")
    assert bool(reference.label_shares) == (kind in ("classification", "sentiment"))
    assert set(reference.label_shares) <= set(Bundle.load(bundle).labels)
    for shares in filter(None, (reference.length_shares, list(reference.label_shares.values()))):
        assert sum(shares) == pytest.approx(1, abs=1e-3)


def test_the_quality_is_the_share_of_each_class_that_was_recognized(tmp_path: Path) -> None:
    rows = ["actual,predicted", "French,French", "French,Italian", "French,French", '"a, b",French', "Italian,Italian"]
    (tmp_path / "confusion.csv").write_text("\n".join(rows), encoding="utf-8")
    assert recalls(tmp_path) == {"French": 0.6667, "Italian": 1.0, "a, b": 0.0}
    assert recalls(tmp_path / "of a translator") == {}


@pytest.mark.parametrize("quality", [{"French": 0.5, "Italian": 0.25}, None])
def test_the_server_gets_the_quality(
    quality: dict[str, float] | None, bundles: dict[str, Path], prepared: dict[str, Path], small_params: Params, tmp_path: Path
) -> None:
    settings = small_params.task("surname").model_copy(update={"serve": SETTINGS})
    path = package(bundles["classification"], settings, tmp_path, prepared["surname"], ORIGIN, quality)
    reference = Reference.model_validate_json(read(path, "reference.json"))
    assert reference.quality == (quality or {})
    PrometheusMeter("a-name", "7-x", reference)
    shown = [sample for family in QUALITY.collect() for sample in family.samples if sample.labels["model"] == "a-name"]
    assert {sample.labels["label"]: sample.value for sample in shown} == (quality or {})
    QUALITY.clear()


def test_the_same_input_gives_the_same_bytes(pack: Pack, bundle: Path, tmp_path: Path) -> None:
    first = pack(tmp_path / "first")
    for file in bundle.iterdir():
        os.utime(file, (0, 0))
    assert first.read_bytes() == pack(tmp_path / "second").read_bytes()


def test_a_file_that_the_bundle_does_not_list_is_not_packaged(pack: Pack, bundle: Path, tmp_path: Path) -> None:
    (bundle / "notes.txt").touch()
    with zipfile.ZipFile(pack(tmp_path)) as archive:
        assert "notes.txt" not in archive.namelist()


def test_a_damaged_bundle_is_rejected_and_the_old_archive_stays(pack: Pack, bundle: Path, tmp_path: Path) -> None:
    archive = pack(tmp_path)
    before = archive.read_bytes()
    (bundle / "tokenizer.json").write_text("{}")
    with pytest.raises(StageError, match=r"tokenizer\.json"):
        pack(tmp_path)
    assert archive.read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))


def test_the_checksum_file_matches_the_archive(pack: Pack, tmp_path: Path) -> None:
    pack(tmp_path)
    assert (tmp_path / "fr-en.sha256").read_text() == f"{sha256(tmp_path / 'fr-en.mar')}  fr-en.mar\n"
    taken = tmp_path / "taken"
    taken.mkdir()
    assert take(tmp_path / "fr-en.mar", taken).path.read_bytes() == (tmp_path / "fr-en.mar").read_bytes()


def test_an_archive_that_was_changed_is_not_taken(pack: Pack, tmp_path: Path) -> None:
    archive, taken = pack(tmp_path), tmp_path / "taken"
    taken.mkdir()
    with zipfile.ZipFile(archive, "a") as target:
        target.writestr("more.py", "")
    with pytest.raises(ControlError, match="not the archive that was packaged"):
        take(archive, taken)
    archive.with_suffix(".sha256").unlink()
    with pytest.raises(ControlError, match="is missing"):
        take(archive, taken)
    assert not list(taken.iterdir())
