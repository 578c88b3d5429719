"""Maps of words, compared with scikit-learn's principal components of their vectors."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from asking import answer, body, fault, random_vectors
from sklearn.decomposition import PCA

from models.text.vectors import WordVectors, unit
from serving.bundle import Bundle
from serving.contract.requests import parse_request
from serving.endpoints.shared import Json
from serving.endpoints.vectors.contract import VectorsRequest, WordPlace, WordsOnMap
from serving.predictor import load_predictor
from serving.predictors.vectors import WordSpaces
from serving.predictors.watch import DeadlineError, Watch


def words(answered: Json) -> list[str]:
    return [place["word"] for place in answered["words"]]


def places(answered: Json) -> list[tuple[float, float]]:
    return [(place["x"], place["y"]) for place in answered["words"]]


def small(folder: Path, vocabulary: list[str], size: int) -> Path:
    random_vectors(vocabulary, size).save(folder / "small")
    Bundle.write(folder, task="small", kind="vectors", methods=("small",), max_length=20)
    return folder


@pytest.mark.parametrize(("text", "k"), [("king", 3), ("king queen", 2), ("king film Paris man", 1), ("king", 100)])
def test_a_map_has_the_words_and_their_neighbours_once(plain: Path, text: str, k: int) -> None:
    vectors, answered = WordVectors.load(plain / "random"), answer(plain, text, "map", top_k=k)
    asked = text.split()
    assert answered["asked"] == [{"word": word, "known": True} for word in asked]
    shown = words(answered)
    assert shown[: len(asked)] == asked
    assert len(set(shown)) == len(shown)
    assert set(shown) == {*asked, *(near for word in asked for near, _ in vectors.nearest(word, k))}


def test_places_are_the_principal_components_of_unit_vectors(plain: Path) -> None:
    vectors, answered = WordVectors.load(plain / "random"), answer(plain, "king film", "map", top_k=3)
    matrix = np.stack([unit(vectors.vector(word)) for word in words(answered)])
    np.testing.assert_allclose(places(answered), PCA(2).fit_transform(matrix), atol=6e-5)
    assert all(round(number, 4) == number for place in places(answered) for number in place)


def test_a_map_may_have_composed_words(fasttext: Path) -> None:
    vectors, answered = WordVectors.load(fasttext / "random"), answer(fasttext, "kingly queen", "map", top_k=2)
    assert answered["asked"] == [{"word": "kingly", "known": False}, {"word": "queen", "known": True}]
    assert words(answered)[:2] == ["kingly", "queen"]
    matrix = np.stack([unit(vectors.vector(word)) for word in words(answered)])
    np.testing.assert_allclose(places(answered), PCA(2).fit_transform(matrix), atol=6e-5)


def test_a_repeated_word_is_shown_once(plain: Path) -> None:
    repeated = answer(plain, "king KING king", "map")
    assert len(repeated["asked"]) == 3
    assert repeated["words"] == answer(plain, "king", "map")["words"]


def test_one_method_draws_a_whole_map(both: Path) -> None:
    maps = answer(both, ["king throne", "king kingly"], "map", top_k=1)
    assert [one["method"] for one in maps] == ["learned", "composed"]


def test_up_to_twenty_words_are_taken(fasttext: Path) -> None:
    assert answer(fasttext, " ".join(f"word{i}" for i in range(20)), "map", top_k=1)["words"]
    assert fault(fasttext, "king " * 21, "map") == {
        "code": "wrong_number_of_words",
        "message": 'words in the text: 21; the question "map" takes 1-20',
    }
    assert fault(fasttext, " ", "map")["code"] == "empty_input"


def test_an_unknown_word_is_refused(plain: Path) -> None:
    error = fault(plain, ["king queen", "queen kingly"], "map")
    assert error == {"code": "unknown_word", "message": 'there is no vector for "kingly"', "input": 1}


@pytest.mark.parametrize("size", [1, 2, 8])
def test_the_only_word_of_a_vocabulary_lies_at_the_origin(tmp_path: Path, size: int) -> None:
    assert answer(small(tmp_path, ["king"], size), "king", "map")["words"] == [{"word": "king", "x": 0, "y": 0}]


def test_vectors_of_one_dimension_lie_on_a_line(tmp_path: Path) -> None:
    answered = answer(small(tmp_path, ["a", "b", "c", "d"], 1), "a", "map")
    assert len(set(places(answered))) == 2  # a unit vector of one dimension is 1 or -1
    assert {y for _, y in places(answered)} == {0}


def test_two_words_lie_on_a_line(tmp_path: Path) -> None:
    answered = answer(small(tmp_path, ["a", "b"], 8), "a", "map")
    assert {y for _, y in places(answered)} == {0}
    assert "-0.0" not in str(answered)


def test_words_with_equal_vectors_lie_at_the_origin(tmp_path: Path) -> None:
    vectors = random_vectors(["a", "b", "c"], 4)
    WordVectors(vectors.vocabulary, np.ones((3, 4), np.float32), {}).save(tmp_path / "small")
    Bundle.write(tmp_path, task="small", kind="vectors", methods=("small",), max_length=20)
    assert places(answer(tmp_path, "a b", "map")) == [(0, 0)] * 3


def test_a_map_of_vectors_on_a_plane_keeps_their_distances(tmp_path: Path) -> None:
    vectors = WordVectors.load(small(tmp_path, list("abcdef"), 2) / "small")
    answered = answer(tmp_path, "a", "map")
    at = dict(zip(words(answered), np.array(places(answered)), strict=True))
    for a, b in combinations(at, 2):
        distance = np.linalg.norm(unit(vectors.vector(a)) - unit(vectors.vector(b)))
        assert np.linalg.norm(at[a] - at[b]) == pytest.approx(distance, abs=3e-4)


def test_the_deadline_is_checked_before_each_ranking(plain: Path) -> None:
    class Late(Watch):
        left = 2

        def check(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise DeadlineError

    space = WordSpaces.load(plain).answering(["king"])
    assert space.places(["king", "queen"], 1, Late())
    with pytest.raises(DeadlineError):
        space.places(["king", "queen", "man"], 1, Late())


def test_the_client_gets_typed_maps(plain: Path) -> None:
    request = parse_request(VectorsRequest, body(["king queen", "film"], "map", top_k=1))
    (reply,) = load_predictor(plain).answer([request.model_dump()])
    first, second = request.read(reply.body)
    assert isinstance(first, WordsOnMap)
    assert isinstance(second, WordsOnMap)
    assert first.words[0] == WordPlace(word="king", x=reply.body[0]["words"][0]["x"], y=reply.body[0]["words"][0]["y"])
    assert len(second.words) == 2
