"""A worker records its answers, and a failure to do so fails none of them."""

import logging
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from serving import records
from serving.records import Keeping, Recorded, Records, digest
from serving.telemetry import recorder
from serving.telemetry.metrics import LOST
from serving.telemetry.recorder import Answered, Recorder, outcomes

ITALIAN = [{"label": "Italian", "score": 0.9}, {"label": "French", "score": 0.1}]
CAT = {"translation_text": "The cat", "score": -1.0}
MARIO = {"generated_text": "Mario", "label": "Italian"}
EXPLAINED = {"labels": ITALIAN, "words": [{"word": "ciao", "known": True, "importance": 1.0}]}
OTHER = {"words": ["a"], "vectors": [[1.0]]}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (ITALIAN, ["Italian"]),
        ([ITALIAN, ITALIAN[1:]], ["Italian", "French"]),
        ([ITALIAN], ["Italian"]),
        (EXPLAINED, ["Italian"]),
        ([EXPLAINED, EXPLAINED], ["Italian", "Italian"]),
        ([CAT], [digest("The cat")]),
        ([CAT, {**CAT, "translation_text": "The dog"}], [digest("The cat"), digest("The dog")]),
        ([MARIO, {"generated_text": "Maria"}], [digest("Mario")]),  # two names from one beginning
        ([[MARIO, {"generated_text": "Maria"}], [MARIO]], [digest("Mario"), digest("Mario")]),
        (OTHER, [None]),
        ([OTHER, OTHER], [None, None]),
    ],
)
def test_every_input_has_one_outcome(body: Any, found: list[str | None]) -> None:
    assert [answer for answer, _ in outcomes(body)] == found


def answered(request: bytes = b'{"inputs": "Rossi"}', answer: Any = ITALIAN, identity: str = "a" * 32) -> Answered:
    return Answered(identity, 0.01, request, answer, shadow=False)


def written(path: Path, identity: str = "a" * 32) -> list[Recorded]:
    """The records of a request, once a thread has written them."""
    return until(lambda: path.exists() and Records(path).of(identity), "records to be written")


def lost() -> float:
    return sum(sample.value for family in LOST.collect() for sample in family.samples if sample.name.endswith("_total"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite"


def test_without_keep_inputs_no_input_and_no_text_is_in_the_file(path: Path) -> None:
    writer = Recorder("fr-en", "1-a", Keeping(path))
    writer.write([answered(b'{"inputs": ["Le chat", "Geheimnis"]}', [CAT, {**CAT, "translation_text": "The secret"}])])
    rows = written(path)
    assert [(row.place, row.answer, row.input, row.said) for row in rows] == [
        (0, digest("The cat"), None, None),
        (1, digest("The secret"), None, None),
    ]
    content = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    assert rows[1].id.encode() in content
    assert not [word for word in (b"chat", b"Geheimnis", b"cat", b"secret") if word in content]


def test_with_keep_inputs_they_are_kept(path: Path) -> None:
    writer = Recorder("fr-en", "1-a", Keeping(path, inputs=True))
    writer.write([answered(b'\xef\xbb\xbf{"inputs": "Le chat"}', [CAT])])
    writer.write([answered(b'{"inputs": [{"close": [1.5]}]}', [OTHER], "b" * 32)])
    assert [(row.input, row.said) for row in written(path)] == [("Le chat", "The cat")]
    assert [(row.input, row.said) for row in written(path, "b" * 32)] == [('{"close": [1.5]}', None)]


def test_a_server_that_keeps_nothing_writes_nothing(tmp_path: Path) -> None:
    Recorder("surname", "1-a", None).write([answered()])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "PAUSE_S", 2.0)


@pytest.mark.usefixtures("quick")
def test_a_locked_file_loses_records_but_no_answer(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer, before = Recorder("surname", "1-a", Keeping(path)), lost()
    writer.write([answered()])
    written(path)
    with sqlite3.connect(path) as other, caplog.at_level(logging.ERROR):
        other.execute("begin immediate")
        start = time.perf_counter()
        writer.write([answered(identity="b" * 32)])
        until(lambda: lost() > before, "a record to be lost")
        for _ in range(recorder.WAITING + 10):
            writer.write([answered(identity="c" * 32)])
        assert time.perf_counter() - start < 20  # about WAIT_S
    assert len(caplog.records) == 1
    assert lost() - before >= 10  # as many may wait, but no more
    assert len(written(path, "c" * 32)) == 1
    assert Records(path).of("b" * 32) == []


def test_a_full_disk_loses_records_but_no_answer(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "SETTINGS", f"{records.SETTINGS} pragma max_page_count = 10;")
    writer, before = Recorder("surname", "1-a", Keeping(path)), lost()
    with caplog.at_level(logging.ERROR):
        writer.write([answered(identity=f"{number:032x}") for number in range(1000)])
        until(lambda: lost() - before == 1000, "records to be lost")
    assert "database or disk is full" in caplog.text


@pytest.mark.parametrize("body", [b"", b"no JSON", b'{"inputs": ["a", "b", "c"]}'])
def test_a_body_that_cannot_be_recorded_fails_no_answer(path: Path, body: bytes) -> None:
    before = lost()
    Recorder("surname", "1-a", Keeping(path, inputs=True)).write([answered(body)])
    assert lost() - before == 1


def test_a_folder_that_is_missing_fails_no_answer(tmp_path: Path) -> None:
    before = lost()
    Recorder("surname", "1-a", Keeping(tmp_path / "missing" / "records.sqlite")).write([answered()])
    until(lambda: lost() - before == 1, "a record to be lost")
