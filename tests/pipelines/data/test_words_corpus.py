"""Running text becomes its words in order; only rare words are lost."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.vectors import VOCABULARY
from models.text.words import WordVocabulary
from pipelines.data.corpora import words as preparation
from pipelines.data.corpora.sentences import sentences, sentences_of
from pipelines.data.corpora.words import prepare_words
from pipelines.settings.corpora import WordsPrepare
from pipelines.stage import StageError
from pipelines.store import GrowingArray, Split

TEXTS = st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6), min_size=1, max_size=30)


def test_markup_ends_a_sentence_and_punctuation_is_removed() -> None:
    texts = ['It\'s "good".<br /><br />Is it?  Yes, "Mr X" said; 10/10!', "..."]
    assert list(sentences_of(texts)) == [["it's", "good"], ["is", "it"], ["yes", "mr", "x", "said", "10", "10"]]


@given(st.text(alphabet='ab .!?\n"<br/>', max_size=60))
def test_sentences_keep_every_letter(text: str) -> None:
    joined = "".join(sentences(text))
    assert Counter(c for c in joined if c in "a!?.")["a"] == text.count("a")


@given(TEXTS, st.integers(1, 3), st.integers(0, 10))
def test_the_written_corpus_is_the_text_without_rare_words(
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


def test_the_batch_size_does_not_change_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, settings = [list("ab"), list("ba"), list("aab"), list("b")], WordsPrepare(min_count=1, limit=0)
    for size, name in ((1, "one"), (3, "three"), (100, "all")):
        monkeypatch.setattr(preparation, "BATCH", size)
        prepare_words(texts, settings, tmp_path / name)
    written = {
        name: [(tmp_path / name / "train" / file).read_bytes() for file in ("words.npy", "words.offsets.npy")]
        for name in ("one", "three", "all")
    }
    assert written["one"] == written["three"] == written["all"]


def test_numpy_reads_a_growing_array(tmp_path: Path) -> None:
    parts = [np.arange(n, dtype=np.int64) for n in (0, 3, 100_000)]
    with GrowingArray(tmp_path / "a.npy", np.int64) as array:
        for part in parts:
            array.append(part)
        with pytest.raises(TypeError, match="int32 numbers"):
            array.append(np.zeros(1, np.int32))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", mmap_mode="r"), np.concatenate(parts))
