"""Streaming of names: characters are sent as they are drawn, the whole answer is last, and other requests are unaffected."""

from pathlib import Path

import pytest
from asking import Body

from serving.endpoints.shared import Json
from serving.predictor import Predictor, Reply, load_predictor


def body(text: object = "Ro", **parameters: object) -> Body:
    return {"inputs": text, "parameters": {"seed": 5, **parameters}}


@pytest.fixture(scope="module")
def predictor(bundles: dict[str, Path]) -> Predictor:
    return load_predictor(bundles["generation"])


def listen(predictor: Predictor, *bodies: object) -> tuple[list[Reply], list[list[Json]]]:
    """The replies, and the streamed parts of each."""
    parts: list[list[Json]] = [[] for _ in bodies]
    replies = predictor.answer(bodies, lambda place, part: parts[place].append(part))
    return replies, parts


@pytest.mark.parametrize("text", ["", "Ro", "Rossi"])
def test_the_parts_make_up_the_answer(predictor: Predictor, text: str) -> None:
    (whole,), (nothing,) = listen(predictor, body(text))
    (streamed,), (parts,) = listen(predictor, body(text, stream=True))
    assert nothing == []
    assert streamed == whole
    assert text + "".join(part["token"] for part in parts) == whole.body[0]["generated_text"]
    assert all(len(part["token"]) == 1 for part in parts)


@pytest.mark.parametrize("text", ["", "Ro", "Rossi"])
def test_the_most_probable_characters_are_streamed_on_request(predictor: Predictor, text: str) -> None:
    (plain,), (without,) = listen(predictor, body(text, stream=True))
    (streamed,), (parts,) = listen(predictor, body(text, stream=True, top_n_tokens=3))
    (answered,) = streamed.body
    assert answered["tokens"] == parts
    assert [{key: answered[key] for key in answered if key != "tokens"}] == plain.body
    assert [part["token"] for part in parts if part["token"]] == [part["token"] for part in without]
    assert all(part.keys() == {"token"} for part in without)


def test_the_end_of_a_name_is_streamed_last_on_request(predictor: Predictor) -> None:
    ended = set()
    for seed in range(30):
        _, (without,) = listen(predictor, body("", seed=seed, stream=True))
        _, (parts,) = listen(predictor, body("", seed=seed, stream=True, top_n_tokens=1))
        more = [part["token"] for part in parts[len(without) :]]
        assert more in ([], [""])  # nothing if the name reached its limit
        ended.add(bool(more))
    assert ended == {True, False}


def test_other_requests_in_a_streamed_batch_get_complete_answers(predictor: Predictor) -> None:
    (alone,), _ = listen(predictor, body("Ma"))
    replies, parts = listen(predictor, body("Ma"), body("Ro", stream=True), body(5), body("Ma"))
    assert [len(p) > 0 for p in parts] == [False, True, False, False]
    assert [reply.status for reply in replies] == [200, 200, 400, 200]
    assert replies[0] == replies[3] == alone


def test_parts_are_sent_while_the_name_is_drawn(predictor: Predictor) -> None:
    """A listener that disconnects after the first part stops the generation."""
    heard: list[Json] = []

    def hang_up(_: int, part: Json) -> None:
        heard.append(part)
        raise ConnectionError

    (reply,) = predictor.answer([body("", stream=True)], hang_up)
    assert len(heard) == 1
    assert reply.status == 500


@pytest.mark.parametrize("request_", [body(["Ro"], stream=True), body("Ro", stream=True, num_return_sequences=2)])
def test_only_a_single_name_is_streamed(predictor: Predictor, request_: Body) -> None:
    (reply,) = predictor.answer([request_])
    assert (reply.status, reply.body["error"]["code"]) == (400, "invalid_parameter")
