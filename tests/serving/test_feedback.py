"""Feedback on answers: what is accepted, kept and counted, and what happens if the records cannot be reached."""

import asyncio
import json
import sqlite3
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from serving import records
from serving.bundle import GRAPH, MANIFEST, TOKENIZER
from serving.records import DAY_S, Feedback, Keeping, Recorded, Records, digest
from serving.server.feedback import FeedbackApi
from serving.server.gateway import Gateway
from serving.server.instance import Instance
from serving.telemetry.metrics import FEEDBACK

Json = Any
NAME, SENTENCE, SERIES = ("a" * 32, "b" * 32, "c" * 32)
BUNDLE = {
    "task": "surname",
    "kind": "classification",
    "max_length": 20,
    "labels": ["French", "Italian"],
    "files": dict.fromkeys((TOKENIZER, GRAPH), "0" * 64),
}


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """The folder of a server with an archive of a classifier, and records of three answers."""
    (tmp_path / "site/web").mkdir(parents=True)
    (tmp_path / "store").mkdir()
    (tmp_path / "key_file.json").write_text(json.dumps({name: {"key": "right"} for name in ("management", "inference")}))
    with zipfile.ZipFile(tmp_path / "store/surname-1-a.mar", "w") as archive:
        archive.writestr(MANIFEST, json.dumps(BUNDLE))
    now = time.time()
    Records(tmp_path / "records.sqlite").write(
        [
            Recorded(NAME, 0, "surname", "2-b", now, 0.1, "French", shadow=True),
            Recorded(NAME, 0, "surname", "1-a", now, 0.1, "Italian"),
            Recorded(NAME, 1, "surname", "1-a", now, 0.1, "French"),
            Recorded(SENTENCE, 0, "fr-en", "1-a", now, 0.1, digest("The cat")),
            Recorded(SERIES, 0, "volatility", "1-a", now, 0.1, None),
            Recorded("d" * 32, 0, "surname", "1-a", now - 31 * DAY_S, 0.1, "Italian"),
        ]
    )
    return Instance(tmp_path)


@pytest.fixture(autouse=True)
def uncounted() -> Iterator[None]:
    FEEDBACK.clear()
    yield
    FEEDBACK.clear()


def send(instance: Instance, *requests: tuple[str, str, Json], keep: bool = False) -> list[tuple[int, Json]]:
    """The statuses and answers of requests to a gateway, one after the other."""

    async def sent() -> list[tuple[int, Json]]:
        gateway = Gateway(instance, 1, "", 10.0, Keeping(instance.records, inputs=keep))
        async with TestClient(TestServer(gateway.application())) as client:
            answers = []
            for method, path, body in requests:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                response = await client.request(method, path, data=data, headers={"Authorization": "Bearer right"})
                answers.append((response.status, await response.json()))
            return answers

    return asyncio.run(sent())


def judge(instance: Instance, *bodies: Json, keep: bool = False) -> list[tuple[int, Json]]:
    return send(instance, *(("POST", "/feedback", body) for body in bodies), keep=keep)


def kept(instance: Instance) -> list[Feedback]:
    rows = Records(instance.records)
    return [feedback for model in ("surname", "fr-en", "volatility") for _, feedback in rows.judged(model)]


def counted() -> dict[tuple[str, ...], float]:
    samples = (sample for family in FEEDBACK.collect() for sample in family.samples if sample.name.endswith("_total"))
    return {tuple(sample.labels[name] for name in ("model", "version", "label", "right")): sample.value for sample in samples}


def test_feedback_tells_whether_the_answer_that_somebody_saw_was_right(instance: Instance) -> None:
    answers = judge(instance, {"id": NAME, "label": "Italian"}, {"id": NAME, "label": "Italian", "input": 1})
    about = {"id": NAME, "model": "surname", "version": "1-a"}
    assert answers == [(200, about | {"right": True}), (200, about | {"right": False})]
    assert [(row.place, row.expected, row.right) for row in kept(instance)] == [(0, "Italian", 1), (1, "Italian", 0)]


def test_a_text_is_compared_apart_from_white_space(instance: Instance) -> None:
    answers = judge(instance, {"id": SENTENCE, "text": "The cat\n"}, {"id": SENTENCE, "text": "The cats"})
    assert [answer["right"] for _, answer in answers] == [True, False]


@pytest.mark.parametrize("keep", [False, True])
def test_the_right_text_is_only_kept_with_keep_inputs(instance: Instance, keep: bool) -> None:
    judge(instance, {"id": SENTENCE, "text": "The Geheimnis"}, keep=keep)
    (row,) = kept(instance)
    assert (row.expected, row.text) == (digest("The Geheimnis"), "The Geheimnis" if keep else None)
    content = b"".join(path.read_bytes() for path in instance.folder.glob("records.sqlite*"))
    assert (b"Geheimnis" in content) == keep


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "empty_body"),
        (b"{", 400, "invalid_json"),
        (b'{"id": "a", "id": "b"}', 400, "invalid_json"),
        ([], 400, "invalid_feedback"),
        ({}, 400, "invalid_feedback"),
        ({"id": NAME}, 400, "invalid_feedback"),
        ({"label": "Italian"}, 400, "invalid_feedback"),
        ({"id": NAME, "label": "Italian", "text": "Italian"}, 400, "invalid_feedback"),
        ({"id": NAME, "label": ""}, 400, "invalid_feedback"),
        ({"id": NAME, "label": "a" * 101}, 400, "invalid_feedback"),
        ({"id": NAME, "label": "\ud800"}, 400, "invalid_feedback"),
        ({"id": NAME, "label": 3}, 400, "invalid_feedback"),
        ({"id": NAME, "label": "Italian", "input": 2}, 400, "invalid_feedback"),
        ({"id": NAME, "label": "Italian", "input": -1}, 400, "invalid_feedback"),
        ({"id": NAME, "label": "Italian", "input": 10**30}, 400, "invalid_feedback"),
        ({"id": NAME, "label": "Italian", "why": ""}, 400, "invalid_feedback"),
        ({"id": NAME, "text": "Italian"}, 400, "invalid_feedback"),
        ({"id": SENTENCE, "label": "Italian"}, 400, "invalid_feedback"),
        ({"id": SERIES, "label": "Italian"}, 400, "invalid_feedback"),
        ({"id": SERIES, "text": "Italian"}, 400, "invalid_feedback"),
        ({"id": "../" + NAME, "label": "Italian"}, 400, "invalid_feedback"),
        ({"id": NAME + "\n", "label": "Italian"}, 400, "invalid_feedback"),
        ({"id": 32 * "0", "label": "Italian"}, 404, "unknown_answer"),
    ],
)
def test_wrong_feedback_gets_an_error_that_says_why(instance: Instance, body: Json, status: int, code: str) -> None:
    ((answered, answer),) = judge(instance, body)
    assert (answered, answer["error"]["code"]) == (status, code)
    assert answer["error"]["message"]
    assert kept(instance) == []
    assert counted() == {}


def test_an_expired_answer_takes_no_feedback(instance: Instance) -> None:
    ((status, answer),) = judge(instance, {"id": "d" * 32, "label": "Italian"})
    assert (status, answer["error"]["code"]) == (404, "unknown_answer")


def test_feedback_is_counted_by_its_label_and_once(instance: Instance) -> None:
    italian, unknown = {"id": NAME, "label": "Italian"}, {"id": NAME, "label": "Klingon", "input": 1}
    judge(instance, italian, italian, unknown, {"id": SENTENCE, "text": "The cat"})
    assert counted() == {
        ("surname", "1-a", "Italian", "true"): 1,
        ("surname", "1-a", "Italian", "false"): 0,
        ("surname", "1-a", "other", "true"): 0,  # a class that the model does not know, of which there could be any number
        ("surname", "1-a", "other", "false"): 1,
        ("fr-en", "1-a", "", "true"): 1,
        ("fr-en", "1-a", "", "false"): 0,
    }
    assert {row.expected for row in kept(instance)} == {"Italian", "Klingon", digest("The cat")}


def test_the_classes_of_a_version_count_once_its_archive_is_there(instance: Instance) -> None:
    """Feedback may be on an answer of an earlier server, which had a version that this one gets later."""
    archive = instance.store / "surname-1-a.mar"
    away = archive.rename(instance.folder / "away.mar")

    async def judged() -> None:
        api = FeedbackApi(instance, Keeping(instance.records))
        application = web.Application()
        application.cleanup_ctx.append(api.running)
        application.router.add_post("/feedback", api.judge)
        async with TestClient(TestServer(application)) as client:
            for label in ("Italian", "French"):
                await client.post("/feedback", json={"id": NAME, "label": label})
                if away.exists():
                    away.rename(archive)

    asyncio.run(judged())
    assert [label for _, _, label, right in counted() if right == "true"] == ["other", "French"]


def test_an_answer_can_be_deleted_with_its_feedback(instance: Instance) -> None:
    path = f"/feedback/{NAME}"
    answers = send(instance, ("POST", "/feedback", {"id": NAME, "label": "Italian"}), *[("DELETE", path, b"")] * 2)
    assert [status for status, _ in answers] == [200, 200, 404]
    assert answers[1][1] == {"deleted": True}
    assert kept(instance) == []
    assert Records(instance.records).of(NAME) == []
    assert len(Records(instance.records).of(SENTENCE)) == 1


def test_a_shadows_record_can_be_deleted_without_the_answer(instance: Instance) -> None:
    """The answer's own record may have been lost."""
    lost = "f" * 32
    Records(instance.records).write([Recorded(lost, 0, "surname", "2-b", time.time(), 0.1, "French", shadow=True)])
    answers = send(instance, ("POST", "/feedback", {"id": lost, "label": "French"}), *[("DELETE", f"/feedback/{lost}", b"")] * 2)
    assert [status for status, _ in answers] == [404, 200, 404]
    assert Records(instance.records).of(lost) == []


def test_an_answer_can_be_deleted_before_it_is_recorded(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.server.feedback.WAITS_S", (0, 0.2, 0.2, 0.2, 0.2))
    early = "f" * 32

    async def deleted() -> int:
        gateway = Gateway(instance, 1, "", 10.0, Keeping(instance.records))
        async with TestClient(TestServer(gateway.application())) as client:
            asked = asyncio.create_task(client.delete(f"/feedback/{early}", headers={"Authorization": "Bearer right"}))
            await asyncio.sleep(0.1)
            Records(instance.records).write([Recorded(early, 0, "surname", "1-a", time.time(), 0.1, "French")])
            return (await asked).status

    assert asyncio.run(deleted()) == 200
    assert Records(instance.records).of(early) == []


def test_records_that_cannot_be_reached_get_a_503(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Records, "judge", fail)
    monkeypatch.setattr(Records, "purge", fail)
    ((status, answer), (again, _)) = judge(instance, *[{"id": NAME, "label": "Italian"}] * 2)
    assert (status, again, answer["error"]["code"]) == (503, 503, "unavailable")
    assert counted() == {}


def test_old_records_are_deleted_while_a_server_runs(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.server.feedback.PURGE_S", 0.01)
    old = Recorded("e" * 32, 0, "surname", "1-a", time.time() - 8 * DAY_S, 0.1, "Italian")

    async def running() -> list[Recorded]:
        api = FeedbackApi(instance, Keeping(instance.records, days=7))
        async for _ in api.running(None):  # type: ignore[arg-type]
            await asyncio.sleep(0.1)
            other = Records(instance.records)
            other.write([old])
            for _ in range(600):
                if not other.of(old.id):
                    break
                await asyncio.sleep(0.1)
            return other.of(old.id)
        return [old]

    assert asyncio.run(running()) == []


def test_feedback_does_not_wait_until_many_records_are_deleted(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "AT_ONCE", 10)
    file, old = Records(instance.records), time.time() - 31 * DAY_S
    file.write([Recorded(f"{number:032x}", 0, "volatility", "0-c", old, 0.1, None) for number in range(1000)])
    assert judge(instance, {"id": NAME, "label": "Italian"})[0][0] == 200
    assert 0 < file.count("volatility", "0-c") < 1000
