"""Random segmentations decode to the same text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.bpe_dropout import BpeDropout
from models.text.normalize import normalize
from models.text.subwords import SubwordTokenizer

LINES = ["Le chat dort sur la table.", "The cat sleeps on the table.", "Version 2.34 (beta) : « oui » !", "l'outil foo-bar"] * 3
SENTENCES = st.lists(st.sampled_from(" ".join(LINES).split()), max_size=8).map(" ".join)


@pytest.fixture(scope="module")
def subwords() -> SubwordTokenizer:
    return SubwordTokenizer.train(LINES, size=120)


@given(st.one_of(st.text(), SENTENCES))
def test_without_dropout_it_equals_the_tokenizer(subwords: SubwordTokenizer, text: str) -> None:
    assert BpeDropout(subwords, 0.0, 1).encode(text) == subwords.encode(text)


@given(SENTENCES, st.floats(0, 0.99), st.integers(0, 100))
def test_any_segmentation_decodes_to_the_text(subwords: SubwordTokenizer, text: str, p: float, seed: int) -> None:
    ids = BpeDropout(subwords, p, seed).encode(text)
    assert subwords.decode(ids) == normalize(text)
    assert len(ids) >= len(subwords.encode(text))


def test_more_dropout_gives_more_pieces(subwords: SubwordTokenizer) -> None:
    text = " ".join(LINES)
    counts = [len(BpeDropout(subwords, p, 1).encode(text)) for p in (0.0, 0.1, 0.5, 0.9, 1.0)]
    assert counts == sorted(set(counts))
    assert BpeDropout(subwords, 1.0, 1).encode("table") == subwords.ids("▁table")


def test_the_seed_determines_the_result(subwords: SubwordTokenizer) -> None:
    drawn = [[BpeDropout(subwords, 0.3, seed).encode(line) for line in LINES] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
