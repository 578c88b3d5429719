"""The file of records: what is kept, for how long, and what is left of what was deleted."""

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from serving import records
from serving.records import DAY_S, Feedback, Keeping, Recorded, Records, digest

A, B = "a" * 32, "b" * 32
HIDDEN = "Geheimnis"


def row(identity: str = A, place: int = 0, version: str = "1-a", *, days_ago: float = 0, **more: Any) -> Recorded:
    made = Recorded(identity, place, "surname", version, time.time() - days_ago * DAY_S, 0.01, "Italian")
    return made._replace(**more)


def right(expected: str = "Italian", identity: str = A, **more: Any) -> Feedback:
    made = Feedback(identity, 0, "surname", "1-a", time.time(), expected, expected == "Italian")
    return made._replace(**more)


@pytest.fixture
def file(tmp_path: Path) -> Records:
    return Records(tmp_path / "records.sqlite")


def content(file: Path) -> bytes:
    """All bytes of the file and of those that SQLite puts beside it."""
    return b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))


def test_the_answer_that_somebody_saw_comes_before_the_shadows(file: Records) -> None:
    file.write([row(version="2-b", shadow=True)])  # a copy may be answered first
    file.write([row(place=1), row(place=0)])
    assert [(found.version, found.place) for found in file.of(A)] == [("1-a", 0), ("1-a", 1), ("2-b", 0)]
    assert file.of(B) == []


@pytest.mark.parametrize("order", [(False, True), (True, False)])
def test_a_copy_to_the_same_version_does_not_hide_the_answer(file: Records, order: tuple[bool, bool]) -> None:
    for shadow in order:
        file.write([row(shadow=shadow)])
    assert [found.shadow for found in file.of(A)] == [False]
    assert file.judge(right())


def test_a_retried_request_has_one_record(file: Records) -> None:
    file.write([row(seconds=1.0)])
    file.write([row(seconds=2.0)])
    assert [found.seconds for found in file.of(A)] == [2.0]


def test_two_versions_are_paired_by_request_and_place(file: Records) -> None:
    file.write([row(), row(place=1), row(B)])
    file.write([row(version="2-b", answer="French", shadow=True), row(place=2, version="2-b", shadow=True)])
    assert [(pair.first, pair.second) for pair in file.pairs("surname", "1-a", "2-b")] == [("Italian", "French")]


def test_feedback_is_kept_with_the_answer_it_is_about(file: Records) -> None:
    file.write([row(), row(version="2-b", shadow=True), row(B)])
    assert file.judge(right())
    ((recorded, feedback),) = file.judged("surname")
    assert (recorded.version, recorded.answer, feedback.expected, feedback.right) == ("1-a", "Italian", "Italian", True)
    assert file.judged("surname", since=time.time() + 1) == []


def test_feedback_can_be_corrected_and_repeating_it_says_nothing_new(file: Records) -> None:
    file.write([row()])
    assert [file.judge(right(said)) for said in ("Italian", "Italian", "French", "French")] == [True, False, True, False]
    ((_, feedback),) = file.judged("surname")
    assert (feedback.expected, feedback.right) == ("French", False)


def test_records_are_deleted_after_their_days(file: Records) -> None:
    file.write([row(B, days_ago=31), row(A, days_ago=29)])
    file.judge(right(identity=B))  # feedback goes with its answer, even if it came later
    file.judge(right(identity=A))
    assert file.right("surname", "1-a", since=0) == (2, 2)
    file.purge(30)
    assert file.right("surname", "1-a", since=0) == (1, 1)
    assert (file.of(B), len(file.of(A)), len(file.judged("surname"))) == ([], 1, 1)


def test_there_is_no_feedback_without_an_answer(file: Records) -> None:
    file.write([row(version="2-b", shadow=True)])
    assert not file.judge(right())
    assert file.right("surname", "1-a", since=0) == (0, 0)


def test_what_comes_late_stays_forgotten(file: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    late = [row(version="2-b", shadow=True), row(B)]
    file.write([row()])
    assert file.forget(A)
    file.write(late)
    assert (file.of(A), len(file.of(B)), file.forget(A)) == ([], 1, False)
    file.purge(30)
    file.write(late)
    assert file.of(A) == []
    monkeypatch.setattr(records, "LATE_S", 0)
    file.purge(30)
    file.write(late)
    assert len(file.of(A)) == 1


def test_the_oldest_records_beyond_the_limit_are_deleted(file: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "AT_ONCE", 4)
    file.write([row(f"{number:032x}") for number in range(20)])
    assert [file.purge(30, most=5) for _ in range(4)] == [True, True, True, False]
    assert [len(file.of(f"{number:032x}")) for number in (0, 14, 15, 19)] == [0, 0, 1, 1]


def test_the_latest_answers_of_a_version_are_listed(file: Records) -> None:
    file.write([row(f"{number:032x}", at=float(number)) for number in range(5)] + [row(version="2-b")])
    assert [found.at for found in file.answers("surname", "1-a", 2)] == [4.0, 3.0]


@pytest.mark.parametrize("days_ago", [0, 31])
def test_nothing_is_left_of_what_was_deleted(
    file: Records, tmp_path: Path, days_ago: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "records.sqlite"
    others = [row(f"{number:032x}") for number in range(100)]
    file.write(others[:50])
    file.write([row(input=HIDDEN, days_ago=days_ago)])
    file.write(others[50:])
    file.judge(right(text=f"not {HIDDEN}"))
    assert HIDDEN.encode() in content(path)
    if days_ago:
        file.purge(30)
    else:
        assert file.forget(A)
    assert HIDDEN.encode() not in content(path)
    monkeypatch.setattr(records, "LATE_S", 0)  # until then, the id of a request that was forgotten is kept
    file.purge(30)
    assert A.encode() not in content(path)
    assert not file.forget(A)
    assert len(file.of(others[7].id)) == 1


def test_the_file_is_for_its_owner_alone(file: Records, tmp_path: Path) -> None:
    file.write([row()])
    files = list(tmp_path.glob("records.sqlite*"))
    assert len(files) > 1
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


def test_a_file_survives_its_server(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    first = Records(path)
    first.write([row()])
    first.close()
    assert len(Records(path).of(A)) == 1


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    path.write_text("a letter to somebody\n" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Records(path)


def test_processes_are_told_what_to_keep(tmp_path: Path) -> None:
    for keeping in (Keeping(tmp_path / "r"), Keeping(tmp_path / "r", inputs=True, days=7)):
        assert Keeping.from_environment(keeping.environment) == keeping


def test_white_space_around_a_text_makes_no_difference() -> None:
    assert digest(" The cat\n") == digest("The cat") != digest("The  cat")
