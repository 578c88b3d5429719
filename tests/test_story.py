"""The whole loop on the smoke profile: drift, an alert, a training on old and new rows, the gate, shadow, canary, and back."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_pipeline import ROOT, run, tracking

from benchmarks.alerting import has_tools
from benchmarks.story import NEW_LABEL, Told, built, play
from pipelines.promotion.journal import events

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not has_tools(), reason="nginx, Prometheus or Alertmanager is not installed"),
]


@pytest.fixture(scope="module")
def clone() -> Iterator[Path]:
    """A clone of the last commit in a folder with a short path, as the workers' sockets need."""
    with tempfile.TemporaryDirectory(prefix="seqline-", dir="/tmp") as folder:
        assert run(ROOT, "git", "clone", "--quiet", ".", f"{folder}/c").returncode == 0
        yield Path(folder) / "c"


@pytest.fixture(scope="module")
def told(clone: Path) -> Told:
    with built(clone):
        return play(clone)


def test_no_request_is_lost(told: Told) -> None:
    assert told.failed == 0, told.statuses
    assert told.refused == 0
    assert sum(told.statuses.values()) > 500


def test_the_gate_promotes_the_better_model_and_holds_the_bad_one(told: Told) -> None:
    assert told.decisions == ["promoted", "passed", "promoted", "held", "back"]
    assert told.champions == ["1", "2", "1"]


def test_the_challenger_has_learned_the_new_label(told: Told, clone: Path) -> None:
    assert NEW_LABEL in (clone / "data/prepared/surname/labels.txt").read_text(encoding="utf-8").splitlines()
    assert NEW_LABEL in (clone / "data/feedback/surname.csv").read_text(encoding="utf-8")
    assert told.alert_to_challenger_s > 0


def test_the_shadow_answered_beside_the_champion(told: Told) -> None:
    assert "with the same answer" in told.agreement


def test_the_canary_of_the_bad_model_is_withdrawn(told: Told) -> None:
    assert "is withdrawn" in told.canary


def test_each_version_that_was_served_has_answered(told: Told) -> None:
    assert {version.partition("-")[0] for version in told.versions} >= {"1", "2", "3"}


def test_the_lineage_of_every_sampled_answer_is_complete(told: Told) -> None:
    assert told.complete == 1.0


def test_every_step_is_in_the_journal_and_the_registry(told: Told, clone: Path) -> None:
    entries = events("surname", path=clone / "build/decisions.jsonl")
    names = [entry["event"] for entry in entries if entry["event"] != "not-retrained"]  # the alert comes again after a while
    assert names == ["gate", "retrain", "gate", "shadow", "gate", "gate", "gate"]
    client = tracking(clone)
    tags = {number: client.get_model_version("seqline-surname", number).tags for number in ("1", "2", "3")}
    assert '"back"' in tags["1"]["gate"]
    assert '"promoted"' in tags["2"]["gate"]
    assert '"held"' in tags["3"]["gate"]
    assert "canary" in tags["3"]
    aliases = client.get_registered_model("seqline-surname").aliases
    assert {name: str(number) for name, number in aliases.items()} == {"champion": "1", "former": "2", "challenger": "3"}
    assert told.champions[-1] == "1"
