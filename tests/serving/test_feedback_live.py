"""Feedback on the answers of real servers, behind the gateway and behind nginx."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from asking import MakeStore
from waiting import until

from benchmarks.load.target import Target
from serving.client.client import Client
from serving.client.messages import PREDICT, decode, encode
from serving.contract.feedback import Feedback
from serving.endpoints.classification.contract import ClassificationRequest, LabelScore
from serving.records import Keeping, Recorded, Records, digest
from serving.server import control
from serving.server.errors import ControlError
from serving.server.instance import Instance
from serving.server.ports import HOST

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]
pytest.importorskip("ts")

GOOD = b'{"inputs": ["Geheimnis"]}'
Json = Any


@pytest.fixture(scope="module")
def keeping(bundles: dict[str, Path], make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server without a proxy that keeps inputs."""
    folder = tmp_path_factory.mktemp("keeping")
    store = make_store(folder / "packaged", bundles["classification"], bundles["translation"], bundles["vectors"])
    (folder / "kept").mkdir()
    try:
        control.up(store, folder, 0, keeping=Keeping(folder / "kept" / "records.sqlite", inputs=True))
        yield Target.of(folder)
    finally:
        control.down(folder)


@pytest.fixture(params=["keeping", "proxied"])
def server(request: pytest.FixtureRequest) -> Target:
    """Each of the two servers."""
    found: Target = request.getfixturevalue(request.param)
    return found


def recorded(server: Target, identity: str) -> list[Recorded]:
    """The records of an answer, once its worker has written them."""
    return until(lambda: Records(server.state.records).of(identity), "records to be written")


def answered(server: Target, model: str = "classification", body: bytes = GOOD) -> tuple[str, Json]:
    """The id of an answer whose record is written, and the answer."""
    response = server.ask(model, body)
    assert response.status_code == 200
    identity = response.headers["X-Request-Id"]
    recorded(server, identity)
    return identity, response.json()


def judge(server: Target, **feedback: object) -> requests.Response:
    return server.request("POST", "/feedback", json.dumps(feedback).encode())


def counted(server: Target, label: str, right: str) -> float:
    text = requests.get(f"http://{HOST}:{server.state.ports.exporter}/metrics", timeout=30).text
    line = rf'^seqline_feedback_total\{{label="{label}",model="classification",right="{right}",version="[^"]+"\}} (\S+)$'
    return sum(float(value) for value in re.findall(line, text, re.MULTILINE))


def test_an_answer_is_judged_counted_and_deleted(server: Target) -> None:
    identity, (labels,) = answered(server)
    best, before = labels[0]["label"], counted(server, labels[0]["label"], "true")
    wrong = counted(server, "other", "false")
    response = judge(server, id=identity, label=best)
    version = server.ask("classification", GOOD).headers["X-Model-Version"]
    assert response.json() == {"id": identity, "model": "classification", "version": version, "right": True}
    assert judge(server, id=identity, label="Klingon").json()["right"] is False
    assert (counted(server, best, "true"), counted(server, "other", "false")) == (before + 1, wrong + 1)
    deleted = [server.request("DELETE", f"/feedback/{identity}") for _ in range(2)]
    assert [response.status_code for response in deleted] == [200, 404]
    assert deleted[0].json() == {"deleted": True}
    assert judge(server, id=identity, label=best).status_code == 404
    assert Records(server.state.records).of(identity) == []


def test_a_translation_is_judged_by_its_text(server: Target) -> None:
    identity, (translation,) = answered(server, "translation", b'{"inputs": "ab"}')
    said = translation["translation_text"]
    assert [judge(server, id=identity, text=text).json()["right"] for text in (f"{said} ", f"{said}!")] == [True, False]
    assert judge(server, id=identity, label="Italian").json()["error"]["code"] == "invalid_feedback"


def test_the_client_gives_feedback(server: Target) -> None:
    key = server.headers()["Authorization"].removeprefix("Bearer ")
    certificate = server.certificate if server.state.proxied else None
    with Client(server.url, key, certificates=certificate) as client:
        answers = client.ask("classification", ClassificationRequest(inputs=["Rossi", "Moreau"]))
        assert answers.id
        recorded(server, answers.id)
        for place, ((best, *_), right) in enumerate(zip(answers, (True, False), strict=True)):
            assert isinstance(best, LabelScore)
            label = best.label if right else "Klingon"
            judged = client.judge(Feedback(id=answers.id, label=label, input=place))
            assert (judged.id, judged.model, judged.right) == (answers.id, "classification", right)


def test_word_vectors_take_no_feedback(server: Target) -> None:
    identity, _ = answered(server, "vectors", b'{"inputs": "king"}')
    assert judge(server, id=identity, label="queen").json()["error"]["code"] == "invalid_feedback"


def test_inputs_and_texts_are_in_the_file_only_if_they_are_kept(keeping: Target, proxied: Target) -> None:
    for server, kept in ((keeping, True), (proxied, False)):
        identity, _ = answered(server)
        said_id, (translation,) = answered(server, "translation", b'{"inputs": "Zwielicht"}')
        judge(server, id=said_id, text="another Geheimnis")
        assert [row.input for row in recorded(server, identity)] == ["Geheimnis" if kept else None]
        assert [row.answer for row in recorded(server, said_id)] == [digest(translation["translation_text"])]
        path = server.state.records
        content = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
        assert identity.encode() in content
        assert [word in content for word in (b"Geheimnis", b"Zwielicht", b"another Geheimnis")] == [kept] * 3


def test_the_servers_id_counts_and_not_the_clients(server: Target) -> None:
    own = "0" * 32
    response = server.ask("classification", GOOD, {"X-Request-Id": own})
    assert response.headers["X-Request-Id"] != own
    assert len(recorded(server, response.headers["X-Request-Id"])) == 1
    assert Records(server.state.records).of(own) == []


def test_health_checks_and_grpc_leave_no_record(proxied: Target) -> None:
    def count() -> int:
        with sqlite3.connect(proxied.state.records) as file:
            (found,) = file.execute("select count(*) from answers").fetchone()
        return int(found)

    answered(proxied)
    before = count()
    assert all(health.ready for health in control.status(proxied.folder).values())
    credentials = grpc.ssl_channel_credentials(proxied.certificate.read_bytes())
    key = proxied.headers()["Authorization"]
    with grpc.secure_channel(f"localhost:{proxied.state.port}", credentials) as channel:
        metadata = (("authorization", key), ("x-request-id", "0" * 32), ("x-request-start", "1"))
        assert channel.unary_unary(PREDICT, encode, decode)(("classification", GOOD), metadata=metadata, timeout=30)
    answered(proxied)
    assert count() == before + 1


def test_a_locked_file_fails_no_answer(keeping: Target) -> None:
    def lost() -> bool:
        text = requests.get(f"http://{HOST}:{keeping.state.ports.exporter}/metrics", timeout=30).text
        return bool(re.search(r"^seqline_lost_records_total\{.*\} [1-9]", text, re.MULTILINE))

    identity, (labels,) = answered(keeping)
    with sqlite3.connect(keeping.state.records) as other:
        other.execute("begin immediate")
        assert [keeping.ask("classification", GOOD).status_code for _ in range(5)] == [200] * 5
        until(lost, "a record to be lost")
        response = judge(keeping, id=identity, label=labels[0]["label"])
        assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
        assert response.headers["Retry-After"]
    answered(keeping)
    assert judge(keeping, id=identity, label=labels[0]["label"]).status_code == 200


def test_a_file_that_cannot_be_used_is_named_before_anything_starts(keeping: Target, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("a letter to somebody\n" * 100)
    for file in (tmp_path / "letter", tmp_path / "missing" / "records.sqlite"):
        with pytest.raises(ControlError, match=rf"the file of records {re.escape(str(file))} cannot be used"):
            control.up(keeping.folder / "packaged", tmp_path, 0, keeping=Keeping(file))
    assert not Instance(tmp_path).processes()
