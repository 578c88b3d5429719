"""Old rows and feedback form a data set that the pipeline can prepare, and `seqline remove` undoes it."""

from itertools import product
from pathlib import Path

import pytest
import yaml
from corrections import SERVER, Corrections, change, write_csv
from typer.testing import CliRunner

from pipelines.data.catalogue import Local, load_catalogue
from pipelines.data.fetch import Backoff
from pipelines.data.prepared import SPLITS, read_texts
from pipelines.data.reading.rows import sources_of
from pipelines.new.feedback import feedback_file
from pipelines.paths import CATALOGUE, PARAMS, PREPARED
from pipelines.repro.preflight import check_files
from pipelines.retraining.data_set import combined
from pipelines.retraining.intake import new_data
from pipelines.settings.params import load_params
from pipelines.stages.download import download
from pipelines.stages.prepare import main as prepare_stage
from pipelines.verbs import app

NEW = "tickets-and-feedback"
LABELS = ("sales", "support")
ROWS = [{"text": f"{label} {i} please", "label": label, "when": f"2026-01-{i + 1:02}"} for i, label in product(range(28), LABELS)]
SAID = [f"{label} of {thing}" for label, thing in product(LABELS, ("phones", "printers", "lamps"))]


def run(*arguments: str) -> str:
    """The output of a successful command."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def make(*options: str, name: str = "tickets.csv") -> None:
    """Make a task of a file."""
    write_csv(Path(name), ROWS)
    run("new", "tickets", "--kind", "classification", "--units", "characters", "--data", name, *options, "--yes")


def learn(corrections: Corrections) -> None:
    """Begin a training of the task on six rows of feedback, and download and prepare its data."""
    prepare()
    for text in SAID:
        corrections.say(text.split()[0], text, task="tickets")
    found = new_data("tickets", load_params(), SERVER)
    assert found.rows == len(SAID)
    change(found.changes)
    prepare()


def prepare() -> None:
    download(load_params().task("tickets").data.set, Backoff(attempts=1))
    prepare_stage("tickets")


def prepared(split: str) -> set[str]:
    return set(read_texts(PREPARED / "tickets", split)["text"])


def test_old_and_new_rows_form_a_data_set(repository: Path) -> None:  # noqa: ARG001 - the working directory
    feedback_file("surname").parent.mkdir()
    write_csv(feedback_file("surname"), [{"text": "Rossi", "label": "Italian"}])
    before, old = load_params().datasets, load_catalogue(CATALOGUE)
    changes = combined("surname", load_params())
    assert changes["tasks.surname.data.set"] == "surname-and-feedback"
    assert yaml.safe_load(changes["datasets"]) == [*before, "surname-and-feedback"]
    new = load_catalogue(CATALOGUE)["surname-and-feedback"]
    assert [file.name for file in new.files] == [*(file.name for file in old["surnames17"].files), "surname-feedback.csv"]
    assert new.files[-1].sources == (Local(kind="local", path=feedback_file("surname")),)
    change(changes)
    write_csv(feedback_file("surname"), [{"text": "Weiß", "label": "German"}])
    combined("surname", load_params())
    again = load_catalogue(CATALOGUE)
    assert again["surname-and-feedback"].files[-1].sha256 != new.files[-1].sha256
    assert len(again) == len(old) + 1


@pytest.mark.parametrize("name", ["tickets.csv", "tickets-feedback.csv"])
def test_feedback_does_not_replace_a_file_of_the_same_name(corrections: Corrections, name: str) -> None:
    make(name=name)
    learn(corrections)
    texts = set().union(*map(prepared, SPLITS))
    assert texts == {row["text"] for row in ROWS} | {*SAID}


def test_feedback_has_a_time_if_rows_are_split_by_it(corrections: Corrections) -> None:
    make("--time", "when")
    learn(corrections)
    assert prepared("test") == {*SAID}
    assert [source.columns.get("time") for source in sources_of(load_catalogue(CATALOGUE)[NEW], NEW)] == ["when", "time"]


def test_a_changed_file_is_taken_in_together_with_feedback(corrections: Corrections) -> None:
    make()
    write_csv(Path("tickets.csv"), [*ROWS, {"text": "one more", "label": "sales", "when": "2026-02-01"}])
    for text in SAID:
        corrections.say(text.split()[0], text, task="tickets")
    change(new_data("tickets", load_params(), SERVER).changes)
    prepare()
    assert "one more" in set().union(*map(prepared, SPLITS))
    check_files(load_params())


def test_a_task_with_feedback_is_updated_and_removed_as_one_without(corrections: Corrections) -> None:
    before = {path: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (PARAMS, CATALOGUE)}
    make()
    learn(corrections)
    write_csv(Path("tickets.csv"), ROWS[:-2])
    assert "is now" in run("new", "tickets", "--update")
    check_files(load_params())
    prepare()
    run("remove", "tickets")
    assert {path: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (PARAMS, CATALOGUE)} == before
    assert not feedback_file("tickets").exists()
    assert Path("tickets.csv").exists()
    make()
