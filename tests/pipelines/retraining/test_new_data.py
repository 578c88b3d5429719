"""What a training may begin with: enough new rows, files that have changed, or the data of a training that failed."""

from pathlib import Path

import pytest
from corrections import SERVER, Corrections, change, write_csv, write_prepared
from typer.testing import CliRunner

from pipelines.new.feedback import feedback_file, waiting_file
from pipelines.paths import PREPARED
from pipelines.promotion.journal import note
from pipelines.retraining.intake import NewData, new_data
from pipelines.retraining.names import EVENT
from pipelines.retraining.rows import read
from pipelines.settings.params import load_params
from pipelines.stage import StageError
from pipelines.verbs import app


@pytest.fixture(autouse=True)
def _prepared(repository: Path) -> None:
    write_prepared(repository / PREPARED / "surname")


def begin(task: str = "surname") -> NewData:
    """Begin a training as `retrain` does, up to the pipeline."""
    found = new_data(task, load_params(), SERVER)
    note(EVENT, task, rows=found.rows, instance=str(SERVER), until=found.until)
    change(found.changes)
    return found


def refused(task: str = "surname", message: str = "nothing new to learn") -> None:
    with pytest.raises(StageError, match=message):
        new_data(task, load_params(), SERVER)


def texts(task: str = "surname") -> set[str]:
    """The inputs in the file of feedback."""
    return {row["text"] for row in read(feedback_file(task), "classification")}


def names(first: int, last: int) -> list[str]:
    return [f"Name {i}" for i in range(first, last)]


def make(name: str, kind: str, path: Path, *options: str) -> None:
    """`seqline new`."""
    arguments = ["new", name, "--kind", kind, "--units", "characters", "--data", path.name, *options, "--yes"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output


def test_a_training_needs_so_many_new_rows_each_time(corrections: Corrections) -> None:
    corrections.say("French", *names(0, 2))
    refused()
    corrections.say("French", *names(2, 3))
    assert begin().rows == 3
    note("waiting", "surname")
    corrections.say("French", *names(3, 5))
    refused()
    corrections.say("French", *names(5, 7))
    assert begin().rows == 4


def test_the_rows_of_a_training_that_failed_are_still_new(corrections: Corrections) -> None:
    corrections.say("French", *names(0, 3))
    assert begin().rows == 3
    assert begin().rows == 0  # the round did not end
    note("gate", "surname", verdict="back")  # a person's decision about an earlier version
    assert begin().rows == 0
    note("waiting", "surname")
    refused()


def test_a_mistyped_label_waits_and_does_not_count(corrections: Corrections, capsys: pytest.CaptureFixture[str]) -> None:
    corrections.say("Itlian", "Rossi")
    corrections.say("Italian", *names(0, 2))
    refused()
    corrections.say("Italian", *names(2, 3))
    assert begin().rows == 3
    assert "feedback waits until there is more with the same label: 'Itlian'" in capsys.readouterr().out
    assert texts() == {*names(0, 3)}
    assert [row["label"] for row in read(waiting_file("surname"), "classification")] == ["Itlian"]


def test_a_new_label_is_learned_when_it_has_enough_rows(corrections: Corrections) -> None:
    corrections.say("Estonian", "Tamm")
    corrections.say("Italian", *names(0, 3))
    begin()
    note("waiting", "surname")
    corrections.say("Estonian", "Saar", "Sepp")
    assert begin().rows == 3
    assert texts() == {*names(0, 3), "Tamm", "Saar", "Sepp"}
    assert read(waiting_file("surname"), "classification") == []


def test_rows_that_a_person_has_deleted_stay_deleted(corrections: Corrections) -> None:
    corrections.say("French", *names(0, 3))
    begin()
    note("waiting", "surname")
    kept = [row for row in read(feedback_file("surname"), "classification") if row["text"] != "Name 1"]
    write_csv(feedback_file("surname"), kept)
    assert begin().rows == 1  # a file has changed
    note("shadow", "surname")
    corrections.say("French", *names(3, 6))
    begin()
    assert texts() == {*names(0, 6)} - {"Name 1"}


def test_feedback_of_another_server_is_not_taken_for_old(corrections: Corrections) -> None:
    corrections.say("French", *names(0, 3))
    note(EVENT, "surname", rows=3, instance="another", until=4e9)
    feedback_file("surname").parent.mkdir()
    write_csv(feedback_file("surname"), [{"text": "Moreau", "label": "French"}])
    assert begin().rows == 3


def test_a_damaged_file_of_feedback_is_left_alone(corrections: Corrections) -> None:
    corrections.say("French", *names(0, 3))
    feedback_file("surname").parent.mkdir()
    feedback_file("surname").write_text("text;label\nMoreau;French\n", encoding="utf-8")
    refused(message="has no column 'text'")
    assert feedback_file("surname").read_text(encoding="utf-8") == "text;label\nMoreau;French\n"


def test_changed_files_are_new_until_a_training_has_ended(repository: Path) -> None:
    path = repository / "animals.txt"
    path.write_text("".join(f"animal {i}\n" for i in range(60)), encoding="utf-8")
    make("animals", "generation", path)
    refused("animals")
    path.write_text("".join(f"animal {i}\n" for i in range(70)), encoding="utf-8")
    assert begin("animals").rows == 1
    assert begin("animals").rows == 0
    note("waiting", "animals")
    refused("animals")


def test_feedback_does_not_block_a_generator(repository: Path, corrections: Corrections) -> None:
    path = repository / "animals.txt"
    path.write_text("".join(f"animal {i}\n" for i in range(60)), encoding="utf-8")
    make("animals", "generation", path)
    corrections.say("animal 1", "a", task="animals")
    refused("animals", "generation learns from no feedback")
    path.write_text("".join(f"animal {i}\n" for i in range(70)), encoding="utf-8")
    assert begin("animals").rows == 1
