"""Feedback becomes rows of a file, which a person may edit. Rows whose label has too few rows wait."""

from pathlib import Path

import pytest
import yaml
from corrections import ROOT, write_prepared

from pipelines.kinds.classification.settings import CharactersTask
from pipelines.paths import PARAMS
from pipelines.retraining.merging import Merged, merge, rare_labels
from pipelines.retraining.rows import Row, as_csv, read, rows_of
from pipelines.settings.params import Params, checked
from pipelines.stage import StageError
from serving.records import Feedback, Recorded

BLOCK = checked(yaml.safe_load((ROOT / PARAMS).read_text(encoding="utf-8")), Params, "params.yaml").task_of(
    "surname", CharactersTask
)


def judged(text: str | None, expected: str, said: str | None = None) -> tuple[Recorded, Feedback]:
    answer = Recorded("a" * 32, 0, "surname", "1-abc", 1.0, 0.001, "French", text)
    return answer, Feedback("a" * 32, 0, "surname", "1-abc", 2.0, expected, False, said)


def rows(label: str, *texts: str) -> list[Row]:
    return [{"text": text, "label": label} for text in texts]


def test_the_latest_feedback_on_an_input_counts() -> None:
    found = rows_of("classification", [judged("Rossi", "French"), judged("Lee", "Korean"), judged("Rossi", "Italian")])
    time = "1970-01-01T00:00:01+00:00"
    assert found == [{"text": "Rossi", "label": "Italian", "time": time}, {"text": "Lee", "label": "Korean", "time": time}]


@pytest.mark.parametrize("text", [None, "", "Ro\0ssi"])
def test_feedback_without_a_usable_input_gives_no_row(text: str | None) -> None:
    assert rows_of("classification", [judged(text, "French")]) == []


def test_a_translation_needs_the_right_text() -> None:
    (found,) = rows_of("translation", [judged("le chat", "sha256:1"), judged("un chien", "sha256:2", "a dog")])
    assert (found["source"], found["target"]) == ("un chien", "a dog")


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = [{"text": 'O"Brien, J', "label": "Irish", "time": "2026-01-31"}, {"text": "two\nlines", "label": "no", "time": ""}]
    path = tmp_path / "surname.csv"
    assert read(path, "classification") == []
    path.write_text(as_csv(written, "classification"), encoding="utf-8")
    assert read(path, "classification") == written


def test_a_spreadsheet_may_add_a_mark_and_a_column(tmp_path: Path) -> None:
    path = tmp_path / "surname.csv"
    path.write_text("text,label,note\nRossi,Italian,sure\n", encoding="utf-8-sig")
    (found,) = read(path, "classification")
    assert found == {"text": "Rossi", "label": "Italian", "note": "sure"}
    path.write_text(as_csv([found, *rows("Korean", "Lee")], "classification"), encoding="utf-8")
    assert [row["note"] for row in read(path, "classification")] == ["sure", ""]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text;label\nRossi;Italian\n", "no column 'text'"),
        ("text,labels\nRossi,Italian\n", "no column 'label'; did you mean 'labels'"),
        ("text,label\nRossi,Italian,sure\n", "line 2: the record has 3 fields, not 2"),
    ],
)
def test_a_file_that_is_damaged_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "surname.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StageError, match=message):
        read(path, "classification")


def test_rows_are_merged_by_their_input() -> None:
    before = rows("French", "Rossi", "Moreau")
    found = merge("classification", before, [], rows("Italian", "Rossi") + rows("French", "Moreau"), lambda _: set())
    assert found == Merged(rows("Italian", "Rossi") + rows("French", "Moreau"), [], 1)


def test_rows_with_a_rare_label_wait_until_there_are_enough() -> None:
    first = merge("classification", rows("French", "Rossi"), [], rows("Itlian", "Rossi"), lambda _: {"Itlian"})
    assert first == Merged(rows("French", "Rossi"), rows("Itlian", "Rossi"), 0)
    corrected = merge("classification", first.rows, first.waiting, rows("Italian", "Rossi"), lambda _: {"Itlian"})
    assert corrected == Merged(rows("Italian", "Rossi"), [], 1)
    enough = merge("classification", [], rows("Estonian", "Tamm"), rows("Estonian", "Saar"), lambda _: set())
    assert enough == Merged(rows("Estonian", "Tamm", "Saar"), [], 2)


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Prepared data with the labels French and Italian."""
    write_prepared(tmp_path / "prepared")
    return tmp_path / "prepared"


@pytest.mark.parametrize(
    ("found", "rare"),
    [
        (rows("Italian", "Bianchi") + rows("French ", "Blanc"), set()),
        (rows("Estonian", "Tamm", "Saar"), {"Estonian"}),
        (rows("Estonian", "Tamm", "Saar", "Sepp"), set()),
        (rows("Estonian", "Tamm", "Saar", "TAMM!"), {"Estonian"}),
        (rows("Estonian", "Tamm", "Saar", "Test Rossi"), {"Estonian"}),
        (rows("Estonian", "Tamm", "Saar", 50 * "a"), {"Estonian"}),
        (rows("Estonian", "Tamm", "Saar", "Sepp") + rows("Itlian", "Verdi"), {"Itlian"}),
    ],
)
def test_a_new_label_needs_a_new_text_for_each_split(prepared: Path, found: list[Row], rare: set[str]) -> None:
    assert rare_labels(BLOCK, found, prepared, by_time=False) == rare


def test_without_prepared_data_every_label_needs_so_many(tmp_path: Path) -> None:
    found = rows("Italian", "Bianchi") + rows("Estonian", "Tamm", "Saar", "Sepp")
    assert rare_labels(BLOCK, found, tmp_path, by_time=False) == {"Italian"}


def test_no_label_is_new_to_data_that_is_split_by_time(prepared: Path) -> None:
    assert rare_labels(BLOCK, rows("Estonian", "Tamm", "Saar", "Sepp"), prepared, by_time=True) == {"Estonian"}
