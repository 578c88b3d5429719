"""Feedback becomes rows of a data set that the pipeline can prepare."""

import csv
import shutil
from pathlib import Path

import pytest
import yaml

from pipelines.data.catalogue import load_catalogue
from pipelines.data.reading.rows import sources_of
from pipelines.paths import CATALOGUE
from pipelines.retraining.data_set import combined, feedback_file
from pipelines.retraining.rows import fresh, merge, rows_of
from pipelines.settings.params import load_params
from pipelines.stage import StageError
from serving.records import Feedback, Recorded

ROOT = Path(__file__).parents[3]


def judged(text: str | None, expected: str, said: str | None = None) -> tuple[Recorded, Feedback]:
    answer = Recorded("a" * 32, 0, "surname", "1-abc", 1.0, 0.001, "French", text)
    return answer, Feedback("a" * 32, 0, "surname", "1-abc", 2.0, expected, False, said)


def test_the_latest_feedback_on_an_input_counts() -> None:
    found = rows_of("classification", [judged("Rossi", "French"), judged("Lee", "Korean"), judged("Rossi", "Italian")])
    assert found == [{"text": "Rossi", "label": "Italian"}, {"text": "Lee", "label": "Korean"}]


def test_feedback_without_its_input_gives_no_row() -> None:
    assert rows_of("classification", [judged(None, "French")]) == []


def test_a_translation_needs_the_right_text() -> None:
    found = rows_of("translation", [judged("le chat", "sha256:1"), judged("un chien", "sha256:2", "a dog")])
    assert found == [{"source": "un chien", "target": "a dog"}]


def test_kinds_without_right_answers_are_refused() -> None:
    with pytest.raises(StageError, match="kind generation"):
        rows_of("generation", [])


def test_rows_are_merged_by_their_input(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "surname.csv"
    first = [{"text": "Rossi", "label": "French"}, {"text": 'O"Brien, J', "label": "Irish"}]
    assert fresh(path, first) == 2
    merge(path, first)
    assert fresh(path, first) == 0
    other = [{"text": "Rossi", "label": "Italian"}]
    assert fresh(path, other) == 1
    merge(path, other)
    with path.open(encoding="utf-8", newline="") as file:
        assert {row["text"]: row["label"] for row in csv.DictReader(file)} == {"Rossi": "Italian", 'O"Brien, J': "Irish"}


def test_old_and_new_rows_form_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("params.yaml", str(CATALOGUE)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    merge(feedback_file("surname"), [{"text": "Rossi", "label": "Italian"}])
    changes = combined("surname", load_params())
    assert changes["tasks.surname.data.set"] == "surname-and-feedback"
    assert yaml.safe_load(changes["datasets"]) == [*load_params().datasets, "surname-and-feedback"]
    old, new = (load_catalogue(CATALOGUE)[name] for name in ("surnames17", "surname-and-feedback"))
    assert [file.name for file in new.files] == [*(file.name for file in old.files), "surname.csv"]
    assert [row.text for row in sources_of(new, "new")[-1].rows(Path("data/feedback"))] == ["Rossi"]
    merge(feedback_file("surname"), [{"text": "Weiß", "label": "German"}])
    combined("surname", load_params())
    again = load_catalogue(CATALOGUE)["surname-and-feedback"]
    assert again.files[-1].sha256 != new.files[-1].sha256
    assert len(load_catalogue(CATALOGUE)) == len(yaml.safe_load((ROOT / CATALOGUE).read_text(encoding="utf-8"))) + 1
