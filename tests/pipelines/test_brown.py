"""The Brown corpus as a stream: read word for word, numbered, cut, and dealt out without loss or repetition."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.special import BOS, SPECIAL_TOKENS, UNK
from pipelines.corpora.brown import PARAGRAPH, TEXT, TRAIN_WORDS, VALID_WORDS, Stream, read_brown
from pipelines.stage import StageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two texts as the corpus has them, beside its own README."""
    texts = tmp_path / "brown"
    texts.mkdir()
    (texts / "README").write_text("no/at text/nn\n")
    (texts / "cb01").write_text("\n\n\tHe/pps paid/vbd 1/2/cd \n\n")
    (texts / "ca02").write_text("\n\n\tThe/at jury/nn said/vbd ./.\nIt/pps did/dod ./.\n\n\n\n\tHeadline/nn-hl \n")
    return tmp_path


def test_texts_come_in_order_with_their_marks(folder: Path) -> None:
    first = [TEXT, "The", "jury", "said", ".", "It", "did", ".", PARAGRAPH, "Headline", PARAGRAPH]
    assert read_brown(folder) == [*first, TEXT, "He", "paid", "1/2", PARAGRAPH]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="holds no texts of the Brown corpus"):
        read_brown(tmp_path)


@pytest.mark.parametrize("token", ["untagged", "/nn"])
def test_a_token_without_word_or_tag_is_an_error(folder: Path, token: str) -> None:
    (folder / "brown" / "ca01").write_text(f"\n\tThe/at {token}\n")
    with pytest.raises(StageError, match=f"ca01: '{token}' is no word with its tag"):
        read_brown(folder)


def test_rare_words_are_one_symbol_and_the_rest_ordered_by_count() -> None:
    stream = Stream.number(["b", "a", "c", "b", "a", "B", "b", "d"], rare=1)
    assert stream.vocabulary.words == ("b", "a")
    b, a = len(SPECIAL_TOKENS), len(SPECIAL_TOKENS) + 1
    assert stream.ids.tolist() == [b, a, UNK, b, a, UNK, b, UNK]


def test_splits_are_those_of_the_paper() -> None:
    total = TRAIN_WORDS + VALID_WORDS + 5
    bounds = Stream.number(["a"] * total).bounds()
    assert bounds == {"train": (0, 800_000), "valid": (800_000, 1_000_000), "test": (1_000_000, 1_000_005)}
    with pytest.raises(StageError, match="1,000,000 words, and more than 1,000,000 are needed"):
        Stream.number(["a"] * (total - 5)).bounds()


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 5), st.integers(1, 9))
def test_windows_predict_every_word_once_from_what_precedes_it(end: int, start: int, context: int, length: int) -> None:
    ids = np.arange(100, 145, dtype=np.int32)
    stream = Stream(Stream.number([]).vocabulary, ids)
    rows = stream.windows(start, end, context=context, length=length)
    assert [unit for row in rows for unit in row[context:]] == ids[start:end].tolist()
    before = [BOS] * context + ids.tolist()
    for row in rows:
        place = row[context] - 100
        assert row[:context] == before[place : place + context]
        assert len(row) <= context + length
