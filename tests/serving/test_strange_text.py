"""Unusual text gets an answer with a flag or a clear error, and the same one alone and in a batch."""

from pathlib import Path

import pytest

from models.text.special import UNK
from serving.endpoints.shared import Json
from serving.predictor import load_predictor
from serving.predictors.classification import Classifier
from serving.predictors.translation import Translator

KINDS = ["classification", "generation", "translation"]
LONGEST = 10_000
STRANGE = {
    "nothing": "",
    "spaces": " \t\u00a0 ",
    "too long": "a" * LONGEST,
    "emoji": "Ro\N{GRINNING FACE}si",
    "a flag of two characters": "\N{REGIONAL INDICATOR SYMBOL LETTER I}\N{REGIONAL INDICATOR SYMBOL LETTER T}",
    "another script": "\u7530\u4e2d",
    "right to left and left to right": "Rossi \u05db\u05d4\u05df",
    "combining marks alone": "\u0301\u0327",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", STRANGE)
def test_strange_text_is_flagged_or_refused(bundles: dict[str, Path], kind: str, name: str) -> None:
    predictor, text = load_predictor(bundles[kind]), STRANGE[name]
    parameters = {"seed": 3} if kind == "generation" else {}
    body, neighbour = ({"inputs": t, "parameters": parameters} for t in (text, "Ro"))
    (alone,) = predictor.answer([body])
    before, among, after = predictor.answer([neighbour, body, neighbour])
    assert alone.status == among.status
    assert before.status == after.status == 200
    if alone.status == 200:
        assert flags(alone.body) == flags(among.body)
        # The beginning of a name may be empty; all other answered texts have unknown characters.
        assert flags(alone.body) > 0 or (kind == "generation" and not any(map(str.isalnum, text)))
    else:
        assert alone.body["error"]["code"] in {"empty_input", "input_too_long"}
        assert not any(map(str.isalnum, text)) or len(text) == LONGEST


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["Ro\x00ssi", "\u202eRossi\u202c", "\ufeffRossi", "Ro\u00adssi"])
def test_invisible_characters_change_no_answer(bundles: dict[str, Path], kind: str, text: str) -> None:
    predictor = load_predictor(bundles[kind])
    parameters = {"seed": 3} if kind == "generation" else {"attention": True} if kind == "translation" else {}
    plain, strange = predictor.answer([{"inputs": t, "parameters": parameters} for t in ("Rossi", text)])
    assert strange == plain


def flags(answer: Json) -> int:
    """The number of unknown characters in an answer, 0 if it has no such field."""
    first = answer[0] if isinstance(answer, list) else answer
    return int(first.get("unknown_characters", 0))


def test_the_flag_counts_out_of_vocabulary_characters(bundles: dict[str, Path]) -> None:
    (folder,) = (bundles["classification"],)
    text = "Rossi\N{GRINNING FACE}\u7530"
    expected = Classifier.load(folder).tokenizer.encode(text).count(UNK)
    (reply,) = load_predictor(folder).answer([{"inputs": [text, "ro"]}])
    assert flags(reply.body[0]) == expected > 0
    assert all("unknown_characters" not in score for score in reply.body[1])


NO_FRENCH = {
    "punctuation": "?! ... , ; (:)",
    "English": "This package contains the files that are needed at run time.",
    "no spaces": "lepaquetcontientlesfichiers" * 3,
    "control characters": "le\x01 paquet\x1b[31m\x7f",
    "one word again and again": "paquet " * 20,
    "5,000 words": "le paquet " * 2_500,
}


@pytest.mark.parametrize("name", NO_FRENCH)
def test_non_french_text_is_translated_within_the_limit_or_refused(bundles: dict[str, Path], name: str) -> None:
    # A model with random weights has not learned to end a sentence; only the limit ends it.
    parameters = {"attention": True, "num_beams": 10, "no_repeat_ngram_size": 0}
    (reply,) = load_predictor(bundles["translation"]).answer([{"inputs": NO_FRENCH[name], "parameters": parameters}])
    if reply.status == 200:
        (found,) = reply.body
        source, target = (found["attention"][side] for side in ("source", "target"))
        assert len(target) <= 2 * len(source) + 10
    else:
        assert (reply.status, reply.body["error"]["code"]) == (400, "input_too_long")
        assert len(NO_FRENCH[name]) > most_subwords(bundles)


def most_subwords(bundles: dict[str, Path]) -> int:
    """The translator's limit in subwords; a text cannot have more subwords than characters."""
    return Translator.load(bundles["translation"]).bundle.max_length
