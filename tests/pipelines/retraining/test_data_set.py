"""Old rows and feedback form a data set that the pipeline can prepare."""

from pathlib import Path

import yaml
from corrections import change, write_csv

from pipelines.data.catalogue import Local, load_catalogue
from pipelines.paths import CATALOGUE
from pipelines.retraining.data_set import combined
from pipelines.retraining.names import feedback_file
from pipelines.settings.params import load_params


def test_old_and_new_rows_form_a_data_set(repository: Path) -> None:  # noqa: ARG001 - the working directory
    feedback_file("surname").parent.mkdir()
    write_csv(feedback_file("surname"), [{"text": "Rossi", "label": "Italian"}])
    before, old = load_params().datasets, load_catalogue(CATALOGUE)
    changes = combined("surname", load_params())
    assert changes["tasks.surname.data.set"] == "surname-and-feedback"
    assert yaml.safe_load(changes["datasets"]) == [*before, "surname-and-feedback"]
    new = load_catalogue(CATALOGUE)["surname-and-feedback"]
    assert [file.name for file in new.files] == [*(file.name for file in old["surnames17"].files), "surname.csv"]
    assert new.files[-1].sources == (Local(kind="local", path=feedback_file("surname")),)
    change(changes)
    write_csv(feedback_file("surname"), [{"text": "Weiß", "label": "German"}])
    combined("surname", load_params())
    again = load_catalogue(CATALOGUE)
    assert again["surname-and-feedback"].files[-1].sha256 != new.files[-1].sha256
    assert len(again) == len(old) + 1
