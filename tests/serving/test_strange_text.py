"""Text that no training set has: an answer that flags it, or an error that says why; the same alone and in a batch."""

import pytest

from models.text.special import UNK
from serving.predictor import load_predictor
from serving.predictors.classification import Classifier

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
