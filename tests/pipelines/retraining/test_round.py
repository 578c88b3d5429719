"""A round with a fake pipeline and a fake gate: which version is judged, by whom, and when not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

import pytest
from corrections import SERVER, Corrections, change, write_prepared

from models.text.json_files import write_json
from pipelines.lineage.history import Run
from pipelines.paths import PREPARED, REGISTERED
from pipelines.promotion.journal import events, note
from pipelines.promotion.promote import Decision
from pipelines.retraining import retrain
from pipelines.retraining.names import EVENT
from pipelines.retraining.retrain import Round
from pipelines.stage import StageError

Begin = Callable[..., Round]


class Gate:
    """Notes what it decides, as the real one does."""

    def __init__(self, task: str, *_: object) -> None:
        self._task = task

    def waiting(self) -> None:
        """No version waits for a person."""

    def judge(self, version: str) -> Decision:
        return self._decided("passed", version)

    def promote(self, version: str) -> Decision:
        return self._decided("promoted", version)

    def _decided(self, verdict: Any, version: str) -> Decision:
        note("gate", self._task, version=version, verdict=verdict)
        return Decision(verdict, self._task, version, "1", "a test")


class Yesterday(datetime):
    """A clock that is slow."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) - timedelta(days=1)


class Runs:
    """Takes the id of a run for the hours since its start."""

    def __init__(self, uri: str) -> None:
        """Like that of the real history."""

    def run(self, identity: str) -> Run:
        return Run(identity, "", "FINISHED", datetime.now(UTC) - timedelta(hours=float(identity)), {}, {}, ())


@pytest.fixture
def begin(repository: Path, corrections: Corrections, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Begins a round with three new rows, of a pipeline that fails, or registers this version, perhaps hours ago."""
    write_prepared(repository / PREPARED / "surname")
    numbers = iter(range(1000))

    def act(version: str | None, promotion: str = "person", age: float = 0) -> Round:
        def run(task: str, changes: dict[str, str]) -> None:
            change(changes)
            if version is None:
                raise StageError("a stage failed")
            (repository / REGISTERED).mkdir(parents=True, exist_ok=True)
            write_json(REGISTERED / f"{task}.json", {"version": version, "run_id": str(age)})

        change({"retraining.promotion": promotion})
        monkeypatch.setattr(retrain, "_run", run)
        corrections.say("French", *(f"Name {next(numbers)}" for _ in range(3)))
        return retrain.retrain("surname", SERVER, "sqlite:///none.db", "a test")

    monkeypatch.setattr(retrain, "Promotion", Gate)
    monkeypatch.setattr(retrain, "History", Runs)
    monkeypatch.setattr(retrain, "_shadow", lambda *_: True)
    return act


def names() -> list[str]:
    return [entry["event"] for entry in events("surname")]


def test_a_new_version_is_judged_and_opened_as_a_shadow(begin: Begin) -> None:
    found = begin("2")
    assert (found.rows, found.decision.verdict, found.decision.version, found.shadow) == (3, "passed", "2", True)
    assert names() == [EVENT, "gate", "shadow"]


def test_the_gate_alone_decides_if_the_settings_say_so(begin: Begin) -> None:
    assert begin("2", promotion="auto").decision.verdict == "promoted"


def test_a_version_of_an_earlier_training_is_not_judged(begin: Begin) -> None:
    begin("2")
    with pytest.raises(StageError, match="version 1 of surname is not new"):
        begin("1", age=1)
    assert names() == [EVENT, "gate", "shadow", EVENT, "restored"]


def test_the_gate_judges_what_a_round_that_did_not_end_has_registered(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.promotion.journal.datetime", Yesterday)
        with pytest.raises(StageError, match="a stage failed"):
            begin(None)
    assert begin("2", age=1).decision.version == "2"


def test_a_round_that_failed_is_continued(begin: Begin) -> None:
    with pytest.raises(StageError, match="a stage failed"):
        begin(None)
    note("gate", "surname", version="1", verdict="back")
    assert begin("2").decision.version == "2"
    assert names() == [EVENT, "gate", EVENT, "gate", "shadow"]


def test_rounds_are_limited(begin: Begin) -> None:
    for version in ("2", "3", "4"):
        begin(version)
    with pytest.raises(StageError, match=r"3 trainings in the last seven days; retraining\.per_week is 3"):
        begin("5")


def test_an_unknown_task_is_named_before_anything_else() -> None:
    with pytest.raises(StageError, match="there is no task 'surnam'; did you mean 'surname'"):
        retrain.retrain("surnam", Path("server"), "sqlite:///none.db", "a test")
