"""The most probable characters at each position of a name, compared with the graph run step by step."""

import itertools
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from asking import Body, assert_same

from models.text.special import BOS, PAD, UNK
from serving.endpoints.shared import Json
from serving.predictor import Predictor, load_predictor
from serving.predictors.generation import Generator
from serving.predictors.sampling import Sampling, distribution, most_probable
from serving.predictors.session import Session

SETTINGS = [{}, {"temperature": 2.0}, {"temperature": 0}, {"top_k": 3}, {"top_p": 0.5}, {"temperature": 0.5, "top_k": 5}]


@pytest.fixture(scope="module")
def predictor(bundles: dict[str, Path]) -> Predictor:
    return load_predictor(bundles["generation"])


def body(text: object = "Ro", **parameters: object) -> Body:
    return {"inputs": text, "parameters": {"seed": 5, "top_n_tokens": 5, **parameters}}


def answer(predictor: Predictor, request: Body) -> Json:
    (reply,) = predictor.answer([request])
    assert reply.status == 200, reply
    return reply.body


def expected(folder: Path, label: str, text: str, sampling: Sampling, n: int) -> list[list[tuple[str, float]]]:
    """The n most probable characters at each position of a text, and after its last character."""
    generator, graph = Generator.load(folder), Session(folder / "model.onnx")
    state, steps = np.zeros((1, graph.width("state")), dtype=np.float32), []
    for unit in [BOS, *generator.tokenizer.encode(text)]:
        logits, state = graph(characters=np.array([[unit]]), label=np.array([generator.bundle.labels.index(label)]), state=state)
        logits[..., [PAD, UNK, BOS]] = -np.inf
        (probabilities,) = distribution(logits[:, 0], [sampling])
        steps.append([(generator.tokenizer.decode([i]), p) for i, p in most_probable(probabilities, n)])
    return steps


@pytest.mark.parametrize("parameters", SETTINGS)
def test_the_probabilities_are_those_that_were_drawn_from(
    predictor: Predictor, bundles: dict[str, Path], parameters: dict[str, float]
) -> None:
    (name,) = answer(predictor, body(label="Polish", **parameters))
    sampling = Sampling(**{"temperature": 1.0, **parameters})  # type: ignore[arg-type]
    steps = expected(bundles["generation"], "Polish", name["generated_text"], sampling, 5)[len("Ro") :]
    assert len(name["tokens"]) in (len(steps), len(steps) - 1)  # without the end, if the name reached its limit
    for drawn, step in zip(name["tokens"], steps, strict=False):
        assert [top["token"] for top in drawn["top_tokens"]] == [token for token, _ in step]
        assert [top["probability"] for top in drawn["top_tokens"]] == pytest.approx([p for _, p in step], rel=1e-4)


@pytest.mark.parametrize("parameters", SETTINGS)
def test_a_drawn_character_is_among_the_most_probable(predictor: Predictor, parameters: dict[str, float]) -> None:
    (name,) = answer(predictor, body("", top_n_tokens=20, **{"top_k": 20, **parameters}))
    for drawn in name["tokens"]:
        tops = {top["token"]: top["probability"] for top in drawn["top_tokens"]}
        assert drawn["token"] in tops
        assert list(tops.values()) == sorted(tops.values(), reverse=True)
        assert min(tops.values()) > 0
        assert sum(tops.values()) == pytest.approx(1)
    if parameters.get("temperature") == 0:
        assert all(drawn["top_tokens"] == [{"token": drawn["token"], "probability": 1}] for drawn in name["tokens"])


@pytest.mark.parametrize("text", ["", "Ro", "Żo", "e\u0301"])
def test_the_tokens_make_up_what_was_added(predictor: Predictor, text: str) -> None:
    for name in answer(predictor, body(text, num_return_sequences=4)):
        added = "".join(drawn["token"] for drawn in name["tokens"])
        assert name["generated_text"].endswith(added)
        (alone,) = answer(predictor, body(name["generated_text"].removesuffix(added), label=name["label"], max_new_tokens=1))
        assert_same(alone["tokens"][0]["top_tokens"], name["tokens"][0]["top_tokens"])
        assert all(drawn["token"] for drawn in name["tokens"][:-1])


def test_the_parameter_changes_nothing_else(predictor: Predictor) -> None:
    request = body(["Ro", ""], num_return_sequences=3)
    names = list(itertools.chain(*answer(predictor, request)))
    assert all(1 <= len(drawn["top_tokens"]) <= 5 for name in names for drawn in name["tokens"])
    del request["parameters"]["top_n_tokens"]
    assert list(itertools.chain(*answer(predictor, request))) == [
        {key: name[key] for key in name if key != "tokens"} for name in names
    ]


def test_units_are_not_ranked_without_the_parameter(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> NoReturn:
        raise AssertionError("units are ranked")

    monkeypatch.setattr("serving.predictors.generation.most_probable", fail)
    for stream in (False, True):
        answer(predictor, body(top_n_tokens=None, stream=stream))


def test_a_batch_gets_the_same_answers_as_single_requests(predictor: Predictor) -> None:
    bodies = [
        body(["Ro", "", "Mül"], num_return_sequences=2),
        body("K", top_n_tokens=None),
        body("", top_n_tokens=1, temperature=0),
        body(["Ro"], top_n_tokens=20, top_p=0.9),
    ]
    replies = [reply.body for reply in predictor.answer(bodies)]
    for request, together in zip(bodies, replies, strict=True):
        assert_same(together, answer(predictor, request))
    assert_same(replies[0], [answer(predictor, body(text, num_return_sequences=2)) for text in ("Ro", "", "Mül")])
    assert "tokens" not in replies[1][0]


def test_an_answer_with_too_many_probabilities_is_refused(predictor: Predictor) -> None:
    (reply,) = predictor.answer([body(["Ro"] * 64, num_return_sequences=16, top_n_tokens=20)])
    assert reply.status == 400
    assert reply.body["error"] == {
        "code": "invalid_parameter",
        "message": "top_n_tokens: 1024 names of up to 12 characters with 20 probabilities each; "
        "an answer has at most 60000 probabilities",
    }
    assert len(answer(predictor, body(["Ro"] * 64, num_return_sequences=16, top_n_tokens=20, max_new_tokens=2))) == 64
