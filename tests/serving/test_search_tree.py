"""The search in an answer: each hypothesis extends another, the found ones have their ranks, and nothing depends on the batch."""

import math
from pathlib import Path

import pytest
from asking import Body, assert_same

from serving.endpoints.shared import Json
from serving.predictor import Predictor, load_predictor

BEAMS = 3


def body(text: object, **parameters: object) -> Body:
    return {"inputs": text, "parameters": {"num_beams": BEAMS, "num_return_sequences": BEAMS, "tree": True, **parameters}}


@pytest.fixture(scope="module")
def predictor(bundles: dict[str, Path]) -> Predictor:
    return load_predictor(bundles["translation"])


def answer(predictor: Predictor, *bodies: Body) -> list[Json]:
    replies = predictor.answer(bodies)
    assert all(reply.status == 200 for reply in replies), replies
    return [reply.body[0] for reply in replies]


def paths(nodes: Json) -> list[list[str]]:
    """The pieces of each hypothesis."""
    found: list[list[str]] = []
    for node in nodes:
        found.append([*(found[node["parent"]] if "parent" in node else []), node["piece"]])
    return found


def test_every_hypothesis_extends_an_earlier_one_and_is_less_probable(predictor: Predictor) -> None:
    (found,) = answer(predictor, body("un chien court"))
    nodes = found["tree"]
    for i, node in enumerate(nodes):
        assert node.get("parent", -1) < i
        if "parent" in node:
            assert nodes[node["parent"]]["piece"] != "<eos>"
            assert node["log_probability"] <= nodes[node["parent"]]["log_probability"] + 1e-3
    lengths = [len(path) for path in paths(nodes)]
    assert max(map(lengths.count, lengths)) <= BEAMS
    assert len({tuple(path) for path in paths(nodes)}) == len(nodes)


def test_ranks_are_those_of_the_translations(predictor: Predictor) -> None:
    (found,) = answer(predictor, body("un chien court", attention=True, sentences=True, length_penalty=1, coverage_penalty=0))
    nodes = found["sentences"][0]["tree"]
    ended = {node["rank"]: i for i, node in enumerate(nodes) if "rank" in node}
    translations = [found, *found["alternatives"]]
    assert sorted(ended) == list(range(1, 1 + len(translations)))
    for rank, one in enumerate(translations, 1):
        pieces = one["sentences"][0]["attention"]["target"]
        assert paths(nodes)[ended[rank]] == pieces
        assert math.isclose(nodes[ended[rank]]["log_probability"] / len(pieces), one["score"], abs_tol=1e-3)


def test_a_tree_is_the_same_in_a_batch(predictor: Predictor) -> None:
    bodies = [body("un chien court"), body("deux femmes marchent dans la rue"), body("la porte")]
    alone = [answer(predictor, one)[0] for one in bodies]
    for together, single in zip(answer(predictor, *bodies), alone, strict=True):
        assert paths(together["tree"]) == paths(single["tree"])
        assert_same([node["log_probability"] for node in together["tree"]], [node["log_probability"] for node in single["tree"]])


def test_each_sentence_of_a_text_has_its_own(predictor: Predictor) -> None:
    (found,) = answer(predictor, body("Un chien court. Le chat dort."))
    assert "tree" not in found
    assert all(sentence["tree"] for sentence in found["sentences"])
    assert all("tree" not in sentence for other in found["alternatives"] for sentence in other["sentences"])


def test_a_list_has_none(predictor: Predictor) -> None:
    (reply,) = predictor.answer([body(["un chien"])])
    assert (reply.status, reply.body["error"]["code"]) == (400, "invalid_parameter")
    (plain,) = answer(predictor, body("un chien", tree=False))
    assert "tree" not in plain
