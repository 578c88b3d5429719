"""Contextual word vectors, compared with the model that they were exported from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from asking import answer, ask, body, fault
from numpy.typing import NDArray

from pipelines.embedding.contextual import Contextual
from serving.bundle import BundleError
from serving.endpoints.shared import Json
from serving.predictor import load_predictor


def expected(model: Contextual, words: list[str]) -> NDArray[np.float32]:
    spellings = torch.from_numpy(model.speller.sentence(words))[None]
    with torch.no_grad():
        return model.model.eval().layers(spellings, torch.tensor([len(words) + 2]))[:, 0, 1:-1].numpy()  # [3, T, 2d]


def context(folder: Path, inputs: str, **parameters: object) -> Json:
    return answer(folder, inputs, "context", **parameters)


def test_served_vectors_equal_those_of_the_model(contextual: tuple[Path, Contextual]) -> None:
    folder, model = contextual
    answered = context(folder, "The King, a QUEEN - kingly!")
    assert answered["words"] == ["the", "king", "a", "queen", "kingly"]
    layers = expected(model, answered["words"])
    np.testing.assert_allclose(answered["vectors"], layers.mean(0), atol=1e-5)
    for layer in range(3):
        np.testing.assert_allclose(context(folder, "The King, a queen kingly", layer=layer)["vectors"], layers[layer], atol=1e-5)


def test_only_recurrent_layers_depend_on_the_sentence(contextual: tuple[Path, Contextual]) -> None:
    folder, _ = contextual
    pairs = [[context(folder, text, layer=layer)["vectors"][1] for text in ("the king man", "a king film")] for layer in range(3)]
    differences = [np.abs(np.subtract(*pair)).max() for pair in pairs]
    assert differences[0] < 1e-6
    assert min(differences[1:]) > 1e-4


def test_a_batch_gets_the_same_answers_as_single_requests(contextual: tuple[Path, Contextual]) -> None:
    folder, _ = contextual
    bodies = [
        body(["king", "the man and the woman of the film"], "context"),
        body("king queen", "similarity"),
        body("a queen", "context", layer=2),
        body("king"),
        body("king kingly", "map"),
    ]
    for one, together in zip(bodies, ask(folder, *bodies), strict=True):
        alone = ask(folder, one)[0]
        assert together.status == alone.status == 200
        if one["parameters"]["question"] == "context":
            pairs = zip(*(b if isinstance(b, list) else [b] for b in (together.body, alone.body)), strict=True)
            assert all(a["words"] == b["words"] and np.allclose(a["vectors"], b["vectors"], atol=1e-6) for a, b in pairs)
        else:
            assert together == alone
    json.dumps([reply.body for reply in ask(folder, *bodies)], allow_nan=False)


@pytest.mark.parametrize(("text", "words"), [("😀 привет", ["привет"]), ("مرحبا king", ["مرحبا", "king"]), ("x\0y", ["xy"])])
def test_unknown_scripts_are_accepted(contextual: tuple[Path, Contextual], text: str, words: list[str]) -> None:
    answered = context(contextual[0], text)
    assert answered["words"] == words
    assert np.isfinite(answered["vectors"]).all()


def test_a_sentence_at_both_limits_is_accepted(contextual: tuple[Path, Contextual]) -> None:
    assert len(context(contextual[0], " ".join(["x" * 50] * 100))["words"]) == 100


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", "empty_input", "the text is empty"),
        (" \n", "empty_input", "the text is empty"),
        ("?! 😀", "wrong_number_of_words", 'words in the text: 0; the question "context" takes 1-100'),
        ("king " * 101, "wrong_number_of_words", 'words in the text: 101; the question "context" takes 1-100'),
        ("king " + "x" * 900, "input_too_long", "the text has 900 characters in a word; this model takes at most 50"),
    ],
)
def test_a_text_that_is_not_a_sentence_is_refused(
    contextual: tuple[Path, Contextual], text: str, code: str, message: str
) -> None:
    folder, _ = contextual
    assert fault(folder, text, "context") == {"code": code, "message": message}
    (wrong, right) = ask(folder, body(["king", text], "context"), body("king", "context"))
    assert wrong.body["error"]["input"] == 1
    assert right.status == 200


def test_vectors_without_a_contextual_model_refuse_context_questions(plain: Path) -> None:
    error = fault(plain, "king", "context")
    assert error == {
        "code": "invalid_parameter",
        "message": 'question: "context" needs contextual vectors, which this model does not have',
    }


def test_a_bundle_without_its_limit_or_a_file_is_not_served(contextual: tuple[Path, Contextual], tmp_path: Path) -> None:
    manifest = json.loads((contextual[0] / "bundle.json").read_text())
    for change in ({"max_words": None}, {"files": {k: v for k, v in manifest["files"].items() if k != "characters.json"}}):
        (tmp_path / "bundle.json").write_text(json.dumps({**manifest, **change}))
        with pytest.raises(BundleError, match="is missing"):
            load_predictor(tmp_path)
