"""The model archive: what is in it, and that the same input gives the same bytes."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from pipelines.package import HANDLER, package
from pipelines.settings.section import Serve
from pipelines.stage import StageError

SETTINGS = Serve(workers=2, batch_size=8, max_batch_delay_ms=5, response_timeout_s=30)


@pytest.fixture(params=["classification", "generation", "translation"])
def bundle(request: pytest.FixtureRequest, bundles: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(bundles[request.param], tmp_path / "fr-en")


def test_the_archive_holds_the_bundle_the_handler_and_the_settings(bundle: Path, tmp_path: Path) -> None:
    path = package(bundle, SETTINGS, tmp_path / "store")
    assert path == tmp_path / "store" / "fr-en.mar"
    with zipfile.ZipFile(path) as archive:
        for file in [HANDLER, *bundle.iterdir()]:
            assert archive.read(file.name) == file.read_bytes()
        assert set(archive.namelist()) == {
            "MAR-INF/MANIFEST.json",
            "model-config.yaml",
            HANDLER.name,
            *(file.name for file in bundle.iterdir()),
        }
        model = json.loads(archive.read("MAR-INF/MANIFEST.json"))["model"]
        settings = yaml.safe_load(archive.read(model["configFile"]))
    assert model["modelName"] == "fr-en"
    assert model["handler"] == HANDLER.name
    assert settings == {"minWorkers": 2, "maxWorkers": 2, "batchSize": 8, "maxBatchDelay": 5, "responseTimeout": 30}


def test_the_same_input_gives_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    first = package(bundle, SETTINGS, tmp_path / "first")
    for file in bundle.iterdir():
        os.utime(file, (0, 0))
    second = package(bundle, SETTINGS, tmp_path / "second")
    assert first.read_bytes() == second.read_bytes()


def test_a_file_outside_of_the_bundles_list_stays_outside(bundle: Path, tmp_path: Path) -> None:
    (bundle / "notes.txt").touch()
    with zipfile.ZipFile(package(bundle, SETTINGS, tmp_path)) as archive:
        assert "notes.txt" not in archive.namelist()


def test_a_damaged_bundle_is_refused_and_the_old_archive_stays(bundle: Path, tmp_path: Path) -> None:
    archive = package(bundle, SETTINGS, tmp_path)
    before = archive.read_bytes()
    (bundle / "tokenizer.json").write_text("{}")
    with pytest.raises(StageError, match=r"tokenizer\.json"):
        package(bundle, SETTINGS, tmp_path)
    assert archive.read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))
