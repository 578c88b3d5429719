"""A corpus as a stream: words are read, numbered and split without loss or repetition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.special import BOS, SPECIAL_TOKENS, UNK
from pipelines.data.corpora.stream import PARAGRAPH, TEXT, Stream, words_in_stream
from pipelines.stage import StageError


def test_markers_separate_texts_and_paragraphs() -> None:
    found = list(words_in_stream(["The jury said . It did .\nHeadline", "He paid 1/2\n\n"]))
    first = [TEXT, "The", "jury", "said", ".", "It", "did", ".", PARAGRAPH, "Headline", PARAGRAPH]
    assert found == [*first, TEXT, "He", "paid", "1/2", PARAGRAPH]


def test_rare_words_are_replaced_with_unk_and_the_rest_ordered_by_count() -> None:
    stream = Stream.number(["b", "a", "c", "b", "a", "B", "b", "d"], rare=1)
    assert stream.vocabulary.words == ("b", "a")
    b, a = len(SPECIAL_TOKENS), len(SPECIAL_TOKENS) + 1
    assert stream.ids.tolist() == [b, a, UNK, b, a, UNK, b, UNK]


def test_the_rest_after_training_and_validation_is_the_test_split() -> None:
    stream = Stream.number(["a"] * 1005, rare=0)
    assert stream.bounds(800, 200) == {"train": (0, 800), "valid": (800, 1000), "test": (1000, 1005)}
    with pytest.raises(StageError, match="1,005 words, and train_words and valid_words alone take 1,005"):
        stream.bounds(800, 205)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 5), st.integers(1, 9))
def test_windows_predict_every_word_once_from_the_words_before(end: int, start: int, context: int, length: int) -> None:
    ids = np.arange(100, 145, dtype=np.int32)
    stream = Stream(Stream.number([], rare=0).vocabulary, ids)
    rows = stream.windows(start, end, context=context, length=length)
    assert [unit for row in rows for unit in row[context:]] == ids[start:end].tolist()
    before = [BOS] * context + ids.tolist()
    for row in rows:
        place = row[context] - 100
        assert row[:context] == before[place : place + context]
        assert len(row) <= context + length
