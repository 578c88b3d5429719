"""Promotion in a real registry: aliases move only when the gate holds, and every decision is written down."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from pipelines.paths import JOURNAL, PREPARED
from pipelines.promotion.archive import keep
from pipelines.promotion.journal import events
from pipelines.promotion.offer import offer
from pipelines.promotion.promote import Promotion
from pipelines.settings.params import Params
from pipelines.stage import StageError
from pipelines.stages.package import Origin, package
from pipelines.stages.register import register
from serving.bundle import MANIFEST, Bundle
from serving.registry import Registry
from serving.server.errors import ControlError

ROOT = Path(__file__).parents[3]
Put = Callable[..., str]
pytestmark = pytest.mark.slow


@pytest.fixture
def workplace(prepared: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with test rows and an empty registry, as working directory; returns the registry's URI."""
    for name in ("params.yaml", "data/catalogue.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    shutil.copytree(prepared["surname"], tmp_path / PREPARED / "surname")
    (tmp_path / "metrics").mkdir()
    metrics = {"accuracy": 0.5, "accuracy_low": 0.4, "accuracy_high": 0.6, "same_in_capitals": 1.0}
    (tmp_path / "metrics/surname.json").write_text(json.dumps(metrics), encoding="utf-8")
    (tmp_path / "dvc.lock").write_text("stages: {prepare@surname: {outs: [{md5: 0123456789abcdef.dir}]}}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def put(workplace: str, small_params: Params, tmp_path: Path) -> Put:
    """Registers and packages a bundle as the pipeline does, perhaps with other examples; returns its version."""
    mlflow.set_tracking_uri(workplace)
    client = MlflowClient()
    experiment = client.create_experiment("seqline", artifact_location=str(tmp_path / "artifacts"))

    def act(bundle: Path, *examples: str) -> str:
        run = client.create_run(experiment).info.run_id
        number = register(run, "surname", str(bundle))
        offer(run, "surname", number)
        named = shutil.copytree(bundle, tmp_path / f"bundle-{number}" / "surname")
        task = small_params.task("surname")
        task = task.model_copy(update={"examples": list(examples)}) if examples else task
        archive = package(named, task, tmp_path / f"store-{number}", PREPARED / "surname", Origin(run, number))
        keep("", "surname", run, number, f"{number}-abc", str(archive))
        return number

    return act


@pytest.fixture
def promotion(workplace: str, put: Put, bundles: dict[str, Path], small_params: Params) -> Promotion:
    """With a champion, version 1."""
    put(bundles["classification"])
    first = Promotion("surname", small_params, workplace)
    first.promote()
    return first


def aliases() -> dict[str, str]:
    found = MlflowClient().get_registered_model("seqline-surname").aliases
    return {name: str(number) for name, number in found.items()}


def copied(bundle: Path, folder: Path, more: bytes = b"", **changes: object) -> Path:
    """A copy with another file and other values in its manifest."""
    shutil.copytree(bundle, folder)
    (folder / "more.bin").write_bytes(more)
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    Bundle.write(folder, **{name: value for name, value in content.items() if name != "files"} | changes)
    return folder


def test_a_new_version_is_the_challenger_with_a_card_and_the_digests_of_its_data(put: Put, bundles: dict[str, Path]) -> None:
    number, client = put(bundles["classification"]), MlflowClient()
    version = client.get_model_version("seqline-surname", number)
    assert aliases() == {"challenger": number}
    card = Path(client.download_artifacts(str(version.run_id), "card/model_card.md")).read_text(encoding="utf-8")
    assert "0.500 | 0.400 to 0.600" in card
    assert version.description == card
    logged = client.get_run(str(version.run_id)).inputs
    assert logged
    digests = {one.dataset.name: one.dataset.digest for one in logged.dataset_inputs}
    assert digests["data/prepared/surname"] == "0123456789abcdef.dir"
    assert len(digests["surnames17"]) == 32


@pytest.mark.usefixtures("promotion")
def test_the_first_version_becomes_the_champion() -> None:
    assert aliases() == {"champion": "1"}


def test_an_equal_model_is_promoted_and_the_former_champion_kept(
    promotion: Promotion, put: Put, bundles: dict[str, Path]
) -> None:
    put(bundles["classification"])
    decision = promotion.promote()
    assert (decision.verdict, decision.version, decision.champion) == ("promoted", "2", "1")
    assert aliases() == {"champion": "2", "former": "1"}
    back = promotion.back("complaints")
    assert (back.verdict, aliases()) == ("back", {"champion": "1", "former": "2"})


def test_a_bad_model_is_held_back_until_a_person_forces_it(
    promotion: Promotion, put: Put, bundles: dict[str, Path], tmp_path: Path
) -> None:
    put(copied(bundles["classification"], tmp_path / "large", os.urandom(3_000_000)))  # which do not compress
    decision = promotion.promote()
    assert decision.verdict == "held"
    assert [check.name for check in decision.checks if not check.holds] == ["size"]
    assert aliases() == {"champion": "1", "challenger": "2"}
    forced = promotion.force("challenger", "disks are cheap")
    assert (forced.verdict, aliases()) == ("forced", {"champion": "2", "former": "1"})


def test_a_model_that_refuses_what_the_champion_answers_is_held_back(
    promotion: Promotion, put: Put, bundles: dict[str, Path], tmp_path: Path
) -> None:
    put(copied(bundles["classification"], tmp_path / "short", max_length=5), "Li", "Rossi")
    failed = [check for check in promotion.promote().checks if not check.holds]
    assert "examples" in [check.name for check in failed]
    assert aliases() == {"champion": "1", "challenger": "2"}


def test_a_challenger_that_has_passed_waits_for_a_person(promotion: Promotion, put: Put, bundles: dict[str, Path]) -> None:
    assert promotion.waiting() is None
    put(bundles["classification"])
    assert promotion.waiting() is None
    assert promotion.judge().verdict == "passed"
    assert promotion.waiting() == "2"
    assert aliases() == {"champion": "1", "challenger": "2"}
    promotion.promote()
    assert promotion.waiting() is None


def test_test_rows_that_a_model_has_learned_do_not_count(
    promotion: Promotion, put: Put, bundles: dict[str, Path], tmp_path: Path
) -> None:
    rows = tmp_path / PREPARED / "surname"
    shutil.copyfile(rows / "train.parquet", rows / "test.parquet")
    put(bundles["classification"])
    with pytest.raises(StageError, match="only 0 of"):
        promotion.promote()


def test_a_rejected_challenger_loses_its_alias(promotion: Promotion, put: Put, bundles: dict[str, Path]) -> None:
    put(bundles["classification"])
    promotion.reject("trained on the wrong data")
    assert aliases() == {"champion": "1"}
    with pytest.raises(ControlError, match="no version challenger"):
        promotion.promote()


def test_every_decision_is_written_to_journal_registry_and_run(promotion: Promotion, put: Put, bundles: dict[str, Path]) -> None:
    put(bundles["classification"])
    promotion.promote()
    client = MlflowClient()
    version = client.get_model_version("seqline-surname", "2")
    tagged: dict[str, Any] = json.loads(version.tags["gate"])
    entry = events("surname", "gate")[-1]
    (file,) = client.list_artifacts(str(version.run_id), "gate")
    assert (tagged["verdict"], entry["verdict"]) == ("promoted", "promoted")
    assert {check["name"] for check in entry["checks"]} == {"accuracy", "calibration", "latency", "size", "examples"}
    assert json.loads(Path(client.download_artifacts(str(version.run_id), file.path)).read_text(encoding="utf-8")) == entry
    assert JOURNAL.exists()


def test_going_back_needs_a_former_champion(promotion: Promotion) -> None:
    with pytest.raises(StageError, match="no former champion"):
        promotion.back("why not")


def test_the_champion_is_not_promoted_again(promotion: Promotion) -> None:
    with pytest.raises(StageError, match="the champion already"):
        promotion.promote("1")


@pytest.mark.usefixtures("promotion")
def test_an_archive_can_be_fetched_by_alias(workplace: str, tmp_path: Path) -> None:
    registry = Registry(workplace)
    found = registry.find("surname", "champion")
    archive = registry.fetch(found, tmp_path / "fetched")
    assert (found.archive, archive.name) == ("1-abc", "surname.mar")
    assert archive.with_suffix(".sha256").exists()


def test_a_missing_registered_model_is_not_an_error_of_packaging(workplace: str, tmp_path: Path) -> None:
    mlflow.set_tracking_uri(workplace)
    (tmp_path / "surname.mar").write_bytes(b"")
    (tmp_path / "surname.sha256").write_bytes(b"")
    assert keep("", "surname", "0" * 32, "7", "7-abc", str(tmp_path / "surname.mar")) == ""
