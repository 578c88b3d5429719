"""Text that no training set has: an answer that flags it, or an error that says why; the same alone and in a batch."""

import pytest

from models.text.special import UNK
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
    "NUL": "Ro\x00ssi",
    "right to left and left to right": "Rossi \u05db\u05d4\u05df",
    "overrides of direction": "\u202eRossi\u202c",
    "combining marks alone": "\u0301\u0327",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", STRANGE)
def test_strange_text_is_flagged_or_refused(bundles, kind, name):
    predictor, text = load_predictor(bundles[kind]), STRANGE[name]
    parameters = {"seed": 3} if kind == "generation" else {}
    body, neighbour = ({"inputs": t, "parameters": parameters} for t in (text, "Ro"))
    (alone,) = predictor.answer([body])
    before, among, after = predictor.answer([neighbour, body, neighbour])
    assert alone.status == among.status
    assert before.status == after.status == 200
    if alone.status == 200:
        assert flags(alone.body) == flags(among.body)
        # A name may be begun with nothing; whatever else is answered here holds characters that the model does not know.
        assert flags(alone.body) > 0 or (kind == "generation" and not text.strip())
    else:
        assert alone.body["error"]["code"] in {"empty_input", "input_too_long"}
        assert not text.strip() or len(text) == LONGEST


def flags(answer):
    """The number of unknown characters that an answer states, 0 where it states none."""
    first = answer[0] if isinstance(answer, list) else answer
    return first.get("unknown_characters", 0)


def test_the_flag_counts_the_characters_that_the_tokenizer_does_not_know(bundles):
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
def test_what_is_no_french_is_translated_within_the_limit_or_refused(bundles, name):
    # Weights at random never learned to end a sentence: only the limit ends it.
    parameters = {"attention": True, "num_beams": 10, "no_repeat_ngram_size": 0}
    (reply,) = load_predictor(bundles["translation"]).answer([{"inputs": NO_FRENCH[name], "parameters": parameters}])
    if reply.status == 200:
        (found,) = reply.body
        source, target = (found["attention"][side] for side in ("source", "target"))
        assert len(target) <= 2 * len(source) + 10
    else:
        assert (reply.status, reply.body["error"]["code"]) == (400, "input_too_long")
        assert len(NO_FRENCH[name]) > most_subwords(bundles)


def most_subwords(bundles):
    """Subwords that the translator takes: no text of fewer characters has more."""
    return Translator.load(bundles["translation"]).bundle.max_length
