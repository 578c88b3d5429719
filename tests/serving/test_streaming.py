"""A streamed name: its characters come as they are drawn, the whole answer is last, and neighbours notice nothing."""

import pytest

from serving.predictor import load_predictor


def body(text="Ro", **parameters):
    return {"inputs": text, "parameters": {"seed": 5, **parameters}}


@pytest.fixture(scope="module")
def predictor(bundles):
    return load_predictor(bundles["generation"])


def listen(predictor, *bodies):
    """The replies, and the parts that came ahead of each."""
    parts = [[] for _ in bodies]
    replies = predictor.answer(bodies, lambda place, part: parts[place].append(part))
    return replies, parts


@pytest.mark.parametrize("text", ["", "Ro", "Rossi"])
def test_the_parts_make_up_the_answer(predictor, text):
    (whole,), (nothing,) = listen(predictor, body(text))
    (streamed,), (parts,) = listen(predictor, body(text, stream=True))
    assert nothing == []
    assert streamed == whole
    assert text + "".join(part["token"] for part in parts) == whole.body[0]["generated_text"]
    assert all(len(part["token"]) == 1 for part in parts)


def test_neighbours_of_a_stream_get_whole_answers(predictor):
    (alone,), _ = listen(predictor, body("Ma"))
    replies, parts = listen(predictor, body("Ma"), body("Ro", stream=True), body(5), body("Ma"))
    assert [len(p) > 0 for p in parts] == [False, True, False, False]
    assert [reply.status for reply in replies] == [200, 200, 400, 200]
    assert replies[0] == replies[3] == alone


def test_parts_come_while_the_name_is_drawn(predictor):
    """A listener that hangs up after the first part has not waited for the rest."""
    heard = []

    def hang_up(_, part):
        heard.append(part)
        raise ConnectionError

    (reply,) = predictor.answer([body("", stream=True)], hang_up)
    assert len(heard) == 1
    assert reply.status == 500


@pytest.mark.parametrize("request_", [body(["Ro"], stream=True), body("Ro", stream=True, num_return_sequences=2)])
def test_only_a_single_name_is_streamed(predictor, request_):
    (reply,) = predictor.answer([request_])
    assert (reply.status, reply.body["error"]["code"]) == (400, "invalid_parameter")
