"""The client, against a fake server with scripted replies."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio
import pytest

from serving.client.ask import body_of
from serving.client.client import AsyncClient, Client
from serving.client.exchange import ServingError
from serving.contract.feedback import Feedback, Judged
from serving.endpoints.classification.contract import ClassificationParameters, ClassificationRequest, LabelScore
from serving.endpoints.generation.contract import Drawn, GeneratedText, GenerationRequest, TokenProbability
from serving.server.errors import ControlError
from serving.server.keys import ClientKeys

Reply = tuple[int, dict[str, str], Any]
ANSWER = [{"label": "Irish", "score": 0.5}]
BUSY: Reply = (503, {"Retry-After": "0"}, {"error": {"code": "unavailable", "message": "try again"}})
WRONG: Reply = (400, {}, {"error": {"code": "empty_input", "message": "the text is empty", "input": 1}})
REQUEST = ClassificationRequest(inputs="O'Neill", parameters=ClassificationParameters(top_k=1))
Serve = Callable[..., "Serving"]


class Serving:
    """A server that sends the given replies in order and records the requests."""

    def __init__(self, replies: list[Reply]) -> None:
        sent: list[tuple[str, dict[str, str], Any]] = []
        left = iter(replies)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sent.append((self.path, dict(self.headers), json.loads(body)))
                status, headers, content = next(left)
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        self.sent = sent
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[Serving] = []

    def start(*replies: Reply) -> Serving:
        started.append(Serving(list(replies)))
        return started[-1]

    yield start
    for serving in started:
        serving.server.shutdown()
        serving.server.server_close()


def test_requests_and_answers_are_typed(serve: Serve) -> None:
    serving = serve((200, {}, ANSWER))
    with Client(serving.url, "secret", timeout_s=2.5) as client:
        assert client.ask("surname", REQUEST) == [[LabelScore(label="Irish", score=0.5)]]
    ((path, headers, body),) = serving.sent
    assert path == "/predictions/surname"
    assert body == {"inputs": "O'Neill", "parameters": {"top_k": 1}}
    lower = {name.lower(): value for name, value in headers.items()}
    assert (lower["authorization"], lower["x-deadline"]) == ("Bearer secret", "2.5")


def test_torchserves_error_for_an_unknown_model_is_translated(serve: Serve) -> None:
    theirs = {"code": 404, "type": "ModelNotFoundException", "message": "Model not found: surnam"}
    with Client(serve((404, {}, theirs)).url, "secret") as client, pytest.raises(ServingError, match="no such model") as caught:
        client.ask("surnam", REQUEST)
    assert (caught.value.status, caught.value.code) == (404, "not_found")


def test_a_list_gets_one_answer_per_input(serve: Serve) -> None:
    with Client(serve((200, {}, [ANSWER, ANSWER])).url, "secret") as client:
        assert len(client.ask("surname", ClassificationRequest(inputs=["a", "b"]))) == 2


def test_transient_failures_are_retried(serve: Serve) -> None:
    serving = serve(BUSY, BUSY, (200, {}, ANSWER))
    with Client(serving.url, "secret") as client:
        assert len(client.ask("surname", REQUEST)) == 1
    assert len(serving.sent) == 3


def test_the_last_error_is_the_servers_own(serve: Serve) -> None:
    serving = serve(BUSY, BUSY)
    with Client(serving.url, "secret", attempts=2) as client, pytest.raises(ServingError, match="try again") as caught:
        client.ask("surname", REQUEST)
    assert (caught.value.status, caught.value.code, len(serving.sent)) == (503, "unavailable", 2)


def test_a_wrong_request_is_not_sent_twice(serve: Serve) -> None:
    serving = serve(WRONG)
    with Client(serving.url, "secret") as client, pytest.raises(ServingError) as caught:
        client.ask("surname", REQUEST)
    assert (caught.value.code, caught.value.index, len(serving.sent)) == ("empty_input", 1, 1)


@pytest.mark.parametrize("body", [b"<html>", b'{"label": 3}', b"[[[]]]"])
def test_an_unreadable_answer_is_reported(body: bytes, serve: Serve) -> None:
    with Client(serve((200, {}, body)).url, "secret") as client, pytest.raises(ServingError) as caught:
        client.ask("surname", REQUEST)
    assert caught.value.code == "unreadable_answer"


def test_a_server_that_is_not_running_is_unreachable() -> None:
    with Client("http://127.0.0.1:9", "secret", attempts=2) as client, pytest.raises(ServingError) as caught:
        client.ask("surname", REQUEST)
    assert caught.value.code == "unreachable"


def test_a_stream_ends_with_the_name(serve: Serve) -> None:
    lines = b'{"token": "o"}\n{"token": "t"}\n[{"generated_text": "Rot", "label": "German"}]\n'
    with Client(serve((200, {}, lines)).url, "secret") as client:
        *drawn, last = client.stream("names", GenerationRequest(inputs="R"))
    assert isinstance(last, list)
    assert last[0].generated_text == "R" + "".join(part.token for part in drawn if not isinstance(part, list))


def test_the_most_probable_characters_are_typed(serve: Serve) -> None:
    drawn = [{"token": text, "top_tokens": [{"token": "t", "probability": 0.5}]} for text in ("t", "")]
    lines = [*drawn, [{"generated_text": "Rot", "label": "German", "tokens": drawn}]]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    with Client(serve((200, {}, body), (200, {}, lines[-1])).url, "secret") as client:
        *streamed, last = client.stream("names", GenerationRequest(inputs="Ro"))
        assert client.ask("names", GenerationRequest(inputs="Ro")) == [last]
    typed = [Drawn.model_validate(part) for part in drawn]
    assert streamed == typed
    assert last == [GeneratedText(generated_text="Rot", label="German", tokens=typed)]
    assert [part.top_tokens for part in typed] == [[TokenProbability.model_validate({"token": "t", "probability": 0.5})]] * 2


def test_the_async_client_gets_the_same_answers(serve: Serve) -> None:
    serving = serve(BUSY, (200, {}, ANSWER))

    async def ask() -> Any:
        async with AsyncClient(serving.url, "secret") as client:
            return await client.ask("surname", REQUEST)

    assert anyio.run(ask) == [[LabelScore(label="Irish", score=0.5)]]


JUDGED = Judged(id="a" * 32, model="surname", version="1-0123abcd", right=True)
FEEDBACK = Feedback(id="a" * 32, label="Irish")


def test_an_answer_has_an_id_for_feedback(serve: Serve) -> None:
    serving = serve((200, {"X-Request-Id": "a" * 32}, ANSWER), BUSY, (200, {}, JUDGED.model_dump()))
    with Client(serving.url, "secret") as client:
        assert client.ask("surname", REQUEST).id == "a" * 32
        assert client.judge(FEEDBACK) == JUDGED
    assert [(path, body) for path, _, body in serving.sent[1:]] == [
        ("/feedback", {"id": "a" * 32, "label": "Irish", "input": 0})
    ] * 2


def test_the_async_client_gives_the_same_feedback(serve: Serve) -> None:
    serving = serve((200, {"X-Request-Id": "a" * 32}, ANSWER), (200, {}, JUDGED.model_dump()))

    async def ask() -> tuple[str | None, Judged]:
        async with AsyncClient(serving.url, "secret") as client:
            return (await client.ask("surname", REQUEST)).id, await client.judge(FEEDBACK)

    assert anyio.run(ask) == ("a" * 32, JUDGED)
    assert serving.sent[1][::2] == ("/feedback", {"id": "a" * 32, "label": "Irish", "input": 0})


def test_feedback_that_is_not_accepted_is_an_error(serve: Serve) -> None:
    unknown: Reply = (404, {}, {"error": {"code": "unknown_answer", "message": "there is no such answer"}})
    with Client(serve(unknown, (200, {}, {"right": 3})).url, "secret") as client:
        for code in ("unknown_answer", "unreadable_answer"):
            with pytest.raises(ServingError) as caught:
                client.judge(FEEDBACK)
            assert caught.value.code == code


def test_feedback_by_grpc_is_refused_with_advice() -> None:
    async def judge() -> None:
        async with AsyncClient("grpc://127.0.0.1:9", "secret") as client:
            await client.judge(FEEDBACK)

    with Client("grpc://127.0.0.1:9", "secret") as client, pytest.raises(ServingError, match="ask by REST"):
        client.judge(FEEDBACK)
    with pytest.raises(ServingError, match="ask by REST"):
        anyio.run(judge)


def test_command_line_arguments_become_a_body() -> None:
    assert json.loads(body_of(["a"], [])) == {"inputs": "a"}
    typed = ["num_beams=3", "label=Irish", "attention=true"]
    assert json.loads(body_of(["a", "b"], typed)) == {
        "inputs": ["a", "b"],
        "parameters": {"num_beams": 3, "label": "Irish", "attention": True},
    }
    with pytest.raises(ControlError, match="NAME=VALUE"):
        body_of(["a"], ["beams"])


def test_at_most_two_keys_are_valid() -> None:
    first = ClientKeys.new()
    second = first.rotated()
    third = second.rotated()
    assert second.keys == [first.newest, second.newest]
    assert third.keys == [second.newest, third.newest]
    assert len({first.newest, second.newest, third.newest}) == 3
    patterns = [line.split('"')[1].removeprefix("~") for line in third.nginx().splitlines()]
    for sent, known in ((third.newest, True), (second.newest, True), (first.newest, False), (third.newest.swapcase(), False)):
        assert any(re.search(pattern, f"Bearer {sent}") for pattern in patterns) == known
