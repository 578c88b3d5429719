"""Questions about words, held against the vectors' own answers."""

import json
import shutil

import numpy as np
import pytest
from asking import answer, ask, body, fault, random_vectors
from hypothesis import given
from hypothesis import strategies as st

from models.text.vectors import WordVectors
from serving.bundle import Bundle, BundleError
from serving.contract import VectorsRequest, parse_request
from serving.predictor import load_predictor
from serving.predictors.vectors import WordSpaces
from serving.server.archive import Archive
from serving.watch import DeadlineError


@pytest.fixture(scope="module")
def predictor(both):
    return load_predictor(both)


def ranking(answered):
    return [(entry["word"], entry["score"]) for entry in answered["nearest"]]


def test_each_question_is_answered_as_by_the_vectors(plain):
    vectors = WordVectors.load(plain / "random")
    assert ranking(answer(plain, "king")) == vectors.nearest("king", 10)
    assert ranking(answer(plain, "king", top_k=2)) == vectors.nearest("king", 2)
    assert answer(plain, "king queen", "similarity")["score"] == vectors.similarity("king", "queen")
    assert ranking(answer(plain, "man king woman", "analogy", top_k=3)) == vectors.analogy("man", "king", "woman", 3)


def test_nearest_is_what_is_asked_unless_a_request_says_otherwise(plain):
    (reply,) = ask(plain, {"inputs": "king"})
    assert reply.body == answer(plain, "king", "nearest", top_k=10)


def test_a_word_never_seen_is_composed_and_marked(fasttext):
    vectors = WordVectors.load(fasttext / "random")
    answered = answer(fasttext, "kingly")
    assert answered["asked"] == [{"word": "kingly", "known": False}]
    assert ranking(answered) == vectors.nearest(vectors.vector("kingly"), 10)
    answered = answer(fasttext, "kingly queen", "similarity")
    assert [word["known"] for word in answered["asked"]] == [False, True]
    assert answered["score"] == vectors.similarity("kingly", "queen")


def test_one_method_answers_a_whole_question(both):
    learned, composed = (WordVectors.load(both / method) for method in ("learned", "composed"))
    answered = answer(both, "man king woman", "analogy")
    assert answered["method"] == "learned"
    assert ranking(answered) == learned.analogy("man", "king", "woman", 10)
    answered = answer(both, "man kingly woman", "analogy")
    assert answered["method"] == "composed"
    assert answered["asked"] == [
        {"word": "man", "known": False},  # by the vectors that answer, not by the others
        {"word": "kingly", "known": False},
        {"word": "woman", "known": True},
    ]
    assert ranking(answered) == composed.analogy("man", "kingly", "woman", 10)
    answered = answer(both, "kingpin queen", "similarity")
    assert answered["method"] == "composed"
    assert answered["score"] == composed.similarity("kingpin", "queen")


def test_the_questions_of_a_request_are_each_answered_by_their_own_method(both):
    answered = answer(both, ["throne", "kingly", "PARIS", "kingpin"])
    assert [one["method"] for one in answered] == ["learned", "composed", "composed", "composed"]


@given(words=st.tuples(*[st.sampled_from(["king", "Queen", "man", "THRONE", "kingpin", "kingly", "Paris", "x"])] * 3))
def test_an_answer_never_holds_a_word_that_was_asked_about(predictor, words):
    for question, text in (("nearest", words[0]), ("analogy", " ".join(words))):
        (reply,) = predictor.answer([body(text, question)])
        assert {word["word"] for word in reply.body["asked"]}.isdisjoint(word for word, _ in ranking(reply.body))


def test_a_question_that_no_method_has_all_words_of_names_one(tmp_path):
    random_vectors(["ab", "king"], 5).save(tmp_path / "learned")
    random_vectors(["king"], 8, shortest=6).save(tmp_path / "composed")
    Bundle.write(tmp_path, task="vectors", kind="vectors", methods=("learned", "composed"), max_length=20)
    assert answer(tmp_path, "ab king", "similarity")["method"] == "learned"
    error = fault(tmp_path, ["king king kingly", "AB king kingly"], "analogy")
    assert error == {"code": "unknown_word", "message": 'there is no vector of "ab"', "input": 1}


def test_case_counts_only_where_the_vocabulary_has_the_word_so(fasttext):
    asked = answer(fasttext, "KING Paris PARIS", "analogy")["asked"]
    assert [(word["word"], word["known"]) for word in asked] == [("king", True), ("Paris", True), ("paris", False)]


def test_any_white_space_separates_and_accents_are_composed(fasttext):
    assert answer(fasttext, "\tking\u00a0 queen\n", "similarity") == answer(fasttext, "king queen", "similarity")
    assert answer(fasttext, "cafe\u0301") == answer(fasttext, "caf\u00e9")


def test_a_batch_of_different_questions_is_answered_as_each_alone(fasttext):
    bodies = [
        body(["king", "kingly", "film"], top_k=3),
        body("king queen", "similarity"),
        body("king", top_k=100),
        body(["man king woman", "king man queen"], "analogy"),
        body(["king queen", "don't film"], "similarity"),
    ]
    replies = ask(fasttext, *bodies)
    assert replies == [ask(fasttext, one)[0] for one in bodies]
    for sent, reply in zip(bodies, replies, strict=True):
        if isinstance(sent["inputs"], list):
            assert reply.body == [answer(fasttext, text, **sent["parameters"]) for text in sent["inputs"]]
    json.dumps([reply.body for reply in replies], allow_nan=False)


def test_an_unknown_word_is_named_with_its_place(plain):
    assert fault(plain, "kingly")["code"] == "unknown_word"
    error = fault(plain, ["king queen", "queen Kinglý"], "similarity")
    assert error == {"code": "unknown_word", "message": 'there is no vector of "kinglý"', "input": 1}


def test_a_word_too_short_for_an_ngram_is_unknown(write_vectors):
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
    ],
)
def test_each_question_has_its_number_of_words(fasttext, question, text):
    error = fault(fasttext, text, question)
    assert error["code"] == "wrong_number_of_words"
    assert f'"{question}" takes ' in error["message"]
    assert fault(fasttext, [text], question)["input"] == 0


def test_a_word_is_as_long_as_the_bundle_says_at_most(fasttext):
    longest = Bundle.load(fasttext).max_length
    assert answer(fasttext, "a" * longest)
    assert fault(fasttext, "a" * (longest + 1))["code"] == "input_too_long"
    error = fault(fasttext, f"king {'a' * 10_000}", "similarity")
    assert error == {
        "code": "input_too_long",
        "message": f"the text has 10000 characters in a word; this model takes at most {longest}",
    }


def test_an_archive_holds_the_bundle_and_shows_both_methods(make_store, both, tmp_path):
    archive = Archive.read(make_store(tmp_path / "store", both) / "vectors.mar")
    assert {one["method"] for e in archive.examples for one in (e.answer if isinstance(e.answer, list) else [e.answer])} == {
        "learned",
        "composed",
    }
    shutil.unpack_archive(archive.path, tmp_path / "unpacked", "zip")
    for text in ("king", "kingly"):
        assert answer(tmp_path / "unpacked", text) == answer(both, text)


def test_many_questions_end_when_their_time_is_over(predictor):
    class Late:
        left = 3

        def check(self):
            self.left -= 1
            if self.left < 0:
                raise DeadlineError

    request = parse_request(VectorsRequest, body(["king"] * 3))
    assert len(predictor._endpoint.answer([request], [], Late())[0]) == 3
    with pytest.raises(DeadlineError):
        predictor._endpoint.answer([request, request], [], Late())


def change(folder, name, array):
    """Replace an array and describe the folder anew, as if the pipeline had written it so."""
    (folder / "random" / name).unlink()
    np.save(folder / "random" / name, array)
    Bundle.write(folder, task="vectors", kind="vectors", methods=("random",), max_length=20)


@pytest.mark.parametrize(("name", "whose"), [("vectors.npy", "'queen'"), ("ngrams.npy", "an n-gram")])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_does_not_get_served(write_vectors, name, whose, value):
    folder = write_vectors(shortest=3)
    array = np.load(folder / "random" / name)
    array[1, 3] = value
    change(folder, name, array)
    with pytest.raises(BundleError, match=f"the vector of {whose} is not finite"):
        WordSpaces.load(folder)


@pytest.mark.parametrize(("name", "shape"), [("vectors.npy", (3, 8)), ("ngrams.npy", (100, 5))])
def test_arrays_that_do_not_go_together_do_not_get_served(write_vectors, name, shape):
    folder = write_vectors(shortest=3)
    change(folder, name, np.zeros(shape, np.float32))
    with pytest.raises(BundleError, match="shape"):
        WordSpaces.load(folder)


def test_the_engine_refuses_another_kind(bundles):
    with pytest.raises(BundleError, match="where a vectors bundle is needed"):
        WordSpaces.load(bundles["classification"])
