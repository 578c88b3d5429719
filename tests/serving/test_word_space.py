"""Questions about words, compared with answers computed from the vectors."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from asking import MakeStore, WriteVectors, answer, ask, body, fault, random_vectors
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.text.vectors import WordVectors
from serving.bundle import Bundle, BundleError
from serving.contract.requests import parse_request
from serving.endpoints.shared import Json
from serving.endpoints.vectors.contract import VectorsRequest
from serving.predictor import Predictor, load_predictor
from serving.predictors.vectors import WordSpaces
from serving.predictors.watch import DeadlineError, Watch
from serving.server.archive import Archive


@pytest.fixture(scope="module")
def predictor(both: Path) -> Predictor:
    return load_predictor(both)


def ranking(answered: Json) -> list[tuple[str, float]]:
    return [(entry["word"], entry["score"]) for entry in answered["nearest"]]


def test_each_question_is_answered_from_the_vectors(plain: Path) -> None:
    vectors = WordVectors.load(plain / "random")
    assert ranking(answer(plain, "king")) == vectors.nearest("king", 10)
    assert ranking(answer(plain, "king", top_k=2)) == vectors.nearest("king", 2)
    assert answer(plain, "king queen", "similarity")["score"] == vectors.similarity("king", "queen")
    assert ranking(answer(plain, "man king woman", "analogy", top_k=3)) == vectors.analogy("man", "king", "woman", 3)


def test_nearest_is_the_default_question(plain: Path) -> None:
    (reply,) = ask(plain, {"inputs": "king"})
    assert reply.body == answer(plain, "king", "nearest", top_k=10)


def test_an_unknown_word_is_composed_and_marked(fasttext: Path) -> None:
    vectors = WordVectors.load(fasttext / "random")
    answered = answer(fasttext, "kingly")
    assert answered["asked"] == [{"word": "kingly", "known": False}]
    assert ranking(answered) == vectors.nearest(vectors.vector("kingly"), 10)
    answered = answer(fasttext, "kingly queen", "similarity")
    assert [word["known"] for word in answered["asked"]] == [False, True]
    assert answered["score"] == vectors.similarity("kingly", "queen")


def test_each_question_is_answered_by_one_method(both: Path) -> None:
    learned, composed = (WordVectors.load(both / method) for method in ("learned", "composed"))
    answered = answer(both, "man king woman", "analogy")
    assert answered["method"] == "learned"
    assert ranking(answered) == learned.analogy("man", "king", "woman", 10)
    answered = answer(both, "man kingly woman", "analogy")
    assert answered["method"] == "composed"
    assert answered["asked"] == [
        {"word": "man", "known": False},  # not in the vocabulary of the vectors that answer
        {"word": "kingly", "known": False},
        {"word": "woman", "known": True},
    ]
    assert ranking(answered) == composed.analogy("man", "kingly", "woman", 10)
    answered = answer(both, "kingpin queen", "similarity")
    assert answered["method"] == "composed"
    assert answered["score"] == composed.similarity("kingpin", "queen")


def test_questions_of_one_request_may_be_answered_by_different_methods(both: Path) -> None:
    answered = answer(both, ["throne", "kingly", "PARIS", "kingpin"])
    assert [one["method"] for one in answered] == ["learned", "composed", "composed", "composed"]


@given(words=st.tuples(*[st.sampled_from(["king", "Queen", "man", "THRONE", "kingpin", "kingly", "Paris", "x"])] * 3))
def test_an_answer_never_contains_a_word_of_the_question(predictor: Predictor, words: tuple[str, str, str]) -> None:
    for question, text in (("nearest", words[0]), ("analogy", " ".join(words))):
        (reply,) = predictor.answer([body(text, question)])
        assert {word["word"] for word in reply.body["asked"]}.isdisjoint(word for word, _ in ranking(reply.body))


def test_a_question_that_no_method_can_answer_names_an_unknown_word(tmp_path: Path) -> None:
    random_vectors(["ab", "king"], 5).save(tmp_path / "learned")
    random_vectors(["king"], 8, shortest=6).save(tmp_path / "composed")
    Bundle.write(tmp_path, task="vectors", kind="vectors", methods=("learned", "composed"), max_length=20)
    assert answer(tmp_path, "ab king", "similarity")["method"] == "learned"
    error = fault(tmp_path, ["king king kingly", "AB king kingly"], "analogy")
    assert error == {"code": "unknown_word", "message": 'there is no vector for "ab"', "input": 1}


def test_case_matters_only_if_the_vocabulary_has_that_form(fasttext: Path) -> None:
    asked = answer(fasttext, "KING Paris PARIS", "analogy")["asked"]
    assert [(word["word"], word["known"]) for word in asked] == [("king", True), ("Paris", True), ("paris", False)]


def test_tickers_are_found_in_any_case_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    random_vectors(["AAPL", "MSFT", "KO", "BRK.B"], 5).save(tmp_path / "made")
    Bundle.write(tmp_path, task="tickers", kind="vectors", methods=("made",), max_length=10)
    assert answer(tmp_path, "aapl") == answer(tmp_path, "AAPL")
    assert answer(tmp_path, "aapl")["asked"] == [{"word": "AAPL", "known": True}]
    assert "AAPL" not in {name for name, _ in ranking(answer(tmp_path, "aapl"))}
    assert answer(tmp_path, "Brk.b ko", "similarity") == answer(tmp_path, "BRK.B KO", "similarity")
    assert len(answer(tmp_path, "aapl msft ko", "analogy")["nearest"]) == 1
    assert fault(tmp_path, "TSLA") == {"code": "unknown_word", "message": 'there is no vector for "tsla"'}


def test_any_white_space_separates_and_accents_are_composed(fasttext: Path) -> None:
    assert answer(fasttext, "\tking\u00a0 queen\n", "similarity") == answer(fasttext, "king queen", "similarity")
    assert answer(fasttext, "cafe\u0301") == answer(fasttext, "caf\u00e9")


def test_mixed_questions_in_a_batch_get_the_same_answers_as_alone(fasttext: Path) -> None:
    bodies = [
        body(["king", "kingly", "film"], top_k=3),
        body("king queen", "similarity"),
        body("king", top_k=100),
        body(["man king woman", "king man queen"], "analogy"),
        body(["king queen", "don't film"], "similarity"),
        body(["king kingly", "film"], "map", top_k=2),
    ]
    replies = ask(fasttext, *bodies)
    assert replies == [ask(fasttext, one)[0] for one in bodies]
    for sent, reply in zip(bodies, replies, strict=True):
        if isinstance(sent["inputs"], list):
            assert reply.body == [answer(fasttext, text, **sent["parameters"]) for text in sent["inputs"]]
    json.dumps([reply.body for reply in replies], allow_nan=False)


def test_an_unknown_word_is_named_with_its_place(plain: Path) -> None:
    assert fault(plain, "kingly")["code"] == "unknown_word"
    error = fault(plain, ["king queen", "queen Kinglý"], "similarity")
    assert error == {"code": "unknown_word", "message": 'there is no vector for "kinglý"', "input": 1}


def test_a_word_too_short_for_an_ngram_is_unknown(write_vectors: WriteVectors) -> None:
    folder = write_vectors(shortest=5)
    assert fault(folder, "ab")["code"] == "unknown_word"
    assert answer(folder, "abc")["asked"] == [{"word": "abc", "known": False}]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("nearest", "king queen"),
        ("similarity", "king"),
        ("similarity", "man king woman"),
        ("analogy", "man king"),
        ("analogy", "man king woman queen"),
        ("map", "king " * 21),
    ],
)
def test_each_question_takes_its_number_of_words(fasttext: Path, question: str, text: str) -> None:
    error = fault(fasttext, text, question)
    assert error["code"] == "wrong_number_of_words"
    assert f'"{question}" takes ' in error["message"]
    assert fault(fasttext, [text], question)["input"] == 0


def test_words_longer_than_the_bundles_limit_are_refused(fasttext: Path) -> None:
    longest = Bundle.load(fasttext).max_length
    assert answer(fasttext, "a" * longest)
    assert fault(fasttext, "a" * (longest + 1))["code"] == "input_too_long"
    error = fault(fasttext, f"king {'a' * 900}", "similarity")
    assert error == {
        "code": "input_too_long",
        "message": f"the text has 900 characters in a word; this model takes at most {longest}",
    }


def test_an_archive_contains_the_bundle_and_examples_of_both_methods(make_store: MakeStore, both: Path, tmp_path: Path) -> None:
    archive = Archive.read(make_store(tmp_path / "store", both) / "vectors.mar")
    assert {one["method"] for e in archive.examples for one in (e.answer if isinstance(e.answer, list) else [e.answer])} == {
        "learned",
        "composed",
    }
    shutil.unpack_archive(archive.path, tmp_path / "unpacked", "zip")
    for text in ("king", "kingly"):
        assert answer(tmp_path / "unpacked", text) == answer(both, text)


def test_many_questions_stop_at_their_deadline(predictor: Predictor) -> None:
    class Late(Watch):
        left = 3

        def check(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise DeadlineError

    request = parse_request(VectorsRequest, body(["king"] * 3))
    assert len(predictor._endpoint.answer([request], [], Late())[0]) == 3
    with pytest.raises(DeadlineError):
        predictor._endpoint.answer([request, request], [], Late())


def change(folder: Path, name: str, array: NDArray[np.float32]) -> None:
    """Replace an array and rewrite the manifest, as if the pipeline had written it."""
    (folder / "random" / name).unlink()
    np.save(folder / "random" / name, array)
    Bundle.write(folder, task="vectors", kind="vectors", methods=("random",), max_length=20)


@pytest.mark.parametrize(("name", "whose"), [("vectors.npy", "'queen'"), ("ngrams.npy", "an n-gram")])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_not_served(write_vectors: WriteVectors, name: str, whose: str, value: float) -> None:
    folder = write_vectors(shortest=3)
    array = np.load(folder / "random" / name)
    array[1, 3] = value
    change(folder, name, array)
    with pytest.raises(BundleError, match=f"the vector of {whose} is not finite"):
        WordSpaces.load(folder)


@pytest.mark.parametrize(("name", "shape"), [("vectors.npy", (3, 8)), ("ngrams.npy", (100, 5))])
def test_arrays_of_inconsistent_shapes_are_not_served(write_vectors: WriteVectors, name: str, shape: tuple[int, int]) -> None:
    folder = write_vectors(shortest=3)
    change(folder, name, np.zeros(shape, np.float32))
    with pytest.raises(BundleError, match="shape"):
        WordSpaces.load(folder)


def test_the_predictor_refuses_another_kind(bundles: dict[str, Path]) -> None:
    with pytest.raises(BundleError, match="a vectors bundle is needed"):
        WordSpaces.load(bundles["classification"])
